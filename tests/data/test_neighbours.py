"""Quantities and codes are told apart by what rows of neighbouring values came to."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits.data.label_sets import SparseLabels
from fromlogits.data.neighbours import (
    ENOUGH_ROWS,
    MOST_CLASSES,
    MOST_LABELS,
    PRIOR_ROWS,
    Outcomes,
    says_more_alone,
    uncertainties,
)

N = 1500
RNG = np.random.default_rng(0)
HOUSE = RNG.integers(100, 250, N).astype(np.float64)
TASTE = RNG.integers(0, 3, 400)
BOUGHT = np.where(RNG.random(N) < 0.8, TASTE[HOUSE.astype(int)], RNG.integers(0, 3, N))
AGE = RNG.integers(18, 90, N).astype(np.float64)


def is_a_code(values: NDArray[Any], targets: NDArray[Any] | SparseLabels) -> bool:
    return says_more_alone(values, Outcomes.of(targets))


def test_the_number_of_a_household_is_a_code_and_its_age_is_not() -> None:
    likes = RNG.random(N) < 1 / (1 + np.exp((AGE - 50) / 8))

    assert is_a_code(HOUSE, BOUGHT)
    assert not is_a_code(AGE, likes)
    assert not is_a_code(AGE, BOUGHT)  # it says nothing
    assert not is_a_code(HOUSE, RNG.integers(0, 3, N))  # nor does this
    assert not is_a_code(AGE, (AGE - 50) ** 2 < 200)  # in the middle or not: not monotone, but of one piece


def test_single_prices_among_many_are_codes() -> None:
    gain = np.where(RNG.random(N) < 0.8, 0, RNG.integers(1, 40, N) * 997 % 5000).astype(np.float64)

    assert is_a_code(gain, (gain % 2 == 0) & (gain > 0))
    assert not is_a_code(gain, gain > 2000)


@pytest.mark.parametrize("sparse", [False, True])
def test_of_labels_each_says_its_part(sparse: bool) -> None:
    labels = np.stack([BOUGHT == 0, BOUGHT == 1, RNG.random(N) < 0.5, np.zeros(N, bool)], axis=1).astype(np.int32)
    targets: NDArray[Any] | SparseLabels = labels
    if sparse:
        rows, columns = labels.nonzero()
        starts = np.searchsorted(rows, np.arange(N + 1))
        targets = SparseLabels(starts.astype(np.int64), columns.astype(np.int32), labels.shape[1])

    assert is_a_code(HOUSE, targets)
    assert not is_a_code(AGE, targets)
    assert len(Outcomes.of(targets).classes) == 3  # a label of no row is nothing to know


def test_many_labels_and_classes_are_looked_at_in_part() -> None:
    labels = (RNG.random((200, 70)) < np.linspace(0.1, 0.8, 70)).astype(np.int32)
    frequent = np.argsort(labels.sum(axis=0), kind="stable")[-MOST_LABELS:]
    found = Outcomes.of(labels)
    assert sorted(map(tuple, found.classes)) == sorted(map(tuple, labels[:, frequent].T))

    classes = np.append(np.repeat(np.arange(MOST_CLASSES), 5), 1000 + np.arange(30))
    assert Outcomes.of(classes).sizes == (MOST_CLASSES + 1,)
    assert (Outcomes.of(classes).classes[0][-30:] == MOST_CLASSES).all()


def test_only_the_rows_that_are_meant_count() -> None:
    rows = np.arange(0, N, 2)
    targets = BOUGHT.copy()
    targets[1::2] = 7
    assert Outcomes.of(targets, rows).sizes == (3,)
    assert says_more_alone(HOUSE[rows], Outcomes.of(targets, rows))


def test_a_row_that_counts_for_three_is_three_rows() -> None:
    counts = RNG.integers(1, 4, 300).astype(np.float64)
    copied = np.repeat(np.arange(300), counts.astype(int))
    once = uncertainties(HOUSE[:300], Outcomes.of(BOUGHT[:300]), counts)
    np.testing.assert_allclose(once, uncertainties(HOUSE[copied], Outcomes.of(BOUGHT[copied])), rtol=1e-12)


def test_the_three_uncertainties_are_what_the_definition_says() -> None:
    values, classes = HOUSE[:400], BOUGHT[:400]
    share = {c: k / 400 for c, k in Counter(classes.tolist()).items()}
    of = {v: classes[values == v].tolist() for v in sorted(set(values))}
    distinct = list(of)

    def smoothed(rows: list[int], c: int) -> float:
        return (rows.count(c) + PRIOR_ROWS * share[c]) / (len(rows) + PRIOR_ROWS)

    def side(order: list[float], enough: int) -> list[int]:
        rows: list[int] = []
        for v in order:
            if len(rows) >= enough:
                break
            rows += of[v]
        return rows

    expected = [0.0, 0.0, 0.0]
    for place, v in enumerate(distinct):
        enough = min(len(of[v]), ENOUGH_ROWS)
        sides = [side(distinct[:place][::-1], enough), side(distinct[place + 1 :], enough)]
        for k, c in enumerate(of[v]):
            others = of[v][:k] + of[v][k + 1 :]
            beside = [smoothed(rows, c) for rows in sides if rows]
            for which, p in enumerate((share[c], smoothed(others, c), sum(beside) / len(beside))):
                expected[which] -= math.log(p)
    np.testing.assert_allclose(uncertainties(values, Outcomes.of(classes)), expected, rtol=1e-6)
