"""What a speaker has to record so that a campaign's messages can be said in that person's voice.

Pure. The clauses of the templates, and of the values the fine fragments (fragments.py), of which
a few hundred say everything; names and other texts of contacts cannot be recorded and are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from duecall.core.campaign import Language
from duecall.core.money import exponent
from duecall.speech.faults import TemplateFault, Unspeakable
from duecall.speech.fragments import cuts
from duecall.speech.grammar import Region
from duecall.speech.planner import Planner, Utterance
from duecall.speech.prompts import Part, TextPart
from duecall.speech.recording_folder import normal_form
from duecall.speech.template import MessageTemplate, Piece
from duecall.speech.template_branches import branches_of
from duecall.speech.values import (
    BENDING,
    Count,
    Day,
    DaysCount,
    Digits,
    Inflected,
    Money,
    Name,
    Ordinal,
    Percent,
    Phone,
    Text,
    TimeOfDay,
    Value,
    Values,
)
from duecall.speech.words import SPOKEN_MAX, words

EXAMPLES = 50  # contacts whose values are tried in every branch of a template
YEARS = range(2000, 2100)  # of `complete`
ORDINALS = range(1, 1001)
_SCALES = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8, 10**9, 10**12)
_IN_PLACES = (*range(1, 100), *range(100, 1000, 100), *range(101, 1000, 101))
_LETTERS: dict[Language, str] = {
    "ru": "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯABCDEFGHIJKLMNOPQRSTUVWXYZ",
}
_LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# How fast people read to a microphone, characters a second, and what each take needs besides.
_PER_SECOND: dict[Language, float] = {"vi": 12.0, "ru": 13.0, "en": 14.0, "zh": 4.0}
TAKE_S = 4.0


@dataclass(frozen=True, slots=True)
class Line:
    """One text to record. contacts: so many need it; 0 for one that only other values need."""

    text: str
    clause: bool
    contacts: int


class RecordList:
    """Gathers what the messages of many contacts need."""

    def __init__(self, language: Language, region: Region = "") -> None:
        self.language: Language = language
        self.region: Region = region
        self.contacts = 0
        self.personal = 0  # contacts in whose messages something stands that cannot be recorded
        self._examples: list[Values] = []
        self._planner = Planner(language, region, fine=True)
        self._clauses: dict[str, Line] = {}  # by normal form, in the order in which they came
        self._values: Counter[str] = Counter()
        self._written: dict[str, str] = {}  # normal form -> text, of the values
        self._shapes: dict[Value, None] = {}

    def add(self, parts: Sequence[Part], values: Values) -> None:
        """All that one contact may hear. Unspeakable or TemplateFault where the row cannot be
        spoken: nothing of it is taken."""
        rendered = [part.template.render(values) for part in parts if isinstance(part, TextPart)]
        planned = [one for pieces in rendered for one in self._planner.plan(pieces)]
        self.contacts += 1
        self.personal += any(one.personal for one in planned)
        if len(self._examples) < EXAMPLES:
            self._examples.append(values)
        self._take_all([piece for pieces in rendered for piece in pieces], planned, contacts=1)

    def add_branches(self, templates: Iterable[MessageTemplate]) -> None:
        """What these say where their conditions hold and where not, whether a contact of today
        leads there or not. To be told after the contacts: their values are tried in it."""
        for template in templates:
            for branch in branches_of(template):
                for values in self._examples:
                    try:
                        pieces = branch.render(values)
                        planned = self._planner.plan(pieces)
                    except (Unspeakable, TemplateFault):
                        continue  # an empty cell, which this condition would have passed over
                    self._take_all(pieces, planned, contacts=0)
                    break

    def lines(self, *, complete: bool = False) -> list[Line]:
        """Clauses as they are said, then fragments from the small numbers to the large.

        complete: also those that no contact of today needs, so that any value can be said.
        """
        order: dict[str, str] = {}
        for text in self._all_fragments():
            order.setdefault(normal_form(text), text)
        places = {form: place for place, form in enumerate(order)}
        forms = [*order, *(self._written.keys() - order.keys())] if complete else self._written
        values = [
            Line(self._written.get(form) or order[form], clause=False, contacts=self._values[form])
            for form in sorted(forms, key=lambda form: (places.get(form, len(places)), form))
            if form not in self._clauses
        ]
        return [*self._clauses.values(), *values]

    def _take_all(
        self, pieces: Sequence[Piece], planned: Sequence[Utterance], contacts: int
    ) -> None:
        values = [piece for piece in pieces if not isinstance(piece, str)]
        own = {self._words(value) for value in values if isinstance(value, (Name, Text))}
        for one in dict.fromkeys(planned):
            if one.text and not one.personal:
                self._take(one.text, contacts, clause=one.static or one.text in own)
        for value in values:
            if not isinstance(value, (Name, Text)):
                self._shapes.setdefault(_shape(value))

    def _take(self, text: str, contacts: int, *, clause: bool) -> None:
        form = normal_form(text)
        if not clause:
            if contacts:  # those of any value come with its shape
                self._values[form] += contacts
                self._written.setdefault(form, text)
            return
        known = self._clauses.get(form, Line(text, clause=True, contacts=0))
        self._clauses[form] = replace(known, contacts=known.contacts + contacts)

    def _all_fragments(self) -> Iterator[str]:
        for shape in self._shapes:
            for value in _values_like(shape, self.language):
                for cut in cuts(value, self._words(value), self.language, self.region, fine=True):
                    yield cut.text

    def _words(self, value: Value) -> str:
        return words(value, self.language, self.region)


def studio_minutes(texts: Iterable[str], language: Language) -> float:
    """At the microphone, without second takes: an estimate."""
    return sum(TAKE_S + len(text) / _PER_SECOND[language] for text in texts) / 60


def _shape(value: Value) -> Value:
    """One value for all that are cut alike: same type, currency and form."""
    if isinstance(value, Inflected):
        inner = _shape(value.value)
        assert isinstance(inner, BENDING)
        return replace(value, value=inner)
    if isinstance(value, Money):
        return Money(0, value.currency)
    if isinstance(value, Day):
        return Day(date(2000, 1, 1), value.with_year, value.today and date(2000, 1, 1))
    if isinstance(value, DaysCount):
        return DaysCount(0)
    if isinstance(value, Count):
        return Count(0)
    if isinstance(value, Ordinal):
        return Ordinal(1)
    if isinstance(value, Percent):
        return Percent(Decimal(0), value.yearly)
    if isinstance(value, TimeOfDay):
        return TimeOfDay(0, 0)
    if isinstance(value, Phone):
        return Phone("00", personal=False)
    assert isinstance(value, Digits)
    letters = any(char.isalpha() for char in value.text)
    return Digits("A" if letters else "0", personal=False)


def _values_like(shape: Value, language: Language) -> Iterator[Value]:
    """Values of this shape, small ones first, whose fragments say every value of it."""
    if isinstance(shape, Inflected):
        for value in _values_like(shape.value, language):
            assert isinstance(value, BENDING)
            yield replace(shape, value=value)
    elif isinstance(shape, Money):
        yield from _sums(shape.currency)
    elif isinstance(shape, DaysCount):
        yield from map(DaysCount, _numbers())
    elif isinstance(shape, Count):
        yield from map(Count, _numbers())
    elif isinstance(shape, Ordinal):
        yield from map(Ordinal, ORDINALS)
    elif isinstance(shape, Percent):
        yield from (Percent(number, shape.yearly) for number in _decimals())
    elif isinstance(shape, Day):
        yield from _days(shape)
    elif isinstance(shape, TimeOfDay):
        yield from (TimeOfDay(minute // 60, minute % 60) for minute in range(24 * 60))
    elif isinstance(shape, Phone):
        yield from (Phone(f"+{digit}{digit}", personal=False) for digit in range(10))
    else:
        letters = _LETTERS.get(language, _LATIN) if shape == Digits("A", personal=False) else ""
        yield from (Digits(char, personal=False) for char in "0123456789" + letters)


def _numbers() -> Iterator[int]:
    """Every number below a thousand; in every place of a larger one; and after empty places."""
    yield from range(1000)
    yield -1
    for scale in _SCALES:
        for number in _IN_PLACES:
            if number * scale <= SPOKEN_MAX:
                yield number * scale
        for lower in (1, *_SCALES):
            yield from (scale + lower * number for number in _IN_PLACES if lower * number < scale)
    yield SPOKEN_MAX


def _sums(currency: str) -> Iterator[Money]:
    unit = 10 ** exponent(currency)
    yield from (Money(number * unit, currency) for number in _numbers())
    for minor in range(1, unit):
        yield Money(minor, currency)
        yield Money(unit + minor, currency)


def _decimals() -> Iterator[Decimal]:
    yield from (Decimal(number) for number in range(101))
    yield Decimal("-1")
    yield from (Decimal(number) / 100 for number in range(1, 200))
    yield from (Decimal(number) / 10 for number in range(20, 1000))
    yield from (Decimal(number) / 1000 for number in range(1, 1000))


def _days(shape: Day) -> Iterator[Day]:
    first = date(2000, 1, 1)
    yield from (Day(first + timedelta(days=at), with_year=False) for at in range(366))
    if shape.with_year:
        yield from (Day(date(year, 1, 1)) for year in YEARS)
    if shape.today is not None:
        yield from (Day(first, today=first + timedelta(days=away)) for away in range(-2, 3))
