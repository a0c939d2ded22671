"""The cases that other libraries publish in their own tests, at their tolerance and at ours.

Theirs are values with few digits, or all of float64's. Ours is the truth by mpmath: 0.51 ulp in float32, 4 in float64.
Almost all of theirs are absolute, or have moderate logits, so that a loss that was rounded to 0 would pass.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import ml_dtypes
import mpmath as mp
import numpy as np
import pytest

import fromlogits as fl
from tests.numerics import truth
from tests.numerics.truth import ulps

INF = float("inf")
LIMITS = {"float32": 0.51, "float64": 4.0}
of_both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


def softmax_results(z: Any, targets: Any, dtype: str, **more: Any) -> tuple[Any, Any]:
    """Losses and gradients of rows, after each was held against mpmath."""
    z_nc = np.array(z, dtype)
    losses_n, dlogits_nc = fl.softmax_cross_entropy(z_nc, targets, reduction="none", with_gradient=True, **more)
    for row_c, target, loss, gradient_c in zip(z_nc, targets, losses_n, dlogits_nc, strict=True):
        if np.ndim(target) == 0:
            true, true_c = truth.cross_entropy(row_c, target)
            allowance: Any = 0
        else:
            true, true_c = truth.cross_entropy_of_targets(row_c, np.array(target, float))
            allowance = 2.0**-48  # of the gradient, as a difference of two given numbers
        assert ulps(loss, true) <= LIMITS[dtype]
        assert ulps(gradient_c, true_c, allowance) <= LIMITS[dtype]
    return losses_n, dlogits_nc


def sigmoid_results(z: Any, targets: Any, dtype: str) -> tuple[Any, Any]:
    """Losses and gradients of entries, after each was held against mpmath."""
    z_n, t_n = np.array(z, dtype), np.array(targets, float)
    losses_n, dlogits_n = fl.sigmoid_cross_entropy(z_n, t_n, reduction="none", with_gradient=True)
    true = [truth.binary_cross_entropy(x, t) for x, t in zip(z_n.flat, t_n.flat, strict=True)]
    # Of the gradient of a target in between, as a difference of two given numbers.
    allowance = [0 if t in (0, 1) else 2.0**-50 for t in t_n.flat]
    assert ulps(losses_n, [loss for loss, _ in true]) <= LIMITS[dtype]
    assert ulps(dlogits_n, [gradient for _, gradient in true], allowance) <= LIMITS[dtype]
    return losses_n, dlogits_n


def is_given(got: Any, value: float, dtype: str) -> bool:
    """Whether a float64 result is within 4 ulp of a value given to float64's last digit, half an ulp of its own."""
    return dtype == "float32" or ulps(got, mp.mpf(value)) <= 4.5


# --- scipy/special/tests/test_logsumexp.py, rtol 1e-13 ---


class Sum(NamedTuple):
    logits: Any
    wanted: Any


LOGSUMEXP = {
    "[0, -40]": Sum([0, -40], 4.248354255291589e-18),
    "[1000, 1000]": Sum([1000, 1000], 1000 + math.log(2)),
    "a thousand of 1e4": Sum([1e4] * 1000, 1e4 + math.log(1000)),
    "0 to 199": Sum(range(200), None),
    "1e10 and 1e-10": Sum([1e10, 1e-10], 1e10),
    "-1e10 and a masked one": Sum([-1e10, -INF], -1e10),
    "none": Sum([], -INF),
    "masked": Sum([-INF, -INF], -INF),
    "infinite": Sum([INF], INF),
}  # fmt: skip


@of_both_types
@pytest.mark.parametrize("case", LOGSUMEXP)
def test_logsumexp_of_scipy(case: str, dtype: str) -> None:
    logits, wanted = LOGSUMEXP[case]
    z_c = np.array(logits, dtype)
    got = fl.logsumexp(z_c)

    if wanted is None or math.isfinite(wanted):
        assert ulps(got, truth.softmax(z_c).logsumexp) <= LIMITS[dtype]
        if wanted is not None:
            assert got == pytest.approx(wanted, rel=1e-13 if dtype == "float64" else 2.0**-23)
    else:
        assert got == wanted


def test_logsumexp_of_a_million_tiny_shares_as_in_scipy() -> None:
    z_c = np.full(1_000_000, np.log(1e-40))
    # Their tolerance. The logarithm of 1e-40, near -92, is off by half of its last place, 2^-47, and so is exp by as
    # much relatively; beside it there is half of the last place of the result.
    assert np.exp(fl.logsumexp(z_c)) == pytest.approx(1e-34, rel=6e-8)
    assert np.exp(fl.logsumexp(z_c)) == pytest.approx(1e-34, rel=2 * 2.0**-46)


SOFTMAX = {
    "[1000, 0, 0, 0]": Sum([1000, 0, 0, 0], [1, 0, 0, 0]),
    "[1, 1]": Sum([1, 1], [0.5, 0.5]),
    "[0, 1]": Sum([0, 1], [1 / (1 + math.e), math.e / (1 + math.e)]),
    "0 to 3": Sum(range(4), [0.03205860328008499, 0.08714431874203256, 0.23688281808991013, 0.6439142598879722]),
    "100 to 103": Sum(
        range(100, 104), [0.03205860328008499, 0.08714431874203256, 0.23688281808991013, 0.6439142598879722]
    ),
    "[-25, 0, 25, 50]": Sum(
        [-25, 0, 25, 50], [2.678636961770877e-33, 1.9287498479371314e-22, 1.3887943864771144e-11, 0.999999999986112]
    ),
    "[1, 325, 749, 750]": Sum(
        [1, 325, 749, 750], [0.0, 1.9444526359919372e-185, 0.2689414213699951, 0.7310585786300048]
    ),
    "[1000]": Sum([1000], [1]),
}  # fmt: skip


@of_both_types
@pytest.mark.parametrize("case", SOFTMAX)
def test_softmax_of_scipy(case: str, dtype: str) -> None:
    logits, wanted = SOFTMAX[case]
    z_c = np.array(logits, dtype)
    got_c = fl.softmax(z_c)

    assert ulps(got_c, truth.softmax(z_c).probabilities) <= LIMITS[dtype]
    np.testing.assert_allclose(got_c, np.array(wanted, dtype), rtol=1e-13 if dtype == "float64" else 2.0**-23)
    assert all(is_given(got, value, dtype) for got, value in zip(got_c, wanted, strict=True))
    np.testing.assert_array_equal(fl.softmax(np.stack([z_c, z_c]).T, axis=0), np.stack([got_c, got_c]).T)


LOG_SOFTMAX = {
    "[1000, 1]": Sum([1000, 1], [0, -999]),
    "0 to 3": Sum(range(4), [-3.4401896985611953, -2.4401896985611953, -1.4401896985611953, -0.44018969856119533]),
    "100 to 103": Sum(
        range(100, 104), [-3.4401896985611953, -2.4401896985611953, -1.4401896985611953, -0.44018969856119533]
    ),
    "one": Sum([1.0], [0]),
    "a column": Sum([1000, 1000], [math.log(0.5)] * 2),
}  # fmt: skip


@of_both_types
@pytest.mark.parametrize("case", LOG_SOFTMAX)
def test_log_softmax_of_scipy(case: str, dtype: str) -> None:
    logits, wanted = LOG_SOFTMAX[case]
    z_c = np.array(logits, dtype)
    got_c = fl.log_softmax(z_c)

    assert ulps(got_c, truth.softmax(z_c).log_probabilities) <= LIMITS[dtype]
    np.testing.assert_allclose(got_c, wanted, rtol=1e-13 if dtype == "float64" else 2.0**-23)
    assert all(is_given(got, value, dtype) for got, value in zip(got_c, wanted, strict=True))


# --- scipy/special/tests/test_logit.py ---


def test_log_sigmoid_of_scipy_in_float64() -> None:  # their rtol is 1e-15
    wanted = {
        -32: -32.000000000000014, -20: -20.000000002061153, -10: -10.000045398899218, -3: -3.048587351573742,
        -1: -1.3132616875182228, -0.1: -0.7443966600735709, -1e-9: -0.6931471810599453, 0: -0.6931471805599453,
        1e-9: -0.6931471800599454, 0.1: -0.6443966600735709, 1: -0.3132616875182228, 10: -4.539889921686465e-05,
        100: -3.720075976020836e-44, 500: -7.124576406741286e-218, 710: -4.47628622567513e-309,
        725: -1.36930634e-315, 735: -6.217e-320, -10000: -10000, -750: -750, -500: -500, -35: -35, 750: 0, 1000: 0,
        10000: 0,
    }  # fmt: skip
    z_n = np.array(list(wanted), float)
    got_n = fl.log_sigmoid(z_n)

    assert ulps(got_n, [truth.log_sigmoid(z) for z in z_n]) <= 4
    np.testing.assert_allclose(got_n, list(wanted.values()), rtol=1e-15)


def test_log_sigmoid_of_scipy_in_float32() -> None:
    wanted = {
        -32: -32.0, -20: -20.0, -10: -10.000046, -3: -3.0485873, -1: -1.3132616, -0.1: -0.7443967, -1e-9: -0.6931472,
        0: -0.6931472, 1e-9: -0.6931472, 0.1: -0.64439666, 1: -0.3132617, 10: -4.5398898e-05, 100: -3.8e-44,
    }  # fmt: skip
    z_n = np.array(list(wanted), np.float32)
    got_n = fl.log_sigmoid(z_n)

    assert ulps(got_n, [truth.log_sigmoid(z) for z in z_n]) <= 0.51
    np.testing.assert_array_equal(got_n, np.array(list(wanted.values()), np.float32))


@of_both_types
def test_sigmoid_of_scipy_for_large_numbers(dtype: str) -> None:
    z_n = np.array([88, 89, 709, 710, 11356, 11357], dtype)

    np.testing.assert_allclose(fl.sigmoid(z_n), 1.0, atol=1e-20)
    np.testing.assert_allclose(fl.sigmoid(-z_n), 0.0, atol=1e-20)
    assert ulps(fl.sigmoid(-z_n), [truth.sigmoid(-z) for z in z_n]) <= LIMITS[dtype]


# --- scikit-learn, sklearn/_loss/tests/test_loss.py: values by mpmath ---

# target, logit: loss, gradient. Of target 1 at 232.8 theirs are 0 and 1.4287e-101; both are exp(-232.8), 7.8749e-102.
# Their tolerance of 1e-15, absolute, does not tell.
BINARY = {
    (0.0, -1e20): (0, 0),
    (1.0, -1e20): (1e20, -1),
    (0.0, -1e3): (0, 0),
    (1.0, -1e3): (1e3, -1),
    (1.0, -37.5): (37.5, -1),
    (1.0, -37.0): (37, 1e-16 - 1),
    (0.0, -37.0): (8.533047625744065e-17, 8.533047625744065e-17),
    (1.0, -36.9): (36.9, 1e-16 - 1),
    (0.0, -36.9): (9.430476078526806e-17, 9.430476078526806e-17),
    (0.0, 37.0): (37, 1 - 1e-16),
    (1.0, 37.0): (8.533047625744066e-17, -8.533047625744066e-17),
    (0.0, 37.5): (37.5, 1),
    (0.0, 232.8): (232.8, 1),
    (1.0, 232.8): (None, None),
    (1.0, 1e20): (0, 0),
    (0.0, 1e20): (1e20, 1),
    (1.0, 1e3): (0, 0),
    (0.0, 1e3): (1e3, 1),
    (0.25, math.log(4)): (math.log1p(4) - 0.25 * math.log(4), None),
}  # fmt: skip


@pytest.mark.parametrize(("target", "logit"), BINARY)
def test_the_sigmoid_loss_of_scikit_learn(target: float, logit: float) -> None:
    loss, gradient = BINARY[target, logit]
    [got_loss], [got_gradient] = sigmoid_results([logit], [target], "float64")
    sigmoid_results([logit], [target], "float32")

    assert loss is None or is_given(got_loss, loss, "float64")
    assert gradient is None or is_given(got_gradient, gradient, "float64")


@of_both_types
def test_the_softmax_loss_of_scikit_learn(dtype: str) -> None:
    z_nc = [[0.2, 0.5, 0.3]] * 3 + [[1e4, 0, 7e-7]]
    losses_n, _ = softmax_results(z_nc, [0, 1, 2, 2], dtype)

    total = math.log(sum(math.exp(z) for z in z_nc[0]))
    wanted = [total - 0.2, total - 0.5, total - 0.3, 1e4 - 7e-7]
    np.testing.assert_allclose(losses_n, wanted, rtol=1e-11 if dtype == "float64" else 2.0**-23)


@of_both_types
def test_log_of_1_plus_exp_of_scikit_learn(dtype: str) -> None:  # theirs is relative: 1e-5 (float32), 1e-12
    z_n = np.random.default_rng(42).uniform(-40, 40, 300)
    sigmoid_results(z_n, np.zeros(300), dtype)
    sigmoid_results(z_n, np.ones(300), dtype)


@of_both_types
def test_the_softmax_loss_of_two_classes_is_the_sigmoid_loss_as_in_scikit_learn(dtype: str) -> None:
    z_n = np.random.default_rng(0).uniform(-30, 30, 100).astype(dtype)
    y_n = np.arange(100) % 2
    of_two = fl.softmax_cross_entropy(np.stack([0 * z_n, z_n], 1), y_n, reduction="none", with_gradient=True)
    of_one = fl.sigmoid_cross_entropy(z_n, y_n, reduction="none", with_gradient=True)

    # Both are within the limit of the same true value, so they are twice that apart, and in float32 that is 1 ulp.
    limit = 1 if dtype == "float32" else 8
    np.testing.assert_array_max_ulp(of_two[0], of_one[0], limit)
    np.testing.assert_array_max_ulp(of_two[1][:, 1], of_one[1], limit)


def test_a_perfect_prediction_costs_nothing_and_its_gradient_is_0_as_in_scikit_learn() -> None:
    # Theirs: loss and gradient 0 within 1e-7 or so, at logits of 1e3 or more.
    assert fl.softmax_cross_entropy(np.eye(4) * 1e3, np.arange(4)) == 0
    assert (fl.softmax_cross_entropy(np.eye(4) * 1e3, np.arange(4), with_gradient=True)[1] == 0).all()


# --- optax, optax/losses/_classification_test.py; chex compares at rtol 1e-6 ---


@of_both_types
def test_the_softmax_loss_of_optax(dtype: str) -> None:
    z_nc = [[10, 1, -2], [1, 4, 0.2]]
    losses_n, _ = softmax_results(z_nc, [1, 0], dtype)
    of_shares_n, _ = softmax_results(z_nc, [[0, 1, 0], [1, 0, 0]], dtype)

    np.testing.assert_allclose(losses_n, [9.00013, 3.0696733], rtol=1e-6)
    np.testing.assert_allclose(of_shares_n, [9.00013, 3.0696733], rtol=1e-6)


@pytest.mark.parametrize(
    ("logits", "targets", "loss"),
    [
        ([-INF, 0, 0], [0, 0.5, 0.5], 0.693147),
        ([-INF, 0, 0], [0.4, 0.3, 0.3], INF),
        ([-INF, 0, -INF], [0, 1, 0], 0),
    ],
)
@of_both_types
def test_the_safe_softmax_loss_of_optax(logits: list[float], targets: list[float], loss: float, dtype: str) -> None:
    got = fl.softmax_cross_entropy(np.array(logits, dtype), targets)
    assert got == pytest.approx(loss, rel=1e-6)


@of_both_types
def test_the_sigmoid_loss_of_optax(dtype: str) -> None:
    cases = {  # logits, labels: mean
        (-1e9, -1e-9, 1, 0): 5e8, (-1e9, -1e-9, 0, 1): 0.3465736, (1e9, 1e-9, 1, 0): 0.3465736,
        (1e9, 1e-9, 0, 1): 5e8, (-1e9, 1e-9, 1, 0): 5e8, (-1e9, 1e-9, 0, 1): 0.3465736,
        (1e9, -1e-9, 1, 0): 0.3465736, (1e9, -1e-9, 0, 1): 5e8, (0, 0, 1, 0): 0.6931472, (0, 0, 0, 1): 0.6931472,
    }  # fmt: skip
    for (*z, first, second), mean in cases.items():
        sigmoid_results(z, [first, second], dtype)
        assert fl.sigmoid_cross_entropy(np.array(z, dtype), [first, second]) == pytest.approx(mean, rel=1e-6)


# --- optax, _classification_stability_test.py (pull request 1792) ---


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(sign * value, dtype) for value, dtype in
     [(1e6, "float32"), (1e8, "float32"), (4096, "float16"), (256, "bfloat16")] for sign in (1, -1)],
)  # fmt: skip
def test_equal_logits_cost_log_3_at_any_offset_as_in_optax(value: float, dtype: str) -> None:
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    losses_n = fl.softmax_cross_entropy(np.full((2, 3), value, kind), [0, 1], reduction="none")

    epsilon = float(ml_dtypes.finfo(kind).eps)  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(losses_n.astype(float), math.log(3), rtol=2 * epsilon)
    assert ulps(losses_n, [mp.log(3)] * 2) <= 0.51


def test_an_offset_changes_nothing_as_in_optax() -> None:  # theirs: rtol 1e-6
    z_nc = (np.arange(24, dtype=np.float32) / 8).reshape(4, 6)
    for targets in (np.array([0, 1, 2, 3]), np.full((4, 6), 1 / 6)):
        plain = fl.softmax_cross_entropy(z_nc, targets, reduction="none", with_gradient=True)
        moved = fl.softmax_cross_entropy(z_nc + np.float32(1e6), targets, reduction="none", with_gradient=True)
        np.testing.assert_array_equal(moved[0], plain[0])
        np.testing.assert_array_equal(moved[1], plain[1])


@of_both_types
def test_masked_classes_at_an_offset_as_in_optax(dtype: str) -> None:
    loss, gradient = fl.softmax_cross_entropy(np.array([0, 0, -INF], dtype), 0, with_gradient=True)  # 1e8, masked
    assert ulps(loss, mp.log(2)) <= LIMITS[dtype]
    np.testing.assert_array_equal(gradient, [-0.5, 0.5, 0])
    loss, gradient = fl.softmax_cross_entropy(np.array([1e8, -INF, 1e8], dtype), 0, with_gradient=True)
    assert ulps(loss, mp.log(2)) <= LIMITS[dtype]
    np.testing.assert_array_equal(gradient, [-0.5, 0, 0.5])
    # A row with every class masked is 0 there. Here it is NaN, unless it has weight 0.
    loss, gradient = fl.softmax_cross_entropy(
        np.full((1, 3), -INF, dtype), [0], example_weights=[0], reduction="sum", with_gradient=True
    )
    assert loss == 0 and (gradient == 0).all()


# --- TensorFlow, python/kernel_tests/nn_ops/xent_op_test_base.py and sparse_xent_op_test_base.py: 4 digits ---


@of_both_types
def test_the_softmax_loss_of_tensorflow(dtype: str) -> None:
    losses_n, dlogits_nc = softmax_results([[1, 1, 1, 1], [1, 2, 3, 4]], [3, 0], dtype)
    np.testing.assert_allclose(losses_n, [1.3862, 3.4420], rtol=1e-3, atol=1e-3)
    wanted = [[0.25, 0.25, 0.25, -0.75], [-0.968, 0.087, 0.237, 0.6439]]
    np.testing.assert_allclose(dlogits_nc, wanted, rtol=1e-3, atol=1e-3)

    losses_n, dlogits_nc = softmax_results([[1, 1, 1, 1], [1, 2, 3, 4]], [[0, 0, 0, 1], [0, 0.5, 0.5, 0]], dtype)
    np.testing.assert_allclose(losses_n, [1.3862, 1.9401], rtol=1e-3, atol=1e-3)
    wanted = [[0.25, 0.25, 0.25, -0.75], [0.0321, -0.4129, -0.2632, 0.6439]]
    np.testing.assert_allclose(dlogits_nc, wanted, rtol=1e-3, atol=1e-3)


def test_one_class_and_no_rows_of_tensorflow() -> None:
    losses_n, dlogits_nc = softmax_results([[1.0], [-1.0], [0.0]], [[1.0], [1.0], [1.0]], "float32")
    assert (losses_n == 0).all() and (dlogits_nc == 0).all()
    assert fl.softmax_cross_entropy(np.zeros((0, 2, 4)), np.zeros((0, 2), int), reduction="none").shape == (0, 2)


# --- Keras, keras/src/losses/losses_test.py and ops/nn_test.py: decimals as printed, 3 to 6 of them ---


@of_both_types
def test_the_sparse_softmax_loss_of_keras(dtype: str) -> None:
    z_nc = [[8, 1, 1], [0, 9, 1], [2, 3, 5]]
    losses_n, _ = softmax_results(z_nc, [0, 1, 2], dtype)

    np.testing.assert_allclose(losses_n, [0.001822, 0.000459, 0.169846], atol=5e-7)
    assert fl.softmax_cross_entropy(np.array(z_nc, dtype), [0, 1, 2]) == pytest.approx(0.0573, abs=1e-4)


@of_both_types
def test_the_ignored_class_of_keras(dtype: str) -> None:
    z = np.array([[[0.854, 0.698, 0.598], [0.088, 0.86, 0.018]]], dtype)
    losses = fl.softmax_cross_entropy(z, [[-1, 2]], ignore_label=-1, reduction="none")

    np.testing.assert_allclose(losses, [[0.0, 1.480129]], atol=5e-7)
    assert ulps(losses[0, 1], truth.cross_entropy(z[0, 1], 2)[0]) <= LIMITS[dtype]


@of_both_types
def test_the_sigmoid_loss_of_keras(dtype: str) -> None:
    losses_nc, _ = sigmoid_results([[10, -10, 10], [10, 10, -10]], [[1, 0, 1], [0, 1, 1]], dtype)
    np.testing.assert_allclose(losses_nc.mean(axis=1), [0.0, 6.666], atol=1e-3)

    losses_n, _ = sigmoid_results([0.1, 0.2, 0.3, 0.4], [0.1, 0.9, 0.2, 1.0], dtype)
    np.testing.assert_allclose(losses_n, [0.73439666, 0.61813887, 0.79435524, 0.51301525], rtol=1e-6)


@of_both_types
def test_label_smoothing_of_keras(dtype: str) -> None:  # theirs: 3 decimals, and their values leave out exp(-10)
    of_labels = fl.sigmoid_cross_entropy(np.array([10, -10, -10], dtype), [1, 0, 1], label_smoothing=0.1)
    assert of_labels == pytest.approx((10 + 0.5) / 3, abs=1e-3)
    t = [mp.mpf(y) * (1 - mp.mpf(0.1)) + mp.mpf(0.1) / 2 for y in (1, 0, 1)]
    losses = [(1 - y) * mp.log1p(mp.exp(z)) + y * mp.log1p(mp.exp(-z)) for z, y in zip((10, -10, -10), t, strict=True)]
    true = mp.fsum(losses) / 3
    assert ulps(of_labels, true) <= LIMITS[dtype]

    of_classes = fl.softmax_cross_entropy(np.array([100, -100, -100], dtype), 0, label_smoothing=0.1)
    assert of_classes == pytest.approx(400 * 0.1 / 3, abs=1e-3)
    true = 2 * mp.mpf(0.1) / 3 * 200 + mp.log1p(2 * mp.exp(-200))
    assert ulps(of_classes, true) <= LIMITS[dtype]


# --- JAX, tests/nn_test.py ---


@of_both_types
def test_softplus_of_jax(dtype: str) -> None:
    """softplus(z) is the sigmoid loss of target 0, and the sigmoid its derivative."""
    losses_n, dlogits_n = sigmoid_results([89, -89, 0], [0, 0, 0], dtype)
    assert losses_n[0] == 89 and dlogits_n[2] == 0.5
    loss, gradient = fl.sigmoid_cross_entropy(
        np.array([INF, -INF], dtype), [0, 0], reduction="none", with_gradient=True
    )
    np.testing.assert_array_equal(loss, [INF, 0])
    np.testing.assert_array_equal(gradient, [1, 0])


@of_both_types
def test_softmax_of_the_unmasked_of_jax(dtype: str) -> None:
    z_c = np.array([5.5, 1.3, -4.2, 0.9], dtype)
    is_in_c = np.array([True, False, True, True])
    masked_c = np.where(is_in_c, z_c, z_c.dtype.type(-INF))

    for function in (fl.softmax, fl.log_softmax):
        np.testing.assert_array_equal(function(masked_c)[is_in_c], function(z_c[is_in_c]))
    assert fl.softmax(masked_c)[1] == 0 and fl.log_softmax(masked_c)[1] == -INF
    assert fl.logsumexp(masked_c) == fl.logsumexp(z_c[is_in_c])


@of_both_types
def test_the_gradient_of_what_is_left_of_a_mask_of_jax(dtype: str) -> None:
    masked = np.where(np.array([36, 1e4]) < 1000, np.array([36, 1e4]), -INF).astype(dtype)
    loss, gradient = fl.softmax_cross_entropy(masked, 0, with_gradient=True)
    assert loss == 0 and (gradient == 0).all()


# --- PyTorch, test/test_nn.py and testing/_internal/common_nn.py: rtol 1.3e-6, atol 1e-5 ---


@of_both_types
def test_the_sigmoid_loss_of_pytorch(dtype: str) -> None:
    losses_n, _ = sigmoid_results([0, -120], [0, 1], dtype)
    np.testing.assert_allclose(losses_n, [math.log(2), 120], rtol=1.3e-6, atol=1e-5)
    z_n = np.array([0, -120], dtype)
    np.testing.assert_array_equal(fl.sigmoid_cross_entropy(z_n, [0, 1], pos_weight=1, reduction="none"), losses_n)

    _, gradient = fl.sigmoid_cross_entropy(
        np.zeros((3, 1), dtype), np.zeros((3, 1)), pos_weight=[1], reduction="sum", with_gradient=True
    )
    np.testing.assert_array_equal(gradient, np.full((3, 1), 0.5))


@of_both_types
def test_the_positive_weight_of_pytorch_broadcasts(dtype: str) -> None:
    generator = np.random.default_rng(0)
    z_nc = generator.random((64, 4)).astype(dtype)
    t_nc, weight_c = generator.random((64, 4)), generator.random(4)
    expected = fl.sigmoid_cross_entropy(z_nc, t_nc, pos_weight=np.tile(weight_c, (64, 1)), with_gradient=True)

    for weight in (weight_c, weight_c[None], np.broadcast_to(weight_c, (64, 4))):
        got = fl.sigmoid_cross_entropy(z_nc, t_nc, pos_weight=weight, with_gradient=True)
        assert got[0] == expected[0]
        np.testing.assert_array_equal(got[1], expected[1])
    plain = [
        w * t * truth.binary_cross_entropy(z, 1)[0] + (1 - t) * truth.binary_cross_entropy(z, 0)[0]
        for z, t, w in zip(z_nc.flat, map(mp.mpf, t_nc.flat), map(mp.mpf, np.tile(weight_c, 64)), strict=True)
    ]
    assert ulps(expected[0], mp.fsum(plain) / 256) <= LIMITS[dtype]


# --- Liger, test/transformers/test_cross_entropy.py ---


@of_both_types
def test_the_gradient_of_a_confident_class_of_liger(dtype: str) -> None:
    """test_correctness_true_class_grad_confident_predictions: the true logit leads by 10 among 4096."""
    z_nc = np.random.default_rng(42).normal(size=(4, 4096))
    y_n = np.array([0, 17, 2048, 4095])
    z_nc[np.arange(4), y_n] = z_nc.max(axis=1) + 10
    softmax_results(z_nc, y_n, dtype)


# --- Apple, ml-cross-entropy, tests/test_cce_loss_forward.py: atol 1e-5 ---


@pytest.mark.parametrize("softcap", [None, 20.0])
@pytest.mark.parametrize(("n", "c", "d"), [(256, 512, 128), (252, 507, 123)])
def test_the_loss_of_a_linear_layer_of_apple(n: int, c: int, d: int, softcap: float | None) -> None:
    generator = np.random.default_rng(0)
    z_nc = (generator.normal(size=(n, d)) @ generator.normal(size=(c, d)).T).astype(np.float32) / np.float32(d**0.5)
    if softcap is not None:
        z_nc = np.tanh(z_nc / np.float32(softcap)) * np.float32(softcap)
    y_n = generator.integers(c, size=n)
    y_n[generator.permutation(n)[: n // 5]] = -100

    losses_n = fl.softmax_cross_entropy(z_nc, y_n, ignore_label=-100, reduction="none")

    kept_n = np.flatnonzero(y_n >= 0)
    wide_nc = z_nc.astype(float)
    plain_n = np.log(np.exp(wide_nc).sum(axis=1))[kept_n] - wide_nc[kept_n, y_n[kept_n]]
    np.testing.assert_allclose(losses_n[kept_n], plain_n, rtol=0, atol=1e-5)
    assert (losses_n[y_n < 0] == 0).all()
    for row in kept_n[:5]:
        assert ulps(losses_n[row], truth.cross_entropy(z_nc[row], y_n[row])[0]) <= 0.51
    mean = fl.softmax_cross_entropy(z_nc, y_n, ignore_label=-100)
    assert mean == pytest.approx(plain_n.mean(), abs=1e-5)
