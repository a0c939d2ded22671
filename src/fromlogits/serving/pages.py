"""What a browser sees: the models, each with its lesson page, and the API. No page loads anything from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import InputError
from .lessons import Lessons
from .models import Served
from .predict import found
from .refusals import as_json

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { overflow-wrap: anywhere; background: #fbfaf8; color: #1d2026; } a { color: #1f5fbf; }
@media (prefers-color-scheme: dark) { body { background: #14161a; color: #ebe8e2; } a { color: #84b4ff; } }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { background: #8881; padding: 0.7rem; overflow-x: auto; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 0.2rem 1rem 0.2rem 0; vertical-align: top; }
th { white-space: nowrap; }
input, button { font: inherit; padding: 0.3rem 0.6rem; max-width: 100%; }
:root { color-scheme: light dark; }
"""


def routes(models: Mapping[str, Served], document: Mapping[str, Any]) -> list[Route]:
    """The pages, and the document of the API."""
    lessons, docs = Lessons(models), _docs(document)
    [only, *others] = models.values()

    def show(model: Served) -> Response:
        try:
            page = lessons.of(model)
        except InputError as error:
            reason = f"<h1>{escape(model.name)}</h1><p>No lesson page can show this model: {escape(str(error))}</p>"
            return Response(plain(model.name, reason + _about(model)), headers=HEADERS, media_type="text/html")
        policy = f"{page.policy}; frame-ancestors 'none'"
        headers = {**HEADERS, "Content-Security-Policy": policy}
        return Response(page.text, headers=headers, media_type="text/html")

    # Not async: a page of megabytes is made on a thread, while requests are answered.
    def home(request: Request) -> Response:
        if others:
            return Response(_index(models), headers=HEADERS, media_type="text/html")
        return show(only)

    def lesson(request: Request) -> Response:
        return show(found(models, request.path_params["name"]))

    async def api(request: Request) -> Response:
        return Response(docs, headers=HEADERS, media_type="text/html")

    async def openapi(request: Request) -> Response:
        return as_json(document)

    return [Route("/", home), Route("/models/{name}", lesson), Route("/docs", api), Route("/openapi.json", openapi)]


def plain(title: str, body: str) -> str:
    """A page without a script."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return (
        f"<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )


def _index(models: Mapping[str, Served]) -> str:
    parts = ["<h1>fromlogits</h1>", '<p><a href="/docs">The API</a>, <a href="/metrics">metrics</a></p>']
    for model in models.values():
        at = escape(quote(model.name, safe=""))
        parts.append(f'<h2><a href="/models/{at}">{escape(model.name)}</a></h2>{_about(model)}')
    return plain("fromlogits", "".join(parts))


def _about(model: Served) -> str:
    """What it is and where it is asked."""
    at, schema = escape(quote(model.name, safe="")), model.classifier.encoder_.schema
    kind = "labels" if model.is_multi_label else "classes"
    facts = {
        kind: ", ".join(str(name) for name in model.classes[:20]) + (" …" if len(model.classes) > 20 else ""),
        "network": model.classifier._model.members.describe(model.classifier.network_, len(model.classes)),
        "takes": f"{schema.n_features:,} columns"
        + ("" if model.picture_shape is None else f", a picture of {'x'.join(map(str, model.picture_shape))}"),
        "version": model.version,
        "for people": f"POST /v1/models/{at}/predict",
        "for programs": f"POST /v2/models/{at}/infer",
    }
    rows = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in facts.items())
    return f"<table>{rows}</table>"


def _docs(document: Mapping[str, Any]) -> str:
    info = document["info"]
    parts = [f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>",
             '<p>As a file: <a href="/openapi.json">openapi.json</a></p>']  # fmt: skip
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            parts.append(f"<h2><code>{verb.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}.</p>")
            said = {one["name"]: one["description"] for one in operation.get("parameters", ())}
            if "requestBody" in operation:
                said["body"] = ", ".join(operation["requestBody"]["content"])
            said |= {code: one["description"] for code, one in operation["responses"].items()}
            rows = (
                f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>" for name, text in said.items()
            )
            parts.append(f"<table>{''.join(rows)}</table>")
    return plain("fromlogits: the API", "".join(parts))
