"""Nothing that lzc signs is bogus: every name of the example project, many that are not there,
every type, asked through unbound and delv, with each algorithm, by a CSK and by a KSK and a ZSK,
and in each way of denial."""

from __future__ import annotations

import functools
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest

from lzc.dnssec import ds
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.signing.denial import Denial, Way
from lzc.faults import Severity
from lzc.source.zonefile import read_zone
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from tests.patience import PATIENCE
from tests.peers import mass_asking
from tests.peers._peers import find, require
from tests.peers._peers.asking import ask
from tests.peers._peers.process import LOOPBACK
from tests.peers._peers.project import FIXTURES, SIGNED_ZONES, Project
from tests.peers._peers.unbound import Question, Unbound, unbound

ZONES = sorted(file.stem for file in (FIXTURES / "zones").glob("*.zone"))

ALL_TYPES = tuple(
    dns.rdatatype.to_text(dns.rdatatype.RdataType.make(number))
    for number in (
        *(rr.A, rr.NS, rr.CNAME, rr.SOA, rr.PTR, 13, rr.MX, rr.TXT, 17, rr.AAAA, 29, rr.SRV),
        *(rr.NAPTR, 37, rr.DNAME, rr.DS, 44, rr.NSEC, rr.DNSKEY, rr.NSEC3PARAM, rr.TLSA, rr.CDS),
        *(rr.CDNSKEY, rr.SVCB, rr.HTTPS, rr.SPF, rr.CAA, 65280, rr.LUA),
    )
)
"""All that a zone of the project holds, and more; HINFO, RP, LOC, CERT and SSHFP by number."""
SOME_TYPES = ("A", "TXT", "DS", "CNAME", "CAA")
ABSENT_TYPES = ("A", "TXT", "DS")

DENIALS = (Denial(), Denial(Way.NSEC3, salt=b"salt"), Denial(Way.NARROW), Denial(Way.COMPACT))
COMBINATIONS = [
    *((13, "csk", denial) for denial in DENIALS),
    *((algorithm, "csk", Denial()) for algorithm in (8, 14, 15)),
    *((algorithm, "ksk-zsk", Denial()) for algorithm in (13, 8, 14, 15)),
    (10, "ksk-zsk", Denial()),
    (16, "csk", Denial()),
]
WHOLE = COMBINATIONS[: len(DENIALS)]
"""Those of which everything is asked."""


class Running(NamedTuple):
    """lzc serving all zones signed, and a resolver with their DS records as trust anchors."""

    algorithm: int
    policy: str
    denial: Denial
    project: Project
    resolver: Unbound
    anchors: list[str]


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda of: "-".join(map(str, of)))
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    require("unbound")
    algorithm, policy, denial = request.param
    folder = tmp_path_factory.mktemp(f"signed-{algorithm}-{policy}-{denial.way}")
    project = Project(folder / "project")
    settings = f'denial = "{denial.way}"\nnsec3-salt = "{denial.salt.hex()}"\n'
    text = project.config.read_text()
    assert text.count("\n[dnssec]\n") == 1
    project.config.write_text(text.replace("\n[dnssec]\n", f"\n[dnssec]\n{settings}"))
    with project.config.open("a") as config:
        for zone in set(ZONES) - set(SIGNED_ZONES):
            config.write(f'\n[zone."{zone}"]\ndnssec = true\n')
    anchors = []
    for zone in ZONES:
        apex = wire_name.from_text(zone, wire_name.ROOT)
        keys = Keystore(project.folder / "keys").generate(
            apex, algorithm, FLAGS[policy], time.time()
        )
        anchors += [ds.to_text(apex, ds.ds_rdata(apex, key.dnskey)) for key in keys if key.is_sep]
    project.build()
    with (
        project.serve(),
        unbound(folder / "unbound", dict.fromkeys(ZONES, project.port), anchors) as resolver,
    ):
        yield Running(algorithm, policy, denial, project, resolver, anchors)


class Names(NamedTuple):
    """The names of one zone, in presentation format."""

    owners: list[str]
    delegations: list[str]
    absent: list[str]


@functools.cache
def names_of(zone: str) -> Names:
    """What exists in a fixture zone, and names beside, below and between that do not, or that a
    wildcard makes."""
    apex = wire_name.from_text(zone, wire_name.ROOT)
    read, faults = read_zone(FIXTURES / "zones" / f"{zone}.zone", apex)
    assert all(fault.severity is Severity.WARNING for fault in faults)
    owners = {read.owner(record) for record in read.records}
    cuts = {read.owner(x) for x in read.records if x[1] == rr.NS and read.owner(x) != apex}
    visible = {
        owner
        for owner in owners
        if not any(owner != cut and wire_name.is_subdomain(owner, cut) for cut in cuts)
    }
    with_ents = set(visible)
    for owner in visible:
        while owner != apex:
            with_ents.add(owner)
            owner = wire_name.parent(owner)
    absent = set()
    for owner in with_ents - cuts:
        labels = wire_name.labels_of(owner)
        absent |= {wire_name.from_labels([label, *labels]) for label in (b"nx", b"\x00", b"\xff")}
        absent.add(wire_name.from_labels([b"x", b"y", b"*", *labels]))
        if owner == apex:
            continue
        absent.add(wire_name.from_labels([labels[0] + b"0", *labels[1:]]))
        absent.add(wire_name.from_labels([b"!" + labels[0], *labels[1:]]))
        if labels[0] == b"*":
            absent |= {
                wire_name.from_labels([*made, *labels[1:]])
                for made in ([b"made"], [b"deeper", b"made"], [b"ip-192-0-2-1"], [b"a", b"*", b"b"])
            }
    fits = {name for name in absent - with_ents if len(name) < wire_name.MAX_NAME}
    return Names(
        sorted(map(wire_name.to_text, with_ents)),
        sorted(map(wire_name.to_text, cuts)),
        sorted(map(wire_name.to_text, fits)),
    )


APEXES = {wire_name.from_text(zone, wire_name.ROOT) for zone in ZONES}


def leads_away(question: Question, answer: mass_asking.Essence) -> bool:
    """True when a resolver has to go on to a server that is not here: behind a delegation, or, for
    the DS of an alias of an apex, to the parent. A resolver follows an alias it has in its cache
    even for NSEC, which stands beside it (RFC 4035 §2.5)."""
    if not answer.authoritative:
        return True
    if any(kind == rr.NS and owner not in APEXES for owner, kind, *_ in answer.authority):
        return True
    if question.rrtype == "NSEC":
        return any(
            kind == rr.NSEC and stands_beside_alias(data) for _, kind, _, data in answer.answer
        )
    return question.rrtype == "DS" and has_alias(answer)


def stands_beside_alias(rdata: bytes) -> bool:
    """Whether the types of an NSEC record have CNAME among them (RFC 4034 §4.1.2)."""
    end = 0
    while rdata[end]:
        end += 1 + rdata[end]
    window, _, first = rdata[end + 1 : end + 4]
    return window == 0 and bool(first & 0x80 >> rr.CNAME)


def has_alias(answer: mass_asking.Essence) -> bool:
    return any(kind == rr.CNAME for _, kind, *_ in answer.answer)


def ask_directly(port: int, questions: list[Question]) -> dict[Question, int | None]:
    """The RCODE of lzc itself for each question that does not lead away; ``None`` where an alias
    may lead into another zone, so that the RCODE is for the resolver to find."""
    asked = [
        mass_asking.Question(
            wire_name.from_text(one.name, wire_name.ROOT), int(dns.rdatatype.from_text(one.rrtype))
        )
        for one in questions
    ]
    answers = mass_asking.ask_all(port, asked, mass_asking.Mode(tcp=True, edns=True, dnssec=True))
    return {
        question: None if has_alias(answer) else answer.rcode
        for question, answer in zip(questions, answers, strict=True)
        if not leads_away(question, answer)
    }


@pytest.mark.parametrize("zone", ZONES)
def test_every_answer_is_secure(running: Running, zone: str) -> None:
    names = names_of(zone)
    whole = (running.algorithm, running.policy, running.denial) in WHOLE
    # Names that are not there come first: the resolver then denies from the NSEC records it has
    # seen (RFC 8198), and one that covers too much would hide names that exist.
    questions = [
        Question(name, rrtype)
        for name in names.absent
        for rrtype in (ABSENT_TYPES if whole else ("A",))
    ]
    questions += [
        Question(name, rrtype)
        for name in names.owners
        for rrtype in (ALL_TYPES if whole else SOME_TYPES)
        if (name, rrtype) != (f"{zone}.", "DS")  # that is the parent's to answer
    ]
    expected = ask_directly(running.project.port, questions)
    assert len(expected) > len(questions) / 2
    verdicts = running.resolver.ask(list(expected))
    assert running.resolver.failures() == []
    wrong = {
        question: verdict
        for question, verdict in verdicts.items()
        if not verdict.authentic
        or verdict.rcode == dns.rcode.SERVFAIL
        or expected[question] not in (None, verdict.rcode)
    }
    assert wrong == {}


def test_the_resolver_would_notice(running: Running, tmp_path: Path) -> None:
    anchors = [anchor[:-1] + ("0" if anchor[-1] != "0" else "1") for anchor in running.anchors]
    with unbound(tmp_path, dict.fromkeys(ZONES, running.project.port), anchors) as misled:
        verdicts = misled.ask([Question(f"{zone}.", "SOA") for zone in ZONES])
        assert set(verdicts.values()) == {(dns.rcode.SERVFAIL, False)}
        assert misled.failures()


@pytest.mark.parametrize("zone", ["example.net", "2.0.192.in-addr.arpa"])
def test_referrals_prove_whether_the_child_is_signed(running: Running, zone: str) -> None:
    port = running.project.port
    apex = dns.name.from_text(zone)
    dnskey = ask(port, zone, "DNSKEY", dnssec=True).find_rrset(
        "ANSWER", apex, dns.rdataclass.IN, dns.rdatatype.DNSKEY
    )
    delegations = names_of(zone).delegations
    assert delegations
    for cut in map(dns.name.from_text, delegations):
        has_ds = bool(ask(port, cut.to_text(), "DS").answer)
        referral = ask(port, f"www.{cut}", "A", dnssec=True)
        assert not referral.flags & dns.flags.AA
        found = {(rrset.name, rrset.rdtype, rrset.covers): rrset for rrset in referral.authority}
        denies = dns.rdatatype.NSEC3 if running.denial.is_hashed else dns.rdatatype.NSEC
        proof = dns.rdatatype.DS if has_ds else denies
        none = dns.rdatatype.NONE
        (owner,) = {name for name, rdtype, _ in found if rdtype == proof}
        assert owner == cut or proof == dns.rdatatype.NSEC3
        assert set(found) == {
            (cut, dns.rdatatype.NS, none),
            (owner, proof, none),
            (owner, dns.rdatatype.RRSIG, proof),
        }
        rrset, rrsig = found[owner, proof, none], found[owner, dns.rdatatype.RRSIG, proof]
        dns.dnssec.validate(rrset, rrsig, {apex: dnskey})
        if not has_ds:
            assert {"DS", "NS"} & set(rrset.to_text().split()) == {"NS"}
    verdicts = running.resolver.ask([Question(cut, "DS") for cut in delegations])
    assert set(verdicts.values()) == {(dns.rcode.NOERROR, True)}


def delv(running: Running, anchors: Path, zone: str, question: Question) -> str:
    program = find("delv")
    assert program is not None
    done = subprocess.run(
        [
            program,
            f"@{LOOPBACK}",
            *("-p", str(running.project.port), "-a", str(anchors), f"+root={zone}"),
            *("-q", question.name, "-t", question.rrtype),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("zone", ZONES)
def test_delv_agrees(running: Running, tmp_path: Path, zone: str) -> None:
    require("delv")
    anchors = tmp_path / "anchors"
    (words,) = (anchor.split() for anchor in running.anchors if anchor.startswith(f"{zone}. "))
    anchors.write_text(
        f'trust-anchors {{ "{zone}" static-ds {" ".join(words[3:6])} "{words[6]}"; }};\n'
    )
    names = names_of(zone)
    # A process for each question; unbound was asked all of them.
    whole = (running.algorithm, running.policy, running.denial) in WHOLE
    most = 5 if whole else 1
    apex_types = ("SOA", "NS", "DNSKEY", "CAA") if whole else ("DNSKEY",)
    questions = [Question(f"{zone}.", rrtype) for rrtype in apex_types]
    questions += [Question(name, "TXT") for name in names.owners[:: len(names.owners) // most or 1]]
    questions += [Question(name, "A") for name in names.absent[:: len(names.absent) // most or 1]]
    answered = ask_directly(running.project.port, questions)
    ours = [question for question, rcode in answered.items() if rcode is not None]
    assert ours
    with ThreadPoolExecutor(4) as pool:
        told = pool.map(functools.partial(delv, running, anchors, zone), ours)
        for question, said in zip(ours, told, strict=True):
            assert "fully validated" in said, f"{question}: {said}"
            assert "unsigned" not in said, f"{question}: {said}"
