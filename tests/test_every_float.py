"""A sample of what `nox -s exhaustive` checks in full, in seconds: the sigmoid loss and gradient of float32 logits."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

from fromlogits import sigmoid_cross_entropy
from tests.exhaustive.truth import LABELS, QUANTITIES, compared, furthest_from_decimal, in_decimal, in_float64

ROOT = Path(__file__).parents[1]
BITS = 1 << 32


def floats(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.uint32).view(np.float32)


def around(z: float, n: int) -> np.ndarray:
    """The n floats on either side of a positive number, and their negatives."""
    bits = int(np.float32(z).view(np.uint32))
    return floats(np.concatenate([sign + np.arange(max(bits - n, 0), bits + n) for sign in (0, 1 << 31)]))


SAMPLES = {
    "every 4099th float": floats(np.arange(0, BITS, 4099)),
    "near 0": around(0.0, 5_000),
    "where the loss is log 2 and a little": around(2.0**-23, 20_000),
    "multiples of 2^-24, whose gradients lie next to a tie": np.arange(-20_000, 20_001) * np.float32(2.0**-24),
    "near 1/2": around(0.5, 20_000),
    "near log 2": around(np.log(2.0), 20_000),
    "where float32's log1p(exp(-z)) begins to be exp(-z)": around(16.64, 20_000),
    "where a result is the least normal float32": around(87.33655, 20_000),
    "where a result is the least float32": around(103.97208, 20_000),
    "where a result is too small for float32": np.arange(-1000.0, 1000.0, 0.25, dtype=np.float32),
    "the largest": floats(np.concatenate([sign + np.arange(0x7F7F_0000, 0x7F80_0000) for sign in (0, 1 << 31)])),
    "infinite and NaN": np.array([np.inf, -np.inf, np.nan, -np.nan], np.float32),
}


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_loss_and_a_gradient_are_one_rounding_from_the_truth(sample: str, label: int) -> None:
    z_n = SAMPLES[sample]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of NaN logits
        results = sigmoid_cross_entropy(z_n, np.full(z_n.shape, label), reduction="none", with_gradient=True)
    with np.errstate(all="ignore"):
        true = in_float64(z_n)
        for quantity, got_n in zip(QUANTITIES, results, strict=True):
            tally = compared(z_n, got_n, true[label, quantity], label, quantity)

            assert tally.worst <= 0.51, f"{quantity} at z = {tally.worst_at!r}"
            assert (tally.lost, tally.unlike, tally.negative_zeros) == (0, 0, 0), quantity


def test_the_truth_is_that_of_a_hundred_digits() -> None:
    powers = np.random.default_rng(0).uniform(-40.0, 7.0, 500)
    z_n = np.concatenate([2.0**powers, -(2.0**powers)]).astype(np.float32)

    assert furthest_from_decimal(z_n) < 2.0**-48
    assert str(in_decimal(-20.0, 0, "loss")).startswith("2.06115362031438070")


def test_the_comparison_sees_what_is_wrong() -> None:
    z_n = np.array([-20.0, -1.0, 0.0, 3 * 2.0**-23, np.inf], np.float32)
    with np.errstate(all="ignore"):
        losses_n, gradients_n = (in_float64(z_n)[0, quantity] for quantity in QUANTITIES)
    right_n = losses_n.astype(np.float32)
    assert compared(z_n, right_n, losses_n, 0, "loss")[3:8] == (0, 0, 0, 0, 0)

    lost_n = right_n.copy()
    lost_n[0] = -0.0
    tally = compared(z_n, lost_n, losses_n, 0, "loss")
    assert (tally.misrounded, tally.lost, tally.lost_normal, tally.negative_zeros, tally.lost_from) == (1, 1, 1, 1, -20)
    assert tally.worst > 2.0**23 and tally.worst_kept <= 0.5

    nan_n = right_n.copy()
    nan_n[[1, 4]] = np.nan
    assert compared(z_n, nan_n, losses_n, 0, "loss").unlike == 2

    next_n = np.nextafter(right_n, np.float32(np.inf))
    assert 0.5 < compared(z_n, next_n, losses_n, 0, "loss").worst <= 1.5

    # The float64 value of this gradient is a tie, and to even is the wrong way.
    assert gradients_n[3] == 0.5 + 3 * 2.0**-25
    tie_n = gradients_n.astype(np.float32)
    assert compared(z_n, tie_n, gradients_n, 0, "gradient").misrounded_at == (3 * 2.0**-23,)


@pytest.mark.parametrize(("path", "make"), [("PICTURE", "picture"), ("PAGE", "page")])
def test_the_page_and_its_picture_are_made_from_the_record(path: str, make: str) -> None:
    script = runpy.run_path(str(ROOT / "docs/maths/make_every_float.py"))

    assert script[path].read_text(encoding="utf-8") == script[make](script["record"]()), "run make_every_float.py"
