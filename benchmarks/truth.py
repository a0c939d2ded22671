"""What losses, gradients and probabilities truly are, and how far float32 values are from it.

Float64 from float32 logits, which count as exact, in forms that never subtract what nearly agrees. `from_mpmath` is the
same from the plain definitions with 160 digits: what the forms here are checked against.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

DIGITS = 160
"""1 − p has that many leading nines where a class leads by 200."""
SMALLEST_NORMAL = 2.0**-126
ROUNDS_TO_ZERO = 2.0**-150
"""Half of the smallest float32: to even, so this and all below become 0."""
LARGEST = float(np.finfo(np.float32).max)


def _parts(logits_nc: Float32) -> tuple[Float64, Float64, Float64]:
    """z − max z, exp of that, and the sum of all terms but the largest."""
    z_nc = logits_nc.astype(np.float64)
    top_n = z_nc.argmax(axis=1)
    below_nc = z_nc - z_nc[np.arange(len(z_nc)), top_n, None]
    terms_nc = np.exp(below_nc)
    others_nc = terms_nc.copy()
    others_nc[np.arange(len(z_nc)), top_n] = 0.0
    return below_nc, terms_nc, others_nc.sum(axis=1)


def softmax_cross_entropy(logits_nc: Float32, labels_n: NDArray[np.int64]) -> tuple[Float64, Float64]:
    """Losses (n,) and their gradients (n, c)."""
    rows_n = np.arange(len(labels_n))
    below_nc, terms_nc, rest_n = _parts(logits_nc)
    losses_n = -below_nc[rows_n, labels_n] + np.log1p(rest_n)
    terms_nc[rows_n, labels_n] = 0.0
    terms_nc[rows_n, labels_n] = -terms_nc.sum(axis=1)
    return losses_n, terms_nc / (1.0 + rest_n)[:, None]


def softmax(logits_nc: Float32) -> Float64:
    _, terms_nc, rest_n = _parts(logits_nc)
    return terms_nc / (1.0 + rest_n)[:, None]


def log_softmax(logits_nc: Float32) -> Float64:
    below_nc, _, rest_n = _parts(logits_nc)
    return below_nc - np.log1p(rest_n)[:, None]


def logsumexp(logits_nc: Float32) -> Float64:
    """Right to 2⁻⁵² of the largest logit, no better: use `from_mpmath` where the result is near 0."""
    _, _, rest_n = _parts(logits_nc)
    return logits_nc.max(axis=1).astype(np.float64) + np.log1p(rest_n)


def sigmoid(logits_n: Float32) -> Float64:
    z_n = logits_n.astype(np.float64)
    tail_n = np.exp(-np.abs(z_n))
    return np.where(z_n >= 0, 1.0, tail_n) / (1.0 + tail_n)


def log_sigmoid(logits_n: Float32) -> Float64:
    z_n = logits_n.astype(np.float64)
    return -(np.maximum(-z_n, 0.0) + np.log1p(np.exp(-np.abs(z_n))))


def sigmoid_cross_entropy(logits_n: Float32, target: float) -> tuple[Float64, Float64]:
    """Losses and gradients of one target for all logits.

    Between 0 and 1 the gradient is σ(z) − σ(z₀) with z₀ = logit t, that is t(1−t)·(e^d − 1) / (1 + t(e^d − 1)) with
    d = z − z₀. The logit is held in two doubles, so d is right where z is near it.
    """
    z_n = logits_n.astype(np.float64)
    losses_n = (1 - target) * np.maximum(z_n, 0.0) + target * np.maximum(-z_n, 0.0) + np.log1p(np.exp(-np.abs(z_n)))
    if target == 0.0:
        return losses_n, sigmoid(logits_n)
    if target == 1.0:
        return losses_n, -sigmoid(-logits_n)
    with mpmath.workdps(DIGITS):
        logit = mpmath.log(target) - mpmath.log(1 - mpmath.mpf(target))
        high = float(logit)
        low = float(logit - high)
    ahead_n = np.expm1((z_n - high) - low)
    return losses_n, target * (1 - target) * ahead_n / (1 + target * ahead_n)


def from_mpmath(function: str, logits: Float32, target: Any = None, entries: Any = slice(None)) -> list[Any]:
    """One row of logits, or one logit of the sigmoid functions, by the definition.

    Args:
        function: the name of one above.
        logits: float32, (c,) or a single one.
        target: class number or probability, for the losses.
        entries: of the classes, those to give.

    Returns:
        Its values; of a loss, the loss and then its gradient.
    """
    with mpmath.workdps(DIGITS):
        if function in ("sigmoid", "log_sigmoid", "sigmoid_cross_entropy"):
            z = mpmath.mpf(float(logits))
            p = 1 / (1 + mpmath.exp(-z))
            if function == "sigmoid_cross_entropy":
                t = mpmath.mpf(float(target))
                return [mpmath.log(1 + mpmath.exp(z)) - t * z, p - t]
            return [p if function == "sigmoid" else mpmath.log(p)]
        z_c = [mpmath.mpf(float(z)) for z in logits]
        terms_c = [mpmath.exp(z) for z in z_c]
        total = mpmath.fsum(terms_c)
        if function == "logsumexp":
            return [mpmath.log(total)]
        chosen = range(len(z_c))[entries] if isinstance(entries, slice) else entries
        if function == "softmax":
            return [terms_c[k] / total for k in chosen]
        if function == "log_softmax":
            return [z_c[k] - mpmath.log(total) for k in chosen]
        return [mpmath.log(total) - z_c[target], *(terms_c[k] / total - int(k == target) for k in chosen)]


def spacing(true: Float64) -> Float64:
    """The gap between float32 numbers where these values lie: one unit in the last place (ulp)."""
    _, exponent = np.frexp(np.abs(true))
    gap: Float64 = np.ldexp(1.0, np.maximum(exponent, -125) - 24)
    return gap


def errors(got: Float32, true: Float64, slack: Any = 0.0) -> dict[str, Any]:
    """How far values are from the truth.

    Args:
        got: float32.
        true: float64, the same shape.
        slack: an absolute difference that a bound allows on top of its ulps; broadcasts to the values.

    Returns:
        `values`: how many float32 can hold: no true 0, nothing that rounds to 0 or overflows.
        `max_ulp`, `median_ulp`: over true values that are normal float32 and got that are finite; None of none.
        `max_ulp_beyond_slack`: over all true values up to the largest float32, the slack taken off.
        `lost`: share of `values` that came back as 0.
        `wrong`: share of the normal ones that are off by more than 1 %, or not finite.
        `not_finite`: how many of `values` came back as NaN or inf.
        `not_as_limit`: how many others did not come back as the 0 (to one step of 2⁻¹⁴⁹) or infinity that they are.
    """
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        difference = np.abs(got.astype(np.float64) - true)
        gap = spacing(true)
        is_finite, is_held = np.isfinite(got), np.abs(true) > ROUNDS_TO_ZERO
        is_small = np.abs(true) <= LARGEST
        is_held &= is_small
        is_normal = is_held & (np.abs(true) >= SMALLEST_NORMAL)
        is_limit = np.where(is_small, difference <= 2.0**-149, got == true.astype(np.float32))
        beyond = ((difference - slack) / gap)[is_small & is_finite]
        normal = (difference / gap)[is_normal & is_finite]
        is_wrong = ~(difference <= 0.01 * np.abs(true))
    return {
        "values": int(is_held.sum()),
        "max_ulp": float(normal.max()) if normal.size else None,
        "median_ulp": float(np.median(normal)) if normal.size else None,
        "max_ulp_beyond_slack": float(beyond.max()) if beyond.size else None,
        "lost": _share(got[is_held] == 0.0),
        "wrong": _share(is_wrong[is_normal]),
        "not_finite": int((is_held & ~is_finite).sum()),
        "not_as_limit": int((~is_held & ~is_limit).sum()),
    }


def _share(is_so: NDArray[np.bool_]) -> float:
    return float(is_so.mean()) if is_so.size else 0.0
