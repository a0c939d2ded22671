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
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import exact
from . import logits as from_logits
from .errors import InputError, nearest
from .heads import HEADS, THRESHOLD

Task = Literal["multi-class", "multi-label"]
Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Metric:
    """What a figure is for: its tasks, and which way is better."""

    tasks: tuple[Task, ...]
    higher_is_better: bool


METRICS: dict[str, Metric] = {
    "accuracy": Metric(("multi-class",), higher_is_better=True),
    "subset_accuracy": Metric(("multi-label",), higher_is_better=True),
    "hamming_loss": Metric(("multi-label",), higher_is_better=False),
    "micro_f1": Metric(("multi-label",), higher_is_better=True),
    "macro_f1": Metric(("multi-label",), higher_is_better=True),
    "macro_roc_auc": Metric(("multi-label",), higher_is_better=True),
    "log_loss": Metric(("multi-class", "multi-label"), higher_is_better=False),
}


def validate_metric(name: str, task: Task) -> None:
    """Raise InputError unless `name` is a metric of this task."""
    known = [metric for metric, about in METRICS.items() if task in about.tasks]
    if name in known:
        return
    if name in METRICS:
        problem = f"metric {name!r} is for {METRICS[name].tasks[0]} targets, and this one is {task}."
    else:
        problem = f"no metric is called {name!r}.{nearest(str(name), known)}"
    raise InputError(f"{problem} Known for {task}: {', '.join(known)}.")


def is_better(name: str, a: float | None, b: float | None) -> bool:
    """Whether `a` beats `b`, strictly; an undefined value beats none and loses to any other."""
    if a is None or math.isnan(a):
        return False
    if b is None or math.isnan(b):
        return True
    return a > b if METRICS[name].higher_is_better else a < b


def value(
    name: str, task: Task, logits_nc: Float32, targets: NDArray[Any], thresholds: Sequence[float] | None = None
) -> float | None:
    """One figure, for less work than all; the arguments are those of `evaluate`."""
    validate_metric(name, task)
    case = _Classes(logits_nc, targets) if task == "multi-class" else _Labels(logits_nc, targets, thresholds)
    figure: float | None = getattr(case, name)
    return figure


def evaluate(
    task: Task,
    classes: Sequence[Any],
    logits_nc: Float32,
    targets: NDArray[Any],
    thresholds: Sequence[float] | None = None,
) -> dict[str, Any]:
    """All figures of the task, ready for JSON.

    Args:
        task: "multi-class" or "multi-label".
        classes: their names, or the labels'; Python or NumPy scalars.
        logits_nc: float32 (n, c). Multi-class with one column is the two-class sigmoid head.
        targets: multi-class: class indices (n,), −1 for a class that the model does not know; multi-label: 0/1 (n, c).
        thresholds: multi-label: of each label's probability; 0.5 unless told.

    Returns:
        Multi-class: accuracy, log_loss, and where there are any, unknown_class_rows: these count as wrong and are left
        out of log_loss. Multi-label: subset_accuracy, hamming_loss, micro_f1, macro_f1 (a label without a positive and
        without a prediction counts 0, as in scikit-learn), macro_roc_auc (over the labels that have one), log_loss (per
        entry), and per_label with label, support, roc_auc, average_precision, f1, threshold.
    """
    if task == "multi-class":
        case = _Classes(logits_nc, targets)
        unknown = int(np.count_nonzero(targets < 0))
        figures: dict[str, Any] = {"accuracy": case.accuracy, "log_loss": case.log_loss}
        return figures | ({"unknown_class_rows": unknown} if unknown else {})
    labels = _Labels(logits_nc, targets, thresholds)
    figures = {name: getattr(labels, name) for name, about in METRICS.items() if task in about.tasks}
    per_label = [
        {
            "label": label.item() if isinstance(label, np.generic) else label,
            "support": counts.support,
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "f1": counts.f1,
            "threshold": float(threshold),
        }
        for label, counts, (roc_auc, average_precision), threshold in zip(
            classes, labels.counts, labels.ranked, labels.thresholds, strict=True
        )
    ]
    return figures | {"per_label": per_label}


# --- decisions ---


def predicted_classes(logits_nc: Float32) -> NDArray[np.int64]:
    """Class indices (n,); one column is the two-class sigmoid head."""
    if logits_nc.shape[1] == 1:
        return HEADS["sigmoid"].decide(logits_nc)[:, 0]
    return HEADS["softmax"].decide(logits_nc)


def predicted_labels(logits_nc: Float32, thresholds: Sequence[float] | None = None) -> Bools:
    """(n, c): whether the probability exceeds its label's threshold."""
    above = np.asarray([THRESHOLD] if thresholds is None else thresholds, np.float64)
    return np.asarray(from_logits.sigmoid(logits_nc) > above)


# --- the figures ---


class _Classes:
    """One class per row; each metric of the task is an attribute."""

    def __init__(self, logits_nc: Float32, codes_n: NDArray[Any]) -> None:
        self.logits_nc, self.codes_n = logits_nc, codes_n

    @property
    def accuracy(self) -> float | None:
        return _share(predicted_classes(self.logits_nc) == self.codes_n)

    @property
    def log_loss(self) -> float | None:
        known_n = self.codes_n >= 0
        logits_nc, codes_n = self.logits_nc[known_n], self.codes_n[known_n]
        if logits_nc.shape[1] == 1:
            return _Labels(logits_nc, codes_n[:, None]).log_loss
        return _finite(exact.mean(from_logits.softmax_losses(logits_nc, codes_n)))


class _Labels:
    """Any subset of labels per row; each metric of the task is an attribute, computed when it is asked for."""

    def __init__(self, logits_nc: Float32, targets_nc: NDArray[Any], thresholds: Sequence[float] | None = None) -> None:
        self.logits_nc, self.targets_nc = logits_nc, targets_nc
        self.thresholds = [THRESHOLD] * logits_nc.shape[1] if thresholds is None else thresholds

    @cached_property
    def truth_nc(self) -> Bools:
        return np.asarray(self.targets_nc > 0.5)

    @cached_property
    def predicted_nc(self) -> Bools:
        return predicted_labels(self.logits_nc, self.thresholds)

    @cached_property
    def counts(self) -> list[_Counts]:
        """Label by label."""
        hits, predicted, support = (
            matrix.sum(axis=0).tolist()
            for matrix in (self.predicted_nc & self.truth_nc, self.predicted_nc, self.truth_nc)
        )
        return [_Counts(*three) for three in zip(hits, predicted, support, strict=True)]

    @cached_property
    def ranked(self) -> list[tuple[float | None, float | None]]:
        """ROC AUC and average precision, label by label."""
        rankings = (_ranking(self.logits_nc[:, k], self.truth_nc[:, k]) for k in range(self.logits_nc.shape[1]))
        return [(_roc_auc(*ranking), _average_precision(*ranking)) for ranking in rankings]

    @property
    def log_loss(self) -> float | None:
        return _finite(exact.mean(from_logits.sigmoid_losses(self.logits_nc, self.targets_nc)))

    @property
    def subset_accuracy(self) -> float | None:
        return _share((self.predicted_nc == self.truth_nc).all(axis=1))

    @property
    def hamming_loss(self) -> float | None:
        return _share(self.predicted_nc != self.truth_nc)

    @property
    def micro_f1(self) -> float | None:
        together = _Counts(
            sum(label.hits for label in self.counts),
            sum(label.predicted for label in self.counts),
            sum(label.support for label in self.counts),
        )
        return together.f1 or 0.0

    @property
    def macro_f1(self) -> float | None:
        return _mean([label.f1 or 0.0 for label in self.counts])

    @property
    def macro_roc_auc(self) -> float | None:
        return _mean([roc_auc for roc_auc, _ in self.ranked if roc_auc is not None])


@dataclass(frozen=True)
class _Counts:
    """Of one label, or of all together."""

    hits: int
    """Predicted and true."""
    predicted: int
    support: int
    """True."""

    @property
    def f1(self) -> float | None:
        """2·hits / (predicted + support); None where nothing is true and nothing predicted."""
        both = self.predicted + self.support
        return 2 * self.hits / both if both else None


def _ranking(scores_n: Float32, truth_n: Bools) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and true rows among the best 1, 2, … distinct scores: equal scores enter together."""
    order_n = np.argsort(-scores_n)
    sorted_n = scores_n[order_n]
    last_of_tie = np.flatnonzero(np.append(sorted_n[1:] != sorted_n[:-1], True)[: len(sorted_n)])
    return last_of_tie + 1, np.cumsum(truth_n[order_n], dtype=np.int64)[last_of_tie]


def _roc_auc(rows: NDArray[np.int64], hits: NDArray[np.int64]) -> float | None:
    """The share of (true, false) pairs in order, equal scores counting half; exact integers until one division."""
    if len(rows) == 0 or not 0 < hits[-1] < rows[-1]:
        return None
    misses = rows - hits
    new_hits, new_misses = np.diff(hits, prepend=0), np.diff(misses, prepend=0)
    twice = int((new_misses * (2 * (hits - new_hits) + new_hits)).sum())
    return twice / (2 * int(hits[-1]) * int(misses[-1]))


def _average_precision(rows: NDArray[np.int64], hits: NDArray[np.int64]) -> float | None:
    """Σ (recall_k − recall_{k−1}) · precision_k over the distinct scores, without interpolation."""
    if len(rows) == 0 or hits[-1] == 0:
        return None
    return float((np.diff(hits, prepend=0) * (hits / rows)).sum() / hits[-1])


def _share(flags: Bools) -> float | None:
    return float(np.count_nonzero(flags) / flags.size) if flags.size else None


def _mean(figures: Sequence[float]) -> float | None:
    return math.fsum(figures) / len(figures) if figures else None


def _finite(figure: Any) -> float | None:
    return float(figure) if math.isfinite(figure) else None
