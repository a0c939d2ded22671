"""The form in which a network takes its features: robust numbers, codes of categories, dense rows."""

from __future__ import annotations

import datetime
import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from fromlogits.data import memory
from fromlogits.data.encoders import FeatureEncoder, Surprises
from fromlogits.data.encodings.category import MANY
from fromlogits.data.encodings.code import MOST_OF_A_FEATURE_EACH
from fromlogits.data.features import Features, SparseFeatures
from fromlogits.data.form import Form
from fromlogits.data.inputs import as_inputs
from fromlogits.errors import InputError

ROBUST = Form(is_robust=True)
CODES = Form(has_codes=True, is_dense=True)
RECIPE = Form(is_robust=True, has_codes=True, is_dense=True)
WORDS = [f"v{k}" for k in range(MOST_OF_A_FEATURE_EACH + 1)]


def inputs_of(X: Any) -> Any:
    return as_inputs(pl.DataFrame(X) if isinstance(X, dict) else X)


def fit(X: Any, form: Form, **options: Any) -> FeatureEncoder:
    return FeatureEncoder.fit(inputs_of(X), form=form, **options)


def encode(encoder: FeatureEncoder, X: Any) -> NDArray[Any]:
    encoded = encoder.encode(inputs_of(X))
    return encoded.dense() if isinstance(encoded, SparseFeatures) else encoded.values


def clipped(z: Any) -> Any:
    return z / np.sqrt(1 + (np.asarray(z) / 3) ** 2)


def random_table(n: int = 300, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    day = datetime.date(2023, 1, 1)
    return {
        "x": rng.standard_cauchy(n),
        "gaps": [None if gap else value for value, gap in zip(rng.normal(size=n), rng.random(n) < 0.2, strict=True)],
        "rating": rng.integers(1, 5, n),
        "few": [WORDS[k] for k in rng.integers(0, 3, n)],
        "many": [f"w{k}" for k in rng.integers(0, 12, n)],
        "day": [day + datetime.timedelta(days=int(k)) for k in rng.integers(0, 700, n)],
    }


# --- robust numbers ---


@pytest.mark.parametrize(
    ("values", "median", "factor"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], 4, 1 / 4),
        ([7, 3, 1, 8, 5, 2, 6, 4], 4, 1 / 4),  # in any order
        ([0] * 9 + [1], 0, 2),  # the quartiles are one value: 2 / (most - least)
        ([1] * 9 + [0], 1, 2),
        ([0, 0, 1, 1], 0, 1),
        ([-10, 0, 0, 0, 0, 0, 0, 30], 0, 2 / 40),
        ([0, 1, 2, 3, 4, 5, 6, 1e12], 3, 1 / 4),  # one value far off changes nothing
        ([5e300, 1e300, 3e300, 7e300], 3e300, 1 / 4e300),  # too wide to be standardised
    ],
)
def test_a_robust_number_is_counted_from_the_median_in_ranges_of_the_quartiles(
    values: list[float], median: float, factor: float
) -> None:
    X = np.array(values, float)[:, np.newaxis]
    asked = np.array([*values, median, 1e308, -1e308], float)[:, np.newaxis]

    found = encode(fit(X, ROBUST), asked)
    np.testing.assert_allclose(found[:-2], clipped((asked[:-2] - median) * factor), rtol=2e-7)
    assert found[len(values)] == 0
    assert (np.abs(found) <= 3).all()


def test_no_value_is_too_far_for_a_robust_number() -> None:
    X = np.arange(8.0)[:, np.newaxis]

    assert encode(fit(X, ROBUST), np.array([[1e308], [-1e308], [1e20]])).ravel().tolist() == [3, -3, 3]
    with_gap = fit(np.array([[np.nan], *X]), ROBUST)
    assert encode(with_gap, np.array([[1e308], [-1e308]])).tolist() == [[3, 0], [-3, 0]]


@pytest.mark.parametrize("value", [0.0, 0.1, -3e-9, 1e308, -1e308, 5e-324])
def test_a_constant_column_of_robust_numbers_is_0_and_noted(value: float) -> None:
    X = np.column_stack([np.full(50, value), np.arange(50.0)])
    encoder = fit(pd.DataFrame(X, columns=["same", "other"]), ROBUST)

    assert encoder.notes == ("1 column has one value only in the training rows and carries nothing: same",)
    asked = np.array([[value, 1.0], [-value, 1.0], [1e308, 1.0]])
    assert (encode(encoder, asked)[:, 0] == 0).all()
    assert encoder.numbers == (1,)


def test_values_too_near_to_each_other_are_one_value() -> None:
    assert encode(fit(np.array([[0.0], [5e-324]]), ROBUST), np.array([[1.0]])).tolist() == [[0.0]]


@pytest.mark.parametrize("form", ["array", "frame", "with gaps", "columns", "dense csr"])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_way_to_robust_numbers_gives_the_same_bits(form: str, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.standard_cauchy(600), rng.integers(0, 90, 600), rng.random(600) < 0.1])
    weights = rng.integers(1, 5, 600).astype(float) if weighted else None
    expected = np.empty(X.shape, np.float32)
    for place, column in enumerate(X.T):
        copies = np.sort(column if weights is None else np.repeat(column, weights.astype(int)))
        first, median, third = (copies[math.ceil(len(copies) * quarter / 4) - 1] for quarter in (1, 2, 3))
        factor = 1 / (third - first) if third > first else 2 / (copies[-1] - copies[0])
        expected[:, place] = clipped((column - median) * factor)

    if form == "array":
        found = encode(fit(X, ROBUST, weights=weights), X)
    elif form == "frame":
        found = encode(fit(pd.DataFrame(X), ROBUST, weights=weights), pd.DataFrame(X))
    elif form == "with gaps":
        each = None if weights is None else np.append(weights, 1.0)
        encoder = fit(np.vstack([X, np.full(3, np.nan)]), ROBUST, weights=each)
        found = encode(encoder, X)[:, ::2]
    elif form == "columns":
        table = pd.DataFrame(X).assign(word=["a", "b"] * 300)
        found = encode(fit(table, ROBUST, weights=weights), table)[:, :3]
    else:
        held = sparse.csr_array(X)
        encoder = fit(held, ROBUST, weights=weights)
        assert encoder.kind == "robust"
        found = encode(encoder, held)
    np.testing.assert_array_equal(found, expected)


def test_robust_numbers_are_learned_a_few_columns_at_a_time() -> None:
    X = np.random.default_rng(0).integers(0, 256, (200_000, 64), np.uint8)
    tracemalloc.start()
    try:
        fit(X, ROBUST)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.4 * 8 * X.size  # of all columns as float64


def test_robust_numbers_are_learned_of_the_training_rows_alone() -> None:
    X = np.random.default_rng(0).standard_cauchy((200, 20))
    rows = np.arange(0, 200, 3)
    changed = X.copy()
    changed[1] = 1e6

    np.testing.assert_array_equal(encode(fit(changed, ROBUST, rows=rows), X), encode(fit(X[rows], ROBUST), X))


def test_a_missing_robust_number_is_the_median() -> None:
    X = {"x": [1.0, None, 3.0, 8.0, 9.0]}

    assert encode(fit(X, ROBUST), X)[1].tolist() == [0, 1]
    assert encode(fit(np.arange(5.0)[:, np.newaxis], ROBUST), np.array([[np.nan], [2.0]])).tolist() == [[0], [0]]


def test_days_and_ratings_are_robust_too() -> None:
    table = random_table()
    encoder = fit(table, ROBUST)
    assert encoder.table is not None
    features = encode(encoder, table)

    for name, values in {
        "rating": np.array(table["rating"], float),
        "day": np.array([day.toordinal() for day in table["day"]], float),
    }.items():
        at = list(table).index(name)
        place = sum(one.n_features for one in encoder.table.columns[:at])
        first, median, third = np.sort(values)[[74, 149, 224]]
        np.testing.assert_allclose(features[:, place], clipped((values - median) / (third - first)), rtol=2e-7)


def test_features_that_are_0_or_1_stay_so() -> None:
    table = random_table()
    robust, usual = encode(fit(table, ROBUST), table), encode(fit(table, Form()), table)

    are_switches = np.isin(usual, (0, 1)).all(axis=0)
    assert are_switches.sum() == 1 + 4 + 3 + 12 + 7
    np.testing.assert_array_equal(robust[:, are_switches], usual[:, are_switches])


def test_pictures_and_sparse_rows_keep_their_one_scale() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (20, 4, 3), np.uint8)
    rows = sparse.random_array((50, 30), density=0.1, format="csr", random_state=0)
    for X in (pictures, rows):
        robust, usual = fit(X, RECIPE), fit(X, Form())
        assert robust.to_json() == usual.to_json()
        np.testing.assert_array_equal(encode(robust, X), encode(usual, X))
        assert (robust.numbers, robust.categories) == ((), ())


# --- codes ---


def test_a_category_of_many_values_is_one_code() -> None:
    encoder = fit({"c": WORDS[::-1], "x": range(9)}, CODES)

    codes = encode(encoder, {"c": [*WORDS, "never", None], "x": [0] * 11})[:, 0]
    assert codes.tolist() == [*range(9), -1, -1]
    assert encoder.categories == ((0, 9),)
    assert encoder.noticed(inputs_of({"c": ["v1", "never", None], "x": [0] * 3}))[0] == ("c", 1, 1)
    surprises = Surprises()
    list(encoder.encode_parts(inputs_of({"c": ["v1", "never", None], "x": [0] * 3}), surprises=surprises))
    assert surprises.unseen == {"column 'c'": 1}


def test_a_code_is_the_place_of_the_feature_that_the_category_would_have() -> None:
    values = [f"v{k}" for k in range(MANY)] * 3 + ["once", "twice", "twice", None]
    asked = {"c": ["v0", "v7", "once", "never", None, " v49 "]}
    one_hot, codes = encode(fit({"c": values}, Form()), asked), encode(fit({"c": values}, CODES), asked)

    assert one_hot.sum(axis=1).tolist() == [1] * 6
    np.testing.assert_array_equal(codes[:, 0], one_hot.argmax(axis=1))
    assert codes[2:5, 0].tolist() == [MANY, MANY, MANY + 1]
    assert fit({"c": values}, CODES).categories == ((0, MANY + 2),)


@pytest.mark.parametrize(
    ("n_values", "gap", "is_code"), [(8, [], False), (7, [None], False), (8, [None], True), (9, [], True)]
)
def test_a_category_of_up_to_8_features_keeps_them(n_values: int, gap: list[None], is_code: bool) -> None:
    encoder = fit({"c": [*WORDS[:n_values], *gap], "x": range(n_values + len(gap))}, CODES)

    assert encoder.categories == (((0, 9),) if is_code else ())
    assert encoder.n_features == (2 if is_code else n_values + len(gap) + 1)


def test_which_features_are_numbers_and_which_are_codes() -> None:
    encoder = fit(random_table(), RECIPE)
    assert encoder.table is not None

    names = dict(zip(random_table(), encoder.table._starts, strict=True))
    assert encoder.numbers == (names["x"], names["gaps"], names["rating"], names["day"])
    assert encoder.categories == ((names["many"], 12),)
    whats = {one["column"]: one["encoded"] for one in encoder.described()}
    assert whats["many"] == "1 feature: its code; a vector is learned for each value"
    assert whats["few"] == "3 features"


def test_a_time_of_day_that_is_always_the_same_date_and_a_gap_alone_are_no_numbers() -> None:
    numbers = fit({"t": ["14:30", "14:30", None] * 9, "x": [None, None, None] * 9, "c": ["a", "b", "a"] * 9}, RECIPE)
    assert numbers.numbers == ()


def test_codes_are_the_same_whatever_the_order_of_the_rows() -> None:
    table = random_table()
    order = np.random.default_rng(1).permutation(300)
    shuffled = {name: [values[row] for row in order] for name, values in table.items()}

    assert fit(shuffled, RECIPE).to_json() == fit(table, RECIPE).to_json()
    np.testing.assert_array_equal(encode(fit(table, RECIPE), table)[order], encode(fit(table, RECIPE), shuffled))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 40), most=st.integers(1, 9))
def test_rows_are_encoded_alike_alone_in_parts_and_among_others(seed: int, n: int, most: int) -> None:
    table = random_table(n, seed)
    encoder = fit(table, RECIPE)
    expected = encode(encoder, table)

    parts = list(encoder.encode_parts(inputs_of(table), most))
    assert all(isinstance(part, Features) and len(part) <= most for part in parts)
    np.testing.assert_array_equal(np.concatenate([part.values for part in parts]), expected)


# --- dense rows ---


def test_rows_of_a_category_of_many_are_dense_where_the_network_takes_no_others() -> None:
    rng = np.random.default_rng(0)
    table = {"c": [f"v{k}" for k in rng.integers(0, 300, 5000)], "x": rng.normal(size=5000)}
    usual, dense = fit(table, Form()), fit(table, Form(is_dense=True))

    assert isinstance(usual.encode(inputs_of(table)), SparseFeatures)
    assert isinstance(dense.encode(inputs_of(table)), Features)
    np.testing.assert_array_equal(encode(dense, table), encode(usual, table))
    assert len(list(dense.encode_parts(inputs_of(table)))) == 1


@pytest.mark.parametrize("most_rows", [7, 1 << 30])
def test_sparse_rows_become_dense_where_the_network_takes_no_others(most_rows: int) -> None:
    X = sparse.random_array((200, 900), density=0.01, format="csr", random_state=0)
    encoder = fit(X, Form(is_dense=True))
    expected = encode(fit(X, Form()), X)

    np.testing.assert_array_equal(encode(encoder, X), expected)
    for rows in (X, X.toarray()):
        parts = list(encoder.encode_parts(as_inputs(rows), most_rows))
        assert all(isinstance(part, Features) for part in parts)
        np.testing.assert_array_equal(np.concatenate([part.values for part in parts]), expected)


def test_rows_that_can_not_fit_as_dense_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    X = sparse.random_array((200, 900), density=0.01, format="csr", random_state=0)
    encoder = fit(X, Form(is_dense=True))
    monkeypatch.setattr(memory, "memory_bytes", lambda: 4 * 200 * 900 - 1)
    with pytest.raises(InputError) as caught:
        encoder.encode(as_inputs(X))
    assert str(caught.value).startswith("200 rows of 900 features need 720,000 bytes as the float32 array that the net")


# --- in a file ---

MIXED = fit(random_table(), RECIPE)
PLACES = {name: place for place, name in enumerate(random_table())}
PLAIN = fit(np.random.default_rng(0).standard_cauchy((50, 3)), ROBUST)


@pytest.mark.parametrize("encoder", [MIXED, PLAIN], ids=["columns", "robust"])
def test_it_survives_json(encoder: FeatureEncoder) -> None:
    value = json.loads(json.dumps(encoder.to_json()))
    again = FeatureEncoder.from_json(value, encoder.tensors(), is_dense=encoder.is_dense)

    assert again.to_json() == encoder.to_json()
    assert again.table == encoder.table
    assert (again.numbers, again.categories, again.is_dense) == (encoder.numbers, encoder.categories, encoder.is_dense)
    X: Any = random_table() if encoder is MIXED else np.array([[1.0, -5.0, np.nan]])
    np.testing.assert_array_equal(encode(again, X), encode(encoder, X))


def forged(name: str, drop: tuple[str, ...] = (), **fields: Any) -> Any:
    value = json.loads(json.dumps(MIXED.to_json()))
    column = value["table"]["columns"][PLACES[name]]
    for key in drop:
        del column[key]
    column |= fields
    return value


@pytest.mark.parametrize(
    ("value", "tensors"),
    [
        (forged("gaps", inverse_range=-1.0), {}),
        (forged("gaps", inverse_range="1"), {}),
        (forged("gaps", inverse_range=math.inf), {}),
        (forged("gaps", median=None), {}),
        (forged("gaps", mean=1.0), {}),
        (forged("gaps", ("inverse_range",)), {}),
        (forged("gaps", ("inverse_range",), inverse_spread=1.0), {}),
        (forged("day", inverse_range=-1.0), {}),
        (forged("day", inverse_range=None), {}),
        (forged("day", median=math.nan), {}),
        (forged("day", ("median",), mean=1.0), {}),
        (forged("many", values=["b", "a"]), {}),
        (forged("many", values=[str(k) for k in range(100_000, 150_001)]), {}),
        (forged("many", values=[], missing=0), {}),
        (forged("many", rare=-1), {}),
        (forged("many", missing=None), {}),
        (forged("many", more=1), {}),
        (forged("many", ("rare",)), {}),
        (MIXED.to_json() | {"table": MIXED.to_json()["table"] | {"is_sparse": True}}, {}),
        (PLAIN.to_json(), {}),
        (PLAIN.to_json(), {"encoder.mean": np.ones(3), "encoder.inverse_spread": np.ones(3)}),
        (PLAIN.to_json(), PLAIN.tensors() | {"encoder.mean": np.ones(3)}),
        (PLAIN.to_json(), PLAIN.tensors() | {"encoder.median": np.ones(4)}),
        (PLAIN.to_json(), PLAIN.tensors() | {"encoder.median": np.full(3, np.inf)}),
        (PLAIN.to_json(), PLAIN.tensors() | {"encoder.inverse_range": np.full(3, -1.0)}),
        (PLAIN.to_json(), PLAIN.tensors() | {"encoder.inverse_range": np.ones(3, np.float32)}),
        (PLAIN.to_json() | {"kind": "standard"}, PLAIN.tensors()),
    ],
)
def test_json_that_describes_no_encoder_is_refused(value: Any, tensors: Any) -> None:
    with pytest.raises(InputError, match=r"^(encoder|encoding|tensor)"):
        FeatureEncoder.from_json(value, tensors, is_dense=True)
