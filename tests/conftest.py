"""What all tests share: the data folder setting.

Tests that need a data set ask for it by name (`data_set("mnist")`). It is looked for under the folder
that the environment variable EDGEDIGITS_DATA names. MNIST, which the main job needs, is fetched where it is
not there, as the trainer fetches it. Any other set that is not there skips the test with its name, and the
sets that were missed are counted at the end; with --require-data a missing set is a failure. In the same way
--require-system makes a failure of a skip for want of what `tests/system/setup.sh` installs.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

SETUP = "tests/system/setup.sh"
"""What a test names that skips for want of a program or an emulated board; --require-system looks for it."""

_missed: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-data", action="store_true", help="fail, rather than skip, where a data set is missing"
    )
    parser.addoption(
        "--require-system",
        action="store_true",
        help=f"fail, rather than skip, where a program or an emulated board is missing that {SETUP} installs",
    )


@pytest.fixture(scope="session")
def data_set(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Return a function from a data set's name to its folder."""

    def find(name: str) -> Path:
        setting = os.environ.get("EDGEDIGITS_DATA")
        folder = Path(setting) / name if setting else None
        if folder is not None and folder.is_dir():
            return folder
        if name == "mnist" and not setting:
            return fetched_mnist()
        where = f"not in EDGEDIGITS_DATA={setting}" if setting else "EDGEDIGITS_DATA is not set"
        message = f"data set '{name}' is missing ({where}); set it to the folder that holds {name}/"
        if request.config.getoption("--require-data"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)

    return find


@functools.cache
def fetched_mnist() -> Path:
    """Return the folder of MNIST in the user's cache, fetching what is missing; fails where that can't be."""
    from edgedigits_train import fetch
    from edgedigits_train.data import DataError

    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = (Path(base) if base else Path.home() / ".cache") / "edgedigits" / "mnist"
    try:
        fetch.mnist(cache)
    except DataError as error:
        pytest.fail(str(error), pytrace=False)
    return cache


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    skipped = report.skipped and isinstance(report.longrepr, tuple)
    if skipped and SETUP in str(report.longrepr) and item.config.getoption("--require-system"):
        assert isinstance(report.longrepr, tuple)
        report.outcome, report.longrepr = "failed", report.longrepr[2]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple) and "data set '" in report.longrepr[2]:
        name = report.longrepr[2].split("data set '")[1].split("'")[0]
        _missed[name] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _missed:
        counts = ", ".join(f"{name}: {count}" for name, count in sorted(_missed.items()))
        terminalreporter.write_line(f"tests skipped for want of a data set: {counts}", yellow=True)
