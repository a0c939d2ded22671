"""Every figure is scikit-learn's where it has it: with weights, ties, and what is unknown; else its closed form."""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as theirs

from fromlogits import logits as from_logits
from fromlogits.metrics import FIGURES, METRICS, Task, evaluate, in_full, value
from fromlogits.metrics.calibration_error import calibration_error

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
RANKS = ("macro_roc_auc", "micro_roc_auc", "macro_average_precision", "micro_average_precision")


def class_case(n: int, c: int, seed: int, *, step: float = 0.0) -> tuple[Float32, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    codes_n = rng.integers(0, c, n)
    logits_nc = 2 * rng.normal(size=(n, c)) + 2.0 * np.eye(c)[codes_n]
    if step:
        logits_nc = np.round(logits_nc / step) * step
    return logits_nc.astype(np.float32), codes_n


def label_case(n: int, c: int, seed: int, *, step: float = 0.0) -> tuple[Float32, Float32]:
    rng = np.random.default_rng(seed)
    targets_nc = (rng.random((n, c)) < 0.3).astype(np.float32)
    logits_nc = 2 * rng.normal(size=(n, c)) + 2 * targets_nc - 1
    if step:
        logits_nc = np.round(logits_nc / step) * step
    return logits_nc.astype(np.float32), targets_nc


def weights_of(kind: str, n: int) -> Float64 | None:
    rng = np.random.default_rng(7)
    if kind == "weights":
        weights_n = rng.gamma(0.7, size=n)
        weights_n[1::9] = 0
        return weights_n
    return None


def brier(truth_n: NDArray[Any], p: NDArray[Any], weights_n: Float64 | None) -> float:
    labels = None if p.ndim == 1 else np.arange(p.shape[1])
    return float(theirs.brier_score_loss(truth_n, p, sample_weight=weights_n, labels=labels))


# --- classes ---


@pytest.mark.parametrize("kind", ["none", "weights"])
@pytest.mark.parametrize("step", [0.0, 2.0], ids=["distinct", "ties"])
@pytest.mark.parametrize("c", [2, 3, 7])
def test_figures_of_classes_are_scikit_learns(c: int, step: float, kind: str) -> None:
    logits_nc, codes_n = class_case(400, c, seed=c, step=step)
    weights_n = weights_of(kind, 400)
    figures = in_full("multi-class", list(range(c)), logits_nc, codes_n, weights=weights_n)

    p_nc = from_logits.softmax(logits_nc).astype(np.float64)
    p_nc /= p_nc.sum(axis=1, keepdims=True)
    exact_nc = from_logits.softmax(logits_nc.astype(np.float64))
    predicted_n = from_logits.softmax(logits_nc).argmax(axis=1)
    w: dict[str, Any] = {"sample_weight": weights_n}
    one_hot_nc = np.eye(c)[codes_n]
    expected = {
        "accuracy": theirs.accuracy_score(codes_n, predicted_n, **w),
        "balanced_accuracy": theirs.balanced_accuracy_score(codes_n, predicted_n, **w),
        "macro_f1": theirs.f1_score(codes_n, predicted_n, average="macro", **w),
        "log_loss": theirs.log_loss(codes_n, exact_nc, labels=range(c), **w),
        "brier": brier(codes_n, p_nc[:, 1] if c == 2 else p_nc, weights_n),
        "macro_average_precision": theirs.average_precision_score(one_hot_nc, ranks(logits_nc), average="macro", **w),
        "micro_average_precision": theirs.average_precision_score(one_hot_nc, ranks(logits_nc), average="micro", **w),
        "macro_roc_auc": theirs.roc_auc_score(one_hot_nc, ranks(logits_nc), average="macro", **w),
        "micro_roc_auc": theirs.roc_auc_score(one_hot_nc, ranks(logits_nc), average="micro", **w),
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected, rel=1e-6)  # Brier: float32 p
    exact = [name for name in expected if name != "brier"]
    assert [figures[name] for name in exact] == pytest.approx([expected[name] for name in exact], rel=1e-12)
    for k in (3, 5):
        if c <= k:
            assert figures[f"top_{k}_accuracy"] is None
        elif not step:
            assert figures[f"top_{k}_accuracy"] == pytest.approx(
                theirs.top_k_accuracy_score(codes_n, p_nc, k=k, **w), rel=1e-13
            )
    precision, recall, f1, support = theirs.precision_recall_fscore_support(
        codes_n, predicted_n, labels=range(c), zero_division=np.nan, **w
    )
    for k, row in enumerate(figures["per_class"]):
        assert [row["class"], row["support"]] == [k, pytest.approx(support[k])]
        for name, of_class in (("precision", precision), ("recall", recall), ("f1", f1)):
            assert row[name] == (None if np.isnan(of_class[k]) else pytest.approx(of_class[k], rel=1e-12))
    matrix = theirs.confusion_matrix(codes_n, predicted_n, labels=range(c), **w)
    np.testing.assert_allclose(figures["confusion"], matrix, rtol=1e-12)
    most = figures["most_confused"]
    assert sum(pair["support"] for pair in most) == pytest.approx(matrix.sum() - np.trace(matrix))
    assert [pair["support"] for pair in most] == sorted((pair["support"] for pair in most), reverse=True)
    assert all(pair["support"] == pytest.approx(matrix[pair["true"], pair["predicted"]]) for pair in most)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def ranks(logits_nc: Float32) -> Float64:
    """Scores in the order of the probabilities, with the ties that float32 log-probabilities have."""
    return from_logits.log_softmax(logits_nc).astype(np.float64)


def test_the_area_is_that_of_one_class_against_the_rest() -> None:
    logits_nc, codes_n = class_case(300, 4, seed=3)
    p_nc = from_logits.softmax(logits_nc.astype(np.float64))
    expected = theirs.roc_auc_score(codes_n, p_nc, multi_class="ovr", average="macro")
    assert in_full("multi-class", range(4), logits_nc, codes_n)["macro_roc_auc"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes_by_one_unit_are_as_two_classes_by_two(weighted: bool) -> None:
    logits_n1, targets_n1 = label_case(300, 1, seed=4)
    codes_n = targets_n1[:, 0].astype(np.int64)
    weights_n = np.random.default_rng(0).gamma(1.0, size=300) if weighted else None
    one = in_full("multi-class", ["no", "yes"], logits_n1, codes_n, weights=weights_n)
    two_nc = np.hstack([np.zeros_like(logits_n1), logits_n1])
    two = in_full("multi-class", ["no", "yes"], two_nc, codes_n, weights=weights_n)
    names = [name for name in FIGURES if name in one and one[name] is not None]
    assert set(RANKS) | {"brier", "ece", "ece_by_chance"} < set(names)
    assert [one[name] for name in names] == pytest.approx([two[name] for name in names], rel=1e-6)
    area = theirs.roc_auc_score(codes_n, logits_n1[:, 0].astype(np.float64), sample_weight=weights_n)
    assert one["macro_roc_auc"] == pytest.approx(area, rel=1e-12)


def test_top_k_goes_by_the_lowest_index_as_predict_does() -> None:
    logits_nc = np.zeros((4, 4), np.float32)
    assert value("top_3_accuracy", "multi-class", logits_nc, np.array([0, 1, 2, 3])) == 0.75
    logits_nc = np.array([[3, 3, 1, 3, 3]], np.float32)
    got = [value("top_3_accuracy", "multi-class", logits_nc, np.array([k])) for k in range(5)]
    assert got == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert value("top_5_accuracy", "multi-class", logits_nc, np.array([1])) is None


def test_rows_of_an_unknown_class_are_wrong_and_have_no_part_in_probabilities_and_ranks() -> None:
    logits_nc, codes_n = class_case(200, 5, seed=5)
    unknown_n = codes_n.copy()
    unknown_n[::4] = -1
    known = unknown_n >= 0
    with_them = in_full("multi-class", range(5), logits_nc, unknown_n)
    without = in_full("multi-class", range(5), logits_nc[known], codes_n[known])

    assert with_them["unknown_class_rows"] == 50
    for name in ("log_loss", "brier", "ece", "ece_by_chance", *RANKS, "balanced_accuracy"):
        assert with_them[name] == pytest.approx(without[name], rel=1e-14), name
    for name in ("accuracy", "top_3_accuracy"):
        assert with_them[name] == pytest.approx(without[name] * 0.75)
    assert with_them["confusion"] == without["confusion"]
    predicted_n = logits_nc.argmax(axis=1)
    precision = theirs.precision_score(unknown_n, predicted_n, labels=range(5), average=None)
    assert [row["precision"] for row in with_them["per_class"]] == pytest.approx(precision.tolist())
    nothing = in_full("multi-class", range(5), logits_nc, np.full(200, -1))
    assert [nothing[name] for name in ("log_loss", "brier", "ece", *RANKS, "balanced_accuracy")] == [None] * 8


def test_probabilities_as_targets() -> None:
    rng = np.random.default_rng(0)
    logits_nc, targets_nc = class_case(100, 3, seed=1)[0], rng.dirichlet(np.ones(3), 100)
    figures = in_full("multi-class", range(3), logits_nc, targets_nc)
    p_nc = from_logits.softmax(logits_nc).astype(np.float64)
    assert figures["brier"] == pytest.approx(((p_nc - targets_nc) ** 2).sum(axis=1).mean(), rel=1e-12)
    assert figures["accuracy"] == (p_nc.argmax(axis=1) == targets_nc.argmax(axis=1)).mean()
    told = (np.arange(100), p_nc.argmax(axis=1))
    assert figures["ece"] == calibration_error(p_nc[told].astype(np.float32), targets_nc[told])[0]


def test_what_is_decided_by_a_rule_is_what_is_judged() -> None:
    logits_nc, codes_n = class_case(90, 3, seed=6)
    decided_n = np.random.default_rng(0).integers(0, 3, 90)
    weights_n = np.random.default_rng(1).integers(0, 3, 90).astype(float)
    figures = in_full("multi-class", "abc", logits_nc, codes_n, weights=weights_n, decided=decided_n)
    assert figures["accuracy"] == pytest.approx(theirs.accuracy_score(codes_n, decided_n, sample_weight=weights_n))
    assert figures["macro_f1"] == pytest.approx(
        theirs.f1_score(codes_n, decided_n, sample_weight=weights_n, average="macro")
    )
    own = in_full("multi-class", "abc", logits_nc, codes_n, weights=weights_n)
    assert [figures[name] for name in ("log_loss", "brier", *RANKS)] == [
        own[name] for name in ("log_loss", "brier", *RANKS)
    ]

    logits_nc, targets_nc = label_case(90, 4, seed=7)
    decided_nc = np.random.default_rng(2).integers(0, 2, (90, 4))
    for judged in (evaluate, in_full):
        figures = judged("multi-label", range(4), logits_nc, targets_nc, weights=weights_n, decided=decided_nc)
        assert figures["macro_f1"] == pytest.approx(
            theirs.f1_score(targets_nc, decided_nc, sample_weight=weights_n, average="macro", zero_division=0)
        )
    got = value("hamming_loss", "multi-label", logits_nc, targets_nc, weights=weights_n, decided=decided_nc)
    assert got == pytest.approx(theirs.hamming_loss(targets_nc, decided_nc, sample_weight=weights_n))


def test_of_very_many_classes_there_is_no_matrix_but_the_most_confused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fromlogits.metrics.intervals.MOST_RESAMPLES", 20)  # ranking a thousand classes takes long
    codes_n = np.arange(1500) % 1001
    logits_nc = np.full((1500, 1001), -5, np.float32)
    logits_nc[np.arange(1500), np.where(codes_n < 3, 7, codes_n)] = 5
    figures = in_full("multi-class", [f"c{k}" for k in range(1001)], logits_nc, codes_n)
    assert figures["confusion"] is None
    most = [tuple(pair.values()) for pair in figures["most_confused"]]
    assert most == [("c0", "c7", 2), ("c1", "c7", 2), ("c2", "c7", 2)]
    assert len(figures["per_class"]) == 1001


# --- labels ---


@pytest.mark.parametrize("kind", ["none", "weights"])
@pytest.mark.parametrize("step", [0.0, 2.0], ids=["distinct", "ties"])
def test_figures_of_labels_are_scikit_learns(step: float, kind: str) -> None:
    logits_nc, targets_nc = label_case(300, 5, seed=1, step=step)
    weights_n = weights_of(kind, 300)
    figures = in_full("multi-label", list("abcde"), logits_nc, targets_nc, weights=weights_n)

    truth_nc, z_nc = targets_nc.astype(int), logits_nc.astype(np.float64)
    p_nc = from_logits.sigmoid(logits_nc).astype(np.float64)
    w: dict[str, Any] = {"sample_weight": weights_n}
    expected = {
        "micro_roc_auc": theirs.roc_auc_score(truth_nc, z_nc, average="micro", **w),
        "macro_roc_auc": theirs.roc_auc_score(truth_nc, z_nc, average="macro", **w),
        "micro_average_precision": theirs.average_precision_score(truth_nc, z_nc, average="micro", **w),
        "macro_average_precision": theirs.average_precision_score(truth_nc, z_nc, average="macro", **w),
        "brier": np.mean([brier(truth_nc[:, k], p_nc[:, k], weights_n) for k in range(5)]),
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    short = evaluate("multi-label", list("abcde"), logits_nc, targets_nc, weights=weights_n)
    for name in short:
        if name != "per_label":
            assert figures[name] == short[name]
    precision, recall, _, _ = theirs.precision_recall_fscore_support(truth_nc, z_nc > 0, zero_division=np.nan, **w)
    for k, (row, known) in enumerate(zip(figures["per_label"], short["per_label"], strict=True)):
        assert row | known == row
        assert [row["precision"], row["recall"]] == pytest.approx([precision[k], recall[k]], rel=1e-12)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_an_unknown_label_takes_no_part() -> None:
    logits_nc, targets_nc = label_case(200, 4, seed=2)
    is_known_nc = np.random.default_rng(3).random((200, 4)) < 0.7
    is_known_nc[:, 3] = False
    some_nc = np.where(is_known_nc, targets_nc, np.float32(np.nan))
    figures = in_full("multi-label", range(4), logits_nc, some_nc)

    z, t = logits_nc[is_known_nc].astype(np.float64), targets_nc[is_known_nc]
    assert figures["micro_roc_auc"] == pytest.approx(theirs.roc_auc_score(t, z), rel=1e-12)
    assert figures["micro_average_precision"] == pytest.approx(theirs.average_precision_score(t, z), rel=1e-12)
    p = from_logits.sigmoid(logits_nc[is_known_nc]).astype(np.float64)
    assert figures["brier"] == pytest.approx(((p - t) ** 2).mean(), rel=1e-12)
    columns = [is_known_nc[:, k] for k in range(3)]
    each = [theirs.average_precision_score(targets_nc[rows, k], logits_nc[rows, k]) for k, rows in enumerate(columns)]
    assert figures["macro_average_precision"] == pytest.approx(np.mean(each), rel=1e-12)
    errors = [
        calibration_error(from_logits.sigmoid(logits_nc[rows, k]), targets_nc[rows, k].astype(float))[0]
        for k, rows in enumerate(columns)
    ]
    assert figures["ece"] == pytest.approx(np.mean(np.array(errors, float)), rel=1e-12)
    assert figures["per_label"][3]["ece"] is None
    guessed_nc = np.where(is_known_nc, targets_nc, np.float32(1))
    by_weight = in_full("multi-label", range(4), logits_nc, guessed_nc, weights=is_known_nc.astype(float))
    apart = dict.fromkeys(("per_label", "intervals", "resamples"))  # rows where no label is known may be drawn, or not
    assert by_weight | apart == figures | apart


# --- of both ---


@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_a_whole_weight_is_that_many_copies(task: Task) -> None:
    logits_nc, targets = class_case(120, 4, 8, step=1.0) if task == "multi-class" else label_case(120, 4, 8, step=1.0)
    times_n = np.random.default_rng(9).integers(0, 4, 120)
    copies = np.repeat(np.arange(120), times_n)
    weighted = in_full(task, range(4), logits_nc, targets, weights=times_n.astype(float))
    repeated = in_full(task, range(4), logits_nc[copies], targets[copies])
    for name in FIGURES:
        if name in weighted and name != "ece_by_chance":  # a row is drawn once whatever it weighs
            assert weighted[name] == (None if repeated[name] is None else pytest.approx(repeated[name], rel=1e-12)), (
                name
            )
    assert weighted["ece_by_chance"] > repeated["ece_by_chance"]
    kind = "per_class" if task == "multi-class" else "per_label"
    for one, other in zip(weighted[kind], repeated[kind], strict=True):
        for name in one:
            assert one[name] == (None if other[name] is None else pytest.approx(other[name], rel=1e-12)), name


@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_one_value_is_the_figure_of_all_and_the_order_of_rows_is_none(task: Task) -> None:
    logits_nc, targets = class_case(80, 6, 1, step=0.5) if task == "multi-class" else label_case(80, 6, 1, step=0.5)
    figures = in_full(task, range(6), logits_nc, targets)
    order = np.random.default_rng(0).permutation(80)
    again = in_full(task, range(6), logits_nc[order], targets[order])
    for name, about in FIGURES.items():
        if task in about.tasks:
            assert figures[name] == pytest.approx(again[name], rel=1e-13)
            if name in METRICS:
                assert value(name, task, logits_nc, targets) == figures[name]


@pytest.mark.filterwarnings("ignore:.* are NaN:RuntimeWarning")
@pytest.mark.parametrize("n", [0, 1, 4])
@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_no_rows_few_and_broken_ones_give_no_nan(task: Task, n: int) -> None:
    for fill in (0.0, np.nan, np.inf, -np.inf):
        logits_nc = np.full((n, 3), fill, np.float32)
        logits_nc[:, 0] = 1.0
        targets = np.arange(n) % 3 if task == "multi-class" else np.zeros((n, 3), np.float32)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "invalid value", RuntimeWarning)
            figures = in_full(task, "abc", logits_nc, targets)
        json.dumps(figures, allow_nan=False)
        if n == 0:
            assert all(figures.get(name) is None for name in FIGURES if not name.endswith("f1"))


@given(st.lists(st.tuples(st.integers(-2, 2), st.booleans(), st.integers(0, 3)), min_size=1, max_size=10))
@settings(deadline=None)
def test_pooled_ranks_are_scikit_learns_on_small_cases(rows: list[tuple[int, bool, int]]) -> None:
    scores_nc = np.array([[score, -score] for score, _, _ in rows], np.float32)
    truth_nc = np.array([[truth, not truth] for _, truth, _ in rows], np.float32)
    weights_n = np.array([weight for *_, weight in rows], float)
    figures = in_full("multi-label", "ab", scores_nc, truth_nc, weights=weights_n)
    if not weights_n.any():
        assert figures["micro_roc_auc"] is figures["micro_average_precision"] is None
        return
    flat, by_entry = (truth_nc.reshape(-1), scores_nc.reshape(-1).astype(float)), np.repeat(weights_n, 2)
    assert figures["micro_roc_auc"] == pytest.approx(theirs.roc_auc_score(*flat, sample_weight=by_entry), rel=1e-12)
    expected = theirs.average_precision_score(*flat, sample_weight=by_entry)
    assert figures["micro_average_precision"] == pytest.approx(expected, rel=1e-12)


# --- calibration error ---


def test_the_calibration_error_of_bins_that_are_known() -> None:
    p_n = np.repeat(np.array([0.25, 0.75], np.float32), 100)
    truth_n = np.concatenate([np.arange(100) < 35, np.arange(100) < 70]).astype(float)
    ece, by_chance = calibration_error(p_n, truth_n)
    assert ece == pytest.approx((0.10 + 0.05) / 2)
    assert by_chance == pytest.approx(math.sqrt(2 / math.pi) * math.sqrt(0.25 * 0.75 / 100))
    assert calibration_error(p_n, p_n.astype(float))[0] == 0


def test_bins_hold_equal_mass_and_equal_probabilities_share_one() -> None:
    p_n = np.linspace(0.01, 0.99, 1500, dtype=np.float32)
    truth_n = np.random.default_rng(0).random(1500) < p_n
    by_bin = [abs(float((truth_n[part] - p_n[part].astype(float)).sum())) for part in np.split(np.arange(1500), 15)]
    assert calibration_error(p_n, truth_n.astype(float))[0] == pytest.approx(sum(by_bin) / 1500, rel=1e-12)
    same_n = np.full(1500, np.float32(0.4))
    assert calibration_error(same_n, truth_n.astype(float))[0] == pytest.approx(
        abs(truth_n.mean() - float(np.float32(0.4))), rel=1e-9
    )


def test_true_probabilities_leave_the_error_of_chance() -> None:
    found = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        p_n = rng.random(300).astype(np.float32)
        found.append(calibration_error(p_n, (rng.random(300) < p_n).astype(float), rng.gamma(1.0, size=300)))
    errors, chances = np.array(found, np.float64).T
    deviation = float(np.std(errors, ddof=1)) / math.sqrt(300)
    # Three standard errors of the mean, and 2 %: Σ w·(t − p) of some twenty rows is not quite normal.
    assert np.mean(errors) == pytest.approx(np.mean(chances), abs=3 * deviation + 0.02 * float(np.mean(chances)))


# --- prediction sets ---
