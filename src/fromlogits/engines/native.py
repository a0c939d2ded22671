"""The C++ engine: a thin face of the core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..data.features import Features
from ..spec import HeadName, Network, Plan
from .base import Engine, Parameters
from .initialisation import initial_parameters

CALL_FLOPS = 5_000_000_000
"""Of one call into the core, for predictions."""


class NativeEngine(Engine):
    """Float32 parameters and activations, float64 in the head; spans run without the interpreter."""

    name = "native"

    def __init__(self, network: Network, head: HeadName, *, n_threads: int = 1) -> None:
        assert network.n_features is not None
        self.network, self.head, self.n_threads = network, head, n_threads
        activations = [layer.activation for layer in network.layers]
        units = [layer.units for layer in network.layers]
        self._core = _core.Network(network.n_features, units, activations, head)

    def initialise(self, seed: int) -> None:
        self.set_parameters(initial_parameters(self.network, seed))

    def parameters(self) -> Parameters:
        flat = np.empty(self.network.n_parameters, np.float32)
        self._core.get(flat)
        out: Parameters = []
        at = 0
        for h, d in self.network.shapes:
            out.append((flat[at : at + h * d].reshape(h, d), flat[at + h * d : at + h * d + h]))
            at += h * d + h
        return out

    def set_parameters(self, parameters: Parameters) -> None:
        flat = np.concatenate([part.ravel() for layer in parameters for part in layer])
        self._core.set(np.ascontiguousarray(flat, dtype=np.float32))

    def start(self, plan: Plan, seed: int) -> None:
        clip = plan.clip_norm or 0.0
        self._core.start(
            plan.optimizer, plan.momentum, plan.beta1, plan.beta2, plan.epsilon, plan.weight_decay, clip,
            plan.dropout, plan.batch_size, seed,
        )  # fmt: skip

    def train_span(
        self,
        features: Features,
        targets: NDArray[Any],
        order_k: NDArray[np.int64],
        learning_rates_s: NDArray[np.float64],
        loss: float = 0.0,
    ) -> float:
        if order_k.min() < 0 or order_k.max() >= len(features):
            raise IndexError(f"row numbers must lie in [0, {len(features)})")  # the core trusts them
        labels, values = (targets, None) if self.head == "softmax" else (None, targets)
        rest = labels, values, np.ascontiguousarray(order_k), learning_rates_s, loss, self.n_threads
        if features.values.dtype == np.uint8:
            return self._core.train_bytes(features.values, features.scale, features.shift, *rest)
        return self._core.train(features.values, *rest)

    def logits(self, features: Features) -> NDArray[np.float32]:
        out = np.empty((len(features), self.network.n_outputs), np.float32)
        # Some 0.1 s at a time, so that Ctrl-C is heard in between.
        rows = max(1, CALL_FLOPS // (2 * self.network.n_parameters))
        for start in range(0, len(features), rows):
            part, part_out = features.values[start : start + rows], out[start : start + rows]
            if part.dtype == np.uint8:
                self._core.logits_bytes(part, features.scale, features.shift, None, part_out, self.n_threads)
            else:
                self._core.logits(part, None, part_out, self.n_threads)
        return out
