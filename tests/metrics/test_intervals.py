"""Intervals: as wide as theory says, as often right as they say, the same for a seed, and none where none can be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from fromlogits import metrics
from fromlogits.metrics import FIGURES, in_full, intervals
from fromlogits.metrics.classes import Classes
from fromlogits.metrics.intervals import Resamples, middle, of_share
from fromlogits.metrics.labels import Labels
from fromlogits.metrics.ranking import Ranking, ranked

Float32 = NDArray[np.float32]


def classes(n: int, seed: int, c: int = 4) -> tuple[Float32, NDArray[np.int64]]:
    """Logits whose probabilities are true."""
    rng = np.random.default_rng(seed)
    logits_nc = (2 * rng.normal(size=(n, c))).astype(np.float32)
    return logits_nc, (logits_nc + rng.gumbel(size=(n, c))).argmax(axis=1)


def labels(n: int, seed: int, c: int = 4) -> tuple[Float32, Float32]:
    rng = np.random.default_rng(seed)
    logits_nc = (2 * rng.normal(size=(n, c))).astype(np.float32)
    return logits_nc, (rng.logistic(size=(n, c)) < logits_nc).astype(np.float32)


@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_figure_that_may_have_one_has_one_around_it(task: metrics.Task, weighted: bool) -> None:
    logits_nc, targets = classes(300, 0, 6) if task == "multi-class" else labels(300, 0)
    weights_n = np.random.default_rng(1).gamma(1.0, size=300) if weighted else None
    c = logits_nc.shape[1]
    figures = in_full(task, range(c), logits_nc, targets, weights=weights_n)
    expected = [name for name, about in FIGURES.items() if task in about.tasks and about.has_interval]
    assert list(figures["intervals"]) == expected
    for name, (low, high) in figures["intervals"].items():
        assert low < figures[name] < high, name
    assert figures["resamples"] == {name: 1000 for name in expected if not FIGURES[name].is_share}
    assert in_full(task, range(c), logits_nc, targets, weights=weights_n) == figures
    other = in_full(task, range(c), logits_nc, targets, weights=weights_n, seed=1)
    assert other["intervals"] != figures["intervals"]


@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_a_figure_of_a_resample_is_that_of_the_rows_drawn(task: metrics.Task) -> None:
    """How often each row is drawn is a weight to every way of computing a figure."""
    logits_nc, targets = classes(60, 2, 6) if task == "multi-class" else labels(60, 2)
    targets = targets.copy()
    targets[:5] = -1 if task == "multi-class" else np.nan
    weights_n = np.random.default_rng(3).gamma(1.0, size=60)
    case: Classes | Labels = (
        Classes(logits_nc, targets, weights_n) if task == "multi-class" else Labels(logits_nc, targets, None, weights_n)
    )
    resamples = Resamples(60, None, 0)
    got = intervals.resampled(case, resamples, case.row_sums)
    times_bn = np.concatenate(list(Resamples(60, None, 0).of_units(1000)))
    for b in (0, 1, 999):
        again = in_full(task, range(logits_nc.shape[1]), logits_nc, targets, weights=weights_n * times_bn[b])
        for name, figures in got.items():
            assert figures[b] == pytest.approx(again[name], rel=1e-9), name


def test_resamples_draw_as_many_units_as_there_are_all_equally_often() -> None:
    times_bn = np.concatenate(list(Resamples(50, None, 0).of_units(4000)))
    assert times_bn.shape == (4000, 50)
    assert (times_bn.sum(axis=1) == 50).all()
    # A mean of 4000 binomial counts of mean 1 and variance 0.98: five standard errors.
    assert times_bn.mean(axis=0) == pytest.approx(np.ones(50), abs=5 * math.sqrt(0.98 / 4000))
    assert times_bn.var() == pytest.approx(1 - 1 / 50, rel=0.02)


def test_groups_are_drawn_whole_whatever_their_numbers_are() -> None:
    groups = np.array([7, 7, 3, 9, 3, 7])
    resamples = Resamples(6, groups, 0)
    assert resamples.n_units == 3
    [times_bu] = resamples.of_units(100)
    times_bn = resamples.of_rows(times_bu)
    assert (times_bn[:, 0] == times_bn[:, 1]).all() and (times_bn[:, 2] == times_bn[:, 4]).all()
    assert (times_bu.sum(axis=1) == 3).all()
    assert resamples.sums(np.arange(6.0)).tolist() == [6.0, 6.0, 3.0]


def test_alike_rows_in_groups_make_intervals_wider() -> None:
    logits_nc, codes_n = classes(80, 4)
    logits_nc, codes_n, groups = np.repeat(logits_nc, 9, axis=0), np.repeat(codes_n, 9), np.repeat(np.arange(80), 9)
    by_row = in_full("multi-class", range(4), logits_nc, codes_n)["intervals"]
    by_group = in_full("multi-class", range(4), logits_nc, codes_n, groups=groups)["intervals"]
    alone = in_full("multi-class", range(4), logits_nc[::9], codes_n[::9])["intervals"]
    assert by_group["accuracy"] == pytest.approx(alone["accuracy"], rel=1e-5)  # nine copies of a row say what it says
    for name in ("macro_f1", "log_loss", "brier", "macro_roc_auc"):
        wide = [high - low for low, high in (by_row[name], by_group[name])]
        assert wide[1] == pytest.approx(3 * wide[0], rel=0.2), name  # a quantile of 1000 is good to some 5 %


def test_few_rows_or_groups_have_no_resamples() -> None:
    """The middle of the resamples is as wide as 1.96 deviations of a mean, though few units tell their deviation."""
    logits_nc, codes_n = classes(90, 8)

    def missed(n: int) -> float:
        return 2 * float(scipy.stats.t.sf(1.96 * math.sqrt((n - 1) / n), n - 1))

    assert missed(intervals.FEWEST_UNITS) < 2 * 0.05 < missed(intervals.FEWEST_UNITS - 1)
    few = in_full("multi-class", range(4), logits_nc, codes_n, groups=np.arange(90) % 9)
    assert (few["intervals"], few["resamples"]) == ({}, {})
    assert "log_loss" in in_full("multi-class", range(4), logits_nc, codes_n, groups=np.arange(90) % 10)["intervals"]
    rows = in_full("multi-class", range(4), logits_nc[:9], codes_n[:9])["intervals"]
    assert rows and all(FIGURES[name].is_share for name in rows)  # Wilson's, which few rows only make wide


def test_many_rows_are_dealt_into_hands_whose_sums_vary_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    logits_nc, codes_n = classes(3000, 5)
    order = np.argsort(codes_n, kind="stable")  # hands dealt in turn would all be alike
    figures = in_full("multi-class", range(4), logits_nc[order], codes_n[order])
    monkeypatch.setattr(intervals, "MOST_UNITS", 500)
    dealt = in_full("multi-class", range(4), logits_nc[order], codes_n[order])
    for name, (low, high) in figures["intervals"].items():
        dealt_low, dealt_high = dealt["intervals"][name]
        assert dealt_high - dealt_low == pytest.approx(high - low, rel=0.15), name


def test_what_is_dear_rests_on_fewer_resamples_or_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    logits_nc, codes_n = classes(300, 6)
    monkeypatch.setattr(intervals, "WORK", 300 * 4 * 250)
    figures = in_full("multi-class", range(4), logits_nc, codes_n)
    assert figures["resamples"]["macro_roc_auc"] == 250
    assert figures["resamples"]["macro_f1"] == figures["resamples"]["log_loss"] == 1000
    monkeypatch.setattr(intervals, "WORK", 300 * 4 * 199)
    assert "macro_roc_auc" not in in_full("multi-class", range(4), logits_nc, codes_n)["intervals"]


def test_wilsons_interval_of_a_share() -> None:
    right_n = np.zeros(100)
    right_n[:90] = 1
    expected = scipy.stats.binomtest(90, 100).proportion_ci(method="wilson")
    assert of_share(right_n, np.ones(100)) == pytest.approx([expected.low, expected.high], rel=1e-5)
    z = 1.959963984540054
    assert of_share(np.ones(20), np.ones(20)) == [pytest.approx(20 / (20 + z * z), rel=1e-5), 1.0]
    assert of_share(np.zeros(20), np.ones(20)) == [0.0, pytest.approx(z * z / (20 + z * z), rel=1e-5)]
    weights_n = np.array([1.0] * 10 + [3.0] * 2)  # 256 / 28 rows of one weight
    n = 256 / 28
    assert of_share(weights_n, weights_n) == [pytest.approx(n / (n + z * z), rel=1e-5), 1.0]
    assert of_share(right_n, np.ones(100) * 1.0) == of_share(right_n * 8, np.ones(100) * 8)
    assert of_share(np.zeros(0), np.zeros(0)) is None


def test_what_no_resample_changes_has_no_interval() -> None:
    assert middle(np.ones(1000)) is None
    assert middle(np.append(np.arange(999.0), np.nan)) is None
    assert middle(np.arange(1001.0)) == [25.0, 975.0]
    logits_nc = 100 * np.eye(3, dtype=np.float32)[np.arange(30) % 3]
    found = in_full("multi-class", "abc", logits_nc, np.arange(30) % 3)["intervals"]
    assert set(found) == {"accuracy"}  # Wilson's; all others are perfect in every resample


@pytest.mark.parametrize("scale", [2.0**-1050, 2.0**-700, 2.0**900])
@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_only_the_ratios_of_weights_matter(task: metrics.Task, scale: float) -> None:
    logits_nc, targets = classes(120, 2) if task == "multi-class" else labels(120, 2)
    weights_n = np.random.default_rng(1).integers(1, 5, 120).astype(float)
    one, other = (in_full(task, range(4), logits_nc, targets, weights=w) for w in (weights_n, scale * weights_n))
    for name in (*(name for name in FIGURES if name in one), "intervals", "resamples"):
        assert one[name] == other[name], name


@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_an_infinite_loss_has_no_interval_and_the_other_figures_have(task: metrics.Task) -> None:
    logits_nc, targets = classes(120, 2) if task == "multi-class" else labels(120, 2)
    logits_nc[0, 0] = -np.inf
    targets[0] = 0 if task == "multi-class" else 1
    figures = in_full(task, range(4), logits_nc, targets)
    assert figures["log_loss"] is None
    assert "log_loss" not in figures["intervals"] and "brier" in figures["intervals"]


def test_the_ranks_of_resamples_are_those_of_weights() -> None:
    rng = np.random.default_rng(0)
    for share in (0.5, 0.02, 0.0, 1.0):
        scores_n, truth_n = np.round(rng.normal(size=200)).astype(np.float32), rng.random(200) < share
        counts_n: Any
        for counts_n in (None, rng.gamma(1.0, size=200)):
            times_n = rng.poisson(1.0, 200).astype(float)
            expected, _ = ranked(scores_n, truth_n, times_n * (1.0 if counts_n is None else counts_n))
            got = Ranking(scores_n, truth_n, counts_n).resampled(times_n)
            assert np.isnan(got) if expected is None else got == pytest.approx(expected, rel=1e-12)


@pytest.fixture(scope="module")
def of_small_draws() -> list[dict[str, list[float]]]:
    """The intervals of all figures, each time of 200 other rows."""
    return [intervals.around(Classes(*classes(200, seed)), None, seed)[0] for seed in range(150)]


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "macro_f1", "macro_roc_auc", "log_loss", "brier"])
def test_nineteen_of_twenty_intervals_hold_the_figure_of_endless_rows(
    name: str, of_small_draws: list[dict[str, list[float]]]
) -> None:
    logits_nc, codes_n = classes(200_000, 99)
    truth = metrics.value(name, "multi-class", logits_nc, codes_n)
    assert truth is not None
    held = sum(found[name][0] <= truth <= found[name][1] for found in of_small_draws)
    # Of 150 at 95 %: mean 142.5, deviation 2.7. Three deviations either side, and one per cent that percentiles lack.
    assert 142.5 - 3 * 2.7 - 1.5 <= held <= 150
