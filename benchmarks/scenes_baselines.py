"""How well a linear model, scikit-learn's networks and ours tell what is in `examples/scenes.npz`.

    python benchmarks/scenes_baselines.py --json scenes_baselines.json

The last 600 pictures are held out; for scikit-learn the pixels are standardised on the others. The linear model
keeps the penalty that is best on the held-out pictures, which flatters it; the networks choose nothing there. The
areas of a network are medians over its seeds. Three minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import fromlogits as fl

SCENES = Path(__file__).parent.parent / "examples" / "scenes.npz"
HELD_OUT = 600
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2)  # C of LogisticRegression; the best has lain inside
NETWORKS: dict[str, dict[str, Any]] = {
    "MLP 256-128": {},
    "MLP 256-128, alpha 1, patience 15": {"alpha": 1.0, "n_iter_no_change": 15},
}
SEEDS = range(5)

Floats = NDArray[np.float64]
Labels = NDArray[np.uint8]


def areas(labels_nc: Labels, scores_nc: Floats) -> Floats:
    """The area under the ROC curve of each label, shape (c,)."""
    return np.array([roc_auc_score(labels_nc[:, c], scores_nc[:, c]) for c in range(labels_nc.shape[1])])


def linear_areas(
    train_nd: Floats,
    train_nc: Labels,
    test_nd: Floats,
    test_nc: Labels,
) -> tuple[Floats, float]:
    """The areas of one logistic regression per label, and the penalty, the best on the test rows."""
    best_c, best_penalty = np.zeros(train_nc.shape[1]), PENALTIES[0]
    for penalty in PENALTIES:
        model = LogisticRegression(C=penalty, max_iter=1000)
        scores = [model.fit(train_nd, labels_n).decision_function(test_nd) for labels_n in train_nc.T]
        areas_c = areas(test_nc, np.stack(scores, axis=1))
        if areas_c.mean() > best_c.mean():
            best_c, best_penalty = areas_c, penalty
    return best_c, best_penalty


def machine() -> str:
    """The system, the processor's name where Linux tells it, and the cores."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{platform.system()} {platform.machine()}, {name}, {os.cpu_count()} cores"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Figures on scenes.npz.")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)

    with np.load(SCENES) as arrays:
        pictures, labels_nc, classes = arrays["X"], arrays["y"], arrays["classes"].tolist()
    pixels_nd = pictures.reshape(len(pictures), -1).astype(np.float64)
    train_nc, test_nc = labels_nc[:-HELD_OUT], labels_nc[-HELD_OUT:]
    scaler = StandardScaler().fit(pixels_nd[:-HELD_OUT])
    train_nd, test_nd = scaler.transform(pixels_nd[:-HELD_OUT]), scaler.transform(pixels_nd[-HELD_OUT:])

    report: dict[str, Any] = {
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "machine": machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "fromlogits": fl.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "rows": {"train": len(train_nd), "held_out": len(test_nd)},
        "roc_auc": [],
    }
    for key in list(report)[:-1]:
        print(f"{key}: {report[key]}")

    def add(name: str, runs: list[Floats], seconds: float) -> None:
        macros = [float(run.mean()) for run in runs]
        row = {
            "model": name,
            "runs": len(runs),
            "macro": round(float(np.median(macros)), 4),
            "lowest": round(min(macros), 4),
            "highest": round(max(macros), 4),
            "per_label": dict(zip(classes, np.median(runs, axis=0).round(4).tolist(), strict=True)),
            "seconds": round(seconds, 1),
        }
        report["roc_auc"].append(row)
        print(", ".join(f"{key} {value}" for key, value in row.items()))

    start = time.perf_counter()
    areas_c, penalty = linear_areas(train_nd, train_nc, test_nd, test_nc)
    add(f"logistic regression, C {penalty:g}", [areas_c], time.perf_counter() - start)
    for name, settings in NETWORKS.items():
        start, runs = time.perf_counter(), []
        for seed in SEEDS:
            network = MLPClassifier((256, 128), early_stopping=True, random_state=seed, **settings)
            runs.append(areas(test_nc, network.fit(train_nd, train_nc).predict_proba(test_nd)))
        add(name, runs, (time.perf_counter() - start) / len(SEEDS))
    start, runs = time.perf_counter(), []
    for seed in SEEDS:
        clf = fl.Classifier(random_state=seed).fit(pictures[:-HELD_OUT], train_nc)
        runs.append(areas(test_nc, clf.predict_logits(pictures[-HELD_OUT:])))
    add("fromlogits, defaults", runs, (time.perf_counter() - start) / len(SEEDS))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
