"""Columns of yes and no: words in one mapping to 1 and 0, which is shown, or typed, and which of them a model knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from .table import Column

WORDS = {"true": 1, "false": 0, "yes": 1, "no": 0}
LETTERS = ({"t": 1, "f": 0}, {"y": 1, "n": 0})
DIGITS = {"1": 1, "0": 0}
MAX_SPELLINGS = 100


def is_boolean_word(text: str) -> bool:
    """Whether it is one of the whole words; a letter may be anything."""
    return text.strip().lower() in WORDS


@dataclass(frozen=True)
class Booleans:
    """What each spelling in a column stands for.

    Attributes:
        values: 1 or 0 by each text that stands in the column; a blank text is none.
        said: the same in words.
    """

    values: Mapping[str, int]
    said: str

    @classmethod
    def of(cls, texts: Iterable[object]) -> Booleans | None:
        """From the values that a column has; None where some value is neither yes nor no.

        The words may be mixed, also with 1 and 0 and with t and f, or with y and n. Letters of both pairs are not
        mixed: T, N and F may be three things.
        """
        spellings: dict[str, str] = {}
        for text in texts:
            if not isinstance(text, str):
                return None
            if text not in spellings:
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
        words = {
            value: ", ".join(repr(text.strip()) for text, word in spellings.items() if mapping.get(word) == value)
            for value in (1, 0)
        }
        said = " and ".join(f"{some} = {value}" for value, some in words.items() if some)
        return cls({text: mapping[word] for text, word in spellings.items() if word}, said)

    def column(self, column: Column) -> Column:
        """Some rows of the column as booleans."""
        n, is_missing = len(column.values), column.is_missing
        is_blank = is_missing | np.fromiter((text not in self.values for text in column.values), bool, n)
        values = np.fromiter((self.values.get(text, 0) for text in column.values), bool, n)
        return Column(column.name, values, is_blank if is_blank.any() else None)


def booleans_in(column: Column) -> Booleans | None:
    """What the texts of a column stand for that is all there."""
    return Booleans.of(column.there)


def as_learned(
    column: Column, words: tuple[str, ...] | None, booleans_of: Callable[[Column], Booleans | None] = booleans_in
) -> tuple[Column, str] | None:
    """A column of yes and no as a model learned it, and the mapping in words; None where nothing has to be changed.

    Args:
        column: of a source with types.
        words: the values of the category that the model learned; None of a number, which yes and no are too.
        booleans_of: what its texts stand for, all its rows considered.
    """
    if words is None:
        if column.values.dtype != object or column.kind not in ("", "category"):
            return None
        booleans = booleans_of(column)
        return None if booleans is None else (booleans.column(column), booleans.said)
    if column.values.dtype.kind != "b" or len(words) != 2:
        return None
    known = Booleans.of(words)
    if known is None or sum(known.values.values()) != 1:
        return None
    yes = words.index(next(word for word, value in known.values.items() if value))
    values = np.where(column.values, words[yes], words[1 - yes]).astype(object)
    return Column(column.name, values, column.missing), f"True = {words[yes]!r} and False = {words[1 - yes]!r}"


def booleans_among(texts: Mapping[str, Iterable[str]]) -> dict[str, Booleans]:
    """By name, those columns whose texts are all words for yes and no."""
    found = {name: Booleans.of(some) for name, some in texts.items()}
    return {name: booleans for name, booleans in found.items() if booleans is not None}
