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
        scale, shift: an uint8 value v enters the network as v · scale + shift, in float32; float32 values as they are.
    """

    values: NDArray[Any]
    scale: float = 1.0
    shift: float = 0.0

    def __len__(self) -> int:
        return len(self.values)
