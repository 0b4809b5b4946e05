"""Contacts files: CSV, read as a stream, row by row, each taken or refused with its reasons."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import BinaryIO, TypeAlias

from duecall.core.campaign import Campaign, Language
from duecall.core.contact_row import ParsedRow, RowDefaults, RowFault, parse_row
from duecall.core.contact_words import RuleWords
from duecall.core.currency import CURRENCIES
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Money
from duecall.speech.words import words

LINE_MAX = 1_048_576  # bytes
COLUMNS_MAX = 200
PROGRESS_ROWS = 500  # progress is told once in so many rows
DELIMITERS = (",", ";", "\t")
REQUIRED = ("name", "contract_number", "interest_rate", "due_date", "dpd", "phone")
ONE_OF = ("balance", "card_number")
# Other names that files from elsewhere use, in the form that _plain gives them.
ALIASES = {
    "name": ("full_name", "customer", "customer_name", "client", "client_name", "debtor"),
    "contract_number": ("contract", "contract_no", "contract_id", "loan_number", "account_number"),
    "card_number": ("card", "card_no"),
    "balance": ("amount", "amount_due", "debt", "outstanding", "outstanding_balance"),
    "currency": ("ccy", "currency_code"),
    "interest_rate": ("rate", "interest"),
    "due_date": ("due", "payment_date", "date_due"),
    "dpd": ("days_past_due", "days_overdue", "overdue_days"),
    "phone": ("phone_number", "mobile", "mobile_phone", "telephone", "tel", "msisdn"),
    "zone": ("time_zone", "timezone", "tz"),
    "language": ("lang", "locale"),
    "customer_id": ("client_id", "customer_no", "customer_number", "client_no", "cif"),
    "region": ("region_code", "iso_3166_2"),
    "line": ("line_type",),
    "consents": ("consent",),
    "flags": ("flag",),
}
_SAVE_AS = "save it again as CSV UTF-8"
Progress = Callable[[int, int], None]  # (bytes read, bytes in all)
Taken = Callable[[bytes], None]  # such as the `update` of a SHA-256
Record: TypeAlias = "tuple[int, dict[str, str] | RowFault]"


class ContactsFileError(Exception):
    """The file as a whole cannot be used. row: where, 0 for the file itself."""

    def __init__(self, path: Path, problem: str, remedy: str, row: int = 0) -> None:
        where = f"{path}, row {row}" if row else str(path)
        super().__init__(f"{where}: {problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy
        self.row = row


@dataclass(frozen=True, slots=True)
class Header:
    """columns: by position; empty where a column has no name. delimiter: what parts the cells."""

    columns: tuple[str, ...]
    delimiter: str


def spoken_currencies(language: Language) -> frozenset[str]:
    """The currencies whose sums can be said in this language."""

    def can_say(currency: str) -> bool:
        try:
            return bool(words(Money(12_345, currency), language))
        except Unspeakable:
            return False

    return frozenset(filter(can_say, CURRENCIES))


def read_header(path: Path) -> tuple[str, ...]:
    """The file's columns by their canonical names, and at least one row must follow.

    Raises ContactsFileError.
    """
    with _opened(path) as file:
        lines = _Lines(path, file)
        header = _header(path, lines)
        if not any(line.strip(" \t\r\n,;") for line in lines):
            raise ContactsFileError(path, "no rows after the header", "add the contacts")
    return tuple(column for column in header.columns if column)


def check_text(path: Path) -> None:
    """Read the whole file as text and keep nothing of it. Raises ContactsFileError with the line.

    Whoever takes rows in before the last one is read asks this first: where the encoding breaks in
    mid-file, the rows before it cannot be trusted either.
    """
    with _opened(path) as file:
        for _ in _Lines(path, file):
            pass


def read_contacts(
    path: Path,
    campaign: Campaign,
    *,
    today: date,
    needed: frozenset[str] = frozenset(),
    words: RuleWords | None = None,
    progress: Progress | None = None,
    taken: Taken | None = None,
) -> Iterator[ParsedRow | RowFault]:
    """Each row, taken or refused; a refused one may give several faults. Streams.

    today: where the lender is; the campaign's contacts_as_of goes before it. needed: columns whose
    cells the campaign needs (config_references.columns_used). words: consents and flags that its
    rules ask for; others are noted, each where it stands first. progress: (bytes read, bytes in
    all), now and then and at the end. taken: told every line as it stands in the file. Raises
    ContactsFileError, also in mid-file where the encoding breaks: what was read before is then of a
    file that cannot be trusted.
    """
    reader = RowReader(campaign, today=today, needed=needed)
    seen: dict[str, int] = {}
    told: set[tuple[str, str]] = set()
    for row, read in read_records(path, progress=progress, taken=taken):
        parsed = reader.read(row, read)
        if isinstance(parsed, list):
            yield from parsed
            continue
        if words is not None:
            parsed = _noted(parsed, words, told)
        first = seen.setdefault(parsed.account.contract_number, row)
        yield parsed if first == row else once_more(row, first)


class RowReader:
    """Makes contacts of a campaign's rows, each by itself. today, needed: as `read_contacts`."""

    def __init__(
        self, campaign: Campaign, *, today: date, needed: frozenset[str] = frozenset()
    ) -> None:
        self._defaults = RowDefaults(
            campaign.country,
            campaign.currency,
            campaign.zone,
            campaign.language,
            campaign.contacts_as_of or today,
            needed,
            spoken_currencies(campaign.language) if "balance" in needed else CURRENCIES,
        )

    def read(self, row: int, read: dict[str, str] | RowFault) -> ParsedRow | list[RowFault]:
        """What `read_records` gave -> a contact, or all reasons why it is none."""
        if isinstance(read, RowFault):
            return [read]
        return parse_row(read, row=row, defaults=self._defaults)


def read_records(
    path: Path, *, progress: Progress | None = None, taken: Taken | None = None
) -> Iterator[Record]:
    """Each row as it stands in the file: (row as a spreadsheet counts, its cells by the canonical
    names of their columns, or what is wrong). Arguments and errors as of `read_contacts`."""
    row = 1
    with _opened(path) as file:
        size = path.stat().st_size
        lines = _Lines(path, file, taken)
        header = _header(path, lines)
        for row, read in _records(lines, header):
            if progress is not None and row % PROGRESS_ROWS == 0:
                progress(lines.bytes_read, size)
            yield row, read
        if progress is not None:
            progress(size, size)
    if row == 1:
        raise ContactsFileError(path, "no rows after the header", "add the contacts")


class _Lines:
    """The file's lines as text, line ends kept. bytes_read grows while they are taken."""

    def __init__(self, path: Path, file: BinaryIO, taken: Taken | None = None) -> None:
        self.path = path
        self.file = file
        self.taken = taken
        self.number = 0
        self.bytes_read = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self.file.readline(LINE_MAX + 1)
        if not raw:
            raise StopIteration
        if self.taken is not None:
            self.taken(raw)
        self.number += 1
        if self.number == 1:
            if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise ContactsFileError(self.path, "the file is UTF-16", _SAVE_AS)
            if raw.startswith(b"PK\x03\x04"):
                raise ContactsFileError(self.path, "the file is a spreadsheet or archive", _SAVE_AS)
        if len(raw) > LINE_MAX:
            problem = f"line {self.number} is longer than {LINE_MAX} bytes"
            raise ContactsFileError(self.path, problem, "end each row with a line end")
        try:
            text = raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            offset = self.bytes_read + error.start
            problem = (
                f"line {self.number}, byte {offset} of the file (0x{raw[error.start]:02X}) is not "
                "UTF-8"
            )
            raise ContactsFileError(self.path, problem, _SAVE_AS) from None
        self.bytes_read += len(raw)
        # Python 3.10's csv refuses NUL; any other control character is cleaned away later.
        return text.replace("\0", "\x01")


def _opened(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        raise ContactsFileError(path, "not a file", "name a CSV file")
    try:
        return path.open("rb")
    except OSError as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror)
        remedy = "name a CSV file; the path is seen from the campaign file's folder"
        raise ContactsFileError(path, f"{path}: {problem}", remedy) from None


def _plain(name: str) -> str:
    """A column's name in lower case, with _ for blanks, dots and dashes."""
    return re.sub(r"[\s.\-/]+", "_", name.strip().casefold()).strip("_")


def _header(path: Path, lines: _Lines) -> Header:
    line = next(lines, "")
    if not line.strip():
        problem = "the first line is empty" if line else "the file is empty"
        raise ContactsFileError(path, problem, "begin with a line of column names")
    unquoted = re.sub(r'"[^"]*"', "", line)
    delimiter = max(DELIMITERS, key=unquoted.count)
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        remedy = "write the column names in one line, parted by , or ; or tab"
        raise ContactsFileError(path, f"the header cannot be read: {error}", remedy, 1) from None
    columns = _canonical([_plain(cell) for cell in cells])
    _check_columns(path, columns)
    return Header(tuple(columns), delimiter)


def _canonical(columns: list[str]) -> list[str]:
    """Aliases become the names they stand for, where the name itself is not there."""
    for name, aliases in ALIASES.items():
        if name in columns:
            continue
        for alias in aliases:
            if alias in columns:
                columns[columns.index(alias)] = name
                break
    return columns


def _check_columns(path: Path, columns: list[str]) -> None:
    if len(columns) > COLUMNS_MAX:
        problem = f"{len(columns)} columns"
        raise ContactsFileError(path, problem, f"keep at most {COLUMNS_MAX}", 1)
    missing = [name for name in REQUIRED if name not in columns]
    if not any(name in columns for name in ONE_OF):
        missing.append(" or ".join(ONE_OF))
    if missing:
        found = ", ".join(column for column in columns if column)
        problem = f"no column {', '.join(missing)} (found: {found[:300]})"
        raise ContactsFileError(path, problem, "name the columns as docs/campaign.md does", 1)
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise ContactsFileError(path, f"twice: column {', '.join(twice)}", "keep one of them", 1)
    odd = [column for column in columns if column and not column.isidentifier()]
    if odd:
        remedy = "name columns by letters, digits and _, a letter first"
        raise ContactsFileError(path, f"column {', '.join(odd)[:100]!r}", remedy, 1)


def _records(lines: _Lines, header: Header) -> Iterator[Record]:
    """(row as a spreadsheet counts, its cells or what is wrong); blank rows only count."""
    reader = csv.reader(lines, delimiter=header.delimiter, strict=True)
    row = 1
    while True:
        row += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = f"cannot be read up to line {lines.number} of the file: {error}"
            remedy = 'close each quote; write a quote within a cell as ""'
            yield row, RowFault(row, "", reason, remedy)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        yield row, _named(cells, header, row)


def _named(cells: list[str], header: Header, row: int) -> dict[str, str] | RowFault:
    if len(cells) != len(header.columns):
        reason = f"has {len(cells)} cells, the header has {len(header.columns)}"
        remedy = f"put cells that hold {header.delimiter!r} or line ends within quotes"
        return RowFault(row, "", reason, remedy)
    if any(cell.strip() for name, cell in zip(header.columns, cells, strict=True) if not name):
        return RowFault(row, "", "a cell under no column name", "name its column in the header")
    return {name: cell for name, cell in zip(header.columns, cells, strict=True) if name}


def _noted(parsed: ParsedRow, words: RuleWords, told: set[tuple[str, str]]) -> ParsedRow:
    """With a note of each consent and flag that no rule asks for, unless it was `told` before."""
    notes = notes_of_words(parsed.row, words.unknown(parsed.contact), told)
    return replace(parsed, notes=(*parsed.notes, *notes)) if notes else parsed


def notes_of_words(
    row: int, unknown: Iterable[tuple[str, str, str]], told: set[tuple[str, str]]
) -> list[RowFault]:
    """unknown: as `RuleWords.unknown` has them. told: grows by those that are new."""
    notes = []
    for column, word, hint in unknown:
        if (column, word) not in told:
            told.add((column, word))
            reason = f"no rule of this campaign asks for {word!r}{hint}"
            remedy = "look whether it is written as the rules write it"
            notes.append(RowFault(row, column, reason, remedy))
    return notes


def once_more(row: int, first: int) -> RowFault:
    """The contract of this row stood in the row `first`."""
    reason = f"the contract of row {first} again"
    return RowFault(row, "contract_number", reason, "keep one row for each contract")
