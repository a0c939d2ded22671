"""Tables whose columns are of several kinds: what is found out about them, and how they are encoded."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fromlogits.data import kinds as columns_kinds
from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.encodings.category import MANY
from fromlogits.data.encodings.levels import Levels
from fromlogits.data.encodings.moment import seconds_of
from fromlogits.data.encodings.table import ENCODINGS
from fromlogits.data.features import Features, SparseFeatures
from fromlogits.data.form import Form
from fromlogits.data.inputs import as_inputs
from fromlogits.data.sources import read
from fromlogits.data.texts import canonical
from fromlogits.errors import InputError

COLOURS = ["red", "green", "blue"]


def fit(columns: Any, **options: Any) -> FeatureEncoder:
    return FeatureEncoder.fit(as_inputs(pl.DataFrame(columns) if isinstance(columns, dict) else columns), **options)


def encode(encoder: FeatureEncoder, columns: Any) -> NDArray[Any]:
    encoded = encoder.encode(as_inputs(pl.DataFrame(columns) if isinstance(columns, dict) else columns))
    return encoded.dense() if isinstance(encoded, SparseFeatures) else encoded.values


def kinds(encoder: FeatureEncoder) -> list[str]:
    assert encoder.table is not None
    return [one.kind for one in encoder.table.columns]


# --- each kind ---


def test_a_number_with_missing_values_is_the_median_and_a_feature_that_says_so() -> None:
    X = {"x": [1.0, None, 3.0, 8.0, None]}
    encoder = fit(X)

    mean, spread = 4.0, math.sqrt((9 + 1 + 16) / 3)
    expected = [[(x - mean) / spread, gap] for x, gap in ((1, 0), (3, 1), (3, 0), (8, 0), (3, 1))]
    np.testing.assert_allclose(encode(encoder, X), expected, rtol=1e-6)
    assert encoder.noticed(as_inputs(pl.DataFrame(X))) == [("x", 2, 0)]


def test_missing_values_of_an_array_are_nan() -> None:
    X = np.array([[1.0, 5.0], [np.nan, 6.0], [3.0, 7.0], [8.0, 9.0]])
    encoder = fit(X)

    np.testing.assert_array_equal(encode(encoder, X), encode(encoder, X.astype(np.float32)))
    assert encode(encoder, X).shape == (4, 3)
    assert encode(encoder, X)[:, 1].tolist() == [0, 1, 0, 0]
    np.testing.assert_array_equal(encode(encoder, X), encode(fit(pl.DataFrame(X.tolist(), orient="row")), X))


def test_a_value_missing_at_prediction_only_is_the_median_or_the_mean() -> None:
    X = {"x": [1.0, 2.0, 9.0], "c": ["a", "b", "a"]}

    assert encode(fit(X), {"x": [None], "c": ["a"]})[0, 0] == encode(fit(X), {"x": [2.0], "c": ["a"]})[0, 0]
    numbers = np.array([[1.0], [2.0], [9.0]])
    assert encode(fit(numbers), np.array([[np.nan], [4.0]])).tolist() == [[0.0], [0.0]]
    assert fit(numbers).noticed(as_inputs(np.array([[np.nan], [4.0]]))) == [("0", 1, 0)]


def test_a_category_has_a_feature_for_each_value_and_none_for_others() -> None:
    encoder = fit({"c": ["b", "a", "c", "a"]})

    assert encode(encoder, {"c": ["a", "b", "c", "d", None]}).tolist() == [
        [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0],
    ]  # fmt: skip
    assert encoder.noticed(as_inputs(pl.DataFrame({"c": ["a", "b", "c", "d", None]}))) == [("c", 1, 1)]


def test_missing_categories_have_a_bucket_where_the_training_had_some() -> None:
    encoder = fit({"c": ["b", "a", None, ""]})

    assert encode(encoder, {"c": ["a", "b", None, " "]}).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_rare_values_of_a_category_of_many_share_a_bucket_with_unseen_ones() -> None:
    values = [f"v{k}" for k in range(MANY)] * 3 + ["once", "twice", "twice"]
    encoder = fit({"c": values})

    assert encoder.n_features == MANY + 1
    rows = encode(encoder, {"c": ["once", "twice", "never", "v0"]})
    assert rows.sum(axis=1).tolist() == [1, 1, 1, 1]
    assert rows[:, MANY].tolist() == [1, 1, 1, 0]


def test_a_category_of_many_values_is_encoded_sparse_with_the_bits_of_the_dense() -> None:
    rng = np.random.default_rng(0)
    X: dict[str, Any] = {"c": [f"v{k}" for k in rng.integers(0, 300, 5000)], "x": rng.normal(size=5000)}
    encoder = fit(X)
    encoded = encoder.encode(as_inputs(pl.DataFrame(X)))

    assert isinstance(encoded, SparseFeatures)
    assert len(encoded.values) <= 2 * 5000
    parts = list(encoder.encode_parts(as_inputs(pl.DataFrame(X))))
    assert all(isinstance(part, SparseFeatures) for part in parts)
    one = encode(encoder, {"c": X["c"][7:8], "x": X["x"][7:8]})
    np.testing.assert_array_equal(one[0], encoded.dense()[7])


def test_a_whole_number_of_few_values_is_a_number_and_a_category() -> None:
    rating = [1, 2, 3, 5] * 30
    encoder = fit({"r": rating})

    assert kinds(encoder) == ["levels"]
    rows = encode(encoder, {"r": [1, 2, 3, 5, 4]})
    values = np.array([1, 2, 3, 5, 4])
    np.testing.assert_allclose(rows[:, 0], (values - 2.75) / np.std(rating), rtol=1e-6)
    np.testing.assert_array_equal(rows[:, 1:], np.vstack([np.eye(4), np.zeros(4)]))
    for plain in ({"r": rating[:50]}, {"r": [1, 2] * 60}, {"r": [0.5, 1, 2] * 40}, {"r": [1, 2, 3] * 40 + [9]}):
        assert fit(plain).kind == "standard"
    assert fit({"r": rating}, numeric=("r",)).kind == "standard"


HOUSES = np.random.default_rng(1).integers(0, 60, 900) * 7 + 1000
BUYS = np.random.default_rng(2).integers(0, 3, 9000)[HOUSES]


@pytest.mark.parametrize("has_codes", [False, True])
def test_a_number_whose_values_matter_one_by_one_is_a_number_and_a_category(has_codes: bool) -> None:
    X = {"house": HOUSES, "age": np.sin(np.arange(900))}
    encoder = fit(X, targets=BUYS, form=Form(has_codes=has_codes))

    assert kinds(encoder) == ["levels", "number"] and encoder.table is not None
    assert encoder.table.columns[0].what == "whole number of 60 values"
    assert encoder.notes == ("house: single values say more there than their order, so each is learned by itself",)
    rows = encode(encoder, {"house": [1000, 1007, 1001, 1413], "age": [0.0] * 4})
    as_numbers = fit({"house": HOUSES}, targets=BUYS, numeric=("house",))
    np.testing.assert_array_equal(rows[:, :1], encode(as_numbers, {"house": [1000, 1007, 1001, 1413]}))
    codes = [0, 1, -1, 59]
    if has_codes:
        assert encoder.table.categories == ((1, 60),)
        assert rows[:, 1].tolist() == codes and rows.shape == (4, 3)
    else:
        assert encoder.table.categories == ()
        np.testing.assert_array_equal(rows[:, 1:-1], np.array([np.arange(60) == code for code in codes]))

    assert fit({"house": HOUSES}, targets=np.arange(900) % 3).kind == "standard"
    assert fit({"house": HOUSES}).kind == "standard"  # nobody knows what its values come to
    many = np.arange(900) // 2  # too few rows for each
    assert fit({"house": many}, targets=(many * 7919 % 13 < 6).astype(int)).kind == "standard"


@pytest.mark.parametrize("has_codes", [False, True])
def test_of_such_a_number_rare_missing_and_unseen_values_are_told_apart(has_codes: bool) -> None:
    house: list[Any] = HOUSES.tolist()
    house[:4], house[4:6], house[6] = [None] * 4, [5, 5], 6
    encoder = fit({"house": house}, targets=BUYS, form=Form(has_codes=has_codes))
    later = {"house": [None, 5, 77777, 1000]}
    rows = encode(encoder, later)

    assert encoder.table is not None and encoder.table.columns[0].n_missing == 4
    of_value = rows[:, 2:]
    if has_codes:
        assert of_value.tolist() == [[-1], [60], [60], [0]]
    else:
        np.testing.assert_array_equal(of_value, np.array([np.arange(61) == code for code in (-1, 60, 60, 0)]))
    assert rows[:, 1].tolist() == [1, 0, 0, 0]
    told = json.loads(json.dumps(encoder.to_json()))
    again = FeatureEncoder.from_json(told, encoder.tensors())
    assert again.table == encoder.table
    np.testing.assert_array_equal(encode(again, later), rows)
    told["table"]["columns"][0]["category"]["missing"] = 1
    with pytest.raises(InputError, match="of its category none may be missing"):
        FeatureEncoder.from_json(told, encoder.tensors())


def test_values_that_nobody_asked_for_are_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    X = {"a": HOUSES, "b": HOUSES + 3, "c": HOUSES * 2}
    monkeypatch.setattr(columns_kinds, "MOST_ALL_CODES", 130)
    assert kinds(fit(X, targets=BUYS)) == ["levels", "levels", "number"]
    monkeypatch.setattr(columns_kinds, "MAX_COLUMNS", 2)
    assert fit(X, targets=BUYS).kind == "standard"


def test_among_many_columns_that_say_nothing_none_is_learned_by_its_values() -> None:
    rng = np.random.default_rng(0)
    X = {f"x{k}": rng.integers(0, 30, 200) for k in range(400)}
    assert fit(X, targets=rng.integers(0, 2, 200)).kind == "standard"


def test_dates_are_how_long_ago_and_where_in_the_year_the_month_and_the_week() -> None:
    days = [datetime.date(2023, 1, 2) + datetime.timedelta(days=k) for k in range(400)]
    encoder = fit({"d": days})
    rows = encode(encoder, {"d": days})

    assert kinds(encoder) == ["moment"]
    assert rows.shape == (400, 1 + 2 + 2 + 7)
    np.testing.assert_allclose(rows[:, 0], (np.arange(400) - 199.5) / np.std(np.arange(400)), rtol=1e-6)
    year = np.array([day.timetuple().tm_yday - 1 for day in days]) * 2 * np.pi / 366
    np.testing.assert_allclose(rows[:, 1:3], np.stack([np.sin(year), np.cos(year)], 1), atol=1e-6)
    month = np.array([day.day - 1 for day in days]) * 2 * np.pi / 31
    np.testing.assert_allclose(rows[:, 3:5], np.stack([np.sin(month), np.cos(month)], 1), atol=1e-6)
    np.testing.assert_array_equal(rows[:, 5:].argmax(axis=1), [day.weekday() for day in days])


def test_only_the_parts_of_a_moment_that_differ_are_features() -> None:
    noons = [datetime.datetime(2024, 3, 4, hour, 30) for hour in range(24)]
    encoder = fit({"t": noons})

    assert encoder.table is not None
    assert encoder.table.columns[0].to_json()["parts"] == ["when", "day"]
    angle = (np.arange(24) + 0.5) * 2 * np.pi / 24
    np.testing.assert_allclose(encode(encoder, {"t": noons})[:, 1], np.sin(angle), atol=1e-6)
    times = fit({"t": [noon.time() for noon in noons]})
    np.testing.assert_array_equal(encode(times, {"t": [noon.time() for noon in noons]}), encode(encoder, {"t": noons}))


@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))
def test_a_moment_is_the_same_however_it_is_written(moment: datetime.datetime) -> None:
    seconds = (moment - datetime.datetime(1970, 1, 1)).total_seconds()

    assert seconds_of(moment, is_time=False) == seconds
    assert seconds_of(moment.isoformat(), is_time=False) == seconds
    assert seconds_of(str(moment), is_time=False) == seconds
    assert seconds_of(pd.Timestamp(moment) if 1700 < moment.year < 2200 else moment, is_time=False) == seconds
    if 1 < moment.year < 9999:
        zone = datetime.timezone(datetime.timedelta(hours=5, minutes=45))
        aware = moment.replace(tzinfo=datetime.UTC).astimezone(zone)
        assert seconds_of(aware, is_time=False) == seconds_of(aware.isoformat(), is_time=False) == seconds


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()))
def test_the_text_of_a_value_stands_for_itself(value: Any) -> None:
    text = canonical(value)

    assert text is None or canonical(text) == text


def test_one_value_has_one_text_in_every_source() -> None:
    one = (1, 1.0, "1", " 1 ", "1.0", "1e0", np.float32(1), np.int8(1), True)
    assert {canonical(value) for value in one} == {"1"}
    assert {canonical(value) for value in ("0.1", 0.1, np.float32(0.1))} == {"0.1"}
    assert [canonical(text) for text in ("01", "1x", " a b ", "", "  ")] == ["01", "1x", "a b", None, None]


# --- what is found out ---


def test_whole_numbers_that_span_the_rows_and_are_not_all_different_are_numbers() -> None:
    n = 200
    encoder = fit({"count": [0, n - 1, *(37 * k % 150 for k in range(n - 2))], "x": [k * 0.37 for k in range(n)]})

    assert encoder.schema.names == ("count", "x")


def test_columns_that_say_nothing_or_name_the_row_are_left_out_with_a_word() -> None:
    n = 60
    words = ["some", "words", "that", "nobody", "else", "has", "written", "here", "before"]
    encoder = fit(
        {
            "key": list(range(100, 100 + n)), "code": [f"A{k:03}" for k in range(n)], "same": ["x"] * n, "one": [7] * n,
            "empty": [None] * n, "text": [" ".join([*words[k % 9 :], str(k)]) for k in range(n)],
            "gone": [None, *[3] * (n - 1)], "colour": [COLOURS[k % 3] for k in range(n)],
        }
    )  # fmt: skip

    assert encoder.schema.left_out == {
        "key": "identifier", "code": "identifier", "same": "constant", "one": "constant", "empty": "empty",
        "text": "text",
    }  # fmt: skip
    assert encoder.schema.names == ("gone", "colour")
    assert len(encoder.warnings) == 1
    assert encoder.warnings[0].startswith("left out: key, code, as they have a different value in nearly every row")
    assert encoder.notes == (
        "left out: empty (no value in the training rows)",
        "left out: same, one (the same value in every training row)",
        "left out: text (free text, which can't be learned from yet)",
    )


def test_what_the_user_or_the_source_says_overrules() -> None:
    n = 40
    keys = list(range(n))

    assert fit({"key": keys, "x": [0.5, 1.5] * 20}, numeric=("key",)).schema.names == ("key", "x")
    assert kinds(fit({"key": [k // 2 for k in keys]}, categorical=("key",))) == ["category"]
    frame = pd.DataFrame({"size": pd.Categorical([1, 2] * 20)})
    assert kinds(fit(frame)) == ["category"]
    assert kinds(fit(pl.DataFrame({"size": pl.Series(["a", "b"] * 20, dtype=pl.Enum(["a", "b"]))}))) == ["category"]


def test_what_can_not_be_as_it_is_told_is_refused_or_left_out_with_a_word() -> None:
    n = 120
    columns = {"x": np.sin(np.arange(n)), "code": [f"A{k:03}" for k in range(n)]}

    assert fit(columns, categorical=("code",)).schema.left_out == {"code": "rare"}
    with pytest.raises(InputError, match=r"^column 'd' must hold numbers; it holds dates, such as 2024-01-01 at row 0"):
        fit({"d": [datetime.date(2024, 1, 1 + k) for k in range(28)]}, numeric=("d",))


def test_a_table_of_numbers_keeps_its_width_and_bits() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=50), np.full(50, 3.0), rng.random(50) < 0.5])
    frame = pd.DataFrame(X, columns=list("abc"))

    assert fit(frame).kind == "standard"
    np.testing.assert_array_equal(encode(fit(frame), frame), encode(fit(X), X))


def test_a_column_that_gives_the_target_away_is_warned_of_by_name() -> None:
    y = np.arange(60) % 3
    X = {"answer": [COLOURS[k] for k in y], "x": np.sin(np.arange(60)), "near": [*y[:-1].tolist(), 0]}

    assert [words.split(" gives")[0] for words in fit(X, targets=y).warnings] == ["column 'answer'"]
    labels = np.stack([y == 0, y == 1], axis=1).astype(np.float32)
    flags = {"x": X["x"], "flag": (y != 1).astype(float)}
    assert [words.split(" gives")[0] for words in fit(flags, targets=labels).warnings] == ["column 'flag'"]


def test_a_category_that_was_asked_for_and_has_rare_values_alone_is_warned_of(tmp_path: Path) -> None:
    names = [f"n{row // 2}" for row in range(120)]
    frame = pd.DataFrame({"x": np.sin(np.arange(120)), "name": names})

    said = "so there is nothing to learn from"
    assert fit(frame).notes == ("left out: name (no value that three training rows share)",)
    typed = fit(frame.astype({"name": "category"}))
    assert (typed.notes, typed.schema.left_out) == ((), {"name": "rare"})
    assert typed.warnings == (
        f"left out: name, though the categorical type asks for it: no value stands in three training rows, {said}",
    )
    frame.assign(y=0).to_csv(tmp_path / "t.csv", index=False)
    told = FeatureEncoder.fit(rows_of(tmp_path / "t.csv"), categorical=("name",))
    assert told.warnings == (
        f"left out: name, though --categorical name asks for it: no value stands in three training rows, {said}",
    )
    frame.iloc[[0, 1, 2, 3], 1] = "often"
    kept = fit(frame.astype({"name": "category"}))
    assert (kept.warnings, kept.schema.left_out) == ((), {})


def test_lists_are_refused_with_their_row() -> None:
    with pytest.raises(InputError, match=r"column 'x' must hold numbers or texts; row 1 has \[1\], a list\."):
        fit(pd.DataFrame({"x": ["a", [1]]}))


def test_names_are_one_line_whatever_they_are() -> None:
    with pytest.raises(InputError) as caught:
        fit({"a\nb": ["x"], "": ["x"], " c": ["x"], "d": ["x"]})

    assert str(caught.value) == (
        "there is no column to learn from; left out: 'a\\nb', '', ' c', d (the same value in every training row)."
    )


# --- later data ---


def test_columns_are_found_by_name_and_left_out_ones_may_be_absent() -> None:
    X: dict[str, Any] = {"c": ["a", "b"] * 20, "x": np.sin(np.arange(40)), "same": [1] * 40}
    encoder = fit(X)

    assert encoder.schema.left_out == {"same": "constant"}
    shuffled = {"new": [1, 2], "x": X["x"][:2], "c": X["c"][:2]}
    np.testing.assert_array_equal(encode(encoder, shuffled), encode(encoder, X)[:2])
    assert encoder.encode_with_notes(as_inputs(pl.DataFrame(X)))[1] == ()
    with pytest.raises(InputError, match=r"column 'c' is missing: the model was trained with it\."):
        encode(encoder, {"x": [1.0]})


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ({"x": ["much"], "c": ["a"], "d": ["2024-01-01"]}, "column 'x' must hold numbers; row 0 has 'much', which is"),
        ({"x": [math.inf], "c": ["a"], "d": ["2024-01-01"]}, "column 'x' must hold finite numbers; row 0 has infinity"),
        ({"x": [1e300], "c": ["a"], "d": ["2024-01-01"]}, "column 'x', row 0: the value lies so far from the training"),
        (
            {"x": [1.0], "c": ["a"], "d": pl.Series([[1]], dtype=pl.Object)},
            "column 'd' must hold dates as in 2024-01-31",
        ),
        (
            {"x": [1.0], "c": ["a"], "d": ["soon"]},
            "column 'd' must hold dates as in 2024-01-31 or 2024-01-31 14:30:00;",
        ),
        ({"x": [1.0], "c": ["a"], "d": [20240101]}, "column 'd' must hold dates as in 2024-01-31 or"),
    ],
)
def test_a_column_of_another_kind_is_refused_by_name(later: Any, expected: str) -> None:
    days = [f"2024-01-{day:02}" for day in range(1, 29)]
    encoder = fit({"x": np.sin(np.arange(28)), "c": ["a", "b"] * 14, "d": days})

    for use in (encode, lambda encoder, later: list(encoder.encode_parts(as_inputs(pl.DataFrame(later))))):
        with pytest.raises(InputError) as caught:
            use(encoder, later)
        assert str(caught.value).startswith(expected)
    if "far" not in expected:
        with pytest.raises(InputError) as caught:
            encoder.noticed(as_inputs(pl.DataFrame(later)))
        assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (
            {"x": [1.0, math.inf]},
            "column 'x' must hold finite numbers; row 1 has infinity. Put NaN or None there where",
        ),
        ({"x": ["1", "abc"]}, "column 'x' must hold numbers; row 1 has 'abc', which is not a number. Put NaN or None"),
        ({"x": ["a", "b", "c", "d"]}, "column 'x' must hold numbers; row 0 has 'a', which is not a number. The model"),
        ({"on": ["yes", "perhaps"]}, "column 'on' must hold yes and no; row 1 has 'perhaps'. Put NaN or None there"),
        (
            {"on": ["perhaps", "1"]},
            "column 'on' must hold yes and no; row 0 has 'perhaps'. Put NaN or None there where",
        ),
        ({"x": ["yes", "7"]}, "column 'x' must hold numbers; row 0 has 'yes', which is not a number. Put NaN or None"),
    ],
)
def test_what_a_model_refuses_comes_with_what_to_do(later: dict[str, Any], expected: str) -> None:
    encoder = fit({"x": [*np.sin(np.arange(29)), None], "on": [row % 3 == 0 for row in range(30)]})
    n = len(next(iter(later.values())))
    for use in (encoder.encode, encoder.noticed):
        with pytest.raises(InputError) as caught:
            use(as_inputs(pl.DataFrame({"x": [1.0] * n, "on": [True] * n, **later})))
        assert str(caught.value).startswith(expected)


WORDS = [("yes", "no"), ("True", "False"), ("T", "F"), (" Y", "n ")]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("other", [{}, {"c": ["a", "b", "b"] * 20}], ids=["numbers alone", "a category beside"])
@pytest.mark.parametrize("has_gap", [False, True])
def test_yes_and_no_are_one_as_words_and_as_booleans(
    words: tuple[str, str], library: Any, other: dict[str, list[str]], has_gap: bool
) -> None:
    is_on: list[bool | None] = [row % 3 == 0 for row in range(60)]
    texts: list[str | None] = [words[0] if on else words[1] for on in is_on]
    if has_gap:
        is_on[7] = texts[7] = None
    x = np.sin(np.arange(60))
    typed, worded = library({"x": x, "on": is_on, **other}), library({"x": x, "on": texts, **other})
    yes, no = (word.strip() for word in words)

    of_booleans, of_words = fit(typed), fit(worded)
    np.testing.assert_array_equal(encode(of_booleans, worded), encode(of_booleans, typed))
    np.testing.assert_array_equal(encode(of_words, typed), encode(of_words, worded))
    said = of_booleans.conversions(as_inputs(worded))
    assert said == (f"column 'on' was read as {yes!r} = 1 and {no!r} = 0, as the model learned it",)
    assert of_booleans.encode_with_notes(as_inputs(worded))[1] == said
    said = of_words.conversions(as_inputs(typed))
    assert said == (f"column 'on' was read as True = {yes!r} and False = {no!r}, as the model learned it",)
    assert of_words.noticed(as_inputs(typed)) == of_words.noticed(as_inputs(worded))
    assert of_booleans.conversions(as_inputs(typed)) == of_words.conversions(as_inputs(worded)) == ()


def test_booleans_are_not_read_as_words_of_which_there_are_others() -> None:
    encoder = fit({"x": np.sin(np.arange(60)), "on": ["yes", "no", "maybe"] * 20})
    frame = as_inputs(pl.DataFrame({"x": [0.0, 1.0], "on": [True, False]}))

    assert encoder.conversions(frame) == ()
    assert encoder.noticed(frame)[1] == ("on", 0, 2)


def test_numbers_and_texts_of_one_value_are_one_category() -> None:
    encoder = fit({"c": ["1", "2", "x"] * 5})

    np.testing.assert_array_equal(encode(encoder, {"c": [1, 2]}), encode(encoder, {"c": ["1", "2.0"]}))


# --- the same from every source ---


def rows_of(path: Path) -> Any:
    return read(path, target="y").features


@pytest.mark.usefixtures("open_database")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 90), gaps=st.floats(0, 0.4))
def test_every_source_gives_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, gaps: float
) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(seed)
    start = datetime.datetime(2024, 1, 1)
    columns: dict[str, list[Any]] = {
        "x": rng.normal(size=n).round(3).tolist(),
        "r": rng.integers(0, 5, n).tolist(),
        "c": [f"{COLOURS[k]} one" for k in rng.integers(0, 3, n)],
        "b": (rng.random(n) < 0.5).tolist(),
        "t": [start + datetime.timedelta(minutes=int(k)) for k in rng.integers(0, 10**6, n)],
    }
    columns = {
        name: [None if gap else value for value, gap in zip(values, rng.random(n) < gaps, strict=True)]
        for name, values in columns.items()
    }
    if any(all(value is None for value in values) for values in columns.values()):
        return
    y = (np.arange(n) % 2).tolist()
    folder = tmp_path_factory.mktemp("sources")
    frame = pl.DataFrame(columns)
    frame.with_columns(y=pl.Series(y)).write_csv(folder / "t.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    pq.write_table(frame.with_columns(y=pl.Series(y)).to_arrow(), folder / "t.parquet")
    sources: dict[str, Callable[[], Any]] = {
        "polars": lambda: as_inputs(frame),
        "pandas": lambda: as_inputs(pd.DataFrame(columns)),
        "arrow": lambda: as_inputs(pa.table(columns)),
        "csv": lambda: rows_of(folder / "t.csv"),
        "parquet": lambda: rows_of(folder / "t.parquet"),
    }
    try:
        first = FeatureEncoder.fit(sources["polars"]())
    except InputError as error:
        assert "no column to learn from" in str(error)
        return
    expected = encode(first, frame)
    for name, source in sources.items():
        encoder = FeatureEncoder.fit(source())
        assert encoder.to_json() == first.to_json(), name
        encoded = encoder.encode(source())
        found = encoded.dense() if isinstance(encoded, SparseFeatures) else encoded.values
        np.testing.assert_array_equal(found, expected, err_msg=name)
    for row in range(0, n, 7):
        [part] = list(first.encode_parts(as_inputs(frame[row : row + 1])))
        one = part.dense() if isinstance(part, SparseFeatures) else part.values
        np.testing.assert_array_equal(one[0], expected[row])


# --- in a file ---

MIXED = fit(
    {
        "x": [1.5, None, 2.0, 5.0] * 30, "r": [1, 2, 3, 4] * 30, "c": [*COLOURS, None] * 30,
        "d": [datetime.date(2024, 1 + k % 12, 3) for k in range(120)],
    }
)  # fmt: skip


def test_it_survives_json() -> None:
    again = FeatureEncoder.from_json(json.loads(json.dumps(MIXED.to_json())), MIXED.tensors())

    assert again.to_json() == MIXED.to_json()
    assert sorted(kinds(again)) == sorted(ENCODINGS.keys() - {"code"})
    assert again.table == MIXED.table


def forged(place: int, **fields: Any) -> Any:
    value = json.loads(json.dumps(MIXED.to_json()))
    value["table"]["columns"][place] |= fields
    return value


@pytest.mark.parametrize(
    "value",
    [
        forged(0, mean="1"),
        forged(0, mean=math.inf),
        forged(0, inverse_spread=-1.0),
        forged(0, median=None),
        forged(0, missing=-1),
        forged(0, missing=True),
        forged(0, is_boolean=1),
        forged(0, more=1),
        forged(0, kind="embedding"),
        forged(0, kind=["number"]),
        forged(1, number={}),
        forged(1, values=["b", "a"]),
        forged(2, values=["a", "a"]),
        forged(2, values="abc"),
        forged(2, values=[1]),
        forged(2, values=[], missing=0),
        forged(2, values=[str(k) for k in range(100_000, 150_001)]),
        forged(2, values=["x" * 4_000_001]),
        forged(2, rare=-1),
        forged(2, rare=1.5),
        forged(3, parts=["year", "when"]),
        forged(3, parts=["century"]),
        forged(3, parts=[], missing=0),
        forged(3, parts="when"),
        forged(3, is_time=None),
        forged(3, mean=math.nan),
        forged(3, inverse_spread=-1.0),
        MIXED.to_json() | {"table": None},
        MIXED.to_json() | {"table": {"is_sparse": 1, "columns": []}},
        MIXED.to_json() | {"table": {"is_sparse": False, "columns": []}},
        MIXED.to_json() | {"table": {"is_sparse": False, "columns": [None] * 4}},
        MIXED.to_json() | {"kind": "standard"},
        {key: value for key, value in MIXED.to_json().items() if key != "table"},
        MIXED.to_json() | {"schema": MIXED.to_json()["schema"] | {"left_out": {"q": "boredom"}}},
        MIXED.to_json() | {"schema": MIXED.to_json()["schema"] | {"left_out": ["q"]}},
    ],
)
def test_json_that_describes_no_encoding_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"^(encoder|encoding|schema)"):
        FeatureEncoder.from_json(value, MIXED.tensors())


def test_a_schema_of_the_first_files_is_read() -> None:
    encoder = fit(np.eye(3))
    value = encoder.to_json()
    del value["schema"]["left_out"]

    assert FeatureEncoder.from_json(value, encoder.tensors()).schema == encoder.schema


def test_features_are_dense_where_most_are_not_zero() -> None:
    assert isinstance(
        MIXED.encode(as_inputs(pl.DataFrame({"x": [1.0], "r": [1], "c": ["red"], "d": ["2024-01-03"]}))), Features
    )
    assert isinstance(MIXED.table.columns[1], Levels) if MIXED.table else False
