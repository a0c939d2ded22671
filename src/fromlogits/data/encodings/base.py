"""What an encoding of one column is: the column's values in, a few features out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..table import Column


@dataclass(frozen=True)
class Slots:
    """The features of some rows that are not 0, in as many places a row as may be needed.

    Attributes:
        features: int32 (n, slots), which of the column's features; ascending in a row where values are not 0.
        values: float32 (n, slots); 0 where the slot is not needed.
        n_unseen: rows whose value the training never had, and which therefore have no feature.
    """

    features: NDArray[np.int32]
    values: NDArray[np.float32]
    n_unseen: int = 0


class Encoding(ABC):
    """How one column becomes features; frozen, and learned from the training rows.

    Attributes:
        kind: its name in a model file.
        n_features: how many features it makes.
        n_slots: how many of them a row has at most that are not 0.
        n_missing: training rows that had no value. Where there were some, a feature of its own says so.
        reads_text: a text file's values are wanted as they stand, not as what they look like.
    """

    kind: ClassVar[str]
    reads_text: ClassVar[bool] = False
    n_missing: int

    @property
    @abstractmethod
    def n_features(self) -> int: ...

    @property
    @abstractmethod
    def n_slots(self) -> int: ...

    @property
    @abstractmethod
    def numbers(self) -> tuple[int, ...]:
        """Those of its features that are numbers, and not the same in all training rows."""

    @abstractmethod
    def encode(self, column: Column) -> Slots:
        """The features of each row; a row's are the same whatever stands beside it.

        Raises ColumnFault for a value of another kind.
        """

    @abstractmethod
    def noticed(self, column: Column) -> tuple[int, int]:
        """How many rows have no value, and how many have one that the training knew nothing of."""

    @property
    @abstractmethod
    def what(self) -> str:
        """What the column is, in words."""

    @property
    @abstractmethod
    def how(self) -> str:
        """What its features are, in words."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]: ...


def stacked(*parts: tuple[Any, Any]) -> Slots:
    """Slots from their columns, (feature, value) each: numbers or arrays (n,)."""
    n = len(next(value for _, value in parts if isinstance(value, np.ndarray)))
    features, values = np.empty((n, len(parts)), np.int32), np.empty((n, len(parts)), np.float32)
    for slot, (feature, value) in enumerate(parts):
        features[:, slot] = feature
        values[:, slot] = value
    return Slots(features, values)


def checked_object(value: object, keys: set[str], kind: str) -> dict[str, Any]:
    """The JSON of an encoding, its keys right and its count of missing values too."""
    if not isinstance(value, dict) or set(value) != keys | {"kind", "missing"}:
        raise InputError(f"encoding {kind} must be an object with {', '.join(sorted(keys | {'kind', 'missing'}))}.")
    if type(value["missing"]) is not int or not 0 <= value["missing"] < 2**62:
        raise InputError(f"encoding {kind}: missing must be a count.")
    return value
