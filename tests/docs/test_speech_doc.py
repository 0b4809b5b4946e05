"""docs/speech.md: every reading on the page is what is said, every refusal is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duecall.core.campaign import Language
from duecall.shell.template_library import uses
from duecall.speech.converters import FILTERS
from duecall.speech.faults import SpeechError
from duecall.speech.proof import prove_all
from duecall.speech.scripts import READABLE
from duecall.speech.template import MessageTemplate, text_of
from duecall.speech.titles import TITLES
from duecall.speech.words import READERS

DOC = (Path(__file__).resolve().parents[2] / "docs" / "speech.md").read_text(encoding="utf-8")


def table(marker: str) -> list[list[str]]:
    """The rows of the table below `<!-- marker -->`, code marks taken off, without its heading."""
    assert DOC.count(f"<!-- {marker} -->") == 1, f"no single <!-- {marker} --> in docs/speech.md"
    rows: list[list[str]] = []
    for line in DOC.split(f"<!-- {marker} -->\n")[1].split("\n"):
        if not line.startswith("|"):
            break
        cells = [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        rows.append([cell.replace("\\|", "|") for cell in cells])
    return rows[2:]


def said(written: str, language: Language, region: str = "") -> str:
    pieces = MessageTemplate(written, language).render({})
    prove_all(pieces, language, region)  # type: ignore[arg-type]
    return text_of(pieces, language, region)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", list(READERS))
def test_readings(language: Language) -> None:
    rows = table(f"readings: {language}")
    assert len(rows) >= 20
    assert [(written, said(written, language)) for written, _ in rows] == [
        (written, reading) for written, reading in rows
    ]
    used = {name for written, _ in rows for name in re.findall(r"\| (\w+)", written)}
    assert used >= set(FILTERS) - {"form", "name", "text", "digits", "last4", "count"}
    assert used >= {"form"} if language == "ru" else "form" not in used


def test_regions() -> None:
    rows = table("regions")
    assert len(rows) >= 2
    for written, *readings in rows:
        assert [said(written, "vi", region) for region in ("", "north", "south")] == readings


def test_every_filter_is_told_and_no_other() -> None:
    rows = table("filters")
    assert sorted(row[0] for row in rows) == sorted(FILTERS)
    for name, _, written in rows:
        assert f"| {name}" in written
        language: Language = "ru" if name == "form" else "vi"
        assert MessageTemplate(written, language).source == written


@pytest.mark.parametrize("written", [row[0] for row in table("bad input")])
def test_bad_input(written: str) -> None:
    kind, outcome = dict(table("bad input"))[written].split(": ", 1)
    assert kind in ("said", "refused")
    if kind == "said":
        assert said(written, "vi") == outcome
        return
    with pytest.raises(SpeechError) as caught:
        said(written, "vi")
    assert re.sub(r"^line 1, column 1: ", "", str(caught.value)).startswith(outcome)


def test_every_script_of_the_library_is_told() -> None:
    told = [(use, about, purpose, columns) for use, about, purpose, columns in table("templates")]
    assert told == [
        (use.name, use.about, use.purpose, ", ".join((*use.columns, *use.or_empty)) or "–")
        for use in uses().values()
    ]


def test_letters_and_titles() -> None:
    shown = {"CJK": "Chinese"}
    assert {row[0]: row[1] for row in table("letters")} == {
        language: ", ".join(shown.get(script, script.capitalize()) for script in scripts)
        for language, scripts in READABLE.items()
    }
    titles = {row[0]: sorted(row[1].split(", ")) for row in table("titles")}
    assert titles == {language: sorted(titles) for language, titles in TITLES.items()}


def test_links_within_the_page_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in DOC.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", DOC)) <= headings
