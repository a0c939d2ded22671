from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fromlogits as fl

INF, NAN = float("inf"), float("nan")
Case = tuple[Callable[[], Any], str]


def f32(values: Any) -> Any:
    return np.array(values, np.float32)


def warned(call: Callable[[], Any]) -> str:
    """The only warning of a call, which must point at the caller's own line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    [warning] = caught
    assert warning.category is RuntimeWarning
    line = inspect.getsourcelines(call)[1]
    assert (warning.filename, warning.lineno) == (__file__, line)
    return str(warning.message)


# --- results that are not numbers ---


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32])
def test_a_negative_that_is_too_small_for_the_type_is_plus_0(dtype: Any) -> None:
    z = np.array([[200.0, 0.0]], dtype)  # exp(-200) is 1e-87
    softmax_gradient = fl.softmax_cross_entropy(z, [0], with_gradient=True)[1]
    sigmoid_gradient = fl.sigmoid_cross_entropy(z, [[1, 1]], with_gradient=True)[1]

    for results in (softmax_gradient, sigmoid_gradient, fl.log_softmax(z), fl.log_sigmoid(z)):
        assert results[0, 0] == 0 and not np.signbit(results[0, 0])


# fmt: off
WARNINGS: dict[str, Case] = {
    "softmax": (
        lambda: fl.softmax(f32([[NAN, 0], [-INF, -INF], [INF, INF], [1, 2]])),
        "probabilities of 3 of 4 rows are NaN: 1 logit is NaN, every class of a row is masked, a row has +∞ more than"
        " once."),
    "log_softmax": (
        lambda: fl.log_softmax(f32([[NAN, NAN], [INF, 0]])),
        "log-probabilities of 1 of 2 rows are NaN: 2 logits are NaN."),
    "logsumexp": (
        lambda: fl.logsumexp(f32([[NAN, 0], [-INF, -INF], [INF, INF]])),  # the others are -inf and inf
        "logsumexp of 1 of 3 rows is NaN: 1 logit is NaN."),
    "sigmoid": (
        lambda: fl.sigmoid(f32([NAN, 0, NAN])),
        "2 of 3 logits are NaN, and so is their sigmoid."),
    "log_sigmoid": (
        lambda: fl.log_sigmoid(f32([[NAN], [0]])),
        "1 of 2 logits are NaN, and so is their log_sigmoid."),
    "sigmoid_cross_entropy, unknown and weightless entries apart": (
        lambda: fl.sigmoid_cross_entropy(f32([NAN] * 5), [0.0, 1.0, 0.5, NAN, 1.0], example_weights=[1, 1, 1, 1, 0]),
        "3 of 5 losses are NaN: their logits are."),
    "softmax_cross_entropy": (
        lambda: fl.softmax_cross_entropy(f32([[NAN, 0], [-INF, -INF], [INF, 0], [INF, 0]]), [0, 0, 0, 1]),
        "losses of 3 of 4 rows are NaN: 1 logit is NaN, every class of a row is masked, a row has +∞ at its class, or"
        " more than once."),
    "causes of other rows apart": (
        lambda: fl.softmax_cross_entropy(
            f32([[-INF, -INF], [NAN, 0], [INF, 0]]), [1, -1, 1], ignore_label=-1),  # the last is inf, not NaN
        "losses of 1 of 3 rows are NaN: every class of a row is masked."),
    "weightless rows apart": (
        lambda: fl.softmax_cross_entropy(f32([[NAN, NAN], [NAN, 0]]), [1, 1], example_weights=[0, 1]),
        "losses of 1 of 2 rows are NaN: 1 logit is NaN."),
    "probability targets": (
        lambda: fl.softmax_cross_entropy(f32([[INF, 0], [INF, 0]]), [[0.0, 1.0], [0.5, 0.5]]),
        "losses of 1 of 2 rows are NaN: a row has +∞ at its class, or more than once."),
    "smoothed targets": (
        lambda: fl.softmax_cross_entropy(f32([[INF, 0], [1, 0]]), [1, 1], label_smoothing=0.1),
        "losses of 1 of 2 rows are NaN: a row has +∞ at its class, or more than once."),
}
# fmt: on


@pytest.mark.parametrize("case", WARNINGS)
def test_nan_results_are_counted_and_explained_in_one_warning_at_the_callers_line(case: str) -> None:
    call, line = WARNINGS[case]
    assert warned(call) == line


# --- weights ---


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("c", [3, 10, 100])
def test_the_mean_of_probability_targets_with_class_weights_has_the_same_bits_in_any_order(c: int, dtype: Any) -> None:
    generator = np.random.default_rng(c)
    z = generator.normal(0, 3, (37, c))
    t = generator.dirichlet(np.ones(c), 37).astype(dtype)
    weights_c = generator.uniform(0, 3, c)
    orders = [generator.permutation(37) for _ in range(20)]

    means = {float(fl.softmax_cross_entropy(z[order], t[order], class_weights=weights_c)) for order in orders}

    assert len(means) == 1


def test_a_row_whose_classes_all_have_weight_0_takes_no_part() -> None:
    z = f32([[NAN, 0, 0], [0, 0, 0]])
    hard = fl.softmax_cross_entropy(z, [0, 2], class_weights=[0, 1, 1], with_gradient=True)
    shares = fl.softmax_cross_entropy(z, [[1, 0, 0], [0, 0, 1]], class_weights=[0, 1, 1], with_gradient=True)

    np.testing.assert_array_equal(hard[0], f32(np.log(3)))
    np.testing.assert_array_equal(shares[0], hard[0])
    np.testing.assert_array_equal(shares[1], hard[1])
    assert (hard[1][0] == 0).all()


def test_rows_of_no_class_can_all_be_ignored() -> None:
    loss, gradient = fl.softmax_cross_entropy(
        np.zeros((2, 0)), [-1, -1], ignore_label=-1, class_weights=[], with_gradient=True
    )
    assert np.isnan(loss) and gradient.shape == (2, 0)


# --- misuse ---


# fmt: off
MISUSE: dict[str, Case] = {
    "weights that overflow": (
        lambda: fl.softmax_cross_entropy(np.eye(2), [0, 1], example_weights=[1e200] * 2, class_weights=[1, 1e200]),
        "example_weights times class_weights must be finite. Divide each by its largest."),
    "weights whose sum overflows": (
        lambda: fl.sigmoid_cross_entropy(np.eye(2), np.eye(2), example_weights=[1e308] * 2),
        "weights must have a finite sum for a mean; got more than 1.8e308. Divide them by the largest."),
    "no axis": (lambda: fl.softmax(f32([[1, 2]]), axis=None), "axis must be an integer; got None."),  # type: ignore[arg-type]
}
# fmt: on


@pytest.mark.parametrize("case", MISUSE)
def test_misuse_gets_one_clear_line(case: str) -> None:
    call, line = MISUSE[case]
    with pytest.raises(fl.errors.InputError) as caught:
        call()
    assert str(caught.value) == line
