"""The store on PostgreSQL: for several daemons at once, each with a switch of its own.

The store runs in one native thread of the daemon (store_worker.py), so libpq may wait there as it
likes. A connection that broke is made anew at the next use; what was not committed is applied again
by the caller.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

import peewee

from duecall.shell import migrations
from duecall.shell.database import (
    BUSY_S,
    CommitUnsure,
    Database,
    StoreBusy,
    StoreConflict,
    StoreError,
    StoreLost,
)

log = logging.getLogger(__name__)
PASSWORD = "DUECALL_DATABASE_PASSWORD"
CONNECT_S = 5
PING_S = 2  # the least that libpq takes
# A daemon that is frozen in mid-transaction must not hold rows that others wait for.
IDLE_IN_TRANSACTION_S = 20
MIGRATING = "duecall migration"
DEADLOCK, SERIALIZATION = "40P01", "40001"
NOT_AVAILABLE = ("55P03", "57014")  # lock_timeout, statement cancelled
VERSION_MIN = 120_000


class PostgresDatabase(Database):
    """url: postgresql://user@host:port/name, without a password."""

    shared = True
    claiming = " FOR UPDATE OF t SKIP LOCKED"
    keeping = " FOR UPDATE"
    now_sql = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"

    def __init__(self, url: str) -> None:
        super().__init__()
        self.name = url.partition("?")[0]
        self._url = url
        if urlsplit(url).password is not None:
            raise StoreError(
                f"the database's address holds a password; take it out of config.yaml: {REMEDY}"
            )
        _use_blocking_driver()
        self._driver: Any = _Connection(url, self._guarded, _parameters())
        self.db = self._driver
        try:
            self._connect_first()
            # Mostly it is up to date: then a program that migrates is not waited for.
            if migrations.version_of(self.db) != migrations.VERSION:
                with self.writing():
                    self.run("SET LOCAL lock_timeout = 0")  # an upgrade may take minutes
                    self.alone(MIGRATING)
                    self.run(f"SET LOCAL lock_timeout = '{BUSY_S}s'")
                    migrations.migrate(self.db)
        except StoreError:
            self.close()
            raise
        except peewee.PeeweeException as error:
            self.close()
            raise StoreError(f"{self.name}: {_first_line(error)}") from error
        except migrations.MigrationError as error:
            self.close()
            raise StoreError(f"{self.name}: {error}") from None

    def close(self) -> None:
        self.db.close()

    # ---- the connection

    def _connect_first(self) -> None:
        """StoreLost: the server is away or not ready yet. Any other StoreError: it is there, and
        refuses us for good."""
        try:
            self._connect()
            return
        except StoreLost as error:
            if not self._takes_others(error):
                raise
        try:
            self._connect()  # it may have come up between the two
        except StoreLost as error:
            if _is_full(error) or not self._takes_others(error):
                raise
            raise StoreError(str(error)) from error

    def _takes_others(self, error: StoreLost) -> bool:
        """Whether the server takes connections, though not ours. Its words cannot tell, for they
        are in the language that it was set up in. After a time-out it is not asked: libpq would
        hold Python's lock meanwhile."""
        import psycopg
        from psycopg.conninfo import make_conninfo

        cause = error.__cause__
        if isinstance(_driver_error(cause), psycopg.errors.ConnectionTimeout):
            return False
        asked = make_conninfo(
            self._url, connect_timeout=PING_S, sslmode="disable", gssencmode="disable"
        )
        return psycopg.pq.PGconn.ping(asked.encode()) == psycopg.pq.Ping.OK

    def _connect(self) -> None:
        self.db.close()
        try:
            self.db.connect()
        except peewee.OperationalError as error:
            why = _first_line(error)
            remedy = "does it run, and may this user log in?"
            if "password" in why or "authentication" in why:
                remedy = REMEDY
            raise StoreLost(f"{self.name} cannot be reached: {why}; {remedy}") from error
        except peewee.PeeweeException as error:  # the address itself
            raise StoreError(f"{self.name}: {_first_line(error)}") from error
        server = self._driver.server_version
        if server < VERSION_MIN:
            raise StoreError(f"{self.name} is PostgreSQL {server // 10_000}; 12 is needed")

    @property
    def _lost(self) -> bool:
        return self.db.is_closed() or bool(self._driver.connection().closed)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        return self._driver.execute_sql(translated(sql), parameters)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        cursor = self._driver.cursor()
        with cast(Any, peewee).__exception_wrapper__:
            cursor.executemany(translated(sql), rows)

    def _guarded(self, do: Callable[[], Any]) -> Any:
        """A read outside a transaction finds out by itself that the server was restarted."""
        if self._in_use:
            return do()
        if self._lost:
            self._connect()
        try:
            return do()
        except peewee.PeeweeException:
            if not self._lost:
                raise
        self._connect()
        return self._or_lost(do)

    def _or_lost(self, do: Callable[[], Any]) -> Any:
        """On a connection that was made just now."""
        try:
            return do()
        except peewee.PeeweeException as error:
            if not self._lost:
                raise
            raise self._lost_at(error) from error

    def _lost_at(self, error: BaseException) -> StoreLost:
        return StoreLost(f"{self.name}: the connection is lost: {_first_line(error)}")

    # ---- transactions

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[None]:
        self._begin("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if not write:  # who writes a report may take his time; he holds up nobody
            self.run("SET LOCAL idle_in_transaction_session_timeout = 0")
        try:
            yield
        except BaseException as error:
            self._roll_back()
            explained = self._explained(error)
            if explained is None:
                raise
            raise explained from error
        self._commit()

    def _begin(self, sql: str) -> None:
        if self._lost:
            self._connect()
        try:
            self.run(sql)
        except peewee.PeeweeException:
            if not self._lost:
                raise
            self._connect()  # it was restarted since; nothing had begun
            self._or_lost(lambda: self.run(sql))

    def _commit(self) -> None:
        try:
            cursor = self.run("COMMIT")
        except peewee.PeeweeException as error:
            if self._lost:
                raise CommitUnsure(
                    f"{self.name}: the connection broke at the end of a transaction; "
                    "whether it was written is not known yet"
                ) from error
            raise self._explained(error) or error from error
        if cursor.statusmessage != "COMMIT":
            raise StoreError(f"{self.name}: the transaction was rolled back: a statement failed")

    def _roll_back(self) -> None:
        try:
            if not self._lost:
                self.run("ROLLBACK")
        except peewee.PeeweeException as error:
            log.warning("a transaction could not be rolled back: %s", _first_line(error))
            self.db.close()

    def _explained(self, error: BaseException) -> StoreError | None:
        """None where it says enough by itself."""
        if not isinstance(error, peewee.PeeweeException):
            return None
        if self._lost:
            return self._lost_at(error)
        state = _sqlstate(error)
        if state in NOT_AVAILABLE:
            return StoreBusy(
                f"{self.name}: another program has held rows for {BUSY_S} s; "
                "see which one: SELECT * FROM pg_stat_activity"
            )
        if state in (DEADLOCK, SERIALIZATION):
            return StoreConflict(f"{self.name}: two programs waited for each other; try again")
        if isinstance(error, (peewee.OperationalError, peewee.InternalError)):
            return StoreError(f"{self.name}: {_first_line(error)}; look at the server's log")
        return None

    def table_of(self, rows: Sequence[tuple[str, bytes]]) -> tuple[str, list[Any]]:
        """One statement for any number of rows, which the server prepares once."""
        sql = "unnest(CAST(? AS text[]), CAST(? AS bytea[])) v (column1, column2)"
        return sql, [list(column) for column in zip(*rows, strict=True)]

    def alone(self, what: str) -> None:
        self.run("SELECT pg_advisory_xact_lock(?)", (zlib.crc32(what.encode()),))

    def analyse(self) -> None:
        self.run("ANALYZE target, account, contact, stop")


REMEDY = (
    f"set {PASSWORD} or PGPASSWORD in the environment, or write it to ~/.pgpass "
    "(host:port:name:user:password, rights 600)"
)


class _Connection(peewee.PostgresqlDatabase):
    """Of peewee's, for psycopg 3. guarded: runs a statement, and connects anew where it may."""

    def __init__(
        self, url: str, guarded: Callable[[Callable[[], Any]], Any], parameters: dict[str, Any]
    ) -> None:
        self._guarded = guarded
        super().__init__(
            url, prefer_psycopg3=True, thread_safe=False, autoconnect=False, **parameters
        )

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        execute = cast(Any, super()).execute_sql
        return self._guarded(lambda: execute(sql, params))


def _parameters() -> dict[str, Any]:
    given: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "application_name": "duecall",
        "client_encoding": "utf8",
        # A server whose machine is gone is noticed, also by who only waits for an answer.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "options": f"-c lock_timeout={BUSY_S}s"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_S}s"
        " -c synchronous_commit=on -c timezone=UTC",
    }
    password = os.environ.get(PASSWORD)
    if password:
        given["password"] = password
    return given


def _use_blocking_driver() -> None:
    """psycopg sees that gevent has patched `select` and would wait by it: in the store's own thread
    that means a second event loop, for nothing. Its own wait releases Python's lock all the same.
    """
    try:
        import psycopg.waiting
    except ImportError as error:
        raise StoreError("PostgreSQL needs its driver: pip install 'duecall[postgres]'") from error
    blocking = getattr(psycopg.waiting, "wait_c", None)
    if blocking is not None:
        psycopg.waiting.wait = blocking


@lru_cache(4096)
def translated(sql: str) -> str:
    """`?` as psycopg marks parameters. No statement of ours has a ? or % of another meaning."""
    return sql.replace("?", "%s")


def _sqlstate(error: BaseException) -> str:
    """Of the driver's error that peewee has wrapped."""
    for cause in (*error.args, error.__cause__, error.__context__):
        state = getattr(cause, "sqlstate", None)
        if state:
            return str(state)
    return ""


def _driver_error(error: BaseException | None) -> BaseException | None:
    """psycopg's own, which peewee has wrapped."""
    return (error.__cause__ or error.__context__) if error is not None else None


def _is_full(error: StoreLost) -> bool:
    """All its connections are taken. Told by its words, in want of anything better."""
    return "too many clients" in str(error) or "remaining connection slots" in str(error)


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
