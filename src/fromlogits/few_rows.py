"""The short way of a few plain rows: one call into the core, with the bits of the long way.

One row through a small network takes the core some microseconds, and the steps before and after it, each a few calls
into NumPy, several times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data.encoders import FeatureEncoder
from .decisions.calibration import Calibration
from .engines.base import Engine
from .engines.native import NativeEngine

MOST_ROWS = 64
"""One thread's share of a prediction: up to here the core would not share the work."""
PLAIN = frozenset(map(np.dtype, (np.float32, np.float64, np.uint8)))


def logits(
    X: Any, encoder: FeatureEncoder, engine: Engine | None, calibration: Calibration
) -> NDArray[np.float32] | None:
    """(n, c), calibrated; None where the long way has to be gone.

    That is where anything about the rows, the encoder or the engine is not plain, above all where there is something
    to refuse: the long way finds the words.
    """
    if type(X) is not np.ndarray or encoder.kind not in ("standard", "picture") or not isinstance(engine, NativeEngine):
        return None
    if not engine.network.is_plain:
        return None
    if X.dtype not in PLAIN or not X.flags.c_contiguous or not X.flags.aligned:
        return None
    n_features, shape = encoder.schema.n_features, encoder.schema.picture_shape
    if X.ndim in (3, 4) and X.dtype == np.uint8 and X.size == len(X) * n_features and shape in (None, X.shape[1:]):
        X = X.reshape(len(X), n_features)
    if X.ndim != 2 or X.shape[1] != n_features or not 1 <= len(X) <= MOST_ROWS:
        return None
    return engine.logits_of_raw(
        X, encoder.mean, encoder.inverse_spread, encoder.scale, encoder.shift, calibration.temperatures,
        calibration.biases,
    )  # fmt: skip
