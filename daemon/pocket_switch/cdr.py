"""One JSON file a leg when it is over, shaped as mod_json_cdr shapes it.

With the settings Duecall gives FreeSWITCH: `<uuid>.cdr.json`, no prefix, b-legs too, values as
they are (encode-values=false). Written under another name first, then renamed: whoever finds the
file finds all of it.
"""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from pocket_switch import NAME

if TYPE_CHECKING:
    from pocket_switch.channel import Channel

log = logging.getLogger("pocket.cdr")


def record(channel: Channel) -> dict[str, Any]:
    times = channel.times
    applications = [{"app_name": name, "app_data": data} for name, data in channel.apps]
    return {
        "core-uuid": channel.switch.options.core_uuid,
        "switchname": NAME,
        "channel_data": {"state": "CS_REPORTING", "direction": "outbound", "state_number": "11"},
        "variables": dict(channel.variables),
        "app_log": {
            "applications": [
                {"app_name": name, "app_data": data, "app_stamp": str(at_us)}
                for name, data, at_us in channel.app_log
            ]
        },
        "callflow": [
            {
                "dialplan": "inline" if channel.inline else "",
                "profile_index": str(channel.profile_index),
                "extension": {"name": "inline", "number": "inline", "applications": applications},
                "caller_profile": {
                    "destination_number": channel.number,
                    "uuid": channel.uuid,
                    "chan_name": channel.name,
                },
                "times": {
                    "created_time": str(times.created),
                    "profile_created_time": str(times.profile),
                    "progress_time": str(times.progress),
                    "progress_media_time": str(times.progress_media),
                    "answered_time": str(times.answered),
                    "bridged_time": str(times.bridged),
                    "hangup_time": str(times.hung_up),
                },
            }
        ],
    }


def write(channel: Channel, folder: str) -> None:
    """A CDR that cannot be written is logged; the call is over all the same."""
    if not folder:
        return
    path = os.path.join(folder, channel.uuid + ".cdr.json")
    try:
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(record(channel), file, ensure_ascii=False)
        os.replace(path + ".part", path)
    except OSError as error:
        log.error("no CDR for %s: %s; is the folder %s writable?", channel.uuid, error, folder)
