"""How good prediction sets are: how often they hold what is true, and how large they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .counts import ratio

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


def coverage(sets_nc: Bools, targets: NDArray[Any], weights_n: Float64 | None = None) -> float | None:
    """The share of rows whose set holds what is true.

    Args:
        sets_nc: whether the class or label is in the row's set, bool (n, K).
        targets: class indices (n,), where −1, a class that the model does not know, is in no set, or probabilities
            (n, K), of which the largest is the class. For label sets, see `label_recall`.
        weights_n: what each row counts for.

    Returns:
        None of no rows.
    """
    return ratio(*covered(sets_nc, targets, weights_n))


def covered(sets_nc: Bools, targets: NDArray[Any], weights_n: Float64 | None = None) -> tuple[Float64, Float64]:
    """Numerators and denominators, both (n,), of the coverage: what an interval is made of."""
    codes_n = targets.argmax(axis=1) if targets.ndim == 2 else targets
    is_in_n = sets_nc[np.arange(len(codes_n)), codes_n] & (codes_n >= 0)
    weights_n = np.ones(len(codes_n)) if weights_n is None else weights_n
    return weights_n * is_in_n, weights_n


def label_recall(sets_nc: Bools, targets_nc: NDArray[Any], weights_n: Float64 | None = None) -> float | None:
    """The mean, over rows with a true label, of the share of their true labels that the set holds.

    Args:
        sets_nc: bool (n, L).
        targets_nc: 0/1 or probabilities (n, L), above 0.5 is true; NaN, unknown, takes no part.
        weights_n: what each row counts for.

    Returns:
        None where no row has a true label.
    """
    truth_nc = np.asarray(targets_nc > 0.5)
    true_n = np.count_nonzero(truth_nc, axis=1)
    weights_n = (true_n > 0) * (1.0 if weights_n is None else weights_n)
    return ratio(weights_n * np.count_nonzero(truth_nc & sets_nc, axis=1) / np.maximum(true_n, 1), weights_n)


def set_size(sets_nc: Bools, weights_n: Float64 | None = None) -> float | None:
    """The mean number of classes or labels in a row's set; None of no rows."""
    weights_n = np.ones(len(sets_nc)) if weights_n is None else weights_n
    return ratio(weights_n * np.count_nonzero(sets_nc, axis=1), weights_n)
