"""Columns that can't be features yet: found and named, with the first value that is at fault and where it stands."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from .booleans import DIGITS, is_boolean_word
from .numbers import ANY_NUMBER, CODE, EXACT_INTEGERS, NOT_A_NUMBER, NOT_FINITE, TOO_LONG, number_fault
from .origin import Origin
from .reading import Reading
from .schema import shown
from .table import Column, Table

MOST_WORDS, MAX_WORD = 3, 60
"""So few and short are words among numbers that stand for a missing value."""


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
        is_missing = column.is_missing
        stands_for_nothing = np.fromiter(
            (not gap and text.strip() in words for text, gap in zip(values, is_missing, strict=True)), bool, len(values)
        )
        if stands_for_nothing.any():
            missing = stands_for_nothing if missing is None else missing | stands_for_nothing
    if column.name in reading.numeric:
        there = values if missing is None else values[~missing]
        if all(re.fullmatch(rf"\s*{ANY_NUMBER}\s*", text) and math.isfinite(float(text)) for text in there):
            numbers = np.zeros(len(values))
            numbers[slice(None) if missing is None else ~missing] = there.astype(np.float64)
            return Column(column.name, numbers, missing)
    return Column(column.name, values, missing, column.kind)


class ColumnFault(Exception):
    """A column that can't be what it must be.

    Attributes:
        before: what must be and what was found, to follow the column's name and to stand before the row.
        row: the first one at fault, from 0; None where it is no single one.
        after: what follows the row.
        cure: what can be done beside leaving the column out; to stand before that.
        is_infinite: the value is a number that is not finite.
        word: the value, where it is a text that may stand for none.
    """

    def __init__(
        self,
        before: str,
        row: int | None = None,
        after: str = "",
        cure: str = "",
        *,
        is_infinite: bool = False,
        word: str = "",
    ) -> None:
        super().__init__(before, row, after, cure)
        self.is_infinite = is_infinite
        self.word = word
        self.before = before
        self.row = row
        self.after = after
        self.cure = cure

    def told(self, name: str, origin: Origin, start: int = 0) -> str:
        """The sentence, without its end; rows are counted from `start`."""
        where = "" if self.row is None else origin.where(start + self.row)
        return f"{name}{self.before}{where}{self.after}"

    def cure_for_model(self, name: str, origin: Origin) -> str:
        """What to do about the column of this name, which a model needs."""
        if self.after.endswith((CODE, TOO_LONG)) and origin.has_options:
            return f"--numeric {shlex.quote(name)} reads it as numbers all the same."
        if self.word or self.is_infinite:
            return f"{origin.how_to_miss(self.word)}; the model needs the column."
        return "The model needs it."


def refuse_unusable(table: Table, *, is_for_model: bool = False, may_miss: bool = True) -> None:
    """Raise InputError unless every column holds finite numbers, in every row or, where it may, in some.

    A model's own columns can't be left out, and the message then does not propose it.
    """
    faults = [(column.name, fault) for column in table.columns if (fault := number_fault_of(column, may_miss=may_miss))]
    if faults:
        (name, first), others = faults[0], [name for name, _ in faults[1:]]
        raise unusable_columns(name, first, others, table.origin, is_for_model=is_for_model)


def unusable_columns(
    name: str, fault: ColumnFault, others: Sequence[str], origin: Origin, *, is_for_model: bool = False
) -> InputError:
    """What is said of a column that does not hold the numbers it must, and of the others that don't either."""
    more = f" {len(others)} more can't be used either: {shown(others)}." if others else ""
    if is_for_model or origin.is_for_model:
        cure = "The model needs them." if others else fault.cure_for_model(name, origin)
    else:
        cure = origin.how_to_leave_out([name, *others], is_infinite=fault.is_infinite)
        if origin.takes_options and fault.after.endswith((CODE, TOO_LONG)):
            cure = f"--numeric {shlex.quote(name)} reads it as numbers all the same; {cure}"
    return InputError(f"{fault.told(f'column {name!r}', origin)}.{more} {cure}")


def number_fault_of(column: Column, *, may_miss: bool = True, is_boolean: bool = False) -> ColumnFault | None:
    """Why a column does not hold finite numbers that float64 tells apart, or yes and no; None where it does."""
    values, is_missing = column.values, column.missing
    if is_missing is not None and not may_miss:
        if is_missing.all():
            return ColumnFault(f" is empty: it has no value in any of the {len(values)} rows")
        row, count = int(np.argmax(is_missing)), int(is_missing.sum())
        after = f" ({count} of {len(values)} rows have none); a picture has all its pixels"
        return ColumnFault(" has no value at ", row, after)
    if is_missing is not None and is_missing.all():
        return None
    if not column.is_numeric:
        return _text_fault(column, is_boolean=is_boolean)
    if values.dtype.kind == "f":
        is_wrong = ~np.isfinite(values)
    elif values.dtype.itemsize < 8 or (values.max() <= EXACT_INTEGERS and values.min() >= -EXACT_INTEGERS):
        return None
    else:
        is_wrong = (values > EXACT_INTEGERS) | (values < -EXACT_INTEGERS)
    if is_missing is not None:
        is_wrong &= ~is_missing
    if not is_wrong.any():
        return None
    row = int(np.argmax(is_wrong))
    if values.dtype.kind == "f":
        found = "NaN" if np.isnan(values[row]) else "infinity"
        return ColumnFault(" must hold finite numbers; ", row, f" has {found}", is_infinite=True)
    return ColumnFault(" must hold numbers; ", row, f" has {values[row]}{number_fault(str(values[row]))}")


def _text_fault(column: Column, *, is_boolean: bool) -> ColumnFault:
    """The first value that is no number, nor yes or no among such; the first one where all would be numbers."""
    values, is_missing = column.values, column.missing
    first = 0 if is_missing is None else int(np.argmin(is_missing))
    if column.kind in ("dates", "times"):
        return ColumnFault(f" must hold numbers; it holds {column.kind}, such as {values[first]} at ", first)
    rows: dict[str, int] = {}
    for row, value in enumerate(values):
        if (is_missing is None or not is_missing[row]) and str(value).strip():
            rows.setdefault(str(value), row)
    faults = {text: fault for text in rows if (fault := number_fault(text))}
    if not faults:
        return ColumnFault(f" must hold numbers; it holds text, such as {values[first]!r} at ", first)
    others = [text for text in faults if not is_boolean_word(text)]
    numbers = {text.strip() for text in rows if text not in faults}
    if others and (is_boolean or (len(others) < len(faults) and numbers <= DIGITS.keys())):
        word = others[0]
        what = " must hold yes and no; " if is_boolean else " must hold numbers, or yes and no; "
        return ColumnFault(what, rows[word], f" has {word[:60]!r}", word=_for_nothing(others))
    text, fault = next(iter(faults.items()))
    may_miss = fault in (NOT_A_NUMBER, NOT_FINITE)
    word = _for_nothing(list(faults)) if may_miss else ""
    return ColumnFault(" must hold numbers; ", rows[text], f" has {text[:60]!r}{fault}", word=word)


def _for_nothing(words: Sequence[str]) -> str:
    """The first of few words, which then may stand for a missing value; "" of many or of a long one."""
    word = words[0].strip()
    return word if len(words) <= MOST_WORDS and len(word) <= MAX_WORD else ""
