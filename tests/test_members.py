"""Separate networks and ensembles: each member is what it would be alone, and together they are one classifier."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits as fl
from fromlogits import fitting, members, metrics, training
from fromlogits.data.features import EncodedRows, Features
from fromlogits.data.inputs import as_inputs
from fromlogits.engines.base import Parameters
from fromlogits.engines.native import NativeEngine
from fromlogits.errors import DivergedError, InputError
from fromlogits.heads import HEADS
from fromlogits.members import Overview, Standing
from fromlogits.spec import Plan

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 5))
LABELS = np.stack([X[:, 0] > 0, X[:, 1] + X[:, 2] > 0, X[:, 3] > 1], axis=1).astype(int)
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
WAYS: dict[str, dict[str, Any]] = {
    "separate": {"separate_networks": True},
    "ensemble": {"ensemble": 3},
    "separate ensembles": {"separate_networks": True, "ensemble": 2},
}


def quick(**settings: Any) -> fl.Classifier:
    return fl.Classifier(
        **{"hidden_layer_sizes": (6,), "max_epochs": 8, "patience": 3, "learning_rate": 0.02, "dropout": 0.1,
           "random_state": 7, **settings}
    )  # fmt: skip


def same_parameters(a: Parameters, b: Parameters) -> bool:
    return all(np.array_equal(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True))


# --- each is what it would be alone ---


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
@pytest.mark.parametrize("way", WAYS)
def test_a_member_has_the_bits_that_it_has_alone(way: str, n_jobs: int) -> None:
    clf = quick(n_jobs=n_jobs, **WAYS[way])
    together = clf.fit(X, LABELS).members_

    fit = fitting.prepare(clf.get_params(), X, LABELS)
    for number, member in enumerate(together):
        one, network = fit.untrained[number], fit.summary.network
        alone = NativeEngine(network, fit.head, n_threads=1)
        alone.initialise(one.seed)
        history = training.train(
            alone, fit.features, one.targets, one.rows, fit.summary.plan, one.seed, validation=one.validation
        )
        assert same_parameters(member.parameters, alone.parameters())
        assert [epoch.loss for epoch in history.epochs] == [epoch.loss for epoch in member.history.epochs]
        assert (history.best_epoch, history.stopped_by) == (member.best_epoch, member.history.stopped_by)


@pytest.mark.parametrize("metric", ["log_loss", "macro_f1", "micro_f1", "macro_roc_auc", "hamming_loss"])
def test_a_separate_network_is_a_classifier_of_its_own_label(metric: str) -> None:
    rest = {"X_val": X[160:], "y_val": LABELS[160:]}
    clf = quick(separate_networks=True, metric=metric, calibrate=False).fit(X[:160], LABELS[:160], **rest)

    for label in range(3):
        rest["y_val"] = LABELS[160:, [label]]
        alone = quick(task="multi-label", metric=metric, calibrate=False).fit(X[:160], LABELS[:160, [label]], **rest)
        np.testing.assert_array_equal(clf.predict_logits(X)[:, [label]], alone.predict_logits(X))
        assert clf.members_[label].history == alone.history_
        assert clf.members_[label].label == label


def test_members_of_an_ensemble_differ_and_the_first_is_the_one_there_is_without() -> None:
    clf, alone = quick(ensemble=3).fit(X, CLASSES), quick().fit(X, CLASSES)

    assert same_parameters(clf.members_[0].parameters, alone.members_[0].parameters)
    assert len({member.seed for member in clf.members_}) == 3
    assert not same_parameters(clf.members_[1].parameters, clf.members_[2].parameters)


def test_a_seed_of_the_ensemble_depends_on_its_number_and_not_on_their_count() -> None:
    first, *others = members.seeds(7, 5)
    assert (first, *others[:2]) == members.seeds(7, 3)
    assert first == 7
    assert all(0 <= seed < 2**63 for seed in others)
    assert members.seeds(8, 2)[1] not in others


def test_an_ensemble_of_one_is_no_ensemble_to_the_last_byte_of_its_file(tmp_path: Path) -> None:
    quick(ensemble=1).fit(X, CLASSES).save(tmp_path / "one")
    quick().fit(X, CLASSES).save(tmp_path / "none")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "none").read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_one_seed_gives_the_same_file_for_any_number_of_threads(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = set()
    for n_jobs, span_s in ((1, 0.1), (2, 0.1), (3, 1e-6), (16, 0.1)):  # a span's length follows the clock
        monkeypatch.setattr("fromlogits.training.SPAN_S", span_s)
        quick(n_jobs=n_jobs, **WAYS[way]).fit(X, LABELS).save(tmp_path / "m", overwrite=True)
        files.add((tmp_path / "m").read_bytes())
    assert len(files) == 1


def test_the_reference_engine_has_members_too() -> None:
    native, reference = (quick(ensemble=2, engine=name).fit(X, CLASSES) for name in ("native", "reference"))
    np.testing.assert_allclose(native.predict_logits(X), reference.predict_logits(X), rtol=1e-3, atol=1e-3)


# --- together they are one classifier ---


def test_an_ensembles_logits_are_those_of_its_members_mean_probability() -> None:
    clf = quick(ensemble=3).fit(X, CLASSES)
    each = []
    for member in clf.members_:
        engine = NativeEngine(clf.network_, "softmax")
        engine.set_parameters(member.parameters)
        each.append(engine.logits(clf.encoder_.encode(as_inputs(X))))

    raw = clf.predict_logits(X, calibrated=False)

    np.testing.assert_array_equal(raw, HEADS["softmax"].combine(each))
    probabilities = np.mean([HEADS["softmax"].probabilities(z).astype(float) for z in each], axis=0)
    np.testing.assert_allclose(HEADS["softmax"].probabilities(raw), probabilities, rtol=1e-6)


def test_the_calibration_is_of_the_combined_logits() -> None:
    y = RNG.integers(0, 2, (240, 3))  # nothing to learn: the networks are overconfident
    clf = quick(separate_networks=True, early_stopping=False, max_epochs=60, dropout=0.0).fit(X, y)
    assert (clf.calibration_.temperatures > 1.5).all()
    raw = clf.predict_logits(X, calibrated=False)
    np.testing.assert_array_equal(clf.predict_logits(X), clf.calibration_.apply(raw))


def test_two_classes_may_have_an_ensemble() -> None:
    clf = quick(ensemble=2).fit(X, CLASSES > 0)
    assert clf.predict_logits(X).shape == (240, 1)
    assert clf.predict_proba(X).shape == (240, 2)
    assert clf.score(X, CLASSES > 0) > 0.8


@pytest.mark.parametrize("way", WAYS)
def test_a_row_has_the_same_bits_alone_or_among_others(way: str) -> None:
    clf = quick(**WAYS[way]).fit(X, LABELS)
    whole = clf.predict_logits(X)
    for row in (0, 5, 239):
        np.testing.assert_array_equal(clf.predict_logits(X[row : row + 1])[0], whole[row])


@pytest.mark.parametrize("way", WAYS)
def test_a_saved_model_is_the_classifier_that_was_saved(way: str, tmp_path: Path) -> None:
    clf = quick(**WAYS[way]).fit(X, LABELS)
    clf.save(tmp_path / "m")
    loaded = fl.load(tmp_path / "m")

    for other in (loaded, copy.deepcopy(clf), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(other.predict_logits(X), clf.predict_logits(X))
        assert other.members_ == clf.members_
    assert loaded.describe() == clf.describe()
    assert (loaded.separate_networks, loaded.ensemble) == (clf.separate_networks, clf.ensemble)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    np.testing.assert_array_equal(loaded.fit(X, LABELS).predict_logits(X), clf.predict_logits(X))


def test_one_label_may_have_a_separate_network_and_keeps_it_in_its_file(tmp_path: Path) -> None:
    clf = quick(separate_networks=True, task="multi-label").fit(X, LABELS[:, [0]])
    clf.save(tmp_path / "m")
    joint = quick(task="multi-label").fit(X, LABELS[:, [0]])

    assert fl.load(tmp_path / "m").separate_networks
    np.testing.assert_array_equal(fl.load(tmp_path / "m").predict_logits(X), joint.predict_logits(X))


def test_a_stated_network_is_each_of_the_separate_ones() -> None:
    stated = fl.Network([fl.Dense(6, "relu"), fl.Dense(1)])
    clf = quick(hidden_layer_sizes=None, network=stated, separate_networks=True).fit(X, LABELS)
    same = quick(separate_networks=True).fit(X, LABELS)

    np.testing.assert_array_equal(clf.predict_logits(X), same.predict_logits(X))
    assert str(clf.network_).count("relu") == 1


def test_the_attributes_of_several_networks_are_the_first_ones_history_and_the_largest_counts() -> None:
    clf = quick(separate_networks=True, max_epochs=40, learning_rate=0.1).fit(X, LABELS)

    assert len({member.n_epochs for member in clf.members_}) > 1
    assert clf.history_ == clf.members_[0].history
    assert clf.n_iter_ == max(member.n_epochs for member in clf.members_)
    assert clf.best_epoch_ == max(member.best_epoch for member in clf.members_)
    assert [member.label for member in clf.members_] == clf.classes_.tolist()


def test_of_very_long_trainings_the_file_keeps_some_epochs_of_each(tmp_path: Path) -> None:
    few = {"hidden_layer_sizes": (), "max_epochs": 6_000, "early_stopping": False, "calibrate": False}
    clf = quick(separate_networks=True, dropout=0.0, **few).fit(X[:4], LABELS[:4])
    clf.save(tmp_path / "m")
    loaded = fl.load(tmp_path / "m")

    assert loaded.n_iter_ == 6_000
    assert all(1_000 < len(member.history.epochs) <= 10_000 // 3 for member in loaded.members_)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


def test_scikit_learn_clones_and_searches_it() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV

    assert clone(quick(separate_networks=True, ensemble=2)).get_params()["ensemble"] == 2
    search = GridSearchCV(quick(max_epochs=2), {"ensemble": [None, 2], "separate_networks": [False, True]}, cv=2)
    assert set(search.fit(X, LABELS).cv_results_["param_separate_networks"]) == {False, True}


# --- its own label judges a separate network ---


@pytest.mark.parametrize("metric", [name for name, about in metrics.METRICS.items() if "multi-label" in about.tasks])
def test_every_metric_judges_a_separate_network_by_its_own_label(metric: str) -> None:
    clf = quick(separate_networks=True, metric=metric).fit(X[:160], LABELS[:160], X_val=X[160:], y_val=LABELS[160:])
    raw = clf.predict_logits(X[160:], calibrated=False)
    for label, member in enumerate(clf.members_):
        own = metrics.value(metric, "multi-label", raw[:, [label]], LABELS[160:, [label]])
        (best,) = [epoch.validation for epoch in member.history.epochs if epoch.is_best]
        assert (member.metric, best) == (metric, own)


@pytest.mark.parametrize(("metric", "kept"), [("macro_f1", 1), ("macro_roc_auc", 1), ("hamming_loss", 0)])
def test_log_loss_judges_the_label_whose_validation_rows_are_all_alike(
    metric: str, kept: int, capsys: pytest.CaptureFixture[str]
) -> None:
    valid = LABELS[160:].copy()
    valid[:, 1] = 0
    clf = quick(separate_networks=True, metric=metric, verbose=True)
    clf.fit(X[:160], LABELS[:160], X_val=X[160:], y_val=valid)

    assert [member.metric for member in clf.members_] == [metric, ["hamming_loss", "log_loss"][kept], metric]
    note = f"by which {metric} tells no epoch from another; log_loss judges their networks: 1"
    assert (note in capsys.readouterr().err) == bool(kept)


# --- side by side ---


class Spy(NativeEngine):
    """Notes what every step was given, and how many threads there were meanwhile."""

    lock = threading.Lock()
    matrices: set[int]
    running: dict[int, int]
    most: int

    def train_span(self, features: EncodedRows, *rest: Any) -> float:
        assert isinstance(features, Features)
        with Spy.lock:
            Spy.matrices.add(features.values.ctypes.data)
            Spy.running[id(self)] = self.n_threads
            Spy.most = max(Spy.most, sum(Spy.running.values()))
        loss = super().train_span(features, *rest)
        with Spy.lock:
            del Spy.running[id(self)]
        return loss


@pytest.mark.parametrize("n_jobs", [1, 2, 3, 4, 7, 16])
def test_members_share_one_copy_of_the_data_and_the_threads(n_jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fromlogits.engines.native.NativeEngine", Spy)
    Spy.matrices, Spy.running, Spy.most = set(), {}, 0

    quick(ensemble=5, n_jobs=n_jobs).fit(X, CLASSES)

    assert len(Spy.matrices) == 1
    assert 1 <= Spy.most <= n_jobs


def test_as_many_members_run_at_a_time_as_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(3, timeout=30)

    class Waiting(NativeEngine):
        """Takes its first step only when two others do."""

        def start(self, *plan_and_seed: Any) -> None:
            together.wait()
            super().start(*plan_and_seed)

    monkeypatch.setattr("fromlogits.engines.native.NativeEngine", Waiting)
    assert len(quick(separate_networks=True, n_jobs=3).fit(X, LABELS).members_) == 3


def test_the_last_member_to_run_has_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Counted(NativeEngine):
        def train_span(self, *span: Any) -> float:
            seen.append(self.n_threads)
            return super().train_span(*span)

    monkeypatch.setattr("fromlogits.engines.native.NativeEngine", Counted)
    labels = np.stack([LABELS[:, 0], LABELS[:, 0], LABELS[:, 0]], axis=1)
    quick(separate_networks=True, n_jobs=2, max_epochs=200, early_stopping=False).fit(X, labels)

    assert set(seen) == {1, 2}
    assert seen[-1] == 2


def test_a_member_that_diverges_is_named_and_the_others_are_given_up() -> None:
    x = X.copy()
    x[:, 0] *= 1e6
    before = threading.active_count()
    wild = {"optimizer": "sgd", "learning_rate": 1e6, "hidden_layer_sizes": (30, 30), "max_epochs": 10**6}
    with pytest.raises(DivergedError, match=r"^label [012]: training diverged: .*Lower learning_rate") as caught:
        quick(separate_networks=True, patience=10**6, **wild).fit(x, LABELS)
    assert caught.value.step >= 1
    assert threading.active_count() == before
    with pytest.raises(DivergedError, match=r"^member [12] of 2: training diverged"):
        quick(ensemble=2, patience=10**6, **wild).fit(x, CLASSES)
    with pytest.raises(DivergedError, match=r"^member [12] of 2, label [012]: training diverged"):
        quick(ensemble=2, separate_networks=True, patience=10**6, **wild).fit(x, LABELS)


# --- a stop ---


class Stop:
    """A reason from a moment on."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self) -> str | None:
        return self.reason


def stopped(when: Any, **settings: Any) -> fl.Classifier:
    """Trained on one thread until `when`, of the standings that are looked at, is true."""
    clf, stop = quick(n_jobs=1, max_epochs=10**6, patience=10**6, **settings), Stop()
    watched: list[list[Standing]] = []

    class Watching(members.Silent):
        def looked(self, standings: Any) -> None:
            watched[:] = [standings]
            if when(standings):
                stop.reason = "interrupt"

    clf._run(clf._prepare(X, LABELS), observer=Watching(), stop=stop)
    return clf


def has_epochs(count: int) -> Any:
    return lambda standings: standings[0].last is not None and standings[0].last.epoch >= count


def test_a_stop_leaves_a_network_for_every_label() -> None:
    clf = stopped(has_epochs(2), separate_networks=True)

    first, *others = clf.members_
    assert (first.history.stopped_by, len(others)) == ("interrupt", 2)
    assert first.n_epochs >= 2
    assert [member.n_epochs for member in others] == [1, 1]  # of one step
    assert clf.predict_proba(X).shape == (240, 3)


def test_of_an_ensemble_a_stop_leaves_the_members_that_have_an_epoch_behind_them(tmp_path: Path) -> None:
    clf = stopped(has_epochs(2), ensemble=4)

    assert len(clf.members_) == 1
    clf.save(tmp_path / "m")
    assert fl.load(tmp_path / "m").ensemble is None
    np.testing.assert_array_equal(fl.load(tmp_path / "m").predict_logits(X), clf.predict_logits(X))


def test_a_stop_leaves_whole_rounds_of_separate_ensembles() -> None:
    clf = stopped(has_epochs(2), separate_networks=True, ensemble=3)
    assert [member.label for member in clf.members_] == [0, 1, 2]


def test_each_member_keeps_its_best_epoch_when_it_is_stopped() -> None:
    clf = stopped(has_epochs(30), separate_networks=True, learning_rate=0.3)
    first = clf.members_[0].history
    values = [epoch.validation for epoch in first.epochs if epoch.validation is not None]
    assert first.best_epoch == 1 + values.index(min(values))


def test_giving_up_ends_every_thread() -> None:
    before, clf = threading.active_count(), quick(ensemble=3, n_jobs=2, max_epochs=10**6, patience=10**6)

    class Impatient(members.Silent):
        def looked(self, standings: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clf._run(clf._prepare(X, LABELS), observer=Impatient())
    assert threading.active_count() == before
    assert not hasattr(clf, "network_")


# --- what is seen and refused ---


def test_verbose_says_where_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    quick(separate_networks=True, verbose=True).fit(X, LABELS)
    assert capsys.readouterr().err.splitlines()[-1] == "3/3 networks done"


def progress(epoch: int) -> training.Progress:
    return training.Progress(epoch, 10, 100 * epoch, 1000, 50.0, 1.0, 0.5)


def test_an_overview_counts_the_work_of_all() -> None:
    done, running, waiting = (Standing(name, 1000) for name in "abc")
    assert Overview.of([done, running, waiting]) is None
    done.progressed(progress(4))
    done.history = training.History((), 4, "patience")
    running.progressed(progress(3))

    seen = Overview.of([done, running, waiting])

    assert seen is not None
    assert (seen.done, seen.running) == (1, (running,))
    assert (seen.rows_done, seen.rows_total) == (1000 + 300, 3000)
    assert (seen.rows_per_s, seen.seconds_left) == (50.0, 1700 / 50.0)
    assert members.epochs_of(seen, Plan(max_epochs=10)) == "; b in epoch 3 of 10"
    assert waiting.history is None
    running.history = training.History((), 3, "interrupt")
    seen = Overview.of([done, running, waiting])
    assert seen is not None
    assert (seen.done, seen.running, seen.rows_done) == (1, (), 1300)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"separate_networks": True}, "separate_networks trains one network per label; this target has one class"),
        ({"separate_networks": "yes"}, "separate_networks must be True or False; got 'yes'"),
        ({"ensemble": 0}, "ensemble must be a whole number from 1 to 4096; got 0"),
        ({"ensemble": 2.0}, r"ensemble must be a whole number from 1 to 4096; got 2\.0"),
        ({"ensemble": True}, "ensemble must be a whole number from 1 to 4096; got True"),
        ({"ensemble": 4096, "hidden_layer_sizes": (2,) * 10}, "at most 40,960 layers in all; 4,096 networks"),
        ({"ensemble": 4000, "hidden_layer_sizes": (200_000,)}, "at most 4,000,000,000 parameters in all"),
    ],
)
def test_an_impossible_setting_is_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        quick(**settings).fit(X, CLASSES)
    assert "\n" not in str(caught.value)


def test_more_separate_networks_than_a_file_may_have_are_refused() -> None:
    labels = RNG.integers(0, 2, (20, 1000))
    with pytest.raises(InputError, match=r"at most 4,096 networks; 5,000 networks \(5 for each of 1,000 questions\)"):
        quick(separate_networks=True, ensemble=5).fit(X[:20], labels)


def test_separate_networks_end_in_one_unit() -> None:
    network = fl.Network([fl.Dense(6, "relu"), fl.Dense(3)])
    message = r"last layer must have 1 unit in each of the separate networks.*Dense\(1, 'linear'\) fits"
    with pytest.raises(InputError, match=message):
        quick(hidden_layer_sizes=None, network=network, separate_networks=True).fit(X, LABELS)


def test_numpys_whole_numbers_are_whole_numbers() -> None:
    assert len(quick(ensemble=np.int64(2)).fit(X, CLASSES).members_) == 2
