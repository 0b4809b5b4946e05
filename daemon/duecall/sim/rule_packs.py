"""Rule packs as they are shipped; and as a lawyer stands by them again when their day has come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import yaml

import duecall
from duecall.core.rule_pack import CallerIdRule, ContentRule, RequireRule, RulePack

SHIPPED = Path(duecall.__file__).resolve().parent / "rules"
RENEWED_DAYS = 400
_REVIEW = re.compile(r"^review_by: [0-9-]{10}$", re.MULTILINE)


@lru_cache(maxsize=1)
def texts() -> Mapping[str, str]:
    """By jurisdiction, as they stand in their files."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(SHIPPED.glob("*.yaml"))}


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, RulePack]:
    """By jurisdiction."""
    return {name: _parsed(text) for name, text in texts().items()}


def reviewed_text(name: str, by: date) -> str:
    """The lawyer's copy: the same rules, good until this day."""
    return _REVIEW.sub(f"review_by: {by}", texts()[name], count=1)


@lru_cache(maxsize=100)
def reviewed(name: str, by: date) -> RulePack:
    """The same, read."""
    return _parsed(reviewed_text(name, by))


def text_of(pack: RulePack) -> str:
    """Of a pack of this module."""
    by = pack.review_by
    return texts()[pack.jurisdiction] if by is None else reviewed_text(pack.jurisdiction, by)


def _parsed(text: str) -> RulePack:
    return RulePack.model_validate(yaml.safe_load(text))


def in_use(name: str, start: date) -> RulePack:
    """As it is on the first day of a story: shipped, or reviewed since where its day is over."""
    pack = shipped()[name]
    if pack.review_by is None or start <= pack.review_by:
        return pack
    return renewed(name, start)


def renewed(name: str, day: date) -> RulePack:
    """As a lawyer gives it back on this day."""
    return reviewed(name, day + timedelta(days=RENEWED_DAYS))


@lru_cache(maxsize=20)
def words(name: str) -> Mapping[str, tuple[str, ...]]:
    """All that the lender has to state for the pack: attested, says, number_shown."""
    rules = list(shipped()[name].rules())
    found = {
        "attested": [r.attested for r in rules if isinstance(r, RequireRule) and r.attested],
        "says": [r.say for r in rules if isinstance(r, ContentRule) and r.say],
        "number_shown": [word for r in rules if isinstance(r, CallerIdRule) for word in r.needs],
    }
    return {kind: tuple(dict.fromkeys(some)) for kind, some in found.items()}


@lru_cache(maxsize=20)
def needed(name: str) -> tuple[str, ...]:
    """Consents without which somebody is not called."""
    rules = shipped()[name].require
    return tuple(dict.fromkeys(rule.on_file for rule in rules if rule.on_file))


@lru_cache(maxsize=20)
def lifting(name: str) -> tuple[str, ...]:
    """Consents that lift a rule, and no rule asks for."""
    words = dict.fromkeys(word for rule in shipped()[name].rules() for word in rule.unless)
    return tuple(word for word in words if word not in needed(name))


@lru_cache(maxsize=20)
def flags(name: str) -> tuple[str, ...]:
    """All that a contact must not be noted as."""
    rules = list(shipped()[name].rules())
    return tuple(r.not_flagged for r in rules if isinstance(r, RequireRule) and r.not_flagged)
