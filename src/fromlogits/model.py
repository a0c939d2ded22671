"""A trained network and all that belongs to it: what a model file holds."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core, metrics
from .data.encoders import FeatureEncoder
from .data.label_sets import SparseLabels
from .data.targets import TargetEncoder
from .decisions import rules
from .decisions.calibration import Calibration
from .decisions.calibration import check_record as check_calibration
from .decisions.decision import Decision
from .decisions.decision import check_record as check_decision
from .decisions.rules import Rule
from .decisions.sets import PredictionSets
from .errors import InputError, brief
from .heads import HEADS
from .members import Member
from .spec import Columns, HeadName, Members, Network, PiecewiseLinear, Plan, json_object, one_of
from .training import EpochRecord, History

MAX_HISTORY = 10_000
"""So many epochs of a longer training are kept in its file; several networks share them."""


def _versions() -> dict[str, str]:
    return {"fromlogits": _core.version(), "numpy": np.__version__}


@dataclass(frozen=True)
class Model:
    """Everything that prediction needs, and the record of how it came about.

    Attributes:
        network: of each member.
        members: how many there are, and for what.
        trained: each of them, round by round.
        calibration: what becomes of the logits before they are anyone's.
        facts: preset, seed, rows, split, the figures of the held-out rows and how they chose the
            calibration; plain JSON.
        versions: of what wrote it.
        decision: how rows are decided where `decide_for` asked for it; None: naturally.
        sets: from rows kept for them, or None.
    """

    network: Network
    head: HeadName
    plan: Plan
    encoder: FeatureEncoder
    target: TargetEncoder
    members: Members
    trained: tuple[Member, ...]
    calibration: Calibration
    facts: dict[str, Any]
    versions: dict[str, str] = field(default_factory=_versions)
    decision: Decision | None = None
    sets: PredictionSets | None = None

    @property
    def is_one_network(self) -> bool:
        return self.members == Members()

    @cached_property
    def rule(self) -> Rule:
        """How rows are decided."""
        if self.decision is not None:
            return self.decision.rule
        return rules.natural(self.target.task, self.target.n_classes, self.network.n_outputs)

    def probabilities(self, logits_nc: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of each class or label, (n, K): as users see them."""
        return HEADS[self.head].probabilities(self.both_sides(logits_nc))

    def both_sides(self, logits_nc: NDArray[np.float32]) -> NDArray[np.float32]:
        """One unit's logit as the two classes' logits: −z and z."""
        if not self._is_one_unit:
            return logits_nc
        both_nk = np.empty((len(logits_nc), 2), logits_nc.dtype)
        np.negative(logits_nc, out=both_nk[:, :1])
        both_nk[:, 1:] = logits_nc
        return both_nk

    @cached_property
    def _is_one_unit(self) -> bool:
        return self.target.task == "multi-class" and self.network.n_outputs == 1

    def figures(
        self,
        logits_nc: NDArray[np.float32],
        targets: NDArray[Any] | SparseLabels,
        weights: NDArray[np.float64] | None = None,
        *,
        also: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The short figures of rows as this model decides them; the arguments are those of `metrics.evaluate`."""
        return metrics.evaluate(
            self.target.task, self.target.classes, logits_nc, targets, weights=weights, also=also,
            **self._decided(logits_nc),
        )  # fmt: skip

    def figures_in_full(
        self,
        logits_nc: NDArray[np.float32],
        targets: NDArray[Any] | SparseLabels,
        weights: NDArray[np.float64] | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> dict[str, Any]:
        """All figures and their intervals, likewise."""
        return metrics.in_full(
            self.target.task, self.target.classes, logits_nc, targets, weights=weights, groups=groups,
            **self._decided(logits_nc),
        )  # fmt: skip

    def figure(
        self,
        name: str,
        logits_nc: NDArray[np.float32],
        targets: NDArray[Any] | SparseLabels,
        weights: NDArray[np.float64] | None,
    ) -> float | None:
        """A single one."""
        return metrics.value(name, self.target.task, logits_nc, targets, weights=weights, **self._decided(logits_nc))

    def _decided(self, logits_nc: NDArray[np.float32]) -> dict[str, Any]:
        """How the figures are told what this model decides."""
        if self.target.task == "multi-label":
            thresholds = self.rule.thresholds
            return {"thresholds": None if thresholds is None else thresholds.tolist()}
        return {} if self.decision is None else {"decided": self.rule.decide(self.probabilities(logits_nc))}

    @property
    def record(self) -> dict[str, Any]:
        """The facts, and each network's training; of one network without a list around it."""
        record = self._record()
        for one, member in zip(record.get("members", ()), self.trained, strict=False):
            one["label"] = member.label
        return record

    def _record(self, most: int | None = None) -> dict[str, Any]:
        """As the file holds it, with so many epochs of each network, or all."""
        if self.is_one_network:
            return {**self.facts, **_training_of(self.trained[0], most)}
        each = [{"seed": one.seed, "metric": one.metric, **_training_of(one, most)} for one in self.trained]
        return {**self.facts, "members": each}

    def describe(self) -> dict[str, Any]:
        """All but the numbers that were learned, as JSON."""
        count = len(self.trained)
        head = HEADS[self.head].describe(self.network.n_outputs)
        return {
            "task": self.target.task,
            "classes": list(self.target.classes),
            "network": self.network.to_json(),
            "members": self.members.to_json(),
            "parameters": self.network.n_parameters * count,
            "head": head if count == 1 else f"{count:,} networks, each {head}",
            "plan": self.plan.to_json(),
            "encoder": self.encoder.to_json(),
            "columns": self.encoder.described(),
            **self.calibration.describe(),
            "decision": None if self.decision is None else self.decision.to_json(),
            "sets": None if self.sets is None else self.sets.to_json(),
            "record": self.record,
            "versions": self.versions,
        }

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the file that docs/file-format.md describes, whole or not at all."""
        from . import model_file  # here and below: hashing and JSON would make every import a fifth slower

        model_file.save_model(Path(path), *self._contents(), overwrite=overwrite)

    def to_bytes(self) -> bytes:
        """The bytes of the file that `save` writes."""
        from . import model_file

        return model_file.encode_model(*self._contents())

    def _contents(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The manifest and the tensors of the file."""
        tensors: dict[str, NDArray[Any]] = {**self.encoder.tensors(), **self.calibration.tensors()}
        for number, names in enumerate(_tensors_of(self.network)):
            arrays = zip(*(one.parameters[number] for one in self.trained), strict=True)
            for name, each in zip(names, arrays, strict=True):
                tensors[name] = each[0] if self.is_one_network else np.stack(each)
        spec = {"network": self.network.to_json(), "head": self.head, "plan": self.plan.to_json()}
        if not self.is_one_network:
            spec["members"] = self.members.to_json()
        manifest = {
            "versions": self.versions,
            "spec": spec,
            "encoder": self.encoder.to_json(),
            "target": self.target.to_json(),
            "calibration": self.calibration.to_json(),
            "record": self._record(MAX_HISTORY // len(self.trained)),
        }
        if self.decision is not None:
            manifest["decision"] = self.decision.to_json()
        if self.sets is not None:
            manifest["sets"] = self.sets.to_json()
            tensors |= self.sets.tensors()
        return manifest, tensors

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read it back; whatever does not fit together is a ModelFileError that says what."""
        from . import model_file

        manifest, tensors = model_file.load_model(Path(path))
        with model_file.naming(path):
            return cls._checked(manifest, tensors)

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Model:
        """The inverse of `to_bytes`, with every check of `load`; `name` is what a message calls the bytes."""
        from . import model_file

        manifest, tensors = model_file.decode_model(data, name)
        with model_file.naming(name):
            return cls._checked(manifest, tensors)

    @classmethod
    def _checked(cls, manifest: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Model:
        from . import model_file

        keys = {"versions", "spec", "encoder", "target", "calibration", "record"}
        optional = {"decision", "sets"} & manifest.keys()
        fields = json_object("manifest", manifest, keys | optional)
        has_members = isinstance(fields["spec"], dict) and "members" in fields["spec"]
        spec = json_object("spec", fields["spec"], {"network", "head", "plan", *(["members"] * has_members)})
        network, plan, head = Network.from_json(spec["network"]), Plan.from_json(spec["plan"]), spec["head"]
        one_of("head", head, tuple(HEADS))
        if network.stated_head is not None:
            raise InputError(f"the last layer must be linear; its activation is {network.stated_head!r}.")
        target = TargetEncoder.from_json(fields["target"])
        members = Members.from_json(spec["members"]) if has_members else Members()
        _check_members(members, network, target, has_members)
        count = members.count(target.n_classes)
        in_front = (count,) if has_members else ()
        names = _tensors_of(network)
        layers: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {
            name: (np.float32, (*in_front, *shape)) for layer in names for name, shape in layer.items()
        }
        model_file.check_tensors({name: t for name, t in tensors.items() if name.startswith("layer.")}, layers)
        _check_edges(network, tensors)
        of_calibration = {name: tensor for name, tensor in tensors.items() if name.startswith("calibration.")}
        sets = PredictionSets.from_json(fields["sets"], tensors, target.task) if "sets" in optional else None
        known = layers.keys() | of_calibration.keys() | (set() if sets is None else sets.tensors().keys())
        rest = {name: tensor for name, tensor in tensors.items() if name not in known}
        encoder = FeatureEncoder.from_json(fields["encoder"], rest, is_dense=bool(network.front))
        if encoder.n_features != network.n_features:
            raise InputError(
                f"the encoder gives {encoder.n_features} features, the network takes {network.n_features}."
            )
        _check_columns(network, encoder)
        _check_pictures(network, encoder, tensors)
        units = {target.n_classes} | ({1} if target.task == "multi-class" and target.n_classes == 2 else set())
        if not members.separate_networks and network.n_outputs not in units:
            raise InputError(f"the network has {network.n_outputs} outputs for {target.n_classes} classes.")
        if (head == "softmax") != (target.task == "multi-class" and network.n_outputs > 1):
            raise InputError(f"head {head} does not fit a {target.task} target with {network.n_outputs} outputs.")
        n_units = target.n_classes if members.separate_networks else network.n_outputs
        calibration = Calibration.from_json(fields["calibration"], of_calibration, n_units, head)
        decision = (
            Decision.from_json(fields["decision"], target.task, target.classes) if "decision" in optional else None
        )
        if decision is not None and head == "sigmoid" and decision.rule.thresholds is None:
            raise InputError(f"sigmoid units are decided by thresholds, not by the rule {decision.rule.kind!r}.")
        versions = fields["versions"]
        if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
            raise InputError("versions must be an object of texts.")
        facts, trainings = _checked_record(fields["record"], count if has_members else None)
        _check_split(facts["split"], plan)
        if "weights" in facts:
            _check_weights(facts["weights"], target)
        if "calibration" in facts:
            check_calibration(facts["calibration"])
        if "decision" in facts:
            check_decision(facts["decision"])
        if "calibrated" in facts:
            _checked("record's calibrated", facts["calibrated"], CALIBRATED)
        labels = target.classes if members.separate_networks else (None,)
        each = {name: tensors[name] if has_members else tensors[name][np.newaxis] for name in layers}
        trained = tuple(
            Member(
                labels[number % len(labels)],
                training.get("seed", facts["seed"]),
                training.get("metric", plan.metric),
                _history_of(training),
                [tuple(each[name][number] for name in layer) for layer in names],
            )
            for number, training in enumerate(trainings)
        )
        return cls(network, head, plan, encoder, target, members, trained, calibration, facts, versions, decision, sets)


def _check_columns(network: Network, encoder: FeatureEncoder) -> None:
    """What the network embeds is what the encoder gives: a code is never one that has no vector."""
    if network.embedding is None and encoder.categories:
        raise InputError("the encoder gives codes of categories, and the network has no layer that embeds them.")
    if network.columns not in (None, Columns(encoder.numbers, encoder.categories)):
        raise InputError("the network embeds other numbers or categories than the encoder gives.")


def _check_pictures(network: Network, encoder: FeatureEncoder, tensors: Mapping[str, NDArray[Any]]) -> None:
    """What the network takes for a picture is one, and its norms have variances."""
    if network.residual is None:
        return
    if network.picture_shape != encoder.schema.picture_shape:
        raise InputError(
            f"the network takes pictures of shape {network.picture_shape}; the schema's are of"
            f" {encoder.schema.picture_shape}."
        )
    for name, tensor in tensors.items():
        if name.startswith("layer.0.variances.") and not (tensor >= 0).all():
            raise InputError(f"the variances of a norm must be at least 0; in {name!r} some are not.")


def _check_edges(network: Network, tensors: Mapping[str, NDArray[Any]]) -> None:
    """A number lies in one bin of its column, and is found there by halves."""
    if not isinstance(network.of_numbers, PiecewiseLinear):
        return
    edges = tensors["layer.0.edges"]
    if (edges[..., 1:] < edges[..., :-1]).any():
        raise InputError("the edges of a column must ascend; in 'layer.0.edges' some go down.")


def _tensors_of(network: Network) -> list[dict[str, tuple[int, ...]]]:
    """Of each layer, the names of its arrays in a file and their shapes."""
    return [
        {f"layer.{number}.{name}": shape for name, shape in arrays.items()}
        for number, arrays in enumerate(network.arrays)
    ]


def _check_members(members: Members, network: Network, target: TargetEncoder, is_stated: bool) -> None:
    if is_stated and members == Members():
        raise InputError("members is for several networks; one network has none.")
    if members.separate_networks and (target.task != "multi-label" or network.n_outputs != 1):
        raise InputError(
            f"separate networks have one output each for a multi-label target; these have {network.n_outputs} for a"
            f" {target.task} one."
        )
    members.check_size(network, target.n_classes)


def _training_of(member: Member, most: int | None) -> dict[str, Any]:
    """How a member was trained, as JSON, with so many epochs of its history, or all."""
    history = [
        {"epoch": r.epoch, "loss": r.loss, "validation": r.validation, "learning_rate": r.learning_rate}
        for r in member.history.epochs
    ]
    best = member.history.best_epoch
    return {
        "best_epoch": best,
        "stopped_by": member.history.stopped_by,
        "history": history if most is None else _thinned(history, best, most),
    }


def _history_of(training: Mapping[str, Any]) -> History:
    best = training["best_epoch"]
    epochs = tuple(
        EpochRecord(e["epoch"], e["loss"], e["validation"], e["epoch"] == best, e["learning_rate"])
        for e in training["history"]
    )
    return History(epochs, best, training["stopped_by"])


def _thinned(history: list[dict[str, Any]], best_epoch: int, most: int) -> list[dict[str, Any]]:
    """At most so many epochs, but three, evenly spaced, the best and the last among them: a file's text is bounded."""
    if len(history) <= most:
        return history
    step = -(-len(history) // max(1, most - 2))
    last = len(history) - 1
    return [epoch for i, epoch in enumerate(history) if i % step == 0 or i == last or epoch["epoch"] == best_epoch]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object, most: int = 2**62) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


STOPPED_BY = ("max_epochs", "patience", "callback", "time_limit", "interrupt", "terminate", "partial_fit")
FACTS: dict[str, Callable[[Any], bool]] = {
    "preset": lambda v: isinstance(v, str),
    "seed": lambda v: _is_count(v, 2**63 - 1),
    "n_train": _is_count,
    "n_validation": _is_count,
    "split": _is_object,
    "data_sha256": lambda v: v is None or isinstance(v, str),
    "validation": lambda v: v is None or isinstance(v, dict),
}
"""The keys of a training record that are of the whole classifier, and what their values must be."""
OPTIONAL_FACTS = ("weights", "calibration", "decision", "calibrated")
"""Those that stand there only where something was weighed, calibrated, decided for, or calibrated by other rows."""
WEIGHTS = {"rows", "class_weight", "pos_weight"}
"""The keys of its "weights"."""
CALIBRATED: dict[str, Callable[[Any], bool]] = {
    "data_sha256": lambda v: v is None or isinstance(v, str),
    "rows": _is_count,
    "kept": _is_count,
    "seed": lambda v: _is_count(v, 2**63 - 1),
}
"""The same of its "calibrated"."""
TRAINING: dict[str, Callable[[Any], bool]] = {
    "best_epoch": _is_count,
    "stopped_by": lambda v: v in STOPPED_BY,
    "history": lambda v: isinstance(v, list),
}
"""The same of a network's training."""
OF_MEMBERS: dict[str, Callable[[Any], bool]] = {
    "seed": lambda v: _is_count(v, 2**63 - 1),
    "metric": lambda v: isinstance(v, str),
}
"""What is said of each network where there are several."""


def _checked_record(value: object, count: int | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The facts, and the training of each of `count` networks; None: of the one network, without a list around it."""
    facts = FACTS | {name: _is_object for name in OPTIONAL_FACTS if isinstance(value, dict) and name in value}
    if count is None:
        record = _checked("record", value, facts | TRAINING)
        _check_history(record["history"])
        return {name: record[name] for name in facts}, [{name: record[name] for name in TRAINING}]
    record = _checked("record", value, facts | {"members": lambda v: isinstance(v, list)})
    if len(record["members"]) != count:
        raise InputError(f"the record has {len(record['members']):,} members; the model has {count:,} networks.")
    trainings = [_checked("member's record", member, OF_MEMBERS | TRAINING) for member in record["members"]]
    for training in trainings:
        _check_history(training["history"])
    return {name: record[name] for name in facts}, trainings


def _check_split(split: dict[str, Any], plan: Plan) -> None:
    """Raise InputError unless the plan's folds are those of the split."""
    folds = split.get("folds") if split.get("kind") == "folds" else 1
    if type(folds) is not int or folds != plan.folds:
        raise InputError(f"the record's split has folds {brief(folds)}; the plan has {plan.folds}.")
    if folds == 1 and split.get("kind") == "folds":
        raise InputError("the record's split can't be of 1 folds.")


def _check_weights(value: object, target: TargetEncoder) -> None:
    weights = json_object("record's weights", value, WEIGHTS)
    if type(weights["rows"]) is not bool:
        raise InputError(f"the record's weights: rows must be true or false; it is {brief(weights['rows'])}.")
    of_task = "class_weight" if target.task == "multi-class" else "pos_weight"
    for name in ("class_weight", "pos_weight"):
        of_each = weights[name]
        if of_each is None:
            continue
        fits = isinstance(of_each, list) and len(of_each) == target.n_classes and name == of_task
        if not fits or not all(_is_number(weight) and weight > 0 for weight in of_each):
            raise InputError(
                f"the record's {name} must be {target.n_classes:,} numbers above 0 for this target, or null."
            )


def _checked(what: str, value: object, keys: Mapping[str, Callable[[Any], bool]]) -> dict[str, Any]:
    record = json_object(what, value, set(keys))
    for name, is_fine in keys.items():
        if not is_fine(record[name]):
            raise InputError(f"the {what}'s {name} can't be {brief(record[name])}.")
    return record


def _check_history(history: list[Any]) -> None:
    for epoch in history:
        epoch = json_object("epoch", epoch, {"epoch", "loss", "validation", "learning_rate"})
        may_be_none = {"validation"}
        if not all(_is_number(epoch[key]) or (epoch[key] is None and key in may_be_none) for key in epoch):
            raise InputError("an epoch of the history must hold numbers.")
        if not _is_count(epoch["epoch"]):
            raise InputError(f"an epoch's number can't be {brief(epoch['epoch'])}.")
