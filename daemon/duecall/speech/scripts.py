"""Which letters the voices of a language can read.

espeak-ng spells letters that it does not know ("Chinese letter", "letter one e a one"), other
voices leave them out: both hide whom or what the message is about. So a name in other letters is
refused with its script's name, and letters with marks of Vietnamese lose them where the language
is another: Phạm is read Pham. Latin letters to U+017F were tried with espeak-ng in all four.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from duecall.core.campaign import Language
from duecall.speech.faults import Unspeakable

READABLE: Mapping[Language, tuple[str, ...]] = MappingProxyType(
    {"vi": ("LATIN",), "ru": ("CYRILLIC", "LATIN"), "zh": ("CJK", "LATIN"), "en": ("LATIN",)}
)
NAMES: Mapping[Language, str] = MappingProxyType(
    {"vi": "Vietnamese", "ru": "Russian", "zh": "Chinese", "en": "English"}
)
_SHOWN = {"CJK": "Chinese", "IDEOGRAPHIC": "Chinese"}
_LATIN_KNOWN = 0x17F  # beyond, voices other than the Vietnamese one read code points
_RUSSIAN = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя")
# Letters of neighbours' alphabets as Russian spelling puts them: espeak-ng leaves most of them out.
_CYRILLIC = {
    "ә": "а", "ғ": "г", "қ": "к", "ң": "н", "ө": "о", "ұ": "у", "ү": "у", "һ": "х", "і": "и",
    "ҳ": "х", "ҷ": "дж", "ӯ": "у", "ӣ": "и", "ў": "у", "є": "е", "ї": "йи", "ґ": "г",
}  # fmt: skip


def readable(text: str, language: Language) -> str:
    """The text in letters that a voice of the language reads. Unspeakable names the script."""
    if text.isascii():
        return text
    return "".join(_readable(char, language) for char in unicodedata.normalize("NFC", text))


@lru_cache(maxsize=20_000)
def _readable(char: str, language: Language) -> str:
    if unicodedata.combining(char):
        return ""  # a mark that no letter of its own has, such as x̃
    if not char.isalpha():
        return char
    script = script_of(char)
    if script not in READABLE[language]:
        raise Unspeakable(
            f"this is written in {_SHOWN.get(script, script.capitalize())} letters, which the "
            f"{NAMES[language]} voices cannot read; write it in "
            f"{' or '.join(_SHOWN.get(s, s.capitalize()) for s in READABLE[language])} letters"
        )
    if script == "LATIN" and ord(char) > _LATIN_KNOWN and not _vietnamese(char, language):
        return _without_marks(char, language)
    if script == "CYRILLIC" and char.lower() not in _RUSSIAN:
        said = _CYRILLIC.get(char.lower())
        if said is None:
            return _without_marks(char, language)
        return said.capitalize() if char.isupper() else said
    return char


def _vietnamese(char: str, language: Language) -> bool:
    """Horns, hooks and dots below are letters to a Vietnamese voice."""
    return language == "vi" and (char in "ơƠưƯ" or 0x1EA0 <= ord(char) <= 0x1EF9)


def script_of(char: str) -> str:
    """LATIN, CYRILLIC, CJK, ARABIC …: the first word of the letter's name in Unicode."""
    name = unicodedata.name(char, "UNKNOWN")
    if name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "IDEOGRAPHIC")):
        return "CJK"
    if name.startswith("FULLWIDTH LATIN"):
        return "LATIN"
    return name.split(" ")[0].split("-")[0]


def _without_marks(char: str, language: Language) -> str:
    """ạ -> a, ư -> u. Unspeakable where nothing known is left."""
    base = unicodedata.normalize("NFKD", char)
    base = "".join(c for c in base if not unicodedata.combining(c))
    if not base or not all(ord(c) <= _LATIN_KNOWN or c.lower() in _RUSSIAN for c in base):
        raise Unspeakable(
            f"a letter of this (U+{ord(char):04X}) is none that the {NAMES[language]} voices can "
            "read; write it in other letters"
        )
    return base
