"""Keys pressed before the script listens. The same test on both switches: FreeSWITCH says what is
right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.freeswitch.conftest import PASSWORD as FREESWITCH_PASSWORD
from tests.freeswitch.conftest import running
from tests.freeswitch.conftest import site as site
from tests.pocket_switch.callees import Callees
from tests.pocket_switch.client import Client
from tests.pocket_switch.pocket import EVENTS

pytestmark = pytest.mark.switch

# As a script that begins late on a busy machine, and first drops what was pressed before.
LATE = """
import time


def handler(session, args):
    for _ in range(1_000):  # without ready(), which looks for messages of the line
        if session.getVariable("begin"):
            break
        time.sleep(0.02)
    session.flushDigits()
    key = session.read(1, 1, "silence_stream://300", 1500, "", 0)
    if session.getVariable("read_result") != "success":
        key = "none"
    session.setVariable("duecall_result", "key-" + key)
    session.hangup()
"""
PRESSED_S = 1.5  # after the answer the callees have sent their key


@pytest.fixture(scope="module")
def client(switch_kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Of a switch whose scripts folder has the script `late`."""
    if switch_kind == "pocket":
        pocket = request.getfixturevalue("switch")
        (pocket.scripts / "late.py").write_text(LATE)
        yield pocket.client()
        return

    def write(made: Path) -> None:
        (made / "scripts").mkdir(exist_ok=True)
        (made / "scripts" / "late.py").write_text(LATE)

    for switch in running(folder / "freeswitch", request.getfixturevalue("site"), write):
        client = Client(switch.esl_port, f"auth {FREESWITCH_PASSWORD}")
        client.command("event json " + EVENTS)
        yield client
        client.close()


@pytest.mark.parametrize("callee", ["presses-1", "info-1"])
def test_a_key_of_the_callee_waits_until_the_script_listens(
    client: Client, callees: Callees, callee: str
) -> None:
    """By RFC 2833, and by SIP INFO where telephone-event was not agreed."""
    leg = _call(client, callees, callee)
    time.sleep(PRESSED_S)
    assert _result(client, leg) == "key-1"


def test_a_key_in_the_callees_name_is_heard_at_once_and_dropped(
    client: Client, callees: Callees
) -> None:
    leg = _call(client, callees, "listens")
    assert client.api(f"uuid_recv_dtmf {leg} 1").startswith("+OK")
    assert _result(client, leg) == "key-none"


def _call(client: Client, callees: Callees, callee: str) -> str:
    leg = client.originate(callees.address(callee), "'python:late,hangup:' inline")
    client.wait_for("CHANNEL_ANSWER", leg)
    return leg


def _result(client: Client, leg: str) -> str:
    client.api(f"uuid_setvar {leg} begin yes")
    ended = client.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
    return str(ended["variable_duecall_result"])
