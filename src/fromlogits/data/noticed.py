"""What rows bring to a model, known before they are used: values that are missing or unseen, columns of no use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .columns import ColumnFault, number_fault_of, unusable_columns
from .table import Column, Inputs, SparseMatrix, Table, columns_of

if TYPE_CHECKING:
    from .encoders import FeatureEncoder


class Noticed:
    """Counted part by part, to the same result as at once.

    Attributes:
        unusable: columns that hold what the model can't take, in the model's order.
    """

    def __init__(self, encoder: FeatureEncoder) -> None:
        self.encoder = encoder
        self._counts: dict[str, tuple[int, int]] = {}
        self._faulty: set[str] = set()
        self._place: dict[str, int] = {}

    def add(self, inputs: Inputs) -> None:
        """Further rows, yes and no in them as the model learned them.

        Raises InputError where columns that the model needs are not there.
        """
        inputs, _ = self.encoder.schema.match(inputs)
        if isinstance(inputs, SparseMatrix):
            return
        if not isinstance(inputs, Table):
            self.encoder.refuse_gaps(inputs)
            if inputs.seen_by is not None or (self.encoder.takes_pictures and inputs.values.dtype == np.uint8):
                return  # bytes are all there, and of many thousand columns none needs a look
        for place, column in enumerate(columns_of(inputs)):
            self._place[column.name] = place
            try:
                found = self._of(column)
            except ColumnFault:
                self._faulty.add(column.name)
                continue
            before = self._counts.get(column.name, (0, 0))
            self._counts[column.name] = before[0] + found[0], before[1] + found[1]

    @property
    def unusable(self) -> list[str]:
        return [name for name in self._place if name in self._faulty]

    def counts(self) -> list[tuple[str, int, int]]:
        """Of each column its name, how many rows have no value, and how many one that the training knew nothing of.

        Where all columns are numbers, only of those in which something is missing.
        """
        counts = [(name, *counts) for name, counts in self._counts.items()]
        return counts if self.encoder.table is not None else [one for one in counts if one[1]]

    def refusal(self, whole_column: Callable[[str], Table]) -> InputError:
        """The error for the unusable columns, of which the first is given, all its rows."""
        name, *others = self.unusable
        table = whole_column(name)
        try:
            self._of(table.columns[0])
        except ColumnFault as fault:
            if self.encoder.table is None:
                return unusable_columns(name, fault, others, table.origin, is_for_model=True)
            cure = fault.cure_for_model(name, table.origin)
            return InputError(f"{fault.told(f'column {name!r}', table.origin)}. {cure}")
        raise AssertionError(f"column {name!r} has no fault when it is read again")

    def _of(self, column: Column) -> tuple[int, int]:
        """Missing and unseen values; raises ColumnFault."""
        if self.encoder.table is not None:
            return self.encoder.table.columns[self._place[column.name]].noticed(column)
        if fault := number_fault_of(column, may_miss=not self.encoder.takes_pictures):
            raise fault
        return 0 if column.missing is None else int(column.missing.sum()), 0
