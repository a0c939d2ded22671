"""One table in every form that is read: a model trained on one form takes all others, columns by name."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fromlogits.cli.main import run

ROWS = [{"size": row % 7, "weight": row * 0.37, "kind": "ab"[row % 2]} for row in range(60)]


def csv() -> None:
    lines = [",".join(ROWS[0]), *(",".join(map(str, row.values())) for row in ROWS)]
    Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def json_lines() -> str:
    return "".join(json.dumps(dict(reversed(row.items()))) + "\n" for row in ROWS)  # in another order


def parquet() -> None:
    import duckdb

    csv()
    with duckdb.connect() as connection:
        connection.execute("copy (select kind, size, weight from 't.csv') to 't.parquet' (format parquet)")


def arrow(name: str, *, is_stream: bool = False) -> None:
    import pyarrow as pa

    table = pa.table({column: [row[column] for row in ROWS] for column in ("weight", "kind", "size")})
    with (pa.ipc.new_stream if is_stream else pa.ipc.new_file)(name, table.schema) as file:
        file.write_table(table, max_chunksize=7)


def feather() -> None:
    import pyarrow as pa
    import pyarrow.feather

    kinds = pa.array([row["kind"] for row in ROWS]).dictionary_encode()
    table = pa.table({"kind": kinds, **{name: [row[name] for row in ROWS] for name in ("size", "weight")}})
    pyarrow.feather.write_feather(table, "t.feather", compression="zstd")


FORMS: dict[str, Callable[[], Any]] = {
    "t.csv": csv,
    "t.jsonl": lambda: Path("t.jsonl").write_text(json_lines(), encoding="utf-8"),
    "t.ndjson.gz": lambda: Path("t.ndjson.gz").write_bytes(gzip.compress(json_lines().encode())),
    "t.parquet": parquet,
    "t.arrow": lambda: arrow("t.arrow"),
    "t.arrows": lambda: arrow("t.arrows", is_stream=True),
    "t.feather": feather,
}


def fromlogits(command: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run(shlex.split(command)) == 0, command
    return out.getvalue()


@pytest.mark.usefixtures("open_database")
@pytest.mark.parametrize("form", FORMS)
def test_a_model_takes_rows_in_every_form_whatever_form_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for make in FORMS.values():
        make()
    fromlogits(f"train {form} --target kind --layers 8 --epochs 3 --quiet -o m.safetensors")
    for other in FORMS:
        fromlogits(f"predict m.safetensors {other} -o {other}.csv")
        assert Path(f"{other}.csv").read_bytes() == Path("t.csv.csv").read_bytes()
        report = json.loads(fromlogits(f"evaluate m.safetensors {other} --json"))
        assert report["rows"] == len(ROWS)


@pytest.mark.parametrize("form", FORMS)
def test_the_weights_do_not_depend_on_the_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    from fromlogits import model_file

    monkeypatch.chdir(tmp_path)
    csv()
    FORMS[form]()
    for name in dict.fromkeys(("t.csv", form)):
        fromlogits(f"train {name} --target kind --ignore size --layers 8 --epochs 3 --quiet -o m{name}.safetensors")
    _, ours = model_file.load_model(f"m{form}.safetensors")
    _, theirs = model_file.load_model("mt.csv.safetensors")

    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
