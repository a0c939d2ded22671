"""Whether a number says what it says by its order: then rows of the values beside one's own are like one's own rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .label_sets import SparseLabels

MOST_CLASSES = 50
"""The others are one class."""
MOST_LABELS = 20
"""That are looked at: those that most rows have."""
PRIOR_ROWS = 2.0
"""So many rows of the whole table are thought to stand beside those of a value, whose shares are then never 0."""
ENOUGH_ROWS = 50
"""On either side neighbours are taken until they have as many rows as the value itself, or so many."""
TINY = 1e-9
"""Rows of a class that no row has: its share is no 0."""
LEAST_NATS, LEAST_SHARE = 10.0, 0.03
"""What a value must say of the target in all rows, and of what there is to be known: less may be chance."""

MISLED = 0.25
"""So much of what a value says, at least, its neighbours say wrongly."""

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """What rows came to: of each of some problems the class of each row.

    Attributes:
        classes: of each problem (n,), which class a row has.
        sizes: of each problem how many classes there are.
    """

    classes: tuple[NDArray[np.int64], ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, targets: NDArray[Any] | SparseLabels, rows: NDArray[np.int64] | None = None) -> Outcomes:
        """Of classes (n,) one problem, of labels (n, labels) one for each; probabilities count as what is likelier."""
        n = len(targets) if rows is None else len(rows)
        places: Any = slice(None) if rows is None else rows
        problems = [] if n == 0 else [_merged(one) for one in _columns(targets, places)]
        kept = [one for one in problems if one.max() > 0]
        return cls(tuple(kept), tuple(int(one.max()) + 1 for one in kept))

    def take(self, which: NDArray[Any]) -> Outcomes:
        """Of some of the rows."""
        return Outcomes(tuple(one[which] for one in self.classes), self.sizes)


def says_more_alone(values: Float64, outcomes: Outcomes, counts: Float64 | None = None) -> bool:
    """Whether a value tells the outcome of its other rows, and the values on both sides of it mislead.

    Of a quantity both tell much the same; by its neighbours a code, such as the number of a household, is worse known
    than by nothing.

    Args:
        values: (n,), all finite.
        outcomes: of these rows.
        counts: how many rows each stands for; None: one.
    """
    to_know, left_by_value, left_by_neighbours = uncertainties(values, outcomes, counts)
    told = to_know - left_by_value
    misled = left_by_neighbours - to_know
    return told >= max(LEAST_NATS, LEAST_SHARE * to_know) and misled >= MISLED * told


def uncertainties(values: Float64, outcomes: Outcomes, counts: Float64 | None = None) -> tuple[float, float, float]:
    """Nats of all rows and problems together, each row predicted by shares of the classes: by those in all rows; by
    those in the other rows of its value; by those in the rows of the nearest values below and above, averaged.
    """
    distinct, places = np.unique(values, return_inverse=True)
    total = float(len(values) if counts is None else counts.sum())
    all_rows = own = beside = 0.0
    for classes, size in zip(outcomes.classes, outcomes.sizes, strict=True):
        found = np.bincount(places * size + classes, counts, len(distinct) * size)
        rows_vc: Float64 = found.reshape(len(distinct), size).astype(np.float64)
        n_v = rows_vc.sum(axis=1)
        share_c = (rows_vc.sum(axis=0) + TINY) / (total + TINY * size)
        all_rows += _nats(rows_vc, np.broadcast_to(share_c, rows_vc.shape))
        own += _nats(rows_vc, _shares(np.maximum(rows_vc - 1, 0), share_c, n_v - 1))
        beside += _nats(rows_vc, _of_neighbours(rows_vc, share_c))
    return all_rows, own, beside


def _columns(targets: NDArray[Any] | SparseLabels, places: Any) -> Iterator[NDArray[Any]]:
    if isinstance(targets, np.ndarray) and targets.ndim == 1:
        yield targets[places]
        return
    n_labels = targets.shape[1]
    if isinstance(targets, np.ndarray):
        totals = targets.sum(axis=0)
    else:
        totals = np.bincount(targets.nonzero()[1], minlength=n_labels)
    for label in np.argsort(totals, kind="stable")[::-1][:MOST_LABELS]:
        yield np.asarray(targets[:, label])[places] > 0.5


def _merged(classes: NDArray[Any]) -> NDArray[np.int64]:
    """The frequent classes by numbers of their own, and the others by one."""
    distinct, places, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if len(distinct) <= MOST_CLASSES:
        return places.astype(np.int64)
    number = np.full(len(distinct), MOST_CLASSES, np.int64)
    number[np.argsort(counts, kind="stable")[::-1][:MOST_CLASSES]] = np.arange(MOST_CLASSES)
    return number[places]


def _nats(rows_vc: Float64, share_vc: Float64) -> float:
    return -float((rows_vc * np.log(share_vc)).sum())


def _shares(rows_vc: Float64, share_c: Float64, n_v: Float64) -> Float64:
    shares: Float64 = (rows_vc + PRIOR_ROWS * share_c) / (np.maximum(n_v, 0) + PRIOR_ROWS)[:, np.newaxis]
    return shares


def _of_neighbours(rows_vc: Float64, share_c: Float64) -> Float64:
    """(values, classes): the mean of the shares in the rows of the next values below and above."""
    n_v = rows_vc.sum(axis=1)
    needed_v = np.minimum(n_v, ENOUGH_ROWS)
    up_to_vc = np.vstack([np.zeros(rows_vc.shape[1]), rows_vc.cumsum(axis=0)])
    rows_up_to_v = up_to_vc.sum(axis=1)
    first_v = np.maximum(np.searchsorted(rows_up_to_v, rows_up_to_v[:-1] - needed_v, side="right") - 1, 0)
    last_v = np.minimum(np.searchsorted(rows_up_to_v, rows_up_to_v[1:] + needed_v), len(n_v))
    below_vc, above_vc = up_to_vc[:-1] - up_to_vc[first_v], up_to_vc[last_v] - up_to_vc[1:]
    sides = [(side, side.sum(axis=1)) for side in (below_vc, above_vc)]
    parts = [_shares(side, share_c, n) * (n > 0)[:, np.newaxis] for side, n in sides]
    there_v = sum((n > 0).astype(np.float64) for _, n in sides)
    mean_vc: Float64 = sum(parts) / np.maximum(there_v, 1)[:, np.newaxis]
    return np.where(mean_vc > 0, mean_vc, share_c)
