"""Anything a Python user passes as X, checked once and turned into a Table or a 2-D array."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import csr
from .pictures.stores import is_picture
from .table import Inputs, Matrix, SparseMatrix, Table


def as_inputs(X: Any) -> Inputs:
    """A Table for frames, a SparseMatrix for SciPy's sparse ones; otherwise a Matrix.

    A matrix holds uint8, bool, integers or floats; NaN where there is no value, never infinity.

    The argument is never changed, and copied only where its values must be. Pictures, uint8 arrays of shape
    (n, h, w) or (n, h, w, channels), are flattened and their shape is kept.
    """
    if isinstance(X, (Table, Matrix, SparseMatrix)):
        return X
    if _is_sparse(X):
        return _as_sparse(X)
    if not isinstance(X, (np.ndarray, list, tuple)):
        from .frames import as_table

        table = as_table(X)
        if table is not None:
            _refuse_empty(table.n_rows, len(table.columns))
            return table
    return as_matrix(X)


def picture_shape(X: Any) -> tuple[int, ...] | None:
    """(h, w) or (h, w, channels) when X is an array of pictures, else None."""
    if isinstance(X, Matrix):
        return X.picture_shape
    if isinstance(X, np.ndarray) and X.dtype == np.uint8 and X.ndim in (3, 4):
        return tuple(X.shape[1:])
    return None


def _is_sparse(X: Any) -> bool:
    return type(X).__module__.partition(".")[0] == "scipy" and hasattr(X, "toarray")


def _as_sparse(X: Any) -> SparseMatrix:
    """A sparse matrix or array of SciPy, of any format: in CSR, each value once and in the order of the columns."""
    if X.ndim != 2:
        raise InputError(f"Expected 2D array, got {X.ndim}D array instead: X is a sparse {type(X).__name__}.")
    if X.dtype.kind == "c":
        raise InputError(f"Complex data not supported: X holds {X.dtype} values; pass real numbers.")
    if X.dtype.kind not in "buif":
        raise InputError(f"X must hold numbers; it holds {X.dtype} values.")
    _refuse_empty(*X.shape)
    rows = X.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy() if rows is X else rows
        rows.sum_duplicates()
    matrix = SparseMatrix(rows.indptr, rows.indices, rows.data, int(X.shape[1]))
    if rows.data.dtype.kind == "f" and not (is_finite := np.isfinite(rows.data)).all():
        place = int(np.argmin(is_finite))
        _refuse_value(rows.data[place], csr.row_of_value(rows.indptr, place), int(rows.indices[place]))
    return matrix


def as_matrix(X: Any) -> Matrix:
    """An array, a list of rows, or whatever NumPy makes an array of."""
    array = np.asarray(X)
    shape = picture_shape(array)
    if shape is not None:
        array = array.reshape(len(array), math.prod(shape))
    if array.dtype.kind == "c":
        raise InputError(f"Complex data not supported: X holds {array.dtype} values; pass real numbers.")
    if array.ndim == 0:
        raise InputError(f"Expected 2D array, got scalar array instead: array={array}. X must be rows of features.")
    if array.ndim == 1:
        if array.size and isinstance(array[0], str) and is_picture(array[0]):
            raise InputError(
                "Expected 2D array, got 1D array instead: names of picture files are for the command line. Here X holds"
                " their pixels, uint8 of shape (n, h, w) or (n, h, w, 3)."
            )
        raise InputError(
            "Expected 2D array, got 1D array instead. Reshape your data either using array.reshape(-1, 1) if it is"
            " one feature or array.reshape(1, -1) if it is one row."
        )
    if array.ndim > 2:
        _refuse_dimensions(array)
    _refuse_empty(*array.shape)
    if array.dtype.kind in "OUS":
        array = _numbers_of_objects(array)
    if array.dtype.kind not in "buif":
        raise InputError(f"X must hold numbers; it holds {array.dtype} values.")
    matrix = Matrix(array, shape)
    if array.dtype.kind == "f":
        refuse_infinity(array)
    return matrix


def _refuse_dimensions(array: NDArray[Any]) -> NoReturn:
    """Raise InputError for an array of more than two axes that is no uint8 pictures; of numbers it may become them."""
    if array.ndim < 5 and array.dtype.kind in "biuf":
        made, of = ("(255 * X).round()", "such of floats up to 1") if array.dtype.kind == "f" else ("X", "them so")
        raise InputError(
            f"X has the shape {array.shape}: pictures must be uint8, from 0 to 255, and other rows (rows, features); it"
            f" holds {array.dtype}. {made}.astype(np.uint8) makes {of}."
        )
    raise InputError(
        f"Found array with dim {array.ndim}, while dim <= 2 is required: X has the shape {array.shape} and must be"
        " (rows, features), or uint8 pictures (rows, height, width) or (rows, height, width, channels)."
    )


def _refuse_empty(n_rows: int, n_columns: int) -> None:
    for count, what in ((n_rows, "sample(s)"), (n_columns, "feature(s)")):
        if count == 0:
            shape = (n_rows, n_columns)
            raise InputError(f"Found array with 0 {what} (shape={shape}) while a minimum of 1 is required.")


def _numbers_of_objects(array: NDArray[Any]) -> NDArray[np.float64]:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    for row, column in np.ndindex(array.shape):
        value = array[row, column]
        try:
            float(value)
        except (TypeError, ValueError) as error:
            message = f"X must hold numbers: row {row}, column {column} is {str(value)[:60]!r}."
            if isinstance(error, TypeError):  # what is not even text is a TypeError for scikit-learn
                raise NotANumber(f"{message} The argument must be a string or a number.") from None
            raise InputError(
                f"{message} Words are for tables: pass the frame itself, or a file with named columns."
            ) from None
    raise InputError("X must hold numbers.")


class NotANumber(InputError, TypeError):
    """An object that float() does not take at all."""


def refuse_infinity(array: NDArray[Any], first_row: int = 0) -> None:
    """Raise InputError for the first infinity of a 2-D float array, whose rows are numbered from `first_row`."""
    with np.errstate(all="ignore"):
        if np.isfinite(array.sum(dtype=np.float64)):  # one pass, no array of flags; a sum that overflows is looked into
            return
    for start in range(0, len(array), 4096):
        bad = np.argwhere(np.isinf(array[start : start + 4096]))
        if len(bad):
            row, column = first_row + start + int(bad[0, 0]), int(bad[0, 1])
            raise InputError(
                f"Input X contains infinity: row {row}, column {column}. fromlogits needs finite numbers, or NaN where"
                " there is no value; leave such rows out or fill them in."
            )


def _refuse_value(value: Any, row: int, column: int) -> NoReturn:
    what = "NaN" if np.isnan(value) else "infinity"
    raise InputError(
        f"Input X contains {what}: row {row}, column {column}. A sparse matrix must hold finite numbers: what is not"
        " stored is 0 and not missing. Fill such values in, or pass a dense array with NaN."
    )
