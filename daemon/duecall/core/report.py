"""What a campaign did, in tables that add up.

Pure: attempts and targets go in row by row, a `Summary` comes out. In every summary
sum(by_outcome) = attempts, sum(by_number) = attempts, sum(share_heard) = spoke, done + open =
contacts, so that the figures can be held against call records and recordings (law L9).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from duecall.core.outcome import Outcome
from fs_scripts.contract import KeyPress

OPEN = "open"  # stands in by_outcome for attempts that are not settled
# Upper bounds (excluded) of the classes of the share heard; the last class heard everything.
SHARE_CLASSES = (
    (0.01, "none"),
    (0.25, "< 25 %"),
    (0.5, "< 50 %"),
    (0.75, "< 75 %"),
    (1.0, "< 100 %"),
)
WHOLE = "100 %"


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt as it was written down. contract, name, phone: empty unless unsealed."""

    id: str
    target_id: int
    contact_id: int
    number: int
    trunk: str
    saved_at: datetime
    sent_at: datetime | None = None
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    bridged_at: datetime | None = None
    settled_at: datetime | None = None
    outcome: Outcome | None = None
    cause: str = ""
    sip_status: int = 0
    action: str = ""
    keys: tuple[KeyPress, ...] = ()
    answers: dict[str, str] = field(default_factory=dict)
    heard_ms: int = 0
    message_ms: int = 0
    talk_ms: int = 0
    promised: bool = False
    promised_for: date | None = None
    recording: str = ""
    error: str = ""
    voice: str = ""
    voice_turn: int = 0
    contract: str = ""
    name: str = ""
    phone: str = ""

    @property
    def share_heard(self) -> float:
        """0.0-1.0 of the message; 0.0 where there was none."""
        return min(1.0, self.heard_ms / self.message_ms) if self.message_ms > 0 else 0.0

    @property
    def ring_s(self) -> float | None:
        """From the first ringing (else from the sending) to the answer, or to the end of it."""
        start = self.rang_at or self.sent_at
        end = self.answered_at or self.settled_at
        return max(0.0, (end - start).total_seconds()) if start and end else None

    @property
    def talk_s(self) -> float:
        """The dialogue, and the talk with an agent after it."""
        with_agent = 0.0
        if self.bridged_at and self.settled_at:
            with_agent = max(0.0, (self.settled_at - self.bridged_at).total_seconds())
        return self.talk_ms / 1000 + with_agent


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """One account of a contact in the campaign. done: nothing more will be tried, for `reason`."""

    id: int
    contact_id: int
    done: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NumberLine:
    """The n-th attempts of all targets."""

    number: int
    attempts: int
    spoke: int


@dataclass(frozen=True, slots=True)
class VoiceLine:
    """Attempts that one voice was to speak in; stood_in: those in place of the chosen one."""

    voice: str
    attempts: int
    stood_in: int


@dataclass(frozen=True, slots=True)
class Summary:
    """attempts: all that were saved. spoke: those where the dialogue ran. contacts: people.

    by_outcome: every outcome that happened, and `open`. keys: (step, key) -> presses.
    answers: question -> option -> answers. reached: contacts spoken with at least once.
    promises: due day (None: not said) -> promises. done_reasons: accounts done with, by reason.
    voices: attempts with recordings alone stand in none of them.
    """

    attempts: int
    settled: int
    spoke: int
    by_outcome: dict[str, int]
    by_number: tuple[NumberLine, ...]
    keys: dict[tuple[str, str], int]
    keys_without_meaning: int
    answers: dict[str, dict[str, int]]
    share_heard: dict[str, int]
    promises: dict[date | None, int]
    talk_s: float
    recordings: int
    contacts: int
    done: int
    open: int
    reached: int
    accounts: int
    accounts_done: int
    done_reasons: dict[str, int]
    voices: tuple[VoiceLine, ...] = ()

    @property
    def connect_rate(self) -> float:
        """Share of the settled attempts in which somebody (or a machine) was spoken with."""
        return self.spoke / self.settled if self.settled else 0.0


def share_class(share: float) -> str:
    """The class of a share of the message, as it stands in `Summary.share_heard`."""
    return next((name for bound, name in SHARE_CLASSES if share < bound), WHOLE)


def summarise(attempts: Iterable[AttemptRecord], targets: Iterable[TargetSummary]) -> Summary:
    """One pass over each. Attempts must belong to these targets."""
    outcomes: Counter[str] = Counter()
    by_number: Counter[int] = Counter()
    spoke_by_number: Counter[int] = Counter()
    keys: Counter[tuple[str, str]] = Counter()
    answers: dict[str, Counter[str]] = {}
    shares: Counter[str] = Counter()
    promises: Counter[date | None] = Counter()
    reached: set[int] = set()
    voices: Counter[str] = Counter()
    stood_in: Counter[str] = Counter()
    without_meaning = recordings = 0
    talk_s = 0.0
    for attempt in attempts:
        outcomes[attempt.outcome.value if attempt.outcome else OPEN] += 1
        by_number[attempt.number] += 1
        if attempt.outcome and attempt.outcome.spoke:
            spoke_by_number[attempt.number] += 1
            shares[share_class(attempt.share_heard)] += 1
            reached.add(attempt.contact_id)
        for press in attempt.keys:
            keys[press.step, press.key] += press.meant
            without_meaning += not press.meant
        for question, option in attempt.answers.items():
            answers.setdefault(question, Counter())[option] += 1
        if attempt.promised:
            promises[attempt.promised_for] += 1
        recordings += bool(attempt.recording)
        if attempt.voice:
            voices[attempt.voice] += 1
            stood_in[attempt.voice] += attempt.voice_turn > 0
        talk_s += attempt.talk_s

    open_contacts: set[int] = set()
    contacts: set[int] = set()
    reasons: Counter[str] = Counter()
    accounts = 0
    for target in targets:
        accounts += 1
        contacts.add(target.contact_id)
        if target.done:
            reasons[target.reason] += 1
        else:
            open_contacts.add(target.contact_id)

    total = sum(outcomes.values())
    order = [*(outcome.value for outcome in Outcome), OPEN]
    classes = [*(name for _, name in SHARE_CLASSES), WHOLE]
    return Summary(
        attempts=total,
        settled=total - outcomes[OPEN],
        spoke=sum(spoke_by_number.values()),
        by_outcome={name: outcomes[name] for name in order if outcomes[name]},
        by_number=tuple(
            NumberLine(number, by_number[number], spoke_by_number[number])
            for number in sorted(by_number)
        ),
        keys={at: n for at, n in sorted(keys.items()) if n},
        keys_without_meaning=without_meaning,
        answers={q: dict(sorted(options.items())) for q, options in sorted(answers.items())},
        share_heard={name: shares[name] for name in classes},
        promises=dict(sorted(promises.items(), key=lambda item: item[0] or date.max)),
        talk_s=talk_s,
        recordings=recordings,
        contacts=len(contacts),
        done=len(contacts) - len(open_contacts),
        open=len(open_contacts),
        reached=len(reached),
        accounts=accounts,
        accounts_done=sum(reasons.values()),
        done_reasons=dict(sorted(reasons.items())),
        voices=tuple(VoiceLine(name, n, stood_in[name]) for name, n in sorted(voices.items())),
    )
