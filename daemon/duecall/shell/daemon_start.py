"""The start of a daemon: it waits for its database, for after a power cut machines come up in any
order.

A server that is away or not ready yet, and a file that another program holds, are waited for, with
growing pauses. What no waiting mends (a password, a database's name, a key, a newer schema) ends
the daemon.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent
import gevent.event
from gevent.threadpool import ThreadPool

from duecall.core import commands as c
from duecall.core.attempt import Attempt, Stage
from duecall.shell.clock import now
from duecall.shell.control import Answerer, ControlError
from duecall.shell.database import StoreBusy, StoreLost
from duecall.shell.life import Life
from duecall.shell.store import Store, StoredCampaign

log = logging.getLogger(__name__)
WAITING = "waiting for the database"
PAUSE_FIRST_S, PAUSE_MAX_S = 1.0, 15.0  # between two tries; each is twice the one before
SLOW_S = 5.0  # a try that takes longer is told: a frozen server says nothing
NO_ANSWER = "it gives no answer"
REMIND_S = 60.0  # the log says again that it waits
ALARM_S = 60.0
STATUS_S, REQUEST_S = 1.0, 10.0  # so long a status, and any other request, waits for the daemon


class Begun(NamedTuple):
    """What a daemon knows when it begins. store: joined, and its own from now on. recovered:
    attempts without an outcome. news_seq: all news up to this one are in what it read here."""

    store: Store
    recovered: list[tuple[Attempt, Stage]]
    campaigns: list[StoredCampaign]
    news_seq: int


def begin(open_store: Callable[[], Store]) -> Begun:
    """StoreBusy or StoreLost: it may be tried again, from its beginning. Any other StoreError:
    somebody has to mend something first (DaemonTwice: this daemon lives elsewhere)."""
    store = open_store()
    try:
        store.join(Life.own())
        if not store.shared:  # nobody else can live: what bears another name is recovered as ours
            store.take_over({})
        news_seq = store.news_seq()
        return Begun(store, store.recover(), store.campaigns(), news_seq)
    except BaseException:
        store.close()
        raise


class DaemonStart:
    """Tries until the daemon can begin, in a thread of its own; operators are answered meanwhile.

    open_store: called in that thread, as often as it takes.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open_store = open_store
        self._since = now()
        self._stop = gevent.event.Event()
        self._handed_over = gevent.event.Event()
        self._answer: Answerer | None = None
        self._refusal = ""
        self._told = ""
        self._told_s = float("-inf")
        self.alarms: list[dict[str, str]] = []

    # ---- waiting

    def wait(self) -> Begun | None:
        """None where it was asked to stop meanwhile. Raises what no waiting mends."""
        pool = ThreadPool(1)
        pause_s = PAUSE_FIRST_S
        while not self.stopping:
            trying = gevent.spawn(pool.apply, self._tried)
            while not gevent.wait([trying, self._stop], timeout=SLOW_S, count=1):
                self._tell()
            if not trying.ready():  # it is left behind
                trying.link_value(lambda late: _give_back(late.value))
                break
            begun = trying.get()
            if self.stopping:
                _give_back(begun)
                break
            if isinstance(begun, Begun):
                if self._told:
                    log.info("the database is there, after %.0f s", self._waited_s)
                return begun
            if not isinstance(begun, (StoreBusy, StoreLost)):
                if self._told:  # nobody looks at the screen any more
                    log.error("waiting for the database is of no use: %s", begun)
                raise begun
            self._refusal = str(begun)
            self._tell()
            self._stop.wait(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)
        log.info("asked to end while waiting for the database")
        return None

    def stop(self) -> None:
        """`wait` returns. Safe in a signal handler."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return bool(self._stop.is_set())

    @property
    def trouble(self) -> str:
        """Why the daemon has not begun."""
        return self._refusal or NO_ANSWER

    @property
    def _waited_s(self) -> float:
        return now().mono_s - self._since.mono_s

    def _tried(self) -> Begun | Exception:
        """gevent's pool would print to stderr what is raised here."""
        try:
            return begin(self._open_store)
        except Exception as error:
            return error

    def _tell(self) -> None:
        """The reason once, and once a minute that it lasts."""
        at_s = now().mono_s
        if self.trouble != self._told or at_s - self._told_s >= REMIND_S:
            log.warning("waiting for the database: %.0f s so far; %s", self._waited_s, self.trouble)
            self._told, self._told_s = self.trouble, at_s
        if self._waited_s >= ALARM_S and not self.alarms:
            alarm = c.Alarm("the database is not there", (("why", self.trouble),))
            log.error("ALARM: %s %s", alarm.what, dict(alarm.fields))
            at = now().wall.isoformat()
            self.alarms.append({"at": at, "what": alarm.what, **dict(alarm.fields)})

    # ---- operators (shell/control.py asks)

    def hand_over(self, answer: Answerer) -> None:
        """The daemon has begun: from now on its own operator answers."""
        self._answer = answer
        self._handed_over.set()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request, one reply. A start that takes no time is not noticed; then a status says
        what is waited for, and all else is refused with it."""
        is_status = request.get("do") == "status"
        self._handed_over.wait(STATUS_S if is_status else REQUEST_S)
        if self._answer is not None:
            return self._answer(request)
        if is_status:
            return {"ok": True, **self._status()}
        since = self._since.wall.isoformat(timespec="seconds")
        raise ControlError(f"the daemon is {WAITING} since {since}: {self.trouble}")

    def _status(self) -> dict[str, Any]:
        """Of the form of the running daemon's (shell/operator.py)."""
        since = self._since.wall.isoformat()
        return {
            "state": WAITING,
            "since": since,
            "switch": "not connected: the database comes first",
            "switch_since": since,
            "links": {},
            "live": {},
            "earlier": 0,
            "given_up": 0,
            "sent": 0,
            "settled": 0,
            "outcomes": {},
            "draining": self.stopping,
            "database": self.trouble,
            "database_waiting": 0,
            "alarms": self.alarms,
            "campaigns": [],
        }


def _give_back(begun: Begun | Exception) -> None:
    """What nobody wants any more."""
    if isinstance(begun, Begun):
        begun.store.close()
