"""The setting of a story under a law: a rule pack, or rules of the site's own; nights in which
clocks are changed, holidays, days near the end of a pack's trust; people who share numbers.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Any

from duecall.core.attempt import Target
from duecall.core.campaign import Campaign
from duecall.core.site import Site
from duecall.sim import rule_packs
from duecall.sim.people import LATE, People
from duecall.sim.setting import (
    AGENTS,
    CAMPAIGNS,
    OUR_FAULT,
    PARK_GRACE_S,
    RETRIED,
    Setting,
    made_campaign,
)
from duecall.sim.truth import CampaignRules, Rules

PACKS = ("vn", "ru", "cn", "us", "gb")
LAWS = ("none", "own", *PACKS)
LAW_WEIGHTS = (7, 5, 2, 2, 2, 2, 2)
BOOKS = {
    "own": "Asia/Ho_Chi_Minh",
    "vn": "Asia/Ho_Chi_Minh",
    "ru": "Europe/Moscow",
    "cn": "Asia/Shanghai",
    "us": "America/New_York",
    "gb": "Europe/London",
}


def _utc(*texts: str) -> tuple[datetime, ...]:
    return tuple(datetime.fromisoformat(text).replace(tzinfo=timezone.utc) for text in texts)


# A working day; shortly before the closing hour; the night in which clocks are put on or back; the
# day before a holiday; the last day on which the pack is trusted.
STARTS = {
    "own": _utc(
        "2026-11-23T05:00", "2026-11-23T12:58:20", "2026-11-01T05:20", "2027-03-14T06:20",
        "2027-03-28T00:20", "2026-10-25T00:20", "2027-04-03T14:20", "2026-10-03T14:50",
    ),
    "vn": _utc("2026-11-23T05:00", "2026-11-23T13:57:40", "2027-02-05T09:00", "2027-02-28T13:00",
               "2027-03-28T00:30"),
    "ru": _utc("2026-11-23T08:00", "2026-12-31T12:00", "2027-01-14T12:00", "2026-11-21T16:58"),
    "cn": _utc("2026-11-23T05:00", "2026-11-23T13:57:40", "2026-12-31T10:00", "2027-01-30T13:00"),
    "us": _utc("2026-11-23T16:00", "2026-10-31T23:30", "2026-11-01T13:00", "2027-03-14T01:30",
               "2027-01-31T23:00", "2026-11-25T22:00"),
    "gb": _utc("2026-11-23T11:00", "2026-10-24T15:30", "2027-03-27T16:30", "2026-12-24T15:00",
               "2027-02-28T12:00"),
}  # fmt: skip
_DAY = ((time(8), time(20)),)
_LUNCH = ((time(8), time(12)), (time(13, 30), time(20)))
_ALWAYS = ((time(0), time(0)),)  # midnight at the end is the end of the day
_NIGHT = ((time(0, 30), time(2, 30)), (time(20), time(0)))
SHORT_RESTS, LONG_RESTS = (5, 60, 900), (300, 1_800, 7_200)


def draw_law(seed: int) -> str:
    """Which law a seed's story is told under. Drawn apart, so that it moves nothing else."""
    return random.Random(f"law {seed}").choices(LAWS, LAW_WEIGHTS)[0]


def draw(chance: random.Random, contacts: int | None, law: str) -> tuple[Setting, list[Target]]:
    """contacts: how many targets; None draws that too. law: own, or a pack."""
    real = law != "own"
    count = contacts if contacts is not None else chance.choice((8, 20, 45, 80))
    start = chance.choice(STARTS[law])
    channels, calls_per_second = chance.choice(((6, 5.0), (6, 5.0), (3, 1.0), (12, 20.0)))
    if count > 100:
        channels, calls_per_second = 20, 10.0
    dark = not real and start.hour not in (5, 12)
    holiday = (start + timedelta(days=1)).date() if chance.random() < 0.2 else None
    campaigns = {}
    for name in CAMPAIGNS:
        hours = _NIGHT if dark else chance.choice((_DAY, _LUNCH, _ALWAYS))
        campaigns[name] = CampaignRules(
            hours=hours,
            except_dates=(holiday,) if holiday else (),
            max_attempts=chance.choice((1, 2, 4)),
            times=dict.fromkeys(RETRIED, 2) | OUR_FAULT,
            every_s=min(LONG_RESTS if real else SHORT_RESTS),
            ring_s=chance.choice((20, 25)) if real else chance.choice((8, 15)),
            max_call_s=60 if real else 30,
        )
    people = People(chance, law, start.date())
    people.add(count)
    people.add_late()
    wait_s = chance.choice((10, 25))
    rules = Rules(channels, calls_per_second, wait_s, PARK_GRACE_S, campaigns, people.zones)
    daemons = ("a", "b") if chance.random() < 0.4 else ("a",)
    trunk = (channels, calls_per_second, wait_s)
    text = json.dumps(own_rules(chance, law), sort_keys=True)
    site = _site(law, start.date(), text, *trunk)
    setting = Setting(
        site, rules, start, daemons, False, law,
        bad_times=chance.choice((1, 2, 3)), bound_days=100 if real else 10, late=LATE,
    )  # fmt: skip
    return setting, people.targets


def renewed(setting: Setting, day: date) -> Setting:
    """A lawyer has looked at the pack again on this day: the site as it is read from then on."""
    name = pack_of(setting.law)
    pack = rule_packs.renewed(name, day)
    return replace(setting, site=setting.site.with_packs({name: pack}))


def pack_of(law: str) -> str:
    """The pack's name."""
    return "none" if law in ("none", "own") else law


def version(setting: Setting, name: str, chance: random.Random) -> tuple[Campaign, str]:
    """A version of a campaign of it, always an object of its own; and the text of its file."""
    rests = LONG_RESTS if setting.law != "own" else SHORT_RESTS
    rules = setting.rules.campaigns[name]
    retries = tuple((outcome, chance.choice(rests), rules.times[outcome]) for outcome in RETRIED)
    law = setting.law
    known, text = made_campaign(
        name, rules.hours, rules.except_dates, rules.max_attempts, retries,
        rules.ring_s, rules.max_call_s,
        country="VN" if law == "own" else law.upper(),
        zone=BOOKS[law],
        caller_name="Bank",
        pack_reason="rules of our own" if law == "own" else "",
    )  # fmt: skip
    return known.model_copy(), text


def own_rules(chance: random.Random, law: str) -> dict[str, Any]:
    """`rules:` of the site: all that the pack asks for is stated; some rules are changed."""
    if law == "own":
        return {
            "gaps": [
                {"id": "own.gap", "per": "contact", "gap": chance.choice(("20s", "2m", "10m"))},
                {"id": "own.gap-talk", "per": "number", "after": ["live"], "gap": "5m"},
            ],
            "caps": [
                _cap("hour", chance.choice(("number", ["number", "contact"])), 3, rolling_hours=1),
                _cap("day", "contact", chance.choice((4, 6)), calendar="day"),
                _cap("account", "account", 2, rolling_hours=2),
                _cap("talks", "contact", 1, counts=["conversation"], rolling_hours=1),
            ],
            "cool_offs": [
                {"id": "own.rest", "after": "conversation", "hours": 1, "per": "account"},
            ],
        }
    changes: dict[str, Any] = {name: list(some) for name, some in rule_packs.words(law).items()}
    bound: dict[str, Any] = {"rule": f"{law}.abandoned", "reason": "few calls a day"}
    bound["set"] = {"window": {"calendar": "day"}, "max_ratio": chance.choice((0.1, 0.9, 0.9))}
    changes["override"] = [bound]
    if chance.random() < 0.3:
        changes["gaps"] = [{"id": "own.gap", "per": "number", "gap": "3h"}]
    if chance.random() < 0.2:
        changes["hours"] = [{"id": "own.sundays", "days": "sun", "spans": []}]
    if chance.random() < 0.2:
        changes["caps"] = [_cap("week", ["number", "account"], 4, calendar="week")]
    return changes


def _cap(name: str, per: Any, most: int, *, counts: Any = ("attempt",), **window: Any) -> Any:
    return {
        "id": f"own.{name}", "counts": list(counts), "per": per, "window": window, "max": most,
    }  # fmt: skip


@lru_cache(maxsize=200)
def _site(
    law: str, day: date, rules: str, channels: int, calls_per_second: float,
    wait_s: int,
) -> Site:  # fmt: skip
    raw = {
        "lender": "bank",
        "rules": json.loads(rules),
        "trunks": {
            "demo": {
                "proxy": "127.0.0.1:5080",
                "channels": channels,
                "calls_per_second": calls_per_second,
            }
        },
        "agents": {"front-desk": {"members": list(AGENTS), "ring": 10, "wait": wait_s}},
    }
    name = pack_of(law)
    return Site.model_validate(raw).with_packs({name: rule_packs.in_use(name, day)})
