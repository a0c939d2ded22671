"""Sets of labels in every form that Python and files have for them; one matrix comes of them all."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from fromlogits.data.label_sets import LabelSets, SparseLabels
from fromlogits.data.reading import Reading
from fromlogits.data.sources import read
from fromlogits.data.targets import TargetEncoder, as_target
from fromlogits.errors import InputError

SETS: list[list[str]] = [["car", "bus"], [], ["tram"], ["bus"]]
LABELS = ("bus", "car", "tram")
MATRIX = [[1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0]]


def objects(rows: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        array[place] = row
    return array


FORMS: dict[str, Callable[[list[Any]], Any]] = {
    "sets": lambda rows: [None if row is None else set(row) for row in rows],
    "frozen sets": lambda rows: tuple(None if row is None else frozenset(row) for row in rows),
    "lists": lambda rows: rows,
    "tuples": lambda rows: [None if row is None else tuple(row) for row in rows],
    "an array of lists": objects,
    "a pandas series of lists": pd.Series,
    "a pandas series of sets": lambda rows: pd.Series([None if row is None else set(row) for row in rows]),
    "a polars list column": pl.Series,
    "a pyarrow list column": lambda rows: pa.chunked_array([pa.array(rows)]),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_sets_of_text_in_any_form_are_the_same_matrix(form: Callable[[list[Any]], Any]) -> None:
    y = form(SETS)
    encoder = TargetEncoder.fit(y)

    assert (encoder.task, encoder.classes) == ("multi-label", LABELS)
    assert encoder.encode(y).tolist() == MATRIX
    assert encoder.encode(y).dtype == np.float32


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_row_without_a_value_is_unknown_and_an_empty_set_is_not(form: Callable[[list[Any]], Any]) -> None:
    y = form([*SETS, None])
    encoder = TargetEncoder.fit(y)
    targets = encoder.encode(y)

    assert targets[:-1].tolist() == MATRIX
    assert np.isnan(targets[-1]).all()
    assert "1 row has no value for its labels: it takes no part in loss and figures" in encoder.notes


@pytest.mark.parametrize(
    "y",
    [
        [{3, 7}, set(), {-1}],
        objects([np.array([3, 7]), np.array([], int), [-1]]),
        pl.Series([[3, 7], [], [-1]]),
        pd.Series([[3.0, 7.0], [], [-1]]),
    ],
)
def test_labels_may_be_integers(y: Any) -> None:
    encoder = TargetEncoder.fit(y)

    assert encoder.classes == (-1, 3, 7)
    assert all(type(label) is int for label in encoder.classes)
    assert encoder.encode(y).tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 0]]


def test_a_missing_value_of_pandas_is_an_unknown_row() -> None:
    y = pd.Series([["a"], np.nan, ["b", "a"]])

    assert np.isnan(TargetEncoder.fit(y).encode(y)).all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float64])
def test_a_sparse_matrix_is_the_dense_one_and_keeps_its_columns(kind: Any, dtype: Any) -> None:
    dense = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 1, 0]], dtype)
    encoder = TargetEncoder.fit(kind(dense))

    assert (encoder.task, encoder.classes) == ("multi-label", (0, 1, 2, 3))
    assert encoder.notes == TargetEncoder.fit(dense).notes
    assert encoder.encode(kind(dense)).tolist() == encoder.encode(dense).tolist() == dense.tolist()
    assert isinstance(encoder.encode_rows(kind(dense)), SparseLabels)


def test_a_sparse_one_hot_matrix_needs_the_task_as_a_dense_one_does() -> None:
    eye = scipy.sparse.csr_matrix(np.eye(3)[[2, 0, 1, 1]])

    with pytest.raises(InputError, match=r"exactly one 1 in each row: say whether .* \(task='multi-class'"):
        TargetEncoder.fit(eye)
    assert TargetEncoder.fit(eye, "multi-class").encode(eye).tolist() == [2, 0, 1, 1]
    assert TargetEncoder.fit(eye, "multi-label").encode(eye).tolist() == eye.toarray().tolist()


def test_stored_zeros_and_repeated_entries_of_a_sparse_matrix_mean_what_scipy_means() -> None:
    matrix = scipy.sparse.coo_array(([1, 0, 0.5, 0.5], ([0, 0, 1, 1], [1, 0, 0, 0])), shape=(3, 3))

    assert TargetEncoder.fit(matrix).encode(matrix).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


REFUSED: dict[str, tuple[Any, str]] = {
    "a sparse matrix of counts": (
        scipy.sparse.csr_matrix([[0, 2], [1, 0]]),
        "a sparse target must hold 0 and 1; row 0, column 1, has 2. Probabilities are passed as an array: y.toarray().",
    ),
    "a NaN in a sparse matrix": (
        scipy.sparse.csr_matrix([[0, 1.0], [np.nan, 0]]),
        "a sparse target must hold 0 and 1; row 1, column 0, has nan. Probabilities are passed as an array:"
        " y.toarray().",
    ),
    "an empty sparse matrix": (
        scipy.sparse.csr_matrix((0, 3)),
        "y must be a sparse matrix of 0 and 1, a row for each example; got shape (0, 3).",
    ),
    "labels of two kinds": (
        [{"a"}, {1}],
        "labels must be of one kind, integers or text; found str at row 0, int at row 1.",
    ),
    "a measured label": ([{0.5}], "labels in a set must be integers or text; row 0 has 0.5."),
    "a truth value as label": (
        [{True}],
        "labels in a set must be integers or text; row 0 has True.",
    ),
    "None in a set": (
        [{"a", None}],
        "labels in a set must be integers or text; row 0 has a missing value.",
    ),
    "a text among sets": ([{"a"}, "b"], "y must hold a set of labels in each row; row 1 has str."),
    "a label too large": ([{2**63}], "labels must fit into 64 bits; row 0 has 9223372036854775808."),
    "no label at all": ([set(), set()], "no row has a label."),
    "lists of 0 and 1": (
        pl.Series([[0, 1, 1], [1, 0, 0]]),
        "y holds lists of 3 numbers 0 and 1, which can be read in two ways: pass a 2-D array of 0 and 1, one column per"
        " label; or sets, as in {0, 1}, of the labels that hold.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_set_of_labels_is_refused_in_one_line(name: str) -> None:
    y, expected = REFUSED[name]

    with pytest.raises(InputError) as caught:
        TargetEncoder.fit(y)

    assert str(caught.value) == expected


def test_lists_of_numbers_are_rows_of_a_matrix_and_the_cure_is_named() -> None:
    with pytest.raises(InputError, match=r"Sets of labels are passed as sets: \[\{1, 2\}, set\(\)\]\.$"):
        TargetEncoder.fit([[0, 1], [1]])


def test_rows_of_one_text_are_a_column_unless_the_task_says_sets() -> None:
    y = [["a"], ["b"], ["a"]]

    with pytest.warns(UserWarning, match="A column-vector y was passed"):
        assert TargetEncoder.fit(y).classes == ("a", "b")
    assert TargetEncoder.fit(y, "multi-label").encode([["b", "a"], ["a"]]).tolist() == [[1, 1], [1, 0]]


def test_sets_of_one_label_each_can_be_classes_when_the_task_says_so() -> None:
    encoder = TargetEncoder.fit([{"b"}, {"a"}], "multi-class")

    assert encoder.encode([{"a"}, {"b"}]).tolist() == [0, 1]
    with pytest.raises(InputError) as caught:
        TargetEncoder.fit([{"b"}, {"a", "b"}], "multi-class")
    assert str(caught.value) == (
        "task='multi-class' needs exactly one label in each row; row 1 has 2. task='multi-label' takes any number."
    )
    with pytest.raises(InputError, match=r"row 0 has no value\."):
        TargetEncoder.fit([None, {"a"}], "multi-class")


def test_a_label_named_twice_in_a_row_counts_once_and_that_is_said() -> None:
    encoder = TargetEncoder.fit([["a", "b", "a"], ["b"], []])

    assert encoder.encode([["a", "a"]]).tolist() == [[1, 0]]
    assert encoder.notes[0] == "1 row names a label twice, row 0 first: it counts once"


def test_texts_and_json_lists_of_python_are_sets_to_a_model_of_sets() -> None:
    encoder = TargetEncoder.fit([{"car", "bus"}, set(), {"tram"}])
    expected = [[1, 1, 0], [0, 0, 0], [0, 0, 1]]

    for texts in (["bus|car", "", "tram"], ['["bus", "car"]', "[]", '["tram"]']):
        assert encoder.encode(np.array(texts, object)).tolist() == expected
        assert encoder.encode(texts).tolist() == expected
    with pytest.raises(InputError, match=r"no label of the file is known to the model: the first is bus;car at row 0"):
        encoder.encode(["bus;car", "bus;car"])


def test_labels_that_were_not_trained_are_left_out_and_counted() -> None:
    encoder = TargetEncoder.fit([{"a", "b"}, {"a"}])
    target = as_target([{"a", "z"}, {"y"}, {"b"}], ravel=False)
    assert isinstance(target, LabelSets)

    assert encoder.encode(target).tolist() == [[1, 0], [0, 0], [0, 1]]
    assert target.unknown_to(encoder.classes)[0] == 2
    with pytest.raises(InputError, match=r"^no label of the file is known to the model: the first is z at row 0"):
        encoder.encode([{"z"}])


@pytest.mark.parametrize(
    ("fitted", "later"),
    [([{"1", "2"}, {"x"}], [{1, 2}, {2}]), ([{1, 2}, {2}], [{"1", "2"}, {"2"}])],
)
def test_numbers_and_their_texts_mean_the_same_label(fitted: Any, later: Any) -> None:
    encoder = TargetEncoder.fit(fitted)

    assert [encoder.classes[k] for k in np.flatnonzero(encoder.encode(later)[0])] == list(encoder.classes[:2])


# --- the sparse matrix ---

rows_of_labels = st.lists(st.none() | st.sets(st.integers(-3, 5)), min_size=1, max_size=12)


@given(rows_of_labels.filter(lambda rows: any(rows)), st.data())
def test_every_part_of_sparse_labels_is_that_of_the_dense_matrix(rows: list[Any], data: st.DataObject) -> None:
    encoder = TargetEncoder.fit([*rows, set()])
    sparse, dense = encoder.encode_rows(rows), np.full((len(rows), encoder.n_classes), np.nan, np.float32)
    for row, labels in enumerate(rows):
        if labels is not None:
            dense[row] = [label in labels for label in encoder.classes]
    assert isinstance(sparse, SparseLabels)

    chosen = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5)), np.int64)
    label = data.draw(st.integers(0, encoder.n_classes - 1))
    assert sparse.shape == dense.shape
    np.testing.assert_array_equal(sparse[:], dense)
    np.testing.assert_array_equal(sparse[chosen], dense[chosen])
    np.testing.assert_array_equal(sparse[2:5], dense[2:5])
    np.testing.assert_array_equal(sparse[:, label], dense[:, label])
    np.testing.assert_array_equal(sparse[:, [label]], dense[:, [label]])
    np.testing.assert_array_equal(np.stack(sparse.nonzero()), np.stack(np.nonzero(dense == 1)))


# --- files ---


def in_csv(path: Path, rows: list[Any]) -> tuple[Path, Reading]:
    lines = ["NA" if row is None else "|".join(row) for row in rows]
    path = path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{place},{line}\n" for place, line in enumerate(lines)))
    return path, Reading(label_separator="|", missing=("NA",))


def in_json_csv(path: Path, rows: list[Any]) -> tuple[Path, Reading]:
    frame = pd.DataFrame({"x": range(len(rows)), "y": [None if row is None else json.dumps(row) for row in rows]})
    frame.to_csv(path / "t.csv", index=False)
    return path / "t.csv", Reading()


def in_json_lines(path: Path, rows: list[Any]) -> tuple[Path, Reading]:
    (path / "t.jsonl").write_text("".join(json.dumps({"x": n, "y": row}) + "\n" for n, row in enumerate(rows)))
    return path / "t.jsonl", Reading()


def in_parquet(path: Path, rows: list[Any]) -> tuple[Path, Reading]:
    pq.write_table(pa.table({"x": list(range(len(rows))), "y": rows}), path / "t.parquet")
    return path / "t.parquet", Reading()


def in_parquet_texts(path: Path, rows: list[Any]) -> tuple[Path, Reading]:
    texts = [None if row is None else " | ".join(row) for row in rows]
    pq.write_table(pa.table({"x": list(range(len(rows))), "y": texts}), path / "t.parquet")
    return path / "t.parquet", Reading(label_separator="|")


def in_arrow(path: Path, rows: list[Any]) -> tuple[Path, Reading]:
    table = pa.table({"x": list(range(len(rows))), "y": rows})
    with pa.OSFile(str(path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=2):
            writer.write_batch(batch)
    return path / "t.arrow", Reading()


FILES = [in_csv, in_json_csv, in_json_lines, in_parquet, in_parquet_texts, in_arrow]


@pytest.mark.parametrize("write", FILES)
def test_files_hold_sets_and_tell_empty_from_unknown(write: Any, tmp_path: Path) -> None:
    path, reading = write(tmp_path, [*SETS, None, ["bus", "tram"]])
    dataset = read(path, target="y", reading=reading)
    assert dataset.targets is not None
    encoder = TargetEncoder.fit(dataset.targets)
    targets = encoder.encode(dataset.targets)

    assert (encoder.task, encoder.classes) == ("multi-label", LABELS)
    assert encoder.separator == reading.label_separator
    assert np.isnan(targets).all(axis=1).tolist() == [False, False, False, False, True, False]
    assert targets[[0, 1, 2, 3, 5]].tolist() == [*MATRIX, [1, 0, 1]]
    assert dataset.feature_names == ("x",)


def test_labels_in_text_are_integers_only_when_all_are(tmp_path: Path) -> None:
    for labels, classes in ((["1", "-2", "0"], (-2, 0, 1)), (["1", "01"], ("01", "1"))):
        path, reading = in_csv(tmp_path, [labels, []])
        targets = read(path, target="y", reading=reading).targets
        assert TargetEncoder.fit(targets).classes == classes


def test_empty_fields_are_empty_sets_and_that_is_said(tmp_path: Path) -> None:
    path, reading = in_csv(tmp_path, SETS)

    assert read(path, target="y", reading=reading).notes[-1] == (
        "target 'y': 1 row has no label: an empty field is the empty set; --missing gives words for unknown labels"
    )


@pytest.mark.parametrize("text", ["car||bus", "|car", "car| ", "|"])
def test_nothing_between_two_separators_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"x,y\n1,car\n2,{text}\n")

    with pytest.raises(InputError) as caught:
        read(tmp_path / "t.csv", target="y", reading=Reading(label_separator="|"))

    assert str(caught.value) == (
        f"column 'y' must hold labels with one '|' between two of them; t.csv line 3 has {text!r}, with nothing on one"
        " side of it."
    )


def test_a_list_of_lists_is_no_set_of_labels(tmp_path: Path) -> None:
    path, _ = in_json_lines(tmp_path, [[["a"]], ["b"]])

    with pytest.raises(InputError, match=r"labels in a set must be integers or text; t\.jsonl line 1 has \['a'\]\.$"):
        read(path, target="y")


def test_a_list_that_is_no_target_is_refused_as_before(tmp_path: Path) -> None:
    for write in (in_json_lines, in_parquet, in_arrow):
        path, _ = write(tmp_path, SETS)
        with pytest.raises(InputError, match=r"column 'y' must hold one number or text a row"):
            read(path, target="x")


texts = st.text(st.characters(exclude_characters="|", exclude_categories=["C", "Z"]), min_size=1, max_size=5)


@pytest.mark.usefixtures("open_database")
@given(st.lists(st.lists(texts, unique=True, max_size=4), min_size=1, max_size=8))
@settings(deadline=None)
def test_json_lines_bring_back_the_very_labels(rows: list[list[str]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path, reading = in_json_lines(Path(folder), rows)
        target = read(path, target="y", reading=reading).targets
    assert isinstance(target, LabelSets)

    back = np.split(target.values, target.starts[1:-1])
    assert [part.tolist() for part in back] == rows


def test_sparse_labels_come_back_as_the_target_that_they_were() -> None:
    sets: list[Any] = [{2, 0}, None, set(), {1}, None]
    encoder = TargetEncoder.fit(sets, "multi-label")
    sparse_labels = encoder.encode_rows(sets)
    assert isinstance(sparse_labels, SparseLabels)
    again = TargetEncoder.fit(sparse_labels.as_sets(), "multi-label")
    assert (again.task, again.classes) == ("multi-label", (0, 1, 2))
    assert np.array_equal(again.encode(sparse_labels.as_sets()), encoder.encode(sets), equal_nan=True)


@pytest.mark.parametrize(
    "key",
    [
        np.s_[:], np.s_[2:4], np.s_[[4, 0]], np.s_[:, 0], np.s_[:, np.int64(2)], np.s_[:, -1], np.s_[:, 1:3],
        np.s_[1:, :1], np.s_[:, 3:1], np.s_[:, -2:], np.s_[:, ::2], np.s_[:, [2, 0]], np.s_[[3, 1, 1], 1:],
    ],
    ids=str,
)  # fmt: skip
def test_a_part_of_sparse_labels_is_that_of_their_matrix(key: Any) -> None:
    sets: list[Any] = [{2, 0}, None, set(), {1}, {0, 1, 2}]
    encoder = TargetEncoder.fit(sets, "multi-label")
    sparse_labels, matrix = encoder.encode_rows(sets), encoder.encode(sets)
    assert isinstance(sparse_labels, SparseLabels)
    part = sparse_labels[key]
    assert part.dtype == np.float32
    assert np.array_equal(part, matrix[key], equal_nan=True) and part.shape == matrix[key].shape


def test_a_part_of_sparse_labels_takes_memory_for_its_labels_alone() -> None:
    """A slice of a million labels does not make the rows of all."""
    wide = SparseLabels(np.arange(4, dtype=np.int64), np.array([0, 5, 999_999], np.int32), 1_000_000)
    tracemalloc.start()
    part = wide[:, 999_990:]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.argwhere(part).tolist() == [[2, 9]]
    assert peak < 100_000
    with pytest.raises(IndexError):
        wide[:, 1_000_000]
