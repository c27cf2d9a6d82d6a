"""Keys that lie in a token of PKCS #11, by SoftHSM: made there or brought there by its own tool,
signing what delv validates, through restarts of workers, wrong PINs and tokens that go and come."""

from __future__ import annotations

import base64
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import dns.dnssec
import dns.rcode
import dns.rdata
import pytest
from cryptography.hazmat.primitives import serialization

from lzc import manual
from lzc.dnssec import algorithms
from tests.patience import PATIENCE
from tests.peers._peers import find, require
from tests.unit.live_server import LiveServer, Project
from tests.unit.serve.test_keys import restart_workers, states

MANUAL: Final = Path(manual.__file__).parent
LIBRARY: Final = Path("/usr/lib/softhsm/libsofthsm2.so")
ZONE: Final = "signed.example"
IN_TOKENS: Final = (8, 10, 13, 14, 15)
PIN, WRONG = "24680", "13579"
ZONE_FILE: Final = """\
$ORIGIN signed.example.
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.1
*.wild TXT "any"
"""
SETTINGS: Final = f"""\
[build]
sources = ["zones/*.zone"]
[dnssec]
pkcs11-module = "{LIBRARY}"
pkcs11-pin-file = "pin"
denial = "nsec3-narrow"
[zone."{ZONE}"]
dnssec = true
"""


class Hsm:
    """SoftHSM with one token, ``dns``, and a project that reaches it."""

    def __init__(self, folder: Path) -> None:
        self.tokens = folder / "tokens"
        self.tokens.mkdir()
        self.project = Project(folder, SETTINGS)
        (folder / "zones").mkdir()
        (folder / "zones" / f"{ZONE}.zone").write_text(ZONE_FILE)
        self.pin = folder / "pin"
        self.pin.touch(0o600)
        self.pin.write_text(f"{PIN}\n")
        self.util("--init-token", "--free", "--label", "dns", "--so-pin", "98765", "--pin", PIN)

    def util(self, *words: str) -> None:
        program = find("softhsm2-util")
        assert program is not None
        run([program, *words])

    def lzc(self, *words: str, code: int = 0) -> str:
        """What a command of lzc says, in a process of its own."""
        where = ["-c", str(self.project.config)]
        return run([sys.executable, "-m", "lzc", *words, *where], code=code)

    def generate(self, algorithm: int, *options: str) -> str:
        named = f"--algorithm={algorithm}"
        return self.lzc("keys", "generate", ZONE, "--pkcs11=pkcs11:token=dns", named, *options)

    def validate(self, server: LiveServer, name: str, rrtype: str) -> str:
        """What delv says of an answer, with the DS of the keystore as the anchor."""
        program = find("delv")
        assert program is not None
        anchors = self.project.folder / "anchors"
        lines = []
        for record in self.lzc("keys", "ds", ZONE).splitlines():
            tag, algorithm, kind, digest = record.split(" DS ")[1].split(maxsplit=3)
            lines.append(f'"{ZONE}" static-ds {tag} {algorithm} {kind} "{digest}";')
        anchors.write_text(f"trust-anchors {{ {' '.join(lines)} }};\n")
        where = ["@127.0.0.1", "-p", str(server.port), "-a", str(anchors), f"+root={ZONE}"]
        return run([program, *where, "-q", name, "-t", rrtype])

    def is_valid(self, server: LiveServer) -> bool:
        """Whether all kinds of answers validate; the name that is not there has new signatures."""
        self.asked = getattr(self, "asked", 0) + 1
        questions = [
            (ZONE, "DNSKEY"),
            (ZONE, "SOA"),
            (f"www.{ZONE}", "A"),
            (f"www.{ZONE}", "TXT"),
            (f"x{self.asked}.wild.{ZONE}", "TXT"),
            (f"x{self.asked}.{ZONE}", "A"),
        ]
        said = [self.validate(server, name, rrtype) for name, rrtype in questions]
        return all("fully validated" in one and "unsigned" not in one for one in said)

    def out(self, server: LiveServer) -> str:
        """Why the zone is out of service; nothing while it is served."""
        status = server.control("status")["keys"]
        return "".join(one["problem"] for one in status if one["state"] == "servfail")


def run(words: list[str], *, code: int = 0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    said = done.stdout + done.stderr
    if Path(words[0]).name != "delv":
        assert done.returncode == code, f"{words}: {said}"
    return said


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hsm:
    require("softhsm2-util")
    settings = tmp_path / "softhsm2.conf"
    settings.write_text(
        f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n"
        "log.level = ERROR\n"
    )
    monkeypatch.setenv("SOFTHSM2_CONF", str(settings))
    return Hsm(tmp_path)


def rcode(server: LiveServer, label: str) -> str:
    return dns.rcode.to_text(server.ask(f"{label}.{ZONE}", want_dnssec=True).rcode())


def maps_library(pid: int) -> bool:
    return LIBRARY.name in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize("algorithm", IN_TOKENS)
def test_keys_made_in_the_token_sign_what_delv_validates(hsm: Hsm, algorithm: int) -> None:
    require("delv")
    shown = hsm.generate(algorithm, "--policy=ksk-zsk")
    assert re.findall(r" (KSK|ZSK) +token ", shown) == ["KSK", "ZSK"]
    files = list((hsm.project.folder / "keys").glob("*.private"))
    assert len(files) == 2
    for file in files:
        fields = [line.split(":")[0] for line in file.read_text().splitlines()]
        assert fields[2:4] == ["Engine", "Label"]
        assert not {"PrivateKey", "PrivateExponent", "Prime1"} & set(fields)
        assert PIN not in file.read_text()
    hsm.lzc("build")
    with LiveServer(hsm.project, workers=2) as server:
        assert hsm.is_valid(server)
        # A library is of no use in a process that forked from one which opened it.
        assert not maps_library(server.process.pid)
        pids = [one["pid"] for one in server.control("status")["workers"]]
        assert len(pids) == 2 and all(map(maps_library, pids))
        restart_workers(server)
        assert hsm.is_valid(server)
        assert not hsm.out(server)


def make_pem(file: Path, algorithm: int) -> bytes:
    """A key of ours in PKCS #8; its public half as the DNSKEY has it."""
    private = algorithms.generate(algorithm)
    file.touch(0o600)
    file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return algorithms.public_octets(private)


@pytest.mark.parametrize("algorithm", [8, 13])
def test_a_key_that_is_in_the_token_is_taken_by_its_name(
    hsm: Hsm, tmp_path: Path, algorithm: int
) -> None:
    require("delv")
    public = make_pem(tmp_path / "pem", algorithm)
    where = ["--token", "dns", "--pin", PIN, "--label", "my key", "--id", "a1"]
    hsm.util("--import", str(tmp_path / "pem"), *where)
    for name in ("object=my%20key", "id=%A1", "object=my%20key;id=%A1;type=private"):
        uri = f"pkcs11:token=dns;{name}"
        for file in (hsm.project.folder / "keys").glob("K*"):
            file.unlink()
        named = f"--algorithm={algorithm}"
        hsm.lzc("keys", "import", ZONE, f"--pkcs11={uri}", named, "--ksk")
        (file,) = (hsm.project.folder / "keys").glob("*.key")
        assert base64.b64encode(public).decode() in file.read_text()
        assert uri in hsm.lzc("keys", "show", ZONE, file.name[-9:-4])
    hsm.lzc("build")
    with LiveServer(hsm.project) as server:
        assert hsm.is_valid(server)

    out = tmp_path / "out"
    for layout in ("pem", "powerdns"):
        said = hsm.lzc("keys", "export", ZONE, "-o", str(out), "--format", layout, code=1)
        assert "lies in a token, and stays there" in said
    assert "stays in its token" in hsm.lzc("keys", "export", ZONE, "-o", str(out))
    (named_there,) = out.glob("*.private")
    kept = (hsm.project.folder / "keys" / named_there.name).read_text()
    assert named_there.read_text() == kept
    # Another keystore of the same token takes the files.
    for file in (hsm.project.folder / "keys").glob("K*"):
        file.unlink()
    hsm.lzc("keys", "import", ZONE, str(named_there))
    assert (hsm.project.folder / "keys" / named_there.name).read_text() == kept


def test_what_dnssec_keyfromlabel_writes_is_taken(hsm: Hsm, tmp_path: Path) -> None:
    """As BIND 9.18 has it, whose engine for PKCS #11 Debian has not with it: with the file of the
    PIN in the path of the URI, and dates."""
    require("delv")
    public = base64.b64encode(make_pem(tmp_path / "pem", 13)).decode()
    where = ["--token", "dns", "--pin", PIN, "--label", "bind key", "--id", "b1"]
    hsm.util("--import", str(tmp_path / "pem"), *where)
    own_pin = tmp_path / "own.pin"
    own_pin.touch(0o600)
    own_pin.write_text(PIN)
    hsm.pin.write_text(WRONG)
    uri = f"pkcs11:token=dns;object=bind%20key;pin-source={own_pin}"
    record = f"{ZONE}. IN DNSKEY 257 3 13 {public}\n"
    key = dns.rdata.from_text("IN", "DNSKEY", f"257 3 13 {public}")
    base = tmp_path / f"K{ZONE}.+013+{dns.dnssec.key_id(key):05}"  # type: ignore[arg-type]
    base.with_name(f"{base.name}.key").write_text(
        f"; This is a key-signing key, for {ZONE}.\n; Created: 20260101000000\n{record}"
    )

    def write(label: str) -> str:
        file = base.with_name(f"{base.name}.private")
        file.touch(0o600)
        engine, where = (
            base64.b64encode(one.encode() + b"\0").decode() for one in ("pkcs11", label)
        )
        file.write_text(
            f"Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nEngine: {engine}\n"
            f"Label: {where}\nCreated: 20260101000000\nPublish: 20260101000000\n"
            "Activate: 20260101000000\n"
        )
        return str(file)

    for label, problem in {
        uri.replace("bind%20key", "other"): "the token has no such private key",
        uri.replace("token=dns", "token=gone"): "there is no such token",
        "pkcs11:object=bind%20key": "Label: the URI names no token: token=LABEL is missing",
        f"{uri};slot-id=1": "Label: slot-id does not tell lzc which key it is",
        "bind key": "Label: not a PKCS #11 URI",
        f"pkcs11:token=dns;object=bind%20key;pin-value={PIN}": "pin-value would leave the PIN",
    }.items():
        said = hsm.lzc("keys", "import", ZONE, write(label), code=1)
        assert problem in said
        assert PIN not in said.replace(label, "")
    hsm.lzc("keys", "import", ZONE, write(uri))
    assert "2026-01-01" in hsm.lzc("keys", "show", ZONE, base.name[-5:])
    hsm.lzc("build")
    with LiveServer(hsm.project) as server:
        assert hsm.is_valid(server)


def test_the_commands_of_the_manual_are_taken(hsm: Hsm, tmp_path: Path) -> None:
    text = (MANUAL / "keys.md").read_text()
    lines = [line for line in re.findall(r"^    lzc (keys .*)", text, re.M) if "--pkcs11" in line]
    assert [line.split()[1] for line in lines] == ["generate", "import"]
    make_pem(tmp_path / "pem", 13)
    where = ["--token", "dns", "--pin", PIN, "--label", "shop-ksk", "--id", "01"]
    hsm.util("--import", str(tmp_path / "pem"), *where)
    for line in lines:
        hsm.lzc(*(ZONE if word == "shop.example" else word for word in shlex.split(line)))
    assert len(list((hsm.project.folder / "keys").glob("*.private"))) == 2


def test_what_is_not_in_the_token_is_not_taken(hsm: Hsm, tmp_path: Path) -> None:
    for label, ident in (("one", "01"), ("two", "02")):
        make_pem(tmp_path / label, 13)
        where = ["--token", "dns", "--pin", PIN, "--label", label, "--id", ident]
        hsm.util("--import", str(tmp_path / label), *where)
    cases = {
        "pkcs11:token=dns;object=three": "the token has no such private key",
        "pkcs11:token=sdn;object=one": "there is no such token",
        "pkcs11:token=dns": "the URI names no key in the token",
    }
    for uri, problem in cases.items():
        words = ("keys", "import", ZONE, f"--pkcs11={uri}", "--zsk")
        assert problem in hsm.lzc(*words, "--algorithm=13", code=1)
    named = ("keys", "import", ZONE, "--pkcs11=pkcs11:token=dns;object=one", "--zsk")
    assert "is no RSASHA256 key" in hsm.lzc(*named, "--algorithm=8", code=1)
    assert "is no ECDSAP384SHA384 key" in hsm.lzc(*named, "--algorithm=14", code=1)
    assert "does not sign with ED448 in a token" in hsm.lzc(*named, "--algorithm=16", code=1)
    assert not list((hsm.project.folder / "keys").glob("K*"))


def test_a_wrong_pin_puts_the_zone_out_of_service_and_the_right_one_back(hsm: Hsm) -> None:
    require("delv")
    hsm.generate(13)
    hsm.lzc("build")
    hsm.pin.write_text(WRONG)
    # Builds need the public half only, which is in the keystore.
    hsm.lzc("build")
    with LiveServer(hsm.project) as server:
        server.wait_for(lambda: hsm.out(server))
        assert "the token refuses the PIN" in hsm.out(server)
        assert {rcode(server, label) for label in ("www", "nothing")} == {"SERVFAIL"}
        server.wait_for(lambda: server.logged("the token refuses the PIN"))
        hsm.pin.write_text(PIN)
        server.wait_for(lambda: not hsm.out(server))
        assert hsm.is_valid(server)
        hsm.pin.chmod(0o644)
        restart_workers(server)
        server.wait_for(lambda: "is open to other users" in hsm.out(server))
        hsm.pin.chmod(0o600)
        server.wait_for(lambda: not hsm.out(server))
        assert hsm.is_valid(server)
        assert not any(word in line for line in server.log for word in (PIN, WRONG))


def test_a_token_that_goes_and_comes_back(hsm: Hsm) -> None:
    """Where it goes under a worker that has it open, and where it is not there at the start."""
    require("delv")
    hsm.generate(13)
    hsm.lzc("build")
    away = hsm.tokens.with_name("away")
    count = 0

    def unsigned() -> bool:
        nonlocal count
        count += 1
        return rcode(server, f"new{count}") == "SERVFAIL"

    with LiveServer(hsm.project) as server:
        assert hsm.is_valid(server)
        hsm.tokens.rename(away)
        hsm.tokens.mkdir()
        server.wait_for(unsigned)
        server.wait_for(lambda: hsm.out(server))
        assert "there is no such token" in hsm.out(server)
        assert states(server) == {f"{ZONE}.": "servfail"}
        assert rcode(server, "www") == "SERVFAIL"
        restart_workers(server)
        server.wait_for(lambda: hsm.out(server))
        hsm.tokens.rmdir()
        away.rename(hsm.tokens)
        server.wait_for(lambda: not hsm.out(server))
        assert hsm.is_valid(server)


DESTROYS = """
import sys, pkcs11
library, pin, label = sys.argv[1:]
(token,) = pkcs11.lib(library).get_tokens(token_label="dns")
with token.open(rw=True, user_pin=pin) as session:
    for key in list(session.get_objects({pkcs11.Attribute.LABEL: label})):
        key.destroy()
"""


def test_a_key_that_is_gone_is_told_before_it_is_needed(hsm: Hsm, tmp_path: Path) -> None:
    """The worker still has its signatures, and a handle to the key."""
    make_pem(tmp_path / "pem", 13)
    hsm.util(
        "--import",
        str(tmp_path / "pem"),
        *("--token", "dns", "--pin", PIN),
        *("--label", "mine", "--id", "a1"),
    )
    uri = "pkcs11:token=dns;object=mine"
    hsm.lzc("keys", "import", ZONE, f"--pkcs11={uri}", "--algorithm=13", "--ksk")
    hsm.lzc("build")
    often = "from lzc.serve.supervise import key_watch\nkey_watch.PERIOD = key_watch._SHARE = 0.1\n"
    with LiveServer(hsm.project, inject=often) as server:
        assert rcode(server, "www") == "NOERROR"
        run([sys.executable, "-c", DESTROYS, str(LIBRARY), PIN, "mine"])
        server.wait_for(lambda: states(server))
        assert states(server) == {f"{ZONE}.": "at risk"}
        assert server.logged("KEYS AT RISK")
        assert "the token has no such private key" in str(server.control("status")["keys"])
        assert rcode(server, "www") == "NOERROR"
        where = ("--token", "dns", "--pin", PIN, "--label", "mine", "--id", "a1")
        hsm.util("--import", str(tmp_path / "pem"), *where, "--force")
        server.wait_for(lambda: not states(server))


HANGS = """
import os, time
from lzc.dnssec.token.sessions import Tokens
as_before = Tokens._sign
def sign(*arguments):
    # As a call of the library does, it lets others run meanwhile.
    while os.path.exists(os.environ["LZC_TEST_HANGS"]):
        time.sleep(0.01)
    return as_before(*arguments)
Tokens._sign = sign
"""


def test_a_signature_that_never_comes_harms_no_other_zone(
    hsm: Hsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the worker for a second, not for good, and is not waited for again; the zone is back
    when the token is."""
    require("delv")
    other = "plain.example"
    with hsm.project.config.open("a") as config:
        config.write(f'[zone."{other}"]\nsource = "{other}"\n')
    (hsm.project.folder / other).write_text(ZONE_FILE.replace(ZONE, other))
    hsm.generate(13)
    hsm.lzc("build")
    hangs = hsm.project.folder / "hangs"
    monkeypatch.setenv("LZC_TEST_HANGS", str(hangs))
    with LiveServer(hsm.project, inject=HANGS) as server:
        assert hsm.is_valid(server)
        hangs.touch()
        assert rcode(server, "new") == "SERVFAIL"
        assert server.answers(f"www.{other}") == ["192.0.2.1"]
        server.wait_for(lambda: hsm.out(server))
        assert "the token" in hsm.out(server)
        assert {rcode(server, f"new{number}") for number in range(9)} == {"SERVFAIL"}
        assert server.answers(f"www.{other}") == ["192.0.2.1"]
        hangs.unlink()
        server.wait_for(lambda: not hsm.out(server))
        assert hsm.is_valid(server)
        assert server.control("status")["workers"][0]["restarts"] == 0
        assert not server.logged("did not respond")


IN_ONE_PROCESS = """
import os, sys
from pkcs11 import Mechanism
from lzc import config
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.token import public_half, sessions
from lzc.wire import name
(key,) = Keystore.of(config.load(sys.argv[1])).load(name.from_text("signed.example."))
def check():
    made = key.sign(b"data")
    assert public_half.verifies(key.algorithm, key.dnskey[4:], made, b"data")
    assert not public_half.verifies(key.algorithm, key.dnskey[4:], made, b"other")
    return made
before = check()
child = os.fork()
if not child:
    check()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
check()
(library,) = sessions._LIBRARIES.values()
"""
BY_DIGEST = """
((place, one),) = library._sessions.items()
without = one.mechanisms - {Mechanism.SHA256_RSA_PKCS, Mechanism.SHA512_RSA_PKCS}
assert len(without) == len(one.mechanisms) - 2
library._sessions[place] = one._replace(mechanisms=without)
assert check() == before
"""
SESSION_LOST = """
((_, one),) = library._sessions.items()
one.session.close()
check()
"""


@pytest.mark.parametrize(
    ("algorithm", "more"),
    [(8, BY_DIGEST), (10, BY_DIGEST), (13, SESSION_LOST), (15, SESSION_LOST)],
)
def test_a_process_its_child_and_what_tokens_lack(hsm: Hsm, algorithm: int, more: str) -> None:
    """A fork opens the library anew, and its parent's goes on; RSA without the digest's mechanism
    gives the same octets; a lost session is opened once more."""
    hsm.generate(algorithm)
    run([sys.executable, "-c", IN_ONE_PROCESS + more, str(hsm.project.config)])
