"""One temperature, or one and a bias for each label: found where they are known, the minimum, and they never harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, log_softmax

from fromlogits.decisions.calibration import KINDS, NOTHING, Calibration, check_record, fit
from fromlogits.decisions.folds import FOLDS, folds
from fromlogits.decisions.held_out import HeldOut
from fromlogits.decisions.scale_and_bias import (
    BIAS_PRIOR,
    BINS,
    SLOPE_PRIOR,
    fit_scale_and_bias,
    grouped,
    refine,
)
from fromlogits.decisions.temperature import fit_temperature as temperature_of
from fromlogits.errors import InputError
from fromlogits.heads import HEADS
from fromlogits.spec import HeadName

Float32 = NDArray[np.float32]
HEAD_NAMES: list[HeadName] = ["softmax", "sigmoid"]


def sample(head: HeadName, n: int, c: int, temperature: float, seed: int) -> tuple[Float32, NDArray[Any]]:
    """Targets drawn from the head's own probabilities, and logits that are `temperature` times too large."""
    generator = np.random.default_rng(seed)
    z_nc = 2 * generator.normal(size=(n, c))
    targets: NDArray[Any]
    if head == "softmax":
        targets = (z_nc + generator.gumbel(size=(n, c))).argmax(axis=1).astype(np.int32)
    else:
        targets = (generator.random((n, c)) < expit(z_nc)).astype(np.float32)
    return (temperature * z_nc).astype(np.float32), targets


def fit_temperature(logits_nc: Float32, targets: NDArray[Any], head: HeadName, weights: Any = None) -> float:
    rows = HeldOut.of(logits_nc, targets, head, weights)
    assert rows is not None
    return temperature_of(rows)


def apply(logits_nc: Float32, temperature: float) -> Float32:
    return Calibration.of(temperature).apply(logits_nc)


def mean_loss(head: HeadName, logits_nc: Float32, targets: NDArray[Any], by: float | Calibration) -> float:
    calibration = by if isinstance(by, Calibration) else Calibration.of(by)
    return float(HEADS[head].losses(calibration.apply(logits_nc), targets).mean())


def smoothed_loss(head: HeadName, logits_nc: Float32, targets: NDArray[Any], log_beta: float) -> float:
    """What is minimised, written by SciPy."""
    z_nc = np.exp(log_beta) * logits_nc.astype(np.float64)
    n, c = z_nc.shape
    share = 1 / (n + 1)
    if head == "softmax":
        t_nc = np.eye(c)[targets] * (1 - share) + share / c
        return float(-(t_nc * log_softmax(z_nc, axis=1)).sum() / n)
    t_nc = targets * (1 - share) + share * ((1 - 1 / c) * targets.mean(axis=0) + 1 / c / 2)
    return float(-(t_nc * log_expit(z_nc) + (1 - t_nc) * log_expit(-z_nc)).sum() / n)


@pytest.mark.parametrize("head", HEAD_NAMES)
@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 2.0, 30.0])
def test_a_known_temperature_is_recovered(head: HeadName, temperature: float) -> None:
    logits_nc, targets = sample(head, 40_000, 4, temperature, seed=1)
    # Standard error: about 1 / sqrt(40,000 · information per row), 1 % here; four of them.
    assert fit_temperature(logits_nc, targets, head) == pytest.approx(temperature, rel=0.04)


@pytest.mark.parametrize("head", HEAD_NAMES)
@pytest.mark.parametrize("n", [20, 100, 1000])
@pytest.mark.parametrize("temperature", [0.1, 3.0, 50.0])
def test_it_is_scipys_minimum_and_near_that_of_the_unsmoothed_loss(head: HeadName, n: int, temperature: float) -> None:
    logits_nc, targets = sample(head, n, 3, temperature, seed=n)
    ours = fit_temperature(logits_nc, targets, head)

    def minimum(loss: Any) -> float:
        found = minimize_scalar(loss, bounds=(-np.log(1e3), np.log(1e3)), method="bounded", options={"xatol": 1e-10})
        return float(np.exp(-found.x))

    assert ours == pytest.approx(minimum(lambda at: smoothed_loss(head, logits_nc, targets, at)), rel=1e-6)
    unsmoothed = minimum(lambda at: mean_loss(head, logits_nc, targets, float(np.exp(-at))))
    assert ours == pytest.approx(unsmoothed, rel=12 / n)


@pytest.mark.parametrize("head", HEAD_NAMES)
@pytest.mark.parametrize("seed", range(20))
def test_the_loss_of_the_rows_never_rises(head: HeadName, seed: int) -> None:
    generator = np.random.default_rng(seed)
    n, c = int(generator.integers(1, 30)), int(generator.integers(2, 5))
    logits_nc = (10 ** generator.uniform(-3, 4) * generator.normal(size=(n, c))).astype(np.float32)
    targets: NDArray[Any]
    if head == "softmax":
        targets = generator.integers(0, c, n).astype(np.int32)
    else:
        targets = generator.integers(0, 2, (n, c)).astype(np.float32)
    fitted = fit(logits_nc, targets, head)
    temperatures = fitted.calibration.temperatures
    assert ((temperatures >= 1e-3) & (temperatures <= 1e3)).all()
    assert mean_loss(head, logits_nc, targets, fitted.calibration) <= mean_loss(head, logits_nc, targets, 1.0)


@pytest.mark.parametrize("head", HEAD_NAMES)
@pytest.mark.parametrize("n", [10, 100, 1000])
def test_rows_that_are_all_right_do_not_call_for_certainty(head: HeadName, n: int) -> None:
    labels_n = np.arange(n) % 3
    targets: NDArray[Any] = labels_n.astype(np.int32) if head == "softmax" else np.eye(3, dtype=np.float32)[labels_n]
    logits_nc = 0.1 * (2 * np.eye(3, dtype=np.float32)[labels_n] - 1)

    temperature = fit_temperature(logits_nc, targets, head)

    wrong_nc = 1 - HEADS[head].probabilities(apply(logits_nc, temperature)).max(axis=1)
    assert temperature < 1  # the logits are far too careful
    assert 0.1 / n < wrong_nc.max() < 1 / n  # as Laplace: about one wrong in n more


@pytest.mark.parametrize("head", HEAD_NAMES)
def test_rows_that_are_all_right_and_sure_are_left_alone(head: HeadName) -> None:
    labels_n = np.arange(30) % 3
    targets: NDArray[Any] = labels_n.astype(np.int32) if head == "softmax" else np.eye(3, dtype=np.float32)[labels_n]
    logits_nc = 100 * (2 * np.eye(3, dtype=np.float32)[labels_n] - 1)
    assert fit(logits_nc, targets, head).calibration == NOTHING


@pytest.mark.parametrize("head", HEAD_NAMES)
def test_logits_that_point_the_wrong_way_get_the_largest_temperature(head: HeadName) -> None:
    logits_nc, targets = sample(head, 500, 3, 1.0, seed=5)
    assert fit_temperature(-logits_nc, targets, head) == pytest.approx(1e3)


@pytest.mark.parametrize("value", [0.0, 3.0, -1e30])
def test_equal_logits_have_nothing_to_say(value: float) -> None:
    logits_nc = np.full((20, 3), value, np.float32)
    assert fit(logits_nc, np.arange(20, dtype=np.int32) % 3, "softmax").calibration == NOTHING


def test_rows_of_unknown_class_are_left_out() -> None:
    logits_nc, labels_n = sample("softmax", 300, 3, 5.0, seed=2)
    partly_n = labels_n.copy()
    partly_n[::3] = -1
    known_n = partly_n >= 0
    expected = fit_temperature(logits_nc[known_n], labels_n[known_n], "softmax")
    assert fit_temperature(logits_nc, partly_n, "softmax") == expected != 1.0
    assert fit(logits_nc, np.full(300, -1), "softmax").calibration == NOTHING


def test_one_unit_takes_class_indices_or_a_column() -> None:
    logits_nc, targets_nc = sample("sigmoid", 300, 1, 5.0, seed=3)
    assert fit_temperature(logits_nc, targets_nc[:, 0].astype(np.int64), "sigmoid") == fit_temperature(
        logits_nc, targets_nc, "sigmoid"
    )


@pytest.mark.parametrize("head", HEAD_NAMES)
def test_rows_of_equal_weight_are_rows_and_those_without_are_none(head: HeadName) -> None:
    logits_nc, targets = sample(head, 300, 3, 5.0, seed=2)
    part_n = np.arange(300) % 3 > 0
    expected = fit_temperature(logits_nc[part_n], targets[part_n], head)
    assert fit_temperature(logits_nc, targets, head, np.where(part_n, 7.0, 0.0)) == pytest.approx(expected, rel=1e-12)
    if head == "sigmoid":
        unknown = np.where(part_n[:, None], targets, np.nan)
        assert fit_temperature(logits_nc, unknown, head) == pytest.approx(expected, rel=1e-12)
        assert fit(logits_nc, np.full((300, 3), np.nan), head).calibration == NOTHING


@pytest.mark.parametrize("head", HEAD_NAMES)
def test_weighted_rows_have_scipys_minimum_of_the_weighted_loss(head: HeadName) -> None:
    """Of so many rows that smoothing hardly plays a part."""
    logits_nc, targets = sample(head, 40_000, 3, 3.0, seed=4)
    times_n = np.random.default_rng(0).integers(0, 4, 40_000)
    copies = np.repeat(np.arange(40_000), times_n)

    def copied_loss(log_beta: float) -> float:
        return mean_loss(head, logits_nc[copies], targets[copies], float(np.exp(-log_beta)))

    found = minimize_scalar(copied_loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-8})
    weighted = fit_temperature(logits_nc, targets, head, times_n.astype(np.float64))
    assert weighted == pytest.approx(float(np.exp(-found.x)), rel=1e-3)
    assert weighted == pytest.approx(
        fit_temperature(logits_nc, targets, head, 1e6 * times_n.astype(np.float64)), rel=1e-9
    )


@pytest.mark.parametrize("head", HEAD_NAMES)
@pytest.mark.filterwarnings("error")
def test_hostile_logits_neither_warn_nor_break(head: HeadName) -> None:
    targets: NDArray[Any] = np.array([0, 1, 1], np.int32) if head == "softmax" else np.eye(3, 2, dtype=np.float32)
    for scale in (1e-45, 1e-30, 1e30, 3e38):
        logits_nc = np.array([[1, -1], [1, -1], [-1, 1]], np.float32) * np.float32(scale)
        temperatures = fit(logits_nc, targets, head).calibration.temperatures
        assert ((temperatures >= 1e-3) & (temperatures <= 1e3)).all()
    for broken in (np.nan, np.inf):
        assert fit(np.full((3, 2), broken, np.float32), targets, head).calibration == NOTHING
    for n in (0, 1):
        assert fit(np.zeros((n, 2), np.float32), targets[:n], head).log_losses == {}


def test_applying_rounds_once_and_one_changes_nothing() -> None:
    logits_nc = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.testing.assert_array_equal(apply(logits_nc, 1.0), logits_nc, strict=True)
    expected = [np.float32(float(z) / 1.7) for z in logits_nc.ravel()]
    np.testing.assert_array_equal(apply(logits_nc, 1.7).ravel(), expected)


# --- a temperature and a bias for each label ---


def of_labels(n: int, temperatures: Any, biases: Any, seed: int) -> tuple[Float32, Float32]:
    """Logits, and labels that hold with sigmoid(z / T + b)."""
    generator = np.random.default_rng(seed)
    z_nc = (2 * generator.normal(size=(n, len(temperatures))) - 1).astype(np.float32)
    p_nc = expit(z_nc / np.asarray(temperatures) + np.asarray(biases))
    return z_nc, (generator.random(z_nc.shape) < p_nc).astype(np.float32)


def penalised(at: Any, z_n: Any, t_n: Any, w_n: Any, shared: float) -> float:
    """What a label's slope and bias make least, written by SciPy."""
    slope, bias = np.exp(at[0]), at[1]
    u_n = slope * z_n + bias
    ratio = slope / shared
    prior = SLOPE_PRIOR * (ratio - 1 - np.log(ratio)) + BIAS_PRIOR / 2 * bias**2
    return float(-(w_n * (t_n * log_expit(u_n) + (1 - t_n) * log_expit(-u_n))).sum() + prior)


@pytest.mark.parametrize("n", [20, 300])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_labels_slope_and_bias_are_scipys_minimum(n: int, is_weighted: bool) -> None:
    logits_nc, targets_nc = of_labels(n, [0.5, 1.0, 3.0, 1.0], [0.7, -1.0, 0.0, -9.0], seed=n)
    weights = np.random.default_rng(n).integers(1, 4, (n, 4)).astype(float) if is_weighted else None
    rows = HeldOut.of(logits_nc, targets_nc, "sigmoid", weights)
    assert rows is not None and targets_nc[:, 3].sum() == 0

    slope_l, bias_l = refine(rows, 0.9, np.full(4, 0.9), np.zeros(4))

    for k in range(4):
        w_n = np.ones(n) if rows.counts is None else rows.counts[:, k]
        part = (logits_nc[:, k].astype(float), targets_nc[:, k], w_n, 0.9)
        options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000}
        found = minimize(penalised, [0.0, 0.0], args=part, method="Nelder-Mead", options=options)
        assert slope_l[k] == pytest.approx(np.exp(found.x[0]), rel=1e-6)
        assert bias_l[k] == pytest.approx(found.x[1], rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("weights", [None, "rows", "entries"])
def test_the_slope_of_the_penalised_loss_is_0_there(weights: str | None) -> None:
    n, c = 5000, 7
    logits_nc, targets_nc = of_labels(n, np.linspace(0.3, 4, c), np.linspace(-2, 2, c), seed=0)
    w = None if weights is None else np.random.default_rng(1).gamma(1.0, size=(n, c) if weights == "entries" else n)
    calibration = fit(logits_nc, targets_nc, "sigmoid", w).calibration
    rows = HeldOut.of(logits_nc, targets_nc, "sigmoid", w)
    assert rows is not None and calibration.biases is not None

    # Both equations hold for one slope that all labels share, and for that of the label itself.
    counts_nc = np.ones((n, c)) if rows.counts is None else rows.counts
    slope_c = 1 / calibration.temperatures
    off_nc = counts_nc * (expit(slope_c * logits_nc + calibration.biases) - targets_nc)
    np.testing.assert_allclose(off_nc.sum(axis=0), -BIAS_PRIOR * calibration.biases, rtol=1e-9, atol=1e-9)
    shared_c = 1 / (1 / slope_c - (off_nc * logits_nc).sum(axis=0) / SLOPE_PRIOR)
    np.testing.assert_allclose(shared_c, shared_c[0], rtol=1e-9)
    assert 1 / shared_c[0] == pytest.approx(temperature_of(rows), rel=1e-9)


def test_known_temperatures_and_biases_are_recovered() -> None:
    temperatures, biases = np.array([0.4, 1.0, 2.5]), np.array([-1.5, 0.0, 1.0])
    logits_nc, targets_nc = of_labels(200_000, temperatures, biases, seed=3)
    fitted = fit(logits_nc, targets_nc, "sigmoid")
    assert fitted.kind == "per_label" and fitted.calibration.biases is not None
    # Standard errors are below 1 % of a temperature and 0.01 of a bias; four of them.
    np.testing.assert_allclose(fitted.calibration.temperatures, temperatures, rtol=0.04)
    np.testing.assert_allclose(fitted.calibration.biases, biases, atol=0.04)


def test_it_is_logistic_regression_where_the_rows_are_so_many_that_nothing_else_holds_it() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    logits_nc, targets_nc = of_labels(300_000, [0.5], [0.8], seed=4)
    calibration = fit(logits_nc, targets_nc, "sigmoid").calibration
    theirs = linear_model.LogisticRegression(C=np.inf, tol=1e-10).fit(logits_nc.astype(float), targets_nc[:, 0])
    assert calibration.biases is not None
    assert 1 / calibration.temperatures[0] == pytest.approx(theirs.coef_[0, 0], rel=2e-3)
    assert calibration.biases[0] == pytest.approx(theirs.intercept_[0], rel=2e-3)


@pytest.mark.parametrize("scale", [0.01, 1.0, 40.0])
def test_groups_of_near_logits_decide_as_the_rows_themselves(scale: float) -> None:
    n, c = 4000, 5
    logits_nc, targets_nc = of_labels(n, np.linspace(0.8, 1.25, c), np.linspace(-1, 1, c), seed=5)
    rows = HeldOut.of((scale * logits_nc).astype(np.float32), targets_nc, "sigmoid")
    assert rows is not None and n > 2 * BINS
    parts = grouped(rows, folds(n), FOLDS, 1 / scale)
    assert parts.z_lm.shape == (c, BINS)

    slopes_fl, biases_fl = fit_scale_and_bias(parts, np.full(1 + FOLDS, 1 / scale))

    for f in range(FOLDS + 1):
        others = rows.take(np.flatnonzero(folds(n) != f - 1))
        slope_l, bias_l = refine(others, 1 / scale, slopes_fl[f], biases_fl[f])
        # In groups 1/4 wide logits vary by 1/200 of what they vary in all, which is some 1 after their slopes; the
        # standard errors are some 3 %.
        np.testing.assert_allclose(slopes_fl[f], slope_l, rtol=5e-3)
        np.testing.assert_allclose(biases_fl[f], bias_l, atol=5e-3)
        assert parts.all_flm[f].sum() == pytest.approx(c * len(others))
        assert parts.yes_fl[f].sum() == pytest.approx(others.targets.sum())


def test_a_label_that_says_nothing_of_its_own_stays_with_the_others() -> None:
    """None of its rows has it, and none should: the bias hardly moves; many should: it moves, but not to infinity."""
    temperatures, biases = np.full(8, 2.0), np.array([1.0, -1.0] * 4)
    logits_nc, targets_nc = of_labels(2000, temperatures, biases, seed=6)
    logits_nc[:, 7] = np.random.default_rng(0).normal(-9, 1, 2000)
    targets_nc[:, 7] = 0
    calibration = fit(logits_nc, targets_nc, "sigmoid").calibration
    assert calibration.biases is not None
    assert calibration.temperatures[7] == pytest.approx(calibration.temperatures[:7].mean(), rel=0.2)
    assert -0.5 < calibration.biases[7] < 0

    logits_nc[:, 7] = np.random.default_rng(0).normal(0, 1, 2000)
    calibration = fit(logits_nc, targets_nc, "sigmoid").calibration
    assert calibration.biases is not None
    assert -20 < calibration.biases[7] < -2
    one = targets_nc.copy()
    one[3, 7] = 1
    with_one = fit(logits_nc, one, "sigmoid").calibration
    assert with_one.biases is not None and calibration.biases[7] < with_one.biases[7]


# --- cross-fitting ---


@pytest.mark.parametrize("head", HEAD_NAMES)
def test_what_is_chosen_lost_least_on_rows_it_had_not_seen(head: HeadName) -> None:
    for seed, temperature in enumerate((0.4, 1.0, 3.0)):
        logits_nc, targets = sample(head, 600, 3, temperature, seed=seed)
        fitted = fit(logits_nc, targets, head)
        assert list(fitted.log_losses) == list(KINDS[: 3 if head == "sigmoid" else 2])
        assert fitted.log_losses[fitted.kind] == min(fitted.log_losses.values())
        assert fitted.log_losses["none"] == pytest.approx(
            mean_loss(head, logits_nc, targets, 1.0) / (3 if head == "sigmoid" else 1), rel=1e-12
        )
        assert (fitted.kind == "none") == (fitted.calibration == NOTHING)
        check_record(fitted.to_json())


def test_the_cross_fitted_loss_is_that_of_each_fold_by_the_others() -> None:
    logits_nc, targets = sample("softmax", 500, 4, 3.0, seed=1)
    expected = 0.0
    for f in range(FOLDS):
        mine = folds(500) == f
        temperature = fit_temperature(logits_nc[~mine], targets[~mine], "softmax")
        expected += mean_loss("softmax", logits_nc[mine], targets[mine], temperature) * mine.sum() / 500
    assert fit(logits_nc, targets, "softmax").log_losses["temperature"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("head", HEAD_NAMES)
def test_what_is_calibrated_is_left_alone_more_often_than_not_and_hardly_changed_else(head: HeadName) -> None:
    changes = []
    for seed in range(40):
        logits_nc, targets = sample(head, 200, 3, 1.0, seed=100 + seed)
        changes.append(np.log(fit(logits_nc, targets, head).calibration.temperatures).mean())
    assert np.mean(np.array(changes) == 0) > 0.4
    assert np.abs(changes).max() < 0.6


def test_labels_that_share_a_temperature_get_one_and_those_that_do_not_their_own() -> None:
    alike = of_labels(1000, [2.0] * 5, [0.0] * 5, seed=8)
    apart = of_labels(1000, [2.0] * 5, [2.0, -2.0, 1.0, -1.0, 0.0], seed=8)
    assert fit(*alike, "sigmoid").kind == "temperature"
    assert fit(*apart, "sigmoid").kind == "per_label"


@pytest.mark.parametrize("n", [1, 2, 4, 5, 20, 1000, 100_000])
def test_folds_are_even_in_every_stretch_and_along_every_period(n: int) -> None:
    of = folds(n)
    assert of.min() >= 0 and of.max() < FOLDS
    counts = np.bincount(of, minlength=FOLDS)
    assert counts.max() - counts.min() <= 3
    if n == 100_000:
        for period in range(2, 30):
            for first in range(period):
                share = np.bincount(of[first::period], minlength=FOLDS) / len(of[first::period])
                assert np.abs(share - 1 / FOLDS).max() < 0.01


@pytest.mark.parametrize("head", HEAD_NAMES)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_few_rows_and_rows_of_one_class_stay_sensible(head: HeadName, n: int) -> None:
    for seed in range(20):
        logits_nc, _ = sample(head, n, 3, 1.0, seed=seed)
        targets: NDArray[Any] = np.zeros(n, np.int32) if head == "softmax" else np.zeros((n, 3), np.float32)
        calibration = fit(logits_nc, targets, head).calibration
        p_nc = HEADS[head].probabilities(calibration.apply(logits_nc))
        p_nc = p_nc[:, 1:] if head == "softmax" else p_nc
        assert p_nc.max() > 0.01 / n  # not certain
        assert mean_loss(head, logits_nc, targets, calibration) <= mean_loss(head, logits_nc, targets, 1.0)


@pytest.mark.parametrize("head", HEAD_NAMES)
def test_rows_without_weight_and_the_scale_of_weights_change_nothing(head: HeadName) -> None:
    logits_nc, targets = sample(head, 900, 3, 3.0, seed=9)
    weights = np.random.default_rng(0).gamma(1.0, size=900) * (np.arange(900) % 3 > 0)
    there = weights > 0
    one, other = fit(logits_nc, targets, head, weights), fit(logits_nc[there], targets[there], head, weights[there])
    assert one == other and one.kind != "none"
    assert fit(logits_nc, targets, head, 2.0**40 * weights) == one


def test_two_classes_with_one_unit_are_one_label() -> None:
    logits_nc, targets_nc = of_labels(3000, [2.0], [1.0], seed=10)
    expected = fit(logits_nc, targets_nc, "sigmoid")
    assert expected.kind == "per_label"
    assert fit(logits_nc, targets_nc[:, 0].astype(np.int64), "sigmoid") == expected
    assert fit(logits_nc, np.hstack([1 - targets_nc, targets_nc]), "sigmoid") == expected


# --- the value ---


def test_a_calibration_of_units_rounds_once() -> None:
    logits_nc = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    temperatures, biases = np.array([0.3, 1.0, 7.7]), np.array([1e-9, -4.0, 0.1])
    expected = [np.float32(float(z) / temperatures[i % 3] + biases[i % 3]) for i, z in enumerate(logits_nc.ravel())]
    np.testing.assert_array_equal(Calibration(temperatures, biases).apply(logits_nc).ravel(), expected)


def test_json_and_tensors_bring_it_back() -> None:
    for one in (NOTHING, Calibration.of(1.7), Calibration(np.array([0.5, 2.0]), np.array([-1.0, 0.1]))):
        assert Calibration.from_json(one.to_json(), one.tensors(), 2, "sigmoid") == one
    assert Calibration.of(2.0) != Calibration(np.array([2.0]), np.array([0.0]))
    assert Calibration.of(2.0) != 2.0


@pytest.mark.parametrize(
    ("name", "tensor", "says"),
    [
        ("calibration.temperatures", np.array([1.0, 0.0]), "positive"),
        ("calibration.temperatures", np.array([1.0, -2.0]), "positive"),
        ("calibration.temperatures", np.array([1.0, 1e7]), "positive"),
        ("calibration.temperatures", np.ones(3), "2 float64 values"),
        ("calibration.temperatures", np.ones((2, 1)), "2 float64 values"),
        ("calibration.temperatures", np.ones(2, np.float32), "2 float64 values"),
        ("calibration.biases", np.array([0.0, 2e6]), "between"),
        ("calibration.biases", np.zeros(1), "2 float64 values"),
        ("calibration.more", np.zeros(2), "expected the tensors"),
    ],
)
def test_tensors_that_make_no_sense_are_refused(name: str, tensor: Any, says: str) -> None:
    sound = Calibration(np.array([0.5, 2.0]), np.array([-1.0, 0.1]))
    with pytest.raises(InputError, match=says):
        Calibration.from_json({"temperature": None}, {**sound.tensors(), name: tensor}, 2, "sigmoid")


def test_tensors_and_manifest_must_agree() -> None:
    sound = Calibration(np.array([0.5, 2.0]), np.array([-1.0, 0.1]))
    for value, tensors, head in (
        ({"temperature": 1.0}, sound.tensors(), "sigmoid"),
        ({"temperature": None}, {}, "sigmoid"),
        ({"temperature": None}, sound.tensors(), "softmax"),
    ):
        with pytest.raises(InputError):
            Calibration.from_json(value, tensors, 2, head)  # type: ignore[arg-type]
