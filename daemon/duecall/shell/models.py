"""The tables, as Peewee sees them. `migrations.py` makes them; a test keeps the two alike.

Times are microseconds, and states those of `column_values.py`. Every table carries its lender, the
key by which a distributed PostgreSQL would shard. What tells who a person is stands only in
`sealed` columns.
"""

from __future__ import annotations

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


class Lender(Model):
    """A tenant. key_check: fingerprint of the vault that sealed its rows. seal_key: id of the key
    that seals them since the key was changed last (shell/key_rotation.py)."""

    id = BigAutoField()
    name = CharField(unique=True)
    key_check = CharField()
    news_seq = BigIntegerField(default=0)  # of the last row in `news`
    seal_key = CharField(default="")

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
    contacts_digest = CharField(default="")  # SHA-256 of the contacts file imported last

    class Meta:
        table_name = "campaign"
        indexes = ((("lender", "name"), True),)


class ContactRow(Row):
    """A person at a number. person_hash: of number, name and customer id, one row a person and
    number. contact_key: of the person alone, where the file names them by customer_id."""

    id = BigAutoField()
    person_hash = CharField()
    phone_hash = CharField()
    sealed = BlobField()  # JSON of core/contact.py's Contact
    contact_key = CharField(default="")

    class Meta:
        table_name = "contact"
        indexes = (
            (("lender", "person_hash"), True),
            (("lender", "phone_hash"), False),
            (("lender", "contact_key"), False),
        )


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
    """saved_at: the attempt's own time, `Attempt.at`; the commit follows within the turn.

    events, channels: bits of core/call_events.py; all of them until it is settled. voice,
    voice_turn: of Target.
    """

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
    contact_key = CharField(default="")
    account_id = BigIntegerField(default=0)
    events = SmallIntegerField(default=63)
    channels = SmallIntegerField(default=15)
    voice = TextField(default="")
    voice_turn = SmallIntegerField(default=0)

    class Meta:
        table_name = "attempt"
        indexes = ((("campaign", "saved_at", "id"), False),)  # reports


# Caps: each answers alone, so that the past of a key is one look at an index.
for _name, _column in (
    ("number", AttemptRow.phone_hash),
    ("contact", AttemptRow.contact_key),
    ("account", AttemptRow.account_id),
):
    AttemptRow.add_index(
        AttemptRow.index(
            AttemptRow.lender,
            _column,
            AttemptRow.saved_at,
            AttemptRow.settled_at,
            AttemptRow.events,
            AttemptRow.channels,
            name=f"attempt_by_{_name}",
        )
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


class StopRow(Row):
    """Do not call. key: the number's hash, the contact's key, the account's id, or a prefix such as
    +8490. campaign_id: 0 for all. kind: dnc, opt_out, dispute, … source: an attempt's id, a file,
    or who said so."""

    id = BigAutoField()
    key_kind = CharField()
    key = CharField()
    campaign_id = BigIntegerField(default=0)
    kind = CharField()
    expires_at = BigIntegerField(null=True)
    sealed = BlobField()  # what was named, for the operator's list; empty for a prefix
    source = TextField()
    at = BigIntegerField()

    class Meta:
        table_name = "stop"
        indexes = ((("lender", "key_kind", "key", "campaign_id", "kind"), True),)


class FormerStopRow(Row):
    """A stop as it was until it was lifted or made longer (shell/former_stops.py)."""

    id = BigAutoField()
    key_kind = CharField()
    key = CharField()
    campaign_id = BigIntegerField()
    kind = CharField()
    expires_at = BigIntegerField(null=True)
    source = TextField()
    at = BigIntegerField()
    ended_at = BigIntegerField()
    lifted_by = TextField(null=True)  # NULL: it was made longer

    class Meta:
        table_name = "former_stop"
        indexes = ((("lender", "key_kind", "key"), False), (("lender", "ended_at"), False))


class ChainRow(Row):
    """The newest entry of one writer's ledger."""

    name = CharField()
    seq = BigIntegerField()
    hash = CharField()

    class Meta:
        table_name = "chain"
        primary_key = CompositeKey("lender", "name")


class LedgerRow(Row):
    """One decision (shell/ledger.py has the kinds). body: JSON without personal data in clear.
    hash: of this and the one before it in the chain, keyed."""

    chain = CharField()
    seq = BigIntegerField()
    at = BigIntegerField()
    kind = CharField()
    target_id = BigIntegerField(default=0)
    attempt_id = CharField(default="")
    body = TextField()
    hash = CharField()

    class Meta:
        table_name = "ledger"
        primary_key = CompositeKey("lender", "chain", "seq")
        indexes = ((("lender", "target_id", "at"), False),)


class DocumentRow(Row):
    """A text that the ledger names by its SHA-256. kind: rules, campaign."""

    digest = CharField()
    kind = CharField()
    text = TextField()
    at = BigIntegerField()

    class Meta:
        table_name = "document"
        primary_key = CompositeKey("lender", "digest")


class PromiseRow(Row):
    """A promise to pay. due: ISO date, empty where the campaign names none."""

    attempt: Any = ForeignKeyField(AttemptRow, primary_key=True)
    target: Any = ForeignKeyField(TargetRecord, index=False)
    account: Any = ForeignKeyField(AccountRow)
    due = CharField(default="")
    at = BigIntegerField()

    class Meta:
        table_name = "promise"


class RecordingRow(Row):
    """What was found of an attempt's recording (shell/recording_index.py). at: when the attempt was
    saved. callee_ms, us_ms: how long there is sound on each side. daemon: whose machine has it."""

    attempt: Any = ForeignKeyField(AttemptRow, primary_key=True)
    campaign: Any = ForeignKeyField(CampaignRow, index=False)
    name = CharField()
    daemon = CharField()
    at = BigIntegerField()
    state = CharField()  # there, missing, changed
    sha256 = CharField()
    bytes = BigIntegerField()
    length_ms = BigIntegerField()
    channels = SmallIntegerField()
    callee_ms = BigIntegerField()
    us_ms = BigIntegerField()
    looked_at = BigIntegerField()

    class Meta:
        table_name = "recording"
        indexes = ((("lender", "state", "at"), False),)


# In the order of time.
RecordingRow.add_index(
    RecordingRow.index(
        RecordingRow.lender, RecordingRow.at, RecordingRow.attempt, name="recording_lender_id_at"
    )
)


class TranscriptRow(Row):
    """What was said in a recording (shell/transcripts.py). sha256: of the recording. error: why
    there is none."""

    attempt: Any = ForeignKeyField(AttemptRow, primary_key=True)
    sealed = BlobField()  # JSON of the phrases
    language = CharField()
    recogniser = CharField()
    version = CharField()
    model = CharField()  # SHA-256 of its files
    sha256 = CharField()
    error = TextField(default="")
    at = BigIntegerField()

    class Meta:
        table_name = "transcript"
        indexes = ((("lender", "at"), False),)


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
    batch: the number of its last one that was committed. seal_keys: ids of the keys that it knows,
    the one first that it seals with."""

    id = BigAutoField()
    name = CharField()
    life = CharField()
    lease_until = BigIntegerField()
    batch = BigIntegerField(default=0)
    seal_keys = CharField(default="")

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


MODELS: tuple[type[Model], ...] = (Lender, *Row.__subclasses__())
