"""docs/speech.md, Recorded voices and Hear it: the counts and figures are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from duecall.core.voice import Voice
from duecall.speech.odd_ones import PLURALS
from duecall.speech.recorded import LENGTH_MIN_MS
from duecall.speech.recording_folder import COLUMNS
from tests.cli.desk import Desk
from tests.docs.test_speech_doc import DOC, table

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_of_a_voice_is_one() -> None:
    (example,) = re.findall(r"^```yaml\n(voice:\n.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
    voice = Voice(**yaml.safe_load(example)["voice"])
    assert voice.engine == "recorded"
    assert voice.personal.engine == "espeak"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("row", table("recordings"), ids=lambda row: str(row[0]))
def test_so_many_texts_are_to_be_recorded(row: list[str], desk: Desk) -> None:
    desk.config.write_text((ROOT / "config.yaml").read_text(encoding="utf-8"))
    name, texts, minutes = row[0].strip("`"), int(row[1]), int(row[2])
    path = ROOT / "campaigns" / f"{name}.yaml"
    answer = desk.run("voice", "record-list", path, "--complete", "--json")
    told = json.loads(answer.good)
    assert (told["texts"], round(told["minutes"])) == (texts, minutes)


def test_figures_in_the_text_are_those_of_the_code() -> None:
    assert LENGTH_MIN_MS == 100, "a tenth of a second"
    assert all(f"`{column}`" in DOC for column in COLUMNS)
    assert PLURALS == (1, 2, 5, 11, 21)
    assert "the numbers 1, 2, 5, 11 and 21" in DOC
