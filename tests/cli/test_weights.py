"""Weights on the command line: a column of them from training to evaluation, and the settings that weigh classes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
    train = "train t.csv --target kind --weights count --preset fast --epochs 2 -o m.safetensors"
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
    out, _ = here("cv t.csv --target kind --weights count --preset fast --epochs 2")
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
    report = here.json(
        "train t.csv --target l:* --weights l:weight --preset fast --epochs 1 --task multi-label -o m.safetensors"
    )
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


# --- of an .npz file ---

NPZ = "train t.npz --epochs 3 --layers 6 -o m.safetensors"


def save(name: str, *, copies: bool = False, without: bool = False, labels: bool = False, seed: int = 0) -> None:
    """150 rows of two numbers, a class or two labels, and what each counts for; or each row as often as it counts."""
    rng = np.random.default_rng(seed)
    X, weights = rng.normal(size=(150, 2)), rng.integers(0, 4, size=150)
    y = (X + rng.normal(size=X.shape) > 0.7).astype(int)
    arrays: dict[str, Any] = {"X": X, "y": y if labels else y[:, 0], "sample_weight": weights}
    if copies:
        arrays = {array: np.repeat(values, weights, axis=0) for array, values in arrays.items()}
    if copies or without:
        del arrays["sample_weight"]
    np.savez(name, **arrays)


@pytest.mark.parametrize("labels", [False, True])
def test_an_array_of_weights_is_honoured_from_training_to_evaluation(here: Here, labels: bool) -> None:
    save("t.npz", labels=labels)
    save("u.npz", seed=1, labels=labels)
    save("copies.npz", seed=1, labels=labels, copies=True)
    task = " --task multi-label" if labels else ""

    trained = here.json(f"{NPZ}{task} --test u.npz")

    held_out = here.json("evaluate m.safetensors t.npz")["held_out"]
    assert (held_out["rows"], held_out["log_loss"]) == tuple(
        trained["validation"][name] for name in ("rows", "log_loss")
    )
    weighted, repeated = (here.json(f"evaluate m.safetensors {name}.npz") for name in ("u", "copies"))
    assert weighted["log_loss"] == repeated["log_loss"] == trained["test"]["log_loss"]
    with np.load("t.npz") as t, np.load("u.npz") as u:
        by_hand = fl.Classifier(hidden_layer_sizes=(6,), max_epochs=3, random_state=0, task=task[8:] or None)
        by_hand.fit(t["X"], t["y"], t["sample_weight"])
        np.testing.assert_array_equal(by_hand.predict_logits(u["X"]), fl.load("m.safetensors").predict_logits(u["X"]))


def test_weights_of_each_label_count_where_rows_are_judged(here: Here) -> None:
    save("t.npz", labels=True)
    rng = np.random.default_rng(5)
    with np.load("t.npz") as t:
        arrays = {"X": t["X"], "y": t["y"], "sample_weight": rng.integers(0, 3, size=t["y"].shape)}
    np.savez("t.npz", **arrays)
    zeros = int((arrays["sample_weight"] == 0).sum())

    _, err = here(f"{NPZ} --task multi-label")

    note = f"note: t.npz: labels of rows count by their 'sample_weight', from 0 to 2, {zeros} of them 0.\n"
    assert note in err
    evaluated = here.json("evaluate m.safetensors t.npz")
    clf = fl.load("m.safetensors")
    assert evaluated["log_loss"] == clf.evaluate(arrays["X"], arrays["y"], arrays["sample_weight"])["log_loss"]
    assert evaluated["log_loss"] != clf.evaluate(arrays["X"], arrays["y"])["log_loss"]
    _, err = here("calibrate m.safetensors t.npz -o n.safetensors")
    assert note in err
    calibrated = fl.load("m.safetensors").calibrate(arrays["X"], arrays["y"], arrays["sample_weight"])
    np.testing.assert_array_equal(
        fl.load("n.safetensors").predict_logits(arrays["X"]), calibrated.predict_logits(arrays["X"])
    )
    assert "rows, weighted, which took no part" in here("cv t.npz --task multi-label --epochs 2 --layers 4")[0]


def test_what_rows_of_arrays_count_for_is_said(here: Here) -> None:
    save("t.npz")
    save("plain.npz", seed=1, without=True)
    none = "plain.npz has no array 'sample_weight' of weights: every row counts 1.\n"

    _, err = here(f"{NPZ} --test plain.npz")
    assert "note: t.npz: rows count by their 'sample_weight', from 0 to 3" in err
    assert f"note: {none}" in err
    assert here("evaluate m.safetensors plain.npz")[1] == f"note: {none}"
    assert "note: t.npz: rows count by their 'sample_weight', from 0 to 3" in here("evaluate m.safetensors t.npz")[1]
    _, err = here("cv t.npz --epochs 2 --layers 4 --dry-run")
    assert "note: t.npz: rows count by their 'sample_weight', from 0 to 3" in err
    here("train plain.npz --epochs 1 --layers 4 -o p.safetensors")
    assert here("evaluate p.safetensors plain.npz")[1].count("note:") == 0
