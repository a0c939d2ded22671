"""How far probabilities are from shares: the expected calibration error (ECE) over bins of equal mass.

Not debiased. The error is a mean of absolute gaps, and on few rows even true probabilities leave gaps by chance; what
is known to remove that from absolute gaps removes less than half of it. So the figure is the one of the literature, and
beside it stands what chance alone would give, which is known in closed form.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .counts import finite

BINS = 15


def calibration_error(
    probabilities_n: NDArray[np.float32], truth_n: NDArray[np.float64], weights_n: NDArray[np.float64] | None = None
) -> tuple[float | None, float | None]:
    """ECE, and what it would be on average by chance were the probabilities true; None of no rows.

    Args:
        probabilities_n: of what `truth_n` says.
        truth_n: 0 or 1, or what is known of it as a probability.
        weights_n: what each row counts for.

    The bins hold equal weight as far as equal probabilities allow, which share a bin: the one that the middle of their
    weight falls into. So the order of the rows changes nothing, and a whole weight is that many copies.
    By chance, Σ w·(t − p) of a bin is about normal with variance Σ w²·p·(1 − p), a row being drawn once whatever it
    weighs; the mean of its absolute value is √(2/π) times the deviation.
    """
    n = len(probabilities_n)
    order_n = np.argsort(probabilities_n, kind="stable")
    p_n = probabilities_n[order_n].astype(np.float64)
    weights_n = np.ones(n) if weights_n is None else weights_n[order_n]
    if n == 0 or not (total := weights_n.sum()) > 0 or not math.isfinite(p_n[-1]):
        return None, None
    first = np.flatnonzero(np.append(True, p_n[1:] != p_n[:-1]))
    of_tie = np.add.reduceat(weights_n, first)
    middle = np.cumsum(of_tie) - of_tie / 2
    bin_n = np.repeat(np.minimum(middle / total * BINS, BINS - 1).astype(np.int64), np.diff(first, append=n))
    gaps = np.bincount(bin_n, weights_n * (truth_n[order_n] - p_n))
    variances = np.bincount(bin_n, weights_n**2 * p_n * (1 - p_n))
    by_chance = math.sqrt(2 / math.pi) * np.sqrt(variances).sum() / total
    return finite(np.abs(gaps).sum() / total), finite(by_chance)
