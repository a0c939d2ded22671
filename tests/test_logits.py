from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fromlogits as fl
from fromlogits import logits as from_logits

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


# --- what arrays can be ---


def test_an_empty_list_is_no_classes() -> None:
    loss, gradient = fl.softmax_cross_entropy(np.zeros((0, 3), np.float32), [], with_gradient=True)
    assert np.isnan(loss) and gradient.shape == (0, 3)
    assert fl.softmax_cross_entropy(np.zeros((0, 3)), [], reduction="none").shape == (0,)


def test_a_masked_array_without_masked_entries_is_an_array() -> None:
    whole = np.ma.array([1.0, 2.0], mask=[False, False])
    np.testing.assert_array_equal(fl.softmax(whole), fl.softmax([1.0, 2.0]))


# --- misuse ---

Z = np.zeros((2, 3), np.float32)
MASKED = np.ma.array([1.0, 0.5, 0.0], mask=[True, False, True])
TYPES = "float32, float64, float16 or bfloat16"
SHAPES = "targets must be class numbers of shape (2,) or probabilities of shape (2, 3) for logits of shape (2, 3); got"


def words_of(call: Callable[[], Any]) -> str:
    """Of the error that a call ends with."""
    try:
        call()
    except ValueError as error:
        return str(error)
    raise AssertionError("no error")


class OnAnotherDevice:
    """As PyTorch's tensors do that are not in the CPU's memory, or need a gradient."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise self.error


def softmax_loss(*arguments: Any, **more: Any) -> Callable[[], Any]:
    return lambda: fl.softmax_cross_entropy(*arguments, **more)


def sigmoid_loss(*arguments: Any, **more: Any) -> Callable[[], Any]:
    return lambda: fl.sigmoid_cross_entropy(*arguments, **more)


def softmax_of(logits: Any, **more: Any) -> Callable[[], Any]:
    return lambda: fl.softmax(logits, **more)


# fmt: off
MISUSE: dict[str, Case] = {
    # logits
    "integer logits": (softmax_of([1, 2]), f"logits must be {TYPES}; got int64. Pass np.asarray(logits, np.float32)."),
    "bool logits": (softmax_of([True]), f"logits must be {TYPES}; got bool. Pass np.asarray(logits, np.float32)."),
    "logits of an 8-bit float": (
        softmax_of(np.zeros(2, ml_dtypes.float8_e5m2)),
        f"logits must be {TYPES}; got float8_e5m2. Pass np.asarray(logits, np.float32)."),
    "complex logits": (softmax_of([1j]), f"logits must be {TYPES}; got complex128."),
    "text for logits": (softmax_of(["a"]), f"logits must be {TYPES}; got text."),
    "bytes for logits": (softmax_of(b"abc"), f"logits must be {TYPES}; got bytes."),
    "None for logits": (softmax_of(None), f"logits must be {TYPES}; got Python objects (NoneType)."),
    "None among logits": (softmax_of([1.0, None]), f"logits must be {TYPES}; got Python objects (NoneType)."),
    "a generator": (softmax_of(x for x in "ab"), f"logits must be {TYPES}; got Python objects (generator)."),
    "logits for the sigmoid": (
        lambda: fl.sigmoid([1]), f"logits must be {TYPES}; got int64. Pass np.asarray(logits, np.float32)."),
    "logits for the log-sigmoid": (lambda: fl.log_sigmoid("a"), f"logits must be {TYPES}; got text."),
    "logits for log-softmax": (lambda: fl.log_softmax("a"), f"logits must be {TYPES}; got text."),
    "logits for logsumexp": (lambda: fl.logsumexp("a"), f"logits must be {TYPES}; got text."),
    "logits for the softmax loss": (softmax_loss("a", 0), f"logits must be {TYPES}; got text."),
    "logits for the sigmoid loss": (sigmoid_loss("a", 0), f"logits must be {TYPES}; got text."),
    "ragged lists": (
        softmax_of([[1.0, 2.0], [3.0]]),
        f"logits must be an array of numbers: {words_of(lambda: np.asarray([[1.0, 2.0], [3.0]]))}"),
    "a tensor that needs a gradient": (
        softmax_of(OnAnotherDevice(RuntimeError("Use tensor.detach().numpy() instead."))),
        "logits must be an array of numbers: Use tensor.detach().numpy() instead."),
    "a tensor on another device": (
        softmax_of(OnAnotherDevice(TypeError("Use Tensor.cpu() first."))),
        "logits must be an array of numbers: Use Tensor.cpu() first."),
    "masked entries": (
        softmax_of(MASKED),
        "logits must have no masked entries; got 2 of 3. Pass logits.filled(value) with the value that they stand"
        " for."),
    # axis
    "an axis too high": (softmax_of(Z, axis=2), "axis must lie in [-2, 2) for logits of shape (2, 3); got 2."),
    "an axis too low": (lambda: fl.logsumexp(1.0, axis=-2), "axis must lie in [-1, 1) for logits of shape (); got -2."),
    "no axis": (softmax_of(Z, axis=None), "axis must be an integer; got None."),
    "two axes": (softmax_of(Z, axis=(0, 1)), "axis must be an integer; got (0, 1)."),
    "a fraction of an axis": (softmax_of(Z, axis=1.0), "axis must be an integer; got 1.0."),
    "a truth for an axis": (softmax_of(Z, axis=True), "axis must be an integer; got True."),
    # shapes of targets
    "too many classes": (softmax_loss(Z, [0, 1, 2]), f"{SHAPES} shape (3,)."),
    "one class for two rows": (softmax_loss(Z, 0), f"{SHAPES} shape ()."),
    "a column of classes": (softmax_loss(Z, [[0], [1]]), f"{SHAPES} shape (2, 1). Pass np.reshape(targets, (2,))."),
    "probabilities of other classes": (softmax_loss(Z, np.zeros((2, 4))), f"{SHAPES} shape (2, 4)."),
    "classes along another axis": (
        softmax_loss(np.zeros((2, 3, 4)), np.zeros((2, 4), int)),
        "targets must be class numbers of shape (2, 3) or probabilities of shape (2, 3, 4) for logits of shape"
        " (2, 3, 4); got shape (2, 4)."),
    "labels of another shape": (
        sigmoid_loss(Z, [0, 1]), "targets must have the shape of the logits, (2, 3); got (2,)."),
    "a row of labels for a column of logits": (
        sigmoid_loss(Z[:, :1], [0, 1]),
        "targets must have the shape of the logits, (2, 1); got (2,). Pass np.reshape(targets, (2, 1))."),
    # class numbers
    "a class too high": (
        softmax_loss(Z, [0, 3]), "class numbers must lie in [0, 3); got 3 at row 1 (1 of 2 are outside)."),
    "a class below 0": (
        softmax_loss(Z, [-1, 3]), "class numbers must lie in [0, 3); got -1 at row 0 (2 of 2 are outside)."),
    "a class outside, not ignored": (
        softmax_loss(Z, [-100, 7], ignore_label=-100),
        "class numbers must lie in [0, 3); got 7 at row 1 (1 of 2 are outside)."),
    "a class outside, in rows of two axes": (
        softmax_loss(np.zeros((2, 2, 3)), [[0, 1], [5, 0]]),
        "class numbers must lie in [0, 3); got 5 at (1, 0) (1 of 4 are outside)."),
    "a class of 33 bits": (
        softmax_loss(Z, [0, 2**32]),
        "class numbers must lie in [0, 3); got 4294967296 at row 1 (1 of 2 are outside)."),
    "an unsigned class of 64 bits": (
        softmax_loss(Z, np.array([2**63, 0], np.uint64)),
        "class numbers must lie in [0, 3); got 9223372036854775808 at row 0 (1 of 2 are outside)."),
    "whole floats": (
        softmax_loss(Z, [0.0, 1.0]), "class numbers must be integers; got float64. Pass np.asarray(targets, int)."),
    "truths for two classes": (
        softmax_loss(Z, [True, False]), "class numbers must be integers; got bool. Pass np.asarray(targets, int)."),
    "a probability for each row": (
        softmax_loss(Z, [0.0, 0.25]),
        "class numbers must be integers; got 0.25 at row 1. Probabilities have the shape of the logits, (2, 3)."),
    "a class that is NaN": (
        softmax_loss(Z, [NAN, 1.0]),
        "class numbers must be integers; got nan at row 0. Give rows without a class a number of their own, and pass it"
        " as ignore_label."),
    "names of classes": (
        softmax_loss(Z, ["cat", "dog"]),
        "class numbers must be integers; got text. Number the classes: classes, targets = np.unique(targets,"
        " return_inverse=True)."),
    "objects for classes": (
        softmax_loss(Z, [0, None]),
        "class numbers must be integers; got Python objects (NoneType). Number the classes: classes, targets ="
        " np.unique(targets, return_inverse=True)."),
    "masked classes": (
        softmax_loss(np.zeros((3, 2)), MASKED),
        "targets must have no masked entries; got 2 of 3. Pass targets.filled(value) with the value that they stand"
        " for."),
    "a fraction to ignore": (softmax_loss(Z, [0, 1], ignore_label=1.0), "ignore_label must be an integer; got 1.0."),
    "a truth to ignore": (softmax_loss(Z, [0, 1], ignore_label=True), "ignore_label must be an integer; got True."),
    "probabilities to ignore": (
        softmax_loss(Z, np.eye(3)[:2], ignore_label=0),
        "ignore_label needs class numbers as targets; got probabilities. Use example_weights."),
    # probabilities
    "a probability above 1": (
        softmax_loss(Z, [[1.5, -0.5, 0.0], [0.0, 1.0, 0.0]]),
        "target probabilities must lie in [0, 1]; got 1.5 at row 0, class 0."),
    "a probability of NaN": (
        softmax_loss(Z, [[1.0, 0.0, 0.0], [0.0, NAN, 0.0]]),
        "target probabilities must lie in [0, 1]; got nan at row 1, class 1."),
    "a probability below 0, of a single row": (
        softmax_loss(Z[0], [1.0, -1.0, 1.0]), "target probabilities must lie in [0, 1]; got -1 at class 1."),
    "a row that sums to less": (
        softmax_loss(Z, [[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]]),
        "target probabilities must sum to 1 over the classes; got 0.5 at row 1 (1 of 2 rows do not)."),
    "rows along the last axis": (
        softmax_loss(Z.T, np.array([[0.5, 1.0], [0.4, 0.0], [0.0, 0.0]]), axis=0),
        "target probabilities must sum to 1 over the classes; got 0.9 at row 0 (1 of 2 rows do not)."),
    "several labels at once": (
        softmax_loss(Z, [[1, 0, 0], [0, 1, 1]]),
        "target probabilities must sum to 1 over the classes; got 2 at row 1 (1 of 2 rows do not). For several labels"
        " at once, use sigmoid_cross_entropy."),
    "class numbers in the shape of the logits": (
        softmax_loss(np.zeros((2, 2)), [[1, 0], [2, 1]]),
        "target probabilities must lie in [0, 1]; got 2 at row 1, class 0. Class numbers have shape (2,)."),
    "a column of classes for a column of logits": (
        softmax_loss(np.zeros((2, 1)), [[0], [0]]),
        "target probabilities must sum to 1 over the classes; got 0 at row 0 (2 of 2 rows do not). Class numbers have"
        " shape (2,)."),
    "text for probabilities": (softmax_loss(Z, np.full((2, 3), "a")), "targets must be numbers; got text."),
    "complex probabilities": (softmax_loss(Z, Z + 1j), "targets must be numbers; got complex64."),
    # labels
    "a class number for a label": (
        sigmoid_loss(Z, [[0, 1, 2], [0, 0, 0]]),
        "targets must lie in [0, 1], or be NaN for unknown; got 2 at (0, 2). Class numbers are for"
        " softmax_cross_entropy."),
    "labels of -1 and 1": (
        sigmoid_loss([1.0, 2.0], [1, -1]),
        "targets must lie in [0, 1], or be NaN for unknown; got -1 at row 1. For labels −1 and 1, pass"
        " (targets + 1) / 2."),
    "an infinite label": (
        sigmoid_loss(1.0, INF), "targets must lie in [0, 1], or be NaN for unknown; got inf."),
    "a label a little above 1": (
        sigmoid_loss([1.0], [1.0000001]), "targets must lie in [0, 1], or be NaN for unknown; got 1.0000001 at row 0."),
    "objects for labels": (
        sigmoid_loss(Z, np.full((2, 3), None)), "targets must be numbers; got Python objects (NoneType)."),
    # reduction, smoothing
    "a misspelt reduction": (
        softmax_loss(Z, [0, 1], reduction="summ"),
        "reduction must be mean, sum or none; got 'summ'. Did you mean 'sum'?"),
    "a capital letter": (
        sigmoid_loss(Z, Z, reduction="Mean"), "reduction must be mean, sum or none; got 'Mean'. Did you mean 'mean'?"),
    "another reduction": (
        sigmoid_loss(Z, Z, reduction="batchwise"), "reduction must be mean, sum or none; got 'batchwise'."),
    "no reduction": (sigmoid_loss(Z, Z, reduction=None), "reduction must be mean, sum or none; got None."),
    **{
        f"smoothing {found}, {loss.func.__name__}": (
            loss(label_smoothing=value), f"label_smoothing must be a number in [0, 1]; got {found}.")
        for loss in (partial(softmax_loss, Z, [0, 1]), partial(sigmoid_loss, Z, Z))
        for value, found in ((1.5, "1.5"), (-0.1, "-0.1"), (NAN, "nan"), ("a", "'a'"), (None, "None"), (True, "True"))
    },
    # weights
    "a negative weight": (
        softmax_loss(Z, [0, 1], example_weights=[1, -1]),
        "example_weights must be finite and at least 0; got -1 at row 1."),
    "a weight of NaN": (
        sigmoid_loss(Z, Z, example_weights=[[1, 1, 1], [1, NAN, 1]]),
        "example_weights must be finite and at least 0; got nan at (1, 1)."),
    "an infinite weight of a class": (
        softmax_loss(Z, [0, 1], class_weights=[1, 1, INF]),
        "class_weights must be finite and at least 0; got inf at class 2."),
    "a negative weight of a label": (
        sigmoid_loss(Z, Z, pos_weight=[1, 1, -2]), "pos_weight must be finite and at least 0; got -2 at label 2."),
    "a negative weight of yes": (
        sigmoid_loss(Z, Z, pos_weight=-2), "pos_weight must be finite and at least 0; got -2."),
    "text for weights": (
        softmax_loss(Z, [0, 1], example_weights=["a", "b"]), "example_weights must be numbers; got text."),
    "complex weights": (sigmoid_loss(Z, Z, pos_weight=1j), "pos_weight must be numbers; got complex128."),
    "too few weights": (
        softmax_loss(Z, [0, 1], example_weights=[1]), "example_weights must have shape (2,); got (1,)."),
    "too few weights of classes": (
        softmax_loss(Z, [0, 1], class_weights=[1, 1]), "class_weights must have shape (3,); got (2,)."),
    "weights of labels as examples": (
        sigmoid_loss(Z, Z, example_weights=[1, 1, 1]),
        "example_weights must have shape (2, 3) or (2,) for logits of shape (2, 3); got (3,)."),
    "weights of one logit": (
        sigmoid_loss(1.0, 1, example_weights=[1]),
        "example_weights must have shape () for logits of shape (); got (1,)."),
    "too few weights of labels": (
        sigmoid_loss(Z, Z, pos_weight=[1, 1]),
        "pos_weight must be one number, have shape (3,), or broadcast to the logits' (2, 3); got shape (2,)."),
    "weights of yes with more axes": (
        sigmoid_loss(Z, Z, pos_weight=np.ones((5, 2, 3))),
        "pos_weight must be one number, have shape (3,), or broadcast to the logits' (2, 3); got shape (5, 2, 3)."),
    "weights of yes of one logit": (
        sigmoid_loss(1.0, 1, pos_weight=[1, 2]), "pos_weight must be one number for a single logit; got shape (2,)."),
    "weights that overflow": (
        softmax_loss(np.eye(2), [0, 1], example_weights=[1e200] * 2, class_weights=[1, 1e200]),
        "example_weights times class_weights must be finite. Divide each by its largest."),
    "weights whose sum overflows": (
        sigmoid_loss(np.eye(2), np.eye(2), example_weights=[1e308] * 2),
        "weights must have a finite sum for a mean; got more than 1.8e308. Divide them by the largest."),
}
# fmt: on


@pytest.mark.parametrize("case", MISUSE)
def test_misuse_gets_one_clear_line(case: str) -> None:
    call, line = MISUSE[case]
    with pytest.raises(fl.errors.InputError) as caught:
        call()
    assert str(caught.value) == line


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "two", "", " 2"])
def test_a_number_of_threads_that_is_none_is_refused_by_a_call_that_would_use_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROMLOGITS_THREADS", value)
    with pytest.raises(fl.errors.InputError) as caught:
        fl.sigmoid(np.zeros(from_logits.SHARED_FROM))
    assert str(caught.value) == f"FROMLOGITS_THREADS must be a whole number of at least 1; got {value!r}."
