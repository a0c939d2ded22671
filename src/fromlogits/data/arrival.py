"""A file as it arrives: where it can be read again and again, as UTF-8, and what form it has.

Most files are read where they are. What comes through a pipe, and text in another encoding, is first written to a
folder of its own, which goes away with the object.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import FromlogitsError, InputError
from .files import CHUNK_BYTES, existing_file
from .packed import content_chunks, packing, packing_of, unpacked, unpacked_name
from .pictures.decode import ENDINGS as PICTURE_ENDINGS
from .pictures.stores import OTHER_PICTURES
from .reading import Form, Reading

STDIN = "-"
STDIN_NAME = "standard input"
ENDINGS: dict[str, Form] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow", ".arrows": "arrow",
    ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".pq": "parquet", ".npz": "npz",
    ".svm": "svmlight", ".svmlight": "svmlight", ".libsvm": "svmlight",
    ".zip": "pictures", **dict.fromkeys((*PICTURE_ENDINGS, *OTHER_PICTURES), "pictures"),
}  # fmt: skip
IDX_ENDING = re.compile(r"idx[1-4]?(-ubyte)?$")
TEXT_FORMS: tuple[Form, ...] = ("csv", "tsv", "jsonl", "svmlight")


@dataclass(frozen=True)
class Arrived:
    """A file that can be read.

    Attributes:
        path: where its bytes are; its name is the one to show.
        form: what kind of file it is.
        digest: SHA-256 in hex of the bytes as they came, where they are not those at `path`; else "".
        folder: what must live as long as the file is read, or None.
    """

    path: Path
    form: Form
    digest: str = ""
    folder: _Folder | None = field(default=None, repr=False)
    _state: tuple[int, int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_state", _state(self.path))

    def check_unchanged(self) -> None:
        """Raise InputError if the file is another than when it arrived; it is read more than once."""
        if _state(self.path) != self._state:
            raise InputError(f"{self.path.name} changed while it was read; try again when it is written to the end.")


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


class _Folder:
    """A temporary folder that is removed with this object, at the end of the process at the latest."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="fromlogits-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def arrive(path: str | Path, reading: Reading) -> Arrived:
    """Find the file, or take it in from standard input or a pipe; know its form.

    Raises:
        InputError: there is no such file, its form is not known, or its text is not in the encoding.
        FromlogitsError: there is no room for a copy.
    """
    if os.fspath(path) == STDIN:
        stdin: Any = sys.stdin
        if stdin is None or getattr(stdin, "buffer", None) is None:
            raise InputError("standard input is closed; name a file, or send the table through a pipe.")
        return _take_in(_pieces(stdin.buffer), STDIN_NAME, reading)
    path = Path(path)
    if path.is_fifo() or path.is_char_device():
        with path.open("rb") as pipe:
            return _take_in(_pieces(pipe), path.name, reading)
    if path.is_dir() and reading.form in (None, "pictures"):
        return Arrived(path, "pictures")
    path = existing_file(path)
    form = _form(path, reading)
    if reading.encoding is None:
        return Arrived(path, form)
    if form not in TEXT_FORMS:
        raise InputError(
            f"{path.name}: --encoding is for text; a file of the form {form} says itself how it is written."
        )
    sha = hashlib.sha256()
    chunks = _decoded(content_chunks(path, sha), reading.encoding, path.name)
    copy, folder = _copied(chunks, path.name[: len(unpacked_name(path.name))])
    return Arrived(copy, form, sha.hexdigest(), folder)


def form_by_name(name: str) -> Form | None:
    """What a file's name says of its form."""
    plain = unpacked_name(name)
    if IDX_ENDING.search(plain):
        return "idx"
    return next((form for ending, form in ENDINGS.items() if plain.endswith(ending)), None)


def form_by_content(head: bytes) -> Form:
    """What the first bytes of unpacked content say; delimited text where they say nothing."""
    known: dict[bytes, Form] = {
        b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow", b"{": "jsonl",
        b"\xef\xbb\xbf{": "jsonl", b"PK\x03\x04": "npz",
        b"\x00\x00\x08": "idx",
    }  # fmt: skip
    return next((form for signature, form in known.items() if head.startswith(signature)), "csv")


def _form(path: Path, reading: Reading) -> Form:
    form = reading.form or form_by_name(path.name)
    if form is None:
        raise InputError(
            f"{path.name}: the form of a file is known by its name: .csv, .tsv, .jsonl or .svm (also .gz and .zst),"
            " .parquet, .arrow, .npz, IDX images as in train-images-idx3-ubyte.gz, or pictures: a folder, a .zip or one"
            " file; --format csv says it for any name."
        )
    return form  # type: ignore[return-value]


def _pieces(pipe: Any) -> Iterator[bytes]:
    while chunk := pipe.read(CHUNK_BYTES):
        yield chunk


def _take_in(stored: Iterator[bytes], name: str, reading: Reading) -> Arrived:
    """A copy of what comes through a pipe, unpacked and in UTF-8; its name says its form, or else its first bytes."""
    sha = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for chunk in stored:
            sha.update(chunk)
            yield chunk

    first, chunks = _with_first(hashed())
    named = packing(Path(name))
    first, chunks = _with_first(unpacked(chunks, packing_of(first) if named == "none" else named, name))
    if not first:
        raise InputError(f"{name} is empty; it must hold a line of column names and rows below it.")
    form = reading.form or form_by_name(name) or form_by_content(first)
    if form == "idx" and reading.form is None:
        raise InputError(
            f"{name} looks like an IDX file, whose labels stand in a second file; name both files instead."
        )
    if reading.encoding is not None:
        chunks = _decoded(chunks, reading.encoding, name)
    copy, folder = _copied(chunks, name[: len(unpacked_name(name))])
    return Arrived(copy, form, sha.hexdigest(), folder)  # type: ignore[arg-type]


def _with_first(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first chunk, and all of them."""
    first = next(chunks, b"")

    def everything() -> Iterator[bytes]:
        if first:
            yield first
        yield from chunks

    return first, everything()


def _decoded(chunks: Iterator[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """The same text in UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    is_first = True
    for chunk, is_last in _marking_the_last(chunks):
        try:
            text = decoder.decode(chunk, is_last)
        except UnicodeDecodeError as error:
            pending = len(error.object) - len(chunk)
            raise InputError(
                f"{name} is not {encoding} text: the byte at offset {position - pending + error.start} is"
                f" 0x{error.object[error.start]:02x} ({error.reason}). Is --encoding right?"
            ) from None
        position += len(chunk)
        if is_first and text:
            text, is_first = text.removeprefix("\ufeff"), False
        yield text.encode("utf-8", "surrogatepass")


def _marking_the_last(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    held = next(chunks, b"")
    for chunk in chunks:
        yield held, False
        held = chunk
    yield held, True


def _copied(chunks: Iterator[bytes], name: str) -> tuple[Path, _Folder]:
    """A file of this name that holds these bytes, and the folder it is in."""
    try:
        folder = _Folder()
        with (folder.path / name).open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise FromlogitsError(
            f"a copy of {name} could not be written to {tempfile.gettempdir()}: {why}. TMPDIR names another folder."
        ) from error
    return folder.path / name, folder
