"""Memory that goes back to the system piece by piece, while the array that lies in it is used up from its start."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_BYTES = 1 << 20  # smaller arrays are not worth a mapping of their own


def zeros(n: int, dtype: Any) -> NDArray[Any]:
    """An array (n,) of zeros; a large one of numbers lies in pages that `release` can give back."""
    size = n * np.dtype(dtype).itemsize
    if size < MIN_BYTES or np.dtype(dtype).hasobject or not hasattr(mmap, "MADV_DONTNEED"):
        return np.zeros(n, dtype)
    return np.frombuffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), dtype, n)


def release(array: NDArray[Any], start: int, stop: int) -> None:
    """Give back the whole pages of array[start:stop]; what stood there is lost. Does nothing to other arrays."""
    pages = array
    while isinstance(pages.base, np.ndarray):
        pages = pages.base
    memory: Any = pages.base
    memory = memory.obj if isinstance(memory, memoryview) else memory
    if not isinstance(memory, mmap.mmap) or array.strides != (array.itemsize,):
        return
    offset = array.ctypes.data - pages.ctypes.data
    first = -(-(offset + start * array.itemsize) // mmap.PAGESIZE) * mmap.PAGESIZE
    last = (offset + stop * array.itemsize) // mmap.PAGESIZE * mmap.PAGESIZE
    if last > first:
        memory.madvise(mmap.MADV_DONTNEED, first, last - first)
