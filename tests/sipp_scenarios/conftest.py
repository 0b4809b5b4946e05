"""One field of callees for all tests of this folder, with quick people in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipp_scenarios.field import Field
from sipp_scenarios.sipp import scenario_names
from sipp_scenarios.timing import Timing

TIMING = Timing(
    ring_ms=300,
    late_ring_ms=900,
    press_after_ms=600,
    first_answer_ms=600,
    second_answer_ms=1300,
    hang_up_after_ms=500,
    talk_ms=500,
)


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """All callees. At the end none of them may have seen what its scenario does not foresee."""
    agents = {name for name in scenario_names() if name.startswith("agent-")}
    with Field(tmp_path_factory.mktemp("field"), timing=TIMING, agents=agents) as running:
        yield running
        running.check_alive()
        _wait_until_quiet(running)
        failed = {name: found for name, found in running.statistics().items() if found.failed}
        assert not failed, _errors(running.work_dir)


def _wait_until_quiet(field: Field) -> None:
    """Until each call is over; SIPp counts it some seconds after its last message."""
    deadline_s = time.monotonic() + 20.0
    while any(f.calls != f.successful + f.failed for f in field.statistics().values()):
        assert time.monotonic() < deadline_s, f"calls still open: {field.statistics()}"
        time.sleep(0.2)


def _errors(folder: Path) -> str:
    return "\n".join(p.read_text(errors="replace") for p in sorted(folder.glob("*.errors.log")))
