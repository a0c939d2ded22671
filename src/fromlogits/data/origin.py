"""Where a row came from, in the words of an error message."""

from __future__ import annotations

import csv
import gzip
import io
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from .files import is_gzip


class Origin:
    """Rows of an array or a frame: "row 11", counted from 0 as Python does."""

    is_for_model: bool = False
    """Read with a model's columns, none of which can be left out."""

    def where(self, row: int) -> str:
        return f"row {row}"

    def line(self, row: int) -> int | None:
        """The line of a text file, from 1, on which the row starts; None where there are no lines."""
        return None

    def how_to_leave_out(self, columns: Sequence[str]) -> str:
        """What to do about columns that can't be used."""
        one = len(columns) == 1
        return f"Drop {repr(columns[0]) if one else 'them'} from X, or turn {'it' if one else 'them'} into numbers."

    def take(self, rows: NDArray[Any]) -> Origin:
        return _Taken(self, rows)


class FileRows(Origin):
    """Rows of a file without lines: "row 11 of train.npz"."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def where(self, row: int) -> str:
        return f"row {row} of {self.path.name}"

    def how_to_leave_out(self, columns: Sequence[str]) -> str:
        return f"--ignore {shlex.quote(','.join(columns))} leaves {'it' if len(columns) == 1 else 'them'} out."


class TextLines(FileRows):
    """Rows of a delimited text file: "digits.csv line 12". The line is looked for when an error needs it."""

    def __init__(self, path: Path, delimiter: str, n_columns: int) -> None:
        super().__init__(path)
        self.delimiter = delimiter
        self.n_columns = n_columns

    def where(self, row: int) -> str:
        return f"{self.path.name} line {self.line(row)}"

    def line(self, row: int) -> int:
        with open_text(self.path) as text:
            record = -1  # the header
            for line, values in records(text, self.delimiter):
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

    def where(self, row: int) -> str:
        return self.whole.where(int(self.rows[row]))

    def line(self, row: int) -> int | None:
        return self.whole.line(int(self.rows[row]))

    def how_to_leave_out(self, columns: Sequence[str]) -> str:
        return self.whole.how_to_leave_out(columns)


class QuoteError(Exception):
    """A quote that is never closed, or something behind a closing one.

    Attributes:
        start: the line on which the record starts.
        line: the line where the fault was noticed.
        is_open: the file ended inside the quotes.
    """

    def __init__(self, start: int, line: int, *, is_open: bool) -> None:
        super().__init__(start, line, is_open)
        self.start = start
        self.line = line
        self.is_open = is_open

    def __str__(self) -> str:
        if self.is_open:
            return f"line {self.start}: a quote that opens in this row is never closed."
        fault = f"line {self.line}: a closing quote must end its value"
        if self.line > self.start:
            return f"{fault}; was a quote left open in the row that starts on line {self.start}?"
        return f"{fault}; a quote inside a quoted value is written twice."


def open_text(path: Path) -> IO[str]:
    """A plain or gzip text file, its byte order mark skipped and its line ends left alone."""
    raw: Any = gzip.GzipFile(path) if is_gzip(path) else path.open("rb")
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def records(text: IO[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, values) of each record; a blank line has no values.

    Raises QuoteError where a quoted value is not closed as it must be.
    """
    limit = csv.field_size_limit(2**31 - 1)  # the default of 128 KiB is shorter than a long text
    try:
        reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)
        line = 1
        for values in reader:
            yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise QuoteError(line, reader.line_num, is_open="end of data" in str(error)) from None
    finally:
        csv.field_size_limit(limit)
