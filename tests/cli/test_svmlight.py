"""svmlight files through the verbs: what is found, what the model decides about later files, and what is said."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import fromlogits as fl
from tests.cli.here import Here

N_FEATURES = 30
TRAIN = "train t.svm --epochs 3 --layers 8 -o m.safetensors"


def rows(n: int, seed: int, first_index: int = 1) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Three features a row, and each row as a line without its label; the last feature is there in the first row."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n, N_FEATURES))
    for row in X:
        row[rng.choice(N_FEATURES, 3, replace=False)] = rng.integers(1, 5, 3)
    X[0, -1] = X[0, 0] = 1
    return X, [" ".join(f"{j + first_index}:{row[j]:g}" for j in np.flatnonzero(row)) for row in X]


def write_classes(
    name: str, n: int = 200, seed: int = 0, first_index: int = 1, classes: tuple[int, int] = (-1, 1)
) -> None:
    """The class is whether one of the first ten features is there."""
    X, lines = rows(n, seed, first_index)
    y = np.any(X[:, :10] != 0, axis=1).tolist()
    Path(name).write_text("".join(f"{classes[int(k)]} {line}\n" for k, line in zip(y, lines, strict=True)))


def write_labels(name: str, n: int = 200, seed: int = 0) -> None:
    """Label 10, 20, 30 for a feature among the first, second and third ten; the first row has none."""
    X, lines = rows(n, seed)
    sets = [[str(10 * k + 10) for k in range(3) if row[10 * k : 10 * k + 10].any()] for row in X]
    sets[0] = []
    Path(name).write_text("".join(f"{','.join(own)} {line}\n" for own, line in zip(sets, lines, strict=True)))


def test_classes_are_learned_and_told_without_a_target_option(here: Here) -> None:
    write_classes("t.svm")
    write_classes("test.svm", seed=1)

    out, err = here("train t.svm --test test.svm")

    first, second = err.splitlines()[:2]
    assert first == "t.svm: 200 rows, 30 features, 10 % not zero; 2 classes: -1, 1"
    assert second == "note: t.svm: no index is 0, so indices count from 1."
    assert "saved as t.safetensors" in out
    assert fl.load("t.safetensors").encoder_.kind == "scaled"
    report = here.json("evaluate t.safetensors test.svm")
    assert report["accuracy"] > 0.9  # the class can be read off three features


def test_labels_are_learned_and_predicted_by_their_numbers(here: Here) -> None:
    write_labels("t.svm")

    _, err = here(TRAIN)
    out, _ = here("predict m.safetensors t.svm --logits")

    assert err.splitlines()[0] == "t.svm: 200 rows, 30 features, 10 % not zero; 3 labels: 10, 20, 30"
    table = list(csv.DictReader(out.splitlines()))
    assert list(table[0])[1:4] == ["probability:10", "probability:20", "probability:30"]
    assert {label for row in table for label in row["prediction"].split("|") if label} <= {"10", "20", "30"}
    X, _ = rows(200, 0)
    logits = [[float(row[f"logit:{label}"]) for label in (10, 20, 30)] for row in table]
    np.testing.assert_array_equal(np.array(logits, np.float32), fl.load("m.safetensors").predict_logits(X))


def test_a_file_trains_the_model_that_its_rows_train_as_a_matrix_of_scipy(here: Here) -> None:
    write_labels("t.svm")
    X, _ = rows(200, 0)
    Y = np.array([[row[10 * k : 10 * k + 10].any() for k in range(3)] for row in X]).astype(int)
    Y[0] = 0

    here(f"{TRAIN} --seed 4")
    clf = fl.Classifier(hidden_layer_sizes=(8,), max_epochs=3, random_state=4).fit(sparse.csc_array(X), Y)

    np.testing.assert_array_equal(fl.load("m.safetensors").predict_logits(X), clf.predict_logits(sparse.coo_array(X)))


def test_a_row_is_inspected_with_its_line(here: Here) -> None:
    write_labels("t.svm")
    Path("t.svm").write_text("# by hand\n" + Path("t.svm").read_text())
    here(TRAIN)

    report = here.json("inspect m.safetensors t.svm --row 5")
    out, _ = here("inspect m.safetensors")

    assert report["line"] == 7
    assert "30 features, indices 1 to 30" in out


def test_later_files_may_have_other_widths(here: Here) -> None:
    write_classes("t.svm")
    here(TRAIN)
    Path("narrow.svm").write_text("1 2:1\n-1 20:1\n")
    Path("wide.svm").write_text("1 2:1 31:7\n-1 20:1 4000:1\n")

    narrow, _ = here("predict m.safetensors narrow.svm")
    wide, err = here("predict m.safetensors wide.svm")

    assert wide == narrow
    assert err == (
        "note: wide.svm: indices that the model does not know were ignored: 31 and above, up to 4000 (2 of 4 values).\n"
    )


def test_the_model_decides_what_indices_count_from(here: Here) -> None:
    write_classes("t.svm", first_index=0)
    here(TRAIN)
    Path("later.svm").write_text("1 2:1\n-1 20:1\n")
    X = np.zeros((2, N_FEATURES))
    X[0, 2] = X[1, 20] = 1

    table = list(csv.DictReader(here("predict m.safetensors later.svm --logits")[0].splitlines()))

    expected = fl.load("m.safetensors").predict_logits(X)[:, 0]
    np.testing.assert_array_equal(np.array([row["logit:1"] for row in table], np.float32), expected)


def test_the_model_decides_that_one_label_a_line_is_a_set(here: Here) -> None:
    write_labels("t.svm")
    here(TRAIN)
    Path("one.svm").write_text("10 1:1\n30 22:1\n")

    report = here.json("evaluate m.safetensors one.svm")

    assert report["task"] == "multi-label"
    assert [label["support"] for label in report["per_label"]] == [1, 0, 1]


def test_a_validation_file_may_have_another_width_and_other_labels(here: Here) -> None:
    write_labels("t.svm")
    Path("valid.svm").write_text("10,77 1:1\n30 22:1 99:1\n20 11:1\n")

    _, err = here(f"{TRAIN} --valid valid.svm")

    assert "200 rows to train on, 3 of valid.svm to choose the best epoch and calibrate" in err
    assert "note: valid.svm: indices that the model does not know were ignored: 31 and above, up to 99 (1 of 4" in err
    assert "warning: 1 row has a label that the model does not know, such as 77 at valid.svm line 1; such labels" in err


def test_labels_that_the_model_does_not_know_are_left_out_and_said(here: Here) -> None:
    write_labels("t.svm")
    Path("test.svm").write_text("10,77 1:1\n88 22:1\n20 11:1\n")
    said = (
        "warning: 2 rows have labels that the model does not know, such as 77 at test.svm line 1; such labels are left"
        " out of all figures.\n"
    )

    _, trained = here(f"{TRAIN} --test test.svm")
    _, evaluated = here("evaluate m.safetensors test.svm")

    assert said in trained and said in evaluated


def test_a_class_that_the_model_does_not_know_counts_as_wrong(here: Here) -> None:
    write_classes("t.svm")
    here(TRAIN)
    Path("test.svm").write_text("1 1:1\n5 1:1\n")

    report = here.json("evaluate m.safetensors test.svm")

    assert report["unknown_class_rows"] == 1


@pytest.mark.parametrize(("task", "kind"), [("", "2 classes"), ("--task multi-label", "2 labels")])
def test_the_task_can_be_said(here: Here, task: str, kind: str) -> None:
    write_classes("t.svm")

    _, err = here(f"{TRAIN} {task}")

    assert f"; {kind}: -1, 1" in err


@pytest.mark.parametrize("dense", ["npz", "csv"])
def test_dense_rows_of_the_models_width_give_the_same_answers(here: Here, dense: str) -> None:
    write_classes("t.svm")
    here(TRAIN)
    X, _ = rows(200, 0)
    if dense == "npz":
        np.savez("t.npz", X=X)
    else:
        lines = [",".join(f"f{j}" for j in range(N_FEATURES)), *(",".join(f"{v:g}" for v in row) for row in X)]
        Path("t.csv").write_text("\n".join(lines) + "\n")

    assert here(f"predict m.safetensors t.{dense}")[0] == here("predict m.safetensors t.svm")[0]


def test_a_model_of_dense_rows_reads_a_svmlight_file(here: Here) -> None:
    X, lines = rows(200, 0)
    y = X[:, :10].any(axis=1).astype(int)
    np.savez("t.npz", X=X, y=y)
    Path("t.svm").write_text("".join(f"{k} {line}\n" for k, line in zip(y, lines, strict=True)))
    here("train t.npz --epochs 3 --layers 8 -o m.safetensors")

    assert here("predict m.safetensors t.svm")[0] == here("predict m.safetensors t.npz")[0]
    assert (
        here.json("evaluate m.safetensors t.svm")["accuracy"] == here.json("evaluate m.safetensors t.npz")["accuracy"]
    )


def test_pictures_may_be_sparse(here: Here) -> None:
    write_classes("t.svm")

    _, err = here(f"{TRAIN} --image-shape 5x6")
    clf = fl.load("m.safetensors")

    assert err.startswith("t.svm: 200 pictures of 5x6; 2 classes: -1, 1\n")
    assert (clf.encoder_.kind, clf.encoder_.schema.picture_shape) == ("picture", (5, 6))
    assert here("predict m.safetensors t.svm")[0]


def test_the_same_rows_packed_or_plain_give_the_same_model(here: Here) -> None:
    write_labels("t.svm")
    Path("u.libsvm.gz").write_bytes(gzip.compress(Path("t.svm").read_bytes()))
    here(TRAIN)
    here("train u.libsvm.gz --epochs 3 --layers 8")

    ours, theirs = fl.load("m.safetensors"), fl.load("u.safetensors")
    X, _ = rows(20, 5)
    np.testing.assert_array_equal(ours.predict_logits(X), theirs.predict_logits(X))
