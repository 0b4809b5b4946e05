"""Contacts files as bytes on disk: forms that are taken, rows that are refused, files that are."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from duecall.core.campaign import Campaign
from duecall.core.contact import Consent
from duecall.core.contact_row import ParsedRow, RowFault
from duecall.core.contact_words import RuleWords
from duecall.shell.contacts_csv import ALIASES, ContactsFileError, read_contacts, read_header

AS_OF = date(2026, 4, 19)
HEADER = "name,contract_number,balance,interest_rate,due_date,dpd,phone"
ROW = "An,C-{n},1500000,18.5,2026-04-09,10,+849123456{n}"
CAMPAIGN = Campaign.model_validate(
    {
        "name": "test",
        "contacts": "people.csv",
        "language": "vi",
        "country": "VN",
        "currency": "VND",
        "zone": "Asia/Ho_Chi_Minh",
        "calendar": {"hours": [{"from": "08:00", "to": "20:00"}]},
        "message": "Xin chào {{ name }}",
        "retry": {"max_attempts": 1},
        "caller_id": "19001234",
        "trunk": "demo",
    }
)


def rows_of(
    folder: Path, content: str | bytes, needed: Iterable[str] = ()
) -> list[ParsedRow | RowFault]:
    path = folder / "people.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_contacts(path, CAMPAIGN, today=AS_OF, needed=frozenset(needed)))


def row(n: int) -> str:
    return ROW.format(n=n)


def taken(rows: list[ParsedRow | RowFault]) -> list[int]:
    return [one.row for one in rows if isinstance(one, ParsedRow)]


def faults(rows: list[ParsedRow | RowFault]) -> list[RowFault]:
    return [one for one in rows if isinstance(one, RowFault)]


# ---- forms


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_delimiters_line_ends_and_marks(
    tmp_path: Path, delimiter: str, end: str, mark: bytes
) -> None:
    text = end.join([HEADER, row(11), row(12)]).replace(",", delimiter)
    rows = rows_of(tmp_path, mark + text.encode())
    assert taken(rows) == [2, 3]
    first = rows[0]
    assert isinstance(first, ParsedRow)
    assert first.contact.name == "An"
    assert first.contact.phone == "+84912345611"


def test_header_in_any_case_and_order(tmp_path: Path) -> None:
    header = " PHONE ,DPD,Due Date,Interest-Rate,Balance,Contract.Number,Name,Chi nhánh"
    rows = rows_of(tmp_path, f"{header}\n+84912345611,10,2026-04-09,18.5,5,C-1,An,Huế\n")
    assert isinstance(rows[0], ParsedRow)
    assert rows[0].account.fields == {"chi_nhánh": "Huế"}


@pytest.mark.parametrize(
    ("name", "alias"), [(name, alias) for name, aliases in ALIASES.items() for alias in aliases]
)
def test_aliases(tmp_path: Path, name: str, alias: str) -> None:
    header = HEADER.replace(name, alias) if name in HEADER else f"{HEADER},{alias}"
    path = tmp_path / "people.csv"
    path.write_text(f"{header}\n{row(11)}\n", encoding="utf-8")
    assert name in read_header(path)


def test_an_alias_gives_way_to_the_name_itself(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER},amount\n{row(11)},77\n")
    assert isinstance(rows[0], ParsedRow)
    assert rows[0].account.balance_minor == 1_500_000
    assert rows[0].account.fields == {"amount": "77"}


def test_quotes_commas_and_line_ends_in_cells(tmp_path: Path) -> None:
    cells = '"Lê, ""Tèo""\nThị",C-1,1500000,18.5,2026-04-09,10,+84912345611'
    rows = rows_of(tmp_path, f"{HEADER}\n{cells}\n{row(12)}\n")
    assert taken(rows) == [2, 3]  # rows, as a spreadsheet counts them; not lines
    assert isinstance(rows[0], ParsedRow)
    assert rows[0].contact.name == 'Lê, "Tèo" Thị'


def test_blank_rows_count_but_are_nothing(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER}\n\n{row(11)}\n,,,,,,\n  \n{row(12)}\n\n")
    assert taken(rows) == [3, 6]
    assert not faults(rows)


def test_a_nul_in_a_name_is_cleaned_away(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER}\n{row(11).replace('An', 'A' + chr(0) + 'n')}\n")
    assert isinstance(rows[0], ParsedRow)
    assert rows[0].contact.name == "A n"
    assert rows[0].notes


def test_a_name_of_ten_thousand_characters_is_taken(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER}\n{row(11).replace('An', 'Ă' * 10_000)}\n")
    assert taken(rows) == [2]


def test_empty_columns_at_the_end(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER},,\n{row(11)},,\n{row(12)},x,\n")
    assert taken(rows) == [2]
    (fault,) = faults(rows)
    assert (fault.row, fault.reason) == (3, "a cell under no column name")


# ---- rows that are refused


def test_ragged_rows(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER}\n{row(11)},extra\n{row(12)}\nAn,C-3\n{row(14)}\n")
    assert taken(rows) == [3, 5]
    assert [(fault.row, fault.reason) for fault in faults(rows)] == [
        (2, "has 8 cells, the header has 7"),
        (4, "has 2 cells, the header has 7"),
    ]


def test_a_row_may_have_several_faults(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER}\nAn,C-1,NaN,18.5,2026-04-09,11,1900 1234\n{row(12)}\n")
    assert [(fault.row, fault.field) for fault in faults(rows)] == [
        (2, "balance"),
        (2, "dpd"),
        (2, "phone"),
    ]
    assert taken(rows) == [3]


def test_a_contract_number_twice(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER}\n{row(11)}\n{row(12)}\n{row(11)}\n")
    assert taken(rows) == [2, 3]
    (fault,) = faults(rows)
    assert (fault.row, fault.field) == (4, "contract_number")
    assert fault.reason == "the contract of row 2 again"


def test_a_refused_row_takes_no_contract_number(tmp_path: Path) -> None:
    bad = row(11).replace(",10,", ",11,")
    assert taken(rows_of(tmp_path, f"{HEADER}\n{bad}\n{row(11)}\n")) == [3]


def test_bad_quotes(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f'{HEADER}\n"An"x,C-1,5,1,2026-04-09,10,1\n{row(12)}\n"An,{row(13)}\n')
    assert taken(rows) == [3]
    assert [fault.row for fault in faults(rows)] == [2, 4]
    assert all("quote" in fault.remedy for fault in faults(rows))


def test_needed_cells(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER},branch\n{row(11)},\n{row(12)},Huế\n", needed=["branch"])
    assert taken(rows) == [3]
    assert [str(fault) for fault in faults(rows)] == [
        "row 2: branch: is empty; fill it; the campaign speaks or orders by it"
    ]


def test_a_currency_that_cannot_be_spoken(tmp_path: Path) -> None:
    content = f"{HEADER},currency\n{row(11)},LAK\n{row(12)},USD\n"
    assert taken(rows_of(tmp_path, content)) == [2, 3]
    rows = rows_of(tmp_path, content, needed=["balance"])
    assert taken(rows) == [3]
    assert [fault.field for fault in faults(rows)] == ["currency"]


def test_as_of_of_the_campaign_goes_before_today(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"{HEADER}\n{row(11)}\n", encoding="utf-8")
    later = date(2027, 1, 1)
    assert not taken(list(read_contacts(path, CAMPAIGN, today=later)))
    fixed = CAMPAIGN.model_copy(update={"contacts_as_of": AS_OF})
    assert taken(list(read_contacts(path, fixed, today=later))) == [2]


# ---- files that are refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the first line is empty"),
        (HEADER.encode(), "no rows after the header"),
        (f"{HEADER}\n\n  \n,,,,,,\n".encode(), "no rows after the header"),
        (
            b"name,phone\nAn,1\n",
            "no column contract_number, interest_rate, due_date, dpd, balance or",
        ),
        (b"name\nAn\n", "(found: name)"),
        (f"{HEADER},phone\n".encode(), "twice: column phone"),
        (f"{HEADER},1st\n".encode(), "column '1st'"),
        (f"{HEADER}\n{row(11)}\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04xlsx", "spreadsheet or archive"),
        (b'"name,phone\n', "the header cannot be read"),
    ],
)
def test_file_that_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ContactsFileError) as caught:
        rows_of(tmp_path, content)
    assert said in caught.value.problem
    assert caught.value.remedy
    assert str(tmp_path / "people.csv") in str(caught.value)


def test_another_encoding_is_told_by_line_and_byte(tmp_path: Path) -> None:
    good = f"{HEADER}\n{row(11)}\n".encode()
    bad = row(12).replace("An", "Иван").encode("cp1251")
    with pytest.raises(ContactsFileError) as caught:
        rows_of(tmp_path, good + bad)
    assert caught.value.problem == f"line 3, byte {len(good)} of the file (0xC8) is not UTF-8"
    assert "UTF-8" in caught.value.remedy


def test_a_line_without_end_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(ContactsFileError, match="line 2 is longer than"):
        rows_of(tmp_path, f"{HEADER}\n{'x' * 1_100_000}")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ContactsFileError, match="no such file"):
        read_header(tmp_path / "none.csv")
    with pytest.raises(ContactsFileError, match="not a file"):
        read_header(tmp_path)


# ---- what rules ask about

ASKED = "customer_id,region,line,consents,flags"


def test_columns_that_rules_ask_about_are_not_kept_as_text(tmp_path: Path) -> None:
    header = f"{HEADER},CIF,Region code,Line type,Consent,Flag,branch"
    (one,) = rows_of(tmp_path, f'{header}\n{row(11)},KH-1,US-MA,mobile,"a1=2027-06-30, b2",c3,Hue')
    assert isinstance(one, ParsedRow)
    assert one.contact.customer_id == "KH-1"
    assert one.contact.consents == (Consent("a1", date(2027, 6, 30)), Consent("b2"))
    assert one.contact.flags == ("c3",)
    assert one.account.fields == {"branch": "Hue"}


def test_words_that_no_rule_asks_for_are_noted_once(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    cells = ["recorded,", "recordd,bankrupt", "recordd,bankrot"]
    lines = [f"{row(n)},,,,{cell}" for n, cell in enumerate(cells, 11)]
    path.write_text("\n".join([f"{HEADER},{ASKED}", *lines]))
    words = RuleWords(frozenset({"recorded"}), frozenset({"bankrupt"}))
    rows = list(read_contacts(path, CAMPAIGN, today=AS_OF, words=words))
    assert [len(one.notes) for one in rows if isinstance(one, ParsedRow)] == [0, 1, 1]
    told = [note for one in rows if isinstance(one, ParsedRow) for note in one.notes]
    assert [(note.row, note.field) for note in told] == [(3, "consents"), (4, "flags")]
    assert "'recordd' (did you mean recorded?)" in told[0].reason
    assert "'bankrot' (did you mean bankrupt?)" in told[1].reason


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_each_byte_of_the_file_is_told(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "people.csv"
    lines = [HEADER, "", row(11), '"broken', row(12), "Ă\0", row(13)]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + end)
    sha256 = hashlib.sha256()
    assert list(read_contacts(path, CAMPAIGN, today=AS_OF, taken=sha256.update))
    assert sha256.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()


# ---- much


def test_it_streams_and_tells_its_progress(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    count = 3_000
    lines = (f"{'An' * 50},C-{n},1,1,2026-04-09,10,+8491{n:07}" for n in range(count))
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    size = path.stat().st_size
    told: list[tuple[int, int]] = []
    reading = read_contacts(
        path, CAMPAIGN, today=AS_OF, progress=lambda done, total: told.append((done, total))
    )
    next(reading)  # warm: tables of phonenumbers are loaded once
    tracemalloc.start()
    assert sum(isinstance(one, ParsedRow) for one in reading) == count - 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # What stays is one entry for each contract number, not the rows.
    assert peak < 4 * size
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) >= 5
