"""Targets: from the labels people have to the class numbers or the 0/1 matrix that a head learns, and back."""

from __future__ import annotations

import sys
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from .memory import refuse_too_large
from .origin import Origin

Task = Literal["multi-class", "multi-label"]
Label = int | float | bool | str
MAX_CLASSES = 10_000_000
KINDS: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}


@dataclass(frozen=True)
class Target:
    """The target as a file holds it.

    Attributes:
        values: (n,) int64, float64, bool or an object array of str; or (n, L) 0/1.
        names: the target columns, or () where the file has no named columns.
        label_names: one for each column of an (n, L) matrix, or None.
        texts: (n,) the labels as they stand in a text file, spaces around them dropped; else None. They are
            what is compared with a model whose classes are text.
        origin: says where a row stands.
    """

    values: NDArray[Any]
    names: tuple[str, ...] = ()
    label_names: tuple[str, ...] | None = None
    texts: NDArray[Any] | None = None
    origin: Origin = field(default_factory=Origin)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class LabelSets(Target):
    """Labels by number, any count a row: `values` (int64) has those of all rows one after the other.

    Attributes:
        starts: int64 (n + 1,): the labels of row i are those from starts[i] to starts[i + 1].
        is_several: the file itself shows that a row may have none or several.
    """

    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    is_several: bool = False

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self) -> NDArray[np.int64]:
        """The row of each label."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def columns(self, classes: Sequence[Label]) -> NDArray[np.int64]:
        """The number of each label among the classes; -1 for one that is not there."""
        kind = str if isinstance(classes[0], str) else int
        number = {label: index for index, label in enumerate(classes)}
        distinct, codes = factorise(self.values)
        return np.array([number.get(kind(label), -1) for label in distinct], np.int64)[codes]

    def unknown_to(self, classes: Sequence[Label]) -> str:
        """What has to be said of labels that are none of the classes; "" where all are known."""
        is_unknown = self.columns(classes) < 0
        if not is_unknown.any():
            return ""
        rows, first = self.rows()[is_unknown], int(np.argmax(is_unknown))
        count = len(np.unique(rows))
        have, they = ("row has a label", "it is") if count == 1 else ("rows have labels", "they are")
        return (
            f"{count:,} {have} that the model does not know, such as {self.values[first]} at"
            f" {self.origin.where(int(rows[0]))}; {they} left out of all figures"
        )

    def one_a_row(self) -> Target:
        """The classes of rows that have one label each; InputError where a row has not."""
        counts = np.diff(self.starts)
        if (counts != 1).any():
            row = int(np.argmax(counts != 1))
            raise InputError(
                f"task='multi-class' needs exactly one label in each row; {self.origin.where(row)} has {counts[row]}."
                " task='multi-label' takes any number."
            )
        return Target(self.values, origin=self.origin)


@dataclass(frozen=True)
class TargetEncoder:
    """What the classes are, and how labels become numbers.

    Attributes:
        task: "multi-class" (one of the classes) or "multi-label" (any subset of them).
        classes: sorted for multi-class; in column order for multi-label. All int, float, bool or str.
        notes: what was noticed while fitting.
    """

    task: Task
    classes: tuple[Label, ...]
    notes: tuple[str, ...] = ()

    @property
    def n_classes(self) -> int:
        return len(self.classes)

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
            y: a Target; or an array, list, series or frame: (n,) one label a row, or (n, L) 0 and 1, where NaN or None
                is a label that is unknown.
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
                    "a multi-label target must be a matrix of 0 and 1 with one column per label; y has one column of"
                    f" shape {values.shape}."
                )
            return _fit_labels(target)
        return _fit_matrix(target, task, class_names)

    def encode(self, y: Any, unknown: Literal["raise", "mark"] = "raise") -> NDArray[Any]:
        """Class numbers, int32 (n,), or a 0/1 matrix, float32 (n, L), NaN where a label is unknown.

        Args:
            y: as for `fit`.
            unknown: what to do with a class that `fit` did not see: "raise" InputError, or "mark" it with -1. In sets
                of labels, one that is not known is left out.
        """
        target = as_target(y, ravel=self.task == "multi-class")
        if isinstance(target, LabelSets):
            return self._encode_sets(target, unknown)
        if self.task == "multi-label":
            return self._encode_matrix(target)
        if target.values.ndim == 2:
            return self._encode_one_hot(target)
        return self._encode_labels(target, unknown)

    def _encode_sets(self, target: LabelSets, unknown: str) -> NDArray[Any]:
        if self.task == "multi-class":
            return self._encode_labels(target.one_a_row(), unknown)
        refuse_too_large(len(target), self.n_classes, "labels")
        matrix = np.zeros((len(target), self.n_classes), np.float32)
        columns = target.columns(self.classes)
        is_known = columns >= 0
        if len(columns) and not is_known.any():
            known = ", ".join(repr(label) for label in self.classes[:10]) + (", …" if self.n_classes > 10 else "")
            raise InputError(
                f"no label of the file is known to the model: the first is {target.values[0]} at"
                f" {target.origin.where(int(target.rows()[0]))}; known labels: {known}."
            )
        matrix[target.rows()[is_known], columns[is_known]] = 1
        return matrix

    def _encode_labels(self, target: Target, unknown: str) -> NDArray[np.int32]:
        values = target.values
        if isinstance(self.classes[0], str):
            if target.texts is not None:
                values = target.texts
            elif values.dtype.kind in "biuf":
                values = np.array([str(value) for value in values.tolist()], dtype=object)
        elif values.dtype.kind in "OU":
            values = _numbers_where_possible(values)
        number = {label: index for index, label in enumerate(self.classes)}
        distinct, codes = factorise(values)
        code = np.array([number.get(label, -1) for label in distinct], np.int32)
        found: NDArray[np.int32] = code[codes]
        if unknown == "raise" and (found < 0).any():
            row = int(np.argmax(found < 0))
            known = ", ".join(repr(label) for label in self.classes[:10]) + (", …" if self.n_classes > 10 else "")
            raise InputError(
                f"the target at {target.origin.where(row)} is {distinct[codes[row]]!r}, a class that was not in the"
                f" training rows; known classes: {known}."
            )
        return found

    def _encode_one_hot(self, target: Target) -> NDArray[np.int32]:
        matrix = target.values
        _refuse_other_than_0_1(target)
        if matrix.shape[1] != self.n_classes or not (matrix.sum(axis=1) == 1).all():
            raise InputError(
                f"the target must be one label a row or a one-hot matrix of {self.n_classes} columns;"
                f" got a matrix of shape {matrix.shape}."
            )
        order = self._order_of(target)
        return np.asarray(matrix[:, order].argmax(axis=1), np.int32)

    def _encode_matrix(self, target: Target) -> NDArray[np.float32]:
        matrix = target.values
        if matrix.ndim == 1 or matrix.shape[1] != self.n_classes:
            raise InputError(
                f"the target must be a matrix of 0 and 1 with {self.n_classes} columns, one per label;"
                f" got shape {matrix.shape}."
            )
        _refuse_other_than_0_1(target)
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
        return {"task": self.task, "kind": kind, "classes": list(self.classes)}

    @classmethod
    def from_json(cls, value: object) -> TargetEncoder:
        """The inverse of `to_json`; raises InputError on anything else."""
        if not isinstance(value, dict) or set(value) != {"task", "kind", "classes"}:
            raise InputError("target must be an object with task, kind and classes.")
        task, kind, classes = value["task"], value["kind"], value["classes"]
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
        return cls(task, tuple(classes))


def factorise(values: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """The distinct values as Python objects, and for each value the number of its own among them."""
    if values.dtype == object:
        seen: dict[Any, int] = {}
        codes = np.fromiter((seen.setdefault(value, len(seen)) for value in values), np.int64, len(values))
        return list(seen), codes
    distinct = np.unique(values)
    return distinct.tolist(), np.searchsorted(distinct, values)


def as_target(y: Any, *, ravel: bool) -> Target:
    """Whatever a user passes as y; a single column is raveled, with scikit-learn's warning, if `ravel`."""
    if isinstance(y, LabelSets):
        return y
    target = y if isinstance(y, Target) else _as_given(y)
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


def _as_given(y: Any) -> Target:
    """An array, list, series or frame, not looked into yet."""
    if y is None:
        raise InputError("fit requires y to be passed, but the target y is None.")
    if type(y).__module__.partition(".")[0] == "scipy" and hasattr(y, "toarray"):
        raise InputError(f"y is a sparse {type(y).__name__}; sparse targets are not supported yet; pass y.toarray().")
    if not isinstance(y, (np.ndarray, list, tuple)):
        from .frames import as_values

        found = as_values(y)
        if found is not None:
            values, names = found
            return Target(values, names or (), names)
    try:
        return Target(np.asarray(y) if not isinstance(y, (list, tuple)) else _of_list(y))
    except ValueError as error:
        raise InputError(f"y must be one label a row, or rows of 0 and 1 of one length: {error}.") from None


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
        raise InputError(
            f"Unknown label type: y holds {values.dtype} values; labels must be integers, text or booleans."
        )
    return (
        target
        if values is target.values
        else Target(values, target.names, target.label_names, target.texts, target.origin)
    )


def _one_kind(target: Target) -> NDArray[Any]:
    values = target.values
    if values.dtype.kind == "U":
        return values.astype(object)
    if values.dtype.kind == "S":
        raise InputError("Unknown label type: y holds bytes; decode them to text: y.astype(str).")
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
    raise InputError(f"Unknown label type: y must hold labels of one kind, integers, text or booleans; found {found}.")


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _fit_labels(target: Target) -> TargetEncoder:
    values = target.values
    if values.dtype.kind == "f":
        fractional = values != np.floor(values)
        if fractional.any():
            row = int(np.argmax(fractional))
            raise InputError(
                f"Unknown label type: continuous. The target must name classes; {target.origin.where(row)} has"
                f" {values[row]:g}, which looks like a measured value: put it into classes first."
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
    if len(classes) == len(values) > 2:
        notes.append(f"every row has a class of its own ({len(classes)}): is the target a name or number of the rows?")
    else:
        single = [classes[index] for index, original in enumerate(order) if counts[original] == 1]
        if single:
            notes.append(f"{_named('class', 'classes', single)} with a single row: kept for training, never held out")
    notes += _twins(classes)
    return TargetEncoder("multi-class", classes, tuple(notes))


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


def _fit_sets(target: LabelSets, task: str | None) -> TargetEncoder:
    if task == "multi-class" or (task is None and not target.is_several):
        return _fit_labels(target.one_a_row())
    labels, counts = np.unique(target.values, return_counts=True)
    if len(labels) == 0:
        raise InputError("no row has a label.")
    notes = []
    if always := labels[counts == len(target)].tolist():
        notes.append(f"{_named('label', 'labels', always)} always set: nothing can be learned about it")
    return TargetEncoder("multi-label", tuple(labels.tolist()), tuple(notes))


def _fit_matrix(target: Target, task: str | None, class_names: Sequence[Label] | None) -> TargetEncoder:
    matrix = target.values
    _refuse_other_than_0_1(target)
    n_labels = matrix.shape[1]
    names: tuple[Label, ...] = target.label_names or tuple(class_names or range(n_labels))
    if len(names) != n_labels or len(set(names)) != n_labels:
        raise InputError(f"the target has {n_labels} label columns; {len(set(names))} different names are given.")
    is_one_hot = bool((matrix.sum(axis=1) == 1).all())
    if task is None and is_one_hot:
        raise InputError(
            f"the target has {n_labels} columns of 0 and 1 with exactly one 1 in each row: say whether it means one"
            " class out of many (task='multi-class', --task multi-class) or any number of labels (task='multi-label',"
            " --task multi-label)."
        )
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
        if n_labels < 2:
            raise InputError("the target must have at least 2 classes; it has 1 class column.")
        return TargetEncoder("multi-class", names)
    known, positive = np.count_nonzero(matrix == matrix, axis=0), np.count_nonzero(matrix == 1, axis=0)
    if not known.all():
        nowhere = [name for name, rows in zip(names, known, strict=True) if rows == 0]
        raise InputError(f"{_named('label', 'labels', nowhere)} must be known in some row; leave it out of the target.")
    notes = _unknown_values(names, (len(matrix) - known).tolist(), len(matrix))
    for answer, what in ((0, "never"), (1, "always")):
        constant = [name for name, ones, n in zip(names, positive, known, strict=True) if ones == answer * n]
        if constant:
            notes.append(f"{_named('label', 'labels', constant)} {what} set: nothing can be learned about it")
    return TargetEncoder("multi-label", names, tuple(notes))


def _unknown_values(names: Sequence[Label], counts: Sequence[int], n: int) -> list[str]:
    """What is said of labels that are not known in every row."""
    some = [(name, count) for name, count in zip(names, counts, strict=True) if count]
    if len(some) > 5:
        return [f"{sum(counts):,} values of {len(some):,} labels are unknown and take no part"]
    return [
        f"label {name!r}: {count:,} unknown {'value' if count == 1 else 'values'} of {n:,}; no loss and no figure of it"
        for name, count in some
    ]


def _refuse_other_than_0_1(target: Target) -> None:
    matrix = target.values
    if matrix.dtype.kind == "O":
        raise InputError("Unknown label type: a target with several columns must hold 0 and 1; it holds text.")
    wrong = (matrix != 0) & (matrix != 1) & (matrix == matrix)
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        label = repr(target.label_names[column]) if target.label_names else column
        raise InputError(
            "Unknown label type: a target with several columns must hold 0 and 1 (multi-label);"
            f" {target.origin.where(row)}, column {label}, has {matrix[row, column]}."
        )


def _numbers_where_possible(values: NDArray[Any]) -> NDArray[Any]:
    """Texts such as "3" as numbers, so that they meet classes that are numbers; other texts as they are."""

    def number(text: Any) -> Any:
        try:
            return float(text) if isinstance(text, str) else text
        except ValueError:
            return text

    return np.array([number(value) for value in values] + [None], dtype=object)[:-1]


def _named(one: str, many: str, names: Sequence[Label]) -> str:
    shown = ", ".join(repr(name) for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{one if len(names) == 1 else many} {shown}"
