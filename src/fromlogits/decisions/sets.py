"""Prediction sets: the classes or labels that a row may have, of which so many are right as was asked.

Everything is one idea, split conformal prediction as risk control. A score says how badly a class fits a row; a row's
set is every class whose score is at most a threshold. Rows that were kept for the sets, with their true classes, say
what a threshold misses: a class that lies above it, or of a row with several labels the share of them that do. Of n
such rows the smallest threshold is taken at which

    missed + 1 <= (n + 1) · (1 − coverage),

where `missed` is summed over the rows. If a new row is drawn like those (they are exchangeable), it misses 1 − coverage
at most, on average over all that was drawn, for every network and every n: for one class a row this is the quantile
⌈(n + 1) · coverage⌉ of the scores.

Scores are float64, from the calibrated logits, in the form that still tells confident rows apart:

- "lac": −log p. The smallest sets on average; a row that the network finds hard has fewer right ones.
- "aps": of the classes from the most probable down, what is left beyond this one, with a minus sign. Easy rows have
  larger sets and hard ones are right more often. A part of the class itself counts as left, uniform over the rows by a
  hash of each one's logits: without it the sets of confident networks hold many classes for nothing. So a row's set
  depends on nothing but the row, and the guarantee, which holds for any fixed score, holds as it stands.
- "recall": −z of a label; one threshold for all labels, for their probabilities are calibrated.

The most probable class has the least score, whatever its probability: no set is empty, and the threshold knows it.
Where that class alone is right often enough, it is all that a set has. A decision rule has no part in sets, so what it
decides against the probabilities may lie outside.

Sources: Sadinle, Lei & Wasserman, J. Am. Stat. Assoc. 114, 2019 (lac); Romano, Sesia & Candès, NeurIPS 2020 (aps);
Angelopoulos, Bates, Fisch, Lei & Schuster, Conformal Risk Control, ICLR 2024 (recall); docs/decisions/0019.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from ..logits import log_softmax
from ..metrics import SparseTargets, predicted_classes

Method = Literal["lac", "aps", "recall"]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
FOR_CLASSES: tuple[Method, ...] = ("lac", "aps")
MAX_ALL = 4096
"""So many points of the curve are kept as they are; of more, those that coverages in thousandths need."""
NOT_OF_GROUPS = "the coverage is promised for rows that are drawn one by one, and rows of a group are not"
MAX_POINTS = 10_000
MAX_ROWS = 2**53
LEAST = -2.0
"""The score of the most probable class; the others are above −1."""
BLOCK = 1 << 18
"""Float64 scores that are computed at a time."""


@dataclass(frozen=True, eq=False)
class PredictionSets:
    """Which scores a set takes in, for any coverage that the rows can grant.

    Attributes:
        method: "lac" or "aps" of classes, "recall" of labels.
        coverage: the one that was asked for, in (0, 1).
        n_rows: how many rows were kept and have a class, or a label that is set.
        thresholds: float64 (m,), ascending.
        missed: float64 (m,), descending: what the sets of the kept rows miss at each of them, summed over the rows.
    """

    method: Method
    coverage: float
    n_rows: int
    thresholds: Float64
    missed: Float64

    @classmethod
    def fit(cls, method: Method, coverage: float, logits_nc: Float32, targets: NDArray[Any]) -> PredictionSets:
        """From rows that neither trained the network nor chose anything about it.

        Args:
            method: "lac" or "aps" of classes, "recall" of labels.
            coverage: the share of new rows whose class is to be in their set, or, "recall", the mean share of a row's
                labels that are to be; in (0, 1).
            logits_nc: calibrated, float32 (n, c). One column of classes is the two-class sigmoid head.
            targets: class indices (n,), −1 for a class that the model does not know, which every set misses; or 0/1
                (n, c), NaN where a label is unknown: it takes no part. A row without a label has none to miss and is
                left out, so the guarantee is for rows that have one.

        Raises:
            InputError: the rows are too few for this coverage, or no score of theirs is finite.
        """
        if method == "recall":
            rows, labels = np.nonzero(targets == 1)
            scores, counts = -logits_nc[rows, labels].astype(np.float64), np.bincount(rows, minlength=len(targets))
            shares, n_rows = 1.0 / counts[rows], int(np.count_nonzero(counts))
        else:
            scores = np.concatenate([part[np.arange(len(y)), y] for part, y in _with(method, logits_nc, targets)])
            scores[targets < 0] = np.inf
            shares, n_rows = np.ones(len(scores)), len(scores)
        check_enough(coverage, n_rows, method)
        scores = np.where(np.isnan(scores), np.inf, scores)
        thresholds, missed = _curve(scores, shares)
        fitted = cls(method, coverage, n_rows, thresholds, missed)
        kept = fitted._kept()
        return cls(method, coverage, n_rows, thresholds[kept], missed[kept])

    @property
    def most_coverage(self) -> float:
        """No more can be granted by so many rows."""
        return self.n_rows / (self.n_rows + 1)

    def threshold(self, coverage: float | None = None) -> float:
        """The largest score in a set; InputError where the rows are too few for this coverage."""
        coverage = self.coverage if coverage is None else coverage
        check_enough(coverage, self.n_rows, self.method)
        place = self._place(1 - _exactly(coverage))
        if place == len(self.missed):  # scores that are not finite: no threshold has them
            return math.inf
        return float(self.thresholds[place])

    def of(self, logits_nc: Float32, coverage: float | None = None) -> Bools:
        """The sets, (n, K): whether a class or label is in that of the row; of labels one may be empty.

        Args:
            logits_nc: calibrated, as for `fit`.
            coverage: None: the one that was asked for.
        """
        threshold = self.threshold(coverage)
        if self.method == "recall":
            return ~(-logits_nc.astype(np.float64) > threshold)  # not <=, for a NaN may be anything
        sets = [~(part > threshold) for part in _scores(self.method, logits_nc)]
        return np.concatenate(sets) if sets else np.zeros((0, max(2, logits_nc.shape[1])), bool)

    def _place(self, share: Fraction) -> int:
        """The first point at which a new row misses no more than this share; len where there is none."""
        allowed = (self.n_rows + 1) * share - 1
        return bisect_left(range(len(self.missed)), True, key=lambda j: self.missed[j].item() <= allowed)

    def _kept(self) -> NDArray[np.int64]:
        """The points to remember: all, or those that coverages of up to three digits, and more near 1, ask for.

        Any other coverage then gets the next point, which misses less: the guarantee stays.
        """
        count = len(self.thresholds)
        if count <= MAX_ALL:
            return np.arange(count)
        shares = [Fraction(i, 1000) for i in range(1, 1000)]
        shares += [Fraction(i, 10**d) for d in range(4, 17) if 10**d <= 100 * self.n_rows for i in range(1, 100)]
        places = {self._place(share) for share in (*shares, 1 - _exactly(self.coverage))}
        return np.array(sorted({count - 1, *places} - {count}))

    # In a model file

    def to_json(self) -> dict[str, Any]:
        return {"method": self.method, "coverage": self.coverage, "rows": self.n_rows}

    def tensors(self) -> dict[str, Float64]:
        return {"sets.thresholds": self.thresholds, "sets.missed": self.missed}

    @classmethod
    def from_json(cls, value: object, tensors: Mapping[str, NDArray[Any]], task: str) -> PredictionSets:
        """The inverse of `to_json` and `tensors`; raises InputError on anything else."""
        if not isinstance(value, dict) or set(value) != {"method", "coverage", "rows"}:
            raise InputError("sets must be an object with method, coverage and rows.")
        method, coverage, n_rows = value["method"], value["coverage"], value["rows"]
        if method not in (FOR_CLASSES if task == "multi-class" else ("recall",)):
            raise InputError(f"sets of a {task} target can't be of the method {brief(method)}.")
        if type(coverage) is not float or not 0 < coverage < 1:
            raise InputError(f"the coverage of the sets must be between 0 and 1; it is {brief(coverage)}.")
        if type(n_rows) is not int or not 0 < n_rows <= MAX_ROWS:
            raise InputError(f"the sets can't be of {brief(n_rows)} rows.")
        curve = [tensors.get(f"sets.{name}") for name in ("thresholds", "missed")]
        if any(part is None or part.dtype != np.float64 or part.ndim != 1 for part in curve):
            raise InputError("the sets need the tensors sets.thresholds and sets.missed, float64 and of one dimension.")
        thresholds, missed = curve
        assert thresholds is not None and missed is not None
        if len(thresholds) != len(missed) or not 1 <= len(missed) <= MAX_POINTS:
            raise InputError(
                f"sets.thresholds and sets.missed must have one length, from 1 to {MAX_POINTS:,}; they have"
                f" {len(thresholds):,} and {len(missed):,}."
            )
        is_curve = (np.diff(thresholds) > 0).all() and (np.diff(missed) < 0).all()
        if not is_curve or missed[-1] < 0 or missed[0] > n_rows:
            raise InputError("sets.thresholds must rise, and sets.missed fall between the number of rows and 0.")
        sets = cls(method, coverage, n_rows, thresholds, missed)
        sets.threshold()  # the rows must be enough
        return sets


def checked_coverage(coverage: Any) -> float:
    """A coverage as users give it; InputError unless it is a number between 0 and 1."""
    is_number = isinstance(coverage, (int, float, np.integer, np.floating)) and not isinstance(coverage, bool)
    if not is_number or not 0 < coverage < 1:
        raise InputError(f"coverage must be a number between 0 and 1, as in 0.9; got {coverage!r}.")
    return float(coverage)


def rows_needed(coverage: float) -> int:
    """How many rows must be kept for this coverage: at least coverage / (1 − coverage)."""
    exactly = _exactly(coverage)
    return math.ceil(exactly / (1 - exactly))


def check_enough(coverage: float, n_rows: int, method: Method) -> None:
    """Raise InputError unless so many rows grant this coverage."""
    needed = rows_needed(coverage)
    if n_rows >= needed:
        return
    has = "a label that is set" if method == "recall" else "a known class"
    most = f"; {n_rows:,} grant {_floor(n_rows):g} at most" if n_rows else ""
    raise InputError(
        f"a coverage of {coverage:g} needs at least {needed:,} rows kept for the sets with {has}; there"
        f" {'is' if n_rows == 1 else 'are'} {n_rows:,}{most}. Keep more rows, or ask for less."
    )


def _floor(n_rows: int) -> float:
    """n / (n + 1), in digits that n rows do grant."""
    most = Fraction(n_rows, n_rows + 1)
    digits = len(str(n_rows + 1)) + 1
    return float(math.floor(most * 10**digits) / 10**digits)


def _exactly(coverage: float) -> Fraction:
    """The decimal that was meant: 0.9 is 9/10, so that no rank is off by one."""
    return Fraction(repr(float(coverage)))


def _curve(scores: Float64, shares: Float64) -> tuple[Float64, Float64]:
    """Each finite score once, ascending, and the sum of the shares of scores above it."""
    order = np.argsort(scores, kind="stable")
    scores, shares = scores[order], shares[order]
    above = np.append(np.cumsum(shares[::-1])[::-1], 0.0)  # [j]: from j on
    last_of_tie = np.flatnonzero(np.append(scores[1:] != scores[:-1], True) & np.isfinite(scores))
    if len(last_of_tie) == 0:
        raise InputError("no set can be made: the logits of the rows kept for the sets are not finite.")
    return scores[last_of_tie], above[last_of_tie + 1]


# --- scores ---


def _scores(method: Method, logits_nc: Float32) -> Iterator[Float64]:
    """Of some consecutive rows at a time, (·, K). A row's are the same bits in every batch."""
    n_rows = max(1, BLOCK // max(2, logits_nc.shape[1]))
    for start in range(0, len(logits_nc), n_rows):
        part_nc = logits_nc[start : start + n_rows]
        scores_nc = SCORES[method](part_nc)
        scores_nc[np.arange(len(part_nc)), predicted_classes(part_nc)] = LEAST
        yield scores_nc


def _with(method: Method, logits_nc: Float32, codes_n: NDArray[Any]) -> Iterator[tuple[Float64, NDArray[Any]]]:
    """The scores beside the classes of the same rows."""
    start = 0
    for part in _scores(method, logits_nc):
        yield part, codes_n[start : start + len(part)]
        start += len(part)
    if start == 0:
        yield np.empty((0, 1)), codes_n


def _log_probabilities(logits_nc: Float32) -> Float64:
    """(n, K), also of one unit that speaks for the second of two classes."""
    z_nc = logits_nc.astype(np.float64)
    return np.asarray(log_softmax(np.hstack([np.zeros_like(z_nc), z_nc]) if z_nc.shape[1] == 1 else z_nc))


def _lac(logits_nc: Float32) -> Float64:
    return -_log_probabilities(logits_nc)


def _aps(logits_nc: Float32) -> Float64:
    """Minus what is left beyond a class, added up from the smallest: near 0 nothing is lost."""
    log_p_nc = _log_probabilities(logits_nc)
    order_nc = np.argsort(-log_p_nc, axis=1, kind="stable")[:, ::-1]  # the least probable first
    p_nc = np.exp(np.take_along_axis(log_p_nc, order_nc, axis=1))
    beyond_nc = np.cumsum(p_nc, axis=1)
    beyond_nc[:, 1:] = beyond_nc[:, :-1]
    beyond_nc[:, 0] = 0.0
    beyond_nc += uniform(logits_nc)[:, None] * p_nc
    scores_nc = np.empty_like(beyond_nc)
    np.put_along_axis(scores_nc, order_nc, -beyond_nc, axis=1)
    return scores_nc


def uniform(logits_nc: Float32) -> Float64:
    """A number in [0, 1) for each row, (n,), by the bits of its logits: a multilinear hash, then splitmix64's mixer."""
    bits_nc = (np.ascontiguousarray(logits_nc) + np.float32(0)).view(np.uint32).astype(np.uint64)  # −0 counts as 0
    keys_c = _mixed(np.arange(1, bits_nc.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
    words_n = _mixed((bits_nc * keys_c).sum(axis=1, dtype=np.uint64)) >> np.uint64(11)
    return words_n.astype(np.float64) * 2.0**-53


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Steele, Lea & Flood, OOPSLA 2014: each bit depends on all."""
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


SCORES: dict[Method, Callable[[Float32], Float64]] = {"lac": _lac, "aps": _aps}


# --- figures ---


def figures(
    sets: PredictionSets, logits_nc: Float32, targets: NDArray[Any] | SparseTargets, coverage: float | None = None
) -> dict[str, Any]:
    """What the sets of rows with known classes or labels are worth, ready for JSON; None where no row has a say.

    Args:
        logits_nc, targets: as for `PredictionSets.fit`. A class of −1 is one that the model does not know: it is in no
            set.

    Returns:
        asked; coverage: the share of the rows whose class is in their set, or the mean share of a row's labels that
        are; expected: the two between which it lies in 95 of 100 cases, see `expected_coverage` and `expected_recall`;
        mean_size; and of classes single, the share of sets with one class.
    """
    asked = sets.coverage if coverage is None else coverage
    if sets.method == "recall":
        sizes_n, counts_n, hits_n = np.zeros((3, len(logits_nc)), np.int64)
        n_rows = max(1, BLOCK // logits_nc.shape[1])
        for start in range(0, len(logits_nc), n_rows):
            some = slice(start, start + n_rows)
            sets_nc, has_nc = sets.of(logits_nc[some], asked), targets[some] == 1
            for sums_n, flags_nc in ((sizes_n, sets_nc), (counts_n, has_nc), (hits_n, has_nc & sets_nc)):
                sums_n[some] = flags_nc.sum(axis=1)
        shares = hits_n[counts_n > 0] / counts_n[counts_n > 0]
        expected = expected_recall(asked, sets.n_rows, shares) if len(shares) else None
        return {"asked": asked, "coverage": _mean(shares), "expected": expected, "mean_size": _mean(sizes_n)}
    assert isinstance(targets, np.ndarray)
    sets_nc = sets.of(logits_nc, asked)
    sizes_n = sets_nc.sum(axis=1)
    known_n = targets >= 0
    is_hit_n = known_n & sets_nc[np.arange(len(targets)), np.where(known_n, targets, 0)]
    between: list[float | None] | None = None
    if len(targets):
        low, high = expected_coverage(asked, sets.n_rows, len(targets))
        # More rows than were asked for are right by the most probable class alone: no threshold can be lower.
        between = [low, None if sets.threshold(asked) == LEAST else high]
    return {
        "asked": asked,
        "coverage": _mean(is_hit_n),
        "expected": between,
        "mean_size": _mean(sizes_n),
        "single": _mean(sizes_n == 1),
    }


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def expected_coverage(coverage: float, n_kept: int, n_rows: int, share: float = 0.95) -> tuple[float, float]:
    """The two between which the covered share of new rows lies with this probability at least; exact.

    Of scores without ties the covered number is beta-binomial, its chance Beta(k, n_kept + 1 − k) with the rank
    k = ⌈(n_kept + 1) · coverage⌉ (Vovk, ACML 2012). Ties raise it.
    """
    k = math.ceil((n_kept + 1) * _exactly(coverage))
    up_to = _beta_binomial(n_rows, k, n_kept + 1 - k)
    rest = (1.0 - share) / 2
    low, high = int(np.searchsorted(up_to, rest, side="right")), int(np.searchsorted(up_to, 1.0 - rest))
    return low / n_rows, min(high, n_rows) / n_rows


def _beta_binomial(m: int, a: int, b: int) -> Float64:
    """P(X <= j) for j = 0 … m, from the ratios p(j + 1) / p(j) = (m − j)(j + a) / ((j + 1)(m − j − 1 + b))."""
    j = np.arange(m, dtype=np.float64)
    log_p = np.append(0.0, np.cumsum(np.log((m - j) * (j + a)) - np.log((j + 1) * (m - j - 1 + b))))
    p = np.exp(log_p - log_p.max())
    return np.asarray(np.cumsum(p) / p.sum())


def expected_recall(coverage: float, n_kept: int, shares: Float64) -> list[float]:
    """The same of the mean of these shares of rows' labels: the bounds of conformal risk control and the rows' spread.

    On average over all draws it lies between coverage and coverage + 2 / (n_kept + 1); about that it varies nearly
    normally, by the spread of the rows that are judged and of those that were kept.
    """
    spread = 1.96 * float(shares.std()) * math.sqrt(1.0 / n_kept + 1.0 / len(shares))
    return [max(0.0, coverage - spread), min(1.0, coverage + 2.0 / (n_kept + 1) + spread)]
