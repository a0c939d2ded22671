"""A text file's bytes, looked at before any line of it is: they must be UTF-8 text, whole and under the right name."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from .files import looks_like
from .packed import content_chunks

_CONTROL_BYTES = re.compile(rb"[\x01-\x08\x0e-\x1f]")


def utf8_chunks(path: Path, sha: Any) -> Iterator[bytes]:
    """The text's bytes, unpacked, its byte order mark left out; what is stored goes into the hash `sha`.

    Raises InputError where they are not UTF-8, hold a NUL byte, or begin as some other format does.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    for chunk in content_chunks(path, sha):
        if position == 0:
            _refuse_known_formats(path, chunk)
        _refuse_other_encodings(path, chunk, position, decoder)
        yield chunk.removeprefix(codecs.BOM_UTF8) if position == 0 else chunk
        position += len(chunk)
    if decoder.getstate()[0]:
        raise InputError(f"{path.name} is cut off: it ends in the middle of a UTF-8 character.")


def _refuse_known_formats(path: Path, head: bytes) -> None:
    known = looks_like(head)
    if known:
        cure = {
            "a gzip file": f" Name it {path.name}.gz.",
            "a Zstandard file": f" Name it {path.name}.zst.",
            "a Parquet file": " Name it .parquet.",
            "UTF-16 text": " Add --encoding utf-16.",
        }
        raise InputError(f"{path.name} must be UTF-8 text; it looks like {known}.{cure.get(known, '')}")


def _refuse_other_encodings(path: Path, chunk: bytes, position: int, decoder: codecs.IncrementalDecoder) -> None:
    pending = len(decoder.getstate()[0])
    if (nul := chunk.find(b"\0")) >= 0:
        fault, what, cure = nul, "a NUL byte", "Is it text at all?"
    elif chunk.isascii() and not pending:
        return
    else:
        try:
            decoder.decode(chunk)
            return
        except UnicodeDecodeError as error:
            fault = error.start - pending
            what = f"0x{error.object[error.start]:02x}"
            cure = (
                "Is it text at all?"
                if _CONTROL_BYTES.search(chunk)
                else "Say what it is, as in --encoding cp1252 (Windows, and nearly Latin-1)."
            )
    raise InputError(f"{path.name} must be UTF-8 text; the byte at offset {position + fault} is {what}. {cure}")
