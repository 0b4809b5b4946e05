"""With trace_calls the exchange stays in the way of a call and says what it saw of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipp_scenarios.field import Field
from sipp_scenarios.sounds import KEY_MS
from sipp_scenarios.timing import Timing
from tests.sipp_scenarios.sip_caller import Caller

PRESS_AFTER_MS = 500
ALLOWED_LATE_S = 1.0  # on a busy machine


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    timing = Timing(ring_ms=200, press_after_ms=PRESS_AFTER_MS, hang_up_after_ms=400)
    with Field(
        tmp_path_factory.mktemp("traced"),
        callees=["presses-9", "hangs-up-midway", "busy", "no-answer"],
        agents=[],
        timing=timing,
        trace_calls=True,
    ) as running:
        yield running


def signals(field: Field, caller: Caller) -> list[tuple[str, str]]:
    return [(s.side, s.what) for s in field.wire() if s.call_id == caller.call_id]


def test_a_call_that_the_caller_ends(traced: Field) -> None:
    with Caller(traced.proxy, "+84900000103") as caller:
        answer = caller.talk()
        assert answer.header("Contact").endswith(f"@{traced.proxy}>")
        caller.bye()
        caller.wait(200, "BYE")
    assert signals(traced, caller) == [
        ("callee", "180 INVITE"),
        ("callee", "200 INVITE"),
        ("caller", "ACK"),
        ("caller", "BYE"),
        ("callee", "200 BYE"),
    ]
    assert caller.call_id not in {key.call_id for key in traced.keys_sent()}  # it was too early


def test_a_call_that_the_callee_ends(traced: Field) -> None:
    with Caller(traced.proxy, "+84900000105") as caller:
        caller.talk()
        caller.reply(caller.wait_request("BYE"))
    assert ("callee", "BYE") in signals(traced, caller)


def test_a_refusal_and_one_by_the_exchange_itself(traced: Field) -> None:
    for number, status in (("+84900000106", 486), ("+84777000001", 404)):
        with Caller(traced.proxy, number) as caller:
            caller.invite()
            caller.ack(caller.wait(status))
        assert signals(traced, caller)[0] == ("callee", f"{status} INVITE")


def test_a_cancelled_call_and_repeats_stand_in_it_once(traced: Field) -> None:
    with Caller(traced.proxy, "+84900000107") as caller:
        caller.invite()
        caller.wait(180)
        caller.cancel()
        caller.cancel()
        caller.ack(caller.wait(487))
        found = signals(traced, caller)
    assert found.count(("caller", "CANCEL")) == 1
    assert ("callee", "487 INVITE") in found


def test_a_key_is_told_when_it_was_sent(traced: Field) -> None:
    with Caller(traced.proxy, "+84900000103") as caller:
        caller.talk()
        packets = caller.hear(2.0)
        caller.bye()
        caller.wait(200, "BYE")
    assert any(packet.payload_type == 101 for packet in packets)
    (acknowledged,) = [
        s.unix_time for s in traced.wire() if s.call_id == caller.call_id and s.what == "ACK"
    ]
    (key,) = [key for key in traced.keys_sent() if key.call_id == caller.call_id]
    assert key.callee == "presses-9"
    after_s = key.unix_time - acknowledged
    assert (PRESS_AFTER_MS + KEY_MS) / 1000 - 0.05 <= after_s < 2.0 + ALLOWED_LATE_S
