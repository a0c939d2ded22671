"""Calibration after the training, and prediction sets, as users of the classifier meet them."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

import fromlogits as fl
from fromlogits.data.splits import drawn_rows
from fromlogits.decisions import calibration, rules, thresholds
from fromlogits.decisions.objectives import Objective
from fromlogits.decisions.sets import PredictionSets, expected_coverage
from fromlogits.errors import InputError, NotFittedError
from fromlogits.heads import HEADS


def of_classes(n: int, k: int = 4, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, k))
    return X, np.array([f"c{j}" for j in range(k)])[(2 * X + rng.gumbel(size=(n, k))).argmax(axis=1)]


def of_labels(n: int, k: int = 5, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, k))
    return X, (X + rng.logistic(size=(n, k)) * 0.5 > 0.5).astype(float)


def trained(X: Any, y: Any, **settings: Any) -> fl.Classifier:
    usual: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_epochs": 12, "random_state": 0, "n_jobs": 1}
    return fl.Classifier(**(usual | settings)).fit(X, y)


def sets_of(clf: fl.Classifier) -> PredictionSets:
    assert clf.sets_ is not None
    return clf.sets_


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_new_rows_have_their_class_in_their_set_as_often_as_was_asked(method: str) -> None:
    X, y = of_classes(6000)
    clf = trained(X[:500], y[:500])
    clf.calibrate(X[500:2500], y[500:2500], coverage=0.9, method=method)
    sets = clf.predict_set(X[2500:])
    hits = sets[np.arange(3500), np.searchsorted(clf.classes_, y[2500:])].mean()
    low, high = expected_coverage(0.9, 1000, 3500)

    assert sets.dtype == bool and sets.shape == (3500, 4)
    assert sets_of(clf).to_json() == {"method": method, "coverage": 0.9, "rows": 1000}
    assert low <= hits <= high
    figures = clf.evaluate(X[2500:], y[2500:])["sets"]
    assert (figures["coverage"], figures["expected"]) == (hits, [low, high])
    assert figures["mean_size"] == sets.sum() / 3500
    assert (sets[np.arange(3500), np.searchsorted(clf.classes_, clf.predict(X[2500:]))]).all()


def test_new_rows_have_their_labels_in_their_set_to_the_share_that_was_asked() -> None:
    X, y = of_labels(6000)
    clf = trained(X[:500], y[:500])
    clf.calibrate(X[500:2500], y[500:2500], coverage=0.9)
    sets, own = clf.predict_set(X[2500:]), y[2500:] == 1
    shares = (sets & own).sum(axis=1)[own.any(axis=1)] / own.sum(axis=1)[own.any(axis=1)]
    error = math.sqrt(shares.var() * (1 / len(shares) + 1 / sets_of(clf).n_rows))

    assert sets_of(clf).method == "recall"
    assert 0.9 - 3 * error < shares.mean() < 0.9 + 2 / (sets_of(clf).n_rows + 1) + 3 * error
    assert clf.evaluate(X[2500:], y[2500:])["sets"]["coverage"] == pytest.approx(shares.mean(), rel=1e-12)


def test_the_rows_of_sets_have_no_say_in_the_calibration() -> None:
    X, y = of_classes(700)
    clf = trained(X[:300], y[:300])
    raw_nc = clf.predict_logits(X[300:], calibrated=False)
    codes = np.searchsorted(clf.classes_, y[300:])
    clf.calibrate(X[300:], y[300:], coverage=0.8, random_state=5)
    chose, kept = drawn_rows(400, 200, 5)

    fitted = calibration.fit(raw_nc[chose], codes[chose], "softmax").calibration
    sets = PredictionSets.fit("lac", 0.8, fitted.apply(raw_nc[kept]), codes[kept])
    assert clf.calibration_ == fitted != calibration.NOTHING
    np.testing.assert_array_equal(sets_of(clf).thresholds, sets.thresholds)
    np.testing.assert_array_equal(sets_of(clf).missed, sets.missed)
    assert clf.record_["calibrated"] == {"data_sha256": None, "rows": 200, "kept": 200, "seed": 5}
    np.testing.assert_array_equal(clf.predict_logits(X, calibrated=False)[300:], raw_nc)


def test_without_a_coverage_every_row_chooses_the_calibration_and_older_sets_are_gone() -> None:
    X, y = of_classes(700)
    clf = trained(X[:300], y[:300]).calibrate(X[300:], y[300:], coverage=0.8)
    clf.calibrate(X[300:], y[300:])
    raw_nc, codes = clf.predict_logits(X[300:], calibrated=False), np.searchsorted(clf.classes_, y[300:])

    assert clf.sets_ is None
    assert clf.calibration_ == calibration.fit(raw_nc, codes, "softmax").calibration != calibration.NOTHING
    assert clf.record_["calibrated"]["rows"] == 400
    with pytest.raises(InputError, match="no rows kept for prediction sets; keep some"):
        clf.predict_set(X)


def test_the_rows_are_drawn_evenly_by_the_seed_and_not_by_class() -> None:
    times_drawn = np.zeros(50, int)
    for seed in range(2000):
        others, drawn = drawn_rows(50, 20, seed)
        assert len(drawn) == 20 and np.array_equal(np.sort(np.concatenate([others, drawn])), np.arange(50))
        times_drawn[drawn] += 1
    expected = 2000 * 20 / 50
    assert stats.chi2.sf(((times_drawn - expected) ** 2 / (expected * 0.6)).sum() * 49 / 50, 49) > 1e-3
    np.testing.assert_array_equal(drawn_rows(50, 20, 3)[1], drawn_rows(50, 20, 3)[1])


def test_whole_groups_are_kept_for_sets() -> None:
    X, y = of_classes(600)
    groups = np.arange(600) // 6
    clf = trained(X[:300], y[:300])
    done, _ = clf._calibrated(X[300:], y[300:], coverage=0.9, groups=groups[300:])
    assert done.kept is not None
    assert len(done.kept) >= 150
    assert not set(groups[300:][done.kept]) & set(groups[300:][done.chose])
    with pytest.raises(InputError, match="no group is left"):
        clf.calibrate(X[300:], y[300:], coverage=0.9, groups=np.zeros(300))


@pytest.mark.parametrize(
    ("about", "says"),
    [({"method": "aps"}, r"method \(--method\)"), ({"groups": np.zeros(300)}, "groups"),
     ({"random_state": 3}, r"random_state \(--seed\)")],
)  # fmt: skip
def test_what_is_of_sets_alone_is_refused_without_a_coverage(about: dict[str, Any], says: str) -> None:
    X, y = of_classes(300)
    with pytest.raises(InputError, match=f"^{says} is of prediction sets; say their coverage"):
        trained(X, y).calibrate(X, y, **about)


def test_rows_that_weigh_nothing_are_not_there_and_others_must_count_alike() -> None:
    X, y = of_classes(700)
    clf, other = trained(X[:300], y[:300]), trained(X[:300], y[:300])
    is_there = np.arange(400) % 3 > 0
    clf.calibrate(X[300:], y[300:], 2.0 * is_there, coverage=0.8)
    other.calibrate(X[300:][is_there], y[300:][is_there], coverage=0.8)
    np.testing.assert_array_equal(clf.predict_set(X), other.predict_set(X))
    assert clf.temperature_ == other.temperature_
    with pytest.raises(InputError, match="can't be made from rows that weigh differently"):
        clf.calibrate(X[300:], y[300:], np.arange(400), coverage=0.8)
    before = clf.temperature_
    clf.calibrate(X[300:], y[300:], np.arange(400))
    assert clf.temperature_ != before


def test_labels_that_weigh_nothing_are_unknown() -> None:
    X, y = of_labels(700)
    weights = np.ones((400, 5))
    weights[::2, 1] = 0
    clf, other = trained(X[:300], y[:300]), trained(X[:300], y[:300])
    clf.calibrate(X[300:], y[300:], weights, coverage=0.8)
    other.calibrate(X[300:], np.where(weights == 0, np.nan, y[300:]), coverage=0.8)
    np.testing.assert_array_equal(clf.predict_set(X), other.predict_set(X))


@pytest.mark.parametrize("way", ["lac", "aps", "recall"])
def test_sets_survive_a_file_a_pickle_and_a_copy(way: str, tmp_path: Path) -> None:
    X, y = of_labels(700) if way == "recall" else of_classes(700)
    method = None if way == "recall" else way
    clf = trained(X[:300], y[:300]).calibrate(X[300:], y[300:], coverage=0.85, method=method)
    clf.save(tmp_path / "m")
    clf.save(tmp_path / "again")
    assert (tmp_path / "m").read_bytes() == (tmp_path / "again").read_bytes()
    for other in (fl.load(tmp_path / "m"), pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf)):
        for coverage in (None, 0.5, 0.8888, 0.99):
            np.testing.assert_array_equal(other.predict_set(X, coverage), clf.predict_set(X, coverage))
        assert other.record_["calibrated"] == clf.record_["calibrated"]
        assert other.describe()["sets"] == {"method": way, "coverage": 0.85, "rows": sets_of(clf).n_rows}


def test_a_row_has_one_set_alone_and_among_others() -> None:
    X, y = of_classes(700)
    clf = trained(X[:300], y[:300]).calibrate(X[300:], y[300:], coverage=0.9, method="aps")
    whole = clf.predict_set(X)
    np.testing.assert_array_equal(np.vstack([clf.predict_set(X[[i]]) for i in range(100)]), whole[:100])


def test_sets_of_values_that_the_training_never_had_are_warned_of_as_predictions_are() -> None:
    X, y = of_classes(200)
    rows = {"x": X[:, 0], "kind": np.where(X[:, 1] > 0, "a", "b")}
    clf = trained(pl.DataFrame(rows), y).calibrate(pl.DataFrame(rows), y, coverage=0.8)
    new = pl.DataFrame({"x": [0.0, 1.0], "kind": ["a", "new"]})
    for predict in (clf.predict, clf.predict_set):
        with pytest.warns(UserWarning, match=r"column 'kind' \(1 of 2 rows\)") as seen:
            predict(new)
        assert [warning.filename for warning in seen] == [__file__]
    clf.n_jobs = -7
    with pytest.raises(InputError, match="n_jobs"):
        clf.predict_set(new)


def test_training_on_takes_the_sets_away() -> None:
    X, y = of_classes(700)
    clf = trained(X[:300], y[:300], early_stopping=False, calibrate=False, warm_start=True)
    clf.calibrate(X[300:], y[300:], coverage=0.9)
    clf.fit(X[:300], y[:300])
    assert clf.sets_ is None and "calibrated" not in clf.record_
    plain = fl.Classifier(hidden_layer_sizes=(8,), random_state=0, n_jobs=1)
    plain.partial_fit(X[:300], y[:300], np.unique(y)).calibrate(X[300:], y[300:], coverage=0.9)
    assert plain.sets_ is not None
    again = pickle.loads(pickle.dumps(plain)).partial_fit(X[:300], y[:300])
    assert again.sets_ is None and "calibrated" not in again.record_ and again.temperature_ == 1.0


def test_calibrate_is_a_setting_and_a_method() -> None:
    X, y = of_classes(300)
    clf = trained(X, y, calibrate=False)
    assert clf.get_params()["calibrate"] is False
    assert clf.set_params(calibrate=True).get_params()["calibrate"] is True
    clf.calibrate = None
    assert clf.get_params()["calibrate"] is None
    assert callable(clf.calibrate)
    assert "calibrate=False" in repr(fl.Classifier(calibrate=False))
    assert fl.Classifier.calibrate.__doc__


def test_a_failed_calibration_changes_nothing() -> None:
    X, y = of_classes(700)
    clf = trained(X[:300], y[:300]).calibrate(X[300:], y[300:], coverage=0.9)
    temperature, sets = clf.temperature_, clf.predict_set(X)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"coverage": 0.999}, "needs at least 999 rows kept for the sets and some beside them; there are 400"),
        ({"coverage": 90}, "between 0 and 1"),
        ({"coverage": True}, "between 0 and 1"),
        ({"coverage": 0.9, "method": "acp"}, "must be 'lac' or 'aps'; got 'acp'. Did you mean 'lac'|got 'acp'"),
        ({"coverage": 0.9, "method": ["aps"]}, "must be 'lac' or 'aps'"),
        ({"method": "aps"}, "say their coverage"),
        ({"random_state": -1}, "random_state"),
        ({"groups": np.zeros(3)}, "groups"),
    ]
    for arguments, says in wrong:
        with pytest.raises(InputError, match=says):
            clf.calibrate(X[300:], y[300:], **arguments)
    with pytest.raises(InputError, match="same number of rows"):
        clf.calibrate(X[300:], y[301:])
    with pytest.raises(NotFittedError):
        fl.Classifier().calibrate(X, y)
    with pytest.raises(NotFittedError):
        fl.Classifier().predict_set(X)
    assert clf.temperature_ == temperature
    np.testing.assert_array_equal(clf.predict_set(X), sets)


def test_probabilities_as_targets_make_no_sets() -> None:
    X, _ = of_classes(400)
    shares = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
    clf = trained(X, shares, task="multi-class")
    clf.calibrate(X, shares)
    with pytest.raises(InputError, match="this target holds probabilities"):
        clf.calibrate(X, shares, coverage=0.9)
    labels = trained(X, shares, task="multi-label")
    with pytest.raises(InputError, match="this target holds probabilities"):
        labels.calibrate(X, shares, coverage=0.9)
    with pytest.raises(InputError, match=r"method='lac' \(--method\) is for one class per row"):
        labels.calibrate(X, (shares > 0.3).astype(int), coverage=0.9, method="lac")
    labels.calibrate(X, (shares > 0.3).astype(int), coverage=0.9)
    assert "sets" not in labels.evaluate(X, shares)


# --- few rows, many classes ---


def test_20_rows_grant_what_10_kept_rows_can() -> None:
    X, y = of_classes(320)
    clf = trained(X[:300], y[:300]).calibrate(X[300:], y[300:], coverage=0.9)
    assert sets_of(clf).n_rows == 10
    assert clf.predict_set(X).any(axis=1).all()
    with pytest.raises(InputError, match=r"needs at least 19 rows .* there are 10; 10 grant 0\.909 at most"):
        clf.predict_set(X, 0.95)
    clf.calibrate(X[300:], y[300:], coverage=0.94)  # more than half where it must be
    assert (clf.record_["calibrated"]["rows"], sets_of(clf).n_rows) == (4, 16)
    with pytest.raises(InputError, match="needs at least 99 rows"):
        clf.calibrate(X[300:], y[300:], coverage=0.99)


def test_rows_of_one_class_and_a_class_without_rows_make_sets() -> None:
    X, y = of_classes(700)
    clf = trained(X[:300], y[:300])
    for classes in (["c1"], ["c0", "c1", "c2"]):
        rows = np.flatnonzero(np.isin(y, classes) & (np.arange(700) >= 300))
        clf.calibrate(X[rows], y[rows], coverage=0.9)
        hits = clf.predict_set(X[rows])[np.arange(len(rows)), np.searchsorted(clf.classes_, y[rows])]
        assert hits[clf._calibrated(X[rows], y[rows], coverage=0.9)[0].kept].mean() >= 0.9


def test_300_classes_and_500_labels_make_sets() -> None:
    X, y = of_classes(3000, 300)
    clf = trained(X, y, max_epochs=2).calibrate(X, y, coverage=0.9)
    assert clf.predict_set(X[:50]).shape == (50, 300)
    X, labels = of_labels(300, 500)
    labels[:, 3] = 0
    clf = trained(X, labels, max_epochs=2).calibrate(X, labels, coverage=0.9)
    assert clf.predict_set(X[:50]).shape == (50, 500)


@pytest.mark.parametrize("way", [{"ensemble": 2}, {"separate_networks": True}])
def test_several_networks_make_sets(way: dict[str, Any]) -> None:
    X, y = of_labels(600)
    clf = trained(X[:300], y[:300], max_epochs=3, **way).calibrate(X[300:], y[300:], coverage=0.9)
    assert clf.predict_set(X).mean() > y.mean()


def test_two_classes_of_one_unit_make_sets() -> None:
    X, y = of_classes(2600, 2)
    clf = trained(X[:300], y[:300]).calibrate(X[300:1600], y[300:1600], coverage=0.95)
    sets = clf.predict_set(X[1600:])
    low, high = expected_coverage(0.95, 650, 1000)
    assert sets.shape == (1000, 2)
    assert low <= sets[np.arange(1000), np.searchsorted(clf.classes_, y[1600:])].mean() <= high


# --- rows of a training set that are kept ---


def test_rows_kept_in_a_training_are_trained_on_and_chosen_by_nothing() -> None:
    X, y = of_classes(1000)
    clf, other = (fl.Classifier(hidden_layer_sizes=(8,), max_epochs=4, random_state=3, n_jobs=1) for _ in range(2))
    fit = clf._prepare(X, y, coverage=0.9)
    assert fit.kept is not None and fit.valid_rows is not None
    kept = fit.kept.rows
    parts = [fit.rows, fit.valid_rows, kept]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(1000))
    assert fit.summary.n_kept == len(kept) == 100
    clf._run(fit)
    rest = np.setdiff1d(np.arange(1000), kept)
    other.fit(X[rest], y[rest])
    np.testing.assert_array_equal(clf.predict_logits(X), other.predict_logits(X))  # as if they were not there
    logits_nc = clf.predict_logits(X[kept])
    sets = PredictionSets.fit("lac", 0.9, logits_nc, np.searchsorted(clf.classes_, y[kept]))
    assert sets_of(clf).threshold() == sets.threshold()


def test_a_class_that_only_kept_rows_have_is_said_not_to_be_learned() -> None:
    X, y = of_classes(1000)
    kept = drawn_rows(1000, 100, 3)[1]
    y[kept[0]] = "d"
    fit = fl.Classifier(preset="fast", random_state=3, max_epochs=1)._prepare(X, y, coverage=0.9)
    assert "in those rows only, so not learned: 'd'" in fit.summary.notes
    assert "class 'd' with a single row" in fit.summary.notes
    plain = fl.Classifier(preset="fast", random_state=3, max_epochs=1)._prepare(X, y)
    assert "class 'd' with a single row: kept for training, never held out" in plain.summary.notes


def test_too_few_rows_for_a_training_with_sets_are_refused_before_it() -> None:
    X, y = of_classes(100)
    clf = fl.Classifier(random_state=0)
    with pytest.raises(InputError, match="needs at least 99 rows kept for the sets, more than half of the 100"):
        clf._prepare(X, y, coverage=0.99)
    with pytest.raises(InputError, match="rows held out by time"):
        clf._prepare(X, y, coverage=0.9, times=np.arange(100))
    labels = np.zeros((100, 3))
    labels[:5] = 1
    with pytest.raises(InputError, match="with a label that is set"):
        clf._prepare(X, labels, coverage=0.9)


# --- decisions ---


def test_calibrate_chooses_decisions_from_calibrated_probabilities_and_without_the_rows_of_sets() -> None:
    X, y = of_labels(1200)
    clf = trained(X[:200], y[:200])
    raw_nc, truth = clf.predict_logits(X[200:], calibrated=False), y[200:]
    clf.calibrate(X[200:], y[200:], decide_for="f1", coverage=0.8, random_state=3)
    chose, kept = drawn_rows(1000, 500, 3)

    fitted = calibration.fit(raw_nc[chose], truth[chose], "sigmoid").calibration
    p_nl = HEADS["sigmoid"].probabilities(fitted.apply(raw_nc[chose]))
    objective = Objective.parse("f1")
    assert objective is not None
    chosen = thresholds.fit(
        objective, rules.natural("multi-label", 5, 5), thresholds.Evidence(p_nl, truth[chose]), "multi-label", range(5)
    )
    assert clf.calibration_ == fitted
    np.testing.assert_array_equal(clf.thresholds_, chosen.rule.thresholds)
    assert (np.asarray(clf.thresholds_) != 0.5).any()
    assert clf.decision_ == chosen.to_json()
    assert clf.record_["calibrated"]["rows"] == len(chose)
    sets = PredictionSets.fit("recall", 0.8, fitted.apply(raw_nc[kept]), truth[kept])
    np.testing.assert_array_equal(sets_of(clf).thresholds, sets.thresholds)


def test_what_a_model_decides_for_is_kept_and_chosen_anew(tmp_path: Path) -> None:
    X, y = of_labels(1200)
    clf = trained(X[:200], y[:200], decide_for="recall>=0.9")
    before = np.array(clf.thresholds_)
    clf.calibrate(X[200:], y[200:])
    named = trained(X[:200], y[:200]).calibrate(X[200:], y[200:], decide_for="recall>=0.9")

    np.testing.assert_array_equal(clf.thresholds_, named.thresholds_)
    assert (np.asarray(clf.thresholds_) != before).any()
    assert named.decide_for is None
    named.save(tmp_path / "m.safetensors")
    assert fl.load(tmp_path / "m.safetensors").decide_for == "recall>=0.9"
    clf.calibrate(X[200:], y[200:], decide_for="f1")
    assert clf._model.decision is not None and clf._model.decision.decide_for == "f1"


def test_costs_are_kept_and_say_what_they_are_worth_on_the_new_rows() -> None:
    X, y = of_classes(1200)
    costs = (np.ones((4, 4)) - np.eye(4)) * [[1], [1], [1], [20]]
    clf = trained(X[:200], y[:200], decide_for=costs)
    clf.calibrate(X[200:], y[200:])
    decided, truth = (np.searchsorted(clf.classes_, labels) for labels in (clf.predict(X[200:]), y[200:]))

    assert clf.decision_ is not None
    assert clf.decision_["figures"]["mean_cost"]["decided"] == pytest.approx(costs[truth, decided].mean(), rel=1e-12)


def test_decisions_have_no_part_in_sets_and_may_lie_outside() -> None:
    X, y = of_classes(1500)
    costs = (np.ones((4, 4)) - np.eye(4)) * [[1], [1], [1], [50]]
    plain, careful = (
        trained(X[:300], y[:300]).calibrate(X[300:1000], y[300:1000], decide_for=what, coverage=0.8)
        for what in (None, costs)
    )
    sets, rows = careful.predict_set(X[1000:]), np.arange(500)

    np.testing.assert_array_equal(sets, plain.predict_set(X[1000:]))
    assert sets[rows, careful.predict_proba(X[1000:]).argmax(axis=1)].all()
    assert not sets[rows, np.searchsorted(careful.classes_, careful.predict(X[1000:]))].all()


def test_the_weights_of_classes_in_the_training_are_taken_back_when_decisions_are_chosen_anew() -> None:
    X, y = of_classes(3000, 3)
    weight = {"c0": 9.0, "c1": 1.0, "c2": 1.0}
    clf = trained(X[:1000], y[:1000], class_weight=weight)
    natural = (clf.predict(X[2000:]) == y[2000:]).mean()
    clf.calibrate(X[1000:2000], y[1000:2000], decide_for="accuracy")

    assert (clf.predict(X[2000:]) == y[2000:]).mean() > natural + 0.05


def test_what_cannot_be_decided_for_leaves_the_classifier_as_it_was() -> None:
    X, y = of_classes(700)
    clf = trained(X[:300], y[:300])
    before = clf._model
    with pytest.raises(InputError, match=r"recall>=0\.9"):
        clf.calibrate(X[300:], y[300:], decide_for="recall>=0.9", coverage=0.8)
    assert clf._model is before


def test_rows_without_any_known_class_or_label_are_refused() -> None:
    X, y = of_classes(600)
    clf = trained(X[:300], y[:300])
    with pytest.raises(InputError, match="none of the 300 rows that would choose the calibration has a class"):
        clf.calibrate(X[300:], np.full(300, "other"))
    X, y = of_labels(600)
    clf = trained(X[:300], y[:300])
    with pytest.raises(InputError, match="no known label"):
        clf.calibrate(X[300:], np.full((300, 5), np.nan))


@pytest.mark.parametrize("coverage", [None, 0.9])
def test_rows_of_a_class_that_is_not_known_are_counted_and_choose_nothing(coverage: float | None) -> None:
    X, y = of_classes(600)
    clf = trained(X[:300], y[:300])
    strange = y[300:].copy()
    strange[[7, 40]] = "c9"
    missed = ", and every set misses their class" if coverage else ""
    said = rf"^2 of 300 rows have a class .* \(the first is row 7\); they choose nothing{missed}\.$"
    with pytest.warns(UserWarning, match=said):
        marked = copy.deepcopy(clf).calibrate(X[300:], strange, coverage=coverage)
    if coverage is None:
        known = np.delete(np.arange(300, 600), [7, 40])
        np.testing.assert_array_equal(
            marked.predict_logits(X), copy.deepcopy(clf).calibrate(X[known], y[known]).predict_logits(X)
        )
    strange[40] = y[340]
    with pytest.warns(UserWarning, match="^1 of 300 rows has a class .*; it chooses nothing"):
        clf.calibrate(X[300:], strange)


def test_a_coverage_of_probabilities_is_refused_and_not_ignored() -> None:
    X, y = of_labels(600)
    clf = trained(X[:300], 0.1 + 0.8 * y[:300], task="multi-label").calibrate(X[300:], y[300:], coverage=0.9)
    assert clf.evaluate(X, y, coverage=0.8)["sets"]["asked"] == 0.8
    shares = 0.1 + 0.8 * y
    assert "sets" not in clf.evaluate(X, shares)
    with pytest.raises(InputError, match="this target holds probabilities"):
        clf.evaluate(X, shares, coverage=0.8)
    with pytest.raises(InputError, match="needs at least"):
        clf.evaluate(X, y, coverage=0.9999)
