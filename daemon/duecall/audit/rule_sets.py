"""Every rule set in use is a pack, plus changes that are listed, allowed, and have a reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from duecall.audit.log import Call, Entry, Log, Violation
from duecall.audit.rules import (
    Pack,
    Rule,
    RuleSet,
    Unreadable,
    day_of,
    read_pack,
    read_rule,
    read_rule_set,
    section_of,
)

RULES = "rules"


class RuleSets:
    """Of one log. Rule sets and packs are read once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._packs: dict[str, list[Pack]] = {}
        self._sets: dict[str, RuleSet | Unreadable] = {}
        self._noted: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
        for one in log.entries:
            if one.kind == "rules":
                key = one.chain, one.body["campaign"], one.body["rules"]
                mine = self._noted.setdefault(key, [])
                if not any(digest == one.body["campaign_digest"] for _, digest in mine):
                    mine.append((one.seq, one.body["campaign_digest"]))

    def get(self, digest: str) -> RuleSet | Unreadable:
        """The rule set with this digest, or why there is none."""
        found = self._sets.get(digest)
        if found is None:
            text = self._log.documents.get(digest)
            try:
                if text is None:
                    raise Unreadable("its document is missing")
                found = read_rule_set(text)
            except Unreadable as error:
                found = error
            self._sets[digest] = found
        return found

    def noted(self, call: Call) -> str | None:
        """Of which version of the campaign these rules were taken up before this call was decided:
        the campaign's digest. None where its writer never said that it takes them up.

        The entry names the version that is stored. For the moment between a new file and the daemon
        that hears of it, that is not yet the version which decides.
        """
        grounds = call.grounds
        found = None
        for seq, digest in self._noted.get((call.chain, grounds.campaign, grounds.rules), ()):
            if seq < call.seq:
                found = digest
                if digest == grounds.campaign_digest:
                    break
        return found

    def faults(self) -> Iterator[Violation]:
        """Of documents, and of the rule sets that were taken up."""
        for digest, text in self._log.documents.items():
            if hashlib.sha256(text.encode()).hexdigest() != digest:
                words = f"document {digest} is not the text that was kept under this digest"
                yield Violation(RULES, "document", "", "", words)
        seen: set[str] = set()
        for entry in self._log.entries:
            if entry.kind == "rules":
                same = json.dumps([entry.body["rules"], entry.body["changes"]], sort_keys=True)
                if same not in seen:
                    seen.add(same)
                    yield from self._of(entry)

    def _of(self, entry: Entry) -> Iterator[Violation]:
        digest, pack = entry.body["rules"], entry.body["pack"]
        rules = self.get(digest)
        if isinstance(rules, Unreadable):
            yield _fault(entry, "document", f"rule set {digest}: {rules}")
            return
        changes = [one for one in entry.body["changes"] if one["kind"] != "pack"]
        yield from _unreasoned(entry)
        candidates = self._pack(pack)
        if not candidates:
            yield _fault(entry, "pack", f"there is no pack {pack} to compare it with")
            return
        tellings = [list(_differences(one, rules, changes)) for one in candidates]
        for rule, text in min(tellings, key=len):
            yield _fault(entry, rule, text)

    def _pack(self, name: str) -> list[Pack]:
        if name not in self._packs:
            self._packs[name] = [read_pack(text) for text in self._log.packs.get(name, ())]
        return self._packs[name]


def _fault(entry: Entry, rule: str, text: str) -> Violation:
    return Violation(RULES, rule, "", f"{entry.chain}:{entry.seq}", text)


def _unreasoned(entry: Entry) -> Iterator[Violation]:
    """Changes that nobody may make, or nobody has answered for."""
    for one in entry.body["changes"]:
        kind, rule, level = one["kind"], one["rule"], one["level"]
        if kind == "pack":
            if one["before"] and not one["reason"].strip():
                yield _fault(entry, "pack", f"{one['after']} in place of the law, and no reason")
            continue
        if kind == "days" and one["origin"] != "site" and not one["approved_by"].strip():
            if json.loads(one["after"])["working"]:
                yield _fault(entry, "days", "working days of a campaign, and nobody approved them")
            continue
        if kind not in ("changed", "dropped"):
            continue
        if not one["reason"].strip():
            yield _fault(entry, rule, f"{rule} was {kind}, and no reason is given")
        if level == "law" and one["origin"] != "site":
            yield _fault(entry, rule, f"{rule} is law, and was {kind} by a {one['origin']}")
        if level != "policy" and not one["approved_by"].strip():
            yield _fault(entry, rule, f"{rule} is {level}, was {kind}, and nobody approved it")


def _differences(
    pack: Pack, rules: RuleSet, changes: list[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """(rule, what is wrong), where the pack with these changes is not the rule set."""
    expected = {rule.id: rule for rule in pack.rules}
    off: set[int] = set()
    working: set[int] = set()
    for one in changes:
        try:
            if one["kind"] == "days":
                _days(one, off, working)
            else:
                yield from _changed(one, expected)
        except Unreadable as error:
            yield str(one["rule"]), str(error)
    there = {rule.id: rule for rule in rules.pack.rules}
    for name, rule in expected.items():
        if name not in there:
            yield name, f"{name} is missing from the rule set, and no change says so"
        elif there[name] != rule:
            yield name, f"{name} differs from the pack and its changes, and no change says so"
    for name in there.keys() - expected.keys():
        yield name, f"{name} is neither in the pack nor in a change"
    if (frozenset(off), frozenset(working)) != (rules.off, rules.working):
        yield "days", "the table of days is not that of the changes"
    for field in ("name", "review_by", "week_start", "weekend", "holidays", "zones"):
        if getattr(pack, field) != getattr(rules.pack, field):
            yield field, f"{field} is not that of the pack"


def _changed(one: Mapping[str, Any], expected: dict[str, Rule]) -> Iterator[tuple[str, str]]:
    name, kind = one["rule"], one["kind"]
    current = expected.get(name)
    section = current.section if current else ""
    before = _rule(one["before"], section)
    after = _rule(one["after"], section)
    if kind == "added" and current is not None:
        yield name, f"{name} was added, and is a rule already"
    if kind != "added" and (current is None or before != current):
        yield name, f"{name} was {kind}, and was another rule before than the change says"
    if current is not None and one["level"] != current.level:
        yield name, f"{name} is {current.level}, and its change says {one['level']}"
    if before is not None and after is not None and _identity(before) != _identity(after):
        yield name, f"the change of {name} changes what the rule is"
    if after is None:
        expected.pop(name, None)
    else:
        expected[name] = after


def _identity(rule: Rule) -> tuple[object, ...]:
    return rule.id, rule.level, rule.origin


def _rule(text: str, section: str) -> Rule | None:
    if not text:
        return None
    raw = json.loads(text)
    return read_rule(section or section_of(raw), raw)


def _days(one: Mapping[str, Any], off: set[int], working: set[int]) -> None:
    """Later tables go over earlier ones."""
    table = json.loads(one["after"])
    mine = {day_of(day) for day in table["off"]}
    theirs = {day_of(day) for day in table["working"]}
    off |= mine
    off -= theirs
    working |= theirs
    working -= mine
