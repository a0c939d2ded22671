"""The model file: one safetensors file that runs no code and shows any damage.

A manifest (JSON) and named tensors go in and come out; what they mean is the classifier's business. The bytes are
described in docs/file-format.md, the reasons in docs/decisions/0003-model-file.md.

The digest shows accidents, not malice: a file with a right digest may still be forged, so everything is bounded before
memory is taken and checked before it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import FromlogitsError, InputError, ModelFileError
from .spec import MAX_PARAMETERS
from .whole_file import check_folder, check_room, whole_file

FORMAT_NAME = "fromlogits-model"
FORMAT_VERSION = 1
METADATA_KEY = "fromlogits"
DIGEST_NAME = "~sha256"  # "~" sorts behind every letter, uint8 behind every wider type: the library puts it last
DIGEST_BYTES = 32
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1"}

# Bounds on a file from a stranger, so that reading it takes at most four times its size and 64 MB. The items are
# bounded as well as the bytes, because a Python object for two bytes of JSON takes up to 80; and the text as Python
# holds it, because one sign beyond 16 bits makes it four times as large.
MAX_FILE_BYTES = 4 * MAX_PARAMETERS + 2**30
MAX_HEADER_BYTES = 16 * 2**20
MAX_HEADER_ITEMS = 400_000
BYTES_AN_ITEM = 32  # of the file: a model of a million classes has that many weights too
MAX_TENSORS = 10_000
MAX_DIMENSIONS = 8
MAX_DEPTH = 32
MAX_DIGITS = 40
MAX_COMPLAINT = 500

_NAME = re.compile(r"[a-z][a-z0-9_.]{0,99}")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}")
# These never go back, so the time is linear: a string that is not closed reaches to the end.
_JSON_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_SOME_STRINGS = re.compile(rb'(?:[^"]*+"(?:[^"\\]++|\\.)*+"){1,4096}+', re.DOTALL)
_OUR_ESCAPES = re.compile(rb"(?:[^\\]++|\\(?:[^u]|u00))*+", re.DOTALL)
_WIDE = ((4, re.compile(rb"[\xf0-\xff]")), (2, re.compile(rb"[\xc4-\xef]")))  # bytes a sign that Python takes for it
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OUR_START = b'{"__metadata__":{"fromlogits":"'
_START_BYTES = 512
_STRANGERS = (
    (b"PK\x03\x04", "it is a zip archive, as .npz, .pt, .keras and .skops files are"),
    (b"\x80\x02", "it is a Python pickle, which can run code and is never loaded"),
    (b"\x80\x03", "it is a Python pickle (joblib writes them too), which can run code and is never loaded"),
    (b"\x80\x04", "it is a Python pickle (joblib writes them too), which can run code and is never loaded"),
    (b"\x80\x05", "it is a Python pickle (joblib writes them too), which can run code and is never loaded"),
    (b"\x1f\x8b", "it is gzip-compressed; unpack it first if a model is inside"),
    (b"\x89HDF\r\n", "it is an HDF5 file, as Keras writes"),
    (b"\x93NUMPY", "it is a NumPy array"),
    (b"PAR1", "it is a Parquet table"),
    (b"GGUF", "it is a GGUF file"),
    (b"tree\n", "it is a LightGBM model"),
    (b"version https://git-lfs", "it is a Git LFS pointer; `git lfs pull` fetches the file itself"),
)


class _Refusal(Exception):
    """Why a file is not loaded, as the end of a sentence that begins with its name."""


# --- saving ---


def save_model(
    path: str | os.PathLike[str], manifest: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], *, overwrite: bool
) -> None:
    """Write a model file; the same content gives the same bytes.

    It appears whole or not at all, as `whole_file` says: whatever happens, `path` holds the old file or the new one.
    A symbolic link stays, and what it points to is replaced.

    Args:
        path: where to; the folder must exist.
        manifest: a JSON object without the key "format", which is added here.
        tensors: finite float64, float32, int64, int32 or uint8 arrays by name; a name is lower-case letters, digits,
            "_" and ".", beginning with a letter.
        overwrite: replace a file that exists.

    Raises:
        InputError: the content or the path can't be; nothing was written.
        FromlogitsError: the write failed; the file that was there is unchanged and nothing is left beside it.
    """
    body, digest = _encode(manifest, tensors)
    target = _target(path, overwrite=overwrite)
    was_there = target.exists()
    try:
        with whole_file(target, overwrite=overwrite) as stream:
            stream.write(body)
            stream.write(digest)
    except FileExistsError:  # it came after _target looked
        raise _exists(path) from None
    except OSError as error:
        kept = "the file that was there is unchanged" if was_there else "nothing was written"
        raise FromlogitsError(f"the model could not be saved to {os.fspath(path)!r}: {_why(error)}; {kept}.") from error


def encode_model(manifest: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of the file that `save_model` writes of the same content; InputError where the content can't be."""
    body, digest = _encode(manifest, tensors)
    return bytes(body) + digest


def check_writable(path: str | os.PathLike[str], expected_bytes: int, *, overwrite: bool) -> None:
    """Raise InputError if a file of so many bytes could not be saved there: to be asked before the training.

    Leaves nothing behind. A file that exists and would be replaced needs room for both.
    """
    target = _target(path, overwrite=overwrite)
    folder = target.parent
    try:
        check_folder(folder)
    except OSError as error:
        raise InputError(f"a model can't be saved in the folder {str(folder)!r}: {_why(error)}.") from error
    check_room("the model needs", folder, expected_bytes)


def _encode(manifest: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> tuple[memoryview, bytes]:
    """Every byte before the digest, and the digest."""
    import safetensors.numpy

    if "format" in manifest:
        raise InputError('the manifest must not have the key "format"; save_model adds it.')
    try:
        text = canonical_json({**manifest, "format": {"name": FORMAT_NAME, "version": FORMAT_VERSION}})
        _read_json(text.encode(), MAX_HEADER_ITEMS + sum(tensor.nbytes for tensor in tensors.values()) // BYTES_AN_ITEM)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the model's description can't be stored as JSON: {error}.") from error
    except _Refusal as refusal:
        raise InputError(f"the model's description is beyond what a model file takes: it {refusal}.") from None
    if len(tensors) >= MAX_TENSORS:
        raise InputError(f"a model file holds fewer than {MAX_TENSORS:,} tensors; got {len(tensors):,}.")
    stored: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if not _NAME.fullmatch(name):
            raise InputError(f"a tensor's name must be lower-case letters, digits, '_' and '.'; got {name!r}.")
        if tensor.dtype.newbyteorder("<").str not in DTYPES.values():
            raise InputError(f"tensor {name!r} must be float64, float32, int64, int32 or uint8; it is {tensor.dtype}.")
        if not _is_finite(tensor):
            raise InputError(f"tensor {name!r} holds NaN or infinity and is not saved.")
        stored[name] = np.asarray(tensor, order="C")
    stored[DIGEST_NAME] = np.zeros(DIGEST_BYTES, np.uint8)
    data = safetensors.numpy.save(stored, {METADATA_KEY: text})
    header_bytes = int.from_bytes(data[:8], "little")
    if header_bytes > MAX_HEADER_BYTES or len(data) > MAX_FILE_BYTES:
        raise InputError(
            f"the model is too large for a file: {header_bytes:,} bytes of description (at most {MAX_HEADER_BYTES:,})"
            f" and {len(data):,} in all (at most {MAX_FILE_BYTES:,})."
        )
    end = len(data) - 8 - header_bytes
    place = json.loads(data[8 : 8 + header_bytes])[DIGEST_NAME]["data_offsets"]
    if place != [end - DIGEST_BYTES, end]:
        raise RuntimeError(f"safetensors no longer puts {DIGEST_NAME} last, but at {place} of {end} bytes")
    body = memoryview(data)[:-DIGEST_BYTES]
    return body, hashlib.sha256(body).digest()


def canonical_json(value: object) -> str:
    """The one text that stands for this value: sorted keys, no spaces, Unicode as it is; NaN is a ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _target(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """The file to write, links followed; InputError unless it may be written."""
    shown = os.fspath(path)
    try:
        target = Path(os.path.realpath(shown))
        mode = target.stat().st_mode if os.path.lexists(target) else None
        folder_mode = target.parent.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"the folder of {shown!r} does not exist; make it first.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"a model can't be saved to {shown!r}: {_why(error)}.") from error
    if not stat.S_ISDIR(folder_mode):
        raise InputError(f"a model can't be saved to {shown!r}: {str(target.parent)!r} is not a folder.")
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"the model's path {shown!r} is a folder; add a file name.")
    if mode is not None and not stat.S_ISREG(mode):
        raise InputError(f"the model's path {shown!r} is a device or a pipe; it must be a file.")
    if mode is not None and not overwrite:
        raise _exists(path)
    if mode is not None and not (mode & 0o222 and os.access(target, os.W_OK)):  # access knows immutable files
        raise InputError(f"{shown!r} is read-only and is not replaced; choose another name, or make it writable first.")
    try:
        os.lstat(target)  # asks the file system whether it takes such a name
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"a model can't be saved to {shown!r}: {_why(error)}.") from error
    return target


def _exists(path: str | os.PathLike[str]) -> InputError:
    return InputError(f"{os.fspath(path)!r} exists; choose another name, or say overwrite=True (--overwrite).")


# --- loading ---


def load_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The manifest (without "format") and the tensors that `save_model` was given.

    Sound JSON and finite tensors of bounded sizes is all that is promised; what they say is checked by the caller, who
    turns complaints into ModelFileError by `naming`.

    Raises:
        ModelFileError: the file can't be read, is not a model, is damaged, or needs a newer version.
    """
    try:
        return _decode(_read(path))
    except _Refusal as refusal:
        raise ModelFileError(f"model file {os.fspath(path)!r} {refusal}.") from None
    except MemoryError:
        raise ModelFileError(f"model file {os.fspath(path)!r} does not fit into this machine's memory.") from None


def decode_model(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """As `load_model`, of a file's bytes; `name` is what a message calls them."""
    try:
        if len(data) > MAX_FILE_BYTES:
            raise _Refusal(f"has {len(data):,} bytes; a model has at most {MAX_FILE_BYTES:,}")
        _check_start(data[:_START_BYTES], len(data))
        return _decode(data)
    except _Refusal as refusal:
        raise ModelFileError(f"model file {name!r} {refusal}.") from None


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns an InputError about what the manifest says into a ModelFileError that names the file."""
    try:
        yield
    except InputError as error:
        why = str(error)
        if len(why) > MAX_COMPLAINT:  # it quotes the file, which may hold megabytes
            why = f"{why[:MAX_COMPLAINT]}…"
        raise ModelFileError(f"model file {os.fspath(path)!r} is not one that fromlogits wrote: {why}") from error


def check_tensors(
    tensors: Mapping[str, NDArray[Any]], expected: Mapping[str, tuple[DTypeLike, tuple[int, ...]]]
) -> None:
    """Raise InputError unless these are exactly the expected tensors, by name, type and shape."""
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise InputError(f"tensor {name!r} is missing.")
        if name not in expected:
            raise InputError(f"tensor {name!r} has no place in this model.")
        dtype, shape = np.dtype(expected[name][0]), expected[name][1]
        if tensors[name].dtype != dtype or tensors[name].shape != shape:
            found = f"{tensors[name].dtype} {tensors[name].shape}"
            raise InputError(f"tensor {name!r} must be {dtype} {shape}; it is {found}.")


def _read(path: str | os.PathLike[str]) -> bytes:
    """The file's bytes, once its size and its start look like a model's."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe is refused, not waited for

    try:
        with open(path, "rb", opener=opener) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _Refusal("is a device or a pipe; it must be a file")
            size = status.st_size
            if size > MAX_FILE_BYTES:
                raise _Refusal(f"has {size:,} bytes; a model has at most {MAX_FILE_BYTES:,}")
            _check_start(file.read(_START_BYTES), size)
            file.seek(0)
            data = file.read(size + 1)
    except FileNotFoundError:
        raise _Refusal("does not exist") from None
    except IsADirectoryError:
        raise _Refusal("is a folder; it must be a file") from None
    except (OSError, ValueError) as error:
        raise _Refusal(f"can't be read: {_why(error)}") from error
    if len(data) != size:
        raise _Refusal("changed while it was read; try again")
    return data


def _check_start(start: bytes, size: int) -> None:
    """Tell a stranger by its first bytes, and what it may be."""
    if size == 0:
        raise _Refusal("is empty")
    header_bytes = int.from_bytes(start[:8], "little")
    if size >= 10 and start[8:9] == b"{" and 2 <= header_bytes <= size - 8:
        if header_bytes > MAX_HEADER_BYTES:
            raise _Refusal(f"has a header of {header_bytes:,} bytes; at most {MAX_HEADER_BYTES:,} are read")
        return
    if start[8 : 8 + len(_OUR_START)] == _OUR_START:
        raise _Refusal("is damaged: its end is missing or its length is wrong; copy it again")
    for signature, what in _STRANGERS:
        if start.startswith(signature):
            raise _Refusal(f"is not a fromlogits model: {what}")
    if start[:1] == b"\x08" and start[2:3] in (b"\x12", b"\x3a"):  # ir_version, then producer name or graph
        raise _Refusal("is not a fromlogits model: it looks like ONNX, which is written but not read")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html")):
        raise _Refusal("is not a fromlogits model: it is a web page; perhaps a download that asked for a login")
    if text.startswith((b"{", b"[", b"<")):
        raise _Refusal("is not a fromlogits model: it is JSON or XML text")
    raise _Refusal("is not a fromlogits model: it does not begin as a safetensors file")


def _decode(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    import safetensors

    header_bytes = int.from_bytes(data[:8], "little")
    header = memoryview(data)[8 : 8 + header_bytes]
    if hashlib.sha256(memoryview(data)[:-DIGEST_BYTES]).digest() != data[-DIGEST_BYTES:]:
        if data.startswith(_OUR_START, 8) or f'"{DIGEST_NAME}"'.encode() in data[: 8 + header_bytes]:
            raise _Refusal("is damaged: its checksum does not match; copy it again")
        raise _Refusal("is not a fromlogits model: it is a safetensors file of another program")

    # From here on a fault is no accident of copying: another program, a newer version, or a forgery.
    max_items = MAX_HEADER_ITEMS + len(data) // BYTES_AN_ITEM
    entries = _read_json(header, max_items)
    if not isinstance(entries, dict):
        raise _Refusal("has a header that is not a JSON object")
    metadata = entries.pop("__metadata__", None)
    text = metadata.get(METADATA_KEY) if isinstance(metadata, dict) and len(metadata) == 1 else None
    if not isinstance(text, str):
        raise _Refusal(f"must have the metadata key {METADATA_KEY!r} and no other")
    del metadata
    manifest = _read_json(text.encode(), max_items)
    del text
    _check_format(manifest)
    if len(entries) > MAX_TENSORS:
        raise _Refusal(f"has {len(entries):,} tensors; at most {MAX_TENSORS:,} are read")
    try:
        views = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever the library says of a file that it refuses
        raise _Refusal(f"is refused by the safetensors library: {str(error)[:200]!r}") from error
    if sorted(name for name, _ in views) != sorted(entries):
        raise _Refusal("has a header that can be read in two ways")
    end = len(data) - 8 - header_bytes
    if entries.pop(DIGEST_NAME, None) != {"dtype": "U8", "shape": [32], "data_offsets": [end - DIGEST_BYTES, end]}:
        raise _Refusal(f"must end in the tensor {DIGEST_NAME}, 32 uint8")
    tensors = {}
    for name, view in views:
        if name == DIGEST_NAME:
            continue
        if entries[name].keys() != {"dtype", "shape", "data_offsets"}:
            raise _Refusal(f"has a tensor {name[:100]!r} with more than type, shape and place")
        if not _NAME.fullmatch(name):
            raise _Refusal(f"has the tensor {name[:100]!r}; names are of lower-case letters, digits, '_' and '.'")
        if view["dtype"] not in DTYPES:
            raise _Refusal(f"has the tensor {name!r} of type {view['dtype']}; read are {', '.join(DTYPES)}")
        if len(view["shape"]) > MAX_DIMENSIONS:
            raise _Refusal(
                f"has the tensor {name!r} of {len(view['shape'])} dimensions; at most {MAX_DIMENSIONS} are read"
            )
        dtype = np.dtype(DTYPES[view["dtype"]])
        tensor: NDArray[Any] = np.ndarray(tuple(view["shape"]), dtype, view["data"])
        if not _is_finite(tensor):
            raise _Refusal(f"holds NaN or infinity in the tensor {name!r}")
        tensors[name] = tensor.astype(dtype.newbyteorder("="), copy=False)
    return manifest, dict(sorted(tensors.items()))


def _check_format(manifest: Any) -> None:
    """Take "format" out of the manifest; refuse all but this version's."""
    form = manifest.pop("format", None) if isinstance(manifest, dict) else None
    if not isinstance(form, dict) or form.get("name") != FORMAT_NAME:
        raise _Refusal(f"is not a fromlogits model: its manifest does not name the format {FORMAT_NAME!r}")
    version = form.get("version")
    if type(version) is int and version > FORMAT_VERSION:
        needs = form.get("needs")
        known = isinstance(needs, str) and _VERSION.fullmatch(needs)
        cure = f"needs fromlogits >= {needs}" if known else "needs a newer fromlogits"
        raise _Refusal(
            f"{cure}: its format is {version}, and this version reads up to {FORMAT_VERSION};"
            " upgrade by `pip install --upgrade fromlogits`"
        )
    if type(version) is not int or form != {"name": FORMAT_NAME, "version": FORMAT_VERSION}:
        raise _Refusal("has a format version that never was")


def _read_json(raw: bytes | memoryview, max_items: int) -> Any:
    """Strict and bounded JSON: no key twice, no NaN, infinity or endless number, and no depth that ends the stack."""
    if not _OUR_ESCAPES.fullmatch(raw):
        raise _Refusal("has a header with Unicode behind an escape, which fromlogits writes as it is")
    items = depth = 0
    for bare in _outside_strings(raw):
        items += sum(bare.count(sign) for sign in (b",", b":", b":", b"[", b"{"))  # a key costs more than a value
        if items > max_items:
            raise _Refusal("has a header of more items than a file of its size may have")
        for bracket in bare.translate(None, delete=_NOT_BRACKETS):
            depth += 1 if bracket in b"[{" else -1
            if not 0 <= depth <= MAX_DEPTH:
                raise _Refusal(f"has a header nested deeper than {MAX_DEPTH} levels, or with a bracket too many")
    width = next((width for width, sign in _WIDE if sign.search(raw)), 1)
    if width > 1 and width * len(str(raw, "utf-8", "replace")) > MAX_HEADER_BYTES:
        raise _Refusal(f"has a header whose text takes more than {MAX_HEADER_BYTES:,} bytes of memory")
    try:
        return json.loads(
            str(raw, "utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_bounded_float,
            parse_int=_bounded_int,
        )
    except ValueError as error:
        raise _Refusal(f"has a header that is not JSON: {error}") from error


def _outside_strings(raw: bytes | memoryview) -> Iterator[bytes]:
    """The JSON but its strings, a part at a time: a million strings in one piece would cost a million objects."""
    start = 0
    while found := _SOME_STRINGS.match(raw, start):
        yield _JSON_STRING.sub(b"", memoryview(raw)[start : found.end()])
        start = found.end()
    yield _JSON_STRING.sub(b"", memoryview(raw)[start:])


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Refusal("has a header with a key that stands there twice")
    return fields


def _no_constant(word: str) -> Any:
    raise _Refusal(f"has a header with {word}, which is no JSON number")


def _bounded_float(digits: str) -> float:
    if len(digits) > MAX_DIGITS or not math.isfinite(float(digits)):
        raise _Refusal(f"has a header with a number that is no float64 or has more than {MAX_DIGITS} digits")
    return float(digits)


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _Refusal(f"has a header with a whole number of more than {MAX_DIGITS} digits")
    return int(digits)


# --- both ways ---


def _is_finite(tensor: NDArray[Any]) -> bool:
    if tensor.dtype.kind != "f":
        return True
    flat = tensor.reshape(-1)
    step = 2**20  # a mask of the whole would take a quarter of the tensor's memory
    return all(bool(np.isfinite(flat[start : start + step]).all()) for start in range(0, flat.size, step))


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
