"""The broker's hold on one worker process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from pocket_switch.options import CALLS_PER_WORKER, PASSWORD_VARIABLE, Options

log = logging.getLogger("pocket.broker")
Message = dict[str, Any]
_LONGEST_LINE = 16 * 1024 * 1024


class WorkerLink:
    """number: see Worker. legs: uuids whose line is there, or is about to be."""

    def __init__(
        self,
        options: Options,
        number: int | None,
        heard: Callable[[WorkerLink, Message], None],
        died: Callable[[WorkerLink], None],
    ) -> None:
        self.number = number
        self.legs: set[str] = set()
        self.stopping = False
        self._options, self._heard, self._died = options, heard, died
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @property
    def name(self) -> str:
        return "null" if self.number is None else str(self.number)

    @property
    def has_room(self) -> bool:
        return self.number is None or len(self.legs) < CALLS_PER_WORKER

    async def start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            program = [sys.executable, "-m", "pocket_switch.worker"]
            folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
            # Scripts run in there: the Event Socket's password is not for them.
            environment = {k: v for k, v in os.environ.items() if k != PASSWORD_VARIABLE}
            paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._process = await asyncio.create_subprocess_exec(
                *program,
                str(theirs.fileno()),
                self.name,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sys.stderr,
                pass_fds=[theirs.fileno()],
                env={**environment, "PYTHONPATH": os.pathsep.join(paths)},
            )
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)
        self._writer.write(self._options.encode().encode() + b"\n")
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))

    async def ready(self) -> bool:
        """False: it did not come up."""
        return await asyncio.shield(self._ready)

    def send(self, message: Message) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def stop(self, patience_s: float) -> None:
        self.stopping = True
        self.send({"do": "stop"})
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.wait(), patience_s)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _hear(self, message: Message) -> None:
        try:
            self._heard(self, message)
        except Exception:
            # One message that is not understood must not end the hearing.
            log.exception("from worker %s: %s", self.name, sorted(message))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line.decode("utf-8", "replace"))
                if "ready" in message:
                    self._ready.set_result(True)
                else:
                    self._hear(message)
        except ConnectionError:
            pass
        if not self._ready.done():
            self._ready.set_result(False)
        self._died(self)
