"""Who may ask: the bearer of a token, or, without one, what runs on this machine and is no page of another site."""

from __future__ import annotations

import functools
import ipaddress

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import sign_in
from .refusals import refusal
from .sign_in import Session

MIN_CHARACTERS = 16
UNGUARDED = ("/v2/health/live", "/v2/health/ready")


class Guard:
    """Lets a request through to the app, or answers 401 or 403.

    Health is for anybody. Without a token, Host must name this machine: a name of another site that its owner points
    here (DNS rebinding) does not. A browser's Origin must be the very server that it asks. With a token, a browser that
    opens a page is given the form that takes it.
    """

    def __init__(self, app: ASGIApp, session: Session | None) -> None:
        self.app, self.session = app, session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refused(scope) if scope["path"] not in UNGUARDED else None
        await (refused or self.app)(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if self.session is None and not (len(hosts) == 1 and is_of_this_machine(hosts[0])):
            found = f"it is {', '.join(map(repr, hosts))}" if hosts else "there is none"
            return refusal(403, f"Host must be localhost, 127.0.0.1 or [::1] where the server has no token; {found}.")
        if any(origin.partition("://")[2] not in hosts for origin in origins):
            return refusal(403, f"a page of another site may not ask this server; Origin is {origins[0]!r}.")
        headers = Headers(scope=scope)
        if self.session is not None and scope["path"] != sign_in.AT and not self.session.is_of(headers):
            if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
                return sign_in.form()
            line = "this server needs its token, in a header: Authorization: Bearer TOKEN."
            return refusal(401, line, {"WWW-Authenticate": "Bearer"})
        return None


@functools.lru_cache(64)  # a client's Host is the same in all of its requests
def is_of_this_machine(host: str) -> bool:
    """Whether a Host header is a loopback name or address, whatever its port."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"
