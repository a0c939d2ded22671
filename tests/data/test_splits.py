from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fromlogits.data.splits import folds, held_out, last_rows, time_folds, validation_rows
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


def long_tail(seed: int, n: int = 3000, n_labels: int = 500) -> NDArray[np.float32]:
    """Eight labels in a fifth of the rows or more, and hundreds in a few, each with one of the eight beside it."""
    rng = np.random.default_rng(seed)
    share = 0.4 / np.arange(1, n_labels + 1)
    kinds = rng.integers(0, 8, n_labels)
    matrix = rng.random((n, n_labels)) < share
    for label in range(8, n_labels):
        matrix[:, kinds[label]] |= matrix[:, label]
    return matrix.astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_every_frequency_fit_better_than_at_random_and_none_is_far_off(seed: int) -> None:
    matrix = long_tail(seed)
    totals = matrix.sum(axis=0)
    held = check(matrix, 500, 0.1, seed)
    random = np.random.default_rng(seed).permutation(3000)[:300]

    assert len(held) == 300
    off, at_random = (np.abs(matrix[rows].sum(axis=0) - 0.1 * totals) for rows in (held, random))
    for least, most in ((2, 9), (10, 29), (30, 299), (300, 3000)):
        band = (totals >= least) & (totals <= most)
        assert off[band].mean() < at_random[band].mean()
        assert off[band].max() <= at_random[band].max()
    assert off.max() < 2  # dealt by the rarest label alone, a frequent one is off by 4 to 14 rows
    assert matrix[held][:, totals >= 10].any(axis=0).all()


@pytest.mark.parametrize("seed", range(3))
def test_folds_have_their_share_of_labels_of_every_frequency(seed: int) -> None:
    matrix = long_tail(seed)
    fold = check_folds(matrix, 500, 5, seed)

    counts = np.array([matrix[fold == number].sum(axis=0) for number in range(5)])
    assert np.abs(counts - matrix.sum(axis=0) / 5).max() < 2  # and here by 4 to 9
    assert (counts[:, matrix.sum(axis=0) >= 10] > 0).all()


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


def test_an_unknown_label_counts_for_nothing() -> None:
    matrix = random_labels(400, [0.4, 0.1, 0.02], 3)
    unknown = matrix.copy()
    unknown[np.random.default_rng(0).random(matrix.shape) < 0.3] = np.nan
    as_not_set = np.where(np.isnan(unknown), 0, unknown).astype(np.float32)

    np.testing.assert_array_equal(check(unknown, 3, 0.2, 1), check(as_not_set, 3, 0.2, 1))


def test_a_label_that_is_always_set_with_others_keeps_a_training_row() -> None:
    matrix = np.array([[1, 1], [0, 1], [0, 1]], np.float32)
    for seed in range(20):
        kept = np.delete(matrix, check(matrix, 2, 0.66, seed), axis=0)
        assert kept[:, 1].sum() >= 1


# --- folds ---


def check_folds(targets: NDArray[Any], n_classes: int, k: int, seed: int) -> NDArray[np.int64]:
    fold = folds(targets, n_classes, k, seed)
    sizes = np.bincount(fold, minlength=k)
    assert len(sizes) == k and sizes.max() - sizes.min() <= 1
    return fold


@pytest.mark.parametrize("k", [2, 3, 5, 10])
@pytest.mark.parametrize("seed", range(3))
def test_each_fold_has_its_share_of_each_class_within_one_row(k: int, seed: int) -> None:
    codes = random_codes(1003, [0.6, 0.3, 0.09, 0.01], seed)
    fold = check_folds(codes, 4, k, seed)

    for code in range(4):
        counts = np.bincount(fold[codes == code], minlength=k)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_each_fold_has_its_share_of_each_label_within_a_few_rows(k: int, seed: int) -> None:
    matrix = random_labels(1500, [0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01], seed)
    fold = check_folds(matrix, 7, k, seed)

    counts = np.array([matrix[fold == number].sum(axis=0) for number in range(k)])
    assert np.abs(counts - matrix.sum(axis=0) / k).max() <= 3


def test_folds_differ_with_the_seed() -> None:
    codes = np.arange(100) % 3
    assert folds(codes, 3, 5, 0).tolist() == folds(codes, 3, 5, 0).tolist()
    assert folds(codes, 3, 5, 0).tolist() != folds(codes, 3, 5, 1).tolist()


def test_more_folds_than_rows_are_refused() -> None:
    with pytest.raises(InputError, match=r"4 rows can't make 5 folds; .* \(--folds 4\)"):
        folds(np.array([0, 1, 0, 1]), 2, 5, 0)


# --- groups ---


def random_groups(n: int, n_groups: int, seed: int) -> NDArray[np.int64]:
    """Of very different sizes, numbered from 0 without a gap."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(n_groups, n, p=rng.dirichlet(np.full(n_groups, 0.5)))
    return np.unique(drawn, return_inverse=True)[1]


@st.composite
def grouped(draw: st.DrawFn) -> tuple[NDArray[Any], int, NDArray[np.int64]]:
    """(targets, classes, groups): two groups or more."""
    n, n_classes = draw(st.integers(2, 40)), draw(st.integers(1, 5))
    groups = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n).filter(lambda groups: len(set(groups)) > 1))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    is_matrix = draw(st.booleans())
    targets = rng.integers(0, 2, (n, n_classes)).astype(np.float32) if is_matrix else rng.integers(0, n_classes, n)
    return targets, n_classes, np.unique(groups, return_inverse=True)[1]


@given(grouped(), st.floats(0.01, 0.99), st.integers(0, 2**63 - 1))
def test_no_group_straddles_and_every_class_is_trained_on(
    case: tuple[NDArray[Any], int, NDArray[np.int64]], fraction: float, seed: int
) -> None:
    targets, n_classes, groups = case
    try:
        kept, held = validation_rows(targets, n_classes, fraction, seed, groups)
    except InputError as error:
        assert "groups has all the rows of some class" in str(error)
        for group in range(groups.max() + 1):
            assert set(targets[groups == group]) - set(targets[groups != group])
        return
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(targets)))
    assert len(kept) and len(held)
    assert not set(groups[kept]) & set(groups[held])
    if targets.ndim == 1:
        assert set(targets[kept]) == set(targets)


@given(grouped(), st.integers(2, 5), st.integers(0, 2**63 - 1))
def test_no_group_is_in_two_folds(case: tuple[NDArray[Any], int, NDArray[np.int64]], k: int, seed: int) -> None:
    targets, n_classes, groups = case
    n_groups = int(groups.max()) + 1
    if n_groups < k:
        with pytest.raises(InputError, match=f"(groups of )?rows can't make {k} folds"):
            folds(targets, n_classes, k, seed, groups)
        return
    fold = folds(targets, n_classes, k, seed, groups)
    assert set(fold.tolist()) == set(range(k))
    for group in range(n_groups):
        assert len(set(fold[groups == group].tolist())) == 1


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_held_out_with_about_the_share_of_each_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.unique(rng.integers(0, 300, 3000), return_inverse=True)[1]
    mostly = rng.choice(4, 300, p=[0.6, 0.3, 0.08, 0.02])
    codes = np.where(rng.random(3000) < 0.8, mostly[groups], rng.integers(0, 4, 3000))
    held = validation_rows(codes, 4, 0.2, seed, groups)[1]

    size = np.bincount(groups).max()
    assert abs(len(held) - 600) <= size  # a group more or less
    shares = np.bincount(codes[held], minlength=4) - 0.2 * np.bincount(codes)
    assert np.abs(shares).max() <= 2 * size


def test_rows_of_one_group_are_refused() -> None:
    with pytest.raises(InputError, match="all 6 rows are of one group"):
        validation_rows(np.arange(6) % 2, 2, 0.2, 0, np.zeros(6, np.int64))


def test_groups_of_which_each_has_a_class_of_its_own_are_refused() -> None:
    with pytest.raises(InputError, match="each of the 2 groups has all the rows of some class"):
        validation_rows(np.arange(6) % 2, 2, 0.2, 0, np.arange(6) % 2)


# --- time ---


@given(st.lists(st.integers(0, 8), min_size=2, max_size=50), st.floats(0.01, 0.99))
def test_the_last_rows_are_held_out_and_equal_times_stay_together(given_times: list[int], fraction: float) -> None:
    times = np.array(given_times)
    if len(set(given_times)) == 1:
        with pytest.raises(InputError, match=f"all {len(times)} rows are of one time"):
            last_rows(times, fraction)
        return
    kept, held = last_rows(times, fraction)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(times)))
    assert times[kept].max() < times[held].min()
    wanted = min(max(round(len(times) * fraction), 1), len(times) - 1)
    others = [int((times >= time).sum()) for time in sorted(set(given_times))[1:]]
    assert abs(len(held) - wanted) == min(abs(other - wanted) for other in others)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.integers(2, 6))
def test_each_fold_in_time_follows_all_that_it_is_trained_on(given_times: list[int], k: int) -> None:
    times = np.array(given_times)
    if len(set(given_times)) <= k:
        with pytest.raises(InputError, match=f"{len(set(given_times))} different times can't make {k} folds in time"):
            time_folds(times, k)
        return
    fold = time_folds(times, k)
    assert set(fold.tolist()) == set(range(-1, k))
    for number in range(k):
        assert times[fold < number].max() < times[fold == number].min()


def test_folds_in_time_are_even_where_all_times_differ() -> None:
    times = np.random.default_rng(0).permutation(600)
    np.testing.assert_array_equal(np.bincount(time_folds(times, 5) + 1), np.full(6, 100))


# --- what a training record says ---


@pytest.mark.parametrize(
    "split",
    [
        {"kind": "none"},
        {"kind": "given", "data_sha256": None},
        {},
        {"kind": ["fraction"], "fraction": 0.1, "seed": 0},
        {"kind": "fraction", "fraction": 1.0, "seed": 0},
        {"kind": "fraction", "fraction": float("nan"), "seed": 0},
        {"kind": "fraction", "fraction": 0.1, "seed": -1},
        {"kind": "fraction", "fraction": 0.1, "seed": True},
        {"kind": "fraction", "fraction": 1, "seed": 0},
        {"kind": "fraction", "fraction": "0.1", "seed": 0},
        {"kind": "fraction", "fraction": 0.1},
        {"kind": "group", "fraction": 0.1, "seed": 0},
        {"kind": "time", "fraction": 0.1},
    ],
)
def test_a_record_that_describes_no_split_of_these_rows_gives_none(split: dict[str, Any]) -> None:
    assert held_out(split, np.arange(20) % 2, 2) is None


def test_a_record_gives_the_rows_that_were_held_out() -> None:
    codes, groups = np.arange(60) % 3, np.arange(60) // 4
    of_fraction = held_out({"kind": "fraction", "fraction": 0.2, "seed": 5}, codes, 3, groups)
    of_groups = held_out({"kind": "group", "fraction": 0.2, "seed": 5}, codes, 3, groups)
    of_times = held_out({"kind": "time", "fraction": 0.2}, codes, 3, None, -np.arange(60))
    assert of_fraction is not None and of_groups is not None and of_times is not None
    np.testing.assert_array_equal(of_fraction, validation_rows(codes, 3, 0.2, 5)[1])
    np.testing.assert_array_equal(of_groups, validation_rows(codes, 3, 0.2, 5, groups)[1])
    np.testing.assert_array_equal(of_times, np.arange(12))
