"""Rows that the network can't tell apart: they have the same encoded features. Found by hashes of 64 bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .features import EncodedRows, Features, SparseFeatures

BLOCK_ROWS = 4096
BLOCK_VALUES = 1 << 20


class SeenRows:
    """Rows that are trained on.

    Args:
        features: encoded.
        rows: which of them (int64).
        is_sparse: rows are held against others by the values that are not zero, as the "scaled" encoder may give the
            same row in either form.
    """

    def __init__(self, features: EncodedRows, rows: NDArray[np.int64], *, is_sparse: bool) -> None:
        self._is_sparse = is_sparse
        self._hashes, self._number = np.unique(self._hashes_of(features, rows), return_inverse=True)

    def count(self, parts: Iterable[EncodedRows], rows: NDArray[np.int64] | None = None) -> int:
        """How many rows of the parts, or of `rows` of a single part, are the same as one of these.

        Two million rows on each side that all differ are taken for the same with a probability of 2⁻²².
        """
        return sum(int(np.isin(self._hashes_of(part, rows), self._hashes).sum()) for part in parts)

    def count_across(self, fold_of: NDArray[np.int64]) -> int:
        """How many of these rows are the same as one in another fold; `fold_of` is the number of each row's fold."""
        first, last = np.full(len(self._hashes), np.iinfo(np.int64).max), np.full(len(self._hashes), -1)
        np.minimum.at(first, self._number, fold_of)
        np.maximum.at(last, self._number, fold_of)
        return int((first < last)[self._number].sum())

    def _hashes_of(self, features: EncodedRows, rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
        found = [
            _sparse_hashes(part if isinstance(part, SparseFeatures) else _sparse(part))
            if self._is_sparse or isinstance(part, SparseFeatures)
            else _dense_hashes(part)
            for part in _blocks(features, rows)
        ]
        return np.concatenate(found) if found else np.zeros(0, np.int64)


def _blocks(features: EncodedRows, rows: NDArray[np.int64] | None) -> Iterator[EncodedRows]:
    rows = np.arange(len(features)) if rows is None else rows
    step = (
        max(1, min(BLOCK_ROWS, BLOCK_VALUES // features.n_features)) if isinstance(features, Features) else BLOCK_ROWS
    )
    for start in range(0, len(rows), step):
        yield features.take(rows[start : start + step])


def _dense_hashes(features: Features) -> NDArray[np.int64]:
    values_nd = np.ascontiguousarray(features.values)
    if values_nd.dtype.kind == "f":
        values_nd = values_nd + np.float32(0)  # -0 is 0
    whole_rows = values_nd.view(np.dtype((np.void, values_nd.shape[1] * values_nd.itemsize)))[:, 0]
    return np.fromiter(map(hash, whole_rows.tolist()), np.int64, len(whole_rows))


def _sparse_hashes(features: SparseFeatures) -> NDArray[np.int64]:
    indices, values = features.indices.tobytes(), features.values.tobytes()
    ends = (4 * features.indptr).tolist()  # both are of four bytes
    return np.fromiter((hash((indices[a:b], values[a:b])) for a, b in pairwise(ends)), np.int64, len(features))


def _sparse(features: Features) -> SparseFeatures:
    rows, columns = np.nonzero(features.values)
    indptr = np.searchsorted(rows, np.arange(len(features) + 1))
    return SparseFeatures(
        indptr, columns.astype(np.int32), features.values[rows, columns].astype(np.float32), features.n_features
    )
