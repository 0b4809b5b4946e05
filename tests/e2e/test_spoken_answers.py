"""Callees who say their answer, over a whole campaign on each switch: real sound, real recogniser.

How the dialogue goes when the listening service is slow, dead or lying is tested on FreeSWITCH with
a service of the tests' own: tests/freeswitch/test_spoken_answers.py.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
import soxr

import sipp_scenarios.field
from duecall.shell.loopback_site import SwitchKind
from sipp_scenarios.sounds import Part, mu_law, pcap
from tests.e2e.world import World, rows_with

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("pocketsphinx") is None,
        reason="no pocketsphinx: pip install 'duecall[recognition]'",
    ),
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng"),
]
PROMPT_MS = 3_000  # at most, of what is asked below
# An answer takes a second of processor, and a machine that is busy may give a tenth of it. Who is
# heard is not waited for any longer.
WAIT = "15s"


def said(folder: Path, words: str) -> Part:
    """These words by a synthesiser, as a telephone carries them."""
    path = folder / f"{words.replace(' ', '-')}.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-w", str(path), words], check=True)
    samples, rate_hz = soundfile.read(path, dtype="float32")
    samples = soxr.resample(samples, rate_hz, 8_000)
    samples *= 0.5 / np.abs(samples).max()
    return Part("sound", sound=bytes(mu_law(int(x * 32_767)) for x in samples))


def campaign(**changes: Any) -> dict[str, Any]:
    return {
        "language": "en",
        "message": ["Hello from the bank."],
        "keys": {},
        "questions": [
            {
                "id": "service",
                "ask": "Are you content? Say yes or no.",
                "keys": {
                    1: {"do": "answer", "value": "content"},
                    2: {"do": "answer", "value": "angry"},
                },
                "wait": WAIT,
                "repeats": 1,
                "spoken": {"answers": {"yes": 1, "no": 2}},
            }
        ],
        "record": False,
        **changes,
    }


@contextmanager
def world_where(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    kind: SwitchKind,
    *parts: Part,
    changes: dict[str, Any],
) -> Iterator[World]:
    """One callee; from the answer on this is what is heard of him."""
    write_sounds = sipp_scenarios.field.write_sounds

    def with_ours(where: Path, names: Any, timing: Any) -> list[Path]:
        written = write_sounds(where, names, timing)
        (where / "listens.pcap").write_bytes(pcap([*parts, Part("silence", 20_000)]))
        return written

    monkeypatch.setattr(sipp_scenarios.field, "write_sounds", with_ours)
    with World(folder, kind, rows_with("listens"), agents=(), changes=changes) as world:
        yield world


def keys_of(world: World) -> list[dict[str, Any]]:
    """What the database holds of the keys of all attempts."""
    import sqlite3

    with sqlite3.connect(world.site.path("var") / "duecall.db") as database:
        rows = database.execute("select keys from attempt").fetchall()
    return [key for (keys,) in rows for key in json.loads(keys)]


@pytest.mark.parametrize("word, option", [("yes", "content"), ("no", "angry")])
def test_a_spoken_word_answers_the_question(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    switch_kind: SwitchKind,
    word: str,
    option: str,
) -> None:
    answer = said(tmp_path, word)
    parts = (Part("silence", 1_500 + 2 * PROMPT_MS), *[answer, Part("silence", 2_500)] * 8)
    with world_where(monkeypatch, tmp_path / "w", switch_kind, *parts, changes=campaign()) as world:
        world.start_everything()
        world.wait_finished()
        (row,) = world.report()
        assert (row["outcome"], row["answers"]) == ("surveyed", f"service={option}")
        (key,) = keys_of(world)
        assert (key["spoken"], key["key"]) == (word, {"yes": "1", "no": "2"}[word])
        assert 0.4 <= key["sureness"] <= 1
        assert os.listdir(world.site.path("cdr") / "listening") == ["socket"]


def test_a_promise_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, switch_kind: SwitchKind
) -> None:
    yes = said(tmp_path, "yes")
    spoken = {"answers": {"yes": 3, "no": 2}, "confirm": "You said yes. Say it again."}
    keys = {3: {"do": "promise", "days": 3}, 2: {"do": "hang_up"}}
    changes = campaign(keys=keys, spoken=spoken, questions=[], wait=WAIT, repeats=1)
    parts = (Part("silence", 1_000 + PROMPT_MS), *[yes, Part("silence", 2_500)] * 12)
    with world_where(monkeypatch, tmp_path / "w", switch_kind, *parts, changes=changes) as world:
        world.start_everything()
        world.wait_finished()
        assert [row["outcome"] for row in world.report()] == ["promised"]
        assert [(key["key"], key["spoken"]) for key in keys_of(world)] == [("3", "yes")]


def test_who_says_nothing_or_something_else_gets_the_ordinary_dialogue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, switch_kind: SwitchKind
) -> None:
    other = said(tmp_path, "please call me later next week")
    parts = (Part("silence", 1_500 + 2 * PROMPT_MS), *[other, Part("silence", 1_500)] * 4)
    changes = campaign()
    changes["questions"][0] |= {"wait": "3s", "repeats": 0}
    with world_where(monkeypatch, tmp_path / "w", switch_kind, *parts, changes=changes) as world:
        world.start_everything()
        world.wait_finished()
        assert [row["outcome"] for row in world.report()] == ["delivered"]
        assert keys_of(world) == []


def test_a_key_counts_while_the_recogniser_is_dead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, switch_kind: SwitchKind
) -> None:
    """The service is killed as soon as it is there, again and again: nobody notices but the log."""
    parts = (Part("silence", 3_000 + 2 * PROMPT_MS), Part("2"))
    with world_where(monkeypatch, tmp_path / "w", switch_kind, *parts, changes=campaign()) as world:
        world.start_everything()
        until = time.monotonic() + 60
        killed = 0
        while time.monotonic() < until and world.status()["campaigns"][0]["state"] != "finished":
            killed += kill_service(str(world.site.path("cdr")))
            time.sleep(0.1)
        assert killed
        (row,) = world.report()
        assert (row["outcome"], row["answers"]) == ("surveyed", "service=angry")
        assert [key["spoken"] for key in keys_of(world)] == [""]


def kill_service(cdr: str) -> int:
    """The listening service of this site alone."""
    found = 0
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if any("live_service" in word for word in line) and any(cdr in word for word in line):
            process.send_signal(signal.SIGKILL)
            found += 1
    return found
