"""Pictures that are changed at random before a training step sees them. Predictions see them as they are."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..spec import Plan

AUGMENTATION_STREAM = 11
WORDS = 12
"""Of random bits for each picture, more than it needs."""
Pictures = TypeVar("Pictures", NDArray[np.float32], NDArray[np.float64])


def augmented(x_nhwc: Pictures, plan: Plan, seed: int, step: int) -> Pictures:
    """The pictures of a step, each moved, zoomed, mirrored, recoloured and with a part cut out as `Plan` says.

    Args:
        x_nhwc: as they enter the network, so that 0 is the mean of the training pixels.

    All randomness is words of NumPy's Philox with the seed as key and the counter (0, step, 0, 11): the same for every
    engine.
    """
    n, h, w, c = x_nhwc.shape
    words = np.random.Philox(key=seed, counter=[0, step, 0, AUGMENTATION_STREAM]).random_raw(n * (WORDS + c))
    shares = ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(n, WORDS + c)
    out = np.empty_like(x_nhwc)
    rows, columns = np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2
    for picture, share, into in zip(x_nhwc, shares, out, strict=True):
        signed = 2 * share - 1
        zoom = np.exp(np.log1p(plan.zoom) * signed[0])
        y = np.rint(rows / zoom + (h - 1) / 2 + plan.shift * h * signed[1])
        x = np.rint(columns / zoom + (w - 1) / 2 + plan.shift * w * signed[2])
        if plan.flip and share[3] < 0.5:
            x = x[::-1]
        ys, xs = y.clip(0, h - 1).astype(np.int64), x.clip(0, w - 1).astype(np.int64)
        into[:] = picture[ys[:, None], xs]
        if plan.colour > 0:
            into *= 1 + plan.colour * signed[4]
            into += (plan.colour * (signed[5] + signed[WORDS:]) / 2).astype(x_nhwc.dtype)
        if plan.cut_out > 0:
            high, wide = round(plan.cut_out * h), round(plan.cut_out * w)
            top, left = int(share[6] * (h + high)) - high, int(share[7] * (w + wide)) - wide
            into[max(top, 0) : max(top + high, 0), max(left, 0) : max(left + wide, 0)] = 0
    return out
