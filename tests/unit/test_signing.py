"""The key that signs evidence: made once, never overwritten, closed to others, and readable by openssl."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from console.cli import main
from console.evidence.signing import KEY_FILE, PUBLIC_FILE, Signer, SigningError, Trusted


def test_a_key_is_made_once_and_its_public_half_names_the_signer(tmp_path: Path) -> None:
    signer = Signer.make(tmp_path)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert Signer.load(tmp_path / KEY_FILE).fingerprint == signer.fingerprint
    assert Trusted.parse(str(tmp_path / PUBLIC_FILE)).fingerprints == {signer.fingerprint}
    assert Trusted.parse(signer.fingerprint).fingerprints == {signer.fingerprint}
    before = (tmp_path / KEY_FILE).read_bytes()
    with pytest.raises(SigningError, match="there is a signing key already, and it is kept"):
        Signer.make(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == [KEY_FILE, PUBLIC_FILE]


def test_openssl_agrees_with_the_signature(tmp_path: Path) -> None:
    message, signature = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(b"andon head v1\n")
    signature.write_bytes(Signer.make(tmp_path).sign(message.read_bytes()))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / PUBLIC_FILE, "-rawin", "-in", message]
    told = subprocess.run([*command, "-sigfile", signature], capture_output=True, text=True, check=False)
    assert "Signature Verified Successfully" in told.stdout


def test_the_desks_key_comes_first_and_the_states_is_made_where_there_is_none(tmp_path: Path) -> None:
    desk, state = tmp_path / "desk", tmp_path / "state"
    desk.mkdir()
    state.mkdir()
    made = Signer.ensure(desk, state)
    assert (state / KEY_FILE).exists()
    assert Signer.ensure(desk, state).fingerprint == made.fingerprint
    own = Signer.make(desk)
    assert Signer.ensure(desk, state).fingerprint == own.fingerprint
    trusted = Trusted.of(desk, state)
    assert trusted is not None
    assert trusted.fingerprints == {own.fingerprint, made.fingerprint}


def test_a_public_key_that_is_gone_comes_back_and_a_former_one_stays_trusted(tmp_path: Path) -> None:
    former = Signer.make(tmp_path)
    (tmp_path / PUBLIC_FILE).unlink()
    assert Signer.ensure(tmp_path, tmp_path).fingerprint == former.fingerprint
    (tmp_path / KEY_FILE).unlink()
    now = Signer.ensure(tmp_path, tmp_path)
    assert Trusted.parse(str(tmp_path / PUBLIC_FILE)).fingerprints == {former.fingerprint, now.fingerprint}


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    Signer.make(tmp_path)
    (tmp_path / KEY_FILE).chmod(mode)
    with pytest.raises(SigningError, match=f"{KEY_FILE}: others can reach the signing key; chmod 600 is expected"):
        Signer.load(tmp_path / KEY_FILE)


X25519 = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
    "-----END PUBLIC KEY-----\n"
)


@pytest.mark.parametrize("told", ["", "no key\n", X25519, "\x00\x01"])
def test_what_is_no_key_is_refused_with_its_file(tmp_path: Path, told: str) -> None:
    path = tmp_path / "some.file"
    path.write_text(told)
    path.chmod(0o600)
    with pytest.raises(SigningError, match=r"some\.file: this is no Ed25519 private key"):
        Signer.load(path)
    with pytest.raises(SigningError, match=r"some\.file: Ed25519 public keys in PEM are expected"):
        Trusted.parse(str(path))


@pytest.mark.parametrize("told", ["SHA256:short", "no/such/file", "x" * 5000])
def test_neither_a_fingerprint_nor_a_file_is_refused(told: str) -> None:
    with pytest.raises(SigningError, match="neither a fingerprint"):
        Trusted.parse(told)


def test_init_makes_the_key_and_info_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main(["init", str(tmp_path / "desk")]) == 0
    signer = Signer.load(tmp_path / "desk" / KEY_FILE)
    assert f"({signer.fingerprint}: note it" in capsys.readouterr().out
    assert main(["info", "--desk", str(tmp_path / "desk"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["signing_key"], told["signer"]) == (str(tmp_path / "desk" / KEY_FILE), signer.fingerprint)
    assert main(["init", str(tmp_path / "desk")]) == 0
    assert f"kept     {tmp_path / 'desk' / KEY_FILE}" in capsys.readouterr().out
    assert Signer.load(tmp_path / "desk" / KEY_FILE).fingerprint == signer.fingerprint
