"""A training while it runs, for browsers of this machine: a page, the events that move it, and a stop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from socket import socket
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..engines.base import Engine
from ..export import html
from ..members import Observer, Overview, Standing
from ..training import Callback, EpochRecord, Progress
from .guard import Guard
from .pages import HEADERS
from .refusals import HANDLERS, Refused, as_json
from .server import configured

EVERY_S = 0.25
"""Between two events."""
MOST_POINTS = 400
"""Of a curve; a longer one is thinned out to every second, fourth, ... epoch."""
MOST_CURVES = 20
"""Networks that are shown: those that began last."""
MOST_STREAMS = 16
"""Pages that look on at a time."""
HEAD_S, GRACE_S = 10, 3
LESSON_SCRIPTS = ("page.js", "charts.js", "training.js")

Point = tuple[int, float, float | None]
"""Epoch, loss, validation."""


@dataclass
class Curve:
    """The epochs of one network."""

    name: str
    metric: str
    points: list[Point] = field(default_factory=list)
    step: int = 1
    last: Point | None = None
    best: Point | None = None
    is_done: bool = False

    def add(self, record: EpochRecord) -> None:
        self.last = (record.epoch, record.loss, record.validation)
        if record.is_best:
            self.best = self.last
        if (record.epoch - 1) % self.step == 0:
            self.points.append(self.last)
            if len(self.points) > MOST_POINTS:
                self.points, self.step = self.points[::2], 2 * self.step

    def since(self, step: int, n: int) -> tuple[int, list[Point]]:
        """From which place on one who has seen n points of this step lacks some, and those."""
        first = n if step == self.step else 0
        return first, self.points[first:]


class Watched:
    """Where a training stands: told by the threads that train, looked at by the server's.

    Args:
        about: what the page says of the training before it has begun.
        networks: name and metric of each.
    """

    def __init__(self, about: Mapping[str, Any], networks: Sequence[tuple[str, str]]) -> None:
        self.about, self.networks = dict(about), networks
        self.end: Mapping[str, Any] | None = None
        self._curves: dict[int, Curve] = {}
        self._n_done = 0
        self._progress: dict[str, Any] = {}
        self._is_stopping = False
        self._started = time.perf_counter()
        self._lock = threading.Lock()

    def beside(self, observer: Observer) -> Observer:
        """One that tells both."""
        return _Beside(self, observer)

    def callback_of(self, number: int) -> Callback:
        """Of a network: it follows the epochs and takes no part."""
        return _OfNetwork(self, number)

    def progressed(self, progress: Progress) -> None:
        self._progress = {
            "rows_done": progress.rows_done, "rows_total": progress.rows_total, "rows_per_s": progress.rows_per_s,
            "seconds_left": progress.seconds_left, "epoch": progress.epoch, "loss": progress.loss,
        }  # fmt: skip

    def looked(self, standings: Sequence[Standing]) -> None:
        if (seen := Overview.of(standings)) is not None:
            self._progress = {
                "rows_done": seen.rows_done, "rows_total": seen.rows_total, "rows_per_s": seen.rows_per_s,
                "seconds_left": seen.seconds_left,
            }  # fmt: skip

    def begun(self, number: int) -> None:
        with self._lock:
            self._curves[number] = Curve(*self.networks[number])
            if len(self._curves) > MOST_CURVES:
                del self._curves[min(self._curves)]

    def epoch_ended(self, number: int, record: EpochRecord) -> None:
        with self._lock:
            if (curve := self._curves.get(number)) is not None:
                curve.add(record)

    def network_ended(self, number: int) -> None:
        with self._lock:
            self._n_done += 1
            if (curve := self._curves.get(number)) is not None:
                curve.is_done = True

    def stopping(self) -> None:
        """The step that is being taken is the last."""
        self._is_stopping = True

    def since(self, seen: dict[int, tuple[int, int]]) -> dict[str, Any]:
        """The state, with the points of curves that are new to one who has `seen` so many, which is brought up."""
        with self._lock:
            curves = []
            for number, curve in self._curves.items():
                first, points = curve.since(*seen.get(number, (curve.step, 0)))
                seen[number] = (curve.step, len(curve.points))
                curves.append(
                    {
                        "number": number, "name": curve.name, "metric": curve.metric, "from": first, "points": points,
                        "last": curve.last, "best": curve.best, "is_done": curve.is_done,
                    }
                )  # fmt: skip
            is_done = self._n_done == len(self.networks)
            phase = "finishing" if is_done else "stopping" if self._is_stopping else "training"
            return {
                "phase": phase if self.end is None else "ended",
                "elapsed": time.perf_counter() - self._started,
                "networks": {"done": self._n_done, "all": len(self.networks)},
                "progress": self._progress,
                "curves": curves,
                "end": self.end,
            }


class _Beside:
    def __init__(self, watched: Watched, observer: Observer) -> None:
        self._watched, self._observer = watched, observer

    def progressed(self, progress: Progress) -> None:
        self._watched.progressed(progress)
        self._observer.progressed(progress)

    def epoch_ended(self, record: EpochRecord) -> None:
        self._observer.epoch_ended(record)  # the callback has told the other

    def looked(self, standings: Sequence[Standing]) -> None:
        self._watched.looked(standings)
        self._observer.looked(standings)


class _OfNetwork:
    def __init__(self, watched: Watched, number: int) -> None:
        self._watched, self._number = watched, number
        watched.begun(number)

    def epoch_begins(self, engine: Engine) -> None: ...

    def epoch_ended(self, record: EpochRecord, engine: Engine) -> bool:
        self._watched.epoch_ended(self._number, record)
        return False

    def training_ended(self) -> None:
        self._watched.network_ended(self._number)


class Window:
    """The server of one training, on a thread of its own from `with` to its end.

    A thread and not a process: it sleeps but for an event every quarter of a second, the core drops the interpreter's
    lock while it computes, and what the training has come to is there without being sent anywhere.

    Args:
        stop: asks the training to stop, as Ctrl-C does.
    """

    def __init__(self, watched: Watched, listening: socket, stop: Callable[[], None]) -> None:
        self.watched, self._listening, self._stop = watched, listening, stop
        self._n_streams = 0
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        routes = [
            Route("/", self.home), Route("/events", self.events), Route("/stop", self.stop, methods=["POST"]),
        ]  # fmt: skip
        app = Guard(Starlette(routes=routes, exception_handlers=HANDLERS), None)
        self._page = _page(watched.about)
        self._server = uvicorn.Server(configured(app, HEAD_S, GRACE_S))
        self._thread = threading.Thread(target=self._run, name="fromlogits-live", daemon=True)

    def __enter__(self) -> Window:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Every page that looks on has the end before the server goes, or GRACE_S have passed."""
        if self.watched.end is None:
            self.ended({"error": "the training was given up; nothing was saved."})
        self._server.should_exit = True
        self._thread.join(GRACE_S + 1)

    def ended(self, end: Mapping[str, Any]) -> None:
        """What came out, for the pages."""
        self.watched.end = end
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._ended.set)

    def _run(self) -> None:
        self._server.run(sockets=[self._listening])

    def home(self, request: Request) -> Response:
        headers = {**HEADERS, "Content-Security-Policy": f"{self._page.policy}; frame-ancestors 'none'"}
        return Response(self._page.text, headers=headers, media_type="text/html")

    async def stop(self, request: Request) -> Response:
        if self.watched.end is not None:
            raise Refused(409, "the training has ended.")
        self._stop()
        return as_json({"stopping": True}, 202)

    async def events(self, request: Request) -> Response:
        if self._n_streams >= MOST_STREAMS:
            raise Refused(429, f"{MOST_STREAMS} pages look on already; close one.")
        self._n_streams += 1
        return StreamingResponse(self._events(), headers={"Cache-Control": "no-store"}, media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        self._loop = asyncio.get_running_loop()
        seen: dict[int, tuple[int, int]] = {}
        try:
            while True:
                state = self.watched.since(seen)
                yield b"data: " + orjson.dumps(state) + b"\n\n"
                if state["end"] is not None:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), EVERY_S)
        finally:
            self._n_streams -= 1


def _page(about: Mapping[str, Any]) -> html.Page:
    lesson = f"{__package__.rpartition('.')[0]}.export"
    scripts = [html.part(lesson, f"lesson/{name}") for name in LESSON_SCRIPTS]
    return html.page(
        html.part(__package__, "page/live.html"), html.part(lesson, "lesson/style.css"),
        [*scripts, html.part(__package__, "page/live.js")], {"about": html.inert(about)}, asks_its_server=True,
    )  # fmt: skip
