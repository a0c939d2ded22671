"""IDX files, the format of MNIST: a header of big-endian sizes, then bytes. Images with their labels beside them."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .files import existing_file, looks_like
from .packed import ENDINGS, MAX_RATIO, content_chunks, packing

UBYTE = 0x08


@dataclass(frozen=True)
class Pictures:
    """What an images file and its labels file hold.

    Attributes:
        pixels: uint8 (n, h·w·…), as stored.
        shape: (h, w) or (h, w, channels); (d,) where the file holds plain rows.
        labels: int64 (n,), or None where none were asked for.
        labels_path: where they stand, or None.
        digest: SHA-256 of the images file followed by the labels file, in hex.
    """

    pixels: NDArray[np.uint8]
    shape: tuple[int, ...]
    labels: NDArray[np.int64] | None
    labels_path: Path | None
    digest: str


def read_idx(path: Path, *, labelled: bool) -> Pictures:
    """Images of 2 to 4 dimensions and, if `labelled`, the labels that stand beside them under the usual name."""
    sha = hashlib.sha256()
    images = _read_array(path, sha)
    if images.ndim == 1:
        raise InputError(f"{path.name} must hold images; it holds one number a row, as a labels file does.")
    n = len(images)
    labels, labels_path = None, None
    if labelled:
        labels_path = _labels_beside(path)
        stored = _read_array(labels_path, sha)
        if stored.ndim != 1:
            raise InputError(f"{labels_path.name} must hold one label a row; it holds {_by(stored.shape)} numbers.")
        if len(stored) != n:
            raise InputError(
                f"{path.name} and {labels_path.name} must have as many rows; found {n} images and {len(stored)} labels."
            )
        labels = stored.astype(np.int64)
    return Pictures(images.reshape(n, -1), images.shape[1:], labels, labels_path, sha.hexdigest())


def _labels_beside(path: Path) -> Path:
    name = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1").replace("idx2", "idx1")
    if name == path.name:
        raise InputError(
            f"{path.name}: the labels file is found by its name, 'labels' in place of 'images';"
            " this name has no 'images' in it. Rename both, as in train-images-idx3-ubyte and train-labels-idx1-ubyte."
        )
    plain = Path(name).stem if Path(name).suffix in ENDINGS else name
    for candidate in dict.fromkeys((name, plain, *(plain + ending for ending in ENDINGS))):
        if path.with_name(candidate).exists():
            return existing_file(path.with_name(candidate))
    packed = " or ".join(plain + ending for ending in ENDINGS)
    raise InputError(f"{path.name}: its labels must stand beside it; there is no {plain}, nor {packed}.")


def _read_array(path: Path, sha: Any) -> NDArray[np.uint8]:
    chunks = content_chunks(path, sha)
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 20:
            break
    shape = _shape(path, head)
    start = 4 + 4 * len(shape)
    promised = math.prod(shape)
    if promised == 0:  # refused here: NumPy takes no shape whose other sizes overflow
        raise InputError(f"{path.name} has no rows: its header says {_by(shape)}.")
    size = path.stat().st_size
    if promised > size * MAX_RATIO[packing(path)]:
        raise InputError(
            f"{path.name} is cut off or damaged: its header promises {_by(shape)} = {promised:,} bytes,"
            f" more than a file of {size:,} bytes can hold."
        )
    values = np.empty(promised, np.uint8)
    held = 0
    for chunk in _from(head[start:], chunks):
        if held + len(chunk) > promised:
            raise InputError(f"{path.name} is damaged: it holds more than the {_by(shape)} bytes its header promises.")
        values[held : held + len(chunk)] = np.frombuffer(chunk, np.uint8)
        held += len(chunk)
    if held < promised:
        raise InputError(
            f"{path.name} is cut off: its header promises {_by(shape)} = {promised:,} bytes; {held:,} are there."
        )
    return values.reshape(shape)


def _shape(path: Path, head: bytes) -> tuple[int, ...]:
    if len(head) < 4:
        state = "cut off" if head else "empty"
        raise InputError(f"{path.name} is {state}: an IDX file starts with a header of 8 to 20 bytes.")
    zero, kind, n_dims = struct.unpack(">HBB", head[:4])
    if zero != 0 or not 1 <= n_dims <= 4:
        known = looks_like(head)
        what = f"it looks like {known}" if known else "it does not start as one"
        raise InputError(f"{path.name} must be an IDX file; {what}.")
    if kind != UBYTE:
        raise InputError(f"{path.name} must hold unsigned bytes (IDX type 0x08); its header says type 0x{kind:02x}.")
    if len(head) < 4 + 4 * n_dims:
        raise InputError(f"{path.name} is cut off in its header.")
    return struct.unpack(f">{n_dims}I", head[4 : 4 + 4 * n_dims])


def _from(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
