"""The target as it is given: labels, not looked into yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

from numpy.typing import NDArray

from .origin import Origin


@dataclass(frozen=True)
class Target:
    """The target as a file holds it.

    Attributes:
        values: (n,) int64, float64, bool or an object array of str; or (n, L) of 0/1 or probabilities.
        names: the target columns, or () where the file has no named columns.
        label_names: one for each column of an (n, L) matrix, or None.
        texts: (n,) the labels as they stand in a text file, spaces around them dropped; else None. They are
            what is compared with a model whose classes are text.
        origin: says where a row stands.
        notes: what was noticed while it was read, one sentence each.
    """

    values: NDArray[Any]
    names: tuple[str, ...] = ()
    label_names: tuple[str, ...] | None = None
    texts: NDArray[Any] | None = None
    origin: Origin = field(default_factory=Origin)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[Any]) -> Self:
        """Some rows, in the order of `rows` (int64)."""
        texts = None if self.texts is None else self.texts[rows]
        return replace(self, values=self.values[rows], texts=texts, origin=self.origin.take(rows))
