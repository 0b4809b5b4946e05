"""The installation (`config.yaml`): switch, database, trunks, agents, folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr

from duecall.core.campaign import Model
from duecall.core.database_url import DATABASE_URL
from duecall.core.rule_merge import RuleChanges
from duecall.core.rule_pack import NO_LAW, RulePack
from duecall.core.scalars import Seconds, Size, Words, matching

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
    hold_music: str = ""  # sound file; empty: the one that Duecall ships
    rules: RuleChanges = RuleChanges()  # over the packs, for all campaigns
    _packs: dict[str, RulePack] = PrivateAttr(default_factory=lambda: {NO_LAW.jurisdiction: NO_LAW})

    @property
    def packs(self) -> Mapping[str, RulePack]:
        """By jurisdiction, as they were when config.yaml was read; `none` is there always."""
        return self._packs

    def with_packs(self, packs: Mapping[str, RulePack]) -> Site:
        """The same, with these packs: the loader reads them, for the core reads no files."""
        site = self.model_copy()
        site._packs = {NO_LAW.jurisdiction: NO_LAW, **packs}
        return site
