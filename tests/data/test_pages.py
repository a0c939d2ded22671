from __future__ import annotations

import numpy as np
import pytest

from fromlogits.data import pages
from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.origin import Origin
from fromlogits.data.table import Column, Table

N = 1 << 20


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_released_memory_goes_back_and_the_rest_of_the_array_stays() -> None:
    array = pages.zeros(N, np.float64)
    array[:] = np.arange(N)
    before = resident_bytes()

    pages.release(array[100:], 0, N // 2)

    assert before - resident_bytes() > 0.9 * 8 * N / 2
    np.testing.assert_array_equal(array[:100], np.arange(100))
    np.testing.assert_array_equal(array[100 + N // 2 :], np.arange(100 + N // 2, N))


@pytest.mark.parametrize("array", [np.arange(N), np.arange(10), pages.zeros(10, "float64"), pages.zeros(N, object)])
def test_arrays_of_others_are_left_alone(array: np.ndarray) -> None:
    before = array.copy()
    pages.release(array, 0, len(array))
    np.testing.assert_array_equal(array, before)


def test_rows_that_are_used_up_are_encoded_as_others_and_leave_memory() -> None:
    def table() -> Table:
        columns = []
        for number in range(4):
            values = pages.zeros(N // 4, np.float64)
            values[:] = np.random.default_rng(number).normal(size=N // 4)
            columns.append(Column(f"x{number}", values))
        return Table(tuple(columns), N // 4, Origin())

    kept, spent = table(), table()
    encoder = FeatureEncoder.fit(kept)
    expected = encoder.encode(kept).values
    found = encoder.encode(spent, use_up=True).values
    np.testing.assert_array_equal(found, expected)
    assert not spent.columns[0].values[:1000].any()
    parts = np.concatenate([part.values for part in encoder.encode_parts(kept)])
    np.testing.assert_array_equal(parts, expected)


def test_columns_of_many_kinds_are_used_up_too() -> None:
    n = 1 << 20

    def table() -> Table:
        rng = np.random.default_rng(5)
        numbers, missing = pages.zeros(n, np.float64), pages.zeros(n, bool)
        numbers[:], missing[:] = rng.normal(size=n), rng.random(n) < 0.1
        colours = np.array(["red", "green", "blue"], object)[rng.integers(0, 3, n)]
        days = np.array(
            [f"2024-{month:02}-{day:02}" for month, day in rng.integers(1, 28, (n, 2)) % [12, 28] + 1], object
        )
        columns = Column("gap", numbers, missing), Column("colour", colours), Column("day", days)
        return Table(columns, n, Origin())

    kept, spent = table(), table()
    encoder = FeatureEncoder.fit(kept)
    assert encoder.kind == "columns"
    expected = encoder.encode(kept).values

    found = encoder.encode(spent, use_up=True).values

    np.testing.assert_array_equal(found, expected)
    assert not spent["gap"].values.any()
    assert not spent["gap"].is_missing.any()
    assert set(spent["colour"].values) == set(spent["day"].values) == {None}
