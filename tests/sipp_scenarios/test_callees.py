"""Every callee does what its name says, and keeps its manners when the caller is in a hurry."""

from __future__ import annotations

import pytest

from sipp_scenarios.field import Field
from sipp_scenarios.number_plan import Row, read_rows
from sipp_scenarios.sipp import scenario_names
from tests.sipp_scenarios.sip_caller import Caller

REFUSALS = {
    "busy": 486,
    "agent-busy": 486,
    "rejects": 603,
    "not-reachable": 480,
    "unknown-number": 404,
    "congestion": 503,
}
SILENT_RINGERS = {"no-answer"}
HANG_UP = {"hangs-up-midway", "answers-and-hangs-up-at-once", "agent-answers"}
AGENTS = {name for name in scenario_names() if name.startswith("agent-")}
ANSWER = scenario_names() - set(REFUSALS) - SILENT_RINGERS
RINGS = (ANSWER | SILENT_RINGERS | {"rejects"}) - {"bench-answer"}
KEYS = {
    "presses-1": "1",
    "presses-1-early": "1",
    "presses-2": "2",
    "presses-3": "3",
    "presses-9": "9",
    "presses-5-then-hears": "5",
    "presses-1-and-2": "12",
}


def call(field: Field, callee: str, key_type: int = 101) -> Caller:
    """A caller about to call that callee: over the exchange, or an agent at its own address."""
    if callee in AGENTS:
        return Caller(field.agents[callee].partition("@")[2], "agent", key_type)
    return Caller(field.proxy, _number_of(callee), key_type)


def _number_of(callee: str) -> str:
    rows: list[Row] = [row for row in read_rows() if row.callees == (callee,)]
    return rows[0].number.replace("*", "000000")


@pytest.mark.parametrize("callee", sorted(REFUSALS))
def test_refuses(field: Field, callee: str) -> None:
    with call(field, callee) as caller:
        caller.invite()
        final = caller.wait()
        caller.ack(final)
        assert final.status == REFUSALS[callee]


def test_a_phone_that_is_off_is_told_from_one_that_is_not_answered(field: Field) -> None:
    with call(field, "not-reachable") as caller:
        caller.invite()
        final = caller.wait(480)
        caller.ack(final)
        assert "Q.850;cause=20" in final.header("Reason")


@pytest.mark.parametrize("callee", sorted(ANSWER))
def test_answers_and_the_call_ends_in_good_order(field: Field, callee: str) -> None:
    with call(field, callee) as caller:
        answer = caller.talk()
        assert "m=audio" in answer.text
        assert ("SIP/2.0 180 Ringing" in caller.seen()) == (callee in RINGS)
        if callee in HANG_UP:
            caller.reply(caller.wait_request("BYE"))
        else:
            caller.bye()
            caller.wait(200, "BYE")


@pytest.mark.parametrize("callee", sorted(ANSWER))
def test_the_caller_hangs_up_before_its_ack_arrives(field: Field, callee: str) -> None:
    with call(field, callee) as caller:
        caller.invite()
        caller.answer = caller.wait(200)
        caller.bye()
        caller.wait(200, "BYE")


@pytest.mark.parametrize("callee", sorted(RINGS))
def test_is_cancelled_while_ringing(field: Field, callee: str) -> None:
    with call(field, callee) as caller:
        caller.invite()
        caller.wait(180)
        caller.cancel()
        caller.wait(200, "CANCEL")
        caller.ack(caller.wait(487))


@pytest.mark.parametrize("callee", sorted(ANSWER))
def test_is_cancelled_too_late(field: Field, callee: str) -> None:
    """CANCEL and 200 cross: the callee says its 200 again, and the call is one to be ended."""
    with call(field, callee) as caller:
        caller.invite()
        caller.wait(200)
        caller.cancel()
        caller.wait(200, "CANCEL")
        caller.answer = caller.wait(200)
        caller.ack(caller.answer)
        caller.bye()
        caller.wait(200, "BYE")


@pytest.mark.parametrize("callee", sorted(REFUSALS))
def test_is_cancelled_after_it_refused(field: Field, callee: str) -> None:
    with call(field, callee) as caller:
        caller.invite()
        caller.wait(REFUSALS[callee])
        caller.cancel()
        caller.wait(200, "CANCEL")
        caller.ack(caller.wait(REFUSALS[callee]))


@pytest.mark.parametrize("callee", sorted(ANSWER | set(REFUSALS)))
def test_repeated_messages_change_nothing(field: Field, callee: str) -> None:
    with call(field, callee) as caller:
        caller.invite()
        caller.invite()
        final = caller.wait(timeout_s=15.0)
        caller.invite()
        caller.ack(final)
        caller.ack(final)
        if callee in HANG_UP:
            caller.reply(caller.wait_request("BYE"))
        elif callee in ANSWER:
            caller.answer = final
            caller.bye()
            caller.wait(200, "BYE")
            caller.bye()
        assert final.status == REFUSALS.get(callee, 200)


def test_both_hang_up_at_once(field: Field) -> None:
    with call(field, "hangs-up-midway") as caller:
        caller.talk()
        theirs = caller.wait_request("BYE")
        caller.bye()
        caller.wait(200, "BYE")
        caller.reply(theirs, "481 Call/Transaction Does Not Exist")


def test_an_answer_is_repeated_until_it_is_acknowledged(field: Field) -> None:
    with call(field, "listens") as caller:
        caller.invite()
        caller.wait(200)
        caller.answer = caller.wait(200, timeout_s=5.0)
        caller.ack(caller.answer)
        caller.bye()
        caller.wait(200, "BYE")


@pytest.mark.parametrize("key_type", [101, 120, 121])
@pytest.mark.parametrize("callee", sorted(KEYS))
def test_presses_its_keys(field: Field, callee: str, key_type: int) -> None:
    """Telephone events with the payload type that was offered; sound around them, one stream."""
    with call(field, callee, key_type) as caller:
        answer = caller.talk()
        packets = caller.hear(2.5 if len(KEYS[callee]) > 1 else 1.8)
        caller.bye()
        caller.wait(200, "BYE")
    assert f"a=rtpmap:{key_type} telephone-event/8000" in answer.text
    events = [packet for packet in packets if packet.payload_type == key_type]
    starts = [packet for packet in events if packet.marker]
    ends = {packet.timestamp for packet in events if packet.payload[1] & 0x80}
    assert "".join("0123456789"[packet.payload[0]] for packet in starts) == KEYS[callee]
    assert ends == {packet.timestamp for packet in starts}
    assert {packet.payload_type for packet in packets} == {0, key_type}
    numbers = [packet.sequence for packet in packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_the_early_presser_is_earlier_than_the_others(field: Field) -> None:
    when = {}
    for callee in ("presses-1-early", "presses-1"):
        with call(field, callee) as caller:
            caller.talk()
            packets = caller.hear(1.5)
            when[callee] = next(p.timestamp for p in packets if p.payload_type == 101)
            caller.bye()
            caller.wait(200, "BYE")
    assert when["presses-1-early"] == 200 * 8
    assert when["presses-1"] == 600 * 8


@pytest.mark.parametrize("callee", ["listens", "agent-answers", "answering-machine"])
def test_something_is_to_be_heard(field: Field, callee: str) -> None:
    with call(field, callee) as caller:
        caller.talk()
        packets = caller.hear(0.4)
        if callee in HANG_UP:
            caller.reply(caller.wait_request("BYE"))
        else:
            caller.bye()
            caller.wait(200, "BYE")
    assert {packet.payload_type for packet in packets} == {0}
    assert len({byte for packet in packets for byte in packet.payload}) > 50  # no silence, no tone


def test_calls_to_one_callee_do_not_disturb_each_other(field: Field) -> None:
    with call(field, "presses-2") as first, call(field, "presses-2") as second:
        first.talk()
        second.talk()
        second.bye()
        second.wait(200, "BYE")
        keys = {p.payload[0] for p in first.hear(1.5) if p.payload_type == 101}
        first.bye()
        first.wait(200, "BYE")
    assert keys == {2}


def test_the_load_callee_echoes(field: Field) -> None:
    with call(field, "soak-listens") as caller:
        answer = caller.talk()
        port = int(answer.text.split("m=audio ")[1].split()[0])
        packet = b"\x80\x00" + bytes(10) + b"hello"
        caller.rtp.sendto(packet, ("127.0.0.1", port))
        heard = caller.hear(1.0)
        caller.bye()
        caller.wait(200, "BYE")
    assert [found.payload for found in heard] == [b"hello"]
