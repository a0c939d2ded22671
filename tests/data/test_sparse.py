"""Sparse rows: from SciPy, through the encoder, to the same logits as the dense rows they stand for."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

import fromlogits as fl
from fromlogits.data import encoders, memory
from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.features import EncodedRows, Features, SparseFeatures
from fromlogits.data.inputs import as_inputs
from fromlogits.data.table import SparseMatrix
from fromlogits.errors import InputError

Float = NDArray[np.float64]


def counts(n: int = 300, d: int = 40, density: float = 0.1, seed: int = 0) -> Float:
    """Word counts, most of them zero, every column and the last row used."""
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((n, d)) < density, rng.integers(1, 6, (n, d)), 0).astype(float)
    X[-1] = 1
    return X


def as_sparse(X: Any) -> SparseMatrix:
    inputs = as_inputs(X)
    assert isinstance(inputs, SparseMatrix)
    return inputs


def dense(features: EncodedRows) -> NDArray[Any]:
    return features.dense() if isinstance(features, SparseFeatures) else features.values


def encode(encoder: FeatureEncoder, X: Any) -> NDArray[Any]:
    return dense(encoder.encode(as_inputs(X)))


# --- rows ---


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr"])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, bool])
def test_every_format_of_scipy_is_taken(form: str, kind: Any, dtype: Any) -> None:
    X = counts(30, 6).astype(dtype)

    inputs = as_sparse(kind(X).asformat(form))

    np.testing.assert_array_equal(inputs.dense(slice(None)), X)
    assert (len(inputs), inputs.n_features) == X.shape
    assert inputs.density == np.count_nonzero(X) / X.size


def test_csr_is_not_copied() -> None:
    X = sparse.csr_array(counts())

    inputs = as_sparse(X)

    assert np.shares_memory(inputs.values, X.data) and np.shares_memory(inputs.indices, X.indices)


def test_values_in_any_order_or_given_twice_are_added_up_and_the_argument_is_left_alone() -> None:
    X = sparse.csr_array((np.array([1.0, 2.0, 4.0, 0.0]), np.array([2, 0, 2, 1]), np.array([0, 3, 4])), shape=(2, 3))
    before = X.data.copy(), X.indices.copy(), X.indptr.copy()

    inputs = as_sparse(X)

    np.testing.assert_array_equal(inputs.dense(slice(None)), [[2, 0, 5], [0, 0, 0]])
    assert inputs.indices.tolist()[:2] == [0, 2]
    for array, kept in zip((X.data, X.indices, X.indptr), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_some_rows_in_any_order_and_more_than_once_are_taken() -> None:
    X = counts(20, 5, 0.3)
    X[[3, 7]] = 0
    rows = np.array([19, 3, 3, 0, 7, 12, 12])

    taken = as_sparse(sparse.csr_array(X)).take(rows)

    np.testing.assert_array_equal(taken.dense(slice(None)), X[rows])
    np.testing.assert_array_equal(taken.dense(slice(1, 3)), X[rows][1:3])
    assert taken.origin.where(0) == "row 19"
    assert len(taken.take(np.array([], np.int64))) == 0


# --- the encoder ---


def test_zero_stays_zero_and_columns_alike_share_one_scale() -> None:
    X = counts()
    encoder = FeatureEncoder.fit(as_inputs(sparse.csr_array(X)))
    sizes = [np.sqrt((column[column > 0] ** 2).mean()) for column in X.T]

    features = encode(encoder, sparse.csr_array(X))

    assert (encoder.kind, encoder.mean) == ("scaled", None)
    assert ((features == 0) == (X == 0)).all()
    np.testing.assert_allclose(features, X / np.median(sizes), rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-200, 1e-6, 1 / 30, 30, 1e6, 1e200])
def test_a_column_of_another_size_gets_a_scale_of_its_own(factor: float) -> None:
    X = counts()
    X[:, 3] *= factor
    X[:, 3] = np.where(np.arange(len(X)) % 2, X[:, 3], -X[:, 3])

    features = encode(FeatureEncoder.fit(as_inputs(sparse.csr_array(X))), sparse.csr_array(X))

    column = features[:, 3]
    assert np.sqrt((column[column != 0].astype(float) ** 2).mean()) == pytest.approx(1, rel=1e-6)


def test_zeros_that_are_held_change_nothing() -> None:
    X = counts()
    held = sparse.csr_array(X)
    held.data[::5] = 0
    dropped = held.copy()
    dropped.eliminate_zeros()

    assert FeatureEncoder.fit(as_inputs(held)).inverse_spread is not None
    np.testing.assert_array_equal(
        encode(FeatureEncoder.fit(as_inputs(held)), held), encode(FeatureEncoder.fit(as_inputs(dropped)), dropped)
    )


def test_a_feature_without_values_in_the_training_rows_carries_nothing_and_is_noted() -> None:
    X = counts()
    X[:200, 7] = 0
    X[200:, 7] = 1

    encoder = FeatureEncoder.fit(as_inputs(sparse.csr_array(X)), np.arange(200))

    assert encoder.notes == ("1 feature is 0 in all training rows and carries nothing",)
    assert not encode(encoder, sparse.csr_array(X))[:, 7].any()


def test_mostly_full_rows_are_standardised_as_dense_ones_are() -> None:
    X = np.random.default_rng(0).normal(5, 2, (100, 4))

    thick, dense = FeatureEncoder.fit(as_inputs(sparse.csr_array(X))), FeatureEncoder.fit(as_inputs(X))

    assert thick.kind == "standard"
    np.testing.assert_array_equal(encode(thick, sparse.csr_array(X)), encode(dense, X))


@pytest.mark.parametrize("n_bytes", [1, 700, 1 << 26])
@pytest.mark.parametrize("trained_on", ["sparse", "dense", "pictures"])
def test_sparse_and_dense_rows_give_the_same_bits(
    trained_on: str, n_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "PART_BYTES", n_bytes)
    X = counts(600, 36)
    shape = (6, 6) if trained_on == "pictures" else None
    encoder = FeatureEncoder.fit(as_inputs(X if trained_on == "dense" else sparse.csr_array(X)), picture_shape=shape)

    np.testing.assert_array_equal(encode(encoder, X), encode(encoder, sparse.csr_array(X)))
    parts = np.concatenate([dense(part) for part in encoder.encode_parts(as_inputs(sparse.csr_array(X)))])
    np.testing.assert_array_equal(parts, encode(encoder, X))


@pytest.mark.parametrize("indices", [np.int32, np.int64])
@pytest.mark.parametrize("came", ["csr", "dense", "table"])
def test_what_an_engine_gets_is_csr_without_zeros_whatever_form_the_rows_came_in(came: str, indices: Any) -> None:
    X = counts(700, 30)
    X[[0, 5, 6, 690]] = 0
    held = sparse.csr_array(X)
    held.indices, held.indptr = held.indices.astype(indices), held.indptr.astype(indices)
    held.data[::7] = 0
    X = held.toarray()
    encoder = FeatureEncoder.fit(as_inputs(held))
    rows = {"csr": held, "dense": X, "table": pd.DataFrame(X)}[came]

    features = encoder.encode(as_inputs(rows))

    assert isinstance(features, SparseFeatures)
    arrays = (features.indptr, features.indices, features.values)
    assert [array.dtype.name for array in arrays] == ["int64", "int32", "float32"]
    rows, columns = np.nonzero(X)
    np.testing.assert_array_equal(features.indices, columns)
    np.testing.assert_array_equal(features.indptr, np.searchsorted(rows, np.arange(701)))
    assert encoder.inverse_spread is not None
    np.testing.assert_array_equal(features.dense(), (X * encoder.inverse_spread).astype(np.float32))


def test_rows_to_train_on_are_dense_from_a_share_of_values_on_and_rows_to_predict_never() -> None:
    thick, thin = counts(400, 30, 0.3), counts(400, 30, 0.1)
    encoder = FeatureEncoder.fit(as_inputs(sparse.csr_array(thick)))

    assert encoder.kind == "scaled"
    assert isinstance(encoder.encode(as_inputs(sparse.csr_array(thick))), Features)
    assert isinstance(encoder.encode(as_inputs(sparse.csr_array(thin))), SparseFeatures)
    for X in (thick, thin, sparse.csr_array(thick)):
        assert all(isinstance(part, SparseFeatures) for part in encoder.encode_parts(as_inputs(X)))


def test_the_columns_of_a_matrix_are_not_copied() -> None:
    X = sparse.csr_array(counts())

    features = FeatureEncoder.fit(as_inputs(X)).encode(as_inputs(X))

    assert isinstance(features, SparseFeatures)
    assert np.shares_memory(features.indices, X.indices)


def test_the_encoder_comes_back_from_json_and_tensors() -> None:
    X = counts()
    encoder = FeatureEncoder.fit(as_inputs(sparse.csr_array(X)))

    again = FeatureEncoder.from_json(encoder.to_json(), encoder.tensors())

    assert list(encoder.tensors()) == ["encoder.inverse_spread"]
    assert again.to_json() == encoder.to_json()
    np.testing.assert_array_equal(encode(again, X), encode(encoder, X))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((4, 3)), "all features are 0 in all training rows: nothing can be learned."),
        (
            np.eye(4)[:, :3] * 5e-324,
            "column 0: its values are too near to 0 to be scaled; rescale it.",
        ),
    ],
)
def test_what_can_not_be_scaled_is_refused(X: Float, message: str) -> None:
    with pytest.raises(InputError) as caught:
        FeatureEncoder.fit(as_inputs(sparse.csr_array(X)))

    assert str(caught.value) == message


def test_a_value_too_far_for_float32_is_refused_with_its_place() -> None:
    X = counts()
    encoder = FeatureEncoder.fit(as_inputs(sparse.csr_array(X)))
    X[17, 5] = 1e60

    with pytest.raises(InputError, match=r"^column 5, row 17: the value lies so far from the training rows"):
        encode(encoder, sparse.csr_array(X))


def test_sparse_rows_that_could_never_fit_as_dense_ones_are_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: 10**9)
    n = 100_000
    X = sparse.csr_array((np.ones(n), np.arange(n), np.arange(n + 1)), shape=(n, n))

    features = FeatureEncoder.fit(as_inputs(X)).encode(as_inputs(X))

    assert isinstance(features, SparseFeatures)
    assert (len(features), features.n_features, len(features.values)) == (n, n, n)


def test_sparse_rows_that_can_not_fit_as_a_dense_model_takes_them_are_refused_before_memory_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: 10**9)
    n, d = 100_000, 100_000
    X = sparse.csr_array((np.ones(n), np.arange(n), np.arange(n + 1)), shape=(n, d))
    encoder = FeatureEncoder.fit(as_inputs(np.random.default_rng(0).normal(size=(2, d))))

    with pytest.raises(InputError) as caught:
        encoder.encode(as_inputs(X))

    assert str(caught.value) == (
        "100,000 rows of 100,000 features need 40,000,000,000 bytes as the float32 array that the network takes; this"
        " machine has 1,000,000,000. Give fewer rows or features."
    )


def test_more_features_than_a_model_file_may_name_are_refused() -> None:
    X = sparse.csr_array((np.ones(2), np.array([0, 2**40]), np.array([0, 1, 2])), shape=(2, 2**40 + 1))

    with pytest.raises(InputError, match=r"^X has 1,099,511,627,777 features; the limit is 10,000,000\.$"):
        FeatureEncoder.fit(as_inputs(X))


def test_the_memory_of_this_machine_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "limit").write_text("123456\n")
    machine = memory.memory_bytes()
    assert machine is None or machine > 1 << 20

    monkeypatch.setattr(memory, "_LIMITS", (tmp_path / "max", tmp_path / "limit", tmp_path / "none"))

    assert memory.memory_bytes() == 123456


# --- the classifier ---


@pytest.mark.parametrize("fitted_on", ["dense", "sparse"])
def test_a_classifier_gives_the_same_logits_for_sparse_and_dense_rows(fitted_on: str, tmp_path: Path) -> None:
    X = counts(400, 30)
    y = X[:, 0] + X[:, 1] > X[:, 2]
    clf = fl.Classifier(hidden_layer_sizes=(8,), max_epochs=3, random_state=0)
    clf.fit(sparse.csc_array(X) if fitted_on == "sparse" else X, y)
    clf.save(tmp_path / "m.safetensors")

    for model in (clf, fl.load(tmp_path / "m.safetensors")):
        logits = model.predict_logits(X)
        np.testing.assert_array_equal(logits, clf.predict_logits(sparse.csr_matrix(X)))
        np.testing.assert_array_equal(logits, model.predict_logits(sparse.coo_array(X)))


def documents(n: int = 260, d: int = 500, labels: int = 12, seed: int = 0) -> tuple[Any, NDArray[np.int64]]:
    """Rows like those of tagged texts: some ten words each, a few words for each of the labels, some rows empty."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, labels)) < 0.15).astype(np.int64)
    X = (rng.random((n, d)) < 0.02).astype(float)
    for label in range(labels):
        X[:, 3 * label : 3 * label + 3] = rng.integers(1, 4, (n, 3)) * Y[:, [label]] * (rng.random((n, 3)) < 0.7)
    X[[0, 17, n - 1]] = 0
    return sparse.csr_array(X), Y


def fitted(X: Any, y: Any, **settings: Any) -> fl.Classifier:
    return fl.Classifier(hidden_layer_sizes=(16,), max_epochs=4, random_state=0, **settings).fit(X, y)


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
def test_every_format_trains_the_same_model_and_gets_the_same_answers(form: str, kind: Any) -> None:
    X, Y = documents()
    other = kind(X).asformat(form)
    clf, same = fitted(X, Y), fitted(other, Y)

    for ask in ("predict_logits", "predict_proba", "predict_log_proba", "decision_function", "predict"):
        expected = getattr(clf, ask)(X)
        np.testing.assert_array_equal(getattr(same, ask)(X), expected)
        np.testing.assert_array_equal(getattr(clf, ask)(other), expected)
        np.testing.assert_array_equal(getattr(clf, ask)(X.toarray()), expected)
    assert clf.evaluate(other, Y) == clf.evaluate(X.toarray(), Y)


def test_the_given_matrix_is_left_as_it_was() -> None:
    X, Y = documents()
    before = X.copy()

    fitted(X, Y).predict(X)

    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(X, name), getattr(before, name))


def test_a_sparse_row_has_the_same_logits_alone_in_parts_and_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y = documents()
    clf = fitted(X, Y)
    together = clf.predict_logits(X)

    alone = np.concatenate([clf.predict_logits(X[[i]]) for i in range(40)])
    monkeypatch.setattr(encoders, "PART_BYTES", 300)

    np.testing.assert_array_equal(alone, together[:40])
    np.testing.assert_array_equal(clf.predict_logits(X), together)
    np.testing.assert_array_equal(clf.predict_logits(X.toarray()), together)


def test_any_number_of_threads_trains_the_same_model_on_sparse_rows() -> None:
    X, Y = documents()

    np.testing.assert_array_equal(fitted(X, Y, n_jobs=1).predict_logits(X), fitted(X, Y, n_jobs=3).predict_logits(X))


@pytest.mark.parametrize("held_out", [True, False])
def test_the_reference_engine_trains_the_same_model_on_sparse_rows(held_out: bool) -> None:
    X, Y = documents()
    how = {} if held_out else {"early_stopping": False, "calibrate": False}

    native, reference = (fitted(X, Y, engine=engine, **how) for engine in ("native", "reference"))

    # Adam's steps are the learning rate, 1e-3, long whatever the gradient's size: some thousandth of one is rounding.
    np.testing.assert_allclose(native.predict_logits(X), reference.predict_logits(X), rtol=0, atol=1e-4)


def test_rows_to_validate_by_may_be_sparse_or_dense() -> None:
    X, Y = documents()
    train, held = X[:200], X[200:]

    def fit(valid: Any) -> fl.Classifier:
        clf = fl.Classifier(hidden_layer_sizes=(16,), max_epochs=4, random_state=0)
        return clf.fit(train, Y[:200], X_val=valid, y_val=Y[200:])

    one, other = fit(held), fit(held.toarray())

    assert one.validation_metrics_ == other.validation_metrics_
    np.testing.assert_array_equal(one.predict_logits(X), other.predict_logits(X))


def test_neither_training_nor_prediction_makes_all_rows_dense() -> None:
    n, d = 2_000, 30_000
    rng = np.random.default_rng(0)
    X = sparse.csr_array((np.ones(5 * n), (np.repeat(np.arange(n), 5), rng.integers(0, d, 5 * n))), shape=(n, d))
    y = rng.integers(0, 2, n)

    tracemalloc.start()
    try:
        fl.Classifier(hidden_layer_sizes=(2,), max_epochs=1, batch_size=100, random_state=0).fit(X, y).predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < n * d  # a quarter of the float32 array


def test_sparse_rows_are_learned_from() -> None:
    X = counts(1000, 30)
    y = X[:, 0] > 0
    X = sparse.csr_array(X)

    clf = fl.Classifier(max_epochs=20, random_state=0).fit(X[:800], y[:800])

    assert clf.score(X[800:], y[800:]) > 0.95  # the class stands in one column; 0.9 of the rows are of one class


def test_sparse_rows_of_another_width_are_refused() -> None:
    X = sparse.csr_array(counts(50, 30))
    clf = fl.Classifier(hidden_layer_sizes=(4,), max_epochs=1, random_state=0).fit(X, np.arange(50) % 2)

    with pytest.raises(InputError, match=r"^X has 29 features, but Classifier is expecting 30 features as input\.$"):
        clf.predict(X[:, :29])
