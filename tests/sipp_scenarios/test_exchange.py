"""The exchange leads calls, keeps the log, refuses what nobody has, and stays small."""

from __future__ import annotations

import csv
import io

from sipp_scenarios.exchange import Exchange
from sipp_scenarios.field import Field
from sipp_scenarios.number_plan import NumberPlan, Row
from tests.sipp_scenarios.sip_caller import Caller

CALLER = ("127.0.0.1", 40_000)
CALLEE = ("127.0.0.1", 40_001)


def message(first_line: str, call_id: str, method: str, to_tag: str = "") -> bytes:
    return (
        f"{first_line}\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK1\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>{to_tag}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def request(method: str, call_id: str = "x", number: str = "+84900000001") -> bytes:
    return message(f"{method} sip:{number}@127.0.0.1 SIP/2.0", call_id, method)


def exchange(log: io.StringIO, dialogs_max: int = 10) -> Exchange:
    plan = NumberPlan([Row("+84900*", ("busy",), "", ""), Row("+84901*", ("gone",), "", "")])
    return Exchange(plan, {"busy": CALLEE}, log, dialogs_max=dialogs_max)


def test_a_call_goes_both_ways() -> None:
    found = exchange(io.StringIO())
    ringing = message("SIP/2.0 180 Ringing", "x", "INVITE", ";tag=2")
    assert found.handle(request("INVITE"), CALLER, 0.0) == (request("INVITE"), CALLEE)
    assert found.handle(ringing, CALLEE, 0.1) == (ringing, CALLER)
    assert found.handle(request("CANCEL"), CALLER, 0.2) == (request("CANCEL"), CALLEE)
    assert found.handle(request("BYE"), CALLEE, 0.3) == (request("BYE"), CALLER)
    bye_ok = message("SIP/2.0 200 OK", "x", "BYE", ";tag=2")
    assert found.handle(bye_ok, CALLER, 0.4) == (bye_ok, CALLEE)


def test_every_invite_is_logged_and_repeats_are_marked() -> None:
    log = io.StringIO()
    found = exchange(log)
    for _ in range(2):
        found.handle(request("INVITE"), CALLER, 1.5)
    found.handle(request("INVITE", "y", "0902"), CALLER, 2.5)
    rows = list(csv.DictReader(io.StringIO(log.getvalue())))
    seen = [
        (row["unix_time"], row["number"], row["call_id"], row["callee"], row["repeat"])
        for row in rows
    ]
    assert seen == [
        ("1.500", "+84900000001", "x", "busy", "0"),
        ("1.500", "+84900000001", "x", "busy", "1"),
        ("2.500", "+84902", "y", "", "0"),
    ]


def test_a_repeat_after_the_final_answer_is_not_passed_on() -> None:
    found = exchange(io.StringIO())
    found.handle(request("INVITE"), CALLER, 0.0)
    assert found.handle(request("INVITE"), CALLER, 0.5) == (request("INVITE"), CALLEE)
    found.handle(message("SIP/2.0 200 OK", "x", "INVITE", ";tag=2"), CALLEE, 1.0)
    assert found.handle(request("INVITE"), CALLER, 1.5) is None


def _status(out: tuple[bytes, tuple[str, int]] | None) -> str:
    assert out is not None and out[1] == CALLER
    assert b"Call-ID: x" in out[0] and b"Via: SIP/2.0/UDP 127.0.0.1:40000;branch" in out[0]
    return out[0].split(b"\r\n", 1)[0].decode()


def test_what_it_answers_itself() -> None:
    found = exchange(io.StringIO())
    unknown = request("INVITE", number="+84777000001")
    assert _status(found.handle(unknown, CALLER, 0.0)) == "SIP/2.0 404 Not Found"
    assert _status(found.handle(unknown, CALLER, 0.5)) == "SIP/2.0 404 Not Found"
    assert found.handle(request("ACK"), CALLER, 0.6) is None
    found = exchange(io.StringIO())
    not_started = request("INVITE", number="+84901000001")
    assert _status(found.handle(not_started, CALLER, 0.0)) == "SIP/2.0 503 Service Unavailable"
    found = exchange(io.StringIO())
    options = message("OPTIONS sip:127.0.0.1:5080 SIP/2.0", "x", "OPTIONS")
    assert _status(found.handle(options, CALLER, 0.0)) == "SIP/2.0 200 OK"
    assert _status(found.handle(request("BYE"), CALLER, 0.0)).startswith("SIP/2.0 481")
    for noise in (b"", b"\r\n\r\n", b"\xff" * 40, b"Call-ID: x\r\n"):
        assert found.handle(noise, CALLER, 0.0) is None


def test_memory_is_bounded() -> None:
    found = exchange(io.StringIO(), dialogs_max=10)
    for index in range(1000):
        found.handle(request("INVITE", f"call-{index}"), CALLER, float(index))
    assert len(found) == 10
    found.handle(request("INVITE", "later"), CALLER, 100_000.0)
    assert len(found) == 1  # what has been idle for half an hour goes


def test_nobody_has_that_number(field: Field) -> None:
    with Caller(field.proxy, "+84900009999") as caller:
        caller.invite()
        final = caller.wait()
        caller.ack(final)
        mine = [found for found in field.invites() if found.call_id == caller.call_id]
    assert final.status == 404
    assert [(found.number, found.callee, found.repeat) for found in mine] == [
        ("+84900009999", "", False)
    ]


def test_busy_at_first_then_presses_1(field: Field) -> None:
    number = "+84900000301"
    with Caller(field.proxy, number) as first:
        first.invite()
        final = first.wait()
        first.ack(final)
    with Caller(field.proxy, number) as second:
        second.talk()
        second.bye()
        second.wait(200, "BYE")
    assert final.status == 486
    mine = [found.callee for found in field.invites() if found.number == number]
    assert mine == ["busy", "presses-1"]
