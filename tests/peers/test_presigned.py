"""Zones that BIND and Knot DNS signed, served as they are: the answers of BIND, NSD and Knot DNS
with the same file, secure to unbound, and taken by secondaries of any software."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import dns.name
import dns.query
import dns.rdatatype
import dns.xfr
import dns.zone
import pytest
from click.testing import CliRunner

from lzc import config
from lzc.bundle import current
from lzc.bundle.reader import Bundle
from lzc.cli import group
from lzc.compiler import pipeline
from lzc.dnssec import ds
from lzc.dnssec.validation.signature_check import SignatureCheck
from lzc.dnssec.validation.trust import ds_of_rdata
from lzc.dnssec.validation.verifier import State, Verifier
from lzc.rehearse.survey.asking import ServerAsker
from lzc.rehearse.survey.inspection import TrustedZones
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from tests.patience import PATIENCE
from tests.peers._peers import find, require
from tests.peers._peers import unbound as resolver
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.knot import KNOT as KNOT_SERVER
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, free_port, running, wait_for_zone
from tests.peers._peers.project import FIXTURES, TSIG_NAME, TSIG_SECRET
from tests.peers._peers.releases import BIND, KNOT, NSD, OLDEST, POWERDNS, Release
from tests.peers.mass_asking import Mode, Question, ask_wires
from tests.peers.static_servers import peers
from tests.peers.test_same_answers import legal, made_of, names_of
from tests.unit import live_server
from tests.unit.live_server import LiveServer, Project

ZONE: Final = "presigned.example."
APEX: Final = wire_name.from_text(ZONE)
NOW_AND_THEN: Final = "2026112901"
TEXT: Final = f"""\
$TTL 600
@ 3600 SOA ns1 hostmaster {NOW_AND_THEN} 7200 900 1209600 300
@ NS ns1
@ MX 10 Mail
ns1 A 192.0.2.53
Mail A 192.0.2.9
www A 192.0.2.1
www TXT "two"
UPPER CNAME Www
a.b.ent A 192.0.2.2
z.ent2 TXT "z"
*.wild A 192.0.2.4
exact.wild TXT "here"
c1 CNAME c2
c2 CNAME www
cw CNAME x.wild
glue NS ns.glue
ns.glue A 192.0.2.60
away NS ns.elsewhere.example.
secure NS ns.elsewhere.example.
secure DS 1 13 2 {"00" * 32}
one.ent7 NS ns.elsewhere.example.
two.ent8 NS ns.elsewhere.example.
two.ent8 DS 1 13 2 {"00" * 32}
cut.x.y.ent9 NS ns.elsewhere.example.
dn DNAME target
a.target A 192.0.2.10
_sip._tcp SRV 1 2 3 www
long TYPE65280 \\# 1 00
"""
TYPES: Final = (
    *(rrtype.A, rrtype.AAAA, rrtype.TXT, rrtype.DS, rrtype.NS, rrtype.CNAME, rrtype.MX),
    *(rrtype.NSEC3PARAM, rrtype.SOA, rrtype.DNSKEY, rrtype.DNAME, rrtype.SRV, rrtype.CDS),
)
ASKED: Final = Mode(tcp=True, edns=True, dnssec=True)
DENIES: Final = frozenset({rrtype.SOA, rrtype.NSEC, rrtype.NSEC3, rrtype.DS})


class Way(NamedTuple):
    """Who signs, with what algorithm, and how: options of dnssec-signzone, or lines of Knot's
    policy."""

    signer: str
    algorithm: int
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.signer, str(self.algorithm), *self.options])


WAYS: Final = (
    Way("bind", 13),
    Way("bind", 8),
    Way("bind", 15, ("-3", "-")),
    Way("bind", 8, ("-3", "aabbcc", "-H", "1")),
    Way("bind", 13, ("-3", "-", "-A")),
    Way("knot", 15),
    Way("knot", 13, ("nsec3: on", "nsec3-iterations: 0")),
    Way("knot", 13, ("nsec3: on", "nsec3-opt-out: on", "nsec3-iterations: 0")),
)
KNOTS_NAMES: Final = {8: "rsasha256", 13: "ecdsap256sha256", 15: "ed25519"}


def signed(folder: Path, way: Way) -> Path:
    """The file of the zone, signed."""
    folder.mkdir()
    plain = folder / "plain"
    plain.write_text(f"$ORIGIN {ZONE}\n{TEXT}")
    return (_by_bind if way.signer == "bind" else _by_knot)(folder, plain, way)


def _by_bind(folder: Path, plain: Path, way: Way) -> Path:
    for flags in (["-f", "KSK"], []):
        _run(folder, "dnssec-keygen", "-q", "-a", str(way.algorithm), *flags, ZONE)
    _run(folder, "dnssec-signzone", "-S", "-q", *way.options, "-o", ZONE, "-f", "signed", "plain")
    return folder / "signed"


def _run(folder: Path, program: str, *arguments: str) -> None:
    found = find(program)
    assert found is not None
    done = subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _by_knot(folder: Path, plain: Path, way: Way) -> Path:
    """What Knot DNS makes of the zone when it signs that itself, by a transfer."""
    port = free_port()
    names = {"folder": folder, "port": port, "address": LOOPBACK}
    text = KNOT_SERVER.head.format(**names, tsig=TSIG_NAME, secret=TSIG_SECRET)
    text += f"policy:\n  - id: p\n    algorithm: {KNOTS_NAMES[way.algorithm]}\n"
    text += "".join(f"    {line}\n" for line in way.options)
    text += f"acl:\n  - id: all\n    address: {LOOPBACK}\n    action: transfer\n"
    text += f"zone:\n  - domain: {ZONE}\n    file: {plain}\n    acl: all\n"
    text += "    dnssec-signing: on\n    dnssec-policy: p\n    zonefile-sync: -1\n"
    (folder / "knot.conf").write_text(text)
    command = [*OLDEST["knot"].command("knotd"), "-c", str(folder / "knot.conf")]
    with running(command, folder, "knotd") as process:
        wait_for_zone(process, port, ZONE)
        copy = dns.zone.Zone(ZONE, relativize=False)
        query, _ = dns.xfr.make_query(copy)
        dns.query.inbound_xfr(LOOPBACK, copy, query, port=port, timeout=PATIENCE)
    file = folder / "signed"
    copy.to_file(str(file), relativize=False)
    return file


class Serving(NamedTuple):
    """lzc at a port, the file that it serves, and its bundle."""

    port: int
    file: Path
    bundle: Bundle


@contextlib.contextmanager
def serving(folder: Path, way: Way, *, notify: int | None = None) -> Iterator[Serving]:
    """lzc with the signed zone, and a secondary at port ``notify``, while the block runs."""
    require("dnssec-signzone", "dnssec-keygen", "knotd")
    file = signed(folder / "signer", way)
    toml = '[build]\nsources = ["zones/*.zone"]\n'
    toml += f'[zone."{ZONE}"]\ndnssec = "presigned"\n'
    if notify is not None:
        toml += f'[[secondary]]\nname = "ns2"\naddress = "{LOOPBACK}:{notify}"\n'
        toml += f'tsig = "{TSIG_NAME}"\n'
    project = Project(folder, toml)
    (folder / "zones").mkdir()
    (folder / "zones" / f"{ZONE}zone").write_text(file.read_text())
    text = project.config.read_text()
    project.config.write_text(text.replace(live_server.TSIG_SECRET, TSIG_SECRET))
    project.config.chmod(0o600)
    result = pipeline.build(config.load(project.config))
    assert {fault.rule for fault in result.warnings} <= {"target-missing", "signatures-end"}
    with LiveServer(project) as server, current.open_live(project.output) as bundle:
        yield Serving(server.port, file, bundle)


def questions() -> list[Question]:
    """All types of the names that exist, and some of names around them."""
    names = frozenset(names_of({ZONE: TEXT}))
    around = [
        name
        for name in legal(made_of(names))
        if b"\0" not in name[:-1] and wire_name.is_subdomain(name.lower(), APEX)
    ]
    found = [Question(name, kind) for name in around for kind in (rrtype.A, rrtype.TXT, rrtype.DS)]
    return found + [Question(name, kind) for name in names for kind in TYPES]


class Answer(NamedTuple):
    """What an answer says, signatures to the octet."""

    rcode: int
    answer: frozenset[tuple[bytes, int, int, bytes]]
    authority: frozenset[tuple[bytes, int, int, bytes]]


def said(wire: bytes) -> Answer:
    """The answer; of the authority section the part that denies, as some servers send NS along."""
    parsed = message.parse_message(wire)

    def taken(rrs: Sequence[message.RR]) -> frozenset[tuple[bytes, int, int, bytes]]:
        return frozenset(
            (rr.owner.lower(), rr.rrtype, rr.ttl, _comparable(rr.rrtype, rr.rdata)) for rr in rrs
        )

    def denies(rr: message.RR) -> bool:
        covered = int.from_bytes(rr.rdata[:2], "big") if rr.rrtype == rrtype.RRSIG else rr.rrtype
        return covered in DENIES

    return Answer(
        parsed.flags & 15, taken(parsed.answer), taken(list(filter(denies, parsed.authority)))
    )


def _comparable(kind: int, rdata: bytes) -> bytes:
    """Names in RDATA may come in the case of the question, or of what they are compressed to."""
    if kind == rrtype.NSEC:
        return rdata.lower()
    return rdata.lower() if kind in rrtype.NAMED_RDATA | {rrtype.SRV, rrtype.DNAME} else rdata


def proves_otherwise(
    release: Release, way: Way, question: Question, mine: Answer, other: Answer
) -> bool:
    """Whether a server is known to prove otherwise what both say.

    NSD lacks a proof at the end of a DNAME, and brings one too many for a wildcard that is asked
    for by its name. Below what opt-out leaves out of the chain it takes another name for the
    closest encloser, and PowerDNS makes an NSEC3 RR, which has no signature then. PowerDNS has a
    TTL of its own for NSEC3PARAM, which it does not store.
    """
    opt_out = way.options[-1:] == ("-A",) or any("opt-out" in one for one in way.options)
    tops = ["ent7", "ent9"] if opt_out else []
    name = question.name.lower()
    if release.software == "powerdns":
        if question.qtype == rrtype.NSEC3PARAM and name == APEX:
            return mine[0] == other[0] and len(mine.answer) == len(other.answer)
    elif release.software == "nsd":
        if name == wire_name.from_text(f"*.wild.{ZONE}"):
            return mine[:2] == other[:2]
        tops.append("dn")
    else:
        return False
    below = any(wire_name.is_subdomain(name, wire_name.from_text(f"{top}.{ZONE}")) for top in tops)
    return below and mine[:2] == other[:2]


def differing(mine: Answer, other: Answer) -> str:
    """What one has and the other has not, in short."""

    def names(rrs: frozenset[tuple[bytes, int, int, bytes]]) -> list[str]:
        return sorted(f"{wire_name.to_text(rr[0])} {rr[2]} {rrtype.to_text(rr[1])}" for rr in rrs)

    parts = [f"RCODE {mine.rcode}, theirs {other.rcode}"] if mine.rcode != other.rcode else []
    for ours, theirs in ((mine.answer, other.answer), (mine.authority, other.authority)):
        parts += [f"only ours {names(ours - theirs)}"] if ours - theirs else []
        parts += [f"only theirs {names(theirs - ours)}"] if theirs - ours else []
    return "; ".join(parts)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_answers_are_those_of_other_servers_with_the_same_file(tmp_path: Path, way: Way) -> None:
    releases = [*BIND, *NSD, *KNOT]
    for release in releases:
        release.require()
    asked = questions()
    with serving(tmp_path, way) as lzc, peers(tmp_path, {ZONE: lzc.file}, releases) as ports:
        ours = [said(wire) for wire in ask_wires(lzc.port, asked, ASKED)]
        wrong = {}
        for release, port in ports.items():
            theirs = [said(wire) for wire in ask_wires(port, asked, ASKED)]
            for question, mine, other in zip(asked, ours, theirs, strict=True):
                if mine != other and not proves_otherwise(release, way, question, mine, other):
                    name = wire_name.to_text(question.name)
                    what = differing(mine, other)
                    wrong[str(release), name, rrtype.to_text(question.qtype)] = what
    assert not wrong, "\n".join(map(str, wrong.items()))


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_unbound_and_our_verifier_say_the_same_of_each_answer(tmp_path: Path, way: Way) -> None:
    require("unbound")
    # The DS of the zone is for the zone above to deny, which is not there.
    asked = [one for one in questions() if (one.qtype, one.name.lower()) != (rrtype.DS, APEX)]
    with serving(tmp_path, way) as lzc:
        (info,) = lzc.bundle.zones()
        keys = [key.dnskey for key in info.keys if key.is_sep] or [key.dnskey for key in info.keys]
        anchors = [ds.to_text(APEX, ds.ds_rdata(APEX, key)) for key in keys]
        apex = dns.name.from_text(ZONE)
        asker, check = ServerAsker(LOOPBACK, lzc.port), SignatureCheck(time.time())
        trusted = TrustedZones(
            {apex: [ds_of_rdata(apex, key) for key in keys]}, frozenset(), asker, check
        )
        verifier = Verifier(trusted, check)
        wires = ask_wires(lzc.port, asked, ASKED)
        verdicts = {}
        for question, wire in zip(asked, wires, strict=True):
            if not _ends_here(wire):
                continue
            name = dns.name.from_wire(question.name, 0)[0]
            verdicts[_presented(question)] = verifier.judge(name, question.qtype, wire)
        with resolver.unbound(tmp_path / "unbound", {ZONE: lzc.port}, anchors) as unbound:
            theirs = unbound.ask(list(verdicts))
            assert unbound.failures() == []
    assert len(verdicts) > 300
    bogus = {key: one.reasons for key, one in verdicts.items() if one.state is State.BOGUS}
    assert not bogus
    opt_out = info.denial.opt_out
    states = {verdict.state for verdict in verdicts.values()}
    assert states == ({State.SECURE, State.INSECURE} if opt_out else {State.SECURE})
    wrong = {
        question: (verdict[:2], theirs[question])
        for question, verdict in verdicts.items()
        if theirs[question].authentic != (verdict.state is State.SECURE)
    }
    assert not wrong, "\n".join(f"{key}: {value}" for key, value in wrong.items())


def _presented(question: Question) -> resolver.Question:
    return resolver.Question(wire_name.to_text(question.name), rrtype.to_text(question.qtype))


def _ends_here(wire: bytes) -> bool:
    """False for referrals: a resolver goes on to servers that are not there."""
    parsed = message.parse_message(wire)
    return not any(rr.rrtype == rrtype.NS for rr in parsed.authority)


def asked_of_a_secondary(port: int, asked: Sequence[Question]) -> list[bytes]:
    """The answers; NSD closes its connections once, when it takes what was transferred."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ask_wires(port, asked, ASKED)
        except ConnectionError:
            assert time.monotonic() < end


@pytest.mark.parametrize("release", [*POWERDNS, *BIND, *NSD, *KNOT], ids=str)
@pytest.mark.parametrize("way", [WAYS[0], WAYS[2], WAYS[4]], ids=str)
def test_secondaries_take_it_and_answer_the_same(
    tmp_path: Path, release: Release, way: Way
) -> None:
    release.require()
    asked, port = questions(), free_port()
    with serving(tmp_path, way, notify=port) as lzc, contextlib.ExitStack() as stack:
        ours = [said(wire) for wire in ask_wires(lzc.port, asked, ASKED)]
        home = tmp_path / "secondary"
        zone = ZONE.rstrip(".")
        if release.software == "powerdns":
            geo = FIXTURES / "geo" / "example.mmdb"
            secondary = PowerDns(home, port, lzc.port, geo, release)
            secondary.add_zone(zone)
            stack.enter_context(secondary.run([zone]))
            assert "PRESIGNED" in secondary.pdnsutil("get-meta", zone)
        else:
            kind = KINDS[release.software]
            stack.enter_context(kind.secondary(home, port, lzc.port, [zone], release))
        theirs = [said(wire) for wire in asked_of_a_secondary(port, asked)]
    wrong = {
        (wire_name.to_text(question.name), rrtype.to_text(question.qtype)): differing(mine, other)
        for question, mine, other in zip(asked, ours, theirs, strict=True)
        if mine != other and not proves_otherwise(release, way, question, mine, other)
    }
    assert not wrong, "\n".join(map(str, wrong.items()))


@pytest.mark.parametrize("release", [*BIND, *NSD, *KNOT], ids=str)
@pytest.mark.parametrize("way", [WAYS[0], WAYS[2]], ids=str)
def test_lzc_verify_finds_nothing_but_what_is_wrong(
    tmp_path: Path, release: Release, way: Way
) -> None:
    """Of a running server with the file, from a DS that is given, and names by AXFR or from the
    bundle."""
    release.require()
    with serving(tmp_path, way) as lzc, peers(tmp_path, {ZONE: lzc.file}, [release]) as ports:
        anchors = tmp_path / "anchors"
        (info,) = lzc.bundle.zones()
        keys = [key for key in info.keys if key.is_sep] or info.keys
        records = [ds.to_text(APEX, ds.ds_rdata(APEX, key.dnskey)) for key in keys]
        anchors.write_text("".join(f"{record}\n" for record in records))
        where = f"{LOOPBACK}:{ports[release]}"
        arguments = ["-c", str(tmp_path / "lzc.toml"), "--server", where, "--ds", str(anchors)]
        command = ["verify", "--dnssec", "--format", "json", *arguments]
        result = CliRunner().invoke(group, command, catch_exceptions=False)
        found = json.loads(result.stdout)
    (zone,) = found["zones"]
    told = {(one["question"], one["problem"]) for one in zone["problems"]}
    # NSD lacks the proof at the end of a DNAME: it leaves that to who asks for the alias.
    wrong = {question for question, _ in told}
    lacks = release.software == "nsd" and not way.options
    expected = {f"lzc-verify.dn.{ZONE} A"} if lacks else set()
    assert wrong == expected, "\n".join(map(str, sorted(told)))
    assert result.exit_code == bool(expected)
    assert zone["answers"] - zone["bogus"] == zone["secure"] > 150
