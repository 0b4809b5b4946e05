"""The vault: what it seals comes back only whole, in its place and with its key."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.shell.vault import KEY_VARIABLE, Vault, VaultError, mask_phone, new_key_text

PHONE = "+84901234567"


def test_key_file_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "duecall.key"
    first = Vault.load(path, {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["duecall.key"]  # no scratch file left
    again = Vault.load(path, {})
    assert again.open(first.seal(b"data", "a"), "a") == b"data"
    assert again.phone_hash(PHONE) == first.phone_hash(PHONE)


@pytest.mark.parametrize("rights", [0o640, 0o604, 0o644, 0o660])
def test_wide_rights_are_refused_with_the_remedy(tmp_path: Path, rights: int) -> None:
    path = tmp_path / "duecall.key"
    Vault.load(path, {})
    path.chmod(rights)
    with pytest.raises(VaultError, match=f"chmod 600 {path}"):
        Vault.load(path, {})


def test_environment_comes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "duecall.key"
    text = new_key_text()
    vault = Vault.load(path, {KEY_VARIABLE: text})
    assert not path.exists()
    assert vault.fingerprint == Vault(text).fingerprint
    with pytest.raises(VaultError, match=KEY_VARIABLE):
        Vault.load(path, {KEY_VARIABLE: "nonsense"})


@pytest.mark.parametrize(
    "text", ["", "x", "duecall-key-1", "duecall-key-1.AAAA", "duecall-key-1.AAAA.!!", "k.a.b"]
)
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "duecall.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(VaultError) as caught:
        Vault.load(path, {})
    assert str(path) in str(caught.value)
    assert "!!" not in str(caught.value)


@given(data=st.binary(max_size=300), context=st.text(max_size=30))
def test_round_trip_and_no_two_alike(data: bytes, context: str) -> None:
    vault = Vault(new_key_text())
    one, two = vault.seal(data, context), vault.seal(data, context)
    assert vault.open(one, context) == data
    assert one != two
    assert len(data) < 4 or data not in one


def test_a_change_of_any_byte_or_place_is_seen() -> None:
    vault = Vault(new_key_text())
    sealed = vault.seal(b"Nguyen", "contact:1")
    for index in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[index] ^= 1
        with pytest.raises(VaultError):
            vault.open(bytes(damaged), "contact:1")
    for cut in range(len(sealed)):
        with pytest.raises(VaultError):
            vault.open(sealed[:cut], "contact:1")
    with pytest.raises(VaultError):
        vault.open(sealed, "contact:2")


def test_a_new_key_in_front_seals_and_the_old_one_still_opens() -> None:
    name, hash_key, old_seal = new_key_text().split(".")
    new_seal = new_key_text().split(".")[2]
    old = Vault(".".join([name, hash_key, old_seal]))
    both = Vault(".".join([name, hash_key, new_seal, old_seal]))
    assert both.open(old.seal(b"x", "c"), "c") == b"x"
    assert both.phone_hash(PHONE) == old.phone_hash(PHONE)
    with pytest.raises(VaultError, match="not in the key file"):
        old.open(both.seal(b"x", "c"), "c")


def test_phone_hash_is_keyed_and_takes_e164_only() -> None:
    one, two = Vault(new_key_text()), Vault(new_key_text())
    assert one.phone_hash(PHONE) == one.phone_hash(PHONE)
    assert one.phone_hash(PHONE) != two.phone_hash(PHONE)
    assert one.phone_hash(PHONE) != one.phone_hash("+84901234568")
    assert one.phone_hash(PHONE) != one.keyed_hash("contract", PHONE)
    for wrong in ("84907654321", "+0901", "", "+84 90", PHONE + "\n"):
        with pytest.raises(ValueError, match=r"E\.164") as caught:
            one.phone_hash(wrong)
        assert not wrong or wrong not in str(caught.value)


def test_mask() -> None:
    assert mask_phone(PHONE) == "+84…567"
    assert mask_phone("+849012") == "…"
    assert mask_phone("") == "…"


def test_many_first_users_at_once_get_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from duecall.shell.vault import Vault;"
        "sys.stdin.read(); print(Vault.load(Path(sys.argv[1]), {}).fingerprint)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "duecall.key")]
    makers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for maker in makers:  # all have started up: now go
        assert maker.stdin is not None
        maker.stdin.close()
        maker.stdin = None
    said = {maker.communicate(timeout=60)[0] for maker in makers}
    assert len(said) == 1 and said != {""}
