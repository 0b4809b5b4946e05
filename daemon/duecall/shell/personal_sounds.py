"""The sounds of one person: names and free words that the cache holds, found by their texts.

They are computed anew from the person's rows and the campaigns, in whatever voice they were made;
whole sentences and titled names are found by the name alone, whatever campaign and day said them.
What was said of former data (a name since corrected) goes when nobody needs it for a month
(sound_keeper.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import get_args

from duecall.core.campaign import Campaign, Language
from duecall.core.contact import Account, Contact
from duecall.core.site import Site
from duecall.shell.preparer import Preparer
from duecall.speech.cache import WavCache
from duecall.speech.faults import SpeechError, Unspeakable
from duecall.speech.planner import Utterance
from duecall.speech.values import Name
from duecall.speech.words import words


class PersonalSounds:
    """Of one site. campaigns: all that may have spoken to the person."""

    def __init__(self, site: Site, campaigns: Iterable[Campaign]) -> None:
        self._site = site
        self._campaigns = tuple(campaigns)
        self._preparer = Preparer(site)

    def erase(self, people: Iterable[tuple[Contact, Account | None]]) -> int:
        """How many files were deleted. OSError where one cannot be."""
        root = Path(self._site.folders.tts_cache)
        texts = {text for person in people for text in self._texts(*person)}
        if not texts or not root.is_dir():
            return 0
        return WavCache(root).forget(texts)

    def _texts(self, contact: Contact, account: Account | None) -> set[str]:
        found = set()
        for language in get_args(Language):
            with suppress(Unspeakable):
                found.add(words(Name(contact.name), language))
        if account is None:
            return found
        for campaign in self._campaigns:
            with suppress(SpeechError):
                book, parts, values = self._preparer.jobs_of(campaign, contact, account)
                for part in parts:
                    with suppress(SpeechError):
                        found |= {
                            step.of or step.text
                            for step in book.steps([part], values)
                            if isinstance(step, Utterance) and step.personal
                        }
        return found
