"""Delimited text through DuckDB, strictly: it parses, we type.

Text is read by a dialect that is stated in full (dialect.py), every column as text; a column is numeric only
when each of its values is a number (numbers.py). Left to itself, DuckDB types by a sample, pads or skips rows,
and takes a damaged file for one text column.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ..errors import InputError
from .booleans import Booleans, booleans_among
from .dialect import examine
from .duck import Values, connect, in_parts, literal, quoted_path, reason, streamed
from .faults import has_longer_record, refuse_first_fault, refuse_mixed_line_ends
from .numbers import ANY_NUMBER, COMMA_NUMBER, EXACT_INTEGERS, INTEGER, NUMBER, THOUSANDS
from .origin import Origin, TextLines
from .packed import packing
from .reading import Reading
from .schema import shown
from .stream import rows_of_a_part
from .table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from .pictures.asked import PictureBytes

MAX_LINE_BYTES = 30_000_000
BLOCK_BYTES = 1 << 25  # DuckDB's own choice; unless said, it follows the line size and is then too large to share out
MIN_BLOCK_BYTES = 1 << 22  # each thread holds several blocks: 100 MB less than with DuckDB's own choice

Verdict = Literal["number", "decimal comma", "text"]


@dataclass(frozen=True)
class Judgement:
    """What columns hold, all their rows considered.

    Attributes:
        verdicts: by the column's name; where there is none, no value is doubtful as a number.
        booleans: of the texts, those that are words for yes and no.
    """

    verdicts: Mapping[str, Verdict]
    booleans: Mapping[str, Booleans]

    def is_number(self, name: str) -> bool:
        return self.verdicts.get(name) != "text" or name in self.booleans


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

    def in_parts(
        self, names: Sequence[str], as_text: Sequence[str], keep: Sequence[str]
    ) -> Iterator[tuple[Table, Table]]:
        """The columns of `read` and those to keep, some consecutive rows at a time; their memory is bounded."""
        ...

    def pictures_in(self, name: str) -> PictureBytes | None:
        """The picture files that a column holds; None where it holds something else, such as their names."""
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
        self._judgement = Judgement({}, {})

    def read(self, names: Sequence[str], as_text: Sequence[str] = (), sets: Sequence[str] = ()) -> Table:
        with connect() as connection:
            columns = self._read(connection, names, frozenset((*as_text, *sets)), frozenset(sets))
        n_rows = len(columns[0].values) if columns else 0
        return Table(tuple(columns), n_rows, self.origin)

    def pictures_in(self, name: str) -> None:
        """A text holds no picture."""

    def verbatim(self, names: Sequence[str]) -> Table:
        """Columns exactly as they stand in the file, words for a missing value too; an empty field is missing."""
        with connect() as connection:
            columns = self._columns(connection, {name: self._field[name] for name in names})
        return Table(tuple(columns.values()), len(columns[names[0]].values), self.origin)

    def in_parts(
        self, names: Sequence[str], as_text: Sequence[str], keep: Sequence[str]
    ) -> Iterator[tuple[Table, Table]]:
        """The columns of `read` and those of `verbatim`, some consecutive rows at a time; their memory is bounded.

        Nothing is judged until some value is doubtful as a number. Then the whole file is asked, and what follows is
        read by the verdict. The parts before are right by any: in a column with a decimal comma they hold whole
        numbers, among words for yes and no 1 and 0; a column of other words is no number, and all is refused.
        """
        texts, start = frozenset(as_text), 0
        numbers = [name for name in names if name not in texts]
        doubtful: list[str] | None = []
        while doubtful is not None:
            if doubtful:  # now that no query is open: one that waits fills the memory meanwhile
                self._judge(doubtful, numbers)
            doubtful = None
            stop = 0
            with contextlib.closing(self._parts(names, texts, keep)) as parts:
                for columns in parts:
                    first, stop = stop, stop + len(columns[0].values)
                    if first < start:
                        continue  # given before something was judged
                    if first == 0:
                        self._check_rows()
                    typed, kept = columns[: len(names)], columns[len(names) :]
                    known = texts | self._judgement.verdicts.keys()
                    if unknown := [one.name for one in typed if one.name not in known and self._is_doubtful(one)]:
                        doubtful = unknown
                        break
                    origin, start = self.origin.after(first), stop
                    yield tuple(Table(tuple(some), stop - first, origin) for some in (typed, kept))  # type: ignore[misc]
        if not start:
            raise self._no_rows()
        self._say(numbers, self._judgement)

    def _judge(self, doubtful: Sequence[str], numbers: Sequence[str]) -> None:
        """Ask the whole file what these columns are.

        Where they are no numbers, or for the second time, all `numbers` are judged: commas are looked at in all columns
        together, and gaps may appear in one column after the other.
        """
        is_first = not self._judgement.verdicts
        with connect() as connection:
            verdicts = self._judged(connection, doubtful) if is_first else {}
            if not is_first or any(verdict != "number" for verdict in verdicts.values()):
                verdicts = self._judged(connection, numbers)
                self._refuse_two_signs(connection, verdicts, numbers)
        texts_of = {name: self._each_text(name) for name, verdict in verdicts.items() if verdict == "text"}
        self._judgement = Judgement(verdicts, booleans_among(texts_of))

    def _parts(self, names: Sequence[str], as_text: frozenset[str], keep: Sequence[str]) -> Generator[list[Column]]:
        """By the present judgement, each part of as many rows whatever that is, but for the last."""
        judgement = self._judgement
        verdicts: dict[str, Verdict] = {
            name: "text" if name in as_text else judgement.verdicts.get(name, "number") for name in names
        }
        kinds = {
            name: "varchar" if verdict == "text" else "double" if name in judgement.verdicts else self._least_kind
            for name, verdict in verdicts.items()
        }
        wanted = [(self._typed(name, verdict, kinds[name]), kinds[name]) for name, verdict in verdicts.items()]
        wanted += [(self._field[name], "varchar") for name in keep]
        n_texts = len(keep) + sum(name in as_text for name in names)
        for values in self._stream(wanted, rows_of_a_part(len(wanted) - n_texts, n_texts)):
            columns = [Column(name, *one) for name, one in zip((*names, *keep), values, strict=True)]
            for place, name in enumerate(names):
                if name in judgement.booleans:
                    columns[place] = judgement.booleans[name].column(columns[place])
            yield columns

    def _stream(self, wanted: Sequence[tuple[str, str]], part_rows: int) -> Iterator[list[Values]]:
        import duckdb

        start = 0
        for block_bytes in self._block_sizes:
            stop = 0
            try:
                with connect() as connection:
                    for values in in_parts(connection, self._source(block_bytes), wanted, part_rows):
                        first, stop = stop, stop + len(values[0][0])
                        if first >= start:
                            start = stop
                            yield values
                return
            except duckdb.Error as error:
                refused = self._refusal(error)
        raise refused

    def _each_text(self, name: str) -> Iterator[str]:
        """The values of one column that are there."""
        for [values] in self._stream([(self._text(name), "varchar")], rows_of_a_part(0, 1)):
            yield from Column(name, *values).there

    @property
    def _least_kind(self) -> Literal["smallint", "double"]:
        """Pixels and counts take two bytes a value on their way here, not eight."""
        is_whole = self.dialect.has_whole_numbers_only and self.reading.decimal != ","
        return "smallint" if is_whole else "double"

    def _read(
        self, connection: DuckDBPyConnection, names: Sequence[str], as_text: frozenset[str], sets: frozenset[str]
    ) -> list[Column]:
        kind = self._least_kind
        columns = self._columns(
            connection,
            {
                name: self._field[name]
                if name in sets
                else self._typed(name, "text" if name in as_text else "number", kind)
                for name in names
            },
        )
        if not len(next(iter(columns.values())).values):
            raise self._no_rows()
        self._check_rows()
        numbers = [name for name in names if name not in as_text]
        doubtful = [name for name in numbers if self._is_doubtful(columns[name])]
        verdicts = self._judged(connection, doubtful)
        self._refuse_two_signs(connection, verdicts, numbers)
        again = {
            name: self._typed(name, verdict, "double")
            for name, verdict in verdicts.items()
            if verdict != "number" or (kind == "smallint" and columns[name].missing is not None)  # or too large for it
        }
        if again:
            columns |= self._columns(connection, again)
        texts_of = {name: columns[name].there for name, verdict in verdicts.items() if verdict == "text"}
        judgement = Judgement(verdicts, booleans_among(texts_of))
        for name, booleans in judgement.booleans.items():
            columns[name] = booleans.column(columns[name])
        self._say(numbers, judgement)
        return [columns[name] for name in names]

    def _typed(self, name: str, verdict: Verdict, kind: str) -> str:
        """SQL of a value, as what it was judged to be."""
        if verdict == "text":
            return self._text(name)
        if verdict == "decimal comma":
            return f"try_cast(replace({self._text(name)}, ',', '.') as double)"
        return f"try_cast({self._number(name)} as {kind})"

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

        for block_bytes in self._block_sizes:
            try:
                return streamed(connection, sql(self._source(block_bytes)), most_rows)
            except duckdb.Error as error:
                refused = self._refusal(error)
        raise refused

    @property
    def _block_sizes(self) -> tuple[int, ...]:
        """One that holds every line; and one for records of several lines."""
        block = max(MIN_BLOCK_BYTES, 4 * self.dialect.longest_line)
        return tuple(dict.fromkeys((min(block, BLOCK_BYTES), BLOCK_BYTES)))

    def _refusal(self, error: Exception) -> InputError:
        """What to say where DuckDB refuses the file with the largest blocks too; raises what is known to be at fault.

        DuckDB's own words can't be relied on to say that a record is too long: they quote it first, and are cut.
        """
        refuse_first_fault(self.dialect)
        refuse_mixed_line_ends(self.dialect)
        if "Maximum line size" in str(error) or has_longer_record(self.dialect, MAX_LINE_BYTES):
            return InputError(
                f"{self.path.name}: no row may be longer than {MAX_LINE_BYTES:,} bytes; is a quote not closed?"
            )
        return InputError(f"{self.path.name} can't be read as a table: {reason(error, self.path)}.")

    def _no_rows(self) -> InputError:
        return InputError(f"{self.path.name} has no rows: it holds column names and nothing below them.")

    def _source(self, block_bytes: int) -> str:
        fields = ", ".join(f"'{field}': 'VARCHAR'" for field in self._field.values())
        quote = literal(self.dialect.quote)
        # A line may fill half a block: where one may fill it all, DuckDB's memory grows with the file, 0.2 GB a GB.
        most_line = MAX_LINE_BYTES if block_bytes == BLOCK_BYTES else block_bytes // 2
        return (
            f"read_csv({quoted_path(self.path)}, columns = {{{fields}}}, header = {self.dialect.has_header},"
            f" auto_detect = false, delim = {literal(self.dialect.delimiter)}, quote = {quote}, escape = {quote},"
            f" strict_mode = true, ignore_errors = false, null_padding = false, compression = '{packing(self.path)}',"
            f" buffer_size = {block_bytes}, max_line_size = {most_line})"
        )

    def _check_rows(self) -> None:
        if self.dialect.has_odd_rows:
            blank = refuse_first_fault(self.dialect)
            if blank and len(self.names) > 1:
                self._note(f"{self.path.name}: blank lines were skipped ({blank})")

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
        number = self._number(name)
        rule = _is_any_number if name in self.reading.numeric else _is_number
        is_other = f"(trim({text}) <> '' and not {rule(number, text)})"
        if self.dialect.has_odd_numbers:
            return is_other
        # What is cast to a number is one: the bytes would have shown the others. The rule is much slower than the cast.
        is_plain = f"try_cast({number} as double) between {-EXACT_INTEGERS} and {EXACT_INTEGERS}"
        return f"(case when {is_plain} then false else {is_other} end)"

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

    def _refuse_two_signs(
        self, connection: DuckDBPyConnection, verdicts: Mapping[str, Verdict], numbers: Sequence[str]
    ) -> None:
        """Raise InputError where, of all columns of numbers, some have decimals with a comma and some with a point."""
        commas = [name for name, verdict in verdicts.items() if verdict == "decimal comma"]
        numbers = [name for name in numbers if verdicts.get(name, "number") == "number"]
        if not commas or not numbers or self.dialect.has_whole_numbers_only:
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

    def _say(self, names: Sequence[str], judgement: Judgement) -> None:
        """Note what was converted among these columns."""
        file = self.path.name
        for name, booleans in judgement.booleans.items():
            self._note(f"{file}: column {name!r} was read as {booleans.said}")
        if commas := [name for name, verdict in judgement.verdicts.items() if verdict == "decimal comma"]:
            self._note(f"{file}: a comma stands before decimals, in {shown(commas)}")
        if numeric := [name for name in self.reading.numeric if name in names and judgement.is_number(name)]:
            self._note(f"{file}: codes were read as numbers, as told: {shown(numeric)}")

    def _note(self, note: str) -> None:
        """Once, however often the file is read."""
        if note not in self.notes:
            self.notes = (*self.notes, note)


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
