"""NumPy archives: the arrays X and y, optional weights and names of classes and features. Nothing is unpickled."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from .files import CHUNK_BYTES, ZIP_METHODS, hashing, head_of, looks_like

NAMES = ("X", "y", "classes", "features", "sample_weight")
OF_TARGETS = ("y", "sample_weight")
"""What is not read where targets are not needed."""
SHOWN = 10
MAX_DEFLATE_RATIO = 1032
DAMAGE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, RuntimeError, OSError, ValueError, OverflowError),
)
"""What the libraries say of a damaged archive."""
HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class Archive:
    """The arrays as stored, the names of those that are not known, and the SHA-256 of the file."""

    X: NDArray[Any]
    y: NDArray[Any] | None
    classes: NDArray[Any] | None
    features: NDArray[Any] | None
    sample_weight: NDArray[Any] | None
    unknown: tuple[str, ...]
    digest: str


def read_npz(path: Path, *, labelled: bool) -> Archive:
    """The arrays of an .npz file, their sizes checked before memory is taken."""
    digest = hashing(path)
    with _opened(path) as archive:
        members = _members(path, archive)
        wanted = [name for name in NAMES if name in members and (labelled or name not in OF_TARGETS)]
        arrays = {name: _array(path, archive, members[name], name) for name in wanted}
    if labelled and "y" not in arrays:
        raise InputError(f"{path.name} must hold the array y, the targets, beside X.")
    y, classes, features, weights = map(arrays.get, NAMES[1:])
    return Archive(arrays["X"], y, classes, features, weights, _unknown(members), digest())


@dataclass(frozen=True)
class Layout:
    """What the rows of an .npz file are, before they are read.

    Attributes:
        shape, dtype: of X.
        is_fortran: its values stand column by column.
        features: the array of their names, or None.
        unknown: names of arrays that are not known.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    features: NDArray[Any] | None
    unknown: tuple[str, ...]


def layout(path: Path) -> Layout:
    """All that `read_npz` tells of unlabelled rows but the rows."""
    with _opened(path) as archive:
        members = _members(path, archive)
        with _array_in(path, archive, members["X"], "X") as (_, shape, is_fortran, dtype):
            pass
        named = {
            name: _array(path, archive, members[name], name) for name in ("classes", "features") if name in members
        }
    return Layout(shape, dtype, is_fortran, named.get("features"), _unknown(members))


def rows_in_parts(path: Path, part_rows: int) -> Iterator[NDArray[Any]]:
    """X of an .npz file, so many rows at a time; its values stand row by row."""
    with (
        _opened(path) as archive,
        _array_in(path, archive, _members(path, archive)["X"], "X") as (member, shape, _, dtype),
    ):
        promised = math.prod(shape) * dtype.itemsize
        done = 0
        for start in range(0, shape[0], part_rows):
            values = np.empty((min(part_rows, shape[0] - start), *shape[1:]), dtype)
            _fill(values, member, f"{path.name}: array X", done, promised)
            done += values.nbytes
            yield values


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    head = head_of(path)
    try:
        if not head.startswith(b"PK\x03\x04") or not zipfile.is_zipfile(path):
            known = looks_like(head)
            if head.startswith(b"PK"):
                what = "it is cut off or damaged"
            else:
                what = f"it looks like {known}" if known else "it does not start as one" if head else "it is empty"
            raise InputError(f"{path.name} must be a NumPy .npz archive; {what}.")
        with zipfile.ZipFile(path) as archive:
            yield archive
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path.name} is damaged: {_line(error)}.") from None


def listed(names: Iterable[str]) -> str:
    """The first few names, which come from a stranger, within a line."""
    plain = [name if name.isprintable() and len(name) < 100 else brief(name) for name in sorted(names)]
    return ", ".join(plain[:SHOWN]) + (f" and {len(plain) - SHOWN:,} more" if len(plain) > SHOWN else "")


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays by their names; X is among them."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise InputError(f"{path.name} holds two arrays of one name; each must be there once.")
    if "X" not in members:
        raise InputError(
            f"{path.name} must hold the arrays X and y ({', '.join(NAMES[2:-1])} and {NAMES[-1]} may be there); it"
            f" holds {listed(members) or 'nothing'}."
        )
    return members


def _unknown(members: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in members if name not in NAMES)


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    with _array_in(path, archive, info, name) as (member, shape, is_fortran, dtype):
        values = np.empty(shape, dtype, order="F" if is_fortran else "C")
        _fill(values, member, f"{path.name}: array {name}", 0, values.nbytes)
    return values


@contextmanager
def _array_in(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str
) -> Iterator[tuple[IO[bytes], tuple[int, ...], bool, np.dtype[Any]]]:
    """A member at its first value, the array's shape, whether it stands column by column, and its type."""
    where = f"{path.name}: array {name}"
    if info.compress_type not in ZIP_METHODS:
        raise InputError(f"{where} is packed in another way than NumPy packs; save it by np.savez_compressed.")
    if info.file_size > max(info.compress_size, 1) * MAX_DEFLATE_RATIO:
        raise InputError(f"{where} is damaged: {info.compress_size:,} packed bytes can't hold {info.file_size:,}.")
    with archive.open(info) as member:
        try:
            version = np.lib.format.read_magic(member)
            shape, fortran, dtype = HEADER_READERS[version](member)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise
        except Exception as error:  # NumPy reads the header with Python's tokenizer, which has errors of its own
            raise InputError(f"{where} is no NumPy array of format 1 or 2: {_line(error)}.") from None
        if dtype.hasobject:
            raise InputError(
                f"{where} holds Python objects, which can hide code and are not read; save numbers or text."
            )
        promised, held = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
        if promised != held:
            raise InputError(f"{where} is damaged: its header promises {promised:,} bytes; {held:,} are there.")
        yield member, shape, fortran, dtype


def _fill(values: NDArray[Any], member: IO[bytes], where: str, start: int, promised: int) -> None:
    """Read an array, or a part of one of `promised` bytes that begins at the byte `start`."""
    flat = values.reshape(-1, order="A").view(np.uint8)
    done = 0
    while done < len(flat) and (part := member.read(min(len(flat) - done, CHUNK_BYTES))):
        flat[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    if done < len(flat):
        raise InputError(f"{where} is cut off: {start + done:,} of {promised:,} bytes are there.")
    if start + done == promised:
        member.read(1)  # nothing is left, and the checksum is compared


def _line(error: Exception) -> str:
    """What a library says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
