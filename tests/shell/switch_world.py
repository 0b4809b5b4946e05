"""A Switch on a FakeSwitch, all that it told, and words to make up what the fake says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import gevent.event

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, agent_leg_id, attempt_id
from duecall.core.outcome import Ending
from duecall.shell.clock import now
from duecall.shell.switch import Switch
from duecall.shell.switch_calls import Wiring
from tests.core.building import NOON_IN_HANOI, site, target
from tests.shell.fake_switch import PASSWORD, FakeSwitch

A, B = (attempt_id("bank", "overdue", "HD-1", number) for number in (1, 2))
LEG = agent_leg_id(A, 1)
OURS = {"Channel-Presence-Data": "duecall:d1"}
AGENTS = {"Channel-Presence-Data": "duecall:d1:agent", "variable_duecall_callee": A}


def originate(attempt: str = A, **changes: Any) -> c.Originate:
    command = c.Originate(
        attempt=Attempt(attempt, 1, target(), NOON_IN_HANOI),
        trunk="demo",
        caller_id="842412345678",
        caller_name="",
        ring_s=30,
        max_call_s=300,
        record=False,
        transfer_wait_s=60,
    )
    return replace(command, **changes)


def call_agent(**changes: Any) -> c.CallAgent:
    command = c.CallAgent(A, LEG, "sip:anna@127.0.0.1:5090", 20, "842412345678", music=True)
    return replace(command, **changes)


def job(leg: str, body: str, line: str = "{presence_data=duecall:d1,x=y}z") -> dict[str, str]:
    return {
        "Event-Name": "BACKGROUND_JOB",
        "Job-UUID": leg,
        "Job-Command": "originate",
        "Job-Command-Arg": line,
        "_body": body,
    }


def channel(name: str, leg: str = A, **headers: str) -> dict[str, str]:
    return {"Event-Name": name, "Unique-ID": leg, **OURS, **headers}


def hung_up(leg: str = A, cause: str = "USER_BUSY", **headers: str) -> dict[str, str]:
    return channel("CHANNEL_HANGUP_COMPLETE", leg, variable_hangup_cause=cause, **headers)


class World:
    """A Switch on a FakeSwitch, and all that it told."""

    def __init__(self, fake: FakeSwitch, folder: Path, **options: Any) -> None:
        self.fake = fake
        self.told: list[e.Event] = []
        self.alarms: list[str] = []
        self.records: dict[str, Ending] = {}
        self._news = gevent.event.Event()
        settings = {"port": fake.port, "command_links": options.pop("command_links", 1)}
        options.setdefault("grace_s", 0.1)
        options.setdefault("backoff_s", (0.01, 0.05))
        self.switch = Switch(
            Wiring(
                site(switch=settings),
                folder,
                emit=self.tell,
                now=now,
                alarm=lambda alarm: self.alarms.append(alarm.what),
                find_ending=lambda attempt: self.records.get(attempt),
                find_record=lambda attempt: self.records.get(attempt),
                grace_s=options.pop("grace_s"),
            ),
            "d1",
            options.pop("password", PASSWORD),
            **options,
        )

    def tell(self, event: e.Event) -> None:
        self.told.append(event)
        self._news.set()

    def wait(self, kind: type[e.Event], count: int = 1) -> Any:
        """The count-th event of that kind."""
        with gevent.Timeout(20, AssertionError(f"no {kind.__name__}: {self.told}")):
            while sum(isinstance(one, kind) for one in self.told) < count:
                self._news.clear()
                self._news.wait()
        return [one for one in self.told if isinstance(one, kind)][count - 1]

    def up(self) -> World:
        self.switch.start()
        self.wait(e.SwitchUp)
        return self

    def kinds(self) -> list[str]:
        return [type(one).__name__ for one in self.told]
