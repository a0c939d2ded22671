"""Picture files into pixels: in threads, as we do it, beside one thread and processes.

`python benchmarks/decoding.py tiles.zip --size 96x96`: any folder or zip file of pictures.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import features

from fromlogits.data.pictures import pixels, stores
from fromlogits.data.pictures.asked import in_store
from fromlogits.data.pictures.decode import Shape, decoded

ROUNDS = 5
CHUNK = 64
OPENED: list[stores.Store] = []


def with_threads(count: int, path: Path, names: list[str], shape: Shape) -> NDArray[np.uint8]:
    store = stores.opened(path)
    before = pixels.thread_count
    pixels.thread_count = lambda: count
    try:
        found = pixels.read_pictures(lambda: in_store(store, names), len(names), pixels.Wanted(shape), path.name)
    finally:
        pixels.thread_count = before
    return found.values


def open_store(path: Path) -> None:
    OPENED.append(stores.opened(path))


def rows_of(names: list[str], shape: Shape) -> NDArray[np.uint8]:
    """In another process."""
    return np.stack([decoded(OPENED[0].read(name), shape)[0].reshape(-1) for name in names])


def with_processes(count: int, path: Path, names: list[str], shape: Shape) -> NDArray[np.uint8]:
    values = np.empty((len(names), math.prod(shape)), np.uint8)
    chunks = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
    with ProcessPoolExecutor(count, initializer=open_store, initargs=(path,)) as pool:
        start = 0
        for rows in pool.map(partial(rows_of, shape=shape), chunks):
            values[start : start + len(rows)] = rows
            start += len(rows)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--size", default="64x64")
    given = parser.parse_args()
    height, width = map(int, given.size.split("x"))
    shape = (height, width, 3)
    names = sorted(name for name in stores.opened(given.path).names() if stores.is_picture(name))
    cores = len(os.sched_getaffinity(0))
    turbo = features.version_feature("libjpeg_turbo")
    print(f"{platform.processor() or platform.machine()}, {cores} cores, Python {platform.python_version()},"
          f" Pillow {PIL.__version__}, libjpeg-turbo {turbo}; {len(names):,} pictures to {given.size}")  # fmt: skip
    ways: dict[str, Callable[[], NDArray[np.uint8]]] = {
        "1 thread": partial(with_threads, 1, given.path, names, shape),
        f"{cores} threads": partial(with_threads, cores, given.path, names, shape),
        f"{2 * cores} threads": partial(with_threads, 2 * cores, given.path, names, shape),
        f"{cores} processes": partial(with_processes, cores, given.path, names, shape),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    first = None
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            values = way()
            seconds[name].append(time.perf_counter() - started)
            first = values if first is None else first
            assert np.array_equal(values, first)
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(
            f"{name:>12}: {middle:6.2f} s, {min(times):.2f} to {max(times):.2f}; {len(names) / middle:8,.0f} pictures/s"
        )


if __name__ == "__main__":
    main()
