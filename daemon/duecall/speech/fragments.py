"""Where the words of a value are cut, so that a few thousand sounds say any value of a language.

Pure, and after the fact: the readers' words are cut, never written again. What is cut and what
stands between, in order, is exactly what was read.

Numbers are cut into groups of three digits with their scale ("hai trăm ba mươi tư triệu"), in
Chinese into hundreds and what is below them; the unit, a sign and "point" are cuts of their own.
A date is day and month, and the year; digits go in threes and twos. Names and words stay whole.
Russian endings stay with their number, so each case has cuts of its own.

fine: for voices that people record. There hundreds, tens and scales are cuts of their own, and so
is each digit: a few hundred sounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from duecall.core.campaign import Language
from duecall.speech.grammar import Region
from duecall.speech.values import (
    Day,
    Digits,
    Inflected,
    Name,
    Percent,
    Phone,
    Text,
    TimeOfDay,
    Value,
)
from duecall.speech.words import READERS, words

GROUP_MS = 250  # between the groups of a phone or contract number


class Cut(NamedTuple):
    """text: said in one go. after: what stands between it and the next. pause_ms: after it."""

    text: str
    after: str = ""
    pause_ms: int = 0


@dataclass(frozen=True)
class _Rules:
    """Of one language that parts words by spaces. A cut begins or ends at these words."""

    begins: re.Pattern[str]
    ends: re.Pattern[str]
    fine_begins: re.Pattern[str]
    fine_ends: re.Pattern[str]


def _rules(scales: str, units: str, before: str, after: str, fine: str, fine_ends: str) -> _Rules:
    """scales: they end a cut. units: cuts of their own. fine: more words that begin one."""
    return _Rules(
        re.compile(f"(?:{units}|{before})"),
        re.compile(f"(?:{scales}|{after})"),
        re.compile(f"(?:{units}|{before}|{scales}|{fine})"),
        re.compile(f"(?:{scales}|{after}|{fine_ends})"),
    )


_RULES: Mapping[Language, _Rules] = MappingProxyType(
    {
        "vi": _rules(
            scales="nghìn|ngàn|triệu|tỷ",
            units="đồng|rúp|kô-pếch|nhân|xu|đô|ơ-rô",
            before="ngày|phẩy|phần",
            after="âm|thứ|phẩy|đồng|rúp|kô-pếch|tệ|xu|Mỹ|ơ-rô",
            fine="tháng",
            fine_ends="trăm",
        ),
        "ru": _rules(
            scales=r"(?:тысяч|миллион|миллиард|триллион|квадриллион)(?:[аиеуыо]?|ей|ам|ом|ов|ами|ах)",
            units=r"(?:рубл|копе|доллар|цент|евро|юан|фэн|донг|процент|час|минут)\w*|день|дн\w+",
            before=r"цел\w\w?\w?|(?:десят|сот|(?:десяти|сто)?тысячн|миллионн)(?:ых|ым|ыми|ая|ой|ую)",
            after=r"минус|цел\w\w?\w?|(?:рубл|копе|доллар|цент|евро|юан|фэн|донг|час)\w*",
            fine=r"(?!ноль)\w+",
            fine_ends=r"(?!десят|сот|тысячн|миллионн)\w+",
        ),
        "en": _rules(
            scales="thousand|million|billion|trillion|quadrillion",
            units="dollars?|cents?|euros?|rubles?|kopecks?|yuan|fen|dong|days?",
            before="percent|point",
            after="minus|point|dollars?|euros?|rubles?|yuan|dong",
            fine="and",
            fine_ends="hundred|and",
        ),
    }
)
_AND_AFTER = re.compile(r"(?:thousand|(?:m|b|tr|quadr)illion),?")  # "two thousand | and five"

# Chinese: a number stands between its unit words; 万 and 亿 stay with what is before them.
_ZH = re.compile(
    r"年利率|百分之|负|第|点|[零一二两三四五六七八九十百千]+万?亿?|[万亿]+"
    r"|越南盾|美元|欧元|卢布|美分|欧分|戈比|元|角|分|天"
)
_ZH_FINE = re.compile(_ZH.pattern.replace("[零一二两三四五六七八九十百千]+万?亿?", (
    "零?[一二两三四五六七八九][千百]|零?[一二两三四五六七八九]?十[一二三四五六七八九]?"
    "|零?[一二两三四五六七八九]|零|万亿|万|亿"
)))  # fmt: skip
_ZH_BELOW_HUNDRED = re.compile(
    r"([零一二两三四五六七八九]?.*[千百])([零一二三四五六七八九十]+万?亿?)"
)
_ZH_DIGITS = re.compile(r"[零幺一二三四五六七八九]")


def cuts(
    value: Value, spoken: str, language: Language, region: Region = "", *, fine: bool = False
) -> tuple[Cut, ...]:
    """spoken: the words of the value, as `words` has them in this language and region."""
    plain = value.value if isinstance(value, Inflected) else value
    if isinstance(plain, (Name, Text)):
        return (Cut(spoken),)
    if isinstance(plain, (Phone, Digits)):
        return tuple(_digit_cuts(spoken, language, 1 if fine else 3))
    if isinstance(plain, Day):
        return _day_cuts(value, plain, spoken, language, region, fine=fine)
    if isinstance(plain, TimeOfDay):
        return _time_cuts(value, plain, spoken, language, region)
    found = _number_cuts(spoken, language, fine=fine)
    if isinstance(plain, Percent):
        found = _decimal_cuts(found, language, 1 if fine else 3)
    return tuple(found)


def joined(parts: Sequence[Cut]) -> str:
    """The words that were cut."""
    return "".join(cut.text + cut.after for cut in parts)


# ---- numbers


def _number_cuts(spoken: str, language: Language, *, fine: bool) -> list[Cut]:
    if language == "zh":
        return _zh_cuts(spoken, fine=fine)
    rules = _RULES[language]
    begins = rules.fine_begins if fine else rules.begins
    ends = rules.fine_ends if fine else rules.ends
    found: list[Cut] = []
    text = ""
    for token in spoken.split(" "):
        bare = token.rstrip(",")
        last = text[text.rfind(" ") + 1 :]
        if text and (
            begins.fullmatch(bare)
            or ends.fullmatch(last.rstrip(","))
            or (bare == "and" and _AND_AFTER.fullmatch(last))
        ):
            found.append(_cut_before_space(text))
            text = token
        else:
            text = f"{text} {token}" if text else token
    found.append(Cut(text))
    return found


def _cut_before_space(text: str) -> Cut:
    bare = text.rstrip(",")
    return Cut(bare, text[len(bare) :] + " ")


def _zh_cuts(spoken: str, *, fine: bool) -> list[Cut]:
    found: list[Cut] = []
    for token in (_ZH_FINE if fine else _ZH).findall(spoken):
        below = None if fine else _ZH_BELOW_HUNDRED.fullmatch(token)
        found += [Cut(part) for part in (below.groups() if below else (token,))]
    return found


def _decimal_cuts(found: list[Cut], language: Language, size: int) -> list[Cut]:
    """What follows "point" is read digit by digit, or in Vietnamese as one small number."""
    if language == "ru":
        return found
    digits = READERS[language][""].DIGIT_WORDS
    done: list[Cut] = []
    after_point = False
    for cut in found:
        spelled = _tokens(cut.text, language)
        if after_point and all(token in digits or _ZH_DIGITS.fullmatch(token) for token in spelled):
            done += _in_runs(spelled, language, size, last_after=cut.after)
        else:
            done.append(cut)
        after_point = cut.text in ("phẩy", "point", "点")
    return done


# ---- digits


def _digit_cuts(spoken: str, language: Language, size: int) -> Iterator[Cut]:
    reader = READERS[language][""]
    known = {*reader.DIGIT_WORDS}
    groups = spoken.split(reader.GROUP_PAUSE)
    for number, group in enumerate(groups, start=1):
        last = Cut("") if number == len(groups) else Cut("", reader.GROUP_PAUSE, GROUP_MS)
        tokens = _tokens(group, language)
        runs: list[list[str]] = []
        for token in tokens:
            if runs and token in known and runs[-1][-1] in known:
                runs[-1].append(token)
            else:
                runs.append([token])
        made: list[Cut] = []
        for run in runs:
            made += _in_runs(run, language, size, last_after=_gap_after(group, made, run, language))
        yield from made[:-1]
        yield made[-1]._replace(after=last.after, pause_ms=last.pause_ms)


def _gap_after(group: str, made: Sequence[Cut], run: Sequence[str], language: Language) -> str:
    if language != "zh":
        return " "
    at = len(joined(made)) + len("".join(run))
    return " " if group[at : at + 1] == " " else ""


def _tokens(group: str, language: Language) -> list[str]:
    """Words; in Chinese digit by digit, and letters as they stand between spaces."""
    if language != "zh":
        return group.split(" ")
    return re.findall(r"[零幺一二三四五六七八九加]|[^\s零幺一二三四五六七八九加]+", group)


def _in_runs(tokens: Sequence[str], language: Language, size: int, last_after: str) -> list[Cut]:
    """In threes and twos: 4 is 2 + 2, 5 is 3 + 2, 7 is 3 + 2 + 2."""
    gap = "" if language == "zh" else " "
    rest = len(tokens)
    found: list[Cut] = []
    at = 0
    while rest:
        take = min(size, rest)
        if size == 3 and rest in (2, 4):
            take = 2
        found.append(Cut(gap.join(tokens[at : at + take]), gap))
        at, rest = at + take, rest - take
    found[-1] = found[-1]._replace(after=last_after)
    return found


# ---- days and times


def _day_cuts(
    value: Value, day: Day, spoken: str, language: Language, region: Region, *, fine: bool
) -> tuple[Cut, ...]:
    if day.days_from_today is not None:
        return (Cut(spoken),)
    found = [Cut(spoken)]
    if day.with_year:
        short = _words_of(value, replace(day, with_year=False), language, region)
        if spoken.startswith(short):  # the year follows, and in Chinese it stands before
            year = spoken[len(short) :].lstrip(", ")
            found = [Cut(short, spoken[len(short) : len(spoken) - len(year)]), Cut(year)]
        else:
            found = [Cut(spoken.removesuffix(short)), Cut(short)]
    if not fine:
        return tuple(found)
    return tuple(part for cut in found for part in _fine_day(cut, language))


_FINE_DAY: Mapping[Language, Callable[[str], list[str]]] = MappingProxyType(
    {
        "vi": lambda text: re.split(r" (?=tháng )", text),
        "ru": lambda text: re.split(r" ", text),
        "en": lambda text: re.split(r"(?<=[a-z]) (?=[a-z])", text),
        "zh": lambda text: re.findall(r"[^年月日]+[年月日]", text),
    }
)


def _fine_day(cut: Cut, language: Language) -> list[Cut]:
    texts = _FINE_DAY[language](cut.text)
    gap = "" if language == "zh" else " "
    return [*(Cut(text, gap) for text in texts[:-1]), cut._replace(text=texts[-1])]


def _time_cuts(
    value: Value, time: TimeOfDay, spoken: str, language: Language, region: Region
) -> tuple[Cut, ...]:
    """The hour, and the minutes."""
    if not time.minute:
        return (Cut(spoken),)
    if language == "en":
        hour, _, minutes = spoken.partition(" ")
        return Cut(hour, " "), Cut(minutes)
    hour = _words_of(value, TimeOfDay(time.hour, 0), language, region)
    minutes = spoken[len(hour) :].lstrip(" ")
    return Cut(hour, spoken[len(hour) : len(spoken) - len(minutes)]), Cut(minutes)


def _words_of(value: Value, other: Day | TimeOfDay, language: Language, region: Region) -> str:
    """The words of `other` in the form that `value` has."""
    if isinstance(value, Inflected):
        return words(replace(value, value=other), language, region)
    return words(other, language, region)
