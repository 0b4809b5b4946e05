"""The lines that tell a switch to place calls. Pure; every value on them is checked.

A value with a newline would begin a second command, one with `${` would be carried out, one with a
comma or brace would become a variable of its own (docs/freeswitch.md). So nothing but
`contract.SAFE_TEXT` gets onto a line, and what contacts are called never does: it travels inside
the base64url of the brief.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import phonenumbers

from duecall.core import commands as c
from duecall.core.site import Trunk
from fs_scripts import contract

AGENT_PRESENCE = "agent"  # behind ours, so that `show channels` tells agents' legs from callees'
CALLEE_VARIABLE = "duecall_callee"  # on an agent's leg: the attempt it is rung for
PARK_GRACE_S = 60  # beyond the wait for agents: how long a callee waits for a daemon that is gone
SOUNDS_MAX = 100  # mod_dptools plays at most 128 parts of a file_string:// and drops the rest
_NAME_MAX = 40

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_NUMBER = re.compile(r"\+?[0-9]{2,20}\Z")
_CAUSE = re.compile(r"[A-Z][A-Z0-9_]{1,60}\Z")
_SIP = re.compile(r"sip:([A-Za-z0-9_.+-]+@[A-Za-z0-9_.:-]+)\Z")


class UnsafeValue(ValueError):
    """A value that may not stand on a line for the switch. The message does not repeat it."""


def originate(command: c.Originate, trunk: Trunk, *, presence: str, recording: Path | None) -> str:
    """`originate …` for a callee. presence: marks our channels. recording: absolute.

    Raises UnsafeValue or contract.ContractError (a brief that is too long).
    """
    attempt = command.attempt
    brief = replace(attempt.target.brief, attempt_id=attempt.id)
    name = plain_name(command.caller_name)
    variables = [
        ("origination_uuid", _matching(_UUID, "the attempt's id", attempt.id)),
        ("presence_data", safe("the daemon's id", presence)),
        # Else the script would talk to a ringing tone.
        ("ignore_early_media", "true"),
        ("originate_timeout", str(int(command.ring_s))),
        ("origination_caller_id_number", _matching(_NUMBER, "the caller id", command.caller_id)),
        *([("origination_caller_id_name", name)] if name else []),
        # A 302 would be followed to any number, for ever.
        ("outbound_redirect_fatal", "true"),
    ]
    apps = [f"python:{contract.ENTRY_MODULE}"]
    if recording is not None:
        variables.append(("RECORD_STEREO", "true"))
        apps.insert(0, f"record_session:{safe('the path of the recording', str(recording))}")
    if command.transfer_wait_s > 0:
        park_s = int(command.transfer_wait_s) + PARK_GRACE_S
        variables.append(("park_timeout", f"{park_s}:ALLOTTED_TIMEOUT"))
        apps.append("park:")
    variables.append((contract.BRIEF_VARIABLE, safe("the brief", brief.encode())))
    number = dial_number(attempt.target.contact.phone, trunk.number_format)
    gateway = safe("the trunk's name", command.trunk)
    # The quotes are for the blank that a caller's name may have; both switches eat them.
    where = f"sofia/gateway/{gateway}/{number}"
    return f"originate '{_braces(variables)}{where}' '{','.join(apps)}' inline"


def call_agent(command: c.CallAgent, *, profile: str, presence: str) -> str:
    """`originate …` that rings an agent and, when he answers, gives him the waiting callee."""
    callee = _matching(_UUID, "the attempt's id", command.attempt_id)
    variables = [
        ("origination_uuid", _matching(_UUID, "the leg's id", command.leg_id)),
        (CALLEE_VARIABLE, callee),
        ("presence_data", safe("the daemon's id", f"{presence}:{AGENT_PRESENCE}")),
        ("ignore_early_media", "true"),
        ("originate_timeout", str(int(command.ring_s))),
        ("origination_caller_id_number", _matching(_NUMBER, "the caller id", command.caller_id)),
        ("outbound_redirect_fatal", "true"),
    ]
    address = _SIP.match(command.address)
    if address is None:
        raise UnsafeValue("the agent's address is not of the form sip:name@host:port")
    where = f"sofia/{safe('the SIP profile', profile)}/{address.group(1)}"
    return f"originate {_braces(variables)}{where} &intercept({callee})"


def hold_music(attempt_id: str, music: Path, times: int) -> str:
    """`uuid_broadcast …`: the sound, so many times over, to a parked callee."""
    callee = _matching(_UUID, "the attempt's id", attempt_id)
    return f"uuid_broadcast {callee} {file_string([str(music)] * times)} aleg"


def say_and_hang_up(attempt_id: str, sounds: Sequence[str]) -> str:
    """`uuid_transfer …`: what is said to a callee whom no agent takes."""
    callee = _matching(_UUID, "the attempt's id", attempt_id)
    apps = f"playback:{file_string(sounds)},hangup:NORMAL_CLEARING"
    return f"uuid_transfer {callee} '{apps}' inline"


def hang_up(leg_id: str, cause: str) -> str:
    """`uuid_kill …`."""
    leg = _matching(_UUID, "the leg's id", leg_id)
    return f"uuid_kill {leg} {_matching(_CAUSE, 'the cause', cause)}"


def exists(leg_id: str) -> str:
    """`uuid_exists …`: the switch answers true or false."""
    return f"uuid_exists {_matching(_UUID, 'the id', leg_id)}"


def dump(leg_id: str) -> str:
    """`uuid_dump …`: all that the switch knows of a channel, as JSON."""
    return f"uuid_dump {_matching(_UUID, 'the id', leg_id)} json"


def file_string(sounds: Sequence[str]) -> str:
    """Sounds one after another, as one name for the switch."""
    if not 1 <= len(sounds) <= SOUNDS_MAX:
        raise UnsafeValue(f"{len(sounds)} sounds in a row; 1 to {SOUNDS_MAX} can be played")
    for sound in sounds:
        if contract.unsafe_sound(sound) or not contract.SAFE_TEXT.match(sound):
            raise UnsafeValue(
                "the path of a sound is not absolute, or has more in it than letters, digits and "
                "_.+-/: the switch would take it for something else"
            )
    return "file_string://" + "!".join(sounds)


def safe(what: str, value: str) -> str:
    """The value itself, if it may stand on a line as it is."""
    if not contract.SAFE_TEXT.match(value):
        bad = next((x for x in value if not contract.SAFE_TEXT.match(x)), "")
        raise UnsafeValue(
            f"{what} has {bad!r} in it; only letters, digits and _.:+@/- may be told to the switch"
        )
    return value


def dial_number(phone: str, number_format: str) -> str:
    """An E.164 number as the trunk wants it: +8490…, 8490… or 090…."""
    _matching(_NUMBER, "the number", phone)
    if number_format == "plain":
        return phone.lstrip("+")
    if number_format == "national":
        try:
            parsed = phonenumbers.parse(phone, None)
        except phonenumbers.NumberParseException:
            raise UnsafeValue("the number has no country code: it is not E.164") from None
        national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
        digits = "".join(x for x in national if x in "0123456789")
        return _matching(_NUMBER, "the national number", digits)
    return phone


def plain_name(name: str) -> str:
    """A caller's name in the letters that SIP, the switch and old telephones agree on: `Ngân hàng
    ABC` becomes `Ngan hang ABC`. Letters that have no such form are left out."""
    stripped = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D"))
    kept = "".join(x for x in stripped if x.isascii() and (x.isalnum() or x in " ._-"))
    return " ".join(kept.split())[:_NAME_MAX].strip()


def recording_path(folder: Path, attempt_id: str, day: str) -> Path:
    """`<recordings>/<yyyy-mm-dd>/<attempt id>.wav`; the day is that of the attempt, in UTC."""
    return folder / day / f"{attempt_id}.wav"


def _braces(variables: Sequence[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{name}={value}" for name, value in variables) + "}"


def _matching(pattern: re.Pattern[str], what: str, value: str) -> str:
    if not pattern.match(value):
        raise UnsafeValue(f"{what} is not of the form that the switch may be told")
    return value
