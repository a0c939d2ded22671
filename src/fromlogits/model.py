"""A trained network and all that belongs to it: what a model file holds."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core
from .data.encoders import FeatureEncoder
from .data.targets import TargetEncoder
from .engines.base import Parameters
from .errors import InputError, brief
from .heads import HEADS
from .spec import HeadName, Network, Plan, json_object, one_of
from .training import EpochRecord, History

MAX_HISTORY = 10_000
"""So many epochs of a longer training are kept in its file."""


def _versions() -> dict[str, str]:
    return {"fromlogits": _core.version(), "numpy": np.__version__}


@dataclass(frozen=True)
class Model:
    """Everything that prediction needs, and the record of how it came about.

    Attributes:
        parameters: per layer, float32 weights (h, d) and biases (h,).
        temperature: what the logits are divided by; 1.0 without calibration.
        record: preset, seed, rows, split, history and the figures of the held-out rows; plain JSON.
        versions: of what wrote it.
    """

    network: Network
    head: HeadName
    plan: Plan
    encoder: FeatureEncoder
    target: TargetEncoder
    parameters: Parameters
    temperature: float
    record: dict[str, Any]
    versions: dict[str, str] = field(default_factory=_versions)

    @property
    def history(self) -> History:
        best = self.record["best_epoch"]
        epochs = tuple(
            EpochRecord(e["epoch"], e["loss"], e["validation"], e["epoch"] == best, e["learning_rate"])
            for e in self.record["history"]
        )
        return History(epochs, best, self.record["stopped_by"])

    def describe(self) -> dict[str, Any]:
        """All but the numbers that were learned, as JSON."""
        return {
            "task": self.target.task,
            "classes": list(self.target.classes),
            "network": self.network.to_json(),
            "parameters": self.network.n_parameters,
            "head": HEADS[self.head].describe(self.network.n_outputs),
            "plan": self.plan.to_json(),
            "encoder": self.encoder.to_json(),
            "temperature": self.temperature,
            "record": self.record,
            "versions": self.versions,
        }

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the file that docs/file-format.md describes, whole or not at all."""
        from . import model_file  # here and below: hashing and JSON would make every import a fifth slower

        tensors: dict[str, NDArray[Any]] = dict(self.encoder.tensors())
        for number, (weights, biases) in enumerate(self.parameters):
            tensors[f"layer.{number}.weights"], tensors[f"layer.{number}.biases"] = weights, biases
        manifest = {
            "versions": self.versions,
            "spec": {"network": self.network.to_json(), "head": self.head, "plan": self.plan.to_json()},
            "encoder": self.encoder.to_json(),
            "target": self.target.to_json(),
            "calibration": {"temperature": self.temperature},
            "record": {**self.record, "history": _thinned(self.record["history"], self.record["best_epoch"])},
        }
        model_file.save_model(Path(path), manifest, tensors, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read it back; whatever does not fit together is a ModelFileError that says what."""
        from . import model_file

        manifest, tensors = model_file.load_model(Path(path))
        with model_file.naming(path):
            return cls._checked(manifest, tensors)

    @classmethod
    def _checked(cls, manifest: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Model:
        from . import model_file

        keys = {"versions", "spec", "encoder", "target", "calibration", "record"}
        fields = json_object("manifest", manifest, keys)
        spec = json_object("spec", fields["spec"], {"network", "head", "plan"})
        network, plan, head = Network.from_json(spec["network"]), Plan.from_json(spec["plan"]), spec["head"]
        one_of("head", head, tuple(HEADS))
        if network.stated_head is not None:
            raise InputError(f"the last layer must be linear; its activation is {network.layers[-1].activation!r}.")
        target = TargetEncoder.from_json(fields["target"])
        layers: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {}
        for number, (h, d) in enumerate(network.shapes):
            layers[f"layer.{number}.weights"] = (np.float32, (h, d))
            layers[f"layer.{number}.biases"] = (np.float32, (h,))
        model_file.check_tensors({name: t for name, t in tensors.items() if name.startswith("layer.")}, layers)
        parameters = [(tensors[f"layer.{i}.weights"], tensors[f"layer.{i}.biases"]) for i in range(len(network.layers))]
        rest = {name: tensor for name, tensor in tensors.items() if name not in layers}
        encoder = FeatureEncoder.from_json(fields["encoder"], rest)
        if encoder.schema.n_features != network.n_features:
            raise InputError(
                f"the encoder gives {encoder.schema.n_features} features, the network takes {network.n_features}."
            )
        units = {target.n_classes} | ({1} if target.task == "multi-class" and target.n_classes == 2 else set())
        if network.n_outputs not in units:
            raise InputError(f"the network has {network.n_outputs} outputs for {target.n_classes} classes.")
        if (head == "softmax") != (target.task == "multi-class" and network.n_outputs > 1):
            raise InputError(f"head {head} does not fit a {target.task} target with {network.n_outputs} outputs.")
        temperature = json_object("calibration", fields["calibration"], {"temperature"})["temperature"]
        if not _is_number(temperature) or not 1e-6 < temperature < 1e6:
            raise InputError(f"the temperature must be a positive number; it is {brief(temperature)}.")
        versions = fields["versions"]
        if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
            raise InputError("versions must be an object of texts.")
        record = _checked_record(fields["record"])
        return cls(network, head, plan, encoder, target, parameters, float(temperature), record, versions)


def _thinned(history: list[dict[str, Any]], best_epoch: int) -> list[dict[str, Any]]:
    """At most MAX_HISTORY epochs, evenly spaced, the best and the last among them: a file's text is bounded."""
    if len(history) <= MAX_HISTORY:
        return history
    step = -(-len(history) // (MAX_HISTORY - 2))
    last = len(history) - 1
    return [epoch for i, epoch in enumerate(history) if i % step == 0 or i == last or epoch["epoch"] == best_epoch]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object, most: int = 2**62) -> bool:
    return type(value) is int and 0 <= value <= most


RECORD: dict[str, Callable[[Any], bool]] = {
    "preset": lambda v: isinstance(v, str),
    "seed": lambda v: _is_count(v, 2**63 - 1),
    "n_train": _is_count,
    "n_validation": _is_count,
    "split": lambda v: isinstance(v, dict),
    "data_sha256": lambda v: v is None or isinstance(v, str),
    "best_epoch": _is_count,
    "stopped_by": lambda v: v in ("max_epochs", "patience", "interrupt", "terminate"),
    "history": lambda v: isinstance(v, list),
    "validation": lambda v: v is None or isinstance(v, dict),
}
"""The keys of a training record, and what their values must be."""


def _checked_record(value: object) -> dict[str, Any]:
    record = json_object("record", value, set(RECORD))
    for name, is_fine in RECORD.items():
        if not is_fine(record[name]):
            raise InputError(f"the record's {name} can't be {brief(record[name])}.")
    for epoch in record["history"]:
        epoch = json_object("epoch", epoch, {"epoch", "loss", "validation", "learning_rate"})
        may_be_none = {"validation"}
        if not all(_is_number(epoch[key]) or (epoch[key] is None and key in may_be_none) for key in epoch):
            raise InputError("an epoch of the history must hold numbers.")
        if not _is_count(epoch["epoch"]):
            raise InputError(f"an epoch's number can't be {brief(epoch['epoch'])}.")
    return record
