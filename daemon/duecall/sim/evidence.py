"""A story as `duecall audit` would find it in the database: the rows of attempts and the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from duecall.audit.log import Attempt, Log, Stop
from duecall.core.attempt import Stage
from duecall.core.rule_pack import RulePack
from duecall.sim import rule_packs
from duecall.sim.ledger import Written
from duecall.sim.store import Store

ONE_FOR_ALL = "story"


def evidence(store: Store, packs: Iterable[RulePack], by_clock: bool) -> Log:
    """packs: all that were in use. by_clock: clocks were right, so that each writer may have a
    chain of its own, as in a database; else one chain for all tells the order of the commits."""
    log = Log(documents=dict(store.ledger.documents))
    for pack in packs:
        log.packs.setdefault(pack.jurisdiction, []).append(rule_packs.text_of(pack))
    lengths: Counter[str] = Counter()
    for writer, at_us, kind, target, attempt, body in store.ledger.entries:
        chain = writer if by_clock else ONE_FOR_ALL
        lengths[chain] += 1
        log.take(chain, lengths[chain], at_us, kind, target, attempt, body)
    log.attempts = [_attempt(row) for row in store.ledger.rows.values()]
    log.stops = [
        Stop(x.key_kind, x.key, x.campaign, x.kind, store.entered[x.name], x.expires_us, x.source)
        for x in store.stops
    ]
    return log


def _attempt(row: Written) -> Attempt:
    target, stages = row.attempt.target, row.stages
    return Attempt(
        id=row.attempt.id,
        target=target.id,
        campaign=target.campaign,
        number=target.phone_hash,
        contact=target.contact_key,
        account=target.account_key,
        try_no=row.attempt.number,
        saved_us=row.saved_us,
        sent_us=stages.get(Stage.SENT),
        rang_us=stages.get(Stage.RINGING),
        answered_us=stages.get(Stage.ANSWERED),
        bridged_us=stages.get(Stage.BRIDGED),
        settled_us=row.settled_us,
        outcome=row.outcome,
        cause=row.cause,
        heard_ms=row.heard_ms,
        events=row.events,
        channels=row.channels,
        phone=target.contact.phone,
    )
