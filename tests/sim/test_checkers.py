"""The checkers judge by the log alone, and import nothing that they judge."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import date, datetime, time, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from duecall.core.outcome import Outcome
from duecall.core.retry import OUR_FAULT
from duecall.shell import daemon_store, originate_line, other_daemons, switch_calls
from duecall.sim import leases, setting, switch
from duecall.sim.checkers import judge
from duecall.sim.checkers.l2_calling_hours import may_ring
from duecall.sim.checkers.l3_caps import NOT_COUNTED
from duecall.sim.checkers.l4_stops import ENDS
from duecall.sim.checkers.l6_one_true_outcome import PRESSED, UNANSWERED, true_outcome
from duecall.sim.truth import Books, CampaignRules, Entry, Rules, Story, Truth

ROOT = Path(__file__).resolve().parents[2]
SIM = ROOT / "daemon" / "duecall" / "sim"
JUDGES = [*sorted((SIM / "checkers").glob("*.py")), SIM / "truth.py"]
OWN = ("duecall.sim.checkers", "duecall.sim.truth", "duecall.audit")  # the audit imports nothing
HOURS = ((time(8), time(12)), (time(13), time(20)))
CAMPAIGN = CampaignRules(HOURS, (date(2026, 11, 24),), 2, {"busy": 1}, 60, 30, 60)
NUMBER, ZONE = "n1", "Asia/Ho_Chi_Minh"
RULES = Rules(2, 1.0, 20, 60, {"overdue": CAMPAIGN}, {NUMBER: (ZONE,), "n2": (ZONE,)})
NOON = datetime.fromisoformat("2026-11-23T07:00:00+00:00")


@pytest.mark.parametrize("path", JUDGES, ids=lambda path: path.stem)
def test_a_checker_imports_nothing_that_it_judges(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            mine = (node.module or "").startswith(OWN)
            assert mine or not (node.module or "").startswith(("duecall", "fs_scripts"))
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith(("duecall", "fs_")) for alias in node.names)


def entry(at_s: float, what: str, attempt: str = "x", **fields: object) -> Entry:
    made = Entry(at_s, what, "a", attempt, NUMBER, 1, "overdue", NOON)
    return made._replace(**fields)


TALK = Truth(True, "NORMAL_CLEARING", 200, "ran", share_heard=1.0)
WELL = (
    entry(0.0, "born"),
    entry(1.0, "saved"),
    entry(1.1, "sent"),
    entry(1.1, "arrived"),
    entry(5.0, "answered"),
    entry(17.0, "gone", truth=TALK),
    entry(17.1, "decided", value="delivered"),
    entry(17.2, "settled", value="delivered"),
)
BOOKS = Books(
    targets={1: "done"},
    campaign_of={1: "overdue"},
    number_of={1: NUMBER},
    reasons={1: "delivered"},
    counted={"saved": 1, "delivered": 1},
    states={"overdue": "finished"},
)


def story(*log: Entry, books: Books = BOOKS) -> Story:
    return Story(1, 1, RULES, list(log), books, bound_s=1e6)


def test_a_story_in_which_all_is_well_is_left_in_peace() -> None:
    assert judge(story(*WELL)) == []


STOP = {"number": "dnc contact person 1 ", "attempt": ""}
LATE = NOON.replace(hour=12, minute=59, second=40)  # 19:59:40 there: it would ring past 20:00
OTHER = Truth(False, "USER_BUSY", 486)


@pytest.mark.parametrize(
    ("law", "more"),
    [
        ("L1", [entry(2.0, "saved", "y"), entry(2.0, "sent", "y")]),
        ("L2", [entry(2.0, "sent", "y", number="n2", wall=LATE)]),
        ("L3", [entry(20.0, "sent", "y")]),
        ("L4", [entry(20.0, "sent", "y")]),
        ("L4", [entry(20.0, "stopped"), entry(21.0, "saved", "y")]),
        ("L4", [entry(20.0, "told", "", number="", campaign="", value="drain"),
                entry(21.0, "sent", "y")]),
        ("L4", [entry(1.05, "barred", **STOP), entry(1.06, "told", "", number="", campaign="",
                                                     value="stops")]),
        ("L4", [entry(0.9, "barred", **STOP)]),
        ("L5", [entry(20.0, "sent")]),
        ("L5", [entry(20.0, "sent", "y")]),
        ("L6", [entry(20.0, "decided", value="busy")]),
        ("L6", [entry(20.0, "settled", value="delivered")]),
        ("L7", [entry(2.0, "arrived", "y", number="n2")]),
        ("L8", [entry(5.0, "parked", "y"), entry(40.0, "said", "y")]),
        ("L9", [entry(20.0, "saved", "y")]),
    ],
)  # fmt: skip
def test_each_law_that_is_broken_is_seen(law: str, more: list[Entry]) -> None:
    log = sorted([*WELL, *more], key=lambda line: line.at_s)
    assert any(line.startswith(law + ":") for line in judge(story(*log)))


NOON_US = 1_795_417_200_000_000  # NOON


@pytest.mark.parametrize(
    "more",
    [
        [entry(1.05, "barred", **STOP)],  # saved before, and the daemon does not know
        [entry(0.5, "barred", value=str(NOON_US), **STOP)],  # it ended just now
        [entry(0.5, "barred", **STOP), entry(0.6, "freed", "", value=STOP["number"])],
        [entry(0.5, "barred", target=2, **STOP)],  # somebody else
    ],
)
def test_a_stop_that_does_not_hold_or_is_not_known_breaks_nothing(more: list[Entry]) -> None:
    assert int(NOON.timestamp()) * 1_000_000 == NOON_US
    log = sorted([*WELL, *more], key=lambda line: line.at_s)
    assert judge(story(*log)) == []


def test_an_outcome_that_is_not_true_is_seen() -> None:
    log = [x._replace(truth=OTHER) if x.what == "gone" else x for x in WELL]
    assert any("yet truly busy" in line for line in judge(story(*log)))


def test_unknown_is_believed_only_where_the_evidence_was_lost() -> None:
    books = replace(BOOKS, counted={"saved": 1, "unknown": 1}, reasons={1: "no rule"})
    log = [x._replace(value="unknown") if x.value == "delivered" else x for x in WELL]
    assert any("there is evidence" in line for line in judge(story(*log, books=books)))
    asked = entry(17.05, "no_evidence")
    found = judge(story(*log[:-2], asked, *log[-2:], books=books))
    assert not any("there is evidence" in line for line in found)
    record = entry(17.01, "record", value="17.02")
    found = judge(story(*log[:-2], record, asked, *log[-2:], books=books))
    assert any("there is evidence" in line for line in found), "the record was whole by then"


@pytest.mark.parametrize(
    "books",
    [
        replace(BOOKS, targets={1: "waiting"}),
        replace(BOOKS, states={"overdue": "running"}),
        replace(BOOKS, channels=("x",)),
        replace(BOOKS, left_over=("numbers are busy for ever",)),
        replace(BOOKS, targets={1: "done", 2: "done"}, number_of={1: NUMBER, 2: "n2"},
                reasons={1: "", 2: "enough"}, campaign_of={1: "overdue", 2: "overdue"}),
    ],
)  # fmt: skip
def test_what_is_left_over_is_seen(books: Books) -> None:
    assert any(line.startswith("L10:") for line in judge(story(*WELL, books=books)))


@pytest.mark.parametrize(
    ("local", "open_"),
    [
        ("2026-11-23T07:59:59", False),
        ("2026-11-23T08:00:00", True),
        ("2026-11-23T11:59:30", True),
        ("2026-11-23T11:59:31", False),
        ("2026-11-23T12:30:00", False),
        ("2026-11-23T19:59:30", True),
        ("2026-11-23T20:00:00", False),
        ("2026-11-24T10:00:00", False),
    ],
)
def test_hours(local: str, open_: bool) -> None:
    zone = ZoneInfo(ZONE)
    assert may_ring(CAMPAIGN, zone, datetime.fromisoformat(local).replace(tzinfo=zone)) is open_


@pytest.mark.parametrize(
    ("utc", "open_"),
    [
        ("2026-11-01T05:20:00", True),  # 01:20, for the first time
        ("2026-11-01T06:20:00", True),  # 01:20 once more
        ("2026-11-01T06:29:50", False),  # it would ring at 01:30, which is closed
        ("2027-03-14T06:59:50", True),  # 01:59:50; ten seconds later it is 03:00
        ("2027-03-14T08:29:50", False),
        ("2026-11-02T03:59:50", True),  # rings over midnight, and both days are open
    ],
)
def test_hours_in_the_night_in_which_clocks_are_changed(utc: str, open_: bool) -> None:
    hours = ((time(0), time(1, 30)), (time(1, 45), time(3, 30)), (time(20), time(0)))
    rules = replace(CAMPAIGN, hours=hours)
    at = datetime.fromisoformat(utc).replace(tzinfo=timezone.utc)
    assert may_ring(rules, ZoneInfo("America/New_York"), at) is open_


def test_own_tables_speak_of_the_same_outcomes() -> None:
    """They are written anew, not imported; a word that the product does not know is a slip."""
    known = {outcome.value for outcome in Outcome}
    assert set(PRESSED.values()) | set(UNANSWERED.values()) <= known
    assert {o.value for o in Outcome if o.ends_campaign} == ENDS
    assert {o.value for o in Outcome if not o.counts} == set(NOT_COUNTED)
    assert true_outcome(Truth(True, "NORMAL_CLEARING", script="none")) == "hung_up"


def test_the_twins_have_the_numbers_of_those_whom_they_pretend_to_be() -> None:
    assert setting.PARK_GRACE_S == originate_line.PARK_GRACE_S
    assert (switch.GRACE_S, switch.UNANSWERED_GRACE_S) == (
        switch_calls.GRACE_S,
        switch_calls.UNANSWERED_GRACE_S,
    )
    assert (leases.LEASE_S, leases.RENEW_S) == (daemon_store.LEASE_S, daemon_store.RENEW_S)
    assert leases.LONGEST_TALK_S == daemon_store.LONGEST_TALK_S
    assert (leases.NEWS_S, leases.GRACE_S) == (other_daemons.POLL_S, other_daemons.GRACE_S)
    assert set(setting.OUR_FAULT.values()) == {OUR_FAULT.times}
