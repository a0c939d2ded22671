"""Of every engine: layers in front of the dense ones, rates and decay of each array, smoothing, numbers of each step.

As in test_contract.py the reference is the truth; here it is itself held against finite differences and closed forms.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits.data.features import EncodedRows, Features, SparseFeatures
from fromlogits.engines.base import UNWEIGHTED, Engine, Parameters, Steps, Weights
from fromlogits.engines.initialisation import (
    DATA_ROWS,
    EDGE_ROWS,
    edges_among,
    initial_parameters,
    parameters_from_data,
    parameters_with_edges,
)
from fromlogits.engines.native import NativeEngine
from fromlogits.engines.rates import decay_factors, rate_factors
from fromlogits.engines.reference import ReferenceEngine
from fromlogits.spec import (
    OPTIMIZERS,
    Columns,
    Dense,
    Embedding,
    HeadName,
    Network,
    Periodic,
    PiecewiseLinear,
    Plan,
    Scaling,
)
from tests.every_engine import ENGINES, FAST

HEADS: list[HeadName] = ["softmax", "sigmoid"]
N, D, C = 96, 9, 4
COLUMNS = Columns(numbers=(6, 1, 4), categories=((8, 3), (0, 5)))  # not in the order of the features
OTHERS = [2, 3, 5, 7]
HIDDEN = (Dense(33, "parametric_selu"), Dense(20, "parametric_selu"))
PLAN = Plan(
    learning_rate=0.01, weight_decay=0.1, scaling_decay=2.0, dropout=0.3, clip_norm=0.5, label_smoothing=0.1,
    bias_rate=0.1, slope_rate=0.5, scaling_rate=3.0, embedding_rate=0.2, rate_by_width=True, batch_size=16,
)  # fmt: skip


def network(*layers: Any) -> Network:
    return Network((*layers, Dense(C))).with_input(D, COLUMNS)


PERIODIC, PIECEWISE, EMBEDDING = Periodic(5, 3, 0.3), PiecewiseLinear(7, 3), Embedding(6)
NETWORKS = {
    "periodic": network(PERIODIC, Dense(33, "relu")),
    "piecewise": network(PIECEWISE, Dense(33, "relu")),
    "embedding": network(EMBEDDING, Dense(33, "relu")),
    "scaling": network(Scaling(), Dense(33, "tanh")),
    "parametric_selu": network(*HIDDEN),
    "all": network(PERIODIC, EMBEDDING, Scaling(), *HIDDEN),
    "all with bins": network(PIECEWISE, EMBEDDING, Scaling(), *HIDDEN),
    "no hidden layer": network(PERIODIC, EMBEDDING, Scaling()),
}
ALL, WITH_BINS = NETWORKS["all"], NETWORKS["all with bins"]
of_every_network = pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
on_every_engine = pytest.mark.parametrize("kind", ENGINES)


def rows(seed: int = 0, n: int = N) -> NDArray[np.float32]:
    """Numbers, of which some features are zero in most rows, and codes of the two categories, -1 among them."""
    rng = np.random.default_rng(seed)
    x_nd = rng.normal(size=(n, D)) * np.where(np.arange(D) % 3 == 2, rng.random((n, D)) < 0.3, 1)
    for feature, values in COLUMNS.categories:
        x_nd[:, feature] = rng.integers(-1, values, n)
    return x_nd.astype(np.float32)


def targets_of(head: HeadName, n: int = N) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    if head == "softmax":
        return rng.integers(0, C, n).astype(np.int32)
    return np.where(rng.random((n, C)) < 0.1, np.nan, rng.random((n, C)) < 0.4).astype(np.float32)


def as_csr(x_nd: NDArray[np.float32]) -> SparseFeatures:
    at, indices = np.nonzero(x_nd)
    indptr = np.searchsorted(at, np.arange(len(x_nd) + 1)).astype(np.int64)
    return SparseFeatures(indptr, indices.astype(np.int32), x_nd[at, indices], x_nd.shape[1])


def some_parameters(net: Network, seed: int = 5) -> Parameters:
    """All arrays away from what they begin with, so that no term is 0 or 1; edges ascend, the last two are the same."""
    rng = np.random.default_rng(seed)
    parameters = [
        tuple((a + 0.3 * rng.normal(size=a.shape)).astype(np.float32) for a in layer)
        for layer in initial_parameters(net, seed)
    ]
    if isinstance(net.of_numbers, PiecewiseLinear):
        edges = parameters[0][0]
        edges[:] = np.sort(edges / 2, axis=1)
        edges[:, -1] = edges[:, -2]
    return parameters


def trained(
    kind: type[Engine],
    net: Network,
    plan: Plan,
    head: HeadName = "softmax",
    *,
    features: EncodedRows | None = None,
    steps: Steps | None = None,
    spans: tuple[int, ...] = (12,),
    weights: Weights = UNWEIGHTED,
    n_threads: int = 1,
) -> tuple[float, Engine]:
    """After twelve steps of sixteen rows, so many in each call."""
    engine = kind(net, head, n_threads=n_threads)
    engine.set_parameters(some_parameters(net))
    engine.start(plan, 3)
    order = np.concatenate([np.random.default_rng(k).permutation(N) for k in range(2)])
    steps = steps or Steps(plan.learning_rate * np.linspace(1, 0.2, 12))
    loss, at = 0.0, 0
    for count in spans:
        part = slice(at, at + count)
        decays, dropouts = (None if each is None else each[part] for each in (steps.decays, steps.dropouts))
        span = Steps(steps.rates[part], decays, dropouts)
        some = order[at * 16 : (at + count) * 16]
        loss = engine.train_span(features or Features(rows()), targets_of(head), some, span, loss, weights)
        at += count
    assert at == 12
    return loss, engine


def largest_difference(a: Parameters, b: Parameters) -> float:
    return max(float(np.abs(p - q).max()) for x, y in zip(a, b, strict=True) for p, q in zip(x, y, strict=True))


def named(net: Network, parameters: Parameters) -> dict[str, NDArray[np.float32]]:
    """By the array's name, and the number of its layer."""
    return {
        f"{number} {name}": array
        for number, (names, layer) in enumerate(zip(net.arrays, parameters, strict=True))
        for name, array in zip(names, layer, strict=True)
    }


# --- the reference is what the formulas say ---


@of_every_network
@pytest.mark.parametrize("head", HEADS)
def test_the_gradient_is_the_one_of_finite_differences(head: HeadName, net: Network) -> None:
    engine = ReferenceEngine(net, head)
    engine.set_parameters(some_parameters(net))
    engine.start(Plan(label_smoothing=0.1), 0)
    x_nd, targets = rows(n=7).astype(float), targets_of(head, 7)
    weights = Weights(np.linspace(0.5, 1.5, 7), None if head == "softmax" else np.linspace(0.5, 2, C))
    _, gradient = engine.gradient(x_nd, targets, weights)
    rng = np.random.default_rng(0)
    for names, arrays, of_layer in zip(net.arrays, engine.layers, gradient, strict=True):
        for name, array, expected in zip(names, arrays, of_layer, strict=True):
            assert array.shape == expected.shape
            if name == "edges":  # constants
                assert not expected.any()
                continue
            for at in rng.permutation(array.size)[:60]:
                place, step = np.unravel_index(at, array.shape), 1e-5
                ends = []
                for way in (step, -2 * step):
                    array[place] += way
                    ends.append(engine.gradient(x_nd, targets, weights)[0].mean())
                array[place] += step
                # The third derivative is below 300: 2π x · 2π x · 2π x of a wave; and losses of size 1 are rounded.
                assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected[place], rel=1e-6, abs=2e-9)


@on_every_engine
def test_logits_are_what_the_formulas_say_number_by_number(kind: type[Engine]) -> None:
    engine = kind(ALL, "softmax")
    parameters = some_parameters(ALL)
    engine.set_parameters(parameters)
    (f, p, w, s), (vectors,), (factors,), (w1, b1, a1), (w2, b2, a2), (w3, b3) = [
        tuple(array.astype(float) for array in layer) for layer in parameters
    ]
    for row, found in zip(rows(), engine.logits(Features(rows())), strict=True):
        entering: list[float] = []
        for k, feature in enumerate((6, 1, 4)):
            x = float(row[feature])
            entering.append(x)
            for m in range(3):
                waves = (w[k, m, j] * np.cos(2 * np.pi * (f[k, j] * x + p[k, j])) for j in range(5))
                entering.append(sum(waves) + s[k, m])
        for feature, first in ((8, 0), (0, 3)):
            code = int(row[feature])
            entering.extend(np.zeros(6) if code < 0 else vectors[first + code])
        entering.extend(row[OTHERS])
        x_d = np.array(entering) * factors
        for weights, biases, slopes in ((w1, b1, a1), (w2, b2, a2)):
            z = weights @ x_d + biases
            selu = 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
            x_d = z + slopes * (selu - z)
        # Two products of 33 and 46 numbers around 1, in float32.
        np.testing.assert_allclose(found, w3 @ x_d + b3, rtol=2e-6, atol=2e-5)


@on_every_engine
def test_piecewise_linear_functions_are_what_the_formula_says_edge_by_edge(kind: type[Engine]) -> None:
    """On an edge, within a bin, beyond both ends, and where an edge stands twice: that bin is none."""
    edges, growth, shift = [-1.0, 0.0, 0.0, 0.5, 2.0, 2.0], [3.0, 10.0, -1.0, 6.0, 100.0], 0.25
    expected = {
        -9.0: 0.25, -1.0: 0.25, -0.5: 1.75, 0.0: 3.25, 0.25: 2.75, 0.5: 2.25, 1.25: 5.25, 2.0: 8.25, 2.25: 8.25,
        1e30: 8.25, -1e30: 0.25,
    }  # fmt: skip
    net = Network((PiecewiseLinear(5, 1), Dense(2))).with_input(1, Columns((0,)))
    engine = kind(net, "softmax")
    front = (np.array([edges], np.float32), np.array([[growth]], np.float32), np.array([[shift]], np.float32))
    engine.set_parameters([front, (np.array([[0, 1], [0, 2]], np.float32), np.zeros(2, np.float32))])
    logits = engine.logits(Features(np.array(list(expected), np.float32)[:, None]))
    np.testing.assert_array_equal(logits, [[y, 2 * y] for y in expected.values()])


@on_every_engine
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_edges_stay_where_they_are(kind: type[Engine], optimizer: str) -> None:
    for plan in (PLAN, PLAN.replace({"clip_norm": None, "scaling_decay": 5.0})):
        before = some_parameters(WITH_BINS)[0]
        after = trained(kind, WITH_BINS, plan.replace({"optimizer": optimizer}))[1].parameters()[0]
        assert np.array_equal(before[0], after[0])
        assert not np.array_equal(before[1], after[1])
        assert not np.array_equal(before[2], after[2])


@on_every_engine
def test_a_value_without_a_vector_is_zeros_and_moves_no_vector(kind: type[Engine]) -> None:
    net = NETWORKS["embedding"]
    x_nd = rows()
    for feature, _ in COLUMNS.categories:
        x_nd[:, feature] = -1
    engine = kind(net, "softmax")
    parameters = some_parameters(net)
    engine.set_parameters(parameters)
    engine.start(Plan(batch_size=16, optimizer="sgd"), 0)
    without = kind(net, "softmax")
    without.set_parameters([(np.zeros_like(parameters[0][0]),), *parameters[1:]])

    np.testing.assert_allclose(engine.logits(Features(x_nd)), without.logits(Features(rows())), rtol=1e-6, atol=1e-6)
    engine.train_span(Features(x_nd), targets_of("softmax"), np.arange(N), Steps(np.full(6, 0.1)))
    assert np.array_equal(engine.parameters()[0][0], parameters[0][0])
    assert largest_difference(engine.parameters()[1:], parameters[1:]) > 1e-3


# --- the others follow it ---


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@of_every_network
@pytest.mark.parametrize("head", HEADS)
def test_training_follows_the_reference(kind: type[Engine], head: HeadName, net: Network, optimizer: str) -> None:
    plan = PLAN.replace({"optimizer": optimizer})
    steps = Steps(np.linspace(0.01, 0.002, 12), np.linspace(1, 0, 12), np.linspace(0.4, 0, 12))
    expected_loss, reference = trained(ReferenceEngine, net, plan, head, steps=steps)

    loss, engine = trained(kind, net, plan, head, steps=steps)

    # As in test_contract.py: a parameter moves by at most 0.03 a step, and ends within 1e-3 of the usual 0.01.
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_difference(engine.parameters(), reference.parameters()) < 1e-5


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize(
    ("name", "form"),
    [*((name, form) for name in NETWORKS for form in ("float32", "uint8")), ("parametric_selu", "csr")],
)
def test_rows_of_every_form_follow_the_reference(kind: type[Engine], name: str, form: str) -> None:
    net = NETWORKS[name]
    x_nd = rows()
    # As bytes a value of x is 1/8 of a number above -1, and codes are numbers from -1 on.
    codes = [feature for feature, _ in COLUMNS.categories]
    scaled = np.clip(np.round((x_nd + 1) * 8), 0, 255).astype(np.uint8)
    scaled[:, codes] = (8 * (x_nd[:, codes] + 1)).astype(np.uint8)
    forms: dict[str, EncodedRows] = {
        "float32": Features(x_nd), "uint8": Features(scaled, 1 / 8, -1.0), "csr": as_csr(x_nd)
    }  # fmt: skip
    features, plan = forms[form], PLAN.replace({"epsilon": 1e-14})  # of sparse rows it is 0: see test_contract.py
    expected_loss, reference = trained(ReferenceEngine, net, plan, features=features)

    loss, engine = trained(kind, net, plan, features=features)

    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_difference(engine.parameters(), reference.parameters()) < 1e-5
    some = np.array([3, 0, 95, 3])
    np.testing.assert_allclose(engine.logits(features), reference.logits(features), rtol=1e-4, atol=2e-5)
    np.testing.assert_array_equal(engine.logits(features, some), engine.logits(features)[some])


@on_every_engine
@of_every_network
def test_sparse_rows_are_for_dense_layers_alone(kind: type[Engine], net: Network) -> None:
    engine = kind(net, "softmax")
    engine.set_parameters(some_parameters(net))
    engine.start(PLAN, 0)
    if not net.front:
        np.testing.assert_allclose(engine.logits(as_csr(rows())), engine.logits(Features(rows())), rtol=1e-5, atol=1e-5)
        return
    with pytest.raises(ValueError, match="sparse rows are for networks of dense layers alone"):
        engine.logits(as_csr(rows()))
    with pytest.raises(ValueError, match="sparse rows are for networks of dense layers alone"):
        engine.train_span(as_csr(rows()), targets_of("softmax"), np.arange(16), Steps(np.ones(1)))


@pytest.mark.parametrize("kind", FAST)
@pytest.mark.parametrize("head", HEADS)
def test_weights_and_smoothing_together_follow_the_reference(kind: type[Engine], head: HeadName) -> None:
    rng = np.random.default_rng(3)
    each = rng.gamma(1.0, size=N) if head == "softmax" else rng.gamma(1.0, size=(N, C))
    weights = Weights(each, None if head == "softmax" else np.linspace(0.5, 3, C))
    expected_loss, reference = trained(ReferenceEngine, ALL, PLAN, head, weights=weights)

    loss, engine = trained(kind, ALL, PLAN, head, weights=weights)

    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_difference(engine.parameters(), reference.parameters()) < 1e-5


@on_every_engine
@of_every_network
def test_the_length_of_a_span_never_changes_the_bits(kind: type[Engine], net: Network) -> None:
    ends = [trained(kind, net, PLAN, spans=spans) for spans in ((12,), (1, 4, 7), (1,) * 12)]
    for loss, engine in ends[1:]:
        assert loss == ends[0][0]
        assert largest_difference(ends[0][1].parameters(), engine.parameters()) == 0.0


@pytest.mark.parametrize("of_numbers", [Periodic(16, 3), PiecewiseLinear(48, 8)], ids=str)
@pytest.mark.parametrize("n_threads", [2, 3, 16])
def test_any_number_of_threads_gives_the_same_bits(n_threads: int, of_numbers: Periodic | PiecewiseLinear) -> None:
    rng = np.random.default_rng(5)
    n, d = 600, 60
    columns = Columns(tuple(range(40)), ((40, 300), (41, 2)))
    layers = (of_numbers, Embedding(8), Scaling(), Dense(256, "parametric_selu"), Dense(128, "parametric_selu"))
    wide = Network((*layers, Dense(C))).with_input(d, columns)
    x_nd = rng.normal(size=(n, d)).astype(np.float32)
    x_nd[:, 40], x_nd[:, 41] = rng.integers(-1, 300, n), rng.integers(-1, 2, n)
    ends = []
    for threads in (1, n_threads):
        engine = NativeEngine(wide, "softmax", n_threads=threads)
        engine.initialise(2)
        engine.start(PLAN.replace({"optimizer": "adamw", "batch_size": 256}), 2)
        loss = engine.train_span(Features(x_nd), targets_of("softmax", n), np.arange(n), Steps(np.full(3, 0.01)))
        ends.append((loss, engine.parameters(), engine.logits(Features(x_nd))))
    assert ends[0][0] == ends[1][0]
    assert largest_difference(ends[0][1], ends[1][1]) == 0.0
    assert np.array_equal(ends[0][2], ends[1][2])


@pytest.mark.parametrize("kind", FAST)
@of_every_network
def test_a_row_has_the_same_logits_alone_and_among_others(kind: type[Engine], net: Network) -> None:
    engine = kind(net, "softmax", n_threads=2)
    engine.set_parameters(some_parameters(net))
    alone = np.concatenate([engine.logits(Features(rows()[i : i + 1])) for i in range(N)])
    assert np.array_equal(engine.logits(Features(rows())), alone)


@on_every_engine
@of_every_network
def test_setting_parameters_is_the_inverse_of_getting_them(kind: type[Engine], net: Network) -> None:
    _, engine = trained(kind, net, PLAN)
    engine.finish()
    found = engine.parameters()
    assert [tuple(a.shape for a in layer) for layer in found] == [tuple(shapes.values()) for shapes in net.arrays]
    copy, into = kind(net, "softmax"), [tuple(np.zeros_like(a) for a in layer) for layer in found]
    copy.set_parameters(found)
    assert engine.parameters(into=into) is into
    assert largest_difference(copy.parameters(), found) == largest_difference(into, found) == 0.0
    assert np.array_equal(copy.logits(Features(rows())), engine.logits(Features(rows())))


# --- rates and decay of each array ---


@on_every_engine
@pytest.mark.parametrize("net", [ALL, WITH_BINS], ids=["waves", "bins"])
def test_a_rate_of_0_leaves_its_arrays_alone(kind: type[Engine], net: Network) -> None:
    before = named(net, some_parameters(net))
    of_rate = {
        "bias_rate": ["biases"],
        "slope_rate": ["slopes"],
        "scaling_rate": ["factors"],
        "embedding_rate": ["frequencies", "phases", "mixtures", "shifts", "vectors"],
    }
    for rate, still in of_rate.items():
        for optimizer in OPTIMIZERS:
            plan = PLAN.replace({rate: 0.0, "optimizer": optimizer})
            after = named(net, trained(kind, net, plan)[1].parameters())
            for name, array in after.items():
                assert np.array_equal(array, before[name]) == (name.split()[1] in [*still, "edges"]), (rate, name)


@on_every_engine
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
def test_an_array_learns_at_its_own_rate(kind: type[Engine], optimizer: str) -> None:
    """A first step is the learning rate times something, so the steps of two plans are as their rates."""
    start, moved = some_parameters(ALL), []
    rate = 1e-3 if optimizer == "adam" else 0.05
    plain = Plan(optimizer=optimizer, learning_rate=rate, batch_size=N)
    own = {"bias_rate": 0.1, "slope_rate": 4.0, "scaling_rate": 6.0, "embedding_rate": 0.5, "rate_by_width": True}
    for plan in (plain, plain.replace(own)):
        engine = kind(ALL, "softmax")
        engine.set_parameters(start)
        engine.start(plan, 0)
        engine.train_span(Features(rows()), targets_of("softmax"), np.arange(N), Steps(np.full(1, rate)))
        after = named(ALL, engine.parameters())
        moved.append({name: after[name].astype(float) - array for name, array in named(ALL, start).items()})
    expected = {"biases": 0.1, "slopes": 4.0, "factors": 6.0}
    for name, usual in moved[0].items():
        factor = expected.get(name.split()[1], 0.5)
        if name.endswith("weights"):
            factor = usual.shape[1] ** -0.5
        # Both ends are parameters below 4, rounded to float32: by 1.2e-7 at most.
        np.testing.assert_allclose(moved[1][name], factor * usual, rtol=1e-5, atol=1.2e-7 * (1 + factor), err_msg=name)


@on_every_engine
def test_what_decays_shrinks_by_its_factor_whatever_its_rate(kind: type[Engine]) -> None:
    """Rows that weigh nothing have no gradient, so with adamw the decay is all that happens."""
    plan = PLAN.replace({"optimizer": "adamw", "dropout": 0.0})
    rates, decays = np.linspace(0.1, 0.01, 12), np.linspace(1, 0, 12)
    _, engine = trained(kind, ALL, plan, steps=Steps(rates, decays), weights=Weights(np.zeros(N)))

    after = named(ALL, engine.parameters())
    for name, before in named(ALL, some_parameters(ALL)).items():
        factor = {"weights": 1.0, "factors": 2.0}.get(name.split()[1], 0.0)
        shrunk = np.prod(1 - rates * 0.1 * factor * decays)
        np.testing.assert_allclose(after[name], before * shrunk, rtol=0 if factor == 0 else 1e-6, err_msg=name)


def test_factors_stand_where_their_arrays_do() -> None:
    for net in NETWORKS.values():
        counts = [len(arrays) for arrays in net.arrays]
        assert [len(one) for one in rate_factors(net, PLAN)] == [len(one) for one in decay_factors(net, PLAN)] == counts


# --- numbers of each step ---


@on_every_engine
def test_a_steps_dropout_is_the_one_of_a_plan_with_it(kind: type[Engine]) -> None:
    rates = np.full(12, 0.01)
    for share in (0.0, 0.3):
        _, stated = trained(kind, ALL, PLAN.replace({"dropout": share}), steps=Steps(rates))
        for plans in (0.0, 0.5):
            other = PLAN.replace({"dropout": plans})
            _, stepwise = trained(kind, ALL, other, steps=Steps(rates, dropouts=np.full(12, share)))
            assert largest_difference(stated.parameters(), stepwise.parameters()) == 0.0
    mixed = np.where(np.arange(12) < 6, 0.3, 0.0)
    _, engine = trained(kind, ALL, PLAN.replace({"dropout": 0.0}), steps=Steps(rates, dropouts=mixed))
    assert largest_difference(stated.parameters(), engine.parameters()) > 1e-4


# --- smoothing ---


def biases_alone(
    kind: type[Engine], head: HeadName, z: Any, targets: NDArray[Any], smoothing: float, weights: Weights = UNWEIGHTED
) -> tuple[float, NDArray[np.float64]]:
    """Of one row whose logits are the biases: its loss, and the gradient by them."""
    engine = kind(Network((Dense(len(z)),)).with_input(1), head)
    engine.set_parameters([(np.zeros((len(z), 1), np.float32), np.array(z, np.float32))])
    plan = Plan(optimizer="sgd", momentum=0.0, learning_rate=1.0, batch_size=1, label_smoothing=smoothing)
    engine.start(plan, 0)
    nothing = Features(np.zeros((1, 1), np.float32))
    loss = engine.train_span(nothing, targets, np.arange(1), Steps(np.ones(1)), 0.0, weights)
    return loss, np.array(z) - engine.parameters()[0][1]


@on_every_engine
@pytest.mark.parametrize("form", ["class", "probabilities"])
def test_a_smoothed_class_has_the_closed_form(kind: type[Engine], form: str) -> None:
    """loss lse(z) - Σ q z and gradient softmax(z) - q, with q = (1 - ε) t + ε / c."""
    z, share = np.array([0.5, -1.0, 2.0]), 0.25
    t = np.array([0, 1, 0]) if form == "class" else np.array([0.25, 0.125, 0.625])
    targets = np.array([1], np.int32) if form == "class" else t[None].astype(np.float32)
    q = (1 - share) * t + share / 3

    loss, gradient = biases_alone(kind, "softmax", z, targets, share)

    total = np.exp(z).sum()
    assert loss == pytest.approx(np.log(total) - q @ z, rel=1e-14)
    np.testing.assert_allclose(gradient, np.exp(z) / total - q, atol=3e-7)


@on_every_engine
def test_a_smoothed_label_has_the_closed_form_and_an_unknown_one_stays_unknown(kind: type[Engine]) -> None:
    """With q = (1 - ε) t + ε / 2 and weight w of q: (1 - q) softplus(z) + w q softplus(-z)."""
    z, share, w = np.array([0.5, -1.0, 2.0, 0.75]), 0.25, np.array([1.0, 3.0, 0.5, 2.0])
    t = np.array([1, 0, 0.5, np.nan])
    q = (1 - share) * t[:3] + share / 2

    loss, gradient = biases_alone(kind, "sigmoid", z, t[None].astype(np.float32), share, Weights(None, w))

    yes = 1 / (1 + np.exp(-z[:3]))
    each = -(1 - q) * np.log(1 - yes) - w[:3] * q * np.log(yes)
    assert loss == pytest.approx(each.sum(), rel=1e-14)
    np.testing.assert_allclose(gradient, [*((1 - q) * yes - w[:3] * q * (1 - yes)), 0.0], atol=3e-7)


# --- where training begins ---


@on_every_engine
def test_first_parameters_are_drawn_as_they_are_described(kind: type[Engine]) -> None:
    net = Network(
        (Periodic(64, 48, 0.25), Embedding(16), Scaling(), Dense(300, "parametric_selu"), Dense(C))
    ).with_input(40, Columns(tuple(range(30)), ((30, 500), (31, 7))))
    engine = kind(net, "softmax")
    ends = []
    for seed in (4, 5, 4):
        engine.initialise(seed)
        ends.append(named(net, engine.parameters()))
        assert largest_difference(engine.parameters(), initial_parameters(net, seed)) == 0.0
    for name, array in ends[0].items():
        is_constant = name.split()[1] in ("factors", "slopes", "biases")
        assert np.array_equal(array, ends[2][name])
        assert is_constant == np.array_equal(array, ends[1][name])
        assert not is_constant or (array == (0.0 if name.endswith("biases") else 1.0)).all()
        if array.size > 1000 and not is_constant:
            assert len(np.unique(array)) > 0.95 * array.size

    first = ends[0]
    for name, spread in (("0 frequencies", 0.25), ("1 vectors", 1.0)):
        unit = first[name].astype(float) / spread
        size = unit.size
        # Five standard errors of a normal's mean, variance and kurtosis.
        assert abs(unit.mean()) < 5 / size**0.5
        assert abs(unit.var() - 1) < 5 * (2 / size) ** 0.5
        assert abs((unit**4).mean() - 2.9) < 0.1 + 5 * (96 / size) ** 0.5  # twelve uniform numbers: 3 - 1.2 / 12
    for name, bound in (("0 phases", 0.5), ("0 mixtures", 1 / 8), ("0 shifts", 1 / 8), ("3 weights", None)):
        array = first[name].astype(float)
        bound = bound if bound is not None else (3 / array.shape[1]) ** 0.5
        assert np.abs(array).max() <= np.float32(bound)
        assert abs(array.mean()) < 5 * bound / (3 * array.size) ** 0.5
        assert abs((array**2).mean() / bound**2 - 1 / 3) < 5 * (4 / 45 / array.size) ** 0.5


def from_data(
    kind: type[Engine], net: Network, x_nd: NDArray[np.float32], some: NDArray[np.int64], seed: int = 7, n: int = 1
) -> Parameters:
    return parameters_from_data(net, seed, Features(x_nd), some, lambda cut: kind(cut, "sigmoid", n_threads=n))


@on_every_engine
@of_every_network
def test_a_start_from_the_data_gives_every_unit_variance_1_and_a_bend_among_the_rows(
    kind: type[Engine], net: Network
) -> None:
    x_nd, some = rows(), np.arange(10, 90)
    parameters, plain = from_data(kind, net, x_nd, some), initial_parameters(net, 7)
    front = len(net.front)
    if isinstance(net.of_numbers, PiecewiseLinear):
        plain[:front] = parameters_with_edges(net, 7, Features(x_nd), some)[:front]
    assert front == 0 or largest_difference(parameters[:front], plain[:front]) == 0.0
    for number, layer in enumerate(net.dense, front):
        cut = dataclasses.replace(net, layers=(*net.layers[:number], dataclasses.replace(layer, activation="linear")))
        engine = ReferenceEngine(cut, "sigmoid")
        weights_hd, biases_h = parameters[number][:2]
        engine.set_parameters([*parameters[:number], (weights_hd, np.zeros_like(biases_h))])
        z_nh = engine.logits(Features(x_nd[some])).astype(float)
        np.testing.assert_allclose(z_nh.var(axis=0), 1, rtol=1e-5)  # float32 sums
        assert (-biases_h > z_nh.min(axis=0)).all() and (-biases_h < z_nh.max(axis=0)).all()
        # The mean of five rows with Dirichlet(1, ..., 1) weights has the variance Σ E[w²] = 2/6 of a row's own.
        if layer.units > 30:
            assert 0.1 < (biases_h + z_nh.mean(axis=0)).var() < 0.8
        ratio = weights_hd / plain[number][0]
        np.testing.assert_allclose(ratio, ratio[:, :1].repeat(ratio.shape[1], axis=1), rtol=1e-6)


@on_every_engine
def test_a_start_from_the_data_is_fixed_by_seed_and_rows(kind: type[Engine]) -> None:
    x_nd, some = rows(), np.arange(N)
    first = from_data(kind, ALL, x_nd, some)
    n = 1 if kind.name == "torch" else 3  # which promises the same bits for the same number of threads alone
    assert largest_difference(first, from_data(kind, ALL, x_nd, some, n=n)) == 0.0
    assert largest_difference(first, from_data(kind, ALL, x_nd, some, seed=8)) > 1e-3
    other = x_nd.copy()
    other[::3, 2] += 1
    assert largest_difference(first, from_data(kind, ALL, other, some)) > 1e-3


@on_every_engine
def test_a_unit_without_variance_keeps_its_weights_and_its_bend_is_where_the_rows_are(kind: type[Engine]) -> None:
    x_nd = np.repeat(rows()[:1], 20, axis=0)
    net = NETWORKS["scaling"]
    parameters, plain = from_data(kind, net, x_nd, np.arange(20)), initial_parameters(net, 7)
    weights_hd, biases_h = parameters[1]
    assert np.array_equal(weights_hd, plain[1][0])
    np.testing.assert_allclose(biases_h, -(weights_hd.astype(float) @ x_nd[0]), rtol=1e-5, atol=1e-6)


def test_of_very_many_rows_some_are_taken_evenly() -> None:
    n = 3 * DATA_ROWS
    x_nd, net = rows(n=n), NETWORKS["scaling"]
    taken = np.arange(0, n, 3)
    every = from_data(ReferenceEngine, net, x_nd, np.arange(n))
    assert largest_difference(every, from_data(ReferenceEngine, net, x_nd, taken)) == 0.0
    with_hole = x_nd.copy()
    with_hole[1::3] = 100.0
    assert largest_difference(every, from_data(ReferenceEngine, net, with_hole, np.arange(n))) == 0.0


# --- edges among the values of a column ---


def test_edges_of_a_smooth_column_are_its_quantiles() -> None:
    x_n = np.random.default_rng(0).permutation(np.arange(401, dtype=np.float32))
    np.testing.assert_array_equal(edges_among(x_n, 41), np.arange(0, 401, 10))
    np.testing.assert_array_equal(edges_among(x_n, 2), [0, 400])


def test_a_column_of_few_values_has_an_edge_at_each_and_repeats_the_last_one() -> None:
    x_n = np.repeat(np.array([4, -1, 2], np.float32), 50)
    np.testing.assert_array_equal(edges_among(x_n, 6), [-1, 2, 4, 4, 4, 4])
    np.testing.assert_array_equal(edges_among(x_n[:50], 3), [4, 4, 4])
    np.testing.assert_array_equal(edges_among(x_n[:1], 2), [4, 4])


def test_values_of_few_rows_have_edges_where_they_occur_often_enough() -> None:
    """Of 10 000 rows nearly all are 0: no quantile sees the amounts, of which every other one occurs three times."""
    often, seldom = np.arange(10, 30, 2, dtype=np.float32), np.arange(11, 31, 2, dtype=np.float32)
    x_n = np.concatenate([np.zeros(10_000, np.float32), np.repeat(often, 3), np.repeat(seldom, 2)])
    edges = edges_among(x_n, 21)
    np.testing.assert_array_equal(np.unique(edges), [0, *often, 29])  # and the largest value of all


@pytest.mark.parametrize("count", [2, 3, 4, 5, 20, 49, 1025])
@pytest.mark.parametrize("name", ["cauchy", "whole", "mostly one", "one value"])
def test_edges_ascend_are_values_that_occur_and_span_them(name: str, count: int) -> None:
    rng = np.random.default_rng(count)
    columns = {
        "cauchy": rng.standard_cauchy(5000),
        "whole": rng.poisson(30, 5000),
        "mostly one": np.where(rng.random(5000) < 0.9, 0, rng.integers(0, 300, 5000)),
        "one value": np.full(5000, 3.25),
    }
    x_n = columns[name].astype(np.float32)
    edges = edges_among(x_n, count)
    assert edges.shape == (count,)
    assert edges.dtype == np.float32
    assert np.isin(edges, x_n).all()
    assert (np.diff(edges) >= 0).all()
    assert (edges[0], edges[-1]) == (x_n.min(), x_n.max())
    np.testing.assert_array_equal(edges, edges_among(x_n[::-1].copy(), count))


def test_first_edges_are_those_of_the_training_rows_in_the_form_that_enters() -> None:
    x_nd, net = rows(), NETWORKS["piecewise"]
    some = np.arange(10, 90)
    plain = initial_parameters(net, 7)
    np.testing.assert_array_equal(plain[0][0], np.tile(np.linspace(-3, 3, 8, dtype=np.float32), (3, 1)))
    assert not plain[0][1].any()
    assert not plain[0][2].any()

    parameters = parameters_with_edges(net, 7, Features(x_nd), some)
    for edges, feature in zip(parameters[0][0], COLUMNS.numbers, strict=True):
        np.testing.assert_array_equal(edges, edges_among(x_nd[some, feature], 8))
    assert largest_difference(parameters[1:], plain[1:]) == 0.0

    as_bytes = np.clip(np.round((x_nd + 1) * 8), 0, 255).astype(np.uint8)
    of_bytes = parameters_with_edges(net, 7, Features(as_bytes, 1 / 8, -1.0), some)
    of_floats = parameters_with_edges(net, 7, Features(as_bytes.astype(np.float32) / 8 - 1), some)
    assert largest_difference(of_bytes, of_floats) == 0.0


def test_of_very_many_rows_some_say_where_the_edges_are() -> None:
    net = Network((PiecewiseLinear(4, 1), Dense(2))).with_input(1, Columns((0,)))
    x_nd = np.zeros((3 * EDGE_ROWS, 1), np.float32)
    x_nd[::3, 0] = np.arange(EDGE_ROWS)
    x_nd[1::3] = 1e9
    [edges] = parameters_with_edges(net, 0, Features(x_nd), np.arange(len(x_nd)))[0][0]
    np.testing.assert_array_equal(edges, edges_among(x_nd[::3, 0], 5))
