"""Calibration: log loss on test rows without one, with each kind, and with the one that cross-fitting chooses.

    python benchmarks/calibration.py --data FOLDER [SET ...] [--priors] [--json calibration.json]

FOLDER has a folder for each set, with train.csv.gz and test.csv.gz, or .svm.gz. Each set is trained by the preset
`fast`, with several seeds where it is small; the kinds are fitted to its held-out rows and judged on its test rows.
`--priors` tries other strengths of what holds a label's slope and bias. Last, the seconds of 300 labels × 100,000 rows.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, write_json

import fromlogits as fl
from fromlogits.data.sources import read
from fromlogits.decisions import calibration, scale_and_bias
from fromlogits.decisions.folds import folds
from fromlogits.decisions.held_out import HeldOut

SEEDS = {
    "scene": 8, "yeast": 8, "emotions": 8, "german_credit": 8, "soybean": 8, "adult": 4, "wine_quality": 4, "letter": 3,
    "bank_marketing": 3, "bibtex": 2, "sleep": 2, "imdb_genres": 1, "mnist": 1, "eurlex57k": 1,
}  # fmt: skip
PRIORS = [(slope, bias) for slope in (10.0, 30.0, 100.0, 1000.0) for bias in (1.0, 4.0, 16.0, 64.0, 1e6)]


def files(folder: Path, name: str) -> tuple[str, str, str | None]:
    if name == "mnist":
        return str(folder / "train-images-idx3-ubyte.gz"), str(folder / "t10k-images-idx3-ubyte.gz"), None
    ending = "svm.gz" if (folder / "train.svm.gz").exists() else "csv.gz"
    is_multi_label = name in ("scene", "yeast", "emotions")
    target = None if ending == "svm.gz" else "label:*" if is_multi_label else "target"
    return str(folder / f"train.{ending}"), str(folder / f"test.{ending}"), target


def rows_of(folder: Path, name: str, seed: int) -> tuple[HeldOut, HeldOut, float]:
    """The held-out rows and the test rows of a network, and the seconds of its training."""
    train, test, target = files(folder, name)
    data = read(train, target=target)
    clf = fl.Classifier(random_state=seed, calibrate=False)
    fit = clf._prepare(data.features, data.targets, picture_shape=data.picture_shape)
    started = time.perf_counter()
    clf._run(fit)
    seconds = time.perf_counter() - started
    first = getattr(data.features, "first_index", None)
    later = read(
        test, target=target, features=data.feature_names, first_index=first, n_features=data.features.n_features
    )
    assert fit.valid_features is not None and fit.valid_targets is not None
    parts = (
        (clf._networks.of(fit.valid_features, fit.valid_rows), fit.valid_targets),
        (clf.predict_logits(later.features), fit.target.encode(later.targets, unknown="mark")),
    )
    held, others = (HeldOut.of(logits_nc, np.asarray(y[:]), fit.head) for logits_nc, y in parts)
    assert held is not None and others is not None
    return held, others, seconds


def kinds_of(held: HeldOut, test: HeldOut) -> dict[str, float]:
    """The test rows' log loss by each kind, fitted to all held-out rows."""
    tried = (calibration._softmax if held.head == "softmax" else calibration._sigmoid)(held, folds(len(held)))
    return {kind: test.loss(one.of_all().apply) for kind, one in tried.items()}


def measure(folder: Path, name: str, with_priors: bool) -> dict[str, Any]:
    each: list[dict[str, float]] = []
    for seed in range(SEEDS[name]):
        held, test, seconds = rows_of(folder, name, seed)
        takes = []
        for _ in range(3):
            started = time.perf_counter()
            fitted = calibration.fit(held.logits_nc, held.targets, held.head)
            takes.append(time.perf_counter() - started)
        found = {**kinds_of(held, test), "chosen": test.loss(fitted.calibration.apply)}
        found |= {"rows": len(held), "seconds": min(takes), "of_training": min(takes) / seconds}
        if with_priors and held.head == "sigmoid":
            for slope, bias in PRIORS:
                scale_and_bias.SLOPE_PRIOR, scale_and_bias.BIAS_PRIOR = slope, bias
                found[f"priors {slope:g}, {bias:g}"] = kinds_of(held, test)["per_label"]
            scale_and_bias.SLOPE_PRIOR, scale_and_bias.BIAS_PRIOR = 100.0, 16.0
        each.append(found)
    return {"set": name, **{key: float(np.mean([one[key] for one in each])) for key in each[0]}}


def large(n: int = 100_000, c: int = 300) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    z_nc = (2 * rng.normal(size=(n, c)) - 3).astype(np.float32)
    temperatures, biases = np.exp(0.3 * rng.normal(size=c)), 0.5 * rng.normal(size=c)
    y_nc = (rng.random((n, c)) < 1 / (1 + np.exp(-(z_nc / temperatures + biases)))).astype(np.float32)
    found = {}
    for what, weights in (("labels", None), ("weighted labels", rng.random(n))):
        started = time.perf_counter()
        calibration.fit(z_nc, y_nc, "sigmoid", weights)
        found[what] = time.perf_counter() - started
    started = time.perf_counter()
    calibration.fit(z_nc, rng.integers(0, c, n), "softmax")
    return {"rows": n, "units": c, **found, "classes": time.perf_counter() - started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SEEDS)}; all unless told")
    parser.add_argument("--data", metavar="FOLDER", type=Path, required=True)
    parser.add_argument("--priors", action="store_true")
    parser.add_argument("--json", metavar="FILE", type=Path)
    options = parser.parse_args()
    about = machine()
    show(about)
    found = []
    for name in options.sets or SEEDS:
        found.append(measure(options.data / name, name, options.priors))
        print(
            "  ".join(f"{k} {v if isinstance(v, str) else format(v, '.5g')}" for k, v in found[-1].items()), flush=True
        )
    seconds = large()
    print(seconds)
    write_json(options.json, {"machine": about, "sets": found, "large": seconds})


if __name__ == "__main__":
    main()
