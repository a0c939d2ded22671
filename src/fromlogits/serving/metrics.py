"""What a server counts of itself, in Prometheus's text at /metrics."""

from __future__ import annotations

import functools
import sys
import time
import traceback
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .limits import Workplace
from .models import Served

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OTHER = "other"


class Metrics:
    """Counters of one server."""

    def __init__(self, models: Mapping[str, Served], workplace: Workplace) -> None:
        self.registry = CollectorRegistry()
        self.models = models
        self.requests = Counter(
            "fromlogits_requests", "Requests answered.", ("endpoint", "model", "code"), registry=self.registry
        )
        self.seconds = Histogram(
            "fromlogits_request_seconds", "Seconds from a request's headers to the end of its answer.", ("endpoint",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        rows = Counter("fromlogits_rows", "Rows predicted.", ("model",), registry=self.registry)
        self.rows = {name: rows.labels(name) for name in models}
        taken = Gauge("fromlogits_requests_taken", "Predictions read, waiting or computed.", registry=self.registry)
        taken.set_function(lambda: workplace.n_taken)
        queue = Gauge("fromlogits_queue", "Of them, those beyond what the threads compute.", registry=self.registry)
        queue.set_function(lambda: workplace.n_waiting)
        info = Gauge("fromlogits_model_info", "1 for each model.", ("model", "version"), registry=self.registry)
        for model in models.values():
            info.labels(model.name, model.version).set(1)

    def of_request(self, endpoint: str, model: str, code: int) -> tuple[Counter, Histogram]:
        """What counts a request of this kind, and its seconds."""
        return self.requests.labels(endpoint, model, str(code)), self.seconds.labels(endpoint)

    async def page(self, request: Request) -> Response:
        """GET /metrics"""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class Counted:
    """The app, its requests counted. A fault of ours, answered by 500, is told to standard error and ends here."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self._counters = functools.cache(metrics.of_request)  # of our own words alone, so there are few

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, code = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, counted)
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
        # Only what we know ourselves becomes a label: a stranger's paths would fill the memory.
        endpoint = getattr(scope.get("endpoint"), "__name__", OTHER)
        name = scope.get("path_params", {}).get("name", "")
        requests, seconds = self._counters(endpoint, name if name in self.metrics.models else "", code)
        requests.inc()
        seconds.observe(time.perf_counter() - start)
