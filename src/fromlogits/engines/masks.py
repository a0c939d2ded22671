"""What takes part in a step: kept units, features that occur."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.features import EncodedRows, SparseFeatures
from ..spec import Network

DROPOUT_STREAM = 3


def kept(seed: int, step: int, layer: int, shape: tuple[int, ...], dropout: float) -> NDArray[np.float64]:
    """0 for a dropped unit, 1 / P(kept) for the others; sixteen random bits a unit, a row starts a new block.

    `layer` is the number of the dense layer, whatever stands before it.
    """
    threshold = round(dropout * 65536)
    n, h = shape
    blocks = -(-h // 16)
    words = np.random.Philox(key=seed, counter=[0, step, layer, DROPOUT_STREAM]).random_raw(n * blocks * 4)
    bits = words.astype("<u8").view("<u2").reshape(n, blocks * 16)[:, :h]
    return np.where(bits < threshold, 0.0, 65536 / (65536 - threshold))


def occurring(features: EncodedRows) -> NDArray[np.bool_]:
    """(d,): which features have a value in these rows; of dense rows all do."""
    occurring_d = np.full(features.n_features, not isinstance(features, SparseFeatures))
    if isinstance(features, SparseFeatures):
        occurring_d[features.indices] = True
    return occurring_d


def refuse_sparse(network: Network, features: EncodedRows) -> None:
    """Raise ValueError for sparse rows of a network that does not begin with a dense layer."""
    if network.front and isinstance(features, SparseFeatures):
        raise ValueError("sparse rows are for networks of dense layers alone")
