"""`fromlogits cv` from end to end."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import fromlogits as fl
from fromlogits import cross_validation
from fromlogits.cli import cv as cv_verb
from fromlogits.cli.main import run

EXAMPLES = Path(__file__).parents[2] / "examples"
DIGITS = f"cv {EXAMPLES / 'digits.csv'} --target digit --layers 10 --epochs 3 --folds 3"


def done(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = run(shlex.split(f"{command} --json"))
    out, err = capsys.readouterr()
    assert code == 0, err
    report: dict[str, Any] = json.loads(out)
    return report


def test_cv_of_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.csv"
    report = done(f"{DIGITS} -o {path}", capsys)

    assert (report["task"], report["rows"], report["out_of_fold"]["rows"]) == ("multi-class", 1797, 1797)
    assert report["classes"] == list(range(10))
    assert [fold["rows"] for fold in report["folds"]] == [599] * 3
    for fold in report["folds"]:
        assert fold["training_rows"] + fold["validation_rows"] == 1198
    low, high = report["interval"]["accuracy"]
    assert low < report["out_of_fold"]["accuracy"] < high
    rows = list(csv.DictReader(path.read_text().splitlines()))
    truth = [row["digit"] for row in csv.DictReader((EXAMPLES / "digits.csv").read_text().splitlines())]
    assert list(rows[0]) == ["prediction", *(f"probability:{digit}" for digit in range(10))]
    right = sum(row["prediction"] == digit for row, digit in zip(rows, truth, strict=True))
    assert right / 1797 == report["out_of_fold"]["accuracy"]


def test_cv_of_scenes(capsys: pytest.CaptureFixture[str]) -> None:
    command = f"cv {EXAMPLES / 'scenes.npz'} --layers 10 --epochs 2 --folds 2"
    report = done(command, capsys)
    assert report["task"] == "multi-label"
    assert {"micro_f1", "macro_roc_auc", "per_label"} < set(report["out_of_fold"])
    low, high = report["interval"]["macro_roc_auc"]
    assert low < report["out_of_fold"]["macro_roc_auc"] < high

    assert run(shlex.split(command)) == 0
    out, err = capsys.readouterr()
    assert "\ndeviation " in out and "\n  micro_f1 " in out
    assert err.count("fold ") == 2


def test_rows_that_no_fold_judges_are_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, path = tmp_path / "t.csv", tmp_path / "out.tsv"
    lines = [f"{row},{row % 7},{row % 5},{'ab'[row % 2]}" for row in range(120)]
    table.write_text("\n".join(["nr,size,weight,kind", *lines]) + "\n")
    report = done(f"cv {table} --target kind --id nr --time-column nr --folds 3 --epochs 2 -o {path}", capsys)

    assert (report["rows"], report["out_of_fold"]["rows"]) == (120, 90)
    rows = list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))
    assert [row["nr"] for row in rows] == [str(row) for row in range(120)]
    assert [bool(row["prediction"]) for row in rows] == [row >= 30 for row in range(120)]
    assert [bool(row["probability:b"]) for row in rows] == [row >= 30 for row in range(120)]


@pytest.mark.parametrize("most", [1, 100])
def test_predictions_written_in_parts_are_the_same(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    lines = [f"row {row},{row * 37 % 101},{int(row * 37 % 101 > 50)},{row % 2}" for row in range(60)]
    table.write_text("\n".join(["name,size,car,bus", *lines]) + "\n")
    command = f"cv {table} --target car,bus --id name --folds 2 --epochs 1"
    done(f"{command} -o {tmp_path / 'whole.csv'}", capsys)
    monkeypatch.setattr(cv_verb, "PART_VALUES", most)
    done(f"{command} -o {tmp_path / 'parts.csv'}", capsys)
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_ctrl_c_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    class Interrupted(fl.Classifier):
        def _run(self, *args: Any, **more: Any) -> None:
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            super()._run(*args, **more)

    monkeypatch.setattr(cross_validation, "Classifier", Interrupted)
    assert run(shlex.split(f"{DIGITS} -o {tmp_path / 'out.csv'} --quiet")) == 130
    assert capsys.readouterr().err == "fromlogits: stopped by Ctrl-C; nothing was written.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_the_folds_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the folds, the network and the plan it says what the run then has."""
    path = tmp_path / "out.csv"
    report = done(DIGITS, capsys)
    monkeypatch.setattr(fl.Classifier, "_run", None)
    dry = done(f"{DIGITS} -o {path} --dry-run", capsys)

    for name in ("task", "rows", "classes", "seed"):
        assert dry[name] == report[name]
    for counts, fold in zip(dry["folds"], report["folds"], strict=True):
        assert counts == {name: fold[name] for name in ("rows", "training_rows", "validation_rows")}
    assert [layer["units"] for layer in dry["network"]["layers"]] == [10, 10]
    assert (dry["plan"]["max_epochs"], dry["output"]) == (3, str(path))

    assert run(shlex.split(f"{DIGITS} -o {path} --dry-run")) == 0
    out, err = capsys.readouterr()
    assert "examples/digits.csv: 1,797 pictures of 8x8; 10 classes in column 'digit': 0 to 9\n" in out
    assert "\nfold  training rows  validation rows  judged rows\n1             1,078 " in out
    assert f"\nwould write {path}\n" in out
    assert err == ""
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_names_classes_and_columns_and_finds_what_is_wrong_with_a_fold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    lines = [f"row {row},{row % 7},{'xyz'[row % 3]},{'ab'[row % 2]}" for row in range(120)]
    table.write_text("\n".join(["nr,size,town,kind", *lines]) + "\n")
    assert run(shlex.split(f"cv {table} --target kind --folds 2 --dry-run")) == 0
    out, err = capsys.readouterr()
    assert "2 classes in column 'kind': a, b\n" in out
    assert "town    category of 3 values" in out
    assert err.count("warning: left out: nr, as it has a different value in nearly every row") == 1

    numbered = tmp_path / "numbered.csv"
    numbered.write_text(table.read_text().replace("row ", ""))
    dry = done(f"cv {numbered} --target kind --folds 2 --dry-run", capsys)
    assert [column["column"] for column in dry["columns"] if column["what"] != "left out"] == ["size", "town"]
    assert run(shlex.split(f"cv {numbered} --target kind --folds 2 --epochs 1")) == 0
    assert capsys.readouterr().err.count("warning: left out: nr, as it has a different value") == 1
    dry = done(f"cv {numbered} --target kind --folds 2 --dry-run --numeric nr", capsys)
    assert [column["column"] for column in dry["columns"]] == ["nr", "size", "town"]

    table.write_text("\n".join(["nr,size,kind", *(f"{row},{row % 7},{'ab'[row > 40]}" for row in range(120))]) + "\n")
    command = f"cv {table} --target kind --folds 3 --time-column nr --dry-run"
    assert run(shlex.split(command)) == 2
    assert "fold 1 of 3: the target must have at least 2 classes" in capsys.readouterr().err


def test_rows_count_by_their_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the folds' figures and in all; a row of weight 0 is in no fold, and its prediction is empty."""
    table, path = tmp_path / "t.csv", tmp_path / "out.csv"
    counts = [row % 4 for row in range(160)]
    lines = [
        f"{row * 37 % 101},{row * 53 % 97},{count},{'yn'[row * 37 % 101 + row % 7 > 50]}"
        for row, count in enumerate(counts)
    ]
    table.write_text("\n".join(["size,length,count,kind", *lines]) + "\n")
    command = f"cv {table} --target kind --folds 2 --epochs 5 --layers 4"
    report = done(f"{command} --weights count -o {path}", capsys)

    rows = list(csv.DictReader(path.read_text().splitlines()))
    truth = [line.rpartition(",")[2] for line in lines]
    assert [bool(row["prediction"]) for row in rows] == [count > 0 for count in counts]
    right = sum(count * (row["prediction"] == kind) for row, kind, count in zip(rows, truth, counts, strict=True))
    assert report["out_of_fold"]["rows"] == sum(fold["rows"] for fold in report["folds"]) == 120
    assert report["out_of_fold"]["accuracy"] == pytest.approx(right / sum(counts), rel=1e-15)

    unweighted = done(f"{command} --ignore count", capsys)
    assert unweighted["out_of_fold"]["rows"] == 160
    assert unweighted["out_of_fold"]["log_loss"] != report["out_of_fold"]["log_loss"]

    assert run(shlex.split(f"{command} --weights count --quiet")) == 0
    assert "count" not in capsys.readouterr().err
    assert run(shlex.split(f"{command} --weights count")) == 0
    assert f"note: {table}: rows count by their 'count', from 0 to 3, 40 of them 0.\n" in capsys.readouterr().err
    assert run(shlex.split(f"{command} --weights size,length")) == 2
