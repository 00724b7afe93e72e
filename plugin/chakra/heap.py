"""Objects of the engine's heap, as JavaScript would show them.

An object is believed to be what its type says when its vtable's symbol agrees, or,
without symbols, when its type belongs to the same JavascriptLibrary as a function
that was confirmed. Offsets were seen in ChakraCore 1.11 (Linux and Windows x64) and
each is checked as far as it can be; what is not confirmed stays an object of unknown
class. Facts: lib/Runtime/Types/Type.h, lib/Runtime/Library/JavascriptString.h.
"""

import json
from typing import NamedTuple, Optional

from ..arch import WORD
from ..target import Memory, ThunkError

TYPE = WORD
"""RecyclableObject::type, behind the vtable."""
TYPE_LIBRARY = WORD
"""Type::javascriptLibrary, behind the type id."""
BOOLEAN_VALUE = 0x10
STRING_TEXT, STRING_LENGTH = 0x10, 0x18
ARRAY_LENGTH = 0x20
MAX_TEXT = 40
"""UTF-16 units of a string that are shown."""

UNDEFINED, NULL, BOOLEAN, STRING, SYMBOL = 0, 1, 2, 7, 8
FUNCTIONS = (26, 27)
"""TypeIds_Function in 1.11 and, as BigInt came before it, on master."""
OBJECT, ARRAYS = 1, (2, 3, 5)
"""Type ids behind TypeIds_Function, in both: EdgeJavascriptTypeId.h."""
MAX_TYPE_ID = 128

VTABLE_PREFIX = "vtable for "
CLASSES = {
    UNDEFINED: ("RecyclableObject",),
    NULL: ("RecyclableObject",),
    BOOLEAN: ("JavascriptBoolean",),
    SYMBOL: ("JavascriptSymbol",),
}
"""Classes that a type id must go with; strings and functions have many."""


class Heap(NamedTuple):
    """What a confirmed function tells of the heap that it stands in."""

    library: int
    """The JavascriptLibrary that the types of its objects belong to."""
    function: int
    """The type id of functions, which the others count from."""


class Object(NamedTuple):
    """What an object is: `text` as JavaScript writes it."""

    text: str
    confirmed: bool


def class_name(address: int, memory: Memory) -> Optional[str]:
    """The C++ class of an object, by its vtable's symbol; None when none tells."""
    try:
        vtable = memory.word(address)
    except ThunkError:
        return None
    symbol = memory.symbol_at(vtable)
    if symbol is None or not symbol.name.startswith(VTABLE_PREFIX):
        return None
    # A vtable pointer stands behind offset-to-top and type information.
    if vtable - symbol.address != 2 * WORD:
        return None
    return symbol.name[len(VTABLE_PREFIX) :]


def heap_of(function: int, memory: Memory) -> Optional[Heap]:
    """The heap of a function object that was confirmed."""
    key = ("heap", function)
    if key not in memory.derived:
        try:
            library, kind = _library(function, memory), _type_id(function, memory)
            memory.derived[key] = Heap(library, kind) if kind in FUNCTIONS else None
        except ThunkError:
            memory.derived[key] = None
    known: Optional[Heap] = memory.derived[key]
    return known


def has_type(address: int, memory: Memory) -> bool:
    """Whether there is a Type behind the vtable, as every object has one: words that
    only look like a function from some distance have none."""
    place = memory.word(address + TYPE)
    if not place or place % WORD:
        return False
    kind, library = memory.word(place) & 0xFFFFFFFF, memory.word(place + TYPE_LIBRARY)
    return kind < MAX_TYPE_ID and library != 0 and library % WORD == 0


def _library(address: int, memory: Memory) -> int:
    return memory.word(memory.word(address + TYPE) + TYPE_LIBRARY)


def _type_id(address: int, memory: Memory) -> int:
    return int.from_bytes(memory.read(memory.word(address + TYPE), 4), "little")


def describe(address: int, memory: Memory, heap: Optional[Heap]) -> Object:
    """An object as text. Raises nothing: what cannot be read is not shown."""
    name = class_name(address, memory)
    unknown = Object(f"{{object {address:#x}}}", False)
    plain = name and name.replace("Js::", "")
    try:
        if name is None and (heap is None or _library(address, memory) != heap.library):
            return unknown
        text = _text(address, memory, plain, heap)
    except ThunkError:
        text = None
    if text is None:
        return Object(f"{{{plain}}}", True) if plain else unknown
    return Object(text, True)


def _text(
    address: int, memory: Memory, name: Optional[str], heap: Optional[Heap]
) -> Optional[str]:
    """By type id, where the class agrees; None when nothing better is known."""
    kind = _type_id(address, memory)
    if kind >= MAX_TYPE_ID or (name and name not in CLASSES.get(kind, (name,))):
        return None
    if kind in (UNDEFINED, NULL):
        return "undefined" if kind == UNDEFINED else "null"
    if kind == BOOLEAN:
        return _boolean(memory.word(address + BOOLEAN_VALUE) & 0xFF)
    if kind == STRING and (name is None or "String" in name):
        return _string(address, memory)
    return _dynamic(address, memory, name, kind - heap.function) if heap else None


def _dynamic(
    address: int, memory: Memory, name: Optional[str], kind: int
) -> Optional[str]:
    """An object with properties; `kind` counts from the type id of functions."""
    if kind == 0 and (name is None or "Function" in name):
        return "function"
    if kind in ARRAYS and (name is None or "Array" in name):
        length = int.from_bytes(memory.read(address + ARRAY_LENGTH, 4), "little")
        return f"Array({length})"
    if kind == OBJECT and name in (None, "DynamicObject"):
        return "{…}"
    return None


def _boolean(value: int) -> Optional[str]:
    return {0: "false", 1: "true"}.get(value)


def _string(address: int, memory: Memory) -> Optional[str]:
    """A string's text; one that is not put together yet has only a length."""
    pointer = memory.word(address + STRING_TEXT)
    length = int.from_bytes(memory.read(address + STRING_LENGTH, 4), "little")
    if length >> 31:
        return None
    if not pointer:
        return f"string({length})"
    data = memory.read(pointer, 2 * min(length, MAX_TEXT))
    text = data.decode("utf-16-le", "backslashreplace")
    more = "…" if length > MAX_TEXT else ""
    return json.dumps(text, ensure_ascii=False) + more
