"""Prediction sets on the command line: calibrate, train --coverage, predict --coverage and what evaluate says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.decisions.sets import expected_coverage
from tests.cli.here import Here

TRAIN = "train t.csv --target kind --epochs 10 --layers 8 -o m.safetensors --quiet"


def write(name: str, rows: int = 400, seed: int = 0, *, labels: bool = False, more: str = "") -> None:
    """Three numbers and a class that they nearly tell, or three labels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)).round(4)
    if labels:
        held = (x + rng.logistic(size=x.shape) > 0.3).astype(int)
        heads, ends = "label:red,label:green,label:blue", [",".join(map(str, row)) for row in held]
    else:
        heads, ends = "kind", np.array(list("abc"))[(2 * x + rng.gumbel(size=x.shape)).argmax(axis=1)].tolist()
    extra = [f"{more and ',1'}"] * rows
    lines = [f"{','.join(map(str, row))},{end}{one}" for row, end, one in zip(x, ends, extra, strict=True)]
    Path(name).write_text("\n".join([f"x,y,z,{heads}{more and ',' + more}", *lines]) + "\n", encoding="utf-8")


def test_calibrate_makes_sets_that_predict_writes_and_evaluate_judges(here: Here) -> None:
    write("t.csv")
    write("c.csv", 600, seed=3)
    write("new.csv", 1500, seed=2)
    here(TRAIN)
    out, err = here("calibrate m.safetensors c.csv -o n.safetensors --coverage 0.9")

    assert re.search(
        r"calibration: one temperature; log_loss \S+ -> \S+, cross-fitted, on 300 rows\n"
        r"log_loss \S+ -> \S+ on 300 rows, which chose nothing\n"
        r"prediction sets \(lac\) from 300 of those rows: coverage 0.9, \S+ classes on average; predict takes any"
        r" coverage up to 0.9967",
        out,
    )
    assert err == ""
    report = here.json("evaluate n.safetensors new.csv")
    found = here.rows("predict n.safetensors new.csv --coverage 0.9 --keep kind")
    hits = [row["kind"] in row["set"].split("|") for row in found]
    low, high = expected_coverage(0.9, 300, 1500)
    assert list(found[0])[:4] == ["kind", "prediction", "set", "set_size"]
    assert all(len(row["set"].split("|")) == int(row["set_size"]) for row in found)
    assert all(row["prediction"] in row["set"].split("|") for row in found)
    assert report["sets"]["coverage"] == np.mean(hits)
    assert report["sets"]["mean_size"] == np.mean([int(row["set_size"]) for row in found])
    assert report["sets"]["expected"] == [low, high]
    assert low <= np.mean(hits) <= high
    assert "selected_on" not in report
    text = here("evaluate n.safetensors new.csv")[0]
    assert f"prediction sets for 0.9: coverage {np.mean(hits):.4f} (expected {low:.4f} to {high:.4f}), mean" in text
    assert here(out.splitlines()[-1].strip().removeprefix("fromlogits "))[0].startswith("prediction,set,set_size,")


@pytest.mark.parametrize("labels", [False, True])
def test_evaluate_judges_the_sets_of_another_coverage(here: Here, labels: bool) -> None:
    write("t.csv", labels=labels)
    write("c.csv", 600, seed=1, labels=labels)
    write("new.csv", 1500, seed=2, labels=labels)
    here(TRAIN.replace("kind", "label:*") if labels else TRAIN)
    here("calibrate m.safetensors c.csv -o n.safetensors --coverage 0.9")
    asked = "n.safetensors new.csv --coverage 0.7"
    sets = here.json(f"evaluate {asked}")["sets"]
    found = here.rows(f"predict {asked}")

    assert sets["asked"] == 0.7
    assert sets["mean_size"] == pytest.approx(np.mean([int(row["set_size"]) for row in found]), rel=1e-12)
    assert sets["expected"][0] <= sets["coverage"] <= sets["expected"][1]
    assert sets["mean_size"] < here.json("evaluate n.safetensors new.csv")["sets"]["mean_size"]
    assert f"\nprediction sets for 0.7: coverage {sets['coverage']:.4f} " in here(f"evaluate {asked}")[0]
    at_once = here.json("evaluate n.safetensors c.csv --coverage 0.7")
    assert at_once["selected_on"] and at_once["sets"]["asked"] == 0.7


def test_other_coverages_can_be_asked_of_the_same_model(here: Here) -> None:
    write("t.csv")
    write("c.csv", 600, seed=1)
    here(TRAIN)
    here("calibrate m.safetensors c.csv -o n.safetensors --coverage 0.9 --method aps --seed 4")
    clf = fl.load("n.safetensors")
    assert clf.sets_ is not None and clf.sets_.method == "aps"
    X = np.genfromtxt("c.csv", delimiter=",", skip_header=1, usecols=(0, 1, 2))
    import pandas as pd

    frame = pd.DataFrame(X, columns=["x", "y", "z"])
    for coverage in (0.5, 0.99):
        rows = here.json(f"predict n.safetensors c.csv --coverage {coverage}")["predictions"]
        expected = [clf.classes_[row].tolist() for row in clf.predict_set(frame, coverage)]
        assert [row["set"] for row in rows] == expected
        assert [row["set_size"] for row in rows] == [len(one) for one in expected]
    assert "set" not in here.rows("predict n.safetensors c.csv")[0]


def test_the_file_that_calibrated_is_known_again(here: Here) -> None:
    write("t.csv")
    write("c.csv", 600, seed=1)
    here(TRAIN)
    here("calibrate m.safetensors c.csv -o n.safetensors --coverage 0.9")
    here("calibrate m.safetensors c.csv -o o.safetensors")

    assert here.json("evaluate n.safetensors c.csv")["selected_on"] is True
    out, err = here("evaluate n.safetensors c.csv")
    assert "all rows, which calibrated it:" in out
    assert (
        "warning: the model was calibrated on this very file (c.csv): 300 of its rows chose the calibration, 300 more"
        " made the prediction sets, so the figures are a little too good." in err
    )
    assert "600 of its rows chose the calibration, so" in here("evaluate o.safetensors c.csv")[1]
    assert "selected_on" not in here.json("evaluate m.safetensors c.csv")
    held = here("inspect n.safetensors")[0]
    assert re.search(r"calibrated +after the training, on 300 other rows\n", held)
    assert re.search(r"sets +lac, from 300 rows kept for them: coverage 0.9, or any up to 0.9967\n", held)
    assert here.json("inspect n.safetensors")["sets"] == {"method": "lac", "coverage": 0.9, "rows": 300}


def test_calibrating_on_rows_that_were_used_is_warned_of(here: Here) -> None:
    write("t.csv")
    write("v.csv", seed=1)
    here(f"{TRAIN} --valid v.csv")
    _, err = here("calibrate m.safetensors t.csv -o n.safetensors --coverage 0.9")
    assert (
        "warning: the model was trained on this very file (t.csv), and is surer there than on new rows. Prediction sets"
        " made from such rows promise nothing." in err
    )
    _, err = here("calibrate m.safetensors v.csv -o o.safetensors")
    assert "warning: the training was validated on this very file (v.csv): its rows chose the epoch.\n" in err


def test_a_class_that_the_model_does_not_know_is_missed_and_said(here: Here) -> None:
    write("t.csv")
    write("c.csv", 200, seed=1)
    here(TRAIN)
    Path("c.csv").write_text(Path("c.csv").read_text().replace(",a\n", ",d\n", 1))
    _, err = here("calibrate m.safetensors c.csv -o n.safetensors --coverage 0.9")
    assert "1 row has a class that the model does not know, 'd' at c.csv line" in err
    assert "(known: a, b, c); every set misses it." in err


def test_training_keeps_rows_for_sets(here: Here) -> None:
    write("t.csv", 1000)
    write("new.csv", 1500, seed=2)
    _, err = here(f"{TRAIN.removesuffix(' --quiet')} --coverage 0.9 --test new.csv")
    assert "810 rows to train on, 90 to choose the best epoch and calibrate; 100 kept for prediction sets" in err
    assert "note: kept for prediction sets, and used for nothing else: 100 rows drawn by the seed." in err
    out, _ = here(f"{TRAIN} --coverage 0.9 --test new.csv --overwrite")
    assert re.search(r"\nprediction sets for 0.9: coverage \S+ \(expected \S+ to \S+\), mean size", out)
    assert "fromlogits predict m.safetensors new.csv --coverage 0.9" in out
    report = here.json(f"{TRAIN} --coverage 0.9 --test new.csv --overwrite")
    assert report["sets"] == {"method": "lac", "coverage": 0.9, "rows": 100}
    assert report["test"]["sets"] == here.json("evaluate m.safetensors new.csv")["sets"]
    plan = here.json("train t.csv --target kind --coverage 0.9 --dry-run --preset fast")
    assert (plan["rows"], plan["training_rows"], plan["validation_rows"], plan["set_rows"]) == (1000, 810, 90, 100)
    plan = here.json("train t.csv --target kind --coverage 0.9 --dry-run")
    assert (plan["rows"], plan["training_rows"], plan["validation_rows"], plan["set_rows"]) == (1000, 900, 900, 100)


def test_the_held_out_rows_of_a_training_with_sets_are_found_again(here: Here) -> None:
    write("t.csv", 1000)
    trained = here.json(f"{TRAIN} --coverage 0.9")
    again = here.json("evaluate m.safetensors t.csv")["held_out"]
    for name in ("rows", "accuracy", "log_loss"):
        assert again[name] == trained["validation"][name]
    assert again["sets"]["asked"] == 0.9


def test_the_same_seed_keeps_the_same_rows_with_any_number_of_threads(here: Here) -> None:
    write("t.csv")
    write("c.csv", 200, seed=1)
    for threads in (1, 2):
        here(f"{TRAIN} --coverage 0.9 --threads {threads} --overwrite")
        Path("m.safetensors").rename(f"m{threads}")
        here(f"calibrate m{threads} c.csv -o n{threads} --coverage 0.8 --threads {threads}")
    assert Path("m1").read_bytes() == Path("m2").read_bytes()
    assert Path("n1").read_bytes() == Path("n2").read_bytes()


def test_sets_of_labels_hold_a_share_of_each_rows_labels(here: Here) -> None:
    write("t.csv", labels=True)
    write("c.csv", 600, seed=1, labels=True)
    write("new.csv", 1500, seed=2, labels=True)
    here('train t.csv --target "label:*" --epochs 10 --layers 8 -o m.safetensors --quiet')
    out, _ = here("calibrate m.safetensors c.csv -o n.safetensors --coverage 0.8")
    assert "prediction sets (recall) from" in out and "labels on average" in out
    rows = here.rows("predict n.safetensors new.csv --coverage 0.8")
    truth = np.genfromtxt("new.csv", delimiter=",", skip_header=1, usecols=(3, 4, 5)) == 1
    own = [{name for name, is_on in zip(("red", "green", "blue"), row, strict=True) if is_on} for row in truth]
    shares = [
        len(one & set(row["set"].split("|"))) / len(one) for one, row in zip(own, rows, strict=True) if one
    ]  # fmt: skip
    sets = here.json("evaluate n.safetensors new.csv")["sets"]
    assert sets["coverage"] == pytest.approx(np.mean(shares), rel=1e-12)
    assert sets["expected"][0] <= sets["coverage"] <= sets["expected"][1]


def test_weights_choose_the_calibration_and_sets_take_rows_that_count_alike(here: Here) -> None:
    write("t.csv", more="count")
    write("c.csv", 200, seed=1)
    here(f"{TRAIN} --weights count --coverage 0.9")
    _, err = here("calibrate m.safetensors c.csv -o n.safetensors --coverage 0.9")
    assert "note: c.csv has no column 'count' of weights: every row counts 1." in err


def test_groups_are_kept_whole_and_said(here: Here) -> None:
    write("t.csv", more="who")
    lines = Path("t.csv").read_text().splitlines()
    grouped = [lines[0], *(f"{line.removesuffix(',1')},g{number // 5}" for number, line in enumerate(lines[1:]))]
    Path("t.csv").write_text("\n".join(grouped) + "\n")
    _, err = here(f"{TRAIN.removesuffix(' --quiet')} --group who --coverage 0.9")
    assert "used for nothing else: 40 rows drawn by the seed, of 8 whole groups; the coverage is promised" in err
    assert here.json("evaluate m.safetensors t.csv")["held_out"]["sets"]["asked"] == 0.9
    note = "note: the coverage is promised for rows that are drawn one by one, and rows of a group are not.\n"
    assert note in here("evaluate m.safetensors t.csv")[1]
    assert note in here("calibrate m.safetensors t.csv -o n.safetensors --coverage 0.8")[1]
    assert "promised" not in here("calibrate m.safetensors t.csv -o o.safetensors")[1]


def test_calibrate_chooses_decisions_too(here: Here) -> None:
    write("t.csv", labels=True)
    write("c.csv", 600, seed=1, labels=True)
    write("new.csv", 1500, seed=2, labels=True)
    here('train t.csv --target "label:*" --epochs 10 --layers 8 -o m.safetensors --quiet')
    out, _ = here("calibrate m.safetensors c.csv -o n.safetensors --decide-for f1")
    again = here.json("calibrate m.safetensors c.csv -o n.safetensors --decide-for f1 --overwrite")
    clf = fl.load("n.safetensors")

    assert re.search(r"\ndecides for: f1, thresholds \S+ to \S+; macro_f1 \S+ -> \S+, cross-fitted\n", out)
    assert again["decision"] == {"decide_for": "f1", **(clf.decision_ or {})}
    assert "600 of its rows chose the calibration and the decisions, so" in here("evaluate n.safetensors c.csv")[1]
    figures = here.json("evaluate n.safetensors new.csv")
    assert clf.thresholds_ is not None
    assert [label["threshold"] for label in figures["per_label"]] == clf.thresholds_.tolist()
    held = here("inspect n.safetensors")[0]
    assert re.search(r"decides for +f1, thresholds ", held)
    here("calibrate n.safetensors new.csv -o o.safetensors")
    assert fl.load("o.safetensors").decide_for == "f1"


def test_validation_rows_did_not_choose_decisions_that_came_later(here: Here) -> None:
    write("t.csv", labels=True)
    write("v.csv", seed=1, labels=True)
    write("c.csv", 600, seed=2, labels=True)
    here(
        'train t.csv --target "label:*" --epochs 10 --layers 8 -o m.safetensors --quiet --valid v.csv --decide-for f1'
        " --set early_stopping=false --set calibrate=false"
    )
    here("calibrate m.safetensors c.csv -o n.safetensors")
    assert here.json("evaluate m.safetensors v.csv")["selected_on"] is True
    assert "selected_on" not in here.json("evaluate n.safetensors v.csv")


def test_an_unseen_value_is_said_once(here: Here, recwarn: pytest.WarningsRecorder) -> None:
    write("t.csv", more="place")
    for name in ("t.csv", "c.csv"):
        lines = Path("t.csv").read_text().splitlines()
        places = [("north" if row % 2 else "south") if name == "t.csv" or row > 3 else "moon" for row in range(400)]
        body = [f"{line.rsplit(',', 1)[0]},{place}" for line, place in zip(lines[1:], places, strict=True)]
        Path(name).write_text("\n".join([lines[0], *body]) + "\n")
    here(TRAIN)
    err = here("calibrate m.safetensors c.csv -o n.safetensors")[1]
    assert err == "note: c.csv: values that the training hardly or never had: place (4 of 400 rows).\n"
    assert not recwarn.list


def test_inspect_says_that_the_figures_are_older_than_the_calibration(here: Here) -> None:
    write("t.csv")
    write("c.csv", 600, seed=3)
    here(TRAIN)
    here("calibrate m.safetensors c.csv -o n.safetensors")
    assert "\nvalidation (40 rows, " in here("inspect m.safetensors")[0]
    assert "\nvalidation before it was calibrated on other rows (40 rows, " in here("inspect n.safetensors")[0]


def test_a_set_is_a_json_list_where_a_name_has_the_bar_that_parts_them(here: Here) -> None:
    write("t.csv")
    Path("t.csv").write_text(Path("t.csv").read_text().replace(",a\n", ",a|b\n"))
    here(f"{TRAIN} --coverage 0.9")
    found = here.rows("predict m.safetensors t.csv --coverage 0.9")
    for row in found:
        named = json.loads(row["set"])
        assert set(named) <= {"a|b", "b", "c"}
        assert len(named) == int(row["set_size"])
    assert ["a|b", "b"] in [json.loads(row["set"]) for row in found]
