"""The names of the figures: what each is, where it is undefined, which way is better, and which may choose an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..errors import InputError, nearest
from .calibration_error import BINS

Task = Literal["multi-class", "multi-label"]
CLASSES: tuple[Task, ...] = ("multi-class",)
LABELS: tuple[Task, ...] = ("multi-label",)
BOTH: tuple[Task, ...] = (*CLASSES, *LABELS)
TOP = (3, 5)
"""The k of the top-k accuracies."""


@dataclass(frozen=True)
class Metric:
    """A figure of all rows.

    Attributes:
        tasks: that have it.
        higher_is_better: None where neither way is.
        meaning: its formula, in words and Markdown.
        undefined: when it is None.
        sklearn: the call of scikit-learn that gives the same; "" where there is none.
        has_interval: whether an interval is given for it.
        may_choose: whether it may choose the best epoch.
        is_share: of rows that are right, each wholly or not at all.
    """

    tasks: tuple[Task, ...]
    higher_is_better: bool | None
    meaning: str
    undefined: str
    sklearn: str = ""
    has_interval: bool = True
    may_choose: bool = True
    is_share: bool = False


def _top(k: int) -> Metric:
    return Metric(
        CLASSES, True,
        f"weight of the rows whose class is among the {k} most probable (ties: the lowest index), over all",
        f"there are {k} classes or fewer, or no rows", f"`top_k_accuracy_score(y, p, k={k})`", is_share=True,
    )  # fmt: skip


FIGURES: dict[str, Metric] = {
    "accuracy": Metric(
        CLASSES, True, "weight of the rows whose predicted class is right, over all", "there are no rows",
        "`accuracy_score`", is_share=True,
    ),
    "balanced_accuracy": Metric(
        CLASSES, True, "mean recall of the classes that have rows", "no class has rows", "`balanced_accuracy_score`",
    ),
    **{f"top_{k}_accuracy": _top(k) for k in TOP},
    "subset_accuracy": Metric(
        LABELS, True, "weight of the rows whose known labels are all right, over that of the rows with a known label",
        "no label is known", "`accuracy_score`", is_share=True,
    ),
    "hamming_loss": Metric(
        LABELS, False, "weight of the entries that are wrong, over that of the known ones", "no label is known",
        "`hamming_loss`",
    ),
    "micro_f1": Metric(
        LABELS, True, "2·hits / (predicted + true) of all entries together; 0 where nothing is true or predicted",
        "no label is known", "`f1_score(average=\"micro\", zero_division=0)`",
    ),
    "macro_f1": Metric(
        BOTH, True,
        "mean F1 of the classes that are true or predicted in any row; of labels, of all that are known in any row, 0"
        " where nothing is true or predicted",
        "there are no rows, or no label is known", "`f1_score(average=\"macro\", zero_division=0)`",
    ),
    "macro_roc_auc": Metric(
        BOTH, True,
        "mean, over the classes (each against the rest) or labels that have both, of the share of (true, false) pairs"
        " of rows that the probability puts in order, equal ones counting half",
        "no class or label has both", "`roc_auc_score(average=\"macro\", multi_class=\"ovr\")`",
    ),
    "micro_roc_auc": Metric(
        BOTH, True, "the same share over the pairs of all entries, row by class or label", "all entries are alike",
        "`roc_auc_score(average=\"micro\", multi_class=\"ovr\")`", has_interval=False, may_choose=False,
    ),
    "macro_average_precision": Metric(
        BOTH, True,
        "mean, over the classes or labels that are true in any row, of Σ (recall_k − recall_{k−1}) · precision_k over"
        " the distinct probabilities",
        "none is true in any row", "`average_precision_score(average=\"macro\")`", has_interval=False,
    ),
    "micro_average_precision": Metric(
        BOTH, True, "the same sum over all entries, row by class or label", "nothing is true",
        "`average_precision_score(average=\"micro\")`", has_interval=False, may_choose=False,
    ),
    "log_loss": Metric(
        BOTH, False,
        "mean of −log p of the true class in nats; of labels, mean over the known entries; computed from the logits, so"
        " nothing is clipped",
        "there are no rows of known classes or labels, or it is infinite", "`log_loss`",
    ),
    "brier": Metric(
        BOTH, False,
        "mean of Σ (p − t)² over the classes, from 0 to 2; with two classes half of that, from 0 to 1; of labels, mean"
        " of (p − t)² over the known entries",
        "there are no rows of known classes or labels", "`brier_score_loss` (its `scale_by_half=\"auto\"`)",
    ),
    "ece": Metric(
        BOTH, False,
        f"Σ over {BINS} bins of equal mass of weight · \\|share that is right − mean probability\\|: of the largest"
        " probability; with two classes, of that of the second; of labels, the mean over the labels",
        "there are no rows of known classes or labels", has_interval=False, may_choose=False,
    ),
    "ece_by_chance": Metric(
        BOTH, None,
        "what `ece` would be on average by chance alone, on so many rows, were every probability true:"
        " √(2/π) · Σ over the bins of √(Σ w²·p·(1 − p)) / Σ w",
        "`ece` is", has_interval=False, may_choose=False,
    ),
}  # fmt: skip
METRICS = {name: metric for name, metric in FIGURES.items() if metric.may_choose}
"""Those that may choose the best epoch."""
SHORT: dict[Task, tuple[str, ...]] = {
    "multi-class": ("accuracy", "log_loss"),
    "multi-label": ("subset_accuracy", "hamming_loss", "micro_f1", "macro_f1", "macro_roc_auc", "log_loss"),
}
"""Those that every training keeps."""


def validate_metric(name: str, task: Task) -> None:
    """Raise InputError unless `name` is a metric of this task that may choose an epoch."""
    known = [metric for metric, about in METRICS.items() if task in about.tasks]
    if name in known:
        return
    if name in METRICS:
        problem = f"metric {name!r} is for {METRICS[name].tasks[0]} targets, and this one is {task}."
    elif name in FIGURES:
        problem = f"metric {name!r} is a figure that `evaluate` gives, and not one to choose an epoch by."
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
