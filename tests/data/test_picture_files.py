"""One picture file into pixels, and the names of files, as strangers may write them."""

from __future__ import annotations

import io
import os
import re
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fromlogits.data.pictures import decode
from fromlogits.data.pictures.cache import Cache
from fromlogits.data.pictures.decode import BadPicture, Header, decoded, examined
from fromlogits.data.pictures.pixels import Encoded, Wanted, choose_shape, read_pictures
from fromlogits.data.pictures.stores import Folder, Zip
from fromlogits.errors import InputError
from tests.data.picture_files import encoded, scenes

PIXELS = scenes(1)[0][0]


def plain(data: bytes, shape: tuple[int, ...] = (32, 32, 3)) -> np.ndarray:
    return decoded(data, shape)[0]


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_what_loses_nothing_gives_the_very_pixels(form: str) -> None:
    data = encoded(PIXELS, form, **({"lossless": True} if form == "WEBP" else {}))

    assert examined(data) == Header(32, 32, is_grey=False)
    assert np.array_equal(plain(data), PIXELS)


def test_jpeg_and_gif_are_near() -> None:
    assert np.abs(plain(encoded(PIXELS, "JPEG", quality=95)).astype(int) - PIXELS).mean() < 6
    assert np.abs(plain(encoded(PIXELS, "GIF")).astype(int) - PIXELS).mean() < 12


def test_grey_stays_grey_and_becomes_colour_where_that_is_wanted() -> None:
    grey = PIXELS[..., 0]
    data = encoded(grey)

    assert examined(data).is_grey
    assert np.array_equal(plain(data, (32, 32)), grey)
    assert np.array_equal(plain(data), np.stack([grey] * 3, axis=2))


def test_colour_becomes_grey_by_its_luma_and_is_said() -> None:
    pixels, said = decoded(encoded(PIXELS), (32, 32))

    assert np.abs(pixels - PIXELS @ [0.299, 0.587, 0.114]).max() < 1
    assert said == {"turned grey, as the model knows no colour"}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_photo_is_put_upright(form: str, orientation: int) -> None:
    upright = PIXELS[:24]  # 24 high, 32 wide
    as_stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    of_form: dict[str, dict[str, Any]] = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    options = of_form.get(form, {})
    data = encoded(np.ascontiguousarray(as_stored), form, exif=exif, **options)

    assert examined(data) == Header(24, 32, is_grey=False)
    assert np.abs(plain(data, (24, 32, 3)).astype(int) - upright).max() < (12 if form == "JPEG" else 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_and_then_resized_whatever_its_form(orientation: int) -> None:
    stored = np.ascontiguousarray(np.random.default_rng(0).integers(0, 256, (61, 37, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = Image.fromarray(stored)
    if orientation > 1:
        upright = upright.transpose(Image.Transpose[decode._TURNS[orientation]])
    expected = np.asarray(upright.resize((64, 60), Image.Resampling.BILINEAR))

    for form, options in {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.items():
        assert np.array_equal(plain(encoded(stored, form, exif=exif, **options), (60, 64, 3)), expected)


def test_a_header_is_read_without_the_pixels() -> None:
    for form in ("PNG", "JPEG", "WEBP", "TIFF", "BMP"):
        data = encoded(PIXELS, form)
        assert examined(data[: 700 if form != "TIFF" else None]) == Header(32, 32, is_grey=False)


def test_a_damaged_orientation_is_passed_over() -> None:
    data = encoded(PIXELS, "WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")

    assert np.array_equal(plain(data), PIXELS)


def test_what_is_clear_is_laid_over_white() -> None:
    alpha = np.full((32, 32, 1), 255, np.uint8)
    alpha[:16] = 0
    alpha[16:20] = 51
    pixels, said = decoded(encoded(np.concatenate([PIXELS, alpha], axis=2)), (32, 32, 3))

    assert (pixels[:16] == 255).all()
    assert np.abs(pixels[16:20] - (0.2 * PIXELS[16:20] + 0.8 * 255)).max() <= 1
    assert np.array_equal(pixels[20:], PIXELS[20:])
    assert said == {"laid over white where clear"}
    assert decoded(encoded(np.concatenate([PIXELS, np.full_like(alpha, 255)], axis=2)), (32, 32, 3))[1] == frozenset()


def test_a_palette_and_its_clear_colour() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putdata([0, 1])
    into = io.BytesIO()
    picture.save(into, "PNG", transparency=1)

    assert plain(into.getvalue(), (1, 2, 3)).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert examined(into.getvalue()) == Header(1, 2, is_grey=False)


def test_sixteen_bits_are_scaled_and_not_cut() -> None:
    wide = np.array([[0, 128, 129, 257, 32767, 32768, 65535]], np.uint16)
    for form in ("PNG", "TIFF"):
        data = encoded(wide, form)
        assert examined(data).is_grey
        assert plain(data, (1, 7)).tolist() == [[0, 0, 1, 1, 127, 128, 255]]
    pgm = b"P5 7 1 65535\n" + wide.astype(">u2").tobytes()
    assert plain(pgm, (1, 7)).tolist() == [[0, 0, 1, 1, 127, 128, 255]]


def test_sixteen_bits_are_scaled_within_some_bytes_a_pixel() -> None:
    data = encoded(np.full((500, 1000), 65535, np.uint16))
    tracemalloc.start()
    try:
        assert plain(data, (5, 10)).tolist() == [[255] * 10] * 5
        assert tracemalloc.get_traced_memory()[1] < 500 * 1000 * 10
    finally:
        tracemalloc.stop()


def test_cmyk_is_turned_to_rgb() -> None:
    picture = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for form in ("JPEG", "TIFF"):
        into = io.BytesIO()
        picture.save(into, form)
        pixels, said = decoded(into.getvalue(), (8, 8, 3))
        assert np.abs(pixels.reshape(-1, 3).astype(int) - [255, 0, 0]).max() < 8
        assert said == {"turned from CMYK to RGB, without a colour profile"}


def test_one_bit_is_black_and_white() -> None:
    assert plain(b"P4 8 1\n\xf0", (1, 8)).tolist() == [[0, 0, 0, 0, 255, 255, 255, 255]]


@pytest.mark.parametrize("shape", [(8, 8), (16, 5), (50, 70)])
def test_the_resize_is_the_antialiased_triangle(shape: tuple[int, int]) -> None:
    """Each output pixel is the mean of the input under a triangle as wide as the scale, in float64 here."""

    def weights(n_in: int, n_out: int) -> np.ndarray:
        scale = n_in / n_out
        wide = max(scale, 1.0)
        centres = (np.arange(n_out) + 0.5) * scale
        distance = np.abs(np.arange(n_in) + 0.5 - centres[:, None]) / wide
        triangle = np.maximum(0, 1 - distance)
        result: np.ndarray = triangle / triangle.sum(axis=1, keepdims=True)
        return result

    expected = np.einsum("ai,bj,ijc->abc", weights(32, shape[0]), weights(32, shape[1]), PIXELS.astype(float))

    assert np.abs(plain(encoded(PIXELS), (*shape, 3)) - expected).max() <= 1.01  # rounded after each direction


def test_a_large_jpeg_is_decoded_small_and_looks_the_same() -> None:
    large = np.asarray(Image.fromarray(PIXELS).resize((1600, 1200), Image.Resampling.BICUBIC))
    data = encoded(large, "JPEG", quality=95)
    small = Image.open(io.BytesIO(data))
    small.load()
    expected = np.asarray(small.resize((40, 30), Image.Resampling.BILINEAR)).astype(int)

    assert np.abs(plain(data, (30, 40, 3)) - expected).max() <= 4


def frames(form: str) -> bytes:
    into = io.BytesIO()
    several = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1].copy())]
    several[0].save(into, form, save_all=True, append_images=several[1:])
    return into.getvalue()


def png_that_promises(width: int, height: int) -> bytes:
    """A PNG whose header says so; there is hardly any data."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"hello", f"it is no {decode.IN_WORDS} picture"),
        (b"%PDF-1.4", f"it is no {decode.IN_WORDS} picture; it looks like a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "it begins as a PNG picture and is damaged or cut off"),
        (encoded(PIXELS)[:900], "it is damaged or cut off"),
        (encoded(PIXELS, "JPEG")[:-100], "it is damaged or cut off"),
        (encoded(PIXELS, "TIFF")[:2000], "it is damaged or cut off"),
        (frames("GIF"), "it is animated or has several pages; one picture is needed"),
        (frames("PNG"), "it is animated or has several pages; one picture is needed"),
        (frames("WEBP"), "it is animated or has several pages; one picture is needed"),
        (frames("TIFF"), "it is animated or has several pages; one picture is needed"),
        (png_that_promises(10_000, 8_001), "its 8,001 x 10,000 pixels are more than 80,000,000"),
        (png_that_promises(1, 70_000), "it is 70,000 pixels long; a side has at most 65,535"),
        (png_that_promises(100_000, 100_000), "it has more than 80,000,000 pixels"),
        (encoded(PIXELS.astype(np.float32)[..., 0], "TIFF"), "its pixels are of the kind F, which is not read"),
        (encoded(PIXELS.astype(np.int32)[..., 0], "TIFF"), "its pixels are of the kind I, which is not read"),
        (encoded(PIXELS, "ICO"), f"it is no {decode.IN_WORDS} picture"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_can_not_be_read_has_a_reason(data: bytes, why: str) -> None:
    with pytest.raises(BadPicture, match="^" + re.escape(why)):
        decoded(data, (32, 32, 3))


EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"exif": EXIF}, "TIFF": {"compression": "tiff_lzw"}}
WHOLE = {form: encoded(PIXELS[:8, :8], form, **OPTIONS.get(form, {})) for form in decode.FORMATS}


@pytest.mark.filterwarnings("ignore")  # Pillow's, about tags
@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_any_bytes_are_pixels_or_have_a_reason(form: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[form])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, 2 * len(content))) :]
    shape = data.draw(st.sampled_from([(5, 7), (5, 7, 3)]))
    try:
        examined(bytes(content))
        pixels, _ = decoded(bytes(content), shape)
    except BadPicture as error:
        assert "\n" not in str(error)
    else:
        assert pixels.shape == shape and pixels.dtype == np.uint8


def test_a_photo_with_a_second_view_is_its_first() -> None:
    into = io.BytesIO()
    first = Image.fromarray(PIXELS)
    first.save(into, "MPO", save_all=True, append_images=[Image.fromarray(PIXELS[::-1].copy())])

    assert np.abs(plain(into.getvalue()).astype(int) - PIXELS).mean() < 12


@pytest.mark.parametrize(
    ("headers", "size", "shape"),
    [
        ([(96, 96, False)] * 3, None, (96, 96, 3)),
        ([(28, 28, True)] * 3, None, (28, 28)),
        ([(28, 28, True), (28, 28, False)], None, (28, 28, 3)),
        ([(128, 256, False)] * 2, None, (64, 128, 3)),
        ([(3000, 4000, False)] * 2, None, (64, 85, 3)),
        ([(30, 40, False), (40, 30, False)], None, (64, 64, 3)),
        ([(30, 40, True), (40, 30, True)], (20, 10), (20, 10)),
    ],
)
def test_pictures_become_one_size(
    headers: list[tuple[int, int, bool]], size: tuple[int, int] | None, shape: tuple[int, ...]
) -> None:
    assert choose_shape([Header(*header) for header in headers], size)[0] == shape


# --- names ---


def reason(store: Folder | Zip, name: str) -> str:
    with pytest.raises(BadPicture) as caught:
        store.read(name)
    return str(caught.value)


def test_no_name_leads_out_of_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "b.png").write_bytes(b"secret")
    (root / "a.png").write_bytes(b"fine")
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "in.png").symlink_to(root / "a.png")
    (root / "around.png").symlink_to(root / "around.png")
    (root / "away").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.png")
    store = Folder(root)
    outside = f"it lies outside of {root}"

    assert [store.read(name) for name in ("a.png", "in.png", "sub/../a.png", str(root / "a.png"))] == [b"fine"] * 4
    for name in ("../secret.png", "out.png", str(tmp_path / "secret.png"), "sub/../../secret.png", "../root2/b.png",
                 "away/secret.png"):  # fmt: skip
        assert reason(store, name) == outside
    assert reason(store, "sub") == "it is a folder"
    assert reason(store, "b.png") == f"there is no such file in {root}"
    assert reason(store, "a\0.png") == "no file can have this name"
    assert reason(store, "pipe.png") == "it is not a regular file"
    assert reason(store, "away/") == "it is a link to a folder, which is not followed"
    assert reason(store, "around.png")
    assert reason(store, "x" * 5000)
    assert "away/" in set(store.names()) and not any("secret" in name for name in store.names())


def test_no_entry_leads_out_of_a_zip_file(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("sub/", b"")
        for name in ("a.png", "../b.png", "/c.png", "twice.png", "twice.png", ".hidden.png", "__MACOSX/a.png"):
            archive.writestr(name, b"held")
        archive.writestr(link, b"/etc/passwd")
    store = Zip(tmp_path / "z.zip")

    assert store.read("a.png") == b"held"
    for name in ("../b.png", "/c.png"):
        assert reason(store, name) == "its name leads out of z.zip"
    assert reason(store, "twice.png") == "it is in z.zip more than once"
    assert reason(store, "link.png") == "it is a link"
    assert reason(store, "sub/") == reason(store, "sub") == "it is a folder"
    assert reason(store, "d.png") == "there is no such file in z.zip"
    assert sorted(store.names()) == ["../b.png", "/c.png", "a.png", "link.png", "twice.png"]


def test_a_zip_file_that_lies_is_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(1 << 21))
    content = path.read_bytes()
    monkeypatch.setattr("fromlogits.data.pictures.stores.MAX_FILE_BYTES", 1 << 20)
    assert reason(Zip(path), "a.png").startswith("it has more than ")
    path.write_bytes(content.replace(struct.pack("<I", 1 << 21), struct.pack("<I", 100)))
    assert reason(Zip(path), "a.png") == "z.zip is damaged there"
    path.write_bytes(content.replace(struct.pack("<I", 1 << 21), struct.pack("<I", 1 << 20)))
    assert reason(Zip(path), "a.png") == "z.zip is damaged there"
    path.write_bytes(content[:-30])
    with pytest.raises(InputError, match=r"^z\.zip is no zip file, or it is cut off or damaged\.$"):
        Zip(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_entry_that_python_unpacks_without_a_bound_is_not_unpacked(tmp_path: Path, method: int) -> None:
    """A hundred bytes of bzip2 that say they are a hundred, and hold 16 MiB."""
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.png", bytes(1 << 24))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 1 << 24), struct.pack("<I", 100)))
    store = Zip(path)
    tracemalloc.start()
    try:
        assert reason(store, "a.png") == "z.zip has it packed in another way than deflated, which is not read"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("then", [encoded(255 - PIXELS), b"no picture", None])
def test_a_picture_that_changes_between_header_and_pixels_is_not_kept_for_the_earlier_one(
    tmp_path: Path, then: bytes | None
) -> None:
    """The cache finds pixels by the digests of the files, and so they must be those of the very files."""
    first = encoded(PIXELS)

    def gone() -> bytes:
        raise BadPicture("input/output error")

    passes = iter([lambda: first, gone if then is None else lambda: then])

    def changing() -> list[Encoded]:
        return [Encoded("a.png", next(passes))]

    wanted = Wanted(bad="mark", cache=Cache(tmp_path))
    with pytest.raises(InputError, match=r"^photos: a\.png changed while it was read; try again"):
        read_pictures(changing, 1, wanted, "photos")
    assert not [*tmp_path.iterdir()]
    found = read_pictures(lambda: [Encoded("a.png", lambda: first)], 1, wanted, "photos")
    assert np.array_equal(found.values[0], PIXELS.reshape(-1)) and not found.tally.bad
