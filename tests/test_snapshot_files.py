"""Files that are no snapshot, or lie: one line each, whatever is in them."""

import copy
import json
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Console
from reports import Document, validated
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_dict
from thunk_inspect.snapshot import SnapshotTarget, load_snapshot
from thunk_inspect.target import ThunkError

Path_ = List[Any]

WRONG: Tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    1e400,
    10**30,
    "",
    "x",
    "0x",
    "0x-1",
    "0x" + "f" * 17,
    "\ud800",
    [],
    {},
    [[]],
    [{}],
    {"": None},
)
DEEP = "[" * 100_000


def refused(text: str, folder: Path) -> str:
    """The one line with which a file is refused."""
    path = folder / "damaged.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ThunkError) as error:
        inspect(load_snapshot(str(path)))
    line = str(error.value)
    assert line and "\n" not in line
    return line


def judged(document: Any) -> None:
    """A damaged document is refused in one line, or gives a report of the format."""
    try:
        validated(to_dict(inspect(SnapshotTarget(document))))
    except ThunkError as error:
        assert str(error) and "\n" not in str(error)


def places(document: Any, path: Path_) -> Iterator[Path_]:
    """Paths to everything in a document, of lists only the first two entries."""
    yield path
    if isinstance(document, dict):
        for key, value in document.items():
            yield from places(value, [*path, key])
    elif isinstance(document, list):
        for index, value in enumerate(document[:2]):
            yield from places(value, [*path, index])


def with_value(document: Document, path: Path_, value: Any) -> Any:
    if not path:
        return value
    copied = copy.deepcopy(document)
    place: Any = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied


def test_a_file_cut_short(saved_text: str, tmp_path: Path) -> None:
    size = len(saved_text.rstrip())
    for length in [*range(40), *range(40, size, size // 60), size - 2, size - 1]:
        assert "cut short" in refused(saved_text[:length], tmp_path), length


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"x"', "{}", DEEP, "\0"])
def test_a_file_that_is_something_else(tmp_path: Path, text: str) -> None:
    refused(text, tmp_path)


def test_values_of_the_wrong_kind(saved: Document) -> None:
    small = {**saved, "memory": saved["memory"], "symbols": saved["symbols"][:3]}
    for path in places(small, []):
        for value in WRONG:
            judged(with_value(small, path, value))


def test_parts_that_are_missing(saved: Document, tmp_path: Path) -> None:
    for key in ("format", "version", "arch", "os", "registers", "memory"):
        document = {name: value for name, value in saved.items() if name != key}
        refused(json.dumps(document), tmp_path)


def test_memory_that_overlaps(saved: Document, tmp_path: Path) -> None:
    first = saved["memory"][0]
    inside = {**first, "address": hex(int(first["address"], 16) + 8)}
    saved["memory"].append(inside)
    assert "overlaps" in refused(json.dumps(saved), tmp_path)


def test_memory_at_the_end_of_the_address_space(
    saved: Document, tmp_path: Path
) -> None:
    saved["memory"].append({"address": "0xffffffffffffffff", "bytes": "0000"})
    assert "0xffffffffffffffff" in refused(json.dumps(saved), tmp_path)


def test_a_snapshot_without_a_block(saved: Document, tmp_path: Path) -> None:
    saved["memory"] = [{"address": "0x1000", "bytes": "00" * 4096}]
    line = refused(json.dumps(saved), tmp_path)
    assert "no thunk" in line


def test_too_many_pieces(saved: Document, tmp_path: Path) -> None:
    saved["symbols"] = [{"name": "x", "address": "0x1"}] * 200_000
    assert "too many" in refused(json.dumps(saved), tmp_path)


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "sparc", "", 7])
def test_another_machine(saved: Document, arch: Any) -> None:
    """Code of one machine, said to be of another, is no block of that machine."""
    judged({**saved, "arch": arch})


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_memory_that_lies(saved: Document, data: st.DataObject) -> None:
    """Any bytes of the memory changed: still a report of the format, or one line."""
    memory = copy.deepcopy(saved["memory"])
    for _ in range(data.draw(st.integers(1, 6))):
        piece = memory[data.draw(st.integers(0, len(memory) - 1))]
        code = bytearray.fromhex(piece["bytes"])
        place = data.draw(st.integers(0, len(code) - 1))
        change = data.draw(st.binary(min_size=1, max_size=16))
        code[place : place + len(change)] = change[: len(code) - place]
        piece["bytes"] = code.hex()
    judged({**saved, "memory": memory})


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_registers_that_lie(saved: Document, data: st.DataObject) -> None:
    registers = dict(saved["registers"])
    names = st.lists(st.sampled_from(sorted(registers)), min_size=1, max_size=6)
    near = st.sampled_from([int(value, 16) for value in registers.values()])
    number = st.one_of(st.integers(0, 2**64 - 1), near)
    for name in data.draw(names):
        registers[name] = hex(data.draw(number))
    judged({**saved, "registers": registers})


@pytest.mark.parametrize(
    "damage", ["missing", "folder", "cut short", "no JSON", "overlap", "no block"]
)
def test_the_console_refuses(
    console: Console, saved: Document, tmp_path: Path, damage: str
) -> None:
    """Status 2 and one line on stderr, nothing on stdout."""
    path = tmp_path / "damaged.json"
    if damage == "overlap":
        saved["memory"].append(saved["memory"][0])
    elif damage == "no block":
        saved["memory"] = []
    text = json.dumps(saved)
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        cut = {"cut short": len(text) // 2, "no JSON": 0}.get(damage, len(text))
        path.write_text(text[:cut])
    for options in ([], ["--json"]):
        answer = console("replay", path, *options)
        assert answer.returncode == 2, answer
        assert not answer.stdout
        assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
        assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "args",
    [[], ["nonsense"], ["replay"], ["replay", "a", "b"], ["replay", "--nonsense"]],
)
def test_the_console_knows_its_words(console: Console, args: List[str]) -> None:
    answer = console(*args)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr and answer.stderr.strip()
