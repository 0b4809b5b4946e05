"""What one set of rules in effect has, and another has not: for who is about to change them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from duecall.core.campaign import Campaign
from duecall.core.rule_merge import EffectiveRules
from duecall.core.rule_pack import Rule

# What of a campaign decides who is called, and when; the rest is what is said, and how.
DECIDES = (
    "country",
    "zone",
    "purpose",
    "selection",
    "order",
    "calendar",
    "retry",
    "ring",
    "caller_name",
    "trunk",
)


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """fields: (field, before, after) of a changed rule, as JSON; words and days: (what, before,
    after) as well. rule: its id; of words and days their name."""

    kind: Literal["added", "dropped", "changed"]
    rule: str
    level: str
    fields: tuple[tuple[str, str, str], ...] = ()


def rule_differences(old: EffectiveRules, new: EffectiveRules) -> list[RuleDifference]:
    """Dropped and changed ones in their order, those added, then words and days."""
    before = {rule.id: rule for rule in old.pack.rules()}
    after = {rule.id: rule for rule in new.pack.rules()}
    found: list[RuleDifference] = []
    for name, rule in before.items():
        other = after.get(name)
        if other is None:
            found.append(RuleDifference("dropped", name, rule.level))
        elif fields := tuple(_fields(_plain(rule), _plain(other))):
            found.append(RuleDifference("changed", name, other.level, fields))
    found += [
        RuleDifference("added", name, rule.level)
        for name, rule in after.items()
        if name not in before
    ]
    return [*found, *_words_and_days(old, new)]


def campaign_differences(old: Campaign, new: Campaign) -> list[tuple[str, str, str]]:
    """(key, before, after), as JSON, of the keys that decide who is called and when; dotted."""
    before, after = (one.model_dump(mode="json", by_alias=True) for one in (old, new))
    return list(
        _fields({key: before[key] for key in DECIDES}, {key: after[key] for key in DECIDES})
    )


def _words_and_days(old: EffectiveRules, new: EffectiveRules) -> Iterator[RuleDifference]:
    shown = ("attested", "says", "number_shown", "off", "working")
    for name in shown:
        before, after = (sorted(map(str, getattr(one, name))) for one in (old, new))
        if before != after:
            yield RuleDifference("changed", name, "", ((name, _json(before), _json(after)),))
    whole = ("jurisdiction", "review_by", "calendar", "zones")
    first, second = (one.pack.model_dump(mode="json", by_alias=True) for one in (old, new))
    for field in _fields(first, second):
        if field[0].partition(".")[0] in whole:
            yield RuleDifference("changed", field[0], "", (field,))


def _fields(
    before: dict[str, Any], after: dict[str, Any], above: str = ""
) -> Iterator[tuple[str, str, str]]:
    """(name, before, after) of what differs; of tables within, by their dotted names."""
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _fields(old, new, f"{above}{name}.")
        elif old != new:
            yield f"{above}{name}", _json(old), _json(new)


def _plain(rule: Rule) -> dict[str, Any]:
    return rule.model_dump(mode="json", by_alias=True)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
