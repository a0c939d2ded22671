"""Cuts between the distinct probabilities of entries, and the threshold that stands for one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..heads import THRESHOLD

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


def without_tilt(p: Float32, tilt: float | Float64 | None) -> Float64:
    """The probabilities without the tilt that they were learned with."""
    likely = p.astype(np.float64)
    return likely if tilt is None else likely / (likely + tilt * (1.0 - likely))


def best_cut(value: Float64, bounds: Float32) -> float:
    """The threshold of the most valuable cut; among equals of the one nearest to 0.5.

    Args:
        value: of each cut, (n,).
        bounds: descending, (n + 1,): the cut at i parts bounds[i] from bounds[i + 1].
    """
    best = np.flatnonzero(value == value.max())
    highs, lows = bounds[best].astype(np.float64), bounds[best + 1].astype(np.float64)
    nearest = np.maximum(np.maximum(lows - THRESHOLD, THRESHOLD - highs), 0.0).argmin()
    return between(float(lows[nearest]), float(highs[nearest]))


def between(low: float, high: float) -> float:
    """A threshold that parts low from high: 0.5 where it does, or else a short number in the middle half."""
    if low <= THRESHOLD < high:
        return THRESHOLD
    middle = low + (high - low) / 2
    for digits in range(1, 17):
        short = float(f"{middle:.{digits}g}")
        if abs(short - middle) <= (high - low) / 4:
            return short
    return middle
