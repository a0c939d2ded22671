"""No system call that fails in a save costs the last good file: real processes, real calls, on this file system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.saving.sweep import KINDS, built, preloaded


def test_whatever_system_call_fails_the_last_good_model_is_kept_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = built(tmp_path)
    if shim is None:
        pytest.skip("a C compiler on Linux builds what makes the calls fail")
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    points = preloaded(shim, [sys.executable, "-m", "tests.saving.sweep"])["points"]

    assert {point["kind"] for point in points} == set(KINDS)
    assert {"write", "fsync", "link", "rename"} <= {point["call"] for point in points}
    assert [point for point in points if point["became"] == "destroyed" or point["left"]] == []
    assert [point for point in points if not point["raised"] and point["became"] != "new"] == []  # none is silent
