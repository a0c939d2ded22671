"""The object users hold: a scikit-learn estimator over the rooms behind it."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core, metrics, model_file, presets, training
from .data.encoders import FeatureEncoder
from .data.features import Features
from .data.inputs import as_inputs
from .data.splits import validation_rows
from .data.targets import TargetEncoder
from .decisions import calibration
from .engines.base import Engine, Parameters
from .errors import InputError, NotFittedError, nearest
from .heads import HEADS
from .spec import HIDDEN_ACTIVATIONS, Dense, HeadName, Network, Plan, json_object, one_of
from .training import History, Observer

Float32 = NDArray[np.float32]

ENGINES = ("native", "reference")
PLAN_SETTINGS = (
    "optimizer", "learning_rate", "weight_decay", "dropout", "batch_size", "max_epochs", "early_stopping",
    "patience", "validation_fraction", "metric", "calibrate",
)  # fmt: skip
"""Constructor names that are fields of the plan; the plan's other fields go through `spec`."""
FINER_SETTINGS = ("schedule", "momentum", "beta1", "beta2", "epsilon", "clip_norm")


@dataclass(frozen=True)
class FitSummary:
    """What was found and what will be done, before the training starts."""

    network: Network
    head: str
    task: str
    classes: tuple[Any, ...]
    n_train: int
    n_valid: int
    picture_shape: tuple[int, ...] | None
    plan: Plan
    preset: str
    seed: int
    n_threads: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """A training that is ready to run: data encoded, network drawn up, nothing learned yet."""

    engine: Engine
    features: Features
    targets: NDArray[Any]
    rows: NDArray[np.int64]
    valid_features: Features | None
    valid_targets: NDArray[Any] | None
    encoder: FeatureEncoder
    target: TargetEncoder
    head: HeadName
    split: dict[str, Any]
    data_sha256: str | None
    summary: FitSummary

    def estimate(self) -> float:
        """Seconds for all epochs, from a few trial steps."""
        return training.estimated_seconds(
            self.engine, self.features, self.targets, self.rows, self.summary.plan, self.summary.seed
        )


class Classifier:
    """A neural network for one class of many (softmax) or any subset of labels (sigmoid), trained from logits.

    The target decides: one class per row gives a softmax head (two classes: one sigmoid unit), a 0/1 matrix or
    label columns a sigmoid head. Settings left at None come from the preset.

    Args:
        network: `Network([Dense(25, "relu"), ..., Dense(10, "linear")])`, trained exactly as stated.
        hidden_layer_sizes: hidden layers only; the output layer follows from the target. () is logistic or
            softmax regression.
        activation: of the hidden layers: relu, tanh, gelu, silu, selu or linear.
        preset: "fast", one plain network.
        dropout: share of each hidden layer's units left out of a training step, in [0, 1).
        optimizer: "adam", "adamw" or "sgd".
        learning_rate: step size at the start of the schedule.
        weight_decay: adam and sgd add weight_decay/2 · ‖W‖² to the mean loss; adamw decays decoupled. Biases are free.
        batch_size: rows per step.
        max_epochs: passes over the training rows at most.
        early_stopping: hold out rows and keep the best epoch; stop after `patience` epochs without a better one.
        patience: epochs.
        validation_fraction: share of rows held out, unless `fit` is given X_val and y_val.
        metric: "log_loss", "accuracy", or for labels "macro_f1" and others: judges the held-out rows.
        calibrate: fit one temperature on the held-out rows. With early_stopping=False and calibrate=False every row
            is trained on for exactly max_epochs.
        task: None, "multi-class" or "multi-label"; needed where a target can be read both ways.
        engine: "native" (C++), or "reference" (NumPy float64, slow: the specification).
        n_jobs: threads; None or -1 takes every core this process may use. The bits do not depend on it.
        random_state: an integer seed, a NumPy generator, or None: a seed is drawn, and recorded.
        verbose: print a line per epoch (at most one a second) to standard error.
        spec: finer settings: schedule, momentum, beta1, beta2, epsilon, clip_norm.

    Attributes (after `fit`):
        classes_: class values, or label names. n_features_in_, feature_names_in_ (when columns have names).
        network_: the trained `Network`; print it. history_: a `training.History`; loss_curve_: its losses.
        n_iter_: epochs run; best_epoch_: the one kept, from 1. temperature_: 1.0 without calibration.
        validation_metrics_: figures of the held-out rows (they chose the epoch), or None. seed_: the seed used.

    Example:
        >>> import numpy as np, fromlogits as fl
        >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 25)
        >>> clf = fl.Classifier(hidden_layer_sizes=(8,), random_state=0).fit(X, X[:, 0] != X[:, 1])
        >>> clf.predict([[0.0, 1.0], [1.0, 1.0]])
        array([ True, False])
    """

    def __init__(
        self,
        *,
        network: Network | None = None,
        hidden_layer_sizes: tuple[int, ...] | None = None,
        activation: str | None = None,
        preset: str = "fast",
        dropout: float | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        batch_size: int | None = None,
        max_epochs: int | None = None,
        early_stopping: bool | None = None,
        patience: int | None = None,
        validation_fraction: float | None = None,
        metric: str | None = None,
        calibrate: bool | None = None,
        task: str | None = None,
        engine: str = "native",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
        spec: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.preset = preset
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.calibrate = calibrate
        self.task = task
        self.engine = engine
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.spec = spec

    # Training

    def fit(self, X: Any, y: Any, *, X_val: Any = None, y_val: Any = None) -> Classifier:
        """Train on rows X with targets y.

        Args:
            X: (n, d) array, a pandas, polars or other frame, or uint8 pictures (n, h, w[, c]).
            y: one class per row, or a 0/1 matrix (n, labels) of any frame or array kind.
            X_val, y_val: rows to judge epochs and calibrate by, instead of held-out ones.

        Ctrl-C stops after the current span of steps and keeps the best epoch so far, with a warning.

        Raises:
            InputError: data or a setting is not what it must be.
            DivergedError: the loss stopped being finite.
        """
        fit = self._prepare(X, y, X_val, y_val)
        for note in fit.summary.notes:
            if self.verbose:
                warnings.warn(note, stacklevel=2)
        with training.StopOnSignal() as stop:
            observer = training.Lines(fit.summary.plan) if self.verbose else None
            self._run(fit, observer=observer, stop=lambda: stop.reason)
        if self.history_.stopped_by == "interrupt":
            epochs, best = self.n_iter_, self.best_epoch_
            warnings.warn(f"training was interrupted in epoch {epochs}; epoch {best} is kept.", stacklevel=2)
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        X_val: Any = None,
        y_val: Any = None,
        *,
        picture_shape: tuple[int, ...] | None = None,
        class_names: tuple[Any, ...] | None = None,
        data_digest: str | None = None,
        roles: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Fit:
        """Check everything, encode the rows and draw up the network; what `fit` does before the first step.

        Args:
            picture_shape: a row is a picture of this shape.
            class_names: labels of a 0/1 matrix, or of class numbers.
            data_digest: SHA-256 of the training file, by which `evaluate` knows it again.
            roles: names of columns that are no features: target_names, id_names, ignored.
        """
        inputs = as_inputs(X)
        target = TargetEncoder.fit(y, self.task, class_names=class_names)
        targets = target.encode(y)
        n = len(targets)
        if len(inputs) != n:
            raise InputError(f"X and y must have the same number of rows; X has {len(inputs)}, y has {n}.")
        if (X_val is None) != (y_val is None):
            raise InputError("X_val and y_val come together; one of them is missing.")
        plan, hidden = self._plan(n, target.task)
        seed = self._seed()

        everything = np.arange(n, dtype=np.int64)
        split: dict[str, Any] = {"kind": "none"}
        rows, held_out = everything, everything[:0]
        if X_val is not None:
            split = {"kind": "given"}
        elif plan.early_stopping or plan.calibrate:
            rows, held_out = validation_rows(targets, target.n_classes, plan.validation_fraction, seed)
            split = {"kind": "fraction", "fraction": plan.validation_fraction, "seed": seed}

        encoder = FeatureEncoder.fit(inputs, rows, picture_shape=picture_shape, **dict(roles or {}))
        features = encoder.encode(inputs)
        valid_features, valid_targets = None, None
        if X_val is not None:
            valid_features, valid_targets = encoder.encode(as_inputs(X_val)), target.encode(y_val)
            if len(valid_features) != len(valid_targets):
                raise InputError(
                    "X_val and y_val must have the same number of rows;"
                    f" they have {len(valid_features)} and {len(valid_targets)}."
                )
        elif len(held_out):
            valid_features = Features(features.values[held_out], features.scale, features.shift)
            valid_targets = targets[held_out]

        network, head = self._network(hidden, features.values.shape[1], target)
        engine = self._new_engine(network, head)
        engine.initialise(seed)
        n_valid = 0 if valid_features is None else len(valid_features)
        summary = FitSummary(
            network,
            HEADS[head].describe(network.n_outputs),
            target.task,
            target.classes,
            len(rows),
            n_valid,
            encoder.schema.picture_shape,
            plan,
            self.preset,
            seed,
            self._n_threads(),
            (*encoder.notes, *target.notes),
        )
        return Fit(
            engine,
            features,
            _engine_targets(targets, head),
            rows,
            valid_features,
            valid_targets,
            encoder,
            target,
            head,
            split,
            data_digest,
            summary,
        )

    def _run(
        self, fit: Fit, *, observer: Observer | None = None, stop: Callable[[], str | None] = lambda: None
    ) -> None:
        """Train what `_prepare` made ready, and become the fitted classifier."""
        plan, seed = fit.summary.plan, fit.summary.seed
        validation = None
        if fit.valid_features is not None:
            assert fit.valid_targets is not None
            task, metric, known = fit.target.task, plan.metric, fit.valid_targets

            def value(logits_nc: Float32) -> float | None:
                return metrics.value(metric, task, logits_nc, known)

            validation = training.Validation(fit.valid_features, value, lambda a, b: metrics.is_better(metric, a, b))
        history = training.train(
            fit.engine, fit.features, fit.targets, fit.rows, plan, seed,
            validation=validation, observer=observer, stop=stop,
        )  # fmt: skip

        temperature, figures = 1.0, None
        if fit.valid_features is not None and fit.valid_targets is not None:
            logits_nc = fit.engine.logits(fit.valid_features)
            if plan.calibrate:
                temperature = calibration.fit_temperature(logits_nc, fit.valid_targets, fit.head)
            logits_nc = calibration.apply(logits_nc, temperature)
            figures = metrics.evaluate(fit.target.task, fit.target.classes, logits_nc, fit.valid_targets)
        record = {
            "preset": fit.summary.preset,
            "seed": seed,
            "n_train": fit.summary.n_train,
            "n_validation": fit.summary.n_valid,
            "split": fit.split,
            "data_sha256": fit.data_sha256,
            "best_epoch": history.best_epoch,
            "stopped_by": history.stopped_by,
            "history": [
                {"epoch": r.epoch, "loss": r.loss, "validation": r.validation, "learning_rate": r.learning_rate}
                for r in history.epochs
            ],
            "validation": figures,
        }
        self._become(
            fit.summary.network, fit.head, plan, fit.encoder, fit.target, fit.engine.parameters(), temperature, record
        )

    def _become(
        self,
        network: Network,
        head: HeadName,
        plan: Plan,
        encoder: FeatureEncoder,
        target: TargetEncoder,
        parameters: Parameters,
        temperature: float,
        record: dict[str, Any],
    ) -> None:
        """Set every fitted attribute; nothing of an earlier fit stays."""
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)
        self.network_, self.head_, self.plan_ = network, head, plan
        self.encoder_, self.target_ = encoder, target
        self.temperature_, self.record_ = temperature, record
        self.classes_ = target.classes_array
        self.n_features_in_ = encoder.schema.n_features
        if encoder.schema.names is not None:
            self.feature_names_in_ = np.array(encoder.schema.names, dtype=object)
        epochs = tuple(
            training.EpochRecord(
                e["epoch"], e["loss"], e["validation"], e["epoch"] == record["best_epoch"], e["learning_rate"]
            )
            for e in record["history"]
        )
        self.history_ = History(epochs, record["best_epoch"], record["stopped_by"])
        self.loss_curve_ = [epoch.loss for epoch in epochs]
        self.n_iter_, self.best_epoch_ = len(epochs), record["best_epoch"]
        self.seed_: int = record["seed"]
        self.validation_metrics_: dict[str, Any] | None = record["validation"]
        self._engine = self._new_engine(network, head)
        self._engine.set_parameters(parameters)

    # Settings

    def _plan(self, n_rows: int, task: metrics.Task) -> tuple[Plan, tuple[Dense, ...]]:
        """The resolved plan, and the hidden layers."""
        hidden = self._stated_hidden()
        units = None if hidden is None else [layer.units for layer in hidden]
        preset = presets.settings(self.preset, n_rows, units, self.optimizer)
        sizes, activation = preset.pop("hidden_layer_sizes"), preset.pop("activation")
        if hidden is None:
            hidden = tuple(Dense(units, self._stated_activation(activation)) for units in sizes)
        settings = {name: getattr(self, name) for name in PLAN_SETTINGS if getattr(self, name) is not None}
        finer = dict(self.spec or {})
        for name in finer:
            if name not in FINER_SETTINGS:
                known = ", ".join(FINER_SETTINGS)
                raise InputError(f"spec takes {known}; got {name!r}.{nearest(str(name), FINER_SETTINGS)}")
        plan = Plan().replace({**preset, **settings, **finer})
        metrics.validate_metric(plan.metric, task)
        return plan, hidden

    def _stated_activation(self, otherwise: str) -> str:
        if self.activation is None:
            return otherwise
        one_of("activation", self.activation, (*HIDDEN_ACTIVATIONS, "identity"))
        return self.activation

    def _stated_hidden(self) -> tuple[Dense, ...] | None:
        """The hidden layers of `network` or `hidden_layer_sizes`, or None: the preset's."""
        if self.network is not None:
            if not isinstance(self.network, Network):
                raise InputError(f"network must be a fromlogits.Network; got {type(self.network).__name__}.")
            if self.hidden_layer_sizes is not None or self.activation is not None:
                other = "hidden_layer_sizes" if self.hidden_layer_sizes is not None else "activation"
                raise InputError(
                    f"state either network or {other}, not both: a stated network is trained exactly as stated."
                )
            return tuple(self.network.layers[:-1])
        if self.hidden_layer_sizes is None:
            return None
        sizes: Any = self.hidden_layer_sizes
        sizes = [sizes] if isinstance(sizes, (int, np.integer)) else sizes
        if isinstance(sizes, str) or not hasattr(sizes, "__iter__"):
            raise InputError(f"hidden_layer_sizes must be a tuple of whole numbers; got {sizes!r}.")
        activation = self._stated_activation("relu")
        return tuple(Dense(size.item() if isinstance(size, np.integer) else size, activation) for size in sizes)

    def _network(self, hidden: tuple[Dense, ...], n_features: int, target: TargetEncoder) -> tuple[Network, HeadName]:
        """The network as an engine takes it, and its head."""
        n_classes, is_two_class = target.n_classes, target.task == "multi-class" and target.n_classes == 2
        fits: dict[int, HeadName]
        if target.task == "multi-label":
            fits, words = {n_classes: "sigmoid"}, "one sigmoid unit per label"
        elif is_two_class:
            fits, words = {1: "sigmoid", 2: "softmax"}, "1 unit (sigmoid) or 2 units (softmax)"
        else:
            fits, words = {n_classes: "softmax"}, "one softmax unit per class"
        usual = next(iter(fits))
        last = Dense(usual) if self.network is None else self.network.layers[-1]
        head = fits.get(last.units)
        if head is None or last.activation not in ("linear", head):
            kind = "labels" if target.task == "multi-label" else "classes"
            raise InputError(
                f"the last layer must have {words} for this {target.task} target with {n_classes} {kind};"
                f" the network ends in Dense({last.units}, {last.activation!r}). Dense({usual}, 'linear') fits."
            )
        return Network((*hidden, last)).with_input(n_features), head

    def _seed(self) -> int:
        state = self.random_state
        if state is None:
            return int(np.random.SeedSequence().generate_state(1)[0])
        if isinstance(state, np.random.RandomState):
            return int(state.randint(2**31))
        if isinstance(state, np.random.Generator):
            return int(state.integers(2**31))
        if isinstance(state, (int, np.integer)) and not isinstance(state, bool) and 0 <= state < 2**63:
            return int(state)
        raise InputError(f"random_state must be a whole number from 0 to 2^63 - 1, a generator or None; got {state!r}.")

    def _n_threads(self) -> int:
        if self.n_jobs is not None and (
            isinstance(self.n_jobs, bool)
            or not isinstance(self.n_jobs, (int, np.integer))
            or not (self.n_jobs == -1 or 1 <= self.n_jobs <= 1024)
        ):
            raise InputError(f"n_jobs must be a number of threads from 1 to 1024, -1 or None; got {self.n_jobs!r}.")
        if self.n_jobs in (None, -1):
            has_affinity = hasattr(os, "sched_getaffinity")
            return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
        return int(self.n_jobs)

    def _new_engine(self, network: Network, head: HeadName) -> Engine:
        if self.engine == "native":
            from .engines.native import NativeEngine

            return NativeEngine(network, head, n_threads=self._n_threads())
        if self.engine == "reference":
            from .engines.reference import ReferenceEngine

            return ReferenceEngine(network, head)
        hint = nearest(self.engine, ENGINES) if isinstance(self.engine, str) else ""
        raise InputError(f"engine must be one of {', '.join(ENGINES)}; got {self.engine!r}.{hint}")

    # Prediction

    def predict_logits(self, X: Any, *, calibrated: bool = True) -> Float32:
        """The linear outputs z, float32 (n, c); two classes: (n, 1).

        Args:
            X: rows as `fit` took them; columns are matched by name.
            calibrated: divided by the temperature; False gives what the network computed.
        """
        self._check_fitted()
        logits_nc = self._engine.logits(self.encoder_.encode(as_inputs(X)))
        return calibration.apply(logits_nc, self.temperature_) if calibrated else logits_nc

    def predict_proba(self, X: Any) -> Float32:
        """Probabilities, float32 (n, K): of the classes, summing to 1, or of each label on its own."""
        return self._probabilities(self.predict_logits(X))

    def predict_log_proba(self, X: Any) -> Float32:
        """Logarithms of `predict_proba`, from the logits: finite where a probability rounds to 0."""
        logits_nc = self.predict_logits(X)
        return HEADS[self.head_].log_probabilities(self._both_sides(logits_nc))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row (ties: the lowest index), or a 0/1 matrix: probability above 0.5.

        It decides by the probabilities that `predict_proba` returns, so the two always agree.
        """
        return self._decide(self.predict_logits(X))

    def decision_function(self, X: Any) -> Float32:
        """The logits; two classes: (n,), positive for classes_[1]."""
        logits_nc = self.predict_logits(X)
        return logits_nc[:, 0] if self._is_one_unit else logits_nc

    def score(self, X: Any, y: Any) -> float:
        """Accuracy; for labels, the share of rows with every label right."""
        figures = self.evaluate(X, y)
        return float(figures["accuracy" if self.target_.task == "multi-class" else "subset_accuracy"])

    def evaluate(self, X: Any, y: Any) -> dict[str, Any]:
        """Figures of these rows, as `fromlogits evaluate --json` prints them."""
        logits_nc = self.predict_logits(X)
        targets = self.target_.encode(y, unknown="mark")
        if len(targets) != len(logits_nc):
            raise InputError(
                f"X and y must have the same number of rows; X has {len(logits_nc)}, y has {len(targets)}."
            )
        return metrics.evaluate(self.target_.task, self.target_.classes, logits_nc, targets)

    @property
    def _is_one_unit(self) -> bool:
        return self.target_.task == "multi-class" and self.network_.n_outputs == 1

    def _both_sides(self, logits_nc: Float32) -> Float32:
        """One unit's logit as the two classes' logits: −z and z."""
        return np.hstack([-logits_nc, logits_nc]) if self._is_one_unit else logits_nc

    def _probabilities(self, logits_nc: Float32) -> Float32:
        return HEADS[self.head_].probabilities(self._both_sides(logits_nc))

    def _decide(self, logits_nc: Float32) -> NDArray[Any]:
        if self.target_.task == "multi-label":
            return HEADS["sigmoid"].decide(logits_nc)
        return np.asarray(self.classes_[metrics.predicted_classes(logits_nc)])

    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            raise _not_fitted(
                f"This {type(self).__name__} is not fitted yet; call fit(X, y) first, or fromlogits.load."
            )

    # The model file

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write one safetensors file (docs/file-format.md), whole or not at all.

        Raises InputError if the file exists and overwrite is False, or if the folder does not.
        """
        self._check_fitted()
        tensors: dict[str, NDArray[Any]] = dict(self.encoder_.tensors())
        for number, (weights, biases) in enumerate(self._engine.parameters()):
            tensors[f"layer.{number}.weights"], tensors[f"layer.{number}.biases"] = weights, biases
        manifest = {
            "versions": {"fromlogits": _core.version(), "numpy": np.__version__},
            "spec": {"network": self.network_.to_json(), "head": self.head_, "plan": self.plan_.to_json()},
            "encoder": self.encoder_.to_json(),
            "target": self.target_.to_json(),
            "calibration": {"temperature": self.temperature_},
            "record": self.record_,
        }
        model_file.save_model(Path(path), manifest, tensors, overwrite=overwrite)

    def describe(self) -> dict[str, Any]:
        """What the classifier holds, as `fromlogits inspect --json` prints it."""
        self._check_fitted()
        return {
            "task": self.target_.task,
            "classes": list(self.target_.classes),
            "network": self.network_.to_json(),
            "parameters": self.network_.n_parameters,
            "head": HEADS[self.head_].describe(self.network_.n_outputs),
            "plan": self.plan_.to_json(),
            "encoder": self.encoder_.to_json(),
            "temperature": self.temperature_,
            "record": self.record_,
        }

    # scikit-learn's conventions, without importing it

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's settings."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **settings: Any) -> Classifier:
        """Change settings; an unknown one is refused with the nearest known one."""
        known = self._parameter_names()
        for name, value in settings.items():
            if name not in known:
                raise InputError(
                    f"Invalid parameter {name!r} for {type(self).__name__}.{nearest(name, known)}"
                    f" Known: {', '.join(known)}."
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in inspect.signature(type(self).__init__).parameters.items()}
        stated = [f"{name}={value!r}" for name, value in self.get_params().items() if value is not defaults[name]]
        return f"{type(self).__name__}({', '.join(stated)})"

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        if "_engine" in state:
            state["_engine"] = self._engine.parameters()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "_engine" in state:
            self._engine = self._new_engine(self.network_, self.head_)
            self._engine.set_parameters(state["_engine"])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_label=True),
            input_tags=InputTags(),
        )


def load(path: str | os.PathLike[str], *, n_jobs: int | None = None) -> Classifier:
    """The classifier that `save` wrote, predicting with `n_jobs` threads (None: every core).

    Raises ModelFileError for anything else; no code in the file is ever run.
    """
    manifest, tensors = model_file.load_model(Path(path))
    with model_file.naming(path):
        fields = json_object("manifest", manifest, {"versions", "spec", "encoder", "target", "calibration", "record"})
        spec = json_object("spec", fields["spec"], {"network", "head", "plan"})
        network, plan, head = Network.from_json(spec["network"]), Plan.from_json(spec["plan"]), spec["head"]
        one_of("head", head, tuple(HEADS))
        target = TargetEncoder.from_json(fields["target"])
        layers: dict[str, tuple[DTypeLike, tuple[int, ...]]] = {}
        for number, (h, d) in enumerate(network.shapes):
            layers[f"layer.{number}.weights"] = (np.float32, (h, d))
            layers[f"layer.{number}.biases"] = (np.float32, (h,))
        model_file.check_tensors({name: t for name, t in tensors.items() if name.startswith("layer.")}, layers)
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
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not 1e-6 < temperature < 1e6:
            raise InputError(f"the temperature must be a positive number; it is {temperature!r}.")
        record = _checked_record(fields["record"])
        settings = {name: getattr(plan, name) for name in PLAN_SETTINGS}
        finer = {name: getattr(plan, name) for name in FINER_SETTINGS}
        clf = Classifier(
            network=Network(network.layers),
            task=target.task,
            n_jobs=n_jobs,
            random_state=record["seed"],
            spec=finer,
            **settings,
        )
        parameters = [(tensors[f"layer.{i}.weights"], tensors[f"layer.{i}.biases"]) for i in range(len(network.layers))]
        clf._become(network, head, plan, encoder, target, parameters, float(temperature), record)
    return clf


def _checked_record(value: object) -> dict[str, Any]:
    """The training record, as far as the classifier itself reads it."""
    record = json_object(
        "record",
        value,
        {
            "preset",
            "seed",
            "n_train",
            "n_validation",
            "split",
            "data_sha256",
            "best_epoch",
            "stopped_by",
            "history",
            "validation",
        },
    )
    if not isinstance(record["seed"], int) or not 0 <= record["seed"] < 2**63:
        raise InputError(f"the seed must be a whole number; it is {record['seed']!r}.")
    if not isinstance(record["history"], list):
        raise InputError("the history must be a list.")
    for epoch in record["history"]:
        json_object("epoch", epoch, {"epoch", "loss", "validation", "learning_rate"})
    if not isinstance(record["split"], dict):
        raise InputError("the split must be an object.")
    return record


def _engine_targets(targets: NDArray[Any], head: HeadName) -> NDArray[Any]:
    """Targets as an engine's head takes them: int32 (n,), or float32 (n, c)."""
    if head == "softmax":
        return np.ascontiguousarray(targets, dtype=np.int32)
    return np.ascontiguousarray(targets.reshape(len(targets), -1), dtype=np.float32)


def _not_fitted(message: str) -> NotFittedError:
    """Also scikit-learn's own NotFittedError where it is loaded, so that its tools recognise it."""
    import sys

    theirs = sys.modules.get("sklearn.exceptions")
    if theirs is None:
        return NotFittedError(message)
    both: type[NotFittedError] = type("NotFittedError", (NotFittedError, theirs.NotFittedError), {})
    return both(message)
