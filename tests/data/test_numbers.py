from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fromlogits.data.numbers import number_fault
from fromlogits.data.reading import Reading
from fromlogits.data.tables import TextTable


@pytest.mark.parametrize(
    "text",
    ["0", "-0", "1", "+1", " 1 ", "\t1", "1.", ".5", "-.5", "0.5", "00.5"[1:], "1e5", "1E-5", "1.5e+300", "1e-400",
     "9007199254740991", "-9007199254740991", "9007199254740993.0", "1e300"],
)  # fmt: skip
def test_these_are_numbers(text: str) -> None:
    assert number_fault(text) == ""
    float(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ", which is not a number"),
        ("one", ", which is not a number"),
        ("1_000", ", which is not a number"),
        ("0x1F", ", which is not a number"),
        ("1 000", ", which is not a number"),
        ("--1", ", which is not a number"),
        ("1e", ", which is not a number"),
        (".", ", which is not a number"),
        ("٣", ", which is not a number"),
        ("1\xa0", ", which is not a number"),
        ("nan", ", which is not a finite number"),
        ("+NaN", ", which is not a finite number"),
        ("Inf", ", which is not a finite number"),
        ("-infinity", ", which is not a finite number"),
        ("1e400", ", which float64 can only hold as infinity"),
        ("01", ", which has a leading zero: a code, not a number"),
        ("-007.5", ", which has a leading zero: a code, not a number"),
        ("00", ", which has a leading zero: a code, not a number"),
        ("1,5", "; --decimal , says that a comma stands before decimals"),
        ("9007199254740992", ", an integer too long for float64, which is exact below 2^53"),
        ("-" + "9" * 5000, ", which float64 can only hold as infinity"),
    ],
)
def test_these_are_not_and_it_is_said_why(text: str, fault: str) -> None:
    assert number_fault(text) == fault


NEARLY_NUMBERS = st.one_of(
    st.text("0123456789+-.eE_ \t", min_size=1, max_size=8),
    st.from_regex(r"\A[ \t]?[+-]?[0-9]{0,20}\.?[0-9]{0,3}([eE][+-]?[0-9]{1,3})?[ \t]?\Z"),
    st.sampled_from(["nan", "inf", "-Infinity", "1e400", "0x10", "NULL", "1,5", "9007199254740992"]),
    st.floats().map(repr),
    st.integers(-(2**70), 2**70).map(str),
)


@pytest.mark.usefixtures("open_database")
@given(texts=st.lists(NEARLY_NUMBERS.filter(lambda text: text.strip() != ""), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_the_table_reader_follows_the_same_rule(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = Path(tmp_path_factory.mktemp("numbers") / "t.csv")
    path.write_text("x;y\n" + "".join(f"{text};1\n" for text in texts), newline="")
    column = TextTable(path, Reading(decimal=".")).read(["x"])["x"]

    assert column.missing is None
    if any(number_fault(text) for text in texts):
        assert column.values.tolist() == texts
    else:
        assert column.values.tolist() == [float(text) for text in texts]
        assert all(map(math.isfinite, column.values))


@pytest.mark.usefixtures("open_database")
@given(texts=st.lists(NEARLY_NUMBERS.filter(lambda text: text.strip() != ""), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_with_a_comma_before_decimals_the_rule_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    with_commas = [text.translate(str.maketrans(".,", ",.")) for text in texts]
    path = Path(tmp_path_factory.mktemp("numbers") / "t.csv")
    path.write_text("x;y\n" + "".join(f"{text};1\n" for text in with_commas), newline="")
    column = TextTable(path, Reading(decimal=",")).read(["x"])["x"]

    if any(number_fault(text) for text in texts):
        assert column.values.tolist() == with_commas
    else:
        assert column.values.tolist() == [float(text) for text in texts]
