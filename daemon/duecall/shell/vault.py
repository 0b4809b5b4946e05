"""Personal data at rest: sealed with AES-256-GCM, looked up by a keyed hash.

The key lives outside the database (`var/duecall.key`, or the environment's DUECALL_KEY), so that a
stolen database or backup says nothing about anybody. The key text is one line:

    duecall-key-1.HASH.SEAL[.OLDER-SEAL...]      each part 32 bytes in base64url

The first SEAL seals; all of them open, so that a new one can be put in front (key_rotation.py).
HASH stays for the life of the database: with another one no opt-out would be found again.

One key seals 2**32 values at most (random 96-bit nonces, NIST SP 800-38D §8.3).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from duecall.shell import key_file
from duecall.shell.key_file import HeldFile

KEY_VARIABLE = "DUECALL_KEY"
KEY_NAME = "duecall-key-1"
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_ID_BYTES = 4
FORMAT = b"\x01"  # first byte of all that is sealed
SEALED_HEAD_BYTES = len(FORMAT) + KEY_ID_BYTES
HASH_CHARS = 32  # 128 bits: among a thousand million numbers a clash has a chance of 1e-21

_E164 = re.compile(r"\+[1-9][0-9]{2,14}\Z")


class VaultError(RuntimeError):
    """The key is missing, malformed, readable by others, or not the one that sealed this."""


def mask_phone(phone: str) -> str:
    """For logs and screens: "+84901234567" -> "+84…567". Short ones are hidden whole."""
    return f"{phone[:3]}…{phone[-3:]}" if len(phone) >= 10 else "…"


class _Seals(NamedTuple):
    """head: of all that is sealed from now on. by_id: the first one seals, all of them open."""

    head: bytes
    first: AESGCM
    by_id: dict[bytes, AESGCM]


class Vault:
    """Seals, opens and hashes. Holds the keys in memory and never shows them."""

    def __init__(self, key_text: str, held: HeldFile | None = None) -> None:
        """key_text: see the module. VaultError where it is none. held: the file it stands in."""
        hash_key, *seal_keys = parse_key(key_text)
        self._hash_key = hash_key
        self._seals = _seals(seal_keys)
        self._held = held
        self._path: Path | None = None

    @classmethod
    def load(cls, path: Path, environ: Mapping[str, str] = os.environ) -> Vault:
        """From DUECALL_KEY, else from the file, which is made on first use with rights 0600."""
        if text := environ.get(KEY_VARIABLE, ""):
            try:
                return cls(text)
            except VaultError as error:
                raise VaultError(f"{KEY_VARIABLE}: {error}") from None
        if not path.exists():
            key_file.make(path, new_key_text())
        text, held = read_key_file(path)
        try:
            vault = cls(text, held)
        except VaultError as error:
            raise VaultError(f"{path}: {error}") from None
        vault._path = path
        return vault

    # ---- a key file that is replaced while this process runs

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Of the keys that open, in hex; the first one seals. Not secret."""
        return tuple(key_id.hex() for key_id in self._seals.by_id)

    @property
    def replaced(self) -> bool:
        """Another key file stands in the place of the one that this came from: see `refresh`."""
        return self._held is not None and self._held.replaced

    def refresh(self) -> bool:
        """Take up the key file as it is now. False: it is the same, or there is none.

        While no transaction is open: what was sealed before is then written, and all that is sealed
        afterwards is sealed with the key that stands first now. VaultError where it cannot be
        taken up; then everything stays as it was.
        """
        if self._path is None or not self.replaced:
            return False
        text, held = read_key_file(self._path)
        hash_key, *seal_keys = parse_key(text)
        if hash_key != self._hash_key:
            held.close()
            raise VaultError(f"{self._path}: it is the key of another database now; put it back")
        self._seals = _seals(seal_keys)
        former, self._held = self._held, held
        if former is not None:
            former.close()
        return True

    # ---- sealing and hashing

    def seal(self, data: bytes, context: str) -> bytes:
        """context: what this is and whose; `open` must be told the same. 33 bytes longer than data.

        It keeps a sealed value from being put into another row, where it would open just as well.
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        seals = self._seals
        return seals.head + nonce + seals.first.encrypt(nonce, data, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """VaultError where the key is unknown, or anything was changed."""
        start = len(FORMAT) + KEY_ID_BYTES
        if len(sealed) < start + NONCE_BYTES + TAG_BYTES or sealed[:1] != FORMAT:
            raise VaultError("not a sealed value of this format; is the database damaged?")
        cipher = self._seals.by_id.get(bytes(sealed[1:start]))
        if cipher is None:
            raise VaultError(
                f"sealed with key {bytes(sealed[1:start]).hex()}, which is not in the key file; "
                "put the older key back behind the newer one"
            )
        nonce, text = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, text, context.encode())
        except InvalidTag:
            raise VaultError("a sealed value was changed; restore it from a backup") from None

    def keyed_hash(self, kind: str, text: str) -> str:
        """HMAC-SHA256, 32 hex digits: equal for equal (kind, text), and says nothing about text."""
        message = kind.encode() + b"\x00" + text.encode()
        return hmac.digest(self._hash_key, message, "sha256").hex()[:HASH_CHARS]

    def ledger_hash(self, text: str) -> str:
        """HMAC-SHA256 of a ledger entry and the tie of the one before it (shell/ledger.py), 64 hex
        digits."""
        return hmac.digest(self._hash_key, b"ledger\x00" + text.encode(), "sha256").hex()

    def ledger_tie(self, newest: str) -> str:
        """HMAC-SHA256 of the hash of an entry, 64 hex digits: what the next one carries on from.
        Only the chain's end has it in the database. newest: empty before the first entry."""
        return hmac.digest(self._hash_key, b"ledger tie\x00" + newest.encode(), "sha256").hex()

    def phone_hash(self, e164: str) -> str:
        """The key of L1, caps and stops. ValueError where it is not E.164 with its plus."""
        if not _E164.match(e164):
            raise ValueError(f"{mask_phone(e164)} is not an E.164 number such as +84901234567")
        return self.keyed_hash("phone", e164)

    @property
    def fingerprint(self) -> str:
        """Stored in the database: tells whether it belongs to this key. Not secret."""
        return self.keyed_hash("fingerprint", "duecall")


def new_key_text() -> str:
    """A fresh hash key and one seal key."""
    return key_text([new_key(), new_key()])


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def key_text(keys: Sequence[bytes]) -> str:
    """keys: the hash key, then seal keys, the first of which seals."""
    return ".".join([KEY_NAME, *(base64.urlsafe_b64encode(key).decode() for key in keys)])


def parse_key(text: str) -> list[bytes]:
    """What `key_text` was given. VaultError where this is no such text."""
    name, *parts = text.strip().split(".")
    if name != KEY_NAME or len(parts) < 2:
        raise VaultError(f"not a key: it must read {KEY_NAME}.HASH.SEAL; restore it from backup")
    try:
        keys = [base64.b64decode(part, altchars=b"-_", validate=True) for part in parts]
    except (binascii.Error, ValueError):
        raise VaultError("a part of the key is not base64url; restore it from backup") from None
    if any(len(key) != KEY_BYTES for key in keys):
        raise VaultError(f"a part of the key is not {KEY_BYTES} bytes; restore it from backup")
    return keys


def key_id(key: bytes) -> bytes:
    """Stands in all that this key has sealed. Not secret."""
    return hashlib.sha256(b"duecall key id" + key).digest()[:KEY_ID_BYTES]


def sealed_by(sealed: bytes) -> bytes:
    """The id of the key that sealed it."""
    return bytes(sealed[len(FORMAT) : len(FORMAT) + KEY_ID_BYTES])


def read_key_file(path: Path) -> tuple[str, HeldFile]:
    """The text, and the file, which is held. VaultError."""
    try:
        held = HeldFile(path)
        text = held.data.decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"{path}: the key cannot be read: {error}") from None
    if held.rights & 0o077:
        rights = held.rights
        held.close()
        raise VaultError(
            f"{path}: rights {rights:04o} let others read the key; run: chmod 600 {path}"
        )
    return text, held


def _seals(keys: Sequence[bytes]) -> _Seals:
    by_id = {key_id(key): AESGCM(key) for key in keys}
    return _Seals(FORMAT + key_id(keys[0]), AESGCM(keys[0]), by_id)
