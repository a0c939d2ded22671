"""The example data: the scripts make what the tree holds, and it is as `examples/README.md` says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

EXAMPLES = Path(__file__).parent.parent / "examples"
FIRST = 50  # scenes drawn anew

Arrays = dict[str, NDArray[np.uint8]]


def script(name: str) -> ModuleType:
    """A script of the examples folder, as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Pearson's correlation of two columns."""
    return float(np.mean((one - one.mean()) * (other - other.mean())) / (one.std() * other.std()))


@pytest.fixture(scope="module")
def digits() -> NDArray[np.int64]:
    return np.loadtxt(EXAMPLES / "digits.csv", delimiter=",", skiprows=1, dtype=np.int64)


@pytest.fixture(scope="module")
def scenes() -> Arrays:
    with np.load(EXAMPLES / "scenes.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_the_header_of_the_digits_names_every_pixel_and_the_digit() -> None:
    with (EXAMPLES / "digits.csv").open(encoding="ascii") as lines:
        header = lines.readline().rstrip("\n").split(",")

    assert header == [f"pixel_{row}_{column}" for row in range(8) for column in range(8)] + ["digit"]


def test_the_digits_are_1797_rows_of_counts_up_to_16(digits: NDArray[np.int64]) -> None:
    assert digits.shape == (1797, 65)
    assert (digits[:, :64].min(), digits[:, :64].max()) == (0, 16)
    assert set(digits[:, 64].tolist()) == set(range(10))


def test_the_digits_are_those_scikit_learn_bundles(digits: NDArray[np.int64]) -> None:
    bundled = pytest.importorskip("sklearn.datasets").load_digits()

    np.testing.assert_array_equal(digits[:, :64], bundled.data)
    np.testing.assert_array_equal(digits[:, 64], bundled.target)


def test_the_digits_script_writes_the_file_in_the_tree(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")

    script("make_digits").write_digits(tmp_path / "digits.csv")

    assert (tmp_path / "digits.csv").read_bytes() == (EXAMPLES / "digits.csv").read_bytes()


def test_the_scenes_are_3000_small_colour_pictures_of_three_labels(scenes: Arrays) -> None:
    assert list(scenes) == ["X", "y", "classes"]
    assert scenes["X"].shape == (3000, 32, 32, 3)
    assert scenes["y"].shape == (3000, 3)
    assert scenes["X"].dtype == scenes["y"].dtype == np.uint8
    assert scenes["classes"].tolist() == ["car", "bus", "pedestrian"]


def test_the_scenes_script_draws_the_pictures_in_the_file(scenes: Arrays) -> None:
    pictures, labels = script("make_scenes").scenes(FIRST)

    np.testing.assert_array_equal(pictures, scenes["X"][:FIRST])
    np.testing.assert_array_equal(labels, scenes["y"][:FIRST])


def test_a_scene_does_not_depend_on_those_before_it(scenes: Arrays) -> None:
    picture, labels = script("make_scenes").scene(2999)

    np.testing.assert_array_equal(picture, scenes["X"][2999])
    np.testing.assert_array_equal(labels, scenes["y"][2999])


def test_equal_arrays_give_equal_bytes(tmp_path: Path, scenes: Arrays) -> None:
    write_npz = script("make_scenes").write_npz
    for name in ("one.npz", "other.npz"):
        write_npz(tmp_path / name, {"X": scenes["X"][:FIRST], "y": scenes["y"][:FIRST]})

    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_every_label_is_on_nearly_half_of_the_pictures(scenes: Arrays) -> None:
    rates = scenes["y"].mean(axis=0)

    # Drawn with probability 0.45: four standard deviations of a mean of 3 000 are 0.036.
    assert np.abs(rates - 0.45).max() <= 0.036


def test_all_label_sets_occur_and_no_label_tells_of_another(scenes: Arrays) -> None:
    sets, counts = np.unique(scenes["y"], axis=0, return_counts=True)
    car, bus, pedestrian = scenes["y"].T
    pairs = ((car, bus), (car, pedestrian), (bus, pedestrian))
    correlations = [correlation(one, other) for one, other in pairs]

    assert len(sets) == 8
    assert counts.min() >= 3000 * 0.45**3 * 0.75  # the rarest set is all three
    assert np.abs(correlations).max() <= 4 / np.sqrt(3000)  # four standard deviations for independent labels


def test_the_brightness_of_a_picture_tells_no_label(scenes: Arrays) -> None:
    brightness = scenes["X"].mean(axis=(1, 2, 3))
    correlations = [correlation(brightness, labels) for labels in scenes["y"].T]

    assert np.abs(correlations).max() <= 4 / np.sqrt(3000)


def test_the_scenes_take_less_than_3_mb_and_their_contact_sheet_less_than_200_kb() -> None:
    assert (EXAMPLES / "scenes.npz").stat().st_size < 3_000_000
    assert (EXAMPLES / "scenes.png").stat().st_size < 200_000
