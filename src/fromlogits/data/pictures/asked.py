"""What a command and a model ask of picture files: which column names them, where they lie, what they become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...errors import InputError, counted
from ..arrival import Arrived
from ..origin import FileRows, Origin
from ..reading import Reading
from ..table import Column, Matrix, objects
from . import stores
from .cache import Cache
from .decode import BadPicture, Shape
from .files import PictureFiles
from .pixels import Encoded, Pixels, Wanted, read_pictures

if TYPE_CHECKING:
    from ..backbones.backbone import Backbone


class PictureBytes(Protocol):
    """A column of a table that holds picture files.

    Attributes:
        n_rows: how many rows there are.
        has_names: the pictures have names.
    """

    n_rows: int
    has_names: bool

    def __iter__(self) -> Iterator[tuple[bytes | None, str | None]]:
        """Of each row the bytes and the name of the picture, None where there is none; a few are in memory."""
        ...


@dataclass(frozen=True)
class Asked:
    """What pictures shall be.

    Attributes:
        shape: that a model knows, (h, w) or (h, w, channels), or that was said of rows of pixels.
        files: how the pictures that a model knows were made of files.
        reading: what is said by options.
        is_for_model: there is a model, or training rows, that these rows must be like.
        marks_bad: rows of bad pictures stay, where they are not refused.
        row: the one that is wanted; None: all.
    """

    shape: Shape | None
    files: PictureFiles | None
    reading: Reading
    is_for_model: bool
    marks_bad: bool
    row: int | None = None

    def rows(self, n: int, what: str) -> range:
        """Those of n rows that are wanted; InputError where they are not there.

        Args:
            what: the file or folder as a message names it.
        """
        if self.row is None:
            return range(n)
        if self.row >= n:
            raise InputError(
                f"--row must be 0 to {n - 1}, as {what} has {counted(n, 'row')}; got {self.row}. Rows are counted from"
                " 0."
            )
        return range(self.row, self.row + 1)

    def column(self, name: str) -> str | None:
        """The column that names pictures or holds them; None for a table of other features.

        Args:
            name: of the table.
        """
        column = self.reading.images or (self.files.column if self.files else None)
        if column is None and self.files is not None:
            raise InputError(
                f"{name}: the model learned from pictures; --images COLUMN says which column names them, or holds them."
            )
        if column is None and (option := self.reading.is_about_pictures):
            raise InputError(f"{name}: --{option} is for pictures; --images COLUMN says which column names them.")
        return column

    def read(self, pictures: Callable[[], Iterable[Encoded]], n: int, what: str, column: str | None) -> PictureRows:
        """Decode n pictures.

        Args:
            pictures: gives them anew each time.
            what: the file or folder as a message names it.
            column: that named them.
        """
        found = read_pictures(pictures, n, self._wanted(what), what)
        files = self.files if self.is_for_model else PictureFiles(column)
        shape = self.shape if self.is_for_model and self.shape is not None else found.shape
        return PictureRows(found, shape, files, self.marks_bad, self.reading.backbone)

    def _wanted(self, what: str) -> Wanted:
        reading = self.reading
        backbone = reading.backbone
        cache = None if reading.image_cache is None or backbone is not None else Cache(Path(reading.image_cache))
        bad: Any = "refuse" if not reading.skip_bad else "mark" if self.marks_bad else "drop"
        if not self.is_for_model:
            if self.shape is not None:
                raise InputError(f"{what}: --image-shape is for rows of pixels; files are resized to --image-size.")
            size = reading.image_size or (None if backbone is None else backbone.size)
            return Wanted(None, size, bad=bad, cache=cache, backbone=backbone)
        if self.shape is None or len(self.shape) < 2:
            raise InputError(f"{what}: the model's rows are no pictures, so it takes none.")
        channels = self.shape[2] if len(self.shape) == 3 else 1
        if channels not in (1, 3):
            raise InputError(f"{what}: the model's pictures have {channels} channels, which no picture file has.")
        shape = self.shape[:2] if channels == 1 else self.shape
        return Wanted(shape, is_exact=self.files is None, bad=bad, cache=cache, backbone=backbone)


@dataclass(frozen=True)
class PictureRows:
    """Pictures that were read.

    Attributes:
        found: their pixels, and what had to be said.
        shape: of each, as the model knows it.
        files: how they were made; None where the model knows arrays.
        marks_bad: rows of bad pictures are there.
        seen_by: as in `Matrix`.
    """

    found: Pixels
    shape: Shape
    files: PictureFiles | None
    marks_bad: bool
    seen_by: Backbone | None = None

    @property
    def bad(self) -> Mapping[int, str]:
        return self.found.tally.bad

    @property
    def good(self) -> list[int]:
        """The rows, as they came, whose pictures could be read."""
        return [row for row in range(len(self.found.names)) if row not in self.bad]

    @property
    def names(self) -> list[str]:
        """Of the pictures that are there."""
        names = self.found.names
        return list(names) if self.marks_bad else [names[row] for row in self.good]

    @property
    def digest(self) -> str:
        return self.found.digest

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.found.notes, *self.found.tally.notes(marks_bad=self.marks_bad))

    def matrix(self, origin: Origin) -> Matrix:
        """The rows, `origin` saying where each stands."""
        return Matrix(self.found.values, self.shape, None, origin, self.files, self.seen_by)


class PictureNames(FileRows):
    """Rows that are picture files of a folder: "photos/cat/a.jpg"; or a single one."""

    has_options = False

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        super().__init__(path)
        self.names = names

    def where(self, row: int) -> str:
        name = self.names[row]
        return name if name == self.path.name else f"{self.path.name}/{name}"


def in_store(store: stores.Store, names: Iterable[str | None]) -> Iterator[Encoded]:
    """Files by their names; None where a row names none."""
    for name in names:
        if name:
            shown = name.encode("utf-8", "backslashreplace").decode()  # a file's name may be no UTF-8
            yield Encoded(shown, lambda name=name: store.read(name))  # type: ignore[misc]
        else:
            yield Encoded("", _nameless)


def in_column(pictures: PictureBytes, origin: Origin) -> Iterator[Encoded]:
    """Files that stand in a table's rows."""
    for row, (data, name) in enumerate(pictures):
        yield Encoded(name or origin.where(row), _nameless if data is None else lambda data=data: data)  # type: ignore[misc]


def _nameless() -> bytes:
    raise BadPicture("the row has no picture")


def names_of(column: Column, what: str) -> list[str | None]:
    """A column of file names, None where a row has none; raises InputError where it holds no texts.

    Args:
        what: the table as a message names it.
    """
    if column.is_numeric and not column.is_missing.all():
        raise InputError(
            f"{what}: column {column.name!r} must hold the names of picture files, or the files; it holds numbers."
        )
    there = ~column.is_missing
    return [str(value) if is_there else None for value, is_there in zip(column.values, there, strict=True)]


def names_column(name: str, names: Sequence[str]) -> Column:
    """The names as a column, to stand in front of the predictions; no value where there is none."""
    missing = np.array([not one for one in names])
    return Column(name, objects(names, len(names)), missing if missing.any() else None)


def root_of(arrived: Arrived, reading: Reading) -> stores.Store:
    """Where the pictures lie that a table names."""
    if reading.image_root is not None:
        return stores.opened(Path(reading.image_root), "--image-root")
    return stores.Folder(arrived.path.parent, " (--image-root names another folder)")


def error_column(name: str, bad: Mapping[int, str], n: int) -> Column:
    """Why the pictures of some of n rows can't be read; no value where they can."""
    missing = np.array([row not in bad for row in range(n)])
    return Column(name, objects((bad.get(row, "") for row in range(n)), n), missing)
