"""A category of many values for a network that learns a vector of each: one feature, which of them it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...errors import InputError
from ..table import Column
from .base import Encoding, Slots
from .category import Category

MOST_OF_A_FEATURE_EACH = 8
"""A category that makes more features than this becomes a code. Source: Holzmüller et al., NeurIPS 2024."""


@dataclass(frozen=True)
class Code(Encoding):
    """The place, from 0, of the feature that a row would have of the category; -1 where it has none."""

    kind: ClassVar[str] = "code"
    reads_text: ClassVar[bool] = True
    category: Category

    @property
    def n_missing(self) -> int:  # type: ignore[override]
        return self.category.n_missing

    @property
    def n_codes(self) -> int:
        """The codes that a vector is learned of."""
        return self.category.n_features

    @property
    def n_features(self) -> int:
        return 1

    @property
    def n_slots(self) -> int:
        return 1

    @property
    def numbers(self) -> tuple[int, ...]:
        return ()

    def encode(self, column: Column) -> Slots:
        places, n_unseen = self.category.places(column)
        return Slots(np.zeros((len(places), 1), np.int32), places.astype(np.float32)[:, np.newaxis], n_unseen)

    def noticed(self, column: Column) -> tuple[int, int]:
        return self.category.noticed(column)

    @property
    def what(self) -> str:
        return self.category.what

    @property
    def how(self) -> str:
        rare, missing = self.category.n_rare, self.category.n_missing
        more = [f"{rare:,} rare values together"] * (rare > 0) + ["missing"] * (missing > 0)
        others = f" and for {' and '.join(more)}" if more else ""
        return f"1 feature: its code; a vector is learned for each value{others}"

    def to_json(self) -> dict[str, Any]:
        return {**self.category.to_json(), "kind": self.kind}

    @classmethod
    def from_json(cls, value: object) -> Code:
        """The inverse of `to_json`; raises InputError on anything else."""
        if not isinstance(value, dict):
            raise InputError("encoding code must be an object.")
        return cls(Category.from_json(value))
