"""Tables of several kinds of columns, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fromlogits as fl
from fromlogits.errors import ModelFileError
from tests.cli.here import Here
from tests.test_forged_manifests import at, forged


def table(name: str, n: int, seed: int, opinions: tuple[str, ...] = ("yes", "no", "maybe")) -> None:
    """A key, a number with gaps, an opinion, a code, a day and a class that follows the opinion."""
    rng = np.random.default_rng(seed)
    lines = ["key,size,opinion,zone,day,kind"]
    for row in range(n):
        opinion = opinions[rng.integers(len(opinions))]
        size = "" if row % 5 == 4 else f"{rng.normal():.2f}"
        day = f"2024-{1 + row % 12:02}-{1 + row % 28:02}"
        kind = "a" if opinion == "yes" or rng.random() < 0.1 else "b"
        lines.append(f"{row},{size},{opinion},{row % 4 + 101},{day},{kind}")
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")


TRAIN = "train t.csv --target kind --preset fast --epochs 40 --quiet -o m.safetensors --overwrite"


def test_the_columns_are_told_before_the_training(here: Here) -> None:
    table("t.csv", 200, 0)
    out, err = here("train t.csv --target kind --dry-run")

    assert "t.csv: 200 rows of 4 columns, encoded as " in out
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "number" in lines["size"]
    assert "2 features: its value, by median and quartiles, or the median and that it is missing" in lines["size"]
    assert "category of 3 values" in lines["opinion"]
    assert "whole number of 4 values" in lines["zone"]
    assert "features: how long ago, the day in the year, the day in the month, the day of the week" in lines["day"]
    assert "left out" in lines["key"]
    assert "warning: left out: key, as it has a different value in nearly every row" in err
    resolved = json.loads(here("train t.csv --target kind --dry-run --json")[0])
    assert [column["column"] for column in resolved["columns"]] == ["size", "opinion", "zone", "day", "key"]
    assert resolved["schema"]["left_out"] == {"key": "identifier"}
    assert len(resolved["warnings"]) == 1


def test_yes_and_no_of_a_typed_file_are_read_as_the_model_learned_them(here: Here) -> None:
    rng = np.random.default_rng(0)
    on, x = rng.random(60) < 0.5, rng.normal(size=60).round(3)
    frames = {
        kind: pd.DataFrame({"x": x, "smoker": values, "kind": np.where(on, "a", "b")})
        for kind, values in (("words", np.where(on, "yes", "no")), ("booleans", on))
    }
    for kind, frame in frames.items():
        frame.to_parquet(f"{kind}.parquet")
    frames["words"].to_csv("words.csv", index=False)
    said = {
        "words": "note: column 'smoker' was read as 'yes' = 1 and 'no' = 0, as the model learned it.",
        "booleans": "note: column 'smoker' was read as True = 'yes' and False = 'no', as the model learned it.",
    }
    for trained, later in (("words.csv", "words"), ("booleans.parquet", "words"), ("words.parquet", "booleans")):
        _, err = here(
            f"train {trained} --target kind --test {later}.parquet --layers 8 --epochs 1 -o m.safetensors --overwrite"
        )
        assert said[later] in err
        for verb in ("evaluate", "predict"):
            out, err = here(f"{verb} m.safetensors {later}.parquet")
            assert said[later] in err
        assert out == here(f"predict m.safetensors {trained}")[0]


def test_words_for_a_missing_value_add_to_those_that_the_model_remembers(here: Here) -> None:
    rows = [f"{row % 7},{'ab'[row % 2]}" for row in range(40)]
    Path("t.csv").write_text("\n".join(["size,kind", *rows, "NA,a"]) + "\n", encoding="utf-8")
    here("train t.csv --target kind --missing NA --preset fast --epochs 1 -o m.safetensors")
    for name, lines in (("words.csv", ["1", "NA", "abc"]), ("gaps.csv", ["1", '""', '""'])):
        Path(name).write_text("\n".join(["size", *lines]) + "\n", encoding="utf-8")

    worded, err = here("predict m.safetensors words.csv --missing abc")
    assert "'NA', 'abc' stand for a missing value" in err
    assert worded == here("predict m.safetensors gaps.csv")[0]


def test_a_later_file_is_read_as_the_training_was(here: Here) -> None:
    table("t.csv", 200, 0)
    table("later.csv", 60, 1, ("yes", "no"))  # which on its own would be read as 1 and 0
    here(f"{TRAIN} --test later.csv")
    report = json.loads(here("evaluate m.safetensors later.csv --json")[0])
    assert report["accuracy"] > 0.8

    counted = json.loads(here("inspect m.safetensors later.csv --json")[0])["columns"]
    assert counted == [
        {"column": "size", "missing": 12, "unseen": 0},
        {"column": "opinion", "missing": 0, "unseen": 0},
        {"column": "zone", "missing": 0, "unseen": 0},
        {"column": "day", "missing": 0, "unseen": 0},
    ]


def test_unseen_values_are_counted_and_said(here: Here) -> None:
    table("t.csv", 200, 0)
    table("later.csv", 60, 1, ("yes", "no", "never"))
    here(TRAIN)
    unseen = Path("later.csv").read_text(encoding="utf-8").count("never")

    for verb in ("evaluate", "predict"):
        err = here(f"{verb} m.safetensors later.csv")[1]
        assert f"opinion ({unseen} of 60 rows)" in err
    assert f"opinion  0        {unseen}" in here("inspect m.safetensors later.csv")[0]
    assert f"opinion ({unseen} of 60 rows)" in here(f"{TRAIN} --test later.csv".replace(" --quiet", ""))[1]


def test_a_validation_file_is_read_as_the_training_file(here: Here) -> None:
    table("t.csv", 200, 0)
    table("valid.csv", 60, 1, ("yes", "no"))
    assert json.loads(here(f"{TRAIN} --valid valid.csv --json")[0])["validation"]["accuracy"] > 0.8


def test_options_say_what_a_column_is(here: Here) -> None:
    table("t.csv", 200, 0)
    here(f"{TRAIN} --categorical zone,opinion --numeric key --ignore day --id size")
    what = {column["column"]: column["what"] for column in fl.load("m.safetensors").describe()["columns"]}
    assert what == {"key": "number", "opinion": "category of 3 values", "zone": "category of 4 values"}


def test_many_columns_are_counted(here: Here) -> None:
    rng = np.random.default_rng(0)
    header = ",".join([*(f"c{k}" for k in range(60)), "kind"])
    rows = [",".join([*("pqr"[v] for v in rng.integers(0, 3, 60)), "ab"[row % 2]]) for row in range(40)]
    Path("t.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")

    assert "\nand 20 more columns; in all 60 category\n" in here("train t.csv --target kind --dry-run")[0]


def test_a_model_of_columns_survives_its_file_and_a_forged_one_is_refused(here: Here, tmp_path: Path) -> None:
    table("t.csv", 200, 0)
    here(TRAIN)
    clf = fl.load("m.safetensors")
    clf.save("again.safetensors")
    assert Path("again.safetensors").read_bytes() == Path("m.safetensors").read_bytes()
    for change, says in (
        (at("encoder", "table", "columns", 1, "values", value=["a"]), "encoder gives"),
        (at("encoder", "table", "columns", value=[]), "encodings for 4 columns"),
        (at("encoder", "table", "columns", 1, "values", value=["b"] * 2), "must differ"),
        (at("encoder", "kind", value="standard"), "encoder must be an object"),
    ):
        with pytest.raises(ModelFileError, match=says):
            fl.load(forged(tmp_path / "forged", Path("m.safetensors"), change))


def test_python_says_it_by_warnings() -> None:
    import pandas as pd

    frame: Any = pd.DataFrame({"key": range(40), "c": list("xyzx") * 10})
    clf = fl.Classifier(hidden_layer_sizes=(4,), max_epochs=2, random_state=0)
    with pytest.warns(UserWarning, match="left out: key"):
        clf.fit(frame, list("abab") * 10)
    assert clf.n_features_in_ == 1
    assert list(clf.feature_names_in_) == ["c"]
    np.testing.assert_array_equal(clf.predict(frame), clf.predict(frame[["c"]]))
