"""Damaged Parquet and Arrow files end in one line or in a table: no crash, no hang, no memory for what is not there.

`python tests/data/test_mutated_files.py FORM SEED COUNT` makes the mutants of a seed and reads them, in one process.
"""

from __future__ import annotations

import io
import random
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

N_ROWS = 400
MOST_SECONDS = 10  # for one file of some kilobytes
MOST_MIB = 100


def columns(pa: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "i": pa.array(range(N_ROWS), pa.int32()),
        "f": pa.array(rng.normal(size=N_ROWS)),
        "h": pa.array(np.float16(rng.normal(size=N_ROWS))),
        "b": pa.array([row % 3 == 0 for row in range(N_ROWS)]),
        "s": pa.array([f"text {row}" if row % 7 else None for row in range(N_ROWS)]),
        "d": pa.array(["ab"[row % 2] for row in range(N_ROWS)]).dictionary_encode(),
        "m": pa.array(range(N_ROWS), pa.decimal128(9, 2)),
        "t": pa.array(range(N_ROWS), pa.timestamp("us", "UTC")),
        "l": pa.array([[1, 2], [3]] * (N_ROWS // 2)),
    }


def parquet_files() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = []
    for options in (
        {},
        {"compression": "zstd"},
        {"compression": "none", "use_dictionary": False},
        {"compression": "none", "data_page_version": "2.0"},
    ):
        file = io.BytesIO()
        pq.write_table(pa.table(columns(pa)), file, row_group_size=150, **options)
        files.append(file.getvalue())
    return files


def arrow_files() -> list[bytes]:
    import pyarrow as pa

    views = {"v": pa.array([f"a text that is no short one, {row}" for row in range(N_ROWS)], pa.string_view())}
    table = pa.table({**columns(pa), **views})
    files = []
    for opened in (pa.ipc.new_file, pa.ipc.new_stream):
        for compression in (None, "lz4", "zstd"):
            file = io.BytesIO()
            with opened(file, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
                writer.write_table(table, max_chunksize=150)
            files.append(file.getvalue())
    return files


LONG_WORDS = [b"\xff" * 8, bytes(8), *(value.to_bytes(8, "little") for value in (10**9, 2**40, 2**62))]
SHORT_WORDS = [b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0", bytes(4)]


def mutated(rng: random.Random, content: bytes) -> bytes:
    """Cut off, or with bits flipped, bytes, words of 4 or of 8 bytes replaced."""
    if rng.random() < 0.1:
        return content[: rng.randrange(len(content))]
    mutant = bytearray(content)
    kind = rng.randrange(4)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(mutant))
        if kind == 0:
            mutant[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            mutant[place] = rng.choice((0, 1, 127, 128, 255))
        else:
            words = (SHORT_WORDS, LONG_WORDS)[kind - 2]
            size = len(words[0])
            place -= place % size
            mutant[place : place + size] = rng.choice(words)
    return bytes(mutant)


def read_mutants(form: str, seed: int, count: int) -> None:
    """Print how many were read; raise where the reader does anything but read or refuse in one line."""
    from fromlogits.data import duck
    from fromlogits.data.arrival import arrive
    from fromlogits.data.reading import Reading
    from fromlogits.data.sources import _open_table
    from fromlogits.errors import InputError

    duck.keep()  # as in a server, where no damaged file may do harm to what reads the next one
    files = {"parquet": parquet_files, "arrow": arrow_files}[form]()
    rng = random.Random(seed)
    accepted = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t.{form}"
        before = 0
        for number in range(-len(files), count):  # the whole files first
            content = files[number] if number < 0 else mutated(rng, rng.choice(files))
            path.write_bytes(content)
            print("reading mutant", number, flush=True)
            signal.alarm(MOST_SECONDS)
            try:
                file = _open_table(arrive(path, Reading()), Reading(), ())
                file.read([name for name in file.names if name != "l"])
            except InputError as error:
                assert number >= 0, error
                assert "\n" not in str(error) and folder not in str(error), error
            else:
                accepted += 1
            signal.alarm(0)
            before = before or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MOST_MIB, f"{grown:.0f} MiB more than for the first file"
    print("accepted", accepted - len(files), "of", count)


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_damaged_file_is_read_or_refused_in_one_line_without_a_crash(form: str) -> None:
    pytest.importorskip("pyarrow", "20")  # older ones are not built to read hostile files
    command = [sys.executable, __file__, form, "0", "300"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, f"{shown(command)}\n{done.stdout[-60:]}\n{done.stderr[-2000:]}"
    accepted = int(done.stdout.rpartition("accepted ")[2].split()[0])
    assert 0 < accepted < 200  # a flip among the values is a value; the others are noticed


def shown(command: list[str]) -> str:
    return "rerun: python " + " ".join(command[1:])


if __name__ == "__main__":
    read_mutants(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
