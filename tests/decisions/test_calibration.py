"""One temperature: it is found where it is known, it is the minimum, and it never harms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax

from fromlogits.decisions.calibration import apply, fit_temperature
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


def mean_loss(head: HeadName, logits_nc: Float32, targets: NDArray[Any], temperature: float) -> float:
    return float(HEADS[head].losses(apply(logits_nc, temperature), targets).mean())


def smoothed_loss(head: HeadName, logits_nc: Float32, targets: NDArray[Any], log_beta: float) -> float:
    """What is minimised, written by SciPy."""
    z_nc = np.exp(log_beta) * logits_nc.astype(np.float64)
    n, c = z_nc.shape
    share = 1 / (n + 1)
    if head == "softmax":
        t_nc = np.eye(c)[targets] * (1 - share) + share / c
        return float(-(t_nc * log_softmax(z_nc, axis=1)).sum() / n)
    t_nc = targets * (1 - share) + share / 2
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
    temperature = fit_temperature(logits_nc, targets, head)
    assert 1e-3 <= temperature <= 1e3
    assert mean_loss(head, logits_nc, targets, temperature) <= mean_loss(head, logits_nc, targets, 1.0)


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
    assert fit_temperature(logits_nc, targets, head) == 1.0


@pytest.mark.parametrize("head", HEAD_NAMES)
def test_logits_that_point_the_wrong_way_get_the_largest_temperature(head: HeadName) -> None:
    logits_nc, targets = sample(head, 500, 3, 1.0, seed=5)
    assert fit_temperature(-logits_nc, targets, head) == pytest.approx(1e3)


@pytest.mark.parametrize("value", [0.0, 3.0, -1e30])
def test_equal_logits_have_nothing_to_say(value: float) -> None:
    logits_nc = np.full((20, 3), value, np.float32)
    assert fit_temperature(logits_nc, np.arange(20, dtype=np.int32) % 3, "softmax") == 1.0
    if value == 0:
        assert fit_temperature(logits_nc, np.zeros((20, 3), np.float32), "sigmoid") == 1.0


def test_rows_of_unknown_class_are_left_out() -> None:
    logits_nc, labels_n = sample("softmax", 300, 3, 5.0, seed=2)
    partly_n = labels_n.copy()
    partly_n[::3] = -1
    known_n = partly_n >= 0
    expected = fit_temperature(logits_nc[known_n], labels_n[known_n], "softmax")
    assert fit_temperature(logits_nc, partly_n, "softmax") == expected != 1.0
    assert fit_temperature(logits_nc, np.full(300, -1), "softmax") == 1.0


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
        assert fit_temperature(logits_nc, np.full((300, 3), np.nan), head) == 1.0


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
        assert 1e-3 <= fit_temperature(logits_nc, targets, head) <= 1e3
    for broken in (np.nan, np.inf):
        assert fit_temperature(np.full((3, 2), broken, np.float32), targets, head) == 1.0
    assert fit_temperature(np.zeros((0, 2), np.float32), targets[:0], head) == 1.0


def test_applying_rounds_once_and_one_changes_nothing() -> None:
    logits_nc = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.testing.assert_array_equal(apply(logits_nc, 1.0), logits_nc, strict=True)
    expected = [np.float32(float(z) / 1.7) for z in logits_nc.ravel()]
    np.testing.assert_array_equal(apply(logits_nc, 1.7).ravel(), expected)
