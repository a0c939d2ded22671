"""The C++ engine: a thin face of the core."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..data.features import EncodedRows, SparseFeatures
from ..data.label_sets import SparseLabels
from ..spec import HeadName, Network, Periodic, PiecewiseLinear, Plan
from .base import UNWEIGHTED, Engine, Parameters, Steps, Weights
from .initialisation import initial_parameters, initial_weights
from .rates import decay_factors, rate_factors

CALL_FLOPS = 5_000_000_000
"""Of one call into the core, for predictions."""


class NativeEngine(Engine):
    """Float32 parameters and activations, float64 in the head; spans run without the interpreter."""

    name = "native"

    def __init__(self, network: Network, head: HeadName, *, n_threads: int = 1, for_sparse_rows: bool = False) -> None:
        """`for_sparse_rows`: lay the weights out as predictions of such rows read them; the bits are the same."""
        assert network.n_features is not None
        self.network, self.head, self.n_threads = network, head, n_threads
        activations = [layer.activation for layer in network.dense]
        units = [layer.units for layer in network.dense]
        of_numbers, vectors = network.of_numbers, network.embedding
        numbers = (
            list(network.numbers),
            of_numbers.frequencies if isinstance(of_numbers, Periodic) else 0,
            of_numbers.bins if isinstance(of_numbers, PiecewiseLinear) else 0,
            of_numbers.mixtures if of_numbers else 0,
        )
        categories = list(network.categories), vectors.outputs if vectors else 0
        self._core = _core.Network(
            network.n_features, *numbers, *categories, network.has_scaling, units, activations, head, for_sparse_rows
        )

    def initialise(self, seed: int) -> None:
        if self.network.front:
            self.set_parameters(initial_parameters(self.network, seed))
            return
        # Some units at a time: the weights of a wide layer are not held twice.
        array_of_layer = np.cumsum([0, *map(len, self.network.arrays)]).tolist()
        for layer, first, w_hd in initial_weights(self.network, seed):
            biases, *slopes = range(array_of_layer[layer] + 1, array_of_layer[layer + 1])
            self._core.set(array_of_layer[layer], first, w_hd)
            self._core.set(biases, first, np.zeros(len(w_hd), np.float32))
            for array in slopes:
                self._core.set(array, first, np.ones(len(w_hd), np.float32))

    def parameters(self, into: Parameters | None = None) -> Parameters:
        if into is None:
            into = [tuple(np.empty(shape, np.float32) for shape in shapes.values()) for shapes in self.network.arrays]
        for number, array in enumerate(chain.from_iterable(into)):
            self._core.get(number, array)
        return into

    def set_parameters(self, parameters: Parameters) -> None:
        for number, array in enumerate(chain.from_iterable(parameters)):
            self._core.set(number, 0, np.ascontiguousarray(array, np.float32))

    def start(self, plan: Plan, seed: int) -> None:
        rates = list(chain.from_iterable(rate_factors(self.network, plan)))
        decays = list(chain.from_iterable(decay_factors(self.network, plan)))
        clip = plan.clip_norm or 0.0
        self._core.start(
            plan.optimizer, plan.momentum, plan.beta1, plan.beta2, plan.epsilon, plan.weight_decay, clip,
            plan.dropout, plan.batch_size, seed, plan.label_smoothing, rates, decays,
        )  # fmt: skip

    def train_span(
        self,
        features: EncodedRows,
        targets: NDArray[Any] | SparseLabels,
        order_k: NDArray[np.int64],
        steps: Steps,
        loss: float = 0.0,
        weights: Weights = UNWEIGHTED,
    ) -> float:
        _check_rows(order_k, len(features))
        kinds: list[Any] = [None, None, None]  # labels, values or sparse
        if isinstance(targets, SparseLabels):
            kinds[2] = (targets.starts, targets.columns)
        else:
            kinds[targets.ndim - 1] = targets
        order_k = np.ascontiguousarray(order_k)
        counts = weights.each, weights.positive
        rest = *kinds, order_k, steps.rates, loss, *counts, steps.decays, steps.dropouts, self.n_threads
        if isinstance(features, SparseFeatures):
            self._refuse_sparse_rows()
            return self._core.train_csr(features.indptr, features.indices, features.values, features.n_features, *rest)
        if features.values.dtype == np.uint8:
            return self._core.train_bytes(features.values, features.scale, features.shift, *rest)
        return self._core.train(features.values, *rest)

    def _refuse_sparse_rows(self) -> None:
        if self.network.front:
            raise ValueError("sparse rows are for networks of dense layers alone: make them dense first")

    def finish(self) -> None:
        self._core.finish()

    def logits(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        n = len(features) if rows is None else len(rows)
        if rows is not None:
            _check_rows(rows, len(features))
            rows = np.ascontiguousarray(rows)
        out = np.empty((n, self.network.n_outputs), np.float32)
        # Some 0.1 s at a time, so that Ctrl-C is heard in between.
        size = max(1, CALL_FLOPS // (2 * self.network.n_parameters))
        for start in range(0, n, size):
            stop = min(start + size, n)
            some, whole = (None, slice(start, stop)) if rows is None else (rows[start:stop], slice(None))
            rest = some, out[start:stop], self.n_threads
            if isinstance(features, SparseFeatures):
                self._refuse_sparse_rows()
                indptr = features.indptr[start : stop + 1] if rows is None else features.indptr
                self._core.logits_csr(indptr, features.indices, features.values, features.n_features, *rest)
            elif features.values.dtype == np.uint8:
                self._core.logits_bytes(features.values[whole], features.scale, features.shift, *rest)
            else:
                self._core.logits(features.values[whole], *rest)
        return out

    def logits_of_raw(
        self,
        rows_nd: NDArray[Any],
        mean: NDArray[np.float64] | None,
        inverse_spread: NDArray[np.float64] | None,
        scale: float,
        shift: float,
        temperatures: NDArray[np.float64],
        biases: NDArray[np.float64] | None,
    ) -> NDArray[np.float32] | None:
        """(n, c) of raw rows, encoded on the way as by a `FeatureEncoder` with these fields, and calibrated.

        One thread computes it, so it is for few rows. None where an encoded value is not finite.

        Args:
            rows_nd: (n, d), C order, float32, float64 or uint8; n >= 1.
            mean, inverse_spread: (d,) of an encoder of the kind "standard"; None: "picture", with scale and shift.
            temperatures, biases: of a `Calibration`.
        """
        out = np.empty((len(rows_nd), self.network.n_outputs), np.float32)
        is_finite = self._core.logits_of_raw(rows_nd, mean, inverse_spread, scale, shift, temperatures, biases, out)
        return out if is_finite else None


def _check_rows(rows: NDArray[np.int64], n: int) -> None:
    """The core trusts row numbers."""
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        raise IndexError(f"row numbers must lie in [0, {n})")
