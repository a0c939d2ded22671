"""A whole number of few values, which may be a count, a rating or a code: as a number and as a category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..table import Column
from .base import Encoding, Slots, checked_object
from .category import Category
from .number import Number


@dataclass(frozen=True)
class Levels(Encoding):
    """The features of a number, then one for each of its values."""

    kind: ClassVar[str] = "levels"
    number: Number
    category: Category

    @property
    def n_missing(self) -> int:  # type: ignore[override]
        return self.number.n_missing

    @property
    def n_features(self) -> int:
        return self.number.n_features + self.category.n_features

    @property
    def n_slots(self) -> int:
        return self.number.n_slots + 1

    @property
    def numbers(self) -> tuple[int, ...]:
        return self.number.numbers

    def encode(self, column: Column) -> Slots:
        number, category = self.number.encode(column), self.category.encode(column)
        return Slots(
            np.hstack([number.features, category.features + np.int32(self.number.n_features)]),
            np.hstack([number.values, category.values]),
            category.n_unseen,
        )

    def noticed(self, column: Column) -> tuple[int, int]:
        self.number.noticed(column)  # raises what `encode` would
        return self.category.noticed(column)

    @property
    def what(self) -> str:
        return f"whole number of {len(self.category.values)} values"

    @property
    def how(self) -> str:
        missing = ", one for missing" if self.n_missing else ""
        return f"{self.n_features} features: the number{self.number.scale.how} and one for each value{missing}"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "number": self.number.to_json(),
            "values": list(self.category.values),
            "missing": self.n_missing,
        }

    @classmethod
    def from_json(cls, value: object) -> Levels:
        """The inverse of `to_json`; raises InputError on anything else."""
        fields = checked_object(value, {"number", "values"}, cls.kind)
        category = {"kind": Category.kind, "values": fields["values"], "rare": 0, "missing": 0}
        return cls(Number.from_json(fields["number"]), Category.from_json(category))
