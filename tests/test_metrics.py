"""The figures are scikit-learn's where it has them, None where there is nothing to say, and agree with `predict`."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as theirs

from fromlogits import logits as from_logits
from fromlogits.errors import InputError
from fromlogits.metrics import (
    METRICS,
    SHORT,
    Task,
    evaluate,
    is_better,
    predicted_classes,
    predicted_labels,
    validate_metric,
)
from fromlogits.metrics import value as metric_value

Float32 = NDArray[np.float32]
MULTI_LABEL = list(SHORT["multi-label"])


def multi_label_case(n: int, c: int, seed: int, *, step: float = 0.0, share: float = 0.4) -> tuple[Float32, Float32]:
    """Logits and targets that have to do with each other; `step` rounds the logits, which makes ties."""
    generator = np.random.default_rng(seed)
    targets_nc = (generator.random((n, c)) < share).astype(np.float32)
    logits_nc = generator.normal(size=(n, c)) * 2 + targets_nc - 0.5
    if step:
        logits_nc = np.round(logits_nc / step) * step
    return logits_nc.astype(np.float32), targets_nc


def double(logits_nc: Float32) -> NDArray[np.float64]:
    """Logits as scores that scikit-learn may rank."""
    return logits_nc.astype(np.float64)


# --- multi-class ---


@pytest.mark.parametrize("n", [1, 2, 500])
@pytest.mark.parametrize("c", [2, 3, 17])
def test_multi_class_figures_are_scikit_learns(n: int, c: int) -> None:
    generator = np.random.default_rng(n * c)
    logits_nc = (3 * generator.normal(size=(n, c))).astype(np.float32)
    codes_n = generator.integers(0, c, n)

    figures = evaluate("multi-class", list(range(c)), logits_nc, codes_n)

    probabilities_nc = np.exp(double(logits_nc) - double(logits_nc).max(axis=1, keepdims=True))
    probabilities_nc /= probabilities_nc.sum(axis=1, keepdims=True)
    assert list(figures) == ["accuracy", "log_loss"]
    assert figures["accuracy"] == theirs.accuracy_score(codes_n, logits_nc.argmax(axis=1))
    assert figures["log_loss"] == pytest.approx(
        theirs.log_loss(codes_n, probabilities_nc, labels=list(range(c))), rel=1e-12
    )


def test_the_log_loss_is_computed_from_logits() -> None:
    logits_nc = np.array([[40, 0, 0], [-1000, 1000, 0]], np.float32)
    right = evaluate("multi-class", "abc", logits_nc, np.array([0, 1]))
    wrong = evaluate("multi-class", "abc", logits_nc, np.array([1, 0]))
    assert right["log_loss"] == pytest.approx(np.exp(-40), rel=1e-12)  # a probability would have rounded to 1
    assert wrong["log_loss"] == pytest.approx((40 + 2000) / 2, rel=1e-12)


def test_rows_of_an_unknown_class_are_wrong_counted_and_have_no_log_loss() -> None:
    logits_nc = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 3], [4, 0, 0]], np.float32)
    codes_n = np.array([0, -1, 2, -1])
    figures = evaluate("multi-class", "abc", logits_nc, codes_n)
    assert figures == {
        "accuracy": 0.5,
        "log_loss": evaluate("multi-class", "abc", logits_nc[[0, 2]], np.array([0, 2]))["log_loss"],
        "unknown_class_rows": 2,
    }
    nothing_known = evaluate("multi-class", "abc", logits_nc, np.full(4, -1))
    assert nothing_known == {"accuracy": 0.0, "log_loss": None, "unknown_class_rows": 4}


def test_two_classes_by_one_unit_are_as_two_classes_by_two() -> None:
    logits_nc, targets_nc = multi_label_case(200, 1, seed=3)
    codes_n = targets_nc[:, 0].astype(np.int32)
    codes_n[::10] = -1
    one = evaluate("multi-class", ["no", "yes"], logits_nc, codes_n)
    two = evaluate("multi-class", ["no", "yes"], np.hstack([np.zeros_like(logits_nc), logits_nc]), codes_n)
    assert one["unknown_class_rows"] == two["unknown_class_rows"] == 20
    assert one["accuracy"] == two["accuracy"]
    assert one["log_loss"] == pytest.approx(two["log_loss"], rel=1e-14)


def test_ties_go_to_the_lowest_class() -> None:
    logits_nc = np.array([[1, 1, 1], [0, 5, 5], [2, 1, 2]], np.float32)
    assert predicted_classes(logits_nc).tolist() == [0, 1, 0]
    assert predicted_classes(np.zeros((1, 1), np.float32)).tolist() == [0]


def test_what_is_predicted_follows_from_the_float32_probabilities() -> None:
    smallest = np.float32(1e-45)
    near = np.concatenate([np.linspace(-1e-6, 1e-6, 2001, dtype=np.float32), [smallest, -smallest]])[:, None]
    probabilities_n = from_logits.sigmoid(near)[:, 0]
    assert (probabilities_n[near[:, 0] > 0] == 0.5).any()  # a positive logit whose probability is not above a half
    np.testing.assert_array_equal(predicted_classes(near), probabilities_n > 0.5)
    np.testing.assert_array_equal(predicted_labels(near)[:, 0], probabilities_n > 0.5)

    pair = np.array([[0.1, np.nextafter(np.float32(0.1), np.float32(1))]], np.float32)
    assert from_logits.softmax(pair).argmax() == predicted_classes(pair)[0] == 0


# --- multi-label ---


CASES = {
    "random": multi_label_case(300, 5, seed=0),
    "ties": multi_label_case(300, 5, seed=1, step=1.0),
    "two values": multi_label_case(100, 4, seed=2, step=8.0),
    "all equal": (np.full((50, 3), 0.5, np.float32), multi_label_case(50, 3, seed=3)[1]),
    "one label": multi_label_case(40, 1, seed=4),
    "rare": multi_label_case(60, 8, seed=5, share=0.03),
    "one row": multi_label_case(1, 6, seed=6),
    "never predicted": (np.full((9, 2), -3, np.float32), multi_label_case(9, 2, seed=7)[1]),
    "no positives": (multi_label_case(9, 2, seed=8)[0], np.zeros((9, 2), np.float32)),
    "nothing at all": (np.full((9, 2), -3, np.float32), np.zeros((9, 2), np.float32)),
    "all positives": (multi_label_case(9, 2, seed=9)[0], np.ones((9, 2), np.float32)),
    "perfect": (200 * multi_label_case(20, 3, seed=10)[1] - 100, multi_label_case(20, 3, seed=10)[1]),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_multi_label_figures_are_scikit_learns(case: tuple[Float32, Float32]) -> None:
    logits_nc, targets_nc = case
    c = logits_nc.shape[1]
    truth_nc = targets_nc.astype(int)
    predicted_nc = (logits_nc > 0).astype(int)
    names = [f"label {k}" for k in range(c)]

    figures = evaluate("multi-label", names, logits_nc, targets_nc)

    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert list(figures) == [*MULTI_LABEL, "per_label"]
    assert figures["subset_accuracy"] == (predicted_nc == truth_nc).all(axis=1).mean()
    assert figures["hamming_loss"] == (predicted_nc != truth_nc).mean()
    z_nc = double(logits_nc)
    losses_nc = np.logaddexp(0, np.where(truth_nc, -z_nc, z_nc))
    assert figures["log_loss"] == pytest.approx(losses_nc.mean(), rel=1e-12)
    if c > 1:
        for average in ("micro", "macro"):
            f1 = theirs.f1_score(truth_nc, predicted_nc, average=average, zero_division=0)
            assert figures[f"{average}_f1"] == pytest.approx(f1, rel=1e-14)

    aucs = []
    for k, label in enumerate(figures["per_label"]):
        truth_n, scores_n = truth_nc[:, k], double(logits_nc[:, k])
        assert list(label) == ["label", "support", "roc_auc", "average_precision", "f1", "threshold"]
        assert label["label"] == names[k]
        assert label["threshold"] == 0.5
        assert label["support"] == truth_n.sum()
        if 0 < truth_n.sum() < len(truth_n):
            assert label["roc_auc"] == pytest.approx(theirs.roc_auc_score(truth_n, scores_n), rel=1e-14)
            aucs.append(label["roc_auc"])
        else:
            assert label["roc_auc"] is None
        if truth_n.any():
            expected = theirs.average_precision_score(truth_n, scores_n)
            assert label["average_precision"] == pytest.approx(expected, rel=1e-13)
        else:
            assert label["average_precision"] is None
        if truth_n.any() or predicted_nc[:, k].any():
            assert label["f1"] == pytest.approx(theirs.f1_score(truth_n, predicted_nc[:, k], zero_division=0))
        else:
            assert label["f1"] is None
    assert figures["macro_roc_auc"] == (pytest.approx(np.mean(aucs), rel=1e-14) if aucs else None)


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=12))
def test_the_ranking_figures_are_scikit_learns_on_small_cases(rows: list[tuple[int, bool]]) -> None:
    logits_nc = np.array([[score] for score, _ in rows], np.float32)
    targets_nc = np.array([[truth] for _, truth in rows], np.float32)
    label = evaluate("multi-label", ["a"], logits_nc, targets_nc)["per_label"][0]
    truth_n = targets_nc[:, 0]
    if 0 < truth_n.sum() < len(rows):
        assert label["roc_auc"] == pytest.approx(theirs.roc_auc_score(truth_n, double(logits_nc)), rel=1e-14)
        pairs = [np.sign(a - b) / 2 + 0.5 for a, x in rows if x for b, y in rows if not y]
        assert label["roc_auc"] == pytest.approx(np.mean(pairs), rel=1e-14)
    if truth_n.any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = theirs.average_precision_score(truth_n, double(logits_nc)[:, 0])
        assert label["average_precision"] == pytest.approx(expected, rel=1e-14)


def test_ranks_come_from_logits_where_probabilities_have_become_equal() -> None:
    logits_nc = np.array([[100], [101], [102], [103]], np.float32)
    assert len(np.unique(from_logits.sigmoid(logits_nc))) == 1
    label = evaluate("multi-label", ["a"], logits_nc, np.array([[0], [0], [1], [1]], np.float32))["per_label"][0]
    assert label["roc_auc"] == label["average_precision"] == 1.0


def test_thresholds_decide_and_are_reported() -> None:
    logits_nc = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, -1.0]], np.float32)
    targets_nc = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    figures = evaluate("multi-label", ["a", "b"], logits_nc, targets_nc, thresholds=[0.3, 0.5])
    assert figures["subset_accuracy"] == 1.0
    assert [label["threshold"] for label in figures["per_label"]] == [0.3, 0.5]
    assert evaluate("multi-label", ["a", "b"], logits_nc, targets_nc)["subset_accuracy"] == pytest.approx(2 / 3)


def test_integer_targets_and_numpy_names_are_welcome() -> None:
    logits_nc, targets_nc = multi_label_case(30, 2, seed=11)
    figures = evaluate("multi-label", np.array([7, 8]), logits_nc, targets_nc)  # type: ignore[arg-type]
    assert [type(label["label"]) for label in figures["per_label"]] == [int, int]
    assert evaluate("multi-label", [7, 8], logits_nc, targets_nc.astype(np.int64)) == figures


@pytest.mark.filterwarnings("ignore:.*logits are NaN:RuntimeWarning")
def test_no_rows_and_logits_that_are_not_finite_give_none_and_no_nan() -> None:
    nothing = evaluate("multi-label", "ab", np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    assert [nothing[name] for name in MULTI_LABEL if not name.endswith("f1")] == [None] * 4
    assert evaluate("multi-class", "ab", np.zeros((0, 2), np.float32), np.zeros(0, np.int32)) == {
        "accuracy": None,
        "log_loss": None,
    }
    broken = np.full((4, 2), np.nan, np.float32)
    for task, targets in (("multi-label", np.eye(4, 2, dtype=np.float32)), ("multi-class", np.array([0, 1, 0, 1]))):
        figures = evaluate(task, "ab", broken, targets)  # type: ignore[arg-type]
        assert figures["log_loss"] is None
        json.dumps(figures, allow_nan=False)


# --- weights and unknown labels ---


@pytest.mark.parametrize("c", [1, 2, 6])
def test_weighted_multi_class_figures_are_scikit_learns(c: int) -> None:
    generator = np.random.default_rng(c)
    logits_nc = (2 * generator.normal(size=(400, c))).astype(np.float32)
    codes_n, weights_n = generator.integers(0, max(c, 2), 400), generator.gamma(0.7, size=400)
    weights_n[::9] = 0

    figures = evaluate("multi-class", range(max(c, 2)), logits_nc, codes_n, weights=weights_n)

    sides_nc: Float32 = np.hstack([-logits_nc / 2, logits_nc / 2]) if c == 1 else logits_nc
    probabilities_nc = np.exp(double(sides_nc) - double(sides_nc).max(axis=1, keepdims=True))
    probabilities_nc /= probabilities_nc.sum(axis=1, keepdims=True)
    accuracy = theirs.accuracy_score(codes_n, sides_nc.argmax(axis=1), sample_weight=weights_n)
    log_loss = theirs.log_loss(codes_n, probabilities_nc, labels=range(max(c, 2)), sample_weight=weights_n)
    assert figures["accuracy"] == pytest.approx(accuracy, rel=1e-14)
    assert figures["log_loss"] == pytest.approx(log_loss, rel=1e-12)


@pytest.mark.parametrize("case", [case for case in CASES.values() if case[0].shape[1] > 1 and len(case[0]) > 1])
def test_weighted_multi_label_figures_are_scikit_learns(case: tuple[Float32, Float32]) -> None:
    logits_nc, targets_nc = case
    weights_n = np.random.default_rng(3).gamma(0.7, size=len(logits_nc))
    weights_n[1::9] = 0
    truth_nc, predicted_nc = targets_nc.astype(int), (logits_nc > 0).astype(int)

    figures = evaluate("multi-label", range(logits_nc.shape[1]), logits_nc, targets_nc, weights=weights_n)

    expected = {
        "subset_accuracy": theirs.accuracy_score(truth_nc, predicted_nc, sample_weight=weights_n),
        "hamming_loss": theirs.hamming_loss(truth_nc, predicted_nc, sample_weight=weights_n),
        "micro_f1": theirs.f1_score(truth_nc, predicted_nc, average="micro", zero_division=0, sample_weight=weights_n),
        "macro_f1": theirs.f1_score(truth_nc, predicted_nc, average="macro", zero_division=0, sample_weight=weights_n),
        "log_loss": np.average(
            np.logaddexp(0, np.where(truth_nc, -double(logits_nc), double(logits_nc))).mean(axis=1), weights=weights_n
        ),
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected, rel=1e-12, abs=1e-15)
    for k, label in enumerate(figures["per_label"]):
        truth_n, scores_n = truth_nc[:, k], double(logits_nc[:, k])
        assert label["support"] == pytest.approx(weights_n[truth_n == 1].sum())
        of_both = truth_n[weights_n > 0]
        if 0 < of_both.sum() < len(of_both):
            auc = theirs.roc_auc_score(truth_n, scores_n, sample_weight=weights_n)
            assert label["roc_auc"] == pytest.approx(auc, rel=1e-12)
        if of_both.any():
            precision = theirs.average_precision_score(truth_n, scores_n, sample_weight=weights_n)
            assert label["average_precision"] == pytest.approx(precision, rel=1e-12)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_whole_weight_is_that_many_copies_and_none_is_none(case: tuple[Float32, Float32]) -> None:
    """Of known and unknown labels alike; the sums of whole numbers are exact."""
    logits_nc, targets_nc = case[0], case[1].copy()
    targets_nc[np.random.default_rng(5).random(targets_nc.shape) < 0.2] = np.nan
    times_n = np.random.default_rng(6).integers(0, 4, len(logits_nc))
    copies, names = np.repeat(np.arange(len(logits_nc)), times_n), range(logits_nc.shape[1])

    weighted = evaluate("multi-label", names, logits_nc, targets_nc, weights=times_n.astype(float))
    by_entry = np.repeat(times_n[:, None].astype(float), logits_nc.shape[1], axis=1)

    repeated = evaluate("multi-label", names, logits_nc[copies], targets_nc[copies])
    assert {**weighted, "per_label": None} == {**repeated, "per_label": None}
    for one, other in zip(weighted["per_label"], repeated["per_label"], strict=True):
        precisions = [label["average_precision"] for label in (one, other)]
        assert {**one, "average_precision": None} == {**other, "average_precision": None}
        assert precisions[0] == (None if precisions[1] is None else pytest.approx(precisions[1], rel=1e-14))
    assert evaluate("multi-label", names, logits_nc, targets_nc, weights=by_entry) == weighted

    if logits_nc.shape[1] > 1:
        codes_n = np.random.default_rng(7).integers(-1, logits_nc.shape[1], len(logits_nc))
        weighted = evaluate("multi-class", names, logits_nc, codes_n, weights=times_n.astype(float))
        repeated = evaluate("multi-class", names, logits_nc[copies], codes_n[copies])
        assert [weighted["accuracy"], weighted["log_loss"]] == [repeated["accuracy"], repeated["log_loss"]]


def test_scaling_the_weights_changes_no_figure() -> None:
    logits_nc, targets_nc = CASES["random"]
    weights_nc = np.random.default_rng(0).gamma(1.0, size=logits_nc.shape)
    a = evaluate("multi-label", range(5), logits_nc, targets_nc, weights=weights_nc)
    b = evaluate("multi-label", range(5), logits_nc, targets_nc, weights=weights_nc * 1e5)
    for name in MULTI_LABEL:
        assert a[name] == pytest.approx(b[name], rel=1e-13)


def test_an_unknown_label_and_one_that_weighs_nothing_take_no_part() -> None:
    logits_nc = np.array([[2, -1, 3], [1, 1, -2], [-3, 2, 1], [1, -1, 1]], np.float32)
    nan = np.nan
    targets_nc = np.array([[1, nan, 0], [nan, 1, 0], [nan, nan, nan], [0, 1, nan]], np.float32)

    figures = evaluate("multi-label", "abc", logits_nc, targets_nc)

    known = [(2, 1), (3, 0), (1, 1), (-2, 0), (1, 0), (-1, 1)]
    assert figures["log_loss"] == pytest.approx(np.mean([np.log1p(np.exp(-z if t else z)) for z, t in known]))
    assert figures["subset_accuracy"] == 1 / 3  # the third row says nothing
    assert figures["hamming_loss"] == 3 / 6
    assert figures["micro_f1"] == pytest.approx(2 * 2 / (4 + 3))
    assert [label["support"] for label in figures["per_label"]] == [1, 2, 0]
    assert all(type(label["support"]) is int for label in figures["per_label"])
    assert [label["roc_auc"] for label in figures["per_label"]] == [1.0, None, None]

    weights_nc = 1.0 - np.isnan(targets_nc)
    guesses_nc = np.where(np.isnan(targets_nc), np.float32(1), targets_nc)
    assert evaluate("multi-label", "abc", logits_nc, guesses_nc, weights=weights_nc) == figures

    targets_nc[:, 2] = nan
    assert evaluate("multi-label", "abc", logits_nc, targets_nc)["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    nothing = evaluate("multi-label", "abc", logits_nc, np.full((4, 3), np.float32(nan)))
    assert [nothing[name] for name in MULTI_LABEL] == [None] * len(MULTI_LABEL)


# --- as a guide of the training ---


@pytest.mark.parametrize("name", MULTI_LABEL)
def test_one_value_is_the_figure_of_all(name: str) -> None:
    for logits_nc, targets_nc in CASES.values():
        names = range(logits_nc.shape[1])
        expected = evaluate("multi-label", names, logits_nc, targets_nc)[name]
        assert metric_value(name, "multi-label", logits_nc, targets_nc) == expected


@pytest.mark.parametrize("name", ["accuracy", "log_loss"])
def test_one_value_of_classes_is_the_figure_of_all(name: str) -> None:
    logits_nc = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    codes_n = np.random.default_rng(1).integers(-1, 3, 50)
    assert (
        metric_value(name, "multi-class", logits_nc, codes_n)
        == evaluate("multi-class", "abc", logits_nc, codes_n)[name]
    )


def test_better_is_higher_or_lower_as_the_metric_says_and_never_equal_or_undefined() -> None:
    assert is_better("accuracy", 0.9, 0.8)
    assert not is_better("accuracy", 0.8, 0.9)
    assert is_better("log_loss", 0.1, 0.2)
    assert is_better("hamming_loss", 0.1, 0.2)
    for name in METRICS:
        assert not is_better(name, 0.5, 0.5)
        assert not is_better(name, None, 0.5)
        assert not is_better(name, float("nan"), 0.5)
        assert not is_better(name, None, None)
        assert is_better(name, 0.5, None)
        assert is_better(name, 0.5, float("nan"))


@pytest.mark.parametrize(
    ("name", "task", "says"),
    [
        ("acuracy", "multi-class", "Did you mean 'accuracy'"),
        ("micro_f1", "multi-class", "'micro_f1' is for multi-label targets, and this one is multi-class"),
        ("ece", "multi-class", "'ece' is a figure that `evaluate` gives, and not one to choose an epoch by"),
        ("accuracy", "multi-label", "'accuracy' is for multi-class targets"),
        ("", "multi-label", "Known for multi-label: subset_accuracy"),
    ],
)
def test_an_unknown_metric_is_refused_with_the_known_ones(name: str, task: Task, says: str) -> None:
    with pytest.raises(InputError, match=says):
        validate_metric(name, task)
    with pytest.raises(InputError, match=says):
        metric_value(name, task, np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32))
    for known in METRICS:
        for task_of in METRICS[known].tasks:
            validate_metric(known, task_of)
