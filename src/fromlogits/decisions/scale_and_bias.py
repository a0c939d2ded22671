"""A slope and a bias for each label: z becomes β_k·z + b_k, near the slope that all labels share.

The slope is 1 / temperature. This is Platt's scaling, shrunk: a label that few rows have says little of its own and
stays near what all labels say together.
Source: Platt, Probabilistic Outputs for Support Vector Machines, in Advances in Large Margin Classifiers, MIT Press,
2000; the shrinkage is measured in docs/decisions/0017-calibration.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .held_out import BLOCK_VALUES, Float64, HeldOut
from .temperature import SigmoidSums, Slope, sigmoid_slope

SLOPE_PRIOR = 100.0
"""What holds β: 100·(r − 1 − log r), r = β / the shared slope: a tenth more or less costs half a nat."""
BIAS_PRIOR = 16.0
"""What holds b: 16·b²/2: a quarter more or less costs half a nat."""
BINS = 96
"""Groups of near logits, of which a fit that decides takes all rows of a label as one."""
WIDEST = 12.0
"""They lie evenly between −12 and 12, calibrated, with an edge at 0; beyond, the loss is all but a line."""
NEARLY, EXACT = 1e-6, 1e-20
"""So near the minimum, in nats of the sum over rows: where a fit decides, and where it stays."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What a slope and a bias need to know of each label's rows, in each of several parts of them.

    Attributes:
        z_lm: float64, the logit of row, or of a group of rows, m.
        all_flm: what it counts for in part f.
        yes_fl, z_of_yes_fl: of the rows that have the label, the sum of that, and of that times their own logit.
    """

    z_lm: Float64
    all_flm: Float64
    yes_fl: Float64
    z_of_yes_fl: Float64

    def slope(self, f: int, number: float) -> Slope:
        """Of one temperature for all labels, fitted to part f, which says as much as so many rows."""
        all_lm, size_lm = self.all_flm[f], np.abs(self.z_lm)
        counted_lm = all_lm * size_lm
        sums = SigmoidSums(
            all_lm.sum(axis=1),
            self.yes_fl[f],
            (all_lm * self.z_lm).sum(axis=1),
            float(self.z_of_yes_fl[f].sum()),
            float(counted_lm[self.z_lm > 0].sum()),
        )
        return sigmoid_slope(sums, lambda: [(size_lm, counted_lm)], number)


def grouped(rows: HeldOut, part_n: NDArray[np.int64], n_parts: int, slope: float) -> Parts:
    """Few rows as they are, of many the groups; of all rows, and of all but each part in turn, (1 + parts).

    Args:
        part_n: each row's part.
        slope: near that of all labels.
    """
    n, c = rows.logits_nc.shape
    if n <= 2 * BINS:
        z_lm, counts_lm, yes_lm = _by_label(rows, slice(None))
        is_in_fn = part_n == np.arange(n_parts)[:, None]
        all_flm = np.ascontiguousarray(counts_lm * is_in_fn[:, None, :])
        yes_flm = np.ascontiguousarray(yes_lm * is_in_fn[:, None, :])
        return _without_each(z_lm, all_flm, yes_flm.sum(axis=2), (yes_flm * z_lm).sum(axis=2))
    size = c * BINS
    sums_fk, z_k = np.zeros((n_parts, size)), np.zeros(size)
    yes_fl, z_of_yes_fl = np.zeros((n_parts, c)), np.zeros((n_parts, c))
    first_of_label_c = BINS * np.arange(c)
    most = max(1, max(BLOCK_VALUES, 4 * size) // c)
    for f in range(n_parts):
        part = np.flatnonzero(part_n == f)
        for start in range(0, len(part), most):
            block = part[start : start + most]
            z_nc, yes_nc = rows.logits_nc[block], rows.targets[block]
            counted_nc: NDArray[Any] = z_nc
            counts_nc = None if rows.counts is None else rows.counts[block]
            at_nc = np.clip(z_nc * (slope * BINS / 2 / WIDEST) + BINS / 2, 0, BINS - 1).astype(np.intp)
            at_nc += first_of_label_c
            at_k = at_nc.ravel()
            if counts_nc is not None:
                counted_nc, yes_nc = counts_nc * z_nc, counts_nc * yes_nc
            sums_fk[f] += np.bincount(at_k, None if counts_nc is None else counts_nc.ravel(), size)
            z_k += np.bincount(at_k, counted_nc.ravel(), size)
            yes_fl[f] += yes_nc.sum(axis=0, dtype=np.float64)
            z_of_yes_fl[f] += np.einsum("nc,nc->c", yes_nc, z_nc, dtype=np.float64)
    sum_k = sums_fk.sum(axis=0)
    z_k /= np.where(sum_k > 0, sum_k, 1.0)
    return _without_each(z_k.reshape(c, BINS), sums_fk.reshape(n_parts, c, BINS), yes_fl, z_of_yes_fl)


def _without_each(z_lm: Float64, *of_parts: Float64) -> Parts:
    """From sums over each part to those over all, and over all but each part."""
    wholes = (parts.sum(axis=0, keepdims=True) for parts in of_parts)
    return Parts(z_lm, *(np.concatenate([all_, all_ - each]) for all_, each in zip(wholes, of_parts, strict=True)))


def fit_scale_and_bias(parts: Parts, shared_f: Float64) -> tuple[Float64, Float64]:
    """Slopes and biases (f, l) at which each part loses least, beside what holds them near `shared_f` and 0."""
    n_labels, m = parts.z_lm.shape
    found = []
    for some in _labels_at_a_time(n_labels, len(shared_f) * m):
        own = Parts(parts.z_lm[some], parts.all_flm[:, some], parts.yes_fl[:, some], parts.z_of_yes_fl[:, some])
        start_fl = np.repeat(shared_f[:, None], len(own.z_lm), axis=1)
        found.append(_minimisers(own, start_fl, start_fl, np.zeros(start_fl.shape), NEARLY))
    slopes, biases = zip(*found, strict=True)
    return np.concatenate(slopes, axis=1), np.concatenate(biases, axis=1)


def refine(rows: HeldOut, shared: float, slope_l: Float64, bias_l: Float64) -> tuple[Float64, Float64]:
    """From slopes and biases of groups to those of the rows themselves, (l,)."""
    n, c = rows.logits_nc.shape
    found = []
    for some in _labels_at_a_time(c, n):
        z_lm, counts_lm, yes_lm = _by_label(rows, some)
        shared_fl = np.full((1, len(z_lm)), shared)
        start = (slope_l[None, some], bias_l[None, some])
        own = Parts(z_lm, counts_lm[None], yes_lm.sum(axis=1)[None], (yes_lm * z_lm).sum(axis=1)[None])
        found.append(_minimisers(own, shared_fl, *start, EXACT))
    slopes, biases = zip(*found, strict=True)
    return np.concatenate(slopes, axis=1)[0], np.concatenate(biases, axis=1)[0]


def _by_label(rows: HeldOut, labels: slice) -> tuple[Float64, Float64, Float64]:
    """Of some labels the logits, what they count for and of that the targets' shares; in C order."""
    z_lm = np.ascontiguousarray(rows.logits_nc[:, labels].T, np.float64)
    counts_lm = np.ones(z_lm.shape) if rows.counts is None else np.ascontiguousarray(rows.counts[:, labels].T)
    return z_lm, counts_lm, np.ascontiguousarray(rows.targets[:, labels].T, np.float64) * counts_lm


def _labels_at_a_time(n_labels: int, values: int) -> list[slice]:
    most = max(1, BLOCK_VALUES // values)
    return [slice(start, start + most) for start in range(0, n_labels, most)]


def _minimisers(
    parts: Parts, shared_fl: Float64, beta_fl: Float64, b_fl: Float64, tolerance: float
) -> tuple[Float64, Float64]:
    """Newton's method, from β and b, on a function that is strictly convex; all parts and labels at a time.

    A step that went too far, so that the slope along it is more than half of what it was, is halved. None takes β
    below a tenth of itself, nor above ten times: where all rows are right nothing bends but the prior, and a step could
    leave the range of numbers.
    """
    z_lm, squares_lm = parts.z_lm, parts.z_lm**2
    step_beta_fl, step_b_fl, fell_fl = (np.zeros(beta_fl.shape) for _ in range(3))
    for _ in range(100):
        with np.errstate(over="ignore"):
            p_flm = 1.0 / (1.0 + np.exp(-beta_fl[..., None] * z_lm - b_fl[..., None]))
        counted_flm = parts.all_flm * p_flm
        slope_beta_fl = np.einsum("flm,lm->fl", counted_flm, z_lm) - parts.z_of_yes_fl
        slope_beta_fl += SLOPE_PRIOR * (1.0 / shared_fl - 1.0 / beta_fl)
        slope_b_fl = counted_flm.sum(axis=2) - parts.yes_fl + BIAS_PRIOR * b_fl
        is_too_far_fl = slope_beta_fl * step_beta_fl + slope_b_fl * step_b_fl > fell_fl / 2
        if is_too_far_fl.any():
            half_fl = np.where(is_too_far_fl, 0.5, 0.0)
            step_beta_fl, step_b_fl, fell_fl = half_fl * step_beta_fl, half_fl * step_b_fl, half_fl * fell_fl
            beta_fl, b_fl = beta_fl - step_beta_fl, b_fl - step_b_fl
            continue
        counted_flm *= 1.0 - p_flm
        bend_beta_fl = np.einsum("flm,lm->fl", counted_flm, squares_lm) + SLOPE_PRIOR / beta_fl**2
        bend_both_fl = np.einsum("flm,lm->fl", counted_flm, z_lm)
        bend_b_fl = counted_flm.sum(axis=2) + BIAS_PRIOR
        square_fl = bend_beta_fl * bend_b_fl
        determinant_fl = np.maximum(square_fl - bend_both_fl**2, 1e-14 * square_fl)
        step_beta_fl = (bend_both_fl * slope_b_fl - bend_b_fl * slope_beta_fl) / determinant_fl
        step_b_fl = (bend_both_fl * slope_beta_fl - bend_beta_fl * slope_b_fl) / determinant_fl
        fell_fl = -(slope_beta_fl * step_beta_fl + slope_b_fl * step_b_fl)
        is_far_fl = fell_fl > tolerance
        if not is_far_fl.any():
            break
        most_fl = np.where(step_beta_fl < 0, 0.9, 9.0) * beta_fl
        kept_fl = is_far_fl * np.minimum(1.0, most_fl / np.maximum(np.abs(step_beta_fl), 1e-300))
        step_beta_fl, step_b_fl, fell_fl = kept_fl * step_beta_fl, kept_fl * step_b_fl, kept_fl * fell_fl
        beta_fl, b_fl = beta_fl + step_beta_fl, b_fl + step_b_fl
    return beta_fl, b_fl
