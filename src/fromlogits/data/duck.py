"""DuckDB as a parser: closed to the world, told everything, its answers taken batch by batch."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import pages
from .table import Column, objects

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Values = tuple[NDArray[Any], NDArray[np.bool_] | None]
"""Values, and where they are missing; what stands at a missing place means nothing."""

_DTYPES = {
    "c": "int8", "C": "uint8", "s": "int16", "S": "uint16", "i": "int32", "I": "uint32", "l": "int64", "L": "uint64",
    "f": "float32", "g": "float64", "b": "bool", "u": "object",
}  # fmt: skip
"""By Arrow's letter for a type."""


def connect() -> DuckDBPyConnection:
    """A DuckDB in memory that fetches nothing, writes nothing and shows nothing."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute("set enable_progress_bar = false; set temp_directory = ''")
    # DuckDB 2.0 moves a try_cast into the CSV reader, where it fails at the first word (duckdb issue 23818).
    with contextlib.suppress(duckdb.Error):  # older versions know no such optimizer, and need no switch
        connection.execute("set disabled_optimizers = 'type_pushdown'")
    return connection


def streamed(connection: DuckDBPyConnection, sql: str, most_rows: int) -> list[Values]:
    """The columns that a query gives: numbers, booleans and text, in its order.

    Only a batch is in DuckDB's memory at a time, beside the arrays.

    Args:
        connection: from `connect`.
        sql: a query.
        most_rows: a bound on its rows; memory is touched only as far as they come.
    """
    import nanoarrow

    stream = nanoarrow.c_array_stream(connection.sql(sql))
    kinds = [_DTYPES[child.format] for child in stream.get_schema().children]
    values = [pages.empty(most_rows, kind) for kind in kinds]
    missing: list[NDArray[np.bool_] | None] = [None] * len(kinds)
    known: dict[bytes, str] = {}  # a class or a category is one object, however many rows have it
    start = 0
    for batch in stream:
        stop = start + batch.length
        if stop > most_rows:
            raise RuntimeError(f"DuckDB gives more than {most_rows} rows")
        for position, child in enumerate(batch.view().children):
            bits, mask = child.buffer(0), missing[position]
            is_there = _bits(bits, child.offset, batch.length) if bits.size_bytes else None
            if is_there is not None and not is_there.all():
                if mask is None:
                    mask = missing[position] = np.zeros(most_rows, bool)
                np.logical_not(is_there, out=mask[start:stop])
            values[position][start:stop] = _values(child, kinds[position], batch.length, known)
        start = stop
    masks = [None if mask is None else mask[:start] for mask in missing]
    return [(array[:start], mask) for array, mask in zip(values, masks, strict=True)]


def _values(child: Any, kind: str, n: int, known: dict[bytes, str]) -> NDArray[Any]:
    if kind == "bool":
        return _bits(child.buffer(1), child.offset, n)
    if kind == "object":
        return _texts(child, n, known)
    return np.frombuffer(child.buffer(1), kind)[child.offset : child.offset + n]


def _bits(buffer: Any, offset: int, n: int) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(buffer, np.uint8), count=offset + n, bitorder="little")[offset:].view(bool)


def _texts(child: Any, n: int, known: dict[bytes, str]) -> NDArray[Any]:
    ends = np.frombuffer(child.buffer(1), np.int32)[child.offset : child.offset + n + 1].tolist()
    data = bytes(child.buffer(2))
    if len(known) > 100_000:  # these are no categories
        known.clear()
    texts = np.empty(n, object)
    for row in range(n):
        raw = data[ends[row] : ends[row + 1]]
        text = known.get(raw)
        if text is None:
            text = known[raw] = raw.decode()
        texts[row] = text
    return texts


def as_column(name: str, values: NDArray[Any], kind: str = "") -> Column:
    """A column as `fetchnumpy` hands it over: masked where NULL."""
    if not isinstance(values, np.ma.MaskedArray):
        return Column.typed(name, values, None, kind)
    missing = np.ma.getmaskarray(values)
    return Column.typed(name, np.ma.getdata(values), missing if missing.any() else None, kind)


def lists_of(column: Column) -> Column:
    """A column of JSON lists with Python's in their place."""
    n, missing = len(column.values), column.missing
    lists = (None if missing is not None and missing[row] else json.loads(column.values[row]) for row in range(n))
    return Column(column.name, objects(lists, n), missing)


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted_path(path: Path) -> str:
    """An SQL string that names this one file: `*`, `?` and `[` are no wildcards in it."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path.absolute())))


def reason(error: Exception, path: Path) -> str:
    """DuckDB's own words about a file, without their kind, the folder and what stands on further lines."""
    line = str(error).partition("\n")[0].replace(str(path.absolute()), path.name)
    return (line.partition("Error: ")[2] or line)[:120].rstrip(". ")
