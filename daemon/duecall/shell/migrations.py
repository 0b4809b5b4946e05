"""The schema by versions. A version that was released is never edited: a new one is added.

Plain SQL and not the models of today, for a migration must do in three years what it does now.
Only what SQLite and PostgreSQL both understand; `{id}` and `{blob}` are spelled for each. (Peewee's
own runner, playhouse.migrations, reads its plan before it locks: two programs that start at once
on a fresh database would both apply it.)
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, cast

from peewee import Database, SqliteDatabase

VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_version "
    "(version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)"
)

V1 = """
CREATE TABLE lender (
    id {id}, name TEXT NOT NULL, key_check TEXT NOT NULL);
CREATE UNIQUE INDEX lender_name ON lender (name);

CREATE TABLE campaign (
    id {id}, lender_id BIGINT NOT NULL REFERENCES lender (id),
    name TEXT NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('loaded', 'running', 'paused', 'stopped', 'finished')),
    trunk TEXT NOT NULL, yaml_text TEXT NOT NULL, settings TEXT NOT NULL,
    loaded_at BIGINT NOT NULL);
CREATE UNIQUE INDEX campaign_lender_id_name ON campaign (lender_id, name);

CREATE TABLE contact (
    id {id}, lender_id BIGINT NOT NULL REFERENCES lender (id),
    person_hash TEXT NOT NULL, phone_hash TEXT NOT NULL, sealed {blob} NOT NULL);
CREATE UNIQUE INDEX contact_lender_id_person_hash ON contact (lender_id, person_hash);
CREATE INDEX contact_lender_id_phone_hash ON contact (lender_id, phone_hash);

CREATE TABLE account (
    id {id}, lender_id BIGINT NOT NULL REFERENCES lender (id),
    contact_id BIGINT NOT NULL REFERENCES contact (id),
    contract_hash TEXT NOT NULL, digest TEXT NOT NULL, sealed {blob} NOT NULL,
    balance_minor BIGINT NOT NULL, currency TEXT NOT NULL, interest_rate TEXT NOT NULL,
    due_date TEXT NOT NULL);
CREATE UNIQUE INDEX account_lender_id_contract_hash ON account (lender_id, contract_hash);
CREATE INDEX account_contact_id ON account (contact_id);

CREATE TABLE target (
    id {id}, lender_id BIGINT NOT NULL REFERENCES lender (id),
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    account_id BIGINT NOT NULL REFERENCES account (id),
    phone_hash TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('new', 'waiting', 'ready', 'held', 'calling', 'done')),
    rank BIGINT, due_at BIGINT, held_by TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0, counted INTEGER NOT NULL DEFAULT 0,
    outcomes TEXT NOT NULL DEFAULT '{{}}', last_at BIGINT,
    last_outcome TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    CHECK (state <> 'waiting' OR due_at IS NOT NULL));
CREATE UNIQUE INDEX target_campaign_id_account_id ON target (campaign_id, account_id);
CREATE INDEX target_campaign_id_state_rank ON target (campaign_id, state, rank);
CREATE INDEX target_campaign_id_state_due_at_rank ON target (campaign_id, state, due_at, rank);
CREATE INDEX target_lender_id_phone_hash ON target (lender_id, phone_hash);
CREATE INDEX target_account_id ON target (account_id);

CREATE TABLE attempt (
    id TEXT PRIMARY KEY, lender_id BIGINT NOT NULL REFERENCES lender (id),
    target_id BIGINT NOT NULL REFERENCES target (id),
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    phone_hash TEXT NOT NULL, sealed {blob} NOT NULL,
    number INTEGER NOT NULL, daemon TEXT NOT NULL, trunk TEXT NOT NULL,
    stage SMALLINT NOT NULL, saved_at BIGINT NOT NULL,
    sent_at BIGINT, rang_at BIGINT, answered_at BIGINT, waiting_at BIGINT, bridged_at BIGINT,
    settled_at BIGINT, outcome TEXT,
    cause TEXT NOT NULL DEFAULT '', sip_status INTEGER NOT NULL DEFAULT 0,
    ended_by TEXT NOT NULL DEFAULT '', action TEXT NOT NULL DEFAULT '',
    keys TEXT NOT NULL DEFAULT '[]', answers TEXT NOT NULL DEFAULT '{{}}',
    heard_ms INTEGER NOT NULL DEFAULT 0, message_ms INTEGER NOT NULL DEFAULT 0,
    talk_ms INTEGER NOT NULL DEFAULT 0, recording TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    CHECK ((settled_at IS NULL) = (outcome IS NULL)));
CREATE UNIQUE INDEX attempt_one_live_call ON attempt (lender_id, phone_hash)
    WHERE settled_at IS NULL;
CREATE INDEX attempt_campaign_id_saved_at_id ON attempt (campaign_id, saved_at, id);
CREATE INDEX attempt_lender_id_phone_hash_saved_at ON attempt (lender_id, phone_hash, saved_at);
CREATE INDEX attempt_target_id ON attempt (target_id);

CREATE TABLE suppression (
    lender_id BIGINT NOT NULL REFERENCES lender (id), phone_hash TEXT NOT NULL,
    sealed {blob} NOT NULL, reason TEXT NOT NULL, source TEXT NOT NULL, at BIGINT NOT NULL,
    PRIMARY KEY (lender_id, phone_hash));

CREATE TABLE promise (
    attempt_id TEXT PRIMARY KEY REFERENCES attempt (id),
    lender_id BIGINT NOT NULL REFERENCES lender (id),
    target_id BIGINT NOT NULL REFERENCES target (id),
    account_id BIGINT NOT NULL REFERENCES account (id),
    due TEXT NOT NULL DEFAULT '', at BIGINT NOT NULL);
CREATE INDEX promise_account_id ON promise (account_id);

CREATE TABLE tally (
    lender_id BIGINT NOT NULL REFERENCES lender (id),
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    kind TEXT NOT NULL, name TEXT NOT NULL, shard SMALLINT NOT NULL DEFAULT 0,
    n BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign_id, kind, name, shard));
"""

# Several daemons on one database. `news` is what one of them, or a command, has changed and all
# must hear of; its numbers follow the commits. `batch` tells whether a commit whose answer was lost
# came to be.
V2 = """
CREATE TABLE daemon (
    id {id}, lender_id BIGINT NOT NULL REFERENCES lender (id),
    name TEXT NOT NULL, life TEXT NOT NULL, lease_until BIGINT NOT NULL,
    batch BIGINT NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX daemon_lender_id_name ON daemon (lender_id, name);

ALTER TABLE lender ADD COLUMN news_seq BIGINT NOT NULL DEFAULT 0;

CREATE TABLE news (
    lender_id BIGINT NOT NULL REFERENCES lender (id), seq BIGINT NOT NULL,
    kind TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (lender_id, seq));
"""

# Calling rules: what each call was for the caps, in three indexes that answer alone; stops of every
# kind and scope; the ledger, a chain of hashes for each writer, and the texts its digests are of.
# An older attempt without an outcome counts as everything; 63 and 15 are all bits of
# core/call_events.py.
V3 = """
ALTER TABLE contact ADD COLUMN contact_key TEXT NOT NULL DEFAULT '';
UPDATE contact SET contact_key = person_hash;
CREATE INDEX contact_lender_id_contact_key ON contact (lender_id, contact_key);

ALTER TABLE campaign ADD COLUMN contacts_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE lender ADD COLUMN seal_key TEXT NOT NULL DEFAULT '';
ALTER TABLE daemon ADD COLUMN seal_keys TEXT NOT NULL DEFAULT '';

ALTER TABLE attempt ADD COLUMN contact_key TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN account_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN events SMALLINT NOT NULL DEFAULT 63;
ALTER TABLE attempt ADD COLUMN channels SMALLINT NOT NULL DEFAULT 15;
UPDATE attempt SET
    account_id = (SELECT t.account_id FROM target t WHERE t.id = attempt.target_id),
    contact_key = (SELECT c.contact_key FROM target t JOIN account a ON a.id = t.account_id
        JOIN contact c ON c.id = a.contact_id WHERE t.id = attempt.target_id);
UPDATE attempt SET
    events = CASE
        WHEN outcome IN ('transferred', 'opted_out', 'claims_paid', 'promised', 'surveyed')
            THEN 7 + CASE WHEN heard_ms > 0 THEN 8 ELSE 0 END
        WHEN outcome IN ('agent_unavailable', 'delivered', 'hung_up')
            THEN 3 + CASE WHEN heard_ms > 0 THEN 8 ELSE 0 END
        WHEN outcome = 'script_error'
            THEN 3 + CASE WHEN heard_ms > 0 THEN 8 ELSE 16 END
        WHEN outcome IN ('no_answer', 'rejected', 'unreachable')
            OR rang_at IS NOT NULL OR answered_at IS NOT NULL THEN 1
        ELSE 0 END,
    channels = CASE WHEN outcome = 'transferred' THEN 5 ELSE 4 END
    WHERE outcome IS NOT NULL AND outcome <> 'unknown';
DROP INDEX attempt_lender_id_phone_hash_saved_at;
CREATE INDEX attempt_by_number ON attempt
    (lender_id, phone_hash, saved_at, settled_at, events, channels);
CREATE INDEX attempt_by_contact ON attempt
    (lender_id, contact_key, saved_at, settled_at, events, channels);
CREATE INDEX attempt_by_account ON attempt
    (lender_id, account_id, saved_at, settled_at, events, channels);

CREATE TABLE stop (
    id {id}, lender_id BIGINT NOT NULL REFERENCES lender (id),
    key_kind TEXT NOT NULL CHECK (key_kind IN ('number', 'contact', 'account', 'prefix')),
    key TEXT NOT NULL, campaign_id BIGINT NOT NULL DEFAULT 0, kind TEXT NOT NULL,
    expires_at BIGINT, sealed {blob} NOT NULL, source TEXT NOT NULL, at BIGINT NOT NULL);
CREATE UNIQUE INDEX stop_lender_id_key_kind_key_campaign_id_kind ON stop
    (lender_id, key_kind, key, campaign_id, kind);
INSERT INTO stop (lender_id, key_kind, key, kind, sealed, source, at)
    SELECT lender_id, 'number', phone_hash, reason, sealed, source, at FROM suppression;
DROP TABLE suppression;

CREATE TABLE chain (
    lender_id BIGINT NOT NULL REFERENCES lender (id), name TEXT NOT NULL,
    seq BIGINT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (lender_id, name));
CREATE TABLE ledger (
    lender_id BIGINT NOT NULL REFERENCES lender (id), chain TEXT NOT NULL, seq BIGINT NOT NULL,
    at BIGINT NOT NULL, kind TEXT NOT NULL, target_id BIGINT NOT NULL DEFAULT 0,
    attempt_id TEXT NOT NULL DEFAULT '', body TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (lender_id, chain, seq));
CREATE INDEX ledger_lender_id_target_id_at ON ledger (lender_id, target_id, at);
CREATE TABLE document (
    lender_id BIGINT NOT NULL REFERENCES lender (id), digest TEXT NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL, at BIGINT NOT NULL,
    PRIMARY KEY (lender_id, digest));
"""

# Who spoke in an attempt: `espeak:vi`, empty for recordings alone and where it is not known.
# voice_turn: 0 for the campaign's chosen voice, from 1 for those that stand in for it.
V4 = """
ALTER TABLE attempt ADD COLUMN voice TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN voice_turn SMALLINT NOT NULL DEFAULT 0;

CREATE TABLE recording (
    attempt_id TEXT PRIMARY KEY REFERENCES attempt (id),
    lender_id BIGINT NOT NULL REFERENCES lender (id),
    campaign_id BIGINT NOT NULL REFERENCES campaign (id),
    name TEXT NOT NULL, daemon TEXT NOT NULL, at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('there', 'missing', 'changed')),
    sha256 TEXT NOT NULL, bytes BIGINT NOT NULL, length_ms BIGINT NOT NULL,
    channels SMALLINT NOT NULL, callee_ms BIGINT NOT NULL, us_ms BIGINT NOT NULL,
    looked_at BIGINT NOT NULL);
CREATE INDEX recording_lender_id_at ON recording (lender_id, at, attempt_id);
CREATE INDEX recording_lender_id_state_at ON recording (lender_id, state, at);

CREATE TABLE transcript (
    attempt_id TEXT PRIMARY KEY REFERENCES attempt (id),
    lender_id BIGINT NOT NULL REFERENCES lender (id),
    sealed {blob} NOT NULL, language TEXT NOT NULL, recogniser TEXT NOT NULL,
    version TEXT NOT NULL, model TEXT NOT NULL, sha256 TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '', at BIGINT NOT NULL);
CREATE INDEX transcript_lender_id_at ON transcript (lender_id, at);
"""

# Stops as they were until they were lifted (lifted_by: who said so) or made longer (NULL), by the
# hash alone: nobody is named in clear.
V5 = """
CREATE TABLE former_stop (
    id {id}, lender_id BIGINT NOT NULL REFERENCES lender (id),
    key_kind TEXT NOT NULL, key TEXT NOT NULL, campaign_id BIGINT NOT NULL, kind TEXT NOT NULL,
    expires_at BIGINT, source TEXT NOT NULL, at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL, lifted_by TEXT);
CREATE INDEX former_stop_lender_id_key_kind_key ON former_stop (lender_id, key_kind, key);
CREATE INDEX former_stop_lender_id_ended_at ON former_stop (lender_id, ended_at);
"""

MIGRATIONS = (V1, V2, V3, V4, V5)  # the n-th makes version n of version n-1
VERSION = len(MIGRATIONS)


class MigrationError(RuntimeError):
    """The database was made by a newer Duecall."""


def version_of(db: Database) -> int:
    """0 for a database without tables of ours."""
    if "schema_version" not in db.get_tables():
        return 0
    sql = "SELECT max(version) FROM schema_version"
    return int(cast(Any, db).execute_sql(sql).fetchone()[0] or 0)


def migrate(db: Database) -> int:
    """Bring it to VERSION; the number of steps taken. Whole or not at all, one program at a time.

    To be called inside a transaction that locks out other writers.
    """
    found = version_of(db)
    if found > VERSION:
        raise MigrationError(
            f"the database has schema version {found}, this Duecall knows {VERSION}; "
            "use the newer Duecall, or restore the backup made before it"
        )
    sqlite = isinstance(db, SqliteDatabase)
    words = {
        "id": "INTEGER PRIMARY KEY"
        if sqlite
        else "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        "blob": "BLOB" if sqlite else "BYTEA",
    }
    run = cast(Any, db).execute_sql
    run(VERSION_TABLE)
    mark = "?" if sqlite else "%s"
    for number in range(found + 1, VERSION + 1):
        for statement in MIGRATIONS[number - 1].format(**words).split(";"):
            if statement.strip():
                run(statement)
        run(
            f"INSERT INTO schema_version (version, applied_at) VALUES ({mark}, {mark})",
            (number, datetime.now(timezone.utc).isoformat()),
        )
    return VERSION - found
