"""Small models of every kind, and rows that they were not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fromlogits as fl
from tests.serving.running import Kind


def frame(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "colour": rng.choice(["red", "blue", "Grün"], n),
            "when": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
            "gap": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "level": rng.integers(1, 5, n),
            "is_new": rng.random(n) < 0.5,
        }
    )


def made(folder: Path) -> dict[str, Kind]:
    """By name: one unit with prediction sets, costs, thresholds of labels, a table, pictures and an ensemble."""
    rng = np.random.default_rng(0)
    quick: dict[str, Any] = {"hidden_layer_sizes": (6,), "max_epochs": 4, "random_state": 0}

    x = rng.normal(size=(300, 3))
    numbers = fl.Classifier(**quick).fit(x, x[:, 0] + x[:, 1] > 0)
    other = rng.normal(size=(200, 3))
    numbers.calibrate(other, other[:, 0] + other[:, 1] > 0, coverage=0.8)

    flowers_x = pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])
    flowers_y = np.array(["iris", "lily", "rose"])[(flowers_x["a"] > 0).astype(int) + (flowers_x["b"] > 0.7)]
    costs = [[0, 30, 30], [1, 0, 1], [1, 1, 0]]  # an iris that is missed is dear
    flowers = fl.Classifier(**quick, decide_for=costs).fit(flowers_x, flowers_y)

    labels_y = np.column_stack([x[:, 0] > 1, x[:, 1] > 0, x[:, 2] > 1.2]).astype(int)
    labels = fl.Classifier(**quick, decide_for="f2").fit(x, pd.DataFrame(labels_y, columns=["car", "bus", "day"]))

    table_x = frame(400, 1)
    table_y = np.where(table_x["size"] + 2 * (table_x["colour"] == "red") > 0.7, 1, 0)
    table = fl.Classifier(**quick).fit(table_x, table_y)

    pixels = rng.integers(0, 256, (200, 4, 3), dtype=np.uint8)
    pictures = fl.Classifier(**quick).fit(pixels, (pixels.mean(axis=(1, 2)) > 128).astype(int))

    several = fl.Classifier(**quick, ensemble=2).fit(x, np.digitize(x[:, 0], [-0.5, 0.5]))

    trained = {
        "numbers": (numbers, rng.normal(size=(7, 3))),
        "flowers": (flowers, pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])),
        "labels": (labels, rng.normal(size=(40, 3))),
        "table": (table, frame(9, 2)),
        "pictures": (pictures, rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)),
        "several": (several, rng.normal(size=(7, 3))),
    }
    kinds = {}
    for name, (classifier, rows) in trained.items():
        path = folder / f"{name}.safetensors"
        classifier.save(path)
        kinds[name] = Kind(path, classifier, rows)
    return kinds
