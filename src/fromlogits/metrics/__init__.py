"""Figures of merit, from logits: the ones that are reported and that may choose the best epoch.

Each figure is what scikit-learn's function of that name gives, or None where it is undefined; NaN never.
A label is predicted exactly when its float32 probability, as `predict_proba` returns it, exceeds its threshold, and a
class exactly when that probability is the row's largest (ties: the lowest index). Deciding by the logit would differ:
the float32 sigmoid of the smallest positive logit is 0.5, which does not exceed 0.5. Ranks come from the logits, which
still differ where the probabilities have become equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import intervals
from .classes import Classes, predicted_classes
from .counts import effective_number
from .intervals import LEVEL
from .labels import Labels, SparseTargets, has_unknown, predicted_labels, row_weights
from .names import FIGURES, METRICS, SHORT, Metric, Task, is_better, validate_metric

__all__ = [
    "FIGURES", "LEVEL", "METRICS", "MOST_CONFUSED", "SHORT", "Metric", "SparseTargets", "Task", "effective_number",
    "evaluate", "has_unknown", "in_full", "is_better", "predicted_classes", "predicted_labels", "row_weights",
    "validate_metric", "value",
]  # fmt: skip

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Targets = NDArray[Any] | SparseTargets
MOST_CONFUSED = 1000
"""Classes of a confusion matrix, and confusions that are listed."""


def value(
    name: str,
    task: Task,
    logits_nc: Float32,
    targets: Targets,
    thresholds: Sequence[float] | None = None,
    weights: Float64 | None = None,
    decided: NDArray[Any] | None = None,
) -> float | None:
    """One figure, for less work than all; the arguments are those of `evaluate`."""
    validate_metric(name, task)
    weights, _ = _scaled(weights)
    figure: float | None = getattr(_case(task, logits_nc, targets, thresholds, weights, decided)[0], name)
    return figure


def evaluate(
    task: Task,
    classes: Sequence[Any],
    logits_nc: Float32,
    targets: Targets,
    thresholds: Sequence[float] | None = None,
    weights: Float64 | None = None,
    decided: NDArray[Any] | None = None,
    *,
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """The figures that every training keeps, ready for JSON; `in_full` gives all.

    Args:
        task: "multi-class" or "multi-label".
        classes: their names, or the labels'; Python or NumPy scalars.
        logits_nc: float32 (n, c). Multi-class with one column is the two-class sigmoid head.
        targets: multi-class: class indices (n,), −1 for a class that the model does not know, or probabilities (n, K):
            log_loss is their cross-entropy, and the largest (ties: the lowest index) is the class of accuracy.
            Multi-label: 0/1 (n, c), or probabilities: log_loss is their cross-entropy, and above 0.5 a label counts as
            set; NaN where a label is unknown: it takes no part in any figure. It may be sparse: it is asked for slices
            alone, and no matrix of that size is made.
        thresholds: multi-label: of each label's probability; 0.5 unless told.
        weights: what each row counts for, (n,), or multi-label each entry, (n, c); finite, at least 0. A whole one is
            that many copies; what weighs 0 takes no part. None: 1.
        decided: what is predicted, where neither the largest probability nor a threshold says it: class indices (n,),
            or 0/1 (n, c).
        also: more figures of METRICS, such as the one that chose the epoch.

    Returns:
        Multi-class: accuracy, log_loss, and where there are any, unknown_class_rows: these count as wrong and are left
        out of log_loss. Multi-label: subset_accuracy (over rows with a known label: whether these are all right),
        hamming_loss, micro_f1, macro_f1 (a label without a positive and without a prediction counts 0, as in
        scikit-learn; one that is unknown in every row is left out), macro_roc_auc (over the labels that have one),
        log_loss (per entry), and per_label with label, support (the weight of the rows that have it), roc_auc,
        average_precision, f1, threshold.
    """
    weights, unit = _scaled(weights)
    case, _ = _case(task, logits_nc, targets, thresholds, weights, decided)
    figures = {name: getattr(case, name) for name in FIGURES if name in (*SHORT[task], *also)}
    if isinstance(case, Classes):
        return figures | ({"unknown_class_rows": case.unknown} if case.unknown else {})
    return figures | {"per_label": _in_units(unit, case.per_label(_plain(classes)))}


def in_full(
    task: Task,
    classes: Sequence[Any],
    logits_nc: Float32,
    targets: Targets,
    thresholds: Sequence[float] | None = None,
    weights: Float64 | None = None,
    decided: NDArray[Any] | None = None,
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """All figures of the task and their intervals, ready for JSON; arguments as for `evaluate`.

    Args:
        groups: (n,): rows of one number are drawn together for the intervals. None: each for itself.
        seed: of the intervals' draws.

    Returns:
        The figures of FIGURES; unknown_class_rows, where there are any; `intervals`: {figure: [low, high]} at LEVEL per
        cent, and `resamples`: {figure: how many}; per_class or per_label; and for classes `confusion`, the matrix of
        true by predicted classes (None of more than MOST_CONFUSED classes), and `most_confused`, its largest entries
        off the diagonal, at most MOST_CONFUSED, the largest first (docs/reference/metrics.md).
        Of classes that the model does not know, rows count as wrong in what is decided, and have no part in figures of
        probabilities and ranks.
    """
    weights, unit = _scaled(weights)
    case, part_n = _case(task, logits_nc, targets, thresholds, weights, decided)
    names = _plain(classes)
    figures = {name: getattr(case, name) for name, about in FIGURES.items() if task in about.tasks}
    if isinstance(case, Classes) and case.unknown:
        figures["unknown_class_rows"] = case.unknown
    figures["intervals"], figures["resamples"] = {}, {}
    if len(case.logits_nc):
        of_part = groups if groups is None or part_n is None else groups[part_n]
        figures["intervals"], figures["resamples"] = intervals.around(case, of_part, seed)
    if isinstance(case, Labels):
        return figures | {"per_label": _in_units(unit, case.in_full(names))}
    matrix = case.confusion if len(names) <= MOST_CONFUSED else None
    return figures | {
        "per_class": _in_units(unit, case.per_class(names)),
        "confusion": None if matrix is None else (matrix * unit).tolist(),
        "most_confused": _in_units(
            unit,
            [
                {"true": names[true], "predicted": names[predicted], "support": support}
                for true, predicted, support in case.most_confused(MOST_CONFUSED)
            ],
        ),
    }


def _plain(names: Sequence[Any]) -> list[Any]:
    return [name.item() if isinstance(name, np.generic) else name for name in names]


def _scaled(weights: Float64 | None) -> tuple[Float64 | None, float]:
    """The weights with a largest one from 1 to 2, and the power of two that is 1 there.

    Only ratios matter, and nothing is rounded; but squares and products of any finite weights might not be numbers.
    """
    if weights is None or not weights.any():
        return weights, 1
    unit = math.ldexp(1.0, math.frexp(weights.max())[1] - 1)
    return weights / unit, unit


def _in_units(unit: float, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose support is a weight as it was given."""
    return [{**row, "support": row["support"] * unit} for row in rows]


def _case(
    task: Task,
    logits_nc: Float32,
    targets: Targets,
    thresholds: Sequence[float] | None,
    weights: Float64 | None,
    decided: NDArray[Any] | None,
) -> tuple[Classes | Labels, NDArray[np.bool_] | None]:
    """The rows that take part, ready to be judged, and which they are; None: all."""
    part_n = None
    if weights is not None and not (is_part_n := (weights if weights.ndim == 1 else weights.max(axis=1)) > 0).all():
        part_n = is_part_n
        logits_nc, weights, targets = logits_nc[part_n], weights[part_n], targets.take(np.flatnonzero(part_n), axis=0)
        decided = None if decided is None else decided[part_n]
    if task == "multi-class":
        assert isinstance(targets, np.ndarray)
        return Classes(logits_nc, targets, weights, decided), part_n
    return Labels(logits_nc, targets, thresholds, weights, decided), part_n
