"""The way of what is asked most: predictions, whose paths are known beforehand and need no search among routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .refusals import HANDLERS

Endpoint = Callable[[Request], Awaitable[Response]]


class Direct:
    """Asks the endpoint of a path by itself, and the app for all other paths and verbs.

    Args:
        endpoints: of a path, asked by POST: which, and what stands in the path.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, tuple[Endpoint, Mapping[str, str]]]) -> None:
        self.app, self.endpoints = app, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self.endpoints.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        scope["endpoint"], scope["path_params"] = found
        request = Request(scope, receive, send)
        try:
            response = await found[0](request)
        except Exception as error:
            handler = next(HANDLERS[kind] for kind in type(error).__mro__ if kind in HANDLERS)
            await (await handler(request, error))(scope, receive, send)
            if handler is HANDLERS[Exception]:
                raise  # a fault of ours, to be told of
            return
        await response(scope, receive, send)
