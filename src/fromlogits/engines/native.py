"""The C++ engine: a thin face of the core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..data.features import EncodedRows, Features, SparseFeatures
from ..spec import HeadName, Network, Plan
from .base import Engine, Parameters
from .initialisation import initial_parameters

CALL_FLOPS = 5_000_000_000
"""Of one call into the core, for predictions."""
BLOCK_BYTES = 1 << 24
"""Of the rows that are gathered, or made dense, for one call."""


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
        self._batch_size = plan.batch_size
        self._core.start(
            plan.optimizer, plan.momentum, plan.beta1, plan.beta2, plan.epsilon, plan.weight_decay, clip,
            plan.dropout, plan.batch_size, seed,
        )  # fmt: skip

    def train_span(
        self,
        features: EncodedRows,
        targets: NDArray[Any],
        order_k: NDArray[np.int64],
        learning_rates_s: NDArray[np.float64],
        loss: float = 0.0,
    ) -> float:
        _check_rows(order_k, len(features))
        if isinstance(features, SparseFeatures):
            return self._train_sparse(features, targets, order_k, learning_rates_s, loss)
        labels, values = self._told(targets)
        rest = labels, values, np.ascontiguousarray(order_k), learning_rates_s, loss, self.n_threads
        if features.values.dtype == np.uint8:
            return self._core.train_bytes(features.values, features.scale, features.shift, *rest)
        return self._core.train(features.values, *rest)

    def _train_sparse(
        self,
        features: SparseFeatures,
        targets: NDArray[Any],
        order_k: NDArray[np.int64],
        learning_rates_s: NDArray[np.float64],
        loss: float,
    ) -> float:
        """A batch at a time is made dense."""
        for i in range(len(learning_rates_s)):
            rows = order_k[i * self._batch_size : (i + 1) * self._batch_size]
            labels, values = self._told(targets[rows])
            loss = self._core.train(
                features.take(rows).dense(), labels, values, np.arange(len(rows)), learning_rates_s[i : i + 1], loss,
                self.n_threads,
            )  # fmt: skip
        return loss

    def _told(self, targets: NDArray[Any]) -> tuple[NDArray[np.int32] | None, NDArray[np.float32] | None]:
        """Targets as the core takes them: class indices, or values between 0 and 1."""
        return (targets, None) if self.head == "softmax" else (None, targets)

    def logits(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        n = len(features) if rows is None else len(rows)
        if rows is not None:
            _check_rows(rows, len(features))
        out = np.empty((n, self.network.n_outputs), np.float32)
        # Some 0.1 s at a time, so that Ctrl-C is heard in between.
        size = max(1, min(CALL_FLOPS // (2 * self.network.n_parameters), BLOCK_BYTES // (4 * features.n_features)))
        for start in range(0, n, size):
            part = slice(start, start + size)
            self._logits(_block(features, part if rows is None else rows[part]), out[part])
        return out

    def _logits(self, features: Features, out: NDArray[np.float32]) -> None:
        if features.values.dtype == np.uint8:
            self._core.logits_bytes(features.values, features.scale, features.shift, out, self.n_threads)
        else:
            self._core.logits(features.values, out, self.n_threads)


def _check_rows(rows: NDArray[np.int64], n: int) -> None:
    """The core trusts row numbers."""
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        raise IndexError(f"row numbers must lie in [0, {n})")


def _block(features: EncodedRows, rows: NDArray[np.int64] | slice) -> Features:
    """Some rows, dense; a slice of dense rows is not copied."""
    if isinstance(features, SparseFeatures):
        rows = np.arange(len(features))[rows] if isinstance(rows, slice) else rows
        return Features(features.take(rows).dense())
    return Features(features.values[rows], features.scale, features.shift)
