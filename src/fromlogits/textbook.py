"""Probabilities and losses as textbooks write them: for seeing what goes wrong, and for nothing else.

No largest logit is subtracted, nothing is clipped, and every step is rounded to the type it is given (float16, float32,
float64). What overflows overflows, log(0) is −inf, 0·inf is NaN; NumPy's warnings about that are kept quiet, because it
is what one came to see. For work, take the functions of the same names in `fromlogits`, whose losses take logits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, ParamSpec

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, nearest

Array = NDArray[Any]
Reduction = Literal["mean", "sum", "none"]
Arguments = ParamSpec("Arguments")

REDUCTIONS = ("mean", "sum", "none")


def _as_it_comes(function: Callable[Arguments, Array]) -> Callable[Arguments, Array]:
    """The function without NumPy's warnings about overflow, log(0) and 0·inf."""

    @wraps(function)
    def quiet(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Array:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return quiet


@_as_it_comes
def softmax(logits: ArrayLike, axis: int = -1) -> Array:
    """exp(z_k) / Σ exp(z_j) over an axis: NaN as soon as one exp overflows.

    >>> import numpy as np
    >>> softmax(np.float32([88.0, 88.0]))
    array([0.5, 0.5], dtype=float32)
    >>> softmax(np.float32([89.0, 89.0]))
    array([nan, nan], dtype=float32)
    """
    e = np.exp(_floats("logits", logits))
    probabilities: Array = e / e.sum(axis=axis, keepdims=True, dtype=e.dtype)
    return probabilities


@_as_it_comes
def sigmoid(logits: ArrayLike) -> Array:
    """1 / (1 + exp(−z)), entry by entry: exactly 1 from z = 16.64 in float32, exactly 0 from z = −88.72.

    >>> import numpy as np
    >>> sigmoid(np.float32([16.0, 17.0, -89.0]))
    array([0.9999999, 1.       , 0.       ], dtype=float32)
    """
    z = _floats("logits", logits)
    one = z.dtype.type(1)
    return np.asarray(one / (one + np.exp(-z)))[()]


@_as_it_comes
def softmax_cross_entropy(
    probabilities: ArrayLike, targets: ArrayLike, *, axis: int = -1, reduction: Reduction = "mean"
) -> Array:
    """−log p_y, or −Σ t_k·log p_k: the softmax cross-entropy in nats, from probabilities.

    Args:
        probabilities: any shape, C classes along `axis`.
        targets: class numbers in [0, C), integers, the shape of the probabilities without `axis`; or probabilities t,
            the shape of the others.
        axis: that of the classes.
        reduction: "mean" and "sum" over rows, "none" for the loss of each row.

    Returns:
        The loss in the type of the probabilities.

    Raises:
        InputError: shapes disagree, or a class number is out of range.

    Numerics: a probability near 1 has kept only what rounding to a multiple of 2⁻²⁴ left (float32), so a small loss has
    few digits, and none from a lead of about 17. `fromlogits.softmax_cross_entropy` keeps them all:

    >>> import fromlogits as fl, numpy as np
    >>> z = np.float32([[20.0, 0.0]])
    >>> softmax_cross_entropy(softmax(z), [0])
    np.float32(0.0)
    >>> fl.softmax_cross_entropy(z, [0])
    np.float32(2.0611537e-09)
    """
    _check_reduction(reduction)
    p, t = _floats("probabilities", probabilities), np.asarray(targets)
    if not -p.ndim <= axis < p.ndim:
        raise InputError(f"axis must lie in [{-p.ndim}, {p.ndim}) for probabilities of shape {p.shape}; got {axis}.")
    rows_shape = tuple(np.delete(p.shape, axis).tolist())
    if t.shape == p.shape:
        return _reduced(-(t.astype(p.dtype) * np.log(p)).sum(axis=axis, dtype=p.dtype), reduction)
    if t.shape != rows_shape or t.dtype.kind not in "iu":
        raise InputError(
            f"targets must be integer class numbers of shape {rows_shape} or probabilities of shape {p.shape}; got"
            f" {t.dtype.name} of shape {t.shape}."
        )
    c = p.shape[axis]
    if t.size and not 0 <= t.min() <= t.max() < c:
        raise InputError(f"class numbers must lie in [0, {c}); got {t.min() if t.min() < 0 else t.max()}.")
    picked = np.take_along_axis(p, np.expand_dims(t.astype(np.int64), axis), axis)
    return _reduced(-np.log(picked.squeeze(axis)), reduction)


@_as_it_comes
def sigmoid_cross_entropy(probabilities: ArrayLike, targets: ArrayLike, *, reduction: Reduction = "mean") -> Array:
    """−t·log p − (1 − t)·log(1 − p): the sigmoid cross-entropy in nats, from probabilities.

    Args:
        probabilities: p, any shape.
        targets: t, 0, 1 or between, in the same shape.
        reduction: "mean" and "sum" over entries, "none" for the loss of each entry.

    Returns:
        The loss in the type of the probabilities.

    Raises:
        InputError: shapes disagree.

    Numerics: as for `softmax_cross_entropy`; and where p has become 0 or 1, a wrong answer costs inf, and a right one
    NaN: 0·log(0).

    >>> import fromlogits as fl, numpy as np
    >>> z, t = np.float32([20.0, 20.0]), [1, 0]
    >>> sigmoid_cross_entropy(sigmoid(z), t, reduction="none")
    array([nan, inf], dtype=float32)
    >>> fl.sigmoid_cross_entropy(z, t, reduction="none")
    array([2.0611537e-09, 2.0000000e+01], dtype=float32)
    """
    _check_reduction(reduction)
    p, t = _floats("probabilities", probabilities), np.asarray(targets)
    if t.shape != p.shape:
        raise InputError(f"targets must have the shape of the probabilities, {p.shape}; got {t.shape}.")
    t, one = t.astype(p.dtype), p.dtype.type(1)
    return _reduced(-(t * np.log(p)) - (one - t) * np.log(one - p), reduction)


def _floats(name: str, values: ArrayLike) -> Array:
    array = np.asarray(values)
    if array.dtype.kind != "f":
        raise InputError(f"{name} must be float16, float32 or float64; got {array.dtype.name}.")
    return array


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        close = nearest(reduction, REDUCTIONS) if isinstance(reduction, str) else ""
        raise InputError(f"reduction must be mean, sum or none; got {reduction!r}.{close}")


def _reduced(losses: Any, reduction: Reduction) -> Array:
    if reduction == "none":
        return np.asarray(losses)[()]
    if reduction == "sum":
        return np.asarray(losses.sum(dtype=losses.dtype))[()]
    return np.asarray(losses.mean() if losses.size else losses.dtype.type(np.nan))[()]
