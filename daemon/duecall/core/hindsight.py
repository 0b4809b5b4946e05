"""What was known at an earlier moment: rules by their text, calls as far as they had gone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from duecall.core.attempt import Past
from duecall.core.call_events import ALL_CHANNELS, ALL_EVENTS, PastCall
from duecall.core.local_day import from_us
from duecall.core.outcome import Outcome
from duecall.core.rule_merge import EffectiveRules
from duecall.core.rule_pack import RulePack


@dataclass(frozen=True, slots=True)
class AttemptThen:
    """One attempt as the store has it today. Times in microseconds since 1970."""

    saved_us: int
    settled_us: int | None
    events: int
    channels: int
    outcome: Outcome | None = None


def rules_of_text(text: str) -> EffectiveRules:
    """The rules whose `text` this is (core/rule_merge.py). What was changed to come to them is not
    in it: `changes` and `origins` are empty. ValueError where it is no such text."""
    content = json.loads(text)
    try:
        return EffectiveRules(
            pack=RulePack.model_validate(content["rules"]),
            origins={},
            off=frozenset(map(date.fromisoformat, content["off"])),
            working=frozenset(map(date.fromisoformat, content["working"])),
            attested=frozenset(content["attested"]),
            says=frozenset(content["says"]),
            number_shown=frozenset(content["number_shown"]),
            changes=(),
            text=text,
            digest=hashlib.sha256(text.encode()).hexdigest(),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the text of rules in effect: {error}") from error


def calls_then(attempts: Iterable[AttemptThen], at_us: int) -> tuple[PastCall, ...]:
    """Those saved before `at_us`, as the gate knew them then: one that was not settled yet counted
    as everything, and went on."""
    found = []
    for one in attempts:
        if one.saved_us >= at_us:
            continue
        if one.settled_us is None or one.settled_us > at_us:
            found.append(PastCall(one.saved_us, at_us, ALL_EVENTS, ALL_CHANNELS))
        else:
            found.append(PastCall(one.saved_us, one.settled_us, one.events, one.channels))
    return tuple(found)


def past_then(attempts: Iterable[AttemptThen], at_us: int) -> Past:
    """What the campaign had done about one target; attempts: those of the target."""
    tries = counted = 0
    by_outcome: dict[Outcome, int] = {}
    last_at: datetime | None = None
    for one in sorted(attempts, key=lambda attempt: attempt.saved_us):
        if one.saved_us >= at_us:
            continue
        tries += 1
        if one.outcome is None or one.settled_us is None or one.settled_us > at_us:
            continue
        counted += one.outcome.counts
        by_outcome[one.outcome] = by_outcome.get(one.outcome, 0) + 1
        last_at = from_us(one.settled_us)
    return Past(tries, counted, by_outcome, last_at)
