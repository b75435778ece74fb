"""Arguments that several commands have, and what the numbers among them may be.

Nothing heavy is imported here: `--help` is there at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

# The Reader's own default; to import it from there would load OpenCV for --help.
DEFAULT_MODEL = "compact-int8"


def add_verbose(
    parser: argparse.ArgumentParser, text: str = "show the libraries' own messages, and where a fault arose"
) -> None:
    """Add what says that nothing is to be kept from the user."""
    parser.add_argument("--verbose", action="store_true", help=text)


def add_common(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """Add what `read` and `live` have in common; `formats` are those of the output."""
    parser.set_defaults(parser=parser)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, metavar="NAME|FILE", help=f"default: {DEFAULT_MODEL}"
    )
    parser.add_argument(
        "--min-confidence",
        type=probability,
        metavar="P",
        help="accept a line from this confidence on, 0 to 1 (default: what the model says)",
    )
    parser.add_argument(
        "--format",
        choices=formats,
        default="table",
        help="jsonl: an object per picture; csv: a row per line" if "csv" in formats else None,
    )
    parser.add_argument(
        "--annotate", metavar="DIR", help="write the pictures to this folder, with what was read drawn in"
    )
    add_verbose(parser)


def add_delegate(parser: argparse.ArgumentParser) -> None:
    """Add what says where the network runs."""
    parser.add_argument(
        "--delegate",
        metavar="NAME|FILE",
        help="have an accelerator run the network: edgetpu, or a TFLite delegate's shared library. "
        "Where that fails, the CPU does it",
    )


def add_way(parser: argparse.ArgumentParser) -> None:
    """Add what says how lines are read, and how sure a reading must be."""
    parser.add_argument(
        "--way",
        choices=("auto", "glyph", "strip"),
        help="read lines glyph by glyph, each as one strip, or as it suits the line (auto)",
    )
    parser.add_argument(
        "--strip-model", metavar="NAME|FILE", help="model for the strip way (default: strip-int8)"
    )
    parser.add_argument(
        "--max-error",
        type=_share,
        metavar="E",
        help="accept as many lines as the model promises at most this share of to be wrong, as in 0.01; "
        "with --min-confidence the stricter of both holds",
    )


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share between 0 and 1")
    return value


def positive(text: str) -> int:
    """Return a text as a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 on")
    return int(text)


def seconds(text: str) -> float:
    """Return a text as seconds from 0 to a day."""
    return _number(text, 86_400, "a number of seconds from 0 to a day")


def probability(text: str) -> float:
    """Return a text as a probability, 0 to 1."""
    return _number(text, 1, "a number from 0 to 1")


def resolution(text: str) -> int:
    """Return a text as pixels per inch, 72 to 1200."""
    if not text.isdecimal() or not 72 <= int(text[:9]) <= 1200:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 72 to 1200")
    return int(text)


def millimetres(text: str) -> float:
    """Return a text as millimetres, 5 to 2000."""
    return _number(text, 2000, "a number of millimetres from 5 to 2000", 5)


def _number(text: str, most: float, what: str, least: float = 0) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is not {what}")
    return value
