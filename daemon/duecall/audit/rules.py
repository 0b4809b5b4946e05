"""Rules as the audit reads them, from any spelling: a pack's YAML (all text), a rule set's document
or a change in the ledger (JSON). Equal rules are equal values, whatever they were spelled like.

Written from the description of packs (docs/rules.md), not from the code that judges by them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

import yaml

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVENTS = {"attempt": 1, "live": 2, "conversation": 4, "message": 8, "abandon": 16, "machine": 32}
CHANNELS = {"agent": 1, "ai_agent": 2, "prerecorded": 4, "sms": 8}
ALL_EVENTS, ALL_CHANNELS = 63, 15
FOR_EVER = date.max.toordinal()
DAY_S = 86_400
SECTIONS = (
    "hours",
    "caps",
    "gaps",
    "cool_offs",
    "abandonment",
    "ring",
    "require",
    "content",
    "caller_id",
    "retention",
    "duties",
)
_UNITS = {"d": DAY_S, "h": 3_600, "m": 60, "s": 1}
Raw = Mapping[str, Any]


class Unreadable(ValueError):
    """A rule, pack or rule set is not what it has to be. Says what and where."""


@dataclass(frozen=True, slots=True)
class Window:
    """kind: day, week, month (of the calendar); hours, days (rolling), of which there are n."""

    kind: str
    n: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. first, last: ordinals of the days on which it is in force. channels: bits.

    terms: what a rule of its section says, see _TERMS. origin: who stands behind it.
    """

    section: str
    id: str
    level: str
    origin: tuple[str, str]
    first: int
    last: int
    purpose: str
    channels: int
    line: str
    region: str
    unless: frozenset[str]
    terms: tuple[Any, ...]

    def in_force(self, days: Iterable[int]) -> bool:
        """On any of these days (ordinals)."""
        for day in days:  # noqa: SIM110 -- asked so often that a generator is felt
            if self.first <= day <= self.last:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Pack:
    """A jurisdiction's rules. review_by: ordinal of the last day on which it is trusted."""

    name: str
    rules: tuple[Rule, ...]
    review_by: int = FOR_EVER
    week_start: int = 0
    weekend: frozenset[int] = frozenset((5, 6))
    holidays: str = ""
    zones: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What was in effect for a campaign: a pack after all changes, and what the lender declares."""

    pack: Pack
    off: frozenset[int] = frozenset()
    working: frozenset[int] = frozenset()
    attested: frozenset[str] = frozenset()
    says: frozenset[str] = frozenset()
    number_shown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Calendar:
    """A campaign's own days and hours. spans: seconds since local midnight."""

    spans: tuple[tuple[int, int], ...]
    weekdays: frozenset[int] = frozenset(range(7))
    start: int = 0
    end: int = FOR_EVER
    off: frozenset[int] = field(default=frozenset())


@lru_cache(maxsize=256)
def read_pack(text: str) -> Pack:
    """Of a pack's YAML file. Raises Unreadable."""
    try:
        raw = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise Unreadable(f"no YAML: {error}") from None
    return _pack(raw)


@lru_cache(maxsize=256)
def read_rule_set(text: str) -> RuleSet:
    """Of a document of kind `rules`. Raises Unreadable."""
    try:
        raw = json.loads(text)
        return RuleSet(
            _pack(raw["rules"]),
            frozenset(map(day_of, raw["off"])),
            frozenset(map(day_of, raw["working"])),
            frozenset(raw["attested"]),
            frozenset(raw["says"]),
            frozenset(raw["number_shown"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"no rule set: {error!r}") from None


@lru_cache(maxsize=256)
def read_calendar(text: str) -> Calendar | None:
    """Of a campaign's YAML. Raises Unreadable."""
    try:
        raw = yaml.load(text, Loader=yaml.BaseLoader)
        if not isinstance(raw, Mapping) or "calendar" not in raw:
            return None
        of = raw["calendar"]
        return Calendar(
            spans_of(of["hours"]),
            frozenset(WEEK.index(day) for day in _many(of.get("weekdays") or WEEK)),
            day_of(of["start"]) if of.get("start") else 0,
            day_of(of["end"]) if of.get("end") else FOR_EVER,
            frozenset(day_of(day) for day in of.get("except_dates") or ()),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"no campaign: {error!r}") from None


def read_rule(section: str, raw: Raw) -> Rule:
    """One rule in any spelling. Raises Unreadable."""
    try:
        last = raw.get("valid_to")
        return Rule(
            section,
            str(raw["id"]),
            str(raw["level"]),
            (_text(raw["source"]), str(raw["certainty"])),
            day_of(raw["valid_from"]),
            day_of(last) if last else FOR_EVER,
            str(raw.get("purpose") or ""),
            _bits(raw.get("channels"), CHANNELS),
            str(raw.get("line") or ""),
            str(raw.get("region") or ""),
            frozenset(_many(raw.get("unless") or ())),
            _TERMS[section](raw),
        )
    except (KeyError, TypeError, ValueError) as error:
        name = raw.get("id", "?") if isinstance(raw, Mapping) else "?"
        raise Unreadable(f"rule {name} of {section}: {error!r}") from None


def section_of(raw: Raw) -> str:
    """Which section a rule that stands alone (in a change) is of, by its fields."""
    for section, names in _KNOWN_BY.items():
        if any(raw.get(name) not in (None, (), [], "") for name in names):
            return section
    return "hours" if "spans" in raw else "ring"


def _pack(raw: Any) -> Pack:
    try:
        calendar = raw.get("calendar") or {}
        review_by = raw.get("review_by")
        return Pack(
            str(raw["jurisdiction"]),
            tuple(
                read_rule(section, rule) for section in SECTIONS for rule in raw.get(section) or ()
            ),
            day_of(review_by) if review_by else FOR_EVER,
            WEEK.index(calendar.get("week_start") or "mon"),
            frozenset(map(WEEK.index, calendar.get("weekend", ("sat", "sun")))),
            str(calendar.get("holidays") or ""),
            tuple(
                (zone["prefix"], zone.get("says") or "", tuple(_many(zone["means"])))
                for zone in raw.get("zones") or ()
            ),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise Unreadable(f"no pack: {error!r}") from None


# ---- what the rules of each section say


def _hours(raw: Raw) -> tuple[Any, ...]:
    """(days by name, spans)"""
    return frozenset(_many(raw["days"])), spans_of(raw["spans"])


def _cap(raw: Raw) -> tuple[Any, ...]:
    """(events, key kinds, window, how many)"""
    return _bits(raw["counts"], EVENTS), _many(raw["per"]), _window(raw["window"]), int(raw["max"])


def _gap(raw: Raw) -> tuple[Any, ...]:
    """(events, key kinds, seconds)"""
    after = _bits(raw.get("after") or "attempt", EVENTS)
    return after, _many(raw["per"]), seconds_of(raw["gap"])


def _cool_off(raw: Raw) -> tuple[Any, ...]:
    """(events, key kinds, window of days or hours). A first day that does not count is one more."""
    days, hours = raw.get("days"), raw.get("hours")
    if days is not None:
        more = 0 if _flag(raw.get("first_day_counts", True)) else 1
        window = Window("days", int(days) + more)
    else:
        window = Window("hours", int(hours))  # type: ignore[arg-type]  # one of the two is there
    return _bits(raw["after"], EVENTS), _many(raw["per"]), window


def _abandonment(raw: Raw) -> tuple[Any, ...]:
    """(share, window, grace in seconds)"""
    return float(raw["max_ratio"]), _window(raw["window"]), seconds_of(raw["grace"])


def _ring(raw: Raw) -> tuple[Any, ...]:
    """(seconds,)"""
    return (seconds_of(raw["min"]),)


def _require(raw: Raw) -> tuple[Any, ...]:
    """(consent, flag, attested); the one that is asked for is not empty"""
    return raw.get("on_file") or "", raw.get("not_flagged") or "", raw.get("attested") or ""


def _content(raw: Raw) -> tuple[Any, ...]:
    """(to say, never to say)"""
    return raw.get("say") or "", raw.get("never_say") or ""


def _caller_id(raw: Raw) -> tuple[Any, ...]:
    """(what the number has to be, longest label; -1 for any)"""
    longest = raw.get("label_max_chars")
    return frozenset(_many(raw.get("needs") or ())), -1 if longest is None else int(longest)


def _retention(raw: Raw) -> tuple[Any, ...]:
    """(what, years, since)"""
    return raw["what"], int(raw["years"]), raw.get("since") or "event"


def _duty(raw: Raw) -> tuple[Any, ...]:
    """(what, days, working days)"""
    days, working = raw.get("within_days"), raw.get("within_working_days")
    return _text(raw["duty"]), _maybe_int(days), _maybe_int(working)


_TERMS = {
    "hours": _hours,
    "caps": _cap,
    "gaps": _gap,
    "cool_offs": _cool_off,
    "abandonment": _abandonment,
    "ring": _ring,
    "require": _require,
    "content": _content,
    "caller_id": _caller_id,
    "retention": _retention,
    "duties": _duty,
}
# Fields that no earlier section has.
_KNOWN_BY = {
    "caps": ("counts",),
    "gaps": ("gap",),
    "abandonment": ("max_ratio",),
    "cool_offs": ("after",),
    "ring": ("min",),
    "require": ("on_file", "not_flagged", "attested"),
    "content": ("say", "never_say"),
    "caller_id": ("needs", "label_max_chars"),
    "retention": ("what",),
    "duties": ("duty",),
}

# ---- values in any spelling


def day_of(value: Any) -> int:
    """The ordinal of `2026-04-19`."""
    year, month, day = map(int, str(value).split("-"))
    return date(year, month, day).toordinal()


def seconds_of(value: Any) -> int:
    """Of `1h30m`, or a number of seconds."""
    if isinstance(value, int):
        return value
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([dhms])", value))


def spans_of(raw: Iterable[Raw]) -> tuple[tuple[int, int], ...]:
    """Seconds since midnight, in order; a span that ends at midnight ends at 86,400."""
    return tuple(sorted((_clock(one["from"]), _clock(one["to"]) or DAY_S) for one in raw))


def _clock(text: str) -> int:
    hours, minutes, *seconds = map(int, str(text).split(":"))
    return hours * 3_600 + minutes * 60 + sum(seconds)


def _window(raw: Raw) -> Window:
    for name, kind in (("rolling_hours", "hours"), ("rolling_days", "days")):
        if raw.get(name) is not None:
            return Window(kind, int(raw[name]))
    return Window(str(raw["calendar"]))


def _bits(names: Any, bits: Mapping[str, int]) -> int:
    """All of them where none are named."""
    return sum(bits[name] for name in _many(names or ())) or sum(bits.values())


def _many(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _flag(value: Any) -> bool:
    return str(value).lower() in ("true", "yes", "on")


def _maybe_int(value: Any) -> int:
    return -1 if value is None else int(value)


def _text(value: Any) -> str:
    return unicodedata.normalize("NFC", str(value))
