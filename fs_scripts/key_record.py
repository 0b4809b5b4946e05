"""A key that decides, on disk: what the callee wants must outlive the switch.

FreeSWITCH holds the result in a channel variable; whoever kills it between the key and the end of
the call takes the variable, the event and the call record with it. So the result is written to a
file in the same moment, whole or not at all.
"""

from __future__ import annotations

import contextlib
import os

from fs_scripts.contract import KEYS_SUFFIX, SAFE_SOUND, Result

MODE = 0o660  # the daemon may be another user of the switch's group; the umask takes the rest


def write(folder: str, result: Result) -> None:
    """`<folder>/<attempt id>.keys.json`: on the disk when this returns, in place of an earlier one.

    Raises OSError, or ValueError for a folder or an id that may not be part of a path. A full or
    stalled disk holds up this one call: FreeSWITCH's lock is free while it is waited for.
    """
    name = result.attempt_id
    if not SAFE_SOUND.match(folder) or "/" in name or not SAFE_SOUND.match("/" + name):
        raise ValueError("not a path for a record of keys")
    path = f"{folder}/{name}{KEYS_SUFFIX}"
    part = path + ".part"
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
        with os.fdopen(handle, "wb") as out:
            out.write(result.as_json())
            out.flush()
            os.fsync(handle)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
