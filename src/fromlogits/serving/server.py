"""A process that serves: its address, its token, and an end that answers what was accepted."""

from __future__ import annotations

import ipaddress
import math
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from ..data import duck
from ..errors import InputError
from .connections import connections
from .guard import MIN_CHARACTERS
from .limits import Limits

TOKEN_VARIABLE = "FROMLOGITS_TOKEN"
MOST_TOKEN_BYTES = 4096
BACKLOG = 128
GRACE_S = 5


def read_token(path: str | None) -> str | None:
    """From a file, or else from the environment; None where neither has one."""
    variable = os.environ.get(TOKEN_VARIABLE)
    if path is None:
        return None if variable is None else _checked(variable, TOKEN_VARIABLE)
    if variable is not None:
        raise InputError(f"--token-file {path} and {TOKEN_VARIABLE} are both set; set one of them.")
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_TOKEN_BYTES)
    except OSError as error:
        raise InputError(f"--token-file {path}: {(error.strerror or str(error)).lower()}.") from None
    return _checked(content.decode("latin-1").strip(), f"--token-file {path}")


def _checked(token: str, where: str) -> str:
    if len(token) < MIN_CHARACTERS or not all("!" <= sign <= "~" for sign in token):
        raise InputError(
            f"{where}: a token must have {MIN_CHARACTERS} or more letters, digits and signs of ASCII, and no blanks;"
            f" it has {len(token)} characters. Make one by: python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return token


def listen(host: str, port: int, *, has_token: bool) -> socket.socket:
    """A socket of this machine. Raises InputError where it can't be had, or would be open to others without a token."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(f"--host {host}: there is no such address.") from None
    if not has_token and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise InputError(
            f"--host {host} opens the server to other machines, which needs a token: --token-file FILE, or the variable"
            f" {TOKEN_VARIABLE}. Without one, --host 127.0.0.1 serves this machine alone."
        )
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        why = (error.strerror or str(error)).lower()
        raise InputError(f"--host {host} --port {port}: {why}. --port 0 takes one that is free.") from None
    return listening


def url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Server(uvicorn.Server):
    """Ends by SIGTERM or Ctrl-C when every request has its answer; at a second Ctrl-C at once."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn's own would keep the signal and raise it at the end; here a drained stop is a success.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def configured(app: ASGIApp, head_s: float, grace_s: int) -> uvicorn.Config:
    """uvicorn's settings.

    Args:
        head_s: as `connections` has it.
        grace_s: seconds at most from a stop to the end of the last answer.
    """
    return uvicorn.Config(
        app,
        http=connections(head_s),
        ws="none",
        log_config=None,
        log_level="critical",  # what is to be said, the application says
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace_s,
    )


def serve(app: ASGIApp, listening: socket.socket, limits: Limits, started: Callable[[], None]) -> None:
    """Answer until a signal comes.

    Args:
        started: called when requests are taken.
    """
    duck.keep()
    config = configured(app, limits.timeout_s, math.ceil(limits.timeout_s) + GRACE_S)
    Server(config, started).run(sockets=[listening])
