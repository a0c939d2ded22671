"""How often an interval holds the figure of endless rows: `python benchmarks/intervals.py [--tables N]`.

Draws many small tables of logits and targets from one known source, whose figures are those of 400 000 rows, and counts
how often each kind of 95 % interval around a table's figure holds the source's: the middle of the resamples'
(percentile), the same after a correction for the share of them below the figure (BC), the percentile one mirrored at
the figure (basic), the figure ± 1.96 deviations of the resamples' (normal), and, of shares, Wilson's.
With `--groups 2 5 10` the tables have so many groups, whose rows share a shift of the true logits that the network
knows nothing of.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fromlogits
from fromlogits import metrics
from fromlogits.metrics.classes import Classes
from fromlogits.metrics.intervals import Resamples, Z, of_share, resampled
from fromlogits.metrics.labels import Labels
from fromlogits.metrics.names import FIGURES

NORMAL = NormalDist()
Case = Classes | Labels


def source(kind: str, n: int, rng: np.random.Generator, groups_n: NDArray[np.int64] | None = None) -> Case:
    """n rows of a source whose probabilities are true (log-loss and Brier score at their best), but for groups'."""

    def drawn_by(logits_nc: NDArray[np.float32]) -> NDArray[np.float64]:
        if groups_n is None:
            return logits_nc.astype(np.float64)
        return logits_nc + rng.normal(size=(int(groups_n.max()) + 1, logits_nc.shape[1]))[groups_n]

    if kind == "10 classes":
        logits_nc = (2.0 * rng.normal(size=(n, 10)) + np.linspace(0, 2, 10)).astype(np.float32)
        return Classes(logits_nc, (drawn_by(logits_nc) + rng.gumbel(size=(n, 10))).argmax(axis=1))
    if kind == "2 classes, 95 % right":
        logits_n1 = (5.0 * rng.normal(size=(n, 1)) + 3).astype(np.float32)
        return Classes(logits_n1, (rng.logistic(size=n) < drawn_by(logits_n1)[:, 0]).astype(np.int64))
    logits_nc = (1.5 * rng.normal(size=(n, 20)) - np.linspace(0, 5, 20)).astype(np.float32)
    return Labels(logits_nc, (rng.logistic(size=(n, 20)) < drawn_by(logits_nc)).astype(np.float32))


RESAMPLES_OF_PRECISION = 200
GROUP_ROWS = 30
KINDS = ("10 classes", "2 classes, 95 % right", "20 labels, most rare")


def kinds(figure: float, values: NDArray[np.float64]) -> Iterator[tuple[str, float, float]]:
    """(kind, low, high) of each interval made of resamples."""
    low, high = np.percentile(values, [2.5, 97.5])
    yield "percentile", low, high
    yield "basic", 2 * figure - high, 2 * figure - low
    deviation = float(values.std())
    yield "normal", figure - Z * deviation, figure + Z * deviation
    below = float(((values < figure) + 0.5 * (values == figure)).mean())
    if 0 < below < 1:
        shift = 2 * NORMAL.inv_cdf(below)
        low, high = np.percentile(values, [100 * NORMAL.cdf(shift - Z), 100 * NORMAL.cdf(shift + Z)])
        yield "BC", low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--tables", type=int, default=400)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument("--groups", type=int, nargs="+", default=[], help=f"instead of rows, of {GROUP_ROWS} rows each")
    options = parser.parse_args()
    print(f"fromlogits {fromlogits.__version__}, NumPy {np.__version__}; {options.tables} tables of each kind and size")
    size = GROUP_ROWS if options.groups else 1
    for kind in KINDS:
        whole = source(kind, 400_000, np.random.default_rng(0), grouped(400_000, size))
        task: metrics.Task = "multi-label" if isinstance(whole, Labels) else "multi-class"
        names = [name for name, about in FIGURES.items() if task in about.tasks]
        truth = {name: getattr(whole, name) for name in names}
        for number in options.groups or options.rows:
            n, groups_n = number * size, grouped(number * size, size)
            held: dict[tuple[str, str], list[bool]] = defaultdict(list)
            for table in range(options.tables):
                case = source(kind, n, np.random.default_rng([n, table]), groups_n)
                judge(case, truth, held, table, groups_n)
            of = "rows" if groups_n is None else f"groups of {size} rows"
            print(f"\n{kind}, {number:,} {of}: per cent of the intervals that hold the true figure (they should: 95)")
            for name in names:
                if of_name := {way: flags for (figure, way), flags in held.items() if figure == name}:
                    shares = (f"{way} {100 * sum(flags) / len(flags):.1f}" for way, flags in of_name.items())
                    defined = max(len(flags) for flags in of_name.values())
                    print(f"  {name:24} {truth[name]:.4f}  {'  '.join(shares)}  (of {defined} tables)")


def grouped(n: int, size: int) -> NDArray[np.int64] | None:
    """The group of each row; None: each row is one."""
    return None if size == 1 else np.arange(n) // size


def weighted(case: Case, weights_n: NDArray[np.float64]) -> Case:
    if isinstance(case, Labels):
        return Labels(case.logits_nc, case.targets_nc, None, weights_n)
    return Classes(case.logits_nc, case.targets, weights_n)


def judge(
    case: Case,
    truth: dict[str, Any],
    held: dict[tuple[str, str], list[bool]],
    seed: int,
    groups_n: NDArray[np.int64] | None = None,
) -> None:
    n = len(case.logits_nc)
    resamples = Resamples(n, groups_n, seed)
    sums = {name: (resamples.sums(above), resamples.sums(below)) for name, (above, below) in case.row_sums.items()}
    found = resampled(case, resamples, sums)
    if groups_n is None:  # It has no interval in the package; this is why.
        times_bn = np.concatenate(list(Resamples(n, None, seed).of_units(RESAMPLES_OF_PRECISION)))
        again = (weighted(case, times_n).macro_average_precision for times_n in times_bn)
        found["macro_average_precision"] = np.array(list(again), np.float64)
    for name, values in found.items():
        figure = getattr(case, name)
        if figure is None or not np.isfinite(values).all():
            continue
        for way, low, high in kinds(figure, values):
            held[name, way].append(bool(low <= truth[name] <= high))
        if FIGURES[name].is_share and (ends := of_share(*sums[name])):
            held[name, "Wilson"].append(bool(ends[0] <= truth[name] <= ends[1]))


if __name__ == "__main__":
    main()
