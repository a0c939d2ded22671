"""Target columns: which they are, and what their values mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..errors import InputError, nearest
from .numbers import number_fault
from .table import Column, Table
from .targets import Target

_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


def find_targets(wanted: str | Sequence[str], names: Sequence[str], file: str) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The target columns, and the names of the labels when there are several.

    A word may be a column's name, several separated by commas, or hold a `*` that stands for anything; a sequence
    holds exact names.
    """
    found: list[str] = []
    labels: list[str] = []
    if isinstance(wanted, str):
        parts = [wanted] if wanted in names else [part.strip() for part in wanted.split(",")]
    else:
        parts = list(wanted)
    for part in parts:
        if part in names:
            matches = [(part, part)]
        elif "*" in part and isinstance(wanted, str):
            pattern = re.compile("(.*)".join(map(re.escape, part.split("*"))), re.DOTALL)
            matches = [(name, "*".join(m.groups())) for name in names if (m := pattern.fullmatch(name))]
        else:
            matches = []
        if not matches:
            raise InputError(f"{file} has no column {part!r} for the target.{_known(part, names)}")
        for name, label in matches:
            if name in found:
                raise InputError(f"the target column {name!r} is named twice in {wanted!r}.")
            found.append(name)
            labels.append(label)
    if len(found) == 1:
        return tuple(found), None
    if len(set(labels)) < len(labels):
        labels = found
    return tuple(found), tuple(labels)


def _known(word: str, names: Sequence[str]) -> str:
    hint = nearest(word, names)
    return hint or f" Its columns: {', '.join(names[:10])}{', …' if len(names) > 10 else ''}."


def single_target(column: Column, table: Table, *, is_text_file: bool) -> tuple[Target, tuple[str, ...]]:
    """The classes of one column, and what has to be said about them."""
    _refuse_missing(column, table)
    values, name = column.values, column.name
    if values.dtype.kind == "f":
        if (values == np.floor(values)).all() and (np.abs(values) < 2**53).all():
            return _target(values.astype(np.int64), column, table), (f"target {name!r}: its values are read as integers",)
        return _target(values, column, table), ()
    if values.dtype.kind != "O":
        kind = bool if values.dtype.kind == "b" else np.int64
        return _target(values.astype(kind), column, table), ()
    clean = {text: text.strip() for text in dict.fromkeys(values)}
    notes: list[str] = []
    if any(text != stripped for text, stripped in clean.items()):
        values = np.array([clean[text] for text in values], dtype=object)
        notes.append(f"target {name!r}: spaces around its values were dropped")
    distinct = set(clean.values())
    if not is_text_file:
        return _target(values, column, table), tuple(notes)
    if all(_CANONICAL_INTEGER.fullmatch(text) for text in distinct):
        return _target(values.astype(np.int64), column, table, values), tuple(notes)
    if not any(number_fault(text) for text in distinct):
        numbers = values.astype(np.float64)
        if (numbers == np.floor(numbers)).all() and (np.abs(numbers) < 2**53).all():
            notes.append(f"target {name!r}: its values are read as integers, {min(distinct)!r} as {int(float(min(distinct)))}")
            return _target(numbers.astype(np.int64), column, table, values), tuple(notes)
        return _target(numbers, column, table, values), tuple(notes)
    return _target(values, column, table, values), tuple(notes)


def several_targets(columns: Sequence[Column], label_names: tuple[str, ...], table: Table) -> Target:
    """The 0/1 matrix of several label columns."""
    matrix = np.empty((table.n_rows, len(columns)), np.uint8)
    for index, column in enumerate(columns):
        _refuse_missing(column, table)
        values = column.values
        if values.dtype.kind == "O":
            wrong = np.array([str(value).strip() not in ("0", "1") for value in values])
            values = np.where(wrong, "0", values).astype(np.float64)
        else:
            wrong = (values != 0) & (values != 1)
        if wrong.any():
            row = int(np.argmax(wrong))
            value = column.values[row]
            raise InputError(
                f"label column {column.name!r} must hold 0 or 1; {table.origin.where(row)} has"
                f" {value if isinstance(value, str) else f'{value:g}'!r}."
            )
        matrix[:, index] = values
    return Target(matrix, tuple(column.name for column in columns), label_names, None, table.origin)


def _target(values: np.ndarray, column: Column, table: Table, texts: np.ndarray | None = None) -> Target:  # type: ignore[type-arg]
    return Target(values, (column.name,), None, texts, table.origin)


def _refuse_missing(column: Column, table: Table) -> None:
    missing = column.missing
    if column.values.dtype.kind == "O":
        blank = np.array([isinstance(value, str) and not value.strip() for value in column.values])
        missing = blank if missing is None else missing | blank
    if column.values.dtype.kind == "f":
        nan = np.isnan(column.values)
        missing = nan if missing is None else missing | nan
    if missing is not None and missing.any():
        row = int(np.argmax(missing))
        raise InputError(
            f"the target {column.name!r} must be known for every row; {table.origin.where(row)} has none"
            f" ({int(missing.sum())} of {table.n_rows} rows have none). Take such rows out."
        )
