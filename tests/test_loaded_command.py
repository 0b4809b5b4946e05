"""A command that is forked from the loaded one is the command that is started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loaded_command import LoadedCommand, plain_environment

CONFIG = "trunks: {demo: {proxy: '127.0.0.1:9', channels: 2, calls_per_second: 1}}\n"


@pytest.fixture(scope="module")
def loaded() -> Iterator[LoadedCommand]:
    made = LoadedCommand()
    yield made
    made.close()
    assert made._process.returncode == 0, "it ends with whoever made it"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["dnc", "list"], 0),
        (["check", "no.yaml"], 1),
        (["what"], 2),
        (["status"], 3),
    ],
    ids=["help", "list", "no file", "wrong usage", "no daemon"],
)
def test_it_says_what_the_started_one_says(
    loaded: LoadedCommand, folder: Path, arguments: list[str], code: int
) -> None:
    (folder / "var").mkdir()
    asked = subprocess.run(
        [sys.executable, "-m", "duecall", *arguments],
        cwd=folder,
        env=plain_environment(),
        capture_output=True,
        text=True,
    )
    assert asked.returncode == code
    forked = loaded.start(arguments, folder, plain_environment()).wait(60)
    assert forked == (code, asked.stdout, asked.stderr)


def test_each_has_its_own_environment_and_runs_beside_the_others(
    loaded: LoadedCommand, folder: Path
) -> None:
    other = folder / "other.yaml"
    other.write_text(CONFIG.replace("demo", "?"))
    environments = [plain_environment(), {**plain_environment(), "DUECALL_CONFIG": str(other)}]
    running = [loaded.start(["dnc", "list"], folder, one) for one in environments * 2]
    assert [one.wait(60)[0] for one in running] == [0, 1, 0, 1]
    with pytest.raises(AssertionError):
        loaded.start(["status"], folder, {**plain_environment(), "COLUMNS": "50"})


def test_one_that_hangs_or_is_killed_is_told(loaded: LoadedCommand, folder: Path) -> None:
    hangs = loaded.start(["run"], folder, plain_environment())
    with pytest.raises(subprocess.TimeoutExpired):
        hangs.wait(0.1)
    assert not Path(f"/proc/{hangs.pid}").exists()
    killed = loaded.start(["run"], folder, plain_environment())
    time.sleep(0.1)
    os.kill(killed.pid, 15)
    assert killed.wait(60)[0] in (0, -15)  # by itself, where it has come so far
