"""Stop lists as files: one number a line, or CSV with column names; read line by line, each taken
or refused with its reason. What `write_stops` writes, `read_stops` reads.

Columns: one of number, prefix, contract, person is filled in each row; kind, until, campaign and
source may be there. Blank lines and those that begin with # are passed over.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import TextIO, cast, get_args
from zoneinfo import ZoneInfo

from duecall.core.contact_phone import PhoneError
from duecall.core.stop_phone import stop_phone
from duecall.shell.column_values import maybe_from_us, to_us
from duecall.shell.stop_list import WHATS, Named, StopError, What
from duecall.shell.stop_store import ERASED
from duecall.shell.stop_types import StoredStop

LINE_MAX = 10_000  # characters
PROGRESS_LINES = 5_000
DELIMITERS = (",", ";", "\t")
OTHERS = ("kind", "until", "campaign", "source")
COLUMNS = (*get_args(What), *OTHERS)
ALIASES = {
    "phone": "number", "phone_number": "number", "mobile": "number", "msisdn": "number",
    "telephone": "number", "tel": "number", "contract_number": "contract", "expires": "until",
}  # fmt: skip
FARTHEST = "Etc/GMT+12"  # where a day ends last
Progress = Callable[[int, int], None]  # (bytes read, bytes in all)


class StopFileError(Exception):
    """The file as a whole cannot be used."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is refused. Neither text repeats a phone number."""

    line: int
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Defaults:
    """For what a row does not say. country: of national numbers, ISO 3166, empty: none are taken.
    zones: where a day must be over, for `until`; empty: everywhere."""

    kind: str
    campaign: str = ""
    until_us: int | None = None
    source: str = ""
    country: str = ""
    zones: tuple[str, ...] = ()


def file_sha256(path: Path) -> str:
    """Hex. StopFileError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while some := file.read(1 << 20):
                digest.update(some)
    except OSError as error:
        raise StopFileError(path, str(error.strerror), "name a file") from None
    return digest.hexdigest()


def read_stops(
    path: Path, defaults: Defaults, progress: Progress | None = None
) -> Iterator[Named | Fault]:
    """Each line that holds a stop, taken or refused. Raises StopFileError."""
    size = path.stat().st_size
    header: _Header | None = None
    begun, done = False, 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            done += len(raw)
            if progress is not None and number % PROGRESS_LINES == 0:
                progress(done, size)
            if number == 1:
                _check_kind_of_file(path, raw)
            line = _text(raw, number)
            if isinstance(line, Fault):
                yield line
                continue
            if not line or line[0] == "#":
                continue
            if not begun:
                begun = True
                header = _header(path, line)
                if header is not None:
                    continue
            try:
                yield _row(line, number, header, defaults)
            except (PhoneError, StopError) as error:
                yield Fault(number, error.problem, error.remedy)
    if progress is not None:
        progress(size, size)


def _check_kind_of_file(path: Path, raw: bytes) -> None:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise StopFileError(path, "the file is UTF-16", "save it again as CSV UTF-8")
    if raw.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        raise StopFileError(path, "the file is an archive or spreadsheet", "save it as CSV UTF-8")


def _text(raw: bytes, number: int) -> str | Fault:
    if len(raw) > LINE_MAX:
        return Fault(number, f"longer than {LINE_MAX} bytes", "one stop a line")
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError as error:
        return Fault(number, f"byte {error.start + 1} is not UTF-8", "save it again as UTF-8")


class _Header:
    """columns: name -> place. delimiter: what parts the cells."""

    def __init__(self, columns: dict[str, int], count: int, delimiter: str) -> None:
        self.columns = columns
        self.count = count
        self.delimiter = delimiter


def _header(path: Path, line: str) -> _Header | None:
    """None: the first line is a stop already."""
    delimiter = max(DELIMITERS, key=line.count)
    names = [_plain(name) for name in next(csv.reader([line], delimiter=delimiter))]
    if not any(name in get_args(What) for name in names):
        if line[0].isalpha():
            wanted = ", ".join(get_args(What))
            remedy = f"name at least one column of: {wanted}"
            raise StopFileError(path, "the first line is neither a number nor column names", remedy)
        return None
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise StopFileError(path, f"column {', '.join(twice)} stands twice", "keep one of each")
    places = {name: place for place, name in enumerate(names) if name in COLUMNS}
    return _Header(places, len(names), delimiter)


def _plain(name: str) -> str:
    name = re.sub(r"[\s.\-/]+", "_", name.strip().casefold()).strip("_")
    return ALIASES.get(name, name)


def _row(line: str, number: int, header: _Header | None, defaults: Defaults) -> Named:
    kind, campaign, until_us = defaults.kind, defaults.campaign, defaults.until_us
    source = defaults.source
    if header is None:
        phone = stop_phone(line, defaults.country)
        return Named("number", phone, kind, campaign, until_us, source, number)
    if '"' in line:
        cells = next(csv.reader([line], delimiter=header.delimiter))
    else:
        cells = line.split(header.delimiter)
    if len(cells) > header.count:
        remedy = f"put cells that hold {header.delimiter!r} within quotes"
        raise StopError(f"has {len(cells)} cells, the first line {header.count}", remedy)
    cell = {
        name: text
        for name, place in header.columns.items()
        if place < len(cells) and (text := cells[place].strip())
    }
    filled = [what for what in get_args(What) if what in cell]
    if len(filled) != 1:
        wanted = ", ".join(get_args(What))
        problem = f"{' and '.join(filled)} are filled" if filled else "nothing to stop"
        raise StopError(problem, f"fill one of: {wanted}")
    what = cast(What, filled[0])
    value = stop_value(what, cell[what], defaults.country)
    if "until" in cell:
        until_us = until_of(cell["until"], defaults.zones)
    return Named(
        what,
        value,
        cell.get("kind", kind),
        cell.get("campaign", campaign),
        until_us,
        cell.get("source", source),
        number,
    )


def stop_value(what: What, text: str, country: str = "") -> str:
    """As it was typed -> as Named has it. Raises PhoneError."""
    if what == "number":
        return stop_phone(text, country)
    return re.sub(r"[ ().-]", "", text) if what == "prefix" else text


def until_of(text: str, zones: Iterable[str] = ()) -> int:
    """The end of a day (2026-12-31) in all of these zones, or a moment with its offset
    (2026-12-31T18:00+07:00), in microseconds since 1970. Raises StopError."""
    try:
        if len(text) == 10:
            midnight = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time())
            ends = [to_us(midnight.replace(tzinfo=ZoneInfo(zone))) for zone in zones]
            return max(ends, default=to_us(midnight.replace(tzinfo=ZoneInfo(FARTHEST))))
        return to_us(datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)))
    except (ValueError, OverflowError):
        remedy = "write a day such as 2026-12-31, or a time such as 2026-12-31T18:00+07:00"
        raise StopError(f"{text!r:.40} is no day and no time with an offset", remedy) from None


def write_stops(file: TextIO, stops: Iterable[StoredStop]) -> Iterator[int]:
    """CSV with column names; the count so far, after each. Of those who are forgotten only hashes
    are known: they are left out."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    whats = get_args(What)
    named_ones = (stored for stored in stops if stored.clear != ERASED)
    for count, stored in enumerate(named_ones, 1):
        stop = stored.stop
        named = [""] * len(whats)
        named[whats.index(WHATS[stop.key_kind])] = stored.clear
        until = maybe_from_us(stop.expires_us)
        writer.writerow(
            (
                *named,
                stop.kind,
                "" if until is None else until.astimezone(timezone.utc).isoformat(),
                stored.campaign,
                stop.source,
            )
        )
        yield count
