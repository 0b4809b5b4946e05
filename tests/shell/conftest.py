"""A switch that misbehaves to order, and a Switch on it (test_switch_*.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from duecall.shell import switch as switch_module
from tests.shell.fake_switch import FakeSwitch
from tests.shell.switch_world import World


@pytest.fixture
def fake() -> Iterator[FakeSwitch]:
    made = FakeSwitch()
    yield made
    made.shut()


@pytest.fixture
def world(
    fake: FakeSwitch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., World]]:
    monkeypatch.setattr(switch_module, "SETTLE_S", 0.02)  # the fake's list does not lag
    made: list[World] = []

    def build(**options: Any) -> World:
        made.append(World(fake, tmp_path, **options))
        return made[-1]

    with gevent.Timeout(60, AssertionError("the test hangs")):
        yield build
    for one in made:
        one.switch.stop()
