"""How much of what was said was heard otherwise. Pure."""

from __future__ import annotations

from duecall.core.campaign import Language
from duecall.speech.recording_folder import normal_form


def heard_otherwise(said: str, heard: str, language: Language) -> float:
    """Word error rate: words put in, left out or changed, by the words that were said.

    In Chinese of characters. Case and punctuation do not count. 0: all was heard as it was said;
    above 1 where more was heard than said.
    """
    wanted, found = _words(said, language), _words(heard, language)
    if not wanted:
        return float(bool(found))
    row = list(range(len(found) + 1))
    for number, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(found, start=1):
            changed = diagonal + (word != other)
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, changed)
    return row[-1] / len(wanted)


def _words(text: str, language: Language) -> list[str]:
    plain = normal_form(text)
    return list(plain.replace(" ", "")) if language == "zh" else plain.split()
