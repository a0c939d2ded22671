"""Rows shared out among folds, each of which is judged by what the others choose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FOLDS = 5


def folds(n: int) -> NDArray[np.int64]:
    """The fold of each row: by the fractions of i·φ, which fall evenly, whatever stretch or period rows are sorted by.

    Source: Weyl, Math. Ann. 77, 1916.
    """
    golden = (5**0.5 - 1) / 2
    return np.asarray(FOLDS * (golden * np.arange(n) % 1.0), np.int64)
