"""Which library reads our tables: size, import, speed, memory, and what each makes of damaged files.

    python benchmarks/table_readers.py --json table_readers.json

Makes a CSV of about 100 MB (100,000 rows, 50 numbers of 17 digits and a class), one of 125 MB (60,000 rows, 784 pixels
and a class) and the Parquet of both, in a temporary folder. Every reading is a fresh process that ends with one NumPy
array per column; the readers take turns, and the first turn fills the disk cache and is left out.
`duckdb` is DuckDB left to itself; `fromlogits` is the strict room built on it, which also hashes the file.

Needs pyarrow, polars and pandas beside fromlogits; one that is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, write_json

DISTRIBUTIONS = {
    "duckdb": ("duckdb",),
    "pyarrow": ("pyarrow",),
    "polars": ("polars", "polars-runtime-32"),
    "pandas": ("pandas", "python-dateutil", "six", "tzdata"),
}
MODULES = {"fromlogits": "duckdb"}  # what is imported to read; the others import themselves


# --- readers: file in, column name -> NumPy array out ---


def read_duckdb(path: Path) -> dict[str, Any]:
    import duckdb

    return dict(duckdb.connect().execute(f"select * from '{path}'").fetchnumpy())


def read_pyarrow(path: Path) -> dict[str, Any]:
    import pyarrow.csv
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path) if path.suffix == ".parquet" else pyarrow.csv.read_csv(path)
    return {name: table.column(name).to_numpy() for name in table.column_names}


def read_polars(path: Path) -> dict[str, Any]:
    import polars

    frame = polars.read_parquet(path) if path.suffix == ".parquet" else polars.read_csv(path)
    return {name: frame[name].to_numpy() for name in frame.columns}


def read_pandas(path: Path) -> dict[str, Any]:
    import pandas

    frame = pandas.read_parquet(path) if path.suffix == ".parquet" else pandas.read_csv(path)
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def read_fromlogits(path: Path) -> dict[str, Any]:
    from fromlogits.data.parquet import ParquetTable
    from fromlogits.data.tables import TextTable

    file = ParquetTable(path) if path.suffix == ".parquet" else TextTable(path)
    return {column.name: column.values for column in file.read(file.names).columns}


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "fromlogits": read_fromlogits,
    "duckdb": read_duckdb,
    "pyarrow": read_pyarrow,
    "polars": read_polars,
    "pandas": read_pandas,
}

# --- damaged files: content, and what a reading may give; None: it must be refused ---

ROWS = 120_000
MALFORMED: dict[str, tuple[bytes, dict[str, list[Any]] | None]] = {
    "short row": (b"x,z,y\n1,2,a\n3,b\n5,6,c\n", None),
    "long row": (b"x,z,y\n1,2,a\n3,4,b,9\n5,6,c\n", None),
    "long row, last value empty": (b"x,y\n1,a\n2,b,\n3,c\n", None),
    "unclosed quote": (b'x,y\n1,a\n2,"b\n3,c\n4,d\n', None),
    "quote closed by a later one": (b'x,y\n1,"a\n2,"b"\n3,c\n', None),
    "same name twice": (b"x,x,y\n1,2,a\n", None),
    "Latin-1": ("x,y\n1,é\n2,b\n".encode("latin-1"), None),
    "NUL byte": (b"x,y\n1,a\0\n2,b\n", None),
    "gzip cut off": (b"", None),  # made below
    "leading zero": (b"x,y\n12345,a\n01234,b\n", {"x": ["12345", "01234"], "y": ["a", "b"]}),
    "long integer": (b"x,y\n1,a\n9007199254740993,b\n", {"x": ["1", "9007199254740993"], "y": ["a", "b"]}),
    "overflow": (b"x,y\n1,a\n1e400,b\n", {"x": ["1", "1e400"], "y": ["a", "b"]}),
    "word late in a column": (
        b"x,y\n" + b"1,a\n" * ROWS + b"two,b\n",
        {"x": ["1"] * ROWS + ["two"], "y": ["a"] * ROWS + ["b"]},
    ),
    "semicolons": (b"x;y\n1;a\n2;b\n", {"x": [1, 2], "y": ["a", "b"]}),
    "tabs in a .csv": (b"x\ty\n1\ta\n2\tb\n", {"x": [1, 2], "y": ["a", "b"]}),
    "byte order mark": (b"\xef\xbb\xbfx,y\n1,a\n2,b\n", {"x": [1, 2], "y": ["a", "b"]}),
    "line end in quotes": (b'x,y\n1,"a\nb"\n2,b\n', {"x": [1, 2], "y": ["a\nb", "b"]}),
    "NA is a word": (b"x,y\n1,NA\n2,b\n", {"x": [1, 2], "y": ["NA", "b"]}),
}


def verdict(columns: dict[str, Any], wanted: dict[str, list[Any]] | None) -> str:
    """ "right", or what came instead of a refusal or of the values as they stand in the file."""
    found = {name: np.asarray(values).tolist() for name, values in columns.items()}
    if wanted is not None and found == wanted:
        return "right"
    if wanted is not None and list(found) == list(wanted):
        wrong = next(name for name in wanted if found[name] != wanted[name])
        if [str(value) for value in found[wrong]] == [str(value) for value in wanted[wrong]]:
            return "right"  # 9007199254740993 as an integer is no damage
        return f"WRONG: {wrong} = {str(found[wrong][-2:])[:40]}"
    rows = len(next(iter(found.values()), []))
    return f"WRONG: {rows} rows of {', '.join(found)}"[:60]


# --- one measurement, in a process of its own ---


def one_reading(reader: str, path: Path) -> dict[str, Any]:
    start = time.perf_counter()
    __import__(MODULES.get(reader, reader))
    imported = time.perf_counter()
    columns = READERS[reader](path)
    done = time.perf_counter()
    assert len({len(values) for values in columns.values()}) == 1
    return {"import_s": imported - start, "read_s": done - imported, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process had. Not ru_maxrss, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def one_verdict(reader: str, path: Path) -> dict[str, Any]:
    _, wanted = MALFORMED[path.parent.name]
    try:
        return {"verdict": verdict(READERS[reader](path), wanted)}
    except Exception as error:
        return {"verdict": "refused", "message": str(error).partition("\n")[0]}


def in_a_new_process(task: str, reader: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", task, reader, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if result.returncode != 0:
        return {"verdict": f"WRONG: the process ended with {result.returncode}"}
    found: dict[str, Any] = json.loads(result.stdout)
    return found


# --- the whole ---


def make_files(folder: Path) -> dict[str, Path]:
    import duckdb

    rng = np.random.default_rng(0)
    files = {"numbers.csv": folder / "numbers.csv", "pixels.csv": folder / "pixels.csv"}
    with files["numbers.csv"].open("w") as file:
        file.write(",".join(f"x{i}" for i in range(50)) + ",y\n")
        for row in rng.normal(size=(100_000, 50)):
            file.write(",".join([format(value, ".17g") for value in row]) + f",{int(row[0] > 0)}\n")
    pixels = np.minimum(rng.integers(0, 256, (60_000, 784)), rng.integers(0, 256, (60_000, 784)))
    pixels[rng.random(pixels.shape) < 0.5] = 0
    with files["pixels.csv"].open("w") as file:
        file.write(",".join(f"p{i}" for i in range(784)) + ",y\n")
        for number, row in enumerate(pixels.tolist()):
            file.write(",".join(map(str, row)) + f",{number % 10}\n")
    for name in list(files):
        parquet = files[name].with_suffix(".parquet")
        duckdb.connect().execute(f"copy (select * from '{files[name]}') to '{parquet}' (format parquet)")
        files[parquet.name] = parquet
    return files


def installed_mib(distributions: Sequence[str]) -> float:
    """All files of these distributions, byte code left out."""
    total = 0
    for name in distributions:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue
        paths = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
        total += sum(path.stat().st_size for path in paths if path.is_file())
    return total / 2**20


def is_installed(reader: str) -> bool:
    try:
        distribution(reader)
    except PackageNotFoundError:
        print(f"{reader} is not installed; left out")
        return False
    return True


def measure_files(readers: Sequence[str], folder: Path, rounds: int) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name, path in make_files(folder).items():
        size = path.stat().st_size / 1e6
        print(f"{name}, {size:.0f} MB: median (lowest - highest) of {rounds} processes")
        found: dict[str, list[dict[str, Any]]] = {reader: [] for reader in readers}
        for turn in range(rounds + 1):
            for reader in readers:
                if not (reader == "pandas" and name.endswith("parquet")):  # which is pyarrow's
                    result = in_a_new_process("reading", reader, path)
                    found[reader] += [result] if turn else []
        report[name] = {"mb": size, "readers": {}}
        for reader, results in found.items():
            if results and all("read_s" in result for result in results):
                row = {key: spread([result[key] for result in results]) for key in results[0]}
                report[name]["readers"][reader] = row
                imported, read, peak = row["import_s"], row["read_s"], row["peak_mib"]
                print(
                    f"  {reader:<11} import {imported['median']:.3f} s, read {read['median']:.2f} s"
                    f" ({read['lowest']:.2f} - {read['highest']:.2f}), peak {peak['median']:.0f} MiB"
                )
    return report


def measure_malformed(readers: Sequence[str], folder: Path) -> dict[str, Any]:
    import gzip

    report: dict[str, Any] = {}
    for case, (content, _) in MALFORMED.items():
        place = folder / case
        place.mkdir()
        path = place / ("t.csv.gz" if case == "gzip cut off" else "t.csv")
        path.write_bytes(gzip.compress(b"x,y\n" + b"1,a\n" * 50_000)[:-40] if case == "gzip cut off" else content)
        report[case] = {reader: in_a_new_process("verdict", reader, path) for reader in readers}
        print(case)
        for reader in readers:
            print(f"  {reader:<11} {report[case][reader]['verdict']}")
    wrong = {r: sum(row[r]["verdict"].startswith("WRONG") for row in report.values()) for r in readers}
    print("silently wrong of", len(report), "files:", wrong)
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Readers of tables compared.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        task, reader, path = options.one
        print(json.dumps((one_reading if task == "reading" else one_verdict)(reader, Path(path))))
        return
    facts = machine(*DISTRIBUTIONS)
    show(facts)
    readers = [reader for reader in READERS if is_installed(reader)]
    sizes = {reader: installed_mib(names) for reader, names in DISTRIBUTIONS.items() if reader in readers}
    for reader, mib in sizes.items():
        print(f"{reader:<11} {mib:.0f} MiB installed")
    print()
    with tempfile.TemporaryDirectory() as folder:
        malformed = measure_malformed(readers, Path(folder))
        print()
        files = measure_files(readers, Path(folder), options.rounds)
    write_json(options.json, {"machine": facts, "installed_mib": sizes, "files": files, "malformed": malformed})


if __name__ == "__main__":
    main()
