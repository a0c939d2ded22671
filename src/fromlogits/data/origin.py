"""Where a row came from, in the words of an error message."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from .packed import open_content


class Origin:
    """Rows of an array or a frame: "row 11", counted from 0 as Python does."""

    is_for_model: bool = False
    """Read with a model's columns, none of which can be left out."""
    takes_options: bool = False
    """Options of the command line can change how the text is read."""
    has_options: bool = False
    """Options of the command line can say what a column is."""

    def where(self, row: int) -> str:
        return f"row {row}"

    def line(self, row: int) -> int | None:
        """The line of a text file, from 1, on which the row starts; None where there are no lines."""
        return None

    def how_to_leave_out(self, columns: Sequence[str], *, is_infinite: bool = False) -> str:
        """What to do about columns that can't be used, of which a value may be infinite."""
        one = len(columns) == 1
        otherwise = f"turn {'it' if one else 'them'} into numbers"
        if is_infinite:
            otherwise = "replace infinity by NaN where the value is unknown"
        return f"Drop {repr(columns[0]) if one else 'them'} from X, or {otherwise}."

    def how_to_miss(self, word: str) -> str:
        """What to do about a value that stands for none, in a column that a model needs; "" as a word: no word."""
        return "Put NaN or None there where the value is unknown"

    def take(self, rows: NDArray[Any]) -> Origin:
        return _Taken(self, rows)

    def after(self, start: int) -> Origin:
        """Of the rows from `start` on."""
        return self if start == 0 else _After(self, start)


def how_to_use(origin: Origin, column: str, *, holds_files: bool) -> str:
    """What to do about a file's column that holds no numbers and no texts.

    Args:
        holds_files: it may hold pictures.
    """
    pictures = f"--images {shlex.quote(column)} learns from the pictures that it holds; " if holds_files else ""
    return pictures + origin.how_to_leave_out([column])


class FileRows(Origin):
    """Rows of a file without lines: "row 11 of train.npz"."""

    has_options = True

    def __init__(self, path: Path) -> None:
        self.path = path

    def where(self, row: int) -> str:
        return f"row {row} of {self.path.name}"

    def how_to_leave_out(self, columns: Sequence[str], *, is_infinite: bool = False) -> str:
        otherwise = "Write no value where it is unknown; " if is_infinite else ""
        which = shlex.quote(",".join(columns))
        return f"{otherwise}--ignore {which} leaves {'it' if len(columns) == 1 else 'them'} out."

    def how_to_miss(self, word: str) -> str:
        if not word:
            return "Write no value where it is unknown"
        return f"--missing {shlex.quote(word)} if it stands for no value"


class TextLines(FileRows):
    """Rows of a delimited text file: "digits.csv line 12". The line is looked for when an error needs it.

    Args:
        path: the file.
        delimiter, quote: as for `records`.
        n_columns: how many values a row has.
        has_header: whether the first record holds the names.
    """

    def __init__(self, path: Path, delimiter: str, quote: str, n_columns: int, *, has_header: bool) -> None:
        super().__init__(path)
        self.delimiter = delimiter
        self.quote = quote
        self.n_columns = n_columns
        self.has_header = has_header
        self.takes_options = True

    def where(self, row: int) -> str:
        return f"{self.path.name} line {self.line(row)}"

    def line(self, row: int) -> int:
        with open_text(self.path) as text:
            record = -1 if self.has_header else 0
            for line, values in records(text, self.delimiter, self.quote):
                if values or self.n_columns == 1:  # a blank line is a missing value of the one column, or else nothing
                    if record == row:
                        return line
                    record += 1
        raise IndexError(f"{self.path.name} has no row {row}")


class _Taken(Origin):
    """Some rows of another origin."""

    def __init__(self, whole: Origin, rows: NDArray[Any]) -> None:
        self.whole = whole
        self.rows = rows
        self.takes_options = whole.takes_options
        self.has_options = whole.has_options

    def where(self, row: int) -> str:
        return self.whole.where(int(self.rows[row]))

    def line(self, row: int) -> int | None:
        return self.whole.line(int(self.rows[row]))

    def how_to_leave_out(self, columns: Sequence[str], *, is_infinite: bool = False) -> str:
        return self.whole.how_to_leave_out(columns, is_infinite=is_infinite)

    def how_to_miss(self, word: str) -> str:
        return self.whole.how_to_miss(word)


class _After(Origin):
    """The rows of another origin from one on."""

    def __init__(self, whole: Origin, start: int) -> None:
        self.whole, self.start = whole, start
        self.is_for_model, self.takes_options, self.has_options = (
            whole.is_for_model, whole.takes_options, whole.has_options,
        )  # fmt: skip

    def where(self, row: int) -> str:
        return self.whole.where(self.start + row)

    def line(self, row: int) -> int | None:
        return self.whole.line(self.start + row)

    def how_to_leave_out(self, columns: Sequence[str], *, is_infinite: bool = False) -> str:
        return self.whole.how_to_leave_out(columns, is_infinite=is_infinite)

    def how_to_miss(self, word: str) -> str:
        return self.whole.how_to_miss(word)


class QuoteError(Exception):
    """A quote that is never closed, or something behind a closing one.

    Attributes:
        start: the line on which the record starts.
        line: the line where the fault was noticed.
        column: the number of the value, from 0.
        is_open: the file ended inside the quotes.
    """

    def __init__(self, start: int, line: int, column: int, *, is_open: bool) -> None:
        super().__init__(start, line, column, is_open)
        self.start = start
        self.line = line
        self.column = column
        self.is_open = is_open

    def told(self, names: Sequence[str] = ()) -> str:
        """What is wrong, to follow the file's name; columns by their names where they are known."""
        column = f"column {names[self.column]!r}" if self.column < len(names) else f"value {self.column + 1}"
        if self.is_open:
            return (
                f"line {self.start}, {column}: the quote that opens this value is never closed. Close it, or add"
                " --quote none if quotes mean nothing in this file."
            )
        fault = f"line {self.line}, {column}: a closing quote must end its value"
        if self.line > self.start:
            return f"{fault}; was a quote left open in the row that starts on line {self.start}?"
        return f"{fault}; a quote inside a quoted value is written twice."


def open_text(path: Path) -> IO[str]:
    """A text file, plain or packed, its byte order mark skipped and its line ends left alone."""
    return io.TextIOWrapper(open_content(path), encoding="utf-8-sig", newline="")


def records(text: IO[str], delimiter: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, values) of each record; a blank line has no values.

    Args:
        text: from `open_text`.
        delimiter: between values.
        quote: around values that hold a delimiter, a line end or a quote; "" where quotes mean nothing.

    Raises QuoteError where a quoted value is not closed as it must be.
    """
    limit = csv.field_size_limit(2**31 - 1)  # the default of 128 KiB is shorter than a long text
    raw: list[str] = []

    def lines() -> Iterator[str]:
        for row in text:
            raw.append(row)
            yield row

    try:
        quoting: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
        # DuckDB, too, drops the spaces before a value.
        reader = csv.reader(lines(), delimiter=delimiter, skipinitialspace=delimiter != " ", strict=True, **quoting)
        line = 1
        for values in reader:
            yield line, values
            line = reader.line_num + 1
            raw.clear()
    except csv.Error as error:
        is_open = "end of data" in str(error)
        column = _faulty_value("".join(raw), delimiter, quote)
        raise QuoteError(line, reader.line_num, column, is_open=is_open) from None
    finally:
        csv.field_size_limit(limit)


def _faulty_value(record: str, delimiter: str, quote: str) -> int:
    """The number of the value, from 0, whose quotes are at fault."""
    column, place = 0, 0
    while True:
        while record.startswith(" ", place):
            place += 1
        if record.startswith(quote, place):
            place += 1
            while (place := record.find(quote, place)) >= 0 and record.startswith(quote, place + 1):
                place += 2
            if place < 0 or not record.startswith((delimiter, "\n", "\r"), place + 1):
                return column
        place = record.find(delimiter, place)
        if place < 0:
            return column
        place += 1
        column += 1
