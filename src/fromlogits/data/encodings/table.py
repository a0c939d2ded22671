"""Columns of different kinds, each by its own encoding, put side by side: dense rows, or sparse ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from ...errors import InputError, brief
from ..columns import ColumnFault
from ..features import EncodedRows, Features, SparseFeatures
from ..memory import refuse_too_large
from ..origin import Origin
from ..table import Column
from .base import Encoding
from .category import Category
from .code import Code
from .levels import Levels
from .moment import Moment
from .number import Number

ENCODINGS: dict[str, Any] = {one.kind: one for one in (Number, Category, Code, Levels, Moment)}
BLOCK_ROWS = 8192  # rows whose slots are in memory at a time


@dataclass(frozen=True)
class TableEncoding:
    """How the columns of a table become features.

    Attributes:
        columns: of each column, in the schema's order.
        is_sparse: rows are encoded sparse, in training and in prediction alike.
    """

    columns: tuple[Encoding, ...]
    is_sparse: bool

    @property
    def n_features(self) -> int:
        return sum(one.n_features for one in self.columns)

    @property
    def n_slots(self) -> int:
        """How many features of a row are not 0 at most."""
        return sum(one.n_slots for one in self.columns)

    @cached_property
    def _starts(self) -> list[int]:
        """The first feature of each column."""
        return list(accumulate((one.n_features for one in self.columns[:-1]), initial=0))

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The features that are numbers, and not the same in all training rows."""
        starts = zip(self._starts, self.columns, strict=True)
        return tuple(start + place for start, one in starts for place in one.numbers)

    @cached_property
    def categories(self) -> tuple[tuple[int, int], ...]:
        """The features that are codes, and how many codes there are."""
        starts = zip(self._starts, self.columns, strict=True)
        return tuple(
            (start + one.n_features - 1, one.n_codes)
            for start, one in starts
            if isinstance(one, (Code, Levels)) and one.n_codes
        )

    def encode(
        self,
        columns: Sequence[Column],
        names: Sequence[str],
        origin: Origin,
        start: int,
        stop: int,
        unseen: Counter[str] | None = None,
        release: Callable[[int, int], None] | None = None,
    ) -> EncodedRows:
        """Rows from start to stop.

        Args:
            columns: in the schema's order; all rows.
            names: of the columns, as a message has them.
            origin: of the rows.
            start, stop: rows.
            unseen: the rows with a value that the training never had are added to it, by the name in `names`.
            release: called with the first and the last row, exclusive, of those that are encoded.

        Raises InputError for a value of another kind than in training.
        """
        blocks = self._blocks(columns, names, origin, start, stop, unseen, release)
        if self.is_sparse:
            return _sparse(blocks, self.n_features)
        refuse_too_large(stop - start, self.n_features, "features")
        encoded_nd = np.zeros((stop - start, self.n_features), np.float32)
        done = 0
        for features, values in blocks:
            rows, slots = np.nonzero(values)
            encoded_nd[done + rows, features[rows, slots]] = values[rows, slots]
            done += len(values)
        return Features(encoded_nd)

    def _blocks(
        self,
        columns: Sequence[Column],
        names: Sequence[str],
        origin: Origin,
        start: int,
        stop: int,
        unseen: Counter[str] | None,
        release: Callable[[int, int], None] | None,
    ) -> Iterator[tuple[Any, Any]]:
        """Features and values (rows, slots) of some rows at a time; a value of 0 is no feature."""
        for first in range(start, stop, BLOCK_ROWS):
            last = min(first + BLOCK_ROWS, stop)
            features = np.empty((last - first, self.n_slots), np.int32)
            values = np.empty((last - first, self.n_slots), np.float32)
            at = 0
            faults: list[tuple[int, str, str, ColumnFault]] = []
            for column, name, encoding, offset in zip(columns, names, self.columns, self._starts, strict=True):
                try:
                    slots = encoding.encode(column.part(first, last))
                except ColumnFault as fault:
                    faults.append((fault.row or 0, column.name, name, fault))
                    continue
                if unseen is not None and slots.n_unseen:
                    unseen[name] += slots.n_unseen
                here = slice(at, at + encoding.n_slots)
                features[:, here] = slots.features + np.int32(offset)
                values[:, here] = slots.values
                at += encoding.n_slots
            if faults:  # the first row, whatever rows are encoded together
                _, column_name, name, earliest = min(faults, key=lambda one: one[0])
                cure = earliest.cure_for_model(column_name, origin)
                raise InputError(f"{earliest.told(name, origin, first)}. {cure}")
            if release is not None:
                release(first, last)
            yield features, values

    def to_json(self) -> dict[str, Any]:
        return {"is_sparse": self.is_sparse, "columns": [one.to_json() for one in self.columns]}

    @classmethod
    def from_json(cls, value: object) -> TableEncoding:
        """The inverse of `to_json`; raises InputError on anything else."""
        if not isinstance(value, dict) or set(value) != {"is_sparse", "columns"}:
            raise InputError("encoder: table must be an object with is_sparse and columns.")
        if type(value["is_sparse"]) is not bool or not isinstance(value["columns"], list):
            raise InputError("encoder: is_sparse must be true or false, and columns a list.")
        return cls(tuple(_from_json(one) for one in value["columns"]), value["is_sparse"])


def _from_json(value: object) -> Encoding:
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in ENCODINGS:
        raise InputError(f"encoder: unknown kind of column {brief(kind)}.")
    one: Encoding = ENCODINGS[kind].from_json(value)
    return one


def _sparse(blocks: Iterator[tuple[Any, Any]], n_features: int) -> SparseFeatures:
    counts, indices, values = [np.zeros(1, np.int64)], [], []
    for block_features, block_values in blocks:
        is_there = block_values != 0
        counts.append(is_there.sum(axis=1))
        indices.append(block_features[is_there])
        values.append(block_values[is_there])
    return SparseFeatures(np.concatenate(counts).cumsum(), np.concatenate(indices), np.concatenate(values), n_features)
