"""What each column of a training table is: found out from its values, unless the user or the source says it.

Every rule stands here with its bound and its reason; docs/guide/tables.md and docs/decisions/0014-columns.md tell them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .columns import ColumnFault, number_fault_of
from .encodings.base import Encoding
from .encodings.category import Category
from .encodings.code import MOST_OF_A_FEATURE_EACH, Code
from .encodings.levels import Levels
from .encodings.moment import Moment, seconds_of
from .encodings.number import Number
from .form import USUAL, Form
from .label_sets import SparseLabels
from .neighbours import Outcomes, says_more_alone
from .numbers import CODE, TOO_LONG, number_fault
from .pictures.stores import is_picture
from .schema import REASONS, shown
from .statistics import as_counts
from .table import Column, Table
from .texts import Texts, texts_of

FEW = 10
"""A whole number of 3 to so many values may be a rating, a count or a code, and is taken as a number and a category."""
ROWS_A_LEVEL = 20
"""So many rows, or copies by a whole weight, there must be for each of its values on average; with fewer, one weight
for all says more."""
LEAST_A_LEVEL = 5
"""So many there must be for the rarest: a count that rarely reaches 7 is a count."""
LEAST_CODES = 20
"""A number of fewer values is told apart by its waves, or by a feature for each."""
ROWS_A_CODE = 3
"""So many rows there must be for each value on average of a number whose values are learned one by one ..."""
MOST_CODES = 10_000
"""... and there may be at most so many of them ..."""
MOST_ALL_CODES = 50_000
"""... and of all such numbers of a table, whose later ones are numbers alone: half of `MAX_ALL_VALUES`."""
SOME_ROWS, MOST_OF_SOME = 2_000, 0.95
"""Of so many rows that are drawn at most so large a share has values of its own where `MOST_CODES` are all: 0.91."""
KEY_ROWS = 20
"""From so many rows on a column that counts them, or differs in each, is taken for an identifier."""
KEY_SHARE = 0.9
"""From this share of different texts on, a text names the row and not a kind of rows."""
TEXT_WORDS = 4.0
"""Texts of so many words on average, of which at least half differ, are sentences."""
TEXT_SHARE = 0.5
DAMAGE_WORDS = 3
"""So few different words among numbers are damage or stand for a missing value ..."""
DAMAGE_SHARE = 0.1
"""... and so are words in less than this share of the rows, unless they are codes with a leading zero."""
RARE_SHARE = 0.01
"""A word in fewer rows is damage even among few numbers: "3" and "4+" are both frequent."""
MAX_COLUMNS = 20_000
MAX_ALL_VALUES = 100_000
"""Of all categories of a table together: what a model file can hold."""
MAX_COMPARISONS = 100_000
"""Columns times labels that are looked through for one that gives the label away."""


@dataclass(frozen=True)
class Found:
    """What was found out about a table's columns.

    Attributes:
        names: the columns to learn from, in the table's order.
        encodings: theirs; None where all are numbers without a missing value, and need none.
        left_out: the other columns -> why, a key of REASONS.
        notes: what has to be said.
        warnings: what has to be said loudly.
    """

    names: tuple[str, ...]
    encodings: tuple[Encoding, ...] | None
    left_out: dict[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def find_out(
    table: Table,
    rows: NDArray[np.int64] | None,
    targets: NDArray[Any] | SparseLabels | None = None,
    weights: NDArray[np.float64] | None = None,
    *,
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    form: Form = USUAL,
) -> Found:
    """What the columns are.

    Args:
        table: all rows; damage is refused wherever it is.
        rows: the training rows, from which everything is learned; None: all.
        targets: of all rows, class indices (n,) or a 0/1 matrix (n, labels), to warn of columns that give them away.
        weights: what each training row counts for, above 0; None: 1.
        categorical, numeric: columns of which the user says what they are.
        form: in which the network takes their features.

    Raises InputError for a column that can't be used, with what to do about it.
    """
    found: dict[str, Encoding | str | None] = {}
    outcomes = None if targets is None or len(table.columns) > MAX_COLUMNS else Outcomes.of(targets, rows)
    for column in table.columns:
        with _naming(column, table):
            found[column.name] = _encoding(
                column,
                column if rows is None else column.take(rows),
                weights,
                outcomes,
                table,
                form,
                is_category=column.name in categorical,
                is_number=column.name in numeric,
            )
    encodings: dict[str, Encoding] = {}
    if any(isinstance(one, Encoding) for one in found.values()):
        for name, one in found.items():
            if one is None:
                with _naming(table[name], table):
                    learned = table[name] if rows is None else table[name].take(rows)
                    number = Number.fit(learned, weights, is_robust=form.is_robust)
                found[name] = one = "constant" if number.is_constant else number
            if isinstance(one, Encoding):
                encodings[name] = one
        encodings = _with_fewer_codes(encodings)
        _check_size(encodings, table)
    left_out = {name: one for name, one in found.items() if isinstance(one, str)}
    names = tuple(name for name in found if name not in left_out)
    asked = [
        name for name, why in left_out.items()
        if why == "rare" and (name in categorical or table[name].kind == "category")
    ]  # fmt: skip
    return Found(
        names,
        tuple(encodings.values()) or None,
        left_out,
        (*notes_of({name: why for name, why in left_out.items() if name not in asked}), *_of_codes(encodings, table)),
        (*_of_asked(asked, table), *_warnings(table, rows, targets, names, left_out)),
    )


@contextlib.contextmanager
def _naming(column: Column, table: Table) -> Iterator[None]:
    """Turns a fault into an InputError that names the column and what to do."""
    try:
        yield
    except ColumnFault as fault:
        said = fault.told(f"column {column.name!r}", table.origin)
        cure = table.origin.how_to_leave_out([column.name], is_infinite=fault.is_infinite)
        raise InputError(f"{said}. {fault.cure}{cure}") from None


def _encoding(
    column: Column,
    learned: Column,
    weights: NDArray[np.float64] | None,
    outcomes: Outcomes | None,
    table: Table,
    form: Form,
    *,
    is_category: bool,
    is_number: bool,
) -> Encoding | str | None:
    """How the column is encoded, or why it is left out; None of a plain number."""
    if learned.is_missing.all():
        return "empty"
    if is_category or column.kind == "category":
        return _category(texts_of(learned), weights, form)
    fault = number_fault_of(column) if column.is_numeric or is_number else None
    if fault is not None and is_number:
        raise fault
    if column.kind == "dates":
        return _moment(column, learned, weights, form, is_time=False)
    if column.kind == "times":
        is_time = all(
            seconds_of(value, is_time=True) is not None for value in column.values[~column.is_missing][:KEY_ROWS]
        )
        return _moment(column, learned, weights, form, is_time=True) if is_time else "durations"
    if not column.is_numeric:
        return _of_text(column, learned, weights, table, form)
    if fault is not None and column.values.dtype.kind == "f":
        raise fault
    if fault is not None:
        return _of_distinct(texts_of(learned), weights, form)  # whole numbers beyond float64's are names
    if not is_number and column.values.dtype.kind != "b":
        if _counts_the_rows(column, table):
            return "identifier"
        levels = _levels(learned, weights, form) or _codes(learned, weights, outcomes, form)
        if levels is not None:
            return levels
    return Number.fit(learned, weights, is_robust=form.is_robust) if learned.is_missing.any() else None


def _of_text(
    column: Column, learned: Column, weights: NDArray[np.float64] | None, table: Table, form: Form
) -> Encoding | str:
    texts = texts_of(column)
    if not texts.distinct:
        return "empty"
    is_time = seconds_of(texts.distinct[0], is_time=True) is not None
    if all(seconds_of(text, is_time=is_time) is not None for text in texts.distinct):
        return _moment(column, learned, weights, form, is_time=is_time)
    _refuse_damage(column, texts, table)
    return _of_distinct(texts_of(learned), weights, form)


def _moment(
    column: Column, learned: Column, weights: NDArray[np.float64] | None, form: Form, *, is_time: bool
) -> Encoding | str:
    Moment.fit(column, is_time=is_time)  # a fault in a row that is not learned from is told too
    moment = Moment.fit(learned, weights, is_time=is_time, is_robust=form.is_robust)
    if moment.n_features:
        return moment
    return "constant"


def _of_distinct(texts: Texts, weights: NDArray[np.float64] | None, form: Form) -> Encoding | str:
    """A category, unless its values are names of rows or sentences: of the rows as they stand, whatever they weigh."""
    n_there, n_distinct = int((texts.codes >= 0).sum()), len(texts.distinct)
    if n_there == 0:
        return "empty"
    n_words = sum(text.count(" ") + 1 for text in texts.distinct) / n_distinct
    if n_there >= KEY_ROWS and n_words >= TEXT_WORDS and n_distinct >= TEXT_SHARE * n_there:
        return "text"
    if n_there >= KEY_ROWS and n_distinct >= KEY_SHARE * n_there:
        return "identifier"
    return _category(texts, weights, form)


def _category(texts: Texts, weights: NDArray[np.float64] | None, form: Form) -> Encoding | str:
    category = Category.fit(texts, weights)
    if not category.values:
        return "rare" if category.n_rare else "empty"
    if category.n_features == 1:
        return "constant"
    return Code(category) if form.has_codes and category.n_features > MOST_OF_A_FEATURE_EACH else category


def _levels(learned: Column, weights: NDArray[np.float64] | None, form: Form) -> Levels | None:
    there = slice(None) if learned.missing is None else ~learned.missing
    values = learned.values[there]
    times = as_counts(None if weights is None else weights[there])
    n = len(values) if times is None else times.sum()
    if n < 3 * ROWS_A_LEVEL:
        return None
    distinct = np.unique(values[: FEW * ROWS_A_LEVEL])  # most columns have more, and are not sorted for it
    if len(distinct) > FEW:
        return None
    distinct, places = np.unique(values, return_inverse=True)
    counts = np.bincount(places, times)
    is_fine = 3 <= len(distinct) <= FEW and len(distinct) * ROWS_A_LEVEL <= n
    if not is_fine or counts.min() < LEAST_A_LEVEL or (distinct != np.floor(distinct)).any():
        return None
    number = Number.fit(learned, weights, is_robust=form.is_robust)
    return Levels(number, Category(tuple(sorted(texts_of(learned).distinct))))


def _codes(
    learned: Column, weights: NDArray[np.float64] | None, outcomes: Outcomes | None, form: Form
) -> Levels | None:
    """A number whose values say more one by one than by their order: the number of a household, say, or a price tag."""
    if outcomes is None:
        return None
    there = ~learned.is_missing
    values = learned.values[there].astype(np.float64)
    if len(values) > SOME_ROWS:  # most columns have more values, and are not sorted for it
        some = values[np.random.default_rng(0).integers(0, len(values), SOME_ROWS)]
        if len(np.unique(some)) > MOST_OF_SOME * SOME_ROWS:
            return None
    n_distinct = len(np.unique(values))
    if not LEAST_CODES < n_distinct <= min(len(values) // ROWS_A_CODE, MOST_CODES):
        return None
    times = as_counts(None if weights is None else weights[there])
    if not says_more_alone(values, outcomes.take(there), times):
        return None
    category = dataclasses.replace(Category.fit(texts_of(learned), weights), n_missing=0)
    if not category.values:
        return None
    return Levels(
        Number.fit(learned, weights, is_robust=form.is_robust), Code(category) if form.has_codes else category
    )


def _with_fewer_codes(encodings: Mapping[str, Encoding]) -> dict[str, Encoding]:
    """The numbers whose values nobody asked for are no reason to refuse a table."""
    kept, n_codes = dict(encodings), 0
    for name, one in encodings.items():
        if _is_found_code(one):
            n_codes += len(one.each.values)
            if n_codes > MOST_ALL_CODES:
                kept[name] = one.number
    return kept


def _is_found_code(encoding: Encoding) -> TypeGuard[Levels]:
    return isinstance(encoding, Levels) and len(encoding.each.values) > FEW


def row_numbers(table: Table, *, categorical: Sequence[str] = (), numeric: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns that count the rows of the table, which some of its rows alone do not show."""
    return tuple(
        column.name
        for column in table.columns
        if column.is_numeric and column.name not in (*categorical, *numeric) and _counts_the_rows(column, table)
    )


def _counts_the_rows(column: Column, table: Table) -> bool:
    """Whole numbers that run on from row to row, in any order. Of a source with types, only its integers."""
    values = column.values
    n = len(values)
    is_whole = values.dtype.kind in "iu" or (values.dtype.kind == "f" and table.origin.takes_options)
    if not is_whole or column.missing is not None or n < KEY_ROWS:
        return False
    low, high = float(values.min()), float(values.max())
    return high - low == n - 1 and np.array_equal(np.unique(values), np.arange(n) + low)


# --- damage ---


def _refuse_damage(column: Column, texts: Texts, table: Table) -> None:
    """Raise ColumnFault for a column of numbers in which a few values are none."""
    faults = {text: why for text in texts.distinct if (why := number_fault(text))}
    numbers = [text for text in texts.distinct if text not in faults]
    are_whole = all(text.lstrip("-").isdigit() for text in numbers)
    codes = [text for text, why in faults.items() if why in (CODE, TOO_LONG)] if are_whole else []
    words = [text for text in faults if text not in codes]
    if not words and (codes or len(numbers) <= FEW):
        return  # codes; or a few numbers that the source calls texts
    counts = dict(zip(texts.distinct, texts.counts().tolist(), strict=True))
    share = sum(counts[text] for text in words) / max(1, sum(counts.values()))
    has_commas = any("--decimal" in faults[text] for text in words)
    is_damaged = (
        (len(numbers) > FEW and (len(words) <= DAMAGE_WORDS or share < DAMAGE_SHARE))
        or (len(numbers) > 0 and share < RARE_SHARE)
        or (len(numbers) > 0 and all("finit" in faults[text] for text in words))
        or (has_commas and all("--decimal" in faults[text] for text in words))
    )
    if not is_damaged:
        return
    fault = number_fault_of(column)
    assert fault is not None
    if table.origin.has_options:
        name = shlex.quote(column.name)
        if not words or fault.after.endswith((CODE, TOO_LONG)):
            fault.cure = f"--numeric {name} reads it as numbers all the same; "
        elif not has_commas:
            word = str(column.values[fault.row or 0]).strip()[:60]
            fault.cure = f"--missing {shlex.quote(word)} if it stands for no value; "
        fault.cure += f"--categorical {name} takes its values as categories; "
    raise fault


def _check_size(encodings: Mapping[str, Encoding], table: Table) -> None:
    """What a model file can hold."""
    if len(encodings) > MAX_COLUMNS:
        raise InputError(
            f"a table with categories, dates or missing values may have {MAX_COLUMNS:,} columns; this one has"
            f" {len(encodings):,}. Leave some out, or fill in what is missing."
        )
    categories = {name: _category_of(one) for name, one in encodings.items()}
    sizes = {name: len(one.values) for name, one in categories.items() if isinstance(one, Category)}
    if sum(sizes.values()) > MAX_ALL_VALUES:
        name = max(sizes, key=lambda name: sizes[name])
        raise InputError(
            f"the categories of a table may have {MAX_ALL_VALUES:,} values together; they have"
            f" {sum(sizes.values()):,}, column {name!r} most of them: {sizes[name]:,}."
            f" {table.origin.how_to_leave_out([name])}"
        )


def _category_of(encoding: Encoding) -> Encoding:
    """What holds its values, where something does."""
    if isinstance(encoding, Levels):
        encoding = encoding.category
    return encoding.category if isinstance(encoding, Code) else encoding


# --- words ---


def notes_of(left_out: Mapping[str, str]) -> tuple[str, ...]:
    """What is said of columns that are left out; of identifiers a warning says more."""
    return tuple(
        f"left out: {shown(names)} ({REASONS[reason]})"
        for reason in REASONS
        if reason != "identifier" and (names := [name for name, why in left_out.items() if why == reason])
    )


def _of_codes(encodings: Mapping[str, Encoding], table: Table) -> tuple[str, ...]:
    """What is said of numbers whose values are learned one by one."""
    names = [name for name, one in encodings.items() if _is_found_code(one)]
    if not names:
        return ()
    said = f"{shown(names)}: single values say more there than their order, so each is learned by itself"
    if not table.origin.has_options:
        return (said,)
    name = shlex.quote(names[0])
    return (
        f"{said}; if later rows bring new ones, --group {name} judges by values held out, and --numeric {name} takes"
        " it as a number alone",
    )


def _of_asked(names: Sequence[str], table: Table) -> tuple[str, ...]:
    """A warning of categories that were asked for and have rare values alone."""
    if not names:
        return ()
    option = shlex.quote(",".join(names))
    how = f"--categorical {option} asks" if table.origin.has_options else "the categorical type asks"
    one = len(names) == 1
    return (
        f"left out: {shown(names)}, though {how} for {'it' if one else 'them'}: no value stands in three"
        " training rows, so there is nothing to learn from",
    )


def _warnings(
    table: Table,
    rows: NDArray[np.int64] | None,
    targets: NDArray[Any] | SparseLabels | None,
    names: Sequence[str],
    left_out: Mapping[str, str],
) -> tuple[str, ...]:
    said = []
    if keys := [name for name, why in left_out.items() if why == "identifier"]:
        said.append(of_identifiers(table, keys))
    if targets is not None:
        n_labels = 1 if targets.ndim == 1 else targets.shape[1]
        for name in names if n_labels * len(names) <= MAX_COMPARISONS else ():
            if any(_gives_away(table[name], rows, of_label_n) for of_label_n in _of_each_label(targets)):
                said.append(
                    f"column {name!r} gives the target away: each of its values goes with one class only, and the other"
                    " way round; a network that may look at it learns nothing else."
                    f" {table.origin.how_to_leave_out([name])}"
                )
    return tuple(said)


def of_identifiers(table: Table, names: Sequence[str]) -> str:
    """What is said of columns that are left out because they name the row."""
    one = len(names) == 1
    of_pictures = [name for name in names if table.origin.has_options and _names_pictures(table[name])]
    name = shlex.quote((of_pictures or names)[0])
    how = f"--categorical {name} keeps the values that three rows share"
    if of_pictures:
        how = f"--images {name} learns from the pictures that it names"
    elif table[names[0]].is_numeric:
        how = f"--numeric {name} keeps it" if table.origin.has_options else "a column of floats is kept"
    elif not table.origin.has_options:
        how = "a categorical type keeps the values that three rows share"
    return (
        f"left out: {shown(names)}, as {'it has' if one else 'they have'} a different value"
        f" in nearly every row and name{'s' * one} the row; {how}"
    )


def _names_pictures(column: Column) -> bool:
    """Whether each value is the name of a picture file."""
    return not column.is_numeric and all(is_picture(str(value)) for value in column.there)


def _of_each_label(targets: NDArray[Any] | SparseLabels) -> Iterator[NDArray[Any]]:
    if isinstance(targets, np.ndarray) and targets.ndim == 1:
        yield targets
    else:
        yield from (targets[:, label] for label in range(targets.shape[1]))


def _gives_away(column: Column, rows: NDArray[np.int64] | None, targets: NDArray[Any]) -> bool:
    """Whether the column is the target by other names, in all training rows. Most columns fail in the first few."""
    if (len(targets) if rows is None else len(rows)) < KEY_ROWS:
        return False
    forward: dict[Any, Any] = {}
    backward: dict[Any, Any] = {}
    is_missing = column.missing
    for row in range(len(targets)) if rows is None else rows:
        if is_missing is not None and is_missing[row]:
            return False
        value, target = column.values[row], targets[row]
        if forward.setdefault(value, target) != target or backward.setdefault(target, value) != value:
            return False
    return len(forward) > 1
