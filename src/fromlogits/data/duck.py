"""DuckDB as a parser: closed to the world, told everything, its answers taken batch by batch."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Iterator, Sequence
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


_is_kept = False


def keep() -> None:
    """From here on `connect` leads to one database that stays open: it takes 1 ms and not 40.

    For a process that reads many small files and never forks, for the database has threads of its own.
    """
    global _is_kept
    _is_kept = True


def connect() -> DuckDBPyConnection:
    """A DuckDB in memory that fetches nothing, writes nothing and shows nothing."""
    import duckdb

    connection = _kept().cursor() if _is_kept else _database()
    connection.execute("set enable_progress_bar = false; set temp_directory = ''")
    # DuckDB 2.0 moves a try_cast into the CSV reader, where it fails at the first word (duckdb issue 23818).
    with contextlib.suppress(duckdb.Error):  # older versions know no such optimizer, and need no switch
        connection.execute("set disabled_optimizers = 'type_pushdown'")
    return connection


def _database() -> DuckDBPyConnection:
    import duckdb

    return duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})


_kept = functools.cache(_database)


def streamed(connection: DuckDBPyConnection, sql: str, most_rows: int) -> list[Values]:
    """The columns that a query gives: numbers, booleans and text, in its order.

    Only a batch is in DuckDB's memory at a time, beside the arrays.

    Args:
        connection: from `connect`.
        sql: a query.
        most_rows: a bound on its rows; memory is touched only as far as they come.
    """
    kinds, batches = _batches(connection, sql)
    values = [pages.zeros(most_rows, kind) for kind in kinds]
    missing: list[NDArray[np.bool_] | None] = [None] * len(kinds)
    known: dict[bytes, str] = {}  # a class or a category is one object, however many rows have it
    start = 0
    for n, children in batches:
        stop = start + n
        if stop > most_rows:
            raise RuntimeError(f"DuckDB gives more than {most_rows} rows")
        for position, child in enumerate(children):
            is_there, mask = _is_there(child, n), missing[position]
            if is_there is not None:
                if mask is None:
                    mask = missing[position] = pages.zeros(most_rows, bool)
                np.logical_not(is_there, out=mask[start:stop])
            values[position][start:stop] = _values(child, kinds[position], n, known, is_there)
        start = stop
    masks = [None if mask is None else mask[:start] for mask in missing]
    return [(array[:start], mask) for array, mask in zip(values, masks, strict=True)]


def in_parts(
    connection: DuckDBPyConnection, source: str, wanted: Sequence[tuple[str, str]], part_rows: int
) -> Iterator[list[Values]]:
    """The columns that SQL expressions give, so many rows at a time; the last part may have fewer.

    DuckDB hands over 131,072 rows at a time and more, however wide they are. So the values of a row are asked for one
    below the other, those of each type beside those of the others: it then hands over so many values.

    Args:
        connection: from `connect`.
        source: what stands behind "from".
        wanted: (expression, its SQL type), at least one.
        part_rows: at least 1.
    """
    places: dict[str, list[int]] = {}
    for place, (_, kind) in enumerate(wanted):
        places.setdefault(kind, []).append(place)
    width = max(map(len, places.values()))
    lists = (
        f"unnest([{', '.join(wanted[place][0] for place in some)}]::{kind}[]) as v{number}"
        for number, (kind, some) in enumerate(places.items())
    )
    kinds, batches = _batches(connection, f"select {', '.join(lists)} from {source}")
    groups = [_Gathered(len(some), width, kind) for some, kind in zip(places.values(), kinds, strict=True)]

    def part(n_rows: int) -> list[Values]:
        taken = [group.take(n_rows) for group in groups]
        found = {
            place: values
            for some, columns in zip(places.values(), taken, strict=True)
            for place, values in zip(some, columns, strict=True)
        }
        return [found[place] for place in range(len(wanted))]

    for n, children in batches:
        for group, child in zip(groups, children, strict=True):
            group.add(child, n)
        while (n_rows := min(group.n_rows for group in groups)) > part_rows:
            yield part(part_rows)
    if n_rows := groups[0].n_rows:
        yield part(n_rows)


class _Gathered:
    """Columns of one type whose values come row by row: of `width` values the first `n_columns`, then nothing."""

    def __init__(self, n_columns: int, width: int, kind: str) -> None:
        self.n_columns, self.width, self.kind = n_columns, width, kind
        self.n_rows = 0
        self._place = 0  # in a row, of the next value
        dtype: np.dtype[Any] = np.dtype(kind)
        self._rest: tuple[NDArray[Any], NDArray[Any]] = (np.empty(0, dtype), np.empty(0, bool))  # of a row in parts
        self._values: list[NDArray[Any]] = [np.empty((n_columns, 0), dtype)]
        self._missing: list[NDArray[Any]] = [np.empty((n_columns, 0), bool)]
        self._known: dict[bytes, str] = {}

    def add(self, child: Any, n: int) -> None:
        is_there = _is_there(child, n)
        is_ours = None
        if self.n_columns < self.width:
            is_ours = np.resize(np.roll(np.arange(self.width) < self.n_columns, -self._place), n)
        self._place = (self._place + n) % self.width
        values = _values(child, self.kind, n, self._known, is_there)
        missing = np.zeros(n, bool) if is_there is None else ~is_there
        if is_ours is not None:
            values, missing = values[is_ours], missing[is_ours]
        values, missing = np.concatenate((self._rest[0], values)), np.concatenate((self._rest[1], missing))
        n_rows = len(values) // self.n_columns
        n = n_rows * self.n_columns
        for columns, flat in ((self._values, values), (self._missing, missing)):
            columns.append(np.ascontiguousarray(flat[:n].reshape(n_rows, self.n_columns).T))
        self._rest = (values[n:].copy(), missing[n:].copy())
        self.n_rows += n_rows

    def take(self, n_rows: int) -> list[Values]:
        """The first rows; the others stay."""
        values, missing = (np.concatenate(parts, axis=1) for parts in (self._values, self._missing))
        self._values, self._missing = [values[:, n_rows:].copy()], [missing[:, n_rows:].copy()]
        self.n_rows -= n_rows
        gaps = missing[:, :n_rows]
        return [(row[:n_rows], gap if gap.any() else None) for row, gap in zip(values, gaps, strict=True)]


def _batches(connection: DuckDBPyConnection, sql: str) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    """The types of a query's columns, and its rows, many at a time: how many, and a view of each column.

    The types are NumPy's. Raises duckdb.Error, at whatever row the fault is.
    """
    import duckdb
    import nanoarrow

    stream = nanoarrow.c_array_stream(connection.sql(sql))

    def batches() -> Iterator[tuple[int, list[Any]]]:
        try:
            for batch in stream:
                yield batch.length, list(batch.view().children)
        except RuntimeError as error:  # nanoarrow's own, around DuckDB's words
            raise duckdb.Error(str(error)) from error

    return [_DTYPES[child.format] for child in stream.get_schema().children], batches()


def _is_there(child: Any, n: int) -> NDArray[np.bool_] | None:
    """Where there are values; None if everywhere."""
    bits = child.buffer(0)
    is_there = _bits(bits, child.offset, n) if bits.size_bytes else None
    return None if is_there is None or is_there.all() else is_there


def _values(child: Any, kind: str, n: int, known: dict[bytes, str], is_there: NDArray[np.bool_] | None) -> NDArray[Any]:
    if kind == "bool":
        return _bits(child.buffer(1), child.offset, n)
    if kind == "object":
        return _texts(child, n, known, is_there)
    return np.frombuffer(child.buffer(1), kind)[child.offset : child.offset + n]


def _bits(buffer: Any, offset: int, n: int) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(buffer, np.uint8), count=offset + n, bitorder="little")[offset:].view(bool)


def _texts(child: Any, n: int, known: dict[bytes, str], is_there: NDArray[np.bool_] | None) -> NDArray[Any]:
    ends = np.frombuffer(child.buffer(1), np.int32)[child.offset : child.offset + n + 1].tolist()
    data = bytes(child.buffer(2))
    if len(known) > 100_000:  # these are no categories
        known.clear()
    texts = np.full(n, "", object)
    for row in range(n) if is_there is None else np.flatnonzero(is_there).tolist():
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
