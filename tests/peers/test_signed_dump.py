"""A signed zone put together from answers of lzc is whole and right to tools that look at signed
zone files: those of BIND, NLnet Labs and Knot DNS."""

from __future__ import annotations

import subprocess
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from lzc.dnssec.signing.denial import HASH, Denial, Way, label
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from tests.patience import PATIENCE
from tests.peers import static_zones
from tests.peers._peers import find, require
from tests.peers.mass_asking import Mode, Question, ask_wires
from tests.peers.test_same_answers import TYPES, legal, made_of, names_of
from tests.unit.live_server import HEAD, LiveServer, Project

ZONES: Final = {
    "nasty.example.": "\n".join(
        # Tools differ about names with octets 0, of which BIND's sorts some wrongly.
        line
        for line in static_zones.NASTY.splitlines()
        if ".esc" not in line
    ),
    "t.": static_zones.SHORT,
}
CHAINS: Final = (
    Denial(),
    Denial(Way.NSEC3),
    Denial(Way.NSEC3, 1, b"salt"),
    Denial(Way.NSEC3, opt_out=True),
)
KINDS: Final = (*TYPES, rrtype.PTR, rrtype.NSEC3PARAM, rrtype.NSEC)
ASKED: Final = Mode(tcp=True, edns=True, dnssec=True)
COMMANDS: Final = {
    "dnssec-verify": ("-z", "-o", "{zone}", "{file}"),
    "named-checkzone": ("-i", "none", "-k", "ignore", "{zone}", "{file}"),
    "ldns-verify-zone": ("{file}",),
    "kzonecheck": ("-d", "on", "-o", "{zone}", "{file}"),
}


Records = dict[tuple[bytes, int], set[tuple[int, bytes]]]
"""TTLs and RDATA by owner and type."""


def ask(port: int, questions: list[Question], apex: bytes, names: set[bytes]) -> Records:
    """All records of the zone in the answers: those of these names, and NSEC3."""
    found: Records = {}
    for wire in ask_wires(port, questions, ASKED):
        parsed = message.parse_message(wire)
        for rr in (*parsed.answer, *parsed.authority, *parsed.additional):
            owner = rr.owner.lower()
            signs_hash = rr.rrtype == rrtype.RRSIG and rr.rdata[:2] == b"\0\x32"
            if owner not in names and rr.rrtype != rrtype.NSEC3 and not signs_hash:
                continue
            if rr.rrtype != rrtype.OPT and wire_name.is_subdomain(owner, apex):
                # That of a denial's SOA is another one.
                of = int.from_bytes(rr.rdata[4:8], "big") if rr.rrtype == rrtype.RRSIG else rr.ttl
                found.setdefault((owner, rr.rrtype), set()).add((of, rr.rdata))
    return found


def dump(zone: str, port: int, denial: Denial) -> Iterator[str]:
    """The lines of the signed zone: what is found at each name, and all of the chain."""
    apex = wire_name.from_text(zone)
    names = set(legal(names_of({zone: HEAD.format(serial=1) + ZONES[zone]})))
    questions = [Question(name, kind) for name in names for kind in KINDS]
    questions += [Question(name, rrtype.A) for name in legal(made_of(names))]
    records = ask(port, questions, apex, names)
    made_up = {}
    if denial.is_hashed:
        for number in range(200_000):
            name = b"\6" + b"%06d" % number + apex
            made_up[denial.hash(name)] = name
    hashes = sorted(made_up)
    for _ in range(len(names) if hashes else 0):
        chain = {owner for owner, kind in records if kind == rrtype.NSEC3}
        heads = {rdata[len(denial.head) :][:HASH] for rdata in chained(records)}
        missing = [one for one in heads if label(one) + apex not in chain]
        if not missing:
            break
        # The RR of a hash is what proves that a name whose hash comes behind it is not there.
        behind = [hashes[bisect(hashes, one) % len(hashes)] for one in missing]
        asked = [Question(made_up[one], rrtype.A) for one in behind]
        for key, found in ask(port, asked, apex, names).items():
            records.setdefault(key, set()).update(found)
    linked = {label(rdata[len(denial.head) :][:HASH]) + apex for rdata in chained(records)}
    for (owner, kind), found in records.items():
        if owner not in names and owner not in linked:
            continue  # made for a proof: opt-out leaves an empty non-terminal out of the chain
        ttl = max(ttl for ttl, _ in found)
        for _, rdata in found if kind != rrtype.SOA else [max(found)]:
            made = dns.rdatatype.RdataType.make(kind)
            shown = dns.rdata.from_wire(dns.rdataclass.IN, made, rdata, 0, len(rdata))
            yield f"{wire_name.to_text(owner)} {ttl} IN {rrtype.to_text(kind)} {shown.to_text()}\n"


def chained(records: Records) -> set[bytes]:
    """The RDATA of all NSEC3 records."""
    every = (found for (_, kind), found in records.items() if kind == rrtype.NSEC3)
    return {rdata for found in every for _, rdata in found}


@pytest.fixture(scope="module", params=CHAINS, ids=str)
def files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The zones as signed zone files."""
    folder = tmp_path_factory.mktemp("dump")
    project = Project(folder)
    project.build(ZONES, signed=ZONES, denial=request.param)
    found = {}
    with LiveServer(project) as server:
        for zone in ZONES:
            found[zone] = folder / f"{zone}signed"
            lines = dump(zone, server.port, request.param)
            found[zone].write_text("".join(sorted(lines)))
    return found


@pytest.mark.parametrize("program", COMMANDS)
def test_the_signed_zone_is_whole(files: dict[str, Path], program: str) -> None:
    require(program)
    path = find(program)
    assert path is not None
    for zone, file in files.items():
        arguments = [one.format(zone=zone, file=file) for one in COMMANDS[program]]
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=PATIENCE, cwd=file.parent
        )
        assert done.returncode == 0, f"{program} {zone}:\n{done.stdout}{done.stderr}"
