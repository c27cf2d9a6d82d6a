"""Key files that say in which token a key lies, and what is said where it cannot be reached."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import pytest

from lzc.answer.zone import ServedZone, SigningFailure
from lzc.bundle.zone_keys import unreachable
from lzc.config import load
from lzc.dnssec import algorithms
from lzc.dnssec.key import KSK_FLAGS, SigningKey
from lzc.dnssec.keystore import bindfile
from lzc.dnssec.keystore.bindfile import InvalidKeyFile
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.life.timing import Timing
from lzc.dnssec.signing.cache import SignatureCache
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.dnssec.token.key import TokenKey
from lzc.dnssec.token.sessions import UNREACHABLE, Tokens, Unreachable
from lzc.dnssec.token.uri import TokenUri, parse
from lzc.faults import InputError
from lzc.wire import name
from lzc.wire.message import RRset

ZONE = name.from_text("example.org.")
URI = parse("pkcs11:token=dns;object=my%20key?pin-source=pins/dns")
NOW = 1_800_000_000.0
ACTIVE = Timing(publish=0, activate=0)


def text(label: bytes, engine: str = "") -> str:
    label_line = f"Label: {base64.b64encode(label).decode()}\n"
    return f"Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\n{engine}{label_line}"


def in_token(tokens: Tokens, uri: TokenUri = URI, algorithm: int = 13) -> SigningKey:
    public = algorithms.public_octets(algorithms.generate(algorithm))
    private = TokenKey(uri, algorithm, public, tokens)
    return SigningKey.make(ZONE, algorithm, KSK_FLAGS, private, ACTIVE)


def test_a_file_names_the_key_as_bind_does() -> None:
    found = bindfile.parse_whole(text(str(URI).encode() + b"\0", "Engine: cGtjczExAA==\n"))
    assert (found.algorithm, found.private) == (13, URI)
    # Of BIND 9.20 there is no engine any more.
    assert bindfile.parse_whole(text(str(URI).encode())).private == URI


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (text(b"pkcs11:token=a;object=b?pin-value=24680\0"), "pin-value would leave the PIN"),
        (text(b"my key\0"), "Label: not a PKCS #11 URI"),
        (text(b"\xff\0"), "Label: not UTF-8"),
        (text(b"x").replace("Label", "Engine"), "Label is missing"),
    ],
)
def test_a_file_that_does_not_is_damaged(file: str, problem: str) -> None:
    with pytest.raises(InvalidKeyFile, match=problem) as error:
        bindfile.parse_whole(file)
    assert "24680" not in str(error.value)


def test_a_keystore_has_the_key_with_all_but_its_private_half(tmp_path: Path) -> None:
    keystore = Keystore(tmp_path / "keys")
    key = in_token(keystore.tokens)
    keystore.add(key)
    (found,) = keystore.load(ZONE)
    assert (found, found.private) == (key, key.private)
    assert found.token == URI
    assert found.revoked().token == URI
    (file,) = (tmp_path / "keys").glob("*.private")
    assert file.read_text() == bindfile.format_private(found)
    with pytest.raises(InputError, match="lies in a token, and stays there"):
        keystore.export_pem([found], tmp_path / "pem")
    assert not (tmp_path / "pem").exists()
    (copy,) = keystore.export([found], tmp_path / "out")
    assert copy.read_text() == file.read_text()


def problem_of(tokens: Tokens, **options: Any) -> tuple[str, str, str]:
    (fault,) = unreachable([in_token(tokens, **options)], NOW)
    assert str(fault.place) == str(options.get("uri", URI))
    return fault.rule, fault.message, fault.fix


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    rule, _, fix = problem_of(Tokens("/lib/x.so"))
    assert rule == "pkcs11-missing"
    assert fix.startswith("pip install 'lzc-dns[pkcs11]'")


def test_without_a_library_it_says_what_to_set(tmp_path: Path) -> None:
    rule, _, fix = problem_of(Tokens())
    assert (rule, "pkcs11-module" in fix) == ("token-module", True)
    rule, message, _ = problem_of(Tokens(str(tmp_path / "none.so")))
    assert (rule, "none.so" in message) == (UNREACHABLE, True)


def test_keys_that_do_not_sign_now_are_not_looked_for() -> None:
    private = in_token(Tokens()).private
    later = Timing(publish=0, activate=int(NOW) + 1)
    assert not unreachable([SigningKey.make(ZONE, 13, KSK_FLAGS, private, later)], NOW)


class Broken(Tokens):
    """Tokens that fail each time they are asked."""

    asked = 0

    def sign(self, uri: TokenUri, algorithm: int, data: bytes) -> bytes:
        self.asked += 1
        raise Unreachable.of(uri, UNREACHABLE, "gone", "bring it back")


def test_a_token_that_fails_is_not_asked_again_by_the_same_signer() -> None:
    cache, tokens = SignatureCache(), Broken()
    signer = ZoneSigner([in_token(tokens)], cache)
    for _ in range(3):
        with pytest.raises(Unreachable, match="gone"):
            signer.sign(ZONE, 16, 60, [b"\x01a"], NOW)
    assert (tokens.asked, cache.failed, len(cache)) == (1, {ZONE}, 0)
    served = ServedZone.__new__(ServedZone)
    served.apex, served.signer = ZONE, signer
    with pytest.raises(SigningFailure):
        served.signatures(ZONE, RRset(ZONE, 16, 60, (b"\x01a",)), NOW)


def test_the_pin_is_a_secret_like_others(tmp_path: Path) -> None:
    file = tmp_path / "lzc.toml"
    file.write_text('[dnssec]\npkcs11-module = "lib.so"\npkcs11-pin-file = "pin"\n')
    config = load(file)
    assert config.pkcs11_module == tmp_path / "lib.so"
    for path in (tmp_path / "pin", tmp_path / "other"):
        path.touch(0o600)
        path.write_text(f"{path.name} 24680\n")
    assert config.pkcs11_pin() == "pin 24680"
    assert config.pkcs11_pin("other") == "other 24680"
    assert config.pkcs11_pin(f"file:{tmp_path / 'other'}") == "other 24680"
    (tmp_path / "pin").chmod(0o644)
    with pytest.raises(InputError, match="the PIN of the token is open to other users"):
        config.pkcs11_pin()
    (tmp_path / "pin").chmod(0o600)
    (tmp_path / "pin").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        config.pkcs11_pin()
    file.write_text("")
    assert load(file).pkcs11_pin() is None
