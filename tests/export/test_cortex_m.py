"""The C sources on emulated Cortex-M boards."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.export import board

from edgedigits_export.firmware import write_firmware

pytestmark = pytest.mark.skipif(bool(board.missing()), reason=board.missing())


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_firmware("paper-int8", tmp_path_factory.mktemp("firmware")).folder


@pytest.fixture(scope="module")
def on_m3(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> board.Ran:
    return board.run_on(board.BOARDS["M3"], sources, tmp_path_factory.mktemp("m3"))


@pytest.mark.parametrize("name", board.BOARDS)
def test_every_board_computes_the_same(name: str, sources: Path, tmp_path: Path, on_m3: board.Ran) -> None:
    ran = board.run_on(board.BOARDS[name], sources, tmp_path)
    assert ran.exact == ran.golden >= 10
    assert ran.checksum == on_m3.checksum
    assert ran.read == ran.pictures == len(ran.centring) == 4


@pytest.mark.parametrize("name", [name for name, b in board.BOARDS.items() if b.dsp])
def test_two_products_at_a_time_give_the_same(
    name: str, sources: Path, tmp_path: Path, on_m3: board.Ran
) -> None:
    ran = board.run_on(board.BOARDS[name], sources, tmp_path, smlad=True)
    assert ran.exact == ran.golden
    assert ran.checksum == on_m3.checksum


@pytest.fixture(scope="module")
def on_m4(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> board.Ran:
    return board.run_on(board.BOARDS["M4"], sources, tmp_path_factory.mktemp("m4"))


def test_flash_memory_and_instructions_on_an_m4(sources: Path, tmp_path: Path, on_m4: board.Ran) -> None:
    """784-128-10 on random inputs: at most 110 kB, 2 kB and 300,000 instructions; 180,000 with SMLAD."""
    assert on_m4.text <= 110_000
    assert on_m4.memory <= 2_000
    assert on_m4.instructions <= 300_000
    dsp = board.run_on(board.BOARDS["M4"], sources, tmp_path, smlad=True)
    assert dsp.instructions <= 180_000


def test_centring_takes_little_on_an_m4(on_m4: board.Ran) -> None:
    """With the model at most 2 kB of memory, and for a glyph of 84 pixels a side less than an inference."""
    assert on_m4.memory + on_m4.centre_memory <= 2_000
    assert on_m4.centre_text <= 2_500
    assert max(on_m4.centring) == 84
    assert max(on_m4.centring.values()) <= 150_000


def test_smlad_is_refused_where_there_is_none(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="MODEL_SMLAD needs a processor"):
        board.run_on(board.BOARDS["M3"], sources, tmp_path, smlad=True)
