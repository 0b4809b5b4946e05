"""Stop lists as files: what is taken, what is refused and why, and that nothing is lost on the way
out and in again."""

from __future__ import annotations

import csv
import io
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from duecall.shell.column_values import to_us
from duecall.shell.stop_files import (
    Defaults,
    Fault,
    StopFileError,
    file_sha256,
    read_stops,
    until_of,
    write_stops,
)
from duecall.shell.stop_list import Named, StopCounts, StopError
from duecall.shell.store import Store
from tests.shell.store_world import NAME, NOON, campaign, loaded, open_store, row, rows

DEFAULTS = Defaults("dnc", source="register")
HANOI = "Asia/Ho_Chi_Minh"


def read(folder: Path, content: str | bytes, defaults: Defaults = DEFAULTS) -> list[Named | Fault]:
    path = folder / "stops.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_stops(path, defaults))


def faults(found: list[Named | Fault]) -> list[Fault]:
    return [one for one in found if isinstance(one, Fault)]


def values(found: list[Named | Fault]) -> list[str]:
    return [one.value for one in found if isinstance(one, Named)]


def take_in(store: Store, found: list[Named | Fault]) -> StopCounts:
    return store.stop_list.take_in([one for one in found if isinstance(one, Named)], NOON)


def phones(*numbers: int) -> list[str]:
    return [row(n).contact.phone for n in numbers]


# ---- reading


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_one_number_a_line_in_any_dress(tmp_path: Path, end: str, bom: bytes) -> None:
    lines = [
        "# of the regulator",
        "",
        phones(1)[0],
        "  +84 90 000 00 02  ",
        "",
        "# end",
        *phones(3),
    ]
    found = read(tmp_path, bom + end.join(lines).encode())
    assert values(found) == phones(1, 2, 3)
    assert [one.line for one in found] == [3, 4, 7]
    assert found[0] == Named("number", phones(1)[0], "dnc", "", None, "register", 3)


def test_a_csv_says_more_of_each(tmp_path: Path) -> None:
    text = (
        "Phone number;Kind;Until;Campaign;Source;Remark\n"
        f"{phones(1)[0]};dispute;2026-12-31;survey;a letter;whatever\n"
        f"{phones(2)[0]};;;;;\n"
        f'{phones(3)[0]};;;;"by phone; 2 calls"\n'
    )
    defaults = Defaults("dnc", "", None, "register", "", (HANOI,))
    first, second, third = read(tmp_path, text, defaults)
    end = to_us(datetime(2026, 12, 31, 17, tzinfo=timezone.utc))  # midnight in Hanoi
    assert first == Named("number", phones(1)[0], "dispute", "survey", end, "a letter", 2)
    assert second == Named("number", phones(2)[0], "dnc", "", None, "register", 3)
    assert isinstance(third, Named) and third.source == "by phone; 2 calls"


def test_contracts_persons_and_prefixes(tmp_path: Path) -> None:
    text = "prefix,contract,person\n+84 90,,\n,HD-1,\n,,HD-2\n,,\n+8491,HD-1,\n"
    found = read(tmp_path, text)
    assert [(one.what, one.value) for one in found if isinstance(one, Named)] == [
        ("prefix", "+8490"),
        ("contract", "HD-1"),
        ("person", "HD-2"),
    ]
    # A row of commas alone holds nothing to stop, and that is told.
    assert [str(fault) for fault in faults(found)] == [
        "line 5: nothing to stop; fill one of: number, prefix, contract, person",
        "line 6: prefix and contract are filled; fill one of: number, prefix, contract, person",
    ]


def test_three_bad_lines_among_many_are_named_and_the_rest_is_taken(tmp_path: Path) -> None:
    lines = [phone.encode() for phone in phones(*range(1, 5_001))]
    lines[99] = b"nobody"
    lines[2_499] = b"\xff\xfe\xfd"
    lines[4_999] = b"+8490"
    found = read(tmp_path, b"\r\n".join(lines))
    assert len(values(found)) == 4_997
    assert [(fault.line, fault.problem) for fault in faults(found)] == [
        (100, "a number without + and country code"),
        (2_500, "byte 1 is not UTF-8"),
        (5_000, "too short"),
    ]
    assert all(fault.remedy for fault in faults(found))


def test_national_numbers_need_a_country(tmp_path: Path) -> None:
    assert [fault.line for fault in faults(read(tmp_path, "0900000001\n"))] == [1]
    assert values(read(tmp_path, "0900000001\n", Defaults("dnc", country="VN"))) == phones(1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("number\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest", "archive or spreadsheet"),
        (b"\x1f\x8brest", "archive or spreadsheet"),
        (b"name,city\nAn,Hanoi\n", "neither a number nor column names"),
        (b"number,phone\n", "column number stands twice"),
    ],
)
def test_files_of_no_use(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(StopFileError, match=why):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "line", ["2026-13-01", "tomorrow", "2026-12-31T18:00", "31.12.2026", "9999-12-31"]
)
def test_a_day_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    (fault,) = read(tmp_path, f"number,until\n{phones(1)[0]},{line}\n")
    assert isinstance(fault, Fault)
    assert "is no day and no time" in fault.problem


def test_a_day_is_over_when_it_is_over_everywhere() -> None:
    midnight = datetime(2027, 1, 1, tzinfo=timezone.utc)
    assert until_of("2026-12-31", [HANOI]) == to_us(midnight - timedelta(hours=7))
    assert until_of("2026-12-31", [HANOI, "Europe/Moscow"]) == to_us(midnight - timedelta(hours=3))
    assert until_of("2026-12-31") == to_us(midnight + timedelta(hours=12))
    assert until_of("2026-12-31T18:00+07:00") == to_us(midnight - timedelta(hours=13))
    assert until_of("2026-12-31T11:00:00.000001Z") == to_us(midnight - timedelta(hours=13)) + 1
    with pytest.raises(StopError, match="no day"):
        until_of("never")


# ---- into the store, and out


def test_the_same_file_twice_changes_nothing(tmp_path: Path, database: str) -> None:
    store = loaded(tmp_path, 2_000)
    found = read(tmp_path, "\n".join(phones(*range(1, 1_501), 1, 2)))
    counts = take_in(store, found)
    assert (counts.added, counts.known, counts.faults) == (1_500, 2, [])
    assert store.status_counts(NAME).targets == {"ready": 500, "done": 1_500}
    assert store.status_counts(NAME).done == {"dnc": 1_500}
    seq, entries = store.news_seq(), _entries(store)
    assert [body.count('"added":1500') for body in entries] == [1], "one entry for all of them"
    counts = take_in(store, found)
    assert (counts.added, counts.known) == (0, 1_502)
    assert (store.news_seq(), _entries(store)) == (seq, entries)
    assert len(store.due_targets(NAME, NOON, 2_000)) == 500


def test_what_is_known_takes_no_lock(tmp_path: Path, database: str) -> None:
    """A daemon may write all the while."""
    store, daemon = loaded(tmp_path, 5), open_store(tmp_path, "d1")
    text = "number,until\n" + "".join(f"{phone},2126-12-31\n" for phone in phones(1, 2))
    found = read(tmp_path, text + f"{phones(3)[0]},\n")
    assert take_in(store, found).added == 3
    with daemon._database.writing():
        daemon._database.run("UPDATE lender SET name = name")
        counts = take_in(store, found)
    assert (counts.added, counts.known) == (0, 3)
    daemon.close()


def _entries(store: Store) -> list[str]:
    sql = "SELECT body FROM ledger WHERE kind IN ('stop', 'stops') ORDER BY seq"
    return [body for (body,) in store._database.run(sql).fetchall()]


def test_a_file_tells_the_daemons_once(tmp_path: Path, database: str) -> None:
    store = loaded(tmp_path, 3)
    since = store.news_seq()
    take_in(store, read(tmp_path, "\n".join(phones(*range(1, 3_001)))))
    news = store.news(since)
    assert (news.stops, news.numbers, news.seq) == (True, (), since + 1)


def test_what_has_not_to_do_with_each_other_in_one_file(tmp_path: Path, database: str) -> None:
    """Kinds, ends, campaigns, keys of all sorts; those that cannot be are told with their line."""
    store = loaded(tmp_path, 20)
    text = (
        "number,prefix,contract,person,kind,until,campaign\n"
        f"{phones(1)[0]},,,,,,\n"
        f"{phones(2)[0]},,,,bankrupt,2026-12-31,\n"
        f"{phones(3)[0]},,,,,,{NAME}\n"
        f"{phones(4)[0]},,,,,,nowhere\n"
        ",+84999,,,,,\n"
        ",+8499912345678,,,,,\n"
        f",,{row(5).account.contract_number},,dispute,,\n"
        f",,,{row(6).account.contract_number},deceased,,\n"
        ",,HD-none,,,,\n"
        f"{phones(7)[0]},,,,Not a word,,\n"
    )
    counts = take_in(store, read(tmp_path, text))
    assert (counts.added, counts.known) == (6, 0)
    assert [(line, error.problem) for line, error in counts.faults] == [
        (5, "campaign nowhere is not in the database"),
        (7, "not a prefix of numbers"),
        (10, "no account has this contract number"),
        (11, "kind 'Not a word'"),
    ]
    assert store.status_counts(NAME).targets == {"ready": 19, "done": 1}
    kinds = {(s.stop.key_kind, s.stop.kind, s.campaign) for s in store.stop_list.all()}
    assert kinds == {
        ("number", "dnc", ""),
        ("number", "bankrupt", ""),
        ("number", "dnc", NAME),
        ("prefix", "dnc", ""),
        ("account", "dispute", ""),
        ("contact", "deceased", ""),
    }


def test_what_goes_out_comes_in_again_elsewhere(tmp_path: Path, database: str) -> None:
    store = loaded(tmp_path, 20)
    text = (
        "number,prefix,contract,person,kind,until,campaign,source\n"
        f'{phones(1)[0]},,,,,,,"one, and another"\n'
        f"{phones(2)[0]},,,,bankrupt,2026-12-31,{NAME},court\n"
        ",+84999,,,,2026-12-31T00:00:00.000001Z,,\n"
        f",,{row(5).account.contract_number},,dispute,,,\n"
        f",,,{row(6).account.contract_number},deceased,,,\n"
    )
    take_in(store, read(tmp_path, text))
    out = io.StringIO()
    assert list(write_stops(out, store.stop_list.all())) == [1, 2, 3, 4, 5]
    other = open_store(tmp_path, lender="other")
    other.put_campaign(campaign(), "x")
    other.import_rows(NAME, rows(20))
    counts = take_in(other, read(tmp_path, out.getvalue()))
    assert (counts.added, counts.faults) == (5, [])
    again = io.StringIO()
    assert list(write_stops(again, other.stop_list.all()))[-1:] == [5]
    assert sorted(csv.reader(again.getvalue().splitlines())) == sorted(
        csv.reader(out.getvalue().splitlines())
    )
    assert again.getvalue().count(phones(1)[0]) == 1


def test_what_was_taken_in_before_a_break_is_told_to_all(tmp_path: Path, database: str) -> None:
    store = loaded(tmp_path, 10)
    since = store.news_seq()

    def broken() -> list[Named]:
        raise OSError("the disk is gone")

    def some() -> object:
        yield from (one for one in read(tmp_path, "\n".join(phones(1, 2))))
        yield broken()

    # The block that broke is lost, as nothing of it was written; the file is taken in again.
    with pytest.raises(OSError, match="disk"):
        store.stop_list.take_in(some(), NOON)  # type: ignore[arg-type]
    assert store.news_seq() == since
    assert take_in(store, read(tmp_path, "\n".join(phones(1, 2)))).added == 2


def test_the_file_is_known_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert file_sha256(path).startswith("ba7816bf")
    with pytest.raises(StopFileError, match="No such file"):
        file_sha256(tmp_path / "none")


def test_speed_of_a_long_list_is_told(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No limit, for machines differ; benchmarks/dnc.py has one."""
    store = loaded(tmp_path, 10)
    path = tmp_path / "many.txt"
    path.write_text("\n".join(phones(*range(1, 20_001))))
    began = time.perf_counter()
    named = (one for one in read_stops(path, DEFAULTS) if isinstance(one, Named))
    assert store.stop_list.take_in(named, NOON).added == 20_000
    took_s = time.perf_counter() - began
    with capsys.disabled():
        print(f"\n  {20_000 / took_s:,.0f} stops/s")
