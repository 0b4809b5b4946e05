"""What FreeSWITCH really said (tests/data/events), and what the dialer is told of it."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.core import events as e
from duecall.core.outcome import Outcome, judge
from duecall.shell import switch_events
from duecall.shell.esl_frames import Headers
from duecall.shell.switch_events import (
    JobFailed,
    Load,
    News,
    ParkedInVain,
    Progress,
    StrayChannel,
    SwitchEars,
)
from fs_scripts.contract import KEY, Result
from tests.core.building import moment
from tests.shell.real_calls import KINDS, PRESENCE, RECORDINGS, attempt_of

AT = moment()


def recorded(kind: str) -> list[Headers]:
    lines = (RECORDINGS / f"{kind}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def told(events: list[Headers], ears: SwitchEars | None = None) -> list[News]:
    ears = ears or SwitchEars(PRESENCE)
    news = [one for event in events for one in ears.hear(event, AT)]
    return [one for one in news if not isinstance(one, Progress)]


def kinds_of(news: list[News]) -> list[str]:
    return [type(one).__name__ for one in news]


STORIES: dict[str, tuple[list[str], Outcome | None]] = {
    "hears-it-all": (["CallRang", "CallAnswered", "CallEnded"], Outcome.DELIVERED),
    "opts-out": (["CallRang", "CallAnswered", "CallEnded"], Outcome.OPTED_OUT),
    # -ERR NORMAL_CLEARING is what its job says, and the script never ran: the callee's doing
    "answers-and-hangs-up-at-once": (["CallRang", "CallAnswered", "CallEnded"], Outcome.HUNG_UP),
    "hangs-up-midway": (["CallRang", "CallAnswered", "CallEnded"], Outcome.HUNG_UP),
    "busy": (["CallRang", "CallEnded"], Outcome.BUSY),
    # here the job speaks before the channel does
    "no-answer": (["CallRang", "JobFailed", "CallEnded"], Outcome.NO_ANSWER),
    "trunk-refuses": (["CallEnded"], Outcome.CONGESTION),
    "no-such-number": (["CallEnded"], Outcome.INVALID),
    "no-such-trunk": (["JobFailed"], None),
    "agent-answers": (
        ["CallRang", "CallAnswered", "CallParked", "AgentAnswered", "CallEnded"],
        Outcome.TRANSFERRED,
    ),
    "agent-busy": (
        ["CallRang", "CallAnswered", "CallParked", "AgentFailed", "CallEnded"],
        Outcome.AGENT_UNAVAILABLE,
    ),
    "agent-silent": (
        ["CallRang", "CallAnswered", "CallParked", "AgentFailed", "CallEnded"],
        Outcome.AGENT_UNAVAILABLE,
    ),
    "callee-leaves-while-agent-rings": (
        ["CallRang", "CallAnswered", "CallParked", "CallEnded"],
        Outcome.AGENT_UNAVAILABLE,
    ),
    # answered, and FreeSWITCH has no such script: the callee would wait in silence
    "no-script": (["CallRang", "CallAnswered", "ParkedInVain", "CallEnded"], Outcome.SCRIPT_ERROR),
}


def test_every_kind_of_call_was_recorded() -> None:
    assert set(STORIES) == set(KINDS) == {path.stem for path in RECORDINGS.glob("*.jsonl")}


@pytest.mark.parametrize("kind", sorted(STORIES))
def test_what_is_told_of_a_call(kind: str) -> None:
    story, outcome = STORIES[kind]
    news = told(recorded(kind))
    assert kinds_of(news) == story
    assert {getattr(one, "attempt_id", "") for one in news} == {attempt_of(kind)}
    if outcome is not None:
        [ended] = [one for one in news if isinstance(one, e.CallEnded)]
        assert judge(ended.ending) is outcome
        assert not ended.from_job


def test_details_that_only_the_switch_knows() -> None:
    [busy] = [one for one in told(recorded("busy")) if isinstance(one, e.CallEnded)]
    assert (busy.ending.cause, busy.ending.sip_status) == ("USER_BUSY", 486)
    [parked] = [one for one in told(recorded("agent-busy")) if isinstance(one, e.CallParked)]
    assert (parked.result.ended_by, parked.result.action) == (KEY, "transfer")
    [failed] = [one for one in told(recorded("agent-busy")) if isinstance(one, e.AgentFailed)]
    assert failed.cause == "USER_BUSY"
    [gone] = told(recorded("no-such-trunk"))
    assert gone == JobFailed(attempt_of("no-such-trunk"), "INVALID_GATEWAY")


@settings(deadline=None)
@given(st.sampled_from(sorted(STORIES)), st.integers(1, 3))
def test_doubled_events_tell_nothing_new(kind: str, times: int) -> None:
    doubled = [event for event in recorded(kind) for _ in range(times)]
    news = kinds_of(told(doubled))
    once = [x for x in news if x != "JobFailed"]  # a question to be asked, not an answer
    assert once == [x for x in STORIES[kind][0] if x != "JobFailed"]


@settings(deadline=None)
@given(st.data())
def test_in_any_order_a_call_ends_once_and_last(data: Any) -> None:
    kind = data.draw(st.sampled_from(sorted(STORIES)))
    events = data.draw(st.permutations(recorded(kind) * 2))
    news = told(list(events))
    ends = [one for one in news if isinstance(one, e.CallEnded)]
    assert len(ends) == (STORIES[kind][1] is not None)
    if ends:
        assert news[-1] is ends[0]
        assert judge(ends[0].ending) is STORIES[kind][1]
    for once in (e.CallRang, e.CallAnswered, e.CallParked, e.AgentAnswered, e.AgentFailed):
        assert sum(isinstance(one, once) for one in news) <= 1


def test_two_calls_at_a_time_do_not_mix() -> None:
    ears = SwitchEars(PRESENCE)
    first, second = recorded("agent-answers"), recorded("agent-busy")
    mixed = [event for pair in zip(first, second, strict=False) for event in pair]
    mixed += first[len(second) :] + second[len(first) :]
    news = told(mixed, ears)
    for kind in ("agent-answers", "agent-busy"):
        own = [one for one in news if getattr(one, "attempt_id", "") == attempt_of(kind)]
        assert kinds_of(own) == STORIES[kind][0]


def test_another_daemons_calls_are_not_ours() -> None:
    for kind in STORIES:
        assert told(recorded(kind), SwitchEars("duecall:d")) == []
        assert told(recorded(kind), SwitchEars("duecall:d11")) == []
    [job] = recorded("no-such-trunk")
    line = job["Job-Command-Arg"].replace(PRESENCE, PRESENCE + "1")
    assert told([{**job, "Job-Command-Arg": line}]) == []


def test_an_agents_failure_is_told_once_whoever_tells_it_first() -> None:
    events = recorded("agent-busy")
    ended = next(x for x in events if x["Event-Name"] == "CHANNEL_HANGUP_COMPLETE")
    job = next(x for x in events if x.get("_body", "").startswith("-ERR"))
    for order in ([ended, job], [job, ended], [job, job, ended]):
        assert kinds_of(told(order)) == ["AgentFailed"]


def test_nothing_of_an_agent_is_told_once_the_callee_has_gone() -> None:
    events = recorded("callee-leaves-while-agent-rings")
    news = kinds_of(told(events))
    assert news[-1] == "CallEnded" and "AgentFailed" not in news


def end_of(kind: str, **changes: Any) -> Headers:
    [event] = [
        x
        for x in recorded(kind)
        if x["Event-Name"] == "CHANNEL_HANGUP_COMPLETE" and x["Unique-ID"] == attempt_of(kind)
    ]
    return {**event, **{name.replace("__", "-"): value for name, value in changes.items()}}


@pytest.mark.parametrize(
    "value",
    [
        "no base64!",
        "A" * 60_000,
        Result("somebody else's attempt", KEY, action="opt_out").encode(),
        ["two", "values"],
    ],
)
def test_a_result_that_cannot_be_believed(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    event = end_of("opts-out", variable_duecall_result=value)
    with caplog.at_level(logging.WARNING):
        [ended] = told([event])
    assert isinstance(ended, e.CallEnded)
    assert ended.ending.result is None
    assert judge(ended.ending) is Outcome.SCRIPT_ERROR
    assert isinstance(value, list) or "result" in caplog.text


def test_a_park_without_a_result_is_a_failed_script() -> None:
    [parked] = [x for x in recorded("agent-busy") if x["Event-Name"] == "CHANNEL_PARK"]
    assert told([{**parked, "variable_duecall_result": "xyz"}]) == [
        ParkedInVain(attempt_of("agent-busy"))
    ]


@pytest.mark.parametrize("cause", ["", "x\ny", "a" * 100, "${x}"])
def test_a_cause_that_is_none(cause: str) -> None:
    [ended] = told([end_of("busy", variable_hangup_cause=cause)])
    assert isinstance(ended, e.CallEnded) and ended.ending.cause == "UNSPECIFIED"


def test_a_call_settled_without_evidence_that_lives_is_ended_once() -> None:
    ears = SwitchEars(PRESENCE)
    attempt = attempt_of("hears-it-all")
    assert ears.close(attempt, lost=True)
    news = told(recorded("hears-it-all"), ears)
    assert [type(one) for one in news] == [StrayChannel]
    assert not ears.close(attempt)


def described(kind: str, name: str, **changes: str) -> Headers:
    """What `uuid_dump` says at the moment of this event: the same headers and variables."""
    event = next(
        x for x in recorded(kind) if x["Event-Name"] == name and x["Unique-ID"] == attempt_of(kind)
    )
    return {**event, "Event-Name": "CHANNEL_DATA", **changes}


MUSIC = "/site/var/hold_music.wav"


def test_each_lost_event_is_found_in_the_description_and_told_once() -> None:
    answered = described("agent-busy", "CHANNEL_ANSWER", **{"Answer-State": "answered"})
    waits = {"Answer-State": "answered", "variable_current_application": "park"}
    parked = described("agent-busy", "CHANNEL_PARK", **waits)
    ears = SwitchEars(PRESENCE)
    assert kinds_of(ears.see(answered, MUSIC, AT)) == ["CallAnswered"]
    assert ears.see(answered, MUSIC, AT) == []
    assert kinds_of(ears.see(parked, MUSIC, AT)) == ["CallParked"]
    bridged = {**parked, "variable_bridge_uuid": "an agent's leg"}
    assert kinds_of(ears.see(bridged, MUSIC, AT)) == ["AgentAnswered"]
    for again in (answered, parked, bridged):
        assert ears.see(again, MUSIC, AT) == []
    # And the events, should they come after all, tell only what nobody has asked after.
    news = kinds_of(told(recorded("agent-busy"), ears))
    assert not {"CallAnswered", "CallParked", "AgentAnswered"} & set(news)
    assert news[-1] == "CallEnded"


def test_all_lost_events_are_found_at_once() -> None:
    waits = {"Answer-State": "answered", "variable_current_application": "park"}
    clock = {"Event-Date-Timestamp": "100000000", "Caller-Channel-Answered-Time": "60000000"}
    dump = described("agent-busy", "CHANNEL_PARK", **waits, **clock)
    answered, parked = SwitchEars(PRESENCE).see(dump, MUSIC, AT)
    assert isinstance(answered, e.CallAnswered) and isinstance(parked, e.CallParked)
    assert parked.waited_s == pytest.approx(40.0 - parked.result.talk_ms / 1000)
    assert 30 < parked.waited_s < 40


@pytest.mark.parametrize(
    ("application", "data", "waits"),
    [
        ("park", "", True),
        ("playback", f"file_string://{MUSIC}!{MUSIC}", True),
        ("playback", "file_string:///site/sorry.wav", False),  # the words for who gets no agent
        ("python", "fs_scripts.entry", False),
    ],
)
def test_who_waits_and_who_does_not(application: str, data: str, waits: bool) -> None:
    dump = described(
        "agent-busy",
        "CHANNEL_PARK",
        variable_current_application=application,
        variable_current_application_data=data,
        **{"Answer-State": "answered"},
    )
    news = kinds_of(SwitchEars(PRESENCE).see(dump, MUSIC, AT))
    assert news == (["CallAnswered", "CallParked"] if waits else ["CallAnswered"])


def test_descriptions_that_tell_nothing() -> None:
    ears = SwitchEars(PRESENCE)
    rings = described("agent-busy", "CHANNEL_PROGRESS", **{"Answer-State": "ringing"})
    assert ears.see(rings, MUSIC, AT) == []
    assert SwitchEars("duecall:d11").see(rings, MUSIC, AT) == []
    attempt = attempt_of("agent-busy")
    ears.close(attempt)
    assert ears.see(rings, MUSIC, AT) == []
    lost = SwitchEars(PRESENCE)
    lost.close(attempt, lost=True)
    assert [type(one) for one in lost.see(rings, MUSIC, AT)] == [StrayChannel]


def test_who_waits_without_a_result_is_not_left_waiting() -> None:
    waits = {"Answer-State": "answered", "variable_current_application": "park"}
    dump = described("agent-busy", "CHANNEL_PARK", **waits, variable_duecall_result="xyz")
    assert SwitchEars(PRESENCE).see(dump, MUSIC, AT) == [ParkedInVain(attempt_of("agent-busy"))]


def test_an_agents_failure_names_his_leg_whoever_tells_it() -> None:
    events = recorded("agent-busy")
    ended = next(x for x in events if x["Event-Name"] == "CHANNEL_HANGUP_COMPLETE")
    job = next(x for x in events if x.get("_body", "").startswith("-ERR"))
    legs = {news.leg_id for one in (ended, job) for news in told([one])}  # type: ignore[union-attr]
    assert legs == {ended["Unique-ID"]}


@settings(deadline=None)
@given(st.data())
def test_whatever_events_are_lost_the_call_ends_once_or_not_at_all(data: Any) -> None:
    """Any part of them in any order: what is told is true, and told once."""
    kind = data.draw(st.sampled_from(sorted(STORIES)))
    events = recorded(kind)
    kept = data.draw(st.lists(st.sampled_from(events), max_size=2 * len(events)))
    news = told(list(kept))
    ends = [one for one in news if isinstance(one, e.CallEnded)]
    assert len(ends) <= 1
    if ends:
        assert news[-1] is ends[0]
        assert judge(ends[0].ending) is STORIES[kind][1]
    assert set(kinds_of(news)) <= {*STORIES[kind][0], "JobFailed", "ParkedInVain", "AgentFailed"}


def test_a_channel_under_another_id_is_a_stray_one() -> None:
    [job] = [x for x in recorded("hears-it-all") if x["Event-Name"] == "BACKGROUND_JOB"]
    other = "00000000-0000-0000-0000-000000000000"
    assert told([job]) == []
    [news] = told([{**job, "_body": f"+OK {other}\n"}])
    assert isinstance(news, StrayChannel) and news.channel_id == other


def test_a_heartbeat_tells_the_load() -> None:
    beat = {
        "Event-Name": "HEARTBEAT",
        "Session-Count": "7",
        "Max-Sessions": "1000",
        "Session-Per-Sec": "30",
        "Uptime-msec": "61000",
    }
    assert SwitchEars(PRESENCE).hear(beat, AT) == [Load(7, 1000, 30, 61)]
    assert SwitchEars(PRESENCE).hear({"Event-Name": "HEARTBEAT"}, AT) == [Load(0, 0, 0, 0)]


def test_progress_is_for_displays() -> None:
    ears = SwitchEars(PRESENCE)
    news = [one for event in recorded("opts-out") for one in ears.hear(event, AT)]
    shown = [one.what for one in news if isinstance(one, Progress)]
    assert shown == ["step", "key", "end"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch_events, "LEGS_MAX", 10)
    ears = SwitchEars(PRESENCE)
    for number in range(100):
        ears.close(f"leg-{number}")
    assert len(ears._legs) == 10
    assert not ears.close("leg-99")  # the latest are the ones that are kept


def test_recordings_hold_nothing_of_the_machine() -> None:
    for kind in STORIES:
        for event in recorded(kind):
            assert not {"FreeSWITCH-Hostname", "FreeSWITCH-IPv4", "FreeSWITCH-IPv6"} & set(event)
            for value in event.values():
                folders = re.findall(r"(?:^|[ ='!]|://)(/[a-z]+)/", str(value))
                assert set(folders) <= {"/site"}, value
