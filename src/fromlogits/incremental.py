"""Training batch by batch, by whoever has the rows: what `partial_fit` does."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import fitting, resolving
from .cores import n_threads
from .data.encoders import FeatureEncoder, seen_rows
from .data.features import EncodedRows
from .data.inputs import as_inputs
from .data.kinds import notes_of
from .data.memory import refuse_too_many_parameters
from .data.targets import TargetEncoder, as_target
from .decisions.calibration import NOTHING
from .decisions.decision import Decision
from .decisions.objectives import Costs, resolve
from .engines.base import Engine, Steps, Weights
from .errors import DivergedError, InputError
from .members import Member
from .model import MAX_HISTORY, Model
from .resolving import Settings
from .training import EpochRecord, History
from .weights import Balance, Targets, checked, of_statistics, rows_that_count

CALL_FLOPS = 5_000_000_000
"""Of one call of an engine, so that Ctrl-C is heard in between."""
OF_FIT_ALONE = (
    "max_epochs", "time_limit", "patience", "validation_fraction", "metric", "warm_start", "early_stopping",
    "calibrate",
)  # fmt: skip
SCHEDULES = ("schedule", "decay_schedule", "dropout_schedule")
MAY_CHANGE = ("learning_rate", "n_jobs", "verbose", "decide_for", *OF_FIT_ALONE)
"""Settings that may be others from one batch to the next."""


@dataclass(frozen=True)
class Labels:
    """The targets of a batch, and what they count for.

    Attributes:
        targets: of all rows, as `TargetEncoder.encode` gives them.
        weights: of rows (n,) or of their labels (n, L), as they were given; None: 1.
        rows: the numbers of those that take part.
    """

    targets: NDArray[Any]
    weights: NDArray[np.float64] | None
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, target: TargetEncoder, n: int, y: Any, sample_weight: Any) -> Labels:
        """Those of n rows of X; InputError where anything does not fit."""
        targets = target.encode(y)
        if len(targets) != n:
            raise InputError(f"X and y must have the same number of rows; X has {n}, y has {len(targets)}.")
        weights = checked("sample_weight", sample_weight, n, target, only_ratios_matter=False)
        rows = rows_that_count(targets, weights)
        if len(rows) == 0:
            raise InputError("no row takes part: in each of them every label is unknown or weighs 0.")
        return cls(targets, weights, rows)


class Increments:
    """Networks that take steps on one batch of rows after another; their optimizers remember.

    Args:
        settings: of the classifier.
        X, y, classes, sample_weight: of the first batch, as `Classifier.partial_fit` takes them.
        present: the model to go on from; None begins anew.

    Attributes:
        warnings: what the first batch decided about the columns and should not be overlooked.
    """

    def __init__(
        self, settings: Settings, X: Any, y: Any, classes: Any, sample_weight: Any, present: Model | None
    ) -> None:
        _refuse_what_needs_an_end(settings)
        self.settings = dict(settings)
        if present is not None:
            settings = fitting.going_on(settings, present)
        inputs = as_inputs(X)
        backbone = fitting.backbone_of(settings, present)
        if backbone is not None:
            inputs = seen_rows(inputs, backbone)
        target = _target(y, classes, settings["task"]) if present is None else present.target
        first = Labels.of(target, len(inputs), y, sample_weight)
        self.balance = Balance.fit(
            settings["class_weight"], settings["pos_weight"], target, first.targets, first.weights, first.rows
        )
        # The recipe of the presets is a plan from the first step to the last, which here nobody knows.
        told = dataclasses.replace(resolving.told_of(inputs, len(first.rows), None), has_end=False)
        what = resolving.resolved({**settings, "preset": "fast"}, target.task, told)
        fitting.check_installed(settings)
        if present is not None:
            what = fitting.going_on_with(what, settings, present)
        without_end = dict.fromkeys(SCHEDULES, "constant")
        self.plan = what.plan.replace({**without_end, "early_stopping": False, "calibrate": False})
        self.seed = resolving.seed_of(settings["random_state"])
        self.warnings: tuple[str, ...] = ()
        if present is None:
            each = of_statistics(first.targets, first.weights, first.rows)
            form = resolving.form_of(self.plan, what.hidden)
            fitted = FeatureEncoder.fit(inputs, first.rows, weights=each, form=form, backbone=backbone)
            encoder = _open_to_more(fitted)
            decided = (*notes_of(encoder.schema.left_out), *encoder.warnings)
            self.warnings = tuple(f"partial_fit, by its first batch: {words.rstrip('.')}." for words in decided)
        else:
            encoder = present.encoder
        stated = resolving.members_of(settings, target)
        network, head = resolving.network_of(settings, what, encoder, target, stated)
        stated.check_size(network, target.n_classes)
        refuse_too_many_parameters(network.n_parameters)
        if present is not None:
            fitting.refuse_another(network, stated, self.plan, present)
            facts = {**present.facts, "preset": settings["preset"], "seed": self.seed, "n_validation": 0}
            facts |= {"split": {"kind": "none"}, "validation": None}
            for chosen in ("calibration", "decision", "calibrated"):
                facts.pop(chosen, None)
            self.model = dataclasses.replace(present, plan=self.plan, calibration=NOTHING, sets=None, facts=facts)
        else:
            self.model = fitting.unseen(network, head, self.plan, encoder, target, stated, self.seed, settings)
        self.engines: list[Engine] = []
        made_by = fitting.EngineChoice.of(settings["engine"], fitting.device_of(settings, backbone), network)
        fitting.refuse_plan(self.plan, network, made_by)
        starts_from_data = present is None and fitting.starts_from_data(network, self.plan)
        features = encoder.encode(inputs) if starts_from_data else None
        for one in self.model.trained:
            engine = fitting.new_engine(made_by, network, head, 1)
            if present is not None:
                engine.set_parameters(one.parameters)
            elif features is not None:
                engine.set_parameters(
                    fitting.first_parameters(made_by, network, self.plan, 1, one.seed, features, first.rows)
                )
            else:
                engine.initialise(one.seed)
            engine.start(self.plan, one.seed)
            self.engines.append(engine)

    def encoded(
        self, settings: Settings, X: Any, y: Any, classes: Any, sample_weight: Any
    ) -> tuple[EncodedRows, Labels]:
        """The rows of a batch as the networks take them; InputError, and nothing is lost, for what they can't take."""
        _refuse_what_needs_an_end(settings)
        for name, was in self.settings.items():
            if name not in MAY_CHANGE and _differ(settings[name], was):
                raise InputError(
                    f"partial_fit: {name} is {settings[name]!r} now and was {was!r} when its steps began. Set it back,"
                    " or begin anew with fit or a clone."
                )
        self._rate(settings), n_threads(settings["n_jobs"])
        target = self.model.target
        _decision(settings, target)
        if classes is not None and not _are_same(classes, target):
            raise InputError(
                f"partial_fit: classes must be those of the first call, {list(target.classes)[:10]}"
                f"{' and more' if target.n_classes > 10 else ''}; leave them out."
            )
        features = self.model.encoder.encode(as_inputs(X))
        return features, Labels.of(target, len(features), y, sample_weight)

    def take(self, settings: Settings, features: EncodedRows, labels: Labels) -> Model:
        """One pass over the rows, in their order; raises DivergedError, after which these increments are of no use."""
        rate, threads = self._rate(settings), n_threads(settings["n_jobs"])
        self.model = dataclasses.replace(self.model, decision=_decision(settings, self.model.target))
        a_round = self.model.members.a_round(self.model.target.n_classes)
        trained = []
        for number, (engine, one) in enumerate(zip(self.engines, self.model.trained, strict=True)):
            engine.n_threads = threads
            column = number % a_round if self.model.members.separate_networks else None
            own = labels.targets if column is None else labels.targets[:, column]
            weights = self.balance.as_they_are(labels.targets, labels.weights, column)
            targets = fitting.engine_targets(own, self.model.head, self.model.target.task)
            loss = self._pass(engine, features, targets, labels.rows, weights, rate)
            trained.append(_after(one, loss, rate, engine))
        facts = {**self.model.facts, "n_train": self.model.facts["n_train"] + len(labels.rows)}
        had_weights = facts.pop("weights", {"rows": False})["rows"] or labels.weights is not None
        if had_weights or not self.balance.is_even:
            facts["weights"] = {"rows": had_weights, **self.balance.to_json()}
        plan = self.plan.replace({"learning_rate": rate})
        self.model = dataclasses.replace(self.model, trained=tuple(trained), facts=facts, plan=plan)
        return self.model

    def _rate(self, settings: Settings) -> float:
        stated = settings["learning_rate"]
        return self.plan.learning_rate if stated is None else self.plan.replace({"learning_rate": stated}).learning_rate

    def _pass(
        self,
        engine: Engine,
        features: EncodedRows,
        targets: Targets,
        rows: NDArray[np.int64],
        weights: Weights,
        rate: float,
    ) -> float:
        """The mean weighted loss of these rows, each before the step that it takes part in."""
        n, size = len(rows), self.plan.batch_size
        span = size * max(1, CALL_FLOPS // (6 * self.model.network.n_parameters * size))
        loss, step = 0.0, 0
        for start in range(0, n, span):
            order = rows[start : start + span]
            steps = Steps(np.full(math.ceil(len(order) / size), rate))
            loss = engine.train_span(features, targets, order, steps, loss, weights)
            step += len(steps)
            if not math.isfinite(loss):
                raise _diverged(step, "the training loss", rate)
        if not np.isfinite(engine.logits(features, rows[-size:])).all():
            raise _diverged(step, "a logit", rate)
        return loss / n


def _refuse_what_needs_an_end(settings: Settings) -> None:
    for name in ("early_stopping", "calibrate"):
        if settings[name]:
            raise InputError(
                f"partial_fit holds no rows out, so it takes no {name}=True; leave it out or set it to False."
            )
    if dict(settings["spec"] or {}).get("folds", 1) != 1:
        raise InputError(
            "partial_fit holds no rows out, so it takes no folds; spec asks for"
            f" {settings['spec']['folds']!r}. Leave them out."
        )
    for name, by_name in (("class_weight", "{class: weight}"), ("pos_weight", "{label: weight}")):
        if isinstance(settings[name], str) and settings[name] == "balanced":
            raise InputError(
                f"partial_fit sees no more than a batch, so it can't know what {name}='balanced' would be; say what"
                f" each counts: {name}={by_name}."
            )
    for name in SCHEDULES:
        if dict(settings["spec"] or {}).get(name, "constant") != "constant":
            raise InputError(
                f"partial_fit knows no last step, so its learning rate, decay and dropout are constant; spec asks for"
                f" the {name} {settings['spec'][name]!r}. Leave it out, and set learning_rate between the calls."
            )


def _decision(settings: Settings, target: TargetEncoder) -> Decision | None:
    """How the rows are to be decided; InputError for what rows would have to choose."""
    what_for = resolve(settings["decide_for"], target.task, target.classes)
    if what_for is None or isinstance(what_for, Costs):
        return None if what_for is None else Decision.of_costs(what_for)
    raise InputError(
        f"partial_fit holds no rows out to choose decisions on, so it takes no decide_for={what_for.name!r}; leave it"
        " out, or give costs."
    )


def _differ(now: Any, was: Any) -> bool:
    """Of two values of a setting, which may be arrays."""
    if isinstance(now, np.ndarray) or isinstance(was, np.ndarray):
        return not np.array_equal(now, was)
    return bool(now is not was and now != was)


def _target(y: Any, classes: Any, task: str | None) -> TargetEncoder:
    """What the classes are: of one label a row as they are given; of a matrix its columns."""
    target = as_target(y, ravel=task != "multi-label")
    if target.values.ndim == 1:
        if classes is None:
            raise InputError(
                "partial_fit needs classes=[...] at its first call: every class that will ever come, for a batch may"
                " lack some."
            )
        known = TargetEncoder.fit(classes, "multi-class")
        return TargetEncoder("multi-class", known.classes)
    named = None if classes is None else np.asarray(classes).tolist()
    fitted = TargetEncoder.fit(target, task, class_names=named)
    if named is not None and list(fitted.classes) != named:
        raise InputError(f"classes must be the names of y's columns, {list(fitted.classes)}; got {named}.")
    return TargetEncoder(fitted.task, fitted.classes)


def _are_same(classes: Any, target: TargetEncoder) -> bool:
    given = np.asarray(classes).tolist()
    return (sorted(set(given)) if target.task == "multi-class" else given) == list(target.classes)


def _open_to_more(encoder: FeatureEncoder) -> FeatureEncoder:
    """A column that has one value in the first batch may have others later: it is not scaled, instead of left out."""
    if encoder.behind is not None:
        return dataclasses.replace(encoder, behind=_open_to_more(encoder.behind))
    name = "inverse_range" if encoder.kind == "robust" else "inverse_spread"
    inverse = getattr(encoder, name)
    if inverse is None or inverse.all():
        return encoder
    usual = float(np.median(inverse[inverse > 0])) if encoder.kind == "scaled" else 1.0
    opened: dict[str, Any] = {name: np.where(inverse > 0, inverse, usual)}
    return dataclasses.replace(encoder, **opened, notes=())


def _after(one: Member, loss: float, rate: float, engine: Engine) -> Member:
    """The member with one more pass behind it; of very many passes the last ones are remembered."""
    passes = [
        dataclasses.replace(record, is_best=False) if record.is_best else record
        for record in one.history.epochs[-(MAX_HISTORY - 1) :]
    ]
    number = passes[-1].epoch + 1 if passes else 1
    history = History((*passes, EpochRecord(number, loss, None, True, rate)), number, "partial_fit")
    return dataclasses.replace(one, history=history, parameters=engine.parameters())


def _diverged(step: int, what: str, rate: float) -> DivergedError:
    return DivergedError(
        f"training diverged: {what} is not finite at step {step} of this partial_fit. The classifier is as it was"
        f" before the call. Lower learning_rate (now {rate:g}), set clip_norm, or look for extreme values in the rows.",
        step=step,
        last_finite_loss=None,
    )
