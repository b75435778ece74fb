"""The application: which handler answers which path."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edgedigits.frames import Frame
from edgedigits.live.hub import Hub
from edgedigits.reader import Reader
from edgedigits.serve.fields import Fields
from edgedigits.serve.guard import COOKIE, Guard, same, session_of
from edgedigits.serve.live import Live
from edgedigits.serve.metrics import Requests
from edgedigits.serve.openapi import description
from edgedigits.serve.pages import Pages
from edgedigits.serve.problem import Problem, json_of
from edgedigits.serve.readings import Album, Readings, Workshop
from edgedigits.serve.settings import ServeSettings

_MONTH = 30 * 86_400


class Web:
    """The web face of one live loop.

    `hub` is where the loop publishes, `open_reader` opens a reader for what clients send, `form` is the one
    form file that may be edited. `app` is the ASGI application.
    """

    def __init__(
        self,
        hub: Hub,
        settings: ServeSettings,
        open_reader: Callable[[], Reader] = Reader,
        form: Path | None = None,
    ) -> None:
        self._settings = settings
        self.requests = Requests()
        self.live = Live(hub, self.requests, settings)
        self._workshop = Workshop(open_reader, settings)

        def newest() -> Frame | None:
            snapshot = hub.latest()
            return None if snapshot is None else snapshot.frame

        readings = Readings(self._workshop, Album(), newest, self.requests, settings)
        fields = Fields(form, readings, settings)
        pages = Pages()
        self._description = description(settings)
        live = self.live
        routes = [
            Route("/api/health", live.health),
            Route("/api/page", live.page),
            Route("/api/frame", live.frame),
            Route("/api/view", live.view),
            Route("/api/events", live.events),
            Route("/api/events/stream", live.stream),
            Route("/api/read", readings.read, methods=["POST"]),
            Route("/api/strokes", readings.strokes, methods=["POST"]),
            Route("/api/pictures", readings.keep, methods=["POST"]),
            Route("/api/pictures/{id}", readings.kept),
            Route("/api/form", fields.file, methods=["GET", "PUT"]),
            Route("/api/form/parse", fields.parse, methods=["POST"]),
            Route("/api/form/text", fields.text, methods=["POST"]),
            Route("/api/form/page", fields.page, methods=["POST"]),
            Route("/api/form/read", fields.read, methods=["POST"]),
            Route("/api/login", self._login, methods=["POST"]),
            Route("/api/logout", self._logout, methods=["POST"]),
            Route("/api/openapi.json", self._openapi),
            Route("/metrics", live.metrics),
            *(Route(path, pages.get) for path in pages.paths),
        ]
        inner = Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={Problem: _problem, HTTPException: _http_exception, Exception: _fault},
        )
        # A path is what it is: no redirect from /api/read/ that would repeat a picture.
        inner.router.redirect_slashes = False
        self._guard = Guard(inner, settings, self.requests)
        self.app: ASGIApp = self._guard

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self._workshop.close()

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(self._description)

    async def _login(self, request: Request) -> Response:
        """POST /api/login: the token for a cookie, which a browser sends by itself from then on."""
        token = self._settings.token
        values = await json_of(request, 4096, self._settings.body_seconds)
        if not isinstance(values, dict) or values.keys() != {"token"} or not isinstance(values["token"], str):
            raise Problem(422, "send an object with 'token'")
        response = Response(status_code=204)
        if not token:
            return response
        if not same(values["token"].strip(), token):
            wait = self._guard.wrong_token(request.client.host if request.client else "")
            if wait:
                raise Problem(429, "too many wrong tokens; wait", retry=10)
            raise Problem(401, "that is not the token; it stands where edgedigits was started")
        secure = request.url.scheme == "https"
        response.set_cookie(
            COOKIE, session_of(token), max_age=_MONTH, httponly=True, samesite="strict", secure=secure
        )
        return response

    async def _logout(self, request: Request) -> Response:
        """POST /api/logout: the cookie away."""
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {**(error.headers or {}), "Connection": "close"}
    words = {404: "no such page", 405: "not to be asked for in this way"}
    return JSONResponse({"error": words.get(error.status_code, error.detail)}, error.status_code, headers)


async def _fault(_: Request, error: Exception) -> Response:
    # What went wrong is for the log, where the guard writes it; a client learns that it did.
    return JSONResponse({"error": "a fault of edgedigits; its log has more"}, 500)
