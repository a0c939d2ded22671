"""Checks FROMLOGITS_ISA, which the core reads itself; import this before `_core` is used."""

from __future__ import annotations

import os

from . import _core
from .errors import InputError, nearest

INSTRUCTION_SETS = ("avx512", "avx2", "plain")


def check() -> None:
    """Raise InputError for a name that is not an instruction set of this processor."""
    wanted = os.environ.get("FROMLOGITS_ISA")
    if wanted is None:
        return
    if wanted not in INSTRUCTION_SETS:
        names = ", ".join(INSTRUCTION_SETS)
        raise InputError(f"FROMLOGITS_ISA must be one of {names}; got {wanted!r}.{nearest(wanted, INSTRUCTION_SETS)}")
    if not _core.has_isa(wanted):
        raise InputError(f"FROMLOGITS_ISA is {wanted!r}, which this processor does not have; unset it or use 'plain'.")


check()
