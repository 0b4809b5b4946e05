"""The switch's call records: read once they are whole, put away, never in the way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from duecall.core.outcome import LOST, Ending, Outcome, judge
from duecall.shell import cdr_journal
from duecall.shell.cdr_journal import LAG_SWEEPS, CdrJournal
from fs_scripts.contract import CUT_OFF, KEY, Result

A, B = (f"{n}{n}{n}{n}{n}{n}{n}{n}-1111-5111-8111-111111111111" for n in (1, 2))
RECORD = json.dumps({"variables": {"hangup_cause": "USER_BUSY", "sip_term_status": "486"}})


def put(folder: Path, channel: str, text: str = RECORD, age_s: float = 0) -> Path:
    path = folder / f"{channel}.cdr.json"
    path.write_text(text)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def put_away(folder: Path) -> set[str]:
    return {path.name.removesuffix(".cdr.json") for path in folder.glob("settled/*/*")}


def test_a_record_is_read_when_it_is_whole(tmp_path: Path) -> None:
    journal = CdrJournal(tmp_path)
    assert journal.ending(A) is None
    put(tmp_path, A, RECORD[:20])
    assert journal.ending(A) is None
    put(tmp_path, A)
    ending = journal.ending(A)
    assert isinstance(ending, Ending)
    assert (ending.cause, ending.sip_status) == ("USER_BUSY", 486)


def test_nonsense_is_no_ending(tmp_path: Path) -> None:
    journal = CdrJournal(tmp_path)
    for text in ("[]", '{"variables": null}', '{"variables": []}', "\udcff", "1" * 2_000_000):
        (tmp_path / f"{A}.cdr.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        assert journal.ending(A) is None
    assert journal.ending("../../etc/passwd") is None


def test_the_record_of_a_settled_attempt_is_put_away_also_where_it_comes_late(
    tmp_path: Path,
) -> None:
    journal = CdrJournal(tmp_path)
    journal.settled(A)
    assert journal.sweep() == 0
    put(tmp_path, A)
    put(tmp_path, B)
    assert journal.sweep() == 1
    assert put_away(tmp_path) == {A}


def test_old_records_that_nobody_asks_for_are_put_away(tmp_path: Path) -> None:
    """Of agents' channels, and of a daemon that was killed before it had put them away."""
    put(tmp_path, A, age_s=2 * cdr_journal.OLD_S)
    put(tmp_path, B, age_s=2 * cdr_journal.OLD_S)
    (tmp_path / "notes.txt").write_text("not ours")
    fresh = "33333333-1111-5111-8111-111111111111"
    put(tmp_path, fresh)
    journal = CdrJournal(tmp_path)
    journal.sweep()
    assert put_away(tmp_path) == set(), "outcomes wait for the database: keep the evidence"
    journal.sweep({B})
    assert put_away(tmp_path) == {A}
    assert (tmp_path / f"{B}.cdr.json").exists()
    assert (tmp_path / f"{fresh}.cdr.json").exists()


def test_a_folder_that_cannot_be_written_is_no_end_and_no_leak(tmp_path: Path) -> None:
    (tmp_path / "settled").write_text("a file where the folder should be")
    journal = CdrJournal(tmp_path)
    put(tmp_path, A)
    journal.settled(A)
    assert journal.sweep(set()) == 0
    (tmp_path / "settled").unlink()
    assert journal.sweep(set()) == 1


# ---- records of keys


def put_keys(folder: Path, attempt: str = A, age_s: float = 0, **said: Any) -> Path:
    path = folder / f"{attempt}.keys.json"
    said.setdefault("ended_by", KEY)
    path.write_bytes(Result(attempt, **said).as_json())
    os.utime(path, (time.time() - age_s,) * 2)
    return path


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"action": "opt_out"}, Outcome.OPTED_OUT),
        ({"action": "claims_paid"}, Outcome.CLAIMS_PAID),
        ({"action": "promise"}, Outcome.PROMISED),
        ({"action": "transfer"}, Outcome.UNKNOWN),  # an agent may have come
        ({"ended_by": CUT_OFF, "answers": {"why": "no_money"}}, Outcome.SURVEYED),
    ],
)
def test_where_all_else_is_lost_the_keys_say_what_came_of_it(
    tmp_path: Path, said: dict[str, Any], outcome: Outcome
) -> None:
    put_keys(tmp_path, **said)
    ending = CdrJournal(tmp_path).ending(A)
    assert ending is not None
    assert (ending.cause, ending.answered) == (LOST, True)
    assert judge(ending) is outcome
    assert CdrJournal(tmp_path).recorded(A) is None, "they do not say that the call is over"


def test_a_call_record_says_more_than_the_keys(tmp_path: Path) -> None:
    put_keys(tmp_path, action="opt_out")
    put(tmp_path, A)
    ending = CdrJournal(tmp_path).ending(A)
    assert ending is not None and ending.cause == "USER_BUSY"


def test_keys_that_cannot_be_believed(tmp_path: Path) -> None:
    journal = CdrJournal(tmp_path)
    path = tmp_path / f"{A}.keys.json"
    whole = Result(A, KEY, action="opt_out").as_json()
    for data in (b"", whole[:-9], b"[]", b"\xff", whole.replace(b'"v":1', b'"v":9'), b"1" * 99_999):
        path.write_bytes(data)
        assert journal.ending(A) is None
    path.write_bytes(Result(B, KEY, action="opt_out").as_json())
    assert journal.ending(A) is None, "somebody else's"


def test_keys_are_put_away_with_the_call_record_or_alone(tmp_path: Path) -> None:
    journal = CdrJournal(tmp_path)
    put_keys(tmp_path, A, action="opt_out")
    put_keys(tmp_path, B, action="opt_out")
    put(tmp_path, A)
    for attempt in (A, B):
        journal.settled(attempt)
    for _ in range(LAG_SWEEPS + 1):
        journal.sweep()
    kept = sorted(path.name for path in tmp_path.glob("settled/*/*"))
    assert kept == [f"{A}.cdr.json", f"{B}.keys.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["settled"]


def test_keys_wait_for_a_call_record_that_comes_late(tmp_path: Path) -> None:
    journal = CdrJournal(tmp_path)
    put_keys(tmp_path, action="opt_out")
    journal.settled(A)
    assert journal.sweep() == 0
    put(tmp_path, A)
    assert journal.sweep() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["settled"]
    assert put_away(tmp_path) == {A}


def test_keys_that_nobody_asks_for_and_halves_of_records(tmp_path: Path) -> None:
    old = 2 * cdr_journal.OLD_S
    put_keys(tmp_path, A, action="opt_out", age_s=old)
    put_keys(tmp_path, B, action="opt_out", age_s=old)
    for name in (f"{A}.keys.json.part", f"{A}.cdr.json.part"):
        (tmp_path / name).write_text("{")
        os.utime(tmp_path / name, (time.time() - old,) * 2)
    journal = CdrJournal(tmp_path)
    for _ in range(LAG_SWEEPS + 1):
        journal.sweep({B})
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{B}.keys.json", "settled"]
    assert [path.name for path in tmp_path.glob("settled/*/*")] == [f"{A}.keys.json"]
