"""Several labels: one network with an output for each, or a network for each.

    python benchmarks/separate_or_joint.py --data TABLES --json separate_or_joint.json

`Classifier` at its defaults, and the same with `separate_networks=True`, on the street scenes of examples/scenes.npz
(600 of 3 000 pictures to test on) and, from TABLES, emotions, scene and yeast with the split of the Mulan repository.
Quality is of the test rows, mean and standard deviation over the seeds; both are trained in turn with each seed.
Seconds are of `fit`; parameters are counted and bytes taken in the saved file; one row is the median of `predict_proba`
on single rows in turn, the two one after the other, over --calls each.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, mean_and_deviation, show, spread, write_json
from safetensors import safe_open

import fromlogits as fl
from fromlogits.data.sources import read

SCENES = Path(__file__).parent.parent / "examples" / "scenes.npz"
METRICS = ("macro_f1", "micro_f1", "log_loss", "macro_roc_auc")
KINDS: dict[str, dict[str, Any]] = {"one network": {}, "a network for each label": {"separate_networks": True}}


@dataclass(frozen=True)
class Split:
    train: Any
    train_labels: Any
    test: Any
    test_labels: Any
    n_rows: int
    n_labels: int
    rows: tuple[Any, ...]
    """Single ones, as `predict_proba` takes them."""


def scenes() -> Split:
    with np.load(SCENES) as held:
        pictures, labels = held["X"], held["y"]
    order = np.random.default_rng(0).permutation(len(pictures))
    train, test = order[600:], order[:600]
    rows = tuple(pictures[k : k + 1] for k in test[:100])
    return Split(
        pictures[train], labels[train], pictures[test], labels[test], len(train), labels.shape[1], rows
    )  # fmt: skip


def table(folder: Path) -> Split:
    train, test = (read(folder / f"{part}.csv.gz", target="label:*") for part in ("train", "test"))

    def matrix(dataset: Any) -> Any:
        return np.column_stack([column.values for column in dataset.features.columns]).astype(np.float64)

    X, X_test = matrix(train), matrix(test)
    y, y_test = (np.asarray(dataset.targets.values).astype(np.int64) for dataset in (train, test))
    return Split(X, y, X_test, y_test, len(X), y.shape[1], tuple(X_test[k : k + 1] for k in range(100)))


def size_of(clf: fl.Classifier) -> tuple[int, int]:
    """Parameters and bytes of the saved file."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.safetensors"
        clf.save(path)
        with safe_open(path, "numpy") as held:  # only the networks' parameters are float32
            tensors = [held.get_tensor(name) for name in held.keys()]  # noqa: SIM118
        parameters = sum(tensor.size for tensor in tensors if tensor.dtype == np.float32)
        return int(parameters), path.stat().st_size


def one_row(classifiers: dict[str, fl.Classifier], rows: Sequence[Any], calls: int) -> dict[str, float]:
    """Median microseconds of each."""
    taken: dict[str, list[int]] = {kind: [] for kind in classifiers}
    for clf in classifiers.values():
        clf.predict_proba(rows[0])
    for k in range(calls):
        for kind, clf in classifiers.items():
            start = time.perf_counter_ns()
            clf.predict_proba(rows[k % len(rows)])
            taken[kind].append(time.perf_counter_ns() - start)
    return {kind: statistics.median(of) / 1e3 for kind, of in taken.items()}


def measure(split: Split, seeds: int, calls: int) -> dict[str, Any]:
    figures: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    classifiers: dict[str, fl.Classifier] = {}
    for seed in range(seeds):
        for kind, settings in KINDS.items():
            clf = fl.Classifier(random_state=seed, task="multi-label", **settings)
            start = time.perf_counter()
            clf.fit(split.train, split.train_labels)
            seconds[kind].append(time.perf_counter() - start)
            found = clf.evaluate(split.test, split.test_labels)
            figures[kind].append({metric: found[metric] for metric in METRICS})
            classifiers[kind] = clf
    latency = one_row(classifiers, split.rows, calls)
    report = {}
    for kind in KINDS:
        parameters, file_bytes = size_of(classifiers[kind])
        report[kind] = {
            **{metric: mean_and_deviation([one[metric] for one in figures[kind]]) for metric in METRICS},
            "fit_s": spread(seconds[kind]),
            "parameters": parameters,
            "file_bytes": file_bytes,
            "one_row_us": latency[kind],
        }
        shown = "  ".join(f"{m} {report[kind][m]['mean']:.4f} ± {report[kind][m]['deviation']:.4f}" for m in METRICS)
        print(
            f"  {kind:<25} {shown}  {report[kind]['fit_s']['median']:.2f} s  {parameters:,} parameters,"
            f" {file_bytes:,} bytes, one row {latency[kind]:.0f} us",
            flush=True,
        )
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="One network for all labels, or one for each.")
    parser.add_argument("--data", type=Path, help="folder of the tables' folders; without it the street scenes alone")
    parser.add_argument("--tables", nargs="*", default=["emotions", "scene", "yeast"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    if "separate_networks" not in fl.Classifier().get_params():
        parser.exit(1, "this fromlogits has no separate networks: Classifier must take separate_networks.\n")
    facts = machine("safetensors")
    show(facts)

    report: dict[str, Any] = {"benchmark": "separate_or_joint", **facts, "seeds": options.seeds, "sets": {}}
    loads = {"street scenes": scenes}
    if options.data is not None:
        loads |= {name: lambda name=name: table(options.data / name) for name in options.tables}
    for name, load in loads.items():
        split = load()
        print(f"{name}: {split.n_rows:,} rows, {split.n_labels} labels, {options.seeds} seeds")
        labels = {"rows": split.n_rows, "labels": split.n_labels}
        report["sets"][name] = {**labels, "kinds": measure(split, options.seeds, options.calls)}
        print()
    write_json(options.json, report)


if __name__ == "__main__":
    main()
