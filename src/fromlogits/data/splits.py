"""Which rows are held out: stratified, and fixed by the seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .label_sets import SparseLabels

COUNTER = [0, 0, 0, 4]  # the last word says what for: 1 is weights, 2 the row order, 3 dropout

Rows = NDArray[np.int64]


def validation_rows(
    targets: NDArray[Any] | SparseLabels, n_classes: int, fraction: float, seed: int
) -> tuple[Rows, Rows]:
    """(training rows, held-out rows), both sorted.

    Multi-class: each class gives its share, in whole rows by largest remainders; a class keeps at least one
    training row. Multi-label: iterative stratification (Sechidis, Tsoumakas & Vlahavas, ECML PKDD 2011), rarest
    label first; a label that is set in two rows or more keeps at least one of them for training.

    Args:
        targets: class numbers (n,), or a 0/1 matrix (n, n_classes).
        n_classes: classes or labels.
        fraction: share of the rows to hold out, in (0, 1).
        seed: the same seed gives the same rows with every version of NumPy.
    """
    n = len(targets)
    wanted = min(max(round(n * fraction), 1), n - 1)
    cure = " Give more rows, or a file of them (--valid FILE), or set early_stopping=false and calibrate=false."
    if wanted < 1:
        raise InputError(f"validation rows can't be held out of {n} row{'s' * (n != 1)}.{cure}")
    order = np.argsort(np.random.Philox(key=seed, counter=COUNTER).random_raw(n), kind="stable")
    if isinstance(targets, SparseLabels) or targets.ndim == 2:
        held_out = _by_labels(targets, wanted, order)
    else:
        held_out = _by_class(targets, n_classes, wanted, order)
    if not held_out.any():
        raise InputError(f"validation rows can't be held out: each of the {n_classes} classes has a single row.{cure}")
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _by_class(codes: NDArray[Any], n_classes: int, wanted: int, order: Rows) -> NDArray[np.bool_]:
    counts = np.bincount(codes, minlength=n_classes)
    share = counts * (wanted / len(codes))
    most = np.maximum(counts - 1, 0)
    take = np.minimum(np.floor(share).astype(np.int64), most)
    while (short := wanted - int(take.sum())) > 0 and (take < most).any():
        remainder = np.where(take < most, share - take, -np.inf)
        take[np.argsort(-remainder, kind="stable")[: min(short, int((take < most).sum()))]] += 1
    by_class = order[np.argsort(codes[order], kind="stable")]  # class by class, in random order within each
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(codes))
    rank -= np.repeat(starts, counts)
    held_out = np.zeros(len(codes), bool)
    held_out[by_class] = rank < np.repeat(take, counts)
    return held_out


def _by_labels(matrix: NDArray[Any] | SparseLabels, wanted: int, order: Rows) -> NDArray[np.bool_]:
    n, n_labels = matrix.shape
    fraction = wanted / n
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    rows, labels = matrix.nonzero()  # of the matrix as it is: one of many labels is not copied
    place = rank[rows]
    by_place = np.argsort(place, kind="stable")
    place, labels = place[by_place], labels[by_place]
    bounds = np.searchsorted(place, np.arange(n + 1)).tolist()
    labels_of = [labels[bounds[k] : bounds[k + 1]].tolist() for k in range(n)]
    rows_of: list[list[int]] = [[] for _ in range(n_labels)]
    for k, own in enumerate(labels_of):
        for label in own:
            rows_of[label].append(k)
    left = [len(rows) for rows in rows_of]
    want_held = [fraction * count for count in left]
    want_kept = [count - held for count, held in zip(left, want_held, strict=True)]
    held = [False] * n
    is_open = [True] * n
    rows_to_hold = wanted

    def place_row(k: int, hold: bool) -> None:
        nonlocal rows_to_hold
        is_open[k] = False
        held[k] = hold
        rows_to_hold -= hold
        want = want_held if hold else want_kept
        for label in labels_of[k]:
            want[label] -= 1
            left[label] -= 1

    while open_labels := [label for label in range(n_labels) if left[label]]:
        label = min(open_labels, key=left.__getitem__)
        for k in rows_of[label]:
            if is_open[k]:
                place_row(k, rows_to_hold > 0 and want_held[label] > want_kept[label])
    for k in range(n):  # rows without labels fill up what is left to hold out
        if is_open[k]:
            place_row(k, rows_to_hold > 0)
    held_out = np.zeros(n, bool)
    held_out[order] = held
    return held_out
