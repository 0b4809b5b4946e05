"""One call from its brief to its result: the guard around `call_flow`."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import freeswitch

from fs_scripts import contract
from fs_scripts.call_flow import BriefError, Dialogue
from fs_scripts.session_io import SessionIO, SoundError

TEXT_MAX = 500  # characters of an error's text; FreeSWITCH's own buffers overflow at 20 KB


def run(session: Any) -> None:
    """Hold the dialogue, set the result, hang up unless the callee waits for an agent.

    Whatever goes wrong becomes a result that says so. The session is not kept anywhere: one that
    outlives its call is never freed by FreeSWITCH.
    """
    io = SessionIO(session)
    attempt_id = io.uuid()
    dialogue: Dialogue | None = None
    try:
        text = io.get(contract.BRIEF_VARIABLE)
        io.set(contract.BRIEF_VARIABLE, None)  # keeps later events small and free of its content
        brief = contract.Brief.decode(text)
        attempt_id = brief.attempt_id
        io.keys_folder = brief.keys_folder
        io.listens_by(brief.listener, brief.attempt_id, brief.language)
        dialogue = Dialogue(io, brief, time.monotonic)
        action = dialogue.run()
    except BaseException as error:
        what = describe(error, error.__traceback__)
        freeswitch.consoleLog("err", f"duecall: {what}\n")
        action = _record(io, dialogue, attempt_id, what)
    if action != contract.TRANSFER:
        io.hang_up()


def _record(io: SessionIO, dialogue: Dialogue | None, attempt_id: str, what: str) -> str:
    """Set a result that says what went wrong, and as much more as is known."""
    if dialogue is not None:
        try:
            return dialogue.failed(what)
        except Exception:
            freeswitch.consoleLog("err", "duecall: the result could not be kept\n")
    io.set(contract.RESULT_VARIABLE, failed(attempt_id, what))
    return ""


def failed(attempt_id: str, error: str) -> str:
    """The encoded result of a script that could not do its work."""
    return contract.Result(plain(attempt_id), contract.ERROR, error=error).encode()


def describe(error: BaseException, traceback: TracebackType | None) -> str:
    """Type and place of an error, in short ASCII. Its text only where it is one of our own, which
    hold no contact data."""
    place = ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        place = f" {code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    ours = isinstance(error, (contract.ContractError, BriefError, SoundError))
    return plain(type(error).__name__ + place + (f": {error}" if ours else ""))


def plain(text: str) -> str:
    """Printable ASCII, at most TEXT_MAX characters."""
    return text[:TEXT_MAX].encode("ascii", "backslashreplace").decode("ascii")[:TEXT_MAX]
