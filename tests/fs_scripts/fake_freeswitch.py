"""A `freeswitch` module as strict and as odd as mod_python3's, in virtual time.

What it imitates, so that a script which passes here does no harm there:
  types are C's (str without surrogates, int); a missing variable is None; digits are '' on
  time-out, failure and hang-up; after a hang-up every blocking call returns at once and ready() is
  False, yet the script runs on; a leg taken away by uuid_transfer is not ready either; `read`
  returns the digit of an earlier call when the callee is gone; the module is reloaded at every
  call; and what kills or freezes the real switch (API, msleep, hooks, sessions of one's own,
  anything that escapes from the handler) fails the test.
"""

from __future__ import annotations

import importlib
import time
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn


class Forbidden(BaseException):
    """Something that must not be used in a script. Noted in `Log.forbidden` too, because a script
    may swallow it; `call` raises it again."""


class Escaped(AssertionError):
    """An exception left `handler`: FreeSWITCH might have died of it."""


def text(value: object, method: str, place: int) -> str:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
            if "\x00" not in value:
                return value
        except UnicodeEncodeError:
            pass
    raise TypeError(f"in method '{method}', argument {place} of type 'char *'")


def number(value: object, method: str, place: int) -> int:
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return int(value)
    raise TypeError(f"in method '{method}', argument {place} of type 'int'")


@dataclass
class Callee:
    """What the person at the other end does, by milliseconds since the answer.

    keys: (at_ms, key). hangs_up_ms: when, or None. taken_ms: when the leg is transferred away.
    """

    keys: tuple[tuple[int, str], ...] = ()
    hangs_up_ms: int | None = None
    taken_ms: int | None = None


@dataclass
class Heard:
    """A sound that was (partly) played. ms: how much of it."""

    path: str
    ms: int


@dataclass
class Log:
    """What the fake saw the script do."""

    console: list[tuple[str, str]] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    results: list[str] = field(default_factory=list)  # each value duecall_result ever had
    forbidden: list[str] = field(default_factory=list)
    recorded: list[dict[str, str]] = field(default_factory=list)  # path, and variables meanwhile


class Session:
    """One call in virtual time: `now_ms` moves only while something is played or waited for."""

    def __init__(
        self, callee: Callee, lengths: dict[str, int], variables: dict[str, str], log: Log
    ) -> None:
        self.now_ms = 0
        self.hung_up_by = ""
        self.variables = dict(variables)
        self.after_hangup_calls = 0
        self.log = log
        self._callee = callee
        self._lengths = lengths
        self._to_press = sorted(callee.keys)
        self._queue: list[str] = []
        self._digits = ""  # dtmf_buf of the C++ object: survives from call to call
        self._recordings: dict[str, tuple[BinaryIO, int]] = {}  # path -> file, written until (ms)

    # ---- time

    def _until(self, at_ms: int, key_stops: bool) -> bool:
        """Move on to at_ms, or to the first key, or to the end of the call. True: reached it."""
        while True:
            end = min(
                (t for t in (self._callee.hangs_up_ms, self._callee.taken_ms) if t is not None),
                default=None,
            )
            if key_stops and self._queue:
                return False
            following = self._to_press[0][0] if self._to_press else None
            if following is not None and following <= at_ms and (end is None or following <= end):
                self._now_is(following)
                self._queue.append(self._to_press.pop(0)[1])
                continue
            if end is not None and end <= at_ms:
                self._now_is(end)
                if end == self._callee.hangs_up_ms:
                    self.hung_up_by = self.hung_up_by or "callee"
                return False
            self._now_is(at_ms)
            return True

    def _now_is(self, at_ms: int) -> None:
        """What is recorded grows with the time. Whoever reads it does so in real time: a moment."""
        self.now_ms = max(self.now_ms, at_ms)
        for path, (file, until_ms) in self._recordings.items():
            file.write(bytes(16 * (self.now_ms - until_ms)))
            self._recordings[path] = (file, self.now_ms)
        if self._recordings:
            time.sleep(0.02)

    def _play(self, file: str, key_stops: bool) -> str:
        """'' when it could not be opened, else how it ended: done, key, gone, limit."""
        paths = [file]
        if file.startswith("file_string://"):
            paths = file[len("file_string://") :].split("!")[:128]
        known = [path for path in paths if path in self._lengths]
        if not known:
            return ""
        limit = self.variables.get("playback_timeout_sec")
        stop_ms = self.now_ms + int(limit) * 1000 if limit and int(limit) > 1 else None
        for path in known:
            began, until = self.now_ms, self.now_ms + self._lengths[path]
            whole = self._until(min(until, stop_ms or until), key_stops)
            self.log.heard.append(Heard(path, self.now_ms - began))
            if not whole:
                return "key" if self._queue and self.ready() else "gone"
            if stop_ms is not None and self.now_ms >= stop_ms:
                return "limit"
        return "done"

    # ---- the API

    def ready(self) -> bool:
        self.after_hangup_calls += bool(self.hung_up_by)
        if self.after_hangup_calls > 50:
            self._forbid("spins after the hang-up")
        hangs_up_ms, taken_ms = self._callee.hangs_up_ms, self._callee.taken_ms
        if hangs_up_ms is not None and self.now_ms >= hangs_up_ms:
            self.hung_up_by = self.hung_up_by or "callee"
        taken = taken_ms is not None and self.now_ms >= taken_ms
        return not self.hung_up_by and not taken

    def get_uuid(self) -> str:
        return "00000000-0000-4000-8000-000000000001"

    def getVariable(self, var: str) -> str | None:
        return self.variables.get(text(var, "CoreSession_getVariable", 2))

    def setVariable(self, var: str, val: str | None) -> None:
        name = text(var, "CoreSession_setVariable", 2)
        if val is None:
            self.variables.pop(name, None)
            return
        value = text(val, "CoreSession_setVariable", 3)
        if "$" in value:
            self._forbid(f"{name} holds what FreeSWITCH would expand")
        self.variables[name] = value
        if name == "duecall_result":
            self.log.results.append(value)

    def hangup(self, cause: str = "normal_clearing") -> None:
        text(cause, "CoreSession_hangup", 2)
        self.hung_up_by = self.hung_up_by or "script"

    @property
    def recording(self) -> bool:
        return bool(self._recordings)

    def execute(self, app: str, data: str | None = None) -> None:
        name = text(app, "CoreSession_execute", 2)
        path = text(data, "CoreSession_execute", 3)
        if not self.ready():
            return
        if name == "record_session":
            self.log.recorded.append({"path": path, **self.variables})
            try:
                file = open(path, "wb", buffering=0)  # noqa: SIM115 - until it is stopped
            except OSError:
                return  # the real one says so in its log, and goes on
            file.write(b"RIFF" + bytes(32) + b"data" + bytes(4))
            self._recordings[path] = (file, self.now_ms)
        elif name == "stop_record_session":
            if path in self._recordings:
                self._recordings.pop(path)[0].close()
        else:
            self._forbid(f"execute {name}")

    def flushDigits(self) -> int:
        self._queue.clear()
        return 0

    def streamFile(self, file: str, starting_sample_count: int = 0) -> int:
        text(file, "CoreSession_streamFile", 2)
        number(starting_sample_count, "CoreSession_streamFile", 3)
        if not self.ready():
            return 0
        return int(self._play(file, key_stops=False) == "done")

    def read(
        self,
        min_digits: int,
        max_digits: int,
        prompt_audio_file: str,
        timeout: int,
        valid_terminators: str,
        digit_timeout: int = 0,
    ) -> str:
        for place, value in ((2, min_digits), (3, max_digits), (5, timeout), (7, digit_timeout)):
            number(value, "CoreSession_read", place)
        text(prompt_audio_file, "CoreSession_read", 4)
        terminators = text(valid_terminators, "CoreSession_read", 6)
        if (min_digits, max_digits) != (1, 1):
            raise NotImplementedError("this fake reads one digit")
        self.variables.pop("read_result", None)
        if not self.ready():
            return self._digits  # the old one: the real one forgets to clear it
        self._digits = ""
        if prompt_audio_file and self._play(prompt_audio_file, key_stops=True) in ("", "limit"):
            return ""
        self._until(self.now_ms + max(1, timeout), key_stops=True)
        if self._queue:
            digit = self._queue.pop(0)
            self._digits = "" if digit in terminators else digit
            self.variables["read_result"] = "success" if self._digits else "failure"
        else:
            self.variables["read_result"] = "timeout" if self.ready() else "failure"
        return self._digits

    def __getattr__(self, name: str) -> Any:
        self._forbid(f"session.{name} is not for scripts of Duecall")

    def _forbid(self, what: str) -> NoReturn:
        self.log.forbidden.append(what)
        raise Forbidden(what)


class Event:
    log: Log

    def __init__(self, type: str, subclass_name: str | None = None) -> None:
        self._headers = {"Event-Name": text(type, "new_Event", 1)}
        if subclass_name is not None:
            self._headers["Event-Subclass"] = text(subclass_name, "new_Event", 2)

    def addHeader(self, header_name: str, value: str) -> bool:
        name = text(header_name, "Event_addHeader", 2)
        self._headers[name] = text(value, "Event_addHeader", 3)
        return True

    def fire(self) -> bool:
        self.log.events.append(self._headers)
        return True


def make_module(log: Log) -> types.ModuleType:
    """A fresh `freeswitch` for sys.modules."""

    def console(level: str, message: str) -> None:
        log.console.append((text(level, "consoleLog", 1), text(message, "consoleLog", 2)))

    def forbidden(what: str) -> Callable[..., None]:
        def use(*args: object, **kwargs: object) -> None:
            log.forbidden.append(what)
            raise Forbidden(f"freeswitch.{what}")

        return use

    module = types.ModuleType("freeswitch")
    module.Event = type("Event", (Event,), {"log": log})  # type: ignore[attr-defined]
    module.consoleLog = console  # type: ignore[attr-defined]
    for name in ("API", "Session", "CoreSession", "EventConsumer", "msleep", "bridge", "email"):
        setattr(module, name, forbidden(name))
    return module


def call(entry: types.ModuleType, sessions: Iterable[Session], args: str = "") -> None:
    """Calls as mod_python3 does: reload, then handler. Raises Escaped if anything comes out."""
    for session in sessions:
        try:
            importlib.reload(entry).handler(session, args)
        except Forbidden:
            raise
        except BaseException as error:
            raise Escaped(f"{type(error).__name__} escaped from handler") from error
        if session.log.forbidden:
            raise Forbidden("; ".join(session.log.forbidden))
