"""The small values of campaign and site files: durations, days, times, flags, codes of countries.

A YAML file reaches the models as text (shell/yaml_tree.py keeps YAML from guessing types), so each
type here reads text, and also takes the Python value itself. A refusal carries two parts, `problem`
and `allowed`, so that the loader can say both.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from duecall.core.currency import CURRENCIES

_UNIT_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
DURATION_FORM = "a number with its unit, such as 30s, 15m, 4h, 2d or 1h30m"
MAX_SECONDS = 90 * 86_400
_SIZES = {"GB": 1_000_000_000, "MB": 1_000_000}
_SIZE = re.compile(r"(\d{1,6}) ?(MB|GB)", re.ASCII)
SIZE_FORM = "a size from 10MB to 1000GB, or off"
MIN_SIZE, MAX_SIZE = 10 * _SIZES["MB"], 1_000 * _SIZES["GB"]
FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
END_OF_DAY = time(0)  # what 24:00 becomes; only an end may be written so


def refusal(problem: str, allowed: str) -> PydanticCustomError:
    """The error a validator raises: what is wrong, and what would be right."""
    return PydanticCustomError(
        "duecall", "{problem}; allowed: {allowed}", {"problem": problem, "allowed": allowed}
    )


def refuse(title: str, problems: Iterable[tuple[tuple[str | int, ...], str, str]]) -> None:
    """Raise all of (place, problem, allowed) at once, if there are any."""
    details = [
        InitErrorDetails(type=refusal(problem, allowed), loc=place, input=None)
        for place, problem, allowed in problems
    ]
    if details:
        raise ValidationError.from_exception_data(title, details)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean x?)`, or nothing where no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def seconds_of(text: str) -> int:
    """Seconds of `30s`, `15m`, `4h`, `2d`, `1h30m`. Raises ValueError for all else."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise ValueError(text)
    return sum(int(n) * s for n, s in zip(match.groups(), _UNIT_S.values(), strict=True) if n)


def duration_text(seconds: int) -> str:
    """The shortest way to write so many seconds: 5400 -> `1h30m`."""
    parts = []
    for unit, size in _UNIT_S.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def size_text(size: int) -> str:
    """How a size in bytes is written: 200000000 -> `200MB`."""
    for unit, of_one in _SIZES.items():
        if size and size % of_one == 0:
            return f"{size // of_one}{unit}"
    return str(size) if size else "off"


def _read_size(value: Any) -> Any:
    """Bytes; 0 for `off`."""
    if not isinstance(value, str):
        return value
    if value.lower() in FLAGS and not FLAGS[value.lower()]:
        return 0
    match = _SIZE.fullmatch(value.strip())
    size = int(match[1]) * _SIZES[match[2]] if match else 0
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise refusal(f"{value!r} is " + ("out of range" if match else "not a size"), SIZE_FORM)
    return size


def _read_seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return seconds_of(value)
    except ValueError:
        what = "a number without a unit" if value.strip().isdigit() else "not a duration"
        raise refusal(f"{value!r} is {what}", DURATION_FORM) from None


def _strict(value: str, form: str) -> datetime:
    """strptime takes the digits of every script; campaigns are written in ASCII ones."""
    if not value.isascii():
        raise ValueError(value)
    return datetime.strptime(value, form)


def _read_day(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return _strict(value, "%Y-%m-%d").date()
    except ValueError:
        raise refusal(f"{value!r} is not a day", "year-month-day, such as 2026-04-19") from None


def _read_clock(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # With seconds: how a campaign that was loaded once is written into the database.
    form = "%H:%M:%S" if value.count(":") == 2 else "%H:%M"
    try:
        return datetime.strptime(value, form).time()
    except ValueError:
        allowed = "hours:minutes, such as 08:00"
        raise refusal(f"{value!r} is not a time of day", allowed) from None


def _read_end_clock(value: Any) -> Any:
    if value == "24:00":
        return END_OF_DAY
    if value == "00:00":
        raise refusal("'00:00' is where a day begins", "24:00 for its end")
    return _read_clock(value)


def _read_flag(value: Any) -> Any:
    if isinstance(value, str):
        if value.lower() not in FLAGS:
            raise refusal(f"{value!r} is neither true nor false", "true or false")
        return FLAGS[value.lower()]
    return value


def zone_problem(name: str) -> str:
    """What is wrong with this IANA zone name; empty when it is one."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder of zones, a path, an unknown name
        pass
    else:
        return ""
    return f"{name!r} is not a time zone" + did_you_mean(name, available_timezones())


def _check_zone(name: str) -> str:
    if problem := zone_problem(name):
        raise refusal(problem, "a name of the IANA list, such as Asia/Ho_Chi_Minh")
    return name


def _check_country(code: str) -> str:
    regions = phonenumbers.SUPPORTED_REGIONS
    if code not in regions:
        hint = f" (did you mean {code.upper()}?)" if code.upper() in regions else ""
        allowed = "two capital letters of ISO 3166, such as VN, RU, CN, US"
        raise refusal(f"{code!r} is not a country" + hint, allowed)
    return code


def _check_currency(code: str) -> str:
    if code not in CURRENCIES:
        hint = f" (did you mean {code.upper()}?)" if code.upper() in CURRENCIES else ""
        raise refusal(f"{code!r} is not a known currency" + hint, ", ".join(sorted(CURRENCIES)))
    return code


def matching(pattern: str, allowed: str) -> AfterValidator:
    """Text that matches the whole pattern; `allowed` tells people what the pattern means."""
    whole = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not whole.fullmatch(value):
            raise refusal(f"{value!r} has the wrong form", allowed)
        return value

    return AfterValidator(check)


def _nfc(value: str) -> str:
    return unicodedata.normalize("NFC", value)


def not_blank(what: str) -> Callable[[str], str]:
    """A validator that refuses text of blanks only."""

    def check(value: str) -> str:
        if not value.strip():
            raise refusal(f"the {what} is empty", f"a {what}, or leave the key out")
        return value

    return check


Seconds = Annotated[int, BeforeValidator(_read_seconds), Field(ge=0, le=MAX_SECONDS)]
Size = Annotated[int, BeforeValidator(_read_size), Field(ge=0)]  # bytes; 0: off
Day = Annotated[date, BeforeValidator(_read_day)]
Clock = Annotated[time, BeforeValidator(_read_clock)]
EndClock = Annotated[time, BeforeValidator(_read_end_clock)]  # time(0) is the end of the day
Flag = Annotated[bool, BeforeValidator(_read_flag)]
Zone = Annotated[str, AfterValidator(_check_zone)]
Country = Annotated[str, AfterValidator(_check_country)]
Currency = Annotated[str, AfterValidator(_check_currency)]
Words = Annotated[str, AfterValidator(_nfc)]
