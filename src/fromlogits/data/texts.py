"""The one text that stands for a value of a category, however a source writes it: 1, 1.0, "1" and " 1 " are one."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import brief
from .columns import ColumnFault
from .numbers import EXACT_INTEGERS, number_fault
from .table import Column


def canonical(value: object) -> str | None:
    """The text of a value; None of an empty text, which is no value. True is 1.

    Raises TypeError for what is neither number, text nor moment, such as a list.
    """
    if isinstance(value, str):
        text = value.strip()
        return None if not text else text if number_fault(text) else _of_number(text)
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, (numbers.Real, decimal.Decimal)):
        return _of_number(str(value))  # the shortest text of a float32 is that of the same decimal in a file
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return str(value)
    raise TypeError(f"{brief(value)}, a {type(value).__name__}")


def _of_number(text: str) -> str:
    number = float(text)
    return str(int(number)) if number.is_integer() and abs(number) <= EXACT_INTEGERS else repr(number)


@dataclass(frozen=True)
class Texts:
    """A column's values, each text once.

    Attributes:
        distinct: the texts, in the order of their numbers or of their first row.
        codes: int64 (n,): which of them a row has; -1 where it has no value.
    """

    distinct: tuple[str, ...]
    codes: NDArray[np.int64]

    def counts(self, weights: NDArray[np.float64] | None = None) -> NDArray[Any]:
        """In how many rows each text stands; or how much these weigh together (n,)."""
        there = self.codes >= 0
        return np.bincount(self.codes[there], None if weights is None else weights[there], len(self.distinct))


def texts_of(column: Column) -> Texts:
    """Raises ColumnFault for a value that is neither number, text nor moment."""
    there = column.values if column.missing is None else column.values[~column.missing]
    try:
        raw, places = _distinct(there)
        texts = [canonical(value) for value in raw]
    except TypeError:  # a list can't be a key either
        raise _fault(column) from None
    number_of: dict[str, int] = {}
    new = [-1 if text is None else number_of.setdefault(text, len(number_of)) for text in texts]
    codes = np.full(len(column.values), -1, np.int64)
    codes[slice(None) if column.missing is None else ~column.missing] = np.array([*new, -1], np.int64)[places]
    return Texts(tuple(number_of), codes)


def _distinct(values: NDArray[Any]) -> tuple[Iterable[Any], NDArray[Any]]:
    """Each value once, and which one a row has."""
    if values.dtype != object:
        return np.unique(values, return_inverse=True)
    seen: dict[Any, int] = {}
    places = np.fromiter((seen.setdefault(value, len(seen)) for value in values), np.int64, len(values))
    return seen, places


def _fault(column: Column) -> ColumnFault:
    for row, value in enumerate(column.values):
        try:
            if not column.is_missing[row]:
                canonical(value)
        except TypeError as error:
            return ColumnFault(" must hold numbers or texts; ", row, f" has {error}")
    raise AssertionError
