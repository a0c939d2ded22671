"""Infinite, NaN, masked, weightless and missing: what the mathematics says there, as values and as gradients."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import mpmath as mp
import numpy as np
import pytest

import fromlogits as fl
from tests.numerics.truth import ulps

TYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
of_every_type = pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)

INF, NAN = float("inf"), float("nan")
LOG_2, LOG_3 = mp.log(2), mp.log(3)
MOST, LEAST = "most", "least"  # of the finite numbers of the type


def results_of(call: Callable[[], Any], nans: int) -> Any:
    """What a call returns. It must warn once, of so many NaN, or not at all."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = call()
    if nans == 0:
        assert not caught, caught[0].message
        return results
    [warning] = caught
    assert warning.category is RuntimeWarning
    assert int(re.findall(r"[\d,]+", str(warning.message))[0].replace(",", "")) == nans, warning.message
    return results


def check(got: Any, wanted: Any, dtype: Any) -> None:
    """Each value is the wanted one: NaN and ±∞ exactly, others within the bound; a zero is +0."""
    assert got.dtype == dtype
    found, values = np.ravel(got), np.ravel(np.array(wanted, object))
    assert found.size == values.size
    for x, value in zip(found, values, strict=True):
        if mp.isnan(value):
            assert np.isnan(x), f"got {x}, not NaN"
        elif mp.isinf(value) or value == 0:
            assert x == value, f"got {x}, not {value}"
        else:
            # One rounding; float64, which has no wider type to work in, is promised 4.
            assert ulps(x, mp.mpf(value)) <= (4 if dtype == np.float64 else 0.51), f"got {x}, not {value}"
        assert x != 0 or not np.signbit(x), "got -0"


# --- softmax ---


class Row(NamedTuple):
    logits: list[Any]
    target: Any  # a class, or a share for each
    loss: Any
    gradient: Any  # one number: in every class
    smoothing: float = 0.0
    class_weights: list[float] | None = None
    weight: float | None = None


ROWS = {
    "a masked class takes no part": Row([-INF, 0, 0], 1, LOG_2, [0, -0.5, 0.5]),
    "all but the class are masked": Row([-INF, 3, -INF], 1, 0, 0),
    "the class is masked": Row([-INF, 0, 0], 0, INF, [-1, 0.5, 0.5]),
    "the class is masked, one other is not": Row([-INF, -INF, 3], 0, INF, [-1, 0, 1]),
    "every class is masked": Row([-INF, -INF, -INF], 1, NAN, NAN),
    "infinity at another class": Row([INF, 0, 0], 1, INF, [1, -1, 0]),
    "infinity at another class, the class masked": Row([INF, -INF, 0], 1, INF, [1, -1, 0]),
    "infinity at another class, that one masked": Row([0, INF, -INF], 0, INF, [-1, 1, 0]),
    "infinity at the class": Row([0, INF, 0], 1, NAN, NAN),
    "infinity at the class, all others masked": Row([-INF, INF, -INF], 1, NAN, NAN),
    "infinity twice, at other classes": Row([INF, 0, INF], 1, NAN, NAN),
    "infinity twice, once at the class": Row([INF, INF, 0], 1, NAN, NAN),
    "infinity at every class": Row([INF, INF], 1, NAN, NAN),
    "NaN at the class": Row([0, NAN, 0], 1, NAN, NAN),
    "NaN at another class": Row([0, 0, NAN], 1, NAN, NAN),
    "NaN beside a masked class": Row([-INF, NAN, 0], 2, NAN, NAN),
    "NaN beside infinity": Row([INF, NAN, 0], 2, NAN, NAN),
    "certain": Row([3072, -3072, 0], 0, 0, 0),  # exp(-3072) is too small for every type
    "certain of another": Row([3072, -3072, 0], 1, 6144, [1, -1, 0]),
    "so small that the narrow types lose it": Row([200, 0], 0, mp.exp(-200), [-mp.exp(-200), mp.exp(-200)]),
    "the largest numbers, right": Row([MOST, LEAST], 0, 0, 0),
    "the largest numbers, wrong": Row([MOST, LEAST], 1, INF, [1, -1]),  # twice the largest is above the range
    "the largest numbers, tied": Row([MOST, MOST, 0], 1, LOG_2, [0.5, -0.5, 0]),
    "minus zero": Row([-0.0, 0.0, -0.0], 2, LOG_3, [mp.mpf(1) / 3, mp.mpf(1) / 3, -mp.mpf(2) / 3]),
    "one class": Row([5], 0, 0, 0),
    "one class, masked": Row([-INF], 0, NAN, NAN),
    "one class, infinite": Row([INF], 0, NAN, NAN),
    # probability targets
    "shares of the unmasked": Row([-INF, 0, 0], [0, 0.5, 0.5], LOG_2, 0),
    "shares of the unmasked, unlike the prediction": Row([-INF, 0, 0], [0, 0.25, 0.75], LOG_2, [0, 0.25, -0.25]),
    "a masked class has a share": Row([-INF, 0, 0], [0.5, 0.25, 0.25], INF, [-0.5, 0.25, 0.25]),
    "a masked class has every share": Row([-INF, 0, 0], [1, 0, 0], INF, [-1, 0.5, 0.5]),
    "shares where every class is masked": Row([-INF, -INF, -INF], [0.5, 0.25, 0.25], NAN, NAN),
    "infinity at a class without a share": Row([INF, 0, 0], [0, 0.5, 0.5], INF, [1, -0.5, -0.5]),
    "infinity at a class with a share": Row([INF, 0, 0], [0.5, 0.5, 0], NAN, NAN),
    "infinity twice, without shares": Row([INF, INF, 0], [0, 0, 1], NAN, NAN),
    "NaN at a class without a share": Row([NAN, 0, 0], [0, 0.5, 0.5], NAN, NAN),
    "the prediction is the target": Row([0, 0], [0.5, 0.5], LOG_2, 0),
    "one class, its share 1": Row([5], [1], 0, 0),
    "shares of the certain": Row([3072, -3072, 0], [1, 0, 0], 0, 0),
    # smoothing
    "smoothing stays with the unmasked": Row([-INF, 0, 0], 1, LOG_2, [0, -0.25, 0.25], smoothing=0.5),
    "smoothing of a masked class": Row([-INF, 0, 0], 0, INF, [-0.5, 0.25, 0.25], smoothing=0.5),
    "smoothing all away from a masked class": Row([-INF, 0, 0], 0, LOG_2, 0, smoothing=1.0),
    "smoothing where every class is masked": Row([-INF, -INF], 0, NAN, NAN, smoothing=0.5),
    "smoothing where infinity is": Row([INF, 0], 1, NAN, NAN, smoothing=0.5),
    "smoothing of shares": Row([-INF, 0, 0], [0, 1, 0], LOG_2, [0, -0.25, 0.25], smoothing=0.5),
    "smoothing of one class": Row([5], 0, 0, 0, smoothing=0.5),
    # weights
    "a masked class, twice": Row([-INF, 0, 0], 0, INF, [-2, 1, 1], weight=2),
    "infinity, a quarter": Row([INF, 0, 0], 1, INF, [0.25, -0.25, 0], weight=0.25),
    "weight 0 and NaN": Row([NAN, 0, 0], 1, 0, 0, weight=0),
    "weight 0 and infinity": Row([INF, 0, 0], 1, 0, 0, weight=0),
    "weight 0 and every class masked": Row([-INF, -INF], 1, 0, 0, weight=0),
    "weight 0, shares and NaN": Row([NAN, 0, 0], [0.5, 0.5, 0], 0, 0, weight=0),
    "weight -0": Row([1, 2, 3], 1, 0, 0, weight=-0.0),
    "a class of weight 0 and infinity": Row([INF, 0, 0], 0, 0, 0, class_weights=[0, 1, 1]),
    "a class of weight 0 and NaN": Row([NAN, 0, 0], 0, 0, 0, class_weights=[0, 1, 1]),
    "a masked class of weight 0": Row([-INF, 0, 0], 0, 0, 0, class_weights=[0, 1, 1]),
    "every share of weight 0, and NaN": Row([NAN, 0, 0], [1, 0, 0], 0, 0, class_weights=[0, 1, 1]),
    "a masked share of weight 0": Row(
        [-INF, 0, 0], [0.5, 0.5, 0], LOG_2 / 2, [0, -0.25, 0.25], class_weights=[0, 1, 1]
    ),
    "infinity at a share of weight 0": Row(
        [INF, 0, 0], [0.5, 0.5, 0], INF, [0.5, -0.5, 0], class_weights=[0, 1, 1]
    ),
}  # fmt: skip


def most_of(dtype: Any) -> float:
    return float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]


def logits_of(row_c: list[Any], c: int, dtype: Any) -> Any:
    """In a type; and masked classes up to c, which add nothing."""
    named = {MOST: most_of(dtype), LEAST: -most_of(dtype)}
    return np.array([named.get(z, z) for z in row_c] + [-INF] * (c - len(row_c)), dtype)


# As few classes as there are, and as many that rows are worked on one by one; alone, and among others.
@pytest.mark.parametrize("c", [None, 45])
@pytest.mark.parametrize("before", [0, 11])
@of_every_type
@pytest.mark.parametrize("case", ROWS)
def test_a_softmax_loss_and_its_gradient_are_what_is_wanted(case: str, dtype: Any, before: int, c: int | None) -> None:
    row = ROWS[case]
    c = c or len(row.logits)
    more = c - len(row.logits)
    n = 2 * before + 1
    z_nc = np.zeros((n, c), dtype)
    z_nc[before] = logits_of(row.logits, c, dtype)
    weights_n = np.ones(n)
    targets: Any = np.full(n, c - 1)
    target_types: list[Any] = [np.int64, np.uint8]
    if isinstance(row.target, int):
        targets[before] = row.target
    else:
        targets = np.eye(c)[targets]
        targets[before] = row.target + [0] * more
        target_types = [np.float32, np.float64]
    if row.weight is not None:
        weights_n[before] = row.weight

    for target_type in target_types:
        losses_n, dlogits_nc = results_of(
            lambda of=target_type: fl.softmax_cross_entropy(  # type: ignore[misc]
                z_nc,
                targets.astype(of),
                reduction="none",
                with_gradient=True,
                label_smoothing=row.smoothing,
                class_weights=None if row.class_weights is None else row.class_weights + [1.0] * more,
                example_weights=None if row.weight is None else weights_n,
            ),
            nans=int(mp.isnan(row.loss)),
        )

        gradient = row.gradient if isinstance(row.gradient, list) else [row.gradient] * len(row.logits)
        check(losses_n[before], row.loss, dtype)
        check(dlogits_nc[before], gradient + [NAN if mp.isnan(row.loss) else 0] * more, dtype)
        check(np.delete(losses_n, before), [mp.log(c)] * (n - 1), dtype)


@pytest.mark.parametrize("c", [3, 50, 5000])
@pytest.mark.parametrize("targets", ["classes", "shares"])
def test_every_row_that_is_nan_is_counted_once(c: int, targets: str) -> None:
    n = 60_000 // c
    z_nc = np.zeros((n, c), np.float32)
    z_nc[1::4, 0] = NAN
    z_nc[2::8] = -INF
    z_nc[3::4, -1] = INF  # not at the class: the loss is infinite
    in_classes = np.ones(n, int)
    aim = in_classes if targets == "classes" else np.eye(c, dtype=np.float32)[in_classes]
    nans = len(z_nc[1::4]) + len(z_nc[2::8])

    losses_n = results_of(lambda: fl.softmax_cross_entropy(z_nc, aim, reduction="none"), nans)
    probabilities_nc = results_of(lambda: fl.softmax(z_nc), nans)
    logs_nc = results_of(lambda: fl.log_softmax(z_nc), nans)

    assert np.isnan(losses_n).sum() == nans and np.isinf(losses_n).sum() == len(z_nc[3::4])
    assert np.isnan(probabilities_nc).all(axis=1).sum() == np.isnan(probabilities_nc).any(axis=1).sum() == nans
    assert np.isnan(logs_nc).all(axis=1).sum() == np.isnan(logs_nc).any(axis=1).sum() == nans
    assert np.isnan(results_of(lambda: fl.logsumexp(z_nc), len(z_nc[1::4]))).sum() == len(z_nc[1::4])


# Logits, probabilities, their logarithms, logsumexp.
PROBABILITIES: dict[str, tuple[list[Any], Any, Any, Any]] = {
    "a masked class": ([-INF, 0, 0], [0, 0.5, 0.5], [-INF, -LOG_2, -LOG_2], LOG_2),
    "all but one are masked": ([-INF, 3, -INF], [0, 1, 0], [-INF, 0, -INF], 3),
    "every class is masked": ([-INF, -INF], [NAN] * 2, [NAN] * 2, -INF),
    "infinity once": ([INF, 0, -INF], [1, 0, 0], [0, -INF, -INF], INF),
    "infinity twice": ([INF, INF, 0], [NAN] * 3, [NAN] * 3, INF),
    "NaN": ([NAN, 0, -INF], [NAN] * 3, [NAN] * 3, NAN),
    "NaN beside infinity": ([INF, NAN, 0], [NAN] * 3, [NAN] * 3, NAN),
    "certain": ([3072, 0], [1, 0], [0, -3072], 3072),
    "the largest numbers": ([MOST, LEAST], [1, 0], [0, -INF], MOST),
    "the largest numbers, tied": ([MOST, MOST], [0.5, 0.5], [-LOG_2, -LOG_2], MOST),
    "minus zero": ([-0.0, -0.0], [0.5, 0.5], [-LOG_2, -LOG_2], LOG_2),
    "one class": ([-5], [1], [0], -5),
    "one class, zero": ([-0.0], [1], [0], 0),
    "one class, masked": ([-INF], [NAN], [NAN], -INF),
    "one class, infinite": ([INF], [1], [0], INF),
}


@pytest.mark.parametrize("c", [None, 45])
@of_every_type
@pytest.mark.parametrize("case", PROBABILITIES)
def test_probabilities_and_their_logarithms_are_what_is_wanted(case: str, dtype: Any, c: int | None) -> None:
    row, probabilities_c, logs_c, total = PROBABILITIES[case]
    c = c or len(row)
    more = c - len(row)
    row_c = logits_of(row, c, dtype)
    is_nan = bool(mp.isnan(probabilities_c[0]))

    softmax_c = results_of(lambda: fl.softmax(row_c), is_nan)
    log_softmax_c = results_of(lambda: fl.log_softmax(row_c), is_nan)
    logsumexp = results_of(lambda: fl.logsumexp(row_c), total is NAN)

    check(softmax_c, probabilities_c + [NAN if is_nan else 0] * more, dtype)
    check(log_softmax_c, logs_c + [NAN if is_nan else -INF] * more, dtype)
    check(logsumexp, float(row_c[0]) if total is MOST else total, dtype)


# --- sigmoid ---


class Entry(NamedTuple):
    logit: float
    target: float
    loss: Any
    gradient: Any
    pos_weight: float | None = None
    smoothing: float = 0.0
    weight: float | None = None


ENTRIES = {
    "infinitely sure, right of yes": Entry(INF, 1, 0, 0),
    "infinitely sure, right of no": Entry(-INF, 0, 0, 0),
    "infinitely sure, wrong of no": Entry(INF, 0, INF, 1),
    "infinitely sure, wrong of yes": Entry(-INF, 1, INF, -1),
    "infinitely sure of yes, a little right": Entry(INF, 0.25, INF, 0.75),
    "infinitely sure of no, a little wrong": Entry(-INF, 0.25, INF, -0.25),
    "NaN": Entry(NAN, 0, NAN, NAN),
    "NaN, yes": Entry(NAN, 1, NAN, NAN),
    "NaN, in between": Entry(NAN, 0.5, NAN, NAN),
    "unknown": Entry(2, NAN, 0, 0),
    "unknown, logit infinite": Entry(INF, NAN, 0, 0),
    "unknown, logit NaN": Entry(NAN, NAN, 0, 0),
    "even": Entry(0, 0, LOG_2, 0.5),
    "even, from below": Entry(-0.0, 1, LOG_2, -0.5),
    "even, as it should be": Entry(0, 0.5, LOG_2, 0),
    "even from below, as it should be": Entry(-0.0, 0.5, LOG_2, 0),
    "target -0": Entry(-INF, -0.0, 0, 0),
    "sure, right": Entry(3072, 1, 0, 0),
    "sure, wrong": Entry(-3072, 1, 3072, -1),
    "so small that the narrow types lose it": Entry(200, 1, mp.exp(-200), -mp.exp(-200)),
    # pos_weight
    "yes counts nothing, infinitely wrong": Entry(-INF, 1, 0, 0, pos_weight=0),
    "yes counts nothing, infinitely right": Entry(INF, 1, 0, 0, pos_weight=0),
    "yes counts nothing, in between": Entry(-INF, 0.25, 0, 0, pos_weight=0),
    "yes counts nothing, in between, sure of yes": Entry(INF, 0.25, INF, 0.75, pos_weight=0),
    "yes counts twice, infinitely wrong": Entry(-INF, 1, INF, -2, pos_weight=2),
    "yes counts twice, infinitely right": Entry(INF, 1, 0, 0, pos_weight=2),
    "yes counts twice, no": Entry(-INF, 0, 0, 0, pos_weight=2),
    "yes counts twice, unknown": Entry(-INF, NAN, 0, 0, pos_weight=2),
    "yes counts nothing, NaN": Entry(NAN, 1, NAN, NAN, pos_weight=0),
    # smoothing
    "smoothed, infinitely right": Entry(INF, 1, INF, 0.25, smoothing=0.5),
    "smoothed, infinitely wrong": Entry(-INF, 1, INF, -0.75, smoothing=0.5),
    "smoothed, unknown": Entry(INF, NAN, 0, 0, smoothing=0.5),
    "smoothed to a half": Entry(0, 1, LOG_2, 0, smoothing=1),
    # example weights
    "weight 0, infinitely wrong": Entry(-INF, 1, 0, 0, weight=0),
    "weight 0, NaN": Entry(NAN, 1, 0, 0, weight=0),
    "weight -0": Entry(2, 1, 0, 0, weight=-0.0),
    "weight 2, infinitely wrong": Entry(-INF, 1, INF, -2, weight=2),
    "weight 2, infinitely right": Entry(-INF, 0, 0, 0, weight=2),
    "weight 2, unknown": Entry(-INF, NAN, 0, 0, weight=2),
}  # fmt: skip


@pytest.mark.parametrize("before", [0, 37])
@of_every_type
@pytest.mark.parametrize("case", ENTRIES)
def test_a_sigmoid_loss_and_its_gradient_are_what_is_wanted(case: str, dtype: Any, before: int) -> None:
    entry = ENTRIES[case]
    n = 2 * before + 1
    z_n = np.zeros(n, dtype)
    z_n[before] = entry.logit
    targets_n, weights_n = np.zeros(n), np.ones(n)
    targets_n[before] = entry.target
    if entry.weight is not None:
        weights_n[before] = entry.weight

    for target_type in (np.float32, np.float64, dtype):
        losses_n, dlogits_n = results_of(
            lambda of=target_type: fl.sigmoid_cross_entropy(  # type: ignore[misc]
                z_n,
                targets_n.astype(of),
                reduction="none",
                with_gradient=True,
                pos_weight=entry.pos_weight,
                label_smoothing=entry.smoothing,
                example_weights=None if entry.weight is None else weights_n,
            ),
            nans=int(mp.isnan(entry.loss)),
        )

        check(losses_n[before], entry.loss, dtype)
        check(dlogits_n[before], entry.gradient, dtype)
        check(np.delete(losses_n, before), [LOG_2] * (n - 1), dtype)


@of_every_type
def test_sigmoids_and_their_logarithms_are_what_is_wanted(dtype: Any) -> None:
    z_n = np.array([-INF, INF, 0.0, -0.0, 3072, -3072, 200, NAN], dtype)
    sigmoid_n = results_of(lambda: fl.sigmoid(z_n), 1)
    log_sigmoid_n = results_of(lambda: fl.log_sigmoid(z_n), 1)

    check(sigmoid_n, [0, 1, 0.5, 0.5, 1, 0, 1, NAN], dtype)
    check(log_sigmoid_n, [-INF, 0, -LOG_2, -LOG_2, 0, -3072, -mp.exp(-200), NAN], dtype)


# --- reductions ---


@of_every_type
def test_an_infinite_loss_makes_sum_and_mean_infinite_and_a_nan_makes_them_nan(dtype: Any) -> None:
    infinite = np.array([[0, 0], [-INF, 0]], dtype)
    not_a_number = np.array([[0, 0], [-INF, 0], [NAN, 0]], dtype)
    for reduction, of_each in (("sum", 1), ("mean", 0.5)):
        how: Any = {"reduction": reduction, "with_gradient": True}
        loss, gradient = fl.softmax_cross_entropy(infinite, [0, 0], **how)
        check(loss, INF, dtype)
        check(gradient, [-0.5 * of_each, 0.5 * of_each, -of_each, of_each], dtype)
        check(results_of(lambda how=how: fl.softmax_cross_entropy(not_a_number, [0] * 3, **how), 1)[0], NAN, dtype)  # type: ignore[misc]

        loss, gradient = fl.sigmoid_cross_entropy(infinite[1], [1, 0], **how)
        check(loss, INF, dtype)
        check(gradient, [-of_each, 0.5 * of_each], dtype)
        check(results_of(lambda how=how: fl.sigmoid_cross_entropy(not_a_number[2], [0, 0], **how), 1)[0], NAN, dtype)  # type: ignore[misc]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_a_mean_is_finite_though_the_sum_is_above_the_range(dtype: Any) -> None:
    most = most_of(dtype)
    z_nc = np.array([[most, 0], [most, 0]], dtype)

    assert fl.softmax_cross_entropy(z_nc, [1, 1]) == most
    assert fl.softmax_cross_entropy(z_nc, [1, 1], reduction="sum") == INF
    assert fl.sigmoid_cross_entropy(z_nc, [[0, 1]] * 2, pos_weight=0) == most / 2
    assert fl.sigmoid_cross_entropy(z_nc, [[0, 1]] * 2, pos_weight=0, reduction="sum") == INF


NO_ROWS: dict[str, Callable[..., Any]] = {
    "no rows": lambda dtype, **how: fl.softmax_cross_entropy(np.zeros((0, 3), dtype), np.zeros(0, int), **how),
    "no rows of shares": lambda dtype, **how: fl.softmax_cross_entropy(
        np.zeros((0, 3), dtype), np.zeros((0, 3)), **how),
    "no rows of two axes": lambda dtype, **how: fl.softmax_cross_entropy(
        np.zeros((2, 4, 0), dtype), np.zeros((2, 0), int), axis=1, **how),
    "every row is ignored": lambda dtype, **how: fl.softmax_cross_entropy(
        np.array([[1, 2], [NAN, INF]], dtype), [-100, -100], ignore_label=-100, **how),
    "every row has weight 0": lambda dtype, **how: fl.softmax_cross_entropy(
        np.array([[1, 2], [NAN, INF]], dtype), [0, 1], example_weights=[0, 0], **how),
    "every class has weight 0": lambda dtype, **how: fl.softmax_cross_entropy(
        np.array([[1, 2], [NAN, INF]], dtype), [0, 1], class_weights=[0, 0], **how),
    "every class of a share has weight 0": lambda dtype, **how: fl.softmax_cross_entropy(
        np.array([[1, 2], [NAN, INF]], dtype), [[1.0, 0.0], [0.5, 0.5]], class_weights=[0, 0], **how),
    "no entries": lambda dtype, **how: fl.sigmoid_cross_entropy(np.zeros((0, 3), dtype), np.zeros((0, 3)), **how),
    "no labels": lambda dtype, **how: fl.sigmoid_cross_entropy(
        np.zeros((2, 0), dtype), np.zeros((2, 0)), pos_weight=[], example_weights=np.ones((2, 0)), **how),
    "every label is unknown": lambda dtype, **how: fl.sigmoid_cross_entropy(
        np.array([1, INF, NAN], dtype), [NAN] * 3, **how),
    "every known label has weight 0": lambda dtype, **how: fl.sigmoid_cross_entropy(
        np.array([1, INF, NAN], dtype), [NAN, 0, 1], example_weights=[1, 0, 0], **how),
}  # fmt: skip


@of_every_type
@pytest.mark.parametrize("case", NO_ROWS)
def test_the_mean_of_nothing_is_nan_its_gradient_0_and_its_sum_0(case: str, dtype: Any) -> None:
    mean, of_mean = NO_ROWS[case](dtype, with_gradient=True)
    total, of_total = NO_ROWS[case](dtype, with_gradient=True, reduction="sum")
    losses, of_losses = NO_ROWS[case](dtype, with_gradient=True, reduction="none")

    check(mean, NAN, dtype)
    check(total, 0, dtype)
    check(losses, np.zeros(losses.shape), dtype)
    for gradient in (of_mean, of_total, of_losses):
        check(gradient, np.zeros(of_mean.shape), dtype)


def test_functions_of_nothing_are_nothing_and_logsumexp_of_no_class_is_minus_infinity() -> None:
    for shape in ((0,), (0, 3), (2, 0, 3)):
        for function in (fl.softmax, fl.log_softmax, fl.sigmoid, fl.log_sigmoid):
            assert function(np.zeros(shape, np.float32)).shape == shape
    assert fl.logsumexp([]) == -INF
    np.testing.assert_array_equal(fl.logsumexp(np.zeros((2, 0))), [-INF, -INF])
    np.testing.assert_array_equal(fl.logsumexp(np.zeros((0, 2)), axis=0), [-INF, -INF])
    assert fl.logsumexp(np.zeros((0, 2))).shape == (0,)


# --- zeros ---


@of_every_type
@pytest.mark.parametrize("c", [1, 2, 5, 50])
def test_no_result_is_minus_zero(c: int, dtype: Any) -> None:
    generator = np.random.default_rng(c)
    n = 200
    z_nc = generator.choice([-0.0, 0.0, 1e-30, 3.0, 20.0, 200.0, 1000.0, 3072.0], (n, c)) * generator.choice(
        [-1, 1], (n, c)
    )
    z_nc[generator.random((n, c)) < 0.1] = -INF
    z_nc[:, 0] = 0.0
    z_nc = z_nc.astype(dtype)
    classes_n = generator.integers(c, size=n)
    shares_nc = (np.eye(c)[classes_n] + np.eye(c)[generator.integers(c, size=n)]) / 2
    labels_nc = generator.choice([-0.0, 0.0, 1.0, 0.5, NAN], (n, c))
    weights_n = generator.choice([-0.0, 0.0, 1e-300, 2.0], n)

    results = [fl.softmax(z_nc), fl.log_softmax(z_nc), fl.logsumexp(z_nc), fl.sigmoid(z_nc), fl.log_sigmoid(z_nc)]
    for reduction in ("none", "mean", "sum"):
        for weights in (None, weights_n):
            how: Any = {"reduction": reduction, "with_gradient": True, "example_weights": weights}
            results += fl.softmax_cross_entropy(z_nc, classes_n, **how)
            results += fl.softmax_cross_entropy(z_nc, shares_nc, **how)
            results += fl.softmax_cross_entropy(z_nc, classes_n, label_smoothing=0.1, class_weights=[0.5] * c, **how)
            results += fl.sigmoid_cross_entropy(z_nc, labels_nc, **how)
            results += fl.sigmoid_cross_entropy(z_nc, labels_nc, pos_weight=0.0, **how)

    zeros = np.concatenate([np.ravel(result)[np.ravel(result) == 0] for result in results])
    assert zeros.size > 500 and not np.signbit(zeros).any()
