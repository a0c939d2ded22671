from __future__ import annotations

import copy
import inspect
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits import logits as from_logits
from fromlogits import metrics
from fromlogits.errors import DivergedError, EngineUnavailableError, InputError, ModelFileError, NotFittedError
from tests.every_engine import needs_torch

Arrays = tuple[NDArray[Any], NDArray[Any]]


def blobs(n_classes: int, n: int = 240, d: int = 6, seed: int = 0) -> Arrays:
    """Rows of classes whose centres are well apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return rng.normal(size=(n, d)) + 3 * rng.normal(size=(n_classes, d))[y], y


def labels(n: int = 300, seed: int = 0) -> Arrays:
    x = np.random.default_rng(seed).normal(size=(n, 5))
    return x, np.stack([x[:, 0] > 0, x[:, 1] + x[:, 2] > 0, x[:, 3] > 1], axis=1).astype(int)


def quick(**settings: Any) -> fl.Classifier:
    return fl.Classifier(
        **{"hidden_layer_sizes": (16,), "max_epochs": 30, "learning_rate": 0.01, "random_state": 0, **settings}
    )


def same_model(a: fl.Classifier, b: fl.Classifier, x: NDArray[Any]) -> bool:
    return np.array_equal(a.predict_logits(x), b.predict_logits(x))


def test_many_classes_get_a_softmax_and_keep_their_names() -> None:
    x, y = blobs(4)
    names = np.array(["ant", "bee", "cat", "dog"])
    clf = quick().fit(x, names[y])
    assert clf.score(x, names[y]) > 0.95
    assert clf.classes_.tolist() == names.tolist()
    assert clf.predict_proba(x).shape == (240, 4)
    np.testing.assert_allclose(clf.predict_proba(x).sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(clf.predict(x), names[clf.predict_proba(x).argmax(axis=1)])


def test_two_classes_are_one_sigmoid_unit() -> None:
    x, y = blobs(2)
    clf = quick().fit(x, y)
    z = clf.predict_logits(x)
    assert z.shape == (240, 1)
    assert clf.decision_function(x).shape == (240,)
    assert np.array_equal(clf.decision_function(x), z[:, 0])
    assert np.array_equal(clf.predict_proba(x), from_logits.sigmoid(np.hstack([-z, z])))
    assert np.array_equal(clf.predict_log_proba(x), from_logits.log_sigmoid(np.hstack([-z, z])))
    assert np.array_equal(clf.predict(x), clf.predict_proba(x)[:, 1] > 0.5)


def test_two_stated_units_are_a_softmax_over_two() -> None:
    x, y = blobs(2)
    clf = fl.Classifier(network=fl.Network([fl.Dense(8, "relu"), fl.Dense(2)]), max_epochs=5, random_state=0).fit(x, y)
    assert clf.predict_logits(x).shape == clf.predict_proba(x).shape == (240, 2)
    assert np.array_equal(clf.predict_proba(x), from_logits.softmax(clf.predict_logits(x)))


def test_a_0_1_matrix_gets_a_sigmoid_per_label() -> None:
    x, y = labels()
    clf = quick(max_epochs=60).fit(x, y)
    assert clf.predict_proba(x).shape == (300, 3)
    assert np.array_equal(clf.predict(x), (clf.predict_proba(x) > 0.5).astype(int))
    assert clf.score(x, y) > 0.8
    assert clf.evaluate(x, y)["per_label"][0]["label"] == clf.classes_[0]


@pytest.mark.parametrize("make", [blobs, lambda n_classes: labels()])
def test_probabilities_are_the_head_of_the_logits_bit_for_bit(make: Any) -> None:
    x, y = make(3)
    clf = quick().fit(x, y)
    head = from_logits.softmax if y.ndim == 1 else from_logits.sigmoid
    assert np.array_equal(clf.predict_proba(x), head(clf.predict_logits(x)))


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_naming_the_head_in_the_last_layer_trains_the_same_bits(head: str) -> None:
    x, y = blobs(3) if head == "softmax" else labels()
    fits = []
    for last in ("linear", head):
        network = fl.Network([fl.Dense(9, "relu"), fl.Dense(3, last)])
        fits.append(fl.Classifier(network=network, max_epochs=5, random_state=1).fit(x, y))
    assert same_model(fits[0], fits[1], x)


def test_a_network_and_its_hidden_layer_sizes_are_the_same() -> None:
    x, y = blobs(3)
    network = fl.Network([fl.Dense(25, "relu"), fl.Dense(15, "relu"), fl.Dense(3, "linear")])
    a = fl.Classifier(network=network, max_epochs=5, random_state=0).fit(x, y)
    b = fl.Classifier(hidden_layer_sizes=(25, 15), max_epochs=5, random_state=0).fit(x, y)
    assert same_model(a, b, x)
    assert a.network_ == b.network_


def test_one_seed_fixes_every_bit_for_any_number_of_threads() -> None:
    x, y = blobs(3, n=400, d=300)
    fits = [
        quick(hidden_layer_sizes=(300, 100), batch_size=128, n_jobs=n, max_epochs=4).fit(x, y) for n in (1, 2, 3, 1)
    ]
    assert all(same_model(fits[0], other, x) for other in fits[1:])
    assert not same_model(fits[0], quick(hidden_layer_sizes=(300, 100), batch_size=128, random_state=1).fit(x, y), x)


def test_without_a_seed_one_is_drawn_and_recorded() -> None:
    x, y = blobs(3)
    first = quick(random_state=None).fit(x, y)
    assert same_model(first, quick(random_state=first.seed_).fit(x, y), x)
    assert first.seed_ != quick(random_state=None).fit(x, y).seed_


def test_calibration_lives_in_the_logits_and_can_be_undone() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(600, 20)), rng.integers(0, 2, 600)  # nothing to learn: the network is overconfident
    clf = quick(early_stopping=False, max_epochs=60).fit(x, y)
    by = clf.calibration_
    assert (by.temperatures > 2).all()
    raw = clf.predict_logits(x, calibrated=False)
    bias = 0.0 if by.biases is None else by.biases
    np.testing.assert_allclose(clf.predict_logits(x), raw.astype(float) / clf.temperature_ + bias, rtol=1e-7)
    losses = clf.record_["calibration"]["log_loss"]
    assert losses[clf.record_["calibration"]["kind"]] == min(losses.values()) < losses["none"]

    plain = quick(calibrate=False, max_epochs=2).fit(x, y)
    assert plain.calibration_.is_nothing and plain.temperature_ == 1.0 and "calibration" not in plain.record_


def test_labels_that_are_off_each_in_its_way_are_put_right_each_in_its_way(tmp_path: Path) -> None:
    """Labels that validation rows have more, or less, often than the rows that were trained on."""
    rng = np.random.default_rng(0)
    x, x_valid = rng.normal(size=(600, 5)), rng.normal(size=(2000, 5))
    off = np.array([1.5, -1.5, 0.0])

    def labels(rows: NDArray[Any], bias: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(rng.random((len(rows), 3)) < 1 / (1 + np.exp(-2 * rows[:, :3] - bias)), int)

    clf = quick(task="multi-label").fit(x, labels(x, 0 * off), X_val=x_valid, y_val=labels(x_valid, off))

    by, record = clf.calibration_, clf.record_["calibration"]
    assert by.biases is not None and record["kind"] == "per_label"
    assert by.biases[0] > 0.8 and by.biases[1] < -0.8 and abs(by.biases[2]) < 0.3
    assert clf.temperature_ is by.temperatures
    x_test = rng.normal(size=(4000, 5))
    y_test = labels(x_test, off)
    raw = clf.predict_logits(x_test, calibrated=False)
    np.testing.assert_array_equal(clf.predict_logits(x_test), by.apply(raw))
    before = metrics.value("log_loss", "multi-label", raw, y_test)
    after = clf.evaluate(x_test, y_test)["log_loss"]
    assert before is not None and after < before - 0.05
    assert record["log_loss"]["per_label"] == pytest.approx(after, abs=0.02)

    clf.save(tmp_path / "m")
    for again in (fl.load(tmp_path / "m"), pickle.loads(pickle.dumps(clf))):
        assert again.calibration_ == by and again.record_ == clf.record_
        np.testing.assert_array_equal(again.predict_proba(x_test), clf.predict_proba(x_test))
    described = clf.describe()
    assert (described["temperature"], described["bias"]) == (by.temperatures.tolist(), by.biases.tolist())

    on_none = pickle.loads(pickle.dumps(clf)).set_params(early_stopping=False, calibrate=False, warm_start=True)
    assert on_none.fit(x, labels(x, off)).calibration_.is_nothing
    in_parts = pickle.loads(pickle.dumps(clf)).partial_fit(x, labels(x, off))
    assert in_parts.calibration_.is_nothing and "calibration" not in in_parts.record_
    in_parts.save(tmp_path / "parts")
    assert fl.load(tmp_path / "parts").calibration_.is_nothing


def test_without_early_stopping_and_calibration_every_row_is_trained_on() -> None:
    x, y = blobs(3)
    clf = quick(early_stopping=False, calibrate=False, max_epochs=7).fit(x, y)
    assert clf.n_iter_ == clf.best_epoch_ == 7
    assert clf.record_["n_train"] == 240
    assert clf.validation_metrics_ is None
    assert all(epoch.validation is None for epoch in clf.history_.epochs)


def test_own_validation_rows_are_used_and_none_are_held_out() -> None:
    x, y = blobs(3)
    clf = quick().fit(x[:200], y[:200], X_val=x[200:], y_val=y[200:])
    assert (clf.record_["n_train"], clf.record_["n_validation"]) == (200, 40)
    figures = clf.evaluate(x[200:], y[200:])
    assert clf.validation_metrics_ == {name: figures[name] for name in ("accuracy", "log_loss")}
    judged = quick(metric="brier").fit(x[:200], y[:200], X_val=x[200:], y_val=y[200:]).validation_metrics_
    assert judged is not None and list(judged) == ["accuracy", "log_loss", "brier"]
    with pytest.raises(InputError, match="X_val and y_val come together"):
        quick().fit(x, y, X_val=x)


def test_the_held_out_rows_decide_the_epoch() -> None:
    x, y = blobs(3)
    clf = quick(metric="accuracy", patience=2, max_epochs=50).fit(x, y)
    values = [epoch.validation for epoch in clf.history_.epochs]
    assert clf.best_epoch_ == 1 + values.index(max(value for value in values if value is not None))
    assert clf.n_iter_ <= clf.best_epoch_ + 2
    assert clf.loss_curve_ == [epoch.loss for epoch in clf.history_.epochs]


@pytest.mark.parametrize("kind", ["multi-class", "two classes", "multi-label"])
def test_a_saved_model_predicts_the_same_bits(kind: str, tmp_path: Path) -> None:
    x, y = {"multi-class": blobs(5), "two classes": blobs(2), "multi-label": labels()}[kind]
    clf = quick(hidden_layer_sizes=(9, 7), activation="silu").fit(x, y)
    path = tmp_path / "model.safetensors"
    clf.save(path)
    loaded = fl.load(path)
    assert same_model(clf, loaded, x)
    assert np.array_equal(clf.predict(x), loaded.predict(x))
    assert loaded.history_ == clf.history_
    assert loaded.describe() == clf.describe()
    again = tmp_path / "again.safetensors"
    loaded.save(again)
    assert path.read_bytes() == again.read_bytes()


def test_the_same_seed_writes_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = blobs(3)
    for name, n_jobs, span_s in (("a", 1, 0.1), ("b", 3, 0.1), ("c", 2, 1e-6)):  # a span's length follows the clock
        monkeypatch.setattr("fromlogits.training.SPAN_S", span_s)
        quick(n_jobs=n_jobs, batch_size=8).fit(x, y).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_loaded_model_can_be_trained_again_as_it_was(tmp_path: Path) -> None:
    x, y = blobs(3)
    clf = quick(spec={"schedule": "constant", "clip_norm": 1.0}, dropout=0.2).fit(x, y)
    clf.save(tmp_path / "m")
    again = fl.load(tmp_path / "m").fit(x, y)
    assert same_model(clf, again, x)


def test_an_existing_file_is_kept_unless_told(tmp_path: Path) -> None:
    x, y = blobs(3)
    clf = quick().fit(x, y)
    path = tmp_path / "m"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists; choose another name"):
        clf.save(path)
    assert path.read_text() == "mine"
    clf.save(path, overwrite=True)
    assert fl.load(path).n_features_in_ == 6


def test_manifest_and_tensors_that_disagree_are_refused_by_name(tmp_path: Path) -> None:
    from fromlogits import model_file

    x, y = blobs(3)
    quick().fit(x, y).save(tmp_path / "m")
    manifest, tensors = model_file.load_model(tmp_path / "m")
    cases: dict[str, Any] = {
        "tensor 'layer.0.weights' must be": lambda m, t: t.update({"layer.0.weights": np.zeros((16, 5), np.float32)}),
        "tensor 'layer.1.biases' is missing": lambda m, t: t.pop("layer.1.biases"),
        "has no place": lambda m, t: t.update({"layer.2.weights": np.zeros((1, 1), np.float32)}),
        "outputs for 2 classes": lambda m, t: m["target"]["classes"].pop(),
        "head": lambda m, t: m["spec"].update(head="sigmoid"),
        "temperature": lambda m, t: m["calibration"].update(temperature=0.0),
        "Dense units": lambda m, t: m["spec"]["network"]["layers"][0].update(units=10**11),
        "unknown keys": lambda m, t: m.update(surprise=1),
    }
    for message, change in cases.items():
        damaged, other = copy.deepcopy(manifest), dict(tensors)
        change(damaged, other)
        model_file.save_model(tmp_path / "bad", damaged, other, overwrite=True)
        with pytest.raises(ModelFileError, match=message):
            fl.load(tmp_path / "bad")


@pytest.mark.parametrize("engine", ["native", pytest.param("torch", marks=needs_torch), "reference"])
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
def test_copies_and_pickles_predict_the_same_bits(engine: str, is_sparse: bool) -> None:
    x, y = blobs(3)
    if is_sparse:
        csr_array = pytest.importorskip("scipy.sparse").csr_array
        x = csr_array(np.where(np.abs(x) > 4, x, 0))
    clf = quick(engine=engine, max_epochs=3, early_stopping=False).fit(x, y)
    assert same_model(clf, copy.deepcopy(clf), x)
    assert same_model(clf, pickle.loads(pickle.dumps(clf)), x)


def test_using_it_before_fit_says_so(tmp_path: Path) -> None:
    clf = fl.Classifier()
    uses: list[Callable[[], Any]] = [
        lambda: clf.predict([[1.0]]),
        lambda: clf.predict_proba([[1.0]]),
        lambda: clf.save(tmp_path / "m"),
    ]
    for use in uses:
        with pytest.raises(NotFittedError, match="call fit"):
            use()


def test_a_failed_fit_leaves_the_fitted_model_as_it_was() -> None:
    x, y = blobs(3)
    clf = quick().fit(x, y)
    before = clf.predict_logits(x)
    with pytest.raises(InputError):
        clf.fit(x, np.zeros(len(x)))
    assert np.array_equal(clf.predict_logits(x), before)


def test_divergence_is_an_error_that_names_step_and_cure() -> None:
    x, y = blobs(3)
    with pytest.raises(DivergedError, match="Lower learning_rate") as caught:
        quick(optimizer="sgd", learning_rate=1e6, hidden_layer_sizes=(50, 50, 50), max_epochs=50).fit(x * 1e3, y)
    assert caught.value.step >= 1


def test_errors_cross_to_another_process() -> None:
    x, y = blobs(3)
    with pytest.raises(DivergedError) as diverged:
        quick(optimizer="sgd", learning_rate=1e6, hidden_layer_sizes=(50, 50, 50)).fit(x * 1e3, y)
    again = pickle.loads(pickle.dumps(diverged.value))
    assert (str(again), again.step) == (str(diverged.value), diverged.value.step)
    with pytest.raises(NotFittedError) as not_fitted:
        fl.Classifier().predict(x)
    assert str(pickle.loads(pickle.dumps(not_fitted.value))) == str(not_fitted.value)


def test_a_last_step_that_diverges_is_noticed_without_validation_rows() -> None:
    x, y = blobs(3)
    settings = {"early_stopping": False, "calibrate": False, "batch_size": 500, "max_epochs": 2}
    with pytest.raises(DivergedError, match="a logit is not finite"):
        quick(optimizer="sgd", learning_rate=1e6, hidden_layer_sizes=(50, 50, 50), **settings).fit(x, y)


def test_whole_numbers_are_taken_where_numbers_are() -> None:
    x, y = blobs(3)
    clf = quick(optimizer="sgd", learning_rate=1, weight_decay=0, spec={"schedule": "constant", "clip_norm": 1}).fit(
        x, y
    )
    assert clf.plan_.learning_rate == 1.0


def test_threads_can_be_changed_after_fit() -> None:
    x, y = blobs(3)
    clf = quick(n_jobs=1).fit(x, y)
    before = clf.predict_logits(x)
    assert np.array_equal(clf.set_params(n_jobs=3).predict_logits(x), before)
    with pytest.raises(InputError, match="n_jobs"):
        clf.set_params(n_jobs=0).predict(x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": fl.Network([fl.Dense(3)]), "hidden_layer_sizes": (5,)}, "state either network or hidden_layer"),
        ({"network": fl.Network([fl.Dense(3)]), "activation": "relu"}, "state either network or activation"),
        ({"network": fl.Network([fl.Dense(4)])}, r"Dense\(3, 'linear'\) fits"),
        ({"network": fl.Network([fl.Dense(3, "sigmoid")])}, "one softmax unit per class"),
        ({"network": "25,15"}, r"must be a fromlogits\.Network"),
        ({"network": fl.Network([fl.Dense(3)], n_features=5)}, "states 5 input features; the data have 6"),
        ({"hidden_layer_sizes": (5, 0)}, "Dense units"),
        ({"hidden_layer_sizes": "25,15"}, "tuple of whole numbers"),
        ({"activation": "rellu"}, "Did you mean 'relu'"),
        ({"preset": "god"}, "preset must be one of fast, good, best; got 'god'"),
        ({"engine": "tensorflow"}, "engine must be one of native, torch, reference"),
        ({"device": "gpu"}, "device must be one of cpu, cuda, mps"),
        ({"device": "cuda"}, "device='cuda' is for engine='torch'; the native engine computes on the cpu"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"random_state": -1}, "random_state"),
        ({"random_state": "x"}, "random_state"),
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"metric": "micro_f1"}, "is for multi-label targets"),
        ({"spec": {"shedule": "cosine"}}, "Did you mean 'schedule'"),
        ({"spec": {"dropout": 0.5}}, "spec takes schedule"),
        ({"task": "regression"}, "multi-class"),
        ({"dropout": 1.5}, "dropout"),
    ],
)
def test_an_impossible_setting_is_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    x, y = blobs(3)
    base = {} if "network" in settings else {"hidden_layer_sizes": (4,)}
    if "activation" in settings and "network" in settings:
        base = {}
    with pytest.raises(InputError, match=message) as caught:
        fl.Classifier(**{**base, "random_state": 0, **settings}).fit(x, y)
    assert "\n" not in str(caught.value)


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'dropout'"):
        fl.Classifier().set_params(droput=0.1)


def test_a_value_that_the_training_never_had_is_warned_of_once_a_call() -> None:
    frame = pd.DataFrame({"x": np.sin(np.arange(90)), "c": ["a", "b", "c"] * 30, "r": [1, 2, 3] * 30})
    y = np.arange(90) % 2
    clf = fl.Classifier(max_epochs=1).fit(frame, y)
    later = frame.assign(c=["a", "z", None] * 30, r=[1, 2, 7] * 30)
    for call in (clf.predict, clf.predict_proba, clf.predict_logits, clf.decision_function, clf.predict_log_proba):
        with pytest.warns(UserWarning) as caught:
            call(later)
        assert [str(one.message) for one in caught] == [
            "values that the training never had count for nothing: column 'c' (30 of 90 rows), column 'r' (30 of 90"
            " rows)"
        ]
        assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"column 'c' \(30 of 90 rows\)") as caught:
        clf.score(later, y)
    assert (len(caught), caught[0].filename) == (1, __file__)


def test_values_as_the_training_had_them_are_not_warned_of() -> None:
    names = [f"n{row % 60 if row < 200 else row}" for row in range(240)]
    frame = pd.DataFrame({"x": np.sin(np.arange(240)), "c": ["a", "b", "b", "a"] * 60, "town": names})
    clf = fl.Classifier(max_epochs=1).fit(frame, np.arange(240) % 2)

    gaps = frame.assign(c=None, town="elsewhere", x=np.nan)  # and a town that shares the rare ones' feature
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf.predict(frame)
        clf.predict(gaps)
    assert not caught


def test_a_column_that_is_read_as_it_was_learned_is_warned_of() -> None:
    frame = pd.DataFrame({"x": np.sin(np.arange(60)), "on": np.arange(60) % 3 == 0})
    clf = fl.Classifier(max_epochs=1).fit(frame, np.arange(60) % 2)
    with pytest.warns(UserWarning, match="column 'on' was read as 'yes' = 1 and 'no' = 0, as the model learned it"):
        found = clf.predict_proba(frame.assign(on=np.where(frame.on, "yes", "no")))
    assert np.array_equal(found, clf.predict_proba(frame))


def test_an_unknown_keyword_of_the_constructor_is_refused_with_the_nearest() -> None:
    for setting, expected in (("hiden", "hidden_layer_sizes"), ("droput", "dropout"), ("epochs", "max_epochs")):
        with pytest.raises(InputError, match=rf"^Classifier has no setting '{setting}'\. Did you mean '{expected}'\?"):
            unknown: dict[str, Any] = {setting: 3}
            fl.Classifier(**unknown)
    with pytest.raises(TypeError, match="Known: network, "):
        fl.Classifier(units=3)  # type: ignore[call-arg]
    settings = inspect.signature(fl.Classifier).parameters
    assert list(settings) == list(fl.Classifier().get_params())

    class Wider(fl.Classifier):
        def __init__(self, *, extra: int = 1, **settings: Any) -> None:
            super().__init__(**settings)
            self.extra = extra

    assert Wider(extra=3, max_epochs=5).max_epochs == 5
    with pytest.raises(TypeError):
        fl.Classifier(gpu=True)  # type: ignore[call-arg]


def test_the_fitted_network_prints_its_layers() -> None:
    x, y = blobs(3)
    assert "16 relu" in str(quick().fit(x, y).network_)
    assert repr(quick()) == "Classifier(hidden_layer_sizes=(16,), learning_rate=0.01, max_epochs=30, random_state=0)"


def test_uint8_pictures_are_flattened_and_scaled() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (200, 6, 6)).astype(np.uint8)
    y = np.arange(200) % 2
    x[y == 1, :3] += 120
    clf = quick().fit(x, y)
    assert clf.encoder_.schema.picture_shape == (6, 6)
    assert clf.score(x, y) == 1.0
    assert np.array_equal(clf.predict_logits(x), clf.predict_logits(x.reshape(200, 36)))


@pytest.mark.parametrize("engine", [pytest.param("torch", marks=needs_torch), "reference"])
def test_another_engine_learns_the_same_model(engine: str) -> None:
    x, y = blobs(3)
    native, other = (quick(engine=name, max_epochs=5).fit(x, y) for name in ("native", engine))
    np.testing.assert_allclose(native.predict_logits(x), other.predict_logits(x), rtol=1e-3, atol=1e-3)


@needs_torch
@pytest.mark.parametrize(("trained_by", "read_by"), [("torch", "native"), ("native", "torch")])
def test_a_model_of_one_engine_predicts_on_another(trained_by: str, read_by: str, tmp_path: Path) -> None:
    x, y = blobs(3)
    clf = fl.Classifier(engine=trained_by, max_epochs=5, ensemble=2, spec={"folds": 1}, random_state=0).fit(x, y)
    clf.save(tmp_path / "m.safetensors")
    other = fl.load(tmp_path / "m.safetensors", engine=read_by)
    # Three products of 256 numbers around 1 in float32, of which the libraries add up in another order.
    np.testing.assert_allclose(other.predict_logits(x), clf.predict_logits(x), rtol=1e-4, atol=1e-4)
    assert np.array_equal(other.predict(x), clf.predict(x))
    other.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


@needs_torch
def test_networks_of_the_torch_engine_have_the_bits_they_have_alone() -> None:
    """One after another on all threads: a part of the threads may round otherwise."""
    x, y = blobs(3)
    settings: dict[str, Any] = {"engine": "torch", "max_epochs": 3, "spec": {"folds": 1}, "random_state": 0}
    one, several = (fl.Classifier(ensemble=k, n_jobs=2, **settings).fit(x, y) for k in (1, 3))
    for layer, same in zip(one.members_[0].parameters, several.members_[0].parameters, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(layer, same, strict=True))


def test_without_pytorch_the_torch_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    x, y = blobs(3)
    with pytest.raises(EngineUnavailableError) as caught:
        fl.Classifier(engine="torch").fit(x, y)
    assert str(caught.value) == (
        "engine='torch' needs PyTorch, which is not installed: pip install 'fromlogits[torch]'."
    )


def test_verbose_writes_lines_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = blobs(3)
    quick(verbose=True, max_epochs=3).fit(x, y)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "216 rows to train on, 24 held out"
    assert err.splitlines()[-1].startswith("epoch 3/3")
    quick(max_epochs=3).fit(x, y)
    assert capsys.readouterr() == ("", "")


def test_rows_of_an_unknown_class_are_counted_not_refused() -> None:
    x, y = blobs(3)
    clf = quick().fit(x, y)
    figures = clf.evaluate(x[:5], np.array([0, 1, 2, 0, 7]))
    assert figures["unknown_class_rows"] == 1
    assert figures["accuracy"] <= 0.8


def test_scikit_learn_composes_it() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = blobs(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert clone(quick(dropout=0.3)).get_params()["dropout"] == 0.3
        assert cross_val_score(make_pipeline(StandardScaler(), quick()), x, y, cv=3).mean() > 0.9
        search = GridSearchCV(quick(), {"hidden_layer_sizes": [(4,), (16,)]}, cv=2).fit(x, y)
    assert search.best_score_ > 0.9


def test_of_a_very_long_training_the_file_keeps_some_epochs_and_the_count(tmp_path: Path) -> None:
    X = np.array([[0.0], [1.0]] * 3)
    y = np.array([0, 1] * 3)
    clf = fl.Classifier(hidden_layer_sizes=(), max_epochs=40_003, early_stopping=False, calibrate=False, random_state=0)
    clf.fit(X, y).save(tmp_path / "m")

    again = fl.load(tmp_path / "m")

    assert (clf.n_iter_, again.n_iter_, again.best_epoch_) == (40_003, 40_003, clf.best_epoch_)
    assert 5_000 < len(again.loss_curve_) <= 10_000
    assert again.loss_curve_[0] == clf.loss_curve_[0]
    assert again.loss_curve_[-1] == clf.loss_curve_[-1]
    again.save(tmp_path / "n")
    assert (tmp_path / "n").read_bytes() == (tmp_path / "m").read_bytes()


def test_one_label_is_a_matrix_of_one_column_where_the_task_says_so() -> None:
    X = np.array([[0.0], [1.0]] * 20)
    y = np.array([[0], [1]] * 20)

    clf = fl.Classifier(task="multi-label", hidden_layer_sizes=(), random_state=0).fit(X, y)  # warnings are errors

    assert clf.predict(X).shape == (40, 1)
    assert clf.predict_proba(X).shape == (40, 1)
