"""Columns that can't be features yet: found and named, with the first value that is at fault and where it stands."""

from __future__ import annotations

import math
import re
import shlex

import numpy as np

from ..errors import InputError
from .numbers import ANY_NUMBER, CODE, EXACT_INTEGERS, TOO_LONG, number_fault
from .reading import Reading
from .schema import shown
from .table import Column, Table


def as_said(table: Table, reading: Reading) -> tuple[Table, tuple[str, ...]]:
    """A table of a source with types of its own, its texts read as the user says; and which became numbers."""
    if not reading.missing and not reading.numeric:
        return table, ()
    columns = tuple(_as_said(column, reading) for column in table.columns)
    became = (new.name for new, old in zip(columns, table.columns, strict=True) if new.is_numeric > old.is_numeric)
    return Table(columns, table.n_rows, table.origin), tuple(became)


def _as_said(column: Column, reading: Reading) -> Column:
    if column.values.dtype != object or column.kind:
        return column
    values, missing = column.values, column.missing
    if reading.missing:
        words = set(reading.missing)
        stands_for_nothing = np.fromiter((text.strip() in words for text in values), bool, len(values))
        if stands_for_nothing.any():
            missing = stands_for_nothing if missing is None else missing | stands_for_nothing
    if column.name in reading.numeric:
        there = values if missing is None else values[~missing]
        if all(re.fullmatch(rf"\s*{ANY_NUMBER}\s*", text) and math.isfinite(float(text)) for text in there):
            numbers = np.zeros(len(values))
            numbers[slice(None) if missing is None else ~missing] = there.astype(np.float64)
            return Column(column.name, numbers, missing)
    return Column(column.name, values, missing, column.kind)


def refuse_unusable(table: Table, *, is_for_model: bool = False) -> None:
    """Raise InputError unless every column holds a finite number in every row.

    A model's own columns can't be left out, and the message then does not propose it.
    """
    unusable = [column for column in table.columns if not _is_usable(column)]
    if not unusable:
        return
    others = [column.name for column in unusable[1:]]
    more = f" {len(others)} more can't be used either: {shown(others)}." if others else ""
    first = unusable[0]
    if is_for_model or table.origin.is_for_model:
        cure = f"The model needs {'them' if others else 'it'}."
    else:
        cure = table.origin.how_to_leave_out([first.name, *others])
    fault = _fault(first, table)
    if table.origin.takes_options and fault.endswith((CODE, TOO_LONG)):
        cure = f"--numeric {shlex.quote(first.name)} reads it as numbers all the same; {cure}"
    raise InputError(f"{fault}.{more} {cure}")


def _is_usable(column: Column) -> bool:
    if not column.is_numeric or column.missing is not None:
        return False
    values = column.values
    if values.dtype.kind == "f":
        return bool(np.isfinite(values).all())
    return values.dtype.itemsize < 8 or bool(values.max() <= EXACT_INTEGERS and values.min() >= -EXACT_INTEGERS)


def _fault(column: Column, table: Table) -> str:
    name, values, where = f"column {column.name!r}", column.values, table.origin.where
    if column.missing is not None and column.missing.all():
        return f"{name} is empty: it has no value in any of the {table.n_rows} rows"
    if column.kind:
        row = _first(column)
        return f"{name} must hold numbers; it holds {column.kind}, such as {values[row]} at {where(row)}"
    if not column.is_numeric:
        missing = column.missing
        for row, value in enumerate(values):
            if (missing is None or not missing[row]) and (fault := number_fault(str(value))):
                return f"{name} must hold numbers; {where(row)} has {str(value)[:60]!r}{fault}"
        row = _first(column)
        return f"{name} must hold numbers; it holds text, such as {values[row]!r} at {where(row)}"
    if column.missing is not None:
        row = int(np.argmax(column.missing))
        return (
            f"{name} has no value at {where(row)} ({int(column.missing.sum())} of {table.n_rows} rows have none);"
            " missing values can't be used yet"
        )
    if values.dtype.kind == "f":
        row = int(np.argmin(np.isfinite(values)))
        what = "NaN" if np.isnan(values[row]) else "infinity"
        return f"{name} must hold finite numbers; {where(row)} has {what}"
    row = int(np.argmax((values > EXACT_INTEGERS) | (values < -EXACT_INTEGERS)))
    return f"{name} must hold numbers; {where(row)} has {values[row]}{number_fault(str(values[row]))}"


def _first(column: Column) -> int:
    """The first row that has a value."""
    return 0 if column.missing is None else int(np.argmin(column.missing))
