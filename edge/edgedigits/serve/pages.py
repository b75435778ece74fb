"""The static pages: taken into memory at the start, found by a dictionary.

No part of a request ever becomes a file name: what is not among the files that came with the package is
not there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True)
class _File:
    data: bytes
    kind: str
    etag: str


class Pages:
    """The files by the path they are asked for: `/pad` for pad.html, `/static/pad.js` for pad.js."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        for entry in (resources.files("edgedigits.serve") / "static").iterdir():
            stem, dot, suffix = entry.name.rpartition(".")
            kind = _TYPES.get(dot + suffix)
            if kind is None:
                continue
            data = entry.read_bytes()
            file = _File(data, kind, f'"{hashlib.sha256(data).hexdigest()[:20]}"')
            if suffix == "html":
                self._files["/" if stem == "index" else f"/{stem}"] = file
            else:
                self._files[f"/static/{entry.name}"] = file

    @property
    def paths(self) -> list[str]:
        """The paths there are; no other is ever looked up."""
        return list(self._files)

    async def get(self, request: Request) -> Response:
        """GET of a page, a style sheet or a module."""
        file = self._files[request.url.path]
        # Asked for anew each time, so that an upgraded device never serves a mix of old and new.
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(file.data, headers=headers, media_type=file.kind)
