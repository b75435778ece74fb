"""Settings from TOML: checked against the dataclasses that hold them, documented by their own words.

A setting is a field of a frozen dataclass with one line under it that says what it means, its unit and its
range ("Seconds, 0…60."). From that line come `--help`, the commented configuration and the check of what
a person writes. Nothing is said twice.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import math
import re
import textwrap
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from edgedigits.errors import EdgeDigitsError

T = TypeVar("T")


class SettingsError(EdgeDigitsError):
    """A configuration that can't be used: not TOML, an unknown key, a value of the wrong kind or size."""


@dataclass(frozen=True)
class Setting:
    """One key: its type, default, words, and range where its words give one."""

    name: str
    type: Any
    default: Any
    words: str
    low: float | None
    high: float | None


def settings_of(cls: type[Any]) -> dict[str, Setting]:
    """Return the settings of a dataclass by name, in order."""
    words = _words(cls)
    types_ = typing.get_type_hints(cls)
    found = {}
    for field in dataclasses.fields(cls):
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        said = words.get(field.name, "")
        low, high = _range(said)
        found[field.name] = Setting(field.name, types_[field.name], default, said, low, high)
    return found


def _words(cls: type) -> dict[str, str]:
    """Return the docstring under each field, which Python itself does not keep."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(body, ast.ClassDef)
    words = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            words[field.target.id] = " ".join(after.value.value.split())
    return words


def _range(words: str) -> tuple[float | None, float | None]:
    match = re.search(r"(-?[\d.,]*\d)…(-?[\d.,]*\d)\.?$", words)
    if match is None:
        return None, None
    low, high = (float(number.replace(",", "")) for number in match.groups())
    return low, high


def build(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Make settings of a TOML table; `where` is what messages call it, as in `file: [capture]`.

    Raises `SettingsError` for an unknown key, a value of another type, or one outside its range.
    """
    known = settings_of(cls)
    values = {}
    for key, value in table.items():
        if key not in known:
            raise SettingsError(f"{where}: no setting '{key}'; there are {', '.join(known)}")
        values[key] = check(known[key], value, where)
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{where}: {error}") from error


def check(setting: Setting, value: Any, where: str) -> Any:
    """Return a value as the setting holds it; raises `SettingsError`."""
    result = _converted(setting.type, value)
    if result is None:
        shown = json.dumps(value, ensure_ascii=False, default=str)
        raise SettingsError(f"{where}: {setting.name} is {_kind(setting.type)}, not {shown}; {setting.words}")
    for number in result if isinstance(result, tuple) else (result,):
        if isinstance(number, int | float) and not isinstance(number, bool) and setting.low is not None:
            assert setting.high is not None
            if not setting.low <= number <= setting.high:
                given = f"{number:g}" if abs(number) < 1e300 else "so large a number"
                raise SettingsError(
                    f"{where}: {setting.name} lies in {setting.low:g}…{setting.high:g}, not {given}; "
                    f"{setting.words}"
                )
    return result


def check_all(settings: Any, name: str) -> None:
    """Check the fields of settings that a program made, and of settings in them; `name` is what messages say.

    Raises `ValueError` for a value of another type, one outside the range that its words give, and a number
    that is not finite. Where the package is installed without its source there are no words, and no check.
    """
    if settings == type(settings)():
        return
    try:
        known = settings_of(type(settings))
    except OSError:
        return
    for setting in known.values():
        value = getattr(settings, setting.name)
        if dataclasses.is_dataclass(value):
            check_all(value, f"{name}.{setting.name}")
            continue
        try:
            check(setting, value.item() if hasattr(value, "item") else value, name)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}: {setting.name} is a finite number, not {value}; {setting.words}")


def _converted(kind: Any, value: Any) -> Any:
    """Return a TOML value as the type asks for it; None where it is of another."""
    if isinstance(kind, types.UnionType):
        for one in typing.get_args(kind):
            if one is not type(None) and (result := _converted(one, value)) is not None:
                return result
        return None
    if typing.get_origin(kind) is typing.Literal:
        return value if value in typing.get_args(kind) else None
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            return None
        if len(inner) == 2 and inner[1] is Ellipsis:
            inner = (inner[0],) * len(value)
        parts = [_converted(one, part) for one, part in zip(inner, value, strict=False)]
        return tuple(parts) if len(value) == len(inner) and None not in parts else None
    if kind is float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if kind is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    return value if type(value) is kind else None


def _kind(kind: Any) -> str:
    if isinstance(kind, types.UnionType):
        return " or ".join(_kind(one) for one in typing.get_args(kind) if one is not type(None))
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(json.dumps(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "a list of values"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}[kind]


def as_toml(cls: type, values: Any = None) -> str:
    """Return the settings of a dataclass as commented TOML, with their defaults or the values given."""
    lines = []
    for setting in settings_of(cls).values():
        if dataclasses.is_dataclass(setting.type):
            continue
        value = setting.default if values is None else getattr(values, setting.name)
        lines += [f"# {line}" for line in textwrap.wrap(setting.words, 96)]
        if value is None:
            lines.append(f"# {setting.name} =")
        else:
            lines.append(f"{setting.name} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """Return a value as TOML writes it; its strings and lists are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
