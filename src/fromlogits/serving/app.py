"""The server as an ASGI application: its endpoints, what guards them and what counts them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from .. import _core
from . import openapi, pages
from .direct import Direct, Endpoint
from .guard import Guard
from .inference import Inference
from .limits import Limits, Workplace
from .metrics import Counted, Metrics
from .models import Served
from .predict import Predict
from .refusals import HANDLERS
from .sign_in import AT, Session, SignIn


def application(models: Mapping[str, Served], limits: Limits, token: str | None) -> ASGIApp:
    """Answers for these models within these limits; with a token, its bearers alone."""
    workplace = Workplace(limits)
    metrics = Metrics(models, workplace)
    infer = Inference(_core.version(), models, workplace, metrics)
    predict = Predict(models, workplace, metrics)
    document = openapi.document(_core.version(), models, limits, has_token=token is not None)
    session = None if token is None else Session(token)
    routes = [
        Route("/v1/models/{name}/predict", predict.predict, methods=["POST"]),
        Route("/v2", infer.server_metadata),
        Route("/v2/", infer.server_metadata),
        Route("/v2/health/live", infer.live),
        Route("/v2/health/ready", infer.ready),
        *(
            route
            for at in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
            for route in (
                Route(at, infer.model_metadata),
                Route(f"{at}/ready", infer.model_ready),
                Route(f"{at}/infer", infer.infer, methods=["POST"]),
            )
        ),
        Route("/metrics", metrics.page),
        *pages.routes(models, document),
        *([] if session is None else [Route(AT, SignIn(session, workplace).sign_in, methods=["POST"])]),
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        workplace.close()

    app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=lifespan)
    app.router.redirect_slashes = False
    endpoints: dict[str, tuple[Endpoint, dict[str, str]]] = {}
    for name, model in models.items():
        endpoints[f"/v1/models/{name}/predict"] = predict.predict, {"name": name}
        endpoints[f"/v2/models/{name}/infer"] = infer.infer, {"name": name}
        of_version = f"/v2/models/{name}/versions/{model.version}/infer"
        endpoints[of_version] = infer.infer, {"name": name, "version": model.version}
    return Counted(Guard(Direct(app, endpoints), session), metrics)
