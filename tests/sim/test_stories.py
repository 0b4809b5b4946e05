"""The laws hold in bad times, and everything ends in good ones, for any seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from duecall.sim import faults
from duecall.sim.checkers import judge
from duecall.sim.main import main
from duecall.sim.stories import Told, keep, repeat_line, seed_of, tell
from duecall.sim.world import World, run

ROOT = Path(__file__).resolve().parents[2]
FAILURES = sorted((Path(__file__).parent / "failures").glob("*.json"))
SEEDS = 40


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_the_laws_hold_whatever_happens(first: int) -> None:
    for seed in range(first, first + 10):
        assert judge(run(seed)) == [], f"seed {seed}"


@pytest.mark.parametrize("path", FAILURES, ids=lambda path: path.stem)
def test_what_once_failed_does_not_fail_again(path: Path) -> None:
    kept = json.loads(path.read_text(encoding="utf-8"))
    found = judge(run(kept["seed"], kept["contacts"], law=kept.get("law", "none")))
    assert found == [], f"at first it was {kept['found']}"


@pytest.mark.parametrize("fault", [fault.name for fault in faults.TABLE])
def test_each_fault_strikes_and_alone_breaks_nothing(fault: str) -> None:
    struck = 0
    for seed in range(900, 940):
        law = "own" if seed % 2 or fault == "stops_changed" else "none"
        world = World(seed, 20, rates={fault: faults.BY_NAME[fault].rates[1]}, law=law)
        if fault == "daemon_lost" and len(world.services) < 2:
            continue
        story = world.run()
        assert judge(story) == [], f"seed {seed}"
        struck += story.met[fault]
        assert set(story.met) <= {fault}
        if struck >= 3:
            return
    assert struck, f"{fault} never strikes"


def test_a_calm_world_knows_no_unknown_and_tries_everybody_at_once() -> None:
    for seed in range(5):
        story = World(seed, 30, rates={}, law="none").run()
        assert judge(story) == []
        assert story.calm
        assert "unknown" not in story.books.counted
        assert story.books.counted["saved"] == len(story.of("sent")) >= 30


DIGEST = """
from duecall.sim.world import run
print([run(seed).digest() for seed in (3, 8, 16, 21)])
print([run(seed, 20, law=law).digest() for seed, law in ((1, "own"), (2, "us"), (3, "ru"))])
"""


def test_one_seed_is_one_story_whatever_the_order_of_sets() -> None:
    told = set()
    for hash_seed in ("0", "1", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={
                **os.environ,
                "PYTHONHASHSEED": hash_seed,
                "PYTHONPATH": f"{ROOT / 'daemon'}{os.pathsep}{ROOT}",
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        told.add(done.stdout)
    assert len(told) == 1
    assert run(3).digest() != run(4).digest()


# ---- the command line


def test_a_story_that_breaks_a_law_is_kept_and_can_be_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Told(7, ["L1: two of them"], {"link_cut": 1.0}, 60.0, 3, tell(7).met)
    monkeypatch.setattr("duecall.sim.main.tell_many", lambda *_: iter([tell(6), broken]))
    assert main(["--first", "6", "--seeds", "2", "--failures", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "L1: two of them" in out and "--first 7 --seeds 1" in out
    kept = json.loads((tmp_path / "7.json").read_text())
    assert kept["seed"] == 7 and kept["contacts"] is None
    assert kept["law"] == "none"
    assert kept["found"] == ["L1: two of them"] and kept["faults"] == {"link_cut": 1.0}


def test_stories_that_keep_the_laws_end_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--first", "1", "--seeds", "3", "--contacts", "8", "--failures", str(tmp_path)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "all laws kept" in out and "seeds 1 to 3" in out and "x real time" in out
    assert list(tmp_path.iterdir()) == []


def test_two_processes_tell_the_same_stories(tmp_path: Path) -> None:
    from duecall.sim.stories import tell_many

    alone = [(told.seed, told.attempts) for told in tell_many(5, 4, 8, 1)]
    assert [(told.seed, told.attempts) for told in tell_many(5, 4, 8, 2)] == alone


def test_the_first_seed_is_of_the_commit_and_names_say_how_to_repeat(tmp_path: Path) -> None:
    assert seed_of("") == 0
    assert seed_of("0000010abcdef") == 16
    told = Told(9, ["x"], {}, 1.0, 1, tell(6, 8).met)
    assert keep(told, 10_000, tmp_path, "").name == "9-10000.json"
    assert repeat_line(told, 10_000).endswith("--first 9 --seeds 1 --contacts 10000")


def test_a_simulator_that_raises_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: Any, **__: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr("duecall.sim.stories.run", burst)
    assert tell(1).found == ["the simulator raised KeyError('x')"]
