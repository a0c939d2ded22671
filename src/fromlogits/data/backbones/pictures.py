"""Rows that are pictures, and what a backbone makes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..memory import refuse_too_large
from ..table import Inputs, Matrix, SparseMatrix, columns_of
from .backbone import Backbone

CHANNELS = (1, 3)
BLOCK_BYTES = 1 << 26

Shape = tuple[int, ...]


def is_seeable(shape: Shape) -> bool:
    """Whether a backbone takes pictures of this shape: (h, w), (h, w, 1) or (h, w, 3)."""
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in CHANNELS)


def seen(inputs: Inputs, backbone: Backbone, shape: Shape | None = None) -> Matrix:
    """What the backbone makes of each row, which is a picture; rows that it has seen already as they are.

    Args:
        shape: of the pictures, where the rows do not say it themselves.

    Raises InputError for rows that are no pictures, or not of whole numbers from 0 to 255.
    """
    of_rows = inputs.picture_shape if isinstance(inputs, Matrix) else None
    if isinstance(inputs, Matrix) and inputs.seen_by is not None:
        if inputs.seen_by.reference.digest != backbone.reference.digest:
            raise InputError("the rows are what another backbone made of pictures.")
        return inputs
    shape = of_rows or shape
    named = f"backbone {backbone.reference.text!r}"
    if shape is None or isinstance(inputs, SparseMatrix):
        raise InputError(
            f"{named} looks at pictures; the rows are none. Give pictures (uint8 of shape (n, h, w) or (n, h, w, 3), as"
            " by X.reshape(-1, h, w, 3)); on the command line a folder of them, or --image-shape HxW, which says that"
            " each row is one."
        )
    if not is_seeable(shape):
        raise InputError(
            f"{named} looks at grey or coloured pictures, of shape (h, w) or (h, w, 3); these are of {shape}."
        )
    refuse_too_large(len(inputs), backbone.n_features, "features")
    values = np.empty((len(inputs), backbone.n_features), np.float32)
    start = 0
    for pixels in _blocks(inputs, math.prod(shape), named):
        values[start : start + len(pixels)] = backbone.features(pixels.reshape(-1, *shape))
        start += len(pixels)
    files = inputs.pictures if isinstance(inputs, Matrix) else None
    return Matrix(values, shape, inputs.names, inputs.origin, files, backbone)


def _blocks(inputs: Inputs, n_pixels: int, named: str) -> Iterator[NDArray[np.uint8]]:
    """Some rows at a time, as pixels."""
    step = max(1, BLOCK_BYTES // n_pixels)
    assert not isinstance(inputs, SparseMatrix)
    for start in range(0, len(inputs), step):
        stop = min(start + step, len(inputs))
        if isinstance(inputs, Matrix):
            block = inputs.values[start:stop]
        else:
            block = np.stack([column.values[start:stop] for column in columns_of(inputs)], axis=1)
        if block.dtype != np.uint8:
            block = np.asarray(block, np.float64)
            is_fine = (block == np.rint(block)) & (block >= 0) & (block <= 255)
            if not is_fine.all():
                row, pixel = (int(place) for place in np.argwhere(~is_fine)[0])
                raise InputError(
                    f"{named} looks at pixels that are whole numbers from 0 to 255; {inputs.origin.where(start + row)},"
                    f" pixel {pixel} is {block[row, pixel]:g}."
                )
            block = block.astype(np.uint8)
        yield block
