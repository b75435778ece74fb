"""What several of the device's tests read with: loaded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.edge.form_pages import Pens

from edgedigits.reader import Reader


@pytest.fixture(scope="session")
def reader() -> Reader:
    """Return a reader as it is by default; no test changes it."""
    return Reader()


@pytest.fixture(scope="session")
def pens(data_set: Callable[[str], Path]) -> Pens:
    """Return what fills in forms by hand."""
    return Pens(data_set("mnist"))
