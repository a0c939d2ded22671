"""The textbook losses are the formulas as they are printed, in the caller's type, with all that goes wrong."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fromlogits as fl
from fromlogits import textbook
from fromlogits.errors import InputError

TYPES: list[Any] = [np.float16, np.float32, np.float64]
of_every_type = pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: str(np.dtype(dtype)))
EPSILON = {dtype: float(np.finfo(dtype).eps) for dtype in TYPES}


@of_every_type
def test_probabilities_are_exp_over_the_sum_of_exp(dtype: Any) -> None:
    # exp(log k) = k, so the probabilities are k over the sum of all k.
    logits = np.log(np.array([[1, 2, 5], [4, 4, 8]], np.float64)).astype(dtype)
    softmax = textbook.softmax(logits)
    by_rows = textbook.softmax(logits.T, axis=0).T
    sigmoid = textbook.sigmoid(np.log(np.array([1.0, 3.0, 0.25])).astype(dtype))

    assert softmax.dtype == sigmoid.dtype == dtype
    # The logit is rounded, at most 2.1 in size, then exp, the sum and the quotient.
    np.testing.assert_allclose(softmax, [[1 / 8, 2 / 8, 5 / 8], [1 / 4, 1 / 4, 1 / 2]], rtol=5 * EPSILON[dtype])
    np.testing.assert_array_equal(by_rows, softmax)
    np.testing.assert_allclose(sigmoid, [1 / 2, 3 / 4, 1 / 5], rtol=5 * EPSILON[dtype])


@of_every_type
def test_the_softmax_loss_is_minus_the_logarithm_of_the_probability(dtype: Any) -> None:
    p = np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], dtype)  # exact in every type
    losses = textbook.softmax_cross_entropy(p, [0, 1], reduction="none")

    assert losses.dtype == dtype
    np.testing.assert_allclose(losses, [math.log(2), math.log(8)], rtol=EPSILON[dtype])
    np.testing.assert_allclose(textbook.softmax_cross_entropy(p, [0, 1]), math.log(16) / 2, rtol=2 * EPSILON[dtype])
    np.testing.assert_allclose(
        textbook.softmax_cross_entropy(p, [0, 1], reduction="sum"), math.log(16), rtol=2 * EPSILON[dtype]
    )
    assert textbook.softmax_cross_entropy(p, [0, 1]).dtype == dtype


def test_the_softmax_loss_of_soft_targets_is_their_mean_of_the_logarithms() -> None:
    p = np.array([[0.5, 0.25, 0.25]])
    loss = textbook.softmax_cross_entropy(p, [[0.5, 0.5, 0.0]])

    assert loss == pytest.approx((math.log(2) + math.log(4)) / 2, rel=1e-15)


def test_the_classes_may_lie_along_any_axis() -> None:
    p = np.moveaxis(np.array([[[0.5, 0.5], [0.25, 0.75]], [[1.0, 0.0], [0.125, 0.875]]]), -1, 1)
    losses = textbook.softmax_cross_entropy(p, [[0, 0], [0, 0]], axis=1, reduction="none")

    np.testing.assert_allclose(losses, [[math.log(2), math.log(4)], [0, math.log(8)]], rtol=1e-15)
    assert textbook.softmax_cross_entropy(np.array([0.5, 0.5]), 0, reduction="none") == math.log(2)


@of_every_type
def test_the_sigmoid_loss_is_the_logarithm_of_the_probability_of_what_was_true(dtype: Any) -> None:
    p = np.array([0.25, 0.25, 0.5], dtype)
    losses = textbook.sigmoid_cross_entropy(p, [1, 0, 0.5], reduction="none")
    expected = [math.log(4), -math.log(0.75), math.log(2)]

    assert losses.dtype == dtype
    np.testing.assert_allclose(losses, expected, rtol=2 * EPSILON[dtype])
    np.testing.assert_allclose(textbook.sigmoid_cross_entropy(p, [1, 0, 0.5]), sum(expected) / 3, rtol=4e-3)
    assert textbook.sigmoid_cross_entropy(p, [1, 0, 0.5], reduction="sum").dtype == dtype


@of_every_type
def test_nothing_is_clipped_and_nothing_is_warned_of(dtype: Any) -> None:
    top = np.log(np.finfo(dtype).max) + 1
    high, low = np.array([top, 0.0], dtype), np.array([-2 * top, -2 * top], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # inf/inf beside 1/inf; and 0/0.
        np.testing.assert_array_equal(textbook.softmax(high), [math.nan, 0])
        np.testing.assert_array_equal(textbook.softmax(low), [math.nan, math.nan])
        np.testing.assert_array_equal(textbook.sigmoid(np.array([-top, top], dtype)), [0, 1])
        certain = np.array([0.0, 1.0], dtype)
        assert textbook.softmax_cross_entropy(certain, 0) == math.inf  # −log(0)
        assert textbook.softmax_cross_entropy(certain, 1) == 0
        assert np.isnan(textbook.softmax_cross_entropy(certain, certain))  # 0·log(0)
        losses = textbook.sigmoid_cross_entropy(certain, certain, reduction="none")
        assert np.isnan(losses).all()  # 0·log(0) again, on either side
        assert (textbook.sigmoid_cross_entropy(certain, 1 - certain, reduction="none") == math.inf).all()
        assert np.isnan(textbook.sigmoid_cross_entropy(np.array([], dtype), []))


@pytest.mark.parametrize(("dtype", "bits"), [(np.float16, 11), (np.float32, 24), (np.float64, 53)])
def test_a_right_answer_costs_nothing_once_its_probability_rounds_to_one(dtype: Any, bits: int) -> None:
    """exp(z) + 1 is exp(z) from 2ᵇⁱᵗˢ⁺¹ on, where numbers are 4 apart; up to 2ᵇⁱᵗˢ it is exact."""
    right = [[bits * math.log(2) - 0.1, 0.0], [(bits + 1) * math.log(2) + 0.1, 0.0]]
    z = np.array(right, dtype)
    losses = textbook.softmax_cross_entropy(textbook.softmax(z), [0, 0], reduction="none")

    assert losses[0] > 0 and losses[1] == 0
    assert (fl.softmax_cross_entropy(z, [0, 0], reduction="none") > 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: textbook.softmax_cross_entropy(np.ones((2, 3)) / 3, [0, 3]),
            "class numbers must lie in [0, 3); got 3.",
        ),
        (
            lambda: textbook.softmax_cross_entropy(np.ones((2, 3)) / 3, [-1, 0]),
            "class numbers must lie in [0, 3); got -1.",
        ),
        (
            lambda: textbook.softmax_cross_entropy(np.ones((2, 3)) / 3, [0.0, 1.0]),
            "targets must be integer class numbers of shape (2,) or probabilities of shape (2, 3); got float64 of shape"
            " (2,).",
        ),
        (
            lambda: textbook.softmax_cross_entropy(np.ones((2, 3)) / 3, [0, 1], axis=2),
            "axis must lie in [-2, 2) for probabilities of shape (2, 3); got 2.",
        ),
        (
            lambda: textbook.softmax_cross_entropy([1, 0], 0),
            "probabilities must be float16, float32 or float64; got int64.",
        ),
        (
            lambda: textbook.sigmoid_cross_entropy(np.ones(3) / 3, [0, 1]),
            "targets must have the shape of the probabilities, (3,); got (2,).",
        ),
        (
            lambda: textbook.sigmoid_cross_entropy(np.ones(2) / 3, [0, 1], reduction="means"),  # type: ignore[arg-type]
            "reduction must be mean, sum or none; got 'means'. Did you mean 'mean'?",
        ),
    ],
)
def test_misuse_gets_one_clear_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        call()

    assert str(refused.value) == message
