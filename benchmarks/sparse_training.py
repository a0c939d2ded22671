"""What training on sparse rows costs: time by the share of values that are not zero, and time and memory of real sets.

    python benchmarks/sparse_training.py --data FOLDER --json sparse_training.json

By density: `NativeEngine.train_span` on the same random rows as CSR and as a dense array, in turns, in this process;
from the density on where the dense array is faster, an encoder makes one (`fromlogits.data.encoders.SPARSE`).

Sets: bibtex and eurlex57k in FOLDER, each as train.svm.gz; one that is missing is left out. Each contender trains the
same network, one hidden layer of 128 units, on all rows for some epochs, in a process of its own. Memory is that
process's largest resident set, and what the process holds before it trains: Python, the libraries and the data.

- fromlogits: `Classifier.fit` on SciPy's CSR, as it is.
- fromlogits, dense: the same on the dense array of them.
- scikit-learn: MLPClassifier on SciPy's CSR in float32.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, threads, write_json
from scipy.sparse import csr_array

from fromlogits import Classifier
from fromlogits.data.features import EncodedRows, Features, SparseFeatures
from fromlogits.data.svmlight import read_svmlight
from fromlogits.engines.base import Steps
from fromlogits.engines.native import NativeEngine
from fromlogits.spec import Dense, Network, Plan

DENSITIES = (0.002, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5)
SHAPES = ((300, 32), (2_000, 128), (10_000, 128))
"""Features, hidden units."""
N, BATCH, CLASSES = 2_048, 128, 10
SETS = {"bibtex": 10, "eurlex57k": 3}
"""Epochs."""
CONTENDERS = ("fromlogits", "fromlogits, dense", "scikit-learn")


# --- by density ---


def rows_of(density: float, d: int) -> SparseFeatures:
    """Random rows, each of the same number of values."""
    rng = np.random.default_rng(0)
    each = max(1, round(density * d))
    indices = np.concatenate([np.sort(rng.choice(d, each, replace=False)) for _ in range(N)])
    values = rng.normal(size=N * each).astype(np.float32)
    return SparseFeatures(np.arange(0, N * each + 1, each), indices.astype(np.int32), values, d)


def by_density(repeats: int) -> list[dict[str, Any]]:
    report = []
    labels = np.random.default_rng(1).integers(0, CLASSES, N).astype(np.int32)
    for d, h in SHAPES:
        network = Network((Dense(h, "relu"), Dense(CLASSES))).with_input(d)
        for density in DENSITIES:
            sparse = rows_of(density, d)
            forms: dict[str, EncodedRows] = {"sparse": sparse, "dense": Features(sparse.dense())}
            engines = {form: NativeEngine(network, "softmax", n_threads=threads()) for form in forms}
            rates: dict[str, list[float]] = {form: [] for form in forms}
            for engine in engines.values():
                engine.initialise(0)
                engine.start(Plan(batch_size=BATCH), 0)
            for epoch in range(repeats + 1):
                order = np.random.default_rng(epoch).permutation(N)
                for form, features in forms.items():
                    start = time.perf_counter()
                    engines[form].train_span(features, labels, order, Steps(np.full(N // BATCH, 1e-3)))
                    rates[form].append(N / (time.perf_counter() - start))
            found = {form: spread(values[1:]) for form, values in rates.items()}  # the first one warms up
            ratio = spread([a / b for a, b in zip(rates["sparse"][1:], rates["dense"][1:], strict=True)])
            report.append({"features": d, "units": h, "density": density, **found, "ratio": ratio})
            print(
                f"{d:>6} features, {h:>3} units, {100 * density:4.1f} % not zero: sparse"
                f" {found['sparse']['median']:>10,.0f} rows/s, dense {found['dense']['median']:>10,.0f}; ratio"
                f" {ratio['median']:.2f} ({ratio['lowest']:.2f} to {ratio['highest']:.2f})",
                flush=True,
            )
    return report


# --- sets, each contender in a process of its own ---


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # Linux counts in KiB


def train(contender: str, path: Path, epochs: int) -> dict[str, float]:
    """In this process."""
    file = read_svmlight(path)
    X: Any = csr_array((file.values, file.indices - 1, file.indptr))
    labels, columns = np.unique(file.labels, return_inverse=True)
    Y = np.zeros((X.shape[0], len(labels)), np.int8)
    Y[np.repeat(np.arange(X.shape[0]), np.diff(file.label_starts)), columns] = 1
    X = X.toarray() if contender == "fromlogits, dense" else X.astype(np.float32)
    before = peak_mb()
    start = time.perf_counter()
    if contender == "scikit-learn":
        from sklearn.neural_network import MLPClassifier

        with warnings.catch_warnings(action="ignore"):  # that the epochs asked for were run
            MLPClassifier((128,), batch_size=BATCH, max_iter=epochs, n_iter_no_change=epochs).fit(X, Y)
    else:
        Classifier(
            hidden_layer_sizes=(128,), batch_size=BATCH, max_epochs=epochs, early_stopping=False, calibrate=False,
            task="multi-label", random_state=0,
        ).fit(X, Y)  # fmt: skip
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "rows_per_s": epochs * X.shape[0] / seconds, "peak_mb": peak_mb(), "before_mb": before}


def in_a_process(contender: str, path: Path, epochs: int) -> dict[str, float]:
    arguments = ["--child", contender, "--data", str(path), "--epochs", str(epochs)]
    output = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(output)
    return found


def of_sets(data: Path, repeats: int) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name, epochs in SETS.items():
        path = data / name / "train.svm.gz"
        if not path.exists():
            print(f"{name}: left out, there is no {path}")
            continue
        print(f"\n{name}, {epochs} epochs")
        runs: dict[str, list[dict[str, float]]] = {contender: [] for contender in CONTENDERS}
        for _ in range(repeats):
            for contender, found in runs.items():
                found.append(in_a_process(contender, path, epochs))
        report[name] = {}
        for contender, found in runs.items():
            figures = {key: spread([run[key] for run in found]) for key in found[0]}
            report[name][contender] = figures
            rate, peak, before = figures["rows_per_s"], figures["peak_mb"], figures["before_mb"]
            print(
                f"  {contender:<18} {rate['median']:>9,.0f} rows/s ({rate['lowest']:,.0f} to {rate['highest']:,.0f}),"
                f" peak {peak['median']:,.0f} MB, before the training {before['median']:,.0f}",
                flush=True,
            )
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Training on sparse rows: time and memory.")
    parser.add_argument("--data", type=Path, help="folder of the sets' folders")
    parser.add_argument("--repeats", type=int, default=5, help="by density")
    parser.add_argument("--processes", type=int, default=3, help="of each contender on each set")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        print(json.dumps(train(options.child, options.data, options.epochs)))
        return
    facts = machine("scikit-learn", "scipy")
    show(facts)

    densities = by_density(options.repeats)
    sets = of_sets(options.data, options.processes) if options.data else {}
    write_json(options.json, {**facts, "densities": densities, "sets": sets})


if __name__ == "__main__":
    main()
