"""Pictures in arrays: as many values in another shape are other pictures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.errors import InputError
from tests.every_engine import HAS_TORCH

PIXELS = np.random.default_rng(0).integers(0, 256, (80, 8, 6, 3), np.uint8)  # more rows than go the short way
LABELS = np.arange(80) % 2
FRONT = (
    "pictures must be of shape (height, width, channels); in (3, 8, 6) the channels seem to stand in front."
    " X.transpose(0, 2, 3, 1) puts the channels last. Rows of shape (n, 144) are learned from as they are."
)


def quick() -> fl.Classifier:
    return fl.Classifier(preset="fast", max_epochs=1, random_state=0)


@pytest.fixture(scope="module")
def coloured() -> fl.Classifier:
    return quick().fit(PIXELS, LABELS)


@pytest.fixture(scope="module")
def grey() -> fl.Classifier:
    return quick().fit(PIXELS[..., 0], LABELS)


@pytest.mark.parametrize("n", [1, 80])
@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((3, 8, 6), " X.transpose(0, 2, 3, 1) puts the channels last."),
        ((6, 8, 3), ""),
        ((12, 12), ""),
        ((8, 3, 6), ""),
        ((4, 6, 3), ""),
    ],
)
def test_pictures_of_another_shape_are_refused(
    coloured: fl.Classifier, n: int, shape: tuple[int, ...], hint: str
) -> None:
    pixels = np.zeros((n, *shape), np.uint8)
    message = f"X holds pictures of shape {shape}; they must be of shape (8, 6, 3).{hint}"

    for use in (coloured.predict, coloured.predict_logits, lambda X: coloured.evaluate(X, LABELS[:n])):
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            use(pixels)
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        quick().fit(PIXELS, LABELS, X_val=pixels, y_val=LABELS[:n])


@pytest.mark.parametrize("n", [3, 80])
def test_rows_of_their_pixels_are_the_pictures(coloured: fl.Classifier, grey: fl.Classifier, n: int) -> None:
    pixels = PIXELS[:n]

    assert np.array_equal(coloured.predict_logits(pixels.reshape(n, -1)), coloured.predict_logits(pixels))
    assert np.array_equal(grey.predict_logits(pixels[..., :1]), grey.predict_logits(pixels[..., 0]))
    flat = quick().fit(PIXELS.reshape(80, -1), LABELS)
    assert np.array_equal(flat.predict_logits(pixels), flat.predict_logits(pixels.reshape(n, -1)))


def test_a_single_picture_is_told_of(coloured: fl.Classifier, grey: fl.Classifier) -> None:
    with pytest.raises(InputError, match=r"of shape \(6, 3\); .* A single picture is X\[None\]\.$"):
        coloured.predict(PIXELS[0])
    with pytest.raises(InputError, match=r"^X has 6 features, .* A single picture is X\[None\]\.$"):
        grey.predict(PIXELS[0, ..., 0])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_in_front_are_not_learned_from(channels: int) -> None:
    pixels = np.zeros((80, channels, 8, 6), np.uint8)
    flat = channels * 48
    message = FRONT.replace("(3, ", f"({channels}, ").replace("144", str(flat))

    for backbone in (None, "tiny") if HAS_TORCH else (None,):
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            quick().set_params(backbone=backbone).fit(pixels, LABELS)
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        quick().partial_fit(pixels, LABELS, classes=[0, 1])
    quick().fit(np.zeros((80, channels, 4, 6), np.uint8), LABELS)  # a low picture of many channels, maybe


def test_files_of_arrays_are_held_against_what_is_said(tmp_path: Path) -> None:
    from fromlogits.data.sources import read, read_in_parts

    path = tmp_path / "t.npz"
    np.savez(path, X=PIXELS, y=LABELS)
    message = r"^t\.npz: X holds pictures of shape \(8, 6, 3\); they must be of shape \(12, 12\)\.$"
    with pytest.raises(InputError, match=message):
        read(path, picture_shape=(12, 12))
    [part] = read_in_parts(path, features=None, picture_shape=(12, 12), n_features=144).parts()

    assert part.features.picture_shape == (8, 6, 3)  # type: ignore[union-attr]
    assert read(path, picture_shape=(8, 6, 3)).picture_shape == (8, 6, 3)
