"""Text in Markdown that stays text: on GitHub, on GitLab, in a table or a list.

Names in a report come from the target and may be anything. What Markdown itself obeys
is escaped. What a site looks for after Markdown (mentions, issue numbers, addresses,
emoji, mathematics) does not care for escapes, only for code: so it becomes code.
"""

import re

from ..target import clean

MAX_LENGTH = 400
"""Characters of one text: a summary may have 1 MiB, and a name any length."""
_OBEYED = re.compile(r"[\\*_{}\[\]()!~^]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;"}
_AFTERWARDS = re.compile(
    r"@[\w-]*|#\w*|\$|://|www\.|:[\w+-]+:|GH-\d*"
    r"|\b(?=\w*[a-f])[0-9a-f]{7,40}\b",
    re.IGNORECASE,
)
_AT_START = re.compile(r"^(\d*)([-+=.)])")
"""What begins a list or a heading where it begins a block."""
_QUOTED = re.compile(r"`([^`]+)`")


def prose(text: str) -> str:
    """A sentence; what stands between backquotes in it is code."""
    text = shortened(text)
    parts, end = [], 0
    for match in _QUOTED.finditer(text):
        parts += [_words(text[end : match.start()]), code(match.group(1))]
        end = match.end()
    parts.append(_words(text[end:]))
    return _AT_START.sub(r"\1\\\2", "".join(parts).strip())


def code(text: str) -> str:
    """A text as code. A pipe leaves the code: in tables it would end the cell, and an
    escape for it would be shown elsewhere."""
    pieces = shortened(text).split("|")
    return "&#124;".join(_span(piece) for piece in pieces)


def shortened(text: str) -> str:
    text = clean(text)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _span(text: str) -> str:
    if not text.strip():
        return text
    runs = {len(run) for run in re.findall("`+", text)}
    fence = "`"
    while len(fence) in runs:
        fence += "`"
    edge = " " if text[0] in " `" or text[-1] in " `" else ""
    return f"{fence}{edge}{text}{edge}{fence}"


def _words(text: str) -> str:
    parts, end = [], 0
    for match in _AFTERWARDS.finditer(text):
        parts += [_escaped(text[end : match.start()]), _span(match.group())]
        end = match.end()
    parts.append(_escaped(text[end:]))
    return "".join(parts)


def _escaped(text: str) -> str:
    for symbol, entity in _ENTITIES.items():
        text = text.replace(symbol, entity)
    return _OBEYED.sub(r"\\\g<0>", text)
