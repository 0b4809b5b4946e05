"""What a switch's events mean for the dialer. Pure: events and moments in, news out.

The callee's channel has the attempt's id; an agent's channel names the attempt in a variable. So
nothing need be remembered to understand an event. What is remembered (for the last LEGS_MAX legs)
serves to say everything once, however often and in whatever order it is heard.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from duecall.core import events as e
from duecall.core.moment import Moment
from duecall.core.outcome import Ending
from duecall.shell.esl_frames import Headers
from duecall.shell.originate_line import AGENT_PRESENCE, CALLEE_VARIABLE
from fs_scripts import contract

log = logging.getLogger(__name__)

# What we ask the switch to tell. CHANNEL_HANGUP is not among them: CHANNEL_HANGUP_COMPLETE comes
# after the script has returned, and says all that it says.
EVENT_NAMES = (
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_ANSWER",
    "CHANNEL_BRIDGE",
    "CHANNEL_PARK",
    "CHANNEL_HANGUP_COMPLETE",
    "BACKGROUND_JOB",
    "HEARTBEAT",
    "SHUTDOWN",
)
CUSTOM_EVENTS = (contract.PROGRESS_EVENT,)
LEGS_MAX = 20_000
# Applications that run before the script does: a call that ends in one of them never heard it.
_BEFORE_SCRIPT = ("", "record_session")

_CAUSE = re.compile(r"[A-Z][A-Z0-9_]{1,60}\Z")
_PRESENCE = re.compile(r"[{,]presence_data=([A-Za-z0-9_.:+@/-]*)")
_CALLEE = re.compile(rf"[{{,]{CALLEE_VARIABLE}=([0-9a-f-]{{36}})")


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The switch could not place this call, or it ended before it was answered. The channel, where
    there was one, knows more, and may speak later: wait for it before believing the job."""

    attempt_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class ParkedInVain:
    """The leg waits for an agent whom nobody asked for: the script failed. End it."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class StrayChannel:
    """A channel of ours that should not be: no attempt is open for it. End it."""

    channel_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """For live displays only."""

    attempt_id: str
    what: str
    step: str


@dataclass(frozen=True, slots=True)
class Load:
    """What the switch says of itself, each 20 s."""

    sessions: int
    max_sessions: int
    sessions_a_second: int
    uptime_s: int


News = e.Event | JobFailed | ParkedInVain | StrayChannel | Progress | Load


@dataclass(slots=True)
class Leg:
    """What was heard of one channel. closed: its end was told to the dialer."""

    heard: bool = False  # any event of the channel itself
    rang: bool = False
    answered: bool = False
    parked: bool = False
    bridged: bool = False
    closed: bool = False
    lost: bool = False  # closed without evidence
    music: bool = False  # was heard to play, when somebody asked


class SwitchEars:
    """Hears events for one daemon. presence: the Channel-Presence-Data of its callees' channels."""

    def __init__(self, presence: str) -> None:
        self._presence = presence
        self._agent_presence = f"{presence}:{AGENT_PRESENCE}"
        self._legs: OrderedDict[str, Leg] = OrderedDict()

    def leg(self, leg_id: str) -> Leg:
        """What is known of this channel so far."""
        leg = self._legs.get(leg_id)
        if leg is None:
            leg = self._legs[leg_id] = Leg()
            if len(self._legs) > LEGS_MAX:
                self._legs.popitem(last=False)
        return leg

    def hear(self, event: Headers, at: Moment) -> list[News]:
        """What this event says that was not known. Empty for doubled, late and foreign ones."""
        name = text(event, "Event-Name")
        if name == "BACKGROUND_JOB":
            return self._on_job(event, at)
        if name == "HEARTBEAT":
            return [_load(event)]
        channel_id = text(event, "Unique-ID")
        presence = text(event, "Channel-Presence-Data")
        if not channel_id or presence not in (self._presence, self._agent_presence):
            return []
        if name == "CUSTOM":
            return _progress(event, channel_id)
        if presence == self._agent_presence:
            return self._on_agent(name, channel_id, event, at)
        return self._on_callee(name, channel_id, event, at)

    def close(self, leg_id: str, *, lost: bool = False) -> bool:
        """The end of this leg is told: tell no other. False: it was told before.

        lost: told without evidence; should the channel turn up alive, it is a stray one.
        """
        leg = self.leg(leg_id)
        if leg.closed:
            return False
        leg.closed, leg.lost = True, lost
        return True

    def see(self, dump: Headers, music: str, at: Moment) -> list[News]:
        """What a callee's channel that lives (`uuid_dump`) says that no event has told yet: events
        get lost, and a daemon that was killed heard none. music: the hold music's path."""
        attempt = text(dump, "Unique-ID")
        if text(dump, "Channel-Presence-Data") != self._presence:
            return []
        leg = self.leg(attempt)
        leg.heard = True
        if leg.closed:
            return self._stray(leg, attempt)
        news: list[News] = []
        if text(dump, "Answer-State") == "answered" and not leg.answered:
            leg.answered = True
            news.append(e.CallAnswered(at, attempt))
        if text(dump, "variable_bridge_uuid"):
            if not leg.bridged:
                leg.bridged = True
                news.append(e.AgentAnswered(at, attempt))
            return news
        application = text(dump, "variable_current_application")
        plays = application == "playback" and text(dump, "variable_current_application_data")
        leg.music = bool(plays) and music in str(plays)
        if (application == "park" or leg.music) and not leg.parked:
            leg.parked = True
            result = _result(text(dump, "variable_" + contract.RESULT_VARIABLE), attempt)
            if result is None:
                return [ParkedInVain(attempt)]
            news.append(e.CallParked(at, attempt, result, _waited_s(dump, result)))
        return news

    # ---- the callee's channel

    def _on_callee(self, name: str, attempt: str, event: Headers, at: Moment) -> list[News]:
        leg = self.leg(attempt)
        leg.heard = True
        if leg.closed:
            return [] if name == "CHANNEL_HANGUP_COMPLETE" else self._stray(leg, attempt)
        if name in ("CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA") and not leg.rang:
            leg.rang = True
            return [e.CallRang(at, attempt)]
        if name == "CHANNEL_ANSWER" and not leg.answered:
            leg.answered = True
            return [e.CallAnswered(at, attempt)]
        if name == "CHANNEL_PARK" and not leg.parked:
            leg.parked = leg.answered = True
            result = _result(text(event, "variable_" + contract.RESULT_VARIABLE), attempt)
            return [ParkedInVain(attempt) if result is None else e.CallParked(at, attempt, result)]
        if name == "CHANNEL_BRIDGE" and not leg.bridged:
            leg.bridged = True
            return [e.AgentAnswered(at, attempt)]
        if name == "CHANNEL_HANGUP_COMPLETE":
            leg.closed = True
            ending = ending_of(lambda key: text(event, "variable_" + key), attempt)
            answered_at = text(event, "Caller-Channel-Answered-Time")
            if answered_at.isdigit() and int(answered_at) > 0:
                ending = ending.with_seen(answered=True, bridged=ending.bridged)
            return [e.CallEnded(at, attempt, ending)]
        return []

    def _stray(self, leg: Leg, attempt: str) -> list[News]:
        if not leg.lost:
            return []
        leg.lost = False  # say so once
        return [StrayChannel(attempt, "its attempt was settled as unknown")]

    # ---- an agent's channel

    def _on_agent(self, name: str, leg_id: str, event: Headers, at: Moment) -> list[News]:
        attempt = text(event, "variable_" + CALLEE_VARIABLE)
        leg = self.leg(leg_id)
        leg.heard = True
        if leg.closed or not attempt:
            return []
        if name == "CHANNEL_BRIDGE" and not leg.bridged:
            leg.bridged = True
            if self.leg(attempt).closed or self.leg(attempt).bridged:
                return []
            self.leg(attempt).bridged = True
            return [e.AgentAnswered(at, attempt)]
        if name == "CHANNEL_HANGUP_COMPLETE":
            leg.closed = True
            if leg.bridged or text(event, "variable_bridge_uuid") or self.leg(attempt).closed:
                return []
            return [e.AgentFailed(at, attempt, _cause(text(event, "Hangup-Cause")), leg_id)]
        return []

    # ---- the job that placed a call

    def _on_job(self, event: Headers, at: Moment) -> list[News]:
        if text(event, "Job-Command") != "originate":
            return []
        line = text(event, "Job-Command-Arg")
        presence = _PRESENCE.search(line)
        if presence is None or presence[1] not in (self._presence, self._agent_presence):
            return []
        job = text(event, "Job-UUID")
        status, _, rest = text(event, "_body").strip().partition(" ")
        if status == "+OK":
            if rest and rest != job:
                # Another channel had this id already: FreeSWITCH then takes one of its own making.
                return [StrayChannel(rest, "it was placed under an id that was not asked for")]
            return []
        cause = _cause(rest) if status == "-ERR" else "USAGE"
        leg = self.leg(job)
        if leg.closed:
            return []
        callee = _CALLEE.search(line)
        if callee is None:
            return [JobFailed(job, cause)]
        leg.closed = True
        if self.leg(callee[1]).closed:
            return []
        return [e.AgentFailed(at, callee[1], cause, job)]


def ending_of(variable: Callable[[str], str], attempt_id: str) -> Ending:
    """How a call ended, from its channel variables (of CHANNEL_HANGUP_COMPLETE, or of the JSON call
    record). variable: name -> value, empty where there is none."""
    result = _result(variable(contract.RESULT_VARIABLE), attempt_id)
    status = variable("sip_term_status")
    if not status:
        status = variable("proto_specific_hangup_cause").partition("sip:")[2]
    answered_s = variable("answer_epoch")
    return Ending(
        cause=_cause(variable("hangup_cause")),
        sip_status=int(status) if re.fullmatch(r"[1-6][0-9]{2}", status) else 0,
        answered=answered_s.isdigit() and int(answered_s) > 0,
        result=result,
        bridged=bool(variable("bridge_uuid") or variable("last_bridge_to")),
        script_started=result is not None or variable("current_application") not in _BEFORE_SCRIPT,
    )


def text(event: Headers, name: str) -> str:
    """A header's value; empty where there is none, or several."""
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _result(value: str, attempt_id: str) -> contract.Result | None:
    """What the script said of this attempt; None where it said nothing that can be believed."""
    if not value:
        return None
    try:
        result = contract.Result.decode(value)
    except contract.ContractError as error:
        log.warning("a result cannot be read: attempt=%s error=%s", attempt_id, error)
        return None
    if result.attempt_id != attempt_id:
        log.warning("a result is about another attempt: attempt=%s", attempt_id)
        return None
    return result


def _cause(value: str) -> str:
    return value if _CAUSE.match(value) else "UNSPECIFIED"


def _waited_s(dump: Headers, result: contract.Result) -> float:
    """Since the dialogue was over, by the switch's own clock: ours may have been set since."""
    answered_us = text(dump, "Caller-Channel-Answered-Time")
    now_us = text(dump, "Event-Date-Timestamp")
    if not (answered_us.isdigit() and now_us.isdigit() and int(answered_us)):
        return 0.0
    return max(0.0, (int(now_us) - int(answered_us)) / 1e6 - result.talk_ms / 1000)


def _progress(event: Headers, channel_id: str) -> list[News]:
    if text(event, "Event-Subclass") != contract.PROGRESS_EVENT:
        return []
    return [Progress(channel_id, text(event, "Duecall-What"), text(event, "Duecall-Step"))]


def _load(event: Headers) -> Load:
    def number(name: str) -> int:
        value = text(event, name)
        return int(value) if value.isdigit() else 0

    return Load(
        sessions=number("Session-Count"),
        max_sessions=number("Max-Sessions"),
        sessions_a_second=number("Session-Per-Sec"),
        uptime_s=number("Uptime-msec") // 1000,
    )
