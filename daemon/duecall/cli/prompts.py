"""Sounds made before the first call, so that none of the first calls waits for a synthesiser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from duecall.cli.campaigns import rows_of
from duecall.cli.common import Context, console, errors, fail, progress
from duecall.core.campaign import Campaign
from duecall.core.contact import Account, Contact
from duecall.core.contact_row import ParsedRow
from duecall.core.eligibility import Eligibility
from duecall.core.rule_choice import rules_of
from duecall.core.verdict import Denied
from duecall.shell.clock import now
from duecall.shell.preparer import Preparer
from duecall.shell.target_store import TargetRow
from duecall.speech.cache import WavCache
from duecall.speech.cache_room import MB, Room, make_room
from duecall.speech.faults import Unspeakable
from duecall.speech.prompts import PromptBook
from duecall.speech.warm import Job, Progress, WarmReport, warm
from fs_scripts.contract import Brief

AHEAD = 2_000  # contacts whose names are spoken ahead; for the later ones the daemon does it
FAULTS_SHOWN = 50
Person: TypeAlias = "tuple[Contact, Account]"


def make_prompts(context: Context, campaign: Campaign) -> None:
    """All that any contact who is due may hear, with a progress bar; names of those called first.

    Rows that cannot be spoken are told and left: the daemon does not call them. A fault that hits
    every contact (EngineMissing, CacheError, a faulty text) is raised: nobody could be called.
    Texts of which a recorded voice has no recording are named, and end the command where no other
    voice stands in.
    """
    store = context.store()
    try:
        due = store.ready_count(campaign.name)
        began_s = time.monotonic()
        made = _Made(context, campaign)
        with progress("contacts") as bar:
            task = bar.add_task("prompts", total=due)
            report = made.warm(
                _wanted(context, campaign, store.all_ready(campaign.name)),
                lambda done: bar.update(task, completed=done.jobs),
            )
            bar.update(task, completed=due)
    finally:
        store.close()
    if report is None:
        return
    _tell_faults(campaign, made.mute)
    took_s = time.monotonic() - began_s
    console.print(
        f"prompts: {report.made} sounds made for {report.jobs} contacts in {took_s:.0f} s",
        highlight=False,
    )
    if report.later:
        console.print(
            f"The names of {report.later} others are spoken shortly before their calls.",
            highlight=False,
        )
    _tell_unrecorded(report, alone=made.alone)
    tell_room(make_room(made.cache, context.site.tts_cache_max_mb), context)


def _wanted(context: Context, campaign: Campaign, rows: Iterable[TargetRow]) -> Iterator[Person]:
    """Those whom the campaign selects, today or at some time to come."""
    eligibility, at = Eligibility(campaign, rules_of(context.site, campaign)), now().wall
    for row in rows:
        verdict = eligibility.selects(row.as_target(Brief("", ())), at)
        if isinstance(verdict, Denied) and (
            verdict.until is None or verdict.reason.startswith("not selected")
        ):
            continue
        yield row.contact, row.account


class _Made:
    """mute: who cannot be spoken to: contract number -> why. alone: no other voice stands in."""

    def __init__(self, context: Context, campaign: Campaign) -> None:
        self._preparer = Preparer(context.site)
        self._campaign = campaign
        self._asked: list[str] = []  # contract numbers of the jobs, in their order
        self.mute: dict[str, str] = {}
        self.alone = True
        self.cache = WavCache(Path(context.site.folders.tts_cache))

    def warm(self, people: Iterator[Person], tell: Callable[[Progress], None]) -> WarmReport | None:
        """None where nobody is to be called."""
        found = self._jobs(people)
        first = next(found, None)
        if first is None:
            return None
        book = first[0]
        self.alone = len(book.voices.speakers) == 1
        self.cache = book.cache
        jobs: Iterator[Job] = (job for _, job in chain([first], found))
        report = warm(book, jobs, progress=tell, personal_jobs=AHEAD)
        self.mute.update((self._asked[position], why) for position, why in report.faults)
        return report

    def _jobs(self, people: Iterator[Person]) -> Iterator[tuple[PromptBook, Job]]:
        for contact, account in people:
            try:
                book, parts, values = self._preparer.jobs_of(self._campaign, contact, account)
            except Unspeakable as error:
                self.mute[account.contract_number] = str(error)
                continue
            self._asked.append(account.contract_number)
            yield book, (parts, values)


def tell_room(room: Room, context: Context) -> None:
    """What was taken away, and that the limit is too small, where it is."""
    if room.files:
        console.print(f"{room.files} sounds that nobody used for long were removed.")
    if room.over:
        errors.print(
            f"note: {room.left_bytes // MB} MB of sounds were needed within the last hour, and "
            f"tts_cache_max_mb in {context.config} is {context.site.tts_cache_max_mb}; nothing "
            "that calls need is removed. Give the folder more room",
            highlight=False,
            soft_wrap=True,
        )


def _tell_unrecorded(report: WarmReport, *, alone: bool) -> None:
    for text in report.unrecorded[:FAULTS_SHOWN]:
        errors.print(f"not recorded: {text}", highlight=False, markup=False, soft_wrap=True)
    more = len(report.unrecorded) - FAULTS_SHOWN
    if more > 0:
        errors.print(f"not recorded: and {more} more")
    if report.unrecorded and alone:
        fail(
            f"{len(report.unrecorded)} texts are not recorded, and no other voice stands in: "
            "record them (`duecall voice record-list`), or give `voice` a fallback"
        )


def _tell_faults(campaign: Campaign, mute: dict[str, str]) -> None:
    """By row, as a spreadsheet counts: the file is read once more, which only faults cost."""
    if not mute:
        return
    shown = 0
    for row in rows_of(campaign, None):
        if not isinstance(row, ParsedRow) or row.account.contract_number not in mute:
            continue
        why = mute[row.account.contract_number]
        errors.print(
            f"not called: row {row.row}: cannot be spoken: {why}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        shown += 1
        if shown == FAULTS_SHOWN and len(mute) > shown:
            errors.print(f"not called: and {len(mute) - shown} more")
            return
