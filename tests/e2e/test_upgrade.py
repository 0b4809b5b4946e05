"""A daemon of today starts on the database of an older Duecall, beside a real switch: its open
attempts are asked after and settled, never sent again, and its campaign goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from duecall.shell.loopback_site import SwitchKind
from duecall.shell.migrations import VERSION
from duecall.shell.vault import Vault
from tests.e2e.world import World, rows_with
from tests.shell import upgrade_world as older
from tests.shell.store_world import NAME, row

OPEN = [int(contract[-2:]) for contract in older.OPEN]


@pytest.mark.parametrize("version", (1, VERSION - 1))
def test_a_campaign_of_an_older_duecall_goes_on(
    switch_kind: SwitchKind, version: int, tmp_path: Path
) -> None:
    url = older.build(tmp_path, version)
    before = {one["id"]: one for one in older.old(version).tables["attempt"]}
    vault = Vault.load(tmp_path / "duecall.key", {})
    phones = {vault.phone_hash(phone): phone for phone in (row(n).contact.phone for n in OPEN)}
    opened = {name for name, one in before.items() if one["outcome"] is None}
    rows = rows_with("listens", "presses-2")
    changes = {"name": NAME, "record": False}
    with World(tmp_path / "site", switch_kind, rows, changes=changes, database=url) as world:
        config = world.site.config
        config.write_text(config.read_text().replace("lender: demo", "lender: bank"))
        key = world.site.path("var") / "duecall.key"
        key.touch(mode=0o600)
        key.write_bytes((tmp_path / "duecall.key").read_bytes())
        world.start_everything()
        new = {row.number for row in rows}
        world.wait(lambda status: not status["live"] and new <= set(world.rings()))
        assert settled(url, opened)
        proved = world.site.duecall("audit")
        report = world.site.duecall("report", NAME)
        rings = world.rings()
    assert report.returncode == 0, report.stderr
    assert proved.returncode == 0, proved.stdout + proved.stderr
    after = {one["id"]: one for one in older.rows_of(url, ["attempt"])["attempt"]}
    for name, one in before.items():
        assert after[name]["sent_at"] == one["sent_at"]
        if name in opened:
            assert after[name]["outcome"] == "unknown"
        else:
            assert {column: after[name][column] for column in one} == one
    assert len(after) >= len(before) + len(new)
    for attempt in opened:  # another try of theirs is another attempt
        number = before[attempt]["phone_hash"]
        tries = [one for name, one in after.items() if one["phone_hash"] == number]
        assert rings.get(phones[number], 0) <= len(tries) - 1


def settled(url: str, attempts: set[str]) -> bool:
    rows = older.rows_of(url, ["attempt"])["attempt"]
    return all(one["outcome"] for one in rows if one["id"] in attempts)
