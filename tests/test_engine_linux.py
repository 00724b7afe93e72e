"""ChakraCore itself on x86-64 Linux: what the fixture only imitates."""

from typing import List

from reports import Document, arguments, claims
from sessions import INTERPRETER, Session
from thunk_inspect.chakra.interpreter import ASM_INTERPRETER

OFFSETS = {"function_info": 0x28, "function_proxy": 8, "dynamic_thunk": 0x50}
UNDEFINED = "undefined"


def at_add(session: Session) -> Document:
    """In the interpreter, of add.js' one call: the first is that of global code."""
    session.load_engine("add.js", "--no-jit", stop=INTERPRETER)
    session.go_to(INTERPRETER)
    return session.json()


def name_and_arguments(report: Document) -> List[str]:
    return [report["layout"]["function"]["name"], *arguments(report)]


def test_the_block(session: Session) -> None:
    report = at_add(session)
    thunk = report["thunk"]
    assert thunk["offsets"] == OFFSETS
    assert thunk["header_size"] == 72 and thunk["block_size"] == 4096
    assert thunk["convention"] == "caller-stack"
    assert thunk["stubs"]["count"] == 492
    assert int(thunk["epilogue"], 16) - int(thunk["block"], 16) == 0xFB0
    assert thunk["interpreter"] == report["target"]["pc"]


def test_the_call(session: Session) -> None:
    layout = at_add(session)["layout"]
    assert layout["function"]["name"] == "add"
    assert layout["call_info"] == {"raw": "0x2000005", "count": 5, "flags": ["Value"]}
    kinds = [value["kind"] for value in layout["args"]]
    assert kinds == ["object", "int", "double", "object", "object"]
    assert [value["text"] for value in layout["args"][1:3]] == ["1", "2.5"]
    assert layout["args"][3]["text"] == '"x"'
    assert not layout["problems"]


def test_the_verdict(session: Session) -> None:
    report = at_add(session)
    assert report["verdict"] == "sound"
    assert not claims(report, "fail") and not claims(report, "unknown")
    assert {issue["state"] for issue in report["issues"]} <= {"absent", "unknown"}
    assert not report["problems"]


def test_global_code_has_a_call_info_of_zero(session: Session) -> None:
    session.load_engine("add.js", "--no-jit", stop=INTERPRETER)
    report = session.json()
    assert report["layout"]["call_info"]["raw"] == "0x0"
    assert report["layout"]["args"] == []
    assert report["verdict"] == "sound"


def test_from_a_native_callback(session: Session) -> None:
    """engine_print is called by the function that prints: it is the innermost one."""
    session.load_engine("nest.js", "--no-jit", stop="engine_print")
    seen = []
    for _ in range(5):
        report = session.json()
        assert report["verdict"] == "sound"
        assert "return address" in report["thunk"]["found_by"]
        seen.append(name_and_arguments(report)[:2])
        session.go_to("engine_print")
    assert seen == [["a", "4"], ["b", "4"], ["c", "4"], ["a", "3"], ["b", "3"]]
    printed = [line.split()[:2] for line in session.stdout()]
    assert printed == seen, "as the script itself says"


def test_ten_thousand_calls_deep(gdb: Session) -> None:
    gdb.load_engine("deep.js", "--no-jit", "--big-stack", stop="engine_print")
    report = gdb.json()
    assert report["layout"]["function"]["name"] == "bottom"
    assert report["verdict"] == "sound"


def test_with_the_jit_on(session: Session) -> None:
    session.load_engine("nest.js", stop="engine_print")
    assert name_and_arguments(session.json())[:2] == ["a", "4"]


VALUES = [
    "42",
    "-7",
    "2.5",
    "NaN",
    "-0",
    "Infinity",
    UNDEFINED,
    "null",
    "true",
    "false",
]


def test_values(session: Session) -> None:
    """The argument of each call of show, as its script wrote it."""
    session.load_engine("values.js", "--no-jit", stop="engine_print")
    for value in VALUES:
        assert name_and_arguments(session.json()) == ["show", value]
        session.go_to("engine_print")


def test_expressions_with_symbols(session: Session) -> None:
    report = at_add(session)
    assert session.json("thunk-layout $rdi") == report["layout"]
    start = int(report["thunk"]["interpreter"], 16)
    for offset in (0, 4):
        layout = session.json(f"thunk-layout {INTERPRETER} + {offset}")
        assert int(layout["address"], 16) - start == offset


def test_all_blocks(session: Session) -> None:
    report = at_add(session)
    blocks = session.json("thunk-find")["blocks"]
    assert report["thunk"]["block"] in [block["block"] for block in blocks]
    assert {block["interpreter"] for block in blocks} == {
        report["thunk"]["interpreter"]
    }


def test_asm_js_has_a_layout_of_its_own(session: Session) -> None:
    """No callInfo: what stands there is the first argument, and is not judged."""
    session.load_engine("asm.js", "--no-jit", stop=ASM_INTERPRETER)
    report = session.json()
    assert report["thunk"]["interpreter"] == report["target"]["pc"]
    assert not claims(report, "fail"), claims(report, "fail")
    assert "R3" in claims(report, "not-applicable")
    assert report["layout"]["call_info"] is None and not report["layout"]["args"]
    assert report["verdict"] == "undecided"


def test_more_arguments_than_most_calls_have(gdb: Session) -> None:
    """f.apply(null, array): a large count is no garbage when all of it is there."""
    gdb.load_engine("apply.js", "--no-jit", stop=INTERPRETER)
    many = f"break {INTERPRETER} if (*(int*)($rdi+8) & 0xffffff) > 4096"
    gdb.run(many)
    gdb.run("continue")
    report = gdb.json()
    assert report["layout"]["call_info"]["count"] == 5001
    assert report["verdict"] == "sound", claims(report, "fail")
