"""Machines and calling conventions, as data. Ask `arch_named`."""

from . import aarch64, x86_64
from .model import ANCHOR, WORD, Arch, Convention, Stub

ARCHES: dict[str, Arch] = {arch.name: arch for arch in (aarch64.ARCH, x86_64.ARCH)}

__all__ = ["ANCHOR", "ARCHES", "WORD", "Arch", "Convention", "Stub"]
