"""ONNX as onnxruntime computes it beside the classifier itself: `nox -s onnx` installs them."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits.cli import main
from fromlogits.data.features import Features, SparseFeatures
from fromlogits.data.inputs import as_inputs
from fromlogits.data.reading import Reading
from fromlogits.decisions.calibration import Calibration
from fromlogits.decisions.decision import Decision
from fromlogits.decisions.objectives import Objective
from fromlogits.decisions.rules import Largest, Rule, Scores, SecondClass, SmallestCost, Thresholds
from fromlogits.errors import InputError
from fromlogits.export import features, network
from fromlogits.export import onnx as to_onnx
from fromlogits.opening import read_unlabelled
from fromlogits.spec import HIDDEN_ACTIVATIONS, KIND_OF, Columns, Embedding, Periodic, PiecewiseLinear, Scaling
from tests.cli.here import Here
from tests.export.test_picture_recipe import recipe

AWAY = "it is not installed; nox -s onnx installs it"
onnx = pytest.importorskip("onnx", reason=AWAY)
ort = pytest.importorskip("onnxruntime", reason=AWAY)

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK: dict[str, Any] = {"max_epochs": 3, "random_state": 0, "n_jobs": 1}
EPS = 2.0**-23
Arrays = dict[str, NDArray[Any]]


def session(content: bytes) -> Any:
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def run(content: bytes, feed: Mapping[str, NDArray[Any]]) -> Arrays:
    running = session(content)
    names = [output.name for output in running.get_outputs()]
    return dict(zip(names, running.run(None, dict(feed)), strict=True))


def feed_of(clf: fl.Classifier, rows: Any) -> Arrays:
    """Rows as the file takes them: texts as they stand, "" and NaN for nothing."""
    names = features.input_names(clf.encoder_)
    if names == [features.X]:
        x = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
        is_picture = clf.encoder_.kind == "picture"
        return {features.X: x.reshape(len(x), -1).astype(np.float32 if is_picture else np.float64)}
    feed = {}
    for name in names:
        column = rows[name]
        if pd.api.types.is_numeric_dtype(column):
            feed[name] = column.to_numpy(np.float64)[:, None]
        else:
            feed[name] = column.astype(object).where(column.notna(), "").to_numpy(object)[:, None]
    return feed


def agrees(clf: fl.Classifier, rows: Any, roundings: int = 32) -> Arrays:
    """Export, run, and hold every output against the classifier; what came out."""
    content = to_onnx.Onnx().export(clf).content
    got = run(content, feed_of(clf, rows))
    z, p = clf.predict_logits(rows), clf.predict_proba(rows)

    # Two float32 networks that add up in different orders: a few roundings of sums of the size of the logits.
    size = max(1.0, float(np.abs(z).max()))
    assert z.std() > 0.01  # the network has learned something
    np.testing.assert_allclose(got["logits"], z, rtol=0, atol=roundings * EPS * size)
    # From the same logits the same probabilities, to the last place of float32.
    own = clf._model.probabilities(got["logits"])
    np.testing.assert_array_max_ulp(got["probabilities"], own, 1)
    np.testing.assert_allclose(got["probabilities"], p, rtol=0, atol=roundings * EPS * size)
    # From the same probabilities the very decision.
    decided = clf._model.rule.decide(got["probabilities"])
    expected = decided if clf.target_.task == "multi-label" else clf.classes_[decided]
    assert got["label"].tolist() == expected.tolist()
    assert got["label"].tolist() == clf.predict(rows).tolist()
    return got


def features_agree(clf: fl.Classifier, rows: Any) -> NDArray[np.float32]:
    """The encoder alone, to the last bit; what the network takes."""
    from fromlogits.export.graph import Graph

    graph = Graph(["features", *features.input_names(clf.encoder_)])
    graph.output("features", features.features(graph, clf.encoder_), np.float32, clf.encoder_.n_features)
    got = run(graph.model().SerializeToString(), feed_of(clf, rows))["features"]
    (encoded,) = clf.encoder_.encode_parts(as_inputs(rows))
    assert isinstance(encoded, (Features, SparseFeatures))
    wanted = encoded.dense() if isinstance(encoded, SparseFeatures) else encoded.values
    if wanted.dtype == np.uint8:
        wanted = wanted.astype(np.float32) * np.float32(clf.encoder_.scale) + np.float32(clf.encoder_.shift)
    np.testing.assert_array_equal(got, wanted)
    return got


def changed(clf: fl.Classifier, **fields: Any) -> fl.Classifier:
    """The same with another calibration or decision."""
    other = fl.Classifier()
    other._become(dataclasses.replace(clf._model, **fields))
    return other


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    table = np.loadtxt(EXAMPLES / "digits.csv", delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1].astype(np.int64)


@pytest.fixture(scope="module")
def scenes() -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    with np.load(EXAMPLES / "scenes.npz", allow_pickle=False) as arrays:
        return arrays["X"], arrays["y"].astype(np.int64), arrays["classes"].tolist()


@pytest.fixture(scope="module")
def three(digits: tuple[Any, Any]) -> fl.Classifier:
    """Of the digits 0, 1 and 2, by names."""
    x, y = digits
    return fl.Classifier(hidden_layer_sizes=(8,), **QUICK).fit(x[y < 3], np.array(["null", "eins", "zwei"])[y[y < 3]])


@pytest.fixture(scope="module")
def two(digits: tuple[Any, Any]) -> fl.Classifier:
    x, y = digits
    return fl.Classifier(hidden_layer_sizes=(8,), **QUICK).fit(x, y % 2 == 1)


def mixed(n: int, seed: int) -> pd.DataFrame:
    """Numbers, some missing, categories of few and of many values, some missing, levels, yes and no."""
    rng = np.random.default_rng(seed)
    towns, trades = (np.array([f"{name} {k}" for k in range(60)], object) for name in ("Ort", "Beruf"))
    colours = rng.choice(np.array(["red", "blue", "Grün"], object), n)
    colours[rng.random(n) < 0.1] = None
    return pd.DataFrame(
        {
            "size": rng.normal(1e4, 1, n),
            "gap": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(size=n)),
            "colour": colours,
            "town": towns[np.minimum(rng.zipf(1.4, n) - 1, 59)],
            "level": rng.integers(1, 5, n),
            "grade": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 4, n)),
            "trade": trades[np.minimum(rng.zipf(1.6, n) - 1, 59)],
            "is_new": rng.random(n) < 0.5,
            "wide": rng.standard_cauchy(n),
        }
    )


def mixed_target(rows: pd.DataFrame) -> NDArray[Any]:
    score = (rows["size"] - 1e4) + 2 * (rows["colour"] == "red") + rows["gap"].isna() + 0.3 * rows["level"]
    names: NDArray[Any] = np.array(["few", "some", "many"])
    return np.asarray(names[np.digitize(score, [0.8, 2.0])])


def later() -> pd.DataFrame:
    """Rows with gaps and values that the training never had."""
    rows = mixed(60, 9)
    rows.loc[::7, "colour"] = "violet"
    rows.loc[::5, "town"] = "nowhere"
    rows.loc[1, "town"] = None
    rows["level"] = rows["level"].astype(float)
    rows.loc[::4, "level"] = 9
    rows.loc[2, "size"] = np.nan
    rows.loc[3, "level"] = np.nan
    return rows


def test_the_digits(digits: tuple[Any, Any]) -> None:
    x, y = digits
    clf = fl.Classifier(**QUICK).fit(x, y)
    got = agrees(clf, x)

    assert got["label"].dtype == np.int64
    assert (got["label"] == y).mean() > 0.9
    features_agree(clf, x)


def test_a_file_of_scenes_with_several_labels_a_picture(scenes: tuple[Any, Any, list[str]]) -> None:
    x, y, names = scenes
    clf = fl.Classifier(hidden_layer_sizes=(16,), **QUICK).fit(x[:1000], pd.DataFrame(y[:1000], columns=names))
    got = agrees(clf, x[1000:1300])

    assert clf.encoder_.kind == "picture"
    assert got["label"].shape == (300, len(names))
    features_agree(clf, x[1000:1300])


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_every_activation(digits: tuple[Any, Any], activation: str) -> None:
    x, y = digits
    net = fl.Network([fl.Dense(25, activation), fl.Dense(15, activation), fl.Dense(10)])
    agrees(fl.Classifier(network=net, **QUICK).fit(x[:600], y[:600]), x[600:])


@pytest.mark.parametrize("numbers", ["standard", "robust"])
@pytest.mark.parametrize(
    "front",
    [
        (),
        (Scaling(),),
        (Periodic(8, 3, 0.5),),
        (PiecewiseLinear(12, 3),),
        (Embedding(4),),
        (Periodic(6, 2), Embedding(3), Scaling()),
    ],
    ids=lambda front: "-".join(type(one).__name__ for one in front) or "dense",
)
def test_a_table_of_every_kind_of_column(front: tuple[Any, ...], numbers: str) -> None:
    rows = mixed(900, 1)
    net = fl.Network([*front, fl.Dense(12, "relu"), fl.Dense(3)])
    clf = fl.Classifier(network=net, spec={"numbers": numbers}, **QUICK).fit(rows, mixed_target(rows))
    assert clf.encoder_.table is not None
    kinds = {one.kind for one in clf.encoder_.table.columns}
    has_codes = any(isinstance(one, Embedding) for one in front)

    with pytest.warns(UserWarning, match="never had"):
        agrees(clf, later())
    features_agree(clf, later())
    assert kinds == {"number", "category", "levels"} | ({"code"} if has_codes else set())


def households(n: int, seed: int) -> pd.DataFrame:
    """By number; and a price, sometimes missing or rare."""
    dice = np.random.default_rng(seed)
    price = np.where(dice.random(n) < 0.1, np.nan, dice.integers(0, 70, n) * 0.25 + 1)
    price[:2] = 99.5
    return pd.DataFrame({"house": dice.integers(0, 40, n) * 13, "price": price, "age": dice.normal(50, 9, n)})


@pytest.mark.parametrize("front", [(), (Embedding(4), Scaling())], ids=["plain", "embedded"])
def test_numbers_whose_values_matter_one_by_one(front: tuple[Any, ...]) -> None:
    rows = households(1500, 0)
    y = (rows["house"] * 7919 % 17 < 8).astype(int) + (rows["price"].fillna(0) * 100 * 31 % 11 < 4)
    net = fl.Network([*front, fl.Dense(12, "relu"), fl.Dense(3)])
    clf = fl.Classifier(network=net, **QUICK).fit(rows, y)
    assert clf.encoder_.table is not None
    assert [one.kind for one in clf.encoder_.table.columns] == ["levels", "levels", "number"]

    later = households(60, 1)
    later.loc[3:5, "house"] = 9
    later.loc[6:8, "price"] = 7.77
    with pytest.warns(UserWarning, match="never had"):
        agrees(clf, later)
    features_agree(clf, later)


def test_waves_of_many_turns_keep_their_digits() -> None:
    from fromlogits.export.graph import Graph

    net = fl.Network([Periodic(1, 1), fl.Dense(2)]).with_input(1, Columns((0,)))
    one, none = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
    graph = Graph(["x", "out"])
    x = graph.input("x", np.float32, 1)
    arrays = (np.float32(2**14) * one, none, one[..., None], none)
    graph.output("out", network.periodic(graph, net, x, arrays), np.float32, 2)
    values = (np.arange(-999, 999, 7) / 2**16).astype(np.float32)[:, None]  # 2¹⁴ times that is exact
    got = run(graph.model().SerializeToString(), {"x": values})["out"]

    np.testing.assert_array_equal(got[:, :1], values)
    np.testing.assert_allclose(got[:, 1:], np.cos(np.pi / 2 * (np.arange(-999, 999, 7) % 4))[:, None], atol=EPS)


def test_bins_without_width_are_steps() -> None:
    from fromlogits.export.graph import Graph

    net = fl.Network([PiecewiseLinear(4, 4), fl.Dense(2)]).with_input(1, Columns((0,)))
    graph = Graph(["x", "out"])
    x = graph.input("x", np.float32, 1)
    edges = np.array([[0, 1, 1, 3, 3]], np.float32)
    arrays = (edges, np.eye(4, dtype=np.float32)[None], np.zeros((1, 4), np.float32))
    graph.output("out", network.piecewise_linear(graph, net, x, arrays), np.float32, 5)
    values = np.array([-1, 0, 0.25, 1, 2, 3, 9], np.float32)[:, None]
    got = run(graph.model().SerializeToString(), {"x": values})["out"]

    assert got[:, 1:].tolist() == [
        [0, 0, 0, 0], [0, 0, 0, 0], [0.25, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0.5, 0], [1, 1, 1, 1], [1, 1, 1, 1]
    ]  # fmt: skip


def test_numbers_with_gaps_that_are_an_array() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 5))
    x[rng.random(x.shape) < [0.0, 0.3, 0.0, 0.1, 0.0]] = np.nan
    clf = fl.Classifier(hidden_layer_sizes=(6,), **QUICK).fit(x, np.nan_to_num(x[:, 1]) > x[:, 0])
    x[0, 0] = np.nan
    agrees(clf, x)

    assert features_agree(clf, x).shape == (300, 7)


@pytest.mark.parametrize("numbers", ["standard", "robust"])
def test_a_gap_that_the_training_did_not_have(digits: tuple[Any, Any], numbers: str) -> None:
    x, y = digits
    x = x + np.random.default_rng(0).normal(size=x.shape) * np.logspace(-3, 3, 64)
    clf = fl.Classifier(hidden_layer_sizes=(6,), spec={"numbers": numbers}, **QUICK).fit(x[:500], y[:500])
    x[500:, ::9] = np.nan
    agrees(clf, x[500:])
    features_agree(clf, x[500:])


def test_robust_numbers_that_lie_far_away() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    x[:, 2] = -1e308  # constant: its factor is 0
    clf = fl.Classifier(hidden_layer_sizes=(3,), spec={"numbers": "robust"}, **QUICK).fit(x, x[:, 0] > 0)
    features_agree(clf, np.array([[1e308, -1e308, 1e308], [-1e200, 3.0, -1e308], [1e-320, 0.0, 5.0]]))


def test_sparse_rows() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    rows = sparse.random_array((400, 50), density=0.08, rng=np.random.default_rng(0), format="csr")
    clf = fl.Classifier(hidden_layer_sizes=(6,), **QUICK).fit(rows, np.asarray(rows.sum(axis=1)).ravel() > 2)
    assert clf.encoder_.kind == "scaled"
    agrees(clf, rows)
    features_agree(clf, rows)


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("ensemble", [1, 3])
def test_members_of_labels(scenes: tuple[Any, Any, list[str]], separate: bool, ensemble: int) -> None:
    x, y, _ = scenes
    clf = fl.Classifier(
        hidden_layer_sizes=(12,), separate_networks=separate, ensemble=ensemble, task="multi-label", **QUICK
    ).fit(x[:400], y[:400])
    agrees(clf, x[400:600])


def test_members_of_classes(digits: tuple[Any, Any]) -> None:
    x, y = digits
    agrees(fl.Classifier(hidden_layer_sizes=(9,), ensemble=3, **QUICK).fit(x[:700], y[:700]), x[700:])


def test_two_classes_are_one_unit(two: fl.Classifier, digits: tuple[Any, Any]) -> None:
    got = agrees(two, digits[0])

    assert got["logits"].shape == (1797, 1)
    assert got["probabilities"].shape == (1797, 2)
    assert got["label"].dtype == bool


def test_classes_with_names(three: fl.Classifier, digits: tuple[Any, Any]) -> None:
    assert set(agrees(three, digits[0])["label"]) == {"null", "eins", "zwei"}


def test_one_temperature(three: fl.Classifier, digits: tuple[Any, Any]) -> None:
    agrees(changed(three, calibration=Calibration.of(0.37)), digits[0])


def test_a_scale_and_a_bias_for_each_label(scenes: tuple[Any, Any, list[str]]) -> None:
    x, y, _ = scenes
    clf = fl.Classifier(hidden_layer_sizes=(5,), task="multi-label", **QUICK).fit(x[:300], y[:300])
    temperatures = np.linspace(0.3, 3, y.shape[1])
    agrees(changed(clf, calibration=Calibration(temperatures, np.log(temperatures))), x[300:500])


@pytest.mark.parametrize(
    "rule",
    [
        Largest(),
        Scores(np.array([1.0, 3.0, 0.5]), np.array([0.0, 0.2, -0.1])),
        SmallestCost(np.array([[0.0, 2.0, 2.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])),
        SmallestCost(np.ones((3, 3))),  # all alike: the first
    ],
    ids=["largest", "scores", "costs", "ties"],
)
def test_decisions_between_classes(three: fl.Classifier, digits: tuple[Any, Any], rule: Rule) -> None:
    clf = changed(three, decision=Decision(Objective("accuracy", "accuracy"), rule))
    got = agrees(clf, digits[0])
    natural = agrees(three, digits[0])

    assert (got["label"] == natural["label"]).all() == isinstance(rule, Largest)
    assert len(set(got["label"])) == (1 if rule.numbers().get("costs") == [[1.0] * 3] * 3 else 3)


def test_a_threshold_of_the_second_class(two: fl.Classifier, digits: tuple[Any, Any]) -> None:
    got = agrees(changed(two, decision=Decision(Objective("f1", "f"), SecondClass(0.2))), digits[0])

    assert (got["label"] == (got["probabilities"][:, 1] > 0.2)).all()


def test_thresholds_of_labels(scenes: tuple[Any, Any, list[str]]) -> None:
    x, y, _ = scenes
    clf = fl.Classifier(hidden_layer_sizes=(5,), task="multi-label", **QUICK).fit(x[:300], y[:300])
    thresholds = np.linspace(0.1, 0.9, y.shape[1])
    got = agrees(changed(clf, decision=Decision(Objective("f1", "f"), Thresholds(thresholds))), x[300:500])

    assert (got["label"] == (got["probabilities"] > thresholds)).all()


def test_every_layer_can_be_said() -> None:
    assert {*network.OF_COLUMNS, *network.OF_ALL} == set(KIND_OF)
    assert {*network.ACTIVATIONS, "parametric_selu"} == set(HIDDEN_ACTIVATIONS)


def test_the_file_says_what_it_is(three: fl.Classifier) -> None:
    exported = to_onnx.Onnx().export(three)
    model = onnx.load_from_string(exported.content)
    said = {one.key: one.value for one in model.metadata_props}

    assert (model.producer_name, model.producer_version) == ("fromlogits", fl.__version__)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 18)]
    assert said == {"task": "multi-class", "head": "softmax", "classes": '["eins", "null", "zwei"]'}
    assert exported.about == {
        "opset": "18",
        "inputs": "x double [n, 64]",
        "outputs": "logits float [n, 3]; probabilities float [n, 3]; label string [n]",
    }
    assert to_onnx.Onnx().export(three).content == exported.content


def test_the_rest_is_as_fine_with_any_number_of_rows(three: fl.Classifier, digits: tuple[Any, Any]) -> None:
    content = to_onnx.Onnx().export(three).content
    x = digits[0][:5]
    together = run(content, {"x": x})["probabilities"]

    assert run(content, {"x": x[:0]})["probabilities"].shape == (0, 3)
    for row in range(5):
        alone = run(content, {"x": x[row : row + 1]})["probabilities"]
        np.testing.assert_allclose(alone, together[row : row + 1], rtol=0, atol=1e-6)


def test_columns_may_be_called_as_anything_within() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"_1": rng.normal(size=200), "_3": rng.choice(["a", "b"], 200), "x": rng.normal(size=200)})
    agrees(fl.Classifier(hidden_layer_sizes=(12,), **QUICK | {"max_epochs": 20}).fit(rows, rows["_1"] > 0), rows)


def refusal(clf: fl.Classifier) -> str:
    with pytest.raises(InputError) as raised:
        to_onnx.Onnx().export(clf)
    return str(raised.value)


def test_a_column_that_is_called_as_an_output_is_refused() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"label": rng.choice(["a", "b"], 200), "x": rng.normal(size=200)})
    clf = fl.Classifier(hidden_layer_sizes=(3,), **QUICK).fit(rows, rows["x"] > 0)

    assert refusal(clf) == "column 'label' has the name of an output; rename the column and train again."


def test_a_model_beyond_two_gigabytes_is_refused(three: fl.Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_onnx, "MOST_BYTES", 2000)

    assert refusal(three).startswith("the model has 2,188 bytes of parameters, and a file of ONNX has room for 2,000;")


@pytest.mark.parametrize(("data", "target"), [("digits.csv", "--target digit"), ("scenes.npz", "")])
def test_the_command_writes_the_same_file(
    data: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = EXAMPLES / data
    assert main.run(shlex.split(f"train {path} {target} --epochs 2 -o m.safetensors --quiet")) == 0
    capsys.readouterr()
    assert main.run(["export", "m.safetensors", "m.onnx", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    clf, content = fl.load("m.safetensors"), Path("m.onnx").read_bytes()

    assert content == to_onnx.Onnx().export(clf).content
    assert (report["file"], report["bytes"], report["opset"]) == ("m.onnx", len(content), "18")
    if data.endswith("npz"):
        with np.load(path, allow_pickle=False) as arrays:
            x = arrays["X"][:200]
    else:
        x = np.loadtxt(path, delimiter=",", skiprows=1)[:, :-1]
    agrees(clf, x)


def test_prediction_sets_stay_behind_and_that_is_said(three: fl.Classifier, digits: tuple[Any, Any]) -> None:
    x, y = digits
    kept = changed(three)
    kept.calibrate(x[y < 3][:200], np.array(["null", "eins", "zwei"])[y[y < 3]][:200], coverage=0.9)
    exported = to_onnx.Onnx().export(kept)

    assert exported.notes == ("prediction sets are not in the file, ONNX having no place for them",)
    agrees(kept, x)


@pytest.mark.parametrize(
    ("labels", "settings"),
    [
        (False, {}),
        (True, {"decide_for": "f1"}),
        (True, {"separate_networks": True, "calibrate": False}),
        (True, {"separate_networks": True, "ensemble": 2}),
    ],
    ids=["classes", "labels", "a network for each label", "two for each label"],
)
def test_residual_networks_over_pictures(labels: bool, settings: dict[str, Any]) -> None:
    """By the engine that needs no PyTorch."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (60, 9, 7, 3)).astype(np.uint8)
    y = (X[:, :2].mean(axis=(1, 2)) > X[:, 5:].mean(axis=(1, 2))).astype(int)  # three labels, or how many of them
    units = 1 if "separate_networks" in settings else 3
    layers = (fl.Residual((4, 6), 2, 2), fl.Dense(5, "relu"), fl.Dense(units))
    clf = fl.Classifier(
        network=fl.Network(layers), task="multi-label" if labels else None, max_epochs=2, learning_rate=0.01,
        engine="reference", random_state=0, **settings,
    ).fit(X, y if labels else np.minimum(y.sum(axis=1), 2))  # fmt: skip
    agrees(clf, X, 256)  # float32 sums of up to 54 products, one after the other through nine convolutions


def test_an_exported_model_takes_what_the_page_makes_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    here = Here(tmp_path, capsys)
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for row in range(30):
        name = Path("photos", "ab"[row % 2], f"{row:02}.png")
        name.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(rng.integers(0, 100 + 100 * (row % 2), (13, 11 + row % 3, 3)).astype(np.uint8)).save(name)
    how = "--layers 'residual 4-6 1 1, 2 linear' --image-size 9x7 --epochs 1 --quiet"
    here(f"train photos {how} --set engine=reference")
    note = (
        "note: x takes the pixels of coloured pictures of 8 bits a channel, upright, white where they are clear,"
        " resized to 9 x 7 as Pillow's bilinear resize does it (docs/how-to/onnx.md has a function that makes them"
        " so).\n"
    )
    assert here("export photos.safetensors photos.onnx")[1] == note
    clf = fl.load("photos.safetensors", engine="reference")
    pixels = recipe()("photos/a/04.png", 9, 7)
    got = run(Path("photos.onnx").read_bytes(), {"x": pixels})
    rows = read_unlabelled(clf, "photos/a/04.png", Reading())
    assert np.array_equal(rows.features.values, pixels)  # type: ignore[union-attr]
    np.testing.assert_allclose(got["logits"], clf.predict_logits(rows.features), rtol=0, atol=256 * EPS)
