"""The setting of a story, drawn from its seed: installation, campaigns, contacts, the hour."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Any

from duecall.core.attempt import Past, Target
from duecall.core.campaign import Campaign
from duecall.core.contact import Account, Contact
from duecall.core.site import Site
from duecall.sim.truth import CampaignRules, Rules
from fs_scripts.contract import Brief, Step

CAMPAIGNS = ("overdue", "survey")
MANY = 1_000  # contacts: from here on a story is an everyday campaign over days
PARK_GRACE_S = 60  # shell/originate_line.py; a test compares them
AGENTS = ("sip:anna@127.0.0.1:5090", "sip:binh@127.0.0.1:5091")
RETRIED = ("busy", "no_answer", "unknown", "hung_up", "agent_unavailable")
OUR_FAULT = {"congestion": 10, "technical": 10}  # what the product tries again without a rule
BRIEF = Brief("", (Step("message", ("/sounds/a.wav",), 12_000),))
NO_AGENT = ("/sounds/sorry.wav",)

_HANOI = ("Asia/Ho_Chi_Minh",)
# (prefix, explicit zone of the contact, zones in which the callee may be)
_NUMBERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("+8490", "", _HANOI),
    ("+8490", "", _HANOI),
    ("+8490", "", _HANOI),
    ("+8490", "Asia/Tokyo", ("Asia/Tokyo",)),
    ("+1212555", "", ("America/New_York",)),
    # The number does not tell which of the two: only hours that are open in both will do.
    ("+44740012", "", ("Europe/Guernsey", "Europe/Isle_of_Man", "Europe/Jersey", "Europe/London")),
)
# Noon in Hanoi; shortly before the closing hour; before clocks are put back in New York; at 02:00
# in the night before they are put on in London.
_STARTS = (
    datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc),
    datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc),
    datetime(2026, 11, 23, 12, 58, 20, tzinfo=timezone.utc),
    datetime(2026, 10, 31, 23, 30, tzinfo=timezone.utc),
    datetime(2027, 3, 28, 0, 59, tzinfo=timezone.utc),
)
_ALL_DAY = ((time(8), time(20)),)
_WITH_LUNCH = ((time(8), time(12)), (time(13, 30), time(20)))


@dataclass(frozen=True, slots=True)
class Setting:
    site: Site
    rules: Rules
    start: datetime
    daemons: tuple[str, ...]
    everyday: bool
    law: str = "none"  # own: no pack, rules of the site's own; else a pack
    bad_times: int = 1  # how often faults are let loose
    bound_days: int = 6  # by then all must be done
    late: int = 3  # targets, the last ones, that are imported when all others are done


def draw(chance: random.Random, contacts: int | None) -> tuple[Setting, list[Target]]:
    """contacts: how many; None draws that too."""
    everyday = contacts is not None and contacts >= MANY
    count = contacts if contacts is not None else chance.choice((8, 20, 45, 80))
    start = _STARTS[0] if everyday else chance.choice(_STARTS)
    holiday = (start + timedelta(days=1)).date() if chance.random() < 0.3 else None
    channels, calls_per_second = chance.choice(((6, 5.0), (6, 5.0), (1, 0.5), (3, 1.0), (12, 20.0)))
    if everyday:
        channels, calls_per_second = 10, 5.0
    campaigns = {}
    for name in CAMPAIGNS:
        campaigns[name] = CampaignRules(
            hours=_ALL_DAY if everyday or chance.random() < 0.6 else _WITH_LUNCH,
            except_dates=(holiday,) if holiday else (),
            max_attempts=6 if everyday else chance.choice((1, 2, 4)),
            times=dict.fromkeys(RETRIED, 3 if everyday else 2) | OUR_FAULT,
            every_s=300 if everyday else 5,
            ring_s=25 if everyday else chance.choice((8, 15)),
            max_call_s=60 if everyday else 30,
        )
    phones = [
        _number(n, ("+8490", "", _HANOI) if everyday else chance.choice(_NUMBERS))
        for n in range(1, count + 4)
    ]
    # Some numbers belong to several targets, of one campaign or of both.
    shared = count if everyday else max(1, count * 3 // 5)
    targets = []
    zones: dict[str, tuple[str, ...]] = {}
    for n in range(1, count + 4):
        # The last three are imported when all is done.
        late = n > count
        place = n - 1 if late or everyday else (n - 1) % shared
        phone, zone, candidates = phones[place]
        name = CAMPAIGNS[0] if late else CAMPAIGNS[n % 2]
        zones[phone] = candidates
        targets.append(_target(n, name, phone, zone))
    wait_s = 60 if everyday else chance.choice((10, 25))
    rules = Rules(channels, calls_per_second, wait_s, PARK_GRACE_S, campaigns, zones)
    daemons = ("a", "b") if not everyday and chance.random() < 0.3 else ("a",)
    site = _site(channels, calls_per_second, wait_s)
    return Setting(site, rules, start, daemons, everyday), targets


def version(setting: Setting, name: str, chance: random.Random) -> tuple[Campaign, str]:
    """A version of a campaign of it, and the text of its file."""
    return campaign(name, setting.rules.campaigns[name], chance, setting.everyday)


def campaign(
    name: str, rules: CampaignRules, chance: random.Random, everyday: bool
) -> tuple[Campaign, str]:
    """A version of it: the hours and maxima as promised, the rests anew. Always an object of its
    own, as one that was read from a file: the dialer tells versions apart by that."""
    rests = (1_800, 7_200, 14_400) if everyday else (5, 60, 900)
    known, text = made_campaign(
        name,
        rules.hours,
        rules.except_dates,
        rules.max_attempts,
        tuple((outcome, chance.choice(rests), rules.times[outcome]) for outcome in RETRIED),
        rules.ring_s,
        rules.max_call_s,
    )
    return known.model_copy(), text


@lru_cache(maxsize=2_000)
def made_campaign(
    name: str,
    hours: tuple[tuple[time, time], ...],
    except_dates: tuple[date, ...],
    max_attempts: int,
    retries: tuple[tuple[str, int, int], ...],
    ring_s: int,
    max_call_s: int,
    country: str = "VN",
    zone: str = "Asia/Ho_Chi_Minh",
    caller_name: str = "",
    pack_reason: str = "a world that is made up",
) -> tuple[Campaign, str]:
    """The campaign and its text. hours: an end of 00:00 is midnight. pack_reason: why no country's
    pack holds; empty where the country's does."""
    raw: dict[str, Any] = {
        "name": name,
        "contacts": "contacts.csv",
        "language": "vi",
        "country": country,
        "currency": "VND",
        "zone": zone,
        "calendar": {
            "hours": [
                {"from": f"{a:%H:%M}", "to": "24:00" if b == time(0) else f"{b:%H:%M}"}
                for a, b in hours
            ],
            "except_dates": [day.isoformat() for day in except_dates],
        },
        "message": [{"text": "xin chao"}],
        "keys": {
            "1": {"do": "transfer", "to": "front-desk"},
            "2": {"do": "promise", "days": 3},
            "3": {"do": "claims_paid"},
            "8": {"do": "hang_up"},
            "9": {"do": "opt_out"},
        },
        "retry": {
            "max_attempts": max_attempts,
            "by_outcome": {
                outcome: {"every": every_s, "times": times} for outcome, every_s, times in retries
            },
        },
        "caller_id": "842412345678",
        "caller_name": caller_name,
        "trunk": "demo",
        "ring": ring_s,
        "max_call": max_call_s,
    }
    if pack_reason:
        raw["rules"] = {"pack": "none", "pack_reason": pack_reason}
    return Campaign.model_validate(raw), json.dumps(raw)


@lru_cache(maxsize=100)
def _site(channels: int, calls_per_second: float, wait_s: int) -> Site:
    raw = {
        "lender": "bank",
        "trunks": {
            "demo": {
                "proxy": "127.0.0.1:5080",
                "channels": channels,
                "calls_per_second": calls_per_second,
            }
        },
        "agents": {"front-desk": {"members": list(AGENTS), "ring": 10, "wait": wait_s}},
    }
    return Site.model_validate(raw)


def _number(n: int, kind: tuple[str, str, tuple[str, ...]]) -> tuple[str, str, tuple[str, ...]]:
    prefix, zone, candidates = kind
    digits = 13 - len(prefix) if prefix.startswith("+4") else 12 - len(prefix)
    return f"{prefix}{n:0{digits}d}", zone, candidates


def _target(n: int, name: str, phone: str, zone: str) -> Target:
    return Target(
        id=n,
        lender="bank",
        campaign=name,
        contact=Contact(name=f"Contact {n}", phone=phone, zone=zone),
        account=Account(f"HD-{n:06d}", 1_250_000, "VND", "18.5", date(2026, 10, 1)),
        phone_hash=phone,
        past=Past(),
        brief=BRIEF,
        no_agent=NO_AGENT if n % 2 else (),
    )
