"""The first parameters of a network, the same for every engine."""

from __future__ import annotations

import math

import numpy as np

from ..spec import Network
from .base import Parameters

INITIALISATION_STREAM = 1
"""Last word of the generator's counter; the row order is 2, dropout 3, splits 4."""

BLOCK = 1 << 16


def initial_parameters(network: Network, seed: int) -> Parameters:
    """Biases 0, weights uniform on ±bound, a function of (network, seed) alone.

    bound² is 6/d for relu, gelu and silu (He et al., ICCV 2015), 3/d for selu (LeCun; Klambauer et al., 2017) and
    6/(d + h) otherwise (Glorot & Bengio, AISTATS 2010). Each weight takes 53 bits of one word of NumPy's Philox,
    whose raw stream is fixed for all versions.
    """
    parameters: Parameters = []
    for number, (layer, (h, d)) in enumerate(zip(network.layers, network.shapes, strict=True)):
        fan = {"relu": d / 6, "gelu": d / 6, "silu": d / 6, "selu": d / 3}.get(layer.activation, (d + h) / 6)
        generator = np.random.Philox(key=seed, counter=[0, 0, number, INITIALISATION_STREAM])
        weights = np.empty(h * d, np.float32)
        for start in range(0, h * d, BLOCK):  # in blocks, for there are several float64 values to each weight
            part = weights[start : start + BLOCK]
            uniform = (generator.random_raw(len(part)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
            part[:] = (2.0 * uniform - 1.0) / math.sqrt(fan)
        parameters.append((weights.reshape(h, d), np.zeros(h, np.float32)))
    return parameters
