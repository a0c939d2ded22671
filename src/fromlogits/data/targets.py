"""Targets: from the labels people have to the class numbers or the 0/1 matrix that a head learns, and back."""

from __future__ import annotations

import sys
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from . import label_sets
from .classes import KINDS, Label, factorise, known, named, numbers_of
from .label_sets import LabelSets, SparseLabels
from .memory import refuse_too_large
from .reading import is_sign
from .target import Target

Task = Literal["multi-class", "multi-label"]
MAX_CLASSES = 10_000_000
MANY = 20
"""From so many classes on, few rows for each make one doubt that the target holds classes ..."""
ROWS_A_NUMBER, ROWS_A_TEXT = 10, 2
"""... fewer than so many rows on average, where they are numbers or texts."""
SENTENCE_WORDS = 4.0
SIGNS = "|;,/"
"""What most often stands between labels."""
NEVER_HELD_OUT = ": kept for training, never held out"
"""How a note ends on what a single row has; true of validation rows, not of those drawn for prediction sets."""
SUM_TOLERANCE = 1e-4
"""What the float32 probabilities of 100 000 classes, added up, can be off by; as in `softmax_cross_entropy`."""


@dataclass(frozen=True)
class TargetEncoder:
    """What the classes are, and how labels become numbers.

    Attributes:
        task: "multi-class" (one of the classes) or "multi-label" (any subset of them).
        classes: sorted; those of a matrix in the order of its columns. All int, float, bool or str.
        notes: what was noticed while fitting.
        separator: the sign between the labels of a row, where the target was such a text; else None.
        warnings: what was noticed while fitting and should not be overlooked.
    """

    task: Task
    classes: tuple[Label, ...]
    notes: tuple[str, ...] = ()
    separator: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    def looks_like(self) -> str:
        """A sentence about a target of which nearly every row has a class of its own."""
        texts = [label for label in self.classes if isinstance(label, str)]
        if not texts:
            return "The target looks like a number of the rows, or a measured one: is it the right column?"
        n_words = sum(text.count(" ") + 1 for text in texts) / len(texts)
        what = "sentences, which are no classes" if n_words >= SENTENCE_WORDS else "a name of the rows"
        return f"The target looks like {what}: is it the right column?"

    @property
    def classes_array(self) -> NDArray[Any]:
        """(K,) of bool, int64, float64 or text; objects where an array of text would waste memory or lose a letter."""
        lengths = [len(label) for label in self.classes if isinstance(label, str)]
        is_wasteful = bool(lengths) and max(lengths) * len(lengths) > 2 * sum(lengths) + 1_000_000
        ends_in_nul = any(isinstance(label, str) and label.endswith("\0") for label in self.classes)
        return np.array(self.classes, dtype=object if is_wasteful or ends_in_nul else None)

    @classmethod
    def fit(cls, y: Any, task: str | None = None, *, class_names: Sequence[Label] | None = None) -> TargetEncoder:
        """Find task and classes.

        Args:
            y: a Target; or an array, list, series or frame: (n,) one label or one set of labels a row, or (n, L)
                0 and 1, sparse or not, or probabilities; NaN or None is a label that is unknown.
            task: "multi-class" or "multi-label"; None lets y decide, where it can.
            class_names: of the columns of an (n, L) matrix.
        """
        if task not in (None, "multi-class", "multi-label"):
            raise InputError(f"task must be 'multi-class', 'multi-label' or None; got {task!r}.")
        target = as_target(y, ravel=task != "multi-label")
        if isinstance(target, LabelSets):
            return _fit_sets(target, task)
        values = target.values
        if values.ndim == 1:
            if task == "multi-label":
                raise InputError(
                    "a multi-label target must be a matrix of 0 and 1 with one column per label, or sets of labels; y"
                    f" has one column of shape {values.shape}.{_separator_hint(target)}"
                )
            return _fit_labels(target)
        return _fit_matrix(target, task, class_names)

    def encode(self, y: Any, unknown: Literal["raise", "mark"] = "raise") -> NDArray[Any]:
        """Class numbers, int32 (n,); or float32 (n, K): 0/1 of labels, NaN where one is unknown, or probabilities.

        Args:
            y: as for `fit`.
            unknown: what to do with a class that `fit` did not see: "raise" InputError, or "mark" it with -1. In sets
                of labels, one that is not known is left out. A row of whose labels nothing is known is NaN.
        """
        return dense(self.encode_rows(y, unknown))

    def encode_rows(self, y: Any, unknown: Literal["raise", "mark"] = "raise") -> NDArray[Any] | SparseLabels:
        """As `encode`; but sets of labels, and sparse matrices, stay sparse."""
        target = as_target(y, ravel=self.task == "multi-class")
        if isinstance(target, LabelSets):
            return self._encode_sets(target, unknown)
        if self.task == "multi-label":
            has_texts = target.values.ndim == 1 and target.values.dtype == object
            return self._encode_sets(self._sets_in(target), unknown) if has_texts else self._encode_matrix(target)
        if target.values.ndim == 2:
            return self._encode_columns(target)
        return self._encode_labels(target, unknown)

    def strata(self, targets: NDArray[Any] | SparseLabels) -> NDArray[Any] | SparseLabels:
        """What a split spreads evenly, of encoded targets: of probabilities the largest, of labels those above 1/2."""
        if isinstance(targets, SparseLabels) or targets.ndim == 1:
            return targets
        return np.asarray(targets.argmax(axis=1) if self.task == "multi-class" else targets > 0.5)

    def _sets_in(self, target: Target) -> LabelSets:
        """Sets of labels that are written as texts: as JSON lists, or as predictions are."""
        lists, names = label_sets.json_lists(target.values), target.names or ("y",)
        if lists is not None:
            return label_sets.of_rows(lists, names, target.origin)
        return label_sets.of_texts(target.values, self.separator or label_sets.SIGN, (), names[0], target.origin)

    def _encode_sets(self, target: LabelSets, unknown: str) -> NDArray[Any] | SparseLabels:
        if self.task == "multi-class" and target.n_labels is None:
            return self._encode_labels(target.one_a_row(), unknown)
        if target.n_labels not in (None, self.n_classes):
            raise InputError(
                f"the target must be a matrix of 0 and 1 with {self.n_classes} columns, one per"
                f" {'class' if self.task == 'multi-class' else 'label'}; got shape"
                f" ({len(target)}, {target.n_labels})."
            )
        if self.task == "multi-class":
            return np.asarray(target.one_a_row().values, np.int32)
        columns = target.columns(self.classes)
        if len(columns) and not (columns >= 0).any():
            raise InputError(
                f"no label of the file is known to the model: the first is {target.values[0]} at"
                f" {target.origin.where(int(target.rows()[0]))}; known labels: {known(self.classes)}."
            )
        return label_sets.encoded(target, columns, self.n_classes)

    def _encode_labels(self, target: Target, unknown: str) -> NDArray[np.int32]:
        is_text = isinstance(self.classes[0], str) and target.texts is not None
        distinct, codes = factorise(target.texts if is_text and target.texts is not None else target.values)
        found: NDArray[np.int32] = numbers_of(distinct, self.classes)[codes]
        if unknown == "raise" and (found < 0).any():
            row = int(np.argmax(found < 0))
            raise InputError(
                f"the target at {target.origin.where(row)} is {distinct[codes[row]]!r}, a class that was not in the"
                f" training rows; known classes: {known(self.classes)}."
            )
        return found

    def _encode_columns(self, target: Target) -> NDArray[Any]:
        """One-hot rows as class numbers, int32 (n,); probabilities as they are, float32 (n, K)."""
        matrix = target.values
        is_shares = holds_shares(target)
        if matrix.shape[1] != self.n_classes or not (is_shares or (matrix.sum(axis=1) == 1).all()):
            raise InputError(
                f"the target must be one label a row, or a matrix of {self.n_classes} columns, one-hot or"
                f" probabilities; got a matrix of shape {matrix.shape}."
            )
        matrix = matrix[:, self._order_of(target)]
        if not is_shares:
            return np.asarray(matrix.argmax(axis=1), np.int32)
        _refuse_other_sums(target)
        return np.ascontiguousarray(matrix, np.float32)

    def _encode_matrix(self, target: Target) -> NDArray[np.float32]:
        matrix = target.values
        if matrix.ndim == 1 or matrix.shape[1] != self.n_classes:
            raise InputError(
                f"the target must be a matrix of 0 and 1 with {self.n_classes} columns, one per label;"
                f" got shape {matrix.shape}."
            )
        holds_shares(target)
        return np.ascontiguousarray(matrix[:, self._order_of(target)], np.float32)

    def _order_of(self, target: Target) -> NDArray[np.int64] | slice:
        """The columns of the target in the order of the classes, by name where both have names."""
        names = target.label_names
        if names is None or names == self.classes or not all(isinstance(label, str) for label in self.classes):
            return slice(None)
        missing = [label for label in self.classes if label not in names]
        if missing:
            raise InputError(f"the target has no label {missing[0]!r}; its labels are {', '.join(names)}.")
        return np.array([names.index(str(label)) for label in self.classes])

    def to_json(self) -> dict[str, Any]:
        kind = next(kind for kind, python in KINDS.items() if type(self.classes[0]) is python)
        manifest = {"task": self.task, "kind": kind, "classes": list(self.classes)}
        return manifest if self.separator is None else manifest | {"separator": self.separator}

    @classmethod
    def from_json(cls, value: object) -> TargetEncoder:
        """The inverse of `to_json`; raises InputError on anything else."""
        if not isinstance(value, dict) or set(value) - {"separator"} != {"task", "kind", "classes"}:
            raise InputError("target must be an object with task, kind and classes.")
        task, kind, classes, separator = value["task"], value["kind"], value["classes"], value.get("separator")
        if task not in ("multi-class", "multi-label") or not isinstance(kind, str) or kind not in KINDS:
            raise InputError(f"target: unknown task {brief(task)} or kind {brief(kind)}.")
        low = 2 if task == "multi-class" else 1
        if not isinstance(classes, list) or not low <= len(classes) <= MAX_CLASSES:
            raise InputError(f"target: classes must be a list of {low} to {MAX_CLASSES:,}.")
        fine = all(type(label) is KINDS[kind] for label in classes) and len(set(classes)) == len(classes)
        if not fine or (kind == "float" and not all(np.isfinite(label) for label in classes)):
            raise InputError(f"target: classes must all differ and be of kind {kind}.")
        if kind == "int" and not all(-(2**63) <= label < 2**63 for label in classes):
            raise InputError("target: classes that are whole numbers must fit into 64 bits.")
        if "separator" in value and not (task == "multi-label" and isinstance(separator, str) and is_sign(separator)):
            raise InputError(f"target: a {task} target can't have the separator {brief(separator)}.")
        return cls(task, tuple(classes), separator=separator)


def dense(targets: NDArray[Any] | SparseLabels) -> NDArray[Any]:
    """Encoded targets as an array; InputError where memory can't hold it."""
    if isinstance(targets, SparseLabels):
        refuse_too_large(*targets.shape, "labels")
        return targets[:]
    return targets


def as_target(y: Any, *, ravel: bool) -> Target:
    """Whatever a user passes as y; a single column is raveled, with scikit-learn's warning, if `ravel`."""
    target = y if isinstance(y, Target) else _as_given(y, ravel=ravel)
    if isinstance(target, LabelSets):
        return target
    values = target.values
    if values.ndim == 0 or values.ndim > 2:
        raise InputError(
            f"y should be a 1d array of labels or a matrix of 0 and 1; got an array of shape {values.shape}."
        )
    if len(values) == 0:
        raise InputError("y holds no label: Found array with 0 sample(s) while a minimum of 1 is required.")
    if values.ndim == 2 and values.shape[1] == 0:
        raise InputError(f"y has no column (shape {values.shape}).")
    if values.ndim == 2 and values.shape[1] == 1 and ravel:
        _warn_of_column()
        target = Target(values[:, 0], target.names, None, None, target.origin)
    return _checked(target)


def _as_given(y: Any, *, ravel: bool) -> Target:
    """An array, list, series or frame, not looked into yet."""
    if y is None:
        raise InputError("fit requires y to be passed, but the target y is None.")
    if type(y).__module__.partition(".")[0] == "scipy" and hasattr(y, "tocsr"):
        return label_sets.of_sparse(y)
    if isinstance(y, (list, tuple)):
        if label_sets.are_sets(y, is_column_a_set=not ravel):
            return label_sets.of_rows(y)
    elif not isinstance(y, np.ndarray):
        from .frames import as_values

        found = as_values(y)
        if found is not None:
            return _of_values(*found)
    try:
        return _of_values(np.asarray(y) if not isinstance(y, (list, tuple)) else _of_list(y))
    except ValueError as error:
        raise InputError(
            f"y must be one label a row, or rows of 0 and 1 of one length: {error}. Sets of labels are passed as sets:"
            " [{1, 2}, set()]."
        ) from None


def _of_values(values: NDArray[Any], names: tuple[str, ...] | None = None, unused: tuple[Any, ...] = ()) -> Target:
    """A column, of which each value may be a set or a list of labels; or a matrix."""
    if values.dtype == object and values.ndim == 1 and any(isinstance(value, label_sets.ROWS) for value in values):
        label_sets.refuse_lists_of_0_and_1(values)
        return label_sets.of_rows(values)
    said = f"{named('category', 'categories', unused)} without a row: no class is made of it"
    return Target(values, names or (), names, notes=(said,) if unused else ())


def _of_list(y: Sequence[Any]) -> NDArray[Any]:
    array = np.asarray(y)
    if array.ndim == 1 and array.dtype.kind == "U" and not all(isinstance(label, str) for label in y):
        array = np.empty(len(y), object)  # NumPy has made text of numbers among texts
        array[:] = y
    return array


def _warn_of_column() -> None:
    category: type[Warning] = UserWarning
    if "sklearn" in sys.modules:
        from sklearn.exceptions import DataConversionWarning

        category = DataConversionWarning
    warnings.warn(
        "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,),"
        " for example using ravel().",
        category,
        stacklevel=4,
    )


def _checked(target: Target) -> Target:
    """The target with one plain dtype; missing, not finite and mixed labels refused."""
    values = target.values
    if values.dtype.kind == "f":
        unknown = np.isnan(values) if values.ndim == 2 else False  # of labels; a class must be known
        if not (np.isfinite(values) | unknown).all():
            place = np.argwhere(~(np.isfinite(values) | unknown))[0]
            what = "NaN" if np.isnan(values[tuple(place)]) else "infinity"
            raise InputError(
                f"Input y contains {what}: the target at {target.origin.where(int(place[0]))} has no value."
            )
    elif values.dtype.kind in "OSU":
        values = _one_kind(target)
    elif values.dtype.kind not in "biu":
        raise InputError(f"y holds {values.dtype} values; labels must be integers, text or booleans.")
    return target if values is target.values else replace(target, values=values)


def _one_kind(target: Target) -> NDArray[Any]:
    values = target.values
    if values.dtype.kind == "U":
        return values.astype(object)
    if values.dtype.kind == "S":
        raise InputError("y holds bytes; decode them to text: y.astype(str).")
    kinds: dict[type, int] = {}
    flat = values.reshape(-1)
    if values.ndim == 2:  # of labels, one may be unknown
        numbers = [np.nan if _is_missing(value) else value for value in flat]
        if all(isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)) for value in numbers):
            return np.array(numbers, np.float64).reshape(values.shape)
    for row, value in enumerate(flat):
        if _is_missing(value):
            where = target.origin.where(row // (values.shape[1] if values.ndim == 2 else 1))
            raise InputError(f"Input y contains NaN: the target at {where} has no value.")
        kinds.setdefault(type(value), row)
    if all(issubclass(kind, str) for kind in kinds):
        return values
    if all(issubclass(kind, (bool, np.bool_)) for kind in kinds):
        return values.astype(bool)
    if all(issubclass(kind, (int, np.integer)) for kind in kinds):
        return values.astype(np.int64)
    if all(issubclass(kind, (int, float, np.integer, np.floating)) for kind in kinds):
        return values.astype(np.float64)
    found = ", ".join(f"{kind.__name__} at {target.origin.where(row)}" for kind, row in list(kinds.items())[:3])
    raise InputError(f"y must hold labels of one kind, integers, text or booleans; found {found}.")


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _fit_labels(target: Target) -> TargetEncoder:
    values = target.values
    if values.dtype.kind == "f":
        fractional = values != np.floor(values)
        if fractional.any():
            row = int(np.argmax(fractional))
            raise InputError(
                f"the target must name classes; {target.origin.where(row)} has {values[row]:g}, which looks like a"
                " measured value: put it into classes first (Unknown label type: continuous)."  # scikit-learn's words
            )
    distinct, codes = factorise(values)
    counts = np.bincount(codes)
    order = sorted(range(len(distinct)), key=lambda index: distinct[index])
    classes = tuple(distinct[index] for index in order)
    if len(classes) < 2:
        rows = f"{len(values)} row{'s' * (len(values) > 1)}"
        raise InputError(f"the target must have at least 2 classes; it has 1 class, {classes[0]!r} ({rows}).")
    if len(classes) > MAX_CLASSES:
        raise InputError(f"the target has {len(classes):,} classes; the limit is {MAX_CLASSES:,}.")
    notes = []
    doubts = _doubts(TargetEncoder("multi-class", classes), len(values))
    if len(classes) == len(values) > 2 and not doubts:
        notes.append(f"every row has a class of its own ({len(classes)}): is the target a name or number of the rows?")
    elif len(classes) < len(values) or len(classes) == 2:
        single = [classes[index] for index, original in enumerate(order) if counts[original] == 1]
        if single:
            notes.append(f"{named('class', 'classes', single)} with a single row{NEVER_HELD_OUT}")
    notes += _twins(classes)
    return TargetEncoder("multi-class", classes, (*target.notes, *notes), warnings=doubts)


def _doubts(encoder: TargetEncoder, n: int) -> tuple[str, ...]:
    """A warning of a target that is hardly one of classes."""
    k, label = encoder.n_classes, encoder.classes[0]
    if k < MANY or isinstance(label, bool):
        return ()
    if isinstance(label, str):
        return (f"the target has {k:,} classes in {n:,} rows. {encoder.looks_like()}",) if n < ROWS_A_TEXT * k else ()
    if n >= ROWS_A_NUMBER * k:
        return ()
    return (
        f"the target has {k:,} different whole numbers in {n:,} rows: each is learned as a class of its own, and not"
        " that one is larger than another. If they are measured or counted, put them into a few ranges first",
    )


def _twins(classes: Sequence[Label]) -> list[str]:
    """A note for classes that differ in their case, their inner spaces or their form of the same letters alone."""
    alike: dict[str, list[Label]] = {}
    for label in classes:
        if isinstance(label, str):
            alike.setdefault(" ".join(unicodedata.normalize("NFKC", label).casefold().split()), []).append(label)
    twins = [labels for labels in alike.values() if len(labels) > 1]
    if not twins:
        return []
    shown = "; ".join(" and ".join(map(repr, labels)) for labels in twins[:3])
    more = f" and {len(twins) - 3} more such" if len(twins) > 3 else ""
    return [f"classes that are written nearly alike are kept apart: {shown}{more}"]


def _with_bars(labels: Sequence[Label]) -> list[str]:
    """A note for labels that a prediction can't be divided into."""
    with_bars = [label for label in labels if isinstance(label, str) and "|" in label]
    return [f"{named('label', 'labels', with_bars)}: predictions join labels by the sign |"] if with_bars else []


def _fit_sets(target: LabelSets, task: str | None) -> TargetEncoder:
    if target.n_labels is not None:
        return _fit_sparse(target, task)
    if task == "multi-class" or (task is None and not target.is_several):
        return _fit_labels(_checked(target.one_a_row()))
    labels, counts = np.unique(target.values, return_counts=True)
    if len(labels) == 0:
        raise InputError("no row has a label.")
    if len(labels) > MAX_CLASSES:
        raise InputError(f"the target has {len(labels):,} labels; the limit is {MAX_CLASSES:,}.")
    classes = tuple(labels.tolist())
    notes = _of_counts(classes, counts, target.n_known)
    if target.is_unknown is not None:
        n_unknown = len(target) - target.n_known
        have, they = ("row has", "it takes") if n_unknown == 1 else ("rows have", "they take")
        notes.append(f"{n_unknown:,} {have} no value for its labels: {they} no part in loss and figures")
    notes += [*_twins(classes), *([] if target.separator else _with_bars(classes))]
    return TargetEncoder("multi-label", classes, (*target.notes, *notes), target.separator, _no_sign(target, classes))


def _no_sign(target: LabelSets, classes: Sequence[Label]) -> tuple[str, ...]:
    """A warning of a sign between labels that no row has."""
    if target.separator is None or (np.diff(target.starts) > 1).any():
        return ()
    signs = [sign for sign in SIGNS if any(isinstance(label, str) and sign in label for label in classes)]
    other = f" Some hold {signs[0]!r}: --label-separator {signs[0]!r}?" if signs else ""
    return (f"--label-separator {target.separator!r} occurs in no row, so each has one label at most.{other}",)


def _fit_sparse(target: LabelSets, task: str | None) -> TargetEncoder:
    assert target.n_labels is not None
    classes = tuple(range(target.n_labels))
    if task is None and not target.is_several:
        raise _ambiguous_one_hot(target.n_labels)
    if task == "multi-class":
        target.one_a_row()
        return TargetEncoder("multi-class", _enough(classes))
    counts = np.bincount(target.values, minlength=target.n_labels)
    return TargetEncoder("multi-label", classes, tuple(_of_counts(classes, counts, target.n_known)))


def _enough(classes: tuple[Label, ...]) -> tuple[Label, ...]:
    if len(classes) < 2:
        raise InputError("the target must have at least 2 classes; it has 1 class column.")
    return classes


def _of_counts(classes: Sequence[Label], counts: NDArray[Any], n: int | NDArray[Any]) -> list[str]:
    """What has to be said of labels that hold in none of the n rows where they are known, in all, or in one."""
    cases = [
        (counts == 0, "never set: nothing can be learned about it"),
        (counts == n, "always set: nothing can be learned about it"),
        ((counts == 1) & (counts < n), f"set in a single row{NEVER_HELD_OUT}"),
    ]
    return [
        f"{named('label', 'labels', [classes[k] for k in np.flatnonzero(is_so).tolist()])} {what}"
        for is_so, what in cases
        if is_so.any()
    ]


def _ambiguous_one_hot(n_labels: int) -> InputError:
    return InputError(
        f"the target has {n_labels} columns of 0 and 1 with exactly one 1 in each row: say whether it means one"
        " class out of many (task='multi-class', --task multi-class) or any number of labels (task='multi-label',"
        " --task multi-label)."
    )


def _fit_matrix(target: Target, task: str | None, class_names: Sequence[Label] | None) -> TargetEncoder:
    matrix = target.values
    is_shares = holds_shares(target)
    n_labels = matrix.shape[1]
    names: tuple[Label, ...] = target.label_names or tuple(class_names or range(n_labels))
    if len(names) != n_labels or len(set(names)) != n_labels:
        raise InputError(f"the target has {n_labels} label columns; {len(set(names))} different names are given.")
    if is_shares:
        return _fit_shares(target, task, names)
    is_one_hot = bool((matrix.sum(axis=1) == 1).all())
    if task is None and is_one_hot:
        raise _ambiguous_one_hot(n_labels)
    if task == "multi-class":
        if not is_one_hot:
            row = int(np.argmax(matrix.sum(axis=1) != 1))
            if np.isnan(matrix[row].sum()):
                raise InputError(
                    f"task='multi-class' with a 0/1 matrix needs every value; {target.origin.where(row)} lacks one."
                )
            raise InputError(
                f"task='multi-class' with a 0/1 matrix needs exactly one 1 in each row; {target.origin.where(row)} has"
                f" {int(matrix[row].sum())}. task='multi-label' takes any number."
            )
        return TargetEncoder("multi-class", _enough(names))
    return TargetEncoder("multi-label", names, tuple([*_of_known(names, matrix), *_with_bars(names)]))


def _of_known(names: Sequence[Label], matrix: NDArray[Any]) -> list[str]:
    """What has to be said of the labels of a 0/1 matrix, some of them unknown; InputError for one never known."""
    notes = _of_unknown(names, matrix)
    known, positive = np.count_nonzero(matrix == matrix, axis=0), np.count_nonzero(matrix == 1, axis=0)
    return notes + _of_counts(names, positive, known)


def _of_unknown(names: Sequence[Label], matrix: NDArray[Any]) -> list[str]:
    """What is said of labels that are not known in every row; InputError for one that is known in none."""
    n = len(matrix)
    counts = (n - np.count_nonzero(matrix == matrix, axis=0)).tolist()
    some = [(name, count) for name, count in zip(names, counts, strict=True) if count]
    if nowhere := [name for name, count in some if count == n]:
        raise InputError(f"{named('label', 'labels', nowhere)} must be known in some row; leave it out of the target.")
    if len(some) > 5:
        return [f"{sum(counts):,} values of {len(some):,} labels are unknown and take no part"]
    return [
        f"label {name!r}: {count:,} unknown {'value' if count == 1 else 'values'} of {n:,}; no loss and no figure of it"
        for name, count in some
    ]


def _fit_shares(target: Target, task: str | None, names: tuple[Label, ...]) -> TargetEncoder:
    if task is None:
        raise InputError(
            f"the target has {len(names)} columns of numbers between 0 and 1: say whether each row holds the"
            " probabilities of classes, which sum to 1 (task='multi-class', --task multi-class), or each column how"
            " probable a label is (task='multi-label', --task multi-label)."
        )
    if task == "multi-class":
        _refuse_other_sums(target)
        return TargetEncoder(
            "multi-class", _enough(names), ("the target holds probabilities; accuracy goes by each row's largest",)
        )
    notes = ["the target holds probabilities; a label above 1/2 counts as set in all but log_loss"]
    return TargetEncoder("multi-label", names, (*notes, *_of_unknown(names, target.values)))


def holds_shares(target: Target) -> bool:
    """Whether some value of a matrix lies between 0 and 1; InputError where one is neither that, nor 0, nor 1."""
    matrix = target.values
    if matrix.dtype.kind == "O":
        raise InputError("a target with several columns must hold 0 and 1; it holds text.")
    wrong = (matrix < 0) | (matrix > 1)
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        label = repr(target.label_names[column]) if target.label_names else column
        raise InputError(
            "a target with several columns must hold 0 and 1 (multi-label), or probabilities;"
            f" {target.origin.where(row)}, column {label}, has {matrix[row, column]}."
        )
    return matrix.dtype.kind == "f" and bool(((matrix > 0) & (matrix < 1)).any())


def _refuse_other_sums(target: Target) -> None:
    """Raise InputError for a row of probabilities that do not sum to 1."""
    sums = target.values.sum(axis=1, dtype=np.float64)
    wrong = ~(np.abs(sums - 1) <= SUM_TOLERANCE)  # where a value is missing, too
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"task='multi-class' needs probabilities that sum to 1 in each row; {target.origin.where(row)} has"
            f" {sums[row]:.6g} ({int(wrong.sum()):,} of {len(sums):,} rows do not). task='multi-label' takes any."
        )


def _separator_hint(target: Target) -> str:
    values = target.values
    if values.dtype != object or not any("|" in value for value in values if isinstance(value, str)):
        return ""
    return " Is | a sign between labels? --label-separator '|' says so."
