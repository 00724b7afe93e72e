"""The benchmark's table, its renderer and its count of packets. Nothing is timed."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import render
from benchmarks.figures import Measured, Sample, middle, turns
from benchmarks.packets import registers
from benchmarks.proxy import Packets
from benchmarks.rows import TABLE, Row

WIDEST = 100


def row(limit: float, unit: str, more: bool = False) -> Row:
    none = Measured(0, 0, 0, "")
    return Row("name", "a row", limit, unit, lambda rounds: none, 1, 1, more)


def result(row: Row, figure: float, slowness: float = 1.0) -> render.Result:
    measured = Measured(figure, 7.25, 0.5, "ms", {"gef": 8.1})
    return render.Result(row, measured, slowness=slowness)


def test_every_row_has_a_name_of_its_own_and_a_target() -> None:
    names = [row.name for row in TABLE]
    assert len(set(names)) == len(names)
    for one in TABLE:
        assert one.limit > 0
        assert one.unit in ("ms", "×", "packets", "reads")
        assert one.more == (one.unit == "×" and not one.name.startswith("bt-"))
        assert 0 < one.quick <= one.rounds
        assert len(one.title) <= render.WIDTHS[0]


def test_a_line_of_the_table() -> None:
    assert render.cells(result(row(10, "ms"), 6.75)) == [
        *("a row", "0.5 ms", "7.25 ms", "14.5 ×", "6.75 ms", "≤ 10 ms", "8.1", "–"),
        "ok",
    ]


def test_no_line_is_wider_than_the_page() -> None:
    largest = Measured(4321, 4321, 54321, "hits/s", {"gef": 1234, "pwndbg": 9999})
    for one in TABLE:
        text = render.as_text([render.Result(one, largest)])
        assert max(map(len, text.splitlines())) <= WIDEST
    assert len(render.line(["x" * width for width in render.WIDTHS])) <= WIDEST


@pytest.mark.parametrize(
    ("figure", "limit", "more", "met"),
    [(9, 10, False, True), (11, 10, False, False), (9, 10, True, False)],
)
def test_met_or_missed(figure: float, limit: float, more: bool, met: bool) -> None:
    text = render.as_text([result(row(limit, "×", more), figure)])
    assert ("every row meets its target" in text) == met
    assert ("MISS" in text) != met
    missed = f"name: {figure} ×, target {'≥' if more else '≤'} {limit} ×"
    assert (missed in text) != met


def test_a_slow_machine_has_more_time_but_no_other_ratio() -> None:
    assert result(row(10, "ms"), 15, 2.0).met
    assert not result(row(10, "ms"), 15, 0.5).met
    assert not result(row(10, "×"), 15, 2.0).met


def test_a_failure_counts_whatever_the_figure() -> None:
    measured = Measured(1, 1, 1, "ms", failure="pages were populated")
    text = render.as_text([render.Result(row(10, "ms"), measured)])
    assert "name: pages were populated" in text


def test_a_row_that_cannot_be_measured() -> None:
    failed = render.Result(row(10, "ms"), None, "RuntimeError: no answer")
    assert "name: not measured: RuntimeError: no answer" in render.as_text([failed])
    assert not failed.met


def test_markdown_and_json_say_the_same() -> None:
    results = [result(row(10, "ms"), 6.75), render.Result(row(2, "×"), None, "no")]
    head, _, first, second = render.as_markdown(results).splitlines()
    assert head.count("|") == first.count("|") == second.count("|")
    assert "6.75 ms" in first
    rows = json.loads(render.as_json(results))["rows"]
    assert [one["met"] for one in rows] == [True, False]
    assert rows[0]["others"] == {"gef": 8.1}
    assert rows[1]["error"] == "no"


def test_the_middle_of_samples() -> None:
    samples = [Sample(1, 9), Sample(2, 7), Sample(30, 8)]
    assert middle(samples)[:2] == (2, 8)


def test_slow_rounds_are_cut_short() -> None:
    assert len(list(turns(5, 60))) == 5
    assert len(list(turns(5, 0))) == 2
    assert len(list(turns(1, 0))) == 1


STREAM = b"+$qSupported:a#0c+\x03$m1000,4#2a$X10,1:}\x03#aa++$g#67"


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_packets_are_counted_in_whatever_pieces_they_come(size: int) -> None:
    packets = Packets()
    for start in range(0, len(STREAM), size):
        packets.feed(STREAM[start : start + size])
    assert packets.seen == [b"qSupported:a", b"m1000,4", b"X10,1:}\x03", b"g"]


def test_half_a_packet_is_none_yet() -> None:
    packets = Packets()
    packets.feed(b"$m10,4#9")
    assert packets.seen == []
    packets.feed(b"9")
    assert packets.seen == [b"m10,4"]


def test_gdbs_registers_come_with_the_stop() -> None:
    step = [b"vCont;s:p1.2", b"g", b"Z0,10,4"]
    stop = [b"vCont;c:p1.-1", b"g", b"qfThreadInfo", b"qsThreadInfo", b"m10,4"]
    assert registers("gdb", step + stop) == 4
    assert registers("lldb", step + stop) == 0
