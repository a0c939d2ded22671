"""One suite for every engine: the reference is the truth, the others come within rounding of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits.data.features import EncodedRows, Features, SparseFeatures
from fromlogits.engines import native
from fromlogits.engines.base import Engine, Parameters
from fromlogits.engines.native import NativeEngine
from fromlogits.engines.reference import ReferenceEngine
from fromlogits.spec import HIDDEN_ACTIVATIONS, OPTIMIZERS, Dense, HeadName, Network, Plan

ENGINES = [NativeEngine, ReferenceEngine]
HEADS: list[HeadName] = ["softmax", "sigmoid"]
N, D, C = 100, 13, 5


def batch(head: HeadName, seed: int = 0) -> tuple[Features, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    x_nd = rng.normal(size=(N, D)).astype(np.float32)
    if head == "softmax":
        return Features(x_nd), rng.integers(0, C, N).astype(np.int32)
    return Features(x_nd), (rng.random((N, C)) < 0.4).astype(np.float32)


def network(activation: str = "relu") -> Network:
    return Network((Dense(33, activation), Dense(20, activation), Dense(C))).with_input(D)


def trained(
    kind: type[Engine], plan: Plan, head: HeadName, activation: str = "relu", n_threads: int = 1
) -> tuple[float, Engine]:
    engine = kind(network(activation), head, n_threads=n_threads)
    engine.initialise(3)
    engine.start(plan, 3)
    features, targets = batch(head)
    steps = -(-N // plan.batch_size)
    loss = 0.0
    for epoch in range(2):
        order = np.random.default_rng(epoch).permutation(N)
        loss += engine.train_span(features, targets, order, np.full(steps, plan.learning_rate))
    return loss, engine


def largest_difference(a: Parameters, b: Parameters) -> float:
    return max(float(np.abs(p - q).max()) for x, y in zip(a, b, strict=True) for p, q in zip(x, y, strict=True))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize("head", HEADS)
def test_training_follows_the_reference(head: HeadName, activation: str, optimizer: str) -> None:
    plan = Plan(optimizer=optimizer, learning_rate=0.01, dropout=0.3, weight_decay=0.01, clip_norm=0.5, batch_size=16)
    expected_loss, reference = trained(ReferenceEngine, plan, head, activation)

    loss, engine = trained(NativeEngine, plan, head, activation)

    # Adam divides by the root of tiny squares, which magnifies the float32 rounding of a gradient near 0: a parameter
    # moves by at most 0.01 a step, and ends within 1e-3 of one such step after fourteen.
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_difference(engine.parameters(), reference.parameters()) < 1e-5


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("head", HEADS)
def test_the_length_of_a_span_never_changes_the_bits(kind: type[Engine], head: HeadName) -> None:
    plan = Plan(dropout=0.2, batch_size=16)
    features, targets = batch(head)
    order = np.arange(N)
    ends, losses = [], []
    for spans in ([112], [16, 96], [48, 16, 48]):
        engine = kind(network(), head)
        engine.initialise(1)
        engine.start(plan, 1)
        at, loss = 0, 0.0
        for span in spans:
            rows = order[at : at + span]
            loss = engine.train_span(features, targets, rows, np.full(-(-len(rows) // 16), 1e-3), loss)
            at += span
        ends.append(engine.parameters())
        losses.append(loss)
    assert largest_difference(ends[0], ends[1]) == largest_difference(ends[0], ends[2]) == 0.0
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize("n_threads", [2, 3, 16])
@pytest.mark.parametrize("head", HEADS)
def test_any_number_of_threads_gives_the_same_bits(head: HeadName, n_threads: int) -> None:
    rng = np.random.default_rng(5)
    # Large enough that every phase of a step is shared out: gather, products, slopes, head, optimizer, norm.
    wide = Network((Dense(600, "relu"), Dense(200, "gelu"), Dense(C))).with_input(400)
    features, targets = Features(rng.normal(size=(600, 400)).astype(np.float32)), batch(head)[1].repeat(6, axis=0)
    ends = []
    for threads in (1, n_threads):
        engine = NativeEngine(wide, head, n_threads=threads)
        engine.initialise(2)
        engine.start(Plan(dropout=0.1, clip_norm=1.0, batch_size=512), 2)
        engine.train_span(features, targets, np.arange(600), np.full(2, 1e-2))
        ends.append((engine.parameters(), engine.logits(features)))
    assert largest_difference(ends[0][0], ends[1][0]) == 0.0
    assert np.array_equal(ends[0][1], ends[1][1])


@pytest.mark.parametrize("kind", ENGINES)
def test_bytes_enter_the_network_scaled_and_shifted(kind: type[Engine]) -> None:
    values = np.random.default_rng(0).integers(0, 256, (40, D)).astype(np.uint8)
    engine = kind(network(), "softmax")
    engine.initialise(0)
    scaled = Features(values.astype(np.float32) * np.float32(1 / 255) - np.float32(0.5))
    assert np.allclose(engine.logits(Features(values, 1 / 255, -0.5)), engine.logits(scaled), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ENGINES)
def test_one_seed_fixes_the_first_parameters_and_another_changes_them(kind: type[Engine]) -> None:
    engine = kind(network("tanh"), "softmax")
    engine.initialise(4)
    first = engine.parameters()
    engine.initialise(5)
    other = engine.parameters()
    engine.initialise(4)
    assert largest_difference(first, engine.parameters()) == 0.0
    assert all((a[0] != b[0]).mean() > 0.99 for a, b in zip(first, other, strict=True))
    for (weights, biases), (h, d) in zip(first, network().shapes, strict=True):
        bound = (6 / (h + d)) ** 0.5
        assert np.abs(weights).max() <= np.float32(bound) and np.abs(weights).max() > 0.9 * bound
        assert not biases.any()


def test_a_row_has_the_same_logits_alone_and_among_others() -> None:
    engine = NativeEngine(network("silu"), "softmax", n_threads=2)
    engine.initialise(0)
    features, _ = batch("softmax")
    together = engine.logits(features)
    alone = np.concatenate([engine.logits(Features(features.values[i : i + 1])) for i in range(N)])
    assert np.array_equal(together, alone)


def as_csr(x_nd: NDArray[np.float32]) -> SparseFeatures:
    rows, indices = np.nonzero(x_nd)
    indptr = np.searchsorted(rows, np.arange(len(x_nd) + 1)).astype(np.int64)
    return SparseFeatures(indptr, indices.astype(np.int32), x_nd[rows, indices], x_nd.shape[1])


def in_every_form() -> list[EncodedRows]:
    x_nd = batch("softmax")[0].values
    x_nd[x_nd < 0.8] = 0
    return [Features(x_nd), Features((50 * x_nd).astype(np.uint8), 0.02, -0.1), as_csr(x_nd)]


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("form", range(3), ids=["float32", "uint8", "csr"])
def test_some_rows_are_asked_for_by_number_and_have_the_bits_they_have_among_all(
    kind: type[Engine], form: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "BLOCK_BYTES", 1000)  # several blocks
    engine = kind(network(), "softmax", n_threads=2)
    engine.initialise(0)
    features = in_every_form()[form]
    rows = np.array([99, 0, 5, 5, *range(40, 90), 7])

    some = engine.logits(features, rows)

    tolerance = 0 if kind is NativeEngine else 1e-6  # NumPy's products of other sizes may round otherwise
    np.testing.assert_allclose(some, engine.logits(features)[rows], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(some, engine.logits(features.take(rows)), rtol=tolerance, atol=tolerance)
    assert engine.logits(features, rows[:0]).shape == (0, C)


@pytest.mark.parametrize("row", [-1, N])
def test_a_row_number_outside_is_no_read_of_other_memory(row: int) -> None:
    engine = NativeEngine(network(), "softmax")
    engine.initialise(0)
    for features in in_every_form():
        with pytest.raises(IndexError, match=rf"^row numbers must lie in \[0, {N}\)$"):
            engine.logits(features, np.array([3, row]))


@pytest.mark.parametrize("kind", ENGINES)
def test_setting_parameters_is_the_inverse_of_getting_them(kind: type[Engine]) -> None:
    _, engine = trained(kind, Plan(batch_size=32), "sigmoid")
    copy = kind(network(), "sigmoid")
    copy.set_parameters(engine.parameters())
    assert largest_difference(copy.parameters(), engine.parameters()) == 0.0
    features, _ = batch("sigmoid")
    assert np.allclose(copy.logits(features), engine.logits(features), rtol=1e-6, atol=1e-6)
