"""Rows as people write them in JSON: {"rows": [{column: value}]}, or lists of numbers where columns have no names."""

from __future__ import annotations

import struct
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.numbers import EXACT_INTEGERS
from ..data.origin import Origin
from ..data.schema import shown
from ..data.table import Column, Table, objects
from ..errors import InputError, brief, nearest
from .models import Served

NUMBERS = frozenset((int, float, type(None)))


class JsonRows(Origin):
    """Rows of a request: "row 0", and null where a value is unknown."""

    is_for_model = True

    def how_to_miss(self, word: str) -> str:
        return "Write null where the value is unknown"


def features_of(rows: Any, model: Served) -> tuple[NDArray[np.float64] | Table, tuple[str, ...]]:
    """What the classifier takes, and what has to be said of the columns.

    A value is a number, a text, true, false or null; a column has values of one kind. No column may be left out of a
    row: what a row means does not depend on the rows beside it. Raises InputError.
    """
    if not isinstance(rows, list) or not rows:
        raise InputError(f'"rows" must be a list with an object for each row; it is {brief(rows)}.')
    names = model.columns
    kinds = {*map(type, rows)}
    if kinds == {dict}:
        if names is None:
            width = model.classifier.n_features_in_
            raise InputError(f"the model's columns have no names; a row must be a list of its {width} numbers.")
        notes = _check_names(rows, names, model)
        values = [[row[name] for name in names] for row in rows]
    elif kinds == {list}:
        if names is not None and not model.is_numeric:
            raise InputError(f"a row must be an object with the columns {shown(names)}; row 0 is {brief(rows[0])}.")
        values, notes = rows, ()
        _check_width(rows, model.classifier.n_features_in_)
    else:
        odd = next(
            place for place, row in enumerate(rows) if type(row) is not type(rows[0]) or type(row) not in (dict, list)
        )
        raise InputError(f"rows must all be objects, or all lists; row {odd} is {brief(rows[odd])}.")
    if model.is_numeric and (matrix := _matrix(values)) is not None:
        return matrix, notes
    names = names or tuple(str(place) for place in range(model.classifier.n_features_in_))
    columns = (_column(name, [row[place] for row in values]) for place, name in enumerate(names))
    return Table(tuple(columns), len(rows), JsonRows()), notes


def _check_names(rows: list[dict[str, Any]], names: tuple[str, ...], model: Served) -> tuple[str, ...]:
    """Every row has every column; others are told of, unless they had another role in the training."""
    known = frozenset(names)
    extra: dict[str, None] = {}
    for number, row in enumerate(rows):
        if row.keys() == known:
            continue
        if missing := [name for name in names if name not in row]:
            more = f" ({len(missing)} of {len(names)} columns are missing)" if len(missing) > 1 else ""
            hint = nearest(missing[0], [name for name in row if name not in known])
            raise InputError(
                f"row {number} has no column {missing[0]!r}; the model was trained with it. Write null where the value"
                f" is unknown.{hint}{more}"
            )
        extra.update(dict.fromkeys(name for name in row if name not in known))
    schema = model.classifier.encoder_.schema
    odd = [name for name in extra if name not in {*schema.target_names, *schema.others, *schema.left_out}]
    return (f"columns that the model does not know were ignored: {shown(odd)}.",) if odd else ()


def _check_width(rows: list[list[Any]], width: int) -> None:
    if {*map(len, rows)} != {width}:
        number, row = next((number, row) for number, row in enumerate(rows) if len(row) != width)
        raise InputError(
            f"a row must have {width} values, as many as the model has columns; row {number} has {len(row)}."
        )


def _matrix(values: list[list[Any]]) -> NDArray[np.float64] | None:
    """Finite numbers, NaN for null; None where there is anything else, for which the columns find the words."""
    flat = [*chain.from_iterable(values)]
    kinds = {*map(type, flat)}
    if not kinds <= NUMBERS:
        return None
    try:
        # Not np.array(values): it asks of every value what it is, and takes three times as long.
        numbers: Any = struct.pack(f"{len(flat)}d", *flat) if type(None) not in kinds else np.array(flat, np.float64)
    except OverflowError:
        return None
    matrix = np.frombuffer(numbers).reshape(len(values), -1)
    large = matrix[np.abs(matrix) > EXACT_INTEGERS]
    if not len(large):
        return matrix
    is_rounded = any(type(value) is int and abs(value) > EXACT_INTEGERS for row in values for value in row)
    return None if is_rounded or np.isinf(large).any() else matrix


def _column(name: str, values: list[Any]) -> Column:
    """As `data.frames` makes it of a frame's objects: an integer too long for float64 keeps its digits."""
    missing = np.fromiter((value is None for value in values), bool, len(values))
    kinds: dict[type, int] = {}
    for row, value in enumerate(values):
        kinds.setdefault(float if type(value) is int else type(value), row)
    kinds.pop(type(None), None)
    if odd := next((kind for kind in kinds if kind not in (float, str, bool)), None):
        what = "a list" if odd is list else "an object"
        raise InputError(f"column {name!r} must hold one number or text a row; row {kinds[odd]} has {what}.")
    if len(kinds) > 1:
        (one, row), (other, other_row) = list(kinds.items())[:2]
        words = {float: "a number", str: "a text", bool: "true or false"}
        raise InputError(
            f"column {name!r} must hold values of one kind; row {row} has {words[one]} and row {other_row} has"
            f" {words[other]}."
        )
    mask = missing if missing.any() else None
    is_exact = not any(type(value) is int and abs(value) > EXACT_INTEGERS for value in values)
    if str in kinds or not is_exact:
        return Column(name, objects(values, len(values)), mask)
    filled = [0 if value is None else value for value in values]
    return Column(name, np.array(filled, bool if bool in kinds else np.float64), mask)
