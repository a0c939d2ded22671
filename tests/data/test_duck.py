"""Readers that share one database, as those of a server do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fromlogits.data import duck
from fromlogits.data.sources import read


def test_readers_of_a_kept_database_do_not_see_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck, "_is_kept", True)
    paths = [tmp_path / f"{number}.csv" for number in range(40)]
    for number, path in enumerate(paths):
        path.write_text("a,b\n" + f"{number},{-number}\n" * (1 + number), encoding="utf-8")

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda path: read(str(path), labelled=False).features, paths))

    for number, table in enumerate(found):
        values = [column.values.tolist() for column in table.columns]  # type: ignore[union-attr]
        assert values == [[number] * (1 + number), [-number] * (1 + number)]


def test_a_kept_database_outlives_a_reader_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck, "_is_kept", True)
    with duck.connect() as one, pytest.raises(Exception, match="nowhere"):
        one.execute("select * from nowhere")
    with duck.connect() as other:
        assert other.execute("select current_setting('enable_progress_bar')").fetchall() == [(False,)]
        other.execute("create temp table mine (x int)")
        with duck.connect() as third, pytest.raises(Exception, match="mine"):
            third.execute("select * from mine")
