"""The module `freeswitch` that call scripts import, as mod_python3 offers it.

Same names, same strictness about types, same behaviour after a hang-up. What Duecall's own rules
forbid in scripts (API, msleep, hooks: each can freeze or kill the real FreeSWITCH) raises
`Forbidden` here, so that a script which uses it fails where it costs nothing.
"""

from __future__ import annotations

import logging
import sys
import types
from typing import Any, NoReturn

from pocket_switch import causes, digits
from pocket_switch.applications import MISSING, PLAYED, execute, play
from pocket_switch.channel import Channel
from pocket_switch.dial_string import inline_apps

log = logging.getLogger("pocket.script")
_LEVELS = {
    "console": logging.INFO,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warning": logging.WARNING,
    "err": logging.ERROR,
    "error": logging.ERROR,
    "crit": logging.CRITICAL,
    "alert": logging.CRITICAL,
}
_globals: dict[str, str] = {}


class Forbidden(RuntimeError):
    """A call that a Duecall script must not make."""


def _text(value: object, method: str, place: int, none: bool = False) -> str:
    """A C `char *`: a str that UTF-8 can hold. SWIG counts the session as argument 1."""
    if value is None and none:
        return ""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
            return value
        except UnicodeEncodeError:
            pass  # a lone surrogate: SWIG refuses it with the same words
    raise TypeError(f"in method '{method}', argument {place} of type 'char *'")


def _int(value: object, method: str, place: int) -> int:
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"in method '{method}', argument {place} of type 'int'")


def _no(what: str) -> NoReturn:
    raise Forbidden(f"{what} must not be used in a call script; see docs/freeswitch.md")


class DTMF:
    def __init__(self, digit: str, duration: int = 2_000) -> None:
        self.digit, self.duration = digit, duration


class Session:
    """The call, for its script. Blocking calls return at once when the callee has hung up; the
    script goes on, with ready() False."""

    def __init__(self, channel: Channel | str | None = None) -> None:
        if not isinstance(channel, Channel):
            _no("freeswitch.Session(…)")
        self._channel = channel
        self.uuid = channel.uuid

    # ---- state

    def ready(self) -> bool:
        return self._channel.ready

    def answered(self) -> bool:
        return bool(self._channel.times.answered)

    def mediaReady(self) -> bool:
        return bool(self._channel.times.answered or self._channel.times.progress_media)

    def bridged(self) -> bool:
        return self._channel.bridge is not None

    def answer(self) -> int:
        return 0

    def preAnswer(self) -> int:
        return 0

    def get_uuid(self) -> str:
        return self.uuid

    def getState(self) -> str:
        return "CS_HANGUP" if self._channel.cause else self._channel.state

    def hangupCause(self) -> str:
        """Always NONE in mod_python3, whatever the cause was."""
        return "NONE"

    def hangup(self, cause: str = "normal_clearing") -> None:
        self._channel.hang_up(causes.normalise(_text(cause, "CoreSession_hangup", 2)))

    def hangupState(self) -> None:
        return None

    def destroy(self) -> None:
        return None

    def setAutoHangup(self, val: bool) -> int:
        return 0

    # ---- variables

    def getVariable(self, var: str) -> str | None:
        return self._channel.variables.get(_text(var, "CoreSession_getVariable", 2))

    def setVariable(self, var: str, val: str | None) -> None:
        name = _text(var, "CoreSession_setVariable", 2)
        self._channel.set_variable(name, _text(val, "CoreSession_setVariable", 3, none=True))

    # ---- sound and keys

    def execute(self, app: str, data: str | None = None) -> None:
        name = _text(app, "CoreSession_execute", 2)
        execute(self._channel, name, _text(data, "CoreSession_execute", 3, none=True))

    def streamFile(self, file: str, starting_sample_count: int = 0) -> int:
        """1; 0 when the call is over; -1 for a file that is not there. Keys do not stop it."""
        path = _text(file, "CoreSession_streamFile", 2)
        _int(starting_sample_count, "CoreSession_streamFile", 3)
        if not self._channel.ready:
            return 0
        how = play(self._channel, path)
        if how == MISSING:
            return -1
        return 1 if how == PLAYED and self._channel.ready else 0

    def sleep(self, ms: int, sync: int = 0) -> int:
        self._channel.wait(_int(ms, "CoreSession_sleep", 2) / 1_000, lambda: False)
        return 0

    def playAndGetDigits(
        self,
        min_digits: int,
        max_digits: int,
        max_tries: int,
        timeout: int,
        terminators: str,
        audio_files: str,
        bad_input_audio_files: str,
        digits_regex: str,
        var_name: str | None = None,
        digit_timeout: int = 0,
        transfer_on_failure: str | None = None,
    ) -> str:
        name = "CoreSession_playAndGetDigits"
        return digits.play_and_get(
            self._channel,
            _int(min_digits, name, 2),
            _int(max_digits, name, 3),
            _int(max_tries, name, 4),
            _int(timeout, name, 5),
            _text(terminators, name, 6),
            _text(audio_files, name, 7),
            _text(bad_input_audio_files, name, 8),
            _text(digits_regex, name, 9),
            _text(var_name, name, 10, none=True),
            _int(digit_timeout, name, 11),
        )

    def read(
        self,
        min_digits: int,
        max_digits: int,
        prompt_audio_file: str,
        timeout: int,
        valid_terminators: str,
        digit_timeout: int = 0,
    ) -> str:
        name = "CoreSession_read"
        _, keys = digits.read(
            self._channel,
            _int(min_digits, name, 2),
            _int(max_digits, name, 3),
            _text(prompt_audio_file, name, 4),
            "",
            _int(timeout, name, 5),
            _text(valid_terminators, name, 6),
            _int(digit_timeout, name, 7),
        )
        return keys

    def getDigits(
        self,
        maxdigits: int,
        terminators: str,
        timeout: int,
        interdigit: int = 0,
        abstimeout: int = 0,
    ) -> str:
        name = "CoreSession_getDigits"
        _, keys, _ = digits.collect(
            self._channel,
            "",
            _int(maxdigits, name, 2),
            _text(terminators, name, 3),
            _int(timeout, name, 4),
            _int(interdigit, name, 5),
            _int(abstimeout, name, 6),
        )
        return keys

    def flushDigits(self) -> int:
        self._channel.digits.clear()
        return 0

    def flushEvents(self) -> int:
        return 0

    def transfer(
        self, extension: str, dialplan: str | None = None, context: str | None = None
    ) -> int:
        """Only to an inline dialplan: there is no other here."""
        apps = _text(extension, "CoreSession_transfer", 2)
        if dialplan != "inline" or not self._channel.ready:
            return 0
        self._channel.transfer(inline_apps(apps), apps)
        return 1

    # ---- events

    def sendEvent(self, event: Event) -> None:
        event.fire()

    def setEventData(self, event: Event) -> None:
        """Gives the event all that a CHANNEL_* event of this leg carries."""
        from pocket_switch import headers

        event.merge_headers(headers.of_channel(self._channel))

    # ---- never in a Duecall script

    def setHangupHook(self, hangup_func: Any, arg: Any = None) -> None:
        _no("setHangupHook")

    def setInputCallback(self, cbfunc: Any, arg: Any = None) -> None:
        _no("setInputCallback")

    def unsetInputCallback(self) -> None:
        return None

    def originate(self, *arguments: Any) -> int:
        _no("session.originate")

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"the pocket switch's session has no {name}; FreeSWITCH's may have")


class Event:
    """fire() goes out on the event links of those who subscribed to it."""

    publish: Any = None  # set by the script runner: (name, headers, body) -> None

    def __init__(self, type: str, subclass_name: str | None = None) -> None:
        self._name = _text(type, "new_Event", 1)
        self._headers: dict[str, str] = {}
        self._body = ""
        if subclass_name:
            self._headers["Event-Subclass"] = _text(subclass_name, "new_Event", 2)

    def addHeader(self, header_name: str, value: str) -> bool:
        name = _text(header_name, "Event_addHeader", 2)
        self._headers[name] = _text(value, "Event_addHeader", 3)
        return True

    def getHeader(self, header_name: str) -> str | None:
        return self._headers.get(header_name)

    def delHeader(self, header_name: str) -> bool:
        return self._headers.pop(header_name, None) is not None

    def addBody(self, value: str) -> bool:
        self._body += _text(value, "Event_addBody", 2)
        return True

    def getBody(self) -> str:
        return self._body

    def getType(self) -> str:
        return self._name

    def merge_headers(self, more: dict[str, str]) -> None:
        self._headers |= more

    def fire(self) -> bool:
        if Event.publish is not None:
            Event.publish(self._name, dict(self._headers), self._body)
        return True


class API:
    """Holds the interpreter's lock while it runs: one call's API() stops all other calls."""

    def __init__(self, session: Any = None) -> None:
        _no("freeswitch.API")


def consoleLog(level: str, msg: str) -> None:
    text = _text(msg, "consoleLog", 2)
    log.log(_LEVELS.get(_text(level, "consoleLog", 1).lower(), logging.INFO), "%s", text.rstrip())


def consoleLog2(level: str, file: str, func: str, line: int, msg: str) -> None:
    consoleLog(level, msg)


def consoleCleanLog(msg: str) -> None:
    consoleLog("console", msg)


def setGlobalVariable(var_name: str, val: str) -> None:
    _globals[_text(var_name, "setGlobalVariable", 1)] = _text(val, "setGlobalVariable", 2)


def getGlobalVariable(var_name: str) -> str | None:
    return _globals.get(_text(var_name, "getGlobalVariable", 1))


def running() -> bool:
    return True


def msleep(ms: int) -> None:
    _no("freeswitch.msleep")


def install(publish: Any) -> types.ModuleType:
    """Makes `import freeswitch` in this process give these names. publish: see Event."""
    Event.publish = staticmethod(publish)
    module = types.ModuleType("freeswitch", __doc__)
    names = (
        "Session DTMF Event API consoleLog consoleLog2 consoleCleanLog setGlobalVariable "
        "getGlobalVariable running msleep"
    )
    for name in names.split():
        setattr(module, name, globals()[name])
    module.CoreSession = Session  # type: ignore[attr-defined]
    sys.modules["freeswitch"] = module
    return module
