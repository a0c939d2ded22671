"""Hands files to workers, several at a time, and counts what came of them."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .judge import VERDICTS, Outcome, Worker
from .kinds import Mutant, mutant
from .models import smallest, sound_models

Numbered = tuple[int | None, Mutant]
"""A mutant and its index among the drawn ones, if it is one of them."""


@dataclass(frozen=True)
class Finding:
    """A file that did not do what it must."""

    index: int | None
    about: str
    fault: str
    message: str


@dataclass
class Tally:
    """What came of many files."""

    count: int = 0
    refused: int = 0
    slowest: float = 0.0
    most_beyond: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, index: int | None, made: Mutant, outcome: Outcome) -> None:
        self.count += 1
        self.refused += outcome.was_refused
        self.slowest = max(self.slowest, outcome.seconds)
        self.most_beyond = max(self.most_beyond, outcome.peak_bytes - 4 * len(made.content))
        if index is not None:
            self.kinds[made.about.split(" of ")[0]] += 1
        if outcome.fault:
            self.faults[outcome.fault] += 1
            self.findings.append(Finding(index, made.about, outcome.fault, outcome.message))

    def to_json(self) -> dict[str, Any]:
        return {
            "files": self.count,
            "refused": self.refused,
            "faults": {verdict: self.faults[verdict] for verdict in VERDICTS},
            "slowest_s": round(self.slowest, 3),
            "most_bytes_beyond_4_times_the_file": self.most_beyond,
            "kinds": dict(sorted(self.kinds.items())),
        }


def hunt(mutants: Iterable[Numbered], workers: int, seen: Callable[[Outcome], None] = lambda outcome: None) -> Tally:
    """Load each of them in a worker."""
    tally, lock, source = Tally(), threading.Lock(), iter(mutants)

    def lane(number: int) -> None:
        sound = [(Path(folder, f"{model.name}.sound"), model.row) for model in sound_models()]
        worker, path = Worker(sound), Path(folder, f"mutant-{number}")
        try:
            while True:
                with lock:
                    following = next(source, None)
                if following is None:
                    return
                index, made = following
                path.write_bytes(made.content)
                outcome = worker.judge(path, made.expected, made.row)
                with lock:
                    tally.add(index, made, outcome)
                    seen(outcome)
        finally:
            worker.close()

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        for model in sound_models():
            Path(folder, f"{model.name}.sound").write_bytes(model.content)
        for done in [pool.submit(lane, number) for number in range(workers)]:
            done.result()
    return tally


def drawn(seed: int, indices: Iterable[int]) -> Iterator[Numbered]:
    return ((index, mutant(seed, index)) for index in indices)


def prefixes() -> Iterator[Numbered]:
    """Every beginning of the smallest model."""
    model = smallest()
    for length in range(len(model.content)):
        yield None, Mutant(model.content[:length], "refused", f"the first {length} bytes", model.row)


def bit_flips() -> Iterator[Numbered]:
    """The smallest model with each of its bits flipped."""
    model = smallest()
    for bit in range(8 * len(model.content)):
        flipped = bytearray(model.content)
        flipped[bit // 8] ^= 1 << bit % 8
        yield None, Mutant(bytes(flipped), "refused", f"bit {bit} flipped", model.row)
