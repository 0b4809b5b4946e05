"""English text as hibari's reader of letters takes it; the Kokoro voice uses the same reader."""

from __future__ import annotations

import re
import unicodedata

from duecall.speech.faults import Unspeakable
from duecall.speech.scripts import script_of

_MARKUP = str.maketrans(dict.fromkeys("[]<>{}|\\^~`$#*_=@/", " "))  # [a](/b/) are phonemes to it
# Beyond U+00FF it spells words letter by letter: Đặng is "d a n g".
_PLAIN = str.maketrans("ĐđĦħıĿŀŁłŊŋŦŧ", "DdHhiLlLlNnTt", "")
_LETTER_A = re.compile(r"\bay\b")
_SAID_A = "[A](/ˈA/)"


def english_letters(text: str) -> str:
    """Without the reader's own signs, and without marks on letters that English never has.

    Unspeakable for letters other than Latin ones, and where nothing is left to say.
    """
    shown = (char if char.isprintable() else " " for char in text.translate(_MARKUP))
    plain = plain_latin("".join(shown))
    letters = [char for char in plain if char.isalpha()]
    if any(ord(char) > 0x17F for char in letters):
        raise Unspeakable(
            "a word of this is written in other than Latin letters, which this voice cannot read; "
            "write it in Latin letters"
        )
    if not letters and not any(char.isdigit() for char in plain):
        raise Unspeakable("nothing of this text can be said; write it in words")
    return " ".join(plain.split())


def plain_latin(text: str) -> str:
    """Latin letters beyond U+00FF without their marks; other letters as they are."""
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return "".join(
        _without_marks(char) if ord(char) > 0xFF and script_of(char) == "LATIN" else char
        for char in text
    )


def with_letter_a(text: str) -> str:
    """The name of the letter A, which readings write "ay", as the reader says it: not as "eye"."""
    return _LETTER_A.sub(_SAID_A, text)


def _without_marks(char: str) -> str:
    base = unicodedata.normalize("NFKD", char)
    return "".join(part for part in base if not unicodedata.combining(part))
