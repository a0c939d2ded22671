"""How good a recipe is on rows that it was not trained on: each fold is judged by a network trained on other rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import fitting, metrics
from . import logits as from_logits
from .classifier import Classifier
from .data import splits
from .data.groups_and_times import as_groups, as_times, numbered
from .data.inputs import as_inputs
from .data.targets import TargetEncoder, as_target
from .decisions.objectives import Costs, resolve
from .errors import InputError
from .heads import HEADS
from .weights import by_name, checked, rows_that_count, without_unknown

LEVEL = 95
"""Per cent of the resamples whose figure lies in an interval."""
MOST_RESAMPLES, FEWEST_RESAMPLES, DRAWS = 1000, 200, 10**8
RESAMPLE_STREAM = 7
"""The last word of the generator's counter says what for: 1 to 6 are taken by the training and its splits."""

Rows = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """One training and the rows it is judged by.

    Attributes:
        number: from 1.
        rows: that are judged, sorted. None of them took part in the training.
        n_train, n_validation: of the other rows, those trained on and those that chose the epoch.
        n_epochs, best_epoch: as the classifier's n_iter_ and best_epoch_.
        figures: of the judged rows.
    """

    number: int
    rows: Rows
    n_train: int
    n_validation: int
    n_epochs: int
    best_epoch: int
    figures: dict[str, Any]


@dataclass(frozen=True)
class CrossValidation:
    """What came out of all folds together.

    Attributes:
        target: task and classes.
        folds: in their order.
        fold_of: the number of each row's fold from 0 (n,); -1 for rows that are not judged.
        logits: of each row by the network that was not trained on it (n, c); 0 in rows that are not judged.
        decided: by the same network's rule: the number of the row's class (n,), or 0 and 1 (n, L); 0 where not judged.
        figures: of all judged rows together.
        intervals: by metric (low, high): the middle LEVEL % of the figure over resamples of the judged rows, or of
            their groups, drawn with replacement. Of macro_f1 and macro_roc_auc there is none.
        seed: of the folds and of every training.
    """

    target: TargetEncoder
    folds: tuple[Fold, ...]
    fold_of: Rows
    logits: Float32
    decided: NDArray[np.int64]
    figures: dict[str, Any]
    intervals: dict[str, tuple[float, float]]
    seed: int

    @property
    def probabilities(self) -> Float32:
        """As `Classifier.predict_proba` returns them (n, K)."""
        if self.target.task == "multi-label":
            return HEADS["sigmoid"].probabilities(self.logits)
        if self.logits.shape[1] == 1:
            return HEADS["sigmoid"].probabilities(np.hstack([-self.logits, self.logits]))
        return HEADS["softmax"].probabilities(self.logits)

    @property
    def predicted(self) -> NDArray[Any]:
        """As `Classifier.predict` returns them: classes (n,), or 0 and 1 (n, L)."""
        return self.decided if self.target.task == "multi-label" else self.target.classes_array[self.decided]

    def over_folds(self) -> dict[str, tuple[float, float]]:
        """By metric: the mean of the folds' figures, and their standard deviation (divisor folds - 1)."""
        found = {}
        for name in metrics.METRICS:
            values = [fold.figures[name] for fold in self.folds if fold.figures.get(name) is not None]
            if len(values) > 1:
                found[name] = (math.fsum(values) / len(values), float(np.std(values, ddof=1)))
        return found


def cross_validate(
    classifier: Classifier,
    X: Any,
    y: Any,
    *,
    n_folds: int = 5,
    sample_weight: Any = None,
    groups: Any = None,
    times: Any = None,
    picture_shape: tuple[int, ...] | None = None,
    numeric: tuple[str, ...] = (),
    categorical: tuple[str, ...] = (),
    fold_done: Callable[[Fold], None] = lambda fold: None,
) -> CrossValidation:
    """Train a classifier with these settings for each fold, on the other rows, and judge it by the fold.

    Each training is that of `Classifier.fit` on its rows with the classifier's settings and one seed; the rows that
    choose its epoch come out of its own rows. Folds are stratified, or made of whole groups. With times, a fold is
    judged after a training on all earlier rows; the first rows are then trained on only.

    Args:
        classifier: its settings count; it is not fitted.
        X, y, sample_weight, groups, times: as `Classifier.fit` takes them. Weights count in the trainings and in all
            figures; rows that take no part are in no fold.
        n_folds: at least 2.
        picture_shape: a row is a picture of this shape.
        numeric, categorical: columns of a table that are numbers, or categories, whatever they look like.
        fold_done: is told of each fold.

    Raises:
        InputError: data or a setting is not what it must be.
        DivergedError: a training's loss stopped being finite.
    """
    if groups is not None and times is not None:
        raise InputError("groups (--group) and times (--time-column) both say which rows make a fold; give one.")
    if type(n_folds) is not int or n_folds < 2:
        raise InputError(f"n_folds (--folds) must be a whole number from 2; got {n_folds!r}.")
    settings = classifier.get_params()
    inputs = as_inputs(X)
    y = as_target(y, ravel=settings["task"] != "multi-label")
    target = TargetEncoder.fit(y, settings["task"])
    targets = target.encode(y)
    n = len(targets)
    if len(inputs) != n:
        raise InputError(f"X and y must have the same number of rows; X has {len(inputs)}, y has {n}.")
    group_of = None if groups is None else as_groups(groups, n)
    time_of = None if times is None else as_times(times, n)
    settings |= {"random_state": fitting.seed_of(settings["random_state"]), "task": target.task}
    seed: int = settings["random_state"]
    weights = checked("sample_weight", sample_weight, n, target)
    counting = rows_that_count(targets, weights)
    takes_part, fold_of = np.zeros(n, bool), np.full(n, -1, np.int64)
    takes_part[counting] = True
    if time_of is not None:
        fold_of[counting] = splits.time_folds(time_of[counting], n_folds)
    else:
        examples = target.strata(without_unknown(targets, weights)).take(counting, axis=0)
        own_groups = None if group_of is None else numbered(group_of[counting])
        fold_of[counting] = splits.folds(examples, target.n_classes, n_folds, seed, own_groups)
    holds_out = fitting.holds_out(settings, len(counting), target.task)

    found, known, logits_nc = [], targets.copy(), np.zeros((0, 0), np.float32)
    decided = np.zeros(targets.shape if target.task == "multi-label" else n, np.int64)
    for number in range(n_folds):
        rows = np.flatnonzero(takes_part & (fold_of < number if time_of is not None else fold_of != number))
        judged = np.flatnonzero(fold_of == number)
        clf = Classifier(**_by_number(settings, target, targets[rows]))
        extra: dict[str, Any] = {"sample_weight": None if weights is None else weights[rows]}
        if holds_out:
            extra |= {"groups": None if group_of is None else group_of[rows],
                      "times": None if time_of is None else time_of[rows]}  # fmt: skip
        try:
            fit = clf._prepare(
                inputs.take(rows), targets[rows], picture_shape=picture_shape, roles={"numeric": numeric},
                categorical=categorical, **extra,
            )  # fmt: skip
        except InputError as error:
            raise InputError(f"fold {number + 1} of {n_folds}: {error}") from None
        clf._run(fit)
        logits_of_fold = clf.predict_logits(inputs.take(judged))
        own_nc = _of_all_classes(clf, logits_of_fold, target)
        if not len(logits_nc):
            logits_nc = np.zeros((n, own_nc.shape[1]), np.float32)
        logits_nc[judged] = own_nc
        decided[judged] = clf._decide(logits_of_fold)  # of classes their numbers, which are the targets here
        if targets.ndim == 1:
            known[judged] = np.where(np.isin(targets[judged], clf.classes_), targets[judged], -1)
        record = clf.record_
        found.append(Fold(
            number + 1, judged, record["n_train"], record["n_validation"], clf.n_iter_, clf.best_epoch_,
            metrics.evaluate(
                target.task, target.classes, own_nc, known[judged], _thresholds(clf), _of(weights, judged),
                decided[judged],
            ),
        ))  # fmt: skip
        fold_done(found[-1])
    judged = np.flatnonzero(fold_of >= 0)
    common = _thresholds(clf) if settings["decide_for"] is None else None  # else each fold has its own
    figures = metrics.evaluate(
        target.task, target.classes, logits_nc[judged], known[judged], common, _of(weights, judged), decided[judged]
    )
    units = np.arange(len(judged)) if group_of is None else np.unique(group_of[judged], return_inverse=True)[1]
    parts = _parts(target.task, logits_nc[judged], known[judged], decided[judged], _of(weights, judged))
    return CrossValidation(
        target, tuple(found), fold_of, logits_nc, decided, figures, _intervals(parts, units, seed), seed
    )


def _of(weights: Float64 | None, rows: Rows) -> Float64 | None:
    return None if weights is None else weights[rows]


def _by_number(settings: dict[str, Any], target: TargetEncoder, targets: NDArray[Any]) -> dict[str, Any]:
    """The settings for a training whose classes are numbers: those of weights by name then name these."""
    named: dict[str, Any] = {}
    if isinstance(settings["class_weight"], Mapping) and targets.ndim == 1:
        by_class = by_name("class_weight", settings["class_weight"], target)
        named["class_weight"] = {number: float(by_class[number]) for number in np.unique(targets).tolist()}
    if isinstance(settings["pos_weight"], Mapping) and target.task == "multi-label":
        named["pos_weight"] = by_name("pos_weight", settings["pos_weight"], target).tolist()
    costs = resolve(settings["decide_for"], target.task, target.classes)
    if isinstance(costs, Costs):
        named["decide_for"] = costs.among(np.unique(targets).tolist()) if targets.ndim == 1 else costs.to_json()
    return settings | named


def _thresholds(clf: Classifier) -> list[float] | None:
    return None if clf.thresholds_ is None else clf.thresholds_.tolist()


def _of_all_classes(clf: Classifier, logits_nc: Float32, target: TargetEncoder) -> Float32:
    """The logits with a column for every class: -inf, probability 0, for one that the training did not see."""
    if target.task == "multi-label" or clf.target_.n_classes == target.n_classes:
        return logits_nc
    if logits_nc.shape[1] == 1:  # one unit for two classes: softmax of 0 and z is its sigmoid
        logits_nc = np.hstack([np.zeros_like(logits_nc), logits_nc])
    whole_nc = np.full((len(logits_nc), target.n_classes), -np.inf, np.float32)
    whole_nc[:, clf.classes_] = logits_nc
    return whole_nc


def _parts(
    task: metrics.Task, logits_nc: Float32, targets: NDArray[Any], decided: Rows, weights: Float64 | None
) -> Iterator[tuple[str, Any, Any]]:
    """(metric, numerators, denominators), both (n,), of the metrics that are a ratio of sums over rows."""
    weights = np.ones(len(targets)) if weights is None else weights
    if task == "multi-class":
        codes_n = targets.argmax(axis=1) if targets.ndim == 2 else targets
        yield "accuracy", weights * (decided == codes_n), weights
        is_known = codes_n >= 0
        losses = np.zeros(len(targets))
        z_nc, known = logits_nc[is_known], targets[is_known]
        losses[is_known] = (
            from_logits.sigmoid_losses(z_nc, (known[:, 1] if known.ndim == 2 else known)[:, None])[:, 0]
            if z_nc.shape[1] == 1
            else from_logits.softmax_losses(z_nc, known)
        )
        yield "log_loss", weights * losses, weights * is_known
        return
    counts_nc = np.where(np.isnan(targets), 0.0, weights if weights.ndim == 2 else weights[:, None])
    truth_nc, predicted_nc = targets > 0.5, decided == 1
    is_right_nc, of_rows, of_entries = truth_nc == predicted_nc, metrics.row_weights(counts_nc), counts_nc.sum(axis=1)
    losses_nc = np.where(counts_nc > 0, from_logits.sigmoid_losses(logits_nc, targets), 0.0)
    yield "subset_accuracy", of_rows * (is_right_nc | (counts_nc == 0)).all(axis=1), of_rows
    yield "hamming_loss", (counts_nc * ~is_right_nc).sum(axis=1), of_entries
    both_nc = truth_nc.astype(np.float64) + predicted_nc
    yield "micro_f1", (counts_nc * (2 * (truth_nc & predicted_nc))).sum(axis=1), (counts_nc * both_nc).sum(axis=1)
    yield "log_loss", (counts_nc * losses_nc).sum(axis=1), of_entries


def _intervals(parts: Iterator[tuple[str, Any, Any]], units: Rows, seed: int) -> dict[str, tuple[float, float]]:
    """By metric, the interval of its figure over resamples of the units (n,), rows or groups of rows."""
    n = int(units.max()) + 1
    sums = {name: (np.bincount(units, above), np.bincount(units, below)) for name, above, below in parts}
    draw = np.random.Philox(key=seed, counter=[0, 0, 0, RESAMPLE_STREAM])
    figures: dict[str, list[float]] = {name: [] for name in sums}
    for _ in range(max(FEWEST_RESAMPLES, min(MOST_RESAMPLES, DRAWS // n))):
        drawn = (draw.random_raw(n) % np.uint64(n)).astype(np.int64)
        for name, (above, below) in sums.items():
            if total := below[drawn].sum():
                figures[name].append(float(above[drawn].sum() / total))
    ends = ((100 - LEVEL) / 2, (100 + LEVEL) / 2)
    return {
        name: (float(np.percentile(values, ends[0])), float(np.percentile(values, ends[1])))
        for name, values in figures.items()
        if values and np.isfinite(values).all()
    }
