"""The scale of a column of numbers, learned from its training rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, brief
from ..statistics import mean_and_spread, median_and_inverse_range, robust

Float64 = NDArray[np.float64]
KEYS = {False: ("mean", "inverse_spread"), True: ("median", "inverse_range")}
"""Robust or not: what a model file calls centre and factor."""
BY_QUARTILES = ", by median and quartiles"


@dataclass(frozen=True)
class Scale:
    """(x - centre) · factor, softly clipped where it is robust.

    Attributes:
        centre: mean or median.
        factor: one over the standard deviation or the range, at least 0; 0 where all values are alike.
        is_robust: see `statistics.robust`.
    """

    centre: float = 0.0
    factor: float = 0.0
    is_robust: bool = False

    @classmethod
    def fit(cls, values: Float64, weights: Float64 | None, *, is_robust: bool) -> Scale | None:
        """Of values (n,) that count so much (None: 1); None where they span too much to be standardised."""
        if not len(values):
            return cls(is_robust=is_robust)
        if is_robust:
            return cls(*median_and_inverse_range(values, weights), is_robust)
        mean, spread = mean_and_spread(values, weights)
        if not math.isfinite(spread):
            return None
        is_constant = bool(values.min() == values.max()) or spread == 0 or not math.isfinite(1 / spread)
        return cls(mean, 0.0 if is_constant else 1 / spread)

    @property
    def is_constant(self) -> bool:
        return self.factor == 0

    @property
    def how(self) -> str:
        """What is said of it after "1 feature", if anything."""
        return BY_QUARTILES if self.is_robust else ""

    def of(self, values: Float64) -> Float64:
        """Their features; infinite where they are too far for float64."""
        if self.is_robust:
            return robust(values.copy(), self.centre, self.factor)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: Float64 = (values - self.centre) * self.factor
        return scaled

    def to_json(self) -> dict[str, float]:
        return dict(zip(KEYS[self.is_robust], (self.centre, self.factor), strict=True))

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], kind: str) -> Scale:
        """Of the fields that `to_json` gives, among others; raises InputError for other numbers."""
        is_robust = has_range(fields)
        centre, factor = KEYS[is_robust]
        for name in (centre, factor):
            if type(fields[name]) is not float or not math.isfinite(fields[name]):
                raise InputError(f"encoding {kind}: {name} must be a finite number; got {brief(fields[name])}.")
        if fields[factor] < 0:
            raise InputError(f"encoding {kind}: {factor} must not be negative.")
        return cls(fields[centre], fields[factor], is_robust)


def has_range(value: object) -> bool:
    """Whether the JSON of an encoding is that of a robust scale."""
    return isinstance(value, dict) and "inverse_range" in value
