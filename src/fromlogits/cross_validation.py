"""How good a recipe is on rows that it was not trained on: each fold is judged by a network trained on other rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import budget, metrics, resolving
from .classifier import Classifier
from .data import splits
from .data.groups_and_times import as_groups, as_times, numbered
from .data.inputs import as_inputs
from .data.kinds import of_identifiers, row_numbers
from .data.label_sets import SparseLabels
from .data.table import Inputs, Table
from .data.targets import TargetEncoder, as_target
from .decisions import rules
from .decisions.objectives import Costs, resolve
from .decisions.thresholds import Evidence, judge
from .errors import InputError
from .fitting import Fit
from .heads import HEADS
from .weights import by_name, checked, rows_that_count, without_unknown

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
        figures: of the judged rows, those that every training keeps.
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
        figures: of all judged rows together, in full; their intervals draw the judged rows, or groups of them.
        seed: of the folds and of every training.
    """

    target: TargetEncoder
    folds: tuple[Fold, ...]
    fold_of: Rows
    logits: Float32
    decided: NDArray[Any]
    figures: dict[str, Any]
    seed: int

    @property
    def intervals(self) -> dict[str, list[float]]:
        """By metric [low, high] around the figure of all judged rows."""
        intervals: dict[str, list[float]] = self.figures["intervals"]
        return intervals

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


@dataclass(frozen=True, eq=False)
class Division:
    """Rows divided into folds, and how each is trained for; everything is checked, nothing learned yet.

    Attributes:
        settings: of the classifier, with one seed for all.
        inputs, targets, weights, groups, times: of all rows.
        about: the columns, as `fitting.prepare` takes it.
        fold_of: as in `CrossValidation`.
        warnings: what should not be overlooked. A column that counts the rows, as an identifier does, is left out:
            the rows of one training alone would not show it.
    """

    settings: dict[str, Any]
    inputs: Inputs
    target: TargetEncoder
    targets: NDArray[Any] | SparseLabels
    weights: Float64 | None
    groups: Rows | None
    times: NDArray[Any] | None
    about: dict[str, Any]
    fold_of: Rows
    n_folds: int
    warnings: tuple[str, ...]

    def judged(self, number: int) -> Rows:
        """The rows that fold `number`, from 0, judges."""
        return np.flatnonzero(self.fold_of == number)

    def trained_on(self, number: int) -> Rows:
        """The rows that its network is trained on, some of which choose the epoch."""
        if self.times is not None:
            return np.flatnonzero(self.takes_part & (self.fold_of < number))
        return np.flatnonzero(self.takes_part & (self.fold_of != number))

    @cached_property
    def takes_part(self) -> NDArray[np.bool_]:
        is_there = np.zeros(len(self.targets), bool)
        is_there[rows_that_count(self.targets, self.weights)] = True
        return is_there

    def prepared(self, number: int) -> tuple[Classifier, Fit]:
        """A new classifier, and the training of it that is ready to run; InputError, which names the fold."""
        rows = self.trained_on(number)
        targets = self.targets.take(rows, axis=0)
        if not isinstance(targets, SparseLabels) and targets.ndim == 1 and (targets == targets[0]).all():
            raise InputError(
                f"fold {number + 1} of {self.n_folds}: the target must have at least 2 classes; all {len(rows):,} rows"
                f" to train on are of class {self.target.classes[targets[0]]!r}."
            )
        clf = Classifier(**_by_number(self.settings, self.target, targets))
        more: dict[str, Any] = {"sample_weight": _of(self.weights, rows)}
        if resolving.holds_out(self.settings, int(self.takes_part.sum()), self.target.task):
            more |= {"groups": None if self.groups is None else self.groups[rows],
                     "times": None if self.times is None else self.times[rows]}  # fmt: skip
        y = targets.as_sets() if isinstance(targets, SparseLabels) else targets
        try:
            return clf, clf._prepare(self.inputs.take(rows), y, **self.about, **more)
        except InputError as error:
            raise InputError(f"fold {number + 1} of {self.n_folds}: {error}") from None


def divided(
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
) -> Division:
    """The rows in folds: stratified, or of whole groups. With times, a fold is judged after a training on all earlier
    rows; the first rows are then trained on only.

    Args:
        classifier: its settings count; it is not fitted.
        X, y, sample_weight, groups, times: as `Classifier.fit` takes them. Weights count in the trainings and in all
            figures; rows that take no part are in no fold.
        n_folds: at least 2.
        picture_shape: a row is a picture of this shape.
        numeric, categorical: columns of a table that are numbers, or categories, whatever they look like.

    Raises InputError for data or a setting that is not what it must be.
    """
    if groups is not None and times is not None:
        raise InputError("groups (--group) and times (--time-column) both say which rows make a fold; give one.")
    if type(n_folds) is not int or n_folds < 2:
        raise InputError(f"n_folds (--folds) must be a whole number from 2; got {n_folds!r}.")
    settings = classifier.get_params()
    inputs = as_inputs(X)
    y = as_target(y, ravel=settings["task"] != "multi-label")
    target = TargetEncoder.fit(y, settings["task"])
    targets = target.encode_rows(y)
    n = len(targets)
    if len(inputs) != n:
        raise InputError(f"X and y must have the same number of rows; X has {len(inputs)}, y has {n}.")
    group_of = None if groups is None else as_groups(groups, n)
    time_of = None if times is None else as_times(times, n)
    seed = resolving.seed_of(settings["random_state"])
    settings |= {"random_state": seed, "task": target.task}
    weights = checked("sample_weight", sample_weight, n, target)
    counting = rows_that_count(targets, weights)
    fold_of = np.full(n, -1, np.int64)
    if time_of is not None:
        fold_of[counting] = splits.time_folds(time_of[counting], n_folds)
    else:
        examples = target.strata(without_unknown(targets, weights)).take(counting, axis=0)
        own_groups = None if group_of is None else numbered(group_of[counting])
        fold_of[counting] = splits.folds(examples, target.n_classes, n_folds, seed, own_groups)
    warnings: tuple[str, ...] = ()
    if isinstance(inputs, Table) and (names := row_numbers(inputs, categorical=categorical, numeric=numeric)):
        warnings = (of_identifiers(inputs, names),)
        if len(names) == inputs.n_features:
            raise InputError(f"there is no column to learn from; {warnings[0]}.")
        inputs = inputs.select([column.name for column in inputs.columns if column.name not in names])
    about = {"picture_shape": picture_shape, "roles": {"numeric": numeric}, "categorical": categorical}
    return Division(settings, inputs, target, targets, weights, group_of, time_of, about, fold_of, n_folds, warnings)


def cross_validate(classifier: Classifier, X: Any, y: Any, **about: Any) -> CrossValidation:
    """Train a classifier with these settings for each fold, on the other rows, and judge it by the fold.

    Each training is that of `Classifier.fit` on its rows with the classifier's settings and one seed; the rows that
    choose its epoch come out of its own rows.

    Args:
        classifier, X, y, about: as `divided` takes them.

    Raises:
        InputError: data or a setting is not what it must be.
        DivergedError: a training's loss stopped being finite.
    """
    return trained(divided(classifier, X, y, **about))


def trained(
    division: Division,
    *,
    fold_begins: Callable[[Fit, str], None] = lambda fit, left_out: None,
    fold_done: Callable[[Fold], None] = lambda fold: None,
) -> CrossValidation:
    """What `cross_validate` does once the rows are divided; `fold_begins` and `fold_done` are told of each fold, the
    first of what a time limit leaves out."""
    target, targets, weights, fold_of = division.target, division.targets, division.weights, division.fold_of
    found, known = [], targets if isinstance(targets, SparseLabels) else targets.copy()
    logits_nc, thresholds = np.zeros((0, 0), np.float32), None
    is_multi_label = target.task == "multi-label"
    decided = np.zeros(
        (len(targets), target.n_classes) if is_multi_label else len(targets), np.int8 if is_multi_label else np.int64
    )
    for number in range(division.n_folds):
        judged = division.judged(number)
        begun = time.perf_counter()
        clf, fit = division.prepared(number)
        fit, limit = budget.within(fit, clf.time_limit, begun)
        fold_begins(fit, limit.words)
        clf._run(fit, stop_at=limit.stop_at)
        stop = 0
        for part_nc in clf._logits_in_parts(division.inputs.take(judged), clf.calibration_):
            start, stop = stop, stop + len(part_nc)
            some, own_nc = judged[start:stop], _of_all_classes(clf, part_nc, target)
            if not len(logits_nc):
                logits_nc = np.zeros((len(targets), own_nc.shape[1]), np.float32)
            logits_nc[some] = own_nc
            decided[some] = clf._decide(part_nc)  # of classes their numbers, which are the targets here
        if not isinstance(known, SparseLabels) and known.ndim == 1:
            known[judged] = np.where(np.isin(known[judged], clf.classes_), known[judged], -1)
        record = clf.record_
        found.append(Fold(
            number + 1, judged, record["n_train"], record["n_validation"], clf.n_iter_, clf.best_epoch_,
            metrics.evaluate(
                target.task, target.classes, logits_nc[judged], known.take(judged, axis=0), _thresholds(clf),
                _of(weights, judged), decided[judged], also=(clf.plan_.metric,),
            ),
        ))  # fmt: skip
        if division.settings["decide_for"] is None:  # else each fold has its own
            thresholds = _thresholds(clf)
        del fit, clf
        fold_done(found[-1])
    judged = np.flatnonzero(fold_of >= 0)
    whole = slice(None) if len(judged) == len(fold_of) else judged  # a slice is no copy
    known = known if isinstance(whole, slice) else known.take(whole, axis=0)
    seed: int = division.settings["random_state"]
    figures = metrics.in_full(
        target.task, target.classes, logits_nc[whole], known, thresholds, _of(weights, whole), decided[whole],
        groups=None if division.groups is None else division.groups[whole], seed=seed,
    )  # fmt: skip
    result = CrossValidation(target, tuple(found), fold_of, logits_nc, decided, figures, seed)
    what_for = resolve(division.settings["decide_for"], target.task, target.classes)
    if what_for is not None:
        # A class that a fold's training did not see has its cost all the same, so these are not the known targets.
        truth = targets[whole]
        evidence = Evidence(
            result.probabilities[whole], truth.argmax(axis=1) if not is_multi_label and truth.ndim == 2 else truth,
            _of(weights, whole),
        )  # fmt: skip
        natural = rules.natural(target.task, target.n_classes, logits_nc.shape[1])
        figures["decision"] = {
            "decide_for": what_for.to_json() if isinstance(what_for, Costs) else what_for.name,
            "figures": judge(what_for, decided[whole], natural, evidence, target.task, target.classes),
        }
    return result


def _of(weights: Float64 | None, rows: Rows | slice) -> Float64 | None:
    return None if weights is None else weights[rows]


def _by_number(settings: dict[str, Any], target: TargetEncoder, targets: NDArray[Any] | SparseLabels) -> dict[str, Any]:
    """The settings for a training whose classes are numbers: those of weights by name then name these."""
    named: dict[str, Any] = {}
    codes = None if isinstance(targets, SparseLabels) or targets.ndim != 1 else targets
    if isinstance(settings["class_weight"], Mapping) and codes is not None:
        by_class = by_name("class_weight", settings["class_weight"], target)
        named["class_weight"] = {number: float(by_class[number]) for number in np.unique(codes).tolist()}
    if isinstance(settings["pos_weight"], Mapping) and target.task == "multi-label":
        named["pos_weight"] = by_name("pos_weight", settings["pos_weight"], target).tolist()
    costs = resolve(settings["decide_for"], target.task, target.classes)
    if isinstance(costs, Costs):
        named["decide_for"] = costs.to_json() if codes is None else costs.among(np.unique(codes).tolist())
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
