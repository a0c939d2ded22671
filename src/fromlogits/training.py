"""The loop: epochs, schedule, early stopping, best epoch, history. It knows no engine by name."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .data.features import EncodedRows
from .data.label_sets import SparseLabels
from .engines.base import UNWEIGHTED, Engine, Parameters, Steps, Weights
from .errors import DivergedError, InputError
from .spec import Plan

TRIAL_ROWS = 1024
SPAN_S = 0.1
"""Work handed to the engine per call: short enough that Ctrl-C and the display feel immediate."""


@dataclass(frozen=True)
class Progress:
    """Where a running training stands, between two spans."""

    epoch: int
    max_epochs: int
    rows_done: int
    """Rows trained on since the start, over all epochs."""
    rows_total: int
    """Rows of all max_epochs."""
    rows_per_s: float
    seconds_left: float
    """Until max_epochs; early stopping may come sooner."""
    loss: float
    """Mean training loss of this epoch so far, in nats."""


@dataclass(frozen=True)
class EpochRecord:
    """One pass over the training rows (or the part of it before a stop)."""

    epoch: int
    loss: float
    """Mean over the rows of each row's weighted loss before the step that it took part in, in nats."""
    validation: float | None
    is_best: bool
    learning_rate: float
    """Of the epoch's last step."""
    network: str = ""
    """For a callback: which of several networks, as messages call it."""


@dataclass(frozen=True)
class History:
    """What happened: every epoch, the best one, and what ended the training."""

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    stopped_by: str
    """max_epochs, patience, callback, time_limit, interrupt (Ctrl-C) or terminate (SIGTERM); or partial_fit, whose
    passes are short ones over what it was given."""

    @property
    def is_done(self) -> bool:
        """Whether it came to its own end, and nothing from outside stopped it."""
        return self.stopped_by in ("max_epochs", "patience", "callback")

    @property
    def has_an_epoch(self) -> bool:
        """Whether a whole one is behind it."""
        return len(self.epochs) > 1 or self.is_done


class Observer(Protocol):
    """Told what happens; must not raise."""

    def progressed(self, progress: Progress) -> None: ...

    def epoch_ended(self, record: EpochRecord) -> None: ...


class Callback(Protocol):
    """Takes part in one network's training. What it raises ends the training, of which nothing is kept."""

    def epoch_begins(self, engine: Engine) -> None: ...

    def epoch_ended(self, record: EpochRecord, engine: Engine) -> bool:
        """Whether to stop; the best epoch so far is kept."""

    def training_ended(self) -> None: ...


class Silent:
    """The observer that says nothing."""

    def progressed(self, progress: Progress) -> None: ...

    def epoch_ended(self, record: EpochRecord) -> None: ...


class Lines:
    """A line per epoch to standard error, at most one a second, and the last one."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._written = -math.inf
        self._unwritten: EpochRecord | None = None

    def progressed(self, progress: Progress) -> None: ...

    def epoch_ended(self, record: EpochRecord) -> None:
        now = time.monotonic()
        self._unwritten = record
        if now - self._written >= 1:
            self._written = now
            self.finished()

    def finished(self) -> None:
        """Write the last epoch's line if it was held back."""
        if self._unwritten is not None:
            self.say(line(self._unwritten, self.plan))
        self._unwritten = None

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def line(record: EpochRecord, plan: Plan) -> str:
    """An epoch in words."""
    validation = "" if record.validation is None else f"  validation {plan.metric} {record.validation:.4f}"
    best = "  best" if record.is_best and record.validation is not None and plan.early_stopping else ""
    return f"epoch {record.epoch}/{plan.max_epochs}  loss {record.loss:.4f}{validation}{best}"


@dataclass(frozen=True)
class Validation:
    """Held-out rows and how they judge an epoch."""

    features: EncodedRows
    rows: NDArray[np.int64] | None
    """Numbers of the held-out rows; None: all rows of `features` are."""
    value: Callable[[NDArray[np.float32]], float | None]
    """The metric of these rows' logits; None where it is undefined."""
    is_better: Callable[[float, float], bool]


class StopOnSignal:
    """While inside, the first of these signals asks the training to stop after its span; a later one acts as usual.

    One that comes within `REPEAT_S` of the first is the same wish, said twice. Does nothing outside the main thread,
    where Python delivers no signals, nor where another program has set a handler of its own.

    Args:
        signals: which ones.
        heard: called at the first signal, from its handler.
    """

    REASONS = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminate"}  # noqa: RUF012
    REPEAT_S = 1.0

    def __init__(
        self, signals: Sequence[signal.Signals] = (signal.SIGINT,), heard: Callable[[], None] = lambda: None
    ) -> None:
        self.signals = signals
        self.heard = heard
        self.reason: str | None = None
        self._first_at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopOnSignal:
        if threading.current_thread() is threading.main_thread():
            for number in self.signals:
                if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def ask(self, reason: str) -> None:
        """What the first signal does, from any thread; does nothing where one has asked already."""
        if self.reason is None:
            self.reason, self._first_at = reason, time.monotonic()
            self.heard()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        which = signal.Signals(number)
        if self.reason is None:
            self.ask(self.REASONS[which])
        elif time.monotonic() - self._first_at >= self.REPEAT_S:
            signal.signal(number, self._before[which])
            signal.raise_signal(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def epoch_order(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows in this epoch's order: sorted by random 64-bit keys of a counter-based generator.

    The raw stream of NumPy's Philox is fixed for all versions, so the order depends on (seed, epoch, rows) alone.
    """
    keys = np.random.Philox(key=seed, counter=[0, epoch, 0, SHUFFLE_STREAM])
    return rows[np.argsort(keys.random_raw(len(rows)), kind="stable")]


SHUFFLE_STREAM = 2
"""Last word of the generator's counter; initialisation is 1, dropout 3."""


def scheduled(plan: Plan, first_step: int, count: int, total_steps: int) -> Steps:
    """The numbers of `count` steps from `first_step` on."""
    steps = np.arange(first_step, first_step + count)
    is_whole = plan.decay_schedule == "constant", plan.dropout_schedule == "constant"
    return Steps(
        plan.learning_rate * _share(plan.schedule, steps, total_steps),
        None if is_whole[0] else _share(plan.decay_schedule, steps, total_steps),
        None if is_whole[1] else plan.dropout * _share(plan.dropout_schedule, steps, total_steps),
    )


def _share(schedule: str, steps: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """What a number of the plan is times in these steps, by their share t of all; `Plan` describes the curves.

    Source of coslog4 and flat_cosine: Holzmüller et al., NeurIPS 2024.
    """
    t = steps / total
    curves: dict[str, Callable[[], NDArray[np.float64]]] = {
        "constant": lambda: np.ones(len(t)),
        "cosine": lambda: 0.5 * (1 + np.cos(np.pi * steps / total)),
        "coslog4": lambda: 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * t))),
        "flat_cosine": lambda: 0.5 * (1 + np.cos(np.pi * (np.maximum(1, 2 * t) - 1))),
    }
    return np.asarray(curves[schedule]())


def train(
    engine: Engine,
    features: EncodedRows,
    targets: NDArray[Any] | SparseLabels,
    rows: NDArray[np.int64],
    plan: Plan,
    seed: int,
    *,
    weights: Weights = UNWEIGHTED,
    validation: Validation | None = None,
    observer: Observer | None = None,
    stop: Callable[[], str | None] = lambda: None,
    callback: Callback | None = None,
) -> History:
    """Train the engine's network on `rows` and leave it with the best epoch's parameters.

    Args:
        engine: initialised; its parameters are where the training begins.
        features, targets, weights: all rows, as `Engine.train_span` takes them.
        rows: numbers of the rows to train on.
        validation: judges each epoch; without it the last epoch is the best one.
        stop: asked between spans; a reason (a word) ends the training, and what was reached is judged and kept.

    Raises:
        DivergedError: the loss, or the validation metric, is no longer a finite number.
    """
    observer = observer or Silent()
    plan = _for_rows(plan, len(rows))
    steps_per_epoch = math.ceil(len(rows) / plan.batch_size)
    total_steps = steps_per_epoch * plan.max_epochs
    span_steps, step, rows_done = 1, 0, 0
    best: Parameters | None = None
    own: Parameters | None = None
    averages: Parameters | None = None
    best_epoch, best_value, last_finite = 0, math.nan, None
    records: list[EpochRecord] = []
    stopped_by: str | None = None
    engine.start(plan, seed)
    started = time.perf_counter()

    for epoch in range(1, plan.max_epochs + 1):
        if own is not None:  # the steps go on from where they were
            engine.set_parameters(own)
        if callback is not None:
            callback.epoch_begins(engine)
        order = epoch_order(rows, seed, epoch)
        loss_sum, position = 0.0, 0
        while position < len(rows) and stopped_by is None:
            span = order[position : position + span_steps * plan.batch_size]
            steps = scheduled(plan, step, math.ceil(len(span) / plan.batch_size), total_steps)
            span_started = time.perf_counter()
            before, loss_sum = loss_sum, engine.train_span(features, targets, span, steps, loss_sum, weights)
            now = time.perf_counter()
            step += len(steps)
            if not math.isfinite(loss_sum):
                raise _diverged(plan, epoch, step, last_finite, "the training loss")
            last_finite = (loss_sum - before) / len(span)
            position += len(span)
            rows_done += len(span)
            # At most doubled at a time: the first steps of a fresh process are slower than the rest.
            per_step = max(now - span_started, 1e-7) / len(steps)
            span_steps = max(1, min(int(SPAN_S / per_step), 2 * span_steps))
            rows_per_s = rows_done / max(now - started, 1e-9)
            total_rows = len(rows) * plan.max_epochs
            left = (total_rows - rows_done) / rows_per_s
            observer.progressed(
                Progress(epoch, plan.max_epochs, rows_done, total_rows, rows_per_s, left, loss_sum / position)
            )
            stopped_by = stop()

        if plan.averaging > 0:
            own = engine.parameters(into=own)
            averages = _averaged(averages, own, 1 / min(epoch, max(1, plan.averaging * plan.max_epochs)))
            engine.set_parameters(averages)
        value = None
        if validation is not None:
            logits_nc = engine.logits(validation.features, validation.rows)
            if not np.isfinite(logits_nc).all():
                raise _diverged(plan, epoch, step, last_finite, "a validation logit")
            value = validation.value(logits_nc)
            if value is None:
                raise InputError(
                    f"metric {plan.metric!r} is undefined on the {len(logits_nc)} validation rows;"
                    " choose another metric or hold out more rows (validation_fraction)."
                )
            if not math.isfinite(value):
                raise _diverged(plan, epoch, step, last_finite, f"the validation {plan.metric}")
        is_best = True  # without early stopping the last epoch is the one that was asked for
        if validation is not None and value is not None and plan.early_stopping and best_epoch > 0:
            is_best = validation.is_better(value, best_value)
        if is_best:
            best_epoch, best_value = epoch, value if value is not None else math.nan
            if validation is not None and plan.early_stopping:
                best = engine.parameters(into=best)
        record = EpochRecord(epoch, loss_sum / max(position, 1), value, is_best, float(steps.rates[-1]))
        records.append(record)
        observer.epoch_ended(record)
        stopped_by = stopped_by or stop()
        if callback is not None and callback.epoch_ended(record, engine):
            stopped_by = stopped_by or "callback"
        if stopped_by is None and plan.early_stopping and validation and epoch - best_epoch >= plan.patience:
            stopped_by = "patience"
        if stopped_by is not None:
            break

    # A loss is taken before its step, so without held-out rows nobody has seen what the last step left.
    if validation is None and not np.isfinite(engine.logits(features, order[-plan.batch_size :])).all():
        raise _diverged(plan, epoch, step, last_finite, "a logit")
    if best is not None and best_epoch != records[-1].epoch:
        engine.set_parameters(best)
    if callback is not None:
        callback.training_ended()
    return History(tuple(records), best_epoch, stopped_by or "max_epochs")


def _averaged(averages: Parameters | None, parameters: Parameters, share: float) -> Parameters:
    """Averages to which the parameters add this share, in place; they begin as a copy."""
    if averages is None:
        return [tuple(array.copy() for array in layer) for layer in parameters]
    for means, layer in zip(averages, parameters, strict=True):
        for mean, array in zip(means, layer, strict=True):
            mean += np.float32(share) * (array - mean)
    return averages


@dataclass(frozen=True)
class Pace:
    """How fast one network is, by a few trials.

    Attributes:
        step_s: seconds of a step.
        row_s: of the logits of a row that judges.
    """

    step_s: float
    row_s: float

    def at_most(self, other: Pace) -> Pace:
        """Of each the quicker."""
        return Pace(min(self.step_s, other.step_s), min(self.row_s, other.row_s))

    def seconds(self, plan: Plan, n_rows: int, n_valid: int) -> float:
        """Of all max_epochs, each of so many rows and judged by so many."""
        return plan.max_epochs * (self.step_s * math.ceil(n_rows / plan.batch_size) + self.row_s * n_valid)


def pace(
    engine: Engine,
    features: EncodedRows,
    targets: NDArray[Any] | SparseLabels,
    rows: NDArray[np.int64],
    plan: Plan,
    seed: int,
    weights: Weights = UNWEIGHTED,
    validation: Validation | None = None,
) -> Pace:
    """From trials of 20 to 500 ms each; the parameters stay what they were. The arguments are those of `train`."""
    before = engine.parameters()
    plan = _for_rows(plan, len(rows))
    batch, step = rows[: plan.batch_size], scheduled(plan, 0, 1, 1)
    engine.start(plan, seed)
    step_s = _usual(lambda: engine.train_span(features, targets, batch, step, 0.0, weights))
    engine.set_parameters(before)
    if validation is None:
        return Pace(step_s, 0.0)
    some = validation.rows if validation.rows is not None else np.arange(len(validation.features))
    some = some[:TRIAL_ROWS]
    return Pace(step_s, _usual(lambda: engine.logits(validation.features, some)) / len(some))


def _usual(work: Callable[[], object]) -> float:
    """Mean seconds of some trials. The first finds cold caches, and in the slowest another process may have taken the
    core for a moment, which would count for every step to come; on a machine that is always busy many are slow."""
    work()
    trials: list[float] = []
    while sum(trials) < (0.02 if len(trials) >= 5 else 0.5) and len(trials) < 200:
        started = time.perf_counter()
        work()
        trials.append(time.perf_counter() - started)
    trials.sort()
    return sum(trials[: max(1, len(trials) - 1)]) / max(1, len(trials) - 1)


def _for_rows(plan: Plan, n: int) -> Plan:
    """A batch is never larger than the table: the engine takes memory for a whole one."""
    return plan.replace({"batch_size": min(plan.batch_size, n)})


def _diverged(plan: Plan, epoch: int, step: int, last_finite: float | None, what: str) -> DivergedError:
    last = "" if last_finite is None else f"; the last finite mean loss was {last_finite:.4g}"
    return DivergedError(
        f"training diverged: {what} is not finite at step {step} (epoch {epoch}){last}."
        f" Lower learning_rate (now {plan.learning_rate:g}), set clip_norm, or look for extreme values in the table.",
        step=step,
        last_finite_loss=last_finite,
    )
