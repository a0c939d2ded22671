from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from fromlogits.data.label_sets import SparseLabels
from fromlogits.decisions import sets as of_sets
from fromlogits.decisions.sets import (
    LEAST,
    MAX_ALL,
    MAX_POINTS,
    Method,
    PredictionSets,
    checked_coverage,
    expected_coverage,
    figures,
    rows_needed,
    uniform,
)
from fromlogits.errors import InputError
from fromlogits.metrics import predicted_classes

METHODS: tuple[Method, ...] = ("lac", "aps")


def drawn(n: int, c: int, seed: Any, spread: float = 1.0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits, and classes drawn with their probabilities."""
    rng = np.random.default_rng(seed)
    logits_nc = (spread * rng.normal(size=(n, c))).astype(np.float32)
    gumbel = rng.gumbel(size=(n, c))
    return logits_nc, (logits_nc + gumbel).argmax(axis=1)


def drawn_labels(n: int, c: int, seed: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    logits_nc = (rng.normal(size=(n, c)) - 1).astype(np.float32)
    return logits_nc, (rng.random((n, c)) < 1 / (1 + np.exp(-logits_nc))).astype(np.float32)


def plain_score(method: Method, logits: list[float], k: int, u: float) -> float:
    """Of class k, as the papers have it, from probabilities."""
    top = max(logits)
    if k == logits.index(top):
        return -math.inf
    e = [math.exp(z - top) for z in logits]
    p = [x / math.fsum(e) for x in e]
    if method == "lac":
        return 1 - p[k]
    above = math.fsum(p[j] for j in range(len(p)) if p[j] > p[k])
    return above + (1 - u) * p[k]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(20))
def test_sets_are_those_of_the_papers_written_out(method: Method, seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    n, c = int(rng.integers(9, 60)), int(rng.integers(2, 7))
    logits_nc, classes = drawn(n + 30, c, seed)
    coverage = float(rng.choice([0.5, 0.7, 0.8, 0.9]))
    u = uniform(logits_nc)
    score = [[plain_score(method, row.tolist(), k, u[i]) for k in range(c)] for i, row in enumerate(logits_nc)]
    rank = math.ceil((n + 1) * Fraction(str(coverage)))
    quantile = sorted(score[i][classes[i]] for i in range(n))[rank - 1]
    expected = [[score[i][k] <= quantile for k in range(c)] for i in range(n, n + 30)]

    sets = PredictionSets.fit(method, coverage, logits_nc[:n], classes[:n])

    np.testing.assert_array_equal(sets.of(logits_nc[n:]), expected)


@pytest.mark.parametrize("seed", range(20))
def test_label_sets_have_the_highest_threshold_that_conformal_risk_control_allows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(9, 40)), int(rng.integers(1, 6))
    logits_nc, targets = drawn_labels(n, c, seed)
    targets[rng.random((n, c)) < 0.1] = np.nan
    targets[0] = 1
    rows = [i for i in range(n) if (targets[i] == 1).any()]
    coverage = 0.7

    def risk(threshold: float) -> Fraction:
        """R_n, of the rows that have a label."""
        missed = Fraction(0)
        for i in rows:
            own = [k for k in range(c) if targets[i, k] == 1]
            missed += Fraction(sum(logits_nc[i, k] < threshold for k in own), len(own))
        return missed / len(rows)

    m = len(rows)
    candidates = sorted({float(z) for i in rows for z in logits_nc[i]}, reverse=True)
    allowed = [t for t in candidates if Fraction(m, m + 1) * risk(t) + Fraction(1, m + 1) <= 1 - Fraction("0.7")]

    sets = PredictionSets.fit("recall", coverage, logits_nc, targets)

    own = np.flatnonzero(targets[rows].ravel() == 1)
    best = min(z for z in logits_nc[rows].ravel()[own] if z >= allowed[0])  # between labels that are set all is one
    assert sets.n_rows == m
    assert -sets.threshold() == best
    np.testing.assert_array_equal(sets.of(logits_nc), logits_nc >= best)


# --- the guarantee ---


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n_kept", "coverage"), [(19, 0.9), (50, 0.8), (200, 0.95)])
def test_coverage_over_many_draws_is_beta_binomial(method: Method, n_kept: int, coverage: float) -> None:
    draws, n_new = 1500, 60
    covered, inside = [], 0
    low, high = expected_coverage(coverage, n_kept, n_new)
    for draw in range(draws):
        logits_nc, classes = drawn(n_kept + n_new, 5, [7, n_kept, draw], spread=0.7)
        sets = PredictionSets.fit(method, coverage, logits_nc[:n_kept], classes[:n_kept])
        assert sets.threshold() > LEAST  # else the most probable class alone is right too often
        hits = sets.of(logits_nc[n_kept:])[np.arange(n_new), classes[n_kept:]]
        covered.append(int(hits.sum()))
        inside += low <= hits.mean() <= high
    rank = math.ceil((n_kept + 1) * Fraction(str(coverage)))
    exact = stats.betabinom(n_new, rank, n_kept + 1 - rank)
    chance = exact.cdf(round(high * n_new)) - exact.cdf(round(low * n_new) - 1)
    assert chance >= 0.95
    assert stats.binom.ppf(5e-4, draws, chance) <= inside <= stats.binom.ppf(1 - 5e-4, draws, chance)
    error = math.sqrt(exact.var() / draws)
    assert abs(np.mean(covered) - exact.mean()) < 3.5 * error


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_is_right_more_often_than_asked_has_sets_of_one_class(method: Method) -> None:
    logits_nc, classes = drawn(400, 5, 1, spread=6.0)
    sets = PredictionSets.fit(method, 0.6, logits_nc[:200], classes[:200])

    found = figures(sets, logits_nc[200:], classes[200:])

    assert sets.threshold() == LEAST
    assert found["single"] == found["mean_size"] == 1.0
    assert found["coverage"] == (predicted_classes(logits_nc[200:]) == classes[200:]).mean()
    assert found["expected"][1] is None and found["expected"][0] < 0.6


def test_a_new_row_misses_no_larger_share_of_its_labels_than_was_asked() -> None:
    draws, n_kept, coverage = 3000, 40, 0.8
    missed = []
    for draw in range(draws):
        logits_nc, targets = drawn_labels(4 * n_kept, 6, [8, draw])
        has = np.flatnonzero((targets == 1).any(axis=1))
        kept, new = has[:n_kept], has[-1]
        sets = PredictionSets.fit("recall", coverage, logits_nc[kept], targets[kept])
        own = targets[new] == 1
        missed.append(1 - sets.of(logits_nc[[new]])[0, own].mean())
    error = np.std(missed) / math.sqrt(draws)
    # Theorems 1 and 2 of the paper: from α − 2 / (n + 1) to α.
    assert 1 - coverage - 2 / (n_kept + 1) - 3.5 * error < np.mean(missed) < 1 - coverage + 3.5 * error


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)])
def test_a_coverage_needs_so_many_rows_and_one_less_is_refused(coverage: float, needed: int) -> None:
    logits_nc, classes = drawn(needed, 3, 2)
    assert rows_needed(coverage) == needed
    sets = PredictionSets.fit("lac", coverage, logits_nc, classes)
    assert sets.most_coverage >= coverage
    assert sets.threshold() == sets.thresholds[-1]  # every kept row is in
    with pytest.raises(InputError, match=f"needs at least {needed:,} rows"):
        PredictionSets.fit("lac", coverage, logits_nc[1:], classes[1:])


def test_the_message_names_a_coverage_that_the_rows_do_grant() -> None:
    logits_nc, classes = drawn(20, 3, 3)
    sets = PredictionSets.fit("lac", 0.9, logits_nc, classes)
    with pytest.raises(InputError, match=r"needs at least 99 rows .* there are 20; 20 grant 0.952 at most"):
        sets.of(logits_nc, 0.99)
    assert sets.of(logits_nc, 0.952).any(axis=1).all()


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, "0.9", None, True, math.nan])
def test_a_coverage_must_lie_between_0_and_1(coverage: Any) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        checked_coverage(coverage)


def test_ranks_are_those_of_the_decimal_that_was_written() -> None:
    # (n + 1) · 0.9 is 9.000000000000002 or so in float64 for some n, which would be rank 10.
    for n in range(9, 400):
        scores = np.arange(n, dtype=np.float64)
        sets = PredictionSets("lac", 0.9, n, scores, np.arange(n - 1, -1, -1.0))
        assert sets.threshold(0.9) == -(-9 * (n + 1) // 10) - 1
        assert n < 19 or sets.threshold(0.95) == -(-19 * (n + 1) // 20) - 1


# --- what is kept of many rows ---


@pytest.mark.parametrize("method", [*METHODS, "recall"])
def test_of_many_rows_a_bounded_curve_is_kept_that_grants_no_less(method: Method) -> None:
    n = 30_000
    logits_nc, targets = drawn_labels(n, 4, 4) if method == "recall" else drawn(n, 4, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_sets, "MAX_ALL", 10 * n)
        whole = PredictionSets.fit(method, 0.87654, logits_nc, targets)
    sets = PredictionSets.fit(method, 0.87654, logits_nc, targets)

    assert len(whole.thresholds) > MAX_ALL
    assert len(sets.thresholds) <= MAX_POINTS / 4
    for coverage in (0.87654, *(round(0.001 * i, 3) for i in range(1, 1000)), 0.9995, 0.9999):
        assert sets.threshold(coverage) == whole.threshold(coverage)
    for coverage in np.random.default_rng(5).random(300).tolist():
        assert sets.threshold(coverage) >= whole.threshold(coverage)


def test_as_many_rows_as_a_file_may_name_make_no_longer_curve_than_it_may_hold() -> None:
    count = 10 * MAX_POINTS
    sets = PredictionSets("lac", 0.9, 2**53, np.arange(count, dtype=float), np.arange(count, dtype=float)[::-1])
    assert len(sets._kept()) <= MAX_POINTS


# --- what a set is ---


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", [1, 2, 3, 300])
def test_sets_have_the_predicted_class_and_grow_with_the_coverage(method: Method, c: int) -> None:
    logits_nc, classes = drawn(500, c, 6)
    classes = classes if c > 1 else np.random.default_rng(6).integers(0, 2, 500)
    sets = PredictionSets.fit(method, 0.9, logits_nc, classes)
    smaller = np.zeros((500, max(2, c)), bool)
    smaller[np.arange(500), predicted_classes(logits_nc)] = True
    for coverage in (0.1, 0.5, 0.8, 0.9, 0.99):
        larger = sets.of(logits_nc, coverage)
        assert larger.shape == smaller.shape and larger.dtype == bool
        assert (larger | ~smaller).all()
        smaller = larger


@pytest.mark.parametrize("method", METHODS)
def test_one_unit_has_the_sets_of_two_classes(method: Method) -> None:
    logits_nc, classes = drawn(300, 2, 7)
    logits_nc[:, 0] = 0
    two, one = (PredictionSets.fit(method, 0.8, z, classes) for z in (logits_nc, logits_nc[:, 1:]))
    if method == "lac":  # aps draws by the bits of what there is
        np.testing.assert_array_equal(one.of(logits_nc[:, 1:]), two.of(logits_nc))
    covered = one.of(logits_nc[:, 1:])[np.arange(300), classes]
    assert covered.sum() >= math.ceil(301 * 0.8)


@pytest.mark.parametrize("method", [*METHODS, "recall"])
def test_a_row_has_one_set_in_any_batch_and_order(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    logits_nc, targets = drawn_labels(200, 37, 8) if method == "recall" else drawn(200, 37, 8)
    sets = PredictionSets.fit(method, 0.8, logits_nc, targets)
    whole = sets.of(logits_nc)
    np.testing.assert_array_equal(sets.of(logits_nc[::-1])[::-1], whole)
    np.testing.assert_array_equal(np.vstack([sets.of(logits_nc[[i]]) for i in range(200)]), whole)
    monkeypatch.setattr(of_sets, "BLOCK", 100)
    np.testing.assert_array_equal(sets.of(logits_nc), whole)
    assert sets.of(logits_nc[:0]).shape == (0, 37)


@pytest.mark.parametrize("method", METHODS)
def test_confident_rows_are_told_apart_where_probabilities_round_to_0_and_1(method: Method) -> None:
    gap = np.linspace(60, 80, 200).astype(np.float32)
    logits_nc = np.stack([gap, np.zeros_like(gap)], axis=1)
    sets = PredictionSets.fit(method, 0.9, logits_nc, np.ones(200, int))  # always wrong, and always sure
    assert len(sets.thresholds) == 200


def test_label_scores_are_told_apart_where_probabilities_round_to_one_number() -> None:
    logits_nc = np.linspace(60, 80, 200).astype(np.float32)[:, None]
    assert len(PredictionSets.fit("recall", 0.9, logits_nc, np.ones((200, 1))).thresholds) == 200


@pytest.mark.parametrize("c", [1, 2, 10, 1000])
def test_the_part_of_a_class_that_counts_is_uniform_over_rows(c: int) -> None:
    logits_nc = np.random.default_rng(9).normal(size=(20_000, c)).astype(np.float32)
    near_nc = np.full((20_000, c), 1.5, np.float32)
    near_nc[:, -1] += np.arange(20_000, dtype=np.float32) * 2**-20  # neighbours differ in a bit or two
    for rows_nc in (logits_nc, near_nc):
        u = uniform(rows_nc)
        assert ((u >= 0) & (u < 1)).all()
        assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert abs(stats.spearmanr(uniform(logits_nc), logits_nc[:, 0]).statistic) < 3.5 / math.sqrt(20_000)
    np.testing.assert_array_equal(uniform(0 * logits_nc), uniform(-0 * logits_nc))


# --- rows at the edge ---


@pytest.mark.parametrize("method", METHODS)
def test_a_class_without_a_row_and_rows_of_one_class_are_no_hindrance(method: Method) -> None:
    logits_nc, classes = drawn(20, 4, 10)
    lacking = PredictionSets.fit(method, 0.9, logits_nc, np.where(classes == 3, 0, classes))
    alike = PredictionSets.fit(method, 0.9, logits_nc, np.full(20, 2))
    for sets in (lacking, alike):
        assert sets.n_rows == 20
        assert sets.of(logits_nc).any(axis=1).all()
    assert alike.of(logits_nc)[:, 2].sum() >= 19


def test_of_500_labels_only_those_that_are_set_count() -> None:
    logits_nc, targets = drawn_labels(60, 500, 11)
    targets[:, 7] = 0  # no example
    targets[:40] = 0  # nothing to miss
    unknown = np.where(np.arange(500) % 2, np.nan, 0)
    sets = PredictionSets.fit("recall", 0.9, logits_nc, targets)
    same = PredictionSets.fit("recall", 0.9, logits_nc, np.where(targets == 1, 1, unknown))

    assert sets.n_rows == same.n_rows == 20
    assert sets.threshold() == same.threshold()
    with pytest.raises(InputError, match="with a label that is set; there are 0"):
        PredictionSets.fit("recall", 0.9, logits_nc, np.zeros_like(targets))


@pytest.mark.parametrize("method", METHODS)
def test_rows_whose_score_is_not_finite_count_as_missed(method: Method) -> None:
    logits_nc, classes = drawn(60, 3, 12)
    logits_nc[:4, 0], classes[:4] = -np.inf, 0  # masked, and yet the class
    sets = PredictionSets.fit(method, 0.9, logits_nc, classes)
    if method == "lac":
        assert sets.missed[-1] == 4
        assert math.isfinite(sets.threshold(0.9)) and sets.threshold(0.95) == math.inf
        assert sets.of(logits_nc, 0.95).all()
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        assert sets.of(np.full((2, 3), np.nan, np.float32)).all()  # it may be anything


@pytest.mark.parametrize("method", METHODS)
def test_a_class_that_the_model_does_not_know_counts_as_missed(method: Method) -> None:
    logits_nc, classes = drawn(60, 3, 15)
    classes[:4] = -1
    sets = PredictionSets.fit(method, 0.9, logits_nc, classes)
    known = PredictionSets.fit(method, 0.5, logits_nc[4:], classes[4:])
    assert (sets.n_rows, sets.missed[-1]) == (60, 4)
    np.testing.assert_array_equal(sets.thresholds, known.thresholds)


def test_no_finite_score_is_refused() -> None:
    with pytest.raises(InputError, match="not finite"):
        PredictionSets.fit("recall", 0.5, np.full((9, 1), -np.inf, np.float32), np.ones((9, 1)))


# --- figures ---


@pytest.mark.parametrize(
    ("n_kept", "coverage", "n_new"), [(9, 0.9, 1), (19, 0.9, 30), (500, 0.8, 3), (5000, 0.95, 5000)]
)
def test_the_expected_coverage_is_that_of_scipys_distribution(n_kept: int, coverage: float, n_new: int) -> None:
    rank = math.ceil((n_kept + 1) * Fraction(str(coverage)))
    exact = stats.betabinom(n_new, rank, n_kept + 1 - rank)
    low, high = (round(end * n_new) for end in expected_coverage(coverage, n_kept, n_new))

    assert exact.cdf(low - 1) <= 0.025 < exact.cdf(low)
    assert exact.cdf(high) >= 0.975 > exact.cdf(high - 1)


def test_figures_of_classes_count_an_unknown_class_as_missed() -> None:
    logits_nc, classes = drawn(300, 4, 13)
    sets = PredictionSets.fit("lac", 0.9, logits_nc[:100], classes[:100])
    classes[100:120] = -1
    found = figures(sets, logits_nc[100:], classes[100:])
    matrix = sets.of(logits_nc[100:])
    hits = [bool(matrix[i, k]) and k >= 0 for i, k in enumerate(classes[100:])]

    assert found["asked"] == 0.9
    assert found["coverage"] == sum(hits) / 200
    assert found["mean_size"] == matrix.sum() / 200
    assert found["single"] == sum(row.sum() == 1 for row in matrix) / 200
    assert figures(sets, logits_nc, classes, 0.5)["asked"] == 0.5


def test_figures_of_labels_are_of_rows_that_have_one() -> None:
    logits_nc, targets = drawn_labels(200, 5, 14)
    targets[:20] = 0
    sets = PredictionSets.fit("recall", 0.8, logits_nc[:100], targets[:100])
    found = figures(sets, logits_nc[100:], targets[100:])
    matrix = sets.of(logits_nc[100:])
    shares = [row[own == 1].mean() for row, own in zip(matrix, targets[100:], strict=True) if own.any()]

    assert found["coverage"] == pytest.approx(np.mean(shares), rel=1e-15)
    assert found["mean_size"] == matrix.sum() / 100
    assert "single" not in found
    assert found["expected"][0] < 0.8 < found["expected"][1]
    nothing = figures(sets, logits_nc[:2], np.zeros((2, 5)))
    assert nothing["coverage"] is nothing["expected"] is None


def test_figures_of_sparse_labels_in_parts_are_those_of_a_dense_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    logits_nc, targets = drawn_labels(150, 6, seed=8)
    rows, columns = np.nonzero(targets)
    sparse = SparseLabels(np.searchsorted(rows, np.arange(151)), columns.astype(np.int32), 6)
    sets = PredictionSets.fit("recall", 0.8, logits_nc, targets)
    expected = figures(sets, logits_nc, targets)
    for entries in (1, 40):
        monkeypatch.setattr(of_sets, "BLOCK", entries)
        assert figures(sets, logits_nc, sparse) == expected
