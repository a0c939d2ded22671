"""What is trained and how: frozen descriptions, checked when built, JSON in and JSON out.

`Network` says which layers; `Plan` says how they are trained. Neither holds a number that was learned.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from .errors import InputError, brief, nearest

HIDDEN_ACTIVATIONS = ("relu", "tanh", "gelu", "silu", "selu", "sigmoid", "linear")
OUTPUT_ACTIVATIONS = ("linear", "softmax", "sigmoid")
OPTIMIZERS = ("adam", "adamw", "sgd", "nesterov")
SCHEDULES = ("constant", "cosine")
HeadName = Literal["softmax", "sigmoid"]

# A file from a stranger is bounded by these before memory is taken; no real network comes near them.
MAX_LAYERS = 1_000
MAX_UNITS = 10_000_000
MAX_PARAMETERS = 4_000_000_000
MAX_NETWORKS = 4_096
MAX_LAYERS_IN_ALL = 40_960  # a layer of one unit is a few bytes of the file and some 700 of memory


def one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Raise InputError unless `value` is one of the allowed words."""
    if value not in allowed:
        hint = nearest(value, allowed) if isinstance(value, str) else ""
        raise InputError(f"{name} must be one of {', '.join(allowed)}; got {brief(value)}.{hint}")


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} must be a whole number from {low} to {high}; got {brief(value)}.")


def _number(
    name: str, value: object, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> None:
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if fine:
        assert isinstance(value, (int, float))
        fine = (low < value if open_low else low <= value) and (value < high if open_high else value <= high)
    if not fine:
        left, right = "(" if open_low else "[", ")" if open_high else "]"
        raise InputError(f"{name} must be a number in {left}{low:g}, {high:g}{right}; got {brief(value)}.")


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with a bias: activation(W x + b).

    Args:
        units: how many outputs it has.
        activation: relu, tanh, gelu, silu, selu, sigmoid or linear ("identity" is another word for linear). In the
            last layer of a network: linear lets the target decide the head; softmax and sigmoid force it, and the
            network still ends in linear logits.
    """

    units: int
    activation: str = "linear"

    def __post_init__(self) -> None:
        _whole("Dense units", self.units, 1, MAX_UNITS)
        if self.activation == "identity":
            object.__setattr__(self, "activation", "linear")
        one_of("Dense activation", self.activation, tuple(dict.fromkeys(HIDDEN_ACTIVATIONS + OUTPUT_ACTIVATIONS)))


@dataclass(frozen=True)
class Network:
    """Dense layers, first to last; the last one gives the logits.

    Args:
        layers: the `Dense` layers; the last has one unit per class or label.
        n_features: width of the input, or None while it is not known (`Classifier.fit` finds it in the data).

    `print(network)` lists layers, shapes and parameters:

        >>> print(Network([Dense(25, "relu"), Dense(15, "relu"), Dense(10, "linear")], n_features=784))
        layer     shape     parameters
        25 relu   784 -> 25     19,625
        15 relu   25 -> 15         390
        10 linear 15 -> 10         160
        total                   20,175
    """

    layers: Sequence[Dense]
    n_features: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.layers, Dense):
            raise InputError("Network takes a list of layers, as in Network([Dense(25, 'relu'), Dense(10)]).")
        layers = tuple(self.layers)
        object.__setattr__(self, "layers", layers)
        _whole("the number of layers", len(layers), 1, MAX_LAYERS)
        for position, layer in enumerate(layers, 1):
            if not isinstance(layer, Dense):
                raise InputError(f"layer {position} of the network must be a Dense layer; got {layer!r}.")
            is_last = position == len(layers)
            allowed = OUTPUT_ACTIVATIONS if is_last else HIDDEN_ACTIVATIONS
            if layer.activation not in allowed:
                where = "the last layer" if is_last else f"layer {position}, a hidden layer,"
                raise InputError(
                    f"{where} must have one of the activations {', '.join(allowed)}; got {brief(layer.activation)}."
                    + (" The network ends in linear logits: add a last layer Dense(classes)." if is_last else "")
                )
        if self.n_features is not None:
            _whole("n_features", self.n_features, 1, MAX_UNITS)
            if self.n_parameters > MAX_PARAMETERS:
                gib = self.n_parameters * 4 / 2**30
                raise InputError(
                    f"the network has {self.n_parameters:,} parameters ({gib:,.0f} GiB);"
                    f" the limit is {MAX_PARAMETERS:,}."
                )

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(fan_out, fan_in) of each layer's weights; needs n_features."""
        if self.n_features is None:
            raise InputError("the network's input width is not known yet; fit it, or state n_features.")
        widths = (self.n_features, *(layer.units for layer in self.layers))
        return tuple((units, fan_in) for fan_in, units in pairwise(widths))

    @property
    def n_parameters(self) -> int:
        return sum(units * fan_in + units for units, fan_in in self.shapes)

    @property
    def n_outputs(self) -> int:
        return self.layers[-1].units

    @property
    def stated_head(self) -> HeadName | None:
        """The head that the last activation forces, or None where the target decides."""
        last = self.layers[-1].activation
        return last if last in ("softmax", "sigmoid") else None  # type: ignore[return-value]

    def with_input(self, n_features: int) -> Network:
        """The same network, its input width known and its last activation linear: what an engine trains."""
        last = dataclasses.replace(self.layers[-1], activation="linear")
        return Network((*self.layers[:-1], last), n_features)

    def __str__(self) -> str:
        names = [f"{layer.units} {layer.activation}" for layer in self.layers]
        if self.n_features is None:
            return "Network(" + " -> ".join(["input", *names]) + ")"
        shapes = [f"{fan_in} -> {units}" for units, fan_in in self.shapes]
        counts = [f"{units * fan_in + units:,}" for units, fan_in in self.shapes]
        rows = [
            ("layer", "shape", "parameters"),
            *zip(names, shapes, counts, strict=True),
            ("total", "", f"{self.n_parameters:,}"),
        ]
        wide = [max(len(row[k]) for row in rows) for k in range(3)]
        return "\n".join(f"{a:<{wide[0]}} {b:<{wide[1]}} {c:>{wide[2]}}" for a, b, c in rows)

    def to_json(self) -> dict[str, Any]:
        layers = [{"kind": "dense", "units": layer.units, "activation": layer.activation} for layer in self.layers]
        return {"n_features": self.n_features, "layers": layers}

    @classmethod
    def from_json(cls, value: object) -> Network:
        """The inverse of `to_json`; raises InputError on anything else."""
        fields = json_object("network", value, {"n_features", "layers"})
        layers = fields["layers"]
        if not isinstance(layers, list) or len(layers) > MAX_LAYERS:
            raise InputError(f"network layers must be a list of at most {MAX_LAYERS}.")
        dense = []
        for layer in layers:
            layer = json_object("layer", layer, {"kind", "units", "activation"})
            one_of("layer kind", layer["kind"], ("dense",))
            dense.append(Dense(layer["units"], layer["activation"]))
        return cls(tuple(dense), fields["n_features"])


@dataclass(frozen=True)
class Members:
    """How many networks make up one classifier; they all have the same layers.

    A network's number is `round · labels + label`: the first round has one network for each label (or one for all),
    the next round of an ensemble follows.

    Args:
        ensemble: so many networks answer the same question, each from a seed of its own.
        separate_networks: one network with one unit for each label, instead of one with a unit for each.
    """

    ensemble: int = 1
    separate_networks: bool = False

    def __post_init__(self) -> None:
        _whole("ensemble", self.ensemble, 1, MAX_NETWORKS)
        if not isinstance(self.separate_networks, bool):
            raise InputError(f"separate_networks must be True or False; got {brief(self.separate_networks)}.")

    def a_round(self, n_labels: int) -> int:
        """Networks of one round."""
        return n_labels if self.separate_networks else 1

    def count(self, n_labels: int) -> int:
        """Networks in all."""
        return self.ensemble * self.a_round(n_labels)

    def check_size(self, network: Network, n_labels: int) -> None:
        """Raise InputError unless so many networks have a size that is trained and read."""
        count = self.count(n_labels)
        for what, found, limit in (
            ("networks", count, MAX_NETWORKS),
            ("layers in all", count * len(network.layers), MAX_LAYERS_IN_ALL),
            ("parameters in all", count * network.n_parameters, MAX_PARAMETERS),
        ):
            if found > limit:
                raise InputError(
                    f"one classifier has at most {limit:,} {what}; {count:,} networks ({self.ensemble:,} for each of"
                    f" {self.a_round(n_labels):,} questions) would make {found:,}."
                )

    def describe(self, network: Network, n_labels: int) -> str:
        """ "6 networks 294-100-1, one per label"; of one network "1 network 294-100-6"."""
        count = self.count(n_labels)
        widths = "-".join(map(str, (network.n_features, *(layer.units for layer in network.layers))))
        words = f"{count:,} network{'s' * (count > 1)} {widths}"
        if self.separate_networks:
            words += ", one per label" if self.ensemble == 1 else f", {self.ensemble:,} per label"
        elif self.ensemble > 1:
            words += ", an ensemble"
        return words

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Members:
        """The inverse of `to_json`; raises InputError on anything else."""
        return cls(**json_object("members", value, {field.name for field in dataclasses.fields(cls)}))


def parse_layers(text: str, activation: str = "relu") -> Network | tuple[int, ...]:
    """Read `--layers`: "25,15" gives hidden layer sizes, "25 relu, 15 tanh, 10 linear" a whole network."""
    parts = [part.strip() for part in text.split(",")]
    if parts == [""]:
        return ()
    if all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        return tuple(int(part) for part in parts)
    layers = []
    for part in parts:
        match = re.fullmatch(r"([0-9]{1,9})\s+([A-Za-z]+)", part)
        if not match:
            raise InputError(
                'layers must be hidden units as in "25,15", or a whole network as in "25 relu, 15 relu, 10 linear";'
                f" got {text!r}."
            )
        layers.append(Dense(int(match[1]), match[2]))
    return Network(tuple(layers))


@dataclass(frozen=True)
class Plan:
    """How a network is trained. Every field is a keyword of `Classifier` or a finer one reached through `spec=`.

    Args:
        optimizer: adam, adamw, sgd (with momentum) or nesterov (sgd with Nesterov's momentum).
        learning_rate: step size at the start of the schedule.
        schedule: constant, or cosine: half a cosine wave from learning_rate to 0 over all steps of max_epochs.
        momentum: of sgd and nesterov.
        beta1, beta2, epsilon: of adam and adamw.
        weight_decay: with adam, sgd and nesterov it adds weight_decay/2 · ‖W‖² to the mean loss; with adamw it is
            decoupled (W shrinks by learning_rate · weight_decay a step). Biases are free.
        clip_norm: the gradient is scaled down to this Euclidean norm, or None.
        dropout: share of each hidden layer's units set to 0 in a training step (in steps of 1/65536).
        batch_size: rows a step; the last batch of an epoch may be smaller.
        max_epochs: passes over the training rows.
        early_stopping: hold out rows, keep the best epoch, stop after `patience` epochs without a better one.
        patience: epochs.
        validation_fraction: share of the rows held out.
        metric: what the held-out rows are judged by.
        calibrate: fit the calibration on the held-out rows.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    dropout: float = 0.0
    batch_size: int = 32
    max_epochs: int = 100
    early_stopping: bool = True
    patience: int = 10
    validation_fraction: float = 0.1
    metric: str = "log_loss"
    calibrate: bool = True

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # NumPy scalars are welcome, and stored as what JSON knows
            value = getattr(self, field.name)
            if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
                object.__setattr__(self, field.name, value.item())
            elif field.type in ("float", "float | None") and type(value) is int:
                object.__setattr__(self, field.name, float(value))
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)
        _number("learning_rate", self.learning_rate, 0, 1e6, open_low=True)
        _number("momentum", self.momentum, 0, 0.999999)
        _number("beta1", self.beta1, 0, 0.999999)
        _number("beta2", self.beta2, 0, 0.999999)  # float32 holds it apart from 1
        _number("epsilon", self.epsilon, 1e-30, 1)
        _number("weight_decay", self.weight_decay, 0, 1e6)
        if self.clip_norm is not None:
            _number("clip_norm", self.clip_norm, 0, 1e30, open_low=True)
        _number("dropout", self.dropout, 0, 0.99)
        _whole("batch_size", self.batch_size, 1, 2**31 - 1)
        _whole("max_epochs", self.max_epochs, 1, 10**9)
        _whole("patience", self.patience, 1, 10**9)
        _number("validation_fraction", self.validation_fraction, 0, 1, open_low=True, open_high=True)
        for name in ("early_stopping", "calibrate"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be True or False; got {brief(getattr(self, name))}.")
        if not isinstance(self.metric, str):
            raise InputError(f"metric must be a word such as 'log_loss'; got {brief(self.metric)}.")

    def replace(self, changes: Mapping[str, Any]) -> Plan:
        """The plan with some fields changed; an unknown name is refused with the nearest known one."""
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise InputError(
                    f"no training setting is called {name!r}.{nearest(str(name), known)} Known: {', '.join(known)}."
                )
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Plan:
        """The inverse of `to_json`; raises InputError on anything else."""
        return cls(**json_object("plan", value, {field.name for field in dataclasses.fields(cls)}))


def json_object(name: str, value: object, keys: set[str]) -> dict[str, Any]:
    """`value` if it is a JSON object with exactly these keys; InputError otherwise."""
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a JSON object.")
    if set(value) != keys:
        missing, unknown = sorted(keys - set(value)), sorted(map(str, set(value) - keys))
        raise InputError(f"{name}: missing keys {missing[:5]}, unknown keys {brief(unknown[:5])}.")
    return value
