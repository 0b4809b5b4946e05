"""The past of those who are to be called, as it is read: at the claim, and after the commit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import peewee
import pytest

from duecall.core.call_events import (
    ALL_CHANNELS,
    ALL_EVENTS,
    ATTEMPT,
    LIVE,
    MESSAGE,
    PRERECORDED,
    CallKey,
    PastCall,
)
from duecall.core.commands import LoadTargets, SaveAttempt
from duecall.core.gate_types import NO_HORIZON, Horizon
from duecall.core.local_day import to_us
from duecall.core.outcome import Outcome
from duecall.core.proposal import keys_of
from duecall.shell import clock
from duecall.shell.store import Store, StoreError, TargetRow
from tests.shell.store_world import NAME, NOON, attempt, loaded, open_store, outcome, row

pytestmark = pytest.mark.usefixtures("database")

HOUR = timedelta(hours=1)
DAY = Horizon(*[to_us(NOON - timedelta(days=1))] * 3)
NUMBER_ONLY = Horizon(number=to_us(NOON - timedelta(days=1)))


def claim(store: Store, limit: int = 10, horizon: Horizon = DAY, at: datetime = NOON):
    return store.apply([LoadTargets(NAME, limit, horizon)], at).loads[0]


def save(target: TargetRow, horizon: Horizon = DAY, at: datetime = NOON) -> SaveAttempt:
    return SaveAttempt(attempt(target, at), horizon)


def past(target: TargetRow, kind: str) -> tuple[PastCall, ...]:
    (key,) = (key for key in keys_of(target) if key.kind == kind)
    return target.known.calls[key]


def test_nobody_was_called_yet(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3)
    for target in claim(store).rows:
        assert set(target.known.calls) == set(keys_of(target))
        assert set(target.known.calls.values()) == {()}
        assert target.known.read_us == to_us(NOON)
        assert not target.known.unsettled


def test_only_what_rules_count_by_is_read(tmp_path: Path) -> None:
    store = loaded(tmp_path, 2)
    first, second = claim(store, 1, NUMBER_ONLY).rows + claim(store, 1, NO_HORIZON).rows
    assert [key.kind for key in first.known.calls] == ["number"]
    assert second.known.calls == {}


def test_a_settled_call_is_what_it_was_and_an_open_one_is_everything(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = claim(store).rows
    done = store.apply([save(target)])
    (saved,) = done.saved
    assert done.known[saved].calls == dict.fromkeys(keys_of(target), ()), "without itself"
    ended = outcome(
        attempt(target),
        Outcome.BUSY,
        next_due=NOON + HOUR,
        at=NOON + timedelta(seconds=20),
        call_events=ATTEMPT,
        channels=PRERECORDED,
    )
    store.apply([ended])
    (target,) = claim(store, at=NOON + HOUR).rows
    for kind in ("number", "contact", "account"):
        assert past(target, kind) == (
            PastCall(to_us(NOON), to_us(NOON + timedelta(seconds=20)), ATTEMPT, PRERECORDED),
        )


def test_one_person_at_two_numbers_and_two_people_at_one(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    store.import_rows(
        NAME,
        [
            row(1, customer_id="C-1"),
            row(2, customer_id="C-1", name="Nguyễn Văn 1"),
            row(3, phone=row(1).contact.phone, name="Another"),
        ],
    )
    store.rank(NAME)
    by_contract = {t.account.contract_number[-1]: t for t in claim(store).rows}
    called, same_person, same_phone = (by_contract[n] for n in "123")
    store.apply([save(called)])
    store.apply([outcome(attempt(called), at=NOON + HOUR)])
    again = {
        kind: store.apply([save(target)])
        for kind, target in (("contact", same_person), ("number", same_phone))
    }
    for kind, done in again.items():
        (known,) = done.known.values()
        seen = {key.kind for key, calls in known.calls.items() if calls}
        assert seen == {kind}


def test_of_two_daemons_the_later_sees_the_earlier(tmp_path: Path) -> None:
    one = loaded(tmp_path, 0)
    one.import_rows(NAME, [row(1, customer_id="C-1"), row(2, customer_id="C-1")])
    one.rank(NAME)
    two = open_store(tmp_path, "two")
    (mine,), (theirs,) = claim(one, 1).rows, claim(two, 1).rows
    assert not past(theirs, "contact")
    first, second = one.apply([save(mine)]), two.apply([save(theirs)])
    (known_first,), (known_second,) = first.known.values(), second.known.values()
    key = CallKey("contact", mine.contact_key)
    assert known_first.calls[key] == ()
    (seen,) = known_second.calls[key]
    assert (seen.events, seen.channels) == (ALL_EVENTS, ALL_CHANNELS)
    assert seen.ended_us == max(known_second.read_us, to_us(NOON))
    assert known_second.unsettled
    assert not known_first.unsettled


def test_calls_before_the_horizon_are_left_out_and_one_at_it_is_not(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = claim(store).rows
    store.apply([save(target)])
    store.apply([outcome(attempt(target), next_due=NOON + HOUR, at=NOON + timedelta(seconds=9))])
    edge = to_us(NOON)
    (at_it,) = claim(store, horizon=Horizon(edge, edge, edge), at=NOON + HOUR).rows
    assert all(at_it.known.calls.values())
    store.apply([])
    store.recover()
    later = Horizon(edge + 1, edge + 1, edge + 1)
    (behind,) = claim(store, horizon=later, at=NOON + HOUR).rows
    assert not any(behind.known.calls.values())


def test_an_end_before_its_beginning_is_taken_for_the_beginning(tmp_path: Path) -> None:
    """The clock was put back while it rang."""
    store = loaded(tmp_path, 1)
    (target,) = claim(store).rows
    store.apply([save(target)])
    store.apply([outcome(attempt(target), next_due=NOON, at=NOON - HOUR)])
    (target,) = claim(store).rows
    assert past(target, "number")[0].ended_us == to_us(NOON)


def test_answered_and_abandoned_calls_by_day(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3)
    targets = claim(store).rows
    store.apply([save(target) for target in targets])
    day = NOON.date()
    events = (ATTEMPT | LIVE | MESSAGE, ATTEMPT | LIVE | 16, ATTEMPT)
    for target, bits in zip(targets, events, strict=True):
        store.apply([outcome(attempt(target), call_events=bits, day=day)])
    assert claim(store).answered == ((day, 2, 1),)
    store.import_rows(NAME, [row(7)])
    store.rank(NAME)
    bounded = replace(DAY, answered=True)
    (target,) = claim(store).rows
    (told,) = store.apply([save(target, bounded)]).known.values()
    assert told.answered == ((day, 2, 1),)
    store.close()
    assert claim(open_store(tmp_path)).answered == ((day, 2, 1),)


def test_a_look_back_that_fails_is_made_up_for_and_nothing_is_saved_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = loaded(tmp_path, 2)
    targets = claim(store).rows
    batch = [save(target) for target in targets]
    known = store._turn._known
    look = known.after_commit

    def broken(*_: object) -> object:
        raise peewee.OperationalError("the server is gone")

    monkeypatch.setattr(known, "after_commit", broken)
    for _ in range(2):
        with pytest.raises(StoreError, match="the past cannot be read"):
            store.apply(batch)
    with pytest.raises(RuntimeError):
        store.apply(batch[:1])  # another batch must not come between
    monkeypatch.setattr(known, "after_commit", look)
    done = store.apply(batch)
    assert done.saved == [command.attempt.id for command in batch]
    assert set(done.known) == set(done.saved)
    assert done.refused == []
    assert store.status_counts(NAME).attempts == 2


def test_the_clock_of_the_look_back_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = loaded(tmp_path, 1)
    (target,) = claim(store).rows
    later = replace(clock.now(), wall=NOON + HOUR)
    monkeypatch.setattr(clock, "now", lambda: later)
    (known,) = store.apply([save(target)]).known.values()
    assert known.read_us == to_us(NOON + HOUR)
