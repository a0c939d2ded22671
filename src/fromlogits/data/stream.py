"""A file's rows for a model, some at a time: the whole is never in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..errors import InputError
from .booleans import Booleans
from .table import Column, Inputs, Table, column_of

if TYPE_CHECKING:
    from .encoders import FeatureEncoder
    from .sources import Dataset

Found = TypeVar("Found")
PART_BYTES = 1 << 23
"""Of a file that is read in parts; some three parts are in memory, and what is made of one."""
NUMBER_BYTES, TEXT_BYTES = 9, 90


def rows_of_a_part(n_numbers: int, n_texts: int) -> int:
    """How many rows of so many columns are read at a time, where a file is read in parts."""
    return max(1, PART_BYTES // (NUMBER_BYTES * n_numbers + TEXT_BYTES * n_texts))


@dataclass(frozen=True)
class Part:
    """Consecutive rows.

    Attributes:
        features: with an origin that says where in the file they stand.
        copied: columns to stand before the predictions: ids, and those to keep.
        bad: rows without a prediction, whose pictures can't be read -> why; None where such rows are refused.
    """

    features: Inputs
    copied: tuple[Column, ...]
    bad: Mapping[int, str] | None = None

    def __len__(self) -> int:
        return len(self.features)


def checked_parts(found: Iterator[Found], made: Callable[[Found], Part]) -> Iterator[Part]:
    """Parts of what is found in a file, but for those without rows.

    What makes them may refuse a value. Whatever in the file can't be read is said before that, wherever it stands.
    """
    fault: InputError | None = None
    for one in found:
        if fault is not None:
            continue
        try:
            part = made(one)
        except InputError as error:
            fault = error
            continue
        if len(part):
            yield part
    if fault is not None:
        raise fault


@dataclass(frozen=True)
class Stream:
    """Rows in the file's order.

    Attributes:
        parts: the rows from the first to the last; InputError where the file is not as it must be, which may be known
            only behind the last.
        column: the same with nothing but one feature.
        notes: what was found, decided and converted, one sentence each; to be asked when all parts were taken.
    """

    parts: Callable[[], Iterator[Part]]
    column: Callable[[str], Iterator[Part]]
    notes: Callable[[], tuple[str, ...]]

    @classmethod
    def of_whole(cls, read: Callable[[], Dataset], *, marks_bad: bool = False) -> Stream:
        """Of a file that can't be read in parts: one part."""
        read_already: list[Dataset] = []

        def dataset() -> Dataset:
            if not read_already:
                read_already.append(read())
            return read_already[0]

        def parts() -> Iterator[Part]:
            kept = dataset().kept
            copied = (*dataset().ids.columns, *(kept.columns if kept is not None else ()))
            yield Part(dataset().features, copied, dataset().bad if marks_bad else None)

        def column(name: str) -> Iterator[Part]:
            yield Part(column_of(dataset().features, name), ())

        return cls(parts, column, lambda: dataset().notes)

    @classmethod
    def of_array(cls, parts: Callable[[], Iterator[Part]], notes: Callable[[], tuple[str, ...]]) -> Stream:
        """Of a matrix; its columns are known by their places too."""

        def column(name: str) -> Iterator[Part]:
            for part in parts():
                yield Part(column_of(part.features, name), ())

        return cls(parts, column, notes)

    def as_learned(self, encoder: FeatureEncoder) -> Stream:
        """With yes and no in the features of tables as a model learned them; each conversion is said once."""
        known: dict[str, Booleans | None] = {}
        said: dict[str, None] = {}

        def booleans_of(column: Column) -> Booleans | None:
            name = column.name
            if name not in known:
                known[name] = Booleans.of(
                    text for part in self.column(name) for text in column_of(part.features, name).columns[0].there
                )
            return known[name]

        def parts() -> Iterator[Part]:
            for part in self.parts():
                if isinstance(part.features, Table):
                    features, notes = encoder.as_learned(part.features, booleans_of)
                    said.update(dict.fromkeys(notes))
                    part = replace(part, features=features)
                yield part

        return replace(self, parts=parts, notes=lambda: (*self.notes(), *said))

    def whole_column(self, name: str) -> Table:
        """One feature of a table, all its rows."""
        tables = [part.features for part in self.column(name)]
        columns = [table[name] for table in tables if isinstance(table, Table)]
        is_missing = np.concatenate([column.is_missing for column in columns])
        column = Column(
            name,
            np.concatenate([column.values for column in columns]),
            is_missing if is_missing.any() else None,
            columns[0].kind,
        )
        return Table((column,), len(column.values), tables[0].origin)
