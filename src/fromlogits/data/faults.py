"""What is wrong with a delimited text file: found by walking through it slowly, when there is reason to."""

from __future__ import annotations

from ..errors import InputError
from .dialect import DELIMITERS, Dialect
from .origin import QuoteError, open_text, records


def refuse_first_fault(dialect: Dialect) -> int:
    """Raise InputError for the first record that is not as it must be.

    Returns:
        How many blank lines stand between the records; they hold no row.
    """
    expected = len(dialect.names)
    blank = waiting = 0
    with open_text(dialect.path) as text:
        try:
            for line, values in records(text, dialect.delimiter, dialect.quote):
                if not values:
                    waiting += 1
                elif len(values) == expected:
                    blank, waiting = blank + waiting, 0
                else:
                    raise InputError(f"{dialect.path.name} line {line}: {_wrong_count(len(values), dialect)}")
        except QuoteError as fault:
            raise InputError(f"{dialect.path.name} {fault.told(dialect.names)}") from None
    return blank


def _wrong_count(found: int, dialect: Dialect) -> str:
    names = dialect.names
    model = "as line 1 has names" if dialect.has_header else "as line 1 has"
    rule = f"every row must have {len(names)} values, as many {model}; found {found}"
    if found < len(names):
        return f"{rule}: they end with column {names[found - 1]!r}. An empty value keeps its delimiter."
    return f"{rule}. A value that holds a {DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))} must be quoted."


def has_longer_record(dialect: Dialect, most_bytes: int) -> bool:
    """Whether some record has more bytes, its quotes not counted."""
    with open_text(dialect.path) as text:
        rows = records(text, dialect.delimiter, dialect.quote)
        return any(sum(len(value.encode()) + 1 for value in values) > most_bytes for _, values in rows)


def refuse_mixed_line_ends(dialect: Dialect) -> None:
    """Raise InputError where a line ends otherwise than the first; inside quotes that would be fine."""
    with open_text(dialect.path) as text:
        first = _line_end(text.readline())
        for number, line in enumerate(text, 2):
            if (end := _line_end(line)) != first and end:
                raise InputError(
                    f"{dialect.path.name} line {number} ends in {end}, line 1 in {first}: use one kind of line end."
                )


def _line_end(line: str) -> str:
    return "CR LF" if line.endswith("\r\n") else "LF" if line.endswith("\n") else "CR" if line.endswith("\r") else ""
