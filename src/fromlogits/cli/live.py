"""`train --live`: the page that shows a training while it runs."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

from ..errors import EngineUnavailableError, InputError
from .display import Screen

if TYPE_CHECKING:
    from ..fitting import Fit
    from ..serving.watching import Window

HOST = "127.0.0.1"


def listen(live: str | None) -> socket | None:
    """A port for the page, taken before the work starts: the one that is named, or for "" one that is free."""
    if live is None:
        return None
    try:
        from ..serving import server, watching  # noqa: F401  (what is missing is told now)
    except ImportError as error:
        raise EngineUnavailableError(
            f"train --live needs {(error.name or 'a library').partition('.')[0]}, which is not installed; install it by"
            " `pip install 'fromlogits[serve]'`."
        ) from None
    port = int(live) if live.isdecimal() and len(live) < 9 else 0 if live == "" else -1
    if not 0 <= port <= 65535:
        raise InputError(f"--live takes a port from 0 to 65,535, as in --live 8001, or nothing; got {live!r}.")
    try:
        return server.listen(HOST, port, has_token=False)
    except InputError as error:
        why = str(error).removeprefix(f"--host {HOST} --port {port}: ").partition(".")[0]
        raise InputError(f"--live {port}: {why}. --live without a port takes one that is free.") from None


@contextlib.contextmanager
def window(
    listening: socket | None, screen: Screen, data: str, fit: Fit, stop: Callable[[], None]
) -> Iterator[Window | None]:
    """The page's server, while the training runs and until what came out has been sent; None without --live."""
    if listening is None:
        yield None
        return
    from ..serving import server, watching

    summary, plan = fit.summary, fit.summary.plan
    about = {
        "data": Path(data).name,
        "what": f"{summary.members.describe(summary.network, len(summary.classes))}; {summary.rows_in_words()}",
        "max_epochs": plan.max_epochs,
        "early_stopping": plan.early_stopping and summary.n_valid > 0,
        "most_curves": watching.MOST_CURVES,
    }
    watched = watching.Watched(about, [(one.name, one.metric) for one in fit.untrained])
    with listening, watching.Window(watched, listening, stop) as opened:
        screen.tell(f"watch it at {server.url_of(listening)}")
        try:
            yield opened
        except Exception as error:
            opened.ended({"error": str(error)})
            raise


def came_out(how: str, report: dict[str, Any]) -> dict[str, Any]:
    """The end of a training, for the page."""
    figures = [["epochs", report["epochs"]], ["kept", f"epoch {report['best_epoch']}"]]
    for rows in ("validation", "test"):
        for name, value in (report.get(rows) or {}).items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                figures.append([f"{rows} {name}".replace("_", " "), value])
    command = f"fromlogits serve {shlex.quote(report['model'])}"
    return {"how": f"{how[:1].upper()}{how[1:]}.", "model": report["model"], "figures": figures, "command": command}
