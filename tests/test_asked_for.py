"""What users of other libraries ask for (docs/reference/asked-for.md): the page holds, and so does what had no test."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.cli.main import run
from fromlogits.data.splits import validation_rows
from fromlogits.errors import InputError

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "asked-for.md"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
Y = np.stack([X[:, 0] > 1, X[:, 1] > 0, X[:, 2] > 0], axis=1).astype(float)

# --- the page ---


class Row(NamedTuple):
    asked: str
    here: str
    shown_by: str


def rows() -> list[Row]:
    """Of all tables but the last, which lists what is not there yet."""
    text = PAGE.read_text(encoding="utf-8").partition("## Not yet")[0]
    found = [line.strip("|\n ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [Row(*cells) for cells in found if cells[0] != "asked"]


def code_of(row: Row) -> str:
    match = re.fullmatch(r"`([^`]+)`", row.here)
    assert match, f"one line of code, and nothing else: {row.here}"
    return match[1]


@cache
def names_in(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.asked[:40])
def test_every_row_names_a_test_that_there_is(row: Row) -> None:
    found = re.match(r"\[(\w+)\]\(\.\./\.\./(tests/(?:\w+/)*(\w+)\.py)\) `(test_\w+)`", row.shown_by)

    assert found, row.shown_by
    assert found[1] == found[3]
    assert found[4] in names_in(ROOT / found[2])


@pytest.fixture(scope="module")
def behind_the_setup(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names of the page's first lines, which ran in a folder of their own."""
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    names: dict[str, Any] = {"folder": tmp_path_factory.mktemp("page")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(names["folder"])
        exec(block[1], names)
    return names


def test_every_line_runs(behind_the_setup: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(behind_the_setup["folder"])
    for code in map(code_of, rows()):
        if code.startswith("fromlogits "):
            assert run(shlex.split(code)[1:]) == 0, code
        else:
            assert eval(code, behind_the_setup) is not code


# --- what no other test shows ---


def test_the_epoch_that_is_kept_is_the_best_by_the_metric_that_was_named() -> None:
    for metric in ("macro_f1", "hamming_loss"):
        clf = fl.Classifier(
            hidden_layer_sizes=(8,), metric=metric, max_epochs=30, calibrate=False, random_state=0
        ).fit(X, Y)  # fmt: skip
        figures: list[Any] = [epoch.validation for epoch in clf.history_.epochs]
        best = (min if metric == "hamming_loss" else max)(figures)

        assert len(set(figures)) > 3
        assert clf.best_epoch_ == figures.index(best) + 1
        assert clf.validation_metrics_ is not None
        assert clf.validation_metrics_[metric] == best


def test_there_is_a_validation_figure_for_each_epoch() -> None:
    seen: list[Any] = []
    clf = fl.Classifier(hidden_layer_sizes=(8,), max_epochs=7, patience=7, random_state=0)
    clf.fit(X[:200], Y[:200], X_val=X[200:], y_val=Y[200:], callbacks=[seen.append])
    curve = [epoch.validation for epoch in clf.history_.epochs]

    assert len(curve) == clf.n_iter_ == 7
    assert curve == [epoch.validation for epoch in seen]
    assert len(set(curve)) == 7


def test_a_hundred_thousand_rows_with_a_hundred_labels_are_split_in_seconds() -> None:
    labels = (np.random.default_rng(0).random((100_000, 100)) < np.linspace(0.001, 0.06, 100)).astype(np.float32)

    start = time.perf_counter()
    _, held = validation_rows(labels, 100, 0.2, 0)
    seconds = time.perf_counter() - start

    assert seconds < 15  # 0.8 on an idle machine, with three labels a row; 5 with fifteen
    assert np.abs(labels[held].sum(axis=0) / labels.sum(axis=0) - 0.2).max() < 0.02


def test_it_is_said_whether_one_class_or_any_labels_are_meant() -> None:
    clf = fl.Classifier(hidden_layer_sizes=(8,), max_epochs=3, random_state=0)

    assert clf.fit(X, Y).describe()["head"] == "3 linear units, sigmoid head, loss from logits"
    assert np.abs(clf.predict_proba(X).sum(axis=1) - 1).max() > 0.1
    assert clf.fit(X, Y.argmax(axis=1)).describe()["head"] == "3 linear units, softmax head, loss from logits"
    np.testing.assert_allclose(clf.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the system for the largest resident set")
def test_four_hundred_labels_of_five_hundred_numbers_train_within_a_gigabyte() -> None:
    code = """
import numpy as np, fromlogits as fl
rng = np.random.default_rng(0)
X = rng.normal(size=(2000, 500))
Y = (X @ rng.normal(size=(500, 400)) > 0).astype(float)
fl.Classifier(max_epochs=2, random_state=0).fit(X, Y).predict_proba(X)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    kib = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    assert kib < 1_000_000


def test_a_thousand_classes_are_learned() -> None:
    names = [f"class {k % 1000}" for k in range(3000)]
    points = np.tile(np.random.default_rng(0).normal(size=(1000, 16)), (3, 1))
    clf = fl.Classifier(
        hidden_layer_sizes=(64,), learning_rate=0.01, max_epochs=60, early_stopping=False, calibrate=False,
        random_state=0,
    ).fit(points, names)  # fmt: skip

    assert clf.predict_proba(points[:3]).shape == (3, 1000)
    assert clf.score(points, names) > 0.9


def test_a_row_of_a_hundred_thousand_columns_is_predicted_in_a_moment() -> None:
    d = 100_000
    wide = np.random.default_rng(0).normal(size=(20, d)).astype(np.float32)
    clf = fl.Classifier(hidden_layer_sizes=(4,), max_epochs=1, random_state=0).fit(wide, np.arange(20) % 2)

    start = time.perf_counter()
    clf.predict(wide[:1])
    seconds = time.perf_counter() - start

    assert seconds < 2  # a few hundredths on an idle machine; in the library where it was asked for, three minutes


def test_a_training_that_ends_by_its_number_of_epochs_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = fl.Classifier(hidden_layer_sizes=(8,), max_epochs=1, random_state=0).fit(X, Y)

    assert clf.history_.stopped_by == "max_epochs"


def test_a_model_file_is_as_large_as_its_network_however_many_rows_there_were(tmp_path: Path) -> None:
    sizes = {}
    for times in (1, 50):
        clf = fl.Classifier(hidden_layer_sizes=(256,), max_epochs=2, random_state=0)
        clf.fit(np.tile(X, (times, 1)), np.tile(Y, (times, 1))).save(tmp_path / f"{times}.safetensors")
        sizes[times] = (tmp_path / f"{times}.safetensors").stat().st_size

    parameters = 4 * (4 * 256 + 256 + 256 * 3 + 3)
    assert parameters < sizes[1] < parameters + 5000
    assert abs(sizes[50] - sizes[1]) < 100


def test_a_class_that_comes_up_later_in_partial_fit_is_refused_by_name() -> None:
    clf = fl.Classifier(random_state=0).partial_fit(X, np.arange(300) % 2, classes=[0, 1, 2])
    clf.partial_fit(X, np.full(300, 2))

    with pytest.raises(InputError, match="3"):
        clf.partial_fit(X, np.full(300, 3))
