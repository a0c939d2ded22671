"""What several tests of files are given: a way to write one, the road that training takes, and damage."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.sources import Dataset, read
from fromlogits.data.targets import TargetEncoder

Write = Callable[..., Path]
"""Content and, if it matters, a name; gives the path."""

DATA_SETS = Path(__file__).parents[3] / "shared" / "data"
"""Real data beside the project, where there is some."""


def writer(folder: Path, usual_name: str) -> Write:
    def write(content: str | bytes, name: str = usual_name) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def use(path: Path, target: str | None = "y", **options: Any) -> Dataset:
    """Read a file and fit both encoders, as training does."""
    dataset = read(path, target=target, **options)
    FeatureEncoder.fit(dataset.features).encode(dataset.features)
    if dataset.targets is not None:
        TargetEncoder.fit(dataset.targets).encode(dataset.targets)
    return dataset


def mutated(rng: random.Random, files: Sequence[str], pieces: Sequence[str]) -> str:
    """One of the files with one to three of its characters replaced, removed, or something put before them."""
    content = list(rng.choice(files))
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(content))
        match rng.randrange(3):
            case 0:
                content.insert(place, rng.choice(pieces))
            case 1:
                del content[place]
            case _:
                content[place] = rng.choice(pieces)
    return "".join(content)
