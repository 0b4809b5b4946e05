"""The daemon's care for the sounds: those that a call may need stay, room is made for others.

Sounds of the hopper and of live calls are touched again and again, for nothing that was touched of
late is taken away (speech/cache_room.py). Where one is gone all the same, as somebody has deleted
it or this daemon slept for hours, the campaign's contacts are prepared anew before they are called.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.threadpool import ThreadPool

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Target
from duecall.core.dialer import Dialer
from duecall.core.site import Site
from duecall.shell.clock import now
from duecall.speech.cache import TOUCHED_S, WavCache
from duecall.speech.cache_room import Room, make_room
from duecall.speech.faults import CacheError

log = logging.getLogger(__name__)
KEEP_S = 60.0
LOOK_S = 1.0  # whether a sound of the hopper is gone: who is called without it hears nothing
ROOM_S = 600.0
REBUILT_S = 86_400.0  # the index is made anew from the files, and names unused for long go
UNUSED_NAMES_S = 30 * 86_400.0
BREATH = 200  # files looked at before the calls have their turn


class SoundKeeper:
    """Of one daemon; `run` is a greenlet."""

    def __init__(
        self,
        site: Site,
        dialer: Dialer,
        put: Callable[[e.Event], None],
        alarm: Callable[[c.Alarm], None],
    ) -> None:
        self._root = Path(site.folders.tts_cache)
        self._max_mb = site.tts_cache_max_mb
        self._dialer = dialer
        self._put = put
        self._alarm = alarm
        self._pool = ThreadPool(1)
        self._cache: WavCache | None = None
        self._rebuilt_s = float("-inf")
        self._told = ""

    def run(self) -> None:
        """For ever."""
        keep_s = room_s = time.monotonic() + KEEP_S
        while True:
            gevent.sleep(LOOK_S)
            if time.monotonic() < keep_s:
                self.look()
                continue
            self.keep()
            keep_s = time.monotonic() + KEEP_S
            if time.monotonic() >= room_s:
                self.make_room()
                room_s = time.monotonic() + ROOM_S

    def look(self) -> None:
        """Once: of what the hopper needs, what is gone is asked for anew. Nothing is touched."""
        lost = set()
        for number, (path, campaign) in enumerate(self._waiting().items()):
            if number % BREATH == BREATH - 1:
                gevent.sleep(0)
            if campaign not in lost and not os.path.exists(path):
                lost.add(campaign)
        self._ask_anew(lost)

    def keep(self) -> None:
        """Once: all that a call may need is touched; what is gone is asked for anew."""
        lost = set()
        try:
            for number, (path, campaign) in enumerate(self._needed().items()):
                if number % BREATH == 0:
                    gevent.sleep(0)
                if not self._kept(path):
                    lost.add(campaign)
        except OSError as error:
            self._tell("the sounds cannot be kept", str(error))
        self._ask_anew(lost)

    def _ask_anew(self, lost: set[str]) -> None:
        for campaign in sorted(lost - {""}):
            log.warning("sounds are gone, contacts are prepared anew: campaign=%s", campaign)
            self._put(e.TargetsChanged(now(), campaign))

    def make_room(self) -> Room | None:
        """Once, in a thread; None: it failed, and was told."""
        answer = self._pool.apply(self._made_room)
        if isinstance(answer, Room):
            if answer.files:
                log.info("sounds not used for long are gone: files=%d", answer.files)
            if answer.over:
                why = f"{answer.left_bytes // 1_000_000} MB are needed by calls of the last hour"
                self._tell("the sounds need more room than tts_cache_max_mb", why)
            else:
                self._told = ""
            return answer
        self._tell("no room can be made for sounds", str(answer))
        return None

    def _needed(self) -> dict[str, str]:
        """Path -> the campaign whose hopper needs it, empty for a live call."""
        needed: dict[str, str] = {}
        for call in self._dialer.live.values():
            needed.update(dict.fromkeys(_sounds(call.attempt.target), ""))
        return needed | self._waiting()

    def _waiting(self) -> dict[str, str]:
        """Path -> the campaign whose hopper needs it."""
        needed: dict[str, str] = {}
        for name, run in self._dialer.runs.items():
            for target in run.hopper:
                needed.update(dict.fromkeys(_sounds(target), name))
        return needed

    def _kept(self, path: str) -> bool:
        try:
            if time.time() - os.stat(path).st_mtime <= TOUCHED_S / 2:
                return True
        except FileNotFoundError:
            return False
        if self._cache is None:
            self._cache = WavCache(self._root)
        return self._cache.touch(path)

    def _made_room(self) -> Room | OSError:
        """gevent's pool would print what is raised to stderr."""
        try:
            cache = WavCache(self._root)
            if time.monotonic() - self._rebuilt_s >= REBUILT_S:
                cache.sweep()
                cache.purge_personal(UNUSED_NAMES_S)
                cache.index.rebuild()
                self._rebuilt_s = time.monotonic()
            return make_room(cache, self._max_mb)
        except (OSError, CacheError) as error:
            return error

    def _tell(self, what: str, why: str) -> None:
        if why != self._told:
            self._told = why
            self._alarm(c.Alarm(what, (("why", why),)))


def _sounds(target: Target) -> tuple[str, ...]:
    return (*target.brief.sounds(), *target.no_agent)
