"""The pocket switch against FreeSWITCH's own words.

`tests/data/events/` holds what a real FreeSWITCH said of each kind of call. The same calls over the
pocket switch must mean the same to the daemon, and carry the headers it reads.
"""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from dataclasses import replace

import pytest

pytest.importorskip("pjsua2", reason="needs pjsua2-python (Python 3.10 to 3.12)")

from duecall.core import events as e
from duecall.core.moment import Moment
from duecall.shell.esl_frames import Headers
from duecall.shell.esl_link import EslLink
from duecall.shell.freeswitch_process import find_freeswitch, why_no_freeswitch
from duecall.shell.loopback_site import LoopbackSite
from duecall.shell.switch_events import JobFailed, News, Progress, SwitchEars
from tests.core.building import NOON_IN_HANOI
from tests.shell.real_calls import KINDS, MANNERS, MESSAGE_S, PRESENCE, RECORDINGS, Stage, record
from tests.shell.real_calls import stage as real_stage
from tests.shell.sip_callee import SipCallee

pytestmark = pytest.mark.switch

# Scrubbed from the recordings, or there only in some kinds of call.
_ODD = {
    "FreeSWITCH-Hostname",
    "FreeSWITCH-IPv4",
    "FreeSWITCH-IPv6",
    "Caller-Transfer-Source",
    "Caller-Caller-ID-Name",
    "Caller-Callee-ID-Name",
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("like")
    message = folder / "message.wav"
    with wave.open(str(message), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8_000)
        out.writeframes(bytes(int(16_000 * MESSAGE_S)))
    phones = SipCallee(MANNERS)
    try:
        with LoopbackSite(
            folder / "site",
            "pocket",
            proxy=f"127.0.0.1:{phones.port}",
            agents=[f"sip:anna@127.0.0.1:{phones.port}"],
        ) as site:
            site.start_switch()
            admin = EslLink("127.0.0.1", site.esl_port, "", site.password, silence_s=None)
            admin.connect()
            try:
                yield Stage(site, phones, admin, message)
            finally:
                admin.close()
    finally:
        phones.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_means_the_same_on_both(stage: Stage, kind: str) -> None:
    theirs = _recorded(kind)
    ours = record(stage, kind, wait_s=3.0)
    assert _meaning(ours) == _meaning(theirs)
    _carries_what_is_read(ours, theirs)


@pytest.fixture(scope="module")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if find_freeswitch() is None:
        pytest.skip(why_no_freeswitch())
    with real_stage(tmp_path_factory.mktemp("real")) as stage:
        yield stage


@pytest.mark.freeswitch
@pytest.mark.parametrize("kind", ["busy", "no-answer", "opts-out", "agent-answers"])
def test_the_freeswitch_that_is_here_says_it_too(
    freeswitch: Stage, stage: Stage, kind: str
) -> None:
    """Not only the one of the recordings: what the daemon reads is there on both, live."""
    theirs = record(freeswitch, kind, wait_s=3.0)
    ours = record(stage, kind, wait_s=3.0)
    assert _meaning(ours) == _meaning(theirs)
    _carries_what_is_read(ours, theirs)


def _recorded(kind: str) -> list[Headers]:
    lines = (RECORDINGS / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _meaning(events: list[Headers]) -> list[News]:
    """The news the daemon takes from a stream, without times; jobs may come before or after the
    channel's own word, and mean nothing more then."""
    ears = SwitchEars(PRESENCE)
    news = [one for event in events for one in ears.hear(event, Moment(NOON_IN_HANOI, 0.0))]
    ended = any(isinstance(one, e.CallEnded) for one in news)
    return [
        _timeless(one)
        for one in news
        if not isinstance(one, Progress) and not (ended and isinstance(one, JobFailed))
    ]


def _timeless(news: News) -> News:
    if isinstance(news, e.CallParked):
        keys = tuple(replace(key, at_ms=0) for key in news.result.keys)
        return replace(news, result=replace(news.result, heard_ms=0, talk_ms=0, keys=keys))
    if isinstance(news, e.CallEnded) and news.ending.result is not None:
        keys = tuple(replace(key, at_ms=0) for key in news.ending.result.keys)
        result = replace(news.ending.result, heard_ms=0, talk_ms=0, keys=keys)
        return replace(news, ending=replace(news.ending, result=result))
    return news


def _carries_what_is_read(ours: list[Headers], theirs: list[Headers]) -> None:
    """Every header of ours is one FreeSWITCH has too, and of its call headers ours has all that do
    not begin with `variable_` and the variables of the call's course."""
    for name in {event["Event-Name"] for event in theirs} - {"CUSTOM"}:
        real = _all_headers(theirs, str(name))
        mine = _all_headers(ours, str(name))
        assert {h for h in real if _matters(h)} - mine == set(), name
        strange = {h for h in mine - real - _ODD if not h.startswith("variable_")}
        assert strange == set(), name


def _all_headers(events: list[Headers], name: str) -> set[str]:
    return {header for event in events if event["Event-Name"] == name for header in event}


_COURSE = (
    *("duecall_", "hangup_cause", "origination_", "presence_data", "answer_", "progress_", "end_"),
    *("start_", "bridge_uuid", "current_application", "sip_term_", "proto_specific_"),
    *("digits_dialed", "duration", "billsec", "park_timeout", "read_result", "uuid"),
)


def _matters(header: str) -> bool:
    if not header.startswith("variable_"):
        # Headers of a bridge stay on a leg of FreeSWITCH in ways nobody reads.
        return header not in _ODD and not header.startswith(("Other-Leg-", "Other-Type"))
    return header.removeprefix("variable_").startswith(_COURSE)
