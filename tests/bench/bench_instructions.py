"""Instructions that an emulated Pi executes for each stage of reading a sample picture.

    python tests/bench/bench_instructions.py [--write] [--json FILE]

Compares them with the committed table in `firmware_notes/cost.md`; `--write` renews the table, which is what
to do after a change that is meant to cost more, or less. Needs what `tests/system/setup.sh` installs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.system import instructions


def main() -> None:
    """Count, print beside the table, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="put the counts into firmware_notes/cost.md")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if instructions.missing():
        parser.exit(1, f"{instructions.missing()}\n")
    known = instructions.read_table()
    with tempfile.TemporaryDirectory() as folder:
        counts = instructions.count(Path(folder))
    width = max(map(len, counts))
    for stage, numbers in counts.items():
        shown = []
        for cpu, number in numbers.items():
            before = known.get(stage, {}).get(cpu)
            shown.append(f"{number:15,} {f'{number / before - 1:+.1%}' if before else 'new':>7}")
        print(f"{stage:{width}}{''.join(shown)}")
    for stage in known.keys() - counts.keys():
        print(f"{stage}: in the table, and no more")
    if options.write:
        instructions.write_table(counts)
    if options.json is not None:
        options.json.write_text(json.dumps(counts, indent=1) + "\n")


if __name__ == "__main__":
    main()
