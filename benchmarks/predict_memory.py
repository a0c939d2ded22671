"""Peak memory and seconds of `fromlogits predict` on large files, read whole and read in parts, for every form of file.

    python benchmarks/predict_memory.py --mb 400 --folder /var/tmp --json predict_memory.json

A file of about so many megabytes is made of each form, of random rows: a table of numbers, gaps, categories and dates,
sparse rows of 10 000 features with 30 values, or 784 numbers a row. A small model is trained on the first rows. Each
prediction is a process of its own that writes a CSV. Its peak is the largest resident set of the whole process; seconds
of the processors are those of all its threads. "Whole" is the same command with reading in parts switched off.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, write_json
from peak_memory import status

CHILD = "--child"
TRAINING_ROWS = 20_000
TABLE = """
select round(random() * 10 - 5, 4) as a, round(random() * 100, 2) as b, (random() * 300)::int as c,
    case when random() < 0.1 then null else round(random(), 4) end as d, random()::float as e,
    case when random() < 0.1 then null else (random() * 9)::int end as f, ['red', 'green', 'blue'][1 + range % 3] as g,
    'shop ' || (random() * 40)::int as h, strftime(date '2020-01-01' + (random() * 900)::int, '%Y-%m-%d') as i,
    ['no', 'yes'][1 + (random() * 1.2)::int] as y
from range({rows})
"""


def make_tables(folder: Path, name: str, n_rows: int) -> Path:
    """A table in a form that DuckDB or pyarrow writes."""
    import duckdb

    path = folder / name
    with duckdb.connect() as connection:
        relation = connection.sql(TABLE.format(rows=n_rows))
        if path.suffix == ".arrow":
            import pyarrow as pa

            table = relation.to_arrow_table().combine_chunks()
            packed = pa.ipc.IpcWriteOptions(compression="zstd" if "packed" in name else None)
            with pa.ipc.new_file(path, table.schema, options=packed) as writer:
                writer.write_table(table, max_chunksize=None if "one-batch" in name else 1 << 16)
        else:
            kind = {".jsonl": "json", ".parquet": "parquet"}.get(path.suffix, "csv, header true")
            connection.execute(f"copy ({TABLE.format(rows=n_rows)}) to '{path}' (format {kind})")
    return path


def make_svmlight(folder: Path, name: str, n_rows: int) -> Path:
    """Blocks of the same lines: writing is slower than reading."""
    rng = np.random.default_rng(0)
    lines = []
    for row in range(min(n_rows, TRAINING_ROWS)):
        indices = np.unique(rng.integers(1, 10_001, 30))
        values = rng.random(len(indices))
        lines.append(
            f"{row % 2} " + " ".join(f"{index}:{value:.3f}" for index, value in zip(indices, values, strict=True))
        )
    with (folder / name).open("w", encoding="ascii") as file:
        for _ in range(-(-n_rows // len(lines))):
            file.write("\n".join(lines) + "\n")
    return folder / name


def make_npz(folder: Path, name: str, n_rows: int) -> Path:
    """Whole hundredths, so that packing saves something."""
    rng = np.random.default_rng(0)
    X = rng.integers(-300, 300, (n_rows, 784), np.int16).astype(np.float32) / 100
    save = np.savez_compressed if "packed" in name else np.savez
    save(folder / name, X=X, y=rng.integers(0, 2, n_rows))
    return folder / name


FORMS: dict[str, tuple[Callable[[Path, str, int], Path], str]] = {
    "table.csv": (make_tables, "--target y"),
    "table.parquet": (make_tables, "--target y"),
    "table.jsonl": (make_tables, "--target y"),
    "batches.arrow": (make_tables, "--target y"),
    "packed-batches.arrow": (make_tables, "--target y"),
    "one-batch.arrow": (make_tables, "--target y"),
    "rows.svm": (make_svmlight, ""),
    "rows.npz": (make_npz, ""),
    "packed.npz": (make_npz, ""),
}


def child(how: str, model: str, path: str) -> None:
    """Predict in this process; print what it took."""
    from fromlogits.cli.main import run
    from fromlogits.data import sources

    if how == "whole":
        sources.STREAMED = ()
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        start, before = time.perf_counter(), time.process_time()
        code = run(["predict", model, path, "-o", f"{folder}/p.csv"])
        seconds, of_processor = time.perf_counter() - start, time.process_time() - before
    peak = status("VmHWM")
    print(json.dumps({"code": code, "seconds": seconds, "processor_s": of_processor, "peak": peak}))


def command(*arguments: object) -> str:
    """What a process of Python prints last."""
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{arguments} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout.strip().splitlines()[-1]


def measured(name: str, folder: Path, megabytes: int, rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """How, and what it took; the file is made first."""
    make, options = FORMS[name]
    few = make(folder, f"few-{name}", TRAINING_ROWS)
    n_rows = int(TRAINING_ROWS * megabytes * 1e6 / few.stat().st_size)
    model = folder / "m.safetensors"
    train = ["train", few, *options.split(), "-o", model, "--preset", "fast", "--epochs", 1, "--overwrite"]
    command("-m", "fromlogits", *train)
    few.unlink()
    path = make(folder, name, n_rows)
    size = path.stat().st_size
    runs: dict[str, list[dict[str, Any]]] = {"whole": [], "parts": []}
    for _ in range(rounds):
        for how, found in runs.items():
            found.append(json.loads(command(__file__, CHILD, how, model, path)))
            if found[-1]["code"]:
                raise SystemExit(f"{name}, {how}, ended with {found[-1]['code']}")
    path.unlink()
    for how, found in runs.items():
        figures = {name: spread([run[name] for run in found]) for name in ("peak", "seconds", "processor_s")}
        yield how, {"bytes": size, "rows": n_rows, **figures}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Peak memory and seconds of predictions from large files.")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--mb", type=int, default=400, help="size of each file, about (default 400)")
    parser.add_argument("--folder", type=Path, help="for the files, which are removed; default that of temporary files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument(CHILD, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(*options.child)
        return
    facts = machine("duckdb", "pyarrow")
    show(facts)
    report: dict[str, Any] = {"benchmark": "predict_memory", **facts, "rounds": options.rounds, "forms": {}}
    for name in options.forms:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            report["forms"][name] = dict(measured(name, Path(folder), options.mb, options.rounds))
        for how, found in report["forms"][name].items():
            peak, seconds, of_processor = (found[figure] for figure in ("peak", "seconds", "processor_s"))
            print(
                f"{name:<22}{found['bytes'] / 1e6:5.0f} MB {found['rows']:>10,} rows  {how:<6}"
                f" peak {peak['median'] / 1e6:6.0f} MB ({peak['lowest'] / 1e6:.0f} to {peak['highest'] / 1e6:.0f}),"
                f" {seconds['median']:5.1f} s ({seconds['lowest']:.1f} to {seconds['highest']:.1f}),"
                f" {of_processor['median']:5.1f} s of the processors",
                flush=True,
            )
    write_json(options.json, report)


if __name__ == "__main__":
    main()
