"""The API commands Duecall sends, answered in FreeSWITCH's words."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pocket_switch import NAME, VERSION_TEXT, causes
from pocket_switch.dial_string import split_words
from pocket_switch.events import FORMATS, Headers, local_time

if TYPE_CHECKING:
    from pocket_switch.broker import Broker, Leg

_NO_CHANNEL = "-ERR No such channel!\n"
# What the daemon asks `module_exists` for: the parts this switch really has.
_MODULES = frozenset(
    "mod_" + name
    for name in (
        *("python3", "sofia", "event_socket", "commands", "dptools", "sndfile", "json_cdr"),
        *("loopback", "local_stream"),
    )
)


class Commands:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._do: dict[str, Callable[[str], Awaitable[str]]] = {
            "originate": broker.originate,
            "uuid_kill": self._uuid_kill,
            "uuid_exists": self._uuid_exists,
            "uuid_dump": self._uuid_dump,
            "uuid_broadcast": self._uuid_broadcast,
            "uuid_transfer": self._uuid_transfer,
            "uuid_setvar": self._uuid_setvar,
            "uuid_getvar": self._uuid_getvar,
            "uuid_recv_dtmf": self._uuid_recv_dtmf,
            "show": self._show,
            "global_getvar": self._global_getvar,
            "status": self._status,
            "version": self._version,
            "uptime": self._uptime,
            "module_exists": self._module_exists,
            "file_exists": self._file_exists,
            "fsctl": self._fsctl,
            "sofia": self._sofia,
            "hupall": self._hupall,
        }

    async def run(self, command: str, argument: str) -> str:
        does = self._do.get(command)
        return await does(argument) if does else f"-ERR {command} Command not found!\n"

    # ---- one leg

    async def _uuid_kill(self, text: str) -> str:
        uuid, _, cause = text.partition(" ")
        if not uuid:
            return "-USAGE: <uuid> [cause]\n"
        told = self._broker.tell(uuid, {"do": "kill", "cause": causes.normalise(cause)})
        return "+OK\n" if told else _NO_CHANNEL

    async def _uuid_exists(self, text: str) -> str:
        return "true" if text in self._broker.legs else "false"

    async def _uuid_dump(self, text: str) -> str:
        uuid, _, form = text.partition(" ")
        if not uuid:
            return "-USAGE: <uuid> [format]\n"
        event = await self._broker.dump(uuid)
        if event is None:
            return _NO_CHANNEL
        return FORMATS.get(form.strip() or "plain", FORMATS["plain"])(event, "").decode()

    async def _uuid_broadcast(self, text: str) -> str:
        uuid, _, rest = text.partition(" ")
        path = rest.strip()
        for leg in (" aleg", " bleg", " both", " holdb"):
            path = path.removesuffix(leg)
        if not path:
            return "-USAGE: <uuid> <path> [aleg|bleg|holdb|both]\n"
        told = self._broker.tell(uuid, {"do": "broadcast", "path": path.strip("'")})
        return "+OK Message sent\n" if told else "-ERR invalid uuid\n"

    async def _uuid_transfer(self, text: str) -> str:
        words = split_words(text)
        if len(words) < 2:
            return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
        if len(words) < 3 or words[2] != "inline":
            return "-ERR the pocket switch has no dialplan; transfer to `inline`\n"
        told = self._broker.tell(words[0], {"do": "transfer", "apps": words[1]})
        return "+OK\n" if told else _NO_CHANNEL

    async def _uuid_setvar(self, text: str) -> str:
        uuid, _, rest = text.partition(" ")
        name, _, value = rest.strip().partition(" ")
        if not name:
            return "-USAGE: <uuid> <var> [value]\n"
        told = self._broker.tell(uuid, {"do": "setvar", "name": name, "value": value})
        return "+OK\n" if told else _NO_CHANNEL

    async def _uuid_getvar(self, text: str) -> str:
        uuid, _, name = text.partition(" ")
        event = await self._broker.dump(uuid)
        if event is None:
            return _NO_CHANNEL
        return event.get("variable_" + name.strip(), "_undef_")

    async def _uuid_recv_dtmf(self, text: str) -> str:
        """As if the callee had pressed these keys: for tests, and for null lines."""
        uuid, _, keys = text.partition(" ")
        if not keys.strip():
            return "-USAGE: <uuid> <dtmf_data>\n"
        digits = keys.strip().partition("@")[0]
        told = self._broker.tell(uuid, {"do": "digits", "digits": digits})
        return "+OK\n" if told else _NO_CHANNEL

    # ---- all of them

    async def _show(self, text: str) -> str:
        """`show channels [like TEXT] [as json]`: only rows in which TEXT occurs."""
        words = text.split()
        if not words or words[0] not in ("channels", "calls"):
            return "-USAGE: channels [like <text>] [as json]\n"
        as_json = words[-2:] == ["as", "json"]
        like = words[2] if len(words) > 2 and words[1] == "like" else ""
        rows = [_row(leg) for leg in self._broker.legs.values()]
        wanted = like.strip("%")
        rows = [row for row in rows if not wanted or any(wanted in v for v in row.values())]
        if as_json:
            data: dict[str, object] = {"row_count": len(rows)}
            if rows:
                data["rows"] = rows
            return json.dumps(data) + "\n"
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)] if rows else []
        return "\n".join([*lines, "", f"{len(rows)} total.", ""])

    async def _hupall(self, text: str) -> str:
        """`hupall CAUSE [variable value]`."""
        words = text.split(None, 2)
        cause = causes.normalise(words[0] if words else "", "MANAGER_REQUEST")
        name, value = (words[1], words[2]) if len(words) == 3 else ("", "")
        for leg in list(self._broker.legs.values()):
            if not name or leg.variables.get(name) == value:
                self._broker.tell(leg.uuid, {"do": "kill", "cause": cause})
        if name:
            return f"+OK hangup all channels matching [{name}]=[{value}] with cause: {cause}\n"
        return f"+OK hangup all channels with cause {cause}\n"

    # ---- the switch

    async def _global_getvar(self, text: str) -> str:
        known = {
            "core_uuid": self._broker.options.core_uuid,
            "switchname": NAME,
            "script_dir": str(self._broker.options.scripts),
        }
        if not text:
            return "\n".join(f"{name}={value}" for name, value in known.items())
        return known.get(text, "")

    async def _file_exists(self, text: str) -> str:
        return "true" if Path(text).exists() else "false"

    async def _version(self, text: str) -> str:
        return VERSION_TEXT + "\n"

    async def _uptime(self, text: str) -> str:
        parts = {"ms": 1_000, "us": 1_000_000}
        return f"{int((time.monotonic() - self._broker.began) * parts.get(text, 1))}\n"

    async def _status(self, text: str) -> str:
        broker = self._broker
        return (
            f"UP {_up_time(time.monotonic() - broker.began)}\n"
            f"{VERSION_TEXT} is ready\n"
            f"{broker.since_start} session(s) since startup\n"
            f"{len(broker.legs)} session(s) - peak {broker.peak}, last 5min {broker.peak} \n"
            f"{broker.last_second} session(s) per Sec out of max {broker.calls_per_second}, "
            f"peak {broker.last_second}, last 5min {broker.last_second} \n"
            f"{broker.max_sessions} session(s) max\n"
        )

    async def _module_exists(self, text: str) -> str:
        return "true" if text in _MODULES else "false"

    async def _fsctl(self, text: str) -> str:
        words = text.split()
        name, value = [*words, "", ""][:2]
        broker = self._broker
        if name == "pause_check":
            return "true" if broker.paused else "false"
        if name in ("pause", "resume"):
            broker.paused = name == "pause"
            return "+OK\n"
        if name == "max_sessions":
            broker.max_sessions = int(value) if value.isdigit() else broker.max_sessions
            return f"+OK max sessions: {broker.max_sessions}\n"
        if name == "sps":
            broker.calls_per_second = int(value) if value.isdigit() else broker.calls_per_second
            return f"+OK sessions per second: {broker.calls_per_second}\n"
        return "-ERR Invalid command\nUSAGE: fsctl [pause|resume|pause_check|max_sessions|sps]\n"

    async def _sofia(self, text: str) -> str:
        words = text.split()
        if words[:2] != ["status", "gateway"] or len(words) != 3:
            return "-USAGE: sofia status gateway <name>\n"
        proxy = self._broker.options.gateways.get(words[2])
        if proxy is None:
            return "Invalid Gateway!\n"
        up = int(time.monotonic() - self._broker.began)
        rows = {"Name": words[2], "Profile": "duecall", "Proxy": "sip:" + proxy}
        rows |= {"State": "NOREG", "Status": "UP", "Uptime": f"{up}s"}
        line = "=" * 97 + "\n"
        return line + "".join(f"{key:<8}\t{value}\n" for key, value in rows.items()) + line

    def heartbeat(self) -> Headers:
        broker = self._broker
        up_s = time.monotonic() - broker.began
        return {
            "Event-Info": "System Ready",
            "Up-Time": _up_time(up_s),
            "FreeSWITCH-Version": VERSION_TEXT,
            "Switch-Kind": "pocket",
            "Uptime-msec": str(int(up_s * 1_000)),
            "Session-Count": str(len(broker.legs)),
            "Max-Sessions": str(broker.max_sessions),
            "Session-Per-Sec": str(broker.calls_per_second),
            "Session-Per-Sec-Last": str(broker.last_second),
            "Session-Since-Startup": str(broker.since_start),
            "Session-Peak-Max": str(broker.peak),
        }


def _row(leg: Leg) -> dict[str, str]:
    """A row of `show channels`, under the names of FreeSWITCH's table."""
    return {
        "uuid": leg.uuid,
        "direction": "outbound",
        "created": local_time(leg.created_s),
        "created_epoch": str(leg.created_s),
        "name": leg.name,
        "state": leg.headers.get("Channel-State", "CS_CONSUME_MEDIA"),
        "cid_name": leg.variables.get("origination_caller_id_name", ""),
        "cid_num": leg.variables.get("origination_caller_id_number", ""),
        "dest": leg.number,
        "callstate": leg.headers.get("Channel-Call-State", "DOWN"),
        "presence_data": leg.variables.get("presence_data", ""),
    }


def _up_time(seconds: float) -> str:
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (
        f"0 years, {days} days, {hours} hours, {minutes} minutes, {whole} seconds, "
        f"{int(seconds * 1_000) % 1_000} milliseconds, 0 microseconds"
    )
