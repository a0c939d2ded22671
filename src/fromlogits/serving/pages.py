"""What a browser sees: the index, and the API as a page. Each is one file that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .models import Served
from .refusals import as_json

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { background: #8881; padding: 0.7rem; overflow-x: auto; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 0.2rem 1rem 0.2rem 0; vertical-align: top; }
:root { color-scheme: light dark; }
"""


def routes(models: Mapping[str, Served], document: Mapping[str, Any]) -> list[Route]:
    """The pages, and the document that they are made of."""
    index, docs = _index(models), _docs(document)

    async def home(request: Request) -> Response:
        return Response(index, headers=HEADERS, media_type="text/html")

    async def api(request: Request) -> Response:
        return Response(docs, headers=HEADERS, media_type="text/html")

    async def openapi(request: Request) -> Response:
        return as_json(document)

    return [Route("/", home), Route("/docs", api), Route("/openapi.json", openapi)]


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f"<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>"


def _index(models: Mapping[str, Served]) -> str:
    parts = ["<h1>fromlogits</h1>", '<p><a href="/docs">The API</a>, <a href="/metrics">metrics</a></p>']
    for model in models.values():
        at = escape(quote(model.name, safe=""))
        schema = model.classifier.encoder_.schema
        kind = "labels" if model.is_multi_label else "classes"
        facts = {
            kind: ", ".join(str(name) for name in model.classes[:20]) + (" …" if len(model.classes) > 20 else ""),
            "network": str(model.classifier.network_).splitlines()[0],
            "takes": f"{schema.n_features:,} columns"
            + ("" if model.picture_shape is None else f", a picture of {'x'.join(map(str, model.picture_shape))}"),
            "version": model.version,
            "for people": f"POST /v1/models/{at}/predict",
            "for programs": f"POST /v2/models/{at}/infer",
        }
        rows = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in facts.items())
        parts.append(f"<h2>{escape(model.name)}</h2><table>{rows}</table>")
    return _page("fromlogits", "".join(parts))


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
    return _page("fromlogits: the API", "".join(parts))
