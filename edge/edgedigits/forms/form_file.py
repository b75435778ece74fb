"""A form file (TOML) → a `Form`: where its fields are, what may stand in them, how its page is found.

    name = "meter-card"

    [page]
    size = [148, 105]            # millimetres; with unit = "fraction" only the ratio counts
    find = "frame"               # frame, sheet, corners, aruco, reference or none
    frame = [6, 6, 136, 93]      # where the printed frame is on the page

    [[field]]
    name = "reading"
    box = [20, 40, 60, 12]       # x, y, width, height
    digits = 5                   # or a range: [3, 6]
    style = "comb"               # a cell per digit; "free" is a line of writing
    check = "luhn"

    [[printed]]                  # what else is printed: it helps to find the page
    line = [20, 60, 100]         # x, y, length; or a box

    [[grid]]                     # fields in rows and columns, named by both
    name = "r{row}c{column}"
    box = [0, 0, 90, 90]
    rows = 9
    columns = 9
    digits = 1

How the page is found, and what that needs in `[page]`:

- `frame`: a printed frame; `frame` is its box on the page (default: the page itself).
- `sheet`: the edges of the sheet, on a darker desk.
- `corners`: `marks`, four centres [x, y] from top left clockwise, and `mark_size`, their side.
- `aruco`: `marks`, a table from a mark's number to [x, y, side], and `dictionary` (default `4x4_50`).
- `reference`: `picture`, a picture of the blank page, cut to the page, beside the form file.
- `none`: the picture is the page. `size` may be left out with `unit = "fraction"`.

Before the tables stand the form's `name` (default: the file's) and `title`, a line that says what it is. In
`[page]`, `unit` (default `mm`, or `fraction` of the page) is that of all boxes, `size` the page's width and
height.

The further keys of a field or a grid:

- `style` (`comb` or `free`), `cells` (default: the most digits) and `gap` between them, for a comb.
- `printed`: `boxes` around every cell (default in a comb), a `box` around the field, a base `line`, which
  may be dotted, or `none` (default in a free field). What is printed and not named so is taken for writing.
- `required` (default true): whether a blank field is an error.
- `decimal`: the separator, `.` or `,`, in a free field; written is either, for they are hard to tell apart.
  `decimals`: the digits behind it; without it, three behind the only one are in doubt. In a comb, and
  without a separator, so many of the last digits are decimals, so its last cell may not be blank.
- With `range`, `decimal` or `decimals` it is a number: a sign that parts neither its thousands nor its
  decimals is an error. Without them it is a code, and the signs between its digits are passed over.
- `least_height` (default 0.25): what is lower than this part of the field is no digit. `notes` (false):
  small writing in a corner of a cell is a note.
- `check`: a format of python-stdnum, `prefix`: letters printed before the digits that belong to the number;
  `range`: the smallest and the largest number; `pattern`: a regular expression for the whole value.

Whatever is wrong with a file is one `FormError` that names the file, the line, the field and the remedy.
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from edgedigits.errors import FormError
from edgedigits.forms.checks import Rule, check_digit_rule, pattern_rule, range_rule
from edgedigits.forms.layout import (
    FINDERS,
    MOST_DIGITS,
    PRINTED,
    STYLES,
    UNITS,
    ArucoMarks,
    Box,
    CornerMarks,
    Field,
    Finder,
    Form,
    Frame,
    Point,
    Printed,
    Reference,
    Sheet,
    Style,
    Unit,
    WholePicture,
)

EXAMPLES = Path(__file__).parent / "examples"
"""Where the shipped forms are."""

MOST_FIELDS = 2000
_MOST_BYTES = 1 << 20
_MOST_SHOWN = 80
_MOST_DOTS = 500
"""What the parts of a dotted key cost grows with their square."""


def example_names() -> tuple[str, ...]:
    """Return the names of the forms that are shipped."""
    return tuple(sorted(path.stem for path in EXAMPLES.glob("*.toml")))


def load_form(name_or_path: str | os.PathLike[str]) -> Form:
    """Read a form file, or a shipped form by its name.

    Raises `FormError`, one line with file, line, field and remedy, for whatever is wrong with it.
    """
    path = Path(name_or_path)
    name = os.fspath(name_or_path)
    if name in example_names() and not path.is_file():
        path = EXAMPLES / f"{name}.toml"
    try:
        if not path.is_file():
            raise FormError(f"{name}: no such form file; name one, or one of {', '.join(example_names())}")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise FormError(f"{name}: can't be read ({error.strerror}); check its permissions") from error
    if len(data) > _MOST_BYTES:
        raise FormError(f"{name}: more than a megabyte, which is no form file; name another")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormError(f"{name}: not UTF-8 text; save it as UTF-8") from error
    return parse_form(text, name, path.parent)


def parse_form(text: str, source: str, folder: Path) -> Form:
    """Read the text of a form file; `source` names it in errors, `folder` is where its pictures are.

    Raises `FormError` as `load_form` does.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS:
            raise FormError(
                f"{source}:{number}: more than {_MOST_DOTS} dots in a line; break it into several"
            )
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FormError(f"{source}: not valid TOML ({error}); mend it") from error
    except ValueError as error:  # Python makes no number of so many digits
        raise FormError(f"{source}: a number of thousands of digits; make it shorter") from error
    return _Parser(text, source, folder).form(values)


class _Table:
    """A table of the file, whose keys are taken one by one; what is left over is unknown."""

    def __init__(self, parser: _Parser, values: Mapping[str, Any], header: str, number: int = 0) -> None:
        self._parser, self._values = parser, dict(values)
        self._header, self._number = header, number
        self._known: list[str] = []
        self.label = f"[{header}]" if header else "the file"

    def fail(self, why: str, key: str | None = None) -> FormError:
        line = self._parser.line_of(self._header, self._number, key)
        return FormError(f"{self._parser.source}:{line}: {self.label}: {why}")

    def take(self, key: str, otherwise: Any = None) -> Any:
        self._known.append(key)
        return self._values.pop(key, otherwise)

    def text(self, key: str, otherwise: str | None = None, choices: Sequence[str] = ()) -> Any:
        value = self.take(key, otherwise)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self.fail(f"'{key}' is a text in quotes, and not empty; write one", key)
        if choices and value not in choices:
            raise self.fail(f"'{key}' is {_shown(value)}; use {_or(choices)}{_meant(value, choices)}", key)
        return value

    def integer(self, key: str, low: int, high: int, otherwise: int | None = None) -> Any:
        value = self.take(key, otherwise)
        if value is None and key not in self._values:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.fail(f"'{key}' is {_shown(value)}; give a whole number from {low} to {high}", key)
        return value

    def boolean(self, key: str, otherwise: bool) -> bool:
        value = self.take(key, otherwise)
        if not isinstance(value, bool):
            raise self.fail(f"'{key}' is {_shown(value)}; give true or false", key)
        return value

    def numbers(self, key: str, count: int, what: str, value: Any = None) -> tuple[float, ...] | None:
        value = self.take(key) if value is None else value
        if value is None:
            return None
        good = isinstance(value, list) and len(value) == count and all(_is_number(v) for v in value)
        if not good:
            raise self.fail(f"'{key}' is {_shown(value)}; give {what}, {count} numbers in brackets", key)
        return tuple(float(v) for v in value)

    def finish(self) -> None:
        for key in self._values:
            known = ", ".join(self._known)
            raise self.fail(
                f"unknown key {_shown(key)}{_meant(key, self._known)}; the keys here are {known}", key
            )


class _Parser:
    def __init__(self, text: str, source: str, folder: Path) -> None:
        self.source = source
        self._folder = folder
        self._lines = text.splitlines()
        self._across = (1.0, 1.0)
        self._ratio = 1.0

    def line_of(self, header: str, number: int, key: str | None) -> int:
        """Return the number of the line of a table's key, or of its header where the key isn't found."""
        opening = re.compile(rf"\s*\[+\s*{re.escape(header)}\s*\]+") if header else None
        seen, inside, start = -1, opening is None, 1
        for number_of_line, line in enumerate(self._lines, 1):
            if line.lstrip().startswith("["):
                inside = False
                if opening is not None and opening.match(line):
                    seen += 1
                    if seen == number:
                        inside, start = True, number_of_line
            elif inside and key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
                return number_of_line
        return start

    def form(self, values: Mapping[str, Any]) -> Form:
        top = _Table(self, values, "")
        name = top.text("name", Path(self.source).stem or "form")
        title = top.text("title", name)
        page, fields, grids, printed = (top.take(key) for key in ("page", "field", "grid", "printed"))
        fields, grids, printed = fields or [], grids or [], printed or []
        top.finish()
        if not isinstance(page, dict):
            raise top.fail('no [page] table; say there how the page is found, as in find = "frame"')
        for key, tables in (("field", fields), ("grid", grids), ("printed", printed)):
            if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
                raise top.fail(f"write each {key} as a table of its own, under [[{key}]]", key)
        size, unit, finder = self._page(_Table(self, page, "page"))
        found: list[tuple[_Table, Field]] = []
        for header, tables in (("field", fields), ("grid", grids)):
            for number, table in enumerate(tables):
                reader = _Table(self, table, header, number)
                for field in self._field(reader) if header == "field" else self._grid(reader):
                    found.append((reader, field))
                    if len(found) > MOST_FIELDS:
                        raise reader.fail(f"more than {MOST_FIELDS} fields; part the form into several")
        if not found:
            raise top.fail("no field; add a [[field]] with its name and box")
        self._apart(found)
        boxes = [self._printed(_Table(self, table, "printed", k)) for k, table in enumerate(printed)]
        return Form(name, title, size, finder, tuple(field for _, field in found), tuple(boxes), unit)

    def _printed(self, table: _Table) -> Box:
        box = table.numbers("box", 4, "x, y, width and height")
        line = table.numbers("line", 3, "x, y and length of a horizontal line")
        table.finish()
        if (box is None) == (line is None):
            raise table.fail("give 'box', or 'line' for a horizontal line")
        if box is not None:
            return self._box(table, "box", box)
        assert line is not None
        x, y, w, _ = self._box(table, "line", (line[0], line[1] - 1e-9, line[2], 1e-9))
        return x, y, w, 0.0

    # --- the page -----------------------------------------------------------------------------------------

    def _page(self, table: _Table) -> tuple[tuple[float, float] | None, Unit, Finder]:
        find = table.text("find", choices=FINDERS)
        if find is None:
            raise table.fail(f"no 'find'; say how the page is found: {_or(FINDERS)}")
        unit: Unit = table.text("unit", "mm", UNITS)
        size = table.numbers("size", 2, "width and height of the page")
        if size is None and (find != "none" or unit == "mm"):
            remedy = (
                'or unit = "fraction"' if find == "none" else 'with unit = "fraction" only the ratio counts'
            )
            raise table.fail(f"no 'size'; give width and height of the page in millimetres ({remedy})")
        if size is not None and not (min(size) > 0 and max(size) <= 20 * min(size) and max(size) <= 10_000):
            raise table.fail(f"'size' is {list(size)}; give width and height of a page", "size")
        if size is not None:
            self._ratio = size[0] / size[1]
            if unit == "mm":
                self._across = (size[0], size[1])
        finder = self._finder(table, find)
        table.finish()
        return (None if size is None else (size[0], size[1])), unit, finder

    def _finder(self, table: _Table, find: str) -> Finder:
        if find == "frame":
            box = table.numbers("frame", 4, "x, y, width and height of the frame")
            return Frame((0.0, 0.0, 1.0, 1.0) if box is None else self._box(table, "frame", box))
        if find == "sheet":
            return Sheet()
        if find == "corners":
            marks = table.take("marks")
            if not isinstance(marks, list) or len(marks) != 4:
                raise table.fail(
                    "'marks' are the centres [x, y] of the marks at top left, top right, bottom right and "
                    "bottom left; give four",
                    "marks",
                )
            centres = [self._point(table, "marks", mark) for mark in marks]
            if not _turns_right(centres):
                raise table.fail(
                    "'marks' don't go round; give top left, top right, bottom right, bottom left", "marks"
                )
            side = table.take("mark_size")
            if not _is_number(side) or not 0 < side / self._across[0] <= 0.25:
                raise table.fail("'mark_size' is the side of a mark; give it, at most a quarter of the width")
            return CornerMarks((centres[0], centres[1], centres[2], centres[3]), side / self._across[0])
        if find == "aruco":
            return self._aruco(table)
        if find == "reference":
            name = table.text("picture")
            if name is None:
                raise table.fail("no 'picture'; name a picture of the blank page, cut to the page")
            path = self._folder / name
            try:
                there = path.is_file()
            except OSError:  # a name longer than any
                there = False
            if not there:
                raise table.fail(
                    f"picture {_shown(name)} is not there; put it beside the form file", "picture"
                )
            return Reference(path)
        return WholePicture()

    def _aruco(self, table: _Table) -> ArucoMarks:
        dictionary = table.text("dictionary", "4x4_50").lower()
        if not re.fullmatch(r"([4-7])x\1_(50|100|250|1000)|original", dictionary):
            raise table.fail(
                f"dictionary '{dictionary}' is none of ArUco's; use 4x4_50, 5x5_100, … or original",
                "dictionary",
            )
        marks = table.take("marks")
        if not isinstance(marks, dict) or len(marks) < 2 or not all(k.isdecimal() for k in marks):
            raise table.fail(
                "'marks' gives for each mark's number the x, y of its top left corner and its side, "
                "as in marks = {0 = [5, 5, 12], 1 = [130, 5, 12]}; give two or more",
                "marks",
            )
        corners = {}
        most = int(dictionary.split("_")[1]) if "_" in dictionary else 1024
        for key, value in marks.items():
            if len(key) > 4 or int(key) >= most:
                raise table.fail(
                    f"mark {_shown(key)} is not in dictionary {dictionary}; use 0 to {most - 1}", "marks"
                )
            where = table.numbers("marks", 3, f"x, y and side of mark {key}", value)
            assert where is not None
            x, y, side = where
            if side <= 0:
                raise table.fail(f"mark {key} has the side {side:g}; give one above 0", "marks")
            # A mark is square on the paper; in fractions of the page it is so only where the page is square.
            high = side if self._across != (1.0, 1.0) else side * self._ratio
            left, top, w, h = self._box(table, "marks", (x, y, side, high))
            corners[int(key)] = ((left, top), (left + w, top), (left + w, top + h), (left, top + h))
        return ArucoMarks(dictionary, corners)

    # --- fields -------------------------------------------------------------------------------------------

    def _field(self, table: _Table) -> Iterator[Field]:
        name = table.text("name")
        if name is None:
            raise table.fail('a field without a name; add name = "…"')
        table.label = f"field '{name}'"
        yield self._common(table, name, self._own_box(table))

    def _grid(self, table: _Table) -> Iterator[Field]:
        name = table.text("name")
        if name is None or "{row}" not in name or "{column}" not in name:
            raise table.fail(
                'name the fields of a grid by {row} and {column}, as in "r{row}c{column}"', "name"
            )
        table.label = f"grid '{name}'"
        rows, columns = (table.integer(key, 1, 200) for key in ("rows", "columns"))
        if rows is None or columns is None:
            raise table.fail("a grid without 'rows' and 'columns'; add them")
        x, y, w, h = self._own_box(table)
        pattern = self._common(table, name, (x, y, w / columns, h / rows))
        for row, column in itertools.product(range(rows), range(columns)):
            box = (x + column * w / columns, y + row * h / rows, w / columns, h / rows)
            own = name.replace("{row}", str(row + 1)).replace("{column}", str(column + 1))
            yield replace(pattern, name=own, box=box)

    def _common(self, table: _Table, name: str, box: Box) -> Field:
        low, high = self._digits(table)
        style: Style = table.text("style", "comb" if table.label.startswith("grid") else "free", STYLES)
        cells = table.integer("cells", 1, MOST_DIGITS, high if style == "comb" else 1)
        if style == "comb" and cells < high:
            raise table.fail(f"{high} digits in {cells} cells; make 'cells' at least 'digits'", "cells")
        if style == "free" and cells != 1:
            raise table.fail("cells in a free field; set style = \"comb\" or leave 'cells' out", "cells")
        gap = table.take("gap", 0)
        if not _is_number(gap) or gap < 0:
            raise table.fail(f"'gap' is {_shown(gap)}; give the distance between two cells, 0 or more", "gap")
        gap /= self._across[0]
        if (cells - 1) * gap > 0.8 * box[2]:
            raise table.fail(f"{cells - 1} gaps leave no room for {cells} cells; make 'gap' smaller", "gap")
        printed: Printed = table.text("printed", "boxes" if style == "comb" else "none", PRINTED)
        required = table.boolean("required", True)
        decimal = table.text("decimal", choices=(".", ","))
        decimals = table.integer("decimals", 1, MOST_DIGITS)
        if decimal is not None and style == "comb":
            raise table.fail("a comb has no cell for a separator; give 'decimals' alone", "decimal")
        if decimals is not None and decimals > high:
            raise table.fail(f"{decimals} decimals of {high} digits; make it fewer", "decimals")
        least = table.take("least_height", 0.25)
        if not _is_number(least) or not 0 <= least <= 1:
            raise table.fail(
                f"'least_height' is {_shown(least)}; give a part of the height, 0 to 1", "least_height"
            )
        notes = table.boolean("notes", False)
        if notes and style == "free":
            raise table.fail('notes are told by their place in a cell; set style = "comb"', "notes")
        rules = self._rules(table, (low, high), decimal, decimals)
        table.finish()
        return Field(
            name,
            box,
            (low, high),
            style,
            cells,
            gap,
            printed,
            required,
            decimal,
            decimals,
            float(least),
            notes,
            rules,
        )

    def _digits(self, table: _Table) -> tuple[int, int]:
        value = table.take("digits")
        if isinstance(value, int):
            value = [value, value]
        good = isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value)
        if not good or not 1 <= value[0] <= value[1] <= MOST_DIGITS:
            raise table.fail(
                f"'digits' is a number from 1 to {MOST_DIGITS}, or fewest and most as in [3, 6]; give it",
                "digits",
            )
        return value[0], value[1]

    def _rules(
        self, table: _Table, digits: tuple[int, int], decimal: str | None, decimals: int | None
    ) -> tuple[Rule, ...]:
        check, prefix = table.text("check"), table.text("prefix")
        limits, pattern = table.take("range"), table.text("pattern")
        if prefix is not None and check is None:
            raise table.fail("'prefix' without 'check'; add the check that it belongs to", "prefix")
        rules = []
        key = "check"
        try:
            if check is not None:
                rules.append(check_digit_rule(check, prefix or "", range(digits[0], digits[1] + 1)))
            if limits is not None:
                key = "range"
                low, high = self._limits(table, limits)
                # Written, not calculated: Decimal keeps 28 digits of what it calculates.
                most = Decimal(f"{'9' * digits[1]}E-{decimals or 0}")
                rules.append(range_rule(low, high, most))
            if pattern is not None:
                key = "pattern"
                rules.append(pattern_rule(pattern, digits[1]))
        except FormError as error:
            if str(error).startswith(f"{self.source}:"):
                raise
            raise table.fail(str(error), key) from error
        return tuple(rules)

    def _limits(self, table: _Table, value: Any) -> tuple[Decimal, Decimal]:
        limits = table.numbers("range", 2, "the smallest and the largest number", value)
        assert limits is not None
        low, high = (Decimal(str(v)) for v in value)
        return low, high

    # --- boxes --------------------------------------------------------------------------------------------

    def _own_box(self, table: _Table) -> Box:
        box = table.numbers("box", 4, "x, y, width and height")
        if box is None:
            raise table.fail("no 'box'; give x, y, width and height")
        return self._box(table, "box", box)

    def _box(self, table: _Table, key: str, box: Sequence[float]) -> Box:
        u, v = self._across
        x, y, w, h = box[0] / u, box[1] / v, box[2] / u, box[3] / v
        shown = f"'{key}' {[float(f'{b:g}') for b in box]}"
        if w <= 0 or h <= 0:
            raise table.fail(f"{shown} is empty; give a width and a height above 0", key)
        if x < -1e-6 or y < -1e-6 or x + w > 1 + 1e-6 or y + h > 1 + 1e-6:
            page = f"{u:g} × {v:g}" + (" mm" if u > 1 else " (fractions: 1 × 1)")
            raise table.fail(f"{shown} reaches outside the page, {page}; move it inside", key)
        return x, y, w, h

    def _point(self, table: _Table, key: str, value: Any) -> Point:
        point = table.numbers(key, 2, "x and y", value)
        assert point is not None
        x, y = point[0] / self._across[0], point[1] / self._across[1]
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise table.fail(f"'{key}' {list(point)} is outside the page; move it inside", key)
        return x, y

    def _apart(self, found: Sequence[tuple[_Table, Field]]) -> None:
        names: dict[str, Field] = {}
        for table, field in found:
            if field.name in names:
                raise table.fail(f"a second field named '{field.name}'; give each its own name", "name")
            names[field.name] = field
        # From left to right; what begins after a field ends can't overlap it.
        order = sorted(found, key=lambda pair: pair[1].box[0])
        for k, (table, field) in enumerate(order):
            x, y, w, h = field.box
            for _, other in order[k + 1 :]:
                x1, y1, w1, h1 = other.box
                if x1 >= x + w:
                    break
                wide = min(x + w, x1 + w1) - max(x, x1)
                high = min(y + h, y1 + h1) - max(y, y1)
                if wide > 0 and high > 0 and wide * high > 0.01 * min(w * h, w1 * h1):
                    raise table.fail(
                        f"'{field.name}' and '{other.name}' overlap; move one of their boxes", "box"
                    )


def _is_number(value: Any) -> bool:
    """Return whether a value is a number that a float holds."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and abs(value) <= sys.float_info.max


def _shown(value: Any) -> str:
    """Return a value of the file as a message shows it."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _turns_right(points: Sequence[Point]) -> bool:
    """Return whether four points go clockwise (y down) around a convex quadrilateral."""
    for k in range(4):
        (x0, y0), (x1, y1), (x2, y2) = (points[(k + j) % 4] for j in range(3))
        if (x1 - x0) * (y2 - y1) - (y1 - y0) * (x2 - x1) <= 1e-9:
            return False
    return True


def _or(choices: Sequence[str]) -> str:
    return ", ".join(choices[:-1]) + f" or {choices[-1]}"


def _meant(word: str, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, choices, 1)
    return f" (did you mean '{near[0]}'?)" if near else ""
