"""Frames of any library that narwhals reads: pandas, polars, pyarrow, modin and others."""

from __future__ import annotations

import decimal
import numbers
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .numbers import EXACT_INTEGERS
from .origin import Origin
from .table import Column, Table, objects


def as_table(frame: Any) -> Table | None:
    """A frame's columns as NumPy arrays; None when the argument is no frame."""
    import narwhals.stable.v2 as nw

    try:
        native = nw.from_native(frame, pass_through=True)
    except nw.exceptions.DuplicateError:
        _refuse_repeated(map(str, frame.columns))
        raise
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    if not isinstance(native, nw.DataFrame):
        return None
    columns = tuple(_column(str(name), native.get_column(name), nw) for name in native.columns)
    _refuse_repeated(column.name for column in columns)  # 1 and "1" are two columns for pandas
    return Table(columns, len(native), Origin())


def _refuse_repeated(names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"the names of a frame's columns must differ; found {name!r} {count} times.")


def as_values(labels: Any) -> tuple[NDArray[Any], tuple[str, ...] | None, tuple[Any, ...]] | None:
    """A target: the values of a series, or the matrix of a frame; None of anything else.

    Returns:
        Values, None where missing, a list or set where the series holds such; the names of a frame's columns, else
        None; the categories of a series that no row has.
    """
    import narwhals.stable.v2 as nw

    native = nw.from_native(labels, pass_through=True, allow_series=True)
    if isinstance(native, nw.Series):
        if native.dtype.is_numeric() or native.dtype == nw.Boolean:
            return _with_none(_column(str(native.name), native, nw)), None, ()
        return _objects(native), None, _unused_categories(native, nw)
    table = as_table(labels)
    if table is None:
        return None
    return np.column_stack([_with_none(column) for column in table.columns]), table.names, ()


def _objects(series: Any) -> NDArray[Any]:
    """Values that are no numbers to their library, as they are; None where missing."""
    pairs = zip(series.to_list(), series.is_null().to_list(), strict=True)
    return objects((None if is_null else value for value, is_null in pairs), len(series))


def _unused_categories(series: Any, nw: Any) -> tuple[Any, ...]:
    if series.dtype not in (nw.Categorical, nw.Enum):
        return ()
    there = set(series.to_list())
    return tuple(category for category in series.cat.get_categories().to_list() if category not in there)


def _with_none(column: Column) -> NDArray[Any]:
    if column.missing is None:
        return column.values
    values = column.values.astype(object)
    values[column.missing] = None
    return values


def _column(name: str, series: Any, nw: Any) -> Column:
    dtype = series.dtype
    if dtype.is_nested():
        raise InputError(f"column {name!r} must hold one number or text a row; its type is {dtype}.")
    missing = series.is_null().to_numpy()  # of pandas, NaN too
    mask = missing if missing.any() else None
    if dtype.is_numeric() or dtype == nw.Boolean:
        if mask is not None:
            series = series.fill_null(False if dtype == nw.Boolean else 0)
        values = np.asarray(series.to_numpy())
        return Column.typed(name, values.astype(np.float64) if values.dtype == object else values, mask)
    kind = "dates" if dtype in (nw.Date, nw.Datetime) else "times" if dtype in (nw.Time, nw.Duration) else ""
    kind = "category" if dtype in (nw.Categorical, nw.Enum) else kind
    values = np.empty(len(series), object)
    values[:] = series.to_list()
    there = values if mask is None else values[~mask]
    if kind != "category" and len(there) and all(map(_is_number, there)):
        kind_of_number = bool if all(isinstance(value, bool) for value in there) else np.float64
        column = np.zeros(len(values), kind_of_number)  # numbers that pandas holds as objects
        column[slice(None) if mask is None else ~mask] = there.astype(kind_of_number)
        return Column.typed(name, column, mask)
    return Column.typed(name, values, mask, kind)


def _is_number(value: object) -> bool:
    """A longer integer is a text that says it: float64 would make another one of it."""
    if isinstance(value, decimal.Decimal):
        return value.is_finite() and (abs(value) <= EXACT_INTEGERS or value != value.to_integral_value())
    is_long = isinstance(value, numbers.Integral) and abs(int(value)) > EXACT_INTEGERS
    return isinstance(value, numbers.Real) and not is_long
