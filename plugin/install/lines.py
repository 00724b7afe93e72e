"""One line in a text, put in and taken out again; every other byte stays."""


def has(text: bytes, line: bytes) -> bool:
    return line in _stripped(text)


def added(text: bytes, line: bytes) -> bytes:
    """With the line as the last one, its end as the others have it.

    Where the last line has no end, that gets one and ours goes without: `without` sees
    by it what was there.
    """
    end = b"\r\n" if text.partition(b"\n")[0].endswith(b"\r") else b"\n"
    if not text or text.endswith(b"\n"):
        return text + line + end
    return text + end + line


def without(text: bytes, line: bytes) -> bytes:
    """As it was before the line was added, whatever was added behind it since."""
    for end in (b"\r\n", b"\n"):
        before = text[: -len(end + line)]
        if before and not before.endswith(b"\n") and added(before, line) == text:
            return before
    lines = text.splitlines(keepends=True)
    return b"".join(each for each in lines if each.strip() != line)


def alike(text: bytes, start: bytes, ending: bytes) -> "list[tuple[int, bytes]]":
    """Number and rest of the lines that start and end so, quotes left out."""
    rests = (
        (number, each[len(start) :].strip(b" \t\"'"))
        for number, each in enumerate(_stripped(text), 1)
        if each.startswith(start)
    )
    return [(number, rest) for number, rest in rests if rest.endswith(ending)]


def _stripped(text: bytes) -> "list[bytes]":
    return [each.strip() for each in text.splitlines()]
