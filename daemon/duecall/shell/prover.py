"""The proof of a campaign: can every contact that it may call be spoken to, each value rightly?

Nothing is rendered. The words of every value are parsed again and must give the value back
(speech/proof.py); values and texts that many rows have in common are proven once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo

from duecall.core.campaign import Campaign
from duecall.core.contact import Account, Contact
from duecall.core.eligibility import ever_selected
from duecall.shell.clock import now
from duecall.shell.preparer import Preparer
from duecall.speech.faults import SpeechError
from duecall.speech.proof import prove
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Value, Values

T = TypeVar("T")
KNOWN_MAX = 100_000  # values, and texts of rows, that are kept as proven


@dataclass(frozen=True, slots=True)
class Mute:
    """Why a contact cannot be spoken to. variable: whose value it is; several are parted by commas,
    empty where it is not one value's fault."""

    variable: str
    why: str


class Prover:
    """Of one campaign, on one day where the lender is."""

    def __init__(self, preparer: Preparer, campaign: Campaign, today: date | None = None) -> None:
        """TemplateFault where the campaign's own text cannot be used."""
        self._preparer = preparer
        self._campaign = campaign
        self._today = today or now().wall.astimezone(ZoneInfo(campaign.zone)).date()
        self._templates: list[tuple[MessageTemplate, tuple[str, ...]]] = [
            (template, tuple(sorted(template.variables())))
            for template in dict.fromkeys(preparer.templates(campaign))
        ]
        self._proven: set[Value] = set()
        self._said: set[tuple[object, ...]] = set()

    def will_be_called(self, account: Account) -> bool:
        """False for those that the selection leaves out on whatever day."""
        return ever_selected(self._campaign.selection, account)

    def fault(self, contact: Contact, account: Account) -> Mute | None:
        """The first thing that cannot be said to this contact, of all that he may hear, in the
        message of his bucket and in those of the others, into which he grows."""
        try:
            values = self._preparer.values(self._campaign, contact, account, self._today)
        except SpeechError as error:
            return Mute(error.variable, str(error))
        for number, (template, names) in enumerate(self._templates):
            key = (number, *(values.get(name) for name in names))
            if key in self._said:
                continue
            try:
                self._prove(template, values)
            except SpeechError:
                found = template.fault(values, self._prove_value)
                return Mute(*found) if found else Mute("", "cannot be spoken")
            _keep(self._said, key)
        return None

    def _prove(self, template: MessageTemplate, values: Values) -> None:
        for piece in template.render(values):
            if not isinstance(piece, str) and piece not in self._proven:
                self._prove_value(piece)
                _keep(self._proven, piece)

    def _prove_value(self, value: Value) -> None:
        prove(value, self._campaign.language, self._campaign.voice.region)


def _keep(known: set[T], key: T) -> None:
    """Where there is no more room, all begins anew: to take the eldest away would cost more."""
    if len(known) >= KNOWN_MAX:
        known.clear()
    known.add(key)
