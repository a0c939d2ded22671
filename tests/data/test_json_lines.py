from __future__ import annotations

import gzip
import json
import random
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits.data.json_lines as json_lines
from fromlogits.data.json_lines import JsonLinesTable
from fromlogits.data.sources import read
from fromlogits.data.table import Column, Table
from fromlogits.errors import InputError
from tests.data.given import Write, mutated, use, writer

GOOD = '{"x": 1, "y": "a"}\n{"x": 2.5, "y": "b"}\n{"x": -3e0, "y": "a"}\n'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return writer(tmp_path, "t.jsonl")


def column(path: Path, name: str = "x") -> Column:
    return JsonLinesTable(path).read([name]).columns[0]


def listed(column: Column) -> list[Any]:
    """The values, None where there is none."""
    missing = np.zeros(len(column.values), bool) if column.missing is None else column.missing
    return [None if gone else value for value, gone in zip(column.values.tolist(), missing, strict=True)]


# --- what is read ---


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (GOOD, "plain.jsonl"),
        (GOOD, "plain.NDJSON"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "bom.jsonl"),
        (GOOD.replace("\n", "\r\n"), "crlf.jsonl"),
        (GOOD.rstrip("\n"), "no-last-line-end.jsonl"),
        (GOOD.replace(" ", ""), "compact.jsonl"),
        (GOOD.replace(":", " \t: ").replace("{", " { ").replace("}", " } "), "spaces.jsonl"),
        (GOOD.replace('"x"', '"\\u0078"'), "escaped-key.jsonl"),
        ('{"x":1,"y":"a"}\n{"y":"b","x":2.5}\n{"y":"a","x":-3}\n', "other-order.jsonl"),
        (gzip.compress(GOOD.encode()), "packed.jsonl.gz"),
        (gzip.compress(GOOD[:19].encode()) + gzip.compress(GOOD[19:].encode()), "two-members.ndjson.gz"),
        (GOOD, "a[1]*?{b} it's größe.jsonl"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_oddities_that_change_nothing_are_accepted_without_a_word(
    write: Write, content: str | bytes, name: str
) -> None:
    if name == "bom.jsonl" and version("duckdb").startswith("1."):
        pytest.skip("DuckDB before 2.0 refuses JSON with a byte order mark")
    dataset = use(write(content, name))

    assert isinstance(dataset.features, Table)
    assert dataset.features["x"].values.tolist() == [1.0, 2.5, -3.0]
    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == ["a", "b", "a"]
    assert dataset.notes == ()


def test_a_missing_key_and_null_are_both_a_missing_value(write: Write) -> None:
    path = write('{"x": 1, "y": "a"}\n{"x": null, "y": "b"}\n{"y": null}\n{"x": 4}\n')

    assert listed(column(path)) == [1.0, None, None, 4.0]
    assert listed(column(path, "y")) == ["a", "b", None, None]


@pytest.mark.parametrize("n", [3, 40_000])  # within the lines that are looked at first, and far behind them
def test_a_key_that_appears_late_makes_a_column_whose_earlier_values_are_missing(write: Write, n: int) -> None:
    lines = ['{"x": 1.5, "y": "a", "z": 123456789}'] * n
    swapped = '{"x": 2.5, "y": "b", "late": 7}'  # as many keys as every other line
    table = JsonLinesTable(write("\n".join([*lines, swapped]) + "\n"))

    assert table.names == ("x", "y", "z", "late")
    assert listed(table.read(["late"]).columns[0]) == [None] * n + [7.0]
    assert listed(table.read(["z"]).columns[0])[-2:] == [123456789.0, None]


def test_a_late_key_is_found_beside_a_text_that_looks_like_a_null(write: Write) -> None:
    lines = ['{"x": 1.5, "y": "a", "z": 123456789}'] * 40_000
    tricks = ['{"x": 1.5, "y": ":null", "z": 1}', '{"x": 1.5, "y": "\\": null", "z": 1}', '{"x": 1.5, "late": 1}']

    assert JsonLinesTable(write("\n".join([*lines, *tricks]))).names == ("x", "y", "z", "late")


def test_true_and_false_are_bool(write: Write) -> None:
    values = column(write('{"x": true}\n{"x": false}\n{"x": null}\n'))

    assert values.values.dtype == bool
    assert listed(values) == [True, False, None]


def test_a_number_written_as_text_is_text(write: Write) -> None:
    assert listed(column(write('{"x": "12"}\n{"x": "013"}\n'))) == ["12", "013"]
    with pytest.raises(InputError) as caught:
        use(write("".join(f'{{"x": "{k}.5", "y": {k % 2}}}\n' for k in range(12))))
    assert str(caught.value) == (
        "column 'x' must hold numbers; it holds text, such as '0.5' at t.jsonl line 1. --numeric x reads it as numbers"
        " all the same; --categorical x takes its values as categories; --ignore x leaves it out."
    )


def test_whole_numbers_are_classes_and_ids_as_they_stand_in_the_file(write: Write) -> None:
    path = write('{"id": 9007199254740993, "x": 1, "y": 10}\n{"id": 18446744073709551616, "x": 2, "y": 9}\n', "t.jsonl")
    dataset = use(path, ids=["id"])

    assert dataset.targets is not None
    assert dataset.targets.values.tolist() == [10, 9]
    assert dataset.ids["id"].values.tolist() == ["9007199254740993", "18446744073709551616"]
    assert dataset.notes == ()


def test_every_number_is_the_one_that_python_reads(write: Write) -> None:
    rng = random.Random(0)
    texts = ["0", "-0", "-0.0", "1E5", "1e-400", "5e-324", "1.7976931348623157e308", "0.1000000000000000055511151231"]
    texts += [f"{rng.uniform(-1, 1) * 10 ** rng.randint(-300, 300):.{rng.randint(0, 25)}e}" for _ in range(3000)]
    texts += [str(rng.randint(-(2**53) + 1, 2**53 - 1)) for _ in range(300)]
    values = column(write("".join(f'{{"x": {text}}}\n' for text in texts))).values

    assert values.tolist() == [float(text) for text in texts]


def test_texts_are_those_that_python_reads(write: Write) -> None:
    texts = [
        '"quoted"',
        "back\\slash",
        "line\nend",
        "\t",
        "é",
        "😀",
        "\x00",
        "",
        " ",
        "null",
        "1",
        '":',
        "\u2028",
        "\x7f",
    ]
    for ascii_only in (True, False):
        lines = [json.dumps({"x": text}, ensure_ascii=ascii_only) for text in texts]
        assert listed(column(write("\n".join(lines)))) == texts


def test_blank_lines_are_skipped_said_and_counted(write: Write) -> None:
    dataset = use(write('\n{"x": 1, "y": "a"}\n\n  \n{"x": 2, "y": "b"}\n\n'))

    assert dataset.notes == ("t.jsonl: blank lines were skipped (3)",)
    assert [dataset.origin.line(row) for row in (0, 1)] == [2, 5]


def test_the_digest_is_of_the_bytes_as_stored(write: Write) -> None:
    import hashlib

    for name, content in (("t.jsonl", GOOD.encode()), ("t.jsonl.gz", gzip.compress(GOOD.encode()))):
        assert use(write(content, name)).digest == hashlib.sha256(content).hexdigest()


def test_a_column_that_is_left_out_may_hold_anything_that_is_json(write: Write) -> None:
    lines = ['{"x": 1, "y": "a", "z": [1, {"p": null}]}', '{"x": 2, "y": "b", "z": "text", "w": 1e400}']
    dataset = use(write("\n".join(lines)), ignore=["z", "w"])

    assert dataset.feature_names == ("x",)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_what_is_read_does_not_depend_on_the_chunks(write: Write, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr("fromlogits.data.files.CHUNK_BYTES", chunk)
    monkeypatch.setattr(json_lines, "SAMPLE_CHARACTERS", 20)
    path = write('{"x": 1, "y": "é"}\n{"x": 2, "y": null}\n{"x": 3, "late": "b"}\n')
    table = JsonLinesTable(path)

    assert table.names == ("x", "y", "late")
    assert listed(table.read(["y"]).columns[0]) == ["é", None, None]


# --- what is refused ---


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"x": 1', "t.jsonl line 3 is cut off: it ends in the middle of its object."),
        ('{"x": 1, "y": "b', "t.jsonl line 3"),
        ('{"x": 1}}', "t.jsonl line 3 is not one JSON object: '}' can't stand at character 9."),
        ('{"x": 1} {"x": 2}', "t.jsonl line 3 is not one JSON object: '{\"x\": 2}' can't stand at character 10."),
        ('{"x": 1},', "t.jsonl line 3 is not one JSON object: ',' can't stand at character 9."),
        ('{"x": 1,}', "t.jsonl line 3 is not JSON: a comma must be followed by another value"),
        ('{"x": 1 , \t}', "t.jsonl line 3 is not JSON: a comma must be followed by another value"),
        ('{"x": 1, "y": [1,]}', "t.jsonl line 3 is not JSON: a comma must be followed by another value"),
        ('{"x": 1, "x": 2}', "t.jsonl line 3 has the key 'x' twice."),
        ('{"x": 1, "late": 1, "late": 2}', "t.jsonl line 3 has the key 'late' twice."),
        ('{"x": 1, "": 2}', "t.jsonl line 3 has a key without a name."),
        ('{"x": NaN}', "t.jsonl line 3 has NaN, which is no JSON; write null where there is no value."),
        ('{"x": -Infinity}', "t.jsonl line 3 has -Infinity, which is no JSON; write null where there is no value."),
        ('{"x": nan}', "t.jsonl line 3 is not one JSON object: 'nan}' can't stand at character 7."),
        ('{"x": 01}', "t.jsonl line 3 is not one JSON object"),
        ('{"x": +1}', "t.jsonl line 3 is not one JSON object"),
        ('{"x": .5}', "t.jsonl line 3 is not one JSON object"),
        ('{"x": 0x1}', "t.jsonl line 3 is not one JSON object"),
        ("{'x': 1}", "t.jsonl line 3 is not one JSON object"),
        ('{"x": "\\ud83d"}', "t.jsonl line 3 holds half of a character"),
        ('{"x": "\t"}', "t.jsonl line 3 is not one JSON object"),
        ("[1, 2]", 't.jsonl line 3 must be one object, as in {"size": 1.5, "kind": "a"}; it is an array.'),
        ("null", 't.jsonl line 3 must be one object, as in {"size": 1.5, "kind": "a"}; it is null.'),
        ("12", 't.jsonl line 3 must be one object, as in {"size": 1.5, "kind": "a"}; it is 12.'),
        ('"a"', 't.jsonl line 3 must be one object, as in {"size": 1.5, "kind": "a"}; it is text.'),
        ('{"x": ' + "[" * 100_000, "t.jsonl line 3"),
    ],
    ids=lambda value: value[:30],
)
def test_a_line_that_is_not_one_json_object_is_refused_with_its_number(write: Write, line: str, expected: str) -> None:
    for lines in ((*GOOD.splitlines()[:2], line, '{"x": 4, "y": "b"}'), (*GOOD.splitlines()[:2], line)):
        with pytest.raises(InputError) as caught:
            JsonLinesTable(write("\n".join(lines)))
        assert str(caught.value).startswith(expected)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "t.jsonl is empty; it must hold one JSON object a line."),
        (b"\n\n", "t.jsonl has no rows: it must hold one JSON object a line."),
        (b"{}\n{}\n", "t.jsonl has no rows: it must hold one JSON object a line."),
        (
            b'[{"x": 1, "y": "a"},\n{"x": 2, "y": "b"}]\n',
            "t.jsonl is JSON, not JSON lines: write one object a line, without the brackets around them and the commas"
            " between them.",
        ),
        (b'{\n"x": 1,\n"y": "a"\n}\n', "t.jsonl line 1 is cut off: it ends in the middle of its object."),
        (
            b'{"x": "\xe9"}\n',
            "t.jsonl must be UTF-8 text; the byte at offset 7 is 0xe9."
            " Say what it is, as in --encoding cp1252 (Windows, and nearly Latin-1).",
        ),
        (b'{"x": 1}\0\n', "t.jsonl must be UTF-8 text; the byte at offset 8 is a NUL byte. Is it text at all?"),
        (GOOD.encode("utf-16"), "t.jsonl must be UTF-8 text; it looks like UTF-16 text. Add --encoding utf-16."),
        (gzip.compress(b"{}"), "t.jsonl must be UTF-8 text; it looks like a gzip file. Name it t.jsonl.gz."),
        ('{"x": "é'.encode()[:-1], "t.jsonl is cut off: it ends in the middle of a UTF-8 character."),
        (b'{"a": 1, "A": 2}\n', "t.jsonl: the keys 'a' and 'A' differ in capital letters only; rename one."),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_no_json_lines_is_refused(write: Write, content: bytes, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        JsonLinesTable(write(content))

    assert str(caught.value) == expected


@pytest.mark.parametrize("n", [3, 60_000])  # the fault is in the lines that are looked at first, or far behind them
def test_damaged_bytes_are_named_before_the_lines(write: Write, n: int) -> None:
    content = GOOD.encode() * n
    packed = gzip.compress(content, mtime=0)
    flipped = bytearray(packed)
    flipped[-6] ^= 1  # of the checksum
    late = content + b'{"x": 1, "y": "\xff"}\n'
    for file, name, expected in (
        (packed[:-12], "t.jsonl.gz", "t.jsonl.gz is cut off: its gzip data ends too early. Copy it again."),
        (bytes(flipped), "t.jsonl.gz", "t.jsonl.gz is damaged: its gzip data can't be read. Copy it again."),
        (content, "t.jsonl.gz", "t.jsonl.gz must be a gzip file, as its name says; it does not start as one."),
        (
            late,
            "t.jsonl",
            f"t.jsonl must be UTF-8 text; the byte at offset {len(late) - 4} is 0xff."
            " Say what it is, as in --encoding cp1252 (Windows, and nearly Latin-1).",
        ),
    ):
        with pytest.raises(InputError) as caught:
            JsonLinesTable(write(file, name))
        assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"two"', "column 'x' must hold values of one kind; LINE 2 has a number and line 5 has a text."),
        ("true", "column 'x' must hold values of one kind; LINE 2 has a number and line 5 has true or false."),
        ("[1]", "column 'x' must hold one number or text a row; LINE 5 has a list."),
        ('{"p": 1}', "column 'x' must hold one number or text a row; LINE 5 has an object."),
        (
            "9007199254740992",
            "column 'x' must hold numbers; LINE 5 has 9007199254740992, an integer too long for float64, which is"
            " exact below 2^53.",
        ),
        ("-1e400", "column 'x' must hold numbers; LINE 5 has -1e400, which float64 can only hold as infinity."),
    ],
    ids=str,
)
def test_a_value_that_does_not_fit_its_column_is_refused_with_its_line(write: Write, value: str, expected: str) -> None:
    path = write(f'\n{{"x": 1, "y": "a"}}\n{{"y": "b"}}\n\n{{"x": {value}, "y": "a"}}\n')
    for options, cure in (
        ({"target": "y"}, "--ignore x leaves it out."),
        ({"target": "y", "features": ["x"]}, "The model needs it."),
    ):
        with pytest.raises(InputError) as caught:
            read(path, **options)
        assert str(caught.value) == f"{expected} {cure}".replace("LINE", "t.jsonl line")


def test_a_text_far_down_in_a_number_column_is_found(write: Write) -> None:
    path = write('{"x": 1.5, "y": "a"}\n' * 200_000 + '{"x": "two", "y": "b"}\n')
    with pytest.raises(InputError, match=r"line 1 has a number and line 200001 has a text\. --ignore x leaves it out"):
        use(path)


# --- mutated files: what Python's json reads, value for value, or refused ---

FILES = (
    GOOD,
    '{"x":1,"y":"b c"}\r\n{"x":null,"y":"d \\"q\\" e"}\r\n{"y":"é","x":-7}\r\n',
    '{"p": true, "q": 12345678}\n\n{"q": 0.5, "p": false}\n{"p": null, "q": 1e3, "r": "late"}\n',
)
PIECES = (
    '"',
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "\r",
    " ",
    "null",
    "NaN",
    "true",
    "0",
    "-",
    ".",
    "e",
    "\\",
    "é",
    "{}",
)


@pytest.mark.parametrize("seed", range(10))
def test_a_mutated_file_is_read_as_python_reads_it_or_refused_with_the_reason(write: Write, seed: int) -> None:
    rng = random.Random(seed)
    accepted = 0
    for _ in range(30):
        text = mutated(rng, FILES, PIECES)
        path = write(text)
        try:
            file = JsonLinesTable(path)
            table = file.read(file.names)
        except InputError as error:
            assert "\n" not in str(error)
            assert "can't be read as JSON lines" not in str(error), f"unexplained: {text!r}"
            continue
        accepted += 1
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        assert table.names == tuple(dict.fromkeys(key for row in rows for key in row)), text
        for found in table.columns:
            wanted = [row.get(found.name) for row in rows]
            assert listed(found) == wanted, text
            kinds = {float if type(value) is int else type(value) for value in wanted if value is not None}
            assert kinds <= {{"O": str, "b": bool, "f": float}[found.values.dtype.kind]}, text
    assert accepted < 30  # the mutations do harm
