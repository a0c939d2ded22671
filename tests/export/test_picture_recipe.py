"""What docs/how-to/onnx.md makes of a picture file, without fromlogits: the pixels that fromlogits makes of it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fromlogits.data.pictures.decode import decoded
from tests.data.picture_files import encoded, scenes

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "onnx.md"
SCENE = scenes(1)[0][0]
LARGE = np.asarray(Image.fromarray(SCENE).resize((300, 200)))
CLEAR = np.dstack([LARGE, np.tile((np.arange(300) % 256).astype(np.uint8), (200, 1))])
WIDE = (np.arange(200 * 300).reshape(200, 300) % 65536).astype(np.uint16)


def recipe() -> Callable[..., NDArray[np.float32]]:
    """The function of the page."""
    [block] = re.findall(r"```python\n((?:(?!```).)*?def pixels.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    held: dict[str, Any] = {}
    exec(block, held)
    found: Callable[..., NDArray[np.float32]] = held["pixels"]
    return found


def saved(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    into = io.BytesIO()
    picture.save(into, form, **options)
    return into.getvalue()


def turned(orientation: int, form: str = "JPEG") -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return encoded(LARGE, form, exif=tags)


FILES = {
    "as it is": encoded(SCENE),
    "colour": encoded(LARGE),
    "grey": encoded(LARGE[..., 0]),
    "16 bits": encoded(WIDE),
    "16 bits, TIFF": encoded(WIDE, "TIFF"),
    "1 bit": saved(Image.fromarray(LARGE).convert("1")),
    "clear": encoded(CLEAR),
    "opaque": encoded(np.dstack([LARGE, np.full((200, 300), 255, np.uint8)])),
    "clear grey": saved(Image.fromarray(CLEAR).convert("LA")),
    "a palette": saved(Image.fromarray(LARGE).quantize(16)),
    "a palette with a clear colour": saved(Image.fromarray(LARGE).quantize(16), transparency=3),
    "a clear colour": saved(Image.fromarray(LARGE), transparency=tuple(LARGE[0, 0].tolist())),
    "CMYK": saved(Image.fromarray(LARGE).convert("CMYK"), "JPEG"),
    "a large JPEG": encoded(LARGE.repeat(4, 0).repeat(4, 1), "JPEG"),
    "upside down": turned(3),
    "upside down, WebP": turned(3, "WEBP"),
}


@pytest.mark.parametrize("shape", [(32, 32, 3), (32, 32), (20, 45, 3)], ids=str)
@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_the_pixels_that_fromlogits_makes_of_it(name: str, shape: tuple[int, ...]) -> None:
    found = recipe()(io.BytesIO(FILES[name]), *shape[:2], mode="RGB" if len(shape) == 3 else "L")

    assert found.dtype == np.float32
    assert found.shape == (1, math.prod(shape))
    assert np.array_equal(found[0], decoded(FILES[name], shape)[0].reshape(-1))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_put_upright(form: str, orientation: int) -> None:
    data = turned(orientation, form)
    shape = (300, 200, 3) if orientation > 4 else (200, 300, 3)

    assert np.array_equal(recipe()(io.BytesIO(data), *shape[:2])[0], decoded(data, shape)[0].reshape(-1))
