"""The judge can fail: each doctored log is caught, and nothing else is found in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sipp_scenarios.field import Invite, KeySent, Signal
from tests.chaos.books import Aim, Books, Entry
from tests.chaos.ground_truth import Call, Press, Span, Truth, calls_of, presses_of
from tests.chaos.judge import Rules, Violation, judge

RULES = Rules(max_attempts=3, channels=3, calls_per_second=4)
A, B, C = "+84915000001", "+84915000002", "+84915000003"


class Case:
    """Three people: A presses 9, B is busy and then listens, C dies with the switch."""

    def __init__(self) -> None:
        self.calls = {
            "a": Call("a", A, "presses-9", 10.0, 10.5, 10.6, None, 200, 14.0, "caller"),
            "b1": Call("b1", B, "busy", 11.0, status=486, ended_at=11.1, ended_by="refusal"),
            "b2": Call("b2", B, "listens", 15.0, 15.5, 15.6, None, 200, 22.0, "caller"),
            "c": Call("c", C, "listens", 16.0, 16.5, 16.6, None, 200, 18.0, "switch died"),
        }
        self.presses = [Press(A, "a", 12.2)]
        self.entries = {
            "a": Entry("id-a", A, 1, 1, 9.9, 14.1, "opted_out"),
            "b1": Entry("id-b1", B, 2, 1, 10.9, 11.2, "busy"),
            "b2": Entry("id-b2", B, 2, 2, 14.9, 22.1, "delivered"),
            "c": Entry("id-c", C, 3, 1, 15.9, 20.0, "unknown", "EVIDENCE_LOST"),
        }
        self.aims = [
            Aim(1, A, "done", "opted_out"),
            Aim(2, B, "done", "delivered"),
            Aim(3, C, "done", "no retry rule for unknown"),
        ]
        self.stopped = {A: 14.1}
        self.witnessed: dict[str, tuple[str, ...] | None] = {
            name: (entry.id,) for name, entry in self.entries.items()
        }
        self.deaths = [18.0]
        self.stood_still: list[Span] = []
        self.report: dict[str, Any] | None = None

    def found(self) -> list[Violation]:
        truth = Truth(list(self.calls.values()), self.presses, self.deaths, self.stood_still, 60.0)
        entries = list(self.entries.values())
        report = self.report or {
            "attempts": len(entries),
            "settled": sum(1 for entry in entries if entry.outcome),
            "by_outcome": dict(Counter(entry.outcome or "open" for entry in entries)),
            "by_number": [{"attempts": len(entries)}],
            "open": 0,
            "done_reasons": dict(Counter(a.reason for a in self.aims if a.state == "done")),
        }
        books = Books(entries, self.aims, self.stopped, report)
        return judge(truth, books, RULES, self.witnessed).violations

    # ---- what tests change

    def call(self, name: str, **changes: Any) -> None:
        self.calls[name] = replace(self.calls[name], **changes)

    def entry(self, name: str, **changes: Any) -> None:
        self.entries[name] = replace(self.entries[name], **changes)

    def call_again(self, name: str, like: str, at: float) -> None:
        """A further call as an earlier one was, over within 0.1 s."""
        self.calls[name] = replace(
            self.calls[like],
            call_id=name,
            invited_at=at,
            answered_at=None,
            acknowledged_at=None,
            status=486,
            ended_at=at + 0.1,
            ended_by="refusal",
        )


def test_a_run_in_which_all_is_well() -> None:
    assert Case().found() == []


def _missing_attempt(case: Case) -> None:
    del case.entries["c"]
    case.aims[2] = Aim(3, C, "done", "no retry rule for unknown")


def _saved_too_late(case: Case) -> None:
    case.entry("c", saved_at=16.2)


def _not_durable(case: Case) -> None:
    case.witnessed["b2"] = ("id-b1",)


def _double_invite(case: Case) -> None:
    case.call_again("b1 again", "b1", 11.5)
    case.entry("b1", settled_at=11.7)


def _overlap(case: Case) -> None:
    case.calls["b3"] = replace(case.calls["b2"], call_id="b3", invited_at=17.0)
    case.entries["b3"] = replace(case.entries["b2"], id="id-b3", saved_at=16.9, tried=3)


def _late_ring(case: Case) -> None:
    case.entry("c", settled_at=15.95)


def _rung_though_not_sent(case: Case) -> None:
    case.calls["c"] = Call("c", C, "busy", 16.0, status=486, ended_at=16.1, ended_by="refusal")
    case.entry("c", outcome="technical", cause="NOT_SENT")


def _open_attempt(case: Case) -> None:
    case.entry("c", settled_at=None, outcome="")


def _not_done(case: Case) -> None:
    case.aims[2] = Aim(3, C, "waiting", "retry after unknown")


def _lost_opt_out(case: Case) -> None:
    case.stopped.clear()
    case.entry("a", outcome="unknown")


def _key_not_in_outcome(case: Case) -> None:
    case.entry("a", outcome="delivered")


def _called_after_opt_out(case: Case) -> None:
    case.call_again("a2", "a", 30.0)
    case.entries["a2"] = Entry("id-a2", A, 4, 1, 29.9, 30.2, "busy")


def _called_after_key(case: Case) -> None:
    """The books knew it only later; the callee had said it long before."""
    _called_after_opt_out(case)
    case.stopped[A] = 40.0


def _stop_nobody_asked_for(case: Case) -> None:
    case.stopped[B] = 22.1


def _too_many_attempts(case: Case) -> None:
    for n in range(3):
        at = 30.0 + 2 * n
        case.call_again(f"b{n + 3}", "b1", at)
        case.entries[f"b{n + 3}"] = Entry(f"id-b{n + 3}", B, 2, n + 3, at - 0.1, at + 0.2, "busy")


def _too_fast(case: Case) -> None:
    for n in range(5):
        number, at = f"+8491600000{n}", 30.0 + 0.15 * n
        case.calls[f"f{n}"] = Call(
            f"f{n}", number, "busy", at, status=486, ended_at=at + 0.1, ended_by="refusal"
        )
        case.entries[f"f{n}"] = Entry(f"id-f{n}", number, 9 + n, 1, at - 0.1, at + 0.2, "busy")
        case.aims.append(Aim(9 + n, number, "done", "busy"))


def _too_many_channels(case: Case) -> None:
    case.call_again("d", "b1", 16.3)
    case.call("d", number="+84915000004")
    case.entries["d"] = Entry("id-d", "+84915000004", 4, 1, 16.2, 16.5, "busy")
    case.aims.append(Aim(4, "+84915000004", "done", "busy"))
    case.call("a", ended_at=17.0)
    case.entry("a", settled_at=17.1)
    case.stopped[A] = 17.1


def _answer_that_never_was(case: Case) -> None:
    case.entry("b1", outcome="delivered")


def _answered_yet_busy(case: Case) -> None:
    case.entry("b2", outcome="busy")


def _wrong_refusal(case: Case) -> None:
    case.entry("b1", outcome="rejected")


def _call_out_of_thin_air(case: Case) -> None:
    case.entries["x"] = Entry("id-x", C, 3, 2, 25.0, 30.0, "no_answer")


def _still_up(case: Case) -> None:
    case.call("b2", ended_at=None, ended_by="")


def _report_lies(case: Case) -> None:
    case.report = {
        "attempts": 5,
        "settled": 4,
        "by_outcome": {"opted_out": 1, "busy": 1, "delivered": 1, "unknown": 1},
        "by_number": [{"attempts": 4}],
        "open": 0,
        "done_reasons": dict(Counter(aim.reason for aim in case.aims)),
    }


@pytest.mark.parametrize(
    ("doctor", "wanted"),
    [
        (_missing_attempt, {"rung without an attempt saved before"}),
        (_saved_too_late, {"rung without an attempt saved before"}),
        (_not_durable, {"rung before its attempt was durable"}),
        (_double_invite, {"rung twice for one attempt"}),
        (
            _overlap,
            {"two calls to one number at once", "two open attempts to one number at once"},
        ),
        (_late_ring, {"rung after its attempt was settled"}),
        (_rung_though_not_sent, {"rung, yet written down as not sent"}),
        (_open_attempt, {"an attempt without an outcome"}),
        (_not_done, {"a contact that is not done with"}),
        (_lost_opt_out, {"an opt-out is lost"}),
        (_key_not_in_outcome, {"a key was pressed and taken, yet is not in the outcome"}),
        (_called_after_opt_out, {"rung after its opt-out was durable"}),
        (_called_after_key, {"rung after the callee's opt-out was heard"}),
        (_stop_nobody_asked_for, {"a stop-list entry that nobody asked for"}),
        (
            _too_many_attempts,
            {"more attempts than the campaign allows", "more calls than the campaign allows"},
        ),
        (_too_fast, {"more calls a second than the trunk allows"}),
        (_too_many_channels, {"more calls at once than the trunk has channels"}),
        (_answer_that_never_was, {"an answer in the books that never was"}),
        (_answered_yet_busy, {"an answered call is written down as not answered"}),
        (_wrong_refusal, {"an outcome that the carrier did not give"}),
        (_call_out_of_thin_air, {"an outcome of a call that the carrier never saw"}),
        (_still_up, {"a call is still up at the end"}),
        (_report_lies, {"the report and the attempts disagree"}),
    ],
)
def test_what_is_wrong_is_found(doctor: Callable[[Case], None], wanted: set[str]) -> None:
    case = Case()
    doctor(case)
    assert {violation.what for violation in case.found()} == wanted


@pytest.mark.parametrize(
    ("deaths", "stood_still", "ended_at"),
    [
        ([12.5], [], 12.5),  # within half a second of the key
        ([], [Span(11.0, 12.0)], 20.0),  # frozen while it was pressed
    ],
)
def test_a_key_that_no_switch_could_hear_is_no_opt_out(
    deaths: list[float], stood_still: list[Span], ended_at: float
) -> None:
    case = Case()
    case.stopped.clear()
    case.entry("a", outcome="unknown")
    case.deaths += deaths
    case.stood_still += stood_still
    case.call("a", ended_at=ended_at, ended_by="switch died" if deaths else "caller")
    case.entry("a", settled_at=ended_at + 0.1)
    assert case.found() == []


def test_a_key_pressed_a_second_before_the_switch_died_counts() -> None:
    case = Case()
    case.deaths.append(13.3)
    case.call("a", ended_at=13.3, ended_by="switch died")
    case.stopped.clear()
    case.entry("a", outcome="unknown")
    assert {violation.what for violation in case.found()} == {"an opt-out is lost"}


def test_an_answer_that_comes_as_the_switch_gives_up_is_no_answer() -> None:
    case = Case()
    case.call("b2", ended_at=15.61)  # ACK and BYE in one breath
    case.entry("b2", settled_at=15.7, outcome="no_answer")
    assert case.found() == []
    case.call("b2", ended_at=16.6)
    case.entry("b2", settled_at=16.7)
    assert [v.what for v in case.found()] == ["an answered call is written down as not answered"]


def invite(call_id: str, at: float, repeat: bool = False) -> Invite:
    return Invite(None, at, A, call_id, "presses-9", repeat)  # type: ignore[arg-type]


def test_calls_are_read_off_the_logs() -> None:
    invites = [invite("x", 1.0), invite("x", 1.5, repeat=True), invite("y", 3.0), invite("z", 8.0)]
    wire = [
        Signal(1.1, "x", "callee", "180 INVITE"),
        Signal(1.6, "x", "callee", "200 INVITE"),
        Signal(1.7, "x", "caller", "ACK"),
        Signal(2.9, "x", "caller", "BYE"),
        Signal(3.5, "y", "caller", "CANCEL"),
        Signal(3.6, "y", "callee", "487 INVITE"),
        Signal(8.5, "z", "callee", "200 INVITE"),
        Signal(12.0, "z", "callee", "BYE"),
    ]
    x, y, z = calls_of(invites, wire, [0.5, 9.0])
    assert (x.answered_at, x.acknowledged_at, x.ended_at, x.ended_by) == (1.6, 1.7, 2.9, "caller")
    assert (y.status, y.ended_at, y.ended_by, y.cancelled_at) == (487, 3.5, "cancel", 3.5)
    assert (z.status, z.ended_at, z.ended_by) == (200, 9.0, "switch died")
    assert presses_of(invites, [KeySent(2.0, "x", "presses-9")]) == [Press(A, "x", 2.0)]
