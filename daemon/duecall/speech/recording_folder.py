"""A folder of a person's recordings: `list.csv` says which file speaks which text.

The list is CSV with the columns `file` and `text`, as `duecall voice record-list` writes it;
columns beside these are the studio's own. Files may be added one by one: a text whose file is not
there is not recorded yet.
"""

from __future__ import annotations

import csv
import io
import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from duecall.speech.faults import EngineMissing, RecordingFault, SoundFault
from duecall.speech.recorded import file_digest

LIST_FILE = "list.csv"
COLUMNS = ("file", "text")
ROWS_MAX = 100_000
_NO_STATE = (-1, -1)
# Between two Chinese characters a space says nothing.
_HAN = "[\u3400-\u9fff\U00020000-\U0003ffff]"
_HAN_SPACE = re.compile(f"(?<={_HAN}) (?={_HAN})")


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of the list. file: as it stands there, relative to the folder."""

    file: str
    text: str


def normal_form(text: str) -> str:
    """Texts with the same one are spoken by one recording: no case, punctuation or odd spaces."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    kept = "".join(
        char if char.isalnum() or unicodedata.category(char)[0] == "M" else " " for char in folded
    )
    return _HAN_SPACE.sub("", " ".join(kept.split()))


def read_list(folder: Path) -> tuple[Recording, ...]:
    """The rows in their order. EngineMissing, with file and row, where the list is none.

    Two rows of one text are refused: nobody could say which file is meant.
    """
    path = folder / LIST_FILE
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise EngineMissing(f"{path}: not in UTF-8; save it as “CSV UTF-8”") from None
    except OSError as error:
        raise EngineMissing(
            f"{path}: {error.strerror}; `duecall voice record-list CAMPAIGN --out {folder}` "
            "makes the list of what has to be recorded"
        ) from None
    return _rows(path, text)


def _rows(path: Path, text: str) -> tuple[Recording, ...]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    found: list[Recording] = []
    places: dict[str, int] = {}  # normal form -> row
    try:
        columns = [cell.strip().lower() for cell in next(reader, [])]
        if not set(COLUMNS) <= set(columns):
            raise EngineMissing(f"{path}:1: no columns `file` and `text`; write them into row 1")
        file_at, text_at = columns.index("file"), columns.index("text")
        for row, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if row > ROWS_MAX:
                raise EngineMissing(f"{path}: over {ROWS_MAX} rows; split the voice in two")
            if len(cells) <= max(file_at, text_at):
                raise EngineMissing(
                    f"{path}:{row}: a cell is missing; put texts with commas in quotes"
                )
            one = Recording(cells[file_at].strip(), cells[text_at].strip())
            form = normal_form(one.text)
            _check(path, row, one, form, places)
            places[form] = row
            found.append(one)
    except csv.Error as error:
        raise EngineMissing(f"{path}:{reader.line_num}: {error}; save it as CSV again") from None
    return tuple(found)


def _check(path: Path, row: int, one: Recording, form: str, places: dict[str, int]) -> None:
    if not form:
        raise EngineMissing(f"{path}:{row}: `text` holds no word; delete the row")
    if not _is_within(one.file):
        raise EngineMissing(f"{path}:{row}: `file` is no name of a file in this folder")
    if form in places:
        raise EngineMissing(
            f"{path}:{row}: the text of row {places[form]} once more; keep the better recording"
        )


def _is_within(file: str) -> bool:
    """Whether the name stays below the folder, whatever it is joined to."""
    plain = PurePosixPath(file)
    return (
        bool(plain.name)
        and not plain.is_absolute()
        and ".." not in plain.parts
        and "\0" not in file
    )


def write_list(folder: Path, rows: Iterable[Recording], name: str = LIST_FILE) -> Path:
    """A list of these rows alone; with a mark at its head by which spreadsheets know UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows((one.file, one.text) for one in rows)
    return _replace(folder / name, out.getvalue())


def add_rows(folder: Path, rows: Sequence[Recording]) -> Path:
    """The list with these at its end; what stands there stays as it is, other columns too.

    EngineMissing where the list is none.
    """
    path = folder / LIST_FILE
    if not path.exists():
        return write_list(folder, rows)
    if not rows:
        return path
    read_list(folder)  # or a fault
    text = path.read_bytes().decode("utf-8-sig")  # with the ends of its lines
    delimiter = _delimiter(text)
    header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    columns = [cell.strip().lower() for cell in header]
    out = io.StringIO()
    out.write(text if text.endswith("\n") else text + "\r\n")
    writer = csv.writer(out, delimiter=delimiter)
    for one in rows:
        cells = {"file": one.file, "text": one.text}
        writer.writerow([cells.pop(column, "") for column in columns])
    return _replace(path, out.getvalue())


def _delimiter(text: str) -> str:
    """Spreadsheets of some countries write semicolons."""
    head = text.partition("\n")[0]
    return ";" if head.count(";") > head.count(",") else ","


def _replace(path: Path, text: str) -> Path:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_bytes(text.encode("utf-8-sig"))
        os.replace(aside, path)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()
    return path


class RecordingFolder:
    """The recordings that are there now. Safe to use from several threads.

    The list is read again when it changes, a file when its size or time does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._state = _NO_STATE
        self._files: dict[str, Path] = {}  # normal form -> file
        self._digests: dict[tuple[Path, int, int], str] = {}  # file, size, mtime_ns -> sha256

    def check(self) -> None:
        """EngineMissing where the list is none."""
        self._listed()

    def path_of(self, text: str) -> Path | None:
        """The file that speaks this text; None where the list has none or the file is not there."""
        path = self._listed().get(normal_form(text))
        return path if path is not None and path.is_file() else None

    def digest(self, path: Path) -> str:
        """sha256 of the file's content. RecordingFault where it cannot be read."""
        try:
            state = path.stat()
            known = (path, state.st_size, state.st_mtime_ns)
            digest = self._digests.get(known)
            if digest is None:
                digest = self._digests[known] = file_digest(path)
        except OSError as error:
            raise RecordingFault(f"recording {path}: {error.strerror}") from None
        except SoundFault as fault:
            raise RecordingFault(str(fault)) from None
        return digest

    def _listed(self) -> dict[str, Path]:
        try:
            status = os.stat(self.folder / LIST_FILE)
            state = (status.st_size, status.st_mtime_ns)
        except OSError:
            state = _NO_STATE  # read_list says what is wrong
        with self._lock:
            if state != self._state or state == _NO_STATE:
                rows = read_list(self.folder)
                self._files = {normal_form(one.text): self.folder / one.file for one in rows}
                self._state = state
            return self._files
