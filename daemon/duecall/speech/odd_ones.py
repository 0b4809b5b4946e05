"""Which contacts to hear before a campaign runs: the longest, the shortest and the oddest.

Pure. Chosen by text alone, from all rows, in one pass: no sound is made, and of a million rows only
the few that lead in something are kept.
"""

from __future__ import annotations

import hashlib
import heapq
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from duecall.speech.template import Piece
from duecall.speech.values import Count, DaysCount, Inflected, Money, Name, Text, Value

Key = TypeVar("Key")
# One of each: the forms that numbers ask of what they count differ between these.
PLURALS = (1, 2, 5, 11, 21)
BRANCHES_MAX = 200  # messages of other words of the campaign's own (conditions, buckets) told apart
BRANCHES_HEARD = 5
LETTERS_HEARD = 3
WORDS_HEARD = 3
WORDS_MAX = 1_000  # different ones that are counted
WORD_MAX = 30  # characters; longer texts are all different


@dataclass(frozen=True, slots=True)
class Heard:
    """One contact's message. text: in words. fragments: sounds that it is made of."""

    pieces: Sequence[Piece]
    text: str
    fragments: int
    bucket: int


@dataclass(frozen=True, slots=True)
class Choice(Generic[Key]):
    """why: what this one leads in, the most telling first; empty for one taken at random."""

    key: Key
    why: tuple[str, ...]


class OddOnes(Generic[Key]):
    """Told of each contact in branch, then asked for the choice. The same rows, the same choice."""

    def __init__(self, size: int) -> None:
        """size: so many are wanted."""
        self._size = size
        self._rows = 0
        self._best: dict[str, tuple[float, Key]] = {}  # what it leads in -> its measure
        self._firsts: dict[str, Key] = {}  # what it is the first of
        self._branches: dict[int, tuple[int, Key]] = {}  # own words -> how many, the first
        self._letters: Counter[str] = Counter()
        self._letter_of: dict[str, Key] = {}
        self._words: Counter[str] = Counter()  # titles, and what stands in a column
        self._word_of: dict[str, Key] = {}
        self._any: list[tuple[int, int, Key]] = []  # heap of the drawn: -draw, row, key

    def add(self, key: Key, heard: Heard, seed: str) -> None:
        """seed: a text of its own, such as the contract number; it decides the draw."""
        self._rows += 1
        self._extreme("the longest text", len(heard.text), key)
        self._extreme("the shortest text", -len(heard.text), key)
        self._extreme("the most fragments", heard.fragments, key)
        self._firsts.setdefault(f"DPD bucket {heard.bucket}", key)
        self._branch(hash(tuple(p if isinstance(p, str) else "" for p in heard.pieces)), key)
        for piece in heard.pieces:
            if not isinstance(piece, str):
                self._value(piece.value if isinstance(piece, Inflected) else piece, key)
        draw = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
        one = (-draw, -self._rows, key)
        if len(self._any) < self._size:
            heapq.heappush(self._any, one)
        elif one[:2] > self._any[0][:2]:
            heapq.heapreplace(self._any, one)

    def chosen(self) -> list[Choice[Key]]:
        """At most `size`, the most telling first; filled up with some drawn at random."""
        why: dict[Key, list[str]] = {}
        for reason, key in self._reasons():
            if key in why:
                why[key].append(reason)
            elif len(why) < self._size:
                why[key] = [reason]
        for _, _, key in sorted(self._any, key=lambda one: one[:2], reverse=True):
            if len(why) < self._size:
                why.setdefault(key, [])
        return [Choice(key, tuple(reasons)) for key, reasons in why.items()]

    # ---- what a row is told to lead in

    def _value(self, value: Value, key: Key) -> None:
        if isinstance(value, Name):
            self._name(value, key)
        elif isinstance(value, Text):
            if value.personal and len(value.text) <= WORD_MAX:
                self._word(f"the word {value.text}", key)
        elif isinstance(value, Money):
            self._sum(value, key)
        elif isinstance(value, (DaysCount, Count)):
            self._number(value.days if isinstance(value, DaysCount) else value.number, key)

    def _name(self, name: Name, key: Key) -> None:
        self._extreme("the longest name", len(name.text), key)
        self._extreme("the shortest name", -len(name.text), key)
        for letter in {*unicodedata.normalize("NFC", name.text).casefold()}:
            if not letter.isspace():
                self._letters[letter] += 1
                self._letter_of.setdefault(letter, key)
        self._word(f"the title {name.title}" if name.title else "no title", key)

    def _word(self, what: str, key: Key) -> None:
        if what in self._words or len(self._words) < WORDS_MAX:
            self._words[what] += 1
            self._word_of.setdefault(what, key)

    def _sum(self, money: Money, key: Key) -> None:
        major = money.major
        self._extreme("the largest sum", float(major), key)
        if money.minor < 0:
            self._extreme("a sum below zero", -float(major), key)
        elif not money.minor:
            self._firsts.setdefault("a sum of zero", key)
        if major != major.to_integral_value():
            self._firsts.setdefault(f"minor units of {money.currency}", key)
        else:
            self._number(int(major.to_integral_value()), key)
        if abs(major) < Decimal(1) and money.minor:
            self._firsts.setdefault("minor units alone", key)

    def _number(self, number: int, key: Key) -> None:
        for plural in PLURALS:
            if number == plural:
                self._firsts.setdefault(f"the number {plural}", key)
            elif number > 100 and number % 100 == plural:
                self._firsts.setdefault(f"a number that ends in {plural:02d}", key)

    def _extreme(self, what: str, measure: float, key: Key) -> None:
        known = self._best.get(what)
        if known is None or measure > known[0]:
            self._best[what] = measure, key

    def _branch(self, words: int, key: Key) -> None:
        count, first = self._branches.get(words, (0, key))
        if count or len(self._branches) < BRANCHES_MAX:
            self._branches[words] = count + 1, first

    # ---- and the reasons in their order

    def _reasons(self) -> Iterator[tuple[str, Key]]:
        for what in (
            "the longest text",
            "the shortest text",
            "the largest sum",
            "a sum below zero",
        ):
            if what in self._best:
                yield what, self._best[what][1]
        if "a sum of zero" in self._firsts:
            yield "a sum of zero", self._firsts["a sum of zero"]
        if len(self._branches) > 1:
            rare = sorted(self._branches.values(), key=lambda branch: branch[0])
            for count, key in rare[:BRANCHES_HEARD]:
                yield f"words that {count} of {self._rows} hear", key
        for what in ("the longest name", "the most fragments"):
            if what in self._best:
                yield what, self._best[what][1]
        # Of two that are as rare the stranger one, which stands later in Unicode.
        rare_letters = sorted(self._letters.items(), key=lambda one: (one[1], -ord(one[0])))
        for letter, count in rare_letters[:LETTERS_HEARD]:
            if count < self._rows:
                yield f"the rare letter {letter}", self._letter_of[letter]
        yield from self._of("minor units")
        yield from self._rare_words()
        yield from self._of("the number")
        yield from self._of("DPD bucket")
        yield from self._of("a number that ends")
        if "the shortest name" in self._best:
            yield "the shortest name", self._best["the shortest name"][1]

    def _of(self, beginning: str) -> Iterator[tuple[str, Key]]:
        yield from (one for one in sorted(self._firsts.items()) if one[0].startswith(beginning))

    def _rare_words(self) -> Iterator[tuple[str, Key]]:
        if len(self._words) > 1:
            rare = sorted(self._words.items(), key=lambda one: one[1])
            yield from ((what, self._word_of[what]) for what, _ in rare[:WORDS_HEARD])
