"""A few plain rows go a short way; more than 64 in a call, and whatever is not plain, the long one."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits import few_rows
from fromlogits.decisions.calibration import Calibration
from fromlogits.errors import InputError

N, D = 90, 20
PIXELS = np.random.default_rng(0).integers(0, 256, (N, D)).astype(np.uint8)
TARGETS: dict[str, NDArray[Any]] = {
    "classes": np.arange(N) % 3,
    "two classes": np.arange(N) % 2,
    "labels": np.stack([np.arange(N) % 2, np.arange(N) % 3 == 0, np.arange(N) % 5 == 1], axis=1).astype(int),
}


def fitted(target: str, kind: str, **settings: Any) -> fl.Classifier:
    rows: NDArray[Any] = PIXELS.reshape(N, 4, 5) if kind == "picture" else PIXELS.astype(float)
    settings = {"hidden_layer_sizes": (9,), "max_epochs": 2, "random_state": 0, **settings}
    clf = fl.Classifier(**settings).fit(rows, TARGETS[target])
    assert clf.encoder_.kind == kind
    return clf


def short(clf: fl.Classifier, x: Any) -> NDArray[np.float32] | None:
    return few_rows.logits(x, clf.encoder_, clf._networks.only, clf.calibration_)


METHODS: list[Callable[[fl.Classifier, Any], Any]] = [
    fl.Classifier.predict_logits,
    fl.Classifier.predict_proba,
    fl.Classifier.predict_log_proba,
    fl.Classifier.predict,
    fl.Classifier.decision_function,
    lambda clf, x: clf.predict_logits(x, calibrated=False),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("kind", ["standard", "picture"])
@pytest.mark.parametrize(("target", "is_of_units"), [*((t, False) for t in TARGETS), *((t, True) for t in TARGETS)])
def test_the_short_way_has_the_bits_of_the_long_one(target: str, is_of_units: bool, kind: str, dtype: type) -> None:
    clf = fitted(target, kind)
    c = len(clf.predict_logits(PIXELS[:1])[0])
    if is_of_units:
        clf.calibration_ = Calibration(np.linspace(0.3, 2.9, c), np.linspace(-3.0, 1e-3, c))
    else:
        clf.calibration_ = Calibration.of(1.7)
    x: NDArray[Any] = (PIXELS / (1 if dtype is np.uint8 else 7)).astype(dtype)
    for n in (1, 2, 63, 64):
        assert short(clf, x[:n]) is not None
        for method in METHODS:
            few, many = method(clf, x[:n]), method(clf, x)[:n]
            assert few.dtype == many.dtype and few.shape == many.shape
            assert few.tobytes() == many.tobytes()
    assert short(clf, x[:65]) is None


@pytest.mark.parametrize("kind", ["standard", "picture"])
def test_pictures_go_the_short_way(kind: str) -> None:
    clf = fitted("classes", kind)
    expected = clf.predict_logits(PIXELS)[:3]
    for shape in ((3, 4, 5), *(((3, 5, 2, 2),) if kind == "standard" else ())):  # a model of pictures knows their shape
        pictures = PIXELS[:3].reshape(shape)
        assert short(clf, pictures) is not None
        assert np.array_equal(clf.predict_logits(pictures), expected)


def test_rows_that_are_not_plain_go_the_long_way_to_the_same_bits() -> None:
    clf = fitted("classes", "standard")
    x = PIXELS[:3].astype(float)
    expected = clf.predict_logits(x)
    read_only = x.copy()
    read_only.flags.writeable = False
    assert short(clf, read_only) is not None
    shifted = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float64).reshape(x.shape)
    assert not shifted.flags.aligned
    for other in (
        x.tolist(), np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x.astype(int), x.astype(">f8"),
        x.astype(np.longdouble), x.view(type("Own", (np.ndarray,), {})), shifted,
    ):  # fmt: skip
        assert short(clf, other) is None
        assert np.array_equal(clf.predict_logits(other), expected)


def test_several_networks_sparse_scales_and_the_reference_engine_go_the_long_way() -> None:
    x = PIXELS[:2].astype(float)
    for settings in ({"ensemble": 2}, {"engine": "reference"}):
        assert short(fitted("classes", "standard", **settings), x) is None
    rare = np.where(PIXELS < 40, PIXELS, 0)
    sparse = pytest.importorskip("scipy.sparse").csr_array(rare.astype(float))
    clf = fl.Classifier(hidden_layer_sizes=(9,), max_epochs=1, random_state=0).fit(sparse, TARGETS["classes"])
    assert clf.encoder_.kind == "scaled"
    assert short(clf, x) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["standard", "picture"])
def test_what_has_to_be_refused_is_refused_in_the_same_words(kind: str, dtype: type) -> None:
    clf = fitted("classes", kind)
    odd = [np.inf, -np.inf, *([np.nan] if kind == "picture" else [])]
    for value in [*odd, 1e300] if dtype is np.float64 else odd:
        many: NDArray[Any] = PIXELS.astype(dtype)
        many[1, 3] = value
        assert short(clf, many[:2]) is None
        messages = []
        for x in (many[:2], many):
            with pytest.raises(InputError) as refused:
                clf.predict_proba(x)
            messages.append(str(refused.value))
        assert messages[0] == messages[1]
    for shape in ((1, D + 1), (0, D), (D,), (1, 4, 5)):
        wrong: NDArray[Any] = np.zeros(shape, dtype)
        assert short(clf, wrong) is None
        with pytest.raises(InputError):
            clf.predict_proba(wrong)


def test_a_missing_value_goes_the_long_way_and_stands_for_the_mean() -> None:
    clf = fitted("classes", "standard")
    many = PIXELS.astype(np.float64)
    many[1, 3] = np.nan
    assert short(clf, many[:2]) is None
    expected = clf.predict_logits(many)
    assert np.array_equal(clf.predict_logits(many[:2]), expected[:2])
    assert clf.encoder_.mean is not None
    many[1, 3] = clf.encoder_.mean[3]
    assert np.array_equal(clf.predict_logits(many), expected)


def test_an_impossible_number_of_threads_is_refused_for_one_row_too() -> None:
    clf = fitted("classes", "standard").set_params(n_jobs=0)
    with pytest.raises(InputError, match="n_jobs"):
        clf.predict_proba(PIXELS[:1].astype(float))


def test_logits_that_overflow_warn_as_before() -> None:
    clf = fitted("classes", "standard")
    engine = clf._networks.only
    assert engine is not None
    engine.set_parameters([(1e30 * w_hd, b_h) for w_hd, b_h in engine.parameters()])
    x = np.full((1, D), 1000.0)
    assert short(clf, x) is not None
    with pytest.warns(RuntimeWarning, match="probabilities of 1 of 1 rows are NaN"):
        clf.predict_proba(x)


def test_many_threads_a_pickle_and_a_fork_get_the_same_bits() -> None:
    clf = fitted("two classes", "standard")
    x = PIXELS.astype(float)
    expected = clf.predict_proba(x)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda i: clf.predict_proba(x[i % N : i % N + 1]), range(2000)))
    assert all(np.array_equal(row[0], expected[i % N]) for i, row in enumerate(rows))

    again = pickle.loads(pickle.dumps(clf))
    assert short(again, x[:1]) is not None
    assert np.array_equal(again.predict_proba(x[:5]), expected[:5])

    with multiprocessing.get_context("fork").Pool(1) as fork:
        assert np.array_equal(fork.apply(clf.predict_proba, (x[:5],)), expected[:5])
