"""A picture in the body of a request, for a model whose rows are pictures."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from ..data.pictures.decode import BadPicture, decoded
from ..errors import InputError
from .models import Served
from .refusals import Refused

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/bmp": "BMP", "image/webp": "WEBP"}
"""Content type -> Pillow's name of the format."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Channels -> Pillow's name of pixels that have them, 8 bits each."""
IN_WORDS = {"L": "grey", "RGB": "colour", "RGBA": "colour and opacity"}


def features_of(body: bytes, content_type: str, model: Served) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """One picture, uint8 (1, h, w) or (1, h, w, channels), its pixels as they stand in the file; and what has to be
    said.

    For a model that learned from picture files it becomes what those became. Otherwise it must have the height, width
    and channels of the training pictures: nothing is scaled, cut or coloured here, for no one but the sender knows how
    theirs were.

    Raises:
        InputError: it is no picture, or one of another shape.
        Refused: Pillow is not installed.
    """
    shape = model.picture_shape
    if shape is None:
        raise InputError("the rows of this model are no pictures; send them as application/json or text/csv.")
    try:
        from PIL import Image
    except ImportError:
        raise Refused(
            415, "pictures need Pillow on the server, which is not installed there; send the pixels as JSON."
        ) from None
    if model.classifier.encoder_.schema.pictures is not None:
        try:
            pixels, said = decoded(body, shape)
            return pixels.reshape(1, *shape), tuple(f"the picture was {words}" for words in sorted(said))
        except BadPicture as error:
            raise InputError(f"the picture can't be used: {error}.") from None
    height, width, *channels = shape if len(shape) > 1 else (1, *shape)
    mode = MODES.get(channels[0] if channels else 1)
    if mode is None:
        raise InputError(
            f"the model's pictures have {channels[0]} channels, which no file has; send the pixels as JSON."
        )
    try:
        picture = Image.open(io.BytesIO(body), formats=[FORMATS[content_type]])
    except Exception:  # Pillow's readers raise whatever their parsing runs into
        raise InputError(f"the body is no {FORMATS[content_type]} picture.") from None
    found = f"{picture.height} x {picture.width} of {IN_WORDS.get(picture.mode, f'the kind {picture.mode}')}"
    wanted = f"{height} x {width} of {IN_WORDS[mode]}"
    if (picture.height, picture.width, picture.mode) != (height, width, mode):
        raise InputError(f"the picture must be {wanted}, as those of the training; it is {found}.")
    try:
        pixels = np.asarray(picture)
    except Exception:
        raise InputError(f"the {FORMATS[content_type]} picture is damaged or cut off.") from None
    return np.ascontiguousarray(pixels.reshape(1, *shape)), ()
