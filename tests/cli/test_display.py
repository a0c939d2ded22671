"""What is seen of a running training: lines where there is no terminal, two live lines where there is one."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from fromlogits.cli import display
from fromlogits.cli.display import Lines, LiveView, Nothing, Screen, bars, display_for, duration, how_one_ended
from fromlogits.spec import Plan
from fromlogits.training import EpochRecord, History, Progress

PLAN = Plan(max_epochs=100)


def progress(epoch: int, share: float = 1.0) -> Progress:
    rows = round((epoch - 1 + share) * 1000)
    return Progress(epoch, 100, rows, 100_000, 50_000.0, (100_000 - rows) / 50_000, 1.5 / epoch)


def record(epoch: int) -> EpochRecord:
    return EpochRecord(epoch, 1.5 / epoch, 1.0 / epoch if epoch < 5 else 0.5, epoch < 5, 0.001)


def history(epochs: int, stopped_by: str) -> History:
    return History(tuple(record(epoch) for epoch in range(1, epochs + 1)), min(epochs, 4), stopped_by)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(display, "time", clock)
    return clock


def watched(seconds_per_epoch: float, epochs: int, clock: Clock, plan: Plan = PLAN) -> list[str]:
    """The lines of a training whose epochs have four spans."""
    stream = io.StringIO()
    lines = Lines(Screen(stream), plan)
    for epoch in range(1, epochs + 1):
        for share in (0.25, 0.5, 0.75, 1.0):
            clock.now += seconds_per_epoch / 4
            lines.progressed(progress(epoch, share))
        lines.epoch_ended(record(epoch))
    lines.finished(history(epochs, "max_epochs"))
    return stream.getvalue().splitlines()


def test_plain_lines_come_about_once_a_second_and_the_last_one_always(clock: Clock) -> None:
    lines = watched(0.3, 10, clock)

    assert [line.split()[1] for line in lines] == ["4/100", "8/100", "10/100"]
    assert lines[0] == "epoch 4/100  loss 0.3750  validation log_loss 0.2500 (best)  50,000 rows/s  1.9 s left"


def test_without_early_stopping_no_epoch_is_called_the_best(clock: Clock) -> None:
    lines = watched(0.3, 10, clock, PLAN.replace({"early_stopping": False}))

    assert lines[0] == "epoch 4/100  loss 0.3750  validation log_loss 0.2500  50,000 rows/s  1.9 s left"


def test_a_short_training_leaves_one_plain_line(clock: Clock) -> None:
    assert [line.split()[1] for line in watched(0.01, 10, clock)] == ["10/100"]


def test_a_long_epoch_says_how_far_it_is(clock: Clock) -> None:
    lines = watched(16.0, 1, clock)

    assert [line.split("  ")[0:2] for line in lines] == [["epoch 1/100", "loss 1.5000"]] * 3
    assert sum("validation" in line for line in lines) == 1


def test_without_early_stopping_it_is_the_last_epoch_that_is_kept() -> None:
    plan = PLAN.replace({"early_stopping": False})
    stopped = History(tuple(record(epoch) for epoch in range(1, 10)), 9, "interrupt")

    assert how_one_ended(stopped, plan) == "stopped by Ctrl-C in epoch 9; epoch 9, the last, is kept"


def test_quiet_says_nothing() -> None:
    stream = io.StringIO()
    screen = Screen(stream, is_quiet=True)
    with display_for(screen, PLAN) as shown:
        shown.progressed(progress(1))
        shown.epoch_ended(record(1))
        shown.finished(history(1, "max_epochs"))
    screen.say("nothing")

    assert isinstance(shown, Nothing)
    assert stream.getvalue() == ""


def live(width: int, **options: object) -> str:
    """What a terminal of this width shows in the end."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None, **options)  # type: ignore[arg-type]
    with LiveView(console, PLAN) as view:
        for epoch in range(1, 31):
            view.progressed(progress(epoch))
            view.epoch_ended(record(epoch))
        view.finished(history(30, "patience"))
    with console.capture() as capture:
        console.print(view.view(history(30, "patience")))
    return capture.get()


def test_the_live_view_shows_epoch_loss_validation_speed_and_time() -> None:
    first, second = live(100).splitlines()

    assert first.startswith("epoch 30/100  ━━━")
    assert first.rstrip().endswith("s") and "50,000 rows/s" in first
    assert second.startswith("loss 0.0500  validation log_loss 0.5000, best 0.2500 in epoch 4  █")


@pytest.mark.parametrize("width", [10, 20, 34, 60, 80, 200])
def test_the_live_view_is_never_wider_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in live(width).splitlines())
    assert len(live(width).splitlines()) == 2


def test_a_terminal_without_unicode_gets_no_block_signs() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=stream, width=100, force_terminal=True, color_system=None)
    view = LiveView(console, PLAN)
    view.progressed(progress(3))
    view.epoch_ended(record(3))
    console.print(view.view())

    stream.flush()
    assert b"loss 0.5000" in stream.buffer.getvalue()


def test_a_file_or_a_dumb_terminal_is_no_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert Screen(Terminal()).console is not None
    monkeypatch.setenv("TERM", "dumb")
    assert Screen(Terminal()).console is None
    with (tmp_path / "log").open("w") as file:
        assert Screen(file).console is None


def test_words_on_a_terminal_are_words_and_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Screen(stream).tell("classes: [bold], :smile:, 12", "green")

    assert stream.getvalue() == "classes: [bold], :smile:, 12\n"


@pytest.mark.parametrize(
    ("epochs", "stopped_by", "sentence"),
    [
        (30, "patience", "stopped after epoch 30: none better than epoch 4 in 10; epoch 4 is kept"),
        (100, "max_epochs", "all 100 epochs done; epoch 4 is kept"),
        (3, "max_epochs", "all 3 epochs done"),
        (7, "interrupt", "stopped by Ctrl-C in epoch 7; the best so far, epoch 4, is kept"),
        (7, "terminate", "stopped by SIGTERM in epoch 7; the best so far, epoch 4, is kept"),
    ],
)
def test_how_it_ended_is_said_in_a_sentence(epochs: int, stopped_by: str, sentence: str) -> None:
    assert how_one_ended(history(epochs, stopped_by), PLAN) == sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (0.44, "0.4 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"),
     (7_800, "2 h 10 min"), (-1.0, "0.0 s")],
)  # fmt: skip
def test_a_duration_is_said_in_round_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_curve_falls_from_the_highest_bar_to_the_lowest() -> None:
    assert bars([4.0, 3.0, 2.0, 1.0]) == "█▆▃▁"
    assert bars([1.0, 1.0]) == "▁▁"
    assert len(bars([math.exp(-k) for k in range(1000)], width=20)) == 20
