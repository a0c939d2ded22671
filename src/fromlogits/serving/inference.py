"""The Open Inference Protocol, version 2, over HTTP: health, metadata, and infer with binary tensors and classes.

https://github.com/kserve/open-inference-protocol; Triton's extensions binary_tensor_data and classification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from ..data.encodings.levels import Levels
from ..data.encodings.number import Number
from ..data.label_sets import SIGN
from ..data.table import Column, Table
from ..errors import InputError, brief
from .limits import Workplace
from .metrics import Metrics
from .models import Answer, Served
from .plain_data import content_of
from .predict import found
from .records import JsonRows
from .refusals import Refused, as_json
from .tensors import Tensor, bytes_of, inputs_of, outputs_asked

EXTENSIONS = ("binary_tensor_data", "classification")
PLATFORM = "fromlogits"
X = "x"
OUTPUTS = ("logits", "probabilities", "label")
LENGTH = "Inference-Header-Content-Length"


class Inference:
    """The endpoints, for all models."""

    def __init__(self, version: str, models: Mapping[str, Served], workplace: Workplace, metrics: Metrics) -> None:
        self.version, self.models, self.workplace, self.metrics = version, models, workplace, metrics

    async def live(self, request: Request) -> Response:
        return as_json({"live": True})

    async def ready(self, request: Request) -> Response:
        """Models are opened before the first request, so a server that answers is ready."""
        return as_json({"live": True, "ready": True})

    async def server_metadata(self, request: Request) -> Response:
        return as_json({"name": PLATFORM, "version": self.version, "extensions": EXTENSIONS})

    async def model_metadata(self, request: Request) -> Response:
        model = self._model(request)
        return as_json(
            {
                "name": model.name,
                "versions": [model.version],
                "platform": PLATFORM,
                "inputs": inputs_wanted(model),
                "outputs": [
                    {"name": "logits", "datatype": "FP32", "shape": [-1, len(model.logit_classes)]},
                    {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(model.classes)]},
                    {"name": "label", "datatype": "BYTES", "shape": [-1]},
                ],
            }
        )

    async def model_ready(self, request: Request) -> Response:
        return as_json({"name": self._model(request).name, "ready": True})

    async def infer(self, request: Request) -> Response:
        model = self._model(request)
        length = request.headers.get(LENGTH)

        def read(body: bytes) -> tuple[Callable[[], tuple[int, Response]], bool]:
            content, binary = _parts(body, length)
            if (name := content.get("id")) is not None and not isinstance(name, str):
                raise InputError(f"id must be a text; it is {brief(name)}.")
            asked = outputs_asked(content, OUTPUTS)
            tensors = inputs_of(content.get("inputs"), binary)
            self.workplace.limits.check_rows(max(len(tensor.values) for tensor in tensors))
            features = features_of(tensors, model)

            def answered() -> tuple[int, Response]:
                answer = model.answer(features)
                return len(answer), _response(answer, model, asked, name)

            return answered, model.is_brief(len(features))

        n_rows, response = await self.workplace.answer(request, read, model.brief_bytes)
        self.metrics.rows[model.name].inc(n_rows)
        return response

    def _model(self, request: Request) -> Served:
        model = found(self.models, request.path_params["name"])
        version = request.path_params.get("version", model.version)
        if version != model.version:
            raise Refused(404, f"model {model.name!r} has the version {model.version} alone; there is no {version!r}.")
        return model


def inputs_wanted(model: Served) -> list[dict[str, Any]]:
    """x where every column is a number; or else an input for each column, by its name."""
    if model.is_numeric:
        return [{"name": X, "datatype": "FP32", "shape": [-1, model.classifier.n_features_in_]}]
    return [
        {"name": name, "datatype": "FP64" if is_number else "BYTES", "shape": [-1, 1]}
        for name, is_number in _kinds(model)
    ]


def _kinds(model: Served) -> list[tuple[str, bool]]:
    """Each column's name, and whether it is a number."""
    table = model.classifier.encoder_.table
    assert table is not None
    names = model.columns or tuple(str(place) for place in range(len(table.columns)))
    return [(name, isinstance(one, (Number, Levels))) for name, one in zip(names, table.columns, strict=True)]


def features_of(tensors: Sequence[Tensor], model: Served) -> NDArray[Any] | Table:
    """What the classifier takes: x as it is, or a table. Any datatype that says the same is as good as that wanted."""
    by_name = {tensor.name: tensor for tensor in tensors}
    wanted = [one["name"] for one in inputs_wanted(model)]
    if odd := next((name for name in by_name if name not in wanted), None):
        raise InputError(f"there is no input {odd!r}; the inputs are {', '.join(map(repr, wanted))}.")
    if missing := next((name for name in wanted if name not in by_name), None):
        raise InputError(f"input {missing!r} is missing; the inputs are {', '.join(map(repr, wanted))}.")
    if model.is_numeric:
        x, width = by_name[X], model.classifier.n_features_in_
        if x.datatype == "BYTES":
            raise InputError(f"input {X!r} must hold numbers, as FP32; it is BYTES.")
        if x.values.ndim != 2 or x.values.shape[1] != width or len(x.values) == 0:
            raise InputError(f"input {X!r} must have the shape [n, {width}]; it has {list(x.values.shape)}.")
        return x.values
    n = len(by_name[wanted[0]].values)
    for tensor in tensors:
        if tensor.values.shape not in ((n,), (n, 1)) or n == 0:
            raise InputError(
                f"inputs must have the shape [n, 1] or [n], with one n for all; {tensor.name!r} has"
                f" {list(tensor.values.shape)}, {wanted[0]!r} has {list(by_name[wanted[0]].values.shape)}."
            )
    return Table(tuple(_column(name, by_name[name].values.ravel()) for name in wanted), n, JsonRows())


def _column(name: str, values: NDArray[Any]) -> Column:
    missing = np.fromiter((value is None for value in values), bool, len(values)) if values.dtype == object else None
    return Column.typed(name, values, missing if missing is not None and missing.any() else None)


def _parts(body: bytes, length: str | None) -> tuple[dict[str, Any], memoryview]:
    """The JSON, and the bytes behind it."""
    if length is None:
        return content_of(body), memoryview(b"")
    if not (length.isascii() and length.isdecimal() and len(length) < 20 and int(length) <= len(body)):
        raise InputError(f"{LENGTH} must be the bytes of JSON in a body of {len(body):,}; it is {brief(length)}.")
    return content_of(body[: int(length)]), memoryview(body)[int(length) :]


def _response(
    answer: Answer, model: Served, asked: Sequence[tuple[str, bool, int | None]], request_id: str | None
) -> Response:
    outputs: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for name, is_binary, k in asked:
        values = _output(answer, model, name, k)
        datatype = "BYTES" if values.dtype == object else "FP32"
        output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(values.shape)}
        if is_binary:
            binary.append(bytes_of(values))
            output["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            output["data"] = values.ravel().tolist() if values.dtype == object else np.ascontiguousarray(values).ravel()
        outputs.append(output)
    content = {"model_name": model.name, "model_version": model.version, "outputs": outputs}
    if request_id is not None:
        content["id"] = request_id
    if not any(is_binary for _, is_binary, _ in asked):
        return as_json(content)
    head = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    body = b"".join((head, *binary))
    return Response(body, headers={LENGTH: str(len(head))}, media_type="application/octet-stream")


def _output(answer: Answer, model: Served, name: str, k: int | None) -> NDArray[Any]:
    if name == "label":
        if k is not None:
            raise InputError("classification is for probabilities and logits; label is one text a row already.")
        return _labels(answer, model)
    values = answer.logits_nc if name == "logits" else answer.probabilities_nk
    if k is None:
        return values
    if name == "logits" and len(model.logit_classes) < len(model.classes):
        raise InputError("this model has one logit for two classes; ask for the classification of probabilities.")
    return _classified(values, min(k, len(model.classes)), model.classes)


def _labels(answer: Answer, model: Served) -> NDArray[Any]:
    """As `fromlogits predict` writes them: the class, or the labels with the sign of the training file between them."""
    texts = np.empty(len(answer), object)
    if not model.is_multi_label:
        texts[:] = [str(name) for name in answer.decided.tolist()]
        return texts
    sign = model.classifier.target_.separator or SIGN
    names = np.array([str(name) for name in model.classes], object)
    texts[:] = [sign.join(names[flags_k == 1]) for flags_k in answer.decided]
    return texts


def _classified(values_nk: NDArray[np.float32], k: int, classes: Sequence[Any]) -> NDArray[Any]:
    """The k largest of each row, best first, as value:index:label."""
    places = np.argsort(-values_nk, axis=1, kind="stable")[:, :k]  # of equal ones the lowest index first
    texts = np.empty(places.shape, object)
    for row, place in np.ndindex(places.shape):
        index = int(places[row, place])
        texts[row, place] = f"{values_nk[row, index]}:{index}:{classes[index]}"
    return texts
