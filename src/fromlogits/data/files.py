"""Files before their format matters: there or not, what they look like, their bytes with their digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import InputError, nearest

CHUNK_BYTES = 1 << 20
ZIP_METHODS = (0, 8)
"""How an entry of a zip file may be packed: not at all, or deflated, as nearly all are. Of other methods (bzip2, LZMA)
Python unpacks all that it has read at once, and a kilobyte of bzip2 can hold gigabytes."""

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


def stored_chunks(path: Path, sha: Any) -> Iterator[bytes]:
    """The file's bytes as stored; each chunk goes into the hash `sha` first."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sha.update(chunk)
            yield chunk


def head_of(path: Path) -> bytes:
    """The first bytes of a file as stored."""
    with path.open("rb") as file:
        return file.read(64)


def hashing(path: Path) -> Callable[[], str]:
    """Start to hash the file as stored, beside whatever else is done with it.

    Returns:
        A function that waits for the SHA-256, in hex.
    """

    def digest() -> str:
        sha = hashlib.sha256()
        for _ in stored_chunks(path, sha):
            pass
        return sha.hexdigest()

    thread = ThreadPoolExecutor(1)
    found = thread.submit(digest)
    thread.shutdown(wait=False)
    return found.result
