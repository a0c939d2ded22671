"""Decisions on the command line: `--decide-for`, what is said of them, `--top` and `--abstain-below`."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.cli.main import run
from tests.cli.here import Here

TRAIN = "train t.csv --epochs 20 --layers 8 -o m.safetensors --set learning_rate=0.02"


@pytest.fixture(autouse=True)
def rows_of_three(here: Here) -> None:
    """t.csv: three numbers, two labels and a class."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 3))
    z = x[:, :2] + rng.normal(size=(800, 2))
    kind = np.array(["ant", "bee", "cow"])[np.digitize(z[:, 0], [0.4, 1.8])]
    lines = [
        f"{a:.3f},{b:.3f},{c:.3f},{int(u > 0.8)},{int(v > 1.5)},{word}"
        for (a, b, c), (u, v), word in zip(x, z, kind, strict=True)
    ]
    Path("t.csv").write_text("\n".join(["a,b,c,label:car,label:bus,kind", *lines]) + "\n")


LABELS = f"{TRAIN} --target label:* --ignore kind"
CLASSES = f"{TRAIN} --target kind --ignore label:car,label:bus"


def test_what_it_gains_is_printed_and_kept(here: Here) -> None:
    out = here(f"{LABELS} --decide-for f1")[0]
    line = next(line for line in out.splitlines() if line.startswith("decides for: "))
    assert line.startswith("decides for: f1, thresholds 0.")
    assert line.endswith(", cross-fitted")
    clf = fl.load("m.safetensors")
    assert clf.decision_ is not None
    both = clf.decision_["figures"]["macro_f1"]
    assert f"macro_f1 {both['natural']:.4f} -> {both['decided']:.4f}" in line
    assert line in here("inspect m.safetensors")[0].replace("decides for  ", "decides for: ")
    assert here.json("inspect m.safetensors")["decision"]["decide_for"] == "f1"
    evaluated = here.json("evaluate m.safetensors t.csv")
    assert [one["threshold"] for one in evaluated["per_label"]] == clf.thresholds_.tolist()  # type: ignore[union-attr]
    assert evaluated["macro_f1"] > here.json(f"{LABELS} --overwrite")["validation"]["macro_f1"]


def test_training_reports_the_decision_in_json(here: Here) -> None:
    report = here.json(f"{CLASSES} --decide-for f2")
    assert report["decision"]["decide_for"] == "f2"
    assert report["decision"]["folds"] == 5
    assert set(report["decision"]["figures"]) == {"macro_f2"}
    assert "decision" not in here.json(f"{CLASSES} --overwrite")


def test_costs_come_from_a_file_and_a_configuration(here: Here) -> None:
    Path("costs.csv").write_text(",cow,ant,bee\nant,1,0,1\nbee,1,6,0\ncow,0,30,6\n")
    Path("costs.toml").write_text("[decide_for]\nant = {ant=0, bee=1, cow=1}\nbee = {ant=6, bee=0, cow=1}\n"
                                  "cow = {ant=30, bee=6, cow=0}\n")  # fmt: skip
    out = here(f"{CLASSES} --decide-for costs.csv")[0]
    assert "decides for: the smallest expected cost; mean_cost " in out
    by_flag = fl.load("m.safetensors")
    assert by_flag.decide_for == [[0, 1, 1], [6, 0, 1], [30, 6, 0]]
    here(f"{CLASSES} --config costs.toml --overwrite")
    assert Path("m.safetensors").read_bytes() == by_flag._model.to_bytes()
    accuracy = here.json("evaluate m.safetensors t.csv")["accuracy"]
    predicted = [row["prediction"] for row in here.rows("predict m.safetensors t.csv")]
    truth = [row["kind"] for row in csv.DictReader(io.StringIO(Path("t.csv").read_text()))]
    assert accuracy == np.mean(np.array(predicted) == np.array(truth))


def test_rows_that_chose_the_decisions_alone_are_marked(here: Here) -> None:
    plain = f"{LABELS} --valid v.csv --set early_stopping=false --set calibrate=false"
    Path("v.csv").write_text(Path("t.csv").read_text().replace("0.1", "0.2"))
    report = here.json(f"{plain} --decide-for f1")
    assert report["validation"]["selected_on"] is True
    assert here.json("evaluate m.safetensors v.csv")["selected_on"] is True
    assert "which chose its decisions" in here(f"{plain} --decide-for f1 --overwrite")[0]
    assert here.json(f"{plain} --overwrite")["validation"]["selected_on"] is False


def test_a_row_is_laid_open_with_its_labels_thresholds(here: Here) -> None:
    here(f"{LABELS} --decide-for f1")
    clf = fl.load("m.safetensors")
    assert clf.thresholds_ is not None
    for row in range(30):
        units = here.json(f"inspect m.safetensors t.csv --row {row}")["units"]
        assert [unit["threshold"] for unit in units] == clf.thresholds_.tolist()
        assert [unit["answer"] for unit in units] == [
            np.float32(unit["probability"]) > threshold for unit, threshold in zip(units, clf.thresholds_, strict=True)
        ]


def test_cross_validation_decides_for_it_too(here: Here) -> None:
    cv = CLASSES.replace("train t.csv", "cv t.csv --folds 3").replace(" -o m.safetensors", "")
    plain, rare = here.json(cv), here.json(f"{cv} --decide-for balanced_accuracy")
    assert plain["out_of_fold"]["log_loss"] == rare["out_of_fold"]["log_loss"]
    assert plain["out_of_fold"]["accuracy"] > rare["out_of_fold"]["accuracy"]


def test_the_best_stand_instead_of_all(here: Here) -> None:
    here(CLASSES)
    rows = here.rows("predict m.safetensors t.csv --top 2")
    assert list(rows[0]) == ["prediction", "top_1", "top_1_probability", "top_2", "top_2_probability"]
    whole = here.rows("predict m.safetensors t.csv")
    for row, all_of_it in zip(rows, whole, strict=True):
        p = {name: float(all_of_it[f"probability:{name}"]) for name in ("ant", "bee", "cow")}
        best = sorted(p, key=lambda name: -p[name])
        assert [row["top_1"], row["top_2"]] == best[:2]
        assert row["prediction"] == row["top_1"]
        assert row["top_2_probability"] == all_of_it[f"probability:{best[1]}"]
    objects = here.json("predict m.safetensors t.csv --top 1")["predictions"]
    assert objects[0]["top"] == [{"class": rows[0]["top_1"], "probability": float(rows[0]["top_1_probability"])}]
    assert "probability" not in objects[0]


def test_a_class_that_is_too_unsure_leaves_the_prediction_empty(here: Here) -> None:
    here(CLASSES)
    rows, whole = (here.rows(f"predict m.safetensors t.csv {more}") for more in ("--abstain-below 0.7", ""))
    objects = here.json("predict m.safetensors t.csv --abstain-below 0.7")["predictions"]
    for row, all_of_it, entry in zip(rows, whole, objects, strict=True):
        is_sure = max(float(all_of_it[f"probability:{name}"]) for name in ("ant", "bee", "cow")) >= 0.7
        assert row["prediction"] == (all_of_it["prediction"] if is_sure else "")
        assert entry["prediction"] == (row["prediction"] or None)
    assert {row["prediction"] for row in rows} >= {"", "ant"}


def test_labels_without_an_answer_are_listed_apart(here: Here) -> None:
    here(LABELS)
    rows = here.rows("predict m.safetensors t.csv --abstain-below 0.8")
    assert list(rows[0])[:2] == ["prediction", "undecided"]
    for row in rows:
        for name in ("car", "bus"):
            p = float(row[f"probability:{name}"])
            where = "undecided" if max(p, 1 - p) < 0.8 else "prediction" if p > 0.5 else None
            assert [column for column in ("prediction", "undecided") if name in row[column].split("|")] == (
                [] if where is None else [where]
            )
    assert {row["undecided"] for row in rows} >= {"", "car", "car|bus"}
    first = here.json("predict m.safetensors t.csv --abstain-below 0.8")["predictions"][0]
    assert first["undecided"] == [name for name in rows[0]["undecided"].split("|") if name]


def test_a_column_that_is_kept_may_not_take_the_name_of_a_best_one(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    here(CLASSES)
    lines = Path("t.csv").read_text().splitlines()
    Path("n.csv").write_text("\n".join([f"{lines[0]},top_1", *(f"{line},x" for line in lines[1:])]) + "\n")
    assert run(shlex.split("predict m.safetensors n.csv --keep top_1 --top 1")) == 2
    assert "'top_1' can't be copied" in capsys.readouterr().err
    assert "top_1" in here("predict m.safetensors n.csv --keep top_1")[0]


def test_evaluate_a_test_file_and_folds_say_what_the_decisions_are_worth(here: Here) -> None:
    lines = Path("t.csv").read_text().splitlines()
    for name, part in (("new.csv", lines[501:]), ("t.csv", lines[1:501])):
        Path(name).write_text("\n".join([lines[0], *part]) + "\n")
    Path("costs.csv").write_text(",0,1\n0,0,1\n1,8,0\n")
    train = TRAIN.removeprefix("train t.csv").replace("-o m.safetensors", "")
    car = f"{train} --target label:car --task multi-class --ignore kind,label:bus"
    for objective, said in (
        ("recall>=0.8", "recall>=0.8 of class '1', threshold 0."),
        ("costs.csv", "the smallest expected cost, threshold 0.1111"),
    ):
        out = here(f"train t.csv {car} --decide-for {objective} -o m.safetensors --overwrite --test new.csv")[0]
        assert f"\ndecides for: {said}" in out
        figures = here.json("evaluate m.safetensors new.csv")["decision"]["figures"]
        gain = "; ".join(f"{name} {both['natural']:.4f} -> {both['decided']:.4f}" for name, both in figures.items())
        assert f"\n  by what it decides for: {gain}\n" in out
        text = here("evaluate m.safetensors new.csv")[0]
        line = next(line for line in text.splitlines() if line.startswith("decides for: "))
        assert line.startswith(f"decides for: {said}")
        assert line.endswith(f"; {gain} on these rows")
        found = here.json(f"cv t.csv {car} --decide-for {objective}")["out_of_fold"]["decision"]["figures"]
        gain = "; ".join(f"{name} {both['natural']:.4f} -> {both['decided']:.4f}" for name, both in found.items())
        assert f"by what each fold decides for: {gain}" in here(f"cv t.csv {car} --decide-for {objective}")[0]


def test_validation_rows_that_chose_the_decisions_are_said_to_have_done_so(here: Here) -> None:
    assert "rows, which chose the epoch and the decisions)" in here(f"{CLASSES} --decide-for macro_f1")[0]
    assert "rows, which chose the epoch)" in here(f"{CLASSES} --overwrite")[0]


@pytest.mark.parametrize(("train", "said"), [(CLASSES, "left empty"), (LABELS, "with labels undecided")])
def test_it_is_said_how_many_decisions_were_not_made(here: Here, train: str, said: str) -> None:
    here(train)
    predict = "predict m.safetensors t.csv --abstain-below 0.9"
    rows = here.rows(predict)
    unmade = sum(bool(row["undecided"]) if "undecided" in row else not row["prediction"] for row in rows)
    assert 0 < unmade < 800
    assert here(f"{predict} -o p.csv")[0] == f"800 predictions written to p.csv, {unmade} of them {said}\n"
    assert here.json(predict)["undecided_rows"] == unmade
    assert here("predict m.safetensors t.csv -o q.csv")[0] == "800 predictions written to q.csv\n"
