"""A campaign as the operator declares it: selection, order, calendar, message, keys, retries.

These models are the shape of `campaigns/*.yaml` after loading (shell/config_file.py turns faults
into file:line:column). Every key is described in docs/campaign.md, which a test keeps complete.
What one file can be judged by alone is judged here; what needs the site, the contacts file, sound
files or templates is judged in shell/config_references.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from duecall.core.contact import BUCKET_STARTS
from duecall.core.model import Hours as Hours
from duecall.core.model import Model as Model
from duecall.core.model import Weekday as Weekday
from duecall.core.outcome import Outcome
from duecall.core.rule_merge import RuleChanges
from duecall.core.rule_pack import Purpose
from duecall.core.scalars import (
    Country,
    Currency,
    Day,
    Flag,
    Seconds,
    Words,
    Zone,
    did_you_mean,
    matching,
    not_blank,
    refusal,
    refuse,
)
from duecall.core.voice import Voice as Voice

Language = Literal["vi", "ru", "zh", "en"]
Key = Annotated[str, matching(r"[0-9*#]", 'one of 0-9, "*" and "#"')]
Name = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]{0,62}", "lower-case letters, digits and -, at most 63")
]
Variable = Annotated[
    str, matching(r"[a-z][a-z0-9_]{0,30}", "lower-case letters, digits and _, a letter first")
]
CallerId = Annotated[str, matching(r"\+?[0-9]{3,15}", "3 to 15 digits, + before them or not")]

_Place = tuple[str | int, ...]

# What a word alone may not decide: it is asked for twice (SpokenAnswers.confirm).
CONFIRMED = ("opt_out", "claims_paid", "promise")
RETRIABLE = tuple(outcome for outcome in Outcome if not outcome.ends_campaign)
MESSAGE_STEP = "message"  # the step of Campaign.message in a brief; no question may be called so


class Range(Model):
    """Both ends included; either may be left out."""

    min: Decimal | None = None
    max: Decimal | None = None

    @model_validator(mode="after")
    def _check(self) -> Range:
        if self.min is not None and self.max is not None and self.min > self.max:
            refuse("Range", [(("max",), f"max {self.max} is below min {self.min}", "max >= min")])
        return self

    def holds(self, value: Decimal | int) -> bool:
        """Whether the value lies within."""
        low = self.min is None or value >= self.min
        return low and (self.max is None or value <= self.max)


def _kind_of_rule(value: Any) -> str:
    return "range" if isinstance(value, dict | Range) else "values"


def _as_values(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


FieldRule = Annotated[
    Annotated[Range, Tag("range")]
    | Annotated[tuple[str, ...], BeforeValidator(_as_values), Field(min_length=1), Tag("values")],
    Discriminator(_kind_of_rule),
]


class Selection(Model):
    """Which accounts of the contacts file are called. All conditions must hold."""

    dpd_buckets: tuple[Annotated[int, Field(ge=1, le=5)], ...] = ()  # empty: any
    dpd: Range | None = None  # days past due; negative: due in the future
    balance: Range | None = None  # major units of the account's currency
    fields: dict[str, FieldRule] = {}  # any other column: one of the values, or a range

    def buckets(self) -> frozenset[int]:
        """The DPD buckets of the accounts that may be picked; 0 is before the due date."""
        firsts = (None, *BUCKET_STARTS)
        lasts = (*(start - 1 for start in BUCKET_STARTS), None)
        low, high = (self.dpd.min, self.dpd.max) if self.dpd else (None, None)
        return frozenset(
            bucket
            for bucket, (first, last) in enumerate(zip(firsts, lasts, strict=True))
            if (not self.dpd_buckets or bucket in self.dpd_buckets)
            and (high is None or first is None or first <= high)
            and (low is None or last is None or last >= low)
        )


class OrderBy(Model):
    field: Annotated[str, AfterValidator(not_blank("field"))]  # see docs
    descending: Flag = False


class Calendar(Model):
    start: Day | None = None
    end: Day | None = None  # included
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
    )
    hours: Annotated[tuple[Hours, ...], Field(min_length=1, max_length=12)]
    except_dates: tuple[Day, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Calendar:
        refuse("Calendar", self._problems())
        return self

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        if self.start and self.end and self.end < self.start:
            problem = f"{self.end} is before the start, {self.start}"
            yield ("end",), problem, "the day of the start or a later one"
        for day, name in enumerate(self.weekdays):
            if name in self.weekdays[:day]:
                yield ("weekdays", day), f"{name} stands here twice", "each day once"
        for later, hours in enumerate(self.hours):
            for earlier in self.hours[:later]:
                if hours.overlaps(earlier):
                    problem = f"{hours} overlaps {earlier}"
                    yield ("hours", later, "from"), problem, "spans apart from each other"


class Say(Model):
    """One piece of a message: a template to speak or a recorded sound file; exactly one."""

    text: Annotated[Words, AfterValidator(not_blank("text"))] | None = None
    sound: Annotated[str, AfterValidator(not_blank("sound"))] | None = None  # path, see docs

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Say:
        if (self.text is None) == (self.sound is None):
            both = "both text and sound" if self.text else "neither text nor sound"
            raise refusal(both, "one of them; pieces follow one another in the list")
        return self


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str | dict) else value


# Pieces one after another. A single text may be written without the list.
Saying = Annotated[tuple[Say, ...], BeforeValidator(_as_list), Field(max_length=50)]
Spoken = Annotated[Saying, Field(min_length=1)]  # something has to be said


def _known_bucket(value: Any) -> Any:
    if str(value) not in ("1", "2", "3", "4", "5"):
        raise refusal(f"{value!r} is no DPD bucket", "1 to 5; docs/glossary.md says which is which")
    return int(value)


Bucket = Annotated[int, BeforeValidator(_known_bucket)]


class KeyRule(Model):
    """What a key does: see fs_scripts.contract.ACTIONS."""

    do: Literal["transfer", "repeat", "opt_out", "claims_paid", "promise", "answer", "hang_up"]
    say: Saying = ()  # said after the key was pressed
    to: str | None = None  # transfer only: an agent group of config.yaml
    value: Annotated[str, AfterValidator(not_blank("value"))] | None = None  # answer: the option
    days: Annotated[int, Field(ge=0, le=60)] | None = None  # promise only: payment due in so many

    @model_validator(mode="after")
    def _check(self) -> KeyRule:
        refuse("KeyRule", self._problems())
        return self

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        if self.do == "transfer" and self.to is None:
            yield (), "transfer without `to`", "to: an agent group of config.yaml"
        if self.do == "answer" and self.value is None:
            yield (), "answer without `value`", "value: the word to record for this key"
        for field, owner in (("to", "transfer"), ("value", "answer"), ("days", "promise")):
            if getattr(self, field) is not None and self.do != owner:
                yield (field,), f"does not belong to {self.do}", f"only with `do: {owner}`"


class SpokenAnswers(Model):
    """Words that stand for keys of their step. Empty: nobody listens for words."""

    answers: dict[Literal["yes", "no"], Key] = {}
    digits: Flag = False  # each digit among the step's keys may be said, too
    confirm: Saying = ()  # said when a word was heard: it counts when it is said again

    def words(self, keys: Iterable[str]) -> dict[str, str]:
        """Word -> key. keys: those of the step."""
        words: dict[str, str] = dict(self.answers)  # type: ignore[arg-type]  # yes and no are str
        return words | ({key: key for key in keys if key.isdigit()} if self.digits else {})

    def problems(self, keys: Mapping[str, KeyRule]) -> Iterator[tuple[_Place, str, str]]:
        """keys: those of the step."""
        for word, key in self.answers.items():
            if key not in keys:
                problem = f"{word} stands for a key without meaning here"
                yield ("answers", word), problem, ", ".join(keys) or "keys: of the same step"
        words = self.words(keys)
        if self.digits and not set(words) & set(keys):
            yield ("digits",), "no digit is among the keys here", "keys 0-9, or leave it out"
        if self.confirm and not words:
            yield ("confirm",), "there is no word to confirm", "answers or digits beside it"
        final = [key for key in words.values() if key in keys and keys[key].do in CONFIRMED]
        if final and not self.confirm:
            problem = f"a word stands for key {final[0]} ({keys[final[0]].do}) and counts at once"
            yield (), problem, "confirm: what is said to have it said twice"


class Question(Model):
    id: Variable
    ask: Spoken
    keys: Annotated[dict[Key, KeyRule], Field(min_length=1)]
    wait: Annotated[Seconds, Field(le=60)] = 5
    repeats: Annotated[int, Field(ge=0, le=5)] = 1
    spoken: SpokenAnswers = SpokenAnswers()

    @model_validator(mode="after")
    def _check(self) -> Question:
        refuse("Question", _under(("spoken",), self.spoken.problems(self.keys)))
        return self


class RetryRule(Model):
    """After this outcome: try again `every` so many seconds, at most `times` for this outcome."""

    every: Annotated[Seconds, Field(ge=1)]
    times: Annotated[int, Field(ge=0, le=50)] = 3


def _known_outcome(value: Any) -> Any:
    if isinstance(value, Outcome):
        return value
    names = [outcome.value for outcome in Outcome]
    if value not in names:
        allowed = ", ".join(o.value for o in RETRIABLE)
        raise refusal(f"{value!r} is not an outcome" + did_you_mean(str(value), names), allowed)
    return Outcome(value)


class Retry(Model):
    max_attempts: Annotated[int, Field(ge=1, le=50)]  # of all kinds together, that count
    by_outcome: dict[Annotated[Outcome, BeforeValidator(_known_outcome)], RetryRule] = {}

    @model_validator(mode="after")
    def _check(self) -> Retry:
        refuse("Retry", self._problems())
        return self

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        allowed = ", ".join(o.value for o in RETRIABLE)
        for outcome in self.by_outcome:
            if outcome.ends_campaign:
                problem = f"nobody is called again after {outcome.value}"
                yield ("by_outcome", outcome.value, "[key]"), problem, allowed
        if self.max_attempts > 1 and not self.by_outcome:
            problem = f"{self.max_attempts} attempts, yet no outcome is tried again"
            yield ("max_attempts",), problem, "rules in by_outcome, or max_attempts: 1"


class Campaign(Model):
    name: Name  # where the file does not give it: the file's stem
    title: Words = ""
    contacts: Annotated[str, AfterValidator(not_blank("path"))]  # CSV; the loader makes it absolute
    contacts_as_of: Day | None = None  # the day of which the file's dpd is true; None: import's day
    language: Language
    country: Country  # of numbers written nationally
    currency: Currency  # where the CSV has no such column
    zone: Zone  # IANA zone of the lender's books, and of numbers that tell none
    voice: Voice = Voice()
    selection: Selection = Selection()
    order: tuple[OrderBy, ...] = ()
    calendar: Calendar
    message: Spoken
    message_by_bucket: dict[Bucket, Spoken] = {}  # in place of `message`, by DPD bucket
    barge_in: Flag = True
    wait: Annotated[Seconds, Field(le=60)] = 5  # for a key, after the message
    repeats: Annotated[int, Field(ge=0, le=5)] = 1
    keys: dict[Key, KeyRule] = {}
    spoken: SpokenAnswers = SpokenAnswers()  # that stand for `keys`
    questions: Annotated[tuple[Question, ...], Field(max_length=30)] = ()
    invalid_key: Saying = ()
    goodbye: Saying = ()
    no_agent: Saying = ()  # said when no agent answers
    retry: Retry
    caller_id: CallerId
    caller_name: Words = ""
    trunk: str  # a trunk of config.yaml
    ring: Annotated[Seconds, Field(ge=5, le=120)] = 30  # let it ring so long
    max_call: Annotated[Seconds, Field(ge=10, le=3600)] = 300
    record: Flag = False
    variables: dict[Variable, Words] = {}  # free words for the templates
    purpose: Purpose = "collection"  # some rules hold for one purpose only
    rules: RuleChanges = RuleChanges()  # of its own, over the site's and the pack's

    @model_validator(mode="after")
    def _check(self) -> Campaign:
        seen: set[str] = {MESSAGE_STEP}
        problems = list(_under(("spoken",), self.spoken.problems(self.keys)))
        for number, question in enumerate(self.questions):
            if question.id in seen:
                problem = f"{question.id!r} is taken"
                allowed = f"an id of its own, and not {MESSAGE_STEP}"
                problems.append((("questions", number, "id"), problem, allowed))
            seen.add(question.id)
        picked = self.selection.buckets()
        for bucket in self.message_by_bucket:
            if bucket not in picked:
                problem = f"the selection never picks an account of bucket {bucket}"
                allowed = ", ".join(str(one) for one in sorted(picked - {0})) or "none here"
                problems.append((("message_by_bucket", str(bucket), "[key]"), problem, allowed))
        if self.voice.region and self.language != "vi":
            problem = f"numbers have no regional words in {self.language!r}"
            problems.append((("voice", "region"), problem, "only with `language: vi`"))
        refuse("Campaign", problems)
        return self

    def message_for(self, bucket: int) -> tuple[Say, ...]:
        """What is said first to accounts of this DPD bucket; 0 is before the due date."""
        return self.message_by_bucket.get(bucket, self.message)

    def sayings(self) -> Iterator[tuple[tuple[str | int, ...], Say]]:
        """Every piece that the campaign can say, with its place in the file."""
        for part in ("message", "invalid_key", "goodbye", "no_agent"):
            yield from _placed((part,), getattr(self, part))
        for bucket, message in self.message_by_bucket.items():
            yield from _placed(("message_by_bucket", str(bucket)), message)
        yield from _of_keys((), self.keys)
        yield from _placed(("spoken", "confirm"), self.spoken.confirm)
        for number, question in enumerate(self.questions):
            place = ("questions", number)
            yield from _placed((*place, "ask"), question.ask)
            yield from _of_keys(place, question.keys)
            yield from _placed((*place, "spoken", "confirm"), question.spoken.confirm)

    def listens(self) -> bool:
        """Whether any step takes words instead of keys."""
        steps = ((self.spoken, self.keys), *((q.spoken, q.keys) for q in self.questions))
        return any(spoken.words(keys) for spoken, keys in steps)


def _under(
    place: _Place, problems: Iterable[tuple[_Place, str, str]]
) -> Iterator[tuple[_Place, str, str]]:
    return (((*place, *where), problem, allowed) for where, problem, allowed in problems)


def _placed(place: _Place, pieces: tuple[Say, ...]) -> Iterator[tuple[_Place, Say]]:
    return (((*place, number), piece) for number, piece in enumerate(pieces))


def _of_keys(place: _Place, keys: dict[str, KeyRule]) -> Iterator[tuple[_Place, Say]]:
    for key, rule in keys.items():
        yield from _placed((*place, "keys", key, "say"), rule.say)
