"""How far a figure may be off because these rows, and not others, were drawn: 95 % intervals.

A resample draws as many rows, or groups of rows, with replacement; the interval of a figure holds the middle of its
values over the resamples. A figure is computed from how often each row was drawn, as from a weight. Of a share of rows
that are right or wrong, Wilson's interval is closer to what it promises and needs no resample
(docs/decisions/0020-intervals.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from .classes import Classes
from .counts import effective_number
from .labels import Labels
from .names import FIGURES

Float64 = NDArray[np.float64]
Units = NDArray[np.int64]
Way = Callable[[Float64], dict[str, Float64]]
"""From how often each unit is drawn, (b, units), to figures by name, (b,)."""

LEVEL = 95
"""Per cent of the times that an interval should hold the figure of endless rows."""
Z = 1.959963984540054
"""The quantile of the normal distribution that leaves (100 − LEVEL) / 2 per cent above it."""
MOST_RESAMPLES, FEWEST_RESAMPLES = 1000, 200
FEWEST_UNITS = 10
"""Of fewer rows or groups, the middle of the resamples misses more than twice as often as it says."""
MOST_UNITS = 100_000
"""Of more rows, some are drawn together, dealt at random into so many hands: their sum varies as much."""
WORK = 400_000_000
"""Entries that the resamples of a figure may visit, some seconds; what can't be had for that has no interval."""
BLOCK = 1 << 22
"""Entries of a block of resamples."""
RESAMPLE_STREAM = 7
"""The last word of the generator's counter says what for: 1 to 6 are taken by the training and its splits."""


class Resamples:
    """How often each unit is drawn: a row, or a group of rows.

    Args:
        n_rows: at least 1.
        groups: (n,), the number of each row's group; None: each row for itself.
        seed: of the draws, which it alone determines.
    """

    def __init__(self, n_rows: int, groups: Units | None, seed: int) -> None:
        self.n_rows = n_rows
        self._draw = np.random.Philox(key=seed, counter=[0, 0, 0, RESAMPLE_STREAM])
        self.unit_of = None if groups is None else np.unique(groups, return_inverse=True)[1]
        self.n_units = n_rows if self.unit_of is None else int(self.unit_of.max()) + 1
        if self.n_units > MOST_UNITS:
            hand_of = self._below(MOST_UNITS, self.n_units)
            self.unit_of, self.n_units = hand_of if self.unit_of is None else hand_of[self.unit_of], MOST_UNITS

    def sums(self, values_n: Float64) -> Float64:
        """Unit by unit."""
        return values_n if self.unit_of is None else np.bincount(self.unit_of, values_n, self.n_units).astype(float)

    def of_units(self, number: int) -> Iterator[Float64]:
        """(b, units): how often each is drawn, in blocks that are `number` resamples together."""
        size = max(1, BLOCK // self.n_rows)
        for start in range(0, number, size):
            times_bu = np.empty((min(size, number - start), self.n_units))
            for times_u in times_bu:
                times_u[:] = np.bincount(self._below(self.n_units, self.n_units), minlength=self.n_units)
            yield times_bu

    def of_rows(self, times_bu: Float64) -> Float64:
        """(b, n): how often each row is there."""
        return times_bu if self.unit_of is None else times_bu[:, self.unit_of]

    def _below(self, limit: int, number: int) -> Units:
        """So many whole numbers below a limit of at most 2^32, each half a word of the generator."""
        words = self._draw.random_raw((number + 1) // 2)
        halves = np.concatenate([words & np.uint64(2**32 - 1), words >> np.uint64(32)])[:number]
        return ((halves * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)


def around(
    case: Classes | Labels, groups: Units | None = None, seed: int = 0
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """By figure its interval [low, high], and on how many resamples it rests.

    Args:
        case: at least one row.
        groups: (n,): rows of one number are drawn together. None: each for itself.
        seed: of the draws.

    A figure has none where it is undefined in a resample, equal in all, or too dear. Shares rest on no resample, but
    how they vary is known from the groups alone. Of fewer than FEWEST_UNITS of either there is none.
    """
    resamples = Resamples(len(case.logits_nc), groups, seed)
    is_few = resamples.n_units < FEWEST_UNITS
    if is_few and groups is not None:
        return {}, {}
    sums = {name: (resamples.sums(above), resamples.sums(below)) for name, (above, below) in case.row_sums.items()}
    ends = {name: of_share(*sums.pop(name)) for name in tuple(sums) if FIGURES[name].is_share}
    figures = {} if is_few else resampled(case, resamples, sums)
    ends |= {name: middle(figures_b) for name, figures_b in figures.items()}
    found = {name: low_high for name in FIGURES if (low_high := ends.get(name)) is not None}
    return found, {name: len(figures[name]) for name in found if name in figures}


def resampled(
    case: Classes | Labels, resamples: Resamples, sums: dict[str, tuple[Float64, Float64]]
) -> dict[str, Float64]:
    """By figure, its value in each resample; fewer of what is dear.

    Args:
        sums: of each unit, the numerators and denominators of figures that are ratios.
    """
    entries = len(case.logits_nc) * case.n_classes
    # How figures are computed, and the work of one resample of them.
    ways: list[tuple[Way, int]] = [
        (lambda times_bu: _ratios(sums, times_bu), resamples.n_units),
        (lambda times_bu: case.recounted(resamples.of_rows(times_bu)), case.work_of_counts),
    ]
    if entries * FEWEST_RESAMPLES <= WORK:
        rankings = case.rankings()
        ways.append((lambda times_bu: case.reranked(rankings, resamples.of_rows(times_bu)), entries))
    numbers = [number if (number := WORK // work) >= FEWEST_RESAMPLES else 0 for _, work in ways]
    values: dict[str, list[Float64]] = {}
    done = 0
    for times_bu in resamples.of_units(min(MOST_RESAMPLES, max(numbers))):
        for (way, _), number in zip(ways, numbers, strict=True):
            if done < number:
                for name, figures_b in way(times_bu[: number - done]).items():
                    values.setdefault(name, []).append(figures_b)
        done += len(times_bu)
    return {name: np.concatenate(blocks) for name, blocks in values.items()}


def _ratios(sums: dict[str, tuple[Float64, Float64]], times_bu: Float64) -> dict[str, Float64]:
    with np.errstate(invalid="ignore", divide="ignore"):  # of infinite losses, too
        above_bm, below_bm = (times_bu @ np.stack([parts[side] for parts in sums.values()], axis=1) for side in (0, 1))
        return dict(zip(sums, (above_bm / below_bm).T, strict=True))


def middle(figures: Float64) -> list[float] | None:
    """The middle LEVEL % of the figures of resamples; None where one is undefined, or all are equal.

    Equal ones would say that nothing is uncertain, where no resample could differ: of rows that are all right, say.
    """
    if not np.isfinite(figures).all():
        return None
    low, high = map(_digits, np.percentile(figures, [(100 - LEVEL) / 2, (100 + LEVEL) / 2]))
    return None if low == high else [low, high]


def of_share(above_u: Float64, below_u: Float64) -> list[float] | None:
    """Wilson's interval of Σ above / Σ below over units that are right (above = below) or wrong (0), rows or groups.

    On as many rows as would let the share vary as much (Korn & Graubard, Survey Methodology, 1998): their number where
    they weigh the same, and fewer for groups of rows that are alike. Of units that are all right, or all wrong, by
    their weights (Σw)² / Σw² (Kish, Survey Sampling, 1965).
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22, 1927.
    """
    total = below_u.sum()
    if not total > 0:
        return None
    p = float(above_u.sum() / total)
    variance = float(((above_u - p * below_u) ** 2).sum()) / total**2
    n = p * (1 - p) / variance if variance > 0 else effective_number(below_u)
    shrunk, half = 1 + Z**2 / n, Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low, high = (p + Z**2 / (2 * n) - half) / shrunk, (p + Z**2 / (2 * n) + half) / shrunk
    return [_digits(max(low, 0.0)), _digits(min(high, 1.0))]


def _digits(end: float) -> float:
    """Six digits: the others depend on the order in which a machine adds."""
    return float(f"{end:.6g}")
