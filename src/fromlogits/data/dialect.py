"""A delimited text file before it is parsed: its bytes checked, its delimiter and column names found.

The reader (tables.py) is told the dialect and never guesses. What it would let pass in silence is found here.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .files import is_gzip, looks_like, stored_chunks, unzipped
from .origin import QuoteError, open_text, records

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon"}
MAX_HEADER_CHARACTERS = 1 << 26


@dataclass(frozen=True)
class Dialect:
    """What is known of a text file before its values are read.

    Attributes:
        path: the file; gzip when its name ends in .gz.
        delimiter: comma, tab or semicolon.
        names: the column names, all there and all different.
        digest: SHA-256 of the file as stored, in hex.
        has_whole_numbers_only: no digit stands beside a point, an exponent's e or a letter that names a base, so
            what is a number for a reader of integers is one for us.
        has_odd_numbers: the bytes hold something that a reader takes for a plain number though it is none:
            a leading zero (01234) or an underscore (1_000).
        has_odd_rows: some line is blank or ends in a delimiter, or a space follows a quote: a reader may drop a line
            or a value, or join two values, in silence.
        notes: what was found and has to be said.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    digest: str
    has_whole_numbers_only: bool
    has_odd_numbers: bool
    has_odd_rows: bool
    notes: tuple[str, ...]


def examine(path: Path) -> Dialect:
    """Read all bytes once: hash them, refuse what is no UTF-8 text, and find the dialect in the first record."""
    scan = _Scan(path)
    delimiter = _delimiter(path)
    names, notes = _names(path, delimiter)
    usual = "\t" if ".tsv" in path.name.lower() else ","
    if delimiter != usual and len(names) > 1:
        notes = (f"{path.name}: the delimiter is a {DELIMITERS[delimiter]}", *notes)
    odd_rows = scan.has_odd_quotes or scan.has_lone_cr or bool(scan.is_before_line_end[[10, ord(delimiter)]].any())
    whole = scan.has_whole_numbers_only
    return Dialect(path, delimiter, names, scan.digest, whole, scan.has_odd_numbers, odd_rows, notes)


class _Scan:
    """One pass over the bytes of the text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.has_whole_numbers_only = True
        self.has_odd_numbers = False
        self.has_odd_quotes = False
        self.has_lone_cr = False
        self.is_before_line_end = np.zeros(256, bool)  # a CR before the LF is not looked at
        sha = hashlib.sha256()
        stored = stored_chunks(path, sha)
        decoder = codecs.getincrementaldecoder("utf-8")()
        position = 0
        tail = b""  # what ends a chunk is looked at again with the next one
        is_below_header = False
        for chunk in unzipped(stored, path) if is_gzip(path) else stored:
            if position == 0:
                self._refuse_known_formats(chunk)
            self._refuse_other_encodings(chunk, position, decoder)
            start = 0
            if not is_below_header:  # names such as pixel_0_1 are no numbers
                end = _LINE_END.search(chunk)
                is_below_header = end is not None
                start = end.start() if end else len(chunk)
            text = tail + chunk[start:]
            self._look(text)
            tail = text[-3:]
            position += len(chunk)
        if position == 0:
            raise InputError(f"{path.name} is empty; it must hold a line of column names and rows below it.")
        if decoder.getstate()[0]:
            raise InputError(f"{path.name} is cut off: it ends in the middle of a UTF-8 character.")
        self.is_before_line_end[list(tail[-1:].strip(b"\r\n"))] = True  # the last line may have no end
        self.digest = sha.hexdigest()

    def _refuse_known_formats(self, head: bytes) -> None:
        known = looks_like(head)
        if known:
            cure = {
                "a gzip file": f" Name it {self.path.name}.gz.",
                "a Parquet file": " Name it .parquet.",
                "UTF-16 text": " Save it as UTF-8.",
            }
            raise InputError(f"{self.path.name} must be UTF-8 text; it looks like {known}.{cure.get(known, '')}")

    def _refuse_other_encodings(self, chunk: bytes, position: int, decoder: codecs.IncrementalDecoder) -> None:
        pending = len(decoder.getstate()[0])
        if (nul := chunk.find(b"\0")) >= 0:
            fault, what, cure = nul, "a NUL byte", "Is it text at all?"
        elif chunk.isascii() and not pending:
            return
        else:
            try:
                decoder.decode(chunk)
                return
            except UnicodeDecodeError as error:
                fault = error.start - pending
                what = f"0x{error.object[error.start]:02x}"
                cure = "Is it text at all?" if _CONTROL_BYTES.search(chunk) else "Save it as UTF-8."
        raise InputError(
            f"{self.path.name} must be UTF-8 text; the byte at offset {position + fault} is {what}. {cure}"
        )

    def _look(self, text: bytes) -> None:
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


_LINE_END = re.compile(rb"[\r\n]")
_LONE_CR = re.compile(rb"\r[^\n]")
_CONTROL_BYTES = re.compile(rb"[\x01-\x08\x0e-\x1f]")


def _flags(of: bytes) -> NDArray[np.bool_]:
    flags = np.zeros(256, bool)
    flags[list(of)] = True
    return flags


_IS_EDGE = _flags(b',;\t\n\r "')  # what may stand before a value
_IS_SIGN = _flags(b"+-")
_IS_DIGIT = _flags(b"0123456789")


def _has_odd_number(text: bytes, codes: NDArray[np.uint8]) -> bool:
    """Whether 0 and a digit begin a value, a sign before them or not, or an underscore stands between digits."""
    is_digit = codes - np.uint8(48) < 10
    starts = np.flatnonzero(~is_digit[:-2] & (codes[1:-1] == 48) & is_digit[2:])
    before = codes[starts]
    if (_IS_EDGE[before] | (_IS_SIGN[before] & _IS_EDGE[codes[starts - 1]] & (starts > 0))).any():
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


def _delimiter(path: Path) -> str:
    """The one that line 1 holds most of, outside quotes; comma where there is none."""
    with open_text(path) as text:
        line = text.readline(MAX_HEADER_CHARACTERS)
    if not line.strip():
        raise InputError(f"{path.name} line 1 is blank; it must hold the column names.")
    bare = re.sub(r'"[^"]*("|$)', "", line)
    return max(DELIMITERS, key=bare.count)


def _names(path: Path, delimiter: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names in the first record, and what has to be said about them."""
    with open_text(path) as text:
        try:
            _, as_written = next(records(text, delimiter))
        except QuoteError as fault:
            raise InputError(f"{path.name} {fault}") from None
    names = tuple(name.strip() for name in as_written)
    headless = all(_is_number(name) for name in names) and len(names) > 1
    hint = " The names must stand in line 1; it seems to hold data." if headless else ""
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if not name:
            last = position == len(names)
            cure = (
                " Line 1 ends in a delimiter."
                if last
                else " pandas writes such a column for its index; to_csv(index=False) leaves it out."
                if position == 1
                else ""
            )
            raise InputError(f"{path.name} line 1: column {position} of {len(names)} has no name.{cure}")
        if name in seen:
            both = f"columns {seen[name]} and {position}"
            raise InputError(f"{path.name} line 1: column names must differ; {both} are both {name!r}.{hint}")
        seen[name] = position
    spaced = sum(name != written for name, written in zip(names, as_written, strict=True))
    notes = (f"{path.name}: spaces around column names were dropped ({spaced})",) if spaced else ()
    return names, notes


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
