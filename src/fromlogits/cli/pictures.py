"""How far the pictures are that are being read, said on standard error where it takes long."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import Any

from ..data.pictures.pixels import PROGRESS
from .display import Screen

EVERY_S = 5.0


def telling_of_pictures(verb: Callable[..., int]) -> Callable[..., int]:
    """The verb, which says every few seconds how many pictures are read, unless it is to be quiet."""

    @functools.wraps(verb)
    def told(**arguments: Any) -> int:
        screen = Screen(sys.stderr, is_quiet=bool(arguments.get("quiet")))
        due = time.monotonic() + EVERY_S

        def tell(what: str, done: int, n: int) -> None:
            nonlocal due
            if time.monotonic() >= due:
                screen.say(f"{what}: {done:,} of {n:,} pictures read")
                due = time.monotonic() + EVERY_S

        token = PROGRESS.set(tell)
        try:
            return verb(**arguments)
        finally:
            PROGRESS.reset(token)

    return told
