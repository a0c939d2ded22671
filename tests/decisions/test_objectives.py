"""What `decide_for` takes, what it means for the target, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fromlogits.decisions.objectives import Costs, Objective, resolve
from fromlogits.decisions.rules import SecondClass, SmallestCost, Thresholds
from fromlogits.errors import InputError


@pytest.mark.parametrize(
    ("text", "name", "measure", "number"),
    [
        ("accuracy", "accuracy", "accuracy", 1.0),
        ("balanced_accuracy", "balanced_accuracy", "balanced_accuracy", 1.0),
        ("f1", "f1", "f", 1.0),
        ("f0.5", "f0.5", "f", 0.5),
        ("macro_f2", "macro_f2", "macro_f", 2.0),
        ("micro_f1", "micro_f1", "micro_f", 1.0),
        (" recall >= 0.9 ", "recall>=0.9", "recall", 0.9),
        ("precision>=.95", "precision>=.95", "precision", 0.95),
        ("recall>=1", "recall>=1", "recall", 1.0),
    ],
)
def test_an_objective_is_read(text: str, name: str, measure: str, number: float) -> None:
    assert Objective.parse(text) == Objective(name, measure, number)  # type: ignore[arg-type]


NOT_OBJECTIVES = (
    "", "F1", "f", "f0", "f1e3", "f200", "recall", "recall>0.9", "recall>=0", "recall>=1.1", "recall>=nan",
    "precision<=0.5", "micro_accuracy", "f1 f1",
)  # fmt: skip


@pytest.mark.parametrize("text", NOT_OBJECTIVES)
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="decide_for must be accuracy"):
        resolve(text, "multi-label", "ab")


def test_a_slip_gets_a_hint() -> None:
    with pytest.raises(InputError, match="Did you mean 'micro_f1'"):
        resolve("microf1", "multi-label", "ab")


@pytest.mark.parametrize(("text", "classes"), [("micro_f1", "ab"), ("recall>=0.9", "abc"), ("precision>=0.9", "abc")])
def test_what_the_task_has_no_answer_to_is_refused(text: str, classes: str) -> None:
    with pytest.raises(InputError, match="is for labels"):
        resolve(text, "multi-class", classes)


def test_costs_of_classes_by_place_and_by_name_are_the_same() -> None:
    matrix = [[0, 1, 4], [2, 0, 1], [9, 3, 0]]
    names = [7, 8, 9]
    by_text = {str(i): {str(j): matrix[a][b] for b, j in enumerate(names)} for a, i in enumerate(names)}
    by_name = {i: {j: matrix[a][b] for b, j in enumerate(names)} for a, i in enumerate(names)}
    for given in (matrix, np.array(matrix), by_text, by_name):
        costs = resolve(given, "multi-class", names)
        assert isinstance(costs, Costs)
        assert costs.to_json() == matrix
        assert isinstance(costs.rule(), SmallestCost)


def test_two_classes_and_labels_get_the_threshold_of_their_costs() -> None:
    two = resolve([[0, 1], [4, 0]], "multi-class", ["no", "yes"])
    assert isinstance(two, Costs)
    rule = two.rule()
    assert isinstance(rule, SecondClass)
    assert rule.threshold == 0.2
    for given in (
        [[[0, 1], [4, 0]], [[1, 2], [2, 1]]],
        {"a": [[0, 1], [4, 0]], "b": {0: {0: 1, 1: 2}, 1: {0: 2, 1: 1}}},
    ):
        of_labels = resolve(given, "multi-label", ["a", "b"])
        assert isinstance(of_labels, Costs)
        rule = of_labels.rule()
        assert isinstance(rule, Thresholds)
        assert rule.values.tolist() == [0.2, 0.5]
    alike = resolve({"0": {"0": 0, "1": 3}, "1": {"0": 1, "1": 0}}, "multi-label", ["a", "b"])
    assert isinstance(alike, Costs)
    assert alike.rule().thresholds.tolist() == [0.75, 0.75]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "task", "says"),
    [
        ([[0, 1], [1, 0]], "multi-class", r"shape \(3, 3\)"),
        ([[0, 1, 1], [1, 0, 1], [1, 1]], "multi-class", "a name such as 'f1', or costs"),
        (7, "multi-class", "shape"),
        (object(), "multi-class", "a name such as 'f1', or costs"),
        ([["a"] * 3] * 3, "multi-class", "a name such as 'f1', or costs"),
        ([[0, 1, 1], [1, 0, 1], [1, float("nan"), 0]], "multi-class", "numbers from"),
        ([[0, 1, 1], [1, 0, 1], [1, float("inf"), 0]], "multi-class", "numbers from"),
        ([[5, 0, 0], [0, 5, 0], [0, 0, 5]], "multi-class", "not gains"),
        ([[1, 1, 1]] * 3, "multi-class", "nothing to decide by"),
        ({"a": {"a": 0, "b": 1, "c": 1}}, "multi-class", "no row 'b'"),
        ({"a": {"a": 0, "b": 1}, "b": {}, "c": {}}, "multi-class", "no column 'c'"),
        ({"a": 1, "b": 1, "c": 1}, "multi-class", "by decided class"),
        ({"a": {}, "b": {}, "c": {}, "d": {}}, "multi-class", "a row 'd', which the target does not have"),
        ([[0, 0], [0, 0]], "multi-label", "both answers to label 'a'"),
        ([[1, 0], [0, 1]], "multi-label", "not gains"),
        ({"a": [[0, 1], [1, 0]]}, "multi-label", "no label 'b'"),
        ({"x": [[0, 1], [1, 0]]}, "multi-label", "a label 'x'"),
        ([[0, 1, 1]] * 3, "multi-label", r"shape \(2, 2\) or \(3, 2, 2\)"),
    ],
)
def test_costs_that_make_no_sense_are_refused(given: Any, task: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        resolve(given, task, ["a", "b", "c"])


def test_more_classes_than_a_file_holds_costs_of_are_refused() -> None:
    with pytest.raises(InputError, match="at most 500 classes"):
        resolve(1 - np.eye(501), "multi-class", range(501))


def test_unset_asks_nothing() -> None:
    assert resolve(None, "multi-label", "ab") is None
