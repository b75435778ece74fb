"""The OpenAPI description of the interface, by hand: what it promises is decided here, not inferred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgedigits import __version__
from edgedigits.page import REASONS
from edgedigits.serve.settings import ServeSettings

Json = dict[str, Any]


def description(settings: ServeSettings) -> Json:
    """Return the description (OpenAPI 3.1) as a JSON object."""
    text, picture = settings.largest_text, settings.largest_body
    paths: Json = {
        "/api/health": {
            "get": _operation(
                "Whether frames come and events can be kept",
                _json("Frames come, or a file was read to its end", _ref("Health")),
                others={"503": _json("No frames come, or events can't be kept", _ref("Health"))},
            )
        },
        "/api/page": {
            "get": _operation("The newest reading", _json("The reading", _ref("LivePage")), refuses=(404,))
        },
        "/api/frame": {"get": _operation("The newest frame", _bytes("A JPEG", "image/jpeg"), refuses=(404,))},
        "/api/view": {
            "get": _operation(
                "The next frame with its reading, as soon as there is one",
                _bytes(
                    "The length of the JSON in four bytes, big-endian; the JSON (a LivePage); a JPEG",
                    "application/vnd.edgedigits.view",
                ),
                query=[_query("after", "The number of the frame that was had last", 0, 2**53)],
                others={"204": {"description": "Nothing new within ten seconds; ask again"}},
                refuses=(422,),
            )
        },
        "/api/events": {
            "get": _operation(
                "Past events, newest first",
                _json("The events", _object({"schema": _SCHEMA, "events": _array(_ref("Event"))})),
                query=[
                    _query("limit", "How many at most", 1, 500),
                    _query("before", "Only those with a smaller sequence number", 1, 2**53),
                ],
                refuses=(422,),
            )
        },
        "/api/events/stream": {
            "get": _operation(
                "Events as they come, as server-sent events; `Last-Event-ID` resumes",
                _bytes("One message per event, its id the sequence number", "text/event-stream"),
            )
        },
        "/api/read": {
            "post": _operation(
                "Read a picture: PNG, JPEG, TIFF, WebP or BMP",
                _json(
                    "What is read in it", _object({"schema": _SCHEMA, "pages": _array(_ref("PageOrError"))})
                ),
                body=_picture_body(picture),
                refuses=(408, 413, 415, 422),
            )
        },
        "/api/strokes": {
            "post": _operation(
                "Read what a pen or a finger wrote",
                _json("What is read, boxes in the strokes' own unit", _page_with({"schema": _SCHEMA})),
                body=_json_body(
                    _closed(
                        {
                            "size": _array({"type": "integer", "minimum": 0, "maximum": 10**6}, 2, 2),
                            "strokes": _array(_array(_ref("Point"), most=40_000), most=400),
                        },
                        optional=("size",),
                    )
                ),
                refuses=(400, 408, 413, 415, 422),
                text=f"At most 400 strokes, 40,000 points and {text >> 20} MiB.",
            )
        },
        "/api/pictures": {
            "post": _operation(
                "Keep a picture, or the newest frame, for half an hour, to lay a form over it",
                None,
                body={**_picture_body(picture), "required": False},
                query=[
                    {
                        "name": "from",
                        "in": "query",
                        "description": "`live`: the newest frame; the body is then not looked at",
                        "schema": {"type": "string", "enum": ["live"]},
                    }
                ],
                others={"201": _json("Its number and size", _ref("Kept"))},
                refuses=(404, 408, 413, 415, 422),
            )
        },
        "/api/pictures/{id}": {
            "get": _operation(
                "A kept picture",
                _bytes("A JPEG", "image/jpeg"),
                query=[
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{16}$"},
                    }
                ],
                refuses=(404,),
            )
        },
        "/api/form": {
            "get": _operation(
                "The form of the file named at the start",
                _json(
                    "The form; null where there is none yet",
                    _object(
                        {"form": _nullable(_ref("Form")), "file": _TEXT_OR_NULL, "revision": _TEXT_OR_NULL}
                    ),
                ),
                refuses=(409, 422),
            ),
            "put": _operation(
                "Write that file",
                _json("Its new revision", _object({"revision": {"type": "string"}})),
                body=_json_body(_closed({"form": _ref("Form"), "revision": _TEXT_OR_NULL})),
                refuses=(400, 408, 409, 413, 415, 422),
            ),
        },
        "/api/form/parse": {
            "post": _operation(
                "The text of a form file as values",
                _json("The form", _object({"form": _ref("Form")})),
                body={
                    "required": True,
                    "content": {"text/plain": {"schema": {"type": "string", "maxLength": text}}},
                },
                refuses=(400, 408, 413, 422),
            )
        },
        "/api/form/text": {
            "post": _operation(
                "A form as the text of its file",
                _bytes("TOML", "application/toml"),
                body=_json_body(_ref("Form")),
                refuses=(400, 408, 413, 415, 422),
            )
        },
        "/api/form/page": {
            "post": _operation(
                "The form's page, found in a kept picture and flattened",
                _bytes("A JPEG", "image/jpeg"),
                query=[_PICTURE],
                body=_json_body(_ref("Form")),
                refuses=(400, 404, 408, 413, 415, 422),
            )
        },
        "/api/form/read": {
            "post": _operation(
                "What the form's fields say in a kept picture",
                _json("The fields", {"type": "object", "required": ["schema", "form", "fields"]}),
                query=[_PICTURE],
                body=_json_body(_ref("Form")),
                refuses=(400, 404, 408, 413, 415, 422),
            )
        },
        "/api/login": {
            "post": _operation(
                "The token for a cookie",
                None,
                body=_json_body(_closed({"token": {"type": "string"}})),
                others={"204": {"description": "The cookie is set"}},
                refuses=(400, 408, 413, 415, 422),
            )
        },
        "/api/logout": {
            "post": _operation("The cookie away", None, others={"204": {"description": "It is gone"}})
        },
        "/api/openapi.json": {
            "get": _operation("This description", _json("OpenAPI 3.1", {"type": "object"}))
        },
        "/metrics": {"get": _operation("Metrics for Prometheus", _bytes("Text format 0.0.4", "text/plain"))},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edgedigits",
            "version": __version__,
            "description": "Handwritten digits read on this device. Boxes are [x, y, width, height] "
            "in pixels, confidences probabilities from 0 to 1; an error is one line that says what to do.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "edgedigits"},
            },
        },
        "security": [{}] if not settings.token else [{"token": []}, {"cookie": []}],
    }


_PROBLEMS = {
    400: "Not JSON, or a header twice",
    401: "The token is missing or wrong",
    403: "Asked for by a page of another site",
    404: "There is none, or not any more",
    408: "The body took too long to arrive",
    409: "The file was changed meanwhile, or there is none to write",
    413: "Too large",
    415: "Not of the type that is read here",
    421: "Asked for under a name that is not served here",
    422: "Understood, and can't be done; the error says why",
    429: "Too many requests, or too many watchers; `Retry-After` says when",
}

_BINARY: Json = {"type": "string", "format": "binary"}
_SCHEMA: Json = {"type": "integer", "const": 1}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_PROBABILITY: Json = {"type": "number", "minimum": 0, "maximum": 1}
_PICTURE: Json = {
    "name": "picture",
    "in": "query",
    "required": True,
    "description": "The number of a kept picture",
    "schema": {"type": "string"},
}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(items: Json, least: int = 0, most: int | None = None) -> Json:
    bounds = {} if most is None else {"maxItems": most}
    return {"type": "array", "items": items, "minItems": least, **bounds}


def _object(properties: Json, optional: tuple[str, ...] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _closed(properties: Json, optional: tuple[str, ...] = ()) -> Json:
    """Return an object that has no other properties: what a client sends is either known or a mistake."""
    return {**_object(properties, optional), "additionalProperties": False}


def _nullable(schema: Json) -> Json:
    return {"oneOf": [schema, {"type": "null"}]}


def _json(text: str, schema: Json) -> Json:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _bytes(text: str, kind: str) -> Json:
    return {"description": text, "content": {kind: {}}}


def _query(name: str, text: str, low: int, high: int) -> Json:
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _picture_body(most: int) -> Json:
    kinds = ("image/jpeg", "image/png", "image/tiff", "image/webp", "image/bmp", "application/octet-stream")
    text = f"The bytes of the file, at most {most >> 20} MiB"
    return {"required": True, "description": text, "content": {kind: {"schema": _BINARY} for kind in kinds}}


def _json_body(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _operation(
    summary: str,
    success: Json | None,
    *,
    query: list[Json] | None = None,
    body: Json | None = None,
    others: Mapping[str, Json] | None = None,
    refuses: tuple[int, ...] = (),
    text: str | None = None,
) -> Json:
    operation: Json = {"summary": summary, "responses": {}}
    if text is not None:
        operation["description"] = text
    if query:
        operation["parameters"] = query
    if body is not None:
        operation["requestBody"] = body
    if success is not None:
        operation["responses"]["200"] = success
    operation["responses"].update(others or {})
    for status in sorted({400, 401, 403, 421, 429, *refuses}):
        operation["responses"][str(status)] = _json(_PROBLEMS[status], _ref("Error"))
    return operation


_BOX: Json = {**_array({"type": "integer"}, 4, 4), "description": "x, y, width, height"}
_GUESS: Json = {
    "type": "array",
    "prefixItems": [{"type": "string"}, _PROBABILITY],
    "minItems": 2,
    "maxItems": 2,
}
_PAGE: Json = {
    "size": _array({"type": "integer"}, 2, 2),
    "lines": _array(_ref("Line")),
    "elapsed_ms": {"type": "number"},
}


def _page_with(more: Json) -> Json:
    return _object({**more, **_PAGE})


_SCHEMAS: Json = {
    "Error": _object({"error": {"type": "string", "description": "One line: what was wrong, what to do"}}),
    "Digit": _object(
        {
            "label": {"type": "string", "description": "A digit, or ? for one that can't be read"},
            "confidence": _PROBABILITY,
            "box": _BOX,
            "alternatives": _array(_GUESS),
        }
    ),
    "Line": _object(
        {
            "text": {"type": "string", "description": "Digits and ? only"},
            "raw": {"type": "string", "description": "The separators too"},
            "confidence": {**_PROBABILITY, "description": "That the whole line is right"},
            "accepted": {"type": "boolean"},
            "reasons": {**_array({"enum": list(REASONS)}), "description": "Why it is not accepted"},
            "turned": {"enum": [0, 90, 180, 270], "description": "Degrees clockwise; not upright if not 0"},
            "box": _BOX,
            "digits": _array(_ref("Digit")),
        }
    ),
    "PageOrError": {
        "oneOf": [
            _page_with({"page": {"type": "integer"}}),
            _object({"page": {"type": "integer"}, "error": {"type": "string"}}),
        ]
    },
    "LivePage": _page_with(
        {
            "schema": _SCHEMA,
            "number": {"type": "integer", "description": "Counts the frames that were read, from 1"},
            "time": {"type": "number", "description": "Seconds since 1970"},
            "source": {"type": "string"},
            "page": {"type": "integer"},
            "timings": {
                "type": "object",
                "description": "Milliseconds by stage",
                "additionalProperties": {"type": "number"},
            },
        }
    ),
    "Event": {
        **_object(
            {
                "schema": {"type": "integer"},
                "event": {"type": "string"},
                "id": {"type": "string"},
                "sequence": {"type": "integer"},
                "source": {"type": "string"},
                "time": {"type": "string", "description": "ISO 8601, UTC"},
            }
        ),
    },
    "Health": _object(
        {
            "ok": {"type": "boolean"},
            "state": {"type": "string", "enum": ["starting", "reading", "reconnecting", "ended"]},
            "message": {"type": "string"},
            "silence": {"type": ["number", "null"], "description": "Seconds since the last frame"},
            "outputs": {"type": "object"},
            "counters": {"type": "object"},
            "source": _TEXT_OR_NULL,
        }
    ),
    "Kept": _object({"id": {"type": "string"}, "size": _array({"type": "integer"}, 2, 2)}),
    "Point": {
        "type": "array",
        "description": "x, y, and where known pressure (0 to 1) and milliseconds",
        "prefixItems": [
            {"type": "number", "minimum": -1e6, "maximum": 1e6},
            {"type": "number", "minimum": -1e6, "maximum": 1e6},
            {"oneOf": [_PROBABILITY, {"type": "null"}]},
            {},
        ],
        "minItems": 2,
        "maxItems": 4,
    },
    "Form": {
        "type": "object",
        "description": "The tables of a form file",
        "properties": {
            "name": {"type": "string"},
            "page": {"type": "object", "description": "Its size, and how it is found"},
            "field": _array({"type": "object"}),
            "grid": _array({"type": "object"}),
        },
        "required": ["page"],
    },
}
