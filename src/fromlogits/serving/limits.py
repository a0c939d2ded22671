"""How much a server takes on: bytes, rows, requests at a time and seconds; and the threads that do the work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from .deadlines import Deadlines
from .refusals import Refused

T = TypeVar("T")
RETRY_AFTER_S = 1


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may take.

    Attributes:
        max_body: bytes of a body.
        max_rows: rows of a request.
        queue: requests that wait while every thread has one.
        timeout_s: seconds from a request's headers to its answer.
        threads: requests that are computed at a time.
    """

    max_body: int = 16_000_000
    max_rows: int = 10_000
    queue: int = 64
    timeout_s: float = 30.0
    threads: int = 1

    def check_rows(self, n: int) -> None:
        if n > self.max_rows:
            raise Refused(
                413, f"a request may have {self.max_rows:,} rows (--max-rows); this one has {n:,}. Send them in parts."
            )


class Workplace:
    """The threads, and the requests that have a place: those that are read, wait, or are computed."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.n_taken = 0
        self._deadlines = Deadlines(limits.timeout_s)
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="fromlogits-serve")

    @property
    def n_waiting(self) -> int:
        return max(0, self.n_taken - self.limits.threads)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for a request, before any of its body is taken: so bodies in memory are bounded too."""
        if self.n_taken >= self.limits.threads + self.limits.queue:
            line = f"{self.n_taken} requests are being answered already (--queue {self.limits.queue}); try again later."
            raise Refused(429, line, {"Retry-After": str(RETRY_AFTER_S)})
        self.n_taken += 1
        try:
            yield
        finally:
            self.n_taken -= 1

    async def answer(
        self, request: Request, read: Callable[[bytes], tuple[Callable[[], T], bool]], brief_bytes: int = 0
    ) -> T:
        """What comes of the request's body; raises Refused where it would be too much.

        Args:
            read: makes of the body what gives the answer, and whether that is brief. What is brief is shorter than it
                takes to hand it to a thread and back, and is done at once.
            brief_bytes: to read a smaller body is brief.
        """
        with self.place():
            try:
                with self._deadlines.of_task():
                    body = await self._body(request)
                    if len(body) >= brief_bytes:
                        return await self._computed(lambda: read(body)[0]())
                    rest, is_brief = read(body)
                    return rest() if is_brief else await self._computed(rest)
            except TimeoutError:
                line = f"the request was not read and answered within {self.limits.timeout_s:g} seconds (--timeout)."
                raise Refused(408, line, {"Connection": "close"}) from None

    async def _body(self, request: Request) -> bytes:
        most = self.limits.max_body
        headers = first_of(request.scope)
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refused(415, "a packed body is not taken; send it without Content-Encoding.")
        declared = headers.get(b"content-length", b"")
        chunks: list[bytes] = []
        size, is_more = int(declared) if declared.isdigit() else 0, True
        if size <= most:
            size = 0
            while is_more and size <= most:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunks.append(message.get("body", b""))
                size, is_more = size + len(chunks[-1]), message.get("more_body", False)
        if size > most:
            raise Refused(
                413, f"a body may have {most:,} bytes (--max-body); this one has more. Send its rows in parts."
            )
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _computed(self, work: Callable[[], T]) -> T:
        future = self._pool.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if not future.cancel():  # a thread can't be stopped: its place is taken until it is done
                loop = asyncio.get_running_loop()
                self.n_taken += 1

                def leave(_: object) -> None:
                    with suppress(RuntimeError):  # the server has ended meanwhile
                        loop.call_soon_threadsafe(self._leave)

                future.add_done_callback(leave)
            raise

    def _leave(self) -> None:
        self.n_taken -= 1

    def close(self) -> None:
        """When no request is left."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def first_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers by their names, in small letters; of several of one name the first."""
    return dict(reversed(scope["headers"]))
