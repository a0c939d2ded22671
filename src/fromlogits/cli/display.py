"""What a person sees: words on standard output and standard error, and a training while it runs.

rich is imported only where a terminal is; everywhere else the same words are plain lines.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from ..errors import FromlogitsError, counted

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, RenderableType
    from rich.live import Live

    from ..members import Member, Standing
    from ..spec import Plan
    from ..training import EpochRecord, History, Progress

LINE_S = 1.0
"""Plain lines come at most so often."""
LONG_EPOCH_S = 5.0
"""Without a line for so long, one comes before the epoch ends."""
REDRAW_S = 0.1
Line = list[tuple[str, str]]
"""Words and their style, from left to right."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
BARS = "▁▂▃▄▅▆▇█"
BARS_WIDTH = 20


class Screen:
    """One stream, and how it is written to: with colours on a terminal, plain elsewhere.

    Args:
        stream: standard output or standard error.
        is_quiet: nothing but warnings and errors is said.
        console: a rich console to write to instead (to take a picture of it).
    """

    def __init__(self, stream: TextIO, *, is_quiet: bool = False, console: Console | None = None) -> None:
        self.stream = stream
        self.is_quiet = is_quiet
        self._console = console
        if console is None and _is_terminal(stream):
            from rich.console import Console

            self._console = Console(file=stream, highlight=False, soft_wrap=True)

    @property
    def console(self) -> Console | None:
        """rich's console of a terminal; None where words are plain."""
        return self._console

    def say(self, text: str = "", style: str = "") -> None:
        """One or more lines, unless quiet."""
        if not self.is_quiet:
            self.tell(text, style)

    def tell(self, text: str, style: str = "") -> None:
        """One or more lines, quiet or not. What standard error can't take is no reason to stop the work."""
        text = printable(text)
        with self._writing():
            if self._console is None:
                print(text, file=self.stream, flush=True)
            else:
                from rich.text import Text

                self._console.print(Text(text, style))

    def paint(self, lines: Iterable[Line]) -> None:
        """Lines whose words differ in style."""
        for line in lines:
            with self._writing():
                if self._console is None:
                    print(printable("".join(text for text, _ in line)), file=self.stream, flush=True)
                else:
                    from rich.text import Text

                    self._console.print(Text.assemble(*((printable(text), style) for text, style in line)))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        if self.stream is not sys.stderr:
            with standard_output():
                yield
            return
        try:
            yield
        except OSError:
            discard(self.stream)


@contextlib.contextmanager
def standard_output() -> Iterator[None]:
    """Writing there: an error names it. A reader that went away stays a BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise FromlogitsError(f"standard output could not be written: {why}.") from error


def discard(stream: TextIO) -> None:
    """Send what is still buffered, and all that follows, nowhere: the interpreter's end says nothing about it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def printable(text: str) -> str:
    """The text without control characters: a class name from a stranger's file must not steer a terminal."""
    return CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
    except ValueError:  # closed
        return False


class Display(Protocol):
    """An observer of the training with a beginning and an end."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def progressed(self, progress: Progress) -> None: ...

    def epoch_ended(self, record: EpochRecord) -> None: ...

    def looked(self, standings: Sequence[Standing]) -> None: ...

    def finished(self, history: History) -> None:
        """Called once, after the last epoch."""


def display_for(screen: Screen, plan: Plan, n_networks: int = 1) -> Display:
    """Live on a terminal, lines elsewhere, nothing when quiet."""
    if screen.is_quiet:
        return Nothing()
    if n_networks > 1:
        return LinesOfSeveral(screen, plan) if screen.console is None else LiveViewOfSeveral(screen.console, plan)
    return Lines(screen, plan) if screen.console is None else LiveView(screen.console, plan)


class Nothing:
    """The display of --quiet."""

    def __enter__(self) -> Nothing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def progressed(self, progress: Progress) -> None: ...

    def epoch_ended(self, record: EpochRecord) -> None: ...

    def looked(self, standings: Sequence[Standing]) -> None: ...

    def finished(self, history: History) -> None: ...


class Lines(Nothing):
    """Plain lines: an epoch's, at most about one a second, and the last; within a long epoch one now and then."""

    def __init__(self, screen: Screen, plan: Plan) -> None:
        self.screen = screen
        self.plan = plan
        self._said = time.monotonic()
        self._unsaid = ""
        self._progress: Progress | None = None

    def progressed(self, progress: Progress) -> None:
        self._progress = progress
        if time.monotonic() - self._said >= LONG_EPOCH_S:
            self._say(f"epoch {progress.epoch}/{progress.max_epochs}  loss {progress.loss:.4f}{self._speed()}")

    def epoch_ended(self, record: EpochRecord) -> None:
        line = f"epoch {record.epoch}/{self.plan.max_epochs}  loss {record.loss:.4f}"
        if record.validation is not None:
            best = " (best)" if record.is_best and self.plan.early_stopping else ""
            line += f"  validation {self.plan.metric} {record.validation:.4f}{best}"
        line += self._speed()
        if time.monotonic() - self._said >= LINE_S:
            self._say(line)
        else:
            self._unsaid = line

    def finished(self, history: History) -> None:
        if self._unsaid:
            self._say(self._unsaid)

    def _say(self, line: str) -> None:
        self.screen.say(line)
        self._said, self._unsaid = time.monotonic(), ""

    def _speed(self) -> str:
        if self._progress is None:
            return ""
        return f"  {self._progress.rows_per_s:,.0f} rows/s  {duration(self._progress.seconds_left)} left"


class LinesOfSeveral(Nothing):
    """Plain lines about several networks: at most about one a second, and the last."""

    def __init__(self, screen: Screen, plan: Plan) -> None:
        self.screen = screen
        self.plan = plan
        self._said = time.monotonic()

    def looked(self, standings: Sequence[Standing]) -> None:
        from ..members import Overview, epochs_of

        seen = Overview.of(standings)
        if seen is None or (seen.running and time.monotonic() - self._said < LINE_S):
            return
        self._said = time.monotonic()
        line = f"{seen.done}/{len(standings)} networks done{epochs_of(seen, self.plan)}"
        if seen.running:
            line += f"  {seen.rows_per_s:,.0f} rows/s  {duration(seen.seconds_left)} left"
        self.screen.say(line)


class LiveView(Nothing):
    """Two lines that are drawn again and again: where the training stands, and how well it goes."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self.console = console
        self.plan = plan
        self.records: list[EpochRecord] = []
        self._progress: Progress | None = None
        self._drawn = 0.0
        self._live: Live | None = None
        self._started = time.perf_counter()

    def __enter__(self) -> LiveView:
        from rich.live import Live

        # No thread of its own: it is drawn between two spans of steps, about ten times a second.
        self._live = Live(console=self.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def progressed(self, progress: Progress) -> None:
        self._progress = progress
        self._draw()

    def epoch_ended(self, record: EpochRecord) -> None:
        self.records.append(record)
        self._draw()

    def finished(self, history: History) -> None:
        self._draw(history)

    def _draw(self, history: History | None = None) -> None:
        now = time.perf_counter()
        if self._live is not None and (history is not None or now - self._drawn >= REDRAW_S):
            self._drawn = now
            self._live.update(self.view(history), refresh=True)

    def view(self, history: History | None = None) -> RenderableType:
        """The two lines as they stand; after the training with the time it took."""
        from rich.console import Group
        from rich.text import Text

        progress = self._progress
        if progress is None:
            return Text("")
        spent = time.perf_counter() - self._started
        first = bar_line(
            self.console,
            f"epoch {progress.epoch}/{progress.max_epochs}",
            (progress.rows_done, progress.rows_total),
            f"{progress.rows_per_s:,.0f} rows/s",
            f"{duration(progress.seconds_left)} left" if history is None else f"in {duration(spent)}",
        )
        second = Text(f"loss {progress.loss:.4f}", no_wrap=True, overflow="ellipsis")
        judged = [record for record in self.records if record.validation is not None]
        if judged:
            best = [record for record in judged if record.is_best][-1]
            second.append(f"  validation {self.plan.metric} ")
            second.append(f"{judged[-1].validation:.4f}", "bold")
            second.append(f", best {best.validation:.4f} in epoch {best.epoch}  " if self.plan.early_stopping else "  ")
            curve = bars([record.validation or 0.0 for record in judged])
            second.append(curve if _can_draw(self.console) else "", "green")
        return Group(first, second)


def _can_draw(console: Console) -> bool:
    return (console.encoding or "").lower().startswith("utf") and not console.legacy_windows


class LiveViewOfSeveral(LiveView):
    """A line for all networks, and one for each that runs."""

    MOST = 8
    """Networks that are shown."""

    def __init__(self, console: Console, plan: Plan) -> None:
        super().__init__(console, plan)
        self.standings: Sequence[Standing] = ()

    def looked(self, standings: Sequence[Standing]) -> None:
        self.standings = standings
        self._draw()

    def view(self, history: History | None = None) -> RenderableType:
        """As they stand; after the training the first line alone, with the time it took."""
        from rich.console import Group
        from rich.text import Text

        from ..members import Overview

        seen = Overview.of(self.standings)
        if seen is None:
            return Text("")
        spent = time.perf_counter() - self._started
        first = bar_line(
            self.console,
            f"{seen.done}/{len(self.standings)} networks",
            (seen.rows_done, seen.rows_total),
            f"{seen.rows_per_s:,.0f} rows/s",
            f"{duration(seen.seconds_left)} left" if history is None else f"in {duration(spent)}",
        )
        if history is not None:
            return first
        return Group(first, *(self._line(standing) for standing in seen.running[: self.MOST]))

    def _line(self, standing: Standing) -> RenderableType:
        from rich.text import Text

        progress = standing.progress
        assert progress is not None
        line = f"{printable(standing.name)}  epoch {progress.epoch}/{progress.max_epochs}  loss {progress.loss:.4f}"
        last, best = standing.last, standing.best
        if last is not None and last.validation is not None:
            line += f"  validation {last.validation:.4f}"
            if best is not None and best.validation is not None and self.plan.early_stopping:
                line += f", best {best.validation:.4f} in epoch {best.epoch}"
        return Text(line, no_wrap=True, overflow="ellipsis")


def bar_line(console: Console, what: str, rows: tuple[int, int], speed: str, left: str) -> RenderableType:
    """What is done, a bar of the rows, and how fast it goes."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(4):
        line.add_column(no_wrap=True)
    bar = ProgressBar(
        total=rows[1],
        completed=rows[0],
        width=max(4, min(40, console.width - 52)),
        complete_style="green",
        finished_style="green",
    )
    line.add_row(Text(what, "bold"), bar, Text(speed, "cyan"), Text(left, "cyan"))
    return line


def how_it_ended(members: Sequence[Member], plan: Plan, n_networks: int) -> str:
    """What ended the training of one network or of several, in a sentence."""
    if n_networks == 1:
        return how_one_ended(members[0].history, plan)
    counts = Counter(member.history.stopped_by for member in members)
    words = {
        "patience": f"stopped with none better in {counted(plan.patience, 'epoch')}",
        "max_epochs": f"ran {all_epochs(plan.max_epochs)}",
        "time_limit": "stopped by the time limit",
        "interrupt": "stopped by Ctrl-C",
        "terminate": "stopped by SIGTERM",
    }
    ways = ", ".join(f"{counts[reason]:,} {what}" for reason, what in words.items() if counts[reason])
    first, last = min(member.best_epoch for member in members), max(member.best_epoch for member in members)
    epochs = f"epoch {first} is kept" if first == last else f"epochs {first} to {last} are kept"
    left_out = n_networks - len(members)
    rest = f"; {left_out:,} more had no whole epoch and are left out" if left_out else ""
    return f"{len(members):,} network{'s' * (len(members) > 1)}: {ways}; {epochs}{rest}"


def all_epochs(n: int) -> str:
    return f"all {n} epochs" if n > 1 else "the one epoch"


def how_one_ended(history: History, plan: Plan) -> str:
    """What ended the training, in a sentence."""
    last, best = history.epochs[-1].epoch, history.best_epoch
    if history.stopped_by == "patience":
        return f"stopped after epoch {last}: none better than epoch {best} in {plan.patience}; epoch {best} is kept"
    if history.stopped_by == "max_epochs":
        return f"{all_epochs(last)} done" + (f"; epoch {best} is kept" if best != last else "")
    words = {"time_limit": "the time limit", "interrupt": "Ctrl-C", "terminate": "SIGTERM"}
    asked = words.get(history.stopped_by, history.stopped_by)
    if not plan.early_stopping:
        return f"stopped by {asked} in epoch {last}; epoch {best}, the last, is kept"
    return f"stopped by {asked} in epoch {last}; the best so far, epoch {best}, is kept"


def duration(seconds: float) -> str:
    """Seconds for people: "0.4 s", "12 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02d} min"


def bars(values: Sequence[float], width: int = BARS_WIDTH) -> str:
    """A curve of block signs, lowest to highest: "█▅▃▂▁▁▂"; a longer series is averaged into `width` parts."""
    if len(values) > width:
        edges = [round(k * len(values) / width) for k in range(width + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, high = min(values), max(values)
    if high == low:
        return BARS[0] * len(values)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in values)
