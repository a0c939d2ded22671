"""Feature encoders: fitted on training rows, they turn any rows into what the network takes.

Numbers are standardised, each column by its own mean and spread, or scaled by its median and quartiles. Pictures are
standardised by one mean and one spread of all their pixels, so that pixels stay comparable. Sparse rows are scaled and
not shifted: zero stays zero. Where some columns are no numbers, or values are missing, each column has an encoding of
its own (encodings/).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import NoneType
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from . import csr
from .backbones.backbone import Backbone
from .backbones.pictures import is_seeable, seen
from .backbones.reference import Reference
from .booleans import Booleans, as_learned, booleans_in
from .columns import refuse_unusable
from .encodings.base import Encoding
from .encodings.category import Category
from .encodings.code import Code
from .encodings.number import Number
from .encodings.scale import BY_QUARTILES
from .encodings.table import TableEncoding
from .features import EncodedRows, Features, SparseFeatures
from .form import USUAL, Form
from .kinds import find_out
from .label_sets import SparseLabels
from .memory import refuse_too_large
from .noticed import Noticed
from .schema import REASONS, Schema, shown
from .statistics import in_range, median_and_inverse_range, robust
from .table import Column, Inputs, Matrix, SparseMatrix, Table, column_of, columns_of

Float64 = NDArray[np.float64]
Rows = NDArray[np.int64]
MOMENT_ROWS = 10_000  # a mean over their pixels is good to four digits
PART_BYTES = 1 << 26
MANY_ROWS = 1 << 62
RELEASED_ROWS = 1 << 14
DENSE = 0.5  # from this share of values that are not zero on, zero is a value like any other
ALIKE = 10.0  # columns whose sizes differ by no more than this factor from the median share a scale
FLOAT32_LEAST, FLOAT32_MOST = float(np.finfo(np.float32).smallest_subnormal), float(np.finfo(np.float32).max)
BLOCK_ROWS = 512  # rows that are float64 at a time: 3 MB for 785 columns
BLOCK_VALUES = 1 << 18  # values of sparse rows that are float64 at a time: 2 MB
GROUP = 16  # columns of a matrix that are float64 at a time, if they take no more than PART_BYTES
TENSORS = {
    "standard": ("mean", "inverse_spread"), "robust": ("median", "inverse_range"), "scaled": ("inverse_spread",),
}  # fmt: skip
"""What is learned of each column by an encoder of this kind."""
SPARSE = 0.2  # below this share of values that are not zero, training rows are left sparse


@dataclass
class Surprises:
    """What in later rows is not as the training had it.

    Attributes:
        conversions: of columns that are read as the model learned them, a sentence each.
        unseen: column -> rows with a value that the training never had and no feature stands for.
    """

    conversions: tuple[str, ...] = ()
    unseen: Counter[str] = field(default_factory=Counter)

    def told(self, n_rows: int) -> tuple[str, ...]:
        """In words, of so many rows."""
        if not self.unseen:
            return self.conversions
        counts = self.unseen.most_common()
        listed = ", ".join(f"{name} ({count:,} of {n_rows:,} rows)" for name, count in counts[:5])
        more = f" and {len(counts) - 5} more columns" if len(counts) > 5 else ""
        return (*self.conversions, f"values that the training never had count for nothing: {listed}{more}")


@dataclass(frozen=True)
class FeatureEncoder:
    """Raw rows in, float32 or uint8 features out, or sparse float32 ones.

    Attributes:
        schema: the columns it was fitted on.
        kind: "standard": (x - mean) · inverse_spread, computed in float64 and rounded once to float32;
            "robust": (x - median) · inverse_range, softly clipped (`statistics.robust`), computed likewise;
            "picture": x · scale + shift, in float32. Pictures of uint8 stay uint8 and the engine computes;
            "scaled": x · inverse_spread, computed in float64 and rounded once to float32; what is 0 then is left out;
            "columns": each column by its own encoding, see docs/decisions/0014-columns.md;
            "backbone": pictures by what a frozen backbone makes of them, encoded by `behind`.
        mean: float64 (d,), of "standard".
        inverse_spread: float64 (d,), of "standard" one over the standard deviation, 0 for a column that is constant;
            of "scaled" see docs/decisions/0008-sparse-rows.md, 0 for a column that has no value.
        median: float64 (d,), of "robust".
        inverse_range: float64 (d,), of "robust", see `statistics.median_and_inverse_range`.
        scale, shift: of "picture".
        table: of "columns".
        backbone, behind: of "backbone"; the second is of its features, "standard" or "robust".
        notes: what was noticed while fitting.
        warnings: of that, what should not be overlooked.
        is_dense: all rows are encoded dense, because the network takes no others.
    """

    schema: Schema
    kind: Literal["standard", "robust", "picture", "scaled", "columns", "backbone"]
    mean: Float64 | None = None
    inverse_spread: Float64 | None = None
    median: Float64 | None = None
    inverse_range: Float64 | None = None
    scale: float = 1.0
    shift: float = 0.0
    table: TableEncoding | None = None
    backbone: Backbone | None = None
    behind: FeatureEncoder | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    is_dense: bool = False

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        rows: Rows | None = None,
        *,
        picture_shape: tuple[int, ...] | None = None,
        targets: NDArray[Any] | SparseLabels | None = None,
        weights: Float64 | None = None,
        categorical: tuple[str, ...] = (),
        form: Form = USUAL,
        backbone: Backbone | None = None,
        **roles: tuple[str, ...],
    ) -> FeatureEncoder:
        """Learn what the columns are, means and spreads, or the scale of the pixels, from some rows (None: from all).

        Args:
            inputs: all rows.
            rows: the training rows.
            picture_shape: a row is a picture of this shape.
            targets: of all rows, as `TargetEncoder.encode` gives them: a column that gives them away is warned of.
            weights: what each of the training rows counts for, finite and above 0; a whole one is that many copies of
                the row. None: 1.
            categorical: columns that are categories, whatever they look like.
            form: in which the network takes the features.
            backbone: what looks at the rows, which are pictures then.
            roles: the schema's lists of names: target_names, id_names, ignored, numeric, missing_words.

        Raises InputError for a column that can't be used, wherever in the inputs its fault is.
        """
        schema = Schema.of(inputs, picture_shape, **roles)
        if schema.n_features == 0:
            raise InputError("there is no feature column: every column is the target, an id or ignored.")
        if backbone is not None:
            pictures = seen_rows(inputs, backbone, picture_shape)
            behind = cls.fit(_features_alone(pictures), rows, weights=weights, form=form)
            return cls(schema, "backbone", backbone=backbone, behind=replace(behind, notes=()), is_dense=form.is_dense)
        encoder = cls._fitted(schema, inputs, rows, targets, weights, categorical, form)
        return replace(encoder, is_dense=form.is_dense)

    @classmethod
    def _fitted(
        cls,
        schema: Schema,
        inputs: Inputs,
        rows: Rows | None,
        targets: NDArray[Any] | SparseLabels | None,
        weights: Float64 | None,
        categorical: tuple[str, ...],
        form: Form,
    ) -> FeatureEncoder:
        inputs, _ = schema.match(inputs)
        if schema.picture_shape is not None:
            _refuse_gaps(inputs)
            mean, spread = _pixel_moments(inputs, rows, weights)
            return cls(schema, "picture", scale=1 / spread, shift=-mean / spread)
        if isinstance(inputs, SparseMatrix) and inputs.density < DENSE:
            return _fit_scaled(schema, inputs, rows, weights)
        if isinstance(inputs, Table):
            return _fit_table(schema, inputs, rows, targets, weights, categorical, form)
        if isinstance(inputs, Matrix) and inputs.has_missing:
            learned = inputs if rows is None else inputs.take(rows)
            if learned.has_missing:
                columns = (learned.column(place) for place in range(schema.n_features))
                numbers = [Number.fit(column, weights, is_robust=form.is_robust) for column in columns]
                return _fit_columns(schema, numbers, form)
        return _fit_numbers(schema, inputs, rows, weights, form)

    @property
    def n_features(self) -> int:
        """What the network takes: of "columns" more than there are columns."""
        if self.behind is not None:
            return self.behind.n_features
        return self.schema.n_features if self.table is None else self.table.n_features

    @property
    def takes_pictures(self) -> bool:
        """Its rows are pictures."""
        return self.kind in ("picture", "backbone")

    @property
    def numbers(self) -> tuple[int, ...]:
        """The features that are numbers, each of a column, and not the same in all training rows."""
        if self.behind is not None:
            return self.behind.numbers
        if self.table is not None:
            return self.table.numbers
        factors = {"standard": self.inverse_spread, "robust": self.inverse_range}.get(self.kind)
        return () if factors is None else tuple(np.flatnonzero(factors).tolist())

    @property
    def categories(self) -> tuple[tuple[int, int], ...]:
        """The features that are codes of a category, and how many codes there are."""
        return () if self.table is None else self.table.categories

    @property
    def text_names(self) -> tuple[str, ...]:
        """Columns whose values are wanted from a text file as they stand there."""
        if self.table is None or self.schema.names is None:
            return ()
        encodings = zip(self.schema.names, self.table.columns, strict=True)
        return tuple(name for name, encoding in encodings if encoding.reads_text)

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
        if self.behind is not None:
            return self.behind.encode(self._seen(inputs)), notes
        if self._stays_as_it_is(inputs):
            return self._as_it_is(inputs), notes
        if self.table is not None:
            return self._encode_columns(inputs, 0, inputs.n_rows, use_up=use_up), notes
        if self.kind != "scaled":
            return self._encode_dense(inputs, 0, inputs.n_rows, use_up=use_up), notes
        features = self._encode_sparse(inputs, 0, inputs.n_rows)
        if not self.is_dense and len(features.values) < SPARSE * inputs.n_rows * inputs.n_features:
            return features, notes
        refuse_too_large(inputs.n_rows, inputs.n_features, "features")
        return Features(features.dense()), notes

    def encode_parts(
        self, inputs: Inputs, most_rows: int = MANY_ROWS, surprises: Surprises | None = None
    ) -> Iterator[EncodedRows]:
        """The features of all rows, at most so many consecutive rows at a time; their memory is bounded.

        Their form is the encoder's alone: how many other rows and zeros there are changes no bits of a prediction.
        What is not as in the training is added to the surprises.
        """
        if surprises is not None:
            surprises.conversions += self.conversions(inputs)
        inputs, _ = self._matched(inputs)
        if self.behind is not None:
            yield from self.behind.encode_parts(self._seen(inputs), most_rows)
            return
        if self._stays_as_it_is(inputs):
            pictures = self._as_it_is(inputs)
            for start in range(0, len(pictures), most_rows):
                yield Features(pictures.values[start : start + most_rows], self.scale, self.shift)
            return
        unseen = None if surprises is None else surprises.unseen
        encode_scaled = self._encode_sparse if not self.is_dense else self._encode_scaled_dense
        of_kind: dict[str, Callable[[Inputs, int, int], EncodedRows]] = {
            "scaled": encode_scaled, "columns": partial(self._encode_columns, unseen=unseen),
        }  # fmt: skip
        encode = of_kind.get(self.kind, self._encode_dense)
        width = self.n_features
        if self.table is not None and self.table.is_sparse:
            width = 2 * self.table.n_slots
        has_values = self.kind == "scaled" and not self.is_dense
        for start, stop in _parts(inputs, width, most_rows, by_values=has_values):
            yield encode(inputs, start, stop)

    def described(self) -> list[dict[str, Any]]:
        """Of each named column what it is, how it is encoded and in how many training rows it had no value."""
        names = self.schema.names
        if names is None or self.takes_pictures:
            return []
        if self.table is None:
            how = f"1 feature{BY_QUARTILES if self.kind == 'robust' else ''}"
            found = [(name, "number", how, 0) for name in names]
        else:
            encodings = zip(names, self.table.columns, strict=True)
            found = [(name, one.what, one.how, one.n_missing) for name, one in encodings]
        left_out = ((name, "left out", REASONS[why], None) for name, why in self.schema.left_out.items())
        return [
            {"column": name, "what": what, "encoded": how, "missing": missing}
            for name, what, how, missing in (*found, *left_out)
        ]

    def noticed(self, inputs: Inputs) -> list[tuple[str, int, int]]:
        """Of each column its name, how many rows have no value, and how many one that the training knew nothing of.

        Raises InputError for columns that can't be used.
        """
        inputs, _ = self.as_learned(inputs)
        noticed = Noticed(self)
        noticed.add(inputs)
        if noticed.unusable:
            raise noticed.refusal(lambda name: column_of(inputs, name))
        return noticed.counts()

    def refuse_gaps(self, inputs: Matrix) -> None:
        """Raise InputError where a picture lacks a pixel."""
        if self.takes_pictures:
            _refuse_gaps(inputs, is_for_model=True)

    def conversions(self, inputs: Inputs) -> tuple[str, ...]:
        """What is said of columns that are read as the model learned them, though their type is another."""
        return self.as_learned(inputs)[1]

    def as_learned(
        self, inputs: Inputs, booleans_of: Callable[[Column], Booleans | None] = booleans_in
    ) -> tuple[Inputs, tuple[str, ...]]:
        """The model's columns, and what is said of those that are read as it learned them.

        Yes and no as words where it learned a number, or typed where it learned the words, are the same.

        Args:
            inputs: rows with the model's columns.
            booleans_of: what the texts of a column stand for, all its rows considered.
        """
        inputs, _ = self.schema.match(inputs)
        if not isinstance(inputs, Table) or self.takes_pictures:
            return inputs, ()
        columns, notes = list(inputs.columns), []
        for place, column in enumerate(columns):
            encoding = None if self.table is None else self.table.columns[place]
            encoding = encoding.category if isinstance(encoding, Code) else encoding
            if isinstance(encoding, (Number, Category, NoneType)):
                words = encoding.values if isinstance(encoding, Category) else None
                if (learned := as_learned(column, words, booleans_of)) is not None:
                    columns[place], said = learned
                    notes.append(f"column {column.name!r} was read as {said}, as the model learned it")
        return replace(inputs, columns=tuple(columns)) if notes else inputs, tuple(notes)

    def _matched(self, inputs: Inputs) -> tuple[Inputs, tuple[str, ...]]:
        inputs, notes = self.schema.match(inputs)
        inputs, converted = self.as_learned(inputs)
        notes = (*notes, *converted)
        if self.takes_pictures:
            _refuse_gaps(inputs, is_for_model=True)
        elif isinstance(inputs, Table) and self.table is None:
            refuse_unusable(inputs, is_for_model=True)
        return inputs, notes

    def _seen(self, inputs: Inputs) -> Matrix:
        assert self.backbone is not None
        return _features_alone(seen(inputs, self.backbone, self.schema.picture_shape))

    def _encode_columns(
        self, inputs: Inputs, start: int, stop: int, unseen: Counter[str] | None = None, *, use_up: bool = False
    ) -> EncodedRows:
        assert self.table is not None
        if isinstance(inputs, SparseMatrix):
            inputs, start, stop = Matrix(inputs.dense(slice(start, stop)), origin=inputs.origin), 0, stop - start
        names = [self.schema.name_of(place) for place in range(self.schema.n_features)]
        release = inputs.release if use_up and isinstance(inputs, Table) else None
        return self.table.encode(columns_of(inputs), names, inputs.origin, start, stop, unseen, release)

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

    def _encode_scaled_dense(self, inputs: Inputs, start: int, stop: int) -> Features:
        return Features(self._encode_sparse(inputs, start, stop).dense())

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
        may_miss = _has_missing(inputs)
        for block_dn in _blocks(inputs, start=start, stop=stop):
            is_missing = np.isnan(block_dn) if may_miss else None
            part_nd = self._encode_block(block_dn).T
            if is_missing is not None:
                part_nd[is_missing.T] = 0  # the mean or the median stands in: the training rows lacked no value
            if not np.isfinite(part_nd).all():
                row, column = (int(place) for place in np.argwhere(~np.isfinite(part_nd))[0])
                self._refuse_too_far(inputs, start + row, column)
            yield part_nd
            start += len(part_nd)

    def _encode_block(self, block_dn: Float64) -> NDArray[np.float32]:
        if self.kind == "robust":
            assert self.median is not None and self.inverse_range is not None
            return robust(block_dn, self.median[:, None], self.inverse_range[:, None]).astype(np.float32)
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
        if self.behind is not None:
            return self.behind.tensors()
        return {f"encoder.{name}": getattr(self, name) for name in TENSORS.get(self.kind, ())}

    def to_json(self) -> dict[str, Any]:
        """All but the tensors and the notes."""
        more: dict[str, Any] = {} if self.table is None else {"table": self.table.to_json()}
        if self.backbone is not None and self.behind is not None:
            more = {"backbone": self.backbone.reference.to_json(), "behind": self.behind.kind}
        return {"kind": self.kind, "scale": self.scale, "shift": self.shift, "schema": self.schema.to_json(), **more}

    @classmethod
    def from_json(cls, value: object, tensors: Mapping[str, NDArray[Any]], *, is_dense: bool = False) -> FeatureEncoder:
        """The inverse of `to_json` and `tensors`; raises InputError on anything else.

        Args:
            value, tensors: as they were given.
            is_dense: the network takes dense rows alone.
        """
        of_kind = {"columns": ("table",), "backbone": ("backbone", "behind")}
        has_kind = isinstance(value, dict) and isinstance(value.get("kind"), str)
        more = of_kind.get(value["kind"], ()) if has_kind else ()  # type: ignore[index]
        keys = {"kind", "scale", "shift", "schema", *more}
        if not isinstance(value, dict) or set(value) != keys:
            raise InputError(f"encoder must be an object with {', '.join(sorted(keys))}.")
        schema, scale, shift = Schema.from_json(value["schema"]), value["scale"], value["shift"]
        if type(scale) is not float or not FLOAT32_LEAST <= scale <= FLOAT32_MOST:
            raise InputError(f"encoder: scale must be a positive number that float32 holds; got {brief(scale)}.")
        if type(shift) is not float or not abs(shift) <= FLOAT32_MOST:
            raise InputError(f"encoder: shift must be a number that float32 holds; got {brief(shift)}.")
        if "table" in more:
            _check_tensors(tensors, ())
            table = TableEncoding.from_json(value["table"])
            if len(table.columns) != schema.n_features or schema.picture_shape is not None:
                raise InputError(f"encoder: {len(table.columns)} encodings for {schema.n_features} columns.")
            if is_dense and table.is_sparse:
                raise InputError("encoder: table gives sparse rows, and the network takes none.")
            return cls(schema, "columns", table=table, is_dense=is_dense)
        if value["kind"] == "picture":
            _check_tensors(tensors, ())
            return cls(schema, "picture", scale=scale, shift=shift, is_dense=is_dense)
        if value["kind"] == "backbone":
            reference = Reference.from_json(value["backbone"])
            if schema.picture_shape is None or not is_seeable(schema.picture_shape):
                raise InputError("encoder: a backbone sees pictures of the shape (h, w) or (h, w, 3).")
            if value["behind"] not in ("standard", "robust"):
                raise InputError(f"encoder: behind must be standard or robust; got {brief(value['behind'])}.")
            plain = Schema(None, reference.n_features).to_json()
            of_behind = {"kind": value["behind"], "scale": 1.0, "shift": 0.0, "schema": plain}
            behind = cls.from_json(of_behind, tensors, is_dense=is_dense)
            return cls(schema, "backbone", backbone=Backbone(reference), behind=behind, is_dense=is_dense)
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in TENSORS:
            raise InputError(f"encoder: unknown kind {brief(kind)}.")
        _check_tensors(tensors, tuple(f"encoder.{name}" for name in TENSORS[kind]))
        for name, tensor in tensors.items():
            if tensor.dtype != np.float64 or tensor.shape != (schema.n_features,) or not np.isfinite(tensor).all():
                raise InputError(f"tensor {name} must be {schema.n_features} finite float64 values.")
        factor = TENSORS[kind][-1]
        if (tensors[f"encoder.{factor}"] < 0).any():
            raise InputError(f"tensor encoder.{factor} must not be negative.")
        learned: dict[str, Any] = {name: tensors[f"encoder.{name}"] for name in TENSORS[kind]}
        return cls(schema, kind, **learned, is_dense=is_dense)  # type: ignore[arg-type]


def seen_rows(inputs: Inputs, backbone: Backbone, picture_shape: tuple[int, ...] | None = None) -> Matrix:
    """What a backbone makes of training rows, each a picture; their columns in the order of the pixels.

    Raises InputError for rows that it can't look at.
    """
    schema = Schema.of(inputs, picture_shape)
    inputs, _ = schema.match(inputs)
    _refuse_gaps(inputs)
    return seen(inputs, backbone, schema.picture_shape)


def _features_alone(pictures: Matrix) -> Matrix:
    """What a backbone made of pictures, as rows of numbers."""
    return Matrix(pictures.values, origin=pictures.origin)


def _check_tensors(tensors: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    if set(tensors) != set(wanted):
        raise InputError(f"encoder: expected the tensors {sorted(wanted)}; found {sorted(tensors)[:5]}.")


def _refuse_gaps(inputs: Inputs, *, is_for_model: bool = False) -> None:
    """Raise InputError for a pixel that is missing or no number."""
    if isinstance(inputs, Table):
        refuse_unusable(inputs, is_for_model=is_for_model, may_miss=False)
    elif isinstance(inputs, Matrix) and inputs.has_missing:
        row, column = (int(place) for place in np.argwhere(np.isnan(inputs.values))[0])
        raise InputError(f"{inputs.origin.where(row)}, pixel {column} is NaN; a picture has all its pixels.")


def _has_missing(inputs: Inputs) -> bool:
    if isinstance(inputs, Table):
        return any(column.missing is not None for column in inputs.columns)
    return isinstance(inputs, Matrix) and inputs.has_missing


def _parts(inputs: Inputs, width: int, most_rows: int, *, by_values: bool) -> Iterator[tuple[int, int]]:
    """Where parts of so many rows at most begin and end, whose features take some PART_BYTES, or are one row.

    `width` is how many float32 values a row takes; by_values: of sparse rows, those that it has.
    """
    ends: Any = range(inputs.n_rows + 1)
    most = PART_BYTES // (4 * width)
    if by_values and isinstance(inputs, SparseMatrix):
        ends, most = inputs.indptr, PART_BYTES // 8  # counted in values, each with its index
    start = 0
    while start < inputs.n_rows:
        stop = max(start + 1, min(bisect_right(ends, int(ends[start]) + most) - 1, start + most_rows))
        yield start, stop
        start = stop


def _blocks(inputs: Inputs, rows: Rows | None = None, *, start: int = 0, stop: int | None = None) -> Iterator[Float64]:
    """Rows from start to stop, or those in `rows`, a block at a time: float64 (d, n), overwritten by the next one.

    Column by column, so that a table and a matrix of the same numbers give the same bits, and sums run along memory.
    """
    stop = stop if stop is not None else inputs.n_rows if rows is None else len(rows)
    n = max(1, min(BLOCK_ROWS, PART_BYTES // (8 * inputs.n_features)))
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
                if column.missing is None:
                    values[:] = column.values[part]
                else:
                    there = ~column.missing[part]
                    values.fill(np.nan)
                    values[there] = column.values[part][there]
        yield block_dn


def _weighted_blocks(
    inputs: Inputs, rows: Rows | None, weights: Float64 | None
) -> Iterator[tuple[Float64, Float64 | None]]:
    """The blocks, and what each of their rows counts for."""
    start = 0
    for block_dn in _blocks(inputs, rows):
        stop = start + block_dn.shape[1]
        yield block_dn, None if weights is None else weights[start:stop]
        start = stop


def _times(block_dn: Float64, weights_n: Float64 | None) -> Float64:
    """Each row times its weight, in the memory of the block."""
    if weights_n is not None:
        block_dn *= weights_n
    return block_dn


def _value_blocks(
    inputs: SparseMatrix, rows: Rows | None, weights: Float64 | None = None
) -> Iterator[tuple[NDArray[Any], Float64, Float64 | float]]:
    """Columns, magnitudes and weights of the values of some rows (None: of all), some BLOCK_VALUES at a time."""
    rows = np.arange(len(inputs)) if rows is None else rows
    n = max(1, BLOCK_VALUES * len(inputs) // max(1, len(inputs.values)))
    for first in range(0, len(rows), n):
        part = inputs.take(rows[first : first + n])
        each = 1.0 if weights is None else np.repeat(weights[first : first + n], np.diff(part.indptr))
        yield part.indices, np.abs(part.values.astype(np.float64)), each


def _pixel_moments(inputs: Inputs, rows: Rows | None, weights: Float64 | None) -> tuple[float, float]:
    """Mean and spread over all pixels of up to MOMENT_ROWS evenly spaced rows; a spread of 1 where all are alike."""
    rows = np.arange(inputs.n_rows) if rows is None else rows
    step = max(1, len(rows) // MOMENT_ROWS)
    rows, weights = rows[::step], None if weights is None else in_range(weights[::step])
    count = (len(rows) if weights is None else float(weights.sum())) * inputs.n_features
    with np.errstate(over="ignore", invalid="ignore"):
        mean = variance = 0.0
        for block, each in _weighted_blocks(inputs, rows, weights):
            mean += float(_times(block, each).sum()) / count
        for block, each in _weighted_blocks(inputs, rows, weights):
            variance += float(_times(_squares(block, mean), each).sum()) / count
        spread = float(np.sqrt(variance))
    if not np.isfinite(spread):
        raise InputError("the pixels span too wide a range to be standardised; rescale them.")
    return mean, spread if spread > 1e-30 else 1.0


def _squares(block_dn: Float64, mean: Any) -> Float64:
    """Of the distances from the mean, in the memory of the block."""
    block_dn -= mean
    block_dn *= block_dn
    return block_dn


def _fit_table(
    schema: Schema,
    inputs: Table,
    rows: Rows | None,
    targets: NDArray[Any] | SparseLabels | None,
    weights: Float64 | None,
    categorical: tuple[str, ...],
    form: Form,
) -> FeatureEncoder:
    found = find_out(inputs, rows, targets, weights, categorical=categorical, numeric=schema.numeric, form=form)
    if not found.names:
        raise InputError(f"there is no column to learn from; {'; '.join(found.notes + found.warnings)}.")
    if found.left_out:
        schema = replace(schema, names=found.names, n_features=len(found.names), left_out=found.left_out)
        inputs = inputs.select(found.names)
    if found.encodings is None:
        encoder = _fit_numbers(schema, inputs, rows, weights, form)
    else:
        encoder = _fit_columns(schema, found.encodings, form)
    return replace(encoder, notes=(*found.notes, *encoder.notes), warnings=found.warnings)


def _fit_columns(schema: Schema, encodings: Sequence[Encoding], form: Form) -> FeatureEncoder:
    table = TableEncoding(tuple(encodings), is_sparse=False)
    if not form.is_dense and table.n_slots < SPARSE * table.n_features:
        table = replace(table, is_sparse=True)
    return FeatureEncoder(schema, "columns", table=table)


def _fit_numbers(
    schema: Schema, inputs: Inputs, rows: Rows | None, weights: Float64 | None, form: Form
) -> FeatureEncoder:
    """Of columns that are all numbers, and all there in the training rows."""
    fit = _fit_robust if form.is_robust else _fit_standard
    encoder = fit(schema, inputs, rows, weights)
    constant = sorted(set(range(schema.n_features)) - set(encoder.numbers))
    if not len(constant):
        return encoder
    names = [schema.names[j] if schema.names else str(j) for j in constant]
    many = len(names) > 1
    note = (
        f"{len(names)} column{'s' * many} {'have' if many else 'has'} one value only in the training rows and"
        f" {'carry' if many else 'carries'} nothing: {shown(names)}"
    )
    return replace(encoder, notes=(note,))


def _fit_robust(schema: Schema, inputs: Inputs, rows: Rows | None, weights: Float64 | None) -> FeatureEncoder:
    learned = [median_and_inverse_range(values, weights) for values in _columns(inputs, rows)]
    median, inverse_range = np.array(learned).T.copy()
    return FeatureEncoder(schema, "robust", median=median, inverse_range=inverse_range)


def _columns(inputs: Inputs, rows: Rows | None) -> Iterator[Float64]:
    """The values of each column in some rows (None: in all), float64 (n,), which the next one may overwrite."""
    if isinstance(inputs, Table):
        for column in inputs.columns:
            yield (column.values if rows is None else column.values[rows]).astype(np.float64)
    elif isinstance(inputs, Matrix):
        n_rows = inputs.n_rows if rows is None else len(rows)
        group_dn = np.empty((max(1, min(GROUP, inputs.n_features, PART_BYTES // (8 * n_rows))), n_rows))
        for first in range(0, inputs.n_features, len(group_dn)):
            group = inputs.values[:, first : first + len(group_dn)]
            columns_dn = group_dn[: group.shape[1]]
            columns_dn[:] = (group if rows is None else group[rows]).T
            yield from columns_dn
    else:
        learned = inputs if rows is None else inputs.take(rows)
        order, values = np.argsort(learned.indices, kind="stable"), np.empty(len(learned))
        rows_of_values = learned.rows_of_values()
        ends = np.bincount(learned.indices, minlength=inputs.n_features).cumsum()
        for places in np.split(order, ends[:-1]):
            values.fill(0)
            values[rows_of_values[places]] = learned.values[places]
            yield values


def _fit_standard(schema: Schema, inputs: Inputs, rows: Rows | None, weights: Float64 | None) -> FeatureEncoder:
    weights = None if weights is None else in_range(weights)
    n = float(weights.sum()) if weights is not None else inputs.n_rows if rows is None else len(rows)
    low, high = np.full(schema.n_features, np.inf), np.full(schema.n_features, -np.inf)
    mean, variance = np.zeros(schema.n_features), np.zeros(schema.n_features)
    with np.errstate(over="ignore", invalid="ignore"):
        for block_dn, weights_n in _weighted_blocks(inputs, rows, weights):
            np.minimum(low, block_dn.min(axis=1), out=low)
            np.maximum(high, block_dn.max(axis=1), out=high)
            mean += _times(block_dn, weights_n).sum(axis=1) / n
        for block_dn, weights_n in _weighted_blocks(inputs, rows, weights):
            variance += _times(_squares(block_dn, mean[:, None]), weights_n).sum(axis=1) / n
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        column = int(np.argmin(np.isfinite(variance)))
        span = f"{low[column]:g} to {high[column]:g}"
        raise InputError(f"{schema.name_of(column)} spans {span}, too wide to be standardised; rescale it.")
    is_constant = low == high
    spread = np.sqrt(variance)
    is_constant |= spread == 0
    inverse = np.where(is_constant, 0.0, 1.0 / np.where(is_constant, 1.0, spread))
    return FeatureEncoder(schema, "standard", mean, inverse)


def _fit_scaled(schema: Schema, inputs: SparseMatrix, rows: Rows | None, weights: Float64 | None) -> FeatureEncoder:
    """One scale for all columns of about the same size, so that they stay comparable; for the others, one of their own.

    A column's size is the root of the mean square of its values that are not zero.
    """
    largest = np.zeros(schema.n_features)
    for indices, magnitudes, _ in _value_blocks(inputs, rows):
        np.maximum.at(largest, indices, magnitudes)
    is_used = largest > 0
    if not is_used.any():
        raise InputError("all features are 0 in all training rows: nothing can be learned.")
    counts, squares = np.zeros(schema.n_features), np.zeros(schema.n_features)
    unit = np.where(is_used, largest, 1.0)  # a square of 1e200 is out of range
    weights = None if weights is None else in_range(weights)
    for indices, magnitudes, each in _value_blocks(inputs, rows, weights):
        np.add.at(counts, indices, np.sign(magnitudes) * each)
        np.add.at(squares, indices, (magnitudes / unit[indices]) ** 2 * each)
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
