"""Fuzzes the reader of NumPy archives: `nox -s fuzz`, or `python -m tests.fuzz.fuzz_npz -max_total_time=60`."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from fromlogits.data import files, npz
from tests.fuzz.reader import fuzz


def read(path: Path) -> object:
    return npz.read_npz(path, labelled=True)


if __name__ == "__main__":
    fuzz("npz", "t.npz", read, npz, files, zipfile, np.lib.format)
