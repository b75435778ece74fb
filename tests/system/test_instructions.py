"""What reading costs on the edge, in instructions, may not grow unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system import instructions

from edgedigits.reader import DEFAULT_MODEL

GROWTH = 1.10
"""So many times the committed count at most; counts repeat to within a thousandth."""

REMEDY = "if that is meant, renew the table: python tests/bench/bench_instructions.py --write"


@pytest.fixture(scope="module")
def counts(needs: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> instructions.Counts:
    needs(instructions.missing())
    return instructions.count(tmp_path_factory.mktemp("instructions"))


@pytest.mark.slow
def test_no_stage_costs_a_tenth_more_than_the_table_says(counts: instructions.Counts) -> None:
    known = instructions.read_table()
    assert counts.keys() == known.keys(), REMEDY
    grown = [
        f"{stage} on {cpu}: {number:,}, and the table says {known[stage][cpu]:,}"
        for stage, numbers in counts.items()
        for cpu, number in numbers.items()
        if number > GROWTH * known[stage][cpu]
    ]
    assert not grown, "\n".join([*grown, REMEDY])


@pytest.mark.slow
def test_the_counts_are_of_what_they_say(counts: instructions.Counts) -> None:
    a72, a76 = instructions.CPUS
    one, many = counts["paper-int8, 1 digit"], counts["paper-int8, 32 digits"]
    # A dense network's 101,632 products: several by an instruction, and few with dot products.
    assert many[a76] < many[a72] < 32 * 101_632
    assert one[a72] < many[a72] < 32 * one[a72]
    parts = sum(numbers[a72] for stage, numbers in counts.items() if stage.startswith("of a read: "))
    assert parts == pytest.approx(counts[f"read, {DEFAULT_MODEL}"][a72], rel=0.05)
    assert counts["cold start to first reading"][a72] > counts["import NumPy"][a72]


def test_the_table_is_written_as_it_is_read(tmp_path: Path) -> None:
    copy = tmp_path / "cost.md"
    copy.write_bytes(instructions.TABLE.read_bytes())
    known = instructions.read_table(copy)
    assert known
    instructions.write_table(known, copy)
    assert copy.read_bytes() == instructions.TABLE.read_bytes()
    instructions.write_table({"a stage": {"cortex-a72": 1234567, "cortex-a76": 89}}, copy)
    assert "| a stage | 1,234,567 | 89 |\n\n" in copy.read_text("utf-8")
    assert instructions.read_table(copy) == {"a stage": {"cortex-a72": 1234567, "cortex-a76": 89}}
