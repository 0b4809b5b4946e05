"""L6: each attempt ends in exactly one outcome, and that is what truly happened, or `unknown` where
the evidence was lost. An opt-out that was pressed is never lost: its key is on record.

Evidence is lost where the switch was asked and knew neither the channel nor a whole record of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from duecall.sim.truth import Story, Truth

UNKNOWN = "unknown"
# What an unanswered call comes to, by its cause; the rest is technical.
UNANSWERED = {
    "USER_BUSY": "busy",
    "NO_ANSWER": "no_answer",
    "ALLOTTED_TIMEOUT": "no_answer",
    "UNALLOCATED_NUMBER": "invalid",
    "CALL_REJECTED": "rejected",
    "NORMAL_TEMPORARY_FAILURE": "congestion",
    "RECOVERY_ON_TIMER_EXPIRE": "congestion",
    "SUBSCRIBER_ABSENT": "unreachable",
    "NORMAL_CLEARING": "unreachable",
}
PRESSED = {
    "opt_out": "opted_out",
    "claims_paid": "claims_paid",
    "promise": "promised",
    "hang_up": "delivered",
    "transfer": "agent_unavailable",
}
HEARD_ALL = 0.95
TRUNK_REFUSES_US = 403


def true_outcome(truth: Truth) -> str:
    """What a witness of the whole call would write down."""
    if truth.bridged:
        return "transferred"
    if truth.action:
        return PRESSED[truth.action]
    if truth.cut:
        return UNKNOWN
    if not truth.answered:
        if truth.cause == "CALL_REJECTED" and truth.sip_status == TRUNK_REFUSES_US:
            return "congestion"
        return UNANSWERED.get(truth.cause, "technical")
    if truth.script == "failed":
        return "script_error"
    if truth.script == "none":
        return "hung_up"
    return "delivered" if truth.share_heard >= HEARD_ALL else "hung_up"


def check(story: Story) -> Iterator[str]:
    yield from _once(story)
    yield from _truly(story)
    yield from _opt_outs(story)


def _once(story: Story) -> Iterator[str]:
    settled: set[str] = set()
    decided: dict[str, set[str]] = {}  # daemon -> in this life
    for entry in story.log:
        if entry.what == "born":
            decided[entry.daemon] = set()  # what was not durable by then is void
        elif entry.what == "decided":
            mine = decided[entry.daemon]
            if entry.attempt in mine:
                yield f"{entry.attempt} gets a second outcome at {entry.at_s:.2f} s"
            mine.add(entry.attempt)
        elif entry.what == "settled":
            if entry.attempt in settled:
                yield f"{entry.attempt} is settled twice"
            settled.add(entry.attempt)
        elif entry.what == "sent" and (
            entry.attempt in settled or entry.attempt in decided[entry.daemon]
        ):
            yield f"{entry.attempt} is sent after its outcome"


def _truly(story: Story) -> Iterator[str]:
    sent = {entry.attempt for entry in story.of("sent")}
    void = {entry.attempt for entry in story.of("void")}
    truths = {entry.attempt: entry.truth for entry in story.of("gone")}
    lost = _lost(story)
    for entry in story.of("settled"):
        if entry.value == UNKNOWN:
            if entry.attempt not in lost:
                yield f"{entry.attempt} is unknown, though there is evidence"
            continue
        truth = truths.get(entry.attempt)
        if entry.attempt not in sent or entry.attempt in void:
            expected = "technical"  # it never rang
        elif truth is None:
            yield f"{entry.attempt} is {entry.value}, though its call goes on"
            continue
        else:
            expected = true_outcome(truth)
        if entry.value != expected:
            yield f"{entry.attempt} is {entry.value}, yet truly {expected}: {truth}"


def _lost(story: Story) -> set[str]:
    """Attempts of which the switch that was asked truly knew nothing."""
    whole_s = {(entry.daemon, entry.attempt): float(entry.value) for entry in story.of("record")}
    never = float("inf")
    return {
        entry.attempt
        for entry in story.of("no_evidence")
        if whole_s.get((entry.daemon, entry.attempt), never) > entry.at_s
    }


def _opt_outs(story: Story) -> Iterator[str]:
    # Another daemon does not see the key records of this one's switch.
    adopted = {entry.attempt for entry in story.of("adopted")}
    outcomes = {entry.attempt: entry.value for entry in story.of("settled")}
    for entry in story.of("keyed"):
        if entry.attempt in adopted:
            continue
        if outcomes.get(entry.attempt) != "opted_out":
            yield f"{entry.attempt} opted out, and is {outcomes.get(entry.attempt, 'open')}"
        elif entry.number not in story.books.stopped:
            yield f"{entry.number} opted out, and is not on the stop list"
