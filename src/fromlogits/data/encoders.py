"""Feature encoders: fitted on training rows, they turn any rows into what the network takes.

Numbers are standardised, each column by its own mean and spread. Pictures are standardised by one mean and one spread
of all their pixels, so that pixels stay comparable. Sparse rows are scaled and not shifted: zero stays zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from . import csr
from .columns import refuse_unusable
from .features import EncodedRows, Features, SparseFeatures
from .memory import refuse_too_large
from .schema import Schema, shown
from .table import Inputs, Matrix, SparseMatrix, Table

Float64 = NDArray[np.float64]
Rows = NDArray[np.int64]
MOMENT_ROWS = 10_000  # a mean over their pixels is good to four digits
PART_BYTES = 1 << 26
RELEASED_ROWS = 1 << 14
DENSE = 0.5  # from this share of values that are not zero on, zero is a value like any other
ALIKE = 10.0  # columns whose sizes differ by no more than this factor from the median share a scale
FLOAT32_LEAST, FLOAT32_MOST = float(np.finfo(np.float32).smallest_subnormal), float(np.finfo(np.float32).max)
BLOCK_ROWS = 512  # rows that are float64 at a time: 3 MB for 785 columns
BLOCK_VALUES = 1 << 18  # values of sparse rows that are float64 at a time: 2 MB
SPARSE = 0.2  # below this share of values that are not zero, training rows are left sparse


@dataclass(frozen=True)
class FeatureEncoder:
    """Raw rows in, float32 or uint8 features out, or sparse float32 ones.

    Attributes:
        schema: the columns it was fitted on.
        kind: "standard": (x - mean) · inverse_spread, computed in float64 and rounded once to float32;
            "picture": x · scale + shift, in float32. Pictures of uint8 stay uint8 and the engine computes;
            "scaled": x · inverse_spread, computed in float64 and rounded once to float32; what is 0 then is left out.
        mean: float64 (d,), of "standard".
        inverse_spread: float64 (d,), of "standard" one over the standard deviation, 0 for a column that is constant;
            of "scaled" see docs/decisions/0008-sparse-rows.md, 0 for a column that has no value.
        scale, shift: of "picture".
        notes: what was noticed while fitting.
    """

    schema: Schema
    kind: Literal["standard", "picture", "scaled"]
    mean: Float64 | None = None
    inverse_spread: Float64 | None = None
    scale: float = 1.0
    shift: float = 0.0
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        rows: Rows | None = None,
        *,
        picture_shape: tuple[int, ...] | None = None,
        **roles: tuple[str, ...],
    ) -> FeatureEncoder:
        """Learn means and spreads, or the scale of the pixels, from some rows (None: from all).

        `roles` are the schema's lists of names: target_names, id_names, ignored, numeric, missing_words.

        Raises InputError for a column that can't be used, wherever in the inputs its fault is.
        """
        schema = Schema.of(inputs, picture_shape, **roles)
        if schema.n_features == 0:
            raise InputError("there is no feature column: every column is the target, an id or ignored.")
        inputs, _ = schema.match(inputs)
        if isinstance(inputs, Table):
            refuse_unusable(inputs)
        if schema.picture_shape is not None:
            mean, spread = _pixel_moments(inputs, rows)
            return cls(schema, "picture", scale=1 / spread, shift=-mean / spread)
        if isinstance(inputs, SparseMatrix) and inputs.density < DENSE:
            return _fit_scaled(schema, inputs, rows)
        return _fit_standard(schema, inputs, rows)

    def encode(self, inputs: Inputs, *, use_up: bool = False) -> EncodedRows:
        """Features (n, d) of all rows, to train on; columns are matched by name where both sides have names.

        Args:
            inputs: rows as they came.
            use_up: give their memory back while they are encoded; their values are lost.
        """
        return self.encode_with_notes(inputs, use_up=use_up)[0]

    def encode_with_notes(self, inputs: Inputs, *, use_up: bool = False) -> tuple[EncodedRows, tuple[str, ...]]:
        """The features, and what has to be said about the columns."""
        inputs, notes = self._matched(inputs)
        if self._stays_as_it_is(inputs):
            return self._as_it_is(inputs), notes
        if self.kind != "scaled":
            return self._encode_dense(inputs, 0, inputs.n_rows, use_up=use_up), notes
        features = self._encode_sparse(inputs, 0, inputs.n_rows)
        if len(features.values) < SPARSE * inputs.n_rows * inputs.n_features:
            return features, notes
        refuse_too_large(inputs.n_rows, inputs.n_features, "features")
        return Features(features.dense()), notes

    def encode_parts(self, inputs: Inputs) -> Iterator[EncodedRows]:
        """The features of all rows, some consecutive rows at a time; their memory is bounded.

        Their form is the encoder's alone: how many other rows and zeros there are changes no bits of a prediction.
        """
        inputs, _ = self._matched(inputs)
        if self._stays_as_it_is(inputs):
            yield self._as_it_is(inputs)
            return
        encode = self._encode_sparse if self.kind == "scaled" else self._encode_dense
        for start, stop in _parts(inputs, self.kind):
            yield encode(inputs, start, stop)

    def _matched(self, inputs: Inputs) -> tuple[Inputs, tuple[str, ...]]:
        inputs, notes = self.schema.match(inputs)
        if isinstance(inputs, Table):
            refuse_unusable(inputs, is_for_model=True)
        return inputs, notes

    def _stays_as_it_is(self, inputs: Inputs) -> bool:
        return isinstance(inputs, Matrix) and self.kind == "picture" and inputs.values.dtype == np.uint8

    def _as_it_is(self, inputs: Inputs) -> Features:
        assert isinstance(inputs, Matrix)
        return Features(np.ascontiguousarray(inputs.values), self.scale, self.shift)

    def _encode_dense(self, inputs: Inputs, start: int, stop: int, *, use_up: bool = False) -> Features:
        if isinstance(inputs, SparseMatrix):
            refuse_too_large(stop - start, inputs.n_features, "features")
        encoded_nd = np.empty((stop - start, self.schema.n_features), np.float32)
        done = released = 0
        for part_nd in self._encoded_blocks(inputs, start, stop):
            encoded_nd[done : done + len(part_nd)] = part_nd
            done += len(part_nd)
            if use_up and isinstance(inputs, Table) and done - released >= RELEASED_ROWS:
                inputs.release(start + released, start + done)
                released = done
        return Features(encoded_nd)

    def _encode_sparse(self, inputs: Inputs, start: int, stop: int) -> SparseFeatures:
        """The same bits whether the rows came sparse or dense."""
        if isinstance(inputs, SparseMatrix):
            return self._scale_sparse(inputs, start, stop)
        counts, indices, values = [np.zeros(1, np.int64)], [], []
        for part_nd in self._encoded_blocks(inputs, start, stop):
            rows, columns = np.nonzero(part_nd)
            counts.append(np.bincount(rows, minlength=len(part_nd)))
            indices.append(columns.astype(np.int32))
            values.append(part_nd[rows, columns])
        indptr = np.concatenate(counts).cumsum()
        return SparseFeatures(indptr, np.concatenate(indices), np.concatenate(values), self.schema.n_features)

    def _scale_sparse(self, inputs: SparseMatrix, start: int, stop: int) -> SparseFeatures:
        assert self.inverse_spread is not None
        indptr = inputs.indptr[start : stop + 1].astype(np.int64)
        raw = inputs.values[indptr[0] : indptr[-1]]
        indices = inputs.indices[indptr[0] : indptr[-1]].astype(np.int32, copy=False)
        indptr -= indptr[0]
        values = np.empty(len(raw), np.float32)
        with np.errstate(over="ignore"):
            for at in range(0, len(raw), BLOCK_VALUES):
                part = slice(at, at + BLOCK_VALUES)
                values[part] = raw[part].astype(np.float64) * self.inverse_spread[indices[part]]
        is_finite = np.isfinite(values)
        if not is_finite.all():
            place = int(np.argmin(is_finite))
            self._refuse_too_far(inputs, start + csr.row_of_value(indptr, place), int(indices[place]))
        is_zero = values == 0
        if is_zero.any():
            indptr -= np.searchsorted(np.flatnonzero(is_zero), indptr)
            indices, values = indices[~is_zero], values[~is_zero]
        return SparseFeatures(indptr, indices, values, self.schema.n_features)

    def _encoded_blocks(self, inputs: Inputs, start: int, stop: int) -> Iterator[NDArray[np.float32]]:
        """Rows from start to stop, encoded, a block (n, d) at a time."""
        for block_dn in _blocks(inputs, start=start, stop=stop):
            part_nd = self._encode_block(block_dn).T
            if not np.isfinite(part_nd).all():
                row, column = (int(place) for place in np.argwhere(~np.isfinite(part_nd))[0])
                self._refuse_too_far(inputs, start + row, column)
            yield part_nd
            start += len(part_nd)

    def _encode_block(self, block_dn: Float64) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):  # what is too far for float32 becomes infinite, and is refused
            if self.inverse_spread is None:
                return block_dn.astype(np.float32) * np.float32(self.scale) + np.float32(self.shift)
            if self.mean is not None:
                block_dn -= self.mean[:, None]
            block_dn *= self.inverse_spread[:, None]
            return block_dn.astype(np.float32)

    def _refuse_too_far(self, inputs: Inputs, row: int, column: int) -> NoReturn:
        raise InputError(
            f"{self.schema.name_of(column)}, {inputs.origin.where(row)}: the value lies so far from the training rows"
            " that float32 can't hold the difference; check it."
        )

    def tensors(self) -> dict[str, Float64]:
        """What was learned, by tensor name."""
        tensors = {"encoder.mean": self.mean, "encoder.inverse_spread": self.inverse_spread}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}

    def to_json(self) -> dict[str, Any]:
        """All but the tensors and the notes."""
        return {"kind": self.kind, "scale": self.scale, "shift": self.shift, "schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, value: object, tensors: Mapping[str, NDArray[Any]]) -> FeatureEncoder:
        """The inverse of `to_json` and `tensors`; raises InputError on anything else."""
        if not isinstance(value, dict) or set(value) != {"kind", "scale", "shift", "schema"}:
            raise InputError("encoder must be an object with kind, scale, shift and schema.")
        schema, scale, shift = Schema.from_json(value["schema"]), value["scale"], value["shift"]
        if type(scale) is not float or not FLOAT32_LEAST <= scale <= FLOAT32_MOST:
            raise InputError(f"encoder: scale must be a positive number that float32 holds; got {brief(scale)}.")
        if type(shift) is not float or not abs(shift) <= FLOAT32_MOST:
            raise InputError(f"encoder: shift must be a number that float32 holds; got {brief(shift)}.")
        if value["kind"] == "picture":
            _check_tensors(tensors, ())
            return cls(schema, "picture", scale=scale, shift=shift)
        if value["kind"] not in ("standard", "scaled"):
            raise InputError(f"encoder: unknown kind {brief(value['kind'])}.")
        is_scaled = value["kind"] == "scaled"
        _check_tensors(
            tensors, ("encoder.inverse_spread",) if is_scaled else ("encoder.mean", "encoder.inverse_spread")
        )
        mean, inverse_spread = tensors.get("encoder.mean"), tensors["encoder.inverse_spread"]
        for name, tensor in tensors.items():
            if tensor.dtype != np.float64 or tensor.shape != (schema.n_features,) or not np.isfinite(tensor).all():
                raise InputError(f"tensor {name} must be {schema.n_features} finite float64 values.")
        if (inverse_spread < 0).any():
            raise InputError("tensor encoder.inverse_spread must not be negative.")
        return cls(schema, "scaled" if is_scaled else "standard", mean, inverse_spread)


def _check_tensors(tensors: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    if set(tensors) != set(wanted):
        raise InputError(f"encoder: expected the tensors {sorted(wanted)}; found {sorted(tensors)[:5]}.")


def _parts(inputs: Inputs, kind: str) -> Iterator[tuple[int, int]]:
    """Where parts of the rows begin and end, whose features take some PART_BYTES, or are one row."""
    ends: Any = range(inputs.n_rows + 1)
    most = PART_BYTES // (4 * inputs.n_features)
    if kind == "scaled" and isinstance(inputs, SparseMatrix):
        ends, most = inputs.indptr, PART_BYTES // 8  # counted in values, each with its index
    start = 0
    while start < inputs.n_rows:
        stop = max(start + 1, bisect_right(ends, int(ends[start]) + most) - 1)
        yield start, stop
        start = stop


def _blocks(inputs: Inputs, rows: Rows | None = None, *, start: int = 0, stop: int | None = None) -> Iterator[Float64]:
    """Rows from start to stop, or those in `rows`, a block at a time: float64 (d, n), overwritten by the next one.

    Column by column, so that a table and a matrix of the same numbers give the same bits, and sums run along memory.
    """
    stop = stop if stop is not None else inputs.n_rows if rows is None else len(rows)
    n = (
        BLOCK_ROWS
        if not isinstance(inputs, SparseMatrix)
        else max(1, min(BLOCK_ROWS, PART_BYTES // (8 * inputs.n_features)))
    )
    memory = np.empty(inputs.n_features * min(n, stop - start))
    for first in range(start, stop, n):
        last = min(first + n, stop)
        part: Any = slice(first, last) if rows is None else rows[first:last]
        block_dn = memory[: inputs.n_features * (last - first)].reshape(-1, last - first)
        if isinstance(inputs, Matrix):
            block_dn[:] = inputs.values[part].T
        elif isinstance(inputs, SparseMatrix):
            block_dn[:] = inputs.dense(part).T
        else:
            for values, column in zip(block_dn, inputs.columns, strict=True):
                values[:] = column.values[part]
        yield block_dn


def _value_blocks(inputs: SparseMatrix, rows: Rows | None) -> Iterator[tuple[NDArray[Any], Float64]]:
    """Columns and magnitudes of the values of some rows (None: of all), some BLOCK_VALUES at a time."""
    rows = np.arange(len(inputs)) if rows is None else rows
    n = max(1, BLOCK_VALUES * len(inputs) // max(1, len(inputs.values)))
    for first in range(0, len(rows), n):
        part = inputs.take(rows[first : first + n])
        yield part.indices, np.abs(part.values.astype(np.float64))


def _pixel_moments(inputs: Inputs, rows: Rows | None) -> tuple[float, float]:
    """Mean and spread over all pixels of up to MOMENT_ROWS evenly spaced rows; a spread of 1 where all are alike."""
    rows = np.arange(inputs.n_rows) if rows is None else rows
    rows = rows[:: max(1, len(rows) // MOMENT_ROWS)]
    count = len(rows) * inputs.n_features
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(float(block.sum()) / count for block in _blocks(inputs, rows))
        variance = sum(float(_squares(block, mean).sum()) / count for block in _blocks(inputs, rows))
        spread = float(np.sqrt(variance))
    if not np.isfinite(spread):
        raise InputError("the pixels span too wide a range to be standardised; rescale them.")
    return mean, spread if spread > 1e-30 else 1.0


def _squares(block_dn: Float64, mean: Any) -> Float64:
    """Of the distances from the mean, in the memory of the block."""
    block_dn -= mean
    block_dn *= block_dn
    return block_dn


def _fit_standard(schema: Schema, inputs: Inputs, rows: Rows | None) -> FeatureEncoder:
    n = inputs.n_rows if rows is None else len(rows)
    low, high = np.full(schema.n_features, np.inf), np.full(schema.n_features, -np.inf)
    mean, variance = np.zeros(schema.n_features), np.zeros(schema.n_features)
    with np.errstate(over="ignore", invalid="ignore"):
        for block_dn in _blocks(inputs, rows):
            np.minimum(low, block_dn.min(axis=1), out=low)
            np.maximum(high, block_dn.max(axis=1), out=high)
            mean += block_dn.sum(axis=1) / n
        for block_dn in _blocks(inputs, rows):
            variance += _squares(block_dn, mean[:, None]).sum(axis=1) / n
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        column = int(np.argmin(np.isfinite(variance)))
        span = f"{low[column]:g} to {high[column]:g}"
        raise InputError(f"{schema.name_of(column)} spans {span}, too wide to be standardised; rescale it.")
    is_constant = low == high
    spread = np.sqrt(variance)
    is_constant |= spread == 0
    inverse = np.where(is_constant, 0.0, 1.0 / np.where(is_constant, 1.0, spread))
    notes = []
    if is_constant.any():
        names = [schema.names[j] if schema.names else str(j) for j in np.flatnonzero(is_constant)]
        many = len(names) > 1
        notes.append(
            f"{len(names)} column{'s' * many} {'have' if many else 'has'} one value only in the training rows and"
            f" {'carry' if many else 'carries'} nothing: {shown(names)}"
        )
    return FeatureEncoder(schema, "standard", mean, inverse, notes=tuple(notes))


def _fit_scaled(schema: Schema, inputs: SparseMatrix, rows: Rows | None) -> FeatureEncoder:
    """One scale for all columns of about the same size, so that they stay comparable; for the others, one of their own.

    A column's size is the root of the mean square of its values that are not zero.
    """
    largest = np.zeros(schema.n_features)
    for indices, magnitudes in _value_blocks(inputs, rows):
        np.maximum.at(largest, indices, magnitudes)
    is_used = largest > 0
    if not is_used.any():
        raise InputError("all features are 0 in all training rows: nothing can be learned.")
    counts, squares = np.zeros(schema.n_features), np.zeros(schema.n_features)
    unit = np.where(is_used, largest, 1.0)  # a square of 1e200 is out of range
    for indices, magnitudes in _value_blocks(inputs, rows):
        np.add.at(counts, indices, np.sign(magnitudes))
        np.add.at(squares, indices, (magnitudes / unit[indices]) ** 2)
    size = largest[is_used] * np.sqrt(squares[is_used] / counts[is_used])
    usual = float(np.median(size))
    is_usual = (size / ALIKE <= usual) & (usual / ALIKE <= size)
    inverse = np.zeros(schema.n_features)
    with np.errstate(over="ignore"):
        inverse[is_used] = 1 / np.where(is_usual, usual, size)
    if not np.isfinite(inverse).all():
        column = int(np.argmin(np.isfinite(inverse)))
        raise InputError(f"{schema.name_of(column)}: its values are too near to 0 to be scaled; rescale it.")
    n_unused = int(np.count_nonzero(~is_used))
    are, carry = ("s are", "carry") if n_unused > 1 else (" is", "carries")
    note = f"{n_unused:,} feature{are} 0 in all training rows and {carry} nothing"
    return FeatureEncoder(schema, "scaled", inverse_spread=inverse, notes=(note,) if n_unused else ())
