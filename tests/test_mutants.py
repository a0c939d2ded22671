"""A few thousand of the mutants that `nox -s mutants` loads, every prefix and every flipped bit among them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.mutants.hunt import Numbered, bit_flips, drawn, hunt, prefixes
from tests.mutants.judge import VERDICTS, Worker
from tests.mutants.kinds import mutant
from tests.mutants.models import smallest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the memory of a worker is read from /proc")
SEED = 1


@pytest.mark.parametrize(
    "mutants", [prefixes(), bit_flips(), drawn(SEED, range(2_000))], ids=["prefixes", "bit flips", f"seed {SEED}"]
)
def test_a_mutated_model_file_is_refused_in_one_line_and_in_bounded_memory(mutants: Iterable[Numbered]) -> None:
    tally = hunt(mutants, workers=2)

    assert tally.count >= 1_000
    assert [finding for finding in tally.findings if finding.fault != "hang"] == []  # this machine may be busy


def test_the_judge_sees_what_is_wrong(tmp_path: Path) -> None:
    sound = smallest()
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(sound.content)
    bad.write_bytes(sound.content[:-1])
    worker = Worker([(good, sound.row)])
    try:
        assert worker.judge(good, "accepted", sound.row).fault is None
        assert worker.judge(bad, "refused", sound.row).fault is None
        assert worker.judge(good, "refused", sound.row).fault == "silent acceptance"
        assert worker.judge(bad, "accepted", sound.row).fault == "sound but refused"
        assert worker.judge(tmp_path / "none", "refused", sound.row).fault == "crash"  # the judge itself falls over
        assert worker.judge(good, "accepted", sound.row).fault is None
    finally:
        worker.close()
    assert set(VERDICTS) >= {"silent acceptance", "sound but refused", "crash"}


def test_a_seed_and_an_index_give_the_same_mutant() -> None:
    assert mutant(SEED, 7) == mutant(SEED, 7)
    assert len({mutant(SEED, index).content for index in range(200)}) > 150
