"""Recipes: from the kind and size of a task to every setting that was not stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .errors import InputError, brief, nearest
from .spec import Dense, Embedding, Layer, Periodic, PiecewiseLinear, Residual, Scaling

PRETRAINED = "hf:"
BACKBONES = ("none", "tiny", f"{PRETRAINED}NAME")
"""What stands in front of the dense layers: the last is any pretrained network, by its name or its folder."""
PRESETS = ("fast", "good", "best")
USUAL = "good"
MOST_EMBEDDED = 200
"""Columns of which numbers are embedded: beyond, their features would make the first layer the largest by far."""
FEW_ROWS = 2_000
"""Of tables: up to so many `fast` has a plain network, beyond one by the recipe: docs/decisions/0004-fast-preset.md."""
MANY_PICTURES = 16_000
"""Beyond so many, plain networks are no worse than the recipe: docs/decisions/0021-recipe.md."""


@dataclass(frozen=True)
class Task:
    """What a preset is told.

    Attributes:
        n_rows: of the table that take part, held-out rows included.
        n_columns: of the input: columns, pixels or terms.
        kind: columns of a table or of an array, pictures, sparse rows, or what a frozen backbone made of pictures.
        metric: what epochs are judged by.
        optimizer: where it is stated, else None.
        holds_out: rows of these are held out: neither are they given, nor are they the last in time, nor are there
            none.
        n_groups: of the rows, where those of a group stay together; None: each row is on its own.
        is_separate: a network for each label.
        picture_shape: (h, w) or (h, w, channels) of a picture, where it is known.
        has_end: it is known which step is the last, as it is not in `partial_fit`.
        precision: in which convolutions are trained faster where they will be.
    """

    n_rows: int
    n_columns: int = 1
    kind: Literal["table", "picture", "sparse", "features"] = "table"
    metric: str = "log_loss"
    optimizer: str | None = None
    holds_out: bool = True
    n_groups: int | None = None
    is_separate: bool = False
    picture_shape: tuple[int, ...] | None = None
    has_end: bool = True
    precision: str = "float32"


@dataclass(frozen=True)
class Recipe:
    """What a preset says.

    Attributes:
        layers: all but the last; those that embed numbers or categories are for data that have some.
        plan: fields of the plan.
        ensemble: how many networks.
    """

    layers: tuple[Layer, ...]
    plan: dict[str, Any]
    ensemble: int = 1


def check_backbone(backbone: object) -> None:
    """Raise InputError for what is no backbone."""
    if backbone in BACKBONES[:-1] or (isinstance(backbone, str) and backbone.startswith(PRETRAINED)):
        return
    hint = nearest(backbone, BACKBONES[:-1]) if isinstance(backbone, str) else ""
    raise InputError(
        f"backbone must be one of {', '.join(BACKBONES)} (a model on Hugging Face, or a folder); got {brief(backbone)}."
        f"{hint}"
    )


def recipe(preset: object, task: Task, hidden: Sequence[Layer] | None = None) -> Recipe:
    """What a preset makes of a task.

    Args:
        preset: its name; InputError for an unknown one.
        task: what it is told.
        hidden: the layers but the last where they are stated, else None. They are trained as a plain network, by
            "best" in folds.
    """
    if preset not in PRESETS:
        hint = nearest(preset, PRESETS) if isinstance(preset, str) else ""
        raise InputError(f"preset must be one of {', '.join(PRESETS)}; got {preset!r}.{hint}")
    if hidden is not None:
        stated = plain(task, hidden)
        return _in_folds(stated, task, 5, 5) if preset == "best" else stated
    return {"fast": fast, "good": good, "best": best}[str(preset)](task)


def fast(task: Task) -> Recipe:
    """One network: of tables of more than a few rows by the recipe of `good`, of fewer passes, else a plain one."""
    n = task.n_rows
    if task.kind != "table" or n <= FEW_ROWS or not task.has_end:
        return plain(task)
    one = _of_recipe(task, min(25, max(250_000 // n, 12 if n <= 200_000 else 6)), n_layers=2)
    return Recipe(one.layers, {**one.plan, "dropout": 0.1, "batch_size": one.plan["batch_size"] // 2})


def plain(task: Task, hidden: Sequence[Layer] | None = None) -> Recipe:
    """One plain network: relu layers, adam, a cosine schedule, early stopping, a little dropout where it is wide.

    Batches grow with the table and passes shrink, so that the number of steps, and with it the time, grows slowly.
    The constants are measured: docs/decisions/0004-fast-preset.md.
    """
    n_rows = task.n_rows
    if hidden is None:
        hidden = [Dense(units, "relu") for units in ((256, 128) if n_rows > 16_000 else (128, 64))]
    widths = [layer.units for layer in hidden if isinstance(layer, Dense)]
    is_wide = len(widths) > 0 and min(widths) >= 64  # in a narrow layer each unit is needed
    is_large = n_rows > 16_000
    batch_size = 32 if n_rows <= 4_000 else 64 if n_rows <= 16_000 else 128 if n_rows <= 200_000 else 256
    # About 2 000 steps where rows are few: a small table needs many passes, and they cost little.
    max_epochs = min(max(2_000 * batch_size // n_rows, 20 if n_rows <= 200_000 else 10), 200)
    plan = {
        "dropout": (0.1 if is_large else 0.3) if is_wide else 0.0,
        "optimizer": task.optimizer or "adam",
        "learning_rate": 0.05 if task.optimizer == "sgd" else 1e-3 if is_large else 2e-3,
        "schedule": "cosine",
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "patience": max(5, max_epochs // 2),
    }
    return Recipe(tuple(hidden), plan)


def good(task: Task) -> Recipe:
    """Some networks by the recipe of RealMLP (Holzmüller et al., NeurIPS 2024), of fewer passes over the rows.

    The number of passes follows the number of rows, so that the time grows slowly; several networks of fewer passes
    are better than one of many, and where rows are few each is judged by a fold of its own, so that all rows choose
    and calibrate. The constants are measured: docs/decisions/0021-recipe.md.
    """
    if task.kind == "sparse":
        return _plain(task, 4 if task.n_rows <= 20_000 else 2)
    if _is_many_pictures(task):
        return _plain(task, 3)
    folds, ensemble = (5, 5) if task.n_rows <= 16_000 else (4, 4) if task.n_rows <= 40_000 else (1, 3)
    if task.n_rows > 150_000:
        ensemble = 2
    return _in_folds(_of_recipe(task, _passes(task) // ensemble), task, folds, ensemble)


def best(task: Task) -> Recipe:
    """The recipe with all the passes that help, ten networks, each judged by the fold that it was not trained on."""
    if task.kind == "sparse" or _is_many_pictures(task):
        return _in_folds(_plain(task, 10), task, 5, 10)
    return _in_folds(_of_recipe(task, 2 * _passes(task) // 5), task, 5, 10)


def _passes(task: Task) -> int:
    """Over all rows, of all networks together; features that a network made already need fewer."""
    n_rows = task.n_rows
    if task.kind == "features":
        return min(200, max(25, 300_000 // n_rows))
    rows = 2_600_000 if n_rows <= 35_000 else 75 * n_rows if n_rows <= 100_000 else 6_700_000 + 8 * n_rows
    return min(200, max(16, rows // n_rows))


def _of_recipe(task: Task, max_epochs: int, n_layers: int = 3) -> Recipe:
    front: tuple[Layer, ...] = (Scaling(),)
    if task.kind == "picture":
        front, n_layers = (), 2
    elif task.kind == "table" and task.n_columns <= MOST_EMBEDDED:
        front = (Periodic(), Embedding(), *front)
    hidden = (Dense(256, "relu"),) * n_layers
    n = task.n_rows
    plan: dict[str, Any] = {
        "numbers": "robust",
        "initialisation": "data",
        "dropout": 0.2 if task.kind == "picture" else 0.15,
        "batch_size": 64 if n <= 1_024 else 128 if n <= 8_192 else 256 if n <= 30_000 else 512,
        "max_epochs": max(max_epochs, 5),
        "patience": max(max_epochs, 5),
        "label_smoothing": 0.1 if task.metric == "accuracy" else 0.0,
    }
    if task.optimizer in (None, "adamw"):
        plan |= {
            "optimizer": "adamw",
            "learning_rate": 0.028,
            "schedule": "flat_cosine",
            "beta2": 0.95,
            "weight_decay": 0.02,
            "rate_by_width": True,
            "bias_rate": 0.1,
            "embedding_rate": 0.1,
            "scaling_rate": 6.0,
            "scaling_decay": 36.0,
        }
    else:
        plan |= {
            "optimizer": task.optimizer,
            "learning_rate": 0.05 if task.optimizer == "sgd" else 2e-3,
            "schedule": "cosine",
        }
    return Recipe((*front, *hidden), plan)


def tiny(preset: object, task: Task, hidden: Sequence[Layer] | None = None) -> Recipe:
    """A small residual network over pictures, and the plan that suits it; `hidden` are dense layers behind it.

    The number of passes follows the number of pictures: "fast" has fewer, and "best" three networks of as many.
    Patches leave some 30 positions along the shorter side, and what they cost is made up for by one stage more. Digits
    have no mirror image, and colours have: pictures of three channels are mirrored. What was measured:
    docs/decisions/0026-torch-engine.md.
    """
    if preset not in PRESETS:
        hint = nearest(preset, PRESETS) if isinstance(preset, str) else ""
        raise InputError(f"preset must be one of {', '.join(PRESETS)}; got {preset!r}.{hint}")
    shape = task.picture_shape or (1, 1)
    side, is_coloured = min(shape[:2]), len(shape) == 3 and shape[2] == 3
    residual = Residual((32, 64, 128)) if side < 48 else Residual((32, 64, 128, 256), patch=max(2, min(side // 32, 8)))
    pictures, least = {"fast": (150_000, 4), "good": (400_000, 10), "best": (400_000, 15)}[str(preset)]
    n = task.n_rows
    max_epochs = min(max(pictures // n, least), 200)
    plan: dict[str, Any] = {
        "optimizer": task.optimizer or "adamw",
        "learning_rate": 0.05 if task.optimizer in ("sgd", "nesterov") else 5e-3,
        "schedule": "cosine",
        "weight_decay": 0.05 if task.optimizer in (None, "adamw") else 5e-4,
        "batch_size": 32 if n <= 4_000 else 64 if n <= 20_000 else 128,
        "max_epochs": max_epochs,
        "patience": max_epochs,
        "precision": task.precision,
        "shift": 0.1,
        "zoom": 0.2 if is_coloured else 0.1,
        "flip": is_coloured,
        "colour": 0.3 if is_coloured else 0.0,
        "averaging": 0.125,
        "label_smoothing": 0.1 if task.metric == "accuracy" else 0.0,
    }
    return Recipe((residual, *(hidden or ())), plan, 3 if preset == "best" and not task.is_separate else 1)


def _is_many_pictures(task: Task) -> bool:
    return task.kind == "picture" and task.n_rows > MANY_PICTURES


def _plain(task: Task, ensemble: int) -> Recipe:
    """Plain networks: of sparse rows most of the input is zeros, for which no part of the recipe was made, and where
    pictures are many it is no better than plain networks that take less time."""
    one = plain(task, None if task.kind == "picture" else [Dense(256, "relu")] * 2)
    return Recipe(one.layers, one.plan, 1 if task.is_separate else ensemble)


def _in_folds(one: Recipe, task: Task, folds: int, ensemble: int) -> Recipe:
    """So many of these networks; with folds only where rows of the table are held out and each fold gets some."""
    if task.is_separate:  # there are as many networks as labels already
        return one
    n_parts = task.n_rows if task.n_groups is None else task.n_groups
    return Recipe(one.layers, {**one.plan, "folds": folds if task.holds_out and n_parts >= folds else 1}, ensemble)


def fitting_layers(
    layers: Sequence[Layer], *, has_numbers: bool, has_categories: bool, has_peaks: bool
) -> tuple[Layer, ...]:
    """A recipe's layers without those that would have nothing to embed.

    Args:
        has_peaks: some number of many values has one of them in most rows, so that its quartiles say nothing of the
            others: pieces between its values then tell them apart where waves can't.
    """
    idle = [*([] if has_numbers else [Periodic]), *([] if has_categories else [Embedding])]
    kept = (layer for layer in layers if type(layer) not in idle)
    return tuple(PiecewiseLinear() if has_peaks and isinstance(layer, Periodic) else layer for layer in kept)
