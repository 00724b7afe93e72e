"""`replay` on files and options that nobody would write: any bytes, snapshots changed
in their structure, any words on its command line. One line and status 2, or a report.

The mass runs here in this process; what takes most time and memory, in one of its own
with a limit. `THUNK_SWEEP=all` tries fifty times as many.
"""

import contextlib
import copy
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple
from zlib import crc32

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faulty import CALLS, SWEEP_ALL, plain, saved
from hostile import HOSTILE
from programs import ENVIRONMENT
from reports import Document, validated
from test_snapshot_files import WRONG
from thunk_inspect.cli import main
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_dict
from thunk_inspect.report.text import Detail, render
from thunk_inspect.snapshot import MAX_FILE, MAX_VALUES, load_snapshot
from thunk_inspect.target import ThunkError, one_line

MORE = 50 if SWEEP_ALL else 1
FUZZ = dict(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.xdist_group("sweep")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> List[Document]:
    return [saved(call, tmp_path_factory) for call in CALLS]


def judged(path: Path) -> None:
    """A file is refused in one plain line, or gives a report of the format."""
    try:
        report = inspect(load_snapshot(str(path)))
    except ThunkError as error:
        line = one_line(error)
        assert line and plain(line) and "\n" not in line
        return
    validated(to_dict(report))
    assert plain(render(report, detail=Detail(True, True)))


# Any bytes.

NEAR_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@settings(max_examples=120 * MORE, **FUZZ)  # type: ignore[arg-type]
@given(
    st.one_of(
        st.binary(max_size=400),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
        NEAR_JSON.map(lambda value: json.dumps(value).encode()),
    )
)
@example(b"\xef\xbb\xbf{}")
@example(b"\xff\xfe{\x00}\x00")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"9" * 100_000)
@example(b"NaN")
@example(b"-Infinity")
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    judged(path)


# A snapshot, changed in its structure.

VALUES = st.one_of(
    st.sampled_from(WRONG),
    st.sampled_from(HOSTILE),
    st.integers(0, (1 << 64) - 1).map(hex),
    st.sampled_from([hex(n) for n in (0, 7, 8, 1 << 63, (1 << 64) - 8, (1 << 64) - 1)]),
    st.binary(max_size=64).map(bytes.hex),
    NEAR_JSON,
)


def places(value: Any, path: Tuple[Any, ...] = ()) -> Iterator[Tuple[Any, ...]]:
    """Paths to all that a document holds."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key)


def mutate(document: Any, path: Tuple[Any, ...], how: str, value: Any) -> None:
    home = document
    for key in path[:-1]:
        home = home[key]
    key = path[-1]
    if how == "replace":
        home[key] = value
    elif how == "remove":
        del home[key]
    elif how == "repeat" and isinstance(home, list):
        home.insert(key, copy.deepcopy(home[key]))
    elif how == "swap" and isinstance(home, list):
        home[key], home[-1] = home[-1], home[key]
    elif how == "flip" and isinstance(home[key], str) and home[key]:
        place = crc32(json.dumps(value).encode()) % len(home[key])
        home[key] = home[key][:place] + "f" + home[key][place + 1 :]
    elif how == "cut" and isinstance(home[key], (str, list)):
        home[key] = home[key][: len(home[key]) // 2]


HOW = ("replace", "replace", "remove", "repeat", "swap", "flip", "cut")


@settings(max_examples=150 * MORE, **FUZZ)  # type: ignore[arg-type]
@given(data=st.data())
def test_a_snapshot_of_another_shape(
    documents: List[Document],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(documents)))
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(list(places(document))))
        mutate(document, path, data.draw(st.sampled_from(HOW)), data.draw(VALUES))
    text = json.dumps(document)
    end = data.draw(st.one_of(st.just(len(text)), st.integers(0, len(text))))
    path = tmp_path_factory.getbasetemp() / "shape"
    path.write_text(text[:end])
    judged(path)


# The command line.

WORDS = st.one_of(
    st.sampled_from(["--json", "--bytes", "--all", "--html", "--junit", "--markdown"]),
    st.sampled_from(["-", "--", "-h", "--json=x", "--html=", "0x0", "-1", "0x1_0"]),
    st.integers(-1, 1 << 65).map(hex),
    st.text(max_size=12),
    st.sampled_from(HOSTILE),
)


def quietly(words: List[str]) -> Tuple[int, str, str]:
    """(status, what was printed, what was complained of)."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as end:
            status = int(end.code or 0)
    return status, out.getvalue(), err.getvalue()


@settings(max_examples=100 * MORE, **FUZZ)  # type: ignore[arg-type]
@given(words=st.lists(WORDS, max_size=4))
@example(words=["9" * 5000])
@example(words=["0x" + "f" * 5000])
@example(words=["--html", "/"])
@example(words=["--html", "a\0b"])
@example(words=["--junit", "/nowhere/x"])
def test_any_words(
    documents: List[Document],
    tmp_path_factory: pytest.TempPathFactory,
    words: List[str],
) -> None:
    folder = tmp_path_factory.getbasetemp() / "words"
    folder.mkdir(exist_ok=True)
    path = folder / "saved.json"
    path.write_text(json.dumps(documents[0]))
    before = os.getcwd()
    os.chdir(folder)
    try:
        status, _, error = quietly(["replay", str(path), *words])
    finally:
        os.chdir(before)
    assert status in (0, 1, 2, 3)
    assert "Traceback" not in error and "internal error" not in error
    assert (status == 2) == bool(error)


# Time and memory, in a process of its own.

LIMIT = 256 << 20
SECONDS = 10
BOUNDED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
from thunk_inspect.cli import main
status = main(["replay", sys.argv[1]])
with open("/proc/self/status") as file:
    peak = next(line.split()[1] for line in file if line.startswith("VmHWM"))
print("peak", int(peak) * 1024, file=sys.stderr)
sys.exit(status)
"""
HEAD = '{"format":"thunk-snapshot","version":1,"arch":"aarch64","os":"linux",'
EMPTY = HEAD + '"registers":{"pc":"0x0"},"memory":[],"symbols":[]'
ROOM = MAX_FILE - 4096


def _repeated(before: str, piece: str, after: str) -> str:
    most = min(ROOM // len(piece), MAX_VALUES // sum(map(piece.count, ",[{")) - 64)
    return before + piece * most + after


def _regions(pairs: List[Tuple[int, int]]) -> str:
    regions = [
        {"start": hex(start), "end": hex(end), "permissions": "r-x", "name": ""}
        for start, end in pairs
    ]
    return EMPTY + ',"regions":' + json.dumps(regions) + "}"


def _numbers(count: int, fields: str) -> str:
    return ",".join(fields.replace("#", hex(n * 16)) for n in range(1, count))


LARGE: Dict[str, Callable[[], str]] = {
    "lists": lambda: _repeated("[", "[],", "0]"),
    "objects": lambda: _repeated("[", '{"a":0},', "0]"),
    "keys": lambda: (
        "{" + ",".join(f'"{n}":[]' for n in range(MAX_VALUES // 2 - 8)) + "}"
    ),
    "wide text": lambda: '["' + "a" * (ROOM - 8) + '\U0001f600"]',
    "memory": lambda: (
        HEAD
        + '"registers":{"pc":"0x1000"},"memory":[{"address":"0x1000","bytes":"'
        + "00" * (ROOM // 2 - 256)
        + '"}]}'
    ),
    "over the limit": lambda: "[" + "[]," * (MAX_FILE // 3) + "0]",
    "digits": lambda: "[" + "9" * 4_000_000 + "]",
    "all memory is code": lambda: _regions([(0, (1 << 64) - 1)]),
    "code that overlaps": lambda: _regions([(0x1000, 1 << 47)] * 2000),
    "symbols": lambda: (
        EMPTY[: EMPTY.rindex("[")]
        + "["
        + _numbers(99_999, '{"name":"x","address":"#","size":9223372036854775807}')
        + "]}"
    ),
    "frames": lambda: (
        EMPTY + ',"frames":[' + _numbers(99_999, '{"pc":"#","sp":"#"}') + "]}"
    ),
}


@pytest.mark.parametrize("what", LARGE)
def test_time_and_memory_are_bounded(tmp_path: Path, what: str) -> None:
    path = tmp_path / "large.json"
    path.write_text(LARGE[what](), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(path)],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        timeout=3 * SECONDS,
        check=False,
    )
    *lines, peak = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 1, done.stderr
    assert int(peak.split()[1]) < LIMIT, f"{what}: {int(peak.split()[1]) >> 20} MiB"
