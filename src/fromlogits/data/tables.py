"""Delimited text and Parquet through DuckDB, strictly: it parses, we type.

Text is read by a dialect that is stated in full (dialect.py), every column as text; a column is numeric only
when each of its values is a number (numbers.py). Left to itself, DuckDB types by a sample, pads or skips rows,
and takes a damaged file for one text column.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dialect import examine
from .faults import refuse_first_fault, refuse_mixed_line_ends
from .files import is_gzip, looks_like, stored_chunks
from .numbers import EXACT_INTEGERS, INTEGER, NUMBER
from .origin import FileRows, Origin, TextLines
from .table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


MAX_LINE_BYTES = 30_000_000
BLOCK_BYTES = 1 << 25  # DuckDB's own choice; unless said, it follows the line size and is then too large to share out


class TableFile(Protocol):
    """A table on disk: its column names are known, its values are read when asked for."""

    is_text: bool
    names: tuple[str, ...]
    digest: str
    origin: Origin
    notes: tuple[str, ...]

    def read(self, names: Sequence[str], as_text: Sequence[str] = ()) -> Table:
        """The columns `names`; in delimited text, those also in `as_text` as they stand there, the others typed."""
        ...


class TextTable:
    """CSV or TSV, plain or gzip."""

    is_text = True

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
        # Pixels and counts take two bytes a value on their way here, not eight.
        kind = "smallint" if self.dialect.has_whole_numbers_only else "double"
        field = self._field
        arrays = self._columns(
            connection,
            {name: field[name] if name in as_text else f"try_cast({field[name]} as {kind})" for name in names},
        )
        if not len(next(iter(arrays.values()))):
            raise InputError(f"{self.path.name} has no rows: it holds column names and nothing below them.")
        self._check_rows()
        doubtful = [name for name in names if name not in as_text and self._is_doubtful(arrays[name])]
        texts = self._not_numeric(connection, doubtful)
        again = {name: field[name] for name in texts}
        if kind == "smallint":  # too large, or missing
            large = [name for name in doubtful if name not in again and isinstance(arrays[name], np.ma.MaskedArray)]
            again |= {name: f"try_cast({field[name]} as double)" for name in large}
        if again:
            arrays |= self._columns(connection, again)
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
            if "Maximum line size" in str(error):
                raise InputError(
                    f"{self.path.name}: no row may be longer than {MAX_LINE_BYTES:,} bytes; is a quote not closed?"
                ) from None
            refuse_first_fault(self.dialect)
            refuse_mixed_line_ends(self.dialect)
            raise InputError(f"{self.path.name} can't be read as a table: {_reason(error)}.") from None

    def _source(self) -> str:
        fields = ", ".join(f"'{field}': 'VARCHAR'" for field in self._field.values())
        compression = "gzip" if is_gzip(self.path) else "none"
        return (
            f"read_csv({quoted_path(self.path)}, columns = {{{fields}}}, header = true, auto_detect = false,"
            f" delim = '{self.dialect.delimiter}', quote = '\"', escape = '\"', strict_mode = true,"
            f" null_padding = false, ignore_errors = false, compression = '{compression}',"
            f" max_line_size = {MAX_LINE_BYTES}, buffer_size = {BLOCK_BYTES},"
            " hive_partitioning = false, filename = false)"
        )

    def _check_rows(self) -> None:
        if self.dialect.has_odd_rows:
            blank = refuse_first_fault(self.dialect)
            if blank and len(self.names) > 1:
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
    value = f"try_cast({field} as double)"
    is_number = f"regexp_full_match({field}, '\\s*{NUMBER}\\s*')"
    is_integer = f"regexp_full_match({field}, '\\s*{INTEGER}\\s*')"
    return f"({is_number} and isfinite({value}) and (abs({value}) <= {EXACT_INTEGERS} or not {is_integer}))"


class ParquetTable:
    """A Parquet file; its columns keep their types."""

    is_text = False

    def __init__(self, path: Path) -> None:
        self.path = path
        sha = hashlib.sha256()
        head = b""
        for chunk in stored_chunks(path, sha):
            head = head or chunk[:64]
        if not head.startswith(b"PAR1"):
            what = looks_like(head)
            what = f"it looks like {what}" if what else "it does not start as one" if head else "it is empty"
            raise InputError(f"{path.name} must be a Parquet file; {what}.")
        self.digest = sha.hexdigest()
        self.origin: Origin = FileRows(path)
        self.notes: tuple[str, ...] = ()
        with connect() as connection:
            described = self._execute(connection, f"describe select * from {self._source()}").fetchall()
        self._types: dict[str, str] = {name: kind for name, kind, *_ in described}
        self.names = tuple(self._types)

    def read(self, names: Sequence[str], as_text: Sequence[str] = ()) -> Table:
        del as_text  # every value has its type here
        wanted = ", ".join(f"{self._expression(name)} as v{position}" for position, name in enumerate(names))
        with connect() as connection:
            arrays = self._execute(connection, f"select {wanted} from {self._source()}").fetchnumpy()
        columns = tuple(
            _column(name, values, _kind(self._types[name])) for name, values in zip(names, arrays.values(), strict=True)
        )
        n_rows = len(columns[0].values) if columns else 0
        if n_rows == 0:
            raise InputError(f"{self.path.name} has no rows.")
        return Table(columns, n_rows, self.origin)

    def _expression(self, name: str) -> str:
        kind = self._types[name]
        field = '"' + name.replace('"', '""') + '"'
        if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "BLOB", "GEOMETRY")):
            raise InputError(
                f"{self.path.name}: column {name!r} must hold one number or text a row; its type is {kind}."
                f" {self.origin.how_to_leave_out(name)}"
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
            raise InputError(
                f"{self.path.name} can't be read as Parquet: it is cut off or damaged ({_reason(error)})."
            ) from None


_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_NATIVE = (*_INTEGERS, "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR")


def _kind(parquet_type: str) -> str:
    """Of a column that is read as text though it is none."""
    if parquet_type.startswith(("DATE", "TIMESTAMP")):
        return "dates"
    return "times" if parquet_type.startswith(("TIME", "INTERVAL")) else ""


def _column(name: str, values: NDArray[Any], kind: str = "") -> Column:
    """A column as DuckDB hands it over: masked where NULL."""
    if not isinstance(values, np.ma.MaskedArray):
        return Column(name, values, None, kind)
    missing = np.ma.getmaskarray(values)
    return Column(name, np.ma.getdata(values), missing if missing.any() else None, kind)


def connect() -> DuckDBPyConnection:
    """A DuckDB in memory that fetches nothing, writes nothing and shows nothing."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute("set enable_progress_bar = false; set temp_directory = ''")
    # DuckDB 2.0 moves a try_cast into the CSV reader, where it fails at the first word (duckdb issue 23818).
    with contextlib.suppress(duckdb.Error):  # older versions know no such optimizer, and need no switch
        connection.execute("set disabled_optimizers = 'type_pushdown'")
    return connection


def quoted_path(path: Path) -> str:
    """An SQL string that names this one file: `*`, `?` and `[` are no wildcards in it."""
    pattern = re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
    return "'" + pattern.replace("'", "''") + "'"


def _reason(error: Exception) -> str:
    """DuckDB's own words, without their kind and without what stands on further lines."""
    return str(error).partition("\n")[0].partition("Error: ")[2].rstrip(".")
