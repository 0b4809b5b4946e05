"""docs/recordings.md: its settings are right, and it tells of every recogniser and option."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import yaml

from duecall.cli import cli, load_commands
from duecall.core.recognition import RECOGNISER_NAMES, RecogniserChoice
from duecall.speech.recognition.catalogue import EXTRAS

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "recordings.md").read_text(encoding="utf-8")
PERSONAL = (ROOT / "docs" / "personal-data.md").read_text(encoding="utf-8")
load_commands()


def test_every_recogniser_is_told_with_what_to_install() -> None:
    table = DOC.split("<!-- recognisers -->")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| `duecall\[([\w-]+)\]` \|", table, re.MULTILINE)
    assert dict(rows) == dict(EXTRAS) and tuple(dict(rows)) == RECOGNISER_NAMES
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert set(EXTRAS.values()) <= set(config["options.extras_require"])


def test_the_settings_that_it_shows_are_right() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)
    for choice in yaml.safe_load(shown)["recognition"].values():
        RecogniserChoice.model_validate(choice)


def test_what_it_types_exists() -> None:
    group = cli.commands["recordings"]
    for name, rest in re.findall(r"duecall recordings (\w+)([^`\n#]*)", DOC):
        options = {o for p in group.commands[name].params for o in p.opts}  # type: ignore[attr-defined] # a group
        assert set(re.findall(r"--[\w-]+", rest)) <= options, name


def test_personal_data_tells_of_transcripts() -> None:
    assert re.search(r"^\| transcripts of recordings \|", PERSONAL, re.MULTILINE)
