"""One threshold for many labels, by the micro-average of F, without ranking every entry.

Entries are first counted in narrow bands of probability. What F can be inside a band is bounded by the hits at its
lower end over the decisions at its upper end: nearly all bands are ruled out, and only the entries of the others are
ranked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..heads import THRESHOLD
from .cuts import best_cut
from .folds import FOLDS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

BAND_BITS = 14
"""Last bits of a float32 that a band leaves open: 512 bands from one power of 2 to the next."""
N_BANDS = int(np.ones(1, np.float32).view(np.uint32)[0] >> BAND_BITS) + 2
"""Up to a probability of 1. The first is 0 alone, for which no threshold decides."""
ROUNDING = 1e-9
"""What the rounding of sums may take from a bound."""


@dataclass(frozen=True, eq=False)
class Entries:
    """Of labels in rows: probability, whether it is true, how likely it is, weight (None: 1), fold."""

    p: Float32
    truth: Bools
    likely: Float64
    weights: Float64 | None
    fold: NDArray[np.int64]

    @property
    def bands(self) -> NDArray[np.int64]:
        return (self.p.view(np.uint32).astype(np.int64) + ((1 << BAND_BITS) - 1)) >> BAND_BITS

    def take(self, places: Any) -> Entries:
        weights = None if self.weights is None else self.weights[places]
        return Entries(self.p[places], self.truth[places], self.likely[places], weights, self.fold[places])


@dataclass(frozen=True, eq=False)
class _Sums:
    """Over entries in a band: all, those that are true, and how likely they are. The most probable band first."""

    all: Float64
    true: Float64
    likely: Float64
    trust: float

    @property
    def shares(self) -> Float64:
        return self.trust * self.true + (1.0 - self.trust) * self.likely


def common_thresholds(blocks: Callable[[], Iterator[Entries]], beta: float, prior: float) -> Float64:
    """The best threshold without each fold, and of all entries: (FOLDS + 1,).

    Args:
        blocks: all entries, some at a time; called twice.
        prior: rows that the probabilities themselves are worth.
    """
    sums, squares = np.zeros((3, FOLDS, N_BANDS)), np.zeros((2, FOLDS))
    for block in blocks():
        places, counted = block.fold * N_BANDS + block.bands, block.weights
        truth = block.truth.astype(np.float64)
        each = (counted, truth, block.likely) if counted is None else (counted, counted * truth, counted * block.likely)
        for total, values in zip(sums, each, strict=True):
            total += np.bincount(places, values, total.size).reshape(total.shape)
        of_answers = truth if counted is None else counted**2 * truth
        squares[1] += np.bincount(block.fold, of_answers, FOLDS)
        squares[0] += np.bincount(block.fold, (1.0 if counted is None else counted**2) - of_answers, FOLDS)
    kept = [np.arange(FOLDS) != left_out for left_out in range(FOLDS + 1)]
    of_each = [_of(sums[:, folds], squares[:, folds], prior) for folds in kept]
    is_open = np.any([_open(one, beta) for one in of_each], axis=0)
    ranked = _ranked(blocks, is_open)
    return np.array([_threshold(ranked, is_open, one, folds, beta) for one, folds in zip(of_each, kept, strict=True)])


def _of(sums: Float64, squares: Float64, prior: float) -> _Sums:
    counts, true, likely = sums.sum(axis=1)[:, ::-1]
    of_answers = np.array([counts.sum() - true.sum(), true.sum()])
    # Without an answer its sum is 0 but for rounding, and its squares are exactly 0.
    numbers = np.divide(of_answers**2, squares.sum(axis=1), out=np.zeros(2), where=squares.sum(axis=1) > 0)
    rarer = float(numbers.min())
    return _Sums(counts, true, likely, rarer / (prior + rarer) if rarer else 0.0)


def _open(sums: _Sums, beta: float) -> Bools:
    """Bands that may hold the best cut, and below each the next one with an entry, where its gap ends."""
    hits, yes, below = sums.shares.cumsum(), sums.all.cumsum(), beta**2 * float(sums.shares.sum())
    is_there = sums.all > 0
    if below == 0 or not is_there[:-1].any():
        return np.zeros(len(yes), bool)
    reached = hits / (below + yes)
    bound = hits / (below + np.append(0.0, yes[:-1]))
    is_open: Bools = is_there & (bound >= reached[:-1].max() * (1 - ROUNDING))
    there = np.flatnonzero(is_there)
    is_open[there[1:]] |= is_open[there[:-1]]
    return is_open


def _ranked(blocks: Callable[[], Iterator[Entries]], is_open: Bools) -> Entries:
    """The entries of open bands, the most probable first."""
    parts = [block.take(np.flatnonzero(is_open[::-1][block.bands])) for block in blocks()]
    if not parts:
        none = np.empty(0)
        return Entries(none.astype(np.float32), none > 0, none, None, none.astype(np.int64))
    p, truth, likely, fold = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("p", "truth", "likely", "fold")
    )
    weights = [part.weights for part in parts if part.weights is not None]
    entries = Entries(p, truth, likely, np.concatenate(weights) if weights else None, fold)
    return entries.take(np.argsort(-p))


def _threshold(ranked: Entries, is_open: Bools, sums: _Sums, folds: Bools, beta: float) -> float:
    """The best one of the entries in these folds."""
    total, positives = sums.all.sum(), sums.shares.sum()
    entries = ranked.take(np.flatnonzero(np.append(folds, False)[ranked.fold]))
    if not 0 < positives < total or not entries.p.any():  # probabilities of 0 or 1 alone
        return THRESHOLD
    last = np.flatnonzero(np.append(entries.p[1:] != entries.p[:-1], entries.p[-1] > 0))
    passed = N_BANDS - 1 - entries.bands
    counts = np.ones(len(entries.p)) if entries.weights is None else entries.weights
    shares = counts * (sums.trust * entries.truth + (1.0 - sums.trust) * entries.likely)
    skipped_yes, skipped_hits = (np.where(is_open, 0.0, each).cumsum() for each in (sums.all, sums.shares))
    yes = (counts.cumsum() + skipped_yes[passed])[last]
    hits = (shares.cumsum() + skipped_hits[passed])[last]
    return best_cut((1 + beta**2) * hits / (beta**2 * positives + yes), np.append(entries.p[last], np.float32(0)))
