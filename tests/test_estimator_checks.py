"""scikit-learn's own conformance suite. What does not pass stands here with its reason; the list may only shrink."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import parametrize_with_checks

import fromlogits as fl

NOT_PASSED = {
    "check_classifiers_train": "compares predict_log_proba with log(predict_proba), which is exactly 0 where a float32"
    " probability rounds to 1; ours keeps the true -1.7e-9",
}


def expected_failures(estimator: fl.Classifier) -> dict[str, str]:
    return NOT_PASSED


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([fl.Classifier(random_state=0)], expected_failed_checks=expected_failures)  # type: ignore[untyped-decorator]
def test_scikit_learns_checks(estimator: fl.Classifier, check: Any) -> None:
    check(estimator)
