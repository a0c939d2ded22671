"""In which precision a training's convolutions are faster on this machine: measured, as no flag of a processor says it.

PyTorch's convolutions in bfloat16 take half the time on one processor and ten times as long on another: it depends on
the instructions, on what these cost there, and on the version of the libraries (docs/decisions/0026-torch-engine.md).
"""

from __future__ import annotations

import functools
import time

import numpy as np

from ..data.features import Features
from ..spec import Dense, Network, Plan, Residual
from . import missing
from .base import Steps

SHAPE, ROWS = (32, 32, 3), 8
WIDTHS = (32, 64)
REPEATS = 4
WORTH_IT = 0.8
"""Of the time in float32, at most: a choice that the noise of a busy machine does not turn over."""


def fastest(engine: str | None, device: str | None) -> str:
    """Of `PRECISIONS`; float32 for every engine but the one of PyTorch, and where that is not installed."""
    if engine not in (None, "torch") or missing.torch("it") is not None:
        return "float32"
    from .torch import device_of

    return _measured(str(device_of(device)))


@functools.cache
def _measured(device: str) -> str:
    """By training steps of a small network, each precision by turns and the quickest of each counted.

    On one thread: several wait for one another where others use the machine.
    """
    steps = {precision: _Step(device, precision) for precision in ("float32", "bfloat16")}
    least = dict.fromkeys(steps, np.inf)
    for repeat in range(1 + REPEATS):
        for precision, step in steps.items():
            seconds = step.taken()
            if repeat > 0:  # the first prepares the libraries
                least[precision] = min(least[precision], seconds)
        if repeat > 1 and least["bfloat16"] > 1.5 * least["float32"]:
            break
    return "bfloat16" if least["bfloat16"] <= WORTH_IT * least["float32"] else "float32"


class _Step:
    """A training step, to be taken again and again."""

    def __init__(self, device: str, precision: str) -> None:
        from .torch import TorchEngine

        network = Network([Residual(WIDTHS), Dense(2)]).with_input(int(np.prod(SHAPE)), picture_shape=SHAPE)
        self._engine = TorchEngine(network, "sigmoid", device=device)
        self._engine.initialise(0)
        self._engine.start(Plan(batch_size=ROWS, precision=precision), 0)
        pixels = np.arange(ROWS * int(np.prod(SHAPE))).reshape(ROWS, -1) % 251
        self._features = Features(pixels.astype(np.uint8), 1 / 64, -2.0)
        self._targets = np.zeros((ROWS, 2), np.float32)

    def taken(self) -> float:
        """Seconds."""
        start = time.perf_counter()
        self._engine.train_span(self._features, self._targets, np.arange(ROWS), Steps(np.full(1, 1e-4)))
        return time.perf_counter() - start
