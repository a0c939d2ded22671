"""The first parameters of a network, the same for every engine.

All randomness is words of NumPy's Philox, whose raw stream is fixed for all versions, with the seed as key and the
counter (0, a, b, stream). The streams of the package: 1 first weights of dense layers, 2 order of rows, 3 dropout,
4 held-out rows, 5 seeds of an ensemble, 6 folds, 7 resampling, 8 rows kept for prediction sets, 9 first arrays of the
layers in front of the dense ones, 10 first biases from the data.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..data.features import EncodedRows, Features
from ..spec import Embedding, Network, Periodic, PiecewiseLinear, Residual
from .base import Engine, Parameters

INITIALISATION_STREAM, FRONT_STREAM, DATA_STREAM = 1, 9, 10
BLOCK = 1 << 16
DATA_ROWS = 4096
"""Of the training rows so many are computed for a start from the data: a variance is then known to some 2 %."""
DATA_VALUES = 1 << 24
"""Of a layer's outputs at a time, for the same; of a very wide layer fewer rows."""
NO_SPREAD = 2.0**-20
"""Beside a unit's largest output: a standard deviation below is one of float32 roundings."""
BIAS_ROWS = 5
EDGE_ROWS = 100_000
"""Of the training rows so many have a say in the edges of `PiecewiseLinear`."""
OFTEN = 3
"""Rows that share a value which is then worth an edge of its own."""


def initial_parameters(network: Network, seed: int) -> Parameters:
    """A function of (network, seed) alone.

    Dense layers: biases 0, slopes 1, and the weights of `initial_weights`. `Scaling`: factors 1. `Periodic` of f
    frequencies: frequencies normal with its spread, phases uniform on ±1/2 turn, mixtures and shifts uniform on ±1/√f.
    `Embedding`: vectors normal. Source of these: Holzmüller et al., NeurIPS 2024. `PiecewiseLinear`: edges evenly
    spaced on ±3, mixtures and shifts 0. `Residual`: weights normal with variance 2 / (i s²) (He et al., ICCV 2015),
    shifts and running means 0, scales and running variances 1, but scales 0 behind the second convolution of a block,
    so that at first each block is its shortcut (Goyal et al., 2017).
    """
    parameters: Parameters = []
    for layer, shapes in zip(network.layers, network.arrays, strict=True):
        if isinstance(layer, Periodic):
            wide = 1 / math.sqrt(layer.frequencies)
            f, p, w, s = (_words(seed, FRONT_STREAM, part) for part in range(4))
            parameters.append(
                (
                    _scaled(_normal(f, shapes["frequencies"]), layer.spread),
                    _scaled(_uniform(p, shapes["phases"]), 0.5),
                    _scaled(_uniform(w, shapes["mixtures"]), wide),
                    _scaled(_uniform(s, shapes["shifts"]), wide),
                )
            )
        elif isinstance(layer, PiecewiseLinear):
            edges = np.broadcast_to(np.linspace(-3, 3, layer.bins + 1, dtype=np.float32), shapes["edges"])
            others = (np.zeros(shapes[name], np.float32) for name in ("mixtures", "shifts"))
            parameters.append((edges.copy(), *others))
        elif isinstance(layer, Embedding):
            parameters.append((_normal(_words(seed, FRONT_STREAM, 4), shapes["vectors"]).astype(np.float32),))
        elif isinstance(layer, Residual):
            parameters.append(tuple(_of_residual(layer, seed, shapes)))
        else:
            constant = {"factors": 1.0, "slopes": 1.0}
            parameters.append(
                tuple(np.full(shape, constant.get(name, 0.0), np.float32) for name, shape in shapes.items())
            )
    first_dense = len(network.front)
    for number, first, w_hd in initial_weights(network, seed):
        parameters[first_dense + number][0][first : first + len(w_hd)] = w_hd
    return parameters


def _of_residual(layer: Residual, seed: int, shapes: dict[str, tuple[int, ...]]) -> Iterator[NDArray[np.float32]]:
    seconds = [False]  # whether a convolution is the second of its block
    for _, _, shortcut in layer.stages():
        seconds += [False, True, *([] if shortcut is None else [False])]
    for name, shape in shapes.items():
        kind, number = name.split(".")
        if kind == "weights":
            words = _words(seed, FRONT_STREAM, 5 + int(number))
            yield _scaled(_normal(words, shape), math.sqrt(2 / math.prod(shape[1:])))
        else:
            is_one = kind == "variances" or (kind == "scales" and not seconds[int(number)])
            yield np.full(shape, float(is_one), np.float32)


def initial_weights(network: Network, seed: int) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Of dense layers, uniform on ±bound: some units at a time, for an engine to take as they come.

    bound² is 6/d for relu, gelu and silu (He et al., ICCV 2015), 3/d for selu and parametric_selu (LeCun; Klambauer et
    al., 2017) and 6/(d + h) otherwise (Glorot & Bengio, AISTATS 2010). Each weight takes 53 bits of one word.

    Yields:
        The number of the layer among the dense ones, the first of the units, and their weights, C order.
    """
    for number, (layer, (h, d)) in enumerate(zip(network.dense, network.shapes, strict=True)):
        fans = {"relu": d / 6, "gelu": d / 6, "silu": d / 6, "selu": d / 3, "parametric_selu": d / 3}
        fan = fans.get(layer.activation, (d + h) / 6)
        words = _words(seed, INITIALISATION_STREAM, number)
        units = max(1, BLOCK // d)
        for first in range(0, h, units):
            count = min(units, h - first)
            yield number, first, (_uniform(words, (count, d)) / math.sqrt(fan)).astype(np.float32)


def parameters_with_edges(network: Network, seed: int, features: EncodedRows, rows: NDArray[np.int64]) -> Parameters:
    """The first parameters, and the edges of `PiecewiseLinear` among the values of these rows.

    Args:
        features: all rows.
        rows: numbers of the training rows; of more than `EDGE_ROWS` that many are taken, evenly spaced.
    """
    parameters = initial_parameters(network, seed)
    if isinstance(network.of_numbers, PiecewiseLinear):
        assert isinstance(features, Features)
        edges_ke = parameters[0][0]
        some = _evenly(rows, EDGE_ROWS)
        for k, feature in enumerate(network.numbers):
            edges_ke[k] = edges_among(features.column(feature, some), edges_ke.shape[1])
    return parameters


def edges_among(x_n: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """So many edges among the values of a column, ascending; of fewer values the last one is repeated.

    Half of them are quantiles of the rows, the smallest and the largest value among them. The others are quantiles of
    the distinct values that occur at least `OFTEN` times, so that a value of few rows, an amount that is exactly
    15 024, can have bins to both sides; and where there are not enough of those, of the rows too. What the rows weigh
    has no say.

    Args:
        x_n: finite, n >= 1.
        count: 2 at least.
    """
    values, counts = np.unique(x_n, return_counts=True)
    often = values[counts >= OFTEN]
    n_often = min(len(often), count - max(2, (count - 1) // 2))
    of_rows = np.unique(_spread(np.sort(x_n), count - n_often))
    of_values = _spread(np.setdiff1d(often, of_rows), count - len(of_rows))
    edges = np.union1d(of_rows, of_values)
    return np.pad(edges, (0, count - len(edges)), mode="edge")


def _spread(ascending: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """So many of them, evenly spaced from the first to the last; or all."""
    if len(ascending) <= count:
        return ascending
    return ascending[np.arange(count) * (len(ascending) - 1) // max(1, count - 1)]


def parameters_from_data(
    network: Network, seed: int, features: EncodedRows, rows: NDArray[np.int64], new_engine: Callable[[Network], Engine]
) -> Parameters:
    """`parameters_with_edges`, and then the dense layers rescaled one after the other by what they compute of rows.

    The weights of a unit are divided by the standard deviation of its W x over the rows, x being what the layers before
    it make of them; a unit without variance keeps its weights. Its bias is minus a random mean of W x: of five rows
    with Dirichlet(1, ..., 1) weights, so the unit bends somewhere among the rows. Source: Holzmüller et al.,
    NeurIPS 2024 ("he+5").

    Numerics: W x are the logits of the network cut off at that layer, which are the same bits for any number of
    threads; variances and means are float64 sums in the order of the rows.

    Args:
        features: all rows.
        rows: numbers of the training rows; of more than `DATA_ROWS` that many are taken, evenly spaced.
        new_engine: makes an engine of a network, a sigmoid head over its outputs.
    """
    parameters = parameters_with_edges(network, seed, features, rows)
    first = len(network.front)
    for number, layer in enumerate(network.dense):
        some = _evenly(rows, max(2, min(DATA_ROWS, DATA_VALUES // layer.units)))
        position = first + number
        cut = dataclasses.replace(
            network, layers=(*network.layers[:position], dataclasses.replace(layer, activation="linear"))
        )
        engine = new_engine(cut)
        engine.set_parameters([*parameters[:position], parameters[position][:2]])
        z_nh = engine.logits(features, some).astype(np.float64)
        weights_hd, biases_h = parameters[position][:2]
        spread_h = z_nh.std(axis=0)
        varies_h = spread_h > NO_SPREAD * np.abs(z_nh).max(axis=0)
        scale_h = 1 / np.where(varies_h, spread_h, 1.0)
        rows_h5, shares_h5 = _five_rows(seed, number, layer.units, len(some))
        mean_h = (z_nh[rows_h5, np.arange(layer.units)[:, None]] * shares_h5).sum(axis=1)
        weights_hd *= scale_h[:, None].astype(np.float32)
        biases_h[:] = -mean_h * scale_h
    return parameters


def _evenly(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]


def _five_rows(seed: int, number: int, units: int, n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(h, 5) row numbers below n and (h, 5) weights of sum 1, Dirichlet(1, 1, 1, 1, 1).

    Such weights are the gaps that four uniform numbers leave between 0 and 1: subtractions of multiples of 2^-53, which
    are exact.
    """
    words = _words(seed, DATA_STREAM, number).random_raw(units * (2 * BIAS_ROWS - 1)).reshape(units, -1)
    uniform = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    cuts = np.sort(uniform[:, BIAS_ROWS:], axis=1)
    shares = np.diff(cuts, axis=1, prepend=0.0, append=1.0)
    return (uniform[:, :BIAS_ROWS] * n).astype(np.int64), shares


def _words(seed: int, stream: int, number: int) -> np.random.Philox:
    return np.random.Philox(key=seed, counter=[0, 0, number, stream])


def _uniform(words: np.random.Philox, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """On [-1, 1), 53 bits each."""
    drawn = (words.random_raw(math.prod(shape)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (2.0 * drawn - 1.0).reshape(shape)


def _normal(words: np.random.Philox, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Mean 0, variance 1 - 2^-32: each the sum of twelve uniform numbers of 16 bits, three words, without their mean.

    Sums of whole numbers are exact and so the bits are the same on any machine, which no logarithm or cosine promises;
    nothing lies outside ±6, and float32 holds what is left exactly.
    """
    count = math.prod(shape)
    normal = np.empty(count, np.float32)
    for start in range(0, count, BLOCK):
        drawn = words.random_raw(3 * min(BLOCK, count - start)).astype("<u8").view("<u2")
        normal[start : start + BLOCK] = (drawn.reshape(-1, 12).sum(axis=1, dtype=np.int64) - 6 * 65535) / 65536
    return normal.reshape(shape)


def _scaled(drawn: NDArray[np.floating], by: float) -> NDArray[np.float32]:
    return (drawn.astype(np.float64) * by).astype(np.float32)
