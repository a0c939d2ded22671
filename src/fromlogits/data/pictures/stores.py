"""Where picture files lie: a folder or a zip file, out of which no name leads."""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ...errors import InputError, nearest
from ..files import ZIP_METHODS, head_of
from .decode import ENDINGS, BadPicture

MAX_FILE_BYTES = 1 << 29
"""Of one picture file."""
TOO_LARGE = f"it has more than {MAX_FILE_BYTES >> 20} MiB"
OTHER_PICTURES = (
    ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".svg", ".psd", ".ico", ".tga", ".raw", ".dng", ".cr2", ".nef",
    ".arw", ".exr", ".hdr", ".pcx",
)  # fmt: skip
"""Of pictures that are not read: to pass over them would be to lose rows."""
HIDDEN = (".", "__MACOSX")


class Store(Protocol):
    """Files by their names, with / between folders."""

    path: Path

    def names(self) -> Iterator[str]:
        """Of all files, in no order; hidden ones are left out. A link to a folder is not followed and ends in /."""
        ...

    def folders(self, inside: str) -> Iterator[str]:
        """The names of the folders right inside of one ("a/"; "": of the root), in no order, without hidden ones."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a file; raises BadPicture. Several threads may read."""
        ...


def opened(path: Path, option: str = "") -> Store:
    """A folder or a zip file; raises InputError that names the option."""
    what = f"{option} {path}" if option else str(path)
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        hint = nearest(path.name, (entry.name for entry in path.parent.iterdir())) if path.parent.is_dir() else ""
        raise InputError(f"{what}: there is no such folder or zip file.{hint}")
    if not path.is_file() or not head_of(path).startswith(b"PK"):
        raise InputError(f"{what} must be a folder or a zip file.")
    return Zip(path)


class Folder:
    """A folder; a link is followed only if it stays inside.

    Args:
        hint: for files that are not there.
    """

    def __init__(self, path: Path, hint: str = "") -> None:
        self.path, self._hint = path, hint
        self._root = os.path.realpath(path)

    def names(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self._root, onerror=_refuse):
            folders[:] = [name for name in folders if not name.startswith(HIDDEN)]
            inside = os.path.relpath(folder, self._root).replace(os.sep, "/")
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for name in (*(f"{link}/" for link in links), *files):
                if not name.startswith(HIDDEN):
                    yield name if inside == "." else f"{inside}/{name}"

    def folders(self, inside: str) -> Iterator[str]:
        for entry in os.scandir(os.path.join(self._root, inside)):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(HIDDEN):
                yield entry.name

    def read(self, name: str) -> bytes:
        with _reasons(f"{self.path}{self._hint}"):
            if name.endswith("/") and os.path.islink(os.path.join(self._root, name.rstrip("/"))):
                raise BadPicture("it is a link to a folder, which is not followed")
            path = os.path.realpath(os.path.join(self._root, name))
            if os.path.commonpath((self._root, path)) != self._root:
                raise BadPicture(f"it lies outside of {self.path}")
            return _content(path)


class File:
    """A file that was named itself, and may be a link to anywhere."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> Iterator[str]:
        yield self.path.name

    def folders(self, inside: str) -> Iterator[str]:
        yield from ()

    def read(self, name: str) -> bytes:
        with _reasons(str(self.path.parent)):
            return _content(self.path)


@contextlib.contextmanager
def _reasons(folder: str) -> Iterator[None]:
    """What goes wrong with a file in the folder is why its picture can't be read."""
    try:
        yield
    except FileNotFoundError:
        raise BadPicture(f"there is no such file in {folder}") from None
    except OSError as error:
        raise BadPicture((error.strerror or str(error)).lower()) from None
    except ValueError:  # a NUL in the name
        raise BadPicture("no file can have this name") from None


def _content(path: str | Path) -> bytes:
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise BadPicture("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise BadPicture("it is not a regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise BadPicture(TOO_LARGE)
    with open(path, "rb") as file:
        return file.read(MAX_FILE_BYTES)


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: {(error.strerror or str(error)).lower()}.")


class Zip:
    """A zip file; its entries are read by several threads, one at a time off the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise InputError(f"{path.name} is no zip file, or it is cut off or damaged.") from None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._repeated: set[str] = set()
        for entry in self._archive.infolist():
            if entry.filename in self._entries:
                self._repeated.add(entry.filename)
            self._entries[entry.filename] = entry

    def names(self) -> Iterator[str]:
        for name, entry in self._entries.items():
            if not entry.is_dir() and not any(part.startswith(HIDDEN) and part != ".." for part in name.split("/")):
                yield name

    def folders(self, inside: str) -> Iterator[str]:
        below = (name.removeprefix(inside) for name in self._entries if name.startswith(inside))
        yield from {
            name
            for name, slash, _ in (name.partition("/") for name in below)
            if name and slash and not name.startswith(HIDDEN)
        }

    def read(self, name: str) -> bytes:
        if name.startswith("/") or ".." in name.split("/"):
            raise BadPicture(f"its name leads out of {self.path.name}")
        entry = self._entries.get(name)
        if entry is None:
            is_folder = f"{name.rstrip('/')}/" in self._entries
            raise BadPicture("it is a folder" if is_folder else f"there is no such file in {self.path.name}")
        if entry.is_dir():
            raise BadPicture("it is a folder")
        if name in self._repeated:
            raise BadPicture(f"it is in {self.path.name} more than once")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BadPicture("it is a link")
        if entry.flag_bits & 1:
            raise BadPicture("it is encrypted")
        if entry.compress_type not in ZIP_METHODS:
            raise BadPicture(f"{self.path.name} has it packed in another way than deflated, which is not read")
        if entry.file_size > MAX_FILE_BYTES:
            raise BadPicture(TOO_LARGE)
        try:
            with self._archive.open(entry) as file:
                data = file.read(entry.file_size + 1)
        except MemoryError:
            raise
        except Exception:  # the zip module raises whatever its parsing runs into
            raise BadPicture(f"{self.path.name} is damaged there") from None
        if len(data) != entry.file_size:
            raise BadPicture(f"{self.path.name} is damaged there")
        return data


def is_one_file(path: Path) -> bool:
    """Whether it is to be one picture, and neither a folder of them nor a zip file by its name or its first bytes."""
    return not path.is_dir() and path.suffix.lower() != ".zip" and not head_of(path).startswith(b"PK")


def is_picture(name: str) -> bool:
    """By its ending."""
    return name.lower().endswith(ENDINGS)


def is_other_picture(name: str) -> bool:
    """A picture of a form that is not read, by its ending."""
    return name.lower().endswith(OTHER_PICTURES)
