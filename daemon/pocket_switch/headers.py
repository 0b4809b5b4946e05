"""The headers and variables that a channel's events carry, named and ordered as FreeSWITCH's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pocket_switch import causes
from pocket_switch.events import Headers, local_time

if TYPE_CHECKING:
    from pocket_switch.channel import Bridge, Channel, Times

_STATE_NUMBERS = {
    "CS_SOFT_EXECUTE": 3,
    "CS_EXECUTE": 4,
    "CS_EXCHANGE_MEDIA": 5,
    "CS_CONSUME_MEDIA": 7,
    "CS_HANGUP": 10,
    "CS_REPORTING": 11,
}
_DEFAULT_NUMBER = "0000000000"  # FreeSWITCH's caller id where none is given


def of_channel(channel: Channel) -> Headers:
    """All that a CHANNEL_* event says of a leg; `variable_*` last."""
    number = 10 if channel.cause and channel.state != "CS_REPORTING" else None
    event: Headers = {}
    if channel.cause:
        event["Hangup-Cause"] = channel.cause
    event |= {
        "Channel-State": channel.state,
        "Channel-Call-State": channel.call_state,
        "Channel-State-Number": str(number or _STATE_NUMBERS[channel.state]),
        "Channel-Name": channel.name,
        "Unique-ID": channel.uuid,
        "Call-Direction": "outbound",
        "Presence-Call-Direction": "outbound",
        "Channel-HIT-Dialplan": "true" if channel.profile_index > 1 else "false",
    }
    if "presence_data" in channel.variables:
        event["Channel-Presence-Data"] = channel.variables["presence_data"]
    event["Channel-Call-UUID"] = channel.uuid
    event["Answer-State"] = channel.answer_state
    if codec := channel.variables.get("read_codec"):
        for way in ("Read", "Write"):
            event[f"Channel-{way}-Codec-Name"] = codec
            event[f"Channel-{way}-Codec-Rate"] = "8000"
            event[f"Channel-{way}-Codec-Bit-Rate"] = "64000"
    event |= profile(channel, "Caller")
    if channel.bridge is not None and channel.times.bridged:
        event |= channel.bridge.peer
    with channel.changed:
        variables = dict(channel.variables)
    event |= {"variable_" + name: value for name, value in variables.items()}
    return event


def profile(channel: Channel, who: str) -> Headers:
    """The caller profile under the prefix `Caller` or `Other-Leg`. From the second profile on
    FreeSWITCH turns an outbound leg's caller and callee id round."""
    name = channel.variables.get("origination_caller_id_name", "")
    number = channel.variables.get("origination_caller_id_number", _DEFAULT_NUMBER)
    caller, callee = (name, number), ("Outbound Call", channel.number)
    if channel.profile_index > 1:
        caller, callee = callee, caller
    times = channel.times
    event = {"Direction": "outbound", "Logical-Direction": "outbound"}
    if channel.inline and channel.profile_index > 1:
        event["Dialplan"] = "inline"
    event |= {
        "Caller-ID-Name": caller[0],
        "Caller-ID-Number": caller[1],
        "Orig-Caller-ID-Name": name,
        "Orig-Caller-ID-Number": number,
        "Callee-ID-Name": callee[0],
        "Callee-ID-Number": callee[1],
        "Network-Addr": channel.variables.get("sip_network_ip", ""),
        "ANI": number,
        "Destination-Number": channel.number,
        "Unique-ID": channel.uuid,
        "Source": "src/switch_ivr_originate.c",
        "Transfer-Source": channel.variables.get("transfer_source", ""),
        "Context": "default",
        "Channel-Name": channel.name,
        "Profile-Index": str(channel.profile_index),
        "Profile-Created-Time": str(times.profile),
        **{"Channel-" + key: value for key, value in _times(times).items()},
        "Screen-Bit": "true",
        "Privacy-Hide-Name": "false",
        "Privacy-Hide-Number": "false",
    }
    if who != "Caller":
        del event["Profile-Index"], event["Transfer-Source"]
    return {f"{who}-{key}": value for key, value in event.items() if value}


def _times(times: Times) -> Headers:
    return {
        "Created-Time": str(times.created),
        "Answered-Time": str(times.answered),
        "Progress-Time": str(times.progress),
        "Progress-Media-Time": str(times.progress_media),
        "Hangup-Time": str(times.hung_up),
        "Transfer-Time": "0",
        "Resurrect-Time": "0",
        "Bridged-Time": str(times.bridged),
        "Last-Hold": "0",
        "Hold-Accum": "0",
    }


def bridge_headers(channel: Channel, bridge: Bridge) -> Headers:
    a, b = (channel.uuid, bridge.peer_uuid) if bridge.leads else (bridge.peer_uuid, channel.uuid)
    return {"Bridge-A-Unique-ID": a, "Bridge-B-Unique-ID": b, "Other-Type": "originatee"}


def enter_inline(channel: Channel, inline: str) -> None:
    """The leg runs an inline dialplan now: a second caller profile, as after a transfer."""
    seconds = int(time.time())
    source = f"{seconds}:{channel.uuid}:bl_xfer:{inline}/default/inline"
    channel.profile_index += 1
    channel.times.profile = time.time_ns() // 1_000
    channel.inline = inline
    channel.variables |= {
        "endpoint_disposition": "ANSWER",
        "max_forwards": "70",
        "transfer_history": source,
        "transfer_source": source,
        "channel_cid_flipped": "yes",
    }


def first_variables(channel: Channel, endpoint: str, profile_name: str) -> dict[str, str]:
    """What a leg knows before it is dialled; the originate line's own variables come with it."""
    variables = {
        "direction": "outbound",
        "is_outbound": "true",
        "uuid": channel.uuid,
        "call_uuid": channel.uuid,
        "channel_name": channel.name,
        "originate_endpoint": endpoint,
        "originate_early_media": "false",
        "pocket_switch": "true",
    }
    if profile_name:
        variables["sip_profile_name"] = variables["sofia_profile_name"] = profile_name
    return variables


def closing_variables(channel: Channel) -> None:
    """Cause, stamps and durations: set when all is over, for the last event and the CDR."""
    times = channel.times
    values = channel.variables
    values["hangup_cause"] = channel.cause
    values["hangup_cause_q850"] = str(causes.q850(channel.cause))
    values["digits_dialed"] = channel.dialed or "none"
    stamps = {
        "start": times.created,
        "profile_start": times.profile,
        "answer": times.answered,
        "bridge": times.bridged,
        "progress": times.progress,
        "progress_media": times.progress_media,
        "end": times.hung_up,
    }
    for name, at_us in stamps.items():
        if at_us:
            values[name + "_stamp"] = local_time(at_us // 1_000_000)
    for name, at_us in stamps.items():
        values[name + "_epoch"] = str(at_us // 1_000_000)
        values[name + "_uepoch"] = str(at_us)
    if channel.app_log:
        values["last_app"], values["last_arg"], _ = channel.app_log[-1]
    lengths = {
        "duration": times.hung_up - times.created,
        "bill": times.hung_up - times.answered if times.answered else 0,
        "progress": max(0, times.progress - times.created),
        "answer": max(0, times.answered - times.created),
        "wait": max(0, times.bridged - times.created),
        "flow_bill": times.hung_up - times.created,
        "progress_media": max(0, times.progress_media - times.created),
    }
    for name, length_us in lengths.items():
        stem = "" if name == "duration" else name
        whole = "duration" if name == "duration" else name + "sec"
        values[whole] = str(length_us // 1_000_000)
        values["mduration" if not stem else stem + "msec"] = str(length_us // 1_000)
        values["uduration" if not stem else stem + "usec"] = str(length_us)
