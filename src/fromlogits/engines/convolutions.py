"""Convolutions and batch norms in NumPy, slow and obvious: what the reference computes of a `Residual` layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..spec import NORM_EPSILON, NORM_MOMENTUM, Convolution, Residual

Float64 = NDArray[np.float64]
Gradients = list[Float64]
Backward = Callable[[Float64], tuple[Float64, Gradients]]


def convolution(x_nhwi: Float64, w_oiss: Float64, stride: int) -> tuple[Float64, Callable[[Float64], list[Float64]]]:
    """Each position's neighbours times the weights: one product for each place in the window."""
    size = w_oiss.shape[2]
    padding = 0 if size == 1 else 1
    n, h, w, _ = x_nhwi.shape
    above, left = (h + 2 * padding - size) // stride + 1, (w + 2 * padding - size) // stride + 1
    padded = np.pad(x_nhwi, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    places = [
        (a, b, (slice(None), slice(a, a + stride * above, stride), slice(b, b + stride * left, stride)))
        for a in range(size)
        for b in range(size)
    ]
    out = np.zeros((n, above, left, len(w_oiss)))
    for a, b, seen in places:
        out += padded[seen] @ w_oiss[:, :, a, b].T

    def backward(dout: Float64) -> list[Float64]:
        dpadded, dw = np.zeros_like(padded), np.zeros_like(w_oiss)
        for a, b, seen in places:
            dpadded[seen] += dout @ w_oiss[:, :, a, b]
            dw[:, :, a, b] = np.einsum("nhwo,nhwi->oi", dout, padded[seen])
        return [dpadded[:, padding : padding + h, padding : padding + w], dw]

    return out, backward


class ResidualPass:
    """One pass of a batch through the layer, and the way back.

    Args:
        arrays: of the layer, as `Network.arrays` lists them.
        trains: norms take the batch's own means and variances, and `running` has where they move to.
    """

    def __init__(self, layer: Residual, channels: int, arrays: list[Float64], *, trains: bool) -> None:
        self.layer, self.channels, self.arrays, self.trains = layer, channels, arrays, trains
        self.gradients = [np.zeros_like(array) for array in arrays]
        self.running: dict[int, Float64] = {}
        """By the number of the array."""

    def forward(self, x_nhwi: Float64) -> tuple[Float64, Backward]:
        """(n, channels of the last stage)."""
        number = iter(range(len(self.arrays) // 5))
        steps: list[Callable[[Float64], Float64]] = []
        out, back = self.normed(next(number), self.layer.stem(self.channels), x_nhwi)
        out, bend = relu(out)
        steps += [back, bend]
        for first, second, shortcut in self.layer.stages():
            inner, back_1 = self.normed(next(number), first, out)
            inner, bend_1 = relu(inner)
            inner, back_2 = self.normed(next(number), second, inner)
            beside, back_3 = (out, None) if shortcut is None else self.normed(next(number), shortcut, out)
            out, bend_2 = relu(inner + beside)

            def block(
                dout: Float64, way: tuple[Callable[[Float64], Float64], ...] = (bend_2, back_2, bend_1, back_1),
                beside: Callable[[Float64], Float64] | None = back_3,
            ) -> Float64:  # fmt: skip
                dout = way[0](dout)
                return way[3](way[2](way[1](dout))) + (dout if beside is None else beside(dout))

            steps.append(block)
        shape = out.shape

        def backward(dmean: Float64) -> tuple[Float64, Gradients]:
            dout = np.broadcast_to(dmean[:, None, None, :] / (shape[1] * shape[2]), shape)
            for step in reversed(steps):
                dout = step(dout)
            return dout.reshape(len(dout), -1), self.gradients

        return out.mean(axis=(1, 2)), backward

    def normed(self, number: int, one: Convolution, x: Float64) -> tuple[Float64, Callable[[Float64], Float64]]:
        """scale · (z - mean) / √(variance + ε) + shift of each channel of z, the convolution of x."""
        at = 5 * number
        weights, scale, shift, mean, variance = self.arrays[at : at + 5]
        z, back = convolution(x, weights, one.stride)
        count = z[..., 0].size
        if self.trains:
            running = mean, variance
            mean, variance = z.mean(axis=(0, 1, 2)), z.var(axis=(0, 1, 2))
            for place, (before, now) in enumerate(
                zip(running, (mean, variance * count / max(count - 1, 1)), strict=True), at + 3
            ):
                self.running[place] = before + NORM_MOMENTUM * (now - before)
        root = np.sqrt(variance + NORM_EPSILON)
        unit = (z - mean) / root

        def backward(dout: Float64) -> Float64:
            self.gradients[at + 1] = (dout * unit).sum(axis=(0, 1, 2))
            self.gradients[at + 2] = dout.sum(axis=(0, 1, 2))
            dunit = dout * scale
            if self.trains:
                dunit = dunit - dunit.mean(axis=(0, 1, 2)) - unit * (dunit * unit).mean(axis=(0, 1, 2))
            dx, self.gradients[at] = back(dunit / root)
            return dx

        return unit * scale + shift, backward


def relu(x: Float64) -> tuple[Float64, Callable[[Float64], Float64]]:
    return np.maximum(x, 0), lambda dout: dout * (x > 0)
