"""Personal data at rest: sealed with AES-256-GCM, looked up by a keyed hash.

The key lives outside the database (`var/duecall.key`, or the environment's DUECALL_KEY), so that a
stolen database or backup says nothing about anybody. The key text is one line:

    duecall-key-1.HASH.SEAL[.OLDER-SEAL...]      each part 32 bytes in base64url

The first SEAL seals; all of them open, so that a new one can be put in front. HASH stays for the
life of the database: with another one no opt-out would be found again.

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
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_VARIABLE = "DUECALL_KEY"
KEY_NAME = "duecall-key-1"
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_ID_BYTES = 4
FORMAT = b"\x01"  # first byte of all that is sealed
HASH_CHARS = 32  # 128 bits: among a thousand million numbers a clash has a chance of 1e-21

_E164 = re.compile(r"\+[1-9][0-9]{2,14}\Z")


class VaultError(RuntimeError):
    """The key is missing, malformed, readable by others, or not the one that sealed this."""


def mask_phone(phone: str) -> str:
    """For logs and screens: "+84901234567" -> "+84…567". Short ones are hidden whole."""
    return f"{phone[:3]}…{phone[-3:]}" if len(phone) >= 10 else "…"


class Vault:
    """Seals, opens and hashes. Holds the keys in memory and never shows them."""

    def __init__(self, key_text: str) -> None:
        """key_text: see the module. VaultError where it is none."""
        hash_key, *seal_keys = _parse(key_text)
        self._hash_key = hash_key
        self._seals = {_key_id(key): AESGCM(key) for key in seal_keys}
        self._head = FORMAT + _key_id(seal_keys[0])
        self._seal = AESGCM(seal_keys[0])

    @classmethod
    def load(cls, path: Path, environ: Mapping[str, str] = os.environ) -> Vault:
        """From DUECALL_KEY, else from the file, which is made on first use with rights 0600."""
        if text := environ.get(KEY_VARIABLE, ""):
            try:
                return cls(text)
            except VaultError as error:
                raise VaultError(f"{KEY_VARIABLE}: {error}") from None
        if not path.exists():
            _make_key_file(path)
        return cls._from_file(path)

    @classmethod
    def _from_file(cls, path: Path) -> Vault:
        try:
            with path.open(encoding="ascii") as file:
                rights = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if rights & 0o077:
                    raise VaultError(
                        f"{path}: rights {rights:04o} let others read the key; "
                        f"run: chmod 600 {path}"
                    )
                return cls(file.read())
        except VaultError as error:
            text = str(error)
            raise VaultError(text if str(path) in text else f"{path}: {text}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise VaultError(f"{path}: the key cannot be read: {error}") from None

    def seal(self, data: bytes, context: str) -> bytes:
        """context: what this is and whose; `open` must be told the same. 33 bytes longer than data.

        It keeps a sealed value from being put into another row, where it would open just as well.
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        return self._head + nonce + self._seal.encrypt(nonce, data, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """VaultError where the key is unknown, or anything was changed."""
        start = len(FORMAT) + KEY_ID_BYTES
        if len(sealed) < start + NONCE_BYTES + TAG_BYTES or sealed[:1] != FORMAT:
            raise VaultError("not a sealed value of this format; is the database damaged?")
        cipher = self._seals.get(bytes(sealed[1:start]))
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
        return hmac.new(self._hash_key, message, hashlib.sha256).hexdigest()[:HASH_CHARS]

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
    parts = (secrets.token_bytes(KEY_BYTES) for _ in range(2))
    return ".".join([KEY_NAME, *(base64.urlsafe_b64encode(part).decode() for part in parts)])


def _parse(text: str) -> list[bytes]:
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


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"duecall key id" + key).digest()[:KEY_ID_BYTES]


def _make_key_file(path: Path) -> None:
    """Whole or not at all, durable before its first use; of two makers at once, one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # 0600 by itself
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_key_text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        os.unlink(name)
