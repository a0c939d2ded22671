"""A number, scaled; where values were missing, the median and a feature that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, brief
from ..columns import ColumnFault, number_fault_of
from ..statistics import lower_median
from ..table import Column
from .base import Encoding, Slots, checked_object, stacked
from .scale import KEYS, Scale, has_range


@dataclass(frozen=True)
class Number(Encoding):
    """A number as its scale makes it, computed in float64 and rounded once to float32.

    Attributes:
        scale: of the values that are there.
        median: what stands where there is no value.
        is_boolean: the values are yes and no, 1 and 0.
    """

    kind: ClassVar[str] = "number"
    scale: Scale
    median: float
    n_missing: int = 0
    is_boolean: bool = False

    @classmethod
    def fit(cls, column: Column, weights: NDArray[np.float64] | None = None, *, is_robust: bool = False) -> Number:
        """From the training rows and what they count for (None: 1); raises ColumnFault where they span too much."""
        is_missing = column.is_missing
        values = column.values[~is_missing].astype(np.float64)
        weights = None if weights is None else weights[~is_missing]
        scale = Scale.fit(values, weights, is_robust=is_robust)
        if scale is None:
            span = f"{values.min():g} to {values.max():g}"
            raise ColumnFault(f" spans {span}, too wide to be standardised; rescale it")
        n_missing, is_boolean = int(is_missing.sum()), len(values) > 0 and column.values.dtype.kind == "b"
        return cls(scale, lower_median(values, weights) if len(values) else 0.0, n_missing, is_boolean)

    @property
    def n_features(self) -> int:
        return 1 + (self.n_missing > 0)

    n_slots = n_features

    @property
    def is_constant(self) -> bool:
        return self.scale.is_constant

    @property
    def numbers(self) -> tuple[int, ...]:
        return () if self.is_constant else (0,)

    def encode(self, column: Column) -> Slots:
        if (fault := number_fault_of(column, is_boolean=self.is_boolean)) is not None:
            raise fault
        is_missing = column.is_missing
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.where(is_missing, self.median, column.values).astype(np.float64)
            encoded = self.scale.of(values).astype(np.float32)
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
        if not self.n_missing:
            return f"1 feature{self.scale.how}"
        return f"2 features: its value{self.scale.how}, or the median and that it is missing"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            **self.scale.to_json(),
            "median": self.median,
            "missing": self.n_missing,
            "is_boolean": self.is_boolean,
        }

    @classmethod
    def from_json(cls, value: object) -> Number:
        """The inverse of `to_json`; raises InputError on anything else."""
        fields = checked_object(value, {*KEYS[has_range(value)], "median", "is_boolean"}, cls.kind)
        scale, median = Scale.from_json(fields, cls.kind), fields["median"]
        if type(median) is not float or not math.isfinite(median):
            raise InputError(f"encoding number: median must be a finite number; got {brief(median)}.")
        if type(fields["is_boolean"]) is not bool:
            raise InputError("encoding number: is_boolean must be true or false.")
        return cls(scale, median, fields["missing"], fields["is_boolean"])
