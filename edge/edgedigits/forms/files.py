"""Forms on disk: starter files, blank pages, fields drawn where they are found; and what a form asks for."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgedigits.errors import FormError, OutputError, PictureError, RegistrationError
from edgedigits.files import write_atomically
from edgedigits.forms.blank import INCH, draw_blank, paper_for
from edgedigits.forms.drawing import Outline, draw_outlines
from edgedigits.forms.form_file import example_names, load_form
from edgedigits.forms.layout import Form, Reference, Sheet
from edgedigits.forms.register import Registration, register
from edgedigits.forms.starter import propose_form
from edgedigits.frames import Frame, Unread, read_pictures


def list_forms() -> list[str]:
    """Return a line for each shipped form: its name and title."""
    forms = [load_form(name) for name in example_names()]
    wide = max(len(form.name) for form in forms)
    return [f"{form.name:<{wide}}  {form.title}" for form in forms]


def describe(name: str) -> list[str]:
    """Return what a form asks for, in lines; raises `FormError`."""
    form = load_form(name)
    lines = [f"{form.name}: {form.title}", f"page found by: {form.finder.name}"]
    names = [field.name for field in form.fields]
    wide = max(map(len, names))
    for field in form.fields[:200]:
        low, high = field.digits
        digits = f"{low}" if low == high else f"{low}–{high}"
        rules = "; ".join(rule.name for rule in field.rules)
        lines.append(f"  {field.name:<{wide}}  {digits} digits, {field.style}{'; ' + rules if rules else ''}")
    if len(names) > 200:
        lines.append(f"  … {len(names) - 200} more")
    return lines


def show_form(name: str, picture: str, out: str | None) -> Path:
    """Draw a form's fields where they are found in a picture; returns the file written.

    Raises `FormError`, `PictureError` (`RegistrationError` where the page isn't found) and `OutputError`.
    """
    form = load_form(name)
    frame = _first_picture(picture)
    try:
        where = register(frame.image, form)
    except RegistrationError as error:
        raise RegistrationError(f"{picture}: {error}") from error
    path = Path(out) if out else Path(f"{_stem(picture)}-{_stem(form.name)}.png")
    _write_picture(path, draw_outlines(frame.image, _outlines(form, where)), picture)
    return path


def new_form(picture: str, out: str | None) -> tuple[Path, Path, int]:
    """Write a starter form for a picture and a picture of it; returns both files and the number of fields.

    `out` is the form file (default: the picture's name with `.toml`, in the working folder); a file that is
    there is not overwritten, nor a picture. Raises `PictureError`, `RegistrationError` and `OutputError`.
    """
    path = Path(out) if out else Path(f"{_stem(picture)}.toml")
    if path.suffix != ".toml":
        raise OutputError(f"{path}: a form file's name ends in .toml; choose such a name")
    if os.path.lexists(path):
        raise OutputError(f"{path}: it is already there; choose another name with --out")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its folder is not there; make it, or choose another with --out")
    frame = _first_picture(picture)
    try:
        text, form = propose_form(frame.image, _stem(str(path)))
        where = register(frame.image, form)
    except RegistrationError as error:
        raise RegistrationError(f"{picture}: {error}") from error
    drawn, number = path.with_suffix(".png"), 1
    while os.path.lexists(drawn):  # the picture itself, or another that lies beside it
        drawn = path.with_name(f"{path.stem}-form{f'-{number}' if number > 1 else ''}.png")
        number += 1
    _write_picture(drawn, draw_outlines(frame.image, _outlines(form, where)), picture)
    write_atomically(path, text.encode())
    return path, drawn, len(form.fields)


def print_form(name: str, out: str | None, dpi: int, width: float | None) -> str:
    """Write the blank page of a form as PDF or PNG; returns a line: the file, its size, how to print it.

    `out` is the file (default: the form's name with `.pdf`, in the working folder); one that is there is not
    overwritten. `width` is the page's in millimetres, where the form has only a ratio. Raises `FormError` and
    `OutputError`.
    """
    form = load_form(name)
    path = Path(out) if out else Path(f"{_stem(form.name)}.pdf")
    kind = path.suffix.lower()
    if kind not in (".pdf", ".png"):
        raise OutputError(f"{path}: a blank page's name ends in .pdf or .png; choose such a name")
    if os.path.lexists(path):
        raise OutputError(f"{path}: it is already there; choose another name with --out")
    reference = None
    if isinstance(form.finder, Reference):
        reference = cv2.imread(str(form.finder.picture), cv2.IMREAD_GRAYSCALE)
    try:
        paper = paper_for(form, width)
        page = draw_blank(form, paper, dpi, None if reference is None else np.asarray(reference, np.uint8))
    except (FormError, RegistrationError) as error:
        raise FormError(f"{name}: {error}") from error
    # By the millimetre, and not by the inch: pixels are whole.
    exact = page.shape[1] * INCH / paper.size[0], page.shape[0] * INCH / paper.size[1]
    data = io.BytesIO()
    if kind == ".png":
        Image.fromarray(page).save(data, "PNG", dpi=exact, optimize=True)
    else:
        # Pillow before 9.5 knows `resolution` alone. Without a date a page has the same bytes every time.
        dates = {"creationDate": None, "modDate": None}
        Image.fromarray(page).save(
            data, "PDF", dpi=exact, resolution=exact[0], quality=95, title=form.title, **dates
        )
    write_atomically(path, data.getvalue())
    wide, high = paper.size
    cut = ", on paper of that size or cut to it" if isinstance(form.finder, Sheet) else ""
    return f"{path}: {wide:g} × {high:g} mm; print it at 100 %, not fitted to the paper{cut}"


def _outlines(form: Form, where: Registration) -> list[Outline]:
    outlines = []
    for field in form.fields:
        for number, (x, y, w, h) in enumerate(form.cell_boxes(field)):
            points = where.to_picture(np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]))
            corners = tuple((round(float(a)), round(float(b))) for a, b in points)
            outlines.append(Outline(corners, field.name if number == 0 else ""))
    return outlines


def _first_picture(path: str) -> Frame:
    for frame in read_pictures(path):
        if isinstance(frame, Unread):
            raise frame.error
        return frame
    raise PictureError(f"{path}: no picture in it; name another")


def _write_picture(path: Path, image: NDArray[np.uint8], picture: str) -> None:
    if os.path.realpath(path) == os.path.realpath(picture):
        raise OutputError(f"{path}: that is the picture itself; choose another name with --out")
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise OutputError(f"{path}: a picture's name ends in .png or .jpg; choose such a name")
    ok, data = cv2.imencode(path.suffix, image)
    if not ok:
        raise OutputError(f"{path}: can't be written; choose another name")
    write_atomically(path, data.tobytes())


def _stem(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", Path(name).stem)[:60].strip("._") or "form"
