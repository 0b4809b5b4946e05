"""How many calls a second does the audit prove lawful? `python benchmarks/audit.py [CALLS]`

A log in memory under the law of Vietnam, as the simulator hands one over: three calls a day to each
person, for 30 days; one person in four answers on the third. Processor time, on one core.
"""

from __future__ import annotations

import random
import sys
import time

from duecall.audit.log import Attempt, Log
from duecall.audit.proofs import prove
from duecall.core.rule_merge import RuleChanges, merge
from duecall.shell.rule_packs import find_pack, load_pack

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
START = 1_795_395_600 * SECOND  # 2026-11-23 08:00 in Hanoi
DECLARED = RuleChanges.model_validate(
    {
        "attested": ["lender_is_caller", "pdpl_basis_recorded"],
        "says": ["lender_name", "reason", "callback_number", "recording_notice"],
        "number_shown": ["shown"],
    }
)
FATES = (("no_answer", 0, 1), ("busy", 0, 0), ("no_answer", 0, 1), ("hung_up", 4_000, 11))


def log_of(calls: int) -> Log:
    """Each person is called three times a day, three hours apart."""
    chance = random.Random(1)
    rules = merge(load_pack(find_pack("vn")), None, DECLARED)
    log = Log(documents={rules.digest: rules.text})
    log.packs["vn"] = [find_pack("vn").read_text(encoding="utf-8")]
    named = {"campaign": "overdue", "campaign_digest": "", "rules": rules.digest}
    log.take("d", 1, START - HOUR, "rules", 0, "", {**named, "pack": "vn", "changes": []})
    grounds = {
        **named,
        "contacts_digest": "",
        "zones": ["Asia/Ho_Chi_Minh"],
        "line": "mobile",
        "regions": [],
        "consents": [],
        "flags": [],
        "conduct": {
            "channels": 4,
            "ring_s": 30,
            "zone": "Asia/Ho_Chi_Minh",
            "purpose": "collection",
            "label": "",
        },
    }
    seq = 1
    people = max(1, calls // 90)
    for number in range(calls):
        turn, person = divmod(number, people)
        saved = START + turn // 3 * DAY + turn % 3 * 3 * HOUR + person * (3 * HOUR // people)
        outcome, heard_ms, events = chance.choice(FATES)
        if turn % 3 < 2 and events > 1:  # who has talked is left alone for the day
            outcome, heard_ms, events = FATES[0]
        name, phone = f"a{number}", f"n{person}"
        keys = {"number": phone, "contact": f"c{person}", "account": str(person)}
        log.take("d", seq + 1, saved, "call", person, name, {**grounds, **keys, "try": turn})
        ended = saved + 40 * SECOND
        body = {
            "outcome": outcome,
            "cause": "X",
            "events": events,
            "channels": 4,
            "rang": True,
            "answered": events > 1,
            "heard_ms": heard_ms,
        }
        if not events:
            body["rang"] = False
        log.take("d", seq + 2, ended, "ended", person, name, body)
        seq += 2
        rang = saved + SECOND if events else None
        row = (saved, saved, rang, None, None, ended, outcome, "X", heard_ms, events, 4)
        log.attempts.append(
            Attempt(name, person, "overdue", phone, f"c{person}", str(person), turn, *row)
        )
    return log


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    begin = time.process_time()
    log = log_of(calls)
    made = time.process_time()
    proof = prove(log)
    took_s = time.process_time() - made
    assert not proof.violations, proof.violations[:5]
    assert proof.judged == calls
    print(f"{calls:,} calls: made in {made - begin:.1f} s, proved in {took_s:.1f} s,", end=" ")
    print(f"{calls / took_s:,.0f} a second")


if __name__ == "__main__":
    main()
