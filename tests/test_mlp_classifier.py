"""`MLPClassifier` against scikit-learn's: its own tests, its networks, its examples, and what is refused."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
import sklearn
from sklearn.datasets import load_digits, load_iris, make_moons, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import fromlogits as fl
from fromlogits import MLPClassifier
from fromlogits.errors import DivergedError, InputError

# scikit-learn's tests. What is not run, and what is changed first, stands here with its reason; both may only shrink.

REGRESSOR = "of MLPRegressor alone"
NOT_OURS = {
    "test_lbfgs_regression": REGRESSOR,
    "test_lbfgs_regression_maxfun": REGRESSOR,
    "test_multioutput_regression": REGRESSOR,
    "test_partial_fit_regression": REGRESSOR,
    "test_nonfinite_params": REGRESSOR,
    "test_shuffle": REGRESSOR,
    "test_mlp_regressor_dtypes_casting": REGRESSOR,
    "test_mlp_loading_from_joblib_partial_fit": REGRESSOR,
    "test_mlp_diverging_loss": REGRESSOR,
    "test_mlp_sample_weight_with_early_stopping": REGRESSOR,
    "test_mlp_vs_poisson_glm_equivalent": REGRESSOR,
    "test_minimum_input_sample_size": REGRESSOR,
    "test_gradient": "calls the loss of lbfgs; gradients are tested in tests/engines",
    "test_lbfgs_classification": "lbfgs is refused",
    "test_lbfgs_classification_maxfun": "lbfgs is refused",
    "test_early_stopping_stratified": "a class of a single row is kept for training, not refused",
}
ADAM = ('solver="lbfgs"', 'solver="adam"')
CHANGED: dict[str, list[tuple[str, str]]] = {
    # lbfgs is refused: adam, in as many steps as it needs.
    "test_multilabel_classification": [
        ADAM,
        ("alpha=1e-5,\n        max_iter=150", "alpha=1e-5,\n        max_iter=2000"),
        ("learning_rate_init=0.2,\n    )\n    mlp.fit(X, y)", "learning_rate_init=0.02,\n    )\n    mlp.fit(X, y)"),
    ],
    "test_predict_proba_multilabel": [
        ('solver="lbfgs"', "learning_rate_init=0.02, max_iter=2000"),
        ("assert_allclose(y_log_proba, np.log(y_proba))", ""),  # they have digits that a float32 p has lost
    ],
    "test_sparse_matrices": [('solver="lbfgs"', "learning_rate_init=0.05")],
    "test_warm_start": [ADAM],
    "test_mlp_warm_start_no_convergence": [('["sgd", "adam", "lbfgs"]', '["sgd", "adam"]')],
    "test_partial_fit_errors": [('assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")', "")],
    # Parameters are float32, whatever X is.
    "test_mlp_param_dtypes": [("[np.float32, np.float64]", "[np.float32]")],
}


def their_tests() -> dict[str, Callable[..., None]]:
    """The tests of the installed file, by name, about our class."""
    found = find_spec("sklearn.neural_network.tests.test_mlp")
    assert found is not None and found.origin is not None
    source = Path(found.origin).read_text(encoding="utf-8")
    taken = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"
    assert source.count(taken) == 1
    source = source.replace(taken, taken + "from fromlogits import MLPClassifier\n")
    source = source.replace("[MLPClassifier, MLPRegressor]", "[MLPClassifier]")
    parts = source.split("\n\n\n")
    for name, changes in CHANGED.items():
        (place,) = [i for i, part in enumerate(parts) if f"def {name}(" in part]
        for old, new in changes:
            assert old in parts[place], f"{name} has changed: {old!r} is not in it"
            parts[place] = parts[place].replace(old, new)
    module = types.ModuleType("theirs")
    exec(compile("\n\n\n".join(parts), found.origin, "exec"), vars(module))
    return {name: value for name, value in vars(module).items() if name.startswith("test_")}


THEIR_TESTS = their_tests()
globals().update(
    {f"test_theirs_{name[5:]}": value for name, value in THEIR_TESTS.items() if name not in NOT_OURS},
)


def test_what_is_not_run_of_their_tests_is_in_their_file_and_not_about_our_class() -> None:
    assert set(NOT_OURS) <= set(THEIR_TESTS)
    for name, reason in NOT_OURS.items():
        if reason == REGRESSOR:
            assert "MLPClassifier" not in inspect.getsource(THEIR_TESTS[name])


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the estimator stands without scikit-learn's base class, on purpose
    CHECKS = [check for _, check in estimator_checks_generator(MLPClassifier(), legacy=True)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(getattr(check, "func", check).__name__))
def test_scikit_learns_checks(check: Any, request: pytest.FixtureRequest) -> None:
    if "sample_weight_equivalence" in str(getattr(check, "func", check).__name__):
        # It wants weights and copies of rows to give the same network to seven digits; steps are rounded to float32.
        request.applymarker(pytest.mark.xfail(strict=True))
    check(MLPClassifier())


# The same network as theirs


DIGITS = load_digits(return_X_y=True)
X_DIGITS, Y_DIGITS = DIGITS[0] / 16.0, DIGITS[1]
SETTINGS: dict[str, dict[str, Any]] = {
    "adam": {"epsilon": 1e-15},
    "adam, tanh, two layers": {"epsilon": 1e-15, "activation": "tanh", "hidden_layer_sizes": (20, 10)},
    "adam, logistic": {"epsilon": 1e-15, "activation": "logistic"},
    "adam, identity": {"epsilon": 1e-15, "activation": "identity", "hidden_layer_sizes": 7},
    "no hidden layer": {"epsilon": 1e-15, "hidden_layer_sizes": ()},
    "a large penalty, and a shorter last batch": {
        "solver": "sgd",
        "learning_rate_init": 0.1,
        "alpha": 3.0,
        "batch_size": 190,
    },
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "sgd without momentum, in order": {"solver": "sgd", "momentum": 0, "shuffle": False},
    "sgd, plain momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.1, "learning_rate_init": 0.2},
    "sgd, adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 1},
    "sgd, plain momentum, invscaling": {
        "solver": "sgd",
        "learning_rate": "invscaling",
        "nesterovs_momentum": False,
        "learning_rate_init": 0.2,
    },
    "sgd, plain momentum, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "nesterovs_momentum": False,
        "tol": 0.5,
        "n_iter_no_change": 1,
    },
    "sgd, plain momentum, a rate of nothing": {
        "solver": "sgd",
        "learning_rate": "invscaling",
        "nesterovs_momentum": False,
        "power_t": 20,
    },
}

PENALTY_WITHIN = 6e-3
"""Of a loss with a large penalty, whose change within a pass is taken to be even; no step depends on it."""


def both(settings: dict[str, Any], X: Any, y: Any, **more: Any) -> tuple[Any, Any]:
    fitted = []
    for kind in (MLPClassifier, Theirs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            clf = kind(**{"hidden_layer_sizes": (16,), "max_iter": 6, "random_state": 3, **settings})
            fitted.append(clf.fit(X, y, **more))
    return fitted[0], fitted[1]


def assert_same(ours: Any, theirs: Any, X: Any, loss_within: float = 2e-5) -> None:
    # Float32 sums and steps against float64 ones.
    for mine, other in zip([*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-5)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=loss_within)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-5)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.classes_.dtype == theirs.classes_.dtype and ours.classes_.tolist() == theirs.classes_.tolist()
    assert ours.best_loss_ == pytest.approx(theirs.best_loss_, rel=loss_within)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("n_classes", [2, 10])
def test_the_network_is_the_one_that_scikit_learn_trains(n_classes: int, settings: dict[str, Any]) -> None:
    rows = np.flatnonzero(np.isin(Y_DIGITS, range(n_classes)))
    X, y = X_DIGITS[rows], Y_DIGITS[rows]
    assert_same(*both(settings, X, y), X, PENALTY_WITHIN if "alpha" in settings else 2e-5)


@pytest.mark.parametrize(
    "more", [{}, {"learning_rate": "invscaling", "power_t": 0.1, "nesterovs_momentum": False}], ids=["", "invscaling"]
)
def test_weights_are_those_of_scikit_learn(more: dict[str, Any]) -> None:
    weights = np.random.default_rng(0).integers(0, 4, len(Y_DIGITS)) / 2
    settings = {"alpha": 1.0, "solver": "sgd", "learning_rate_init": 0.1, **more}
    ours, theirs = both(settings, X_DIGITS, Y_DIGITS, sample_weight=weights)
    assert_same(ours, theirs, X_DIGITS, PENALTY_WITHIN)
    assert ours.score(X_DIGITS, Y_DIGITS, weights) == pytest.approx(theirs.score(X_DIGITS, Y_DIGITS, weights))


def test_labels_and_their_figures_are_those_of_scikit_learn() -> None:
    X, y = make_multilabel_classification(n_samples=300, random_state=0)
    ours, theirs = both({"solver": "sgd", "learning_rate_init": 0.01}, X / 10, y)
    assert_same(ours, theirs, X / 10)
    assert ours.predict(X / 10).dtype.kind == theirs.predict(X / 10).dtype.kind
    assert ours.score(X / 10, y) == theirs.score(X / 10, y)
    from scipy.sparse import csr_matrix

    sparse, _ = both({"solver": "sgd", "learning_rate_init": 0.01}, X / 10, csr_matrix(y))
    np.testing.assert_array_equal(sparse.coefs_[0], ours.coefs_[0])


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_passes_over_parts_follow_scikit_learn(solver: str) -> None:
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (16,),
        "solver": solver,
        "learning_rate_init": 0.01,
    }
    settings |= {"epsilon": 1e-15, "alpha": 0.1, "random_state": 5}
    ours, theirs = MLPClassifier(**settings), Theirs(**settings)
    weights = np.random.default_rng(0).random(len(Y_DIGITS))
    for rows in (slice(0, 50), slice(50, 700), slice(700, 1797), slice(0, 50)):  # batches of other sizes each time
        for one in (ours, theirs):
            one.partial_fit(X_DIGITS[rows], Y_DIGITS[rows], weights[rows], classes=np.arange(10))
    assert_same(ours, theirs, X_DIGITS, PENALTY_WITHIN)


def test_a_second_fit_goes_on_as_scikit_learns_does() -> None:
    fitted = both({"warm_start": True, "solver": "sgd", "learning_rate_init": 0.05}, X_DIGITS, Y_DIGITS)
    for one in fitted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            one.set_params(max_iter=3).fit(X_DIGITS, Y_DIGITS)
    assert len(fitted[0].loss_curve_) == 9
    assert_same(*fitted, X_DIGITS)


def test_sparse_rows_give_the_network_of_dense_ones() -> None:
    from scipy.sparse import csc_matrix

    dense, _ = both({"alpha": 0.0}, X_DIGITS, Y_DIGITS)
    sparse, _ = both({"alpha": 0.0}, csc_matrix(X_DIGITS), Y_DIGITS)
    for one, other in zip(dense.coefs_, sparse.coefs_, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)  # of features that a batch lacks epsilon is left out
    np.testing.assert_allclose(dense.predict_proba(X_DIGITS), sparse.predict_proba(csc_matrix(X_DIGITS)), atol=1e-4)


# As good as theirs


MOONS = make_moons(1000, noise=0.25, random_state=0)


@pytest.mark.parametrize(
    ("X", "y", "settings"),
    [
        (X_DIGITS, Y_DIGITS, {"max_iter": 60}),
        (X_DIGITS, Y_DIGITS, {"max_iter": 60, "early_stopping": True, "learning_rate_init": 0.01}),
        (*MOONS, {"max_iter": 300, "learning_rate_init": 0.01, "alpha": 0.1}),
        (*MOONS, {"max_iter": 300, "learning_rate_init": 0.1, "solver": "sgd", "learning_rate": "adaptive"}),
    ],
)
def test_accuracy_is_that_of_scikit_learn_within_noise(X: Any, y: Any, settings: dict[str, Any]) -> None:
    shares = []
    for kind in (MLPClassifier, Theirs):
        for seed in range(3):
            one, other, y_one, y_other = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
            scaler = StandardScaler().fit(one)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                clf = kind(random_state=seed, **settings).fit(scaler.transform(one), y_one)
            shares.append(clf.score(scaler.transform(other), y_other))
    ours, theirs = np.mean(shares[:3]), np.mean(shares[3:])
    error = np.sqrt(2 * theirs * (1 - theirs) / (3 * len(y_other)))  # of the difference of two shares of 3 tests
    assert abs(ours - theirs) < 2 * error


# Our own


def test_probabilities_come_from_the_logits() -> None:
    X = np.array([[-3e4], [-200.0], [0.0], [200.0], [3e4]])
    clf = MLPClassifier((), random_state=0, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        clf.fit(X, [0, 0, 0, 1, 1])
    clf.coefs_, clf.intercepts_ = [np.array([[1.0]])], [np.array([0.0])]
    z = clf.predict_logits(X)
    np.testing.assert_array_equal(z, X)
    np.testing.assert_array_equal(clf.predict_proba(X), np.hstack([fl.sigmoid(-z), fl.sigmoid(z)]))
    logarithms = (np.minimum(X[:, 0], 0) - [0, 0, np.log(2), 0, 0]).astype(np.float32)
    np.testing.assert_array_equal(clf.predict_log_proba(X)[:, 1], logarithms)
    assert clf.predict(X).tolist() == [0, 0, 0, 1, 1]


def test_a_pickle_predicts_the_same_and_goes_on() -> None:
    clf = MLPClassifier((8,), random_state=0).partial_fit(X_DIGITS, Y_DIGITS, classes=range(10))
    copy = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(copy.predict_logits(X_DIGITS), clf.predict_logits(X_DIGITS))
    assert copy.partial_fit(X_DIGITS, Y_DIGITS).t_ == 2 * len(Y_DIGITS)


def test_without_scikit_learn_the_warning_is_our_own() -> None:
    script = (
        "import warnings, sys\n"
        "warnings.simplefilter('error')\n"
        "from fromlogits import MLPClassifier\n"
        "try: MLPClassifier(max_iter=1).fit([[0.0], [1.0]], ['a', 'b'])\n"
        "except Warning as warning: print(type(warning).__module__, type(warning).__name__, 'sklearn' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["fromlogits.mlp_classifier", "ConvergenceWarning", "False"]


def test_a_class_of_one_row_is_kept_for_training() -> None:
    X = np.arange(40.0).reshape(20, 2)
    clf = MLPClassifier(early_stopping=True, validation_fraction=0.2, random_state=0, max_iter=3, n_iter_no_change=5)
    with pytest.warns(ConvergenceWarning):
        clf.fit(X, ["a"] * 19 + ["b"])
    assert clf.classes_.tolist() == ["a", "b"] and clf.validation_scores_ is not None
    assert len(clf.validation_scores_) == 3


def test_early_stopping_keeps_the_best_pass() -> None:
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier(early_stopping=True, learning_rate_init=0.05, random_state=1, n_iter_no_change=5).fit(X, y)
    assert clf.n_iter_ < 200 and clf.validation_scores_ is not None
    best = clf.validation_scores_.index(max(clf.validation_scores_))
    assert clf.best_validation_score_ == clf.validation_scores_[best] and best < clf.n_iter_ - 1
    # As many passes as led to the best one, without what came after.
    again = MLPClassifier(early_stopping=True, learning_rate_init=0.05, random_state=1, max_iter=best + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again.fit(X, y)
    np.testing.assert_array_equal(again.coefs_[0], clf.coefs_[0])


def test_a_training_that_diverges_says_so() -> None:
    clf = MLPClassifier(solver="sgd", learning_rate_init=1e4, random_state=0)
    with pytest.raises(DivergedError, match="lower learning_rate_init") as caught:
        clf.fit(X_DIGITS * 1e4, Y_DIGITS)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(fl.errors.NotFittedError):
        clf.predict(X_DIGITS)


def test_an_error_leaves_what_was_fitted_before() -> None:
    clf = MLPClassifier((8,), solver="sgd", random_state=0).partial_fit(X_DIGITS, Y_DIGITS, classes=range(10))
    z, curve = clf.predict_logits(X_DIGITS), list(clf.loss_curve_)
    with pytest.raises(DivergedError):
        for _ in range(20):
            clf.partial_fit(X_DIGITS * 1e18, Y_DIGITS)
            z, curve = clf.predict_logits(X_DIGITS), list(clf.loss_curve_)
    with pytest.raises(InputError):
        clf.fit(X_DIGITS[:5], [0.5] * 5)
    np.testing.assert_array_equal(clf.predict_logits(X_DIGITS), z)
    assert clf.loss_curve_ == curve


def test_one_class_is_predicted_always() -> None:
    ours, theirs = both({"max_iter": 2, "epsilon": 1e-15}, [[0.0], [1.0]], ["a", "a"])
    assert_same(ours, theirs, [[0.0], [1.0]])
    assert ours.predict([[5.0], [-5.0]]).tolist() == ["a", "a"]


ONE_OF_EACH = {"X": [[0.0, 1.0], [1.0, 0.0]], "y": [0, 1]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"solver": "lbfgs"}, "solver='lbfgs' is not carried over"),
        ({"solver": "adamw"}, "solver must be one of sgd, adam"),
        ({"activation": "gelu"}, "activation must be one of identity, logistic, tanh, relu"),
        ({"alpha": -1}, r"alpha must be a number in \[0, 1e\+06\]"),
        ({"momentum": 1.0}, "momentum must be a number"),
        ({"epsilon": 0}, "epsilon must be a number"),
        ({"learning_rate": "fast"}, "learning_rate must be one of constant, invscaling, adaptive"),
        ({"learning_rate_init": 0}, "learning_rate_init must be a number"),
        ({"tol": float("nan")}, "tol must be a number"),
        ({"max_iter": 0}, "max_iter must be a whole number of at least 1; got 0"),
        ({"batch_size": "all"}, "batch_size must be a whole number of at least 1 or 'auto'"),
        ({"n_iter_no_change": 0.5}, "n_iter_no_change must be a whole number of at least 1 or inf"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes must be > 0"),
        ({"hidden_layer_sizes": "3,4"}, "hidden_layer_sizes must be > 0"),
        ({"shuffle": 1}, "shuffle must be True or False"),
        ({"random_state": -1}, "random_state must be a whole number from 0"),
        ({"random_state": np.random.default_rng(0)}, "random_state must be a whole number from 0"),
    ],
)
def test_a_setting_that_is_none_is_refused_by_name(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        MLPClassifier(**settings).fit(**ONE_OF_EACH)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"X": [[0.0, np.nan], [1.0, 0.0]]}, "Input X contains NaN: row 0, column 1"),
        ({"X": [[0.0, np.inf], [1.0, 0.0]]}, "Input X contains infinity: row 0, column 1"),
        ({"X": [[0.0, 1e300], [1.0, 0.0]]}, "X must hold numbers that float32 can"),
        ({"X": [["a", "b"], ["c", "d"]]}, "X must hold numbers"),
        ({"X": [[0.0, 1.0]]}, "X and y must have the same number of rows"),
        ({"y": [0.5, 1.5]}, "the target must name classes"),
        ({"y": [[0, 2], [1, 0]]}, "must hold 0 and 1"),
        ({"y": [[0.0, np.nan], [1, 0]]}, "must hold 0 and 1"),
        ({"y": [["a", "b"], ["c", "d"]]}, "must hold 0 and 1"),
        ({"y": [{1, 2}, {3}]}, "got sets"),
        ({"y": [[1, 2], [3]]}, "got sets|one class a row|one length"),
        ({"sample_weight": [1.0]}, r"sample_weight must have shape \(2,\)"),
        ({"sample_weight": [1.0, -1.0]}, "sample_weight must be finite and at least 0"),
    ],
)
def test_bad_input_is_one_clear_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        MLPClassifier().fit(**{**ONE_OF_EACH, **given})
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_the_fit_before_is_refused() -> None:
    clf = MLPClassifier((4,), random_state=0, warm_start=True).partial_fit(**ONE_OF_EACH, classes=[0, 1])
    for X, y, words in (
        ([[0.0]], [0], "X has 1 features, but MLPClassifier is expecting 2"),
        ([[0.0, 1.0]], [7], "a class that was not in the training rows"),
        ([[0.0, 1.0], [1.0, 1.0]], [[0, 1], [1, 1]], "one class a row"),
    ):
        with pytest.raises(InputError, match=words):
            clf.partial_fit(X, y)
    with pytest.raises(InputError, match="going on needs the same hidden_layer_sizes"):
        clf.set_params(hidden_layer_sizes=(5,)).fit(**ONE_OF_EACH)
    with pytest.raises(InputError, match="classes must be passed on the first call"):
        MLPClassifier().partial_fit(**ONE_OF_EACH)


def test_columns_of_frames_are_told_apart_by_name() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 1.0]})
    clf = MLPClassifier((4,), random_state=0).partial_fit(frame, [0, 1, 1], classes=[0, 1])
    assert clf.feature_names_in_.tolist() == ["a", "b"] and clf.feature_names_in_.dtype == object
    with pytest.raises(InputError, match="The feature names should match those that were passed during fit"):
        clf.predict(frame[["b", "a"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        clf.predict(frame.to_numpy())


def test_pictures_stay_bytes() -> None:
    X = load_digits().data.astype(np.uint8)
    as_bytes, _ = both({}, X, Y_DIGITS)
    as_floats, _ = both({}, X.astype(np.float32), Y_DIGITS)
    np.testing.assert_allclose(as_bytes.coefs_[0], as_floats.coefs_[0], atol=1e-6)


def test_parameters_are_those_of_scikit_learn_with_the_same_defaults() -> None:
    if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 7):
        pytest.skip("sample_weight came with 1.7")
    ours, theirs = inspect.signature(MLPClassifier), inspect.signature(Theirs)
    assert [(p.name, p.default, p.kind) for p in ours.parameters.values()] == [
        (p.name, p.default, p.kind) for p in theirs.parameters.values()
    ]
    for method in ("fit", "partial_fit", "predict", "predict_proba", "predict_log_proba", "score"):
        mine, other = (inspect.signature(getattr(kind, method)).parameters for kind in (MLPClassifier, Theirs))
        assert list(mine) == list(other), method
