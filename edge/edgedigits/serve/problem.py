"""What a handler refuses, and how a request's body is taken in within its limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse


class Problem(Exception):  # noqa: N818 (an answer, not a fault)
    """An answer other than success: its status and one line that says what was wrong and what to do."""

    def __init__(self, status: int, error: str, *, retry: int | None = None, close: bool = False) -> None:
        super().__init__(error)
        self.status, self.error = status, error
        self.headers = {} if retry is None else {"Retry-After": str(retry)}
        if close:
            # What is left of the request's body is not waited for.
            self.headers["Connection"] = "close"

    def response(self) -> JSONResponse:
        """Return the answer."""
        return JSONResponse({"error": self.error}, self.status, self.headers)


async def body_of(
    request: Request, most: int, seconds: float, take: Callable[[int], None] = lambda count: None
) -> bytes:
    """Return a request's body of at most `most` bytes; raises `Problem` for a larger or a slow one.

    `take` is told of the bytes as they come, and raises `Problem` where there is no room for them.
    """
    too_large = Problem(413, f"more than {most >> 20} MiB; send less", close=True)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                take(len(chunk))
                body += chunk
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise Problem(
            408, f"the request took more than {seconds:g} s to arrive; try again", close=True
        ) from None
    except ClientDisconnect:
        raise Problem(400, "the request broke off", close=True) from None
    return bytes(body)


async def json_of(request: Request, most: int, seconds: float) -> Any:
    """Return a request's body as JSON of at most `most` bytes; raises `Problem` where it is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "send JSON, with Content-Type: application/json", close=True)
    body = await body_of(request, most, seconds)
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else "can't be decoded"
        raise Problem(400, f"not valid JSON ({reason}); mend it") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def whole_number(request: Request, name: str, otherwise: int, low: int, high: int) -> int:
    """Return a query parameter that is a whole number; raises `Problem` for what is none."""
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and low <= int(text) <= high):
        raise Problem(422, f"'{name}' is a whole number from {low} to {high}")
    return int(text)
