"""One checker for each law of the design (section 5). Each judges a story by its log and its books,
and imports nothing that it judges: no core, no shell, no twin. Calling rules are judged by the
audit (duecall/audit), the same that operators run over their database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from duecall.audit.proofs import prove
from duecall.sim.checkers import (
    l1_one_live_attempt,
    l2_calling_hours,
    l3_caps,
    l4_stops,
    l5_durable_and_once,
    l6_one_true_outcome,
    l7_trunk,
    l8_waiting,
    l9_books,
    l10_liveness,
)
from duecall.sim.truth import Story

CHECKERS: dict[str, Callable[[Story], Iterator[str]]] = {
    "L1": l1_one_live_attempt.check,
    "L2": l2_calling_hours.check,
    "L3": l3_caps.check,
    "L4": l4_stops.check,
    "L5": l5_durable_and_once.check,
    "L6": l6_one_true_outcome.check,
    "L7": l7_trunk.check,
    "L8": l8_waiting.check,
    "L9": l9_books.check,
    "L10": l10_liveness.check,
}


def judge(story: Story) -> list[str]:
    """What is wrong with it: `law: what, when`; empty where all is well."""
    found = [f"daemon: {failure}" for failure in story.failures]
    for law, check in CHECKERS.items():
        found += [f"{law}: {line}" for line in check(story)]
    return found + audited(story)


def audited(story: Story) -> list[str]:
    """What `duecall audit` would say of it, by laws L1-L8, books and rules."""
    if story.evidence is None:
        return []
    return [
        f"{one.law}: audit: {one.rule}: {one.text} ({one.attempt} {one.entry})"
        for one in prove(story.evidence).violations
    ]
