"""How fast each form of file is read, with how much memory, beside the library that reads it left to itself.

    python benchmarks/reading.py --json reading.json

Makes files of about --mb megabytes in a temporary folder: rows of 50 numbers of 17 digits and a class as CSV, JSON
lines, Parquet, Arrow and svmlight; rows of 784 pixels and a class as CSV, Parquet, .npz and IDX. Every reading is a
fresh process that ends with NumPy arrays; the readers take turns, and the first turn fills the disk cache and is left
out. `fromlogits` is the strict room, which also hashes the file; it is held against the form's own library, left to
itself. The others are there for information. Then 18 malformed CSVs, and what each reader makes of them.

Needs pyarrow, polars, pandas and scikit-learn beside fromlogits; one that is not installed is left out, and so is a
form that this fromlogits does not read.
"""

from __future__ import annotations

import argparse
import gzip
import json
import struct
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
    "scikit-learn": ("scikit-learn", "scipy", "joblib", "threadpoolctl"),
}
MODULES = {"scikit-learn": "sklearn.datasets"}  # what is imported to read; the others import themselves
OWN = {  # the library that reads a form, left to itself; then who else reads it
    ".csv": ("duckdb", "pyarrow", "polars", "pandas"),
    ".jsonl": ("duckdb", "pyarrow", "polars", "pandas"),
    ".parquet": ("duckdb", "pyarrow", "polars"),
    ".arrow": ("pyarrow", "polars"),
    ".feather": ("pyarrow", "polars"),
    ".svm": ("scikit-learn",),
    ".npz": ("numpy",),
    "-ubyte": ("numpy",),
    ".gz": ("numpy",),
}


def form(path: Path) -> str:
    return next(ending for ending in OWN if path.name.endswith(ending))


# --- readers: file in, column name -> NumPy array out ---


def read_duckdb(path: Path) -> dict[str, Any]:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false")
    return dict(connection.execute(f"select * from '{path}'").fetchnumpy())


def read_pyarrow(path: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.json
    import pyarrow.parquet

    readers = {
        ".csv": pa.csv.read_csv,
        ".jsonl": pa.json.read_json,
        ".parquet": pa.parquet.read_table,
        ".arrow": lambda path: pa.feather.read_table(path, memory_map=False),
        ".feather": lambda path: pa.feather.read_table(path, memory_map=False),
    }
    table = readers[path.suffix if path.suffix in readers else ".csv"](path)  # .csv.gz
    return {name: table.column(name).to_numpy() for name in table.column_names}


def read_polars(path: Path) -> dict[str, Any]:
    import polars

    readers = {
        ".jsonl": polars.read_ndjson,
        ".parquet": polars.read_parquet,
        ".arrow": polars.read_ipc,
        ".feather": polars.read_ipc,
    }
    frame = readers.get(path.suffix, polars.read_csv)(path)
    return {name: frame[name].to_numpy() for name in frame.columns}


def read_pandas(path: Path) -> dict[str, Any]:
    import pandas

    frame = pandas.read_json(path, lines=True) if path.suffix == ".jsonl" else pandas.read_csv(path)
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def read_sklearn(path: Path) -> dict[str, Any]:
    from sklearn.datasets import load_svmlight_file

    rows, targets = load_svmlight_file(str(path))
    return {"rows": rows.data, "y": targets}


def read_numpy(path: Path) -> dict[str, Any]:
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files}
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return {"pixels": np.frombuffer(content, np.uint8, offset=16).copy()}


def read_fromlogits(path: Path) -> dict[str, Any]:
    from fromlogits.data.sources import read

    has_names = form(path) in (".csv", ".jsonl", ".parquet", ".arrow", ".feather")
    data = read(path, target="y" if has_names else None)
    return {"features": data.features, "targets": data.targets}


def read_columns(path: Path) -> dict[str, Any]:
    """Of a malformed CSV, as fromlogits reads it: all columns, no roles."""
    from fromlogits.data.tables import TextTable

    file = TextTable(path)
    return {column.name: column.values for column in file.read(file.names).columns}


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "fromlogits": read_fromlogits,
    "duckdb": read_duckdb,
    "pyarrow": read_pyarrow,
    "polars": read_polars,
    "pandas": read_pandas,
    "scikit-learn": read_sklearn,
    "numpy": read_numpy,
}
CSV_READERS = ("fromlogits", "duckdb", "pyarrow", "polars", "pandas")

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
    if reader == "fromlogits":
        __import__("fromlogits.data.sources")
    library = OWN[form(path)][0] if reader == "fromlogits" else reader
    if library in DISTRIBUTIONS and (reader != "fromlogits" or library in ("duckdb", "pyarrow")):
        __import__(MODULES.get(library, library))
    imported = time.perf_counter()
    READERS[reader](path)
    done = time.perf_counter()
    return {"import_s": imported - start, "read_s": done - imported, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process had. Not ru_maxrss, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def one_verdict(reader: str, path: Path) -> dict[str, Any]:
    _, wanted = MALFORMED[path.parent.name]
    try:
        read = read_columns if reader == "fromlogits" else READERS[reader]
        return {"verdict": verdict(read(path), wanted)}
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


def make_files(folder: Path, mb: float) -> list[Path]:
    import duckdb
    import pyarrow.feather
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(int(1000 * mb), 50))
    names = [f"x{place}" for place in range(50)]
    files = {
        ending: folder / f"numbers{ending}" for ending in (".csv", ".jsonl", ".parquet", ".arrow", ".feather", ".svm")
    }
    with files[".csv"].open("w") as csv, files[".jsonl"].open("w") as lines, files[".svm"].open("w") as svm:
        csv.write(",".join([*names, "y"]) + "\n")
        for row in numbers.tolist():
            texts, y = [format(value, ".17g") for value in row], int(row[0] > 0)
            csv.write(",".join(texts) + f",{y}\n")
            lines.write("{" + ", ".join(f'"{name}": {text}' for name, text in zip(names, texts, strict=True)))
            lines.write(f', "y": {y}}}\n')
            svm.write(f"{y} " + " ".join(f"{place}:{text}" for place, text in enumerate(texts, 1)) + "\n")
    pixels = np.minimum(rng.integers(0, 256, (int(600 * mb), 784)), rng.integers(0, 256, (int(600 * mb), 784)))
    pixels[rng.random(pixels.shape) < 0.5] = 0
    classes = np.arange(len(pixels)) % 10
    files["pixels"] = folder / "pixels.csv"
    with files["pixels"].open("w") as csv:
        csv.write(",".join(f"p{place}" for place in range(784)) + ",y\n")
        for number, row in enumerate(pixels.tolist()):
            csv.write(",".join(map(str, row)) + f",{classes[number]}\n")
    for path in (files[".csv"], files["pixels"]):
        parquet = path.with_suffix(".parquet")
        duckdb.connect().execute(f"copy (select * from '{path}') to '{parquet}' (format parquet)")
        files[parquet.name] = parquet
    table = pyarrow.parquet.read_table(files[".parquet"])
    pyarrow.feather.write_feather(table, str(files[".arrow"]), compression="uncompressed")
    pyarrow.feather.write_feather(table, str(files[".feather"]), compression="zstd")
    files["npz"] = folder / "pixels.npz"
    np.savez(files["npz"], X=pixels.astype(np.uint8).reshape(-1, 28, 28), y=classes)
    images = struct.pack(">4B3I", 0, 0, 8, 3, len(pixels), 28, 28) + pixels.astype(np.uint8).tobytes()
    labels = struct.pack(">4BI", 0, 0, 8, 1, len(pixels)) + classes.astype(np.uint8).tobytes()
    files["idx"], files["idx.gz"] = folder / "train-images-idx3-ubyte", folder / "packed-images-idx3-ubyte.gz"
    files["idx"].write_bytes(images)
    (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    files["idx.gz"].write_bytes(gzip.compress(images, 6))
    (folder / "packed-labels-idx1-ubyte").write_bytes(labels)
    return list(dict.fromkeys(files.values()))


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


def measure_files(readers: Sequence[str], folder: Path, mb: float, rounds: int) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for path in make_files(folder, mb):
        size = path.stat().st_size / 1e6
        own, *others = OWN[form(path)]
        there = [reader for reader in ("fromlogits", own, *others) if reader in readers]
        print(f"{path.name}, {size:.0f} MB: median (lowest - highest) of {rounds} processes")
        found: dict[str, list[dict[str, Any]]] = {reader: [] for reader in there}
        for turn in range(rounds + 1):
            for reader in there:
                if turn == len(found[reader]):
                    found[reader].append(in_a_new_process("reading", reader, path))
        if "read_s" not in found["fromlogits"][-1]:
            print("  this fromlogits does not read it")
            continue
        report[path.name] = {"mb": size, "own": own, "readers": {}}
        for reader, (_, *results) in found.items():
            if results and all("read_s" in result for result in results):
                row = {key: spread([result[key] for result in results]) for key in results[0]}
                report[path.name]["readers"][reader] = row
                imported, read, peak = row["import_s"], row["read_s"], row["peak_mib"]
                print(
                    f"  {reader:<12} import {imported['median']:.3f} s, read {read['median']:.3f} s"
                    f" ({read['lowest']:.3f} - {read['highest']:.3f}), peak {peak['median']:.0f} MiB"
                )
        if own in report[path.name]["readers"]:
            pairs = zip(found["fromlogits"][1:], found[own][1:], strict=True)
            ratio = spread([ours["read_s"] / theirs["read_s"] for ours, theirs in pairs])
            report[path.name]["ours_over_own"] = ratio
            print(f"  ours / {own}: {ratio['median']:.2f} ({ratio['lowest']:.2f} - {ratio['highest']:.2f})")
    return report


def measure_malformed(readers: Sequence[str], folder: Path) -> dict[str, Any]:
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
    parser = argparse.ArgumentParser(description="How fast each form of file is read.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mb", type=float, default=100, help="about how large the files are (default: 100)")
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
        malformed = measure_malformed([reader for reader in readers if reader in CSV_READERS], Path(folder))
        print()
        files = measure_files(readers, Path(folder), options.mb, options.rounds)
    write_json(
        options.json,
        {"machine": facts, "rounds": options.rounds, "installed_mib": sizes, "files": files, "malformed": malformed},
    )


if __name__ == "__main__":
    main()
