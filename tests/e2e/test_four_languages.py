"""The ready campaigns speak in all four languages over the real path; and so does a person."""

from __future__ import annotations

import csv
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from duecall.cli.demo import spoken_of
from duecall.cli.demo_campaigns import OTHERS, DemoCampaign, read_campaign, write_copy
from duecall.cli.demo_sound import ALIKE_MIN, Spoken, spoken
from duecall.shell import control
from duecall.shell.loopback_site import LoopbackSite, SwitchKind
from duecall.speech import audio
from sipp_scenarios.field import Field, Timing
from sipp_scenarios.number_plan import read_rows
from tests.e2e.world import Site, World, rows_with

CAMPAIGNS = ("overdue-vi", *OTHERS)
CALLEE_OF = {row.number: "|".join(row.callees) for row in read_rows()}


@dataclass
class Calls:
    """One contact of each campaign has listened to the end."""

    site: LoopbackSite
    campaigns: list[DemoCampaign]
    attempts: dict[str, dict[str, list[dict[str, str]]]]  # campaign -> contract -> attempts
    spoken: dict[str, Spoken]  # by language


@pytest.fixture(scope="module")
def calls(switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    folder = tmp_path_factory.mktemp(f"languages-{switch_kind}")
    campaigns = [read_campaign(name, CALLEE_OF, ("listens",)) for name in CAMPAIGNS]
    with Field(folder / "callees", callees={"listens"}, timing=Timing(ring_ms=500)) as field:
        agents = [field.agents["agent-answers"]]
        site = Site(folder, switch_kind, proxy=field.proxy, agents=agents)
        with site:
            site.start_switch()
            site.start_daemon()
            paths = [write_copy(campaign, folder) for campaign in campaigns]
            for path in paths:
                done = site.duecall("start", str(path))
                assert done.returncode == 0, done.stderr
            wait_finished(site, len(paths))
            attempts: dict[str, dict[str, list[dict[str, str]]]] = {}
            found: dict[str, Spoken] = {}
            for campaign, path in zip(campaigns, paths, strict=True):
                attempts[campaign.name] = attempts_of(site, path)
                sounds = spoken_of(site, campaign, path, attempts[campaign.name])
                (found[campaign.language],) = sounds.values()
            yield Calls(site, campaigns, attempts, found)


def wait_finished(site: LoopbackSite, campaigns: int, timeout_s: float = 200.0) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        status = control.ask(site.path("var") / "duecall.sock", {"do": "status"})
        states = [one["state"] for one in status["campaigns"]]
        if len(states) == campaigns and set(states) == {"finished"}:
            return
        assert time.monotonic() < deadline, json.dumps(status, indent=1)
        time.sleep(0.5)


def attempts_of(site: LoopbackSite, path: Path) -> dict[str, list[dict[str, str]]]:
    report = path.with_suffix(".report.csv")
    done = site.duecall("report", path.stem, "--csv", str(report))
    assert done.returncode == 0, done.stderr
    with report.open(encoding="utf-8-sig", newline="") as source:
        return {line["contract"]: [line] for line in csv.DictReader(source)}


def recording(calls: Calls, campaign: DemoCampaign) -> Path:
    ((line,),) = calls.attempts[campaign.name].values()
    return calls.site.path("recordings") / line["recording"]


@pytest.mark.parametrize("language", ["vi", "ru", "zh", "en"])
def test_the_whole_message_is_spoken_and_recorded(calls: Calls, language: str) -> None:
    (campaign,) = [one for one in calls.campaigns if one.language == language]
    ((line,),) = calls.attempts[campaign.name].values()
    assert line["outcome"] == "delivered"
    said = calls.spoken[language]
    assert said.message_ms > 10_000
    assert said.heard_ms == said.message_ms
    assert said.alike is not None and said.alike >= ALIKE_MIN
    assert said.active_dbov == pytest.approx(audio.LEVEL_DBOV, abs=6)
    sound = soundfile.info(recording(calls, campaign))
    assert sound.channels == 2
    assert sound.duration * 1000 >= said.message_ms


def test_no_other_language_s_message_would_have_passed(calls: Calls) -> None:
    """Or the comparison would prove nothing."""
    messages = {
        one.language: calls.site.folder / "messages" / one.name / "001.wav"
        for one in calls.campaigns
    }
    for campaign in calls.campaigns:
        for language, message in messages.items():
            found = spoken(recording(calls, campaign), message, 1.0)
            assert found.right == (language == campaign.language), (campaign.name, language, found)


def test_every_call_was_lawful(calls: Calls) -> None:
    done = calls.site.duecall("audit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 attempts, 4 judged: no violation" in done.stdout


# ---- a person's voice

MESSAGE = "Kính chào {{ name }}. Quý khách còn nợ {{ balance }}."


def test_a_recorded_voice_speaks_in_a_call(switch_kind: SwitchKind, tmp_path: Path) -> None:
    """Another voice of espeak-ng stands in for the person."""
    (row,) = rows_with("listens")
    voices = tmp_path / "voices" / "lan"
    with World(tmp_path / "list", switch_kind, [row], changes={"message": MESSAGE}) as world:
        made = world.site.duecall("voice", "record-list", str(world.campaign), "--out", str(voices))
        assert made.returncode == 0, made.stderr
    with (voices / "list.csv").open(encoding="utf-8-sig", newline="") as source:
        files = {line["text"]: voices / line["file"] for line in csv.DictReader(source)}
    for text, file in files.items():
        command = ["espeak-ng", "-v", "vi+f3", "-s", "130", "-w", str(file), "--stdin"]
        subprocess.run(command, input=text.encode(), check=True)
    voice = {"engine": "recorded", "model": str(voices), "personal": "espeak"}
    changes: dict[str, Any] = {"message": MESSAGE, "voice": voice}
    with World(tmp_path / "call", switch_kind, [row], changes=changes) as world:
        world.start_everything()
        world.wait_finished()
        (line,) = world.report()
        assert line["outcome"] == "delivered"
        heard = world.site.path("recordings") / line["recording"]
        told = world.site.duecall("report", "quick")
        assert "recorded:lan" in told.stdout
        message = tmp_path / "message.wav"
        done = world.site.duecall("listen", str(world.campaign), "--out", str(message))
        assert done.returncode == 0, done.stderr
    assert spoken(heard, message, 1.0).right
    # And in the message the recordings stand sample by sample.
    whole = pcm(message).tobytes()
    raw, rate_hz = soundfile.read(files["Quý khách còn nợ"], dtype="float32")
    part = audio.pcm16(audio.telephone(np.asarray(raw, np.float32), rate_hz))
    assert part.tobytes() in whole


def pcm(path: Path) -> npt.NDArray[np.int16]:
    return np.asarray(soundfile.read(path, dtype="int16")[0], np.int16)
