"""What the world tells the dialer. Nouns heard; every one carries `at`, the moment it was heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from duecall.core.attempt import Attempt, Stage, Target
from duecall.core.campaign import Campaign
from duecall.core.gate_types import EMPTY, Snapshot
from duecall.core.moment import Moment
from duecall.core.outcome import Ending
from fs_scripts.contract import Result


@dataclass(frozen=True, slots=True)
class Event:
    at: Moment


@dataclass(frozen=True, slots=True)
class Woke(Event):
    """The moment of `next_wakeup` has come."""


# ---- the operator


@dataclass(frozen=True, slots=True)
class CampaignStarted(Event):
    """Also after a change of its file. `paused`: known, but no new calls."""

    campaign: Campaign
    paused: bool = False


@dataclass(frozen=True, slots=True)
class CampaignPaused(Event):
    name: str


@dataclass(frozen=True, slots=True)
class CampaignResumed(Event):
    name: str


@dataclass(frozen=True, slots=True)
class CampaignStopped(Event):
    name: str


@dataclass(frozen=True, slots=True)
class NumberStopped(Event):
    """An opt-out or DNC entry is durable: nothing in the hopper may ring it any more."""

    phone_hash: str


@dataclass(frozen=True, slots=True)
class StopsChanged(Event):
    """Stops were entered or lifted, of any kind and many at once: what was loaded before does not
    know of them."""


@dataclass(frozen=True, slots=True)
class DrainAsked(Event):
    """No new calls; live ones end by themselves."""


# ---- the store


@dataclass(frozen=True, slots=True)
class TargetsLoaded(Event):
    """The answer to LoadTargets: those due now, in order, their prompts ready.

    next_due: wall time at which the next waiting target falls due; None when none waits.
    withheld: how many more were claimed, to whom nothing can be said; they are put off already.
    failed: why no target of the campaign could be prepared; those claimed are given back already.
    answered: (day, answered calls, abandoned ones) of the campaign, the latest days.
    """

    campaign: str
    targets: tuple[Target, ...]
    next_due: datetime | None = None
    withheld: int = 0
    failed: str = ""
    answered: tuple[tuple[date, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptSaved(Event):
    """The attempt is durable: now, and not before, it may be sent.

    known: calls and stops of its keys as they are after its own commit, without the attempt.
    """

    attempt_id: str
    known: Snapshot = EMPTY


@dataclass(frozen=True, slots=True)
class AttemptRefused(Event):
    """The store would not save it: the number has a live attempt elsewhere, or was stopped.

    final: it never will.
    """

    attempt_id: str
    reason: str
    final: bool = False


# ---- the switch


@dataclass(frozen=True, slots=True)
class SwitchUp(Event):
    """Links stand and events flow. live: attempt ids whose channel exists in the switch.

    same_switch: False when the switch was restarted since we last saw it. agent_legs: ids of the
    channels to agents that exist in it.
    """

    live: frozenset[str]
    same_switch: bool = True
    agent_legs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SwitchDown(Event):
    reason: str


@dataclass(frozen=True, slots=True)
class CallAccepted(Event):
    """The switch took the originate (bgapi acknowledged)."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class CallRang(Event):
    attempt_id: str


@dataclass(frozen=True, slots=True)
class CallAnswered(Event):
    attempt_id: str


@dataclass(frozen=True, slots=True)
class CallParked(Event):
    """The script has returned and the leg waits with music: an agent is wanted.

    waited_s: for how long already, where that was found out later.
    """

    attempt_id: str
    result: Result
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AgentAnswered(Event):
    """Callee and agent are bridged."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class AgentFailed(Event):
    """The agent's leg did not come to a bridge. leg_id: which one; empty: that rung last."""

    attempt_id: str
    cause: str
    leg_id: str = ""


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """The callee's leg is gone, or never came to be (`from_job`: only the job told, no channel)."""

    attempt_id: str
    ending: Ending
    from_job: bool = False


@dataclass(frozen=True, slots=True)
class AttemptsRecovered(Event):
    """At start: attempts of an earlier life that have no outcome. They may have been sent, so they
    are never sent again; the switch and its call records tell what became of them.

    campaigns: those of these attempts, whether they run or not.
    """

    attempts: tuple[tuple[Attempt, Stage], ...]
    campaigns: tuple[Campaign, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetsChanged(Event):
    """Contacts were imported: look into the store again."""

    campaign: str
