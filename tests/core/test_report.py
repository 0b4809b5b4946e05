"""The report adds up, whatever happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from duecall.core.outcome import Outcome
from duecall.core.report import AttemptRecord, TargetSummary, share_class, summarise
from fs_scripts.contract import KeyPress

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)

presses = st.builds(
    KeyPress,
    key=st.sampled_from("019*#"),
    at_ms=st.integers(0, 9_000),
    step=st.sampled_from(["message", "q1"]),
    meant=st.booleans(),
)
attempts = st.lists(
    st.builds(
        AttemptRecord,
        id=st.uuids().map(str),
        target_id=st.integers(1, 20),
        contact_id=st.just(0),
        number=st.integers(1, 6),
        trunk=st.just("demo"),
        saved_at=st.just(NOON),
        outcome=st.none() | st.sampled_from(list(Outcome)),
        keys=st.lists(presses, max_size=4).map(tuple),
        answers=st.dictionaries(st.sampled_from(["q1", "q2"]), st.sampled_from(["yes", "no"])),
        heard_ms=st.integers(0, 12_000),
        message_ms=st.sampled_from([0, 10_000]),
        talk_ms=st.integers(0, 60_000),
        promised=st.booleans(),
        promised_for=st.none() | st.just(date(2026, 12, 1)),
        recording=st.sampled_from(["", "a.wav"]),
    ),
    max_size=60,
)
# Twenty accounts of ten people; which are done.
ends = st.lists(st.sampled_from(["", "delivered", "busy: all 2 retries used"]), min_size=20,
                max_size=20)  # fmt: skip


def person(target: int) -> int:
    return 100 + target % 10


@given(made=attempts, ends=ends)
def test_sums_agree(made: list[AttemptRecord], ends: list[str]) -> None:
    made = [replace(attempt, contact_id=person(attempt.target_id)) for attempt in made]
    targets = [TargetSummary(n, person(n), bool(end), end) for n, end in enumerate(ends, start=1)]
    told = summarise(made, targets)
    assert told.attempts == len(made) == sum(told.by_outcome.values())
    assert told.settled == told.attempts - told.by_outcome.get("open", 0)
    assert sum(line.attempts for line in told.by_number) == told.attempts
    assert sum(line.spoke for line in told.by_number) == told.spoke
    assert sum(told.share_heard.values()) == told.spoke
    pressed = sum(len(attempt.keys) for attempt in made)
    assert sum(told.keys.values()) + told.keys_without_meaning == pressed
    answered = Counter(q for attempt in made for q in attempt.answers)
    assert {q: sum(options.values()) for q, options in told.answers.items()} == answered
    assert sum(told.promises.values()) == sum(attempt.promised for attempt in made)
    assert told.recordings == sum(bool(attempt.recording) for attempt in made)
    assert told.contacts == told.done + told.open == 10
    assert told.accounts == 20
    assert told.accounts_done == sum(told.done_reasons.values()) == sum(map(bool, ends))
    assert told.reached <= told.contacts and told.reached <= told.spoke
    assert 0.0 <= told.connect_rate <= 1.0
    # The order of the rows is of no account.
    backwards = summarise(reversed(made), reversed(targets))
    assert abs(backwards.talk_s - told.talk_s) < 1e-6
    assert replace(backwards, talk_s=told.talk_s) == told


def test_a_small_campaign_by_hand() -> None:
    def made(target: int, number: int, outcome: Outcome | None, **more: object) -> AttemptRecord:
        return AttemptRecord(
            id=f"{target}-{number}",
            target_id=target,
            contact_id=person(target),
            number=number,
            trunk="demo",
            saved_at=NOON,
            outcome=outcome,
            **more,  # type: ignore[arg-type]
        )

    told = summarise(
        [
            made(1, 1, Outcome.BUSY),
            made(1, 2, Outcome.DELIVERED, heard_ms=10_000, message_ms=10_000, talk_ms=12_500),
            made(2, 1, Outcome.HUNG_UP, heard_ms=2_000, message_ms=10_000),
            made(3, 1, None),
        ],
        [
            TargetSummary(1, person(1), True, "delivered"),
            TargetSummary(2, person(2), False),
            TargetSummary(3, person(3), False),
        ],
    )
    assert told.by_outcome == {"delivered": 1, "hung_up": 1, "busy": 1, "open": 1}
    assert [(line.number, line.attempts, line.spoke) for line in told.by_number] == [
        (1, 3, 1),
        (2, 1, 1),
    ]
    assert (told.share_heard["100 %"], told.share_heard["< 25 %"]) == (1, 1)
    assert (told.contacts, told.done, told.open, told.reached) == (3, 1, 2, 2)
    assert told.connect_rate == 2 / 3
    assert told.talk_s == 12.5


def test_person_with_two_accounts_is_done_when_both_are() -> None:
    both = [TargetSummary(1, 7, True, "a"), TargetSummary(2, 7, False)]
    assert (summarise([], both).contacts, summarise([], both).open) == (1, 1)
    told = summarise([], [both[0], TargetSummary(2, 7, True, "b")])
    assert (told.done, told.open, told.done_reasons) == (1, 0, {"a": 1, "b": 1})


def test_classes_of_the_share_heard() -> None:
    shares = [0.0, 0.009, 0.01, 0.249, 0.25, 0.5, 0.75, 0.999, 1.0]
    assert [share_class(share) for share in shares] == [
        "none",
        "none",
        "< 25 %",
        "< 25 %",
        "< 50 %",
        "< 75 %",
        "< 100 %",
        "< 100 %",
        "100 %",
    ]


def test_ringing_and_talking_times() -> None:
    def after(seconds: float) -> datetime:
        return NOON + timedelta(seconds=seconds)

    record = AttemptRecord("a", 1, 1, 1, "demo", NOON)
    assert (record.ring_s, record.talk_s) == (None, 0.0)
    record = AttemptRecord(
        "a", 1, 1, 1, "demo", NOON,
        sent_at=after(1), rang_at=after(2), answered_at=after(7.5),
        bridged_at=after(20), settled_at=after(50), talk_ms=9_000,
    )  # fmt: skip
    assert (record.ring_s, record.talk_s) == (5.5, 39.0)
    unanswered = AttemptRecord("a", 1, 1, 1, "demo", NOON, sent_at=after(1), settled_at=after(31))
    assert unanswered.ring_s == 30.0
