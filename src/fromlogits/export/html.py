"""A page that is one file: its style and its script inside, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

MARK = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Page:
    """The file, and what a browser may do with it.

    Attributes:
        text: of the file, which states the policy too.
        policy: as the header Content-Security-Policy has it.
    """

    text: str
    policy: str


def page(template: str, style: str, scripts: Sequence[str], parts: Mapping[str, str], *, asks_its_server: bool) -> Page:
    """The template with everything in its place.

    Args:
        template: HTML with the marks {{policy}}, {{style}}, {{script}} and those of the parts.
        scripts: which become one, in strict mode, whose names stay its own.
        parts: HTML by mark.
        asks_its_server: whether the script may ask the server that the page came from; no page may ask another.
    """
    script = '"use strict";\n(() => {\n' + "\n".join(scripts) + "\n})();\n"
    asks = " connect-src 'self';" if asks_its_server else ""
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}';{asks} base-uri 'none';"
        " form-action 'none'"
    )
    filled = {"policy": policy, "style": style, "script": script, **parts}
    return Page(MARK.sub(lambda mark: filled[mark[1]], template), policy)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def part(package: str, name: str) -> str:
    """A file beside a package's modules."""
    return resources.files(package).joinpath(*name.split("/")).read_text(encoding="utf-8")


def inert(value: Any) -> str:
    """JSON that no HTML parser sees a tag in, whatever texts are in it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
