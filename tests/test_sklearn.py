"""The classifier inside scikit-learn's tools: copies, pipelines, searches, metadata, callbacks."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
import sklearn
from sklearn.base import clone

import fromlogits as fl
from fromlogits.errors import InputError, ModelFileError

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
        if name not in ("_networks", "_model", "encoder_", "target_"):
            np.testing.assert_equal(getattr(again, name), getattr(clf, name))
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
