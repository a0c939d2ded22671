"""Rows in memory: a table of named columns, or a matrix, dense or sparse; and where the rows stand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import csr, pages
from .origin import Origin
from .pictures.files import PictureFiles

if TYPE_CHECKING:
    from .backbones.backbone import Backbone


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: as in the header.
        values: (n,) numbers, bool, or an object array of str; what stands at a missing place means nothing.
        missing: (n,) True where there is no value; None where all are there.
        kind: what the values are when they are no numbers and yet not simply text ("dates", "times"), or when a source
            with types of its own calls them a category ("category"); else "".
    """

    name: str
    values: NDArray[Any]
    missing: NDArray[Any] | None = None
    kind: str = ""

    @property
    def is_numeric(self) -> bool:
        return self.values.dtype.kind in "biuf"

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """(n,) True where there is no value."""
        return np.zeros(len(self.values), bool) if self.missing is None else self.missing

    @property
    def there(self) -> NDArray[Any]:
        """The values that are not missing."""
        return self.values if self.missing is None else self.values[~self.missing]

    @classmethod
    def typed(cls, name: str, values: NDArray[Any], missing: NDArray[Any] | None = None, kind: str = "") -> Column:
        """A column of a source with types of its own, where NaN is how a missing number is written."""
        if values.dtype.kind == "f" and (is_nan := np.isnan(values)).any():
            missing = is_nan if missing is None else missing | is_nan
        return cls(name, values, missing, kind)

    def part(self, start: int, stop: int) -> Column:
        """Consecutive rows, not copied."""
        missing = None if self.missing is None else self.missing[start:stop]
        return Column(self.name, self.values[start:stop], missing, self.kind)

    def take(self, rows: NDArray[Any]) -> Column:
        return Column(self.name, self.values[rows], None if self.missing is None else self.missing[rows], self.kind)


@dataclass(frozen=True)
class Table:
    """Columns of `n_rows` values each; `origin` says where a row stands."""

    columns: tuple[Column, ...]
    n_rows: int
    origin: Origin

    def __len__(self) -> int:
        return self.n_rows

    @property
    def n_features(self) -> int:
        return len(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    def select(self, names: Sequence[str]) -> Table:
        """The same rows, these columns in this order."""
        return Table(tuple(self[name] for name in names), self.n_rows, self.origin)

    def release(self, start: int, stop: int) -> None:
        """Give back the memory of rows that are not needed any more, as far as it can be; their values are lost."""
        for column in self.columns:
            if column.values.dtype.hasobject:
                column.values[start:stop] = None
            pages.release(column.values, start, stop)
            if column.missing is not None:
                pages.release(column.missing, start, stop)

    def take(self, rows: NDArray[Any]) -> Table:
        """Some rows, in the order of `rows` (int64)."""
        return Table(tuple(column.take(rows) for column in self.columns), len(rows), self.origin.take(rows))


@dataclass(frozen=True)
class Matrix:
    """Rows without column types of their own.

    Attributes:
        values: (n, d) uint8, bool, integers or floats, finite or NaN: no value.
        picture_shape: (h, w) or (h, w, channels) when each row is a picture, flattened; else None.
        names: of the d features, when known.
        origin: says where a row stands.
        pictures: how they were made of files, where they were.
        seen_by: a backbone: the rows are pictures of `picture_shape`, and `values` float32 (n, d) what it made of them.
            None: the values are the rows themselves.
    """

    values: NDArray[Any]
    picture_shape: tuple[int, ...] | None = None
    names: tuple[str, ...] | None = None
    origin: Origin = field(default_factory=Origin)
    pictures: PictureFiles | None = None
    seen_by: Backbone | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_rows(self) -> int:
        return len(self.values)

    @property
    def n_features(self) -> int:
        """Of a row as it came."""
        return int(self.values.shape[1]) if self.seen_by is None else math.prod(self.picture_shape or ())

    @cached_property
    def has_missing(self) -> bool:
        """Whether some value is NaN."""
        if self.values.dtype.kind != "f":
            return False
        with np.errstate(all="ignore"):  # one pass, no array of flags; only of an infinite sum more is asked
            total = self.values.sum(dtype=np.float64)
        return not np.isfinite(total) and bool(np.isnan(self.values).any())

    def column(self, place: int) -> Column:
        """One column, by its place."""
        name = str(place) if self.names is None else self.names[place]
        return Column.typed(name, self.values[:, place])

    def take(self, rows: NDArray[Any]) -> Matrix:
        """Some rows, in the order of `rows` (int64)."""
        return replace(self, values=self.values[rows], origin=self.origin.take(rows))


@dataclass(frozen=True)
class SparseMatrix:
    """Rows of which only the values that are not zero are held (CSR).

    Attributes:
        indptr: int64 or int32 (n + 1,): the values of row i are those from indptr[i] to indptr[i + 1].
        indices: int64 or int32, the column of each value, ascending within a row.
        values: bool, integers or finite floats; some may be zero.
        n_features: columns.
        first_index: what a file counts its columns from, 0 or 1; None where they come from no such file.
        origin: says where a row stands.
    """

    indptr: NDArray[Any]
    indices: NDArray[Any]
    values: NDArray[Any]
    n_features: int
    first_index: int | None = None
    origin: Origin = field(default_factory=Origin)

    names = None

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def n_rows(self) -> int:
        return len(self)

    @property
    def density(self) -> float:
        """The share of values that are not zero."""
        return float(np.count_nonzero(self.values) / (len(self) * self.n_features))

    def take(self, rows: NDArray[Any]) -> SparseMatrix:
        """Some rows, in the order of `rows` (int64)."""
        indptr, places = csr.taken(self.indptr, rows)
        indices, values, origin = self.indices[places], self.values[places], self.origin.take(rows)
        return SparseMatrix(indptr, indices, values, self.n_features, self.first_index, origin)

    def rows_of_values(self) -> NDArray[np.int64]:
        """The row of each value."""
        return csr.rows_of_values(self.indptr)

    def dense(self, rows: NDArray[Any] | slice) -> NDArray[np.float64]:
        """Some rows as a float64 array (rows, d)."""
        part = self.take(np.arange(len(self))[rows])
        dense_nd = np.zeros((len(part), self.n_features))
        dense_nd[part.rows_of_values(), part.indices] = part.values
        return dense_nd


def objects(values: Iterable[Any], n: int) -> NDArray[Any]:
    """An array (n,) of objects, lists among them, which NumPy would take for further axes."""
    array = np.empty(n, object)
    for row, value in enumerate(values):
        array[row] = value
    return array


Inputs = Table | Matrix | SparseMatrix


def columns_of(inputs: Table | Matrix) -> Sequence[Column]:
    """The columns of rows that are all there; those of a matrix are called as its names say, or by their numbers."""
    if isinstance(inputs, Table):
        return inputs.columns
    return [inputs.column(place) for place in range(inputs.n_features)]


def column_of(inputs: Inputs, name: str) -> Table:
    """One column, with where its rows stand."""
    assert not isinstance(inputs, SparseMatrix)
    column = next(column for column in columns_of(inputs) if column.name == name)
    return Table((column,), inputs.n_rows, inputs.origin)
