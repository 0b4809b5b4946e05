"""What FreeSWITCH calls (`python:fs_scripts.entry`). Read again at every call, so: nothing here.

Nothing may escape from `handler`: FreeSWITCH copies an exception's text and traceback into a buffer
of 20 KB without looking at its length (mod_python3.c, print_python_error), and dies of it.
"""

from __future__ import annotations

from typing import Any


def handler(session: Any, args: str) -> None:
    try:
        from fs_scripts.one_call import run

        run(session)
    except BaseException as error:  # SystemExit, RecursionError and MemoryError too
        _last_words(session, type(error).__name__)


def _last_words(session: Any, kind: str) -> None:
    """Only when `one_call` cannot be imported, or fails in its own failure handling."""
    try:
        import freeswitch

        freeswitch.consoleLog("crit", "duecall: " + ascii(kind)[:100] + "\n")
        session.hangup()
    except BaseException:
        return
