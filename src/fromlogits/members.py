"""Members: the networks of one classifier, side by side over one copy of the data.

Each has the bits that it would have alone: threads, other members and the order of things change none of them.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import training
from .data.features import EncodedRows
from .data.label_sets import SparseLabels
from .engines.base import UNWEIGHTED, Engine, Parameters, Weights
from .errors import DivergedError, InputError
from .heads import HEADS
from .spec import HeadName, Members, Plan
from .training import Callback, EpochRecord, History, Progress, Validation

MEMBER_STREAM = 5
"""Last word of the generator's counter; 1 is weights, 2 the row order, 3 dropout, 4 splits."""
MAX_THREADS = 64
"""As many as a team of the core has at most."""
WATCH_S = 0.1
"""How often the observer looks at the members."""


def seeds(seed: int, ensemble: int) -> tuple[int, ...]:
    """The seed of each round: the first is `seed` itself, so that one round is no ensemble, bit for bit.

    Round i > 0 has 63 bits of the first word of NumPy's Philox with key `seed` and counter (0, 0, i, 5), whose raw
    stream is fixed for all versions. All labels of a round share their seed: each is what it would be alone.
    """
    words = [np.random.Philox(key=seed, counter=[0, 0, i, MEMBER_STREAM]).random_raw() for i in range(1, ensemble)]
    return (seed, *(int(word) >> 1 for word in words))


@dataclass(frozen=True)
class Member:
    """One trained network of a classifier.

    Attributes:
        label: the one it answers for; None where it answers for all.
        seed: of its weights, row order and dropout.
        metric: what its epochs were judged by.
        history: of its training.
        parameters: per layer, float32 weights (h, d) and biases (h,).
    """

    label: Any
    seed: int
    metric: str
    history: History
    parameters: Parameters = dataclasses.field(repr=False, compare=False)

    @property
    def n_epochs(self) -> int:
        """How many were run."""
        return self.history.epochs[-1].epoch if self.history.epochs else 0

    @property
    def best_epoch(self) -> int:
        """The one that is kept, from 1."""
        return self.history.best_epoch


@dataclass(frozen=True)
class Untrained:
    """A member before its training.

    Attributes:
        name: how a message calls it.
        rows: numbers of those that it is trained on.
        targets, weights: all rows, as `Engine.train_span` takes them.
        validation: judges its epochs, or None.
    """

    name: str
    label: Any
    seed: int
    metric: str
    rows: NDArray[np.int64]
    targets: NDArray[Any] | SparseLabels
    validation: Validation | None
    weights: Weights = UNWEIGHTED

    @property
    def n_validation(self) -> int:
        """Rows that judge an epoch."""
        if self.validation is None:
            return 0
        return len(self.validation.features if self.validation.rows is None else self.validation.rows)


class Standing:
    """Where one of several members stands: written by its own thread, looked at by the observer.

    Args:
        name: how a message calls it.
        rows_total: rows of all max_epochs.
    """

    def __init__(self, name: str, rows_total: int) -> None:
        self.name, self.rows_total = name, rows_total
        self.progress: Progress | None = None
        self.last: EpochRecord | None = None
        self.best: EpochRecord | None = None
        self.history: History | None = None
        """Once it runs no more."""

    @property
    def is_done(self) -> bool:
        """Whether it came to its own end: one that was stopped did not."""
        return self.history is not None and self.history.is_done

    def progressed(self, progress: Progress) -> None:
        self.progress = progress

    def epoch_ended(self, record: EpochRecord) -> None:
        self.last = record
        if record.is_best:
            self.best = record


class Observer(training.Observer, Protocol):
    """Told of one network's spans and epochs, or asked to look at several; must not raise."""

    def looked(self, standings: Sequence[Standing]) -> None:
        """Of all members, about ten times a second, and once when all are done."""


class Silent(training.Silent):
    """The observer that says nothing."""

    def looked(self, standings: Sequence[Standing]) -> None: ...


@dataclass(frozen=True)
class Overview:
    """Several members at a glance."""

    done: int
    running: tuple[Standing, ...]
    rows_done: int
    rows_total: int
    rows_per_s: float
    seconds_left: float
    """Until max_epochs of every member; early stopping may come sooner."""

    @classmethod
    def of(cls, standings: Sequence[Standing]) -> Overview | None:
        """None before any has taken a step."""
        begun = [(one, progress) for one in standings if (progress := one.progress) is not None]
        if not begun:
            return None
        running = tuple(one for one, _ in begun if one.history is None)
        rows_done = sum(one.rows_total if one.is_done else progress.rows_done for one, progress in begun)
        rows_per_s = sum(progress.rows_per_s for one, progress in begun if one.history is None)
        rows_total = sum(one.rows_total for one in standings)
        left = (rows_total - rows_done) / rows_per_s if rows_per_s else 0.0
        return cls(sum(one.is_done for one, _ in begun), running, rows_done, rows_total, rows_per_s, left)


class Lines(training.Lines):
    """A line per epoch of one network; of several, where they stand; at most one a second, and the last one."""

    def looked(self, standings: Sequence[Standing]) -> None:
        now, seen = time.monotonic(), Overview.of(standings)
        if seen is not None and (now - self._written >= 1 or not seen.running):
            self._written = now
            self.say(f"{seen.done}/{len(standings)} networks done{epochs_of(seen, self.plan)}")


def epochs_of(seen: Overview, plan: Plan, most: int = 4) -> str:
    """Where those that run are: "; label 'car' in epoch 3, label 'bus' in epoch 4 of 20"; of many the first."""
    where = [f"{one.name} in epoch {one.progress.epoch}" for one in seen.running[:most] if one.progress is not None]
    more = f" and {len(seen.running) - most} more" if len(seen.running) > most else ""
    return f"; {', '.join(where)} of {plan.max_epochs}{more}" if where else ""


class Logits:
    """The trained networks as one: from features to the classifier's logits.

    Args:
        engines: of the members, in their order.
    """

    def __init__(self, engines: Sequence[Engine], head: HeadName, members: Members) -> None:
        self._engines, self._head = engines, HEADS[head]
        self._a_round = len(engines) // members.ensemble

    @property
    def n_rounds(self) -> int:
        return len(self._engines) // self._a_round

    @property
    def only(self) -> Engine | None:
        """The engine, where there is one."""
        return self._engines[0] if len(self._engines) == 1 else None

    def use_threads(self, n_threads: int) -> None:
        for engine in self._engines:
            engine.n_threads = n_threads

    def of_round(self, number: int, features: EncodedRows, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, c), not calibrated, of the networks of one round alone."""
        engines = self._engines[number * self._a_round : (number + 1) * self._a_round]
        return np.hstack([engine.logits(features, rows) for engine in engines])

    def of(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """(n, c), not calibrated. A row has the same bits alone or among any others."""
        columns = [self._head.combine(own) for own in self.of_each(features, rows)]
        return columns[0] if len(columns) == 1 else np.hstack(columns)

    def of_each(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> list[list[NDArray[np.float32]]]:
        """What the networks computed: for each label (or for all in one), the logits of every round."""
        return [
            [engine.logits(features, rows) for engine in self._engines[label :: self._a_round]]
            for label in range(self._a_round)
        ]


def train(
    untrained: Sequence[Untrained],
    engine_of: Callable[[int], Engine],
    features: EncodedRows,
    plan: Plan,
    n_threads: int,
    *,
    a_round: int,
    side_by_side: bool = True,
    observer: Observer | None = None,
    stop: Callable[[], str | None] = lambda: None,
    stop_at: float = math.inf,
    callback_of: Callable[[int], Callback] | None = None,
) -> tuple[list[Member], list[Engine]]:
    """Train every member, as many at a time as there are threads; each is what `training.train` makes of it alone.

    A stop is answered by each member as by one network: after its span it keeps its best epoch. A classifier stays
    whole: those of the first round that have not begun still take a first step. Of later rounds only those are kept
    whose every member has an epoch behind it; the others are left out.

    Args:
        untrained: round by round.
        engine_of: makes the engine of a number, initialised with its seed.
        features, plan: as for `training.train`.
        n_threads: shared among the members that run.
        a_round: members of a round.
        side_by_side: as `Engine.side_by_side`; False: one after another, each on all threads.
        observer, stop: as for `training.train`; with several members `stop` is asked from their threads.
        stop_at: when the last of them stops, by `time.perf_counter`. Each has an even share of what is left when it
            begins, so that on a machine that got slower all have fewer epochs, instead of the last ones none.
        callback_of: makes the callback of a number; with several members it is called from their threads.

    Returns:
        Whole rounds, the first at least, and the engines that trained them, ready to predict.

    Raises:
        DivergedError, InputError: of a member, which it names; the others are given up.
    """
    if len(untrained) == 1:
        engine = engine_of(0)
        callback = None if callback_of is None else callback_of(0)
        asked = _until(stop_at, stop)
        return [_train_one(untrained[0], engine, features, plan, observer or Silent(), asked, callback)], [engine]
    n_lanes = lanes(len(untrained), n_threads, side_by_side)
    all_of_them = _SideBySide(
        untrained, engine_of, features, plan, n_threads, n_lanes, a_round, stop, stop_at, callback_of
    )
    return all_of_them.run(observer or Silent())


def lanes(n_networks: int, n_threads: int, side_by_side: bool = True) -> int:
    """How many networks are trained at a time."""
    return max(1, min(n_networks, n_threads, MAX_THREADS)) if side_by_side else 1


def _until(stop_at: float, stop: Callable[[], str | None]) -> Callable[[], str | None]:
    """`stop`, which gives a reason once it is so late."""
    return lambda: stop() or ("time_limit" if time.perf_counter() >= stop_at else None)


def _train_one(
    untrained: Untrained,
    engine: Engine,
    features: EncodedRows,
    plan: Plan,
    observer: training.Observer,
    stop: Callable[[], str | None],
    callback: Callback | None,
) -> Member:
    history = training.train(
        engine, features, untrained.targets, untrained.rows, plan, untrained.seed,
        weights=untrained.weights, validation=untrained.validation, observer=observer, stop=stop, callback=callback,
    )  # fmt: skip
    engine.finish()  # before the copy of its parameters is made
    kept = tuple(dataclasses.replace(epoch, is_best=epoch.epoch == history.best_epoch) for epoch in history.epochs)
    history = dataclasses.replace(history, epochs=kept)
    return Member(untrained.label, untrained.seed, untrained.metric, history, engine.parameters())


class _GivenUp(Exception):
    """Another member failed, or the user wants no result any more."""


class _SideBySide:
    """Lanes of threads, each of which trains one member after another."""

    def __init__(
        self,
        untrained: Sequence[Untrained],
        engine_of: Callable[[int], Engine],
        features: EncodedRows,
        plan: Plan,
        n_threads: int,
        n_lanes: int,
        a_round: int,
        stop: Callable[[], str | None],
        stop_at: float,
        callback_of: Callable[[int], Callback] | None,
    ) -> None:
        self.untrained, self.engine_of, self.callback_of = untrained, engine_of, callback_of
        self.stop, self.stop_at = stop, stop_at
        self.features, self.plan = features, plan
        self.n_threads, self.a_round = min(n_threads, MAX_THREADS), a_round
        self.standings = [Standing(one.name, len(one.rows) * plan.max_epochs) for one in untrained]
        self.trained: list[tuple[Member, Engine] | None] = [None] * len(untrained)
        self._numbers = iter(range(len(untrained)))
        self._n_lanes = self._lanes = n_lanes
        self._running: dict[int, Engine] = {}
        self._lock = threading.Lock()
        self._is_given_up = threading.Event()

    def run(self, observer: Observer) -> tuple[list[Member], list[Engine]]:
        with ThreadPoolExecutor(self._lanes, thread_name_prefix="fromlogits-member") as pool:
            running: set[Future[None]] = {pool.submit(self._lane) for _ in range(self._lanes)}
            try:
                while running:
                    done, running = wait(running, timeout=WATCH_S, return_when=FIRST_EXCEPTION)
                    for lane in done:
                        lane.result()
                    observer.looked(self.standings)
            except BaseException:
                self._is_given_up.set()
                raise
        return self._whole_rounds()

    def _lane(self) -> None:
        while True:
            with self._lock:
                number = next(self._numbers, None)
                if number is None:
                    self._lanes -= 1
                    self._share()
                    return
            try:
                self._train(number)
            except DivergedError as error:
                message = f"{self.untrained[number].name}: {error}"
                raise DivergedError(message, error.step, error.last_finite_loss) from error
            except InputError as error:
                raise InputError(f"{self.untrained[number].name}: {error}") from error

    def _train(self, number: int) -> None:
        if number >= self.a_round and _until(self.stop_at, self._asked)() is not None:
            return
        now, n = time.perf_counter(), len(self.untrained)
        waves_left = -(-(n - number) // self._n_lanes)
        asked = _until(now + (self.stop_at - now) / waves_left, self._asked)
        engine = self.engine_of(number)
        with self._lock:
            self._running[number] = engine
            self._share()
        standing = self.standings[number]
        callback = None if self.callback_of is None else self.callback_of(number)
        member = _train_one(self.untrained[number], engine, self.features, self.plan, standing, asked, callback)
        self.trained[number], standing.history = (member, engine), member.history
        with self._lock:
            del self._running[number]

    def _asked(self) -> str | None:
        if self._is_given_up.is_set():
            raise _GivenUp
        return self.stop()

    def _share(self) -> None:
        """Every thread has work for as long as there is any: the last members to end take those of the others."""
        for place, engine in enumerate(self._running.values()):
            engine.n_threads = max(1, (self.n_threads + place) // self._lanes)

    def _whole_rounds(self) -> tuple[list[Member], list[Engine]]:
        members: list[Member] = []
        engines: list[Engine] = []
        for start in range(0, len(self.trained), self.a_round):
            ended = [one for one in self.trained[start : start + self.a_round] if one is not None]
            if start and (len(ended) < self.a_round or not all(member.history.has_an_epoch for member, _ in ended)):
                break
            members += [member for member, _ in ended]
            engines += [engine for _, engine in ended]
        return members, engines
