"""What lzc says where there is nothing is what PowerDNS secondaries with the same keys say, to the
octet, in each way of denial that both have: every name of a zone and many that are not there."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.denial import HASH, Denial, Way, label
from lzc.dnssec.signing.nsec import types_in
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from tests.patience import PATIENCE
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import Process, free_port, wait_until
from tests.peers._peers.project import FIXTURES
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.mass_asking import Mode, Question, ask_wires
from tests.peers.test_same_answers import legal, made_of, names_of
from tests.unit.live_server import HEAD, TSIG_NAME, TSIG_SECRET, LiveServer, Project

ZONE: Final = "denial.test."
APEX: Final = wire_name.from_text(ZONE)
DS: Final = f"DS 1 13 2 {'00' * 32}"
TEXT: Final = f"""\
@ MX 10 www
@ TXT "apex"
www A 192.0.2.1
www LUA TXT "'x'"
static LUA A "'192.0.2.7'"
both A 192.0.2.8
both LUA AAAA "'2001:db8::1'"
cfg LUA LUA "x=1"
a.b.ent A 192.0.2.2
z.ent2 TXT "z"
*.wild TXT "wild"
exact.wild A 192.0.2.3
below.exact.wild A 192.0.2.3
*.lw LUA A "'192.0.2.5'"
*.*.star A 192.0.2.6
sub.*.ent3 TXT "the wildcard is an empty non-terminal"
cut.*.ent4 NS ns.elsewhere.example.
*.wcn CNAME www
cn CNAME www
cnx CNAME nope
cent CNAME ent
insecure NS ns.elsewhere.example.
glue NS ns.glue
glue NS ns.a.b.glue
ns.glue A 192.0.2.4
ns.a.b.glue A 192.0.2.4
secure NS ns.elsewhere.example.
secure {DS}
insecure.deep.ent5 NS ns.elsewhere.example.
secure.deep.ent6 NS ns.elsewhere.example.
secure.deep.ent6 {DS}
one.ent7 NS ns.elsewhere.example.
two.ent7 NS ns.elsewhere.example.
two.ent7 {DS}
cut.x.y.ent8 NS ns.elsewhere.example.
name.y.ent8 A 192.0.2.9
dn DNAME target
a.target A 192.0.2.10
cut.wd NS ns.elsewhere.example.
*.wd A 192.0.2.9
UPPER A 192.0.2.8
_sip._tcp SRV 1 2 3 www
long TYPE65280 \\# 1 00
"""

DENIALS: Final = (
    Denial(),
    Denial(Way.NSEC3),
    Denial(Way.NSEC3, salt=bytes.fromhex("aabbccdd")),
    Denial(Way.NSEC3, opt_out=True),
    Denial(Way.NSEC3, 3, bytes.fromhex("ab"), opt_out=True),
    Denial(Way.NARROW),
    Denial(Way.NARROW, salt=bytes.fromhex("aabb"), opt_out=True),
)
TYPES: Final = (
    *(rrtype.A, rrtype.AAAA, rrtype.TXT, rrtype.DS, rrtype.NS, rrtype.CNAME, rrtype.MX),
    *(rrtype.NSEC3PARAM, rrtype.SOA, rrtype.DNSKEY, rrtype.NSEC3, rrtype.DNAME, rrtype.CAA),
)
ASKED: Final = Mode(tcp=True, edns=True, dnssec=True)
ALGORITHMS: Final = (15, 8)
MADE: Final = frozenset({rrtype.NSEC3, rrtype.NSEC3PARAM, rrtype.DNSKEY})
"""What has the TTL of denials."""


class Running(NamedTuple):
    """lzc and a PowerDNS secondary of it, by port."""

    lzc: int
    powerdns: int


@pytest.fixture(params=POWERDNS, ids=str, scope="module")
def release(request: pytest.FixtureRequest) -> Release:
    found: Release = request.param
    found.require()
    return found


@contextlib.contextmanager
def running(
    folder: Path,
    release: Release,
    denial: Denial,
    algorithm: int,
    text: str = TEXT,
    head: str = HEAD,
    *,
    afterwards: bool = False,
) -> Iterator[Running]:
    """Both with the same zone and key while the block runs. ``afterwards``: PowerDNS is told how to
    deny when it has the zone."""
    settings = "[lua]\nenable = true\n"
    folder.mkdir(exist_ok=True)
    lzc = Project(folder, settings)
    version = tuple(int(number) for number in release.version.split("."))
    lzc.build(
        {ZONE: text},
        signed=[ZONE],
        powerdns=(version[0], version[1]),
        denial=denial,
        algorithm=algorithm,
        head=head,
    )
    keystore = Keystore(folder / "keys")
    files = keystore.export(keystore.load(APEX), folder / "exported")
    port = free_port()
    tsig = '[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:{}"\nsoftware = "{}"\ntsig = "{}"\n'
    with lzc.config.open("a") as config:
        config.write(tsig.format(port, release, TSIG_NAME))
    with LiveServer(lzc) as server:
        geo = FIXTURES / "geo" / "example.mmdb"
        secondary = PowerDns(
            folder / "pdns", port, server.port, geo, release, tsig=(TSIG_NAME, TSIG_SECRET)
        )
        secondary.add_zone(ZONE.rstrip("."), files)
        if afterwards:
            with secondary.run([ZONE.rstrip(".")]):
                pass
        if denial.is_hashed:
            narrow = ["narrow"] if denial.way is Way.NARROW else []
            secondary.pdnsutil("set-nsec3", ZONE.rstrip("."), denial.parameters, *narrow)
        with secondary.run([ZONE.rstrip(".")]) as process:
            if afterwards:
                retrieve(secondary, process)
            yield Running(server.port, port)


def retrieve(secondary: PowerDns, process: Process) -> None:
    """Have it transfer the zone once more, as the manual says."""
    program = secondary.release.command("pdns_control")
    command = [*program, f"--config-dir={secondary.folder}", "retrieve", ZONE.rstrip(".")]
    transfers = process.log_text().count("zone committed")
    subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True)
    wait_until(lambda: process.log_text().count("zone committed") > transfers, "it has the zone")


def questions() -> list[Question]:
    """All types of the names that exist, and some of names around them."""
    names = frozenset(names_of({ZONE: HEAD.format(serial=1) + TEXT}))
    around = [name for name in legal(made_of(names)) if b"\0" not in name[:-1]]
    found = [Question(name, kind) for name in around for kind in (rrtype.A, rrtype.TXT, rrtype.DS)]
    return found + [Question(name, kind) for name in names for kind in TYPES]


class Answer(NamedTuple):
    """What an answer says, signatures to the octet."""

    rcode: int
    answer: frozenset[tuple[bytes, int, int, bytes]]
    authority: frozenset[tuple[bytes, int, int, bytes]]


def said(wire: bytes) -> Answer:
    parsed = message.parse_message(wire)
    sections = (
        frozenset(
            # PowerDNS compresses against the question's case.
            (
                rr.owner.lower(),
                rr.rrtype,
                rr.ttl,
                rr.rdata.lower() if rr.rrtype in rrtype.NAMED_RDATA else rr.rdata,
            )
            for rr in section
        )
        for section in (parsed.answer, parsed.authority)
    )
    return Answer(parsed.flags & 15, *sections)


def asked_of_both(
    folder: Path,
    release: Release,
    denial: Denial,
    algorithm: int = 15,
    head: str = HEAD,
    *,
    afterwards: bool = False,
) -> Iterator[tuple[Question, Answer, Answer]]:
    """Each question, what lzc says, and what PowerDNS says."""
    asked = questions()
    with running(folder, release, denial, algorithm, TEXT, head, afterwards=afterwards) as ports:
        ours, theirs = ([said(one) for one in ask_wires(port, asked, ASKED)] for port in ports)
    yield from zip(asked, ours, theirs, strict=True)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("denial", DENIALS, ids=str)
def test_denials_are_those_of_powerdns_to_the_octet(
    tmp_path: Path, release: Release, denial: Denial, algorithm: int
) -> None:
    proof = rrtype.NSEC3 if denial.is_hashed else rrtype.NSEC
    proofs = set()
    for question, ours, theirs in asked_of_both(tmp_path, release, denial, algorithm):
        assert ours == theirs, (wire_name.to_text(question.name), rrtype.to_text(question.qtype))
        proofs |= {rr for rr in ours.authority if rr[1] == proof}
    assert len(proofs) > (150 if denial.way is Way.NARROW else 30)


def test_ttls_are_those_of_powerdns_where_the_soa_has_a_smaller_one(
    tmp_path: Path, release: Release
) -> None:
    """Than its MINIMUM: NSEC3 has the smaller (RFC 9077), NSEC3PARAM and DNSKEY have MINIMUM."""
    head = HEAD.replace("@ SOA", "@ 60 SOA")
    ttls = set()
    for _, ours, theirs in asked_of_both(tmp_path, release, Denial(Way.NSEC3), head=head):
        assert ours == theirs
        ttls |= {rr[1:3] for rr in (*ours.answer, *ours.authority) if rr[1] in MADE}
    assert ttls == {(rrtype.NSEC3, 60), (rrtype.NSEC3PARAM, 300), (rrtype.DNSKEY, 300)}


@pytest.mark.parametrize(
    "denial", [Denial(Way.NSEC3, salt=b"s"), Denial(Way.NSEC3, opt_out=True)], ids=str
)
def test_a_secondary_that_has_the_zone_follows(
    tmp_path: Path, release: Release, denial: Denial
) -> None:
    """With set-nsec3 and another transfer, as the manual has it. rectify-zone would do for chains
    without opt-out: it leaves in these what a transfer leaves out."""
    for question, ours, theirs in asked_of_both(tmp_path, release, denial, afterwards=True):
        assert ours == theirs, (wire_name.to_text(question.name), rrtype.to_text(question.qtype))


@pytest.mark.difference("D-8")
@pytest.mark.parametrize("denial", [Denial(Way.NSEC3), Denial(Way.NARROW)], ids=str)
def test_code_that_gives_nothing_is_the_one_difference(
    tmp_path: Path, release: Release, denial: Denial
) -> None:
    """PowerDNS lists the type that it denies; all else is as it has it."""
    text = TEXT + 'empty LUA A "{}"\n*.emptywild LUA TXT "{}"\n'
    asked = [
        Question(wire_name.from_text(f"{name}.{ZONE}"), kind)
        for name in ("empty", "x.emptywild", "*.emptywild", "y.z.emptywild")
        for kind in (rrtype.A, rrtype.TXT)
    ]
    differing = {}
    with running(tmp_path, release, denial, 15, text) as ports:
        pairs = zip(*[ask_wires(port, asked, ASKED) for port in ports], strict=True)
        for question, (ours, theirs) in zip(asked, pairs, strict=True):
            mine, other = said(ours), said(theirs)
            assert (mine.rcode, mine.answer) == (other.rcode, other.answer) == (0, frozenset())
            lists = [
                {kind for rr in found for kind in types_of(rr) - {rrtype.RRSIG}}
                for found in (mine.authority - other.authority, other.authority - mine.authority)
            ]
            if lists != [set(), set()]:
                differing[question.name.split(b"\5")[0], question.qtype] = lists
    assert {kind for _, kind in differing} == {rrtype.A, rrtype.TXT}
    assert all(lists == [set(), {kind}] for (_, kind), lists in differing.items())


@pytest.mark.difference("D-55")
def test_a_name_that_opt_out_leaves_out_is_no_work_of_a_wildcard(
    tmp_path: Path, release: Release
) -> None:
    """Where the NSEC3 that covers it is that of the wildcard, PowerDNS sends both in one, which
    says that the wildcard has the type: bogus, as if the answer had been taken out."""
    letters = "abcdefghijklmnop"
    text = "* A 192.0.2.1\n" + "".join(f"cut.{one} NS ns.elsewhere.\n" for one in letters)
    denial = Denial(Way.NSEC3, opt_out=True)
    asked = [Question(wire_name.from_text(f"{one}.{ZONE}"), rrtype.A) for one in letters]
    wildcard = label(denial.hash(wire_name.from_text(f"*.{ZONE}"))) + APEX
    differing = 0
    with running(tmp_path, release, denial, 15, text) as ports:
        for ours, theirs in zip(*[ask_wires(port, asked, ASKED) for port in ports], strict=True):
            mine, other = (
                {rr for rr in said(wire).authority if rr[1] == rrtype.NSEC3}
                for wire in (ours, theirs)
            )
            (bogus,) = [{rr for rr in other if rr[0] == wildcard}]
            if bogus:
                differing += 1
                assert all(rrtype.A in types_of(rr) for rr in bogus)
                assert [types_of(rr) for rr in mine] == [frozenset()]
            else:
                assert mine == other
    assert 0 < differing < len(letters)


def types_of(rr: tuple[bytes, int, int, bytes]) -> frozenset[int]:
    """The types that an NSEC3 RR lists."""
    _, kind, _, rdata = rr
    return types_in(rdata, 4 + 1 + rdata[4] + 1 + HASH) if kind == rrtype.NSEC3 else frozenset()
