"""Sums and means that round once: exact integers in, one float out.

The core adds doubles, and products of two, without rounding (core/exact_sum.h); here the exact sum, or its exact
quotient by another, is rounded to the nearest number of a type, ties to even.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core

# Of each type: bits of the significand, exponent of the smallest subnormal number.
FORMATS = {"float64": (53, -1074), "float32": (24, -149), "float16": (11, -24), "bfloat16": (8, -133)}


@dataclass(frozen=True)
class ExactSum:
    """numerator · 2^exponent; `odd` is inf or NaN where an addend was, else 0."""

    numerator: int
    exponent: int = 0
    odd: float = 0.0

    @classmethod
    def of(cls, digits: bytes, odd: float) -> ExactSum:
        """What the core returns."""
        return cls(int.from_bytes(digits, "little"), _core.exact_sum_unit, odd)

    @classmethod
    def of_values(cls, values: NDArray[Any], weights: NDArray[Any] | None = None) -> ExactSum:
        """The sum of nonnegative doubles, each times its weight, of which 0 leaves it out."""
        if values.dtype == bool and weights is None:
            return cls(int(np.count_nonzero(values)))
        by = None if weights is None else np.ascontiguousarray(weights, np.float64).reshape(-1)
        digits, odd, _ = _core.exact_sum(np.ascontiguousarray(values, np.float64).reshape(-1), by)
        return cls.of(digits, odd)

    def __add__(self, other: ExactSum) -> ExactSum:
        exponent = min(self.exponent, other.exponent)
        numerator = sum(part.numerator << (part.exponent - exponent) for part in (self, other))
        return ExactSum(numerator, exponent, self.odd + other.odd)

    def times(self, count: int) -> ExactSum:
        return ExactSum(self.numerator * count, self.exponent, self.odd * count)

    def over(self, divisor: ExactSum, type_name: str = "float64") -> float:
        """The quotient, rounded once; NaN where the divisor is 0."""
        if divisor.numerator == 0 or math.isnan(self.odd):
            return math.nan
        if self.odd:
            return self.odd
        exponent = self.exponent - divisor.exponent
        return rounded_quotient(self.numerator, divisor.numerator, exponent, *FORMATS[type_name])

    def rounded(self, type_name: str = "float64") -> float:
        if self.exponent == 0 and self.numerator <= 2**8:  # exact in every type
            return float(self.numerator)
        return self.over(ExactSum(1), type_name)


def mean(values: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
    """The (weighted) mean of nonnegative doubles, rounded once; NaN of none."""
    return mean_of_parts([(values, weights)])


def mean_of_parts(parts: Iterable[tuple[NDArray[Any], NDArray[Any] | None]]) -> float:
    """The same of values and weights that come in parts; the parts they are cut into change nothing."""
    total, count = ExactSum(0), ExactSum(0)
    for values, weights in parts:
        total += ExactSum.of_values(values, weights)
        count += ExactSum(values.size) if weights is None else ExactSum.of_values(weights)
    return total.over(count)


def rounded_quotient(numerator: int, denominator: int, exponent: int, precision: int, lowest: int) -> float:
    """numerator / denominator · 2^exponent, rounded to a multiple of 2^lowest with at most `precision` bits.

    Args:
        numerator: at least 0.
        denominator: above 0.
    """
    if numerator == 0:
        return 0.0
    quantum = max(exponent + numerator.bit_length() - denominator.bit_length() - precision, lowest)
    while True:  # at most twice: the quotient has `precision` bits, or one more
        shift = exponent - quantum
        scaled, by = (numerator << shift, denominator) if shift >= 0 else (numerator, denominator << -shift)
        whole, rest = divmod(scaled, by)
        if whole.bit_length() <= precision:
            break
        quantum += 1
    if 2 * rest > by or (2 * rest == by and whole % 2 == 1):
        whole += 1
    try:
        return math.ldexp(whole, quantum)
    except OverflowError:
        return math.inf
