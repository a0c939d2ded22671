"""POST /v1/models/NAME/predict: rows as people have them in, predictions by name out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import lru_cache, partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..decisions.sets import checked_coverage
from ..errors import InputError, nearest
from . import files, pictures, records
from .limits import Workplace, first_of
from .metrics import Metrics
from .models import Served
from .plain_rows import PlainRows
from .refusals import Refused, json_response
from .strict_json import parsed
from .writing import Writer

JSON = "application/json"
ASKED = ("logits", "coverage")
"""What a query may ask of any request; of a file also how it is to be read."""


class Predict:
    """The endpoint, for all models."""

    def __init__(self, models: Mapping[str, Served], workplace: Workplace, metrics: Metrics) -> None:
        self.models, self.workplace, self.metrics = models, workplace, metrics
        self.plain = {name: PlainRows(model) for name, model in models.items()}
        self.writers = {name: Writer(model) for name, model in models.items()}

    async def predict(self, request: Request) -> Response:
        model = found(self.models, request.path_params["name"])
        write = self.writers[model.name]
        content_type, charset = _content_type(first_of(request.scope).get(b"content-type", b"").decode("latin-1"))
        said = _said(request, files.OPTIONS if content_type in files.FORMS else ())
        wants_logits = _yes_or_no("logits", said.get("logits", "false"))
        coverage = None if "coverage" not in said else _coverage(said["coverage"])

        def answered(features: Any, notes: tuple[str, ...]) -> tuple[int, Response]:
            self.workplace.limits.check_rows(len(features))
            answer = model.answer(features, coverage)
            return len(answer), json_response(write(answer, notes, wants_logits=wants_logits))

        def answered_file(body: bytes) -> tuple[int, Response]:
            with ExitStack() as until:
                if content_type in files.FORMS:
                    return answered(*files.features_of(body, content_type, charset, said, model, until))
                return answered(*pictures.features_of(body, content_type, model))

        def read(body: bytes) -> tuple[Callable[[], tuple[int, Response]], bool]:
            if content_type != JSON:
                return partial(answered_file, body), False
            features, notes = self._rows(body, model)
            return partial(answered, features, notes), model.is_brief(len(features))

        n_rows, response = await self.workplace.answer(request, read, model.brief_bytes if content_type == JSON else 0)
        self.metrics.rows[model.name].inc(n_rows)
        return response

    def _rows(self, body: bytes, model: Served) -> tuple[Any, tuple[str, ...]]:
        limits = self.workplace.limits
        if (matrix := self.plain[model.name](body, limits.max_rows)) is not None:
            return matrix, ()
        content = parsed(body)
        if set(content) != {"rows"}:
            odd = next((key for key in content if key != "rows"), None)
            what = "has no rows" if odd is None else f"has {odd!r}"
            raise InputError(f'the body must be {{"rows": [...]}} and nothing else; it {what}.')
        if isinstance(content["rows"], list):
            limits.check_rows(len(content["rows"]))
        return records.features_of(content["rows"], model)


def found(models: Mapping[str, Served], name: str) -> Served:
    if name not in models:
        known = ", ".join(models)
        raise Refused(404, f"there is no model {name!r}.{nearest(name, models)} The models are {known}.")
    return models[name]


@lru_cache(64)  # a client's is the same in all of its requests
def _content_type(header: str) -> tuple[str, str | None]:
    """The kind of the body and the encoding of its text; raises Refused for a kind that is not read."""
    kind, *parameters = (part.strip() for part in header.split(";"))
    kind = kind.lower()
    if kind not in (JSON, *files.FORMS, *pictures.FORMATS):
        known = ", ".join((JSON, *files.FORMS, *pictures.FORMATS))
        raise Refused(415, f"Content-Type must be one of {known}; it is {kind!r}." if kind else
                      f"Content-Type is missing; it must be one of {known}.")  # fmt: skip
    charset = next((value.strip('"') for name, _, value in (one.partition("=") for one in parameters)
                    if name.lower() == "charset"), None)  # fmt: skip
    return kind, charset


def _said(request: Request, more: tuple[str, ...]) -> dict[str, str]:
    """The query; raises InputError for what it does not know, or has twice."""
    said: dict[str, str] = {}
    if not request.scope["query_string"]:
        return said
    for name, value in request.query_params.multi_items():
        if name not in (*ASKED, *more):
            known = ", ".join((*ASKED, *more))
            raise InputError(
                f"there is no {name!r} to be asked for.{nearest(name, (*ASKED, *more))} There are {known}."
            )
        if name in said:
            raise InputError(f"{name} is said twice.")
        said[name] = value
    return said


def _yes_or_no(name: str, word: str) -> bool:
    if word not in ("true", "false"):
        raise InputError(f"{name} must be true or false; it is {word!r}.")
    return word == "true"


def _coverage(text: str) -> float:
    try:
        return checked_coverage(float(text))
    except ValueError:  # InputError is one
        raise InputError(f"coverage must be a number between 0 and 1, as in 0.9; got {text!r}.") from None
