"""What the rules say of one sort of call: which are about it, what its campaign is wrong in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from duecall.audit.counted import COUNTED, Counted
from duecall.audit.log import Grounds
from duecall.audit.rules import Calendar, Rule, RuleSet
from duecall.audit.wall import Days, Hours


def about(rule: Rule, grounds: Grounds) -> bool:
    """Whether the rule is about such calls; in doubt it is."""
    if rule.purpose and rule.purpose != grounds.purpose:
        return False
    if not rule.channels & grounds.channels:
        return False
    if rule.line and grounds.line and rule.line != grounds.line:
        return False
    if rule.region and grounds.regions and rule.region not in grounds.regions:
        return False
    return not rule.unless & grounds.consents


class Ready:
    """A rule set with a campaign's calendar, made ready to judge by."""

    def __init__(self, rules: RuleSet, calendar: Calendar | None) -> None:
        self.rules = rules
        self.calendar = calendar
        self.days = Days(rules)
        self.first = min((rule.first for rule in rules.pack.rules), default=0)
        self._hours: dict[tuple[Rule, ...], Hours] = {}
        self._counted: dict[tuple[Rule, ...], Counted] = {}

    def hours_of(self, rules: tuple[Rule, ...]) -> Hours:
        """These rules of hours and the calendar, once for all sorts that share them."""
        found = self._hours.get(rules)
        if found is None:
            found = self._hours[rules] = Hours(rules, self.days, self.calendar)
        return found

    def counted_of(self, rules: tuple[Rule, ...]) -> Counted:
        """The same of rules that count."""
        found = self._counted.get(rules)
        if found is None:
            found = self._counted[rules] = Counted(rules, self.rules.pack.week_start)
        return found

    def sort(self, grounds: Grounds) -> Sort:
        """Those of its rules that are about calls on these grounds."""
        return Sort(self, grounds)


class Sort:
    """wrong: (rule, text) of rules that calls on these grounds break whenever they are in force."""

    def __init__(self, ready: Ready, grounds: Grounds) -> None:
        rules = [rule for rule in ready.rules.pack.rules if about(rule, grounds)]
        of_hours = tuple(rule for rule in rules if rule.section == "hours")
        counted = tuple(rule for rule in rules if rule.section in COUNTED)
        self.ready = ready
        self.grounds = grounds
        self.ring_us = grounds.ring_s * 1_000_000
        self.hours = ready.hours_of(of_hours)
        self.counted = ready.counted_of(counted)
        self.abandonment = [rule for rule in rules if rule.section == "abandonment"]
        self.wrong = [(rule, text) for rule in rules for text in _wrong(rule, ready.rules, grounds)]

    def review(self, today: int) -> str:
        """What is wrong with the pack on this day where the lender is; empty for nothing."""
        if today > self.ready.rules.pack.review_by:
            return "the pack was to be reviewed before this day"
        if today < self.ready.first:
            return "the pack begins after this day"
        return ""

    def declared(self, days: Sequence[int]) -> Iterator[tuple[Rule, str]]:
        """The rules in force on these days that waiting would not have mended."""
        return ((rule, text) for rule, text in self.wrong if rule.in_force(days))


def _wrong(rule: Rule, rules: RuleSet, grounds: Grounds) -> Iterator[str]:
    terms = rule.terms
    if rule.section == "require":
        consent, flag, attested = terms
        if attested and attested not in rules.attested:
            yield f"not attested: {attested}"
        if consent and consent not in grounds.consents:
            yield f"no consent on file: {consent}"
        if flag and flag in grounds.flags:
            yield f"the contact is flagged: {flag}"
    elif rule.section == "content":
        say, never = terms
        if say and say not in rules.says:
            yield f"the message is not declared to say: {say}"
        if never and never in rules.says:
            yield f"the message is declared to say: {never}"
    elif rule.section == "caller_id":
        needs, longest = terms
        if missing := needs - rules.number_shown:
            yield f"the number shown is not declared to be: {', '.join(sorted(missing))}"
        if 0 <= longest < len(grounds.label):
            yield f"the label has {len(grounds.label)} characters, {longest} are allowed"
    elif rule.section == "ring" and grounds.ring_s < terms[0]:
        yield f"it rings for {grounds.ring_s} s, {terms[0]} s are asked for"
