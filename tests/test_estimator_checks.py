"""scikit-learn's own conformance suite. What does not pass stands here with its reason; the list may only shrink."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import estimator_checks_generator

import fromlogits as fl

COPIES = (
    "wants weights and copies to give the same network to seven digits; a weight is that many copies in every sum"
    " (tests/test_weights.py), but held-out rows and batches are drawn row by row, copies one by one"
)
EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": COPIES,
    "check_sample_weight_equivalence_on_sparse_data": COPIES,
}

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the estimator stands without scikit-learn's base class, on purpose
    CHECKS = [check for _, check in estimator_checks_generator(fl.Classifier(), legacy=True)]


def name_of(check: Any) -> str:
    return str(getattr(check, "func", check).__name__)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_scikit_learns_checks(check: Any, request: pytest.FixtureRequest) -> None:
    # check_classifiers_train compares predict_log_proba with log(predict_proba) to 1e-9, and that is exactly 0 where a
    # float32 probability rounds to 1: it passes with the seed 0, which scikit-learn's suite sets, not with every one.
    if name_of(check) in EXPECTED_TO_FAIL:
        request.applymarker(pytest.mark.xfail(reason=EXPECTED_TO_FAIL[name_of(check)], strict=True))
    check(fl.Classifier())
