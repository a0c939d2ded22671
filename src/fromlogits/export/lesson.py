"""The lesson page: one HTML file in which a model runs, its output layer laid open.

The page is put together from the files in lesson/; the model goes into it as JSON, its weights as float32 in base64.
Nothing is loaded from elsewhere, and a policy in the page lets nothing but its own script run.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.encoders import FeatureEncoder
from ..data.encodings.base import Encoding
from ..data.encodings.category import Category
from ..data.encodings.code import Code
from ..data.encodings.levels import Levels
from ..data.encodings.moment import Moment
from ..data.encodings.number import Number
from ..data.encodings.scale import Scale
from ..errors import InputError
from . import html
from .base import Exported, Format
from .html import Page, inert

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..model import Model

SCRIPTS = (
    "numbers.js", "network.js", "encoders.js", "page.js", "input.js", "drawing.js", "pictures.js", "scene.js",
    "stage.js", "output_layer.js", "charts.js", "roundoff.js", "training.js", "main.js",
)  # fmt: skip
"""In the order in which they stand in the page's one script."""
LAYERS = ("periodic", "piecewise", "embedding", "scaling", "dense")
"""What network.js can compute."""
MOST_BYTES = 64_000_000
"""Of weights: a browser holds them three times."""
SCENES = (32, 32, 3), {"car", "bus", "pedestrian"}
"""Shape and labels of the example scenes: what scene.js can draw."""
MOST_EPOCHS, MOST_CURVES = 400, 20
"""Of a training; more make no other picture."""
BELOW = "One file, made by <code>fromlogits export</code>; it loads nothing, sends nothing and keeps nothing."


class Lesson(Format):
    """One offline page."""

    ending = ".html"

    def export(self, classifier: Classifier) -> Exported:
        model = classifier._model
        content = page(model).encode()
        about = {
            "format": "lesson page, one HTML file that needs no network",
            "network": model.members.describe(model.network, model.target.n_classes),
            "size": f"{len(content):,} bytes",
        }
        return Exported(content, about)


def page(model: Model) -> str:
    """The whole page; InputError for a model that it can't run."""
    return of(described(model)).text


def of(
    told: Mapping[str, Any], *, scripts: Sequence[str] = (), above: str = "", below: str = BELOW, asks: bool = False
) -> Page:
    """The page of what was described.

    Args:
        scripts: more of them, before the last.
        above, below: HTML that says where the page is from, at its top and its end.
        asks: whether a script asks the server that the page came from.
    """
    *first, last = (_file(name) for name in SCRIPTS)
    parts = {"above": above, "below": below, "model": inert(told)}
    return html.page(_file("page.html"), _file("style.css"), [*first, *scripts, last], parts, asks_its_server=asks)


def _file(name: str) -> str:
    return html.part(__package__, f"lesson/{name}")


def described(model: Model) -> dict[str, Any]:
    """All that the page shows and computes by; InputError for what it can't compute or hold."""
    if not can_compute(model):
        raise InputError(
            "the lesson page has no convolutions, which this model has; `fromlogits serve MODEL` shows the same page"
            " and computes them."
        )
    told, size = outlined(model), n_bytes(model)
    if size > MOST_BYTES:
        raise InputError(
            f"the weights take {size / 1e6:,.0f} MB; a lesson page holds {MOST_BYTES / 1e6:,.0f} MB at most, so that a"
            " browser can open it. Export a smaller network."
        )
    parameters = b"".join(
        np.ascontiguousarray(array, "<f4").tobytes()
        for one in model.trained
        for layer in one.parameters
        for array in layer
    )
    return {**told, "parameters": base64.b64encode(parameters).decode()}


def can_compute(model: Model) -> bool:
    """Whether the page knows every layer."""
    return all(layer["kind"] in LAYERS for layer in model.network.to_json()["layers"])


def n_bytes(model: Model) -> int:
    """Of its weights."""
    return 4 * model.network.n_parameters * len(model.trained)


def outlined(model: Model) -> dict[str, Any]:
    """All that the page shows and computes by but the weights."""
    network, schema = model.network, model.encoder.schema
    if model.encoder.backbone is not None:
        raise InputError(
            f"the lesson page can't compute the backbone {model.encoder.backbone.reference.text!r}, whose weights the"
            " model does not hold; predict and serve can."
        )
    return {
        "computed": "here",
        "task": model.target.task,
        "head": model.head,
        "classes": [_text(name) for name in model.target.classes],
        "layers": network.to_json()["layers"],
        "numbers": list(network.numbers),
        "categories": [list(one) for one in network.categories],
        "arrays": [{name: list(shape) for name, shape in layer.items()} for layer in network.arrays],
        "n_networks": len(model.trained),
        "n_parameters": network.n_parameters * len(model.trained),
        "a_round": model.members.a_round(model.target.n_classes),
        "members": model.members.describe(network, model.target.n_classes),
        "schema": {
            "names": None if schema.names is None else list(schema.names),
            "n_features": schema.n_features,
            "picture_shape": None if schema.picture_shape is None else list(schema.picture_shape),
            "targets": list(schema.target_names),
            "first_index": schema.first_index,
            "is_of_files": schema.pictures is not None,
        },
        "encoder": _encoder(model.encoder),
        "calibration": {
            "temperatures": model.calibration.temperatures.tolist(),
            "biases": None if model.calibration.biases is None else model.calibration.biases.tolist(),
        },
        "rule": model.rule.to_json(),
        "training": _training(model),
        "plan": model.plan.to_json(),
        "examples": _examples(model),
        "has_scenes": _has_scenes(model),
        "versions": model.versions,
    }


def _text(name: Any) -> str:
    return str(name.item() if hasattr(name, "item") else name)


def _encoder(encoder: FeatureEncoder) -> dict[str, Any]:
    """As encoders.js reads it."""
    told: dict[str, Any] = {"kind": encoder.kind, "width": encoder.n_features}
    if encoder.table is not None:
        return {**told, "columns": [_encoding(one) for one in encoder.table.columns]}
    if encoder.kind == "picture":
        return {**told, "scale": encoder.scale, "shift": encoder.shift}
    centres, factors = {
        "standard": (encoder.mean, encoder.inverse_spread),
        "robust": (encoder.median, encoder.inverse_range),
        "scaled": (None, encoder.inverse_spread),
    }[encoder.kind]
    assert factors is not None
    return {**told, "centres": None if centres is None else centres.tolist(), "factors": factors.tolist()}


def _encoding(one: Encoding) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": one.kind, "missing": one.n_missing}
    if isinstance(one, Number):
        return {**told, "scale": _scale(one.scale), "middle": one.median, "is_boolean": one.is_boolean}
    if isinstance(one, (Category, Code)):
        category = one.category if isinstance(one, Code) else one
        return {**told, "values": list(category.values), "rare": category.n_rare}
    if isinstance(one, Levels):
        return {**told, "number": _encoding(one.number), "category": _encoding(one.category)}
    if isinstance(one, Moment):
        return {**told, "parts": list(one.parts), "is_time": one.is_time, "scale": _scale(one.scale)}
    raise InputError(f"the lesson page can't encode a column of the kind {one.kind!r}.")


def _scale(scale: Scale) -> dict[str, Any]:
    return {"centre": scale.centre, "factor": scale.factor, "is_robust": scale.is_robust}


def _training(model: Model) -> dict[str, Any]:
    """The record: curves, split and figures, but not what the training file was."""
    curves = []
    for number, one in enumerate(model.trained[:MOST_CURVES]):
        epochs = one.history.epochs
        step = math.ceil(len(epochs) / MOST_EPOCHS) or 1
        kept = [
            epoch for place, epoch in enumerate(epochs) if place % step == 0 or epoch is epochs[-1] or epoch.is_best
        ]
        curves.append(
            {
                "name": (f"{one.label}" if one.label is not None else f"network {number + 1}"),
                "metric": one.metric,
                "best": one.history.best_epoch,
                "stopped_by": one.history.stopped_by,
                "epochs": [[epoch.epoch, _finite(epoch.loss), _finite(epoch.validation)] for epoch in kept],
            }
        )
    facts = model.facts
    figures = facts.get("validation")
    return {
        "curves": curves,
        "rows": facts["n_train"],
        "held_out": facts["n_validation"],
        "split": {name: value for name, value in facts["split"].items() if name != "data_sha256"},
        "seed": facts["seed"],
        "preset": facts.get("preset"),
        "validation": _plain(figures) if isinstance(figures, Mapping) else {},
        "per_label": _plain_list(figures.get("per_label", ())) if isinstance(figures, Mapping) else [],
        "calibration": _plain(facts.get("calibration", {}).get("log_loss", {})),
    }


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are one number or text."""
    return {
        name: value
        for name, value in figures.items()
        if isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
    }


def _plain_list(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_plain(row) for row in rows]


def _has_scenes(model: Model) -> bool:
    """Whether it answers what the example scenes are asked: any of these labels, of pictures of that shape."""
    shape, labels = SCENES
    is_asked = model.target.task == "multi-label" and {_text(name) for name in model.target.classes} == labels
    return is_asked and model.encoder.schema.picture_shape == shape and model.encoder.kind == "picture"


def _examples(model: Model) -> dict[str, Any] | None:
    """Rows of the example data, where the model takes pictures of that shape and knows those classes."""
    shape = model.encoder.schema.picture_shape
    classes = {_text(name) for name in model.target.classes}
    for one in json.loads(_file("examples.json")):
        if shape is not None and list(shape) == one["shape"] and classes == set(one["classes"]):
            found: dict[str, Any] = one
            return found
    return None
