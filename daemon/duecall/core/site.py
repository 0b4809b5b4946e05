"""The installation (`config.yaml`): switch, database, trunks, agents, folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from duecall.core.campaign import Language, Model
from duecall.core.database_url import DATABASE_URL
from duecall.core.recognition import RecogniserChoice, problem_of
from duecall.core.rule_merge import RuleChanges
from duecall.core.rule_pack import NO_LAW, RulePack
from duecall.core.scalars import Seconds, Size, Words, matching, refuse
from duecall.core.voice import Voice, program_argument

SipAddress = Annotated[
    str,
    matching(
        r"sip:[A-Za-z0-9_.+-]+@[A-Za-z0-9_.-]+(:[0-9]{1,5})?",
        "sip:user@host or sip:user@host:port",
    ),
]
Slug = Annotated[
    str, matching(r"[a-z0-9][a-z0-9_-]{0,40}", "lower-case letters, digits, - and _, at most 41")
]
HostPort = Annotated[
    str, matching(r"[A-Za-z0-9_.-]+(:[0-9]{1,5})?", "host or host:port, such as 127.0.0.1:5080")
]
DatabaseUrl = Annotated[str, DATABASE_URL]
Argument = Annotated[str, AfterValidator(program_argument)]


class SwitchSettings(Model):
    """The Event Socket. Its password: environment DUECALL_ESL_PASSWORD, or password_file."""

    host: Annotated[str, matching(r"[A-Za-z0-9_.:-]+", "a host name or address")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8021
    user: Annotated[
        str, matching(r"[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+", "user@domain, as in the directory")
    ] = "duecall@duecall"
    password_file: str = "var/esl.password"
    command_links: Annotated[int, Field(ge=1, le=8)] = 1
    sip_profile: Slug = "duecall"


class Folders(Model):
    """Relative ones are seen from the folder of config.yaml; the loader makes them absolute."""

    var: str = "var"  # database, key, control socket, logs
    recordings: str = "var/recordings"
    cdr: str = "var/cdr"  # JSON call records, written by the switch
    tts_cache: str = "tts_cache"
    rules: str = "rules"  # rule packs of the site's own, before those that Duecall ships


class JournalSettings(Model):
    """What the daemon heard and decided, for `duecall replay`. keep: all of it together."""

    keep: Size = 200_000_000


class Trunk(Model):
    """A carrier route. FreeSWITCH calls it a gateway."""

    proxy: HostPort
    channels: Annotated[int, Field(ge=1, le=5000)]
    calls_per_second: Annotated[float, Field(gt=0, le=500, allow_inf_nan=False)]
    number_format: Literal["e164", "plain", "national"] = "e164"  # +8490…, 8490…, 090…
    username: str = ""  # empty: the carrier knows us by our address
    password_file: str = ""


class AgentGroup(Model):
    """Who takes transferred calls: tried in turn, each for `ring`; no more than `wait` in all."""

    members: Annotated[tuple[SipAddress, ...], Field(min_length=1)]
    ring: Annotated[Seconds, Field(ge=5, le=120)] = 20
    wait: Annotated[Seconds, Field(ge=5, le=1800)] = 60


class Site(Model):
    lender: Slug = "default"
    lender_name: Words = ""  # how messages call the lender: variable `lender`
    database: DatabaseUrl = "sqlite:///var/duecall.db"
    switch: SwitchSettings = SwitchSettings()
    folders: Folders = Folders()
    journal: JournalSettings = JournalSettings()
    trunks: Annotated[dict[Slug, Trunk], Field(min_length=1)]
    agents: dict[Slug, AgentGroup] = {}
    tts_cache_max_mb: Annotated[int, Field(ge=0)] = 1_000  # of sounds; 0: any
    hold_music: str = ""  # sound file; empty: the one that Duecall ships
    rules: RuleChanges = RuleChanges()  # over the packs, for all campaigns
    voices: dict[Language, Voice] = {}  # of campaigns that name no engine
    programs: dict[Slug, Annotated[tuple[Argument, ...], Field(min_length=1)]] = {}  # `command`
    voice_processes: Annotated[int, Field(ge=1, le=16)] = 1  # of each engine that stays loaded
    recognition: dict[Language, RecogniserChoice] = {}  # sound into words
    _packs: dict[str, RulePack] = PrivateAttr(default_factory=lambda: {NO_LAW.jurisdiction: NO_LAW})

    @model_validator(mode="after")
    def _check(self) -> Site:
        refuse("Site", self._problems())
        return self

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        for language, voice in self.voices.items():
            place = ("voices", language)
            if not voice.engine:
                yield place, "a voice without an engine", "engine: beside it"
            if voice.region:
                problem = "the words of a message are the campaign's own"
                yield (*place, "region"), problem, "voice: region: in the campaign's file"
        for language, choice in self.recognition.items():
            if problem := problem_of(language, choice):
                yield ("recognition", language), problem, "another engine, or a model of your own"

    @property
    def packs(self) -> Mapping[str, RulePack]:
        """By jurisdiction, as they were when config.yaml was read; `none` is there always."""
        return self._packs

    def with_packs(self, packs: Mapping[str, RulePack]) -> Site:
        """The same, with these packs: the loader reads them, for the core reads no files."""
        site = self.model_copy()
        site._packs = {NO_LAW.jurisdiction: NO_LAW, **packs}
        return site
