"""Encoded rows: what the data room hands to an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Features:
    """Encoded rows.

    Attributes:
        values: (n, d), C order, float32 or uint8.
        scale: an uint8 value v enters the network as float32(v) * float32(scale); 1.0 for float32 values.
    """

    values: NDArray[Any]
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.values)
