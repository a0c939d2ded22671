"""Sets of labels and probabilities through the verbs: one column, one separator, the same model from every file."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fromlogits as fl
from tests.cli.here import Here

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
TRAIN = "--epochs 4 --layers 8 --quiet -o m.safetensors"
N = 200


def rows(n: int = N, seed: int = 0) -> tuple[np.ndarray[Any, Any], list[list[str]]]:
    """Two numbers a row, and the labels that they mean."""
    X = np.random.default_rng(seed).normal(size=(n, 2)).round(3)
    named = {"car": X[:, 0] > 0, "bus": X[:, 1] > 0.3, "tram": X.sum(axis=1) > 1}
    return X, [[name for name, holds in named.items() if holds[row]] for row in range(n)]


def write(name: str, separator: str = "|", labels: list[str] | None = None) -> None:
    X, sets = rows()
    texts = labels or [separator.join(own) for own in sets]
    with open(name, "w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "tags"], *([*x, text] for x, text in zip(X, texts, strict=True))])


def predictions(text: str) -> list[str]:
    return [row["prediction"] for row in csv.DictReader(text.splitlines())]


@pytest.mark.parametrize("sign", ["|", ";", ",", " ", "tab"])
def test_a_model_remembers_the_separator_and_joins_its_predictions_by_it(here: Here, sign: str) -> None:
    separator = "\t" if sign == "tab" else sign
    write("t.csv", separator)
    report = here.json(f"train t.csv --target tags --label-separator '{sign}' --separator , {TRAIN}")

    assert (report["task"], report["classes"]) == ("multi-label", ["bus", "car", "tram"])
    assert fl.load("m.safetensors").target_.separator == separator
    predicted = predictions(here("predict m.safetensors t.csv --separator ,")[0])
    assert separator.join(["bus", "car"]) in predicted
    assert {label for text in predicted for label in text.split(separator)} <= {"", "bus", "car", "tram"}
    assert here.json("evaluate m.safetensors t.csv --separator ,")["rows"] == N


FORMS = ("bars.csv", "json.csv", "bars.parquet", "lists.parquet", "lists.jsonl")


def write_in_every_form() -> None:
    """The same sets as texts with bars, as JSON lists in a text table, and as lists."""
    X, sets = rows()
    write("bars.csv")
    write("json.csv", labels=[json.dumps(own) for own in sets])
    named = {"a": X[:, 0], "b": X[:, 1]}
    pq.write_table(pa.table({**named, "tags": ["|".join(own) for own in sets]}), "bars.parquet")
    pq.write_table(pa.table({**named, "tags": sets}), "lists.parquet")
    lines = (json.dumps({"a": x[0], "b": x[1], "tags": own}) for x, own in zip(X.tolist(), sets, strict=True))
    Path("lists.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.usefixtures("open_database")
@pytest.mark.parametrize("trained", FORMS)
def test_sets_are_evaluated_in_whatever_form_they_come(here: Here, trained: str) -> None:
    write_in_every_form()
    sign = " --label-separator '|'" if "bars" in trained else ""
    others = [here.json(f"train {trained} --target tags{sign} --test {other} {TRAIN} --overwrite") for other in FORMS]
    reports = [here.json(f"evaluate m.safetensors {other}") for other in FORMS]

    assert len({json.dumps(report["test"] | {"selected_on": True}, sort_keys=True) for report in others}) == 1
    assert len({report["log_loss"] for report in reports}) == 1
    assert all("unknown_label_rows" not in report for report in reports)
    _, err = here("evaluate m.safetensors json.csv")
    assert "target 'tags': its JSON lists were read as sets of labels" in err
    _, err = here("evaluate m.safetensors bars.csv")
    assert ("its texts were read as sets of labels with '|' between them" in err) == (not sign)


def test_a_separator_that_no_row_has_is_warned_of(here: Here) -> None:
    write("t.csv", ";")
    _, err = here(f"train t.csv --target tags --label-separator '|' {TRAIN}")

    assert "warning: --label-separator '|' occurs in no row, so each has one label at most. Some hold ';'" in err
    _, err = here(f"train t.csv --target tags --label-separator ';' {TRAIN} --overwrite")
    assert "occurs in no row" not in err


def test_predictions_are_a_target_again(here: Here) -> None:
    write("t.csv")
    here(f"train t.csv --target tags --label-separator '|' {TRAIN}")
    write("again.csv", labels=predictions(here("predict m.safetensors t.csv")[0]))

    figures = here.json("evaluate m.safetensors again.csv")
    assert (figures["subset_accuracy"], figures["hamming_loss"]) == (1.0, 0.0)


def test_one_column_of_sets_gives_the_model_of_its_0_1_columns(here: Here) -> None:
    write("t.csv")
    X, sets = rows()
    labels = ["bus", "car", "tram"]
    lines = [[*x, *(int(label in own) for label in labels)] for x, own in zip(X, sets, strict=True)]
    with open("columns.csv", "w", newline="") as file:
        csv.writer(file).writerows([["a", "b", *labels], *lines])
    here(f"train t.csv --target tags --label-separator '|' {TRAIN}")
    here("train columns.csv --target bus,car,tram --epochs 4 --layers 8 --quiet -o columns.safetensors")

    one, other = fl.load("m.safetensors"), fl.load("columns.safetensors")
    np.testing.assert_array_equal(one.predict_logits(X), other.predict_logits(X))
    assert one.validation_metrics_ == other.validation_metrics_


def test_a_label_of_a_later_file_alone_is_counted_and_said(here: Here) -> None:
    write("t.csv")
    _, sets = rows()
    write("later.csv", labels=["|".join([*own, *(["ship"] if row in (3, 5) else [])]) for row, own in enumerate(sets)])
    here(f"train t.csv --target tags --label-separator '|' {TRAIN}")

    out, err = here("evaluate m.safetensors later.csv --json")
    assert json.loads(out)["unknown_label_rows"] == 2
    assert "warning: 2 rows have labels that the model does not know, such as ship at later.csv line 5;" in err
    report = here.json(f"train t.csv --target tags --label-separator '|' --test later.csv {TRAIN} --overwrite")
    assert report["test"]["unknown_label_rows"] == 2


def test_a_target_column_that_a_later_file_lacks_is_refused_by_name(here: Here) -> None:
    write("t.csv")
    Path("later.csv").write_text("a,b\n1,2\n")
    here(f"train t.csv --target tags --label-separator '|' {TRAIN}")

    assert here("evaluate m.safetensors later.csv", code=2)[1].startswith(
        "fromlogits: later.csv has no target column 'tags'."
    )
    assert len(predictions(here("predict m.safetensors later.csv")[0])) == 1


def test_a_later_file_may_have_another_form_than_the_one_with_the_separator(here: Here) -> None:
    write("t.csv")
    here(f"train t.csv --target tags --label-separator '|' {TRAIN}")
    X, sets = rows()
    np.savez("t.npz", X=X)
    with open("t.jsonl", "w") as file:
        file.writelines(json.dumps({"a": a, "b": b, "tags": own}) + "\n" for (a, b), own in zip(X, sets, strict=True))

    assert predictions(here("predict m.safetensors t.npz")[0]) == predictions(here("predict m.safetensors t.csv")[0])
    figures = here.json("evaluate m.safetensors t.jsonl")
    assert figures["macro_f1"] == here.json("evaluate m.safetensors t.csv")["macro_f1"]


def test_rows_whose_labels_are_not_known_take_no_part(here: Here) -> None:
    _, sets = rows()
    known = ["|".join(own) for own in sets]
    write("t.csv", labels=[*known[:-40], *["NA"] * 40])
    here(f"train t.csv --target tags --label-separator '|' --missing NA {TRAIN}")
    figures = here.json("evaluate m.safetensors t.csv")
    assert figures["rows"] == N
    assert sum(label["support"] for label in figures["per_label"]) == sum(map(len, sets[:-40]))


def test_probabilities_of_classes_are_trained_on_from_a_table(here: Here) -> None:
    X, _ = rows()
    p = 1 / (1 + np.exp(-2 * X[:, 0]))
    lines = [[*x, share, 1 - share] for x, share in zip(X, p.round(4), strict=True)]
    with open("p.csv", "w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "p:yes", "p:no"], *lines])
    report = here.json(f"train p.csv --target 'p:*' --task multi-class {TRAIN}")

    assert (report["task"], report["classes"]) == ("multi-class", ["yes", "no"])
    figures = here.json("evaluate m.safetensors p.csv")
    assert figures["log_loss"] > 0.3  # never below the entropy of what is given
    assert set(predictions(here("predict m.safetensors p.csv")[0])) == {"yes", "no"}
    assert "this row's target is probabilities" in here("inspect m.safetensors p.csv --row 0")[1]


# --- real files ---


def real(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def test_reuters_topics_in_one_column_are_its_0_1_columns(here: Here) -> None:
    """7 770 texts, 90 topics; the features here are the lengths of title and text."""
    with gzip.open(real("reuters21578/train.csv.gz"), "rt", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    names = [name for name in table[0] if name.startswith("label:")]
    topics = [name.removeprefix("label:") for name in names]
    with open("sets.csv", "w", newline="") as sets, open("columns.csv", "w", newline="") as columns:
        one, other = csv.writer(sets), csv.writer(columns)
        one.writerow(["title", "text", "topics"])
        other.writerow(["title", "text", *names])
        for row in table:
            x = [len(row["title"]), len(row["text"])]
            one.writerow([*x, "|".join(topic for topic, name in zip(topics, names, strict=True) if row[name] == "1")])
            other.writerow([*x, *(row[name] for name in names)])
    options = "--epochs 1 --layers 8 --quiet"
    here(f"train sets.csv --target topics --label-separator '|' {options} -o sets.safetensors")
    here(f"train columns.csv --target 'label:*' {options} -o columns.safetensors")

    a, b = fl.load("sets.safetensors"), fl.load("columns.safetensors")
    assert len(topics) == 90 and a.classes_.tolist() == sorted(topics)
    order = [b.classes_.tolist().index(topic) for topic in a.classes_]
    X = np.array([[100.0, 500.0], [40.0, 3000.0]])
    assert a.predict_proba(X).shape == b.predict_proba(X)[:, order].shape == (2, 90)
    assert a.record_["n_train"] == b.record_["n_train"]


def test_bibtex_tags_may_be_a_sparse_matrix(here: Here) -> None:
    """4 880 rows, 159 labels, in svmlight: sets of the file and SciPy's matrix train the same network."""
    from sklearn.datasets import load_svmlight_file

    path = real("bibtex/train.svm.gz")
    X, y = load_svmlight_file(str(path), multilabel=True, zero_based=False)
    from scipy.sparse import csr_matrix

    starts = np.cumsum([0, *map(len, y)])
    matrix = csr_matrix((np.ones(starts[-1], np.uint8), np.concatenate(y).astype(int), starts), (len(y), 159))
    sets = [{int(label) for label in own} for own in y]
    fits = [
        fl.Classifier(hidden_layer_sizes=(16,), max_epochs=1, random_state=0).fit(X, target)
        for target in (matrix, matrix.toarray(), sets)
    ]

    assert fits[0].classes_.tolist() == fits[2].classes_.tolist() == list(range(159))
    logits = [clf.predict_logits(X[:50]) for clf in fits]
    np.testing.assert_array_equal(logits[0], logits[1])
    np.testing.assert_array_equal(logits[0], logits[2])


def test_eurlex_targets_stay_sparse(here: Here) -> None:
    """45 000 rows of 4 271 labels would be 770 MB of float32; what is held is 5 labels a row."""
    from fromlogits.data.label_sets import SparseLabels
    from fromlogits.data.sources import read
    from fromlogits.data.targets import TargetEncoder

    target = read(real("eurlex57k/train.svm.gz")).targets
    assert target is not None
    encoder = TargetEncoder.fit(target)
    rows = encoder.encode_rows(target)

    assert isinstance(rows, SparseLabels)
    assert rows.shape == (45_000, encoder.n_classes)
    assert rows.starts.nbytes + rows.columns.nbytes < 2_000_000
    assert rows[:1000].sum() == len(rows.columns[: rows.starts[1000]])
