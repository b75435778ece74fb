"""The form editor: fields dragged over a page, written to the one form file that was named at the start.

A client sends what a form is, never where it is: the file's name comes from the command line. What a form
may make the device do is bounded here too, since its text comes from a request: it names no picture but the
one in the file, and its patterns are such as can't keep a processor busy.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edgedigits.errors import EdgeDigitsError, FormError
from edgedigits.files import write_atomically
from edgedigits.forms import FormReader
from edgedigits.forms.form_file import load_form, parse_form
from edgedigits.forms.layout import Form, WholePicture
from edgedigits.forms.printed_lines import page_map
from edgedigits.forms.register import register
from edgedigits.frames import Frame
from edgedigits.reader import Reader
from edgedigits.serve.problem import Problem, body_of, json_of
from edgedigits.serve.readings import SCHEMA, Readings
from edgedigits.serve.settings import ServeError, ServeSettings
from edgedigits.serve.views import jpeg

PAGE_SIDE = 1400
"""Pixels of the longer side of a flattened page as it is shown."""

_SIMPLE = re.compile(r"\\[d.-]|[0-9.,-]|\[[0-9-]{1,20}\]")
_QUANTIFIER = re.compile(r"[?*+]|\{[0-9]{0,2}(?:,[0-9]{0,2})?\}")

Values = dict[str, Any]


class Fields:
    """The handlers."""

    def __init__(self, file: Path | None, readings: Readings, settings: ServeSettings) -> None:
        self._file, self._readings, self._settings = file, readings, settings
        self._saving, self._checking = asyncio.Lock(), asyncio.Lock()
        if file is not None and file.exists():
            load_form(file)  # what is wrong with it is said at the start, and not to a client

    # --- the file -----------------------------------------------------------------------------------------

    async def file(self, request: Request) -> Response:
        """GET /api/form: the form of the file, null where there is none (yet); PUT writes it."""
        return await (self._save(request) if request.method == "PUT" else self._current())

    async def _current(self) -> Response:
        if self._file is None:
            return JSONResponse({"form": None, "file": None, "revision": None})
        text = await asyncio.to_thread(self._text)
        try:
            values = None if text is None else await asyncio.to_thread(tomllib.loads, text)
        except (ValueError, RecursionError) as error:
            raise Problem(
                409, f"{self._file.name} is not valid TOML any more ({_one_line(error)}); mend it"
            ) from None
        form = None if values is None else await self._checked(values)
        return JSONResponse({"form": form, "file": self._file.name, "revision": _revision(text)})

    async def _save(self, request: Request) -> Response:
        """Write the file, if it is still as the client knew it."""
        values = await self._json(request)
        if self._file is None:
            raise Problem(409, "edgedigits was started without --form FILE; download the form instead")
        if not isinstance(values, dict) or values.keys() != {"form", "revision"}:
            raise Problem(422, "send an object with 'form' and 'revision'")
        async with self._saving:  # of two clients that know the same file, one is the first
            old = await asyncio.to_thread(self._text)
            if values["revision"] != _revision(old):
                raise Problem(409, f"{self._file.name} was changed meanwhile; load it again")
            text = _heading(old or "") + toml_of(await self._checked(values["form"]))
            try:
                await asyncio.to_thread(write_atomically, self._file, text.encode())
            except EdgeDigitsError:
                # Where the file is, is for the log and not for a client.
                raise Problem(
                    409, f"{self._file.name} can't be written; see that its folder is writable"
                ) from None
        return JSONResponse({"revision": _revision(text)})

    def _text(self) -> str | None:
        assert self._file is not None
        try:
            return self._file.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise Problem(409, f"{self._file.name} can't be read; see that it is UTF-8 text") from None

    # --- text and values ----------------------------------------------------------------------------------

    async def parse(self, request: Request) -> Response:
        """POST /api/form/parse: the text of a form file as values."""
        data = await body_of(request, self._settings.largest_text, self._settings.body_seconds)
        try:
            values = await asyncio.to_thread(tomllib.loads, data.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise Problem(422, f"not valid TOML ({_one_line(error)}); mend it") from None
        return JSONResponse({"form": await self._checked(values)})

    async def text(self, request: Request) -> Response:
        """POST /api/form/text: values as the text of a form file."""
        values = await self._checked(await self._json(request))
        return Response(toml_of(values), media_type="application/toml")

    async def _json(self, request: Request) -> Any:
        return await json_of(request, self._settings.largest_text, self._settings.body_seconds)

    async def _checked(self, values: Any) -> Values:
        """Return values that make a form; raises `Problem` where they don't."""
        await self._form(values)
        assert isinstance(values, dict)
        return values

    async def _form(self, values: Any) -> Form:
        """Return the form that values make; raises `Problem` where they make none."""
        # Whether a check can be met at all may take a second to find: nobody is to wait for that but whoever
        # asks for it, and it takes one thread, however many ask.
        async with self._checking:
            return await asyncio.to_thread(self._parsed, values)

    def _parsed(self, values: Any) -> Form:
        if not isinstance(values, dict):
            raise Problem(422, "a form is an object with 'page' and 'field'")
        self._check_bounds(values)
        try:
            text = toml_of(values)
            folder = Path("/") if self._file is None else self._file.parent
            return parse_form(text, "form", folder)
        except FormError as error:
            # The line is one of a text that the client never saw.
            raise Problem(422, re.sub(r"^form:\d+: ", "", str(error))) from None
        except (ValueError, RecursionError) as error:
            raise Problem(422, f"no form ({_one_line(error)}); mend it") from None

    def _check_bounds(self, values: Mapping[str, Any]) -> None:
        own: Mapping[str, Any] = {}
        if self._file is not None and (text := self._text()) is not None:
            try:
                own = tomllib.loads(text)
            except ValueError:
                own = {}
        page = values.get("page")
        picture = page.get("picture") if isinstance(page, dict) else None
        own_page = own.get("page")
        if picture is not None and not (isinstance(own_page, dict) and own_page.get("picture") == picture):
            raise Problem(422, "a reference picture is named in the form file itself, not here")
        trusted = set(_patterns(own))
        for pattern in _patterns(values):
            if pattern not in trusted and not is_bounded(pattern):
                raise Problem(
                    422,
                    f"pattern '{pattern[:80]}' is not simple; use digits, \\d, [0-4], separators and "
                    "up to three of ? * + {m,n}, or write it into the form file",
                )

    # --- a form over a picture ----------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        """POST /api/form/page?picture=ID: the page, found in a kept picture and flattened, as a JPEG."""
        # The fields are just being drawn: their printed lines can't prove yet that the page is the form's.
        frame, form = await self._over(request, bare=True)
        data = await self._readings.timed("form", lambda _: _flat(frame, form))
        return Response(data, media_type="image/jpeg")

    async def read(self, request: Request) -> Response:
        """POST /api/form/read?picture=ID: what the fields of a form say in a kept picture."""
        frame, form = await self._over(request)

        def work(reader: Reader) -> Values:
            return FormReader(form, reader).read(frame.image).as_dict()

        return JSONResponse({"schema": SCHEMA, **await self._readings.timed("form", work)})

    async def _over(self, request: Request, bare: bool = False) -> tuple[Frame, Form]:
        self._readings.workshop.admit(request)
        frame = self._readings.album.get(request.query_params.get("picture", ""))
        values = await self._json(request)
        if bare and isinstance(values, dict):
            page = values.get("page")
            size = page.get("size") if isinstance(page, dict) and page.get("unit") != "fraction" else None
            whole = [0, 0, *size] if isinstance(size, list) and len(size) == 2 else [0, 0, 1, 1]
            some = {"name": "page", "box": whole, "digits": 1, "printed": "none"}
            values = {"name": values.get("name", "form"), "page": page, "field": [some]}
        return frame, await self._form(values)


def _flat(frame: Frame, form: Form) -> bytes:
    """Return the flattened page; raises `RegistrationError` where it is not found."""
    where = register(frame.image, form)
    if isinstance(form.finder, WholePicture):
        return jpeg(frame.image, PAGE_SIDE, 85)
    ratio = 1.0 if form.size is None else form.size[0] / form.size[1]
    size = (PAGE_SIDE, round(PAGE_SIDE / ratio)) if ratio > 1 else (round(PAGE_SIDE * ratio), PAGE_SIDE)
    x, y = page_map(where.matrix, where.bend, size, 0)
    flat = cv2.remap(frame.image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return jpeg(np.asarray(flat, np.uint8), PAGE_SIDE, 85)


def is_bounded(pattern: str) -> bool:
    r"""Return whether a regular expression takes little time on any text of a field, whoever wrote it.

    Digits, `\d`, classes of digits, separators, at most three quantifiers, no groups and no choices: the
    ways to match grow with the third power of the text's length at most.
    """
    quantifiers = place = 0
    while place < len(pattern):
        atom = _SIMPLE.match(pattern, place)
        if atom is None:
            return False
        place = atom.end()
        quantifier = _QUANTIFIER.match(pattern, place)
        if quantifier is not None:
            quantifiers += 1
            place = quantifier.end()
    return quantifiers <= 3 and len(pattern) <= 200


def _patterns(values: Mapping[str, Any]) -> list[str]:
    tables = [values.get("field"), values.get("grid")]
    found = [
        row.get("pattern")
        for rows in tables
        if isinstance(rows, list)
        for row in rows
        if isinstance(row, dict)
    ]
    return [pattern for pattern in found if isinstance(pattern, str)]


# --- TOML ---------------------------------------------------------------------------------------------


def toml_of(values: Mapping[str, Any]) -> str:
    """Return a form's values as the text of a form file: plain keys, then [page], [[field]]s and [[grid]]s.

    Raises `ValueError` for what TOML or a form can't hold.
    """
    lines: list[str] = []
    tables: list[str] = []
    for key, value in values.items():
        if key == "page" and isinstance(value, dict):
            tables = ["", "[page]", *_pairs(value), *tables]
        elif key in ("field", "grid") and isinstance(value, list) and all(isinstance(v, dict) for v in value):
            for row in value:
                tables += ["", f"[[{key}]]", *_pairs(row)]
        else:
            lines += _pairs({key: value})
    return "\n".join(lines + tables).lstrip("\n") + "\n"


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any, depth: int = 0) -> str:
    if depth > 4:
        raise ValueError("nested too deeply")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise ValueError("a number of more than 64 bits")
        return str(value)
    if isinstance(value, float):
        return f"{value:.10g}" if abs(value) < 1e15 else repr(value)
    if isinstance(value, str):
        return '"' + "".join(_escaped(c) for c in value) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(_value(v, depth + 1) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v, depth + 1)}" for k, v in value.items()) + "}"
    raise ValueError(f"a {type(value).__name__}, which a form has no place for")


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if "\ud800" <= character <= "\udfff":
        raise ValueError("half a character")
    if character < " " or character == "\x7f":
        return f"\\u{ord(character):04x}"
    return character


def _heading(text: str) -> str:
    """Return the comment at the top of a form file: it is kept, where those between the tables are not."""
    match = re.match(r"(?:[ \t]*#[^\n]*\n)+\n?", text)
    return match[0] if match else ""


def _revision(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def form_file(name: str) -> Path | None:
    """Return the form file to edit; raises `ServeError` where its folder is missing or it is a folder."""
    if not name:
        return None
    path = Path(name)
    if path.is_dir() or path.suffix != ".toml":
        raise ServeError(f"{name}: not a form file; name one that ends in .toml, there or yet to be made")
    if not path.parent.is_dir():
        raise ServeError(f"{name}: its folder is not there; make it first")
    return path
