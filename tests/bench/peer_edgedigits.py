"""edgedigits as a peer of `bench_peers.py`: `python peer_edgedigits.py MODEL [WAY]`."""

from __future__ import annotations

import sys

from peer_loop import Lines, serve

from edgedigits import Reader, __version__


def main() -> None:
    model, *way = sys.argv[1:]
    reader = Reader(model, **({"way": way[0]} if way else {}))

    def read(image: object, kind: str) -> Lines:
        # A digit that was rejected counts by its best guess: what is accepted is told by the confidence.
        return [
            ("".join(d.alternatives[0][0] if d.rejected else d.label for d in line.digits), line.confidence)
            for line in reader.read(image).lines
        ]

    serve(__version__, read)


if __name__ == "__main__":
    main()
