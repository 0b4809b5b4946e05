"""The database's address: SQLite or PostgreSQL, and never a password in it."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from duecall.core.site import DatabaseUrl

URL = TypeAdapter(DatabaseUrl)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///var/duecall.db",
        "sqlite:////srv/duecall.db",
        "postgresql://duecall@db.example/duecall",
        "postgresql://duecall@127.0.0.1:5432/duecall",
        "postgresql://[::1]:5432/duecall",
        "postgresql://db/duecall?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    ],
)
def test_what_it_may_be(url: str) -> None:
    assert URL.validate_python(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://duecall:s3cret@db/duecall",
        "postgres://duecall:s3cret@db/duecall",
        "postgresql://duecall:@db/duecall",
        "postgresql://db/duecall?user=duecall&password=s3cret",
    ],
)
def test_a_password_is_refused_with_the_remedy_and_never_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        URL.validate_python(url)
    (detail,) = caught.value.errors(include_input=False)
    assert "holds a password" in detail["msg"]
    for place in ("DUECALL_DATABASE_PASSWORD", "PGPASSWORD", "~/.pgpass", "600"):
        assert place in detail["msg"]
    assert "s3cret" not in detail["msg"]


@pytest.mark.parametrize(
    "url",
    [
        "mysql://x/y",
        "sqlite://",
        "sqlite:///",
        "duecall.db",
        "postgres://db/duecall",
        "postgresql://db",
        "postgresql://db/",
        "postgresql://d b/duecall",
        "postgresql://[/duecall",
    ],
)
def test_what_it_may_not_be(url: str) -> None:
    with pytest.raises(ValidationError, match="wrong form"):
        URL.validate_python(url)
