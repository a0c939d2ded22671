"""`fromlogits.MLPClassifier` beside scikit-learn's: accuracy and seconds of the same training.

    python benchmarks/mlp_classifier.py --data FOLDER --json mlp_classifier.json

The trainings are those of scikit-learn's gallery, written anew: its digits at the defaults, the moons of "Compare
stochastic learning strategies" (sgd with Nesterov's momentum), and "Visualization of MLP weights on MNIST". FOLDER
holds MNIST's four IDX files; without it MNIST is left out. Both are given the same float64 rows, as the gallery does,
and the same seed, so both train the same network: their test rows should agree but for rounding. Runs alternate; the
seconds are medians of `fit` alone. NumPy's OpenBLAS shares even small products out, which costs scikit-learn dearly on
a busy machine: OPENBLAS_NUM_THREADS=1 in front shows it without that.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, write_json
from networks import mnist_rows
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as Theirs

import fromlogits as fl

Rows = tuple[Any, Any, Any, Any]
"""Training and test rows, training and test classes."""


def tasks(folder: Path | None) -> dict[str, tuple[Rows, dict[str, Any]]]:
    """Name of each training: its rows and the settings of both."""
    X, y = load_digits(return_X_y=True)
    found: dict[str, tuple[Rows, dict[str, Any]]] = {
        "digits": (tuple(train_test_split(X / 16, y, test_size=0.3, random_state=0)), {"max_iter": 400})
    }
    X, y = make_moons(2000, noise=0.3, random_state=0)
    sgd = {"solver": "sgd", "learning_rate_init": 0.2, "momentum": 0.9, "max_iter": 400}
    found["moons"] = (tuple(train_test_split(X, y, test_size=0.5, random_state=0)), sgd)
    if folder is not None:
        (X, y), (X_test, y_test) = (mnist_rows(folder, part, 60_000) for part in ("train", "t10k"))
        settings = {"hidden_layer_sizes": (40,), "solver": "sgd", "learning_rate_init": 0.2, "max_iter": 8}
        found["MNIST"] = ((X / 255, X_test / 255, y, y_test), settings)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on."""
    parser = argparse.ArgumentParser(description="MLPClassifier beside scikit-learn's.")
    parser.add_argument("--data", type=Path, help="the folder with MNIST's IDX files")
    parser.add_argument("--runs", type=int, default=5, help="seeds, each trained by both")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("scikit-learn", "scipy")
    show(facts)
    report: dict[str, Any] = {**facts, "runs": options.runs, "trainings": []}
    for name, ((X, X_test, y, y_test), settings) in tasks(options.data).items():
        seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
        shares: dict[str, list[float]] = {"ours": [], "theirs": []}
        passes: dict[str, list[int]] = {"ours": [], "theirs": []}
        for seed in range(options.runs):
            for who, kind in (("ours", fl.MLPClassifier), ("theirs", Theirs)):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    start = time.perf_counter()
                    clf = kind(random_state=seed, **settings).fit(X, y)
                    seconds[who].append(time.perf_counter() - start)
                shares[who].append(float(clf.score(X_test, y_test)))
                passes[who].append(clf.n_iter_)
        times = [theirs / ours for ours, theirs in zip(seconds["ours"], seconds["theirs"], strict=True)]
        report["trainings"].append(
            {"name": name, "rows": len(X), "settings": settings, "seconds": seconds, "accuracy": shares,
             "passes": passes, "times_as_fast": times}
        )  # fmt: skip
        accuracy = " and ".join(f"{np.mean(shares[who]):.4f}" for who in shares)
        epochs = " and ".join(f"{statistics.median(passes[who]):g}" for who in passes)
        took = " and ".join(f"{statistics.median(seconds[who]):.3f}" for who in seconds)
        print(
            f"{name:<7} {len(X):>6,} rows; ours and theirs: accuracy {accuracy}, passes {epochs}, seconds {took};"
            f" {statistics.median(times):.1f} times as fast ({min(times):.1f} to {max(times):.1f})",
            flush=True,
        )
    write_json(options.json, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
