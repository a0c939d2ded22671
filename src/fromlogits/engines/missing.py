"""What an engine needs that is not installed."""

from __future__ import annotations

import contextlib
import importlib.util


def torch(what: str = "engine='torch'") -> str | None:
    """Why the torch engine, for what needs it, is not there, in a line; None where it is. Loads nothing."""
    with contextlib.suppress(ValueError):  # of one that was taken away
        if importlib.util.find_spec("torch") is not None:
            return None
    return f"{what} needs PyTorch, which is not installed: pip install 'fromlogits[torch]'."
