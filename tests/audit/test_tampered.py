"""One honest log, and what may be done to it: each is found, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from duecall.audit.chains import Anchor
from duecall.audit.sources import AuditError
from duecall.shell.vault import new_key_text
from tests.audit.tampering import HOUR, MINUTE, Copy

Make = Callable[[], Copy]
Found = set[tuple[str, str]]


def body_changed(log: Copy) -> None:
    seq = log.seq("refused", 3)
    log.write(seq, {**log.body(seq), "reason": "another"})


def time_changed(log: Copy) -> None:
    log.run("UPDATE ledger SET at = at + 1 WHERE seq = ?", log.seq("refused", 3))


def entry_removed(log: Copy) -> None:
    log.run("DELETE FROM ledger WHERE seq = ?", log.seq("refused", 3))


def entry_removed_and_closed_up(log: Copy) -> None:
    gone, last = log.seq("refused", -1), log.one("SELECT seq FROM chain")
    log.run("DELETE FROM ledger WHERE seq = ?", gone)
    for seq in range(gone + 1, last + 1):
        log.move(seq, seq - 1)
    log.run("UPDATE chain SET seq = seq - 1")


def entry_put_in(log: Copy) -> None:
    last = log.one("SELECT seq FROM chain")
    log.run(
        "INSERT INTO ledger SELECT lender_id, chain, ?, at, kind, target_id, attempt_id, body, hash"
        " FROM ledger WHERE seq = ?",
        last + 1,
        log.seq("refused"),
    )
    log.run("UPDATE chain SET seq = ?, hash = (SELECT hash FROM ledger WHERE seq = ?)",
            last + 1, last + 1)  # fmt: skip


def entries_swapped(log: Copy) -> None:
    one, other = log.seq("refused", 3), log.seq("refused", 4)
    log.move(one, 0)
    log.move(other, one)
    log.move(0, other)


def whole_entry_of_another_chain(log: Copy) -> None:
    log.run("UPDATE ledger SET chain = 'other'")
    log.run("UPDATE chain SET name = 'other'")


def chain_cut(log: Copy) -> None:
    log.cut(1)


def head_put_back(log: Copy) -> None:
    seq = log.one("SELECT seq FROM chain") - 1
    log.run("UPDATE chain SET seq = ?, hash = (SELECT hash FROM ledger WHERE seq = ?)", seq, seq)


def head_removed(log: Copy) -> None:
    log.run("DELETE FROM chain")


def attempt_removed(log: Copy) -> None:
    (attempt,) = log.run("SELECT id FROM attempt WHERE outcome = 'no_answer' LIMIT 1")
    log.run("DELETE FROM attempt WHERE id = ?", attempt[0])


def attempt_put_in(log: Copy) -> None:
    log.run("CREATE TEMP TABLE one AS SELECT * FROM attempt WHERE outcome = 'busy' LIMIT 1")
    log.run("UPDATE one SET id = 'another', saved_at = saved_at + ?, settled_at = settled_at + ?,"
            " sent_at = NULL, number = 99", 40 * 24 * HOUR, 40 * 24 * HOUR)  # fmt: skip
    log.run("INSERT INTO attempt SELECT * FROM one")


def attempt_moved_into_hours(log: Copy) -> None:
    log.run("UPDATE attempt SET saved_at = saved_at + ?, sent_at = sent_at + ? WHERE id ="
            " (SELECT id FROM attempt WHERE outcome = 'busy' LIMIT 1)",
            MINUTE // 60, MINUTE // 60)  # fmt: skip


def outcome_changed(log: Copy) -> None:
    log.run("UPDATE attempt SET outcome = 'busy' WHERE outcome = 'opted_out'")


def events_lowered(log: Copy) -> None:
    log.run("UPDATE attempt SET events = 1 WHERE outcome = 'promised'")


def number_changed(log: Copy) -> None:
    log.run("UPDATE attempt SET phone_hash = 'f' || phone_hash WHERE outcome = 'opted_out'")


def person_changed(log: Copy) -> None:
    log.run("UPDATE attempt SET contact_key = 'f' || contact_key WHERE outcome = 'hung_up'")


def end_taken_back(log: Copy) -> None:
    log.run("UPDATE attempt SET settled_at = NULL, outcome = NULL WHERE outcome = 'delivered'")


def seen_ringing(log: Copy) -> None:
    sql = "UPDATE attempt SET answered_at = saved_at WHERE outcome = 'no_answer'"
    log.run(sql)


def stop_removed(log: Copy) -> None:
    log.run("DELETE FROM stop WHERE kind = 'dispute'")


def stop_made_shorter(log: Copy) -> None:
    log.run("UPDATE stop SET expires_at = at + 1 WHERE kind = 'dispute'")


def stop_moved_to_no_campaign(log: Copy) -> None:
    """It stops nobody any more."""
    log.run("UPDATE stop SET campaign_id = 999 WHERE kind = 'dispute'")


def keys_changed(log: Copy) -> None:
    pressed = '[{"step": "message", "key": "9", "at_ms": 900}]'
    log.run("UPDATE attempt SET keys = ? WHERE outcome = 'delivered'", pressed)


def answers_changed(log: Copy) -> None:
    log.run("""UPDATE attempt SET answers = '{"service": "yes"}' WHERE outcome = 'delivered'""")


def promise_put_off(log: Copy) -> None:
    log.run("UPDATE promise SET due = '2026-12-31'")


def promise_removed(log: Copy) -> None:
    log.run("DELETE FROM promise")


def document_changed(log: Copy) -> None:
    log.replace_document("rules", '"21:00:00"', '"23:00:00"')


def calendar_changed(log: Copy) -> None:
    log.replace_document("campaign", "2026-11-25", "2026-11-24")


def document_removed(log: Copy) -> None:
    log.run("DELETE FROM document WHERE kind = 'rules'")


def ledger_removed(log: Copy) -> None:
    log.run("DELETE FROM ledger")
    log.run("DELETE FROM chain")
    log.run("UPDATE schema_version SET applied_at = '2026-11-01T00:00:00+00:00'")


# Of one who has the key as well: every hash is right.


def called_too_early(log: Copy) -> None:
    """All that tells the time of a call says six in the morning."""
    attempt = log.one("SELECT id FROM attempt ORDER BY saved_at LIMIT 1")
    back = 2 * HOUR
    log.run("UPDATE attempt SET saved_at = saved_at - ?, sent_at = sent_at - ? WHERE id = ?",
            back, back, attempt)  # fmt: skip
    sql = "UPDATE ledger SET at = at - ? WHERE kind = 'call' AND attempt_id = ?"
    log.run(sql, back, attempt)
    log.run("UPDATE ledger SET body = json_set(body, '$.sent', json_extract(body, '$.sent') - ?)"
            " WHERE kind = 'ended' AND attempt_id = ?", back, attempt)  # fmt: skip
    log.rehash()


def ended_twice(log: Copy) -> None:
    last = log.one("SELECT seq FROM chain")
    log.run(
        "INSERT INTO ledger SELECT lender_id, chain, ?, at, kind, target_id, attempt_id, body, hash"
        " FROM ledger WHERE seq = ?",
        last + 1,
        log.seq("ended"),
    )
    log.rehash()


def decided_before_the_rules(log: Copy) -> None:
    first = log.seq("rules")
    log.move(first, log.one("SELECT seq FROM chain") + 1)
    log.rehash()


def hours_made_longer(log: Copy) -> None:
    log.swap_rules('"to":"21:00:00"', '"to":"22:00:00"')


def rule_left_out(log: Copy) -> None:
    ring = _canonical(_rules(log)["ring"])
    log.swap_rules(f'"ring":{ring}', '"ring":[]')


def reviewed_later(log: Copy) -> None:
    log.swap_rules('"review_by":"2027-03-01"', '"review_by":"2037-03-01"')


def reason_removed(log: Copy) -> None:
    log.change_entry(reason=" ")


def change_belittled(log: Copy) -> None:
    log.change_entry(level="standard", approved_by="A. Lawyer")


def law_overridden_by_a_campaign(log: Copy) -> None:
    log.swap_rules('"to":"21:00:00"', '"to":"22:00:00"')
    seq = log.seq("rules")
    body = log.body(seq)
    before = _vn_hours(log).replace("22:00:00", "21:00:00")
    body["changes"].insert(
        0,
        {
            "origin": "campaign",
            "kind": "changed",
            "rule": "vn.hours",
            "level": "law",
            "reason": "they are awake",
            "approved_by": "A. Manager",
            "before": before,
            "after": _vn_hours(log),
        },
    )
    log.write(seq, body)
    log.rehash()


def _vn_hours(log: Copy) -> str:
    (rule,) = (one for one in _rules(log)["hours"] if one["id"] == "vn.hours")
    return _canonical(rule)


def _rules(log: Copy) -> dict[str, Any]:
    text = log.one("SELECT text, 0 FROM document WHERE kind = 'rules'")[0]
    found: dict[str, Any] = json.loads(text)["rules"]
    return found


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


TAMPERINGS: dict[str, tuple[Callable[[Copy], None], Found]] = {
    "a body is changed": (body_changed, {("chain", "hash")}),
    "a time is changed": (time_changed, {("chain", "hash")}),
    "an entry is removed": (entry_removed, {("chain", "gap")}),
    "an entry is removed, and no gap left": (entry_removed_and_closed_up, {("chain", "hash")}),
    "an entry is put in": (entry_put_in, {("chain", "hash"), ("chain", "head")}),
    "two entries are swapped": (entries_swapped, {("chain", "hash")}),
    "a chain gets another name": (whole_entry_of_another_chain, {("chain", "hash")}),
    "the chain is cut off": (chain_cut, {("books", "no-call"), ("chain", "head")}),
    "the head is put back": (head_put_back, {("chain", "head")}),
    "the head is removed": (head_removed, {("chain", "head")}),
    "an attempt is removed": (attempt_removed, {("books", "gone")}),
    "an attempt is put in": (attempt_put_in, {("books", "no-call")}),
    "an attempt is moved": (attempt_moved_into_hours, {("books", "call"), ("books", "ended")}),
    "an opt-out becomes a busy line": (
        outcome_changed,
        {("books", "ended")},
    ),
    "talks count for less": (events_lowered, {("books", "ended"), ("books", "events")}),
    "another number": (number_changed, {("books", "call")}),
    "another person": (person_changed, {("books", "call")}),
    "a call has not ended": (end_taken_back, {("books", "ended")}),
    "somebody answered": (seen_ringing, {("books", "ended")}),
    "a stop is removed": (stop_removed, {("books", "stop")}),
    "a stop ends earlier": (stop_made_shorter, {("books", "stop")}),
    "a stop is of no campaign": (stop_moved_to_no_campaign, {("books", "stop")}),
    "another key was pressed": (keys_changed, {("books", "said")}),
    "another answer was given": (answers_changed, {("books", "said")}),
    "a promise is put off": (promise_put_off, {("books", "said")}),
    "a promise is removed": (promise_removed, {("books", "said")}),
    "the hours are changed": (document_changed, {("rules", "document"), ("rules", "vn.hours")}),
    "the calendar is changed": (
        calendar_changed,
        {("rules", "document"), ("L2", "campaign.calendar")},
    ),
    "the rules are removed": (document_removed, {("rules", "document")}),
    "there never was a ledger": (ledger_removed, {("books", "no-call")}),
    "with the key: called too early": (called_too_early, {("L2", "vn.hours")}),
    "with the key: ended twice": (ended_twice, {("books", "twice")}),
    "with the key: decided before the rules": (decided_before_the_rules, {("rules", "not-noted")}),
    "with the key: longer hours": (hours_made_longer, {("rules", "vn.hours")}),
    "with the key: a rule is left out": (rule_left_out, {("rules", "vn.ring")}),
    "with the key: reviewed later": (reviewed_later, {("rules", "review_by")}),
    "with the key: no reason": (reason_removed, {("rules", "vn.calls-day")}),
    "with the key: another level": (change_belittled, {("rules", "vn.calls-day")}),
    "with the key: a campaign overrides law": (
        law_overridden_by_a_campaign,
        {("rules", "vn.hours")},
    ),
}


def test_the_honest_log_passes(copied: Make) -> None:
    log = copied()
    assert log.audited(log.ends) == set()
    assert log.one("SELECT count(*) FROM attempt") > 30
    assert log.one("SELECT count(*) FROM attempt WHERE outcome = 'opted_out'") == 1


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found(name: str, copied: Make) -> None:
    tamper, expected = TAMPERINGS[name]
    log = copied()
    tamper(log)
    assert log.audited() == expected


@pytest.mark.parametrize(
    "name",
    [n for n in TAMPERINGS if n.startswith("with the key") and n != "with the key: ended twice"],
)
def test_who_has_the_key_cannot_change_what_an_auditor_wrote_down(name: str, copied: Make) -> None:
    """What is written behind the note is another matter."""
    log = copied()
    TAMPERINGS[name][0](log)
    assert ("chain", "anchor") in log.audited(log.ends)


def test_an_earlier_note_still_holds_when_the_chain_has_grown(copied: Make) -> None:
    log = copied()
    seq = log.seq("refused", 5)
    earlier = Anchor("main", seq, log.one("SELECT hash FROM ledger WHERE seq = ?", seq))
    assert log.audited([earlier]) == set()
    other = earlier._replace(hash="0" * 64)
    assert log.audited([other]) == {("chain", "anchor")}


def test_another_key_audits_nothing(copied: Make) -> None:
    log = copied()
    with pytest.raises(AuditError, match="belongs to another key"):
        log.audited(key_text=new_key_text())
    log.run("UPDATE lender SET key_check = 'x'")
    with pytest.raises(AuditError, match="belongs to another key"):
        log.audited()


def test_retention_explains_attempts_that_are_gone(copied: Make) -> None:
    log = copied()
    attempt_removed(log)
    attempt = log.one("SELECT max(saved_at) FROM attempt")
    last = log.one("SELECT seq FROM chain")
    body = _canonical({"attempts": 1, "attempts_until": attempt, "campaign": "overdue"})
    log.run("INSERT INTO ledger SELECT lender_id, chain, ?, ?, 'retention', 0, '', ?, ''"
            " FROM ledger WHERE seq = 1", last + 1, attempt + 1, body)  # fmt: skip
    log.rehash()
    assert log.audited() == set()
    log.run(
        "DELETE FROM attempt WHERE id = (SELECT id FROM attempt WHERE outcome = 'busy' LIMIT 1)"
    )
    assert log.audited() == {("books", "gone")}
