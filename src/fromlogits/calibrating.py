"""From logits to what people act on: the calibration, the decision rule and the prediction sets that rows give a model.

Validation rows do so at the end of a training, and `calibrate` does it anew on rows that the training never saw: first
the calibration, then the rule from calibrated probabilities, last the sets. Prediction sets keep what they promise only
if the rows they are made from had no say in anything before. So some rows are kept for them, drawn at random: of a
training file, or of the rows that calibrate a finished model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .data.label_sets import SparseLabels
from .data.splits import drawn_rows
from .data.targets import TargetEncoder, dense
from .decisions import calibration, thresholds
from .decisions.decision import Decision
from .decisions.objectives import Costs, Objective, resolve
from .decisions.rules import Rule
from .decisions.sets import FOR_CLASSES, Method, PredictionSets, check_enough, rows_needed
from .errors import InputError, brief, nearest
from .model import Model
from .weights import Balance, rows_that_count

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Rows = NDArray[np.int64]
Targets = NDArray[Any] | SparseLabels


@dataclass(frozen=True)
class Calibrated:
    """A model after its calibration, and which rows did what.

    Attributes:
        model: calibrated, with a decision rule where something is decided for, and sets where a coverage was asked for.
        chose: numbers of the rows that chose the calibration and the decisions.
        kept: of those that the sets were made from; they chose nothing. None without sets.
        log_loss: with the calibration of before and with the new one, of `kept`, or else of `chose`.
        mean_size: of the sets of `kept`, or None.
    """

    model: Model
    chose: Rows
    kept: Rows | None
    log_loss: tuple[float | None, float | None]
    mean_size: float | None


def calibrate(
    model: Model,
    logits_nc: Float32,
    targets: NDArray[Any],
    weights: Float64 | None = None,
    *,
    decide_for: Any = None,
    coverage: float | None = None,
    method: str | None = None,
    seed: int,
    groups: Rows | None = None,
    data_sha256: str | None = None,
) -> Calibrated:
    """The model with calibration, decisions and sets from these rows; those it had are gone.

    Args:
        logits_nc: as the network computed them, not calibrated.
        targets: encoded; −1 is a class that the model does not know.
        weights: of rows, or of labels; checked.
        decide_for: as `objectives.resolve` takes it. None: what the model decided for, if anything; the rule for it is
            chosen anew all the same.
        coverage: for prediction sets; half of the rows, drawn by the seed, are then kept for them, or more where the
            coverage needs more. None: no sets, and every row has a say in the calibration and the decisions.
        method: of the sets: "lac" (None) or "aps", for classes.
        groups: the number of each row's group; the rows of one are kept for sets together or not at all.
        data_sha256: of the rows' file, by which `evaluate` knows it.
    """
    decides_for = resolve(decide_for, model.target.task, model.target.classes)
    if decides_for is None and model.decision is not None:
        decides_for = model.decision.what_for
    counting = rows_that_count(targets, weights)
    chose, kept = counting, None
    if coverage is not None:
        way = method_for(model.target, method)
        n_kept = rows_to_keep(coverage, len(counting), 0.5)
        chose, kept = keep_rows(counting, {"rows": n_kept, "seed": seed}, groups)
        kept_targets = targets_of(kept, targets, weights, model.target)
        check_enough(coverage, n_telling(kept_targets), way)
    balance = _balance_of(model)
    judging = balance.judging(targets, weights)
    check_something_is_known(model.target, targets[chose])
    new = calibrated(model, logits_nc[chose], targets[chose], None if judging is None else judging[chose])
    if decides_for is not None:
        counts = None if weights is None else weights[chose]
        chosen_nc = new.calibration.apply(logits_nc[chose])
        new = decided(new, decides_for, chosen_nc, targets[chose], counts, balance.tilt)
    judged = chose if kept is None else kept
    task, known, counts = model.target.task, targets[judged], None if weights is None else weights[judged]
    calibrated_nc = new.calibration.apply(logits_nc[judged])
    before, after = (
        metrics.value("log_loss", task, z_nc, known, weights=counts)
        for z_nc in (model.calibration.apply(logits_nc[judged]), calibrated_nc)
    )
    sets, mean_size = None, None
    if coverage is not None:
        sets = PredictionSets.fit(way, coverage, calibrated_nc, kept_targets)
        mean_size = float(sets.of(calibrated_nc).sum(axis=1).mean())
    said = {
        "data_sha256": data_sha256, "rows": len(chose), "kept": 0 if kept is None else len(kept), "seed": seed,
    }  # fmt: skip
    new = dataclasses.replace(new, sets=sets, facts={**new.facts, "calibrated": said})
    return Calibrated(new, chose, kept, (before, after), mean_size)


def check_something_is_known(target: TargetEncoder, targets: NDArray[Any]) -> None:
    """Raise InputError where rows that should choose something have nothing to choose by."""
    n = len(targets)
    if target.task == "multi-label" and not n:
        raise InputError("the rows to calibrate on have no known label: every entry of their target is missing.")
    if targets.ndim == 1 and not (targets >= 0).any():
        raise InputError(
            f"none of the {n:,} rows that would choose the calibration has a class that the model knows: it knows"
            f" {brief(list(target.classes))}. Calibrate it on rows with these classes, spelled as they were in the"
            " training."
        )


def calibrated(model: Model, logits_nc: Float32, targets: NDArray[Any], weights: Float64 | None) -> Model:
    """The model with the calibration that these rows choose, and in its record what that gains.

    Args:
        logits_nc: not calibrated, of rows that the network was not trained on.
        targets, weights: as for `calibration.fit`.
    """
    fitted = calibration.fit(logits_nc, targets, model.head, weights)
    facts = {**model.facts, "calibration": fitted.to_json()}
    return dataclasses.replace(model, calibration=fitted.calibration, facts=facts)


def decided(
    model: Model,
    what_for: Objective | Costs,
    logits_nc: Float32,
    targets: NDArray[Any],
    weights: Float64 | None,
    tilt: Float64 | None,
) -> Model:
    """The model with the decision rule that these rows choose, and in its record what that gains.

    Args:
        logits_nc: calibrated, of rows that the network was not trained on.
        targets, weights: as for `metrics.evaluate`.
        tilt: as for `thresholds.Evidence`.
    """
    fitted = thresholds.fit(
        what_for, _natural(model), _evidence(model, logits_nc, targets, weights, tilt),
        model.target.task, model.target.classes,
    )  # fmt: skip
    facts = {**model.facts, "decision": fitted.to_json()}
    return dataclasses.replace(model, decision=Decision(what_for, fitted.rule), facts=facts)


def decision_figures(
    model: Model, logits_nc: Float32, targets: Targets, weights: Float64 | None
) -> dict[str, Any] | None:
    """What the model decides for, and what its decisions of these rows are worth by it; None of natural decisions.

    Args:
        logits_nc: calibrated.
        targets, weights: as for `metrics.evaluate`.
    """
    if model.decision is None:
        return None
    evidence = _evidence(model, logits_nc, dense(targets), weights)
    figures = thresholds.judge(
        model.decision.what_for, model.rule.decide(evidence.probabilities), _natural(model), evidence,
        model.target.task, model.target.classes,
    )  # fmt: skip
    return {"decide_for": model.decision.decide_for, "figures": figures}


def _natural(model: Model) -> Rule:
    return dataclasses.replace(model, decision=None).rule


def _evidence(
    model: Model, logits_nc: Float32, targets: NDArray[Any], weights: Float64 | None, tilt: Float64 | None = None
) -> thresholds.Evidence:
    truth = targets.argmax(axis=1) if model.target.task == "multi-class" and targets.ndim == 2 else targets
    return thresholds.Evidence(model.probabilities(logits_nc), truth, weights, tilt)


def _balance_of(model: Model) -> Balance:
    """What classes, and labels that are set, counted for in the training."""
    each = model.facts.get("weights", {})
    of_classes, of_positives = (
        None if each.get(name) is None else np.array(each[name], np.float64) for name in ("class_weight", "pos_weight")
    )
    return Balance(of_classes, of_positives)


# --- the rows of prediction sets ---


def refuse_without_coverage(**about: Any) -> None:
    """Raise InputError where anything is said of sets that are not made."""
    for name, value in about.items():
        if value is not None:
            option = {"method": " (--method)", "random_state": " (--seed)"}.get(name, "")
            raise InputError(f"{name}{option} is of prediction sets; say their coverage (--coverage) too.")


def method_for(target: TargetEncoder, method: str | None) -> Method:
    """How sets are made for this target; None is the usual way."""
    if target.task == "multi-label":
        if method is not None:
            raise InputError(
                f"method={method!r} (--method) is for one class per row; label sets are made in one way, by the share"
                " of a row's labels that they hold. Leave it out."
            )
        return "recall"
    for known in FOR_CLASSES:
        if method in (None, known):
            return known
    hint = nearest(method, FOR_CLASSES) if isinstance(method, str) else ""
    raise InputError(f"method (--method) must be 'lac' or 'aps'; got {method!r}.{hint}")


def rows_to_keep(coverage: float, n: int, share: float) -> int:
    """How many of n rows are kept for sets: this share, or as many as the coverage needs; some must be left."""
    needed = rows_needed(coverage)
    if needed >= n:
        raise InputError(
            f"a coverage of {coverage:g} needs at least {needed:,} rows kept for the sets and some beside them; there"
            f" {'is' if n == 1 else 'are'} {n:,}. Give more rows, or ask for less."
        )
    return max(min(round(n * share), n - 1), needed)


def keep_rows(counting: Rows, split: Mapping[str, int], groups: Rows | None = None) -> tuple[Rows, Rows]:
    """(the other rows, those kept for sets), both sorted, of the rows that take part.

    Args:
        counting: numbers of these rows.
        split: {"rows", "seed"}, as the training record describes it.
        groups: the number of each row's group, of all rows.
    """
    n_kept, seed = split["rows"], split["seed"]
    group_of = None if groups is None else np.unique(groups[counting], return_inverse=True)[1].reshape(-1)
    others, kept = drawn_rows(len(counting), n_kept, seed, group_of)
    if len(others) == 0:
        raise InputError(
            f"{n_kept:,} rows in whole groups can't be kept for prediction sets: no group is left. Give more groups."
        )
    return counting[others], counting[kept]


def is_kept_split(split: object, n: int) -> bool:
    """Whether a record, which may come from a stranger, describes how some of n rows were kept."""
    if not isinstance(split, Mapping) or set(split) != {"rows", "seed"}:
        return False
    n_kept, seed = split["rows"], split["seed"]
    return type(n_kept) is int and 0 < n_kept < n and type(seed) is int and 0 <= seed < 2**63


def targets_of(rows: Rows, targets: Targets, weights: Float64 | None, target: TargetEncoder) -> NDArray[Any]:
    """The targets of rows that are kept, NaN where a label weighs nothing; InputError where they can't make sets."""
    own = None if weights is None else weights[rows]
    known = hard_targets(targets[rows], own, target)
    if known is None:
        raise InputError(
            "prediction sets (coverage) are made from rows whose classes or labels are known; this target holds"
            " probabilities."
        )
    assert not isinstance(known, SparseLabels)  # of some rows it is dense
    if weights is not None and len(np.unique(weights[weights > 0])) > 1:
        raise InputError(
            "prediction sets (coverage) can't be made from rows that weigh differently: what they promise is for rows"
            " drawn like those they are made from, each of which counts once. Leave the weights, or their column, out;"
            " those that weigh 0 may stay."
        )
    return known


def hard_targets(targets: Targets, weights: Float64 | None, target: TargetEncoder) -> Targets | None:
    """Targets as sets take them, NaN where a label weighs nothing; None of probabilities."""
    if isinstance(targets, SparseLabels):
        if weights is None or weights.ndim == 1:
            return targets
        targets = targets[:]
    if targets.ndim == 2 and (target.task == "multi-class" or ((targets > 0) & (targets < 1)).any()):
        return None
    return np.where(weights == 0, np.nan, targets) if weights is not None and weights.ndim == 2 else targets


def n_telling(targets: NDArray[Any]) -> int:
    """How many rows say something about sets: those with a class, or a label that is set."""
    return len(targets) if targets.ndim == 1 else int((targets == 1).any(axis=1).sum())
