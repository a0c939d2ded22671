"""Features that were computed already: of the last pictures in memory, and of all where a folder for them is given.

A picture is found by a digest of its bytes and of how they were decoded, or of its pixels; a folder holds those of one
backbone, one preprocessing and one version of what computes them. It grows file by file, each whole or not there, of
pictures that were computed together: what a command that was stopped had done is not lost, and several may write.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import FromlogitsError
from .reference import FEATURES

MEMORY_BYTES = 1 << 28
"""Of features that are held in memory, with what it takes to find them."""
KEY_BYTES = 32
OVERHEAD_BYTES = 300
"""What Python takes for an entry, beside its numbers."""
MOST_OPEN = 8
"""Files whose features are in memory: what was computed together is asked for together."""
ENDING = ".features"
ABOUT = "about.json"
START = b"fromlogits features 1\n"

Float32 = NDArray[np.float32]


class Recent:
    """The features of the last pictures, by backbone, device and picture. Several threads may ask."""

    def __init__(self, most_bytes: int = MEMORY_BYTES) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._held: OrderedDict[bytes, Float32] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Float32 | None:
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: bytes, features_d: Float32) -> None:
        with self._lock:
            if key not in self._held:
                self._held[key] = features_d.copy()
                self._bytes += features_d.nbytes + OVERHEAD_BYTES
            while self._bytes > self._most_bytes and self._held:
                _, gone = self._held.popitem(last=False)
                self._bytes -= gone.nbytes + OVERHEAD_BYTES


@dataclass(frozen=True)
class About:
    """What a backbone makes of pictures, which only it itself knows: kept beside them, so that it need not be loaded.

    Attributes:
        feature, n_features: as in `Reference`.
        size: as in `PretrainedNetwork`.
    """

    feature: str
    n_features: int
    size: tuple[int, int]

    def keep(self, path: Path) -> None:
        """Write it into the folder of its features."""
        _write(path, path / ABOUT, json.dumps(asdict(self)).encode())


def read_about(path: Path) -> About | None:
    """What was kept in a folder; None where nothing was."""
    try:
        about = json.loads((path / ABOUT).read_bytes())
        feature, n_features, (height, width) = about["feature"], about["n_features"], about["size"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    numbers = (n_features, height, width)
    if feature not in FEATURES or not all(type(number) is int and number >= 1 for number in numbers):
        return None
    return About(feature, n_features, (height, width))


class Folder:
    """Features of one backbone on disk: 4 bytes for each number and 32 for each picture.

    Args:
        path: of the folder, which is there.
        n_features: of a picture.
    """

    def __init__(self, path: Path, n_features: int) -> None:
        self._path, self._n_features = path, n_features
        self._places: dict[bytes, tuple[Path, int]] = {}
        self._open: OrderedDict[Path, Float32] = OrderedDict()
        self._lock = threading.Lock()
        for file in sorted(path.glob(f"*{ENDING}")):
            self._look_into(file)

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: bytes) -> Float32 | None:
        place = self._places.get(key)
        if place is None:
            return None
        file, row = place
        with self._lock:
            if file not in self._open:
                found = self._contents(file)
                if found is None:  # it went away, or was changed
                    return None
                self._open[file] = found[1]
                if len(self._open) > MOST_OPEN:
                    self._open.popitem(last=False)
            features_d: Float32 = self._open[file][row]
            return features_d

    def keep(self, made: Mapping[bytes, Float32]) -> None:
        """Write them, all or none; raises FromlogitsError where they can't be written."""
        numbers = (np.asarray(features_d, "<f4").tobytes() for features_d in made.values())
        content = b"".join((START, len(made).to_bytes(8, "little"), *made, *numbers))
        target = self._path / f"{hashlib.sha256(content).hexdigest()}{ENDING}"
        _write(self._path, target, content)
        self._look_into(target)

    def _look_into(self, file: Path) -> None:
        """Learn which pictures a file holds."""
        found = self._contents(file)
        if found is not None:
            keys = found[0]
            for row in range(len(found[1])):
                self._places[keys[KEY_BYTES * row : KEY_BYTES * (row + 1)]] = file, row

    def _contents(self, file: Path) -> tuple[bytes, Float32] | None:
        """The keys and the features in a file; None of one that is damaged, or of something else."""
        try:
            content = file.read_bytes()
        except OSError:
            return None
        head = len(START) + 8
        if not content.startswith(START) or len(content) < head or hashlib.sha256(content).hexdigest() != file.stem:
            return None
        count = int.from_bytes(content[len(START) : head], "little")
        if len(content) != head + count * (KEY_BYTES + 4 * self._n_features):
            return None
        end = head + KEY_BYTES * count
        return content[head:end], np.frombuffer(content, "<f4", offset=end).reshape(count, self._n_features)


def _write(folder: Path, target: Path, content: bytes) -> None:
    """A file, whole or not there; raises FromlogitsError where it can't be written."""
    name = ""
    try:
        number, name = tempfile.mkstemp(".part", dir=folder)
        with os.fdopen(number, "wb") as file:
            file.write(content)
        os.replace(name, target)
    except OSError as error:
        if name:
            Path(name).unlink(missing_ok=True)
        why = (error.strerror or str(error)).lower()
        raise FromlogitsError(f"--image-cache: features could not be written to {folder}: {why}.") from error
