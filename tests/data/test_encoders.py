from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.features import Features
from fromlogits.data.inputs import as_inputs
from fromlogits.data.table import Matrix
from fromlogits.errors import InputError


def random_frame(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(5, 3, n), "b": rng.integers(0, 90, n), "c": rng.random(n) < 0.3})


def fit(X: Any, **options: Any) -> FeatureEncoder:
    return FeatureEncoder.fit(as_inputs(X), **options)


def features_of(encoder: FeatureEncoder, X: Any) -> Features:
    features = encoder.encode(as_inputs(X))
    assert isinstance(features, Features)
    return features


def encode(encoder: FeatureEncoder, X: Any) -> NDArray[Any]:
    return features_of(encoder, X).values


# --- numbers ---


@pytest.mark.parametrize("n", [2, 511, 512, 513, 1500])  # either side of a block of rows
def test_each_column_gets_mean_0_and_spread_1(n: int) -> None:
    X = random_frame(n).to_numpy(float)
    features = encode(fit(X), X)

    assert features.dtype == np.float32
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(features, expected, rtol=0, atol=4e-7)  # half an ulp of float32 at 4


def test_float64_is_rounded_once() -> None:
    X = random_frame().to_numpy(float)
    encoder = fit(X)

    assert encoder.mean is not None and encoder.inverse_spread is not None
    np.testing.assert_array_equal(encode(encoder, X), ((X - encoder.mean) * encoder.inverse_spread).astype(np.float32))


def test_a_frame_and_an_array_of_the_same_numbers_give_the_same_bits() -> None:
    frame = random_frame(1100)

    np.testing.assert_array_equal(encode(fit(frame), frame), encode(fit(frame.to_numpy(float)), frame.to_numpy(float)))


def test_only_the_training_rows_are_learned_from() -> None:
    X = random_frame().to_numpy(float)
    rows = np.arange(0, 200, 3)
    changed = X.copy()
    changed[1] = 1e6

    np.testing.assert_array_equal(encode(fit(X, rows=rows), X), encode(fit(X[rows]), X))
    assert fit(X, rows=rows).to_json() == fit(changed, rows=rows).to_json()


def test_a_row_is_encoded_alike_alone_and_among_others() -> None:
    X = random_frame(600).to_numpy(float)
    encoder = fit(X)

    np.testing.assert_array_equal(encode(encoder, X)[555:556], encode(encoder, X[555:556]))


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, -3e-9, 0])
def test_a_constant_column_is_encoded_as_0_and_noted(value: float) -> None:
    X = np.full((1000, 2), value, float)
    X[:, 1] = np.arange(1000)
    encoder = fit(pd.DataFrame(X, columns=["same", "other"]))

    assert encoder.notes == ("1 column has one value only in the training rows and carries nothing: same",)
    assert (encode(encoder, X)[:, 0] == 0).all()
    assert (encode(encoder, X + 1)[:, 0] == 0).all()


def test_many_constant_columns_are_counted() -> None:
    assert fit(np.ones((3, 8))).notes == (
        "8 columns have one value only in the training rows and carry nothing: 0, 1, 2, 3, 4 and 3 more",
    )


def test_bytes_that_are_no_picture_are_standardised() -> None:
    X = np.array([[0, 10], [255, 30]], np.uint8)

    np.testing.assert_array_equal(encode(fit(X), X), [[-1, -1], [1, 1]])


def test_values_too_wide_for_float64_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        fit(pd.DataFrame({"x": [0.0, 1e300]}))
    assert str(caught.value) == "column 'x' spans 0 to 1e+300, too wide to be standardised; rescale it."


def test_a_value_too_far_for_float32_is_refused() -> None:
    encoder = fit(pd.DataFrame({"x": [0.0, 1.0]}))

    with pytest.raises(InputError) as caught:
        encode(encoder, pd.DataFrame({"x": [0.0, 0.5, 1e39]}))
    assert str(caught.value) == (
        "column 'x', row 2: the value lies so far from the training rows that float32 can't hold the difference;"
        " check it."
    )


# --- pictures ---


def test_pictures_of_bytes_stay_bytes() -> None:
    X = np.random.default_rng(0).integers(0, 256, (20, 4, 3), np.uint8)
    encoder = fit(X)
    features = features_of(encoder, X)

    assert encoder.schema.picture_shape == (4, 3)
    assert features.values.dtype == np.uint8
    assert np.shares_memory(features.values, X)
    as_numbers = features.values * features.scale + features.shift
    assert abs(as_numbers.mean()) < 1e-12
    assert as_numbers.std() == pytest.approx(1)


def test_pixels_as_numbers_mean_what_pixels_as_bytes_mean() -> None:
    X = np.random.default_rng(0).integers(0, 256, (20, 4, 3), np.uint8)
    encoder = fit(X)
    features = features_of(encoder, X)

    computed = features.values.astype(np.float32) * np.float32(features.scale) + np.float32(features.shift)
    np.testing.assert_array_equal(encode(encoder, X.reshape(20, 12).astype(float)), computed)


def test_all_pixels_share_one_scale() -> None:
    X = np.array([[0.0, 1.0, 8.0, 16.0], [0.0, 3.0, 8.0, 12.0]])
    features = encode(fit(X, picture_shape=(2, 2)), X)

    slopes = np.diff(features, axis=1) / np.diff(X, axis=1)
    np.testing.assert_allclose(slopes, slopes[0, 0], rtol=1e-6)


def test_blank_pictures_are_encoded_as_numbers_that_are_finite() -> None:
    X = np.zeros((3, 2, 2), np.uint8)

    assert np.isfinite([fit(X).scale, fit(X).shift]).all()


def test_a_shape_that_does_not_fit_the_columns_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        fit(np.ones((3, 65)), picture_shape=(8, 8))
    assert str(caught.value) == "pictures of shape 8×8 have 64 pixels; the rows have 65 features."

    frame = pd.DataFrame(np.eye(4), columns=["pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_1_1"])
    with pytest.raises(InputError) as caught:
        fit(frame, picture_shape=(4, 1))
    assert str(caught.value) == "the columns pixel_r_c span a picture of 2×2; the shape 4×1 was given."


def test_named_pixels_are_ordered_in_arrays_too() -> None:
    names = ("pixel_1_1", "pixel_0_1", "pixel_1_0", "pixel_0_0")
    X = np.array([[3.0, 1.0, 2.0, 0.0]] * 2)
    encoder = FeatureEncoder.fit(Matrix(X, names=names))

    assert (np.diff(encoder.encode(Matrix(X, names=names)).values) > 0).all()


# --- columns by name ---


def test_columns_are_found_by_name_and_others_are_ignored_with_a_note() -> None:
    frame = random_frame()
    encoder = fit(frame, target_names=("kind",), id_names=("id",), ignored=("junk",))
    other = frame[["c", "a", "b"]].assign(kind="x", id=1, junk="?", new="word", more=None)

    features, notes = encoder.encode_with_notes(as_inputs(other))
    np.testing.assert_array_equal(features.values, encode(encoder, frame))
    assert notes == ("columns that the model does not know were ignored: new, more",)
    assert encoder.encode_with_notes(as_inputs(frame[["b", "c", "a"]]))[1] == ()


def test_named_columns_of_an_array_are_found_by_name_too() -> None:
    frame = random_frame()
    encoder = fit(frame)
    other = Matrix(frame[["c", "a", "b"]].to_numpy(float), names=("c", "a", "b"))

    np.testing.assert_array_equal(encoder.encode(other).values, encode(encoder, frame))


def test_without_names_the_order_counts() -> None:
    frame = random_frame()

    np.testing.assert_array_equal(encode(fit(frame), frame.to_numpy(float)), encode(fit(frame), frame))
    np.testing.assert_array_equal(encode(fit(frame.to_numpy(float)), frame), encode(fit(frame), frame))


def test_a_missing_column_is_refused_by_name_with_the_nearest() -> None:
    encoder = fit(pd.DataFrame({"age": [1, 2], "size": [3, 4]}))

    for columns, expected in {
        ("ages", "size"): "column 'age' is missing: the model was trained with it. Did you mean 'ages'?",
        ("size",): "column 'age' is missing: the model was trained with it.",
        ("x",): "column 'age' is missing: the model was trained with it. (2 of 2 columns are missing)",
    }.items():
        with pytest.raises(InputError) as caught:
            encode(encoder, pd.DataFrame({name: [1] for name in columns}))
        assert str(caught.value) == expected


def test_a_column_that_has_become_text_is_refused_by_name() -> None:
    encoder = fit(pd.DataFrame({"age": [1, 2], "size": [3, 4]}))

    with pytest.raises(InputError, match=r"^column 'age' must hold numbers; row 0 has 'old', which is not a number\."):
        encode(encoder, pd.DataFrame({"age": ["old"], "size": [1]}))


def test_another_width_is_refused_in_the_words_of_scikit_learn() -> None:
    for make in (np.ones, lambda shape: pd.DataFrame(np.ones(shape))):
        with pytest.raises(InputError) as caught:
            encode(fit(np.eye(4)), make((2, 3)))
        assert str(caught.value) == "X has 3 features, but Classifier is expecting 4 features as input."


# --- in a file ---


@pytest.mark.parametrize(
    "X", [random_frame(), np.random.default_rng(0).integers(0, 256, (9, 2, 2), np.uint8), np.eye(3)]
)
def test_an_encoder_survives_json_and_tensors(X: Any) -> None:
    encoder = fit(X, target_names=("y",), id_names=("id",), ignored=("junk",))
    again = FeatureEncoder.from_json(json.loads(json.dumps(encoder.to_json())), encoder.tensors())

    assert again.schema == encoder.schema
    np.testing.assert_array_equal(encode(again, X), encode(encoder, X))
    assert features_of(again, X).scale == features_of(encoder, X).scale


GOOD = fit(random_frame())
PICTURE = fit(np.zeros((3, 2, 2), np.uint8))
SCALED = fit(sparse.csr_array(np.eye(3)))


def changed(encoder: FeatureEncoder, **schema: Any) -> dict[str, Any]:
    value = encoder.to_json()
    value["schema"] |= schema
    return value


@pytest.mark.parametrize(
    ("value", "tensors"),
    [
        (None, {}),
        ([], {}),
        (GOOD.to_json() | {"more": 1}, GOOD.tensors()),
        (GOOD.to_json() | {"kind": "embedding"}, GOOD.tensors()),
        (GOOD.to_json() | {"kind": []}, GOOD.tensors()),
        (GOOD.to_json() | {"scale": 0.0}, GOOD.tensors()),
        (GOOD.to_json() | {"scale": "1"}, GOOD.tensors()),
        (GOOD.to_json() | {"scale": float("nan")}, GOOD.tensors()),
        (GOOD.to_json() | {"shift": float("inf")}, GOOD.tensors()),
        (GOOD.to_json() | {"schema": None}, GOOD.tensors()),
        (GOOD.to_json(), {}),
        (GOOD.to_json(), GOOD.tensors() | {"more": np.ones(3)}),
        (GOOD.to_json(), GOOD.tensors() | {"encoder.mean": np.ones(4)}),
        (GOOD.to_json(), GOOD.tensors() | {"encoder.mean": np.ones(3, np.float32)}),
        (GOOD.to_json(), GOOD.tensors() | {"encoder.mean": np.full(3, np.nan)}),
        (GOOD.to_json(), GOOD.tensors() | {"encoder.inverse_spread": np.full(3, -1.0)}),
        (PICTURE.to_json(), {"encoder.mean": np.ones(4)}),
        (changed(GOOD, n_features=4), GOOD.tensors()),
        (changed(GOOD, n_features=True), GOOD.tensors()),
        (changed(GOOD, n_features=10**12, names=None), GOOD.tensors()),
        (changed(GOOD, names=["a", "b"]), GOOD.tensors()),
        (changed(GOOD, names=["a", "b", "b"]), GOOD.tensors()),
        (changed(GOOD, names=["a", "b", 1]), GOOD.tensors()),
        (changed(GOOD, names="abc"), GOOD.tensors()),
        (changed(GOOD, target_names=[1]), GOOD.tensors()),
        (changed(GOOD, more=1), GOOD.tensors()),
        (changed(PICTURE, picture_shape=[2, 3]), {}),
        (changed(PICTURE, picture_shape=[-2, -2]), {}),
        (changed(PICTURE, picture_shape=[2, 2.0]), {}),
        (changed(PICTURE, picture_shape=[4, 1, 1, 1]), {}),
        (changed(PICTURE, picture_shape="22"), {}),
        (SCALED.to_json(), {}),
        (SCALED.to_json(), SCALED.tensors() | {"encoder.mean": np.ones(3)}),
        (SCALED.to_json(), {"encoder.inverse_spread": np.full(3, -1.0)}),
        (SCALED.to_json() | {"kind": "standard"}, SCALED.tensors()),
        (changed(SCALED, first_index=2), SCALED.tensors()),
        (changed(SCALED, first_index=True), SCALED.tensors()),
        (changed(SCALED, first_index=1, names=["a", "b", "c"]), SCALED.tensors()),
    ],
)
def test_json_that_describes_no_encoder_is_refused(value: Any, tensors: Any) -> None:
    with pytest.raises(InputError, match=r"^(encoder|schema|tensor)"):
        FeatureEncoder.from_json(value, tensors)
