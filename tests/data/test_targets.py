from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fromlogits.data.sources import read
from fromlogits.data.target import Target
from fromlogits.data.targets import TargetEncoder
from fromlogits.errors import InputError

ONE_HOT = [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
LABELS = [[1, 1], [0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("y", "classes", "codes"),
    [
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
        ([3, -1, 3], (-1, 3), [1, 0, 1]),
        ([2.0, 1.0, 2.0], (1.0, 2.0), [1, 0, 1]),
        ([True, False, True], (False, True), [1, 0, 1]),
        (np.array(["b", "a", "b"]), ("a", "b"), [1, 0, 1]),
        (np.array([3, 1, 3], object), (1, 3), [1, 0, 1]),
        (np.array([3, 1, 3], np.uint8), (1, 3), [1, 0, 1]),
        (pd.Series(["b", "a", "b"]), ("a", "b"), [1, 0, 1]),
        (pd.Series(pd.Categorical(["b", "a", "b"])), ("a", "b"), [1, 0, 1]),
        (pl.Series([3, 1, 3]), (1, 3), [1, 0, 1]),
        (pd.Series([3, 1, 3], dtype="Int64"), (1, 3), [1, 0, 1]),
    ],
)
def test_one_label_a_row_is_multi_class(y: Any, classes: tuple[Any, ...], codes: list[int]) -> None:
    encoder = TargetEncoder.fit(y)

    assert encoder.task == "multi-class"
    assert encoder.classes == classes
    assert [type(label) for label in encoder.classes] == [type(label) for label in classes]
    assert encoder.encode(y).dtype == np.int32
    assert encoder.encode(y).tolist() == codes
    np.testing.assert_array_equal(encoder.classes_array[codes], np.asarray(y))


@pytest.mark.parametrize("y", [LABELS, np.array(LABELS, bool), np.array(LABELS, float), pd.DataFrame(LABELS)])
def test_columns_of_0_and_1_are_multi_label(y: Any) -> None:
    encoder = TargetEncoder.fit(y)

    assert encoder.task == "multi-label"
    assert encoder.n_classes == 2
    assert encoder.encode(y).dtype == np.float32
    assert encoder.encode(y).tolist() == LABELS


def test_labels_are_named_by_the_columns_of_a_frame_or_by_the_caller() -> None:
    frame = pl.DataFrame(LABELS, schema=["car", "bus"], orient="row")

    assert TargetEncoder.fit(frame).classes == ("car", "bus")
    assert TargetEncoder.fit(LABELS, class_names=("car", "bus")).classes == ("car", "bus")
    assert TargetEncoder.fit(LABELS).classes == (0, 1)


def test_named_labels_are_matched_by_name() -> None:
    encoder = TargetEncoder.fit(pd.DataFrame(LABELS, columns=["car", "bus"]))

    assert encoder.encode(pd.DataFrame(LABELS, columns=["bus", "car"])).tolist() == [[1, 1], [0, 0], [1, 0]]
    with pytest.raises(InputError, match=r"^the target has no label 'car'; its labels are bus, tram\.$"):
        encoder.encode(pd.DataFrame(LABELS, columns=["bus", "tram"]))


def test_a_one_hot_matrix_needs_the_task() -> None:
    with pytest.raises(InputError) as caught:
        TargetEncoder.fit(ONE_HOT)
    assert str(caught.value) == (
        "the target has 3 columns of 0 and 1 with exactly one 1 in each row: say whether it means one class out of many"
        " (task='multi-class', --task multi-class) or any number of labels (task='multi-label', --task multi-label)."
    )

    encoder = TargetEncoder.fit(ONE_HOT, "multi-class", class_names=("c", "a", "b"))
    assert encoder.classes == ("c", "a", "b")
    assert encoder.encode(ONE_HOT).tolist() == [0, 2, 1]
    assert encoder.encode(["b", "c"]).tolist() == [2, 0]
    assert TargetEncoder.fit(ONE_HOT, "multi-label").encode(ONE_HOT).tolist() == ONE_HOT


def test_a_column_vector_is_raveled_with_a_warning() -> None:
    import sklearn.exceptions

    with pytest.warns(sklearn.exceptions.DataConversionWarning, match="A column-vector y was passed"):
        encoder = TargetEncoder.fit(np.array([["a"], ["b"]]))
    assert encoder.classes == ("a", "b")


def test_a_column_of_0_and_1_can_be_one_label() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = TargetEncoder.fit(np.array([[1], [0]]), "multi-label")
    assert encoder.encode([[1], [0]]).tolist() == [[1.0], [0.0]]


REFUSED: dict[str, tuple[Any, str | None, str]] = {
    "none": (None, None, "fit requires y to be passed, but the target y is None."),
    "empty": ([], None, "y holds no label: Found array with 0 sample(s) while a minimum of 1 is required."),
    "scalar": (3, None, "y should be a 1d array of labels or a matrix of 0 and 1; got an array of shape ()."),
    "3-D": (
        np.zeros((2, 2, 2)),
        None,
        "y should be a 1d array of labels or a matrix of 0 and 1; got an array of shape (2, 2, 2).",
    ),
    "no columns": (np.zeros((2, 0)), None, "y has no column (shape (2, 0))."),
    "one class": (["a", "a"], None, "the target must have at least 2 classes; it has 1 class, 'a' (2 rows)."),
    "regression": (
        [1.0, 2.5],
        None,
        "the target must name classes; row 1 has 2.5, which looks like a measured"
        " value: put it into classes first (Unknown label type: continuous).",
    ),
    "NaN": ([1.0, np.nan], None, "Input y contains NaN: the target at row 1 has no value."),
    "infinity": ([1.0, np.inf], None, "Input y contains infinity: the target at row 1 has no value."),
    "None among labels": (["a", None], None, "Input y contains NaN: the target at row 1 has no value."),
    "missing in a series": (pl.Series([1, None]), None, "Input y contains NaN: the target at row 1 has no value."),
    "mixed": (
        [1, "a"],
        None,
        "y must hold labels of one kind, integers, text or booleans; found int at row 0, str at row 1.",
    ),
    "bytes": (np.array([b"a", b"b"]), None, "y holds bytes; decode them to text: y.astype(str)."),
    "complex": (
        np.array([1j, 2j]),
        None,
        "y holds complex128 values; labels must be integers, text or booleans.",
    ),
    "matrix of other numbers": (
        [[0, 1], [2, 0]],
        None,
        "a target with several columns must hold 0 and 1 (multi-label), or probabilities; row 1, column 0, has 2.",
    ),
    "matrix of text": (
        np.array([["a", "b"], ["b", "c"]]),
        None,
        "a target with several columns must hold 0 and 1; it holds text.",
    ),
    "vector for labels": (
        [0, 1],
        "multi-label",
        "a multi-label target must be a matrix of 0 and 1 with one column per label, or sets of labels; y has one"
        " column of shape (2,).",
    ),
    "two classes in a row": (
        LABELS,
        "multi-class",
        "task='multi-class' with a 0/1 matrix needs exactly one 1 in each row; row 0 has 2. task='multi-label' takes"
        " any number.",
    ),
    "unknown task": (
        [0, 1],
        "regression",
        "task must be 'multi-class', 'multi-label' or None; got 'regression'.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_targets_that_name_no_classes_are_refused_in_one_line(name: str) -> None:
    y, task, expected = REFUSED[name]

    with pytest.raises(InputError) as caught:
        TargetEncoder.fit(y, task)

    assert str(caught.value) == expected


def test_rows_of_other_lengths_are_refused() -> None:
    with pytest.raises(InputError, match=r"^y must be one label a row, or rows of 0 and 1 of one length"):
        TargetEncoder.fit([[0, 1], [1]])


def test_an_unknown_class_is_refused_or_marked() -> None:
    encoder = TargetEncoder.fit(["a", "b"])

    with pytest.raises(InputError) as caught:
        encoder.encode(["a", "c"])
    assert str(caught.value) == (
        "the target at row 1 is 'c', a class that was not in the training rows; known classes: 'a', 'b'."
    )
    assert encoder.encode(["a", "c", "b"], unknown="mark").tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    ("y", "note"),
    [
        (["a", "a", "b"], "class 'b' with a single row: kept for training, never held out"),
        ([0, 0, 1, 2], "classes 1, 2 with a single row: kept for training, never held out"),
        ([5, 3, 4], "every row has a class of its own (3): is the target a name or number of the rows?"),
        ([[1, 1], [0, 1]], "label 1 always set: nothing can be learned about it"),
        ([[1, 0], [1, 0], [0, 0]], "label 1 never set: nothing can be learned about it"),
        (["a", "b", "a", "b"], None),
    ],
)
def test_what_is_odd_in_a_target_is_noted(y: Any, note: str | None) -> None:
    assert TargetEncoder.fit(y).notes[:1] == (() if note is None else (note,))


@pytest.mark.parametrize(
    ("y", "warning"),
    [
        (
            [row * 7 % 500 for row in range(600)],
            "the target has 500 different whole numbers in 600 rows: each is learned as a class of its own, and not"
            " that one is larger than another. If they are measured or counted, put them into a few ranges first",
        ),
        ([row % 20 for row in range(200)], ""),
        ([float(row % 20) for row in range(199)], "the target has 20 different whole numbers in 199 rows"),
        ([row % 19 for row in range(19)], ""),
        (
            [f"the room was number {row % 30}" for row in range(59)],
            "the target has 30 classes in 59 rows. The target looks like sentences, which are no classes: is it the"
            " right column?",
        ),
        (
            [f"k{row % 30}" for row in range(30)],
            "the target has 30 classes in 30 rows. The target looks like a name of",
        ),
        ([f"k{row % 30}" for row in range(60)], ""),
    ],
)
def test_a_target_that_is_hardly_one_of_classes_is_warned_of(y: list[Any], warning: str) -> None:
    for given in (y, np.array(y)):
        said = TargetEncoder.fit(given).warnings
        assert len(said) == bool(warning)
        assert not warning or said[0].startswith(warning)


@pytest.mark.parametrize("y", [["b", "a"], [3, 1], [0.0, 2.0], [True, False], LABELS])
def test_an_encoder_survives_json(y: Any) -> None:
    encoder = TargetEncoder.fit(y)
    again = TargetEncoder.from_json(json.loads(json.dumps(encoder.to_json())))

    assert (again.task, again.classes) == (encoder.task, encoder.classes)
    assert list(map(type, again.classes)) == list(map(type, encoder.classes))
    np.testing.assert_array_equal(again.encode(y), encoder.encode(y))


GOOD = {"task": "multi-class", "kind": "str", "classes": ["a", "b"]}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        GOOD | {"more": 1},
        GOOD | {"task": "regression"},
        GOOD | {"kind": "list"},
        GOOD | {"kind": ["str"]},
        GOOD | {"classes": ["a"]},
        GOOD | {"classes": "ab"},
        GOOD | {"classes": ["a", "a"]},
        GOOD | {"classes": ["a", 1]},
        GOOD | {"classes": [["a"], ["b"]]},
        GOOD | {"kind": "int", "classes": [1, True]},
        GOOD | {"kind": "float", "classes": [1.0, float("nan")]},
        GOOD | {"kind": "float", "classes": [1.0, float("inf")]},
    ],
)
def test_json_that_describes_no_target_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"^target"):
        TargetEncoder.from_json(value)


# --- target columns of files ---


def from_csv(tmp_path: Path, values: list[str]) -> tuple[Target, tuple[str, ...]]:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"1,{value}\n" for value in values))
    dataset = read(path, target="y")
    assert dataset.targets is not None
    return dataset.targets, dataset.notes


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["01", "02"], ["01", "02"]),
        (["1", "a"], ["1", "a"]),
        (["true", "false"], ["true", "false"]),
        (["NA", "x"], ["NA", "x"]),
        (["nan", "inf"], ["nan", "inf"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["0.5", "1"], [0.5, 1.0]),
    ],
)
def test_classes_in_text_are_integers_only_when_all_are(tmp_path: Path, texts: list[str], values: list[Any]) -> None:
    target, notes = from_csv(tmp_path, texts)

    assert target.values.tolist() == values
    assert notes == ()


@pytest.mark.parametrize("texts", [["1.0", "2.0"], ["1", "2.0"], ["+1", "2"], ["1e0", "2"]])
def test_whole_numbers_are_read_as_integers_and_that_is_said(tmp_path: Path, texts: list[str]) -> None:
    target, notes = from_csv(tmp_path, texts)

    assert target.values.dtype == np.int64
    assert target.values.tolist() == [1, 2]
    assert notes == ("target 'y': its numbers are whole and were read as integers",)


def test_spaces_around_classes_are_dropped_and_that_is_said(tmp_path: Path) -> None:
    target, notes = from_csv(tmp_path, ["a ", " b", "a"])

    assert target.values.tolist() == ["a", "b", "a"]
    assert notes == ("target 'y': spaces around its values were dropped",)


def test_a_test_file_of_numbers_meets_classes_that_are_text(tmp_path: Path) -> None:
    encoder = TargetEncoder.fit(from_csv(tmp_path, ["1", "2.0", "x"])[0])

    assert encoder.classes == ("1", "2.0", "x")
    assert encoder.encode(from_csv(tmp_path, ["2.0", "1"])[0]).tolist() == [1, 0]


def test_a_test_file_with_a_word_meets_classes_that_are_numbers(tmp_path: Path) -> None:
    encoder = TargetEncoder.fit(from_csv(tmp_path, ["1", "2"])[0])

    assert encoder.encode(from_csv(tmp_path, ["2", "x", "1.0"])[0], unknown="mark").tolist() == [1, -1, 0]


def test_several_label_columns_are_found_by_a_glob(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,label:car,label:bus\n1,1,0.0\n2,0,1.0\n3,1,1\n")
    target = read(path, target="label:*").targets
    assert target is not None

    assert target.label_names == ("car", "bus")
    assert target.names == ("label:car", "label:bus")
    assert TargetEncoder.fit(target).encode(target).tolist() == [[1, 0], [0, 1], [1, 1]]


def test_several_label_columns_are_found_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,car,bus\n1,1,0.0\n2,0,1.0\n3,1,1\n")
    target = read(path, target="bus,car").targets
    assert target is not None

    assert target.label_names == target.names == ("bus", "car")
    assert TargetEncoder.fit(target).encode(target).tolist() == [[0, 1], [1, 0], [1, 1]]


def test_exact_names_are_in_the_order_of_the_models_classes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,label:bus,label:car\n1,1,0\n2,0,1\n3,1,1\n")
    encoder = TargetEncoder("multi-label", ("car", "bus"))
    target = read(path, target=("label:car", "label:bus")).targets

    assert encoder.encode(target).tolist() == [[0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("1,0,2\n", "label column 'b' must hold 0 or 1, or probabilities; t.csv line 2 has 2."),
        ("1,0,-0.5\n", "label column 'b' must hold 0 or 1, or probabilities; t.csv line 2 has -0.5."),
        ("1,0,1.0\n1,1,yes\n", "label column 'b' must hold 0 or 1, or probabilities; t.csv line 3 has 'yes'."),
        ("1,0,01\n", "label column 'b' must hold 0 or 1, or probabilities; t.csv line 2 has '01'."),
        ("1,,1\n1,1,2\n", "label column 'b' must hold 0 or 1, or probabilities; t.csv line 3 has 2."),
        ("1,,1.0\n1,1,yes\n", "label column 'b' must hold 0 or 1, or probabilities; t.csv line 3 has 'yes'."),
    ],
)
def test_label_columns_of_other_values_are_refused(tmp_path: Path, rows: str, expected: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,a,b\n" + rows)

    with pytest.raises(InputError) as caught:
        read(path, target="a,b")

    assert str(caught.value) == expected


def test_an_empty_field_of_a_label_column_is_an_unknown_label(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,a,b\n1,0,\n2,,\n3,1,1\n4,0,0\n")
    target = read(path, target="a,b").targets
    encoder = TargetEncoder.fit(target)

    np.testing.assert_array_equal(encoder.encode(target), [[0, np.nan], [np.nan, np.nan], [1, 1], [0, 0]])
    assert encoder.notes == (
        "label 'a': 1 unknown value of 4; no loss and no figure of it",
        "label 'b': 2 unknown values of 4; no loss and no figure of it",
        "labels 'a', 'b' set in a single row: kept for training, never held out",
    )


@pytest.mark.parametrize(
    "y",
    [
        np.array([[1, np.nan], [0, 1], [1, 0]]),
        [[1, None], [0, 1], [1, 0]],
        [[True, None], [False, True], [True, False]],
        pl.DataFrame({"a": [1, 0, 1], "b": [None, 1, 0]}),
        pd.DataFrame({"a": [1, 0, 1], "b": [None, 1, 0]}),
        pd.DataFrame({"a": [1, 0, 1], "b": pd.array([None, True, False], "boolean")}),
    ],
    ids=["array", "list", "booleans", "polars", "pandas", "nullable pandas"],
)
def test_nan_and_none_in_a_matrix_are_unknown_labels(y: Any) -> None:
    encoder = TargetEncoder.fit(y)
    assert encoder.task == "multi-label"
    np.testing.assert_array_equal(encoder.encode(y), [[1, np.nan], [0, 1], [1, 0]])


def test_many_labels_that_are_partly_unknown_are_said_in_one_note() -> None:
    y = np.where(np.eye(8) == 1, np.nan, np.tril(np.ones((8, 8))))
    assert TargetEncoder.fit(y).notes[0] == "8 values of 8 labels are unknown and take no part"


@pytest.mark.parametrize(
    ("y", "task", "expected"),
    [
        ([[1, np.nan], [0, np.nan]], None, "label 1 must be known in some row; leave it out of the target."),
        ([[1, np.nan], [0, 2]], None, "a target with several columns must hold 0 and 1"),
        ([[1, np.nan], [0, np.inf]], None, "Input y contains infinity: the target at row 1 has no value."),
        ([[1, 0], [0, np.nan]], "multi-class", "task='multi-class' with a 0/1 matrix needs every value; row 1 lacks"),
        ([["a", None], ["b", "c"]], None, "Input y contains NaN: the target at row 0 has no value."),
        ([[1], [np.nan]], None, "Input y contains NaN: the target at row 1 has no value."),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector y")
def test_what_is_unknown_where_it_may_not_be_is_refused(y: Any, task: str | None, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        TargetEncoder.fit(np.array(y, dtype=None if isinstance(y[0][0], int) else object), task)
    assert str(caught.value).startswith(expected)


def test_classes_that_are_written_nearly_alike_are_kept_apart_and_said() -> None:
    encoder = TargetEncoder.fit(np.array(["Cat", "cat", "dog", "b  c", "b c", "Cat"], dtype=object))

    assert encoder.classes == ("Cat", "b  c", "b c", "cat", "dog")
    assert encoder.notes[-1] == (
        "classes that are written nearly alike are kept apart: 'Cat' and 'cat'; 'b  c' and 'b c'"
    )


@pytest.mark.parametrize(
    ("fitted", "later"),
    [
        ([1, 2], ["1", "2"]),
        ([1, 2], ["1.0", "2.0"]),
        ([1, 2], [1.0, 2.0]),
        ([1.5, 2.5], None),
        ([2**53 + 1, 2**53 + 2], [str(2**53 + 1), str(2**53 + 2)]),
        (["1", "2"], [1, 2]),
        (["1", "2"], [1.0, 2.0]),
        (["1.0", "2.0"], [1, 2]),
        ([False, True], ["False", "True"]),
        ([False, True], ["false", "TRUE"]),
        ([False, True], [0, 1]),
        (["False", "True"], [False, True]),
        (["false", "true"], [False, True]),
        (["FALSE", "TRUE"], [False, True]),
    ],
)
def test_a_class_meets_its_other_spellings(fitted: list[Any], later: list[Any] | None) -> None:
    if later is None:
        with pytest.raises(InputError, match="continuous"):
            TargetEncoder.fit(fitted)
        return

    assert TargetEncoder.fit(fitted).encode(later).tolist() == [0, 1]


def test_what_is_spelled_like_no_class_is_unknown() -> None:
    assert TargetEncoder.fit([1, 2]).encode(["one", "1_0", "1", "nan", "inf"], unknown="mark").tolist() == [
        -1, -1, 0, -1, -1,
    ]  # fmt: skip
    assert TargetEncoder.fit(["True", "true", "x"]).encode([True], unknown="mark").tolist() == [0]
    assert TargetEncoder.fit([False, True]).encode(["yes"], unknown="mark").tolist() == [-1]


def test_categories_without_a_row_are_no_classes_and_that_is_said() -> None:
    for y in (
        pd.Series(pd.Categorical(["b", "a", "b", "a"], categories=["z", "b", "a"], ordered=True)),
        pl.Series(["b", "a", "b", "a"], dtype=pl.Enum(["z", "b", "a"])),
    ):
        encoder = TargetEncoder.fit(y)
        assert encoder.classes == ("a", "b")  # sorted, whatever order the categories are declared in
        assert encoder.notes == ("category 'z' without a row: no class is made of it",)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (pd.Series([3, 1, 3], dtype=object), (1, 3)),
        (pd.Series([True, False, True], dtype=object), (False, True)),
        (pd.Series(pd.Categorical([3, 1, 3])), (1, 3)),
    ],
)
def test_integers_and_truth_values_that_pandas_holds_as_objects_keep_their_kind(y: Any, classes: Any) -> None:
    encoder = TargetEncoder.fit(y)

    assert encoder.classes == classes
    assert [type(label) for label in encoder.classes] == [type(label) for label in classes]


def test_a_separator_survives_json_and_a_wrong_one_is_refused() -> None:
    encoder = TargetEncoder("multi-label", ("a", "b"), separator=";")
    manifest = encoder.to_json()

    assert manifest == {"task": "multi-label", "kind": "str", "classes": ["a", "b"], "separator": ";"}
    assert TargetEncoder.from_json(manifest) == encoder
    for separator in ("", "||", "a", "é", "\n", 5, None, ["|"]):
        with pytest.raises(InputError, match=r"^target: a multi-label target can't have the separator"):
            TargetEncoder.from_json(manifest | {"separator": separator})
    with pytest.raises(InputError, match=r"^target: a multi-class target can't have the separator '\|'"):
        TargetEncoder.from_json(GOOD | {"separator": "|"})
