"""What is learned of a column's values where rows may count differently: a whole weight is that many copies of a row.

Weights are float64 (n,), above 0; None: each row counts once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def mean_and_spread(values: Float64, weights: Float64 | None) -> tuple[float, float]:
    """Mean and standard deviation (divisor: all weights) of values (n,), n >= 1; not finite where they are too far."""
    with np.errstate(over="ignore", invalid="ignore"):
        if weights is None:
            mean = float(values.sum() / len(values))
            return mean, float(np.sqrt(np.square(values - mean).sum() / len(values)))
        weights = in_range(weights)
        total = weights.sum()
        mean = float((values * weights).sum() / total)
        return mean, float(np.sqrt((np.square(values - mean) * weights).sum() / total))


def lower_median(values: Float64, weights: Float64 | None) -> float:
    """The lower one of two, so that it is a value that occurs; n >= 1."""
    if weights is None:
        middle = (len(values) - 1) // 2
        return float(np.partition(values, middle)[middle])
    order = np.argsort(values, kind="stable")
    sums = in_range(weights)[order].cumsum()
    return float(values[order[np.searchsorted(sums, sums[-1] / 2)]])


def in_range(weights: Float64) -> Float64:
    """The same ratios, the largest between 1/2 and 1: scaled by a power of two, so nothing is rounded."""
    scaled: Float64 = np.ldexp(weights, -np.frexp(weights.max())[1])
    return scaled


def as_counts(weights: Float64 | None) -> Float64 | None:
    """How many rows each row stands for, where it matters how many there are: of weights that are all whole, so many.

    Else None: of 0.5 and 1.5 only the ratio says something, and each row is one.
    """
    return None if weights is None or (weights != np.floor(weights)).any() else weights
