"""A category: one feature for each of its values, of which a row has one.

Its weights in the first layer are learned with it: they are the value's embedding, as wide as the layer. The engine
takes such rows sparse, so that a category of 50 000 values costs what one of 50 costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..columns import ColumnFault
from ..statistics import as_counts
from ..table import Column
from ..texts import Texts, texts_of
from .base import Encoding, Slots, checked_object, stacked

MANY = 50
"""From so many values on a category has a bucket for the rare ones: below, each value has rows enough to learn from."""
SELDOM = 3
"""A value of a category of many that fewer training rows have is rare: its weights would be noise. A whole weight of a
row is that many rows."""
MAX_VALUES = 50_000
"""Of one column; the others are rare."""
MAX_CHARACTERS = 4_000_000
"""Of all the values of one column."""


@dataclass(frozen=True)
class Category(Encoding):
    """Values and, behind them, up to two buckets.

    Attributes:
        values: the texts (see `texts.canonical`), sorted, each of which has a feature.
        n_rare: how many values of the training rows share one feature, which unseen ones have too; 0: there is no
            such feature, and an unseen value has none.
    """

    kind: ClassVar[str] = "category"
    reads_text: ClassVar[bool] = True
    values: tuple[str, ...]
    n_rare: int = 0
    n_missing: int = 0

    @classmethod
    def fit(cls, texts: Texts, weights: NDArray[np.float64] | None = None) -> Category:
        """From the training rows and what they count for (None: 1); raises ColumnFault where its texts are too long."""
        counts = texts.counts(as_counts(weights)).tolist()
        seen = [(text, count) for text, count in zip(texts.distinct, counts, strict=True) if count]
        kept = seen
        if len(seen) > MANY:
            kept = sorted(((text, count) for text, count in seen if count >= SELDOM), key=lambda one: (-one[1], one[0]))
            kept = kept[:MAX_VALUES]
        values = tuple(sorted(text for text, _ in kept))
        if (length := sum(map(len, values))) > MAX_CHARACTERS:
            raise ColumnFault(f" has values of {length:,} characters together; {MAX_CHARACTERS:,} can be learned")
        return cls(values, len(seen) - len(kept), int((texts.codes < 0).sum()))

    @property
    def n_features(self) -> int:
        return len(self.values) + (self.n_rare > 0) + (self.n_missing > 0)

    @property
    def n_slots(self) -> int:
        return 1

    @property
    def numbers(self) -> tuple[int, ...]:
        return ()

    def encode(self, column: Column) -> Slots:
        places, n_unseen = self.places(column)
        return replace(stacked((np.maximum(places, 0), places >= 0)), n_unseen=n_unseen)

    def places(self, column: Column) -> tuple[NDArray[np.int64], int]:
        """Of each row which of the features it has, or -1; and how many have a value without one."""
        rare = len(self.values) if self.n_rare else -1
        missing = len(self.values) + (self.n_rare > 0) if self.n_missing else -1
        codes, known = self._codes(column)
        places = np.append(np.where(known < 0, rare, known), missing)[codes]
        return places, 0 if self.n_rare else int(np.append(known < 0, False)[codes].sum())

    def noticed(self, column: Column) -> tuple[int, int]:
        """Rare values of the training rows are not held by name and count as unseen too."""
        codes, known = self._codes(column)
        return int((codes < 0).sum()), int(np.append(known < 0, False)[codes].sum())

    def _codes(self, column: Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which text a row has, or -1; and which value each text is, or -1."""
        texts = texts_of(column)
        return texts.codes, np.array([self._place_of.get(text, -1) for text in texts.distinct], np.int64)

    @cached_property
    def _place_of(self) -> Mapping[str, int]:
        return {text: place for place, text in enumerate(self.values)}

    @property
    def what(self) -> str:
        return f"category of {len(self.values) + self.n_rare:,} values"

    @property
    def how(self) -> str:
        n = self.n_features
        more = [f"one for {self.n_rare:,} rare values"] * (self.n_rare > 0) + ["one for missing"] * (self.n_missing > 0)
        return f"{n:,} feature{'s' * (n != 1)}{', ' if more else ''}{' and '.join(more)}"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "values": list(self.values), "rare": self.n_rare, "missing": self.n_missing}

    @classmethod
    def from_json(cls, value: object) -> Category:
        """The inverse of `to_json`; raises InputError on anything else."""
        fields = checked_object(value, {"values", "rare"}, cls.kind)
        values, rare = fields["values"], fields["rare"]
        if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
            raise InputError("encoding category: values must be a list of texts.")
        if len(values) > MAX_VALUES or sum(map(len, values)) > MAX_CHARACTERS:
            raise InputError(
                f"encoding category: at most {MAX_VALUES:,} values of {MAX_CHARACTERS:,} characters are read."
            )
        if values != sorted(set(values)):
            raise InputError("encoding category: values must differ and be sorted.")
        if type(rare) is not int or not 0 <= rare < 2**62:
            raise InputError("encoding category: rare must be a count.")
        one = cls(tuple(values), rare, fields["missing"])
        if one.n_features == 0:
            raise InputError("encoding category: it makes no feature.")
        return one
