"""The library of scripts: each is a right campaign, lawful, polite, and read as written down."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, datetime, timezone
from pathlib import Path

import pytest

from duecall.core.campaign import Campaign
from duecall.core.contact import dpd_bucket
from duecall.core.contact_row import ParsedRow, RowFault
from duecall.core.rule_check import refused_to_all
from duecall.core.rule_choice import rules_of
from duecall.shell import template_library as library
from duecall.shell.config_references import columns_used
from duecall.shell.contacts_csv import read_contacts
from duecall.shell.preparer import Preparer
from duecall.shell.prover import Prover
from duecall.speech.template import MessageTemplate
from tests.shell.template_readings import (
    FOLDER,
    SITE,
    TODAY,
    readings,
    rows_of,
    sayings_of,
    written,
)

NAMES = library.names()
NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)  # a Tuesday on which the packs are good
USES = {  # of the sources
    "otp", "order", "appointment", "disbursement", "statement", "balance-change",
    "due-soon", "overdue", "paid",
}  # fmt: skip
# Words of fear and of punishment, which no script may use.
THREATS = {
    "vi": r"\b(tòa|kiện|pháp luật|công an|nợ xấu|cưỡng chế|phạt|hậu quả|bắt buộc)",
    "ru": r"\b(суд|пристав|полици|взыск|штраф|арест|коллектор|последстви|обязан)",
    "zh": "法院|起诉|法律|征信|后果|公安|强制|罚|必须",
    "en": r"\b(court|legal|police|penalt|seize|consequence|bailiff|must|fail)",
}
POLITE = {"vi": "quý khách", "ru": "вас|вам|ваш", "zh": "您", "en": "please|thank you"}
# What may be said before the callee has pressed the key that says it is the right person.
SECRETS = ("balance", "dpd", "due_date", "contract_number", "card_number", "account_number")


def test_each_use_is_there_in_each_language() -> None:
    assert set(library.uses()) == USES
    assert len(NAMES) == 36
    folders = {path.parent.name: path for path in library.FOLDER.glob("*/*.yaml")}
    assert set(folders) == set(library.LANGUAGES)
    for language in library.LANGUAGES:
        there = {path.stem for path in (library.FOLDER / language).glob("*.yaml")}
        assert there == USES | {"frame"}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_right_and_everybody_of_its_sample_can_be_spoken_to(
    name: str, tmp_path: Path
) -> None:
    campaign = written(name, tmp_path)
    use, language = library.parts_of(name)
    assert (campaign.language, campaign.purpose) == (language, use.purpose)
    rows = rows_of(campaign)
    assert [(TODAY - row.account.due_date).days for row in rows] == list(use.dpd)
    prover = Prover(Preparer(SITE), campaign, TODAY)
    for row in rows:
        assert prover.will_be_called(row.account)
        assert prover.fault(row.contact, row.account) is None
        if campaign.selection.dpd is not None:
            assert campaign.selection.dpd.holds((TODAY - row.account.due_date).days)


@pytest.mark.parametrize("name", NAMES)
def test_its_columns_are_those_that_it_says(name: str, tmp_path: Path) -> None:
    campaign = written(name, tmp_path)
    use, _ = library.parts_of(name)
    header = next(csv.reader(io.StringIO(library.sample_text(name, TODAY))))
    named = set().union(
        *(
            MessageTemplate(piece.text or "", campaign.language).variables()
            for _, piece in campaign.sayings()
        )
    )
    further = set(header) - {*library.REQUIRED, "title", "zone", "consents"}
    assert set(use.columns) | set(use.or_empty) == further
    assert further <= named
    assert ("title" in header) == ("title" in named)
    assert columns_used(campaign) <= {*header, "dpd", "balance"}
    assert not set(use.or_empty) & columns_used(campaign)


@pytest.mark.parametrize("name", NAMES)
def test_the_law_of_its_country_refuses_nobody(name: str, tmp_path: Path) -> None:
    campaign = written(name, tmp_path)
    rules = rules_of(SITE, campaign)
    assert rules.pack.jurisdiction == campaign.country.lower()
    assert not refused_to_all(campaign, rules, NOON)
    words = " ".join(piece.text or "" for _, piece in campaign.sayings())
    assert "{{ lender }}" in words
    assert "{{ hotline | phone }}" in words
    notice = {"vi": "ghi âm", "ru": "записывается", "zh": "录音", "en": "recorded"}
    assert (notice[campaign.language] in words) == campaign.record


@pytest.mark.parametrize("name", NAMES)
def test_it_is_polite_and_frightens_nobody(name: str, tmp_path: Path) -> None:
    campaign = written(name, tmp_path)
    words = " ".join(piece.text or "" for _, piece in campaign.sayings()).lower()
    assert re.search(POLITE[campaign.language], words)
    assert not re.search(THREATS[campaign.language], words)
    assert campaign.message[0].text is not None
    if not name.startswith("otp"):
        assert campaign.keys["9"].do == "opt_out"
    assert campaign.keys["0"].do == "repeat"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_private_is_said_before_the_key_that_says_who_listens(
    name: str, tmp_path: Path
) -> None:
    """What everybody hears, also the family and the machine: no sum, no number, no lateness."""
    campaign = written(name, tmp_path)
    open_to_all = [campaign.message, *campaign.message_by_bucket.values(), campaign.no_agent]
    open_to_all += [question.ask for question in campaign.questions]
    said = {
        variable
        for says in (*open_to_all, campaign.goodbye, campaign.invalid_key)
        for piece in says
        for variable in MessageTemplate(piece.text or "", campaign.language).variables()
    }
    assert not said & set(SECRETS)
    if any("{{ balance }}" in (piece.text or "") for _, piece in campaign.sayings()):
        mine = campaign.keys["1"]
        assert (mine.do, mine.value) == ("answer", "right_person")
        assert "{{ balance }}" in "".join(piece.text or "" for piece in mine.say)
        assert campaign.keys["2"].do == "hang_up"


def reworded(name: str, folder: Path, **cells: str) -> tuple[Campaign, list[ParsedRow | RowFault]]:
    """The script with one row of its sample, some of whose cells are others; and the row read."""
    campaign = written(name, folder)
    file = Path(campaign.contacts)
    row = next(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))) | cells
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictWriter(out, row)
        rows.writeheader()
        rows.writerow(row)
    needed = columns_used(campaign)
    return campaign, list(read_contacts(file, campaign, today=TODAY, needed=needed))


MOVED = {  # came in, went out
    "vi": ("được cộng", "bị trừ"), "ru": ("Зачислено", "Списано"), "zh": ("转入", "支出"),
    "en": ("came into", "went out of"),
}  # fmt: skip


@pytest.mark.parametrize("language", library.LANGUAGES)
@pytest.mark.parametrize(
    ("credited", "debited", "told"),
    [("500", "", "in"), ("500", "0", "in"), ("", "500", "out"), ("0", "500", "out"),
     ("7", "500", "in out"), ("", "", None), ("0", "", None)],
)  # fmt: skip
def test_money_that_went_out_is_never_said_to_have_come_in(
    language: str, credited: str, debited: str, told: str | None, tmp_path: Path
) -> None:
    """Many exports write 0 into the column that is not meant."""
    campaign, (row,) = reworded(
        f"balance-change-{language}", tmp_path, credited=credited, debited=debited
    )
    assert isinstance(row, ParsedRow)
    if told is None:
        assert Prover(Preparer(SITE), campaign, TODAY).fault(row.contact, row.account)
        return
    words = dict(sayings_of(campaign, row))["key 1"]
    came, went = MOVED[language]
    assert (came in words, went in words) == ("in" in told.split(), "out" in told.split())


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_told_of_a_debt_of_nothing_or_of_a_day_gone_by(name: str, tmp_path: Path) -> None:
    use, _ = library.parts_of(name)
    campaign, (row,) = reworded(name, tmp_path, balance="0")
    assert isinstance(row, ParsedRow)
    if use.purpose == "collection":
        assert not Prover(Preparer(SITE), campaign, TODAY).will_be_called(row.account)
    if use.name in ("otp", "order", "appointment"):
        assert campaign.selection.dpd is not None
        assert [campaign.selection.dpd.holds(days) for days in (-1, 0, 1)] == [True, True, False]


def test_a_code_is_said_twice_digit_by_digit(tmp_path: Path) -> None:
    for language in library.LANGUAGES:
        (piece,) = written(f"otp-{language}", tmp_path).message
        assert (piece.text or "").count("{{ code | digits }}") == 2


def test_overdue_has_other_words_for_each_bucket(tmp_path: Path) -> None:
    for language in library.LANGUAGES:
        campaign = written(f"overdue-{language}", tmp_path)
        preparer = Preparer(SITE)
        heard = set()
        for row in rows_of(campaign):
            values = preparer.values(campaign, row.contact, row.account, TODAY)
            bucket = dpd_bucket((TODAY - row.account.due_date).days)
            (piece,) = campaign.keys["1"].say
            pieces = MessageTemplate(piece.text or "", campaign.language).render(values)
            heard.add((campaign.message_for(bucket), pieces[-1]))
        assert len(heard) == 5


@pytest.mark.parametrize("language", library.LANGUAGES)
def test_what_is_said_is_what_was_proof_read(language: str) -> None:
    """After a change: `python -m tests.shell.template_readings`, and read the difference."""
    page = (FOLDER / f"{language}.txt").read_text(encoding="utf-8")
    assert readings(language) == page  # type: ignore[arg-type]
    assert not re.search(
        r"[0-9]", re.sub(r"^(--|==|What).*$|^key [0-9]:|^then .*?:", "", page, flags=re.M)
    )


@pytest.mark.parametrize("day", [date(2028, 2, 29), date(2027, 1, 1)])
def test_it_is_right_on_any_day(day: date, tmp_path: Path) -> None:
    for name in ("overdue-vi", "due-soon-ru", "order-en", "paid-zh"):
        campaign = written(name, tmp_path, day)
        assert campaign.contacts_as_of == day
        assert len(rows_of(campaign, day)) == len(library.parts_of(name)[0].dpd)


def test_trunk_and_agents_are_the_sites(tmp_path: Path) -> None:
    text = library.campaign_text("overdue-en", "a b.csv", TODAY, "carrier-a", "night: desk")
    assert "\ntrunk: carrier-a\n" in text
    assert 'to: "night: desk"' in text
    assert 'contacts: "a b.csv"' in text
    assert "front-desk" not in text


def test_a_name_that_is_none_gets_a_hint() -> None:
    with pytest.raises(library.NoTemplate, match="did you mean overdue-vi"):
        library.campaign_text("overdu-vi", "x.csv", TODAY)
    with pytest.raises(library.NoTemplate, match="duecall template list"):
        library.sample_text("vi", TODAY)
