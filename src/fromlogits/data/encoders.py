"""Feature encoders: fitted on training rows, they turn any rows into what the network takes.

Numbers are standardised, each column by its own mean and spread. Pictures are standardised by one mean and one spread
of all their pixels, so that pixels stay comparable. Sparse rows are scaled and not shifted: zero stays zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from .columns import refuse_unusable
from .features import Features
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


@dataclass(frozen=True)
class FeatureEncoder:
    """Raw rows in, float32 or uint8 features out.

    Attributes:
        schema: the columns it was fitted on.
        kind: "standard": (x - mean) · inverse_spread, computed in float64 and rounded once to float32;
            "picture": x · scale + shift, in float32. Pictures of uint8 stay uint8 and the engine computes;
            "scaled": x · inverse_spread, computed in float64 and rounded once to float32.
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
            return _fit_scaled(schema, inputs if rows is None else inputs.take(rows))
        return _fit_standard(schema, inputs, rows)

    def encode(self, inputs: Inputs, *, use_up: bool = False) -> Features:
        """(n, d) features of all rows; columns are matched by name where both sides have names.

        Args:
            inputs: rows as they came.
            use_up: give their memory back while they are encoded; their values are lost.
        """
        return self.encode_with_notes(inputs, use_up=use_up)[0]

    def encode_parts(self, inputs: Inputs) -> Iterator[Features]:
        """The features of all rows, some consecutive rows at a time; their memory is bounded."""
        inputs, _ = self._matched(inputs)
        if self._stays_as_it_is(inputs):
            yield self._as_it_is(inputs)
            return
        n_rows = max(1, PART_BYTES // (4 * self.schema.n_features))
        for start in range(0, inputs.n_rows, n_rows):
            yield Features(self._encode_rows(inputs, start, min(start + n_rows, inputs.n_rows)))

    def encode_with_notes(self, inputs: Inputs, *, use_up: bool = False) -> tuple[Features, tuple[str, ...]]:
        """The features, and what has to be said about the columns."""
        inputs, notes = self._matched(inputs)
        if self._stays_as_it_is(inputs):
            return self._as_it_is(inputs), notes
        return Features(self._encode_rows(inputs, 0, inputs.n_rows, use_up=use_up)), notes

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

    def _encode_rows(self, inputs: Inputs, start: int, stop: int, *, use_up: bool = False) -> NDArray[np.float32]:
        if isinstance(inputs, SparseMatrix):
            refuse_too_large(stop - start, inputs.n_features, "features")
            if self.kind == "scaled":
                return self._encode_sparse(inputs, start, stop)
        encoded_nd = np.empty((stop - start, self.schema.n_features), np.float32)
        done = released = 0
        for block_dn in _blocks(inputs, start=start, stop=stop):
            part_nd = encoded_nd[done : done + block_dn.shape[1]]
            part_nd[:] = self._encode_block(block_dn).T
            if not np.isfinite(part_nd).all():
                self._refuse_too_far(inputs, part_nd, start + done)
            done += len(part_nd)
            if use_up and isinstance(inputs, Table) and done - released >= RELEASED_ROWS:
                inputs.release(start + released, start + done)
                released = done
        return encoded_nd

    def _encode_sparse(self, inputs: SparseMatrix, start: int, stop: int) -> NDArray[np.float32]:
        """The same bits as block by block, and no work for zeros."""
        assert self.inverse_spread is not None
        encoded_nd = np.zeros((stop - start, self.schema.n_features), np.float32)
        part = slice(inputs.indptr[start], inputs.indptr[stop])
        rows = np.repeat(np.arange(stop - start), np.diff(inputs.indptr[start : stop + 1]))
        indices = inputs.indices[part]
        with np.errstate(over="ignore"):
            values = (inputs.values[part].astype(np.float64) * self.inverse_spread[indices]).astype(np.float32)
        encoded_nd[rows, indices] = values
        if not np.isfinite(values).all():
            self._refuse_too_far(inputs, encoded_nd, start)
        return encoded_nd

    def _encode_block(self, block_dn: Float64) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):  # what is too far for float32 becomes infinite, and is refused
            if self.inverse_spread is None:
                return block_dn.astype(np.float32) * np.float32(self.scale) + np.float32(self.shift)
            if self.mean is not None:
                block_dn -= self.mean[:, None]
            block_dn *= self.inverse_spread[:, None]
            return block_dn.astype(np.float32)

    def _refuse_too_far(self, inputs: Inputs, part_nd: NDArray[np.float32], start: int) -> None:
        row, column = (int(place) for place in np.argwhere(~np.isfinite(part_nd))[0])
        raise InputError(
            f"{self.schema.name_of(column)}, {inputs.origin.where(start + row)}: the value lies so far from the"
            " training rows that float32 can't hold the difference; check it."
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


def _blocks(inputs: Inputs, rows: Rows | None = None, *, start: int = 0, stop: int | None = None) -> Iterator[Float64]:
    """Rows from start to stop, or those in `rows`, a block at a time: float64 (d, n), memory of its own.

    Column by column, so that a table and a matrix of the same numbers give the same bits, and sums run along memory.
    """
    stop = stop if stop is not None else inputs.n_rows if rows is None else len(rows)
    n = (
        BLOCK_ROWS
        if not isinstance(inputs, SparseMatrix)
        else max(1, min(BLOCK_ROWS, PART_BYTES // (8 * inputs.n_features)))
    )
    for first in range(start, stop, n):
        last = min(first + n, stop)
        part: Any = slice(first, last) if rows is None else rows[first:last]
        if isinstance(inputs, Matrix):
            yield np.array(inputs.values[part].T, np.float64, order="C")
        elif isinstance(inputs, SparseMatrix):
            yield np.ascontiguousarray(inputs.dense(part).T)
        else:
            block_dn = np.empty((len(inputs.columns), last - first), np.float64)
            for values, column in zip(block_dn, inputs.columns, strict=True):
                values[:] = column.values[part]
            yield block_dn


def _pixel_moments(inputs: Inputs, rows: Rows | None) -> tuple[float, float]:
    """Mean and spread over all pixels of up to MOMENT_ROWS evenly spaced rows; a spread of 1 where all are alike."""
    rows = np.arange(inputs.n_rows) if rows is None else rows
    rows = rows[:: max(1, len(rows) // MOMENT_ROWS)]
    count = len(rows) * inputs.n_features
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(float(block.sum()) / count for block in _blocks(inputs, rows))
        variance = sum(float(((block - mean) ** 2).sum()) / count for block in _blocks(inputs, rows))
        spread = float(np.sqrt(variance))
    if not np.isfinite(spread):
        raise InputError("the pixels span too wide a range to be standardised; rescale them.")
    return mean, spread if spread > 1e-30 else 1.0


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
            block_dn -= mean[:, None]
            block_dn *= block_dn
            variance += block_dn.sum(axis=1) / n
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


def _fit_scaled(schema: Schema, inputs: SparseMatrix) -> FeatureEncoder:
    """One scale for all columns of about the same size, so that they stay comparable; for the others, one of their own.

    A column's size is the root of the mean square of its values that are not zero.
    """
    largest = np.zeros(schema.n_features)
    magnitudes = np.abs(inputs.values.astype(np.float64))
    np.maximum.at(largest, inputs.indices, magnitudes)
    is_used = largest > 0
    if not is_used.any():
        raise InputError("all features are 0 in all training rows: nothing can be learned.")
    relative = magnitudes / np.where(is_used, largest, 1.0)[inputs.indices]  # a square of 1e200 is out of range
    counts = np.bincount(inputs.indices, magnitudes > 0, minlength=schema.n_features)
    squares = np.bincount(inputs.indices, relative * relative, minlength=schema.n_features)
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
