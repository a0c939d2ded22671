"""How much memory there is, so that what can't fit is refused before it is asked for."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..errors import InputError

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Of the container, in the two versions of Linux's control groups."""


def memory_bytes() -> int | None:
    """What this process can have at most: the machine's memory, or the limit of its container; None if not known."""
    found = []
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
            found.append(int(path.read_text()))
    return min(found, default=None)


def refuse_too_many_parameters(n_parameters: int) -> None:
    """Raise InputError if a network can never be trained here: its parameters, and two numbers kept of each."""
    n_bytes = 3 * 4 * n_parameters
    limit = memory_bytes()
    if limit is not None and n_bytes > limit:
        raise InputError(
            f"a network of {n_parameters:,} parameters needs {n_bytes:,} bytes while it is trained; this machine has"
            f" {limit:,}. Give fewer features or smaller layers."
        )


def refuse_too_large(n_rows: int, n_columns: int, what: str) -> None:
    """Raise InputError if a float32 array (rows, columns) of features or labels can never fit."""
    n_bytes = 4 * n_rows * n_columns
    limit = memory_bytes()
    if limit is not None and n_bytes > limit:
        raise InputError(
            f"{n_rows:,} rows of {n_columns:,} {what} need {n_bytes:,} bytes as the float32 array that the network"
            f" takes; this machine has {limit:,}. Give fewer rows or {what}."
        )
