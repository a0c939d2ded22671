"""What decisions are for: what `decide_for` may say, checked against the target."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, brief, nearest
from .rules import Rule, SecondClass, SmallestCost, Task, Thresholds

Float64 = NDArray[np.float64]
Measure = Literal["accuracy", "balanced_accuracy", "f", "macro_f", "micro_f", "recall", "precision"]

NAMES = (
    "accuracy", "balanced_accuracy", "f1", "macro_f1", "micro_f1", "f2", "f0.5", "recall>=0.9", "precision>=0.9",
)  # fmt: skip
"""As examples: f, macro_f and micro_f take any number from 0.01 to 100, recall and precision one above 0 to 1."""
MOST_CLASSES = 500
"""Of a cost matrix: the model file holds it as text."""
MOST_COST = 1e12

_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{0,17})?|\.[0-9]{1,17})"
_F = re.compile(rf"(macro_|micro_)?f{_NUMBER}")
_AT_LEAST = re.compile(rf"(recall|precision)\s*>=\s*{_NUMBER}")


@dataclass(frozen=True)
class Objective:
    """A figure to be as large as it can, or a bound to be kept.

    Attributes:
        name: as it is spelled: "f2", "recall>=0.9".
        measure: of what kind it is.
        number: beta of an F measure, or the least recall or precision.
    """

    name: str
    measure: Measure
    number: float = 1.0

    @property
    def is_bound(self) -> bool:
        return self.measure in ("recall", "precision")

    @property
    def speaks_of_the_second(self) -> bool:
        """Whether, of two classes, it is a figure of the second alone."""
        return self.is_bound or self.measure == "f"

    @classmethod
    def parse(cls, text: str) -> Objective | None:
        """What a text means; None for what is no objective."""
        text = text.strip()
        if text in ("accuracy", "balanced_accuracy"):
            return cls(text, text)  # type: ignore[arg-type]
        if match := _F.fullmatch(text):
            beta = float(match[2])
            measure: Any = f"{match[1] or ''}f"
            return cls(text, measure, beta) if 0.01 <= beta <= 100 else None
        if match := _AT_LEAST.fullmatch(text):
            least = float(match[2])
            measure = match[1]
            return cls(f"{match[1]}>={match[2]}", measure, least) if 0 < least <= 1 else None
        return None

    def check(self, task: Task, n_classes: int) -> None:
        """Raise InputError unless it can be asked of this target."""
        if task == "multi-label":
            return
        if self.measure == "micro_f":
            raise InputError(
                f"decide_for={self.name!r} is for labels; of one class per row micro-averaged F is the accuracy: say"
                " 'accuracy', or 'macro_f1'."
            )
        if self.is_bound and n_classes > 2:
            raise InputError(
                f"decide_for={self.name!r} is for labels, or for two classes (it speaks of the second); this target has"
                f" {n_classes:,} classes. A cost matrix says which mistakes are worse."
            )


@dataclass(frozen=True, eq=False)
class Costs:
    """What decisions cost: `values[true, decided]` (K, K) of classes; (L, 2, 2) of labels, each as not and as set."""

    values: Float64

    def rule(self) -> Rule:
        """The rule of the smallest expected cost.

        Of a label, and of two classes, it is a threshold: with a the extra cost of a wrong yes and b that of a wrong
        no, yes costs less where p > a / (a + b).
        """
        if self.values.ndim == 2 and len(self.values) > 2:
            return SmallestCost(self.values)
        wrong_yes = self.values[..., 0, 1] - self.values[..., 0, 0]
        wrong_no = self.values[..., 1, 0] - self.values[..., 1, 1]
        thresholds = wrong_yes / (wrong_yes + wrong_no)
        return Thresholds(thresholds) if self.values.ndim == 3 else SecondClass(float(thresholds))

    def to_json(self) -> Any:
        return self.values.tolist()

    def among(self, codes: Sequence[int]) -> dict[int, dict[int, float]]:
        """Of some classes alone, by their numbers."""
        return {true: {decided: float(self.values[true, decided]) for decided in codes} for true in codes}


def resolve(decide_for: Any, task: Task, classes: Sequence[Any]) -> Objective | Costs | None:
    """What `decide_for` asks of this target; None where it asks nothing.

    Args:
        decide_for: None; the name of an objective; or costs[true, decided]: of classes (K, K), in their order, or
            {true: {decided: cost}}; of labels (2, 2) for all alike, (L, 2, 2), or {label: (2, 2)} for every label.
    """
    if decide_for is None:
        return None
    if isinstance(decide_for, str):
        objective = Objective.parse(decide_for)
        if objective is None:
            raise InputError(
                f"decide_for must be accuracy, balanced_accuracy, f1 (f2, f0.5, macro_f1, micro_f1), recall>=0.9,"
                f" precision>=0.9 or a cost matrix; got {brief(decide_for)}.{nearest(decide_for, NAMES)}"
            )
        objective.check(task, len(classes))
        return objective
    costs = _of_labels(decide_for, classes) if task == "multi-label" else _of_classes(decide_for, classes)
    return Costs(costs)


def _of_classes(decide_for: Any, classes: Sequence[Any]) -> Float64:
    n = len(classes)
    if n > MOST_CLASSES:
        raise InputError(f"a cost matrix is for at most {MOST_CLASSES} classes; this target has {n:,}.")
    if isinstance(decide_for, Mapping):
        rows = [_named(decide_for, name, classes, "row") for name in classes]
        _refuse_others(decide_for, classes, "row")
        for row, name in zip(rows, classes, strict=True):
            if not isinstance(row, Mapping):
                raise InputError(f"decide_for: the costs of class {name!r} must be by decided class; got {brief(row)}.")
            _refuse_others(row, classes, "column")
        decide_for = [[_named(row, name, classes, "column") for name in classes] for row in rows]
    costs = _array(decide_for, [(n, n)], f"a row and a column for each of the {n} classes")
    for k, name in enumerate(classes):
        _check_right_is_cheapest(costs[k], k, f"class {name!r}")
    if (costs == costs.diagonal()[:, None]).all():
        raise InputError("decide_for: all decisions cost the same, so there is nothing to decide by.")
    return costs


def _of_labels(decide_for: Any, classes: Sequence[Any]) -> Float64:
    n = len(classes)
    if isinstance(decide_for, Mapping) and not _is_of_answers(decide_for):
        _refuse_others(decide_for, classes, "label")
        decide_for = [_two_by_two(_named(decide_for, name, classes, "label")) for name in classes]
    else:
        decide_for = _two_by_two(decide_for)
    shapes: list[tuple[int, ...]] = [(2, 2), (n, 2, 2)]
    costs = _array(decide_for, shapes, "2 x 2 for all labels alike, or for each of them")
    costs = np.broadcast_to(costs, (n, 2, 2)).copy()
    for k, name in enumerate(classes):
        for answer in (0, 1):
            _check_right_is_cheapest(costs[k, answer], answer, f"label {name!r}")
        if (costs[k, :, 0] == costs[k, :, 1]).all():
            raise InputError(f"decide_for: both answers to label {name!r} cost the same; nothing is left to decide by.")
    return costs


def _is_of_answers(costs: Mapping[Any, Any]) -> bool:
    """{0: {0: …, 1: …}, 1: …}: as a table with these names in front and above."""
    return {str(name) for name in costs} == {"0", "1"} and all(isinstance(row, Mapping) for row in costs.values())


def _two_by_two(costs: Any) -> Any:
    if isinstance(costs, Mapping) and _is_of_answers(costs):
        for row in costs.values():
            _refuse_others(row, (0, 1), "column")
        return [[_named(_named(costs, i, (0, 1), "row"), j, (0, 1), "column") for j in (0, 1)] for i in (0, 1)]
    return costs


def _named(costs: Mapping[Any, Any], name: Any, classes: Sequence[Any], what: str) -> Any:
    """The entry of a class or label, by itself or by its text, which is all that a file has."""
    if name in costs:
        return costs[name]
    if str(name) in costs:
        return costs[str(name)]
    raise InputError(
        f"decide_for: the costs have no {what} {name!r}; they need one for each of {brief(list(classes))}."
    )


def _refuse_others(costs: Mapping[Any, Any], classes: Sequence[Any], what: str) -> None:
    known = {*classes, *map(str, classes)}
    for name in costs:
        if name not in known:
            raise InputError(
                f"decide_for: the costs have a {what} {brief(name)}, which the target does not have"
                f" ({brief(list(classes))}).{nearest(str(name), [str(one) for one in classes])}"
            )
    if len({str(name) for name in costs}) < len(costs):
        raise InputError(f"decide_for: the costs have a {what} twice.")


def _array(value: Any, shapes: Sequence[tuple[int, ...]], what: str) -> Float64:
    costs: Float64 | None
    try:
        given = np.asarray(value)
        costs = given.astype(np.float64) if given.dtype.kind in "buifO" else None
    except (TypeError, ValueError):
        costs = None
    if costs is None:
        raise InputError(f"decide_for must be a name such as 'f1', or costs: {what}; got {brief(value)}.")
    if costs.shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise InputError(f"decide_for: costs must have shape {wanted}, {what}; got {costs.shape}.")
    if not (np.abs(costs) <= MOST_COST).all():
        raise InputError(f"decide_for: costs must be numbers from {-MOST_COST:g} to {MOST_COST:g}.")
    return costs


def _check_right_is_cheapest(costs: Float64, right: int, what: str) -> None:
    if costs.min() < costs[right]:
        raise InputError(
            f"decide_for: of {what} a wrong decision costs {costs.min():g}, less than the right one"
            f" ({costs[right]:g}). Give costs[true, decided], not gains; usually 0 for what is right."
        )
