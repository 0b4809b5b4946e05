"""Which pack a campaign is judged by: its country's, unless somebody says why not."""

from __future__ import annotations

import hashlib
import json
import pickle
from typing import Any

import pytest

from duecall.core.campaign import Campaign
from duecall.core.rule_choice import pack_of, rules_of, site_problems
from duecall.core.rule_merge import Change, MergeProblem, MergeProblems
from duecall.core.rule_pack import NO_LAW, RulePack
from duecall.core.site import Site
from tests.core import building

RULE = {"level": "law", "source": "a law", "certainty": "high", "valid_from": "2020-01-01"}


def pack(name: str) -> RulePack:
    """It asks for one attested word of its own, and has one gap that is policy."""
    return RulePack.model_validate(
        {
            "schema": "duecall-rules/1",
            "jurisdiction": name,
            "name": name,
            "review_by": "2027-01-01",
            "require": [{"id": f"{name}.basis", "attested": f"{name}_basis", **RULE}],
            "gaps": [
                {"id": f"{name}.gap", "per": "number", "gap": "2h", **RULE, "level": "policy"}
            ],
        }
    )


PACKS = {name: pack(name) for name in ("vn", "ru")}


def site(**rules: Any) -> Site:
    return building.site(rules=rules).with_packs(PACKS)


def campaign(country: str = "VN", **rules: Any) -> Campaign:
    return building.campaign(country=country, rules=rules)


def problem(site: Site, campaign: Campaign) -> MergeProblem:
    with pytest.raises(MergeProblems) as caught:
        rules_of(site, campaign)
    (one,) = caught.value.problems
    return one


def test_the_pack_of_the_country_needs_no_word() -> None:
    rules = rules_of(site(), campaign())
    assert rules.pack.jurisdiction == "vn"
    assert rules.changes == ()
    assert pack_of(site(), campaign("RU")) is PACKS["ru"]


def test_another_pack_needs_a_reason_which_is_a_change_for_the_ledger() -> None:
    one = problem(site(), campaign(pack="ru"))
    assert (one.origin, one.place) == ("campaign", ("pack",))
    assert one.problem == "'ru' in place of the law of VN, and no reason"
    assert one.allowed == "pack_reason: why, or pack: vn"
    rules = rules_of(site(), campaign(pack="none", pack_reason="callees of a laboratory"))
    assert rules.pack.jurisdiction == "none"
    reason = "callees of a laboratory"
    assert rules.changes == (Change("campaign", "pack", "", "", reason, "", "vn", "none"),)


def test_a_reason_of_blanks_is_none() -> None:
    assert "no reason" in problem(site(), campaign(pack="none", pack_reason="  ")).problem


def test_the_campaigns_choice_goes_before_the_sites() -> None:
    chosen = site(pack="none", pack_reason="a laboratory")
    rules = rules_of(chosen, campaign())
    assert (rules.pack.jurisdiction, rules.changes[0].origin) == ("none", "site")
    assert rules_of(chosen, campaign(pack="vn")).pack.jurisdiction == "vn"
    # Its own reason is asked for: the site's was given for another pack.
    assert problem(chosen, campaign(pack="ru")).origin == "campaign"


def test_a_country_without_a_pack_names_one() -> None:
    one = problem(site(), campaign("DE"))
    assert one.problem == "no rule pack for DE, and none is named"
    assert one.allowed == "`pack:` one of none, ru, vn"
    rules = rules_of(site(), campaign("DE", pack="vn"))
    assert rules.changes == (Change("campaign", "pack", "", "", "", "", "", "vn"),)


def test_a_pack_that_is_not_there() -> None:
    one = problem(site(), campaign(pack="run", pack_reason="x"))
    assert one.problem == "no rules for 'run' (did you mean ru?)"
    assert problem(site(pack="us", pack_reason="x"), campaign()).origin == "site"
    (told,) = site_problems(site(pack="us", pack_reason="x"))
    assert told.place == ("pack",)


def test_a_site_that_was_read_from_no_file_knows_the_pack_without_law() -> None:
    bare = building.site()
    assert dict(bare.packs) == {"none": NO_LAW}
    assert rules_of(bare, campaign(pack="none")).pack == NO_LAW
    assert "no rule pack for VN" in problem(bare, campaign()).problem
    assert sorted(bare.with_packs(PACKS).packs) == ["none", "ru", "vn"]
    assert dict(bare.packs) == {"none": NO_LAW}  # with_packs makes another site


def test_packs_go_where_the_site_goes() -> None:
    with_packs = site()
    moved = with_packs.model_copy(update={"lender": "other"})
    assert moved.packs == with_packs.packs
    assert pickle.loads(pickle.dumps(with_packs)).packs == with_packs.packs
    assert with_packs == site()


def test_what_the_site_says_of_other_countries_packs_is_passed_over() -> None:
    override = {"rule": "vn.gap", "reason": "agreed", "set": {"gap": "1h"}}
    both = site(attested=["vn_basis", "ru_basis"], override=[override])
    assert site_problems(both) == []
    in_vn, in_ru = rules_of(both, campaign()), rules_of(both, campaign("RU"))
    assert [rule.gap for rule in (*in_vn.pack.gaps, *in_ru.pack.gaps)] == [3600, 7200]
    assert [change.rule for change in in_vn.changes] == ["vn.gap"]
    assert in_ru.changes == ()


def test_a_campaign_is_not_told_about_other_packs() -> None:
    one = problem(site(), campaign(attested=["ru_basis"]))
    assert one.problem == "no rule asks for 'ru_basis' (did you mean vn_basis?)"
    override = {"rule": "ru.gap", "reason": "agreed", "set": {"gap": "1h"}}
    assert "'ru.gap' is no rule in effect" in problem(site(), campaign(override=[override])).problem


def test_the_sites_mistakes_are_its_own() -> None:
    override = {"rule": "vn.gup", "reason": "agreed", "drop": True}
    told = site_problems(site(attested=["basis"], override=[override]))
    assert {(one.origin, one.place) for one in told} == {
        ("site", ("attested", 0)),
        ("site", ("override", 0, "rule")),
    }
    unapproved = {"rule": "vn.basis", "reason": "agreed", "drop": True}
    (one,) = site_problems(site(override=[unapproved]))
    assert one.problem == "'vn.basis' is law, and nobody approved this"


def test_the_digest_is_of_the_text_and_the_text_is_all() -> None:
    own = {
        "hours": [{"id": "own.hours", "days": "all", "spans": [{"from": "08:00", "to": "24:00"}]}]
    }
    rules = rules_of(site(days={"off": ["2026-12-24"], "source": "us"}), campaign(**own))
    assert rules.digest == hashlib.sha256(rules.text.encode()).hexdigest()
    told = json.loads(rules.text)
    assert set(told) == {"rules", "off", "working", "attested", "says", "number_shown"}
    assert told["off"] == ["2026-12-24"]
    # As a pack file has it: it reads back to the rules in effect.
    assert told["rules"]["schema"] == "duecall-rules/1"
    assert told["rules"]["hours"][0]["spans"] == [{"from": "08:00:00", "to": "00:00:00"}]
    assert RulePack.model_validate(told["rules"]) == rules.pack
    assert rules_of(site(), campaign(**own)).digest != rules.digest


def test_a_reason_without_a_pack_is_refused() -> None:
    with pytest.raises(ValueError, match="a reason, and no pack"):
        campaign(pack_reason="we like it")
