"""The five networks that speed is measured on, and their rows."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits.data import features as encoded
from fromlogits.data.features import Features
from fromlogits.engines.base import Parameters
from fromlogits.engines.initialisation import initial_parameters

SCALE = float(np.float32(1 / 255))
NON_ZEROS = 100
"""Of each sparse row."""
SPARSE_ROWS = 20_000


@dataclass(frozen=True)
class Shape:
    """Units of each layer, rows of a batch, and what the rows and the head are."""

    units: tuple[int, ...]
    batch: int
    rows: Literal["pictures", "table", "sparse"] = "pictures"

    @property
    def head(self) -> Literal["softmax", "sigmoid"]:
        return "sigmoid" if self.rows == "sparse" else "softmax"

    @property
    def n_parameters(self) -> int:
        return sum((d + 1) * h for d, h in pairwise(self.units))


NETWORKS = {
    "784-25-15-10": Shape((784, 25, 15, 10), 32),
    "784-256-128-10": Shape((784, 256, 128, 10), 128),
    "784-1024-1024-10": Shape((784, 1024, 1024, 10), 256),
    "54-256-256-256-7": Shape((54, 256, 256, 256, 7), 256, "table"),
    "10000-512-100": Shape((10_000, 512, 100), 128, "sparse"),
}


@dataclass(frozen=True)
class SparseRows:
    """(n, n_features) with k values in each row that are not zero."""

    columns_nk: NDArray[np.int32]
    """Ascending within a row."""
    values_nk: NDArray[np.float32]
    n_features: int

    def __len__(self) -> int:
        return len(self.columns_nk)

    def __getitem__(self, rows: slice) -> SparseRows:
        return SparseRows(self.columns_nk[rows], self.values_nk[rows], self.n_features)

    @property
    def indptr(self) -> NDArray[np.int64]:
        n, k = self.columns_nk.shape
        return np.arange(0, n * k + 1, k, dtype=np.int64)

    def csr(self) -> Any:
        """The same rows as SciPy's matrix."""
        from scipy.sparse import csr_array

        parts = self.values_nk.ravel(), self.columns_nk.ravel(), self.indptr.astype(np.int32)
        return csr_array(parts, shape=(len(self), self.n_features))


@dataclass(frozen=True)
class Task:
    """A network, the rows it is trained on, and where it starts."""

    name: str
    shape: Shape
    rows: NDArray[Any] | SparseRows
    """uint8 pictures (n, d), float32 table (n, d), or sparse."""
    targets: NDArray[Any]
    """int32 classes (n,), or float32 labels (n, c)."""
    first: Parameters
    n_threads: int

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def units(self) -> tuple[int, ...]:
        return self.shape.units

    @property
    def batch(self) -> int:
        return self.shape.batch

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch, the same for all who let us choose them."""
        return np.random.default_rng(epoch).permutation(len(self))

    def floats(self) -> NDArray[np.float32]:
        """Of rows that are not sparse."""
        assert isinstance(self.rows, np.ndarray)
        if self.rows.dtype == np.uint8:
            return self.rows.astype(np.float32) * np.float32(SCALE)
        return np.asarray(self.rows, np.float32)

    def features(self) -> Any:
        """As our engine takes them."""
        if isinstance(self.rows, SparseRows):
            parts = self.rows.indptr, self.rows.columns_nk.ravel(), self.rows.values_nk.ravel()
            return encoded.SparseFeatures(*parts, self.rows.n_features)
        return Features(self.rows, SCALE) if self.rows.dtype == np.uint8 else Features(self.rows)


def has_sparse_engine() -> bool:
    return hasattr(encoded, "SparseFeatures")


def network_of(units: Sequence[int]) -> fl.Network:
    """Hidden layers of relu, the last one linear."""
    return fl.Network([*(fl.Dense(h, "relu") for h in units[1:-1]), fl.Dense(units[-1])])


def task_of(name: str, folder: Path | None, count: int, n_threads: int) -> Task:
    """One of `NETWORKS` on whole batches of at most `count` rows, so that every step has one shape.

    Pictures are MNIST's training rows from `folder`, or random bytes; the other rows are drawn.
    """
    shape = NETWORKS[name]
    rows: NDArray[Any] | SparseRows
    targets: NDArray[Any]
    if shape.rows == "sparse":
        rows, targets = zipf_rows(min(count, SPARSE_ROWS), shape.units[0], shape.units[-1])
    elif shape.rows == "table":
        rows, targets = mixture_rows(count, shape.units[0], shape.units[-1])
    elif folder is not None:
        rows, targets = mnist_rows(folder, "train", count)
    else:
        rows, targets = random_pictures(count)
    n = len(targets) // shape.batch * shape.batch
    first = initial_parameters(network_of(shape.units).with_input(shape.units[0]), seed=0)
    return Task(name, shape, rows[:n], targets[:n], first, n_threads)


def mnist_rows(folder: Path, part: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The first rows of MNIST's files ("train" or "t10k"), plain or gzipped."""

    def content(name: str) -> bytes:
        packed = folder / f"{name}.gz"
        return gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()

    pixels = np.frombuffer(content(f"{part}-images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 784)
    labels = np.frombuffer(content(f"{part}-labels-idx1-ubyte"), np.uint8, offset=8)
    return np.ascontiguousarray(pixels[:count]), labels[:count].astype(np.int32)


def random_pictures(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Random bytes, four of five 0 as in MNIST; the class is the largest of ten random weighted sums."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 784), dtype=np.uint8) * (rng.random((count, 784)) < 0.2)
    labels = ((pixels - 25.5) @ rng.standard_normal((784, 10))).argmax(axis=1)
    return pixels, labels.astype(np.int32)


def mixture_rows(count: int, d: int, c: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Eight Gaussians a class, standardised: a table of covertype's width and number of classes."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((8 * c, d))
    component = rng.integers(8 * c, size=count)
    rows = centres[component] + rng.standard_normal((count, d))
    return ((rows - rows.mean(axis=0)) / rows.std(axis=0)).astype(np.float32), (component % c).astype(np.int32)


def zipf_rows(count: int, d: int, c: int) -> tuple[SparseRows, NDArray[np.float32]]:
    """100 different features a row, the k-th most frequent drawn with a weight of k^-1.1; labels by a linear rule.

    As in a text the frequent features lie anywhere among the others.
    """
    rng = np.random.default_rng(0)
    weights = -1.1 * np.log(np.arange(1, d + 1))
    places = rng.permutation(d)
    columns = np.empty((count, NON_ZEROS), np.int32)
    for start in range(0, count, 1000):
        # The largest of logarithmic weights plus Gumbel noise: a draw without replacement (Efraimidis & Spirakis).
        keys = weights + rng.gumbel(size=(min(1000, count - start), d))
        columns[start : start + 1000] = places[np.argpartition(-keys, NON_ZEROS, axis=1)[:, :NON_ZEROS]]
    columns.sort(axis=1)
    values = rng.uniform(0.5, 1.5, columns.shape).astype(np.float32)
    rule = rng.standard_normal((d, c)).astype(np.float32)
    scores = np.stack([v @ rule[k] for k, v in zip(columns, values, strict=True)])
    labels = scores > np.quantile(scores, 0.97, axis=0)
    return SparseRows(columns, values, d), labels.astype(np.float32)
