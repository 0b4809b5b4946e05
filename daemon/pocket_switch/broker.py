"""The parent process: which leg lives in which worker, the limits, the events on their way out."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid as uuids
from dataclasses import dataclass, field
from typing import Any

from pocket_switch import VERSION_TEXT
from pocket_switch.commands import Commands
from pocket_switch.dial_string import DialString, DialStringError, parse
from pocket_switch.esl_server import EslServer
from pocket_switch.events import Headers, Stamp
from pocket_switch.options import Options
from pocket_switch.worker_link import WorkerLink

log = logging.getLogger("pocket.broker")
_HEARTBEAT_S = 20.0
_REFUSED = "DESTINATION_OUT_OF_ORDER"  # what FreeSWITCH calls every limit of its own
_PATIENCE_S = 1.5
_PROFILE = "duecall"  # FreeSWITCH names a gateway's calls by its SIP profile
Message = dict[str, Any]


@dataclass
class Leg:
    """headers: of its latest event; for `show channels`."""

    uuid: str
    worker: WorkerLink
    name: str
    number: str
    variables: dict[str, str]
    job: str  # the originate that waits for it
    created_s: int = field(default_factory=lambda: int(time.time()))
    headers: Headers = field(default_factory=dict)
    peer: str = ""


class Broker:
    def __init__(self, options: Options, password: str) -> None:
        self.options = options
        self.stamp = Stamp(options.core_uuid)
        self.legs: dict[str, Leg] = {}
        self.began = time.monotonic()
        self.since_start = self.peak = 0
        self.calls_per_second, self.max_sessions = options.calls_per_second, options.max_sessions
        self.paused = False
        self._second, self._this_second = 0, 0
        self.last_second = 0
        self._workers: list[WorkerLink] = []
        self._null: WorkerLink | None = None
        self._coming: set[str] = set()  # uuids of originates not answered yet
        self._jobs: dict[str, asyncio.Future[str]] = {}
        self._asked: dict[int, asyncio.Future[Headers | None]] = {}
        self.commands = Commands(self)
        self.server = EslServer(self.commands.run, self._background_job, options.user, password)

    # ---- life

    async def start(self) -> int:
        """Brings up the first worker and the Event Socket; returns its port."""
        if self.options.workers:
            first = await self._start_worker(0)
            if not await first.ready():
                raise RuntimeError(
                    "the first SIP worker did not come up (its error stands above); is UDP port "
                    f"{self.options.sip_port_base} free? --sip-port-base chooses another"
                )
        port = await self.server.listen(self.options.host, self.options.esl_port)
        self._beat = asyncio.get_running_loop().create_task(self._heartbeat())
        return port

    async def stop(self) -> None:
        self._publish("SHUTDOWN", {"Event-Info": "System Shutting Down"})
        self._beat.cancel()
        workers = [*self._workers, *([self._null] if self._null else [])]
        await asyncio.gather(*(worker.stop(4.0) for worker in workers))
        await self.server.close()

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            self._publish("HEARTBEAT", self.commands.heartbeat())

    # ---- originate

    async def originate(self, text: str) -> str:
        """Blocks until answered (`+OK uuid`) or failed (`-ERR CAUSE`), as there."""
        try:
            dial = parse(text)
        except DialStringError as error:
            return str(error)
        uuid = dial.variables.get("origination_uuid", "") or str(uuids.uuid4())
        try:
            endpoint = self._resolve(dial)
        except DialStringError as error:
            return f"-ERR {error}\n"
        if uuid in self.legs or uuid in self._coming or not self._admit():
            return f"-ERR {_REFUSED}\n"
        self._coming.add(uuid)
        try:
            return await self._place(uuid, dial, endpoint)
        finally:
            self._coming.discard(uuid)

    async def _place(self, uuid: str, dial: DialString, endpoint: dict[str, str]) -> str:
        """In the first worker that has room; PJSIP may see that it has none after all."""
        full: set[WorkerLink] = set()
        patience_ends = time.monotonic() + _PATIENCE_S
        while True:
            worker = await self._worker_for(dial.endpoint, uuid, full)
            if worker is None and time.monotonic() < patience_ends:
                # A call that has just ended may still be on its way out of PJSIP.
                await asyncio.sleep(0.02)
                full.clear()
                continue
            if worker is None:
                break
            job = str(uuids.uuid4())
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._jobs[job] = future
            leg = Leg(uuid, worker, endpoint["name"], endpoint["number"], dial.variables, job)
            self.legs[uuid] = leg
            self.peak = max(self.peak, len(self.legs))
            message: Message = {"do": "originate", "uuid": uuid, "job": job}
            message |= {"endpoint": dial.endpoint, "variables": dial.variables}
            message |= {"apps": dial.apps, "inline": dial.inline}
            worker.send(message | endpoint)
            if reply := await future:
                self.since_start += 1
                return reply
            full.add(worker)
            worker.legs.discard(uuid)
            self.legs.pop(uuid, None)
        log.error("no line is free in %d SIP workers of 4 calls; see --workers", len(self._workers))
        return f"-ERR {_REFUSED}\n"

    def _resolve(self, dial: DialString) -> dict[str, str]:
        """Where it goes. Raises DialStringError with the cause."""
        if dial.endpoint == "null":
            return {"name": "null/" + dial.path, "number": dial.path, "uri": "", "profile": ""}
        if dial.endpoint != "sofia":
            raise DialStringError("CHAN_NOT_IMPLEMENTED")
        profile, _, rest = dial.path.partition("/")
        if profile == "gateway":
            gateway, _, number = rest.partition("/")
            if gateway not in self.options.gateways:
                raise DialStringError("INVALID_GATEWAY")
            uri = f"sip:{number}@{self.options.gateways[gateway]}"
            name = f"sofia/{_PROFILE}/{number}"
            return {"name": name, "number": number, "uri": uri, "profile": _PROFILE}
        address = rest.removeprefix("sip:")
        number, at, host = address.partition("@")
        if not at or not host:
            raise DialStringError("INVALID_URL")
        name = f"sofia/{profile}/{address}"
        return {"name": name, "number": number, "uri": "sip:" + address, "profile": profile}

    def _admit(self) -> bool:
        """Over-limit calls are refused, not queued."""
        second = int(time.monotonic())
        if second != self._second:
            self.last_second = self._this_second if second == self._second + 1 else 0
            self._second, self._this_second = second, 0
        if self.paused or len(self.legs.keys() | self._coming) >= self.max_sessions:
            return False
        if self._this_second >= self.calls_per_second:
            return False
        self._this_second += 1
        return True

    async def _worker_for(
        self, endpoint: str, uuid: str, full: set[WorkerLink]
    ) -> WorkerLink | None:
        if endpoint == "null":
            if self._null is None:
                self._null = WorkerLink(self.options, None, self._heard, self._died)
                await self._null.start()
            worker: WorkerLink | None = self._null
        else:
            rooms = [w for w in self._workers if w.has_room and not w.stopping and w not in full]
            worker = rooms[0] if rooms else None
            free = set(range(self.options.workers)) - {w.number for w in self._workers}
            if worker is None and free:
                worker = await self._start_worker(min(free))
        if worker is None:
            return None
        worker.legs.add(uuid)
        if not await worker.ready():
            worker.legs.discard(uuid)
            return None
        return worker

    async def _start_worker(self, number: int) -> WorkerLink:
        worker = WorkerLink(self.options, number, self._heard, self._died)
        self._workers.append(worker)
        await worker.start()
        return worker

    # ---- legs

    def tell(self, uuid: str, message: Message) -> bool:
        """To the worker of this leg. False: no such leg."""
        leg = self.legs.get(uuid)
        if leg is None:
            return False
        leg.worker.send({"uuid": uuid, **message})
        return True

    async def dump(self, uuid: str) -> Headers | None:
        ask = len(self._asked) + time.monotonic_ns()
        future = self._asked[ask] = asyncio.get_running_loop().create_future()
        if not self.tell(uuid, {"do": "dump", "ask": ask}):
            del self._asked[ask]
            return None
        event = await future
        return None if event is None else self.stamp("CHANNEL_DATA", event)

    # ---- what workers say

    def _heard(self, worker: WorkerLink, message: Message) -> None:
        if "event" in message:
            event = message["headers"]
            if leg := self.legs.get(event.get("Unique-ID", "")):
                leg.headers = event
            self._publish(message["event"], event, message["at"], message.get("body", ""))
        elif "answer" in message:
            if future := self._asked.pop(message["answer"], None):
                future.set_result(message["leg"])
        elif "job" in message:
            if waiting := self._jobs.pop(message["job"], None):
                waiting.set_result(message["reply"])
        elif "gone" in message:
            self._forget(message["gone"])
        elif "free" in message:
            worker.legs.discard(message["free"])
        elif "bridge" in message:
            if not self.tell(message["bridge"], {**message, "do": "bridge"}):
                self.tell(message["uuid"], {"do": "peer_gone"})
        elif "refused" in message:
            self.tell(message["refused"], {"do": "peer_gone"})
        elif "bridged" in message:
            a, b = message["bridged"], message["uuid"]
            if a in self.legs and b in self.legs:
                self.legs[a].peer, self.legs[b].peer = b, a
                self.legs[a].worker.send({**message, "do": "bridged"})
            else:
                self.tell(b, {"do": "peer_gone"})
        elif "bridge_over" in message:
            self._end_peer(message["bridge_over"])

    def _forget(self, uuid: str) -> None:
        self._end_peer(uuid)
        self.legs.pop(uuid, None)

    def _end_peer(self, uuid: str) -> None:
        leg = self.legs.get(uuid)
        if leg is not None and leg.peer:
            self.tell(leg.peer, {"do": "peer_gone"})

    def _died(self, worker: WorkerLink) -> None:
        """A worker must not die; if it does, its calls are over and everybody is told."""
        if worker in self._workers:
            if not worker.stopping:
                log.error("SIP worker %s died with %d legs", worker.name, len(worker.legs))
            worker.stopping = True
            self._workers.remove(worker)  # another takes its place when needed
        if worker is self._null:
            self._null = None
        for uuid in list(worker.legs):
            leg = self.legs.get(uuid)
            if leg is not None:
                event = {**leg.headers, "Unique-ID": uuid, "Hangup-Cause": "CRASH"}
                self._publish("CHANNEL_HANGUP_COMPLETE", event)
                if waiting := self._jobs.pop(leg.job, None):
                    waiting.set_result("-ERR CRASH\n")
            self._forget(uuid)
        worker.legs.clear()

    # ---- events

    def _publish(
        self, name: str, headers: Headers, at_us: int | None = None, body: str = ""
    ) -> None:
        self.server.publish(self.stamp(name, headers, at_us), body)

    def _background_job(self, job: str, command: str, argument: str, reply: str) -> None:
        headers = {"Job-UUID": job, "Job-Command": command}
        if argument:
            headers["Job-Command-Arg"] = argument
        self._publish("BACKGROUND_JOB", headers, body=reply)


async def serve(options: Options, password: str, until: asyncio.Event) -> None:
    """Runs the switch until the event is set."""
    broker = Broker(options, password)
    port = await broker.start()
    log.info("%s: Event Socket on %s:%d", VERSION_TEXT, options.host, port)
    try:
        await until.wait()
    finally:
        await broker.stop()
