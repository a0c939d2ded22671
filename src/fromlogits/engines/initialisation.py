"""The first parameters of a network, the same for every engine."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..spec import Network
from .base import Parameters

INITIALISATION_STREAM = 1
"""Last word of the generator's counter; the row order is 2, dropout 3, splits 4."""

BLOCK = 1 << 16


def initial_parameters(network: Network, seed: int) -> Parameters:
    """Biases 0, and the weights of `initial_weights`."""
    parameters = [(np.empty((h, d), np.float32), np.zeros(h, np.float32)) for h, d in network.shapes]
    for layer, first, w_hd in initial_weights(network, seed):
        parameters[layer][0][first : first + len(w_hd)] = w_hd
    return parameters


def initial_weights(network: Network, seed: int) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Uniform on ±bound, a function of (network, seed) alone: some units at a time, for an engine to take as they come.

    bound² is 6/d for relu, gelu and silu (He et al., ICCV 2015), 3/d for selu (LeCun; Klambauer et al., 2017) and
    6/(d + h) otherwise (Glorot & Bengio, AISTATS 2010). Each weight takes 53 bits of one word of NumPy's Philox,
    whose raw stream is fixed for all versions.

    Yields:
        The layer, the first of the units, and their weights, C order.
    """
    for number, (layer, (h, d)) in enumerate(zip(network.layers, network.shapes, strict=True)):
        fan = {"relu": d / 6, "gelu": d / 6, "silu": d / 6, "selu": d / 3}.get(layer.activation, (d + h) / 6)
        generator = np.random.Philox(key=seed, counter=[0, 0, number, INITIALISATION_STREAM])
        units = max(1, BLOCK // d)
        for first in range(0, h, units):
            count = min(units, h - first)
            uniform = (generator.random_raw(count * d) >> np.uint64(11)).astype(np.float64) * 2.0**-53
            weights = ((2.0 * uniform - 1.0) / math.sqrt(fan)).astype(np.float32)
            yield number, first, weights.reshape(count, d)
