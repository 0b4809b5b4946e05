"""Reads the argument of `originate`: `{name=value,…}endpoint/… action [inline]`.

Only the forms Duecall uses. FreeSWITCH's quoting is wilder; what is not understood is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Apps = list[tuple[str, str]]
USAGE = (
    "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] "
    "[<cid_name>] [<cid_num>] [<timeout_sec>]\n"
)
_ACTION = re.compile(r"&(\w+)(?:\((.*)\))?\Z", re.S)


class DialStringError(ValueError):
    """Not an originate line this switch can carry out; the text is what the job reports."""


@dataclass(frozen=True)
class DialString:
    """endpoint: `sofia`, `null`, … ; path: what follows the first slash; inline: apps came as an
    inline dialplan, so the channel gets a second caller profile (as FreeSWITCH does)."""

    endpoint: str
    path: str
    variables: dict[str, str] = field(default_factory=dict)
    apps: Apps = field(default_factory=list)
    inline: str = ""


def parse(text: str) -> DialString:
    """Raises DialStringError."""
    words = split_words(text)
    if len(words) < 2:
        raise DialStringError(USAGE)
    variables, url = _variables(words[0])
    endpoint, slash, path = url.partition("/")
    if not endpoint or not slash:
        raise DialStringError("-ERR CHAN_NOT_IMPLEMENTED\n")
    action = words[1]
    if action.startswith("&"):
        found = _ACTION.match(action)
        if not found:
            raise DialStringError(USAGE)
        return DialString(endpoint, path, variables, [(found.group(1), found.group(2) or "")])
    if len(words) < 3 or words[2] != "inline":
        # An extension of a dialplan: there is none here, as there is none in ours.
        raise DialStringError("-ERR NO_ROUTE_DESTINATION\n")
    return DialString(endpoint, path, variables, inline_apps(action), inline=action)


def inline_apps(text: str) -> Apps:
    """`app:arg,app:arg` → [(app, arg), …]; the first colon splits."""
    apps = []
    for part in text.split(","):
        name, _, argument = part.strip().partition(":")
        if name:
            apps.append((name, argument))
    return apps


def split_words(text: str) -> list[str]:
    """At blanks, but not inside '…', {…} or (…). Quotes are eaten."""
    words: list[str] = []
    word: list[str] = []
    quoted, depth, open_word = False, 0, False
    for char in text.strip():
        if char == "'" and depth == 0:
            quoted = not quoted
            open_word = True
        elif char in " \t" and not quoted and depth == 0:
            if open_word:
                words.append("".join(word))
            word, open_word = [], False
        else:
            if not quoted:
                depth += (char in "{(") - (char in "})" and depth > 0)
            word.append(char)
            open_word = True
    if open_word:
        words.append("".join(word))
    return words


def _variables(word: str) -> tuple[dict[str, str], str]:
    if not word.startswith("{"):
        return {}, word
    inside, brace, url = word[1:].partition("}")
    if not brace:
        raise DialStringError("-ERR Parse Error\n")
    variables = {}
    for pair in inside.split(","):
        name, equals, value = pair.partition("=")
        if equals and name.strip():
            variables[name.strip()] = value
    return variables, url
