"""What a campaign is told before the first call: the rules that would refuse every one."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from duecall.core.eligibility import Eligibility
from duecall.core.gate_types import EMPTY
from duecall.core.rule_check import overdue_review, refused_to_all
from duecall.core.rule_choice import rules_of
from duecall.core.rule_pack import RulePack
from duecall.core.site import Site
from duecall.core.verdict import Denied
from tests.core import building

RULE = {"level": "law", "source": "a law", "certainty": "high", "valid_from": "2020-01-01"}
PACK = RulePack.model_validate(
    {
        "schema": "duecall-rules/1",
        "jurisdiction": "vn",
        "name": "Test",
        "review_by": "2027-01-01",
        "hours": [
            {"id": "vn.hours", "days": "all", "spans": [{"from": "07:00", "to": "21:00"}], **RULE}
        ],
        "caps": [
            {"id": "vn.cap", "counts": ["attempt"], "per": "contact", "max": 1,
             "window": {"calendar": "day"}, **RULE}
        ],
        "ring": [{"id": "vn.ring", "min": "20s", **RULE}],
        "require": [
            {"id": "vn.basis", "attested": "basis", **RULE},
            {"id": "vn.consent", "on_file": "consent", **RULE},
            {"id": "vn.later", "attested": "later", **RULE, "valid_from": "2027-06-01"},
        ],
        "content": [
            {"id": "vn.say", "say": "lender_name", **RULE},
            {"id": "vn.offer", "never_say": "offer", **RULE},
            {"id": "vn.robot", "say": "robot", "channels": ["ai_agent"], **RULE},
        ],
        "caller_id": [{"id": "vn.label", "label_max_chars": 5, "needs": ["shown"], **RULE}],
    }
)  # fmt: skip
NOON = datetime(2026, 11, 23, 5, tzinfo=timezone.utc)
NIGHT = NOON + timedelta(hours=14)
LAWFUL = {"attested": ["basis"], "says": ["lender_name"], "number_shown": ["shown"]}


def told(at: datetime = NOON, rules: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    campaign = building.campaign(rules=LAWFUL if rules is None else rules, **changes)
    return [one.rule for one in refused_to_all(campaign, rules_of(site(), campaign), at)]


def site() -> Site:
    return building.site().with_packs({"vn": PACK})


def test_nothing_is_told_of_a_lawful_campaign_by_day_or_night() -> None:
    """Hours, caps and consents are other calls' and other callees' matter."""
    assert told() == []
    assert told(NIGHT) == []
    assert told(calendar={"hours": [{"from": "08:00", "to": "20:00"}], "end": "2026-01-01"}) == []


@pytest.mark.parametrize(
    ("rules", "changes", "found"),
    [
        ({}, {}, ["vn.basis", "vn.say", "vn.label"]),
        ({**LAWFUL, "attested": []}, {}, ["vn.basis"]),
        ({**LAWFUL, "says": ["lender_name", "offer"]}, {}, ["vn.offer"]),
        (LAWFUL, {"caller_name": "Longer"}, ["vn.label"]),
        (LAWFUL, {"ring": 15}, ["vn.ring"]),
    ],
)
def test_what_people_have_to_mend_is_told(
    rules: dict[str, Any], changes: dict[str, Any], found: list[str]
) -> None:
    assert told(NIGHT, rules, **changes) == found
    # It is what the gate says of a real target, of whom all is right.
    campaign = building.campaign(rules=rules, **changes)
    asked = Eligibility(campaign, rules_of(site(), campaign))
    verdict = asked.check(building.target(), EMPTY, NOON)
    assert isinstance(verdict, Denied)
    assert verdict.rule == found[0]


def test_hours_that_never_meet_the_laws_are_told() -> None:
    assert told(calendar={"hours": [{"from": "21:30", "to": "23:00"}]}) == ["campaign.calendar"]
    assert told(calendar={"hours": [{"from": "20:30", "to": "23:00"}]}) == []


def test_a_rule_that_is_not_in_force_yet_is_not_told() -> None:
    later = NOON + timedelta(days=270)
    assert "vn.later" not in told()
    assert "vn.later" in told(later)


def test_an_overdue_review_is_told_by_itself() -> None:
    assert overdue_review(PACK, date(2027, 1, 1)) == ""
    assert "reviewed by 2027-01-01" in overdue_review(PACK, date(2027, 1, 2))
    assert told(datetime(2027, 1, 5, 5, tzinfo=timezone.utc)) == []
