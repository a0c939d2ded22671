"""Many picture files into one matrix of pixels, in threads: Pillow lets go of the interpreter while it decodes."""

from __future__ import annotations

import hashlib
import json
import math
import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, counted, one_line
from ..memory import memory_bytes, refuse_too_large
from .cache import RULES, Cache
from .decode import BadPicture, Header, Shape, decoded, examined, pillow

if TYPE_CHECKING:
    from ..backbones.backbone import Backbone

MOST_SHOWN = 3
SMALL = 128
"""Pictures that are all of one size, no side of it longer than this, keep it."""
SHORT_SIDE = 64
"""Others are made so high or wide, whichever is less, where all have one aspect; or else a square of this side."""
BLOCK_BYTES = 1 << 26
"""Of pixels that wait for a backbone to look at them."""
WAITING = 8
"""Pictures a thread that are under way at once: their files' bytes are in memory."""

PROGRESS: ContextVar[Callable[[str, int, int], None] | None] = ContextVar("PROGRESS", default=None)
"""Is told of each picture: the file or folder, how many are done, and how many there are."""

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Encoded:
    """One picture as it lies in its file.

    Attributes:
        name: the one to show.
        read: gives its bytes; raises BadPicture.
    """

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Wanted:
    """What rows the pictures shall become.

    Attributes:
        shape: (h, w) or (h, w, 3) as a model knows them; None: all of one kind, as the files are.
        size: (h, w) that was asked for, of new pictures.
        is_exact: the files must have that shape already: the model's pictures came as arrays.
        bad: what is done about those that can't be read: "refuse", "drop" the row, or "mark" it and keep it.
        cache: where pixels are kept for other commands.
        backbone: what looks at the pixels; then its features are wanted, and no pixels.
    """

    shape: Shape | None = None
    size: tuple[int, int] | None = None
    is_exact: bool = False
    bad: Literal["refuse", "drop", "mark"] = "refuse"
    cache: Cache | None = None
    backbone: Backbone | None = None


@dataclass
class Tally:
    """Which pictures can't be read, and what was done to others.

    Attributes:
        what: the file or folder as a message names it.
        n: how many pictures there are.
        bad: rows -> why the picture can't be read.
        names: of bad ones.
        said: what was done -> to how many.
    """

    what: str
    n: int = 0
    bad: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Of pictures that follow."""
        for row, why in other.bad.items():
            self.bad[self.n + row], self.names[self.n + row] = why, other.names[row]
        self.said.update(other.said)
        self.n += other.n

    def refusal(self, *, can_skip: bool = True) -> InputError:
        """Names the first bad pictures."""
        cure = " --skip-bad goes on without them." if can_skip and len(self.bad) < self.n else ""
        listed = self._listed("can't be read")
        return InputError(f"{listed}.{cure}")

    def notes(self, *, marks_bad: bool) -> Iterator[str]:
        """What was done, and which pictures are left out or, where bad ones are marked, have no prediction.

        Those that are left out are all named, each on a line; of others the predictions say why.
        """
        if self.bad:
            one = len(self.bad) == 1
            left = f"{'has' if one else 'have'} no prediction" if marks_bad else f"{'was' if one else 'were'} left out"
            yield self._listed(f"can't be read and {left}", has_all=not marks_bad)
        for words, count in sorted(self.said.items()):
            were = "was" if count == 1 else "were"
            yield f"{self.what}: {count:,} of {counted(self.n, 'picture')} {were} {words}"

    def _listed(self, words: str, *, has_all: bool = False) -> str:
        rows = sorted(self.bad)
        if self.n == 1 and self.names[rows[0]] == self.what:  # a file that was named itself
            return f"{self.what} {words}: {self.bad[rows[0]]}"
        begin = f"{self.what}: {len(rows):,} of {counted(self.n, 'picture')} {words}:"
        each = [f"{one_line(self.names[row]) or f'row {row}'}: {self.bad[row]}" for row in rows]
        if len(rows) <= MOST_SHOWN or not has_all:
            more = f"; and {len(rows) - MOST_SHOWN:,} more" if len(rows) > MOST_SHOWN else ""
            return f"{begin} {'; '.join(each[:MOST_SHOWN])}{more}"
        return "\n  ".join([begin, *(f"{one}." for one in each)])


@dataclass(frozen=True)
class Pixels:
    """Rows of pixels.

    Attributes:
        values: uint8 (n, h·w·channels), row by row, or float32 (n, d) by a backbone; 0 of a picture that is marked as
            bad.
        shape: (h, w) or (h, w, 3).
        names: of all pictures as they came, bad ones too.
        tally: of the rows as they came, which are bad, and what was done to others.
        digest: SHA-256 of the names and bytes of the good ones, in hex.
        notes: what was decided.
    """

    values: NDArray[Any]
    shape: Shape
    names: Sequence[str]
    tally: Tally
    digest: str
    notes: tuple[str, ...]


class _Pass:
    """What is found out about n pictures while they are read, once for their headers and once for their pixels."""

    def __init__(self, n: int, what: str) -> None:
        self.tally = Tally(what, n)
        self.names: list[str] = [""] * n
        self.digests: list[bytes] = [b""] * n

    def each(
        self, pictures: Iterable[Encoded], work: Callable[[bytes], Made], *, skips: bool
    ) -> Iterator[tuple[int, Made]]:
        """What some work makes of the bytes of each picture that can be read; rows in order.

        Args:
            pictures: from the first to the last.
            work: raises BadPicture.
            skips: pictures that are known to be bad are not looked at again.
        """

        def done(picture: Encoded) -> tuple[bytes, Made | BadPicture]:
            digest = b""
            try:
                data = picture.read()
                digest = hashlib.sha256(data).digest()
                return digest, work(data)
            except BadPicture as error:
                return digest, error

        def asked() -> Iterator[Encoded]:
            for row, picture in enumerate(pictures):
                self.names[row] = picture.name
                if not (skips and row in self.tally.bad):
                    rows.append(row)
                    yield picture

        rows: deque[int] = deque()
        progress = PROGRESS.get()
        for digest, made in in_threads(done, asked()):
            row = rows.popleft()
            if progress is not None:
                progress(self.tally.what, row + 1, len(self.names))
            self.digests[row] = digest
            if isinstance(made, BadPicture):
                self.tally.bad[row], self.tally.names[row] = str(made), self.names[row]
            else:
                yield row, made

    def digest(self) -> str:
        """Of the names and bytes of the pictures that can be read."""
        sha = hashlib.sha256()
        for row, (name, digest) in enumerate(zip(self.names, self.digests, strict=True)):
            if row not in self.tally.bad:
                sha.update(name.encode("utf-8", "surrogatepass") + b"\0" + digest)
        return sha.hexdigest()


def read_pictures(pictures: Callable[[], Iterable[Encoded]], n: int, wanted: Wanted, what: str) -> Pixels:
    """Decode n pictures.

    Args:
        pictures: gives them from the first to the last, each time it is asked.
        n: how many, at least one.
        wanted: what they shall become.
        what: the file or folder as a message names it.

    Raises:
        InputError: pictures that can't be read, the first of them named; or pixels that can't fit.
        EngineUnavailableError: Pillow is not installed.
    """
    pillow()
    known = _Pass(n, what)
    headers: dict[int, Header] = {}

    def chosen() -> tuple[Shape, str]:
        """The shape, by the pictures that are not known to be bad, and what is said of it."""
        good = [header for row, header in headers.items() if row not in known.tally.bad]
        return (wanted.shape, "") if wanted.shape is not None else choose_shape(good, wanted.size)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about tags and sizes: we say ourselves what is wrong
        if wanted.shape is None or wanted.cache is not None:
            headers.update(known.each(pictures(), examined, skips=False))
            if wanted.shape is None and not headers:
                raise known.tally.refusal(can_skip=False)
        shape, words = chosen()
        values = _made(pictures, known, shape, wanted)
        while wanted.bad != "refuse" and len(known.tally.bad) < n:
            before, (shape, words) = shape, chosen()
            if shape == before:
                break
            del values  # a picture with a good header and damaged pixels had a say; the others are of another shape
            known.tally.said.clear()
            values = _made(pictures, known, shape, wanted)
    bad = known.tally.bad
    if bad and (wanted.bad == "refuse" or (len(bad) == n and wanted.bad == "drop")):
        raise known.tally.refusal()
    if bad and wanted.bad == "drop":
        values = _without(values, bad)
    held = f"; {megabytes(n * math.prod(shape))} of pixels" if wanted.backbone is None else ""
    notes = (f"{what}: {words}{held}",) if words else ()
    return Pixels(values, shape, known.names, known.tally, known.digest(), notes)


def _made(pictures: Callable[[], Iterable[Encoded]], known: _Pass, shape: Shape, wanted: Wanted) -> NDArray[Any]:
    """The rows of all pictures, of this shape or what the backbone makes of it."""
    if wanted.backbone is not None:
        refuse_too_large(len(known.names), wanted.backbone.n_features, "features")
        return _looked_at(pictures, known, shape, wanted, wanted.backbone)
    refuse_too_many_pixels(len(known.names), shape, is_mapped=wanted.cache is not None)
    make = _decoded if wanted.cache is None else _cached
    return make(pictures, known, shape, wanted)


def _decoded(
    pictures: Callable[[], Iterable[Encoded]],
    known: _Pass,
    shape: Shape,
    wanted: Wanted,
    into: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    values = np.zeros((len(known.names), math.prod(shape)), np.uint8) if into is None else into
    work = partial(decoded, shape=shape, is_exact=wanted.is_exact)
    for row, (pixels, said) in known.each(pictures(), work, skips=True):
        values[row] = pixels.reshape(-1)
        known.tally.said.update(said)
    return values


def _looked_at(
    pictures: Callable[[], Iterable[Encoded]], known: _Pass, shape: Shape, wanted: Wanted, backbone: Backbone
) -> NDArray[np.float32]:
    """What the backbone makes of each picture; those that it knows are not decoded, and of the others a few are."""
    values = np.zeros((len(known.names), backbone.n_features), np.float32)

    def work(data: bytes) -> tuple[bytes, NDArray[np.float32] | None, tuple[NDArray[np.uint8], frozenset[str]] | None]:
        key = file_key(data, shape, is_exact=wanted.is_exact)
        found = backbone.known(key)
        return key, found, None if found is not None else decoded(data, shape, is_exact=wanted.is_exact)

    most = max(1, BLOCK_BYTES // math.prod(shape))
    waiting: dict[int, tuple[bytes, NDArray[np.uint8]]] = {}

    def look() -> None:
        if waiting:
            keys, pixels = zip(*waiting.values(), strict=True)
            values[list(waiting)] = backbone.features(np.stack(pixels), keys)
            waiting.clear()

    for row, (key, found, made) in known.each(pictures(), work, skips=True):
        if found is not None:
            values[row] = found
        elif made is not None:
            waiting[row] = key, made[0]
            known.tally.said.update(made[1])
        if len(waiting) == most:
            look()
    look()
    return values


def file_key(data: bytes, shape: Shape, *, is_exact: bool) -> bytes:
    """By which the picture in a file is known, decoded to this shape."""
    about = json.dumps(["file", RULES, list(shape), is_exact]).encode()
    return hashlib.sha256(about + hashlib.sha256(data).digest()).digest()


def _cached(pictures: Callable[[], Iterable[Encoded]], known: _Pass, shape: Shape, wanted: Wanted) -> NDArray[np.uint8]:
    """The pixels from the cache; or into it, mapped into memory."""
    assert wanted.cache is not None
    digests = list(known.digests)
    entry = wanted.cache.entry(shape, digests, is_exact=wanted.is_exact)
    found = entry.read()
    if found is not None:
        values, bad, said = found
        known.tally.bad.update({**bad, **known.tally.bad})  # of a file without bytes its own reason
        known.tally.names.update({row: known.names[row] for row in bad})
        known.tally.said.update(said)
        return values
    with entry.written() as into:
        _decoded(pictures, known, shape, wanted, into)
        for row, digest in enumerate(digests):
            if known.digests[row] != digest:
                name = f"{known.tally.what}: {one_line(known.names[row])}"
                raise InputError(f"{name} changed while it was read; try again when it is written to the end.")
        return entry.keep(into, known.tally.bad, known.tally.said)


def _without(values: NDArray[Any], bad: Mapping[int, str]) -> NDArray[Any]:
    """The rows that are good."""
    if not values.flags.writeable:
        return np.delete(values, sorted(bad), axis=0)
    end = 0
    for row in range(len(values)):  # in place: a second matrix may not fit
        if row not in bad:
            values[end] = values[row]
            end += 1
    return values[:end]


def choose_shape(headers: Sequence[Header], size: tuple[int, int] | None) -> tuple[Shape, str]:
    """The shape of new pictures, (h, w) or (h, w, 3), and what is said of it."""
    sizes = {(header.height, header.width) for header in headers}
    is_grey = all(header.is_grey for header in headers)
    is_one = len(sizes) == 1
    least, most = min(sizes, key=math.prod), max(sizes, key=math.prod)
    if size is None:
        height, width = least
        if not is_one:
            size = (SHORT_SIDE, SHORT_SIDE)
        elif max(least) <= SMALL:
            size = least
        else:
            short = min(height, width)
            size = round(height * SHORT_SIDE / short), round(width * SHORT_SIDE / short)
        hint = "; --image-size HxW says another" if size != least or not is_one else ""
    else:
        hint = ""
    found = f"all are {by(least)}" if is_one else f"they are from {by(least)} to {by(most)}"
    becomes = "taken as they are" if is_one and size == least else f"resized to {by(size)}"
    words = f"{counted(len(headers), 'picture')} in {'grey' if is_grey else 'colour'}: {found}, {becomes}{hint}"
    return (size if is_grey else (*size, 3)), words


def by(size: Sequence[int]) -> str:
    """Height and width."""
    return f"{size[0]} x {size[1]}"


def megabytes(n_bytes: int) -> str:
    """In words."""
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{max(n_bytes, 1e5) / 1e6:,.1f} MB"


def refuse_too_many_pixels(n: int, shape: Shape, *, is_mapped: bool) -> None:
    """Raise InputError if a matrix of pixels can never fit into memory, where it must."""
    n_bytes, limit = n * math.prod(shape), memory_bytes()
    if not is_mapped and limit is not None and n_bytes > limit:
        raise InputError(
            f"{n:,} pictures of {by(shape)} are {megabytes(n_bytes)} of pixels; this machine has {megabytes(limit)} of"
            " memory. Give a smaller --image-size; or --image-cache FOLDER, which keeps them on disk."
        )


def in_threads(work: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
    """What is made of each thing given, in order; few are under way at once. Ctrl-C waits for those alone."""
    count = thread_count()
    pool = ThreadPoolExecutor(count)
    try:
        waiting: deque[Future[Made]] = deque()
        for one in given:
            waiting.append(pool.submit(work, one))
            if len(waiting) >= WAITING * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def thread_count() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
