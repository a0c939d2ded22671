"""Compressed sparse rows: row i holds the places from indptr[i] to indptr[i + 1] of two arrays, columns and values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def taken(indptr: NDArray[Any], rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The indptr of some rows in the order of `rows`, and the places of their columns and values in the whole."""
    starts = indptr[rows]
    counts = indptr[rows + 1] - starts
    own = np.concatenate([[0], counts]).cumsum(dtype=np.int64)
    return own, np.arange(own[-1]) + np.repeat(starts - own[:-1], counts)


def rows_of_values(indptr: NDArray[Any]) -> NDArray[np.int64]:
    """The row of each value."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def row_of_value(indptr: NDArray[Any], place: int) -> int:
    """The row of one value."""
    return int(np.searchsorted(indptr, place, side="right")) - 1
