"""The specification: NumPy, float64, slow and obvious. Every engine is tested against it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.features import EncodedRows, SparseFeatures
from ..data.label_sets import SparseLabels
from ..spec import Dense, Embedding, HeadName, Network, Periodic, PiecewiseLinear, Plan, Residual
from .augmentation import augmented
from .base import UNWEIGHTED, Engine, Parameters, Steps, Weights
from .convolutions import ResidualPass
from .initialisation import initial_parameters
from .masks import kept, occurring, refuse_sparse
from .rates import decay_factors, rate_factors

Float64 = NDArray[np.float64]
Gradients = list[Float64]
Backward = Callable[[Float64], tuple[Float64, Gradients]]
"""From the gradient by what a layer gives to that by what it took, and those by its arrays."""


def entering(features: EncodedRows) -> Float64:
    """The rows as they enter the network, zeros included."""
    if isinstance(features, SparseFeatures):
        return features.dense().astype(float)
    return np.asarray(features.values * np.float64(features.scale) + features.shift)


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


def smoothed(targets: NDArray[Any], share: float, head: HeadName, n_outputs: int) -> NDArray[Any]:
    """The targets with this share of each spread over all classes, or towards a half for a label.

    An unknown label, NaN, stays unknown.
    """
    if share == 0:
        return targets
    if head == "sigmoid":
        return (1 - share) * targets.astype(float) + share / 2
    t_nc = np.eye(n_outputs)[targets] if targets.ndim == 1 else targets.astype(float)
    return (1 - share) * t_nc + share / n_outputs


def periodic(
    x_nk: Float64, frequencies_kf: Float64, phases_kf: Float64, mixtures_kmf: Float64, shifts_km: Float64
) -> tuple[Float64, Backward]:
    """(n, k · (1 + m)): of each number x itself and then W cos(2π (f x + p)) + s."""
    turns_nkf = x_nk[:, :, None] * frequencies_kf + phases_kf
    waves_nkf = np.cos(2 * np.pi * turns_nkf)
    mixed_nkm = np.einsum("kmf,nkf->nkm", mixtures_kmf, waves_nkf) + shifts_km
    out_nkm = np.concatenate([x_nk[:, :, None], mixed_nkm], axis=2)

    def backward(dout: Float64) -> tuple[Float64, Gradients]:
        dout_nkm = dout.reshape(out_nkm.shape)
        dmixed_nkm = dout_nkm[:, :, 1:]
        dwaves_nkf = np.einsum("nkm,kmf->nkf", dmixed_nkm, mixtures_kmf)
        dturns_nkf = -2 * np.pi * np.sin(2 * np.pi * turns_nkf) * dwaves_nkf
        dx_nk = dout_nkm[:, :, 0] + (dturns_nkf * frequencies_kf).sum(axis=2)
        return dx_nk, [
            (dturns_nkf * x_nk[:, :, None]).sum(axis=0),
            dturns_nkf.sum(axis=0),
            np.einsum("nkm,nkf->kmf", dmixed_nkm, waves_nkf),
            dmixed_nkm.sum(axis=0),
        ]

    return out_nkm.reshape(len(x_nk), -1), backward


def piecewise_linear(
    x_nk: Float64, edges_ke: Float64, mixtures_kmb: Float64, shifts_km: Float64
) -> tuple[Float64, Backward]:
    """(n, k · (1 + m)): of each number x itself and then W c(x) + s.

    Component b of c(x) is the share of bin b, from edge b to the next, that lies left of x; of a bin without width 0.
    """
    left_kb, right_kb = edges_ke[:, :-1], edges_ke[:, 1:]
    width_kb = np.where(right_kb > left_kb, right_kb - left_kb, np.inf)
    x_nk1 = x_nk[:, :, None]
    components_nkb = np.clip((x_nk1 - left_kb) / width_kb, 0.0, 1.0)
    mixed_nkm = np.einsum("kmb,nkb->nkm", mixtures_kmb, components_nkb) + shifts_km
    out_nkm = np.concatenate([x_nk1, mixed_nkm], axis=2)

    def backward(dout: Float64) -> tuple[Float64, Gradients]:
        dout_nkm = dout.reshape(out_nkm.shape)
        dmixed_nkm = dout_nkm[:, :, 1:]
        is_inside_nkb = (x_nk1 > left_kb) & (x_nk1 < right_kb)
        dcomponents_nkb = np.einsum("nkm,kmb->nkb", dmixed_nkm, mixtures_kmb)
        dx_nk = dout_nkm[:, :, 0] + (dcomponents_nkb * is_inside_nkb / width_kb).sum(axis=2)
        by_mixtures = np.einsum("nkm,nkb->kmb", dmixed_nkm, components_nkb)
        return dx_nk, [np.zeros_like(edges_ke), by_mixtures, dmixed_nkm.sum(axis=0)]

    return out_nkm.reshape(len(x_nk), -1), backward


def embedding(codes_nk: Float64, n_values_k: list[int], vectors_ve: Float64) -> tuple[Float64, Backward]:
    """(n, k · e): the vector of each category's value; zeros of the code -1."""
    codes_nk = codes_nk.astype(np.int64)
    rows_nk = codes_nk + np.cumsum([0, *n_values_k])[:-1]
    has_vector_nk = codes_nk >= 0
    out_nke = np.where(has_vector_nk[:, :, None], vectors_ve[np.where(has_vector_nk, rows_nk, 0)], 0.0)

    def backward(dout: Float64) -> tuple[Float64, Gradients]:
        dvectors_ve = np.zeros_like(vectors_ve)
        np.add.at(dvectors_ve, rows_nk[has_vector_nk], dout.reshape(out_nke.shape)[has_vector_nk])
        return np.zeros(codes_nk.shape), [dvectors_ve]

    return out_nke.reshape(len(codes_nk), -1), backward


def scaling(x_nd: Float64, factors_d: Float64) -> tuple[Float64, Backward]:
    """Each input times its factor."""
    return x_nd * factors_d, lambda dout_nd: (dout_nd * factors_d, [(dout_nd * x_nd).sum(axis=0)])


def dense(
    activation: str, x_nd: Float64, w_hd: Float64, b_h: Float64, a_h: Float64 | None = None
) -> tuple[Float64, Backward]:
    """activation(W x + b); of parametric_selu z + a (selu(z) - z), with a slope a of each unit."""
    z_nh = x_nd @ w_hd.T + b_h
    out_nh, slope_nh = activate("selu" if a_h is not None else activation, z_nh)
    bend_nh = out_nh - z_nh
    if a_h is not None:
        out_nh, slope_nh = z_nh + a_h * bend_nh, 1 + a_h * (slope_nh - 1)

    def backward(dout_nh: Float64) -> tuple[Float64, Gradients]:
        dz_nh = dout_nh * slope_nh
        by_a = [] if a_h is None else [(dout_nh * bend_nh).sum(axis=0)]
        return dz_nh @ w_hd, [dz_nh.T @ x_nd, dz_nh.sum(axis=0), *by_a]

    return out_nh, backward


class ReferenceEngine(Engine):
    """Everything in float64, one line per formula."""

    name = "reference"

    def __init__(self, network: Network, head: HeadName, *, n_threads: int = 1) -> None:
        self.n_threads = n_threads
        self.network, self.head = network, head
        self.running: dict[int, Float64] = {}

    def initialise(self, seed: int) -> None:
        self.set_parameters(initial_parameters(self.network, seed))

    def parameters(self, into: Parameters | None = None) -> Parameters:
        if into is None:
            return [tuple(part.astype(np.float32) for part in layer) for layer in self.layers]
        for copies, layer in zip(into, self.layers, strict=True):
            for copy, part in zip(copies, layer, strict=True):
                copy[:] = part
        return into

    def set_parameters(self, parameters: Parameters) -> None:
        self.layers = [[part.astype(float) for part in layer] for layer in parameters]

    def start(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed, self.step = plan, seed, 0
        self.first = [[np.zeros_like(part) for part in layer] for layer in self.layers]
        self.second = [[np.zeros_like(part) for part in layer] for layer in self.layers]

    def train_span(
        self,
        features: EncodedRows,
        targets: NDArray[Any] | SparseLabels,
        order_k: NDArray[np.int64],
        steps: Steps,
        loss: float = 0.0,
        weights: Weights = UNWEIGHTED,
    ) -> float:
        refuse_sparse(self.network, features)
        batches = np.split(order_k, range(self.plan.batch_size, len(order_k), self.plan.batch_size))
        decays_s = np.ones(len(steps)) if steps.decays is None else steps.decays
        dropouts_s = np.full(len(steps), self.plan.dropout) if steps.dropouts is None else steps.dropouts
        for rows, rate, decay, dropout in zip(batches, steps.rates, decays_s, dropouts_s, strict=True):
            batch = features.take(rows)
            each = None if weights.each is None else weights.each[rows]
            losses_n, gradient = self.gradient(
                self.changed(entering(batch)), targets[rows], Weights(each, weights.positive), float(dropout)
            )
            loss += float(losses_n.sum())
            self.update(gradient, rate, decay, occurring(batch))
            for number, array in self.running.items():  # of a norm, which stands in the first layer
                self.layers[0][number] = array
            self.step += 1
        return loss

    def changed(self, x_nd: Float64) -> Float64:
        """The pictures of a training step, augmented."""
        shape = self.network.picture_shape
        if shape is None or not self.plan.changes_pictures:
            return x_nd
        pictures = x_nd.reshape(len(x_nd), *shape[:2], -1)
        return augmented(pictures, self.plan, self.seed, self.step).reshape(len(x_nd), -1)

    def gradient(
        self, x_nd: Float64, targets: NDArray[Any], counts: Weights = UNWEIGHTED, dropout: float = 0.0
    ) -> tuple[Float64, list[Gradients]]:
        """Weighted loss of each row, and the gradient of their mean by each layer's arrays."""
        logits_nc, backward = self.forward(x_nd, dropout, trains=True)
        targets = smoothed(targets, self.plan.label_smoothing, self.head, logits_nc.shape[1])
        head = softmax_head if self.head == "softmax" else sigmoid_head
        losses_n, dlogits_nc = head(logits_nc, targets, counts.each, counts.positive)
        return losses_n, backward(dlogits_nc / len(x_nd))

    def forward(
        self, x_nd: Float64, dropout: float = 0.0, *, trains: bool = False
    ) -> tuple[Float64, Callable[[Float64], list[Gradients]]]:
        """The logits, and what takes their gradient to those by each layer's arrays."""
        out, columns_backward = self.columns(x_nd)
        backwards: list[Backward] = []
        number = 0  # of the dense layer
        for layer, arrays in zip(self.network.layers, self.layers, strict=True):
            if isinstance(layer, (Periodic, PiecewiseLinear, Embedding)):
                continue
            if isinstance(layer, Residual):
                shape = self.network.picture_shape
                assert shape is not None
                one = ResidualPass(layer, self.network.channels, arrays, trains=trains)
                out, backward = one.forward(out.reshape(len(out), *shape[:2], -1))
                backwards.append(backward)
                self.running = one.running
                continue
            if not isinstance(layer, Dense):
                out, backward = scaling(out, *arrays)
                backwards.append(backward)
                continue
            out, backward = dense(layer.activation, out, *arrays)
            backwards.append(backward)
            if dropout > 0 and number < len(self.network.dense) - 1:
                mask = kept(self.seed, self.step, number, out.shape, dropout)
                out = out * mask
                backwards.append(lambda dout, mask=mask: (dout * mask, []))  # type: ignore[misc]
            number += 1

        def all_of_them(dout: Float64) -> list[Gradients]:
            gradient: list[Gradients] = []
            for backward in reversed(backwards):
                dout, of_layer = backward(dout)
                if of_layer:
                    gradient.insert(0, of_layer)
            return [*columns_backward(dout), *gradient]

        return out, all_of_them

    def columns(self, x_nd: Float64) -> tuple[Float64, Callable[[Float64], list[Gradients]]]:
        """What enters the layers behind those that embed columns: embedded numbers, embedded categories, the others."""
        numbers = list(self.network.numbers)
        categories = [feature for feature, _ in self.network.categories]
        others = np.setdiff1d(np.arange(x_nd.shape[1]), [*numbers, *categories])
        pieces: list[Float64] = []
        backwards: list[Backward] = []
        for layer, arrays in zip(self.network.layers, self.layers, strict=True):
            if isinstance(layer, Periodic):
                piece, backward = periodic(x_nd[:, numbers], *arrays)
            elif isinstance(layer, PiecewiseLinear):
                piece, backward = piecewise_linear(x_nd[:, numbers], *arrays)
            elif isinstance(layer, Embedding):
                n_values_k = [values for _, values in self.network.categories]
                piece, backward = embedding(x_nd[:, categories], n_values_k, *arrays)
            else:
                continue
            pieces.append(piece)
            backwards.append(backward)
        starts = np.cumsum([piece.shape[1] for piece in pieces])

        def backward_of_all(dout: Float64) -> list[Gradients]:
            parts = np.split(dout, starts, axis=1)[:-1]
            return [backward(part)[1] for backward, part in zip(backwards, parts, strict=True)]

        return np.hstack([*pieces, x_nd[:, others]]), backward_of_all

    def update(self, gradient: list[Gradients], rate: float, decay: float, occurring_d: NDArray[np.bool_]) -> None:
        """One step; the penalty of adam and sgd is felt by the weights of the features that occur in it."""
        plan, t = self.plan, self.step + 1
        norm = np.sqrt(sum((g**2).sum() for layer in gradient for g in layer))
        clip = plan.clip_norm / norm if plan.clip_norm is not None and norm > plan.clip_norm else 1.0
        rates, decays = rate_factors(self.network, plan), decay_factors(self.network, plan)
        for number, layer in enumerate(self.layers):
            for part, w in enumerate(layer):
                m, v = self.first[number][part], self.second[number][part]
                own_rate, own_decay = rate * rates[number][part], plan.weight_decay * decay * decays[number][part]
                felt_d = occurring_d if number == part == 0 and not self.network.front else 1.0
                g = gradient[number][part] * clip + (0.0 if plan.optimizer == "adamw" else own_decay * w * felt_d)
                if plan.optimizer == "sgd":
                    m[:] = plan.momentum * m + g
                    w -= own_rate * m
                    continue
                if plan.optimizer == "nesterov":
                    m[:] = plan.momentum * m + own_rate * g
                    w -= plan.momentum * m + own_rate * g
                    continue
                m[:] = plan.beta1 * m + (1 - plan.beta1) * g
                v[:] = plan.beta2 * v + (1 - plan.beta2) * g**2
                if plan.optimizer == "adamw":
                    w *= 1 - rate * own_decay
                root = np.sqrt(v / (1 - plan.beta2**t)) + plan.epsilon
                w -= own_rate * (m / (1 - plan.beta1**t)) / root

    def finish(self) -> None:
        self.set_parameters(self.parameters())
        del self.first, self.second

    def logits(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        refuse_sparse(self.network, features)
        return self.forward(entering(features if rows is None else features.take(rows)))[0].astype(np.float32)


def _erfc(x: Float64) -> Float64:
    return np.asarray(np.vectorize(math.erfc, otypes=[float])(x))
