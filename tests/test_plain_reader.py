"""docs/file-format.md is enough to read a model by: a reader written from it gives the classifier's probabilities."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.decisions.calibration import Calibration
from fromlogits.spec import HIDDEN_ACTIVATIONS
from tests import plain_reader
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


def test_the_reader_is_short_and_uses_nothing_of_ours() -> None:
    source = Path(plain_reader.__file__).read_text(encoding="utf-8")
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }

    assert imported == {"fractions", "hashlib", "json", "math", "pathlib", "typing", "numpy"}
    assert len([line for line in source.splitlines() if line.strip()]) <= 100
