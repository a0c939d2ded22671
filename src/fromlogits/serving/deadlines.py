"""Work that may take so long and no longer, timed by one timer: one for each would cost more than brief work does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType


class Deadlines:
    """Of one loop. Everything is given the same time, so what begins first is late first.

    Args:
        seconds: that each has.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._open: dict[object, tuple[float, Callable[[], object]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, late: Callable[[], object]) -> object:
        """A deadline: `late` is called after the seconds, unless it was ended by then."""
        loop, deadline = asyncio.get_running_loop(), object()
        when = loop.time() + self.seconds
        self._open[deadline] = when, late
        if self._timer is None:
            self._timer = loop.call_at(when, self._look)
        return deadline

    def end(self, deadline: object) -> None:
        """However often."""
        self._open.pop(deadline, None)

    def of_task(self) -> OfTask:
        """A block of the task that asks: TimeoutError is raised in it when its time is up, as by `asyncio.timeout`."""
        return OfTask(self)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._open:
            deadline, (when, late) = next(iter(self._open.items()))
            if when > loop.time():
                self._timer = loop.call_at(when, self._look)
                return
            self.end(deadline)
            late()


class OfTask:
    """A deadline in a `with` statement."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines, self._is_late = deadlines, False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._n_before = task, task.cancelling()
        self._deadline = self._deadlines.begin(self._late)

    def _late(self) -> None:
        self._is_late = self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines.end(self._deadline)
        if self._is_late and self._task.uncancel() <= self._n_before and kind is asyncio.CancelledError:
            raise TimeoutError from error
