"""The one gate: may this call be made now, by every rule in effect; and if not, why, until when.

Every kind of call passes it at the last moment: first tries, retries, call-backs, agents' manual
calls, those asked for by other programs. It knows the rules (core/rule_merge.py), is told what was
done before (History) and who must not be called (Stops), and looks nothing up by itself.

`check` gives the verdict alone: it builds texts only for a rule that denies. `explain` tells of
every rule in order. Both walk the same rules, so that what is explained is what was decided: the
first rule in order that denies gives the reason; `until` is the first moment at which none denies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from duecall.core.call_events import CHANNELS, History, mask
from duecall.core.campaign import Calendar
from duecall.core.caps import Caps, Count, Counted, Past, reason_of
from duecall.core.gate_types import Conduct, Explanation, Finding, ProposedCall, Stops
from duecall.core.law_hours import HORIZON_DAYS, LawHours
from duecall.core.local_day import (
    DAY_US,
    HOUR_US,
    SECOND_US,
    DayKinds,
    from_us,
    local_date,
    local_dates,
    to_us,
)
from duecall.core.rule_merge import EffectiveRules
from duecall.core.rule_pack import (
    AbandonmentRule,
    CallerIdRule,
    CapRule,
    ContentRule,
    GapRule,
    KeyKind,
    RequireRule,
    RingRule,
    Rule,
)
from duecall.core.verdict import Allowed, Denied, Verdict

LOOK_AGAIN_US = DAY_US  # where only people can mend it: a consent, a word in a file
_FAR_US = HORIZON_DAYS // 2 * DAY_US
_ROUNDS = 100
_KEPT = 5_000  # sorts of calls kept ready
_ALLOWED = Allowed()


@dataclass(frozen=True, slots=True)
class _Sort:
    """The rules that are about one sort of call, made ready.

    single: each source of hours by itself (rule id, level). conduct: what is judged by the campaign
    alone (rule, kind, what is wrong, empty where nothing is). faulty: those with a
    fault. silent: those not about such a call (rule, kind, why).
    """

    hours: LawHours
    single: tuple[tuple[str, str, LawHours], ...]
    caps: Caps
    conduct: tuple[tuple[Rule, str, str], ...]
    faulty: tuple[tuple[Rule, str, str], ...]
    contact: tuple[RequireRule, ...]
    abandonment: tuple[AbandonmentRule, ...]
    silent: tuple[tuple[Rule, str, str], ...]


class Gate:
    """The rules in effect, ready to be asked. calendar: the campaign's own hours and days."""

    def __init__(self, rules: EffectiveRules, calendar: Calendar | None = None) -> None:
        self._rules = rules
        self._pack = rules.pack
        self._calendar = calendar
        self._kinds = DayKinds(self._pack.calendar, rules.off, rules.working)
        self._first = min((rule.valid_from for rule in self._pack.rules()), default=None)
        self._lifting = frozenset(word for rule in self._pack.rules() for word in rule.unless)
        self._sorts: dict[tuple[object, ...], _Sort] = {}

    def __reduce__(self) -> tuple[type[Gate], tuple[EffectiveRules, Calendar | None]]:
        """In a snapshot (the journal's) it is its rules: the rest follows from them."""
        return Gate, (self._rules, self._calendar)

    def reach_us(self) -> dict[KeyKind, int]:
        """By kind of key, how far back the store has to read for a Snapshot; 0: not at all."""
        return dict(Caps.of(self._pack).reach_us)

    def check(self, call: ProposedCall, history: History, stops: Stops, now: datetime) -> Verdict:
        """now: aware. Denied.until: the first moment at which nothing that is known today denies;
        a day from now where only people can mend it; None: never."""
        at_us = to_us(now)
        sort = self._sort(call)
        at_once = list(self._at_once(call, sort, stops, at_us, denials_only=True))
        past = sort.caps.past(call.keys, history, at_us)
        if not _zone_fault(call.zones):
            at_once += self._in_time_denials(call, sort, past, at_us)
        return self._verdict(call, sort, past, at_us, at_once)

    def explain(
        self, call: ProposedCall, history: History, stops: Stops, now: datetime
    ) -> Explanation:
        """The same verdict, with what every rule said, in order."""
        at_us = to_us(now)
        sort = self._sort(call)
        past = sort.caps.past(call.keys, history, at_us)
        findings = list(self._at_once(call, sort, stops, at_us))
        if not _zone_fault(call.zones):
            findings += self._hours(call, sort, at_us)
            findings += (
                _of_count(count, at_us)
                for count in sort.caps.counts(call.keys, call.zones, past, at_us)
            )
        denials = [one for one in findings if one.denies]
        verdict = self._verdict(call, sort, past, at_us, denials)
        findings += (
            Finding(rule.id, kind, rule.level, False, why, applies=False)
            for rule, kind, why in sort.silent
        )
        return Explanation(verdict, denials[0] if denials else None, tuple(findings))

    # What waiting does not mend.

    def _at_once(
        self,
        call: ProposedCall,
        sort: _Sort,
        stops: Stops,
        at_us: int,
        *,
        denials_only: bool = False,
    ) -> Iterator[Finding]:
        for stop in stops.of(call):
            denies = stop.expires_us is None or stop.expires_us > at_us
            if denies or not denials_only:
                reason = f"stopped for {stop.scope}: {stop.kind} ({stop.source})"
                reason += "" if denies else ", expired"
                yield Finding(f"stop.{stop.kind}", "stop", "law", denies, reason, stop.expires_us)
        again = at_us + LOOK_AGAIN_US
        if fault := _zone_fault(call.zones):
            yield Finding("zone", "zone", "law", True, fault, again if call.zones else None)
            return
        today = local_date(call.conduct.zone, at_us)
        if fault := self._distrust(today):
            yield Finding("review_by", "review", "law", True, fault, again)
        elif not denials_only and self._pack.review_by is not None:
            reason = f"good until {self._pack.review_by}"
            yield Finding("review_by", "review", "law", False, reason)
        days = local_dates(call.zones, at_us)
        told = list(sort.faulty if denials_only else sort.conduct)
        for need in sort.contact:
            wrong = _missing(need, call)
            if wrong or not denials_only:
                told.append((need, "require", wrong))
        for rule, kind, wrong in told:
            if _in_force(rule, days):
                yield Finding(rule.id, kind, rule.level, bool(wrong), wrong or "met", again)
            elif not denials_only:
                yield _asleep(rule, kind)
        for tally in call.abandoned:
            for bound in sort.abandonment:
                if bound.id != tally.rule or not _in_force(bound, days):
                    continue
                denies = tally.abandoned > 0 and tally.abandoned >= bound.max_ratio * tally.live
                if denies or not denials_only:
                    reason = f"{bound.id}: {tally.abandoned} of {tally.live} live answers abandoned"
                    reason += f", the bound is {bound.max_ratio:.1%}"
                    again = at_us + HOUR_US
                    yield Finding(bound.id, "abandonment", bound.level, denies, reason, again)

    def _distrust(self, today: date) -> str:
        """Why the pack is not good for this day where the lender is; empty where it is."""
        name, by, first = self._pack.jurisdiction, self._pack.review_by, self._first
        if first is not None and today < first:
            return f"the rules of {name} begin on {first}, and it is {today}: is the clock right?"
        if by is not None and today > by:
            return f"the rules of {name} were to be reviewed by {by}: have them checked by a lawyer"
        return ""

    # What waiting mends.

    def _in_time_denials(
        self, call: ProposedCall, sort: _Sort, past: Past, at_us: int
    ) -> Iterator[Finding]:
        if not sort.hours.is_open(call.zones, at_us, call.conduct.ring_s * SECOND_US):
            hours = self._hours(call, sort, at_us, told=False)
            yield from (one for one in hours if one.denies)
        count = sort.caps.first_denial(call.keys, call.zones, past, at_us)
        if count is not None:
            yield _of_count(count, at_us)

    def _hours(
        self, call: ProposedCall, sort: _Sort, at_us: int, *, told: bool = True
    ) -> Iterator[Finding]:
        """Each source of hours by itself; all together where only that denies. told: with values"""
        ring_us = call.conduct.ring_s * SECOND_US
        values: tuple[tuple[str, str], ...] = ()
        if told:
            clocks = ", ".join(f"{_wall(zone, at_us)} {zone}" for zone in call.zones)
            values = (("local time", clocks), ("ring", f"{call.conduct.ring_s} s"))
        together = ("hours", "law", sort.hours)
        denied = False
        for name, level, hours in (*sort.single, together):
            if hours is sort.hours and (denied or hours.is_open(call.zones, at_us, ring_us)):
                continue
            opens = hours.opening(call.zones, at_us, ring_us)
            denies = opens != at_us
            denied = denied or denies
            reason = f"{name}: {self._closed(call, at_us, opens)}" if denies else "open"
            until = self._far(call, at_us) if opens is None else opens
            yield Finding(name, "hours", level, denies, reason, until, values=values)

    def _closed(self, call: ProposedCall, at_us: int, opens: int | None) -> str:
        if opens is not None:
            return "outside calling hours"
        if self._over(call, at_us):
            return "the campaign is over"
        if len(call.zones) > 1:
            count = len(call.zones)
            return f"no hour fits all {count} zones this number may be in: give the contact a zone"
        return "no calling hour in the next two months"

    def _over(self, call: ProposedCall, at_us: int) -> bool:
        end = self._calendar.end if self._calendar else None
        return end is not None and all(day >= end for day in local_dates(call.zones, at_us))

    def _far(self, call: ProposedCall, at_us: int) -> int | None:
        """When to look again though no hour is in sight; None: none will come."""
        return None if self._over(call, at_us) or len(call.zones) > 1 else at_us + _FAR_US

    # The moment at which nothing denies.

    def _verdict(
        self, call: ProposedCall, sort: _Sort, past: Past, at_us: int, denials: Sequence[Finding]
    ) -> Verdict:
        """denials: all that waiting does not mend, and the first of the others."""
        if not denials:
            return _ALLOWED
        for one in denials:
            if one.until_us is None:
                return Denied(one.reason, None, one.rule)
        first = denials[0]
        waits = [one.until_us or 0 for one in denials if one.kind not in _TIMED]
        least = max(waits, default=at_us)
        if any(one.kind == "zone" for one in denials):  # no clock to wait by
            return Denied(first.reason, from_us(least), first.rule)
        for _ in range(_ROUNDS):
            free = sort.caps.free_at(call.keys, call.zones, past, least)
            if free is None:  # a key is missing, which only people can mend
                return Denied(first.reason, from_us(max(least, at_us + LOOK_AGAIN_US)), first.rule)
            opens = sort.hours.opening(call.zones, free, call.conduct.ring_s * SECOND_US)
            if opens is None:
                far = self._far(call, free)
                return Denied(
                    f"{first.reason}; then {self._closed(call, free, None)}",
                    None if far is None else from_us(far),
                    first.rule,
                )
            if opens == least:
                break
            least = opens
        return Denied(first.reason, from_us(least), first.rule)

    # Which rules are about this sort of call.

    def _sort(self, call: ProposedCall) -> _Sort:
        key = (call.conduct, call.line, call.regions, call.consents & self._lifting)
        sort = self._sorts.get(key)
        if sort is None:
            if len(self._sorts) > _KEPT:
                self._sorts.clear()
            sort = self._sorts[key] = self._prepare(call)
        return sort

    def _prepare(self, call: ProposedCall) -> _Sort:
        pack = self._pack
        silent = [
            (rule, section, why)
            for section, _, rule in pack.placed_rules()
            if section not in ("retention", "duties") and (why := not_about(rule, call))
        ]
        others = {rule.id for rule, _, _ in silent}
        hours = [rule for rule in pack.hours if rule.id not in others]
        single = [(rule.id, rule.level, LawHours([rule], self._kinds)) for rule in hours]
        if self._calendar is not None:
            own = LawHours([], self._kinds, self._calendar)
            single.append(("campaign.calendar", "policy", own))
        counted: list[Counted] = [*pack.gaps, *pack.cool_offs, *pack.caps]
        judged: list[Rule] = [*pack.require, *pack.content, *pack.caller_id, *pack.ring]
        conduct = [
            (rule, kind, wrong)
            for rule in judged
            if rule.id not in others
            for kind, wrong in self._conduct_fault(rule, call.conduct)
        ]
        return _Sort(
            hours=LawHours(hours, self._kinds, self._calendar),
            single=tuple(single),
            caps=Caps((one for one in counted if one.id not in others), pack.calendar.week_start),
            conduct=tuple(conduct),
            faulty=tuple(one for one in conduct if one[2]),
            contact=tuple(
                rule for rule in pack.require if not rule.attested and rule.id not in others
            ),
            abandonment=tuple(rule for rule in pack.abandonment if rule.id not in others),
            silent=tuple(silent),
        )

    def _conduct_fault(self, rule: Rule, conduct: Conduct) -> Iterator[tuple[str, str]]:
        """(kind, what is wrong) of a rule that the campaign alone is judged by."""
        rules, wrong = self._rules, ""
        if isinstance(rule, RequireRule):
            if rule.attested is None:
                return
            if rule.attested not in rules.attested:
                wrong = f"{rule.id}: not attested: {rule.attested}"
            yield "require", wrong
        elif isinstance(rule, ContentRule):
            if rule.say is not None and rule.say not in rules.says:
                wrong = f"{rule.id}: the message is not declared to say: {rule.say}"
            elif rule.never_say is not None and rule.never_say in rules.says:
                wrong = f"{rule.id}: the message must not say: {rule.never_say}"
            yield "content", wrong
        elif isinstance(rule, CallerIdRule):
            missing = [word for word in rule.needs if word not in rules.number_shown]
            longest = rule.label_max_chars
            if missing:
                wrong = f"{rule.id}: the number shown is not declared to be: {', '.join(missing)}"
            elif longest is not None and len(conduct.label) > longest:
                wrong = f"{rule.id}: the label has {len(conduct.label)} characters, over {longest}"
            yield "caller_id", wrong
        elif isinstance(rule, RingRule):
            if conduct.ring_s < rule.min:
                wrong = f"{rule.id}: rings {conduct.ring_s} s, under {rule.min} s"
            yield "ring", wrong


_TIMED = ("hours", "gap", "cool_off", "cap")


def not_about(rule: Rule, call: ProposedCall) -> str:
    """Why the rule is not about this call; empty where it is. In doubt, it is."""
    conduct = call.conduct
    if rule.purpose is not None and rule.purpose != conduct.purpose:
        return f"only for {rule.purpose}"
    if rule.channels and not mask(rule.channels, CHANNELS) & conduct.channels:
        return f"only for {', '.join(rule.channels)}"
    if rule.line is not None and call.line and call.line != rule.line:
        return f"only for a {rule.line} line"
    if rule.region is not None and call.regions and rule.region not in call.regions:
        return f"only in {rule.region}"
    lifting = sorted(call.consents & set(rule.unless))
    return f"lifted by consent: {', '.join(lifting)}" if lifting else ""


def _missing(rule: RequireRule, call: ProposedCall) -> str:
    if rule.on_file is not None and rule.on_file not in call.consents:
        return f"{rule.id}: no consent on file: {rule.on_file}"
    if rule.not_flagged is not None and rule.not_flagged in call.flags:
        return f"{rule.id}: the contact is flagged: {rule.not_flagged}"
    return ""


def _of_count(count: Count, at_us: int) -> Finding:
    rule = count.rule
    kind = (
        "cap" if isinstance(rule, CapRule) else "gap" if isinstance(rule, GapRule) else "cool_off"
    )
    denies = count.missing or count.until_us > at_us
    until = at_us + LOOK_AGAIN_US if count.missing else count.until_us
    reason = reason_of(count) if denies else "free"
    values = (("by", count.key.kind), ("used", str(count.used)), ("of", str(count.of)))
    return Finding(rule.id, kind, rule.level, denies, reason, until, values=values)


@lru_cache(maxsize=16_384)
def _zone_fault(zones: tuple[str, ...]) -> str:
    """Why the callee's clock is not known; empty where it is."""
    if not zones:
        return "time zone unknown: give the contact a zone"
    try:
        local_dates(zones, 0)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # The number's tables know zones that this machine's may lack.
        return "a time zone of the number is not known here: install tzdata"
    return ""


def _in_force(rule: Rule, days: tuple[date, ...]) -> bool:
    return any(rule.valid_on(day) for day in days)


def _asleep(rule: Rule, kind: str) -> Finding:
    reason = f"in force from {rule.valid_from}" + (f" to {rule.valid_to}" if rule.valid_to else "")
    return Finding(rule.id, kind, rule.level, False, reason, applies=False)


def _wall(zone: str, at_us: int) -> str:
    return f"{from_us(at_us).astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M:%S}"
