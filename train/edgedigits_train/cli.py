"""The command line: `edgedigits-train RECIPE`, and the commands `report`, `search` and `augment`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgedigits.errors import EdgeDigitsError
from edgedigits.streams import printable, ready_streams
from edgedigits_train import arguments
from edgedigits_train.data import SETTING, DataSet, load, with_negatives
from edgedigits_train.quiet import quiet_start
from edgedigits_train.recipe import Recipe, load_recipe, published

if TYPE_CHECKING:
    from edgedigits_train.loop import Epoch

PROGRAM = "edgedigits-train"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 1 an error said in one line, 130 interrupted."""
    given = sys.argv[1:] if argv is None else list(argv)
    ready_streams()
    try:
        status = _run(given)
        sys.stdout.flush()
        return status
    except EdgeDigitsError as error:
        print(f"{PROGRAM}: {printable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted; start the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # What is left in the buffer would be written, and fail, once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(
            f"{PROGRAM}: stopped: whoever read what it says has gone; start it again to go on",
            file=sys.stderr,
        )
        return 1


def _run(given: Sequence[str]) -> int:
    if given[:1] == ["augment"]:
        from edgedigits_train import sheet

        return sheet.main(given[1:])
    if given[:1] == ["strip"]:
        from edgedigits_train.strip import cli as strip

        return strip.main(given[1:])
    if given[:1] == ["search"]:
        return _search(_search_parser().parse_args(given[1:]))
    if given[:1] == ["report"]:
        return _report(_report_parser().parse_args(given[1:]))
    return _train(_parser().parse_args(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROGRAM,
        description="Train a recipe into a run folder. An interrupted run, started again, goes on.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"other commands, each with a --help of its own:\n"
        f"  {PROGRAM} strip            train the network that reads a strip of digits at once\n"
        f"  {PROGRAM} report RUN       the evidence of a run: page, figures, per-class table\n"
        f"  {PROGRAM} search RECIPE    try it with settings varied, and write the best as a recipe\n"
        f"  {PROGRAM} augment RECIPE   look at what a recipe makes of the digits",
    )
    parser.add_argument("recipe", help=f"a published recipe ({', '.join(published())}) or a .toml file")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help=f"folder of the data sets (else the setting {SETTING}, the user's cache, the public mirrors)",
    )
    parser.add_argument("--out", type=Path, metavar="RUN", help="run folder (runs/RECIPE-seedN)")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument(
        "--seed", type=arguments.seed, default=0, metavar="N", help="seed of everything random (0)"
    )
    seeds.add_argument(
        "--seeds", type=arguments.seeds, metavar="N-M", help="a run for each seed, and a table: 0-4 or 0,2,5"
    )
    parser.add_argument(
        "--folds", type=arguments.folds, metavar="K", help="K-fold cross-validation on the training part"
    )
    parser.add_argument(
        "--epochs", type=arguments.positive, metavar="N", help="another number of epochs than the recipe's"
    )
    parser.add_argument("--tensorboard", action="store_true", help="log every epoch to RUN/logs, too")
    return parser


def _search_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"{PROGRAM} search",
        description="Try a recipe with some settings varied, and write the best as a new recipe. "
        "Started again, or in several processes at once, it goes on with the same trials.",
    )
    parser.add_argument("recipe", help=f"a published recipe ({', '.join(published())}) or a .toml file")
    parser.add_argument(
        "--trials", type=arguments.positive, default=30, metavar="N", help="finished trials in all (30)"
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUES",
        help="LOW..HIGH or A,B,C; may be repeated (optimizer.rate and training.batch around the recipe's)",
    )
    parser.add_argument(
        "--storage", metavar="URL", help="database URL or journal file (runs/RECIPE-search.journal)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help=f"as for training (else {SETTING}, …)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="recipe to write (runs/RECIPE-best.toml)")
    parser.add_argument(
        "--seed", type=arguments.seed, default=0, metavar="N", help="seed of everything random (0)"
    )
    parser.add_argument("--epochs", type=arguments.positive, metavar="N", help="another number of epochs")
    return parser


def _report_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"{PROGRAM} report",
        description="Write a finished run's report.html, figures and per-class table into its folder.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--data", type=Path, metavar="DIR", help=f"as for training (else {SETTING}, …)")
    return parser


def _data(recipe: Recipe, folder: Path | None) -> DataSet:
    data = load(recipe.data.set, folder)
    if recipe.augmentation.junk:
        data = with_negatives(data, folder)
    if data.published is False:
        print(f"{PROGRAM}: note: these are not the published files of {data.name}", file=sys.stderr)
    return data


def _train(options: argparse.Namespace) -> int:
    recipe = load_recipe(options.recipe)
    if options.epochs is not None:
        recipe = recipe.with_epochs(options.epochs)
    if options.seeds and options.folds:
        raise EdgeDigitsError("--folds goes with one --seed, not with --seeds; run it for each")
    kind = "seeds" if options.seeds else f"{options.folds}-folds" if options.folds else f"seed{options.seed}"
    out = options.out or Path("runs") / f"{recipe.name}-{kind}"
    data = _data(recipe, options.data)
    with quiet_start():
        from edgedigits_train import devices, run, series

        devices.settle_threads(recipe, data.train_images[0].size, len(data.labels))
        devices.choose()
        run.make_deterministic()
        run.no_warnings()
        from edgedigits_train.tensorboard import TensorBoard
    with Progress(recipe.training.epochs) as progress:
        watcher = TensorBoard(progress) if options.tensorboard else progress
        if options.seeds:
            text = series.as_text(series.run_seeds(recipe, data, out, options.seeds, watcher))
        elif options.folds:
            text = series.as_text(series.run_folds(recipe, data, out, options.folds, options.seed, watcher))
        else:
            text = summary(run.run(recipe, data, out, options.seed, watcher), out)
    print(text)
    return 0


def _search(options: argparse.Namespace) -> int:
    recipe = load_recipe(options.recipe)
    if options.epochs is not None:
        recipe = recipe.with_epochs(options.epochs)
    data = _data(recipe, options.data)
    with quiet_start():
        from edgedigits_train import run, search

        run.make_deterministic()
        run.no_warnings()
    space = [search.varied(text) for text in options.vary] or search.usual(recipe)
    out = options.out or Path("runs") / f"{recipe.name}-best.toml"
    storage = options.storage or str(Path("runs") / f"{recipe.name}-search.journal")
    search.search(recipe, data, space, options.trials, storage, out, options.seed)
    print(f"{out}: train it with {PROGRAM} {out}")
    return 0


def _report(options: argparse.Namespace) -> int:
    with quiet_start():
        from edgedigits_train import report, run, run_folder

        run.make_deterministic()
        run.no_warnings()
    if run_folder.kind(options.run) == "strip":
        from edgedigits_train.strip.report import make_report

        print(make_report(options.run, options.data))
    else:
        print(report.make_report(options.run, options.data))
    return 0


def summary(report: dict[str, Any], out: Path) -> str:
    """Return what a person wants to know of a finished run, in one line."""
    parts = [
        f"{part} accuracy {report[part]['accuracy']:.4f} loss {report[part]['loss']:.4f}"
        for part in ("train", "validation", "test")
        if part in report
    ]
    parts.append(f"temperature {report['temperature']:.3f}")
    if report["epochs"]:
        parts.append(f"{report['seconds']['epoch']:.2f} s/epoch")
    return f"{out}: {', '.join(parts)}"


class Progress:
    """Shows how far a run is: a bar on a terminal, else one line for each epoch, on stderr."""

    LABELS: Mapping[str, str] = {"network": "training", "twin": "its twin, for the temperature"}

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.label = ""
        self.bar: Any = None
        self.terminal = sys.stderr.isatty()
        self.times: list[float] = []

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def start(self, what: str, out: Path) -> None:
        """Say that the training of "network" or "twin" begins."""
        self._close()
        self.label = self.LABELS[what]
        self.times = [time.monotonic()]
        if self.terminal:
            from tqdm import tqdm  # type: ignore[import-untyped]

            self.bar = tqdm(total=self.epochs, desc=self.label, unit="epoch")

    def epoch(self, row: Epoch) -> None:
        """Show what an epoch gave."""
        figures = f"loss {row.loss:.4f}, accuracy {row.accuracy:.4f}"
        if row.test_accuracy is not None:
            figures += f", test {row.test_accuracy:.4f}"
        self.times.append(time.monotonic())
        if self.bar is not None:
            if len(self.times) == 2:
                self.bar.initial = self.bar.n = row.epoch - 1  # a run that goes on
            self.bar.set_postfix_str(figures, refresh=False)
            self.bar.update(1)
            return
        # The first epoch is compiled, too: as soon as there are others, they say what an epoch takes.
        since = 1 if len(self.times) > 2 else 0
        each = (self.times[-1] - self.times[since]) / (len(self.times) - 1 - since)
        left = each * (self.epochs - row.epoch)
        line = f"{self.label}: epoch {row.epoch}/{self.epochs}, {figures}, {left:.0f} s left"
        print(line, file=sys.stderr, flush=True)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
