"""All figures of some rows, for a person to read: each with its interval, the worst classes and labels first.

The words are the same on a terminal and elsewhere; a terminal adds colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import counted
from ..metrics.intervals import FEWEST_UNITS
from .display import Line, Screen
from .output import FIGURES, MOST_ROWS, aligned, in_words, worst_first

PLAIN_WIDTH = 100
MOST_CELLS = 20
"""Classes of a confusion matrix that is shown whole."""
LONGEST_NAME = 24
PER_CLASS = ("class", "support", "precision", "recall", "f1", "roc_auc", "average_precision")
PER_LABEL = ("label", "support", "precision", "recall", "f1", "roc_auc", "average_precision", "ece", "threshold")
RIGHT, WRONG, NONE = (0, 110, 160), (200, 30, 30), (40, 40, 40)
"""Red, green and blue of a cell that holds all rows of its class, on the diagonal and off it, and of one with few."""


def show(
    results: Screen, about: str, figures: Mapping[str, Any], groups: tuple[str, int] | None = None, more: str = ""
) -> None:
    """Print them.

    Args:
        about: which rows these are, to stand above.
        figures: as `metrics.in_full` gives them.
        groups: by which column they are, and how many, where the intervals draw them; None: rows are drawn.
        more: to be said of the intervals.
    """
    results.tell(about, "bold")
    results.paint(_of_all(figures, groups, more))
    kind = "label" if "per_label" in figures else "class"
    rows = figures[f"per_{kind}"]
    results.tell(f"\nby {kind}, lowest f1 first:", "bold")
    results.paint(_each(rows, PER_LABEL if kind == "label" else PER_CLASS))
    if kind == "label":
        return
    names = [_short(row["class"]) for row in rows]
    wide = PLAIN_WIDTH if results.console is None else results.console.width
    matrix = figures["confusion"]
    table = _confusion(names, matrix) if len(names) <= MOST_CELLS else []
    if table and len(table[0][0][0]) <= wide:
        results.tell("\nconfusion, true classes down, predicted ones across:", "bold")
        results.paint(table)
    elif most := figures["most_confused"]:
        results.tell("\nconfused most:", "bold")
        results.tell(_confused(most, rows))


def _of_all(figures: Mapping[str, Any], groups: tuple[str, int] | None, more: str) -> Iterator[Line]:
    """A line per figure."""
    intervals = figures["intervals"]
    names = [name for name in FIGURES if name in figures and not _is_of_more_classes(name, figures)]
    wide = max(len(name) for name in names)
    for name in names:
        value = in_words(figures[name])
        line: Line = [(f"  {name.ljust(wide)}  ", ""), (value, "bold green" if figures[name] is not None else "dim")]
        if name in intervals:
            low, high = intervals[name]
            line.append((f"  [{in_words(low)}, {in_words(high)}]", "cyan"))
        if name == "ece" and figures["ece_by_chance"] is not None:
            line.append((f"  by chance alone {in_words(figures['ece_by_chance'])}", "cyan"))
        yield line
    if intervals:
        drawn = "other rows" if groups is None else f"other groups of {groups[0]}"
        yield [(f"in brackets: 95 % intervals, from drawing {drawn}{more}", "dim")]
    elif groups is not None and groups[1] < FEWEST_UNITS:
        found = counted(groups[1], "group")
        yield [(f"no intervals: {found} of {groups[0]} can't say how far others lie; {FEWEST_UNITS} can", "dim")]


def _is_of_more_classes(name: str, figures: Mapping[str, Any]) -> bool:
    """Whether it is an accuracy among the top of more classes than there are."""
    return name.startswith("top_") and figures[name] is None


def _each(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[Line]:
    """A line per class or label, the worst first."""
    worst = worst_first(rows)[:MOST_ROWS]
    cells = [[_short(row[columns[0]]), *(in_words(row[name]) for name in columns[1:])] for row in worst]
    head, *lines = aligned([columns, *cells]).splitlines()
    yield [(head, "dim")]
    for line, row in zip(lines, worst, strict=True):
        yield [(line, _mark(row["f1"]))]
    if len(rows) > len(worst):
        yield [(f"and {len(rows) - len(worst):,} more; --json has all", "dim")]


def _mark(f1: float | None) -> str:
    if f1 is None:
        return "dim"
    return "red" if f1 < 0.5 else "yellow" if f1 < 0.8 else ""


def _confusion(names: Sequence[str], matrix: Sequence[Sequence[float]]) -> list[Line]:
    """A head, and a line per true class; cells coloured by the share of the true class that they hold."""
    texts = [[_amount(amount) for amount in row] for row in matrix]
    wide = [max(min(len(name), 8), *(len(row[k]) for row in texts)) for k, name in enumerate(names)]
    first = max(len(name) for name in names)
    heads = (f" {_short(name, width).rjust(width)} " for name, width in zip(names, wide, strict=True))
    lines: list[Line] = [[(" " * first + "".join(heads), "dim")]]
    for true, row in enumerate(texts):
        total = sum(matrix[true])
        parts = [amount / total if total else 0.0 for amount in matrix[true]]
        cells = [
            (f" {text.rjust(wide[k])} ", _colour(parts[k], is_right=k == true) if parts[k] else "dim")
            for k, text in enumerate(row)
        ]
        lines.append([(names[true].ljust(first), ""), *cells])
    return lines


def _colour(part: float, *, is_right: bool) -> str:
    """White on a hue that grows with the part; of what is wrong by its root, as a few per cent are worth seeing."""
    full, grown = (RIGHT, part) if is_right else (WRONG, part**0.5)
    red, green, blue = (round(none + grown * (most - none)) for none, most in zip(NONE, full, strict=True))
    return f"white on rgb({red},{green},{blue})"


def _confused(most: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str:
    support = {row["class"]: row["support"] for row in rows}
    lines = [
        [
            f"{_short(pair['true'])} → {_short(pair['predicted'])}",
            _amount(pair["support"]),
            f"{100 * pair['support'] / support[pair['true']]:.1f} %",
        ]
        for pair in most[:MOST_ROWS]
    ]
    return aligned([["true → predicted", "rows", "of the true"], *lines])


def _amount(amount: float) -> str:
    """Rows, or their weight; a dot for none."""
    return "·" if not amount else f"{amount:,}" if isinstance(amount, int) else f"{amount:.4g}"


def _short(name: object, at_most: int = LONGEST_NAME) -> str:
    text = str(name)
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"
