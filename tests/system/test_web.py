"""The web face as a person meets it: the real command, and its pages in a headless Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.edge import pen
from tests.edge.drawing import paper
from tests.edge.serving import ServeSettings, served

import edgedigits
from edgedigits.cli import main
from edgedigits.frames.demo import World

pytest.importorskip("starlette", reason="the extra 'web' is not installed")

PACKAGE = Path(edgedigits.__file__).parent
SAMPLE = PACKAGE / "samples" / "1-black-pen.jpg"
SEED = 7
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = ("/", "/pad", "/picture", "/form")


@contextlib.contextmanager
def command(*arguments: object, **settings: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `edgedigits serve` on a free port; gives the process and the line that it prints when ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgedigits.cli", "serve", *map(str, arguments), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def address_in(line: str) -> str:
    match = re.match(r"edgedigits: (http://\S+?/)\S* \(Ctrl-C ends it\)$", line.strip())
    assert match is not None, line
    return match[1]


@pytest.fixture(scope="module")
def form_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("form") / "receipt.toml"


@pytest.fixture(scope="module")
def site(form_file: Path) -> Iterator[str]:
    # Six frames a second are plenty here, and leave the processor to the browser.
    with command(f"demo:{SEED}", "--form", form_file, "--set", "every=0.15") as (_, line):
        url = address_in(line)
        wait_until_well(url)
        yield url


def wait_until_well(url: str, token: str = "") -> None:
    """Wait until frames come; a page that asks before notes a 503 on the console."""
    asked = urllib.request.Request(f"{url}api/health", headers={"Authorization": f"Bearer {token}"})
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(asked).close()
            return
        except urllib.error.HTTPError:
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.fixture(scope="session")
def browser(needs: Callable[[str], None]) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    needs("" if chromium else "no Chromium; tests/system/setup.sh installs it")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


class Visit:
    """One browser window, which remembers what went wrong in it."""

    def __init__(self, browser: Any, site: str, **settings: Any) -> None:
        self.context = browser.new_context(base_url=site, **settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.wrong: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else 0
        )
        self.page.on("request", lambda request: self._note(request.url, site))

    def _note(self, url: str, site: str) -> None:
        if not url.startswith((site, "blob:")):
            self.foreign.append(url)

    def close(self) -> None:
        self.context.close()
        assert self.wrong == []
        assert self.foreign == []


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a window; in the end none may have seen an error, or asked elsewhere."""
    opened: list[Visit] = []

    def make(address: str = site, **settings: Any) -> Visit:
        opened.append(Visit(browser, address, **settings))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def write_strokes(page: Any, strokes: list[pen.Points]) -> None:
    """Play strokes on the pad with the mouse; they are in pixels of the pad."""
    box = page.locator("#pad").bounding_box()
    for stroke in strokes:
        # Every other point: each is a frame of the browser's.
        points = np.concatenate([stroke[:-1:2], stroke[-1:]]) + np.array([box["x"], box["y"]])
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def wait_for_text(page: Any, selector: str, wanted: str) -> None:
    page.wait_for_function(
        "([selector, wanted]) => document.querySelector(selector)?.innerText.trim() === wanted",
        arg=[selector, wanted],
    )


# --- the live view ------------------------------------------------------------------------------------


def test_the_live_view_shows_what_the_camera_shows(visit: Callable[..., Visit]) -> None:
    """The demo's sheets are known: their lines appear beside the picture, and as events below."""
    truth = [list(World(SEED).sheet(k).lines) for k in range(60)]
    page = visit().page
    page.goto("/")
    page.wait_for_function(
        "truth => { const seen = [...document.querySelectorAll('#lines .text')].map(e => e.textContent);"
        "return truth.some(lines => lines.every(line => seen.includes(line))); }",
        arg=truth,
        timeout=60_000,
    )
    page.wait_for_function(
        "truth => [...document.querySelectorAll('#events td.text')].some(e => truth.includes(e.textContent))",
        arg=["\n".join(lines) for lines in truth],
        timeout=60_000,
    )
    assert page.locator("#source").inner_text() == f"demo:{SEED}"
    assert page.locator("#status").inner_text() == "reading"
    # A frame in which nothing moves is not read, and has no stages.
    page.wait_for_function("() => document.getElementById('stages').innerText.includes('read')")
    # The picture is really there, and not one colour.
    shades = page.evaluate(
        "() => { const c = document.getElementById('view'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data;"
        "return new Set(d.filter((_, k) => k % 4000 === 1)).size; }"
    )
    assert shades > 10


def test_the_view_can_be_paused_and_events_are_announced(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.goto("/")
    page.locator("#stages dd").first.wait_for()
    assert page.locator("#announce").get_attribute("aria-live") == "polite"
    page.wait_for_function("() => document.getElementById('announce').textContent !== ''", timeout=60_000)
    page.click("#pause")
    assert page.locator("#pause").get_attribute("aria-pressed") == "true"
    asked: list[str] = []
    page.wait_for_timeout(600)
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1200)
    assert not [url for url in asked if "/api/view" in url]
    with page.expect_request("**/api/view*"):
        page.click("#pause")


# --- the pad ------------------------------------------------------------------------------------------


def test_a_page_left_open_shows_the_events_of_a_device_that_was_started_again(browser: Any) -> None:
    """Without a file for its events the device counts them from 1 again."""
    with served(ServeSettings(port=0, rate=1e5, burst=100_000), [paper()]) as server:
        visit = Visit(browser, server.url)
        for text in ("1", "2", "3"):
            server.loop.announce(text)
        visit.page.goto("/")
        visit.page.wait_for_function("() => document.querySelectorAll('#events td.text').length === 3")
        server.loop.begin_anew("other")
        server.loop.announce("4")
        wait_for_text(visit.page, "#events td.text", "4")
        visit.close()


@pytest.mark.parametrize("there", [0, 1])
def test_what_comes_before_the_stream_is_open_is_shown(browser: Any, there: int) -> None:
    """The page has the past events already, or none are there, and then its stream takes a while."""
    with served(ServeSettings(port=0, rate=1e5, burst=100_000), [paper()]) as server:
        visit = Visit(browser, server.url)
        for _ in range(there):
            server.loop.announce("1")

        def late(route: Any) -> None:
            time.sleep(0.5)  # what the page asks meanwhile is answered
            server.loop.announce("4")
            route.continue_()

        visit.page.route("**/api/events/stream", late)
        visit.page.goto("/")
        wait_for_text(visit.page, "#events td.text", "4")
        assert visit.page.locator("#events td.text").count() == there + 1
        visit.close()


def test_a_stream_that_breaks_off_goes_on_without_a_gap(browser: Any) -> None:
    """More come meanwhile than the page asks for at once."""
    with served(ServeSettings(port=0, rate=1e5, burst=100_000), [paper()]) as server:
        visit = Visit(browser, server.url)
        broken = []

        def breaks_off(route: Any) -> None:
            if broken:
                for number in range(1, 51):
                    server.loop.announce(str(number))
                route.continue_()
                return
            broken.append(True)
            server.loop.announce("0")
            event = server.loop.events[-1]
            body = f"retry: 200\n\nid: {event.sequence}\nevent: reading\ndata: {event.as_json()}\n\n"
            route.fulfill(status=200, headers={"content-type": "text/event-stream"}, body=body)

        visit.page.route("**/api/events/stream", breaks_off)
        visit.page.goto("/")
        wait_for_text(visit.page, "#events td.text", "50")
        visit.page.wait_for_function("() => document.querySelectorAll('#events td.text').length >= 51")
        texts = visit.page.locator("#events td.text").all_inner_texts()
        assert texts == [str(number) for number in range(50, -1, -1)]
        visit.close()


def test_the_pad_reads_what_is_written(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.goto("/pad")
    write_strokes(page, pen.number("40723", 90, seed=1, at=(40, 60)))
    wait_for_text(page, "#digits", "40723")
    assert re.match(r"\d+ % · 5 digits · [\d.]+ ms", page.locator("#side").inner_text())
    assert page.locator("#announce").text_content() == "4 0 7 2 3"
    write_strokes(page, pen.number("1", 90, seed=0, at=(40 + 5.3 * 90, 60)))
    wait_for_text(page, "#digits", "407231")
    page.click("#undo")
    wait_for_text(page, "#digits", "40723")
    page.click("#clear")
    wait_for_text(page, "#digits", "")
    assert page.locator("#undo").is_disabled()


def test_the_pad_reads_a_finger(visit: Callable[..., Visit]) -> None:
    one = visit(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True, device_scale_factor=2)
    one.page.goto("/pad")
    box = one.page.locator("#pad").bounding_box()
    touch = one.context.new_cdp_session(one.page)

    def send(kind: str, points: list[dict[str, float]]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for stroke in pen.number("62", 120, seed=3, at=(40, 80)):
        places = [{"x": x + box["x"], "y": y + box["y"]} for x, y in stroke]
        send("touchStart", places[:1])
        for place in places[1:]:
            send("touchMove", [place])
        send("touchEnd", [])
    wait_for_text(one.page, "#digits", "62")


def test_the_pad_by_keyboard_alone(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.goto("/pad")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "pad":
            break
    else:
        pytest.fail("the pad is not reached by Tab")
    page.keyboard.press("Space")
    for key, times in (("ArrowRight", 8), ("ArrowDown", 1)):
        for _ in range(times):
            page.keyboard.press(key)
    for _ in range(6):
        for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
            page.keyboard.press(key)
    page.keyboard.press("Space")
    wait_for_text(page, "#digits", "7")
    page.keyboard.press("Escape")
    wait_for_text(page, "#digits", "")


# --- pictures -----------------------------------------------------------------------------------------


def test_a_picture_is_read_and_a_bad_one_told(visit: Callable[..., Visit], tmp_path: Path) -> None:
    one = visit()
    one.page.goto("/picture")
    one.page.set_input_files("#file", SAMPLE)
    one.page.locator(".line .text").first.wait_for()
    assert one.page.locator(".line .text").count() == 3
    assert one.page.locator("#announce").text_content() == "3 lines read"
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    one.page.set_input_files("#file", tmp_path / "broken.png")
    one.page.wait_for_function(
        "() => document.getElementById('trouble').textContent.includes('broken.png: ')"
    )
    assert one.page.locator(".line").count() == 0
    # The browser itself remarks on the status.
    assert all("422" in said for said in one.wrong)
    one.wrong.clear()


# --- the form editor ----------------------------------------------------------------------------------


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the sheet, in fractions of it."""
    box = page.locator("#boxes").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=6)
    page.mouse.up()


def test_the_form_editor_round_trips(visit: Callable[..., Visit], form_file: Path) -> None:
    page = visit(viewport={"width": 1280, "height": 1400}).page
    page.goto("/form")
    page.locator("#save").wait_for()
    page.set_input_files("#file", SAMPLE)
    page.wait_for_function("() => document.getElementById('page').naturalWidth > 0")
    drag(page, (0.12, 0.16), (0.68, 0.36))
    page.fill("#name", "first")
    page.fill("#most", "8")
    drag(page, (0.12, 0.41), (0.68, 0.6))
    page.fill("#name", "second")
    page.fill("#most", "7")
    page.uncheck("#required")
    drag(page, (0.2, 0.5), (0.22, 0.52))  # moves the second by a fiftieth
    page.click("#try")
    page.wait_for_function("() => document.getElementById('state').textContent === '2 of 2 fields read'")
    assert re.search(r"first\s*455529", page.locator("#names").inner_text())
    page.click("#save")
    page.wait_for_function("() => document.getElementById('state').textContent === 'saved in receipt.toml'")
    values = tomllib.loads(form_file.read_text())
    assert values["page"] == {"find": "none", "unit": "fraction"}
    first, second = values["field"]
    assert (first["name"], first["digits"]) == ("first", [1, 8])
    assert (second["name"], second["required"]) == ("second", False)
    assert first["box"] == pytest.approx([0.12, 0.16, 0.56, 0.2], abs=0.01)
    assert second["box"] == pytest.approx([0.14, 0.43, 0.56, 0.19], abs=0.01)
    # Loaded again, it is the same; saved again, the file is the same to the letter.
    before = form_file.read_text()
    page.goto("/form")
    page.locator("#names button").nth(1).wait_for()
    assert page.locator("#names").inner_text().split() == ["first", "second"]
    page.locator("#names button").nth(1).click()
    assert page.input_value("#name") == "second"
    assert page.input_value("#most") == "7"
    assert not page.is_checked("#required")
    page.click("#save")
    page.wait_for_function("() => document.getElementById('state').textContent === 'saved in receipt.toml'")
    assert form_file.read_text() == before


def test_a_form_by_keyboard_alone(visit: Callable[..., Visit]) -> None:
    page = visit(viewport={"width": 1280, "height": 1400}).page
    page.goto("/form")
    page.locator("#save").wait_for()
    count = page.locator("#boxes rect.box").count()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "add":
            break
    else:
        pytest.fail("the button is not reached by Tab")
    page.keyboard.press("Enter")
    box = page.locator("#boxes rect.box").nth(count)
    assert page.evaluate("document.activeElement.getAttribute('class')").startswith("box")
    x, width = (float(box.get_attribute(name)) for name in ("x", "width"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert float(box.get_attribute("x")) == pytest.approx(x + 10)
    assert float(box.get_attribute("width")) == pytest.approx(width + 5)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "name"
    page.keyboard.press("Control+A")
    page.keyboard.type("by-key")
    assert "by-key" in page.locator("#names").inner_text()
    page.locator("#boxes rect.box").nth(count).focus()
    page.keyboard.press("Delete")
    assert page.locator("#boxes rect.box").count() == count


def test_a_form_file_is_opened_and_downloaded(visit: Callable[..., Visit], tmp_path: Path) -> None:
    page = visit(accept_downloads=True).page
    page.goto("/form")
    page.locator("#save").wait_for()
    example = PACKAGE / "forms" / "examples" / "sudoku.toml"
    page.set_input_files("#open", example)
    page.wait_for_function("() => document.getElementById('state').textContent.includes('sudoku.toml')")
    assert page.input_value("#find") == "frame"
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "again.toml")
    assert tomllib.loads((tmp_path / "again.toml").read_text()) == tomllib.loads(example.read_text())


# --- for everyone -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_has_a_name_and_text_stands_out(visit: Callable[..., Visit], scheme: str) -> None:
    """Names for screen readers; contrast of at least 4.5 (WCAG 2.2 AA) in both colour schemes."""
    page = visit(color_scheme=scheme).page
    for path in PAGES:
        page.goto(path)
        nameless = page.evaluate(
            "() => [...document.querySelectorAll('button, input, select, a, canvas, svg, img')].filter(e => "
            "!(e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim() || e.textContent.trim() || "
            "e.getAttribute('alt') !== null)).map(e => e.outerHTML)"
        )
        assert nameless == [], path
        assert page.locator("h1").count() == 1
        assert page.locator("main#main").count() == 1
        assert page.locator("nav a[aria-current=page]").count() == 1
    colours = page.evaluate(
        "() => Object.fromEntries(['paper', 'card', 'ink', 'soft', 'sure', 'on-sure', 'doubt', 'doubt-fill', "
        "'bad'].map(n => [n, getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim()]))"
    )
    for above, below in (
        ("ink", "card"), ("ink", "paper"), ("soft", "card"), ("soft", "paper"), ("sure", "card"),
        ("on-sure", "sure"), ("doubt", "card"), ("doubt", "doubt-fill"), ("bad", "card"),
    ):  # fmt: skip
        assert contrast(colours[above], colours[below]) >= 4.5, (scheme, above, below)


def contrast(a: str, b: str) -> float:
    """Return the contrast ratio of two colours (#rrggbb) as WCAG defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_pages_fit_a_phone(visit: Callable[..., Visit]) -> None:
    page = visit(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True).page
    for path in PAGES:
        page.goto(path)
        page.wait_for_timeout(200)
        wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= seen, path
        small = page.evaluate(
            "() => [...document.querySelectorAll('button, .button, nav a')].filter(e => e.offsetParent && "
            "e.getBoundingClientRect().height < 36).map(e => e.textContent)"
        )
        assert small == [], path


# --- others than localhost ----------------------------------------------------------------------------


def test_others_need_the_token(browser: Any) -> None:
    with command("demo:", "--host", "0.0.0.0") as (_, line):
        match = re.search(r":(\d+)/login#token=(\S+) ", line)
        assert match is not None, line
        site = f"http://127.0.0.1:{match[1]}/"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{site}api/page")
        asked = urllib.request.Request(
            f"{site}api/openapi.json", headers={"Authorization": f"Bearer {match[2]}"}
        )
        assert json.load(urllib.request.urlopen(asked))["openapi"].startswith("3.")
        wait_until_well(site, match[2])
        one = Visit(browser, site)
        one.page.goto("/pad")
        one.page.locator("#undo").wait_for()
        write_strokes(one.page, [np.array([[50.0, 50.0], [50, 150]])])
        one.page.wait_for_url("**/login?next=%2Fpad")
        one.page.fill("#token", "wrong-token-of-many-letters")
        one.page.keyboard.press("Enter")
        one.page.wait_for_function(
            "() => document.getElementById('trouble').textContent.includes('not the token')"
        )
        one.page.fill("#token", match[2])
        one.page.keyboard.press("Enter")
        one.page.wait_for_url("**/pad")
        write_strokes(one.page, pen.number("7", 120, at=(60, 60)))
        wait_for_text(one.page, "#digits", "7")
        # The printed address does it by itself, and leaves nothing of the token in the address.
        two = Visit(browser, site)
        two.page.goto(f"/login#token={match[2]}")
        two.page.wait_for_url(site)
        two.page.locator("#stages dd").first.wait_for()
        two.close()
        assert all("401" in said for said in one.wrong)
        one.wrong.clear()
        one.close()


# --- the command --------------------------------------------------------------------------------------


Refused = Callable[..., str]


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Refused:
    """Return a function that runs the command, which is to fail, and gives the one line that it says."""

    def run(*arguments: object) -> str:
        assert main(["serve", *map(str, arguments)]) == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        assert err.startswith("edgedigits: "), err
        return err

    return run


def test_a_port_in_use(refused: Refused) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused("demo:", "--port", port)
    assert line.startswith(f"edgedigits: 127.0.0.1:{port}: the port is in use; ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no-such-video.mp4",), "no-such-video.mp4: no such file"),
        (("demo:", "--host", "203.0.113.7"), "203.0.113.7:0: not an address of this machine"),
        (("demo:", "--host", "no.such.name.invalid"), "no.such.name.invalid: no such address"),
        (("demo:", "--token-file", "no-such-file"), "no-such-file: can't read the token"),
        (
            ("demo:", "--form", "no-such-folder/form.toml"),
            "no-such-folder/form.toml: its folder is not there",
        ),
        (("demo:", "--model", "no-such-model"), "no-such-model: no shipped model"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(
    refused: Refused, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused(*arguments, "--port", 0)


def test_tokens_that_are_none(refused: Refused, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("short\n")
    token.chmod(0o600)
    assert "16 or more" in refused("demo:", "--port", 0, "--token-file", token)
    token.write_text("long-enough-to-be-a-token\n")
    token.chmod(0o644)
    assert "chmod 600" in refused("demo:", "--port", 0, "--token-file", token)
    config = tmp_path / "edgedigits.toml"
    config.write_text('source = "demo:"\n[serve]\ntoken = "long-enough-to-be-a-token"\n')
    assert "token_file" in refused("--config", config)
    config.write_text('source = "demo:"\n[serve]\nprot = 8000\n')
    assert "[serve]: no setting 'prot'" in refused("--config", config)


def test_without_the_extra(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert "pip install starlette uvicorn" in refused("demo:")


def test_every_setting_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--print-config"]) == 0
    values = tomllib.loads(capsys.readouterr().out)
    assert values["serve"]["port"] == 8000
    assert values["serve"]["host"] == "127.0.0.1"
    assert "token" not in values["serve"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_two_seconds_whoever_is_watching(number: signal.Signals) -> None:
    with command("demo:") as (process, line):
        url = address_in(line)
        with urllib.request.urlopen(f"{url}api/events/stream"):
            started = time.monotonic()
            process.send_signal(number)
            assert process.wait(30) == 0
        took = time.monotonic() - started
        # Two seconds on a machine that has time for it; a crowded one needs its multiple.
        assert took < 2 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_configuration_is_read_again(tmp_path: Path) -> None:
    config = tmp_path / "edgedigits.toml"
    config.write_text('source = "demo:1"\n')
    with command("--config", config) as (process, line):
        url = address_in(line)

        def source() -> object:
            try:
                return json.load(urllib.request.urlopen(f"{url}api/health"))["source"]
            except urllib.error.HTTPError as error:  # 503 until the first frame has come
                return json.load(error)["source"]

        def wait_for(name: str) -> None:
            until = time.monotonic() + 30
            while source() != name:
                assert time.monotonic() < until
                time.sleep(0.1)

        wait_for("demo:1")
        config.write_text('source = "demo:2"\n')
        os.kill(process.pid, signal.SIGHUP)
        wait_for("demo:2")
        # What is well-formed and still can't be had must not stop the device.
        config.write_text('source = "demo:3"\nmodel = "nonsense"\n')
        os.kill(process.pid, signal.SIGHUP)
        assert process.stderr is not None
        assert "nonsense" in (said := process.stderr.readline())
        assert "former settings stay" in said
        wait_for("demo:2")
        config.write_text('source = "demo:4"\n')
        os.kill(process.pid, signal.SIGHUP)
        wait_for("demo:4")


def test_the_static_files_are_in_the_wheel(edge_wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(edge_wheel).namelist() if "/serve/static/" in name}
    here = {f"edgedigits/serve/static/{path.name}" for path in (PACKAGE / "serve" / "static").iterdir()}
    assert inside == here
    assert len(here) > 10
