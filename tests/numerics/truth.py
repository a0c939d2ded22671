"""The true values, by mpmath: 60 digits, straight from the definitions."""

from __future__ import annotations

from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

mp.mp.dps = 60
# Exponent of the last place of a value in [1, 2), and the smallest exponent of a last place.
LAST_PLACE = {"float32": (-23, -149), "float64": (-52, -1074), "float16": (-10, -24), "bfloat16": (-7, -133)}


class Softmax(NamedTuple):
    """Of one row, whatever the target."""

    probabilities: list[Any]
    log_probabilities: list[Any]
    logsumexp: Any


def softmax(logits_c: NDArray[Any]) -> Softmax:
    z = [mp.mpf(x) for x in logits_c.astype(float).tolist()]
    largest = max(z)
    terms = [mp.exp(x - largest) for x in z]
    # Added up without the largest: 60 digits would lose terms below e^-138 beside a 1.
    at = z.index(largest)
    others = mp.fsum(term for k, term in enumerate(terms) if k != at)
    rest = mp.log1p(others)
    return Softmax([t / (1 + others) for t in terms], [x - largest - rest for x in z], largest + rest)


def cross_entropy(logits_c: NDArray[Any], y: int) -> tuple[Any, list[Any]]:
    """Loss of class y and its gradient. No logit may be infinite at y."""
    z = [mp.mpf(x) for x in logits_c.astype(float).tolist()]
    terms = [mp.exp(x - z[y]) for x in z]
    others = mp.fsum(term for k, term in enumerate(terms) if k != y)
    gradient = [t / (1 + others) for t in terms]
    gradient[y] = -others / (1 + others)
    return mp.log1p(others), gradient


def cross_entropy_of_targets(logits_c: NDArray[Any], targets_c: NDArray[Any]) -> tuple[Any, list[Any]]:
    """Loss of probability targets, which are taken as they are (they need not sum to exactly 1), and its gradient."""
    t = [mp.mpf(x) for x in targets_c.astype(float).tolist()]
    total = mp.fsum(t)
    parts = [(t[y], *cross_entropy(logits_c, y)) for y in range(len(t)) if t[y]]
    loss = mp.fsum(share * loss for share, loss, _ in parts)
    gradient = [mp.fsum(share * of_class[k] for share, _, of_class in parts) for k in range(len(t))]
    assert abs(mp.fsum(gradient)) < mp.mpf(10) ** -50 * (1 + total)
    return loss, gradient


def binary_cross_entropy(z: Any, t: Any) -> tuple[Any, Any]:
    """Sigmoid cross-entropy of a finite logit and its gradient."""
    x, share = mp.mpf(float(z)), mp.mpf(float(t))
    below, above = mp.exp(-x), mp.exp(x)
    loss = share * mp.log1p(below) + (1 - share) * mp.log1p(above)
    return loss, (1 - share) / (1 + below) - share / (1 + above)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + mp.exp(-mp.mpf(float(z))))


def log_sigmoid(z: Any) -> Any:
    return -mp.log1p(mp.exp(-mp.mpf(float(z))))


def ulps(got: Any, true: Any, allowance: Any = 0) -> float:
    """The largest error, in units in the last place of the true value in the type of `got`; −∞ must be met exactly.

    Args:
        got: NumPy scalar or array.
        true: as many mpmath numbers.
        allowance: absolute error that is not counted, one number or as many.
    """
    flat = np.ravel(got)
    values = [true] if isinstance(true, mp.mpf) else list(true)
    allowed = list(allowance) if isinstance(allowance, list) else [allowance] * len(values)
    assert len(values) == flat.size
    in_one, smallest = LAST_PLACE[flat.dtype.name]
    worst = 0.0
    for x, value, free in zip(flat.astype(np.float64).tolist(), values, allowed, strict=True):
        if mp.isinf(value):
            assert x == value, f"got {x}, not {value}"
            continue
        exponent = max(int(mp.frexp(value)[1]) - 1 + in_one, smallest) if value else smallest  # frexp: in [1/2, 1)
        error = abs(value - x)
        if free:
            error = max(error - free, mp.mpf(0))
        worst = max(worst, float(mp.ldexp(error, -exponent)))
    return worst
