"""A pack, the site's own rules over it, a campaign's over both: the rules in effect, and what was
changed.

Own rules are added: every rule only forbids, so they can only be stricter. What would be laxer is
an `override:` with a reason. Policy may be overridden so; a presumption or standard needs the name
of who approved it as well; law may be overridden by the site alone, never by a campaign. Every
change is listed, for the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pydantic import ValidationError, model_validator

from duecall.core.model import Model
from duecall.core.rule_pack import (
    SECTIONS,
    CallerIdRule,
    ContentRule,
    HoursRule,
    Jurisdiction,
    RequireRule,
    Rule,
    RuleId,
    RulePack,
    RuleSections,
    Text,
    WordList,
    days_without_hours,
)
from duecall.core.scalars import Day, Flag, Words, did_you_mean, refuse

Origin = Literal["pack", "site", "campaign"]
Place = tuple[str | int, ...]
OWN = {"level": "policy", "source": "own rule", "certainty": "high", "valid_from": "2000-01-01"}


class Override(Model):
    """Takes a rule of the pack (or of the site) out, or changes fields of it.

    set: the fields and their new values, as the pack would write them.
    """

    rule: RuleId
    reason: Text
    approved_by: Words = ""
    drop: Flag = False
    set: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> Override:
        if self.drop == bool(self.set):
            problem = "drop and set at once" if self.drop else "changes nothing"
            refuse("Override", [((), problem, "drop: true, or set: with fields of the rule")])
        for field in ("id", "level", "source", "certainty"):
            if field in self.set:
                place: Place = ("set", field)
                refuse("Override", [(place, f"{field} says what the rule is", "other fields")])
        return self


class DayTable(Model):
    """The operator's table over the library's holidays: new decrees, moved working days.

    approved_by: who answers for working days of a campaign: they open hours that the law had shut.
    """

    off: tuple[Day, ...] = ()
    working: tuple[Day, ...] = ()
    source: Text
    approved_by: Words = ""

    @model_validator(mode="after")
    def _check(self) -> DayTable:
        problems: list[tuple[Place, str, str]] = []
        for number, day in enumerate(self.working):
            if day in self.off:
                place: Place = ("working", number)
                problems.append((place, f"{day} is off as well", "each day once"))
        refuse("DayTable", problems)
        return self


class RuleChanges(RuleSections):
    """`rules:` of the site or of a campaign. Own rules may leave out level, source, certainty and
    valid_from: they are then policy, of the site's own making, always in force.

    attested: what the lender states (the pack's `require: attested:`). says: what the messages say
    (`content:`). number_shown: what is true of the caller id (`caller_id: needs:`).
    """

    pack: Jurisdiction | None = None
    pack_reason: Words = ""  # where it is not the pack of the campaign's country
    days: DayTable | None = None
    attested: WordList = ()
    says: WordList = ()
    number_shown: WordList = ()
    override: tuple[Override, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _own(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        filled = dict(value)
        for section in SECTIONS:
            rules = filled.get(section)
            if isinstance(rules, list | tuple):
                filled[section] = [
                    {**OWN, **rule} if isinstance(rule, dict) else rule for rule in rules
                ]
        return filled

    @model_validator(mode="after")
    def _check(self) -> RuleChanges:
        refuse("RuleChanges", self._problems())
        return self

    def _problems(self) -> Iterator[tuple[Place, str, str]]:
        yield from self.doubled_ids()
        if self.pack_reason.strip() and self.pack is None:
            yield ("pack_reason",), "a reason, and no pack", "pack: which one instead"


@dataclass(frozen=True, slots=True)
class MergeProblem:
    """What is wrong with the changes of one origin. place: within its `rules:`."""

    origin: Origin
    place: Place
    problem: str
    allowed: str

    def __str__(self) -> str:
        where = ".".join(map(str, ("rules", *self.place)))
        return f"{self.origin}: {where}: {self.problem}; allowed: {self.allowed}"


class MergeProblems(Exception):
    """All of them at once."""

    def __init__(self, problems: Iterable[MergeProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the pack, for the ledger. before, after: the rule as JSON, empty for none.

    kind `pack`: another pack than the country's; before, after: their names.
    """

    origin: Origin
    kind: Literal["added", "changed", "dropped", "days", "pack"]
    rule: str
    level: str
    reason: str
    approved_by: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class EffectiveRules:
    """What holds for the calls of a campaign. origins: rule id -> whose rule it is.

    text: all of it as JSON in canonical form: `rules` as a pack file has them (every key written
    out, durations in seconds, the end of a day as 00:00:00), `off`, `working`, `attested`, `says`,
    `number_shown`. digest: SHA-256 of text, in hex; the rule set's version in the ledger.
    """

    pack: RulePack
    origins: dict[str, Origin]
    off: frozenset[date]
    working: frozenset[date]
    attested: frozenset[str]
    says: frozenset[str]
    number_shown: frozenset[str]
    changes: tuple[Change, ...]
    text: str
    digest: str


def merge(
    pack: RulePack,
    site: RuleChanges | None = None,
    campaign: RuleChanges | None = None,
    *,
    choice: Change | None = None,
    others: Iterable[RulePack] = (),
) -> EffectiveRules:
    """The rules in effect. Raises MergeProblems.

    choice: why it is this pack, where it is not the country's. others: the site's other packs; what
    its `rules:` say about those is passed over, for a site may call in several countries.
    """
    layers: list[tuple[Origin, RuleChanges]] = []
    if site is not None:
        layers.append(("site", site))
    if campaign is not None:
        layers.append(("campaign", campaign))
    work = _Merge(pack, others)
    if choice is not None:
        work.changes.append(choice)
    for origin, changes in layers:
        work.apply(origin, changes)
    words = {
        name: frozenset(word for _, changes in layers for word in getattr(changes, name))
        for name in ("attested", "says", "number_shown")
    }
    work.check_words(layers)
    if work.problems:
        raise MergeProblems(work.problems)
    merged = pack.model_copy(
        update={section: tuple(work.rules[section].values()) for section in SECTIONS}
    )
    content = {
        "rules": merged.model_dump(mode="json", by_alias=True),
        "off": sorted(day.isoformat() for day in work.off),
        "working": sorted(day.isoformat() for day in work.working),
        **{name: sorted(found) for name, found in words.items()},
    }
    text = _json(content)
    return EffectiveRules(
        pack=merged,
        origins=work.origins,
        off=frozenset(work.off),
        working=frozenset(work.working),
        changes=tuple(work.changes),
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        **words,
    )


class _Merge:
    """One pack on its way to the rules in effect."""

    def __init__(self, pack: RulePack, others: Iterable[RulePack]) -> None:
        self.elsewhere = [rule for other in others if other is not pack for rule in other.rules()]
        self.rules: dict[str, dict[str, Rule]] = {
            section: {rule.id: rule for rule in getattr(pack, section)} for section in SECTIONS
        }
        self.origins: dict[str, Origin] = {rule.id: "pack" for rule in pack.rules()}
        self.added: set[str] = set()
        self.last = pack.review_by or date.max
        self.off: set[date] = set()
        self.working: set[date] = set()
        self.changes: list[Change] = []
        self.problems: list[MergeProblem] = []

    def apply(self, origin: Origin, changes: RuleChanges) -> None:
        foreign = {rule.id for rule in self.elsewhere} if origin == "site" else set()
        for number, override in enumerate(changes.override):
            if override.rule in foreign and override.rule not in self.origins:
                continue
            place = ("override", number)
            of_hours = override.rule in self.rules["hours"]
            for problem, allowed, within in self._override(origin, override):
                self.problems.append(MergeProblem(origin, (*place, *within), problem, allowed))
            left = [
                rule
                for rule in self.rules["hours"].values()
                if isinstance(rule, HoursRule) and rule.id not in self.added
            ]
            if of_hours and (problem := days_without_hours(left, self.last)):
                allowed = "an override that leaves hours for every kind of day"
                self.problems.append(MergeProblem(origin, place, problem, allowed))
        for section, number, rule in changes.placed_rules():
            if rule.id in self.origins:
                problem = f"{rule.id!r} is a rule of the {self.origins[rule.id]} already"
                spot: Place = (section, number, "id")
                allowed = "an id of its own; to change that rule: override"
                self.problems.append(MergeProblem(origin, spot, problem, allowed))
                continue
            self.rules[section][rule.id] = rule
            self.origins[rule.id] = origin
            self.added.add(rule.id)
            self._note(origin, "added", rule, rule.source, "", None, rule)
        if changes.days is not None:
            if (
                origin == "campaign"
                and changes.days.working
                and not changes.days.approved_by.strip()
            ):
                problem = (
                    "working days open hours that the rules had shut, and nobody approved this"
                )
                allowed = "approved_by: the name of who answers for it; or the site's config.yaml"
                at = ("days", "working")
                self.problems.append(MergeProblem(origin, at, problem, allowed))
            self._days(origin, changes.days)

    def _override(self, origin: Origin, override: Override) -> Iterator[tuple[str, str, Place]]:
        section = next((s for s, rules in self.rules.items() if override.rule in rules), None)
        if section is None:
            known = sorted(self.origins)
            problem = f"{override.rule!r} is no rule in effect"
            problem += did_you_mean(override.rule, known)
            yield problem, ", ".join(known) or "(none there)", ("rule",)
            return
        rule = self.rules[section][override.rule]
        if rule.level == "law" and origin == "campaign":
            yield f"{rule.id!r} is law", "an override in the site's config.yaml alone", ("rule",)
            return
        if rule.level != "policy" and not override.approved_by.strip():
            problem = f"{rule.id!r} is {rule.level}, and nobody approved this"
            yield problem, "approved_by: the name of who answers for it", ("rule",)
            return
        if override.drop:
            del self.rules[section][rule.id]
            del self.origins[rule.id]
            self._note(origin, "dropped", rule, override.reason, override.approved_by, rule, None)
            return
        try:
            raw = rule.model_dump(by_alias=True, mode="json") | override.set
            changed = type(rule).model_validate(raw)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                context = detail.get("ctx", {})
                problem = context.get("problem", detail["msg"])
                allowed = context.get("allowed", f"a field of {section}, with its kind of value")
                if detail["type"] == "extra_forbidden":
                    fields = sorted(type(rule).model_fields)
                    problem = "unknown key" + did_you_mean(str(detail["loc"][-1]), fields)
                    allowed = ", ".join(fields)
                yield problem, allowed, ("set", *detail["loc"])
            return
        self.rules[section][rule.id] = changed
        self.origins[rule.id] = origin
        self._note(origin, "changed", rule, override.reason, override.approved_by, rule, changed)

    def _days(self, origin: Origin, table: DayTable) -> None:
        self.off = (self.off | set(table.off)) - set(table.working)
        self.working = (self.working | set(table.working)) - set(table.off)
        after = _json(table.model_dump(mode="json", exclude={"approved_by"}))
        change = Change(origin, "days", "", "", table.source, table.approved_by, "", after)
        self.changes.append(change)

    def _note(
        self,
        origin: Origin,
        kind: Literal["added", "changed", "dropped"],
        rule: Rule,
        reason: str,
        approved_by: str,
        before: Rule | None,
        after: Rule | None,
    ) -> None:
        texts = [
            _json(one.model_dump(mode="json", by_alias=True)) if one else ""
            for one in (before, after)
        ]
        self.changes.append(Change(origin, kind, rule.id, rule.level, reason, approved_by, *texts))

    def check_words(self, layers: list[tuple[Origin, RuleChanges]]) -> None:
        """Words that no rule asks for are mistyped, or belong to another pack."""
        here = [rule for section in self.rules.values() for rule in section.values()]
        for origin, changes in layers:
            asking = [*here, *self.elsewhere] if origin == "site" else here
            known = {
                "attested": _words(asking, RequireRule, "attested"),
                "says": _words(asking, ContentRule, "say", "never_say"),
                "number_shown": _words(asking, CallerIdRule, "needs"),
            }
            for name, words in known.items():
                for number, word in enumerate(getattr(changes, name)):
                    if word not in words:
                        problem = f"no rule asks for {word!r}" + did_you_mean(word, words)
                        allowed = ", ".join(sorted(words)) or "(nothing)"
                        self.problems.append(MergeProblem(origin, (name, number), problem, allowed))


def _words(rules: list[Rule], kind: type[Rule], *fields: str) -> set[str]:
    found: set[str] = set()
    for rule in rules:
        for field in fields if isinstance(rule, kind) else ():
            value = getattr(rule, field)
            found |= {value} if isinstance(value, str) else set(value or ())
    return found


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
