"""Columns of yes and no: words in one mapping to 1 and 0, which is shown, or typed, and which of them a model knows."""

from __future__ import annotations

import numpy as np

from .table import Column

WORDS = {"true": 1, "false": 0, "yes": 1, "no": 0}
LETTERS = ({"t": 1, "f": 0}, {"y": 1, "n": 0})
DIGITS = {"1": 1, "0": 0}
MAX_SPELLINGS = 100


def is_boolean_word(text: str) -> bool:
    """Whether it is one of the whole words; a letter may be anything."""
    return text.strip().lower() in WORDS


def as_learned(column: Column, words: tuple[str, ...] | None) -> tuple[Column, str] | None:
    """A column of yes and no as a model learned it, and the mapping in words; None where nothing has to be changed.

    Args:
        column: of a source with types.
        words: the values of the category that the model learned; None of a number, which yes and no are too.
    """
    if words is None:
        if column.values.dtype != object or column.kind not in ("", "category"):
            return None
        there = column.values if column.missing is None else column.values[~column.missing]
        return as_booleans(column) if all(isinstance(value, str) for value in there) else None
    if column.values.dtype.kind != "b" or len(words) != 2:
        return None
    known = as_booleans(Column(column.name, np.array(words, object)))
    if known is None or known[0].values.sum() != 1:
        return None
    yes = int(known[0].values.argmax())
    values = np.where(column.values, words[yes], words[1 - yes]).astype(object)
    return Column(column.name, values, column.missing), f"True = {words[yes]!r} and False = {words[1 - yes]!r}"


def as_booleans(column: Column) -> tuple[Column, str] | None:
    """The column as booleans and the mapping in words; None where some value is neither yes nor no.

    The words may be mixed, also with 1 and 0 and with t and f, or with y and n. Letters of both pairs are not mixed:
    T, N and F may be three things.
    """
    spellings: dict[str, str] = {}
    for row, text in enumerate(column.values):
        if text not in spellings and not (column.missing is not None and column.missing[row]):
            spellings[text] = text.strip().lower()
            if len(spellings) > MAX_SPELLINGS:
                return None
    found = {word for word in spellings.values() if word}
    for letters in LETTERS:
        mapping = {**WORDS, **letters, **DIGITS}
        if found <= mapping.keys() and not found <= DIGITS.keys():
            break
    else:
        return None
    is_blank = np.fromiter((not spellings.get(text, "") for text in column.values), bool, len(column.values))
    values = np.fromiter((mapping.get(spellings.get(text, ""), 0) for text in column.values), bool, len(column.values))
    said = " and ".join(
        f"{', '.join(repr(text.strip()) for text in dict.fromkeys(spellings) if mapping.get(spellings[text]) == value)}"
        f" = {value}"
        for value in (1, 0)
        if value in (mapping[word] for word in found)
    )
    return Column(column.name, values, is_blank if is_blank.any() else None), said
