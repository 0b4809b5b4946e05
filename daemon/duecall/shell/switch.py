"""The switch as the dialer knows it: keeps the links up, tells what happens, passes commands on.

One event link and N command links live and die together. After a loss they are made anew, with
growing pauses; what happened in between is found out by asking, never by sending again.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable

import gevent
import gevent.event

from duecall.core import commands as c
from duecall.core import events as e
from duecall.shell import originate_line as lines
from duecall.shell import switch_events as heard
from duecall.shell.esl_errors import LinkError
from duecall.shell.esl_link import SILENCE_S, EslLink, LinkStatistics
from duecall.shell.switch_calls import SwitchCalls, Wiring

log = logging.getLogger(__name__)

BACKOFF_S = (0.2, 10.0)
STEADY_S = 5.0  # links that stood so long reset the pauses
PING_S = 5.0
PING_ANSWERED_S = 10.0  # a switch that is later is stopped, or so busy that a rest helps it
SETTLE_S = 0.4  # `show channels` reads a table that lags behind the calls by 0.2 s


class Switch:
    """daemon_id: marks our channels. password: of `site.switch.user`. on_progress: for displays."""

    def __init__(
        self,
        wiring: Wiring,
        daemon_id: str,
        password: str,
        *,
        on_progress: Callable[[heard.Progress], None] | None = None,
        backoff_s: tuple[float, float] = BACKOFF_S,
    ) -> None:
        self.core_uuid = ""  # of the FreeSWITCH process we last met
        self.load: heard.Load | None = None  # its last heartbeat
        self._site = wiring.site
        self._emit = wiring.emit
        self._now = wiring.now
        self._on_alarm = wiring.alarm
        self._password = password
        self._on_progress = on_progress
        self._backoff_s = backoff_s
        self._jitter = random.Random()
        self._presence = lines.safe("the daemon's id", f"duecall:{daemon_id}")
        self._ears = heard.SwitchEars(self._presence)
        self._calls = SwitchCalls(wiring, self._presence, self._ears, self._tell, self._stalled)
        self._broken = gevent.event.Event()  # one of the links that stand is lost, or of no use
        self._stall = ""  # why they are of no use, though none is lost
        self._event_link: EslLink | None = None
        self._supervisor: gevent.Greenlet | None = None
        self._down_reason = ""

    # ---- life

    def start(self) -> None:
        """Connect, and stay connected. SwitchUp follows, or SwitchDown with the reason why not."""
        self._supervisor = gevent.spawn(self._supervise)

    def stop(self) -> None:
        """Cut the links and be silent; calls in the switch go on."""
        if self._supervisor is not None:
            self._supervisor.kill()
            self._supervisor = None
        self._calls.stop()

    @property
    def up(self) -> bool:
        return bool(self._calls.links)

    @property
    def statistics(self) -> dict[str, LinkStatistics]:
        """Of the links that stand now, for `status`."""
        found = {f"commands {n}": link.statistics for n, link in enumerate(self._calls.links, 1)}
        if self._event_link is not None:
            found["events"] = self._event_link.statistics
        return found

    # ---- commands: they return at once; what comes of them is told as events

    def originate(self, command: c.Originate) -> None:
        """Place the call: once, whatever happens. CallAccepted when the switch took it."""
        self._calls.originate(command)

    def call_agent(self, command: c.CallAgent) -> None:
        """Music for the callee, and ring the agent. AgentAnswered or AgentFailed follows."""
        self._calls.call_agent(command)

    def say_and_hang_up(self, command: c.SayAndHangUp) -> None:
        """CallEnded follows when it was said."""
        self._calls.say_and_hang_up(command)

    def hang_up(self, command: c.HangUp) -> None:
        """CallEnded follows."""
        self._calls.end_channel(command.attempt_id, command.cause)

    def ask(self, attempt_id: str) -> None:
        """CallEnded follows if the switch has no such channel: with what is on disk of it, else
        with cause LOST. If it has one: what was not told of it yet. If the switch is not there:
        CallEnded where a call record says so, else nothing."""
        self._calls.ask(attempt_id)

    # ---- the links

    def _supervise(self) -> None:
        pause_s = self._backoff_s[0]
        while True:
            began_s = self._now().mono_s
            try:
                reason = self._live_once()
            except LinkError as error:
                reason = str(error)
            except Exception as error:
                log.exception("the link to the switch failed in a way not foreseen")
                reason = f"{type(error).__name__}: {error}"
            if reason != self._down_reason:
                self._down_reason = reason
                self._on_alarm(c.Alarm("the switch is not there", (("reason", reason),)))
                self._emit(e.SwitchDown(self._now(), reason))
            if self._now().mono_s - began_s >= STEADY_S:
                pause_s = self._backoff_s[0]
            gevent.sleep(pause_s * self._jitter.uniform(0.5, 1.0))
            pause_s = min(self._backoff_s[1], pause_s * 2)

    def _live_once(self) -> str:
        """Connect, tell what happens until a link is lost, return why. Raises LinkError before."""
        made: list[EslLink] = []
        listener: gevent.Greenlet | None = None
        try:
            broken = self._connect(made)
            event_link, command_links = made[0], made[1:]
            up = self._meet(event_link, command_links[0])
            self._event_link, self._calls.links = event_link, command_links
            self._down_reason = ""
            log.info("the switch is there: live=%d same_switch=%s", len(up.live), up.same_switch)
            self._emit(up)
            listener = gevent.spawn(self._listen, event_link)
            reason = self._watch(made, broken)
            self._calls.links = []
            # What the switch said before the loss is true, and after a shutdown there is no other
            # evidence: it is read and told before SwitchDown.
            event_link.drain()
            self._drop(made)
            listener.join()
            return reason
        finally:
            self._drop(made)
            if listener is not None:
                listener.kill()

    def _connect(self, made: list[EslLink]) -> gevent.event.Event:
        """Adds the links to `made`, that of the events first. The event: one of them is lost."""
        broken = self._broken = gevent.event.Event()
        self._stall = ""
        settings = self._site.switch
        for number in range(1 + settings.command_links):
            link = EslLink(
                settings.host,
                settings.port,
                settings.user,
                self._password,
                password_source=f"DUECALL_ESL_PASSWORD, or else {settings.password_file}",
                silence_s=SILENCE_S if number == 0 else None,
            )
            made.append(link)
            link.connect()
            link.lost.rawlink(lambda lost: broken.set())
        return broken

    def _meet(self, events: EslLink, command: EslLink) -> e.SwitchUp:
        """Who is it, and which of our calls live? From here on events wait for `_listen`."""
        core_uuid = command.api("global_getvar core_uuid").strip()
        same_switch = self.core_uuid in ("", core_uuid)
        self.core_uuid = core_uuid
        events.subscribe(
            heard.EVENT_NAMES,
            # Each costs the switch and us as much as any other: only where somebody looks at them.
            heard.CUSTOM_EVENTS if self._on_progress is not None else (),
            (
                ("Channel-Presence-Data", self._presence),
                ("Channel-Presence-Data", f"{self._presence}:{lines.AGENT_PRESENCE}"),
                ("Job-Command", "originate"),
                ("Event-Name", "HEARTBEAT"),
                ("Event-Name", "SHUTDOWN"),
            ),
        )
        gevent.sleep(SETTLE_S)
        reply = command.api(f"show channels like {self._presence} as json")
        return e.SwitchUp(
            self._now(),
            live_channels(reply, self._presence),
            same_switch,
            live_channels(reply, f"{self._presence}:{lines.AGENT_PRESENCE}"),
        )

    def _watch(self, links: list[EslLink], broken: gevent.event.Event) -> str:
        """Until a link is lost, or a command link is deaf; why."""
        try:
            while not broken.wait(PING_S):
                for link in links[1:]:
                    link.api("global_getvar core_uuid", PING_ANSWERED_S)
        except LinkError as error:
            return str(error)
        if self._stall:
            return self._stall
        return next(link.lost_reason for link in links if link.lost.is_set())

    def _stalled(self, why: str) -> None:
        """The switch takes our commands and does not answer: the links are as good as lost."""
        if not self._broken.is_set():
            self._stall = why
            self._broken.set()

    def _drop(self, links: list[EslLink]) -> None:
        self._calls.links, self._event_link = [], None
        for link in links:
            link.close()

    # ---- what is heard

    def _listen(self, link: EslLink) -> None:
        for event in link.events():
            try:
                for news in self._ears.hear(event, self._now()):
                    self._tell(news)
            except Exception:
                # One event that is not understood must not end the hearing.
                log.exception("an event was not understood: name=%s", event.get("Event-Name"))

    def _tell(self, news: heard.News) -> None:
        if isinstance(news, e.Event):
            if isinstance(news, e.CallEnded):
                self._calls.callee_gone(news.attempt_id)
            elif isinstance(news, e.AgentAnswered):
                self._calls.agent_done(news.attempt_id)
            elif isinstance(news, e.AgentFailed):
                self._calls.agent_done(news.attempt_id, news.leg_id)
            self._emit(news)
        elif isinstance(news, heard.JobFailed):
            self._calls.job_failed(news)
        elif isinstance(news, heard.ParkedInVain):
            what = "a callee waits, yet the dialogue left no result: is fs_scripts in the switch?"
            self._on_alarm(c.Alarm(what, (("attempt", news.attempt_id),)))
            self._calls.end_channel(news.attempt_id, "NORMAL_CLEARING")
        elif isinstance(news, heard.StrayChannel):
            fields = (("channel", news.channel_id), ("why", news.why))
            self._on_alarm(c.Alarm("a channel that should not be is ended", fields))
            self._calls.end_channel(news.channel_id, "NORMAL_CLEARING")
        elif isinstance(news, heard.Progress):
            if self._on_progress is not None:
                self._on_progress(news)
        else:
            self.load = news


def live_channels(reply: str, presence: str) -> frozenset[str]:
    """Channel ids in the answer to `show channels … as json` that are exactly ours: `like` also
    finds those of a daemon whose id begins as ours does. Raises LinkError if it is no such answer.
    """
    try:
        rows = json.loads(reply).get("rows", [])
        return frozenset(row["uuid"] for row in rows if row.get("presence_data") == presence)
    except (ValueError, AttributeError, TypeError, KeyError):
        raise LinkError("the switch's list of channels cannot be read") from None
