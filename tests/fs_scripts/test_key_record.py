"""A key that decides is on disk before anything else happens; a disk that fails stops nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fs_scripts import contract, key_record
from fs_scripts.contract import Brief, KeyAction, KeyPress, Result, Step
from tests.fs_scripts.conftest import Switch
from tests.fs_scripts.fake_freeswitch import Callee

DECIDING = ("transfer", "opt_out", "claims_paid", "promise")


def brief(switch: Switch, folder: Path | str, *more: Step) -> Brief:
    keys = {
        str(n): KeyAction(do, (switch.sound(f"said-{do}", 2_000),))
        for n, do in enumerate((*DECIDING, "hang_up", "repeat"), start=1)
    }
    message = Step("message", (switch.sound("hello", 4_000),), 4_000, keys)
    return Brief("attempt-1", (message, *more), keys_folder=str(folder))


def record(folder: Path) -> Result:
    return Result.from_json((folder / "attempt-1.keys.json").read_bytes())


@pytest.mark.parametrize("do", DECIDING)
def test_what_a_key_decided_is_written_down(switch: Switch, tmp_path: Path, do: str) -> None:
    folder = tmp_path / "cdr"
    folder.mkdir()
    key = str(DECIDING.index(do) + 1)
    result = switch.call(brief(switch, folder), Callee(keys=((1_000, key),)))
    written = record(folder)
    assert (written.ended_by, written.action, written.error) == (contract.KEY, do, "")
    assert written.keys == (KeyPress(key, 1_000, "message"),)
    assert written.talk_ms == 1_000, "before the sound that follows it"
    assert written == replace(result, talk_ms=1_000)
    assert [path.name for path in folder.iterdir()] == ["attempt-1.keys.json"]


@pytest.mark.parametrize("keys", [(), ((1_000, "5"),), ((1_000, "6"),), ((1_000, "0"),)])
def test_what_decides_nothing_is_not_written_down(
    switch: Switch, tmp_path: Path, keys: tuple[tuple[int, str], ...]
) -> None:
    folder = tmp_path / "cdr"
    folder.mkdir()
    switch.call(brief(switch, folder), Callee(keys=keys))
    assert list(folder.iterdir()) == []


def test_an_answer_is_written_down_and_the_last_word_replaces_it(
    switch: Switch, tmp_path: Path
) -> None:
    folder = tmp_path / "cdr"
    folder.mkdir()
    keys = {"1": KeyAction("answer", (), "no_money"), "9": KeyAction("opt_out")}
    ask = [Step(name, (switch.sound(name, 3_000),), 3_000, keys) for name in ("why", "when")]
    callee = Callee(keys=((10_000, "1"), (14_000, "1")), hangs_up_ms=14_500)
    switch.call(brief(switch, folder, *ask), callee)
    written = record(folder)
    assert (written.ended_by, written.action) == (contract.CUT_OFF, "")
    assert written.answers == {"why": "no_money", "when": "no_money"}
    switch.call(brief(switch, folder, *ask), Callee(keys=((10_000, "1"), (14_000, "9"))))
    assert record(folder).action == "opt_out"


@pytest.mark.parametrize("folder", ["/nowhere/at/all", "relative", "/with a blank", "/dev/null"])
def test_a_folder_that_cannot_be_written_stops_nothing(switch: Switch, folder: str) -> None:
    result = switch.call(brief(switch, folder), Callee(keys=((1_000, "2"),)))
    assert (result.ended_by, result.action, result.error) == (contract.KEY, "opt_out", "")
    assert switch.heard()[-1] == "said-opt_out"
    said = [line for level, line in switch.log.console if level == "err"]
    assert len(said) == 1 and "a key was not written down" in said[0]
    assert folder not in said[0]


def test_without_a_folder_nothing_is_tried(switch: Switch) -> None:
    switch.call(brief(switch, ""), Callee(keys=((1_000, "2"),)))
    assert not [line for level, line in switch.log.console if level == "err"]


def test_a_record_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_record.write(str(tmp_path), Result("attempt-1", contract.KEY, action="promise"))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        key_record.write(str(tmp_path), Result("attempt-1", contract.KEY, action="opt_out"))
    assert record(tmp_path).action == "promise"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["../up", "a/b", "a b", "${x}"])
def test_an_attempt_id_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        key_record.write(str(tmp_path), Result(name, contract.KEY))
    assert list(tmp_path.iterdir()) == []
