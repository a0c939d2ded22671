"""Loss and gradient from logits, in operations that every device of PyTorch has.

The formulas are those of the core (docs/maths/from-logits.md); on the processor the torch engine takes the core itself.
"""

from __future__ import annotations

import torch
from torch import Tensor


def wide_of(device: torch.device) -> torch.dtype:
    """What the head computes in: float64, but on devices that have none."""
    return torch.float32 if device.type == "mps" else torch.float64


def softmax_step(
    logits_nc: Tensor, targets: Tensor, smoothing: float, weights_n: Tensor | None, divisor: float
) -> tuple[Tensor, Tensor]:
    """Each row's weighted loss (n,), in the wide type, and its gradient over `divisor`, float32 (n, c).

    Args:
        logits_nc: finite, of the wide type.
        targets: classes, int64 (n,), or probabilities (n, c) of the wide type.
        smoothing: share of each target that is spread over all classes.
        weights_n: of the wide type, or None.

    Numerics: the largest logit, or the true one if it is as large, is kept apart, so that a small loss is a log1p of
    the others; the gradient of a true class is minus the sum of the others. In float64 the roundings are far below the
    one of the result.
    """
    n_classes = logits_nc.shape[1]
    is_hard = targets.ndim == 1 and smoothing == 0
    top_n = logits_nc.argmax(dim=1, keepdim=True)
    max_n = logits_nc.gather(1, top_n)
    if is_hard:
        true_n = targets[:, None]
        top_n = torch.where(logits_nc.gather(1, true_n) == max_n, true_n, top_n)
    terms_nc = torch.exp(logits_nc - max_n)
    rest_n = terms_nc.scatter(1, top_n, 0.0).sum(dim=1, keepdim=True)
    if is_hard:
        losses_n = (max_n - logits_nc.gather(1, true_n)) + torch.log1p(rest_n)
        gradient_nc = terms_nc / (1 + rest_n)
        others_nc = gradient_nc.scatter(1, true_n, 0.0)
        gradient_nc = others_nc.scatter(1, true_n, -others_nc.sum(dim=1, keepdim=True))
    else:
        if targets.ndim == 1:
            targets = torch.zeros_like(logits_nc).scatter(1, targets[:, None], 1.0)
        shares_nc = (1 - smoothing) * targets + smoothing / n_classes
        in_all_n = shares_nc.sum(dim=1, keepdim=True)
        losses_n = (shares_nc * (max_n - logits_nc)).sum(dim=1, keepdim=True) + torch.log1p(rest_n) * in_all_n
        gradient_nc = (in_all_n * terms_nc - shares_nc * (1 + rest_n)) / (1 + rest_n)
    losses_n = losses_n[:, 0]
    if weights_n is not None:
        losses_n = _weighed(losses_n, weights_n)
        gradient_nc = _weighed(gradient_nc, weights_n[:, None])
    return losses_n, (gradient_nc / divisor).float() + 0.0


def sigmoid_step(
    logits_nc: Tensor,
    targets_nc: Tensor,
    smoothing: float,
    weights: Tensor | None,
    positive_c: Tensor | None,
    divisor: float,
) -> tuple[Tensor, Tensor]:
    """Likewise, the loss summed over the known labels of a row.

    Args:
        targets_nc: 0 to 1, of the wide type; NaN where the label is unknown.
        weights: of rows (n,) or entries (n, c).
        positive_c: what the target's share counts.
    """
    known_nc = ~torch.isnan(targets_nc)
    aims_nc = torch.where(known_nc, targets_nc, 0.0)
    if smoothing:
        aims_nc = (1 - smoothing) * aims_nc + smoothing / 2
    yes_nc = aims_nc if positive_c is None else aims_nc * positive_c
    no_nc = 1 - aims_nc
    e_nc = torch.exp(-logits_nc.abs())
    losses_nc = no_nc * logits_nc.clamp(min=0) + yes_nc * (-logits_nc).clamp(min=0) + (yes_nc + no_nc) * e_nc.log1p()
    gradient_nc = torch.where(logits_nc >= 0, no_nc - yes_nc * e_nc, no_nc * e_nc - yes_nc) / (1 + e_nc)
    counts_nc = known_nc.to(logits_nc.dtype)
    if weights is not None:
        counts_nc = counts_nc * (weights if weights.ndim == 2 else weights[:, None])
    losses_n = _weighed(losses_nc, counts_nc).sum(dim=1)
    return losses_n, (_weighed(gradient_nc, counts_nc) / divisor).float() + 0.0


def _weighed(values: Tensor, weights: Tensor) -> Tensor:
    """What weighs 0 is 0, whatever it is."""
    return torch.where(weights > 0, values * weights, 0.0)
