"""A process that saves two models in turn over one name, killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LONGEST_S = 0.02
"""Several saves long, so that a kill meets any moment of one."""


def kills(save: Callable[[Path, bool], None], name: str, rounds: int, seed: int) -> dict[str, int]:
    """In how many rounds the file was whole after SIGKILL, was neither model, and had another file beside it.

    Args:
        save: writes one model (False) or the other (True) over a file.
        name: of the file.
    """
    moments = random.Random(seed)
    found = {"rounds": rounds, "old": 0, "new": 0, "destroyed": 0, "left_a_file": 0}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, name)
        contents = {}
        for is_new in (False, True):
            save(path, is_new)
            contents[path.read_bytes()] = "new" if is_new else "old"
        assert len(contents) == 2, "the two models must differ"
        for _ in range(rounds):
            heard, say = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    save(path, False)
                    os.write(say, b".")
                    while True:
                        save(path, True)
                        save(path, False)
                finally:
                    os._exit(1)
            os.close(say)
            assert os.read(heard, 1) == b".", "the process ended by itself"
            os.close(heard)
            time.sleep(moments.uniform(0, LONGEST_S))
            os.kill(child, signal.SIGKILL)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, "it ended by itself"
            is_there = path.exists()
            found[contents.get(path.read_bytes(), "destroyed") if is_there else "destroyed"] += 1
            others = [entry for entry in path.parent.iterdir() if entry != path]
            found["left_a_file"] += bool(others)
            for entry in others:
                entry.unlink()
    return found
