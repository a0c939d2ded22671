"""What the order of the scores is worth: ROC AUC and average precision.

Both follow from how many true and false rows lie at each step down the scores. The steps are the distinct scores of the
true rows, and one between each two of them: what is false is never sorted, and of many labels or classes most is false.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from .counts import mean

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Sums = NDArray[np.int64] | Float64
Entries = tuple[Float32, Bools, Float64 | None]
"""Scores, truth and counts."""
BLOCK = 1 << 20
"""Entries that are placed at a time."""
TINY = np.finfo(float).tiny


def ranked(scores: Float32, truth: Bools, counts: Float64 | None = None) -> tuple[float | None, float | None]:
    """ROC AUC and average precision; None where undefined.

    Args:
        scores: larger is likelier; of rows (n,), or of all entries together (n, c).
        truth: whether the label is set; of the same shape, as `counts`.
        counts: what each counts for; 0 leaves it out. None: 1.
    """
    return ranked_together(lambda: [(scores, truth, counts)])


def ranked_together(parts: Callable[[], Iterable[Entries]]) -> tuple[float | None, float | None]:
    """The same of entries that come in parts, each as `ranked` takes them, all with counts or none.

    Args:
        parts: gives them, the same ones each time; asked twice.
    """
    sums = _sums(parts)
    return roc_auc(*sums), average_precision(*sums)


class RankFigures(ABC):
    """The figures of ranks, of a case that ranks each class or label, and all entries together."""

    @property
    @abstractmethod
    def ranked(self) -> Sequence[tuple[float | None, float | None]]:
        """ROC AUC and average precision, class by class or label by label."""

    @property
    @abstractmethod
    def pooled(self) -> tuple[float | None, float | None]:
        """The same of all entries."""

    @property
    def macro_roc_auc(self) -> float | None:
        return mean([auc for auc, _ in self.ranked])

    @property
    def macro_average_precision(self) -> float | None:
        return mean([precision for _, precision in self.ranked])

    @property
    def micro_roc_auc(self) -> float | None:
        return self.pooled[0]

    @property
    def micro_average_precision(self) -> float | None:
        return self.pooled[1]


class Ranking:
    """The rows of one label in their places, to be judged however often each is there.

    Args: as of `ranked`, all (n,).
    """

    def __init__(self, scores_n: Float32, truth_n: Bools, counts_n: Float64 | None = None) -> None:
        steps = _steps(scores_n, truth_n, counts_n)
        self.number = 2 * len(steps) + 1
        self.place_n, self.counts_n = _places(steps, scores_n), counts_n
        self.true = np.flatnonzero(truth_n)

    def resampled(self, times_n: Float64) -> float:
        """ROC AUC where each row is there so many times; NaN where undefined."""
        counts_n = times_n if self.counts_n is None else times_n * self.counts_n
        new = np.bincount(self.place_n, counts_n, self.number)[::-1]
        new_hits = np.bincount(self.place_n[self.true], counts_n[self.true], self.number)[::-1]
        new_misses, hits = new - new_hits, np.cumsum(new_hits)
        pairs = hits[-1] * new_misses.sum()
        # Not by @: OpenBLAS would share such short sums with other threads, and wait for them on a busy machine.
        return float((new_misses * (hits - new_hits / 2)).sum() / pairs) if pairs > 0 else np.nan


def _steps(scores: Float32, truth: Bools, counts: Float64 | None) -> Float32:
    """The distinct scores of what is true, rising."""
    return np.unique(scores[truth if counts is None else truth & (counts > 0)])


def _places(steps: Float32, scores: Float32) -> NDArray[np.int64]:
    """2·j + 1 where a score is the j-th step, 2·j where it lies between the one before and that."""
    j = np.searchsorted(steps, scores)
    return 2 * j + (steps[np.minimum(j, len(steps) - 1)] == scores) if len(steps) else j


def _sums(parts: Callable[[], Iterable[Entries]]) -> tuple[Sums, Sums]:
    """True and false ones down to each step from the best, or their weight: equal scores enter together."""
    steps = np.unique(np.concatenate([_steps(*part) for part in parts()]))
    new = np.zeros((2, 2 * len(steps) + 1))
    has_counts = False
    for part in parts():
        scores, truth = part[0].reshape(-1), part[1].reshape(-1)
        counts = None if part[2] is None else part[2].reshape(-1)
        has_counts = counts is not None
        for start in range(0, scores.size, BLOCK):
            some = slice(start, start + BLOCK)
            places = _places(steps, scores[some])
            for of_side, side in zip(new, (truth[some], ~truth[some]), strict=True):
                of_side += np.bincount(places[side], None if counts is None else counts[some][side], new.shape[1])
    hits, misses = np.cumsum(new[:, ::-1], axis=1)
    return (hits, misses) if has_counts else (hits.astype(np.int64), misses.astype(np.int64))


def roc_auc(hits: Sums, misses: Sums) -> float | None:
    """The share of (true, false) pairs in order, equal scores counting half; integers stay exact until one division."""
    if not (hits[-1] > 0 and misses[-1] > 0):
        return None
    new_hits, new_misses = np.diff(hits, prepend=0), np.diff(misses, prepend=0)
    twice = (new_misses * (2 * (hits - new_hits) + new_hits)).sum().item()
    return float(twice / (2 * hits[-1].item() * misses[-1].item()))


def average_precision(hits: Sums, misses: Sums) -> float | None:
    """Σ (recall_k − recall_{k−1}) · precision_k over the distinct scores, without interpolation."""
    if not hits[-1] > 0:
        return None
    return float((np.diff(hits, prepend=0) * (hits / np.maximum(hits + misses, TINY))).sum() / hits[-1])
