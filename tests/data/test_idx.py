from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits.data.sources import read
from fromlogits.data.table import Matrix
from fromlogits.errors import InputError


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES = np.arange(5 * 3 * 2, dtype=np.uint8).reshape(5, 3, 2)
LABELS = np.array([3, 1, 3, 0, 9], np.uint8)


def write(
    folder: Path, images: bytes = idx(IMAGES), labels: bytes | None = idx(LABELS), *, packed: bool = False
) -> Path:
    ending = ".gz" if packed else ""
    path = folder / f"train-images-idx3-ubyte{ending}"
    path.write_bytes(gzip.compress(images) if packed else images)
    if labels is not None:
        labels_path = folder / f"train-labels-idx1-ubyte{ending}"
        labels_path.write_bytes(gzip.compress(labels) if packed else labels)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_images_stay_bytes_and_labels_are_found_beside_them(tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path, packed=packed)
    dataset = read(path)

    assert isinstance(dataset.features, Matrix)
    assert dataset.features.values.dtype == np.uint8
    np.testing.assert_array_equal(dataset.features.values, IMAGES.reshape(5, 6))
    assert dataset.picture_shape == dataset.features.picture_shape == (3, 2)
    assert dataset.targets is not None
    assert dataset.targets.values.dtype == np.int64
    assert dataset.targets.values.tolist() == [3, 1, 3, 0, 9]
    ending = ".gz" if packed else ""
    assert dataset.notes == (f"train-images-idx3-ubyte{ending}: its labels are in train-labels-idx1-ubyte{ending}",)
    both = path.read_bytes() + (tmp_path / f"train-labels-idx1-ubyte{ending}").read_bytes()
    assert dataset.digest == hashlib.sha256(both).hexdigest()


def test_packed_images_may_have_plain_labels(tmp_path: Path) -> None:
    path = write(tmp_path, labels=None, packed=True)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))

    assert len(read(path)) == 5


def test_without_labels_no_labels_file_is_needed(tmp_path: Path) -> None:
    assert read(write(tmp_path, labels=None), labelled=False).targets is None


def test_a_target_is_not_looked_for_and_that_is_said(tmp_path: Path) -> None:
    dataset = read(write(tmp_path), target="digit")

    assert dataset.notes[0] == "train-images-idx3-ubyte holds its own targets: no column 'digit' is looked for"


@pytest.mark.parametrize(("shape", "picture_shape"), [((5, 6), None), ((5, 2, 3), (2, 3)), ((5, 2, 3, 1), (2, 3, 1))])
def test_rows_pictures_and_colour_pictures_are_read(
    tmp_path: Path, shape: tuple[int, ...], picture_shape: tuple[int, ...] | None
) -> None:
    dataset = read(write(tmp_path, idx(IMAGES.reshape(shape))))

    assert dataset.picture_shape == picture_shape
    assert isinstance(dataset.features, Matrix)
    assert dataset.features.values.shape == (5, 6)


def header(*shape: int, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


REFUSED = {
    "empty": (b"", "train-images-idx3-ubyte is empty: an IDX file starts with a header of 8 to 20 bytes."),
    "cut in the magic": (
        b"\0\0",
        "train-images-idx3-ubyte is cut off: an IDX file starts with a header of 8 to 20 bytes.",
    ),
    "cut in the sizes": (header(5, 3, 2)[:-2], "train-images-idx3-ubyte is cut off in its header."),
    "no IDX": (b"\x89PNG....", "train-images-idx3-ubyte must be an IDX file; it looks like a PNG picture."),
    "text": (b"x,y\n1,2\n", "train-images-idx3-ubyte must be an IDX file; it does not start as one."),
    "floats": (
        header(1, 1, 1, kind=0x0D) + b"\0\0\0\0",
        "train-images-idx3-ubyte must hold unsigned bytes (IDX type 0x08); its header says type 0x0d.",
    ),
    "short": (
        idx(IMAGES)[:-1],
        "train-images-idx3-ubyte is cut off: its header promises 5 × 3 × 2 = 30 bytes; 29 are there.",
    ),
    "long": (
        idx(IMAGES) + b"\0",
        "train-images-idx3-ubyte is damaged: it holds more than the 5 × 3 × 2 bytes its header promises.",
    ),
    "huge promise": (
        header(2**32 - 1, 2**32 - 1, 28),
        "train-images-idx3-ubyte is cut off or damaged: its header promises 4294967295 × 4294967295 × 28 ="
        " 516,508,833,823,349,276,700 bytes, more than a file of 16 bytes can hold.",
    ),
    "no pixels in rows beyond counting": (
        header(2**32 - 1, 2**32 - 1, 0),
        "train-images-idx3-ubyte has no rows: its header says 4294967295 × 4294967295 × 0.",
    ),
    "no rows": (header(0, 3, 2), "train-images-idx3-ubyte has no rows: its header says 0 × 3 × 2."),
    "labels for images": (
        idx(LABELS),
        "train-images-idx3-ubyte must hold images; it holds one number a row, as a labels file does.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_images_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, expected = REFUSED[name]

    with pytest.raises(InputError) as caught:
        read(write(tmp_path, content))

    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (
            None,
            "train-images-idx3-ubyte: its labels must stand beside it; there is no train-labels-idx1-ubyte, nor"
            " train-labels-idx1-ubyte.gz or train-labels-idx1-ubyte.zst.",
        ),
        (
            idx(LABELS[:4]),
            "train-images-idx3-ubyte and train-labels-idx1-ubyte must have as many rows; found 5 images and 4 labels.",
        ),
        (idx(IMAGES), "train-labels-idx1-ubyte must hold one label a row; it holds 5 × 3 × 2 numbers."),
        (
            idx(LABELS)[:-1],
            "train-labels-idx1-ubyte is cut off: its header promises 5 = 5 bytes; 4 are there.",
        ),
    ],
)
def test_labels_must_fit_the_images(tmp_path: Path, labels: bytes | None, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, labels=labels))

    assert str(caught.value) == expected


def test_a_name_that_shows_no_labels_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pictures.idx"
    path.write_bytes(idx(IMAGES))

    with pytest.raises(InputError, match=r"^pictures\.idx: the labels file is found by its name"):
        read(path)


def test_packed_images_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = write(tmp_path, idx(rng.integers(0, 256, (50, 9, 9), np.uint8)), packed=True)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(InputError, match=r"^train-images-idx3-ubyte\.gz is cut off: its gzip data ends too early"):
        read(path)


def test_a_packed_file_that_can_not_hold_its_promise_takes_no_memory(tmp_path: Path) -> None:
    path = write(tmp_path, header(2**31, 28, 28), packed=True)

    with pytest.raises(
        InputError, match=r"its header promises 2147483648 × 28 × 28 = 1,683,627,180,032 bytes, more than"
    ):
        read(path)


def test_a_packed_bomb_behind_a_small_header_is_stopped_early(tmp_path: Path) -> None:
    path = write(tmp_path, header(5, 3, 2) + bytes(50_000_000), packed=True)

    with pytest.raises(InputError, match="holds more than the 5 × 3 × 2 bytes its header promises"):
        read(path)
