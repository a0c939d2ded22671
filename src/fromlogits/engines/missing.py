"""What an engine needs that is not installed."""

from __future__ import annotations

import contextlib
import importlib.util


def torch() -> str | None:
    """Why the torch engine is not there, in a line; None where it is. Loads nothing."""
    with contextlib.suppress(ValueError):  # of one that was taken away
        if importlib.util.find_spec("torch") is not None:
            return None
    return "engine='torch' needs PyTorch, which is not installed: pip install 'fromlogits[torch]'."
