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
    assert report["interval"]["macro_roc_auc"] is None

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
