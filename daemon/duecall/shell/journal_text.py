"""Entries of the journal for people: one line each, without names, phones masked as in a log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from itertools import zip_longest
from typing import Any

from duecall.core.attempt import Attempt, Target
from duecall.core.campaign import Campaign
from duecall.core.commands import Command
from duecall.core.contact import Account, Contact
from duecall.core.events import Event
from duecall.core.moment import Moment
from duecall.shell.journal_codec import Entry
from duecall.shell.vault import mask_phone
from fs_scripts.contract import Brief

SHOWN_MAX = 3  # of a list
PERSONAL = (Account, Brief, Contact)  # their values are not shown
HIDDEN = "…"
_PHONE = re.compile(r"\+[0-9]{7,15}\b")


def entry_line(number: int, entry: Entry) -> str:
    """`2026-11-22T08:17:55.123Z 12 CallRang attempt_id=… -> SaveStage …`"""
    parts = [time_text(entry.now.wall), str(number), _named(entry.event)]
    lag_s = entry.now.mono_s - entry.event.at.mono_s
    if lag_s >= 0.001:
        parts.append(f"lag_s={lag_s:.3f}")
    if entry.commands:
        parts.append("-> " + "; ".join(map(_named, entry.commands)))
    if entry.error:
        parts.append(f"raised {entry.error}")
    return " ".join(parts)


def command_line(command: Command | None) -> str:
    """One command, or that there is none."""
    return "nothing" if command is None else _named(command)


def differing(
    expected: object, actual: object, path: str = "", hide: bool = False
) -> Iterator[tuple[str, str, str]]:
    """(path, expected, actual) of all that differs inside; values of people are hidden."""
    if expected == actual and type(expected) is type(actual):
        return
    hide = hide or isinstance(expected, PERSONAL)
    if type(expected) is type(actual):
        before = f"{path}." if path else ""
        if is_dataclass(expected):
            for field in fields(expected):
                inner = getattr(expected, field.name), getattr(actual, field.name)
                yield from differing(*inner, f"{before}{field.name}", hide)
            return
        if isinstance(expected, Mapping) and isinstance(actual, Mapping):
            for key in dict.fromkeys([*expected, *actual]):
                inner = expected.get(key), actual.get(key)
                yield from differing(*inner, f"{before}{_value(key)}", hide)
            return
        if isinstance(expected, tuple) and isinstance(actual, tuple):
            for place, inner in enumerate(zip_longest(expected, actual)):
                yield from differing(*inner, f"{path}[{place}]", hide)
            return
    yield path, HIDDEN if hide else _value(expected), HIDDEN if hide else _value(actual)


def time_text(at: datetime) -> str:
    """To the millisecond, in UTC."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _named(value: Event | Command) -> str:
    return " ".join([type(value).__name__, *_fields(value)])


def _fields(value: Any) -> Iterator[str]:
    """`name=value` of what is not empty; the time of an event stands at the line's begin."""
    for field in fields(value):
        inner = getattr(value, field.name)
        if isinstance(value, Event) and field.name == "at":
            continue
        if inner not in (None, "", 0, (), {}, frozenset()) or isinstance(inner, Enum):
            yield f"{field.name}={_value(inner)}"


def _value(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Enum):
        text = _PHONE.sub(lambda found: mask_phone(found[0]), value)
        return text if text and text.isprintable() and " " not in text else repr(text)
    if isinstance(value, Contact):
        return mask_phone(value.phone)
    if isinstance(value, Attempt):
        return value.id
    if isinstance(value, Target):
        return f"target-{value.id}"
    if isinstance(value, Campaign):
        return value.name
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Moment):
        return time_text(value.wall)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, PERSONAL):
        return HIDDEN
    if is_dataclass(value):
        return "(" + " ".join(_fields(value)) + ")"
    if isinstance(value, Mapping):
        return _listed([f"{_value(key)}:{_value(inner)}" for key, inner in value.items()])
    if isinstance(value, frozenset):
        return _listed(sorted(map(_value, value)))
    if isinstance(value, (tuple, list)):
        return _listed(list(map(_value, value)))
    return str(value)


def _listed(values: list[str]) -> str:
    more = f" and {len(values) - SHOWN_MAX} more" if len(values) > SHOWN_MAX else ""
    return "[" + " ".join(values[:SHOWN_MAX]) + more + "]"
