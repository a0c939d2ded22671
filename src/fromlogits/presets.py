"""Recipes: from the size of a task to every setting that was not stated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import InputError, nearest

PRESETS = ("fast",)


def fast(n_rows: int, hidden: Sequence[int] | None, optimizer: str = "adam") -> dict[str, Any]:
    """One plain network: relu layers, adam, a cosine schedule, early stopping, a little dropout where it is wide.

    Batches grow with the table and passes shrink, so that the number of steps, and with it the time, grows slowly.
    The constants are measured: docs/decisions/0004-fast-preset.md.
    """
    if hidden is None:
        hidden = (256, 128) if n_rows > 16_000 else (128, 64)
    is_wide = len(hidden) > 0 and min(hidden) >= 64  # in a narrow layer each unit is needed
    is_large = n_rows > 16_000
    batch_size = 32 if n_rows <= 4_000 else 64 if n_rows <= 16_000 else 128 if n_rows <= 200_000 else 256
    # About 2 000 steps where rows are few: a small table needs many passes, and they cost little.
    max_epochs = min(max(2_000 * batch_size // n_rows, 20 if n_rows <= 200_000 else 10), 200)
    return {
        "hidden_layer_sizes": tuple(hidden),
        "activation": "relu",
        "dropout": (0.1 if is_large else 0.3) if is_wide else 0.0,
        "optimizer": optimizer,
        "learning_rate": 0.05 if optimizer == "sgd" else 1e-3 if is_large else 2e-3,
        "schedule": "cosine",
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "patience": max(5, max_epochs // 2),
    }


def settings(
    preset: object, n_rows: int, hidden: Sequence[int] | None = None, optimizer: str | None = None
) -> dict[str, Any]:
    """The settings of a preset.

    Args:
        preset: its name; InputError for an unknown one.
        n_rows: of the table, held-out rows included.
        hidden: units of the hidden layers where they are stated, else None.
        optimizer: where it is stated, else None; the learning rate follows it.
    """
    if preset != "fast":
        hint = nearest(preset, PRESETS) if isinstance(preset, str) else ""
        raise InputError(f"preset must be one of {', '.join(PRESETS)}; got {preset!r}.{hint}")
    return fast(n_rows, hidden, optimizer or "adam")
