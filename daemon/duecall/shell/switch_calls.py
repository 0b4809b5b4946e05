"""Carries the dialer's commands to the switch, each in a greenlet of its own.

An originate goes out once. Where it is not known whether the switch got it, nobody says anything:
the dialer asks later, and the switch, its call record, or nobody at all (cause LOST) answers.
"""

from __future__ import annotations

import json
import logging
import math
import wave
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import gevent.lock
import gevent.pool

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.moment import Moment
from duecall.core.outcome import LOST, NOT_SENT, Ending
from duecall.core.site import Site
from duecall.shell import originate_line as lines
from duecall.shell.esl_command import accepted
from duecall.shell.esl_errors import CommandRefused, CommandTimeout, LinkError, NotReady
from duecall.shell.esl_link import EslLink
from duecall.shell.freeswitch_install import hold_music_path
from duecall.shell.switch_events import JobFailed, News, SwitchEars

log = logging.getLogger(__name__)

# How long a channel's own word is waited for, when its job has failed or it is not in the switch.
# The two are told by different threads of the switch, in any order.
GRACE_S = 2.0
UNANSWERED_GRACE_S = 5.0  # the same, where the switch never acknowledged the originate
# A switch that is stopped takes nothing, yet its socket does, and all that lies there is carried
# out when it goes on: so nothing more is sent to one that is silent for so long.
ACKNOWLEDGED_S = 5.0
ASKED_AT_ONCE = 8  # after a reconnection there may be thousands to ask after: calls go before
HANG_UP_TRIES = 8  # a channel that is still being made cannot be ended yet
HANG_UP_AGAIN_S = 0.5
SENT_MAX = 20_000
MUSIC_S = 30.0  # taken for the length of hold music that is no WAV file


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the part of the daemon that talks with the switch is joined to.

    root: the folder that relative folders of `site` are seen from. emit: takes events, in order;
    may block; is never called from within a command. find_ending: what is on disk of an attempt
    whose channel is gone. find_record: what its call record says, which is only written when the
    call is over; None where there is none.
    """

    site: Site
    root: Path
    emit: Callable[[e.Event], None]
    now: Callable[[], Moment]
    alarm: Callable[[c.Alarm], None]
    find_ending: Callable[[str], Ending | None] = lambda attempt_id: None
    find_record: Callable[[str], Ending | None] = lambda attempt_id: None
    grace_s: float = GRACE_S


class SwitchCalls:
    """links: those that carry commands, none while the switch is not there; kept by the Switch.

    tell: takes what was found out of a channel that lives. stalled: the switch does not take what
    it is told any more.
    """

    def __init__(
        self,
        wiring: Wiring,
        presence: str,
        ears: SwitchEars,
        tell: Callable[[News], None],
        stalled: Callable[[str], None],
    ) -> None:
        self.links: list[EslLink] = []
        self._site = wiring.site
        self._root = wiring.root
        self._emit = wiring.emit
        self._now = wiring.now
        self._alarm = wiring.alarm
        self._find_ending = wiring.find_ending
        self._find_record = wiring.find_record
        self._grace_s = wiring.grace_s
        self._presence = presence
        self._ears = ears
        self._tell = tell
        self._stalled = stalled
        self._music = hold_music_path(wiring.site, wiring.root)
        self._sent: OrderedDict[str, bool] = OrderedDict()  # attempt id -> acknowledged
        self._agents: dict[str, str] = {}  # attempt id -> the agent's leg that is being rung
        self._asking = gevent.lock.BoundedSemaphore(ASKED_AT_ONCE)
        self._tasks = gevent.pool.Group()

    def stop(self) -> None:
        """What was not sent never will be."""
        self._tasks.kill()

    # ---- the door: all return at once

    def originate(self, command: c.Originate) -> None:
        attempt_id = command.attempt.id
        if attempt_id in self._sent:
            log.error("an originate came twice and was not sent again: attempt=%s", attempt_id)
            return
        self._sent[attempt_id] = False
        if len(self._sent) > SENT_MAX:
            self._sent.popitem(last=False)
        self._do(self._originate, command)

    def call_agent(self, command: c.CallAgent) -> None:
        self._do(self._call_agent, command)

    def say_and_hang_up(self, command: c.SayAndHangUp) -> None:
        self._do(self._say_and_hang_up, command)

    def end_channel(self, channel_id: str, cause: str) -> None:
        self._do(self._end_channel, channel_id, cause)

    def ask(self, attempt_id: str) -> None:
        self._do(self._ask, attempt_id)

    def job_failed(self, news: JobFailed) -> None:
        """The channel's own CHANNEL_HANGUP_COMPLETE knows more: give it time, and the last word."""
        self._do(self._job_failed, news)

    def agent_done(self, attempt_id: str, leg_id: str = "") -> None:
        """An agent's call came to something. leg_id: that of this agent only."""
        if leg_id in ("", self._agents.get(attempt_id)):
            self._agents.pop(attempt_id, None)

    def callee_gone(self, attempt_id: str) -> None:
        """The agent who is rung for this callee is rung in vain."""
        leg_id = self._agents.pop(attempt_id, None)
        if leg_id is not None:
            self._do(self._end_channel, leg_id, "ORIGINATOR_CANCEL")

    # ---- placing calls

    def _originate(self, command: c.Originate) -> None:
        attempt_id = command.attempt.id
        try:
            trunk = self._site.trunks[command.trunk]
            line = lines.originate(
                command, trunk, presence=self._presence, recording=self._recording(command)
            )
            pending = self._link().start_bgapi(line, attempt_id)
        except (NotReady, ValueError, KeyError, OSError) as error:
            # Certain: the switch has not seen it. ValueError: a line that may not be sent.
            self._say("a call was not placed", attempt=attempt_id, error=str(error))
            self._not_placed(attempt_id, NOT_SENT)
            return
        try:
            accepted(pending.wait(ACKNOWLEDGED_S))
        except CommandRefused as error:
            self._say("the switch refused a call", attempt=attempt_id, error=str(error))
            self._not_placed(attempt_id, "SWITCH_REFUSED")
        except LinkError as error:
            # It may ring: nobody sends it again; the dialer asks when the switch is back.
            log.warning("an originate is unanswered: attempt=%s error=%s", attempt_id, error)
            if isinstance(error, CommandTimeout):
                self._stalled(str(error))
        else:
            self._sent[attempt_id] = True
            self._emit(e.CallAccepted(self._now(), attempt_id))

    def _not_placed(self, attempt_id: str, cause: str) -> None:
        if self._ears.close(attempt_id):
            ending = Ending(cause, script_started=False)
            self._emit(e.CallEnded(self._now(), attempt_id, ending, from_job=True))

    def _recording(self, command: c.Originate) -> Path | None:
        if not command.record:
            return None
        folder = (self._root / self._site.folders.recordings).resolve()
        day = command.attempt.at.strftime("%Y-%m-%d")
        path = lines.recording_path(folder, command.attempt.id, day)
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(folder.stat().st_mode & 0o7777)  # the switch must write there too
        return path

    # ---- agents

    def _call_agent(self, command: c.CallAgent) -> None:
        try:
            line = lines.call_agent(
                command, profile=self._site.switch.sip_profile, presence=self._presence
            )
            if command.music and not self._ears.leg(command.attempt_id).music:
                self._play_music(command.attempt_id)
            if self._ears.leg(command.attempt_id).closed:
                return  # the callee went while the music was started
            self._agents[command.attempt_id] = command.leg_id
            self._link().bgapi(line, command.leg_id)
        except (NotReady, CommandRefused, ValueError) as error:
            self._say("an agent was not rung", attempt=command.attempt_id, error=str(error))
            if self._ears.close(command.leg_id):
                self._emit(e.AgentFailed(self._now(), command.attempt_id, NOT_SENT, command.leg_id))
        except LinkError as error:
            log.warning("an agent's call is unanswered: leg=%s error=%s", command.leg_id, error)

    def _play_music(self, attempt_id: str) -> None:
        """Without music the transfer still works: a fault here is no reason to stop."""
        wait_s = max((group.wait for group in self._site.agents.values()), default=60)
        times = math.ceil((wait_s + lines.PARK_GRACE_S) / length_s(self._music))
        try:
            line = lines.hold_music(attempt_id, self._music, min(lines.SOUNDS_MAX, times))
            reply = self._link().api(line)
            if not reply.startswith("+OK"):
                log.warning("no hold music: attempt=%s reply=%s", attempt_id, reply.strip())
        except (LinkError, ValueError) as error:
            log.warning("no hold music: attempt=%s error=%s", attempt_id, error)

    # ---- ending calls

    def _say_and_hang_up(self, command: c.SayAndHangUp) -> None:
        try:
            reply = self._link().api(lines.say_and_hang_up(command.attempt_id, command.sounds))
            if reply.startswith("+OK"):
                return
            log.warning("nothing was said: attempt=%s reply=%s", command.attempt_id, reply.strip())
        except (LinkError, ValueError) as error:
            log.warning("nothing was said: attempt=%s error=%s", command.attempt_id, error)
        self._end_channel(command.attempt_id, "NORMAL_CLEARING")

    def _end_channel(self, channel_id: str, cause: str) -> None:
        """A channel that the switch is still making is not found at first: try for a while."""
        try:
            line = lines.hang_up(channel_id, cause)
            for _ in range(HANG_UP_TRIES):
                if self._link().api(line).startswith("+OK") or self._ears.leg(channel_id).closed:
                    return
                gevent.sleep(HANG_UP_AGAIN_S)
            log.warning("a channel that was to be ended is not there: id=%s", channel_id)
        except (LinkError, ValueError) as error:
            log.warning("a channel could not be ended: id=%s error=%s", channel_id, error)

    # ---- what became of a call of which nothing is heard

    def _ask(self, attempt_id: str) -> None:
        leg = self._ears.leg(attempt_id)
        told_before = leg.closed  # and yet we are asked: the dialer did not take it in
        try:
            if self._exists(attempt_id):
                self._look_at(attempt_id)
                return
            # It may have ended just now, its last event on the way; or not have begun yet.
            unanswered = self._sent.get(attempt_id) is False
            gevent.sleep(max(self._grace_s, UNANSWERED_GRACE_S if unanswered else 0.0))
            if (leg.closed and not told_before) or self._exists(attempt_id):
                return
            ending = self._find_ending(attempt_id)
        except (LinkError, ValueError) as error:
            # Who cannot be asked may have written it down.
            ending = self._find_record(attempt_id)
            if ending is None:
                log.info("the switch could not be asked: attempt=%s error=%s", attempt_id, error)
                return
        self._ears.close(attempt_id, lost=ending is None or ending.cause == LOST)
        self._emit(e.CallEnded(self._now(), attempt_id, ending or Ending(LOST)))

    def _look_at(self, attempt_id: str) -> None:
        """The channel lives: what has become of it that nobody told us?"""
        reply = self._asked(lines.dump(attempt_id))
        if not reply.startswith("{"):
            return  # it has hung up, and its script has not returned yet: its end will be told
        for news in self._ears.see(json.loads(reply), str(self._music), self._now()):
            log.info("found by asking: attempt=%s news=%s", attempt_id, type(news).__name__)
            self._tell(news)

    def _job_failed(self, news: JobFailed) -> None:
        gevent.sleep(self._grace_s)
        leg = self._ears.leg(news.attempt_id)
        try:
            if leg.closed or (leg.heard and self._exists(news.attempt_id)):
                return
        except (LinkError, ValueError):
            return  # the dialer asks when the switch is back
        if self._ears.close(news.attempt_id):
            # Where there was a channel its last event is lost, and the job's word is all there is.
            ending = Ending(news.cause, answered=leg.answered, script_started=False)
            event = e.CallEnded(self._now(), news.attempt_id, ending, from_job=not leg.heard)
            self._emit(event)

    def _exists(self, channel_id: str) -> bool:
        return self._asked(lines.exists(channel_id)).strip() == "true"

    def _asked(self, line: str) -> str:
        """The answer to a question that can wait."""
        with self._asking:
            return self._link().api(line)

    # ---- small things

    def _link(self) -> EslLink:
        """The one with the shortest row of commands."""
        if not self.links:
            raise NotReady("not sent: the switch is not there")
        return min(self.links, key=lambda link: link.outstanding)

    def _do(self, what: Callable[..., None], *args: Any) -> None:
        """No command may hold up the dialer, or the next command."""
        self._tasks.start(gevent.Greenlet(what, *args))

    def _say(self, what: str, **fields: str) -> None:
        self._alarm(c.Alarm(what, tuple(fields.items())))


def length_s(sound: Path) -> float:
    """Of a WAV file; MUSIC_S for anything else."""
    try:
        with wave.open(str(sound), "rb") as opened:
            return max(1.0, opened.getnframes() / opened.getframerate())
    except (OSError, EOFError, wave.Error, ZeroDivisionError):
        return MUSIC_S
