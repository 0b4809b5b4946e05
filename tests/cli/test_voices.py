"""Voices at the operator's desk: engines that are missing or die, who spoke in the report."""

from __future__ import annotations

import json
import wave
from dataclasses import replace

from duecall.core.commands import SaveAttempt
from tests.cli.desk import CONFIG, Desk
from tests.shell.store_world import NAME, NOON, attempt, loaded

# A voice that is whole at the first and dies at the second text.
DYING = """#!/bin/sh
n=$(cat {count} 2>/dev/null || echo 0)
echo $((n + 1)) > {count}
[ "$n" -lt 1 ] || exit 9
exec espeak-ng -v vi -p 99 --stdin --stdout
"""


def test_an_engine_that_is_missing_is_a_fault_at_its_place(desk: Desk) -> None:
    desk.config.write_text(CONFIG + "programs: {gone: [no-such-program]}\n", encoding="utf-8")
    voice = {"engine": "espeak", "fallback": [{"engine": "command", "name": "gone"}]}
    path = desk.campaign(voice=voice)
    lines = path.read_text(encoding="utf-8").splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "engine: command" in text)
    answers = desk.run_all([("check", path), ("start", path), ("doctor",)])
    for answer in answers[:2]:
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith(f"{path}:{line}:")
        assert "voice.fallback[0]: program gone: no-such-program is not there" in answer.err
    assert "voice espeak:en-us" in answers[2].out, "no campaign is loaded: the default voice"


def test_a_message_whose_voice_dies_is_heard_in_the_next_one(desk: Desk) -> None:
    program = desk.folder / "dying"
    program.write_text(DYING.format(count=desk.folder / "count"), encoding="ascii")
    program.chmod(0o755)
    desk.config.write_text(CONFIG + "programs: {dying: [./dying]}\n", encoding="utf-8")
    path = desk.campaign(voice={"engine": "command", "name": "dying", "fallback": "espeak"})
    out = desk.folder / "heard.wav"
    answer = desk.run("listen", path, "--out", out)
    assert "Nguyễn Văn An" in answer.good
    with wave.open(str(out)) as sound:
        assert sound.getnframes() > 2 * sound.getframerate()
    assert int((desk.folder / "count").read_text()) == 2, "it began the message and died"
    assert "another voice speaks" in answer.err
    assert "ended with code 9" in answer.err
    assert "Nguyễn" not in answer.err
    cached = {file.parents[1].name for file in (desk.folder / "tts_cache").glob("*/??/*.wav")}
    assert {"command-dying", "espeak-vi"} <= cached


def test_the_report_tells_who_spoke(desk: Desk) -> None:
    desk.config.write_text(desk.config.read_text() + "lender: bank\n")
    store = loaded(desk.folder / "var", 6)
    for n, target in enumerate(store.due_targets(NAME, NOON, 6)):
        planned = attempt(target)
        voice, turn = ("coqui:anna", 0) if n < 4 else ("espeak:vi", 1)
        spoken = replace(planned.target, voice=voice, voice_turn=turn)
        store.apply([SaveAttempt(replace(planned, target=spoken))])
    store.close()
    shown, script = desk.run_all([("report", NAME), ("report", NAME, "--json")])
    lines = [" ".join(line.split()) for line in shown.good.splitlines()]
    assert "coqui:anna 4 67 %" in lines
    assert "espeak:vi (stood in for the chosen one) 2 33 %" in lines
    assert json.loads(script.good)["voices"] == [
        {"voice": "coqui:anna", "attempts": 4, "stood_in": 0},
        {"voice": "espeak:vi", "attempts": 2, "stood_in": 2},
    ]
