"""Fitted rules: the best of all cuts, bounds that are kept, few rows, and a gain that is honest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import threadpoolctl
from numpy.typing import NDArray

from fromlogits.decisions import cuts, rules, thresholds
from fromlogits.decisions.folds import FOLDS, folds
from fromlogits.decisions.objectives import Costs, Objective
from fromlogits.decisions.thresholds import Evidence, Fitted
from fromlogits.logits import softmax

Array = NDArray[Any]
NATURAL_LABELS = rules.natural("multi-label", 1, 1)


def objective(text: str) -> Objective:
    parsed = Objective.parse(text)
    assert parsed is not None
    return parsed


def fit_labels(text: str, p_nl: Array, truth_nl: Array, weights: Array | None = None, **more: Any) -> Fitted:
    n_labels = p_nl.shape[1]
    evidence = Evidence(p_nl.astype(np.float32), truth_nl.astype(np.float64), weights, **more)
    natural = rules.natural("multi-label", n_labels, n_labels)
    return thresholds.fit(objective(text), natural, evidence, "multi-label", [f"l{k}" for k in range(n_labels)])


def true_f1(t: float) -> float:
    """Of a label that `calibrated` draws, cut at t: p = u³ with u even in [0, 1], so ¼ of the rows are positive."""
    return float(2 * (1 - t ** (4 / 3)) / 4 / (1 / 4 + 1 - t ** (1 / 3)))


def values_of(fitted: Fitted) -> Array:
    assert fitted.rule.thresholds is not None
    return fitted.rule.thresholds


def cut(text: str, p_n: Array, truth_n: Array, weights_n: Array | None = None) -> float:
    """The threshold of one label."""
    return ranked(p_n, truth_n, weights_n).threshold(objective(text))[0]


def ranked(p_n: Array, truth_n: Array, weights_n: Array | None = None) -> thresholds._Ranked:
    order = np.argsort(-p_n)
    weights_n = None if weights_n is None else weights_n[order]
    return thresholds._Ranked(p_n[order], truth_n[order] > 0.5, weights_n, np.zeros(len(p_n), np.int64))


def fit_two(text: str, p_n: Array, codes_n: Array, weights: Array | None = None) -> Fitted:
    p_nk = np.stack([1 - p_n, p_n], axis=1).astype(np.float32)
    natural = rules.natural("multi-class", 2, 1)
    return thresholds.fit(objective(text), natural, Evidence(p_nk, codes_n, weights), "multi-class", ["no", "yes"])


def fit_classes(text: str, p_nk: Array, codes_n: Array, weights: Array | None = None, **more: Any) -> Fitted:
    k = p_nk.shape[1]
    evidence = Evidence(p_nk.astype(np.float32), codes_n, weights, **more)
    natural = rules.natural("multi-class", k, k)
    return thresholds.fit(objective(text), natural, evidence, "multi-class", [f"c{j}" for j in range(k)])


def calibrated(n: int, n_labels: int, seed: int, power: float = 3.0) -> tuple[Array, Array]:
    """Probabilities that many labels rarely exceed 0.5 with, and labels drawn by them."""
    rng = np.random.default_rng(seed)
    p_nl = (rng.random((n, n_labels)) ** power).astype(np.float32)
    return p_nl, (rng.random((n, n_labels)) < p_nl).astype(np.float64)


def f_beta(decided: Array, truth: Array, weights: Array, beta: float = 1.0) -> float:
    hits, yes, positives = ((weights * flags).sum() for flags in (decided * truth, decided, truth))
    below = beta**2 * positives + yes
    return float((1 + beta**2) * hits / below) if below else 0.0


# --- the best of all cuts ---


def worth(measure: str, decided: Array, truth: Array, weights: Array) -> float:
    """Each figure from its definition."""
    right = decided == truth
    if measure == "accuracy":
        return float((weights * right).sum() / weights.sum())
    if measure == "balanced_accuracy":
        return sum(float((weights * right)[truth == a].sum() / weights[truth == a].sum()) for a in (0, 1)) / 2
    if measure == "macro_f1":
        return (f_beta(decided, truth, weights) + f_beta(~decided, 1 - truth, weights)) / 2
    return f_beta(decided, truth, weights, float(measure.removeprefix("f")))


@pytest.fixture
def no_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows count as their truth alone."""
    monkeypatch.setattr(thresholds, "PRIOR", 0.0)


@pytest.mark.usefixtures("no_prior")
@pytest.mark.parametrize("measure", ["accuracy", "balanced_accuracy", "macro_f1", "f1", "f2", "f0.5"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_no_cut_is_better_than_the_one_that_is_taken(measure: str, is_weighted: bool) -> None:
    n_tried = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(4, 12))
        p = rng.choice(np.array([0.0, 0.1, 0.3, 0.3000001, 0.5, 0.8, 1.0], np.float32), n)
        truth = (rng.random(n) < 0.5).astype(np.float64)
        weights = rng.integers(1, 4, n).astype(np.float64) if is_weighted else np.ones(n)
        if truth.min() == truth.max():
            continue
        n_tried += 1
        threshold = cut(measure, p, truth, weights)
        every_cut = [*np.unique(p).astype(np.float64), 0.0, 1.0]
        best = max(worth(measure, p > at, truth, weights) for at in every_cut)
        found = worth(measure, p.astype(np.float64) > threshold, truth, weights)
        assert found == pytest.approx(best, rel=1e-14), f"seed {seed}"  # a figure's own rounding
    assert n_tried > 30


@pytest.mark.usefixtures("no_prior")
def test_the_threshold_is_at_least_as_good_as_scikit_learns() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    model_selection = pytest.importorskip("sklearn.model_selection")
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(4)
    X = rng.normal(size=(400, 3))
    y = (X[:, 0] + rng.normal(size=400) > 1.2).astype(int)
    model = linear_model.LogisticRegression().fit(X, y)
    tuned = model_selection.TunedThresholdClassifierCV(model, scoring="f1", cv="prefit", refit=False, thresholds=1000)
    theirs = f1_score(y, tuned.fit(X, y).predict(X))
    p = model.predict_proba(X)[:, 1].astype(np.float32)
    fitted = fit_two("f1", p, y)
    found = f1_score(y, p > values_of(fitted))
    assert found >= theirs > f1_score(y, model.predict(X))


def test_the_threshold_lies_between_neighbours_and_reads_well() -> None:
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    for a, b in ((low, high), (np.float32(0), np.float32(1e-45)), (np.float32(0.25), np.float32(0.4))):
        assert float(a) < cuts.between(float(a), float(b)) < float(b)
    assert cuts.between(0.25, 0.4) == 0.3
    assert cuts.between(0.4, 0.6) == 0.5
    assert cuts.between(0.6, 0.8) == 0.7


@pytest.mark.usefixtures("no_prior")
def test_a_cut_that_is_as_good_leaves_the_threshold_at_one_half() -> None:
    p_nl = np.array([[0.9], [0.8], [0.2], [0.1]] * 5)
    fitted = fit_labels("f1", p_nl, (p_nl > 0.5).astype(float))
    assert values_of(fitted).tolist() == [0.5]


# --- what is gained, and what is not kept ---


def test_labels_that_are_rarely_likely_gain_macro_f1_on_new_rows() -> None:
    p_nl, truth_nl = calibrated(2000, 8, 0)
    fitted = fit_labels("f1", p_nl, truth_nl)
    new_nl, new_truth_nl = calibrated(20_000, 8, 1)

    def macro(decided_nl: Array) -> float:
        ones = np.ones(len(decided_nl))
        return float(np.mean([f_beta(decided_nl[:, k], new_truth_nl[:, k], ones) for k in range(8)]))

    natural, decided = macro(new_nl > 0.5), macro(fitted.rule.decide(new_nl))
    assert decided > natural + 0.02
    said = fitted.figures["macro_f1"]
    assert said["natural"] == pytest.approx(natural, abs=0.03)
    assert said["decided"] == pytest.approx(decided, abs=0.03)  # the standard error of macro-F1 of 2000 rows is 0.01
    assert fitted.gain == said["decided"] - said["natural"]  # type: ignore[operator]


def test_micro_f1_of_calibrated_probabilities_is_cut_at_half_of_itself() -> None:
    p_nl, truth_nl = calibrated(20_000, 5, 2)
    values = values_of(fit_labels("micro_f1", p_nl, truth_nl))
    assert len(set(values.tolist())) == 1

    best = max(true_f1(t) for t in np.linspace(0.01, 0.99, 99))
    assert true_f1(best / 2) == pytest.approx(best, abs=1e-4)
    assert true_f1(float(values[0])) > best - 0.001 > true_f1(0.5) + 0.01


def test_what_gains_nothing_on_rows_that_did_not_choose_it_is_not_kept() -> None:
    rng = np.random.default_rng(0)
    kept = []
    for seed in range(20):
        p_nl, truth_nl = calibrated(40, 1, seed)
        fitted = fit_labels("accuracy", p_nl, truth_nl)  # 0.5 is the best there is
        kept.append(not fitted.is_natural)
        if fitted.is_natural:
            assert values_of(fitted).tolist() == [0.5]
            assert "gains nothing" in fitted.notes[0]
            assert fitted.gain is not None
            assert fitted.gain <= 0
    assert sum(kept) < 10
    assert fit_labels("f1", *calibrated(400, 4, int(rng.integers(99)))).is_natural is False


def test_the_gain_is_that_of_rules_that_the_other_folds_chose() -> None:
    p_nl, truth_nl = calibrated(50, 1, 5)
    fitted = fit_labels("f1", p_nl, truth_nl)
    fold_n = folds(50)
    decided = np.zeros(50)
    for fold in range(FOLDS):
        rows, others = fold_n == fold, fold_n != fold
        decided[rows] = p_nl[rows, 0] > np.float64(cut("f1", p_nl[others, 0], truth_nl[others, 0]))
    assert fitted.figures["macro_f1"]["decided"] == f_beta(decided, truth_nl[:, 0], np.ones(50))


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("grid", [10.0, 100.0, 2.0**24])
def test_a_common_threshold_is_that_of_all_entries_ranked_together(beta: float, is_weighted: bool, grid: float) -> None:
    n_apart = 0
    for seed, n in enumerate([3, 10, 40, 200, 3000] * 3):
        rng = np.random.default_rng(seed)
        p_nl, truth_nl = calibrated(n, 4, seed, power=rng.choice([1.0, 3.0, 30.0]))
        p_nl = np.round(p_nl * np.float32(grid)) / np.float32(grid)
        weights = rng.random((n, 4)) if is_weighted else None
        fold_n, measure = folds(n), f"micro_f{beta:g}"
        answers = thresholds._Answers(
            objective(measure), NATURAL_LABELS, Evidence(p_nl, truth_nl, weights), "multi-label", "abcd"
        )
        found = answers._common()[0]
        for fold in range(FOLDS + 1):
            rows = fold_n != fold
            of_entries = [None if each is None else each[rows].ravel() for each in (p_nl, truth_nl, weights)]
            best = cut(measure, *of_entries)  # type: ignore[arg-type]
            assert (found[fold] == best).all(), f"seed {seed}, fold {fold}"
            n_apart += best != 0.5
    assert n_apart > 30


# --- bounds ---


@pytest.mark.parametrize("text", ["recall>=0.9", "precision>=0.9"])
def test_a_bound_is_kept_on_the_rows_and_on_the_mean_of_new_ones(text: str) -> None:
    measure, _, least = text.partition(">=")
    kept = []
    for seed in range(40):
        p_nl, truth_nl = calibrated(600, 1, seed, power=1.0)
        values = values_of(fit_labels(text, p_nl, truth_nl))
        new_nl, new_truth_nl = calibrated(5000, 1, 1000 + seed, power=1.0)
        for rows, truth, is_new in ((p_nl, truth_nl, False), (new_nl, new_truth_nl, True)):
            decided = rows > values
            below = truth.sum() if measure == "recall" else decided.sum()
            figure = (decided * truth).sum() / below
            if is_new:
                kept.append(figure)
            else:
                assert figure >= float(least)
    assert np.mean(kept) >= float(least) - 0.005
    assert np.mean(kept) < float(least) + 0.05  # no more is given away than has to be


def test_recall_takes_the_highest_threshold_and_precision_the_lowest() -> None:
    p_nl = (np.arange(40, 0, -1, dtype=np.float32) / 41)[:, None]
    truth_nl = np.isin(np.arange(40), [*range(20), 23, 36]).astype(float)[:, None]
    recall = values_of(fit_labels("recall>=0.8", p_nl, truth_nl))
    precision = values_of(fit_labels("precision>=0.8", p_nl, truth_nl))
    assert (p_nl > recall).sum() == 19  # 19 of 22 + 1 are 0.83, 18 are 0.78
    assert (p_nl > precision).sum() == 24  # 21 of 24 + 1 are 0.84; with the last one it would be 22 of 37 + 1


def test_a_bound_that_can_not_be_kept_is_said() -> None:
    p_nl = np.linspace(0.01, 0.9, 50, dtype=np.float32)[:, None]
    truth_nl = np.zeros((50, 1))
    truth_nl[20] = 1
    recall = fit_labels("recall>=0.9", p_nl, truth_nl)
    assert "too few positive rows to promise recall>=0.9; the threshold finds all of them: label 'l0'" in (recall.notes)
    assert (p_nl > values_of(recall)).sum() == 30
    precision = fit_labels("precision>=0.9", p_nl, truth_nl)
    assert (
        "no threshold reaches precision>=0.9; the one kept lies above every probability of these rows: label 'l0'"
        in precision.notes
    )
    assert (p_nl > values_of(precision)).sum() == 0
    nothing = fit_labels("recall>=0.9", p_nl, np.zeros((50, 1)))
    assert "no row is positive, so nothing can be said and 0.5 stays" in nothing.notes[0]
    assert values_of(nothing).tolist() == [0.5]


# --- weights, unknown labels, few rows ---


@pytest.mark.usefixtures("no_prior")
@pytest.mark.parametrize("text", ["f1", "accuracy", "balanced_accuracy", "micro_f1"])
def test_a_whole_weight_is_that_many_copies(text: str) -> None:
    p_nl, truth_nl = calibrated(80, 30, 7)
    weights_n = np.random.default_rng(0).choice([1.0, 2.0, 9.0], 80)
    copies = np.repeat(np.arange(80), weights_n.astype(int))
    by_weight, by_copies, unweighted = (
        [cut(text, p_nl[rows, k], truth_nl[rows, k], weights) for k in range(30)]
        for rows, weights in ((slice(None), weights_n), (copies, None), (slice(None), None))
    )
    assert by_weight == by_copies
    assert by_weight != unweighted


@pytest.mark.parametrize("scale", [2.0**-9, 2.0**-700, 2.0**900])
def test_only_the_ratios_of_weights_matter(scale: float) -> None:
    p_nl, truth_nl = calibrated(80, 3, 7)
    weights_n = np.random.default_rng(0).integers(1, 4, 80).astype(np.float64)
    for text in ("f1", "recall>=0.8", "precision>=0.5"):
        one, other = (fit_labels(text, p_nl, truth_nl, weights) for weights in (weights_n, weights_n * scale))
        assert one.to_json() == other.to_json()
        assert one.rule.to_json() == other.rule.to_json()


@pytest.mark.parametrize("text", ["f1", "micro_f1", "accuracy", "balanced_accuracy", "recall>=0.7", "precision>=0.5"])
def test_unknown_labels_and_rows_of_weight_0_take_no_part(text: str) -> None:
    p_nl, truth_nl = calibrated(300, 2, 3)
    holes_nl, weights_nl = truth_nl.copy(), np.ones((300, 2))
    holes_nl[200:, 0] = np.nan
    weights_nl[200:, 0] = 0
    unknown, weightless = fit_labels(text, p_nl, holes_nl), fit_labels(text, p_nl, truth_nl, weights_nl)
    assert unknown.to_json() == weightless.to_json()
    assert unknown.rule.to_json() == weightless.rule.to_json()
    assert unknown.to_json() != fit_labels(text, p_nl, truth_nl).to_json()


def test_a_label_that_no_row_has_is_cut_by_its_probabilities_and_said() -> None:
    p_nl, truth_nl = calibrated(2000, 2, 0)
    truth_nl[:, 1] = 0
    fitted = fit_labels("f1", p_nl, truth_nl)
    assert not fitted.is_natural
    assert fitted.notes == ("all rows alike, so the threshold comes from the probabilities alone: label 'l1'",)
    assert 0.1 < values_of(fitted)[1] < 0.5


def test_few_rows_choose_better_with_the_probabilities_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    p_nl, truth_nl = calibrated(60, 30, 11)
    with_prior = values_of(fit_labels("f1", p_nl, truth_nl))
    monkeypatch.setattr(thresholds, "PRIOR", 0.0)
    without = values_of(fit_labels("f1", p_nl, truth_nl))
    assert np.mean([true_f1(t) for t in with_prior]) > np.mean([true_f1(t) for t in without]) + 0.01


def test_a_label_unknown_everywhere_keeps_one_half() -> None:
    p_nl, truth_nl = calibrated(500, 2, 0)
    truth_nl[:, 0] = np.nan
    fitted = fit_labels("f1", p_nl, truth_nl)
    assert values_of(fitted)[0] == 0.5
    assert "unknown in every row, so 0.5: label 'l0'" in fitted.notes


@pytest.mark.parametrize("n", [0, 1, 2, 4])
@pytest.mark.parametrize(
    "text", ["accuracy", "balanced_accuracy", "f1", "micro_f1", "macro_f1", "recall>=0.9", "precision>=0.9"]
)
def test_hardly_any_rows_give_a_rule_and_no_warning(n: int, text: str) -> None:
    for p in (0.0, 0.25, 1.0):
        for truth in (0.0, 1.0):
            fitted = fit_labels(text, np.full((n, 3), p), np.full((n, 3), truth))
            values = values_of(fitted)
            assert ((values >= 0) & (values <= 1)).all()
            if text != "micro_f1":
                two = fit_two(text, np.full(n, p), np.full(n, int(truth)))
                assert two.rule.decide(np.array([[0.3, 0.7]], np.float32)).shape == (1,)


def test_probabilities_learned_with_a_heavier_positive_are_put_right_before_they_count() -> None:
    p_nl, truth_nl = calibrated(4000, 1, 0)
    heavy_nl = 9 * p_nl / (9 * p_nl + 1 - p_nl)
    truth_nl[:] = 0  # nothing but the probabilities says where to cut
    plain, tilted = fit_labels("f1", p_nl, truth_nl), fit_labels("f1", heavy_nl, truth_nl, tilt=np.array([9.0]))
    thresholds_of = [
        thresholds._Answers(objective("f1"), NATURAL_LABELS, Evidence(p, truth_nl, None, tilt), "multi-label", "a")
        ._ranked(0)
        .threshold(objective("f1"))[0]
        for p, tilt in ((p_nl, None), (heavy_nl.astype(np.float32), np.array([9.0])))
    ]
    assert (p_nl > thresholds_of[0]).sum() == pytest.approx((heavy_nl > thresholds_of[1]).sum(), abs=2)
    assert plain.figures["macro_f1"]["natural"] == tilted.figures["macro_f1"]["natural"] == 0.0


# --- two classes ---


def test_two_classes_are_decided_by_the_second_ones_probability() -> None:
    p_nl, truth_nl = calibrated(3000, 1, 0)
    fitted = fit_two("f1", p_nl[:, 0], truth_nl[:, 0].astype(int))
    of_label = fit_labels("f1", p_nl, truth_nl)
    assert isinstance(fitted.rule, rules.SecondClass)
    assert fitted.rule.threshold == values_of(of_label)[0]
    assert fitted.figures["f1"] == of_label.figures["macro_f1"]


def test_codes_that_are_unknown_take_no_part() -> None:
    p_nl, truth_nl = calibrated(300, 1, 0)
    codes_n = truth_nl[:, 0].astype(int)
    codes_n[250:] = -1
    weights_n = (codes_n >= 0).astype(float)
    assert fit_two("f1", p_nl[:, 0], codes_n).to_json() == fit_two("f1", p_nl[:, 0], abs(codes_n), weights_n).to_json()


# --- three and more classes ---


def classes(n: int, k: int, seed: int) -> tuple[Array, Array]:
    """Calibrated probabilities of uneven classes, and classes drawn by them."""
    rng = np.random.default_rng(seed)
    p_nk = rng.dirichlet(2.0 ** -np.arange(k) * 2, n).astype(np.float32)
    codes_n = (rng.random(n)[:, None] < np.cumsum(p_nk, axis=1)).argmax(axis=1)
    return p_nk, codes_n


def test_balanced_accuracy_of_classes_divides_by_their_shares() -> None:
    p_nk, codes_n = classes(50_000, 4, 0)
    fitted = fit_classes("balanced_accuracy", p_nk, codes_n)
    assert isinstance(fitted.rule, rules.Scores)
    shares = np.bincount(codes_n) / len(codes_n)
    np.testing.assert_allclose(fitted.rule.factors * shares, float(fitted.rule.factors[-1] * shares[-1]), rtol=1e-2)
    assert (fitted.rule.charges == 0).all()
    assert fitted.gain is not None
    assert fitted.gain > 0.05


def test_macro_f1_of_classes_is_close_to_the_best_scores_there_are() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    p_nk, codes_n = classes(20_000, 3, 1)
    fitted = fit_classes("macro_f1", p_nk, codes_n)
    natural, found = (
        metrics.f1_score(codes_n, decided, average="macro")
        for decided in (p_nk.argmax(axis=1), fitted.rule.decide(p_nk))
    )
    grid = np.geomspace(1, 30, 25)
    by_factors = max(
        metrics.f1_score(codes_n, (p_nk * np.array([1.0, a, b])).argmax(axis=1), average="macro")
        for a in grid
        for b in grid
        if a <= b
    )
    assert found > natural + 0.02
    assert found > by_factors - 0.001
    assert fitted.figures["macro_f1"]["natural"] == pytest.approx(natural, rel=1e-12)


def test_accuracy_of_classes_needs_no_fitting_unless_their_weights_were_others() -> None:
    p_nk, codes_n = classes(5000, 3, 2)
    plain = fit_classes("accuracy", p_nk, codes_n)
    assert plain.is_natural
    assert plain.gain == 0
    tilt = np.array([1.0, 3.0, 9.0])
    heavy_nk = p_nk * tilt / (p_nk * tilt).sum(axis=1, keepdims=True)
    tilted = fit_classes("accuracy", heavy_nk, codes_n, tilt=tilt)
    assert not tilted.is_natural
    assert tilted.figures["accuracy"]["decided"] == pytest.approx(plain.figures["accuracy"]["natural"], abs=1e-3)


@pytest.mark.parametrize("text", ["accuracy", "balanced_accuracy", "macro_f1", "f2"])
@pytest.mark.parametrize("n", [0, 1, 4, 20])
def test_few_rows_of_classes_and_classes_without_a_row(text: str, n: int) -> None:
    p_nk, _ = classes(n, 5, 0)
    fitted = fit_classes(text, p_nk, np.zeros(n, int))
    assert fitted.rule.decide(classes(10, 5, 1)[0]).max() < 5
    one = np.zeros((n, 5), np.float32)
    one[:, 0] = 1
    assert fit_classes(text, one, np.zeros(n, int)).is_natural


# --- costs ---


def test_the_scores_of_classes_have_the_same_bits_on_any_number_of_threads() -> None:
    rng = np.random.default_rng(0)
    logits_nk = (3 * rng.normal(size=(20_000, 300))).astype(np.float32)
    codes_n = (logits_nk + rng.gumbel(size=logits_nk.shape)).argmax(axis=1)
    evidence = Evidence(softmax(logits_nk), codes_n)
    for text in ("f1", "balanced_accuracy"):
        case = thresholds._Classes(objective(text), rules.Largest(), evidence, range(300))
        found = []
        for threads in (1, 2):
            with threadpoolctl.threadpool_limits(threads):
                found.append(case._scores(np.ones(len(codes_n), bool)).numbers())
        assert found[0] == found[1], text


def test_costs_are_decided_without_fitting_and_their_mean_is_said() -> None:
    p_nk, codes_n = classes(3000, 3, 0)
    values = np.array([[0.0, 1, 1], [5, 0, 1], [20, 5, 0]])
    costs = Costs(values)
    fitted = thresholds.fit(costs, rules.Largest(), Evidence(p_nk, codes_n), "multi-class", "abc")
    decided_n = fitted.rule.decide(p_nk)
    assert fitted.folds == 0
    assert fitted.figures["mean_cost"]["decided"] == pytest.approx(values[codes_n, decided_n].mean(), rel=1e-14)
    assert fitted.gain is not None
    assert fitted.gain < -0.1  # costs less


def test_the_mean_cost_of_labels_leaves_out_what_is_unknown() -> None:
    costs = Costs(np.broadcast_to(np.array([[0.0, 1], [4, 0]]), (2, 2, 2)))
    p_nl = np.array([[0.3, 0.3], [0.1, 0.9]], np.float32)
    truth_nl = np.array([[1, np.nan], [1, 0]])
    fitted = thresholds.fit(costs, rules.natural("multi-label", 2, 2), Evidence(p_nl, truth_nl), "multi-label", "ab")
    assert fitted.figures["mean_cost"] == {"natural": 3.0, "decided": 5 / 3}
