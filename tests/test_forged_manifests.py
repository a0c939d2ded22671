"""Model files with a right digest whose manifests make no sense: each is refused by name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fromlogits as fl
from fromlogits import fitting, model_file
from fromlogits.decisions.calibration import Calibration
from fromlogits.errors import ModelFileError
from fromlogits.spec import LATER_FIELDS, Layer

LAYERS, COLUMNS = ("spec", "network", "layers"), ("spec", "network", "columns")
Change = Callable[[dict[str, Any]], None]


def forged(path: Path, sound: Path, change_manifest: Change = lambda manifest: None,
           change_header: Change = lambda header: None) -> Path:  # fmt: skip
    """The sound file with a changed manifest or header, and a digest that is right again."""
    content = sound.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    manifest = json.loads(header["__metadata__"]["fromlogits"])
    change_manifest(manifest)
    change_header(header)
    header["__metadata__"]["fromlogits"] = json.dumps(manifest)
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    body = struct.pack("<Q", len(raw)) + raw + content[start:-32]
    path.write_bytes(body + hashlib.sha256(body).digest())
    return path


def with_tensors(path: Path, sound: Path, changes: dict[str, Any]) -> Path:
    """The sound file with these tensors instead of those of their names; None leaves one out."""
    manifest, tensors = model_file.load_model(sound)
    kept = {name: tensor for name, tensor in {**tensors, **changes}.items() if tensor is not None}
    model_file.save_model(path, manifest, kept, overwrite=True)
    return path


def at(*path: str | int, value: Any) -> Change:
    def change(manifest: dict[str, Any]) -> None:
        parent: Any = manifest
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value

    return change


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    X, which = rng.normal(size=(40, 2)), np.arange(40) % 3
    pictures = rng.integers(0, 256, (40, 2, 2), np.uint8)
    targets: dict[str, tuple[Any, Any]] = {
        "words": (X, np.array(["a", "b", "c"])[which]),
        "integers": (X, which),
        "picture": (pictures, which),
    }
    for name, (rows, y) in targets.items():
        clf = fl.Classifier(hidden_layer_sizes=(2,), max_epochs=1, random_state=0, n_jobs=1)
        clf.fit(rows, y).save(folder / name)
    labels = (rng.random((40, 3)) < 0.5).astype(int)
    members: dict[str, tuple[Any, dict[str, Any]]] = {
        "labels": (labels, {}),
        "separate": (labels, {"separate_networks": True}),
        "ensemble": (which, {"ensemble": 2}),
        "both": (labels, {"separate_networks": True, "ensemble": 2}),
        "folds": (which, {"spec": {"folds": 2}}),
    }
    for name, (y, way) in members.items():
        clf = fl.Classifier(hidden_layer_sizes=(2,), max_epochs=1, random_state=0, n_jobs=1, **way)
        clf.fit(X, y).save(folder / name)
    clf = fl.load(folder / "labels")
    of_units = Calibration(np.array([0.5, 1.0, 2.0]), np.array([-1.0, 0.0, 1.0]))
    dataclasses.replace(clf._model, calibration=of_units).save(folder / "units")
    weighted: dict[str, tuple[Any, dict[str, Any]]] = {
        "weighted": (which, {"class_weight": "balanced"}),
        "weighted labels": (labels, {"pos_weight": 2}),
    }
    for name, (y, way) in weighted.items():
        clf = fl.Classifier(hidden_layer_sizes=(2,), max_epochs=1, random_state=0, n_jobs=1, **way)
        clf.fit(X, y, np.arange(40)).save(folder / name)
    decided: dict[str, tuple[Any, Any]] = {
        "decided": (which, "f1"),
        "costs": (which, [[0, 1, 2], [1, 0, 2], [5, 5, 0]]),
        "decided labels": (labels, "recall>=0.5"),
        "costs of labels": (labels, [[0, 1], [2, 0]]),
        "decided two": (which > 0, "f1"),
    }
    for name, (y, decide_for) in decided.items():
        clf = fl.Classifier(hidden_layer_sizes=(2,), max_epochs=1, random_state=0, n_jobs=1, decide_for=decide_for)
        clf.fit(X, y).save(folder / name)
    with_sets: dict[str, tuple[Any, dict[str, Any]]] = {
        "sets": (which, {"method": "aps"}),
        "label sets": (labels, {}),
    }
    for name, (y, way) in with_sets.items():
        clf = fl.Classifier(hidden_layer_sizes=(2,), max_epochs=1, random_state=0, n_jobs=1).fit(X, y)
        clf.calibrate(X, y, coverage=0.8, **way).save(folder / name)
    table = pd.DataFrame({"x": X[:, 0], "word": [f"w{k % 12}" for k in range(40)]})
    layers: list[Layer] = [
        fl.Periodic(4, 2),
        fl.Embedding(3),
        fl.Scaling(),
        fl.Dense(2, "parametric_selu"),
        fl.Dense(3),
    ]
    clf = fl.Classifier(network=fl.Network(layers), max_epochs=1, random_state=0, engine="reference")
    clf.fit(table, which).save(folder / "front")
    for name, ensemble in (("bins", 1), ("bins, ensemble", 2)):
        network = fl.Network([fl.PiecewiseLinear(4, 2), fl.Dense(3)])
        fl.Classifier(network=network, max_epochs=1, random_state=0, ensemble=ensemble).fit(X, which).save(
            folder / name
        )
    others = ("units", "front", "bins", "bins, ensemble")
    return {name: folder / name for name in (*targets, *members, *weighted, *decided, *with_sets, *others)}


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("words", at("spec", "network", "layers", 1, "activation", value="softmax"), "last layer must be linear"),
        ("words", at("spec", "network", "layers", 0, "units", value=True), "whole number"),
        ("words", at("spec", "head", value="sigmoid"), "does not fit"),
        ("words", at("spec", "plan", "schedule", value="x" * 1_000_000), "schedule must be one of"),
        ("words", at("target", "classes", value=["a", "b"]), "3 outputs for 2 classes"),
        ("words", at("target", "classes", value=["a", "a", "b"]), "must all differ"),
        ("words", at("target", "kind", value="int"), "of kind int"),
        ("integers", at("target", "classes", value=[1, 2, 2**63]), "64 bits"),
        ("words", at("target", "separator", value="|"), "a multi-class target can't have the separator"),
        ("separate", at("target", "separator", value="||"), "can't have the separator"),
        ("separate", at("target", "separator", value=None), "can't have the separator"),
        ("picture", at("encoder", "scale", value=1e308), "float32 holds"),
        ("picture", at("encoder", "shift", value=-1e308), "float32 holds"),
        ("picture", at("encoder", "kind", value="standard"), "expected the tensors"),
        ("words", at("calibration", "temperature", value=0.0), "temperature must be"),
        ("words", at("calibration", "temperature", value=-1), "temperature must be"),
        ("words", at("calibration", "temperature", value=True), "temperature must be"),
        ("words", at("calibration", "temperature", value=None), "calibration: expected the tensors"),
        ("labels", at("calibration", "temperature", value=None), "calibration: expected the tensors"),
        ("units", at("calibration", "temperature", value=1.0), "calibration: expected the tensors"),
        ("units", at("calibration", "more", value=1.0), "calibration: missing keys"),
        ("units", at("target", "classes", value=[0, 1]), "3 outputs for 2 classes"),
        ("labels", at("record", "calibration", value=1), "calibration can't be 1"),
        ("labels", at("record", "calibration", value={}), "missing keys"),
        ("labels", at("record", "calibration", "kind", value="platt"), "kind must be one of"),
        ("labels", at("record", "calibration", "folds", value=0), "folds can't be 0"),
        ("labels", at("record", "calibration", "folds", value=True), "folds can't be"),
        ("labels", at("record", "calibration", "log_loss", value={"platt": 1.0}), "log_loss must be numbers"),
        ("labels", at("record", "calibration", "log_loss", value={"none": "1"}), "log_loss must be numbers"),
        ("labels", at("record", "calibration", "log_loss", value=[]), "log_loss must be numbers"),
        ("words", at("encoder", "schema", "n_features", value=3), "encoder.*must be 3 finite"),
        ("words", at("encoder", "schema", "group_names", value="patient"), "group_names must be a list of names"),
        ("words", at("encoder", "schema", "group_names", value=["a", "b"]), "group_names must hold one name or none"),
        ("words", at("encoder", "schema", "time_names", value=[1]), "time_names must be a list of names"),
        ("words", at("encoder", "schema", "time_names", value=["a", "b"]), "time_names must hold one name or none"),
        ("words", at("encoder", "schema", "more_names", value=[]), "schema must be an object with"),
        ("words", at("spec", "members", value={"ensemble": 1, "separate_networks": False}), "for several networks"),
        ("words", at("spec", "members", value={"ensemble": 2, "separate_networks": False}), r"must be float32 \(2, 2"),
        ("words", at("spec", "members", value={"ensemble": 3, "separate_networks": True}), "for a multi-class one"),
        ("labels", at("spec", "members", value={"ensemble": 1, "separate_networks": True}), "one output each"),
        ("labels", at("record", "members", value=[]), "unknown keys"),
        ("ensemble", at("spec", "members", value=None), "members must be a JSON object"),
        ("ensemble", at("spec", "members", "ensemble", value=3), r"must be float32 \(3, 2\)"),
        ("ensemble", at("spec", "members", "ensemble", value=0), "ensemble must be a whole number"),
        ("ensemble", at("spec", "members", "ensemble", value=True), "ensemble must be a whole number"),
        ("ensemble", at("spec", "members", "ensemble", value=4096 * 2), "ensemble must be a whole number"),
        ("ensemble", at("spec", "members", "separate_networks", value=True), "for a multi-class one"),
        ("ensemble", at("spec", "members", "separate_networks", value=1), "must be True or False"),
        ("ensemble", at("spec", "members", "more", value=1), "unknown keys"),
        ("ensemble", at("record", "seed", value=-1), "seed can't be"),
        ("ensemble", at("record", "members", value={}), "members can't be"),
        ("ensemble", at("record", "members", 1, "seed", value=2**63), "member's record's seed can't be"),
        ("ensemble", at("record", "members", 1, "metric", value=None), "member's record's metric can't be"),
        ("ensemble", at("record", "members", 1, "stopped_by", value="boredom"), "stopped_by can't be"),
        ("words", at("record", "stopped_by", value="Callback"), "record's stopped_by can't be 'Callback'"),
        ("words", at("record", "stopped_by", value="partial fit"), "record's stopped_by can't be 'partial fit'"),
        ("words", at("record", "stopped_by", value=["partial_fit"]), "record's stopped_by can't be"),
        ("ensemble", at("record", "members", 1, "label", value=None), "unknown keys"),
        ("ensemble", at("record", "members", 1, "history", value=[{}]), "missing keys"),
        ("ensemble", at("record", "members", 1, value=[]), "member's record must be a JSON object"),
        ("ensemble", lambda manifest: manifest["record"]["members"].pop(), "has 1 members; the model has 2 networks"),
        ("ensemble", lambda manifest: manifest["spec"].pop("members"), r"must be float32 \(2,\)"),
        ("separate", at("spec", "members", "separate_networks", value=False), "for several networks"),
        ("separate", at("target", "classes", value=[0, 1]), r"must be float32 \(2, 2\)"),
        ("separate", at("target", "classes", value=list(range(4097))), "at most 4,096 networks"),
        ("separate", at("spec", "network", "layers", 1, "units", value=2), "one output each"),
        ("separate", at("spec", "head", value="softmax"), "does not fit"),
        ("both", at("spec", "members", "separate_networks", value=False), r"must be float32 \(2, 2\)"),
        ("both", at("spec", "members", value={"ensemble": 6, "separate_networks": False}), "1 outputs for 3 classes"),
        (
            "both",
            at("spec", "network", "layers", value=[{"kind": "dense", "units": 1, "activation": "relu"}] * 900),
            "linear",
        ),
        ("both", at("spec", "members", "ensemble", value=4096), "at most 4,096 networks"),
        ("words", at("record", "weights", value=1), "weights can't be 1"),
        ("words", at("record", "weights", value={}), "missing keys"),
        ("weighted", at("record", "weights", "more", value=1), "unknown keys"),
        ("weighted", at("record", "weights", "rows", value=1), "rows must be true or false"),
        ("weighted", at("record", "weights", "class_weight", value=[1.0, 2.0]), "must be 3 numbers above 0"),
        ("weighted", at("record", "weights", "class_weight", 0, value=0), "must be 3 numbers above 0"),
        ("weighted", at("record", "weights", "class_weight", 0, value=True), "must be 3 numbers above 0"),
        ("weighted", at("record", "weights", "class_weight", 0, value="1"), "must be 3 numbers above 0"),
        ("weighted", at("record", "weights", "pos_weight", value=[1.0, 1.0, 1.0]), "pos_weight must be 3 numbers"),
        ("weighted labels", at("record", "weights", "class_weight", value=[1.0] * 3), "class_weight must be 3 numbers"),
        ("weighted labels", at("record", "weights", "pos_weight", value={}), "pos_weight must be 3 numbers"),
        ("words", at("decision", value=None), "decision must be an object"),
        ("words", at("decision", value={}), "decision must be an object"),
        ("words", at("decision", value={"decide_for": "f1"}), "decision has the keys"),
        ("decided", at("decision", "more", value=1), "decision has the keys"),
        ("decided", at("decision", "decide_for", value="f0"), "decide_for must be accuracy"),
        ("decided", at("decision", "decide_for", value="x" * 1_000_000), "decide_for must be accuracy"),
        ("decided", at("decision", "decide_for", value="recall>=0.5"), "for two classes"),
        ("decided", at("decision", "decide_for", value={"a": 1}), "must be a name or costs"),
        ("decided", at("decision", "decide_for", value=[[0, 1, 2]] * 3), "the decision has the keys"),
        ("decided", at("decision", "rule", value={"kind": "thresholds", "thresholds": [0.5] * 3}), "can't be 'thres"),
        ("decided", at("decision", "rule", value={"kind": "scores", "factors": [1], "charges": [1]}), "shape"),
        ("costs", at("decision", "decide_for", value=[[0, 1], [1, 0]]), "decision's costs must be numbers of shape"),
        ("costs", at("decision", "decide_for", 0, 1, value="1"), "decision's costs must be numbers of shape"),
        ("costs", at("decision", "decide_for", 0, 1, value=1e31), "decision's costs must be numbers of shape"),
        ("costs", at("decision", "decide_for", 0, 0, value=9), "not gains"),
        ("costs", at("decision", "decide_for", value="f1"), "the decision has the keys"),
        ("costs of labels", at("decision", "decide_for", value=[[0, 1], [2, 0]]), "decision's costs must be numbers"),
        ("decided labels", at("decision", "rule", "thresholds", value=[0.5, 0.5]), "shape"),
        ("decided labels", at("decision", "rule", "thresholds", 0, value=-0.1), "from 0 to 1"),
        ("decided labels", at("decision", "rule", value={"kind": "largest"}), "can't be 'largest'"),
        ("decided two", at("decision", "rule", value={"kind": "largest"}), "decided by thresholds"),
        ("decided two", at("decision", "rule", "threshold", value=None), "from 0 to 1"),
        ("decided", at("record", "decision", value=1), "decision can't be 1"),
        ("decided", at("record", "decision", "kept", value=1), "kept can't be 1"),
        ("decided", at("record", "decision", "folds", value=-1), "folds must be at least 0"),
        ("decided", at("record", "decision", "figures", value={}), "some figures must be there"),
        ("decided", at("record", "decision", "figures", "x", value={"natural": 1}), "must be natural and decided"),
        ("decided", at("record", "decision", "figures", "macro_f1", "natural", value="1"), "'macro_f1' can't be '1'"),
        ("decided", at("record", "decision", "notes", value=["x" * 100_000]), "notes must be a few texts"),
        ("decided", at("record", "decision", "more", value=1), "must have the keys"),
        ("words", at("encoder", "schema", "weight_names", value=["a", "b"]), "weight_names must hold one name or none"),
        ("words", at("encoder", "schema", "weight_names", value="a"), "list of names"),
        (
            "picture",
            at("encoder", "schema", "pictures", value="file"),
            "pictures must be an object with column and resize",
        ),
        ("picture", at("encoder", "schema", "pictures", value={"column": "f"}), "an object with column and resize"),
        ("picture", at("encoder", "schema", "pictures", value={"column": 1, "resize": "bilinear"}), "a name or null"),
        (
            "picture",
            at("encoder", "schema", "pictures", value={"column": "f" * 100_001, "resize": "bilinear"}),
            "a name or null",
        ),
        (
            "picture",
            at("encoder", "schema", "pictures", value={"column": None, "resize": "nearest"}),
            "must be 'bilinear'",
        ),
        (
            "words",
            at("encoder", "schema", "pictures", value={"column": None, "resize": "bilinear"}),
            "must have the shape",
        ),
        ("words", at("sets", value={"method": "lac", "coverage": 0.8, "rows": 20}), "need the tensors sets.thresholds"),
        ("sets", lambda manifest: manifest.pop("sets"), "expected the tensors|has no place"),
        ("sets", at("sets", value=None), "sets must be an object"),
        ("sets", at("sets", "more", value=1), "sets must be an object"),
        ("sets", at("sets", "method", value="recall"), "sets of a multi-class target"),
        ("sets", at("sets", "method", value=["lac"]), "sets of a multi-class target"),
        ("sets", at("sets", "method", value="x" * 1_000_000), "sets of a multi-class target"),
        ("label sets", at("sets", "method", value="lac"), "sets of a multi-label target"),
        ("sets", at("sets", "coverage", value=1.0), "must be between 0 and 1"),
        ("sets", at("sets", "coverage", value=0), "must be between 0 and 1"),
        ("sets", at("sets", "coverage", value="0.9"), "must be between 0 and 1"),
        ("sets", at("sets", "coverage", value=0.99), "needs at least 99 rows"),
        ("sets", at("sets", "rows", value=True), "can't be of True rows"),
        ("sets", at("sets", "rows", value=0), "can't be of 0 rows"),
        ("sets", at("sets", "rows", value=2**53 + 1), "can't be of"),
        ("sets", at("sets", "rows", value=1e3), "can't be of"),
        ("sets", at("sets", "rows", value=4), "sets.missed fall between the number of rows and 0"),
        ("sets", at("record", "calibrated", value=None), "calibrated can't be None"),
        ("sets", at("record", "calibrated", "rows", value=-1), "calibrated's rows can't be -1"),
        ("sets", at("record", "calibrated", "kept", value=1.5), "calibrated's kept can't be 1.5"),
        ("sets", at("record", "calibrated", "seed", value=2**63), "calibrated's seed can't be"),
        ("sets", at("record", "calibrated", "data_sha256", value=1), "calibrated's data_sha256 can't be 1"),
        ("folds", at("spec", "plan", "folds", value=1), "the record's split has folds 2; the plan has 1"),
        ("folds", at("spec", "plan", "folds", value=10**9), "folds must be a whole number from 1 to 4096"),
        ("folds", at("record", "split", "folds", value=3), "the record's split has folds 3; the plan has 2"),
        ("folds", at("record", "split", "folds", value="2"), "the record's split has folds '2'; the plan has 2"),
        ("folds", at("record", "split", "kind", value="none"), "the record's split has folds 1; the plan has 2"),
        ("words", at("record", "split", "kind", value="folds"), "the record's split has folds None; the plan has 1"),
        ("words", at("record", "split", value={"kind": "folds", "folds": 1}), "split can't be of 1 folds"),
        ("words", at("spec", "plan", "folds", value=2), "the record's split has folds 1; the plan has 2"),
        ("sets", at("record", "calibrated", "more", value=1), "unknown keys"),
        ("front", at(*LAYERS, 0, "frequencies", value=0), "Periodic frequencies must be a whole number from 1 to 1024"),
        ("front", at(*LAYERS, 0, "mixtures", value=2**40), "Periodic mixtures must be a whole number"),
        ("front", at(*LAYERS, 0, "mixtures", value=3), r"must be float32 \(1, 3, 4\)"),
        ("front", at(*LAYERS, 0, "spread", value=0), "Periodic spread must be a number"),
        ("front", at(*LAYERS, 0, "units", value=3), "layer: missing keys"),
        ("front", at(*LAYERS, 1, "outputs", value=True), "Embedding outputs must be a whole number"),
        ("front", at(*LAYERS, 1, "outputs", value=1024), r"must be float32 \(12, 1024\)"),
        (
            "front",
            at(*LAYERS, 1, "kind", value="wave" * 10_000),
            "layer kind must be one of periodic, piecewise, embedding",
        ),
        ("front", at(*LAYERS, 1, value={"kind": "scaling"}), "layer 3 is Scaling"),
        ("front", lambda manifest: manifest["spec"]["network"]["layers"].reverse(), "layer 3 is Scaling"),
        ("front", lambda manifest: manifest["spec"]["network"]["layers"].pop(1), "is missing"),
        ("front", lambda manifest: manifest["spec"]["network"].pop("columns"), "needs columns"),
        ("bins", at(*LAYERS, 0, "bins", value=0), "PiecewiseLinear bins must be a whole number from 1 to 1024"),
        ("bins", at(*LAYERS, 0, "bins", value=2**40), "PiecewiseLinear bins must be a whole number from 1 to 1024"),
        ("bins", at(*LAYERS, 0, "bins", value=True), "PiecewiseLinear bins must be a whole number from 1 to 1024"),
        ("bins", at(*LAYERS, 0, "bins", value=5), r"'layer.0.edges' must be float32 \(2, 6\)"),
        ("bins", at(*LAYERS, 0, "mixtures", value=1024), r"'layer.0.mixtures' must be float32 \(2, 1024, 4\)"),
        ("bins", at(*LAYERS, 0, "mixtures", value="2"), "PiecewiseLinear mixtures must be a whole number"),
        ("bins", at(*LAYERS, 0, "spread", value=0.1), "layer: missing keys"),
        ("bins", at(*LAYERS, 0, "kind", value="periodic"), "layer: missing keys"),
        ("bins", at(*LAYERS, 1, value={"kind": "piecewise", "bins": 4, "mixtures": 2}), "layer 2 is PiecewiseLinear"),
        ("front", at(*COLUMNS, value=None), "columns must be a JSON object"),
        ("front", at(*COLUMNS, "numbers", value="0"), "must have the lists numbers and categories"),
        ("front", at(*COLUMNS, "numbers", value=[[]]), "a feature of columns must be a whole number"),
        ("front", at(*COLUMNS, "numbers", value=[2]), "a feature of columns must be a whole number from 0 to 1"),
        ("front", at(*COLUMNS, "numbers", value=[1]), "names a feature twice"),
        ("front", at(*COLUMNS, "numbers", value=[0] * 100_000), "names a feature twice"),
        ("front", at(*COLUMNS, "numbers", value=[]), r"must be float32 \(0, 4\)"),
        ("front", at(*COLUMNS, "categories", value=[[1]]), "its feature and its number of values"),
        ("front", at(*COLUMNS, "categories", value=[[1, 0]]), "the values of a category must be a whole number"),
        ("front", at(*COLUMNS, "categories", value=[[1, 11]]), r"must be float32 \(11, 3\)"),
        ("front", at(*COLUMNS, "categories", value=[[1, 10**7]]), r"must be float32 \(10000000, 3\)"),
        ("words", at(*COLUMNS, value={"numbers": [0], "categories": []}), "embeds other numbers or categories"),
        ("words", at(*LAYERS, 0, "activation", value="parametric_selu"), r"'layer.0.slopes' is missing"),
        ("words", at("spec", "plan", "label_smoothing", value=1.0), "label_smoothing must be a number"),
        ("words", at("spec", "plan", "bias_rate", value=-1), "bias_rate must be a number"),
        ("words", at("spec", "plan", "scaling_rate", value="6"), "scaling_rate must be a number"),
        ("words", at("spec", "plan", "rate_by_width", value=1), "rate_by_width must be True or False"),
        ("words", at("spec", "plan", "decay_schedule", value="cosine"), "decay_schedule must be one of"),
        ("words", at("spec", "plan", "dropout_schedule", value=[]), "dropout_schedule must be one of"),
        ("words", at("spec", "plan", "initialisation", value=None), "initialisation must be one of"),
        ("words", at("spec", "plan", "more", value=1), "unknown keys"),
        ("words", lambda manifest: manifest["spec"]["plan"].pop("momentum"), "plan: missing keys"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused_by_name(
    models: dict[str, Path], tmp_path: Path, name: str, change: Change, says: str
) -> None:
    with pytest.raises(ModelFileError, match=says) as caught:
        fl.load(forged(tmp_path / "m", models[name], change))
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)


def test_a_plan_of_an_early_version_has_the_usual_values_of_what_came_later(
    models: dict[str, Path], tmp_path: Path
) -> None:
    def leave_out(manifest: dict[str, Any]) -> None:
        for name in LATER_FIELDS:
            del manifest["spec"]["plan"][name]

    clf = fl.load(forged(tmp_path / "m", models["words"], leave_out))
    assert clf.plan_ == fl.load(models["words"]).plan_


@pytest.mark.parametrize("name", ["bins", "bins, ensemble"])
def test_edges_that_go_down_are_refused(models: dict[str, Path], tmp_path: Path, name: str) -> None:
    edges = model_file.load_model(models[name])[1]["layer.0.edges"]
    for place, value in ((3, edges.min() - 1), (4, -3e38), (0, 3e38)):
        changed = edges.copy()
        changed[..., -1, place] = value
        with pytest.raises(ModelFileError, match=r"edges of a column must ascend; in 'layer\.0\.edges' some"):
            fl.load(with_tensors(tmp_path / "m", models[name], {"layer.0.edges": changed}))
    same = np.zeros_like(edges)  # no bin has a width, and all is well
    clf = fl.load(with_tensors(tmp_path / "m", models[name], {"layer.0.edges": same}))
    assert np.isfinite(clf.predict_logits(np.ones((1, 2)))).all()


CURVE = np.array([-2.0, -0.5, -0.1])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sets.missed": None}, "need the tensors"),
        ({"sets.missed": CURVE.astype(np.float32)}, "float64 and of one dimension"),
        ({"sets.thresholds": CURVE[:, None]}, "float64 and of one dimension"),
        ({"sets.thresholds": CURVE[:0], "sets.missed": CURVE[:0]}, "from 1 to 10,000"),
        ({"sets.thresholds": CURVE, "sets.missed": -CURVE[:2]}, "must have one length"),
        ({"sets.thresholds": np.arange(10_001.0), "sets.missed": np.arange(10_001.0)[::-1]}, "from 1 to 10,000"),
        ({"sets.thresholds": CURVE[::-1], "sets.missed": np.array([2.0, 1.0, 0.0])}, "must rise"),
        ({"sets.thresholds": CURVE[[0, 0, 1]], "sets.missed": np.array([2.0, 1.0, 0.0])}, "must rise"),
        ({"sets.thresholds": CURVE, "sets.missed": np.array([0.0, 1.0, 2.0])}, "must rise"),
        ({"sets.thresholds": CURVE, "sets.missed": np.array([1.0, 0.0, -1.0])}, "must rise"),
        ({"sets.thresholds": CURVE, "sets.missed": np.array([21.0, 1.0, 0.0])}, "must rise"),
        ({"sets.more": CURVE}, "expected the tensors|has no place"),
    ],
)
def test_a_curve_of_sets_that_makes_no_sense_is_refused_by_name(
    models: dict[str, Path], tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelFileError, match=says):
        fl.load(with_tensors(tmp_path / "m", models["sets"], changes))


@pytest.mark.parametrize(
    "split", [None, 3, {}, {"rows": 3}, {"rows": 0, "seed": 0}, {"rows": 10**9, "seed": 0}, {"rows": 3, "seed": -1}]
)
def test_a_split_that_says_nonsense_of_the_rows_of_sets_holds_out_what_it_can(
    models: dict[str, Path], tmp_path: Path, split: Any
) -> None:
    clf = fl.load(forged(tmp_path / "m", models["integers"], at("record", "split", "sets", value=split)))
    targets = np.arange(40) % 3
    held = fitting.split_off(clf.record_["split"], targets, None, clf.target_)[1]
    expected = fitting.split_off(fl.load(models["integers"]).record_["split"], targets, None, clf.target_)[1]
    np.testing.assert_array_equal(held, expected)


def test_a_manifest_that_is_only_written_anew_loads(models: dict[str, Path], tmp_path: Path) -> None:
    for sound in models.values():
        again, first = fl.load(forged(tmp_path / "m", sound)), fl.load(sound)
        row: Any = np.ones((1, first.n_features_in_))
        row = pd.DataFrame({"x": [1.0], "word": ["w3"]}) if first.network_.embedding else row
        np.testing.assert_array_equal(again.predict_logits(row), first.predict_logits(row))


def test_an_entry_that_says_more_than_type_shape_and_place_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    def say_more(header: dict[str, Any]) -> None:
        header["layer.0.weights"]["more"] = 1

    with pytest.raises(ModelFileError, match="more"):
        fl.load(forged(tmp_path / "m", models["words"], change_header=say_more))


def test_classes_keep_their_last_letter_whatever_it_is(models: dict[str, Path], tmp_path: Path) -> None:
    path = forged(tmp_path / "m", models["words"], at("target", "classes", value=["a", "a\0", "b"]))
    assert fl.load(path).classes_.tolist() == ["a", "a\0", "b"]


def test_one_long_class_does_not_make_the_others_take_its_room(models: dict[str, Path], tmp_path: Path) -> None:
    path = forged(tmp_path / "m", models["words"], at("target", "classes", value=["a", "b", "c" * 2_000_000]))
    assert fl.load(path).classes_.nbytes < 1000
    assert np.array(["a", "b", "c" * 2_000_000]).nbytes == 24_000_000
