"""A server in a process of its own, and requests to it over a plain connection."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fromlogits as fl

JSON = {"Content-Type": "application/json"}
LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Kind:
    """A model, its file, and rows that it was not trained on, as its classifier takes them."""

    path: Path
    classifier: fl.Classifier
    rows: Any


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The one line, of a body that has nothing else."""
        content = self.json
        assert list(content) == ["error"] and "\n" not in content["error"] and "Traceback" not in content["error"]
        return str(content["error"])


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    port: int
    about: Mapping[str, Any]

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(
        self, verb: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        with contextlib.closing(self.connection()) as connection:
            return ask(connection, verb, path, body, headers)

    def predict(self, model: str, rows: Any, query: str = "") -> Reply:
        return self.ask("POST", f"/v1/models/{model}/predict{query}", json.dumps({"rows": rows}), JSON)

    def infer(self, model: str, request: Any, binary: bytes = b"") -> Reply:
        head = json.dumps(request).encode()
        headers = {LENGTH: str(len(head))} if binary else {}
        return self.ask("POST", f"/v2/models/{model}/infer", head + binary, headers)


def ask(
    connection: http.client.HTTPConnection,
    verb: str,
    path: str,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    connection.request(verb, path, body, dict(headers or {}))
    response = connection.getresponse()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


@contextlib.contextmanager
def serving(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`fromlogits serve` on a free port until the block ends; it must then end well, with nothing to complain of."""
    command = [sys.executable, "-m", "fromlogits", "serve", *map(str, arguments), "--port", "0", "--json"]
    clean = {name: value for name, value in os.environ.items() if name != "FROMLOGITS_TOKEN"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**clean, **(environment or {})}
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"the server did not start: {process.communicate()[1]}")
        about = json.loads(line)
        port = urlsplit(about["url"]).port
        assert port is not None
        yield Running(process, port, about)
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
