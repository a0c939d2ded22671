from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fromlogits.data.json_lines as json_lines
from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.json_lines import JsonLinesTable
from fromlogits.data.sources import Dataset, read
from fromlogits.data.table import Column, Table
from fromlogits.data.targets import TargetEncoder
from fromlogits.errors import InputError

GOOD = '{"x": 1, "y": "a"}\n{"x": 2.5, "y": "b"}\n{"x": -3e0, "y": "a"}\n'

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str = "t.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def use(path: Path, target: str | None = "y", **options: Any) -> Dataset:
    """Read a file and fit both encoders, as training does."""
    dataset = read(path, target=target, **options)
    FeatureEncoder.fit(dataset.features).encode(dataset.features)
    if dataset.targets is not None:
        TargetEncoder.fit(dataset.targets).encode(dataset.targets)
    return dataset


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
        use(write('{"x": "12", "y": 0}\n{"x": "13", "y": 1}\n'))
    assert str(caught.value) == (
        "column 'x' must hold numbers; it holds text, such as '12' at t.jsonl line 1. --ignore x leaves it out."
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
    monkeypatch.setattr(json_lines, "SAMPLE_BYTES", 20)
    path = write('{"x": 1, "y": "é"}\n{"x": 2, "y": null}\n{"x": 3, "late": "b"}\n')
    table = JsonLinesTable(path)

    assert table.names == ("x", "y", "late")
    assert listed(table.read(["y"]).columns[0]) == ["é", None, None]
