"""What is left of a contact's name or free text before it may reach a synthesiser.

An allow list: letters, their accents, digits, spaces and a few marks that shape a sentence. All
else (control characters, emoji, `|`, braces, brackets that espeak-ng reads as phoneme codes,
direction marks) is gone, so nothing of a contacts file can steer the engine or the file store.
"""

from __future__ import annotations

import re
import unicodedata

TEXT_MAX = 200  # characters spoken of one name or text: about twenty seconds
_KEPT_MARKS = frozenset(" '’.,;:!?-–—&/。，；：！？、·")
_ACCENTS_MAX = 3  # on one letter; more is decoration
_SPACES = re.compile(r"\s+")


def speakable(text: str, limit: int = TEXT_MAX) -> str:
    """NFC, the allow list above, single spaces, cut at a word's end. May be empty.

    Unknown characters become a space, so that words stay apart; format characters (zero width
    joiners, direction marks) vanish, so that words stay whole.
    """
    kept: list[str] = []
    accents = 0
    # The cut comes first, so that ten megabytes in a CSV cell cost nothing.
    for char in unicodedata.normalize("NFC", text[: limit * 20]):
        category = unicodedata.category(char)
        accents = accents + 1 if category[0] == "M" else 0
        if category[0] in "L" or category == "Nd" or char in _KEPT_MARKS:
            kept.append(char)
        elif category in ("Mn", "Mc"):
            if accents <= _ACCENTS_MAX and kept and kept[-1] != " ":
                kept.append(char)
        elif category != "Cf" and category != "Me":
            kept.append(" ")
    words = _SPACES.sub(" ", "".join(kept)).strip()
    if not any(char.isalnum() for char in words):
        return ""
    return _cut(words, limit)


def person_name(text: str, limit: int = TEXT_MAX) -> str:
    """`speakable`, and words in capitals as names are written: NGUYỄN VĂN A -> Nguyễn Văn A.

    espeak-ng spells some words in capitals letter by letter, as it does with USA.
    """
    return " ".join(
        word.capitalize() if len(word) > 1 and word.isupper() else word
        for word in speakable(text, limit).split(" ")
    )


def static_text(text: str) -> str:
    """Text of the template itself: NFC, control characters as spaces, single spaces, ends kept."""
    clean = "".join(
        " " if unicodedata.category(char) in ("Cc", "Co", "Cn", "Zl", "Zp") else char
        for char in unicodedata.normalize("NFC", text)
    )
    return _SPACES.sub(" ", clean)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head = text[:limit]
    space = head.rfind(" ")
    return head[:space] if space > limit // 2 else head
