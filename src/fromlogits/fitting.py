"""From settings and data to a trained model: everything checked first, then one run of the loop."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import calibrating, members, metrics, training
from .cores import n_threads
from .data.backbones.backbone import Backbone
from .data.backbones.finding import refuse_unavailable
from .data.backbones.reference import is_pretrained
from .data.encoders import FeatureEncoder, seen_rows
from .data.features import EncodedRows
from .data.groups_and_times import as_groups, as_times, numbered
from .data.inputs import as_inputs
from .data.label_sets import SparseLabels
from .data.memory import refuse_too_many_parameters
from .data.splits import EachClassOnce, held_out
from .data.table import Matrix
from .data.targets import NEVER_HELD_OUT, TargetEncoder, as_target
from .decisions import calibration
from .decisions.decision import Decision
from .decisions.objectives import Costs, Objective, resolve
from .decisions.sets import NOT_OF_GROUPS, Method, PredictionSets, check_enough, checked_coverage
from .engines import DEVICES, ENGINES, missing
from .engines.base import Engine, Parameters, Weights
from .engines.initialisation import parameters_from_data, parameters_with_edges
from .errors import EngineUnavailableError, InputError, brief, counted, nearest
from .folds import Folds
from .heads import HEADS
from .members import Member, Observer
from .model import Model
from .resolving import Resolved, Settings, form_of, members_of, network_of, resolved, seed_of, told_of
from .spec import (
    Dense,
    HeadName,
    Members,
    Network,
    PiecewiseLinear,
    Plan,
    describe_layer,
    one_of,
)
from .weights import Balance, checked, known_rows, of_statistics, rows_that_count, without_unknown


@dataclass(frozen=True)
class FitSummary:
    """What was found and what will be done, before the training starts."""

    network: Network
    members: Members
    head: str
    task: str
    classes: tuple[Any, ...]
    n_train: int
    n_valid: int
    n_kept: int
    """Rows that are kept for prediction sets."""
    picture_shape: tuple[int, ...] | None
    plan: Plan
    preset: str
    seed: int
    n_threads: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def n_networks(self) -> int:
        return self.members.count(len(self.classes))

    def rows_in_words(self) -> str:
        """Which rows are trained on, in a few words."""
        folds = self.plan.folds
        if folds == 1:
            return f"{self.n_train} rows to train on, {self.n_valid} held out"
        return f"{self.n_train} rows in {folds} folds; each network is trained on {folds - 1} of them"

    def without_a_judge(self, n_judged: int) -> str:
        """What is said where a stop left folds without the network that would judge them; "" otherwise."""
        if self.plan.folds == 1 or n_judged == self.n_valid:
            return ""
        return (
            f"only {n_judged:,} of the {self.n_valid:,} rows have a network that was not trained on them; these alone"
            " calibrate, and give the validation figures"
        )


@dataclass(frozen=True)
class KeptRows:
    """Rows of the training data that nothing is learned from or chosen by, but prediction sets.

    Attributes:
        rows: their numbers.
        targets: as `PredictionSets.fit` takes them.
    """

    rows: NDArray[np.int64]
    targets: NDArray[Any]
    method: Method
    coverage: float


@dataclass(frozen=True)
class Fit:
    """A training that is ready to run: data encoded, networks drawn up, nothing learned yet."""

    engine: Engine
    """Of the first network, initialised."""
    engine_of: Callable[[int], Engine]
    """Of a network's number: a new one, its parameters where the training begins."""
    untrained: tuple[members.Untrained, ...]
    features: EncodedRows
    rows: NDArray[np.int64]
    """That are trained on, by some network at least."""
    folds: Folds | None
    """Whose rows each network leaves out; None: all are trained on the same rows."""
    valid_features: EncodedRows | None
    valid_rows: NDArray[np.int64] | None
    """Which of `valid_features` judge; None: all do. With folds they are the rows that are trained on."""
    valid_targets: NDArray[Any] | None
    valid_weights: NDArray[np.float64] | None
    """What the validation rows count for in figures; None: 1."""
    judging: NDArray[np.float64] | None
    """And where an epoch or a calibration is chosen."""
    weighed: dict[str, Any] | None
    """What the record says of weights, where there are any."""
    decides_for: Objective | Costs | None
    tilt: NDArray[np.float64] | None
    """As `Balance.tilt`."""
    kept: KeptRows | None
    encoder: FeatureEncoder
    target: TargetEncoder
    head: HeadName
    split: dict[str, Any]
    data_sha256: str | None
    summary: FitSummary
    _paces: dict[int, training.Pace] = dataclasses.field(default_factory=dict, repr=False)
    """By the number of threads, as they were found."""

    def estimate(self, n_networks: int | None = None) -> float:
        """Seconds for all epochs of so many networks, or of all, from a few trial steps."""
        n_networks = len(self.untrained) if n_networks is None else n_networks
        lanes = members.lanes(n_networks, self.summary.n_threads, self.engine.side_by_side)
        n_threads = max(1, self.summary.n_threads // lanes)
        pace = self._pace(n_threads)
        if not self.engine.side_by_side:  # whose threads wait for one another: see `waiting`
            pace = pace.at_most(self._pace(1))
        one = self.untrained[0]
        return -(-n_networks // lanes) * pace.seconds(self.summary.plan, len(one.rows), one.n_validation)

    def waiting(self) -> str:
        """Of an engine whose threads wait for one another many times a step: that they now wait for most of it, as
        they do while another program has their cores, in words; "" otherwise. What it says of the steps to come is
        little, so that `estimate` has no more than one thread alone takes."""
        n_threads = self.summary.n_threads
        if self.engine.side_by_side or n_threads == 1:
            return ""
        together, alone = self._pace(n_threads).step_s, self._pace(1).step_s
        if together < 2 * alone:
            return ""
        return (
            f"a step takes {together:.2g} s on {n_threads} threads and {alone:.2g} s on one: they wait for one another"
            " while another program keeps the cores busy. If it stays, n_jobs=1 (--threads 1) is faster"
        )

    def judging_seconds(self, n_networks: int) -> float:
        """Of an epoch's end, and of what the first so many networks make of validation and kept rows in the end."""
        judged = sum(one.n_validation for one in self.untrained[:n_networks]) + n_networks * self.summary.n_kept
        return self._pace(self.summary.n_threads).row_s * judged + self._pace(1).row_s * self.untrained[0].n_validation

    def _pace(self, n_threads: int) -> training.Pace:
        if n_threads not in self._paces:
            one, summary, its_own = self.untrained[0], self.summary, self.engine.n_threads
            self.engine.n_threads = n_threads
            self._paces[n_threads] = training.pace(
                self.engine, self.features, one.targets, one.rows, summary.plan, summary.seed, one.weights,
                one.validation,
            )  # fmt: skip
            self.engine.n_threads = its_own
        return self._paces[n_threads]

    def reduced(self, n_rounds: int, max_epochs: int) -> Fit:
        """The same with fewer rounds of networks, or fewer epochs."""
        summary, a_round = self.summary, self.summary.members.a_round(self.target.n_classes)
        kept = dataclasses.replace(summary.members, ensemble=n_rounds)
        untrained = tuple(
            dataclasses.replace(one, name=_name(one.label, number // a_round, kept))
            for number, one in enumerate(self.untrained[: n_rounds * a_round])
        )
        summary = dataclasses.replace(
            summary, members=kept, plan=summary.plan.replace({"max_epochs": max_epochs}),
            head=_heads(self.head, summary.network, len(untrained)),
        )  # fmt: skip
        return dataclasses.replace(self, untrained=untrained, summary=summary)

    def run(
        self,
        *,
        observer: Observer | None = None,
        stop: Callable[[], str | None] = lambda: None,
        stop_at: float = math.inf,
        callback_of: Callable[[int], training.Callback] | None = None,
    ) -> tuple[Model, members.Logits]:
        """Train, calibrate and judge; `observer` and what follows as for `members.train`. Once only.

        Returns:
            The model, and its networks as they were trained, ready to predict.
        """
        plan = self.summary.plan
        a_round = self.summary.members.a_round(self.target.n_classes)
        trained, engines = members.train(
            self.untrained,
            lambda number: self.engine_of(number) if number else self.engine,
            self.features, plan, self.summary.n_threads, a_round=a_round, side_by_side=self.engine.side_by_side,
            observer=observer, stop=stop, stop_at=stop_at, callback_of=callback_of,
        )  # fmt: skip
        model = self.model_of(trained)
        networks = members.Logits(engines, self.head, model.members)
        if isinstance(self.decides_for, Costs):
            model = dataclasses.replace(model, decision=Decision.of_costs(self.decides_for))
        networks.use_threads(self.summary.n_threads)
        if self.valid_features is not None and self.valid_targets is not None:
            model = self._judged(model, networks, self.valid_features, self.valid_targets)
        if self.kept is not None:
            logits_nc = model.calibration.apply(networks.of(self.features, self.kept.rows))
            sets = PredictionSets.fit(self.kept.method, self.kept.coverage, logits_nc, self.kept.targets)
            model = dataclasses.replace(model, sets=sets)
        return model, networks

    def _judged(
        self, model: Model, networks: members.Logits, valid_features: EncodedRows, valid_targets: NDArray[Any]
    ) -> Model:
        """Calibrated and with a decision rule, as far as it is to be, and with the figures of the validation rows."""
        plan, weights, judging = self.summary.plan, self.valid_weights, self.judging
        if self.folds is None:
            logits_nc = networks.of(valid_features, self.valid_rows)
        else:
            places, logits_nc = self.folds.out_of_fold(networks, valid_features, self.head)
            if len(places) < len(valid_targets):  # a stop came before each fold had its network
                valid_targets = valid_targets[places]
                weights, judging = (None if each is None else each[places] for each in (weights, judging))
                model = dataclasses.replace(model, facts={**model.facts, "n_validation": len(places)})
        if plan.calibrate:
            model = calibrating.calibrated(model, logits_nc, valid_targets, judging)
            logits_nc = model.calibration.apply(logits_nc)
        if self.decides_for is not None:
            model = calibrating.decided(model, self.decides_for, logits_nc, valid_targets, weights, self.tilt)
        figures = model.figures(logits_nc, valid_targets, weights, also=(plan.metric,))
        return dataclasses.replace(model, facts={**model.facts, "validation": figures})

    def model_of(self, trained: Sequence[Member]) -> Model:
        """The model of these members, round by round, as it is before it is calibrated and judged."""
        a_round = self.summary.members.a_round(self.target.n_classes)
        kept = Members(len(trained) // a_round, self.summary.members.separate_networks)
        return Model(
            self.summary.network, self.head, self.summary.plan, self.encoder, self.target, kept, tuple(trained),
            calibration.NOTHING,
            facts={
                "preset": self.summary.preset,
                "seed": self.summary.seed,
                "n_train": self.summary.n_train,
                "n_validation": self.summary.n_valid,
                "split": self.split,
                "data_sha256": self.data_sha256,
                "validation": None,
                **({} if self.weighed is None else {"weights": self.weighed}),
            },
        )  # fmt: skip


def prepare(
    settings: Settings,
    X: Any,
    y: Any,
    X_val: Any = None,
    y_val: Any = None,
    *,
    sample_weight: Any = None,
    sample_weight_val: Any = None,
    groups: Any = None,
    times: Any = None,
    coverage: float | None = None,
    picture_shape: tuple[int, ...] | None = None,
    data_digest: str | None = None,
    valid_digest: str | None = None,
    roles: Mapping[str, tuple[str, ...]] | None = None,
    categorical: tuple[str, ...] = (),
    use_up: bool = False,
    present: Model | None = None,
) -> Fit:
    """Check everything, encode the rows and draw up the network.

    Args:
        settings: of the classifier.
        X, y, X_val, y_val, sample_weight, sample_weight_val, groups, times: as `Classifier.fit` takes them.
        coverage: of prediction sets, for which some of the rows are then kept. None: no sets.
        picture_shape: a row is a picture of this shape.
        data_digest, valid_digest: SHA-256 of the files of (X, y) and (X_val, y_val), by which `evaluate` knows them.
        roles: what the schema remembers of the columns: the names of `schema.NAME_LISTS`.
        categorical: columns that are categories, whatever they look like.
        use_up: X is not needed any more: its memory goes back while it is encoded, and its values are lost.
        present: where the training goes on from: its parameters, encoders and, unless one is stated, its seed.
    """
    inputs = as_inputs(X)
    if present is not None:
        settings = going_on(settings, present)
    seen_by = inputs.seen_by if isinstance(inputs, Matrix) and present is None else None
    backbone = seen_by or backbone_of(settings, present)
    if backbone is not None:
        inputs = seen_rows(inputs, backbone, picture_shape)
    y = as_target(y, ravel=settings["task"] != "multi-label")
    target = TargetEncoder.fit(y, settings["task"]) if present is None else present.target
    targets = target.encode_rows(y)
    n = len(targets)
    if len(inputs) != n:
        raise InputError(f"X and y must have the same number of rows; X has {len(inputs)}, y has {n}.")
    if (X_val is None) != (y_val is None):
        raise InputError("X_val and y_val come together; one of them is missing.")
    if X_val is None and sample_weight_val is not None:
        raise InputError("sample_weight_val is of the rows X_val, which are missing.")
    weights = checked("sample_weight", sample_weight, n, target)
    counting = rows_that_count(targets, weights)
    n_counting = len(counting)
    if n_counting == 0:
        raise InputError("no row takes part: in each of them every label is unknown or weighs 0.")
    group_of = None if groups is None else as_groups(groups, n)
    told = dataclasses.replace(
        told_of(inputs, n_counting, picture_shape),
        holds_out=X_val is None and times is None,
        n_groups=None if group_of is None else len(np.unique(group_of[counting])),
    )
    what = resolved(settings, target.task, told)
    check_installed(settings)
    if present is not None:
        what = going_on_with(what, settings, present)
    plan, hidden = what.plan, what.hidden
    seed, threads = seed_of(settings["random_state"]), n_threads(settings["n_jobs"])
    decides_for = resolve(settings["decide_for"], target.task, target.classes)

    split = _split(plan, seed, X_val is not None, valid_digest, groups is not None, times is not None)
    if split["kind"] == "none" and isinstance(decides_for, Objective):
        raise InputError(
            f"decide_for={decides_for.name!r} (--decide-for) is chosen on validation rows; with early_stopping=false"
            " and calibrate=false none are held out. Leave one of them on, or give X_val and y_val (--valid)."
        )
    time_of = None if times is None else as_times(times, n)
    kept: KeptRows | None = None
    if coverage is not None:
        split["sets"] = _rows_for_sets(checked_coverage(coverage), plan, seed, n_counting, times is not None)
        method = calibrating.method_for(target, None)
        kept_rows = _taking_part(split, targets, weights, group_of)[1]
        assert kept_rows is not None
        kept_targets = calibrating.targets_of(kept_rows, targets, weights, target)
        check_enough(coverage, calibrating.n_telling(kept_targets), method)
        kept = KeptRows(kept_rows, kept_targets, method, float(coverage))
    rows, held = split_off(split, targets, weights, target, group_of, time_of)
    stated = members_of(settings, target, plan.folds, what.ensemble)
    folds = folds_of(split, stated.ensemble, targets, weights, target, group_of)

    # With folds the columns are learned from all rows that take part, so that all networks read one encoding, and so
    # that one model file does; of the targets it takes nothing but what it warns of.
    if present is None:
        encoder = FeatureEncoder.fit(
            inputs, rows, picture_shape=picture_shape, targets=targets,
            weights=of_statistics(targets, weights, rows), categorical=categorical, form=form_of(plan, hidden),
            backbone=backbone, **dict(roles or {}),
        )  # fmt: skip
    else:
        encoder = present.encoder
    features = encoder.encode(inputs, use_up=use_up)
    valid_features: EncodedRows | None = None
    valid_rows, valid_targets, valid_weights = None, None, None
    if X_val is not None:
        valid_features, valid_targets = encoder.encode(as_inputs(X_val)), target.encode(y_val)
        if len(valid_features) != len(valid_targets):
            raise InputError(
                "X_val and y_val must have the same number of rows;"
                f" they have {len(valid_features)} and {len(valid_targets)}."
            )
        valid_weights = checked("sample_weight_val", sample_weight_val, len(valid_targets), target)
    elif held is not None:
        valid_features, valid_rows, valid_targets = features, held, targets[held]
        valid_weights = None if weights is None else weights[held]

    what = what.for_features(encoder, features, rows)
    network, head = network_of(settings, what, encoder, target, stated)
    stated.check_size(network, target.n_classes)
    refuse_too_many_parameters(network.n_parameters)
    made_by = EngineChoice.of(settings["engine"], device_of(settings, backbone), network)
    refuse_plan(plan, network, made_by)
    if present is not None:
        refuse_another(network, stated, plan, present)
    balance = Balance.fit(settings["class_weight"], settings["pos_weight"], target, targets, weights, rows)
    judging = None if valid_targets is None else balance.judging(valid_targets, valid_weights)
    untrained, notes = _untrained(
        stated, target, head, plan, seed, targets, partial(balance.for_engine, targets, weights), rows, folds,
        None if valid_features is None else _Judges(valid_features, valid_rows, valid_targets, judging),
    )  # fmt: skip

    def engine_of(number: int) -> Engine:
        engine = new_engine(made_by, network, head, threads)
        if present is not None:
            engine.set_parameters(present.trained[number].parameters)
        elif starts_from_data(network, plan):
            one = untrained[number]  # with folds its own rows: those that it leaves out have no say
            engine.set_parameters(first_parameters(made_by, network, plan, threads, one.seed, features, one.rows))
        else:
            engine.initialise(untrained[number].seed)
        return engine

    n_valid = 0 if valid_targets is None else len(valid_targets)
    summary = FitSummary(
        network,
        stated,
        _heads(head, network, len(untrained)),
        target.task,
        target.classes,
        len(rows),
        n_valid,
        0 if kept is None else len(kept.rows),
        encoder.schema.picture_shape,
        plan,
        settings["preset"],
        seed,
        threads,
        (
            *encoder.notes,
            *(
                target.notes
                if kept is None and folds is None
                else [note.removesuffix(NEVER_HELD_OUT) for note in target.notes]
            ),
            *_of_weights(weights, n - n_counting, target, rows, targets),
            *_about_split(target, targets, rows, held, group_of, time_of),
            *_about_kept(target, targets, rows, kept, group_of),
            *balance.notes,
            *notes,
        ),
        (*encoder.warnings, *target.warnings),
    )
    return Fit(
        engine_of(0),
        engine_of,
        untrained,
        features,
        rows,
        folds,
        valid_features,
        valid_rows,
        valid_targets,
        valid_weights,
        judging,
        None if weights is None and balance.is_even else {"rows": weights is not None, **balance.to_json()},
        decides_for,
        balance.tilt,
        kept,
        encoder,
        target,
        head,
        split,
        data_digest,
        summary,
    )


def _split(
    plan: Plan, seed: int, is_given: bool, valid_digest: str | None, has_groups: bool, has_times: bool
) -> dict[str, Any]:
    """How validation rows are found, as the training record says it."""
    if has_groups and has_times:
        raise InputError("groups (--group) and times (--time-column) both say which rows are held out; give one.")
    holds_out = plan.early_stopping or plan.calibrate
    if plan.folds > 1:
        return _split_in_folds(plan, seed, is_given, has_times)
    if (has_groups or has_times) and (is_given or not holds_out):
        what = "groups (--group) say" if has_groups else "times (--time-column) say"
        why = "with X_val (--valid)" if is_given else "with early_stopping=false and calibrate=false"
        raise InputError(f"{what} which rows are held out; {why} none are. Leave one of them out.")
    if is_given:
        return {"kind": "given", "data_sha256": valid_digest}
    if not holds_out:
        return {"kind": "none"}
    if has_times:
        return {"kind": "time", "fraction": float(plan.validation_fraction)}
    return {
        "kind": "group" if has_groups else "fraction",
        "fraction": float(plan.validation_fraction),
        "seed": seed,
    }


def _split_in_folds(plan: Plan, seed: int, is_given: bool, has_times: bool) -> dict[str, Any]:
    folds = f"folds={plan.folds} (--set folds={plan.folds})"
    if is_given or has_times:
        what = "X_val (--valid) is other rows that do" if is_given else "times (--time-column) let the last rows do"
        raise InputError(f"with {folds} every row judges the networks that are not trained on it; {what}. Give one.")
    if not (plan.early_stopping or plan.calibrate):
        raise InputError(
            f"with {folds} each network leaves rows out, to choose its epoch and to calibrate; with"
            " early_stopping=false and calibrate=false there is nothing to do for them. Leave one of them on, or folds"
            " out."
        )
    return {"kind": "folds", "folds": plan.folds, "seed": seed}


def split_off(
    split: Mapping[str, Any],
    targets: NDArray[Any] | SparseLabels,
    weights: NDArray[np.float64] | None,
    target: TargetEncoder,
    groups: NDArray[np.int64] | None = None,
    times: NDArray[Any] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """(training rows, held-out rows or None), both sorted, of the rows that take part: as if the others were not there.

    Rows that are kept for prediction sets take no part. With folds every row that does is both.

    Args:
        split: as the training record describes it; see `splits.held_out`.
        targets, weights: of all rows.
        target: of which they are.
        groups, times: the number of each row's group, and a number for each row's time.
    """
    counting, examples, groups = _examples(split, targets, weights, target, groups)
    if split.get("kind") == "folds":
        return counting, counting
    times = None if times is None else times[counting]
    try:
        held = held_out(split, examples, target.n_classes, groups, times)
    except EachClassOnce as error:
        raise InputError(f"{error} {target.looks_like()}") from None
    if held is None:
        return counting, None
    return np.delete(counting, held), counting[held]


def folds_of(
    split: Mapping[str, Any],
    n_rounds: int,
    targets: NDArray[Any] | SparseLabels,
    weights: NDArray[np.float64] | None,
    target: TargetEncoder,
    groups: NDArray[np.int64] | None = None,
) -> Folds | None:
    """The folds of so many rounds, likewise; None where the split has none."""
    if split.get("kind") != "folds":
        return None
    counting, examples, groups = _examples(split, targets, weights, target, groups)
    if not isinstance(examples, SparseLabels) and examples.ndim == 1 and np.bincount(examples).max() == 1:
        raise InputError(
            f"rows can't be shared out among folds: each of the {len(examples)} classes has a single row. Give more"
            f" rows. {target.looks_like()}"
        )
    return Folds.of(split, n_rounds, counting, examples, target.n_classes, groups)


def _examples(
    split: Mapping[str, Any],
    targets: NDArray[Any] | SparseLabels,
    weights: NDArray[np.float64] | None,
    target: TargetEncoder,
    groups: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], NDArray[Any] | SparseLabels, NDArray[np.int64] | None]:
    """The rows that take part, and of these what they are examples of and their groups."""
    counting = _taking_part(split, targets, weights, groups)[0]
    examples = target.strata(without_unknown(targets, weights))
    if len(counting) < len(targets):
        examples = examples.take(counting, axis=0)
        groups = None if groups is None else numbered(groups[counting])
    return counting, examples, groups


def _taking_part(
    split: Mapping[str, Any],
    targets: NDArray[Any] | SparseLabels,
    weights: NDArray[np.float64] | None,
    groups: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """(rows to train on or to hold out, rows kept for prediction sets or None), both sorted."""
    counting = rows_that_count(targets, weights)
    if calibrating.is_kept_split(split.get("sets"), len(counting)):
        return calibrating.keep_rows(counting, split["sets"], groups)
    return counting, None


def _rows_for_sets(coverage: float, plan: Plan, seed: int, n: int, has_times: bool) -> dict[str, Any]:
    """How many rows are kept for prediction sets, as the training record says it."""
    if has_times:
        raise InputError(
            "prediction sets (--coverage) promise something for rows that are drawn like those they are made from,"
            " which rows held out by time (--time-column) are not. Leave one of them out, or calibrate the model on"
            " later rows (fromlogits calibrate)."
        )
    n_kept = calibrating.rows_to_keep(coverage, n, plan.validation_fraction)
    if n_kept > n / 2:
        raise InputError(
            f"a coverage of {coverage:g} needs at least {n_kept:,} rows kept for the sets, more than half of the {n:,}"
            " there are. Give more rows, or ask for less."
        )
    return {"rows": n_kept, "seed": seed}


def _about_kept(
    target: TargetEncoder,
    targets: NDArray[Any] | SparseLabels,
    rows: NDArray[np.int64],
    kept: KeptRows | None,
    group_of: NDArray[np.int64] | None,
) -> list[str]:
    """What has to be said of rows that are kept for prediction sets."""
    if kept is None:
        return []
    notes = [f"kept for prediction sets, and used for nothing else: {counted(len(kept.rows), 'row')} drawn by the seed"]
    if group_of is not None:
        notes[0] += f", of {len(np.unique(group_of[kept.rows])):,} whole groups; {NOT_OF_GROUPS}"
    if not isinstance(targets, SparseLabels) and targets.ndim == 1:
        left, own = (np.bincount(targets[some], minlength=target.n_classes) for some in (rows, kept.rows))
        gone = [repr(target.classes[k]) for k in np.flatnonzero((left == 0) & (own > 0)).tolist()]
        if gone:
            notes.append(f"in those rows only, so not learned: {', '.join(gone[:5])}{', …' if len(gone) > 5 else ''}")
    return notes


def _about_split(
    target: TargetEncoder,
    targets: NDArray[Any] | SparseLabels,
    rows: NDArray[np.int64],
    held: NDArray[np.int64] | None,
    group_of: NDArray[np.int64] | None,
    time_of: NDArray[Any] | None,
) -> tuple[str, ...]:
    """What has to be said of rows that were held out by group or time."""
    if held is None or (group_of is None and time_of is None):
        return ()
    if group_of is not None and held is rows:
        return (f"the folds are of {len(np.unique(group_of[rows])):,} whole groups",)
    if group_of is not None:
        n_held = len(np.unique(group_of[held]))
        n_groups = n_held + len(np.unique(group_of[rows]))
        return (f"held out are the {counted(len(held), 'row')} of {n_held:,} of the {n_groups:,} groups",)
    notes = [f"held out are the last {counted(len(held), 'row')} in time"]
    if not isinstance(targets, SparseLabels) and targets.ndim == 1:
        early, late = (np.bincount(targets[some], minlength=target.n_classes) for some in (rows, held))
        is_late = (early == 0) & (late > 0)
        if is_late.any():
            shown = ", ".join(repr(target.classes[k]) for k in np.flatnonzero(is_late)[:5].tolist())
            more = f" and {int(is_late.sum()) - 5} more" if is_late.sum() > 5 else ""
            notes.append(f"in the held-out rows only, so not learned: {shown}{more}")
    return tuple(notes)


def _of_weights(
    weights: NDArray[np.float64] | None,
    n_out: int,
    target: TargetEncoder,
    rows: NDArray[np.int64],
    targets: NDArray[Any] | SparseLabels,
) -> list[str]:
    """What has to be said about rows that take no part."""
    notes = []
    unknown = int((~known_rows(targets)).sum()) if n_out else 0
    for count, one, several in (
        (unknown, "1 row has no known label", "rows have no known label"),
        (n_out - unknown, "1 row weighs 0", "rows weigh 0"),
    ):
        if count:
            notes.append(f"{one} and takes no part" if count == 1 else f"{count:,} {several} and take no part")
    if weights is not None and not isinstance(targets, SparseLabels) and targets.ndim == 1:
        there = np.bincount(targets[rows], minlength=target.n_classes) > 0
        gone = [label for label, is_there in zip(target.classes, there, strict=True) if not is_there]
        if gone:
            shown = ", ".join(map(repr, gone[:10])) + (", …" if len(gone) > 10 else "")
            notes.append(f"no training row of these classes weighs more than 0; they are not learned: {shown}")
    return notes


def backbone_of(settings: Settings, present: Model | None = None, cache: Path | None = None) -> Backbone | None:
    """The pretrained network that looks at the rows; None where there is none. `cache` as for `Backbone.open`.

    Raises InputError for one that is not here, and EngineUnavailableError for what it needs and is not installed.
    """
    if present is not None:
        return present.encoder.backbone
    named, device = settings["backbone"], settings["device"]
    if not is_pretrained(named):
        return None
    refuse_unavailable(f"backbone={named!r} (--backbone {named})")
    backbone = Backbone.open(named, checked_device(device), cache)
    backbone.n_threads = n_threads(settings["n_jobs"])
    return backbone


def check_installed(settings: Settings) -> None:
    """Raises EngineUnavailableError where a backbone that is ours needs an engine that is not installed."""
    is_ours = settings["backbone"] == "tiny" and settings["engine"] is None
    if is_ours and (why := missing.torch("backbone='tiny' (--backbone tiny)")):
        raise EngineUnavailableError(why)


def placed(model: Model, place: Any, device: Any) -> Model:
    """The model, its backbone to be found by that setting, and to compute on that device if this machine has it."""
    if model.encoder.backbone is None:
        return model
    try:
        device = checked_device(device)
    except (InputError, ImportError):  # a copy may have come from afar
        device = None
    backbone = model.encoder.backbone.placed(place if is_pretrained(place) else None, device)
    return dataclasses.replace(model, encoder=dataclasses.replace(model.encoder, backbone=backbone))


def checked_device(device: Any) -> str | None:
    """The setting, of what computes by PyTorch; raises InputError for what is not there."""
    if device is None:
        return None
    one_of("device", device, DEVICES)
    from .engines.torch import has_device

    if not has_device(device):
        raise InputError(
            f"device={device!r} is not there: PyTorch finds no such device on this machine. Leave device out, or set it"
            " to 'cpu'."
        )
    return str(device)


def device_of(settings: Settings, backbone: Backbone | None) -> Any:
    """The device of the engine: behind a backbone the one that is stated is the backbone's, and the torch engine's."""
    return settings["device"] if backbone is None or settings["engine"] == "torch" else None


def going_on(settings: Settings, present: Model) -> Settings:
    """The settings of a training that goes on from a model: what says nothing of seed and ensemble keeps its own."""
    kept: dict[str, Any] = {}
    if settings["random_state"] is None:
        kept["random_state"] = present.facts["seed"]
    if settings["ensemble"] is None:
        kept["ensemble"] = present.members.ensemble
    return {**settings, **kept}


def going_on_with(what: Resolved, settings: Settings, present: Model) -> Resolved:
    """What is trained in a training that goes on from a model: its layers and numbers, unless others are stated."""
    if "numbers" not in (settings["spec"] or {}):
        what = dataclasses.replace(what, plan=what.plan.replace({"numbers": present.plan.numbers}))
    if any(settings[name] is not None for name in ("network", "hidden_layer_sizes", "activation")):
        return what
    *hidden, last = present.network.layers
    assert isinstance(last, Dense)
    return dataclasses.replace(what, hidden=tuple(hidden), is_stated=True, last=last)


def refuse_another(network: Network, stated: Members, plan: Plan, present: Model) -> None:
    """Raise InputError unless these networks, and what they take, are those of the model, on which a training is to go
    on.
    """
    if network.layers != present.network.layers:
        was, asked = (", ".join(map(describe_layer, one.layers)) for one in (present.network, network))
        raise InputError(
            f"the training goes on from the network that is there, {was}; the settings ask for {asked}. Set them back,"
            " or begin anew: fit with warm_start=False."
        )
    if stated != present.members:
        raise InputError(
            "the training goes on from the networks that are there"
            f" (ensemble={present.members.ensemble}, separate_networks={present.members.separate_networks}); the"
            f" settings ask for ensemble={stated.ensemble}, separate_networks={stated.separate_networks}. Set them"
            " back, or begin anew: fit with warm_start=False."
        )
    if plan.numbers != present.plan.numbers:
        raise InputError(
            f"the training goes on with numbers that are scaled as numbers={present.plan.numbers!r} says; the settings"
            f" ask for {plan.numbers!r}. Set it back, or begin anew: fit with warm_start=False."
        )


def unseen(
    network: Network,
    head: HeadName,
    plan: Plan,
    encoder: FeatureEncoder,
    target: TargetEncoder,
    stated: Members,
    seed: int,
    settings: Settings,
) -> Model:
    """A model that has seen no row yet; its members have no parameters."""
    labels = target.classes if stated.separate_networks else (None,)
    trained = tuple(
        Member(label, one, plan.metric, training.History((), 0, "partial_fit"), [])
        for one in members.seeds(seed, stated.ensemble)
        for label in labels
    )
    facts = {
        "preset": settings["preset"], "seed": seed, "n_train": 0, "n_validation": 0, "split": {"kind": "none"},
        "data_sha256": None, "validation": None,
    }  # fmt: skip
    return Model(network, head, plan, encoder, target, stated, trained, calibration.NOTHING, facts)


@dataclass(frozen=True)
class _Judges:
    """The rows that judge epochs: which ones (None: all of the features), their targets, and what they count for."""

    features: EncodedRows
    rows: NDArray[np.int64] | None
    targets: Any
    counts: NDArray[np.float64] | None

    def some(self, places: NDArray[np.int64]) -> _Judges:
        counts = None if self.counts is None else self.counts[places]
        rows = places if self.rows is None else self.rows[places]
        return _Judges(self.features, rows, self.targets[places], counts)

    def of_label(self, column: int) -> _Judges:
        counts = self.counts if self.counts is None or self.counts.ndim == 1 else self.counts[:, [column]]
        return dataclasses.replace(self, targets=self.targets[:, [column]], counts=counts)


def _untrained(
    stated: Members,
    target: TargetEncoder,
    head: HeadName,
    plan: Plan,
    seed: int,
    targets: NDArray[Any] | SparseLabels,
    weights_for: Callable[[NDArray[np.int64], int | None], Weights],
    rows: NDArray[np.int64],
    folds: Folds | None,
    judges: _Judges | None,
) -> tuple[tuple[members.Untrained, ...], tuple[str, ...]]:
    """The members, round by round, and what has to be said about them."""
    columns: Sequence[int | None] = range(target.n_classes) if stated.separate_networks else (None,)
    own = [engine_targets(targets if k is None else targets[:, k], head, target.task) for k in columns]
    others: dict[Any, None] = {}

    def a_round(rows: NDArray[np.int64], judges: _Judges | None) -> list[members.Untrained]:
        found = []
        for column, of_column in zip(columns, own, strict=True):
            label, metric = None if column is None else target.classes[column], plan.metric
            by = judges if column is None or judges is None else judges.of_label(column)
            if column is not None and by is not None and plan.early_stopping and not _can_judge(metric, by):
                metric = "log_loss"
                others[label] = None
            validation = None if by is None else _validation(metric, target.task, by)
            weights = weights_for(rows, column)
            found.append(members.Untrained("", label, seed, metric, rows, of_column, validation, weights))
        return found

    untrained = []
    for number, own_seed in enumerate(members.seeds(seed, stated.ensemble)):
        if folds is not None and judges is not None:
            the_round = a_round(folds.trained_on(number), judges.some(folds.judged(number)))
        elif not number:
            the_round = a_round(rows, judges)
        untrained += [
            dataclasses.replace(one, name=_name(one.label, number, stated), seed=own_seed) for one in the_round
        ]
    return tuple(untrained), (_judged_otherwise(list(others), plan.metric),) if others else ()


def _can_judge(metric: str, by: _Judges) -> bool:
    """Whether one label's validation rows tell its epochs apart: F1 needs rows with it, ROC AUC rows of both kinds."""
    known = by.targets[:, 0] if by.counts is None else by.targets[by.counts.reshape(-1) > 0, 0]
    if metric in ("macro_f1", "micro_f1"):
        return bool((known == 1).any())
    return metric != "macro_roc_auc" or bool((known == 1).any() and (known == 0).any())


def _judged_otherwise(labels: list[Any], metric: str) -> str:
    shown = ", ".join(map(str, labels[:10])) + (", …" if len(labels) > 10 else "")
    return (
        f"of these labels the validation rows are all alike, by which {metric} tells no epoch from another; log_loss"
        f" judges their networks: {shown}"
    )


def _validation(metric: str, task: metrics.Task, by: _Judges) -> training.Validation:
    """Judges an epoch by these rows."""
    return training.Validation(
        by.features,
        by.rows,
        lambda logits_nc: metrics.value(metric, task, logits_nc, by.targets, weights=by.counts),
        partial(metrics.is_better, metric),
    )


def _heads(head: HeadName, network: Network, n_networks: int) -> str:
    """The head of each network, in words."""
    described = HEADS[head].describe(network.n_outputs)
    return described if n_networks == 1 else f"{n_networks:,} networks, each {described}"


def _name(label: Any, number: int, stated: Members) -> str:
    """How messages call a member."""
    of_label = "" if label is None else f"label {label!r}"
    if stated.ensemble == 1:
        return of_label or "the network"
    return f"member {number + 1} of {stated.ensemble}" + (f", {of_label}" if of_label else "")


@dataclass(frozen=True)
class EngineChoice:
    """Which engine, and where it computes: "cpu", "cuda", "mps", or None: the engine chooses."""

    name: str
    device: str | None = None

    @classmethod
    def of(cls, engine: Any, device: Any, network: Network | None = None) -> EngineChoice:
        """The engine of this name for this network; None: the native one, or the torch engine for what it alone trains.

        Raises InputError for what there is not, and EngineUnavailableError for what is not installed.
        """
        residual = None if network is None else network.residual
        is_stated = engine is not None
        if engine is None:
            engine = "native" if residual is None else "torch"
        if not isinstance(engine, str) or engine not in ENGINES:
            hint = nearest(engine, ENGINES) if isinstance(engine, str) else ""
            raise InputError(f"engine must be one of {', '.join(ENGINES)}; got {brief(engine)}.{hint}")
        if device is not None:
            one_of("device", device, DEVICES)
        if engine == "native" and residual is not None:
            raise InputError(
                f"the native engine has no layer {describe_layer(residual)!r}; engine='torch' (pip install"
                " 'fromlogits[torch]') has. Leave engine out, and it is taken."
            )
        if engine != "torch":
            if device not in (None, "cpu"):
                raise InputError(f"device={device!r} is for engine='torch'; the {engine} engine computes on the cpu.")
            return cls(engine)
        asked = "engine='torch'" if residual is None or is_stated else f"the layer {describe_layer(residual)!r}"
        if (why := missing.torch(asked)) is not None:
            raise EngineUnavailableError(why)
        return cls(engine, checked_device(device))

    @classmethod
    def to_predict(cls, engine: Any, device: Any, network: Network) -> EngineChoice:
        """The same, but of a device that this machine has not, the one that it has: a copy may have come from afar."""
        try:
            return cls.of(engine, device, network)
        except InputError:
            return cls.of(engine, None, network)


def refuse_plan(plan: Plan, network: Network, choice: EngineChoice) -> None:
    """Raise InputError for what this engine, or this network, would ignore of a plan."""
    if plan.changes_pictures and network.residual is None:
        raise InputError(
            "shift, zoom, flip, colour and cut_out change pictures for a network with a layer over pictures"
            " (backbone='tiny'); this one has none. Leave them out."
        )
    if plan.precision != "float32" and (choice.name != "torch" or network.residual is None):
        raise InputError(
            f"precision={plan.precision!r} is for convolutions in engine='torch'; this training has none. Leave it out."
        )


def networks_of(model: Model, choice: EngineChoice, threads: int) -> members.Logits:
    """The model's networks, ready to predict by engines of this choice."""
    engines = []
    for one in model.trained:
        is_sparse = model.encoder.kind == "scaled" and not model.encoder.is_dense
        engines.append(new_engine(choice, model.network, model.head, threads, for_sparse_rows=is_sparse))
        engines[-1].set_parameters(one.parameters)
    return members.Logits(engines, model.head, model.members)


def new_engine(
    choice: EngineChoice, network: Network, head: HeadName, threads: int, *, for_sparse_rows: bool = False
) -> Engine:
    """An engine of this choice for this network, its parameters not yet set."""
    if choice.name == "native":
        from .engines.native import NativeEngine

        return NativeEngine(network, head, n_threads=threads, for_sparse_rows=for_sparse_rows)
    if choice.name == "torch":
        from .engines.torch import TorchEngine

        return TorchEngine(network, head, n_threads=threads, device=choice.device)
    from .engines.reference import ReferenceEngine

    return ReferenceEngine(network, head)


def starts_from_data(network: Network, plan: Plan) -> bool:
    """Whether the first parameters are not of network and seed alone."""
    return plan.initialisation == "data" or isinstance(network.of_numbers, PiecewiseLinear)


def first_parameters(
    choice: EngineChoice,
    network: Network,
    plan: Plan,
    threads: int,
    seed: int,
    features: EncodedRows,
    rows: NDArray[np.int64],
) -> Parameters:
    """Where a training begins that starts from the data."""
    if plan.initialisation != "data":
        return parameters_with_edges(network, seed, features, rows)
    return parameters_from_data(network, seed, features, rows, lambda cut: new_engine(choice, cut, "sigmoid", threads))


def engine_targets(
    targets: NDArray[Any] | SparseLabels, head: HeadName, task: metrics.Task
) -> NDArray[Any] | SparseLabels:
    """Targets as an engine takes them."""
    if isinstance(targets, SparseLabels):
        return targets
    if head == "softmax":
        return np.ascontiguousarray(targets, np.int32 if targets.ndim == 1 else np.float32)
    if task == "multi-class" and targets.ndim == 2:
        targets = targets[:, 1]  # one unit speaks for the second of two classes
    return np.ascontiguousarray(targets.reshape(len(targets), -1), dtype=np.float32)
