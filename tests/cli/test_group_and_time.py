"""--group and --time-column from end to end: which rows are held out, what is remembered, what evaluate finds again."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits as fl
from fromlogits import metrics
from fromlogits.cli.main import run
from fromlogits.data.sources import read

TRAIN = "train t.csv --target kind --epochs 3 --quiet --layers 4 -o m.safetensors"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = ["patient,day,size,weight,kind"]
    for row in range(240):
        patient = int(rng.integers(30))
        kind = (patient + (rng.random() < 0.2)) % 3
        lines.append(
            f"{patient:03d},2026-01-{1 + row // 10:02d},{kind + rng.normal():.3f},{rng.normal():.3f},{'abc'[kind]}"
        )
    head, rows = lines[0], lines[1:]
    rng.shuffle(rows)
    Path("t.csv").write_text("\n".join([head, *rows]) + "\n")
    return tmp_path


def done(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = run(shlex.split(f"{command} --json"))
    out, err = capsys.readouterr()
    assert code == 0, err
    report: dict[str, Any] = json.loads(out)
    return report


def column(name: str) -> list[str]:
    return [row[name] for row in csv.DictReader(Path("t.csv").read_text().splitlines())]


@pytest.mark.parametrize("way", ["group patient", "time-column day"])
def test_evaluate_finds_the_held_out_rows_of_the_training_file_again(
    way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "day" if "group" in way else "patient"
    trained = done(f"{TRAIN} --{way} --ignore {other}", capsys)
    evaluated = done("evaluate m.safetensors t.csv", capsys)

    validation = dict(trained["validation"])
    assert {name: evaluated["held_out"][name] for name in validation} == validation
    assert validation["rows"] == fl.load("m.safetensors").record_["n_validation"]


@pytest.mark.parametrize(("kind", "times"), [("group", None), ("time", "day")])
def test_python_and_the_command_hold_out_the_same_rows(
    kind: str, times: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    way = "--group patient --ignore day" if times is None else "--time-column day --ignore patient"
    done(f"{TRAIN} {way}", capsys)
    by_command = fl.load("m.safetensors")
    rows = read("t.csv", target="kind", ignore=("patient", "day"))
    assert rows.targets is not None
    clf = fl.Classifier(hidden_layer_sizes=(4,), max_epochs=3, random_state=0)
    extra = {"groups": column("patient")} if times is None else {"times": column("day")}
    clf.fit(rows.features, rows.targets.values, **extra)

    assert clf.record_["split"] == by_command.record_["split"]
    assert clf.record_["split"]["kind"] == kind
    assert clf.validation_metrics_ == by_command.validation_metrics_
    np.testing.assert_array_equal(clf.predict_logits(rows.features), by_command.predict_logits(rows.features))


def test_no_patient_is_trained_on_and_held_out(capsys: pytest.CaptureFixture[str]) -> None:
    from fromlogits.cli.evaluate import held_out_rows
    from fromlogits.data.reading import Reading
    from fromlogits.opening import read_labelled

    done(f"{TRAIN} --group patient --ignore day", capsys)
    clf = fl.load("m.safetensors")
    dataset = read_labelled(clf, "t.csv", Reading())
    targets = clf.target_.encode(dataset.targets)
    held = held_out_rows(clf, targets, dataset)
    assert held is not None
    patients = np.array(column("patient"))
    assert not set(patients[held]) & set(np.delete(patients, held))
    figures = metrics.evaluate(
        "multi-class", clf.target_.classes, clf.predict_logits(dataset.features)[held], targets[held]
    )
    assert figures == clf.validation_metrics_


def test_the_columns_are_no_features_and_are_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    done(f"{TRAIN} --group patient --ignore day", capsys)
    schema = fl.load("m.safetensors").encoder_.schema
    assert schema.names == ("size", "weight")
    assert (schema.group_names, schema.time_names) == (("patient",), ())
    run(["inspect", "m.safetensors"])
    assert "\ngroup        patient\n" in capsys.readouterr().out
    # Files without the column are welcome, and files with it give no note.
    Path("later.csv").write_text("size,weight,kind\n1,2,a\n0,1,b\n")
    assert done("evaluate m.safetensors later.csv", capsys)["rows"] == 2
    assert run(["predict", "m.safetensors", "t.csv"]) == 0
    assert capsys.readouterr().err == ""


def test_a_model_without_groups_says_nothing_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    done(f"{TRAIN} --ignore patient,day", capsys)
    described = fl.load("m.safetensors").describe()["encoder"]["schema"]
    assert not {"group_names", "time_names"} & set(described)


def test_what_is_held_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    run(shlex.split("train t.csv --target kind --group patient --ignore day --dry-run"))
    assert "note: the folds are of 30 whole groups.\n" in capsys.readouterr().err
    run(shlex.split("train t.csv --target kind --group patient --ignore day --preset fast --dry-run"))
    assert "note: held out are the " in (err := capsys.readouterr().err) and " of the 30 groups.\n" in err
    run(shlex.split("train t.csv --target kind --time-column day --ignore patient --dry-run"))
    assert "note: held out are the last 20 rows in time.\n" in capsys.readouterr().err


def test_a_class_that_comes_only_later_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("t.csv").read_text().splitlines()
    last = next(row for row in text if ",2026-01-24," in row)
    text[text.index(last)] = last[:-1] + "new"
    Path("t.csv").write_text("\n".join(text) + "\n")
    run(shlex.split("train t.csv --target kind --time-column day --ignore patient --dry-run"))
    assert "note: in the held-out rows only, so not learned: 'new'.\n" in capsys.readouterr().err


def test_rows_that_are_trained_on_and_judge_too_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Path("t.csv").read_text().splitlines()
    Path("train.csv").write_text("\n".join(rows[:201]) + "\n")
    Path("test.csv").write_text("\n".join([rows[0], *rows[1:4], *rows[201:]]) + "\n")
    command = "train train.csv --target kind --ignore patient,day --epochs 1 --layers 2 --set early_stopping=false"
    command += " --set calibrate=false --quiet --test test.csv --valid train.csv"

    assert done(f"{command} -o a.safetensors", capsys)["duplicates"] == {"validation": 200, "test": 3}
    assert run(shlex.split(f"{command} -o b.safetensors")) == 0
    warned = "warning: 3 of the 43 test rows have the very features of a row that is trained on; figures flatter.\n"
    assert warned in capsys.readouterr().err
