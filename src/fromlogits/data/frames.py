"""Frames of any library that narwhals reads: pandas, polars, pyarrow, modin and others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .origin import Origin
from .table import Column, Table


def as_table(frame: Any) -> Table | None:
    """A frame's columns as NumPy arrays; None when the argument is no frame."""
    import narwhals.stable.v2 as nw

    native = nw.from_native(frame, pass_through=True)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    if not isinstance(native, nw.DataFrame):
        return None
    names = [str(name) for name in native.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"column names must differ; {twice!r} names {names.count(twice)} columns of the frame.")
    return Table(
        tuple(_column(str(name), native.get_column(name), nw) for name in native.columns), len(native), Origin()
    )


def as_values(series: Any) -> NDArray[Any] | None:
    """A series, or a frame of one or more columns, as an array (NaN or None where missing); None when it is neither."""
    import narwhals.stable.v2 as nw

    native = nw.from_native(series, pass_through=True, allow_series=True)
    if isinstance(native, nw.Series):
        return _joined(_column(native.name or "y", native, nw))
    table = as_table(series)
    if table is None:
        return None
    return np.column_stack([_joined(column) for column in table.columns])


def _joined(column: Column) -> NDArray[Any]:
    if column.missing is None or not column.missing.any():
        return column.values
    values = column.values.astype(object)
    values[column.missing] = None
    return values


def _column(name: str, series: Any, nw: Any) -> Column:
    dtype = series.dtype
    missing = series.is_null().to_numpy()
    has_missing = bool(missing.any())
    mask = missing if has_missing else None
    if dtype.is_numeric() or dtype == nw.Boolean:
        if has_missing:
            fill = False if dtype == nw.Boolean else 0
            series = series.fill_null(fill)
        values = np.asarray(series.to_numpy())
        if values.dtype.kind == "O":  # decimals, or a nullable type of pandas
            values = values.astype(np.float64)
        return Column(str(name), values, mask)
    kind = ""
    if isinstance(dtype, (nw.Date, nw.Datetime)):
        kind = "dates"
    elif isinstance(dtype, (nw.Time, nw.Duration)):
        kind = "times"
    elif dtype.is_nested():
        raise InputError(f"column {name!r} must hold one value a row; it is of type {dtype}.")
    return Column(str(name), np.asarray(series.to_list(), dtype=object), mask, kind)
