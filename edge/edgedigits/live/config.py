"""The one configuration of an unattended device: a TOML file with a table for each of its parts.

    source = "rtsp://camera/1"

    [capture]
    rotate = 180

    [[output]]
    to = "mqtts://broker.local/edgedigits"

`edgedigits live --print-config` writes all of it with its defaults and what each key means.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgedigits.outputs.settings import OutputSettings
from edgedigits.settings import SettingsError, as_toml, build, check, settings_of

Table = Mapping[str, Any]


@dataclass(frozen=True)
class LogSettings:
    """What is said on standard error."""

    format: Literal["text", "json"] = "text"
    """"text" for people, "json" for programs (an object a line)."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """How much: "debug", "info", "warning" or "error"."""


@dataclass(frozen=True)
class GeneralSettings:
    """What stands at the top of the file."""

    source: str = ""
    """What is read: 0, /dev/video0, picamera2:, rtsp://…, http://…, a video file, watch:DIR, demo:."""
    name: str = ""
    """What events call the source; empty: the source as it is given, without password."""
    model: str = ""
    """Name of a shipped model or path of a .tflite file; empty: the default one."""
    delegate: str = ""
    """Accelerator that runs the network: edgetpu, or a TFLite delegate's shared library; empty: the CPU."""
    way: Literal["", "auto", "glyph", "strip"] = ""
    """How lines are read: glyph by glyph, each as one strip, or as it suits the line; empty: auto."""
    strip_model: str = ""
    """Model for the strip way, as for `model`."""
    max_strips: int = 8
    """On the way auto, at most so many lines of a frame, the largest, are read as strips. 1…1,000."""
    max_error: float = 0.0
    """Lines are accepted as the models promise at most this share of them to be wrong; 0: by confidence
    alone. 0…0.5."""
    min_confidence: float = -1.0
    """Lines are accepted from this confidence on, or as `max_error` says where that is stricter; negative:
    what the model says. -1…1."""
    every: float = 0.0
    """A frame is looked at at most so often; 0: each one. Seconds, 0…86,400."""


@dataclass(frozen=True)
class LiveConfig:
    """All of it. `serve` is the web face's own table, which it checks itself."""

    general: GeneralSettings = GeneralSettings()
    tables: Mapping[str, Any] = field(default_factory=dict)
    """The settings of each other table, by its name (see `tables`)."""
    outputs: tuple[OutputSettings, ...] = ()
    serve: Table = field(default_factory=dict)

    def __getitem__(self, table: str) -> Any:
        """Return the settings of a table, such as `config["capture"]`."""
        return self.tables[table] if table in self.tables else tables()[table]()


def tables() -> dict[str, type]:
    """Return the settings class of each table."""
    # Imported when asked for: most of these bring OpenCV along, and `edgedigits --help` need not wait for it.
    from edgedigits.frames.capture import CaptureSettings
    from edgedigits.journal import JournalSettings
    from edgedigits.live import HealthSettings
    from edgedigits.live.delivery import DeliverySettings
    from edgedigits.live.motion import MotionSettings
    from edgedigits.live.pictures import PictureSettings
    from edgedigits.track import TrackSettings

    return {
        "capture": CaptureSettings,
        "motion": MotionSettings,
        "track": TrackSettings,
        "journal": JournalSettings,
        "delivery": DeliverySettings,
        "pictures": PictureSettings,
        "health": HealthSettings,
        "log": LogSettings,
    }


def load_config(path: str | os.PathLike[str] | None, changes: Sequence[str] = ()) -> LiveConfig:
    """Read a configuration file, apply `changes` ("table.key=value", "key=value"), and check all of it.

    Raises `SettingsError` where the file can't be read, is not TOML, or says what can't be.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(Path(path).read_text("utf-8-sig"))
        except OSError as error:
            raise SettingsError(
                f"{path}: can't read the configuration ({error.strerror}); "
                "make one with edgedigits live --print-config"
            ) from error
        except (ValueError, RecursionError) as error:  # text that is no TOML, numbers that Python refuses
            raise SettingsError(f"{path}: not TOML ({error}); mend it") from error
    config = _checked(values, str(path or "configuration"))
    for change in changes:
        config = _changed(config, change)
    return config


def _checked(values: Table, where: str) -> LiveConfig:
    known = tables()
    general: dict[str, Any] = {}
    found: dict[str, Any] = {}
    outputs: tuple[OutputSettings, ...] = ()
    serve: Table = {}
    for key, value in values.items():
        if key == "output":
            if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
                raise SettingsError(f"{where}: outputs are written as [[output]], with a 'to' each")
            outputs = tuple(build(OutputSettings, one, f"{where}: [[output]]") for one in value)
        elif key == "serve":
            serve = value
        elif key in known:
            if not isinstance(value, dict):
                raise SettingsError(f"{where}: '{key}' is a table; write [{key}] and its keys below")
            found[key] = build(known[key], value, f"{where}: [{key}]")
        elif isinstance(value, dict):
            raise SettingsError(
                f"{where}: no table [{key}]; there are {', '.join(known)}, serve and [[output]]"
            )
        else:
            general[key] = value
    return LiveConfig(build(GeneralSettings, general, where), found, outputs, serve)


def _changed(config: LiveConfig, change: str) -> LiveConfig:
    key, equals, text = change.partition("=")
    table, dot, name = key.strip().rpartition(".")
    if not equals:
        raise SettingsError(f"--set {change}: write KEY=VALUE, as in --set capture.rotate=180")
    cls = GeneralSettings if not dot else tables().get(table)
    if cls is None:
        raise SettingsError(f"--set {change}: no table '{table}'; there are {', '.join(tables())}")
    setting = settings_of(cls).get(name)
    if setting is None:
        raise SettingsError(f"--set {change}: no setting '{name}'; there are {', '.join(settings_of(cls))}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a text without quotes, as a shell leaves it
    checked = check(setting, value, f"--set {change}")
    try:
        if not dot:
            return dataclasses.replace(config, general=dataclasses.replace(config.general, **{name: checked}))
        changed = dataclasses.replace(config[table], **{name: checked})
    except ValueError as error:
        raise SettingsError(f"--set {change}: {error}") from error
    return dataclasses.replace(config, tables={**config.tables, table: changed})


def describe() -> str:
    """Return the whole configuration as commented TOML with its defaults."""
    parts = [as_toml(GeneralSettings)]
    for name, cls in tables().items():
        parts.append(f"# {(cls.__doc__ or '').splitlines()[0]}\n[{name}]\n{as_toml(cls)}")
    output = "".join(f"# {line}\n" for line in as_toml(OutputSettings).splitlines())
    parts.append(f"# Any number of outputs, each under a heading of its own:\n# [[output]]\n{output}")
    return "\n".join(parts)
