"""A call in which a Coqui model speaks: over a real switch, to real SIP callees, recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from duecall.shell.loopback_site import SwitchKind
from duecall.speech import audio
from duecall.speech.engines import coqui
from tests.coqui.needs import skip_without_coqui
from tests.e2e.world import World, rows_with

skip_without_coqui()

MESSAGE = "Kính chào {{ name }}. Quý khách còn nợ {{ balance }}. Xin cảm ơn quý khách."
NAMES = ("Nguyễn Văn An", "Trần Thị Bình", "Phạm Đức Cường")


def world_of(folder: Path, kind: SwitchKind, model: Path, **voice: object) -> World:
    rows = rows_with("listens", "presses-2", "answers-late")
    changes = {
        "message": [MESSAGE],
        "voice": {"engine": "coqui", "model": str(model), **voice},
    }
    names = dict(zip((row.number for row in rows), NAMES, strict=True))
    return World(folder, kind, rows, names=names, changes=changes)


def heard_ms(path: Path) -> int:
    """From the first to the last of our sound in a recording; its second side is ours."""
    sound, rate_hz = soundfile.read(path)
    frame = rate_hz // 50
    ours = sound[: len(sound) // frame * frame, 1].reshape(-1, frame)
    loud = np.flatnonzero(np.sqrt((ours**2).mean(axis=1)) > 0.003)
    assert loud.size, "nothing of ours is in the recording"
    return int(loud[-1] - loud[0] + 1) * 20


def message_ms(world: World, name: str) -> int:
    """How long the message is that `duecall listen` makes for this person, of the same cache."""
    out = world.folder / "message.wav"
    contract = next(
        "HD-" + row.number[-6:] for row in world.rows if world.names[row.number] == name
    )
    done = world.site.duecall(
        "listen", str(world.campaign), "--contact", contract, "--out", str(out)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    info = soundfile.info(out)
    assert info.samplerate == audio.RATE_HZ
    return int(info.frames * 1000 // info.samplerate)


def coqui_processes(daemon: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(daemon).children():
        try:
            if coqui.CHILD in child.cmdline():
                found.append(child)
        except psutil.Error:  # it has just ended
            continue
    return found


@pytest.fixture(scope="module")
def world(
    switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory, models: dict[str, Path]
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(f"coqui-{switch_kind}")
    with world_of(folder, switch_kind, models["vits"]) as world:
        world.start_everything()
        world.wait_finished(timeout_s=240)
        yield world


def test_every_call_comes_to_its_outcome(world: World) -> None:
    assert world.last_outcomes() == {row.number: row.expected_outcome for row in world.rows}
    assert "delivered" in world.last_outcomes().values()
    assert world.status()["alarms"] == []


def test_the_report_says_who_spoke(world: World) -> None:
    assert {(row["voice"], row["voice_stands_in"]) for row in world.report()} == {
        ("coqui:vits", "")
    }


def test_the_callee_has_heard_the_whole_message(world: World) -> None:
    (listener,) = rows_with("listens")
    (attempt,) = [row for row in world.report() if row["phone"] == listener.number]
    heard = heard_ms(world.site.path("recordings") / attempt["recording"])
    made = message_ms(world, NAMES[0])
    assert made > 4_000
    assert heard == pytest.approx(made, abs=600)
    assert attempt["share_heard"] == "1.00"


def test_the_model_runs_in_one_process_of_its_own(world: World) -> None:
    assert len(coqui_processes(world.site.daemon_pid)) == 1
    maps = Path(f"/proc/{world.site.daemon_pid}/maps").read_text()
    assert "torch" not in maps


@pytest.fixture
def pocket(models: dict[str, Path], tmp_path: Path) -> Iterator[World]:
    pytest.importorskip("pjsua2", reason="no pjsua2-python here (it needs CPython 3.10-3.12)")
    with world_of(tmp_path, "pocket", models["vits"], fallback=["espeak"]) as world:
        world.site.start_switch()
        world.site.start_daemon()
        yield world


@pytest.mark.switch
def test_a_model_that_dies_in_the_middle_of_a_campaign_is_stood_in_for(pocket: World) -> None:
    """The first contact is called with it; for the next its process is killed whenever it is up."""
    pocket.write_contacts(pocket.rows[:1])
    pocket.start_campaign()
    pocket.wait_finished(timeout_s=180)
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(0.02):
            for process in coqui_processes(pocket.site.daemon_pid):
                process.kill()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        pocket.write_contacts(pocket.rows)
        done = pocket.site.duecall("import", str(pocket.campaign))
        assert done.returncode == 0, done.stdout + done.stderr
        pocket.wait(
            lambda s: s["settled"] == 3 and s["campaigns"][0]["state"] == "finished", timeout_s=240
        )
    finally:
        stop.set()
        killer.join()
    voices = {row["phone"]: (row["voice"], row["voice_stands_in"]) for row in pocket.report()}
    first, *others = (row.number for row in pocket.rows)
    assert voices[first] == ("coqui:vits", "")
    assert {voices[number] for number in others} == {("espeak:vi", "yes")}
    assert pocket.last_outcomes() == {row.number: row.expected_outcome for row in pocket.rows}
    assert any("another voice speaks" in str(alarm) for alarm in pocket.status()["alarms"])
