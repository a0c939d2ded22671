"""The lesson page of a model that is served: the exported one, or, of a model that no page can compute or that is
large, one that asks the server."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from ..export import html, lesson
from ..export.html import Page
from .models import Served

MOST_BYTES = 8_000_000
"""Of weights that a page brings along; about a larger model the page asks the server, row by row."""
HERE = "Computed in this page: what you draw or type is not sent to the server that it came from."
ASKED = "Computed by the server that this page came from: what you draw or type is sent to it, and not kept there."


class Lessons:
    """A page for each model, made when it is first asked for and then kept."""

    def __init__(self, models: Mapping[str, Served]) -> None:
        self._models = models
        self._pages: dict[str, Page] = {}

    def of(self, model: Served) -> Page:
        """Raises InputError, which says why, for a model that no page can show."""
        if model.name not in self._pages:
            self._pages[model.name] = self._made(model)
        return self._pages[model.name]

    def _made(self, model: Served) -> Page:
        about, size = model.classifier._model, lesson.n_bytes(model.classifier._model)
        several = ' · <a href="/">all models</a>' if len(self._models) > 1 else ""
        above = f' · {escape(model.name)}{several} · <a href="/docs">the API</a>'
        why = (
            f"The weights take {size / 1e6:,.0f} MB, more than the {MOST_BYTES / 1e6:,.0f} MB that a page brings along,"
            " so the server computes."
        )
        if not lesson.can_compute(about):
            why = "The server computes: this page has no convolutions."
        elif size <= MOST_BYTES:
            return lesson.of(lesson.described(about), above=above, below=HERE)
        told = {
            **lesson.outlined(about),
            "computed": "asked",
            "at": f"/v1/models/{quote(model.name, safe='')}/predict",
            "why": why,
        }
        return lesson.of(told, scripts=[html.part(__package__, "page/asked.js")], above=above, below=ASKED, asks=True)
