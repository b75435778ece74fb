"""How edgedigits reads beside what else one could take: Tesseract 5, RapidOCR 3 and what tutorials do.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_peers.py [--part tune|devtest] [--every N]
        [--model NAME|FILE] [--ways glyph strip auto] [--peers NAME …] [--kinds strips pages] [--json FILE]

The cheque amounts (strips) and the photographed pages, each picture through every peer in turn, so that other
load on the machine meets all alike; one thread each, the picture in memory, models loaded. Each peer is a
process of its own for each kind; RapidOCR has an environment of its own, made on the first run in the user's
cache (`--cache DIR`) from the package registry; Tesseract is Debian's (`tesseract-ocr`), installed with apt
where this is run as root.

What is not a digit is struck from what a peer reads. Exact: strips or lines without an error. CER: the
Levenshtein distance over the true length; a page's lines are matched with the true ones, in order, so that it
is least. `at 1 %`: the share that can be accepted, ranked by the peer's own confidence, while at most 1 % of
the accepted ones are wrong. ms: the median of the better of two calls; CPU ms: the same in processor time.
MB: the peak resident set of the whole process. Tesseract's row is that of its best page segmentation mode on
the very pictures it is measured on.
"""

from __future__ import annotations

import argparse
import csv
import ctypes.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

HERE = Path(__file__).parent
RAPIDOCR = ("rapidocr==3.10.0", "onnxruntime")
MOST_WRONG = 0.01
TESSERACT_MODES = {"strips": (7, 8, 13), "pages": (3, 4, 6, 11)}
PEERS = ("edgedigits", "plain", "tesseract", "rapidocr")
ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass
class Peer:
    """A peer that reads one kind of picture in its own process, and what came of it."""

    name: str
    command: list[str]
    process: subprocess.Popen[str] | None = None
    version: str = ""
    rows: list[tuple[list[tuple[str, float]], list[str]]] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | ONE_THREAD,
        )
        self.version = self._answer()["version"]

    def read(self, picture: Path, kind: str, true: list[str], keep: bool = True) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        print(json.dumps({"picture": str(picture), "kind": kind}), file=self.process.stdin, flush=True)
        answer = self._answer()
        if not keep:
            return
        lines = [("".join(c for c in text if c in "0123456789"), p) for text, p in answer["lines"]]
        self.rows.append(([line for line in lines if line[0]], true))
        self.ms.append(answer["ms"])
        self.cpu_ms.append(answer["cpu_ms"])
        self.megabytes = answer["megabytes"]

    def _answer(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended; run it by hand: {' '.join(self.command)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        if self.process is not None:
            self.process.communicate()


def matched(read: list[tuple[str, float]], true: list[str]) -> list[tuple[str, float, str]]:
    """Match lines read with true ones, in order, at the least distance: (text, confidence, true) each.

    What has no partner stands beside an empty text.
    """
    n, m = len(read), len(true)
    cost = np.zeros((n + 1, m + 1), np.int64)
    cost[:, 0] = np.cumsum([0] + [len(text) for text, _ in read])
    cost[0, :] = np.cumsum([0] + [len(text) for text in true])
    between = [[Levenshtein.distance(text, wanted) for wanted in true] for text, _ in read]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost[i, j] = min(
                cost[i - 1, j - 1] + between[i - 1][j - 1],
                cost[i - 1, j] + len(read[i - 1][0]),
                cost[i, j - 1] + len(true[j - 1]),
            )
    pairs = []
    i, j = n, m
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + between[i - 1][j - 1]:
            i, j = i - 1, j - 1
            pairs.append((*read[i], true[j]))
        elif i and cost[i, j] == cost[i - 1, j] + len(read[i - 1][0]):
            i -= 1
            pairs.append((*read[i], ""))
        else:
            j -= 1
            pairs.append(("", 0.0, true[j]))
    return pairs[::-1]


def accepted(rows: list[tuple[float, bool]], total: int) -> float:
    """Return the share of `total` lines that a threshold can accept with at most `MOST_WRONG` of them wrong.

    Lines of one confidence are accepted together or not at all.
    """
    best = wrong = 0
    ranked = sorted(rows, key=lambda row: -row[0])
    for count, (confidence, right) in enumerate(ranked, 1):
        wrong += not right
        last = count == len(ranked) or ranked[count][0] < confidence
        if last and wrong <= MOST_WRONG * count:
            best = count
    return best / total


def figures(peer: Peer, kind: str) -> dict[str, Any]:
    """Return what is said of a peer."""
    exact = errors = characters = total = 0
    ranked: list[tuple[float, bool]] = []
    for read, true in peer.rows:
        if kind == "strips":  # one field: all that was read of it, in order
            read = [("".join(text for text, _ in read), min((p for _, p in read), default=0.0))]
        for text, confidence, wanted in matched(read, true):
            exact += bool(wanted) and text == wanted
            total += bool(wanted)
            errors += Levenshtein.distance(text, wanted)
            characters += len(wanted)
            if text:
                ranked.append((confidence, text == wanted))
    return {
        "peer": peer.name,
        "version": peer.version,
        "lines": total,
        "exact": exact / total,
        "cer": errors / characters,
        "accepted_at_1_percent": accepted(ranked, total),
        "ms": float(np.median(peer.ms)),
        "cpu_ms": float(np.median(peer.cpu_ms)),
        "megabytes": peer.megabytes,
    }


def pictures(folder: Path, part: str, every: int) -> list[tuple[Path, list[str]]]:
    """Return the pictures of a set with their true lines, every so many of a part."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("part", part) == part]
    return [(folder / "images" / row["file"], row["text"].split("\n")) for row in rows[::every]]


def rapidocr_python(cache: Path) -> str:
    """Return the interpreter of RapidOCR's environment, made where it is not there."""
    home = cache / RAPIDOCR[0].replace("==", "-")
    python = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists():
        print(f"making an environment for {RAPIDOCR[0]} in {home} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *RAPIDOCR], check=True)
        ready.touch()
    return str(python)


def tesseract_library() -> str | None:
    """Return Tesseract's shared library; None where it is not there and can't be installed."""
    if shutil.which("tesseract") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", "tesseract-ocr"], stdout=sys.stderr, check=False)
    return ctypes.util.find_library("tesseract")


def peers_for(kind: str, options: argparse.Namespace) -> list[Peer]:
    """Return the peers asked for."""
    us = [sys.executable, str(HERE / "peer_edgedigits.py"), options.model]
    peers = []
    if "edgedigits" in options.peers:
        peers += [Peer(f"edgedigits, {way}", [*us, way]) for way in options.ways]
        if not options.ways:
            peers.append(Peer("edgedigits", us))
    if "plain" in options.peers:
        plain = [sys.executable, str(HERE / "peer_plain.py"), options.model]
        peers.append(Peer("Otsu, contours, resize", [*plain, "resize"]))
        peers.append(Peer("the same, centred as MNIST", [*plain, "mnist"]))
    if "tesseract" in options.peers:
        library = tesseract_library()
        if library is None:
            print("Tesseract is not here: install Debian's tesseract-ocr", file=sys.stderr)
        else:
            script = [sys.executable, str(HERE / "peer_tesseract.py"), library]
            peers += [Peer(f"Tesseract, psm {n}", [*script, str(n)]) for n in TESSERACT_MODES[kind]]
    if "rapidocr" in options.peers:
        python = [rapidocr_python(options.cache), str(HERE / "peer_rapidocr.py")]
        peers.append(Peer("RapidOCR", [*python, "plain"]))
        peers.append(Peer("RapidOCR, digits only", [*python, "digits"]))
    return peers


def measure(kind: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Read one kind of picture with every peer and return the figures."""
    folder = options.data / {"strips": "cheques", "pages": "pages"}[kind]
    chosen = pictures(folder, options.part, options.every if kind == "strips" else 1)
    peers = peers_for(kind, options)
    try:
        for peer in peers:
            peer.start()
            peer.read(chosen[0][0], kind, chosen[0][1], keep=False)
        for number, (picture, true) in enumerate(chosen):
            # No peer is always the one that finds the caches as the same other left them.
            for k in range(len(peers)):
                peers[(number + k) % len(peers)].read(picture, kind, true)
    finally:
        for peer in peers:
            peer.stop()
    found = [figures(peer, kind) for peer in peers]
    modes = [row for row in found if row["peer"].startswith("Tesseract")]
    if not modes:
        return found
    best = min(modes, key=lambda row: (-row["exact"], row["cer"]))
    return [row for row in found if row not in modes or row is best]


def default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "edgedigits" / "peers"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--model", default="compact-int8", metavar="NAME|FILE")
    parser.add_argument("--ways", nargs="*", default=[], metavar="WAY", help="of reading, each a row")
    parser.add_argument("--part", default="tune", choices=["tune", "devtest"], help="of the cheques")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="read every Nth strip")
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--kinds", nargs="+", default=["strips", "pages"], choices=["strips", "pages"])
    parser.add_argument("--cache", type=Path, default=default_cache(), metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of the data sets with --data or EDGEDIGITS_DATA")
    options.data = Path(options.data)
    results: dict[str, Any] = {"model": options.model, "part": options.part, "every": options.every}
    for kind in options.kinds:
        results[kind] = measure(kind, options)
        what = f"cheque amounts, {options.part}" if kind == "strips" else "photographed pages"
        print(f"\n{what}: {results[kind][0]['lines']} lines, one thread")
        print(f"{'':<28}{'exact':>7}{'CER':>8}{'at 1 %':>8}{'ms':>9}{'CPU ms':>9}{'MB':>7}")
        for row in results[kind]:
            print(
                f"{row['peer']:<28}{row['exact']:>7.3f}{row['cer']:>8.3f}{row['accepted_at_1_percent']:>8.3f}"
                f"{row['ms']:>9.1f}{row['cpu_ms']:>9.1f}{row['megabytes']:>7.0f}"
            )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
