"""From what was stated to what is done: the plan, the layers, the networks and the seed of a training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics, presets
from .data.backbones.reference import is_pretrained
from .data.encoders import DENSE, FeatureEncoder
from .data.encodings.code import MOST_OF_A_FEATURE_EACH
from .data.features import EncodedRows, SparseFeatures
from .data.form import Form
from .data.table import Inputs, Matrix, SparseMatrix
from .data.targets import TargetEncoder
from .engines import precision
from .errors import InputError, nearest
from .spec import (
    HIDDEN_ACTIVATIONS,
    Columns,
    Dense,
    Embedding,
    HeadName,
    Layer,
    Members,
    Network,
    Plan,
    describe_layer,
    one_of,
)

Settings = Mapping[str, Any]
"""The constructor's settings of a `Classifier`, by name."""

PLAN_SETTINGS = (
    "optimizer", "learning_rate", "weight_decay", "dropout", "batch_size", "max_epochs", "early_stopping",
    "patience", "validation_fraction", "metric", "calibrate",
)  # fmt: skip
"""Settings that are fields of the plan; the plan's other fields go through `spec`."""
FINER_SETTINGS = (
    "schedule", "momentum", "beta1", "beta2", "epsilon", "clip_norm", "bias_rate", "slope_rate", "scaling_rate",
    "embedding_rate", "rate_by_width", "scaling_decay", "decay_schedule", "dropout_schedule", "label_smoothing",
    "initialisation", "numbers", "folds", "shift", "zoom", "flip",
    "colour", "cut_out", "precision", "averaging",
)  # fmt: skip


@dataclass(frozen=True)
class Resolved:
    """Every setting that was not stated, filled in by the preset.

    Attributes:
        hidden: the layers but the last.
        ensemble: how many networks, where it is not stated.
        is_stated: the layers are, so that none of them is left out.
        last: the last layer where it is stated, else None: the target decides.
    """

    plan: Plan
    hidden: tuple[Layer, ...]
    ensemble: int
    is_stated: bool
    last: Dense | None

    def for_features(self, encoder: FeatureEncoder, features: EncodedRows, rows: NDArray[np.int64]) -> Resolved:
        """Of a preset's own layers those that have something to embed in the training rows."""
        if self.is_stated:
            return self
        layers = presets.fitting_layers(
            self.hidden,
            has_numbers=len(encoder.numbers) > 0,
            has_categories=len(encoder.categories) > 0,
            has_peaks=_has_peaks(encoder, features, rows),
        )
        return dataclasses.replace(self, hidden=layers)


def resolved(settings: Settings, task: metrics.Task, told: presets.Task) -> Resolved:
    """The plan and the layers.

    Args:
        settings: of the classifier.
        task: what the target is.
        told: what a preset is told of the data; what it is told of the settings is filled in here.
    """
    hidden = _stated_hidden(settings)
    told = dataclasses.replace(
        told,
        metric=settings["metric"] or told.metric,
        optimizer=settings["optimizer"],
        holds_out=told.holds_out and (settings["early_stopping"] is not False or settings["calibrate"] is not False),
        is_separate=settings["separate_networks"],
    )
    recipe = _backbone_recipe(settings, told, hidden) or presets.recipe(settings["preset"], told, hidden)
    if hidden is None and settings["activation"] is not None:
        activation = _stated_activation(settings, "relu")
        own = [
            dataclasses.replace(one, activation=activation) if isinstance(one, Dense) else one for one in recipe.layers
        ]
        recipe = dataclasses.replace(recipe, layers=tuple(own))
    stated = {name: settings[name] for name in PLAN_SETTINGS if settings[name] is not None}
    finer = dict(settings["spec"] or {})
    for name in finer:
        if name not in FINER_SETTINGS:
            known = ", ".join(FINER_SETTINGS)
            raise InputError(f"spec takes {known}; got {name!r}.{nearest(str(name), FINER_SETTINGS)}")
    plan = Plan().replace({**recipe.plan, **stated, **finer})
    if settings["ensemble"] is not None and "folds" not in finer and plan.folds > 1:
        plan = plan.replace({"folds": _folds_of(settings["ensemble"], plan.folds)})
    metrics.validate_metric(plan.metric, task)
    last = None if settings["network"] is None else settings["network"].dense[-1]
    return Resolved(plan, recipe.layers, max(recipe.ensemble, plan.folds), hidden is not None, last)


def _backbone_recipe(settings: Settings, told: presets.Task, hidden: tuple[Layer, ...] | None) -> presets.Recipe | None:
    """What the stated backbone makes of the task; None where there is none."""
    if settings["backbone"] is None:
        return None
    presets.check_backbone(settings["backbone"])
    if settings["backbone"] == "none" or is_pretrained(settings["backbone"]):
        return None
    if settings["network"] is not None:
        raise InputError("state either network or backbone, not both: a stated network is trained exactly as stated.")
    if told.kind != "picture":
        raise InputError(
            "backbone='tiny' is a network over pictures; the rows are none. Give pictures (uint8 of shape (n, h, w) or"
            " (n, h, w, channels), as by X.reshape(-1, h, w, channels)); on the command line --image-shape HxW says"
            " that each row is one."
        )
    if "precision" not in (settings["spec"] or {}):
        told = dataclasses.replace(told, precision=precision.fastest(settings["engine"], settings["device"]))
    return presets.tiny(settings["preset"], told, hidden)


PEAK_ROWS, MANY_VALUES = 20_000, 10


def _has_peaks(encoder: FeatureEncoder, features: EncodedRows, rows: NDArray[np.int64]) -> bool:
    """Whether both quartiles of a number of many values are one and the same."""
    if isinstance(features, SparseFeatures) or features.values.dtype == np.uint8:
        return False
    some = rows[:: -(-len(rows) // PEAK_ROWS)]
    for feature in encoder.numbers:
        values = np.sort(features.values[some, feature])
        is_peak = values[len(values) // 4] == values[3 * len(values) // 4]
        if is_peak and len(np.unique(values)) > MANY_VALUES:
            return True
    return False


def _folds_of(ensemble: Any, folds: int) -> int:
    """The preset's folds where so many networks are stated: none without a fold of its own, and one has none."""
    is_whole = isinstance(ensemble, (int, np.integer)) and not isinstance(ensemble, bool)
    return max(1, min(int(ensemble), folds)) if is_whole else folds


def told_of(inputs: Inputs, n_rows: int, picture_shape: tuple[int, ...] | None) -> presets.Task:
    """What a preset is told of these rows, of which so many take part, by themselves."""
    if isinstance(inputs, Matrix) and inputs.seen_by is not None:
        return presets.Task(n_rows, int(inputs.values.shape[1]), "features")
    if picture_shape is not None or (isinstance(inputs, Matrix) and inputs.picture_shape is not None):
        shape = picture_shape or (inputs.picture_shape if isinstance(inputs, Matrix) else None)
        return presets.Task(n_rows, inputs.n_features, "picture", picture_shape=shape)
    is_sparse = isinstance(inputs, SparseMatrix) and inputs.density < DENSE
    return presets.Task(n_rows, inputs.n_features, "sparse" if is_sparse else "table")


def form_of(plan: Plan, hidden: Sequence[Layer]) -> Form:
    """In which form a network of these layers takes its features."""
    return Form(
        is_robust=plan.numbers == "robust",
        has_codes=any(isinstance(layer, Embedding) for layer in hidden),
        is_dense=not all(isinstance(layer, Dense) for layer in hidden),
    )


def holds_out(settings: Settings, n_rows: int, task: metrics.Task) -> bool:
    """Whether a training with these settings keeps validation rows, unless it is given some."""
    plan = resolved({**settings, "backbone": None}, task, presets.Task(n_rows)).plan
    return plan.early_stopping or plan.calibrate


def _stated_activation(settings: Settings, otherwise: str) -> str:
    activation = otherwise if settings["activation"] is None else settings["activation"]
    one_of("activation", activation, (*HIDDEN_ACTIVATIONS, "identity"))
    return str(activation)


def _stated_hidden(settings: Settings) -> tuple[Layer, ...] | None:
    """The layers but the last of `network` or `hidden_layer_sizes`, or None: the preset's."""
    if settings["network"] is not None:
        if not isinstance(settings["network"], Network):
            raise InputError(f"network must be a fromlogits.Network; got {type(settings['network']).__name__}.")
        if settings["hidden_layer_sizes"] is not None or settings["activation"] is not None:
            other = "hidden_layer_sizes" if settings["hidden_layer_sizes"] is not None else "activation"
            raise InputError(
                f"state either network or {other}, not both: a stated network is trained exactly as stated."
            )
        return tuple(settings["network"].layers[:-1])
    if settings["hidden_layer_sizes"] is None:
        return None
    sizes: Any = settings["hidden_layer_sizes"]
    sizes = [sizes] if isinstance(sizes, (int, np.integer)) else sizes
    if isinstance(sizes, str) or not hasattr(sizes, "__iter__"):
        raise InputError(f"hidden_layer_sizes must be a tuple of whole numbers; got {sizes!r}.")
    activation = _stated_activation(settings, "relu")
    return tuple(Dense(size.item() if isinstance(size, np.integer) else size, activation) for size in sizes)


def members_of(settings: Settings, target: TargetEncoder, folds: int = 1, otherwise: int = 1) -> Members:
    """How many networks, checked against the target and the folds; unless it is stated, so many as `otherwise`."""
    ensemble = otherwise if settings["ensemble"] is None else settings["ensemble"]
    ensemble = ensemble.item() if isinstance(ensemble, np.integer) else ensemble
    stated = Members(ensemble, settings["separate_networks"])
    if stated.ensemble < folds:
        raise InputError(
            f"folds={folds} needs a network without each fold, an ensemble of {folds} at least; it is"
            f" {stated.ensemble}. Set ensemble={folds} or more, or leave it out, or set folds={stated.ensemble}."
        )
    if stated.separate_networks and target.task != "multi-label":
        raise InputError(
            "separate_networks trains one network per label; this target has one class per row"
            f" ({target.n_classes} classes). Leave it out, or give a 0/1 matrix with task='multi-label'"
            " (--task multi-label)."
        )
    return stated


def network_of(
    settings: Settings,
    what: Resolved,
    encoder: FeatureEncoder,
    target: TargetEncoder,
    stated_members: Members,
) -> tuple[Network, HeadName]:
    """Each network as an engine takes it, and its head."""
    n_classes, is_two_class = target.n_classes, target.task == "multi-class" and target.n_classes == 2
    fits: dict[int, HeadName]
    if stated_members.separate_networks:
        fits, words = {1: "sigmoid"}, "1 unit in each of the separate networks"
    elif target.task == "multi-label":
        fits, words = {n_classes: "sigmoid"}, "one sigmoid unit per label"
    elif is_two_class:
        fits, words = {1: "sigmoid", 2: "softmax"}, "1 unit (sigmoid) or 2 units (softmax)"
    else:
        fits, words = {n_classes: "softmax"}, "one softmax unit per class"
    usual = next(iter(fits))
    last = what.last or Dense(usual)
    head = fits.get(last.units)
    if head is None or last.activation not in ("linear", head):
        kind = "labels" if target.task == "multi-label" else "classes"
        raise InputError(
            f"the last layer must have {words} for this {target.task} target with {n_classes} {kind};"
            f" the network ends in Dense({last.units}, {last.activation!r}). Dense({usual}, 'linear') fits."
        )
    stated = None if settings["network"] is None else settings["network"].n_features
    if stated not in (None, encoder.n_features):
        raise InputError(f"the network states {stated} input features; the data have {encoder.n_features}.")
    columns = Columns(encoder.numbers, encoder.categories)
    if settings["network"] is not None and settings["network"].columns not in (None, columns):
        raise InputError("the network states other columns than the data have; leave columns out: they are found.")
    network = Network((*what.hidden, last)).with_input(encoder.n_features, columns, encoder.schema.picture_shape)
    for layer, embedded, kind in (
        (network.of_numbers, network.numbers, "columns of numbers"),
        (network.embedding, network.categories, f"categories that make more than {MOST_OF_A_FEATURE_EACH} features"),
    ):
        if layer is not None and not embedded:
            raise InputError(
                f"the layer {describe_layer(layer)!r} is for {kind}; the data have none. Leave it out of the network."
            )
    return network, head


def seed_of(random_state: Any) -> int:
    """The seed that a `random_state` stands for; None draws one."""
    state = random_state
    if state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(state, np.random.RandomState):
        return int(state.randint(2**31))
    if isinstance(state, np.random.Generator):
        return int(state.integers(2**31))
    if isinstance(state, (int, np.integer)) and not isinstance(state, bool) and 0 <= state < 2**63:
        return int(state)
    raise InputError(f"random_state must be a whole number from 0 to 2^63 - 1, a generator or None; got {state!r}.")
