"""Private keys sealed at rest: what opens them, and what does not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from lzc.config import load
from lzc.dnssec.keystore import bindfile, sealing
from lzc.dnssec.keystore.bindfile import InvalidKeyFile
from lzc.dnssec.keystore.changes import AUDIT
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.keystore.sealing import Secret, WrongSecret, is_sealed
from lzc.dnssec.keystore.stepping import Wanted, take
from lzc.dnssec.life.phases import Intervals
from lzc.dnssec.life.steps import Step
from lzc.faults import InputError
from lzc.wire import name
from tests.unit.command_line import HEAD, lzc

ZONE = name.from_text("example.org.")
OTHER = name.from_text("example.net.")
NOW = 1_790_000_000
WORDS = b"correct horse battery staple"
BOTH = [Secret(passphrase=WORDS), Secret(key=bytes(range(32)))]


@pytest.mark.parametrize("secret", BOTH)
def test_what_is_sealed_is_opened_again(secret: Secret) -> None:
    sealed = secret.seal("K.private", "PrivateKey: secret\n")
    assert is_sealed(sealed)
    assert "secret" not in sealed
    assert secret.unseal("K.private", sealed) == "PrivateKey: secret\n"
    assert secret.seal("K.private", "PrivateKey: secret\n") != sealed
    assert "horse" not in repr(secret)


@pytest.mark.parametrize(
    "other", [Secret(passphrase=b"wrong"), Secret(key=bytes(32)), *BOTH[:1], *BOTH[1:]]
)
@pytest.mark.parametrize("secret", BOTH)
def test_another_secret_or_name_opens_nothing(secret: Secret, other: Secret) -> None:
    sealed = secret.seal("K.private", "text")
    if other is not secret:
        with pytest.raises(WrongSecret):
            other.unseal("K.private", sealed)
    with pytest.raises(WrongSecret):
        secret.unseal("Kother.private", sealed)


@pytest.mark.parametrize(
    ("before", "after"),
    [("v1", "v2"), ("Nonce: ", "None: "), ("Data: ", "Data: AAAA"), ("Key", "K")],
)
def test_what_is_damaged_is_not_opened(before: str, after: str) -> None:
    secret = BOTH[1]
    with pytest.raises(InvalidKeyFile):
        secret.unseal("K", secret.seal("K", "text").replace(before, after, 1))


def test_a_passphrase_costs_time_once_for_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    scrypt = Scrypt

    def counted(*arguments: int) -> object:
        made.append(arguments)
        return scrypt(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sealing, "Scrypt", counted)
    writer, reader = Secret(passphrase=WORDS), Secret(passphrase=WORDS)
    sealed = {str(number): writer.seal(str(number), "text") for number in range(5)}
    assert {reader.unseal(number, text) for number, text in sealed.items()} == {"text"}
    reader.unseal("5", reader.seal("5", "text"))
    assert len(made) == 2


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keys", lambda: Secret(passphrase=WORDS))


class TestKeystore:
    def test_new_keys_are_sealed_and_used(self, keystore: Keystore) -> None:
        made = keystore.generate(ZONE, 15, FLAGS["ksk-zsk"], NOW)
        texts = [file.read_text() for file in keystore.path.glob("*.private")]
        assert len(texts) == 2
        assert all(map(is_sealed, texts))
        assert {key.dnskey for key in keystore.load(ZONE)} == {key.dnskey for key in made}

    def test_a_step_leaves_them_sealed(self, keystore: Keystore) -> None:
        for step in (Step.RETIRE, Step.REVOKE):
            (key, *_) = keystore.load(ZONE) or keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
            wanted = Wanted(ZONE, ((None, key.tag),), step, NOW, force=True)
            take(keystore, wanted, NOW, Intervals())
            assert all(is_sealed(f.read_text()) for f in keystore.path.glob("*.private"))
        (key,) = keystore.load(ZONE)
        assert key.is_revoked

    def test_without_the_secret_it_is_a_fault_of_each_key(self, keystore: Keystore) -> None:
        for zone in (ZONE, OTHER):
            keystore.generate(zone, 15, FLAGS["csk"], NOW)
        for other in (
            Keystore(keystore.path),
            Keystore(keystore.path, lambda: Secret(passphrase=b"wrong")),
        ):
            for zone in (ZONE, OTHER):
                keys, faults = other.sift(zone)
                assert keys == []
                ((file, (fault,)),) = faults.items()
                assert (fault.rule, fault.place.file) == ("key-sealed", str(file))
                assert "horse" not in str(fault)
                assert "wrong" not in str(fault)

    def test_an_export_is_in_the_clear(self, keystore: Keystore, tmp_path: Path) -> None:
        (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], NOW)
        (file,) = keystore.export([key], tmp_path / "out")
        assert bindfile.parse_private(file.read_text())[0] == 15


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A signed zone whose keys are in the clear, and a passphrase beside it."""
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "example.org.zone").write_text(HEAD)
    configure(tmp_path)
    for zone in ("example.org", "example.net"):
        assert lzc(tmp_path, "keys", "generate", zone).exit_code == 0
    secret(tmp_path / "passphrase", WORDS.decode() + "\n")
    return tmp_path


def configure(project: Path, more: str = "") -> None:
    (project / "lzc.toml").write_text(
        '[build]\nsources = ["zones/*.zone"]\n[zone."example.org"]\ndnssec = true\n'
        f"[dnssec]\nalgorithm = 15\n{more}\n"
    )


def secret(file: Path, text: str) -> None:
    file.touch(0o600)
    file.write_text(text)


def sealed(project: Path) -> list[bool]:
    return [is_sealed(file.read_text()) for file in project.glob("keys/*.private")]


def test_a_keystore_is_sealed_and_opened_again_in_one_step(project: Path) -> None:
    result = lzc(project, "keys", "encrypt")
    assert "nothing seals private keys here" in result.stderr
    configure(project, 'keystore-passphrase-file = "passphrase"')
    result = lzc(project, "keys", "status", "example.org")
    assert "in the clear" in result.stdout
    result = lzc(project, "keys", "encrypt", "--format", "json")
    assert [one["zone"] for one in json.loads(result.stdout)] == ["example.net.", "example.org."]
    assert sealed(project) == [True, True]
    for command in (("build",), ("query", "example.org", "SOA", "--dnssec"), ("keys", "list")):
        result = lzc(project, *command)
        assert result.exit_code == 0, result.output
        assert "horse" not in result.output
    assert "RRSIG" in lzc(project, "query", "example.org", "SOA", "--dnssec").stdout
    assert lzc(project, "keys", "decrypt", "example.net").exit_code == 0
    assert sorted(sealed(project)) == [False, True]
    lines = (project / "keys" / AUDIT).read_text()
    assert lines.count('"sealed"') == 2
    assert "horse" not in lines


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        (None, 0o600, "cannot be read"),
        ("x\n", 0o644, "open to other users"),
        ("\n", 0o600, "is empty"),
        ("wrong\n", 0o600, "cannot be opened"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_of_the_zone(
    project: Path, text: str | None, mode: int, message: str
) -> None:
    configure(project, 'keystore-passphrase-file = "passphrase"')
    assert lzc(project, "keys", "encrypt").exit_code == 0
    (project / "passphrase").unlink()
    if text is not None:
        secret(project / "passphrase", text)
        (project / "passphrase").chmod(mode)
    result = lzc(project, "build")
    assert result.exit_code == 1
    assert message in result.stderr


def test_a_key_in_a_file_or_a_credential_does_as_well(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "credentials").mkdir()
    secret(project / "credentials" / "keystore", "ab" * 32 + "\n")
    monkeypatch.setitem(os.environ, "CREDENTIALS_DIRECTORY", str(project / "credentials"))
    configure(project, 'keystore-key-file = "credential:keystore"')
    assert lzc(project, "keys", "encrypt").exit_code == 0
    assert lzc(project, "build").exit_code == 0
    secret(project / "credentials" / "keystore", "ab\n")
    result = lzc(project, "keys", "list")
    assert "not 64 hexadecimal digits" in result.stderr


def test_one_secret_is_enough(project: Path) -> None:
    configure(project, 'keystore-passphrase-file = "a"\nkeystore-key-file = "b"')
    with pytest.raises(InputError, match="not with both"):
        load(project / "lzc.toml")
