"""Figures of labels are made part by part: the parts change nothing, and nothing else has the size of the matrix."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits import exact
from fromlogits.data.label_sets import SparseLabels
from fromlogits.metrics import METRICS, evaluate, in_full, intervals, labels, value

Float32 = NDArray[np.float32]


def sparse_case(n: int, c: int, seed: int, *, unknown: bool = False) -> tuple[Float32, SparseLabels]:
    """Logits and targets that have to do with each other; labels from frequent to rare."""
    rng = np.random.default_rng(seed)
    is_set_nc = rng.random((n, c)) < 0.5 / (1 + np.arange(c))
    logits_nc = (rng.normal(size=(n, c)) * 2 + 2 * is_set_nc - 1).astype(np.float32)
    rows = [np.flatnonzero(is_set_n) for is_set_n in is_set_nc]
    if unknown:
        rows[:: max(1, n // 5)] = [np.array([-1])] * len(rows[:: max(1, n // 5)])
    starts = np.cumsum([0, *map(len, rows)])
    return logits_nc, SparseLabels(starts, np.concatenate(rows).astype(np.int32), c)


def arguments(kind: str, n: int, c: int) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    if kind == "thresholds":
        return {"thresholds": rng.random(c).tolist()}
    if kind == "decided":
        return {"decided": rng.integers(0, 2, (n, c))}
    shape = {"rows": (n,), "entries": (n, c)}.get(kind)
    if shape is None:
        return {}
    weights = rng.gamma(0.7, size=shape)
    weights[1::4] = 0
    return {"weights": weights}


def approximate(figures: Any) -> Any:
    """Weights are summed in another order: each label's sum is off by some ulps at most."""
    if isinstance(figures, dict):
        return {name: approximate(of_name) for name, of_name in figures.items()}
    if isinstance(figures, list):
        return [approximate(one) for one in figures]
    return pytest.approx(figures, rel=1e-12) if isinstance(figures, float) else figures


@pytest.mark.parametrize("kind", ["even", "unknown", "thresholds", "decided", "rows", "entries"])
@pytest.mark.parametrize("entries", [1, 7, 40, 100_000])  # a row and a label, less than a row, some, all
def test_sparse_targets_in_parts_give_the_figures_of_a_dense_matrix(
    entries: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, c = 41, 9
    logits_nc, targets = sparse_case(n, c, seed=3, unknown=kind == "unknown")
    about, names = arguments(kind, n, c), list(range(c))
    expected = in_full("multi-label", names, logits_nc, targets[:], **about)
    short = evaluate("multi-label", names, logits_nc, targets[:], **about)
    alone = {name: value(name, "multi-label", logits_nc, targets[:], **about) for name in short if name in METRICS}

    monkeypatch.setattr(labels, "BLOCK", entries)
    found = in_full("multi-label", names, logits_nc, targets, **about)

    if "weights" in about:
        expected, short, alone = approximate(expected), approximate(short), approximate(alone)
    assert found == expected
    assert evaluate("multi-label", names, logits_nc, targets, **about) == short
    assert {name: value(name, "multi-label", logits_nc, targets, **about) for name in alone} == alone


def test_figures_take_little_memory_beside_the_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    logits_nc, targets = sparse_case(3000, 1000, seed=1, unknown=True)
    monkeypatch.setattr(labels, "BLOCK", 1 << 14)
    monkeypatch.setattr(intervals, "WORK", 0)  # resamples have blocks of their own
    tracemalloc.start()
    in_full("multi-label", list(range(1000)), logits_nc, targets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < logits_nc.nbytes / 2  # a matrix of bools is a quarter, and two were there; one of float32 is all


@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_mean_of_parts_rounds_once_wherever_they_are_cut(is_weighted: bool) -> None:
    rng = np.random.default_rng(2)
    values = np.exp2(rng.uniform(-300, 300, 60))
    weights = rng.integers(0, 2**40, 60) / 2.0**45 if is_weighted else None
    by = np.ones(60) if weights is None else weights
    total = sum(Fraction(v) * Fraction(w) for v, w in zip(values.tolist(), by.tolist(), strict=True))
    expected = float(total / sum(Fraction(w) for w in by.tolist()))
    for size in (1, 7, 60):
        cuts = [slice(start, start + size) for start in range(0, 60, size)]
        parts = [(values[cut], None if weights is None else weights[cut]) for cut in cuts]
        assert exact.mean_of_parts(parts) == expected
