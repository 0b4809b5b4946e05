"""Chains cannot be cut off: only who has the key can make the end that the audit looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from duecall.core.commands import LoadTargets
from tests.audit.real_log import START, Caller
from tests.audit.tampering import Copy
from tests.audit.test_tampered import Make
from tests.shell.store_world import open_store


@pytest.fixture
def log(copied: Make) -> Copy:
    return copied()


def cut_with_its_attempts(log: Copy, entries: int) -> None:
    """As one does it who wants nobody to see it: what the entries tell of is gone, too."""
    last = log.one("SELECT seq FROM chain")
    log.run("DELETE FROM attempt WHERE id IN (SELECT attempt_id FROM ledger WHERE seq > ?)",
            last - entries)  # fmt: skip
    log.cut(entries)


def end_of(log: Copy) -> tuple[int, str]:
    (found,) = log.run("SELECT seq, hash FROM chain")
    return tuple(found)


def test_a_cut_that_hides_the_attempts_too_is_found(log: Copy) -> None:
    cut_with_its_attempts(log, 1)
    assert log.audited() == {("chain", "head")}
    assert log.audited(log.ends) == {("chain", "head"), ("chain", "anchor")}


def test_it_is_found_as_well_when_the_chain_has_gone_on(log: Copy) -> None:
    """What the daemon writes next is tied to an end that was never there."""
    cut_with_its_attempts(log, 1)
    store = open_store(log.folder)
    Caller(store)
    store.close()
    assert log.one("SELECT count(*) FROM ledger WHERE kind = 'rules'") == 2
    assert log.audited() == {("chain", "hash")}


def test_an_end_that_somebody_kept_is_found_by_the_auditors_note(log: Copy, honest: Path) -> None:
    earlier = end_of(log)
    store = open_store(log.folder)
    assert store.apply([LoadTargets("overdue", 1)], START).loads is not None
    Caller(store)
    store.close()
    (seq, _), notes = end_of(log), log.notes()
    assert seq == earlier[0] + 1 and log.audited(notes) == set()
    log.run("DELETE FROM ledger WHERE seq = ?", seq)
    log.run("UPDATE chain SET seq = ?, hash = ?", *earlier)
    assert log.audited() == set(), "who has an older copy can put it back"
    assert log.audited(notes) == {("chain", "anchor")}


# ---- entries of before there were ties


def last(log: Copy) -> int:
    return int(log.one("SELECT seq FROM chain"))


@pytest.mark.parametrize("tied", [0, 1, 2, 5])
def test_a_log_of_an_older_duecall_passes_and_one_that_went_on_as_well(
    log: Copy, tied: int
) -> None:
    log.rehash(last(log) - tied + 1)
    if not tied:
        head = "UPDATE chain SET hash = (SELECT hash FROM ledger WHERE seq = chain.seq)"
        log.run(head)
    assert log.audited() == set()


def test_a_chain_never_goes_back_to_entries_without_ties(log: Copy) -> None:
    log.rehash()
    hashes, seq = log.run("SELECT hash FROM ledger ORDER BY seq"), last(log)
    log.rehash(seq + 5)  # all of it as it was before there were ties
    old = log.one("SELECT hash FROM ledger WHERE seq = ?", seq)
    log.rehash()
    assert log.run("SELECT hash FROM ledger ORDER BY seq") == hashes and old != hashes[-1][0]
    log.run("UPDATE ledger SET hash = ? WHERE seq = ?", old, seq)
    assert ("chain", "hash") in log.audited()


def test_the_newest_hash_is_no_end_of_a_chain_with_ties(log: Copy) -> None:
    log.run("UPDATE chain SET hash = (SELECT hash FROM ledger WHERE seq = chain.seq)")
    assert log.audited() == {("chain", "head")}
