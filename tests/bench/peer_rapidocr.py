"""RapidOCR as a peer of `bench_peers.py`: `python peer_rapidocr.py plain|digits`.

Strips go to its recognition network alone, as its detector loses most of them; pages through detection and
recognition. `digits` leaves only the digits and the blank to its CTC output.
"""

from __future__ import annotations

import importlib.metadata
import sys

import numpy as np
from peer_loop import Lines, serve
from rapidocr import RapidOCR

ONE_THREAD = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.log_level": "critical",
}


def only_digits(engine: RapidOCR) -> None:
    """Have the recognizer choose among digits and the blank at every step."""
    recognizer = engine._load_rec_model()
    decode = recognizer.postprocess_op
    keep = np.array([k == 0 or c in "0123456789" for k, c in enumerate(decode.character)])

    def masked(predictions: np.ndarray, *arguments: object, **settings: object) -> object:
        return decode(np.where(keep, predictions, 0), *arguments, **settings)

    recognizer.postprocess_op = masked


def main() -> None:
    engine = RapidOCR(params=ONE_THREAD)
    if sys.argv[1] == "digits":
        only_digits(engine)

    def read(image: np.ndarray, kind: str) -> Lines:
        if kind == "strips":
            found = engine(image, use_det=False, use_cls=False, use_rec=True, text_score=0.0)
        else:
            found = engine(image)
        if not found.txts:
            return []
        return list(zip(found.txts, found.scores, strict=True))

    serve(importlib.metadata.version("rapidocr"), read)


if __name__ == "__main__":
    main()
