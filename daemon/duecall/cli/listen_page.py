"""What a supervisor listens to: a folder of sounds with a page to click through and a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TextIO

from duecall.shell.report_csv import guarded

PAGE, TABLE = "index.html", "index.csv"
COLUMNS = ("file", "row", "contract", "part", "why", "seconds", "voice", "text", "heard", "errors")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
article { border-top: 1px solid #999; padding: 1rem 0 }
h2 { font-size: 1rem; margin: 0 } audio { width: 100%; margin: .5rem 0 }
.why, .heard { color: #555 } p { margin: .25rem 0; white-space: pre-line }
"""


@dataclass(frozen=True, slots=True)
class Sound:
    """One thing to hear. file: its name in the folder; empty where no sound could be made, and
    `fault` says why. errors: the share of words that a recogniser heard otherwise, or None.
    """

    file: str
    row: int
    contract: str
    part: str
    why: str
    text: str
    ms: int = 0
    voice: str = ""
    fault: str = ""
    heard: str = ""
    errors: float | None = None

    def cells(self) -> tuple[str, ...]:
        errors = "" if self.errors is None else f"{self.errors:.2f}"
        told = f"{self.text} [no sound: {self.fault}]" if self.fault else self.text
        return (
            *(self.file, str(self.row), self.contract, self.part, self.why),
            *(f"{self.ms / 1000:.1f}", self.voice, told, self.heard, errors),
        )


def make_folder(folder: Path) -> None:
    """For the user alone: names and debts lie there in clear. OSError where it cannot be."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_pages(folder: Path, title: str, sounds: Sequence[Sound], language: str) -> Path:
    """Page and table; the page's path. Texts of contacts stand there as text and nothing else."""
    page = folder / PAGE
    _write(page, _page(title, sounds, language))
    with _opened(folder / TABLE, encoding="utf-8-sig") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows([guarded(cell) for cell in sound.cells()] for sound in sounds)
    return page


def _page(title: str, sounds: Sequence[Sound], language: str) -> str:
    body = "\n".join(map(_article, sounds))
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; media-src 'self' file:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _article(sound: Sound) -> str:
    place = f"row {sound.row}, {sound.contract}, {sound.part}"
    lines = ["<article>", f"<h2>{escape(place)}</h2>"]
    if sound.why:
        lines.append(f'<p class="why">{escape(sound.why)}</p>')
    if sound.file:
        lines.append(f'<audio controls preload="none" src="{escape(sound.file)}"></audio>')
    else:
        lines.append(f"<p><strong>no sound: {escape(sound.fault)}</strong></p>")
    lines.append(f"<p>{escape(sound.text)}</p>")
    if sound.errors is not None:
        heard = f"recognised, {sound.errors:.0%} of the words otherwise: {sound.heard}"
        lines.append(f'<p class="heard">{escape(heard)}</p>')
    return "\n".join([*lines, "</article>"])


def _write(path: Path, text: str) -> None:
    with _opened(path, encoding="utf-8") as out:
        out.write(text)


def _opened(path: Path, encoding: str) -> TextIO:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(handle, "w", encoding=encoding, newline="")
