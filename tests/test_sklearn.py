"""The classifier inside scikit-learn's tools: copies, pipelines, searches, metadata, callbacks."""

from __future__ import annotations

import copy
import importlib.util
import io
import math
import multiprocessing
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")
import sklearn
from sklearn.base import clone

import fromlogits as fl
from fromlogits import training
from fromlogits.data.features import Features
from fromlogits.data.inputs import as_inputs
from fromlogits.engines.base import Steps
from fromlogits.engines.native import NativeEngine
from fromlogits.errors import DivergedError, InputError, ModelFileError
from fromlogits.spec import Plan
from fromlogits.training import EpochRecord

Array = np.ndarray[Any, np.dtype[Any]]


def blobs(n_classes: int, n: int = 120, d: int = 4) -> tuple[Array, Array]:
    rng = np.random.default_rng(n_classes)
    labels = np.arange(n) % n_classes
    return rng.normal(size=(n, d)) + 2 * rng.normal(size=(n_classes, d))[labels], labels


def labels_of(X: Array) -> Array:
    return (X[:, :3] > 0.2).astype(int)


def quick(**settings: Any) -> fl.Classifier:
    return fl.Classifier(**{"hidden_layer_sizes": (6,), "max_epochs": 6, "random_state": 0, "n_jobs": 1, **settings})


FITTED: dict[str, Callable[[Array], fl.Classifier]] = {
    "two classes": lambda X: quick().fit(X, X[:, 0] > 0),
    "classes that are text": lambda X: quick().fit(X, np.array(["ant", "bee", "cow"])[np.digitize(X[:, 0], [-1, 1])]),
    "labels": lambda X: quick(batch_size=16).fit(X, labels_of(X)),
    "separate networks": lambda X: quick(separate_networks=True, ensemble=2).fit(X, labels_of(X)),
    "the reference engine": lambda X: quick(engine="reference").fit(X, X[:, 0] > 0),
}


def cloudpickled(clf: fl.Classifier) -> fl.Classifier:
    cloudpickle = pytest.importorskip("cloudpickle")
    return pickle.loads(cloudpickle.dumps(clf))  # type: ignore[no-any-return]


def joblibbed(clf: fl.Classifier) -> fl.Classifier:
    joblib = pytest.importorskip("joblib")
    file = io.BytesIO()
    joblib.dump(clf, file, compress=3)
    file.seek(0)
    return joblib.load(file)  # type: ignore[no-any-return]


COPIES: dict[str, Callable[[fl.Classifier], fl.Classifier]] = {
    "pickle": lambda clf: pickle.loads(pickle.dumps(clf)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "joblib": joblibbed,
    "cloudpickle": cloudpickled,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("kind", FITTED)
def test_a_copy_has_every_fitted_attribute_to_the_bit(kind: str, copied: Callable[[Any], fl.Classifier]) -> None:
    X, _ = blobs(3)
    clf = FITTED[kind](X)
    clf.note = "mine"  # type: ignore[attr-defined]
    again = copied(clf)
    assert again.get_params() == clf.get_params()
    assert vars(again).keys() == vars(clf).keys()
    for name in vars(clf):
        if name not in ("_ready", "_model", "encoder_", "target_"):
            np.testing.assert_equal(vars(again)[name], vars(clf)[name])
    assert again._model.to_bytes() == clf._model.to_bytes()
    np.testing.assert_array_equal(again.predict_logits(X), clf.predict_logits(X))
    np.testing.assert_array_equal(again.predict(X), clf.predict(X))
    assert again.predict(X).dtype == clf.predict(X).dtype


def test_an_unfitted_classifier_is_copied_unfitted() -> None:
    clf = quick(spec={"momentum": 0.5})
    for copied in COPIES.values():
        again = copied(clf)
        assert again.get_params() == clf.get_params()
        assert vars(again).keys() == vars(clf).keys()
        assert repr(again) == repr(clf)


def test_a_pickle_holds_the_model_file_and_no_training_rows(tmp_path: Path) -> None:
    X, y = blobs(3, n=5_000, d=8)
    clf = quick(max_epochs=2).fit(X, y)
    clf.save(tmp_path / "m.safetensors")
    saved = (tmp_path / "m.safetensors").read_bytes()
    pickled = pickle.dumps(clf)
    assert saved in pickled
    assert len(pickled) < len(saved) + 2_000  # the rows have 320 000 bytes


def test_a_pickle_whose_model_is_damaged_is_refused() -> None:
    X, y = blobs(3)
    pickled = bytearray(pickle.dumps(quick().fit(X, y)))
    place = pickled.index(b"layer.0.weights")
    pickled[place] ^= 1
    with pytest.raises(ModelFileError, match="model file 'pickled Classifier' is damaged: its checksum"):
        pickle.loads(bytes(pickled))


def test_a_process_of_its_own_predicts_the_same_bits() -> None:
    X, y = blobs(3)
    clf = quick().fit(X, y)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(clf.predict_logits, (X,)), clf.predict_logits(X))


# Metadata routing


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_requests_are_kept_by_clone_and_pickle(routing: None) -> None:
    clf = quick().set_fit_request(X_val=True, y_val="y_held_out")
    for again in (clf, clone(clf), pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf)):
        requests = again.get_metadata_routing().fit.requests
        assert (requests["X_val"], requests["y_val"]) == (True, "y_held_out")
    assert quick().get_metadata_routing().fit.requests["X_val"] is None


def test_a_routed_argument_reaches_fit(routing: None) -> None:
    from sklearn.pipeline import Pipeline

    X, y = blobs(3)
    clf = quick().set_fit_request(X_val=True, y_val=True)
    Pipeline([("clf", clf)]).fit(X, y, X_val=X[:30], y_val=y[:30])
    assert clf.record_["split"]["kind"] == "given"


def test_an_argument_that_nobody_asked_for_is_refused(routing: None) -> None:
    from sklearn.exceptions import UnsetMetadataPassedError
    from sklearn.pipeline import Pipeline

    X, y = blobs(3)
    with pytest.raises(UnsetMetadataPassedError, match="X_val"):
        Pipeline([("clf", quick())]).fit(X, y, X_val=X, y_val=y)


def test_an_unknown_argument_cannot_be_requested(routing: None) -> None:
    with pytest.raises(TypeError, match=r"fit has no argument 'X_vall' to be routed.* Did you mean 'X_val'\?"):
        quick().set_fit_request(X_vall=True)
    with pytest.raises(InputError, match="score has no argument"):
        quick().set_score_request(groups=True)


def test_requests_need_metadata_routing_to_be_on() -> None:
    with pytest.raises(RuntimeError, match="metadata routing is off; turn it on by sklearn"):
        quick().set_fit_request(X_val=True)


# Callbacks


def test_a_function_is_called_with_each_epoch() -> None:
    X, y = blobs(3)
    seen: list[EpochRecord] = []
    clf = quick().fit(X, y, callbacks=seen.append)
    assert tuple(record.epoch for record in seen) == tuple(range(1, clf.n_iter_ + 1))
    assert [record.loss for record in seen] == clf.loss_curve_
    assert [record.validation for record in seen] == [record.validation for record in clf.history_.epochs]


def test_a_true_answer_stops_and_the_best_epoch_is_kept(tmp_path: Path) -> None:
    X, y = blobs(3)
    whole = quick(max_epochs=30, patience=30, learning_rate=0.05).fit(X, y)
    several = [lambda record: None, lambda record: record.epoch == 20]
    stopped = quick(max_epochs=30, patience=30, learning_rate=0.05).fit(X, y, callbacks=several)
    values = [record.validation for record in whole.history_.epochs[:20]]
    assert (stopped.n_iter_, stopped.best_epoch_) == (20, 1 + int(np.argmin(np.array(values, float))))
    assert stopped.history_.stopped_by == "callback"
    stopped.save(tmp_path / "m")
    assert fl.load(tmp_path / "m").history_.stopped_by == "callback"


def test_of_several_networks_each_is_stopped_on_its_own() -> None:
    X, _ = blobs(3)
    seen: list[EpochRecord] = []

    def stop_the_first_label(record: EpochRecord) -> bool:
        seen.append(record)
        return record.network == "label 0" and record.epoch == 2

    clf = quick(separate_networks=True, n_jobs=2).fit(X, labels_of(X), callbacks=stop_the_first_label)
    assert [member.history.stopped_by for member in clf.members_] == ["callback", "max_epochs", "max_epochs"]
    assert [member.n_epochs for member in clf.members_] == [2, 6, 6]
    assert {record.network for record in seen} == {"label 0", "label 1", "label 2"}
    alone = quick(separate_networks=True).fit(X, labels_of(X))
    raw, raw_alone = (one.predict_logits(X, calibrated=False) for one in (clf, alone))
    np.testing.assert_array_equal(raw[:, 1:], raw_alone[:, 1:])
    for one, other in zip(clf.members_[1:], alone.members_[1:], strict=True):
        assert one.history == other.history


@pytest.mark.parametrize("settings", [{}, {"ensemble": 3, "n_jobs": 2}], ids=["one network", "several"])
def test_an_exception_ends_the_fit_and_leaves_the_classifier_as_it_was(settings: dict[str, Any]) -> None:
    X, y = blobs(3)
    clf = quick(**settings).fit(X, y)
    before = pickle.dumps(clf)

    def fails(record: EpochRecord) -> None:
        if record.epoch == 2:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        clf.fit(X, y, callbacks=[fails])
    assert pickle.dumps(clf) == before


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (3, "callbacks must be a function that is called with each epoch's record, or a list of such; got 3."),
        ([print, "stop"], "or a list of such; got 'stop'."),
    ],
)
def test_what_is_no_function_is_refused_as_a_callback(callbacks: Any, message: str) -> None:
    X, y = blobs(3)
    with pytest.raises(InputError) as refused:
        quick().fit(X, y, callbacks=callbacks)
    assert message in str(refused.value)


class Recorder:
    """A callback of scikit-learn's interface that notes what it is told."""

    max_propagation_depth = None

    def __init__(self, stop_at: int = -1) -> None:
        self.stop_at = stop_at
        self.told: list[tuple[str, ...]] = []
        self.rows: list[Any] = []
        self.logits: list[Any] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.told.append(("setup",))

    def teardown(self, estimator: Any, context: Any) -> None:
        self.told.append(("teardown",))

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None) -> None:
        self.told.append(("begin", context.task_name, str(context.task_id)))

    def on_fit_task_end(self, estimator: Any, context: Any, *, X: Any = None, fitted_estimator: Any = None) -> bool:
        self.told.append(("end", context.task_name, str(context.task_id)))
        self.rows.append(X)
        if context.task_name == "epoch" and fitted_estimator is not None:
            self.logits.append(fitted_estimator.predict_logits(X))
        return bool(context.task_name == "epoch" and context.task_id == self.stop_at)


theirs = pytest.mark.skipif(importlib.util.find_spec("sklearn.callback") is None, reason="since scikit-learn 1.9")


@theirs
def test_scikit_learns_callbacks_see_the_fit_and_its_epochs() -> None:
    X, y = blobs(3)
    recorder = Recorder()
    clf = quick(max_epochs=2, early_stopping=False, calibrate=False).set_callbacks(recorder).fit(X, y)
    assert recorder.told == [
        ("setup",), ("begin", "fit", "0"), ("begin", "epoch", "0"), ("end", "epoch", "0"), ("begin", "epoch", "1"),
        ("end", "epoch", "1"), ("end", "fit", "0"), ("teardown",),
    ]  # fmt: skip
    assert all(rows is X for rows in recorder.rows)
    np.testing.assert_array_equal(recorder.logits[1], clf.predict_logits(X))
    first = quick(max_epochs=2, early_stopping=False, calibrate=False).fit(X, y, callbacks=lambda record: True)
    np.testing.assert_array_equal(recorder.logits[0], first.predict_logits(X))


@theirs
def test_scikit_learns_callbacks_stop_the_training() -> None:
    X, y = blobs(3)
    clf = quick().set_callbacks(Recorder(stop_at=2)).fit(X, y)
    assert (clf.n_iter_, clf.history_.stopped_by) == (3, "callback")
    assert clone(clf).fit(X, y).n_iter_ == 3
    assert clf.set_callbacks().fit(X, y).n_iter_ == 6


@theirs
def test_of_several_networks_scikit_learns_callbacks_see_each() -> None:
    X, _ = blobs(3)
    recorder = Recorder()
    quick(max_epochs=2, separate_networks=True, n_jobs=2).set_callbacks(recorder).fit(X, labels_of(X))
    assert sorted(told for told in recorder.told if told[1:2] == ("network",)) == [
        (when, "network", str(number)) for when in ("begin", "end") for number in range(3)
    ]
    assert sum(told[:2] == ("end", "epoch") for told in recorder.told) == 6
    assert recorder.logits == []


@theirs
def test_scikit_learns_callbacks_are_torn_down_when_the_fit_fails() -> None:
    X, y = blobs(3)
    recorder = Recorder()
    clf = quick().set_callbacks(recorder)

    def fails(record: EpochRecord) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        clf.fit(X, y, callbacks=fails)
    assert recorder.told[-1] == ("teardown",)
    assert vars(clf).keys() == {*clf.get_params(), "_skl_callbacks"}


@theirs
def test_callbacks_of_a_pipeline_reach_the_epochs() -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = blobs(3)
    recorder = Recorder()
    make_pipeline(StandardScaler(), quick(max_epochs=2)).set_callbacks(recorder).fit(X, y)
    assert sum(told[:2] == ("end", "epoch") for told in recorder.told) == 2
    assert recorder.told.count(("setup",)) == recorder.told.count(("teardown",)) == 1


@theirs
def test_scikit_learns_own_callbacks_work() -> None:
    from sklearn.callback import ProgressBar, ScoringMonitor

    X, y = blobs(3)
    monitor = ScoringMonitor(scoring="accuracy")
    clf = quick(early_stopping=False, calibrate=False).set_callbacks(monitor, ProgressBar())
    clf.fit(X, y)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 6
    assert scores[-1] == clf.score(X, y)


@theirs
def test_scikit_learns_callbacks_are_told_the_weights() -> None:
    from sklearn.callback import ScoringMonitor

    X, y = blobs(3)
    y = np.where(np.arange(len(y)) % 5 == 0, (y + 1) % 3, y)
    weights = np.random.default_rng(0).uniform(0.1, 5, len(y))
    monitor = ScoringMonitor(scoring="accuracy")
    clf = quick(early_stopping=False, calibrate=False).set_callbacks(monitor).fit(X, y, weights)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert scores[-1] == pytest.approx(clf.score(X, y, weights), rel=1e-12)
    assert scores[-1] != pytest.approx(clf.score(X, y), rel=1e-3)


@theirs
def test_set_callbacks_takes_scikit_learns_kind_and_fit_the_plain_one() -> None:
    X, y = blobs(3)
    with pytest.raises(InputError, match="Recorder is of scikit-learn's kind: give it to set_callbacks before fit"):
        quick().fit(X, y, callbacks=[Recorder()])
    with pytest.raises(TypeError, match="FitCallback protocol"):
        quick().set_callbacks(print)


# partial_fit and warm_start


def same_networks(one: fl.Classifier, other: fl.Classifier) -> bool:
    return all(
        np.array_equal(a, b)
        for first, second in zip(one.members_, other.members_, strict=True)
        for layer, twin in zip(first.parameters, second.parameters, strict=True)
        for a, b in zip(layer, twin, strict=True)
    )


KINDS: dict[str, dict[str, Any]] = {
    "classes": {},
    "sgd with momentum and dropout": {"optimizer": "sgd", "dropout": 0.2},
    "labels": {"task": "multi-label"},
    "separate networks": {"task": "multi-label", "separate_networks": True, "ensemble": 2},
    "the reference engine": {"engine": "reference"},
}


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_rows_in_parts_give_the_bits_that_they_give_at_once(settings: dict[str, Any]) -> None:
    X, y = blobs(3, n=96)
    y = labels_of(X) if "task" in settings else y
    classes = None if "task" in settings else [0, 1, 2]
    one, parts = quick(batch_size=16, **settings), quick(batch_size=16, **settings)
    one.partial_fit(X[:48], y[:48], classes).partial_fit(X[48:], y[48:])
    parts.partial_fit(X[:48], y[:48], classes)
    for start in range(48, 96, 16):
        parts.partial_fit(X[start : start + 16], y[start : start + 16])
    assert same_networks(one, parts)
    assert (one.n_iter_, parts.n_iter_) == (2, 4)
    assert one.record_["n_train"] == parts.record_["n_train"] == 96


def test_a_call_takes_the_engines_steps() -> None:
    X, y = blobs(3, n=96)
    clf = quick(batch_size=16, learning_rate=0.01)
    for start in range(0, 96, 16):
        clf.partial_fit(X[start : start + 16], y[start : start + 16], [0, 1, 2])
    engine = NativeEngine(clf.network_, "softmax")
    engine.initialise(0)
    engine.start(Plan(batch_size=16, learning_rate=0.01), 0)
    first = X[:16]
    features = Features(((X - first.mean(axis=0)) / first.std(axis=0)).astype(np.float32))
    engine.train_span(features, y.astype(np.int32), np.arange(96), Steps(np.full(6, 0.01)))
    for layer, expected in zip(clf.members_[0].parameters, engine.parameters(), strict=True):
        for found, tensor in zip(layer, expected, strict=True):
            np.testing.assert_allclose(found, tensor, rtol=0, atol=1e-6)  # the scaling rounds (x - m) * (1/s)


WEIGHED = {name: settings for name, settings in KINDS.items() if name != "sgd with momentum and dropout"}


@pytest.mark.parametrize("settings", WEIGHED.values(), ids=WEIGHED)
def test_weighed_rows_in_parts_give_the_bits_that_they_give_at_once(settings: dict[str, Any]) -> None:
    X, y = blobs(3, n=96)
    weights = np.random.default_rng(0).uniform(0.1, 9, (96, 3))
    more: dict[str, Any]
    if "task" in settings:
        y, classes, more = labels_of(X), None, {"pos_weight": np.array([2.0, 0.5, 1.0])}
    else:
        weights, classes, more = weights[:, 0], [0, 1, 2], {"class_weight": {0: 3.0, 2: 0.5}}
    one, parts, even = (quick(batch_size=16, **settings, **chosen) for chosen in (more, more, {}))
    for clf in (one, parts):
        clf.partial_fit(X[:48], y[:48], classes, weights[:48])
    one.partial_fit(X[48:], y[48:], sample_weight=weights[48:])
    for start in range(48, 96, 16):
        rows = slice(start, start + 16)
        parts.partial_fit(X[rows], y[rows], sample_weight=weights[rows])
    assert same_networks(one, parts)
    assert not same_networks(one, even.partial_fit(X[:48], y[:48], classes).partial_fit(X[48:], y[48:]))
    assert one.record_["weights"]["rows"]


def test_weights_are_taken_as_they_are() -> None:
    X, y = blobs(3, n=60)

    def stepped(rate: float, weights: Any, **more: Any) -> fl.Classifier:
        plain: dict[str, Any] = {"optimizer": "sgd", "weight_decay": 0.0, "batch_size": 20, "spec": {"momentum": 0}}
        clf = quick(**plain, **more, learning_rate=0.01).partial_fit(X[:20], y[:20], [0, 1, 2])
        return clf.set_params(learning_rate=rate).partial_fit(X[20:], y[20:], sample_weight=weights)

    # Of plain steps twice the weight is twice the rate: a power of two rounds nothing.
    assert same_networks(stepped(0.01, np.full(40, 2.0)), stepped(0.02, None))
    assert same_networks(stepped(0.01, np.ones(40)), stepped(0.01, None))
    assert not same_networks(stepped(0.01, np.full(40, 2.0)), stepped(0.01, None))


def test_a_class_weight_is_the_weight_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of features that are scaled alike: rows that weigh more count for more in their means, classes do not."""
    monkeypatch.setattr("fromlogits.incremental.of_statistics", lambda *_: None)
    X, y = blobs(3, n=60)
    by_row = quick(batch_size=20).partial_fit(X, y, [0, 1, 2], np.where(y == 1, 4.0, 1.0))
    assert same_networks(quick(batch_size=20, class_weight={1: 4}).partial_fit(X, y, [0, 1, 2]), by_row)
    assert not same_networks(quick(batch_size=20).partial_fit(X, y, [0, 1, 2]), by_row)


def test_a_row_without_weight_or_known_label_is_as_if_it_were_not_there() -> None:
    X, y = blobs(3, n=60)
    weights = np.where(np.arange(60) % 3 == 0, 0.0, 1.0)
    there = weights > 0
    X[~there] *= 1e6  # it would spoil the scaling
    one = quick(batch_size=16).partial_fit(X, y, [0, 1, 2], weights)
    assert same_networks(one, quick(batch_size=16).partial_fit(X[there], y[there], [0, 1, 2]))
    assert one.record_["n_train"] == 40
    known = labels_of(X).astype(float)
    known[~there] = np.nan
    labels = quick(batch_size=16).partial_fit(X, known)
    assert same_networks(labels, quick(batch_size=16).partial_fit(X[there], known[there]))
    with pytest.raises(InputError, match="no row takes part: in each of them every label is unknown or weighs 0"):
        labels.partial_fit(X[~there], known[~there])
    with pytest.raises(InputError, match="sample_weight must not be zero in every row"):
        one.partial_fit(X, y, sample_weight=np.zeros(60))
    with pytest.raises(InputError, match="sample_weight must be finite and at least 0; got -1 at row 0"):
        one.partial_fit(X, y, sample_weight=-np.ones(60))


def test_a_file_keeps_what_classes_count_for(tmp_path: Path) -> None:
    X, y = blobs(3, n=60)
    clf = quick(class_weight={1: 4}).partial_fit(X, y, [0, 1, 2])
    clf.save(tmp_path / "m")
    loaded = fl.load(tmp_path / "m").set_params(early_stopping=False, calibrate=False, spec=None)
    assert loaded.class_weight == {0: 1.0, 1: 4.0, 2: 1.0}
    assert loaded.record_["weights"] == {"rows": False, "class_weight": [1.0, 4.0, 1.0], "pos_weight": None}
    loaded.set_params(class_weight=None).partial_fit(X, y, sample_weight=np.arange(60))
    assert loaded.record_["weights"] == {"rows": True, "class_weight": None, "pos_weight": None}
    with pytest.raises(
        InputError, match=r"partial_fit: class_weight is \{0: 2\} now and was None when its steps began"
    ):
        loaded.set_params(class_weight={0: 2}).partial_fit(X, y)


def test_many_calls_learn_what_fit_learns() -> None:
    X, y = blobs(3, n=300)
    clf = quick(learning_rate=0.02, batch_size=30)
    order = np.random.default_rng(0).permutation(300)
    for _ in range(20):
        clf.partial_fit(X[order], y[order], classes=[0, 1, 2])
    fitted = quick(max_epochs=20, learning_rate=0.02, batch_size=30).fit(X, y)
    assert clf.score(X, y) >= fitted.score(X, y) - 0.02
    assert len(clf.loss_curve_) == 20
    assert clf.loss_curve_[-1] < clf.loss_curve_[0]


def test_a_batch_may_lack_classes_and_columns_may_come_to_life() -> None:
    X, y = blobs(3)
    X[:40, 1] = 7.0
    clf = quick().partial_fit(X[:40], np.zeros(40, int), classes=[2, 0, 1])
    before = clf.predict_logits(X[40:])
    clf.partial_fit(X[40:], y[40:])
    assert clf.classes_.tolist() == [0, 1, 2]
    X[40:, 1] += 1
    assert not np.array_equal(clf.predict_logits(X[40:]), before)
    without = X.copy()
    without[:, 1] = 7.0
    assert not np.array_equal(clf.predict_logits(X[40:]), clf.predict_logits(without[40:]))


def test_two_classes_text_and_label_names() -> None:
    X, _ = blobs(3)
    said = np.where(X[:, 0] > 0, "yes", "no")
    clf = quick().partial_fit(X, said, classes=["yes", "no"])
    assert (clf.classes_.tolist(), clf.predict_logits(X).shape) == (["no", "yes"], (len(X), 1))
    labels = quick().partial_fit(X, labels_of(X), classes=["car", "bus", "tram"])
    assert labels.classes_.tolist() == ["car", "bus", "tram"]


def test_after_a_fit_a_pickle_or_a_file_it_goes_on_without_the_optimizer(tmp_path: Path) -> None:
    X, y = blobs(3)
    fitted = quick().fit(X, y)
    fitted.save(tmp_path / "m")
    loaded = fl.load(tmp_path / "m").set_params(early_stopping=False, calibrate=False, spec=None)
    going_on = [fitted, pickle.loads(pickle.dumps(fitted)), loaded]
    for clf in going_on:
        clf.partial_fit(X[:32], y[:32])
        assert clf.temperature_ == 1.0
        assert clf.validation_metrics_ is None
        assert clf.n_iter_ == 7
    assert same_networks(going_on[0], going_on[1])
    assert same_networks(going_on[0], going_on[2])
    again = pickle.loads(pickle.dumps(fitted))
    assert same_networks(again, fitted)
    assert not same_networks(again.partial_fit(X[32:64], y[32:64]), fitted.partial_fit(X[32:64], y[32:64]))


def test_a_refused_batch_loses_nothing_and_a_divergence_takes_back_the_call() -> None:
    X, y = blobs(3)
    settings = {"batch_size": 32, "optimizer": "sgd"}
    clf, other = (quick(**settings).partial_fit(X[:32], y[:32], [0, 1, 2]) for _ in range(2))
    refused: list[tuple[Any, Any, dict[str, Any]]] = [(X[:32], y[:31], {}), (X[:32], y[:32] + 7, {})]
    for rows, targets, more in [*refused, (X[:32, :2], y[:32], {}), (X[:32], y[:32], {"classes": [0, 1]})]:
        with pytest.raises(InputError):
            clf.partial_fit(rows, targets, **more)
    clf.set_params(learning_rate=-1.0)
    with pytest.raises(InputError, match="learning_rate"):
        clf.partial_fit(X, y)
    clf.set_params(learning_rate=None)
    assert same_networks(clf.partial_fit(X[32:64], y[32:64]), other.partial_fit(X[32:64], y[32:64]))
    before = clf.predict_logits(X)
    with pytest.raises(DivergedError, match="is as it was before the call"):
        clf.set_params(learning_rate=1e6).partial_fit(X * 1e6, y)
    np.testing.assert_array_equal(clf.predict_logits(X), before)
    clf.set_params(learning_rate=None).partial_fit(X, y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"early_stopping": True}, "partial_fit holds no rows out, so it takes no early_stopping=True"),
        ({"calibrate": True}, "partial_fit holds no rows out, so it takes no calibrate=True"),
        (
            {"class_weight": "balanced"},
            r"can't know what class_weight='balanced' would be; say .*: class_weight={class:",
        ),
        ({"pos_weight": "balanced"}, r"can't know what pos_weight='balanced' would be; say .*: pos_weight={label: w"),
        ({"pos_weight": 2}, "pos_weight is for labels; this target has one class per row"),
        ({"spec": {"schedule": "cosine"}}, "dropout are constant; spec asks for the schedule 'cosine'"),
        ({"spec": {"dropout_schedule": "flat_cosine"}}, "spec asks for the dropout_schedule 'flat_cosine'"),
    ],
)
def test_partial_fit_refuses_what_it_cannot_do(settings: dict[str, Any], message: str) -> None:
    X, y = blobs(3)
    with pytest.raises(InputError, match=message):
        quick(**settings).partial_fit(X, y, [0, 1, 2])


def test_partial_fit_says_which_columns_its_first_batch_left_out() -> None:
    frame = pd.DataFrame({"x": np.sin(np.arange(40)), "same": ["a"] * 40, "key": np.arange(40)})
    y = np.arange(40) % 2
    clf = fl.Classifier()
    with pytest.warns(UserWarning) as caught:
        clf.partial_fit(frame, y, classes=[0, 1])

    assert [str(one.message).partition(": ")[2] for one in caught] == [
        "left out: same (the same value in every training row).",
        "left out: key, as it has a different value in nearly every row and names the row; a column of floats is kept.",
    ]
    assert {one.filename for one in caught} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.partial_fit(frame, y)
        fl.Classifier().partial_fit(frame[["x"]], y, classes=[0, 1])


def test_partial_fit_needs_the_classes_and_the_settings_it_began_with() -> None:
    X, y = blobs(3)
    with pytest.raises(InputError, match=r"partial_fit needs classes=\[\.\.\.\] at its first call"):
        quick().partial_fit(X, y)
    with pytest.raises(InputError, match="classes must be the names of y's columns"):
        import pandas as pd

        quick().partial_fit(X, pd.DataFrame(labels_of(X), columns=list("abc")), classes=["a", "b", "d"])
    clf = quick().partial_fit(X, y, [0, 1, 2])
    with pytest.raises(InputError, match=r"partial_fit: dropout is 0\.5 now and was None when its steps began"):
        clf.set_params(dropout=0.5).partial_fit(X, y)


def test_warm_start_goes_on_from_the_present_parameters() -> None:
    X, y = blobs(3)
    settings: dict[str, Any] = {"early_stopping": False, "calibrate": False, "max_epochs": 1, "batch_size": 16}
    settings |= {"learning_rate": 0.01, "spec": {"schedule": "constant"}}
    clf = quick(warm_start=True, **settings).fit(X, y).fit(X, y)
    engine = NativeEngine(clf.network_, "softmax")
    engine.initialise(0)
    order = training.epoch_order(np.arange(len(X)), 0, 1)
    for _ in range(2):  # the optimizer begins anew, the parameters stay
        engine.start(clf.plan_, 0)
        features = clf.encoder_.encode(as_inputs(X))
        engine.train_span(features, y.astype(np.int32), order, Steps(np.full(math.ceil(len(X) / 16), 0.01)))
    for layer, expected in zip(clf.members_[0].parameters, engine.parameters(), strict=True):
        for found, tensor in zip(layer, expected, strict=True):
            np.testing.assert_array_equal(found, tensor)
    cold = quick(**settings).fit(X, y)
    assert same_networks(cold.fit(X, y), quick(**settings).fit(X, y))


def test_warm_start_keeps_scaling_classes_and_seed() -> None:
    X, y = blobs(3)
    clf = quick(warm_start=True, random_state=None).fit(X, y)
    seed, mean = clf.seed_, clf.encoder_.mean
    clf.fit(X * 2, np.minimum(y, 1))
    assert clf.seed_ == seed
    np.testing.assert_array_equal(clf.encoder_.mean, mean)
    assert clf.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"hidden_layer_sizes": (7,)},
            "goes on from the network that is there, 6 relu, 3 linear; the settings ask for",
        ),
        ({"ensemble": 2}, r"goes on from the networks that are there \(ensemble=1, separate_networks=False\)"),
    ],
)
def test_warm_start_refuses_another_network(change: dict[str, Any], message: str) -> None:
    X, y = blobs(3)
    clf = quick(warm_start=True).fit(X, y)
    before = clf.predict_logits(X)
    with pytest.raises(InputError, match=message):
        clf.set_params(**change).fit(X, y)
    np.testing.assert_array_equal(clf.predict_logits(X), before)


def test_warm_start_refuses_other_columns_and_classes() -> None:
    X, y = blobs(3)
    clf = quick(warm_start=True).fit(X, y)
    with pytest.raises(InputError, match="X has 3 features, but Classifier is expecting 4"):
        clf.fit(X[:, :3], y)
    with pytest.raises(InputError, match="a class that was not in the training rows"):
        clf.fit(X, y + 1)


# Its tools


def test_a_grid_is_searched_inside_a_pipeline() -> None:
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = blobs(3)
    pipeline = Pipeline([("scale", StandardScaler()), ("net", quick())])
    grid = {"net__hidden_layer_sizes": [(), (5,)], "net__learning_rate": [1e-4, 0.05]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_params_["net__learning_rate"] == 0.05
    assert search.best_estimator_["net"].learning_rate == 0.05
    assert search.best_score_ > search.cv_results_["mean_test_score"].min()


def test_a_search_in_several_processes_finds_the_same_scores() -> None:
    from sklearn.model_selection import GridSearchCV

    X, y = blobs(3)
    one, two = (GridSearchCV(quick(), {"hidden_layer_sizes": [(), (5,)]}, cv=2, n_jobs=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])


def test_sparse_columns_of_a_transformer() -> None:
    import pandas as pd
    import scipy.sparse as sp
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    words = np.array([f"word {i}" for i in range(40)])[np.arange(200) % 40]
    frame = pd.DataFrame({"word": words, "x": np.linspace(0.5, 1, 200)})
    columns = ColumnTransformer([("word", OneHotEncoder(), ["word"])], remainder="passthrough", sparse_threshold=1.0)
    assert sp.issparse(columns.fit_transform(frame))
    y = np.arange(200) % 40 < 20
    assert make_pipeline(columns, quick(max_epochs=60, learning_rate=0.05)).fit(frame, y).score(frame, y) == 1.0


@pytest.mark.parametrize("scoring", ["f1_macro", "roc_auc", "neg_log_loss_of_each", None])
def test_labels_are_scored_by_cross_validation(scoring: Any) -> None:
    from sklearn.metrics import accuracy_score, f1_score, log_loss, make_scorer, roc_auc_score
    from sklearn.model_selection import KFold, cross_val_score

    X, _ = blobs(3)
    Y = labels_of(X)
    measures: dict[Any, Callable[[fl.Classifier, Array, Array], float]] = {
        "f1_macro": lambda clf, X, Y: f1_score(Y, clf.predict(X), average="macro"),
        "roc_auc": lambda clf, X, Y: roc_auc_score(Y, clf.predict_proba(X)),
        "neg_log_loss_of_each": lambda clf, X, Y: (
            -np.mean([log_loss(*pair) for pair in zip(Y.T, clf.predict_proba(X).T, strict=True)])
        ),
        None: lambda clf, X, Y: accuracy_score(Y, clf.predict(X)),
    }
    folds = KFold(2)
    if scoring == "neg_log_loss_of_each":
        per_label = lambda Y, P: np.mean([log_loss(*pair) for pair in zip(Y.T, P.T, strict=True)])  # noqa: E731
        given: Any = make_scorer(per_label, greater_is_better=False, response_method="predict_proba")
    else:
        given = scoring
    found = cross_val_score(quick(), X, Y, cv=folds, scoring=given)
    expected = [measures[scoring](quick().fit(X[a], Y[a]), X[b], Y[b]) for a, b in folds.split(X)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_meta_estimators_take_it_as_any_classifier() -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import BaggingClassifier, VotingClassifier
    from sklearn.inspection import permutation_importance
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
    from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
    from sklearn.multioutput import ClassifierChain, MultiOutputClassifier

    X, y = blobs(3)
    clf = quick(learning_rate=0.05, max_epochs=20)
    for meta in (
        CalibratedClassifierCV(clf, cv=2),
        VotingClassifier([("net", clf), ("line", LogisticRegression())], voting="soft"),
        BaggingClassifier(clf, n_estimators=2, random_state=0),
        OneVsRestClassifier(clf),
        OneVsOneClassifier(clf),
    ):
        assert meta.fit(X, y).score(X, y) > 0.8, meta
    for meta in (TunedThresholdClassifierCV(clf, cv=2), FixedThresholdClassifier(clf, threshold=0.4)):
        assert meta.fit(X, y == 1).score(X, y == 1) > 0.6, meta
    for meta in (MultiOutputClassifier(clf), ClassifierChain(clf, random_state=0)):
        assert meta.fit(X, labels_of(X)).predict(X).shape == (len(X), 3)
    X[:, 3] = 0.0
    importance = permutation_importance(clf.fit(X, y), X, y, n_repeats=2, random_state=0).importances_mean
    assert importance[3] == 0.0 < importance.max()


def test_columns_are_known_by_name() -> None:
    import pandas as pd

    X, y = blobs(3)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    clf = quick().fit(frame, y)
    assert clf.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(clf.predict_proba(frame[["d", "b", "a", "c"]]), clf.predict_proba(frame))
    with pytest.raises(InputError, match="column 'c' is missing"):
        clf.predict(frame[["a", "b", "d"]])
