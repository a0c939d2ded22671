"""Weights on the command line: a column of them from training to evaluation, and the settings that weigh classes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import fromlogits as fl
from tests.cli.here import Here

TRAIN = "train t.csv --target kind --weights count --epochs 3 --layers 6 -o m.safetensors"


def write(name: str, *, copies: bool = False, without: str | None = None, seed: int = 0, rows: int = 150) -> None:
    """Two numbers, what the row counts for, and a class; or each row as often as it counts."""
    rng = np.random.default_rng(seed)
    columns = ["x", "y", "count", "kind"]
    lines = []
    for _ in range(rows):
        x, count = rng.normal(size=2).round(3), int(rng.integers(0, 4))
        kind = "yes" if x[0] + rng.normal() > 0.7 else "no"
        values = dict(zip(columns, [*map(str, x), str(count), kind], strict=True))
        lines += [",".join(values[c] for c in columns if c != without)] * (count if copies else 1)
    Path(name).write_text("\n".join([",".join(c for c in columns if c != without), *lines]) + "\n", encoding="utf-8")


def test_a_column_of_weights_is_no_feature_and_is_honoured_from_training_to_evaluation(here: Here) -> None:
    write("t.csv")
    write("u.csv", seed=1)
    write("u-copies.csv", seed=1, copies=True)

    trained = here.json(f"{TRAIN} --test u.csv")

    clf = fl.load("m.safetensors")
    assert clf.encoder_.schema.names == ("x", "y")
    assert clf.encoder_.schema.weight_names == ("count",)
    weighted = here.json("evaluate m.safetensors u.csv")
    write("u-plain.csv", seed=1, copies=True, without="count")
    repeated = here.json("evaluate m.safetensors u-plain.csv")
    for name in ("accuracy", "log_loss"):
        assert weighted[name] == repeated[name] == trained["test"][name]
    assert here.json("evaluate m.safetensors u-copies.csv")["accuracy"] != weighted["accuracy"]  # squared weights


def test_what_rows_count_for_is_said(here: Here) -> None:
    write("t.csv")
    write("plain.csv", without="count", seed=2)
    zeros = Path("t.csv").read_text(encoding="utf-8").count(",0,")

    _, err = here(f"{TRAIN} --set class_weight=no:1,yes:2.5")

    assert f"note: {zeros} rows weigh 0 and take no part.\n" in err
    assert f"note: t.csv: rows count by their 'count', from 0 to 3, {zeros} of them 0.\n" in err
    assert "note: class_weight: 1 for 'no', 2.5 for 'yes'.\n" in err
    out, err = here("evaluate m.safetensors t.csv")
    assert "note: t.csv: rows count by their 'count', from 0 to 3" in err
    out, err = here("evaluate m.safetensors plain.csv")
    assert err == "note: plain.csv has no column 'count' of weights: every row counts 1.\n"
    out, _ = here("inspect m.safetensors")
    assert "\nweights       count\n" in out
    assert "\nclass_weight  1 for no, 2.5 for yes\n" in out


def test_weighted_figures_say_so(here: Here) -> None:
    write("t.csv")
    write("plain.csv", without="count")
    train = "train t.csv --target kind --weights count --epochs 2 -o m.safetensors"
    out, _ = here(f"{train} --test plain.csv")
    assert "validation (12 rows, weighted, which chose the epoch): " in out
    assert "test (150 rows, which took no part in the training): " in out
    out, _ = here(f"{train} --test t.csv --valid plain.csv --overwrite")
    assert "validation (150 rows, which chose the epoch): " in out
    assert "test (150 rows, weighted, which the network was trained on): " in out
    assert "\nvalidation (150 rows, which" in here("inspect m.safetensors")[0]
    here(f"{train} --overwrite")
    assert "\nvalidation (12 rows, weighted, which" in here("inspect m.safetensors")[0]
    out, _ = here("evaluate m.safetensors t.csv")
    assert "all rows, weighted: " in out
    assert "held-out rows (12, weighted, which chose the epoch):" in out
    assert "\nall rows:" in here("evaluate m.safetensors plain.csv")[0]
    out, _ = here("cv t.csv --target kind --weights count --epochs 2")
    assert " rows, weighted, which took no part in the training that judges them" in out


def test_a_note_that_holds_of_several_files_is_said_once_of_all(here: Here) -> None:
    for name, extra in (("t.csv", ""), ("test.csv", "1,y,a")):
        rows = "".join(f"{row},{('yes', 'no')[row % 3 % 2]},{'ab'[row % 2]}\n" for row in range(40))
        Path(name).write_text(f"size,smoker,kind\n{rows}{extra}\n", encoding="utf-8")
    Path("other.csv").write_text(f"size,smoker,kind\n{rows}", encoding="utf-8")
    _, err = here("train t.csv --target kind --test test.csv --valid other.csv --epochs 1")

    said = [line for line in err.splitlines() if "was read as" in line]
    assert said == [
        "note: t.csv, other.csv: column 'smoker' was read as 'yes' = 1 and 'no' = 0.",
        "note: test.csv: column 'smoker' was read as 'yes', 'y' = 1 and 'no' = 0.",
    ]


def test_predictions_have_nothing_to_do_with_weights(here: Here) -> None:
    write("t.csv")
    write("plain.csv", without="count")
    here(TRAIN)
    assert here("predict m.safetensors t.csv") == here("predict m.safetensors plain.csv")


def test_the_held_out_rows_of_a_weighted_file_are_found_again(here: Here) -> None:
    write("t.csv")
    trained = here.json(TRAIN)
    held_out = here.json("evaluate m.safetensors t.csv")["held_out"]
    assert held_out | trained["validation"] == held_out


def test_validation_rows_of_a_file_count_by_their_column(here: Here) -> None:
    write("t.csv")
    write("v.csv", seed=3)
    trained = here.json(f"{TRAIN} --valid v.csv")
    figures = here.json("evaluate m.safetensors v.csv")
    assert trained["validation"]["log_loss"] == figures["log_loss"]


def test_a_glob_of_labels_does_not_take_the_weights(here: Here) -> None:
    rows = "".join(f"{i % 7},{i % 3},{i % 2},{int(i % 5 < 2)}\n" for i in range(60))
    Path("t.csv").write_text(f"x,l:weight,l:a,l:b\n{rows}", encoding="utf-8")
    report = here.json("train t.csv --target l:* --weights l:weight --epochs 1 --task multi-label -o m.safetensors")
    assert report["classes"] == ["a", "b"]


def test_empty_fields_of_labels_are_unknown_from_training_to_inspection(here: Here) -> None:
    rng = np.random.default_rng(0)
    lines = ["x,y,label:a,label:b"]
    for _ in range(120):
        x = rng.normal(size=2).round(3)
        labels = [str(int(value > 0)) if rng.random() < 0.8 else "" for value in x]
        lines.append(",".join([*map(str, x), *labels]))
    lines[2] = "0.5,0.5,1,"
    Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    _, err = here("train t.csv --target label:* --set pos_weight=balanced --epochs 3 --layers 6 -o m.safetensors")
    report = here.json("evaluate m.safetensors t.csv")

    assert "note: label 'a': " in err and "unknown values of 120; no loss and no figure of it.\n" in err
    known = [sum(line.split(",")[k] == "1" for line in lines[1:]) for k in (2, 3)]
    assert [label["support"] for label in report["per_label"]] == known
    row = here.json("inspect m.safetensors t.csv --row 1")
    assert [unit["target"] for unit in row["units"]] == [True, None]
    assert [unit["loss"] is None for unit in row["units"]] == [False, True]
    assert row["target"] == ["a"]
    assert re.search(r"\nb +unknown +- +- +-\n", here("inspect m.safetensors t.csv --row 1")[0])
