from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fromlogits.data.columns import refuse_unusable
from fromlogits.data.dialect import examine
from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.inputs import as_inputs
from fromlogits.data.parquet import ParquetTable
from fromlogits.data.sources import Dataset, read
from fromlogits.data.table import Table
from fromlogits.errors import InputError
from tests.data.given import Write, use, writer

GOOD = "x,y\n1,a\n2,b\n3,a\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return writer(tmp_path, "t.csv")


def numbers(dataset: Dataset, name: str = "x") -> list[float]:
    assert isinstance(dataset.features, Table)
    values: list[float] = dataset.features[name].values.tolist()
    return values


# --- what is read ---


def test_numbers_and_classes_are_read_in_the_files_order(write: Write) -> None:
    dataset = use(write(GOOD))

    assert numbers(dataset) == [1.0, 2.0, 3.0]
    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["a", "b", "a"]
    assert dataset.targets.names == ("y",)
    assert dataset.feature_names == ("x",)
    assert dataset.notes == ()
    assert len(dataset) == 3


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xef\xbb\xbf" + GOOD.encode(), "bom.csv"),
        (GOOD.replace("\n", "\r\n"), "crlf.csv"),
        (GOOD.replace("\n", "\r"), "cr.csv"),
        (GOOD.rstrip("\n"), "no-last-line-end.csv"),
        (GOOD + "\n\n", "blank-lines-at-the-end.csv"),
        (GOOD.replace(",", "\t"), "tabs.tsv"),
        (gzip.compress(GOOD.encode()), "packed.csv.gz"),
        (gzip.compress(b"x,y\n1,a\n2,b\n") + gzip.compress(b"3,a\n"), "two-members.csv.gz"),
        (gzip.compress(GOOD.replace(",", "\t").encode()), "packed.TSV.GZ"),
        ('"x","y"\n"1","a"\n"2","b"\n"3","a"\n', "quoted.csv"),
        ("x,y\n 1,a\n2 ,b\n\t3\t,a\n", "spaces-around-numbers.csv"),
        ("x,y\n1e0,a\n+2.,b\n.3E+1,a\n", "spellings-of-numbers.csv"),
        (GOOD, "a[1]*?{b}.csv"),
        (GOOD, "it's.csv"),
        (GOOD, "back\\slash.csv"),
        (GOOD, "größe.csv"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value and "\r" not in value else "",
)
def test_oddities_that_change_nothing_are_accepted_without_a_word(
    write: Write, content: str | bytes, name: str
) -> None:
    dataset = use(write(content, name))

    assert numbers(dataset) == [1.0, 2.0, 3.0]
    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["a", "b", "a"]
    assert dataset.notes == ()


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolon"), ("\t", "tab")])
def test_another_delimiter_is_found_and_said(write: Write, delimiter: str, word: str) -> None:
    dataset = use(write(GOOD.replace(",", delimiter)))

    assert numbers(dataset) == [1.0, 2.0, 3.0]
    assert dataset.notes == (f"t.csv: the delimiter is a {word}",)


def test_a_delimiter_inside_quotes_is_not_counted(write: Write) -> None:
    assert use(write('"x,1,2,3";y\n1;a\n2;b\n')).feature_names == ("x,1,2,3",)


def test_a_line_end_inside_quotes_belongs_to_the_value(write: Write) -> None:
    dataset = use(write('x,y\n1,"two\nlines"\n2,b\n'))

    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["two\nlines", "b"]


def test_lines_are_counted_with_header_quoted_line_ends_and_blank_lines(write: Write) -> None:
    dataset = use(write('"x\nx",y\n1,"two\nlines"\n\n2,b\n'))

    assert [dataset.origin.line(row) for row in range(2)] == [3, 6]
    assert dataset.origin.where(1) == "t.csv line 6"


def test_blank_lines_are_skipped_and_said(write: Write) -> None:
    dataset = use(write("x,y\n1,a\n\n2,b\n\n\n3,a\n\n"))

    assert numbers(dataset) == [1.0, 2.0, 3.0]
    assert dataset.notes == ("t.csv: blank lines were skipped (3)",)


def test_spaces_around_column_names_are_dropped_and_said(write: Write) -> None:
    dataset = use(write("x , y\n1,a\n2,b\n"))

    assert dataset.feature_names == ("x",)
    assert dataset.notes == ("t.csv: spaces around column names were dropped (1)",)


def test_columns_have_roles(write: Write) -> None:
    path = write("id,junk,x,y\n007,q,1,a\n008,r,2,b\n")
    dataset = use(path, ids=("id",), ignore=("junk",))

    assert dataset.feature_names == ("x",)
    assert dataset.ids["id"].values.tolist() == ["007", "008"]


def test_without_labels_the_target_may_be_missing_or_there(write: Write) -> None:
    for content in ("x\n1\n2\n", GOOD):
        dataset = use(write(content), labelled=False)
        assert dataset.targets is None
        assert dataset.feature_names == ("x",)


def test_columns_that_the_model_does_not_know_are_not_read_but_said(write: Write) -> None:
    dataset = use(write("new,x,y\nword,1,a\nword,2,b\n"), target=None, features=("x",), labelled=False)

    assert dataset.feature_names == ("x",)
    assert dataset.notes == ("t.csv: columns that the model does not know were ignored: new, y",)


def test_a_column_that_the_model_knows_must_be_there_and_hold_numbers(write: Write) -> None:
    with pytest.raises(InputError) as missing:
        use(write("x,weigth,y\n1,2,a\n"), features=("x", "weight", "size"))
    encoder = FeatureEncoder.fit(use(write("x,y\n1,a\n2,b\n")).features)
    with pytest.raises(InputError) as word:
        encoder.encode(read(write("x,y\none,a\n"), target="y", features=("x",)).features)

    assert str(missing.value) == (
        "t.csv has no column 'weight'; the model was trained with it. Did you mean 'weigth'?"
        " (2 of 3 columns are missing.)"
    )
    assert str(word.value) == (
        "column 'x' must hold numbers; t.csv line 2 has 'one', which is not a number. --missing one if it"
        " stands for no value; the model needs the column."
    )


def test_a_file_without_the_columns_of_the_model_is_refused_by_name(write: Write) -> None:
    for content, expected in {
        "other\n1\n": "t.csv has no column 'size'; the model was trained with it. (2 of 2 columns are missing.)",
        "sizes,age\n1,2\n": "t.csv has no column 'size'; the model was trained with it. Did you mean 'sizes'?",
    }.items():
        with pytest.raises(InputError) as caught:
            read(write(content), features=("size", "age"), labelled=False)
        assert str(caught.value) == expected


def test_values_longer_than_a_line_of_a_terminal_are_read(write: Write) -> None:
    long = "a" * 3_000_000
    dataset = use(write(f"x,y\n1,{long}\n2,b\n"))

    assert dataset.targets is not None
    assert dataset.targets.values[0] == long


def test_the_digest_is_of_the_bytes_as_stored(write: Write) -> None:
    import hashlib

    for name, content in (("t.csv", GOOD.encode()), ("t.csv.gz", gzip.compress(GOOD.encode()))):
        assert use(write(content, name)).digest == hashlib.sha256(content).hexdigest()


def test_a_folder_that_looks_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "year=2020"
    folder.mkdir()
    (folder / "t.csv").write_text(GOOD)

    assert use(folder / "t.csv").feature_names == ("x",)


def test_reading_leaves_nothing_behind(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    use(write(GOOD))

    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("n", [1, 2, 40_000])
def test_every_row_of_a_long_file_is_read_once(write: Write, n: int) -> None:
    rows = "".join(f'{row},"{row % 2}\n"\n' for row in range(n))
    dataset = read(write("x,y\n" + rows), target="y")

    assert isinstance(dataset.features, Table)
    np.testing.assert_array_equal(dataset.features["x"].values, np.arange(n))


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 64])
@pytest.mark.parametrize(
    ("content", "odd_numbers", "odd_rows"),
    [
        ("x_1_2,y\n1,a\n0,-0.5\n10,0.05\n2024-01-05,img_001\n", False, False),
        ("x,y\n1,a\n01,b\n", True, False),
        ("x,y\n1,a\n-07,b\n", True, False),
        ('x,y\n1,a\n"00",b\n', True, False),
        ("x,y\n1,a\n2,1_000\n", True, False),
        ("x,y\n1,a\n+-2,1\n", True, False),
        ("x,y\n1,a,\n2,b\n", False, True),
        ("x,y\r\n1,a,\r\n2,b\r\n", False, True),
        ("x,y\n1,a\n\n2,b\n", False, True),
        ("x,y\r\n1,a\r\n\r\n2,b\r\n", False, True),
        ("x,y\r1,a\r2,b\r", False, True),
        ("x,y\r\n1,é\r\n2,ß\r\n", False, False),
    ],
)
def test_what_a_reader_may_damage_is_noticed_wherever_a_chunk_of_the_file_ends(
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    chunk_bytes: int,
    content: str,
    odd_numbers: bool,
    odd_rows: bool,
) -> None:
    monkeypatch.setattr("fromlogits.data.files.CHUNK_BYTES", chunk_bytes)

    dialect = examine(write(content))

    assert (dialect.has_odd_numbers, dialect.has_odd_rows) == (odd_numbers, odd_rows)


# --- what is refused: one line each ---

NUMBERS = "x,y\n" + "".join(f"{k}.5,{'ab'[k % 2]}\n" for k in range(12))


def damaged(fault: str, line: int = 14) -> str:
    """What is said of a value in a column of numbers that is none."""
    return (
        f"column 'x' must hold numbers; t.csv line {line} has {fault} if it stands for no value; --categorical x takes"
        " its values as categories; --ignore x leaves it out."
    )


REFUSED = {
    "empty": ("", "t.csv is empty; it must hold a line of column names and rows below it."),
    "header only": ("x,y\n", "t.csv has no rows: it holds column names and nothing below them."),
    "header without line end": ("x,y", "t.csv has no rows: it holds column names and nothing below them."),
    "blank first line": ("\nx,y\n1,a\n", "t.csv line 1 is blank; it must hold the column names."),
    "short row": (
        "x,z,y\n1,2,a\n3,b\n",
        "t.csv line 3: every row must have 3 values, as many as line 1 has names; found 2: they end with column 'z'."
        " An empty value keeps its delimiter.",
    ),
    "long row": (
        "x,z,y\n1,2,a\n3,4,b,5\n",
        "t.csv line 3: every row must have 3 values, as many as line 1 has names; found 4."
        " A value that holds a comma must be quoted.",
    ),
    "long row with an empty value": (
        "x,z,y\n1,2,a\n3,4,b,\n",
        "t.csv line 3: every row must have 3 values, as many as line 1 has names; found 4."
        " A value that holds a comma must be quoted.",
    ),
    "long row after a quoted line end": (
        'x,y\n1,"a\nb"\n2,b,\n',
        "t.csv line 4: every row must have 2 values, as many as line 1 has names; found 3."
        " A value that holds a comma must be quoted.",
    ),
    "same name twice": (
        "x,x,y\n1,2,a\n",
        "t.csv line 1: column names must differ; columns 1 and 2 are both 'x'. --header mend numbers them.",
    ),
    "names or data": (
        "7,y,9\n1,2,3\n",
        "t.csv line 1 must hold the column names; it may hold data, such as '7'. Say --header names or --header none.",
    ),
    "index of pandas": (
        ",x,y\n0,1,a\n",
        "t.csv line 1: column 1 of 3 has no name."
        " pandas writes such a column for its index; to_csv(index=False) leaves it out, --header mend numbers it.",
    ),
    "column without a name": ("x,,y\n0,1,a\n", "t.csv line 1: column 2 of 3 has no name. --header mend numbers it."),
    "delimiter at the end of the header": (
        "x,y,\n0,a,\n",
        "t.csv line 1: column 3 of 3 has no name. Line 1 ends in a delimiter; --header mend numbers such a column.",
    ),
    "unclosed quote": (
        'x,y\n1,a\n2,"b\n3,a\n',
        "t.csv line 3, column 'y': the quote that opens this value is never closed. Close it, or add --quote none if"
        " quotes mean nothing in this file.",
    ),
    "unclosed quote in the header": (
        'x,"y\n1,a\n2,b\n',
        "t.csv line 1, value 2: the quote that opens this value is never closed. Close it, or add --quote none if"
        " quotes mean nothing in this file.",
    ),
    "text behind a quote": (
        'x,y\n1,"a"b\n2,b\n',
        "t.csv line 2, column 'y': a closing quote must end its value; a quote inside a quoted value is written twice.",
    ),
    "quote closed by the next one": (
        'x,y\n1,"a\n2,"b"\n3,a\n',
        "t.csv line 3, column 'y': a closing quote must end its value; was a quote left open in the row that"
        " starts on line 2?",
    ),
    "two quoted texts in a value": (
        'x,y\n1,"a" "b"\n2,b\n',
        "t.csv line 2, column 'y': a closing quote must end its value; a quote inside a quoted value is written twice.",
    ),
    "quote left open in the header": (
        'x,"y\n1,a\n2,"b"\n',
        "t.csv line 3, value 2: a closing quote must end its value; was a quote left open in the row that"
        " starts on line 1?",
    ),
    "long last row without a line end": (
        "x,y\n1,a\n2,b,",
        "t.csv line 3: every row must have 2 values, as many as line 1 has names; found 3."
        " A value that holds a comma must be quoted.",
    ),
    "NUL": (b"x,y\n1,a\0\n", "t.csv must be UTF-8 text; the byte at offset 7 is a NUL byte. Is it text at all?"),
    "PNG": (b"\x89PNG\r\n\x1a\n....", "t.csv must be UTF-8 text; it looks like a PNG picture."),
    "gzip without its name": (
        gzip.compress(GOOD.encode()),
        "t.csv must be UTF-8 text; it looks like a gzip file. Name it t.csv.gz.",
    ),
    "unknown bytes": (
        b"\x01\x02\xff\xfe" * 20,
        "t.csv must be UTF-8 text; the byte at offset 2 is 0xff. Is it text at all?",
    ),
    "Latin-1": (
        "x,y\n1,é\n2,b\n".encode("latin-1"),
        "t.csv must be UTF-8 text; the byte at offset 6 is 0xe9."
        " Say what it is, as in --encoding cp1252 (Windows, and nearly Latin-1).",
    ),
    "UTF-16": (GOOD.encode("utf-16"), "t.csv must be UTF-8 text; it looks like UTF-16 text. Add --encoding utf-16."),
    "cut inside a character": (
        "x,y\n1,a\n2,é".encode()[:-1],
        "t.csv is cut off: it ends in the middle of a UTF-8 character.",
    ),
    "mixed line ends": (
        "x,y\r\n1,a\n2,b\r\n",
        "t.csv line 2 ends in LF, line 1 in CR LF: use one kind of line end.",
    ),
    "endless line": (
        "x,y\n" + "1" * 31_000_000 + ",a\n",
        "t.csv: no row may be longer than 30,000,000 bytes; is a quote not closed?",
    ),
    "one column": (
        GOOD.replace(",", "^"),
        "t.csv has one column only, 'x^y'; a target and features are needed."
        " Values are separated by commas, tabs, semicolons or bars; --separator names another sign.",
    ),
    "word": (NUMBERS + "twelve,a\n", damaged("'twelve', which is not a number. --missing twelve")),
    "NA": (NUMBERS + "NA,b\n" * 20, damaged("'NA', which is not a number. --missing NA")),
    "NaN": ("x,y\n1,a\nnan,b\n", damaged("'nan', which is not a finite number. --missing nan", 3)),
    "infinity": (
        "x,y\n1,a\n-Infinity,b\n",
        damaged("'-Infinity', which is not a finite number. --missing -Infinity", 3),
    ),
    "overflow": (
        "x,y\n1,a\n1e400,b\n",
        damaged("'1e400', which float64 can only hold as infinity. --missing 1e400", 3),
    ),
    "underscore": (NUMBERS + "1_000,b\n", damaged("'1_000', which is not a number. --missing 1_000")),
    "a word in a long column of few numbers": (
        "x,y\n" + "1,a\n2,b\n" * 60 + "three,a\n",
        damaged("'three', which is not a number. --missing three", 122),
    ),
    "decimal comma": (
        "x;y\n0;a\n1,500;b\n",
        "column 'x' must hold numbers; t.csv line 3 has '1,500'; --decimal , says that a comma stands before"
        " decimals. --categorical x takes its values as categories; --ignore x leaves it out.",
    ),
    "long integer among decimals": (
        NUMBERS + "9007199254740993,b\n",
        "column 'x' must hold numbers; t.csv line 14 has '9007199254740993', an integer too long for float64, which is"
        " exact below 2^53. --numeric x reads it as numbers all the same; --categorical x takes its values as"
        " categories; --ignore x leaves it out.",
    ),
    "nothing in a column": (
        "x,y\n,a\n ,b\n",
        "there is no column to learn from; left out: x (no value in the training rows).",
    ),
    "unknown target": ("x,digits\n1,2\n", "t.csv has no target column 'y'. Its columns: x, digits."),
    "target left empty": (
        "x,y\n1,a\n2,\n3,\n",
        "the target 'y' must be known in every row; t.csv line 3 has none (2 of 3 rows have none). Take such rows out.",
    ),
    "target of spaces": (
        "x,y\n1,a\n2,  \n3,b\n",
        "the target 'y' must be known in every row; t.csv line 3 has none (1 of 3 rows have none). Take such rows out.",
    ),
    "NaN among numbers in the target": (
        "x,y\n1,1\n2,nan\n3,0\n",
        "the target 'y' must be known in every row; t.csv line 3 has none (1 of 3 rows have none). Take such rows out.",
    ),
    "one class": ("x,y\n1,a\n2,a\n", "the target must have at least 2 classes; it has 1 class, 'a' (2 rows)."),
    "one row": ("x,y\n1,a\n", "the target must have at least 2 classes; it has 1 class, 'a' (1 row)."),
    "regression": (
        "x,y\n1,2.0\n2,1.5\n",
        "the target must name classes; t.csv line 3 has 1.5, which looks like a"
        " measured value: put it into classes first (Unknown label type: continuous).",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_damage_is_refused_in_one_line(write: Write, name: str) -> None:
    content, expected = REFUSED[name]

    with pytest.raises(InputError) as caught:
        use(write(content))

    assert str(caught.value) == expected
    assert "\n" not in expected


PACKED = gzip.compress((GOOD * 100).encode())


def test_a_fault_behind_rows_that_were_handed_over_already_is_told_in_one_line(write: Write) -> None:
    n = 600_000  # the parser hands over 131,072 rows at a time

    with pytest.raises(InputError, match=rf"t\.csv line {n + 2}: every row must have 2 values"):
        read(write("x,y\n" + "1,0\n" * n + "1,2,3\n"), target="y")


def test_a_value_with_two_signs_is_no_number(write: Write) -> None:
    with pytest.raises(InputError, match=r"column 'x' must hold numbers; t\.csv line 13 has '\+-1', which is not"):
        use(write("x,y\n" + "".join(f"{k}.5,{'ab'[k % 2]}\n" for k in range(11)) + "+-1,b\n"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "t.csv.gz is empty; it must be a gzip file."),
        (gzip.compress(b""), "t.csv.gz is empty; it must hold a line of column names and rows below it."),
        (PACKED[:-9], "t.csv.gz is cut off: its gzip data ends too early. Copy it again."),
        (PACKED[:30], "t.csv.gz is cut off: its gzip data ends too early. Copy it again."),
        (PACKED[:-8] + b"\1\2\3\4" + PACKED[-4:], "t.csv.gz is damaged: its gzip data can't be read. Copy it again."),
        (PACKED + b"junk", "t.csv.gz is damaged: its gzip data can't be read. Copy it again."),
        (GOOD, "t.csv.gz must be a gzip file, as its name says; it does not start as one."),
        (
            b"PK\3\4",
            "t.csv.gz must be a gzip file, as its name says; it looks like a zip file (.npz and .xlsx are such).",
        ),
    ],
)
def test_damaged_gzip_is_refused(write: Write, content: str | bytes, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        use(write(content, "t.csv.gz"))

    assert str(caught.value) == expected


def test_a_file_that_is_not_there_gives_the_nearest_name(write: Write, tmp_path: Path) -> None:
    write(GOOD, "digits.csv")
    for name, expected in {
        "digit.csv": f"no such file: {tmp_path}/digit.csv. Did you mean 'digits.csv'?",
        "nowhere/t.csv": f"no such file: {tmp_path}/nowhere/t.csv (there is no folder {tmp_path}/nowhere).",
        ".": f"{tmp_path.name} holds no JPEG, PNG, WebP, GIF, BMP, TIFF or PPM picture; a table is a file, and is named"
        " by its own name.",
    }.items():
        with pytest.raises(InputError) as caught:
            read(tmp_path / name, target="y")
        assert str(caught.value) == expected


def test_an_unknown_ending_is_refused(write: Write) -> None:
    with pytest.raises(
        InputError, match=r"^t\.xlsx: the form of a file is known by its name: \.csv, \.tsv, \.jsonl or \.svm"
    ):
        read(write(b"", "t.xlsx"), target="y")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"target": "kinds"}, "t.csv has no target column 'kinds'. Did you mean 'kind'?"),
        ({"target": "label:*"}, "t.csv has no target column 'label:*'. Its columns: size, kind."),
        ({"target": ("label", "kind")}, "t.csv has no target column 'label'. Its columns: size, kind."),
        ({"target": None}, "t.csv: which column is the target? Say it as in --target kind. Its columns: size, kind."),
        ({"target": "kind", "ignore": ("sizes",)}, "t.csv has no column 'sizes' to be ignored. Did you mean 'size'?"),
        ({"target": "kind", "ids": ("sizes",)}, "t.csv has no column 'sizes' to be id. Did you mean 'size'?"),
        (
            {"target": "kind", "ignore": ("size",)},
            "t.csv has no feature column: size, kind are target, ids or ignored.",
        ),
        ({"target": "kind,size,kind"}, "the target 'kind,size,kind' names column 'kind' twice."),
    ],
)
def test_columns_that_are_not_there_are_refused_by_name(write: Write, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(write("size,kind\n1,a\n2,b\n"), **options)

    assert str(caught.value) == expected


# --- pictures in tables ---


def test_columns_named_by_pixel_are_a_picture_row_by_row_whatever_their_order(write: Write) -> None:
    path = write("pixel_1_0,y,pixel_0_1,pixel_1_1,pixel_0_0\n3,a,2,4,1\n3,b,2,4,1\n")
    dataset = use(path)
    encoder = FeatureEncoder.fit(dataset.features)

    assert dataset.picture_shape == (2, 2)
    assert encoder.schema.names == ("pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_1_1")
    assert np.diff(encoder.encode(dataset.features).values[0]).min() > 0


@pytest.mark.parametrize("header", ["pixel_0_0,pixel_0_1,pixel_1_0,y", "pixel_0_0,pixel_0_2,y", "pixel_0_0,other,y"])
def test_columns_that_fill_no_grid_are_no_picture(write: Write, header: str) -> None:
    values = ",".join("1" for _ in header.split(",")[1:])
    assert use(write(f"{header}\n{values},a\n{values},b\n")).picture_shape is None


# --- Parquet ---


def parquet(tmp_path: Path, select: str, name: str = "t.parquet") -> Path:
    import duckdb

    path = tmp_path / name
    with duckdb.connect() as connection:
        connection.execute(f"copy ({select}) to '{path}' (format parquet)")
    return path


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = parquet(
        tmp_path,
        "select i::tinyint as a, i::double / 2 as b, i % 2 = 0 as c, i::decimal(9, 2) as d, i::ubigint as e,"
        " 'class ' || i % 2 as y from range(5) t(i)",
    )
    dataset = use(path)

    assert isinstance(dataset.features, Table)
    kinds = {column.name: column.values.dtype.str for column in dataset.features.columns}
    assert kinds == {"a": "|i1", "b": "<f8", "c": "|b1", "d": "<f8", "e": "<u8"}
    assert dataset.features["d"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["class 0", "class 1", "class 0", "class 1", "class 0"]
    assert dataset.origin.where(3) == "row 3 of t.parquet"


def test_text_in_parquet_stays_text(tmp_path: Path) -> None:
    dataset = use(parquet(tmp_path, "select i as x, '0' || i as y from range(2) t(i)"))

    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["00", "01"]


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        (
            "[1, 2] as x, i as y",
            "t.parquet: column 'x' must hold one number or text a row; its type is INTEGER[]."
            " --ignore x leaves it out.",
        ),
        (
            "{'p': 1} as x, i as y",
            "t.parquet: column 'x' must hold one number or text a row; its type is STRUCT(p INTEGER)."
            " --ignore x leaves it out.",
        ),
        (
            "if(i = 2, 'inf'::double, i) as x, i as y",
            "column 'x' must hold finite numbers; row 2 of t.parquet has infinity. Write no value where it is"
            " unknown; --ignore x leaves it out.",
        ),
        (
            "'word' as x, i as y",
            "there is no column to learn from; left out: x (the same value in every training row).",
        ),
        (
            "i as x, if(i = 1, null, i) as y",
            "the target 'y' must be known in every row; row 1 of t.parquet has none (1 of 3 rows have none)."
            " Take such rows out.",
        ),
    ],
)
def test_what_parquet_holds_and_we_cannot_use_is_refused(tmp_path: Path, select: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        use(parquet(tmp_path, f"select {select} from range(3) t(i)"))

    assert str(caught.value) == expected


def test_what_parquet_columns_to_leave_out_is_said_by_their_whole_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"its type is INTEGER\[\]\. --ignore long leaves it out\.$"):
        use(parquet(tmp_path, "select [1, 2] as long, i as y from range(3) t(i)"))


def test_integers_that_are_too_long_for_float64_are_refused_whatever_parquet_calls_them(tmp_path: Path) -> None:
    for kind in ("bigint", "ubigint", "decimal(20, 0)", "decimal(38, 0)"):
        for value, fits in ((2**53 - 1, True), (2**53, False), (2**53 + 1, False)):
            table = ParquetTable(parquet(tmp_path, f"select {value}::{kind} as x")).read(["x"])
            if fits:
                assert FeatureEncoder.fit(table).schema.names == ("x",)
            else:
                with pytest.raises(InputError, match=f"row 0 of t.parquet has '?{value}'?, an integer too long"):
                    refuse_unusable(table)


def test_decimals_with_digits_behind_the_point_are_rounded_once_as_in_text(tmp_path: Path) -> None:
    path = parquet(tmp_path, "select '1234567890123456789.25'::decimal(30, 2) as x, '0.1'::decimal(3, 1) as z")
    table = ParquetTable(path).read(["x", "z"])

    assert [table[name].values.tolist() for name in ("x", "z")] == [[1234567890123456789.25], [0.1]]


def test_parquet_names_that_differ_in_capitals_are_kept_and_equal_ones_refused(tmp_path: Path) -> None:
    pa, write_table = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet").write_table
    path = tmp_path / "t.parquet"
    write_table(pa.table([[1], [[2]], [{"a": 3, "x": 4}], [5]], names=["a", "l", "s", "A"]), path)
    file = ParquetTable(path)
    assert file.names == ("a", "l", "s", "A")
    assert [column.values.tolist() for column in file.read(["A", "a"]).columns] == [[5], [1]]
    for names, expected in {
        ("a", "b", "a"): "t.parquet: column names must differ; found 'a' more than once.",
        ("a", "", "b"): "t.parquet: column 2 has no name.",
    }.items():
        write_table(pa.table([[1], [2], [3]], names=list(names)), path)
        with pytest.raises(InputError) as caught:
            ParquetTable(path)
        assert str(caught.value) == expected


def test_times_of_any_zone_and_of_96_bits_are_dates(tmp_path: Path) -> None:
    pa, write_table = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet").write_table
    path = tmp_path / "t.parquet"
    for kind, is_96 in ((pa.timestamp("us", "Asia/Kathmandu"), False), (pa.timestamp("ns"), True)):
        write_table(pa.table({"x": pa.array([0], kind)}), path, use_deprecated_int96_timestamps=is_96)
        with pytest.raises(InputError, match=r"it holds dates, such as 1970-01-01 00:00:00(\+00)? at row 0"):
            refuse_unusable(ParquetTable(path).read(["x"]))


@pytest.mark.parametrize("is_footer_plain", [False, True])
def test_an_encrypted_parquet_file_is_named_so(tmp_path: Path, is_footer_plain: bool) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pe = pytest.importorskip("pyarrow.parquet.encryption")

    class NoSecrets(pe.KmsClient):  # type: ignore[misc, name-defined]
        def __init__(self, _: Any) -> None:
            super().__init__()

        def wrap_key(self, key: bytes, _: str) -> str:
            return key.hex()

        def unwrap_key(self, key: str, _: str) -> bytes:
            return bytes.fromhex(key)

    table = pa.table({"x": [1, 2], "y": [3, 4]})
    options = pe.EncryptionConfiguration("f", column_keys={"c": ["x"]}, plaintext_footer=is_footer_plain)
    keys = pe.CryptoFactory(NoSecrets).file_encryption_properties(pe.KmsConnectionConfig(), options)
    with pq.ParquetWriter(tmp_path / "t.parquet", table.schema, encryption_properties=keys) as file:
        file.write_table(table)
    with pytest.raises(InputError) as caught:
        ParquetTable(tmp_path / "t.parquet").read(["x"])
    # DuckDB 1.4 does not see that columns are encrypted where the footer is plain.
    damaged = "t.parquet can't be read as Parquet: it is cut off or damaged (TProtocolException: Invalid data)."
    expected = ["t.parquet is encrypted; write it without encryption.", *([damaged] if is_footer_plain else [])]
    assert str(caught.value) in expected


def test_a_long_text_that_parquet_repeats_is_not_unpacked(tmp_path: Path) -> None:
    pa, write_table = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet").write_table
    n = 30_000
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), pa.array(["x" * 1_000_000]))  # 30 GB
    write_table(pa.table({"x": long}), tmp_path / "t.parquet", compression="none", store_schema=False)
    with pytest.raises(InputError, match=r"^t\.parquet repeats a text until it has 30,000,000,000 bytes: too much to"):
        ParquetTable(tmp_path / "t.parquet").read(["x"])


def test_parquet_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^t\.parquet has no rows\.$"):
        use(parquet(tmp_path, "select i as x, i as y from range(0) t(i)"))


def test_a_file_that_is_no_parquet_is_refused(write: Write) -> None:
    for content, expected in {
        b"": "t.parquet must be a Parquet file; it is empty.",
        b"x,y\n1,2\n": "t.parquet must be a Parquet file; it does not start as one.",
        gzip.compress(b"x"): "t.parquet must be a Parquet file; it looks like a gzip file.",
    }.items():
        with pytest.raises(InputError) as caught:
            read(write(content, "t.parquet"), target="y")
        assert str(caught.value) == expected


def test_no_beginning_of_a_parquet_file_is_accepted(tmp_path: Path) -> None:
    whole = parquet(tmp_path, "select i as x, i % 2 as y from range(500) t(i)").read_bytes()
    path = tmp_path / "cut.parquet"
    for length in [4, 5, 8, 11, 12, 13, *range(40, len(whole), 401), len(whole) - 8, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"^cut\.parquet can't be read as Parquet: it is cut off or damaged \("):
            read(path, target="y")


def test_a_parquet_table_says_its_names_before_it_is_read(tmp_path: Path) -> None:
    assert ParquetTable(parquet(tmp_path, 'select 1 as "a ""b""", 2 as y')).names == ('a "b"', "y")


# --- what may be missing, and what is left out ---


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "a Parquet file"])
def test_nan_is_a_missing_number_in_every_source_with_types(tmp_path: Path, library: str) -> None:
    values = [1.0, float("nan"), None]
    table: Any
    if library == "a Parquet file":
        table = ParquetTable(parquet(tmp_path, "select unnest([1, 'nan'::double, null]) as x")).read(["x"])
    elif library == "pyarrow":
        table = as_inputs(pytest.importorskip("pyarrow").table({"x": values}))
    else:
        table = as_inputs(pytest.importorskip(library).DataFrame({"x": values}))

    assert isinstance(table, Table)
    assert table["x"].values.dtype == np.float64
    assert table["x"].missing is not None
    assert table["x"].missing.tolist() == [False, True, True]


def test_rows_to_predict_may_lack_the_id_column(write: Write) -> None:
    dataset = read(write("size,kind\n1,a\n2,b\n"), ids=("name",), features=("size",), labelled=False)
    assert dataset.ids.names == ()
    assert any("no id column 'name'" in note for note in dataset.notes)


def test_an_ignored_column_is_no_label_of_a_pattern(write: Write) -> None:
    path = write("x,label:a,label:b,label:c\n1,0,1,0\n2,1,0,1\n")
    dataset = read(path, target="label:*", ignore=("label:c",))
    assert dataset.targets is not None
    assert dataset.targets.label_names == ("a", "b")
    assert dataset.feature_names == ("x",)


def test_an_unknown_form_is_named_before_its_columns(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("size,kind\n1,a\n")
    with pytest.raises(InputError, match="the form of a file is known by its name"):
        read(path, target="kind", ids=("size",))
