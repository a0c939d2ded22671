from __future__ import annotations

import decimal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fromlogits.data.arrow import ArrowTable, _length_of_views
from fromlogits.data.columns import refuse_unusable
from fromlogits.data.sources import read
from fromlogits.data.table import Column
from fromlogits.errors import EngineUnavailableError, InputError

pa = pytest.importorskip("pyarrow")

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(columns: dict[str, Any], name: str = "t.arrow", batch: int = 2, **options: Any) -> Path:
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        opened = pa.ipc.new_stream if name.endswith(".arrows") else pa.ipc.new_file
        with opened(str(tmp_path / name), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as file:
            file.write_table(table, max_chunksize=batch)
        return tmp_path / name

    return write


def column(path: Path, name: str = "x") -> Column:
    return ArrowTable(path).read([name]).columns[0]


def listed(column: Column) -> list[Any]:
    """The values, None where there is none."""
    missing = np.zeros(len(column.values), bool) if column.missing is None else column.missing
    return [None if gone else value for value, gone in zip(column.values.tolist(), missing, strict=True)]


INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("name", ["t.arrow", "t.feather", "t.ipc", "t.arrows", "T.ARROW"])
def test_files_and_streams_are_read_packed_or_not(write: Write, name: str, compression: str | None) -> None:
    texts = [f"text {row}" for row in range(7)]
    path = write({"x": list(range(7)), "y": texts}, name, compression=compression)
    dataset = read(path, target="y")

    assert listed(column(path)) == list(range(7))
    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == texts
    assert dataset.origin.where(3) == f"row 3 of {name}"


@pytest.mark.parametrize("kind", [*INTEGERS, "float16", "float32", "float64"])
def test_numbers_keep_their_type(write: Write, kind: str) -> None:
    values = np.arange(5).astype(kind)
    found = column(write({"x": pa.array(values)}))

    assert found.values.dtype == kind
    assert found.missing is None
    assert found.values.tolist() == values.tolist()


@pytest.mark.parametrize("kind", [*INTEGERS, "float32", "float64"])
def test_a_null_is_a_missing_number_and_changes_no_other(write: Write, kind: str) -> None:
    arrow = pa.array([3, None, 5, 2**53 - 1 if "64" in kind else 100], getattr(pa, kind)())
    found = column(write({"x": arrow}))

    assert found.values.dtype == kind
    assert listed(found) == [3, None, 5, 2**53 - 1 if "64" in kind else 100]


def test_nan_is_a_missing_number(write: Write) -> None:
    found = column(write({"x": [1.0, float("nan"), None, 4.0, 5.0]}))

    assert listed(found) == [1.0, None, None, 4.0, 5.0]


def test_true_and_false_are_bool(write: Write) -> None:
    found = column(write({"x": [True, None, False]}))

    assert found.values.dtype == bool
    assert listed(found) == [True, None, False]


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_texts_of_all_kinds_are_read(write: Write, kind: str) -> None:
    texts = ["a", None, "", "é", "longer than a view has room for", "\0"]

    assert listed(column(write({"x": pa.array(texts, getattr(pa, kind)())}, batch=4))) == texts


@pytest.mark.parametrize("name", ["t.arrow", "t.arrows"])
def test_a_dictionary_is_the_values_it_stands_for(write: Write, name: str) -> None:
    for values in (["b", None, "a", "b", "c"], [2.5, None, 1.5, 2.5, 7.0], [None, None, None]):
        kind = pa.float64() if 2.5 in values else pa.string()
        path = write({"x": pa.array(values, kind).dictionary_encode()}, name)
        assert listed(column(path)) == values


def test_a_dictionary_may_hold_the_missing_value_itself(write: Write) -> None:
    held = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), pa.array([None, "a"]))

    assert listed(column(write({"x": held}))) == [None, "a", None, None]


def test_decimals_are_rounded_once_and_long_integers_are_none(write: Write) -> None:
    texts = ["0.10", "-12345678901234567.89", None]
    exact = [None if text is None else decimal.Decimal(text) for text in texts]
    for kind in (pa.decimal128(20, 2), pa.decimal256(60, 2)):
        assert listed(column(write({"x": pa.array(exact, kind)}))) == [0.1, -12345678901234567.89, None]
    whole = pa.array([decimal.Decimal(7), decimal.Decimal(8), decimal.Decimal(2**53 + 1)], pa.decimal128(20, 0))
    assert listed(column(write({"x": whole}))) == ["7", "8", str(2**53 + 1)]


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (pa.array([19727], pa.date32()), "dates, such as 2024-01-05"),
        (pa.array([0], pa.timestamp("ms")), "dates, such as 1970-01-01 00:00:00.000"),
        (pa.array([0], pa.timestamp("s", "Asia/Kathmandu")), "dates, such as 1970-01-01 00:00:00Z"),
        (pa.array([0], pa.timestamp("s", "no such zone")), "dates, such as 1970-01-01 00:00:00Z"),
        (pa.array([61], pa.time32("s")), "times, such as 00:01:01"),
        (pa.array([61], pa.duration("s")), "times, such as 61"),
        (pa.array([19727], pa.date32()).dictionary_encode(), "dates, such as 2024-01-05"),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_dates_and_times_are_named(write: Write, values: Any, what: str) -> None:
    table = ArrowTable(write({"x": values})).read(["x"])

    with pytest.raises(InputError) as caught:
        refuse_unusable(table)

    expected = f"column 'x' must hold numbers; it holds {what} at row 0 of t.arrow. --ignore x leaves it out."
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([[1, 2]]), "list<"),
        (pa.array([{"p": 1}]), "struct<p: int64>"),
        (pa.array([[(1, 2)]], pa.map_(pa.int8(), pa.int8())), "map<int8, int8>"),
        (pa.array([b"x"]), "binary"),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "month_day_nano_interval"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_column_that_is_nested_or_binary_is_refused_by_name_and_may_be_left_out(
    write: Write, values: Any, kind: str
) -> None:
    path = write({"x": values, "y": [1.5] * len(values)})
    with pytest.raises(InputError) as caught:
        ArrowTable(path).read(["x", "y"])

    assert str(caught.value).startswith(f"t.arrow: column 'x' must hold one number or text a row; its type is {kind}")
    assert str(caught.value).endswith("--ignore x leaves it out.")
    assert listed(column(path, "y")) == [1.5] * len(values)


def test_a_column_of_the_type_null_is_empty(write: Write) -> None:
    assert listed(column(write({"x": pa.nulls(3)}))) == [None, None, None]


def test_names_that_repeat_are_refused(write: Write) -> None:
    with pytest.raises(InputError, match=r"^t\.arrow: column names must differ; found 'x' more than once\.$"):
        ArrowTable(write(pa.table([[1], [2], [3]], names=["x", "y", "x"])))


@pytest.mark.parametrize("name", ["t.arrow", "t.arrows"])
def test_a_file_without_rows_is_refused(write: Write, name: str) -> None:
    with pytest.raises(InputError, match=r"^t\.arrows? has no rows\.$"):
        column(write({"x": pa.array([], pa.int8())}, name))


def test_what_is_no_arrow_file_is_refused(tmp_path: Path) -> None:
    for content, what in {
        b"": "it is empty",
        b"x,y\n1,2\n": "it does not start as one",
        b"PAR1....": "it looks like a Parquet file",
        b"FEA1....": "it is Feather of version 1; write it again with a pyarrow of today",
    }.items():
        (tmp_path / "t.feather").write_bytes(content)
        with pytest.raises(InputError) as caught:
            ArrowTable(tmp_path / "t.feather")
        assert str(caught.value) == f"t.feather must be an Arrow file; {what}."


@pytest.mark.parametrize("name", ["t.arrow", "t.arrows"])
def test_no_beginning_of_a_file_is_accepted(write: Write, tmp_path: Path, name: str) -> None:
    whole = write({"x": list(range(50)), "y": ["a"] * 50}, name, batch=20).read_bytes()
    path = tmp_path / f"cut-{name}"
    for length in range(8, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="is cut off"):
            ArrowTable(path).read(["x", "y"])


def test_text_that_is_no_utf8_is_refused(write: Write) -> None:
    path = write({"x": ["abcdefgh", "b"]})
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abc\xffefgh"))
    with pytest.raises(InputError, match=r"^t\.arrow can't be read as Arrow: it is cut off or damaged\.$"):
        column(path)


def test_rows_that_the_bytes_cannot_hold_are_not_believed(write: Write) -> None:
    n = 0x1234567
    path = write({"x": pa.nulls(n)}, batch=n)  # a column of the type null takes no bytes, whatever it promises
    content = path.read_bytes()
    assert content.count(n.to_bytes(8, "little")) >= 2
    path.write_bytes(content.replace(n.to_bytes(8, "little"), (2**40).to_bytes(8, "little")))
    with pytest.raises(InputError, match=r"^t\.arrow is damaged: [0-9,]+ bytes can't hold 1,099,511,627,776 rows\.$"):
        column(path)


def test_a_long_text_in_a_dictionary_is_one_object_however_often_it_is_named(write: Write) -> None:
    n = 100_000
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), pa.array(["x" * 1_000_000]))  # 100 GB
    values = column(write({"x": long}, batch=n)).values

    assert all(value is values[0] for value in values)


def test_views_that_all_show_one_long_text_are_not_unpacked(write: Write) -> None:
    n = 30_000
    view = np.zeros((n, 4), np.int32)
    view[:, 0] = 1_000_000
    view[:, 1] = int.from_bytes(b"xxxx", "little")
    text = pa.py_buffer(b"x" * 1_000_000)
    try:
        views = pa.Array.from_buffers(pa.string_view(), n, [None, pa.py_buffer(view.tobytes()), text])  # 30 GB
    except ValueError:
        pytest.skip("this pyarrow builds no views from buffers")
    with pytest.raises(InputError, match=r"^t\.arrow repeats a text until it has 30,000,000,000 bytes: too much"):
        column(write({"x": views}, batch=n))


def test_without_pyarrow_the_extra_is_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write({"x": [1]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EngineUnavailableError) as caught:
        ArrowTable(path)

    assert str(caught.value) == (
        "t.arrow: Arrow files need pyarrow, which is not installed; install it by `pip install 'fromlogits[arrow]'`."
    )


def test_views_are_measured_in_a_buffer_that_a_damaged_file_makes_longer_by_some_bytes() -> None:
    views = b"".join(len(text).to_bytes(4, "little") + text.ljust(12, b"\0") for text in (b"a", b"four", b"seven"))
    array = pa.Array.from_buffers(pa.string_view(), 3, [None, pa.py_buffer(views + b"..")])

    assert _length_of_views(array, None) == 10
    assert _length_of_views(array.slice(1, 1), None) == 4
