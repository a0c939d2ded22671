"""Calibration by one temperature T: the logits are divided by it, so decisions stay and confidence changes.

Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks, ICML 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..logits import sigmoid_losses, softmax_losses
from ..metrics import row_weights

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Slope = Callable[[float], tuple[float, float]]
"""First and second derivative of the mean loss by β = 1/T."""

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-3, 1e3


def apply(logits_nc: Float32, temperature: float) -> Float32:
    """The calibrated logits: each divided by the temperature in float64 and rounded once."""
    return np.asarray(logits_nc.astype(np.float64) / temperature, np.float32)


def fit_temperature(
    logits_nc: Float32,
    targets: NDArray[Any],
    head: Literal["softmax", "sigmoid"],
    weights: Float64 | None = None,
) -> float:
    """The temperature at which held-out rows lose least; 1.0 where none is better than leaving the logits alone.

    Every target counts as if it were smoothed by 1 / (n + 1): beside the n rows seen, one more of any class. Without
    that, rows that all happen to be right would call for T = 0, that is, for certainty: on iris with 16 held-out rows
    (mean of 12 splits) the test log loss is 0.64 as it is, 4.61 at the plain minimum and 0.47 here; with 189 rows of
    digits 0.205, 0.187 and 0.181. The loss of the rows themselves is never raised.

    Args:
        logits_nc: float32 (n, c), of rows that did not train the network.
        targets: softmax: class indices (n,), where −1 leaves a row out, or probabilities (n, c); sigmoid: 0/1 or
            probabilities (n, c), NaN where a label is unknown, and with one unit also what softmax takes of two
            classes.
        head: sigmoid shares one temperature among all labels.
        weights: what each row counts for, (n,), or with sigmoid each entry, (n, c); only their ratios matter. The rows
            seen are then (Σw)² / Σw² in number (Kish, Survey Sampling, 1965), n where all weigh the same.

    Returns:
        T in [1e-3, 1e3].

    Numerics: the loss is convex in β = 1/T; its derivative is brought to 0 by Newton steps in log β that fall back to
    bisection, in float64 and from the differences of logits, so that rows that are right still have a slope.
    """
    if targets.ndim == 1:
        is_known = targets >= 0
        logits_nc, targets = logits_nc[is_known], targets[is_known]
        weights = None if weights is None else weights[is_known]
    if len(logits_nc) == 0 or not np.isfinite(logits_nc).all():
        return 1.0
    if head == "softmax":
        targets = targets.astype(np.int32 if targets.ndim == 1 else np.float32)
        seen = _Seen.rows(len(targets), weights)
    else:
        is_of_two = targets.ndim == 2 and logits_nc.shape[1] < targets.shape[1]
        targets = targets[:, 1] if is_of_two else targets
        targets = np.ascontiguousarray(targets.reshape(logits_nc.shape), np.float32)
        seen = _Seen.entries(targets, weights)
    if seen.number == 0:
        return 1.0
    slope = (_softmax_slope if head == "softmax" else _sigmoid_slope)(logits_nc, targets, seen)
    temperature = min(max(1.0 / _minimiser(slope), MIN_TEMPERATURE), MAX_TEMPERATURE)

    def loss(z_nc: Float32) -> float:
        if head == "softmax":
            return seen.mean(softmax_losses(z_nc, targets))
        return seen.mean(sigmoid_losses(z_nc, targets))

    return temperature if loss(apply(logits_nc, temperature)) < loss(logits_nc) else 1.0


@dataclass(frozen=True)
class _Seen:
    """The evidence: what each row or entry counts for, None: 1; and how many rows these are in effect."""

    counts: Float64 | None
    number: float

    @classmethod
    def rows(cls, n: int, weights_n: Float64 | None) -> _Seen:
        return cls(None, n) if weights_n is None else cls(weights_n, _effective(weights_n))

    @classmethod
    def entries(cls, targets_nc: Float32, weights: Float64 | None) -> _Seen:
        known_nc = ~np.isnan(targets_nc)
        if weights is None and known_nc.all():
            return cls(None, len(targets_nc))
        counts_nc = known_nc * (1.0 if weights is None else weights if weights.ndim == 2 else weights[:, None])
        return cls(counts_nc, _effective(row_weights(counts_nc)))

    def mean(self, values: Float64) -> float:
        """Of values of the rows, or of the rows' entries."""
        if self.counts is None:
            return float(values.mean())
        if values.ndim > self.counts.ndim:
            values = values.mean(axis=1)
        return float((self.counts * values).sum() / self.counts.sum())


def _effective(weights_n: Float64) -> float:
    """How many rows of equal weight say as much."""
    scaled_n = weights_n / max(weights_n.max(), np.finfo(float).tiny)
    return float(scaled_n.sum() ** 2 / (scaled_n**2).sum()) if scaled_n.any() else 0.0


def _softmax_slope(logits_nc: Float32, targets: NDArray[Any], seen: _Seen) -> Slope:
    z_nc = logits_nc.astype(np.float64)
    true_n = z_nc[np.arange(len(z_nc)), targets] if targets.ndim == 1 else (targets * z_nc).sum(axis=1)
    ahead_nc = z_nc - true_n[:, None]  # of the true class, or of the mean over the true probabilities
    below_nc = ahead_nc - ahead_nc.max(axis=1, keepdims=True)
    smoothing = seen.mean(ahead_nc) / (seen.number + 1)

    def slope(beta: float) -> tuple[float, float]:
        p_nc = np.exp(beta * below_nc)
        p_nc /= p_nc.sum(axis=1, keepdims=True)
        mean_n = (p_nc * ahead_nc).sum(axis=1)
        variance_n = (p_nc * (ahead_nc - mean_n[:, None]) ** 2).sum(axis=1)
        return seen.mean(mean_n) - smoothing, seen.mean(variance_n)

    return slope


def _sigmoid_slope(logits_nc: Float32, targets_nc: Float32, seen: _Seen) -> Slope:
    z_nc = logits_nc.astype(np.float64)
    # The loss is yes · log(1 + exp(−β·z)) + (1 − yes) · log(1 + exp(β·z)); what is unknown counts nothing.
    yes_nc = np.where(np.isnan(targets_nc), 0.0, targets_nc.astype(np.float64))
    smoothing = seen.mean((1.0 - 2.0 * yes_nc) * z_nc) / 2 / (seen.number + 1)

    def slope(beta: float) -> tuple[float, float]:
        e_nc = np.exp(-beta * np.abs(z_nc))
        above_nc, below_nc = (np.where(side_nc, 1.0, e_nc) / (1.0 + e_nc) for side_nc in (z_nc >= 0, z_nc <= 0))
        first = seen.mean(z_nc * ((1.0 - yes_nc) * above_nc - yes_nc * below_nc)) - smoothing
        return first, seen.mean(z_nc**2 * e_nc / (1.0 + e_nc) ** 2)

    return slope


def _minimiser(slope: Slope) -> float:
    """β where the first derivative, which rises with β, crosses 0; the end of the range where it does not."""
    low, high = -math.log(MAX_TEMPERATURE), -math.log(MIN_TEMPERATURE)
    at = 0.0  # log β
    for _ in range(200):
        beta = math.exp(at)
        first, second = slope(beta)
        if first == 0:
            break
        if first > 0:
            high = at
        else:
            low = at
        by_log = second * beta
        following = at - first / by_log if by_log > 0 else math.inf
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - at) < 1e-13:
            break
        at = following
    return math.exp(at)
