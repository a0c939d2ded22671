"""Without hidden layers the classifier is logistic or softmax regression: it reaches the optimum of its objective."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import fromlogits as fl
from fromlogits.data.inputs import as_inputs

LIMIT = 1e-4
WAYS: dict[str, dict[str, Any]] = {
    "adam": {"optimizer": "adam", "learning_rate": 0.1, "max_epochs": 800},
    "sgd": {"optimizer": "sgd", "learning_rate": 1.0, "max_epochs": 1500},
    "sgd, small batches": {"optimizer": "sgd", "learning_rate": 0.5, "max_epochs": 1000, "batch_size": 200},
}


def objective(
    weights: NDArray[Any], biases: NDArray[Any], features: NDArray[Any], codes: NDArray[np.int64], penalty: float
) -> float:
    """Mean loss plus penalty/2 · ‖W‖² in float64; one row of weights is the sigmoid of two classes."""
    w_cd, b_c = weights.astype(np.float64), biases.astype(np.float64)
    z_nc = features.astype(np.float64) @ w_cd.T + b_c
    if len(w_cd) == 1:
        z_nc = np.hstack([np.zeros_like(z_nc), z_nc])
    top_n = z_nc.max(axis=1)
    losses_n = top_n + np.log(np.exp(z_nc - top_n[:, None]).sum(axis=1)) - z_nc[np.arange(len(codes)), codes]
    return float(losses_n.mean() + penalty / 2 * (w_cd**2).sum())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("classes", [(3, 8), tuple(range(10))], ids=["sigmoid", "softmax"])
def test_without_hidden_layers_the_objective_is_that_of_logistic_regression_at_its_optimum(
    classes: tuple[int, ...], way: str
) -> None:
    pixels, digits = load_digits(return_X_y=True)
    rows = np.flatnonzero(np.isin(digits, classes))[:400]
    pixels, digits = pixels[rows], digits[rows]
    n, penalty = len(rows), 0.01
    settings = {"batch_size": n} | WAYS[way]

    clf = fl.Classifier(
        hidden_layer_sizes=(), weight_decay=penalty, early_stopping=False, calibrate=False, random_state=0,
        spec={"schedule": "cosine"}, **settings,
    ).fit(pixels, digits)  # fmt: skip

    features = clf.encoder_.encode(as_inputs(pixels)).values
    codes = np.unique(digits, return_inverse=True)[1]
    theirs = LogisticRegression(C=1 / (n * penalty), tol=1e-8, max_iter=10_000).fit(features.astype(np.float64), codes)
    [(weights, biases)] = clf.members_[0].parameters
    ours = objective(weights, biases, features, codes, penalty)
    best = objective(theirs.coef_, theirs.intercept_, features, codes, penalty)
    assert ours == pytest.approx(best, rel=LIMIT)
