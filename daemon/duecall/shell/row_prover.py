"""One row after another of a contacts file, read and proven: all that a row needs no other row for.

The same work is done in this process or in some beside it (shell/proving.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from duecall.core.campaign import Campaign
from duecall.core.contact_row import ParsedRow, RowFault
from duecall.core.contact_words import RuleWords
from duecall.core.site import Site
from duecall.shell.config_references import columns_used
from duecall.shell.contacts_csv import Record, RowReader
from duecall.shell.preparer import Preparer
from duecall.shell.prover import Mute, Prover


@dataclass(frozen=True, slots=True)
class ProofOrder:
    """What is to be proven. today: where the lender is. words: consents and flags that the rules
    ask for; None: nobody wants to know. asked: who has to be speakable: everybody, those whom the
    campaign selects some day, or nobody, where the rows are only read."""

    site: Site
    campaign: Campaign
    today: date
    words: RuleWords | None = None
    asked: Literal["all", "selected", "none"] = "all"


class ProvenRow(NamedTuple):
    """A row that was read. asked: whether it was proven. unknown: consents and flags that no rule
    asks for (RuleWords.unknown). mute: why it cannot be spoken. parsed: of those who are mute, and
    of all where nobody was to be asked."""

    row: int
    contract: str
    asked: bool
    notes: tuple[RowFault, ...] = ()
    unknown: Sequence[tuple[str, str, str]] = ()
    mute: Mute | None = None
    parsed: ParsedRow | None = None


class RowProver:
    """TemplateFault where the campaign's own text cannot be used."""

    def __init__(self, order: ProofOrder) -> None:
        campaign = order.campaign
        self._order = order
        self._reader = RowReader(campaign, today=order.today, needed=columns_used(campaign))
        self._prover = Prover(Preparer(order.site), campaign, order.today)

    def prove(self, records: Iterable[Record]) -> list[ProvenRow | list[RowFault]]:
        """For each record what was found, or all reasons why it is refused."""
        found: list[ProvenRow | list[RowFault]] = []
        for row, read in records:
            parsed = self._reader.read(row, read)
            found.append(parsed if isinstance(parsed, list) else self._row(parsed))
        return found

    def _row(self, parsed: ParsedRow) -> ProvenRow:
        order, contract = self._order, parsed.account.contract_number
        unknown = order.words.unknown(parsed.contact) if order.words else ()
        if order.asked == "none":
            return ProvenRow(parsed.row, contract, False, parsed.notes, unknown, None, parsed)
        if order.asked == "selected" and not self._prover.will_be_called(parsed.account):
            return ProvenRow(parsed.row, contract, False, parsed.notes, unknown)
        mute = self._prover.fault(parsed.contact, parsed.account)
        if mute is None:
            return ProvenRow(parsed.row, contract, True, parsed.notes, unknown)
        return ProvenRow(parsed.row, contract, True, parsed.notes, unknown, mute, parsed)
