"""What is learned of a column's values where rows may count differently: a whole weight is that many copies of a row.

Weights are float64 (n,), above 0; None: each row counts once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
MOST = float(np.finfo(np.float64).max)
FAR = 1e100  # clipped it is 3, as what lies farther; its square is in range


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
    return lower_quartiles(values, weights)[1]


def lower_quartiles(values: Float64, weights: Float64 | None) -> tuple[float, float, float]:
    """The least values up to which lie a quarter, half and three quarters of all weights: each one occurs; n >= 1."""
    quarters = (1, 2, 3)
    if weights is None:
        places = [-(-quarter * len(values) // 4) - 1 for quarter in quarters]
        first, second, third = np.partition(values, places)[places].tolist()
    else:
        order = np.argsort(values, kind="stable")
        sums = in_range(weights)[order].cumsum()
        found = np.searchsorted(sums, [sums[-1] * quarter / 4 for quarter in quarters])
        first, second, third = values[order[found]].tolist()
    return first, second, third


def median_and_inverse_range(values: Float64, weights: Float64 | None) -> tuple[float, float]:
    """What `robust` takes: the lower median, and one over the range between the quartiles.

    Where the quartiles are one value, 2 over the range of all values; 0 where these are too, or too near to it.
    """
    first, median, third = lower_quartiles(values, weights)
    with np.errstate(over="ignore"):
        ranges = np.array([np.subtract(third, first), values.max() / 2 - values.min() / 2])
    with np.errstate(divide="ignore", over="ignore"):
        inverses = 1 / ranges
    usable = inverses[(inverses > 0) & np.isfinite(inverses)]
    return median, float(usable[0]) if len(usable) else 0.0


def robust(values: Float64, median: Any, inverse_range: Any) -> Float64:
    """z / √(1 + (z/3)²) of z = (x - median) · inverse_range, in the memory of the values x: a number within ±3.

    Near the median it is about z, and no value is so far away that it would drown the others. NaN stays NaN. Source:
    Holzmüller et al., NeurIPS 2024.
    """
    with np.errstate(over="ignore"):
        values -= median
        np.clip(values, -MOST, MOST, out=values)  # 0 times infinite is no number
        values *= inverse_range
    np.clip(values, -FAR, FAR, out=values)
    values /= np.sqrt(1 + np.square(values / 3))
    return values


def in_range(weights: Float64) -> Float64:
    """The same ratios, the largest between 1/2 and 1: scaled by a power of two, so nothing is rounded."""
    scaled: Float64 = np.ldexp(weights, -np.frexp(weights.max())[1])
    return scaled


def as_counts(weights: Float64 | None) -> Float64 | None:
    """How many rows each row stands for, where it matters how many there are: of weights that are all whole, so many.

    Else None: of 0.5 and 1.5 only the ratio says something, and each row is one.
    """
    return None if weights is None or (weights != np.floor(weights)).any() else weights
