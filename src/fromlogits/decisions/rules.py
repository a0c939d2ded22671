"""Decision rules: from probabilities to classes or labels.

A rule is given the float32 probabilities that `predict_proba` returns and nothing else, so the two can't disagree, and
compares them in float64, in which every float32 is exact: a label whose probability equals its threshold is not decided
for, on any machine and in any batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief
from ..heads import THRESHOLD

Task = Literal["multi-class", "multi-label"]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Codes = NDArray[np.int64]
LARGEST = 1e30
"""Of a number that a rule decides by."""
BLOCK = 1 << 16
"""Probabilities that are weighed at a time, so that they stay in a core's cache."""


class Rule(ABC):
    """How rows are decided."""

    kind: ClassVar[str]

    @abstractmethod
    def decide(self, probabilities_nk: Float32) -> Codes:
        """Class indices (n,), or of labels 0 and 1 (n, L).

        Args:
            probabilities_nk: as `predict_proba` returns them, of every class or label.
        """

    @abstractmethod
    def numbers(self) -> dict[str, Any]:
        """What it decides by, as JSON."""

    @property
    def thresholds(self) -> Float64 | None:
        """(L,) of labels, (1,) of two classes: that of the second; None where no threshold decides."""
        return None

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.numbers()}


@dataclass(frozen=True, eq=False)
class Largest(Rule):
    """The class of the largest probability; of equal ones the first."""

    kind = "largest"

    def decide(self, probabilities_nk: Float32) -> Codes:
        return np.asarray(probabilities_nk.argmax(axis=1), np.int64)

    def numbers(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, eq=False)
class Thresholds(Rule):
    """A label exactly when its probability exceeds its threshold, (L,)."""

    kind = "thresholds"
    values: Float64

    def decide(self, probabilities_nk: Float32) -> Codes:
        return np.asarray(probabilities_nk > self.values, np.int64)

    def numbers(self) -> dict[str, Any]:
        return {"thresholds": self.values.tolist()}

    @property
    def thresholds(self) -> Float64:
        return self.values


@dataclass(frozen=True, eq=False)
class SecondClass(Rule):
    """The second of two classes exactly when its probability exceeds the threshold."""

    kind = "second_class"
    threshold: float

    def decide(self, probabilities_nk: Float32) -> Codes:
        return np.asarray(probabilities_nk[:, 1] > np.float64(self.threshold), np.int64)

    def numbers(self) -> dict[str, Any]:
        return {"threshold": self.threshold}

    @property
    def thresholds(self) -> Float64:
        return np.array([self.threshold])


@dataclass(frozen=True, eq=False)
class Scores(Rule):
    """The class of the largest p_k · factor_k − charge_k; of equal ones the first. Both (K,)."""

    kind = "scores"
    factors: Float64
    charges: Float64

    def decide(self, probabilities_nk: Float32) -> Codes:
        return _by_blocks(probabilities_nk, lambda p_nk: (p_nk * self.factors - self.charges).argmax(axis=1))

    def numbers(self) -> dict[str, Any]:
        return {"factors": self.factors.tolist(), "charges": self.charges.tolist()}


@dataclass(frozen=True, eq=False)
class SmallestCost(Rule):
    """The class j of the smallest expected cost Σ_k p_k · costs[k, j]; of equal ones the first. (K, K).

    Numerics: summed class by class, in float64, not by a matrix product: a row is decided alike in every batch.
    """

    kind = "costs"
    costs: Float64

    def decide(self, probabilities_nk: Float32) -> Codes:
        def of_block(p_nk: Float64) -> Codes:
            expected_nk = p_nk[:, :1] * self.costs[0]
            for k in range(1, len(self.costs)):
                expected_nk += p_nk[:, k : k + 1] * self.costs[k]
            return np.asarray(expected_nk.argmin(axis=1), np.int64)

        return _by_blocks(probabilities_nk, of_block)

    def numbers(self) -> dict[str, Any]:
        return {"costs": self.costs.tolist()}


def natural(task: Task, n_classes: int, n_units: int) -> Rule:
    """Labels, and the second class of one unit, above 0.5; of more units the largest."""
    if task == "multi-label":
        return Thresholds(np.full(n_classes, THRESHOLD))
    return SecondClass(THRESHOLD) if n_units == 1 else Largest()


def from_json(value: object, task: Task, n_classes: int) -> Rule:
    """The inverse of `Rule.to_json`, for a target with so many classes or labels; InputError on anything else."""
    kind = value.get("kind") if isinstance(value, dict) else None
    known = (Thresholds,) if task == "multi-label" else (Largest, SecondClass, Scores, SmallestCost)
    if not isinstance(value, dict) or kind not in [rule.kind for rule in known]:
        raise InputError(f"the decision rule of a {task} target can't be {brief(kind)}.")
    fields = dict(value)
    del fields["kind"]

    def taken(name: str, shape: tuple[int, ...], low: float, high: float) -> Float64:
        if name not in fields:
            raise InputError(f"the decision rule {kind!r} lacks {name!r}.")
        return numbers_of(f"the decision rule's {name}", fields.pop(name), shape, low, high)

    rule: Rule
    if kind == Largest.kind:
        rule = Largest()
    elif kind == Thresholds.kind:
        rule = Thresholds(taken("thresholds", (n_classes,), 0, 1))
    elif kind == SecondClass.kind:
        if n_classes != 2:
            raise InputError(f"the decision rule {kind!r} is for two classes; the target has {n_classes:,}.")
        rule = SecondClass(float(taken("threshold", (), 0, 1)))
    elif kind == Scores.kind:
        rule = Scores(taken("factors", (n_classes,), 0, LARGEST), taken("charges", (n_classes,), -LARGEST, LARGEST))
    else:
        rule = SmallestCost(taken("costs", (n_classes, n_classes), -LARGEST, LARGEST))
    if fields:
        raise InputError(f"the decision rule {kind!r} has unknown keys {brief(sorted(map(str, fields))[:5])}.")
    return rule


def numbers_of(what: str, value: object, shape: tuple[int, ...], low: float, high: float) -> Float64:
    """An array of this shape out of nested lists of JSON; InputError unless all are numbers from low to high."""
    if _is_nested(value, shape, lambda one: type(one) in (int, float) and low <= one <= high):
        return np.array(value, np.float64).reshape(shape)
    of_shape = f"numbers of shape {shape}" if shape else "a number"
    raise InputError(f"{what} must be {of_shape} from {low:g} to {high:g}; found {brief(value)}.")


def _is_nested(value: object, shape: tuple[int, ...], is_fine: Callable[[Any], bool]) -> bool:
    if not shape:
        return is_fine(value)
    return isinstance(value, list) and len(value) == shape[0] and all(_is_nested(v, shape[1:], is_fine) for v in value)


def _by_blocks(probabilities_nk: Float32, decide: Callable[[Float64], Any]) -> Codes:
    n, n_rows = len(probabilities_nk), max(1, BLOCK // probabilities_nk.shape[1])
    decided_n = np.empty(n, np.int64)
    for rows in _slices(n, n_rows):
        decided_n[rows] = decide(probabilities_nk[rows].astype(np.float64))
    return decided_n


def _slices(n: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, n, size))


# --- beside a rule ---


def top(probabilities_nk: Float32, k: int) -> Codes:
    """The places of the k largest of each row, (n, k), best first; of equal ones the lowest first."""
    left_nk = probabilities_nk.copy()
    rows, places = np.arange(len(left_nk)), np.empty((len(left_nk), k), np.int64)
    for rank in range(k):
        places[:, rank] = left_nk.argmax(axis=1)
        left_nk[rows, places[:, rank]] = -1.0
    return places


def checked_top(name: str, k: Any, n_classes: int) -> int:
    """How many are asked for; InputError unless there are so many."""
    k = k.item() if isinstance(k, np.integer) else k
    if type(k) is not int or not 1 <= k <= n_classes:
        raise InputError(
            f"{name} must be a whole number from 1 to {n_classes:,}, as many as there are classes or labels; got"
            f" {brief(k)}."
        )
    return k


def checked_share(name: str, value: Any) -> float:
    """A probability; InputError unless it is one."""
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise InputError(f"{name} must be a probability from 0 to 1; got {brief(value)}.")
    return float(value)
