"""Delimited text and Parquet through DuckDB, strictly: it parses, we type.

Text is read by a dialect that is stated in full (dialect.py), every column as text; a column is numeric only
when each of its values is a number (numbers.py). Left to itself, DuckDB types by a sample, pads or skips rows,
and takes a damaged file for one text column.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dialect import examine
from .faults import count_blank_lines, refuse_first_fault
from .files import looks_like, stored_chunks
from .numbers import EXACT_INTEGERS, INTEGER, NUMBER
from .origin import FileRows, Origin, TextLines
from .table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class TableFile(Protocol):
    """A table on disk: its column names are known, its values are read when asked for."""

    names: tuple[str, ...]
    digest: str
    origin: Origin
    notes: tuple[str, ...]

    def read(self, names: Sequence[str], as_text: Sequence[str] = ()) -> Table:
        """The columns `names`; in delimited text, those also in `as_text` as they stand there, the others typed."""
        ...


class TextTable:
    """CSV or TSV, plain or gzip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dialect = examine(path)
        self.names = self.dialect.names
        self.digest = self.dialect.digest
        self.notes = self.dialect.notes
        self.origin: Origin = TextLines(path, self.dialect.delimiter, len(self.names))
        self._field = {name: f"c{position}" for position, name in enumerate(self.names)}

    def read(self, names: Sequence[str], as_text: Sequence[str] = ()) -> Table:
        with connect() as connection:
            columns = self._read(connection, names, frozenset(as_text))
        n_rows = len(columns[0].values) if columns else 0
        return Table(tuple(columns), n_rows, self.origin)

    def _read(self, connection: DuckDBPyConnection, names: Sequence[str], as_text: frozenset[str]) -> list[Column]:
        wanted = {
            name: self._field[name] if name in as_text else f"try_cast({self._field[name]} as double)" for name in names
        }
        arrays = self._columns(connection, wanted)
        if not len(next(iter(arrays.values()))):
            raise InputError(f"{self.path.name} has no rows: it holds column names and nothing below them.")
        self._check_rows()
        doubtful = [name for name in names if name not in as_text and self._is_doubtful(arrays[name])]
        texts = self._not_numeric(connection, doubtful)
        if texts:
            arrays |= self._columns(connection, {name: self._field[name] for name in texts})
        return [_column(name, arrays[name]) for name in names]

    def _columns(self, connection: DuckDBPyConnection, wanted: dict[str, str]) -> dict[str, NDArray[Any]]:
        """The values of each SQL expression, row by row in the file's order."""
        chosen = ", ".join(f"{sql} as v{position}" for position, sql in enumerate(wanted.values()))
        arrays = self._fetch(connection, f"select {chosen} from {self._source()}")
        return dict(zip(wanted, arrays.values(), strict=True))

    def _fetch(self, connection: DuckDBPyConnection, sql: str) -> dict[str, NDArray[Any]]:
        import duckdb

        try:
            return connection.execute(sql).fetchnumpy()
        except duckdb.Error as error:
            refuse_first_fault(self.dialect)
            raise InputError(f"{self.path.name} can't be read as a table: {first_line(error)}") from None

    def _source(self) -> str:
        fields = ", ".join(f"'{field}': 'VARCHAR'" for field in self._field.values())
        compression = "gzip" if self.path.suffix == ".gz" else "none"
        return (
            f"read_csv({quoted_path(self.path)}, columns = {{{fields}}}, header = true, auto_detect = false,"
            f" delim = '{self.dialect.delimiter}', quote = '\"', escape = '\"', strict_mode = true,"
            f" null_padding = false, ignore_errors = false, compression = '{compression}',"
            " hive_partitioning = false, filename = false)"
        )

    def _check_rows(self) -> None:
        if self.dialect.has_odd_rows:
            refuse_first_fault(self.dialect, only_counts=True)
            blank = count_blank_lines(self.dialect) if len(self.names) > 1 else 0
            if blank:
                self.notes = (*self.notes, f"{self.path.name}: blank lines were skipped ({blank})")

    def _is_doubtful(self, values: NDArray[Any]) -> bool:
        """Some value is missing, no number, not finite, or a long integer; or may be a code such as 01234."""
        if self.dialect.has_odd_numbers or isinstance(values, np.ma.MaskedArray):
            return True
        return not (values.max() <= EXACT_INTEGERS and values.min() >= -EXACT_INTEGERS)  # NaN is doubtful too

    def _not_numeric(self, connection: DuckDBPyConnection, names: Sequence[str]) -> list[str]:
        """Those columns in which some value, where there is one, is no number."""
        if not names:
            return []
        checks = ", ".join(
            f"coalesce(bool_or(trim({field}) <> '' and not {_is_number(field)}), false) as {field}"
            for field in (self._field[name] for name in names)
        )
        found = self._fetch(connection, f"select {checks} from {self._source()}")
        return [name for name in names if found[self._field[name]][0]]


def _is_number(field: str) -> str:
    """The rule of numbers.number_fault as SQL."""
    return (
        f"(regexp_full_match({field}, '\\s*{NUMBER}\\s*') and isfinite(try_cast({field} as double)) and"
        f" (abs(try_cast({field} as double)) <= {EXACT_INTEGERS} or not regexp_full_match({field}, '\\s*{INTEGER}\\s*')))"
    )


def _column(name: str, values: NDArray[Any]) -> Column:
    """A column as DuckDB hands it over: masked where NULL."""
    if not isinstance(values, np.ma.MaskedArray):
        return Column(name, values)
    missing = np.ma.getmaskarray(values)
    return Column(name, np.ma.getdata(values), missing if missing.any() else None)


class ParquetTable:
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        sha = hashlib.sha256()
        head = next(stored_chunks(path, hashlib.sha256()), b"")
        for _ in stored_chunks(path, sha):
            pass
        self.digest = sha.hexdigest()
        if not head:
            raise InputError(f"{path.name} is empty; it must be a Parquet file.")
        if not head.startswith(b"PAR1"):
            known = looks_like(head)
            raise InputError(f"{path.name} must be a Parquet file; {f'it looks like {known}' if known else 'it is none'}.")
        self.origin: Origin = FileRows(path)
        self.notes: tuple[str, ...] = ()
        with connect() as connection:
            described = self._execute(connection, f"describe select * from {self._source()}").fetchall()
        self._types = {name: kind for name, kind, *_ in described}
        self.names = tuple(self._types)

    def read(self, names: Sequence[str], as_text: Sequence[str] = ()) -> Table:
        del as_text
        wanted = ", ".join(self._expression(name) for name in names)
        with connect() as connection:
            arrays = list(self._execute(connection, f"select {wanted} from {self._source()}").fetchnumpy().values())
        columns = [
            Column(column.name, column.values, column.missing, _KINDS.get(self._types[column.name].split(" ")[0], ""))
            for column in map(_column, names, arrays)
        ]
        n_rows = len(columns[0].values) if columns else 0
        if not n_rows:
            raise InputError(f"{self.path.name} has no rows.")
        return Table(tuple(columns), n_rows, self.origin)

    def _expression(self, name: str) -> str:
        kind = self._types[name]
        field = '"' + name.replace('"', '""') + '"'
        if kind.endswith("[]") or kind.startswith(("STRUCT", "MAP", "UNION", "BLOB")):
            raise InputError(
                f"{self.path.name}: column {name!r} must hold one value a row; it is of type {kind}."
                f" --ignore {name} leaves it out."
            )
        if kind in _NATIVE:
            return field
        if kind.startswith("DECIMAL") or kind in ("HUGEINT", "UHUGEINT"):
            return f"cast({field} as double)"
        return f"cast({field} as varchar)"

    def _source(self) -> str:
        return f"read_parquet({quoted_path(self.path)}, hive_partitioning = false, filename = false)"

    def _execute(self, connection: DuckDBPyConnection, sql: str) -> Any:
        import duckdb

        try:
            return connection.execute(sql)
        except duckdb.Error as error:
            raise InputError(f"{self.path.name} can't be read as Parquet; is it cut off? {first_line(error)}") from None


_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_NATIVE = (*_INTEGERS, "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR")
_KINDS = {"DATE": "dates", "TIMESTAMP": "dates", "TIME": "times", "INTERVAL": "durations", "UUID": "UUIDs"}


def connect() -> DuckDBPyConnection:
    """A DuckDB in memory that fetches nothing, writes nothing and shows nothing."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute("set enable_progress_bar = false; set temp_directory = ''")
    return connection


def quoted_path(path: Path) -> str:
    """An SQL string that names this one file: `*`, `?` and `[` are no wildcards in it."""
    pattern = re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
    return "'" + pattern.replace("'", "''") + "'"


def first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
