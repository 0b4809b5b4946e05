"""Recorded calls by a running daemon: hashed, proved, given out, forgotten, under a new key."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator

import pytest

from duecall.shell.loopback_site import SwitchKind
from tests.e2e.world import World, rows_with


@pytest.fixture(scope="module")
def world(switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(f"personal-{switch_kind}")
    with World(folder, switch_kind, rows_with("listens", "presses-2", "busy")) as world:
        world.start_everything()
        world.wait_finished()
        yield world


def contract_of(world: World, callee: str) -> str:
    (row,) = rows_with(callee)
    return next(line["contract"] for line in world.report() if line["phone"] == row.number)


def test_each_recording_is_in_the_ledger_and_evidence_proves_it(world: World) -> None:
    contract = contract_of(world, "listens")
    give_up = time.monotonic() + 60
    for number in range(100):
        out = world.folder / f"evidence-{number}"
        done = world.site.duecall("evidence", contract, "--out", str(out))
        assert done.returncode == 0, done.stderr
        with (out / "attempts.csv").open(encoding="utf-8-sig", newline="") as file:
            (attempt,) = list(csv.DictReader(file))
        if attempt["recording_is"] == "as in the ledger":
            break
        assert time.monotonic() < give_up, attempt["recording_is"]
        time.sleep(1)
    assert (out / "recordings" / attempt["recording"]).stat().st_size > 10_000
    path = world.site.path("recordings") / attempt["recording"]
    path.write_bytes(path.read_bytes()[:-2])
    done = world.site.duecall("evidence", contract, "--out", str(world.folder / "cut"))
    assert done.returncode == 1 and "NOT the one that was made" in done.stderr


def test_a_new_key_and_then_to_forget_beside_the_daemon(world: World) -> None:
    contract = contract_of(world, "presses-2")
    rotated = world.site.duecall("key", "rotate", "--json", timeout=120)
    assert rotated.returncode == 0, rotated.stderr
    before = json.loads(world.site.duecall("export-person", contract).stdout)
    (recording,) = before["recordings"]
    path = world.site.path("recordings") / recording["name"]
    assert before["contacts"][0]["name"] and path.exists()
    done = world.site.duecall("forget", contract, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    after = json.loads(world.site.duecall("export-person", contract).stdout)
    kept = json.loads(done.stdout)["kept"]
    assert after["contacts"][0]["name"] == "" and path.exists() is bool(kept["recordings"])
    assert [one["outcome"] for one in after["attempts"]] == [
        one["outcome"] for one in before["attempts"]
    ]
    audit = world.site.duecall("audit", timeout=120)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    told = {alarm["what"] for alarm in world.status()["alarms"]}
    assert not told & {"a recording is missing", "old records cannot be removed"}
