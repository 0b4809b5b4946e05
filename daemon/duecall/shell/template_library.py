"""The library of ready scripts: campaigns to begin from, one for each use and language.

They lie in `templates/`: uses.yaml tells what there is and how its parts are put together. A text
that comes out is a whole campaign file; with its sample contacts it passes `duecall check`.
"""

from __future__ import annotations

import csv
import io
import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import yaml

from duecall.core.campaign import Language
from duecall.core.scalars import did_you_mean

FOLDER = Path(__file__).resolve().parents[1] / "templates"
LANGUAGES: tuple[Language, ...] = get_args(Language)
REQUIRED = ("name", "contract_number", "balance", "interest_rate", "due_date", "dpd", "phone")
# The keys of a file, in paragraphs.
_PARAGRAPHS = (
    ("title", "contacts", "contacts_as_of"),
    ("language", "country", "currency", "zone", "purpose"),
    ("variables",),
    ("selection", "order"),
    ("calendar",),
    ("rules",),
    ("voice",),
    ("message",),
    ("message_by_bucket",),
    ("wait", "repeats"),
    ("keys",),
    ("questions",),
    ("invalid_key", "goodbye", "no_agent"),
    ("retry",),
    ("caller_id", "trunk", "ring", "max_call", "record"),
)
_KEY = re.compile(r"([a-z_]+):")
_DAY = re.compile(r"\{([+-][0-9]+)\}")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class NoTemplate(Exception):
    """The library has none of this name; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a script is for. columns: of the contacts file, besides those that every file has;
    `or_empty` may be empty. dpd: of the sample's people. cells: what these have in other columns.
    """

    name: str
    about: str
    purpose: str
    columns: tuple[str, ...]
    or_empty: tuple[str, ...]
    dpd: tuple[int, ...]
    cells: Mapping[str, str]
    blocks: str


@lru_cache(maxsize=1)
def uses() -> Mapping[str, Use]:
    """By name, in the order of the library."""
    known: dict[str, dict[str, Any]] = yaml.safe_load(_read("uses.yaml"))
    return MappingProxyType(
        {
            name: Use(
                name,
                told["about"],
                told["purpose"],
                tuple(told["columns"]),
                tuple(told.get("or_empty", ())),
                tuple(told["dpd"]),
                MappingProxyType(told.get("cells", {})),
                told.get("blocks", ""),
            )
            for name, told in known.items()
        }
    )


def names() -> list[str]:
    """`USE-LANGUAGE` of each, by use."""
    return [f"{use}-{language}" for use in uses() for language in LANGUAGES]


def parts_of(name: str) -> tuple[Use, Language]:
    """The use and the language of a name. NoTemplate."""
    known = names()
    if name not in known:
        hint = did_you_mean(name, known)
        raise NoTemplate(f"no template {name!r}{hint}; see: duecall template list")
    use, _, language = name.rpartition("-")
    return uses()[use], next(one for one in LANGUAGES if one == language)


def zone_of(name: str) -> str:
    """Where the lender of the sample is: IANA name. NoTemplate."""
    _, language = parts_of(name)
    return _blocks(_read(f"{language}/frame.yaml"))["zone"].split()[1]


def transfers(name: str) -> bool:
    """Whether a key leads to an agent. NoTemplate."""
    use, language = parts_of(name)
    return "do: transfer" in _read(f"{language}/{use.name}.yaml")


def campaign_text(
    name: str, contacts: str, today: date, trunk: str = "demo", agents: str = "front-desk"
) -> str:
    """The campaign file. contacts: the file of `sample_text` of the same day, beside it and of its
    name. trunk, agents: of config.yaml. NoTemplate."""
    use, language = parts_of(name)
    header, words = _read(f"{language}/{use.name}.yaml").split("\n\n", 1)
    frame = _read(f"{language}/frame.yaml")
    blocks = _blocks(frame) | _blocks(use.blocks) | _blocks(words)
    blocks["contacts"] = f"contacts: {_quoted(contacts)}"
    blocks["contacts_as_of"] = (
        f"contacts_as_of: {today}       # the day of the file. A file that is made each morning "
        "needs no such key"
    )
    blocks["purpose"] = f"purpose: {use.purpose}"
    blocks["trunk"] = f"trunk: {_quoted(trunk)}"
    for key, block in blocks.items():
        blocks[key] = block.replace("to: front-desk", f"to: {_quoted(agents)}")
    paragraphs = [header + _needs(use, Path(contacts).with_suffix(".yaml").name)]
    for keys in _PARAGRAPHS:
        some = [blocks.pop(key) for key in keys if key in blocks]
        if some:
            short = all("\n" not in block for block in some)
            paragraphs.append(("\n" if short else "\n\n").join(some))
    assert not blocks, f"keys without a place: {', '.join(blocks)}"
    return "\n\n".join(paragraphs) + "\n"


def sample_text(name: str, today: date) -> str:
    """Contacts of that day for it, as CSV, of no real people. NoTemplate."""
    use, language = parts_of(name)
    people = list(csv.DictReader(io.StringIO(_read(f"{language}/people.csv"))))
    asked = _read(f"{language}/{use.name}.yaml")
    columns = ["title"] if "title" in people[0] and "titled(" in asked else []
    columns += [*REQUIRED, *(name for name in ("zone", "consents") if name in people[0])]
    columns += [column for column in (*use.columns, *use.or_empty) if column not in columns]
    out = io.StringIO()
    rows = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    for person, dpd in zip(people, use.dpd, strict=False):
        prefix = f"{use.name}:"
        own = {key.removeprefix(prefix): person[key] for key in person if key.startswith(prefix)}
        day = {"dpd": str(dpd), "due_date": str(today - timedelta(days=dpd))}
        cells = {**person, **use.cells, **own, **day}
        rows.writerow({column: _dated(cells[column], today) for column in columns})
    return out.getvalue()


def _needs(use: Use, file: str) -> str:
    """For the head of the file: what it says, what its contacts have to have, what comes next."""
    lines = ["#", *textwrap.wrap(f"{use.about}.", 100, initial_indent="# ", subsequent_indent="# ")]
    further = [*use.columns, *(f"{column} (may be empty)" for column in use.or_empty)]
    if further:
        told = f"Further columns of its contacts file: {', '.join(further)}."
        lines += textwrap.wrap(told, 100, initial_indent="# ", subsequent_indent="# ")
    if "balance" in use.cells:
        lines.append("# No debt is spoken of: balance and interest_rate may be 0.")
    lines += ["#", f"#   duecall check {file}", f"#   duecall start {file}"]
    return "\n" + "\n".join(lines)


def _blocks(text: str) -> dict[str, str]:
    """Top-level key -> its lines, with the comments above it."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    above: list[str] = []
    for line in text.split("\n"):
        key = _KEY.match(line)
        if key:
            current = found[key[1]] = [*above, line]
            above = []
        elif line.startswith(" "):
            current += [*above, line]
            above = []
        elif line.startswith("#"):
            above.append(line)
    return {key: "\n".join(lines) for key, lines in found.items()}


def _dated(cell: str, today: date) -> str:
    return _DAY.sub(lambda found: str(today + timedelta(days=int(found[1]))), cell)


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _read(path: str) -> str:
    return (FOLDER / path).read_text(encoding="utf-8").rstrip("\n")
