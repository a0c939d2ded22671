"""The pictures of a folder or a zip file, and the class of each: the folder at the top that it lies in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ...errors import InputError, counted, one_line
from .decode import IN_WORDS
from .stores import Store, is_other_picture, is_picture

FILE = "file"
"""The column of the predictions that names the pictures of a folder."""


@dataclass(frozen=True)
class Listed:
    """Pictures by name, in the order of their names.

    Attributes:
        names: with / between folders.
        classes: of each, or None where they were not wanted.
        notes: what was left out.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]

    def take(self, rows: range) -> Listed:
        """Some pictures, one behind the other."""
        span = slice(rows.start, rows.stop)
        return replace(self, names=self.names[span], classes=None if self.classes is None else self.classes[span])


def list_pictures(store: Store, what: str, *, labelled: bool) -> Listed:
    """All pictures in the folder and below it; of files that are none by their names it is said how many there are.

    Raises InputError where there is none, or where one has no class and `labelled` wants it.
    """
    pictures: list[str] = []
    others: list[str] = []
    for name in store.names():
        is_wanted = name.endswith("/") or is_picture(name) or is_other_picture(name)
        (pictures if is_wanted else others).append(name)
    pictures.sort()
    if not pictures:
        raise InputError(f"{what} holds no {IN_WORDS} picture; a table is a file, and is named by its own name.")
    notes: tuple[str, ...] = ()
    if others:
        such = one_line(min(others))
        one = len(others) == 1
        files, were = ("1 file that is", "was") if one else (f"{len(others):,} files that are", "were")
        notes = (f"{what}: {files} no picture by name {were} left out{':' if one else ', such as'} {such}",)
    if not labelled:
        return Listed(tuple(pictures), None, notes)
    top = _common_top(pictures)
    classes = [name.removeprefix(top).rstrip("/").partition("/") for name in pictures]
    if not all(rest or name.endswith("/") for name, (_, _, rest) in zip(pictures, classes, strict=True)):
        without = [name for name, (_, _, rest) in zip(pictures, classes, strict=True) if not rest]
        if len(without) == len(pictures):
            raise InputError(
                f"{what} holds {counted(len(pictures), 'picture')} and no folder for each class. Put those of a class"
                " into a folder of its name; or train on a table that names them, with --images COLUMN."
            )
        stand = "stands" if len(without) == 1 else "stand"
        raise InputError(
            f"{what}: {len(without):,} of {len(pictures):,} pictures {stand} beside the folders of the classes, such as"
            f" {one_line(without[0])}. Put each into the folder of its class."
        )
    named = tuple(name for name, _, _ in classes)
    notes += without_rows(what, {*store.folders(top)} - {*named}, "is in")
    return Listed(tuple(pictures), named, notes)


def without_rows(what: str, classes: Collection[str], why: str) -> tuple[str, ...]:
    """The note that no row is of some classes, if there are such, though their folders are there.

    Args:
        what: the folder as a message names it.
        classes: the names of their folders.
        why: what no picture does, to stand before the folder: "is in", "can be read of".
    """
    if not classes:
        return ()
    names = ", ".join(map(one_line, sorted(classes)))
    folders, these = ("folder", "this class") if len(classes) == 1 else ("folders", "these classes")
    return (f"{what}: no picture {why} the {folders} {names}, so no row is of {these}",)


def _common_top(names: list[str]) -> str:
    """The folder that holds all others, as a packed folder has it; "" where there is none."""
    top = f"{names[0].partition('/')[0]}/"
    is_above_folders = all(name.startswith(top) and "/" in name.removeprefix(top).rstrip("/") for name in names)
    return top if is_above_folders else ""
