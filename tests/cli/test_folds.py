"""`--set folds=K` from end to end: what is said, and what evaluate finds again."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.cli.main import run

TRAIN = "train t.csv --target kind --epochs 3 --layers 4 --set folds=3 -o m.safetensors"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = ["patient,size,weight,kind,a,b"]
    for row in range(240):
        kind = int(rng.integers(3))
        a, b = int(kind > 0), int(rng.random() < 0.3)
        lines.append(f"{row // 8:03d},{kind + rng.normal():.3f},{rng.normal():.3f},{'xyz'[kind]},{a},{b}")
    Path("t.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def done(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = run(shlex.split(f"{command} --json"))
    out, err = capsys.readouterr()
    assert code == 0, err
    report: dict[str, Any] = json.loads(out)
    return report


def told(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    code = run(shlex.split(command))
    out, err = capsys.readouterr()
    assert code == 0, err
    return err + out


@pytest.mark.parametrize(
    "how",
    [
        TRAIN + " --ignore a,b,patient",
        TRAIN + " --ignore a,b,patient --set ensemble=5",
        TRAIN + " --ignore a,b --group patient --quiet",
        TRAIN + " --ignore a,b,patient --coverage 0.8",
        TRAIN.replace("kind", "a,b") + " --ignore kind,patient --separate-networks",
    ],
    ids=["classes", "another deal", "groups", "sets", "labels"],
)
def test_evaluate_finds_the_out_of_fold_figures_of_the_training_file_again(
    how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = done(how, capsys)
    evaluated = done("evaluate m.safetensors t.csv", capsys)

    validation = dict(trained["validation"])
    assert validation["rows"] == fl.load("m.safetensors").record_["n_validation"]
    assert validation["selected_on"] is True
    found = evaluated["held_out"]
    for own, in_full in zip(validation.pop("per_label", []), found.get("per_label", []), strict=False):
        assert own.items() <= in_full.items()
    assert {name: found[name] for name in validation} == validation
    assert evaluated["rows"] == 240
    assert found["log_loss"] != evaluated["log_loss"]


def test_what_is_done_and_what_came_of_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    words = told(TRAIN + " --ignore a,b,patient", capsys)
    plan = (
        "240 rows: 3 networks, each trained on 2 of 3 folds, the rows it did not see to choose the best epoch and"
        " calibrate\n"
    )
    assert plan in words
    by = "each by the networks that were not trained on it; they chose the epochs"
    assert f"validation (240 rows, {by}):" in words

    words = told("evaluate m.safetensors t.csv", capsys)
    trust = "only what is said of the rows out of fold, by the networks that were not trained on them, says how good"
    assert trust in words
    assert f"rows out of fold (240, {by}):" in words
    assert f"240 rows in 3 folds, {by}\n" in told("inspect m.safetensors", capsys)


def test_a_later_file_is_evaluated_by_all_networks_and_has_no_held_out_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done(TRAIN + " --ignore a,b,patient", capsys)
    Path("later.csv").write_text(Path("t.csv").read_text().replace("000,", "001,", 1))
    assert "held_out" not in done("evaluate m.safetensors later.csv", capsys)


def test_rows_that_are_alike_in_two_folds_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Path("t.csv").read_text().splitlines()
    Path("t.csv").write_text("\n".join([*rows, *rows[1:31]]) + "\n")
    count = done(TRAIN + " --ignore a,b,patient", capsys)["duplicates"]["validation"]
    clf = fl.load("m.safetensors")
    data = list(csv.DictReader(Path("t.csv").read_text().splitlines()))
    from fromlogits import fitting

    targets = np.array([clf.classes_.tolist().index(row["kind"]) for row in data])
    folds = fitting.folds_of(clf.record_["split"], 3, targets, None, clf.target_)
    assert folds is not None
    (fold,) = folds.deals
    assert count == 2 * (fold[:30] != fold[240:]).sum()


def test_a_dry_run_counts_each_row_once(capsys: pytest.CaptureFixture[str]) -> None:
    plan = done(TRAIN + " --ignore a,b,patient --dry-run", capsys)
    assert (plan["rows"], plan["training_rows"], plan["validation_rows"]) == (240, 240, 240)
    assert (plan["plan"]["folds"], plan["members"]["ensemble"]) == (3, 3)


def test_calibrating_on_the_training_file_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    done(TRAIN + " --ignore a,b,patient", capsys)
    words = told("calibrate m.safetensors t.csv -o new.safetensors", capsys)
    assert "warning: the model was trained on this very file (t.csv), and is surer there than on new rows." in words
