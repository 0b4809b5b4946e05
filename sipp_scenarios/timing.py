"""How long simulated people take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """All in milliseconds. Names are those of the scenarios' variables, where there is one."""

    ring_ms: int = 1500  # until a callee or agent answers or refuses
    late_ring_ms: int = 12_000  # answers-late: must be shorter than the campaign's `ring`
    press_after_ms: int = 2500  # from the answer to the key
    first_answer_ms: int = 16_000  # presses-1-and-2: from the answer to the 1, within question 1
    second_answer_ms: int = 22_000  # and from the answer to the 2, within question 2
    hang_up_after_ms: int = 3000  # hangs-up-midway: from the answer
    talk_ms: int = 3000  # agent-answers: from the answer
