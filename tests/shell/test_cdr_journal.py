"""The switch's call records: read once they are whole, put away, never in the way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from duecall.core.outcome import Ending
from duecall.shell import cdr_journal
from duecall.shell.cdr_journal import CdrJournal

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
