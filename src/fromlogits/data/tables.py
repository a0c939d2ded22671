"""Delimited text through DuckDB, strictly: it parses, we type.

Text is read by a dialect that is stated in full (dialect.py), every column as text; a column is numeric only
when each of its values is a number (numbers.py). Left to itself, DuckDB types by a sample, pads or skips rows,
and takes a damaged file for one text column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ..errors import InputError
from .booleans import as_booleans
from .dialect import examine
from .duck import Values, connect, literal, quoted_path, reason, streamed
from .faults import refuse_first_fault, refuse_mixed_line_ends
from .numbers import ANY_NUMBER, COMMA_NUMBER, EXACT_INTEGERS, INTEGER, NUMBER, THOUSANDS
from .origin import Origin, TextLines
from .packed import packing
from .reading import Reading
from .schema import shown
from .table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


MAX_LINE_BYTES = 30_000_000
BLOCK_BYTES = 1 << 25  # DuckDB's own choice; unless said, it follows the line size and is then too large to share out
MIN_BLOCK_BYTES = 1 << 22  # each thread holds several blocks: 100 MB less than with DuckDB's own choice

Verdict = Literal["number", "decimal comma", "text"]


class TableFile(Protocol):
    """A table on disk: its column names are known, its values are read when asked for."""

    is_text: bool
    names: tuple[str, ...]
    origin: Origin
    notes: tuple[str, ...]

    @property
    def digest(self) -> str: ...

    def read(self, names: Sequence[str], as_text: Sequence[str] = (), sets: Sequence[str] = ()) -> Table:
        """The columns `names`.

        Args:
            as_text: of delimited text, columns that come as they stand there; the others are typed.
            sets: columns that may hold sets of labels. Where the file has lists, they come as Python's; in delimited
                text nothing but an empty field is missing in them, whatever word stands for a missing value elsewhere.
        """
        ...


class TextTable:
    """CSV or TSV, plain or packed."""

    is_text = True

    def __init__(self, path: Path, reading: Reading | None = None) -> None:
        self.path = path
        self.reading = reading or Reading()
        self.dialect = examine(path, self.reading)
        self.names = self.dialect.names
        self.digest = self.dialect.digest
        self.notes = self.dialect.notes
        self.origin: Origin = TextLines(
            path,
            self.dialect.delimiter,
            self.dialect.quote,
            len(self.names),
            has_header=self.dialect.has_header,
        )
        self._field = {name: f"c{position}" for position, name in enumerate(self.names)}

    def read(self, names: Sequence[str], as_text: Sequence[str] = (), sets: Sequence[str] = ()) -> Table:
        with connect() as connection:
            columns = self._read(connection, names, frozenset((*as_text, *sets)), frozenset(sets))
        n_rows = len(columns[0].values) if columns else 0
        return Table(tuple(columns), n_rows, self.origin)

    def verbatim(self, names: Sequence[str]) -> Table:
        """Columns exactly as they stand in the file, words for a missing value too; an empty field is missing."""
        with connect() as connection:
            columns = self._columns(connection, {name: self._field[name] for name in names})
        return Table(tuple(columns.values()), len(columns[names[0]].values), self.origin)

    def _read(
        self, connection: DuckDBPyConnection, names: Sequence[str], as_text: frozenset[str], sets: frozenset[str]
    ) -> list[Column]:
        # Pixels and counts take two bytes a value on their way here, not eight.
        is_whole = self.dialect.has_whole_numbers_only and self.reading.decimal != ","
        kind = "smallint" if is_whole else "double"
        columns = self._columns(
            connection,
            {
                name: self._field[name]
                if name in sets
                else self._text(name)
                if name in as_text
                else f"try_cast({self._number(name)} as {kind})"
                for name in names
            },
        )
        if not len(next(iter(columns.values())).values):
            raise InputError(f"{self.path.name} has no rows: it holds column names and nothing below them.")
        self._check_rows()
        doubtful = [name for name in names if name not in as_text and self._is_doubtful(columns[name])]
        verdicts = self._judged(connection, doubtful)
        if commas := [name for name, verdict in verdicts.items() if verdict == "decimal comma"]:
            others = [name for name in names if name not in as_text and verdicts.get(name, "number") == "number"]
            self._refuse_two_signs(connection, commas, others)
        again = {}
        for name, verdict in verdicts.items():
            if verdict == "text":
                again[name] = self._text(name)
            elif verdict == "decimal comma":
                again[name] = f"try_cast(replace({self._text(name)}, ',', '.') as double)"
            elif kind == "smallint" and columns[name].missing is not None:  # too large, or missing
                again[name] = f"try_cast({self._number(name)} as double)"
        if again:
            columns |= self._columns(connection, again)
        for name in (name for name, verdict in verdicts.items() if verdict == "text"):
            if booleans := as_booleans(columns[name]):
                columns[name], said = booleans
                self.notes = (*self.notes, f"{self.path.name}: column {name!r} was read as {said}")
        self._say(columns, verdicts)
        return [columns[name] for name in names]

    def _text(self, name: str) -> str:
        """SQL of a value as text; NULL where it is missing."""
        field = self._field[name]
        if not self.reading.missing:
            return field
        words = ", ".join(literal(word) for word in self.reading.missing)
        return f"(case when trim({field}) in ({words}) then null else {field} end)"

    def _number(self, name: str) -> str:
        """SQL of a value as text that is a number where the value is one."""
        text = self._text(name)
        return f"translate({text}, ',.', '.,')" if self.reading.decimal == "," else text

    def _columns(self, connection: DuckDBPyConnection, wanted: dict[str, str]) -> dict[str, Column]:
        """The values of each SQL expression, row by row in the file's order."""
        chosen = ", ".join(f"{sql} as v{position}" for position, sql in enumerate(wanted.values()))
        found = self._fetch(connection, lambda source: f"select {chosen} from {source}", self.dialect.n_lines)
        return {name: Column(name, *values) for name, values in zip(wanted, found, strict=True)}

    def _fetch(self, connection: DuckDBPyConnection, sql: Callable[[str], str], most_rows: int) -> list[Values]:
        import duckdb

        block = max(MIN_BLOCK_BYTES, 2 * self.dialect.longest_line)
        for block_bytes in dict.fromkeys((min(block, BLOCK_BYTES), BLOCK_BYTES)):
            try:
                return streamed(connection, sql(self._source(block_bytes)), most_rows)
            except duckdb.Error as error:
                if "Maximum line size" not in str(error):
                    refuse_first_fault(self.dialect)
                    refuse_mixed_line_ends(self.dialect)
                    raise InputError(
                        f"{self.path.name} can't be read as a table: {reason(error, self.path)}."
                    ) from None
        raise InputError(
            f"{self.path.name}: no row may be longer than {MAX_LINE_BYTES:,} bytes; is a quote not closed?"
        )

    def _source(self, block_bytes: int) -> str:
        fields = ", ".join(f"'{field}': 'VARCHAR'" for field in self._field.values())
        quote = literal(self.dialect.quote)
        return (
            f"read_csv({quoted_path(self.path)}, columns = {{{fields}}}, header = {self.dialect.has_header},"
            f" auto_detect = false, delim = {literal(self.dialect.delimiter)}, quote = {quote}, escape = {quote},"
            f" strict_mode = true, ignore_errors = false, null_padding = false, compression = '{packing(self.path)}',"
            f" buffer_size = {block_bytes}, max_line_size = {min(block_bytes, MAX_LINE_BYTES)})"
        )

    def _check_rows(self) -> None:
        if self.dialect.has_odd_rows:
            blank = refuse_first_fault(self.dialect)
            if blank and len(self.names) > 1:
                self.notes = (*self.notes, f"{self.path.name}: blank lines were skipped ({blank})")

    def _is_doubtful(self, column: Column) -> bool:
        """Some value is missing, no number, not finite, or a long integer; or may be a code such as 01234."""
        if self.dialect.has_odd_numbers or column.missing is not None:
            return True
        values = column.values
        return not (values.max() <= EXACT_INTEGERS and values.min() >= -EXACT_INTEGERS)  # NaN is doubtful too

    def _judged(self, connection: DuckDBPyConnection, names: Sequence[str]) -> dict[str, Verdict]:
        """What the values of a column are, where there are any."""
        if not names:
            return {}
        checks = [f"coalesce(bool_or({self._is_other(name)}), false)" for name in names]
        is_text = dict(zip(names, self._ask(connection, checks), strict=True))
        texts = [name for name in names if is_text[name]]
        commas = self._with_decimal_comma(connection, texts) if texts and self.reading.decimal is None else set()
        return {name: "decimal comma" if name in commas else "text" if is_text[name] else "number" for name in names}

    def _ask(self, connection: DuckDBPyConnection, checks: Sequence[str]) -> list[bool]:
        """Aggregates over all rows, each true or false."""
        chosen = ", ".join(f"{check} as v{position}" for position, check in enumerate(checks))
        return [
            bool(values[0]) for values, _ in self._fetch(connection, lambda source: f"select {chosen} from {source}", 1)
        ]

    def _is_other(self, name: str) -> str:
        """SQL: there is a value, and it is no number."""
        text = self._text(name)
        rule = _is_any_number if name in self.reading.numeric else _is_number
        return f"(trim({text}) <> '' and not {rule(self._number(name), text)})"

    def _with_decimal_comma(self, connection: DuckDBPyConnection, names: Sequence[str]) -> set[str]:
        """Those columns in which each value is a number with a comma; none if each comma may be one of thousands."""
        checks = []
        for name in names:
            text = self._text(name)
            is_finite = f"isfinite(try_cast(replace({text}, ',', '.') as double))"
            is_number = f"(regexp_full_match({text}, '\\s*{COMMA_NUMBER}\\s*') and {is_finite})"
            checks.append(
                f"coalesce(bool_and(trim({text}) = '' or {is_number}) and bool_or(contains({text}, ',')), false)"
            )
            checks.append(
                f"coalesce(bool_or(not regexp_full_match({text}, '{THOUSANDS}') and contains({text}, ',')), false)"
            )
        found = self._ask(connection, checks)
        columns = {name for name, is_decimal in zip(names, found[::2], strict=True) if is_decimal}
        is_sure = any(sure for sure, is_decimal in zip(found[1::2], found[::2], strict=True) if is_decimal)
        return columns if is_sure else set()

    def _refuse_two_signs(self, connection: DuckDBPyConnection, commas: Sequence[str], numbers: Sequence[str]) -> None:
        """Raise InputError where some column has decimals with a point, beside those with a comma."""
        if not numbers or self.dialect.has_whole_numbers_only:
            return
        points = self._ask(
            connection, [f"coalesce(bool_or(contains({self._text(name)}, '.')), false)" for name in numbers]
        )
        if any(points):
            point = numbers[points.index(True)]
            raise InputError(
                f"{self.path.name}: one sign must stand before decimals; column {commas[0]!r} has commas, column"
                f" {point!r} points. Say which it is: --decimal , or --decimal ."
            )

    def _say(self, columns: dict[str, Column], verdicts: dict[str, Verdict]) -> None:
        """Add what was converted to the notes."""
        name = self.path.name
        if commas := [column for column, verdict in verdicts.items() if verdict == "decimal comma"]:
            self.notes = (*self.notes, f"{name}: a comma stands before decimals, in {shown(commas)}")
        if numeric := [column for column in self.reading.numeric if column in columns and columns[column].is_numeric]:
            self.notes = (*self.notes, f"{name}: codes were read as numbers, as told: {shown(numeric)}")


def _is_number(field: str, text: str) -> str:
    """The rule of numbers.number_fault as SQL; `text` is the value as it stands."""
    value = f"try_cast({field} as double)"
    is_number = f"regexp_full_match({field}, '\\s*{NUMBER}\\s*')"
    is_integer = f"regexp_full_match({text}, '\\s*{INTEGER}\\s*')"
    return f"({is_number} and isfinite({value}) and (abs({value}) <= {EXACT_INTEGERS} or not {is_integer}))"


def _is_any_number(field: str, text: str) -> str:
    """The rule for columns that the user calls numeric: leading zeros and rounding are fine."""
    del text
    return f"(regexp_full_match({field}, '\\s*{ANY_NUMBER}\\s*') and isfinite(try_cast({field} as double)))"
