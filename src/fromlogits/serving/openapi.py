"""The API of a server as OpenAPI 3.1, made for the models that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from ..data.encodings.base import Encoding
from ..data.encodings.levels import Levels
from ..data.encodings.moment import Moment
from ..data.encodings.number import Number
from ..data.reading import HEADERS
from . import files, pictures
from .inference import OUTPUTS, inputs_wanted
from .limits import Limits
from .models import Served
from .tensors import DTYPES, MOST_DIMENSIONS

Json = dict[str, Any]
NUMBER: Json = {"type": ["number", "null"]}
COVERAGE: tuple[str, Json, str] = (
    "coverage",
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "Give prediction sets that hold the right one with this probability.",
)
OF_TEXT: Mapping[str, Json] = {"decimal": {"enum": [".", ","]}, "header": {"enum": [*HEADERS]}}
"""Those of `files.OPTIONS` that have few values."""
REFUSALS = {
    "400": "The body or the query is not what it must be.",
    "401": "The token is missing or another one.",
    "403": "Host is no name of this machine, or Origin another site.",
    "404": "There is no such model or version.",
    "408": "The request took longer than --timeout.",
    "413": "The body or its rows are more than --max-body or --max-rows.",
    "415": "The body is of a kind that is not read.",
    "429": "More requests wait than --queue; Retry-After says when to try again.",
}


def document(version: str, models: Mapping[str, Served], limits: Limits, *, has_token: bool) -> Json:
    """All paths of the server; those of a model stand there under its own name."""
    paths: Json = {}
    for model in models.values():
        at = quote(model.name, safe="")
        paths[f"/v1/models/{at}/predict"] = {"post": _predict(model, limits)}
        of_model = {
            "": (
                "get",
                f"What {model.name} takes and gives",
                _object("name", "versions", "platform", "inputs", "outputs"),
            ),
            "/ready": ("get", f"Whether {model.name} is ready", _object("name", "ready")),
        }
        for end, (verb, summary, schema) in of_model.items():
            for where in (f"/v2/models/{at}", f"/v2/models/{at}/versions/{model.version}"):
                paths[where + end] = {verb: _operation(summary, schema, ("401", "403", "404"))}
        for where in (f"/v2/models/{at}", f"/v2/models/{at}/versions/{model.version}"):
            paths[f"{where}/infer"] = {"post": _infer(model)}
    paths |= {
        "/v2": {
            "get": _operation("The server's name, version and extensions", _object("name", "version", "extensions"))
        },
        "/v2/health/live": {"get": _operation("Whether the server lives; needs no token", _object("live"), ())},
        "/v2/health/ready": {"get": _operation("Whether it is ready; needs no token", _object("live", "ready"), ())},
        "/metrics": {"get": _operation("Counters in Prometheus's text", {"type": "string"}, kind="text/plain")},
    }
    scheme = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if has_token else {}
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fromlogits",
            "version": version,
            "description": "Predictions of "
            + ", ".join(models)
            + ". /v1 is for people, /v2 the Open Inference Protocol with the extensions binary_tensor_data and"
            " classification.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": error}, **scheme},
        **({"security": [{"token": []}]} if has_token else {}),
    }


def _operation(
    summary: str, schema: Json, refusals: tuple[str, ...] = ("401", "403"), kind: str = "application/json"
) -> Json:
    responses: Json = {"200": {"description": "Done.", "content": {kind: {"schema": schema}}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses |= {code: {"description": REFUSALS[code], "content": error} for code in refusals}
    return {"summary": summary, "responses": responses, **({} if refusals else {"security": []})}


def _object(*names: str, **properties: Json) -> Json:
    return {"type": "object", "required": [*names], "properties": {**{name: {} for name in names}, **properties}}


def _predict(model: Served, limits: Limits) -> Json:
    """As the endpoint reads and answers it."""
    width = model.classifier.n_features_in_
    if model.columns is None:
        row: Json = {"type": "array", "items": _number(model), "minItems": width, "maxItems": width}
    else:
        row = _object(*model.columns, **dict(zip(model.columns, _values(model), strict=True)))
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": limits.max_rows}
    content: Json = {"application/json": {"schema": {"additionalProperties": False, **_object("rows", rows=rows)}}}
    content |= {kind: {"schema": {"type": "string"}} for kind in files.FORMS}
    if model.picture_shape is not None:
        content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in pictures.FORMATS}
    named = {"type": "object", "additionalProperties": {"type": "number"}}
    one = {"enum": [*model.classes]}
    several = {"type": "array", "items": one}
    decided = {"labels": several} if model.is_multi_label else {"label": one}
    entry = _object(*decided, "probabilities", **decided, probabilities=named, set=several, logits=named)
    answer = _object("predictions", predictions={"type": "array", "items": entry}, notes={"type": "array"})
    query = [
        ("logits", {"type": "boolean"}, "Give the logits too."),
        *([] if model.classifier.sets_ is None else [COVERAGE]),
        *(
            (
                name,
                OF_TEXT.get(name, {"type": "string"}),
                f"How a text is read, as --{name} of fromlogits predict; for texts alone.",
            )
            for name in files.OPTIONS
        ),
    ]
    return {
        **_operation(f"Predict rows by {model.name}", answer, tuple(REFUSALS)),
        "parameters": [{"name": n, "in": "query", "schema": s, "description": words} for n, s, words in query],
        "requestBody": {"required": True, "content": content},
    }


def _values(model: Served) -> list[Json]:
    """What each column of a model with named columns holds."""
    table = model.classifier.encoder_.table
    if table is None:
        return [_number(model)] * model.classifier.n_features_in_
    return [_value(encoding) for encoding in table.columns]


def _number(model: Served) -> Json:
    """What stands for a number; a picture has all its pixels."""
    return NUMBER if model.picture_shape is None else {"type": "number"}


def _value(encoding: Encoding) -> Json:
    if isinstance(encoding, Moment):
        return {"type": ["string", "null"], "format": "date-time" if encoding.is_time else "date"}
    if isinstance(encoding, Number) and encoding.is_boolean:
        return {"type": ["boolean", "null"]}
    if isinstance(encoding, (Number, Levels)):
        return NUMBER
    return {"type": ["string", "number", "boolean", "null"]}


def _infer(model: Served) -> Json:
    wanted = inputs_wanted(model)
    sizes = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": MOST_DIMENSIONS}
    any_tensor = _object(
        "name", "shape", "datatype",
        name={"enum": [one["name"] for one in wanted]}, shape=sizes, datatype={"enum": [*DTYPES, "BYTES"]},
        data={"type": "array"}, parameters={"type": "object"},
    )  # fmt: skip
    of_one_row = [_tensor_of_one_row(one, _number(model)) for one in wanted]
    one_row = {"type": "array", "prefixItems": of_one_row, "minItems": len(wanted), "maxItems": len(wanted)}
    asked = [_object("name", name={"const": name}, parameters={"type": "object"}) for name in OUTPUTS]
    body = _object(
        "inputs", id={"type": "string"}, parameters={"type": "object"},
        inputs={
            "description": "An input for each, with as many rows; the values of a row stand in data one after another.",
            "anyOf": [one_row, {"type": "array", "items": any_tensor, "minItems": 1}],
        },
        outputs={
            "description": "Those that are wanted, each once.",
            "anyOf": [
                {"type": "array", "prefixItems": asked, "minItems": 1, "maxItems": len(asked)},
                {"type": "array", "items": {"anyOf": asked}, "minItems": 1, "maxItems": len(asked)},
            ],
        },
    )  # fmt: skip
    schema = _object("model_name", "model_version", "outputs")
    content = {"application/json": {"schema": body}, "application/octet-stream": {"schema": {"type": "string"}}}
    return {
        **_operation(f"Infer by {model.name}, tensors in and out", schema, tuple(REFUSALS)),
        "requestBody": {"required": True, "content": content},
    }


def _tensor_of_one_row(wanted: Json, number: Json) -> Json:
    datatype, width = wanted["datatype"], wanted["shape"][1]
    value = {"type": ["string", "null"]} if datatype == "BYTES" else number
    if datatype == "FP32":
        value = {**value, "minimum": float(np.finfo(np.float32).min), "maximum": float(np.finfo(np.float32).max)}
    return _object(
        "name", "shape", "datatype", "data",
        name={"const": wanted["name"]}, shape={"const": [1, width]}, datatype={"const": datatype},
        data={"type": "array", "items": value, "minItems": width, "maxItems": width},
    )  # fmt: skip
