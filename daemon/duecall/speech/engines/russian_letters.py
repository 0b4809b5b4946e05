"""Russian text as a voice without any reading of its own takes it: words, and names of letters.

For voices that stop at a sign they do not know, or make something of Latin letters that nobody
would understand (festival's: Nguyen -> «нжуайен»).
"""

from __future__ import annotations

import re
import unicodedata

from duecall.speech.faults import Unspeakable

LETTERS = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя")
_VOWELS = frozenset("аеёиоуыэюя")
_PREPOSITIONS = frozenset("вкс")
_NAMES = {
    "а": "а", "б": "бэ", "в": "вэ", "г": "гэ", "д": "дэ", "е": "е", "ё": "ё", "ж": "жэ",
    "з": "зэ", "и": "и", "й": "и краткое", "к": "ка", "л": "эль", "м": "эм", "н": "эн", "о": "о",
    "п": "пэ", "р": "эр", "с": "эс", "т": "тэ", "у": "у", "ф": "эф", "х": "ха", "ц": "цэ",
    "ч": "че", "ш": "ша", "щ": "ща", "ъ": "твёрдый знак", "ы": "ы", "ь": "мягкий знак", "э": "э",
    "ю": "ю", "я": "я",
    # Latin ones, as Russian calls them in numbers of contracts
    "a": "а", "b": "бэ", "c": "цэ", "d": "дэ", "e": "е", "f": "эф", "g": "жэ", "h": "аш", "i": "и",
    "j": "йот", "k": "ка", "l": "эль", "m": "эм", "n": "эн", "o": "о", "p": "пэ", "q": "ку",
    "r": "эр", "s": "эс", "t": "тэ", "u": "у", "v": "вэ", "w": "дубль вэ", "x": "икс",
    "y": "игрек", "z": "зет",
}  # fmt: skip
_DIGITS = frozenset(
    ("ноль", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять", "плюс")
)
_SIGNS = {
    "…": ".", "—": ",", "–": ",", "−": ",", "。": ".", "№": " номер ", "&": " и ",
    "%": " процентов ",
}  # fmt: skip
_TOKEN = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*|[.,;:!?]|[0-9]+")
_MARKS = frozenset(".,;:!?")
_NAMES_OF = {letter.upper(): name for letter, name in _NAMES.items()}
_CAPITALS_MAX = 6  # letters of a word in capitals that is spelled


def russian_letters(text: str) -> str:
    """Words of Russian letters, single spaces, and the marks . , ; : ! ? behind words.

    Lone letters get their names ("О П" -> "о, пэ"), as do capitals without a vowel (НДС).
    Unspeakable for words in other letters, for digits, and where nothing is left.
    """
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"['’ʼ`]", "", text)
    text = "".join(_SIGNS.get(char, char) for char in text)
    tokens = _TOKEN.findall(text)
    words = [token for token in tokens if token[0].isalpha()]
    spelling = all(word in _NAMES_OF or word in _DIGITS for word in words)
    said: list[str] = []
    for at, token in enumerate(tokens):
        if token[0] in _MARKS:
            if said and said[-1][-1] not in _MARKS:
                said[-1] += token
            continue
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        said.append(_word(token, following, spelling=spelling, first=not said))
        if spelling and token in _NAMES_OF and following and following not in _MARKS:
            said[-1] += ","  # one breath for all of them would be too fast to write down
    if not said:
        raise Unspeakable("nothing of this text can be said; write it in words")
    return " ".join(said)


def _word(token: str, following: str, *, spelling: bool, first: bool) -> str:
    if token.isdigit():
        raise Unspeakable("digits in a text; write them in words, or as a typed value")
    low = token.lower()
    if token in _NAMES_OF:
        # «В рублях» and «В» alone are words; «Иванов В», «В, один два» and «А В» are letters.
        word = low in _PREPOSITIONS and first and (following[:1].islower() or not following)
        return low if word and not (spelling and following) else _NAMES_OF[token]
    if not all(char in LETTERS or char == "-" for char in low):
        raise Unspeakable(
            "a word of this is written in other than Russian letters, which this voice cannot "
            "read; write it in Russian letters, or choose another engine"
        )
    if token.isupper() and len(token) <= _CAPITALS_MAX and not _VOWELS & set(low):
        return " ".join(_NAMES[char] for char in low if char != "-")
    return low
