"""Packed files: gzip and Zstandard, unpacked piece by piece with their checksums compared."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, cast

from ..errors import InputError
from .files import CHUNK_BYTES, looks_like, stored_chunks

Packing = Literal["none", "gzip", "zstd"]
ENDINGS: dict[str, Packing] = {".gz": "gzip", ".zst": "zstd"}
SIGNATURES: dict[Packing, bytes] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
KINDS: dict[Packing, str] = {"gzip": "a gzip file", "zstd": "a Zstandard file"}
MAX_WINDOW_LOG = 27  # 128 MiB; `zstd --long` without a number stays within it
MAX_RATIO: dict[Packing, int] = {"none": 1, "gzip": 1032, "zstd": 1 << 17}
"""No packed file can hold more than this times its size: deflate's limit, and a block of 128 KiB in one byte."""


def packing(path: Path) -> Packing:
    """How the file says in its name that it is packed."""
    return ENDINGS.get(path.suffix.lower(), "none")


def packing_of(head: bytes) -> Packing:
    """How data that begins with these bytes is packed."""
    return next((kind for kind, signature in SIGNATURES.items() if head.startswith(signature)), "none")


def unpacked_name(name: str) -> str:
    """A file's name in lower case, without .gz or .zst."""
    return name.lower().removesuffix(".gz").removesuffix(".zst")


def content_chunks(path: Path, sha: Any) -> Iterator[bytes]:
    """What the file holds, unpacked as its name says; its bytes as stored go into the hash `sha`."""
    return unpacked(stored_chunks(path, sha), packing(path), path.name)


def open_content(path: Path) -> IO[bytes]:
    """What the file holds, unpacked as its name says, to be read again."""
    kind = packing(path)
    if kind == "gzip":
        return cast(IO[bytes], gzip.GzipFile(path))
    return cast(IO[bytes], _zstd().ZstdFile(path)) if kind == "zstd" else path.open("rb")


def unpacked(stored: Iterator[bytes], kind: Packing, name: str) -> Iterator[bytes]:
    """What packed data holds, in chunks of at most CHUNK_BYTES; several members in a row are one content.

    Raises InputError where the data is damaged (its checksum is compared), cut off, or not packed so.
    """
    return stored if kind == "none" else _unpacked(stored, kind, name)


def _unpacked(stored: Iterator[bytes], kind: Packing, name: str) -> Iterator[bytes]:
    words = KINDS[kind]
    member = _member(kind)
    is_first = True
    for data in stored:
        if is_first and not data.startswith(SIGNATURES[kind][: len(data)]):
            known = looks_like(data)
            what = f"it looks like {known}" if known else "it does not start as one"
            raise InputError(f"{name} must be {words}, as its name says; {what}.")
        is_first = False
        while data or not member.needs_input:
            if member.eof:
                if kind == "gzip":
                    data = data.lstrip(b"\0")  # padding behind a member
                if not data:
                    break
                member = _member(kind)
            try:
                text = member.decompress(data, CHUNK_BYTES)
            except member.errors:
                raise InputError(f"{name} is damaged: its {kind} data can't be read. Copy it again.") from None
            data = member.rest()
            if text:
                yield text
    if is_first:
        raise InputError(f"{name} is empty; it must be {words}.")
    if not member.eof:
        raise InputError(f"{name} is cut off: its {kind} data ends too early. Copy it again.")


class _Gzip:
    """zlib's object with the manner of zstd's."""

    needs_input = True
    errors = zlib.error

    def __init__(self) -> None:
        self._unzip = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._unzip.eof

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._unzip.decompress(data, most)

    def rest(self) -> bytes:
        return self._unzip.unused_data if self._unzip.eof else self._unzip.unconsumed_tail


class _Zstd:
    """What is not used yet is kept inside, as `needs_input` says."""

    def __init__(self) -> None:
        zstd = _zstd()
        self.errors = zstd.ZstdError
        options = {zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
        self._unzip = zstd.ZstdDecompressor(options=options)

    @property
    def eof(self) -> bool:
        return bool(self._unzip.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._unzip.eof or self._unzip.needs_input)

    def decompress(self, data: bytes, most: int) -> bytes:
        return bytes(self._unzip.decompress(data, most))

    def rest(self) -> bytes:
        return bytes(self._unzip.unused_data) if self._unzip.eof else b""


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _member(kind: Packing) -> _Gzip | _Zstd:
    return _Gzip() if kind == "gzip" else _Zstd()
