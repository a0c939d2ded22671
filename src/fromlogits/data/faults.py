"""What is wrong with a delimited text file: found by walking through it slowly, when there is reason to."""

from __future__ import annotations

from ..errors import InputError
from .dialect import Dialect
from .origin import QuoteError, open_text, records


def refuse_ragged_rows(dialect: Dialect) -> int:
    """Raise InputError for the first record that has too few or too many values.

    Returns:
        How many blank lines stand between records; they hold no row.
    """
    return _walk(dialect, strict=False)


def refuse_first_fault(dialect: Dialect) -> None:
    """Raise InputError for the first record that breaks a rule; do nothing when all are well."""
    try:
        _walk(dialect, strict=True)
    except QuoteError as fault:
        raise InputError(f"{dialect.path.name} {_quote_fault(fault)}") from None
    _refuse_mixed_line_ends(dialect)


def _walk(dialect: Dialect, *, strict: bool) -> int:
    expected = len(dialect.names)
    blank = waiting = 0
    with open_text(dialect.path) as text:
        for line, values in records(text, dialect.delimiter, strict=strict):
            if not values:
                waiting += 1
            elif len(values) == expected:
                blank, waiting = blank + waiting, 0
            else:
                raise InputError(
                    f"{dialect.path.name} line {line}: every row must have {expected} values, as many as line 1 has"
                    f" names; found {len(values)}."
                )
    return blank


def _quote_fault(fault: QuoteError) -> str:
    if fault.is_open:
        return f"line {fault.start}: a quote that opens in this row is never closed."
    if fault.line > fault.start:
        start = f"the row that starts on line {fault.start}"
        return f"line {fault.line}: text follows a closing quote; was a quote left open in {start}?"
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
