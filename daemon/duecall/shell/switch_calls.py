"""Carries the dialer's commands to the switch, each in a greenlet of its own.

An originate goes out once. Where it is not known whether the switch got it, nobody says anything:
the dialer asks later, and the switch, its call record, or nobody at all (cause LOST) answers.
"""

from __future__ import annotations

import logging
import math
import wave
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.pool

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.moment import Moment
from duecall.core.outcome import LOST, NOT_SENT, Ending
from duecall.core.site import Site
from duecall.shell import originate_line as lines
from duecall.shell.esl_command import accepted
from duecall.shell.esl_errors import CommandRefused, LinkError, NotReady
from duecall.shell.esl_link import EslLink
from duecall.shell.freeswitch_install import hold_music_path
from duecall.shell.switch_events import JobFailed, SwitchEars

log = logging.getLogger(__name__)

# How long a channel's own word is waited for, when its job has failed or it is not in the switch.
# The two are told by different threads of the switch, in any order.
GRACE_S = 2.0
UNANSWERED_GRACE_S = 5.0  # the same, where the switch never acknowledged the originate
HANG_UP_TRIES = 8  # a channel that is still being made cannot be ended yet
HANG_UP_AGAIN_S = 0.5
SENT_MAX = 20_000
MUSIC_S = 30.0  # taken for the length of hold music that is no WAV file


class SwitchCalls:
    """links: those that carry commands, none while the switch is not there; kept by the Switch.

    find_ending: what the switch's call record says of an attempt, None where there is none.
    """

    def __init__(
        self,
        site: Site,
        root: Path,
        *,
        presence: str,
        ears: SwitchEars,
        emit: Callable[[e.Event], None],
        now: Callable[[], Moment],
        find_ending: Callable[[str], Ending | None],
        alarm: Callable[[c.Alarm], None],
        grace_s: float = GRACE_S,
    ) -> None:
        self.links: list[EslLink] = []
        self._site = site
        self._root = root
        self._presence = presence
        self._ears = ears
        self._emit = emit
        self._now = now
        self._find_ending = find_ending
        self._alarm = alarm
        self._grace_s = grace_s
        self._sent: OrderedDict[str, bool] = OrderedDict()  # attempt id -> acknowledged
        self._agents: dict[str, str] = {}  # attempt id -> the agent's leg that is being rung
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

    def agent_done(self, attempt_id: str, *, still_rings: bool = False) -> None:
        """The agent's call came to something. still_rings: end it, its callee has gone."""
        leg_id = self._agents.pop(attempt_id, None)
        if leg_id is not None and still_rings:
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
            accepted(pending.wait())
        except CommandRefused as error:
            self._say("the switch refused a call", attempt=attempt_id, error=str(error))
            self._not_placed(attempt_id, "SWITCH_REFUSED")
        except LinkError as error:
            # It may ring: nobody sends it again; the dialer asks when the switch is back.
            log.warning("an originate is unanswered: attempt=%s error=%s", attempt_id, error)
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
            if command.music:
                self._play_music(command.attempt_id)
            if self._ears.leg(command.attempt_id).closed:
                return  # the callee went while the music was started
            self._agents[command.attempt_id] = command.leg_id
            self._link().bgapi(line, command.leg_id)
        except (NotReady, CommandRefused, ValueError) as error:
            self._say("an agent was not rung", attempt=command.attempt_id, error=str(error))
            if self._ears.close(command.leg_id):
                self._emit(e.AgentFailed(self._now(), command.attempt_id, NOT_SENT))
        except LinkError as error:
            log.warning("an agent's call is unanswered: leg=%s error=%s", command.leg_id, error)

    def _play_music(self, attempt_id: str) -> None:
        """Without music the transfer still works: a fault here is no reason to stop."""
        music = hold_music_path(self._site, self._root)
        wait_s = max((group.wait for group in self._site.agents.values()), default=60)
        times = math.ceil((wait_s + lines.PARK_GRACE_S) / length_s(music))
        try:
            line = lines.hold_music(attempt_id, music, min(lines.SOUNDS_MAX, times))
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
                return
            # It may have ended just now, its last event on the way; or not have begun yet.
            unanswered = self._sent.get(attempt_id) is False
            gevent.sleep(max(self._grace_s, UNANSWERED_GRACE_S if unanswered else 0.0))
            if (leg.closed and not told_before) or self._exists(attempt_id):
                return
        except (LinkError, ValueError) as error:
            log.warning("the switch could not be asked: attempt=%s error=%s", attempt_id, error)
            return
        ending = self._find_ending(attempt_id)
        self._ears.close(attempt_id, lost=ending is None)
        self._emit(e.CallEnded(self._now(), attempt_id, ending or Ending(LOST)))

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
        return self._link().api(lines.exists(channel_id)).strip() == "true"

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
