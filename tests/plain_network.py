"""From features to the outputs of a network, written from docs/file-format.md alone, with NumPy."""

import math
from typing import Any

import numpy as np

Array = Any  # of NumPy, float64


def sigmoid(z: Array) -> Array:
    return np.where(z >= 0, 1, np.exp(-np.abs(z))) / (1 + np.exp(-np.abs(z)))


def activate(name: str, z: Array) -> Array:
    if name == "relu":
        return np.maximum(z, 0)
    if name == "tanh":
        return np.tanh(z)
    if name == "gelu":
        return z * 0.5 * np.vectorize(math.erfc)(-z / math.sqrt(2))
    if name == "silu":
        return z * sigmoid(z)
    if name == "sigmoid":
        return sigmoid(z)
    if name == "selu":
        return 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
    return z


def outputs(network: dict[str, Any], tensors: dict[str, Any], x: Array) -> Array:
    """Of the last layer, for features (n, d): (n, c), or of several networks (networks, n, c)."""
    x = columns(network, tensors, x)
    for k, layer in enumerate(network["layers"]):
        own = {name.split(".")[2]: t.astype(float) for name, t in tensors.items() if name.startswith(f"layer.{k}.")}
        if layer["kind"] == "scaling":
            x = x * own["factors"][..., np.newaxis, :]
        if layer["kind"] == "dense":
            z = x @ own["weights"].swapaxes(-1, -2) + own["biases"][..., np.newaxis, :]
            x = activate(layer["activation"], z)
            if layer["activation"] == "parametric_selu":
                x = z + own["slopes"][..., np.newaxis, :] * (activate("selu", z) - z)
    return x


def columns(network: dict[str, Any], tensors: dict[str, Any], x: Array) -> Array:
    """What is made of the features (n, d) in front of the dense layers; of several networks (networks, n, d)."""
    at = {layer["kind"]: k for k, layer in enumerate(network["layers"])}
    own = {name.split(".")[-1]: t.astype(float) for name, t in tensors.items() if name.startswith("layer.")}
    stated = network.get("columns", {"numbers": [], "categories": []})
    numbers = stated["numbers"] if "periodic" in at or "piecewise" in at else []
    categories = stated["categories"] if "embedding" in at else []
    several = next(iter(own.values())).shape[: tensors[f"layer.{at['dense']}.weights"].ndim - 2]
    parts = []
    for k, feature in enumerate(numbers):
        u = x[:, feature, np.newaxis]
        w, s = own["mixtures"][..., k, :, :], own["shifts"][..., np.newaxis, k, :]
        if "periodic" in at:
            f, p = (own[name][..., np.newaxis, k, :] for name in ("frequencies", "phases"))
            made = np.cos(2 * np.pi * (u * f + p))
        else:
            left, right = own["edges"][..., np.newaxis, k, :-1], own["edges"][..., np.newaxis, k, 1:]
            made = np.clip((u - left) / np.where(left < right, right - left, np.inf), 0, 1)
        parts += [u, made @ w.swapaxes(-1, -2) + s]
    first = 0
    for feature, values in categories:
        codes = x[:, feature].astype(int)
        vectors = own["vectors"][..., first + np.maximum(codes, 0), :]
        parts.append(vectors * (codes >= 0)[:, np.newaxis])
        first += values
    embedded = {*numbers, *(feature for feature, _ in categories)}
    parts.append(x[:, [j for j in range(x.shape[1]) if j not in embedded]])
    return np.concatenate([np.broadcast_to(part, (*several, *part.shape[-2:])) for part in parts], axis=-1)
