"""What a newcomer does first, on the installed package: train both examples, evaluate and use them, look at the module.

Stands alone, so that it can run away from the source: it imports the installed package and finds `examples` in a folder
above this file.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits

EXAMPLES = next(folder / "examples" for folder in Path(__file__).resolve().parents if (folder / "examples").is_dir())
COMMAND = Path(sys.executable).with_name("fromlogits")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder that the tests of this file share, in their order: models are trained, then used."""
    return tmp_path_factory.mktemp("smoke")


def run(folder: Path, *arguments: str | Path) -> str:
    done = subprocess.run([COMMAND, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"fromlogits {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def result(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(folder, *arguments, "--json"))
    return found


def test_digits_train_to_a_softmax_network(folder: Path) -> None:
    trained = result(folder, "train", EXAMPLES / "digits.csv", "--target", "digit", "-o", "digits.safetensors")

    assert trained["task"] == "multi-class"
    assert trained["classes"] == list(range(10))
    assert trained["validation"]["accuracy"] >= 0.9
    assert (folder / "digits.safetensors").is_file()


def test_scenes_train_to_a_sigmoid_network(folder: Path) -> None:
    trained = result(folder, "train", EXAMPLES / "scenes.npz", "--preset", "fast", "-o", "scenes.safetensors")

    assert trained["task"] == "multi-label"
    assert sorted(trained["classes"]) == ["bus", "car", "pedestrian"]
    assert trained["validation"]["macro_roc_auc"] >= 0.75  # a linear model reaches 0.66


def test_the_trained_models_are_evaluated(folder: Path) -> None:
    digits = result(folder, "evaluate", "digits.safetensors", EXAMPLES / "digits.csv")
    scenes = result(folder, "evaluate", "scenes.safetensors", EXAMPLES / "scenes.npz")

    assert (digits["rows"], scenes["rows"]) == (1797, 3000)
    assert digits["accuracy"] >= 0.95
    assert [label["label"] for label in scenes["per_label"]] == scenes["classes"]


def test_predictions_keep_the_rows_and_add_up(folder: Path) -> None:
    run(folder, "predict", "digits.safetensors", EXAMPLES / "digits.csv", "-o", "predicted.csv")
    with open(folder / "predicted.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(EXAMPLES / "digits.csv", newline="") as file:
        true = [row["digit"] for row in csv.DictReader(file)]

    assert len(rows) == 1797
    assert np.mean([row["prediction"] == digit for row, digit in zip(rows, true, strict=True)]) >= 0.95
    for row in rows:
        assert sum(float(row[f"probability:{digit}"]) for digit in range(10)) == pytest.approx(1.0, abs=1e-5)


def test_a_model_is_inspected(folder: Path) -> None:
    assert "softmax" in run(folder, "inspect", "digits.safetensors")
    assert "sigmoid" in run(folder, "inspect", "scenes.safetensors")


def test_the_lesson_page_has_its_parts(folder: Path) -> None:
    assert "lesson.html" in run(folder, "export", "digits.safetensors", "lesson.html")
    assert "</html>" in (folder / "lesson.html").read_text(encoding="utf-8")


def test_python_loads_what_the_command_saved(folder: Path) -> None:
    with np.load(EXAMPLES / "scenes.npz") as scenes:
        pictures = scenes["X"][:5]

    probabilities = fromlogits.load(folder / "scenes.safetensors").predict_proba(pictures)

    assert probabilities.shape == (5, 3)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_bad_input_is_one_line_and_exit_2(folder: Path) -> None:
    done = subprocess.run(
        [COMMAND, "train", "no-such.csv", "--target", "y"], cwd=folder, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "no-such.csv" in done.stderr


def test_the_core_brings_no_library_and_loads_none_of_another_package() -> None:
    packages = Path(fromlogits.__file__).parent.parent
    code = "from fromlogits import _core; print(open('/proc/self/maps').read())"

    maps = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert not list(packages.glob("fromlogits.libs/*"))
    assert {line.split()[-1] for line in maps.splitlines() if str(packages) in line} == {_core_file()}


def _core_file() -> str:
    from fromlogits import _core

    return str(_core.__file__)
