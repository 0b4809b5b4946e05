"""The campaigns that Duecall ships: they load, every row is taken, and every row can be spoken."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from duecall.core.contact_row import ParsedRow
from duecall.core.eligibility import Eligibility
from duecall.core.gate_types import Snapshot
from duecall.core.proposal import keys_of
from duecall.core.rule_check import refused_to_all
from duecall.core.rule_choice import rules_of
from duecall.core.verdict import Allowed, Denied
from duecall.shell.config_file import load_campaign, load_site
from duecall.shell.config_references import columns_used
from duecall.shell.contacts_csv import read_contacts
from duecall.speech.template import MessageTemplate, text_of
from duecall.speech.values import Day, DaysCount, Digits, Money, Name, Percent, Phone, Text, Value
from tests.core import building

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "campaigns"
FILES = sorted(FOLDER.glob("*.yaml"))
SITE = load_site(ROOT / "config.yaml")
TODAY = date(2030, 1, 1)  # the files must be right for ever
NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)  # a Tuesday on which the packs are good


def rows_of(path: Path) -> list[ParsedRow]:
    campaign = load_campaign(path, SITE)
    rows = list(
        read_contacts(Path(campaign.contacts), campaign, today=TODAY, needed=columns_used(campaign))
    )
    refused = [str(row) for row in rows if not isinstance(row, ParsedRow)]
    assert not refused
    return [row for row in rows if isinstance(row, ParsedRow)]


def values_of(row: ParsedRow, own: dict[str, str]) -> dict[str, Value]:
    account = row.account
    values: dict[str, Value] = {name: Text(text) for name, text in account.fields.items()}
    values |= {name: Text(text, personal=False) for name, text in own.items()}
    values |= {
        "name": Name(row.contact.name),
        "phone": Phone(row.contact.phone),
        "contract_number": Digits(account.contract_number),
        "balance": Money(account.balance_minor, account.currency),
        "interest_rate": Percent(Decimal(account.interest_rate)),
        "due_date": Day(account.due_date),
        "dpd": DaysCount((TODAY - account.due_date).days),
        "today": Day(TODAY),
        "tomorrow": Day(TODAY + timedelta(days=1)),
    }
    return values


def test_there_is_one_for_each_language() -> None:
    assert {load_campaign(path, SITE).language for path in FILES} == {"vi", "ru", "zh", "en"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_row_can_be_spoken(path: Path) -> None:
    campaign = load_campaign(path, SITE)
    rows = rows_of(path)
    assert rows
    for _, piece in campaign.sayings():
        if piece.text is None:
            continue
        template = MessageTemplate(piece.text, campaign.language)
        for row in rows:
            said = text_of(template.render(values_of(row, campaign.variables)), campaign.language)
            assert said
            assert not any(char.isdigit() for char in said), said


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_contact_may_be_called_by_the_law_of_the_country(path: Path) -> None:
    campaign = load_campaign(path, SITE)
    rules = rules_of(SITE, campaign)
    assert rules.pack.jurisdiction == campaign.country.lower()
    assert not refused_to_all(campaign, rules, NOON)
    eligibility = Eligibility(campaign, rules)
    for number, row in enumerate(rows_of(path), 1):
        target = building.target(
            number, contact=row.contact, account=row.account, contact_key="a", account_key="b"
        )
        nothing = Snapshot(dict.fromkeys(keys_of(target), ()))
        verdict = eligibility.check(target, nothing, NOON)
        if isinstance(verdict, Denied):  # it is night there: nothing but the hours denies
            assert "outside calling hours" in verdict.reason
            assert verdict.until is not None
            assert verdict.until - NOON < timedelta(days=1)
            verdict = eligibility.check(target, nothing, verdict.until)
        assert isinstance(verdict, Allowed)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_callee_is_in_the_number_plan(path: Path) -> None:
    with (ROOT / "sipp_scenarios" / "numbers.csv").open(encoding="utf-8", newline="") as file:
        plan = {row["number"] for row in csv.DictReader(file)}
    phones = [row.contact.phone for row in rows_of(path)]
    assert set(phones) <= plan
    assert len(set(phones)) == len(phones)


def test_the_demo_meets_every_kind_of_callee_and_name() -> None:
    with (ROOT / "sipp_scenarios" / "numbers.csv").open(encoding="utf-8", newline="") as file:
        plan = {row["number"] for row in csv.DictReader(file)}
    demo = {n for n in plan if n.startswith("+8490") and not n.startswith("+849000004")}
    rows = rows_of(FOLDER / "overdue-vi.yaml")
    assert {row.contact.phone for row in rows} == demo
    assert len(rows) >= 26
    names = "\n".join(row.contact.name for row in rows)
    assert all(part in names for part in ("${", "{}", '"', ",", "'"))
    buckets = {row.account.due_date for row in rows}
    assert len(buckets) > 20


def test_the_chime_is_what_its_program_makes(tmp_path: Path) -> None:
    program = FOLDER / "sounds" / "make_chime.py"
    made = tmp_path / "chime.wav"
    subprocess.run([sys.executable, str(program), str(made)], check=True, timeout=60)
    shipped = (FOLDER / "sounds" / "chime.wav").read_bytes()
    assert made.read_bytes() == shipped
    assert len(shipped) < 20_000
