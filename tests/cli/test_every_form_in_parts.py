"""Predictions from JSON lines, Arrow, svmlight and .npz in parts are those of the whole file: bits, notes, refusals.

As in test_predict_in_parts.py, damaged and odd files are predicted read whole, and read in parts of a few rows.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fromlogits.cli.main import run

pytestmark = pytest.mark.usefixtures("open_database")
Outcome = tuple[int, str, str]
COLOURS = ("red", "green", "blue")
JSON_WORDS = (
    *("null", "true", "false", "1e400", "9007199254740993", "12345678901234567890123", "-0", "1e3", "0.1", "7"),
    *('"red"', '"mauve"', '"yes"', '"12"', '""', '"caf\\u00e9"', '"\\ud83d"', "[1]", '{"a": 1}', "NaN", "x"),
    *("1,", "01"),
)  # fmt: skip
SVMLIGHT_WORDS = (
    *("3:1", "1:2 1:3", "0:1", "9:4", "20000:1.5", "2:nan", "2:1e400", "2:x", "2", "# 3", "\n", "4:9007199254740993"),
    *("2:1 # seen", "5:0", "1,2", "qid:3", "\0", "café", " ", ""),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each kind of features: a table, rows of svmlight counted from 1, numbers, and pictures."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    (folder / "table.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows_of(rng, 200)), encoding="utf-8")
    (folder / "sparse.svm").write_text("\n".join(svmlight_rows(rng, 200)) + "\n", encoding="utf-8")
    y = rng.integers(0, 2, 200)
    np.savez(folder / "numbers.npz", X=rng.normal(size=(200, 3)), y=y)
    np.savez(folder / "pictures.npz", X=rng.integers(0, 256, (200, 2, 3), np.uint8), y=y)
    for name in ("table.jsonl", "sparse.svm", "numbers.npz", "pictures.npz"):
        options = "--target y --id nr" * (name == "table.jsonl")
        command = f"train {folder / name} {options} -o {folder / name.partition('.')[0]} --layers 8 --epochs 2"
        assert run(command.split()) == 0
    return folder


def rows_of(rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
    return [
        {
            "nr": 1000 + row, "u": round(float(rng.normal()), 3), "gap": None if rng.random() < 0.2 else row / 7,
            "colour": COLOURS[rng.integers(3)], "fine": bool(rng.integers(2)), "word": ("yes", "no")[rng.integers(2)],
            "y": "ab"[row % 2],
        }
        for row in range(n)
    ]  # fmt: skip


def svmlight_rows(rng: np.random.Generator, n: int) -> list[str]:
    return [
        f"{row % 2} " + " ".join(f"{index}:{rng.normal():.2f}" for index in range(1, 8) if rng.random() < 0.4)
        for row in range(n)
    ]


def outcome(command: str, capsys: pytest.CaptureFixture[str]) -> Outcome:
    capsys.readouterr()
    code = run(command.split())
    return code, *capsys.readouterr()


def both_ways(command: str, rows: int, capsys: pytest.CaptureFixture[str]) -> tuple[Outcome, Outcome]:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("json_lines", "arrow", "sources"):
            patch.setattr(f"fromlogits.data.{module}.rows_of_a_part", lambda *_: rows)
        patch.setattr("fromlogits.data.files.CHUNK_BYTES", 20 * rows)
        streamed = outcome(command, capsys)
        patch.setattr("fromlogits.data.sources.STREAMED", ())
        return streamed, outcome(command, capsys)


def assert_alike(
    model: Path, path: Path, contents: Iterator[tuple[bytes, str]], least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the contents ends in the same way, and each end is met so often."""
    codes = {0: 0, 2: 0}
    for number, (content, more) in enumerate(contents):
        path.write_bytes(content)
        streamed, whole = both_ways(f"predict {model} {path} {more}", (1, 2, 3, 5)[number % 4], capsys)
        assert streamed == whole, (number, content[:1000], more)
        codes[whole[0]] += 1
    assert min(codes.values()) >= least, codes


def json_files() -> Iterator[tuple[bytes, str]]:
    rng, choose = np.random.default_rng(1), random.Random(1)
    for number in range(150):
        names = ["nr", "u", "gap", "colour", "fine", "word"]
        cells = [{name: json.dumps(value) for name, value in row.items()} for row in rows_of(rng, 14)]
        for _ in range(number % 3):
            cells[choose.randrange(14)][choose.choice(names)] = choose.choice(JSON_WORDS)
        if number % 4 == 0:
            name, word = choose.choice(names), choose.choice(JSON_WORDS)
            for cell in cells[choose.randrange(14) :]:
                cell[name] = word
        if number % 9 == 0:
            del cells[choose.randrange(14)][choose.choice(names)]
        if number % 10 == 0:
            for cell in cells:
                cell["nr"] = choose.choice(("1", "12345678901234567890", "123456789012345678901234567890123456789012"))
        lines = ["{" + ", ".join(f'"{name}": {text}' for name, text in cell.items()) + "}" for cell in cells]
        if number % 7 == 0:
            lines.insert(choose.randrange(14), "")
        if number % 11 == 0:
            lines[choose.randrange(14)] = '{"u": 1, "later": 2}'
        content = "\n".join(lines).encode()
        if number % 13 == 0:
            place = choose.randrange(len(content))
            content = content[:place] + choose.choice((b"\xff", b"\0", b"", b",")) + content[place + 1 :]
        more = f"--keep nr,{choose.choice(names)}" * (number % 3 == 0) + " --missing NA,mauve" * (number % 2)
        yield content, more + " --logits" * (number % 5 == 0) + " --json" * (number % 6 == 0)


def test_json_lines(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_alike(folder / "table", tmp_path / "t.jsonl", json_files(), 40, capsys)


def test_packed_json_lines_with_numbers_as_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f"{json.dumps({**row, 'u': str(row['u'])})}\n" for row in rows_of(np.random.default_rng(2), 50))
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    for more, code in (("--numeric u", 0), ("", 2)):
        streamed, whole = both_ways(f"predict {folder / 'table'} {tmp_path / 't.jsonl.gz'} {more}", 7, capsys)
        assert streamed == whole
        assert streamed[0] == code


def arrow_files(path: Path) -> Iterator[tuple[bytes, str]]:
    import pyarrow as pa

    rng, choose = np.random.default_rng(3), random.Random(3)
    for number in range(120):
        columns = {name: [row[name] for row in rows_of(rng, 40)] for name in rows_of(rng, 1)[0]}
        if number % 3 == 0:
            name = choose.choice(("u", "gap"))
            columns[name][choose.randrange(40)] = choose.choice((float("inf"), float("nan"), 1e300))
        if number % 5 == 0:
            columns["colour"][30] = choose.choice(("NA", "mauve", "", "café"))
        arrays: dict[str, Any] = dict(columns)
        arrays["exact"] = pa.array([2**53 + row for row in range(40)])
        arrays["long"] = pa.array([10**20 * (row > 30) + row for row in range(40)], pa.decimal128(30, 0))
        arrays["short"] = pa.array([row if row % 3 else None for row in range(40)], pa.decimal128(30, 0))
        arrays["none"] = pa.nulls(40)
        arrays["day"] = pa.array(range(40), pa.date32())
        arrays["colour"] = pa.array(columns["colour"]).dictionary_encode() if number % 2 else columns["colour"]
        if number % 7 == 0:
            arrays["u"] = arrays[choose.choice(("exact", "long", "short", "none", "day"))]
        table = pa.table(arrays)
        options = pa.ipc.IpcWriteOptions(compression="zstd" if number % 4 == 0 else None)
        make = pa.ipc.new_stream if number % 3 == 0 else pa.ipc.new_file
        with make(path, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=None if number % 2 else 11)
        content = path.read_bytes()
        if number % 4 == 1:
            place = choose.randrange(len(content))
            content = content[:place] + bytes([choose.randrange(256)]) + content[place + 1 :]
        keep = choose.choice(("exact", "long", "short", "none", "day", "long,colour,nr", "y"))
        yield content, f"--keep {keep}" * (number % 3 > 0) + " --missing NA" * (number % 2)


def test_arrow(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    assert_alike(folder / "table", tmp_path / "t.arrow", arrow_files(tmp_path / "whole"), 25, capsys)


def svmlight_files() -> Iterator[tuple[bytes, str]]:
    rng, choose = np.random.default_rng(4), random.Random(4)
    for number in range(200):
        lines = svmlight_rows(rng, 14)
        for _ in range(number % 3):
            place, word = choose.randrange(14), choose.choice(SVMLIGHT_WORDS)
            lines[place] = f"{lines[place]} {word}" if choose.random() < 0.5 else word
        if number % 7 == 0:
            lines[5:5] = [""] * choose.randrange(1, 4)
        yield "\n".join(lines).encode(), "--json" * (number % 6 == 0)


def test_svmlight(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_alike(folder / "sparse", tmp_path / "t.svm", svmlight_files(), 60, capsys)


@pytest.mark.parametrize("first", [0, 1])
def test_what_indices_count_from_is_asked_of_the_whole_file_by_a_model_of_other_files(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], first: int
) -> None:
    path = tmp_path / "t.svm.gz"
    path.write_bytes(gzip.compress(f"0 1:1\n1 2:1\n0\n\n1 {first}:3 2:2\n1 9:1\n".encode()))
    streamed, whole = both_ways(f"predict {folder / 'numbers'} {path}", 1, capsys)
    assert streamed == whole
    assert streamed[0] == 0
    assert f"indices count from {first}" in streamed[2]
    assert "(1 of 5 values)" in streamed[2]


def npz_files(path: Path, name: str) -> Iterator[tuple[bytes, str]]:
    rng, choose = np.random.default_rng(5), random.Random(5)
    for number in range(150):
        X: Any = rng.normal(size=(14, 3)) * 100
        if name == "pictures":
            X = rng.integers(0, 256, (14, 2, 3), np.uint8)
        elif number % 3 == 0:
            X[choose.randrange(14), 1] = choose.choice((np.nan, np.inf, -np.inf, 1e300))
        if number % 7 == 0:
            types: tuple[Any, ...] = (np.int64, np.float16, ">f4", bool, "U", complex, np.uint64)
            with np.errstate(all="ignore"):
                X = X.astype(choose.choice(types))
        if number % 11 == 0:
            X = choose.choice((X[:0], X[0], X[..., :1], np.asfortranarray(X), X.reshape(14, 3, -1), X[:, :0]))
        arrays: dict[str, Any] = {"X": X}
        if number % 5 == 0 and number % 3:  # of names and infinity, both at fault, it is open which is said
            arrays["features"] = np.array(choose.choice((["a", "b", "c"], ["a", "b"], ["a", "a", "b"])))
        (np.savez, np.savez_compressed)[number % 2](path, **arrays)
        content = path.read_bytes()
        if (number % 2 and choose.random() < 0.5) or number % 4 == 0:
            place = choose.randrange(len(content))
            content = content[:place] + bytes([choose.randrange(256)]) + content[place + 1 :]
        yield content, "--logits" * (number % 6 == 0)


@pytest.mark.parametrize("name", ["numbers", "pictures"])
def test_npz(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert_alike(folder / name, tmp_path / "t.npz", npz_files(tmp_path / "whole.npz", name), 30, capsys)


@pytest.mark.parametrize("form", ["t.jsonl", "t.arrow", "t.svm", "t.npz"])
def test_a_part_is_all_that_is_read_before_the_first_prediction(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """No test of memory: of 4000 rows in parts of 10, few are there when the first is predicted."""
    from fromlogits.data.reading import Reading
    from fromlogits.opening import open_model, stream_unlabelled

    rng, path = np.random.default_rng(6), tmp_path / form
    model = {"t.svm": "sparse", "t.npz": "numbers"}.get(form, "table")
    if form == "t.jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows_of(rng, 4000)), encoding="utf-8")
    elif form == "t.arrow":
        pa = pytest.importorskip("pyarrow")
        table = pa.Table.from_pylist(rows_of(rng, 4000))
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    elif form == "t.svm":
        path.write_text("\n".join(svmlight_rows(rng, 4000)), encoding="utf-8")
    else:
        np.savez_compressed(path, X=rng.normal(size=(4000, 3)))
    for module in ("json_lines", "arrow", "sources"):
        monkeypatch.setattr(f"fromlogits.data.{module}.rows_of_a_part", lambda *_: 10)
    monkeypatch.setattr("fromlogits.data.files.CHUNK_BYTES", 500)

    stream = stream_unlabelled(open_model(str(folder / model), None), str(path), Reading(), [])
    sizes = [len(part) for part in stream.parts()]

    assert sum(sizes) == 4000
    assert max(sizes) <= 50
