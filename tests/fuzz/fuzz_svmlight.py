"""svmlight files of any bytes: read as scikit-learn reads them, or refused in one line.

    pip install atheris
    python tests/fuzz/fuzz_svmlight.py tests/fuzz/corpus/svmlight -dict=tests/fuzz/svmlight.dict -max_total_time=600

The first byte of an input says how many bytes the file is read at a time, 0 the usual number; the rest is the file.
libFuzzer puts what it finds into the first folder and what fails into the current one; a file named alone is run again.
"""

from __future__ import annotations

import importlib
import io
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

from sklearn.datasets import load_svmlight_file

from fromlogits.data import files
from fromlogits.errors import InputError

atheris: Any = importlib.import_module("atheris")  # has no types, and is not in every environment

with atheris.instrument_imports(include=["fromlogits.data.svmlight", "fromlogits.data.svmlight_faults"]):
    from fromlogits.data.svmlight import read_svmlight
    from fromlogits.data.svmlight_faults import refuse_first_fault

USUAL = files.CHUNK_BYTES


def check(data: bytes, path: Path) -> None:
    """Raise AssertionError, or whatever a fault of the reader raises, where the input is not treated as it must be."""
    files.CHUNK_BYTES = data[0] if data and data[0] else USUAL
    content = data[1:]
    path.write_bytes(content)
    try:
        file = read_svmlight(path)
    except InputError as refusal:
        assert str(refusal).isprintable(), refusal
        return
    content = content.removeprefix(b"\xef\xbb\xbf")
    refuse_first_fault(path.name, content.removesuffix(b"\n") + b"\n", 1)
    rows, labels = load_svmlight_file(io.BytesIO(content), multilabel=True, zero_based=True)
    assert rows.indptr.tolist() == file.indptr.tolist()
    assert rows.indices.tolist() == file.indices.tolist()
    assert rows.data.tobytes() == file.values.tobytes()
    ours = [sorted(file.labels[start:stop].tolist()) for start, stop in itertools.pairwise(file.label_starts)]
    assert [sorted(own) for own in labels] == ours


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        atheris.Setup(sys.argv, lambda data: check(data, Path(folder) / "t.svm"))
        atheris.Fuzz()
