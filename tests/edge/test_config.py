"""One configuration, checked at start, documented by its own words."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edgedigits.decode.prior import PriorSettings
from edgedigits.glyphs import GlyphSettings
from edgedigits.ink import InkSettings
from edgedigits.ink.shadows import ShadowSettings
from edgedigits.live.config import GeneralSettings, describe, load_config, tables
from edgedigits.outputs.settings import OutputSettings
from edgedigits.serve.settings import ServeSettings
from edgedigits.settings import SettingsError, build, settings_of
from edgedigits.sheet import SheetSettings
from edgedigits.ways.confirm import ConfirmSettings
from edgedigits.ways.strip_cutting import StripSettings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "device.toml"
    path.write_text(text)
    return path


def test_what_is_written_is_what_holds(tmp_path: Path) -> None:
    config = load_config(
        written(
            tmp_path,
            'source = "rtsp://camera/1"\nevery = 1\n[capture]\nrotate = 180\ncrop = [1, 2, 30, 40]\n'
            '[[output]]\nto = "a.jsonl"\n[[output]]\nto = "mqtt://b/d"\nuser = "me"\n[serve]\nport = 1\n',
        )
    )
    assert config.general.source == "rtsp://camera/1"
    assert config.general.every == 1.0
    assert config["capture"].rotate == 180
    assert config["capture"].crop == (1, 2, 30, 40)
    assert config["track"] == tables()["track"]()
    assert [o.to for o in config.outputs] == ["a.jsonl", "mqtt://b/d"]
    assert config.outputs[1].user == "me"
    assert config.serve == {"port": 1}


def test_changes_come_after_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[capture]\nrotate = 180\nwidth = 640\n")
    config = load_config(
        path, ["capture.rotate=90", "source=demo:", "motion.enabled=false", "log.level=error"]
    )
    assert (config["capture"].rotate, config["capture"].width) == (90, 640)
    assert config.general.source == "demo:"
    assert config["motion"].enabled is False
    assert config["log"].level == "error"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source = [", "not TOML"),
        ("sauce = '0'", "no setting 'sauce'"),
        ("[captures]\n", "no table [captures]"),
        ("[capture]\nrotation = 1", "no setting 'rotation'"),
        ("[capture]\nrotate = 45", "rotate is one of 0, 90, 180, 270"),
        ("[capture]\nwidth = 'wide'", "width is a whole number"),
        ("[capture]\nwidth = true", "width is a whole number"),
        ("[capture]\nwidth = 1e9", "width is a whole number"),
        ("[capture]\nwidth = 99999", "width lies in 0…20000, not 99999"),
        ("[capture]\ncrop = [1, 2]", "crop is a list"),
        ("[track]\nsteady_seconds = nan", "steady_seconds lies in"),
        ("capture = 3", "is a table"),
        ("[capture]\ncrop = [-10, 0, 50, 50]", "crop is x, y, width, height"),
        ("[capture]\ncrop = [0, 0, 100, 0]", "crop is x, y, width, height"),
        pytest.param(
            "[capture]\nwidth = 1" + "0" * 400, "not so large a number", id="a whole number too large"
        ),
        pytest.param("[capture]\nrate = 1" + "0" * 400, "not so large a number", id="a number too large"),
        pytest.param("every = 1" + "0" * 5000, "not TOML", id="a number of too many digits"),
        pytest.param("every = " + "[" * 5000, "not TOML", id="too deep"),
        ("[output]\nto = 'x'", "[[output]]"),
        ("[log]\nlevel = 'loud'", 'one of "debug"'),
    ],
)
def test_what_cant_be(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["capture.rotate", "none.x=1", "capture.none=1", "capture.width=x"])
def test_a_change_that_cant_be(change: str) -> None:
    with pytest.raises(SettingsError, match="--set"):
        load_config(None, [change])


def test_a_mark_of_the_byte_order_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    path.write_bytes(b"\xef\xbb\xbfevery = 2\n")
    assert load_config(path).general.every == 2.0


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="print-config"):
        load_config(tmp_path / "none.toml")


def test_all_of_it_is_printed_as_it_can_be_read(tmp_path: Path) -> None:
    text = describe()
    config = load_config(written(tmp_path, text))
    assert config.general == GeneralSettings()
    assert all(config[name] == cls() for name, cls in tables().items())
    values = tomllib.loads(text)
    assert set(values) == set(tables()) | set(settings_of(GeneralSettings))


def test_a_list_may_be_of_any_length() -> None:
    assert build(ServeSettings, {"names": ["a", "b", "c"]}, "file").names == ("a", "b", "c")
    assert build(ServeSettings, {"names": []}, "file").names == ()
    with pytest.raises(SettingsError, match="file: names is a list of values, not"):
        build(ServeSettings, {"names": ["a", 3]}, "file")


READER = (
    InkSettings,
    ShadowSettings,
    GlyphSettings,
    SheetSettings,
    StripSettings,
    PriorSettings,
    ConfirmSettings,
)
"""What a program may hand to a `Reader`."""


@pytest.mark.parametrize("cls", [GeneralSettings, OutputSettings, *tables().values(), *READER])
def test_every_setting_has_its_words_and_numbers_a_range(cls: type) -> None:
    for setting in settings_of(cls).values():
        assert setting.words, setting.name
        if setting.type in (int, float):
            assert setting.low is not None, setting.name
            assert setting.high is not None, setting.name
            assert setting.low <= setting.default <= setting.high
