"""Rule sets are proved by any pack of their name: shipped, of the site's own, or a former one."""

from __future__ import annotations

import pytest
import yaml

from duecall.audit.log import Log
from duecall.audit.proofs import prove
from duecall.audit.rules import read_pack, read_rule_set, section_of
from duecall.core.rule_merge import RuleChanges, merge
from duecall.core.rule_pack import SECTIONS
from duecall.shell.rule_packs import find_pack, load_pack, pack_names
from tests.core.rule_world import plain_pack


def log_of(name: str, *packs: str, **changes: object) -> Log:
    """A rule set was taken up; nobody was called."""
    rules = merge(load_pack(find_pack(name)), RuleChanges.model_validate(changes), None)
    log = Log(documents={rules.digest: rules.text}, packs={name: list(packs)})
    names = ("origin", "kind", "rule", "level", "reason", "approved_by", "before", "after")
    listed = [{n: getattr(one, n) for n in names} for one in rules.changes]
    body = {"campaign": "x", "campaign_digest": "", "pack": name, "rules": rules.digest}
    log.take("d", 1, 0, "rules", 0, "", {**body, "changes": listed})
    return log


def found(log: Log) -> set[tuple[str, str]]:
    return {(one.law, one.rule) for one in prove(log).violations}


@pytest.mark.parametrize("name", pack_names())
def test_every_pack_that_is_shipped_reads_the_same_as_its_rule_set(name: str) -> None:
    path = find_pack(name)
    text = path.read_text(encoding="utf-8")
    rules = merge(load_pack(path))
    assert read_pack(text) == read_rule_set(rules.text).pack
    assert found(log_of(name, text)) == set()
    for section in SECTIONS:
        for rule in plain_pack(name).get(section, []):
            assert section_of(rule) == section, "an added rule is read as what it is"


def test_one_pack_of_several_is_enough_and_another_is_not() -> None:
    text = find_pack("vn").read_text(encoding="utf-8")
    longer = text.replace('to: "21:00"', 'to: "22:00"')
    assert found(log_of("vn", longer, text)) == set()
    assert found(log_of("vn", longer)) == {("rules", "vn.hours")}
    assert found(log_of("vn")) == {("rules", "pack")}
    assert found(log_of("ru", text)) > {("rules", "name")}


def test_changes_of_the_site_are_followed_one_after_the_other() -> None:
    text = find_pack("vn").read_text(encoding="utf-8")
    log = log_of(
        "vn",
        text,
        gaps=[{"id": "own.gap", "per": "number", "gap": "4h"}],
        cool_offs=[{"id": "own.rest", "per": "contact", "after": "live", "hours": "5"}],
        ring=[{"id": "own.ring", "min": "25s"}],
        hours=[{"id": "own.sundays", "days": "sun", "spans": []}],
        days={"off": ["2026-12-24"], "working": ["2026-12-26"], "source": "a decree"},
        override=[
            {"rule": "vn.reminders-day", "reason": "agreed", "approved_by": "A. Lawyer",
             "set": {"max": "6"}},
            {"rule": "vn.calls-day", "reason": "agreed", "drop": "true"},
        ],
    )  # fmt: skip
    assert found(log) == set()
    (entry,) = log.entries
    for left_out in range(len(entry.body["changes"])):
        changes = [one for n, one in enumerate(entry.body["changes"]) if n != left_out]
        log.entries[0] = entry._replace(body={**entry.body, "changes": changes})
        assert len(found(log)) == 1, entry.body["changes"][left_out]


def test_a_pack_with_a_rule_more_is_not_the_pack() -> None:
    raw = dict(plain_pack("vn"))
    raw["ring"] = [*raw["ring"], {**raw["ring"][0], "id": "vn.more"}]
    assert found(log_of("vn", yaml.safe_dump(raw))) == {("rules", "vn.more")}


def test_working_days_of_a_campaign_want_a_name() -> None:
    text = find_pack("vn").read_text(encoding="utf-8")
    log = log_of("vn", text, days={"working": ["2026-12-26"], "source": "a decree"})
    (entry,) = log.entries
    (change,) = entry.body["changes"]
    assert found(log) == set(), "the site's own"
    change["origin"] = "campaign"
    assert found(log) == {("rules", "days")}
    change["approved_by"] = "A. Lawyer"
    assert found(log) == set()
