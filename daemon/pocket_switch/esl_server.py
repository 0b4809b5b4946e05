"""The Event Socket server: frames, log-in, subscriptions. What a command does is in commands.py."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import uuid
from collections.abc import Awaitable, Callable

from pocket_switch.events import FORMATS, Headers

log = logging.getLogger("pocket.esl")
_MOST_WAITING_BYTES = 64 * 1024 * 1024  # a client that does not read is dropped, not buffered on
_LONGEST_COMMAND = 1024 * 1024
_GOODBYE = b"Disconnected, goodbye.\nThis was Duecall's pocket switch.\n"

Run = Callable[[str, str], Awaitable[str]]  # (command, argument) -> reply body
JobDone = Callable[[str, str, str, str], None]  # (job, command, argument, reply body)


class EslServer:
    """run: carries out an API command; job_done: one that came by bgapi has its answer.

    user: `name@domain` that userauth must give.
    """

    def __init__(self, run: Run, job_done: JobDone, user: str, password: str) -> None:
        self._run, self._job_done, self._user, self._password = run, job_done, user, password
        self._jobs: set[asyncio.Task[None]] = set()
        self._links: set[EslLink] = set()
        self._server: asyncio.AbstractServer | None = None

    async def listen(self, host: str, port: int) -> int:
        """The port it listens on. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LONGEST_COMMAND)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.close()

    def publish(self, event: Headers, body: str = "") -> None:
        """To every link that subscribed to it and whose filters let it through."""
        encoded: dict[str, bytes] = {}
        for link in list(self._links):
            if link.wants(event):
                if link.format not in encoded:
                    encoded[link.format] = FORMATS[link.format](event, body)
                link.send_event(encoded[link.format])

    def allows(self, command: str, argument: str) -> bool:
        """`auth PASSWORD` or `userauth USER@DOMAIN:PASSWORD`."""
        user, _, password = ("", "", argument) if command == "auth" else argument.rpartition(":")
        right = command == "auth" or hmac.compare_digest(user.encode(), self._user.encode())
        return hmac.compare_digest(password.encode(), self._password.encode()) and right

    async def run(self, command: str, argument: str) -> str:
        return await self._run(command, argument) or "-ERR no reply\n"

    def start_job(self, job: str, command: str, argument: str) -> None:
        async def work() -> None:
            self._job_done(job, command, argument, await self.run(command, argument))

        task = asyncio.get_running_loop().create_task(work())
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = EslLink(self, reader, writer)
        self._links.add(link)
        try:
            await link.serve()
        except (ConnectionError, ValueError) as error:  # ValueError: a line without an end
            log.info("an Event Socket link ended: %s", error)
        finally:
            self._links.discard(link)
            writer.close()


class EslLink:
    """One client. Commands are answered in their order; bgapi answers come as events."""

    def __init__(
        self, server: EslServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self.format = "plain"
        self._events: set[str] = set()
        self._subclasses: set[str] = set()
        self._filters: list[tuple[str, str]] = []

    async def serve(self) -> None:
        self._writer.write(b"Content-Type: auth/request\n\n")
        if not await self._log_in():
            return
        while (lines := await self._read_command()) is not None:
            if not await self._obey(lines):
                return

    async def _log_in(self) -> bool:
        while (lines := await self._read_command()) is not None:
            command, _, argument = lines[0].partition(" ")
            if command not in ("auth", "userauth"):
                self._reply("-ERR command not found")
            elif self._server.allows(command, argument.strip()):
                self._reply("+OK accepted")
                return True
            else:
                self._reply("-ERR invalid")
                self._goodbye()
                return False
        return False

    async def _read_command(self) -> list[str] | None:
        """Its lines, without the blank one that ends it; None at the end of the connection."""
        lines: list[str] = []
        while True:
            raw = await self._reader.readline()
            if not raw:
                return None
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line:
                lines.append(line)
            elif lines:
                return lines

    async def _obey(self, lines: list[str]) -> bool:
        """False: the client said good-bye."""
        command, _, argument = lines[0].strip().partition(" ")
        argument = argument.strip()
        if command in ("exit", "..."):
            self._reply("+OK bye")
            self._goodbye()
            return False
        if command == "api" and argument:
            await self._api(argument)
        elif command == "bgapi" and argument:
            self._bgapi(argument, lines[1:])
        elif command == "event":
            self._subscribe(argument)
        elif command == "nixevent":
            self._events -= set(argument.split())
            self._reply("+OK events nixed")
        elif command == "noevents":
            self._forget_events()
        elif command == "filter" and argument:
            self._filter(argument)
        elif command == "linger":
            self._reply("-ERR not controlling a session")
        else:
            self._reply("-ERR command not found")
        await self._writer.drain()
        return True

    async def _api(self, text: str) -> None:
        command, _, argument = text.partition(" ")
        body = (await self._server.run(command, argument.strip())).encode()
        head = f"Content-Type: api/response\nContent-Length: {len(body)}\n\n"
        self._writer.write(head.encode() + body)

    def _bgapi(self, text: str, more: list[str]) -> None:
        job = str(uuid.uuid4())
        for line in more:
            name, _, value = line.partition(":")
            if name.strip().lower() == "job-uuid" and value.strip():
                job = value.strip()
        self._reply(f"+OK Job-UUID: {job}", f"Job-UUID: {job}\n")
        command, _, argument = text.partition(" ")
        self._server.start_job(job, command, argument.strip())

    def _subscribe(self, argument: str) -> None:
        words = argument.split()
        if words and words[0].lower() in FORMATS:
            self.format = words.pop(0).lower()
        if not words:
            self._reply("-ERR no keywords supplied")
            return
        for place, word in enumerate(words):
            name = word.upper()
            if name == "CUSTOM":  # everything after it is a subclass
                self._events.add("CUSTOM")
                self._subclasses |= set(words[place + 1 :])
                break
            self._events.add(name)
        self._reply(f"+OK event listener enabled {self.format}")

    def _forget_events(self) -> None:
        had, self._events, self._subclasses = bool(self._events), set(), set()
        self._reply(
            "+OK no longer listening for events" if had else "-ERR not listening for events"
        )

    def _filter(self, argument: str) -> None:
        """Positive filters are OR-ed; one that begins with `-` shuts out; `/…/` is a pattern."""
        name, _, value = argument.partition(" ")
        value = value.strip()
        if name.lower() == "delete" and value:
            header, _, wanted = value.partition(" ")
            self._filters = [
                (h, v)
                for h, v in self._filters
                if header.lower() != "all" and (h != header or (wanted and v != wanted))
            ]
            self._reply(f"+OK filter deleted. [{header}][{wanted}]")
        elif value:
            self._filters.append((name, value))
            self._reply(f"+OK filter added. [{name}]=[{value}]")
        else:
            self._reply("-ERR invalid syntax")

    def wants(self, event: Headers) -> bool:
        name = event["Event-Name"]
        if name == "CUSTOM":
            heard = event.get("Event-Subclass", "") in self._subclasses or "ALL" in self._events
        else:
            heard = name in self._events or "ALL" in self._events
        if not heard or not self._filters:
            return heard
        passes = False
        for header, wanted in self._filters:
            if (value := event.get(header)) is None:
                continue
            negative = wanted.startswith("-")
            pattern = wanted.lstrip("+- ")
            if pattern.startswith("/"):
                fits = re.search(pattern.strip("/"), value) is not None
            else:
                fits = value.lower() == pattern.lower()
            if fits and negative:
                return False
            passes = passes or fits
        return passes

    def send_event(self, data: bytes) -> None:
        transport = self._writer.transport
        if transport.get_write_buffer_size() > _MOST_WAITING_BYTES:
            log.error("an event link does not read; it is cut")
            transport.abort()
            return
        head = f"Content-Length: {len(data)}\nContent-Type: text/event-{self.format}\n\n"
        self._writer.write(head.encode() + data)

    def close(self) -> None:
        self._goodbye()
        self._writer.close()

    def _reply(self, text: str, more: str = "") -> None:
        self._writer.write(f"Content-Type: command/reply\nReply-Text: {text}\n{more}\n".encode())

    def _goodbye(self) -> None:
        head = f"Content-Type: text/disconnect-notice\nContent-Length: {len(_GOODBYE)}\n\n"
        self._writer.write(head.encode() + _GOODBYE)
