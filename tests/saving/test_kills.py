"""A process that is killed while it saves leaves the old model or the new one, whole."""

from __future__ import annotations

import os

import pytest

from tests.saving.kills import kills
from tests.saving.sweep import save_ours


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes of POSIX")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # the child only saves
def test_a_kill_at_any_moment_leaves_the_old_model_or_the_new_one_whole() -> None:
    found = kills(save_ours, "m.safetensors", rounds=30, seed=0)

    assert found["destroyed"] == 0
    assert found["old"] + found["new"] == 30
    assert found["left_a_file"] <= 2  # between link and rename, some microseconds, a copy has a second name
