"""The proof of a whole file: the same found by however many processes, in the order of the rows."""

from __future__ import annotations

import hashlib
import os
import signal
from dataclasses import replace
from datetime import date
from pathlib import Path

import psutil
import pytest

from duecall.core.contact_row import RowFault
from duecall.core.contact_words import RuleWords
from duecall.core.site import Site
from duecall.shell import proving
from duecall.shell.config_references import columns_used
from duecall.shell.contacts_csv import ContactsFileError, read_contacts
from duecall.shell.proving import ProvingError, prove_rows, read_rows
from duecall.shell.row_prover import ProofOrder, ProvenRow
from tests.shell.store_world import campaign

TODAY = date(2026, 11, 22)
HEADER = "name,contract_number,balance,interest_rate,due_date,dpd,phone,consents\n"
GOOD = "Nguyễn Văn An,HD-{n},{n}000,18.5,2026-11-01,21,+849120{n:05d},\n"
ODD = {
    3: "Nguyễn Văn An,HD-3,1.234.5,18.5,31/02/2026,21,+84912000003,\n",  # two faults
    700: "😀,HD-700,1000,18.5,2026-11-01,21,+84912000700,\n",
    1_201: "Trần Thị Hoa,HD-9,1000,18.5,2026-11-01,21,+84912001201,\n",  # the contract of row 10
    1_300: "Lê Văn Bình,HD-1300,1000,18.5,2026-11-01,21,+84912001300,wrod\n",
    1_900: "Lê Văn Bình,HD-1900,1000,18.5,2026-11-01,21,+84912001900,wrod\n",
    2_000: "\n",
}


@pytest.fixture
def order(tmp_path: Path) -> ProofOrder:
    spoken = campaign(message=[{"text": "{{ name }} {{ balance }}"}], contacts_as_of="2026-11-22")
    trunk = {"proxy": "127.0.0.1:9", "channels": 1, "calls_per_second": 1}
    site = Site.model_validate({"trunks": {"demo": trunk}})
    return ProofOrder(site, spoken, TODAY, RuleWords())


def file_of(folder: Path, rows: int) -> Path:
    path = folder / "people.csv"
    lines = (ODD.get(n, GOOD.format(n=n)) for n in range(1, rows + 1))
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


def test_processes_find_what_one_finds_in_the_order_of_the_rows(
    order: ProofOrder, tmp_path: Path
) -> None:
    path = file_of(tmp_path, 2_600)
    told: list[tuple[int, int]] = []
    alone = list(prove_rows(path, order, processes=0))
    beside = list(prove_rows(path, order, lambda *done: told.append(done), processes=3))
    assert beside == alone
    assert [one.row for one in beside] == sorted(one.row for one in beside)
    refused = [(one.row, one.field) for one in beside if isinstance(one, RowFault)]
    assert refused == [(4, "balance"), (4, "due_date"), (1_202, "contract_number")]
    proven = [one for one in beside if isinstance(one, ProvenRow)]
    (mute,) = (one for one in proven if one.mute)
    assert (mute.row, mute.mute.variable if mute.mute else "") == (701, "name")
    assert mute.parsed is not None
    assert mute.parsed.contact.phone == "+84912000700"
    noted = [(one.row, one.notes[0].field) for one in proven if one.notes]
    assert noted == [(1_301, "consents")]  # a word that nobody asks for is told once
    assert len({one.row for one in beside}) == 2_600 - 1  # all but the blank row
    assert told[-1] == (path.stat().st_size,) * 2


def test_rows_are_read_as_without_processes(order: ProofOrder, tmp_path: Path) -> None:
    path = file_of(tmp_path, 2_600)
    mine, theirs = hashlib.sha256(), hashlib.sha256()
    needed, words = columns_used(order.campaign), order.words
    alone = list(
        read_contacts(
            path, order.campaign, today=TODAY, needed=needed, words=words, taken=mine.update
        )
    )
    assert list(read_rows(path, order, processes=2, taken=theirs.update)) == alone
    assert theirs.digest() == mine.digest() == hashlib.sha256(path.read_bytes()).digest()


def test_who_is_never_selected_is_not_asked(order: ProofOrder, tmp_path: Path) -> None:
    chosen = order.campaign.model_copy(
        update={"selection": campaign(selection={"balance": {"min": 2_600_000}}).selection}
    )
    only = replace(order, campaign=chosen, asked="selected")
    path = file_of(tmp_path, 2_600)
    found = [one for one in prove_rows(path, only, processes=2) if isinstance(one, ProvenRow)]
    assert [one.row for one in found if one.asked] == [2_601]
    assert not any(one.mute for one in found)


def test_a_file_whose_text_breaks_ends_the_proof_and_its_processes(
    order: ProofOrder, tmp_path: Path
) -> None:
    path = file_of(tmp_path, 2_600)
    with path.open("ab") as file:
        file.write(b"\xff\xfe,broken\n")
    with pytest.raises(ContactsFileError, match=f"line {2_602}"):
        list(prove_rows(path, order, processes=2))
    assert not children()


def test_whoever_reads_no_further_leaves_no_process(order: ProofOrder, tmp_path: Path) -> None:
    rows = prove_rows(file_of(tmp_path, 2_600), order, processes=2)
    next(rows)
    assert len(children()) == 2
    rows.close()
    assert not children()


def test_a_process_that_is_killed_is_told(order: ProofOrder, tmp_path: Path) -> None:
    rows = prove_rows(file_of(tmp_path, 2_600), order, processes=2)
    next(rows)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(ProvingError, match=r"has ended \(-9\)"):
        list(rows)
    assert not children()


def test_processes_are_for_big_files_only(
    order: ProofOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    path = file_of(tmp_path, 5)
    for least, processes in ((path.stat().st_size, 3), (path.stat().st_size + 1, 0)):
        monkeypatch.setattr(proving, "ALONE_BYTES", least)
        rows = prove_rows(path, order)
        next(rows)
        assert len(children()) == processes
        rows.close()


def children() -> list[int]:
    return [
        child.pid
        for child in psutil.Process().children()
        if proving.CHILD in " ".join(child.cmdline())
    ]
