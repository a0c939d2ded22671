"""Encoded rows: what the data room hands to an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import csr


@dataclass(frozen=True)
class Features:
    """Encoded rows, every value of them.

    Attributes:
        values: (n, d), C order, float32 or uint8.
        scale, shift: an uint8 value v enters the network as v · scale + shift, in float32; float32 values as they are.
    """

    values: NDArray[Any]
    scale: float = 1.0
    shift: float = 0.0

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_features(self) -> int:
        return int(self.values.shape[1])

    def take(self, rows: NDArray[np.int64]) -> Features:
        """Some rows, in the order of `rows`."""
        return Features(self.values[rows], self.scale, self.shift)

    def column(self, feature: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,): what of a feature enters the network in some rows."""
        values_n = np.asarray(self.values[rows, feature], np.float32)
        if self.values.dtype != np.float32:
            values_n *= np.float32(self.scale)
            values_n += np.float32(self.shift)
        return values_n


@dataclass(frozen=True)
class SparseFeatures:
    """Encoded rows of which only the values that are not zero are held (CSR).

    Attributes:
        indptr: int64 (n + 1,): row i holds indices[indptr[i] : indptr[i + 1]] and as many values. It starts with 0.
        indices: int32, the feature of each value, in [0, n_features), ascending within a row and each at most once.
        values: float32, finite and not zero.
        n_features: d.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    n_features: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def take(self, rows: NDArray[np.int64]) -> SparseFeatures:
        """Some rows, in the order of `rows`."""
        indptr, places = csr.taken(self.indptr, rows)
        return SparseFeatures(indptr, self.indices[places], self.values[places], self.n_features)

    def dense(self) -> NDArray[np.float32]:
        """(n, d), zeros included."""
        dense_nd = np.zeros((len(self), self.n_features), np.float32)
        dense_nd[csr.rows_of_values(self.indptr), self.indices] = self.values
        return dense_nd


EncodedRows = Features | SparseFeatures
