"""Short training runs of the float64 reference engine, stored so that a refactor has to reproduce them.

`python tests/trajectories/make.py` writes them anew; do that only for a change that is meant to change results, and
say so under Numerics in the changelog.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fromlogits.data.features import Features
from fromlogits.engines.base import Engine
from fromlogits.engines.native import NativeEngine
from fromlogits.engines.reference import ReferenceEngine
from fromlogits.spec import Dense, HeadName, Network, Plan
from fromlogits.training import train

FOLDER = Path(__file__).parent
ENGINES: dict[str, type[Engine]] = {"reference": ReferenceEngine, "native": NativeEngine}
RUNS: dict[str, tuple[HeadName, str, dict[str, Any]]] = {
    "softmax-adam-dropout": ("softmax", "relu", {"dropout": 0.25, "schedule": "cosine"}),
    "sigmoid-adamw": ("sigmoid", "gelu", {"optimizer": "adamw", "weight_decay": 0.1}),
    "softmax-sgd-clipped": ("softmax", "tanh", {"optimizer": "sgd", "learning_rate": 0.1, "clip_norm": 0.3}),
}


def run(name: str, engine_name: str) -> dict[str, Any]:
    """Losses of ten epochs, and the logits of three rows after them. The data are a formula, not a generator's."""
    head, activation, settings = RUNS[name]
    i, j = np.mgrid[0:90, 0:7]
    x_nd = np.sin(1.7 * i + 2.3 * j * j).astype(np.float32)
    label = ((x_nd[:, 0] > 0).astype(int) + (x_nd[:, 1] * x_nd[:, 2] > 0)).astype(np.int32)
    targets = label if head == "softmax" else np.stack([label == 1, label == 2, label > 0], axis=1).astype(np.float32)
    plan = Plan(**{"learning_rate": 0.01, "batch_size": 16, "max_epochs": 10, "early_stopping": False, **settings})
    engine = ENGINES[engine_name](Network((Dense(12, activation), Dense(8, activation), Dense(3))).with_input(7), head)
    engine.initialise(11)
    history = train(engine, Features(x_nd), targets, np.arange(90, dtype=np.int64), plan, 11)
    logits_nc = engine.logits(Features(x_nd[:3]))
    return {"losses": [record.loss for record in history.epochs], "logits": logits_nc.astype(float).tolist()}


if __name__ == "__main__":
    for name in RUNS:
        (FOLDER / f"{name}.json").write_text(json.dumps(run(name, "reference"), indent=1) + "\n")
