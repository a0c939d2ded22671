"""What a training step must take on this machine: its products at the speed of the fastest matrix product, then its
optimizer at the speed of memory.

Both speeds are measured where they are needed, with all cores of this process: the largest of NumPy's and PyTorch's
float32 product of two 2048 × 2048 matrices, and of their triads a = b + s · c over arrays far larger than the caches,
three numbers counted for each (STREAM's count). Products are those of forward and backward, without the gradient to
the input, that nobody needs; of sparse rows, those with values that are not zero. Adam reads weight, gradient and two
moments and writes weight and moments: 28 bytes a parameter, of sparse rows only the parameters of features that a
batch holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from networks import SparseRows, Task

SIDE = 2048
TRIAD_FLOATS = 1 << 25  # 128 MiB an array
CHUNK = 1 << 15  # of NumPy's two passes: the second finds it in the core's cache
ADAM_BYTES = 28


@dataclass(frozen=True)
class Work:
    """Of one step."""

    flops: float
    optimizer_bytes: float

    def seconds(self, speed: Speed) -> float:
        return self.flops / speed.flops_per_s + self.optimizer_bytes / speed.bytes_per_s


@dataclass(frozen=True)
class Speed:
    """What the machine did just now, and whose loop was the fastest."""

    flops_per_s: float
    bytes_per_s: float
    product_by: str
    triad_by: str


def work_of(task: Task) -> Work:
    """Of a mean batch of the task's rows."""
    first, *later = [d * h for d, h in pairwise(task.units)]
    n_parameters = float(task.shape.n_parameters)
    if isinstance(task.rows, SparseRows):
        d, h = task.units[:2]
        batches = np.array_split(task.rows.columns_nk, len(task) // task.batch)
        touched = float(np.mean([len(np.unique(columns)) for columns in batches]))
        first = task.rows.columns_nk.shape[1] * h
        n_parameters -= (d - touched) * h
    products = task.batch * (4 * first + 6 * sum(later))
    return Work(float(products), ADAM_BYTES * n_parameters)


class Machine:
    """Arrays and loops for the two measurements."""

    def __init__(self, n_threads: int) -> None:
        rng = np.random.default_rng(0)
        x, y = (rng.random((SIDE, SIDE), np.float32) for _ in range(2))
        product = np.empty_like(x)
        a, b, c = (np.ones(TRIAD_FLOATS, np.float32) for _ in range(3))
        parts = [
            [array[start : start + CHUNK] for array in (a, b, c)]
            for start in range(0, TRIAD_FLOATS, CHUNK)
        ]  # fmt: skip
        shares = [parts[k * len(parts) // n_threads : (k + 1) * len(parts) // n_threads] for k in range(n_threads)]
        pool = ThreadPoolExecutor(n_threads)

        def triads(share: list[list[Any]]) -> None:
            for a, b, c in share:
                np.multiply(c, 1.5, out=a)
                np.add(a, b, out=a)

        self.products: dict[str, Callable[[], Any]] = {"NumPy": lambda: np.matmul(x, y, out=product)}
        self.triads: dict[str, Callable[[], Any]] = {"NumPy": lambda: list(pool.map(triads, shares))}
        if find_spec("torch") is not None:
            import torch

            def with_all_threads(run: Callable[[], Any]) -> None:
                before = torch.get_num_threads()
                torch.set_num_threads(n_threads)
                run()
                torch.set_num_threads(before)

            tx, ty, tp, ta, tb, tc = map(torch.from_numpy, (x, y, product, a, b, c))
            self.products["PyTorch"] = lambda: with_all_threads(lambda: torch.mm(tx, ty, out=tp))
            self.triads["PyTorch"] = lambda: with_all_threads(lambda: torch.add(tb, tc, alpha=1.5, out=ta))

    def measure(self, repeats: int = 5) -> Speed:
        """The fastest of some repeats, after one that warms up; about a second."""
        product_s, product_by = _fastest(self.products, repeats)
        triad_s, triad_by = _fastest(self.triads, repeats)
        return Speed(2 * SIDE**3 / product_s, 12 * TRIAD_FLOATS / triad_s, product_by, triad_by)


def _fastest(runs: dict[str, Callable[[], Any]], repeats: int) -> tuple[float, str]:
    found = []
    for name, run in runs.items():
        for number in range(repeats + 1):
            start = time.perf_counter()
            run()
            if number > 0:
                found.append((time.perf_counter() - start, name))
    return min(found)
