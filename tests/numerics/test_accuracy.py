"""Every loss, gradient and probability against mpmath, by its own last place: an absolute tolerance would hide zeros.

`FROMLOGITS_ISA` chooses the kernels; test_instruction_sets.py runs this file with each set of the machine.
"""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from numpy.typing import NDArray

import fromlogits as fl
from tests.numerics import truth

# Half a unit is the rounding itself; what the float64 inside adds is far below a hundredth. Float64 logits: 4 units.
BOUND = {"float32": 0.51, "float64": 4.0}
SOFTMAX_DIFFERENCE = mp.mpf(2) ** -48  # of a gradient near 0 whose target is a probability
SIGMOID_DIFFERENCE = mp.mpf(2) ** -50

CLASSES = [2, 3, 7, 8, 9, 10, 40, 41, 100, 1000]
CASES = ["normal", "narrow", "spread", "tied", "two-way tie", "offset 1e4", "offset -1e6", "masked", "confident", "far"]


def logits_of(case: str, n: int, c: int, dtype: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Logits (n, c) and classes (n,): any class in odd rows, the largest in even ones."""
    generator = np.random.default_rng([n, c, CASES.index(case)])
    z_nc = 3 * generator.normal(size=(n, c))
    labels_n = generator.integers(0, c, n)
    if case == "narrow":
        z_nc *= 1e-3
    elif case == "spread":
        z_nc = generator.uniform(-100, 100, (n, c))
    elif case == "tied":
        z_nc = np.repeat(z_nc[:, :1], c, axis=1)
    elif case == "two-way tie":
        z_nc[np.arange(n), labels_n] = z_nc.max(axis=1)
    elif case.startswith("offset"):
        z_nc += float(case.split()[1])
    elif case == "masked":
        z_nc[generator.random((n, c)) < 0.5] = -np.inf
        z_nc[np.arange(n), labels_n] = generator.normal(size=n)
    elif case == "confident":  # the lead at which float32 holds the loss as a normal, then as a subnormal number
        z_nc[np.arange(n), labels_n] = z_nc.max(axis=1) + np.linspace(3, 103, n)
    elif case == "far":
        z_nc *= 10.0 ** generator.uniform(0, 30, (n, 1))
    z_nc = z_nc.astype(dtype)
    labels_n[::2] = z_nc.argmax(axis=1)[::2]
    return z_nc, labels_n


def rows_for(c: int) -> int:
    """Enough that a vector of rows is whole and another one is not."""
    return 19 if c <= 10 else 9 if c <= 100 else 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("c", CLASSES)
@pytest.mark.parametrize("case", CASES)
def test_the_softmax_loss_and_each_entry_of_its_gradient(case: str, c: int, dtype: str) -> None:
    z_nc, labels_n = logits_of(case, rows_for(c), c, dtype)

    losses_n, dlogits_nc = fl.softmax_cross_entropy(z_nc, labels_n, reduction="none", with_gradient=True)

    for i, (z_c, y) in enumerate(zip(z_nc, labels_n, strict=True)):
        loss, gradient_c = truth.cross_entropy(z_c, int(y))
        assert truth.ulps(losses_n[i], loss) <= BOUND[dtype]
        assert truth.ulps(dlogits_nc[i], gradient_c) <= BOUND[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("c", CLASSES)
@pytest.mark.parametrize("case", CASES)
def test_softmax_and_log_softmax_and_logsumexp(case: str, c: int, dtype: str) -> None:
    z_nc, _ = logits_of(case, min(rows_for(c), 9), c, dtype)

    p_nc, log_p_nc, lse_n = fl.softmax(z_nc), fl.log_softmax(z_nc), fl.logsumexp(z_nc)

    for i, z_c in enumerate(z_nc):
        true = truth.softmax(z_c)
        assert truth.ulps(p_nc[i], true.probabilities) <= BOUND[dtype]
        assert truth.ulps(log_p_nc[i], true.log_probabilities) <= BOUND[dtype]
        near_zero = mp.mpf(2) ** -51 * abs(mp.mpf(float(z_c.max())))
        assert truth.ulps(lse_n[i], true.logsumexp, near_zero) <= BOUND[dtype]


@pytest.mark.parametrize("c", [2, 10, 41, 300, 3000])
def test_the_smallest_numbers_that_float64_has(c: int) -> None:
    n = 9
    z_nc = np.random.default_rng(c).normal(size=(n, c))
    z_nc[:, 1] += np.linspace(600, 748, n)
    labels_n = np.ones(n, np.int64)

    losses_n, dlogits_nc = fl.softmax_cross_entropy(z_nc, labels_n, reduction="none", with_gradient=True)
    of_targets_n = fl.softmax_cross_entropy(z_nc, np.eye(c)[labels_n], reduction="none")
    log_p_n = fl.log_softmax(z_nc)[:, 1]
    of_zero_n = fl.logsumexp(z_nc - z_nc[:, 1:2])

    for i, z_c in enumerate(z_nc):
        loss, gradient_c = truth.cross_entropy(z_c, 1)
        assert truth.ulps([*losses_n[i : i + 1], *of_targets_n[i : i + 1], -log_p_n[i]], [loss] * 3) <= BOUND["float64"]
        assert truth.ulps(of_zero_n[i], truth.softmax(z_c - z_c[1]).logsumexp) <= BOUND["float64"]
        assert truth.ulps(dlogits_nc[i], gradient_c) <= BOUND["float64"]


@pytest.mark.parametrize(
    ("z_c", "y"),
    [
        ([-332.7926, -2.7392, -33.2691], 0),
        ([193.1449, -272.7713, 227.7493, 66.1529], 3),
        ([32.7439, 69.5164, 66.7272, 44.3234], 0),
        ([-67.0449, -62.8975, -103.1642, -146.8283], 2),
    ],
)
def test_float64_gradients_where_every_rounding_went_the_same_way(z_c: list[float], y: int) -> None:
    """The worst of some ten million random rows, by the kernels as they were then."""
    _, dlogits_c = fl.softmax_cross_entropy(z_c, y, with_gradient=True)

    assert truth.ulps(dlogits_c, truth.cross_entropy(np.array(z_c), y)[1]) <= BOUND["float64"]


@pytest.mark.parametrize("case", ["normal", "spread", "confident"])
def test_a_hundred_thousand_classes(case: str) -> None:
    z_nc, labels_n = logits_of(case, 2, 100_000, "float32")

    losses_n, dlogits_nc = fl.softmax_cross_entropy(z_nc, labels_n, reduction="none", with_gradient=True)

    # By float64 in the form that keeps everything, whose own error the small cases above bound: some 1e-14 here.
    for i, y in enumerate(labels_n):
        terms_c = np.exp(z_nc[i].astype(np.float64) - float(z_nc[i, y]))
        others = np.delete(terms_c, y).sum()
        true_c = terms_c / (1 + others)
        true_c[y] = -others / (1 + others)
        assert truth.ulps(losses_n[i], mp.mpf(np.log1p(others))) <= 0.51
        spacing_c = np.maximum(np.spacing(np.abs(true_c).astype(np.float32)).astype(np.float64), 2.0**-149)
        assert (np.abs(dlogits_nc[i] - true_c) / spacing_c).max() <= 0.51


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("targets", ["random", "near the prediction", "one-hot", "almost one-hot", "uniform"])
@pytest.mark.parametrize("case", ["normal", "narrow", "spread", "offset 1e4", "masked", "confident"])
@pytest.mark.parametrize("c", [2, 3, 10, 41])
def test_probability_targets(c: int, case: str, targets: str, dtype: str) -> None:
    n = 7 if c < 40 else 2
    z_nc, labels_n = logits_of(case, n, c, dtype)
    unmasked_nc = np.isfinite(z_nc)
    generator = np.random.default_rng(c)
    if targets == "random":
        t_nc = generator.exponential(size=(n, c)) * unmasked_nc
    elif targets == "near the prediction":
        t_nc = fl.softmax(z_nc).astype(np.float64) * (1 + 1e-6 * generator.normal(size=(n, c)))
    elif targets == "uniform":
        t_nc = unmasked_nc.astype(np.float64)
    else:
        t_nc = np.where(unmasked_nc, 0.0 if targets == "one-hot" else 1e-9, 0.0)
        t_nc[np.arange(n), labels_n] = 1
    t_nc = (t_nc / t_nc.sum(axis=1, keepdims=True)).astype(dtype)

    losses_n, dlogits_nc = fl.softmax_cross_entropy(z_nc, t_nc, reduction="none", with_gradient=True)

    difference = 0 if targets == "one-hot" else SOFTMAX_DIFFERENCE  # of one class nothing is subtracted
    for i in range(n):
        loss, gradient_c = truth.cross_entropy_of_targets(z_nc[i], t_nc[i])
        assert truth.ulps(losses_n[i], loss) <= BOUND[dtype]
        assert truth.ulps(dlogits_nc[i], gradient_c, difference) <= BOUND[dtype]


@pytest.mark.parametrize("c", [16, 128])
def test_small_shares_of_float64_targets_add_up(c: int) -> None:
    """Each is below half a unit of the sum so far: one by one they would all be lost."""
    z_nc, t_nc = np.full((1, c), -40.0), np.full((1, c), 4.4e-17)
    z_nc[0, 0], t_nc[0, :2] = 0.0, 0.5

    loss_n = fl.softmax_cross_entropy(z_nc, t_nc, reduction="none")

    assert truth.ulps(loss_n, truth.cross_entropy_of_targets(z_nc[0], t_nc[0])[0]) <= BOUND["float64"]


def sigmoid_logits(dtype: str) -> NDArray[Any]:
    generator = np.random.default_rng(4)
    spread = [generator.normal(size=60), generator.uniform(-120, 120, 80), np.linspace(-104, 104, 53)]
    small = [s * 2.0**-k for k in range(1, 40, 3) for s in (-1, 1)]
    edges = [0.0, -0.0, 0.5, -0.5, 1e-40, 88.7, -88.8, 103.9, 1e30, -1e30]
    return np.concatenate([*spread, small, edges]).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_and_log_sigmoid(dtype: str) -> None:
    z_n = sigmoid_logits(dtype)
    assert truth.ulps(fl.sigmoid(z_n), [truth.sigmoid(z) for z in z_n]) <= BOUND[dtype]
    assert truth.ulps(fl.log_sigmoid(z_n), [truth.log_sigmoid(z) for z in z_n]) <= BOUND[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("t", [0.0, 1.0, 0.5, 0.3, 1e-3, 1 - 1e-6])
def test_the_sigmoid_loss_and_its_gradient(t: float, dtype: str) -> None:
    z_n = sigmoid_logits(dtype)
    t_n = np.full(z_n.shape, t, dtype)

    losses_n, dlogits_n = fl.sigmoid_cross_entropy(z_n, t_n, reduction="none", with_gradient=True)

    true = [truth.binary_cross_entropy(z, share) for z, share in zip(z_n, t_n, strict=True)]
    assert truth.ulps(losses_n, [loss for loss, _ in true]) <= BOUND[dtype]
    difference = 0 if t in (0.0, 1.0) else SIGMOID_DIFFERENCE
    assert truth.ulps(dlogits_n, [gradient for _, gradient in true], difference) <= BOUND[dtype]


@pytest.mark.parametrize("distance", [1e-1, 1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("t", [0.3, 0.5, 0.9])
def test_the_sigmoid_gradient_near_the_prediction(t: float, distance: float) -> None:
    at = np.log(t / (1 - t))
    z_n = (at + distance * np.random.default_rng(1).uniform(-1, 1, 50)).astype(np.float32)
    t_n = np.full(50, t, np.float32)

    _, dlogits_n = fl.sigmoid_cross_entropy(z_n, t_n, reduction="none", with_gradient=True)

    true = [truth.binary_cross_entropy(z, share)[1] for z, share in zip(z_n, t_n, strict=True)]
    assert truth.ulps(dlogits_n, true, SIGMOID_DIFFERENCE) <= 0.51


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_and_smoothing_of_the_softmax_loss(dtype: str) -> None:
    n, c, smoothing = 12, 5, 0.1
    z_nc, labels_n = logits_of("masked", n, c, dtype)
    generator = np.random.default_rng(0)
    weights_n, weights_c = generator.uniform(0.1, 3, n), generator.uniform(0.1, 3, c)

    losses_n, dlogits_nc = fl.softmax_cross_entropy(
        z_nc, labels_n, reduction="none", with_gradient=True, example_weights=weights_n, class_weights=weights_c,
        label_smoothing=smoothing,
    )  # fmt: skip

    for i, y in enumerate(labels_n):
        unmasked = [k for k in range(c) if np.isfinite(z_nc[i, k])]
        loss, gradient_c = mp.mpf(0), [mp.mpf(0)] * c
        for k in unmasked:
            share = mp.mpf(smoothing) / len(unmasked) + (1 - mp.mpf(smoothing)) * int(k == y)
            factor = mp.mpf(weights_n[i]) * mp.mpf(weights_c[k]) * share
            of_class = truth.cross_entropy(z_nc[i], k)
            loss += factor * of_class[0]
            gradient_c = [g + factor * of_k for g, of_k in zip(gradient_c, of_class[1], strict=True)]
        assert truth.ulps(losses_n[i], loss) <= BOUND[dtype]
        assert truth.ulps(dlogits_nc[i], gradient_c, 10 * SOFTMAX_DIFFERENCE) <= BOUND[dtype]  # weights up to 9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_positive_weight_and_smoothing_of_the_sigmoid_loss(dtype: str) -> None:
    z_n = sigmoid_logits(dtype)
    t_n = (np.arange(z_n.size) % 2).astype(dtype)
    weight, smoothing = 2.5, 0.2

    losses_n, dlogits_n = fl.sigmoid_cross_entropy(
        z_n, t_n, reduction="none", with_gradient=True, pos_weight=weight, label_smoothing=smoothing
    )

    losses, gradients = [], []
    for z, t in zip(z_n, t_n, strict=True):
        share = mp.mpf(float(t)) * (1 - mp.mpf(smoothing)) + mp.mpf(smoothing) / 2
        of_1, of_0 = truth.binary_cross_entropy(z, 1.0), truth.binary_cross_entropy(z, 0.0)
        losses.append(weight * share * of_1[0] + (1 - share) * of_0[0])
        gradients.append(weight * share * of_1[1] + (1 - share) * of_0[1])
    assert truth.ulps(losses_n, losses) <= BOUND[dtype]
    assert truth.ulps(dlogits_n, gradients, 3 * SIGMOID_DIFFERENCE) <= BOUND[dtype]
