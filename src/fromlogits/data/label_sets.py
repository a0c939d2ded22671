"""Sets of labels: any number of labels a row, in every form that people write them, and the sparse 0/1 matrix."""

from __future__ import annotations

import json
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import csr
from .classes import Label, factorise, numbers_of
from .numbers import is_integer
from .origin import Origin
from .target import Target

SETS = (set, frozenset)
ROWS = (*SETS, list, tuple, np.ndarray)
"""What may hold the labels of a row."""


SIGN = "|"
"""Between the labels of a row where no other sign is known: in predictions, and in texts that a model reads."""


@dataclass(frozen=True)
class LabelSets(Target):
    """Labels, any count a row: `values` (int64, or an object array of str) has those of all rows one after the other.

    Attributes:
        starts: int64 (n + 1,): the labels of row i are those from starts[i] to starts[i + 1].
        is_several: a row may have none or several; False where each has one, which then may be its class.
        is_unknown: bool (n,): rows of whose labels nothing is known, which is not the empty set; None: there are none.
        n_labels: of a sparse matrix, whose columns the labels number; else None.
        separator: the sign between the labels of a row in a text; else None.
    """

    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    is_several: bool = False
    is_unknown: NDArray[np.bool_] | None = None
    n_labels: int | None = None
    separator: str | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, rows: NDArray[Any]) -> Self:
        starts, places = csr.taken(self.starts, rows)
        is_unknown = None if self.is_unknown is None else self.is_unknown[rows]
        values, origin = self.values[places], self.origin.take(rows)
        return replace(self, values=values, starts=starts, is_unknown=is_unknown, origin=origin)

    @property
    def n_known(self) -> int:
        """Rows whose labels are known."""
        return len(self) - (0 if self.is_unknown is None else int(self.is_unknown.sum()))

    def rows(self) -> NDArray[np.int64]:
        """The row of each label."""
        return csr.rows_of_values(self.starts)

    def columns(self, classes: Sequence[Label]) -> NDArray[np.int32]:
        """The number of each label among the classes; -1 for one that is not there."""
        if self.n_labels is not None:
            return self.values.astype(np.int32)
        distinct, codes = factorise(self.values)
        found: NDArray[np.int32] = numbers_of(distinct, classes)[codes]
        return found

    def unknown_to(self, classes: Sequence[Label]) -> tuple[int, str]:
        """How many rows have a label that is none of the classes, and what has to be said of it; "" of none."""
        is_other = self.columns(classes) < 0
        if not is_other.any():
            return 0, ""
        rows, first = self.rows()[is_other], int(np.argmax(is_other))
        count = len(np.unique(rows))
        have = "row has a label" if count == 1 else "rows have labels"
        return count, (
            f"{count:,} {have} that the model does not know, such as {self.values[first]} at"
            f" {self.origin.where(int(rows[0]))}; such labels are left out of all figures"
        )

    def one_a_row(self) -> Target:
        """The classes of rows that have one label each; InputError where a row has not."""
        counts = np.diff(self.starts)
        if (counts != 1).any():
            row = int(np.argmax(counts != 1))
            is_unknown = self.is_unknown is not None and self.is_unknown[row]
            raise InputError(
                f"task='multi-class' needs exactly one label in each row; {self.origin.where(row)} has"
                f" {'no value' if is_unknown else counts[row]}. task='multi-label' takes any number."
            )
        return Target(self.values, self.names, origin=self.origin, notes=self.notes)


@dataclass(frozen=True)
class SparseLabels:
    """A 0/1 matrix (n, L) of which only the ones are held; an index gives the float32 part that it asks for.

    Attributes:
        starts: int64 (n + 1,): the ones of row i are those from starts[i] to starts[i + 1].
        columns: int32, the column of each one, ascending within a row. A row whose labels are not known has -1 alone,
            and is NaN where it is asked for.
        n_labels: L.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    n_labels: int

    ndim = 2

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.n_labels

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """In memory for the labels that are asked for: one, consecutive ones, or else all."""
        rows, label = key if isinstance(key, tuple) else (key, slice(None))
        is_one = isinstance(label, (int, np.integer))
        is_span = isinstance(label, slice) and label.step in (None, 1)
        labels = range(self.n_labels)[label if is_one or is_span else slice(None)]
        span = range(labels, labels + 1) if isinstance(labels, int) else labels
        chosen = np.arange(len(self))[rows]
        starts, places = csr.taken(self.starts, chosen)
        at, columns = csr.rows_of_values(starts), self.columns[places]
        is_there = (columns >= span.start) & (columns < span.stop)
        part = np.zeros((len(chosen), len(span)), np.float32)
        part[at[is_there], columns[is_there] - span.start] = 1
        part[at[columns < 0]] = np.nan
        return part[:, 0] if is_one else part if is_span else part[:, label]

    def take(self, rows: NDArray[np.int64], axis: int = 0) -> SparseLabels:
        """Some rows, sparse as they are; an array has a method of this name, too."""
        starts, places = csr.taken(self.starts, rows)
        return SparseLabels(starts, self.columns[places], self.n_labels)

    def as_sets(self) -> LabelSets:
        """The same as a target that is still to be encoded, its labels the numbers of the columns."""
        is_label, is_known_n = self.columns >= 0, self.is_known
        starts = np.concatenate([[0], is_label.cumsum()])[self.starts]
        is_unknown = None if is_known_n.all() else ~is_known_n
        return LabelSets(
            self.columns[is_label].astype(np.int64), starts=starts, is_several=True, is_unknown=is_unknown,
            n_labels=self.n_labels,
        )  # fmt: skip

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """(n,): whether the row's labels are known."""
        is_known_n = np.ones(len(self), bool)
        is_known_n[csr.rows_of_values(self.starts)[self.columns < 0]] = False
        return is_known_n

    def nonzero(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Row and column of every one, as NumPy's function of that name gives them."""
        is_label = self.columns >= 0
        return csr.rows_of_values(self.starts)[is_label], self.columns[is_label]


def encoded(target: LabelSets, columns: NDArray[np.int32], n_labels: int) -> SparseLabels:
    """The matrix of the labels whose column is known, the others left out."""
    is_known = columns >= 0
    rows, columns = target.rows()[is_known], columns[is_known]
    if target.is_unknown is not None:
        nothing = np.flatnonzero(target.is_unknown)
        rows, columns = np.append(rows, nothing), np.append(columns, np.full(len(nothing), -1, np.int32))
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    is_new = np.ones(len(rows), bool)
    is_new[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])  # two spellings of one label are one
    rows, columns = rows[is_new], columns[is_new]
    starts = np.searchsorted(rows, np.arange(len(target) + 1)).astype(np.int64)
    return SparseLabels(starts, np.ascontiguousarray(columns, np.int32), n_labels)


# --- from Python ---


def are_sets(y: Sequence[Any], *, is_column_a_set: bool) -> bool:
    """Whether a list means sets of labels: it holds sets, or lists of text. Lists of numbers are rows of a matrix.

    Args:
        y: as the user gave it.
        is_column_a_set: whether rows of one text each are sets, and not a column that is to be raveled.
    """
    rows = [row for row in y if isinstance(row, ROWS)]
    if any(isinstance(row, SETS) for row in rows):
        return True
    has_text = any(isinstance(label, str) for row in rows for label in row)
    return has_text and (is_column_a_set or len(rows) < len(y) or any(len(row) != 1 for row in rows))


def of_rows(y: Iterable[Any], names: tuple[str, ...] = (), origin: Origin | None = None) -> LabelSets:
    """From a set, list, tuple or array for each row; None or NaN where nothing is known of a row."""
    origin = origin or Origin()
    values: list[Any] = []
    starts, unknown, kinds, repeated = [0], [], {}, []
    for row, labels in enumerate(y):
        is_unknown = labels is None or (not isinstance(labels, ROWS) and labels != labels)
        unknown.append(is_unknown)
        if not is_unknown:
            own = _labels_of(labels, row, origin)
            if len(own) < len(labels):
                repeated.append(row)
            kinds.update({type(label): row for label in own if type(label) not in kinds})
            values += own
        starts.append(len(values))
    if len(kinds) > 1:
        found = ", ".join(f"{kind.__name__} at {origin.where(row)}" for kind, row in kinds.items())
        raise InputError(f"labels must be of one kind, integers or text; found {found}.")
    if not unknown:
        raise InputError("y holds no label: Found array with 0 sample(s) while a minimum of 1 is required.")
    array = np.array(values, np.int64) if int in kinds else np.array([*values, None], object)[:-1]
    is_unknown_n = np.array(unknown)
    notes: tuple[str, ...] = ()
    if repeated:
        rows = "row names" if len(repeated) == 1 else "rows name"
        notes = (f"{len(repeated):,} {rows} a label twice, {origin.where(repeated[0])} first: it counts once",)
    return LabelSets(
        array, names, origin=origin, notes=notes, starts=np.array(starts, np.int64), is_several=True,
        is_unknown=is_unknown_n if is_unknown_n.any() else None,
    )  # fmt: skip


def _labels_of(labels: Any, row: int, origin: Origin) -> list[Any]:
    """The labels of one row, each once, text or int."""
    if not isinstance(labels, ROWS) or (isinstance(labels, np.ndarray) and labels.ndim != 1):
        raise InputError(f"y must hold a set of labels in each row; {origin.where(row)} has {type(labels).__name__}.")
    own: dict[Any, None] = {}
    for label in labels.tolist() if isinstance(labels, np.ndarray) else labels:
        if isinstance(label, str):
            own[str(label)] = None
        elif isinstance(label, numbers.Integral) and not isinstance(label, (bool, np.bool_)):
            if not -(2**63) <= int(label) < 2**63:
                raise InputError(f"labels must fit into 64 bits; {origin.where(row)} has {label}.")
            own[int(label)] = None
        elif isinstance(label, (float, np.floating)) and float(label).is_integer():
            own[int(label)] = None
        else:
            what = "a missing value" if label is None or label != label else repr(label)
            raise InputError(f"labels in a set must be integers or text; {origin.where(row)} has {what}.")
    return list(own)


def refuse_lists_of_0_and_1(y: Iterable[Any]) -> None:
    """Raise InputError for a column of lists that look like the rows of a 0/1 matrix."""
    rows = [row for row in y if isinstance(row, (list, tuple, np.ndarray))]
    widths = {len(row) for row in rows}
    if len(widths) == 1 and max(widths) > 1 and all(label in (0, 1) for row in rows for label in row):
        raise InputError(
            f"y holds lists of {widths.pop()} numbers 0 and 1, which can be read in two ways: pass a 2-D array of 0 and"
            " 1, one column per label; or sets, as in {0, 1}, of the labels that hold."
        )


def of_sparse(y: Any) -> LabelSets:
    """From a SciPy sparse matrix (n, L) of 0 and 1."""
    matrix = y.tocsr()
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"y must be a sparse matrix of 0 and 1, a row for each example; got shape {matrix.shape}.")
    matrix = matrix.copy()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    wrong = np.flatnonzero(matrix.data != 1)
    if len(wrong):
        row = csr.row_of_value(matrix.indptr, int(wrong[0]))
        raise InputError(
            f"a sparse target must hold 0 and 1; row {row}, column {matrix.indices[wrong[0]]}, has"
            f" {matrix.data[wrong[0]]}. Probabilities are passed as an array: y.toarray()."
        )
    starts = matrix.indptr.astype(np.int64)
    return LabelSets(
        matrix.indices.astype(np.int64), starts=starts, n_labels=matrix.shape[1],
        is_several=bool((np.diff(starts) != 1).any()),
    )  # fmt: skip


# --- from files ---


def of_texts(texts: NDArray[Any], separator: str, unknown: Sequence[str], name: str, origin: Origin) -> LabelSets:
    """From texts such as "car|bus"; "" is the empty set; None, and a word in `unknown`, say that nothing is known.

    Spaces around a label are dropped. Labels that are all integers, as one writes them, are integers.
    """
    distinct, codes = factorise(texts)
    split: list[list[str] | None] = []
    for number, text in enumerate(distinct):
        if text is None or text.strip() in unknown:
            split.append(None)
            continue
        labels = [label.strip() for label in text.split(separator)] if text.strip() else []
        if "" in labels:
            row = int(np.argmax(codes == number))
            raise InputError(
                f"column {name!r} must hold labels with one {separator!r} between two of them; {origin.where(row)} has"
                f" {_short(text)}, with nothing on one side of it."
            )
        split.append(labels)
    if all(is_integer(label) for labels in split for label in labels or ()):
        rows: list[Any] = [None if labels is None else [int(label) for label in labels] for labels in split]
    else:
        rows = list(split)
    return replace(of_rows((rows[code] for code in codes.tolist()), (name,), origin), separator=separator)


def json_lists(
    texts: NDArray[Any], missing: NDArray[np.bool_] | None = None, unknown: Sequence[str] = ()
) -> list[Any] | None:
    """The lists that all these texts are, None where one is missing; None where some text is no JSON list."""
    found: dict[Any, Any] = {}
    rows: list[Any] = []
    for row, text in enumerate(texts):
        if (missing is not None and missing[row]) or not text.strip() or text.strip() in unknown:
            rows.append(None)
            continue
        if text not in found:
            if not (text.lstrip().startswith("[") and text.rstrip().endswith("]")):
                return None
            try:
                found[text] = json.loads(text)
            except (ValueError, RecursionError):
                return None
        rows.append(found[text])
    return rows if found else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
