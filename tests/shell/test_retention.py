"""What is older than the rules keep it goes; nothing that a longer rule keeps goes with it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from duecall.core.attempt import recording_name
from duecall.core.keeping import Keeping, years_after
from duecall.core.outcome import Outcome
from duecall.core.site import Site
from duecall.shell import retention
from duecall.shell.person_store import PersonStore
from duecall.shell.retention import Sweep, sweep_all
from duecall.shell.rule_packs import SHIPPED, load_packs
from tests.shell.store_world import NAME, NOON, attempt, campaign, open_store, outcome, save
from tests.shell.test_person_erasing import World, person_row, rule

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("database")

RULE = {
    "level": "policy", "source": "a test", "certainty": "high", "valid_from": "2000-01-01",
}  # fmt: skip


def site(*rules: dict[str, Any], pack: str = "none") -> Site:
    """With these retention rules over an empty pack."""
    raw = {
        "trunks": {"demo": {"proxy": "127.0.0.1:9", "channels": 1, "calls_per_second": 1}},
        "rules": {"retention": [{"id": f"own.r{n}", **RULE, **one} for n, one in enumerate(rules)]},
    }
    return Site.model_validate(raw).with_packs(load_packs(SHIPPED))


def years(what: str, count: int, **more: Any) -> dict[str, Any]:
    return {"what": what, "years": count, **more}


def sweep(world: World, chosen: Site, now: datetime, daemon: str = "main") -> dict[str, int]:
    counts = sweep_all(Sweep(chosen, world.files, daemon, now), world.store)
    return {name: count for name, count in counts.items() if count}


def later(**delta: int) -> datetime:
    """years, days after NOON."""
    day = years_after(NOON.date(), delta.get("years", 0)) + timedelta(days=delta.get("days", 0))
    return NOON.replace(year=day.year, month=day.month, day=day.day)


def done_with(world: World, *contracts: str) -> None:
    """Nobody calls these any more: the campaign has ended, its targets are done."""
    run = world.store.parts.database.run
    with world.store.parts.database.writing():
        run("UPDATE campaign SET state = 'stopped'")
        run("UPDATE target SET state = 'done', due_at = NULL, reason = 'promised'")


@pytest.fixture
def world(tmp_path: Path) -> World:
    rows = [person_row(n, contract=f"HD-{n}", name=f"Name {n}") for n in range(1, 7)]
    return World(tmp_path, rows)


def test_a_recording_goes_before_its_attempt_and_each_on_its_day(world: World) -> None:
    attempt_id = world.call("HD-1")
    chosen = site(years("recording", 2), years("log", 5))
    assert sweep(world, chosen, later(years=2)) == {}  # its last day
    (path,) = world.folder.rglob("*.wav")
    assert sweep(world, chosen, later(years=2, days=1)) == {"recordings": 1}
    assert not path.exists()
    (record,) = world.store.attempts(NAME)
    assert record.recording == "" and record.outcome is Outcome.PROMISED
    assert sweep(world, chosen, later(years=5)) == {}
    assert list(world.folder.rglob(f"{attempt_id}.cdr.json"))
    assert sweep(world, chosen, later(years=5, days=1)) == {
        "attempts": 1, "promises": 1, "records": 1,
    }  # fmt: skip
    assert list(world.store.attempts(NAME)) == []
    assert not list(world.folder.rglob("*.cdr.json"))


def test_the_tally_and_the_report_agree_afterwards(world: World) -> None:
    world.call("HD-1")
    world.call("HD-2", at=NOON + timedelta(days=400))
    sweep(world, site(years("recording", 1), years("log", 2)), later(years=2, days=3))
    counts = world.store.status_counts(NAME)
    assert counts.attempts == len(list(world.store.attempts(NAME))) == 1
    assert (counts.outcomes, counts.promises, counts.live) == ({"promised": 1}, 1, 0)
    assert sum(counts.targets.values()) == 6


def test_the_longest_rule_holds_whatever_its_level(world: World) -> None:
    world.call("HD-1")
    chosen = site(
        years("recording", 1), years("recording", 7, level="law"), years("log", 1, level="law"),
        years("log", 3, level="policy"),
    )  # fmt: skip
    assert sweep(world, chosen, later(years=6)) == {}  # a row outlives its recording
    assert sweep(world, chosen, later(years=7, days=2)) == {
        "recordings": 1, "records": 1, "attempts": 1, "promises": 1,
    }  # fmt: skip


def test_without_a_rule_everything_is_kept(world: World) -> None:
    world.call("HD-1")
    for chosen in (site(), site(years("log", 1)), site(years("recording", 100))):
        assert sweep(world, chosen, later(years=60)) == {}


def test_of_a_campaign_whose_rules_are_not_known_everything_is_kept(world: World) -> None:
    world.call("HD-1")
    chosen = site(years("log", 1), years("recording", 1))
    world.store.put_campaign(campaign(rules={"pack": "xx"}), "name: overdue\n# other\n")
    assert sweep(world, chosen, later(years=60)) == {}


def test_since_the_last_activity_means_of_the_account(world: World) -> None:
    world.call("HD-1")
    world.call("HD-1", at=later(years=1))
    chosen = site(years("recording", 1), years("log", 2, since="last_activity"))
    # It is called on: its activity has not ended.
    assert sweep(world, chosen, later(years=9)) == {"recordings": 2}
    done_with(world)
    assert sweep(world, chosen, later(years=3)) == {}
    assert sweep(world, chosen, later(years=3, days=1))["attempts"] == 2


def test_an_open_attempt_and_a_young_one_are_never_old(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.call("HD-1", settled=False)
    chosen = site(years("log", 1), years("recording", 1))
    assert sweep(world, chosen, later(years=50)) == {}
    world.call("HD-2")
    monkeypatch.setattr(retention, "YOUNGEST_DAYS", 3_000)
    assert sweep(world, chosen, later(years=2)) == {"recordings": 1}
    monkeypatch.undo()
    assert sweep(world, chosen, later(years=2))["attempts"] == 1


def test_of_an_account_without_any_call_left_the_data_is_erased(world: World) -> None:
    world.call("HD-1")
    world.call("HD-2", at=later(years=1))
    done_with(world)
    chosen = site(years("log", 2), years("recording", 1))
    now = later(years=2, days=1)
    assert sweep(world, chosen, now) == {
        "recordings": 2, "records": 1, "attempts": 1, "promises": 1, "accounts": 1, "contacts": 1,
    }  # fmt: skip
    told = world.everything()
    assert "Name 1" not in told and "HD-1" not in told
    assert "Name 2" in told and "Name 3" in told  # never called: nothing says when that is over
    # A new file brings them back whole, though its row is the same as ever.
    world.store.import_rows(NAME, [person_row(1, contract="HD-1", name="Name 1")])
    assert '"Name 1"' in world.everything() and '"HD-1"' in world.everything()


def test_a_contact_stays_while_one_of_its_accounts_does(tmp_path: Path) -> None:
    rows = [person_row(1, contract=f"HD-{n}", name="Name 1") for n in (1, 2)]
    world = World(tmp_path, rows)
    world.call("HD-1")
    done_with(world)
    chosen = site(years("log", 1), years("recording", 1))
    found = sweep(world, chosen, later(years=2))
    assert found["accounts"] == 1 and "contacts" not in found
    assert '"Name 1"' in world.everything() and '"HD-2"' in world.everything()


def test_the_ledger_says_how_much_and_up_to_when(world: World) -> None:
    world.call("HD-1")
    world.call("HD-2", at=NOON + timedelta(hours=3))
    chosen = site(years("log", 2), years("recording", 1))
    sweep(world, chosen, later(years=2, days=1))
    (entry,) = world.entries("retention")
    rules = entry.pop("rules")
    assert len(rules) == 64
    last = NOON + timedelta(hours=3)
    assert entry == {
        "campaign": NAME, "attempts": 2, "promises": 2, "recordings": 2, "records": 2,
        "accounts": 0, "contacts": 0, "attempts_until": int(last.timestamp()) * 1_000_000,
    }  # fmt: skip


def test_what_a_law_kept_of_one_who_is_forgotten_goes_when_it_ends(world: World) -> None:
    world.call("HD-1")
    chosen = site(years("recording", 3, level="law"), years("log", 4, level="law"),
                  years("log", 50), years("recording", 50))  # fmt: skip
    kept = Keeping(tuple(chosen.rules.retention), "collection", "Asia/Ho_Chi_Minh")
    world.forget("HD-1", rules={NAME: kept})
    assert sweep(world, chosen, later(years=3)) == {}
    assert sweep(world, chosen, later(years=3, days=1)) == {"recordings": 1}
    assert sweep(world, chosen, later(years=4, days=1)) == {"numbers": 1, "records": 1}
    (record,) = world.store.attempts(NAME, unseal=True)
    assert (record.phone, record.recording) == ("", "")
    assert [entry["reason"] for entry in world.entries("person")][1:] == ["retention"] * 2


def test_data_of_the_forgotten_that_came_back_with_a_file_goes_again(world: World) -> None:
    world.forget("HD-1")
    parts = world.store.parts
    sealed = PersonStore(parts).find("HD-2").contacts[0]
    with parts.database.writing():
        other = PersonStore(parts).find("HD-1").contacts[0]
        text = b'{"name": "Name 1", "phone": "+84900000001", "zone": "", "language": ""}'
        fresh = parts.vault.seal(text, f"contact:{other.person_hash}")
        parts.database.run("UPDATE contact SET sealed = ? WHERE id = ?", (fresh, other.id))
    assert "Name 1" in world.everything() and sealed.contact is not None
    assert sweep(world, site(), later(days=1)) == {"contacts": 1}
    assert "Name 1" not in world.everything() and "Name 2" in world.everything()


@pytest.mark.postgres
def test_recordings_of_another_daemon_are_left_to_it(world: World) -> None:
    world.call("HD-1")
    chosen = site(years("log", 1), years("recording", 1))
    assert sweep(world, chosen, later(years=3), daemon="elsewhere") == {}
    assert len(list(world.store.attempts(NAME))) == 1
    assert sweep(world, chosen, later(years=3))["attempts"] == 1


def test_a_piece_looks_at_no_more_than_it_may(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(1, 7):
        world.call(f"HD-{n}", at=NOON + timedelta(days=40 * n))
    monkeypatch.setattr(retention, "PAGE", 2)
    chosen = site(years("log", 1), years("recording", 1))
    looked = Sweep(chosen, world.files, "main", later(years=3))
    pieces = []
    while not looked.ended:
        piece = looked.look(world.store)
        pieces.append(piece)
        if piece is not None:
            assert len(piece.attempts) <= 2
            looked.remove_files(piece)
            looked.write(world.store, piece)
    assert looked.counts["attempts"] == 6 and len(pieces) >= 7


def test_cut_off_between_files_and_rows_the_next_run_goes_on(world: World) -> None:
    world.call("HD-1")
    chosen = site(years("log", 1), years("recording", 1))
    cut = Sweep(chosen, world.files, "main", later(years=3))
    piece = cut.look(world.store)
    assert piece is not None
    cut.remove_files(piece)
    (record,) = world.store.attempts(NAME)
    assert record.recording  # the row still names what is gone
    found = sweep(world, chosen, later(years=3))
    assert found["attempts"] == 1 and "recordings" not in found
    assert list(world.store.attempts(NAME)) == []


SWEEPER = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.shell.store_world import open_store
from tests.shell.test_retention import later, site, years
from duecall.shell import retention
from duecall.shell.call_files import CallFiles
from duecall.shell.retention import Sweep, sweep_all

folder = Path(sys.argv[1])
retention.PAGE = 3
store = open_store(folder, daemon="main")
files = CallFiles(folder / "recordings", folder / "cdr")
sweep = Sweep(site(years("log", 1), years("recording", 1)), files, "main", later(years=3))
print("ready", flush=True)
while not sweep.ended:
    piece = sweep.look(store)
    if piece is not None:
        sweep.remove_files(piece)
        print("files", flush=True)
        sweep.write(store, piece)
        print("rows", flush=True)
"""


@pytest.mark.parametrize("lines", [1, 4, 9, 14])
def test_killed_in_the_middle_the_books_agree_and_nothing_is_left(
    tmp_path: Path, lines: int
) -> None:
    world = World(tmp_path, [person_row(n, contract=f"HD-{n}") for n in range(1, 41)])
    targets = world.store.due_targets(NAME, NOON, 50)
    plans = [attempt(one, NOON + timedelta(hours=n)) for n, one in enumerate(targets)]
    world.store.apply([save(one, plan.at) for one, plan in zip(targets, plans, strict=True)])
    world.store.apply([outcome(p, at=p.at, recording=recording_name(p)) for p in plans])
    for plan in plans:
        path = world.files.recording(recording_name(plan))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")
    child = subprocess.Popen(
        [sys.executable, "-c", SWEEPER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for _ in range(lines):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    store = open_store(tmp_path)
    left = list(store.attempts(NAME))
    counts = store.status_counts(NAME)
    assert counts.attempts == len(left) == sum(counts.outcomes.values())
    assert sum(entry["attempts"] for entry in world.entries("retention")) == 40 - len(left)
    sweep(world, site(years("log", 1), years("recording", 1)), later(years=3))
    assert list(store.attempts(NAME)) == [] and not list(tmp_path.rglob("*.wav"))
    assert sum(entry["attempts"] for entry in world.entries("retention")) == 40


@pytest.mark.sqlite
@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_rules_nothing_goes_before_its_time(tmp_path: Path, seed: int) -> None:
    """Against a judge of its own: per call, the longest time of all rules in days."""
    chance = random.Random(seed)
    world = World(tmp_path, [person_row(n, contract=f"HD-{n}") for n in range(1, 31)])
    day_of = {}
    for n in range(1, 31):
        at = NOON + timedelta(days=chance.randrange(0, 2_000), minutes=chance.randrange(1_440))
        day_of[world.call(f"HD-{n}", at=at)] = (at + timedelta(hours=7)).date()
    done_with(world)
    rules = [
        years(chance.choice(["log", "recording"]), chance.randrange(1, 6),
              level=chance.choice(["law", "policy", "standard"]))
        for _ in range(4)
    ]  # fmt: skip
    longest = {
        what: max((one["years"] for one in rules if one["what"] == what), default=None)
        for what in ("log", "recording")
    }

    def is_over(what: str, day: date, today: date) -> bool:
        count = longest[what]
        return count is not None and today > years_after(day, count)

    removed = 0
    for days in sorted(chance.randrange(0, 4_500) for _ in range(6)):
        now = NOON + timedelta(days=days, hours=chance.randrange(24))
        today = (now + timedelta(hours=7)).date()
        removed += sum(sweep(world, site(*rules), now).values())
        left = {one.id: one for one in world.store.attempts(NAME)}
        for attempt_id, day in day_of.items():
            over = is_over("recording", day, today)
            assert (attempt_id in left) is not (over and is_over("log", day, today))
            if attempt_id in left:
                assert bool(left[attempt_id].recording) is not over
        names = {one.recording for one in left.values() if one.recording}
        there = {str(p.relative_to(tmp_path / "recordings")) for p in tmp_path.rglob("*.wav")}
        assert there == names
    assert removed or None in longest.values()


def test_years_after_a_29_february() -> None:
    assert years_after(date(2028, 2, 29), 1) == date(2029, 3, 1)
    assert years_after(date(2028, 2, 29), 4) == date(2032, 2, 29)
    assert years_after(date(2027, 2, 28), 1) == date(2028, 2, 28)


def test_rules_of_another_purpose_are_not_about_it() -> None:
    marketing = rule("log", 9, purpose="marketing")
    both = Keeping((marketing, rule("log", 1)), "collection", "UTC")
    kept = both.kept("log", date(2026, 1, 1), None, date(2026, 1, 1))
    assert kept is not None and kept.until == date(2027, 1, 1)
