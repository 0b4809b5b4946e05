"""What will be said to one contact: the campaign's words with the contact's values, as sound files.

The brief that comes out is all that the script in the switch is told. Rendering runs in greenlets
that wait for the synthesiser's process; the hub goes on meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import gevent.pool

from duecall.core import commands as c
from duecall.core.attempt import Target
from duecall.core.campaign import MESSAGE_STEP, Campaign, KeyRule, Say
from duecall.core.contact import Account, Contact, dpd_on
from duecall.core.site import Site
from duecall.shell.clock import now
from duecall.shell.target_store import TargetRow
from duecall.speech.faults import (
    CacheError,
    EngineError,
    EngineMissing,
    SoundFault,
    TemplateFault,
    Unspeakable,
)
from duecall.speech.prompts import Manifest, Part, PromptBook, TextPart, parts_of
from duecall.speech.values import (
    Day,
    DaysCount,
    Digits,
    Money,
    Name,
    Percent,
    Phone,
    Text,
    Value,
    parse_decimal,
)
from fs_scripts.contract import Brief, KeyAction, Step, unsafe_sound

log = logging.getLogger(__name__)
AT_ONCE = 4  # contacts whose prompts are made at the same time
ENGINE_AGAIN_S = 600  # the voice failed at one contact's words: try these again
EVERYBODYS = (EngineMissing, CacheError, SoundFault)  # faults that are not one row's
_OF_THE_DAY = frozenset({"today", "tomorrow", "dpd"})  # what is said of these is true for one day


def _spelled(text: str) -> Value:
    """An empty cell: false where the template asks about it, refused where it would be spoken."""
    return Digits(text) if text else Text("")


def _rate(text: str) -> Value:
    return Percent(parse_decimal(text.replace(",", "."))) if text else Text("")


_STANDARD: dict[str, Callable[[Contact, Account, date], Value]] = {
    "name": lambda contact, account, today: Name(contact.name),
    "contract_number": lambda contact, account, today: Digits(account.contract_number),
    "card_number": lambda contact, account, today: _spelled(account.card_number),
    "balance": lambda contact, account, today: Money(account.balance_minor, account.currency),
    "interest_rate": lambda contact, account, today: _rate(account.interest_rate),
    "due_date": lambda contact, account, today: Day(account.due_date),
    "dpd": lambda contact, account, today: DaysCount(dpd_on(account.due_date, today)),
    "phone": lambda contact, account, today: Phone(contact.phone),
    "today": lambda contact, account, today: Day(today),
    "tomorrow": lambda contact, account, today: Day(today + timedelta(days=1)),
}


@dataclass(frozen=True)
class _Words:
    """A campaign's templates, compiled once. used: the variables that stand in any of them."""

    campaign: Campaign
    book: PromptBook
    parts: dict[tuple[Say, ...], tuple[Part, ...]]
    used: frozenset[str]


class Preparer:
    """Makes briefs; keeps the compiled templates of each campaign."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._words: dict[str, _Words] = {}
        # Where call records lie the switch may write. A path that the script would not take is
        # left out, and said by `doctor`: the result then has the event and the call record only.
        self._keys_folder = "" if unsafe_sound(site.folders.cdr) else site.folders.cdr

    def forget(self, name: str) -> None:
        """The campaign's file has changed."""
        self._words.pop(name, None)

    def prepare(
        self, campaign: Campaign, rows: Sequence[TargetRow]
    ) -> tuple[list[Target], list[c.Command]]:
        """Targets with their briefs, in the order of the rows; and what is to be done about those
        that cannot be spoken to. Raises one of EVERYBODYS, or TemplateFault, where nobody can.
        """
        targets: list[Target] = []
        put_off: list[c.Command] = []
        words = self._of(campaign)
        pool = gevent.pool.Pool(AT_ONCE)
        made = pool.imap(lambda row: self._try(words, row), rows)
        for row, answer in zip(rows, made, strict=True):
            if isinstance(answer, Target):
                targets.append(answer)
                continue
            if isinstance(answer, EVERYBODYS):
                pool.kill(block=False)
                raise answer
            log.warning("a contact cannot be spoken to: target=%d why=%s", row.id, answer)
            until = None
            if isinstance(answer, EngineError):
                until = now().wall + timedelta(seconds=ENGINE_AGAIN_S)
            target = row.as_target(Brief("", ()))
            put_off.append(c.DeferTarget(target, until, f"cannot be spoken: {answer}"))
        return targets, put_off

    def message(self, campaign: Campaign, contact: Contact, account: Account) -> Manifest:
        """The message alone, rendered, for listening."""
        words = self._of(campaign)
        return words.book.render(
            words.parts[campaign.message], self._values(words, contact, account, self._today(words))
        )

    def no_agent(self, campaign: Campaign, contact: Contact, account: Account) -> tuple[str, ...]:
        """What is said to a callee whom no agent takes, rendered: paths of sounds."""
        words = self._of(campaign)
        values = self._values(words, contact, account, self._today(words))
        return words.book.render(words.parts[campaign.no_agent], values).paths

    def text(self, campaign: Campaign, contact: Contact, account: Account) -> str:
        """The message in words; makes no sound. Every value of all that can be said is proven.

        Unspeakable where a value has no words or the words do not lead back to it; TemplateFault
        where a cell does not fit its filter.
        """
        words = self._of(campaign)
        values = self._values(words, contact, account, self._today(words))
        texts = {says: words.book.proven(parts, values) for says, parts in words.parts.items()}
        return texts[campaign.message]

    def jobs_of(
        self, campaign: Campaign, contact: Contact, account: Account
    ) -> tuple[PromptBook, list[Part], dict[str, Value]]:
        """Everything that this contact may hear, for rendering ahead."""
        words = self._of(campaign)
        everything = [part for parts in words.parts.values() for part in parts]
        return words.book, everything, self._values(words, contact, account, self._today(words))

    # ---- one contact

    def _try(self, words: _Words, row: TargetRow) -> Target | Exception:
        """The target, or why it cannot be spoken to."""
        today = self._today(words)
        try:
            brief, no_agent = self._brief(words, row.contact, row.account, today)
        except (Unspeakable, TemplateFault, EngineError, *EVERYBODYS) as error:
            return error
        except Exception as error:
            # One row that nobody foresaw must not hold up all the others for ever.
            log.exception("prompts failed in a way not foreseen: target=%d", row.id)
            return Unspeakable(f"{type(error).__name__}; see the log")
        spoken_on = today if words.used & _OF_THE_DAY else None
        return replace(row.as_target(brief, no_agent), spoken_on=spoken_on)

    def _today(self, words: _Words) -> date:
        return now().wall.astimezone(ZoneInfo(words.campaign.zone)).date()

    def _brief(
        self, words: _Words, contact: Contact, account: Account, today: date
    ) -> tuple[Brief, tuple[str, ...]]:
        campaign = words.campaign
        values = self._values(words, contact, account, today)

        def say(says: tuple[Say, ...]) -> Manifest:
            return words.book.render(words.parts[says], values)

        def actions(rules: dict[str, KeyRule]) -> dict[str, KeyAction]:
            return {
                key: KeyAction(rule.do, say(rule.say).paths, rule.value or "")
                for key, rule in rules.items()
            }

        invalid = say(campaign.invalid_key).paths
        message = say(campaign.message)
        steps = [
            Step(
                id=MESSAGE_STEP,
                say=message.paths,
                say_ms=message.ms,
                keys=actions(campaign.keys),
                barge_in=campaign.barge_in,
                wait_ms=campaign.wait * 1000 if campaign.keys else 0,
                repeats=campaign.repeats if campaign.keys else 0,
                invalid=invalid,
            )
        ]
        for question in campaign.questions:
            asked = say(question.ask)
            steps.append(
                Step(
                    id=question.id,
                    say=asked.paths,
                    say_ms=asked.ms,
                    keys=actions(question.keys),
                    barge_in=campaign.barge_in,
                    wait_ms=question.wait * 1000,
                    repeats=question.repeats,
                    invalid=invalid,
                )
            )
        brief = Brief(
            attempt_id="",
            steps=tuple(steps),
            goodbye=say(campaign.goodbye).paths,
            language=campaign.language,
            max_call_ms=campaign.max_call * 1000,
            keys_folder=self._keys_folder if campaign.keys or campaign.questions else "",
        )
        return brief, say(campaign.no_agent).paths

    def _values(
        self, words: _Words, contact: Contact, account: Account, today: date
    ) -> dict[str, Value]:
        """Only those that the campaign says: a column that nobody speaks need not be speakable."""
        campaign = words.campaign
        values: dict[str, Value] = {}
        for name in words.used:
            if name in _STANDARD:
                values[name] = _STANDARD[name](contact, account, today)
            elif name in campaign.variables:
                values[name] = Text(campaign.variables[name], personal=False)
            elif name == "lender":
                values[name] = Text(self._site.lender_name, personal=False)
            else:  # a column that this row has not, or has empty, is false in an {% if %}
                values[name] = Text(account.fields.get(name, ""))
        return values

    # ---- one campaign

    def _of(self, campaign: Campaign) -> _Words:
        words = self._words.get(campaign.name)
        if words is None or words.campaign != campaign:
            words = self._words[campaign.name] = self._compile(campaign)
        return words

    def _compile(self, campaign: Campaign) -> _Words:
        book = PromptBook(
            Path(self._site.folders.tts_cache),
            campaign.language,
            campaign.voice,
            region=campaign.voice.region,
        )
        # Paths in a loaded campaign are absolute: the folder says nothing.
        parts = {says: parts_of(says, Path("/"), campaign.language) for says in _all_says(campaign)}
        used = {
            name
            for some in parts.values()
            for part in some
            if isinstance(part, TextPart)
            for name in part.template.variables()
        }
        return _Words(campaign, book, parts, frozenset(used))


def _all_says(campaign: Campaign) -> list[tuple[Say, ...]]:
    """Everything that the campaign can say, saying by saying."""
    rules = [*campaign.keys.values()]
    says = [campaign.message, campaign.invalid_key, campaign.goodbye, campaign.no_agent]
    for question in campaign.questions:
        says.append(question.ask)
        rules.extend(question.keys.values())
    return [*says, *(rule.say for rule in rules)]
