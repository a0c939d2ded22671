"""A server answers soon after its start."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.serving.running import Kind, serving

MOST_TIMES = 10
"""As long as Python with NumPy takes, which nothing can be faster than; measured were 4.4 to 5.6 times."""


def seconds_of_numpy() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    return time.perf_counter() - start


def seconds_to_an_answer(kind: Kind) -> float:
    start = time.perf_counter()
    with serving(kind.path) as running:
        assert running.ask("GET", "/v2/health/ready").status == 200
        return time.perf_counter() - start


def test_the_first_answer_comes_soon_after_the_start(kinds: dict[str, Kind]) -> None:
    rounds = [(seconds_of_numpy(), seconds_to_an_answer(kinds["numbers"])) for _ in range(3)]
    of_numpy, to_an_answer = map(min, zip(*rounds, strict=True))  # the least: what else the machine does hinders both

    assert to_an_answer < MOST_TIMES * of_numpy, f"{to_an_answer / of_numpy:.1f} times: {rounds}"
