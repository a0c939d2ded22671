"""What is wrong with a delimited text file: found by walking through it slowly, once the fast reader has refused it."""

from __future__ import annotations

from ..errors import InputError
from .dialect import Dialect
from .origin import QuoteError, open_text, records


def refuse_first_fault(dialect: Dialect, *, only_counts: bool = False) -> None:
    """Raise InputError for the first record that is not as it must be; do nothing when there is none.

    Args:
        dialect: of the file.
        only_counts: the quotes are known to be right; only compare the number of values.
    """
    name, expected = dialect.path.name, len(dialect.names)
    with open_text(dialect.path) as text:
        try:
            for line, values in records(text, dialect.delimiter, strict=not only_counts):
                if values and len(values) != expected:
                    raise InputError(
                        f"{name} line {line}: every row must have {expected} values, as many as line 1 has names;"
                        f" found {len(values)}."
                    )
        except QuoteError as fault:
            raise InputError(f"{name} {_quote_fault(fault)}") from None
    if not only_counts:
        _refuse_mixed_line_ends(dialect)


def _quote_fault(fault: QuoteError) -> str:
    if fault.is_open:
        return f"line {fault.start}: a quote that opens in this row is never closed."
    if fault.line > fault.start:
        return f"line {fault.line}: text follows a closing quote; was a quote left open in the row of line {fault.start}?"
    return f"line {fault.line}: text follows a closing quote; a quote inside a quoted value is written twice."


def _refuse_mixed_line_ends(dialect: Dialect) -> None:
    with open_text(dialect.path) as text:
        first = _line_end(text.readline())
        for number, line in enumerate(text, 2):
            if (end := _line_end(line)) != first and end:
                raise InputError(
                    f"{dialect.path.name} line {number} ends in {end}, line 1 in {first}: use one kind of line end."
                )


def _line_end(line: str) -> str:
    return "CR LF" if line.endswith("\r\n") else "LF" if line.endswith("\n") else "CR" if line.endswith("\r") else ""


def count_blank_lines(dialect: Dialect) -> int:
    """Blank lines between records; those at the end of the file do not count."""
    blank = waiting = 0
    with open_text(dialect.path) as text:
        for _, values in records(text, dialect.delimiter):
            if values:
                blank, waiting = blank + waiting, 0
            else:
                waiting += 1
    return blank
