"""How sure an answer is: whether two ways of listening heard the same sounds.

A recogniser with a grammar finds a phrase of it in whatever is said, and its own probability tells
nothing. So it listens once more, freely, and the two are compared sound by sound.
"""

from __future__ import annotations

from collections.abc import Sequence

# Sounds (ARPAbet) that a telephone makes hard to tell from each other.
_ALIKE = (
    "AA AO AH AW", "AE EH", "IH IY Y EY AY", "UH UW OW W", "ER R L", "M N NG", "B D G DH V",
    "P T K", "F TH HH", "S Z SH ZH CH JH",
)  # fmt: skip
_GROUP = {sound: group for group, sounds in enumerate(_ALIKE) for sound in sounds.split()}


def agreement(one: Sequence[str], other: Sequence[str]) -> float:
    """1: the same sounds; 0: nothing in common."""
    if not one or not other:
        return 0.0
    row = [float(n) for n in range(len(other) + 1)]
    for count, sound in enumerate(one, 1):
        before, row[0] = row[0], float(count)
        for place, heard in enumerate(other, 1):
            cost = before + _cost(sound, heard)
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, cost)
    return 1 - row[-1] / max(len(one), len(other))


def _cost(one: str, other: str) -> float:
    if one == other:
        return 0.0
    return 0.5 if _GROUP.get(one, one) == _GROUP.get(other, other) else 1.0


def split_into(phrases: Sequence[str], text: str) -> tuple[str, ...] | None:
    """The phrases that this text is made of, the longest first; None: it is not."""
    known = sorted({tuple(phrase.split()): phrase for phrase in phrases}.items(),
                   key=lambda item: -len(item[0]))  # fmt: skip

    def rest(words: tuple[str, ...]) -> tuple[str, ...] | None:
        if not words:
            return ()
        for parts, phrase in known:
            if words[: len(parts)] == parts and (tail := rest(words[len(parts) :])) is not None:
                return (phrase, *tail)
        return None

    return rest(tuple(text.split()))
