"""Folds inside a training: each network is what it would be by hand, and no row is judged by one that saw it."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits import fitting, members, metrics, training
from fromlogits.data.inputs import as_inputs
from fromlogits.engines.base import Engine
from fromlogits.errors import InputError
from fromlogits.fitting import Fit
from fromlogits.heads import HEADS

RNG = np.random.default_rng(0)
N = 241
X = RNG.normal(size=(N, 5))
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
LABELS = np.stack([X[:, 0] > 0, X[:, 1] + X[:, 2] > 0, X[:, 3] > 1], axis=1).astype(int)
GROUPS = RNG.integers(0, 40, N)
WEIGHTS = RNG.integers(1, 4, N).astype(float)


def quick(folds: int = 4, **settings: Any) -> fl.Classifier:
    return fl.Classifier(
        **{"hidden_layer_sizes": (6,), "max_epochs": 8, "patience": 3, "learning_rate": 0.02, "dropout": 0.1,
           "random_state": 7, "spec": {"folds": folds}, **settings}
    )  # fmt: skip


def fold_of(fit: Fit, deal: int = 0) -> NDArray[np.int64]:
    """The fold of each row of the data; -1 of one that takes no part."""
    assert fit.folds is not None
    found = np.full(len(fit.features), -1)
    found[fit.folds.rows] = fit.folds.deals[deal]
    return found


def trained_by_hand(fit: Fit, number: int, rows: NDArray[np.int64], validation: training.Validation) -> Engine:
    one, summary = fit.untrained[number], fit.summary
    engine = fitting.new_engine(fitting.EngineChoice("native"), summary.network, fit.head, 1)
    engine.initialise(one.seed)
    training.train(
        engine, fit.features, one.targets, rows, summary.plan, one.seed, weights=one.weights, validation=validation
    )
    return engine


def _log_loss(known: NDArray[Any], logits_nc: NDArray[np.float32]) -> float | None:
    return metrics.value("log_loss", "multi-class", logits_nc, known)


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True))


# --- each network ---


@pytest.mark.parametrize("way", [{}, {"ensemble": 6}, {"n_jobs": 2}], ids=["one round", "half a round more", "threads"])
def test_each_network_has_the_bits_of_one_trained_by_hand_with_its_fold_as_validation_rows(way: dict[str, Any]) -> None:
    clf = quick(**way).fit(X, CLASSES)
    fit = fitting.prepare(clf.get_params(), X, CLASSES)

    assert len(clf.members_) == way.get("ensemble", 4)
    for number, member in enumerate(clf.members_):
        own = fold_of(fit, number // 4) == number % 4
        judged = training.Validation(
            fit.encoder.encode(as_inputs(X[own])), None,
            partial(_log_loss, CLASSES[own]),
            lambda a, b: a < b,
        )  # fmt: skip
        assert same(member.parameters, trained_by_hand(fit, number, np.flatnonzero(~own), judged).parameters())


def test_a_weighted_network_weighs_its_own_rows_to_the_mean_of_one() -> None:
    fit = fitting.prepare(quick().get_params(), X, CLASSES, sample_weight=WEIGHTS)
    for one in fit.untrained:
        assert one.weights.each is not None
        assert one.weights.each[one.rows].mean() == pytest.approx(1, rel=1e-12)


def test_every_round_leaves_each_row_out_once_and_the_next_deals_anew() -> None:
    fit = fitting.prepare(quick(ensemble=8).get_params(), X, CLASSES)
    for deal in (0, 1):
        left_out = [np.setdiff1d(np.arange(N), one.rows) for one in fit.untrained[4 * deal : 4 * deal + 4]]
        np.testing.assert_array_equal(np.sort(np.concatenate(left_out)), np.arange(N))
        for rows in left_out:
            for k in range(3):
                assert abs(np.count_nonzero(CLASSES[rows] == k) - np.count_nonzero(k == CLASSES) / 4) < 1
    assert (fold_of(fit, 0) != fold_of(fit, 1)).mean() > 0.5


def test_folds_are_the_seeds_and_one_fold_is_none(tmp_path: Path) -> None:
    quick(ensemble=4).fit(X, CLASSES).save(tmp_path / "a")
    quick(n_jobs=3).fit(X, CLASSES).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    quick(folds=1).fit(X, CLASSES).save(tmp_path / "c")
    quick(spec=None).fit(X, CLASSES).save(tmp_path / "d")
    assert (tmp_path / "c").read_bytes() == (tmp_path / "d").read_bytes()
    other = fitting.prepare(quick(random_state=8).get_params(), X, CLASSES)
    assert (fold_of(other) != fold_of(fitting.prepare(quick().get_params(), X, CLASSES))).any()


def test_separate_networks_of_a_round_leave_out_the_same_rows() -> None:
    fit = fitting.prepare(quick(folds=3, separate_networks=True).get_params(), X, LABELS)
    assert len(fit.untrained) == 9
    for number in range(3):
        for one in fit.untrained[3 * number : 3 * number + 3]:
            np.testing.assert_array_equal(np.flatnonzero(fold_of(fit) != number), one.rows)


def test_whole_groups_are_left_out() -> None:
    fit = fitting.prepare(quick().get_params(), X, CLASSES, groups=GROUPS)
    for one in fit.untrained:
        left_out = np.setdiff1d(np.arange(N), one.rows)
        assert not set(GROUPS[left_out]) & set(GROUPS[one.rows])
    assert f"the folds are of {len(np.unique(GROUPS))} whole groups" in fit.summary.notes


# --- all rows judge, each by those that did not see it ---


@pytest.mark.parametrize("n_rounds", [4, 6, 8])
@pytest.mark.parametrize("y", [CLASSES, LABELS, CLASSES > 0], ids=["classes", "labels", "two classes"])
def test_figures_and_calibration_are_of_the_networks_that_were_not_trained_on_a_row(n_rounds: int, y: Any) -> None:
    clf = quick(ensemble=n_rounds).fit(X, y)
    fit = fitting.prepare(clf.get_params(), X, y)
    head, features = HEADS[clf.head_], clf.encoder_.encode(as_inputs(X))
    raw_nc = np.empty_like(clf.predict_logits(X))
    for row in range(N):
        own = []
        for number, member in enumerate(clf.members_):
            if row not in fit.untrained[number].rows:
                engine = fitting.new_engine(fitting.EngineChoice("native"), clf.network_, clf.head_, 1)
                engine.set_parameters(member.parameters)
                own.append(engine.logits(features, np.array([row])))
        assert len(own) == 1 or n_rounds > 4
        raw_nc[row] = head.combine(own)[0]

    targets = clf.target_.encode(y)
    from fromlogits import calibrating

    again = calibrating.calibrated(clf._model, raw_nc, targets, None)
    assert again.calibration.to_json() == clf.calibration_.to_json()
    np.testing.assert_array_equal(again.calibration.apply(raw_nc), clf.calibration_.apply(raw_nc))
    assert clf._model.figures(clf.calibration_.apply(raw_nc), targets, also=("log_loss",)) == clf.validation_metrics_
    assert clf.record_["n_train"] == clf.record_["n_validation"] == N


def test_noise_that_the_networks_learn_by_heart_is_no_success_out_of_fold() -> None:
    y = RNG.integers(0, 2, N)
    clf = quick(hidden_layer_sizes=(200,), max_epochs=150, early_stopping=False, dropout=0.0).fit(X, y)
    assert clf.score(X, y) > 0.8
    assert clf.validation_metrics_ is not None
    assert 0.4 < clf.validation_metrics_["accuracy"] < 0.6


def test_decisions_are_chosen_on_all_rows() -> None:
    clf = quick(decide_for="f1").fit(X, LABELS)
    assert clf.decision_ is not None
    assert clf.record_["decision"]["folds"] > 0
    assert clf.validation_metrics_ is not None


def test_rows_kept_for_sets_are_in_no_fold() -> None:
    clf = quick()
    fit = clf._prepare(X, CLASSES, coverage=0.9)
    assert fit.kept is not None
    clf._run(fit)
    assert set(fit.kept.rows) & set(fit.rows) == set()
    assert clf.record_["n_validation"] == N - len(fit.kept.rows)
    assert clf.sets_ is not None


# --- a stop ---


def stopped(n_members: int, **settings: Any) -> tuple[fl.Classifier, Fit]:
    """Stopped once so many members are done."""
    clf, reason = quick(n_jobs=1, **settings), []

    class Watching(members.Silent):
        def looked(self, standings: Any) -> None: ...

    fit = clf._prepare(X, CLASSES)

    class Last:
        """Stops when the last of them is done."""

        def epoch_begins(self, engine: Engine) -> None: ...

        def epoch_ended(self, record: Any, engine: Engine) -> bool:
            return False

        def training_ended(self) -> None:
            done.append(1)
            if len(done) == n_members:
                reason.append("interrupt")

    done: list[int] = []
    clf._run(fit, observer=Watching(), stop=lambda: reason[0] if reason else None, callback_of=lambda number: Last())
    return clf, fit


def test_a_stop_within_the_first_round_judges_the_rows_that_a_network_did_not_see(tmp_path: Path) -> None:
    clf, fit = stopped(2)
    judged = np.flatnonzero(fold_of(fit) < 2)

    assert (len(clf.members_), clf.record_["n_validation"]) == (2, len(judged))
    words = f"only {len(judged)} of the {N} rows have a network that was not trained on them"
    assert fit.summary.without_a_judge(clf.record_["n_validation"]).startswith(words)
    clf.save(tmp_path / "m")
    again = fl.load(tmp_path / "m")
    assert (again.ensemble, again.spec["folds"]) == (None, 4)  # type: ignore[index]
    assert again.validation_metrics_ == clf.validation_metrics_


def test_a_stop_after_the_first_round_judges_every_row() -> None:
    clf, fit = stopped(5, ensemble=8)
    assert (len(clf.members_), clf.record_["n_validation"]) == (5, N)
    assert fit.summary.without_a_judge(N) == ""


def test_ctrl_c_says_how_many_rows_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    from fromlogits.training import StopOnSignal

    def enter(self: StopOnSignal) -> StopOnSignal:
        self.reason = "interrupt"
        return self

    monkeypatch.setattr(StopOnSignal, "__enter__", enter)
    with pytest.warns(UserWarning, match=r"1 are kept.*; only 61 of the 241 rows have a network"):
        quick(n_jobs=1).fit(X, CLASSES)


# --- one object ---


def test_it_is_cloned_pickled_saved_and_fitted_again(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone

    clf = quick(folds=3, ensemble=5).fit(X, CLASSES)
    assert clone(clf).get_params()["spec"] == {"folds": 3}
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_logits(X), clf.predict_logits(X))
    clf.save(tmp_path / "m")
    loaded = fl.load(tmp_path / "m")
    assert loaded.record_["split"] == {"kind": "folds", "folds": 3, "seed": 7}
    np.testing.assert_array_equal(loaded.predict_logits(X), clf.predict_logits(X))
    np.testing.assert_array_equal(loaded.fit(X, CLASSES).predict_logits(X), clf.predict_logits(X))


def test_cross_validation_has_folds_in_its_folds() -> None:
    from fromlogits.cross_validation import cross_validate

    found = cross_validate(quick(folds=3), X, CLASSES, n_folds=2)
    assert [fold.n_train for fold in found.folds] == [N - len(fold.rows) for fold in found.folds]


@pytest.mark.parametrize(
    ("settings", "more", "says"),
    [
        ({"ensemble": 3}, {}, "folds=4 needs a network without each fold, an ensemble of 4 at least; it is 3. Set"),
        ({"folds": 0}, {}, "folds must be a whole number from 1 to 4096; got 0"),
        ({"folds": 300}, {}, r"241 rows can't make 300 folds; .* fewer folds \(--set folds=241\)"),
        ({}, {"X_val": X, "y_val": CLASSES}, r"with folds=4 .* every row judges .*; X_val \(--valid\)"),
        ({}, {"times": np.arange(N)}, r"with folds=4 .* every row judges .*; times \(--time-column\)"),
        ({}, {"groups": np.arange(N) % 3}, r"3 groups of rows can't make 4 folds; .* Fewer folds: --set folds=3"),
        ({"early_stopping": False, "calibrate": False}, {}, "with folds=4 .* Leave one of them on, or folds out"),
    ],
)
def test_what_does_not_go_with_folds_is_refused_in_one_line(
    settings: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        quick(**settings).fit(X, CLASSES, **more)
    assert "\n" not in str(caught.value)


def test_classes_of_a_single_row_each_are_refused() -> None:
    with pytest.raises(InputError, match="each of the 241 classes has a single row"):
        quick().fit(X, np.arange(N))


def test_partial_fit_takes_no_folds() -> None:
    with pytest.raises(InputError, match="partial_fit holds no rows out, so it takes no folds; spec asks for 4"):
        quick().partial_fit(X, CLASSES, classes=[0, 1, 2])
