"""Multi-label tables on their own test split: our defaults beside scikit-learn's MLPClassifier.

    python benchmarks/multilabel.py --data FOLDER --json multilabel.json

FOLDER holds a folder for each table with train.csv.gz and test.csv.gz, 0/1 label columns named label:*. Ours is read,
encoded and trained as `fromlogits train train.csv.gz --target "label:*"` does it. scikit-learn gets a StandardScaler
and the rest at its defaults, and once more with early_stopping=True. Mean and standard deviation over seeds. A label is
predicted where its probability exceeds 0.5; log-loss is in nats per known entry.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, mean_and_deviation, show, write_json
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fromlogits as fl
from fromlogits.data.sources import Dataset, read

METRICS = ("macro_f1", "micro_f1", "log_loss")
Split = tuple[Dataset, Dataset]


def ours(split: Split, seed: int, **settings: Any) -> dict[str, float]:
    """The figures that the command prints for --test."""
    train, test = split
    clf = fl.Classifier(random_state=seed, **settings).fit(train.features, train.targets)
    figures = clf.evaluate(test.features, test.targets)
    return {name: figures[name] for name in METRICS}


def theirs(split: Split, seed: int, **settings: Any) -> dict[str, float]:
    train, test = split
    model = make_pipeline(StandardScaler(), MLPClassifier(random_state=seed, **settings))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its 200 epochs were not enough
        model.fit(numbers(train), labels(train))
    truth_nc, p_nc = labels(test), model.predict_proba(numbers(test)).astype(np.float64)
    tiny = np.finfo(np.float64).eps
    known_nc = np.clip(np.where(truth_nc == 1, p_nc, 1 - p_nc), tiny, 1)
    predicted_nc = (p_nc > 0.5).astype(np.int64)
    return {
        "macro_f1": f1_score(truth_nc, predicted_nc, average="macro", zero_division=0.0),
        "micro_f1": f1_score(truth_nc, predicted_nc, average="micro", zero_division=0.0),
        "log_loss": float(-np.log(known_nc).mean()),
    }


def numbers(dataset: Dataset) -> NDArray[np.float64]:
    return np.column_stack([column.values for column in dataset.features.columns]).astype(np.float64)


def labels(dataset: Dataset) -> NDArray[np.int64]:
    return np.asarray(dataset.targets.values).astype(np.int64)


CONTENDERS: dict[str, tuple[Callable[..., dict[str, float]], dict[str, Any]]] = {
    "fromlogits, defaults": (ours, {}),
    "fromlogits, metric macro_f1": (ours, {"metric": "macro_f1"}),
    "MLPClassifier, defaults": (theirs, {}),
    "MLPClassifier, early stopping": (theirs, {"early_stopping": True}),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Multi-label tables, beside scikit-learn's MLPClassifier.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables' folders")
    parser.add_argument("--tables", nargs="+", default=["emotions", "scene"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("scikit-learn")
    show(facts)

    report: dict[str, Any] = {**facts, "seeds": options.seeds, "tables": {}}
    for table in options.tables:
        folder = options.data / table
        split = (read(folder / "train.csv.gz", target="label:*"), read(folder / "test.csv.gz", target="label:*"))
        print(f"{table}: {len(split[0]):,} rows to train on, {len(split[1]):,} to test, {options.seeds} seeds")
        report["tables"][table] = {}
        for name, (run, settings) in CONTENDERS.items():
            start = time.perf_counter()
            runs = [run(split, seed, **settings) for seed in range(options.seeds)]
            seconds = (time.perf_counter() - start) / options.seeds
            figures = {metric: mean_and_deviation([one[metric] for one in runs]) for metric in METRICS}
            report["tables"][table][name] = {**figures, "seconds": seconds}
            shown = "  ".join(f"{metric} {v['mean']:.4f} ± {v['deviation']:.4f}" for metric, v in figures.items())
            print(f"  {name:<30}  {shown}  {seconds:.2f} s", flush=True)
        print()
    write_json(options.json, report)


if __name__ == "__main__":
    main()
