"""What an engine needs that is not installed."""

from __future__ import annotations

import contextlib
import importlib.util


def torch(asked: str) -> str | None:
    """Why what was asked for, in the words of whoever did, is not there, in a line; None where it is. Loads nothing."""
    with contextlib.suppress(ValueError):  # of one that was taken away
        if importlib.util.find_spec("torch") is not None:
            return None
    return f"{asked} needs PyTorch, which is not installed: pip install 'fromlogits[torch]'."
