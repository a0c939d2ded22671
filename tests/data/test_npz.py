from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fromlogits.data.npz import read_npz
from fromlogits.data.sources import Dataset, read
from fromlogits.data.table import Matrix
from fromlogits.data.targets import TargetEncoder
from fromlogits.errors import InputError

PICTURES = np.arange(4 * 3 * 2 * 3, dtype=np.uint8).reshape(4, 3, 2, 3)


def save(tmp_path: Path, *, packed: bool = False, **arrays: Any) -> Path:
    path = tmp_path / "t.npz"
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


def matrix(dataset: Dataset) -> Matrix:
    assert isinstance(dataset.features, Matrix)
    return dataset.features


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_are_flattened_and_their_shape_is_kept(tmp_path: Path, packed: bool) -> None:
    dataset = read(save(tmp_path, X=PICTURES, y=np.array([0, 1, 0, 1]), packed=packed))

    np.testing.assert_array_equal(matrix(dataset).values, PICTURES.reshape(4, 18))
    assert dataset.picture_shape == (3, 2, 3)
    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == [0, 1, 0, 1]
    assert dataset.origin.where(2) == "row 2 of t.npz"
    assert len(dataset.digest) == 64


@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_are_read_in_either_order(tmp_path: Path, order: Any) -> None:
    X = np.asarray(np.random.default_rng(0).normal(size=(5, 3)), order=order)
    dataset = read(save(tmp_path, X=X, y=np.arange(5) % 2, features=np.array(["a", "b", "c"])))

    np.testing.assert_array_equal(matrix(dataset).values, X)
    assert dataset.feature_names == matrix(dataset).names == ("a", "b", "c")
    assert dataset.picture_shape is None


def test_class_numbers_get_their_names(tmp_path: Path) -> None:
    dataset = read(save(tmp_path, X=np.ones((3, 1)), y=np.array([1, 0, 1]), classes=np.array(["cat", "dog"])))

    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["dog", "cat", "dog"]
    assert dataset.classes == ("cat", "dog")


def test_labels_get_their_names(tmp_path: Path) -> None:
    y = np.array([[1, 1], [0, 0], [0, 1]])
    dataset = read(save(tmp_path, X=np.ones((3, 1)), y=y, classes=np.array(["car", "bus"])))

    assert dataset.targets is not None
    assert TargetEncoder.fit(dataset.targets).classes == ("car", "bus")


def test_names_may_stand_in_y_itself(tmp_path: Path) -> None:
    dataset = read(save(tmp_path, X=np.ones((2, 1)), y=np.array(["b", "a"]), classes=np.array(["a", "b"])))

    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["b", "a"]


def test_without_labels_y_is_not_read(tmp_path: Path) -> None:
    path = save(tmp_path, X=np.ones((2, 1)), y=np.array([{}, {}], dtype=object))

    assert read(path, labelled=False).targets is None


@pytest.mark.parametrize("weights", [np.array([3, 0]), np.array([[1.5, 0], [2, 1]])])
def test_weights_of_rows_and_of_labels_are_read_beside_the_targets(tmp_path: Path, weights: Any) -> None:
    path = save(tmp_path, X=np.ones((2, 1)), y=np.array([[1, 0], [0, 0]]), sample_weight=weights)

    found = read(path).weights
    assert found is not None and found.dtype == np.float64
    np.testing.assert_array_equal(found, weights)
    assert read(path, labelled=False).weights is None


def test_arrays_that_are_not_known_are_named(tmp_path: Path) -> None:
    known = "(known: X, y, classes, features, sample_weight)"
    for others, said in {
        ("weights",): f"an array that is not known was ignored: weights {known}",
        ("z", "a\nb"): f"arrays that are not known were ignored: 'a\\nb', z {known}",
        tuple(
            "abcdefghijkl"
        ): f"arrays that are not known were ignored: a, b, c, d, e, f, g, h, i, j and 2 more {known}",
    }.items():
        arrays: dict[str, Any] = dict.fromkeys(("X", *others), np.ones((2, 1)))
        path = save(tmp_path, y=np.arange(2), **arrays)
        for labelled in (True, False):
            assert read(path, labelled=labelled).notes == (f"t.npz: {said}",)


X = np.ones((4, 2))
Y = np.array([0, 1, 0, 1])
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "other names": (
        {"data": X, "labels": Y},
        "t.npz must hold the arrays X and y (classes, features and sample_weight may be there); it holds data, labels.",
    ),
    "no y": ({"X": X}, "t.npz must hold the array y, the targets, beside X."),
    "objects": (
        {"X": np.array([{}, {}], dtype=object), "y": Y},
        "t.npz: array X holds Python objects, which can hide code and are not read; save numbers or text.",
    ),
    "other lengths": (
        {"X": X, "y": Y[:3]},
        "t.npz: y must be of shape (4,) or (4, labels), as X has 4 rows; it is of shape (3,).",
    ),
    "infinity": (
        {"X": np.array([[1.0, 2.0], [3.0, np.inf]]), "y": Y[:2]},
        "t.npz: Input X contains infinity: row 1, column 1. fromlogits needs finite numbers, or NaN where there is no"
        " value; leave such rows out or fill them in.",
    ),
    "text": (
        {"X": np.array([["a"], ["b"]]), "y": Y[:2]},
        "t.npz: X must hold numbers: row 0, column 0 is 'a'. Words are for tables: pass the frame itself, or a file"
        " with named columns.",
    ),
    "class number too large": (
        {"X": X, "y": np.array([0, 1, 2, 1]), "classes": np.array(["a", "b"])},
        "t.npz: y must number the 2 classes from 0 to 1; row 2 has 2.",
    ),
    "label names": (
        {"X": X, "y": np.ones((4, 3)), "classes": np.array(["a", "b"])},
        "t.npz: the array classes must hold 3 names; it holds 2.",
    ),
    "same class name": (
        {"X": X, "y": Y, "classes": np.array(["a", "a"])},
        "t.npz: the array classes must hold names that differ; it is <U1 of shape (2,).",
    ),
    "feature names": (
        {"X": X, "y": Y, "features": np.array(["a"])},
        "t.npz: the array features must hold 2 names; it holds 1.",
    ),
    "weights of other rows": (
        {"X": X, "y": Y, "sample_weight": np.ones(3)},
        "t.npz: the array sample_weight must hold numbers, of shape (4,); it is float64 of shape (3,).",
    ),
    "weights of other labels": (
        {"X": X, "y": np.eye(4)[:, :3], "sample_weight": np.ones((4, 2))},
        "t.npz: the array sample_weight must hold numbers, of shape (4,) or (4, 3); it is float64 of shape (4, 2).",
    ),
    "weights as text": (
        {"X": X, "y": Y, "sample_weight": np.array(list("1234"))},
        "t.npz: the array sample_weight must hold numbers, of shape (4,); it is <U1 of shape (4,).",
    ),
    "an unknown weight": (
        {"X": X, "y": Y, "sample_weight": np.array([1, 2, np.nan, 1])},
        "t.npz: the array sample_weight must be finite and at least 0; row 2 has nan.",
    ),
    "a label's weight below 0": (
        {"X": X, "y": np.eye(4), "sample_weight": 1 - 3 * np.eye(4)[::-1]},
        "t.npz: the array sample_weight must be finite and at least 0; row 0, label 3 has -2.",
    ),
    "weights of 0": (
        {"X": X, "y": Y, "sample_weight": np.zeros(4)},
        "t.npz: the array sample_weight must not be zero in every row.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_do_not_fit_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    arrays, expected = REFUSED[name]

    with pytest.raises(InputError) as caught:
        read(save(tmp_path, **arrays))

    assert str(caught.value) == expected


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    for content, expected in {
        b"": "t.npz must be a NumPy .npz archive; it is empty.",
        b"x,y\n": "t.npz must be a NumPy .npz archive; it does not start as one.",
        b"\x93NUMPY\1\0": "t.npz must be a NumPy .npz archive; it looks like a NumPy .npy file.",
        b"PK\3\4....": "t.npz must be a NumPy .npz archive; it is cut off or damaged.",
    }.items():
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(caught.value) == expected


def test_no_beginning_of_an_archive_is_accepted(tmp_path: Path) -> None:
    whole = save(tmp_path, X=X, y=Y).read_bytes()
    cut = tmp_path / "cut.npz"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"^cut\.npz must be a NumPy \.npz archive; it "):
            read(cut)


def test_a_flipped_bit_in_the_pixels_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path, X=PICTURES, y=np.array([0, 1, 0, 1]))
    content = bytearray(path.read_bytes())
    content[content.index(bytes(range(20, 40)))] ^= 1
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"^t\.npz is damaged: Bad CRC-32 for file 'X\.npy'\.$"):
        read(path)


def with_header(tmp_path: Path, shape: tuple[int, ...], n_bytes: int, *, packed: bool = False) -> Path:
    """An archive whose X has a header of its own making in front of `n_bytes` zeros."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    path = save(tmp_path, X=X, y=Y)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr("X.npy", header.getvalue() + bytes(n_bytes))
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_promises_more_than_is_there_takes_no_memory(tmp_path: Path, packed: bool) -> None:
    with pytest.raises(
        InputError, match=r"^t\.npz: array X is damaged: its header promises 8,000,000,000,000 bytes; 800 are there\.$"
    ):
        read(with_header(tmp_path, (1_000_000, 1_000_000), 800, packed=packed), labelled=False)


def test_a_negative_or_overflowing_size_is_refused(tmp_path: Path) -> None:
    for shape in ((-1, 8), (2**62, 4), (2**70,)):
        with pytest.raises(InputError, match=r"^t\.npz: array X is (damaged|no NumPy array)"):
            read(with_header(tmp_path, shape, 0), labelled=False)


def test_a_size_in_the_directory_that_can_not_be_is_refused(tmp_path: Path) -> None:
    path = with_header(tmp_path, (1,), 8, packed=True)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("X.npy")
    content = path.read_bytes()
    start = content.index(b"PK\1\2")
    size = info.file_size.to_bytes(4, "little")
    place = content.index(size, start)
    path.write_bytes(content[:place] + (0xFFFFFFF0).to_bytes(4, "little") + content[place + 4 :])

    with pytest.raises(InputError, match=r"^t\.npz: array X is damaged: \d+ packed bytes can't hold 4,294,967,280\.$"):
        read(path, labelled=False)


def test_names_with_line_breaks_are_told_in_one_line(tmp_path: Path) -> None:
    path = save(tmp_path, X=np.zeros((3, 2)), y=np.arange(3))
    path.write_bytes(path.read_bytes().replace(b"X.npy", b"u\nv.n"))
    with pytest.raises(InputError, match=r"it holds 'u\\nv\.n', y\.$"):
        read(path)


def test_an_archive_that_spans_disks_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, X=np.zeros((3, 2)), y=np.arange(3))
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    path.write_bytes(content[:end] + struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 9) + content[end:])
    with pytest.raises(InputError, match="is damaged: zipfiles that span multiple disks"):
        read(path)


def test_an_archive_whose_directory_points_before_its_start_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, X=np.arange(6.0).reshape(3, 2), y=np.arange(3))
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    size = int.from_bytes(content[end + 12 : end + 16], "little")
    content[end + 16 : end + 20] = (end - size + 50).to_bytes(4, "little")  # where the directory is said to begin
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        read(path)


def test_an_archive_begins_as_one_and_holds_each_array_once(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, X=np.eye(2), y=np.arange(2))
    whole = path.read_bytes()
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("X.npy", archive.read("y.npy"))
    with pytest.raises(InputError, match="two arrays of one name"):
        read_npz(path, labelled=True)
    path.write_bytes(b"#!" + whole)
    with pytest.raises(InputError, match=r"must be a NumPy \.npz archive"):
        read_npz(path, labelled=True)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_array_that_python_unpacks_without_a_bound_is_not_unpacked(tmp_path: Path, method: int) -> None:
    path = tmp_path / "t.npz"
    content = io.BytesIO()
    np.save(content, PICTURES)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("X.npy", content.getvalue() + bytes(1 << 24))
    promised = len(content.getvalue())
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", promised + (1 << 24)), struct.pack("<I", promised)))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"array X is packed in another way than NumPy packs; save it by np\.save"):
            read_npz(path, labelled=False)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22  # hashing the file takes 1 << 20 of it
    finally:
        tracemalloc.stop()
