"""Who is called where a law holds: people with several numbers and accounts, numbers that two of
them share, all in one campaign or in both; what is on file about them; where they may be.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from duecall.core.attempt import Past, Target
from duecall.core.contact import Account, Consent, Contact
from duecall.sim import rule_packs
from fs_scripts.contract import Brief, Step

CAMPAIGNS = ("overdue", "survey")
LATE = 3  # targets that are imported when all others are done
BRIEF = Brief("", (Step("message", ("/sounds/a.wav",), 12_000),))
NO_AGENT = ("/sounds/sorry.wav",)


@dataclass(frozen=True, slots=True)
class Place:
    """prefix, digits: of a number there. zone: explicit zone of the contact. zones: in which the
    callee may be; none where nobody knows."""

    prefix: str
    digits: int
    zone: str
    zones: tuple[str, ...]
    region: str = ""


def _at(prefix: str, digits: int, *zones: str, region: str = "") -> Place:
    return Place(prefix, digits, "", zones, region)


def _explicit(prefix: str, digits: int, zone: str) -> Place:
    return Place(prefix, digits, zone, (zone,))


def _far(prefix: str, digits: int) -> tuple[Place, ...]:
    """Half-hour zones, one that puts its clocks on by half an hour, both sides of the date line."""
    zones = ("Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati")
    return tuple(_explicit(prefix, digits, zone) for zone in zones)


_JERSEY = ("Europe/Guernsey", "Europe/Isle_of_Man", "Europe/Jersey", "Europe/London")
_RU_MOBILE = (
    "Asia/Almaty", "Asia/Anadyr", "Asia/Aqtobe", "Asia/Irkutsk", "Asia/Kamchatka",
    "Asia/Krasnoyarsk", "Asia/Magadan", "Asia/Novosibirsk", "Asia/Omsk", "Asia/Sakhalin",
    "Asia/Vladivostok", "Asia/Yakutsk", "Asia/Yekaterinburg", "Europe/Kaliningrad",
    "Europe/Moscow", "Europe/Samara",
)  # fmt: skip
_HOME = {
    "own": _at("+8490", 7, "Asia/Ho_Chi_Minh"),
    "vn": _at("+8490", 7, "Asia/Ho_Chi_Minh"),
    "us": _at("+1212555", 4, "America/New_York", region="US-NY"),
    "gb": _at("+442071", 6, "Europe/London"),
    "ru": _at("+7495", 7, "Europe/Moscow"),
    "cn": _at("+86139", 8, "Asia/Shanghai"),
}
PLACES: dict[str, tuple[Place, ...]] = {
    "own": (
        _explicit("+8490", 7, "Asia/Tokyo"),
        _at("+1212555", 4, "America/New_York"),
        _at("+44740012", 4, *_JERSEY),
        *_far("+8490", 7),
    ),
    "vn": (
        _explicit("+8490", 7, "Asia/Tokyo"),
        _explicit("+8490", 7, "Europe/Berlin"),
        _at("+8424", 8),
        *_far("+8490", 7),
    ),
    "us": (
        _at("+1808555", 4, "Pacific/Honolulu", region="US-HI"),
        _at("+1850555", 4, "America/Chicago", "America/New_York"),
        _at("+1308555", 4, "America/Chicago", "America/Denver"),
        _at("+1602555", 4, "America/Phoenix", region="US-AZ"),
        _at("+1907555", 4, "America/Adak", "America/Anchorage"),
        _at("+1617555", 4, "America/New_York", region="US-MA"),
        _explicit("+1212555", 4, "America/Indiana/Indianapolis"),
        *_far("+1212555", 4),
    ),
    "gb": (
        _at("+44740012", 4, *_JERSEY),
        _at("+441534", 6, "Europe/Jersey"),
        *_far("+442071", 6),
    ),
    "ru": (
        _at("+74012", 6, "Europe/Kaliningrad"),
        _at("+7343", 7, "Asia/Yekaterinburg"),
        _at("+74232", 6, "Asia/Vladivostok"),
        _at("+7912", 7, *_RU_MOBILE),
        *_far("+7495", 7),
    ),
    "cn": (_at("+8610", 8, "Asia/Shanghai"), *_far("+86139", 8)),
}
NUMBERS = ((1, 55), (2, 30), (3, 15))  # of a person: how many, how often


class People:
    """zones: number -> where the callee may be, for the judges. law: as setting.py has it."""

    def __init__(self, chance: random.Random, law: str, start: date) -> None:
        self._chance = chance
        self._law = law
        self._pack = "none" if law == "own" else law
        self._start = start
        self.targets: list[Target] = []
        self.zones: dict[str, tuple[str, ...]] = {}
        self._places: dict[str, Place] = {}
        self._people = self._accounts = 0

    def add(self, count: int) -> None:
        """At least so many targets more."""
        wanted = len(self.targets) + count
        while len(self.targets) < wanted:
            self._person(CAMPAIGNS)

    def add_late(self) -> None:
        """Those that come when all is done: each a person of their own."""
        for _ in range(LATE):
            before = len(self.targets)
            self._person(CAMPAIGNS[:1], alone=True)
            del self.targets[before + 1 :]

    def _person(self, campaigns: tuple[str, ...], alone: bool = False) -> None:
        chance = self._chance
        self._people += 1
        name = f"Contact {self._people}"
        [numbers] = chance.choices([n for n, _ in NUMBERS], [often for _, often in NUMBERS])
        consents, flags = ((), ()) if alone else (self._consents(), self._flags())
        if alone:
            numbers, consents = 1, tuple(map(Consent, rule_packs.needed(self._pack)))
        for _ in range(numbers):
            if self._places and chance.random() < 0.1 and not alone:
                phone = chance.choice(list(self._places))
            else:
                phone = self._number()
            place = self._places[phone]
            region = place.region if chance.random() < 0.7 else ""
            line = chance.choice(("mobile", "landline", "", "", ""))
            contact = Contact(
                name, phone, place.zone, "", f"C{self._people}", region, line, consents, flags
            )
            for _ in range(1 if chance.random() < 0.8 else 2):
                self._account(contact, campaigns)

    def _account(self, contact: Contact, campaigns: tuple[str, ...]) -> None:
        chance = self._chance
        self._accounts += 1
        account = Account(f"HD-{self._accounts:06d}", 1_250_000, "VND", "18.5", date(2026, 10, 1))
        mine = campaigns if chance.random() < 0.4 else (chance.choice(campaigns),)
        for campaign in mine:
            number = len(self.targets) + 1
            self.targets.append(
                Target(
                    id=number,
                    lender="bank",
                    campaign=campaign,
                    contact=contact,
                    account=account,
                    phone_hash=contact.phone,
                    past=Past(),
                    brief=BRIEF,
                    no_agent=NO_AGENT if number % 2 else (),
                    contact_key=f"person {self._people}",
                    account_key=str(self._accounts),
                )
            )

    def _number(self) -> str:
        chance = self._chance
        home = chance.random() < 0.55
        place = _HOME[self._law] if home else chance.choice(PLACES[self._law])
        phone = f"{place.prefix}{len(self._places) + 1:0{place.digits}d}"
        self._places[phone] = place
        self.zones[phone] = place.zones
        return phone

    def _consents(self) -> tuple[Consent, ...]:
        """Mostly all that is needed; some end soon, some are not there."""
        chance = self._chance
        words = [w for w in rule_packs.needed(self._pack) if chance.random() < 0.9]
        words += [w for w in rule_packs.lifting(self._pack) if chance.random() < 0.3]
        soon = self._start + timedelta(days=chance.randrange(4))
        return tuple(Consent(word, soon if chance.random() < 0.1 else None) for word in words)

    def _flags(self) -> tuple[str, ...]:
        known = rule_packs.flags(self._pack)
        return (self._chance.choice(known),) if known and self._chance.random() < 0.05 else ()


def with_all_on_file(target: Target, pack: str) -> Contact:
    """The contact as the next contacts file has it: every consent that is needed, no flag."""
    contact = target.contact
    return Contact(
        contact.name,
        contact.phone,
        contact.zone,
        contact.language,
        contact.customer_id,
        contact.region,
        contact.line,
        tuple(map(Consent, rule_packs.needed(pack))),
    )
