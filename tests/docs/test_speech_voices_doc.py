"""docs/speech.md, Voices and engines: the table and the figures are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from duecall.core.voice import ENGINE_NAMES, NEEDS_MODEL, TAKES_MODEL, TAKES_PITCH, TAKES_SPEED
from duecall.shell.config_file import load_site
from duecall.speech import voices_in_turn
from duecall.speech.engines import command, run_once, worker
from tests.docs.test_speech_doc import DOC, table


def cell(text: str, known: frozenset[str], engine: str) -> None:
    assert (text != "–") == (engine in known), engine


def test_the_table_tells_what_each_engine_can_be_told() -> None:
    rows = {row[0].strip("`"): row for row in table("engines")}
    assert tuple(rows) == ENGINE_NAMES
    for engine, (_, _, _, speed, pitch, model) in rows.items():
        cell(speed, frozenset(TAKES_SPEED), engine)
        cell(pitch, frozenset(TAKES_PITCH), engine)
        cell(model, frozenset(TAKES_MODEL), engine)
        assert ("needed" in model) == (engine in NEEDS_MODEL), engine


def test_the_figures_are_those_of_the_code() -> None:
    assert voices_in_turn.AGAIN_S == 600, "after ten minutes"
    assert voices_in_turn.REFUSALS_MAX == 5, "five messages in a row"
    assert worker.DEATHS_MAX == 3, "died three times in a row"
    assert worker.REST_S == worker.TEXT_TIMEOUT_S == 60, "a minute"
    assert f"ends with 0 within {command.TIMEOUT_S:.0f} seconds" in DOC
    assert f"more than {run_once.STDOUT_MAX // 1_000_000} MB" in DOC


def test_the_example_of_a_program_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml site\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
    path = tmp_path / "config.yaml"
    path.write_text(example, encoding="utf-8")
    site = load_site(path)
    assert site.voices["vi"].name.partition(":")[0] in site.programs
