"""`fromlogits serve`: models behind HTTP, on this machine or, with a token, for others."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..errors import EngineUnavailableError, InputError
from .display import Screen
from .options import Json, Place, Threads
from .output import as_json

DEFAULT_PORT = 8000
MEGABYTE = 1_000_000


def serve(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Model files; each is called by its file's name.", show_default=False),
    ],
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="HOST", help="The address to serve at; any but this machine's own needs a token."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="The port; 0 takes one that is free.")
    ] = DEFAULT_PORT,
    token_file: Annotated[
        str | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="Holds the token that requests must bear; the variable FROMLOGITS_TOKEN is the other way to set one.",
        ),
    ] = None,
    max_body: Annotated[
        float, typer.Option("--max-body", metavar="MB", help="The largest body of a request, in megabytes.")
    ] = 16.0,
    max_rows: Annotated[int, typer.Option("--max-rows", metavar="N", help="Rows of a request at most.")] = 10_000,
    queue: Annotated[
        int, typer.Option("--queue", metavar="N", help="Requests that may wait while every thread has one.")
    ] = 64,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", help="Seconds from a request to its answer at most.")
    ] = 30.0,
    backbone: Place = None,
    threads: Threads = None,
    json: Json = False,
) -> int:
    """Answer requests for predictions over HTTP until Ctrl-C or SIGTERM."""
    try:
        from ..serving import app, limits, server
        from ..serving import models as served
    except ImportError as error:
        raise EngineUnavailableError(
            f"serve needs {(error.name or 'a library').partition('.')[0]}, which is not installed; install it by"
            " `pip install 'fromlogits[serve]'`."
        ) from None
    from ..cores import n_threads
    from ..settings import BY_NAME, read_value

    _check_range("--port", port, 0, 65535)
    _check_range("--max-body", max_body, 0.001, 2000)
    _check_range("--max-rows", max_rows, 1, 10_000_000)
    _check_range("--queue", queue, 0, 100_000)
    _check_range("--timeout", timeout, 0.1, 86_400)
    n_jobs = None if threads is None else read_value(BY_NAME["n_jobs"], threads, f"--threads {threads}")
    within = limits.Limits(round(max_body * MEGABYTE), max_rows, queue, timeout, n_threads(n_jobs))  # type: ignore[arg-type]
    token = server.read_token(token_file)
    opened = served.opened(models, backbone)
    listening = server.listen(host, port, has_token=token is not None)
    url, results = server.url_of(listening), Screen(sys.stdout)

    def tell() -> None:
        if json:
            about = {name: {"version": model.version} for name, model in opened.items()}
            results.tell(as_json({"url": url, "models": about}, is_wide=True))
        else:
            guarded = " to the bearers of its token" if token is not None else ""
            results.tell(f"serving {', '.join(opened)} at {url}{guarded}; the API is at {url}docs; Ctrl-C stops")
        sys.stdout.flush()

    with listening:
        server.serve(app.application(opened, within, token), listening, within, tell)
    return 0


def _check_range(option: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # NaN too
        raise InputError(f"{option} must be from {least:,} to {most:,}; got {value:,}.")
