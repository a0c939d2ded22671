"""The specification: NumPy, float64, slow and obvious. Every engine is tested against it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.features import EncodedRows, SparseFeatures
from ..data.label_sets import SparseLabels
from ..spec import HeadName, Network, Plan
from .base import UNWEIGHTED, Engine, Parameters, Weights
from .initialisation import initial_parameters

Float64 = NDArray[np.float64]
DROPOUT_STREAM = 3


def entering(features: EncodedRows) -> Float64:
    """The rows as they enter the network, zeros included."""
    if isinstance(features, SparseFeatures):
        return features.dense().astype(float)
    return np.asarray(features.values * np.float64(features.scale) + features.shift)


def occurring(features: EncodedRows) -> NDArray[np.bool_]:
    """(d,): which features have a value in these rows; of dense rows all do."""
    occurring_d = np.full(features.n_features, not isinstance(features, SparseFeatures))
    if isinstance(features, SparseFeatures):
        occurring_d[features.indices] = True
    return occurring_d


def activate(name: str, z: Float64) -> tuple[Float64, Float64]:
    """The activation of z and its slope there."""
    positive, e = z > 0, np.exp(-np.abs(z))
    if name == "relu":
        return np.where(positive, z, 0.0 * z), positive.astype(float)
    if name == "sigmoid":
        return np.where(z >= 0, 1, e) / (1 + e), e / (1 + e) ** 2
    if name == "tanh":
        return np.tanh(z), 4 * e * e / (1 + e * e) ** 2
    if name == "gelu":
        cumulative = 0.5 * _erfc(-z / np.sqrt(2))
        return z * cumulative, cumulative + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    if name == "silu":
        at = np.where(z >= 0, 1, e) / (1 + e)
        return z * at, at * (1 + z * (1 - at))
    if name == "selu":
        scale, alpha = 1.0507009873554805, 1.6732632423543772
        negative = scale * alpha * np.expm1(np.minimum(z, 0))
        return np.where(positive, scale * z, negative), np.where(positive, scale, negative + scale * alpha)
    return z, np.ones_like(z)


def softmax_head(
    z_nc: Float64, labels_n: NDArray[Any], weights_n: Float64 | None = None, positive_c: Float64 | None = None
) -> tuple[Float64, Float64]:
    """Weighted loss of each row, and its gradient; the targets are class indices (n,) or probabilities (n, c).

    One class of many has no positive weights.
    """
    if labels_n.ndim == 2:
        return _softmax_head_of_shares(z_nc, labels_n.astype(float), weights_n)
    rows_n = np.arange(len(z_nc))
    top_n = np.where(z_nc[rows_n, labels_n] == z_nc.max(axis=1), labels_n, z_nc.argmax(axis=1))
    max_n = z_nc[rows_n, top_n]
    terms_nc = np.exp(z_nc - max_n[:, None])
    others_nc = terms_nc.copy()
    others_nc[rows_n, top_n] = 0
    rest_n = others_nc.sum(axis=1)
    dz_nc = terms_nc / (1 + rest_n)[:, None]
    dz_nc[rows_n, labels_n] = 0
    dz_nc[rows_n, labels_n] = -dz_nc.sum(axis=1)
    losses_n = (max_n - z_nc[rows_n, labels_n]) + np.log1p(rest_n)
    return (losses_n, dz_nc) if weights_n is None else (losses_n * weights_n, dz_nc * weights_n[:, None])


def _softmax_head_of_shares(z_nc: Float64, t_nc: Float64, weights_n: Float64 | None = None) -> tuple[Float64, Float64]:
    below_nc = z_nc - z_nc.max(axis=1, keepdims=True)
    log_sum_n = np.log(np.exp(below_nc).sum(axis=1))
    sums_n = t_nc.sum(axis=1)
    losses_n = log_sum_n * sums_n - (t_nc * below_nc).sum(axis=1)
    dz_nc = sums_n[:, None] * np.exp(below_nc - log_sum_n[:, None]) - t_nc
    return (losses_n, dz_nc) if weights_n is None else (losses_n * weights_n, dz_nc * weights_n[:, None])


def sigmoid_head(
    z_nc: Float64, t_nc: NDArray[Any], weights: Float64 | None = None, positive_c: Float64 | None = None
) -> tuple[Float64, Float64]:
    """Weighted loss of each row, summed over its known labels, and its gradient.

    Args:
        weights: (n,) or (n, c).
        positive_c: what t counts beside 1 - t.
    """
    yes_nc, no_nc = t_nc * (1.0 if positive_c is None else positive_c), 1 - t_nc
    e_nc = np.exp(-np.abs(z_nc))
    loss_nc = no_nc * np.maximum(z_nc, 0) + yes_nc * np.maximum(-z_nc, 0) + (yes_nc + no_nc) * np.log1p(e_nc)
    dz_nc = np.where(z_nc >= 0, no_nc - yes_nc * e_nc, no_nc * e_nc - yes_nc) / (1 + e_nc)
    counts_nc = (~np.isnan(t_nc)).astype(float)
    if weights is not None:
        counts_nc = counts_nc * (weights if weights.ndim == 2 else weights[:, None])
    counted_nc = counts_nc > 0
    loss_nc = np.where(counted_nc, loss_nc * counts_nc, 0.0)
    return loss_nc.sum(axis=1), np.where(counted_nc, dz_nc * counts_nc, 0.0)


class ReferenceEngine(Engine):
    """Everything in float64, one line per formula."""

    name = "reference"

    def __init__(self, network: Network, head: HeadName, *, n_threads: int = 1) -> None:
        self.n_threads = n_threads
        self.network, self.head = network, softmax_head if head == "softmax" else sigmoid_head

    def initialise(self, seed: int) -> None:
        self.set_parameters(initial_parameters(self.network, seed))

    def parameters(self, into: Parameters | None = None) -> Parameters:
        if into is None:
            return [(w.astype(np.float32), b.astype(np.float32)) for w, b in self.layers]
        for copies, layer in zip(into, self.layers, strict=True):
            for copy, part in zip(copies, layer, strict=True):
                copy[:] = part
        return into

    def set_parameters(self, parameters: Parameters) -> None:
        self.layers = [(w.astype(float), b.astype(float)) for w, b in parameters]

    def start(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed, self.step = plan, seed, 0
        self.first = [[np.zeros_like(part) for part in layer] for layer in self.layers]
        self.second = [[np.zeros_like(part) for part in layer] for layer in self.layers]

    def train_span(
        self,
        features: EncodedRows,
        targets: NDArray[Any] | SparseLabels,
        order_k: NDArray[np.int64],
        learning_rates_s: NDArray[np.float64],
        loss: float = 0.0,
        weights: Weights = UNWEIGHTED,
    ) -> float:
        batches = np.split(order_k, range(self.plan.batch_size, len(order_k), self.plan.batch_size))
        penalties_s = np.ones(len(batches)) if weights.penalties is None else weights.penalties
        for rows, learning_rate, penalty in zip(batches, learning_rates_s, penalties_s, strict=True):
            batch = features.take(rows)
            each = None if weights.each is None else weights.each[rows]
            losses_n, gradient = self.gradient(entering(batch), targets[rows], Weights(each, weights.positive))
            loss += float(losses_n.sum())
            self.update(gradient, learning_rate, penalty, occurring(batch))
            self.step += 1
        return loss

    def gradient(
        self, x_nd: Float64, targets: NDArray[Any], counts: Weights = UNWEIGHTED
    ) -> tuple[Float64, list[list[Float64]]]:
        """Weighted loss of each row, and the gradient of their mean by each layer's weights and biases."""
        inputs, slopes = [x_nd], []
        for number, (layer, (w, b)) in enumerate(zip(self.network.layers, self.layers, strict=True)):
            out, slope = activate(layer.activation, inputs[-1] @ w.T + b)
            kept = self.kept(number, out.shape) if number < len(self.layers) - 1 else np.float64(1)
            inputs.append(out * kept)
            slopes.append(slope * kept)
        losses_n, dout = self.head(inputs.pop(), targets, counts.each, counts.positive)
        dout = dout / len(x_nd)
        gradient = []
        for (w, _), x, slope in zip(self.layers[::-1], inputs[::-1], slopes[::-1], strict=True):
            dz = dout * slope
            gradient.append([dz.T @ x, dz.sum(axis=0)])
            dout = dz @ w
        return losses_n, gradient[::-1]

    def kept(self, layer: int, shape: tuple[int, ...]) -> Any:
        """0 for a dropped unit, 1 / P(kept) for the others; sixteen random bits a unit, a row starts a new block."""
        threshold = round(self.plan.dropout * 65536)
        n, h = shape
        blocks = -(-h // 16)
        words = np.random.Philox(key=self.seed, counter=[0, self.step, layer, DROPOUT_STREAM]).random_raw(
            n * blocks * 4
        )
        bits = words.astype("<u8").view("<u2").reshape(n, blocks * 16)[:, :h]
        return np.where(bits < threshold, 0.0, 65536 / (65536 - threshold))

    def update(
        self, gradient: list[list[Float64]], learning_rate: float, penalty: float, occurring_d: NDArray[np.bool_]
    ) -> None:
        """One step; the penalty of adam and sgd is felt by the weights of the features that occur in it."""
        plan, t = self.plan, self.step + 1
        norm = np.sqrt(sum((g**2).sum() for layer in gradient for g in layer))
        clip = plan.clip_norm / norm if plan.clip_norm is not None and norm > plan.clip_norm else 1.0
        for number, layer in enumerate(self.layers):
            for part, w in enumerate(layer):
                m, v = self.first[number][part], self.second[number][part]
                decay = plan.weight_decay * penalty if part == 0 else 0.0
                felt_d = occurring_d if number == part == 0 else 1.0
                g = gradient[number][part] * clip + (0.0 if plan.optimizer == "adamw" else decay * w * felt_d)
                if plan.optimizer == "sgd":
                    m[:] = plan.momentum * m + g
                    w -= learning_rate * m
                    continue
                if plan.optimizer == "nesterov":
                    m[:] = plan.momentum * m + learning_rate * g
                    w -= plan.momentum * m + learning_rate * g
                    continue
                m[:] = plan.beta1 * m + (1 - plan.beta1) * g
                v[:] = plan.beta2 * v + (1 - plan.beta2) * g**2
                if plan.optimizer == "adamw":
                    w *= 1 - learning_rate * decay
                root = np.sqrt(v / (1 - plan.beta2**t)) + plan.epsilon
                w -= learning_rate * (m / (1 - plan.beta1**t)) / root

    def finish(self) -> None:
        self.set_parameters(self.parameters())
        del self.first, self.second

    def logits(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        x = entering(features if rows is None else features.take(rows))
        for layer, (w, b) in zip(self.network.layers, self.layers, strict=True):
            x = activate(layer.activation, x @ w.T + b)[0]
        return x.astype(np.float32)


def _erfc(x: Float64) -> Float64:
    return np.asarray(np.vectorize(math.erfc, otypes=[float])(x))
