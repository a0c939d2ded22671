from __future__ import annotations

import inspect
import math
import operator
import warnings
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import ml_dtypes
import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import fromlogits as fl
from fromlogits import logits as from_logits
from tests.numerics import truth

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

SHAPES_AND_AXES = [
    ((), -1), ((4,), 0), ((3, 4), 0), ((3, 4), 1), ((3, 4), -2), ((2, 5, 3), 0), ((2, 5, 3), 1), ((2, 5, 3), -1),
    ((2, 3, 4, 5), 0), ((2, 3, 4, 5), 1), ((2, 3, 4, 5), -2), ((2, 3, 4, 5), 3), ((1, 1, 3, 1), 2), ((3, 1), 1),
    ((2, 60, 3), 1),
]  # fmt: skip


class Inputs(NamedTuple):
    """Logits, what they aim at, and weights, of one shape."""

    z: Any
    classes: Any
    shares: Any
    labels: Any
    weights: Any


def random_case(shape: tuple[int, ...], axis: int, dtype: Any = np.float32) -> Inputs:
    generator = np.random.default_rng([*shape, axis % max(len(shape), 1)])
    z = np.asarray(generator.normal(0, 4, shape)).astype(dtype)
    rows_shape = tuple(np.delete(shape, axis)) if shape else ()
    c = shape[axis] if shape else 1
    shares = generator.dirichlet(np.ones(c), rows_shape)
    shares = np.moveaxis(shares, -1, axis) if shape else shares.reshape(())
    labels = generator.choice([0.0, 1.0, 0.25, NAN], shape)
    return Inputs(
        z, generator.integers(c, size=rows_shape), shares, np.asarray(labels), generator.uniform(0, 2, rows_shape)
    )


def everything(case: Inputs, axis: int, reduction: Any = "none") -> dict[str, Any]:
    """Results of every function, by the axes that they have: those of the logits, or without that of the classes."""
    how: Any = {"axis": axis, "reduction": reduction, "with_gradient": True, "example_weights": case.weights}
    hard, dhard = fl.softmax_cross_entropy(case.z, case.classes, **how)
    soft, dsoft = fl.softmax_cross_entropy(case.z, case.shares, **how)
    sigmoid, dsigmoid = fl.sigmoid_cross_entropy(case.z, case.labels, reduction=reduction, with_gradient=True)
    return {
        "softmax": fl.softmax(case.z, axis=axis), "log_softmax": fl.log_softmax(case.z, axis=axis),
        "sigmoid": fl.sigmoid(case.z), "log_sigmoid": fl.log_sigmoid(case.z),
        "logsumexp": fl.logsumexp(case.z, axis=axis),
        "hard": hard, "dhard": dhard, "soft": soft, "dsoft": dsoft, "sigmoid loss": sigmoid, "dsigmoid": dsigmoid,
    }  # fmt: skip


OF_ROWS = ("logsumexp", "hard", "soft")


def same(a: Any, b: Any) -> bool:
    """The same values, types and shapes; NaN is NaN."""
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


@pytest.mark.parametrize(("shape", "axis"), SHAPES_AND_AXES)
def test_an_axis_is_the_last_axis_moved_there(shape: tuple[int, ...], axis: int) -> None:
    case = random_case(shape, axis)
    rows_shape = case.classes.shape
    c = shape[axis] if shape else 1

    def flat(values: Any) -> Any:
        return np.ascontiguousarray(np.moveaxis(values, axis, -1) if shape else values).reshape(-1, c)

    flat_case = Inputs(
        flat(case.z), case.classes.reshape(-1), flat(case.shares), flat(case.labels), case.weights.reshape(-1)
    )
    for reduction in ("none", "mean", "sum"):
        expected, got = everything(flat_case, -1, reduction), everything(case, axis, reduction)
        for what, result in got.items():
            of_rows = what in OF_ROWS or (what == "sigmoid loss" and reduction != "none")
            if not of_rows:
                assert result.shape == shape, what
                assert same(flat(result), expected[what]), what
            else:
                is_reduced = reduction != "none" and what != "logsumexp"
                assert result.shape == (() if is_reduced else rows_shape), what
                assert np.array_equal(np.ravel(result), np.ravel(expected[what])), what


def strided(values: Any) -> Any:
    """The same values, every other one of a larger array, backwards."""
    if values.ndim == 0:
        return np.array([7, values, 7], values.dtype)[1]
    larger = np.full(tuple(2 * length for length in values.shape), 1, values.dtype)
    view = larger[tuple(slice(None, None, -2) for _ in values.shape)]
    view[...] = values
    return view


def unaligned(values: Any) -> Any:
    """The same values, an odd number of bytes into memory."""
    memory = np.zeros(values.nbytes + 1, np.uint8)[1:]
    view = memory.view(values.dtype).reshape(values.shape)
    view[...] = values
    return view


def read_only(values: Any) -> Any:
    values = np.array(values)
    values.flags.writeable = False
    return values


def memoryview_of(values: Any) -> Any:
    return memoryview(np.array(values, order="C").data)


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "backwards, every other": strided,
    "Fortran's": lambda values: np.array(values, order="F"),
    "read-only": read_only,
    "unaligned": unaligned,
    "big-endian": lambda values: values.astype(values.dtype.newbyteorder(">")),
    "nested lists": lambda values: values.tolist(),
    "a buffer": memoryview_of,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "axis"), [((3, 4), 1), ((2, 5, 3), 0), ((4,), 0), ((3, 50), -1)])
def test_how_values_lie_in_memory_changes_nothing(shape: tuple[int, ...], axis: int, layout: str) -> None:
    case = random_case(shape, axis, np.float64)
    got = everything(Inputs(*map(LAYOUTS[layout], case)), axis)
    expected = everything(case, axis)

    assert all(same(got[what], expected[what]) for what in expected)


def test_repeated_rows_need_no_copy_of_their_own() -> None:
    z = np.broadcast_to(f32([1, 2, 3]), (4, 3))
    loss, gradient = fl.softmax_cross_entropy(z, np.broadcast_to(1, 4), with_gradient=True)
    expected = fl.softmax_cross_entropy(z.copy(), [1] * 4, with_gradient=True)
    assert same(loss, expected[0]) and same(gradient, expected[1])


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_inputs_stay_as_they_are_and_results_are_their_own(dtype: Any) -> None:
    case = random_case((6, 5), -1, dtype)
    before = [np.array(values) for values in case]

    for result in everything(case, -1).values():
        assert not any(np.shares_memory(result, values) for values in case)
        assert result.flags.writeable
    assert all(same(now, then) for now, then in zip(case, before, strict=True))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(), (4,), (3, 4)])
def test_every_result_has_the_type_of_the_logits_and_one_number_is_a_scalar(
    shape: tuple[int, ...], reduction: str, dtype: Any
) -> None:
    for what, result in everything(random_case(shape, -1, dtype), -1, reduction).items():
        assert result.dtype == dtype, what
        assert isinstance(result, np.generic if result.shape == () else np.ndarray), what


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
@pytest.mark.parametrize("c", [3, 300])
def test_class_numbers_are_integers_of_any_width(kind: Any, c: int) -> None:
    z = random_case((20, c), -1).z
    classes = np.arange(20) % min(c, 128)
    assert fl.softmax_cross_entropy(z, classes.astype(kind)) == fl.softmax_cross_entropy(z, classes)


def test_a_hundred_thousand_classes_are_numbered_to_the_last() -> None:
    z = f32(np.zeros((2, 100_000)))
    losses, gradient = fl.softmax_cross_entropy(
        z, np.array([0, 99_999], np.int64), reduction="none", with_gradient=True
    )
    np.testing.assert_array_equal(losses, f32([np.log(100_000)] * 2))
    np.testing.assert_array_equal(np.argwhere(gradient < 0), [[0, 0], [1, 99_999]])


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float16, ml_dtypes.bfloat16, np.float32, np.longdouble])
def test_targets_of_0_and_1_may_be_of_any_type(kind: Any) -> None:
    z = random_case((7, 5), -1).z
    one_hot = np.eye(5)[np.arange(7) % 5]
    hard = fl.softmax_cross_entropy(z, np.arange(7) % 5, with_gradient=True)

    soft = fl.softmax_cross_entropy(z, one_hot.astype(kind), with_gradient=True)
    for result, expected in zip(soft, hard, strict=True):
        np.testing.assert_array_max_ulp(result, expected, 1)  # each within 0.51 of the truth
    labels = fl.sigmoid_cross_entropy(z, one_hot.astype(kind), with_gradient=True)
    for result, expected in zip(labels, fl.sigmoid_cross_entropy(z, one_hot, with_gradient=True), strict=True):
        assert same(result, expected)


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
def test_probabilities_of_a_narrow_type_need_sum_to_1_only_as_well_as_it_can(kind: Any) -> None:
    z = random_case((50, 10), -1).z
    shares = random_case((50, 10), -1).shares.astype(kind)
    wide = shares.astype(np.float32)
    assert np.abs(wide.sum(axis=1) - 1).max() > 1e-4  # more than a float32 may be off
    assert fl.softmax_cross_entropy(z, shares).shape == ()
    with pytest.raises(fl.errors.InputError, match="sum to 1"):
        fl.softmax_cross_entropy(z, wide)


def test_data_frames_and_series_are_arrays() -> None:
    z, classes = f32([[1, 2, 3], [0, 0, 0]]), [2, 0]
    frame = pd.DataFrame(z, columns=list("abc"))
    assert fl.softmax_cross_entropy(frame, pd.Series(classes)) == fl.softmax_cross_entropy(z, classes)
    assert fl.softmax_cross_entropy(frame, pd.Series(classes, dtype="Int64")) == fl.softmax_cross_entropy(z, classes)
    assert same(fl.sigmoid(pd.Series([1.0, -2.0])), fl.sigmoid([1.0, -2.0]))


class TensorElsewhere:
    """What another library's array looks like: it says of itself how to become NumPy's."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


def test_arrays_of_other_libraries_are_read_where_they_can_be() -> None:
    z = f32([[1, 2], [3, 4]])
    assert fl.softmax_cross_entropy(TensorElsewhere(z), TensorElsewhere(np.array([0, 1]))) == (
        fl.softmax_cross_entropy(z, [0, 1])
    )


# --- narrow types: the float64 value, rounded once ---


def nearest(value: Any, dtype: Any) -> float:
    """The number of a type that is nearest to an mpmath number; of two, the even one."""
    in_one, smallest = truth.LAST_PLACE[np.dtype(dtype).name]
    if value == 0:
        return 0.0
    exponent = max(int(mp.floor(mp.log(abs(value), 2))) + in_one, smallest)
    rounded = mp.nint(value / mp.mpf(2) ** exponent) * mp.mpf(2) ** exponent
    most = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
    return float(rounded) if abs(rounded) <= most else float(mp.sign(rounded)) * INF


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_every_narrow_logit_has_the_nearest_loss_and_gradient(dtype: Any) -> None:
    bits = np.arange(0, 1 << 16, 7, dtype=np.uint16)
    z_n = bits.view(dtype)
    z_n = z_n[np.isfinite(z_n.astype(np.float32)) & (np.abs(z_n.astype(np.float32)) < 1e3)]
    for t in (0, 1):
        losses_n, dlogits_n = fl.sigmoid_cross_entropy(z_n, np.full(z_n.shape, t), reduction="none", with_gradient=True)
        for z, loss, gradient in zip(z_n, losses_n, dlogits_n, strict=True):
            true_loss, true_gradient = truth.binary_cross_entropy(z, t)
            assert float(loss) == nearest(true_loss, dtype), f"z = {z}"
            assert float(gradient) == nearest(true_gradient, dtype), f"z = {z}"


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_softmax_results_are_the_nearest(dtype: Any) -> None:
    z_nc = random_case((40, 6), -1, dtype).z * dtype(2)
    classes_n = np.arange(40) % 6
    losses_n, dlogits_nc = fl.softmax_cross_entropy(z_nc, classes_n, reduction="none", with_gradient=True)
    softmax_nc, log_softmax_nc, logsumexp_n = fl.softmax(z_nc), fl.log_softmax(z_nc), fl.logsumexp(z_nc)

    for i, row_c in enumerate(z_nc):
        of_row = truth.softmax(row_c)
        loss, gradient_c = truth.cross_entropy(row_c, int(classes_n[i]))
        assert float(losses_n[i]) == nearest(loss, dtype)
        assert dlogits_nc[i].tolist() == [nearest(value, dtype) for value in gradient_c]
        assert softmax_nc[i].tolist() == [nearest(value, dtype) for value in of_row.probabilities]
        assert log_softmax_nc[i].tolist() == [nearest(value, dtype) for value in of_row.log_probabilities]
        assert float(logsumexp_n[i]) == nearest(of_row.logsumexp, dtype)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_rounding_to_a_narrow_type_is_not_done_twice(dtype: Any) -> None:
    """Next to a tie of the narrow type, closer than float32 can tell, are the values that two roundings get wrong."""
    in_one, smallest = truth.LAST_PLACE[np.dtype(dtype).name]
    generator = np.random.default_rng(0)
    exponents = [smallest - in_one, smallest - in_one + 1, -3, 0, 5, 12]
    whole = [2**-in_one + int(m) for m in generator.integers(2**-in_one, size=20)] + [2 ** (1 - in_one) - 1]
    ties = [math.ldexp(m + 0.5, e + in_one) for e in exponents for m in whole]
    ties += [math.ldexp(m + 0.5, smallest) for m in range(20)]  # subnormal, and half of the least
    values = np.array([tie * (1 + side * 2.0**-40) for tie in ties for side in (-1, 0, 1)])
    values = np.concatenate([values, -values, [0.0, 1e-60, -1e-60, 1e300, -1e300, 65519.99, 65520.0]])

    got = from_logits.rounded_to(values, np.dtype(dtype))
    assert got.astype(float).tolist() == [nearest(mp.mpf(value), dtype) for value in values]
    assert not np.signbit(got[got == 0]).any()
    with np.errstate(over="ignore"):
        twice = values.astype(np.float32).astype(dtype)
    assert (twice != got).sum() > 50  # so the values are such as tell


# --- reductions ---


def as_fractions(values: Any) -> list[Fraction]:
    return [Fraction(float(value)) for value in np.ravel(values)]


def rounded_fraction(value: Any, dtype: Any) -> float:
    exact = Fraction(value)
    return nearest(mp.mpf(exact.numerator) / exact.denominator, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("n", [1, 7, 1000])
def test_sum_and_mean_are_the_exact_ones_of_the_float64_losses_rounded_once(n: int, dtype: Any) -> None:
    z, classes, _, labels, weights = random_case((n, 5), -1, dtype)
    z = z.astype(np.float32).astype(dtype)
    class_weights = np.linspace(0, 2, 5)
    wide = z.astype(np.float32)  # the same numbers
    losses = as_fractions(from_logits.softmax_losses(wide, classes))
    entries = [Fraction(0 if np.isnan(t) else loss) for loss, t in zip(
        as_fractions(from_logits.sigmoid_losses(wide, np.nan_to_num(labels))), labels.flat, strict=True)]  # fmt: skip
    in_play = as_fractions(weights * class_weights[classes])
    known = as_fractions(np.where(np.isnan(labels), 0.0, np.repeat(weights, 5).reshape(n, 5)))

    for of, total, by, how in [
        (losses, sum(losses), Fraction(n), {}),
        (losses, sum(map(operator.mul, losses, in_play)), sum(in_play),
         {"example_weights": weights, "class_weights": class_weights}),
    ]:  # fmt: skip
        assert len(of) == n
        assert fl.softmax_cross_entropy(z, classes, **how) == rounded_fraction(total / by, dtype)
        assert fl.softmax_cross_entropy(z, classes, reduction="sum", **how) == rounded_fraction(total, dtype)
    total = sum(entries)
    assert fl.sigmoid_cross_entropy(z, labels) == rounded_fraction(total / int((~np.isnan(labels)).sum()), dtype)
    assert fl.sigmoid_cross_entropy(z, labels, reduction="sum") == rounded_fraction(total, dtype)
    total = sum(map(operator.mul, entries, known))
    mean = fl.sigmoid_cross_entropy(z, labels, example_weights=weights)
    assert mean == rounded_fraction(total / sum(known), dtype)


def test_a_mean_in_float64_is_the_exact_one_of_its_losses() -> None:
    z, classes, _, labels, weights = random_case((1000, 5), -1, np.float64)
    losses = as_fractions(fl.softmax_cross_entropy(z, classes, reduction="none"))
    assert fl.softmax_cross_entropy(z, classes) == rounded_fraction(sum(losses) / 1000, np.float64)
    weighted = sum(map(operator.mul, losses, as_fractions(weights)))
    mean = fl.softmax_cross_entropy(z, classes, example_weights=weights)
    assert mean == rounded_fraction(weighted / sum(as_fractions(weights)), np.float64)
    known = labels[~np.isnan(labels)]
    entries = as_fractions(fl.sigmoid_cross_entropy(z[~np.isnan(labels)], known, reduction="none"))
    assert fl.sigmoid_cross_entropy(z, labels) == rounded_fraction(sum(entries) / known.size, np.float64)


@pytest.mark.parametrize("targets", ["classes", "shares"])
def test_the_gradient_of_a_mean_is_that_of_the_rows_over_their_weight(targets: str) -> None:
    case = random_case((40, 6), -1)
    aim = case.classes if targets == "classes" else case.shares
    for weights in (None, case.weights):
        how: Any = {"with_gradient": True, "example_weights": weights}
        _, of_rows = fl.softmax_cross_entropy(case.z.astype(np.float64), aim, reduction="none", **how)
        _, of_sum = fl.softmax_cross_entropy(case.z, aim, reduction="sum", **how)
        _, of_mean = fl.softmax_cross_entropy(case.z, aim, **how)
        by = 40 if weights is None else math.fsum(weights)

        # float64, 4 ulp, beside one rounding to float32; a difference of given numbers has 2^-48 more.
        slack = 0.0 if targets == "classes" else 2.0**-47
        np.testing.assert_allclose(of_sum, of_rows, rtol=2.0**-24 + 2.0**-49, atol=slack)
        np.testing.assert_allclose(of_mean, of_rows / by, rtol=2.0**-24 + 2.0**-49, atol=slack)


def test_the_sum_of_the_losses_of_no_reduction_is_the_sum() -> None:
    case = random_case((30, 4), -1, np.float64)
    losses = fl.sigmoid_cross_entropy(case.z, case.labels, reduction="none", example_weights=case.weights)
    total = fl.sigmoid_cross_entropy(case.z, case.labels, reduction="sum", example_weights=case.weights)
    assert total == pytest.approx(math.fsum(losses.flat), rel=2.0**-52)  # each product was rounded


# --- what arguments mean ---


def test_smoothing_is_that_of_the_targets_passed_smoothed() -> None:
    z, classes, shares, labels, weights = random_case((30, 5), -1)
    z[3, 1:] = -INF  # only the unmasked have a share
    classes[3] = 0
    shares[3] = [1, 0, 0, 0, 0]
    unmasked = ~np.isneginf(z)
    spread = 0.25 * unmasked / unmasked.sum(axis=1, keepdims=True)
    how: Any = {"reduction": "none", "with_gradient": True, "example_weights": weights}
    for targets, dense in ((classes, np.eye(5)[classes]), (shares, shares)):
        for class_weights in (None, [0.5, 1.0, 2.0, 0.0, 3.0]):
            got = fl.softmax_cross_entropy(z, targets, label_smoothing=0.25, class_weights=class_weights, **how)
            expected = fl.softmax_cross_entropy(z, 0.75 * dense + spread, class_weights=class_weights, **how)
            # The smoothed targets were rounded to float64, so float32 may round otherwise once, by 1 ulp.
            np.testing.assert_allclose(got[0], expected[0], rtol=2.0**-23)
            np.testing.assert_allclose(got[1], expected[1], rtol=2.0**-23, atol=2.0**-47)
    got = fl.sigmoid_cross_entropy(z, labels, label_smoothing=0.25, **how)
    expected = fl.sigmoid_cross_entropy(z, 0.75 * labels + 0.125, **how)
    assert same(got[0], expected[0]) and same(got[1], expected[1])  # 0.75 t + 0.125 is exact for these


def test_no_smoothing_is_no_smoothing() -> None:
    case = random_case((9, 4), -1)
    for zero in (0, 0.0, np.float32(0)):
        assert fl.softmax_cross_entropy(case.z, case.classes, label_smoothing=zero) == (  # type: ignore[arg-type]
            fl.softmax_cross_entropy(case.z, case.classes)
        )


@pytest.mark.parametrize("ignored", [-100, -1, 0, 2, 7, 255, 10**12])
def test_an_ignored_label_leaves_the_row_out(ignored: int) -> None:
    z = random_case((12, 3), -1).z
    classes = np.arange(12) % 3
    classes[[0, 5]] = ignored
    kept = classes != ignored
    loss, gradient = fl.softmax_cross_entropy(z, classes, ignore_label=ignored, with_gradient=True)
    expected, of_kept = fl.softmax_cross_entropy(z[kept], classes[kept], with_gradient=True)

    assert loss == expected
    assert same(gradient[kept], of_kept) and (gradient[~kept] == 0).all()
    losses = fl.softmax_cross_entropy(z, classes, ignore_label=ignored, reduction="none")
    assert (losses[~kept] == 0).all() and (losses[kept] > 0).all()


def test_an_ignored_label_may_be_one_that_the_type_of_the_classes_cannot_hold() -> None:
    z, classes = random_case((5, 3), -1).z, np.array([0, 1, 2, 0, 1], np.uint8)
    expected = fl.softmax_cross_entropy(z, classes)
    for ignored in (-100, 256, 2**70, np.int64(-1)):
        assert fl.softmax_cross_entropy(z, classes, ignore_label=ignored) == expected  # type: ignore[arg-type]


def test_example_weights_repeat_a_row_and_0_leaves_it_out() -> None:
    z, classes, shares, labels, _ = random_case((6, 4), -1)
    times = np.array([0, 1, 2, 3, 0, 1])
    for loss, targets in (
        (fl.softmax_cross_entropy, classes), (fl.softmax_cross_entropy, shares), (fl.sigmoid_cross_entropy, labels)
    ):  # fmt: skip
        repeated = loss(np.repeat(z, times, axis=0), np.repeat(targets, times, axis=0), with_gradient=True)
        weighted = loss(z, targets, example_weights=times, with_gradient=True)
        assert weighted[0] == repeated[0]
        # A weight multiplies before the rounding, adding up repeated rows after it.
        sums = np.stack([repeated[1][np.repeat(np.arange(6), times) == i].sum(axis=0) for i in range(6)])
        np.testing.assert_allclose(weighted[1], sums, rtol=3 * 2.0**-23)


def test_weights_of_examples_and_of_entries_are_the_same_where_they_agree() -> None:
    z, _, _, labels, weights = random_case((6, 4), -1)
    by_entry = np.repeat(weights[:, None], 4, axis=1)
    for reduction in ("none", "mean", "sum"):
        how: Any = {"reduction": reduction, "with_gradient": True}
        got = fl.sigmoid_cross_entropy(z, labels, example_weights=weights, **how)
        expected = fl.sigmoid_cross_entropy(z, labels, example_weights=by_entry, **how)
        assert same(got[0], expected[0]) and same(got[1], expected[1])


def test_class_weights_are_weights_of_the_rows_of_a_class() -> None:
    case = random_case((20, 4), -1)
    class_weights = np.array([0.5, 2.0, 0.0, 1.0])
    how: Any = {"with_gradient": True}
    for reduction in ("none", "mean", "sum"):
        by_class = fl.softmax_cross_entropy(
            case.z,
            case.classes,
            class_weights=class_weights,
            reduction=reduction,
            **how,
        )
        by_row = fl.softmax_cross_entropy(
            case.z,
            case.classes,
            example_weights=class_weights[case.classes],
            reduction=reduction,
            **how,
        )
        assert same(by_class[0], by_row[0]) and same(by_class[1], by_row[1])


def test_a_positive_weight_in_every_form_is_the_same() -> None:
    z, _, _, labels, _ = random_case((6, 4), -1)
    one: list[Any] = [3, 3.0, [3], [[3.0]], np.float32(3), np.full(4, 3), np.full((6, 1), 3), np.full((6, 4), 3.0)]
    each: list[Any] = [[1, 2, 0, 4], [[1, 2, 0, 4]], np.tile([1, 2, 0, 4], (6, 1))]
    for forms in (one, each):
        results = [fl.sigmoid_cross_entropy(z, labels, pos_weight=form, with_gradient=True) for form in forms]
        assert len({float(loss) for loss, _ in results}) == 1
        assert all(same(gradient, results[0][1]) for _, gradient in results)
    rows = np.arange(6)[:, None]
    per_row = fl.sigmoid_cross_entropy(z, labels, pos_weight=rows, reduction="none")
    for row in range(6):
        assert same(per_row[row], fl.sigmoid_cross_entropy(z[row], labels[row], pos_weight=row, reduction="none"))


def test_a_positive_weight_counts_yes_that_many_times() -> None:
    z = random_case((50,), -1).z
    plain = fl.sigmoid_cross_entropy(z, np.ones(50), reduction="none", with_gradient=True)
    twice = fl.sigmoid_cross_entropy(z, np.ones(50), pos_weight=2, reduction="none", with_gradient=True)
    assert same(twice[0], 2 * plain[0]) and same(twice[1], 2 * plain[1])
    no = fl.sigmoid_cross_entropy(z, np.zeros(50), reduction="none")
    assert same(fl.sigmoid_cross_entropy(z, np.zeros(50), pos_weight=2, reduction="none"), no)


def test_an_unknown_label_is_as_if_it_were_not_there() -> None:
    z, _, _, labels, _ = random_case((8, 5), -1)
    known = ~np.isnan(labels)
    loss, gradient = fl.sigmoid_cross_entropy(z, labels, with_gradient=True)
    expected, of_known = fl.sigmoid_cross_entropy(z[known], labels[known], with_gradient=True)

    assert known.any() and not known.all()
    assert loss == expected
    assert same(gradient[known], of_known) and (gradient[~known] == 0).all()


# --- the gradient is the derivative, and other identities ---


def derivative(loss: Callable[[Any], Any], z: Any) -> Any:
    """By central differences in float64: off by h²/6 times the third derivative, and by 2^-52·loss/h of rounding.

    With h = 2^-17, and no third derivative of a log-sum of exponentials above 1/2 per unit of weight, that is 5e-12 and
    3e-11 a unit.
    """
    step = 2.0**-17
    result = np.zeros(z.shape)
    for at in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[at] += step
        down[at] -= step
        result[at] = (float(loss(up)) - float(loss(down))) / (2 * step)
    return result


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_are_derivatives(smoothing: float, reduction: Any) -> None:
    z, classes, shares, labels, weights = random_case((3, 4), -1, np.float64)
    of_classes = [0.5, 2.0, 0.0, 1.0]
    losses: list[Callable[..., Any]] = [
        partial(fl.softmax_cross_entropy, targets=classes, example_weights=weights, class_weights=of_classes),
        partial(fl.softmax_cross_entropy, targets=shares, example_weights=weights, class_weights=of_classes),
        partial(fl.softmax_cross_entropy, targets=classes),
        partial(fl.softmax_cross_entropy, targets=[1, 2, -1], ignore_label=-1),
        partial(fl.softmax_cross_entropy, targets=[0, 2, 1, 0], axis=0),
        partial(fl.sigmoid_cross_entropy, targets=labels),
        partial(fl.sigmoid_cross_entropy, targets=labels, pos_weight=[1, 2, 3, 0], example_weights=weights),
    ]
    for loss in losses:
        scalar = partial(loss, reduction=reduction, label_smoothing=smoothing)
        _, gradient = scalar(z, with_gradient=True)
        size = max(1.0, float(scalar(z)))
        np.testing.assert_allclose(gradient, derivative(scalar, z), rtol=0, atol=1e-10 * size)


@pytest.mark.parametrize("c", [2, 10, 100, 1000])
def test_a_row_of_a_softmax_gradient_sums_to_0(c: int) -> None:
    case = random_case((20, c), -1)
    for targets in (case.classes, case.shares):
        _, gradient = fl.softmax_cross_entropy(case.z, targets, reduction="none", with_gradient=True)
        # Each entry is off by at most half of its last place, so the sum by 2^-24 of the sum of their sizes; and a
        # target's sum is 1 only to float64's rounding.
        wide = gradient.astype(np.float64)
        assert (np.abs(wide.sum(axis=1)) <= 2.0**-24 * 1.02 * np.abs(wide).sum(axis=1) + 2.0**-45).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_classes_are_the_sigmoid_of_their_difference(dtype: Any) -> None:
    z = random_case((200, 2), -1, np.float32).z.astype(dtype)
    z[:, 0] = np.round(z[:, 0])  # so that the difference is exact
    z[:, 1] = np.round(z[:, 1] * 16) / 16
    lead = z[:, 1] - z[:, 0]
    classes = np.arange(200) % 2
    # Both are within the bound of one true value: float32 0.51 each, float64 4.
    limit = 1 if dtype == np.float32 else 8
    np.testing.assert_array_max_ulp(fl.softmax(z)[:, 1], fl.sigmoid(lead), limit)
    np.testing.assert_array_max_ulp(fl.log_softmax(z)[:, 1], fl.log_sigmoid(lead), limit)
    of_two = fl.softmax_cross_entropy(z, classes, reduction="none", with_gradient=True)
    of_one = fl.sigmoid_cross_entropy(lead, classes, reduction="none", with_gradient=True)
    np.testing.assert_array_max_ulp(of_two[0], of_one[0], limit)
    np.testing.assert_array_max_ulp(of_two[1][:, 1], of_one[1], limit)
    np.testing.assert_array_max_ulp(of_two[1][:, 0], -of_one[1], limit)


logits_rows = arrays(
    np.float64, array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=60), elements=st.floats(-700, 700)
)


@given(logits_rows)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_probabilities_their_logarithms_and_logsumexp_agree(z: Any) -> None:
    p, log_p, total = fl.softmax(z), fl.log_softmax(z), fl.logsumexp(z)
    c = z.shape[-1]

    # c values that are off by 4 ulp each, at most 2^-50 of themselves, and the rounding of their sum here.
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=2.0**-50 + c * 2.0**-53)
    # exp makes of an absolute error a relative one: log p is off by 2^-50 of up to 1400.
    np.testing.assert_allclose(np.exp(log_p), p, rtol=1400 * 2.0**-50 + 2.0**-49)
    # z − lse is a difference of numbers up to 710; each is off by 2^-50 of itself at most.
    np.testing.assert_allclose(log_p, z - total[..., None], rtol=2.0**-50, atol=1500 * 2.0**-50)
    losses = np.stack([fl.softmax_cross_entropy(z, np.full(z.shape[:-1], k), reduction="none") for k in range(c)], -1)
    np.testing.assert_allclose(losses, -log_p, rtol=2.0**-49)  # the same number, 4 ulp each


@given(logits_rows, st.integers(-40, 40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_common_offset_changes_no_bit_where_it_changes_no_difference(z: Any, offset: int) -> None:
    z = np.round(z).astype(np.float32)  # whole numbers: sums with an offset are exact
    moved = z + np.float32(offset * 1000)
    classes = np.argmin(z, axis=-1)
    for got, expected in zip(
        fl.softmax_cross_entropy(moved, classes, reduction="none", with_gradient=True),
        fl.softmax_cross_entropy(z, classes, reduction="none", with_gradient=True),
        strict=True,
    ):
        assert same(got, expected)
    assert same(fl.softmax(moved), fl.softmax(z)) and same(fl.log_softmax(moved), fl.log_softmax(z))


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3, max_side=5), elements=st.floats(-1e5, 1e5)), st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_loss_is_the_same_for_any_way_to_cut_it_into_calls(z: Any, data: Any) -> None:
    axis = data.draw(st.integers(-z.ndim, z.ndim - 1))
    classes = np.argmax(z, axis=axis)
    losses, gradient = fl.softmax_cross_entropy(z, classes, axis=axis, reduction="none", with_gradient=True)
    moved, dmoved = np.moveaxis(z, axis, -1), np.moveaxis(gradient, axis, -1)
    for at in np.ndindex(classes.shape):
        loss, of_row = fl.softmax_cross_entropy(moved[at], int(classes[at]), with_gradient=True)
        assert loss == losses[at]
        assert same(of_row, dmoved[at])


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
    "one weight of yes with more axes": (
        sigmoid_loss(Z, Z, pos_weight=[[[2]]]),
        "pos_weight must be one number, have shape (3,), or broadcast to the logits' (2, 3); got shape (1, 1, 1)."),
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
