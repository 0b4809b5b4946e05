"""A full disk costs the recording, not the call, nor its result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fs_scripts import contract
from fs_scripts.contract import Brief, KeyAction, Step
from tests.freeswitch.conftest import Switch
from tests.small_disk import small_disk

pytestmark = pytest.mark.freeswitch

DISK_KB = 32  # a second of stereo sound


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    with small_disk(folder, DISK_KB) as disk:
        yield disk


def test_the_call_goes_on_when_the_recording_cannot(switch: Switch, tiny_disk: Path) -> None:
    keys = {"9": KeyAction("opt_out", (switch.sound("removed", 300),))}
    step = Step("message", (switch.sound("say", 4_000),), 4_000, keys, wait_ms=20_000)
    recording = tiny_disk / "call.wav"
    leg = switch.start_call(
        Brief("attempt", (step,)),
        apps=f"record_session:{recording},python:fs_scripts.entry,park:",
        more="RECORD_STEREO=true,",
    )
    switch.progress(leg, "step")
    full = _fill(tiny_disk)
    switch.press(leg, "9")
    result = switch.result(leg)
    assert (result.ended_by, result.action, result.error) == (contract.KEY, "opt_out", "")
    assert full


def test_a_key_that_cannot_be_written_down_is_a_key(switch: Switch, tiny_disk: Path) -> None:
    keys = {"9": KeyAction("opt_out", (switch.sound("removed", 300),))}
    step = Step("message", (switch.sound("say", 4_000),), 4_000, keys, wait_ms=20_000)
    leg = switch.start_call(Brief("attempt", (step,), keys_folder=str(tiny_disk)))
    switch.progress(leg, "step")
    assert _fill(tiny_disk)
    before = sorted(tiny_disk.iterdir())
    switch.press(leg, "9")
    result = switch.result(leg)
    assert (result.ended_by, result.action, result.error) == (contract.KEY, "opt_out", "")
    assert sorted(tiny_disk.iterdir()) == before, "and no half of a record is left"


def test_a_folder_that_cannot_be_made(switch: Switch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    step = Step("message", (switch.sound("say", 500),), 500)
    leg = switch.start_call(
        Brief("attempt", (step,)),
        apps=f"record_session:{tmp_path}/file/folder/call.wav,python:fs_scripts.entry,park:",
    )
    assert switch.result(leg).ended_by == contract.COMPLETED


def test_a_record_that_cannot_be_written_leaves_the_event(switch: Switch, tiny_disk: Path) -> None:
    assert _fill(tiny_disk)
    step = Step("message", (switch.sound("say", 500),), 500)
    leg = switch.start_call(Brief("attempt", (step,)), more=f"json_cdr_base={tiny_disk},")
    assert switch.result(leg).ended_by == contract.COMPLETED
    assert not list(tiny_disk.glob("*.json")) or (tiny_disk / f"{leg}.cdr.json").stat().st_size == 0


def _fill(folder: Path) -> bool:
    """Write until nothing more fits."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(1024))
        except OSError:
            return True
