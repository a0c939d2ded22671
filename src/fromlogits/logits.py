"""Probabilities, losses and gradients from logits: thin over the core.

Float32 in and out, float64 inside, each result rounded once. Rows are the last but one axis: everything here takes
(n, c) arrays. No function takes a probability.
"""

from __future__ import annotations

import math
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from . import _core
from .errors import InputError

Float32 = NDArray[np.float32]
Reduction = Literal["mean", "sum", "none"]


def softmax(logits_nc: Float32) -> Float32:
    """Probabilities (n, c) of each row's classes; a −∞ logit gives 0."""
    out_nc = np.empty_like(logits_nc, order="C")
    _core.softmax(np.ascontiguousarray(logits_nc), out_nc)
    return out_nc


def log_softmax(logits_nc: Float32) -> Float32:
    """Logarithms (n, c) of `softmax`, exact where the probability rounds to 0 or 1."""
    out_nc = np.empty_like(logits_nc, order="C")
    _core.log_softmax(np.ascontiguousarray(logits_nc), out_nc)
    return out_nc


def sigmoid(logits_nc: Float32) -> Float32:
    """1 / (1 + exp(−z)), entry by entry."""
    out_nc = np.empty_like(logits_nc, order="C")
    _core.sigmoid(np.ascontiguousarray(logits_nc), out_nc)
    return out_nc


def log_sigmoid(logits_nc: Float32) -> Float32:
    """Logarithm of `sigmoid`, entry by entry."""
    out_nc = np.empty_like(logits_nc, order="C")
    _core.log_sigmoid(np.ascontiguousarray(logits_nc), out_nc)
    return out_nc


@overload
def softmax_cross_entropy(
    logits_nc: Float32, labels_n: NDArray[np.int32], *, reduction: Reduction = ..., with_gradient: Literal[False] = ...
) -> NDArray[np.float64]: ...
@overload
def softmax_cross_entropy(
    logits_nc: Float32, labels_n: NDArray[np.int32], *, reduction: Reduction = ..., with_gradient: Literal[True]
) -> tuple[NDArray[np.float64], Float32]: ...
def softmax_cross_entropy(
    logits_nc: Float32,
    labels_n: NDArray[np.int32],
    *,
    reduction: Reduction = "mean",
    with_gradient: bool = False,
) -> NDArray[np.float64] | tuple[NDArray[np.float64], Float32]:
    """Softmax cross-entropy in nats, and its gradient.

    Args:
        logits_nc: float32 (n, c); −∞ masks a class.
        labels_n: int32 class indices in [0, c), shape (n,).
        reduction: mean or sum over rows, or "none": each row's loss, shape (n,).
        with_gradient: also return the gradient by the logits, (n, c), of what is returned; for "none", of each
            row's own loss.

    Numerics: (m − z_y) + log1p(Σ others), so a small loss is a log1p and not the log of a rounded 1; the true
    class's gradient is minus the sum of the others, never p − 1.
    Source: Blanchard, Higham & Higham, IMA J. Numer. Anal. 41(4), 2021.
    """
    c = logits_nc.shape[1]
    if labels_n.size and not 0 <= labels_n.min() <= labels_n.max() < c:
        row = int(np.flatnonzero((labels_n < 0) | (labels_n >= c))[0])
        raise InputError(f"labels must lie in [0, {c}); got {labels_n[row]} at row {row}.")
    losses_n = np.empty(len(logits_nc))
    dlogits_nc = np.empty_like(logits_nc, order="C") if with_gradient else None
    weight = 1.0 / max(len(logits_nc), 1) if reduction == "mean" else 1.0
    labels_n = np.ascontiguousarray(labels_n, np.int32)
    _core.softmax_cross_entropy(np.ascontiguousarray(logits_nc), labels_n, weight, losses_n, dlogits_nc)
    value = _reduced(losses_n, len(losses_n), reduction)
    return value if dlogits_nc is None else (value, dlogits_nc)


@overload
def sigmoid_cross_entropy(
    logits_nc: Float32, targets_nc: Float32, *, reduction: Reduction = ..., with_gradient: Literal[False] = ...
) -> NDArray[np.float64]: ...
@overload
def sigmoid_cross_entropy(
    logits_nc: Float32, targets_nc: Float32, *, reduction: Reduction = ..., with_gradient: Literal[True]
) -> tuple[NDArray[np.float64], Float32]: ...
def sigmoid_cross_entropy(
    logits_nc: Float32,
    targets_nc: Float32,
    *,
    reduction: Reduction = "mean",
    with_gradient: bool = False,
) -> NDArray[np.float64] | tuple[NDArray[np.float64], Float32]:
    """Sigmoid cross-entropy in nats, and its gradient.

    Args:
        logits_nc: float32 (n, c).
        targets_nc: float32 (n, c) in [0, 1].
        reduction: mean over all n·c entries, sum, or "none": each row's sum over labels, shape (n,).
        with_gradient: as for `softmax_cross_entropy`.

    Numerics: (1−t)·max(z,0) + t·max(−z,0) + log1p(exp(−|z|)), with 0·∞ taken as 0.
    """
    losses_n = np.empty(len(logits_nc))
    dlogits_nc = np.empty_like(logits_nc, order="C") if with_gradient else None
    weight = 1.0 / max(logits_nc.size, 1) if reduction == "mean" else 1.0
    targets_nc = np.ascontiguousarray(targets_nc, np.float32)
    _core.sigmoid_cross_entropy(np.ascontiguousarray(logits_nc), targets_nc, weight, losses_n, dlogits_nc)
    value = _reduced(losses_n, logits_nc.size, reduction)
    return value if dlogits_nc is None else (value, dlogits_nc)


def _reduced(losses_n: NDArray[np.float64], count: int, reduction: Reduction) -> NDArray[np.float64]:
    if reduction not in ("mean", "sum", "none"):
        raise InputError(f"reduction must be mean, sum or none; got {reduction!r}.")
    if reduction == "none":
        return losses_n
    total = math.fsum(losses_n) if np.isfinite(losses_n).all() else float(losses_n.sum())
    if reduction == "sum":
        return np.float64(total)  # type: ignore[return-value]
    return np.float64(total / count if count else math.nan)  # type: ignore[return-value]
