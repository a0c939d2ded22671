"""A delimited text file before it is parsed: its bytes checked, its delimiter and column names found.

The reader (tables.py) is told the dialect and never guesses. What it would let pass in silence is found here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .origin import QuoteError, open_text, records
from .packed import unpacked_name
from .reading import Reading
from .utf8 import utf8_chunks

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
MAX_HEADER_CHARACTERS = 1 << 26
MAX_COLUMNS = 50_000  # DuckDB needs 12 s for the plan of so many, and four times as long for twice as many
COMPARED_CHARACTERS = 1 << 16


@dataclass(frozen=True)
class Dialect:
    """What is known of a text file before its values are read.

    Attributes:
        path: the file; packed as its name says.
        delimiter: between two values.
        quote: around a value that holds a delimiter; "" where quotes mean nothing.
        names: the column names, all there and all different.
        has_header: the first record holds the names; else it is a row.
        digest: SHA-256 of the file as stored, in hex.
        n_lines: how many line ends it has, and one; there are no more rows.
        longest_line: in bytes.
        has_whole_numbers_only: no digit stands beside a point, an exponent's e or a letter that names a base, so
            what is a number for a reader of integers is one for us.
        has_odd_numbers: the bytes hold something that a reader takes for a plain number though it is none:
            a leading zero (01234), an underscore (1_000) or two signs (+-1).
        has_odd_rows: some line is blank or ends in a delimiter, or a space follows a quote: a reader may drop a line
            or a value, or join two values, in silence.
        notes: what was found and has to be said.
    """

    path: Path
    delimiter: str
    quote: str
    names: tuple[str, ...]
    has_header: bool
    digest: str
    n_lines: int
    longest_line: int
    has_whole_numbers_only: bool
    has_odd_numbers: bool
    has_odd_rows: bool
    notes: tuple[str, ...]


def examine(path: Path, reading: Reading | None = None) -> Dialect:
    """Read all bytes once: hash them, refuse what is no UTF-8 text, and find the dialect in the first record."""
    reading = reading or Reading()
    scan = _Scan(path)
    quote, quote_notes = _quote(path, reading)
    delimiter = reading.separator or _delimiter(path, quote)
    names, has_header, notes = _names(path, delimiter, quote, reading)
    if reading.separator is None and len(names) > 1:
        usual = "\t" if unpacked_name(path.name).endswith(".tsv") else ","
        if delimiter != usual:
            notes = (f"{path.name}: the delimiter is a {DELIMITERS[delimiter]}", *notes)
    if not has_header:
        scan.look(b"\n" + _first_line(path).encode())
    is_usual = delimiter in DELIMITERS and quote in ('"', "")  # the scan knows what these may hide
    odd_rows = scan.has_lone_cr or bool(scan.is_before_line_end[[10, ord(delimiter)]].any())
    return Dialect(
        path=path,
        delimiter=delimiter,
        quote=quote,
        names=names,
        has_header=has_header,
        digest=scan.digest,
        n_lines=scan.n_line_ends + 1,
        longest_line=scan.longest_line,
        has_whole_numbers_only=scan.has_whole_numbers_only,
        has_odd_numbers=scan.has_odd_numbers or not is_usual,
        has_odd_rows=odd_rows or not is_usual or (scan.has_odd_quotes and quote != ""),
        notes=(*quote_notes, *notes),
    )


class _Scan:
    """One pass over the bytes of the text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.has_whole_numbers_only = True
        self.has_odd_numbers = False
        self.has_odd_quotes = False
        self.has_lone_cr = False
        self.is_before_line_end = np.zeros(256, bool)  # a CR before the LF is not looked at
        self.n_line_ends = self.longest_line = self._line_start = 0
        sha = hashlib.sha256()
        position = 0
        tail = b""  # what ends a chunk is looked at again with the next one
        is_below_header = False
        for chunk in utf8_chunks(path, sha):
            start = 0
            if not is_below_header:  # names such as pixel_0_1 are no numbers
                end = _LINE_END.search(chunk)
                is_below_header = end is not None
                start = end.start() if end else len(chunk)
            text = tail + chunk[start:]
            self.look(text)
            tail = text[-3:]
            self._measure_lines(chunk, position)
            position += len(chunk)
        self.longest_line = max(self.longest_line, position - self._line_start)
        if position == 0:
            raise InputError(f"{path.name} is empty; it must hold a line of column names and rows below it.")
        self.is_before_line_end[list(tail[-1:].strip(b"\r\n"))] = True  # the last line may have no end
        self.digest = sha.hexdigest()

    def _measure_lines(self, chunk: bytes, position: int) -> None:
        ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == (10 if b"\n" in chunk else 13))
        if len(ends):
            self.n_line_ends += len(ends)
            longest = int(np.diff(ends, prepend=self._line_start - position).max())
            self.longest_line = max(self.longest_line, longest)
            self._line_start = position + int(ends[-1])

    def look(self, text: bytes) -> None:
        """Take note of what is odd; `text` begins with a line end, or with what the last chunk ended in."""
        codes = np.frombuffer(text, np.uint8)
        ends = np.flatnonzero(codes == 10)
        ends = ends[ends > 0]
        before = codes[ends - 1]
        after_cr = (before == 13) & (ends > 1)
        before[after_cr] = codes[ends[after_cr] - 2]
        self.is_before_line_end[before] = True
        self.has_lone_cr = self.has_lone_cr or (b"\r" in text and bool(_LONE_CR.search(text)))
        self.has_odd_quotes = self.has_odd_quotes or (b'"' in text and b'" ' in text)
        self.has_odd_numbers = self.has_odd_numbers or _has_odd_number(text, codes)
        if self.has_whole_numbers_only:
            self.has_whole_numbers_only = not _has_fraction(text, codes)


_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_LINE_END = re.compile(rb"[\r\n]")
_LONE_CR = re.compile(rb"\r[^\n]")


def _flags(of: bytes) -> NDArray[np.bool_]:
    flags = np.zeros(256, bool)
    flags[list(of)] = True
    return flags


_IS_EDGE = _flags(b""",;|\t\n\r "'""")  # what may stand before a value
_IS_SIGN = _flags(b"+-")
_IS_DIGIT = _flags(b"0123456789")


def _has_odd_number(text: bytes, codes: NDArray[np.uint8]) -> bool:
    """Whether 0 and a digit begin a value, a sign before them or not; an underscore stands between digits; or +-."""
    is_digit = codes - np.uint8(48) < 10
    starts = np.flatnonzero(~is_digit[:-2] & (codes[1:-1] == 48) & is_digit[2:])
    before = codes[starts]
    if (_IS_EDGE[before] | (_IS_SIGN[before] & _IS_EDGE[codes[starts - 1]] & (starts > 0))).any():
        return True
    if b"+-" in text:
        return True
    if b"_" not in text:
        return False
    left, right = _digits_beside(b"_", codes)
    return bool((left & right).any())


def _has_fraction(text: bytes, codes: NDArray[np.uint8]) -> bool:
    """Whether a number may be other than a plain integer: 1.5, 1e5, 0x1F, 0b1."""
    if not any(sign in text for sign in b".eExXbB"):
        return False
    left, right = _digits_beside(b".eExXbB", codes)
    return bool((left | right).any())


def _digits_beside(signs: bytes, codes: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each place of these signs, whether a digit stands to the left, and to the right."""
    places = np.flatnonzero(_flags(signs)[codes])
    places = places[(places > 0) & (places < len(codes) - 1)]
    return _IS_DIGIT[codes[places - 1]], _IS_DIGIT[codes[places + 1]]


def _first_line(path: Path) -> str:
    with open_text(path) as text:
        line = text.readline(MAX_HEADER_CHARACTERS)
    if not line.strip():
        raise InputError(f"{path.name} line 1 is blank; it must hold the column names.")
    return line


def _quote(path: Path, reading: Reading) -> tuple[str, tuple[str, ...]]:
    """The quotation mark; ' only where line 1 holds nothing but values in it."""
    if reading.quote is not None:
        return reading.quote, ()
    if re.fullmatch(r"'[^'\"]*'(?:[,;|\t]'[^'\"]*')*\s*", _first_line(path)):
        return "'", (f"{path.name}: values are quoted by '",)
    return '"', ()


def _delimiter(path: Path, quote: str) -> str:
    """The one that line 1 holds most of, outside quotes; comma where there is none.

    If its number changes from line to line and another sign's does not, then that one: 1,5;2,5 above 3;4 is two values.
    """
    _first_line(path)
    with open_text(path) as text:
        head = text.read(COMPARED_CHARACTERS)
    lines = head.splitlines()
    if len(head) == COMPARED_CHARACTERS and len(lines) > 1:
        lines.pop()  # it may be cut
    bare = [re.sub(f"{quote}[^{quote}]*({quote}|$)", "", line) if quote else line for line in lines if line.strip()]
    counts = {sign: [line.count(sign) for line in bare] for sign in DELIMITERS}
    found = [sign for sign in DELIMITERS if counts[sign][0]]
    steady = [sign for sign in found if len(set(counts[sign])) == 1]
    candidates = steady or found or [","]
    best = max(candidates, key=lambda sign: counts[sign][0])
    alike = [DELIMITERS[sign] for sign in candidates if counts[sign][0] == counts[best][0] > 0]
    if len(alike) > 1:
        raise InputError(
            f"{path.name} line 1: values may be separated by a {' or by a '.join(alike)}. Say which, as in --separator"
            f" {alike[0]}."
        )
    return best


def _names(path: Path, delimiter: str, quote: str, reading: Reading) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """The column names, whether they stand in the first record, and what has to be said about them."""
    _first_line(path)
    with open_text(path) as text:
        try:
            _, as_written = next(records(text, delimiter, quote))
        except QuoteError as fault:
            raise InputError(f"{path.name} {fault.told()}") from None
    names = tuple(name.strip() for name in as_written)
    if len(names) > MAX_COLUMNS:
        raise InputError(
            f"{path.name}: a text table may have {MAX_COLUMNS:,} columns; line 1 has {len(names):,} values. .npz takes"
            " more."
        )
    if reading.header == "none" or (reading.header is None and _holds_data(path, names)):
        said = f"{path.name}: line 1 holds data, so the columns are called column_1 to column_{len(names)}"
        told = () if reading.header else (f"{said} (--header names takes line 1 for the names)",)
        return tuple(f"column_{number}" for number in range(1, len(names) + 1)), False, told
    notes: tuple[str, ...] = ()
    if spaced := sum(name != written for name, written in zip(names, as_written, strict=True)):
        notes = (f"{path.name}: spaces around column names were dropped ({spaced})",)
    if reading.header == "mend":
        mended = _mended(names)
        if changed := sum(name != old for name, old in zip(mended, names, strict=True)):
            notes = (*notes, f"{path.name}: repeated and empty column names were numbered ({changed})")
        names = mended
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if not name:
            raise InputError(
                f"{path.name} line 1: column {position} of {len(names)} has no name.{_unnamed(position, names)}"
            )
        if name in seen:
            both = f"columns {seen[name]} and {position}"
            raise InputError(
                f"{path.name} line 1: column names must differ; {both} are both {name!r}. --header mend numbers them."
            )
        seen[name] = position
    return names, True, notes


def _holds_data(path: Path, names: Sequence[str]) -> bool:
    """Whether line 1 holds values and no names; InputError where it may be either."""
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    if not numbers:
        return False
    whole = [int(number) for number in numbers if re.fullmatch(r"0|[1-9][0-9]{0,8}", number)]
    is_distinct_whole = len(whole) == len(numbers) == len(set(whole))
    if is_distinct_whole and (
        whole in (list(range(len(whole))), list(range(1, len(whole) + 1)))
        or (len(whole) > 1 and all(1800 <= year < 2200 for year in whole))
    ):
        return False  # columns numbered through, or years
    if not is_distinct_whole:
        return True
    raise InputError(
        f"{path.name} line 1 must hold the column names; it may hold data, such as {numbers[0]!r}. Say --header"
        " names or --header none."
    )


def _unnamed(position: int, names: Sequence[str]) -> str:
    if position == len(names):
        return " Line 1 ends in a delimiter; --header mend numbers such a column."
    if position == 1:
        return (
            " pandas writes such a column for its index; to_csv(index=False) leaves it out, --header mend numbers it."
        )
    return " --header mend numbers it."


def _mended(names: Sequence[str]) -> tuple[str, ...]:
    """The names, the empty ones called column_N and the repeated ones name_2, name_3; none that is there is taken."""
    taken = {name for name in names if name}
    seen: set[str] = set()
    mended = []
    for position, name in enumerate(names, 1):
        if not name or name in seen:
            base, number = (f"{name}_", 2) if name else ("column_", position)
            while f"{base}{number}" in taken:
                number += 1
            name = f"{base}{number}"
            taken.add(name)
        seen.add(name)
        mended.append(name)
    return tuple(mended)
