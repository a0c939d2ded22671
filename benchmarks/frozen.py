"""A frozen backbone: features computed once and kept, and the head trained on them.

`python benchmarks/frozen.py`: the 3 000 street scenes of the examples by a ViT-S/16 whose weights are drawn at random,
on pictures of 96 x 96. Random weights tell the time, not how good pretrained ones are.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from machine import machine, show
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits.data.backbones import backbone as frozen
from fromlogits.data.backbones import finding, network
from fromlogits.data.backbones.kept import Recent

SCENES = Path(__file__).parent.parent / "examples" / "scenes.npz"
SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "intermediate_size": 1536}
ROUNDS = 5


def make(folder: Path, side: int) -> str:
    """A network in a folder, as a model of Hugging Face lies there."""
    torch.manual_seed(0)
    config = transformers.ViTConfig(**SMALL, image_size=side, patch_size=16)
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    transformers.ViTImageProcessorPil(size={"height": side, "width": side}).save_pretrained(folder)
    return f"hf:{folder}"


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    made = work()
    return time.perf_counter() - started, made


def in_batches(one: network.PretrainedNetwork, pictures: NDArray[np.uint8], size: int) -> None:
    """As PyTorch is usually asked: all threads for each product of a batch."""
    for start in range(0, len(pictures), size):
        one._taken(one._outputs(one._prepared(pictures[start : start + size])))


def ways(backbone: str, some: NDArray[np.uint8], cores: int) -> None:
    """Pictures alone, one on each thread, beside batches on all of them."""
    found = finding.find(backbone)
    one = network.load(found, "cpu", found.digests())
    each: dict[str, Callable[[], Any]] = {
        "each alone, 1 thread": lambda: one.features(some, 1),
        f"each alone, {cores} at a time": lambda: one.features(some, cores),
        f"batches of 8, {cores} threads": lambda: in_batches(one, some, 8),
        f"batches of 32, {cores} threads": lambda: in_batches(one, some, 32),
    }
    times: dict[str, list[float]] = {name: [] for name in each}
    for _ in range(ROUNDS):
        for name, way in each.items():
            times[name].append(seconds(way)[0])
    for name, each_s in times.items():
        rates = sorted(len(some) / time_s for time_s in each_s)
        middle = statistics.median(rates)
        print(f"{name:>28}: {middle:6.1f} pictures/s, {rates[0]:.1f} to {rates[-1]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--count", type=int, default=3_000)
    parser.add_argument("--some", type=int, default=64, help="pictures of which the ways to compute are compared")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with np.load(SCENES) as held:
        X, y = held["X"][: given.count], held["y"][: given.count]
    show(machine("torch", "transformers", "pillow"))
    with tempfile.TemporaryDirectory() as folder:
        name = make(Path(folder) / "vit", given.side)
        ways(name, X[: given.some], cores)
        kept = Path(folder) / "kept"
        kept.mkdir()
        for what in ("computed", "from the cache"):
            frozen.RECENT = Recent()
            one = frozen.Backbone.open(name)
            one.keep_in(kept)
            time_s, features = seconds(lambda one=one: one.features(X))
            n_bytes = sum(file.stat().st_size for file in kept.rglob("*.features"))
            many = f"{len(X):,} pictures, {features.shape[1]} features each"
            print(f"{many}, {what}: {time_s:.2f} s; {n_bytes:,} bytes kept")
        for preset in ("fast", "good"):
            clf = fl.Classifier(backbone=name, preset=preset, task="multi-label", random_state=0)
            time_s, _ = seconds(lambda clf=clf: clf.fit(X, y))
            figures = clf.validation_metrics_ or {}
            print(f"head, {preset}: {time_s:.2f} s, macro F1 of the validation rows {figures['macro_f1']:.3f}")


if __name__ == "__main__":
    main()
