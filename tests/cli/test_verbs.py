"""The verbs from end to end, in this process: what they print, write, return and leave alone."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.cli import train as train_verb
from fromlogits.cli.output import calibration_text
from fromlogits.cli.train import default_name
from fromlogits.fitting import Fit
from fromlogits.metrics import METRICS
from tests.cli.here import Here

DIGITS = Path(__file__).parents[2] / "examples" / "digits.csv"
Result = tuple[int, str, str]


def write_classes(name: str, rows: int = 200, seed: int = 0, classes: str = "abc") -> None:
    """Two numbers that tell the class, and the number of the row."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(len(classes), size=rows)
    x = rng.normal(size=(rows, 2)) + 3 * np.stack([codes == 0, codes == 1], axis=1)
    lines = [f"r{k},{x[k, 0]:.4f},{x[k, 1]:.4f},{classes[codes[k]]}" for k in range(rows)]
    Path(name).write_text("\n".join(["nr,u,v,kind", *lines]) + "\n", encoding="utf-8")


def write_labels(name: str, rows: int = 200, seed: int = 0) -> None:
    x = np.random.default_rng(seed).normal(size=(rows, 3))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{int(a > 0)},{int(a + b > 1)}" for a, b, c in x]
    Path(name).write_text("\n".join(["x,y,z,label:car,label:bus", *lines]) + "\n", encoding="utf-8")


TRAIN = "train t.csv --target kind --id nr --epochs 5 --layers 8"


def test_training_prints_the_head_the_figures_and_commands_that_work(here: Here) -> None:
    write_classes("t.csv")
    code, out, err = here.ended(TRAIN)

    assert code == 0
    first, validation, *_ = out.splitlines()
    assert first == "3 linear units, softmax head, loss from logits"
    assert validation.startswith("validation (20 rows, which chose the epoch): accuracy ")
    assert "180 rows to train on, 20 to choose the best epoch and calibrate" in err
    commands = [line.strip() for line in out.splitlines() if line.startswith("  fromlogits ")]
    assert [shlex.split(command)[1] for command in commands] == ["evaluate", "predict", "inspect"]
    for command in commands:
        code, out, err = here.ended(command.removeprefix("fromlogits "))
        assert code == 0, err
        assert out


def test_commands_to_paste_are_quoted_for_the_shell(here: Here) -> None:
    write_classes("my data; rm.csv")
    code, out, _ = here.ended("train 'my data; rm.csv' --target kind --ignore nr --epochs 2 --quiet")

    assert code == 0
    assert "  fromlogits evaluate 'my data; rm.safetensors' 'my data; rm.csv'" in out.splitlines()


def test_results_go_to_standard_output_and_progress_to_standard_error(here: Here) -> None:
    write_classes("t.csv")
    _, loud, progress = here.ended(f"{TRAIN} --json")
    code, out, err = here.ended(f"{TRAIN} --quiet")

    assert json.loads(loud)["model"] == "t.safetensors"
    assert "epoch 5/5  loss " in progress
    assert (code, err) == (0, "")
    assert "saved as t-2.safetensors" in out


def test_the_json_of_train_has_the_figures_in_objects(here: Here) -> None:
    write_classes("t.csv")
    write_classes("test.csv", 50, seed=1)
    report = here.json(f"{TRAIN} --test test.csv --seed 3")

    assert list(report) == [
        "task", "rows", "classes", "seconds", "model", "epochs", "best_epoch", "seed", "calibration",
        "validation", "test", "duplicates",
    ]  # fmt: skip
    assert (report["task"], report["rows"], report["classes"]) == ("multi-class", 200, ["a", "b", "c"])
    assert (report["epochs"], report["seed"], report["model"]) == (5, 3, "t.safetensors")
    assert 1 <= report["best_epoch"] <= 5 and report["seconds"] > 0
    assert list(report["validation"]) == ["rows", "selected_on", "accuracy", "log_loss"]
    assert report["validation"]["selected_on"] is True
    assert list(report["test"]) == ["rows", "accuracy", "log_loss"]
    assert report["test"]["accuracy"] == here.json("evaluate t.safetensors test.csv")["accuracy"]


def test_without_validation_rows_there_is_no_validation_object(here: Here) -> None:
    write_classes("t.csv")
    report = here.json(f"{TRAIN} --set early_stopping=false --set calibrate=false")

    assert report["validation"] is None and report["calibration"] is None
    assert (report["epochs"], report["best_epoch"]) == (5, 5)


def test_how_it_is_calibrated_and_what_that_does_is_said(here: Here) -> None:
    write_classes("t.csv")
    code, out, _ = here.ended(TRAIN)
    how = fl.load("t.safetensors").record_["calibration"]
    assert code == 0 and list(how["log_loss"]) == ["none", "temperature"]
    change = " -> ".join(f"{how['log_loss'][name]:.4g}" for name in ("none", "temperature"))
    words = {"temperature": f"one temperature; log_loss {change}, cross-fitted"}.get(
        how["kind"], f"none, it would make it worse: log_loss {change}, cross-fitted"
    )
    assert f"\ncalibration: {words}\n" in out
    assert f"\ncalibration  {words}\n" in here.ended("inspect t.safetensors")[1]

    code, out, _ = here.ended(f"{TRAIN} --overwrite -o t.safetensors --set calibrate=false")
    assert code == 0 and "calibration" not in out
    assert "\ncalibration  none\ntemperature  1.0000\n" in here.ended("inspect t.safetensors")[1]


@pytest.mark.parametrize(
    ("losses", "kind", "is_one_unit", "says"),
    [
        ({}, "none", False, "none, too few rows were held out"),
        ({"none": 0.5, "temperature": 0.25, "per_label": 0.3}, "temperature", False,
         "one temperature; log_loss 0.5 -> 0.25, cross-fitted"),
        ({"none": 0.00266, "temperature": 0.0026, "per_label": 0.0025}, "per_label", False,
         "a temperature and a bias for each label; log_loss 0.00266 -> 0.0025, cross-fitted"),
        ({"none": 0.5, "temperature": 0.4, "per_label": 0.3}, "per_label", True,
         "a temperature and a bias; log_loss 0.5 -> 0.3, cross-fitted"),
        ({"none": 0.5, "temperature": 0.51, "per_label": 0.6}, "none", False,
         "none, it would make it worse: log_loss 0.5 -> 0.51, cross-fitted"),
        ({"none": 0.5, "temperature": 0.50001, "per_label": 0.6}, "none", False,
         "none, it would gain nothing: log_loss 0.5 -> 0.5, cross-fitted"),
    ],
)  # fmt: skip
def test_the_words_of_a_calibration(losses: dict[str, float], kind: str, is_one_unit: bool, says: str) -> None:
    record = {"calibration": {"kind": kind, "folds": 5, "log_loss": losses}}
    assert calibration_text(record, is_one_unit=is_one_unit) == says


def test_a_validation_file_is_used_instead_of_held_out_rows(here: Here) -> None:
    write_classes("t.csv")
    write_classes("v.csv", 30, seed=1)
    report = here.json(f"{TRAIN} --valid v.csv")

    assert report["validation"]["rows"] == 30
    assert fl.load("t.safetensors").record_["n_train"] == 200


@pytest.mark.parametrize(
    ("valid", "settings", "say"),
    [
        ("", "", "the network was trained on"),
        ("--valid copy.csv", "", "the network was trained on"),
        ("--valid other.csv", "", "chose the epoch"),
        ("--valid other.csv", "--set early_stopping=false", "calibrated it"),
    ],
)
def test_test_rows_that_took_part_are_said_to_have(here: Here, valid: str, settings: str, say: str) -> None:
    write_classes("t.csv")
    write_classes("u.csv", 50, seed=1)
    Path("copy.csv").write_bytes(Path("t.csv").read_bytes())
    Path("other.csv").write_bytes(Path("u.csv").read_bytes())
    test = "t.csv" if say.endswith("trained on") else "u.csv"
    _, out, err = here.ended(f"{TRAIN} {valid} --test {test} {settings} --quiet")
    report = here.json(f"{TRAIN} {valid} --test {test} {settings}")

    warnings = [line for line in err.splitlines() if line.startswith(f"warning: --test {test} ")]
    assert warnings == [
        f"warning: --test {test} holds the very rows which {say}: its figures don't say how good the network is on new"
        " ones."
    ]
    assert ("warning: --valid copy.csv holds the very rows that are trained on" in err) == ("copy" in valid)
    assert f"\ntest ({report['test']['rows']} rows, which {say}): accuracy " in out
    assert report["test"]["selected_on"] is True


def test_validating_on_the_training_rows_is_never_hidden(here: Here) -> None:
    write_classes("t.csv")
    here.ended(f"{TRAIN} --valid t.csv")

    assert "\nvalidation   200 of the same rows chose the epoch\n" in here.ended("inspect t.safetensors")[1]
    assert here.ended("evaluate t.safetensors t.csv")[2] == (
        "warning: the model was trained on this very file (t.csv): the figures say how well it remembers, not how good"
        " it is on new rows.\n"
    )


def test_other_test_rows_took_no_part(here: Here) -> None:
    write_classes("t.csv")
    write_classes("u.csv", 50, seed=1)
    code, out, err = here.ended(f"{TRAIN} --test u.csv --quiet")

    assert (code, err) == (0, "")
    assert "\ntest (50 rows, which took no part in the training): accuracy " in out


def test_evaluating_the_validation_file_says_that_it_chose_the_epoch(here: Here) -> None:
    write_classes("t.csv")
    write_classes("v.csv", 30, seed=1)
    here.ended(f"{TRAIN} --valid v.csv")
    Path("copy.csv").write_bytes(Path("v.csv").read_bytes())
    _, out, err = here.ended("evaluate t.safetensors copy.csv")

    assert err == (
        "warning: this is the file that the training was validated on (copy.csv): these rows chose the epoch, so the"
        " figures are a little too good.\n"
    )
    assert "\nall rows, which chose the epoch:\n  accuracy " in out
    assert here.json("evaluate t.safetensors copy.csv")["selected_on"] is True
    assert "\nvalidation (30 rows, which chose the epoch): accuracy " in here.ended("inspect t.safetensors")[1]


@pytest.mark.parametrize(
    ("settings", "purpose", "say"),
    [
        ("early_stopping=false", "to calibrate", "calibrated it"),
        ("calibrate=false", "to choose the best epoch", "chose the epoch"),
    ],
)
def test_what_the_held_out_rows_did_is_said(here: Here, settings: str, purpose: str, say: str) -> None:
    write_classes("t.csv")
    _, out, err = here.ended(f"{TRAIN} --set {settings}")
    _, evaluated, warned = here.ended("evaluate t.safetensors t.csv")
    _, inspected, _ = here.ended("inspect t.safetensors")

    assert f"180 rows to train on, 20 {purpose}\n" in err
    assert f"\nvalidation (20 rows, which {say}): accuracy " in out
    assert warned.endswith(f"on new ones, and they {say}.\n")
    assert f"\nheld-out rows (20, which {say}):\n  accuracy " in evaluated
    assert f"\nvalidation   20 more rows {say}\n" in inspected
    assert f"\nvalidation (20 rows, which {say}): accuracy " in inspected
    assert ("5, the last is kept; ended by" in inspected) == (settings == "early_stopping=false")


def test_rows_to_validate_on_that_had_no_say_are_not_marked(here: Here) -> None:
    write_classes("t.csv")
    write_classes("v.csv", 30, seed=1)
    report = here.json(f"{TRAIN} --valid v.csv --set early_stopping=false --set calibrate=false")
    code, _, err = here.ended("evaluate t.safetensors v.csv")

    assert report["validation"]["selected_on"] is False
    assert (code, err) == (0, "")


def test_evaluating_the_training_file_tells_the_held_out_rows_apart(here: Here) -> None:
    write_classes("t.csv")
    validation = here.json(TRAIN)["validation"]
    code, out, err = here.ended("evaluate t.safetensors t.csv --json")
    report = json.loads(out)

    assert code == 0
    assert err.startswith("warning: the model was trained on this very file (t.csv)")
    assert list(report) == [
        "task", "rows", "classes", "seconds", "accuracy", "balanced_accuracy", "top_3_accuracy", "top_5_accuracy",
        "macro_f1", "macro_roc_auc", "micro_roc_auc", "macro_average_precision", "micro_average_precision", "log_loss",
        "brier", "ece", "ece_by_chance", "intervals", "resamples", "per_class", "confusion", "most_confused",
        "columns", "held_out",
    ]  # fmt: skip
    assert report["held_out"] | validation == report["held_out"]


def test_evaluating_other_rows_gives_their_figures_alone(here: Here) -> None:
    write_classes("t.csv")
    write_classes("u.csv", 50, seed=1, classes="abcd")
    here.ended(TRAIN)
    code, out, err = here.ended("evaluate t.safetensors u.csv --json")
    report = json.loads(out)
    known = Path("u.csv").read_text(encoding="utf-8").count(",d\n")

    assert code == 0
    assert "held_out" not in report
    assert report["unknown_class_rows"] == known
    line = Path("u.csv").read_text(encoding="utf-8").split(",d\n")[0].count("\n") + 1
    assert err == (
        f"warning: {known} rows have a class that the model does not know, such as 'd' at u.csv line {line} (known: a,"
        " b, c); they count as wrong and are left out of log_loss.\n"
    )


def test_one_row_of_an_unknown_class_is_one_row(here: Here) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    Path("u.csv").write_text("nr,u,v,kind\nr1,1,2,a\nr2,2,3,A\n", encoding="utf-8")

    assert here.ended("evaluate t.safetensors u.csv")[2] == (
        "warning: 1 row has a class that the model does not know, 'A' at u.csv line 3 (known: a, b, c); it counts as"
        " wrong and is left out of log_loss.\n"
    )


def test_targets_that_are_given_one_by_one_add_up(here: Here) -> None:
    write_labels("t.csv")
    report = here.json("train t.csv --target label:car --target label:bus --epochs 1")

    assert report["classes"] == ["label:car", "label:bus"]


def test_labels_are_named_by_what_the_star_matched(here: Here) -> None:
    write_labels("t.csv")
    report = here.json("train t.csv --target 'label:*' --epochs 10 -o m.safetensors")
    evaluated = here.json("evaluate m.safetensors t.csv")
    rows = here.rows("predict m.safetensors t.csv")

    assert report["classes"] == ["car", "bus"]
    assert [row["label"] for row in report["validation"]["per_label"]] == ["car", "bus"]
    of_labels = evaluated["held_out"].pop("per_label")
    for label, trained in zip(of_labels, report["validation"].pop("per_label"), strict=True):
        assert label | trained == label
    assert evaluated["held_out"] | report["validation"] == evaluated["held_out"]
    assert list(rows[0]) == ["prediction", "probability:car", "probability:bus"]
    for row in rows:
        held = [label for label in ("car", "bus") if float(row[f"probability:{label}"]) > 0.5]
        assert row["prediction"] == "|".join(held)


def test_predictions_keep_order_and_ids_and_need_no_target(here: Here) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    lines = Path("t.csv").read_text(encoding="utf-8").splitlines()
    Path("new.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n", encoding="utf-8")
    rows = here.rows("predict t.safetensors new.csv --logits")
    clf = fl.load("t.safetensors")
    x = np.array([line.split(",")[1:3] for line in lines[1:]], dtype=float)

    assert [row["nr"] for row in rows] == [f"r{number}" for number in range(200)]
    assert list(rows[0]) == [
        "nr", "prediction", "probability:a", "probability:b", "probability:c", "logit:a", "logit:b", "logit:c",
    ]  # fmt: skip
    assert [row["prediction"] for row in rows] == clf.predict(x).tolist()
    written = np.array([[row[f"probability:{name}"] for name in "abc"] for row in rows], np.float32)
    assert (written == clf.predict_proba(x)).all()


def test_kept_columns_stand_in_the_predictions_as_they_stand_in_the_file(here: Here) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    first, *lines = Path("t.csv").read_text(encoding="utf-8").splitlines()
    said = ["01.50", ' "a, ""b""" ', "NA", "", "é"]
    rows = [f"{line},{said[number % 5].strip()}" for number, line in enumerate(lines)]
    Path("new.csv").write_text("\n".join([f"{first},said", *rows]) + "\n", encoding="utf-8")
    feature = first.split(",")[1]
    found = here.rows(f"predict t.safetensors new.csv --keep said,{feature} --keep nr --missing NA")

    assert list(found[0])[:4] == ["nr", "said", feature, "prediction"]
    assert [row["said"] for row in found[:5]] == ["01.50", 'a, "b"', "NA", "", "é"]
    assert [row[feature] for row in found] == [line.split(",")[1] for line in lines]
    told = here.json("predict t.safetensors new.csv --keep said")["predictions"]
    assert [row["said"] for row in told[:5]] == ["01.50", 'a, "b"', "NA", None, "é"]


def test_kept_columns_of_other_tables_have_their_values(here: Here) -> None:
    import pandas as pd

    write_classes("t.csv")
    here.ended(TRAIN)
    frame = pd.read_csv("t.csv").assign(whole=range(200), day="2026-01-01")
    frame.to_parquet("t.parquet")
    frame.to_json("t.jsonl", orient="records", lines=True)
    for name in ("t.parquet", "t.jsonl"):
        found = here.rows(f"predict t.safetensors {name} --keep whole,day")
        assert [row["whole"] for row in found] == [str(number) for number in range(200)]
        assert {row["day"] for row in found} == {"2026-01-01"}


def test_predictions_of_parts_are_those_of_all_rows(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    _, whole, _ = here.ended("predict t.safetensors t.csv --logits")
    objects = here.json("predict t.safetensors t.csv --logits")
    monkeypatch.setattr("fromlogits.classifier.PART_VALUES", 50)  # 16 rows at a time
    _, in_parts, _ = here.ended("predict t.safetensors t.csv --logits")
    here.ended("predict t.safetensors t.csv --logits -o p.csv")

    assert in_parts == whole
    assert Path("p.csv").read_text(encoding="utf-8") == whole
    assert here.json("predict t.safetensors t.csv --logits") == objects


def test_a_row_that_cannot_be_predicted_leaves_nothing_behind(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    monkeypatch.setattr("fromlogits.classifier.PART_VALUES", 50)
    lines = Path("t.csv").read_text(encoding="utf-8").splitlines()
    nr, _, rest = lines[-1].split(",", 2)
    Path("late.csv").write_text("\n".join([*lines[:-1], f"{nr},1e300,{rest}"]) + "\n", encoding="utf-8")
    for target in ("", " -o p.csv"):
        code, out, err = here.ended(f"predict t.safetensors late.csv{target}")
        assert (code, out) == (2, "")
        assert "late.csv line 201: the value lies so far from the training rows" in err
    assert not Path("p.csv").exists()


def test_predictions_go_to_csv_and_tsv_files_and_json(here: Here) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    _, printed, _ = here.ended("predict t.safetensors t.csv")
    code, out, _ = here.ended("predict t.safetensors t.csv -o p.csv")
    here.ended("predict t.safetensors t.csv -o p.tsv")
    report = here.json("predict t.safetensors t.csv")

    assert (code, out) == (0, "200 predictions written to p.csv\n")
    assert Path("p.csv").read_text(encoding="utf-8") == printed
    assert Path("p.tsv").read_text(encoding="utf-8") == printed.replace(",", "\t")
    assert [entry["nr"] for entry in report["predictions"]] == [f"r{number}" for number in range(200)]
    assert here.json("predict t.safetensors t.csv -o q.csv")["output"] == "q.csv"


def test_inspect_tells_what_the_file_holds(here: Here) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    code, out, err = here.ended("inspect t.safetensors")

    assert (code, err) == (0, "")
    assert out.startswith("t.safetensors: multi-class, 3 classes: a, b, c\n")
    assert "\n3 linear units, softmax head, loss from logits\n" in out
    assert "input        2 columns: u, v\n" in out
    assert "trained on   180 rows\nvalidation   20 more rows chose the epoch\n" in out
    assert here.json("inspect t.safetensors")["parameters"] == 2 * 8 + 8 + 8 * 3 + 3


def test_pixel_columns_are_said_to_be_pictures(here: Here) -> None:
    _, out, err = here.ended(f"train {shlex.quote(str(DIGITS))} --target digit --dry-run")

    assert "1,797 pictures of 8x8; 10 classes in column 'digit': 0 to 9\n" in out
    assert err == ""
    assert out.endswith("would be saved as digits.safetensors\n")


def test_a_dry_run_prints_the_resolved_plan_and_writes_nothing(here: Here) -> None:
    write_classes("t.csv")
    Path("c.toml").write_text("dropout = 0.25\nmax_epochs = 9\n", encoding="utf-8")
    report = here.json(f"{TRAIN} --config c.toml --set schedule=constant --dry-run")

    assert here.files() == ["c.toml", "t.csv"]
    assert (report["plan"]["dropout"], report["plan"]["max_epochs"]) == (0.25, 5)
    assert (report["plan"]["schedule"], report["seed"]) == ("constant", 0)
    assert report["schema"]["names"] == ["u", "v"]
    assert report["schema"]["id_names"] == ["nr"]
    assert (report["rows"], report["training_rows"], report["validation_rows"]) == (200, 180, 20)


def test_a_dry_run_names_the_rows_of_every_file(here: Here) -> None:
    write_classes("t.csv")
    write_classes("v.csv", 30, seed=1)
    write_classes("u.csv", 50, seed=2)
    files = "--valid v.csv --test u.csv --dry-run"
    code, out, err = here.ended(f"{TRAIN} {files}")
    report = here.json(f"{TRAIN} {files}")

    assert (code, err) == (0, "")
    assert out.startswith("t.csv: 200 rows of 2 numbers; 3 classes in column 'kind': a, b, c\n")
    words = "200 rows to train on, 30 of v.csv to choose the best epoch and calibrate; 50 of u.csv to test it"
    assert f"\n{words}\n" in out
    assert [report[f"{kind}_rows"] for kind in ("training", "validation", "test")] == [200, 30, 50]


def test_a_model_is_named_after_its_data_and_the_next_free_number(here: Here) -> None:
    for name in ("d/digits.csv", "digits.csv.gz", "digits.tsv", "digits.parquet"):
        assert default_name(name) == Path("digits.safetensors")
    assert default_name("train-images-idx3-ubyte.gz") == Path("train-images-idx3-ubyte.safetensors")
    assert default_name("v1.2 rows.csv") == Path("v1.2 rows.safetensors")
    Path("digits.safetensors").touch()
    Path("digits-2.safetensors").touch()
    assert default_name("digits.csv") == Path("digits-3.safetensors")


def test_a_name_that_is_taken_while_it_trains_gives_way_to_the_next(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classes("t.csv")
    estimate = Fit.estimate

    def meanwhile(fit: Any) -> Any:
        Path("t.safetensors").write_text("of another run", encoding="utf-8")
        return estimate(fit)

    monkeypatch.setattr(Fit, "estimate", meanwhile)
    report = here.json(TRAIN)

    assert report["model"] == "t-2.safetensors"
    assert Path("t.safetensors").read_text(encoding="utf-8") == "of another run"


def test_the_same_seed_gives_the_same_file_with_any_number_of_threads(here: Here) -> None:
    write_classes("t.csv")
    for name, threads in (("one", 1), ("again", 1), ("two", 2)):
        assert here.ended(f"{TRAIN} -o {name}.safetensors --threads {threads} --quiet")[0] == 0
    here.ended(f"{TRAIN} -o other.safetensors --seed 1 --quiet")

    one = Path("one.safetensors").read_bytes()
    assert one == Path("again.safetensors").read_bytes() == Path("two.safetensors").read_bytes()
    assert one != Path("other.safetensors").read_bytes()


def test_overwrite_replaces_a_given_output(here: Here) -> None:
    write_classes("t.csv")
    Path("m.safetensors").write_text("old", encoding="utf-8")

    assert here.ended(f"{TRAIN} -o m.safetensors --overwrite --quiet")[0] == 0
    assert fl.load("m.safetensors").n_iter_ == 5


def test_a_class_name_can_not_steer_the_terminal(here: Here) -> None:
    write_classes("t.csv")
    content = Path("t.csv").read_text(encoding="utf-8").replace(",a\n", ",\x1b[2J\x9b1m\n")
    Path("t.csv").write_text(content, encoding="utf-8")
    _, out, err = here.ended(TRAIN)
    _, inspected, _ = here.ended("inspect t.safetensors")
    report = here.json("evaluate t.safetensors t.csv")

    assert not {"\x1b", "\x9b"} & set(out + err + inspected)
    assert "classes: \\u001b[2J\\u009b1m, b, c" in inspected
    assert report["classes"] == ["\x1b[2J\x9b1m", "b", "c"]


def test_a_link_to_predictions_stays_a_link(here: Here) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    Path("real.csv").touch()
    Path("p.csv").symlink_to("real.csv")
    here.ended("predict t.safetensors t.csv -o p.csv --overwrite")

    assert Path("p.csv").is_symlink()
    assert Path("real.csv").read_text(encoding="utf-8").startswith("nr,prediction,")


def test_columns_that_the_model_does_not_know_are_said_once(here: Here) -> None:
    write_classes("t.csv")
    here.ended(TRAIN)
    lines = Path("t.csv").read_text(encoding="utf-8").splitlines()
    wider = [f"{line},{'remark' if number == 0 else 'good'}" for number, line in enumerate(lines)]
    Path("u.csv").write_text("\n".join(wider) + "\n", encoding="utf-8")
    for verb in ("evaluate", "predict"):
        code, _, err = here.ended(f"{verb} t.safetensors u.csv")
        assert (code, err) == (0, "note: u.csv: columns that the model does not know were ignored: remark.\n")


def test_npz_files_need_no_target(here: Here) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=60)
    X = (rng.integers(0, 100, size=(60, 2, 2)) + 100 * y[:, None, None]).astype(np.uint8)
    np.savez("p.npz", X=X, y=y, classes=np.array(["dark", "light"]))
    report = here.json("train p.npz --epochs 3")

    assert report["classes"] == ["dark", "light"]
    assert here.json("inspect p.safetensors")["encoder"]["schema"]["picture_shape"] == [2, 2]
    assert {row["prediction"] for row in here.rows("predict p.safetensors p.npz")} <= {"dark", "light"}


def test_a_table_says_nothing_to_a_model_without_column_names(here: Here) -> None:
    np.savez("p.npz", X=np.eye(20), y=np.arange(20) % 2)
    write_classes("t.csv")
    here.ended("train p.npz --epochs 1 --quiet")
    code, _, err = here.ended("evaluate p.safetensors t.csv")

    assert code == 2
    assert err.startswith("fromlogits: t.csv: a table can't be evaluated by this model")


def test_every_option_of_train_that_sets_something_is_passed_on(here: Here) -> None:
    write_labels("t.csv")
    here.ended(
        "train t.csv --target label:car,label:bus --layers '5 tanh, 4 selu, 2 sigmoid' --preset fast --epochs 3"
        " --seed 11 --threads 1 --metric macro_f1 --task multi-label --ignore z --quiet -o m.safetensors"
    )
    clf = fl.load("m.safetensors")

    assert [(layer.units, layer.activation) for layer in clf.network_.dense] == [
        (5, "tanh"), (4, "selu"), (2, "linear"),
    ]  # fmt: skip
    assert (clf.plan_.max_epochs, clf.seed_, clf.plan_.metric) == (3, 11, "macro_f1")
    assert clf.encoder_.schema.names == ("x", "y")
    assert clf.encoder_.schema.ignored == ("z",)


def test_version_and_help_are_printed(here: Here) -> None:
    assert here.ended("--version") == (0, f"fromlogits {fl.__version__}\n", "")
    for command in ("--help", "-h", ""):
        code, out, err = here.ended(command)
        assert (code, err) == (0, "")
        assert out.startswith("Usage: fromlogits ")
    for verb in ("train", "evaluate", "predict", "inspect"):
        assert here.ended(f"{verb} --help")[1].startswith(f"Usage: fromlogits {verb} ")
    assert here.ended("train --help")[1].startswith("Usage: fromlogits train [OPTIONS] DATA\n")


def test_help_names_every_metric(here: Here) -> None:
    words = " ".join(here.ended("train --help")[1].split())

    assert all(name in words.partition("judged by: ")[2].partition("[log_loss]")[0] for name in METRICS)


def test_help_loads_none_of_the_slow_libraries() -> None:
    script = (
        "import sys; from fromlogits.cli.main import run; run(['train', '--help']);"
        "print(*sorted({'duckdb', 'rich', 'narwhals', 'safetensors', 'fromlogits.classifier'} & set(sys.modules)),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == ""


def test_debug_shows_the_traceback_of_an_error_and_nothing_else_does(here: Here) -> None:
    _, _, plain = here.ended("train nowhere.csv --target kind")
    code, _, debugged = here.ended("train nowhere.csv --target kind --debug")

    assert plain == "fromlogits: no such file: nowhere.csv.\n"
    assert code == 2
    assert debugged.startswith("Traceback")
    assert debugged.endswith(plain)


def test_an_unexpected_exception_is_one_line_and_exit_1(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise ZeroDivisionError("a fault\nof ours")

    monkeypatch.setattr(train_verb, "check_output", broken)
    code, out, err = here.ended("train t.csv --target kind")

    assert (code, out) == (1, "")
    assert err == (
        "fromlogits: unexpected ZeroDivisionError: a fault of ours. This is a fault of fromlogits: please report"
        " what the same command shows with --debug.\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C."),
        (MemoryError(), 1, "this machine has too little memory for it. Try fewer rows or a smaller network."),
        (OSError(5, "Input/output error", "t.csv"), 1, "input/output error (t.csv)."),
        (fl.errors.DivergedError("training diverged.", step=1, last_finite_loss=None), 1, "training diverged."),
    ],
)
def test_what_goes_wrong_has_its_exit_code(
    here: Here, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(train_verb, "check_output", broken)

    assert here.ended("train t.csv --target kind") == (code, "", f"fromlogits: {line}\n")


def test_a_diverging_training_says_so_and_saves_nothing(here: Here) -> None:
    write_classes("t.csv")
    code, _, err = here.ended(f"{TRAIN} --set optimizer=sgd --set learning_rate=1e6 --set schedule=constant --quiet")

    assert code == 1
    assert err.startswith("fromlogits: training diverged: ")
    assert here.files() == ["t.csv"]


def test_the_commands_to_go_on_with_say_how_the_file_is_read(here: Here) -> None:
    text = "größe;art\n" + "".join(f"{row % 7},5;{'äb'[row % 2]}\n" for row in range(60))
    Path("t.csv").write_bytes(text.encode("cp1252"))
    code, out, _ = here.ended("train t.csv --target art --epochs 1 --encoding cp1252 --separator ';' --quiet")
    assert code == 0
    commands = [line.strip() for line in out.splitlines() if line.startswith("  fromlogits")]

    assert commands[0] == "fromlogits evaluate t.safetensors t.csv --encoding cp1252 --separator ';'"
    for command in commands:
        assert here.ended(command.removeprefix("fromlogits "))[0] == 0


def test_separate_networks_go_from_the_plan_to_the_predictions(here: Here) -> None:
    write_labels("t.csv")
    command = 'train t.csv --target "label:*" --separate-networks --layers 4 --epochs 2 --seed 1 -o m.safetensors'

    code, plan, _ = here.ended(f"{command} --dry-run")
    assert code == 0 and "\n2 networks 3-4-1, one per label: 42 parameters in all\n" in plan
    assert here.files() == ["t.csv"]

    report = here.json(command)
    assert [(one["label"], one["seed"], one["epochs"]) for one in report["members"]] == [("car", 1, 2), ("bus", 1, 2)]
    assert (report["epochs"], report["task"], report["classes"]) == (2, "multi-label", ["car", "bus"])

    code, held, _ = here.ended("inspect m.safetensors")
    assert code == 0 and "2 networks 3-4-1, one per label; each 1 linear unit, sigmoid head" in held
    labels = here.json("evaluate m.safetensors t.csv")["per_label"]
    assert [label["label"] for label in labels] == ["car", "bus"]
    clf = fl.load("m.safetensors")
    x = np.loadtxt("t.csv", delimiter=",", skiprows=1)[:, :3]
    told = here.rows("predict m.safetensors t.csv --logits")
    assert [np.float32(row["logit:bus"]) for row in told] == clf.predict_logits(x)[:, 1].tolist()


def test_an_ensemble_is_a_setting_and_says_so(here: Here) -> None:
    write_classes("t.csv")
    report = here.json("train t.csv --target kind --ignore nr --layers 4 --epochs 2 --set ensemble=3 -o m.safetensors")

    assert [one["label"] for one in report["members"]] == [None] * 3
    assert len({one["seed"] for one in report["members"]}) == 3
    code, held, _ = here.ended("inspect m.safetensors")
    assert code == 0 and "3 networks 2-4-3, an ensemble; each 3 linear units, softmax head" in held
    assert len(here.json("inspect m.safetensors")["record"]["members"]) == 3


def test_one_row_and_one_epoch_are_not_many(here: Here) -> None:
    write_classes("t.csv")
    write_classes("one.csv", rows=1)
    train = "train t.csv --target kind --id nr --layers 8 --epochs 1 --valid one.csv --test one.csv -o m.safetensors"
    said = "\n".join([
        *here(train),
        *here("evaluate m.safetensors one.csv"),
        *here("inspect m.safetensors"),
        *here("inspect m.safetensors one.csv"),
        *here("predict m.safetensors one.csv -o p.csv"),
        *here("calibrate m.safetensors one.csv -o n.safetensors"),
        *here("inspect n.safetensors"),
    ])  # fmt: skip
    assert re.findall(r"\b1 (?:[a-z]+ )?[a-z]+s\b(?!:)", said) == []
    for words in (
        "at most 1 epoch,",
        "the one epoch done",
        "test (1 row, ",
        "one.csv: 1 row; ",
        "1 more row chose the",
    ):
        assert words in said
    assert (
        "1 prediction written to p.csv" in said
        and "has 1 row;" in here.ended("inspect m.safetensors one.csv --row 3")[2]
    )
