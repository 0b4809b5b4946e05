"""One connection to a switch's Event Socket: commands one way, events the other.

Built on greenswitch, whose InboundESL it replaces piece by piece where that freezes the hub, waits
for ever, mixes up replies or lets a header be forged; no type of greenswitch is seen outside. A
link lives once: when it is lost, make a new one (shell/switch.py does).
"""

from __future__ import annotations

import contextlib
import logging
import struct
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import gevent
import gevent.event
import gevent.lock
import gevent.socket
import greenswitch

from duecall.shell.esl_command import COMMAND_TIMEOUT_S, Pending, accepted, command_bytes
from duecall.shell.esl_errors import (
    CommandRefused,
    LinkLost,
    NotReady,
    SwitchNotThere,
    WrongPassword,
)
from duecall.shell.esl_frames import Frame, FrameReader, Headers, ProtocolError, decode_event

log = logging.getLogger(__name__)

RECV_BYTES = 256 * 1024
QUEUE_MAX_EVENTS = 20_000  # ~10 KB each; more wait in the switch, which drops at 100,000
EVENTS_A_TURN = 64  # then the other greenlets get theirs
# Not 0: `gevent.sleep(0)` lets timers and sockets wait for 50 such turns (gevent's
# CALLBACK_CHECK_COUNT), which is a third of a second of reading.
PAUSE_S = 1e-6
SILENCE_S = 60.0  # the switch says HEARTBEAT each 20 s
CONNECT_TIMEOUT_S = 5.0


@dataclass(slots=True)
class LinkStatistics:
    """Since the link was made. queue_high_water: most events that ever waited to be handled."""

    bytes: int = 0
    events: int = 0
    replies: int = 0
    bad_events: int = 0
    queue_high_water: int = 0


class EslLink(greenswitch.InboundESL):  # type: ignore[misc]
    """user: `name@domain` of the switch's directory; empty: the switch's one password (`auth`).

    password_source: said where the password is wrong. silence_s: the link is lost when nothing at
    all was heard for so long; None on links that carry no events.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        *,
        password_source: str = "",
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        silence_s: float | None = SILENCE_S,
        queue_max: int = QUEUE_MAX_EVENTS,
    ) -> None:
        super().__init__(host, port, password, timeout=connect_timeout_s)
        self.lost = gevent.event.Event()
        self.lost_reason = ""
        self.statistics = LinkStatistics()
        self._user = user
        self._password_source = password_source
        self._silence_s = silence_s
        self._queue_max = queue_max
        self._frames = FrameReader()
        self._authenticated = False
        self._waiting: deque[Pending] = deque()  # in the order sent, as replies have no number
        self._sending = gevent.lock.Semaphore(1)
        self._events: deque[Headers] = deque()
        self._event_came = gevent.event.Event()
        self._heard_s = time.monotonic()
        self._since_turn = 0
        self._greenlets: list[gevent.Greenlet] = []

    # ---- life

    def connect(self) -> None:
        """Raises SwitchNotThere, WrongPassword or LinkLost; each stage takes connect_timeout_s at
        most."""
        where = f"{self.host}:{self.port}"
        try:
            self.sock = gevent.socket.create_connection((self.host, self.port), self.timeout)
        except OSError as error:
            raise SwitchNotThere(
                f"no switch at {where} ({error}). Is FreeSWITCH running, and does its "
                "event_socket.conf listen there (config.yaml: switch.host, switch.port)?"
            ) from None
        self.sock.settimeout(None)
        _tune(self.sock)
        self.connected = True
        self._heard_s = time.monotonic()
        self._greenlets.append(gevent.spawn(self.receive_events))
        try:
            if not self._auth_request_event.wait(self.timeout):
                raise SwitchNotThere(
                    f"whatever listens at {where} is no Event Socket: it did not ask for a "
                    f"password within {self.timeout:g} s (config.yaml: switch.port)"
                )
            if self.lost.is_set():
                raise SwitchNotThere(f"the switch at {where} turned us away: {self.lost_reason}")
            self.authenticate()
        except BaseException:
            self._lose("not connected")
            raise
        if self._silence_s is not None:
            self._greenlets.append(gevent.spawn(self._watch, self._silence_s))

    def authenticate(self) -> None:
        """Say who we are. Raises WrongPassword, LinkLost or CommandTimeout."""
        line = f"userauth {self._user}:{self.password}" if self._user else f"auth {self.password}"
        reply = self._post(line, {}, "userauth", self.timeout).wait(self.timeout)
        if reply.headers.get("Reply-Text") != "+OK accepted":
            source = f" (from {self._password_source})" if self._password_source else ""
            raise WrongPassword(
                f"the switch at {self.host}:{self.port} refuses user {self._user or 'default'} "
                f"with the password that we have{source}. It must be the one of esl-password in "
                "FreeSWITCH's directory"
            )
        self._authenticated = True

    def close(self) -> None:
        """End the link; whoever waits on it gets LinkLost. May be called twice."""
        self._lose("closed by us")

    def stop(self) -> None:
        """greenswitch's name for it."""
        self.close()

    # ---- commands

    @property
    def outstanding(self) -> int:
        """Commands that were sent and not answered yet."""
        return len(self._waiting)

    def start(self, line: str, headers: Mapping[str, str] | None = None, what: str = "") -> Pending:
        """Send a command and do not wait for its reply; many may be under way at a time.

        what: for messages, in place of the line's first two words. Raises UnsafeLine, or NotReady:
        then, and only then, it is sure that the switch never saw the command.
        """
        return self._post(line, headers or {}, what or " ".join(line.split(" ", 2)[:2]))

    def command(
        self,
        line: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> str:
        """Send, wait, and return the Reply-Text (`+OK …` or `-ERR …`)."""
        return self.start(line, headers).wait(timeout_s).headers.get("Reply-Text", "")

    def api(self, line: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Carry out an API command in the switch and return what it prints.

        Raises CommandRefused where esl-allowed-api of our user does not name it.
        """
        reply = self.start("api " + line, what=line.split(" ", 1)[0]).wait(timeout_s)
        if reply.kind != "api/response":
            raise CommandRefused(
                f"the switch refuses `{line.split(' ', 1)[0]}`: "
                f"{reply.headers.get('Reply-Text', reply.kind)} (esl-allowed-api of the user "
                f"{self._user} in FreeSWITCH's directory)"
            )
        return reply.text

    def bgapi(self, line: str, job_uuid: str, timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        """Start an API command in the background; BACKGROUND_JOB with this Job-UUID tells its end.

        Raises CommandRefused when the switch did not take it.
        """
        accepted(self.start_bgapi(line, job_uuid).wait(timeout_s))

    def start_bgapi(self, line: str, job_uuid: str) -> Pending:
        """As `bgapi`, without waiting: give the reply to `accepted`."""
        return self.start("bgapi " + line, {"Job-UUID": job_uuid}, line.split(" ", 1)[0])

    def subscribe(
        self,
        names: tuple[str, ...],
        custom: tuple[str, ...] = (),
        filters: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Let these events come, as JSON. filters: (header, value); an event with any one of them
        passes. They are set before, so that nothing else slips through."""
        for header, value in filters:
            self._expect_ok(f"filter {header} {value}")
        # Whatever stands behind CUSTOM is taken for a subclass: it comes last.
        words = ["event", "json", *names, *(["CUSTOM", *custom] if custom else [])]
        self._expect_ok(" ".join(words))

    # ---- events

    def events(self) -> Iterator[Headers]:
        """Events as they come, in order; ends when the link is lost and all were handed out."""
        turn = 0
        while True:
            while self._events:
                yield self._events.popleft()
                turn += 1
                if turn % EVENTS_A_TURN == 0:
                    gevent.sleep(PAUSE_S)
            if self.lost.is_set():
                return
            self._event_came.clear()
            self._event_came.wait()

    def drain(self, quiet_s: float = 0.1, limit_s: float = 2.0) -> None:
        """Returns when nothing more comes: the link is lost, silent for quiet_s, or limit_s over.

        For the last words of a switch whose other links are lost already.
        """
        until_s = time.monotonic() + limit_s
        seen = -1
        while seen != self.statistics.bytes and time.monotonic() < until_s:
            seen = self.statistics.bytes
            if self.lost.wait(quiet_s):
                return

    # ---- inside: what greenswitch would do, done anew

    def receive_events(self) -> None:
        """The reading greenlet; it ends with the link."""
        reason = "the switch closed the connection"
        try:
            while True:
                data = self.sock.recv(RECV_BYTES)
                if not data:
                    if self._frames.inside_a_frame:
                        reason += " in the middle of a message"
                    break
                self._heard_s = time.monotonic()
                self.statistics.bytes += len(data)
                for frame in self._frames.feed(data):
                    self.handle_event(frame)
                    self._take_turns()
                if not self._authenticated:
                    cut = self._frames.cut_reply()
                    if cut is not None:
                        self.handle_event(cut)
        except ProtocolError as error:
            reason = f"what came is no Event Socket message: {error}"
        except _Over as error:
            reason = str(error)
        except OSError as error:
            reason = f"reading failed: {error}"
        finally:
            self._lose(reason)

    def handle_event(self, frame: Frame) -> None:
        """Give one frame to whom it belongs."""
        if frame.kind in ("text/event-json", "text/event-plain"):
            self._keep_event(frame)
        elif frame.kind in ("command/reply", "api/response"):
            self.statistics.replies += 1
            if not self._waiting:
                raise ProtocolError("a reply to nothing")
            self._waiting.popleft().settle(frame)
        elif frame.kind == "auth/request":
            self._auth_request_event.set()
        elif frame.kind == "text/disconnect-notice":
            raise _Over("the switch said goodbye: " + frame.text.split("\n", 1)[0][:200])
        elif frame.kind == "text/rude-rejection":
            raise _Over("its access list (apply-inbound-acl in event_socket.conf) is against us")
        else:
            log.warning("a frame of unknown kind was skipped: kind=%r", frame.kind[:80])

    def send(self, data: str) -> Frame:
        """greenswitch's door to the wire, with the guard and the time-out."""
        return self.start(data).wait()

    def _keep_event(self, frame: Frame) -> None:
        try:
            event = decode_event(frame)
        except ValueError as error:
            self.statistics.bad_events += 1
            log.error("an event could not be read: bytes=%d error=%s", len(frame.body), error)
            return
        if len(self._events) >= self._queue_max:
            raise _Over(
                f"{len(self._events)} events wait to be handled: we are too slow, and what the "
                "switch keeps for us it may drop; starting again from what it says is alive"
            )
        self._events.append(event)
        self.statistics.events += 1
        self.statistics.queue_high_water = max(self.statistics.queue_high_water, len(self._events))
        self._event_came.set()

    def _take_turns(self) -> None:
        """While data flows recv never waits: without this no other greenlet would run."""
        self._since_turn += 1
        if self._since_turn >= EVENTS_A_TURN:
            self._since_turn = 0
            gevent.sleep(PAUSE_S)

    def _post(
        self,
        line: str,
        headers: Mapping[str, str],
        what: str,
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> Pending:
        data = command_bytes(line, headers)
        if not self._sending.acquire(timeout=timeout_s):
            raise NotReady(f"`{what}` was not sent: the link is blocked by an earlier command")
        try:
            if self.lost.is_set() or not self.connected:
                raise NotReady(f"`{what}` was not sent: {self.lost_reason or 'not connected'}")
            pending = Pending(what)
            # Both under the lock, or two greenlets' replies would change places.
            self._waiting.append(pending)
            limit = gevent.Timeout.start_new(timeout_s)
            # Where sending stops in the middle, nothing more can be said on this link: all that
            # wait on it, `pending` too, hear that it is lost.
            try:
                self.sock.sendall(data)
            except OSError as error:
                self._lose(f"sending failed: {error}")
            except BaseException as error:  # a time limit, ours or not; or the greenlet's end
                self._lose(f"sending failed: {error!r}")
                if error is not limit:
                    raise
            finally:
                limit.close()
            return pending
        finally:
            self._sending.release()

    def _expect_ok(self, line: str) -> None:
        reply = self.command(line)
        if not reply.startswith("+OK"):
            raise CommandRefused(
                f"the switch answers `{line}` with {reply!r} (esl-allowed-events of the user "
                f"{self._user} in FreeSWITCH's directory)"
            )

    def _watch(self, silence_s: float) -> None:
        while not self.lost.wait(silence_s / 8):
            if time.monotonic() - self._heard_s > silence_s:
                self._lose(f"the switch said nothing for {silence_s:g} s, not even a heartbeat")

    def _lose(self, reason: str) -> None:
        """The end, whoever finds it first; wakes everyone who waits."""
        if self.lost.is_set():
            return
        self.lost_reason = reason
        self.connected = False
        self._run = False
        self.lost.set()
        sock = getattr(self, "sock", None)
        if sock is not None:
            if self._waiting:
                _forget_unsent(sock)
            sock.close()
        while self._waiting:
            pending = self._waiting.popleft()
            pending.fail(
                LinkLost(f"the link was lost before `{pending.what}` was answered: {reason}")
            )
        self._auth_request_event.set()
        self._event_came.set()


class _Over(Exception):
    """The link ends, for this reason."""


def _forget_unsent(sock: gevent.socket.socket) -> None:
    """What the switch's machine has not taken is dropped when the socket is closed. Else a network
    that comes back after minutes would deliver an originate that everybody has given up."""
    with contextlib.suppress(OSError):
        at_once = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds (socket(7))
        sock.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_LINGER, at_once)


def _tune(sock: gevent.socket.socket) -> None:
    sock.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
    sock.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(gevent.socket, name):  # not on every system
            sock.setsockopt(gevent.socket.IPPROTO_TCP, getattr(gevent.socket, name), value)
