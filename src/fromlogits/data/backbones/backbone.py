"""A frozen backbone as the encoder holds it: known exactly, loaded when it is first needed, computed once a picture."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..pictures.cache import RULES, Cache
from ..pictures.pixels import thread_count
from .finding import Found, find, refuse_unavailable
from .kept import About, Folder, Recent, read_about
from .reference import Reference

if TYPE_CHECKING:
    from .network import PretrainedNetwork

BLOCK = 64
"""Pictures that are computed before it is told how many are done."""
BLOCK_BYTES = 1 << 26
"""Of pixels that are computed before what was made of them is kept."""
PROGRESS: ContextVar[Callable[[str, int, int], None] | None] = ContextVar("BACKBONE_PROGRESS", default=None)
"""Is told of each block: the backbone, how many pictures are done, and how many there are."""
RECENT = Recent()

Float32 = NDArray[np.float32]


class Backbone:
    """Turns pictures into features.

    Args:
        reference: which one.
        place: by what it is found, as in the setting `backbone`; None: by its name.
        device: as the setting of this name.

    Attributes:
        n_threads: it computes with.
        is_dry: nothing is computed: features that are not known are drawn, alike for like pixels. Enough to plan by.
    """

    def __init__(self, reference: Reference, place: str | None = None, device: str | None = None) -> None:
        self.reference, self.place, self.device = reference, place or reference.text, device
        self.n_threads = thread_count()
        self._prefix = reference.digest + (device or "").encode()  # another device rounds otherwise
        self.is_dry = False
        self._network: PretrainedNetwork | None = None
        self._size: tuple[int, int] | None = None
        self._folder: Folder | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, backbone: str, device: str | None = None, cache: Path | None = None) -> Backbone:
        """The one that a setting names, its features kept in a folder of the cache where there is one.

        It is loaded, unless the cache knows what it makes of pictures. Raises InputError and EngineUnavailableError, as
        `finding.find`.
        """
        found = find(backbone)
        refuse_unavailable(found.asked)
        digests = found.digests()
        path = None if cache is None else _kept_at(cache, digests, device)
        about = None if path is None else read_about(path)
        network = None
        if about is None:
            from .network import load

            network = load(found, device, digests)
            about = About(network.feature, network.n_features, network.size)
            if path is not None:
                about.keep(path)
        one = cls(Reference(found.name, found.revision, digests, about.feature, about.n_features), backbone, device)
        one._network, one._size = network, about.size
        if path is not None:
            one._folder = Folder(path, one.n_features)
        return one

    @property
    def n_features(self) -> int:
        """Of a picture."""
        return self.reference.n_features

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) that picture files are best resized to."""
        return self._size or self.loaded().size

    def loaded(self) -> PretrainedNetwork:
        """The network, the very one that is meant; raises InputError and EngineUnavailableError."""
        with self._lock:
            if self._network is None:
                found = self._checked()
                from .network import load

                network = load(found, self.device, dict(self.reference.files))
                if (network.feature, network.n_features) != (self.reference.feature, self.reference.n_features):
                    raise InputError(
                        f"{found.asked}: this version of transformers makes other features of a picture"
                        f" ({network.feature}, {network.n_features:,}) than the model learned from"
                        f" ({self.reference.feature}, {self.reference.n_features:,})."
                    )
                self._network = network
            return self._network

    def check(self) -> None:
        """Raise InputError unless these very files are here, EngineUnavailableError unless what runs them is."""
        with self._lock:
            refuse_unavailable(self._checked().asked)

    def _checked(self) -> Found:
        reference = self.reference
        if self.place == reference.text and reference.revision is None and not Path(reference.name).is_dir():
            raise InputError(
                f"the model was trained behind the pretrained network in a folder {reference.name!r}, which is not in"
                " the current one. Say where it lies: backbone='hf:FOLDER' (--backbone hf:FOLDER)."
            )
        found = find(self.place)
        here, wanted = found.digests(), reference.files
        for name in sorted({*here, *wanted}):
            if here.get(name) != wanted.get(name):
                what = "is missing" if name not in here else "is another one" if name in wanted else "was not there"
                raise InputError(
                    f"{found.asked}: the model learned from {reference.text}, and in {found.path} the file {name}"
                    f" {what}. Give it the very files that it was trained with."
                )
        return found

    def placed(self, place: str | None, device: str | None) -> Backbone:
        """The same, to be found elsewhere or to compute on another device."""
        if (place or self.place, device) == (self.place, self.device):
            return self
        return Backbone(self.reference, place or self.place, device)

    def keep_in(self, folder: Path) -> None:
        """Keep features in a folder of this one, for later commands; raises InputError where it can't be written to."""
        refuse_unavailable(f"backbone {self.place!r}")
        self._folder = Folder(_kept_at(folder, self.reference.files, self.device), self.n_features)

    def known(self, key: bytes) -> Float32 | None:
        """The features (d,) of the picture of this key, where they were computed already."""
        found = RECENT.get(self._prefix + key)
        if found is None and self._folder is not None and (found := self._folder.get(key)) is not None:
            RECENT.put(self._prefix + key, found)
        return found

    def features(self, pictures: NDArray[np.uint8], keys: Sequence[bytes] | None = None) -> Float32:
        """Of pictures (n, h, w) or (n, h, w, channels) of 1 or 3 channels, float32 (n, d), each computed once.

        Args:
            pictures: their pixels.
            keys: 32 bytes each, by which they are known; None: a digest of the pixels.
        """
        if keys is None:
            keys = [pixel_key(picture) for picture in pictures]
        if self.is_dry:
            each = (self.known(key) for key in keys)
            return np.stack([
                self._drawn(picture) if found is None else found
                for found, picture in zip(each, pictures, strict=True)
            ])  # fmt: skip
        made: dict[bytes, Float32] = {}
        rows: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            if key in made or key in rows:
                continue
            if (found := self.known(key)) is not None:
                made[key] = found
            else:
                rows[key] = row
        done = 0
        for part in _parts(list(rows), math.prod(pictures.shape[1:])):
            new: dict[bytes, Float32] = {}
            try:
                for key, features_d in self._computed(pictures, rows, part, done):
                    new[key] = features_d
            finally:
                if self._folder is not None and new:  # after Ctrl-C too
                    self._folder.keep(new)
            done += len(part)
            made |= new
        return np.stack([made[key] for key in keys])

    def _drawn(self, picture: NDArray[np.uint8]) -> Float32:
        return np.random.default_rng([*pixel_key(picture)]).standard_normal(self.n_features, np.float32)

    def _computed(
        self, pictures: NDArray[np.uint8], rows: dict[bytes, int], keys: list[bytes], done: int
    ) -> Iterator[tuple[bytes, Float32]]:
        """Of each key its picture's features, which are remembered."""
        progress = PROGRESS.get()
        for start in range(0, len(keys), BLOCK):
            block = keys[start : start + BLOCK]
            computed = self.loaded().features(coloured(pictures[[rows[key] for key in block]]), self.n_threads)
            if not np.isfinite(computed).all():
                raise InputError(f"backbone {self.reference.text!r} makes no finite numbers of a picture.")
            for key, features_d in zip(block, computed, strict=True):
                RECENT.put(self._prefix + key, features_d)
                yield key, features_d
            done += len(block)
            if progress is not None:
                progress(self.reference.text, done, len(rows))


def _kept_at(cache: Path, files: Mapping[str, str], device: str | None) -> Path:
    """The folder of one backbone's features, as these versions compute them there; it is made."""
    Cache(cache).check()
    about = [RULES, dict(files), device, *(version(name) for name in ("transformers", "torch", "pillow"))]
    path = cache / f"features-{hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()}"
    path.mkdir(exist_ok=True)
    return path


def coloured(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, h, w, 3): grey has all three alike."""
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    return np.broadcast_to(pictures, (*pictures.shape[:3], 3))


def pixel_key(picture: NDArray[np.uint8]) -> bytes:
    """By which pixels are known."""
    sha = hashlib.sha256(json.dumps(["pixels", list(picture.shape)]).encode())
    sha.update(np.ascontiguousarray(picture).data)
    return sha.digest()


def _parts(keys: list[bytes], bytes_each: int) -> Iterator[list[bytes]]:
    n = max(1, BLOCK_BYTES // bytes_each)
    for start in range(0, len(keys), n):
        yield keys[start : start + n]
