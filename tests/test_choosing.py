"""The cases that `make test` chooses, and what they must not leave out."""

from itertools import product

from choosing import few

PLACES = [("arm64", "homing"), ("arm64", "stack"), ("x64", "sysv"), ("x64", "windows")]
CASES = [
    {"session": session, "arch": arch, "convention": convention, "fault": fault}
    for session, (arch, convention), fault in product(
        ("gdb", "lldb"), PLACES, ("none", "offset", "size")
    )
]


def test_everything_that_is_named_is_chosen() -> None:
    chosen = [CASES[number] for number in few(CASES, ["session convention", "fault"])]
    pairs = [(case["session"], case["convention"]) for case in chosen]
    assert sorted(pairs) == sorted(
        product(("gdb", "lldb"), [name for _, name in PLACES])
    )
    assert {case["fault"] for case in chosen} == {"none", "offset", "size"}


def test_what_does_not_exist_is_not_waited_for() -> None:
    assert len(few(CASES, ["arch convention"])) == len(PLACES)


def test_no_debugger_is_for_the_first_case_alone() -> None:
    chosen = [CASES[number]["session"] for number in few(CASES, ["session", "fault"])]
    assert sorted(chosen) in (["gdb", "gdb", "lldb"], ["gdb", "lldb", "lldb"])
    chosen = [CASES[n]["session"] for n in few(CASES, ["convention", "fault"])]
    assert chosen.count("gdb") == chosen.count("lldb") == 2


def test_a_single_case_is_chosen() -> None:
    assert few(CASES[-1:], ["session arch", "fault"]) == {0}
