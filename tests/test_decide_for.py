"""`decide_for`, `abstain_below` and `predict_top`: decisions that agree with the probabilities, and what they gain."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn import metrics

import fromlogits as fl
from fromlogits.cross_validation import cross_validate
from fromlogits.errors import InputError

Array = NDArray[Any]
SCENES = Path(__file__).parent.parent / "examples" / "scenes.npz"
COSTS = [[0.0, 1.0, 1.0], [6.0, 0.0, 1.0], [30.0, 6.0, 0.0]]


def small(decide_for: Any = None, **settings: Any) -> fl.Classifier:
    settings = {
        "hidden_layer_sizes": (),
        "max_epochs": 15,
        "learning_rate": 0.03,
        "random_state": 0,
        "n_jobs": 1,
        **settings,
    }
    return fl.Classifier(decide_for=decide_for, **settings)


def labels(n: int = 600, seed: int = 0, label_seed: int = 1) -> tuple[Array, Array]:
    """Four labels, the last ones rare."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    noise = np.random.default_rng(label_seed).normal(size=(n, 4))
    return X, (X[:, :4] + noise > [0.5, 1.0, 1.5, 2.0]).astype(int)


def classes(n: int = 900, seed: int = 0) -> tuple[Array, Array]:
    """Three, the last one rare."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.array(["common", "rare", "some"])[np.digitize(X[:, 0] + rng.normal(size=n), [0.3, 1.8])]


def f1_of(truth: Array, decided: Array) -> float:
    hits, both = (truth * decided).sum(axis=0), truth.sum(axis=0) + decided.sum(axis=0)
    return float(np.mean(2 * hits / np.maximum(both, 1)))


def test_macro_f1_of_the_shipped_scenes_rises_on_rows_that_chose_nothing() -> None:
    scenes = np.load(SCENES)
    X, y = scenes["X"], scenes["y"]
    held = np.arange(len(X)) % 2 == 0
    natural, decided = (
        fl.Classifier(hidden_layer_sizes=(32,), max_epochs=12, random_state=0, decide_for=decide_for).fit(
            X[~held], y[~held]
        )
        for decide_for in (None, "f1")
    )
    np.testing.assert_array_equal(natural.predict_logits(X[:50]), decided.predict_logits(X[:50]))
    assert f1_of(y[held], decided.predict(X[held])) > f1_of(y[held], natural.predict(X[held]))
    said = decided.decision_
    assert said is not None
    assert said["figures"]["macro_f1"]["decided"] > said["figures"]["macro_f1"]["natural"]
    assert said["kept"] is True
    assert natural.decision_ is None


@pytest.mark.parametrize("way", [{}, {"ensemble": 2}, {"separate_networks": True}, {"pos_weight": "balanced"}])
@pytest.mark.parametrize("decide_for", ["f1", "micro_f1", "recall>=0.8", "precision>=0.7", [[0, 1], [4, 0]]])
def test_a_label_is_predicted_exactly_when_its_probability_exceeds_its_threshold(
    decide_for: Any, way: dict[str, Any], tmp_path: Path
) -> None:
    X, y = labels()
    clf = small(decide_for, **way).fit(X, y)
    assert clf.thresholds_ is not None
    predicted = clf.predict(X)
    np.testing.assert_array_equal(predicted, clf.predict_proba(X) > clf.thresholds_)
    if decide_for != "precision>=0.7" and "pos_weight" not in way:
        assert (predicted != (clf.predict_proba(X) > 0.5)).any()
    figures = clf.evaluate(X, y)
    assert [one["threshold"] for one in figures["per_label"]] == clf.thresholds_.tolist()
    assert figures["macro_f1"] == pytest.approx(f1_of(y, predicted), rel=1e-14)
    clf.save(tmp_path / "m")
    for again in (fl.load(tmp_path / "m"), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(again.predict(X), predicted)
        assert again._model.to_bytes() == clf._model.to_bytes()
        assert again.decision_ == clf.decision_


def test_a_model_whose_notes_name_long_labels_can_be_loaded(tmp_path: Path) -> None:
    X, y = labels(80)
    y[:, 3] = 0
    y[0, 3] = 1  # a single row has it, which is trained on: no validation row is positive
    names = [letter * 11_000 for letter in "abcd"]
    clf = small("recall>=0.9", task="multi-label").fit(X, pl.DataFrame(y, schema=names))
    assert clf.decision_ is not None and any("label 'dddd" in note for note in clf.decision_["notes"])
    clf.save(tmp_path / "m.safetensors")
    loaded = fl.load(tmp_path / "m.safetensors")
    assert loaded.decision_ == clf.decision_ and list(loaded.classes_) == names


def test_a_loaded_classifier_has_the_setting_that_trained_it(tmp_path: Path) -> None:
    X, y = classes()
    small(COSTS).fit(X, y).save(tmp_path / "costs")
    small("macro_f1").fit(X, y).save(tmp_path / "f1")
    small().fit(X, y).save(tmp_path / "none")
    assert fl.load(tmp_path / "costs").decide_for == COSTS
    assert fl.load(tmp_path / "f1").decide_for == "macro_f1"
    assert fl.load(tmp_path / "none").decide_for is None
    again = fl.load(tmp_path / "f1", n_jobs=1)
    again.fit(X, y)
    assert again.decision_ == small("macro_f1").fit(X, y).decision_


@pytest.mark.parametrize("decide_for", ["macro_f1", "balanced_accuracy", "f2"])
def test_rare_classes_are_decided_for_more_often(decide_for: str) -> None:
    X, y = classes()
    clf = small(decide_for).fit(X, y)
    natural = small().fit(X, y)
    assert clf.decision_ is not None
    assert clf.decision_["kept"]
    new, truth = classes(5000, 1)
    assert clf.thresholds_ is None

    def balanced(decided: Array) -> float:
        return float(np.mean([(decided == truth)[truth == name].mean() for name in clf.classes_]))

    assert balanced(clf.predict(new)) > balanced(natural.predict(new)) + 0.01
    assert clf.score(new, truth) == (clf.predict(new) == truth).mean()
    assert clf.score(new, truth) != natural.score(new, truth)


def test_the_smallest_expected_cost_decides() -> None:
    X, y = classes()
    given = np.array(COSTS)
    clf = small(given).fit(X, y)
    expected = clf.predict_proba(X).astype(np.float64) @ given
    np.testing.assert_array_equal(clf.predict(X), clf.classes_[expected.argmin(axis=1)])
    assert (clf.predict(X) != small().fit(X, y).predict(X)).any()
    assert clf.decision_ is not None
    both = clf.decision_["figures"]["mean_cost"]
    assert both["decided"] < both["natural"]
    by_name = {t: {d: COSTS[i][j] for j, d in enumerate(clf.classes_)} for i, t in enumerate(clf.classes_)}
    np.testing.assert_array_equal(small(by_name).fit(X, y).predict(X), clf.predict(X))


@pytest.mark.parametrize("units", [1, 2])
def test_the_second_of_two_classes_has_the_threshold(units: int) -> None:
    X, y = classes()
    y = np.where(y == "rare", "b", "a")
    settings = {"hidden_layer_sizes": None, "network": fl.Network([fl.Dense(units)])}
    clf = small("f1", **settings).fit(X, y)
    natural = small(**settings).fit(X, y)
    assert clf.thresholds_ is not None
    assert clf.thresholds_[0] < 0.5
    np.testing.assert_array_equal(clf.predict(X) == "b", clf.predict_proba(X)[:, 1] > clf.thresholds_[0])
    truth = (y == "b").astype(int)[:, None]
    assert f1_of(truth, (clf.predict(X) == "b")[:, None]) > f1_of(truth, (natural.predict(X) == "b")[:, None])
    assert (natural.thresholds_ is None) == (units == 2)


def test_class_weights_are_taken_back_for_accuracy() -> None:
    X, y = classes(3000)
    balanced, back, plain = (
        small(decide_for, class_weight=weight).fit(X, y)
        for decide_for, weight in ((None, "balanced"), ("accuracy", "balanced"), (None, None))
    )
    new, truth = classes(5000, 1)
    assert balanced.score(new, truth) + 0.02 < back.score(new, truth)
    assert back.score(new, truth) > plain.score(new, truth) - 0.01


def test_validation_rows_that_are_given_choose_too() -> None:
    X, y = labels()
    settings = {"early_stopping": False, "calibrate": False}
    clf = small("f1", **settings).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert clf.decision_ is not None
    with pytest.raises(InputError, match="chosen on validation rows"):
        small("f1", **settings).fit(X, y)
    free = small([[0, 1], [4, 0]], **settings).fit(X, y)
    assert free.thresholds_.tolist() == [0.2] * 4  # type: ignore[union-attr]
    assert free.decision_ is None


def test_a_second_fit_chooses_anew() -> None:
    X, y = labels(2400)  # so many that thresholds pay, whichever rows are held out
    clf = small("f1", warm_start=True).fit(X, y)
    clf.set_params(decide_for=None).fit(X, y)
    assert clf.thresholds_.tolist() == [0.5] * 4  # type: ignore[union-attr]
    clf.set_params(decide_for="f1").fit(X, y)
    assert clf.thresholds_.tolist() != [0.5] * 4  # type: ignore[union-attr]


def test_partial_fit_takes_costs_and_refuses_what_rows_would_choose() -> None:
    X, y = labels()
    with pytest.raises(InputError, match="holds no rows out to choose decisions"):
        small("f1").partial_fit(X, y)
    clf = small([[0, 1], [4, 0]], max_epochs=None).partial_fit(X, y)
    np.testing.assert_array_equal(clf.thresholds_, [0.2] * 4)
    clf.set_params(decide_for=None).partial_fit(X, y)
    np.testing.assert_array_equal(clf.thresholds_, [0.5] * 4)
    fitted = small("f1").fit(X, y)
    with pytest.raises(InputError, match="holds no rows out to choose decisions"):
        fitted.partial_fit(X, y)
    assert fitted.decision_ is not None
    fitted.set_params(decide_for=None).partial_fit(X, y)
    assert fitted.decision_ is None
    np.testing.assert_array_equal(fitted.thresholds_, [0.5] * 4)


@pytest.mark.parametrize(
    ("decide_for", "says"),
    [
        ("macrof1", "Did you mean 'macro_f1'"),
        ("recall>=0.9", "is for labels, or for two classes"),
        ([[0, 1], [1, 0]], r"shape \(3, 3\)"),
        (0.3, "shape"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_training(decide_for: Any, says: str) -> None:
    X, y = classes()
    with pytest.raises(InputError, match=says):
        small(decide_for)._prepare(X, y)


@pytest.mark.parametrize("decide_for", [None, "f1"])
def test_cross_validation_judges_by_each_folds_own_decisions(decide_for: Any) -> None:
    X, y = labels(300)
    found = cross_validate(small(decide_for), X, y, n_folds=3)
    predicted = found.predicted
    assert found.figures["macro_f1"] == pytest.approx(f1_of(y, predicted), rel=1e-14)
    is_natural = (predicted == (found.probabilities > 0.5)).all()
    assert is_natural == (decide_for is None)
    assert [one["threshold"] for one in found.figures["per_label"]] == [0.5 if decide_for is None else None] * 4


def test_cross_validation_knows_costs_by_name_and_classes_that_a_fold_lacks() -> None:
    X, y = classes(300)
    y = np.append(y[:-1], "once")
    names = sorted(set(y))
    costs = {t: {d: 0.0 if t == d else 5.0 if d == "common" else 1.0 for d in names} for t in names}
    found = cross_validate(small(costs), X, y, n_folds=3)
    decided = found.predicted
    assert found.figures["accuracy"] == (decided == y).mean()
    assert (decided == "common").sum() < (cross_validate(small(), X, y, n_folds=3).predicted == "common").sum()


# --- no decision ---


def test_a_class_whose_probability_is_too_small_is_not_predicted() -> None:
    X, y = classes()
    clf = small().fit(X, y)
    p = clf.predict_proba(X).max(axis=1).astype(np.float64)
    predicted = clf.predict(X, abstain_below=0.7)
    assert predicted.dtype == object
    np.testing.assert_array_equal(predicted == None, p < 0.7)  # noqa: E711  (elementwise)
    assert 0 < (p < 0.7).sum() < len(p)
    np.testing.assert_array_equal(predicted[p >= 0.7], clf.predict(X)[p >= 0.7])
    np.testing.assert_array_equal(clf.predict(X, abstain_below=0.0), clf.predict(X))
    limit = float(p[7])
    assert clf.predict(X[[7]], abstain_below=limit)[0] is not None
    assert clf.predict(X[[7]], abstain_below=np.nextafter(limit, 1))[0] is None


def test_with_costs_the_probability_of_the_decided_class_counts() -> None:
    X, y = classes()
    clf = small(COSTS).fit(X, y)
    p, decided = clf.predict_proba(X), clf.predict(X)
    own = p[np.arange(len(p)), np.searchsorted(clf.classes_, decided)].astype(np.float64)
    np.testing.assert_array_equal(clf.predict(X, abstain_below=0.4) == None, own < 0.4)  # noqa: E711


def test_an_answer_to_a_label_that_is_too_unsure_is_nan() -> None:
    X, y = labels()
    clf = small("f1").fit(X, y)
    p, decided = clf.predict_proba(X).astype(np.float64), clf.predict(X)
    answers = clf.predict(X, abstain_below=0.6)
    right = np.where(decided == 1, p, 1 - p)
    np.testing.assert_array_equal(np.isnan(answers), right < 0.6)
    np.testing.assert_array_equal(answers[right >= 0.6], decided[right >= 0.6])
    assert ((answers == 0).any(), (answers == 1).any(), np.isnan(answers).any()) == (True, True, True)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5", True])
def test_what_is_no_probability_is_refused(value: Any) -> None:
    X, y = classes(60)
    with pytest.raises(InputError, match="abstain_below must be a probability"):
        small(max_epochs=1).fit(X, y).predict(X, abstain_below=value)


# --- the best ---


@pytest.mark.parametrize("kind", ["classes", "labels", "two"])
def test_the_best_come_first_with_their_probabilities(kind: str) -> None:
    X, y = labels() if kind == "labels" else classes()
    y = y == "rare" if kind == "two" else y
    clf = small().fit(X, y)
    p = clf.predict_proba(X)
    for k in range(1, p.shape[1] + 1):
        names, best = clf.predict_top(X, k)
        assert names.shape == best.shape == (len(X), k)
        assert best.dtype == np.float32
        np.testing.assert_array_equal(best, -np.sort(-p, axis=1)[:, :k])
        places = np.searchsorted(clf.classes_, names)
        np.testing.assert_array_equal(np.take_along_axis(p, places, axis=1), best)
        assert all(len(set(row)) == k for row in places.tolist())
    if kind != "labels":
        np.testing.assert_array_equal(clf.predict_top(X, 1)[0][:, 0], clf.predict(X))


def test_equal_probabilities_go_by_index() -> None:
    clf = small(max_epochs=1).fit(*classes(60))
    clf._networks._engines[0].set_parameters([(np.zeros((3, 4), np.float32), np.zeros(3, np.float32))])
    names, _ = clf.predict_top(np.zeros((2, 4)), 3)
    assert names.tolist() == [["common", "rare", "some"]] * 2


@pytest.mark.parametrize("k", [0, 4, -1, 1.0, True, None])
def test_so_many_that_there_are_not_are_refused(k: Any) -> None:
    clf = small(max_epochs=1).fit(*classes(60))
    with pytest.raises(InputError, match="k must be a whole number from 1 to 3"):
        clf.predict_top(np.zeros((1, 4)), k)


# --- what the decisions of other rows are worth ---


@pytest.mark.parametrize(
    ("decide_for", "figure"),
    [
        ("f1", "f1"),
        ("macro_f2", "macro_f2"),
        ("recall>=0.8", "recall"),
        ("precision>=0.8", "precision"),
        ("balanced_accuracy", "balanced_accuracy"),
        ([[0, 1], [7, 0]], "mean_cost"),
    ],
)
def test_evaluate_says_what_two_classes_are_decided_for_and_what_it_is_worth(decide_for: Any, figure: str) -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(1500, 3))
    y = np.where(X[:, 0] + rng.normal(size=1500) > 1, "yes", "no")
    weights = rng.integers(0, 3, 900).astype(float)
    clf = small(decide_for).fit(X[:600], y[:600])
    found = clf.evaluate(X[600:], y[600:], weights)["decision"]
    by_name: dict[str, Callable[[Array], Any]] = {
        "f1": lambda d: metrics.f1_score(y[600:], d, pos_label="yes", sample_weight=weights),
        "macro_f2": lambda d: metrics.fbeta_score(y[600:], d, beta=2, average="macro", sample_weight=weights),
        "recall": lambda d: metrics.recall_score(y[600:], d, pos_label="yes", sample_weight=weights),
        "precision": lambda d: metrics.precision_score(y[600:], d, pos_label="yes", sample_weight=weights),
        "balanced_accuracy": lambda d: metrics.balanced_accuracy_score(y[600:], d, sample_weight=weights),
        "mean_cost": lambda d: np.average((y[600:] != d) * np.where(y[600:] == "yes", 7, 1), weights=weights),
    }
    judged = by_name[figure]
    usual = np.where(clf.predict_proba(X[600:])[:, 1] > 0.5, "yes", "no")
    assert found["decide_for"] == decide_for
    assert found["figures"][figure] == {
        "natural": pytest.approx(judged(usual), rel=1e-12),
        "decided": pytest.approx(judged(clf.predict(X[600:])), rel=1e-12),
    }


@pytest.mark.parametrize("decide_for", ["f1", "micro_f1"])
def test_evaluate_and_cross_validation_say_what_decisions_on_labels_are_worth(decide_for: str) -> None:
    X, y = labels(900)
    clf = small(decide_for).fit(X[:600], y[:600])
    name = f"macro_{decide_for}" if decide_for == "f1" else decide_for
    figures = clf.evaluate(X[600:], y[600:])
    usual = metrics.f1_score(
        y[600:], clf.predict_proba(X[600:]) > 0.5, average=name.removesuffix("_f1"), zero_division=0
    )
    both = {"natural": pytest.approx(usual, rel=1e-12), "decided": pytest.approx(figures[name], rel=1e-12)}
    assert figures["decision"] == {"decide_for": decide_for, "figures": {name: both}}
    found = cross_validate(small(decide_for), X, y, n_folds=3).figures
    assert found["decision"]["figures"][name]["decided"] == pytest.approx(found[name], rel=1e-12)


def test_evaluate_and_cross_validation_say_what_decisions_cost() -> None:
    X, y = classes(900)
    costs = np.array([[0.0, 1, 2], [5, 0, 1], [40, 9, 0]])
    names = sorted(set(y))
    codes = np.searchsorted(names, y)
    clf = small(costs).fit(X[:600], y[:600])
    found = clf.evaluate(X[600:], y[600:])["decision"]["figures"]["mean_cost"]
    decided = np.searchsorted(names, clf.predict(X[600:]))
    assert found["decided"] == pytest.approx(costs[codes[600:], decided].mean(), rel=1e-12)
    usual = clf.predict_proba(X[600:]).argmax(axis=1)
    assert found["natural"] == pytest.approx(costs[codes[600:], usual].mean(), rel=1e-12)
    folds = cross_validate(small(costs), X, y, n_folds=3)
    both = folds.figures["decision"]["figures"]["mean_cost"]
    assert both["decided"] == pytest.approx(costs[codes, folds.decided].mean(), rel=1e-12)
    assert both["natural"] == pytest.approx(costs[codes, folds.probabilities.argmax(axis=1)].mean(), rel=1e-12)


def test_evaluate_says_nothing_of_decisions_that_nobody_asked_for() -> None:
    X, y = classes(300)
    assert "decision" not in small().fit(X, y).evaluate(X, y)
