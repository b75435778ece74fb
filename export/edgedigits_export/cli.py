"""`edgedigits-export`: what a person types.

Every command imports what it needs when it runs: asking for help does not load TensorFlow, and validating
never does.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgedigits.errors import EdgeDigitsError
from edgedigits.streams import printable, ready_streams
from edgedigits_export import __version__
from edgedigits_export.formats import FORMATS, TARGETS
from edgedigits_export.gates import Gates, StripGates, read_gates

if TYPE_CHECKING:
    from edgedigits.card import Way
    from edgedigits.ways.line_reading import ReadingWay
    from edgedigits_export.convert import Exported

PROGRAM = "edgedigits-export"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 done, 1 refused or a gate failed, 2 wrong usage."""
    ready_streams()
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except EdgeDigitsError as error:
        print(f"{PROGRAM}: {printable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{PROGRAM}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, `head` for one; that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Exports trained networks to TFLite and proves that the quantized ones stay accurate.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_convert(commands)
    _add_validate(commands)
    _add_accept(commands)
    _add_edgetpu(commands)
    _add_firmware(commands)
    command = commands.add_parser(
        "formats", help="list the formats, and which device is best given which", allow_abbrev=False
    )
    command.set_defaults(run=_formats)
    return parser


def _add_convert(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    formats = "\n".join(f"  {row.name:13} {row.description}" for row in FORMATS.values())
    command = commands.add_parser(
        "convert",
        help="make .tflite files of a trained run",
        description="Converts a trained run and writes DIR/<recipe>-<format>.tflite, card inside.",
        epilog=f"formats:\n{formats}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument(
        "run_folder", metavar="RUN", type=Path, help="the folder that edgedigits-train wrote"
    )
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="where to write the models")
    standard = ",".join(row.name for row in FORMATS.values() if row.standard)
    command.add_argument(
        "--formats",
        metavar="NAME,…",
        type=_names,
        help=f"which ones to make, or 'all' (as a rule: {standard})",
    )
    _add_data(command)
    command.add_argument(
        "--seed", type=_natural, default=0, metavar="N", help="draws the calibration pictures (as a rule 0)"
    )
    command.add_argument(
        "--representative",
        metavar="DIR",
        type=Path,
        help="folder of your own pictures to calibrate with, rather than MNIST's; a warning is given where "
        "their digits do not look like those the network was trained on",
    )
    command.add_argument(
        "--strips",
        metavar="FILE",
        type=Path,
        help="for a run for strips: composed ones, of edgedigits-train strip --held-out FILE.npz; some "
        "calibrate, on the others the accuracy is measured",
    )
    for what, meaning in (("digit", "digits are rejected"), ("line", "lines are not accepted")):
        command.add_argument(
            f"--min-{what}-confidence",
            metavar="P",
            type=_share,
            default=0.5,
            help=f"noted in the card: below it {meaning} (as a rule 0.5)",
        )
    command.set_defaults(run=_convert)


def _add_validate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    gates, of_strips = (
        "\n".join(f"  {field.name} = {field.default}" for field in dataclasses.fields(kind))
        for kind in (Gates, StripGates)
    )
    command = commands.add_parser(
        "validate",
        help="compare quantized models with the float one",
        description="Measures each model on MNIST's test pictures, through the runtime that ships, and "
        "compares the quantized ones with the float one; models for strips on what --strips and --lines "
        "name. Exit status 1 when a gate fails.",
        epilog=f"gates, each against the float model:\n{gates}\ngates of models for strips:\n{of_strips}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument("float_model", metavar="FLOAT", help="a .tflite file or a shipped model's name")
    command.add_argument("models", metavar="QUANTIZED", nargs="+", help="models to compare with it")
    _add_data(command)
    command.add_argument(
        "--gates", metavar="FILE", type=Path, help="TOML file with a table [gates]; names and defaults below"
    )
    command.add_argument("--max-drop", metavar="SHARE", type=_share, help="gate: loss of accuracy (0.001)")
    command.add_argument("--min-agreement", metavar="SHARE", type=_share, help="gate: same answers (0.998)")
    command.add_argument(
        "--corruptions", action="store_true", help="measure under twelve corruptions of three severities too"
    )
    command.add_argument(
        "--any-format", action="store_true", help="let float models stand where quantized ones are expected"
    )
    strips = command.add_argument_group("models for strips")
    strips.add_argument(
        "--strips", metavar="FILE", type=Path, help="composed ones, of edgedigits-train strip --held-out"
    )
    _add_lines(strips, required=False)
    bare = command.add_argument_group("models without a card", "for what their files don't prove")
    bare.add_argument("--labels", metavar="NAME,…", type=_names, help="their classes, in the outputs' order")
    bare.add_argument("--input-range", choices=["0-1", "0-255"], help="what they take for grey levels 0…255")
    bare.add_argument("--outputs", choices=["logits", "probabilities"], help="what they give")
    command.add_argument("--json", metavar="FILE", type=Path, help="write all figures there")
    command.add_argument(
        "--html", metavar="FILE", type=Path, help="write a report with plots and pictures there"
    )
    command.add_argument("--junit", metavar="FILE", type=Path, help="write the gates there, for CI systems")
    command.set_defaults(run=_validate)


def _add_accept(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "accept",
        help="find the confidence from which readings may be accepted",
        description="Reads labelled pictures of text lines with a model and finds, for each share of errors, "
        "the most lenient threshold of line confidence that keeps it, with its 95 % upper bound; lists the "
        "confident readings that differ from the label. 'edgedigits read --max-error' takes these "
        "thresholds from the model's card, where --write puts them.",
        allow_abbrev=False,
    )
    command.add_argument("model", metavar="MODEL", help="a .tflite file or a shipped model's name")
    _add_lines(command, required=True)
    command.add_argument(
        "--max-errors",
        metavar="SHARE,…",
        type=_shares,
        help="shares of the accepted lines that may be wrong (0.002,0.005,0.01,0.02,0.05)",
    )
    command.add_argument(
        "--way",
        choices=["glyph", "strip", "auto"],
        help="how lines are read (as a rule the way that the model serves)",
    )
    command.add_argument(
        "--report", metavar="DIR", type=Path, help="write accept.json and disputed.csv there"
    )
    command.add_argument("--write", action="store_true", help="write the thresholds into the model's card")
    command.set_defaults(run=_accept)


def _add_lines(command: argparse._ActionsContainer, *, required: bool) -> None:
    command.add_argument(
        "--lines",
        metavar="DIR",
        type=Path,
        required=required,
        help="pictures of text lines: labels.csv (file,text,part; digits only) beside images/",
    )
    command.add_argument("--part", metavar="NAME", help="only the pictures of this part")


def _add_edgetpu(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "edgetpu",
        help="check whether a model can run on an Edge TPU, and compile it",
        description="Holds every operation against the Edge TPU's published rules and says what would fall "
        "back to the CPU, and why; exit status 1 when an operation would not run on the Edge TPU. With "
        "--out, edgetpu_compiler makes the model and the card is put back; exit status 1 when none would.",
        allow_abbrev=False,
    )
    command.add_argument("model", metavar="MODEL", help="a .tflite file or a shipped model's name")
    command.add_argument("--out", metavar="DIR", type=Path, help="compile, and write the model there")
    command.set_defaults(run=_edgetpu)


def _add_firmware(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "firmware",
        help="write an int8 model as plain C for microcontrollers",
        description="Writes model.h, model.c, centre.h, centre.c, golden.h, main.c and CMakeLists.txt: C99 "
        "without dependencies, bit for bit what TFLite's reference kernels compute; and model_tflite.h and "
        "model_tflite.c, the model as an array for TFLite Micro.",
        allow_abbrev=False,
    )
    command.add_argument("model", metavar="MODEL", help="a .tflite file or a shipped model's name")
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="where to write the sources")
    command.set_defaults(run=_firmware)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="folder with MNIST's files or with mnist/ (else EDGEDIGITS_DATA, else the cache); of models for "
        "characters the one that edgedigits-train strip --characters wrote",
    )


def _convert(options: argparse.Namespace) -> int:
    from edgedigits_export.calibrate import crops_from, draw_sample, sample_crops, unlike
    from edgedigits_export.convert import Thresholds, export_run
    from edgedigits_export.data import pictures_for
    from edgedigits_export.errors import DataError
    from edgedigits_export.formats import find_formats
    from edgedigits_export.run import read_run

    formats = find_formats(options.formats)
    if options.strips is not None and options.representative is not None:
        raise EdgeDigitsError(
            "--representative: a run for strips is calibrated with those of --strips; leave one of them out"
        )
    run = read_run(options.run_folder)
    thresholds = Thresholds(options.min_digit_confidence, options.min_line_confidence)
    if options.strips is not None:
        from edgedigits_export.strip_convert import export_strip_run
        from edgedigits_export.strip_data import read_composed

        strips = read_composed(options.strips)
        made_of_strips = export_strip_run(
            run, options.out, formats, strips, seed=options.seed, thresholds=thresholds
        )
        for made in made_of_strips:
            _tell(made)
        return 0
    if run.way == "strip":
        raise EdgeDigitsError(
            f"{run.path}: a run for strips, which strips are needed to calibrate; name a file with --strips"
        )
    if run.way == "character" and options.representative is not None:
        raise EdgeDigitsError(
            "--representative: digits are cut out of your pictures, and a run for characters is calibrated "
            "with characters of strips (--data); leave it out"
        )
    sample = None
    if any(row.representative for row in formats):
        training = pictures_for(run.way, "train", options.data)
        if options.representative is None:
            sample = draw_sample(training, options.seed)
        else:
            crops = crops_from(options.representative)
            sample = sample_crops(crops, options.seed)
            for difference in unlike(crops, training.images[:10_000]):
                print(f"{PROGRAM}: warning: your digits have {difference}", file=sys.stderr)
    try:
        test = pictures_for(run.way, "test", options.data)
    except DataError as error:
        if options.data is not None or sample is not None:
            raise
        print(f"{PROGRAM}: accuracies are not measured: {error}", file=sys.stderr)
        test = None
    for made in export_run(run, options.out, formats, sample=sample, test=test, thresholds=thresholds):
        _tell(made)
    return 0


def _tell(made: Exported) -> None:
    accuracy = "".join(f"  {share:.2%} on {name}" for name, share in made.card.accuracy.items())
    print(f"{made.path}  {made.size / 1000:.1f} kB{accuracy}", flush=True)


def _formats(_: argparse.Namespace) -> int:
    print(f"{'format':13}  {'input':8} {'output':8} {'weights':8} {'pictures':9}")
    for row in FORMATS.values():
        pictures = "needed" if row.representative else "-"
        print(
            f"{row.name:13}  {row.input_dtype:8} {row.output_dtype:8} {row.weights:8} {pictures:9}"
            f"{row.description}"
        )
    print()
    for target in TARGETS:
        print(f"{target.name:16} {target.format:8} {target.reason}")
    return 0


def _validate(options: argparse.Namespace) -> int:
    if options.part is not None and options.lines is None:
        raise EdgeDigitsError(f"--part {options.part}: names a part of --lines DIR; give both, or neither")
    way = _way(options.float_model)
    if way == "strip":
        return _validate_strips(options)
    if options.strips is not None or options.lines is not None:
        raise EdgeDigitsError(
            f"{options.float_model}: a model for glyphs; leave --strips and --lines out, or name another"
        )
    from edgedigits.files import write_atomically
    from edgedigits_export.cardless import Conventions
    from edgedigits_export.data import pictures_for
    from edgedigits_export.html import html
    from edgedigits_export.junit import junit
    from edgedigits_export.tables import table
    from edgedigits_export.validate import Scope, validate

    gates = read_gates(options.gates, Gates) if options.gates is not None else Gates()
    given = {"max_drop": options.max_drop, "min_agreement": options.min_agreement}
    gates = dataclasses.replace(gates, **{name: value for name, value in given.items() if value is not None})
    pictures = pictures_for(way, "test", options.data)
    scope = Scope(corruptions=options.corruptions, any_format=options.any_format)
    labels = tuple(options.labels) if options.labels is not None else None
    conventions = Conventions(labels, options.input_range, options.outputs)
    validation = validate(options.float_model, options.models, pictures, gates, scope, conventions)
    print(table(validation), end="")
    if options.json is not None:
        write_atomically(options.json, validation.as_json().encode())
    if options.html is not None:
        write_atomically(options.html, html(validation, pictures).encode())
    if options.junit is not None:
        write_atomically(options.junit, junit(validation))
    for failure in validation.failures:
        print(f"{PROGRAM}: {failure}", file=sys.stderr)
    return 1 if validation.failures else 0


def _way(model: str) -> Way:
    """Return the way of reading that a model serves; one without a card is for glyphs."""
    from edgedigits.card import CARD_NAME, associated_file, split_bytes
    from edgedigits.model import read_model

    data = read_model(model)
    bare = data[4:8] != b"TFL3" or associated_file(data, CARD_NAME, model) is None
    return "glyph" if bare else split_bytes(data, model)[0].way


def _validate_strips(options: argparse.Namespace) -> int:
    from edgedigits.files import write_atomically
    from edgedigits_export.errors import DataError
    from edgedigits_export.html import strip_html
    from edgedigits_export.junit import strip_junit
    from edgedigits_export.strip_data import read_composed, read_lines
    from edgedigits_export.strip_tables import strip_table
    from edgedigits_export.validate_strips import validate_strips

    gates = read_gates(options.gates, StripGates) if options.gates is not None else StripGates()
    given = {"max_drop": options.max_drop, "min_agreement": options.min_agreement}
    gates = dataclasses.replace(gates, **{name: value for name, value in given.items() if value is not None})
    sets = []
    if options.strips is not None:
        sets.append(read_composed(options.strips).as_set(printable(options.strips.stem)))
    if options.lines is not None:
        sets.append(read_lines(options.lines, options.part))
    if not sets:
        raise DataError(
            f"{options.float_model}: a model for strips; name strips with --strips FILE.npz or --lines DIR"
        )
    validation = validate_strips(
        options.float_model,
        options.models,
        sets,
        gates,
        any_format=options.any_format,
        corruptions=options.corruptions,
    )
    print(strip_table(validation), end="")
    if options.json is not None:
        write_atomically(options.json, validation.as_json().encode())
    if options.html is not None:
        write_atomically(options.html, strip_html(validation, sets).encode())
    if options.junit is not None:
        write_atomically(options.junit, strip_junit(validation))
    for failure in validation.failures:
        print(f"{PROGRAM}: {failure}", file=sys.stderr)
    return 1 if validation.failures else 0


def _accept(options: argparse.Namespace) -> int:
    import csv
    import io

    from edgedigits.files import make_folder, write_atomically
    from edgedigits_export.accept import MAX_ERRORS, check_writable, find_points, open_reader, write_points
    from edgedigits_export.strip_data import labelled_pictures
    from edgedigits_export.strip_tables import acceptance_table

    served = _way(options.model)
    if served == "character":
        raise EdgeDigitsError(f"{options.model}: a model for characters reads no lines; name another")
    way: ReadingWay = options.way or served
    reader = open_reader(options.model, served, way)
    if options.write:
        check_writable(options.model)
    if options.report is not None:
        make_folder(options.report)  # before the work, not after it
    pictures = labelled_pictures(options.lines, options.part)
    name = printable(options.lines.resolve().name + (f"-{options.part}" if options.part else ""))
    max_errors = options.max_errors or MAX_ERRORS
    found = find_points(reader, options.model, way, pictures, name, max_errors)
    print(acceptance_table(found), end="")
    if options.report is not None:
        write_atomically(options.report / "accept.json", found.as_json().encode())
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(["file", "label", "reading", "confidence"])
        rows.writerows((d.file, d.label, d.text, f"{d.confidence:.6f}") for d in found.disputed)
        write_atomically(options.report / "disputed.csv", table.getvalue().encode())
    if options.write:
        write_points(Path(options.model), found)
        print(f"{options.model}: {len(found.points)} operating points in its card")
    return 0


def _edgetpu(options: argparse.Namespace) -> int:
    from edgedigits_export.edgetpu import ROUND_TRIP_US, check_edgetpu, compile_edgetpu

    readiness = check_edgetpu(options.model)
    for place in readiness.placements:
        where = "Edge TPU" if place.on_tpu else "CPU     "
        reason = place.reason or ("" if place.on_tpu else "follows one that does not fit")
        print(f"{where}  {place.operation:18} {place.tensor:40} {reason}".rstrip())
    print(
        f"a USB accelerator's round trip takes {ROUND_TRIP_US:.0f} µs or more, however small the network; "
        "validate says what a digit takes on this CPU"
    )
    if options.out is not None:
        made = compile_edgetpu(options.model, options.out)
        print(f"{made.path}: {made.on_tpu} operations on the Edge TPU, {made.on_cpu} on the CPU")
    elif not readiness.ready:
        count = len(readiness.placements)
        print(
            f"{PROGRAM}: {options.model}: {count - readiness.on_tpu} of {count} operations would run on the "
            "CPU; export the network in the format int8, of supported operations",
            file=sys.stderr,
        )
        return 1
    return 0


def _firmware(options: argparse.Namespace) -> int:
    from edgedigits_export.firmware import write_firmware

    made = write_firmware(options.model, options.out)
    for name in made.files:
        print(made.folder / name)
    print(
        f"tables {made.flash} bytes, static memory {made.ram} bytes, {made.macs} multiplications an inference"
    )
    return 0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _shares(text: str) -> list[float]:
    shares = [_number(part) for part in _names(text)]
    if not shares or not all(0 < share < 1 for share in shares):
        raise argparse.ArgumentTypeError(f"{text} is not shares between 0 and 1")
    return shares


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _natural(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not within 0…1")
    return value


if __name__ == "__main__":
    sys.exit(main())
