"""What each script of the library says to each of its sample's people, in words, for proof-readers.

`python -m tests.shell.template_readings` writes tests/data/templates/LANGUAGE.txt anew; read what
has changed before it is committed.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from duecall.core.campaign import Campaign, Language, Say
from duecall.core.contact_row import ParsedRow
from duecall.shell import template_library as library
from duecall.shell.config_file import load_campaign, load_site
from duecall.shell.config_references import columns_used
from duecall.shell.contacts_csv import read_contacts
from duecall.shell.preparer import Preparer
from duecall.speech.proof import prove_all
from duecall.speech.template import MessageTemplate, text_of
from duecall.speech.values import Value

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "data" / "templates"
SITE = load_site(ROOT / "config.yaml")
TODAY = date(2026, 4, 19)


def written(name: str, folder: Path, today: date = TODAY) -> Campaign:
    """The template and its sample put into files, and loaded."""
    path = folder / f"{name}.yaml"
    text = library.campaign_text(name, f"{name}.csv", today)
    (folder / f"{name}.csv").write_text(library.sample_text(name, today), encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    return load_campaign(path, SITE)


def rows_of(campaign: Campaign, today: date = TODAY) -> list[ParsedRow]:
    """The sample's people; each row has to be right."""
    needed = columns_used(campaign)
    rows = list(read_contacts(Path(campaign.contacts), campaign, today=today, needed=needed))
    wrong = [str(row) for row in rows if not isinstance(row, ParsedRow)]
    assert not wrong, wrong
    return [row for row in rows if isinstance(row, ParsedRow)]


def sayings_of(campaign: Campaign, row: ParsedRow, today: date = TODAY) -> list[tuple[str, str]]:
    """(place, words) of all that this person may hear, each value of it proven."""
    values = Preparer(SITE).values(campaign, row.contact, row.account, today)
    found = [("message", said(campaign, campaign.message_for(bucket_of(values)), values))]
    for key, rule in campaign.keys.items():
        found.append((f"key {key}", said(campaign, rule.say, values)))
    for question in campaign.questions:
        found.append((f"then {question.id}", said(campaign, question.ask, values)))
        for key, rule in question.keys.items():
            found.append((f"key {key}", said(campaign, rule.say, values)))
    for place in ("invalid_key", "no_agent", "goodbye"):
        found.append((place, said(campaign, getattr(campaign, place), values)))
    return [(place, text) for place, text in found if text]


def bucket_of(values: dict[str, Value]) -> int:
    return int(getattr(values["bucket"], "number", 0)) if "bucket" in values else 0


def said(campaign: Campaign, says: tuple[Say, ...], values: dict[str, Value]) -> str:
    texts = []
    for say in says:
        pieces = MessageTemplate(say.text or "", campaign.language).render(values)
        prove_all(pieces, campaign.language)
        texts.append(text_of(pieces, campaign.language))
    return " ".join(texts)


def readings(language: Language) -> str:
    """One page: each use, each of its people; what all hear alike stands once."""
    lines = [f"What the library's scripts say, {language}, on {TODAY}."]
    with tempfile.TemporaryDirectory() as folder:
        for use in library.uses():
            campaign = written(f"{use}-{language}", Path(folder))
            lines += ["", f"== {use}: {campaign.title}"]
            told: set[tuple[str, str]] = set()
            for row in rows_of(campaign):
                lines += ["", f"-- {row.contact.name}, {(TODAY - row.account.due_date).days} DPD"]
                for place, text in sayings_of(campaign, row):
                    if (place, text) not in told:
                        told.add((place, text))
                        lines.append(f"{place}: {text}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in library.LANGUAGES:
        (FOLDER / f"{one}.txt").write_text(readings(one), encoding="utf-8")
