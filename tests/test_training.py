from __future__ import annotations

import math
import os
import signal
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits import training
from fromlogits.data.features import EncodedRows, Features
from fromlogits.data.label_sets import SparseLabels
from fromlogits.engines.base import UNWEIGHTED, Engine, Parameters, Steps, Weights
from fromlogits.errors import DivergedError, InputError
from fromlogits.spec import Dense, HeadName, Network, Plan

NETWORK = Network((Dense(1),)).with_input(1)
ROWS = np.arange(10, dtype=np.int64)


class Counting(Engine):
    """An engine whose only parameter counts its steps, and whose loss is what the test says."""

    name = "counting"

    def __init__(self, network: Network = NETWORK, head: HeadName = "sigmoid", *, n_threads: int = 1) -> None:
        self.steps, self.loss = 0, 1.0
        self.seen: list[NDArray[np.int64]] = []
        self.rates: list[float] = []
        self.decays: list[float] = []
        self.dropouts: list[float] = []

    def initialise(self, seed: int) -> None:
        self.steps = 0

    def parameters(self, into: Parameters | None = None) -> Parameters:
        return [(np.full((1, 1), self.steps, np.float32), np.zeros(1, np.float32))]

    def set_parameters(self, parameters: Parameters) -> None:
        self.steps = int(parameters[0][0][0, 0])

    def start(self, plan: Plan, seed: int) -> None:
        self.batch_size = plan.batch_size

    def finish(self) -> None: ...

    def train_span(
        self,
        features: EncodedRows,
        targets: NDArray[Any] | SparseLabels,
        order_k: NDArray[np.int64],
        steps: Steps,
        loss: float = 0.0,
        weights: Weights = UNWEIGHTED,
    ) -> float:
        assert len(steps) == -(-len(order_k) // self.batch_size)
        self.steps += len(steps)
        self.seen.append(order_k)
        self.rates.extend(steps.rates)
        self.decays.extend([] if steps.decays is None else steps.decays)
        self.dropouts.extend([] if steps.dropouts is None else steps.dropouts)
        return loss + self.loss * len(order_k)

    def logits(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        return np.full((len(features if rows is None else rows), 1), self.steps, np.float32)


def run(engine: Counting, plan: Plan, values: list[float | None] | None = None, **more: Any) -> training.History:
    features = Features(np.zeros((10, 1), np.float32))
    validation = None
    if values is not None:
        remaining = iter(values)
        validation = training.Validation(features, None, lambda logits: next(remaining), lambda a, b: a < b)
    return training.train(engine, features, np.zeros(10), ROWS, plan, 0, validation=validation, **more)


def test_every_epoch_sees_every_row_once_in_another_order() -> None:
    engine = Counting()
    run(engine, Plan(batch_size=3, max_epochs=3))
    order = np.concatenate(engine.seen).reshape(3, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in order)
    assert len({tuple(epoch) for epoch in order}) == 3
    assert engine.steps == 12


def test_the_order_is_fixed_by_the_seed_and_varies_with_it() -> None:
    rows = np.arange(1000, dtype=np.int64)
    assert np.array_equal(training.epoch_order(rows, 5, 1), training.epoch_order(rows, 5, 1))
    assert not np.array_equal(training.epoch_order(rows, 5, 1), training.epoch_order(rows, 6, 1))
    assert not np.array_equal(training.epoch_order(rows, 5, 1), training.epoch_order(rows, 5, 2))


def test_the_best_epoch_is_restored() -> None:
    engine = Counting()
    history = run(engine, Plan(batch_size=5, max_epochs=4), [3.0, 1.0, 2.0, 1.5])
    assert history.best_epoch == 2
    assert engine.steps == 4  # two epochs of two steps
    assert history.stopped_by == "max_epochs"


def test_averages_of_epochs_are_judged_and_kept_and_the_steps_go_on_from_their_own() -> None:
    engine, judged = Counting(), []
    features, values = Features(np.zeros((10, 1), np.float32)), iter([4.0, 3.0, 2.0, 1.0, 5.0])

    def value(logits_nc: NDArray[np.float32]) -> float:
        judged.append(float(logits_nc[0, 0]))
        return next(values)

    validation = training.Validation(features, None, value, lambda a, b: a < b)
    plan = Plan(batch_size=1, max_epochs=5, averaging=0.8)
    training.train(engine, features, np.zeros(10), ROWS, plan, 0, validation=validation)
    # Epoch e ends after 10 e steps. Means of the first four; then 3/4 of that of four, 25, and 1/4 of 50.
    assert judged == [10, 15, 20, 25, 31]  # 31.25, in an engine that counts whole steps
    assert engine.steps == 25  # of the best epoch, the fourth
    assert len(engine.rates) == 50 and len(engine.seen) > 0


def test_without_held_out_rows_the_last_averages_are_kept() -> None:
    engine = Counting()
    run(engine, Plan(batch_size=5, max_epochs=3, averaging=1.0))
    assert engine.steps == 4  # the mean of 2, 4 and 6


def test_training_stops_when_patience_is_over() -> None:
    history = run(Counting(), Plan(max_epochs=50, patience=3), [1.0, 2.0, 2.0, 2.0, 0.0])
    assert (history.stopped_by, len(history.epochs), history.best_epoch) == ("patience", 4, 1)


def test_without_early_stopping_the_last_epoch_is_kept() -> None:
    engine = Counting()
    history = run(
        engine, Plan(batch_size=10, max_epochs=5, early_stopping=False, patience=1), [1.0, 2.0, 3.0, 4.0, 5.0]
    )
    assert (history.best_epoch, engine.steps, history.stopped_by) == (5, 5, "max_epochs")


def test_a_stop_keeps_what_was_reached() -> None:
    engine = Counting()
    asked: list[int] = []

    def stop() -> str | None:
        asked.append(1)
        return "interrupt" if len(asked) == 3 else None

    history = run(engine, Plan(batch_size=1, max_epochs=9), [2.0], stop=stop)
    assert history.stopped_by == "interrupt"
    assert len(history.epochs) == history.best_epoch == 1
    assert 1 <= engine.steps < 10


def test_the_cosine_schedule_falls_from_the_stated_rate_to_nothing() -> None:
    engine = Counting()
    run(engine, Plan(batch_size=5, max_epochs=50, schedule="cosine", learning_rate=0.5))
    assert engine.rates[0] == 0.5
    assert engine.rates[50] == pytest.approx(0.25)
    assert 0 < engine.rates[-1] < 1e-3
    assert engine.rates == sorted(engine.rates, reverse=True)


def test_the_four_waves_begin_and_end_at_nothing_and_reach_the_stated_rate_in_between() -> None:
    """(1 - cos(2π log2(1 + 15 t))) / 2 is 0 where 1 + 15 t is 1, 2, 4, 8, 16, and 1 half an octave above each."""
    steps = training.scheduled(Plan(schedule="coslog4", learning_rate=0.5), 0, 15 * 64 + 1, 15 * 64)
    assert steps.rates[[0, 64, 3 * 64, 7 * 64, 15 * 64]] == pytest.approx(0.0, abs=1e-15)
    for octave in range(4):
        top = 64 * (2 ** (octave + 0.5) - 1)
        assert steps.rates[[math.floor(top), math.ceil(top)]] == pytest.approx(0.5, abs=0.005)
    assert steps.rates.min() >= 0 and steps.rates.max() <= 0.5
    assert steps.rates[96] == 0.25 * (1 - math.cos(2 * math.pi * math.log2(2.5)))
    assert steps.decays is None and steps.dropouts is None


def test_what_fades_is_whole_to_the_middle_and_then_half_a_wave_to_nothing() -> None:
    engine = Counting()
    plan = Plan(batch_size=5, max_epochs=50, learning_rate=0.5, weight_decay=0.1, dropout=0.25)
    fade = "flat_cosine"
    run(engine, plan.replace({"schedule": fade, "decay_schedule": fade, "dropout_schedule": fade}))
    assert engine.rates[:51] == [0.5] * 51
    assert engine.rates[75] == pytest.approx(0.25)
    assert engine.rates[90] == pytest.approx(0.25 * (1 + math.cos(0.8 * math.pi)))
    assert engine.rates[50:] == sorted(engine.rates[50:], reverse=True) and 0 < engine.rates[-1] < 1e-3
    assert engine.decays == pytest.approx([2 * rate for rate in engine.rates], rel=1e-15)
    assert engine.dropouts == pytest.approx([rate / 2 for rate in engine.rates], rel=1e-15)


def test_a_loss_that_is_not_finite_ends_the_training_with_step_and_last_loss() -> None:
    engine = Counting()
    engine.loss = float("nan")
    with pytest.raises(DivergedError, match=r"not finite at step 1 .*learning_rate") as caught:
        run(engine, Plan())
    assert caught.value.step == 1
    assert caught.value.last_finite_loss is None


def test_an_undefined_validation_metric_is_refused() -> None:
    with pytest.raises(InputError, match="undefined on the 10 validation rows"):
        run(Counting(), Plan(), [None])


def test_the_estimate_leaves_the_engine_as_initialised() -> None:
    engine = Counting()
    plan = Plan(batch_size=5, max_epochs=100)
    found = training.pace(engine, Features(np.zeros((10, 1), np.float32)), np.zeros(10), ROWS, plan, 0)
    assert engine.steps == 0
    assert 0 < found.seconds(plan, 10, 0) < 10


@pytest.mark.parametrize("step_s", [0.0004, 0.004, 0.04])
def test_a_trial_that_another_process_held_up_is_no_part_of_the_estimate(
    monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    clock, trials = [0.0], [0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    class HeldUp(Counting):
        def train_span(self, *about: Any) -> float:
            trials[0] += 1
            clock[0] += step_s * {1: 30, 2: 10}.get(trials[0], 1)  # cold caches, and the core taken away
            return super().train_span(*about)

    plan = Plan(batch_size=5)
    found = training.pace(HeldUp(), Features(np.zeros((10, 1), np.float32)), np.zeros(10), ROWS, plan, 0)
    assert found.step_s == pytest.approx(step_s)
    assert clock[0] < 0.5 + 31 * step_s


def test_slow_steps_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def work() -> None:
        clock[0] += 0.75

    assert training._usual(work) == 0.75
    assert clock[0] == 1.5  # once before, for cold caches


def test_the_estimate_counts_steps_and_judged_rows() -> None:
    found = training.Pace(step_s=0.5, row_s=0.25)
    assert found.seconds(Plan(batch_size=4, max_epochs=3), 9, 8) == 3 * (3 * 0.5 + 8 * 0.25)


def test_where_steps_are_slow_a_stop_is_heard_after_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    class Slow(Counting):
        def train_span(
            self,
            features: EncodedRows,
            targets: NDArray[Any] | SparseLabels,
            order_k: NDArray[np.int64],
            *rest: Any,
        ) -> float:
            clock[0] += 0.3 * -(-len(order_k) // self.batch_size)
            return super().train_span(features, targets, order_k, *rest)

    engine = Slow()
    history = run(engine, Plan(batch_size=1, max_epochs=9), stop=lambda: "interrupt" if clock[0] > 3.5 else None)
    assert [len(span) for span in engine.seen] == [1] * 12  # the stop is asked for within the twelfth step
    assert engine.steps == 12
    assert history.stopped_by == "interrupt"


def test_the_first_signal_asks_and_the_second_one_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.StopOnSignal, "REPEAT_S", 0.0)
    heard: list[str] = []
    with training.StopOnSignal(heard=lambda: heard.append("asked")) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == "interrupt"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert heard == ["asked"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_nervous_second_press_is_the_same_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.StopOnSignal, "REPEAT_S", 1000.0)
    with training.StopOnSignal() as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == "interrupt"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_batch_larger_than_the_table_takes_no_more_memory_than_the_table() -> None:
    engine = Counting()
    run(engine, Plan(batch_size=2**31 - 1, max_epochs=3))
    assert engine.batch_size == 10
    assert engine.steps == 3
