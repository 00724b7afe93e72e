"""docs/ci.md: the workflows in it are YAML, and their command lines are ours."""

import argparse
import re
import shlex
from typing import Any, Iterator, List

import pytest
import yaml

from programs import ROOT
from thunk_inspect.cli import _parser
from thunk_inspect.report.written import OTHERS

DOCUMENT = (ROOT / "docs" / "ci.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
END = {"||", "&&", ";", "|"}
"""Where a shell goes on to another command."""


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


def command_lines() -> List[List[str]]:
    """The words after `thunk-inspect`, of every line that runs it."""
    found = []
    for block in BLOCKS:
        for line in "\n".join(strings(yaml.safe_load(block))).splitlines():
            words = shlex.split(line)
            if not words or words[0].rsplit("/", 1)[-1] != "thunk-inspect":
                continue
            end = next((n for n, word in enumerate(words) if word in END), len(words))
            found.append(words[1:end])
    return found


def parsed(words: List[str]) -> argparse.Namespace:
    try:
        return _parser().parse_args(words)
    except SystemExit:
        pytest.fail(f"not accepted: {words}")


def test_every_command_line_is_accepted() -> None:
    lines = command_lines()
    assert [words[0] for words in lines] == ["run", "run", "run", "replay"]
    for words in lines:
        options = parsed(words)
        if words[0] == "run":
            assert options.qemu and options.timeout == 60
            assert options.program == "build/ch" and options.arguments == ["test.js"]


def test_no_option_is_left_out() -> None:
    """Every document that can be written is written in the first workflow."""
    options = parsed(command_lines()[0])
    for name in ("json", *(name for name, _ in OTHERS)):
        assert isinstance(getattr(options, name), str), name
        assert f"`--{name} F`" in DOCUMENT


def test_every_line_that_names_the_command_is_looked_at() -> None:
    """No block of another kind, no line that only looks like a comment."""
    assert len(BLOCKS) == DOCUMENT.count("```") // 2
    mentioned = re.findall(r"thunk-inspect (?:run|replay) -?\S", "\n".join(BLOCKS))
    assert len(mentioned) == len(command_lines())


def test_what_is_written_is_kept() -> None:
    workflow, gitlab = yaml.safe_load(BLOCKS[0]), yaml.safe_load(BLOCKS[2])
    steps = workflow["jobs"]["inspect"]["steps"]
    (upload,) = [one for one in steps if "upload-artifact" in one.get("uses", "")]
    assert upload["if"] == "always()"
    options = parsed(command_lines()[0])
    kept = upload["with"]["path"].split()
    assert kept == [options.junit, options.html, options.json]
    artifacts = gitlab["inspect-thunks"]["artifacts"]
    options = parsed(command_lines()[2])
    wanted = [options.junit, options.markdown, options.html, options.json]
    assert artifacts["paths"] == wanted and artifacts["when"] == "always"
    assert artifacts["reports"]["junit"] == options.junit
