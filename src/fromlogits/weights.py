"""What rows, labels and classes count for: from what users say to what an engine and a metric take.

Rows count by their own weight, times that of their class; all of these together have the mean 1 over the rows that are
trained on, so that only their ratios matter; of rows that come call by call nobody knows it, and they are taken as they
are. A label that is set may count otherwise than one that is not. What weighs 0, or is unknown, takes no part. What is
learned of the features counts the rows by their own weight, whatever their class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import exact
from .data.label_sets import SparseLabels
from .data.targets import TargetEncoder
from .engines.base import UNWEIGHTED, Weights
from .errors import InputError, nearest
from .metrics import has_unknown, row_weights

Float64 = NDArray[np.float64]
Rows = NDArray[np.int64]
Targets = NDArray[Any] | SparseLabels
SHOWN = 5


def checked(
    name: str, weights: Any, n: int, target: TargetEncoder, *, only_ratios_matter: bool = True
) -> Float64 | None:
    """Weights of rows as users give them, float64 (n,), or of labels (n, L); None where all are alike, or all are 1.

    Raises InputError unless they are finite, at least 0, and not all 0.
    """
    if weights is None:
        return None
    try:
        given = np.asarray(weights)
        array = np.ascontiguousarray(given, np.float64) if given.dtype.kind in "buifO" else None
    except (TypeError, ValueError):
        array = None
    if array is None:
        found = repr(weights[:60]) if isinstance(weights, str) else f"a {type(weights).__name__} of other things"
        raise InputError(f"{name} must be numbers, one for each row; got {found}.")
    shapes = [(n,)] if target.task == "multi-class" else [(n,), (n, target.n_classes)]
    if given.shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        what = "one for each row" if len(shapes) == 1 else "one for each row, or for each label of each row"
        raise InputError(f"{name} must have shape {wanted}, {what}; got {given.shape}.")
    is_fine = np.isfinite(array) & (array >= 0)
    if not is_fine.all():
        place = tuple(int(i) for i in np.argwhere(~is_fine)[0])
        where = f"row {place[0]}" if len(place) == 1 else f"row {place[0]}, label {place[1]}"
        raise InputError(f"{name} must be finite and at least 0; got {array[place]:g} at {where}.")
    if not array.any():
        raise InputError(f"{name} must not be zero in every row.")
    return None if (array == (array.flat[0] if only_ratios_matter else 1)).all() else array


def known_rows(targets: Targets) -> NDArray[np.bool_]:
    """(n,): whether anything is known of the row."""
    if isinstance(targets, SparseLabels):
        return targets.is_known
    if targets.ndim == 2 and has_unknown(targets):
        return np.asarray((~np.isnan(targets)).any(axis=1))
    return np.ones(len(targets), bool)


def rows_that_count(targets: Targets, weights: Float64 | None) -> Rows:
    """Numbers of the rows with something known that does not weigh 0."""
    if weights is not None and weights.ndim == 2:
        return np.flatnonzero(((weights > 0) & ~np.isnan(targets[:])).any(axis=1))
    counts_n = known_rows(targets)
    return np.flatnonzero(counts_n if weights is None else counts_n & (weights > 0))


def of_statistics(targets: Targets, weights: Float64 | None, rows: Rows) -> Float64 | None:
    """What each of these rows, which all count, does so for in what is learned of the features; None: all alike.

    Of labels with weights of their own it is the mean of those that take part, so that weights which are alike within a
    row are the row's.

    Args:
        targets, weights: of all rows.
    """
    if weights is None:
        return None
    of_rows = _of_rows(targets, weights, rows)
    return None if (of_rows == of_rows[0]).all() else of_rows


def _of_rows(targets: Targets, weights: Float64, rows: Rows) -> Float64:
    """The weight of each of these rows; of one whose labels have their own, the mean of those that take part."""
    of_rows = weights[rows]
    return of_rows if of_rows.ndim == 1 else row_weights(np.where(np.isnan(targets[rows]), 0.0, of_rows))


def without_unknown(targets: Targets, weights: Float64 | None = None) -> Targets:
    """Targets of which no row is an example of a label that it does not know, or that weighs 0: 0 stands there."""
    if weights is not None and weights.ndim == 2:
        return np.where(np.isnan(targets[:]) | (weights == 0), 0, targets[:])
    if isinstance(targets, SparseLabels) or targets.ndim == 1 or not has_unknown(targets):
        return targets
    examples: NDArray[Any] = np.nan_to_num(targets)
    return examples


@dataclass(frozen=True, eq=False)
class Balance:
    """What classes, and labels that are set, count for beside the others; None: all alike.

    Attributes:
        of_classes: float64 (K,), of one class per row.
        of_positives: float64 (L,), of labels: what a 1 counts beside a 0.
        notes: what has to be said about them.
    """

    of_classes: Float64 | None = None
    of_positives: Float64 | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        class_weight: Any,
        pos_weight: Any,
        target: TargetEncoder,
        targets: Targets,
        weights: Float64 | None,
        rows: Rows,
    ) -> Balance:
        """From the settings of that name, and the rows that are trained on.

        "balanced" gives a class n / (K · n_c), and a label that is set n_0 / n_1, of weighted counts: each class, and
        both answers to each label, then weigh the same in sum. What does not occur there keeps 1.
        """
        for name, setting in (("class_weight", class_weight), ("pos_weight", pos_weight)):
            if setting is not None and _holds_shares(targets):
                raise InputError(
                    f"{name} is for classes and labels that hold or do not; this target holds probabilities:"
                    " sample_weight says what each row counts."
                )
        if target.task == "multi-class":
            if pos_weight is not None:
                raise InputError(
                    "pos_weight is for labels; this target has one class per row: class_weight says what each counts."
                )
            if class_weight is None:
                return cls()
            by_class = _of_classes(class_weight, target, targets, weights, rows)
            return cls(by_class, notes=(_note("class_weight", target, by_class),))
        if class_weight is not None:
            raise InputError(
                "class_weight is for one class per row; for labels pos_weight says what one that is set counts, and"
                " sample_weight of shape (rows, labels) what each label of each row does."
            )
        if pos_weight is None:
            return cls()
        by_label = _of_positives(pos_weight, target, targets, weights, rows)
        return cls(of_positives=by_label, notes=(_note("pos_weight", target, by_label),))

    @property
    def is_even(self) -> bool:
        return self.of_classes is None and self.of_positives is None

    @property
    def tilt(self) -> Float64 | None:
        """How much more each class (K,), or each label's 1 (L,), weighs in training than in figures; None: alike."""
        return self.of_classes if self.of_positives is None else self.of_positives

    def with_classes(self, targets: Targets, weights: Float64 | None) -> Float64 | None:
        """Each row's weight, that of its class within; (n,) or (n, L)."""
        if self.of_classes is None:
            return weights
        assert not isinstance(targets, SparseLabels)
        by_class_n: Float64 = self.of_classes[targets]
        return by_class_n if weights is None else by_class_n * weights

    def judging(self, targets: NDArray[Any], weights: Float64 | None) -> Float64 | None:
        """What validation rows count for where an epoch or a calibration is chosen: the same as in the training."""
        weights = self.with_classes(targets, weights)
        if self.of_positives is None:
            return weights
        by_entry_nc = np.where(targets == 1, self.of_positives, 1.0)
        return by_entry_nc if weights is None else by_entry_nc * (weights if weights.ndim == 2 else weights[:, None])

    def for_engine(self, targets: Targets, weights: Float64 | None, rows: Rows, column: int | None = None) -> Weights:
        """As `Engine.train_span` takes them, with the mean 1 over `rows`.

        Args:
            targets, weights: of all rows.
            column: of the one label that is learned; None: all of them.

        A row whose labels have weights of their own counts for the mean over those that take part.
        """
        own = self.as_they_are(targets, weights, column)
        each = own.each
        if each is None:
            return own
        of_rows = _of_rows(targets, each, rows)
        if each.ndim == 1 and column is not None:
            of_rows = np.where(np.isnan(targets[rows, column]), 0.0, of_rows)
        counted = of_rows[of_rows > 0]
        mean = exact.mean(counted) if len(counted) else 1.0
        if each.ndim == 1 and (counted == mean).all() and len(counted) == len(of_rows):
            return Weights(None, own.positive)
        return Weights(each / mean, own.positive)

    def as_they_are(self, targets: Targets, weights: Float64 | None, column: int | None = None) -> Weights:
        """The same without a mean."""
        positive = self.of_positives if column is None or self.of_positives is None else self.of_positives[[column]]
        each = self.with_classes(targets, weights)
        if each is not None and each.ndim == 2 and column is not None:
            each = each[:, column]
        if each is None:
            return UNWEIGHTED if positive is None else Weights(None, positive)
        return Weights(np.ascontiguousarray(each), positive)

    def to_json(self) -> dict[str, Any]:
        """For the model's record."""
        return {
            "class_weight": None if self.of_classes is None else self.of_classes.tolist(),
            "pos_weight": None if self.of_positives is None else self.of_positives.tolist(),
        }


def _holds_shares(targets: Targets) -> bool:
    """Whether encoded targets are probabilities."""
    return not isinstance(targets, SparseLabels) and targets.ndim == 2 and bool(((targets > 0) & (targets < 1)).any())


def _of_classes(
    class_weight: Any, target: TargetEncoder, targets: Targets, weights: Float64 | None, rows: Rows
) -> Float64:
    if isinstance(class_weight, str) and class_weight == "balanced":
        of_rows = None if weights is None else weights[rows]
        counts = np.bincount(targets[rows], of_rows, minlength=target.n_classes).astype(np.float64)
        there = counts > 0
        return np.where(there, counts.sum() / (np.count_nonzero(there) * np.where(there, counts, 1.0)), 1.0)
    if isinstance(class_weight, Mapping):
        return by_name("class_weight", class_weight, target)
    raise InputError(
        f"class_weight must be 'balanced', or a dict of each class's weight; got {_described(class_weight)}."
    )


def _of_positives(
    pos_weight: Any, target: TargetEncoder, targets: Targets, weights: Float64 | None, rows: Rows
) -> Float64:
    n_labels = target.n_classes
    if isinstance(pos_weight, str) and pos_weight == "balanced":
        of_rows = np.ones(len(rows)) if weights is None else weights[rows]
        if isinstance(targets, SparseLabels) and of_rows.ndim == 1:
            learned = targets.take(rows)
            ones, labels = learned.nonzero()
            is_everywhere = np.bincount(labels, minlength=n_labels) == np.count_nonzero(learned.is_known)
            yes = np.bincount(labels, of_rows[ones], n_labels)
            no = np.where(is_everywhere, 0.0, of_rows[learned.is_known].sum() - yes)
        else:
            learned_nc, counts = targets[rows], of_rows if of_rows.ndim == 2 else of_rows[:, None]
            yes, no = (np.where(learned_nc == answer, counts, 0.0).sum(axis=0) for answer in (1, 0))
        there = (yes > 0) & (no > 0)
        return np.where(there, no / np.where(there, yes, 1.0), 1.0)
    if isinstance(pos_weight, Mapping):
        return by_name("pos_weight", pos_weight, target)
    if isinstance(pos_weight, (int, float, np.integer, np.floating)) and not isinstance(pos_weight, bool):
        return np.full(n_labels, _positive("pos_weight", pos_weight, ""))
    if isinstance(pos_weight, (list, tuple, np.ndarray)):
        if np.shape(pos_weight) != (n_labels,):
            raise InputError(
                f"pos_weight must have one weight for each of the {n_labels} labels; got {_described(pos_weight)}."
            )
        named = zip(target.classes, pos_weight, strict=True)
        return np.array([_positive("pos_weight", weight, f" for label {label!r}") for label, weight in named])
    raise InputError(
        "pos_weight must be 'balanced', a number, one number for each label, or a dict of labels' weights; got"
        f" {_described(pos_weight)}."
    )


def by_name(setting: str, weights: Mapping[Any, Any], target: TargetEncoder) -> Float64:
    """Weights by class or label; by its text too, which is all that a command line has. Those not named count 1."""
    place = {label: index for index, label in enumerate(target.classes)}
    texts = {str(label): index for index, label in enumerate(target.classes)}
    noun = "class" if setting == "class_weight" else "label"
    found = np.ones(target.n_classes)
    seen: set[int] = set()
    for name, weight in weights.items():
        index = place.get(name, texts.get(name) if isinstance(name, str) else None)
        if index is None:
            known = ", ".join(map(repr, target.classes[:10])) + (", …" if target.n_classes > 10 else "")
            hint = nearest(name, list(texts)) if isinstance(name, str) else ""
            raise InputError(f"{setting} names the {noun} {name!r}, which the target does not have ({known}).{hint}")
        if index in seen:
            raise InputError(f"{setting} names the {noun} {target.classes[index]!r} twice.")
        seen.add(index)
        found[index] = _positive(setting, weight, f" for {noun} {target.classes[index]!r}")
    return found


def _positive(setting: str, weight: Any, what: str) -> float:
    is_number = isinstance(weight, (int, float, np.integer, np.floating)) and not isinstance(weight, bool)
    if not is_number or not 0 < weight < np.inf:
        raise InputError(f"{setting} must be finite and above 0; got {weight!r}{what}.")
    return float(weight)


def _note(setting: str, target: TargetEncoder, weights: Float64) -> str:
    shown = zip(target.classes[:SHOWN], weights[:SHOWN].tolist(), strict=True)
    more = f", and {target.n_classes - SHOWN} more" if target.n_classes > SHOWN else ""
    return f"{setting}: {', '.join(f'{weight:.4g} for {label!r}' for label, weight in shown)}{more}"


def _described(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__} of {len(value)}"
