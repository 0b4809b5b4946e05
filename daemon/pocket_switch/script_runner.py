"""Runs a call script as mod_python3 does: `module[::function] [arguments]`, reloaded each call."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading

from pocket_switch.channel import Channel
from pocket_switch.freeswitch_module import Session

log = logging.getLogger("pocket.script")
_import_lock = threading.Lock()  # there, one interpreter lock serialises the reloads


def run(channel: Channel, argument: str, scripts: str) -> None:
    """The named module only is reloaded, what it imports is not. An exception that escapes the
    script is logged, and the leg goes on to its next application (the real one does the same)."""
    target, _, rest = argument.partition(" ")
    name, _, function = target.partition("::")
    with _import_lock:
        folder = os.path.abspath(scripts)
        if folder not in sys.path:
            sys.path.append(folder)
        try:
            module = importlib.import_module(name)
            handler = getattr(importlib.reload(module), function or "handler")
        except Exception:
            log.exception("script %s cannot be loaded from %s", name, folder)
            return
    session = Session(channel)
    try:
        handler(session, rest)
    except BaseException:
        # Text over 20 KB or with a lone surrogate here would kill the real FreeSWITCH.
        log.exception("script %s let an exception escape; no script may", name)
