"""Results: figures in words, JSON, and predictions row by row."""

import csv
import errno
import io
import json
from pathlib import Path

import numpy as np
import pytest

from fromlogits.cli.columns import noticed_notes, noticed_table
from fromlogits.cli.output import (
    Predictions,
    aligned,
    as_json,
    check_output,
    figures_text,
    in_words,
    json_numbers,
    listed,
    naming,
    written,
)
from fromlogits.data.table import Column
from fromlogits.errors import FromlogitsError, InputError


def rows_of(predictions: Predictions, delimiter: str = ",") -> list[list[str]]:
    stream = io.StringIO()
    predictions.write(stream, delimiter)
    return list(csv.reader(io.StringIO(stream.getvalue()), delimiter=delimiter))


def random_probabilities(n: int, c: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).random((n, c)).astype(np.float32)


def test_each_row_has_its_ids_the_prediction_and_a_probability_per_class() -> None:
    ids = [Column("name", np.array(["x", 'say "hi", y', "z"], object), np.array([False, False, True]))]
    probabilities = random_probabilities(3, 2)
    rows = rows_of(Predictions(ids, np.array(["a", "b", "a"]), ("a", "b"), probabilities, None, is_multi_label=False))

    assert rows[0] == ["name", "prediction", "probability:a", "probability:b"]
    assert [row[:2] for row in rows[1:]] == [["x", "a"], ['say "hi", y', "b"], ["", "a"]]


@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 9000])
def test_the_order_and_the_bits_of_every_row_are_kept(n: int) -> None:
    probabilities = random_probabilities(n, 3) * np.float32(1e-6)
    rows = rows_of(Predictions([], np.arange(n), (0, 1, 2), probabilities, None, is_multi_label=False))[1:]

    assert [int(row[0]) for row in rows] == list(range(n))
    assert (np.array([row[1:] for row in rows], np.float32) == probabilities).all()


def test_labels_are_joined_and_one_logit_speaks_for_the_second_class() -> None:
    matrix = np.array([[1, 0, 1], [0, 0, 0]])
    labels = Predictions([], matrix, ("car", "bus", "tram"), random_probabilities(2, 3), None, is_multi_label=True)
    binary = Predictions(
        [], np.array(["no", "yes"]), ("no", "yes"), random_probabilities(2, 2), random_probabilities(2, 1),
        is_multi_label=False,
    )  # fmt: skip

    assert [row[0] for row in rows_of(labels)[1:]] == ["car|tram", ""]
    assert [entry["prediction"] for entry in labels.as_objects()] == [["car", "tram"], []]
    assert rows_of(binary)[0] == ["prediction", "probability:no", "probability:yes", "logit:yes"]


def test_json_rows_hold_the_same_as_the_table() -> None:
    ids = [Column("nr", np.array([7, 8]), None)]
    probabilities = random_probabilities(2, 2)
    predictions = Predictions(ids, np.array([1, 0]), (0, 1), probabilities, probabilities, is_multi_label=False)
    [first, _] = json.loads(as_json({"rows": predictions.as_objects()}))["rows"]

    assert (first["nr"], first["prediction"]) == (7, 1)
    assert np.float32(first["probability"]["1"]) == probabilities[0, 1]
    assert list(first) == ["nr", "prediction", "probability", "logit"]


def test_json_never_holds_nan() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        as_json({"loss": float("nan")})


def test_figures_wrap_between_figures_and_undefined_is_said() -> None:
    figures: dict[str, object] = {"subset_accuracy": 0.25, "macro_roc_auc": None, "log_loss": 0.5, "per_label": []}

    assert figures_text("test:", figures) == "test: subset_accuracy 0.2500  macro_roc_auc undefined  log_loss 0.5000"
    assert figures_text("test:", figures, wide=40).splitlines() == [
        "test: subset_accuracy 0.2500",
        "  macro_roc_auc undefined",
        "  log_loss 0.5000",
    ]
    assert (in_words(1234), in_words(True), in_words("car")) == ("1,234", "True", "car")


def test_lists_of_numbers_are_on_one_line_and_strings_as_they_are() -> None:
    value = {"matrix": [[1, -2.5], [3e-9, 4]], "names": ["[\n  1\n]", "b"], "none": [], "mixed": [1, None]}
    text = as_json(value)
    assert json.loads(text) == value
    assert "[\n    [1, -2.5],\n    [3e-09, 4]\n  ]" in text


def test_columns_are_aligned_and_long_lists_are_cut_in_the_middle() -> None:
    assert aligned([["label", "f1"], ["a", "0.5000"]]) == "label      f1\na      0.5000"
    assert listed(range(10)) == "0 to 9"
    assert listed([0, 1, 2]) == "0, 1, 2"
    assert listed(["0", "1", "2", "3", "4"]) == "0, 1, 2, 3, 4"
    assert listed(range(0, 1000, 2), at_most=30) == "0, 2, 4, 6, 8, 10, ..., 998"
    assert len(listed([f"class {number}" for number in range(500)])) <= 90
    assert listed(["x" * 200, "y"]) == "..., y"


def test_a_name_with_a_line_end_stays_on_its_line() -> None:
    assert aligned([["label", "f1"], ["a\nb", "1"], ["c\u2028", "0"]]).split("\n") == [
        "label     f1", "a\\u000ab   1", "c\\u2028    0",
    ]  # fmt: skip
    assert listed(["a\nb", "c"]) == "a\\u000ab, c"
    assert noticed_notes([("a\nb", 0, 1)], "t.csv", 2) == [
        "t.csv: values that the training hardly or never had: 'a\\nb' (1 of 2 rows)"
    ]
    assert noticed_table([("a\nb", 0, 1)], 2).count("\n") == 2


def test_a_file_that_can_not_be_written_is_named_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    with written(path, overwrite=False) as stream:
        stream.write(b"first")
    with (
        pytest.raises(FromlogitsError, match=r"^p\.csv could not be written: no space left on device\.$"),
        written(path, overwrite=True) as stream,
    ):
        stream.write(b"second")
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FromlogitsError, match=r"^p\.csv was made by another program"), written(path, overwrite=False):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.csv"]
    assert path.read_text() == "first"


def test_a_name_may_have_as_many_bytes_as_the_file_system_takes(tmp_path: Path) -> None:
    longest = tmp_path / ("p" * 255)
    check_output(longest, overwrite=False)
    with written(longest, overwrite=False):
        pass
    with pytest.raises(InputError, match=r": file name too long; choose another name\.$"):
        check_output(tmp_path / ("p" * 256), overwrite=False)


def test_what_json_has_no_number_for_is_a_word() -> None:
    values = {"a": np.array([0.1, np.inf, np.nan], np.float32), "b": (-np.inf, np.int64(3), np.float64(0.1)), "c": None}

    assert json_numbers(values) == {"a": [0.1, "inf", "nan"], "b": ["-inf", 3, 0.1], "c": None}
    assert json.loads(as_json(json_numbers(values)))["a"][0] == 0.1


def test_a_message_gets_the_name_of_its_file_once() -> None:
    with pytest.raises(InputError, match=r"^t\.csv: column 'a' is missing$"), naming("data/t.csv"):
        raise InputError("column 'a' is missing")
    with pytest.raises(InputError, match=r"^t\.csv line 5 is short$"), naming("data/t.csv"):
        raise InputError("t.csv line 5 is short")
