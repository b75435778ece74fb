"""A picture of a form, blank at best → a form file to start from.

The page is found by a printed frame or its own edges; on the flattened page, what printed lines enclose is
a cell, cells in a row are a comb, combs below one another a grid, and a lone line is one to write on.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import FormError, RegistrationError
from edgedigits.forms.form_file import parse_form
from edgedigits.forms.layout import MOST_DIGITS, Form
from edgedigits.forms.light import darkness
from edgedigits.forms.printed_lines import flattened
from edgedigits.forms.register import RegistrationSettings, register
from edgedigits.geometry import UNIT_SQUARE, homography
from edgedigits.ink import to_grey
from edgedigits.sheet.quads import frame_quads, sheet_quads

Grey = NDArray[np.uint8]
_Rect = tuple[int, int, int, int]

_AS_GOOD = 0.03
"""What proves worse by less than this is as good."""

_SIDE = 1400  # pixels of the flattened page's longer side


@dataclass(frozen=True)
class _Group:
    """Cells of one size, side by side: the first one's x, y, width, height in pixels, and how they go on."""

    first: _Rect
    cells: int
    gap: int
    rows: int = 1
    printed: str = "boxes"

    @property
    def box(self) -> _Rect:
        x, y, w, h = self.first
        return x, y, self.cells * w + (self.cells - 1) * self.gap, h * self.rows


def propose_form(image: NDArray[np.uint8], name: str) -> tuple[str, Form]:
    """Return the text of a form file for a picture, and the form it describes.

    `image` is uint8, H×W or H×W×3 BGR, upright. The form is found again in its own picture by what the file
    says. Raises `RegistrationError` where nothing that could be a field is printed in the picture.
    """
    grey = to_grey(image)
    settings = RegistrationSettings()
    height, width = grey.shape
    whole = UNIT_SQUARE * [width, height]
    least = 0.15 * width * height
    found_any = False
    proven: list[tuple[float, str, Form]] = []
    # The frame has the say over the sheet and the sheet over the picture, if they prove about as right.
    ways = [("frame", q) for q in frame_quads(grey, settings.quads)[:3]]
    ways += [("sheet", q) for kind in sheet_quads(grey, settings.quads) for q in kind[:2]]
    for find, quad in [*ways, ("none", whole)]:
        if find != "none" and cv2.contourArea(quad.astype(np.float32)) < least:
            continue
        groups, size = _groups(grey, quad)
        if not groups:
            continue
        found_any = True
        text = _text(name, find, groups, size)
        try:
            form = parse_form(text, name, Path())
            found = register(image, form, settings)
        except (FormError, RegistrationError):
            continue  # what is seen askew overlaps, or is not found again
        # What was proposed in one quadrilateral and is found in another is bent.
        away = np.linalg.norm(found.corners - quad, axis=1).max() / max(width, height)
        proven.append((found.credit - float(away), text, form))
        if proven[-1][0] > 1 - _AS_GOOD:
            break
    if proven:
        best = max(credit for credit, _, _ in proven)
        return next((text, form) for credit, text, form in proven if credit >= best - _AS_GOOD)
    if found_any:
        raise RegistrationError(
            "boxes are printed in it, but the page is not found again by them; photograph it flat, in focus "
            "and as a whole"
        )
    raise RegistrationError(
        "no printed boxes or lines found in it; photograph a blank form, flat and in focus"
    )


def _groups(grey: Grey, quad: NDArray[np.float64]) -> tuple[list[_Group], tuple[int, int]]:
    sides = [float(np.linalg.norm(quad[(k + 1) % 4] - quad[k])) for k in range(4)]
    wide, high = max(sides[0], sides[2]), max(sides[1], sides[3])
    scale = _SIDE / max(wide, high)
    size = round(wide * scale), round(high * scale)
    margin = 6
    flat, _ = flattened(grey, homography(UNIT_SQUARE, quad), np.zeros((1, 2)), size, margin)
    lines = _printed_lines(flat)
    cells = _cells(lines, margin)
    groups = _apart(_stacked(_in_rows(cells)))
    groups += _base_lines(lines, groups, margin)
    shifted = [
        _Group((g.first[0] - margin, g.first[1] - margin, *g.first[2:]), g.cells, g.gap, g.rows, g.printed)
        for g in groups
    ]
    return sorted(shifted, key=lambda g: (g.first[1] // 20, g.first[0])), size


def _printed_lines(flat: Grey) -> tuple[Grey, Grey]:
    """Return the masks (0 or 1) of horizontal and of vertical lines."""
    dark = darkness(flat, 41)
    values = dark[dark > 20]
    level = max(25.0, 0.4 * float(np.percentile(values, 75))) if len(values) else 255.0
    mask = (dark >= level).astype(np.uint8)
    # A line may be off the raster by a pixel or two over its length.
    thick = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    least = round(0.018 * _SIDE)
    across = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, least), np.uint8))
    down = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((least, 1), np.uint8))
    return np.asarray(across, np.uint8), np.asarray(down, np.uint8)


def _cells(lines: tuple[Grey, Grey], margin: int) -> list[_Rect]:
    """Return what lines enclose and is a rectangle; x, y, width, height from line to line."""
    walls = lines[0] | lines[1]
    count, _, stats, _ = cv2.connectedComponentsWithStats(1 - walls, connectivity=4, ltype=cv2.CV_32S)
    rows, columns = walls.shape
    found = []
    for x, y, w, h, area in stats[1:count].tolist():
        inside = x > 0 and y > 0 and x + w < columns and y + h < rows
        if inside and min(w, h) >= 0.011 * _SIDE and area >= 0.88 * w * h and w * h < 0.6 * rows * columns:
            # The mask was thickened by a pixel, and a box runs from the middle of a line to that of the next.
            found.append((x - 2, y - 2, w + 4, h + 4))
    # What encloses other cells is a frame around them.
    return [a for a in found if not any(a != b and _contains(a, b) for b in found)]


def _contains(a: _Rect, b: _Rect) -> bool:
    x, y = b[0] + b[2] / 2, b[1] + b[3] / 2
    return a[0] < x < a[0] + a[2] and a[1] < y < a[1] + a[3]


def _in_rows(cells: Sequence[_Rect]) -> list[_Group]:
    """Gather cells of one size that follow one another at one distance."""
    groups: list[list[_Rect]] = []
    for cell in sorted(cells, key=lambda c: (c[0], c[1])):
        for group in groups:
            last = group[-1]
            gap = cell[0] - last[0] - last[2]
            alike = abs(cell[2] - last[2]) <= 0.2 * last[2] and abs(cell[3] - last[3]) <= 0.2 * last[3]
            level = abs(cell[1] - last[1]) <= 0.2 * last[3]
            steady = len(group) < 2 or abs(gap - (last[0] - group[-2][0] - group[-2][2])) <= 0.15 * last[2]
            tall = cell[2] <= 2.2 * cell[3]  # wider ones are columns of a table, not cells of a comb
            if (
                alike
                and level
                and steady
                and tall
                and -6 <= gap <= 0.5 * last[2]
                and len(group) < MOST_DIGITS
            ):
                group.append(cell)
                break
        else:
            groups.append([cell])
    found = []
    for group in groups:
        x, y = group[0][0], round(float(np.median([c[1] for c in group])))
        high = round(float(np.median([c[3] for c in group])))
        end = group[-1][0] + group[-1][2]
        step = (end - x) / len(group)
        gaps = [b[0] - a[0] - a[2] for a, b in itertools.pairwise(group)]
        gap = round(float(np.median(gaps))) if gaps else 0
        if gap < 0.12 * step:
            gap = 0
        wide = round((end - x - (len(group) - 1) * gap) / len(group))
        found.append(_Group((x, y, wide, high), len(group), gap))
    return found


def _stacked(groups: Sequence[_Group]) -> list[_Group]:
    """Put combs that lie directly below one another together to grids."""
    left = sorted(groups, key=lambda g: (g.first[0], g.first[1]))
    found = []
    while left:
        stack = [left.pop(0)]
        for other in list(left):
            x, y, w, h = stack[-1].first
            same = other.cells == stack[-1].cells and other.gap == stack[-1].gap == 0
            near = abs(other.first[0] - x) <= 0.25 * w and abs(other.first[1] - y - h) <= 0.2 * h
            if same and near and abs(other.first[3] - h) <= 0.2 * h and other.cells > 1:
                stack.append(other)
                left.remove(other)
        x, y, w, _ = stack[0].first
        end = stack[-1].first[1] + stack[-1].first[3]
        found.append(
            _Group((x, y, w, round((end - y) / len(stack))), stack[0].cells, stack[0].gap, len(stack))
        )
    return found


def _apart(groups: Sequence[_Group]) -> list[_Group]:
    """Return the groups without those that lie over one of more cells, as rows misread do."""
    kept: list[_Group] = []
    for group in sorted(groups, key=lambda g: -g.cells * g.rows):
        x, y, w, h = group.box
        clear = True
        for other in kept:
            x1, y1, w1, h1 = other.box
            wide, high = min(x + w, x1 + w1) - max(x, x1), min(y + h, y1 + h1) - max(y, y1)
            if wide > 0 and high > 0 and wide * high > 0.01 * min(w * h, w1 * h1):
                clear = False
        if clear:
            kept.append(group)
    return kept


def _base_lines(lines: tuple[Grey, Grey], groups: Sequence[_Group], margin: int) -> list[_Group]:
    """Return the lines to write on: horizontal ones that belong to no cell."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(lines[0], connectivity=8, ltype=cv2.CV_32S)
    rows, columns = lines[0].shape
    high = round(0.03 * _SIDE)
    found: list[_Group] = []
    for x, y, w, h, _ in stats[1:count].tolist():
        if w < 0.06 * columns or h > 0.02 * rows or w > 0.93 * columns or y < high + margin:
            continue
        box = (x, y + h // 2 - high, w, high)
        ends = [lines[1][y : y + h, max(0, end - 10) : end + 10] for end in (x, x + w)]
        if any(end.any() for end in ends):
            continue  # it turns upwards or downwards: the side of a box or a frame
        if not any(_touch(box, other.box) for other in [*groups, *found]):
            found.append(_Group(box, 1, 0, 1, "line"))
    return found


def _touch(a: _Rect, b: _Rect) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] - 8 < b[1] + b[3] and b[1] - 8 < a[1] + a[3]


def _text(name: str, find: str, groups: Sequence[_Group], size: tuple[int, int]) -> str:
    wide, high = size
    ratio = "" if find == "none" else f"size = [{wide}, {high}]   # only the ratio counts\n"
    parts = [
        "# A starter, made from a picture: give the fields their names, digits and checks. With the page's\n"
        "# size in millimetres, leave 'unit' out and give the boxes in millimetres too.\n"
        f'name = "{name}"\n\n[page]\nunit = "fraction"   # boxes are fractions of the page\n'
        f'{ratio}find = "{find}"\n'
    ]
    for number, group in enumerate(groups, 1):
        x, y, w, h = group.box
        left, top = max(0.0, x / wide), max(0.0, y / high)
        right, bottom = min(1.0, (x + w) / wide), min(1.0, (y + h) / high)
        box = f"[{left:.4f}, {top:.4f}, {right - left:.4f}, {bottom - top:.4f}]"
        gap = f"gap = {group.gap / wide:.4f}\n" if group.gap else ""
        if group.rows > 1:
            parts.append(
                f'[[grid]]\nname = "g{number}-r{{row}}c{{column}}"\nbox = {box}\nrows = {group.rows}\n'
                f'columns = {group.cells}\ndigits = 1\nprinted = "boxes"\nrequired = false\n'
            )
        elif group.cells > 1:
            parts.append(
                f'[[field]]\nname = "field{number}"\nbox = {box}\ndigits = [1, {group.cells}]\n'
                f'style = "comb"\n{gap}printed = "boxes"\nrequired = false\n'
            )
        else:
            square = group.printed != "line" and w < 1.3 * h
            style = "comb" if square else "free"
            printed = "boxes" if square else "line" if group.printed == "line" else "box"
            most = 1 if square else min(MOST_DIGITS, max(1, round(1.6 * w / h)))
            digits = "1" if square else f"[1, {most}]"
            parts.append(
                f'[[field]]\nname = "field{number}"\nbox = {box}\ndigits = {digits}\nstyle = "{style}"\n'
                f'printed = "{printed}"\nrequired = false\n'
            )
    return "\n".join(parts)
