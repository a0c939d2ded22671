"""Networks over pictures: the reference against finite differences, the torch engine against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits.data.features import Features
from fromlogits.engines.augmentation import augmented
from fromlogits.engines.base import Engine, Parameters, Steps, Weights
from fromlogits.engines.initialisation import initial_parameters
from fromlogits.engines.reference import ReferenceEngine
from fromlogits.spec import OPTIMIZERS, Dense, HeadName, Network, Plan, Residual
from tests.every_engine import TORCH, needs_torch

HEADS: list[HeadName] = ["softmax", "sigmoid"]
ENGINES = [ReferenceEngine, TORCH]
N, C = 24, 3
SHAPES: dict[str, tuple[tuple[int, ...], Residual]] = {
    "grey": ((7, 6), Residual((4, 5), 1, 1)),
    "colours, two blocks, one width": ((8, 8, 3), Residual((4, 4), 2, 2)),
    "large patches": ((9, 10, 2), Residual((3, 6, 5), 1, 3)),
}
PLAN = Plan(learning_rate=0.01, weight_decay=0.1, batch_size=8, dropout=0.2, clip_norm=0.5, label_smoothing=0.1)


def network(name: str) -> Network:
    shape, residual = SHAPES[name]
    return Network((residual, Dense(7, "relu"), Dense(C))).with_input(int(np.prod(shape)), picture_shape=shape)


def pictures(net: Network, n: int = N) -> NDArray[np.float32]:
    assert net.n_features is not None
    return np.random.default_rng(0).normal(size=(n, net.n_features)).astype(np.float32)


def targets_of(head: HeadName, n: int = N) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    if head == "softmax":
        return rng.integers(0, C, n).astype(np.int32)
    return (rng.random((n, C)) < 0.4).astype(np.float32)


def some_parameters(net: Network) -> Parameters:
    """All arrays away from what they begin with; variances stay positive."""
    rng = np.random.default_rng(5)
    return [
        tuple((a * (1 + 0.2 * rng.random(a.shape)) + 0.2 * rng.random(a.shape)).astype(np.float32) for a in layer)
        for layer in initial_parameters(net, 5)
    ]


def largest_difference(a: Parameters, b: Parameters) -> float:
    return max(float(np.abs(p - q).max()) for x, y in zip(a, b, strict=True) for p, q in zip(x, y, strict=True))


def trained(
    kind: type[Engine], net: Network, plan: Plan, head: HeadName = "softmax", spans: tuple[int, ...] = (6,)
) -> tuple[float, Engine]:
    """After six steps of eight rows, so many in each call."""
    engine = kind(net, head)
    engine.set_parameters(some_parameters(net))
    engine.start(plan, 3)
    order = np.tile(np.random.default_rng(0).permutation(N), 2)
    loss, at = 0.0, 0
    for count in spans:
        rows = order[at * 8 : (at + count) * 8]
        loss = engine.train_span(Features(pictures(net)), targets_of(head), rows, Steps(np.full(count, 0.01)), loss)
        at += count
    return loss, engine


of_every_shape = pytest.mark.parametrize("net", [network(name) for name in SHAPES], ids=SHAPES)


@of_every_shape
@pytest.mark.parametrize("head", HEADS)
def test_the_gradient_is_the_one_of_finite_differences(head: HeadName, net: Network) -> None:
    engine = ReferenceEngine(net, head)
    engine.set_parameters(some_parameters(net))
    engine.start(Plan(label_smoothing=0.1), 0)
    x_nd, targets = pictures(net, 5).astype(float), targets_of(head, 5)
    weights = Weights(np.linspace(0.5, 1.5, 5))
    _, gradient = engine.gradient(x_nd, targets, weights)
    rng = np.random.default_rng(0)
    for names, arrays, of_layer in zip(net.arrays, engine.layers, gradient, strict=True):
        for name, array, expected in zip(names, arrays, of_layer, strict=True):
            if name.startswith(("means", "variances")):  # in a training step the batch has its own
                assert not expected.any()
                continue
            for at in rng.permutation(array.size)[:12]:
                place, step = np.unravel_index(at, array.shape), 1e-6
                ends = []
                for way in (step, -2 * step):
                    array[place] += way
                    ends.append(engine.gradient(x_nd, targets, weights)[0].mean())
                array[place] += step
                # Losses of size 1 are rounded, and a relu may bend within the step.
                assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected[place], rel=1e-5, abs=2e-8)


@pytest.mark.parametrize("kind", [TORCH])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@of_every_shape
@pytest.mark.parametrize("head", HEADS)
def test_training_follows_the_reference(kind: type[Engine], head: HeadName, net: Network, optimizer: str) -> None:
    plan = PLAN.replace({"optimizer": optimizer, "epsilon": 1e-6})
    expected_loss, reference = trained(ReferenceEngine, net, plan, head)
    before = ReferenceEngine(net, head)
    before.set_parameters(some_parameters(net))

    loss, engine = trained(kind, net, plan, head)

    # A norm divides by the root of a variance over few positions: float32 rounding, magnified as by Adam.
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert largest_difference(engine.parameters(), reference.parameters()) < 5e-5
    assert largest_difference(before.parameters(), reference.parameters()) > 1e-2
    x = Features(pictures(net))
    np.testing.assert_allclose(engine.logits(x), reference.logits(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [TORCH])
@pytest.mark.parametrize("n", [3, 5, 23])
def test_few_channels_an_odd_batch_and_two_threads_follow_the_reference(kind: type[Engine], n: int) -> None:
    """oneDNN's gradient of a convolution of 1 by 1 in steps of two is wrong there, or ends the process (3.12)."""
    net = Network((Residual((8, 16), 1, 1), Dense(C))).with_input(360, picture_shape=(12, 10, 3))
    ends = []
    for engine in (ReferenceEngine(net, "softmax"), kind(net, "softmax", n_threads=2)):
        engine.set_parameters(some_parameters(net))
        engine.start(PLAN.replace({"optimizer": "sgd", "batch_size": n}), 0)
        for _ in range(10):
            engine.train_span(
                Features(pictures(net, n)), targets_of("softmax", n), np.arange(n), Steps(np.full(1, 0.01))
            )
        ends.append(engine.parameters())
    assert largest_difference(*ends) < 5e-5


@pytest.mark.parametrize("kind", ENGINES)
@of_every_shape
def test_the_length_of_a_span_never_changes_the_bits(kind: type[Engine], net: Network) -> None:
    plan = PLAN.replace({"shift": 0.2, "flip": True, "zoom": 0.2, "colour": 0.3, "cut_out": 0.3})
    ends = [trained(kind, net, plan, spans=spans) for spans in ((6,), (1, 2, 3), (1,) * 6)]
    for loss, engine in ends[1:]:
        assert loss == ends[0][0]
        assert largest_difference(ends[0][1].parameters(), engine.parameters()) == 0.0


@pytest.mark.parametrize("kind", ENGINES)
@of_every_shape
def test_a_row_has_the_same_logits_alone_and_among_others(kind: type[Engine], net: Network) -> None:
    engine = kind(net, "softmax", n_threads=2)
    engine.set_parameters(some_parameters(net))
    x = pictures(net)
    alone = np.concatenate([engine.logits(Features(x[i : i + 1])) for i in range(N)])
    tolerance = 1e-6 if kind is ReferenceEngine else 0.0  # NumPy's products of other sizes may round otherwise
    np.testing.assert_allclose(engine.logits(Features(x)), alone, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", [TORCH])
@of_every_shape
def test_predictions_have_the_same_bits_for_any_number_of_threads(kind: type[Engine], net: Network) -> None:
    x = Features(pictures(net, 75))
    ends = []
    for n_threads in (1, 2, 5):
        engine = kind(net, "softmax", n_threads=n_threads)
        engine.set_parameters(some_parameters(net))
        ends.append(engine.logits(x))
    assert len(np.unique(ends[0], axis=0)) == 75
    assert np.array_equal(ends[0], ends[1])
    assert np.array_equal(ends[0], ends[2])


@pytest.mark.parametrize("kind", [TORCH])
def test_bytes_of_colours_enter_as_pictures(kind: type[Engine]) -> None:
    net = network("colours, two blocks, one width")
    values = np.random.default_rng(0).integers(0, 256, (N, 192)).astype(np.uint8)
    ends = []
    for each in (kind, ReferenceEngine):
        engine = each(net, "softmax")
        engine.set_parameters(some_parameters(net))
        ends.append(engine.logits(Features(values, 1 / 80, -1.5)))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ENGINES)
def test_a_batch_of_one_value_a_channel_leaves_the_norms_finite(kind: type[Engine]) -> None:
    net = Network((Residual((3, 4), 1, 2), Dense(C))).with_input(4, picture_shape=(2, 2))
    engine = kind(net, "softmax")
    engine.set_parameters(some_parameters(net))
    engine.start(Plan(batch_size=1), 0)
    engine.train_span(Features(pictures(net)), targets_of("softmax"), np.arange(5), Steps(np.full(5, 0.01)))
    assert all(np.isfinite(array).all() for layer in engine.parameters() for array in layer)


@pytest.mark.parametrize("kind", [TORCH])
def test_bfloat16_is_a_rounding_of_convolutions_in_training_and_of_no_prediction(kind: type[Engine]) -> None:
    net = network("colours, two blocks, one width")
    expected_loss, _ = trained(ReferenceEngine, net, PLAN)
    loss, engine = trained(kind, net, PLAN.replace({"precision": "bfloat16"}))
    assert loss != expected_loss
    assert loss == pytest.approx(expected_loss, rel=0.02)  # a product of 27 to 36 numbers with 8 bits each
    copy = ReferenceEngine(net, "softmax")
    copy.set_parameters(engine.parameters())
    x = Features(pictures(net))
    np.testing.assert_allclose(engine.logits(x), copy.logits(x), rtol=1e-4, atol=1e-5)


@needs_torch
def test_norms_are_folded_once_for_all_predictions_by_the_same_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    from fromlogits.engines import torch as room

    counted, fold = list[int](), room._folded

    def folded(arrays: Any) -> Any:
        counted.append(1)
        return fold(arrays)

    monkeypatch.setattr(room, "_folded", folded)
    net = network("grey")
    x, y = Features(pictures(net)), targets_of("softmax")
    engine = room.TorchEngine(net, "softmax")
    seen = []
    for change in (
        lambda: engine.set_parameters(some_parameters(net)),
        lambda: engine.start(Plan(batch_size=8), 0),
        lambda: engine.train_span(x, y, np.arange(8), Steps(np.ones(1))),
        lambda: engine.train_span(x, y, np.arange(8), Steps(np.ones(1))),
        engine.finish,
        lambda: engine.initialise(1),
    ):
        change()
        fresh = room.TorchEngine(net, "softmax")
        fresh.set_parameters(engine.parameters())
        before = len(counted)
        seen += [engine.logits(x), engine.logits(x, np.arange(3))]
        assert len(counted) - before <= 1
        assert np.array_equal(seen[-2], fresh.logits(x))
    assert len(counted) == 4 + 6


@pytest.mark.parametrize("kind", ENGINES)
def test_what_weighs_nothing_moves_the_norms_alone(kind: type[Engine]) -> None:
    net = network("grey")
    engine = kind(net, "softmax")
    engine.set_parameters(some_parameters(net))
    engine.start(Plan(optimizer="sgd", batch_size=8), 0)
    weights = Weights(np.zeros(N))
    x, y = Features(pictures(net)), targets_of("softmax")
    assert engine.train_span(x, y, np.arange(8), Steps(np.ones(1)), 0.0, weights) == 0
    for names, before, after in zip(net.arrays, some_parameters(net), engine.parameters(), strict=True):
        for name, a, b in zip(names, before, after, strict=True):
            assert np.array_equal(a, b) != name.startswith(("means", "variances")), name


# --- augmentation ---


def a_picture() -> NDArray[np.float64]:
    return np.arange(2 * 6 * 8 * 3, dtype=float).reshape(2, 6, 8, 3)


def test_no_change_is_the_picture_itself_and_a_mirror_is_one() -> None:
    x = a_picture()
    assert np.array_equal(augmented(x, Plan(), 0, 0), x)
    seen = np.concatenate([augmented(x[:1], Plan(flip=True), 0, step) for step in range(200)])
    as_is, mirrored = ((seen == each).all(axis=(1, 2, 3)) for each in (x[:1], x[:1, :, ::-1]))
    assert (as_is ^ mirrored).all()
    assert 70 < mirrored.sum() < 130  # four standard deviations of 200 throws


def test_a_shift_moves_by_whole_pixels_and_repeats_the_edge() -> None:
    x, found = a_picture()[:1], set()
    for step in range(300):
        out = augmented(x, Plan(shift=0.3), 1, step)[0]
        places = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-3, 4)
            if np.array_equal(out, x[0][np.clip(np.arange(6) + dy, 0, 5)][:, np.clip(np.arange(8) + dx, 0, 7)])
        ]
        assert len(places) == 1
        found.add(places[0])
    assert {dy for dy, _ in found} == {-2, -1, 0, 1, 2}  # 0.3 of 6
    assert {dx for _, dx in found} == {-2, -1, 0, 1, 2}  # 0.3 of 8


def test_a_cut_sets_a_square_to_the_mean_and_a_colour_is_a_line() -> None:
    x = 1 + np.random.default_rng(0).random((1, 10, 10, 3))
    sizes = [int((augmented(x, Plan(cut_out=0.4), 0, step) == 0).all(axis=3).sum()) for step in range(200)]
    assert max(sizes) == 16 and min(sizes) < 16
    out = augmented(x, Plan(colour=0.2), 0, 0)
    for channel in range(3):
        slope, offset = np.polyfit(x[..., channel].ravel(), out[..., channel].ravel(), 1)
        assert 0.8 <= slope <= 1.2 and abs(offset) <= 0.2
        np.testing.assert_allclose(out[..., channel], slope * x[..., channel] + offset, rtol=1e-12)


def test_a_zoom_of_a_half_shows_between_two_thirds_and_one_and_a_half() -> None:
    x = np.tile(np.arange(31.0)[None, :, None, None], (1, 1, 5, 1))
    spans = [float(np.ptp(augmented(x, Plan(zoom=0.5), 0, step))) for step in range(300)]
    assert max(spans) == 30 and 19 <= min(spans) <= 21  # 30 / 1.5
