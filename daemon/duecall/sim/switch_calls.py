"""The calls in one switch: what truly becomes of each channel, and what the switch says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt
from duecall.core.outcome import LOST, Ending
from duecall.sim.callees import Fate, fate, result_of
from duecall.sim.truth import Truth
from fs_scripts.contract import CALLEE_HUNG_UP, KEY, OPT_OUT, TRANSFER, Result

if TYPE_CHECKING:
    from duecall.sim.switch import Switch

FAREWELL_S = 3.0
NEVER = float("inf")


@dataclass(slots=True)
class Channel:
    """A channel that exists. stage: made, answered, parked, bridged, leaving."""

    attempt: Attempt
    fate: Fate
    park_s: int  # the switch itself ends a leg that is parked for longer
    stage: str = "made"
    answered_s: float = 0.0
    action: str = ""
    bridged: bool = False
    parked_s: float = 0.0
    rings: str = ""  # the leg of the agent who is rung for it
    result: Result | None = None


@dataclass(slots=True)
class Record:
    ending: Ending
    whole_s: float  # true time from which on it can be read


class SwitchCalls:
    """Channels live and die with the switch's process; records and keys are on its disk."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._world = switch.world
        self.channels: dict[str, Channel] = {}
        self.records: dict[str, Record] = {}
        self.keys: dict[str, Result] = {}  # accepted keys, written at once by the script
        self._talks: dict[str, str] = {}  # agent -> the attempt he talks with

    # ---- a call's life

    def arrive(self, command: c.Originate) -> None:
        attempt = command.attempt
        chance = self._world.random
        park_s = command.transfer_wait_s + self._world.setting.rules.park_grace_s
        channel = Channel(attempt, fate(chance, command.ring_s), park_s)
        self.channels[attempt.id] = channel
        self._note("arrived", channel)
        self._switch.say(e.CallAccepted, attempt.id)
        self._later(channel, channel.fate.rings_s * 0.2, self._rings)

    def _rings(self, channel: Channel) -> None:
        self._switch.say(e.CallRang, channel.attempt.id)
        rest_s = channel.fate.rings_s * 0.8
        self._later(channel, rest_s, self._answers if channel.fate.answered else self._refuses)

    def _refuses(self, channel: Channel) -> None:
        self._gone(channel, channel.fate.cause, channel.fate.sip_status)

    def _answers(self, channel: Channel) -> None:
        channel.stage = "answered"
        channel.answered_s = self._world.agenda.now_s
        self._note("answered", channel)
        self._switch.say(e.CallAnswered, channel.attempt.id)
        self._later(channel, channel.fate.talks_s, self._ends_dialogue)

    def _ends_dialogue(self, channel: Channel) -> None:
        plan = channel.fate
        if plan.script != "none":
            channel.result = result_of(
                channel.attempt.id, plan.ended_by, plan.action, plan.share_heard
            )
        if plan.ended_by == KEY and channel.result is not None:
            channel.action = plan.action
            self.keys[channel.attempt.id] = channel.result
            if plan.action == OPT_OUT:
                self._note("keyed", channel)
        if channel.action == TRANSFER and channel.result is not None:
            channel.stage = "parked"
            channel.parked_s = self._world.agenda.now_s
            self._note("parked", channel)
            self._switch.say(e.CallParked, channel.attempt.id, channel.result)
            self._later(channel, min(plan.patience_s, channel.park_s), self._tires)
        elif channel.action:
            self._later(channel, 0.5, self._leaves)  # a word of thanks; a moment to be killed in
        else:
            self._gone(channel, plan.cause, plan.sip_status)

    def _leaves(self, channel: Channel) -> None:
        self._gone(channel, "NORMAL_CLEARING", 200)

    def _tires(self, channel: Channel) -> None:
        if channel.stage == "parked":
            self._gone(channel, "NORMAL_CLEARING", 200)

    # ---- what the daemon wants

    def ring_agent(self, command: c.CallAgent) -> None:
        channel = self.channels.get(command.attempt_id)
        if channel is None or channel.stage != "parked":
            return
        agent, leg, chance = command.address, command.leg_id, self._world.random
        if agent in self._talks:
            self._switch.say(e.AgentFailed, command.attempt_id, "USER_BUSY", leg)
            return
        channel.rings = leg
        if chance.random() < 0.55:
            takes_s = chance.uniform(1, command.ring_s)
            self._later(channel, takes_s, self._agent_takes, agent, leg)
        else:
            self._later(channel, command.ring_s * chance.random(), self._agent_fails, leg)

    def _agent_takes(self, channel: Channel, agent: str, leg: str) -> None:
        if channel.stage != "parked" or channel.rings != leg or agent in self._talks:
            return
        channel.stage, channel.bridged = "bridged", True
        self._talks[agent] = channel.attempt.id
        self._note("bridged", channel)
        self._switch.say(e.AgentAnswered, channel.attempt.id)
        chance = self._world.random
        talk_s = chance.uniform(5, 60) if chance.random() < 0.9 else 900.0
        self._later(channel, talk_s, self._leaves)

    def _agent_fails(self, channel: Channel, leg: str) -> None:
        if channel.stage == "parked" and channel.rings == leg:
            channel.rings = ""
            self._switch.say(e.AgentFailed, channel.attempt.id, "NO_ANSWER", leg)

    def say_and_hang_up(self, attempt_id: str) -> None:
        channel = self.channels.get(attempt_id)
        if channel is not None:
            channel.stage = "leaving"
            self._note("said", channel)
            self._later(channel, FAREWELL_S, self._leaves)

    def hang_up(self, attempt_id: str, cause: str) -> None:
        channel = self.channels.get(attempt_id)
        if channel is not None:
            if channel.stage == "parked":
                self._note("said", channel)
            self._gone(channel, cause, 200 if channel.stage != "made" else 487)

    def look_at(self, channel: Channel) -> list[tuple[type[e.Event], tuple[Any, ...]]]:
        """All that a living channel tells of itself."""
        name = channel.attempt.id
        if channel.stage == "made":
            return []
        news: list[tuple[type[e.Event], tuple[Any, ...]]] = [(e.CallAnswered, (name,))]
        if channel.stage == "parked":
            waited_s = self._world.agenda.now_s - channel.parked_s
            news.append((e.CallParked, (name, channel.result, waited_s)))
        elif channel.stage == "bridged":
            news.append((e.AgentAnswered, (name,)))
        return news

    @property
    def agent_legs(self) -> frozenset[str]:
        """Agents who are rung now."""
        return frozenset(x.rings for x in self.channels.values() if x.rings)

    # ---- the end

    def _gone(self, channel: Channel, cause: str, sip_status: int) -> None:
        world, name = self._world, channel.attempt.id
        truth = self._truth(channel, cause, sip_status)
        self._forget(channel, truth)
        ending = self._ending(channel, truth)
        if not world.chance("record_missing"):
            lag_s = 0.05
            if world.chance("record_late"):
                lag_s = world.random.uniform(3.0, 30.0)
            elif world.chance("record_half"):
                lag_s = NEVER
            self._write_record(channel, ending, lag_s)
        # The job knows of a call that was never answered, and where its event is lost says so.
        self._switch.say_ended(name, ending, can_be_told_by_job=not truth.answered)

    def _write_record(self, channel: Channel, ending: Ending, lag_s: float) -> None:
        whole_s = self._world.agenda.now_s + lag_s
        self.records[channel.attempt.id] = Record(ending, whole_s)
        if lag_s < NEVER:
            self._note("record", channel, value=f"{whole_s:.3f}")

    def _truth(self, channel: Channel, cause: str, sip_status: int, cut: bool = False) -> Truth:
        """What truly happened to it until now."""
        answered = channel.stage != "made"
        plan, script, share = channel.fate, "none", 0.0
        if channel.result is not None:
            script, share = plan.script, plan.share_heard
        elif answered and plan.script == "ran":
            # Ended from outside, in the midst of the message.
            heard_s = self._world.agenda.now_s - channel.answered_s
            script, share = "ran", plan.share_heard * min(1.0, heard_s / max(plan.talks_s, 0.1))
        return Truth(
            answered, cause, sip_status, script, channel.action, channel.bridged, share, cut
        )

    def _ending(self, channel: Channel, truth: Truth) -> Ending:
        """What the switch's last event, and its record, say."""
        result = channel.result
        if result is None and truth.script == "ran":
            result = result_of(channel.attempt.id, CALLEE_HUNG_UP, "", truth.share_heard)
        return Ending(
            truth.cause,
            truth.sip_status,
            answered=truth.answered,
            result=result,
            bridged=truth.bridged,
            script_started=truth.script != "none",
        )

    def _forget(self, channel: Channel, truth: Truth) -> None:
        name = channel.attempt.id
        del self.channels[name]
        for agent, talks_with in list(self._talks.items()):
            if talks_with == name:
                del self._talks[agent]
        self._note("gone", channel, truth=truth)

    def die(self) -> None:
        """The process is killed: no event, and hardly a record."""
        world = self._world
        for channel in list(self.channels.values()):
            truth = self._truth(channel, "SWITCH_DIED", 0, cut=True)
            self._forget(channel, truth)
            if world.random.random() < 0.2:
                self._write_record(channel, self._ending(channel, truth), NEVER)

    def recorded(self, attempt_id: str) -> Ending | None:
        """By its call record, where that is whole."""
        record = self.records.get(attempt_id)
        if record is not None and record.whole_s <= self._world.agenda.now_s:
            return record.ending
        return None

    def evidence(self, attempt_id: str) -> Ending:
        """What is known of a call that has no channel: its record, else its keys, else nothing."""
        ending = self.recorded(attempt_id)
        if ending is not None:
            return ending
        keyed = self.keys.get(attempt_id)
        self._world.note("no_evidence", daemon=self._switch.name, attempt_id=attempt_id)
        return Ending(LOST, answered=keyed is not None, result=keyed)

    # ---- small things

    def _later(self, channel: Channel, lag_s: float, do: Any, *args: Any) -> None:
        self._world.agenda.later(lag_s, self._due, channel, do, args)

    def _due(self, channel: Channel, do: Any, args: tuple[Any, ...]) -> None:
        if self.channels.get(channel.attempt.id) is not channel:
            return
        if self._switch.frozen:
            self._switch.when_thawed(self._due, channel, do, args)
        else:
            do(channel, *args)

    def _note(
        self, what: str, channel: Channel, value: str = "", truth: Truth | None = None
    ) -> None:
        self._world.note(what, channel.attempt, self._switch.name, value, truth=truth)
