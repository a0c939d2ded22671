"""The direct way of predictions answers, refuses and counts as the routes do."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from fromlogits.serving.app import application
from fromlogits.serving.limits import Limits
from fromlogits.serving.models import Served
from fromlogits.serving.refusals import FAULT
from tests.serving.running import Kind

BODY = json.dumps({"rows": [[1, 2, 3]]}).encode()


def asked(app: Any, path: str, body: bytes = BODY, verb: str = "POST") -> tuple[int, Any]:
    """The status and the content that an ASGI app gives."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": verb, "path": path, "query_string": b"", "headers": headers, "root_path": ""}
    asyncio.run(app(scope, receive, send))
    start, *parts = said
    return start["status"], json.loads(b"".join(part["body"] for part in parts))


@pytest.fixture
def model(kinds: dict[str, Kind]) -> Served:
    return Served.open(str(kinds["numbers"].path))


@pytest.mark.parametrize(
    "path", ["/v1/models/NAME/predict", "/v2/models/NAME/infer", "/v2/models/NAME/versions/V/infer"]
)
@pytest.mark.parametrize("name", ["numbers", "a b%20ü"])
def test_every_answer_and_refusal_is_that_of_the_routes(model: Served, path: str, name: str) -> None:
    model = Served(name, model.version, model.classifier)
    app = application({name: model}, Limits(max_body=1000, max_rows=2), None)
    routes = app.app.app.app  # type: ignore[attr-defined]
    at = path.replace("NAME", name).replace("/V/", f"/{model.version}/")
    tensor = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}
    right = BODY if "v1" in path else json.dumps({"inputs": [tensor]}).encode()
    for body, status in ((right, 200), (b"{}", 400), (b"{", 400), (b" " * 1001, 413)):
        assert asked(app, at, body) == asked(routes, at, body)
        assert asked(app, at, body)[0] == status
    for other, verb, status in ((at, "GET", 405), (at + "/", "POST", 404), (at.replace(name, "no"), "POST", 404)):
        assert asked(app, other, right, verb) == asked(routes, other, right, verb)
        assert asked(app, other, right, verb)[0] == status


def test_a_fault_is_one_line_to_the_asker_and_told_to_the_log(
    model: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = application({model.name: model}, Limits(), None)

    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(Served, "answer", fail)
    assert asked(app, "/v1/models/numbers/predict") == (500, {"error": FAULT})
    assert "ZeroDivisionError: a secret" in capsys.readouterr().err


def test_requests_are_counted_under_their_endpoint_and_model(model: Served) -> None:
    app = application({model.name: model}, Limits(), None)
    metrics = app.metrics  # type: ignore[attr-defined]

    def count(endpoint: str, code: str, name: str = "numbers") -> float:
        labels = {"endpoint": endpoint, "model": name, "code": code}
        return metrics.registry.get_sample_value("fromlogits_requests_total", labels) or 0.0

    for path in ("/v1/models/numbers/predict", "/v1/models/numbers/predict", "/v1/models/nobody/predict"):
        asked(app, path)
    asked(app, "/v2/models/numbers/infer")
    assert (count("predict", "200"), count("predict", "404", ""), count("infer", "400")) == (2, 1, 1)
    assert metrics.registry.get_sample_value("fromlogits_rows_total", {"model": "numbers"}) == 2
    assert metrics.registry.get_sample_value("fromlogits_request_seconds_count", {"endpoint": "predict"}) == 3
