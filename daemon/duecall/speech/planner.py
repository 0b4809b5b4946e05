"""From pieces to utterances: what is rendered as one sound file, and the silence around it.

Pure. Static text is cut at its punctuation, values into the fragments of fragments.py, which many
contacts share; only names and free words are a contact's own. Silence is put into the static
utterance beside it, because that is rendered once for all contacts; only between two values it is
a file of its own.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias, TypeVar

from duecall.core.campaign import Language
from duecall.speech.fragments import cuts
from duecall.speech.grammar import Region
from duecall.speech.template import Piece, text_of
from duecall.speech.values import Name, Text, Value, is_personal
from duecall.speech.words import words

JOIN_MS = 60  # between text and a value within one clause
CLAUSE_MS = 250
SENTENCE_MS = 400
MEMO_MAX = 50_000  # of each kind: values and texts that many contacts share

_SENTENCE_MARKS = ".!?…。！？"
_CLAUSE_MARKS = ",;:，；：、—–"
# Latin punctuation ends a clause before a space only ("3.5", "a.b"); the Chinese needs none.
_CUT = re.compile(r"[.!?…,;:—–]+[\"'”’»)\]]*(?=\s|$)|[。！？，；：、]+[”’）]*")
# A full stop after these, or after one capital, ends no sentence. Where it does, the engine still
# makes its own pause.
_ABBREVIATIONS = frozenset(
    {"г", "ул", "д", "кв", "пр", "пл", "им", "т", "руб", "коп", "стр", "обл", "тел"}
    | {"mr", "mrs", "ms", "dr", "st", "ltd", "inc", "tp", "q", "p"}
)
_Key = TypeVar("_Key", bound=Hashable)
_Made = TypeVar("_Made")


class Utterance(NamedTuple):
    """text: spoken in one go; empty: only silence, of lead_ms. static: the template's own words.

    personal: tells who the contact is, so that its file lies with the personal ones. of: the name
    in it, without title, where it is more than that name: by it `forget` finds the file, whatever
    campaign and day said the rest.
    """

    text: str
    static: bool = False
    personal: bool = False
    lead_ms: int = 0
    tail_ms: int = 0
    of: str = ""


Said: TypeAlias = tuple[Utterance, ...]  # a value, or the clauses of a text
_Item: TypeAlias = "Utterance | int"  # or a pause in milliseconds


class _Run(NamedTuple):
    """Utterances with the pauses between them, and those before and after them in milliseconds."""

    before_ms: int
    said: Said
    after_ms: int


class Planner:
    """The plans of one language, region and kind of voice; remembers what contacts share.

    whole: each sentence is one utterance, its values among its words: the best melody, and a sound
    of its own for nearly every contact. fine: for recorded voices (fragments.py). Safe to share.
    """

    def __init__(
        self, language: Language, region: Region = "", *, whole: bool = False, fine: bool = False
    ) -> None:
        self._language: Language = language
        self._region: Region = region
        self._whole = whole
        self._fine = fine
        self._values: dict[Value, Said] = {}
        self._texts: dict[str, _Run] = {}
        self._paused: dict[tuple[Utterance, int, int], Utterance] = {}

    def plan(self, pieces: Sequence[Piece]) -> tuple[Utterance, ...]:
        """In the order they are played. Unspeakable where a value has no words."""
        planned: list[Utterance] = []
        pause_ms = 0  # waiting for a place
        for run in self._of_sentences(pieces) if self._whole else map(self._run, pieces):
            pause_ms = max(pause_ms, run.before_ms)
            if not run.said:
                continue
            if planned:
                planned.append(self._with_pause(planned, run.said[0], pause_ms or JOIN_MS))
                planned += run.said[1:]
            else:
                planned += run.said
            pause_ms = run.after_ms
        if planned and (pause_ms or planned[-1].static):
            self._with_pause(planned, Utterance(""), pause_ms or JOIN_MS)
        return tuple(planned)

    def _with_pause(self, planned: list[Utterance], then: Utterance, pause_ms: int) -> Utterance:
        """Puts the pause at the end of what is planned, or before `then`, which is returned."""
        if planned[-1].static:
            planned[-1] = self._silenced(planned[-1], planned[-1].lead_ms, pause_ms)
        elif then.static:
            return self._silenced(then, pause_ms, then.tail_ms)
        else:
            planned.append(Utterance("", lead_ms=pause_ms))
        return then

    def _silenced(self, one: Utterance, lead_ms: int, tail_ms: int) -> Utterance:
        key = one, lead_ms, tail_ms
        made = self._paused.get(key)
        if made is None:
            made = one._replace(lead_ms=lead_ms, tail_ms=tail_ms)
            _remember(self._paused, key, made)
        return made

    # ---- pieces one by one

    def _run(self, piece: Piece) -> _Run:
        if isinstance(piece, str):
            run = self._texts.get(piece)
            if run is None:
                run = _of_items(_static_items(piece))
                _remember(self._texts, piece, run)
            return run
        return _Run(0, self._said(piece), 0)

    def _said(self, value: Value) -> Said:
        personal = is_personal(value) and isinstance(value, (Name, Text))
        said = None if personal else self._values.get(value)
        if said is None:
            spoken = words(value, self._language, self._region)
            if personal:
                titled = isinstance(value, Name) and value.title
                of = self._name_in([value], spoken) if titled else ""
                return (Utterance(spoken, personal=True, of=of),)
            # The fragments of a phone or contract number tell nobody's: three digits each.
            found = cuts(value, spoken, self._language, self._region, fine=self._fine)
            said = tuple(Utterance(cut.text, tail_ms=cut.pause_ms) for cut in found)
            _remember(self._values, value, said)
        return said

    def _name_in(self, pieces: Sequence[Piece], text: str) -> str:
        """The first contact's name; empty where there is none, or where it is all of the text."""
        for piece in pieces:
            if isinstance(piece, Name) and piece.personal:
                name = words(replace(piece, title=""), self._language)
                return "" if name == text else name
        return ""

    # ---- whole sentences

    def _of_sentences(self, pieces: Sequence[Piece]) -> Iterator[_Run]:
        """Sentences with their values; the engine makes the pauses of their commas."""
        sentence: list[Piece] = []
        for piece in pieces:
            if not isinstance(piece, str):
                sentence.append(piece)
                continue
            at = 0
            for mark in _marks(piece):
                if pause_after(mark.group()) == SENTENCE_MS:
                    yield self._sentence([*sentence, piece[at : mark.end()]], SENTENCE_MS)
                    sentence, at = [], mark.end()
            sentence.append(piece[at:])
        yield self._sentence(sentence, 0)

    def _sentence(self, pieces: Sequence[Piece], after_ms: int) -> _Run:
        run = _of_items(_clause(text_of(pieces, self._language, self._region)))
        said = run.said
        if not all(isinstance(piece, str) for piece in pieces):
            personal = any(map(_of_contact, pieces))
            said = tuple(
                one._replace(static=False, personal=personal, of=self._name_in(pieces, one.text))
                for one in said
            )
        return _Run(run.before_ms, said, max(run.after_ms, after_ms))


def plan(pieces: Sequence[Piece], language: Language, region: Region = "") -> tuple[Utterance, ...]:
    """Of fragments, once."""
    return Planner(language, region).plan(pieces)


def pause_after(marks: str) -> int:
    """Milliseconds of silence for punctuation; 0 for quotes and brackets."""
    if any(mark in _SENTENCE_MARKS for mark in marks):
        return SENTENCE_MS
    return CLAUSE_MS if any(mark in _CLAUSE_MARKS for mark in marks) else 0


def _remember(memo: dict[_Key, _Made], key: _Key, made: _Made) -> None:
    """A memo that is full begins anew."""
    if len(memo) >= MEMO_MAX:
        memo.clear()
    memo[key] = made


def _of_items(items: Iterable[_Item]) -> _Run:
    """Static utterances carry the pause to the next one at their end."""
    said: list[Utterance] = []
    before_ms = pause_ms = 0
    for item in items:
        if isinstance(item, int):
            pause_ms = max(pause_ms, item)
            continue
        if said:
            said[-1] = said[-1]._replace(tail_ms=pause_ms or JOIN_MS)
        else:
            before_ms = pause_ms
        pause_ms = 0
        said.append(item)
    return _Run(before_ms, tuple(said), pause_ms) if said else _Run(pause_ms, (), 0)


def _of_contact(piece: Piece) -> bool:
    """All but the campaign's own words: a sum within its sentence is one contact's sound."""
    return not isinstance(piece, str) and not (
        isinstance(piece, (Name, Text)) and not piece.personal
    )


def _static_items(text: str) -> Iterator[_Item]:
    at = 0
    for mark in _marks(text):
        yield from _clause(text[at : mark.end()])
        yield pause_after(mark.group())
        at = mark.end()
    yield from _clause(text[at:])


def _marks(text: str) -> Iterator[re.Match[str]]:
    """Where clauses end."""
    at = 0
    for mark in _CUT.finditer(text):
        if mark.group() == "." and _abbreviated(text[at : mark.start()]):
            continue
        yield mark
        at = mark.end()


def _abbreviated(clause: str) -> bool:
    word = re.split(r"[^\w]", clause)[-1]
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper())


def _clause(text: str) -> Iterator[_Item]:
    """The clause keeps its mark, by which an engine sets its tone. Marks alone are a pause."""
    text = text.strip()
    spoken = text.lstrip(_SENTENCE_MARKS + _CLAUSE_MARKS + " \"'”’»)")
    if any(char.isalnum() for char in spoken):
        if spoken != text:
            yield pause_after(text[: len(text) - len(spoken)])
        yield Utterance(spoken, static=True)
    elif text:
        yield pause_after(text)
