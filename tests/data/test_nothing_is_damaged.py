"""Mutated files: what the table reader accepts is what Python's csv module reads, or it is refused and explained."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from fromlogits.data.numbers import number_fault
from fromlogits.data.table import Table
from fromlogits.data.tables import TextTable
from fromlogits.errors import InputError
from tests.data.given import mutated

FILES = (
    'x,z,y\n1,2,a\n3,4.5,"b c"\n,6,"d ""q"" e"\n-7,8e2,"l1\nl2"\n9,10,f\n',
    'a;b\r\n1;"x;y"\r\n2;z\r\n',
    "p,q\n1,2\n3,4\n5,6\n",
)
PIECES = ('"', ",", "\n", "\r\n", "\r", ";", "\t", " ", '""', '"\n', "\n\n", '",', ',"', '" ', "0", "_", "-", "é", "x")


def check_against_csv(text: str, file: TextTable, table: Table) -> None:
    delimiter = file.dialect.delimiter
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    rows = list(reader)[1:]
    if len(file.names) > 1:
        rows = [row for row in rows if row]
    assert table.n_rows == len(rows)
    for position, column in enumerate(table.columns):
        for number, row in enumerate(rows):
            wanted = row[position].strip(" \t") if row else ""
            if column.missing is not None and column.missing[number]:
                assert wanted == ""
            elif column.is_numeric:
                assert number_fault(wanted) == ""
                assert column.values[number] == float(wanted)
            else:
                assert column.values[number].strip(" \t") == wanted
    assert [file.origin.line(row) for row in (0, table.n_rows - 1)]


@pytest.mark.parametrize("seed", range(10))
def test_a_mutated_file_is_read_right_or_refused_with_the_reason(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "t.csv"
    accepted = 0
    for _ in range(15):
        text = mutated(rng, FILES, PIECES)
        path.write_bytes(text.encode())
        try:
            file = TextTable(path)
            table = file.read(file.names)
        except InputError as error:
            assert "\n" not in str(error)
            assert "can't be read as a table" not in str(error), f"unexplained: {text!r}"
        else:
            accepted += 1
            check_against_csv(text, file, table)
    assert accepted < 15  # the mutations do harm
