"""One real switch with telephones, and calls over it: for the tests and for their recordings.

Run as a program it records anew what FreeSWITCH says of each kind of call:

    python -m tests.shell.real_calls            # writes tests/data/events/<kind>.jsonl
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
import uuid
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gevent

from duecall.core import commands as c
from duecall.core.attempt import Attempt, agent_leg_id
from duecall.shell import originate_line as lines
from duecall.shell import switch_events
from duecall.shell.esl_frames import Headers
from duecall.shell.esl_link import EslLink
from duecall.shell.loopback_site import LoopbackSite, SwitchKind
from fs_scripts.contract import Brief, KeyAction, Step
from tests.core.building import NOON_IN_HANOI, target
from tests.shell.sip_callee import Manner, SipCallee

RECORDINGS = Path(__file__).resolve().parents[1] / "data" / "events"
PRESENCE = "duecall:d1"
MESSAGE_S = 1.5  # in the recordings

# number -> what the callee there does; agents have numbers too
MANNERS = {
    "+84900000001": Manner(),  # answers and listens
    "+84900000002": Manner(bye_after_s=0.0),  # answers and hangs up in the same breath
    "+84900000003": Manner(bye_after_s=0.7),  # hangs up midway
    "+84900000004": Manner(486),
    "+84900000005": Manner(0),  # rings and rings
    "+84900000006": Manner(403, ring=False),
    "+84900000007": Manner(bye_after_s=2.2),  # asks for an agent, and loses patience
    "anna": Manner(),
    "binh": Manner(486),
    "chi": Manner(0),
    "dung": Manner(bye_after_s=0.8),
}


@dataclass
class Stage:
    """A switch that runs, the telephones, and a link with all rights."""

    site: LoopbackSite
    phones: SipCallee
    admin: EslLink
    message: Path
    message_s: float = MESSAGE_S

    def brief(self, attempt_id: str) -> Brief:
        keys = {"1": KeyAction("transfer"), "9": KeyAction("opt_out")}
        step = Step("message", (str(self.message),), int(self.message_s * 1000), keys, wait_ms=500)
        return Brief(attempt_id, (step,), language="vi", max_call_ms=60_000)

    def originate(self, attempt_id: str, phone: str, **changes: Any) -> c.Originate:
        who = target()
        who = replace(
            who, contact=replace(who.contact, phone=phone), brief=self.brief("filled in later")
        )
        command = c.Originate(
            attempt=Attempt(attempt_id, 1, who, NOON_IN_HANOI),
            trunk="demo",
            caller_id="842412345678",
            caller_name="Ngân hàng ABC",
            ring_s=2,
            max_call_s=60,
            record=False,
            transfer_wait_s=20,
        )
        return replace(command, **changes)

    def call_agent(self, attempt_id: str, who: str, number: int = 1) -> c.CallAgent:
        return c.CallAgent(
            attempt_id=attempt_id,
            leg_id=agent_leg_id(attempt_id, number),
            address=f"sip:{who}@127.0.0.1:{self.phones.port}",
            ring_s=2,
            caller_id="842412345678",
            music=number == 1,
        )

    def press(self, attempt_id: str, key: str) -> None:
        self.admin.api(f"uuid_recv_dtmf {attempt_id} {key}")


@contextlib.contextmanager
def stage(
    folder: Path, kind: SwitchKind = "freeswitch", message_s: float = MESSAGE_S
) -> Iterator[Stage]:
    phones = SipCallee(MANNERS)
    message = folder / "message.wav"
    with wave.open(str(message), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(int(16_000 * message_s)))
    with LoopbackSite(
        folder / "site",
        kind,
        proxy=f"127.0.0.1:{phones.port}",
        agents=[f"sip:anna@127.0.0.1:{phones.port}"],
    ) as site:
        site.start_switch()
        admin = EslLink("127.0.0.1", site.esl_port, "", site.password, silence_s=None)
        admin.connect()
        try:
            yield Stage(site, phones, admin, message, message_s)
        finally:
            admin.close()
            phones.stop()


# ---- recording

Play = Callable[[Stage, str, Callable[[str], None]], None]


def _asks_for_agent(who: str) -> Play:
    def play(on: Stage, attempt: str, send: Callable[[str], None]) -> None:
        gevent.sleep(0.5)
        on.press(attempt, "1")
        gevent.sleep(0.7)
        agent = on.call_agent(attempt, who)
        music = Path(on.site.folder / "var" / "hold_music.wav")
        on.admin.api(lines.hold_music(attempt, music, 2))
        send(lines.call_agent(agent, profile="duecall", presence=PRESENCE))

    return play


def _presses(key: str) -> Play:
    def play(on: Stage, attempt: str, send: Callable[[str], None]) -> None:
        gevent.sleep(0.5)
        on.press(attempt, key)

    return play


def _listens(on: Stage, attempt: str, send: Callable[[str], None]) -> None:
    return


# kind of call -> number, what happens meanwhile, changes to the originate
KINDS: dict[str, tuple[str, Play, dict[str, Any]]] = {
    "hears-it-all": ("+84900000001", _listens, {}),
    "opts-out": ("+84900000001", _presses("9"), {}),
    "answers-and-hangs-up-at-once": ("+84900000002", _listens, {}),
    "hangs-up-midway": ("+84900000003", _listens, {}),
    "busy": ("+84900000004", _listens, {}),
    "no-answer": ("+84900000005", _listens, {}),
    "trunk-refuses": ("+84900000006", _listens, {}),
    "no-such-number": ("+84900000099", _listens, {}),
    "no-such-trunk": ("+84900000001", _listens, {"trunk": "nowhere"}),
    "agent-answers": ("+84900000001", _asks_for_agent("dung"), {}),
    "agent-busy": ("+84900000001", _asks_for_agent("binh"), {}),
    "agent-silent": ("+84900000001", _asks_for_agent("chi"), {}),
    "callee-leaves-while-agent-rings": ("+84900000007", _asks_for_agent("chi"), {}),
    "no-script": ("+84900000001", _listens, {}),
}


def attempt_of(kind: str) -> str:
    """The attempt's id in the recording of this kind of call."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, kind))


def record(on: Stage, kind: str, wait_s: float = 5.0) -> list[Headers]:
    """Place a call of this kind; what FreeSWITCH says of it."""
    phone, play, changes = KINDS[kind]
    attempt = attempt_of(kind)
    settings = on.site.site.switch
    events = EslLink("127.0.0.1", settings.port, settings.user, on.site.password)
    events.connect()
    events.subscribe(
        tuple(name for name in switch_events.EVENT_NAMES if name != "HEARTBEAT"),
        switch_events.CUSTOM_EVENTS,
        (
            ("Channel-Presence-Data", PRESENCE),
            ("Channel-Presence-Data", f"{PRESENCE}:{lines.AGENT_PRESENCE}"),
            ("Job-Command", "originate"),
        ),
    )
    command = on.originate(attempt, phone, **changes)
    trunk = on.site.site.trunks["demo"]
    line = lines.originate(command, trunk, presence=PRESENCE, recording=None)
    if kind == "no-script":
        line = line.replace("fs_scripts.entry", "fs_scripts.nothing")

    def send(what: str) -> None:
        job = re.search(r"origination_uuid=([0-9a-f-]+)", what)
        assert job is not None
        on.admin.bgapi(what, job[1])

    send(line)
    play(on, attempt, send)
    gevent.sleep(wait_s)
    on.admin.api(f"uuid_kill {attempt}")
    gevent.sleep(1)
    events.close()
    return list(events.events())


def scrubbed(event: Headers, folder: Path) -> Headers:
    """Without what is only this machine's."""
    machine = ("FreeSWITCH-Hostname", "FreeSWITCH-IPv4", "FreeSWITCH-IPv6")
    text = json.dumps({k: v for k, v in event.items() if k not in machine})
    value: Headers = json.loads(text.replace(str(folder.resolve()), "/site"))
    return value


def main() -> None:
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, stage(Path(name)) as on:
        for kind in sys.argv[1:] or KINDS:
            events = record(on, kind)
            path = RECORDINGS / f"{kind}.jsonl"
            rows = (json.dumps(scrubbed(event, Path(name))) for event in events)
            path.write_text("".join(row + "\n" for row in rows))
            print(f"{path.name}: {len(events)} events, {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
