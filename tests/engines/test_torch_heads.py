"""The torch engine's heads for devices other than the processor, computed on the processor: against the core's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits import logits as from_logits

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'fromlogits[torch]'")
from fromlogits.engines import torch_heads  # noqa: E402

C = 5
FORMS = ["classes", "probabilities"]


def ulps(found: NDArray[np.float32], expected: NDArray[np.float32], below: float = 0.0) -> float:
    """The largest difference in units of the last place of what is expected, of entries that are not as small."""
    apart = np.abs(found.astype(float) - expected) / np.spacing(np.maximum(np.abs(expected), np.float32(1e-38)))
    return float(apart[np.abs(expected) > below].max(initial=0.0))


def logits(n: int = 4000) -> NDArray[np.float32]:
    """Of all sizes, some equal and some far apart."""
    rng = np.random.default_rng(0)
    z_nc = rng.normal(size=(n, C)) * rng.choice([1e-3, 1.0, 10.0, 60.0], (n, 1))
    z_nc[::10] = np.round(z_nc[::10])
    return np.asarray(z_nc, np.float32)


def there(values: Any, dtype: Any = None) -> Any:
    return None if values is None else torch.from_numpy(np.asarray(values)).to(dtype or torch.float64)


def softmax_targets(form: str, n: int) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    if form == "classes":
        return rng.integers(0, C, n).astype(np.int32)
    return rng.dirichlet(np.full(C, 0.3), n).astype(np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_softmax_head_is_the_cores(form: str, smoothing: float, weighted: bool) -> None:
    z_nc = logits()
    targets = softmax_targets(form, len(z_nc))
    weights_n = np.random.default_rng(2).integers(0, 3, len(z_nc)) / 2 if weighted else None
    losses_n, dlogits_nc = from_logits.softmax_step(z_nc, targets, smoothing, weights_n, 7.0)

    aims = there(targets, torch.int64 if form == "classes" else None)
    found_n, found_nc = torch_heads.softmax_step(there(z_nc), aims, smoothing, there(weights_n), 7.0)

    # A sum of a few terms, all of one sign, in float64.
    np.testing.assert_allclose(found_n.numpy(), losses_n, rtol=3e-15, atol=0)
    # Hard targets: no difference is taken, so that each entry is rounded once. Others are known to 2^-48 of 1.
    is_sure = form == "classes" and smoothing == 0
    assert ulps(found_nc.numpy(), dlogits_nc, 0.0 if is_sure else 2.0**-24) <= 1
    assert np.abs(found_nc.numpy() - dlogits_nc).max() <= 2.0**-25  # half an ulp of the largest, 1/7


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("each", ["none", "rows", "entries"])
@pytest.mark.parametrize("form", FORMS)
def test_the_sigmoid_head_is_the_cores(form: str, each: str, smoothing: float) -> None:
    z_nc = logits()
    rng = np.random.default_rng(3)
    t_nc = (rng.random(z_nc.shape) < 0.4 if form == "classes" else rng.random(z_nc.shape)).astype(np.float32)
    t_nc[rng.random(z_nc.shape) < 0.1] = np.nan
    shape = {"none": (), "rows": (len(z_nc),), "entries": z_nc.shape}[each]
    weights = rng.integers(0, 3, shape) / 2 if shape else None
    positive_c = np.linspace(0.5, 3, C) if shape else None
    losses_n, dlogits_nc = from_logits.sigmoid_step(z_nc, t_nc, smoothing, weights, positive_c, 7.0)

    found_n, found_nc = torch_heads.sigmoid_step(
        there(z_nc), there(t_nc), smoothing, there(weights), there(positive_c), 7.0
    )

    np.testing.assert_allclose(found_n.numpy(), losses_n, rtol=3e-15, atol=0)
    is_sure = form == "classes" and smoothing == 0
    assert ulps(found_nc.numpy(), dlogits_nc, 0.0 if is_sure else 2.0**-24) <= 1
    assert np.abs(found_nc.numpy() - dlogits_nc).max() <= 2.0**-24


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_in_float32_alone_hard_targets_lose_no_small_loss_and_no_small_gradient(head: str) -> None:
    """What a device without float64 computes: each entry is a few roundings away, the smallest too."""
    z_nc = logits()
    z_nc = z_nc[np.abs(z_nc).max(axis=1) < 40]  # beyond, differences are below what float32 holds
    n, single = len(z_nc), torch.float32
    if head == "softmax":
        targets = z_nc.argmax(axis=1).astype(np.int32)  # right ones, whose losses are small
        losses_n, dlogits_nc = from_logits.softmax_step(z_nc, targets, 0.0, None, 1.0)
        found_n, found_nc = torch_heads.softmax_step(there(z_nc, single), there(targets, torch.int64), 0.0, None, 1.0)
    else:
        right_nc = (z_nc > 0).astype(np.float32)
        losses_n, dlogits_nc = from_logits.sigmoid_step(z_nc, right_nc, 0.0, None, None, 1.0)
        found_n, found_nc = torch_heads.sigmoid_step(there(z_nc, single), there(right_nc, single), 0.0, None, None, 1.0)
    assert found_n.dtype == found_nc.dtype == single
    # The exponent z - max is rounded to half an ulp of 80 at most, 4e-6, and with it exp(z - max).
    np.testing.assert_allclose(found_n.numpy(), losses_n, rtol=8e-6, atol=0)
    np.testing.assert_allclose(found_nc.numpy(), dlogits_nc, rtol=8e-6, atol=0)
    assert n > 1000 and losses_n.min() < 1e-12
