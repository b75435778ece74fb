"""Instructions, flash and memory of the exported C on emulated Cortex-M boards.

    python tests/bench/bench_firmware.py [--models NAME|FILE …] [--json FILE]

Needs `gcc-arm-none-eabi`, `libnewlib-arm-none-eabi` and `qemu-system-arm`. The emulator lets a nanosecond
pass for each instruction, so the figures repeat exactly; they are instructions, not a board's cycles.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.export import board

from edgedigits_export.firmware import write_firmware


def main() -> None:
    """Build, run, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=["paper-int8"], metavar="NAME|FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if board.missing():
        parser.exit(1, f"{board.missing()}\n")
    rows = []
    print(f"{'model':20} {'board':5} {'':8} {'instructions':>12} {'flash':>8} {'memory':>7}  golden")
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            sources = write_firmware(name, Path(folder) / "c").folder
            for board_name, one in board.BOARDS.items():
                for smlad in (False, True) if one.dsp else (False,):
                    ran = board.run_on(one, sources, Path(folder) / "build", smlad=smlad)
                    kind = "SMLAD" if smlad else "portable"
                    print(
                        f"{Path(name).stem:20} {board_name:5} {kind:8} {ran.instructions:12.0f} {ran.text:8} "
                        f"{ran.memory:7}  {ran.exact} of {ran.golden} exact"
                    )
                    rows.append({"model": Path(name).stem, "board": board_name, "kind": kind})
                    rows[-1] |= dataclasses.asdict(ran)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
