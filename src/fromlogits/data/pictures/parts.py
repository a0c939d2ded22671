"""Pictures for a model to predict, decoded some at a time: of many thousands a few are in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..origin import Origin
from ..stream import Part
from ..table import Column
from .asked import Asked, names_column
from .pixels import Encoded, Tally

PART_BYTES = 1 << 25
"""Of pixels at a time."""


class PictureParts:
    """Parts one after the other.

    Args:
        asked: bad pictures marked, whether they are refused in the end or not.
        what: the file or folder as a message names it.
    """

    def __init__(self, asked: Asked, what: str) -> None:
        self._asked, self._what = asked, what
        self._tally = Tally(what)

    @property
    def n_rows(self) -> int:
        """Of a part, at most."""
        return max(1, PART_BYTES // math.prod(self._asked.shape or (PART_BYTES,)))

    def part(
        self,
        pictures: Callable[[], Iterable[Encoded]],
        n: int,
        origin: Origin,
        column: str,
        copied: Sequence[Column] = (),
    ) -> Iterator[Part]:
        """A part of n rows; none once a picture is known to be bad and all are refused for it.

        Args:
            pictures: gives them anew each time.
            origin: says where a row stands.
            column: of the predictions, that names the pictures.
            copied: further columns of the predictions.
        """
        rows = self._asked.read(pictures, n, self._what, column)
        self._tally.add(rows.found.tally)
        if self._asked.reading.skip_bad:
            yield Part(rows.matrix(origin), (names_column(column, rows.names), *copied), rows.bad)
        elif not self._tally.bad:
            yield Part(rows.matrix(origin), (names_column(column, rows.names), *copied))

    def end(self) -> None:
        """Raise InputError for bad pictures, all of them known now, where they are refused."""
        if self._tally.bad and not self._asked.reading.skip_bad:
            raise self._tally.refusal()

    def notes(self) -> tuple[str, ...]:
        return tuple(self._tally.notes(marks_bad=True))
