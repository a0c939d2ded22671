"""What must not change a bit: the order of rows, how they are split, the threads, the mirror of the sigmoid."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits import logits as from_logits
from fromlogits.data.features import Features
from fromlogits.engines.base import Steps
from fromlogits.engines.native import NativeEngine
from fromlogits.spec import Dense, Network, Plan
from tests.numerics import truth
from tests.numerics.test_accuracy import CASES, logits_of


def same(a: Any, b: Any) -> bool:
    """Bit for bit."""
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("c", [1, 2, 9, 10, 41, 100, 300])
@pytest.mark.parametrize("case", CASES)
def test_a_row_has_the_same_bits_in_any_order_and_any_batch(case: str, c: int, dtype: str) -> None:
    n = 37
    z_nc, labels_n = logits_of(case, n, c, dtype)
    t_nc = fl.softmax(z_nc[::-1])
    t_nc = np.where(np.isfinite(z_nc), t_nc, 0) + 1e-3 * np.isfinite(z_nc)
    t_nc = (t_nc / t_nc.sum(axis=1, keepdims=True)).astype(dtype)
    order = np.random.default_rng(0).permutation(n)

    for targets in (labels_n, t_nc):
        losses_n, dlogits_nc = fl.softmax_cross_entropy(z_nc, targets, reduction="none", with_gradient=True)
        permuted = fl.softmax_cross_entropy(z_nc[order], targets[order], reduction="none", with_gradient=True)
        assert same(permuted[0], losses_n[order]) and same(permuted[1], dlogits_nc[order])
        for part in (slice(0, 1), slice(5, 6), slice(1, 9), slice(30, 37)):
            alone = fl.softmax_cross_entropy(z_nc[part], targets[part], reduction="none", with_gradient=True)
            assert same(alone[0], losses_n[part]) and same(alone[1], dlogits_nc[part])
        for reduction in ("mean", "sum"):
            value = fl.softmax_cross_entropy(z_nc, targets, reduction=reduction)
            assert same(fl.softmax_cross_entropy(z_nc[order], targets[order], reduction=reduction), value)
    for function in (fl.softmax, fl.log_softmax, fl.logsumexp):
        assert same(function(z_nc[order]), function(z_nc)[order])
        assert same(function(z_nc[3:4]), function(z_nc)[3:4])


@pytest.mark.parametrize("c", [3, 10, 41, 100])
@pytest.mark.parametrize("case", CASES)
def test_classes_in_another_order_keep_the_bits_or_the_bound(case: str, c: int) -> None:
    n = 40
    z_nc, labels_n = logits_of(case, n, c, "float32")
    order = np.random.default_rng(1).permutation(c)
    at = np.argsort(order)

    losses_n, dlogits_nc = fl.softmax_cross_entropy(z_nc, labels_n, reduction="none", with_gradient=True)
    moved_n, moved_nc = fl.softmax_cross_entropy(z_nc[:, order], at[labels_n], reduction="none", with_gradient=True)

    for i in range(n):
        if same(losses_n[i], moved_n[i]) and same(dlogits_nc[i][order], moved_nc[i]):
            continue
        loss, gradient_c = truth.cross_entropy(z_nc[i], int(labels_n[i]))
        assert truth.ulps(losses_n[i], loss) <= 0.51 and truth.ulps(moved_n[i], loss) <= 0.51
        assert truth.ulps(dlogits_nc[i], gradient_c) <= 0.51 and truth.ulps(moved_nc[i][at], gradient_c) <= 0.51


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("t", [0.0, 1.0, 0.5, 0.25, 0.375])  # 1 − t is exact
def test_the_sigmoid_loss_is_its_own_mirror(t: float, dtype: str) -> None:
    z_n = np.concatenate([np.linspace(-130, 130, 999), np.logspace(-30, 5, 500), [0.0, np.inf, -np.inf]]).astype(dtype)
    t_n = np.full(z_n.shape, t, dtype)

    losses_n, dlogits_n = fl.sigmoid_cross_entropy(z_n, t_n, reduction="none", with_gradient=True)
    mirrored_n, dmirrored_n = fl.sigmoid_cross_entropy(-z_n, 1 - t_n, reduction="none", with_gradient=True)

    assert same(mirrored_n, losses_n)
    assert same(dmirrored_n + 0.0, -dlogits_n + 0.0)  # +0 for −0: a gradient of 0 is +0 on both sides


@pytest.mark.parametrize("n", [1, 7, 8, 9, 31, 100, 5000])
def test_an_entry_of_the_sigmoid_loss_has_the_same_bits_anywhere(n: int) -> None:
    generator = np.random.default_rng(n)
    z_n = (20 * generator.normal(size=n)).astype(np.float32)
    t_n = np.where(generator.random(n) < 0.3, generator.random(n), generator.random(n) < 0.5).astype(np.float32)
    t_n[generator.random(n) < 0.1] = np.nan
    order = generator.permutation(n)

    losses_n, dlogits_n = fl.sigmoid_cross_entropy(z_n, t_n, reduction="none", with_gradient=True)
    permuted = fl.sigmoid_cross_entropy(z_n[order], t_n[order], reduction="none", with_gradient=True)
    assert same(permuted[0], losses_n[order]) and same(permuted[1], dlogits_n[order])
    for i in {0, n // 2, n - 1}:
        loss, gradient = fl.sigmoid_cross_entropy(z_n[i], t_n[i], reduction="none", with_gradient=True)
        assert same(loss, losses_n[i]) and same(gradient, dlogits_n[i])
    mean = fl.sigmoid_cross_entropy(z_n, t_n)
    assert same(fl.sigmoid_cross_entropy(z_n[order], t_n[order]), mean)


@pytest.mark.parametrize("shape", [(40_000, 10), (3_000, 100), (8, 70_000)])
def test_threads_change_no_bit(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    n, c = shape
    z_nc, labels_n = logits_of("spread", n, c, "float32")
    results = []
    for threads in (1, 2, 3, 7):
        monkeypatch.setenv("FROMLOGITS_THREADS", str(threads))
        results.append(
            [
                *fl.softmax_cross_entropy(z_nc, labels_n, with_gradient=True),
                *fl.sigmoid_cross_entropy(z_nc, (z_nc > 0).astype(np.float32), with_gradient=True),
                fl.softmax(z_nc),
                fl.sigmoid(z_nc),
            ]
        )
    for other in results[1:]:
        assert all(same(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", ["normal", "confident", "spread"])
@pytest.mark.parametrize("n", [1, 9, 1000])
def test_the_mean_is_the_exact_one_rounded_once(n: int, case: str, weighted: bool) -> None:
    z_nc, labels_n = logits_of(case, n, 7, "float32")
    weights_n = np.random.default_rng(n).uniform(0, 2, n) if weighted else np.ones(n)

    mean = fl.softmax_cross_entropy(z_nc, labels_n, example_weights=weights_n if weighted else None)
    total = fl.softmax_cross_entropy(z_nc, labels_n, reduction="sum", example_weights=weights_n if weighted else None)

    rows = [Fraction(loss) for loss in from_logits.softmax_losses(z_nc, labels_n).tolist()]
    exact = sum((Fraction(w) * row for w, row in zip(weights_n.tolist(), rows, strict=True)), Fraction())
    assert mean == nearest(exact / sum(map(Fraction, weights_n.tolist())))
    assert total == nearest(exact)


def nearest(value: Fraction) -> np.float32:
    """The float32 next to a number in its range; no ties come up."""
    guess = np.float32(float(value))
    candidates = [guess, np.nextafter(guess, np.float32(np.inf)), np.nextafter(guess, np.float32(-np.inf))]
    return min(candidates, key=lambda x: abs(Fraction(float(x)) - value))


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_a_training_step_uses_the_very_kernels_of_the_public_functions(head: Any) -> None:
    """One step of plain SGD on a network of one linear layer moves its biases by the sum of the public gradients."""
    n, d, c = 50, 3, 6
    generator = np.random.default_rng(3)
    x_nd = generator.normal(size=(n, d)).astype(np.float32)
    labels_n = generator.integers(0, c, n).astype(np.int32)
    targets: NDArray[Any] = labels_n if head == "softmax" else (generator.random((n, c)) < 0.4).astype(np.float32)
    engine = NativeEngine(Network((Dense(c),)).with_input(d), head)
    engine.initialise(5)
    [(_, before_c)] = engine.parameters()
    z_nc = engine.logits(Features(x_nd))

    engine.start(Plan(optimizer="sgd", momentum=0.0, weight_decay=0.0, learning_rate=1.0, batch_size=n), 0)
    loss = engine.train_span(Features(x_nd), targets, np.arange(n), Steps(np.ones(1)))

    if head == "softmax":
        _, dlogits_nc = fl.softmax_cross_entropy(z_nc, targets, with_gradient=True)
        losses_n = from_logits.softmax_losses(z_nc, targets)
    else:
        _, dlogits_nc = fl.sigmoid_cross_entropy(z_nc, targets, reduction="none", with_gradient=True)
        dlogits_nc = (dlogits_nc.astype(np.float64) / n).astype(np.float32)
        losses_n = from_logits.sigmoid_losses(z_nc, targets).sum(axis=1)
    [(_, after_c)] = engine.parameters()
    expected_c = before_c - dlogits_nc.astype(np.float64).sum(axis=0).astype(np.float32)
    # The sigmoid gradient is rounded once here and twice in the expectation: half a unit of the sum of 50.
    np.testing.assert_allclose(after_c, expected_c, rtol=0 if head == "softmax" else 2e-7)
    assert loss == pytest.approx(losses_n.sum(), rel=1e-15)
