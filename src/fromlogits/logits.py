"""Probabilities, losses and gradients straight from logits: arrays in, arrays out, thin over the core.

No function takes a probability where a logit belongs, so nothing is ever clipped. Logits of any shape and strides in
float16, bfloat16, float32 or float64; results have their type. Float64 inside for all but float64, and each result
rounded once: within 0.51 units in the last place (float64: 4). Derived in docs/maths/from-logits.md.
"""

from __future__ import annotations

import math
import os
import sys
import warnings
from typing import Any, Literal, NamedTuple, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from .cores import MOST_THREADS, usable_cores
from .errors import InputError, nearest
from .exact import ExactSum

Array = NDArray[Any]
Float64 = NDArray[np.float64]
Reduction = Literal["mean", "sum", "none"]

REDUCTIONS = ("mean", "sum", "none")
TYPES = ("float32", "float64", "float16", "bfloat16")
SHARED_FROM = 10_000  # logits; below, no call asks how many threads there are


def softmax(logits: ArrayLike, axis: int = -1) -> Array:
    """Probabilities exp(z_k) / Σ exp(z_j) over an axis; a −∞ logit gives 0.

    Args:
        logits: any shape; a 0-d logit is a single class.
        axis: that of the classes.

    Returns:
        Shape and type of the logits. A row with NaN or with every class masked is NaN, with one RuntimeWarning.

    >>> softmax([1000.0, 0.0])
    array([1., 0.])
    """
    z = _Logits.of(logits, axis)
    out_nc: Array = np.empty(z.rows_nc.shape, z.wide)
    _warn_of_rows(_core.by_rows("softmax", z.rows_nc, out_nc, _threads(out_nc.size)), z, "probabilities")
    return z.like_logits(out_nc)


def log_softmax(logits: ArrayLike, axis: int = -1) -> Array:
    """Logarithms of `softmax` in nats, exact where the probability itself rounds to 0 or 1.

    >>> log_softmax([40.0, 0.0])[0]  # softmax gives 1 here
    np.float64(-4.248354255291589e-18)
    """
    z = _Logits.of(logits, axis)
    out_nc: Array = np.empty(z.rows_nc.shape, z.wide)
    _warn_of_rows(_core.by_rows("log_softmax", z.rows_nc, out_nc, _threads(out_nc.size)), z, "log-probabilities")
    return z.like_logits(out_nc)


def logsumexp(logits: ArrayLike, axis: int = -1) -> Array:
    """log Σ exp(z_k) over an axis, which is gone from the result. −∞ where there is no class, or none unmasked.

    Numerics: within 0.51 units in the last place, plus 2⁻⁵¹·max|z| where the result is near 0, as a difference.
    """
    z = _Logits.of(logits, axis)
    out_n: Array = np.full(len(z.rows_nc), -math.inf, z.wide)
    if nans := _core.by_rows("logsumexp", z.rows_nc, out_n, _threads(z.rows_nc.size)):
        message = f"logsumexp of {nans:,} of {out_n.size:,} rows is NaN: {_nan_logits(z.rows_nc)}."
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return z.like_rows(out_n)


def sigmoid(logits: ArrayLike) -> Array:
    """1 / (1 + exp(−z)), entry by entry; shape and type of the logits.

    >>> sigmoid([0.0, -1000.0])
    array([0.5, 0. ])
    """
    return _entry_by_entry("sigmoid", logits)


def log_sigmoid(logits: ArrayLike) -> Array:
    """Logarithm of `sigmoid` in nats, entry by entry, exact where the probability rounds to 0 or 1."""
    return _entry_by_entry("log_sigmoid", logits)


@overload
def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = ...,
    reduction: Reduction = ...,
    with_gradient: Literal[False] = ...,
    example_weights: ArrayLike | None = ...,
    class_weights: ArrayLike | None = ...,
    label_smoothing: float = ...,
    ignore_label: int | None = ...,
) -> Array: ...
@overload
def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = ...,
    reduction: Reduction = ...,
    with_gradient: Literal[True],
    example_weights: ArrayLike | None = ...,
    class_weights: ArrayLike | None = ...,
    label_smoothing: float = ...,
    ignore_label: int | None = ...,
) -> tuple[Array, Array]: ...
def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    with_gradient: bool = False,
    example_weights: ArrayLike | None = None,
    class_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_label: int | None = None,
) -> Array | tuple[Array, Array]:
    """Softmax cross-entropy in nats, and its gradient by the logits.

    Args:
        logits: any shape, C classes along `axis`; −∞ masks a class.
        targets: class numbers in [0, C), integers, the shape of the logits without `axis`; or probabilities, the
            shape of the logits, 1 in sum along `axis`.
        axis: that of the classes.
        reduction: "mean" and "sum" over rows, "none" for the loss of each row. The mean divides by the sum of the
            weights in play: of each row's example weight times the weight of its class.
        with_gradient: also return the gradient of what is returned; for "none", of each row's own loss.
        example_weights: of each row, the shape of the logits without `axis`, finite, at least 0. A row of weight 0
            takes no part, whatever its logits.
        class_weights: of each class, (C,), finite, at least 0. A row whose classes all have weight 0 takes no part.
        label_smoothing: this share of each target, in [0, 1], is spread evenly over the unmasked classes.
        ignore_label: rows with this class number take no part: no loss, gradient 0, not in the mean.

    Returns:
        The loss, and with `with_gradient` the gradient in the shape of the logits, all in the type of the logits. The
        mean of no rows is NaN, its gradient 0.

    Raises:
        InputError: logits are no floats, shapes disagree, a target or a weight is outside its domain.

    Numerics: log1p(Σ exp(z_k − z_y)) over k ≠ y, so a small loss is not the log of a rounded 1; the true class's
    gradient is minus the sum of the others, never p − 1. Means and sums are the exact ones of the float64 losses,
    rounded once: the same for any order of the rows. NaN losses (NaN logits, every class masked, +∞ at the class)
    come with one RuntimeWarning.
    Source: Blanchard, Higham & Higham, IMA J. Numer. Anal. 41(4), 2021; docs/maths/from-logits.md.

    >>> loss, dlogits = softmax_cross_entropy([[50.0, 0.0]], [0], with_gradient=True)
    >>> float(loss), dlogits.tolist()
    (1.9287498479639178e-22, [[-1.9287498479639178e-22, 1.9287498479639178e-22]])
    """
    z = _Logits.of(logits, axis)
    _check_reduction(reduction)
    n, c = z.rows_nc.shape
    smoothing = _fraction("label_smoothing", label_smoothing)
    weights_n = None if example_weights is None else _weights("example_weights", example_weights, z.rows_shape)
    weights_c = None if class_weights is None else _weights("class_weights", class_weights, (c,))
    aim = _SoftmaxTargets.of(targets, z, ignore_label)

    in_play_n = weights_n
    if weights_c is not None:
        by_class_n = aim.weighed(weights_c)
        if smoothing == 0.0 and aim.probabilities_nc is not None and not by_class_n.all():
            weights_n = np.where(by_class_n == 0.0, 0.0, 1.0 if weights_n is None else weights_n)
        with np.errstate(over="ignore"):
            in_play_n = by_class_n if weights_n is None else weights_n * by_class_n
        if not np.isfinite(in_play_n).all():
            raise InputError("example_weights times class_weights must be finite. Divide each by its largest.")
    if in_play_n is None:
        divisor = ExactSum(n if aim.ignored_n is None else n - int(aim.ignored_n.sum()))
    else:
        divisor = ExactSum.of_values(in_play_n if aim.ignored_n is None else in_play_n[~aim.ignored_n])

    dlogits_nc: Array | None = np.empty((n, c), z.wide) if with_gradient else None
    losses_n = np.empty(n) if reduction == "none" else None
    by = _mean_divisor(divisor) if reduction == "mean" else 1.0
    digits, odd, nans = _core.softmax_cross_entropy(
        z.rows_nc, *aim.for_core(), weights_c, smoothing, weights_n, by, dlogits_nc, losses_n, _threads(n * c)
    )
    if nans:
        takes_part_n = np.ones(n, np.bool_) if weights_n is None else weights_n > 0
        if aim.ignored_n is not None:
            takes_part_n &= ~aim.ignored_n
        _warn_of_rows(nans, z, "losses", takes_part_n, aim.meets_infinity(z.rows_nc, smoothing))
    value = _reduced(losses_n, ExactSum.of(digits, odd), divisor, reduction, z)
    return value if dlogits_nc is None else (value, z.like_logits(dlogits_nc))


@overload
def sigmoid_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: Reduction = ...,
    with_gradient: Literal[False] = ...,
    example_weights: ArrayLike | None = ...,
    pos_weight: ArrayLike | None = ...,
    label_smoothing: float = ...,
) -> Array: ...
@overload
def sigmoid_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: Reduction = ...,
    with_gradient: Literal[True],
    example_weights: ArrayLike | None = ...,
    pos_weight: ArrayLike | None = ...,
    label_smoothing: float = ...,
) -> tuple[Array, Array]: ...
def sigmoid_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: Reduction = "mean",
    with_gradient: bool = False,
    example_weights: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Array | tuple[Array, Array]:
    """Sigmoid cross-entropy of each entry in nats, and its gradient by the logits.

    Args:
        logits: any shape.
        targets: 0, 1 or a probability for each logit, in its shape; NaN where the label is unknown: no loss, no
            gradient, not in the mean.
        reduction: "mean" and "sum" over known entries, "none" for the loss of each entry.
        with_gradient: also return the gradient of what is returned; for "none", of each entry's own loss.
        example_weights: finite, at least 0, in the shape of the logits, or without its last axis: one weight for all
            labels of an example. The mean divides by their sum over the known entries. Weight 0 takes no part.
        pos_weight: of the target's share t, finite, at least 0: one number, one for each label (the last axis), or
            any shape that broadcasts to that of the logits.
        label_smoothing: ε in [0, 1]: t becomes t·(1 − ε) + ε/2.

    Returns, Raises: as for `softmax_cross_entropy`.

    Numerics: (1−t)·max(z,0) + t·max(−z,0) + log1p(exp(−|z|)), with 0·∞ taken as 0, so that neither tail is lost;
    (z, t) and (−z, 1 − t) give the same bits. Near the prediction the gradient of a target between 0 and 1 is a
    difference of two given numbers: there 2⁻⁵⁰ is added to its bound.
    Source: docs/maths/from-logits.md.

    >>> loss, dlogits = sigmoid_cross_entropy([20.0, -3.0], [1, 0], reduction="none", with_gradient=True)
    >>> loss.tolist()
    [2.061153620314381e-09, 0.04858735157374206]
    """
    z = _Logits.entries(logits)
    _check_reduction(reduction)
    z_n = z.rows_nc.reshape(-1)
    n = z_n.size
    smoothing = _fraction("label_smoothing", label_smoothing)
    t = _array("targets", targets)
    if t.shape != z.shape:
        hint = _reshape_hint(t.shape, z.shape)
        raise InputError(f"targets must have the shape of the logits, {z.shape}; got {t.shape}.{hint}")
    t_n = _probabilities(t).reshape(-1)
    known, wrong = _core.check_probabilities(t_n, _threads(t_n.size))
    if wrong >= 0:
        found = t.reshape(-1)[wrong]
        cure = " For labels −1 and 1, pass (targets + 1) / 2." if found == -1 else ""
        cure = (
            " Class numbers are for softmax_cross_entropy." if found > 1 and found == np.trunc(found) < np.inf else cure
        )
        raise InputError(
            f"targets must lie in [0, 1], or be NaN for unknown; got {found}{_place(wrong, z.shape)}.{cure}"
        )

    weights, each = None, 1
    divisor = ExactSum(known)
    if example_weights is not None:
        weights, each = _entry_weights(example_weights, z.shape)
        divisor = ExactSum.of_values(weights).times(each)
        if known < n:
            divisor = ExactSum.of_values(np.where(np.isnan(t_n), 0.0, np.repeat(weights, each)))
    positive = None if pos_weight is None else _positive(pos_weight, z.shape)

    dlogits_n: Array | None = np.empty(n, z.wide) if with_gradient else None
    losses_n = np.empty(n) if reduction == "none" else None
    by = _mean_divisor(divisor) if reduction == "mean" else 1.0
    floats, doubles = (t_n, None) if t_n.dtype == np.float32 else (None, t_n)
    digits, odd, nans = _core.sigmoid_cross_entropy(
        z_n, floats, doubles, smoothing, positive, weights, each, by, dlogits_n, losses_n, _threads(n)
    )
    if nans:
        warnings.warn(f"{nans:,} of {n:,} losses are NaN: their logits are.", RuntimeWarning, stacklevel=2)
    value = _reduced(losses_n, ExactSum.of(digits, odd), divisor, reduction, z)
    return value if dlogits_n is None else (value, z.like_logits(dlogits_n))


def softmax_losses(logits_nc: NDArray[np.float32], targets: NDArray[Any]) -> Float64:
    """The float64 losses (n,) of classes (n,) or probabilities (n, c), before their rounding: what metrics add up.

    Unchecked.
    """
    losses_n = np.empty(len(logits_nc))
    z_nc = np.ascontiguousarray(logits_nc)
    labels_n = np.ascontiguousarray(targets, np.int32) if targets.ndim == 1 else None
    shares_nc = None if targets.ndim == 1 else np.ascontiguousarray(targets, np.float32)
    threads = _threads(z_nc.size)
    _core.softmax_cross_entropy(z_nc, labels_n, shares_nc, None, None, 0.0, None, 1.0, None, losses_n, threads)
    return losses_n


def sigmoid_losses(logits_nc: NDArray[np.float32], targets_nc: NDArray[Any]) -> Float64:
    """The float64 losses (n, c), before their rounding. Unchecked."""
    losses_nc = np.empty(logits_nc.shape)
    z_n = np.ascontiguousarray(logits_nc).reshape(-1)
    t_n = np.ascontiguousarray(targets_nc, np.float32).reshape(-1)
    _core.sigmoid_cross_entropy(
        z_n, t_n, None, 0.0, None, None, 1, 1.0, None, losses_nc.reshape(-1), _threads(z_n.size)
    )
    return losses_nc


def softmax_step(
    logits_nc: NDArray[np.float32], targets: NDArray[Any], smoothing: float, weights_n: Float64 | None, divisor: float
) -> tuple[Float64, NDArray[np.float32]]:
    """What a training step takes: each row's weighted loss, float64 (n,), and its gradient over `divisor`, float32.

    Targets as for `softmax_losses`. Unchecked.
    """
    losses_n, dlogits_nc = np.empty(len(logits_nc)), np.empty(logits_nc.shape, np.float32)
    labels_n, shares_nc = (targets, None) if targets.ndim == 1 else (None, targets)
    _core.softmax_cross_entropy(
        logits_nc, labels_n, shares_nc, None, None, smoothing, weights_n, divisor, dlogits_nc, losses_n,
        _threads(logits_nc.size),
    )  # fmt: skip
    return losses_n, dlogits_nc


def sigmoid_step(
    logits_nc: NDArray[np.float32],
    targets_nc: NDArray[np.float32],
    smoothing: float,
    weights: Float64 | None,
    positive_c: Float64 | None,
    divisor: float,
) -> tuple[Float64, NDArray[np.float32]]:
    """Likewise, the loss summed over the known labels of a row; weights are of rows or of entries. Unchecked."""
    losses_nc, dlogits_nc = np.empty(logits_nc.shape), np.empty(logits_nc.shape, np.float32)
    each = logits_nc.shape[1] if weights is not None and weights.ndim == 1 else 1
    _core.sigmoid_cross_entropy(
        logits_nc.reshape(-1), targets_nc.reshape(-1), None, smoothing, positive_c,
        None if weights is None else weights.reshape(-1), each, divisor, dlogits_nc.reshape(-1),
        losses_nc.reshape(-1), _threads(logits_nc.size),
    )  # fmt: skip
    return losses_nc.sum(axis=1), dlogits_nc


class _Logits(NamedTuple):
    """Logits as the core takes them, and the way back."""

    rows_nc: Array  # float32 or float64, dense, the classes last; of entry-wise functions (1, all)
    shape: tuple[int, ...]
    axis: int | None  # of the classes
    dtype: np.dtype[Any]  # of the results
    wide: type  # what the core writes: results that are narrower than float32 are rounded here

    @classmethod
    def entries(cls, logits: ArrayLike) -> _Logits:
        """Each on its own."""
        z = cls._array(logits)
        return cls._dense(z, (1, z.size), z.shape, None)

    @classmethod
    def of(cls, logits: ArrayLike, axis: int) -> _Logits:
        """Classes along an axis."""
        z = cls._array(logits)
        shape = z.shape
        if not isinstance(axis, (int, np.integer)) or isinstance(axis, bool):
            raise InputError(f"axis must be an integer; got {axis!r}.")
        n_axes = max(z.ndim, 1)
        if not -n_axes <= axis < n_axes:
            raise InputError(f"axis must lie in [{-n_axes}, {n_axes}) for logits of shape {shape}; got {axis}.")
        z = z.reshape(1) if z.ndim == 0 else z
        axis = int(axis) % n_axes
        if axis != n_axes - 1:
            z = np.moveaxis(z, axis, -1)
        return cls._dense(z, (math.prod(z.shape[:-1]), z.shape[-1]), shape, axis)

    @staticmethod
    def _array(logits: ArrayLike) -> Array:
        z = _array("logits", logits)
        if z.dtype not in (np.float32, np.float64) and z.dtype.name not in TYPES:  # the name of a type takes a while
            near = "float64" if z.dtype.itemsize > 8 else "float32"
            cure = f" Pass np.asarray(logits, np.{near})." if _is_number(z) else ""
            raise InputError(f"logits must be {', '.join(TYPES[:-1])} or {TYPES[-1]}; got {_kind(z)}.{cure}")
        return z

    @classmethod
    def _dense(cls, z: Array, rows_shape: tuple[int, int], shape: tuple[int, ...], axis: int | None) -> _Logits:
        dtype = z.dtype.newbyteorder("=")
        core_type = np.float64 if dtype == np.float64 else np.float32
        wide: type = np.float32 if dtype == np.float32 else np.float64
        return cls(np.ascontiguousarray(z, core_type).reshape(rows_shape), shape, axis, dtype, wide)

    @property
    def rows_shape(self) -> tuple[int, ...]:
        """That of the logits without the classes."""
        return self.shape[: self.axis] + self.shape[self.axis + 1 :] if self.axis is not None else self.shape

    def like_logits(self, values: Array) -> Array:
        """(n, c) values in the shape and type of the logits."""
        values = rounded_to(values, self.dtype)
        if self.axis is None or self.axis >= len(self.shape) - 1:
            return values.reshape(self.shape)[()]
        return np.moveaxis(values.reshape(*self.rows_shape, self.shape[self.axis]), -1, self.axis)

    def like_rows(self, values_n: Array) -> Array:
        return rounded_to(values_n, self.dtype).reshape(self.rows_shape)[()]


class _SoftmaxTargets(NamedTuple):
    """Class numbers or probabilities: one of them is None."""

    labels_n: Array | None  # −1: ignored
    probabilities_nc: Array | None  # float32 or float64
    ignored_n: NDArray[np.bool_] | None  # None: no row is

    @classmethod
    def of(cls, targets: ArrayLike, z: _Logits, ignore_label: int | None) -> _SoftmaxTargets:
        t = _array("targets", targets)
        if t.shape == z.shape and not (t.ndim == 0 and t.dtype.kind in "iu"):
            if ignore_label is not None:
                raise InputError("ignore_label needs class numbers as targets; got probabilities. Use example_weights.")
            return cls(None, _class_probabilities(t, z), None)
        if t.shape != z.rows_shape:
            raise InputError(
                f"targets must be class numbers of shape {z.rows_shape} or probabilities of shape {z.shape} for logits"
                f" of shape {z.shape}; got shape {t.shape}.{_reshape_hint(t.shape, z.rows_shape, z.shape)}"
            )
        if t.size == 0:  # an empty list is of floats
            t = t.astype(np.int64)
        if t.dtype.kind not in "iu":
            raise _of_class_numbers(t, z)
        c = z.rows_nc.shape[1]
        ignored_n = None
        if ignore_label is not None:
            if not isinstance(ignore_label, (int, np.integer)) or isinstance(ignore_label, bool):
                raise InputError(f"ignore_label must be an integer; got {ignore_label!r}.")
            is_ignored = t.reshape(-1) == ignore_label
            ignored_n = is_ignored if is_ignored.any() else None
        given_n = t.reshape(-1)
        kept_n = given_n if ignored_n is None else np.where(ignored_n, 0, given_n)
        labels_n = np.empty(given_n.size, np.int32)
        if (
            _core.class_numbers(np.ascontiguousarray(kept_n, np.int64), max(c, int(ignored_n is not None)), labels_n)
            >= 0
        ):
            bad_n = (kept_n < 0) | (kept_n >= c)
            first = int(np.flatnonzero(bad_n)[0])
            raise InputError(
                f"class numbers must lie in [0, {c}); got {given_n[first]}{_place(first, z.rows_shape)}"
                f" ({int(bad_n.sum()):,} of {given_n.size:,} are outside)."
            )
        if ignored_n is not None:
            labels_n[ignored_n] = -1
        return cls(labels_n, None, ignored_n)

    def weighed(self, weights_c: Float64) -> Float64:
        """The weight of each row's class, or the mean over its classes; of a row that is ignored, 0."""
        if self.probabilities_nc is not None:  # not a matrix product, whose order of adding is that of the rows' places
            products_nc: Float64 = self.probabilities_nc * weights_c
            weights_n: Float64 = products_nc.sum(axis=1)
            return weights_n
        labels_n = cast(Array, self.labels_n)
        if self.ignored_n is None:
            return weights_c[labels_n]
        weights_n = np.zeros(len(labels_n))
        weights_n[~self.ignored_n] = weights_c[labels_n[~self.ignored_n]]
        return weights_n

    def meets_infinity(self, z_nc: Array, smoothing: float) -> Array:
        """The rows with +∞ at a class that they aim at."""
        is_infinite_nc = cast(Array, z_nc == np.inf)
        if smoothing == 0.0 and self.labels_n is not None:
            return np.take_along_axis(is_infinite_nc, np.maximum(self.labels_n, 0)[:, None], axis=1)[:, 0]
        if smoothing == 0.0 and self.probabilities_nc is not None:
            is_infinite_nc[self.probabilities_nc == 0] = False
        return cast(Array, is_infinite_nc.any(axis=1))

    def for_core(self) -> tuple[Array | None, Array | None, Array | None]:
        """labels, floats, doubles."""
        if self.probabilities_nc is None:
            return self.labels_n, None, None
        if self.probabilities_nc.dtype == np.float32:
            return None, self.probabilities_nc, None
        return None, None, self.probabilities_nc


def rounded_to(values: Array, dtype: np.dtype[Any]) -> Array:
    """Float32 or float64 values in a type, rounded once; 0 is +0."""
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore", under="ignore"):
        if dtype.name not in ("float16", "bfloat16"):
            return values.astype(dtype)
        # To odd first: a float32 whose last bit tells that digits were lost rounds further as the float64 would.
        nearest_32 = values.astype(np.float32)
        back = nearest_32.astype(np.float64)
        cut = np.where(np.abs(back) > np.abs(values), np.nextafter(nearest_32, np.float32(0)), nearest_32)
        is_inexact = (back != values) & np.isfinite(values)
        bits = cut.view(np.uint32) | is_inexact.astype(np.uint32)
        rounded: Array = bits.view(np.float32).astype(dtype)
        rounded += dtype.type(0)  # what rounds to −0 is +0
    return rounded


def _entry_by_entry(what: str, logits: ArrayLike) -> Array:
    z = _Logits.entries(logits)
    out_n: Array = np.empty(z.rows_nc.size, z.wide)
    nans = _core.by_entries(what, z.rows_nc.reshape(-1), out_n, _threads(out_n.size))
    if nans:
        message = f"{nans:,} of {out_n.size:,} logits are NaN, and so is their {what}."
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    return z.like_logits(out_n)


def _threads(logits: int) -> int:
    """How many threads a call on so many logits may use: FROMLOGITS_THREADS, or the cores of this process."""
    if logits < SHARED_FROM:
        return 1
    wanted = os.environ.get("FROMLOGITS_THREADS")
    if wanted is not None:
        if not wanted.isdecimal() or int(wanted) < 1:
            raise InputError(f"FROMLOGITS_THREADS must be a whole number of at least 1; got {wanted!r}.")
        return min(int(wanted), MOST_THREADS)
    return usable_cores()


def _array(name: str, values: ArrayLike) -> Array:
    # NumPy loads its masked arrays when they are asked for: where they are not loaded, nobody has one.
    ma = sys.modules.get("numpy.ma")
    if ma is not None and isinstance(values, ma.MaskedArray) and ma.is_masked(values):
        raise InputError(
            f"{name} must have no masked entries; got {ma.count_masked(values):,} of {values.size:,}."
            f" Pass {name}.filled(value) with the value that they stand for."
        )
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # the latter two are PyTorch's, for tensors elsewhere
        raise InputError(f"{name} must be an array of numbers: {error}") from None


def _is_number(values: Array) -> bool:
    return values.dtype.kind in "fiub" or values.dtype.name.startswith(("bfloat", "float"))


def _kind(values: Array) -> str:
    """What an array consists of, for messages."""
    if values.dtype.kind in "US":
        return "text" if values.dtype.kind == "U" else "bytes"
    if values.dtype.kind == "O" and values.size:
        of = next((value for value in values.flat if not isinstance(value, (int, float))), values.flat[0])
        return f"Python objects ({type(of).__name__})"
    return values.dtype.name


def _place(flat: int, shape: tuple[int, ...], noun: str = "row") -> str:
    """Where an entry stands, for messages."""
    if len(shape) == 0:
        return ""
    if len(shape) == 1:
        return f" at {noun} {flat}"
    return f" at {tuple(int(i) for i in np.unravel_index(flat, shape))}"


def _reshape_hint(found: tuple[int, ...], *wanted: tuple[int, ...]) -> str:
    """For targets that are right but for axes of length 1, such as a column of labels."""
    for shape in wanted:
        if [length for length in found if length != 1] == [length for length in shape if length != 1]:
            return f" Pass np.reshape(targets, {shape})."
    return ""


def _of_class_numbers(t: Array, z: _Logits) -> InputError:
    """What is wrong with class numbers that are no integers."""
    cure = "Pass np.asarray(targets, int)."
    if t.dtype.kind not in "fiub":
        cure = "Number the classes: classes, targets = np.unique(targets, return_inverse=True)."
    elif (odd := np.flatnonzero(t.reshape(-1) != np.trunc(t.reshape(-1)))).size:  # NaN too
        row = int(odd[0])
        what = f"class numbers must be integers; got {t.reshape(-1)[row]}{_place(row, z.rows_shape)}."
        if np.isnan(t.reshape(-1)[row]):
            return InputError(f"{what} Give rows without a class a number of their own, and pass it as ignore_label.")
        return InputError(f"{what} Probabilities have the shape of the logits, {z.shape}.")
    return InputError(f"class numbers must be integers; got {_kind(t)}. {cure}")


def _probabilities(t: Array) -> Array:
    """Targets as the core takes them, dense: float64 as they are, all else that float32 holds exactly as float32."""
    if t.dtype.kind not in "fiub" and t.dtype.name != "bfloat16":
        raise InputError(f"targets must be numbers; got {_kind(t)}.")
    is_double = t.dtype.kind == "f" and t.dtype.itemsize > 4
    return np.ascontiguousarray(t, np.float64 if is_double else np.float32).reshape(t.shape)


def _class_probabilities(t: Array, z: _Logits) -> Array:
    """Checked probabilities (n, c)."""
    n, c = z.rows_nc.shape
    axis = z.axis or 0
    moved = _probabilities(np.moveaxis(t, axis, -1) if t.ndim else t).reshape(n, c)
    class_numbers = f" Class numbers have shape {z.rows_shape}." if t.dtype.kind in "iu" else ""
    known, wrong = _core.check_probabilities(moved.reshape(-1), _threads(moved.size))
    if known < n * c:
        wrong = int(np.flatnonzero(np.isnan(moved))[0])
    if wrong >= 0:
        row, k = divmod(wrong, c)
        at = f"{_place(row, z.rows_shape)}, class {k}" if z.rows_shape else f" at class {k}"
        raise InputError(f"target probabilities must lie in [0, 1]; got {moved[row, k]:g}{at}.{class_numbers}")
    sums_n = moved.sum(axis=1, dtype=np.float64)
    # What adding up numbers rounded to the type can be off by, and float32 sums of 100 000 of them.
    narrow = {"float16": 2e-3, "bfloat16": 1.6e-2}
    bad_n = np.abs(sums_n - 1.0) > narrow.get(t.dtype.name, 1e-4)
    if bad_n.any():
        row = int(np.flatnonzero(bad_n)[0])
        more = f" ({int(bad_n.sum()):,} of {n:,} rows do not)" if n > 1 else ""
        cure = class_numbers
        if sums_n.max() > 1 and ((moved == 0) | (moved == 1)).all():
            cure = " For several labels at once, use sigmoid_cross_entropy."
        raise InputError(
            f"target probabilities must sum to 1 over the classes; got {sums_n[row]:.6g}{_place(row, z.rows_shape)}"
            f"{more}.{cure}"
        )
    return moved


def _weights(name: str, weights: ArrayLike, shape: tuple[int, ...]) -> Float64:
    """Checked weights of exactly this shape, flat."""
    w = _array(name, weights)
    if w.shape != shape:
        raise InputError(f"{name} must have shape {shape}; got {w.shape}.")
    return _checked_weights(name, w, "class" if name == "class_weights" else "row")


def _checked_weights(name: str, w: Array, noun: str = "row") -> Float64:
    if w.dtype.kind not in "fiub" and w.dtype.name != "bfloat16":
        raise InputError(f"{name} must be numbers; got {_kind(w)}.")
    flat = np.ascontiguousarray(w, np.float64).reshape(-1)
    if not (np.isfinite(flat).all() and (flat >= 0).all()):
        bad = int(np.flatnonzero(~(np.isfinite(flat) & (flat >= 0)))[0])
        raise InputError(f"{name} must be finite and at least 0; got {flat[bad]:g}{_place(bad, w.shape, noun)}.")
    return flat


def _entry_weights(weights: ArrayLike, shape: tuple[int, ...]) -> tuple[Float64, int]:
    """Weights of entries or of examples, flat, and how many entries follow each."""
    w = _array("example_weights", weights)
    if w.shape == shape:
        return _checked_weights("example_weights", w), 1
    if shape and w.shape == shape[:-1] and shape[-1] > 0:
        return _checked_weights("example_weights", w), shape[-1]
    choices = f"{shape} or {shape[:-1]}" if shape else "()"
    raise InputError(f"example_weights must have shape {choices} for logits of shape {shape}; got {w.shape}.")


def _positive(weight: ArrayLike, shape: tuple[int, ...]) -> Float64 | None:
    """Weights of the targets' share: one, or one period of them."""
    w = _array("pos_weight", weight)
    flat = _checked_weights("pos_weight", w, "label")
    if w.size == 1 and w.ndim <= max(len(shape), 1):
        return flat
    if w.ndim == 1 and shape and w.shape[0] == shape[-1]:
        return flat if flat.size else None
    try:
        return np.ascontiguousarray(np.broadcast_to(flat.reshape(w.shape), shape)).reshape(-1)
    except ValueError:
        labels = f", have shape ({shape[-1]},), or broadcast to the logits' {shape}" if shape else " for a single logit"
        raise InputError(f"pos_weight must be one number{labels}; got shape {w.shape}.") from None


def _fraction(name: str, value: float) -> float:
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise InputError(f"{name} must be a number in [0, 1]; got {value!r}.")
    return float(value)


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        close = nearest(reduction, REDUCTIONS) if isinstance(reduction, str) else ""
        raise InputError(f"reduction must be mean, sum or none; got {reduction!r}.{close}")


def _mean_divisor(weights: ExactSum) -> float:
    """What gradients of a mean are divided by."""
    by = weights.rounded() if weights.numerator else 1.0
    if math.isinf(by):
        raise InputError(
            "weights must have a finite sum for a mean; got more than 1.8e308. Divide them by the largest."
        )
    return by


def _reduced(losses_n: Float64 | None, total: ExactSum, divisor: ExactSum, reduction: Reduction, z: _Logits) -> Array:
    if losses_n is not None:
        return z.like_rows(losses_n)
    name = z.dtype.name
    value = total.over(divisor, name) if reduction == "mean" else total.rounded(name)
    with np.errstate(over="ignore"):
        result: Array = z.dtype.type(value)
    return result


def _warn_of_rows(
    nans: int, z: _Logits, what: str, takes_part_n: NDArray[np.bool_] | None = None, at_class_n: Array | None = None
) -> None:
    """Say how many rows came out NaN, and why, to the caller of the caller.

    Args:
        nans: how many; no warning for 0.
        takes_part_n: of a loss, the rows that do; None: all.
        at_class_n: of a loss, the rows with +∞ where they aim at; None: +∞ does no harm alone.
    """
    if not nans:
        return
    part_n = slice(None) if takes_part_n is None else takes_part_n
    rows_nc = z.rows_nc[part_n]
    infinite = "a row has +∞ more than once" if at_class_n is None else "a row has +∞ at its class, or more than once"
    is_infinite_n = np.isposinf(rows_nc).sum(axis=1) > 1
    if at_class_n is not None:
        is_infinite_n |= at_class_n[part_n]
    causes = {
        _nan_logits(rows_nc): np.isnan(rows_nc).any(),
        "every class of a row is masked": np.isneginf(rows_nc).all(axis=1).any(),
        infinite: is_infinite_n.any(),
    }
    why = ", ".join(cause for cause, is_there in causes.items() if is_there)
    warnings.warn(f"{what} of {nans:,} of {len(z.rows_nc):,} rows are NaN: {why}.", RuntimeWarning, stacklevel=3)


def _nan_logits(z: Array) -> str:
    nans = int(np.isnan(z).sum())
    return "1 logit is NaN" if nans == 1 else f"{nans:,} logits are NaN"
