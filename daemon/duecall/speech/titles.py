"""Titles that stand with a name, as files write them, and how they are said."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from duecall.core.campaign import Language
from duecall.speech.faults import Unspeakable

# Written form, in lower case and without full stops -> said.
TITLES: Mapping[Language, Mapping[str, str]] = MappingProxyType(
    {
        "vi": {
            **{word: word for word in ("anh", "chị", "ông", "bà", "cô", "chú", "bác", "em")},
            **{word: word for word in ("quý khách", "luật sư", "bác sĩ", "giáo sư", "tiến sĩ")},
            "quý ông": "quý ông",
            "quý bà": "quý bà",
            "bs": "bác sĩ",
            "ls": "luật sư",
        },
        "ru": {
            **{word: word for word in ("господин", "госпожа", "гражданин", "гражданка", "доктор")},
            "г-н": "господин",
            "г-жа": "госпожа",
            "уважаемый": "уважаемый",
            "уважаемая": "уважаемая",
        },
        "zh": {word: word for word in ("先生", "女士", "小姐", "太太", "老师", "医生", "经理")},
        "en": {
            "mr": "Mister",
            "mister": "Mister",
            "mrs": "Missis",
            "ms": "Miz",
            "miss": "Miss",
            "dr": "Doctor",
            "doctor": "Doctor",
            "prof": "Professor",
            "professor": "Professor",
            "sir": "Sir",
            "madam": "Madam",
        },
    }
)
AFTER_NAME: frozenset[Language] = frozenset({"zh"})


def titled(name: str, title: str, language: Language) -> str:
    """Title and name in the language's order; an empty title is none. Unspeakable: not known."""
    written = " ".join(title.replace(".", " ").split()).lower()
    if not written:
        return name
    said = TITLES[language].get(written)
    if said is None:
        known = ", ".join(sorted(TITLES[language]))
        raise Unspeakable(f"this title is not known; write one of {known}, or leave it empty")
    return f"{name}{said}" if language in AFTER_NAME else f"{said} {name}"
