"""The proof of a campaign's rows: every fault with its variable, nothing proven twice, no sound."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from duecall.core.campaign import Campaign
from duecall.shell import prover as prover_module
from duecall.shell.preparer import Preparer
from duecall.shell.prover import Mute, Prover
from duecall.speech import proof
from duecall.speech.words_vi import Vietnamese
from tests.core import building

TODAY = date(2026, 11, 23)


@pytest.fixture
def preparer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preparer:
    monkeypatch.setenv("PATH", str(tmp_path))  # whoever wants an engine here does not find one
    return Preparer(building.site(folders={"tts_cache": str(tmp_path / "tts")}))


def campaign(text: str, **changes: Any) -> Campaign:
    return building.campaign(message=[{"text": text}], keys={}, **changes)


def fault(preparer: Preparer, spoken: Campaign, **account: Any) -> Mute | None:
    target = building.target()
    name = account.pop("name", target.contact.name)
    contact = replace(target.contact, name=name)
    return Prover(preparer, spoken, TODAY).fault(contact, replace(target.account, **account))


@pytest.mark.parametrize(
    ("text", "row", "variable", "why"),
    [
        ("{{ name }}", {"name": "محمد"}, "name", "Arabic letters"),
        ("{{ fee | money('VND') }}", {"fields": {"fee": "1e6"}}, "fee", "exponent"),
        ("{{ fee | count }}", {"fields": {"fee": "9" * 16}}, "fee", "numbers are read aloud up to"),
        ("{{ balance }}", {"balance_minor": 10**16}, "balance", "numbers are read aloud up to"),
        ("{{ interest_rate }}", {"interest_rate": "NaN"}, "interest_rate", "this is no number"),
        ("{{ day | date | relative(today) }}", {"fields": {"day": "2026-02-31"}}, "day", "no such"),
        ("{{ street | text }}", {"fields": {"street": "x" * 500}}, "street", "more than 200"),
        ("{% if day > 3 %}a{% endif %}", {"fields": {"day": "x"}}, "", "cannot be compared"),
        ("{{ contract_number }}", {"contract_number": "??"}, "contract_number", "to be spelled"),
    ],
)
def test_a_fault_names_its_variable(
    preparer: Preparer, text: str, row: dict[str, Any], variable: str, why: str
) -> None:
    found = fault(preparer, campaign(text), **row)
    assert found is not None
    assert found.variable == variable
    assert why in found.why


def test_all_that_may_be_heard_is_proven(preparer: Preparer) -> None:
    row = {"fields": {"fee": "1e6"}}
    fee = [{"text": "{{ fee | money('VND') }}"}]
    for spoken in (
        building.campaign(goodbye=fee),
        building.campaign(keys={"1": {"do": "hang_up", "say": fee}}),
        building.campaign(questions=[{"id": "a", "ask": fee, "keys": {"1": {"do": "repeat"}}}]),
        building.campaign(message_by_bucket={"5": fee}),  # it grows into bucket 5
    ):
        found = fault(preparer, spoken, **row)
        assert found is not None
        assert found.variable == "fee"
    assert fault(preparer, building.campaign(), **row) is None


def test_words_that_do_not_lead_back_are_a_fault_also_of_a_value_known_already(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken = campaign("{{ balance }}")
    money = Vietnamese.money

    def wrong(self: Vietnamese, value: Any) -> str:
        return "hai triệu đồng" if value.minor == 3_000_000 else money(self, value)

    monkeypatch.setattr(Vietnamese, "money", wrong)
    prover = Prover(preparer, spoken, TODAY)
    target = building.target()
    for _ in range(3):  # what failed once is not taken as proven
        assert prover.fault(target.contact, target.account) is None
        mute = prover.fault(target.contact, replace(target.account, balance_minor=3_000_000))
        assert mute is not None
        assert mute.variable == "balance"


def test_the_same_value_is_proven_once(preparer: Preparer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def counted(value: Any, *more: Any) -> str:
        asked.append(value)
        return proof.prove(value, *more)

    monkeypatch.setattr(prover_module, "prove", counted)
    prover = Prover(preparer, campaign("{{ name }} {{ balance }} {{ dpd }}"), TODAY)
    for number in range(1, 51):
        target = building.target(number)
        assert prover.fault(target.contact, target.account) is None
    assert len(asked) == 50 + 1 + 1  # names differ; sums and days past due do not


def test_what_is_kept_as_proven_is_bounded(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prover_module, "KNOWN_MAX", 10)
    prover = Prover(preparer, campaign("{{ name }}"), TODAY)
    for number in range(1, 101):
        target = building.target(number)
        assert prover.fault(target.contact, target.account) is None
    assert 0 < len(prover._proven) == len(prover._said) <= 10


def test_regional_words_are_proven_in_their_region(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(value: Any, language: str, region: str) -> str:
        seen.append(region)
        return ""

    monkeypatch.setattr(prover_module, "prove", noted)
    assert fault(preparer, campaign("{{ balance }}", voice={"region": "south"})) is None
    assert seen == ["south"]
