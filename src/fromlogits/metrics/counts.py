"""Hits, predictions and support of a class or label, and what follows; shares, means and numbers of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import exact

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Of one class or label, or of all together: the weights of rows, or how many."""

    hits: float
    """Predicted and true."""
    predicted: float
    support: float
    """True."""

    @property
    def precision(self) -> float | None:
        """None where nothing is predicted."""
        return self.hits / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """None where nothing is true."""
        return self.hits / self.support if self.support else None

    @property
    def f1(self) -> float | None:
        """2·hits / (predicted + support); None where nothing is true and nothing predicted."""
        both = self.predicted + self.support
        return 2 * self.hits / both if both else None


def share(flags: Bools, weights: Float64 | None = None) -> float | None:
    if weights is None:
        return float(np.count_nonzero(flags) / flags.size) if flags.size else None
    of_all = exact.mean(flags, weights)
    return None if math.isnan(of_all) else of_all


def mean(figures: Sequence[float | None]) -> float | None:
    """Of those that are defined."""
    defined = [figure for figure in figures if figure is not None]
    return math.fsum(defined) / len(defined) if defined else None


def ratio(above_n: Float64, below_n: Float64) -> float | None:
    total = below_n.sum()
    return finite(above_n.sum() / total) if total else None


def finite(figure: Any) -> float | None:
    return float(figure) if math.isfinite(figure) else None


def effective_number(weights_n: Float64) -> float:
    """How many rows of equal weight say as much, (Σw)² / Σw² (Kish, Survey Sampling, 1965); 0 where none counts."""
    if not weights_n.any():
        return 0.0
    scaled_n = weights_n / weights_n.max()
    return float(scaled_n.sum() ** 2 / (scaled_n**2).sum())
