"""The OpenAPI description tells the truth: schemathesis asks for everything it describes, and for more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.drawing import paper, write
from tests.edge.serving import Served, ServeSettings, served

pytest.importorskip("schemathesis", reason="schemathesis is not installed")

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance"
)
# They wait for what is new; they have tests of their own.
STREAMS = ("/api/events/stream", "/api/view")


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    generous = {"rate": 1e5, "burst": 100_000, "reading_rate": 1e5, "reading_burst": 100_000}
    with served(ServeSettings(port=0, **generous), [write(paper(), "27", (40, 120))]) as running:
        running.loop.announce("27")
        yield running


def test_what_it_describes_is_what_it_does(server: Served, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
    command += [f"{server.url}/api/openapi.json", "--checks", CHECKS, "--max-examples", "6", "--seed", "1"]
    command += ["--phases", "coverage,fuzzing", "--no-color", "--generation-database", "none"]
    for path in STREAMS:
        command += ["--exclude-path", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Tested: 17" in done.stdout, done.stdout[-2000:]
    assert not any(status >= 500 for _, status in server.web.requests.answered)
    assert server.web.requests.answered.total() > 150
