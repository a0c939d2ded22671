"""scikit-learn's own examples of its MLPClassifier, trained by it and by `fromlogits.MLPClassifier`.

    python benchmarks/mlp_examples.py --data MNIST --json mlp_examples.json

The data and the settings are those of the examples of scikit-learn 1.9, told here and not copied; the random_state of
each is exchanged for one seed after another, and both classes are given the same rows and the same seeds, so that both
train the same network but for the rounding of float32. MNIST is a folder with its four IDX files; without it the
example with MNIST has the digits of scikit-learn. Where an example has no test rows, 40 % are held out as its
neighbours do. What an example asks of `solver="lbfgs"`, which ours refuses, is run with "adam" in its place by both.

Seconds are those of `fit` (of every call, where there are several). The two take turns in one process, and who begins
changes from seed to seed. A ratio is theirs over ours with the same seed. NumPy's OpenBLAS shares even small products
out, which costs scikit-learn dearly on a busy machine: OPENBLAS_NUM_THREADS=1 taskset -c 0 in front gives both one core
and shows it without that.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, mean_and_deviation, show, spread, write_json
from networks import mnist_rows
from sklearn.datasets import load_digits, load_iris, make_circles, make_classification, make_moons
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import fromlogits as fl

Settings = dict[str, Any]
Rows = tuple[Any, Any, Any, Any]
"""Training and test rows, training and test classes."""

SGD: Settings = {"solver": "sgd", "learning_rate_init": 0.2}
STRATEGIES: dict[str, Settings] = {
    "constant": {**SGD, "momentum": 0},
    "constant, momentum": {**SGD, "momentum": 0.9, "nesterovs_momentum": False},
    "constant, Nesterov": {**SGD, "momentum": 0.9, "nesterovs_momentum": True},
    "invscaling": {**SGD, "learning_rate": "invscaling", "momentum": 0},
    "invscaling, momentum": {**SGD, "learning_rate": "invscaling", "momentum": 0.9, "nesterovs_momentum": False},
    "invscaling, Nesterov": {**SGD, "learning_rate": "invscaling", "momentum": 0.9, "nesterovs_momentum": True},
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
}
ALPHAS = (0.1, 0.316, 1.0, 3.16, 10.0)


@dataclass(frozen=True)
class Example:
    """One data set of an example.

    Attributes:
        name: of the example, as scikit-learn calls it.
        data: which rows.
        variants: the settings of each training, by what tells them apart.
        n_fits: calls of `fit`.
        is_adam_for_lbfgs: the example itself asks for lbfgs.
    """

    name: str
    data: str
    rows: Rows
    variants: dict[str, Settings] = field(default_factory=lambda: {"": {}})
    n_fits: int = 1
    is_adam_for_lbfgs: bool = False


def held_out(X: Any, y: Any, **how: Any) -> Rows:
    X, X_test, y, y_test = train_test_split(X, y, **{"test_size": 0.4, "random_state": 42, **how})
    return X, X_test, y, y_test


def standardised(rows: Rows) -> Rows:
    scaler = StandardScaler().fit(rows[0])
    return scaler.transform(rows[0]), scaler.transform(rows[1]), rows[2], rows[3]


def separable(seed: int) -> tuple[Any, Any]:
    X, y = make_classification(n_features=2, n_redundant=0, n_informative=2, random_state=seed, n_clusters_per_class=1)
    return X + 2 * np.random.RandomState(2).uniform(size=X.shape), y


def examples(mnist: Path | None) -> Iterator[Example]:
    moons = make_moons(noise=0.3, random_state=0)
    circles = make_circles(noise=0.2, factor=0.5, random_state=1)
    digits = load_digits(return_X_y=True)

    for data, (X, y), passes in (
        ("iris", load_iris(return_X_y=True), 400),
        ("digits", digits, 15),
        ("circles", circles, 400),
        ("moons", moons, 400),
    ):
        rows = held_out(MinMaxScaler().fit_transform(X), y)
        variants = {name: {"max_iter": passes, **settings} for name, settings in STRATEGIES.items()}
        yield Example("plot_mlp_training_curves", data, rows, variants)

    for data, (X, y) in (("moons", moons), ("circles", circles), ("separable", separable(1))):
        rows = standardised(held_out(X, y))
        yield Example("plot_classifier_comparison", data, rows, {"": {"alpha": 1, "max_iter": 1000}})

    for data, (X, y) in (("moons", moons), ("circles", circles), ("separable", separable(0))):
        common = {"max_iter": 2000, "early_stopping": True, "hidden_layer_sizes": [10, 10]}
        variants = {f"alpha {alpha:g}": {"alpha": alpha, **common} for alpha in ALPHAS}
        yield Example("plot_mlp_alpha", data, standardised(held_out(X, y)), variants, is_adam_for_lbfgs=True)

    (X, y), scale = digits, 16.0
    if mnist is not None:
        parts = [mnist_rows(mnist, part, 60_000) for part in ("train", "t10k")]
        X, y, scale = np.vstack([pixels for pixels, _ in parts]), np.hstack([labels for _, labels in parts]), 255.0
    rows = held_out(X / scale, y, test_size=0.7, random_state=0)
    settings = {"hidden_layer_sizes": (40,), "max_iter": 8, "alpha": 1e-4, **SGD}
    yield Example("plot_mnist_filters", "digits" if mnist is None else "MNIST", rows, {"": settings})

    X, y = make_classification(n_samples=100, random_state=1)
    rows = held_out(X, y, test_size=0.25, stratify=y, random_state=1)
    yield Example("MLPClassifier's docstring", "100 made rows", rows, {"": {"max_iter": 300}})

    two: Rows = ([[0.0, 0.0], [1.0, 1.0]], [[2.0, 2.0], [-1.0, -2.0]], [0, 1], [1, 0])
    guide = "user guide, classification"
    for data, rows, units in (
        ("two rows", two, (5, 2)),
        ("two rows, two labels", (*two[:2], [[0, 1], [1, 1]], [[1, 1], [0, 1]]), (15,)),
    ):
        yield Example(guide, data, rows, {"": {"alpha": 1e-5, "hidden_layer_sizes": units}}, is_adam_for_lbfgs=True)
    settings = {"hidden_layer_sizes": (15,), "max_iter": 1, "warm_start": True}
    yield Example("user guide, warm_start", "two rows", two, {"": settings}, n_fits=10)


def refuses_lbfgs() -> bool:
    try:
        fl.MLPClassifier(solver="lbfgs").fit([[0.0], [1.0]], [0, 1])
    except fl.errors.InputError as error:
        return "lbfgs" in str(error)
    return False


def trained(kind: type[Any], example: Example, settings: Settings, seed: int) -> tuple[float, float, int]:
    """Seconds, test accuracy and passes."""
    X, X_test, y, y_test = example.rows
    clf = kind(random_state=seed, **settings)
    start = time.perf_counter()
    for _ in range(example.n_fits):
        clf.fit(X, y)
    seconds = time.perf_counter() - start
    return seconds, float(clf.score(X_test, y_test)), int(clf.n_iter_)


def compared(example: Example, settings: Settings, runs: int) -> dict[str, Any]:
    """Both classes on every seed."""
    who = {"ours": fl.MLPClassifier, "theirs": Theirs}
    found: dict[str, list[tuple[float, float, int]]] = {"ours": [], "theirs": []}
    for seed in range(runs):
        for name in list(who)[:: 1 if seed % 2 else -1]:
            found[name].append(trained(who[name], example, settings, seed))
    seconds, accuracy, passes = (
        {name: [one[place] for one in fits] for name, fits in found.items()} for place in range(3)
    )
    pairs = list(zip(accuracy["ours"], accuracy["theirs"], strict=True))
    return {
        "settings": settings,
        "accuracy": {name: mean_and_deviation(values) for name, values in accuracy.items()},
        "difference": mean_and_deviation([ours - theirs for ours, theirs in pairs]),
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "passes": {name: statistics.fmean(values) for name, values in passes.items()},
        "times_as_fast": spread(
            [theirs / ours for ours, theirs in zip(seconds["ours"], seconds["theirs"], strict=True)]
        ),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on."""
    parser = argparse.ArgumentParser(description="scikit-learn's examples of MLPClassifier, by it and by ours.")
    parser.add_argument("--data", type=Path, help="the folder with MNIST's IDX files")
    parser.add_argument("--runs", type=int, default=5, help="seeds, each trained by both (default 5)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("scikit-learn", "scipy")
    show(facts)
    report: dict[str, Any] = {
        "benchmark": "mlp_examples", **facts, "runs": options.runs, "refuses_lbfgs": refuses_lbfgs(), "examples": {},
    }  # fmt: skip
    print(f"{'':<50} ours and theirs: accuracy, passes, seconds; times as fast")
    for example in examples(options.data):
        trainings = report["examples"].setdefault(f"{example.name}: {example.data}", {
            "example": example.name, "data": example.data, "rows": len(example.rows[0]),
            "test_rows": len(example.rows[1]), "is_adam_for_lbfgs": example.is_adam_for_lbfgs, "trainings": {},
        })["trainings"]  # fmt: skip
        for variant, settings in example.variants.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                one = trainings[variant] = compared(example, settings, options.runs)
            means, took = one["accuracy"], one["seconds"]
            print(
                f"{example.name[:26]:<27}{example.data[:12]:<13}{variant:<21}"
                f" {means['ours']['mean']:.4f} {means['theirs']['mean']:.4f}"
                f"  {one['passes']['ours']:5.0f} {one['passes']['theirs']:5.0f}"
                f"  {took['ours']['median']:.4f} {took['theirs']['median']:.4f}"
                f"  {one['times_as_fast']['median']:.1f}"
                f" ({one['times_as_fast']['lowest']:.1f} to {one['times_as_fast']['highest']:.1f})",
                flush=True,
            )
    write_json(options.json, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
