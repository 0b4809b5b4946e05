"""Calls placed once, failed jobs, and questions about calls of which nothing is heard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from duecall.core import events as e
from duecall.core.attempt import attempt_id
from duecall.core.outcome import LOST, NOT_SENT, Ending, Outcome, judge
from duecall.shell import switch_calls
from fs_scripts.contract import KEY, Result
from tests.shell.fake_switch import FakeSwitch, frame, ok
from tests.shell.switch_world import A, B, World, channel, hung_up, job, originate


def test_a_call_is_accepted(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    here.switch.originate(originate())
    assert here.wait(e.CallAccepted).attempt_id == A
    [sent] = [one for one in fake.received if one.line.startswith("bgapi")]
    assert sent.headers == {"Job-UUID": A}
    marks = f"origination_uuid={A},presence_data=duecall:d1,"
    assert sent.line.startswith(f"bgapi originate '{{{marks}")


def test_an_originate_is_sent_once(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    here.switch.originate(originate())
    here.switch.originate(originate())
    here.wait(e.CallAccepted)
    here.switch.originate(originate())
    here.switch.originate(originate(B))
    here.wait(e.CallAccepted, 2)
    assert len(fake.lines("bgapi")) == 2


def test_a_lost_reply_does_not_send_it_again(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.answers["bgapi"] = None
    here = world().up()
    here.switch.originate(originate())
    fake.wait_for("bgapi")
    fake.hang_up_on_all()
    here.wait(e.SwitchUp, 2)
    here.switch.originate(originate())
    gevent.sleep(0.05)
    assert len(fake.lines("bgapi")) == 1
    # Neither accepted nor ended: nobody knows, and nobody pretends to.
    assert here.kinds() == ["SwitchUp", "SwitchDown", "SwitchUp"]


def test_without_a_switch_nothing_is_sent_and_that_is_told(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world()
    here.switch.originate(originate())
    ended = here.wait(e.CallEnded)
    assert (ended.ending.cause, ended.from_job) == (NOT_SENT, True)
    assert judge(ended.ending) is Outcome.TECHNICAL
    here.up()
    assert fake.lines("bgapi") == []


@pytest.mark.parametrize("changes", [{"trunk": "nowhere"}, {"caller_id": "1\n\napi shutdown"}])
def test_a_call_that_cannot_be_written_down(
    fake: FakeSwitch, world: Callable[..., World], changes: dict[str, str]
) -> None:
    here = world().up()
    here.switch.originate(originate(**changes))
    assert here.wait(e.CallEnded).ending.cause == NOT_SENT
    assert here.alarms == ["a call was not placed"]
    assert fake.lines("bgapi") == []


def test_a_call_that_the_switch_refuses(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.answers["bgapi"] = ok("-ERR permission denied")
    here = world().up()
    here.switch.originate(originate())
    assert here.wait(e.CallEnded).from_job
    assert here.alarms == ["the switch refused a call"]


def test_the_folder_of_the_day_is_made(
    fake: FakeSwitch, world: Callable[..., World], tmp_path: Path
) -> None:
    here = world().up()
    here.switch.originate(originate(record=True))
    here.wait(e.CallAccepted)
    folder = tmp_path / "var" / "recordings" / "2026-11-23"
    assert folder.is_dir()
    assert f"'record_session:{folder}/{A}.wav,python:" in fake.lines("bgapi")[0]


def test_commands_go_over_all_links(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.answers["bgapi"] = None
    here = world(command_links=3).up()
    for number in range(9):
        here.switch.originate(originate(attempt_id("bank", "overdue", "HD-3", number)))
    fake.wait_for("bgapi", 9)
    assert [link.outstanding for link in here.switch._calls.links] == [3, 3, 3]


# ---- jobs that fail


def test_a_failed_job_without_a_channel(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world().up()
    fake.tell(job(A, "-ERR DESTINATION_OUT_OF_ORDER\n"))
    ended = here.wait(e.CallEnded)
    assert (ended.ending.cause, ended.from_job) == ("DESTINATION_OUT_OF_ORDER", True)


def test_the_channel_knows_more_than_the_job(fake: FakeSwitch, world: Callable[..., World]) -> None:
    """The same cause, but the channel knows the SIP status: it is the trunk that refuses."""
    here = world(grace_s=0.5).up()
    fake.tell(job(A, "-ERR CALL_REJECTED\n"))
    gevent.sleep(0.1)
    fake.tell(hung_up(cause="CALL_REJECTED", variable_sip_term_status="403"))
    ended = here.wait(e.CallEnded)
    gevent.sleep(0.7)
    assert here.kinds().count("CallEnded") == 1
    assert (ended.ending.sip_status, ended.from_job) == (403, False)


def test_a_failed_job_of_a_channel_that_lives_says_nothing(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    fake.existing.add(A)
    here = world().up()
    fake.tell(channel("CHANNEL_ANSWER"), job(A, "-ERR NORMAL_CLEARING\n"))
    fake.wait_for("api uuid_exists")
    gevent.sleep(0.1)
    assert here.kinds() == ["SwitchUp", "CallAnswered"]


def test_the_job_has_the_last_word_where_the_channels_was_lost(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    fake.tell(channel("CHANNEL_ANSWER"), job(A, "-ERR NORMAL_CLEARING\n"))
    ended = here.wait(e.CallEnded)
    assert ended.ending == Ending("NORMAL_CLEARING", answered=True, script_started=False)
    assert not ended.from_job
    assert judge(ended.ending) is Outcome.HUNG_UP


# ---- asking


def test_asked_about_a_channel_that_lives(fake: FakeSwitch, world: Callable[..., World]) -> None:
    fake.existing.add(A)
    here = world().up()
    here.switch.ask(A)
    fake.wait_for("api uuid_exists")
    gevent.sleep(0.3)
    assert here.kinds() == ["SwitchUp"]


def test_asked_about_a_channel_of_which_nothing_is_left(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    here.switch.ask(A)
    ended = here.wait(e.CallEnded)
    assert judge(ended.ending) is Outcome.UNKNOWN and ended.ending.cause == LOST
    assert len(fake.lines("api uuid_exists")) == 2


def test_asked_about_a_channel_that_left_a_record(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    here.records[A] = Ending("USER_BUSY", 486)
    here.switch.ask(A)
    assert here.wait(e.CallEnded).ending == Ending("USER_BUSY", 486)


def test_its_last_word_may_be_on_the_way(fake: FakeSwitch, world: Callable[..., World]) -> None:
    here = world(grace_s=0.3).up()
    here.switch.ask(A)
    fake.wait_for("api uuid_exists")
    fake.tell(hung_up(cause="NO_ANSWER"))
    assert here.wait(e.CallEnded).ending.cause == "NO_ANSWER"
    gevent.sleep(0.5)
    assert here.kinds().count("CallEnded") == 1


def test_asked_again_it_tells_again(fake: FakeSwitch, world: Callable[..., World]) -> None:
    """The dialer asks only about calls that it takes for open: it must get an answer."""
    here = world().up()
    fake.tell(hung_up())
    here.wait(e.CallEnded)
    here.records[A] = Ending("USER_BUSY", 486)
    here.switch.ask(A)
    assert here.wait(e.CallEnded, 2).ending == Ending("USER_BUSY", 486)


def test_a_call_taken_for_lost_that_lives_is_ended(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world().up()
    here.switch.ask(A)
    here.wait(e.CallEnded)
    fake.tell(channel("CHANNEL_PROGRESS"), channel("CHANNEL_ANSWER"))
    assert fake.wait_for("api uuid_kill") == [f"api uuid_kill {A} NORMAL_CLEARING"]
    assert here.kinds() == ["SwitchUp", "CallEnded"]


def test_what_became_of_a_channel_that_lives_is_found_in_its_description(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    """The event that should have told it is lost."""
    fake.existing.add(A)
    dump = {
        **channel("CHANNEL_DATA"),
        "Answer-State": "answered",
        "variable_current_application": "park",
        "variable_duecall_result": Result(A, KEY, action="transfer").encode(),
    }
    fake.answers[f"api uuid_dump {A} json"] = frame("api/response", json.dumps(dump).encode())
    here = world().up()
    for _ in range(3):
        here.switch.ask(A)
    here.wait(e.CallParked)
    gevent.sleep(0.2)
    assert here.kinds() == ["SwitchUp", "CallAnswered", "CallParked"]
    fake.tell({**channel("CHANNEL_PARK"), "variable_duecall_result": "late"})
    gevent.sleep(0.1)
    assert here.kinds()[-1] == "CallParked"


def test_while_the_switch_is_away_a_call_record_says_that_a_call_is_over(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    here = world()
    here.switch.ask(A)
    gevent.sleep(0.1)
    assert here.kinds() == [], "it may live"
    here.records[A] = Ending("NORMAL_CLEARING", answered=True)
    here.switch.ask(A)
    assert here.wait(e.CallEnded).ending == here.records[A]
    here.switch.ask(A)
    assert here.wait(e.CallEnded, 2).attempt_id == A


def test_many_questions_do_not_stand_in_the_way_of_calls(
    fake: FakeSwitch, world: Callable[..., World]
) -> None:
    fake.answers["api uuid_exists"] = None
    here = world().up()
    for number in range(100):
        here.switch.ask(attempt_id("bank", "overdue", "HD-4", number))
    fake.wait_for("api uuid_exists", switch_calls.ASKED_AT_ONCE)
    gevent.sleep(0.1)
    assert len(fake.lines("api uuid_exists")) == switch_calls.ASKED_AT_ONCE
    here.switch.stop()
