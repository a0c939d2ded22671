"""The networks as ONNX: from features to the calibrated logits. A layer is a function here, as it is in the engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..spec import NORM_EPSILON, Convolution, Dense, Embedding, Network, Periodic, PiecewiseLinear, Residual, Scaling

if TYPE_CHECKING:
    from ..model import Model
    from .graph import Graph

Arrays = tuple[NDArray[np.float32], ...]


def periodic(graph: Graph, network: Network, features: str, arrays: Arrays) -> str:
    """Of each number x itself and then W cos(2π (f x + p)) + s, the whole turns left out first."""
    frequencies_kf, phases_kf, mixtures_kmf, shifts_km = arrays
    x_nk1 = _numbers(graph, network, features)
    turns_nkf = graph("Add", graph("Mul", x_nk1, frequencies_kf), phases_kf)
    part_nkf = graph("Sub", turns_nkf, graph("Round", turns_nkf))
    waves_nkf = graph("Cos", graph("Mul", part_nkf, np.float32(2 * np.pi)))
    return _with_mixtures(graph, x_nk1, waves_nkf, mixtures_kmf, shifts_km)


def piecewise_linear(graph: Graph, network: Network, features: str, arrays: Arrays) -> str:
    """Of each number x itself and then W c(x) + s; a bin without width is 1 from its edge on."""
    edges_ke, mixtures_kmb, shifts_km = arrays
    left_kb, right_kb = edges_ke[:, :-1], edges_ke[:, 1:]
    width_kb = np.where(right_kb > left_kb, right_kb - left_kb, np.float32(1))
    x_nk1 = _numbers(graph, network, features)
    share_nkb = graph("Div", graph("Sub", x_nk1, left_kb), width_kb)
    inside_nkb = graph("Clip", share_nkb, np.float32(0), np.float32(1))
    components_nkb = graph("Where", graph("GreaterOrEqual", x_nk1, right_kb), np.float32(1), inside_nkb)
    return _with_mixtures(graph, x_nk1, components_nkb, mixtures_kmb, shifts_km)


def embedding(graph: Graph, network: Network, features: str, arrays: Arrays) -> str:
    """The vector of each category's value; zeros, which stand behind all vectors, of the code -1."""
    (vectors_ve,) = arrays
    v, e = vectors_ve.shape
    sizes = [values for _, values in network.categories]
    codes_nk = graph.cast(graph.take(features, [one for one, _ in network.categories], _width(network)), np.int64)
    rows_nk = graph("Add", codes_nk, np.cumsum([0, *sizes])[:-1])
    rows_nk = graph("Where", graph("Less", codes_nk, np.int64(0)), np.int64(v), rows_nk)
    out_nke = graph("Gather", np.vstack([vectors_ve, np.zeros((1, e), np.float32)]), rows_nk, axis=0)
    return graph("Reshape", out_nke, np.array([-1, len(sizes) * e]))


def residual(graph: Graph, network: Network, features: str, arrays: Arrays) -> str:
    """The mean of each channel behind the last stage; norms take their running means and variances."""
    layer, shape = network.residual, network.picture_shape
    assert layer is not None and shape is not None
    each = iter(zip(*[iter(arrays)] * 5, strict=True))

    def normed(one: Convolution, x: str) -> str:
        weights, *norm = next(each)
        pads = [0 if one.size == 1 else 1] * 4
        z = graph("Conv", x, weights, kernel_shape=[one.size] * 2, strides=[one.stride] * 2, pads=pads)
        return graph("BatchNormalization", z, *norm, epsilon=NORM_EPSILON)

    pictures = graph("Reshape", features, np.array([-1, *shape[:2], network.channels]))
    out = graph("Relu", normed(layer.stem(network.channels), graph("Transpose", pictures, perm=[0, 3, 1, 2])))
    for first, second, shortcut in layer.stages():
        inner = normed(second, graph("Relu", normed(first, out)))
        out = graph("Relu", graph("Add", inner, out if shortcut is None else normed(shortcut, out)))
    return graph("Reshape", graph("GlobalAveragePool", out), np.array([-1, layer.widths[-1]]))


def scaling(graph: Graph, layer: Scaling, x: str, arrays: Arrays) -> str:
    """Each input times its factor."""
    return graph("Mul", x, arrays[0])


def dense(graph: Graph, layer: Dense, x: str, arrays: Arrays) -> str:
    """activation(W x + b); of parametric_selu z + a (selu(z) - z)."""
    w_hd, b_h, *slopes = arrays
    z = graph("Gemm", x, w_hd, b_h, transB=1)
    if slopes:
        return graph("Add", z, graph("Mul", slopes[0], graph("Sub", graph("Selu", z), z)))
    return ACTIVATIONS[layer.activation](graph, z)


def gelu(graph: Graph, z: str) -> str:
    """z Φ(z)."""
    half = graph("Mul", z, np.float32(0.5))
    return graph("Mul", half, graph("Add", graph("Erf", graph("Mul", z, np.float32(0.5**0.5))), np.float32(1)))


ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "linear": lambda graph, z: z,
    "relu": lambda graph, z: graph("Relu", z),
    "tanh": lambda graph, z: graph("Tanh", z),
    "sigmoid": lambda graph, z: graph("Sigmoid", z),
    "silu": lambda graph, z: graph("Mul", z, graph("Sigmoid", z)),
    "selu": lambda graph, z: graph("Selu", z, alpha=1.6732632423543772, gamma=1.0507009873554805),
    "gelu": gelu,
}
OF_COLUMNS: dict[type, Any] = {
    Periodic: periodic,
    PiecewiseLinear: piecewise_linear,
    Embedding: embedding,
    Residual: residual,
}
"""Layers that take some of the features: what they make stands before the other features."""
OF_ALL: dict[type, Any] = {Scaling: scaling, Dense: dense}
"""Layers that take all that the one before them gives."""


def logits(graph: Graph, model: Model, features: str) -> str:
    """Of all members together, calibrated: float32 [n, c]."""
    a_round = model.members.a_round(model.target.n_classes)
    each = [_network(graph, model.network, member.parameters, features) for member in model.trained]
    combine = {"softmax": _mean_of_softmax, "sigmoid": _mean_of_sigmoid}[model.head]
    own = (each[label::a_round] for label in range(a_round))
    z = graph.concat([rounds[0] if len(rounds) == 1 else combine(graph, rounds) for rounds in own], 1)
    calibration = model.calibration
    if calibration.is_nothing:
        return z
    z = graph("Div", graph.cast(z, np.float64), calibration.temperatures)
    return graph.cast(z if calibration.biases is None else graph("Add", z, calibration.biases), np.float32)


def _network(graph: Graph, network: Network, parameters: list[Arrays], features: str) -> str:
    """The logits of one network, float32 [n, c]."""
    parts = [
        OF_COLUMNS[type(layer)](graph, network, features, arrays)
        for layer, arrays in zip(network.layers, parameters, strict=True)
        if type(layer) in OF_COLUMNS
    ]
    taken = {*network.numbers, *(feature for feature, _ in network.categories)}
    if network.residual is not None:
        taken = set(range(_width(network)))
    if others := [feature for feature in range(_width(network)) if feature not in taken]:
        parts.append(graph.take(features, others, _width(network)))
    x = graph.concat(parts, 1)
    for layer, arrays in zip(network.layers, parameters, strict=True):
        if type(layer) in OF_ALL:
            x = OF_ALL[type(layer)](graph, layer, x, arrays)
    return x


def _numbers(graph: Graph, network: Network, features: str) -> str:
    """The numbers that a layer embeds, [n, k, 1]."""
    return graph("Unsqueeze", graph.take(features, network.numbers, _width(network)), np.array([2]))


def _with_mixtures(graph: Graph, x_nk1: str, parts_nkp: str, mixtures_kmp: Any, shifts_km: Any) -> str:
    """(n, k · (1 + m)): of each number itself and then W parts + s."""
    k, m = shifts_km.shape
    parts_knp = graph("Transpose", parts_nkp, perm=[1, 0, 2])
    mixed_knm = graph("MatMul", parts_knp, np.ascontiguousarray(mixtures_kmp.transpose(0, 2, 1)))
    mixed_nkm = graph("Add", graph("Transpose", mixed_knm, perm=[1, 0, 2]), shifts_km)
    return graph("Reshape", graph.concat([x_nk1, mixed_nkm], 2), np.array([-1, k * (1 + m)]))


def _width(network: Network) -> int:
    assert network.n_features is not None
    return network.n_features


def _mean_of_softmax(graph: Graph, members: list[str]) -> str:
    """The logarithm of the members' mean probability, from their logits."""
    each = [graph("LogSoftmax", graph.cast(z, np.float64), axis=1) for z in members]
    return graph.cast(_log_mean_exp(graph, each), np.float32)


def _mean_of_sigmoid(graph: Graph, members: list[str]) -> str:
    """log p - log(1 - p) of the members' mean p, from their logits."""
    wide = [graph.cast(z, np.float64) for z in members]
    yes = _log_mean_exp(graph, [_log_sigmoid(graph, z) for z in wide])
    no = _log_mean_exp(graph, [_log_sigmoid(graph, graph("Neg", z)) for z in wide])
    return graph.cast(graph("Sub", yes, no), np.float32)


def _log_sigmoid(graph: Graph, z: str) -> str:
    """min(z, 0) - log(1 + exp(-|z|)), in float64."""
    e = graph("Exp", graph("Neg", graph("Abs", z)))
    return graph("Sub", graph("Min", z, np.float64(0)), graph("Log", graph("Add", e, np.float64(1))))


def _log_mean_exp(graph: Graph, members: list[str]) -> str:
    stacked = graph.concat([graph("Unsqueeze", one, np.array([0])) for one in members], 0)
    summed = graph("ReduceLogSumExp", stacked, np.array([0]), keepdims=0)
    return graph("Sub", summed, np.float64(np.log(len(members))))
