"""An ensemble's logits are those of the mean probability of its members, computed from their logits."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits import logits as from_logits
from fromlogits.heads import BLOCK, HEADS
from tests.numerics.truth import ulps

Logits = NDArray[np.float32]


def members(m: int, n: int, c: int, *, scale: float, seed: int = 0) -> list[Logits]:
    rng = np.random.default_rng(seed)
    return [(scale * rng.normal(size=(n, c))).astype(np.float32) for _ in range(m)]


def log_mean_softmax(own: list[Logits], row: int) -> list[Any]:
    """Of each class, from 1 − p where p is near 1."""
    others = []
    for z_nc in own:
        z = [mp.mpf(float(x)) for x in z_nc[row]]
        terms = [mp.exp(x - max(z)) for x in z]
        others.append([mp.fsum(terms[:k] + terms[k + 1 :]) / mp.fsum(terms) for k in range(len(z))])
    return [mp.log1p(-mp.fsum(of_class) / len(own)) for of_class in zip(*others, strict=True)]


def log_odds_of_mean(z: list[float]) -> Any:
    yes = mp.fsum(1 / (1 + mp.exp(-mp.mpf(x))) for x in z)
    no = mp.fsum(1 / (1 + mp.exp(mp.mpf(x))) for x in z)
    return mp.log(yes) - mp.log(no)


@pytest.mark.parametrize("scale", [1e-6, 0.1, 3.0, 30.0, 300.0])
@pytest.mark.parametrize("m", [2, 3, 7])
def test_softmax_gives_the_logarithm_of_the_mean_probability(m: int, scale: float) -> None:
    own = members(m, 20, 5, scale=scale)

    combined_nc = HEADS["softmax"].combine(own)

    with mp.workdps(800):  # 1 - p of a logit that leads by a thousand
        true = [log_p for row in range(20) for log_p in log_mean_softmax(own, row)]
        assert ulps(combined_nc, true) <= 0.51


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 0.1, 1.0, 3.0, 30.0, 300.0, 1e4])
@pytest.mark.parametrize("m", [2, 3, 7])
def test_sigmoid_gives_the_log_odds_of_the_mean_probability(m: int, scale: float) -> None:
    own = members(m, 20, 5, scale=scale)

    combined_nc = HEADS["sigmoid"].combine(own)

    with mp.workdps(100):
        true = [log_odds_of_mean([float(z_nc[place]) for z_nc in own]) for place in np.ndindex(20, 5)]
        # Members that disagree by nearly as much as they lean: a difference of float64 values of at most 1.
        assert ulps(combined_nc, true, allowance=2.0**-50) <= 0.51


@pytest.mark.parametrize("z", [0.0, 1e-30, 1e-9, 0.3, 1.0, 1.0986, 1.0987, 40.0, 1e3, -1e4, -2.5, 3e38])
@pytest.mark.parametrize("m", [2, 3, 5])
def test_members_that_agree_are_answered_by_their_own_sigmoid_logit(m: int, z: float) -> None:
    own = np.array([[z]], np.float32)
    np.testing.assert_array_equal(HEADS["sigmoid"].combine([own] * m), own)


@pytest.mark.parametrize("m", [2, 3, 5])
def test_members_that_agree_are_answered_by_their_own_log_softmax(m: int) -> None:
    own = members(1, 50, 4, scale=20.0)[0]
    expected = from_logits.log_softmax(own.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(HEADS["softmax"].combine([own] * m), expected)


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_certain_members_who_contradict_each_other_are_undecided_and_nothing_is_infinite(head: str) -> None:
    z = np.array([[1e4, -1e4]], np.float32)
    combined = HEADS[head].combine([z, -z])
    assert np.isfinite(combined).all()
    np.testing.assert_array_equal(HEADS[head].probabilities(combined), [[0.5, 0.5]])


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_a_single_member_is_no_ensemble(head: str) -> None:
    own = members(1, 7, 3, scale=5.0)[0]
    assert HEADS[head].combine([own]) is own


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
@pytest.mark.parametrize("c", [1, 3, 10])
def test_a_row_is_combined_to_the_same_bits_alone_or_among_others(head: str, c: int) -> None:
    n = BLOCK // (3 * c) + 5  # the last ones are in a block of their own
    own = members(3, n, c, scale=4.0)
    combined_nc = HEADS[head].combine(own)
    for row in (0, 1, 7, n - 6, n - 5, n - 1):
        np.testing.assert_array_equal(HEADS[head].combine([z_nc[row : row + 1] for z_nc in own])[0], combined_nc[row])
