"""What the dialer wants of the world. Data only; shell/ and sim/ carry it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from duecall.core.attempt import Attempt, Stage, Target
from duecall.core.call_events import ALL_CHANNELS, ALL_EVENTS
from duecall.core.gate_types import NO_HORIZON, Horizon
from duecall.core.outcome import Ending, Outcome
from duecall.core.rule_merge import EffectiveRules


@dataclass(frozen=True, slots=True)
class Command:
    pass


@dataclass(frozen=True, slots=True)
class LoadTargets(Command):
    """Claim up to `limit` targets that are due now, in the campaign's order, and prepare what is
    said to them, with their calls within the horizon. Answered by exactly one TargetsLoaded."""

    campaign: str
    limit: int
    horizon: Horizon = NO_HORIZON


@dataclass(frozen=True, slots=True)
class ReleaseTargets(Command):
    """Give claimed targets back unchanged."""

    campaign: str
    target_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeferTarget(Command):
    """Not now, for this reason; look again at `until` (None: never again in this campaign).

    rule: the one that decides, empty where none of a pack or list does. rules: digest of the rules
    in effect. at: when that was decided.
    """

    target: Target
    until: datetime | None
    reason: str
    rule: str = ""
    rules: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SaveAttempt(Command):
    """Make it durable. Answered by AttemptSaved or AttemptRefused. horizon: as LoadTargets has it,
    for the look at the past that follows the commit."""

    attempt: Attempt
    horizon: Horizon = NO_HORIZON


@dataclass(frozen=True, slots=True)
class Originate(Command):
    """Place the call, once. Only ever issued on AttemptSaved."""

    attempt: Attempt
    trunk: str
    caller_id: str
    caller_name: str
    ring_s: int
    max_call_s: int
    record: bool
    transfer_wait_s: int  # 0 where no key transfers


@dataclass(frozen=True, slots=True)
class CallAgent(Command):
    """Hold music to the callee's parked leg, and ring this agent; when he answers, bridge."""

    attempt_id: str
    leg_id: str
    address: str  # sip:…
    ring_s: int
    caller_id: str
    music: bool  # start the music (first agent of this call)


@dataclass(frozen=True, slots=True)
class SayAndHangUp(Command):
    """No agent: say so and end. sounds: empty for a call of an earlier life, whose words are to be
    made anew."""

    attempt_id: str
    sounds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HangUp(Command):
    attempt_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class SaveStage(Command):
    """Where the attempt is now (sent, ringing, answered, …), for status and reconciliation. May be
    written late or, after a crash, not at all."""

    attempt_id: str
    stage: Stage
    at: datetime


@dataclass(frozen=True, slots=True)
class SaveOutcome(Command):
    """Settle, exactly once, and put the target where the retry rule wants it.

    next_due: wall time of the next attempt; None: the target is done with, for `reason`.
    promised_for: day by which a PROMISED payment is due. recording: file name, empty for none.
    call_events, channels: what the call was for the caps: bits of core/call_events.py. day: of the
    end, where the lender keeps its books.
    """

    attempt: Attempt
    outcome: Outcome
    ending: Ending
    at: datetime
    next_due: datetime | None
    reason: str
    promised_for: date | None = None
    recording: str = ""
    call_events: int = ALL_EVENTS
    channels: int = ALL_CHANNELS
    day: date | None = None


@dataclass(frozen=True, slots=True)
class AskSwitch(Command):
    """Is this leg alive, and where is it? Answered by CallEnded when it is not, else by what of it
    was not told yet: CallAnswered, CallParked, AgentAnswered."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class Alarm(Command):
    """Something an operator must see. `what` is static text; fields hold the particulars."""

    what: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NoteRules(Command):
    """From now on the campaign's calls are judged by these rules: for the ledger."""

    campaign: str
    rules: EffectiveRules
    at: datetime


@dataclass(frozen=True, slots=True)
class FinishCampaign(Command):
    """Every target of it is done with."""

    campaign: str


@dataclass(frozen=True, slots=True)
class ReopenCampaign(Command):
    """It was finished, and has something to do again."""

    campaign: str


# Those that the store carries out, in their order; the others are for the switch and for people.
STORE_COMMANDS = (
    LoadTargets,
    ReleaseTargets,
    DeferTarget,
    SaveAttempt,
    SaveStage,
    SaveOutcome,
    NoteRules,
    FinishCampaign,
    ReopenCampaign,
)
