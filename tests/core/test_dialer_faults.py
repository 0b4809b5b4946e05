"""Around a call: late answers, changes in mid-flight, losses, clocks that step."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, Past, Stage
from duecall.core.outcome import LOST, Ending, Outcome
from fs_scripts.contract import KEY, KeyPress
from tests.core import building
from tests.core.test_dialer import World, press_one, result

ONE_LINE = {"demo": {"proxy": "127.0.0.1:5080", "channels": 1, "calls_per_second": 5}}


def old_attempt(number: int = 1, campaign: str = "overdue", **changes: object) -> Attempt:
    target = building.target(number, campaign=campaign, **changes)
    return Attempt(f"11111111-1111-5111-8111-{number:012d}", number, target, building.NOON_IN_HANOI)


# ---- when is a campaign finished?


def test_a_batch_that_cannot_be_spoken_does_not_finish_the_campaign() -> None:
    world = World()
    world.tell(e.CampaignStarted, building.campaign())
    world.tell(e.SwitchUp, frozenset())
    asked = world.of(c.LoadTargets)[0].limit
    world.tell(e.TargetsLoaded, "overdue", (), None, withheld=asked)
    assert world.of(c.FinishCampaign) == []
    assert len(world.of(c.LoadTargets)) == 2, "there may be more: look again at once"


def test_a_campaign_whose_prompts_cannot_be_made_waits_and_is_not_finished() -> None:
    world = World()
    world.tell(e.CampaignStarted, building.campaign())
    world.tell(e.SwitchUp, frozenset())
    for _ in range(5):
        world.tell(e.TargetsLoaded, "overdue", (), None, failed="espeak-ng is not installed")
        world.tick(1)
    assert world.of(c.FinishCampaign) == []
    assert len(world.of(c.LoadTargets)) == 1, "not asked again at once"
    assert world.dialer.runs["overdue"].trouble == "espeak-ng is not installed"
    world.tick(31)
    assert len(world.of(c.LoadTargets)) == 2
    world.tell(e.TargetsLoaded, "overdue", (building.target(),), None)
    assert world.dialer.runs["overdue"].trouble == ""


def test_an_answer_older_than_the_last_outcome_does_not_finish_the_campaign() -> None:
    world = World()
    world.start([building.target()])
    attempt = world.first_call()
    world.tick(31)  # LoadTargets is on its way to the store …
    loads = len(world.of(c.LoadTargets))
    world.tell(e.CallEnded, attempt.id, Ending("USER_BUSY", 486))  # … then a retry is booked …
    world.tell(e.TargetsLoaded, "overdue", (), None)  # … of which the answer knows nothing.
    assert world.of(c.SaveOutcome)[0].next_due is not None
    assert world.of(c.FinishCampaign) == []
    assert len(world.of(c.LoadTargets)) == loads + 1


def test_an_answer_older_than_a_deferral_does_not_finish_the_campaign() -> None:
    world = World(trunks=ONE_LINE)
    first, second = building.target(1), building.target(2, phone_hash="hash-1")
    world.start([first])
    attempt = world.first_call()
    world.tick(31)
    world.tell(e.TargetsLoaded, "overdue", (second,), None)  # waits in the hopper for the channel
    world.tick(31)  # and is there while the next LoadTargets is out
    world.seconds = 8 * 3600.0  # 20:00 in Hanoi
    world.tell(e.CallEnded, attempt.id, Ending("UNALLOCATED_NUMBER", 404))
    assert world.of(c.DeferTarget)[-1].until is not None
    world.tell(e.TargetsLoaded, "overdue", (), None)
    assert world.of(c.FinishCampaign) == []


def finished_world() -> World:
    world = World()
    world.start([])
    assert len(world.of(c.FinishCampaign)) == 1
    return world


def test_contacts_imported_into_a_finished_campaign_open_it_again() -> None:
    world = finished_world()
    world.tell(e.TargetsChanged, "overdue")
    assert [type(command) for command in world.all][-2:] == [c.ReopenCampaign, c.LoadTargets]


def test_contacts_that_appear_in_a_finished_campaign_open_it_again() -> None:
    world = finished_world()
    world.tick(31)
    world.tell(e.TargetsLoaded, "overdue", (building.target(),), None)
    assert len(world.of(c.ReopenCampaign)) == 1
    assert not world.dialer.runs["overdue"].finished


def test_a_finished_campaign_that_is_started_again_is_open_in_the_store_too() -> None:
    world = finished_world()
    world.tell(e.CampaignStarted, building.campaign())
    kinds = [type(command) for command in world.all]
    assert kinds.index(c.ReopenCampaign) > kinds.index(c.FinishCampaign)


def test_a_finished_campaign_that_is_resumed_finishes_again() -> None:
    world = finished_world()
    world.tell(e.CampaignPaused, "overdue")
    world.tell(e.CampaignResumed, "overdue")
    world.tell(e.TargetsLoaded, "overdue", (), None)
    assert len(world.of(c.FinishCampaign)) == 2


# ---- changes while something is on its way


def test_targets_prepared_for_the_former_version_are_given_back() -> None:
    world = World()
    world.tell(e.CampaignStarted, building.campaign())
    world.tell(e.SwitchUp, frozenset())
    world.tell(e.CampaignStarted, building.campaign(message=[{"text": "new words"}]))
    world.tell(e.TargetsLoaded, "overdue", (building.target(),), None)
    assert world.of(c.SaveAttempt) == []
    assert [command.target_ids for command in world.of(c.ReleaseTargets)] == [(1,)]
    assert len(world.of(c.LoadTargets)) == 2


def test_an_attempt_saved_for_the_former_version_is_not_sent() -> None:
    world = World()
    world.start([building.target()])
    world.tell(e.CampaignStarted, building.campaign(message=[{"text": "new words"}]))
    world.save_all()
    assert world.of(c.Originate) == []
    assert [command.ending.cause for command in world.of(c.SaveOutcome)] == ["NOT_SENT"]


def test_an_import_renews_what_waits_in_the_hopper() -> None:
    world = World(trunks=ONE_LINE)
    world.start([building.target(1), building.target(2)])
    world.tell(e.TargetsChanged, "overdue")
    assert [command.target_ids for command in world.of(c.ReleaseTargets)] == [(2,)]


def test_an_opt_out_reaches_attempts_that_are_saved_and_not_sent() -> None:
    world = World()
    world.start([building.target(1), building.target(2)])
    first, second = [command.attempt for command in world.of(c.SaveAttempt)]
    world.tell(e.SwitchDown, "link lost")
    world.tell(e.AttemptSaved, first.id)
    world.tell(e.NumberStopped, "hash-1")
    world.tell(e.NumberStopped, "hash-2")  # while it is on its way to the store
    world.tell(e.AttemptSaved, second.id)
    world.tell(e.SwitchUp, frozenset())
    world.tick(1)
    assert world.of(c.Originate) == []
    settled = world.of(c.SaveOutcome)
    assert [command.ending.cause for command in settled] == ["NOT_SENT", "NOT_SENT"]
    assert all(command.next_due for command in settled), (
        "the gate looks whether the stop still holds"
    )


def test_what_waited_long_for_the_switch_goes_back_through_the_store() -> None:
    """The store knows who has said no in the meantime; an attempt saved an hour ago does not."""
    world = World()
    world.start([building.target()])
    world.tell(e.SwitchDown, "link lost")
    world.save_all()
    world.tick(60)
    assert [command.ending.cause for command in world.of(c.SaveOutcome)] == ["NOT_SENT"]
    assert world.dialer.idle
    world.tell(e.SwitchUp, frozenset())
    assert world.of(c.Originate) == []


def test_a_pause_while_the_switch_is_away_leaves_nothing_open() -> None:
    world = World()
    world.start([building.target()])
    world.tell(e.SwitchDown, "link lost")
    world.save_all()
    world.tell(e.CampaignPaused, "overdue")
    world.tick(1)
    assert world.dialer.idle


def test_targets_of_a_campaign_that_is_not_there_are_given_back() -> None:
    world = World()
    world.tell(e.TargetsLoaded, "gone", (building.target(1, campaign="gone"),), None)
    assert [command.target_ids for command in world.of(c.ReleaseTargets)] == [(1,)]


def test_the_prompts_of_yesterday_are_not_played_today() -> None:
    world = World(trunks=ONE_LINE)
    all_day = {"hours": [{"from": "00:00", "to": "24:00"}]}
    today = date(2026, 11, 23)
    targets = [building.target(n, spoken_on=today) for n in (1, 2)]
    world.start(targets, calendar=all_day)
    attempt = world.first_call()
    world.seconds = 12 * 3600.0 + 60  # 00:01 in Hanoi
    world.tell(e.CallEnded, attempt.id, Ending("UNALLOCATED_NUMBER", 404))
    (deferred,) = world.of(c.DeferTarget)
    assert deferred.target.id == 2
    assert deferred.until is not None
    assert deferred.until <= building.moment(world.seconds).wall


# ---- attempts of an earlier life


def test_attempts_of_a_campaign_that_does_not_run_are_settled_too() -> None:
    world = World()
    attempt = old_attempt(campaign="stopped-long-ago")
    stopped = building.campaign(name="stopped-long-ago")
    world.tell(e.AttemptsRecovered, ((attempt, Stage.SENT),), (stopped,))
    world.tell(e.SwitchUp, frozenset())
    assert [command.attempt_id for command in world.of(c.AskSwitch)] == [attempt.id]
    world.tell(e.CallEnded, attempt.id, Ending("USER_BUSY", 486))
    assert [command.outcome for command in world.of(c.SaveOutcome)] == [Outcome.BUSY]
    assert world.dialer.idle


def test_attempts_on_a_trunk_that_is_gone_from_the_site_are_settled_too() -> None:
    world = World()
    lost, found = old_attempt(1, campaign="old"), old_attempt(2)
    world.tell(e.CampaignStarted, building.campaign())
    world.tell(
        e.AttemptsRecovered,
        ((lost, Stage.SENT), (found, Stage.SENT)),
        (building.campaign(name="old", trunk="gone"), building.campaign()),
    )
    for attempt in (lost, found):
        world.tell(e.CallEnded, attempt.id, Ending("NO_ANSWER"))
    assert len(world.of(c.SaveOutcome)) == 2


def test_a_campaign_on_a_trunk_that_is_gone_is_an_alarm() -> None:
    world = World()
    world.tell(e.CampaignStarted, building.campaign(trunk="gone"))
    assert [command.what for command in world.of(c.Alarm)] == [
        "a campaign's trunk is not in config.yaml"
    ]


def test_a_number_is_free_when_the_last_of_its_attempts_is_settled() -> None:
    world = World()
    world.tell(e.CampaignStarted, building.campaign())
    first, second = (old_attempt(n, phone_hash="same") for n in (1, 2))
    world.tell(e.AttemptsRecovered, ((first, Stage.SENT), (second, Stage.SENT)))
    world.tell(e.SwitchUp, frozenset({first.id, second.id}))
    world.tell(e.CallEnded, second.id, Ending("USER_BUSY", 486))
    world.tell(e.TargetsLoaded, "overdue", (building.target(3, phone_hash="same"),), None)
    assert world.of(c.SaveAttempt) == []
    world.tell(e.CallEnded, first.id, Ending("USER_BUSY", 486))
    world.tell(e.TargetsLoaded, "overdue", (building.target(3, phone_hash="same"),), None)
    assert len(world.of(c.SaveAttempt)) == 1


def test_the_dialogue_of_a_recovered_attempt_is_not_cut_short() -> None:
    world = World()
    world.tell(e.CampaignStarted, building.campaign(max_call=300))
    attempt = old_attempt()
    world.tell(e.AttemptsRecovered, ((attempt, Stage.ANSWERED),))
    world.tell(e.SwitchUp, frozenset({attempt.id}))
    for _ in range(300):
        world.tick(1)
    assert world.of(c.HangUp) == []
    assert world.of(c.AskSwitch) != []


# ---- the switch comes and goes


def test_a_lost_link_does_not_cut_a_dialogue_short() -> None:
    world = World()
    world.start([building.target()], max_call=300)
    attempt = world.first_call()
    world.tell(e.CallAnswered, attempt.id)
    world.tick(5)
    world.tell(e.SwitchDown, "link lost")
    world.tell(e.SwitchUp, frozenset({attempt.id}))
    for _ in range(290):
        world.tick(1)
    assert world.of(c.HangUp) == []
    for _ in range(100):
        world.tick(1)
    assert world.of(c.HangUp) != []


def test_links_that_flap_do_not_flood_the_switch_with_questions() -> None:
    world = World()
    world.start([building.target()], max_call=3600)
    attempt = world.first_call()
    world.tell(e.CallAnswered, attempt.id)
    world.tell(e.SwitchDown, "link lost")
    world.tell(e.SwitchUp, frozenset({attempt.id}))
    for _ in range(600):
        world.tick(1)
    assert 1 <= len(world.of(c.AskSwitch)) <= 12


def test_a_channel_without_an_open_attempt_is_ended() -> None:
    world = World()
    world.start([])
    world.tell(e.SwitchDown, "link lost")
    world.tell(e.SwitchUp, frozenset({"22222222-2222-5222-8222-222222222222"}))
    assert [command.attempt_id for command in world.of(c.HangUp)] == [
        "22222222-2222-5222-8222-222222222222"
    ]
    assert len(world.of(c.Alarm)) == 1


def test_what_was_seen_of_a_call_is_believed_where_its_end_was_lost() -> None:
    world = World()
    attempt = press_one(world)
    world.tell(e.AgentAnswered, attempt.id)
    world.tell(e.CallEnded, attempt.id, Ending(LOST))
    assert [command.outcome for command in world.of(c.SaveOutcome)] == [Outcome.TRANSFERRED]


def test_where_the_end_of_a_parked_call_was_lost_nobody_knows_whether_an_agent_came() -> None:
    world = World()
    attempt = press_one(world)
    world.tell(e.CallEnded, attempt.id, Ending(LOST))
    (settled,) = world.of(c.SaveOutcome)
    assert settled.outcome is Outcome.UNKNOWN
    assert settled.ending.result is not None


# ---- agents


def test_a_transfer_asked_for_in_a_question_rings_its_agents() -> None:
    world = World()
    keys_of_it = {"5": {"do": "transfer", "to": "front-desk"}}
    question = {"id": "pay", "ask": [{"text": "?"}], "keys": keys_of_it}
    world.start([building.target()], questions=[question])
    attempt = world.first_call()
    keys = (KeyPress("1", 900, "message", False), KeyPress("5", 1900, "pay"))
    world.tell(e.CallParked, attempt.id, result(attempt, KEY, action="transfer", keys=keys))
    assert len(world.of(c.CallAgent)) == 1


def test_an_agent_of_whom_nothing_is_heard_does_not_hold_the_callee() -> None:
    world = World()
    press_one(world)
    for _ in range(26):  # the group rings each member for 20 s
        world.tick(1)
    assert [command.address for command in world.of(c.CallAgent)] == [
        "sip:anna@127.0.0.1:5090",
        "sip:binh@127.0.0.1:5091",
    ]
    for _ in range(26):
        world.tick(1)
    assert len(world.of(c.SayAndHangUp)) == 1


def test_while_the_switch_is_away_no_agent_is_used_up() -> None:
    world = World()
    attempt = press_one(world)
    world.tell(e.SwitchDown, "link lost")
    world.tell(e.AgentFailed, attempt.id, "NOT_SENT")
    world.tick(1)
    assert len(world.of(c.CallAgent)) == 1
    world.tell(e.SwitchUp, frozenset({attempt.id}))
    world.tick(1)
    assert len(world.of(c.CallAgent)) == 2


# ---- clocks, and news that waited


def test_old_news_does_not_send_calls_in_the_past() -> None:
    """Events that waited in the inbox are handled in one go: the rate is that of now."""
    world = World(
        trunks={"demo": {"proxy": "127.0.0.1:5080", "channels": 50, "calls_per_second": 5}}
    )
    world.start([building.target(n) for n in range(1, 40)])
    begun = world.seconds
    for step in range(200):
        for command in world.of(c.SaveAttempt):
            call = world.dialer.live.get(command.attempt.id)
            if call is not None and call.stage is Stage.PLANNED:
                heard = building.moment(begun + step * 0.05)
                now = building.moment(begun + 10.0)
                world.all += world.dialer.handle(e.AttemptSaved(heard, command.attempt.id), now)
    assert 1 <= len(world.of(c.Originate)) <= 5


def test_a_wall_clock_put_back_does_not_stop_the_loading() -> None:
    world = World()
    world.start([], next_due=building.NOON_IN_HANOI + timedelta(seconds=40))
    loads = len(world.of(c.LoadTargets))
    back = building.moment(world.seconds)
    later = replace(back.after(31), wall=back.wall - timedelta(hours=3))
    world.all += world.dialer.handle(e.Woke(later))
    assert len(world.of(c.LoadTargets)) == loads + 1


def test_a_slow_trunk_saves_an_attempt_only_shortly_before_its_turn() -> None:
    world = World(
        trunks={"demo": {"proxy": "127.0.0.1:5080", "channels": 5, "calls_per_second": 0.02}}
    )
    world.seconds = 100.0
    world.start([building.target(n) for n in range(1, 5)])
    for _ in range(200):
        world.save_all()
        world.tick(1)
    assert len(world.of(c.Originate)) == 4
    assert all(command.ending.cause != "NOT_SENT" for command in world.of(c.SaveOutcome))
    saved = [command.attempt.at for command in world.of(c.SaveAttempt)]
    assert saved[1] - saved[0] >= timedelta(seconds=48)


def test_the_reasons_for_holding_back_are_bounded() -> None:
    world = World()
    world.start([])
    run = world.dialer.runs["overdue"]
    for n in range(5_000):
        run.hold_back(f"not selected: {n} days past due")
    assert len(run.denied) <= 101
    assert sum(run.denied.values()) == 5_000


# ---- one attempt, one call


def test_a_target_that_comes_twice_does_not_replace_the_live_call() -> None:
    world = World()
    world.start([building.target()])
    attempt = world.first_call()
    moved = building.target(phone_hash="another number")  # its number changed; the same attempt
    world.tell(e.TargetsLoaded, "overdue", (moved,), None)
    assert len(world.of(c.SaveAttempt)) == 1
    world.tell(e.CallEnded, attempt.id, Ending("NO_ANSWER", 487))
    assert len(world.of(c.SaveOutcome)) == 1


@pytest.mark.parametrize("past", [Past(), Past(tries=4)])
def test_an_attempt_is_never_sent_after_it_was_settled_unsent(past: Past) -> None:
    world = World()
    world.start([building.target(past=past)])
    attempt = world.of(c.SaveAttempt)[0].attempt
    world.tell(e.CampaignPaused, "overdue")
    world.tell(e.AttemptSaved, attempt.id)
    world.tell(e.CampaignResumed, "overdue")
    world.tell(e.AttemptSaved, attempt.id)
    world.tick(5)
    assert world.of(c.Originate) == []
    assert len(world.of(c.SaveOutcome)) == 1
