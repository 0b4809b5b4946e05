"""What an operator may ask of the running daemon (the other end of shell/control.py).

Requests: {"do": "status"} ·
{"do": "start", "file": PATH, "paused": bool, "proven": bool, "left_out": int} ·
{"do": "pause" | "resume" | "stop", "campaign": NAME} · {"do": "imported", "campaign": NAME} ·
{"do": "keys"} · {"do": "add_stop" | "lift_stop", …}: shell/stop_requests.py
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import gevent

from duecall.core import events as e
from duecall.core.campaign import Campaign
from duecall.core.campaign_run import CampaignRun
from duecall.core.contact_row import RowFault
from duecall.shell.clock import now
from duecall.shell.config_file import ConfigFaults, load_campaign
from duecall.shell.config_references import columns_used
from duecall.shell.config_voices import check_voices
from duecall.shell.contacts_csv import ContactsFileError, read_contacts
from duecall.shell.control import ControlError
from duecall.shell.preparer import Preparer
from duecall.shell.prover import Prover
from duecall.shell.service import Service
from duecall.shell.stop_requests import add_stop, lift_stop
from duecall.shell.store import StatusCounts, Store, StoreError

log = logging.getLogger(__name__)
PROVEN_AT_ONCE = 50  # rows, some five milliseconds
COUNT_S = 5.0  # so long a status waits for the database
NOT_COUNTED: tuple[StatusCounts, datetime | None] = (StatusCounts({}, 0, 0, {}, {}, 0), None)
STATES = {"pause": "paused", "resume": "running", "stop": "stopped"}
NEWS: dict[str, type[e.CampaignPaused] | type[e.CampaignResumed] | type[e.CampaignStopped]] = {
    "pause": e.CampaignPaused,
    "resume": e.CampaignResumed,
    "stop": e.CampaignStopped,
}


class Operator:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._counted: dict[str, tuple[StatusCounts, datetime | None]] = {}
        self._stopped: set[str] = set()  # since this daemon began; else they would not be known
        self._answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "status": self._status,
            "start": self._start,
            "imported": self._imported,
            "pause": self._change,
            "resume": self._change,
            "stop": self._change,
            "keys": self._keys,
            "add_stop": lambda request: self._stored(add_stop, request),
            "lift_stop": lambda request: self._stored(lift_stop, request),
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request, one reply. ControlError says no, for people."""
        do = self._answers.get(str(request.get("do")))
        if do is None:
            raise ControlError(f"unknown request {request.get('do')!r}")
        try:
            return {"ok": True, **do(request)}
        except StoreError as error:
            raise ControlError(str(error)) from None

    def _keys(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Ids of the keys that the daemon knows; the one first that it seals with."""
        return {"keys": list(self._service.key_ids())}

    def _stored(
        self, do: Callable[[Store, dict[str, Any]], dict[str, Any]], request: dict[str, Any]
    ) -> dict[str, Any]:
        return self._service.worker.call(lambda store: do(store, request))

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        path = Path(str(request.get("file")))
        try:
            campaign = load_campaign(path, self._service.site)
            if not request.get("proven"):
                check_voices(path, self._service.site, campaign)
            text = path.read_text(encoding="utf-8")
        except ConfigFaults as faults:
            raise ControlError(str(faults)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ControlError(f"{path}: the campaign cannot be read: {error}") from None
        if not request.get("proven"):
            self._prove(campaign)
        left_out = int(request.get("left_out", 0))
        log.info("campaign %s is started by the operator: left_out=%d", campaign.name, left_out)
        paused = bool(request.get("paused"))
        self._service.start_campaign(campaign, text, paused=paused, left_out=left_out)
        self._stopped.discard(campaign.name)
        return {"campaign": campaign.name}

    def _prove(self, campaign: Campaign) -> None:
        """Refuses a campaign with a row that cannot be spoken; the hub goes on meanwhile."""
        today = now().wall.astimezone(ZoneInfo(campaign.zone)).date()
        prover = Prover(Preparer(self._service.site), campaign, today)
        path, needed = Path(campaign.contacts), columns_used(campaign)
        try:
            for row in read_contacts(path, campaign, today=today, needed=needed):
                if isinstance(row, RowFault) or not prover.will_be_called(row.account):
                    continue
                if row.row % PROVEN_AT_ONCE == 0:
                    gevent.sleep(1e-6)
                if mute := prover.fault(row.contact, row.account):
                    where = f"row {row.row}: {mute.variable}".removesuffix(": ")
                    remedy = "mend it; `duecall start` can leave such rows out"
                    raise ControlError(f"{where}: cannot be spoken: {mute.why}; {remedy}")
        except ContactsFileError as error:
            raise ControlError(str(error)) from None

    def _change(self, request: dict[str, Any]) -> dict[str, Any]:
        do, name = str(request["do"]), str(request.get("campaign"))
        if name not in self._service.dialer.runs:
            known = ", ".join(sorted(self._service.dialer.runs)) or "none"
            raise ControlError(f"no campaign {name!r} is started (started: {known})")
        log.info("campaign %s: %s by the operator", name, do)
        self._service.worker.call(lambda store: store.set_campaign_state(name, STATES[do]))
        self._service.put(NEWS[do](now(), name))
        self._stopped.discard(name)
        if do == "stop":
            self._stopped.add(name)
        return {}

    def _imported(self, request: dict[str, Any]) -> dict[str, Any]:
        self._service.put(e.TargetsChanged(now(), str(request.get("campaign"))))
        return {}

    def _status(self, request: dict[str, Any]) -> dict[str, Any]:
        service, dialer = self._service, self._service.dialer
        names = sorted(dialer.runs)
        self._count(names)
        calls = list(dialer.live.values())
        return {
            "state": "running",
            "switch": service.switch_state,
            "switch_since": service.switch_since.wall.isoformat(),
            "links": {name: asdict(said) for name, said in service.switch.statistics.items()},
            "since": service.started.wall.isoformat(),
            "live": dict(Counter(call.stage.name.lower() for call in calls)),
            "earlier": sum(call.of_earlier_life for call in calls),
            "given_up": sum(call.ended is not None for call in calls),
            "sent": dialer.totals.sent,
            "settled": dialer.totals.settled,
            "outcomes": dict(dialer.totals.outcomes),
            "draining": dialer.draining,
            "database": service.worker.trouble,
            "database_waiting": service.worker.waiting,
            "alarms": service.alarms,
            "campaigns": [
                {
                    "name": name,
                    "state": "stopped" if name in self._stopped else _state(dialer.runs[name]),
                    "hopper": len(dialer.runs[name].hopper),
                    "held_back": dict(dialer.runs[name].denied.most_common(10)),
                    "trouble": dialer.runs[name].trouble,
                    **_counts(*self._counted.get(name, NOT_COUNTED)),
                }
                for name in names
            ],
        }

    def _count(self, names: list[str]) -> None:
        """Anew, or as it was, where the database is too busy to say."""
        try:
            self._counted = self._service.worker.call(
                lambda store: {
                    name: (store.status_counts(name), store.next_due(name)) for name in names
                },
                COUNT_S,
            )
        except StoreError as error:
            log.warning("the status shows older counts: %s", error)


def _state(run: CampaignRun) -> str:
    if run.finished:
        return "finished"
    return "running" if run.active else "paused"


def _counts(counts: StatusCounts, next_due: datetime | None) -> dict[str, Any]:
    by_state = counts.targets
    return {
        "contacts": sum(by_state.values()),
        "waiting": by_state.get("waiting", 0),
        "ready": by_state.get("ready", 0) + by_state.get("held", 0) + by_state.get("new", 0),
        "calling": by_state.get("calling", 0),
        "done": by_state.get("done", 0),
        "attempts": counts.attempts,
        "outcomes": counts.outcomes,
        "done_for": counts.done,
        "promises": counts.promises,
        "next_due": next_due.isoformat() if next_due else None,
    }
