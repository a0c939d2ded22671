"""A folder to work in, and the command line: what most tests of the verbs are given, as the fixture `here`."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from fromlogits.cli.main import run


class Here:
    """The current folder, which is the test's own, and `fromlogits` run there in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def ended(self, command: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of what is typed behind `fromlogits`."""
        code = run(shlex.split(command))
        out, err = self._capsys.readouterr()
        return code, out, err

    def __call__(self, command: str, code: int = 0) -> tuple[str, str]:
        """(standard output, standard error) of a command that ends so."""
        found, out, err = self.ended(command)
        assert found == code, err
        return out, err

    def json(self, command: str) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self(f"{command} --json")[0])
        return report

    def rows(self, command: str) -> list[dict[str, str]]:
        """Of the CSV that it prints."""
        return list(csv.DictReader(io.StringIO(self(command)[0])))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())
