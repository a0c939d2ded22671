from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fromlogits.data.splits import validation_rows
from fromlogits.errors import InputError


def random_codes(n: int, weights: list[float], seed: int) -> NDArray[np.int32]:
    return np.random.default_rng(seed).choice(len(weights), n, p=weights).astype(np.int32)


def check(targets: NDArray[Any], n_classes: int, fraction: float, seed: int) -> NDArray[np.int64]:
    kept, held = validation_rows(targets, n_classes, fraction, seed)
    assert kept.dtype == held.dtype == np.int64
    assert (np.diff(kept) > 0).all() and (np.diff(held) > 0).all()
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(targets)))
    return held


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_each_class_gives_its_share_within_one_row(fraction: float, seed: int) -> None:
    codes = random_codes(3000, [0.6, 0.3, 0.09, 0.01], seed)
    held = check(codes, 4, fraction, seed)

    assert len(held) == round(3000 * fraction)
    shares = np.bincount(codes[held], minlength=4) - fraction * np.bincount(codes)
    assert np.abs(shares).max() < 1


def test_the_same_seed_gives_the_same_rows_on_every_machine() -> None:
    codes = np.arange(40) % 3

    np.testing.assert_array_equal(validation_rows(codes, 3, 0.15, 7)[1], PLACES)
    assert validation_rows(codes, 3, 0.15, 8)[1].tolist() != PLACES


PLACES = [3, 10, 19, 29, 35, 36]


def test_rows_of_a_class_are_drawn_evenly() -> None:
    codes = np.zeros(20, np.int32)
    codes[10:] = 1
    drawn = np.zeros(20)
    for seed in range(2000):
        drawn[validation_rows(codes, 2, 0.2, seed)[1]] += 1

    assert np.abs(drawn / 2000 - 0.2).max() < 0.04  # 4.5 standard deviations of a share of 0.2


def test_a_class_with_one_row_is_never_held_out_and_one_with_two_keeps_one() -> None:
    codes = np.array([0] * 30 + [1] * 2 + [2])
    for seed in range(50):
        held = check(codes, 3, 0.5, seed)
        assert 32 not in held
        assert np.isin([30, 31], held).sum() <= 1


def test_at_least_one_row_is_held_out_and_one_kept() -> None:
    assert len(check(np.array([0, 0, 1]), 2, 0.01, 0)) == 1
    assert len(check(np.array([0, 0, 1]), 2, 0.99, 0)) == 1  # of three rows, only one can be spared


@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=60).filter(lambda codes: len(set(codes)) < len(codes)),
    st.floats(0.01, 0.99),
    st.integers(0, 2**64),
)
def test_every_class_is_trained_on(codes: list[int], fraction: float, seed: int) -> None:
    held = check(np.array(codes), 6, fraction, seed)

    kept = np.delete(np.array(codes), held)
    assert set(kept.tolist()) == set(codes)


@pytest.mark.parametrize("n", [1, 3])
def test_too_few_rows_are_refused_with_what_to_do(n: int) -> None:
    with pytest.raises(InputError) as caught:
        validation_rows(np.arange(n), n, 0.1, 0)

    why = {
        1: "validation rows can't be held out of 1 row.",
        3: "validation rows can't be held out: each of the 3 classes has a single row.",
    }[n]
    assert str(caught.value) == (
        f"{why} Give more rows, or a file of them (--valid FILE), or set early_stopping=false and calibrate=false."
    )


# --- several labels ---


def random_labels(n: int, shares: list[float], seed: int) -> NDArray[np.float32]:
    """Labels that depend on each other, as real ones do."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    scores = 0.7 * common + 0.7 * rng.normal(size=(n, len(shares)))
    return (scores < np.quantile(scores, shares, axis=0).diagonal()).astype(np.float32)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_each_label_is_held_out_by_its_share_within_a_few_rows(fraction: float, seed: int) -> None:
    matrix = random_labels(1500, [0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01], seed)
    held = check(matrix, 7, fraction, seed)

    assert len(held) == round(1500 * fraction)
    off = matrix[held].sum(axis=0) - fraction * matrix.sum(axis=0)
    assert np.abs(off).max() <= 3  # drawn without strata, a label of share one half is off by 6 rows and more


def test_a_label_set_in_two_rows_is_trained_on() -> None:
    matrix = np.zeros((40, 3), np.float32)
    matrix[:20, 0] = 1
    matrix[[5, 30], 1] = 1
    matrix[7, 2] = 1
    for seed in range(30):
        held = check(matrix, 3, 0.4, seed)
        assert matrix[held, 1].sum() <= 1
        assert matrix[held, 2].sum() == 0


def test_labels_give_the_same_rows_for_the_same_seed() -> None:
    matrix = random_labels(300, [0.4, 0.1], 0)

    np.testing.assert_array_equal(validation_rows(matrix, 2, 0.2, 5)[1], validation_rows(matrix, 2, 0.2, 5)[1])
    assert (validation_rows(matrix, 2, 0.2, 5)[1] != validation_rows(matrix, 2, 0.2, 6)[1]).any()


def test_rows_without_labels_can_be_held_out() -> None:
    assert len(check(np.zeros((10, 2), np.float32), 2, 0.3, 0)) == 3
