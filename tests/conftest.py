"""What tests of every room are given, and a setting that is made before NumPy is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Matrices of tests are small: with two threads OpenBLAS takes many times the processor's time, most of it waiting.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def open_database() -> Iterator[None]:
    """DuckDB stays open, as in a server: for tests of hundreds of small files, which take less than its opening."""
    from fromlogits.data import duck

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duck, "_is_kept", True)
        yield
    duck._kept.cache_clear()
