"""Target columns: which they are, and what their values mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, nearest
from . import label_sets
from .label_sets import LabelSets
from .numbers import is_integer, is_not_finite, number_fault
from .reading import Reading
from .schema import shown
from .table import Column, Table
from .target import Target


def find_targets(
    wanted: str | Sequence[str], names: Sequence[str], file: str, ignore: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The target columns, and what to call the labels when there are several.

    Args:
        wanted: a column, several separated by commas, or with a `*` that stands for anything and then names the
            label; or a sequence of exact names in the order of the classes, which have their names already.
        names: of the columns that are there.
        file: for messages.
        ignore: columns that a `*` does not stand for.
    """
    if not isinstance(wanted, str):
        for name in wanted:
            if name not in names:
                raise InputError(f"{file} has no target column {name!r}.{_hint(name, names)}")
        return tuple(wanted), None
    found: dict[str, str] = {}
    for part in [wanted] if wanted in names else [part.strip() for part in wanted.split(",")]:
        if part in names:
            matches = {part: part}
        else:
            pattern = re.compile("(.*)".join(map(re.escape, part.split("*"))), re.DOTALL)
            free = [name for name in names if name not in ignore]
            matches = {name: "*".join(match.groups()) for name in free if (match := pattern.fullmatch(name))}
        if not matches:
            raise InputError(f"{file} has no target column {part!r}.{_hint(part, names)}")
        for name in matches:
            if name in found:
                raise InputError(f"the target {wanted!r} names column {name!r} twice.")
        found |= matches
    if len(found) == 1:
        return tuple(found), None
    labels = tuple(found.values())
    return tuple(found), labels if len(set(labels)) == len(labels) else tuple(found)


def _hint(word: str, names: Sequence[str]) -> str:
    return nearest(word, names) or f" Its columns: {shown(names, 10)}."


def target_of_sets(
    column: Column, table: Table, reading: Reading, *, is_text_file: bool
) -> tuple[Target, tuple[str, ...]] | None:
    """Sets of labels in one column: lists, texts that are JSON lists, or texts that `reading.label_separator` divides.

    Returns:
        The sets, and what has to be said about them; None of a column that holds one class a row.

    A missing value means that nothing is known of the row's labels. In a text file an empty field is the empty set, for
    there is no other way to write it; there, words for missing values say that nothing is known.
    """
    name, values, missing = column.name, column.values, column.missing
    if values.dtype == object and any(isinstance(value, list) for value in values):
        return label_sets.of_rows(values, (name,), table.origin), ()
    separator = reading.label_separator
    lists = label_sets.json_lists(values, missing, reading.missing) if values.dtype == object else None
    if lists is not None:
        note = f"target {name!r}: its JSON lists were read as sets of labels"
        return label_sets.of_rows(lists, (name,), table.origin), (note,)
    if separator is None:
        return None
    if values.dtype.kind in "iu" and table.origin.is_for_model:
        values = values.astype(str).astype(object)  # a label in each row
    if values.dtype != object:
        raise InputError(f"--label-separator is for a column of texts; {name!r} holds {values.dtype} values.")
    texts = values.copy()
    if missing is not None:
        texts[missing] = "" if is_text_file else None
    found: LabelSets = label_sets.of_texts(texts, separator, reading.missing, name, table.origin)
    n_empty = int((np.diff(found.starts) == 0).sum()) - (len(found) - found.n_known)
    if not is_text_file or not n_empty:
        return found, ()
    rows = "row has no label: an empty field is" if n_empty == 1 else "rows have no label: empty fields are"
    return found, (f"target {name!r}: {n_empty:,} {rows} the empty set; --missing gives words for unknown labels",)


def single_target(column: Column, table: Table, *, is_text_file: bool) -> tuple[Target, tuple[str, ...]]:
    """The classes in one column, and what has to be said about them.

    In a text file, values that are all integers are integers, and so are whole numbers such as 1.0, with a note.
    A file with types of its own is believed.
    """
    _refuse_missing(column, table)
    values, notes, texts = column.values, [], None
    if values.dtype.kind == "O":
        values, stripped = _stripped(values)
        if stripped:
            notes.append(f"target {column.name!r}: spaces around its values were dropped")
        if is_text_file:
            texts = values
            values = _typed(values)
            _refuse_missing(Column(column.name, values), table)  # a nan among numbers
    if values.dtype.kind == "f" and (values == np.floor(values)).all() and (np.abs(values) < 2**53).all():
        values = values.astype(np.int64)
        notes.append(f"target {column.name!r}: its numbers are whole and were read as integers")
    elif values.dtype.kind in "iu":
        values = values.astype(np.int64)
    elif hint := _hint_of_bars(values):
        notes.append(f"target {column.name!r}: some values hold the sign |.{hint}")
    return Target(values, (column.name,), None, texts, table.origin), tuple(notes)


def _stripped(texts: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    clean = {text: text.strip() for text in dict.fromkeys(texts)}
    if all(text == stripped for text, stripped in clean.items()):
        return texts, False
    return np.array([clean[text] for text in texts], dtype=object), True


def _typed(texts: NDArray[Any]) -> NDArray[Any]:
    """int64 when all are integers as one writes them, float64 when all are numbers (or nan), else the texts."""
    distinct = dict.fromkeys(texts)
    if all(map(is_integer, distinct)):
        return texts.astype(np.int64)
    words = [text for text in distinct if number_fault(text)]
    return texts.astype(np.float64) if len(words) < len(distinct) and all(map(is_not_finite, words)) else texts


def several_targets(columns: Sequence[Column], label_names: tuple[str, ...] | None, table: Table) -> Target:
    """The matrix of several label columns: 0/1 (uint8); or float64, with NaN for a label that is unknown, or shares."""
    missing = [_missing(column) for column in columns]
    matrix: NDArray[Any] = np.empty((table.n_rows, len(columns)), np.float64 if any(map(np.any, missing)) else np.uint8)
    for index, (column, is_missing) in enumerate(zip(columns, missing, strict=True)):
        values = column.values
        if is_missing.any():
            values = np.where(is_missing, 0, values)
        is_right = (
            np.fromiter(map(_is_share, values), bool, len(values))
            if values.dtype.kind == "O"
            else ((values >= 0) & (values <= 1))
        )
        if not is_right.all():
            row = int(np.argmin(is_right))
            value = values[row]
            shown_value = repr(value) if isinstance(value, str) else f"{value:g}"
            raise InputError(
                f"label column {column.name!r} must hold 0 or 1, or probabilities; {table.origin.where(row)} has"
                f" {shown_value}."
            )
        numbers = values.astype(np.float64)
        if matrix.dtype == np.uint8 and ((numbers != 0) & (numbers != 1)).any():
            matrix = matrix.astype(np.float64)
        matrix[:, index] = numbers
        if is_missing.any():
            matrix[is_missing, index] = np.nan
    return Target(matrix, tuple(column.name for column in columns), label_names, None, table.origin)


def _is_share(text: Any) -> bool:
    return not number_fault(str(text)) and 0 <= float(text) <= 1


def _missing(column: Column) -> NDArray[Any]:
    """(n,): where there is no value."""
    values = column.values
    missing: NDArray[Any] = np.zeros(len(values), bool) if column.missing is None else column.missing
    if values.dtype.kind == "O":
        missing = missing | np.fromiter((isinstance(v, str) and not v.strip() for v in values), bool, len(values))
    elif values.dtype.kind == "f":
        missing = missing | np.isnan(values)
    return missing


def _refuse_missing(column: Column, table: Table) -> None:
    missing = _missing(column)
    if missing.any():
        raise InputError(
            f"the target {column.name!r} must be known in every row; {table.origin.where(int(np.argmax(missing)))} has"
            f" none ({int(missing.sum())} of {table.n_rows} rows have none). Take such rows out."
            f"{_hint_of_bars(column.values)}"
        )


def _hint_of_bars(values: NDArray[Any]) -> str:
    """What to do if texts are sets of labels, which only the user knows."""
    if values.dtype != object or not any("|" in value for value in values if isinstance(value, str)):
        return ""
    return " If they are sets of labels, say so: --label-separator '|'."
