"""A worker process: some call legs and, unless it is the null worker, a SIP stack for them.

Talks to the broker over one inherited socket, a JSON object a line, both ways. When that socket
closes, the broker is gone and the worker hangs everything up and ends.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pocket_switch import freeswitch_module, headers
from pocket_switch.applications import broadcast_app
from pocket_switch.channel import Bridge, Channel
from pocket_switch.dial_string import inline_apps
from pocket_switch.events import Headers
from pocket_switch.media import MediaBus, new_token
from pocket_switch.null_line import NullLine
from pocket_switch.options import RTP_PORTS_PER_WORKER, SIP_PORT_TRIES, WORKERS_MAX, Options

if TYPE_CHECKING:
    from pocket_switch.sip_line import SipStack

log = logging.getLogger("pocket.worker")
_POLL_MS = 10
Message = dict[str, Any]


class Worker:
    """number: place among the SIP workers, from 0; None: the null worker."""

    def __init__(self, options: Options, number: int | None, link: socket.socket) -> None:
        self.options = options
        self._link = link
        self._link_lock = threading.Lock()
        self._todo: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._channels: dict[str, Channel] = {}
        self._tokens: dict[str, str] = {}  # leg that leads a bridge to come -> its token
        self._bus = MediaBus()
        self._stopping = False
        self.stack: SipStack | None = None
        if number is not None:
            from pocket_switch.sip_line import SipStack

            self.stack = SipStack(
                options.host,
                range(
                    options.sip_port_base + number,
                    options.sip_port_base + number + SIP_PORT_TRIES * WORKERS_MAX,
                    WORKERS_MAX,
                ),
                options.rtp_port_base + number * RTP_PORTS_PER_WORKER,
                options.log,
            )
        freeswitch_module.install(self._publish_custom)

    def run(self) -> None:
        threading.Thread(target=self._read, name="broker-link", daemon=True).start()
        self._send({"ready": True})
        while not self._stopping:
            self._turn()
        self._hang_up_all()
        if self.stack is not None:
            self.stack.close()

    def _turn(self) -> None:
        if self.stack is not None:
            self.stack.poll(_POLL_MS)
            self._run_queued()
        else:
            self._run_queued(wait_s=0.25)
        now = time.monotonic()
        for channel in list(self._channels.values()):
            channel.tick(now)

    def _run_queued(self, wait_s: float = 0.0) -> None:
        """What other threads asked for, in its order; waits for the first of it."""
        while True:
            try:
                action = self._todo.get(wait_s > 0, wait_s or None)
            except queue.Empty:
                return
            wait_s = 0.0
            try:
                action()
            except Exception:
                log.exception("a command failed in the switch itself")

    def _hang_up_all(self) -> None:
        for channel in list(self._channels.values()):
            channel.hang_up("SYSTEM_SHUTDOWN")
        until = time.monotonic() + 2.0
        while self._channels and time.monotonic() < until:
            self._turn()

    # ---- what channels ask (any thread)

    def publish(self, name: str, event: Headers) -> None:
        self._send({"event": name, "headers": event, "at": time.time_ns() // 1_000})

    def _publish_custom(self, name: str, event: Headers, body: str) -> None:
        at_us = time.time_ns() // 1_000
        self._send({"event": name, "headers": event, "at": at_us, "body": body})

    def job_done(self, job: str, reply: str) -> None:
        self._send({"job": job, "reply": reply})

    def on_main(self, action: Callable[[], None]) -> None:
        self._todo.put(action)

    def gone(self, uuid: str) -> None:
        self._channels.pop(uuid, None)
        self._send({"gone": uuid})
        if self.stack is None:
            self._send({"free": uuid})

    def ask_bridge(self, originator: str, callee: str) -> None:
        token = self._tokens[originator] = new_token()
        self._bus.open(token)
        self._send({"bridge": callee, **self._card(originator, token)})

    def bridge_over(self, uuid: str) -> None:
        self._send({"bridge_over": uuid})

    def _card(self, uuid: str, token: str) -> Message:
        """What the other leg of a bridge must know of this one."""
        channel = self._channels[uuid]
        return {
            "uuid": uuid,
            "name": channel.name,
            "port": self._bus.port,
            "token": token,
            "profile": headers.profile(channel, "Other-Leg"),
        }

    # ---- what the broker asks (main thread)

    def _originate(self, message: Message) -> None:
        variables = message["variables"]
        uuid = message["uuid"]
        channel = Channel(
            self,
            uuid,
            message["name"],
            message["number"],
            {},
            [(name, data) for name, data in message["apps"]],
            message["inline"],
            message["job"],
        )
        first = headers.first_variables(channel, message["endpoint"], message["profile"])
        channel.variables = {**first, **variables}
        self._channels[uuid] = channel
        if self.stack is None:
            channel.start(NullLine(channel, self.options.null_speed))
            return
        from pocket_switch.sip_line import NoRoom, SipLine

        caller = (
            variables.get("origination_caller_id_name", ""),
            variables.get("origination_caller_id_number", ""),
        )
        host, _, port = message["uri"].rpartition("@")[2].partition(":")
        channel.variables |= {
            "sip_req_uri": message["uri"].removeprefix("sip:"),
            "sip_destination_url": message["uri"],
            "sip_to_user": message["number"],
            "sip_to_host": host,
            "sip_network_ip": host,
            "sip_network_port": port or "5060",
        }
        line = SipLine(
            self.stack, channel, message["uri"], caller, lambda: self._send({"free": uuid})
        )
        try:
            channel.start(line)
        except NoRoom:
            del self._channels[uuid]
            self.job_done(message["job"], "")  # the broker looks elsewhere

    def _kill(self, message: Message) -> None:
        if channel := self._channels.get(message["uuid"]):
            channel.hang_up(message["cause"])

    def _transfer(self, message: Message) -> None:
        if channel := self._channels.get(message["uuid"]):
            channel.transfer(inline_apps(message["apps"]), message["apps"])

    def _broadcast(self, message: Message) -> None:
        if channel := self._channels.get(message["uuid"]):
            channel.broadcast(*broadcast_app(message["path"]))

    def _setvar(self, message: Message) -> None:
        if channel := self._channels.get(message["uuid"]):
            channel.set_variable(message["name"], message["value"])

    def _digits(self, message: Message) -> None:
        if channel := self._channels.get(message["uuid"]):
            for digit in message["digits"]:
                channel.pressed(digit)

    def _dump(self, message: Message) -> None:
        channel = self._channels.get(message["uuid"])
        self._send(
            {"answer": message["ask"], "leg": headers.of_channel(channel) if channel else None}
        )

    def _bridge(self, message: Message) -> None:
        """The callee's side: another leg wants to talk with this one."""
        channel, peer = self._channels.get(message["bridge"]), message
        if channel is None or channel.cause or channel.bridge is not None:
            self._send({"refused": peer["uuid"]})
            return
        token = new_token()
        stream = self._bus.stream(token, peer["port"], peer["token"])
        channel.join(Bridge(peer["uuid"], peer["name"], False, stream, peer["profile"]))
        self._send({"bridged": peer["uuid"], **self._card(channel.uuid, token)})

    def _bridged(self, message: Message) -> None:
        """The originator's side: the other leg is willing."""
        channel = self._channels.get(message["bridged"])
        token = self._tokens.pop(message["bridged"], "")
        if channel is None or not token:
            self._send({"bridge_over": message["bridged"]})
            return
        stream = self._bus.stream(token, message["port"], message["token"])
        channel.join(Bridge(message["uuid"], message["name"], True, stream, message["profile"]))

    def _peer_gone(self, message: Message) -> None:
        if channel := self._channels.get(message["uuid"]):
            channel.peer_gone()

    def _stop(self, message: Message) -> None:
        self._stopping = True

    # ---- the link

    def _send(self, message: Message) -> None:
        data = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"
        with self._link_lock:
            try:
                self._link.sendall(data)
            except OSError:
                self._stopping = True

    def _read(self) -> None:
        does: dict[str, Callable[[Message], None]] = {
            "originate": self._originate,
            "kill": self._kill,
            "transfer": self._transfer,
            "broadcast": self._broadcast,
            "setvar": self._setvar,
            "digits": self._digits,
            "dump": self._dump,
            "bridge": self._bridge,
            "bridged": self._bridged,
            "peer_gone": self._peer_gone,
            "stop": self._stop,
        }
        with self._link.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                self._todo.put(lambda do=does[message["do"]], what=message: do(what))  # type: ignore[misc]
        self._todo.put(lambda: self._stop({}))


def main() -> None:
    """`python -m pocket_switch.worker FD NUMBER`; options as JSON in the first line of the link.

    The link is a socket inherited as file descriptor FD; NUMBER is `null` for the null worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal: the broker tells us
    link = socket.socket(fileno=int(sys.argv[1]))
    first = bytearray()
    while not first.endswith(b"\n"):
        first += link.recv(1) or b"\n"
    options = Options.decode(first.decode())
    number = None if sys.argv[2] == "null" else int(sys.argv[2])
    logging.basicConfig(
        level=options.log,
        stream=sys.stderr,
        format=f"%(asctime)s %(levelname)s worker-{sys.argv[2]} %(name)s: %(message)s",
    )
    Worker(options, number, link).run()
    sys.stderr.flush()
    os._exit(0)  # threads of scripts that ignore a hang-up must not keep the process


if __name__ == "__main__":
    main()
