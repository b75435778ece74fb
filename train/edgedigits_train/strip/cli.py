"""The command `edgedigits-train strip`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path

from edgedigits_train import arguments
from edgedigits_train.data import SETTING, load
from edgedigits_train.quiet import quiet_start
from edgedigits_train.recipe import published
from edgedigits_train.strip.recipe import load_strip_recipe

FOLDER = "recipes/strips"


def main(argv: Sequence[str]) -> int:
    """Train the strip network, draw a sheet of its strips, or write held-out ones.

    Returns 0; raises `EdgeDigitsError`.
    """
    parser = argparse.ArgumentParser(
        "edgedigits-train strip",
        description="Train the network that reads a strip of digits at once, into a run folder. "
        "An interrupted run, started again, goes on.",
    )
    parser.add_argument(
        "recipe",
        nargs="?",
        default="strip-first",
        help=f"a published strip recipe ({', '.join(published(FOLDER))}) or a .toml file (strip-first)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help=f"folder of the data sets (else the setting {SETTING}, …)"
    )
    parser.add_argument("--out", type=Path, metavar="RUN", help="run folder (runs/RECIPE-seedN)")
    parser.add_argument(
        "--seed", type=arguments.seed, default=0, metavar="N", help="seed of everything random (0)"
    )
    parser.add_argument(
        "--steps", type=arguments.whole, metavar="N", help="another number of steps than the recipe's"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="train nothing; draw strips that it would learn from"
    )
    instead.add_argument(
        "--held-out",
        type=Path,
        metavar="FILE.npz",
        help="train nothing; write strips of digits that are not trained on, for edgedigits-export",
    )
    instead.add_argument(
        "--characters",
        type=Path,
        metavar="DIR",
        help="train nothing; write characters of strips, as --run reads them, for the recipe character",
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="RUN",
        help="for --characters: a finished run of a strip network (runs/RECIPE-seedN)",
    )
    parser.add_argument(
        "--count",
        type=arguments.whole,
        metavar="N",
        help="so many strips held out (2000), or characters to train on (300000)",
    )
    options = parser.parse_args(argv)
    if options.count is not None and options.count < 1:
        parser.error(f"--count {options.count} is below 1")
    if options.steps is not None and options.steps < 0:
        parser.error(f"--steps {options.steps} is below 0")
    if options.run is not None and options.characters is None:
        parser.error("--run goes with --characters; to train on from a run, name it in the recipe's [start]")
    if options.count is not None and options.held_out is None and options.characters is None:
        parser.error("--count goes with --held-out or --characters")
    recipe = load_strip_recipe(options.recipe)
    if options.steps is not None:
        training = dataclasses.replace(recipe.training, steps=options.steps)
        recipe = dataclasses.replace(recipe, training=training)
    data = load(recipe.data.set, options.data)
    if options.sheet is not None:
        from edgedigits_train.strip import sheet

        sheet.write(recipe, data, options.seed, options.sheet)
        return 0
    if options.held_out is not None:
        from edgedigits_train.strip import held_out

        count = options.count or 2000
        held_out.write(recipe, data, options.seed, count, options.held_out)
        print(f"{os.fspath(options.held_out)}: {count} strips, seed {options.seed}")
        return 0
    out = options.out or Path("runs") / f"{recipe.name}-seed{options.seed}"
    if options.characters is not None:
        with quiet_start():
            from edgedigits_train.strip import characters

        made = characters.write(
            recipe, data, options.run or out, options.seed, options.count or 300_000, options.characters
        )
        print(f"{os.fspath(options.characters)}: {made['train']} characters, {made['test']} to test on")
        return 0
    with quiet_start():
        from edgedigits_train.run import make_deterministic, no_warnings
        from edgedigits_train.strip import run

        make_deterministic()
        no_warnings()
    started = time.perf_counter()
    first: list[int] = []

    def told(row: run.Stretch) -> None:
        first[:] = first or [row.step - recipe.training.checkpoint]
        done = (row.step - first[0]) / max(1, recipe.training.steps - first[0])
        left = (time.perf_counter() - started) * (1 / done - 1)
        print(
            f"step {row.step}/{recipe.training.steps}, loss {row.loss:.4f}, held-out strings: "
            f"{row.character_errors:.2%} of characters wrong, {row.exact:.2%} exact, {left:.0f} s left",
            flush=True,
        )

    report = run.run(recipe, data, out, options.seed, on_checkpoint=told)
    figures = report["validation"]
    print(
        f"{os.fspath(out)}: {report['parameters']} parameters; of {figures['strips']} held-out strings "
        f"{figures['exact']:.2%} exact, {figures['character_error_rate']:.2%} of characters wrong"
    )
    return 0
