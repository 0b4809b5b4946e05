"""docs/campaign.md tells of every key, of none that does not exist, and its examples load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.fields import FieldInfo

from duecall.core.campaign import RETRIABLE, Campaign, Model
from duecall.core.contact_row import ParsedRow
from duecall.core.rule_merge import OWN
from duecall.core.rule_pack import Rule
from duecall.core.scalars import duration_text, size_text
from duecall.core.site import Site
from duecall.core.variables import COLUMNS, STANDARD
from duecall.shell.config_file import load_campaign, load_site
from duecall.shell.contacts_csv import ALIASES, read_contacts
from duecall.shell.model_keys import fields, models_in
from duecall.shell.rule_packs import load_packs
from duecall.speech.converters import FILTERS

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "campaign.md").read_text(encoding="utf-8")
BASE = """\
contacts: people.csv
language: en
country: VN
currency: VND
zone: Asia/Ho_Chi_Minh
calendar: {hours: [{from: 08:00, to: 20:00}]}
message: Hello.
retry: {max_attempts: 1}
caller_id: "19001234"
trunk: demo
"""
HEADER = "name,contract_number,balance,interest_rate,due_date,dpd,phone,branch,score"


def reachable(model: type[Model]) -> Iterator[type[Model]]:
    yield model
    for annotation in fields(model).values():
        for inner in models_in(annotation):
            yield from reachable(inner)


MODELS = {model.__name__: model for root in (Campaign, Site) for model in reachable(root)}
MODELS["Rule"] = Rule  # what all kinds of rules have is told once


def own_fields(model: type[Model]) -> dict[str, FieldInfo]:
    """YAML key -> field, of those that its table has to tell."""
    base = Rule.model_fields if issubclass(model, Rule) and model is not Rule else {}
    return {
        field.alias or name: field for name, field in model.model_fields.items() if name not in base
    }


def table(marker: str) -> list[list[str]]:
    """The rows of the table below `<!-- marker -->`, without its two heading rows."""
    assert DOC.count(f"<!-- {marker} -->") == 1, f"no single <!-- {marker} --> in docs/campaign.md"
    lines = DOC.split(f"<!-- {marker} -->\n")[1].split("\n")
    rows: list[list[str]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows[2:]


def examples(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)


def test_every_model_has_its_table_and_no_other() -> None:
    assert set(re.findall(r"<!-- keys: (\w+) -->", DOC)) == set(MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_key_is_told_and_no_other(name: str) -> None:
    told = [row[0].strip("`") for row in table(f"keys: {name}")]
    assert told == list(own_fields(MODELS[name]))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_defaults_are_those_of_the_models(name: str) -> None:
    told = {row[0].strip("`"): (row[2], row[3]) for row in table(f"keys: {name}")}
    for key, field in own_fields(MODELS[name]).items():
        kind, default = told[key]
        if (name, key) == ("Campaign", "name"):
            assert default == "the file's name"  # the loader fills it in
        elif name == "Rule" and key in OWN:
            assert default == OWN[key]  # of one's own rules; a pack has to say them
        elif field.is_required():
            assert default == "required", key
        else:
            assert default == shown(field.default, kind), key


def shown(default: Any, kind: str) -> str:
    if kind == "duration":
        return duration_text(default)
    if kind.startswith("size"):
        return size_text(default)
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple) and default:
        return ", ".join(default)
    if default in (None, "", (), {}) or isinstance(default, Model):
        return "–"
    return str(default)


def test_every_variable_is_told() -> None:
    assert [row[0].strip("`") for row in table("variables")] == list(STANDARD)


def test_every_word_that_a_shipped_pack_asks_for_is_told() -> None:
    asked: dict[tuple[str, str], list[str]] = {}
    for name, pack in sorted(load_packs(ROOT / "no folder").items()):
        words = [(rule.attested, "attested") for rule in pack.require]
        words += [(word, "says") for rule in pack.content for word in (rule.say, rule.never_say)]
        words += [(word, "number_shown") for rule in pack.caller_id for word in rule.needs]
        for word, key in dict.fromkeys(words):
            if word:
                asked.setdefault((word, key), []).append(name)
    told = {(row[0].strip("`"), row[1].strip("`")): row[2].split(", ") for row in table("words")}
    assert told == asked


def test_every_filter_is_told() -> None:
    told = DOC.split("The filters:")[1].split("A variable that")[0]
    assert set(re.findall(r"`(\w+)`", told)) == set(FILTERS)


def test_every_column_and_its_other_names_are_told() -> None:
    told = {row[0].strip("`"): tuple(row[1].split(", ")) for row in table("columns")}
    assert list(told) == list(COLUMNS)
    assert told == {column: ALIASES[column] for column in COLUMNS}


def test_every_outcome_that_may_be_tried_again_is_told() -> None:
    told = DOC.split("Outcomes that may be tried again:")[1].split("Nobody")[0]
    assert set(re.findall(r"`(\w+)`", told)) == {outcome.value for outcome in RETRIABLE}


@pytest.mark.parametrize("example", examples("yaml campaign"))
def test_campaign_examples_load(tmp_path: Path, example: str) -> None:
    if "spoken:" in example:
        pytest.importorskip("pocketsphinx", reason="no pocketsphinx: duecall[recognition]")
    (tmp_path / "sounds").mkdir()
    chime = (ROOT / "campaigns" / "sounds" / "chime.wav").read_bytes()
    (tmp_path / "sounds" / "chime.wav").write_bytes(chime)
    row = "An,C-1,1,1,2026-04-09,10,+84912345678,Hue,400"
    (tmp_path / "people.csv").write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    given = set(yaml.load(example, Loader=yaml.BaseLoader))
    kept = [line for line in BASE.splitlines() if line.split(":")[0] not in given]
    path = tmp_path / "example.yaml"
    path.write_text("\n".join([*kept, example]), encoding="utf-8")
    assert load_campaign(path, load_site(ROOT / "config.yaml")).name == "example"


def test_there_are_examples() -> None:
    assert len(examples("yaml campaign")) >= 8
    assert len(examples("yaml site")) >= 1
    # No block with another mark, which would go untested.
    assert len(re.findall(r"^```\w", DOC, re.MULTILINE)) == sum(
        len(examples(kind)) for kind in ("yaml campaign", "yaml site", "csv")
    )


@pytest.mark.parametrize("example", examples("yaml site"))
def test_site_examples_load(tmp_path: Path, example: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(example, encoding="utf-8")
    assert load_site(path).trunks


@pytest.mark.parametrize("example", examples("csv"))
def test_contacts_examples_are_taken(tmp_path: Path, example: str) -> None:
    (tmp_path / "people.csv").write_text(example, encoding="utf-8")
    path = tmp_path / "example.yaml"
    path.write_text(BASE, encoding="utf-8")
    campaign = load_campaign(path, None)
    rows = list(read_contacts(tmp_path / "people.csv", campaign, today=date(2026, 4, 19)))
    assert len(rows) == 2
    assert all(isinstance(row, ParsedRow) for row in rows), [str(row) for row in rows]
