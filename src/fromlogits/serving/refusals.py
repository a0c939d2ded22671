"""What a request gets that can't be answered: a status, and one line in {"error": ...}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..errors import InputError, one_line

MOST_CHARACTERS = 2000
FAULT = "the server met a fault of its own; its log says more. The request may be right."


class Refused(Exception):
    """A request that is not answered as asked.

    Attributes:
        status: of HTTP, 4xx.
        line: what must be, what was found, and what to do.
        headers: to go with it.
    """

    def __init__(self, status: int, line: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, line)
        self.status, self.line, self.headers = status, line, dict(headers or {})


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """NumPy's arrays and numbers are welcome; a float32 is the shortest decimal that gives it back."""
    return json_response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), status, headers)


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def refusal(status: int, line: str, headers: Mapping[str, str] | None = None) -> Response:
    words = one_line(" ".join(line.split()))[:MOST_CHARACTERS]
    return as_json({"error": words}, status, headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal(error.status, error.line, error.headers)


async def _bad_input(request: Request, error: Exception) -> Response:
    return refusal(400, str(error))


async def _of_http(request: Request, error: Exception) -> Response:
    """No such path, or no such verb for it."""
    assert isinstance(error, HTTPException)
    line = {
        404: f"there is nothing at {request.url.path!r}; GET /docs lists what there is.",
        405: f"{request.method} is not for {request.url.path!r}; GET /docs lists what is.",
    }.get(error.status_code, error.detail)
    return refusal(error.status_code, line, error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody hears it


async def _fault(request: Request, error: Exception) -> Response:
    return refusal(500, FAULT)


HANDLERS: Mapping[Any, Any] = {
    Refused: _refused, InputError: _bad_input, HTTPException: _of_http, ClientDisconnect: _gone, Exception: _fault,
}  # fmt: skip
