from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fromlogits import logits as from_logits
from fromlogits.engines import reference


def random_logits(n: int, c: int, spread: float) -> np.ndarray:
    return (np.random.default_rng(100 * n + c).normal(size=(n, c)) * spread).astype(np.float32)


def ulps(got: np.ndarray, true: np.ndarray) -> float:
    """Largest error in units of the last place of the true value, rounded to float32."""
    spacing = np.spacing(np.abs(true).astype(np.float32)).astype(np.float64)
    return float((np.abs(got.astype(np.float64) - true) / spacing).max())


@pytest.mark.parametrize("spread", [1.0, 30.0])
@pytest.mark.parametrize("c", [2, 3, 10, 300])
def test_the_softmax_loss_and_gradient_are_the_references(c: int, spread: float) -> None:
    z_nc = random_logits(50, c, spread)
    labels_n = (np.arange(50) * 7 % c).astype(np.int32)
    expected_n, expected_nc = reference.softmax_head(z_nc.astype(np.float64), labels_n)

    losses_n, dlogits_nc = from_logits.softmax_cross_entropy(z_nc, labels_n, reduction="none", with_gradient=True)

    np.testing.assert_allclose(losses_n, expected_n, rtol=1e-13)
    assert ulps(dlogits_nc, expected_nc) <= 0.51  # one rounding of a float64 value


@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_the_sigmoid_loss_and_gradient_are_the_references(spread: float) -> None:
    z_nc = random_logits(50, 4, spread)
    targets_nc = (z_nc > 0.3 * spread).astype(np.float32)
    expected_n, expected_nc = reference.sigmoid_head(z_nc.astype(np.float64), targets_nc)

    losses_n, dlogits_nc = from_logits.sigmoid_cross_entropy(z_nc, targets_nc, reduction="none", with_gradient=True)

    np.testing.assert_allclose(losses_n, expected_n, rtol=1e-13)
    assert ulps(dlogits_nc, expected_nc) <= 0.51


def test_reductions_are_the_rows_sum_and_mean() -> None:
    z_nc = random_logits(20, 3, 2.0)
    labels_n = np.zeros(20, np.int32)
    rows_n = from_logits.softmax_cross_entropy(z_nc, labels_n, reduction="none")
    assert from_logits.softmax_cross_entropy(z_nc, labels_n, reduction="sum") == pytest.approx(rows_n.sum(), rel=1e-15)
    mean, dlogits_nc = from_logits.softmax_cross_entropy(z_nc, labels_n, with_gradient=True)
    assert mean == pytest.approx(rows_n.mean(), rel=1e-15)
    assert np.abs(dlogits_nc.sum(axis=1)).max() < 1e-8
    assert np.isnan(from_logits.softmax_cross_entropy(z_nc[:0], labels_n[:0]))


def test_probabilities_and_logarithms_are_the_float64_ones_rounded() -> None:
    z_nc = random_logits(100, 10, 8.0)
    wide = z_nc.astype(np.float64)
    exact = np.exp(wide - wide.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    assert ulps(from_logits.softmax(z_nc), exact) <= 0.51
    assert ulps(from_logits.sigmoid(z_nc), 1 / (1 + np.exp(-wide))) <= 0.51
    assert ulps(from_logits.log_sigmoid(z_nc), -np.logaddexp(0, -wide)) <= 0.51
    moved = wide - wide.max(axis=1, keepdims=True)
    log_exact = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
    assert np.abs(from_logits.log_softmax(z_nc) - log_exact).max() < 1e-5


def test_inputs_may_be_read_only_and_strided_and_stay_as_they_are() -> None:
    z_nc = random_logits(30, 8, 3.0)
    strided = np.asfortranarray(z_nc)[::2, ::-1]
    strided.flags.writeable = False
    expected = from_logits.softmax(np.ascontiguousarray(strided))
    assert np.array_equal(from_logits.softmax(strided), expected)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32])
def test_a_negative_that_is_too_small_for_the_type_is_plus_0(dtype: Any) -> None:
    z = np.array([[200.0, 0.0]], dtype)  # exp(-200) is 1e-87
    softmax_gradient = from_logits.softmax_cross_entropy(z, [0], with_gradient=True)[1]
    sigmoid_gradient = from_logits.sigmoid_cross_entropy(z, [[1, 1]], with_gradient=True)[1]

    for results in (softmax_gradient, sigmoid_gradient[:, :1], from_logits.log_softmax(z)[:, :1]):
        assert (results[:, 0] == 0).all() and not np.signbit(results[:, 0]).any()
    assert not np.signbit(from_logits.log_sigmoid(z)[0, 0])
