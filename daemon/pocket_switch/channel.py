"""One call leg: its variables, its times, the keys pressed, and the thread that runs its apps.

Three threads meet here: the worker's main thread (SIP), PJSIP's media thread and the leg's own
thread, which runs the applications one after another. Everything they share is guarded by
`changed`, and whoever changes something notifies it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pocket_switch import cdr, headers
from pocket_switch.dial_string import Apps
from pocket_switch.events import Headers
from pocket_switch.media import BridgeStream, Media
from pocket_switch.recording import Recorder

if TYPE_CHECKING:
    from pocket_switch.options import Options

log = logging.getLogger("pocket.channel")
_LOOK_EVERY_S = 0.02
_SOUND_DOWN_S = 2.0
_BYE_S = 2.0  # a main thread that does not come to say it ends none of its scripts


class Line(Protocol):
    """The far end of a leg. dial and hang_up are called on the worker's main thread only."""

    @property
    def media(self) -> Media: ...
    @property
    def speed(self) -> float: ...

    def dial(self) -> None: ...
    def hang_up(self, cause: str) -> None: ...
    def our_end(self, answered: bool) -> dict[str, str]: ...


class Switch(Protocol):
    """What a channel needs of its worker. All are safe in any thread."""

    options: Options

    def publish(self, name: str, event: Headers) -> None: ...
    def job_done(self, job: str, reply: str) -> None: ...
    def on_main(self, action: Callable[[], None]) -> None: ...
    def ask_bridge(self, originator: str, callee: str) -> None: ...
    def bridge_over(self, uuid: str) -> None: ...
    def gone(self, uuid: str) -> None: ...


@dataclass(frozen=True)
class Bridge:
    """peer: headers of the other leg, for CHANNEL_BRIDGE; leads: this leg asked for it."""

    peer_uuid: str
    peer_name: str
    leads: bool
    stream: BridgeStream
    peer: Headers


@dataclass
class Times:
    """Wall time in microseconds; 0: has not happened."""

    created: int = 0
    profile: int = 0
    progress: int = 0
    progress_media: int = 0
    answered: int = 0
    bridged: int = 0
    hung_up: int = 0


def now_us() -> int:
    return time.time_ns() // 1_000


class Channel:
    """status: what CHANNEL_* events say of it, see headers.py."""

    def __init__(
        self,
        switch: Switch,
        uuid: str,
        name: str,
        number: str,
        variables: dict[str, str],
        apps: Apps,
        inline: str,
        job: str,
    ) -> None:
        self.switch = switch
        self.uuid, self.name, self.number = uuid, name, number
        self.variables = dict(variables)
        self.apps, self.inline, self.job = list(apps), inline, job
        self.app_log: list[tuple[str, str, int]] = []
        self.times = Times(created=now_us(), profile=now_us())
        self.state, self.call_state, self.answer_state = "CS_CONSUME_MEDIA", "DOWN", "ringing"
        self.profile_index = 1
        self.cause = ""
        self.changed = threading.Condition()
        self.digits: deque[str] = deque()
        self._on_the_line: deque[str] = deque()  # keys that have come; nobody has listened yet
        self.dialed = ""
        self.broadcasts: deque[tuple[str, str]] = deque()
        self.recorders: dict[str, Recorder] = {}
        self.bridge: Bridge | None = None
        self._line: Line | None = None
        self._transfer: tuple[Apps, str] | None = None
        self.refused = False  # the other leg of a bridge asked for is not there
        self._peer_gone = False
        self._thread: threading.Thread | None = None
        self._finished = False
        self._line_is_down = threading.Event()
        self._sound_ends = False  # mostly the far end has hung up; line_ended follows at once
        self.give_up_at: float | None = None  # monotonic; originate_timeout

    # ---- the line reports (main thread)

    def start(self, line: Line) -> None:
        self._line = line
        line.media.on_done = self.notify
        seconds = self.variables.get("originate_timeout", "")
        self.give_up_at = time.monotonic() + (float(seconds) if seconds.isdigit() else 60.0)
        line.dial()

    @property
    def line(self) -> Line:
        assert self._line is not None, "a channel has its line before anything happens to it"
        return self._line

    def ringing(self) -> None:
        if not self.times.progress and not self.cause:
            self.times.progress = now_us()
            self.publish("CHANNEL_PROGRESS")
            self.call_state = "RINGING"

    def early_media(self) -> None:
        if not self.times.progress_media and not self.cause and not self.times.answered:
            self.times.progress_media = now_us()
            self.answer_state = "early"
            self.publish("CHANNEL_PROGRESS_MEDIA")
            self.call_state = "EARLY"
            if self.variables.get("ignore_early_media", "").lower() not in ("true", "ring_ready"):
                self._begin()  # as FreeSWITCH does: the script talks before the callee answers

    def answered(self) -> None:
        if self.times.answered or self.cause:
            return
        self.times.answered = now_us()
        self.answer_state = "answered"
        self.publish("CHANNEL_ANSWER")
        self.call_state = "ACTIVE"
        self._begin()

    def sent_key(self, digit: str) -> None:
        """By the far end. As in FreeSWITCH it waits with the sound until an application takes that:
        a script that begins late, and first drops what was pressed, does not lose it."""
        with self.changed:
            self._on_the_line.append(digit)
            self.changed.notify_all()

    def pressed(self, digit: str) -> None:
        """In the far end's name, by uuid_recv_dtmf: it is heard at once."""
        with self.changed:
            self.digits.append(digit)
            self.dialed += digit
            self.changed.notify_all()

    def sound_ends(self) -> None:
        """The line takes the sound down, and may be some time about it."""
        self._sound_ends = True

    def line_ended(self, cause: str, variables: dict[str, str]) -> None:
        """The far end, or the network, ended it."""
        self._end(cause, variables)

    def tick(self, now: float) -> None:
        """Called often by the main thread: has it rung long enough?"""
        if self.give_up_at is not None and now >= self.give_up_at and self._thread is None:
            self.give_up_at = None
            self.hang_up("NO_ANSWER")

    # ---- anybody

    def hang_up(self, cause: str) -> None:
        """Any thread. Everything blocking on this leg returns; the script goes on."""
        self._end(cause, self.line.our_end(bool(self.times.answered)))

    def _end(self, cause: str, variables: dict[str, str]) -> None:
        with self.changed:
            if self.cause:
                return  # it has ended already; the first cause stays
            self.cause = cause
            self.times.hung_up = now_us()
            self.answer_state = "hangup"
            self.variables.update(variables)
        self.publish("CHANNEL_HANGUP")
        self.call_state = "HANGUP"
        alone = self._thread is None
        self.switch.on_main(lambda: self._hang_up_line(cause, alone))
        self.notify()

    def _hang_up_line(self, cause: str, alone: bool) -> None:
        """Main thread. As in FreeSWITCH, the BYE is out before the leg is said to be complete."""
        try:
            self.line.hang_up(cause)
        finally:
            self._line_is_down.set()
            if alone:
                self._finish()
                self._reply("-ERR " + cause + "\n")

    def notify(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def transfer(self, apps: Apps, inline: str) -> None:
        with self.changed:
            self._transfer = (apps, inline)
            self.changed.notify_all()

    def broadcast(self, app: str, argument: str) -> None:
        with self.changed:
            self.broadcasts.append((app, argument))
            self.changed.notify_all()

    def join(self, bridge: Bridge) -> None:
        with self.changed:
            self.bridge = bridge
            self.changed.notify_all()

    def peer_gone(self) -> None:
        with self.changed:
            self._peer_gone = self.refused = True
            self.changed.notify_all()

    @property
    def ready(self) -> bool:
        """FreeSWITCH's: not hung up, and nothing waits to take the leg elsewhere."""
        return not self.cause and self._transfer is None and self.bridge is None

    def publish(self, name: str, extra: Headers | None = None) -> None:
        event = headers.of_channel(self)
        event.update(extra or {})
        self.switch.publish(name, event)

    def set_variable(self, name: str, value: str | None) -> None:
        """An empty value removes it, as in FreeSWITCH."""
        with self.changed:
            if value:
                self.variables[name] = value
            else:
                self.variables.pop(name, None)

    # ---- the leg's own thread

    def wait(self, seconds: float | None, until: Callable[[], bool]) -> bool:
        """Blocks until `until()`, the time is over or the leg is wanted elsewhere. Seconds are
        divided by the line's speed. Returns until()."""
        deadline = None if seconds is None else time.monotonic() + seconds / self.line.speed
        media = self.line.media
        with self.changed:
            self._listen()
            while self.ready and not until():
                limits = [at for at in (deadline, media.ends_at) if at is not None]
                if deadline is not None and time.monotonic() >= deadline:
                    break
                pause = min(limits) - time.monotonic() if limits else None
                # inf (music for ever on a null line) is no timeout that a lock understands.
                self.changed.wait(None if pause is None or pause > 3_600 else max(0.0, pause))
                self._listen()
            return until()

    def _listen(self) -> None:
        """Under `changed`. Before the applications run, FreeSWITCH takes no sound either."""
        while self._on_the_line and self.state != "CS_CONSUME_MEDIA":
            self.pressed(self._on_the_line.popleft())

    def _begin(self) -> None:
        """Main thread: answered. The apps run in a thread of their own."""
        with self.changed:
            if self._thread is not None or self.cause:
                return
            self.give_up_at = None
            self._thread = threading.Thread(target=self._run, name=self.uuid, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            # FreeSWITCH looks at a call each 20 ms: who hangs up in the breath he answers in is a
            # failed originate, and his script never runs.
            self.wait(_LOOK_EVERY_S, lambda: False)
            if self._sound_ends:
                self.wait(_SOUND_DOWN_S, lambda: False)
            if not self.cause:
                self._reply(f"+OK {self.uuid}\n")
                self._run_all()
        except Exception:
            log.exception("call leg %s failed in the switch itself", self.uuid)
            self.hang_up("DESTINATION_OUT_OF_ORDER")
        finally:
            if self.cause:
                self._line_is_down.wait(_BYE_S)
            self._finish()
            self._reply(f"-ERR {self.cause}\n")

    def _run_all(self) -> None:
        from pocket_switch import applications

        apps, inline = self.apps, self.inline
        while True:
            self.state = "CS_EXECUTE" if inline else "CS_SOFT_EXECUTE"
            if inline:
                headers.enter_inline(self, inline)
            for name, argument in apps:
                if not self.ready:
                    break
                applications.execute(self, name, argument)
            if self.bridge is not None:
                self._bridged(self.bridge)
                return
            with self.changed:
                transfer, self._transfer = self._transfer, None
            if self.cause:
                return
            if transfer is None:
                self.hang_up("NORMAL_CLEARING")
                return
            apps, inline = transfer

    def _bridged(self, bridge: Bridge) -> None:
        """Until either leg hangs up; then both have ended."""
        if self.cause:
            self.switch.bridge_over(self.uuid)
            return
        self.line.media.stop()
        self.line.media.join(bridge.stream)
        self.times.bridged = now_us()
        self.variables["bridge_uuid"] = self.variables["signal_bond"] = bridge.peer_uuid
        self.variables["bridge_channel"] = bridge.peer_name
        both = headers.bridge_headers(self, bridge)
        if bridge.leads:
            self.profile_index += 1
            self.times.profile = now_us()
            self.publish("CHANNEL_BRIDGE", both)
        else:
            self.state = "CS_EXCHANGE_MEDIA"
        with self.changed:
            while not self.cause and not self._peer_gone:
                self.changed.wait()
        self.line.media.join(None)
        bridge.stream.close()
        self.variables["last_bridge_to"] = bridge.peer_uuid
        self.variables["last_bridge_role"] = "originator" if bridge.leads else "originatee"
        self.hang_up("NORMAL_CLEARING")
        if bridge.leads:
            self.publish("CHANNEL_UNBRIDGE", both)
        self.switch.bridge_over(self.uuid)

    def _finish(self) -> None:
        """Once, when the leg has ended and its script has returned."""
        with self.changed:
            if self._finished:
                return
            self._finished = True
        for path in list(self.recorders):
            self.stop_recording(path)
        if self.bridge is not None:
            self.bridge.stream.close()
        self.state = "CS_REPORTING"
        headers.closing_variables(self)
        cdr.write(self, self.switch.options.cdr)
        self.publish("CHANNEL_HANGUP_COMPLETE")
        self.switch.gone(self.uuid)

    def stop_recording(self, path: str) -> None:
        recorder = self.recorders.pop(path, None)
        if recorder is None:
            return
        self.line.media.forget(recorder)
        size = recorder.close()
        self.variables["record_file_size"] = str(size)
        self.variables["record_samples"] = str(recorder.samples)
        self.variables["record_seconds"] = str(recorder.recorded_ms // 1_000)
        self.variables["record_ms"] = str(recorder.recorded_ms)
        self.variables["record_completion_cause"] = "success-silence"

    def _reply(self, reply: str) -> None:
        """To the originate that made this leg: once."""
        job, self.job = self.job, ""
        if job:
            self.switch.job_done(job, reply)
