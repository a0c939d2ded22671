"""How far the pictures are that are being read, said on standard error where it takes long."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import Any

from ..data.backbones.backbone import PROGRESS as BACKBONE_PROGRESS
from ..data.pictures.pixels import PROGRESS
from .display import Screen

EVERY_S = 5.0


def telling_of_pictures(verb: Callable[..., int]) -> Callable[..., int]:
    """The verb, which says every few seconds how many pictures are read or looked at, unless it is to be quiet."""

    @functools.wraps(verb)
    def told(**arguments: Any) -> int:
        screen = Screen(sys.stderr, is_quiet=bool(arguments.get("quiet")))
        due = time.monotonic() + EVERY_S

        def tell(what: str, done: int, n: int, how: str = "read") -> None:
            nonlocal due
            if done < n and time.monotonic() >= due:
                screen.say(f"{what}: {done:,} of {n:,} pictures {how}")
                due = time.monotonic() + EVERY_S

        token = PROGRESS.set(tell)
        of_backbone = BACKBONE_PROGRESS.set(functools.partial(tell, how="computed"))
        try:
            return verb(**arguments)
        finally:
            BACKBONE_PROGRESS.reset(of_backbone)
            PROGRESS.reset(token)

    return told
