"""Connections that bring no request: cut off when the head of one takes too long, or too much room."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .deadlines import Deadlines

MOST_HEAD_BYTES = 65_536


class Connection(HttpToolsProtocol):
    """uvicorn's, which waits for the head of a request as long as it may come and keeps as much as may come.

    Attributes:
        heads: the time from the connection to its first head's end, and from a later head's first byte to its last.
    """

    heads: Deadlines
    _n_bytes = 0
    _head: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._n_bytes += len(data)
        super().data_received(data)
        if self._head is not None and self._n_bytes > MOST_HEAD_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._arrived()
        super().on_headers_complete()

    def _wait(self) -> None:
        if self._head is None:
            self._n_bytes = 0
            self._head = self.heads.begin(self.transport.close)

    def _arrived(self) -> None:
        self.heads.end(self._head)
        self._head = None


def connections(head_s: float) -> type[Connection]:
    """Those of a server, with its limit."""
    return type("Connection", (Connection,), {"heads": Deadlines(head_s)})
