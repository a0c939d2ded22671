"""What is found out about a text file, and what the user may say instead."""

from __future__ import annotations

import gzip
import io
import os
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fromlogits.data import packed
from fromlogits.data.arrival import arrive
from fromlogits.data.reading import Reading
from fromlogits.data.sources import Dataset, read
from fromlogits.data.table import Table
from fromlogits.data.tables import TextTable
from fromlogits.errors import InputError
from tests.data.given import Write, writer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return writer(tmp_path, "t.csv")


def columns(path: Path, **said: Any) -> tuple[dict[str, list[Any]], tuple[str, ...]]:
    """Values by column, None where missing; and the notes."""
    file = TextTable(path, Reading.of_options(**said))
    table = file.read(file.names)
    return values_of(table), file.notes


def values_of(table: Table) -> dict[str, list[Any]]:
    found = {}
    for column in table.columns:
        values = column.values.tolist()
        if column.missing is not None:
            values = [None if gone else value for value, gone in zip(values, column.missing, strict=True)]
        found[column.name] = values
    return found


def refusal(path: Path, **said: Any) -> str:
    with pytest.raises(InputError) as caught:
        columns(path, **said)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- header ---


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,virginica\n", ["column_1", "column_2", "column_3"]),
        ("T,2,8,3,5,1,8\nI,5,12,3,7,2,10\n", [f"column_{number}" for number in range(1, 8)]),
        ("0,0,1\n1,2,3\n", ["column_1", "column_2", "column_3"]),
        ("-1,x\n2,y\n", ["column_1", "column_2"]),
        ("01234;1,5\n04321;2\n", ["column_1", "column_2"]),
    ],
)
def test_a_first_line_of_data_is_no_header_and_it_is_said(write: Write, content: str, names: list[str]) -> None:
    found, notes = columns(write(content))

    assert list(found) == names
    assert [len(values) for values in found.values()] == [2] * len(names)
    assert any("line 1 holds data" in note for note in notes)


@pytest.mark.parametrize("header", ["0,1,2", "1,2,3", "2019,2020,2021", "name,2019,2020", "x1,x2,x3", "nan,inf,e"])
def test_names_that_look_like_numbers_are_names_where_they_run_through(write: Write, header: str) -> None:
    found, notes = columns(write(f"{header}\n1,2,3\n4,5,6\n"))

    assert list(found) == header.split(",")
    assert notes == ()


def test_a_first_line_that_may_be_either_is_asked_about(write: Write) -> None:
    path = write("7,3,9\n1,2,3\n")

    assert refusal(path) == (
        "t.csv line 1 must hold the column names; it may hold data, such as '7'. Say --header names or --header none."
    )
    assert columns(path, header="names")[0] == {"7": [1], "3": [2], "9": [3]}
    assert columns(path, header="none")[0] == {"column_1": [7, 1], "column_2": [3, 2], "column_3": [9, 3]}


def test_the_first_row_of_a_file_without_names_is_looked_at_like_any_other(write: Write) -> None:
    found, _ = columns(write("01234,0.5,1_0\n5,6,7\n"))

    assert found == {"column_1": ["01234", "5"], "column_2": [0.5, 6.0], "column_3": ["1_0", "7"]}


def test_lines_are_counted_from_the_first_row_where_there_are_no_names(write: Write) -> None:
    file = TextTable(write("1.5,a\n2.5,b\n"))
    file.read(file.names)

    assert [file.origin.line(row) for row in (0, 1)] == [1, 2]


def test_repeated_and_empty_names_are_numbered_on_request(write: Write) -> None:
    found, notes = columns(write("a,a,,a_2,\n1,2,3,4,5\n"), header="mend")

    assert found == {"a": [1], "a_3": [2], "column_3": [3], "a_2": [4], "column_5": [5]}
    assert notes == ("t.csv: repeated and empty column names were numbered (3)",)


# --- separators and quotes ---


@pytest.mark.parametrize(("sign", "word"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_a_separator_is_found_and_said(write: Write, sign: str, word: str) -> None:
    found, notes = columns(write(f"x{sign}y\n1{sign}a\n2{sign}b\n"))

    assert found == {"x": [1, 2], "y": ["a", "b"]}
    assert notes == (f"t.csv: the delimiter is a {word}",)


@pytest.mark.parametrize("sign", ["^", " ", "~", ":", "#", "'tab'"])
def test_any_other_separator_can_be_said(write: Write, sign: str) -> None:
    sign = sign.strip("'") if len(sign) > 1 else sign
    between = "\t" if sign == "tab" else sign
    found, notes = columns(write(f"x{between}y\n01{between}a\n2{between}b\n"), separator=sign)

    assert found == {"x": ["01", "2"], "y": ["a", "b"]}
    assert notes == ()


def test_a_comma_can_be_said_where_another_sign_is_more_frequent(write: Write) -> None:
    path = write("a;b;c,y\n1,2\n")

    assert columns(path, separator=",")[0] == {"a;b;c": [1], "y": [2]}


def test_two_separators_that_may_both_be_one_are_asked_about(write: Write) -> None:
    path = write("01234;1,5\n04321;2,5\n")

    assert refusal(path) == (
        "t.csv line 1: values may be separated by a comma or by a semicolon. Say which, as in --separator comma."
    )
    assert columns(path, separator="semicolon")[0] == {"column_1": ["01234", "04321"], "column_2": [1.5, 2.5]}


def test_single_quotes_are_found_and_said(write: Write) -> None:
    found, notes = columns(write("'x','y'\n'1','it''s, well'\n2,'b'\n"))

    assert found == {"x": [1, 2], "y": ["it's, well", "b"]}
    assert notes == ("t.csv: values are quoted by '",)


def test_quotes_can_mean_nothing(write: Write) -> None:
    path = write('size,kind\n5",pipe\n"6,rod\n')

    assert refusal(path) == (
        "t.csv line 3, column 'size': the quote that opens this value is never closed. Close it, or add --quote none if"
        " quotes mean nothing in this file."
    )
    assert columns(path, quote="none")[0] == {"size": ['5"', '"6'], "kind": ["pipe", "rod"]}


# --- decimal comma ---


def test_a_decimal_comma_is_found_and_said(write: Write) -> None:
    found, notes = columns(write("x;y;n\n1,5;-0,25;3\n;2,5e3;4\n2;7;5\n"))

    assert found == {"x": [1.5, None, 2.0], "y": [-0.25, 2500.0, 7.0], "n": [3, 4, 5]}
    assert notes[1:] == ("t.csv: a comma stands before decimals, in x, y",)


def test_a_comma_that_may_be_one_of_thousands_is_not_taken_for_decimals(write: Write) -> None:
    path = write("x;y\n1,500;2\n12,250;3\n")

    assert columns(path)[0]["x"] == ["1,500", "12,250"]
    assert columns(path, decimal=",")[0]["x"] == [1.5, 12.25]
    assert columns(write("x;y\n1,500;2,5\n12,250;3\n"))[0]["x"] == [1.5, 12.25]  # the other column decides


def test_a_point_is_no_decimal_sign_where_the_comma_is_one(write: Write) -> None:
    path = write("x;y\n1.500;2,5\n2.000;3\n")

    assert refusal(path) == (
        "t.csv: one sign must stand before decimals; column 'y' has commas, column 'x' points. Say which it is:"
        " --decimal , or --decimal ."
    )
    assert columns(path, decimal=",")[0] == {"x": ["1.500", "2.000"], "y": [2.5, 3.0]}
    assert columns(path, decimal=".")[0] == {"x": [1.5, 2.0], "y": ["2,5", "3"]}


@pytest.mark.parametrize("value", ["1,", ",", "1,5,0", "1.000,5", "01,5", "1,5 EUR"])
def test_one_value_that_is_no_such_number_keeps_the_column_text(write: Write, value: str) -> None:
    assert columns(write(f"x;y\n1,5;2\n{value};3\n"))[0]["x"] == ["1,5", value]


# --- booleans, codes, words for nothing ---


def test_words_for_yes_and_no_are_one_mapping_which_is_shown(write: Write) -> None:
    found, notes = columns(write("x,y\nyes,1\nNo,2\nTRUE,3\n,4\n0,5\n t,6\n"))

    assert found["x"] == [True, False, True, None, False, True]
    assert notes == ("t.csv: column 'x' was read as 'yes', 'TRUE', 't' = 1 and 'No', '0' = 0",)


@pytest.mark.parametrize("values", [["T", "N", "F"], ["yes", "no", "maybe"], ["true", "2"], ["on", "off"]])
def test_what_may_be_more_than_yes_and_no_stays_text(write: Write, values: list[str]) -> None:
    found, notes = columns(write("x,y\n" + "".join(f"{value},1\n" for value in values)))

    assert found["x"] == values
    assert notes == ()


def test_codes_are_read_as_numbers_on_request(write: Write) -> None:
    path = write("zip,n,y\n01234,9007199254740993,1\n00007,1,2\n")

    assert columns(path)[0]["zip"] == ["01234", "00007"]
    found, notes = columns(path, numeric=("zip", "n"))
    assert found == {"zip": [1234, 7], "n": [9007199254740992.0, 1.0], "y": [1, 2]}
    assert notes == ("t.csv: codes were read as numbers, as told: zip, n",)
    assert columns(write("x,y\n01,1\n1_0,2\n"), numeric=("x",))[0]["x"] == ["01", "1_0"]


def test_na_is_a_word_unless_it_is_said_to_stand_for_nothing(write: Write) -> None:
    path = write("country,x\nNA,1\nDE,NA\n?,2\n")

    assert columns(path)[0] == {"country": ["NA", "DE", "?"], "x": ["1", "NA", "2"]}
    assert columns(path, missing=("NA", "?"))[0] == {"country": [None, "DE", None], "x": [1, None, 2]}


# --- encodings ---


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-be", "shift_jis", "gb18030"])
def test_text_in_another_encoding_is_read_when_it_is_said(write: Write, encoding: str) -> None:
    word = "größe" if encoding in ("latin-1", "cp1252", "utf-16", "utf-16-be") else "大小"
    path = write(f"{word},y\n1,{word}\n2,b\n".encode(encoding))

    dataset = read(path, target="y", reading=Reading.of_options(encoding=encoding))

    assert dataset.feature_names == (word,)
    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == [word, "b"]


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 5])
def test_a_character_may_lie_across_the_end_of_a_chunk(
    write: Write, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr("fromlogits.data.files.CHUNK_BYTES", chunk_bytes)
    path = write("x,y\n1,größe\n2,b\n".encode("utf-16"))

    dataset = read(path, target="y", reading=Reading.of_options(encoding="utf-16"))

    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["größe", "b"]


def test_the_digest_is_of_the_bytes_as_stored_in_every_encoding_and_packing(write: Write) -> None:
    import hashlib

    text = "x,y\n1,é\n2,b\n"
    for content, name, encoding in (
        (text.encode("latin-1"), "t.csv", "latin-1"),
        (gzip.compress(text.encode("latin-1")), "t.csv.gz", "latin-1"),
        (zstd.compress(text.encode()), "t.csv.zst", None),
    ):
        dataset = read(write(content, name), target="y", reading=Reading.of_options(encoding=encoding))
        assert dataset.digest == hashlib.sha256(content).hexdigest()
        assert dataset.targets is not None
        assert dataset.targets.values.tolist() == ["é", "b"]


def test_bytes_that_are_not_of_the_encoding_are_refused_with_their_place(write: Write) -> None:
    path = write(b"x,y\n1,a\n2,\xff\xff\xff\n")

    with pytest.raises(InputError) as caught:
        read(path, target="y", reading=Reading.of_options(encoding="shift_jis"))

    assert str(caught.value) == (
        "t.csv is not shift_jis text: the byte at offset 10 is 0xff (illegal multibyte sequence). Is --encoding right?"
    )


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            {"encoding": "latin1x"},
            "--encoding must be a name that Python knows, such as utf-8, utf-16, latin-1, cp1252,",
        ),
        ({"encoding": "base64"}, "--encoding must name an encoding of text; 'base64' is none."),
        ({"separator": "ab"}, "--separator must be one character that is no letter and no digit, or 'tab'; got 'ab'."),
        ({"separator": '"'}, "--separator can't be '\"'."),
        ({"quote": "x"}, "--quote must be one character that is no letter and no digit, or 'tab'; got 'x'."),
        ({"decimal": ";"}, "--decimal must be . or ,; got ';'."),
        ({"header": "name"}, "--header must be one of names, none, mend; got 'name'. Did you mean 'names'?"),
        ({"form": "cvs"}, "--format must be one of csv, tsv, jsonl, "),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_by_name(said: dict[str, str], line: str) -> None:
    with pytest.raises(InputError) as caught:
        Reading.of_options(**said)  # type: ignore[arg-type]

    assert str(caught.value).startswith(line)


# --- packed files ---


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_zstandard_is_read_as_gzip_is(write: Write, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int) -> None:
    monkeypatch.setattr("fromlogits.data.files.CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(packed, "CHUNK_BYTES", chunk_bytes)
    content = zstd.compress(b"x,y\n1,a\n") + zstd.compress(b"2,b\n")

    assert columns(write(content, "t.csv.zst"))[0] == {"x": [1, 2], "y": ["a", "b"]}


def test_damaged_zstandard_is_refused(write: Write) -> None:
    options: Any = {zstd.CompressionParameter.checksum_flag: 1}
    whole = zstd.compress(b"x,y\n" + b"1,a\n" * 1000, options=options)
    lines = {
        "t.csv.zst is cut off: its zstd data ends too early. Copy it again.": whole[:-3],
        "t.csv.zst is damaged: its zstd data can't be read. Copy it again.": whole[:-1] + bytes([whole[-1] ^ 1]),
        "t.csv.zst must be a Zstandard file, as its name says; it looks like a gzip file.": gzip.compress(b"x"),
        "t.csv.zst is empty; it must be a Zstandard file.": b"",
    }
    for line, content in lines.items():
        assert refusal(write(content, "t.csv.zst")) == line


def test_a_window_of_a_gigabyte_is_not_taken_memory_for(write: Write) -> None:
    options: Any = {
        zstd.CompressionParameter.window_log: 30,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=options)
    content = compressor.compress(b"x,y\n" + b"1,a\n" * 1000) + compressor.flush()

    assert refusal(write(content, "t.csv.zst")) == "t.csv.zst is damaged: its zstd data can't be read. Copy it again."


# --- standard input and pipes ---


def from_stdin(content: bytes, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Dataset:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    return read("-", **options)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_a_table_comes_through_standard_input(
    monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dataset = from_stdin(pack(b"x,y\n1,a\n2,b\n3,a\n"), monkeypatch, target="y")

    assert isinstance(dataset.features, Table)
    assert values_of(dataset.features) == {"x": [1, 2, 3]}
    assert dataset.origin.where(1) == "standard input line 3"
    assert len(os.listdir(tmp_path)) == 1
    del dataset
    assert os.listdir(tmp_path) == []


def test_an_archive_comes_through_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, X=np.eye(3), y=np.arange(3))

    dataset = from_stdin(buffer.getvalue(), monkeypatch)

    np.testing.assert_array_equal(dataset.features.values, np.eye(3))  # type: ignore[union-attr]


def test_a_fault_in_standard_input_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {
        b"": "standard input is empty; it must hold a line of column names and rows below it.",
        b"x,y\n1,a\n2\n": (
            "standard input line 3: every row must have 2 values, as many as line 1 has names; found 1: they end with"
            " column 'x'. An empty value keeps its delimiter."
        ),
        b"\x00\x00\x08\x03\x00": (
            "standard input looks like an IDX file, whose labels stand in a second file; name both files instead."
        ),
        b"x,y\n1,\xe9\n": (
            "standard input must be UTF-8 text; the byte at offset 6 is 0xe9."
            " Say what it is, as in --encoding cp1252 (Windows, and nearly Latin-1)."
        ),
    }
    for content, line in lines.items():
        with pytest.raises(InputError) as caught:
            from_stdin(content, monkeypatch, target="y")
        assert str(caught.value) == line


def test_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="standard input is closed"):
        read("-", target="y")


def test_a_named_pipe_is_read_once_and_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"x,y\n1,a\n2,b\n",))
    writer.start()
    arrived = arrive(path, Reading())
    writer.join()

    assert arrived.form == "csv"
    assert columns(arrived.path)[0] == {"x": [1, 2], "y": ["a", "b"]}


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("t.csv.gz", gzip.compress(b"x,y\n1,a\n2,b\n", mtime=0), "csv"),
        ("t.csv.zst", zstd.compress(b"x,y\n1,a\n2,b\n"), "csv"),
        ("t.svm", b"1 1:1\n2 1:2\n", "svmlight"),
        ("t.jsonl", b'\xef\xbb\xbf{"x": 1, "y": "a"}\n{"x": 2, "y": "b"}\n', "jsonl"),
    ],
)
def test_a_named_pipe_has_the_form_and_the_packing_of_its_name(
    tmp_path: Path, name: str, content: bytes, form: str
) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    arrived = arrive(path, Reading())
    writer.join()

    assert arrived.form == form
    assert len(read(arrived.path, target="y" if form != "svmlight" else None)) == 2


def test_json_lines_with_a_byte_order_mark_are_known_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(from_stdin(b'\xef\xbb\xbf{"x": 1, "y": "a"}\n{"x": 2, "y": "b"}\n', monkeypatch, target="y")) == 2


def test_a_form_can_be_said_for_any_name(write: Write) -> None:
    path = write("x,y\n1,a\n2,b\n", "iris.data")

    assert len(read(path, target="y", reading=Reading.of_options(form="csv"))) == 2
    with pytest.raises(InputError, match=r"^iris\.data: the form of a file is known by its name"):
        read(path, target="y")


# --- what is said of columns, in a source with types of its own ---


def test_codes_and_words_of_typed_files_are_read_as_told_and_it_is_said(write: Write) -> None:
    path = write('{"zip": "01234", "x": "NA", "y": "a"}\n{"zip": "00007", "x": "2", "y": "b"}\n', "t.jsonl")
    reading = Reading.of_options(numeric=("zip", "x"), missing=("NA",))

    dataset = read(path, target="y", reading=reading)

    assert isinstance(dataset.features, Table)
    assert values_of(dataset.features) == {"zip": [1234, 7], "x": [None, 2]}
    assert dataset.notes == (
        "t.jsonl: codes were read as numbers, as told: zip, x",
        "t.jsonl: 'NA' stands for a missing value, as told",
    )


def test_words_for_nothing_are_said_of_a_text_table_too(write: Write) -> None:
    dataset = read(write("x,y\nNA,a\n1,b\n"), target="y", reading=Reading.of_options(missing=("NA", "?")))

    assert dataset.notes == ("t.csv: 'NA', '?' stand for a missing value, as told",)


# --- limits, and files that change ---


def test_a_table_of_a_million_columns_is_refused_before_its_rows_are_read(write: Write) -> None:
    path = write(",".join(f"c{number}" for number in range(1_000_000)) + "\n")

    assert refusal(path) == (
        "t.csv: a text table may have 50,000 columns; line 1 has 1,000,000 values. .npz takes more."
    )


def test_a_file_that_grows_while_it_is_read_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("x,y\n1,a\n2,b\n")
    whole = TextTable.read

    def and_grow(self: TextTable, *arguments: Any, **keywords: Any) -> Table:
        table = whole(self, *arguments, **keywords)
        with path.open("a") as file:
            file.write("3,c\n")
        return table

    monkeypatch.setattr(TextTable, "read", and_grow)
    with pytest.raises(InputError, match=r"^t\.csv changed while it was read; try again"):
        read(path, target="y")


# --- all of it together: nothing is read otherwise than Python's csv module reads it ---


@pytest.mark.parametrize("seed", range(6))
def test_every_dialect_is_read_as_the_csv_module_reads_it(tmp_path: Path, seed: int) -> None:
    import csv

    rng = random.Random(seed)
    for number in range(8):
        separator, quote = rng.choice(",;\t|^: "), rng.choice("\"'")
        pieces = ["a", "b c", f"x{separator}y", f"{quote}", f"{quote}{quote}", "l\nm", "-", "7", "0.5", "é", "0,5", ""]
        rows = [[rng.choice(pieces) for _ in range(3)] for _ in range(rng.randint(1, 5))]
        rows = [["".join(rng.choices(pieces, k=2)) or "z" for _ in row] for row in rows]
        path = tmp_path / f"t{number}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter=separator, quotechar=quote, quoting=csv.QUOTE_ALL, lineterminator="\n")
            writer.writerows([["p", "q", "r"], *rows])
        table = TextTable(path, Reading.of_options(separator=separator, quote=quote, decimal="."))
        read_back = table.read(table.names, as_text=table.names)
        assert [list(row) for row in zip(*values_of(read_back).values(), strict=True)] == rows
