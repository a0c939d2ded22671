"""Predictions from a table that is read in parts are those of the whole one: rows, bits, notes and refusals.

A row of some cells is changed to what may be found in real files; the same file is then predicted read whole, and read
in parts of a few rows.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fromlogits.cli.main import run

pytestmark = pytest.mark.usefixtures("open_database")
N_ROWS = 14
WORDS = (
    *("", "", "", " ", "nan", "inf", "-inf", "1e400", "1e300", "-1e39", "01", "+-1", "1_000", "0x1F", "1e3", " 5 "),
    *("7", "0", "1", "1.0", "40000", "9007199254740993", '"1,5"', '"2,25"', '"1,000"', "3;4", "1.5"),
    *("yes", "no", "True", "FALSE", "t", "f", "y", "n", "maybe", "red", "green", "Red", "unseen", "café", "NA", "?"),
    *("2024-01-31", "2024-13-01", "14:30", '"two\nlines"', '"he said ""no"""', '"', 'a"b', '"x" "y"', ",", "\t"),
)  # fmt: skip
SEPARATORS = (",", ",", ",", ";", "\t")


def numbers(rng: np.random.Generator, row: int) -> list[str]:
    return [f"{rng.normal():.3f}", str(rng.integers(200)), f"{rng.normal():.2f}", "ab"[row % 2]]


def mixed(rng: np.random.Generator, row: int) -> list[str]:
    gap = "" if rng.random() < 0.2 else f"{rng.normal():.2f}"
    date = f"20{rng.integers(10, 30)}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02}"
    colour = ("red", "green", "blue")[rng.integers(3)]
    return [
        f"id{row}", f"{rng.normal():.3f}", gap, colour, date, ("yes", "no")[rng.integers(2)], str(rng.integers(1, 6)),
        str(rng.integers(0, 300)), "ab"[row % 2],
    ]  # fmt: skip


def pixels(rng: np.random.Generator, row: int) -> list[str]:
    return [*(str(rng.integers(256)) for _ in range(4)), "ab"[row % 2]]


TABLES: dict[str, tuple[list[str], Callable[[np.random.Generator, int], list[str]], str]] = {
    "numbers": (["u", "v", "w", "y"], numbers, ""),
    "mixed": (["nr", "u", "gap", "colour", "day", "fine", "level", "count", "y"], mixed, "--id nr"),
    "pictures": ([f"pixel_{row}_{column}" for row in range(2) for column in range(2)] + ["y"], pixels, ""),
}


def written(names: list[str], rows: list[list[str]], separator: str = ",") -> str:
    return "".join(f"{separator.join(row)}\n" for row in (names, *rows))


@pytest.fixture(scope="module", params=TABLES)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    names, row, options = TABLES[request.param]
    rng = np.random.default_rng(0)
    (folder / "train.csv").write_text(written(names, [row(rng, k) for k in range(200)]), encoding="utf-8")
    command = f"train {folder}/train.csv --target y {options} -o {folder}/m.safetensors --layers 8 --epochs 2 --seed 0"
    assert run(command.split()) == 0
    return request.param, folder / "m.safetensors"


def mutants(table: str, count: int) -> Iterator[bytes]:
    names, make, _ = TABLES[table]
    rng, choose = np.random.default_rng(1), random.Random(1)
    for number in range(count):
        rows = [make(rng, k) for k in range(N_ROWS)]
        for _ in range(number % 4):
            rows[choose.randrange(N_ROWS)][choose.randrange(len(names))] = choose.choice(WORDS)
        if number % 5 == 0:  # the same word in a column from some row on
            column, word = choose.randrange(len(names)), choose.choice(WORDS)
            for row in rows[choose.randrange(N_ROWS) :]:
                row[column] = word
        if number % 11 == 0:
            column = choose.randrange(len(names) - 1)
            for row in rows:
                row[column] = choose.choice(("yes", "no", "1", "0", "True", "", "t"))
        if number % 13 == 0:
            column = choose.randrange(len(names) - 1)
            for row in rows:
                row[column] = choose.choice(("3", '"1,5"', '"2,75"', "", "4"))
        separator = choose.choice(SEPARATORS)
        if separator != ",":
            rows = [
                [cell.strip('"') if cell.count('"') == 2 and "\n" not in cell else cell for cell in row] for row in rows
            ]
        text = written(names, rows, separator)
        lines = text.split("\n")
        if number % 7 == 0:
            lines.insert(choose.randrange(1, len(lines)), "")
        if number % 17 == 0:
            place = choose.randrange(1, len(lines))
            lines[place] += separator
        if number % 19 == 0:
            del lines[choose.randrange(len(lines))]
        content = ("\r\n" if number % 6 == 0 else "\n").join(lines).encode()
        if number % 23 == 0:
            place = choose.randrange(len(content))
            content = content[:place] + choose.choice((b"\xff", b"\0", b"")) + content[place + 1 :]
        yield content


def bare(cell: str) -> str:
    """Without quotes that another separator makes needless."""
    return cell.strip('"') if cell.count('"') == 2 and "\n" not in cell else cell


def outcome(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = run(command.split())
    return code, *capsys.readouterr()


def in_parts_of(rows: int, patch: pytest.MonkeyPatch) -> None:
    for module in ("tables", "parquet"):
        patch.setattr(f"fromlogits.data.{module}.rows_of_a_part", lambda *_: rows)


def both_ways(command: str, rows: int, capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str, str]]:
    found = []
    with pytest.MonkeyPatch.context() as patch:
        in_parts_of(rows, patch)
        found.append(outcome(command, capsys))
        patch.setattr("fromlogits.data.sources.STREAMED", ())
        found.append(outcome(command, capsys))
    return found


def test_every_mutant_ends_as_if_it_were_read_whole(
    trained: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, model = trained
    names = TABLES[table][0]
    capsys.readouterr()
    codes = {0: 0, 2: 0}
    for number, content in enumerate(mutants(table, 150)):
        path = tmp_path / "t.csv"
        path.write_bytes(content)
        more = f" --keep {names[number % len(names)]}" * (number % 3 == 0) + " --missing NA,?" * (number % 2)
        more += " --logits" * (number % 5 == 0) + " --json" * (number % 7 == 0)
        streamed, whole = both_ways(f"predict {model} {path}{more}", (1, 2, 3, 5)[number % 4], capsys)
        assert streamed == whole, (number, content.decode("utf-8", "replace"), more)
        codes[whole[0]] += 1
    assert min(codes.values()) >= 20, codes  # both ends are met


def test_a_packed_file_is_read_in_parts_too(
    trained: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, model = trained
    names, make, _ = TABLES[table]
    rng = np.random.default_rng(2)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(written(names, [make(rng, k) for k in range(50)]).encode()))
    capsys.readouterr()

    streamed, whole = both_ways(f"predict {model} {path}", 7, capsys)

    assert streamed == whole
    assert streamed[0] == 0
    assert streamed[1].count("\n") == 51


@pytest.mark.parametrize("word", ["", "inf", "café"])
def test_parquet_is_read_in_parts_to_the_same_end(
    trained: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, model = trained
    names, make, _ = TABLES[table]
    rng = np.random.default_rng(3)
    rows = [make(rng, k) for k in range(40)]
    for name in names[:-1]:
        columns: dict[str, Any] = {}
        for place, one in enumerate(names):
            cells = [row[place] for row in rows]
            if one == name:
                cells[25] = word
            columns[one] = _typed(cells)
        columns["exact"] = pa.array([2**53 + row for row in range(40)])
        columns["long"] = pa.array([10**20 + row for row in range(40)], pa.decimal128(30, 0))
        columns["short"] = pa.array([row if row % 3 else None for row in range(40)], pa.decimal128(30, 0))
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=11)
        capsys.readouterr()
        command = f"predict {model} {path} --keep exact,long,short,{name} --missing NA"
        streamed, whole = both_ways(command, 7, capsys)
        assert streamed == whole, name


def _typed(cells: list[str]) -> list[Any]:
    try:
        return [float(cell) if cell else None for cell in cells]
    except ValueError:
        return [cell or None for cell in cells]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["t", "f", "no", "yes"], "'t', 'yes' = 1 and 'f', 'no' = 0"),
        (["1", "0", "yes", "no"], "'1', 'yes' = 1 and '0', 'no' = 0"),
        (["yes", "yes", "no", None], "'yes' = 1 and 'no' = 0"),
        (["t", "f", "y", "n"], ""),  # either pair is yes and no, both are not
        (["1", "0", "1", "0"], ""),
        (["yes", "no", "yes", "maybe"], ""),
    ],
)
def test_yes_and_no_in_parquet_are_what_the_whole_column_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[Any], said: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.chdir(tmp_path)
    names = ["u", "fine", "y"]
    rng = np.random.default_rng(7)
    rows = [[f"{rng.normal():.3f}", ("yes", "no")[rng.integers(2)], "ab"[k % 2]] for k in range(200)]
    Path("train.csv").write_text(written(names, rows), encoding="utf-8")
    assert run(["train", "train.csv", "--target", "y", "-o", "m.safetensors", "--epochs", "1"]) == 0
    fine = [word for word in words for _ in range(10)]
    pq.write_table(pa.table({"u": rng.normal(size=40), "fine": fine}), "t.parquet")
    capsys.readouterr()

    streamed, whole = both_ways("predict m.safetensors t.parquet", 7, capsys)

    assert streamed == whole
    assert streamed[0] == (0 if said else 2)
    if said:
        assert streamed[2] == f"note: column 'fine' was read as {said}, as the model learned it.\n"


def test_typed_yes_and_no_are_the_words_that_the_model_learned_and_that_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(8)
    rows = [[f"{rng.normal():.3f}", ("yes", "no")[rng.integers(2)], "ab"[k % 2]] for k in range(200)]
    Path("train.csv").write_text(written(["u", "fine", "y"], rows), encoding="utf-8")
    assert (
        run(["train", "train.csv", "--target", "y", "--categorical", "fine", "-o", "m.safetensors", "--epochs", "1"])
        == 0
    )
    values = rng.normal(size=40)
    fine = [None if k == 20 else k % 3 == 0 for k in range(40)]
    pq.write_table(pa.table({"u": values, "fine": fine}), "typed.parquet")
    as_words = [None if one is None else ("no", "yes")[one] for one in fine]
    pq.write_table(pa.table({"u": values, "fine": as_words}), "words.parquet")
    capsys.readouterr()

    streamed, whole = both_ways("predict m.safetensors typed.parquet", 7, capsys)
    of_words, _ = both_ways("predict m.safetensors words.parquet", 7, capsys)

    assert streamed == whole
    assert streamed[:2] == of_words[:2]
    assert streamed[2].count("was read as True = 'yes' and False = 'no', as the model learned it") == 1


def test_a_long_record_in_a_late_part_is_read_with_a_larger_block(
    trained: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are short and a quoted value of many of them is not: the parser begins again, and no row comes twice."""
    monkeypatch.setattr("fromlogits.data.tables.MIN_BLOCK_BYTES", 1 << 16)
    table, model = trained
    names, make, _ = TABLES[table]
    rng = np.random.default_rng(4)
    rows = [[*make(rng, k), "short"] for k in range(30_000)]
    rows[29_000][-1] = '"' + "line\n" * 100_000 + '"'
    path = tmp_path / "t.csv"
    path.write_text(written([*names, "note"], rows), encoding="utf-8")
    capsys.readouterr()

    streamed, whole = both_ways(f"predict {model} {path}", 1000, capsys)

    assert streamed == whole
    assert streamed[0] == 0
    assert streamed[1].count("\n") == 30_001


def test_nothing_is_written_where_the_last_row_is_at_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    rows = [numbers(rng, k) for k in range(60)]
    Path("train.csv").write_text(written(["u", "v", "w", "y"], rows), encoding="utf-8")
    assert run(["train", "train.csv", "--target", "y", "-o", "m.safetensors", "--epochs", "1"]) == 0
    rows[-1][1] = "x"
    Path("t.csv").write_text(written(["u", "v", "w", "y"], rows), encoding="utf-8")
    capsys.readouterr()
    in_parts_of(7, monkeypatch)

    for output in ("", " -o p.csv"):
        code, out, err = outcome(f"predict m.safetensors t.csv{output}", capsys)
        assert (code, out) == (2, "")
        assert err == (
            "fromlogits: column 'v' must hold numbers; t.csv line 61 has 'x', which is not a number."
            " --missing x if it stands for no value; the model needs the column.\n"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors", "t.csv", "train.csv"]


def test_missing_and_unseen_values_of_all_parts_are_counted_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = TABLES["mixed"][0]
    rng = np.random.default_rng(6)
    rows = [mixed(rng, k) for k in range(200)]
    Path("train.csv").write_text(written(names, rows), encoding="utf-8")
    assert run(["train", "train.csv", "--target", "y", "--id", "nr", "-o", "m.safetensors", "--epochs", "1"]) == 0
    for k in (0, 5, 19):
        rows[k][names.index("colour")] = "mauve"
    rows[7][names.index("colour")] = ""
    Path("t.csv").write_text(written(names, rows[:20]), encoding="utf-8")
    in_parts_of(3, monkeypatch)
    for verb in ("predict", "evaluate"):
        capsys.readouterr()
        code, out, _ = outcome(f"{verb} m.safetensors t.csv --json", capsys)

        counts = {one["column"]: (one["missing"], one["unseen"]) for one in json.loads(out)["columns"]}
        assert code == 0
        assert counts["colour"] == (1, 3)
        assert counts["gap"] == (sum(row[2] == "" for row in rows[:20]), 0)
