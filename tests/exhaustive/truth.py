"""The true sigmoid cross-entropy and gradient of float32 logits, and how far results are from them.

Nothing of ours computes here: NumPy's float64 exp and log1p say the value to a few units of float64, and where that
leaves open which float32 is the nearest, Python's decimal says it to 150 digits.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

QUANTITIES = ("loss", "gradient")
LABELS = (0, 1)

# A float64 truth is taken as right within this share of itself: 256 times its spacing. `furthest_from_decimal` measures
# how far it really is.
MARGIN = 2.0**-44
FLOAT64_EXPONENT = np.int64(0x7FF0_0000_0000_0000)
LEAST_SPACING = 2.0**-149  # of float32
LISTED = 500

CONTEXT = decimal.Context(prec=150, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)


def in_float64(z_n: Float32) -> dict[tuple[int, str], Float64]:
    """Loss and gradient of each logit for both labels, as float64.

    With e = exp(−abs z) neither form cancels: the loss is a sum of terms that are not negative, max(±z, 0) + log1p(e),
    the gradient e/(1+e) or 1/(1+e).
    """
    wide_n = z_n.astype(np.float64)
    e_n = np.exp(-np.abs(wide_n))
    log_n = np.log1p(e_n)
    is_positive_n = wide_n >= 0
    larger_n = 1.0 / (1.0 + e_n)
    smaller_n = e_n * larger_n
    return {
        (0, "loss"): np.maximum(wide_n, 0.0) + log_n,
        (0, "gradient"): np.where(is_positive_n, larger_n, smaller_n),
        (1, "loss"): np.maximum(-wide_n, 0.0) + log_n,
        (1, "gradient"): -np.where(is_positive_n, smaller_n, larger_n),
    }


@cache
def in_decimal(z: float, label: int, quantity: str) -> Decimal:
    """The same of one finite logit, to about 150 digits less those of exp(−abs z): 100 for any that float32 sees."""
    with decimal.localcontext(CONTEXT):
        exact = Decimal(z)
        e = (-abs(exact)).exp()
        if quantity == "loss":
            return max(exact if label == 0 else -exact, Decimal(0)) + (1 + e).ln()
        of_zero = 1 / (1 + e) if z >= 0 else e / (1 + e)
        of_one = e / (1 + e) if z >= 0 else 1 / (1 + e)
        return of_zero if label == 0 else -of_one


def nearest_of(low: float, high: float, true: Decimal) -> float:
    """Which of two neighbouring floats is nearer to the truth."""
    with decimal.localcontext(CONTEXT):
        middle = (Decimal(low) + Decimal(high)) / 2
        if abs(true - middle) < abs(true) * Decimal("1e-90"):
            raise ArithmeticError(f"150 digits do not tell whether {low!r} or {high!r} is nearer to {true}")
        return min(low, high) if true < middle else max(low, high)


def furthest_from_decimal(z_n: Float32) -> float:
    """The largest relative error of the float64 truth at these finite logits, where float32 can hold the value."""
    furthest = 0.0
    for (label, quantity), true_n in in_float64(z_n).items():
        for z, wide in zip(z_n.tolist(), true_n.tolist(), strict=True):
            if abs(wide) >= LEAST_SPACING / 4:
                true = in_decimal(z, label, quantity)
                furthest = max(furthest, float(abs((Decimal(wide) - true) / true)))
    return furthest


class Tally(NamedTuple):
    """What came of comparing results with the truth."""

    n: int = 0  # results
    worst: float = 0.0  # largest error where both are finite, in spacings of float32 at the true value
    worst_at: float | None = None  # a logit that has it
    misrounded: int = 0  # not the float32 nearest to the truth, the next three included
    lost: int = 0  # 0 where the nearest float32 is not
    lost_normal: int = 0  # of these, where it is not even subnormal
    unlike: int = 0  # NaN or infinite where the truth is not so, or the other way about
    negative_zeros: int = 0
    lost_from: float | None = None  # the lost logit nearest to 0
    worst_kept: float = 0.0  # as `worst`, of those that are not lost
    misrounded_at: tuple[float, ...] = ()  # the first LISTED logits

    def __add__(self, other: tuple[Any, ...]) -> Tally:  # what a NamedTuple inherits would join the two
        assert isinstance(other, Tally)
        worse = self if self.worst >= other.worst else other
        lost = [at for at in (self.lost_from, other.lost_from) if at is not None]
        return Tally(
            self.n + other.n,
            worse.worst,
            worse.worst_at,
            self.misrounded + other.misrounded,
            self.lost + other.lost,
            self.lost_normal + other.lost_normal,
            self.unlike + other.unlike,
            self.negative_zeros + other.negative_zeros,
            min(lost, key=abs) if lost else None,
            max(self.worst_kept, other.worst_kept),
            (self.misrounded_at + other.misrounded_at)[:LISTED],
        )


def compared(z_n: Float32, got_n: Float32, true_n: Float64, label: int, quantity: str) -> Tally:
    """Compare results, float32, with the float64 truths of the same logits."""
    if z_n.size == 0:
        return Tally()
    if not np.isfinite(z_n).all():
        is_finite_n = np.isfinite(z_n)
        finite = compared(z_n[is_finite_n], got_n[is_finite_n], true_n[is_finite_n], label, quantity)
        return finite + _of_the_infinite(got_n[~is_finite_n], true_n[~is_finite_n])

    right_n = (true_n * (1.0 - MARGIN)).astype(np.float32)
    other_n = (true_n * (1.0 + MARGIN)).astype(np.float32)
    for i in np.flatnonzero(right_n != other_n):
        true = in_decimal(float(z_n[i]), label, quantity)
        right_n[i] = nearest_of(float(right_n[i]), float(other_n[i]), true)

    spacing_n = (true_n.view(np.int64) & FLOAT64_EXPONENT).view(np.float64)
    spacing_n *= 2.0**-23
    np.maximum(spacing_n, LEAST_SPACING, out=spacing_n)
    errors_n = np.subtract(got_n, true_n)
    np.abs(errors_n, out=errors_n)
    errors_n /= spacing_n

    unlike = 0
    worst_i = int(errors_n.argmax())  # the first NaN, if there is one
    if not np.isfinite(errors_n[worst_i]):
        unlike = int((~np.isfinite(got_n)).sum())
        errors_n[~np.isfinite(got_n)] = 0.0
        worst_i = int(errors_n.argmax())
    worst = worst_kept = float(errors_n[worst_i])

    misrounded_i = np.flatnonzero(got_n != right_n)
    lost = lost_normal = negative_zeros = 0
    lost_from = None
    is_zero_n = got_n == 0
    if is_zero_n.any():
        negative_zeros = int((is_zero_n & np.signbit(got_n)).sum())
        lost_i = np.flatnonzero(is_zero_n & (right_n != 0))
        lost = lost_i.size
        lost_normal = int((np.abs(right_n[lost_i]) >= np.finfo(np.float32).smallest_normal).sum())
        if lost:
            lost_from = float(min(z_n[lost_i].tolist(), key=abs))
            errors_n[lost_i] = 0.0
            worst_kept = float(errors_n.max())
    return Tally(
        n=got_n.size,
        worst=worst,
        worst_at=float(z_n[worst_i]),
        misrounded=misrounded_i.size,
        lost=lost,
        lost_normal=lost_normal,
        unlike=unlike,
        negative_zeros=negative_zeros,
        lost_from=lost_from,
        worst_kept=worst_kept,
        misrounded_at=tuple(z_n[misrounded_i[:LISTED]].tolist()),
    )


def _of_the_infinite(got_n: Float32, true_n: Float64) -> Tally:
    """Of infinite and NaN logits: their losses and gradients are exact, or NaN."""
    is_right_n = (got_n == true_n) | (np.isnan(got_n) & np.isnan(true_n))
    wrong = int((~is_right_n).sum())
    minus = int(((got_n == 0) & np.signbit(got_n)).sum())
    return Tally(n=got_n.size, misrounded=wrong, unlike=wrong, negative_zeros=minus)
