"""Delimited text through DuckDB, strictly: it parses, we type.

Text is read by a dialect that is stated in full (dialect.py), every column as text; a column is numeric only
when each of its values is a number (numbers.py). Left to itself, DuckDB types by a sample, pads or skips rows,
and takes a damaged file for one text column.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dialect import examine
from .duck import as_column, connect, quoted_path, reason
from .faults import refuse_first_fault, refuse_mixed_line_ends
from .files import is_gzip
from .numbers import EXACT_INTEGERS, INTEGER, NUMBER
from .origin import Origin, TextLines
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
        return [as_column(name, arrays[name]) for name in names]

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
            raise InputError(f"{self.path.name} can't be read as a table: {reason(error, self.path)}.") from None

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
