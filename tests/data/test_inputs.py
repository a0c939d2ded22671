from __future__ import annotations

import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.inputs import as_inputs, picture_shape
from fromlogits.data.table import Matrix, Table
from fromlogits.data.texts import texts_of
from fromlogits.errors import InputError

# --- arrays ---


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int8, np.uint64, np.uint8, np.bool_])
def test_arrays_of_numbers_are_taken_as_they_are(dtype: Any) -> None:
    X = np.array([[0, 1], [1, 0]], dtype)
    inputs = as_inputs(X)

    assert isinstance(inputs, Matrix)
    assert inputs.values is X
    assert inputs.picture_shape is None


def test_no_pictures_at_all_are_refused_as_no_rows_are() -> None:
    with pytest.raises(InputError, match=r"^Found array with 0 sample\(s\) \(shape=\(0, 16\)\)"):
        as_inputs(np.empty((0, 4, 4), np.uint8))


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 3)])
def test_pictures_are_flattened_without_a_copy(shape: tuple[int, ...]) -> None:
    X = np.zeros(shape, np.uint8)
    inputs = as_inputs(X)

    assert isinstance(inputs, Matrix)
    assert np.shares_memory(inputs.values, X)
    assert inputs.values.shape == (2, X[0].size)
    assert inputs.picture_shape == picture_shape(X) == picture_shape(inputs) == shape[1:]


def test_an_argument_is_never_changed() -> None:
    X = np.array([[1.0, 2.0], [3.0, 4.0]])
    X.flags.writeable = False
    encoder = FeatureEncoder.fit(as_inputs(X))

    np.testing.assert_array_equal(encoder.encode(as_inputs(X)).values, [[-1, -1], [1, 1]])
    np.testing.assert_array_equal(X, [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "X",
    [
        [[1, 2], [3, 4]],
        ((1, 2), (3, 4)),
        np.array([["1", "2"], [3, 4]], object),
        np.array([["1", " 2"], ["3", "4"]]),
    ],
)
def test_lists_and_objects_that_are_numbers_become_numbers(X: Any) -> None:
    inputs = as_inputs(X)

    assert isinstance(inputs, Matrix)
    assert inputs.values.astype(int).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("make", [np.asfortranarray, lambda X: np.repeat(X, 2, axis=0)[::2], lambda X: X[::-1][::-1]])
def test_any_layout_in_memory_gives_the_same_features(make: Callable[[Any], Any]) -> None:
    X = np.random.default_rng(0).normal(size=(50, 4))
    encoder = FeatureEncoder.fit(as_inputs(X))
    features = encoder.encode(as_inputs(make(X))).values

    np.testing.assert_array_equal(features, encoder.encode(as_inputs(X)).values)
    assert features.flags.c_contiguous


def sparse_objects() -> Any:
    X = sparse.csr_array(np.eye(2))
    X.data = np.array([{}, 1], object)
    return X


REFUSED: dict[str, tuple[Any, str]] = {
    "scalar": (3, "Expected 2D array, got scalar array instead: array=3. X must be rows of features."),
    "1-D": (
        np.ones(3),
        "Expected 2D array, got 1D array instead. Reshape your data either using array.reshape(-1, 1) if it is one"
        " feature or array.reshape(1, -1) if it is one row.",
    ),
    "names of pictures": (
        ["a.png", "b.JPG"],
        "Expected 2D array, got 1D array instead: names of picture files are for the command line. Here X holds their"
        " pixels, uint8 of shape (n, h, w) or (n, h, w, 3).",
    ),
    "3-D floats": (
        np.ones((2, 3, 4)),
        "X has the shape (2, 3, 4): pictures must be uint8, from 0 to 255, and other rows (rows, features); it holds"
        " float64. (255 * X).round().astype(np.uint8) makes such of floats up to 1.",
    ),
    "4-D integers": (
        np.ones((2, 3, 4, 3), int),
        "X has the shape (2, 3, 4, 3): pictures must be uint8, from 0 to 255, and other rows (rows, features); it holds"
        " int64. X.astype(np.uint8) makes them so.",
    ),
    "5-D": (
        np.ones((2, 3, 4, 3, 1), np.uint8),
        "Found array with dim 5, while dim <= 2 is required: X has the shape (2, 3, 4, 3, 1) and must be (rows,"
        " features), or uint8 pictures (rows, height, width) or (rows, height, width, channels).",
    ),
    "no rows": (
        np.ones((0, 3)),
        "Found array with 0 sample(s) (shape=(0, 3)) while a minimum of 1 is required.",
    ),
    "no columns": (
        np.ones((3, 0)),
        "Found array with 0 feature(s) (shape=(3, 0)) while a minimum of 1 is required.",
    ),
    "complex": (np.ones((2, 2), complex), "Complex data not supported: X holds complex128 values; pass real numbers."),
    "dates": (np.ones((2, 2), "datetime64[D]"), "X must hold numbers; it holds datetime64[D] values."),
    "words": (
        np.array([["1", "2"], ["3", "four"]]),
        "X must hold numbers: row 1, column 1 is 'four'. Words are for tables: pass the frame itself, or a file with"
        " named columns.",
    ),
    "things": (
        np.array([[1, {}]], object),
        "X must hold numbers: row 0, column 1 is '{}'. The argument must be a string or a number.",
    ),
    "infinity": (
        np.array([[1.0, -np.inf]], np.float32),
        "Input X contains infinity: row 0, column 1. fromlogits needs finite numbers, or NaN where there is no value;"
        " leave such rows out or fill them in.",
    ),
    "infinity behind NaN": (
        np.array([[1.0, np.nan], [np.inf, 2.0]]),
        "Input X contains infinity: row 1, column 0. fromlogits needs finite numbers, or NaN where there is no value;"
        " leave such rows out or fill them in.",
    ),
    "sparse, with NaN": (
        sparse.csc_array(np.array([[1.0, 0.0], [0.0, np.nan]])),
        "Input X contains NaN: row 1, column 1. A sparse matrix must hold finite numbers: what is not stored is 0 and"
        " not missing. Fill such values in, or pass a dense array with NaN.",
    ),
    "sparse, with infinity behind empty rows": (
        sparse.csr_array((np.array([1, -np.inf], np.float32), [0, 2], [0, 1, 1, 1, 2]), shape=(4, 3)),
        "Input X contains infinity: row 3, column 2. A sparse matrix must hold finite numbers: what is not stored is 0"
        " and not missing. Fill such values in, or pass a dense array with NaN.",
    ),
    "sparse, complex": (
        sparse.csr_array(np.eye(2, dtype=complex)),
        "Complex data not supported: X holds complex128 values; pass real numbers.",
    ),
    "sparse, objects": (sparse_objects(), "X must hold numbers; it holds object values."),
    "sparse, without rows": (
        sparse.csr_array((0, 3)),
        "Found array with 0 sample(s) (shape=(0, 3)) while a minimum of 1 is required.",
    ),
    "sparse, 1-D": (
        sparse.coo_array(np.ones(3)),
        "Expected 2D array, got 1D array instead: X is a sparse coo_array.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_matrix_of_numbers_is_refused_in_one_line(name: str) -> None:
    X, expected = REFUSED[name]

    with pytest.raises(InputError) as caught:
        as_inputs(X)

    assert str(caught.value) == expected


def test_what_float_does_not_take_at_all_is_a_type_error_too() -> None:
    with pytest.raises(TypeError, match="argument must be a string or a number"):
        as_inputs(np.array([[{}]], object))


def test_sums_that_overflow_are_not_taken_for_infinities() -> None:
    assert len(as_inputs(np.full((4, 2), 1e308))) == 4


# --- frames ---

FRAMES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pandas": pd.DataFrame,
    "pandas-nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "polars": pl.DataFrame,
    "polars-lazy": pl.LazyFrame,
}


@pytest.mark.parametrize("library", FRAMES)
def test_frames_of_any_library_are_tables(library: str) -> None:
    inputs = as_inputs(FRAMES[library]({"a": [1, 2, 3], "b": [0.5, 1.5, 0.25], "c": [True, False, True]}))

    assert isinstance(inputs, Table)
    assert inputs.names == ("a", "b", "c")
    assert [column.values.dtype.kind for column in inputs.columns] == ["i", "f", "b"]
    assert [column.values.tolist() for column in inputs.columns] == [[1, 2, 3], [0.5, 1.5, 0.25], [True, False, True]]
    assert all(column.missing is None for column in inputs.columns)


def test_pyarrow_tables_are_tables() -> None:
    pa = pytest.importorskip("pyarrow")
    inputs = as_inputs(pa.table({"a": [1, 2], "b": [1.5, None]}))

    assert isinstance(inputs, Table)
    assert inputs["a"].values.tolist() == [1, 2]
    assert inputs["b"].missing is not None
    assert inputs["b"].missing.tolist() == [False, True]


def test_numbers_that_pandas_holds_as_objects_are_numbers() -> None:
    inputs = as_inputs(pd.DataFrame({"a": [1, 2.5]}, dtype=object))

    assert isinstance(inputs, Table)
    assert inputs["a"].values.dtype == np.float64


def test_decimals_that_pandas_holds_as_objects_are_numbers() -> None:
    values = [decimal.Decimal("0.1"), None, decimal.Decimal("1e3"), decimal.Decimal("NaN")]
    inputs = as_inputs(pd.DataFrame({"a": values}))

    assert isinstance(inputs, Table)
    assert inputs["a"].values[[0, 2]].tolist() == [0.1, 1000.0]
    assert inputs["a"].is_missing.tolist() == [False, True, False, True]
    for value in (decimal.Decimal(2**60 + 1), decimal.Decimal("Infinity")):
        long = as_inputs(pd.DataFrame({"a": [value]}))
        assert isinstance(long, Table)
        assert not long["a"].is_numeric


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_long_integer_among_objects_is_not_rounded(library: str) -> None:
    values = [2**60 + 1, 1, "a"]
    frame = (
        pd.DataFrame({"a": values}) if library == "pandas" else pl.DataFrame({"a": pl.Series(values, dtype=pl.Object)})
    )
    table = as_inputs(frame)
    assert isinstance(table, Table)
    alone = as_inputs(frame[:1])
    assert isinstance(alone, Table)

    assert texts_of(alone["a"]).distinct == texts_of(table["a"]).distinct[:1] == (str(2**60 + 1),)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([*map(str, range(20)), "x"], "column 'a' must hold numbers; row 20 has 'x', which is not a number."),
        ([f"{k}.5" for k in range(20)], "column 'a' must hold numbers; it holds text, such as '0.5' at row 0."),
        ([1.0, float("inf")], "column 'a' must hold finite numbers; row 1 has infinity."),
        ([1.0, None, float("inf")], "column 'a' must hold finite numbers; row 2 has infinity."),
    ],
)
def test_columns_of_frames_that_can_not_be_used_are_named(library: str, values: list[Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        FeatureEncoder.fit(as_inputs(FRAMES[library]({"a": values})))

    otherwise = "replace infinity by NaN where the value is unknown" if "inf" in expected else "turn it into numbers"
    assert str(caught.value) == f"{expected} Drop 'a' from X, or {otherwise}."


def test_columns_of_one_name_are_refused() -> None:
    for names, expected in (
        (["a", "a"], "the names of a frame's columns must differ; found 'a' 2 times."),
        ([1, "1"], "the names of a frame's columns must differ; found '1' 2 times."),
        (["a\nb", "a\nb"], "the names of a frame's columns must differ; found 'a\\nb' 2 times."),
    ):
        with pytest.raises(InputError) as caught:
            as_inputs(pd.DataFrame([[1, 2]], columns=names))
        assert str(caught.value) == expected


def test_frames_without_rows_or_columns_are_refused() -> None:
    for frame, what in ((pd.DataFrame({"a": []}), "0 sample"), (pd.DataFrame(index=[1, 2]), "0 feature")):
        with pytest.raises(InputError, match=rf"^Found array with {what}"):
            as_inputs(frame)


def test_nested_columns_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^column 'a' must hold one number or text a row; its type is List"):
        as_inputs(pl.DataFrame({"a": [[1], [2]]}))


def test_a_series_is_one_dimensional() -> None:
    with pytest.raises(InputError, match="Expected 2D array, got 1D array instead"):
        as_inputs(pd.Series([1, 2]))
