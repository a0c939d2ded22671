"""Files before their format matters: there or not, what they look like, their bytes with their digest."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError, nearest

CHUNK_BYTES = 1 << 20

_SIGNATURES = (
    (b"\x1f\x8b", "a gzip file"),
    (b"PAR1", "a Parquet file"),
    (b"PK\x03\x04", "a zip file (.npz and .xlsx are such)"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x93NUMPY", "a NumPy .npy file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x7fELF", "a program"),
    (b"\x00\x00\x08", "an IDX file"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)


def looks_like(head: bytes) -> str:
    """What a file that starts with these bytes is known to be; "" where unknown."""
    return next((name for signature, name in _SIGNATURES if head.startswith(signature)), "")


def existing_file(path: str | Path) -> Path:
    """The path, if a file that can be read stands there."""
    path = Path(path)
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:  # DuckDB takes no other names
        raise InputError(f"the name of the file must be UTF-8 text; rename {os.fspath(path)!a}.") from None
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it.")
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise InputError(f"no such file: {path} (there is no folder {folder}).")
        raise InputError(f"no such file: {path}.{nearest(path.name, (entry.name for entry in folder.iterdir()))}")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} can't be read: permission denied.")
    return path


def is_gzip(path: Path) -> bool:
    """Whether the file says in its name that it is gzip data."""
    return path.suffix.lower() == ".gz"


def stored_chunks(path: Path, sha: Any) -> Iterator[bytes]:
    """The file's bytes as stored; each chunk goes into the hash `sha` first."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sha.update(chunk)
            yield chunk


def unzipped(stored: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """What gzip data holds, in chunks of at most CHUNK_BYTES; several members in a row are one text.

    Raises InputError where the data is damaged (its checksum is compared), cut off, or no gzip data.
    """
    unzip = zlib.decompressobj(wbits=31)
    is_first = True
    for data in stored:
        if is_first and not data.startswith(b"\x1f\x8b"):
            known = looks_like(data)
            what = f"it looks like {known}" if known else "it does not start as one"
            raise InputError(f"{path.name} must be a gzip file, as its name says; {what}.")
        is_first = False
        while data:
            if unzip.eof:
                data = data.lstrip(b"\0")  # padding behind a member
                if not data:
                    break
                unzip = zlib.decompressobj(wbits=31)
            try:
                text = unzip.decompress(data, CHUNK_BYTES)
            except zlib.error:
                raise InputError(f"{path.name} is damaged: its gzip data can't be read. Copy it again.") from None
            data = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
            if text:
                yield text
    if is_first:
        raise InputError(f"{path.name} is empty; it must be a gzip file.")
    if not unzip.eof:
        raise InputError(f"{path.name} is cut off: its gzip data ends too early. Copy it again.")
