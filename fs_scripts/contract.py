"""What the daemon tells the script (`Brief`) and what the script answers (`Result`).

Both travel as one channel variable holding base64url(JSON) without padding, so that nothing a
contact's name may contain (`${…}`, braces, commas, newlines) is ever seen by FreeSWITCH.
Standard library only; the same dotted name, `fs_scripts.contract`, on both sides.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
BRIEF_VARIABLE = "duecall_brief"
RESULT_VARIABLE = "duecall_result"
PROGRESS_EVENT = "duecall::progress"  # CUSTOM subclass; live display only, may be lost
ENTRY_MODULE = "fs_scripts.entry"
BRIEF_MAX_BYTES = 32_768  # JSON bytes; a longer one is a campaign that says too much
# A result repeats parts of its brief, once, and adds at most 100 keys: it always fits.
RESULT_MAX_BYTES = 65_536

# What may stand on an Event Socket line or in a channel variable as it is. `$`, `{`, `}`, quotes,
# commas and white space are FreeSWITCH syntax (switch_ivr_originate.c, switch_channel.c).
SAFE_TEXT = re.compile(r"[A-Za-z0-9_.:+@/-]*\Z")

# A sound must be a plain absolute path: `say:`, `tone_stream://`, `{…}`, `!` and `|` are FreeSWITCH
# syntax in a file name, and spaces do not survive an Event Socket line.
SAFE_SOUND = re.compile(r"/[A-Za-z0-9_.+@/-]*\Z")

# `<attempt id>.keys.json`, in `Brief.keys_folder`: a `Result`, written the moment a key decides.
KEYS_SUFFIX = ".keys.json"

# What a key can do. `answer` records the option chosen; the others end the dialogue but `repeat`.
TRANSFER, REPEAT, OPT_OUT, CLAIMS_PAID, PROMISE, ANSWER, HANG_UP = ACTIONS = (
    "transfer",
    "repeat",
    "opt_out",
    "claims_paid",
    "promise",
    "answer",
    "hang_up",
)

# How a dialogue ended (`Result.ended_by`).
COMPLETED = "completed"  # everything was said; no key ended it
CALLEE_HUNG_UP = "callee_hung_up"
KEY = "key"  # an action other than repeat/answer ended it; `Result.action` names it
ERROR = "error"
CUT_OFF = "cut_off"  # in a record of keys only: the dialogue went on, and nobody knows how it ended


class ContractError(ValueError):
    """A brief or result that is not one: wrong version, not base64url, a missing field."""


@dataclass(frozen=True)
class KeyAction:
    """What one key does in one step. `say`: sound files played after the key, before acting."""

    do: str
    say: tuple[str, ...] = ()
    value: str = ""  # answer: the option's name


@dataclass(frozen=True)
class Step:
    """One thing said, and the keys heard while and after it is said.

    say: paths of sound files FreeSWITCH can read, played one after another; say_ms: their length.
    keys: empty means say it and go on. barge_in: a key stops the sound.
    wait_ms: silence to wait for a key after the sound. repeats: how often the step is said again
    when no key, or one without meaning, was pressed (`invalid` is said first for the latter).
    spoken: word (`yes`, `no`, a digit) -> the key that it stands for, heard in the silence after
    the sound. confirm: said when such a word was heard, which counts only if it is then said
    again, or its key pressed; empty: it counts at once.
    """

    id: str
    say: tuple[str, ...]
    say_ms: int
    keys: dict[str, KeyAction] = field(default_factory=dict)
    barge_in: bool = True
    wait_ms: int = 5_000
    repeats: int = 0
    invalid: tuple[str, ...] = ()
    spoken: dict[str, str] = field(default_factory=dict)
    confirm: tuple[str, ...] = ()


@dataclass(frozen=True)
class Brief:
    """All that a script needs for one call. `goodbye` is said when the last step is done.

    keys_folder: where a key that decides is written down at once; empty for nowhere.
    listener: Unix socket of the listening service, for steps with `spoken`; beside it the switch
    writes what the callee says. Empty: keys only.
    """

    attempt_id: str
    steps: tuple[Step, ...]
    goodbye: tuple[str, ...] = ()
    language: str = ""
    max_call_ms: int = 300_000
    keys_folder: str = ""
    listener: str = ""

    def encode(self) -> str:
        return _pack(vars(self), BRIEF_MAX_BYTES)

    def sounds(self) -> Iterator[str]:
        """Every sound file that may be played, some of them more than once."""
        for step in self.steps:
            yield from step.say
            yield from step.invalid
            yield from step.confirm
            for action in step.keys.values():
                yield from action.say
        yield from self.goodbye

    @classmethod
    def decode(cls, text: str) -> Brief:
        """Raises ContractError, whose text holds nothing of the brief."""
        raw = _unpack(text, BRIEF_MAX_BYTES)
        try:
            return cls(
                attempt_id=str(raw["attempt_id"]),
                steps=tuple(_step(step) for step in raw["steps"]),
                goodbye=_sounds(raw["goodbye"]),
                language=str(raw["language"]),
                max_call_ms=int(raw["max_call_ms"]),
                keys_folder=str(raw.get("keys_folder", "")),
                listener=str(raw.get("listener", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ContractError("brief: " + type(error).__name__) from None


@dataclass(frozen=True)
class KeyPress:
    """A key, or a word that stood for it.

    at_ms: since the script began. meant: False for a key without meaning in that step. spoken: the
    word, empty where the key was pressed. sureness: 0.0-1.0 by the recogniser's own measure.
    """

    key: str
    at_ms: int
    step: str
    meant: bool = True
    spoken: str = ""
    sureness: float = 0.0


@dataclass(frozen=True)
class Result:
    """What came of the dialogue. heard_ms/message_ms: how much of the first step was played."""

    attempt_id: str
    ended_by: str
    action: str = ""
    keys: tuple[KeyPress, ...] = ()
    answers: dict[str, str] = field(default_factory=dict)  # step id -> option
    heard_ms: int = 0
    message_ms: int = 0
    talk_ms: int = 0  # from the script's begin to its end
    error: str = ""  # short ASCII; never contact data

    @property
    def share_heard(self) -> float:
        """0.0–1.0 of the message; 0.0 where there was none."""
        return min(1.0, self.heard_ms / self.message_ms) if self.message_ms > 0 else 0.0

    def encode(self) -> str:
        return _pack(vars(self), RESULT_MAX_BYTES)

    def as_json(self) -> bytes:
        """The same, for a file."""
        return _dump(vars(self), RESULT_MAX_BYTES)

    @classmethod
    def decode(cls, text: str) -> Result:
        """Raises ContractError."""
        return cls._of(_unpack(text, RESULT_MAX_BYTES))

    @classmethod
    def from_json(cls, data: bytes) -> Result:
        """Raises ContractError."""
        if len(data) > RESULT_MAX_BYTES:
            raise ContractError("too long")
        return cls._of(_load(data))

    @classmethod
    def _of(cls, raw: dict[str, Any]) -> Result:
        try:
            return cls(
                attempt_id=str(raw["attempt_id"]),
                ended_by=str(raw["ended_by"]),
                action=str(raw["action"]),
                keys=tuple(_key_press(k) for k in raw["keys"]),
                answers={str(k): str(v) for k, v in raw["answers"].items()},
                heard_ms=int(raw["heard_ms"]),
                message_ms=int(raw["message_ms"]),
                talk_ms=int(raw["talk_ms"]),
                error=str(raw["error"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ContractError("result: " + type(error).__name__) from None


def unsafe_sound(path: str) -> bool:
    """True for a path that FreeSWITCH might take for more than the name of a file."""
    return SAFE_SOUND.match(path) is None


def _sounds(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(path, str) for path in raw):
        raise TypeError
    return tuple(raw)


def _step(raw: dict[str, Any]) -> Step:
    return Step(
        id=str(raw["id"]),
        say=_sounds(raw["say"]),
        say_ms=int(raw["say_ms"]),
        keys={
            str(key): KeyAction(str(a["do"]), _sounds(a["say"]), str(a["value"]))
            for key, a in raw["keys"].items()
        },
        barge_in=bool(raw["barge_in"]),
        wait_ms=int(raw["wait_ms"]),
        repeats=int(raw["repeats"]),
        invalid=_sounds(raw["invalid"]),
        spoken={str(word): str(key) for word, key in raw.get("spoken", {}).items()},
        confirm=_sounds(raw.get("confirm", [])),
    )


def _key_press(raw: dict[str, Any]) -> KeyPress:
    return KeyPress(
        key=str(raw["key"]),
        at_ms=int(raw["at_ms"]),
        step=str(raw["step"]),
        meant=bool(raw["meant"]),
        spoken=str(raw.get("spoken", "")),
        sureness=float(raw.get("sureness", 0.0)),
    )


def _pack(value: dict[str, Any], limit: int) -> str:
    return base64.urlsafe_b64encode(_dump(value, limit)).rstrip(b"=").decode("ascii")


def _dump(value: dict[str, Any], limit: int) -> bytes:
    """value: the fields of a dataclass; `vars` makes those within it into fields as well."""
    value = {"v": VERSION, **value}
    data = json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=vars).encode("ascii")
    if len(data) > limit:
        raise ContractError(f"{len(data)} bytes of JSON, at most {limit}")
    return data


def _unpack(text: str, limit: int) -> dict[str, Any]:
    if len(text) > limit * 4 // 3 + 4:
        raise ContractError("too long")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ContractError("not base64url of JSON") from None
    return _load(data)


def _load(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ContractError("not JSON") from None
    if not isinstance(value, dict) or value.get("v") != VERSION:
        raise ContractError("not contract version " + str(VERSION))
    return value
