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
from duecall.core.campaign import (
    MESSAGE_STEP,
    Campaign,
    KeyRule,
    Language,
    Say,
    SpokenAnswers,
)
from duecall.core.contact import Account, Contact
from duecall.core.site import Site
from duecall.core.voice import chosen_voice
from duecall.shell.clock import now
from duecall.shell.contact_values import OF_THE_DAY, bucket_on, values_of
from duecall.shell.target_store import TargetRow
from duecall.speech.engines.catalogue import engines_of
from duecall.speech.faults import (
    CacheError,
    EngineError,
    EngineMissing,
    SoundFault,
    TemplateFault,
    Unspeakable,
)
from duecall.speech.prompts import Manifest, Part, PromptBook, TextPart, parts_of
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Value
from duecall.speech.voices_in_turn import Speaker, VoiceNews, VoicesInTurn
from fs_scripts.contract import Brief, KeyAction, Step, unsafe_sound

log = logging.getLogger(__name__)
AT_ONCE = 4  # contacts whose prompts are made at the same time
ENGINE_AGAIN_S = 600  # the voice failed at one contact's words: try these again
EVERYBODYS = (EngineMissing, CacheError, SoundFault)  # faults that are not one row's


@dataclass(frozen=True)
class _Words:
    """A campaign's templates, compiled once. used: the variables that stand in any of them."""

    campaign: Campaign
    book: PromptBook
    parts: dict[tuple[Say, ...], tuple[Part, ...]]
    used: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Said:
    """What one contact will hear, all of it in one voice. voice: empty where all is recorded."""

    brief: Brief
    no_agent: tuple[str, ...]
    voice: str = ""
    turn: int = 0


class Preparer:
    """Makes briefs; keeps the compiled templates of each campaign."""

    def __init__(
        self,
        site: Site,
        alarm: Callable[[c.Alarm], None] | None = None,
        listener: Callable[[Language], str] = lambda language: "",
    ) -> None:
        """alarm: takes what is to be told of voices; left out, the log. listener: the socket of
        the service that hears words of a language, empty where nobody does."""
        self._site = site
        self._alarm = alarm
        self._listener = listener
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
        today = self._today(words)
        parts = words.parts[campaign.message_for(bucket_on(account, today))]
        return words.book.render(parts, self._values(words, contact, account, today))

    def no_agent(self, campaign: Campaign, contact: Contact, account: Account) -> tuple[str, ...]:
        """What is said to a callee whom no agent takes, rendered: paths of sounds."""
        words = self._of(campaign)
        values = self._values(words, contact, account, self._today(words))
        return words.book.render(words.parts[campaign.no_agent], values).paths

    def text(
        self, campaign: Campaign, contact: Contact, account: Account, today: date | None = None
    ) -> str:
        """The message in words; makes no sound. Every value of all that can be said is proven.

        today: where the lender is; left out, it is told by the clock.

        Unspeakable where a value has no words or the words do not lead back to it; TemplateFault
        where a cell does not fit its filter.
        """
        words = self._of(campaign)
        today = today or self._today(words)
        values = self._values(words, contact, account, today)
        texts = {says: words.book.proven(parts, values) for says, parts in words.parts.items()}
        return texts[campaign.message_for(bucket_on(account, today))]

    def templates(self, campaign: Campaign) -> list[MessageTemplate]:
        """All that can be said to anybody, on any day of the campaign."""
        return [
            part.template
            for parts in self._of(campaign).parts.values()
            for part in parts
            if isinstance(part, TextPart)
        ]

    def values(
        self, campaign: Campaign, contact: Contact, account: Account, today: date
    ) -> dict[str, Value]:
        """Those that the templates use. Unspeakable, with its variable, where one has none."""
        return self._values(self._of(campaign), contact, account, today)

    def jobs_of(
        self, campaign: Campaign, contact: Contact, account: Account
    ) -> tuple[PromptBook, list[Part], dict[str, Value]]:
        """Everything that this contact may hear today, for rendering ahead."""
        words = self._of(campaign)
        today = self._today(words)
        message = campaign.message_for(bucket_on(account, today))
        everything = [
            part for says in (message, *_other_says(campaign)) for part in words.parts[says]
        ]
        return words.book, everything, self._values(words, contact, account, today)

    def sayings(
        self, campaign: Campaign, contact: Contact, account: Account
    ) -> tuple[PromptBook, dict[str, Sequence[Part]], dict[str, Value]]:
        """All that this contact may hear today, by where it stands in the campaign's file
        ("message", "keys.1.say"); the values for it. Empty sayings are left out."""
        words = self._of(campaign)
        today = self._today(words)
        message = campaign.message_for(bucket_on(account, today))
        named = {"message": message, **_named_says(campaign)}
        parts: dict[str, Sequence[Part]] = {
            name: words.parts[says] for name, says in named.items() if says
        }
        return words.book, parts, self._values(words, contact, account, today)

    # ---- one contact

    def _try(self, words: _Words, row: TargetRow) -> Target | Exception:
        """The target, or why it cannot be spoken to."""
        today = self._today(words)
        try:
            said = words.book.voices.speak(
                lambda speaker: self._brief(words, row.contact, row.account, today, speaker)
            )
        except (Unspeakable, TemplateFault, EngineError, *EVERYBODYS) as error:
            return error
        except Exception as error:
            # One row that nobody foresaw must not hold up all the others for ever.
            log.exception("prompts failed in a way not foreseen: target=%d", row.id)
            return Unspeakable(f"{type(error).__name__}; see the log")
        of_the_day = words.used & OF_THE_DAY or words.campaign.message_by_bucket
        spoken_on = today if of_the_day else None
        target = row.as_target(said.brief, said.no_agent)
        return replace(target, spoken_on=spoken_on, voice=said.voice, voice_turn=said.turn)

    def _today(self, words: _Words) -> date:
        return now().wall.astimezone(ZoneInfo(words.campaign.zone)).date()

    def _brief(
        self, words: _Words, contact: Contact, account: Account, today: date, speaker: Speaker
    ) -> _Said:
        campaign = words.campaign
        values = self._values(words, contact, account, today)
        heard: list[Manifest] = []

        def say(says: tuple[Say, ...]) -> Manifest:
            heard.append(words.book.render(words.parts[says], values, speaker))
            return heard[-1]

        def actions(rules: dict[str, KeyRule]) -> dict[str, KeyAction]:
            return {
                key: KeyAction(rule.do, say(rule.say).paths, rule.value or "")
                for key, rule in rules.items()
            }

        listener = self._listener(campaign.language) if campaign.listens() else ""

        def spoken(answers: SpokenAnswers, rules: dict[str, KeyRule]) -> dict[str, str]:
            return answers.words(rules) if listener else {}

        invalid = say(campaign.invalid_key).paths
        message = say(campaign.message_for(bucket_on(account, today)))
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
                spoken=spoken(campaign.spoken, campaign.keys),
                confirm=say(campaign.spoken.confirm).paths,
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
                    spoken=spoken(question.spoken, question.keys),
                    confirm=say(question.spoken.confirm).paths,
                )
            )
        brief = Brief(
            attempt_id="",
            steps=tuple(steps),
            goodbye=say(campaign.goodbye).paths,
            language=campaign.language,
            max_call_ms=campaign.max_call * 1000,
            keys_folder=self._keys_folder if campaign.keys or campaign.questions else "",
            listener=listener,
        )
        no_agent = say(campaign.no_agent).paths
        if not any(manifest.voice for manifest in heard):
            return _Said(brief, no_agent)
        return _Said(brief, no_agent, speaker.label, speaker.turn)

    def _values(
        self, words: _Words, contact: Contact, account: Account, today: date
    ) -> dict[str, Value]:
        """Only those that the campaign says: a column that nobody speaks need not be speakable."""
        own, lender = words.campaign.variables, self._site.lender_name
        return values_of(words.used, contact, account, today, own, lender)

    # ---- one campaign

    def _hear(self, campaign: str, news: VoiceNews) -> None:
        """Another voice speaks, or the chosen one again."""
        fields = {"campaign": campaign, "voice": news.voice}
        alarm = c.Alarm("the chosen voice speaks again", tuple(fields.items()))
        if news.instead_of:
            fields |= {"instead_of": news.instead_of, "why": news.why}
            if news.for_now:
                fields["calls"] = "single ones"
            alarm = c.Alarm("another voice speaks", tuple(fields.items()))
        if self._alarm:
            self._alarm(alarm)
        else:
            log.warning("%s: %s", alarm.what, fields)

    def _of(self, campaign: Campaign) -> _Words:
        words = self._words.get(campaign.name)
        if words is None or words.campaign != campaign:
            words = self._words[campaign.name] = self._compile(campaign)
        return words

    def _compile(self, campaign: Campaign) -> _Words:
        voice = chosen_voice(self._site, campaign)
        site = self._site
        engines = engines_of(voice, campaign.language, site.programs, site.voice_processes)
        book = PromptBook(
            Path(site.folders.tts_cache),
            campaign.language,
            voice,
            region=voice.region,
            voices=VoicesInTurn(engines, lambda news: self._hear(campaign.name, news)),
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
    return [campaign.message, *campaign.message_by_bucket.values(), *_other_says(campaign)]


def _other_says(campaign: Campaign) -> list[tuple[Say, ...]]:
    """All but the messages."""
    return list(_named_says(campaign).values())


def _named_says(campaign: Campaign) -> dict[str, tuple[Say, ...]]:
    """The same, by where they stand in the file."""
    found = {f"keys.{key}.say": rule.say for key, rule in campaign.keys.items()}
    for question in campaign.questions:
        place = f"questions.{question.id}"
        found[f"{place}.ask"] = question.ask
        found |= {f"{place}.keys.{key}.say": rule.say for key, rule in question.keys.items()}
        found[f"{place}.spoken.confirm"] = question.spoken.confirm
    found["spoken.confirm"] = campaign.spoken.confirm
    found["invalid_key"] = campaign.invalid_key
    found["no_agent"] = campaign.no_agent
    found["goodbye"] = campaign.goodbye
    return found
