"""The bytes of one picture file into pixels, by Pillow: upright, 8 bits, grey or colour, of one size.

Files come from strangers: the formats are listed, sizes are known from the header before pixels are decoded, and
whatever Pillow's readers run into is a reason in words. Measured and chosen in docs/decisions/0025-pictures.md.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineUnavailableError
from ..files import looks_like

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""Pillow's names of what is read."""
IN_WORDS = "JPEG, PNG, WebP, GIF, BMP, TIFF or PPM"
ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
    ".pnm",
)  # fmt: skip
MAX_PIXELS = 80_000_000
"""Of a picture, by its header. Below what Pillow warns of, and 320 MB as it decodes them."""
MAX_SIDE = 65_535
"""Of a picture: resized in one direction first, a thin long one would be a large one meanwhile."""
GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I")
"""Modes without colour."""
SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr")
ORIENTATION = 0x0112
"""The tag of EXIF."""
WHITE = 255
DRAFT = 2
"""A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that is still so many times the size that is wanted."""

Shape = tuple[int, ...]


class BadPicture(Exception):
    """A file that is no picture that can be read; its text is the reason, to stand behind a name and a colon."""


@dataclass(frozen=True)
class Header:
    """What the beginning of a file says: the size upright, and whether there is no colour."""

    height: int
    width: int
    is_grey: bool


def pillow() -> Any:
    """The module PIL.Image; raises EngineUnavailableError where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise EngineUnavailableError(
            "pictures need Pillow, which is not installed; install it by `pip install 'fromlogits[pictures]'`."
        ) from None
    return Image


def examined(data: bytes) -> Header:
    """The header of a picture; raises BadPicture."""
    with _opened(data) as picture:
        width, height = picture.size
        if _turn(picture) in _SWAPPING:
            width, height = height, width
        with _bad_where_it_fails():
            return Header(height, width, _is_grey(picture))


def decoded(data: bytes, shape: Shape, *, is_exact: bool = False) -> tuple[NDArray[np.uint8], frozenset[str]]:
    """The pixels (h, w) or (h, w, 3), and what was done to the picture that should be said, to stand behind "was".

    Args:
        data: of the file.
        shape: (h, w) for grey or (h, w, 3) for colour.
        is_exact: the picture must have this shape; it is not resized and not turned grey or coloured.

    Raises BadPicture.
    """
    height, width = shape[:2]
    is_grey = len(shape) == 2
    if is_exact and examined(data) != Header(height, width, is_grey):
        raise BadPicture(_other_shape(examined(data), shape))
    with _opened(data) as picture:
        turn = _turn(picture)
        as_stored = (height, width) if turn in _SWAPPING else (width, height)
        with _bad_where_it_fails():
            picture.draft(picture.mode, (DRAFT * as_stored[0], DRAFT * as_stored[1]))
            picture.load()
            plain, said = _plain(picture)
    pil = pillow()
    if turn is not None:  # before it is resized, which rounds after one direction and then after the other
        plain = plain.transpose(pil.Transpose[turn])
    if plain.mode == "RGB" and is_grey:
        plain, said = plain.convert("L"), said | {"turned grey, as the model knows no colour"}
    if plain.size != (width, height):
        plain = plain.resize((width, height), pil.Resampling.BILINEAR)
    if plain.mode == "L" and not is_grey:
        plain = plain.convert("RGB")
    return np.asarray(plain), said


_TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip
"""EXIF's orientation -> Pillow's name of what puts it upright."""
_SWAPPING = ("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")


@contextlib.contextmanager
def _bad_where_it_fails() -> Iterator[None]:
    """Pillow's readers raise whatever their parsing runs into."""
    try:
        yield
    except (BadPicture, MemoryError):
        raise
    except Exception:
        raise BadPicture("it is damaged or cut off") from None


def _opened(data: bytes) -> Image:
    """A picture of which only the header was read, of a kind and size that can be decoded."""
    pil = pillow()
    if not data:
        raise BadPicture("it is empty")
    try:
        picture: Image = pil.open(io.BytesIO(data), formats=FORMATS)
        n_frames = 1 if picture.format == "MPO" else _n_frames(picture)  # MPO: a photo with another view behind it
    except MemoryError:
        raise
    except pil.DecompressionBombError:
        raise BadPicture(f"it has more than {MAX_PIXELS:,} pixels") from None
    except Exception:  # Pillow's readers raise whatever their parsing runs into
        raise BadPicture(_unknown(data)) from None
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise BadPicture(f"its {height:,} x {width:,} pixels are more than {MAX_PIXELS:,}")
    if max(width, height) > MAX_SIDE:
        raise BadPicture(f"it is {max(width, height):,} pixels long; a side has at most {MAX_SIDE:,}")
    if width < 1 or height < 1:
        raise BadPicture("it has no pixels")
    if n_frames > 1:
        raise BadPicture("it is animated or has several pages; one picture is needed")
    is_plain_integer = picture.mode != "I" or picture.format in ("PNG", "PPM")  # Pillow scales theirs to 16 bits
    if picture.mode not in (*GREY, *COLOUR) or not is_plain_integer:
        raise BadPicture(f"its pixels are of the kind {picture.mode}, which is not read; write 8 bits a channel")
    return picture


def _n_frames(picture: Image) -> int:
    """2 for any number above 1: to count those of a GIF is to read it to its end."""
    return 2 if getattr(picture, "is_animated", False) else 1


def _unknown(data: bytes) -> str:
    """Why no reader took it."""
    known = looks_like(data[:64])
    if known.endswith("picture"):
        return f"it begins as {known} and is damaged or cut off"
    return f"it is no {IN_WORDS} picture" + (f"; it looks like {known}" if known else "")


def _turn(picture: Image) -> str | None:
    """Pillow's name of what puts the picture upright; None where it is. Pillow itself turns a TIFF."""
    has_exif = any(key in picture.info for key in ("exif", "Raw profile type exif", "Raw profile type APP1"))
    if picture.format == "TIFF" or (picture.format == "PNG" and not has_exif):  # a PNG would be decoded to look for it
        return None
    try:
        return _TURNS.get(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged tag says nothing, and viewers show such pictures as they stand
        return None


def _is_grey(picture: Image) -> bool:
    if picture.mode == "P":
        colours = np.frombuffer(bytes(picture.getpalette("RGB") or b""), np.uint8).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return picture.mode in GREY


def _plain(picture: Image) -> tuple[Image, frozenset[str]]:
    """The picture in mode L or RGB, and what was done to it."""
    pil = pillow()
    is_grey = _is_grey(picture)
    if picture.mode in SIXTEEN or picture.mode == "I":
        wide = np.asarray(picture).astype(np.uint32)  # 320 MB of the largest; each step in place
        wide *= 255
        wide += 32767
        wide //= 65535
        return pil.fromarray(wide.astype(np.uint8)), frozenset()
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema() != (255, 255):
            sheet = pil.new("RGBA", picture.size, (WHITE, WHITE, WHITE, 255))
            picture = pil.alpha_composite(sheet, picture)
            return picture.convert("L" if is_grey else "RGB"), frozenset({"laid over white where clear"})
    if picture.mode == "CMYK":
        return picture.convert("RGB"), frozenset({"turned from CMYK to RGB, without a colour profile"})
    return picture.convert("L" if is_grey else "RGB"), frozenset()


def _other_shape(found: Header, shape: Shape) -> str:
    return (
        f"it is {found.height} x {found.width} of {_colour(found.is_grey)}; the model's pictures are {shape[0]} x"
        f" {shape[1]} of {_colour(len(shape) == 2)}, and came as arrays, so that none is resized"
    )


def _colour(is_grey: bool) -> str:
    return "grey" if is_grey else "colour"
