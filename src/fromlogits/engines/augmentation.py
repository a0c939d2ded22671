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
    signed = 2 * shares - 1
    zoom_n1 = np.exp(np.log1p(plan.zoom) * signed[:, :1])
    y_nh = _places(h, zoom_n1, plan.shift * signed[:, 1:2])
    x_nw = _places(w, zoom_n1, plan.shift * signed[:, 2:3])
    if plan.flip:
        is_mirrored = shares[:, 3] < 0.5
        x_nw[is_mirrored] = x_nw[is_mirrored, ::-1]
    contrast_n = (1 + plan.colour * signed[:, 4]).astype(x_nhwc.dtype)
    brightness_nc = (plan.colour * (signed[:, 5:6] + signed[:, WORDS:]) / 2).astype(x_nhwc.dtype)
    line_nd = np.tile(brightness_nc, w)
    high, wide = round(plan.cut_out * h), round(plan.cut_out * w)
    tops = (shares[:, 6] * (h + high)).astype(np.int64) - high
    lefts = (shares[:, 7] * (w + wide)).astype(np.int64) - wide
    out = np.empty_like(x_nhwc)
    for row, into in enumerate(out):
        # Columns first, then rows, which are whole: a quarter of the time of one gather by both.
        x_nhwc[row].take(x_nw[row], axis=1).take(y_nh[row], axis=0, out=into, mode="clip")
        if plan.colour > 0:
            lines = into.reshape(h, w * c)
            lines *= contrast_n[row]
            lines += line_nd[row]
        if plan.cut_out > 0:
            top, left = tops[row], lefts[row]
            into[max(top, 0) : max(top + high, 0), max(left, 0) : max(left + wide, 0)] = 0
    return out


def _places(side: int, zoom_n1: NDArray[np.float64], moved_n1: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n, side): which pixel along a side comes where; beyond the edge the edge."""
    middle = (side - 1) / 2
    places_ns = np.rint((np.arange(side) - middle) / zoom_n1 + middle + side * moved_n1)
    return places_ns.clip(0, side - 1).astype(np.int64)
