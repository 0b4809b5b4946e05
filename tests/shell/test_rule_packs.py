"""Pack files: the shipped ones say what the research says; faulty ones are told at their places.

In the texts below a `^` stands before each spot at which a fault is expected; it is taken out
before the file is written.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duecall.core import events
from duecall.core.dialer import Dialer
from duecall.core.rule_pack import NO_LAW, RulePack
from duecall.shell.journal_codec import Decoder, Encoder
from duecall.shell.rule_packs import (
    ConfigFaults,
    find_pack,
    load_pack,
    load_packs,
    pack_names,
)
from tests.core import building

LAWFUL = ["cn", "gb", "ru", "us", "vn"]
HEAD = "schema: duecall-rules/1\njurisdiction: test\nname: Test\nreview_by: 2027-01-01\n"
RULE = "level: law, source: a law, certainty: high, valid_from: 2020-01-01"


def shipped(name: str) -> RulePack:
    return load_pack(find_pack(name))


def test_there_is_a_pack_for_each_jurisdiction() -> None:
    assert pack_names() == ["cn", "gb", "none", "ru", "us", "vn"]
    for name in pack_names():
        assert shipped(name).jurisdiction == name


@pytest.mark.parametrize("name", LAWFUL)
def test_every_rule_carries_source_certainty_and_dates(name: str) -> None:
    pack = shipped(name)
    assert pack.review_by is not None
    for rule in pack.rules():
        assert rule.id.startswith(f"{name}.")
        assert len(rule.source) >= 6
        assert rule.valid_from.year >= 2017
        if rule.level == "policy":
            assert "house rule" in rule.source, rule.id
        else:
            assert "house rule" not in rule.source, rule.id


def test_none_has_no_law() -> None:
    assert list(shipped("none").rules()) == []
    assert shipped("none") == NO_LAW  # for a site that was not read from a file


# (pack, rule, level, what it says), as researched.
FACTS = [
    ("vn", "vn.hours", "law", "07:00-21:00"),
    ("vn", "vn.reminders-day", "law", "5 day"),
    ("vn", "vn.hours-ads", "law", "08:00-17:00"),
    ("ru", "ru.hours-workday", "law", "08:00-22:00"),
    ("ru", "ru.hours-off", "law", "09:00-20:00"),
    ("ru", "ru.talks-day", "law", "1 day"),
    ("ru", "ru.talks-week", "law", "2 week"),
    ("ru", "ru.talks-month", "law", "8 month"),
    ("ru", "ru.messages-day", "law", "2 day"),
    ("ru", "ru.messages-week", "law", "4 week"),
    ("ru", "ru.messages-month", "law", "16 month"),
    ("cn", "cn.hours", "standard", "08:00-22:00"),
    ("cn", "cn.effective-day", "standard", "3 day"),
    ("cn", "cn.dials-day", "standard", "6 day"),
    ("us", "us.hours", "law", "08:00-21:00"),
    ("us", "us.seven-in-seven", "presumption", "7 7d"),
    ("us", "us.landline-30d", "law", "3 30d"),
    ("us", "us.ma-two-in-seven", "law", "2 7d"),
    ("gb", "gb.hours-workday", "policy", "08:00-20:00"),
    ("gb", "gb.hours-off", "policy", "09:00-17:00"),
]


@pytest.mark.parametrize(("name", "rule_id", "level", "says"), FACTS)
def test_the_shipped_packs_say_what_was_researched(
    name: str, rule_id: str, level: str, says: str
) -> None:
    pack = shipped(name)
    assert next(rule for rule in pack.rules() if rule.id == rule_id).level == level
    for hours in pack.hours:
        if hours.id == rule_id:
            assert " ".join(map(str, hours.spans)) == says
            return
    cap = next(rule for rule in pack.caps if rule.id == rule_id)
    window = cap.window
    assert says == f"{cap.max} {window.calendar or f'{window.rolling_days}d'}"


def write(folder: Path, text: str) -> tuple[Path, list[tuple[int, int]]]:
    """The file without its marks, and where they stood."""
    spots = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        for count, mark in enumerate(re.finditer(r"\^", line)):
            spots.append((number, mark.start() - count + 1))
    path = folder / "test.yaml"
    path.write_text(text.replace("^", ""), encoding="utf-8")
    return path, spots


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "^hour: []\n",
            ["hour: unknown key (did you mean hours?)"],
        ),
        (
            f"gaps:\n  - {{id: t.gap, per: contact, ^gape: 2h, gap: 1h, {RULE}}}\n",
            ["gaps[0].gape: unknown key (did you mean gap?)"],
        ),
        (
            f"hours:\n  - id: t.h\n    days: all\n    {RULE.replace(', ', chr(10) + '    ')}\n"
            '    spans: [{from: "21:00", to: ^"07:00"}]\n',
            ["hours[0].spans[0].to: ends at 07:00, not after its start at 21:00"],
        ),
        (
            f"hours:\n  - {{id: t.h, days: all, {RULE}, spans: "
            '[{from: "08:00", to: "12:00"}, {from: ^"11:00", to: "13:00"}]}\n',
            ["hours[0].spans[1].from: 11:00-13:00 overlaps 08:00-12:00"],
        ),
        (
            f"caps:\n  - {{id: t.c, counts: [attempt], per: number, max: ^0, {RULE}, "
            "window: {calendar: day}}\n",
            ["caps[0].max: 0 is out of range"],
        ),
        (
            "gaps:\n  - ^{id: t.g, per: contact, gap: 2h, level: law, certainty: high, "
            "valid_from: 2020-01-01}\n",
            ["gaps[0].source: is missing"],
        ),
        (
            'gaps:\n  - {id: t.g, per: contact, gap: 2h, level: law, source: ^"", '
            "certainty: high, valid_from: 2020-01-01}\n",
            ["gaps[0].source: the text is empty"],
        ),
        (
            'zones:\n  - {prefix: "+7", means: [^Asia/Hanoi], source: x, certainty: low}\n',
            ["zones[0].means[0]: 'Asia/Hanoi' is not a time zone"],
        ),
        (
            f"gaps:\n  - {{id: t.g, per: contract, ^per: number, gap: 2h, {RULE}}}\n",
            ["gaps[0].per: stands here twice, first in line 6"],
        ),
        (
            "gaps:\n  - {id: t.g, per: contact, gap: ^2, level: ^laws, source: x, "
            "certainty: high, valid_from: ^20-1-1}\n",
            [
                "gaps[0].gap: '2' is a number without a unit",
                "gaps[0].level: 'laws' is not known (did you mean law?)",
                "gaps[0].valid_from: '20-1-1' is not a day",
            ],
        ),
    ],
)
def test_every_fault_is_told_at_its_place(tmp_path: Path, text: str, told: list[str]) -> None:
    path, spots = write(tmp_path, HEAD + text)
    with pytest.raises(ConfigFaults) as caught:
        load_pack(path)
    faults = caught.value.faults
    assert [(fault.line, fault.column) for fault in faults] == spots, str(caught.value)
    for fault, words in zip(faults, told, strict=True):
        assert f"{fault.key}: {fault.problem}".startswith(words)
        assert fault.allowed


def test_a_pack_is_called_as_its_file(tmp_path: Path) -> None:
    path, _ = write(tmp_path, HEAD.replace("jurisdiction: test", "jurisdiction: other"))
    with pytest.raises(ConfigFaults, match="'other' in a file called test"):
        load_pack(path)


def test_a_pack_past_its_review_still_loads_to_judge_the_past(tmp_path: Path) -> None:
    path, _ = write(tmp_path, HEAD.replace("2027-01-01", "2021-01-01"))
    assert load_pack(path).review_by is not None


def test_the_sites_own_copy_comes_first(tmp_path: Path) -> None:
    (tmp_path / "vn.yaml").write_text(find_pack("vn").read_text("utf-8"), encoding="utf-8")
    assert find_pack("vn", [tmp_path]) == tmp_path / "vn.yaml"
    assert find_pack("ru", [tmp_path]) == find_pack("ru")
    with pytest.raises(LookupError, match=r"no rules for 'uz'; there are: cn, gb, none, ru"):
        find_pack("uz", [tmp_path])


def test_all_packs_are_loaded_the_sites_own_first(tmp_path: Path) -> None:
    own = tmp_path / "rules"
    assert sorted(load_packs(own)) == pack_names()  # the folder need not be there
    own.mkdir()
    text = find_pack("vn").read_text("utf-8").replace("2027-03-01", "2027-09-01")
    (own / "vn.yaml").write_text(text, encoding="utf-8")
    (own / "test.yaml").write_text(HEAD, encoding="utf-8")
    packs = load_packs(own)
    assert sorted(packs) == sorted([*pack_names(), "test"])
    assert str(packs["vn"].review_by) == "2027-09-01"
    assert packs["ru"] == shipped("ru")


def test_a_pack_that_was_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    path.write_text(HEAD, encoding="utf-8")
    assert load_pack(path).name == "Test"
    path.write_text(HEAD.replace("name: Test", "name: Test of tests"), encoding="utf-8")
    assert load_pack(path).name == "Test of tests"


def test_faults_of_all_packs_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / "two.yaml").write_text("schema: duecall-rules/1\n", encoding="utf-8")
    with pytest.raises(ConfigFaults) as caught:
        load_packs(tmp_path)
    assert {Path(fault.file).name for fault in caught.value.faults} == {"one.yaml", "two.yaml"}


def test_a_site_goes_into_the_journal_with_its_packs() -> None:
    site = building.site().with_packs(load_packs(Path("none of its own")))
    dialer = Dialer(site, building.moment())
    lawful = building.campaign(rules={"attested": ["lender_is_caller"]})
    dialer.handle(events.CampaignStarted(building.moment(), lawful))
    again = Decoder().snapshot(Encoder().snapshot(dialer))
    assert vars(again)["_site"] == site
    assert vars(again)["_site"].packs == site.packs
