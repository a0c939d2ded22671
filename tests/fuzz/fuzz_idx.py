"""Fuzzes the reader of IDX files: `nox -s fuzz`, or `python -m tests.fuzz.fuzz_idx -max_total_time=60`."""

from __future__ import annotations

from pathlib import Path

from fromlogits.data import files, idx, packed
from tests.fuzz.reader import fuzz


def read(path: Path) -> object:
    return idx.read_idx(path, labelled=False)


if __name__ == "__main__":
    fuzz("idx", "train-images-idx3-ubyte", read, idx, files, packed)
