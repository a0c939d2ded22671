"""docs/file-format.md is enough to read a model by: a reader written from it gives the classifier's probabilities."""

from __future__ import annotations

import ast
import datetime
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fromlogits as fl
from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.features import SparseFeatures
from fromlogits.data.form import USUAL, Form
from fromlogits.data.inputs import as_inputs
from fromlogits.decisions.calibration import Calibration
from fromlogits.spec import HIDDEN_ACTIVATIONS, Layer
from tests import plain_columns, plain_network, plain_reader
from tests.plain_reader import decisions, prediction_sets, probabilities

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)) * [1, 100, 1e-3] + [0, 1e4, 5]
FLAT = np.hstack([X, np.full((200, 1), 7.0)])  # its last column says nothing
PICTURES = RNG.integers(0, 256, (200, 4, 5), np.uint8)
NOISE = RNG.integers(0, 3, 200)
THREE = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1e4)
TARGETS: dict[str, Any] = {
    "three classes": (X, THREE),
    "two classes": (X, THREE > 0),
    "labels": (X, np.stack([THREE > 0, NOISE > 0], axis=1).astype(int)),
    "classes that can not be told": (X, NOISE),  # has a temperature
    "a constant column": (FLAT, THREE),
    "pictures": (PICTURES, (PICTURES.mean(axis=(1, 2)) > 127).astype(int) + (PICTURES[:, 0, 0] > 127)),
}


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_written_from_the_page_gives_the_same_probabilities(
    name: str, activation: str, tmp_path: Path
) -> None:
    rows, y = TARGETS[name]
    clf = fl.Classifier(hidden_layer_sizes=(6, 5), activation=activation, max_epochs=4, random_state=0)
    clf.fit(rows, y).save(tmp_path / "m.safetensors")

    ours, theirs = clf.predict_proba(rows), probabilities(tmp_path / "m.safetensors", rows)

    # Logits of a few units from float32 sums of a few terms: some 1e-6 of a logit, so as much of a probability.
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-7)


MEMBERS: dict[str, dict[str, Any]] = {
    "separate": {"separate_networks": True},
    "an ensemble": {"ensemble": 3},
    "separate ensembles": {"separate_networks": True, "ensemble": 2},
}


@pytest.mark.parametrize(
    ("name", "way"),
    [("labels", way) for way in MEMBERS] + [(name, "an ensemble") for name in TARGETS if name != "labels"],
)
def test_the_reader_reads_several_networks(name: str, way: str, tmp_path: Path) -> None:
    rows, y = TARGETS[name]
    clf = fl.Classifier(hidden_layer_sizes=(6, 5), max_epochs=4, random_state=0, **MEMBERS[way])
    clf.fit(rows, y).save(tmp_path / "m.safetensors")

    theirs = probabilities(tmp_path / "m.safetensors", rows)

    np.testing.assert_allclose(theirs, clf.predict_proba(rows), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["two classes", "labels"])
def test_a_calibration_of_each_unit_is_read_too(name: str, tmp_path: Path) -> None:
    rows, y = TARGETS[name]
    clf = fl.Classifier(hidden_layer_sizes=(6,), max_epochs=4, random_state=0).fit(rows, y)
    c = clf.network_.n_outputs
    clf._become(replace(clf._model, calibration=Calibration(np.linspace(0.5, 2, c), np.linspace(-1, 0.3, c))))
    clf.save(tmp_path / "m.safetensors")

    theirs = probabilities(tmp_path / "m.safetensors", rows)

    np.testing.assert_allclose(theirs, clf.predict_proba(rows), rtol=1e-5, atol=1e-7)


def test_a_network_without_hidden_layers_is_read_too(tmp_path: Path) -> None:
    clf = fl.Classifier(hidden_layer_sizes=(), max_epochs=2, random_state=0).fit(X, THREE)
    clf.save(tmp_path / "m.safetensors")

    np.testing.assert_allclose(probabilities(tmp_path / "m.safetensors", X), clf.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("name", ["three classes", "two classes", "labels"])
def test_the_reader_gives_the_same_prediction_sets(name: str, tmp_path: Path) -> None:
    rows, y = TARGETS[name]
    clf = fl.Classifier(hidden_layer_sizes=(6, 5), max_epochs=4, random_state=0).fit(rows[:100], y[:100])
    clf.calibrate(rows[100:180], y[100:180], coverage=0.8).save(tmp_path / "m.safetensors")

    for coverage in (0.6, 0.8, 0.95):
        theirs = prediction_sets(tmp_path / "m.safetensors", rows[180:], coverage)
        np.testing.assert_array_equal(theirs, clf.predict_set(rows[180:], coverage))


@pytest.mark.parametrize(
    ("name", "decide_for"),
    [
        *((name, None) for name in ("three classes", "two classes", "labels")),
        *(("classes that can not be told", what) for what in ("f1", "balanced_accuracy", (1 - np.eye(3)) * [1, 2, 9])),
        *(("two classes", what) for what in ("f1", "recall>=0.9", [[0, 1], [9, 0]])),
        *(("labels", what) for what in ("f1", "precision>=0.6", [[[0, 1], [9, 0]], [[0, 3], [1, 0]]])),
    ],
)
def test_the_reader_decides_alike(name: str, decide_for: Any, tmp_path: Path) -> None:
    rows, y = TARGETS[name]
    clf = fl.Classifier(hidden_layer_sizes=(6, 5), max_epochs=4, random_state=0, decide_for=decide_for).fit(rows, y)
    clf.save(tmp_path / "m.safetensors")

    ours, theirs = clf.predict(rows), decisions(tmp_path / "m.safetensors", rows)
    np.testing.assert_array_equal(theirs if name == "labels" else clf.classes_[theirs], ours)


ZONE = datetime.timezone(datetime.timedelta(hours=-7))
N = 400


def _gaps(values: list[Any], every: int) -> list[Any]:
    return [None if row % every == 0 else value for row, value in enumerate(values)]


MOMENTS = [
    datetime.datetime(1969, 12, 30) + datetime.timedelta(days=row, minutes=37 * row, seconds=row) for row in range(N)
]
COLUMNS: dict[str, list[Any]] = {
    "number": (RNG.normal(size=N) * 1e3 + 7).tolist(),
    "number with gaps": _gaps(RNG.normal(size=N).tolist(), 9),
    "whole": RNG.integers(-500, 500, N).tolist(),
    "yes or no": _gaps((RNG.random(N) < 0.3).tolist(), 11),
    "category": [["red", " green ", "1.0", "01", "1e3"][k] for k in RNG.integers(0, 5, N)],
    "category with gaps": _gaps([["é", "数", "", "x|y"][k] for k in RNG.integers(0, 4, N)], 7),
    "towns": _gaps([f"town {k}" for k in (RNG.pareto(1, N) * 20).astype(int)], 50),
    "rating": _gaps(RNG.integers(1, 6, N).tolist(), 13),
    "grade": RNG.integers(0, 4, N).tolist(),
    "date": [moment.date() for moment in MOMENTS],
    "date with gaps": _gaps([str(moment.date()) for moment in MOMENTS], 8),
    "moment": MOMENTS,
    "moment of a zone": [moment.replace(tzinfo=ZONE).isoformat() for moment in MOMENTS],
    "time": _gaps([moment.time() for moment in MOMENTS], 6),
}
LATER: dict[str, list[Any]] = {
    "number": [None, -1.5, 2], "number with gaps": [3, 0.1, None], "whole": [1, None, 1e6],
    "yes or no": [True, None, False], "category": ["1000", None, "pink"], "category with gaps": ["x|y", "never", " "],
    "towns": ["town 3", "never", None], "rating": [2, 9, None], "grade": [0, 7, None],
    "date": [datetime.date(2400, 2, 29), None, datetime.date(1, 1, 1)],
    "date with gaps": ["2024-12-31 23:59", None, "1600-02-29"],
    "moment": [datetime.datetime(2024, 2, 29, 23, 59, 59, 999_999), None, datetime.datetime(1900, 1, 1)],
    "moment of a zone": ["2024-01-01T00:00:00+14:00", "2024-12-31T23:00:00-12:00", None],
    "time": [datetime.time(23, 59, 59, 1), None, datetime.time(0)],
}  # fmt: skip


def _frame(columns: dict[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def _rows(columns: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*columns.values(), strict=True))


@pytest.mark.parametrize("form", [USUAL, Form(is_robust=True, has_codes=True, is_dense=True)], ids=["usual", "recipe"])
@pytest.mark.parametrize("names", [*([name] for name in COLUMNS), list(COLUMNS)], ids=lambda names: names[-1])
def test_the_features_of_columns_are_those_of_the_page_bit_for_bit(names: list[str], form: Form) -> None:
    columns = {name: COLUMNS[name] for name in names} | {"gap": [*[None] * 3, *[1.5, 2.5] * 200][:N]}
    encoder = FeatureEncoder.fit(as_inputs(_frame(columns)), form=form)
    assert encoder.table is not None
    assert encoder.schema.names == tuple(columns)

    for some in (columns, {name: (LATER | {"gap": [None, 2, 3]})[name] for name in columns}):
        encoded = encoder.encode(as_inputs(_frame(some)))
        ours = encoded.dense() if isinstance(encoded, SparseFeatures) else encoded.values
        theirs = plain_columns.features(encoder.table.to_json(), _rows(some))
        assert theirs.dtype == ours.dtype == np.float32
        np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize("form", [USUAL, Form(is_robust=True, has_codes=True, is_dense=True)], ids=["usual", "recipe"])
def test_so_are_those_of_numbers_whose_values_matter_one_by_one(form: Form) -> None:
    rng = np.random.default_rng(3)
    price: list[Any] = (rng.integers(0, 70, 2000) * 0.37 + 1).tolist()
    targets = np.array([int(value * 100) * 7919 % 11 < 5 for value in price]).astype(int)
    columns = {"price": [*[None] * 5, *[0.125] * 2, *price[7:]]}
    encoder = FeatureEncoder.fit(as_inputs(_frame(columns)), targets=targets, form=form)
    assert encoder.table is not None and encoder.table.columns[0].kind == "levels"

    for some in (columns, {"price": [None, 0.125, 1.37, 99.0]}):
        encoded = encoder.encode(as_inputs(_frame(some)))
        ours = encoded.dense() if isinstance(encoded, SparseFeatures) else encoded.values
        np.testing.assert_array_equal(plain_columns.features(encoder.table.to_json(), _rows(some)), ours)


@pytest.mark.filterwarnings("ignore:values that the training never had")
@pytest.mark.parametrize("way", ["one network", *MEMBERS])
def test_the_reader_reads_tables_of_every_kind_of_column(way: str, tmp_path: Path) -> None:
    y = np.stack([np.arange(N) % 2, np.arange(N) % 3 == 0], axis=1).astype(int)
    clf = fl.Classifier(hidden_layer_sizes=(6, 5), max_epochs=4, random_state=0, **MEMBERS.get(way, {}))
    clf.fit(_frame(COLUMNS), y).save(tmp_path / "m.safetensors")

    for columns in (COLUMNS, LATER):
        theirs = probabilities(tmp_path / "m.safetensors", _rows(columns))
        np.testing.assert_allclose(theirs, clf.predict_proba(_frame(columns)), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["three classes", "labels", "a constant column"])
def test_the_reader_reads_robust_numbers(name: str, tmp_path: Path) -> None:
    rows, y = TARGETS[name]
    clf = fl.Classifier(hidden_layer_sizes=(6, 5), max_epochs=4, random_state=0, spec={"numbers": "robust"})
    clf.fit(rows, y).save(tmp_path / "m.safetensors")

    far = np.vstack([rows, rows[:5] * 1e6])
    theirs = probabilities(tmp_path / "m.safetensors", far)
    np.testing.assert_allclose(theirs, clf.predict_proba(far), rtol=1e-5, atol=1e-7)


FRONTS: dict[str, list[Layer]] = {
    "numbers": [fl.Periodic(5, 3)],
    "bins": [fl.PiecewiseLinear(6, 3)],
    "categories": [fl.Embedding(4)],
    "inputs": [fl.Scaling()],
    "all": [fl.Periodic(5, 3), fl.Embedding(4), fl.Scaling()],
    "all with bins": [fl.PiecewiseLinear(50, 3), fl.Embedding(4), fl.Scaling()],
}


@pytest.mark.filterwarnings("ignore:values that the training never had")
@pytest.mark.parametrize("way", ["one network", *MEMBERS])
@pytest.mark.parametrize("front", FRONTS)
def test_the_reader_reads_layers_in_front_of_the_dense_ones(front: str, way: str, tmp_path: Path) -> None:
    many = {**COLUMNS, "letter": [chr(97 + k % 11) for k in range(N)]}
    later = {**LATER, "letter": ["a", "z", None]}
    y = np.stack([np.arange(N) % 2, np.arange(N) % 3 == 0], axis=1).astype(int)
    layers = [*FRONTS[front], fl.Dense(6, "parametric_selu"), fl.Dense(1 if "separate" in way else 2)]
    clf = fl.Classifier(network=fl.Network(layers), max_epochs=4, random_state=0, **MEMBERS.get(way, {}))
    clf.fit(_frame(many), y).save(tmp_path / "m.safetensors")

    for columns in (many, later):
        theirs = probabilities(tmp_path / "m.safetensors", _rows(columns))
        np.testing.assert_allclose(theirs, clf.predict_proba(_frame(columns)), rtol=1e-5, atol=1e-6)


def test_the_reader_reads_values_that_share_a_feature_and_rows_encoded_sparse(tmp_path: Path) -> None:
    towns = [f"town {k}" for k in (RNG.pareto(1, 5 * N) * 200).astype(int)]
    y = [len(town) % 3 for town in towns]
    clf = fl.Classifier(hidden_layer_sizes=(6,), max_epochs=4, random_state=0).fit(pd.DataFrame({"town": towns}), y)
    clf.save(tmp_path / "m.safetensors")

    some = [*towns[:50], "town -1", None]
    theirs = probabilities(tmp_path / "m.safetensors", [(town,) for town in some])
    np.testing.assert_allclose(theirs, clf.predict_proba(pd.DataFrame({"town": some})), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("reader", "modules", "most_lines"),
    [
        (
            plain_reader,
            {"fractions", "hashlib", "json", "pathlib", "typing", "numpy", "tests", "tests.plain_network"},
            95,
        ),
        (plain_network, {"math", "typing", "numpy"}, 65),
        (plain_columns, {"datetime", "math", "re", "collections.abc", "typing", "numpy"}, 80),
    ],
)
def test_the_reader_is_short_and_uses_nothing_of_ours(reader: ModuleType, modules: set[str], most_lines: int) -> None:
    source = Path(str(reader.__file__)).read_text(encoding="utf-8")
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }

    assert imported == modules
    assert len([line for line in source.splitlines() if line.strip()]) <= most_lines
