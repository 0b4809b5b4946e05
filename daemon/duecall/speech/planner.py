"""From pieces to utterances: what is rendered as one sound file, and the silence around it.

Pure. Static text is cut at its punctuation, each value is an utterance of its own (here a later
planner may cut a sum into number fragments). Silence is put into the static utterance beside it,
because that is rendered once for all contacts; only between two values it is a file of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from duecall.core.campaign import Language
from duecall.speech.grammar import Region
from duecall.speech.template import Piece
from duecall.speech.values import is_personal
from duecall.speech.words import words

JOIN_MS = 60  # between text and a value within one clause
CLAUSE_MS = 250
SENTENCE_MS = 400

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


@dataclass(frozen=True, slots=True)
class Utterance:
    """text: spoken in one go; empty: only silence, of lead_ms. static: the template's own words."""

    text: str
    static: bool = False
    personal: bool = False
    lead_ms: int = 0
    tail_ms: int = 0


def plan(pieces: Sequence[Piece], language: Language, region: Region = "") -> tuple[Utterance, ...]:
    """In the order they are played. Unspeakable where a value has no words."""
    planned: list[Utterance] = []
    pause_ms = 0  # waiting for a place
    for item in _items(pieces, language, region):
        if isinstance(item, int):
            pause_ms = max(pause_ms, item)
            continue
        if planned:
            item = _with_pause(planned, item, pause_ms or JOIN_MS)
        pause_ms = 0
        planned.append(item)
    if planned and (pause_ms or planned[-1].static):
        _with_pause(planned, Utterance(""), pause_ms or JOIN_MS)
    return tuple(planned)


def _with_pause(planned: list[Utterance], then: Utterance, pause_ms: int) -> Utterance:
    """Puts the pause at the end of what is planned, or before `then`, which is returned."""
    if planned[-1].static:
        planned[-1] = replace(planned[-1], tail_ms=pause_ms)
    elif then.static:
        return replace(then, lead_ms=pause_ms)
    else:
        planned.append(Utterance("", lead_ms=pause_ms))
    return then


def _items(
    pieces: Sequence[Piece], language: Language, region: Region
) -> Iterator[Utterance | int]:
    """Utterances, and pauses in milliseconds."""
    for piece in pieces:
        if isinstance(piece, str):
            yield from _static_items(piece)
        else:
            yield Utterance(words(piece, language, region), personal=is_personal(piece))


def _static_items(text: str) -> Iterator[Utterance | int]:
    at = 0
    for mark in _CUT.finditer(text):
        if mark.group() == "." and _abbreviated(text[at : mark.start()]):
            continue
        yield from _clause(text[at : mark.end()])
        yield pause_after(mark.group())
        at = mark.end()
    yield from _clause(text[at:])


def _abbreviated(clause: str) -> bool:
    word = re.split(r"[^\w]", clause)[-1]
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper())


def _clause(text: str) -> Iterator[Utterance | int]:
    """The clause keeps its mark, by which an engine sets its tone. Marks alone are a pause."""
    text = text.strip()
    spoken = text.lstrip(_SENTENCE_MARKS + _CLAUSE_MARKS + " \"'”’»)")
    if any(char.isalnum() for char in spoken):
        if spoken != text:
            yield pause_after(text[: len(text) - len(spoken)])
        yield Utterance(spoken, static=True)
    elif text:
        yield pause_after(text)


def pause_after(marks: str) -> int:
    """Milliseconds of silence for punctuation; 0 for quotes and brackets."""
    if any(mark in _SENTENCE_MARKS for mark in marks):
        return SENTENCE_MS
    return CLAUSE_MS if any(mark in _CLAUSE_MARKS for mark in marks) else 0
