"""What is learned of values that count differently."""

from __future__ import annotations

import numpy as np
import pytest

from fromlogits.data.statistics import (
    as_counts,
    in_range,
    lower_median,
    lower_quartiles,
    mean_and_spread,
    median_and_inverse_range,
)

VALUES = np.array([3.0, -1.0, 10.0, 3.0, 7.5, 0.0, 1e6])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_a_whole_weight_is_that_many_copies(n: int, seed: int) -> None:
    values, times = VALUES[:n], np.random.default_rng(seed).integers(1, 6, n)
    copies = np.repeat(values, times)
    weights = times.astype(np.float64)
    assert mean_and_spread(values, weights) == pytest.approx((copies.mean(), copies.std()), rel=1e-14, abs=1e-300)
    assert lower_median(values, weights) == np.sort(copies)[(len(copies) - 1) // 2] == lower_median(copies, None)
    assert lower_quartiles(values, weights) == lower_quartiles(copies, None)
    assert median_and_inverse_range(values, weights) == median_and_inverse_range(copies, None)


def test_weights_of_any_size_have_the_same_statistics() -> None:
    weights = np.array([0.1, 0.7, 0.3, 0.9, 0.2, 0.5, 0.4])
    for by in (2.0**-1000, 1.0, 2.0**1023):
        assert mean_and_spread(VALUES, weights * by) == mean_and_spread(VALUES, weights)
        assert lower_median(VALUES, weights * by) == lower_median(VALUES, weights) == 3.0
        assert np.array_equal(in_range(weights * by), weights)


def test_the_mean_of_weights_has_its_closed_form() -> None:
    """Of 0 and 1 it is the share p of the ones, and the spread is the root of p (1 - p)."""
    mean, spread = mean_and_spread(np.array([0.0, 1.0]), np.array([0.75, 0.25]))
    assert (mean, spread) == (0.25, np.sqrt(0.25 * 0.75))


@pytest.mark.parametrize("n", range(1, 30))
def test_a_quarter_of_the_values_lies_up_to_the_first_quartile_and_not_before(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    for quarter, found in enumerate(lower_quartiles(values, None), 1):
        assert 4 * (values <= found).sum() >= quarter * n > 4 * (values < found).sum()


def test_values_that_span_too_much_have_no_spread() -> None:
    values = np.array([-1e200, 1e200])
    for weights in (None, np.array([1.0, 2.0])):
        assert not np.isfinite(mean_and_spread(values, weights)[1])


def test_only_whole_weights_are_counts() -> None:
    whole, other = np.array([1.0, 3.0]), np.array([1.0, 2.5])
    assert as_counts(whole) is whole
    assert as_counts(other) is None
    assert as_counts(None) is None
