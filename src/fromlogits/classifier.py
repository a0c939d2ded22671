"""The object users hold: a scikit-learn estimator over the rooms behind it."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import budget, calibrating, few_rows, fitting, members, resolving, training
from . import callbacks as callback
from .cores import check_n_jobs, n_threads
from .data.backbones.reference import is_pretrained
from .data.encoders import Surprises
from .data.groups_and_times import as_groups
from .data.inputs import as_inputs
from .data.label_sets import SparseLabels
from .data.targets import dense
from .decisions import calibration
from .decisions import sets as of_sets
from .decisions.rules import checked_share, checked_top, top
from .decisions.sets import PredictionSets, checked_coverage
from .errors import InputError, counted
from .estimator import Estimator, NamedAsASetting, not_fitted, warn_caller
from .fitting import Fit, FitSummary
from .heads import HEADS
from .incremental import Increments
from .members import Member, Observer
from .model import Model
from .spec import Network
from .weights import checked

Float32 = NDArray[np.float32]
PART_VALUES = 1 << 22
"""Logits that are computed at a time; what is made of them takes some 50 MB."""


class Classifier(Estimator):
    """A neural network for one class of many (softmax) or any subset of labels (sigmoid), trained from logits.

    The target decides: one class per row gives a softmax head (two classes: one sigmoid unit), a 0/1 matrix or
    label columns a sigmoid head. Settings left at None come from the preset.

    Args:
        network: `Network([Dense(25, "relu"), ..., Dense(10, "linear")])`, trained exactly as stated.
        hidden_layer_sizes: hidden layers only; the output layer follows from the target. () is logistic or
            softmax regression.
        activation: of the hidden layers: relu, tanh, gelu, silu, selu, sigmoid or linear.
        preset: what gives every setting that is not stated. "fast", one network of few passes; "good", a few by the
            recipe of RealMLP, each judged by a fold of its own, in seconds; "best", ten with all the passes that help.
            Layers that are stated (network, hidden_layer_sizes) are trained as a plain network, by "best" in five
            folds.
        backbone: of pictures: "tiny", a small residual network in front of the dense layers, by a plan of its own
            (docs/how-to/torch.md); "hf:NAME", a pretrained network that stays as it is, by its name on Hugging Face or
            its folder (docs/how-to/backbones.md); None or "none": dense layers alone.
        dropout: share of each hidden layer's units left out of a training step, in [0, 0.99].
        optimizer: "adam", "adamw", "sgd" or "nesterov".
        learning_rate: step size at the start of the schedule.
        weight_decay: adds weight_decay/2 · ‖W‖² to the mean loss; that of adamw is decoupled. Biases are free.
        batch_size: rows per step.
        max_epochs: passes over the training rows at most.
        time_limit: seconds that `fit` may take, or None. What does not fit by trial steps is left out before the
            training starts, with a warning: first networks of the ensemble, then epochs, whose schedule is then that of
            so many. Where the time is over all the same, every network keeps its best epoch. One and the same seed may
            then give other networks.
        early_stopping: hold out rows and keep the best epoch; stop after `patience` epochs without a better one.
        patience: epochs.
        validation_fraction: share of rows held out, unless `fit` is given X_val and y_val.
        metric: "log_loss", "accuracy", or for labels "macro_f1" and others: judges the held-out rows.
        decide_for: what `predict` decides for, chosen on the held-out rows; None: the largest probability, or above
            0.5. "f1", "f2", "f0.5", "balanced_accuracy" or "accuracy", of each label on its own, of the second of two
            classes, or as a mean over more classes ("macro_f1" says so for two as well); "micro_f1", of labels
            together; "recall>=0.9" or "precision>=0.9", of labels or the second of two classes. Or costs[true,
            decided], of classes (K, K) or {true: {decided: cost}}, of labels (2, 2), (L, 2, 2) or {label: (2, 2)}:
            the smallest expected cost decides, and no rows choose. Where other decisions gain nothing on rows that did
            not choose them, the natural ones stay.
        class_weight: of one class per row: "balanced", or {class: weight}, where a class that is not named counts 1. It
            multiplies the weight of the rows; "balanced" makes the classes weigh the same in sum: n / (K · n_c).
        pos_weight: of labels: what a 1 counts beside a 0 in the loss: one number, one for each label, {label: weight},
            or "balanced": n_0 / n_1.
        separate_networks: of labels: one network with one unit for each, side by side on the threads, instead of one
            network with a unit for each. A stated network then ends in Dense(1).
        ensemble: so many networks that answer the same question, or None: one. The first is the one there would be
            without; the others have seeds made from its. Their mean probability is the answer.
        warm_start: a second `fit` goes on from the present parameters, with the columns, classes and scaling of the
            first and, where random_state is None, its seed, so that the same rows are held out of the same table. Its
            epochs count from 1. What does not fit them is refused.
        calibrate: fit a temperature on the held-out rows, or with sigmoid units one and a bias for each label, as far
            as cross-fitting shows that the log loss gets smaller. With early_stopping=False and calibrate=False every
            row is trained on for exactly max_epochs.
        task: None, "multi-class" or "multi-label"; needed where a target can be read both ways.
        engine: "native" (C++), "torch" (PyTorch, the extra `torch`; docs/how-to/torch.md), or "reference" (NumPy
            float64, slow: the specification). None: native, or torch for a backbone.
        device: of the torch engine and of a pretrained backbone: "cpu", "cuda" or "mps"; None: the first CUDA device if
            there is one, else the processor. The other engines compute on the processor.
        n_jobs: threads; None or -1 takes every core this process may use. The bits do not depend on it, unless
            PyTorch trains.
        random_state: an integer seed, a NumPy generator, or None: a seed is drawn, and recorded.
        verbose: print a line per epoch (at most one a second) to standard error.
        spec: finer settings (docs/reference/settings.md), among them folds: with k from 2 on, the
            rows are shared out among k folds. Each network of the ensemble (k of them unless it says more) is trained
            on all folds but one, which judges its epochs, and every row calibrates by the networks that were not
            trained on it: no row is spared, and none is judged by who saw it.

    Attributes (after `fit`):
        classes_: class values, or label names. n_features_in_, feature_names_in_ (when columns have names): of the
        columns that are used.
        network_: the trained `Network`, of several each one; print it. history_: a `training.History`, of several
        networks that of the first; loss_curve_: its losses. n_iter_: epochs run; best_epoch_: the one kept, from 1; of
        several networks the largest. members_: every network, with its label, seed, metric and history: the first for
        each label, then the second of an ensemble, and so on. calibration_: what `predict_logits` does to the logits:
        `temperatures`, that divide them, and `biases`, that are added then, or None. temperature_: one number for all
        of them, 1.0 without calibration, or an array of each label's. record_: how it was trained; "calibration" in it
        has the cross-fitted log losses. thresholds_: of labels (L,), of two classes (1,) of the second: what a
        probability has to exceed; None where the classes are decided for otherwise. decision_: what `decide_for`
        gained, cross-fitted ("figures"), or None. sets_: a `decisions.sets.PredictionSets` where rows were kept for
        them, or None.
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
        preset: str = "good",
        backbone: str | None = None,
        dropout: float | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        batch_size: int | None = None,
        max_epochs: int | None = None,
        time_limit: float | None = None,
        early_stopping: bool | None = None,
        patience: int | None = None,
        validation_fraction: float | None = None,
        metric: str | None = None,
        decide_for: Any = None,
        class_weight: Any = None,
        pos_weight: Any = None,
        separate_networks: bool = False,
        ensemble: int | None = None,
        warm_start: bool = False,
        calibrate: bool | None = None,
        task: str | None = None,
        engine: str | None = None,
        device: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
        spec: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.preset = preset
        self.backbone = backbone
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.time_limit = time_limit
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.decide_for = decide_for
        self.class_weight = class_weight
        self.pos_weight = pos_weight
        self.separate_networks = separate_networks
        self.ensemble = ensemble
        self.warm_start = warm_start
        self.calibrate = calibrate
        self.task = task
        self.engine = engine
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.spec = spec

    # Training

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
        times: Any = None,
        callbacks: Any = None,
    ) -> Classifier:
        """Train on rows X with targets y.

        Args:
            X: (n, d) array, NaN where there is no value; a pandas, polars or other frame, whose columns may be numbers,
                categories, dates and yes or no, with gaps (docs/guide/tables.md); a SciPy sparse matrix; or uint8
                pictures (n, h, w[, c]). A frame's identifiers, constants and free text are left out.
            y: one class per row; or a 0/1 matrix (n, labels), an array, a frame or sparse; or a set of labels per row;
                or, with `task`, probabilities (n, K). NaN where a label is unknown, or None in place of a set: it has
                no loss, no gradient and no figure.
            sample_weight: what each row counts for, (n,), or each label of each row, (n, labels): finite, at least 0.
                Only ratios matter; a row of weight 0 takes no part.
            X_val, y_val, sample_weight_val: rows to judge epochs and calibrate by, instead of held-out ones.
            groups: (n,) the group of each row, such as a patient's name: whole groups are held out, none in part.
            times: (n,) the time of each row, numbers, dates or ISO 8601 texts: the last rows are held out, and rows of
                one time stay together.
            callbacks: a function, or a list of them, called after each epoch with its `training.EpochRecord` (`epoch`,
                `loss`, `validation`, `is_best`, `learning_rate`). A true answer stops the training, and the best
                epoch so far is kept; an exception ends it, and the classifier stays what it was. Of several networks
                each is stopped on its own; `network` says which, and one call comes at a time, from any thread.
                scikit-learn's callback objects are for `set_callbacks`.

        Ctrl-C stops after the current span of steps and keeps the best epoch so far, with a warning.

        Raises:
            InputError: data or a setting is not what it must be.
            DivergedError: the loss stopped being finite.
        """
        started = time.perf_counter()
        functions = callback.plain(callbacks)
        budget.checked(self.time_limit)
        fit = self._prepare(
            X, y, X_val, y_val, sample_weight=sample_weight, sample_weight_val=sample_weight_val, groups=groups,
            times=times,
        )  # fmt: skip
        fit, limit = budget.within(fit, self.time_limit, started)
        for words in (*fit.summary.warnings, *([limit.words] if limit.words else [])):
            warnings.warn(words, stacklevel=2)
        lines = members.Lines(fit.summary.plan) if self.verbose else None
        if lines is not None:
            lines.say(fit.summary.rows_in_words())
            for note in fit.summary.notes:
                lines.say(note)
        with training.StopOnSignal() as stop:
            callback.train(
                self,
                fit,
                functions,
                lambda callback_of: self._run(
                    fit, observer=lines, stop=lambda: stop.reason, stop_at=limit.stop_at, callback_of=callback_of
                ),
                self._attributes_of,
                {"X": X, "y": y, "metadata": {} if sample_weight is None else {"sample_weight": sample_weight}},
            )
        if lines is not None:
            lines.finished()
        n_judged = self.record_["n_validation"]
        if stop.reason is not None:
            what = "training was interrupted"
            warnings.warn(_stopped(what, stop.reason, self.members_, fit.summary, n_judged), stacklevel=2)
        elif limit.has_cut_short(self.members_, fit.summary.n_networks):
            what = f"the time limit of {limit.seconds:g} s ended the training"
            warnings.warn(_stopped(what, "time_limit", self.members_, fit.summary, n_judged), stacklevel=2)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Classifier:
        """Take the steps of one pass over these rows, in their order, `batch_size` at a time.

        The optimizer remembers from call to call, so rows in parts that are multiples of `batch_size` give the bits
        that they give at once. Rows that are sorted should be shuffled before. After `fit`, a pickle or `load` it goes
        on from that network with a new optimizer, and nothing is calibrated any more.

        The first call decides: it fits the scaling of the columns (numbers that are all alike in it are not scaled),
        what each column of a frame is (one of words that are all alike in it is left out for good, and values that it
        lacks are unseen ones; a warning names what is left out), and what a preset makes of the number of rows it makes
        of its rows. From then on only `learning_rate`, `n_jobs` and what speaks of `fit` alone may change. There is no
        validation: `early_stopping=True` and `calibrate=True` are refused, and `max_epochs`, `time_limit`, `patience`,
        `validation_fraction`, `metric` and `warm_start` speak of `fit`. Of `decide_for` it takes costs alone, which
        need no rows to choose. The learning rate is constant; a schedule is refused. `history_` has a record for each
        call.

        Args:
            X, y: as `fit` takes them; a batch may lack classes.
            classes: every class there is, needed at the first call where y has one class a row. For a 0/1 matrix, the
                names of its columns.
            sample_weight: as `fit` takes it, but no call knows the mean of all weights, so they are taken as they are:
                a row of weight 2 pulls twice as far as one of weight 1, of this call or of any other. `class_weight`
                and `pos_weight` are taken so too; "balanced" is refused.

        Raises:
            InputError: data or a setting is not what it must be; nothing is lost.
            DivergedError: the loss stopped being finite; the classifier is as it was before the call.
        """
        settings = self.get_params()
        increments: Increments | None = vars(self).get("_increments")
        if increments is None:
            present = self._model if self.__sklearn_is_fitted__() else None
            increments = Increments(settings, X, y, classes, sample_weight, present)
            for words in increments.warnings:
                warnings.warn(words, stacklevel=2)
        batch = increments.encoded(settings, X, y, classes, sample_weight)
        vars(self).pop("_increments", None)  # an exception leaves them in the middle of a step
        self._become(increments.take(settings, *batch))
        self._increments = increments
        return self

    @NamedAsASetting
    def calibrate(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        decide_for: Any = None,
        coverage: float | None = None,
        method: str | None = None,
        groups: Any = None,
        random_state: Any = None,
    ) -> Classifier:
        """Choose calibration and decisions anew, and make prediction sets, on rows that the training never saw.

        With a coverage half of the rows (more where it needs more) are drawn for the sets and choose nothing; without
        one all of them choose. The calibration comes first, then the decisions from calibrated probabilities, last the
        sets. What was there before is gone; the networks stay as they are.

        Args:
            X, y: as `fit` takes them. Rows that were trained on, or chose the epoch, void the guarantee of sets.
            sample_weight: as for `fit`. Sets are made from rows that count alike; a row of weight 0 takes no part.
            decide_for: as the setting of that name, which keeps its value for the next `fit`; None: what the classifier
                decides for already, if anything, for which these rows choose anew.
            coverage: what `predict_set` grants unless told, in (0, 1): 0.9 needs at least 9 rows for the sets, 0.99 99.
            method: of sets of classes: "lac" (None), the smallest sets, or "aps", larger ones that are right more
                evenly over easy and hard rows (docs/decisions/0019-prediction-sets.md).
            groups: (n,) the group of each row: whole groups are kept for the sets, none in part.
            random_state: the seed of that draw; None: the one that the model was trained with.

        Raises:
            InputError: data or an argument is not what it must be; the classifier is as it was.

        Warns:
            UserWarning: rows have a class that the classifier does not know: they choose nothing, and every set misses
                their class.
        """
        done, surprises = self._calibrated(
            X, y, sample_weight, decide_for=decide_for, coverage=coverage, method=method, groups=groups,
            random_state=random_state,
        )  # fmt: skip
        self._become(done.model, engine=self._engine)
        for words in surprises:
            warn_caller(words)
        return self

    def _calibrated(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        random_state: Any = None,
        coverage: float | None = None,
        method: str | None = None,
        **about: Any,
    ) -> tuple[calibrating.Calibrated, tuple[str, ...]]:
        """What `calibrate` becomes, and what of `_logits` is to be said; `about` as for `calibrating.calibrate`."""
        self._check_fitted()
        if coverage is None:
            calibrating.refuse_without_coverage(method=method, groups=groups, random_state=random_state)
        else:
            coverage = checked_coverage(coverage)
        logits_nc, surprises = self._logits(X, calibrated=False)
        targets, weights = self._known(len(logits_nc), y, sample_weight)
        done = calibrating.calibrate(
            self._model,
            logits_nc,
            dense(targets),
            weights,
            coverage=coverage,
            method=method,
            seed=self.seed_ if random_state is None else resolving.seed_of(random_state),
            groups=None if groups is None else as_groups(groups, len(targets)),
            **about,
        )
        if unknown := _said_of_unknown(targets, has_sets=coverage is not None):
            surprises = (*surprises, unknown)
        return done, surprises

    def _prepare(self, X: Any, y: Any, X_val: Any = None, y_val: Any = None, **about: Any) -> Fit:
        """What `fit` does before the first step; `about` as for `fitting.prepare`."""
        present = self._model if self.warm_start and self.__sklearn_is_fitted__() else None
        return fitting.prepare(self.get_params(), X, y, X_val, y_val, present=present, **about)

    def _run(
        self,
        fit: Fit,
        *,
        observer: Observer | None = None,
        stop: Callable[[], str | None] = lambda: None,
        stop_at: float = math.inf,
        callback_of: Callable[[int], training.Callback] | None = None,
    ) -> None:
        """Train what `_prepare` made ready, and become the fitted classifier."""
        self._become(*fit.run(observer=observer, stop=stop, stop_at=stop_at, callback_of=callback_of))

    def _attributes_of(self, model: Model) -> dict[str, Any]:
        """The attributes of this classifier if it were fitted to that model."""
        other = type(self)(**self.get_params())
        other._become(model)
        return {name: value for name, value in vars(other).items() if name not in other.get_params()}

    def _become(self, model: Model, networks: members.Logits | None = None, engine: str | None = None) -> None:
        """Set every fitted attribute; nothing of an earlier fit stays.

        It predicts by these networks, or else by new ones, of engines of this name or its own. Raises InputError, and
        changes nothing, for an engine that there is not.
        """
        engine = engine or self.engine
        model = fitting.placed(model, self.backbone, self.device)
        if model.encoder.backbone is not None:
            model.encoder.backbone.n_threads = n_threads(self.n_jobs)
        device = self.device if engine == self.engine else None
        if networks is None and engine is not None:
            fitting.EngineChoice.to_predict(engine, device, model.network)

        def made() -> members.Logits:
            choice = fitting.EngineChoice.to_predict(engine, device, model.network)
            return fitting.networks_of(model, choice, n_threads(self.n_jobs))

        self._unfit()
        self._model, self._ready = model, networks or made
        self._engine = engine or ("native" if model.network.residual is None else "torch")
        self.network_, self.head_, self.plan_ = model.network, model.head, model.plan
        self.encoder_, self.target_ = model.encoder, model.target
        self.calibration_, self.temperature_ = model.calibration, model.calibration.temperature
        self.record_, self.sets_ = model.record, model.sets
        self.classes_ = model.target.classes_array
        self.thresholds_ = model.rule.thresholds
        self.decision_: dict[str, Any] | None = model.facts.get("decision")
        self.n_features_in_ = model.encoder.schema.n_features
        if model.encoder.schema.names is not None:
            self.feature_names_in_ = np.array(model.encoder.schema.names, dtype=object)
        self.members_: tuple[Member, ...] = model.trained
        self.history_ = model.trained[0].history
        self.loss_curve_ = [epoch.loss for epoch in self.history_.epochs]
        self.n_iter_ = max(member.n_epochs for member in model.trained)
        self.best_epoch_ = max(member.best_epoch for member in model.trained)
        self.seed_: int = model.facts["seed"]
        self.validation_metrics_: dict[str, Any] | None = model.facts["validation"]

    @property
    def _networks(self) -> members.Logits:
        """What it predicts by; of a model from a file made when it is first asked for.

        So a model can be looked at and exported where its engine is not installed. Raises EngineUnavailableError.
        """
        if not isinstance(self._ready, members.Logits):
            self._ready = self._ready()
        return self._ready

    # Prediction

    def predict_logits(self, X: Any, *, calibrated: bool = True) -> Float32:
        """The linear outputs z, float32 (n, c); two classes: (n, 1).

        Args:
            X: rows as `fit` took them; columns are matched by name.
            calibrated: as `calibration_` makes them; False gives what the network computed.

        A UserWarning, one a call, counts the rows with a value of a category that the training never had and no
        feature stands for (a category of many values has a feature for the rare ones); another names columns of yes
        and no that are read as the model learned them. A missing value is no surprise.
        """
        logits_nc, surprises = self._logits(X, calibrated=calibrated)
        for words in surprises:
            warn_caller(words)
        return logits_nc

    def _logits(self, X: Any, *, calibrated: bool = True) -> tuple[Float32, tuple[str, ...]]:
        """The logits, and what in the rows is not as the training had it."""
        self._check_fitted()
        check_n_jobs(self.n_jobs)
        by = self.calibration_ if calibrated else calibration.NOTHING
        few_nc = few_rows.logits(X, self.encoder_, self._networks.only, by)
        if few_nc is not None:
            return few_nc, ()
        surprises = Surprises()
        inputs = as_inputs(X)
        logits_nc: Float32 | None = None
        stop = 0
        for part_nc in self._logits_in_parts(inputs, by, surprises):
            start, stop = stop, stop + len(part_nc)
            if logits_nc is None:
                logits_nc = part_nc if stop == len(inputs) else np.empty((len(inputs), part_nc.shape[1]), np.float32)
            logits_nc[start:stop] = part_nc
        assert logits_nc is not None  # there is one row at least
        return logits_nc, surprises.told(len(logits_nc))

    def _logits_in_parts(
        self, X: Any, by: calibration.Calibration, surprises: Surprises | None = None
    ) -> Iterator[Float32]:
        """The logits of some consecutive rows at a time, in little memory; a row's bits are the same in every part."""
        self._networks.use_threads(n_threads(self.n_jobs))
        if self.encoder_.backbone is not None:
            self.encoder_.backbone.n_threads = n_threads(self.n_jobs)
        most_rows = max(1, PART_VALUES // self.target_.n_classes)
        for part in self.encoder_.encode_parts(as_inputs(X), most_rows, surprises):
            yield by.apply(self._networks.of(part))

    def predict_proba(self, X: Any) -> Float32:
        """Probabilities, float32 (n, K): of the classes, summing to 1, or of each label on its own."""
        return self._probabilities(self.predict_logits(X))

    def predict_log_proba(self, X: Any) -> Float32:
        """Logarithms of `predict_proba`, from the logits: finite where a probability rounds to 0."""
        logits_nc = self.predict_logits(X)
        return HEADS[self.head_].log_probabilities(self._model.both_sides(logits_nc))

    def predict(self, X: Any, abstain_below: float | None = None) -> NDArray[Any]:
        """The class of each row (n,), or a 0/1 matrix (n, L).

        The most probable class (ties: the lowest index), or the labels whose probability exceeds 0.5, unless
        `decide_for` asked for something else: then what exceeds `thresholds_`, or costs least. It decides by the
        probabilities that `predict_proba` returns, so the two always agree.

        Args:
            X: rows as `fit` took them.
            abstain_below: a probability: a decision that is less likely to be right is not made. None stands for the
                class then, in an array of objects; NaN for the answer to a label (p is the probability that yes is
                right, 1 − p that no is), in one of floats.
        """
        least = None if abstain_below is None else checked_share("abstain_below", abstain_below)
        return self._decide(self.predict_logits(X), least)

    def predict_top(self, X: Any, k: int) -> tuple[NDArray[Any], Float32]:
        """The k most probable classes or labels of each row, best first, and their probabilities, both (n, k).

        By the probabilities alone (ties: the lowest index): `decide_for` has no part in it.

        Args:
            X: rows as `fit` took them.
            k: from 1 to the number of classes or labels.
        """
        self._check_fitted()
        k = checked_top("k", k, self.target_.n_classes)
        return self._top(self.predict_proba(X), k)

    def _top(self, probabilities_nk: Float32, k: int) -> tuple[NDArray[Any], Float32]:
        places = top(probabilities_nk, k)
        return self.classes_[places], np.take_along_axis(probabilities_nk, places, axis=1)

    def predict_set(self, X: Any, coverage: float | None = None) -> NDArray[np.bool_]:
        """The classes that a row may have, with a guarantee: bool (n, K), its columns named by `classes_`.

        Of rows drawn like those that were kept for it, at least this share have their class in their set, on average
        over the drawing of both, whatever the network is. Of labels, it is the mean share of a row's labels that its
        set holds, over rows that have one.

        Sets come from the probabilities alone, and the most probable class is in every one; `decide_for` has no part in
        them, so a class that it decides for against the probabilities may be missing.

            [clf.classes_[row].tolist() for row in clf.predict_set(X)]

        Args:
            X: rows as `fit` took them.
            coverage: in (0, 1); None: what `calibrate` (or `train --coverage`) was asked for. n kept rows grant
                n / (n + 1) at most.

        Raises:
            InputError: no rows were kept for sets, or too few for this coverage.
        """
        sets = self._sets_for(coverage)
        return sets.of(self.predict_logits(X), None if coverage is None else float(coverage))

    def _sets_for(self, coverage: Any) -> PredictionSets:
        """The sets, if they grant this coverage."""
        self._check_fitted()
        if self.sets_ is None:
            raise InputError(
                "this model has no rows kept for prediction sets; keep some: clf.calibrate(X, y, coverage=0.9) on rows"
                " that the training never saw (fromlogits calibrate MODEL DATA -o NEW --coverage 0.9), or"
                " fromlogits train --coverage 0.9."
            )
        self.sets_.threshold(None if coverage is None else checked_coverage(coverage))
        return self.sets_

    def decision_function(self, X: Any) -> Float32:
        """The logits; two classes: (n,), positive for classes_[1]."""
        logits_nc = self.predict_logits(X)
        return logits_nc[:, 0] if self._is_one_unit else logits_nc

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy; for labels, the share of rows with every label right."""
        logits_nc = self.predict_logits(X)
        targets, weights = self._known(len(logits_nc), y, sample_weight)
        name = "accuracy" if self.target_.task == "multi-class" else "subset_accuracy"
        figure = self._model.figure(name, logits_nc, targets, weights)
        return math.nan if figure is None else figure

    def evaluate(self, X: Any, y: Any, sample_weight: Any = None, *, coverage: float | None = None) -> dict[str, Any]:
        """Figures of these rows and their intervals, as `fromlogits evaluate --json` prints them.

        docs/reference/metrics.md says what each is. `sample_weight` as for `fit`; `class_weight` and `pos_weight` shape
        the training, they have no part in figures. A classifier that decides for something says in "decision" what its
        decisions of these rows are worth by it, beside the natural ones. One with prediction sets has theirs in "sets"
        (`decisions.sets.figures`), where each row counts once; `coverage` as for `predict_set`.
        """
        if coverage is not None:
            self._sets_for(coverage)
        logits_nc = self.predict_logits(X)
        targets, weights = self._known(len(logits_nc), y, sample_weight)
        return self._figures(logits_nc, targets, weights, coverage=coverage)

    def _figures(
        self,
        logits_nc: Float32,
        targets: NDArray[Any] | SparseLabels,
        weights: NDArray[np.float64] | None,
        groups: NDArray[np.int64] | None = None,
        *,
        coverage: float | None = None,
    ) -> dict[str, Any]:
        """All of them, with their intervals, for which rows of one group are drawn together.

        Args:
            coverage: of prediction sets; None: the one that they were made for.
        """
        figures = self._model.figures_in_full(logits_nc, targets, weights, groups)
        return figures | self._figures_of_decisions_and_sets(logits_nc, targets, weights, coverage)

    def _short_figures(
        self, logits_nc: Float32, targets: NDArray[Any] | SparseLabels, weights: NDArray[np.float64] | None
    ) -> dict[str, Any]:
        """Those that every training keeps, and the metric that chose the epoch."""
        figures = self._model.figures(logits_nc, targets, weights, also=(self.plan_.metric,))
        return figures | self._figures_of_decisions_and_sets(logits_nc, targets, weights)

    def _figures_of_decisions_and_sets(
        self,
        logits_nc: Float32,
        targets: NDArray[Any] | SparseLabels,
        weights: NDArray[np.float64] | None,
        coverage: float | None = None,
    ) -> dict[str, Any]:
        """Of what is decided for, if anything, and of prediction sets, if there are any."""
        decision = calibrating.decision_figures(self._model, logits_nc, targets, weights)
        figures = {} if decision is None else {"decision": decision}
        return figures | self._figures_of_sets(logits_nc, targets, weights, coverage)

    def _figures_of_sets(
        self,
        logits_nc: Float32,
        targets: NDArray[Any] | SparseLabels,
        weights: NDArray[np.float64] | None,
        coverage: float | None,
    ) -> dict[str, Any]:
        """Of prediction sets, where there are rows for them, each row that takes part once."""
        known = None if self.sets_ is None else calibrating.hard_targets(targets, weights, self.target_)
        if self.sets_ is None or known is None:
            if coverage is not None:
                raise InputError(
                    "a coverage is of classes and labels that hold or do not; this target holds probabilities."
                )
            return {}
        if weights is not None and weights.ndim == 1 and not weights.all():
            part = np.flatnonzero(weights)
            logits_nc, known = logits_nc[part], known.take(part, axis=0)
        return {"sets": of_sets.figures(self.sets_, logits_nc, known, coverage)}

    def _known(
        self, n: int, y: Any, sample_weight: Any
    ) -> tuple[NDArray[Any] | SparseLabels, NDArray[np.float64] | None]:
        """Targets and weights of n rows."""
        targets = self.target_.encode_rows(y, unknown="mark")
        if len(targets) != n:
            raise InputError(f"X and y must have the same number of rows; X has {n}, y has {len(targets)}.")
        return targets, checked("sample_weight", sample_weight, n, self.target_)

    @property
    def _is_one_unit(self) -> bool:
        return self.target_.task == "multi-class" and self.network_.n_outputs == 1

    def _probabilities(self, logits_nc: Float32) -> Float32:
        return self._model.probabilities(logits_nc)

    def _decide(self, logits_nc: Float32, abstain_below: float | None = None) -> NDArray[Any]:
        """As `predict` does."""
        return self._decide_by(self._probabilities(logits_nc), abstain_below)

    def _decide_by(self, probabilities_nk: Float32, abstain_below: float | None = None) -> NDArray[Any]:
        """The same, where the probabilities are known."""
        decided = self._model.rule.decide(probabilities_nk)
        if self.target_.task == "multi-label":
            if abstain_below is None:
                return decided
            right_nl = np.where(decided == 1, probabilities_nk, 1.0 - probabilities_nk.astype(np.float64))
            return np.where(right_nl < abstain_below, np.nan, decided)
        if abstain_below is None:
            return np.asarray(self.classes_[decided])
        right_n = np.take_along_axis(probabilities_nk, decided[:, None], axis=1)[:, 0].astype(np.float64)
        classes = self.classes_[decided].astype(object)
        classes[right_n < abstain_below] = None
        return np.asarray(classes)

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise not_fitted(f"This {type(self).__name__} is not fitted yet; call fit(X, y) first, or fromlogits.load.")

    # The model file

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write one safetensors file (docs/file-format.md), whole or not at all.

        Raises InputError if the file exists and overwrite is False, or if the folder does not.
        """
        self._check_fitted()
        self._model.save(path, overwrite=overwrite)

    def describe(self) -> dict[str, Any]:
        """What the classifier holds, as `fromlogits inspect --json` prints it."""
        self._check_fitted()
        return self._model.describe()


def load(
    path: str | os.PathLike[str],
    *,
    n_jobs: int | None = None,
    engine: str | None = None,
    device: str | None = None,
    backbone: str | None = None,
) -> Classifier:
    """The classifier that `save` wrote, whatever engine trained it.

    Args:
        path: of the file.
        n_jobs: threads that it predicts with; None: every core.
        engine, device: that it predicts by, as the settings of these names.
        backbone: where the pretrained network lies that the model was trained behind, if it is not found by its name,
            that of a folder in the current one: "hf:FOLDER". It must be the very same; nothing is downloaded.

    Raises:
        ModelFileError: any other file; no code in the file is ever run.
        InputError: a setting that does not fit, or the pretrained network is not here.
        EngineUnavailableError: something is not installed that it needs.
    """
    model = Model.load(path)
    frozen = model.encoder.backbone
    if frozen is None and backbone is not None:
        raise InputError(
            f"backbone={backbone!r} (--backbone {backbone}) is for a model that was trained behind a pretrained"
            f" network; {Path(path).name} has none."
        )
    own_device = device if frozen is None or engine == "torch" else None
    if frozen is not None:
        place = frozen.reference.text if backbone is None else backbone
        if not is_pretrained(place):
            raise InputError(
                f"backbone (--backbone) must be hf: and a name or a folder, as the model's own; got {backbone!r}."
            )
        frozen.placed(place, None).check()
        backbone = place
        fitting.checked_device(device)
    if engine is not None or own_device is not None:
        fitting.EngineChoice.of(engine, own_device, model.network)
    clf = Classifier(
        network=Network(model.network.layers),
        backbone=backbone,
        task=model.target.task,
        decide_for=None if model.decision is None else model.decision.decide_for,
        separate_networks=model.members.separate_networks,
        # A training that was stopped may have left fewer networks than folds: one for each is what it was.
        ensemble=model.members.ensemble if model.members.ensemble > model.plan.folds else None,
        class_weight=_by_class(model, "class_weight"),
        pos_weight=_by_class(model, "pos_weight"),
        engine=engine,
        device=device,
        n_jobs=n_jobs,
        random_state=model.facts["seed"],
        spec={name: getattr(model.plan, name) for name in resolving.FINER_SETTINGS},
        **{name: getattr(model.plan, name) for name in resolving.PLAN_SETTINGS},
    )
    clf._become(model)
    return clf


def _said_of_unknown(targets: NDArray[Any] | SparseLabels, *, has_sets: bool) -> str:
    """How many of the rows to calibrate on have a class that the model does not know, and what becomes of them."""
    if isinstance(targets, SparseLabels) or targets.ndim != 1 or not (is_unknown := targets == -1).any():
        return ""
    n = int(is_unknown.sum())
    have, they, their = ("has", "it chooses", "its") if n == 1 else ("have", "they choose", "their")
    missed = f", and every set misses {their} class" if has_sets else ""
    return (
        f"{n:,} of {counted(len(targets), 'row')} {have} a class that the model does not know (the first is row"
        f" {int(is_unknown.argmax())}); {they} nothing{missed}."
    )


def _by_class(model: Model, setting: str) -> dict[Any, float] | None:
    """A setting as it was resolved, for the classes or labels of the model."""
    weights = model.facts.get("weights", {}).get(setting)
    return None if weights is None else dict(zip(model.target.classes, weights, strict=True))


def _stopped(what: str, reason: str, trained: Sequence[Member], summary: FitSummary, n_judged: int) -> str:
    """What a stop left, in a sentence."""
    rest = summary.without_a_judge(n_judged)
    rest = f"; {rest}." if rest else "."
    if summary.n_networks == 1:
        one = trained[0]
        when = f"in epoch {one.n_epochs}" if one.history.stopped_by == reason else "after its last epoch"
        return f"{what} {when}; epoch {one.best_epoch} is kept{rest}"
    ended = sum(member.history.stopped_by != reason for member in trained)
    return (
        f"{what} when {ended} of {summary.n_networks} networks were done;"
        f" {len(trained)} are kept, each with its best epoch{rest}"
    )
