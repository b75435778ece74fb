"""doctor, bench, service and what the board says: on made-up boards and on this one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgedigits.board import board_name, governor, resident_megabytes, thermal
from edgedigits.doctor import examine
from edgedigits.live.config import LiveConfig
from edgedigits.outputs.settings import OutputSettings
from edgedigits.service import ServiceSettings, unit

COMMAND = [sys.executable, "-m", "edgedigits.cli"]


def run(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=90, check=False, **settings
    )


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_raspberry_pi(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
            "sys/class/thermal/thermal_zone0/temp": "61234\n",
            "sys/class/thermal/thermal_zone1/temp": "-274000\n",
            "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        },
    )
    assert board_name(tmp_path) == "Raspberry Pi 4 Model B Rev 1.4"
    now = thermal(tmp_path)
    assert now.temperature == pytest.approx(61.234)
    assert now.limits == ("undervoltage", "throttled")
    assert now.throttled is True
    assert governor(tmp_path) == "ondemand"


def test_a_board_that_says_nothing(tmp_path: Path) -> None:
    assert board_name(tmp_path)
    now = thermal(tmp_path)
    assert (now.temperature, now.limits, now.throttled) == (None, None, None)
    assert governor(tmp_path) == ""
    assert resident_megabytes() > 1


def test_doctor_finds_this_machine_well_enough_to_read(tmp_path: Path) -> None:
    done = run("doctor", "demo:", "--json", "--journal", tmp_path / "j.sqlite")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    grades = {(f["part"], f["grade"]) for f in report["findings"]}
    assert {("python", "good"), ("model", "good"), ("self-test", "good"), ("source", "good")} <= grades
    assert report["ok"] == (done.returncode == 0)


def test_doctor_takes_a_file_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = list(examine(LiveConfig(outputs=(OutputSettings(to="httplog.csv"),))))
    assert found[-1].part == "output"
    assert found[-1].grade == "good"


def test_doctor_says_what_to_do(tmp_path: Path) -> None:
    done = run("doctor", "/dev/video97", "--out", "mqtt://127.0.0.1:9/x", "--journal", tmp_path / "j.sqlite")
    assert done.returncode == 1
    assert done.stderr == ""
    bad = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert len(bad) == 2
    assert "no such camera" in bad[0]
    assert "plug it in" in bad[0]
    assert "output" in bad[1]


def test_bench_measures(tmp_path: Path) -> None:
    table = tmp_path / "boards.md"
    done = run("bench", "--frames", 20, "--json", "--row", table)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["frames"] == 20
    assert result["frames_per_second"] > 0
    assert set(result["milliseconds"]) == {"motion", "read", "track", "all"}
    assert all(0 < s["p50"] <= s["p99"] for s in result["milliseconds"].values())
    assert result["megabytes"] > 20
    head, rule, row = table.read_text().splitlines()
    assert head.count("|") == rule.count("|") == row.count("|")
    assert result["board"] in row


def test_the_unit_runs_what_is_asked_for() -> None:
    text = unit(ServiceSettings(config="/etc/my desk.toml", user="me", command="/opt/e/bin/edgedigits"))
    assert "ExecStart=/opt/e/bin/edgedigits live --wait --config '/etc/my desk.toml'\n" in text
    assert "User=me\n" in text
    assert "DynamicUser" not in text
    assert "WatchdogSec=60\n" in text
    assert " '/etc/50%% $$.toml'\n" in unit(ServiceSettings(config="/etc/50% $.toml"))
    assert "DynamicUser=yes\n" in unit()
    assert " serve --wait --config " in unit(ServiceSettings(serve=True))


def test_the_unit_is_printed_or_written(tmp_path: Path) -> None:
    printed = run("service", "install", "--config", tmp_path / "d.toml")
    assert (printed.returncode, printed.stderr) == (0, "")
    path = tmp_path / "edgedigits.service"
    done = run("service", "install", "--config", tmp_path / "d.toml", "--write", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == printed.stdout
    failed = run("service", "install", "--write", tmp_path / "none" / "x.service")
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "sudo" in failed.stderr


@pytest.mark.parametrize("given", [("--user", "me\nExecStartPre=/bin/x"), ("--config", "a\nb.toml")])
def test_what_a_unit_cant_name_is_refused(given: tuple[str, str]) -> None:
    done = run("service", "install", *given)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_systemd_agrees(tmp_path: Path) -> None:
    path = tmp_path / "edgedigits.service"
    path.write_text(unit())
    verified = subprocess.run(
        ["systemd-analyze", "verify", path], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rated.returncode == 0, rated.stdout[-300:]
