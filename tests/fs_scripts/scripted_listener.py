"""A listening service that does as a test tells it, over the real socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Behaviour = Callable[["Conversation"], None]


class ScriptedListener:
    """Hears each connection out with `behaviour`. asked: the first line of each."""

    def __init__(self, folder: Path, behaviour: Behaviour, *, backlog: int = 128) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = str(folder / "socket")
        self.asked: list[dict[str, Any]] = []
        self.talks: list[Conversation] = []
        self._behaviour = behaviour
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        self._socket.listen(backlog)
        self._links: list[socket.socket] = []

    def __enter__(self) -> ScriptedListener:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.die()

    def die(self) -> None:
        """As a process that is killed: all its connections are gone."""
        for one in (self._socket, *self._links):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        Path(self.path).unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            self._links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        talk = Conversation(link)
        try:
            while b"\n" not in talk.sound:
                if not talk.more():
                    return
            line, _, talk.sound = talk.sound.partition(b"\n")
            self.asked.append(json.loads(line))
            self.talks.append(talk)
            self._behaviour(talk)
        except OSError:
            return


class Conversation:
    """One connection. sound: what has come of the recording, so far."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.sound = b""

    def say(self, **what: object) -> None:
        self.link.sendall(json.dumps(what).encode() + b"\n")

    def more(self) -> bool:
        got = self.link.recv(65_536)
        self.sound += got
        return bool(got)

    def take(self, least: int = 10**9) -> bool:
        """Until so many bytes have come; False where the script has hung up."""
        while len(self.sound) < least:
            if not self.more():
                return False
        return True


def hears(word: str, sureness: float = 0.9, after: int = 8_000) -> Behaviour:
    """This word, once so many bytes have come. Empty: something that means nothing."""

    def behave(talk: Conversation) -> None:
        if talk.take(after):
            talk.say(speaking=True)
            if word:
                talk.say(word=word, sureness=sureness)
            else:
                talk.say()
            talk.take()

    return behave


def hears_nothing(talk: Conversation) -> None:
    talk.take()


def speaks_on_and_on(talk: Conversation) -> None:
    talk.say(speaking=True)
    talk.take()


def dies_at_once(talk: Conversation) -> None:
    talk.link.close()


def talks_rubbish(talk: Conversation) -> None:
    talk.link.sendall(b"\xff\x00 rubbish\n" * 3)
    talk.take()


def takes_nothing(talk: Conversation) -> None:
    """Reads no more: the script's end of the link fills up."""
    threading.Event().wait(20)
