"""The form editor's interface: one file, never another; what it writes is a form."""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write
from tests.edge.serving import ServeSettings, served

from edgedigits.errors import FormError
from edgedigits.files import write_atomically
from edgedigits.forms.form_file import EXAMPLES, load_form, parse_form
from edgedigits.serve.fields import PAGE_SIDE, form_file, is_bounded, toml_of
from edgedigits.serve.settings import ServeError

httpx = pytest.importorskip("httpx", reason="httpx is not installed")

GENEROUS = {"rate": 1e5, "burst": 100_000, "reading_rate": 1e5, "reading_burst": 100_000}

FORM: dict[str, Any] = {
    "name": "receipt",
    "page": {"find": "none", "unit": "fraction"},
    "field": [
        {"name": "number", "box": [0.02, 0.1, 0.5, 0.4], "digits": [2, 6]},
        {"name": "total", "box": [0.02, 0.52, 0.5, 0.4], "digits": 3, "required": False, "range": [0, 500]},
    ],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "receipt.toml"


@pytest.fixture
def client(file: Path) -> Iterator[httpx.Client]:
    with (
        served(ServeSettings(port=0, **GENEROUS), [sheet()], form=file) as server,
        httpx.Client(base_url=server.url, timeout=20, trust_env=False) as made,
    ):
        yield made


def sheet() -> NDArray[np.uint8]:
    return write(write(paper(), "2746", (40, 90)), "138", (40, 190))


def test_a_form_is_saved_and_loaded(client: httpx.Client, file: Path) -> None:
    empty = client.get("/api/form").json()
    assert empty == {"form": None, "file": "receipt.toml", "revision": None}
    saved = client.put("/api/form", json={"form": FORM, "revision": None})
    assert saved.status_code == 200
    assert tomllib.loads(file.read_text()) == FORM
    assert [field.name for field in load_form(file).fields] == ["number", "total"]
    loaded = client.get("/api/form").json()
    assert loaded["form"] == FORM
    assert loaded["revision"] == saved.json()["revision"]
    assert [p.name for p in file.parent.iterdir()] == ["receipt.toml"]


def test_what_someone_else_changed_is_not_overwritten(client: httpx.Client, file: Path) -> None:
    revision = client.put("/api/form", json={"form": FORM, "revision": None}).json()["revision"]
    file.write_text(file.read_text().replace("receipt", "bill"))
    answer = client.put("/api/form", json={"form": FORM, "revision": revision})
    assert answer.status_code == 409
    assert "load it again" in answer.json()["error"]
    assert "bill" in file.read_text()


def test_the_comment_at_the_top_stays(client: httpx.Client, file: Path) -> None:
    file.write_text("# Counted by hand.\n# Ask Ada.\n\n" + toml_of(FORM))
    revision = client.get("/api/form").json()["revision"]
    changed = {**FORM, "name": "other"}
    assert client.put("/api/form", json={"form": changed, "revision": revision}).status_code == 200
    assert file.read_text().startswith("# Counted by hand.\n# Ask Ada.\n\nname = ")
    assert tomllib.loads(file.read_text()) == changed


def test_no_form_is_refused_in_one_line(client: httpx.Client, file: Path) -> None:
    overlap = {**FORM, "field": [{**field, "box": [0, 0, 1, 1]} for field in FORM["field"]]}
    for form, word in (
        (overlap, "overlap"),
        ({**FORM, "field": []}, "no field"),
        ({**FORM, "page": {"find": "luck"}}, "luck"),
        ({"page": 3}, "page"),
        ([], "object"),
    ):
        answer = client.put("/api/form", json={"form": form, "revision": None})
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert word in error
        assert "\n" not in error
        assert not error.startswith("form:")
    assert not file.exists()


def test_without_a_file_there_is_none_to_write() -> None:
    with (
        served(ServeSettings(port=0, **GENEROUS)) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        assert client.get("/api/form").json()["file"] is None
        assert client.put("/api/form", json={"form": FORM, "revision": None}).status_code == 409
        text = client.post("/api/form/text", json=FORM).text
        assert tomllib.loads(text) == FORM
        parsed = client.post("/api/form/parse", content=text.encode(), headers={"Content-Type": "text/plain"})
        assert parsed.json()["form"] == FORM


def test_a_body_may_come_in_chunks(client: httpx.Client) -> None:
    text = client.post("/api/form/text", json=FORM).content
    answer = client.post("/api/form/parse", content=iter([text[:9], text[9:]]))
    assert answer.status_code == 200
    assert answer.json()["form"] == FORM


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_forms_survive_a_round_trip(client: httpx.Client, example: Path) -> None:
    values = tomllib.loads(example.read_text())
    parsed = client.post("/api/form/parse", content=example.read_bytes()).json()["form"]
    text = client.post("/api/form/text", json=parsed).text
    assert tomllib.loads(text) == values
    assert parse_form(text, "again", example.parent) is not None


def test_the_fields_are_read_in_a_kept_picture(client: httpx.Client) -> None:
    kept = client.post("/api/pictures", params={"from": "live"}).json()["id"]
    answer = client.post("/api/form/read", params={"picture": kept}, json=FORM)
    assert answer.status_code == 200
    values = {field["name"]: field["value"] for field in answer.json()["fields"]}
    assert values == {"number": "2746", "total": "138"}
    missing = client.post("/api/form/read", params={"picture": "x"}, json=FORM)
    assert missing.status_code == 404


def test_the_page_is_found_and_flattened(client: httpx.Client) -> None:
    """A sheet laid askew on a dark desk: what comes back is the sheet alone, upright."""
    desk = np.full((480, 640, 3), 40, np.uint8)
    corners = np.array([[120, 80], [540, 110], [520, 400], [100, 370]], np.float32)
    flat = cv2.resize(sheet(), (420, 290))
    source = np.array([[0, 0], [420, 0], [420, 290], [0, 290]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners)
    picture = cv2.warpPerspective(flat, matrix, (640, 480), dst=desk, borderMode=cv2.BORDER_TRANSPARENT)
    data = bytes(cv2.imencode(".png", picture)[1])
    kept = client.post("/api/pictures", content=data, headers={"Content-Type": "image/png"}).json()["id"]
    form = {"page": {"find": "sheet", "size": [210, 145]}}
    answer = client.post("/api/form/page", params={"picture": kept}, json=form)
    assert answer.headers["content-type"] == "image/jpeg"
    page = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_GRAYSCALE)
    height, width = page.shape
    assert width / height == pytest.approx(210 / 145, rel=0.02)
    assert width == PAGE_SIDE
    for y, x in ((10, 10), (10, -10), (-10, 10), (-10, -10)):
        assert page[y, x] > 180


def test_a_page_that_is_not_found_is_told(client: httpx.Client) -> None:
    blank = bytes(cv2.imencode(".png", np.full((480, 640), 90, np.uint8))[1])
    kept = client.post("/api/pictures", content=blank, headers={"Content-Type": "image/png"}).json()["id"]
    form = {"page": {"find": "frame", "size": [210, 145]}}
    answer = client.post("/api/form/page", params={"picture": kept}, json=form)
    assert answer.status_code == 422
    assert "no printed frame found" in answer.json()["error"]


# --- what a request may not do ------------------------------------------------------------------------


def test_a_request_names_no_picture(client: httpx.Client, file: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), sheet())
    page = {"find": "reference", "size": [640, 240], "picture": "blank.png"}
    form = {"page": page, "field": [{"name": "a", "box": [0, 0, 64, 24], "digits": 1}]}
    for picture in ("blank.png", "/etc/passwd", "../secret.png"):
        answer = client.post("/api/form/text", json={**form, "page": {**page, "picture": picture}})
        assert answer.status_code == 422
        # The same words whether or not there is such a file.
        assert answer.json()["error"] == "a reference picture is named in the form file itself, not here"
    file.write_text(toml_of(form))
    assert client.post("/api/form/text", json=form).status_code == 200


def test_a_request_cannot_keep_the_processor_busy(client: httpx.Client) -> None:
    kept = client.post("/api/pictures", params={"from": "live"}).json()["id"]
    field = {"name": "a", "box": [0, 0, 1, 1], "digits": [1, 40]}
    for pattern in ("(0*)*1", "(a|a)*b", r"\d*\d*\d*\d*\d*x", "(?:2|27|274)+5"):
        form = {"page": {"find": "none", "unit": "fraction"}, "field": [{**field, "pattern": pattern}]}
        started = time.monotonic()
        answer = client.post("/api/form/read", params={"picture": kept}, json=form)
        assert answer.status_code == 422
        assert "simple" in answer.json()["error"]
        assert time.monotonic() - started < 1


def test_a_client_that_asks_too_much_is_told_to_wait(file: Path) -> None:
    settings = ServeSettings(port=0, **GENEROUS | {"reading_rate": 0.01, "reading_burst": 2})
    with (
        served(settings, form=file) as server,
        httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client,
    ):
        paths = ("/api/form/page", "/api/form/read", "/api/form/page", "/api/form/read")
        answers = [client.post(path, params={"picture": "x"}, json=FORM) for path in paths]
    assert [answer.status_code for answer in answers] == [404, 404, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 10


def test_nobody_waits_for_another_ones_form(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        begun.set()
        go_on.wait(60)
        return parse_form(*arguments)

    monkeypatch.setattr("edgedigits.serve.fields.parse_form", slow)
    with ThreadPoolExecutor(2) as others:
        answers = [others.submit(client.post, "/api/form/text", json=FORM) for _ in range(2)]
        try:
            assert begun.wait(30)
            assert client.get("/api/health").status_code == 200
        finally:
            go_on.set()
        assert [answer.result().status_code for answer in answers] == [200, 200]


def test_of_two_who_save_at_a_time_one_is_told(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(path: Path, data: bytes) -> None:
        time.sleep(0.3)
        write_atomically(path, data)

    monkeypatch.setattr("edgedigits.serve.fields.write_atomically", slow)
    forms = [{**FORM, "name": name} for name in ("one", "two")]
    with ThreadPoolExecutor(2) as both:
        answers = list(
            both.map(lambda form: client.put("/api/form", json={"form": form, "revision": None}), forms)
        )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    saved = forms[[answer.status_code for answer in answers].index(200)]
    assert client.get("/api/form").json()["form"] == saved


def test_a_file_that_was_spoilt_by_hand_is_told_of(client: httpx.Client, file: Path) -> None:
    file.write_text("[page\n")
    answer = client.get("/api/form")
    assert answer.status_code == 409
    assert "receipt.toml is not valid TOML" in answer.json()["error"]


@pytest.mark.parametrize(
    ("pattern", "good"),
    [
        (r"\d{5}", True),
        ("[1-9][0-9]*", True),
        ("20[0-9]{2}-?[01][0-9]", True),
        (r"\d+\.\d{2}", True),
        ("", True),
        (r"\d*\d*\d*\d*", False),
        ("(1+)+", False),
        ("1|2", False),
        (r"(\d)\1", False),
        ("[^1]", False),
        (".*.*.*.*x", False),
        ("1**", False),
        ("[0-9", False),
        ("1" * 200, True),
        ("1" * 201, False),
    ],
)
def test_patterns_are_bounded(pattern: str, good: bool) -> None:
    assert is_bounded(pattern) is good


def test_toml_is_what_was_meant() -> None:
    values = {
        "name": 'a "quoted" \\ name\n',
        "page": {"find": "aruco", "size": [148.5, 105], "marks": {"0": [1, 2.25, 12], "10": [3, 4, 12]}},
        "field": [{"name": "ä", "box": [0.1, 1e-3, 20, 3], "required": False, "range": [0, 9.5]}],
        "grid": [{"name": "{row}{column}", "rows": 2}],
    }
    assert tomllib.loads(toml_of(values)) == values
    headings = [line for line in toml_of(values).splitlines() if line.startswith("[")]
    assert headings == ["[page]", "[[field]]", "[[grid]]"]
    for bad in ({"a": None}, {"a": 2**70}, {"a": "\ud800"}, {"a": "\udfff"}, {"a": [[[[[[1]]]]]]}):
        with pytest.raises(ValueError):
            toml_of(bad)


def test_what_is_no_form_file_is_refused_at_the_start(tmp_path: Path) -> None:
    assert form_file("") is None
    assert form_file(str(tmp_path / "new.toml")) == tmp_path / "new.toml"
    for name in (tmp_path, tmp_path / "form.txt", tmp_path / "nowhere" / "form.toml"):
        with pytest.raises(ServeError):
            form_file(str(name))
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    with pytest.raises(FormError), served(ServeSettings(port=0), form=broken):
        pass
