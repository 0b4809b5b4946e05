"""Dialers whose every word is noted: simulated stories, and the journals that they leave."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment
from duecall.core.site import JournalSettings, Site
from duecall.shell.journal import Journal
from duecall.shell.journal_codec import Decoder, Entry
from duecall.shell.journal_file import SegmentReader, segments_in
from duecall.shell.vault import Vault, new_key_text
from duecall.sim import faults
from duecall.sim.world import World
from tests.core import building

VAULT = Vault(new_key_text())
KEEP = 100_000_000


class Noted:
    """A dialer with a journal, for the simulator to make: each life has one of its own."""

    def __init__(self, site: Site, at: Moment, vault: Vault = VAULT) -> None:
        self.dialer = Dialer(site, at)
        self.alarms: list[c.Alarm] = []
        self.journal = Journal(site, vault, self.dialer, self.alarms.append, at)
        self.folder = self.journal.folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dialer, name)

    def handle(self, event: e.Event, now: Moment | None = None) -> list[c.Command]:
        now = now or event.at
        try:
            out = self.dialer.handle(event, now)
        except Exception as error:
            self.journal.note(event, now, self.dialer.decided, type(error).__name__)
            raise
        self.journal.note(event, now, out)
        mine = list(out)
        out.clear()  # it belongs to whoever carries it out
        return mine


def site_in(folder: Path, keep: int = KEEP, site: Site | None = None) -> Site:
    """The site of the core's tests, its files below this folder."""
    site = site or building.site()
    folders = site.folders.model_copy(update={"var": str(folder)})
    return site.model_copy(update={"folders": folders, "journal": JournalSettings(keep=keep)})


def story(folder: Path, seed: int, keep: int = KEEP) -> list[Path]:
    """A whole story with all its lives; the folders of their journals."""
    lives: list[Noted] = []

    def make(site: Site, at: Moment) -> Any:
        if lives:
            lives[-1].journal.close()
        life = folder / f"life-{len(lives)}"
        lives.append(Noted(site_in(life, keep, site), at))
        return lives[-1]

    rates = faults.draw(random.Random(seed), False)
    World(seed, None, make, rates, alone=True).run()
    lives[-1].journal.close()
    assert [alarm for life in lives for alarm in life.alarms] == []
    return [life.folder for life in lives]


def entries_of(path: Path, vault: Vault = VAULT) -> list[Entry]:
    """All that one segment holds."""
    reader = SegmentReader(path, vault)
    decoder = Decoder()
    decoder.snapshot(reader.snapshot())
    found = [entry for block in reader.entries() for entry in decoder.block(block)]
    reader.close()
    return found


def only_segment(folder: Path) -> Path:
    (found,) = segments_in(folder)
    return found
