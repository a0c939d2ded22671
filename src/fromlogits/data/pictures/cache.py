"""Decoded pixels that are kept in a folder, for commands that come later: one file of them, found by its contents.

An entry is named after what it depends on: the bytes of every picture, the size and the rules of decoding. It is two
files, KEY.pixels and KEY.json; the second is written last and has the digest of the first, so that half an entry, or a
damaged one, is none and is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FromlogitsError, InputError
from .decode import Shape, pillow

RULES = "2"
"""Of decoding: another one, another entry."""
BLOCK_BYTES = 1 << 22

Held = tuple[NDArray[np.uint8], dict[int, str], Counter[str]]
"""Pixels, bad rows with their reasons, and what was done to how many pictures."""


@dataclass(frozen=True)
class Cache:
    """A folder of the user's choice."""

    folder: Path

    def check(self) -> None:
        """Raise InputError unless files can be written there; the folder is made, its parent is not."""
        shown = f"--image-cache {self.folder}"
        try:
            self.folder.mkdir(exist_ok=True)
        except FileExistsError:
            raise InputError(f"{shown}: this must be a folder.") from None
        except OSError as error:
            raise InputError(f"{shown}: {(error.strerror or str(error)).lower()}.") from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise InputError(f"{shown}: the folder can't be written to.")

    def entry(self, shape: Shape, digests: Sequence[bytes], *, is_exact: bool) -> Entry:
        """Where the pixels of these pictures are, or will be.

        Args:
            shape: of each.
            digests: SHA-256 of each file, empty where it can't be read.
            is_exact: as in `pixels.Wanted`.
        """
        self.check()
        import PIL

        pillow()
        about = json.dumps([RULES, PIL.__version__, list(shape), is_exact]).encode()
        sha = hashlib.sha256(about)
        for digest in digests:
            sha.update(bytes([len(digest)]) + digest)
        return Entry(self.folder / sha.hexdigest(), (len(digests), math.prod(shape)))


@dataclass(frozen=True)
class Entry:
    """The pixels of some pictures, uint8 of this shape (n, d).

    Attributes:
        path: of both files, without their endings.
    """

    path: Path
    shape: tuple[int, int]

    @property
    def pixels(self) -> Path:
        return self.path.with_suffix(".pixels")

    @property
    def about(self) -> Path:
        return self.path.with_suffix(".json")

    def read(self) -> Held | None:
        """What is there, its pixels mapped into memory; None if there is nothing, or something else."""
        try:
            about = json.loads(self.about.read_bytes())
            if self.pixels.stat().st_size != math.prod(self.shape):
                return None
            values: NDArray[np.uint8] = np.memmap(self.pixels, np.uint8, "r", shape=self.shape)
            if about["sha256"] != _digest(values):
                return None
            bad = {int(row): str(why) for row, why in about["bad"].items()}
            said = Counter({str(words): int(count) for words, count in about["said"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if not all(0 <= row < self.shape[0] for row in bad):
            return None
        return values, bad, said

    @contextlib.contextmanager
    def written(self) -> Iterator[NDArray[np.uint8]]:
        """A matrix of zeros on disk, to be filled and kept; it goes away if it is not kept."""
        n_bytes = math.prod(self.shape)
        path = None
        try:
            number, name = tempfile.mkstemp(".part", dir=self.path.parent)
            path = Path(name)
            with os.fdopen(number, "r+b") as file:
                if hasattr(os, "posix_fallocate"):  # a disk that is too small is known now, not by a lost page
                    os.posix_fallocate(number, 0, n_bytes)
                else:
                    file.truncate(n_bytes)
            into = np.memmap(path, np.uint8, "r+", shape=self.shape)
            yield into
        except OSError as error:
            raise _unwritten(self.path.parent, error) from error
        finally:
            if path is not None:
                path.unlink(missing_ok=True)

    def keep(self, into: Any, bad: Mapping[int, str], said: Mapping[str, int]) -> NDArray[np.uint8]:
        """Give what was written its name; the same pixels, not to be written to any more."""
        into.flush()
        about = {"sha256": _digest(into), "bad": {str(row): why for row, why in bad.items()}, "said": dict(said)}
        os.replace(into.filename, self.pixels)
        number, name = tempfile.mkstemp(".part", dir=self.path.parent)
        with os.fdopen(number, "wb") as file:
            file.write(json.dumps(about).encode())
        os.replace(name, self.about)
        return np.memmap(self.pixels, np.uint8, "r", shape=self.shape)


def _digest(values: NDArray[np.uint8]) -> str:
    sha = hashlib.sha256()
    rows = max(1, BLOCK_BYTES // values.shape[1])
    for start in range(0, len(values), rows):
        sha.update(values[start : start + rows].data)
    return sha.hexdigest()


def _unwritten(folder: Path, error: OSError) -> FromlogitsError:
    why = (error.strerror or str(error)).lower()
    return FromlogitsError(f"--image-cache {folder}: the pixels could not be written there: {why}.")
