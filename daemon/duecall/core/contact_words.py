"""The cells of a contacts file that rules ask about: region, line, consents on file, flags.

Each function takes the text of a cell, trimmed, and gives its value, or raises CellError; an empty
cell is always right. Reasons never repeat the text: where columns are mixed up, it may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

from duecall.core.contact import Consent, Contact
from duecall.core.rule_merge import EffectiveRules
from duecall.core.rule_pack import LineKind, RequireRule
from duecall.core.scalars import did_you_mean

WORDS_MAX = 32  # in one cell
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")  # as core/rule_pack.py's Region
_WORD = re.compile(r"[a-z][a-z0-9_]{1,60}")  # as core/rule_pack.py's Word
_PARTED = re.compile(r"[\s,;]+")
_AROUND = re.compile(r"\s*=\s*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LINES: dict[str, LineKind] = {
    "mobile": "mobile",
    "cell": "mobile",
    "landline": "landline",
    "fixed": "landline",
}
_WORDS = "write words of lower-case letters, digits and _, parted by blanks"
_UNTIL = "write its last day behind the word, as in prior_express_consent=2027-06-30"


class CellError(ValueError):
    """problem and remedy; neither repeats the cell."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


def region_of(text: str) -> str:
    """ISO 3166-2: "US-MA"."""
    region = text.upper()
    if text and not _REGION.fullmatch(region):
        remedy = "write it as ISO 3166-2 does, the country first, such as US-MA, or leave it empty"
        raise CellError("not a region", remedy)
    return region


def line_of_cell(text: str) -> LineKind | Literal[""]:
    """What the number is, as the lender knows it."""
    if not text:
        return ""
    line = _LINES.get(text.lower())
    if line is None:
        remedy = "write mobile or landline, or leave it empty: then the number tells"
        raise CellError("not a kind of line", remedy)
    return line


@lru_cache(maxsize=1_000)
def consents_of(text: str) -> tuple[Consent, ...]:
    """Sorted by their words."""
    found = {}
    for place, piece in _pieces(text):
        word, _, day = piece.partition("=")
        _check_word(word, place)
        if word in found:
            raise CellError(f"word {place} stands there twice", "keep one of the two")
        found[word] = Consent(word, _last_day(day, place) if "=" in piece else None)
    return tuple(found[word] for word in sorted(found))


@lru_cache(maxsize=1_000)
def flags_of(text: str) -> tuple[str, ...]:
    """Sorted, each once."""
    found = set()
    for place, word in _pieces(text):
        _check_word(word, place)
        found.add(word)
    return tuple(sorted(found))


def _pieces(text: str) -> list[tuple[int, str]]:
    """(place in the cell from 1, word in lower case)."""
    joined = _AROUND.sub("=", text.lower())
    pieces = [piece for piece in _PARTED.split(joined) if piece]
    if len(pieces) > WORDS_MAX:
        raise CellError(f"{len(pieces)} words", f"keep at most {WORDS_MAX}")
    return list(enumerate(pieces, 1))


def _check_word(word: str, place: int) -> None:
    if not _WORD.fullmatch(word):
        raise CellError(f"word {place} is not a word that a rule could ask for", _WORDS)


def _last_day(text: str, place: int) -> date:
    try:
        if not (text.isascii() and _DAY.fullmatch(text)):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise CellError(f"what follows the = of word {place} is no day", _UNTIL) from None


@dataclass(frozen=True, slots=True)
class RuleWords:
    """The consents and flags that the rules in effect ask for."""

    consents: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()

    @classmethod
    def of(cls, rules: EffectiveRules) -> RuleWords:
        """Of one campaign's."""
        consents: set[str] = set()
        flags: set[str] = set()
        for rule in rules.pack.rules():
            consents.update(rule.unless)
            if isinstance(rule, RequireRule):
                consents.update([rule.on_file] if rule.on_file else [])
                flags.update([rule.not_flagged] if rule.not_flagged else [])
        return cls(frozenset(consents), frozenset(flags))

    def unknown(self, contact: Contact) -> list[tuple[str, str, str]]:
        """(column, word, a hint) of the contact's words that no rule asks for."""
        words = [one.word for one in contact.consents]
        return [
            *_unknown("consents", words, self.consents),
            *_unknown("flags", contact.flags, self.flags),
        ]


def _unknown(
    column: str, words: Iterable[str], known: frozenset[str]
) -> Iterable[tuple[str, str, str]]:
    return (
        (column, word, did_you_mean(word, sorted(known))) for word in words if word not in known
    )
