"""The demo's campaigns: copies of ready ones that do in two minutes what takes days."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from duecall.core.contact_phone import parse_phone
from duecall.shell.loopback_site import REPOSITORY

FOLDER = REPOSITORY / "campaigns"
MAIN = "overdue-vi"  # all of its contacts are called
OTHERS = ("overdue-ru", "overdue-zh", "due-soon-en")  # and a few of each of these
FEW = ("presses-1", "presses-2", "presses-9", "listens", "answering-machine")
RETRY_S, RING_S = 3, 8
ATTEMPTS = 3
CHANGED = (
    f"For the demo these are changed in copies of the campaigns: instead of a country's calling "
    f"rules a gap of {RETRY_S - 1} s and {ATTEMPTS} calls a day, calling hours all day, retries "
    f"after {RETRY_S} s, ring time {RING_S} s, the message said once, every call recorded."
)


@dataclass(frozen=True)
class DemoCampaign:
    """rows: of the contacts file, phones as E.164. path: of the copy, once it is written."""

    name: str
    language: str
    raw: dict[str, Any]
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


def read_campaign(
    name: str, callees: Mapping[str, str] | None = None, few: Sequence[str] = FEW
) -> DemoCampaign:
    """callees: what meets a number; given, one contact for each of `few` is taken, else all are."""
    raw = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    with (FOLDER / raw["contacts"]).open(encoding="utf-8-sig", newline="") as source:
        reader = csv.DictReader(source)
        columns = tuple(reader.fieldnames or ())
        # The file writes numbers in all the ways that people do; numbers.csv has them as E.164.
        rows = [{**row, "phone": parse_phone(row["phone"], raw["country"]).e164} for row in reader]
    if callees is not None:
        first: dict[str, dict[str, str]] = {}
        for row in rows:
            first.setdefault(callees.get(row["phone"], ""), row)
        rows = [first[callee] for callee in few if callee in first]
    return DemoCampaign(name, raw["language"], raw, columns, tuple(rows))


def write_copy(campaign: DemoCampaign, work: Path) -> Path:
    """The shortened campaign with its contacts, below `work`; its path."""
    folder = work / "campaigns"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(FOLDER / "sounds", folder / "sounds", dirs_exist_ok=True)
    with (folder / campaign.raw["contacts"]).open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, campaign.columns)
        writer.writeheader()
        writer.writerows(campaign.rows)
    path = folder / f"{campaign.name}.yaml"
    raw = {**campaign.raw, **_short()}
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def _short() -> dict[str, Any]:
    return {
        "calendar": {"hours": [{"from": "00:00", "to": "24:00"}]},
        "rules": {
            "pack": "none",
            "pack_reason": "demo: callees on this machine",
            "gaps": [{"id": "demo.gap", "per": "number", "gap": f"{RETRY_S - 1}s"}],
            "caps": [
                {
                    "id": "demo.day",
                    "counts": ["attempt"],
                    "per": ["number", "contact"],
                    "window": {"rolling_hours": 24},
                    "max": ATTEMPTS,
                }
            ],
        },
        "ring": f"{RING_S}s",
        "wait": "3s",
        "repeats": 0,
        "record": True,
        "retry": {
            "max_attempts": ATTEMPTS,
            "by_outcome": {
                outcome: {"every": f"{RETRY_S}s", "times": 2}
                for outcome in ("busy", "no_answer", "unreachable", "congestion", "rejected")
            },
        },
    }
