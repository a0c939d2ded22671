"""One temperature T for all logits: they are divided by it, so decisions stay and confidence changes.

Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks, ICML 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .held_out import Float64, HeldOut

Slope = Callable[[float], tuple[float, float]]
"""First and second derivative of the mean loss by β = 1/T."""

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-3, 1e3
EXACT = 1e-13
"""So near is log T to the minimum's."""


def fit_temperature(rows: HeldOut, start: float = 1.0, tolerance: float = EXACT) -> float:
    """The temperature at which these rows lose least, in [1e-3, 1e3].

    Every target counts as if it were smoothed by 1 / (n + 1): beside the n rows seen, one more of any class; or of
    labels that hold as often as in these rows, but for one of them, any, which holds or not. Without that, rows that
    all happen to be right would call for T = 0, that is, for certainty: on iris with 16 held-out rows (mean of 12
    splits) the test log loss is 0.64 as it is, 4.61 at the plain minimum and 0.47 here; with 189 rows of digits 0.205,
    0.187 and 0.181.

    Args:
        start: a temperature near it.
        tolerance: of log T.

    Numerics: the loss is convex in β = 1/T; its derivative is brought to 0 by Newton steps in log β that fall back to
    bisection, in float64 and from the differences of logits, so that rows that are right still have a slope.
    """
    if rows.head == "softmax":
        slope = softmax_slope(rows)
    else:
        slope = sigmoid_slope(SigmoidSums.of(rows), lambda: _sizes(rows), rows.number)
    return minimiser(slope, start, tolerance)


def softmax_slope(rows: HeldOut) -> Slope:
    counts_n, weight = rows.counts, rows.weight
    # Of each row, how far the logits are ahead of the true class's, or of the mean over the true probabilities.
    ahead_nc = rows.logits_nc.astype(np.float64)
    if rows.targets.ndim == 1:
        ahead_nc -= ahead_nc[np.arange(len(rows)), rows.targets][:, None]
    else:
        ahead_nc -= (rows.targets * ahead_nc).sum(axis=1, keepdims=True)
    max_n1 = ahead_nc.max(axis=1, keepdims=True)
    mean_n = ahead_nc.mean(axis=1)
    smoothing = float((mean_n if counts_n is None else counts_n * mean_n).sum()) / weight / (rows.number + 1)

    def slope(beta: float) -> tuple[float, float]:
        first = second = 0.0
        for block in rows.blocks():
            a_nc = ahead_nc[block]
            e_nc = np.exp(beta * (a_nc - max_n1[block]))
            sum_n = e_nc.sum(axis=1)
            e_nc *= a_nc
            mean_n = e_nc.sum(axis=1) / sum_n
            variance_n = np.einsum("nc,nc->n", e_nc, a_nc) / sum_n - mean_n**2
            if counts_n is not None:
                mean_n, variance_n = counts_n[block] * mean_n, counts_n[block] * variance_n
            first += float(mean_n.sum())
            second += float(variance_n.sum())
        return first / weight - smoothing, second / weight

    return slope


@dataclass(frozen=True, eq=False)
class SigmoidSums:
    """What the derivative by β needs to know but once, of the entries of c labels.

    Attributes:
        all_c, yes_c, z_c: what the entries count for in sum; of that the targets' shares; and times the logits.
        z_of_yes: the sum of the targets' shares times the logits.
        above: the sum of the logits above 0, times what they count for.
    """

    all_c: Float64
    yes_c: Float64
    z_c: Float64
    z_of_yes: float
    above: float

    @classmethod
    def of(cls, rows: HeldOut) -> SigmoidSums:
        c = rows.logits_nc.shape[1]
        all_c, yes_c, z_c, z_of_yes, above = np.zeros(c), np.zeros(c), np.zeros(c), 0.0, 0.0
        for block in rows.blocks():
            z_nc, yes_nc = rows.logits_nc[block].astype(np.float64), rows.targets[block].astype(np.float64)
            counted_nc = z_nc
            if rows.counts is not None:
                counted_nc, yes_nc = rows.counts[block] * z_nc, rows.counts[block] * yes_nc
            all_c += len(z_nc) if rows.counts is None else rows.counts[block].sum(axis=0)
            yes_c += yes_nc.sum(axis=0)
            z_c += counted_nc.sum(axis=0)
            z_of_yes += float((yes_nc * z_nc).sum())
            above += float(np.maximum(counted_nc, 0.0).sum())
        return cls(all_c, yes_c, z_c, z_of_yes, above)


def sigmoid_slope(sums: SigmoidSums, sizes: Callable[[], Iterable[tuple[Float64, Float64]]], number: float) -> Slope:
    """Of entries, some at a time: abs(z), and that times what each counts for."""
    # The loss is wrong · β·abs(z) + log(1 + exp(−β·abs(z))), where `wrong` is the target's share of the other side.
    weight, c = float(sums.all_c.sum()), len(sums.all_c)
    rates_c = sums.yes_c / np.where(sums.all_c > 0, sums.all_c, 1.0)
    rates_c += (0.5 - rates_c) / c
    wrong = sums.above - sums.z_of_yes
    wrong -= (float((rates_c * sums.z_c).sum()) - sums.z_of_yes) / (number + 1)

    def slope(beta: float) -> tuple[float, float]:
        first, second = wrong, 0.0
        for size, counted in sizes():
            e = np.exp(-beta * size)
            below = e / (1.0 + e)
            below *= counted
            first -= float(below.sum())
            below /= 1.0 + e
            second += float(np.einsum("ij,ij->", below, size))
        return first / weight, second / weight

    return slope


def _sizes(rows: HeldOut) -> Iterator[tuple[Float64, Float64]]:
    for block in rows.blocks():
        size_nc = np.abs(rows.logits_nc[block]).astype(np.float64)
        yield size_nc, size_nc if rows.counts is None else rows.counts[block] * size_nc


def minimiser(slope: Slope, start: float = 1.0, tolerance: float = EXACT) -> float:
    """T = 1/β where the first derivative, which rises with β, crosses 0; the end of the range where it does not."""
    low, high = -math.log(MAX_TEMPERATURE), -math.log(MIN_TEMPERATURE)
    at = -math.log(start)  # log β
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
        step, at = abs(following - at), following
        if step < tolerance:
            break
    return min(max(math.exp(-at), MIN_TEMPERATURE), MAX_TEMPERATURE)
