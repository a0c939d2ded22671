"""examples/digits.csv at the defaults: accuracy over seeds, and seconds of the training.

    python benchmarks/digits.py --json digits.json

Twice for each seed. As the command trains: all rows, of which it holds some out; their accuracy is a little flattered,
for they chose the epoch. And honestly: a fifth of the rows, drawn by the seed and stratified, is kept from the training
altogether and tested on. Seconds are those of the training alone, the file being read already.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, mean_and_deviation, show, spread, write_json

import fromlogits as fl
from fromlogits.data.sources import read
from fromlogits.data.splits import validation_rows

DIGITS = Path(__file__).parent.parent / "examples" / "digits.csv"
WANTED, WANTED_S = 0.97, 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when they are not as wanted."""
    parser = argparse.ArgumentParser(description="The digits at the defaults.")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine()
    show(facts)

    dataset = read(DIGITS, target="digit")
    digits = np.asarray(dataset.targets.values, np.int64)
    runs = []
    for seed in range(options.seeds):
        start = time.perf_counter()
        clf = fl.Classifier(random_state=seed).fit(dataset.features, dataset.targets)
        seconds = time.perf_counter() - start
        validation = clf.validation_metrics_
        rows, kept = validation_rows(digits, 10, 0.2, 1000 + seed)
        honest = fl.Classifier(random_state=seed).fit(dataset.features.take(rows), digits[rows])
        figures = honest.evaluate(dataset.features.take(kept), digits[kept])
        runs.append(
            {
                "seed": seed,
                "validation_accuracy": validation["accuracy"],
                "validation_log_loss": validation["log_loss"],
                "test_accuracy": figures["accuracy"],
                "test_log_loss": figures["log_loss"],
                "epochs": clf.n_iter_,
                "seconds": seconds,
            }
        )
        print("  " + ", ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in runs[-1].items()))

    report: dict[str, Any] = {**facts, "rows": len(digits), "runs": runs}
    for name in ("validation_accuracy", "test_accuracy", "validation_log_loss", "test_log_loss"):
        found = report[name] = mean_and_deviation([run[name] for run in runs])
        print(f"{name}: {found['mean']:.4f} ± {found['deviation']:.4f}")
    found = report["seconds"] = spread([run["seconds"] for run in runs])
    print(f"seconds of the training: {found['median']:.2f} ({found['lowest']:.2f} to {found['highest']:.2f})")
    write_json(options.json, report)
    return 1 if report["validation_accuracy"]["mean"] < WANTED or found["median"] >= WANTED_S else 0


if __name__ == "__main__":
    raise SystemExit(main())
