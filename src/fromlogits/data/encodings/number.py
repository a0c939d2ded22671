"""A number: standardised; where values were missing, the median and a feature that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, brief
from ..columns import ColumnFault, number_fault_of
from ..statistics import lower_median, mean_and_spread
from ..table import Column
from .base import Encoding, Slots, checked_object, stacked


@dataclass(frozen=True)
class Number(Encoding):
    """(x - mean) · inverse_spread, computed in float64 and rounded once to float32.

    Attributes:
        mean: of the values that are there.
        inverse_spread: one over their standard deviation; 0 where they are all alike.
        median: what stands where there is no value.
        is_boolean: the values are yes and no, 1 and 0.
    """

    kind: ClassVar[str] = "number"
    mean: float
    inverse_spread: float
    median: float
    n_missing: int = 0
    is_boolean: bool = False

    @classmethod
    def fit(cls, column: Column, weights: NDArray[np.float64] | None = None) -> Number:
        """From the training rows and what they count for (None: 1); raises ColumnFault where they span too much."""
        is_missing = column.is_missing
        values = column.values[~is_missing].astype(np.float64)
        weights = None if weights is None else weights[~is_missing]
        if not len(values):
            return cls(0.0, 0.0, 0.0, int(is_missing.sum()))
        mean, spread = mean_and_spread(values, weights)
        if not math.isfinite(spread):
            span = f"{values.min():g} to {values.max():g}"
            raise ColumnFault(f" spans {span}, too wide to be standardised; rescale it")
        is_constant = bool(values.min() == values.max()) or spread == 0 or not math.isfinite(1 / spread)
        n_missing, is_boolean = int(is_missing.sum()), column.values.dtype.kind == "b"
        median = lower_median(values, weights)
        return cls(mean, 0.0 if is_constant else 1 / spread, median, n_missing, is_boolean)

    @property
    def n_features(self) -> int:
        return 1 + (self.n_missing > 0)

    n_slots = n_features

    @property
    def is_constant(self) -> bool:
        return self.inverse_spread == 0

    def encode(self, column: Column) -> Slots:
        if (fault := number_fault_of(column, is_boolean=self.is_boolean)) is not None:
            raise fault
        is_missing = column.is_missing
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.where(is_missing, self.median, column.values).astype(np.float64)
            encoded = ((values - self.mean) * self.inverse_spread).astype(np.float32)
        if not np.isfinite(encoded).all():
            raise ColumnFault(
                ", ",
                int(np.argmin(np.isfinite(encoded))),
                ": the value lies so far from the training rows that float32 can't hold the difference; check it",
            )
        return stacked((0, encoded), (1, is_missing)) if self.n_missing else stacked((0, encoded))

    def noticed(self, column: Column) -> tuple[int, int]:
        if (fault := number_fault_of(column, is_boolean=self.is_boolean)) is not None:
            raise fault
        return int(column.is_missing.sum()), 0

    @property
    def what(self) -> str:
        return "yes or no" if self.is_boolean else "number"

    @property
    def how(self) -> str:
        return "1 feature" if not self.n_missing else "2 features: its value, or the median and that it is missing"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "mean": self.mean,
            "inverse_spread": self.inverse_spread,
            "median": self.median,
            "missing": self.n_missing,
            "is_boolean": self.is_boolean,
        }

    @classmethod
    def from_json(cls, value: object) -> Number:
        """The inverse of `to_json`; raises InputError on anything else."""
        fields = checked_object(value, {"mean", "inverse_spread", "median", "is_boolean"}, cls.kind)
        for name in ("mean", "inverse_spread", "median"):
            if type(fields[name]) is not float or not math.isfinite(fields[name]):
                raise InputError(f"encoding number: {name} must be a finite number; got {brief(fields[name])}.")
        if fields["inverse_spread"] < 0:
            raise InputError("encoding number: inverse_spread must not be negative.")
        if type(fields["is_boolean"]) is not bool:
            raise InputError("encoding number: is_boolean must be true or false.")
        return cls(fields["mean"], fields["inverse_spread"], fields["median"], fields["missing"], fields["is_boolean"])
