"""Softmax and logistic regression: the objective that we reach, beside scikit-learn's LogisticRegression.

    python benchmarks/logistic.py --json logistic.json

A network without hidden layers and LogisticRegression(C=1/(n·λ)) minimise the same function, the mean loss plus
λ/2·‖W‖² with free biases. Both are given the same encoded features; one function computes both objectives, in float64.
LogisticRegression runs its Newton solver to a tolerance of 1e-8. The relative gap must be at most 1e-4.

Data: the digits of examples/digits.csv, all ten as pictures (all pixels standardised by one mean and spread) and as
plain numbers (each column by its own), and "3 or 8" as numbers; λ is 0.01 and 1/n, scikit-learn's default C=1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, write_json
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

import fromlogits as fl
from fromlogits.data.inputs import as_inputs
from fromlogits.data.sources import read

DIGITS = Path(__file__).parent.parent / "examples" / "digits.csv"
LIMIT = 1e-4
STEADY = {"schedule": "cosine", "momentum": 0.99}
"""Pixels that are nearly constant act like a bias with a penalty: a flat valley, which momentum walks along."""
WAYS: dict[str, dict[str, Any]] = {
    "adam, one batch": {"optimizer": "adam", "learning_rate": 0.3, "max_epochs": 5000},
    "adam, batches of 512": {"optimizer": "adam", "learning_rate": 0.05, "max_epochs": 3000, "batch_size": 512},
    "sgd, one batch": {"optimizer": "sgd", "learning_rate": 0.5, "max_epochs": 10_000, "spec": STEADY},
    "sgd, batches of 512": {
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "max_epochs": 5000,
        "batch_size": 512,
        "spec": STEADY,
    },
}
"""All with the cosine schedule, no rows held out, no calibration; one batch is all rows, as scikit-learn takes them."""


def objective(weights: Any, biases: Any, features: Any, codes: NDArray[np.int64], penalty: float) -> float:
    """Mean loss plus penalty/2·‖W‖², in float64; one row of weights is the sigmoid of two classes."""
    w_cd, b_c, x_nd = (np.asarray(values, np.float64) for values in (weights, biases, features))
    z_nc = x_nd @ w_cd.T + b_c
    if len(w_cd) == 1:
        z_nc = np.hstack([np.zeros_like(z_nc), z_nc])
    top_n = z_nc.max(axis=1)
    losses_n = top_n + np.log(np.exp(z_nc - top_n[:, None]).sum(axis=1)) - z_nc[np.arange(len(codes)), codes]
    return float(losses_n.mean() + penalty / 2 * (w_cd**2).sum())


def tasks() -> dict[str, tuple[Any, NDArray[np.int64]]]:
    """Name of each task: rows as `fit` takes them, and classes."""
    dataset = read(DIGITS, target="digit")
    pixels = np.loadtxt(DIGITS, delimiter=",", skiprows=1)[:, :-1]
    digits = np.asarray(dataset.targets.values, np.int64)
    pair = (digits == 3) | (digits == 8)
    return {
        "ten digits, pictures": (dataset.features, digits),
        "ten digits, numbers": (pixels, digits),
        "3 or 8, numbers": (pixels[pair], digits[pair]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when a gap is larger than the limit."""
    parser = argparse.ArgumentParser(description="Logistic regression beside scikit-learn's.")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("scikit-learn", "scipy")
    show(facts)
    report: dict[str, Any] = {**facts, "limit": LIMIT, "gaps": []}

    for name, (rows, classes) in tasks().items():
        n, codes = len(rows), np.unique(classes, return_inverse=True)[1]
        for penalty in (0.01, 1 / n):
            theirs = None
            for way, settings in WAYS.items():
                start = time.perf_counter()
                clf = fl.Classifier(
                    hidden_layer_sizes=(), weight_decay=penalty, early_stopping=False, calibrate=False,
                    random_state=0, **({"batch_size": n, "spec": {"schedule": "cosine"}} | settings),
                ).fit(rows, classes)  # fmt: skip
                seconds = time.perf_counter() - start
                encoded = clf.encoder_.encode(as_inputs(rows))
                features = encoded.values * np.float64(encoded.scale) + encoded.shift
                if theirs is None:
                    start = time.perf_counter()
                    peer = LogisticRegression(C=1 / (n * penalty), solver="newton-cholesky", tol=1e-8, max_iter=1000)
                    peer.fit(features, codes)
                    peer_seconds = time.perf_counter() - start
                    theirs = objective(peer.coef_, peer.intercept_, features, codes, penalty)
                [(weights, biases)] = clf.members_[0].parameters
                ours = objective(weights, biases, features, codes, penalty)
                gap = ours / theirs - 1
                report["gaps"].append(
                    {"task": name, "rows": n, "penalty": penalty, "way": way, "ours": ours, "theirs": theirs,
                     "relative_gap": gap, "seconds": seconds, "their_seconds": peer_seconds}
                )  # fmt: skip
                print(
                    f"{name:<21} λ {penalty:.2e}  {way:<20} ours {ours:.9f}  theirs {theirs:.9f}"
                    f"  relative gap {gap:+.1e}  ({seconds:.1f} s, theirs {peer_seconds:.1f} s)",
                    flush=True,
                )
    worst = max(abs(row["relative_gap"]) for row in report["gaps"])
    report["largest_gap"] = worst
    print(f"largest relative gap {worst:.1e}, limit {LIMIT:.0e}")
    write_json(options.json, report)
    return 1 if worst > LIMIT else 0


if __name__ == "__main__":
    raise SystemExit(main())
