"""Builds what the core's tests need; every default can be overridden by name."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

from duecall.core.attempt import Past, Target
from duecall.core.campaign import Campaign
from duecall.core.contact import Account, Contact
from duecall.core.moment import Moment
from duecall.core.site import Site
from fs_scripts.contract import Brief, Step

NOON_IN_HANOI = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)  # a Monday


def moment(seconds: float = 0.0, wall: datetime = NOON_IN_HANOI) -> Moment:
    return Moment(wall + timedelta(seconds=seconds), 1000.0 + seconds)


def campaign(**changes: Any) -> Campaign:
    raw: dict[str, Any] = {
        "name": "overdue",
        "contacts": "overdue.csv",
        "language": "vi",
        "country": "VN",
        "rules": {"pack": "none", "pack_reason": "a test of the core"},
        "currency": "VND",
        "zone": "Asia/Ho_Chi_Minh",
        "calendar": {"hours": [{"from": "08:00", "to": "20:00"}]},
        "message": [{"text": "xin chao"}],
        "keys": {"1": {"do": "transfer", "to": "front-desk"}, "9": {"do": "opt_out"}},
        "retry": {
            "max_attempts": 3,
            "by_outcome": {
                "busy": {"every": 900, "times": 2},
                "no_answer": {"every": 14_400, "times": 5},
            },
        },
        "caller_id": "842412345678",
        "trunk": "demo",
        "ring": 30,
    }
    raw.update(changes)
    return Campaign.model_validate(raw)


def site(**changes: Any) -> Site:
    raw: dict[str, Any] = {
        "lender": "bank",
        "trunks": {
            "demo": {"proxy": "127.0.0.1:5080", "channels": 10, "calls_per_second": 5},
        },
        "agents": {
            "front-desk": {
                "members": ["sip:anna@127.0.0.1:5090", "sip:binh@127.0.0.1:5091"],
                "ring": 20,
                "wait": 60,
            }
        },
    }
    raw.update(changes)
    return Site.model_validate(raw)


def target(number: int = 1, **changes: Any) -> Target:
    values: dict[str, Any] = {
        "id": number,
        "lender": "bank",
        "campaign": "overdue",
        "contact": Contact(name=f"Contact {number}", phone=f"+8490000{number:04d}"),
        "account": Account(
            contract_number=f"HD-{number:05d}",
            balance_minor=1_250_000,
            currency="VND",
            interest_rate="18.5",
            due_date=date(2026, 11, 1),
        ),
        "phone_hash": f"hash-{number}",
        "past": Past(),
        "brief": Brief("", (Step("message", ("/sounds/a.wav",), 10_000),)),
        "no_agent": ("/sounds/sorry.wav",),
    }
    values.update(changes)
    return Target(**values)
