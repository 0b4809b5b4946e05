"""The script faults that would kill FreeSWITCH, made inside our own script: it lives on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duecall.core.site import Site
from fs_scripts import contract
from fs_scripts.contract import Brief, KeyAction, Step
from tests.freeswitch.conftest import Switch, running

pytestmark = pytest.mark.freeswitch

# Appended to the copy of call_flow.py that this switch runs: the step's name says what breaks.
BROKEN = """

def _deep(n):
    return _deep(n + 1)


def _break(self, step, _whole=Dialogue._step):
    if step.id == "long":
        raise ValueError("x" * 30_000)
    if step.id == "recursion":
        _deep(0)
    if step.id == "surrogate":
        raise ValueError("caf\\udce9")
    if step.id == "exit":
        raise SystemExit("caf\\udce9" * 30_000)
    if step.id == "interrupt":
        raise KeyboardInterrupt
    if step.id == "memory":
        raise MemoryError
    if step.id == "class":
        raise type("Ngoai" + "x" * 30_000, (Exception,), {})("x" * 30_000)
    if step.id == "text":
        class Worse(Exception):
            def __str__(self):
                raise RuntimeError("x" * 30_000)
        raise Worse
    if step.id == "types":
        self._line._session.streamFile(b"/x", "y")
    if step.id == "chain":
        try:
            _deep(0)
        except RecursionError as error:
            raise ValueError("x" * 30_000) from error
    _whole(self, step)


Dialogue._step = _break
"""
FAULTS = (
    "long", "recursion", "surrogate", "exit", "interrupt", "memory", "class", "text", "types",
    "chain",
)  # fmt: skip


def _break_the_scripts(folder: Path) -> None:
    script = folder / "scripts" / "fs_scripts" / "call_flow.py"
    script.write_text(script.read_text("utf-8") + BROKEN, "utf-8")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Switch]:
    yield from running(tmp_path_factory.mktemp("broken"), site, _break_the_scripts)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_result_and_the_switch_lives(broken: Switch, fault: str) -> None:
    say = (broken.sound("say", 200),)
    steps = (Step("one", say, 200, {"1": KeyAction("answer", (), "yes")}), Step(fault, say, 200))
    for _ in range(3):
        leg = broken.start_call(Brief("attempt", steps))
        broken.progress(leg, "step", "one")
        broken.press(leg, "1")
        result, event = broken.ended(leg)
        assert event["Hangup-Cause"] == "NORMAL_CLEARING"
        assert result is not None
        assert result.ended_by == contract.ERROR
        assert result.answers == {"one": "yes"}  # known before it broke
        assert result.error.isascii()
        assert len(result.error) <= 500
        assert "xxx" not in result.error or fault == "class"
    assert broken.process.alive, broken.process.log()
    assert broken.daemon.api("status").startswith("UP")


def test_afterwards_a_good_call_is_good(broken: Switch) -> None:
    step = Step("message", (broken.sound("say", 200),), 200)
    result = broken.result(broken.start_call(Brief("attempt", (step,))))
    assert (result.ended_by, result.error) == (contract.COMPLETED, "")
