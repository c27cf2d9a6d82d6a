"""Keys go between lzc, BIND and PowerDNS both ways, and signatures agree bit for bit."""

from __future__ import annotations

import base64
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset
import pytest
from click.testing import CliRunner

from lzc.answer.responder import Responder
from lzc.answer.settings import ResponderSettings
from lzc.bundle import current
from lzc.cli import group
from lzc.dnssec import algorithms, ds
from lzc.dnssec.key import KSK_FLAGS, ZSK_FLAGS, SigningKey
from lzc.dnssec.keystore import bindfile, importing
from lzc.dnssec.keystore.keystore import FLAGS, Keystore, base_name
from lzc.dnssec.keystore.stepping import Wanted, take
from lzc.dnssec.life.phases import Intervals
from lzc.dnssec.life.steps import Step
from lzc.dnssec.life.timing import Timing
from lzc.dnssec.signing.cache import SignatureCache
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.serve.worker.keyring import Signers
from lzc.wire import name
from tests.patience import PATIENCE
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, free_port
from tests.peers._peers.project import FIXTURES
from tests.peers._peers.releases import BIND, KNOT, POWERDNS, Release

ZONE_TEXT = "example.org"
ZONE = name.from_text("example.org.")
ALL = (8, 10, 13, 14, 15, 16)
ROLES = {"ksk": KSK_FLAGS, "zsk": ZSK_FLAGS}

ZONE_FILE = """\
$TTL 300
@           3600 IN SOA   NS1.example.org. Hostmaster.Example.org. 1 10800 3600 604800 600
@                IN NS    ns1.example.org.
@                IN NS    NS2.Example.ORG.
@                IN MX    10 Mail.example.org.
@                IN TXT   "one" "two"
ns1              IN A     192.0.2.1
ns2              IN A     192.0.2.2
www           60 IN A     192.0.2.30
www           60 IN A     192.0.2.4
www           60 IN AAAA  2001:db8::1
alias            IN CNAME WWW.Example.org.
_sip._tcp        IN SRV   1 2 5060 Ns1.Example.org.
*.wild           IN TXT   "any"
"""


def run(release: Release, program: str, *arguments: str | Path, folder: Path | None = None) -> str:
    done = subprocess.run(
        [*release.command(program), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{program} {arguments}:\n{done.stdout}{done.stderr}"
    return done.stdout


def ds_lines(key: SigningKey) -> set[str]:
    """Our DS records, as words in lower case without the owner."""
    records = (ds.to_text(ZONE, ds.ds_rdata(ZONE, key.dnskey, kind)) for kind in (2, 4))
    return {" ".join(record.split()[3:]).lower() for record in records}


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keys")


@pytest.fixture(params=BIND, ids=str)
def bind(request: pytest.FixtureRequest) -> Release:
    """BIND, for its programs that handle keys."""
    release: Release = request.param
    release.require()
    return release


def private_file(file: Path, text: str) -> Path:
    file.touch(0o600)
    file.write_text(text)
    return file


class TestBind:
    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("algorithm", ALL)
    def test_a_key_of_dnssec_keygen_keeps_tag_and_ds(
        self, bind: Release, keystore: Keystore, tmp_path: Path, algorithm: int, role: str
    ) -> None:
        options = ["-f", "KSK"] if role == "ksk" else []
        base = run(
            bind, "dnssec-keygen", "-q", "-K", tmp_path, "-a", str(algorithm), *options, ZONE_TEXT
        ).strip()
        file = tmp_path / f"{base}.private"
        key = keystore.import_file(ZONE, file, time.time())
        assert (base_name(key), key.flags) == (base, ROLES[role])
        assert key.timing.is_active(time.time())
        printed = run(
            bind, "dnssec-dsfromkey", "-a", "SHA-256", "-a", "SHA-384", tmp_path / f"{base}.key"
        )
        assert {" ".join(x.split()[3:]).lower() for x in printed.splitlines()} == ds_lines(key)
        assert (keystore.path / file.name).read_text() == file.read_text()

    def test_times_of_dnssec_settime_are_honoured(
        self, bind: Release, keystore: Keystore, tmp_path: Path
    ) -> None:
        base = run(bind, "dnssec-keygen", "-q", "-K", tmp_path, "-a", "15", ZONE_TEXT).strip()
        times = ["-P", "20300101000000", "-A", "20300102000000", "-I", "20300103000000"]
        run(bind, "dnssec-settime", "-K", tmp_path, *times, "-D", "20300104000000", base)
        key = keystore.import_file(ZONE, tmp_path / f"{base}.private", time.time())
        day = 86400
        start = 1893456000  # 2030-01-01
        states = [key.timing.state(start + at * day) for at in (-1, 0, 1, 2, 3)]
        assert states == ["hidden", "published", "active", "published", "hidden"]

    def test_dnssec_settime_reads_and_changes_our_keys(
        self, bind: Release, keystore: Keystore
    ) -> None:
        (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], time.time())
        run(bind, "dnssec-settime", "-K", keystore.path, "-I", "+0", base_name(key))
        (changed,) = keystore.load(ZONE)
        assert changed.timing.state(time.time() + 1) == "published"

    @pytest.mark.parametrize("policy", FLAGS)
    @pytest.mark.parametrize("algorithm", ALL)
    def test_dnssec_signzone_signs_with_our_keys(
        self, bind: Release, keystore: Keystore, tmp_path: Path, algorithm: int, policy: str
    ) -> None:
        made = keystore.generate(ZONE, algorithm, FLAGS[policy], time.time())
        (tmp_path / "zone").write_text(ZONE_FILE)
        whole = ["-z"] if policy == "csk" else []
        options = ["-S", "-K", str(keystore.path), "-o", ZONE_TEXT, "-f", "signed", *whole]
        run(bind, "dnssec-signzone", *options, "zone", folder=tmp_path)
        run(bind, "dnssec-verify", *whole, "-o", ZONE_TEXT, "signed", folder=tmp_path)
        signed = (tmp_path / "signed").read_text()
        assert all(f" {key.tag} {ZONE_TEXT}." in signed for key in made)


POLICY = """\
dnssec-policy "rolling" {
    keys {
        ksk lifetime 60d algorithm ecdsa256;
        zsk lifetime 30d algorithm ecdsa256;
    };
};
"""


class TestStates:
    """Keys that BIND's dnssec-policy looks after."""

    @pytest.fixture
    def folder(self, bind: Release, tmp_path: Path) -> Path:
        (tmp_path / "policy").write_text(POLICY)
        folder = tmp_path / "bind"
        folder.mkdir(0o700)
        options = ["-k", "rolling", "-l", str(tmp_path / "policy"), "-K", str(folder)]
        run(bind, "dnssec-keygen", "-q", *options, ZONE_TEXT)
        return folder

    def test_a_key_is_what_its_state_says_and_not_its_dates(
        self, bind: Release, folder: Path, keystore: Keystore
    ) -> None:
        files = sorted(folder.glob("*.private"))
        assert len(files) == 2
        for file in files:
            # As in a rollover that waits for the parent: its dates are over, its states are not.
            over = ["-I", "-2d", "-D", "-1d", "-g", "HIDDEN"]
            kind = "-r" if "KSK: yes" in file.with_suffix(".state").read_text() else "-z"
            there = ["-k", "OMNIPRESENT", "now", kind, "OMNIPRESENT", "now"]
            run(bind, "dnssec-settime", "-s", "-K", folder, *over, *there, file.stem)
        shared = Keystore(folder).load(ZONE)
        assert [key.timing.state(time.time()) for key in shared] == ["active", "active"]
        for file in files:
            key = keystore.import_file(ZONE, file, time.time())
            assert key.timing.state(time.time()) == "active"
        for file in files:
            gone = ["-k", "UNRETENTIVE", "now"]
            run(bind, "dnssec-settime", "-s", "-K", folder, *gone, file.stem)
        shared = Keystore(folder).load(ZONE)
        assert [key.timing.state(time.time()) for key in shared] == ["hidden", "hidden"]

    def test_a_key_that_named_has_not_seen_goes_by_its_dates(self, folder: Path) -> None:
        keys = Keystore(folder).load(ZONE)
        assert len(list(folder.glob("*.state"))) == len(keys) == 2
        assert not any(key.managed for key in keys)
        assert {key.timing.state(time.time()) for key in keys} == {"active"}


class TestSteps:
    def test_dnssec_settime_shows_the_dates_of_each_step(
        self, bind: Release, keystore: Keystore
    ) -> None:
        (key,) = keystore.generate(ZONE, 15, FLAGS["csk"], time.time())
        day = 86400
        start = 1893456000  # 2030-01-01
        dates = zip((Step.PUBLISH, Step.ACTIVATE, Step.RETIRE, Step.REMOVE), range(4), strict=True)
        for step, days in dates:
            wanted = Wanted(ZONE, ((None, key.tag),), step, start + days * day, force=True)
            take(keystore, wanted, time.time(), Intervals())
        printed = run(
            bind, "dnssec-settime", "-u", "-p", "all", "-K", keystore.path, base_name(key)
        )
        shown = dict(line.split(": ") for line in printed.splitlines())
        names = ("Publish", "Activate", "Inactive", "Delete")
        assert [int(shown[one]) for one in names] == [start + days * day for days in range(4)]

    def test_a_revoked_key_is_that_of_dnssec_revoke(
        self, bind: Release, keystore: Keystore, tmp_path: Path
    ) -> None:
        (key,) = keystore.generate(ZONE, 13, FLAGS["csk"], time.time())
        keystore.export([key], tmp_path / "out")
        run(bind, "dnssec-revoke", "-K", tmp_path / "out", base_name(key))
        wanted = Wanted(ZONE, ((None, key.tag),), Step.REVOKE, int(time.time()), force=True)
        (taken,) = take(keystore, wanted, time.time(), Intervals())
        assert taken.after is not None
        theirs = tmp_path / "out" / f"{base_name(taken.after)}.key"
        assert bindfile.parse_public(theirs.read_text())[1] == taken.after.dnskey


# The package of Knot DNS 3.5 has no keymgr.
@pytest.fixture(params=KNOT[:2], ids=str)
def keymgr(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., str]:
    """Knot DNS's program for keys, with an empty database."""
    release: Release = request.param
    release.require()
    database = tmp_path / "kasp"
    database.mkdir(0o700)

    def call(*arguments: str) -> str:
        return run(release, "keymgr", "-D", database, ZONE_TEXT, *arguments)

    return call


class TestKnot:
    @pytest.mark.parametrize("algorithm", ALL)
    def test_our_key_is_the_same_there(
        self,
        keymgr: Callable[..., str],
        keystore: Keystore,
        tmp_path: Path,
        algorithm: int,
    ) -> None:
        made = keystore.generate(ZONE, algorithm, FLAGS["ksk-zsk"], time.time())
        first, second = keystore.export(made, tmp_path / "out")
        keymgr("import-bind", str(first.with_suffix(".key")))
        pem = keystore.export_pem(made[1:], tmp_path / "pem")[0]
        keymgr("import-pem", str(pem), f"algorithm={algorithm}", "ksk=no", "zsk=yes")
        for key in made:
            printed = keymgr("dnskey", str(key.tag))
            assert base64.b64decode(printed.split()[-1]) == key.dnskey[4:]
            assert printed.split()[-4:-1] == [str(key.flags), "3", str(algorithm)]
        assert second.exists()

    @pytest.mark.parametrize("algorithm", ALL)
    def test_a_key_made_there_has_the_same_dnskey_here(
        self, keymgr: Callable[..., str], keystore: Keystore, tmp_path: Path, algorithm: int
    ) -> None:
        number = algorithm if algorithm in (8, 10) else None
        # Half of those on curves have an octet too many.
        for _ in range(1 if number else 8):
            ident = keymgr("generate", f"algorithm={algorithm}", "ksk=yes", "zsk=yes").split()[-1]
            (file,) = (tmp_path / "kasp" / "keys").glob(f"{ident}.pem")
            dnskey = keymgr("dnskey", ident).split()
            file.chmod(0o600)
            found = importing.read(file, ZONE, time.time(), KSK_FLAGS, number)
            assert found.key.algorithm == algorithm
            assert base64.b64decode(dnskey[-1]) == found.key.dnskey[4:]


@pytest.fixture(params=POWERDNS, ids=str)
def powerdns(request: pytest.FixtureRequest, tmp_path: Path) -> PowerDns:
    """A PowerDNS that is primary for the zone of this file."""
    release: Release = request.param
    release.require()
    folder = tmp_path / "pdns"
    server = PowerDns(folder, free_port(), 0, FIXTURES / "geo" / "example.mmdb", release)
    (folder / "zone").write_text(ZONE_FILE)
    server.pdnsutil("load-zone", ZONE_TEXT, str(folder / "zone"))
    return server


class TestPowerDns:
    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("algorithm", ALL)
    def test_our_key_has_the_same_ds_there_and_comes_back_the_same(
        self, powerdns: PowerDns, keystore: Keystore, tmp_path: Path, algorithm: int, role: str
    ) -> None:
        (key,) = keystore.generate(ZONE, algorithm, [ROLES[role]], time.time())
        (file,) = keystore.export([key], tmp_path / "out")
        powerdns.pdnsutil("import-zone-key", ZONE_TEXT, str(file), role, "active")

        shown = powerdns.pdnsutil("show-zone", ZONE_TEXT)
        theirs = {
            " ".join(line.split(" ; ")[0].split()[5:]).lower()
            for line in shown.splitlines()
            if line.startswith("DS = ") and line.split()[7] in ("2", "4")
        }
        assert theirs == ds_lines(key)

        exported = tmp_path / "exported"
        exported.touch(0o600)
        exported.write_text(powerdns.pdnsutil("export-zone-key", ZONE_TEXT, "1"))
        back = Keystore(tmp_path / "back").import_file(
            ZONE, exported, time.time(), flags=ROLES[role]
        )
        assert (back.tag, back.dnskey) == (key.tag, key.dnskey)
        assert isinstance(back.private, algorithms.PrivateKey)
        assert algorithms.public_octets(back.private) == key.dnskey[4:]

    @pytest.mark.parametrize(
        ("algorithm", "options"),
        [
            (8, ["rsasha256", "2048"]),
            (10, ["rsasha512", "2048"]),
            (13, ["ecdsa256"]),
            (14, ["ecdsa384"]),
            (15, ["ed25519"]),
            (16, ["ed448"]),
        ],
    )
    def test_a_key_made_there_has_the_same_dnskey_here(
        self,
        powerdns: PowerDns,
        keystore: Keystore,
        tmp_path: Path,
        algorithm: int,
        options: list[str],
    ) -> None:
        powerdns.pdnsutil("add-zone-key", ZONE_TEXT, "zsk", "active", *options)
        exported = tmp_path / "exported"
        exported.touch(0o600)
        exported.write_text(powerdns.pdnsutil("export-zone-key", ZONE_TEXT, "1"))
        key = keystore.import_file(ZONE, exported, time.time(), flags=ZSK_FLAGS)
        dnskey = powerdns.pdnsutil("export-zone-dnskey", ZONE_TEXT, "1").split()
        assert dnskey[3:6] == ["256", "3", str(algorithm)]
        assert base64.b64decode(dnskey[6]) == key.dnskey[4:]
        assert f"tag = {key.tag}," in powerdns.pdnsutil("show-zone", ZONE_TEXT)

        pem = private_file(
            tmp_path / "pem", powerdns.pdnsutil("export-zone-key-pem", ZONE_TEXT, "1")
        )
        other = importing.read(pem, ZONE, time.time(), ZSK_FLAGS, algorithm)
        assert other.key.dnskey == key.dnskey
        if powerdns.release.at_least(5, 1):
            for verb, expected in (("export-key", exported), ("export-key-pem", pem)):
                printed = powerdns.pdnsutil("zone", verb, ZONE_TEXT, "1")
                again = private_file(tmp_path / verb, printed)
                assert again.read_text() == expected.read_text()
                found = importing.read(again, ZONE, time.time(), ZSK_FLAGS, algorithm)
                assert found.key.dnskey == key.dnskey

    @pytest.mark.parametrize("algorithm", ALL)
    def test_our_key_in_pem_has_the_same_dnskey_there(
        self, powerdns: PowerDns, keystore: Keystore, tmp_path: Path, algorithm: int
    ) -> None:
        (key,) = keystore.generate(ZONE, algorithm, [KSK_FLAGS], time.time())
        (file,) = keystore.export_pem([key], tmp_path / "out")
        powerdns.pdnsutil("import-zone-key-pem", ZONE_TEXT, str(file), str(algorithm), "ksk")
        assert f"tag = {key.tag}" in powerdns.pdnsutil("show-zone", ZONE_TEXT)
        dnskey = powerdns.pdnsutil("export-zone-dnskey", ZONE_TEXT, "1").split()
        assert base64.b64decode(dnskey[6]) == key.dnskey[4:]


QUESTIONS = [
    ("example.org.", "SOA"),
    ("example.org.", "NS"),
    ("example.org.", "MX"),
    ("example.org.", "TXT"),
    ("example.org.", "DNSKEY"),
    ("www.example.org.", "A"),
    ("www.example.org.", "AAAA"),
    ("alias.example.org.", "CNAME"),
    ("_sip._tcp.example.org.", "SRV"),
    ("a.b.wild.example.org.", "TXT"),
    ("nothing.example.org.", "A"),
]


def ask(port: int, owner: str, rrtype: str) -> list[dns.rrset.RRset]:
    query = dns.message.make_query(owner, rrtype, want_dnssec=True, payload=4096)
    answer = dns.query.udp(query, LOOPBACK, port=port, timeout=PATIENCE)
    assert not answer.flags & dns.flags.TC
    return [*answer.answer, *answer.authority]


def pairs(rrsets: list[dns.rrset.RRset]) -> Iterator[tuple[dns.rrset.RRset, dns.rrset.RRset]]:
    """Each RRset of an answer with its RRSIGs."""
    signatures = {(x.name, x.covers): x for x in rrsets if x.rdtype == dns.rdatatype.RRSIG}
    for rrset in rrsets:
        if rrset.rdtype != dns.rdatatype.RRSIG:
            yield rrset, signatures[rrset.name, rrset.rdtype]


def octets(rrset: dns.rrset.RRset) -> set[bytes]:
    wires = {rdata.to_wire() for rdata in rrset}
    assert None not in wires
    return {wire for wire in wires if wire is not None}


@pytest.mark.parametrize("policy", FLAGS)
@pytest.mark.parametrize("algorithm", [8, 10, 15, 16])
def test_signatures_are_those_of_powerdns_bit_for_bit(
    powerdns: PowerDns, keystore: Keystore, tmp_path: Path, algorithm: int, policy: str
) -> None:
    made = keystore.generate(ZONE, algorithm, FLAGS[policy], time.time())
    for key, file in zip(made, keystore.export(made, tmp_path / "out"), strict=True):
        role = "ksk" if key.is_sep else "zsk"
        powerdns.pdnsutil("import-zone-key", ZONE_TEXT, str(file), role, "active")
    signer = ZoneSigner(made, SignatureCache())
    compared = 0
    with powerdns.run([ZONE_TEXT]):
        for owner, rrtype in QUESTIONS:
            for rrset, theirs in pairs(ask(powerdns.port, owner, rrtype)):
                signed = rrset.name
                if theirs[0].labels < len(signed) - 1:
                    signed = dns.name.Name((b"*", *signed.labels[-theirs[0].labels - 1 :]))
                wire = name.from_text(signed.to_text()).lower()
                ttl = theirs[0].original_ttl
                ours = signer.sign(wire, rrset.rdtype, ttl, sorted(octets(rrset)), time.time())
                assert set(ours) == octets(theirs), f"{rrset.name} {rrset.rdtype!r}"
                compared += 1
    assert compared >= len(QUESTIONS)


@pytest.mark.parametrize("wanted", ["2", "2,4", "delete"])
@pytest.mark.parametrize("policy", FLAGS)
def test_cds_and_cdnskey_are_those_of_powerdns(
    powerdns: PowerDns, tmp_path: Path, policy: str, wanted: str
) -> None:
    """The whole way: what a build makes and a server answers, and what PowerDNS answers that was
    set up by the commands that come with the exported keys."""
    project = tmp_path / "project"
    (project / "zones").mkdir(parents=True)
    (project / "zones" / f"{ZONE_TEXT}.zone").write_text(ZONE_FILE)
    (project / "lzc.toml").write_text(
        '[build]\nsources = ["zones/*.zone"]\nserial = "keep"\n[dnssec]\nalgorithm = 15\n'
        f'policy = "{policy}"\npublish-cds = "{wanted}"\npublish-cdnskey = true\n'
        f'[zone."{ZONE_TEXT}"]\ndnssec = true\n'
    )

    def lzc(*arguments: str) -> str:
        done = CliRunner().invoke(group, [*arguments, "-c", str(project / "lzc.toml")])
        assert done.exit_code == 0, done.output
        return done.stdout

    lzc("keys", "generate", ZONE_TEXT)
    out = str(tmp_path / "out")
    for line in lzc("keys", "export", ZONE_TEXT, "--format", "powerdns", "-o", out).splitlines():
        powerdns.pdnsutil(*shlex.split(line)[1:])
    lzc("build")
    bundle = current.open_live(project / "build")
    signers = Signers(bundle, Keystore(project / "keys"), SignatureCache())
    responder = Responder(bundle, ResponderSettings(), signers, None)
    with powerdns.run([ZONE_TEXT]):
        for rrtype in ("CDS", "CDNSKEY", "DNSKEY"):
            query = dns.message.make_query(ZONE_TEXT, rrtype, want_dnssec=True, payload=4096)
            theirs = ask(powerdns.port, ZONE_TEXT, rrtype)
            sent = responder.respond(query.to_wire(), bytes(4), time.time(), tcp=True)
            assert sent is not None
            ours = dns.message.from_wire(sent.wire).answer
            assert {(x.rdtype, x.ttl): octets(x) for x in ours} == {
                (x.rdtype, x.ttl): octets(x) for x in theirs
            }
            assert len(theirs) == 2


def test_metadata_makes_no_difference_to_pdnsutil(powerdns: PowerDns, keystore: Keystore) -> None:
    timing = Timing(created=1, publish=2, activate=3, inactive=4102444800, delete=4102444801)
    private = algorithms.generate(13)
    key = SigningKey.make(ZONE, 13, KSK_FLAGS, private, timing)
    file = keystore.add(key)
    powerdns.pdnsutil("import-zone-key", ZONE_TEXT, str(file), "ksk", "active")
    assert f"tag = {key.tag}" in powerdns.pdnsutil("show-zone", ZONE_TEXT)
