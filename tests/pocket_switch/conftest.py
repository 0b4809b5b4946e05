from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pocket_switch.callees import Callees, why_no_sipp
from tests.pocket_switch.pocket import Pocket
from tests.pocket_switch.sound_files import write_tone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pocket")


@pytest.fixture(scope="module")
def message(folder: Path) -> Path:
    return write_tone(folder / "message.wav", 1.0)


@pytest.fixture(scope="module")
def callees(folder: Path) -> Iterator[Callees]:
    why = why_no_sipp()
    if why:
        pytest.skip(why)
    started = Callees(folder)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def switch(folder: Path) -> Iterator[Pocket]:
    """With SIP: two workers, so that a bridge can have a leg in each."""
    pytest.importorskip("pjsua2", reason="needs pjsua2-python (Python 3.10 to 3.12)")
    with Pocket(folder, "--workers", "2") as pocket:
        yield pocket


@pytest.fixture(scope="module")
def null_switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pocket]:
    """Null lines only; needs neither pjsua2 nor SIPp."""
    folder = tmp_path_factory.mktemp("null")
    with Pocket(
        folder, "--workers", "0", "--calls-per-second", "500", "--max-sessions", "60"
    ) as pocket:
        write_tone(folder / "message.wav", 1.0)
        yield pocket
