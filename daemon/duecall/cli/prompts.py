"""Sounds made before the first call, so that none of the first calls waits for a synthesiser."""

from __future__ import annotations

import time
from typing import TypeAlias

from duecall.cli.campaigns import rows_of
from duecall.cli.common import Context, console, errors, progress
from duecall.core.campaign import Campaign
from duecall.core.contact import Account, Contact
from duecall.core.contact_row import ParsedRow
from duecall.core.eligibility import Eligibility
from duecall.core.rule_choice import rules_of
from duecall.core.verdict import Denied
from duecall.shell.clock import now
from duecall.shell.preparer import Preparer
from duecall.speech.faults import Unspeakable
from duecall.speech.prompts import PromptBook
from duecall.speech.warm import Job, Progress, WarmReport, warm
from fs_scripts.contract import Brief

AHEAD = 2_000  # contacts; for the later ones the daemon makes sounds ahead of their calls
FAULTS_SHOWN = 50
Person: TypeAlias = "tuple[Contact, Account]"


def make_prompts(context: Context, campaign: Campaign) -> None:
    """All that the contacts who are called first may hear, with a progress bar.

    Rows that cannot be spoken are told and left: the daemon does not call them. A fault that hits
    every contact (EngineMissing, CacheError, a faulty text) is raised: nobody could be called.
    """
    people, more = _first(context, campaign)
    if not people:
        return
    began_s = time.monotonic()
    report, mute = _make(context, campaign, people)
    _tell_faults(campaign, mute)
    took_s = time.monotonic() - began_s
    console.print(
        f"prompts: {report.made} sounds made for {len(people)} contacts in {took_s:.0f} s",
        highlight=False,
    )
    if more:
        console.print("Sounds for the others are made while these are called.", highlight=False)


def _first(context: Context, campaign: Campaign) -> tuple[list[Person], bool]:
    """Of the first AHEAD in the order of calling those whom the campaign selects; and
    whether there are more to call."""
    store = context.store()
    try:
        rows = store.next_up(campaign.name, AHEAD + 1)
    finally:
        store.close()
    eligibility, at = Eligibility(campaign, rules_of(context.site, campaign)), now().wall
    people: list[Person] = []
    for row in rows[:AHEAD]:
        verdict = eligibility.selects(row.as_target(Brief("", ())), at)
        if isinstance(verdict, Denied) and (
            verdict.until is None or verdict.reason.startswith("not selected")
        ):
            continue
        people.append((row.contact, row.account))
    return people, len(rows) > AHEAD


def _make(
    context: Context, campaign: Campaign, people: list[Person]
) -> tuple[WarmReport, dict[str, str]]:
    """What was made, and who cannot be spoken to: contract number -> why."""
    preparer = Preparer(context.site)
    mute: dict[str, str] = {}
    asked: list[str] = []  # contract numbers of the jobs, in their order
    jobs: list[Job] = []
    book: PromptBook | None = None
    for contact, account in people:
        try:
            book, parts, values = preparer.jobs_of(campaign, contact, account)
        except Unspeakable as error:
            mute[account.contract_number] = str(error)
            continue
        asked.append(account.contract_number)
        jobs.append((parts, values))
    if book is None:
        return WarmReport(0, 0, 0, ()), mute
    with progress("contacts") as bar:
        task = bar.add_task("prompts", total=len(jobs))

        def tell(done: Progress) -> None:
            bar.update(task, completed=done.jobs)

        report = warm(book, jobs, progress=tell)
    mute.update((asked[position], why) for position, why in report.faults)
    return report, mute


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
