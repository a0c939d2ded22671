"""A number whose single values matter: as a number and as a category, with a feature for each value or their code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...errors import InputError
from ..table import Column
from .base import Encoding, Slots, checked_object
from .category import Category
from .code import Code
from .number import Number


@dataclass(frozen=True)
class Levels(Encoding):
    """The features of a number, then those of its values: one for each of them, or their code."""

    kind: ClassVar[str] = "levels"
    number: Number
    category: Category | Code

    @property
    def n_codes(self) -> int:
        """The codes that a vector is learned of."""
        return self.category.n_codes if isinstance(self.category, Code) else 0

    @property
    def each(self) -> Category:
        """The values."""
        return self.category.category if isinstance(self.category, Code) else self.category

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
        values, n_rare = self.each.values, self.each.n_rare
        is_whole = all(text.lstrip("-").isdigit() for text in values)
        return f"{'whole ' if is_whole else ''}number of {len(values) + n_rare:,} values"

    @property
    def how(self) -> str:
        missing = ", one for missing" if self.n_missing else ""
        rare = f", one for {self.each.n_rare:,} rare ones" if self.each.n_rare else ""
        number = f"{self.n_features} features: the number{self.number.scale.how}"
        if self.n_codes:
            return f"{number}, and its code; a vector is learned for each value{missing}"
        return f"{number} and one for each value{rare}{missing}"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "number": self.number.to_json(),
            "missing": self.n_missing,
            **({"category": self.category.to_json()} if self._is_told_whole else {"values": list(self.each.values)}),
        }

    @property
    def _is_told_whole(self) -> bool:
        return isinstance(self.category, Code) or self.category.n_rare > 0

    @classmethod
    def from_json(cls, value: object) -> Levels:
        """The inverse of `to_json`; raises InputError on anything else."""
        is_whole = isinstance(value, dict) and "category" in value
        fields = checked_object(value, {"number", "category" if is_whole else "values"}, cls.kind)
        number = Number.from_json(fields["number"])
        if not is_whole:
            plain = {"kind": Category.kind, "values": fields["values"], "rare": 0, "missing": 0}
            return cls(number, Category.from_json(plain))
        told = fields["category"]
        has_code = isinstance(told, dict) and told.get("kind") == Code.kind
        category = Code.from_json(told) if has_code else Category.from_json(told)
        if category.n_missing:
            raise InputError("encoding levels: of its category none may be missing; the number's feature says so.")
        return cls(number, category)
