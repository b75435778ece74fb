"""A dense network as the C that emlearn writes, in an environment of its own (`pip install emlearn`).

    python tests/bench/peer_emlearn.py NETWORK.npz OUT.h

`NETWORK.npz` holds `weights0`, `bias0`, `weights1`, … (inputs × outputs, float32), ReLU between them and a
softmax at the end. Prints the folder with emlearn's headers. bench_firmware.py calls it.

It is emlearn's float network: of its fixed-point one the multiplication is not written yet (0.23.2), and
8-bit weights it has for trees only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import emlearn
import numpy as np
from emlearn.net import c_generate_net_loadable


def main() -> None:
    """Write the header."""
    arrays = np.load(sys.argv[1])
    count = sum(name.startswith("weights") for name in arrays)
    weights = [arrays[f"weights{i}"] for i in range(count)]
    biases = [arrays[f"bias{i}"] for i in range(count)]
    activations = ["relu"] * (count - 1) + ["softmax"]
    Path(sys.argv[2]).write_text(c_generate_net_loadable(activations, weights, biases, "net"))
    print(Path(emlearn.__file__).parent)


if __name__ == "__main__":
    main()
