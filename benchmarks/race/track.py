"""What every runner of the race has in common: its arguments, MNIST from the files, and the clock.

Seconds count from the moment before the process was started, on the clock that all processes of the machine share.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

STARTED_NS = int(os.environ.get("RACE_STARTED_NS", time.monotonic_ns()))
MEAN, SPREAD = 0.1307, 0.3081
"""Of MNIST's pixels between 0 and 1, as PyTorch's own example has them."""
RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
"""Of Adam; the rate falls to 0 along half a cosine wave."""


def tell(event: str, **more: Any) -> None:
    """A line to standard output: what happened, and when."""
    print(json.dumps({"event": event, "t": (time.monotonic_ns() - STARTED_NS) / 1e9, **more}), flush=True)


def lap(epoch: int, accuracy: float) -> None:
    """An epoch is over and the test rows are judged."""
    tell("epoch", epoch=epoch, accuracy=float(accuracy))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="folder of MNIST's IDX files, gzipped")
    parser.add_argument("--units", required=True, help="as in 784-256-128-10")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", type=Path, help="write here the names of all files that were needed")
    options = parser.parse_args()
    options.units = tuple(map(int, options.units.split("-")))
    return options


def rate(done: float) -> float:
    """The learning rate when this share of the training is done."""
    return RATE * 0.5 * (1 + math.cos(math.pi * done))


def load(folder: Path) -> tuple[Any, Any, Any, Any]:
    """Pixels uint8 (n, 784) and labels uint8 (n,) to train on, and the same to test on."""
    import numpy as np

    def content(name: str, start: int) -> Any:
        return np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8, offset=start)

    parts: list[Any] = []
    for part in ("train", "t10k"):
        parts += [content(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784)]
        parts += [content(f"{part}-labels-idx1-ubyte.gz", 8)]
    tell("loaded")
    return parts[0], parts[1], parts[2], parts[3]


def floats(pixels: Any) -> Any:
    """Standardised float32 of pixels."""
    import numpy as np

    return (pixels.astype(np.float32) - np.float32(255 * MEAN)) * np.float32(1 / (255 * SPREAD))


def finish(options: argparse.Namespace) -> None:
    """List the files for --files: modules, their compiled forms, libraries, and the data."""
    if options.files is None:
        return
    names = {str(path) for path in options.data.glob("*.gz")}
    for module in list(sys.modules.values()):
        # Not by getattr, for which a lazy module would be imported; and some entries are no modules.
        own = getattr(module, "__dict__", {})
        names |= {str(own.get(which)) for which in ("__file__", "__cached__")}
    with open("/proc/self/maps", encoding="utf-8") as maps:
        names |= {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line}
    options.files.write_text("\n".join(sorted(name for name in names if os.path.isfile(name))), encoding="utf-8")
