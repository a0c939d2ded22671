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
Float64 = NDArray[np.float64]
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
    name: str,
    task: Task,
    logits_nc: Float32,
    targets: NDArray[Any],
    thresholds: Sequence[float] | None = None,
    weights: Float64 | None = None,
) -> float | None:
    """One figure, for less work than all; the arguments are those of `evaluate`."""
    validate_metric(name, task)
    figure: float | None = getattr(_case(task, logits_nc, targets, thresholds, weights), name)
    return figure


def evaluate(
    task: Task,
    classes: Sequence[Any],
    logits_nc: Float32,
    targets: NDArray[Any],
    thresholds: Sequence[float] | None = None,
    weights: Float64 | None = None,
    decided: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """All figures of the task, ready for JSON.

    Args:
        task: "multi-class" or "multi-label".
        classes: their names, or the labels'; Python or NumPy scalars.
        logits_nc: float32 (n, c). Multi-class with one column is the two-class sigmoid head.
        targets: multi-class: class indices (n,), −1 for a class that the model does not know, or probabilities (n, K):
            log_loss is their cross-entropy, and the largest (ties: the lowest index) is the class of accuracy.
            Multi-label: 0/1 (n, c), or probabilities: log_loss is their cross-entropy, and above 0.5 a label counts as
            set; NaN where a label is unknown: it takes no part in any figure.
        thresholds: multi-label: of each label's probability; 0.5 unless told.
        weights: what each row counts for, (n,), or multi-label each entry, (n, c); finite, at least 0. A whole one is
            that many copies; what weighs 0 takes no part. None: 1.
        decided: what is predicted, where neither the largest probability nor a threshold says it: class indices (n,),
            or 0/1 (n, c); a label has a threshold then only if one is given.

    Returns:
        Multi-class: accuracy, log_loss, and where there are any, unknown_class_rows: these count as wrong and are left
        out of log_loss. Multi-label: subset_accuracy (over rows with a known label: whether these are all right),
        hamming_loss, micro_f1, macro_f1 (a label without a positive and without a prediction counts 0, as in
        scikit-learn; one that is unknown in every row is left out), macro_roc_auc (over the labels that have one),
        log_loss (per entry), and per_label with label, support (the weight of the rows that have it), roc_auc,
        average_precision, f1, threshold.
    """
    labels = _case(task, logits_nc, targets, thresholds, weights, decided)
    if isinstance(labels, _Classes):
        unknown = int(np.count_nonzero(labels.codes_n < 0))
        figures: dict[str, Any] = {"accuracy": labels.accuracy, "log_loss": labels.log_loss}
        return figures | ({"unknown_class_rows": unknown} if unknown else {})
    figures = {name: getattr(labels, name) for name, about in METRICS.items() if task in about.tasks}
    per_label = [
        {
            "label": label.item() if isinstance(label, np.generic) else label,
            "support": counts.support,
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "f1": counts.f1,
            "threshold": None if threshold is None else float(threshold),
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


def _case(
    task: Task,
    logits_nc: Float32,
    targets: NDArray[Any],
    thresholds: Sequence[float] | None,
    weights: Float64 | None,
    decided: NDArray[Any] | None = None,
) -> _Classes | _Labels:
    """The rows that take part, ready to be judged."""
    if weights is not None and not (part_n := (weights if weights.ndim == 1 else weights.max(axis=1)) > 0).all():
        logits_nc, targets, weights = logits_nc[part_n], targets[part_n], weights[part_n]
        decided = None if decided is None else decided[part_n]
    if task == "multi-class":
        return _Classes(logits_nc, targets, weights, decided)
    return _Labels(logits_nc, targets, thresholds, weights, decided)


class _Classes:
    """One class per row; each metric of the task is an attribute."""

    def __init__(
        self,
        logits_nc: Float32,
        targets: NDArray[Any],
        weights_n: Float64 | None = None,
        decided_n: NDArray[Any] | None = None,
    ) -> None:
        self.logits_nc, self.targets, self.weights_n, self.decided_n = logits_nc, targets, weights_n, decided_n
        self.codes_n = targets.argmax(axis=1) if targets.ndim == 2 else targets

    @property
    def accuracy(self) -> float | None:
        decided_n = predicted_classes(self.logits_nc) if self.decided_n is None else self.decided_n
        return _share(decided_n == self.codes_n, self.weights_n)

    @property
    def log_loss(self) -> float | None:
        known_n = self.codes_n >= 0
        logits_nc, targets = self.logits_nc[known_n], self.targets[known_n]
        weights_n = None if self.weights_n is None else self.weights_n[known_n]
        if logits_nc.shape[1] == 1:
            second_n = targets[:, 1] if targets.ndim == 2 else targets
            return _Labels(logits_nc, second_n[:, None], None, weights_n).log_loss
        return _finite(exact.mean(from_logits.softmax_losses(logits_nc, targets), weights_n))


class _Labels:
    """Any subset of labels per row; each metric of the task is an attribute, computed when it is asked for."""

    def __init__(
        self,
        logits_nc: Float32,
        targets_nc: NDArray[Any],
        thresholds: Sequence[float] | None = None,
        weights: Float64 | None = None,
        decided_nc: NDArray[Any] | None = None,
    ) -> None:
        self.logits_nc, self.targets_nc, self.weights, self.decided_nc = logits_nc, targets_nc, weights, decided_nc
        usual = [THRESHOLD if decided_nc is None else None] * logits_nc.shape[1]
        self.thresholds: Sequence[float | None] = usual if thresholds is None else thresholds

    @cached_property
    def counts_nc(self) -> Float64 | None:
        """What each entry counts for, 0 where its label is unknown; None: all of them 1."""
        if self.weights is None and not has_unknown(self.targets_nc):
            return None
        weights = np.ones(len(self.targets_nc)) if self.weights is None else self.weights
        return np.where(np.isnan(self.targets_nc), 0.0, weights if weights.ndim == 2 else weights[:, None])

    @cached_property
    def is_judged(self) -> list[bool]:
        """Label by label, whether any row takes part."""
        if (counts_nc := self.counts_nc) is None:
            return [True] * self.logits_nc.shape[1]
        return [bool(most > 0) for most in counts_nc.max(axis=0, initial=0.0)]

    @cached_property
    def truth_nc(self) -> Bools:
        return np.asarray(self.targets_nc > 0.5)

    @cached_property
    def predicted_nc(self) -> Bools:
        if self.decided_nc is not None:
            return np.asarray(self.decided_nc, bool)
        return predicted_labels(self.logits_nc, self.thresholds)  # type: ignore[arg-type]  # all are given

    @cached_property
    def counts(self) -> list[_Counts]:
        """Label by label."""
        matrices = (self.predicted_nc & self.truth_nc, self.predicted_nc, self.truth_nc)
        if (counts_nc := self.counts_nc) is None:
            hits, predicted, support = (matrix.sum(axis=0).tolist() for matrix in matrices)
        else:
            hits, predicted, support = (np.where(matrix, counts_nc, 0.0).sum(axis=0).tolist() for matrix in matrices)
            if self.weights is None:
                support = [int(rows) for rows in support]
        return [_Counts(*three) for three in zip(hits, predicted, support, strict=True)]

    @cached_property
    def ranked(self) -> list[tuple[float | None, float | None]]:
        """ROC AUC and average precision, label by label."""
        rankings = (
            _ranking(
                self.logits_nc[:, k], self.truth_nc[:, k], None if self.counts_nc is None else self.counts_nc[:, k]
            )
            for k in range(self.logits_nc.shape[1])
        )
        return [(_roc_auc(*ranking), _average_precision(*ranking)) for ranking in rankings]

    @property
    def log_loss(self) -> float | None:
        return _finite(exact.mean(from_logits.sigmoid_losses(self.logits_nc, self.targets_nc), self.counts_nc))

    @property
    def subset_accuracy(self) -> float | None:
        is_right_nc = self.predicted_nc == self.truth_nc
        if (counts_nc := self.counts_nc) is None:
            return _share(is_right_nc.all(axis=1))
        return _share((is_right_nc | (counts_nc == 0)).all(axis=1), row_weights(counts_nc))

    @property
    def hamming_loss(self) -> float | None:
        return _share(self.predicted_nc != self.truth_nc, self.counts_nc)

    @property
    def micro_f1(self) -> float | None:
        if not any(self.is_judged):
            return None
        together = _Counts(
            sum(label.hits for label in self.counts),
            sum(label.predicted for label in self.counts),
            sum(label.support for label in self.counts),
        )
        return together.f1 or 0.0

    @property
    def macro_f1(self) -> float | None:
        judged = zip(self.counts, self.is_judged, strict=True)
        return _mean([label.f1 or 0.0 for label, is_judged in judged if is_judged])

    @property
    def macro_roc_auc(self) -> float | None:
        return _mean([roc_auc for roc_auc, _ in self.ranked if roc_auc is not None])


@dataclass(frozen=True)
class _Counts:
    """Of one label, or of all together: the weights of rows, or how many."""

    hits: float
    """Predicted and true."""
    predicted: float
    support: float
    """True."""

    @property
    def f1(self) -> float | None:
        """2·hits / (predicted + support); None where nothing is true and nothing predicted."""
        both = self.predicted + self.support
        return 2 * self.hits / both if both else None


def has_unknown(targets: NDArray[Any]) -> bool:
    """Whether any label is unknown; for no memory, as NaN survives a sum."""
    return bool(np.isnan(targets.sum(dtype=np.float64)))


def row_weights(counts_nc: Float64) -> Float64:
    """(n,): the mean of what the row's entries count for, over those that do; 0 where none does.

    So rows whose entries all weigh the same have that weight, however many labels are known.
    """
    part_n = np.count_nonzero(counts_nc, axis=1)
    return np.asarray(counts_nc.sum(axis=1) / np.maximum(part_n, 1))


Sums = NDArray[np.int64] | Float64


def _ranking(scores_n: Float32, truth_n: Bools, counts_n: Float64 | None = None) -> tuple[Sums, Sums]:
    """True and false rows among the best 1, 2, … distinct scores, or their weight: equal scores enter together."""
    if counts_n is not None:
        part_n = counts_n > 0
        scores_n, truth_n, counts_n = scores_n[part_n], truth_n[part_n], counts_n[part_n]
    order_n = np.argsort(-scores_n)
    sorted_n, truth_n = scores_n[order_n], truth_n[order_n]
    last_of_tie = np.flatnonzero(np.append(sorted_n[1:] != sorted_n[:-1], True)[: len(sorted_n)])
    if counts_n is None:
        hits = np.cumsum(truth_n, dtype=np.int64)[last_of_tie]
        return hits, last_of_tie + 1 - hits
    counts_n = counts_n[order_n]
    hits, misses = (np.cumsum(np.where(side_n, counts_n, 0.0))[last_of_tie] for side_n in (truth_n, ~truth_n))
    return hits, misses


def _roc_auc(hits: Sums, misses: Sums) -> float | None:
    """The share of (true, false) pairs in order, equal scores counting half; integers stay exact until one division."""
    if len(hits) == 0 or not (hits[-1] > 0 and misses[-1] > 0):
        return None
    new_hits, new_misses = np.diff(hits, prepend=0), np.diff(misses, prepend=0)
    twice = (new_misses * (2 * (hits - new_hits) + new_hits)).sum().item()
    return float(twice / (2 * hits[-1].item() * misses[-1].item()))


def _average_precision(hits: Sums, misses: Sums) -> float | None:
    """Σ (recall_k − recall_{k−1}) · precision_k over the distinct scores, without interpolation."""
    if len(hits) == 0 or hits[-1] == 0:
        return None
    return float((np.diff(hits, prepend=0) * (hits / (hits + misses))).sum() / hits[-1])


def _share(flags: Bools, weights: Float64 | None = None) -> float | None:
    if weights is None:
        return float(np.count_nonzero(flags) / flags.size) if flags.size else None
    share = exact.mean(flags, weights)
    return None if math.isnan(share) else share


def _mean(figures: Sequence[float]) -> float | None:
    return math.fsum(figures) / len(figures) if figures else None


def _finite(figure: Any) -> float | None:
    return float(figure) if math.isfinite(figure) else None
