"""Recipes: from the size of a task to every setting that was not stated."""

from __future__ import annotations

from typing import Any

from .errors import InputError, nearest

PRESETS = ("fast",)


def fast(n_rows: int) -> dict[str, Any]:
    """One plain network: relu layers, adam, a cosine schedule, early stopping.

    Batches grow with the table and passes shrink, so that the number of steps, and with it the time, grows slowly.
    The constants are measured: docs/decisions/0005-fast-preset.md.
    """
    batch_size = 32 if n_rows <= 4_000 else 64 if n_rows <= 16_000 else 128 if n_rows <= 100_000 else 256
    max_epochs = 60 if n_rows <= 4_000 else 40 if n_rows <= 16_000 else 25 if n_rows <= 100_000 else 12
    return {
        "hidden_layer_sizes": (256, 128) if n_rows > 16_000 else (128, 64),
        "activation": "relu",
        "optimizer": "adam",
        "learning_rate": 2e-3,
        "schedule": "cosine",
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "patience": max(5, max_epochs // 3),
    }


def settings(preset: object, n_rows: int) -> dict[str, Any]:
    """The settings of a preset for a table of `n_rows` training rows; InputError for an unknown one."""
    if preset != "fast":
        hint = nearest(preset, PRESETS) if isinstance(preset, str) else ""
        raise InputError(f"preset must be one of {', '.join(PRESETS)}; got {preset!r}.{hint}")
    return fast(n_rows)
