"""Which rows are held out or make a fold: stratified, in whole groups or by time, and fixed by the seed."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import csr
from .label_sets import SparseLabels

HELD_OUT_STREAM, FOLD_STREAM, SETS_STREAM = 4, 6, 8
"""The last word of the generator's counter says what for: 1 is weights, 2 the row order, 3 dropout, 5 members."""
BLOCK_ROWS = 4096
CURE = "Give more rows, or a file of them (--valid FILE), or set early_stopping=false and calibrate=false."

Rows = NDArray[np.int64]
Targets = NDArray[Any] | SparseLabels


class EachClassOnce(InputError):
    """No row can be spared, as each class has a single one."""


def held_out(
    split: Mapping[str, Any],
    targets: Targets,
    n_classes: int,
    groups: Rows | None = None,
    times: NDArray[Any] | None = None,
) -> Rows | None:
    """The rows, sorted, that a split as the training record describes it holds out; None where it describes none.

    Args:
        split: {"kind": "fraction" or "group", "fraction", "seed"}, or {"kind": "time", "fraction"}.
        targets: class numbers (n,), or a 0/1 matrix (n, n_classes), dense or sparse; see `TargetEncoder.strata`.
        groups: the number of each row's group, from 0; needed by kind "group".
        times: a number for each row's time; needed by kind "time".
    """
    kind, fraction, seed = split.get("kind"), split.get("fraction"), split.get("seed")
    if type(fraction) is not float or not 0 < fraction < 1:  # the record may come from a stranger
        return None
    if kind == "time":
        return None if times is None else last_rows(times, fraction)[1]
    if kind not in ("fraction", "group") or type(seed) is not int or not 0 <= seed < 2**63:
        return None
    if kind == "group" and groups is None:
        return None
    return validation_rows(targets, n_classes, fraction, seed, groups if kind == "group" else None)[1]


def validation_rows(
    targets: Targets, n_classes: int, fraction: float, seed: int, groups: Rows | None = None
) -> tuple[Rows, Rows]:
    """(training rows, held-out rows), both sorted.

    Multi-class: each class gives its share, in whole rows by largest remainders; a class keeps at least one
    training row. Multi-label: iterative stratification (Sechidis, Tsoumakas & Vlahavas, ECML PKDD 2011), rarest
    label first; a label that is set in two rows or more keeps at least one of them for training, and an unknown one
    (NaN) counts for nothing. With groups, iterative stratification deals whole groups, large ones first; a class keeps
    at least one training row.

    Args:
        targets: class numbers (n,), or a 0/1 matrix (n, n_classes), dense or sparse; see `TargetEncoder.strata`.
        n_classes: classes or labels.
        fraction: share of the rows to hold out, in (0, 1).
        seed: the same seed gives the same rows with every version of NumPy.
        groups: the number of each row's group, from 0; the rows of a group stay together.
    """
    n, is_class = len(targets), _is_class(targets)
    wanted = min(max(round(n * fraction), 1), n - 1)
    if wanted < 1:
        raise InputError(f"validation rows can't be held out of {n} row{'s' * (n != 1)}. {CURE}")
    if _is_class(targets) and groups is None:
        is_held = _by_class(targets, n_classes, wanted, _random_order(n, seed, HELD_OUT_STREAM))
        if not is_held.any():
            raise EachClassOnce(
                f"validation rows can't be held out: each of the {n_classes} classes has a single row. {CURE}"
            )
    else:
        items = _items(targets, groups)
        if len(items) < 2:
            raise InputError(f"validation rows can't be held out: all {n} rows are of one group. {CURE}")
        order = _random_order(len(items), seed, HELD_OUT_STREAM)
        is_held = (
            _dealt(items, n_classes, [n - wanted, wanted], order, holds_out=True, keeps_all=is_class)[items.of_row] == 1
        )
        if not is_held.any():
            raise InputError(
                f"validation rows can't be held out: each of the {len(items)} groups has all the rows of some"
                f" {'class' if is_class else 'label'}. {CURE}"
            )
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def drawn_rows(n: int, n_drawn: int, seed: int, groups: Rows | None = None) -> tuple[Rows, Rows]:
    """(the other rows, rows drawn for prediction sets), both sorted.

    Not stratified: what such sets promise holds for rows that are drawn like those it was found on.

    Args:
        n: how many rows there are.
        n_drawn: how many are drawn, in (0, n); of whole groups, so many at least.
        seed: the same seed gives the same rows with every version of NumPy.
        groups: the number of each row's group, from 0; the rows of a group stay together.
    """
    groups = np.arange(n) if groups is None else groups
    sizes = np.bincount(groups)
    order = _random_order(len(sizes), seed, SETS_STREAM)
    n_groups = int(np.searchsorted(np.cumsum(sizes[order]), n_drawn)) + 1
    is_drawn = np.isin(groups, order[:n_groups])
    return np.flatnonzero(~is_drawn), np.flatnonzero(is_drawn)


def last_rows(times: NDArray[Any], fraction: float) -> tuple[Rows, Rows]:
    """(training rows, held-out rows), both sorted: held out are the last in time; rows of one time stay together.

    Args:
        times: a number for each row (n,).
        fraction: the share of the rows to hold out, in (0, 1), met as nearly as equal times allow.
    """
    n = len(times)
    order, cuts = _in_time(times)
    if not len(cuts):
        raise InputError(f"validation rows can't be held out by time: all {n} rows are of one time. {CURE}")
    wanted = min(max(round(n * fraction), 1), n - 1)
    cut = cuts[len(cuts) - 1 - int(np.argmin(np.abs(n - cuts[::-1] - wanted)))]
    return np.sort(order[:cut]), np.sort(order[cut:])


def folds(
    targets: Targets,
    n_classes: int,
    n_folds: int,
    seed: int,
    groups: Rows | None = None,
    *,
    option: str = "--folds ",
) -> Rows:
    """The number of each row's fold, from 0: (n,). Each fold has its share of every class or label.

    A class's rows are shared out to within one row, a label's by iterative stratification; see `validation_rows`.
    `option` is how a message says the number of folds.
    """
    n = len(targets)
    if n_folds > n:
        raise InputError(f"{n} rows can't make {n_folds} folds; give more rows, or fewer folds ({option}{n}).")
    if _is_class(targets) and groups is None:
        order = _random_order(n, seed, FOLD_STREAM)
        fold = np.empty(n, np.int64)
        fold[order[np.argsort(targets[order], kind="stable")]] = np.arange(n) % n_folds
        return fold
    items = _items(targets, groups)
    if len(items) < n_folds:
        raise InputError(
            f"{len(items)} group{'s' * (len(items) != 1)} of rows can't make {n_folds} folds; each fold needs one."
            + (f" Fewer folds: {option}{len(items)}." if len(items) > 1 else "")
        )
    room = [(n + n_folds - 1 - fold) // n_folds for fold in range(n_folds)]
    return _dealt(items, n_classes, room, _random_order(len(items), seed, FOLD_STREAM))[items.of_row]


def time_folds(times: NDArray[Any], n_folds: int) -> Rows:
    """The number of each row's fold in time, from 0: (n,); -1 for the first rows, which no fold judges.

    Fold k is judged after training on all that comes before it. The n_folds + 1 blocks of rows are as even as equal
    times, which stay together, allow.
    """
    n = len(times)
    order, cuts = _in_time(times)
    if len(cuts) < n_folds:
        raise InputError(
            f"{len(cuts) + 1} different times can't make {n_folds} folds in time, each with earlier rows to train on;"
            " give more rows, or fewer folds (--folds)."
        )
    fold = np.full(n, -1, np.int64)
    last = -1
    for k in range(n_folds):
        nearest = int(np.argmin(np.abs(cuts - n * (k + 1) / (n_folds + 1))))
        last = min(max(nearest, last + 1), len(cuts) - n_folds + k)
        fold[order[cuts[last] :]] = k
    return fold


def _in_time(times: NDArray[Any]) -> tuple[Rows, Rows]:
    """The rows from the first to the last, and how many lie before each change of the time."""
    order = np.argsort(times, kind="stable")
    in_order = times[order]
    return order, np.flatnonzero(in_order[1:] != in_order[:-1]) + 1


def _random_order(n: int, seed: int, stream: int) -> Rows:
    return np.argsort(np.random.Philox(key=seed, counter=[0, 0, 0, stream]).random_raw(n), kind="stable")


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
    is_held = np.zeros(len(codes), bool)
    is_held[by_class] = rank < np.repeat(take, counts)
    return is_held


# --- iterative stratification ---


@dataclass(frozen=True)
class _Items:
    """What is dealt whole: rows, or groups of rows.

    Attributes:
        of_row: the item of each row (n,).
        sizes: the rows of each item.
        starts, labels, counts: item i has counts[j] rows with the label labels[j], for j from starts[i] to
            starts[i + 1]. A class is a label here.
    """

    of_row: Rows
    sizes: Rows
    starts: Rows
    labels: Rows
    counts: Rows

    def __len__(self) -> int:
        return len(self.sizes)


def _items(targets: Targets, groups: Rows | None) -> _Items:
    n = len(targets)
    rows, labels = (np.arange(n), targets.astype(np.int64)) if _is_class(targets) else _entries(targets)
    if groups is None:
        starts = np.searchsorted(rows, np.arange(n + 1))
        return _Items(np.arange(n), np.ones(n, np.int64), starts, labels, np.ones(len(labels), np.int64))
    n_items, n_labels = int(groups.max()) + 1, int(labels.max(initial=0)) + 1
    pairs, counts = np.unique(groups[rows] * n_labels + labels, return_counts=True)
    starts = np.searchsorted(pairs, np.arange(n_items + 1) * n_labels)
    return _Items(groups, np.bincount(groups), starts, pairs % n_labels, counts)


def _is_class(targets: Targets) -> TypeGuard[NDArray[Any]]:
    """Whether each row has one class; otherwise it has any number of labels."""
    return not isinstance(targets, SparseLabels) and targets.ndim == 1


def _entries(matrix: Targets) -> tuple[Rows, Rows]:
    """(rows, labels) of what is set, row by row. NaN is not."""
    if isinstance(matrix, SparseLabels):
        rows, labels = matrix.nonzero()
        return rows, labels.astype(np.int64)
    parts = [np.nonzero(matrix[start : start + BLOCK_ROWS] > 0.5) for start in range(0, len(matrix), BLOCK_ROWS)]
    rows_of_parts = [part[0] + BLOCK_ROWS * number for number, part in enumerate(parts)]
    return np.concatenate(rows_of_parts), np.concatenate([part[1] for part in parts])


def _dealt(
    items: _Items, n_labels: int, room: list[int], order: Rows, *, holds_out: bool = False, keeps_all: bool = False
) -> Rows:
    """The side that each item is dealt to: the rarest label first, as iterative stratification goes (Sechidis,
    Tsoumakas & Vlahavas, ECML PKDD 2011), but each item for the good of all its labels.

    A side's need of a label is what its share lacks once the items still to come are dealt in proportion. An item goes
    where it makes the sum of need² / √(the label's rows) least, over sides and labels; the rows themselves are a label
    that every item has. By the rarest label's need alone, the frequent labels of its rows are dealt blindly, and little
    is left to put them right: of EUR-Lex's 4 108 labels, one with 2 959 rows then has 236 of 4 500 held-out rows, not
    296. Without the division rare labels are dealt worse; with the rows in place of their root the frequent ones are.
    A side that is due a row of a label, and has none, comes first where it would else stay without.

    Args:
        room: how many rows each side takes.
        order: of the items, random; among items of one size it decides.
        holds_out: the second of two sides is held out of the first, which may take all: a label that several items have
            leaves a row there.
        keeps_all: and so does a label that a single one has.
    """
    n, sides = int(items.sizes.sum()), range(len(room))
    order = order[np.argsort(-items.sizes[order], kind="stable")]  # large groups are placed while there is choice
    own, places = csr.taken(items.starts, order)
    bounds, labels, counts = own.tolist(), items.labels[places], items.counts[places]
    sizes = items.sizes[order].tolist()
    totals = np.bincount(labels, counts, n_labels).astype(np.int64)
    shares = [rows / n for rows in room]
    lacks = [(totals * share).tolist() for share in shares]
    is_bare = [(totals * (rows + 1) > n).tolist() for rows in room]  # due a row, as nearly as whole rows allow
    n_bare = np.sum(is_bare, axis=0).tolist()
    scales = (1 / np.sqrt(np.maximum(totals, 1))).tolist()
    by_label, n_items_of = np.argsort(labels, kind="stable"), np.bincount(labels, minlength=n_labels)
    items_of = np.split(csr.rows_of_values(own)[by_label], np.cumsum(n_items_of)[:-1])
    labels, counts = labels.tolist(), counts.tolist()
    left, spare, spare_rows = totals.tolist(), (totals - (keeps_all | (n_items_of > 1))).tolist(), n - 1
    open_labels = [(count, label) for label, count in enumerate(left) if count]
    heapq.heapify(open_labels)
    side_of = [-1] * len(items)
    room, n_open, rows_open, side_is_empty = list(room), len(items), n, [True for _ in sides]

    def may_be_held(k: int) -> bool:
        return sizes[k] <= spare_rows and all(counts[j] <= spare[labels[j]] for j in range(bounds[k], bounds[k + 1]))

    def sides_for(k: int) -> list[int]:
        """Those that it fills better than it overfills them; at the end, the one with the most room."""
        if holds_out:
            return [0, 1] if 2 * room[1] >= sizes[k] and may_be_held(k) else [0]
        if n_open <= side_is_empty.count(True):
            return [side for side in sides if side_is_empty[side]]
        return [side for side in sides if 2 * room[side] >= sizes[k]] or [max(sides, key=room.__getitem__)]

    def gain(k: int, side: int) -> tuple[int, float, int]:
        """How many labels it keeps from having none there, what the sum above loses, and the room."""
        share, lack, bare, n_kept = shares[side], lacks[side], is_bare[side], 0
        loss = sizes[k] * (2 * (room[side] - share * (rows_open - sizes[k])) - sizes[k]) / n**0.5
        for j in range(bounds[k], bounds[k + 1]):
            label, count = labels[j], counts[j]
            n_kept += bare[label] and left[label] <= count * n_bare[label]
            loss += count * (2 * (lack[label] - share * (left[label] - count)) - count) * scales[label]
        return n_kept, loss / share, room[side]

    def put(k: int) -> None:
        nonlocal n_open, rows_open, spare_rows
        among = sides_for(k)
        side = among[0] if len(among) == 1 else max(among, key=lambda side: gain(k, side))
        n_open -= 1
        rows_open -= sizes[k]
        side_is_empty[side] = False
        side_of[k] = side
        room[side] -= sizes[k]
        lack, bare = lacks[side], is_bare[side]
        for j in range(bounds[k], bounds[k + 1]):
            label = labels[j]
            lack[label] -= counts[j]
            left[label] -= counts[j]
            n_bare[label] -= bare[label]
            bare[label] = False
            if left[label]:
                heapq.heappush(open_labels, (left[label], label))
        if holds_out and side == 1:
            spare_rows -= sizes[k]
            for j in range(bounds[k], bounds[k + 1]):
                spare[labels[j]] -= counts[j]

    while open_labels:
        count, label = heapq.heappop(open_labels)
        if count == left[label]:  # otherwise it has become rarer, and stood further in front
            for k in items_of[label].tolist():
                if side_of[k] < 0:
                    put(k)
    for k in range(len(items)):  # what has no label
        if side_of[k] < 0:
            put(k)
    if holds_out and 1 not in side_of:  # each is too large for the few rows wanted
        smallest = next((k for k in reversed(range(len(items))) if may_be_held(k)), None)
        if smallest is not None:
            side_of[smallest] = 1
    dealt = np.empty(len(items), np.int64)
    dealt[order] = side_of
    return dealt
