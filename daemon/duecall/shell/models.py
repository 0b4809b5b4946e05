"""The tables, as Peewee sees them. `migrations.py` makes them; a test keeps the two alike.

Times are whole microseconds since 1970 in UTC: exact, sortable, eight bytes in every index, and no
driver's idea of time zones in between. Every table carries its lender, the key by which a
distributed PostgreSQL would shard. What tells who a person is stands only in `sealed` columns.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    SmallIntegerField,
    TextField,
)

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)


class TargetState(str, Enum):
    """Where a target is. Only READY ones are handed out, in the order of `rank`."""

    NEW = "new"  # imported, not ranked yet
    WAITING = "waiting"  # until due_at
    READY = "ready"
    HELD = "held"  # handed to a daemon
    CALLING = "calling"  # has an attempt that is not settled
    DONE = "done"  # for `reason`


class CampaignState(str, Enum):
    LOADED = "loaded"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"


def to_us(at: datetime) -> int:
    """Microseconds since 1970. ValueError for a naive datetime."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime has no place in Duecall")
    return (at - EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def maybe_us(at: datetime | None) -> int | None:
    return None if at is None else to_us(at)


def maybe_from_us(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)


class Lender(Model):
    """A tenant. key_check: fingerprint of the vault that sealed its rows."""

    id = BigAutoField()
    name = CharField(unique=True)
    key_check = CharField()
    news_seq = BigIntegerField(default=0)  # of the last row in `news`

    class Meta:
        table_name = "lender"


class Row(Model):
    lender: Any = ForeignKeyField(Lender, index=False)

    class Meta:
        legacy_table_names = False


class CampaignRow(Row):
    """settings: the checked campaign as JSON; yaml_text: the file it came of; digest: of that."""

    id = BigAutoField()
    name = CharField()
    digest = CharField()
    state = CharField()
    trunk = CharField()
    yaml_text = TextField()
    settings = TextField()
    loaded_at = BigIntegerField()

    class Meta:
        table_name = "campaign"
        indexes = ((("lender", "name"), True),)


class ContactRow(Row):
    """A person at a number. person_hash: of number and name, one row a person and number."""

    id = BigAutoField()
    person_hash = CharField()
    phone_hash = CharField()
    sealed = BlobField()  # JSON: name, phone, zone, language

    class Meta:
        table_name = "contact"
        indexes = ((("lender", "person_hash"), True), (("lender", "phone_hash"), False))


class AccountRow(Row):
    """digest: keyed hash of all that the file said of it, to see whether anything changed."""

    id = BigAutoField()
    contact: Any = ForeignKeyField(ContactRow)
    contract_hash = CharField()
    digest = CharField()
    sealed = BlobField()  # JSON: contract, card, fields
    balance_minor = BigIntegerField()
    currency = CharField()
    interest_rate = CharField()
    due_date = CharField()  # ISO

    class Meta:
        table_name = "account"
        indexes = ((("lender", "contract_hash"), True),)


class TargetRecord(Row):
    """One account in one campaign. held_by: the daemon that has it, where HELD or CALLING."""

    id = BigAutoField()
    campaign: Any = ForeignKeyField(CampaignRow, index=False)
    account: Any = ForeignKeyField(AccountRow)
    phone_hash = CharField()
    state = CharField()
    rank = BigIntegerField(null=True)
    due_at = BigIntegerField(null=True)
    held_by = CharField(default="")
    tries = IntegerField(default=0)
    counted = IntegerField(default=0)
    outcomes = TextField(default="{}")  # JSON: outcome -> how often
    last_at = BigIntegerField(null=True)
    last_outcome = CharField(default="")
    reason = TextField(default="")

    class Meta:
        table_name = "target"
        indexes = (
            (("campaign", "account"), True),
            (("campaign", "state", "rank"), False),  # who is next
            (("campaign", "state", "due_at", "rank"), False),  # who falls due
            (("lender", "phone_hash"), False),  # a number is stopped
        )


class AttemptRow(Row):
    """saved_at: the attempt's own time, `Attempt.at`; the commit follows within the turn."""

    id = CharField(primary_key=True)
    target: Any = ForeignKeyField(TargetRecord)
    campaign: Any = ForeignKeyField(CampaignRow, index=False)
    phone_hash = CharField()
    sealed = BlobField()  # the number that was called, for contacts change theirs
    number = IntegerField()
    daemon = CharField()
    trunk = CharField()
    stage = SmallIntegerField()
    saved_at = BigIntegerField()
    sent_at = BigIntegerField(null=True)
    rang_at = BigIntegerField(null=True)
    answered_at = BigIntegerField(null=True)
    waiting_at = BigIntegerField(null=True)
    bridged_at = BigIntegerField(null=True)
    settled_at = BigIntegerField(null=True)
    outcome = CharField(null=True)
    cause = CharField(default="")
    sip_status = IntegerField(default=0)
    ended_by = CharField(default="")
    action = CharField(default="")
    keys = TextField(default="[]")  # JSON of KeyPress
    answers = TextField(default="{}")
    heard_ms = IntegerField(default=0)
    message_ms = IntegerField(default=0)
    talk_ms = IntegerField(default=0)
    recording = TextField(default="")
    error = TextField(default="")

    class Meta:
        table_name = "attempt"
        indexes = (
            (("campaign", "saved_at", "id"), False),  # reports
            (("lender", "phone_hash", "saved_at"), False),  # caps
        )


# L1, in the database itself: never two live attempts to one number.
AttemptRow.add_index(
    AttemptRow.index(
        AttemptRow.lender,
        AttemptRow.phone_hash,
        unique=True,
        where=SQL("settled_at IS NULL"),
        name="attempt_one_live_call",
    )
)


class SuppressionRow(Row):
    """A number that is never called again. source: an attempt's id, or who said so."""

    phone_hash = CharField()
    sealed = BlobField()  # the number, for the operator's list
    reason = CharField()
    source = TextField()
    at = BigIntegerField()

    class Meta:
        table_name = "suppression"
        primary_key = CompositeKey("lender", "phone_hash")


class PromiseRow(Row):
    """A promise to pay. due: ISO date, empty where the campaign names none."""

    attempt: Any = ForeignKeyField(AttemptRow, primary_key=True)
    target: Any = ForeignKeyField(TargetRecord, index=False)
    account: Any = ForeignKeyField(AccountRow)
    due = CharField(default="")
    at = BigIntegerField()

    class Meta:
        table_name = "promise"


class TallyRow(Row):
    """Maintained counts, so that a status never scans. shard: a daemon's own row, summed up."""

    campaign: Any = ForeignKeyField(CampaignRow, index=False)
    kind = CharField()  # target, attempt, outcome, done
    name = CharField()
    shard = SmallIntegerField(default=0)
    n = BigIntegerField(default=0)

    class Meta:
        table_name = "tally"
        primary_key = CompositeKey("campaign", "kind", "name", "shard")


class DaemonRow(Row):
    """A daemon that shares this database with others. life: which run of it (shell/life.py);
    empty: it has ended in order. lease_until: by the database's clock; then it is taken to be gone.
    batch: the number of its last one that was committed."""

    id = BigAutoField()
    name = CharField()
    life = CharField()
    lease_until = BigIntegerField()
    batch = BigIntegerField(default=0)

    class Meta:
        table_name = "daemon"
        indexes = ((("lender", "name"), True),)


class NewsRow(Row):
    """What all daemons must hear of. kind: number (name: its hash), campaign, contacts."""

    seq = BigIntegerField()
    kind = CharField()
    name = CharField()

    class Meta:
        table_name = "news"
        primary_key = CompositeKey("lender", "seq")


MODELS: tuple[type[Model], ...] = (
    Lender,
    CampaignRow,
    ContactRow,
    AccountRow,
    TargetRecord,
    AttemptRow,
    SuppressionRow,
    PromiseRow,
    TallyRow,
    DaemonRow,
    NewsRow,
)
