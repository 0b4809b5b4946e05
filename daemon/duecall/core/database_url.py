"""The address of the database, as config.yaml gives it. A password has no place in it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator

from duecall.core.scalars import refusal

FORM = "sqlite:///folder/file.db, or postgresql://user@host:port/name"
PASSWORDS = (
    "no password in the file: set DUECALL_DATABASE_PASSWORD or PGPASSWORD in the environment, or "
    "write it to ~/.pgpass with rights 600"
)
_SQLITE = re.compile(r"sqlite:///[^\s?]+")
_POSTGRES = re.compile(
    r"postgresql://([\w.%+-]+@)?([\w.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?/[\w.%+-]+"
    r"(\?\w+=[^\s&]+(&\w+=[^\s&]+)*)?",
    re.ASCII,
)


def _check(value: str) -> str:
    """The faults never repeat the address: what is wrong with it may be a password."""
    if value.startswith(("postgresql://", "postgres://")):
        try:
            parts = urlsplit(value)
            secret = parts.password is not None or "password" in dict(parse_qsl(parts.query))
        except ValueError:
            raise refusal("this database has the wrong form", FORM) from None
        if secret:
            raise refusal("the database's address holds a password", PASSWORDS)
        if _POSTGRES.fullmatch(value):
            return value
    elif _SQLITE.fullmatch(value):
        return value
    scheme = value.partition("://")[0]
    raise refusal(f"database {scheme}://… has the wrong form", FORM)


DATABASE_URL = AfterValidator(_check)
