"""Decision rules: what they decide, at ties and in any batch, and what is refused of a file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from fromlogits.decisions import rules
from fromlogits.errors import InputError


def test_a_label_is_decided_for_exactly_when_its_float32_probability_exceeds_its_threshold() -> None:
    third = np.float32(1) / np.float32(3)
    above, below = np.nextafter(third, np.float32(1)), np.nextafter(third, np.float32(0))
    rule = rules.Thresholds(np.array([float(third), 0.0, 1.0]))
    p_nl = np.array([[third, 0.0, 1.0], [above, 1e-45, 1.0], [below, 0.5, 0.5]], np.float32)
    assert rule.decide(p_nl).tolist() == [[0, 0, 0], [1, 1, 0], [0, 1, 0]]


def test_a_threshold_between_two_neighbouring_floats_parts_them() -> None:
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    rule = rules.SecondClass((float(low) + float(high)) / 2)
    p_nk = np.array([[0.7, low], [0.7, high]], np.float32)
    assert rule.decide(p_nk).tolist() == [0, 1]


def test_equal_probabilities_scores_and_costs_go_to_the_lowest_index() -> None:
    p_nk = np.array([[0.25, 0.375, 0.375], [0.25, 0.25, 0.5]], np.float32)
    assert rules.Largest().decide(p_nk).tolist() == [1, 2]
    assert rules.Scores(np.array([2.0, 1.0, 1.0]), np.array([0.125, 0.0, 0.0])).decide(p_nk).tolist() == [0, 2]
    assert rules.SmallestCost(1 - np.eye(3)).decide(p_nk).tolist() == [1, 2]


def test_the_smallest_expected_cost_is_that_of_the_matrix_product() -> None:
    rng = np.random.default_rng(0)
    p_nk = rng.dirichlet(np.ones(7), 5000).astype(np.float32)
    costs = rng.integers(0, 9, (7, 7)).astype(np.float64)
    expected_nk = p_nk.astype(np.float64) @ costs
    decided_n = rules.SmallestCost(costs).decide(p_nk)
    best_n = expected_nk.min(axis=1)
    assert (expected_nk[np.arange(5000), decided_n] <= best_n + 1e-12).all()  # costs up to 8: a few ulps of the sum
    assert len(np.unique(decided_n)) > 1


@pytest.mark.parametrize("k", [3, 70])
def test_a_row_is_decided_alike_alone_and_in_any_batch(k: int) -> None:
    rng = np.random.default_rng(1)
    p_nk = rng.dirichlet(np.ones(k), 2000).astype(np.float32)
    for rule in (
        rules.SmallestCost(rng.random((k, k)) * (1 - np.eye(k))),
        rules.Scores(rng.random(k) + 0.5, rng.random(k) / k),
    ):
        alone = np.concatenate([rule.decide(p_nk[[row]]) for row in range(0, 2000, 37)])
        np.testing.assert_array_equal(rule.decide(p_nk)[::37], alone)


def test_no_row_gives_no_decision() -> None:
    empty = np.empty((0, 3), np.float32)
    assert rules.SmallestCost(1 - np.eye(3)).decide(empty).shape == (0,)
    assert rules.Thresholds(np.full(3, 0.5)).decide(empty).shape == (0, 3)


@pytest.mark.parametrize(
    ("rule", "task"),
    [
        (rules.Largest(), "multi-class"),
        (rules.Scores(np.array([1.0, 0.1, 1 / 3]), np.array([0.0, -0.25, 0.7])), "multi-class"),
        (rules.SmallestCost(np.array([[0.0, 1, 2], [0.1, 0, 9], [1, 1, 0]])), "multi-class"),
        (rules.Thresholds(np.array([0.5, 1 / 3, 0.0])), "multi-label"),
    ],
)
def test_a_rule_comes_back_from_its_json(rule: rules.Rule, task: Any) -> None:
    text = json.dumps(rule.to_json())
    again = rules.from_json(json.loads(text), task, 3)
    assert type(again) is type(rule)
    assert json.dumps(again.to_json()) == text


@pytest.mark.parametrize(
    ("value", "task", "says"),
    [
        (None, "multi-class", "can't be None"),
        ({"kind": "largest"}, "multi-label", "can't be 'largest'"),
        ({"kind": "thresholds", "thresholds": [0.5] * 3}, "multi-class", "can't be 'thresholds'"),
        ({"kind": ["largest"]}, "multi-class", "can't be"),
        ({"kind": "largest", "more": 1}, "multi-class", "unknown keys"),
        ({"kind": "second_class", "threshold": 0.5}, "multi-class", "for two classes"),
        ({"kind": "thresholds"}, "multi-label", "lacks 'thresholds'"),
        ({"kind": "thresholds", "thresholds": [0.5, 0.5]}, "multi-label", "shape"),
        ({"kind": "thresholds", "thresholds": [0.5, 0.5, 1.01]}, "multi-label", "from 0 to 1"),
        ({"kind": "thresholds", "thresholds": [0.5, 0.5, True]}, "multi-label", "from 0 to 1"),
        ({"kind": "thresholds", "thresholds": [0.5, 0.5, "0.5"]}, "multi-label", "from 0 to 1"),
        ({"kind": "thresholds", "thresholds": [0.5, 0.5, float("nan")]}, "multi-label", "from 0 to 1"),
        ({"kind": "scores", "factors": [1, 1, -1], "charges": [0, 0, 0]}, "multi-class", "from 0 to"),
        ({"kind": "scores", "factors": [1, 1, 1], "charges": [0, 0, 10**400]}, "multi-class", "shape"),
        ({"kind": "costs", "costs": [[0, 1, 1], [1, 0, 1]]}, "multi-class", "shape"),
        ({"kind": "costs", "costs": [[0, 1, 1], [1, 0, 1], [1, 1]]}, "multi-class", "shape"),
    ],
)
def test_a_forged_rule_is_refused(value: object, task: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        rules.from_json(value, task, 3)
