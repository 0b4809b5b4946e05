"""Who is handed out and in which order; the counts that follow; the plans behind it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from duecall.core.attempt import Attempt
from duecall.core.commands import Command, DeferTarget, FinishCampaign, ReleaseTargets
from duecall.core.outcome import Outcome
from duecall.shell import target_store
from duecall.shell.column_values import CampaignState, TargetState
from duecall.shell.store import Store, StoreError
from duecall.shell.target_store import TargetRow
from fs_scripts.contract import Brief
from tests.shell.store_world import (
    NAME,
    NOON,
    attempt,
    campaign,
    loaded,
    open_store,
    outcome,
    row,
    save,
)

pytestmark = pytest.mark.usefixtures("database")

HOUR = timedelta(hours=1)
NO_BRIEF = Brief("", ())


def numbers(targets: list[TargetRow]) -> list[str]:
    return [target.account.contract_number for target in targets]


def defer(target: TargetRow, until: object, reason: str = "closed") -> DeferTarget:
    return DeferTarget(target.as_target(NO_BRIEF), until, reason)  # type: ignore[arg-type]


def test_who_is_next_up_can_be_seen_without_claiming_anybody(tmp_path: Path) -> None:
    store = loaded(tmp_path, 6)
    first = store.next_up(NAME, 4)
    assert numbers(store.next_up(NAME, 4)) == numbers(first)
    assert numbers(store.due_targets(NAME, NOON, 4)) == numbers(first)
    # Those who are held by a daemon are not next up any more.
    assert len(store.next_up(NAME, 9)) == 2
    store.apply([defer(store.next_up(NAME, 1)[0], None)])
    assert len(store.next_up(NAME, 9)) == 1


def test_all_ready_ones_are_read_in_order_a_page_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duecall.shell.target_store.PAGE", 3)
    store = loaded(tmp_path, 10)
    assert store.ready_count(NAME) == 10
    everyone = store.next_up(NAME, 100)
    assert numbers(list(store.all_ready(NAME))) == numbers(everyone)
    store.due_targets(NAME, NOON, 4)
    assert store.ready_count(NAME) == 6
    assert numbers(list(store.all_ready(NAME))) == numbers(everyone)[4:]
    store.close()


def test_targets_come_in_the_campaign_s_order(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    order = [{"field": "city"}, {"field": "balance", "descending": True}]
    store.put_campaign(campaign(order=order), "x")
    cells = [("10", 5), ("9", 7), ("", 99), ("9", 8), ("Hue", 1), ("9", 7)]
    store.import_rows(
        NAME,
        [row(n, balance_minor=b, fields={"city": c}) for n, (c, b) in enumerate(cells)],
    )
    store.rank(NAME)
    found = [
        (t.account.fields["city"], t.account.balance_minor, t.account.contract_number[-1])
        for t in store.due_targets(NAME, NOON, 9)
    ]
    # Numbers as numbers, words after them, the empty one last; equals as they stood in the file.
    assert found == [
        ("9", 8, "3"),
        ("9", 7, "1"),
        ("9", 7, "5"),
        ("10", 5, "0"),
        ("Hue", 1, "4"),
        ("", 99, "2"),
    ]


def test_deferred_target_comes_back_when_it_is_due_in_its_place(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3)
    first, second, third = store.due_targets(NAME, NOON, 3)
    store.apply([defer(first, NOON + HOUR), ReleaseTargets(NAME, (second.id,))])
    assert store.next_due(NAME) == NOON + HOUR
    assert numbers(store.due_targets(NAME, NOON, 3)) == numbers([second])
    store.apply([ReleaseTargets(NAME, (second.id, third.id))])
    assert numbers(store.due_targets(NAME, NOON + HOUR, 3)) == numbers([first, second, third])
    assert store.next_due(NAME) is None


def test_target_deferred_for_ever_is_done(tmp_path: Path) -> None:
    store = loaded(tmp_path, 2)
    first, second = store.due_targets(NAME, NOON, 2)
    store.apply([defer(first, None, "not selected: balance"), ReleaseTargets(NAME, (second.id,))])
    assert numbers(store.due_targets(NAME, NOON + 99 * HOUR, 2)) == numbers([second])
    counts = store.status_counts(NAME)
    assert counts.targets == {"done": 1, "held": 1}
    assert counts.done == {"not selected: balance": 1}


def test_late_commands_do_not_disturb_a_live_call(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    store.apply([save(target)])
    store.apply([ReleaseTargets(NAME, (target.id,)), defer(target, NOON), defer(target, None)])
    assert store.status_counts(NAME).targets == {"calling": 1}


def test_a_start_gives_back_what_this_daemon_held_and_no_other(tmp_path: Path) -> None:
    store = loaded(tmp_path, 4)
    other = open_store(tmp_path, daemon="second")
    theirs = other.due_targets(NAME, NOON, 2)
    mine = store.due_targets(NAME, NOON, 2)
    assert not set(numbers(mine)) & set(numbers(theirs))
    store.recover()
    assert numbers(store.due_targets(NAME, NOON, 9)) == numbers(mine)
    assert other.apply([save(mine[0])]).saved == []  # held by somebody else
    assert len(other.apply([save(theirs[0])]).saved) == 1
    other.close()


def test_more_fall_due_at_once_than_one_load_makes_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = loaded(tmp_path, 30)
    monkeypatch.setattr(target_store, "PROMOTE_MAX", 7)
    order = numbers(all_targets := store.due_targets(NAME, NOON, 30))
    store.apply([defer(target, NOON + HOUR) for target in reversed(all_targets)])
    came: list[str] = []
    for _ in range(30):
        came += numbers(store.due_targets(NAME, NOON + HOUR, 5))
    assert came == order


def test_changed_data_opens_again_what_the_old_data_kept_back(tmp_path: Path) -> None:
    store = loaded(tmp_path, 4)
    by_contract = {t.account.contract_number[-1]: t for t in store.due_targets(NAME, NOON, 4)}
    planned = attempt(by_contract["3"])
    store.apply(
        [
            defer(by_contract["1"], None, "not selected: balance"),
            defer(by_contract["2"], NOON + HOUR, "not selected: 5 days past due"),
            save(by_contract["3"]),
            outcome(planned, Outcome.INVALID),
            defer(by_contract["4"], None, "delivered"),
        ]
    )
    store.import_rows(NAME, [row(n, balance_minor=1) for n in (1, 2, 3, 4)])
    store.rank(NAME)
    assert {n[-1] for n in numbers(store.due_targets(NAME, NOON, 9))} == {"1", "2"}
    store.import_rows(NAME, [row(3, phone="+84911111111"), row(4, phone="+84922222222")])
    store.rank(NAME)
    assert {n[-1] for n in numbers(store.due_targets(NAME, NOON, 9))} == {"3"}
    assert store.status_counts(NAME).done == {"delivered": 1}


def test_damaged_row_is_put_aside_and_the_others_go_on(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3)
    store._database.run("UPDATE account SET sealed = ? WHERE id = 2", (b"\x01damaged",))
    assert len(store.due_targets(NAME, NOON, 3)) == 2
    assert store.status_counts(NAME).done == {"its data cannot be unsealed": 1}
    store.import_rows(NAME, [row(2, balance_minor=5)])  # the file repairs it
    store.rank(NAME)
    assert numbers(store.due_targets(NAME, NOON, 3)) == ["HD-0000002"]


def test_campaign_is_kept_with_its_state(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    mine = campaign(selection={"balance": {"min": "12.5"}, "dpd_buckets": [1, 2]}, record=True)
    assert store.put_campaign(mine, "name: overdue\n", NOON)
    assert not store.put_campaign(mine, "name: overdue\n", NOON + HOUR)
    store.set_campaign_state(NAME, "running")
    assert store.put_campaign(campaign(ring=20), "ring: 20s\n", NOON + HOUR)
    (kept,) = store.campaigns()
    assert (kept.campaign, kept.yaml_text) == (campaign(ring=20), "ring: 20s\n")
    assert (kept.state, kept.loaded_at) == (CampaignState.RUNNING, NOON + HOUR)
    assert store.running_campaigns() == [(campaign(ring=20), True)]
    store.put_campaign(mine, "again")
    assert store.campaigns()[0].campaign == mine
    store.apply([FinishCampaign(NAME)])
    assert store.running_campaigns() == []
    with pytest.raises(StoreError, match="duecall import nowhere"):
        store.set_campaign_state("nowhere", "running")
    with pytest.raises(ValueError):
        store.set_campaign_state(NAME, "flying")


def test_stopped_campaign_is_not_finished_by_a_late_command(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    store.set_campaign_state(NAME, "stopped")
    store.apply([FinishCampaign(NAME)])
    assert store.campaigns()[0].state is CampaignState.STOPPED


def recount(store: Store) -> tuple[Counter[str], Counter[str], Counter[str]]:
    run = store._database.run
    states = Counter(state for (state,) in run("SELECT state FROM target"))
    done = Counter(reason for (reason,) in run("SELECT reason FROM target WHERE state = 'done'"))
    outcomes = Counter(found or "live" for (found,) in run("SELECT outcome FROM attempt"))
    return states, done, outcomes


@pytest.mark.parametrize("seed", range(6))
def test_counts_agree_with_the_rows_whatever_happens(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = loaded(tmp_path, 40)
    now = NOON
    held: list[TargetRow] = []
    live: list[Attempt] = []
    seen: set[str] = set()
    for _ in range(150):
        now += timedelta(minutes=chance.randrange(30))
        batch: list[Command] = []
        held += store.due_targets(NAME, now, chance.randrange(5))
        for target in [held.pop(0) for _ in range(min(len(held), chance.randrange(4)))]:
            what = chance.randrange(5)
            if what == 0:
                batch.append(ReleaseTargets(NAME, (target.id, target.id)))
            elif what == 1:
                until = chance.choice([None, now + HOUR, now - HOUR])
                batch.append(defer(target, until, chance.choice(["a", "not selected: b"])))
            else:
                batch.append(save(target, now))
                live.append(attempt(target, now))
        chance.shuffle(live)
        for planned in live[: chance.randrange(3)]:
            result = chance.choice(list(Outcome))
            again = None if result.ends_campaign else now + HOUR
            batch += [outcome(planned, result, again, now)] * chance.randrange(1, 3)
        store.apply(batch)
        n = chance.randrange(60)
        if chance.random() < 0.2:
            changed = row(n, balance_minor=chance.randrange(9), due=date(2026, 11, n % 28 + 1))
            store.import_rows(NAME, [changed])
            store.rank(NAME)
        if chance.random() < 0.05:
            store.stop_number(row(n).contact.phone, "dnc", "operator", now)
        states, done, outcomes = recount(store)
        counts = store.status_counts(NAME)
        seen |= set(states)
        assert counts.targets == states
        assert counts.done == done
        assert counts.live == outcomes.pop("live", 0) == states["calling"]
        assert counts.outcomes == outcomes
        assert counts.attempts == counts.live + sum(outcomes.values())
    assert len(seen) >= 5 and len(outcomes) >= 5  # something did happen


def plan(store: Store, sql: str, *parameters: object) -> list[str]:
    marked = store._database.run("EXPLAIN QUERY PLAN " + sql, parameters)
    return [line[3] for line in marked.fetchall()]


@pytest.mark.sqlite
@pytest.mark.parametrize("analysed", [False, True])
def test_hot_queries_walk_an_index_and_sort_nothing(tmp_path: Path, analysed: bool) -> None:
    store = loaded(tmp_path, 300)
    if analysed:
        store._database.run("ANALYZE")
    take = plan(store, target_store.TAKE, 1, 10)
    assert any("target_campaign_id_state_rank" in line for line in take)
    fallen = plan(store, target_store.FALLEN_DUE, 1, 1, 10)
    assert any("target_campaign_id_state_due_at_rank" in line for line in fallen)
    following = plan(store, target_store.NEXT_DUE, 1)
    assert any("target_campaign_id_state_due_at_rank" in line for line in following)
    for line in [*take, *fallen, *following]:
        assert "SCAN" not in line
        assert "TEMP B-TREE" not in line


def test_states_of_the_schema_are_those_of_the_code(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    for state in TargetState:
        due = 1 if state is TargetState.WAITING else None
        store._database.run("UPDATE target SET state = ?, due_at = ?", (state.value, due))
    for campaign_state in CampaignState:
        store.set_campaign_state(NAME, campaign_state.value)
