"""One suite for every engine: the reference is the truth, the others come within rounding of it.

What only the native engine promises is tested on it alone: the same bits for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits.data.features import EncodedRows, Features, SparseFeatures
from fromlogits.data.label_sets import SparseLabels
from fromlogits.data.targets import TargetEncoder
from fromlogits.engines import native
from fromlogits.engines.base import UNWEIGHTED, Engine, Parameters, Steps, Weights
from fromlogits.engines.initialisation import initial_parameters
from fromlogits.engines.native import NativeEngine
from fromlogits.engines.reference import ReferenceEngine
from fromlogits.spec import HIDDEN_ACTIVATIONS, OPTIMIZERS, Dense, HeadName, Network, Plan
from tests.every_engine import ENGINES, FAST

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
        loss += engine.train_span(features, targets, order, Steps(np.full(steps, plan.learning_rate)))
    return loss, engine


def as_csr(x_nd: NDArray[np.float32]) -> SparseFeatures:
    rows, indices = np.nonzero(x_nd)
    indptr = np.searchsorted(rows, np.arange(len(x_nd) + 1)).astype(np.int64)
    return SparseFeatures(indptr, indices.astype(np.int32), x_nd[rows, indices], x_nd.shape[1])


def largest_difference(a: Parameters, b: Parameters) -> float:
    return max(float(np.abs(p - q).max()) for x, y in zip(a, b, strict=True) for p, q in zip(x, y, strict=True))


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize("head", HEADS)
def test_training_follows_the_reference(kind: type[Engine], head: HeadName, activation: str, optimizer: str) -> None:
    plan = Plan(optimizer=optimizer, learning_rate=0.01, dropout=0.3, weight_decay=0.01, clip_norm=0.5, batch_size=16)
    expected_loss, reference = trained(ReferenceEngine, plan, head, activation)

    loss, engine = trained(kind, plan, head, activation)

    # Adam divides by the root of tiny squares, which magnifies the float32 rounding of a gradient near 0: a parameter
    # moves by at most 0.01 a step, and ends within 1e-3 of one such step after fourteen.
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_difference(engine.parameters(), reference.parameters()) < 1e-5


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", ENGINES)
def test_a_decay_of_each_step_is_the_weight_decay_of_a_plan_times_it(kind: type[Engine], optimizer: str) -> None:
    features, targets = batch("softmax")
    order, rates_s = np.arange(N), np.full(7, 0.01)
    ends = []
    for decay, decays_s in ((0.3, np.full(7, 0.5)), (0.15, None), (0.3, np.linspace(0, 1, 7))):
        engine = kind(network(), "softmax")
        engine.initialise(3)
        engine.start(Plan(optimizer=optimizer, weight_decay=decay, batch_size=16), 3)
        engine.train_span(features, targets, order, Steps(rates_s, decays_s))
        ends.append(engine.parameters())
    assert largest_difference(ends[0], ends[1]) == 0.0
    assert largest_difference(ends[0], ends[2]) > 1e-5


@pytest.mark.parametrize("kind", FAST)
def test_nesterovs_momentum_follows_its_two_formulas_where_the_rate_changes(kind: type[Engine]) -> None:
    features, targets = batch("sigmoid")
    order, rates_s = np.arange(N), np.repeat([0.3, 0.06], [3, 4])
    one = Network((Dense(C),)).with_input(D)
    engine = kind(one, "sigmoid")
    engine.initialise(3)
    (w, b), velocity = engine.parameters()[0], np.zeros((C, D + 1))
    engine.start(Plan(optimizer="nesterov", momentum=0.8, batch_size=16), 3)
    engine.train_span(features, targets, order, Steps(rates_s))

    both, x_nd = np.column_stack([w, b]).astype(float), np.column_stack([features.values, np.ones(N)]).astype(float)
    for step, rate in enumerate(rates_s):  # with the steps before, and the gradient taken ahead of where it stands
        rows = order[16 * step : 16 * (step + 1)]
        ahead = both + 0.8 * velocity
        gradient = (1 / (1 + np.exp(-x_nd[rows] @ ahead.T)) - targets[rows]).T @ x_nd[rows] / len(rows)
        velocity = 0.8 * velocity - rate * gradient
        both += velocity
    found = np.column_stack(engine.parameters()[0])
    assert np.abs(found - (both + 0.8 * velocity)).max() < 1e-6  # float32 steps of up to 0.3


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("hidden", [(), (40,), (25, 15)])
@pytest.mark.parametrize("rows", [1, 16, 45, 64, 300])
def test_a_first_layer_far_wider_below_than_above_follows_the_reference(
    kind: type[Engine], rows: int, hidden: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(rows)
    # 530: the native engine sums such a layer up in four parts, the last of them and its last panel incomplete.
    narrow = Network((*(Dense(units, "tanh") for units in hidden), Dense(C))).with_input(530)
    values = rng.integers(0, 256, (rows, 530)).astype(np.uint8)
    as_bytes, as_floats = Features(values, 1 / 80, -1.5), Features(rng.normal(size=(rows, 530)).astype(np.float32))
    targets = rng.integers(0, C, rows).astype(np.int32)
    plan = Plan(optimizer="sgd", momentum=0.0, dropout=0.25, weight_decay=0.01, batch_size=max(1, rows - 1))
    order, rates = rng.permutation(rows), np.full(-(-rows // plan.batch_size), 0.1)
    for features in (as_bytes, as_floats):
        losses, ends = [], []
        for each in (kind, ReferenceEngine):
            engine = each(narrow, "softmax", n_threads=2)
            engine.initialise(4)
            engine.start(plan, 4)
            losses.append(engine.train_span(features, targets, order, Steps(rates)))
            ends.append(engine.parameters())
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)
        assert largest_difference(*ends) < 2e-6  # float32 sums of 530 products of numbers around 1


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
            loss = engine.train_span(features, targets, rows, Steps(np.full(-(-len(rows) // 16), 1e-3)), loss)
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
        engine.train_span(features, targets, np.arange(600), Steps(np.full(2, 1e-2)))
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


@pytest.mark.parametrize("kind", FAST)
def test_a_row_has_the_same_logits_alone_and_among_others(kind: type[Engine]) -> None:
    engine = kind(network("silu"), "softmax", n_threads=2)
    engine.initialise(0)
    features, _ = batch("softmax")
    together = engine.logits(features)
    alone = np.concatenate([engine.logits(Features(features.values[i : i + 1])) for i in range(N)])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("kind", FAST)
def test_predictions_have_the_same_bits_for_any_number_of_threads(kind: type[Engine]) -> None:
    rng = np.random.default_rng(5)
    wide = Network((Dense(300, "relu"), Dense(200, "gelu"), Dense(C))).with_input(400)
    features = Features(rng.normal(size=(1000, 400)).astype(np.float32))
    ends = []
    for n_threads in (1, 2, 5):
        engine = kind(wide, "softmax", n_threads=n_threads)
        engine.initialise(2)
        ends.append(engine.logits(features))
    assert np.array_equal(ends[0], ends[1])
    assert np.array_equal(ends[0], ends[2])


def in_every_form() -> list[EncodedRows]:
    x_nd = batch("softmax")[0].values
    x_nd[x_nd < 0.8] = 0
    return [Features(x_nd), Features((50 * x_nd).astype(np.uint8), 0.02, -0.1), as_csr(x_nd)]


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("form", range(3), ids=["float32", "uint8", "csr"])
def test_some_rows_are_asked_for_by_number_and_have_the_bits_they_have_among_all(
    kind: type[Engine], form: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "CALL_FLOPS", 2 * network().n_parameters * 20)  # several calls
    engine = kind(network(), "softmax", n_threads=2)
    engine.initialise(0)
    features = in_every_form()[form]
    rows = np.array([99, 0, 5, 5, *range(40, 90), 7])

    some = engine.logits(features, rows)

    tolerance = 0 if kind is not ReferenceEngine else 1e-6  # NumPy's products of other sizes may round otherwise
    np.testing.assert_allclose(some, engine.logits(features)[rows], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(some, engine.logits(features.take(rows)), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(engine.logits(features, rows[::-1]), some[::-1])
    assert engine.logits(features, rows[:0]).shape == (0, C)


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("row", [-1, N])
def test_a_row_number_outside_is_no_read_of_other_memory(kind: type[Engine], row: int) -> None:
    engine = kind(network(), "softmax")
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


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("head", HEADS)
def test_a_copy_of_the_parameters_can_be_written_over_another(kind: type[Engine], head: HeadName) -> None:
    _, engine = trained(kind, Plan(batch_size=32), head)
    fresh = kind(network(), head)
    fresh.initialise(3)
    copy = fresh.parameters()
    expected = engine.parameters()

    assert engine.parameters(into=copy) is copy

    assert largest_difference(copy, expected) == 0.0
    assert largest_difference(fresh.parameters(), expected) > 0


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
def test_a_finished_engine_is_one_that_was_given_its_parameters(kind: type[Engine], is_sparse: bool) -> None:
    plan = Plan(dropout=0.2, batch_size=16, clip_norm=0.5)
    features, targets = batch("softmax")
    rows = as_csr(np.maximum(features.values, 0)) if is_sparse else features
    engine, copy = kind(network(), "softmax"), kind(network(), "softmax")
    engine.initialise(3)
    engine.start(plan, 3)
    engine.train_span(rows, targets, np.arange(N), Steps(np.full(7, 0.01)))

    engine.finish()

    copy.set_parameters(engine.parameters())
    assert np.array_equal(engine.logits(rows), copy.logits(rows))
    for each in (engine, copy):
        each.start(plan, 4)
        each.train_span(rows, targets, np.arange(N), Steps(np.full(7, 0.01)))
    assert largest_difference(engine.parameters(), copy.parameters()) == 0.0


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_parameters_that_were_others_meanwhile_are_trained_on_as_if_they_had_not(
    kind: type[Engine], is_sparse: bool, optimizer: str
) -> None:
    """As averages are judged between the epochs."""
    features, targets = batch("softmax")
    rows = as_csr(np.maximum(features.values, 0)) if is_sparse else features
    ends = []
    for is_changed in (False, True):
        engine = kind(network(), "softmax")
        engine.initialise(3)
        engine.start(Plan(optimizer=optimizer, weight_decay=0.01, dropout=0.2, batch_size=16), 3)
        engine.train_span(rows, targets, np.arange(64), Steps(np.full(4, 0.01)))
        own = engine.parameters()
        if is_changed:
            engine.set_parameters([tuple(array * np.float32(0.5) for array in layer) for layer in own])
            engine.logits(rows)
            engine.set_parameters(own)
        engine.train_span(rows, targets, np.arange(48), Steps(np.full(3, 0.01)))
        ends.append(engine.parameters())
    assert largest_difference(*ends) == 0.0


@pytest.mark.parametrize("kind", FAST)
def test_a_finished_engine_takes_no_step_without_a_new_start(kind: type[Engine]) -> None:
    _, engine = trained(kind, Plan(batch_size=32), "softmax")
    engine.finish()
    with pytest.raises(ValueError, match="start"):
        engine.train_span(*batch("softmax"), np.arange(32), Steps(np.full(1, 0.01)))


# --- sparse rows ---

SPARSE_N, SPARSE_D = 240, 50
SPARSE = Network((Dense(24, "relu"), Dense(12, "tanh"), Dense(C))).with_input(SPARSE_D)
STEPS = 60  # of 12 rows: three times over all of them


def sparse_batch(head: HeadName) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Rows, dense, of which most is zero: feature 0 is everywhere, 47 in every 60th row, 48 in one row, 49 in none."""
    rng = np.random.default_rng(8)
    x_nd = np.where(rng.random((SPARSE_N, SPARSE_D)) < 0.06, rng.normal(size=(SPARSE_N, SPARSE_D)), 0)
    x_nd[:, 0] = rng.normal(size=SPARSE_N)
    x_nd[:, 47:] = 0
    x_nd[::60, 47], x_nd[100, 48] = 1.5, -2
    x_nd[[3, 70, 71, 239]] = 0
    labels = rng.integers(0, C, SPARSE_N).astype(np.int32)
    return x_nd.astype(np.float32), labels if head == "softmax" else np.eye(C, dtype=np.float32)[labels]


def sparse_order() -> NDArray[np.int64]:
    """Three passes over the rows; in the second some rows come twice, in one batch or in two, and others not at all."""
    orders = [np.random.default_rng(k).permutation(SPARSE_N) for k in range(3)]
    orders[1][1:3], orders[1][30] = orders[1][0], orders[1][0]
    return np.concatenate(orders)


def rates(plan: Plan) -> NDArray[np.float64]:
    """Falling, as a schedule makes them."""
    return plan.learning_rate * np.linspace(1, 0.2, STEPS)


def sparse_trained(
    kind: type[Engine], plan: Plan, head: HeadName, features: EncodedRows, spans: tuple[int, ...] = (STEPS,)
) -> tuple[float, Engine]:
    """After `STEPS` steps, so many in each call."""
    engine = kind(SPARSE, head)
    engine.initialise(6)
    engine.start(plan, 6)
    targets, order, rates_s = sparse_batch(head)[1], sparse_order(), rates(plan)
    loss, step = 0.0, 0
    for steps in spans:
        rows = order[step * plan.batch_size : (step + steps) * plan.batch_size]
        loss = engine.train_span(features, targets, rows, Steps(rates_s[step : step + steps]), loss)
        step += steps
    assert step == STEPS
    return loss, engine


SPARSE_PLANS = {
    "adam": Plan(optimizer="adam"),
    "adam, dropout and clipping": Plan(optimizer="adam", dropout=0.3, clip_norm=0.3),
    "adam, short memories": Plan(optimizer="adam", beta1=0.5, beta2=0.9),
    "adam, no momentum": Plan(optimizer="adam", beta1=0.0),
    "adamw": Plan(optimizer="adamw", weight_decay=0.3),
    "sgd": Plan(optimizer="sgd", momentum=0.0),
    "sgd, momentum": Plan(optimizer="sgd", momentum=0.9),
    "nesterov": Plan(optimizer="nesterov", momentum=0.9),
    "sgd, momentum and clipping": Plan(optimizer="sgd", momentum=0.9, clip_norm=0.3),
}


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("plan", SPARSE_PLANS.values(), ids=SPARSE_PLANS)
def test_training_on_sparse_rows_follows_the_reference_on_dense_ones(
    kind: type[Engine], plan: Plan, head: HeadName
) -> None:
    # A feature that a batch lacks is moved on when it next occurs, by a formula in which epsilon is 0.
    plan = plan.replace({"learning_rate": 0.01, "batch_size": 12, "epsilon": 1e-14})
    x_nd, _ = sparse_batch(head)
    expected_loss, reference = sparse_trained(ReferenceEngine, plan, head, Features(x_nd))

    loss, engine = sparse_trained(kind, plan, head, as_csr(x_nd))

    # As above: float32 rounding, magnified where Adam divides by the root of tiny squares.
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_difference(engine.parameters(), reference.parameters()) < 1e-5
    np.testing.assert_allclose(engine.logits(as_csr(x_nd)), reference.logits(Features(x_nd)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, plan in SPARSE_PLANS.items() if plan.optimizer.startswith("adam")])
def test_the_usual_epsilon_makes_hardly_a_difference_to_training_on_sparse_rows(name: str) -> None:
    plan = SPARSE_PLANS[name].replace({"learning_rate": 0.01, "batch_size": 12})
    x_nd, _ = sparse_batch("softmax")
    _, reference = sparse_trained(ReferenceEngine, plan, "softmax", Features(x_nd))

    _, engine = sparse_trained(NativeEngine, plan, "softmax", as_csr(x_nd))

    # A missed step is at most 0.01 long, ten of them are felt, and epsilon is a thousandth of the root of the square.
    assert largest_difference(engine.parameters(), reference.parameters()) < 1e-4


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_penalty_of_weights_is_felt_where_their_feature_occurs(kind: type[Engine], optimizer: str) -> None:
    plan = Plan(optimizer=optimizer, weight_decay=0.3, learning_rate=0.01, batch_size=12, epsilon=1e-14)
    features = as_csr(sparse_batch("softmax")[0])
    expected_loss, reference = sparse_trained(ReferenceEngine, plan, "softmax", features)

    loss, engine = sparse_trained(kind, plan, "softmax", features)

    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_difference(engine.parameters(), reference.parameters()) < 1e-5
    assert np.array_equal(engine.parameters()[0][0][:, 49], initial_parameters(SPARSE, 6)[0][0][:, 49])


@pytest.mark.parametrize("n_steps", [255, 256, 257, 258, 700])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_feature_may_be_absent_for_hundreds_of_steps(optimizer: str, n_steps: int) -> None:
    plan = Plan(optimizer=optimizer, weight_decay=0.1 if optimizer == "adamw" else 0.0, batch_size=2, epsilon=1e-14)
    x_nd, targets = sparse_batch("softmax")
    x_nd[:, 46] = 0
    x_nd[[100, 101], 46] = 1.0
    often = np.random.default_rng(2).permutation(np.setdiff1d(np.arange(SPARSE_N), [100, 101]))
    order = np.concatenate([[100, 0], np.resize(often, 2 * n_steps), [101, 1]])  # 46 is there, gone, and there again
    rates_s = np.full(n_steps + 2, 1e-3)
    native_engine, reference = NativeEngine(SPARSE, "softmax"), ReferenceEngine(SPARSE, "softmax")
    for engine, features in ((native_engine, as_csr(x_nd)), (reference, Features(x_nd))):
        engine.initialise(6)
        engine.start(plan, 6)
        engine.train_span(features, targets, order, Steps(rates_s))

    assert largest_difference(native_engine.parameters(), reference.parameters()) < 1e-5


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_length_of_a_span_of_sparse_rows_never_changes_the_bits(kind: type[Engine], optimizer: str) -> None:
    plan = Plan(optimizer=optimizer, weight_decay=0.1, learning_rate=0.01, batch_size=12, dropout=0.2)
    features = as_csr(sparse_batch("softmax")[0])

    ends = [sparse_trained(kind, plan, "softmax", features, spans) for spans in ((60,), (1, 20, 39), (1,) * 60)]

    assert ends[0][0] == ends[1][0] == ends[2][0]
    for _, engine in ends[1:]:
        assert largest_difference(ends[0][1].parameters(), engine.parameters()) == 0.0
        assert np.array_equal(ends[0][1].logits(features), engine.logits(features))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_looked_at_between_spans_is_what_the_parameters_are_then(optimizer: str) -> None:
    plan = Plan(optimizer=optimizer, learning_rate=0.01, batch_size=12, epsilon=1e-14)
    x_nd, targets = sparse_batch("softmax")
    order, rates_s = sparse_order(), rates(plan)
    native_engine, reference = NativeEngine(SPARSE, "softmax"), ReferenceEngine(SPARSE, "softmax")
    for engine in (native_engine, reference):
        engine.initialise(6)
        engine.start(plan, 6)

    for step in range(0, STEPS, 4):
        rows, some = order[step * 12 : (step + 4) * 12], rates_s[step : step + 4]
        native_engine.train_span(as_csr(x_nd), targets, rows, Steps(some))
        reference.train_span(Features(x_nd), targets, rows, Steps(some))
        assert largest_difference(native_engine.parameters(), reference.parameters()) < 1e-5
        np.testing.assert_allclose(
            native_engine.logits(as_csr(x_nd)), reference.logits(Features(x_nd)), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_trial_steps_on_sparse_rows_leave_nothing_behind(kind: type[Engine], optimizer: str) -> None:
    plan = Plan(optimizer=optimizer, weight_decay=0.1, learning_rate=0.01, batch_size=12)
    x_nd, targets = sparse_batch("softmax")
    _, fresh = sparse_trained(kind, plan, "softmax", as_csr(x_nd))
    tried = kind(SPARSE, "softmax")
    tried.initialise(1)
    tried.start(plan, 1)
    tried.train_span(as_csr(x_nd), targets, np.arange(96), Steps(np.full(8, 0.1)))

    tried.initialise(6)
    tried.start(plan, 6)
    tried.train_span(as_csr(x_nd), targets, sparse_order(), Steps(rates(plan)))

    assert largest_difference(fresh.parameters(), tried.parameters()) == 0.0


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_parameters_set_while_features_wait_are_what_was_set(kind: type[Engine], optimizer: str) -> None:
    engine, other = kind(SPARSE, "softmax"), kind(SPARSE, "softmax")
    for one, seed in ((engine, 6), (other, 7)):
        one.initialise(seed)
    x_nd, targets = sparse_batch("softmax")
    engine.start(Plan(optimizer=optimizer, batch_size=12), 6)
    engine.train_span(as_csr(x_nd), targets, np.arange(48), Steps(np.full(4, 0.01)))

    engine.set_parameters(other.parameters())

    assert largest_difference(engine.parameters(), other.parameters()) == 0.0


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("form", range(3), ids=["float32", "uint8", "csr"])
def test_rows_of_another_width_are_no_read_of_other_memory(kind: type[Engine], form: int) -> None:
    engine = kind(network(), "softmax")
    engine.initialise(0)
    engine.start(Plan(batch_size=4), 0)
    wide_nd = np.ones((8, D + 1), np.float32)
    wide: EncodedRows = (Features(wide_nd), Features(wide_nd.astype(np.uint8)), as_csr(wide_nd))[form]
    with pytest.raises(ValueError):
        engine.logits(wide)
    with pytest.raises(ValueError):
        engine.train_span(wide, np.zeros(8, np.int32), np.arange(8), Steps(np.full(2, 0.01)))


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_new_start_on_sparse_rows_begins_where_the_parameters_are(kind: type[Engine], optimizer: str) -> None:
    plan = Plan(optimizer=optimizer, weight_decay=0.1, learning_rate=0.01, batch_size=12)
    features = as_csr(sparse_batch("softmax")[0])
    _, engine = sparse_trained(kind, plan, "softmax", features)
    copy = kind(SPARSE, "softmax")
    copy.set_parameters(engine.parameters())

    for each in (engine, copy):
        each.start(plan, 7)
        each.train_span(features, sparse_batch("softmax")[1], sparse_order()[:120], Steps(np.full(10, 0.01)))

    assert largest_difference(engine.parameters(), copy.parameters()) == 0.0


@pytest.mark.parametrize("n_threads", [2, 3, 16])
@pytest.mark.parametrize("head", HEADS)
def test_any_number_of_threads_gives_the_same_bits_on_sparse_rows(head: HeadName, n_threads: int) -> None:
    rng = np.random.default_rng(5)
    wide = Network((Dense(300, "relu"), Dense(100, "gelu"), Dense(C))).with_input(3000)
    features = as_csr(np.where(rng.random((600, 3000)) < 0.03, rng.normal(size=(600, 3000)), 0).astype(np.float32))
    targets = batch(head)[1].repeat(6, axis=0)
    ends = []
    for threads in (1, n_threads):
        engine = NativeEngine(wide, head, n_threads=threads)
        engine.initialise(2)
        engine.start(Plan(dropout=0.1, clip_norm=1.0, batch_size=256), 2)
        loss = engine.train_span(features, targets, np.arange(600), Steps(np.full(3, 1e-2)))
        ends.append((loss, engine.parameters(), engine.logits(features)))
    assert ends[0][0] == ends[1][0]
    assert largest_difference(ends[0][1], ends[1][1]) == 0.0
    assert np.array_equal(ends[0][2], ends[1][2])


@pytest.mark.parametrize("kind", FAST)
def test_sparse_rows_have_the_same_logits_alone_and_among_others_in_any_order(kind: type[Engine]) -> None:
    x_nd, _ = sparse_batch("softmax")
    _, engine = sparse_trained(kind, Plan(batch_size=12), "softmax", as_csr(x_nd))
    order = np.random.default_rng(0).permutation(SPARSE_N)

    together = engine.logits(as_csr(x_nd))

    assert np.array_equal(engine.logits(as_csr(x_nd[order])), together[order])
    assert np.array_equal(engine.logits(as_csr(x_nd), order), together[order])
    assert np.array_equal(np.concatenate([engine.logits(as_csr(x_nd[i : i + 1])) for i in order]), together[order])


@pytest.mark.parametrize("kind", ENGINES)
def test_sparse_rows_have_the_logits_of_the_dense_rows_they_stand_for(kind: type[Engine]) -> None:
    x_nd, _ = sparse_batch("sigmoid")
    _, engine = sparse_trained(kind, Plan(batch_size=12), "sigmoid", as_csr(x_nd))

    # Sums of up to ten products of size 1, in another order.
    np.testing.assert_allclose(engine.logits(as_csr(x_nd)), engine.logits(Features(x_nd)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ENGINES)
def test_rows_with_nothing_in_them_are_rows(kind: type[Engine]) -> None:
    nothing = SparseFeatures(np.zeros(25, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), SPARSE_D)
    engine = kind(SPARSE, "softmax")
    engine.initialise(0)
    before = engine.parameters()
    engine.start(Plan(batch_size=12), 0)

    engine.train_span(nothing, np.zeros(24, np.int32), np.arange(24), Steps(np.full(2, 0.1)))

    logits = engine.logits(nothing)
    assert np.isfinite(logits).all() and (logits == logits[0]).all()
    assert logits[0].argmax() == 0  # the biases have learned
    assert np.array_equal(engine.parameters()[0][0], before[0][0])


def test_dense_and_sparse_spans_may_take_turns() -> None:
    plan = Plan(batch_size=12, epsilon=1e-14)
    x_nd, targets = sparse_batch("softmax")
    native_engine, reference = NativeEngine(SPARSE, "softmax"), ReferenceEngine(SPARSE, "softmax")
    for engine in (native_engine, reference):
        engine.initialise(6)
        engine.start(plan, 6)
        for span in range(6):
            rows = np.random.default_rng(span).permutation(SPARSE_N)[:48]
            features = Features(x_nd) if span % 2 else as_csr(x_nd)
            engine.train_span(features, targets, rows, Steps(np.full(4, 0.01)))

    assert largest_difference(native_engine.parameters(), reference.parameters()) < 1e-5


def test_sparse_rows_are_predicted_from_weights_laid_out_for_them_to_the_same_bits() -> None:
    x_nd = np.where(np.random.default_rng(1).random((90, D)) < 0.3, batch("softmax")[0].values[:90], 0).astype(
        np.float32
    )
    parameters = initial_parameters(network(), 1)
    ends = []
    for for_sparse_rows in (False, True):
        engine = NativeEngine(network(), "softmax", for_sparse_rows=for_sparse_rows)
        engine.set_parameters(parameters)
        assert largest_difference(engine.parameters(), parameters) == 0
        ends.append((engine.logits(as_csr(x_nd)), engine.logits(Features(x_nd))))
    assert all(np.array_equal(ends[0][0], logits_nc) for pair in ends for logits_nc in pair)


# --- weights and unknown labels ---

WEIGHINGS = ["rows", "entries", "positive", "unknown labels", "all of it"]


def weighed(head: HeadName, what: str, n: int = N) -> tuple[NDArray[Any], Weights]:
    """Targets, some of them unknown, and weights, of which some are 0."""
    rng = np.random.default_rng(11)
    targets = batch(head)[1] if n == N else sparse_batch(head)[1]
    rows_n, entries_nc = rng.integers(0, 4, n).astype(float), rng.gamma(1.0, size=(n, C)) * (rng.random((n, C)) < 0.8)
    if head == "softmax":
        return targets, Weights(rows_n)
    if what in ("unknown labels", "all of it"):
        targets = np.where(rng.random((n, C)) < 0.3, np.float32(np.nan), targets)
    each = {"rows": rows_n, "entries": entries_nc, "all of it": entries_nc}.get(what)
    positive = np.array([0.25, 1.0, 3.0, 10.0, 0.5]) if what in ("positive", "all of it") else None
    return targets, Weights(each, positive)


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize(("head", "what"), [("softmax", "rows"), *(("sigmoid", what) for what in WEIGHINGS)])
def test_weighted_training_follows_the_reference(kind: type[Engine], head: HeadName, what: str, sparse: bool) -> None:
    plan = Plan(learning_rate=0.01, dropout=0.2, clip_norm=0.5, batch_size=12, epsilon=1e-14 if sparse else 1e-8)
    x_nd = sparse_batch(head)[0] if sparse else batch(head)[0].values
    targets, weights = weighed(head, what, len(x_nd))
    losses, engines = [], []
    for each in (kind, ReferenceEngine):
        engine = each(SPARSE if sparse else network(), head)
        engine.initialise(3)
        engine.start(plan, 3)
        order = np.tile(np.random.default_rng(1).permutation(len(x_nd)), 2)
        features = as_csr(x_nd) if sparse and each is not ReferenceEngine else Features(x_nd)
        steps = Steps(np.full(-(-len(order) // 12), 0.01))
        losses.append(engine.train_span(features, targets, order, steps, 0.0, weights))
        engines.append(engine)

    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert largest_difference(engines[0].parameters(), engines[1].parameters()) < 1e-5


def one_step(kind: type[Engine], head: HeadName, x_nd: Any, targets: Any, weights: Weights) -> tuple[float, Parameters]:
    """The loss per row, and the gradient of a full batch: minus what one step of length 1 does to the parameters."""
    engine = kind(network("tanh"), head)
    engine.initialise(3)
    before = engine.parameters()
    engine.start(Plan(optimizer="sgd", momentum=0.0, learning_rate=1.0, batch_size=len(x_nd)), 3)
    loss = engine.train_span(Features(x_nd), targets, np.arange(len(x_nd)), Steps(np.ones(1)), 0.0, weights)
    after = engine.parameters()
    return loss / len(x_nd), [(a - c, b - d) for (a, b), (c, d) in zip(before, after, strict=True)]


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("head", HEADS)
def test_a_whole_weight_is_that_many_copies_of_the_row(kind: type[Engine], head: HeadName) -> None:
    x_nd = batch(head)[0].values
    targets = batch(head)[1]
    if head == "sigmoid":
        targets[::7, 2] = np.nan
    times_n = np.random.default_rng(4).integers(0, 5, N)
    part_n = times_n > 0

    loss, gradient = one_step(
        kind, head, x_nd[part_n], targets[part_n], Weights(times_n[part_n] / times_n[part_n].mean())
    )

    copies = np.repeat(np.arange(N), times_n)
    expected_loss, expected = one_step(kind, head, x_nd[copies], targets[copies], UNWEIGHTED)
    # The float32 parameters of the reference are rounded once; the native engine adds other float32 numbers up.
    assert loss == pytest.approx(expected_loss, rel=1e-12 if kind is ReferenceEngine else 1e-6)
    assert largest_difference(gradient, expected) < (2e-7 if kind is ReferenceEngine else 1e-6)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("head", HEADS)
def test_what_weighs_nothing_or_is_unknown_has_no_part_whatever_it_is(kind: type[Engine], head: HeadName) -> None:
    x_nd, targets = batch(head)[0].values, batch(head)[1]
    other_nd, others = x_nd.copy(), targets.copy()
    other_nd[7] = 100.0
    if head == "softmax":
        others[7] = (others[7] + 1) % C
    else:
        others[7], others[3, 1] = 1 - others[7], 1 - others[3, 1]
    weights_n, weights_nc = np.ones(N), np.ones((N, C))
    weights_n[7], weights_nc[7], weights_nc[3, 1] = 0, 0, 0
    weights = Weights(weights_n if head == "softmax" else weights_nc)

    loss, gradient = one_step(kind, head, x_nd, targets, weights)
    other_loss, other = one_step(kind, head, other_nd, others, weights)

    assert loss == other_loss
    assert largest_difference(gradient, other) == 0.0
    if head == "sigmoid":
        unknown = targets.copy()
        unknown[7], unknown[3, 1] = np.nan, np.nan
        unknown_loss, of_known = one_step(kind, head, x_nd, unknown, UNWEIGHTED)
        assert unknown_loss == loss
        assert largest_difference(gradient, of_known) == 0.0


@pytest.mark.parametrize("kind", ENGINES)
def test_a_positive_weight_has_the_closed_form(kind: type[Engine]) -> None:
    """One input of 1 and a bias: the gradient by the bias is ((1 - t) - w t exp(-z)) / (1 + exp(-z)) for z >= 0."""
    z, w = 0.75, 3.0
    for t, gradient, loss in (
        (1.0, -w * np.exp(-z) / (1 + np.exp(-z)), w * np.log1p(np.exp(-z))),
        (0.0, 1 / (1 + np.exp(-z)), z + np.log1p(np.exp(-z))),
    ):
        engine = kind(Network((Dense(2),)).with_input(1), "sigmoid")
        engine.set_parameters([(np.zeros((2, 1), np.float32), np.full(2, z, np.float32))])
        engine.start(Plan(optimizer="sgd", momentum=0.0, learning_rate=1.0, batch_size=1), 0)
        targets = np.array([[t, np.nan]], np.float32)
        weights = Weights(None, np.array([w, 5.0]))
        found = engine.train_span(
            Features(np.ones((1, 1), np.float32)), targets, np.arange(1), Steps(np.ones(1)), 0.0, weights
        )
        assert found == pytest.approx(loss, rel=1e-7)
        np.testing.assert_allclose(engine.parameters()[0][1], [z - gradient, z], rtol=1e-6)


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("head", HEADS)
def test_equal_weights_are_no_weights_bit_for_bit(kind: type[Engine], head: HeadName) -> None:
    for shape in ((N,), (N, C)) if head == "sigmoid" else ((N,),):
        x_nd, targets = batch(head)[0].values, batch(head)[1]
        plain = one_step(kind, head, x_nd, targets, UNWEIGHTED)
        even = one_step(kind, head, x_nd, targets, Weights(np.ones(shape)))
        assert plain[0] == even[0]
        assert largest_difference(plain[1], even[1]) == 0.0


@pytest.mark.parametrize("head", HEADS)
def test_any_number_of_threads_gives_the_same_bits_with_weights(head: HeadName) -> None:
    rng = np.random.default_rng(5)
    wide = Network((Dense(600, "relu"), Dense(200, "gelu"), Dense(C))).with_input(400)
    features, targets = Features(rng.normal(size=(600, 400)).astype(np.float32)), batch(head)[1].repeat(6, axis=0)
    weights = Weights(rng.gamma(1.0, size=600), None if head == "softmax" else np.arange(1.0, C + 1))
    ends = []
    for threads in (1, 2, 7):
        engine = NativeEngine(wide, head, n_threads=threads)
        engine.initialise(2)
        engine.start(Plan(dropout=0.1, clip_norm=1.0, batch_size=512), 2)
        loss = engine.train_span(features, targets, np.arange(600), Steps(np.full(2, 1e-2)), 0.0, weights)
        ends.append((loss, engine.parameters()))
    assert ends[0][0] == ends[1][0] == ends[2][0]
    assert largest_difference(ends[0][1], ends[1][1]) == largest_difference(ends[0][1], ends[2][1]) == 0.0


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("shape", [(N - 1,), (N, C - 1), (N + 1, C)])
def test_weights_of_another_shape_are_no_read_of_other_memory(kind: type[Engine], shape: tuple[int, ...]) -> None:
    features, targets = batch("sigmoid")
    engine = kind(network(), "sigmoid")
    engine.start(Plan(), 0)
    with pytest.raises(ValueError, match="weights must be"):
        engine.train_span(features, targets, np.arange(4), Steps(np.ones(1)), 0.0, Weights(np.ones(shape)))
    with pytest.raises(ValueError, match="positive must be"):
        engine.train_span(features, targets, np.arange(4), Steps(np.ones(1)), 0.0, Weights(None, np.ones(C + 1)))


# --- probabilities as targets, and targets that stay sparse ---


def shares(n: int = N) -> NDArray[np.float32]:
    """Probabilities, some of them 0, one row a certainty."""
    rng = np.random.default_rng(8)
    t_nc = rng.dirichlet(np.full(C, 0.5), n) * (rng.random((n, C)) < 0.8)
    t_nc[0], t_nc[:, 0] = 0, t_nc[:, 0] + 1e-3
    return np.asarray(t_nc / t_nc.sum(axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("weights", [UNWEIGHTED, Weights(np.random.default_rng(2).integers(0, 3, N).astype(float))])
@pytest.mark.parametrize("head", HEADS)
def test_training_on_probabilities_follows_the_reference(kind: type[Engine], head: HeadName, weights: Weights) -> None:
    plan = Plan(learning_rate=0.01, dropout=0.2, clip_norm=0.5, batch_size=16)
    losses, engines = [], []
    for each in (kind, ReferenceEngine):
        engine = each(network(), head)
        engine.initialise(3)
        engine.start(plan, 3)
        order = np.tile(np.random.default_rng(1).permutation(N), 2)
        losses.append(engine.train_span(batch(head)[0], shares(), order, Steps(np.full(13, 0.01)), 0.0, weights))
        engines.append(engine)

    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert largest_difference(engines[0].parameters(), engines[1].parameters()) < 1e-5


@pytest.mark.parametrize("kind", ENGINES)
def test_a_certain_probability_is_a_class(kind: type[Engine]) -> None:
    x_nd, labels_n = batch("softmax")[0].values, batch("softmax")[1]

    loss, gradient = one_step(kind, "softmax", x_nd, np.eye(C, dtype=np.float32)[labels_n], UNWEIGHTED)
    expected_loss, expected = one_step(kind, "softmax", x_nd, labels_n, UNWEIGHTED)

    assert loss == pytest.approx(expected_loss, rel=1e-14)
    assert largest_difference(gradient, expected) < 1e-7  # a float32 parameter of size 1 is rounded once


@pytest.mark.parametrize("kind", ENGINES)
def test_probabilities_have_the_closed_form(kind: type[Engine]) -> None:
    """One input of 0, the logits are the biases: loss lse(z) − Σ t·z, gradient softmax(z) − t."""
    z, t = np.array([0.5, -1.0, 2.0]), np.array([0.25, 0.125, 0.625])
    engine = kind(Network((Dense(3),)).with_input(1), "softmax")
    engine.set_parameters([(np.zeros((3, 1), np.float32), z.astype(np.float32))])
    engine.start(Plan(optimizer="sgd", momentum=0.0, learning_rate=1.0, batch_size=1), 0)
    loss = engine.train_span(
        Features(np.zeros((1, 1), np.float32)), t[None].astype(np.float32), np.arange(1), Steps(np.ones(1))
    )

    total = np.exp(z).sum()
    assert loss == pytest.approx(np.log(total) - t @ z, rel=1e-15)
    np.testing.assert_allclose(engine.parameters()[0][1], z - (np.exp(z) / total - t), rtol=2e-7)


@pytest.mark.parametrize("kind", ENGINES)
def test_sparse_targets_give_the_bits_of_dense_ones(kind: type[Engine]) -> None:
    rng = np.random.default_rng(6)
    sets: list[Any] = [set(rng.choice(C, rng.integers(0, C), replace=False).tolist()) for _ in range(N)]
    sets[3] = sets[50] = None
    encoder = TargetEncoder("multi-label", tuple(range(C)))
    sparse = encoder.encode_rows(sets)
    assert isinstance(sparse, SparseLabels)
    ends, order = [], rng.permutation(N)
    for targets in (sparse, sparse[:]):
        for weights in (UNWEIGHTED, Weights(np.arange(N, dtype=float) / N, np.arange(1.0, C + 1))):
            engine = kind(network(), "sigmoid", n_threads=2)
            engine.initialise(1)
            engine.start(Plan(dropout=0.2, batch_size=16), 1)
            loss = engine.train_span(batch("sigmoid")[0], targets, order, Steps(np.full(7, 1e-2)), 0.0, weights)
            ends.append((loss, engine.parameters()))
    for one, other in ((0, 2), (1, 3)):
        assert ends[one][0] == ends[other][0]
        assert largest_difference(ends[one][1], ends[other][1]) == 0.0
    assert ends[0][0] != ends[1][0]


def test_sparse_targets_of_another_length_are_no_read_of_other_memory() -> None:
    engine = NativeEngine(network(), "sigmoid")
    engine.start(Plan(), 0)
    short = SparseLabels(np.zeros(N, np.int64), np.zeros(0, np.int32), C)
    beyond = SparseLabels(np.append(np.zeros(N, np.int64), 5), np.zeros(4, np.int32), C)
    for targets, what in ((short, "sparse targets must have n rows"), (beyond, "starts must lie within the columns")):
        with pytest.raises(ValueError, match=what):
            engine.train_span(batch("sigmoid")[0], targets, np.arange(4), Steps(np.ones(1)))
