"""What a model's columns are, and what a file brings to them, as tables that a person reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..data.schema import word
from ..errors import counted, one_line

if TYPE_CHECKING:
    from ..data.encoders import FeatureEncoder

MOST_COLUMNS = 40
MAX_NAME = 40


def columns_table(encoder: FeatureEncoder, most: int = MOST_COLUMNS) -> str:
    """A line per column; of very many the first, and how many there are of each kind. "" where all are numbers."""
    columns = encoder.described()
    if all(column["what"] == "number" for column in columns):
        return ""
    rows = [("column", "is a", "missing", "encoded as")]
    for column in columns[:most]:
        missing = f"{column['missing']:,}" if column["missing"] else ""
        rows.append((_short(column["column"]), column["what"], missing, column["encoded"]))
    table = _left(rows)
    if len(columns) > most:
        counts = Counter(column["what"].partition(" of ")[0] for column in columns)
        table += f"\nand {len(columns) - most:,} more columns; in all " + ", ".join(
            f"{count:,} {what}" for what, count in counts.most_common()
        )
    return table


def noticed_table(noticed: Sequence[tuple[str, int, int]], n_rows: int, most: int = MOST_COLUMNS) -> str:
    """The columns in which a file has missing or unseen values, a sentence where there is none."""
    found = [one for one in noticed if one[1] or one[2]]
    if not found:
        return f"no value is missing and none is unseen in {counted(n_rows, 'row')}"
    rows = [("column", "missing", "unseen")]
    rows += [(_short(name), f"{missing:,}", f"{unseen:,}") for name, missing, unseen in found[:most]]
    more = f"\nand {len(found) - most:,} more; --json has all" if len(found) > most else ""
    return f"of {counted(n_rows, 'row')}:\n{_left(rows)}{more}"


def noticed_notes(noticed: Sequence[tuple[str, int, int]], file: str, n_rows: int) -> list[str]:
    """What is said of a file's unseen values before its rows are used."""
    unseen = [(name, count) for name, _, count in noticed if count]
    if not unseen:
        return []
    listed = ", ".join(f"{word(name)} ({count:,} of {counted(n_rows, 'row')})" for name, count in unseen[:5])
    more = f" and {len(unseen) - 5} more columns" if len(unseen) > 5 else ""
    return [f"{file}: values that the training hardly or never had: {listed}{more}"]


def as_report(noticed: Sequence[tuple[str, int, int]]) -> list[dict[str, Any]]:
    return [{"column": name, "missing": missing, "unseen": unseen} for name, missing, unseen in noticed]


def _short(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def _left(rows: Sequence[Sequence[str]]) -> str:
    wide = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in rows
    )
