"""Networks that are stated with layers in front of the dense ones: what of a table goes into which."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

import fromlogits as fl
from fromlogits.data.features import Features
from fromlogits.data.inputs import as_inputs
from fromlogits.engines.initialisation import parameters_from_data
from fromlogits.engines.reference import ReferenceEngine
from fromlogits.errors import InputError
from fromlogits.spec import Columns, Dense, Embedding, Layer, Network, Periodic, Scaling


def table(n: int = 240, seed: int = 0) -> tuple[pd.DataFrame, NDArray[Any]]:
    """The class is whether a word of 12 is one of the even ones."""
    rng = np.random.default_rng(seed)
    word = rng.integers(0, 12, n)
    frame = pd.DataFrame(
        {"x": rng.standard_cauchy(n), "few": rng.choice(["a", "b", "c"], n), "word": [f"w{k}" for k in word]}
    )
    return frame, word % 2


def classifier(*front: Layer, **settings: Any) -> fl.Classifier:
    network = Network([*front, Dense(8, "parametric_selu"), Dense(2)])
    usual: dict[str, Any] = {"engine": "reference", "max_epochs": 3, "random_state": 0, "batch_size": 32}
    return fl.Classifier(**{"network": network, **usual, **settings})


FRONTS: list[tuple[Layer, ...]] = [
    (Periodic(4, 2),), (Embedding(3),), (Scaling(),), (Periodic(4, 2), Embedding(3)), (Periodic(4, 2), Scaling()),
    (Embedding(3), Scaling()), (Periodic(4, 2), Embedding(3), Scaling()),
]  # fmt: skip


@pytest.mark.parametrize("front", FRONTS, ids=str)
def test_the_columns_of_a_table_go_where_they_belong(front: tuple[Layer, ...]) -> None:
    X, y = table()
    network = classifier(*front).fit(X, y)._model.network

    has_embedding = any(isinstance(layer, Embedding) for layer in front)
    assert network.layers == (*front, Dense(8, "parametric_selu"), Dense(2))
    assert network.n_features == 1 + 3 + (1 if has_embedding else 12)
    if network.periodic or network.embedding:
        assert network.columns == Columns((0,), ((4, 12),) if has_embedding else ())
    else:
        assert network.columns is None


def test_a_word_among_many_is_learned_by_its_vector() -> None:
    X, y = table(600)
    clf = classifier(
        Embedding(4), max_epochs=40, learning_rate=0.02, early_stopping=False, calibrate=False,
        spec={"numbers": "robust"},
    ).fit(X, y)  # fmt: skip

    later, known = table(200, seed=1)
    assert (clf.predict(later) == known).mean() == 1


def test_a_row_has_the_same_logits_alone_in_parts_and_among_others() -> None:
    X, y = table()
    clf = classifier(Periodic(4, 2), Embedding(3), Scaling(), spec={"numbers": "robust"}).fit(X, y)
    X = pd.concat([X, pd.DataFrame({"x": [1e300, None], "few": ["d", None], "word": ["never", None]})])
    with pytest.warns(UserWarning, match=r"column 'few' \(1 of 242 rows\), column 'word' \(1 of 242 rows\)"):
        expected = clf.predict_logits(X)

    assert np.isfinite(expected).all()
    order = np.random.default_rng(0).permutation(len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert clf.predict_logits(X.iloc[order]).tobytes() == expected[order].tobytes()
        parts = [clf.predict_logits(X[start : start + 7]) for start in range(0, len(X), 7)]
    assert np.concatenate(parts).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("front", "X"),
    [
        ((Periodic(),), np.zeros((40, 3, 3), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None]),
        ((Periodic(),), sparse.csr_array(np.eye(40))),
        ((Periodic(),), pd.DataFrame({"c": ["a", "b", "c", "d"] * 10})),
        ((Periodic(),), np.ones((40, 2))),
        ((Embedding(),), np.arange(80.0).reshape(40, 2)),
        ((Embedding(),), pd.DataFrame({"c": list("abcdefgh") * 5})),
        ((Periodic(), Embedding()), np.arange(80.0).reshape(40, 2)),
    ],
    ids=["pictures", "sparse", "categories", "constants", "numbers", "eight values", "both"],
)
def test_a_layer_without_anything_to_embed_is_refused(front: tuple[Layer, ...], X: Any) -> None:
    with pytest.raises(InputError, match=r"^the layer '.*' is for .*; the data have none\. Leave it out"):
        classifier(*front, early_stopping=False, calibrate=False).fit(X, np.arange(40) % 2)


def test_the_width_that_a_network_states_is_that_of_the_encoded_rows() -> None:
    X, y = table()
    layers: list[Layer] = [Embedding(3), Dense(2)]
    columns = Columns((0,), ((4, 12),))
    classifier(network=Network(layers, 5, columns)).fit(X, y)
    with pytest.raises(InputError, match="states 17 input features; the data have 5"):
        classifier(network=Network(layers, 17, columns)).fit(X, y)
    with pytest.raises(InputError, match="states other columns than the data have"):
        classifier(network=Network(layers, 5, Columns((0,), ((4, 13),)))).fit(X, y)


def test_sparse_rows_are_trained_on_dense_in_front_of_a_scaling_layer() -> None:
    X = sparse.random_array((60, 200), density=0.02, format="csr", random_state=0)
    y = np.arange(60) % 2
    clf = classifier(Scaling()).fit(X, y)

    [part] = list(clf._model.encoder.encode_parts(as_inputs(X)))
    assert isinstance(part, Features)
    np.testing.assert_array_equal(clf.predict_logits(X), clf.predict_logits(X.toarray()))


@pytest.mark.parametrize("is_partial", [False, True])
def test_a_start_from_the_data_is_that_of_the_rows_that_are_trained_on(is_partial: bool) -> None:
    X, y = table()
    spec = {"initialisation": "data"}
    clf = classifier(Periodic(4, 2), Embedding(3), learning_rate=1e-30, max_epochs=None, spec=spec)
    weights_n = (np.arange(len(y)) % 4 > 0).astype(float)
    if is_partial:
        clf.partial_fit(X, y, classes=[0, 1], sample_weight=weights_n)
    else:
        clf.set_params(max_epochs=1, early_stopping=False, calibrate=False).fit(X, y, weights_n)
    model = clf._model

    features, rows = model.encoder.encode(as_inputs(X)), np.flatnonzero(weights_n)
    expected = parameters_from_data(model.network, 0, features, rows, lambda cut: ReferenceEngine(cut, "sigmoid"))
    for found, layer in zip(model.trained[0].parameters, expected, strict=True):
        for array, one in zip(found, layer, strict=True):
            np.testing.assert_array_equal(array, one)


def test_partial_fit_embeds_too() -> None:
    X, y = table()
    clf = classifier(Periodic(4, 2), Embedding(3), max_epochs=None, spec={"numbers": "robust"})
    for start in range(0, 240, 80):
        clf.partial_fit(X[start : start + 80], y[start : start + 80], classes=[0, 1])
    assert clf._model.network.columns == Columns((0,), ((4, 12),))
    assert clf._model.plan.numbers == "robust"
    assert np.isfinite(clf.predict_logits(X)).all()


def test_a_column_of_one_value_in_the_first_batch_may_have_others_later() -> None:
    X = np.column_stack([np.arange(40.0), np.full(40, 5.0)])
    y = np.arange(40) % 2
    clf = classifier(Periodic(4, 2), max_epochs=None, spec={"numbers": "robust"})
    clf.partial_fit(X, y, classes=[0, 1])

    assert clf._model.network.columns == Columns((0, 1))
    assert (clf.predict_logits(X) != clf.predict_logits(np.column_stack([X[:, 0], X[:, 1] + 1]))).any()


def test_a_training_goes_on_with_the_layers_and_the_scale_that_are_there() -> None:
    X, y = table()
    clf = classifier(Periodic(4, 2), Embedding(3), warm_start=True, spec={"numbers": "robust"}).fit(X, y)
    before = clf._model
    clf.set_params(network=None)
    clf.fit(X[:100], y[:100])
    assert clf._model.network == before.network
    assert clf._model.encoder is before.encoder

    with pytest.raises(
        InputError, match=r"^the training goes on with numbers that are scaled as numbers='robust' says"
    ):
        clf.set_params(spec=None).fit(X, y)
    clf.set_params(spec={"numbers": "robust"}, network=Network([Dense(3, "relu"), Dense(2)]))
    with pytest.raises(
        InputError, match=r"network that is there, periodic 4 2 0\.1, embedding 3, 8 parametric_selu, 2"
    ):
        clf.fit(X, y)
