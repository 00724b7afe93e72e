"""Names that mean harm, a report full of them, and what a page is made of."""

import dataclasses
from html.parser import HTMLParser
from typing import Any, List, Optional, Set, Tuple

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover=alert(1) x='",
    "</style></title></textarea><!--",
    "{{ 7 * 7 }}{% raw %}",
    "]]>",
    "$(id) `id` %s %n {0}",
    "\u202eevil\u2066\u200f\u061c",
    "\ud800\udc00\udfff",
    "\x1b[31m\x1b]0;title\x07\x00\x85\r\n\x9b",
    "&lt;b&gt;&#60;",
    "名前" * 40,
    "a" * 500,
]
TOGETHER = [" ".join(HOSTILE[:7]), "".join(HOSTILE[7:11]), *HOSTILE[11:]]
"""The same in fewer texts, for what takes long."""
FIXED = {"arch", "os", "source", "verdict", "id", "state", "kind", "written_by", "role"}
"""Words of ours, which no target can choose."""


def poisoned(value: Any, text: str, name: str = "") -> Any:
    """A copy of a report in which everything that a target may choose is `text`."""
    if isinstance(value, str):
        return value if name in FIXED else text
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        changed = {one: poisoned(getattr(value, one), text, one) for one in names}
        return dataclasses.replace(value, **changed)
    if isinstance(value, dict):
        return {key + text: poisoned(item, text, name) for key, item in value.items()}
    if name == "shown":
        return [key + text for key in value]
    if isinstance(value, (list, tuple)):
        return [poisoned(item, text, name) for item in value]
    return value


class Skeleton(HTMLParser):
    """The kinds of element that a page consists of, with the names of attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.kinds: Set[Tuple[str, ...]] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.kinds.add((tag, *(name for name, _ in attrs)))


def harmless(page: str) -> bool:
    return all(ch == "\n" or ch.isprintable() for ch in page)
