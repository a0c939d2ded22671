"""scikit-learn's `MLPClassifier`, by name, parameters and meaning, on our engine."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .cores import n_threads
from .data.features import EncodedRows, Features, SparseFeatures
from .data.inputs import as_inputs, as_matrix
from .data.label_sets import LabelSets
from .data.memory import refuse_too_many_parameters
from .data.splits import validation_rows
from .data.table import Matrix, SparseMatrix
from .data.targets import TargetEncoder, as_target
from .engines.base import Engine, Parameters, Steps, Weights
from .engines.native import NativeEngine
from .errors import DivergedError, InputError, brief
from .estimator import Parameterised, not_fitted, warn_caller
from .heads import HEADS, Head
from .spec import Dense, HeadName, Network, Plan, one_of
from .weights import checked

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Rows = NDArray[np.int64]

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
"""Their words, and ours."""
SOLVERS = ("sgd", "adam")
LEARNING_RATES = ("constant", "invscaling", "adaptive")
AUTO_BATCH = 200
LEAST_ADAPTIVE_RATE = 1e-6
CALL_FLOPS = 5_000_000_000
"""Of one call of the engine, so that Ctrl-C is heard in between."""

NUMBERS: dict[str, tuple[float, float, str]] = {
    "alpha": (0, 1e6, "[]"),
    "learning_rate_init": (0, 1e6, "(]"),
    "power_t": (0, math.inf, "[)"),
    "tol": (0, math.inf, "[)"),
    "momentum": (0, 0.999999, "[]"),
    "validation_fraction": (0, 1, "()"),
    "beta_1": (0, 0.999999, "[]"),
    "beta_2": (0, 0.999999, "[]"),
    "epsilon": (1e-30, 1, "[]"),
}
"""Of each number the range that the engine takes, its ends in it or not."""


class ConvergenceWarning(UserWarning):
    """max_iter is reached before the loss has stopped falling. Where scikit-learn is loaded, its class is used."""


class NotFiniteError(DivergedError, ValueError):
    """Training left the finite numbers; a ValueError as there."""


class MLPClassifier(Parameterised):
    """A drop-in for `sklearn.neural_network.MLPClassifier`: same parameters, same meaning, same attributes.

    Not carried over:

    - `solver="lbfgs"`, and with it `max_fun`, is refused; adam and sgd are here.
    - A momentum, beta_1 or beta_2 above 0.999999 and an epsilon below 1e-30 are refused.
    - Parameters are float32 whatever X is, so are probabilities; X beyond float32 is refused.
    - Of sparse X the penalty is felt by the weights of those features that occur in a step's rows.
    - Epsilon of adam stands beside the corrected root (Kingma & Ba, algorithm 1); there beside the uncorrected one.
    - `early_stopping` holds out other rows: each class its share, and a class of one row keeps it for training, where
      scikit-learn refuses it; of labels each its share too.
    - The losses count a penalty that is taken to change evenly from the first step of a pass to the last.
    - A pickle has no memory of the optimizer: `partial_fit` after it begins with moments of 0.
    - Training that leaves the finite numbers ends there, with a `DivergedError` that is a ValueError.

    Otherwise the same random_state gives the same first weights, the same batches and, but for the rounding of
    float32, the same network. Loss, gradient and probabilities come from the logits: nothing is clipped.

    For tables with missing values, words or categories, calibrated probabilities or a model file, use `Classifier`.

    Args:
        hidden_layer_sizes: units of each hidden layer; a number is one layer; () is logistic or softmax regression.
        activation: of the hidden layers: "identity", "logistic", "tanh" or "relu".
        solver: "adam" or "sgd".
        alpha: alpha/2 · ‖coefs‖² over the rows of a batch (the sum of their weights) is added to its mean loss.
        batch_size: rows a step; "auto" is 200, or all rows where they are fewer.
        learning_rate: of sgd: "constant"; "invscaling", learning_rate_init / (t_ + 1)^power_t after each pass; or
            "adaptive", a fifth each time the loss has not fallen for n_iter_no_change passes, down to 1e-6.
        learning_rate_init, power_t: see there.
        max_iter: passes over the rows, at most.
        shuffle: take the rows of each pass in a new order.
        random_state: a whole number in [0, 2^32), a NumPy RandomState, or None: NumPy's own.
        tol, n_iter_no_change: stop when the loss (or with early_stopping the score) has not become better by tol for
            more than n_iter_no_change passes.
        verbose: print each pass.
        warm_start: a second `fit` goes on from the parameters of the first.
        momentum, nesterovs_momentum: of sgd.
        early_stopping, validation_fraction: hold out this share of the rows and keep the pass with the best accuracy.
        beta_1, beta_2, epsilon: of adam.
        max_fun: of lbfgs; without effect on the others, as there.

    Attributes (after `fit`):
        classes_: class values, or the numbers of the label columns. n_features_in_, feature_names_in_ (of a frame
        whose columns are named by texts). coefs_, intercepts_: of each layer, float32 (fan_in, fan_out) and (fan_out,);
        predictions read them anew each time. loss_: of the last pass; loss_curve_: of each; best_loss_: the smallest,
        or None with early_stopping. validation_scores_, best_validation_score_: with early_stopping, else None.
        n_iter_: passes of the last call. t_: rows seen. n_layers_, n_outputs_, out_activation_ ("softmax", "logistic").

    Example:
        >>> from fromlogits import MLPClassifier
        >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
        >>> clf = MLPClassifier((8,), learning_rate_init=0.05, max_iter=300, random_state=0).fit(X, y)
        >>> clf.predict(X)
        array([0, 1, 1, 0])
    """

    classes_: NDArray[Any]
    coefs_: list[Any]
    intercepts_: list[Any]

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    # Training

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X, (n, d), dense or sparse, and y: a class for each (n,), or 0 and 1 of labels (n, L).

        Args:
            X: finite numbers.
            y: whole numbers, texts or booleans; a matrix of 0 and 1 may be sparse.
            sample_weight: (n,), finite, at least 0; None: 1.

        Raises:
            InputError: a setting, X, y or the weights are not what they must be.
            DivergedError: the loss left the finite numbers.
        """
        return self._whole_or_not(X, y, sample_weight, None, is_one_pass=False)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """One pass over these rows, from the parameters and with the optimizer of the calls before.

        Args:
            X, y, sample_weight: as for `fit`.
            classes: every class that will ever come; needed by the first call.
        """
        return self._whole_or_not(X, y, sample_weight, classes, is_one_pass=True)

    def _whole_or_not(self, X: Any, y: Any, sample_weight: Any, classes: Any, *, is_one_pass: bool) -> Self:
        """What was fitted before is lost to no error."""
        before = {name: list(value) if isinstance(value, list) else value for name, value in vars(self).items()}
        try:
            self._fit(X, y, sample_weight, classes, is_one_pass=is_one_pass)
        except Exception as error:
            vars(self).clear()
            vars(self).update(before)
            if isinstance(error, NotFiniteError):
                vars(self).pop("_optimizer", None)  # its moments are of no use
            raise
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, classes: Any, *, is_one_pass: bool) -> None:
        self._check_settings()
        if is_one_pass and self.early_stopping:
            raise InputError("partial_fit does not support early_stopping=True: it holds no rows out. Set it to False.")
        goes_on = self.__sklearn_is_fitted__() and (is_one_pass or self.warm_start)
        rows, names = _rows(X)
        if goes_on:
            self._check_columns(rows, names)
        if is_one_pass:
            labels = self._labels_of_all_calls(y, classes)
        else:
            labels = _Labels.of(y)
            if goes_on and set(labels.classes.tolist()) != set(self.classes_.tolist()):
                raise InputError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit."
                    f" Previously got {self.classes_}, `y` has {labels.classes}"
                )
        targets = labels.encode(y)
        n = len(rows)
        if len(targets) != n:
            raise InputError(
                "X and y must have the same number of rows (Found input variables with inconsistent numbers of samples:"
                f" {[n, len(targets)]})."
            )
        weights_n = checked("sample_weight", sample_weight, n, ONE_OF_MANY, only_ratios_matter=False)
        network = self._network(rows.n_features, labels)
        generator = _generator(self.random_state)

        if not goes_on:
            self._begin(network, labels, generator)
            self.n_features_in_ = rows.n_features
            vars(self).pop("feature_names_in_", None)
            if names is not None:
                self.feature_names_in_ = names
        elif self.early_stopping == (self.best_loss_ is not None):  # it was turned on or off between two fits
            self._begin_to_judge()
        self._labels, self.classes_ = labels, labels.classes
        if not (is_one_pass and "_optimizer" in vars(self)):
            self._optimizer = self._new_optimizer(network, labels.head_name, n, is_one_pass)
        optimizer, parameters = self._optimizer, self._parameters(network)
        optimizer.engine.set_parameters(parameters)
        self._train(optimizer, rows, targets, weights_n, generator, parameters, is_one_pass)
        self.coefs_ = [np.ascontiguousarray(w_hd.T) for w_hd, _ in parameters]
        self.intercepts_ = [b_h for _, b_h in parameters]

    def _begin(self, network: Network, labels: _Labels, generator: Any) -> None:
        """First parameters, and nothing done yet.

        Drawn layer by layer, weights before intercepts, as there: uniform on ±bound, bound² = 6 / (fan_in + fan_out),
        of logistic 2 / (fan_in + fan_out) (Glorot & Bengio, AISTATS 2010).
        """
        self.n_outputs_, self.n_layers_ = network.n_outputs, len(network.layers) + 1
        self.out_activation_ = "softmax" if labels.head_name == "softmax" else "logistic"
        self.coefs_, self.intercepts_ = [], []
        for h, d in network.shapes:
            bound = math.sqrt((2.0 if self.activation == "logistic" else 6.0) / (d + h))
            self.coefs_.append(generator.uniform(-bound, bound, (d, h)).astype(np.float32))
            self.intercepts_.append(generator.uniform(-bound, bound, h).astype(np.float32))
        self.n_iter_ = self.t_ = 0
        self.loss_curve_: list[float] = []
        self._begin_to_judge()
        vars(self).pop("_optimizer", None)

    def _begin_to_judge(self) -> None:
        self._no_improvement_count = 0
        self._best: Parameters | None = None
        self.best_loss_: float | None = None if self.early_stopping else math.inf
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_: float | None = -math.inf if self.early_stopping else None

    def _train(
        self,
        optimizer: _Optimizer,
        rows: EncodedRows,
        targets: NDArray[Any],
        weights_n: Float64 | None,
        generator: Any,
        parameters: Parameters,
        is_one_pass: bool,
    ) -> None:
        """Passes over the rows until one of the ends is reached; leaves the parameters in `parameters`."""
        order, held = np.arange(len(rows)), None
        if self.early_stopping:
            seed = int(generator.randint(2**31 - 1))
            strata = self._labels.strata(targets)
            order, held = validation_rows(strata, len(self.classes_), self.validation_fraction, seed)
            if len(held) < 2:
                raise InputError(
                    f"The validation set is too small: {len(held)} of {len(rows)} rows. Increase 'validation_fraction'"
                    " or the size of your dataset."
                )
        self.n_iter_ = 0
        squares = _sum_of_squares(parameters)
        try:
            while self.n_iter_ < self.max_iter:
                if self.shuffle:
                    drawn = np.arange(len(order))
                    generator.shuffle(drawn)
                    order = order[drawn]
                loss, steps = optimizer.one_pass(rows, targets, order, weights_n)
                optimizer.engine.parameters(parameters)
                before, squares = squares, _sum_of_squares(parameters)
                # Of the weights before each step, taken to change evenly within a pass.
                part = np.arange(len(steps)) / len(steps)
                penalty = 0.5 * self.alpha * float(((before + (squares - before) * part) * steps).sum())
                self.n_iter_ += 1
                self.t_ += len(order)
                self.loss_ = (loss + penalty) / len(order)
                if not math.isfinite(self.loss_) or not math.isfinite(squares):
                    raise self._not_finite()
                self.loss_curve_.append(self.loss_)
                if self.verbose:
                    print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
                if held is None:
                    self._judge_loss()
                else:
                    self._judge_score(optimizer.engine, rows, targets, held, weights_n, parameters)
                optimizer.end_of_pass(self.t_)
                if self._no_improvement_count > self.n_iter_no_change:
                    what = "Training loss" if held is None else "Validation score"
                    words = f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} passes."
                    if optimizer.has_ended(words, bool(self.verbose)):
                        break
                    self._no_improvement_count = 0
                if is_one_pass:
                    break
                if self.n_iter_ == self.max_iter:
                    warn_caller(
                        f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization"
                        " hasn't converged yet. Raise max_iter or tol.",
                        _convergence_warning(),
                    )
        except KeyboardInterrupt:
            optimizer.engine.parameters(parameters)
            warn_caller("Training interrupted by user.")
        if held is not None and self._best is not None:
            for mine, best in zip(parameters, self._best, strict=True):
                mine[0][:], mine[1][:] = best

    def _judge_loss(self) -> None:
        assert self.best_loss_ is not None
        is_better = self.loss_ <= self.best_loss_ - self.tol
        self._no_improvement_count = 0 if is_better else self._no_improvement_count + 1
        self.best_loss_ = min(self.best_loss_, self.loss_)

    def _judge_score(
        self,
        engine: Engine,
        rows: EncodedRows,
        targets: NDArray[Any],
        held: Rows,
        weights_n: Float64 | None,
        parameters: Parameters,
    ) -> None:
        assert self.validation_scores_ is not None and self.best_validation_score_ is not None
        codes = self._labels.head.decide(engine.logits(rows, held))
        score = _accuracy(codes, targets[held], None if weights_n is None else weights_n[held])
        self.validation_scores_.append(score)
        if self.verbose:
            print(f"Validation score: {score:f}")
        is_better = score >= self.best_validation_score_ + self.tol
        self._no_improvement_count = 0 if is_better else self._no_improvement_count + 1
        if score > self.best_validation_score_:
            self.best_validation_score_ = score
            self._best = [(w_hd.copy(), b_h.copy()) for w_hd, b_h in parameters]

    def _not_finite(self) -> NotFiniteError:
        return NotFiniteError(
            f"training diverged: the loss or the weights are not finite after pass {self.n_iter_}. Scale the columns of"
            f" X to about 1, or lower learning_rate_init (now {self.learning_rate_init:g}).",
            last_finite_loss=self.loss_curve_[-1] if self.loss_curve_ else None,
        )

    # Settings

    def _check_settings(self) -> None:
        if self.solver == "lbfgs":
            raise InputError(
                "solver='lbfgs' is not carried over from scikit-learn: this engine trains by mini-batches. Use 'adam',"
                " or 'sgd'."
            )
        one_of("solver", self.solver, SOLVERS)
        one_of("activation", self.activation, tuple(ACTIVATIONS))
        one_of("learning_rate", self.learning_rate, LEARNING_RATES)
        for name, (low, high, ends) in NUMBERS.items():
            value = getattr(self, name)
            is_fine = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
            if is_fine:
                is_fine = (low <= value if ends[0] == "[" else low < value) and (
                    value <= high if ends[1] == "]" else value < high
                )
            if not is_fine:
                raise InputError(
                    f"{name} must be a number in {ends[0]}{low:.6g}, {high:.6g}{ends[1]}; got {brief(value)}."
                )
        for name, or_else in (("max_iter", None), ("batch_size", "auto"), ("n_iter_no_change", math.inf)):
            value = getattr(self, name)
            is_else = or_else is not None and isinstance(value, (str, float)) and value == or_else
            if not is_else and not _is_whole(value):
                words = "" if or_else is None else f" or {or_else!r}"
                raise InputError(f"{name} must be a whole number of at least 1{words}; got {brief(value)}.")
        for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise InputError(f"{name} must be True or False; got {brief(getattr(self, name))}.")

    def _network(self, n_features: int, labels: _Labels) -> Network:
        sizes = self.hidden_layer_sizes
        hidden = [sizes] if np.ndim(sizes) == 0 else list(sizes)
        if not all(_is_whole(units) for units in hidden):
            raise InputError(f"hidden_layer_sizes must be > 0, whole numbers of units; got {brief(sizes)}.")
        layers = [Dense(int(units), ACTIVATIONS[self.activation]) for units in hidden]
        network = Network([*layers, Dense(labels.n_outputs)], n_features)
        refuse_too_many_parameters(network.n_parameters)
        return network

    def _new_optimizer(self, network: Network, head: HeadName, n: int, is_one_pass: bool) -> _Optimizer:
        batch = AUTO_BATCH if self.batch_size == "auto" else int(self.batch_size)
        if batch > n and self.batch_size != "auto" and not is_one_pass:
            warn_caller(f"batch_size is {batch} and there are {n} rows: each step takes them all (it is clipped).")
            batch = n
        sgd = "nesterov" if self.nesterovs_momentum and self.momentum > 0 else "sgd"
        plan = Plan(
            optimizer="adam" if self.solver == "adam" else sgd,
            learning_rate=self.learning_rate_init,
            momentum=self.momentum,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            weight_decay=self.alpha,
            batch_size=batch,
        )
        engine = NativeEngine(network, head, n_threads=n_threads(None))
        engine.start(plan, 0)
        schedule = self.learning_rate if self.solver == "sgd" else "constant"
        return _Optimizer(engine, network.n_parameters, plan, schedule, self.power_t, plan.learning_rate)

    def _labels_of_all_calls(self, y: Any, classes: Any) -> _Labels:
        """Of the first call, or those that it was given."""
        if "classes_" not in vars(self):
            if classes is None:
                raise InputError("classes must be passed on the first call to partial_fit: every class that will come.")
            return _Labels.of(y) if _is_matrix(y) else _Labels.of(classes)
        if classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            raise InputError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        return self._labels

    # Parameters

    def _parameters(self, network: Network) -> Parameters:
        """Copies of `coefs_` and `intercepts_`, as engines take them."""
        shapes = tuple(np.shape(coefs)[::-1] for coefs in self.coefs_)
        if shapes != network.shapes:
            raise InputError(
                f"the layers are {network.shapes} (units, inputs) now, and those of the fit before {shapes}: going on"
                " needs the same hidden_layer_sizes. Set them back, or fit a clone."
            )
        return [
            (np.array(np.asarray(coefs).T, np.float32, order="C"), np.array(intercepts, np.float32))
            for coefs, intercepts in zip(self.coefs_, self.intercepts_, strict=True)
        ]

    def _check_columns(self, rows: EncodedRows, names: NDArray[Any] | None) -> None:
        known = getattr(self, "feature_names_in_", None)
        own = type(self).__name__
        if names is not None and known is not None and names.tolist() != known.tolist():
            odd = [name for name in names.tolist() if name not in set(known.tolist())]
            missing = [name for name in known.tolist() if name not in set(names.tolist())]
            found = f"unseen {odd[:5]}, missing {missing[:5]}" if odd or missing else "in another order"
            raise InputError(f"The feature names should match those that were passed during fit; found: {found}.")
        if rows.n_features != self.n_features_in_:
            raise InputError(
                f"X has {rows.n_features} features, but {own} is expecting {self.n_features_in_} features as input."
            )
        if names is None and known is not None:
            warn_caller(f"X does not have valid feature names, but {own} was fitted with feature names")
        if names is not None and known is None:
            warn_caller(f"X has feature names, but {own} was fitted without feature names")

    # Prediction

    def predict_logits(self, X: Any) -> Float32:
        """The linear outputs z, float32 (n, n_outputs_); of two classes (n, 1), of the second."""
        if not self.__sklearn_is_fitted__():
            raise not_fitted(f"This {type(self).__name__} instance is not fitted yet. Call fit first.")
        rows, names = _rows(X)
        self._check_columns(rows, names)
        network = self._network(rows.n_features, self._labels)
        is_sparse = isinstance(rows, SparseFeatures)
        engine = NativeEngine(network, self._labels.head_name, n_threads=n_threads(None), for_sparse_rows=is_sparse)
        engine.set_parameters(self._parameters(network))
        return engine.logits(rows)

    def predict(self, X: Any) -> NDArray[Any]:
        """Classes (n,), of labels 0 and 1 (n, L)."""
        z_nc = self.predict_logits(X)
        return self._labels.named(self._labels.head.decide(z_nc))

    def predict_proba(self, X: Any) -> Float32:
        """(n, K) in the order of `classes_`, float32: the head applied to `predict_logits`, rounded once."""
        z_nk = self._logits_of_classes(X)
        return self._labels.head.probabilities(z_nk)

    def predict_log_proba(self, X: Any) -> Float32:
        """The logarithms of the probabilities, (n, K), from the logits: finite where a probability rounds to 0."""
        z_nk = self._logits_of_classes(X)
        return self._labels.head.log_probabilities(z_nk)

    def _logits_of_classes(self, X: Any) -> Float32:
        """(n, K): of two classes −z and z."""
        z_nc = self.predict_logits(X)
        return np.hstack([-z_nc, z_nc]) if self._labels.is_yes_or_no else z_nc

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows that are right, of labels those with every label right; weighted, if weights are given."""
        z_nc = self.predict_logits(X)
        codes = self._labels.head.decide(z_nc)
        targets = self._labels.encode(y, unknown="mark")
        if len(targets) != len(codes):
            raise InputError(f"X and y must have the same number of rows; X has {len(codes)}, y has {len(targets)}.")
        return _accuracy(codes, targets, checked("sample_weight", sample_weight, len(codes), ONE_OF_MANY))

    # What scikit-learn's tools ask

    def __sklearn_is_fitted__(self) -> bool:
        return "coefs_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the optimizer's memory."""
        return {name: value for name, value in vars(self).items() if name != "_optimizer"}


@dataclass
class _Optimizer:
    """An engine in the middle of its steps, and the rate of the next ones."""

    engine: Engine
    n_parameters: int
    plan: Plan
    schedule: str
    power_t: float
    learning_rate: float

    def one_pass(
        self, rows: EncodedRows, targets: NDArray[Any], order: Rows, weights_n: Float64 | None
    ) -> tuple[float, Float64]:
        """Each row once.

        A batch's loss is the weighted mean of its rows', and the penalty's share in it 1 / the sum of their weights.

        Returns:
            The sum over batches of their mean loss times their rows; and what the penalty counts in it, batch by batch.
        """
        size = self.plan.batch_size
        starts = np.arange(0, len(order), size)
        counts_s = np.diff(np.append(starts, len(order)))
        totals_s, each = counts_s.astype(np.float64), None
        if weights_n is not None:
            totals_s = np.add.reduceat(weights_n[order], starts)
            share_s = np.divide(counts_s, totals_s, out=np.zeros(len(starts)), where=totals_s > 0)
            each = np.zeros(len(rows))
            each[order] = weights_n[order] * np.repeat(share_s, counts_s)
        penalties_s = np.divide(1.0, totals_s, out=np.zeros(len(starts)), where=totals_s > 0)
        rate, scale = self.learning_rate, self._scale_of_gradients()
        if scale != 1.0:
            rate = self.plan.learning_rate
            each = np.full(len(rows), scale) if each is None else each * scale
        rates_s = np.full(len(starts), rate)
        stride = max(1, CALL_FLOPS // (6 * self.n_parameters * size))
        loss = 0.0
        for first in range(0, len(starts), stride):
            span = slice(first, first + stride)
            some = order[first * size : (first + stride) * size]
            steps = Steps(rates_s[span], penalties_s[span] * scale)
            loss = self.engine.train_span(rows, targets, some, steps, loss, Weights(each))
        return loss / scale, counts_s * penalties_s

    def _scale_of_gradients(self) -> float:
        """What the gradients of a pass are times, at the first learning rate, instead of a new rate; 1: the new rate.

        The engine's plain momentum sums gradients and takes all of them at the new rate; there it sums steps, which
        keep the rate they were taken at. A gradient that is smaller at the old rate is the same step. Nesterov's sums
        steps here too. No less than 1e-30, a step of nothing that float32 still holds.
        """
        if self.plan.optimizer != "sgd" or self.plan.momentum == 0:
            return 1.0
        return max(self.learning_rate / self.plan.learning_rate, 1e-30)

    def end_of_pass(self, rows_seen: int) -> None:
        if self.schedule == "invscaling":
            self.learning_rate = self.plan.learning_rate / (rows_seen + 1) ** self.power_t

    def has_ended(self, words: str, is_verbose: bool) -> bool:
        """Whether no improvement is the end; an adaptive rate falls first."""
        is_end = self.schedule != "adaptive" or self.learning_rate <= LEAST_ADAPTIVE_RATE
        if not is_end:
            self.learning_rate /= 5.0
        if is_verbose:
            print(f"{words} {'Stopping.' if is_end else f'Setting learning rate to {self.learning_rate:f}'}")
        return is_end


ONE_OF_MANY = TargetEncoder("multi-class", (0, 1))
"""Of any target: a weight is one of a row."""


@dataclass(frozen=True)
class _Labels:
    """What the outputs stand for.

    Attributes:
        encoder: of one class a row; of labels its classes are their numbers.
        classes: (K,), of the type that y has.
    """

    encoder: TargetEncoder
    classes: NDArray[Any]

    @classmethod
    def of(cls, y: Any) -> _Labels:
        """A single class is one too, as there; a matrix of two columns and more holds labels."""
        if _is_matrix(y):
            n_labels = _zeros_and_ones(y).shape[1]
            return cls(TargetEncoder("multi-label", tuple(range(n_labels))), np.arange(n_labels))
        target = as_target(y, ravel=True)
        if isinstance(target, LabelSets):
            raise InputError("y must be one class a row, or a matrix of 0 and 1, a column for each label; got sets.")
        first = target.values[0]
        if (target.values == first).all() and (target.values.dtype.kind != "f" or first == np.floor(first)):
            encoder = TargetEncoder("multi-class", (target.values[:1].tolist()[0],))
        else:
            encoder = TargetEncoder.fit(target, "multi-class")
        given = np.asarray(y).dtype
        return cls(encoder, np.array(encoder.classes, given if given.kind in "biufU" else object))

    @property
    def is_yes_or_no(self) -> bool:
        """One output, of the second of two classes."""
        return self.encoder.task == "multi-class" and len(self.classes) <= 2

    @property
    def n_outputs(self) -> int:
        return 1 if self.is_yes_or_no else len(self.classes)

    @property
    def head_name(self) -> HeadName:
        return "sigmoid" if self.is_yes_or_no or self.encoder.task == "multi-label" else "softmax"

    @property
    def head(self) -> Head:
        return HEADS[self.head_name]

    def encode(self, y: Any, unknown: Any = "raise") -> NDArray[Any]:
        """As the engine takes them: int32 (n,), or float32 (n, 1) or (n, L)."""
        if self.encoder.task == "multi-label":
            values = _zeros_and_ones(y) if _is_matrix(y) else np.empty((0, 0))
            if values.shape[1] != len(self.classes):
                raise InputError(f"y must be a matrix of 0 and 1 with {len(self.classes)} columns, one for each label.")
            return values
        if _is_matrix(y):
            raise InputError("y must be one class a row, as in the fit before; it has several columns.")
        codes = self.encoder.encode(y, unknown)
        return codes.astype(np.float32)[:, None] if self.is_yes_or_no else codes

    def strata(self, targets: NDArray[Any]) -> NDArray[Any]:
        """What a split spreads evenly."""
        return targets[:, 0].astype(np.int32) if self.is_yes_or_no else targets

    def named(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Classes, or 0 and 1."""
        if self.encoder.task == "multi-label":
            return codes
        places = codes[:, 0] if self.is_yes_or_no else codes
        return np.asarray(self.classes[np.minimum(places, len(self.classes) - 1)])


def _is_matrix(y: Any) -> bool:
    """Whether y has two columns or more."""
    if isinstance(y, (list, tuple)) and len(y) and isinstance(y[0], (list, tuple, np.ndarray)):
        try:
            y = np.asarray(y)
        except ValueError:  # rows of other lengths, which are no matrix
            return False
    shape: tuple[int, ...] = getattr(y, "shape", ())
    return len(shape) == 2 and shape[1] > 1


def _zeros_and_ones(y: Any) -> Float32:
    """A matrix of labels, float32 (n, L)."""
    values = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    if values.dtype.kind not in "biufO":
        raise InputError("a target of several columns must hold 0 and 1, one column for each label; it holds text.")
    is_fine = (values == 0) | (values == 1)
    if not is_fine.all():
        row, column = (int(place) for place in np.argwhere(~is_fine)[0])
        raise InputError(
            "a target of several columns must hold 0 and 1, one column for each label (Multioutput target data is not"
            f" supported); row {row}, column {column} has {brief(values[row, column])}."
        )
    return np.ascontiguousarray(values, np.float32)


def _rows(X: Any) -> tuple[EncodedRows, NDArray[Any] | None]:
    """As the engine takes them; and the names of the columns of a frame, if all are texts."""
    columns = getattr(X, "columns", None)
    names = None if columns is None else np.array(list(columns), dtype=object)
    if names is not None and not all(isinstance(name, str) for name in names):
        names = None
    inputs = as_inputs(X) if columns is None else as_matrix(X)
    if isinstance(inputs, SparseMatrix):
        return _sparse(inputs), names
    if not isinstance(inputs, Matrix):
        raise InputError(f"X must be an array, a frame of numbers or a sparse matrix; got {type(X).__name__}.")
    if inputs.has_missing:
        row, column = (int(place) for place in np.argwhere(np.isnan(inputs.values))[0])
        raise InputError(
            f"Input X contains NaN: row {row}, column {column}. MLPClassifier takes no missing values, as"
            " scikit-learn's; fill them in, or use fromlogits.Classifier, which does."
        )
    if inputs.values.dtype == np.uint8:
        return Features(np.ascontiguousarray(inputs.values)), names
    return Features(_float32(np.ascontiguousarray(inputs.values))), names


def _sparse(inputs: SparseMatrix) -> SparseFeatures:
    values = _float32(inputs.values)
    indptr, indices = inputs.indptr.astype(np.int64), inputs.indices.astype(np.int32)
    is_there = values != 0
    if not is_there.all():
        indptr = np.append(0, np.cumsum(is_there))[indptr]
        values, indices = values[is_there], indices[is_there]
    return SparseFeatures(indptr, indices, values, inputs.n_features)


def _float32(values: NDArray[Any]) -> Float32:
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if values.dtype == np.float64 and not np.isfinite(narrow).all():
        raise InputError(
            f"X must hold numbers that float32 can, up to 3.4e38; found {np.abs(values).max():g}. Scale its columns."
        )
    return narrow


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 1)


def _generator(random_state: Any) -> Any:
    """NumPy's legacy generator, whose stream is fixed for all its versions; its draws are in scikit-learn's order."""
    if random_state is None or random_state is np.random:
        return np.random  # the module's own, which np.random.seed seeds
    if isinstance(random_state, np.random.RandomState):
        return random_state
    is_whole = isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool)
    if is_whole and 0 <= random_state < 2**32:
        return np.random.RandomState(int(random_state))
    raise InputError(
        f"random_state must be a whole number from 0 to 2^32 - 1, a RandomState or None; got {brief(random_state)}."
    )


def _sum_of_squares(parameters: Parameters) -> float:
    return sum(float(np.square(w_hd, dtype=np.float64).sum()) for w_hd, _ in parameters)


def _accuracy(codes: NDArray[Any], targets: NDArray[Any], weights_n: Float64 | None) -> float:
    is_right = codes == targets
    return float(np.average(is_right if is_right.ndim == 1 else is_right.all(axis=1), weights=weights_n))


def _convergence_warning() -> type[Warning]:
    theirs = sys.modules.get("sklearn.exceptions")
    return ConvergenceWarning if theirs is None else theirs.ConvergenceWarning
