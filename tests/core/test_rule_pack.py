"""What a pack may say, and how the site's and a campaign's own rules change it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from duecall.core.rule_merge import EffectiveRules, MergeProblems, RuleChanges, merge
from duecall.core.rule_pack import RulePack, Window
from tests.core.rule_world import COMMON, plain_pack, small_pack

ALL_DAY = [{"from": "08:00", "to": "20:00"}]


def problems(pack: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as told:
        RulePack.model_validate(pack)
    return [
        ".".join(map(str, one["loc"])) + ": " + one.get("ctx", {}).get("problem", one["msg"])
        for one in told.value.errors(include_url=False)
    ]


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        (
            {"hours": [{"days": "all", "spans": [{"from": "21:00", "to": "07:00"}]}]},
            "hours.0.spans.0.to: ends at 07:00, not after its start at 21:00",
        ),
        (
            {"hours": [{"days": "all", "spans": [*ALL_DAY, {"from": "19:00", "to": "21:00"}]}]},
            "hours.0.spans.1.from: 19:00-21:00 overlaps 08:00-20:00",
        ),
        (
            {"hours": [{"days": ["workday", "weekend"], "spans": ALL_DAY}]},
            "hours: no hours from 2020-01-01 on for a holiday (mon, tue, wed, thu, fri, sat, sun)",
        ),
        (
            {"hours": [{"days": "all", "spans": ALL_DAY, "valid_to": "2026-01-31"}]},
            "hours: no hours from 2026-02-01 on for a workday (mon, tue, wed, thu, fri, sat, sun)",
        ),
        (
            {"gaps": [{"per": "contact", "gap": "0s"}]},
            "gaps.0.gap: Input should be greater than or equal to 1",
        ),
        (
            {"gaps": [{"per": ["contact", "contact"], "gap": "2h"}]},
            "gaps.0.per: contact stands here twice",
        ),
        (
            {"cool_offs": [{"after": "live", "per": "number"}]},
            "cool_offs.0: neither days nor hours",
        ),
        (
            {"cool_offs": [{"after": "live", "per": "number", "days": "1", "hours": "2"}]},
            "cool_offs.0: days and hours at once",
        ),
        ({"require": [{}]}, "require.0: requires nothing"),
        (
            {"require": [{"on_file": "yes", "attested": "yes"}]},
            "require.0: on_file and attested at once",
        ),
        ({"content": [{}]}, "content.0: neither say nor never_say"),
        ({"caller_id": [{}]}, "caller_id.0: asks for nothing"),
        (
            {"calendar": {"holidays": "VX"}},
            "calendar.holidays: no holidays are known for 'VX'",
        ),
        (
            {"gaps": [{"per": "contact", "gap": "2h", "valid_to": "2019-01-01"}]},
            "gaps.0.valid_to: 2019-01-01 is before valid_from, 2020-01-01",
        ),
        (
            {"gaps": [{"per": "contact", "gap": "2h", "level": "law"}]},
            "review_by: is missing, though the pack holds more than policy",
        ),
        (
            {
                "gaps": [{"per": "contact", "gap": "2h", "id": "x.y"}],
                "ring": [{"id": "x.y", "min": "20s"}],
            },
            "ring.0.id: 'x.y' is an id in gaps already",
        ),
    ],
)
def test_what_a_pack_may_not_say(sections: dict[str, Any], problem: str) -> None:
    assert problem in " ".join(problems(small_pack(**sections)))


@pytest.mark.parametrize("most", ["0", "-1"])
def test_a_cap_of_nothing_is_refused(most: str) -> None:
    rule = {"counts": ["attempt"], "per": "contact", "window": {"calendar": "day"}, "max": most}
    assert "caps.0.max" in problems(small_pack(caps=[rule]))[0]


@pytest.mark.parametrize("missing", ["id", "level", "source", "certainty", "valid_from"])
def test_every_rule_says_what_it_is_and_where_it_comes_from(missing: str) -> None:
    pack = small_pack(gaps=[{"per": "contact", "gap": "2h"}])
    del pack["gaps"][0][missing]
    assert problems(pack) == [f"gaps.0.{missing}: Field required"]


@pytest.mark.parametrize(
    ("window", "days"),
    [
        ({"calendar": "day"}, 2),
        ({"calendar": "week"}, 8),
        ({"calendar": "month"}, 32),
        ({"rolling_hours": 24}, 2),
        ({"rolling_days": 7}, 8),
    ],
)
def test_how_far_back_a_window_looks(window: dict[str, Any], days: int) -> None:
    assert Window.model_validate(window).longest_days == days


@pytest.mark.parametrize("window", [{}, {"calendar": "day", "rolling_days": 7}])
def test_a_window_is_of_one_kind(window: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="one of calendar, rolling_hours, rolling_days"):
        Window.model_validate(window)


def together(
    site: dict[str, Any] | None = None, campaign: dict[str, Any] | None = None, pack: str = "vn"
) -> EffectiveRules:
    return merge(
        RulePack.model_validate(plain_pack(pack)),
        None if site is None else RuleChanges.model_validate(site),
        None if campaign is None else RuleChanges.model_validate(campaign),
    )


def refused(site: dict[str, Any] | None = None, campaign: dict[str, Any] | None = None) -> str:
    with pytest.raises(MergeProblems) as told:
        together(site, campaign)
    return str(told.value)


def test_own_rules_are_added_and_listed() -> None:
    sundays = {"id": "own.sundays", "days": "sun", "spans": []}
    rules = together(
        {"hours": [sundays]}, {"gaps": [{"id": "own.gap", "per": "number", "gap": "4h"}]}
    )
    assert [rule.id for rule in rules.pack.hours] == ["vn.hours", "vn.hours-ads", "own.sundays"]
    assert rules.origins["vn.hours"] == "pack"
    assert rules.origins["own.sundays"] == "site"
    assert rules.origins["own.gap"] == "campaign"
    assert [(one.origin, one.kind, one.rule, one.level) for one in rules.changes] == [
        ("site", "added", "own.sundays", "policy"),
        ("campaign", "added", "own.gap", "policy"),
    ]
    assert json.loads(rules.changes[0].after)["spans"] == []


def test_a_laxer_rule_needs_an_override_with_a_reason() -> None:
    assert "is a rule of the pack already; allowed: an id of its own" in refused(
        {"gaps": [{"id": "vn.gap", "per": "contact", "gap": "1m"}]}
    )
    with pytest.raises(ValidationError, match="reason"):
        RuleChanges.model_validate({"override": [{"rule": "vn.gap", "drop": "true"}]})
    with pytest.raises(ValidationError, match="the text is empty"):
        RuleChanges.model_validate(
            {"override": [{"rule": "vn.gap", "drop": "true", "reason": " "}]}
        )


def test_policy_is_overridden_and_the_ledger_is_told_before_and_after() -> None:
    change = {"rule": "vn.gap", "reason": "agreed in the contract", "set": {"gap": "30m"}}
    rules = together(campaign={"override": [change]})
    assert rules.pack.gaps[0].gap == 1_800
    (told,) = rules.changes
    assert (told.origin, told.kind, told.rule, told.level, told.reason) == (
        "campaign",
        "changed",
        "vn.gap",
        "policy",
        "agreed in the contract",
    )
    assert (json.loads(told.before)["gap"], json.loads(told.after)["gap"]) == (7_200, 1_800)
    assert json.loads(told.after)["source"] == json.loads(told.before)["source"]


def test_a_dropped_rule_is_gone() -> None:
    change = {"rule": "vn.gap", "reason": "none", "drop": "true"}
    rules = together({"override": [change]})
    assert rules.pack.gaps == ()
    assert rules.changes[0].after == ""


def test_law_is_overridden_by_the_site_alone_and_by_a_name() -> None:
    change = {"rule": "vn.hours", "reason": "a new decree", "drop": "true"}
    signed = {**change, "approved_by": "Nguyen Van A, counsel"}
    assert "'vn.hours' is law; allowed: an override in the site's config.yaml alone" in refused(
        campaign={"override": [signed]}
    )
    assert "nobody approved this" in refused({"override": [change]})
    rules = together({"override": [signed]})
    assert rules.changes[0].approved_by == "Nguyen Van A, counsel"


def test_a_presumption_needs_a_name_in_a_campaign_too() -> None:
    change = {"rule": "us.after-talk", "reason": "they called us", "set": {"days": "1"}}
    us = RulePack.model_validate(plain_pack("us"))
    with pytest.raises(MergeProblems, match="is presumption, and nobody approved this"):
        merge(us, None, RuleChanges.model_validate({"override": [change]}))
    signed = RuleChanges.model_validate({"override": [{**change, "approved_by": "B"}]})
    assert merge(us, None, signed).pack.cool_offs[0].days == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"override": [{"rule": "vn.gup", "reason": "r", "drop": "true"}]}, "did you mean vn.gap?"),
        (
            {"override": [{"rule": "vn.calls-day", "reason": "r", "set": {"max": "0"}}]},
            "greater than or equal to 1",
        ),
        (
            {"override": [{"rule": "vn.calls-day", "reason": "r", "set": {"colour": "0"}}]},
            "colour",
        ),
        ({"attested": ["lender_is_a_caller"]}, "did you mean lender_is_caller?"),
        ({"says": ["weather"]}, "no rule asks for 'weather'"),
    ],
)
def test_mistaken_changes_are_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refused(campaign=changes)


@pytest.mark.parametrize("field", ["id", "level", "source", "certainty"])
def test_an_override_does_not_forge_what_a_rule_is(field: str) -> None:
    with pytest.raises(ValidationError, match="says what the rule is"):
        RuleChanges.model_validate(
            {"override": [{"rule": "vn.gap", "reason": "r", "set": {field: "policy"}}]}
        )


def test_a_campaign_may_override_what_the_site_added() -> None:
    site = {"gaps": [{"id": "own.gap", "per": "number", "gap": "4h"}]}
    change = {"rule": "own.gap", "reason": "a survey", "set": {"gap": "1h"}}
    rules = together(site, {"override": [change]})
    assert [rule.gap for rule in rules.pack.gaps] == [7_200, 3_600]
    assert [one.kind for one in rules.changes] == ["added", "changed"]


def test_the_campaigns_days_go_over_the_sites() -> None:
    days = {"off": ["2026-12-24", "2026-12-31"], "source": "decree 1"}
    back = {"working": ["2026-12-24"], "source": "decree 2", "approved_by": "A. Lawyer"}
    rules = together({"days": days}, {"days": back})
    assert rules.off == {date(2026, 12, 31)}
    assert rules.working == {date(2026, 12, 24)}
    assert [one.reason for one in rules.changes] == ["decree 1", "decree 2"]
    with pytest.raises(ValidationError, match="is off as well"):
        RuleChanges.model_validate(
            {"days": {"off": ["2026-12-24"], "working": ["2026-12-24"], "source": "x"}}
        )


def test_the_digest_is_that_of_the_rules_in_effect() -> None:
    plain = together()
    assert plain.digest == together({}).digest == together().digest
    others = [
        together({"attested": ["lender_is_caller"]}),
        together({"days": {"off": ["2026-12-24"], "source": "x"}}),
        together({"gaps": [{"id": "own.gap", "per": "number", "gap": "4h"}]}),
        together({"gaps": [{"id": "own.gap", "per": "number", "gap": "5h"}]}),
    ]
    assert len({plain.digest, *(one.digest for one in others)}) == 5


def test_an_override_of_hours_leaves_no_day_without_any() -> None:
    ru = RulePack.model_validate(plain_pack("ru"))
    change = {"rule": "ru.hours-off", "reason": "r", "approved_by": "B", "set": {"days": "weekend"}}
    with pytest.raises(MergeProblems, match="no hours from 2025-09-01 on for a holiday"):
        merge(ru, RuleChanges.model_validate({"override": [change]}))
    sundays = {"id": "own.sundays", "days": "sun", "spans": []}
    none = RulePack.model_validate(plain_pack("none"))
    assert merge(none, RuleChanges.model_validate({"hours": [sundays]})).pack.hours


def test_what_common_rules_hold_is_what_the_tests_fill_in() -> None:
    assert set(COMMON) == {"level", "source", "certainty", "valid_from"}
