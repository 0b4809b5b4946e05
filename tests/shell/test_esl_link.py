"""A link mends what greenswitch breaks: it times out, says why, and never freezes the hub."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from duecall.shell.esl_command import accepted
from duecall.shell.esl_errors import (
    CommandRefused,
    CommandTimeout,
    LinkLost,
    NotReady,
    SwitchNotThere,
    UnsafeLine,
    WrongPassword,
)
from duecall.shell.esl_link import EVENTS_A_TURN, EslLink
from tests.shell.fake_switch import PASSWORD, USER, FakeSwitch, frame, json_event, ok


@pytest.fixture
def switch() -> Iterator[FakeSwitch]:
    fake = FakeSwitch()
    yield fake
    fake.shut()


@pytest.fixture
def links() -> Iterator[list[EslLink]]:
    made: list[EslLink] = []
    yield made
    for link in made:
        link.close()


@pytest.fixture(autouse=True)
def hurry() -> Iterator[None]:
    """A hub that hangs fails the test, instead of the whole run."""
    with gevent.Timeout(30, AssertionError("the test hangs")):
        yield


def make(switch: FakeSwitch, links: list[EslLink], **settings: Any) -> EslLink:
    settings.setdefault("silence_s", None)
    link = EslLink("127.0.0.1", switch.port, USER, PASSWORD, **settings)
    links.append(link)
    return link


def made(switch: FakeSwitch, links: list[EslLink], **settings: Any) -> EslLink:
    link = make(switch, links, **settings)
    link.connect()
    return link


def hub_turns() -> tuple[list[int], gevent.Greenlet]:
    """Counts how often another greenlet, one that waits for a timer, gets its turn."""
    turns = [0]

    def tick() -> None:
        while True:
            turns[0] += 1
            gevent.sleep(1e-6)

    return turns, gevent.spawn(tick)


# ---- connecting


@pytest.mark.parametrize("cut", [0, 1, 7])
def test_commands_and_events_however_the_bytes_come(
    switch: FakeSwitch, links: list[EslLink], cut: int
) -> None:
    switch.cut = cut
    link = made(switch, links)
    assert link.api("global_getvar core_uuid") == switch.core_uuid
    assert link.command("noevents") == "+OK"
    link.subscribe(("HEARTBEAT",), ("duecall::progress",), (("Event-Name", "HEARTBEAT"),))
    assert switch.lines("filter") == ["filter Event-Name HEARTBEAT"]
    assert switch.lines("event") == ["event json HEARTBEAT CUSTOM duecall::progress"]
    switch.tell({"Event-Name": "HEARTBEAT", "n": "1"}, {"Event-Name": "HEARTBEAT", "n": "2"})
    events = link.events()
    assert [next(events)["n"], next(events)["n"]] == ["1", "2"]
    assert link.statistics.events == 2


def test_a_wrong_password_says_where_it_comes_from(
    switch: FakeSwitch, links: list[EslLink], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    link = EslLink("127.0.0.1", switch.port, USER, "no such secret", password_source="var/esl.pw")
    links.append(link)
    with pytest.raises(WrongPassword, match=r"var/esl\.pw") as error:
        link.connect()
    assert "no such secret" not in str(error.value) + caplog.text
    assert link.lost.is_set()


def test_nobody_is_there(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.stop()
    with pytest.raises(SwitchNotThere, match=r"config\.yaml"):
        made(switch, links)


def test_a_listener_that_says_nothing(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.greeting = b""
    with pytest.raises(SwitchNotThere, match="no Event Socket"):
        made(switch, links, connect_timeout_s=0.1)


def test_a_listener_that_hangs_up(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.greeting, switch.close_after_greeting = b"", True
    with pytest.raises(SwitchNotThere, match="closed the connection"):
        made(switch, links)


def test_a_listener_that_speaks_something_else(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.greeting = b"HTTP/1.1 400 Bad Request\r\nContent-Length: x\r\n\n\n"
    with pytest.raises(SwitchNotThere, match="no Event Socket message"):
        made(switch, links)


def test_an_access_list_is_named(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.greeting = frame("text/rude-rejection", b"Access Denied, go away.\n")
    switch.close_after_greeting = True
    with pytest.raises(SwitchNotThere, match="apply-inbound-acl"):
        made(switch, links)


def test_a_login_without_an_answer(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.answers["userauth"] = None
    link = make(switch, links, connect_timeout_s=0.1)
    with pytest.raises(CommandTimeout, match="userauth") as error:
        link.connect()
    assert PASSWORD not in str(error.value)
    assert link.lost.is_set()


def test_a_login_whose_reply_freeswitch_cuts(switch: FakeSwitch, links: list[EslLink]) -> None:
    rights = "Allowed-API: " + " ".join(["uuid_exists"] * 60)
    whole = b"Content-Type: command/reply\nReply-Text: +OK accepted\n" + rights.encode()
    switch.answers["userauth"] = whole[:538]
    link = made(switch, links)
    assert link.api("global_getvar core_uuid") == switch.core_uuid


# ---- commands


def test_replies_find_their_commands(switch: FakeSwitch, links: list[EslLink]) -> None:
    """Two hundred greenlets, one link, every packet cut: each gets its own."""
    switch.cut = 11
    switch.answers["api echo"] = lambda one: frame("api/response", one.line[9:].encode())
    switch.answers["bgapi"] = lambda one: ok("+OK Job-UUID: " + one.headers["Job-UUID"])
    link = made(switch, links)

    def ask(number: int) -> str:
        if number % 3:
            return link.api(f"echo {number}")
        reply = link.start_bgapi("originate x", f"job-{number}").wait()
        accepted(reply)
        return reply.headers["Reply-Text"].rpartition("-")[2]

    asked = [gevent.spawn(ask, number) for number in range(200)]
    gevent.joinall(asked, raise_error=True)
    assert [one.value for one in asked] == [str(number) for number in range(200)]


def test_a_late_reply_is_not_given_to_the_next(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.answers["api slow"] = None
    link = made(switch, links)
    with pytest.raises(CommandTimeout, match="slow"):
        link.api("slow", timeout_s=0.05)
    after = gevent.spawn(link.api, "global_getvar core_uuid")
    switch.wait_for("api global_getvar")
    # The fake answered the second at once; a real switch answers in order, the slow one first. The
    # first reply belongs to the slow command, so the second command still waits for one.
    gevent.sleep(0.05)
    assert not after.ready()
    switch.send(switch.peers[0], frame("api/response", b"the right one"))
    assert after.get(timeout=5) == "the right one"


def test_whoever_waits_hears_that_the_link_is_lost(
    switch: FakeSwitch, links: list[EslLink]
) -> None:
    switch.answers["api"] = None
    link = made(switch, links)
    waiting = [gevent.spawn(link.api, f"slow {n}") for n in range(5)]
    switch.wait_for("api slow", 5)
    switch.hang_up_on_all()
    gevent.joinall(waiting, timeout=5)
    assert all(isinstance(one.exception, LinkLost) for one in waiting)
    assert link.outstanding == 0
    with pytest.raises(NotReady):
        link.api("status")


def test_a_refused_command(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.answers["api lua"] = ok("-ERR permission denied")
    switch.answers["bgapi"] = ok("-ERR permission denied")
    switch.answers["event"] = ok("-ERR permission denied")
    link = made(switch, links)
    with pytest.raises(CommandRefused, match="esl-allowed-api"):
        link.api("lua x")
    with pytest.raises(CommandRefused, match="permission denied"):
        link.bgapi("originate x", "job")
    with pytest.raises(CommandRefused, match="esl-allowed-events"):
        link.subscribe(("DTMF",))


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        ("api status\n\napi shutdown", {}),
        ("api status\r", {}),
        ("api echo café", {}),
        ("api echo \x00", {}),
        ("", {}),
        ("api status", {"Job-UUID": "1\n\napi shutdown"}),
        ("api status", {"Job-UUID: 1\n\napi shutdown": "1"}),
    ],
)
def test_a_line_that_hides_another_is_not_sent(
    switch: FakeSwitch, links: list[EslLink], line: str, headers: dict[str, str]
) -> None:
    link = made(switch, links)
    before = len(switch.received)
    with pytest.raises(UnsafeLine):
        link.command(line, headers)
    assert link.api("global_getvar core_uuid") == switch.core_uuid
    assert len(switch.received) == before + 1


def test_a_switch_that_stops_reading(switch: FakeSwitch, links: list[EslLink]) -> None:
    link = made(switch, links)
    switch.deaf = True
    waiting = gevent.spawn(link.api, "status")
    gevent.sleep(0)
    with gevent.Timeout(20):
        while not link.lost.is_set():  # until the buffers between us are full
            link._post("api " + "x" * 1_000_000, {}, "big", timeout_s=0.2)
    assert "sending failed" in link.lost_reason
    waiting.join(timeout=5)
    assert isinstance(waiting.exception, LinkLost)


def test_what_the_switch_has_not_taken_when_the_link_is_lost_never_comes(
    switch: FakeSwitch, links: list[EslLink]
) -> None:
    """It may be an originate, and the network may be back an hour later."""
    link = made(switch, links)
    switch.deaf = True
    link.start("api status")
    gevent.sleep(0)
    while not link.lost.is_set():  # until the buffers between us are full
        link._post("api " + "x" * 1_000_000, {}, "big", timeout_s=0.2)
    with pytest.raises(ConnectionResetError):
        while switch.peers[-1].recv(1_000_000):
            pass


def test_a_command_cut_short_ends_the_link(switch: FakeSwitch, links: list[EslLink]) -> None:
    """What follows half a command would be taken for its other half."""
    link = made(switch, links)
    switch.deaf = True
    sender = gevent.spawn(link.start, "api " + "x" * 50_000_000)
    gevent.sleep(0.1)
    assert not sender.ready()
    sender.kill()
    assert link.lost.is_set()


def test_somebody_elses_time_limit_stays_his(switch: FakeSwitch, links: list[EslLink]) -> None:
    switch.answers["api slow"] = None
    link = made(switch, links)
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        link.api("slow", timeout_s=30)
    assert not link.lost.is_set()


# ---- events, and the end


def test_a_flood_does_not_freeze_the_hub(switch: FakeSwitch, links: list[EslLink]) -> None:
    link = made(switch, links)
    link.subscribe(("HEARTBEAT",))
    count = 10_000
    turns, ticker = hub_turns()
    flood = b"".join(json_event({"n": str(n), "pad": "x" * 300}) for n in range(count))
    sender = gevent.spawn(switch.send, switch.subscribed[0], flood)
    events = link.events()
    got = [next(events)["n"] for _ in range(count)]
    ticker.kill()
    sender.join()
    assert got == [str(n) for n in range(count)]
    assert turns[0] >= count // EVENTS_A_TURN // 2


def test_reading_alone_lets_the_others_run(switch: FakeSwitch, links: list[EslLink]) -> None:
    """While bytes wait to be read recv does not wait: without a pause nobody else would run."""
    count = 5_000

    class Firehose:
        """A socket with all of it there already."""

        def __init__(self) -> None:
            self._left = b"".join(json_event({"n": str(n)}) for n in range(count))

        def recv(self, size: int) -> bytes:
            data, self._left = self._left[:size], self._left[size:]
            return data

        def close(self) -> None:
            pass

    link = make(switch, links)
    link.sock = Firehose()
    turns, ticker = hub_turns()
    gevent.spawn(link.receive_events).join(timeout=20)
    ticker.kill()
    assert link.statistics.events == count
    assert turns[0] >= count // EVENTS_A_TURN // 2


def test_a_consumer_that_is_too_slow_loses_the_link_not_the_events(
    switch: FakeSwitch, links: list[EslLink]
) -> None:
    link = made(switch, links, queue_max=100)
    link.subscribe(("HEARTBEAT",))
    switch.tell(*({"n": str(n)} for n in range(150)))
    assert link.lost.wait(10)
    assert "too slow" in link.lost_reason
    assert [event["n"] for event in link.events()] == [str(n) for n in range(100)]
    assert link.statistics.queue_high_water == 100


def test_the_end_in_the_middle_of_an_event(switch: FakeSwitch, links: list[EslLink]) -> None:
    link = made(switch, links)
    link.subscribe(("HEARTBEAT",))
    turns, ticker = hub_turns()
    switch.send(switch.subscribed[0], json_event({"n": "1"}) + json_event({"n": "2"})[:-3])
    switch.hang_up_on_all()
    assert link.lost.wait(5)
    seen = turns[0]
    gevent.sleep(0.01)
    ticker.kill()
    assert turns[0] > seen  # greenswitch spins here for ever
    assert "in the middle of a message" in link.lost_reason
    assert [event["n"] for event in link.events()] == ["1"]


def test_a_goodbye_is_an_end(switch: FakeSwitch, links: list[EslLink]) -> None:
    link = made(switch, links)
    body = b"Disconnected, goodbye.\nSee you at ClueCon!\n"
    switch.send(switch.peers[0], frame("text/disconnect-notice", body))
    assert link.lost.wait(5)
    assert "Disconnected, goodbye." in link.lost_reason


def test_silence_is_an_end(switch: FakeSwitch, links: list[EslLink]) -> None:
    link = made(switch, links, silence_s=0.2)
    assert link.lost.wait(10)
    assert "heartbeat" in link.lost_reason


def test_whatever_is_heard_keeps_the_link(switch: FakeSwitch, links: list[EslLink]) -> None:
    link = made(switch, links, silence_s=0.4)
    link.subscribe(("HEARTBEAT",))
    for _ in range(12):
        switch.tell({"Event-Name": "HEARTBEAT"})
        gevent.sleep(0.05)
    assert not link.lost.is_set()


def test_an_event_that_cannot_be_read_is_counted_and_passed_over(
    switch: FakeSwitch, links: list[EslLink], caplog: pytest.LogCaptureFixture
) -> None:
    link = made(switch, links)
    link.subscribe(("HEARTBEAT",))
    bad = frame("text/event-json", b"{no json")
    switch.send(switch.subscribed[0], bad + json_event({"n": "2"}))
    assert next(link.events())["n"] == "2"
    assert link.statistics.bad_events == 1
    assert "could not be read" in caplog.text


def test_a_reply_to_nothing_ends_the_link(switch: FakeSwitch, links: list[EslLink]) -> None:
    """From then on no reply could be trusted to be the right one."""
    link = made(switch, links)
    switch.send(switch.peers[0], ok("+OK for whom?"))
    assert link.lost.wait(5)
    assert "a reply to nothing" in link.lost_reason


def test_closing_twice_is_closing_once(switch: FakeSwitch, links: list[EslLink]) -> None:
    link = made(switch, links)
    listener = gevent.spawn(list, link.events())
    gevent.sleep(0)
    link.close()
    link.close()
    assert listener.get(timeout=5) == []
    assert link.lost_reason == "closed by us"


def test_a_link_that_never_stood(switch: FakeSwitch, links: list[EslLink]) -> None:
    with pytest.raises(NotReady, match="not connected"):
        make(switch, links).start("api status")
