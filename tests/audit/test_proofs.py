"""What only a small log shows: two calls at once, stops with an end, who came before whom."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from duecall.audit.log import NOT_TOLD, Attempt, Grounds, Log, Stop
from duecall.audit.proofs import Proof, prove
from duecall.core.rule_merge import merge
from duecall.core.rule_pack import RulePack
from tests.core.rule_world import capped, small_pack

SECOND = 1_000_000
HOUR = 3_600 * SECOND
NOON = 1_795_410_000 * SECOND  # 2026-11-23 12:00 in Hanoi
FREE = small_pack(hours=[{"days": "all", "spans": [{"from": "00:00", "to": "24:00"}]}])


class Small:
    """A log that grows entry by entry. Chains count for themselves."""

    def __init__(self, pack: dict[str, Any] = FREE) -> None:
        rules = merge(RulePack.model_validate(pack))
        self.log = Log(documents={rules.digest: rules.text}, packs={"test": [json.dumps(pack)]})
        self.rules = rules.digest
        self._seqs: dict[str, int] = {}

    def entry(self, chain: str, kind: str, at: int, attempt: str, body: dict[str, Any]) -> None:
        if chain not in self._seqs:
            self._seqs[chain] = 0
            noted = {"campaign": "x", "campaign_digest": "", "pack": "test", "rules": self.rules}
            self.entry(chain, "rules", at, "", {**noted, "changes": []})
        self._seqs[chain] += 1
        self.log.take(chain, self._seqs[chain], at, kind, 0, attempt, body)

    def call(self, name: str, at: int, chain: str = "d", **fields: Any) -> None:
        """fields: of Attempt. The row is as it stands at the end, the entry as it was written."""
        row = Attempt(
            name, 0, "x", "n", "", "", len(self.log.attempts), at, at, at, None, None, None,
            "", "", 0, 63, 15,
        )._replace(**fields)  # fmt: skip
        self.log.attempts.append(row)
        body = {
            "campaign": "x",
            "campaign_digest": "",
            "contacts_digest": "",
            "rules": self.rules,
            "number": row.number,
            "contact": row.contact,
            "account": row.account,
            "try": row.try_no,
            "zones": ["Asia/Ho_Chi_Minh"],
            "line": "",
            "regions": [],
            "consents": [],
            "flags": [],
            "conduct": {
                "channels": 4,
                "ring_s": 30,
                "zone": "UTC",
                "purpose": "collection",
                "label": "",
            },
        }
        self.entry(chain, "call", row.saved_us, name, body)

    def end(self, name: str, at: int, outcome: str = "busy", chain: str = "d", **more: Any) -> None:
        number = next(n for n, one in enumerate(self.log.attempts) if one.id == name)
        events = {"busy": 0, "no_answer": 1, "opted_out": 7, "unknown": 63, "technical": 0}[outcome]
        one = self.log.attempts[number]._replace(
            settled_us=at,
            outcome=outcome,
            cause=more.get("cause", ""),
            events=events,
            channels=15 if outcome == "unknown" else 4,
        )
        rang = outcome != "busy" and one.rang_us is not None
        if not rang:
            one = one._replace(rang_us=None)
        self.log.attempts[number] = one
        body = {
            "outcome": outcome,
            "cause": one.cause,
            "events": events,
            "channels": one.channels,
            "rang": rang,
            "answered": outcome == "opted_out",
            "heard_ms": 0,
            **more,
        }
        self.entry(chain, "ended", at, name, body)

    def in_zones(self, zones: tuple[str, ...]) -> Grounds:
        """The grounds of the last call, were it made there."""
        return replace(self.log.calls[-1].grounds, zones=zones)

    def stop(self, at: int, lifted: bool = False, chain: str = "cli", **fields: Any) -> None:
        body = {
            "key_kind": "number",
            "key": "n",
            "campaign": "",
            "kind": "dnc",
            "expires": None,
            "source": "a letter",
            "lifted": lifted,
            **fields,
        }
        self.entry(chain, "stop", at, "", body)
        if not lifted:
            self.log.stops.append(
                Stop(body["key_kind"], body["key"], body["campaign"], "dnc", at, body["expires"])
            )

    def proof(self, *days: int) -> Proof:
        return prove(self.log, *days)

    def found(self) -> set[tuple[str, str, str]]:
        return {(one.law, one.rule, one.attempt) for one in self.proof().violations}


def test_a_number_with_two_live_calls_breaks_l1() -> None:
    small = Small()
    small.call("a", NOON)
    small.call("b", NOON + 10 * SECOND)
    small.end("a", NOON + 20 * SECOND)
    small.end("b", NOON + 30 * SECOND)
    assert small.found() == {("L1", "live", "b")}
    small.log.attempts[1] = small.log.attempts[1]._replace(number="other")
    small.log.calls[1] = small.log.calls[1]._replace(number="other")
    assert small.found() == set()


@pytest.mark.parametrize("first", ["d", "e"])
def test_one_that_never_ends_is_live_for_ever(first: str) -> None:
    small = Small()
    small.call("a", NOON, first)
    small.call("b", NOON + 900 * HOUR)
    assert small.found() == {("L1", "live", "b")}


def test_a_clock_that_is_put_back_makes_no_two_calls_of_one_after_the_other() -> None:
    small = Small(capped(1, rolling_hours="1", per="number"))
    small.call("a", NOON)
    small.end("a", NOON + 20 * SECOND)
    small.call("b", NOON - HOUR + SECOND)  # the clock was put back by an hour
    small.end("b", NOON - HOUR + 30 * SECOND)
    assert small.found() == set(), "a was busy, and the chain tells that it came first"
    small = Small(capped(1, rolling_hours="1", per="number"))
    small.call("a", NOON)
    small.end("a", NOON + 20 * SECOND, "no_answer")
    small.call("b", NOON - HOUR + SECOND)
    small.end("b", NOON - HOUR + 30 * SECOND)
    assert small.found() == {("L3", "t.caps-0", "b")}, "what lies ahead of the clock counts too"


def test_between_chains_the_clocks_tell_who_was_first() -> None:
    pack = capped(1, calendar="day", per="number")
    for other in ("d", "e"):
        small = Small(pack)
        small.call("a", NOON)
        small.end("a", NOON + 20 * SECOND, "no_answer")
        small.call("b", NOON + HOUR, other)
        small.end("b", NOON + HOUR + 20 * SECOND, chain=other)
        assert small.found() == {("L3", "t.caps-0", "b")}


def test_a_call_that_goes_on_counts_as_everything() -> None:
    pack = capped(1, calendar="day", per="contact")
    small = Small(pack)
    small.call("a", NOON, contact="p", number="m")
    small.call("b", NOON + 10 * SECOND, contact="p")
    small.end("a", NOON + 20 * SECOND)
    small.end("b", NOON + 30 * SECOND)
    assert small.found() == {("L3", "t.caps-0", "b")}
    small = Small(pack)
    small.call("a", NOON, contact="p", number="m")
    small.end("a", NOON + 20 * SECOND)  # busy: of no class
    small.call("b", NOON + 30 * SECOND, contact="p")
    assert small.found() == set()


def test_what_was_taken_back_was_no_call() -> None:
    pack = small_pack(hours=[{"days": "all", "spans": [{"from": "08:00", "to": "11:00"}]}])
    small = Small(pack)
    small.call("a", NOON, sent_us=None, rang_us=None)
    assert small.found() == {("L2", "t.hours-0", "a")}
    small.end("a", NOON + SECOND, "technical", cause="NOT_SENT")
    assert small.found() == set()
    proof = small.proof()
    assert (proof.attempts, proof.judged, proof.unsent) == (1, 0, 1)


def test_one_that_may_never_have_been_sent_is_not_judged_by_what_others_did_meanwhile() -> None:
    pack = capped(1, calendar="day", per="number")
    small = Small(pack)
    small.call("a", NOON)
    small.end("a", NOON + 20 * SECOND, "no_answer")
    small.call("b", NOON + HOUR, sent_us=None, rang_us=None)
    small.end("b", NOON + 2 * HOUR, "unknown")
    assert small.found() == set()
    assert small.proof().doubtful == 1
    small.call("c", NOON + 3 * HOUR)
    assert small.found() == {("L3", "t.caps-0", "c")}, "but it counts for those that follow"


def test_a_doubtful_one_counts_for_those_who_could_know_of_it() -> None:
    """Saved by another daemon after this one had looked, and perhaps never sent."""
    for later, broken in ((5 * SECOND, False), (-5 * SECOND, True)):
        small = Small(capped(1, calendar="day", per="contact"))
        small.call("a", NOON, contact="p", sent_us=NOON + 7 * SECOND)
        doubtful = {"number": "m", "contact": "p", "sent_us": None, "rang_us": None}
        small.call("b", NOON + later, "e", **doubtful)
        small.end("b", NOON + HOUR, "unknown", chain="e")
        assert small.found() == ({("L3", "t.caps-0", "a")} if broken else set())


def test_clocks_of_two_machines_may_differ_a_little() -> None:
    for late_s, broken in ((1, False), (3, True)):
        small = Small(capped(1, calendar="day", per="contact"))
        small.call("a", NOON - 30 * SECOND, "e", contact="p", number="m")
        small.end("a", NOON + late_s * SECOND, chain="e")  # busy
        small.call("b", NOON, contact="p")
        assert small.found() == ({("L3", "t.caps-0", "b")} if broken else set())


def test_the_bound_does_not_count_what_came_later_by_a_clock_that_was_put_back() -> None:
    rule = {"max_ratio": "0.5", "grace": "2s", "window": {"calendar": "day"}}
    small = Small(small_pack(abandonment=[rule]))
    small.call("a", NOON)
    small.end("a", NOON - HOUR, "unknown")
    assert small.found() == set()
    small.call("b", NOON)
    assert ("L8", "t.abandonment-0", "b") in small.found()


def test_stops_hold_from_their_entry_on() -> None:
    small = Small()
    small.call("a", NOON)
    small.end("a", NOON + 20 * SECOND)
    small.stop(NOON + 30 * SECOND)
    small.call("b", NOON + 40 * SECOND)
    small.end("b", NOON + 50 * SECOND)
    assert small.found() == set(), "an order that waited for the database may come later"
    small.call("c", NOON + 70 * SECOND)
    small.end("c", NOON + 80 * SECOND)
    assert small.found() == {("L4", "stop.dnc", "c")}


@pytest.mark.parametrize(
    ("fields", "stopped"),
    [
        ({}, True),
        ({"campaign": "x"}, True),
        ({"campaign": "y"}, False),
        ({"expires": NOON + HOUR}, False),
        ({"expires": NOON + HOUR + 1}, True),
        ({"key": "m"}, False),
        ({"key_kind": "contact", "key": "p"}, True),
        ({"key_kind": "account", "key": "7"}, True),
        ({"key_kind": "prefix", "key": "+8490"}, True),
        ({"key_kind": "prefix", "key": "+8491"}, False),
    ],
)
def test_whom_a_stop_forbids_to_call(fields: dict[str, Any], stopped: bool) -> None:
    small = Small()
    small.stop(NOON, **fields)
    small.call("a", NOON + HOUR, contact="p", account="7", phone="+84901234567")
    assert small.found() == ({("L4", "stop.dnc", "a")} if stopped else set())


def test_a_stop_that_was_lifted_holds_no_longer_but_was_there() -> None:
    small = Small()
    small.stop(NOON)
    small.stop(NOON + HOUR, lifted=True)
    small.log.stops.clear()
    small.call("b", NOON + HOUR + 40 * SECOND)
    small.end("b", NOON + 2 * HOUR)
    assert small.found() == set()
    small.call("a", NOON + 50 * SECOND, "e")
    small.end("a", NOON + 60 * SECOND, chain="e")
    assert small.found() == {("L4", "stop.dnc", "a")}
    small.stop(NOON + 3 * HOUR)
    small.call("c", NOON + 4 * HOUR)
    assert ("L4", "stop.dnc", "c") in small.found(), "it was entered again"


def test_an_opt_out_stops_the_number_by_itself() -> None:
    small = Small()
    small.call("a", NOON)
    small.end("a", NOON + 20 * SECOND, "opted_out")
    small.call("b", NOON + 21 * SECOND)
    assert small.found() == {("L4", "stop.opted_out", "b")}


def test_a_list_that_was_read_in_binds_when_it_is_read() -> None:
    small = Small()
    small.log.stops.append(Stop("number", "n", "", "dnc", NOON))
    small.call("a", NOON + 60 * SECOND)
    small.end("a", NOON + 70 * SECOND)
    assert small.found() == set()
    small.call("b", NOON + HOUR)
    assert small.found() == {("L4", "stop.dnc", "b")}


def test_each_try_once_and_each_attempt_one_outcome() -> None:
    small = Small()
    small.call("a", NOON, try_no=1)
    small.end("a", NOON + 20 * SECOND)
    small.call("b", NOON + HOUR, try_no=1)
    small.end("b", NOON + HOUR + 20 * SECOND)
    assert small.found() == {("L5", "twice", "b")}
    one = small.log.attempts.pop()
    small.log.attempts.append(one._replace(outcome="perhaps", try_no=2))
    small.log.calls[1] = small.log.calls[1]._replace(try_no=2)
    assert {(law, rule) for law, rule, _ in small.found()} == {
        ("L6", "outcome"),
        ("books", "ended"),
        ("books", "events"),
        ("books", "channels"),
    }


def test_the_time_of_sending_is_compared_where_the_entry_tells_it() -> None:
    small = Small()
    small.call("a", NOON)
    small.end("a", NOON + 20 * SECOND, sent=NOON)
    assert small.log.ended[0].sent_us == NOON != NOT_TOLD
    assert small.found() == set()
    small.log.attempts[0] = small.log.attempts[0]._replace(sent_us=NOON + SECOND)
    assert small.found() == {("books", "ended", "a")}


def test_only_the_days_that_are_asked_for_are_judged_by_all_that_was_before() -> None:
    small = Small(capped(1, calendar="day", per="number"))
    for number, name in enumerate("abc"):
        small.call(name, NOON + number * HOUR)
        small.end(name, NOON + number * HOUR + 20 * SECOND, "no_answer")
    assert {one.attempt for one in small.proof().violations} == {"b", "c"}
    assert {one.attempt for one in small.proof(NOON + 2 * HOUR).violations} == {"c"}
    assert {one.attempt for one in small.proof(0, NOON + 2 * HOUR).violations} == {"b"}


def test_calls_of_before_the_ledger_are_past_calls_only() -> None:
    small = Small(capped(1, calendar="day", per="number"))
    small.call("a", NOON, rang_us=None)
    small.end("a", NOON + 20 * SECOND, "unknown")
    small.call("b", NOON + HOUR)
    small.log.calls.pop(0)
    small.log.ended.pop(0)
    assert ("books", "no-call", "a") in small.found()
    small.log.since_us = NOON + 1
    assert small.found() == {("L3", "t.caps-0", "b")}
    assert small.proof().older == 1


def test_who_takes_up_a_new_file_a_moment_later_is_judged_by_the_one_he_had() -> None:
    """The entry names the version that is stored; the daemon hears of it after that."""
    small = Small()
    texts = [f"calendar: {{hours: [{{from: '08:00', to: '{end}:00'}}]}}\n" for end in (13, 11)]
    old, new = (hashlib.sha256(text.encode()).hexdigest() for text in texts)
    small.log.documents.update({old: texts[0], new: texts[1]})
    body = {"campaign": "x", "pack": "test", "rules": small.rules, "changes": []}
    small.entry("d", "rules", NOON - HOUR, "", {**body, "campaign_digest": old})
    small.call("a", NOON)
    small.log.calls[0] = small.log.calls[0]._replace(grounds=_version(small, new))
    small.entry("d", "rules", NOON + SECOND, "", {**body, "campaign_digest": new})
    assert small.found() == set()
    small.end("a", NOON + 20 * SECOND)
    small.call("b", NOON + 60 * SECOND)
    small.log.calls[1] = small.log.calls[1]._replace(grounds=_version(small, new))
    assert small.found() == {("L2", "campaign.calendar", "b")}


def _version(small: Small, digest: str) -> Any:
    return replace(small.log.calls[-1].grounds, campaign_digest=digest)


def test_a_call_that_was_judged_by_nothing_is_told() -> None:
    small = Small()
    small.call("a", NOON)
    call = small.log.calls[0]
    small.log.calls[0] = call._replace(grounds=_grounds_of_nothing(small))
    assert small.found() == {("rules", "not-noted", "a"), ("rules", "document", "a")}


def _grounds_of_nothing(small: Small) -> Any:
    log = Log()
    body = {"campaign": "x", "campaign_digest": "", "contacts_digest": "", "rules": "", "try": 0}
    body |= {"number": "n", "contact": "", "account": ""}
    log.take("d", 1, 0, "call", 0, "a", body)
    return log.calls[0].grounds


@pytest.mark.parametrize("kind", ["call", "ended"])
def test_an_entry_without_what_its_kind_has_is_refused(kind: str) -> None:
    with pytest.raises(KeyError):
        Log().take("d", 1, 0, kind, 0, "a", {})
