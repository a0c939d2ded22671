"""What is said of each row beside its features and its target: the group that it belongs to, or its time."""

from __future__ import annotations

import datetime
import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .classes import factorise
from .origin import Origin
from .table import Table, objects

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)
DATES = "dates such as 2026-11-27 or 2026-11-27T17:30:00"
KINDS = "numbers, dates without a time zone or dates with one"


def as_groups(groups: Any, n: int) -> NDArray[np.int64]:
    """The number of each row's group, from 0: (n,).

    Args:
        groups: (n,) numbers, texts or dates, one for each row: an array, list, series or table of one column. Equal
            values are one group.
        n: rows.
    """
    values, _, _ = _one_a_row(groups, n, "groups", "group")
    return numbered(factorise(values)[1])


def numbered(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The groups (n,) numbered anew from 0, in the order in which they appear, whatever they were called."""
    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[codes]


def as_times(times: Any, n: int) -> NDArray[Any]:
    """A number for each row (n,), int64 or float64, that grows with the time.

    Args:
        times: (n,) numbers, dates or datetimes, or ISO 8601 texts such as 2026-11-27 or 2026-11-27T17:30:00Z: an array,
            list, series or table of one column. All have a time zone, or none has.
        n: rows.
    """
    values, what, origin = _one_a_row(times, n, "times", "time")
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind == "f":
        is_wrong, must = ~np.isfinite(values), "must hold finite numbers"
        numbers = values
    elif values.dtype.kind == "M":
        return values.astype("datetime64[ns]").astype(np.int64)
    else:
        distinct, codes = factorise(values.astype(object))
        moments = [_moment(value) for value in distinct]
        kinds = [kind for _, kind in moments]
        is_wrong, must = np.array([kind == "" for kind in kinds]), f"must hold numbers or {DATES}"
        if not is_wrong.any():
            is_wrong, must = np.array([kind != kinds[0] for kind in kinds]), f"must hold one kind of time, {KINDS}"
        numbers, is_wrong = np.array([number for number, _ in moments])[codes], is_wrong[codes]
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        raise InputError(f"{what} {must}; {origin.where(row)} has {str(values[row])[:60]!r}.")
    return numbers


def _moment(value: Any) -> tuple[float, str]:
    """A number for a time, and its kind: those of different kinds can't be compared. "" where it is no time."""
    if isinstance(value, str):
        for read in (int, float, datetime.datetime.fromisoformat):
            try:
                value = read(value.strip())
                break
            except ValueError:
                pass
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return (value, "number") if math.isfinite(value) else (0, "")  # type: ignore[return-value]
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime.datetime):
        return 0, ""
    if value.utcoffset() is None:
        return (value - EPOCH) // MICROSECOND, "local"
    return (value - EPOCH.replace(tzinfo=datetime.UTC)) // MICROSECOND, "in a zone"


def _one_a_row(given: Any, n: int, word: str, one: str) -> tuple[NDArray[Any], str, Origin]:
    """(values without a gap, what to call them, where a row stands)."""
    what, origin, missing = word, Origin(), None
    if isinstance(given, Table):
        column = given.columns[0]
        values, missing, origin, what = column.values, column.missing, given.origin, f"column {column.name!r}"
    elif isinstance(given, (np.ndarray, list, tuple)):
        try:
            values = np.asarray(given)
        except ValueError:  # lists of different lengths are among them
            values = objects(given, len(given))
        if isinstance(given, (list, tuple)) and values.dtype.kind in "US":  # NumPy makes text of numbers among texts
            values = np.array(given, object)
    else:
        from .frames import as_values

        found = as_values(given)
        values = np.asarray(given) if found is None else found[0]
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (n,):
        raise InputError(f"{word} must name the {one} of each of the {n} rows; got shape {values.shape}.")
    if values.dtype.kind == "U":
        values = values.astype(object)
    if missing is None:
        missing = np.zeros(n, bool)
    if values.dtype.kind == "O":
        for row, value in enumerate(values):
            if not isinstance(value, Hashable):
                raise InputError(
                    f"{what} must hold numbers, texts or dates; {origin.where(row)} has a {type(value).__name__}."
                )
        missing = missing | np.fromiter((_is_missing(value) for value in values), bool, n)
    elif values.dtype.kind in "fM":
        missing = missing | (np.isnan(values) if values.dtype.kind == "f" else np.isnat(values))
    if missing.any():
        row, count = int(np.argmax(missing)), int(missing.sum())
        raise InputError(
            f"{what} must be known in every row; {origin.where(row)} has none ({count} of {n} rows have none)."
            " Take such rows out."
        )
    return values, what, origin


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")
