from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fromlogits.data.groups_and_times import as_groups, as_times
from fromlogits.errors import InputError


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["a", "b", "a"], [0, 1, 0]),
        ([1, "1", 1], [0, 1, 0]),
        (np.array([5, 5, 2]), [0, 0, 1]),
        (np.array(["u", "v", "u"]), [0, 1, 0]),
        (pd.Series(["x", "x", "y"], dtype="category"), [0, 0, 1]),
        (pl.Series([7, 7, 9]), [0, 0, 1]),
        (pd.DataFrame({"patient": ["x", "y", "x"]}), [0, 1, 0]),
        ([datetime.date(2026, 1, 1), datetime.date(2026, 1, 2), datetime.date(2026, 1, 1)], [0, 1, 0]),
    ],
)
def test_equal_values_are_one_group(groups: Any, expected: list[int]) -> None:
    assert as_groups(groups, 3).tolist() == expected


@pytest.mark.parametrize(
    "times",
    [
        [1, 2.5, 3],
        ["1", "2", "10"],
        np.array([-5, 0, 2**62]),
        ["2026-01-31", "2026-02-01", "2026-02-01T00:00:01"],
        ["2026-01-01T10:00+02:00", "2026-01-01T09:00Z", "2026-01-01T10:00Z"],
        np.array(["2019", "2020", "2021"], "datetime64[Y]"),
        pd.Series(pd.to_datetime(["2020-01-01", "2020-06-01", "2021-01-01"])),
        pl.Series(["2020-01-01", "2020-06-01", "2021-01-01"]).str.to_date(),
        [datetime.date(1969, 1, 1), datetime.datetime(1969, 1, 1, 1), datetime.datetime(1970, 1, 1)],
    ],
)
def test_times_grow(times: Any) -> None:
    assert (np.diff(as_times(times, 3)) > 0).all()


def test_equal_times_are_equal_however_they_are_written() -> None:
    assert len(set(as_times(["2026-01-01", "2026-01-01T00:00", "2026-01-01 00:00:00.000"], 3).tolist())) == 1


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (["2026-11-27", "27.11.2026", "2026-11-28"], "must hold numbers or dates such as 2026-11-27 or"),
        ([1, None, 3], "must be known in every row; row 1 has none (1 of 3 rows have none)"),
        ([1, np.nan, 3], "must be known in every row"),
        (["1", "2", "inf"], "row 2 has 'inf'"),
        (np.array([1.0, np.inf, 2.0]), "must hold finite numbers; row 1 has 'inf'"),
        (["1", "2020-01-01", "10"], "must hold one kind of time"),
        (["2026-01-01T10:00Z", "2026-01-01T10:00", "2026-01-01T11:00Z"], "must hold one kind of time"),
        ([True, False, True], "row 0 has 'True'"),
        ([1, 2], "must name the time of each of the 3 rows; got shape (2,)"),
        ([{}, 1, 2], "row 0 has a dict"),
    ],
)
def test_what_is_no_time_is_refused(times: Any, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        as_times(times, 3)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (["a", None, "b"], "groups must be known in every row; row 1 has none"),
        (["a", " ", "b"], "groups must be known in every row; row 1 has none"),
        (pd.Series(["x", None, "y"]), "groups must be known in every row; row 1 has none"),
        ([[1], [2], [3]], "groups must name the group of each of the 3 rows; got shape (3, 1)"),
        ([{}, "a", "b"], "row 0 has a dict"),
        (["a", [1, 2], [3]], "row 1 has a list"),
    ],
)
def test_what_is_no_group_is_refused(groups: Any, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        as_groups(groups, 3)
