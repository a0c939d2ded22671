"""Networks that are stated with layers in front of the dense ones: what of a table goes into which."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

import fromlogits as fl
from fromlogits import model_file
from fromlogits.cli.main import run
from fromlogits.data.features import Features
from fromlogits.data.inputs import as_inputs
from fromlogits.engines.initialisation import edges_among
from fromlogits.errors import InputError, ModelFileError
from fromlogits.fitting import EngineChoice, networks_of
from fromlogits.model import Model
from fromlogits.spec import Columns, Dense, Embedding, Layer, Network, Periodic, PiecewiseLinear, Scaling
from tests.test_forged_manifests import Change, at, forged


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
    (Embedding(3), Scaling()), (Periodic(4, 2), Embedding(3), Scaling()), (PiecewiseLinear(4, 2),),
    (PiecewiseLinear(4, 2), Embedding(3), Scaling()),
]  # fmt: skip


@pytest.mark.parametrize("front", FRONTS, ids=str)
def test_the_columns_of_a_table_go_where_they_belong(front: tuple[Layer, ...]) -> None:
    X, y = table()
    network = classifier(*front).fit(X, y)._model.network

    has_embedding = any(isinstance(layer, Embedding) for layer in front)
    assert network.layers == (*front, Dense(8, "parametric_selu"), Dense(2))
    assert network.n_features == 1 + 3 + (1 if has_embedding else 12)
    if network.of_numbers or network.embedding:
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
        ((PiecewiseLinear(),), np.zeros((40, 3, 3), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None]),
        ((PiecewiseLinear(),), sparse.csr_array(np.eye(40))),
        ((Embedding(),), np.arange(80.0).reshape(40, 2)),
        ((Embedding(),), pd.DataFrame({"c": list("abcdefgh") * 5})),
        ((Periodic(), Embedding()), np.arange(80.0).reshape(40, 2)),
    ],
    ids=[
        "pictures",
        "sparse",
        "categories",
        "constants",
        "pictures, bins",
        "sparse, bins",
        "numbers",
        "eight values",
        "both",
    ],
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

    clf.set_params(spec=None).fit(X, y)
    assert clf._model.plan.numbers == "robust"

    with pytest.raises(
        InputError, match=r"^the training goes on with numbers that are scaled as numbers='robust' says"
    ):
        clf.set_params(spec={"numbers": "standard"}).fit(X, y)
    clf.set_params(spec={"numbers": "robust"}, network=Network([Dense(3, "relu"), Dense(2)]))
    with pytest.raises(
        InputError, match=r"network that is there, periodic 4 2 0\.1, embedding 3, 8 parametric_selu, 2"
    ):
        clf.fit(X, y)


# --- edges among the training rows ---


def edges_of(clf: fl.Classifier, member: int = 0) -> NDArray[np.float32]:
    """(k, bins + 1)"""
    return clf._model.trained[member].parameters[0][0]


def encoded(clf: fl.Classifier, X: Any) -> NDArray[np.float32]:
    features = clf._model.encoder.encode(as_inputs(X))
    assert isinstance(features, Features)
    return features.values


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("initialisation", ["uniform", "data"])
def test_edges_are_values_of_the_training_rows_and_stay(initialisation: str, engine: str) -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=200), rng.integers(0, 3, 200)])
    y = (X[:, 0] > 0).astype(int)
    clf = classifier(
        PiecewiseLinear(8, 2), engine=engine, early_stopping=False, calibrate=False,
        spec={"initialisation": initialisation, "numbers": "robust"},
    ).fit(X, y)  # fmt: skip

    x_nd = encoded(clf, X)
    for feature in range(2):
        np.testing.assert_array_equal(edges_of(clf)[feature], edges_among(x_nd[:, feature], 9))
    assert clf._model.trained[0].parameters[0][1].any()


def test_held_out_rows_have_no_say_in_the_edges() -> None:
    X, y = np.arange(200.0)[:, None], np.arange(200) % 2
    held_out = (np.array([[1e6], [2e6]]), np.array([0, 1]))
    clf = classifier(PiecewiseLinear(8, 2)).fit(X, y, X_val=held_out[0], y_val=held_out[1])
    assert edges_of(clf).max() == encoded(clf, X).max() < encoded(clf, held_out[0]).min()
    folds = classifier(PiecewiseLinear(8, 2), spec={"folds": 2}).fit(X, y)
    assert not np.array_equal(edges_of(folds, 0), edges_of(folds, 1))


def test_a_step_at_a_few_values_is_learned_where_a_straight_line_can_not() -> None:
    """Of 600 amounts, those at 500 and nowhere else are of the class."""
    rng = np.random.default_rng(0)
    amount = np.where(rng.random(600) < 0.2, 500, rng.choice([0, 100, 490, 510, 900], 600))
    X, y = amount[:, None], (amount == 500).astype(int)
    clf = fl.Classifier(
        network=Network([PiecewiseLinear(8, 2), Dense(2)]), max_epochs=60, random_state=0, batch_size=32,
        learning_rate=0.05, early_stopping=False, calibrate=False,
    ).fit(X, y)  # fmt: skip
    assert (clf.predict(X) == y).all()


def test_partial_fit_takes_the_edges_from_its_first_batch() -> None:
    X, y = np.arange(80.0)[:, None], np.arange(80) % 2
    clf = classifier(PiecewiseLinear(8, 2), max_epochs=None)
    clf.partial_fit(X, y, classes=[0, 1])
    first = edges_of(clf).copy()
    np.testing.assert_array_equal(first[0], edges_among(encoded(clf, X)[:, 0], 9))
    clf.partial_fit(X * 100, y)
    np.testing.assert_array_equal(edges_of(clf), first)


def test_a_training_that_goes_on_keeps_its_edges() -> None:
    X, y = np.arange(200.0)[:, None], np.arange(200) % 2
    clf = classifier(PiecewiseLinear(8, 2), warm_start=True).fit(X, y)
    before = [array.copy() for array in clf._model.trained[0].parameters[0]]
    clf.fit(X**2, y)
    after = clf._model.trained[0].parameters[0]
    np.testing.assert_array_equal(after[0], before[0])
    assert not np.array_equal(after[1], before[1])


# --- in a file ---


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    X, y = table()
    path = tmp_path_factory.mktemp("saved") / "m.safetensors"
    classifier(Periodic(4, 2), Embedding(3), Scaling(), spec={"numbers": "robust"}).fit(X, y).save(path)
    return path


def logits_of(model: Model, X: Any) -> NDArray[np.float32]:
    """As the reference engine predicts them."""
    return networks_of(model, EngineChoice("reference"), 1).of(model.encoder.encode(as_inputs(X)))


def test_a_model_is_read_back(saved: Path) -> None:
    X, y = table()
    again = Model.load(saved)
    clf = classifier(Periodic(4, 2), Embedding(3), Scaling(), spec={"numbers": "robust"}).fit(X, y)

    assert again.network == clf._model.network
    assert again.encoder.is_dense
    np.testing.assert_array_equal(logits_of(again, X), clf.predict_logits(X, calibrated=False))


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_model_with_bins_is_read_back(engine: str, tmp_path: Path) -> None:
    X, y = table()
    clf = classifier(PiecewiseLinear(9, 2), Embedding(3), Scaling(), engine=engine, ensemble=2).fit(X, y)
    clf.save(tmp_path / "m.safetensors")

    again = fl.load(tmp_path / "m.safetensors")
    assert again.network_ == clf._model.network
    np.testing.assert_array_equal(again.predict_logits(X), fl.load(tmp_path / "m.safetensors").predict_logits(X))
    np.testing.assert_allclose(again.predict_logits(X), clf.predict_logits(X), rtol=1e-4, atol=1e-5)


def test_sparse_rows_are_dense_for_a_model_that_is_read_back(tmp_path: Path) -> None:
    X = sparse.random_array((60, 200), density=0.02, format="csr", random_state=0)
    clf = classifier(Scaling()).fit(X, np.arange(60) % 2)
    clf.save(tmp_path / "m.safetensors")

    again = Model.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(logits_of(again, X), clf.predict_logits(X, calibrated=False))


def test_inspect_says_what_is_embedded(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(saved)]) == 0
    told = capsys.readouterr().out
    assert "1 feature: its code; a vector is learned for each value" in told
    assert "1 feature, by median and quartiles" in told
    assert "embedding 3" in told


NETWORK = ("spec", "network")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (at(*NETWORK, "columns", "numbers", 0, value=1), "embeds other numbers or categories than the encoder gives"),
        (at(*NETWORK, "columns", "numbers", 0, value=5), "whole number from 0 to 4"),
        (at(*NETWORK, "columns", "categories", 0, 0, value=3), "embeds other numbers or categories"),
        (at(*NETWORK, "columns", "categories", 0, 1, value=13), r"must be float32 \(13, 3\)"),
        (at(*NETWORK, "columns", "categories", 0, 0, value=0), "names a feature twice"),
        (at("encoder", "table", "columns", 2, "values", value=list("abcdefghijk")), "embeds other numbers or"),
        (at("encoder", "table", "columns", 2, "missing", value=1), "embeds other numbers or categories"),
        (at("encoder", "table", "columns", 2, "kind", value="category"), "gives 16 features, the network takes 5"),
        (at("encoder", "table", "is_sparse", value=True), "table gives sparse rows, and the network takes none"),
    ],
)
def test_a_file_whose_network_embeds_what_its_encoder_does_not_give_is_refused(
    change: Change, says: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=says):
        fl.load(forged(tmp_path / "m.safetensors", saved, change))


def test_a_file_with_codes_and_no_layer_that_embeds_them_is_refused(tmp_path: Path) -> None:
    X, y = table()
    classifier(Embedding(1)).fit(X, y).save(tmp_path / "sound")
    manifest, tensors = model_file.load_model(tmp_path / "sound")
    del manifest["spec"]["network"]["layers"][0]
    del manifest["spec"]["network"]["columns"]
    del tensors["layer.0.vectors"]
    renamed = {
        name if not name.startswith("layer.") else f"layer.{int(name[6]) - 1}{name[7:]}": tensor
        for name, tensor in tensors.items()
    }
    model_file.save_model(tmp_path / "m", manifest, renamed, overwrite=False)
    with pytest.raises(ModelFileError, match="gives codes of categories, and the network has no layer that embeds"):
        fl.load(tmp_path / "m")
