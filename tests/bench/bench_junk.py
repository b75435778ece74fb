"""How often a number is read where there is none, by kind of picture.

    python tests/bench/bench_junk.py [--model NAME|FILE] [--count N] [--first SEED] [--json FILE]

Pictures without a digit, of kinds that training never saw (`tests/edge/junk.py`; with EDGEDIGITS_DATA also
clothes, of which training saw others). Given are the text lines found in them, how many of these are accepted
with the thresholds that ship, how many accepted ones have two digits or more, and the share of the pictures
with any accepted line. The tests use the seeds below 6 (`--first` moves on from 100).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.edge.junk import KINDS, clothes

from edgedigits import Reader


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="compact-int8", metavar="NAME|FILE")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="pictures of each kind")
    parser.add_argument("--first", type=int, default=100, metavar="SEED")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    reader = Reader(options.model)
    seeds = range(options.first, options.first + options.count)
    kinds = {name: map(make, seeds) for name, make in KINDS.items()}
    data = os.environ.get("EDGEDIGITS_DATA")
    if data:
        kinds["clothes"] = iter(clothes(Path(data) / "negatives", options.count))
    print(f"{options.model}, {options.count} pictures of each kind")
    print(f"{'kind':<12}{'lines':>7}{'accepted':>10}{'2 or more':>11}{'pictures':>10}{'CPU ms':>8}  read")
    results = {}
    for name, pictures in kinds.items():
        lines, texts, with_any, spent = 0, [], 0, []
        for image in pictures:
            started = time.process_time()
            page = reader.read(image)
            spent.append((time.process_time() - started) * 1000)
            found = [line.text for line in page.lines if line.accepted]
            lines += len(page.lines)
            with_any += bool(found)
            texts += found
        row = results[name] = {
            "lines": lines,
            "accepted": len(texts),
            "accepted_of_two_or_more": sum(len(text) > 1 for text in texts),
            "pictures_with_any": with_any / options.count,
            "median_cpu_ms": float(np.median(spent)),
            "texts": texts,
        }
        print(
            f"{name:<12}{lines:>7}{row['accepted']:>10}{row['accepted_of_two_or_more']:>11}{with_any:>10}"
            f"{row['median_cpu_ms']:>8.0f}  {' '.join(texts[:12])}"
        )
    if options.json:
        options.json.write_text(json.dumps({"model": options.model, "kinds": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
