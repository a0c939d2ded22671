"""The sound model files that mutants are made from, one of each kind."""

from __future__ import annotations

import functools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fromlogits as fl

DIGEST_BYTES = 32


@dataclass(frozen=True)
class Sound:
    """A model file, taken apart.

    Attributes:
        content: its bytes.
        manifest: what its manifest says.
        entries: the header's entries but the metadata, in the order of the file; the last is the digest's.
        data: the bytes of the tensors before the digest.
        row: one row to predict.
    """

    name: str
    content: bytes
    manifest: dict[str, Any]
    entries: list[tuple[str, dict[str, Any]]]
    data: bytes
    row: list[float]

    @classmethod
    def of(cls, name: str, content: bytes, row: Any) -> Sound:
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:start])
        manifest = json.loads(header.pop("__metadata__")["fromlogits"])
        return cls(name, content, manifest, list(header.items()), content[start:-DIGEST_BYTES], np.ravel(row).tolist())


@functools.cache
def sound_models() -> tuple[Sound, ...]:
    """Trained for a moment each: what they have learned does not matter."""
    import pandas as pd

    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    frame = pd.DataFrame(x, columns=["size", "Gewicht, kg", 'say "x"'])
    labels = pd.DataFrame((rng.random((40, 2)) < 0.5).astype(int), columns=["car", "Fußgänger"])
    pictures = rng.integers(0, 256, (40, 3, 4), np.uint8)
    which = np.arange(40) % 3
    members: dict[str, dict[str, Any]] = {
        "separate": {"separate_networks": True},
        "ensemble": {"ensemble": 3},
        "separate ensembles": {"separate_networks": True, "ensemble": 2},
    }
    targets: dict[str, tuple[Any, Any, tuple[int, ...]]] = {
        "table": (frame, np.array(["Käse", "日本", "emoji 🧀"])[which], (4,)),
        "labels": (frame, labels, (3, 2)),
        "picture": (pictures, which, (2,)),
        "bool": (x, which == 0, ()),
        "str": (x, np.where(which == 0, "no", "yes"), (2,)),
        "int": (x, np.where(which == 0, -1, 7), (1, 1)),
        "float": (x, np.where(which == 0, 1.0, 2.0), ()),
        "separate": (frame, labels, (3,)),
        "ensemble": (x, which, (2,)),
        "separate ensembles": (pictures, labels, ()),
        "sets": (frame, which, (2,)),
        "decisions": (frame, labels, (2,)),
    }
    models = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (rows, y, hidden) in targets.items():
            settings = {"max_epochs": 2, "random_state": 0, "n_jobs": 1, **members.get(name, {})}
            clf = fl.Classifier(hidden_layer_sizes=hidden, **settings).fit(rows, y)
            if name == "sets":
                clf.calibrate(rows, y, decide_for=[[0, 1, 2], [1, 0, 2], [5, 5, 0]], coverage=0.8)
            if name == "decisions":
                clf.calibrate(rows, y, decide_for="recall>=0.5")
            path = Path(folder, name)
            clf.save(path)
            models.append(Sound.of(name, path.read_bytes(), np.asarray(rows)[0]))
    return tuple(models)


def smallest() -> Sound:
    """For tries of every bit and every length."""
    return min(sound_models(), key=lambda model: len(model.content))
