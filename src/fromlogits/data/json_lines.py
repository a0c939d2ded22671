"""JSON lines through DuckDB, strictly: one object a line; it finds the values, we say what they are.

Left to itself, DuckDB types by a sample, takes NaN and a comma too many, and turns "12" into a number. Here every value
comes as the JSON text that it is, with its first character, which tells its kind. What DuckDB lets pass is found in the
bytes while they are hashed; a slow walk with Python's json module explains.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .duck import Values, as_column, connect, in_parts, lists_of, literal, quoted, quoted_path, reason
from .numbers import EXACT_INTEGERS, INTEGER, number_fault
from .origin import FileRows, Origin, open_text
from .packed import packing
from .stream import rows_of_a_part
from .table import Column, Table
from .utf8 import utf8_chunks

MAX_LINE_BYTES = 1 << 24  # DuckDB's own choice
SAMPLE_CHARACTERS = 1 << 20
SHORT = 64  # characters: such texts are kept until they are asked for, longer ones read again

KINDS = ("nothing", "a number", "a text", "true or false", "a list", "an object")
NOTHING, NUMBER, TEXT, BOOL, LIST, OBJECT = range(6)
_KIND = np.zeros(256, np.uint8)  # of a value's first character
_KIND[list(b"-0123456789")] = NUMBER
_KIND[list(b"NnIi")] = NUMBER  # NaN and Infinity, which the walk refuses
_KIND[ord('"')] = TEXT
_KIND[list(b"tf")] = BOOL
_KIND[ord("[")] = LIST
_KIND[ord("{")] = OBJECT


class JsonRows(FileRows):
    """Rows of JSON lines: "digits.jsonl line 12". Blank lines are counted and no rows."""

    def where(self, row: int) -> str:
        return f"{self.path.name} line {self.line(row)}"

    def line(self, row: int) -> int:
        for place, (number, _) in enumerate(objects(self.path)):
            if place == row:
                return number
        raise IndexError(f"{self.path.name} has no row {row}")


class JsonLinesTable:
    """JSON lines, plain or packed. A missing key and null are a missing value."""

    is_text = False

    def __init__(self, path: Path, *, is_held: bool = True) -> None:
        """Find out what the file holds; hold its values, unless they are to be read in parts alone."""
        self.path = path
        self._look = self._hold if is_held else self._judge
        self.origin: Origin = JsonRows(path)
        self.notes: tuple[str, ...] = ()
        with ThreadPoolExecutor(1) as other_thread:  # most of its work is done without Python's lock
            self._scanning = other_thread.submit(_Scan, path)
            if packing(path) != "none":
                self._scanning.result()  # DuckDB 1.4 hangs on a damaged one
            sample = self._sample()
            self._short = {name for name in sample if all(map(_is_short_text, sample[name]))}
            self._look_at(tuple(sample))
            scan = self._scanning.result()
        self.digest = scan.digest
        if scan.is_odd and (blank := refuse_first_fault(path)):
            self.notes = (f"{path.name}: blank lines were skipped ({blank})",)
        if scan.n_members != self._n_values + scan.n_nulls:  # then some line may have a key of its own
            names = self._all_names()
            if names != self.names:
                self._look_at(names)

    def _look_at(self, names: tuple[str, ...]) -> None:
        """All columns of these names, which may be more than were known."""
        _refuse_case_twins(self.path, names)
        self.names = names
        self._field = {name: f"{quoted(name)}::varchar" for name in names}
        self._n_values, is_finite = self._look(names)
        if not self._n_values:
            self._refuse_first_fault()
            raise InputError(f"{self.path.name} has no rows: it holds no line with a value.")
        if not is_finite:
            self._refuse_first_fault()  # for NaN and Infinity, which are no JSON

    def _hold(self, names: Sequence[str]) -> tuple[int, bool]:
        """The number, where it is one, and the kind of every value.

        Returns:
            How many values there are, and whether every number is finite.
        """
        numbers = (_number_of(self._field[name]) for name in names)
        first = (f"ascii({self._field[name]})::utinyint" for name in names)
        short = [name for name in names if name in self._short]
        arrays = self._fetch([*numbers, *first, *map(_text_of, short)], names)
        self._numbers = dict(zip(names, arrays, strict=False))
        self._first = dict(zip(names, arrays[len(names) :], strict=False))
        self._texts = dict(zip(short, arrays[2 * len(names) :], strict=True))
        n_values = sum(int(np.ma.count(first)) for first in self._first.values())
        return n_values, all(np.isfinite(np.ma.filled(numbers, 0)).all() for numbers in self._numbers.values())

    def _judge(self, names: Sequence[str]) -> tuple[int, bool]:
        """What kinds of values each column has. Returns what `_hold` does, and nothing is held."""
        wanted = []
        for name in names:
            field, number = self._field[name], _number_of(self._field[name])
            wanted += [
                f"count({field})", f"min(ascii({field}))", f"max(ascii({field}))",
                f"coalesce(bool_and(isfinite({number})), true)",
                f"coalesce(bool_and(abs({number}) <= {EXACT_INTEGERS} and {number} is not null), true)",
            ]  # fmt: skip
        found = [array[0] for array in self._fetch(wanted, names)]
        each = dict(zip(names, zip(*(found[place::5] for place in range(5)), strict=True), strict=True))
        self._kinds = {
            name: {NOTHING} if not count else {int(_KIND[low]), int(_KIND[high])}
            for name, (count, low, high, _, _) in each.items()
        }
        self._odd = {name for name, (_, _, _, _, is_plain) in each.items() if not is_plain}
        return sum(int(one[0]) for one in each.values()), all(bool(one[3]) for one in each.values())

    def pictures_in(self, name: str) -> None:
        """JSON holds no bytes."""

    def in_parts(
        self, names: Sequence[str], as_text: Sequence[str], keep: Sequence[str]
    ) -> Iterator[tuple[Table, Table]]:
        """The columns of `read` and those to keep, some consecutive rows at a time; their memory is bounded."""
        wanted = [self._expression(name, name in as_text) for name in names]
        wanted += [self._expression(name, True) for name in keep]
        every = (*names, *keep)
        n_texts = sum(kind == "varchar" for _, kind in wanted)
        start = 0
        for values in self._stream(wanted, every, rows_of_a_part(len(wanted) - n_texts, n_texts)):
            columns = [Column(name, *one) for name, one in zip(every, values, strict=True)]
            n_rows, origin = len(columns[0].values), self.origin.after(start)
            start += n_rows
            yield (
                Table(tuple(columns[: len(names)]), n_rows, origin),
                Table(tuple(columns[len(names) :]), n_rows, origin),
            )

    def _expression(self, name: str, is_role: bool) -> tuple[str, str]:
        """SQL of the values that `_column` gives, and its type; raises what that raises."""
        field, kinds = self._field[name], self._kinds[name]
        if len(kinds) > 1 or kinds & {LIST, OBJECT} or (kinds == {NUMBER} and not is_role and self._has_fault(name)):
            self._hold([name])
            self._column(name, is_role, False)
        if kinds == {TEXT}:
            return _text_of(name), "varchar"
        if kinds == {BOOL}:
            return f"ascii({field}) = {ord('t')}", "boolean"
        if kinds == {NUMBER} and is_role:
            is_whole = f"coalesce(bool_and(regexp_full_match({field}, '{INTEGER}')), true)"
            is_short = f"coalesce(bool_and(abs(try_cast({field} as hugeint)) < {2**63}), true)"
            is_long = f"coalesce(bool_or(try_cast({field} as hugeint) is null and {field} is not null), false)"
            whole, short, long = (bool(array[0]) for array in self._fetch([is_whole, is_short, is_long], [name]))
            if whole:
                return (f"cast({field} as bigint)", "bigint") if short and not long else (field, "varchar")
        return _number_of(field), "double"

    def _has_fault(self, name: str) -> bool:
        """Whether some number is none that a feature may be."""
        if name not in self._odd:
            return False
        parts = self._stream([(self._field[name], "varchar")], [name], rows_of_a_part(0, 1))
        return any(number_fault(text) for [values] in parts for text in Column(name, *values).there)

    def _stream(
        self, wanted: Sequence[tuple[str, str]], names: Sequence[str], part_rows: int
    ) -> Iterator[list[Values]]:
        import duckdb

        with connect() as connection:
            try:
                yield from in_parts(connection, self._columns_of(names), wanted, part_rows)
            except duckdb.Error as error:
                raise self._refusal(error) from None

    def read(self, names: Sequence[str], as_text: Sequence[str] = (), sets: Sequence[str] = ()) -> Table:
        columns = tuple(self._column(name, name in as_text, name in sets) for name in names)
        return Table(columns, len(columns[0].values), self.origin)

    def _column(self, name: str, is_role: bool, may_be_lists: bool) -> Column:
        first = self._first[name]
        missing = np.ma.getmaskarray(first)
        kinds = np.where(missing, NOTHING, _KIND[np.ma.getdata(first)])
        mask = missing if missing.any() else None
        there = np.unique(kinds[kinds != NOTHING])
        if may_be_lists and there.tolist() == [LIST]:
            [lists] = self._fetch([self._field[name]], [name])
            return lists_of(as_column(name, lists))
        for kind in (OBJECT,) if may_be_lists else (LIST, OBJECT):
            if kind in there:
                where = self.origin.where(int(np.argmax(kinds == kind)))
                raise InputError(
                    f"column {name!r} must hold one number or text a row; {where} has {KINDS[kind]}. {self._cure(name)}"
                )
        if len(there) > 1:
            places = sorted((int(np.argmax(kinds == kind)), kind) for kind in there)
            (row, kind), (other_row, other) = places[:2]
            raise InputError(
                f"column {name!r} must hold values of one kind; {self.origin.where(row)} has {KINDS[kind]} and"
                f" line {self.origin.line(other_row)} has {KINDS[other]}. {self._cure(name)}"
            )
        if not len(there):
            return Column(name, np.zeros(len(first)), mask)
        if there[0] == BOOL:
            return Column(name, np.ma.getdata(first) == ord("t"), mask)
        if there[0] == NUMBER:
            return self._number_column(name, mask, is_role)
        [texts] = [self._texts[name]] if name in self._texts else self._fetch([_text_of(name)], [name])
        return Column(name, np.ma.getdata(texts), mask)

    def _number_column(self, name: str, mask: NDArray[Any] | None, is_role: bool) -> Column:
        numbers = self._numbers[name]
        values = np.ma.getdata(numbers)
        if is_role or _is_odd(numbers, self._first[name]):
            [texts] = self._fetch([self._field[name]], [name])
            if is_role:
                return Column(name, _as_written(texts, values), mask)
            for row, text in enumerate(np.ma.getdata(texts)):
                if (mask is None or not mask[row]) and (fault := number_fault(text)):
                    raise InputError(
                        f"column {name!r} must hold numbers; {self.origin.where(row)} has {text[:60]}{fault}."
                        f" {self._cure(name)}"
                    )
        return Column(name, values, mask)

    def _sample(self) -> dict[str, list[Any]]:
        """The keys of the first lines, in the order in which they appear, and their values."""
        found: dict[str, list[Any]] = {}
        for line in self._first_lines():
            try:
                for name, value in parsed(line).items():
                    found.setdefault(name, []).append(value)
            except _Fault:
                self._refuse_first_fault()
        if not found:
            self._refuse_first_fault()
            raise InputError(f"{self.path.name} has no rows: it must hold one JSON object a line.")
        return found

    def _first_lines(self) -> Iterator[str]:
        size = 0
        try:
            for _, line in objects(self.path):
                yield line
                size += len(line)
                if size > SAMPLE_CHARACTERS:
                    return
        except Exception:  # no UTF-8, or not packed as its name says, each packing with an exception of its own
            self._refuse_first_fault()
            raise

    def _refuse_first_fault(self) -> None:
        """In the bytes, or else in the lines."""
        self._scanning.result()
        refuse_first_fault(self.path)

    def _cure(self, name: str) -> str:
        return "The model needs it." if self.origin.is_for_model else self.origin.how_to_leave_out([name])

    def _fetch(self, wanted: Sequence[str], names: Sequence[str]) -> list[NDArray[Any]]:
        chosen = ", ".join(f"{sql} as v{position}" for position, sql in enumerate(wanted))
        return list(self._execute(f"select {chosen} from {self._columns_of(names)}").values())

    def _columns_of(self, names: Sequence[str]) -> str:
        columns = ", ".join(f"{literal(name)}: 'JSON'" for name in dict.fromkeys(names))
        return self._source("read_json", f"auto_detect = false, records = true, columns = {{{columns}}}")

    def _all_names(self) -> tuple[str, ...]:
        """All keys, in the order in which they appear first."""
        source = self._source("read_ndjson_objects")
        keys = f"select unnest(json_keys(json)) as key, row_number() over () as row from {source}"
        found = self._execute(f"select key from ({keys}) group by key order by min(row), key")
        return tuple(dict.fromkeys((*self.names, *found["key"])))

    def _source(self, reader: str, more: str = "") -> str:
        packed = packing(self.path)
        compression = "uncompressed" if packed == "none" else packed  # DuckDB 1.4 knows no "none" here
        return (
            f"{reader}({quoted_path(self.path)}, format = 'newline_delimited', compression = '{compression}',"
            f" maximum_object_size = {MAX_LINE_BYTES}, ignore_errors = false, hive_partitioning = false,"
            f" filename = false{', ' if more else ''}{more})"
        )

    def _execute(self, sql: str) -> dict[str, NDArray[Any]]:
        import duckdb

        with connect() as connection:
            try:
                return connection.execute(sql).fetchnumpy()
            except duckdb.Error as error:
                raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> InputError:
        self._refuse_first_fault()
        return InputError(f"{self.path.name} can't be read as JSON lines: {reason(error, self.path)}.")


def _number_of(field: str) -> str:
    return f"try_cast({field} as double)"


def _text_of(name: str) -> str:
    return f"{quoted(name)}->>'$'"


def _is_short_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and not isinstance(value, _Number) and len(value) <= SHORT)


def _is_odd(numbers: NDArray[Any], first: NDArray[Any]) -> bool:
    """Some number is not finite, too long for float64, or NaN or Infinity spelled out."""
    values = np.ma.getdata(numbers)
    is_number = ~np.ma.getmaskarray(first) & (_KIND[np.ma.getdata(first)] == NUMBER)
    fine = ~np.ma.getmaskarray(numbers) & (np.abs(values) <= EXACT_INTEGERS)
    return not bool(fine[is_number].all())


def _as_written(texts: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """A column that is no feature: integers stay integers, however long."""
    there = texts.compressed() if isinstance(texts, np.ma.MaskedArray) else texts
    if not all(re.fullmatch(INTEGER, text) for text in there):
        return values
    if all(abs(int(text)) < 2**63 for text in there):
        return np.ma.filled(texts, "0").astype(np.int64)
    return np.ma.getdata(texts)


class _Scan:
    """One pass over the bytes, whole lines at a time.

    Attributes:
        digest: SHA-256 of the file as stored, in hex.
        n_members: how many `"key":` there are, or more; -1 where spaces stand before a colon.
        n_nulls: how many `"key": null` there are, or fewer.
        is_odd: a line does not begin with a brace, or a comma stands before a closing one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_members = self.n_nulls = 0
        self.is_odd = False
        self._has_loose_colons = False
        sha = hashlib.sha256()
        rest = b""
        is_empty = True
        for chunk in utf8_chunks(path, sha):
            is_empty = False
            lines, end, rest_of_chunk = chunk.rpartition(b"\n")
            if end:
                self._look(rest + lines + end)
                rest = rest_of_chunk
            else:
                rest += chunk
            if len(rest) > MAX_LINE_BYTES:
                raise InputError(
                    f"{path.name}: no line may be longer than {MAX_LINE_BYTES:,} bytes. One object a line?"
                )
        if rest:
            self._look(rest)
        if is_empty:
            raise InputError(f"{path.name} is empty; it must hold one JSON object a line.")
        if self._has_loose_colons:
            self.n_members = -1
        self.digest = sha.hexdigest()

    def _look(self, lines: bytes) -> None:
        codes = np.frombuffer(lines, np.uint8)
        starts = np.append(0, np.flatnonzero(codes[:-1] == ord("\n")) + 1)
        is_colon = codes[1:] == ord(":")
        self.n_members += int(np.count_nonzero(is_colon & (codes[:-1] == ord('"'))))
        self._has_loose_colons = self._has_loose_colons or bool((is_colon & (codes[:-1] <= ord(" "))).any())
        if b"null" in lines:
            self.n_nulls += lines.count(b'": null') + lines.count(b'":null')
        self.is_odd = self.is_odd or bool((codes[starts] != ord("{")).any()) or _has_comma_before_end(lines, codes)


_IS_SPACE = np.zeros(256, bool)
_IS_SPACE[list(b" \t\r\n")] = True


def _has_comma_before_end(lines: bytes, codes: NDArray[np.uint8]) -> bool:
    is_end = codes == ord("}")
    if b"]" in lines:
        is_end |= codes == ord("]")
    places = np.flatnonzero(is_end[1:])
    while len(places):
        before = codes[places]
        if (before == ord(",")).any():
            return True
        places = places[_IS_SPACE[before]] - 1
        places = places[places >= 0]
    return False


# --- the slow walk ---


class _Fault(Exception):
    """What is wrong with a line, to be put behind its number."""


def objects(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of each line that is not blank."""
    with open_text(path) as text:
        assert isinstance(text, io.TextIOWrapper)
        text.reconfigure(newline="\n")
        for number, line in enumerate(text, 1):
            if not line.isspace():
                yield number, line


def refuse_first_fault(path: Path) -> int:
    """Raise InputError for the first line that is not one JSON object.

    Returns:
        How many blank lines stand between the others.
    """
    last = n = 0
    for n, (last, line) in enumerate(objects(path), 1):
        try:
            parsed(line)
        except _Fault as fault:
            if n == 1 and line.lstrip().startswith("["):
                raise InputError(
                    f"{path.name} is JSON, not JSON lines: write one object a line, without the brackets around them"
                    " and the commas between them."
                ) from None
            raise InputError(f"{path.name} line {last} {fault}") from None
    return last - n


def parsed(line: str) -> dict[str, Any]:
    """The object of a line; numbers as they are written. Raises _Fault for whatever is not strictly JSON."""
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise _Fault(_what_is_wrong(line.rstrip(), error.pos)) from None
    except RecursionError:
        raise _Fault("is nested too deep.") from None
    if not isinstance(value, dict):
        raise _Fault('must be one object, as in {"size": 1.5, "kind": "a"}; it is ' + _shown(value) + ".")
    try:
        if "\\ud" in line.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _Fault("holds half of a character: \\ud83d and its like come in pairs.") from None
    return value


def _what_is_wrong(line: str, place: int) -> str:
    if line[place:].lstrip(", \t\r")[:1] in ("}", "]") and "," in (line[place : place + 1], line[:place].rstrip()[-1:]):
        return f"is not JSON: a comma must be followed by another value (character {place + 1})."
    if place >= len(line):
        return "is cut off: it ends in the middle of its object."
    return f"is not one JSON object: {line[place : place + 20]!r} can't stand at character {place + 1}."


def _shown(value: object) -> str:
    if isinstance(value, (_Number, bool)):
        return str(value)[:60].lower()
    return "null" if value is None else "an array" if isinstance(value, list) else "text"


class _Number(str):
    """A number as it is written."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Fault(f"has the key {twice!r} twice.")
    if "" in found:
        raise _Fault("has a key without a name.")
    return found


def _constant(word: str) -> Any:
    raise _Fault(f"has {word}, which is no JSON; write null where there is no value.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_Number, parse_float=_Number)


def _refuse_case_twins(path: Path, names: tuple[str, ...]) -> None:
    """DuckDB takes no two names that differ in capital letters only."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise InputError(
                f"{path.name}: the keys {other!r} and {name!r} differ in capital letters only; rename one."
            )
