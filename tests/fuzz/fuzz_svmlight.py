"""Fuzzes the reader of svmlight files: `nox -s fuzz`, or `python -m tests.fuzz.fuzz_svmlight -max_total_time=60`.

What is accepted must be what scikit-learn reads. The first byte of an input says how many bytes the file is read at a
time, 0 the usual number; the rest is the file.
"""

from __future__ import annotations

import io
import itertools
from pathlib import Path

from sklearn.datasets import load_svmlight_file

from fromlogits.data import files, svmlight, svmlight_faults
from tests.fuzz.reader import fuzz

USUAL = files.CHUNK_BYTES


def read(path: Path) -> object:
    data = path.read_bytes()
    files.CHUNK_BYTES = data[0] if data and data[0] else USUAL
    path.write_bytes(data[1:])
    file = svmlight.read_svmlight(path)
    content = data[1:].removeprefix(b"\xef\xbb\xbf")
    svmlight_faults.refuse_first_fault(path.name, content.removesuffix(b"\n") + b"\n", 1)
    rows, labels = load_svmlight_file(io.BytesIO(content), multilabel=True, zero_based=True)
    assert rows.indptr.tolist() == file.indptr.tolist()
    assert rows.indices.tolist() == file.indices.tolist()
    assert rows.data.tobytes() == file.values.tobytes()
    ours = [sorted(file.labels[start:stop].tolist()) for start, stop in itertools.pairwise(file.label_starts)]
    assert [sorted(own) for own in labels] == ours
    return file


if __name__ == "__main__":
    fuzz("svmlight", "t.svm", read, svmlight, svmlight_faults)
