"""Calling rules as data: the shape of `rules/*.yaml`, one pack a jurisdiction.

A pack only forbids. Each rule names calls that it is about (purpose, channels, line, region, unless
a consent is on file) and the days on which it is in force; a call must satisfy every rule that is
about it. So a rule added can only make a pack stricter; what would make it laxer is an override
(core/rule_merge.py). Every rule repeats where it comes from and how sure that is.

Schema `duecall-rules/1`; shell/rule_packs.py loads it with line and column of each fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Annotated, Literal

import holidays
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from duecall.core.model import Hours, Model, Weekday
from duecall.core.scalars import (
    Day,
    Flag,
    Seconds,
    Words,
    Zone,
    did_you_mean,
    matching,
    not_blank,
    refusal,
    refuse,
)

SCHEMA = "duecall-rules/1"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Level = Literal["law", "presumption", "standard", "policy"]
Certainty = Literal["high", "medium", "low"]
EventName = Literal["attempt", "live", "conversation", "message", "abandon", "machine"]
ChannelName = Literal["agent", "ai_agent", "prerecorded", "sms"]
KeyKind = Literal["number", "contact", "account"]
KindOfDay = Literal["workday", "weekend", "holiday"]
KINDS_OF_DAY: tuple[KindOfDay, ...] = ("workday", "weekend", "holiday")
DayName = Literal[
    "all", "workday", "weekend", "holiday", "mon", "tue", "wed", "thu", "fri", "sat", "sun"
]
# service: what somebody asked for or is owed, such as a code, an order, a receipt.
Purpose = Literal["collection", "marketing", "service"]
LineKind = Literal["mobile", "landline"]

RuleId = Annotated[
    str, matching(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)+", "words joined by dots, such as vn.hours")
]
Word = Annotated[str, matching(r"[a-z][a-z0-9_]{1,60}", "lower-case letters, digits and _")]
Jurisdiction = Annotated[str, matching(r"[a-z][a-z0-9-]{1,20}", "lower-case letters and -")]
Region = Annotated[
    str, matching(r"[A-Z]{2}-[A-Z0-9]{1,3}", "a region of ISO 3166-2, such as US-MA")
]
Prefix = Annotated[str, matching(r"\+[0-9]{1,14}", "the beginning of a number: +, then digits")]
Text = Annotated[Words, AfterValidator(not_blank("text"))]
Count = Annotated[int, Field(ge=1, le=10_000)]


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise refusal(f"{value} stands here twice", "each once")
    return values


def _holiday_country(code: str) -> str:
    known = holidays.list_supported_countries()
    if code and code not in known:
        problem = f"no holidays are known for {code!r}" + did_you_mean(code, known)
        raise refusal(problem, "a country that the library `holidays` knows, such as VN")
    return code


Channels = Annotated[tuple[ChannelName, ...], AfterValidator(_each_once)]
Events = Annotated[tuple[EventName, ...], Field(min_length=1), AfterValidator(_each_once)]
Keys = Annotated[
    tuple[KeyKind, ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    AfterValidator(_each_once),
]
Days = Annotated[
    tuple[DayName, ...],
    BeforeValidator(_one_or_many),
    Field(min_length=1),
    AfterValidator(_each_once),
]
WordList = Annotated[tuple[Word, ...], BeforeValidator(_one_or_many), AfterValidator(_each_once)]


class Rule(Model):
    """What all rules have. A field left out below `note` limits the rule to no special calls."""

    id: RuleId
    level: Level
    source: Text  # the law, its article, or whose policy it is
    certainty: Certainty
    valid_from: Day
    valid_to: Day | None = None  # included
    note: Words = ""
    purpose: Purpose | None = None
    channels: Channels = ()
    line: LineKind | None = None  # a line of unknown kind counts as either
    region: Region | None = None  # a contact of unknown region counts as living in it
    unless: WordList = ()  # consents on file that lift the rule

    @model_validator(mode="after")
    def _check(self) -> Rule:
        refuse(type(self).__name__, self._problems())
        return self

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            problem = f"{self.valid_to} is before valid_from, {self.valid_from}"
            yield ("valid_to",), problem, "the day of valid_from or a later one"

    def valid_on(self, day: date) -> bool:
        """Whether the rule is in force on this day at the callee."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class HoursRule(Rule):
    """On the days named, a phone may ring within the spans only; none: not at all."""

    days: Days
    spans: Annotated[tuple[Hours, ...], Field(max_length=12)]

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        yield from super()._problems()
        for later, span in enumerate(self.spans):
            for earlier in self.spans[:later]:
                if span.overlaps(earlier):
                    problem = f"{span} overlaps {earlier}"
                    yield ("spans", later, "from"), problem, "spans apart from each other"

    def covers(self, weekday: int, kind: KindOfDay) -> bool:
        """Whether the rule speaks of such a day. weekday: 0 is Monday."""
        return bool({"all", kind, WEEKDAYS[weekday]} & set(self.days))


class Window(Model):
    """Exactly one of: a calendar period, so many hours, so many local days (today is one)."""

    calendar: Literal["day", "week", "month"] | None = None
    rolling_hours: Annotated[int, Field(ge=1, le=24 * 366)] | None = None
    rolling_days: Annotated[int, Field(ge=1, le=366)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Window:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            problem = f"{' and '.join(given)} at once" if given else "no kind of window"
            allowed = "one of calendar, rolling_hours, rolling_days"
            refuse("Window", [((), problem, allowed)])
        return self

    @property
    def longest_days(self) -> int:
        """No event older than so many days can matter (a local day has up to 25 hours)."""
        if self.rolling_hours is not None:
            return self.rolling_hours // 24 + 1
        if self.rolling_days is not None:
            return self.rolling_days + 1
        return {"day": 2, "week": 8, "month": 32}[self.calendar or "month"]


class CapRule(Rule):
    """At most `max` calls with one of these events in a window; for each key by itself."""

    counts: Events
    per: Keys
    window: Window
    max: Count


class GapRule(Rule):
    """So long from the end of a call with one of these events to the start of the next."""

    after: Events = ("attempt",)
    per: Keys
    gap: Annotated[Seconds, Field(ge=1)]


class CoolOffRule(Rule):
    """Rest after a call with this event: whole local days, or hours from its end.

    first_day_counts: the event's own day is day 1 (a talk on Monday, 7 days: next Monday is free).
    """

    after: EventName
    per: Keys
    days: Annotated[int, Field(ge=1, le=366)] | None = None
    hours: Annotated[int, Field(ge=1, le=24 * 366)] | None = None
    first_day_counts: Flag = True

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        yield from super()._problems()
        if (self.days is None) == (self.hours is None):
            problem = "days and hours at once" if self.days else "neither days nor hours"
            yield (), problem, "one of days, hours"


class AbandonmentRule(Rule):
    """At most this share of live answers without agent or message within grace, in the window."""

    max_ratio: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
    window: Window
    grace: Seconds


class RingRule(Rule):
    """An unanswered call rings at least so long before it is given up."""

    min: Annotated[Seconds, Field(ge=1, le=120)]


class RequireRule(Rule):
    """What must be so before a call; exactly one of the three.

    on_file: a consent of the contact. not_flagged: a flag that the contact must not carry.
    attested: what the lender states once for all its calls, in `rules: attested:`.
    """

    on_file: Word | None = None
    not_flagged: Word | None = None
    attested: Word | None = None

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        yield from super()._problems()
        given = [n for n in ("on_file", "not_flagged", "attested") if getattr(self, n) is not None]
        if len(given) != 1:
            problem = f"{' and '.join(given)} at once" if given else "requires nothing"
            yield (), problem, "one of on_file, not_flagged, attested"


class ContentRule(Rule):
    """What a message must say, or must not. The campaign declares it: `rules: says:`."""

    say: Word | None = None
    never_say: Word | None = None

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        yield from super()._problems()
        if (self.say is None) == (self.never_say is None):
            problem = "say and never_say at once" if self.say else "neither say nor never_say"
            yield (), problem, "one of say, never_say"


class CallerIdRule(Rule):
    """What the number shown must be, each word attested by the site; or its label's length."""

    needs: WordList = ()
    label_max_chars: Annotated[int, Field(ge=1, le=200)] | None = None

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        yield from super()._problems()
        if not self.needs and self.label_max_chars is None:
            yield (), "asks for nothing", "needs, label_max_chars, or both"


class RetentionRule(Rule):
    """How long what was written down is kept."""

    what: Literal["log", "recording"]
    years: Annotated[int, Field(ge=1, le=100)]
    since: Literal["event", "last_activity"] = "event"


class DutyRule(Rule):
    """What people or processes owe outside the gate, and by when; shown, not evaluated."""

    duty: Text
    within_days: Annotated[int, Field(ge=0, le=366)] | None = None
    within_working_days: Annotated[int, Field(ge=0, le=366)] | None = None


class ZoneRule(Model):
    """Corrects the zones that `phonenumbers` gives for numbers that begin so.

    says: only this zone of its answer is replaced; without it, the whole answer is.
    """

    prefix: Prefix
    says: str = ""
    means: Annotated[tuple[Zone, ...], Field(min_length=1)]
    source: Text
    certainty: Certainty


class PackCalendar(Model):
    week_start: Weekday = "mon"
    weekend: tuple[Weekday, ...] = ("sat", "sun")
    holidays: Annotated[str, AfterValidator(_holiday_country)] = ""  # country; empty: none


SECTIONS: dict[str, type[Rule]] = {
    "hours": HoursRule,
    "caps": CapRule,
    "gaps": GapRule,
    "cool_offs": CoolOffRule,
    "abandonment": AbandonmentRule,
    "ring": RingRule,
    "require": RequireRule,
    "content": ContentRule,
    "caller_id": CallerIdRule,
    "retention": RetentionRule,
    "duties": DutyRule,
}


class RuleSections(Model):
    """The rules by kind, as packs and as the site's and campaigns' own `rules:` hold them."""

    hours: tuple[HoursRule, ...] = ()
    caps: tuple[CapRule, ...] = ()
    gaps: tuple[GapRule, ...] = ()
    cool_offs: tuple[CoolOffRule, ...] = ()
    abandonment: tuple[AbandonmentRule, ...] = ()
    ring: tuple[RingRule, ...] = ()
    require: tuple[RequireRule, ...] = ()
    content: tuple[ContentRule, ...] = ()
    caller_id: tuple[CallerIdRule, ...] = ()
    retention: tuple[RetentionRule, ...] = ()
    duties: tuple[DutyRule, ...] = ()

    def placed_rules(self) -> Iterator[tuple[str, int, Rule]]:
        """(section, position, rule) of every rule, in the order of the sections."""
        for section in SECTIONS:
            for number, rule in enumerate(getattr(self, section)):
                yield section, number, rule

    def rules(self) -> Iterator[Rule]:
        """Every rule, in the order of the sections."""
        return (rule for _, _, rule in self.placed_rules())

    def doubled_ids(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Rules that bear the id of an earlier one."""
        seen: dict[str, str] = {}
        for section, number, rule in self.placed_rules():
            if rule.id in seen:
                problem = f"{rule.id!r} is an id in {seen[rule.id]} already"
                yield (section, number, "id"), problem, "an id of its own for each rule"
            seen.setdefault(rule.id, section)


class RulePack(RuleSections):
    """The rules of one jurisdiction."""

    schema_: Literal["duecall-rules/1"] = Field(alias="schema")
    jurisdiction: Jurisdiction
    name: Text
    review_by: Day | None = None  # the last day on which the pack is trusted
    calendar: PackCalendar = PackCalendar()
    zones: tuple[ZoneRule, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> RulePack:
        refuse("RulePack", self._problems())
        return self

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        yield from self.doubled_ids()
        if self.review_by is None and any(rule.level != "policy" for rule in self.rules()):
            problem = "is missing, though the pack holds more than policy"
            yield ("review_by",), problem, "the day until which a lawyer stands by the pack"
        if problem := days_without_hours(self.hours, self.review_by or date.max):
            yield ("hours",), problem, "rules that cover every kind of day"


def days_without_hours(hours: Iterable[HoursRule], last: date) -> str:
    """Which days, from when on, these rules forget and so leave open all day long; empty: none.

    Counted are the rules that are about every call, up to the day `last`. No rules forget nothing:
    then the campaign's hours are the only ones.
    """
    general = [
        rule for rule in hours if not (rule.purpose or rule.channels or rule.line or rule.region)
    ]
    starts = {rule.valid_from for rule in general}
    ends = {rule.valid_to + timedelta(days=1) for rule in general if rule.valid_to is not None}
    for day in sorted(day for day in starts | ends if day <= last):
        valid = [rule for rule in general if rule.valid_on(day)]
        for kind in KINDS_OF_DAY:
            bare = [n for n in range(7) if not any(rule.covers(n, kind) for rule in valid)]
            if bare:
                return (
                    f"no hours from {day} on for a {kind} ({', '.join(WEEKDAYS[n] for n in bare)})"
                )
    return ""


def corrected_zones(
    table: tuple[ZoneRule, ...], phone: str, zones: tuple[str, ...]
) -> tuple[str, ...]:
    """The library's zones of a number, put right by the rule with the longest prefix.

    table: of the pack. phone: E.164. zones: what core/callee_zones.candidate_zones gave.
    """
    found = [
        rule
        for rule in table
        if phone.startswith(rule.prefix) and (not rule.says or rule.says in zones)
    ]
    if not found:
        return zones
    rule = max(found, key=lambda one: len(one.prefix))
    kept = () if not rule.says else tuple(zone for zone in zones if zone != rule.says)
    return tuple(sorted({*kept, *rule.means}))


# What rules/none.yaml says, for a site that was not read from a file.
NO_LAW = RulePack.model_validate(
    {"schema": SCHEMA, "jurisdiction": "none", "name": "No jurisdiction, own rules only"}
)
