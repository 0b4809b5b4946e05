"""A second, slow opinion on calling rules: reads plain data, shares no code with the product.

A pack here is what `yaml.load(…, BaseLoader)` gives: dicts, lists and text. Moments are aware
datetimes, windows are counted call by call, a zone's day is whatever its clock shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
EVERY_EVENT = {"attempt", "live", "conversation", "message", "abandon", "machine"}
EVERY_CHANNEL = {"agent", "ai_agent", "prerecorded", "sms"}


@dataclass
class Made:
    """A call that was made, or is about to be. keys: (kind, value)."""

    at: datetime
    keys: set[tuple[str, str]]
    zones: tuple[str, ...]
    channels: set[str]
    ended: datetime | None = None
    events: set[str] = field(default_factory=lambda: set(EVERY_EVENT))
    became: set[str] = field(default_factory=lambda: set(EVERY_CHANNEL))
    ring_s: int = 30
    purpose: str = "collection"
    line: str = ""
    regions: set[str] = field(default_factory=set)
    consents: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)
    stopped: bool = False
    label: str = ""
    abandoned: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Facts:
    """What the lender declared, and the operator's table of days."""

    attested: set[str] = field(default_factory=set)
    says: set[str] = field(default_factory=set)
    number_shown: set[str] = field(default_factory=set)
    off: set[date] = field(default_factory=set)
    working: set[date] = field(default_factory=set)


@lru_cache(maxsize=500_000)
def local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone))


def seconds(text: str) -> int:
    return sum(
        int(number) * {"d": 86_400, "h": 3_600, "m": 60, "s": 1}[unit]
        for number, unit in re.findall(r"(\d+)([dhms])", text)
    )


@lru_cache(maxsize=20)
def table_of(code: str) -> Any:
    return holidays.country_holidays(code)


def kind_of_day(pack: dict[str, Any], facts: Facts, day: date) -> str:
    calendar = pack.get("calendar", {})
    if day in facts.off:
        return "holiday"
    if day in facts.working:
        return "workday"
    if code := calendar.get("holidays"):
        if day in table_of(code):
            return "holiday"
        if day in table_of(code).weekend_workdays:
            return "workday"
    return (
        "weekend" if WEEK[day.weekday()] in calendar.get("weekend", ["sat", "sun"]) else "workday"
    )


def in_force(rule: dict[str, Any], day: date) -> bool:
    return rule["valid_from"] <= day.isoformat() <= rule.get("valid_to", "9999-12-31")


def about(rule: dict[str, Any], call: Made) -> bool:
    return (
        rule.get("purpose", call.purpose) == call.purpose
        and bool(set(rule.get("channels", EVERY_CHANNEL)) & call.channels)
        and (not call.line or rule.get("line", call.line) == call.line)
        and (not call.regions or "region" not in rule or rule["region"] in call.regions)
        and not set(rule.get("unless", [])) & call.consents
    )


def wall_open(pack: dict[str, Any], facts: Facts, call: Made, moment: datetime) -> str:
    """The hours rule that this moment breaks, in any zone; empty for none."""
    for zone in call.zones:
        clock = local(moment, zone)
        kind = kind_of_day(pack, facts, clock.date())
        for rule in pack.get("hours", []):
            days = rule["days"] if isinstance(rule["days"], list) else [rule["days"]]
            named = {"all", kind, WEEK[clock.weekday()]} & set(days)
            if not named or not in_force(rule, clock.date()) or not about(rule, call):
                continue
            time = f"{clock:%H:%M:%S.%f}"
            if not any(span["from"] <= time < span["to"] for span in rule["spans"]):
                return str(rule["id"])
    return ""


def same_window(
    window: dict[str, str], week_start: str, now: datetime, then: datetime, zone: str
) -> bool:
    """Whether `then` lies in the window that reaches to `now`."""
    if "rolling_hours" in window:
        return now - then < timedelta(hours=int(window["rolling_hours"]))
    today, day = local(now, zone).date(), local(then, zone).date()
    if "rolling_days" in window:
        return (today - day).days < int(window["rolling_days"])
    if window["calendar"] == "day":
        return today == day
    if window["calendar"] == "month":
        return (today.year, today.month) == (day.year, day.month)
    while WEEK[today.weekday()] != week_start:
        today -= timedelta(days=1)
    while WEEK[day.weekday()] != week_start:
        day -= timedelta(days=1)
    return today == day


def per(rule: dict[str, Any]) -> list[str]:
    return rule["per"] if isinstance(rule["per"], list) else [rule["per"]]


def counts(rule: dict[str, Any], past: Made) -> bool:
    named = rule.get("counts") or rule.get("after") or ["attempt"]
    events = set(named if isinstance(named, list) else [named])
    return bool(events & past.events and set(rule.get("channels", EVERY_CHANNEL)) & past.became)


def blocks(
    section: str, rule: dict[str, Any], week_start: str, now: datetime, past: Made, zone: str
) -> bool:
    """Whether this past call still weighs on the rule at `now`."""
    ended = past.ended or past.at
    if section == "caps":
        return same_window(rule["window"], week_start, now, past.at, zone)
    if section == "gaps":
        return now - ended < timedelta(seconds=seconds(rule["gap"]))
    if "hours" in rule:
        return now - ended < timedelta(hours=int(rule["hours"]))
    first = local(ended, zone).date()
    if rule.get("first_day_counts", "true") != "true":
        first += timedelta(days=1)
    return (local(now, zone).date() - first).days < int(rule["days"])


def counted_faults(pack: dict[str, Any], call: Made, log: list[Made]) -> Iterator[tuple[str, str]]:
    week_start = pack.get("calendar", {}).get("week_start", "mon")
    for section in ("gaps", "cool_offs", "caps"):
        for rule in pack.get(section, []):
            days = [local(call.at, zone).date() for zone in call.zones]
            if not about(rule, call) or not any(in_force(rule, day) for day in days):
                continue
            most = int(rule["max"]) if section == "caps" else 1
            for key in call.keys:
                if key[0] not in per(rule):
                    continue
                mine = [past for past in log if key in past.keys and counts(rule, past)]
                for zone in call.zones:
                    weighing = [
                        p for p in mine if blocks(section, rule, week_start, call.at, p, zone)
                    ]
                    if len(weighing) >= most:
                        yield section, rule["id"]


def declared_faults(pack: dict[str, Any], facts: Facts, call: Made) -> Iterator[tuple[str, str]]:
    days = [local(call.at, zone).date() for zone in call.zones]
    for section in ("require", "content", "caller_id", "ring", "abandonment"):
        for rule in pack.get(section, []):
            if not about(rule, call) or not any(in_force(rule, day) for day in days):
                continue
            live, dropped = call.abandoned.get(rule["id"], (0, 0))
            too_many = dropped and dropped / live >= float(rule.get("max_ratio", 1))
            wrong = (
                ("attested" in rule and rule["attested"] not in facts.attested)
                or ("on_file" in rule and rule["on_file"] not in call.consents)
                or ("not_flagged" in rule and rule["not_flagged"] in call.flags)
                or ("say" in rule and rule["say"] not in facts.says)
                or ("never_say" in rule and rule["never_say"] in facts.says)
                or not set(rule.get("needs", [])) <= facts.number_shown
                or len(call.label) > int(rule.get("label_max_chars", 999))
                or (section == "ring" and call.ring_s < seconds(rule["min"]))
                or (section == "abandonment" and too_many)
            )
            if wrong:
                yield section, rule["id"]


def faults(
    pack: dict[str, Any], facts: Facts, call: Made, log: list[Made]
) -> Iterator[tuple[str, str]]:
    """(section, rule) of all that forbids this call. log: the calls before it."""
    if call.stopped:
        yield "stop", "stop"
    if not call.zones:
        yield "zone", "zone"
        return
    if "review_by" in pack and f"{call.at:%Y-%m-%d}" > pack["review_by"]:
        yield "review", "review_by"
    yield from declared_faults(pack, facts, call)
    for moment in (call.at, call.at + timedelta(seconds=call.ring_s)):
        if rule := wall_open(pack, facts, call, moment):
            yield "hours", rule
    yield from counted_faults(pack, call, log)
