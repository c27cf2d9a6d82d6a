"""What another signer added to a zone, and whether its chain of denial is that of the zone.

It is served as it is: what is wrong with it cannot be made good without its keys.
"""

from __future__ import annotations

from base64 import b32hexdecode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lzc.bundle import node as nodes
from lzc.bundle import signatures
from lzc.dnssec.signing.denial import HASH, NSEC_CHAIN, Denial, Way
from lzc.dnssec.signing.nsec import types_in
from lzc.faults import Fault
from lzc.image.hash_chain import chain_of
from lzc.image.name_slice import Frame
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.zone.model import KEY, RDATA, TYPE, Record, Zone

ADDED: Final = frozenset({rr.RRSIG, rr.NSEC, rr.NSEC3})
"""The types that are taken aside. What else a signer adds are records as any others."""

RULE: Final = "presigned-denial"
_WHY: Final = "validators would call denials of the zone bogus"
_AGAIN: Final = "sign the zone again with what signed it, and build"
_LABEL: Final = 32
"""Characters of a hash in the owner of an NSEC3 record."""
_OPT_OUT: Final = 1

Keyed = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Presigned:
    """What a signer added: ``records`` in the order of a zone's, RRSIG RDATA by node key, and the
    NSEC or NSEC3 records by node key or hash; ``denial`` is what they make. ``begin`` is when the
    last signature became valid, ``end`` when the first expires, in seconds since the epoch.
    ``right`` is by what the RRsets are known whose signatures are all right."""

    records: list[Record]
    rrsigs: dict[bytes, list[bytes]] = field(default_factory=dict)
    links: dict[bytes, Record] = field(default_factory=dict)
    denial: Denial = NSEC_CHAIN
    begin: int = 0
    end: int = 0
    right: list[bytes] = field(default_factory=list)

    def stored(self, prefix: bytes) -> Keyed:
        """The signatures by node key, the zone's id in front, in order."""
        return [
            (prefix + key, signatures.encode(some)) for key, some in sorted(self.rrsigs.items())
        ]


def take_aside(zone: Zone) -> tuple[Presigned, list[Fault]]:
    """Take what a signer added out of a zone, whose records are sorted; and what is wrong with it
    in itself."""
    found = Presigned([record for record in zone.records if record[TYPE] in ADDED])
    zone.records = [record for record in zone.records if record[TYPE] not in ADDED]
    nsec: list[Record] = []
    nsec3: list[Record] = []
    for record in found.records:
        if record[TYPE] == rr.RRSIG:
            found.rrsigs.setdefault(record[KEY], []).append(record[RDATA])
        else:
            (nsec if record[TYPE] == rr.NSEC else nsec3).append(record)
    if nsec and nsec3:
        what = "has NSEC and NSEC3 records"
        return found, [_fault(zone, nsec3[0], what, "a zone has one chain (RFC 5155 §7.1)")]
    try:
        return found, list(_plain(zone, found, nsec) if nsec else _hashed(zone, found, nsec3))
    except ValueError as error:
        return found, [_fault(zone, nsec3[0], f"has NSEC3 records that are none: {error}")]


def _plain(zone: Zone, found: Presigned, records: Sequence[Record]) -> Iterator[Fault]:
    for record in records:
        if found.links.setdefault(record[KEY], record) is not record:
            owner = wire_name.to_text(zone.owner(record))
            yield _fault(zone, record, f"has two NSEC records at {owner}")


def _hashed(zone: Zone, found: Presigned, records: Sequence[Record]) -> Iterator[Fault]:
    """Raises `ValueError` for an owner that is no hash."""
    if not records:
        return
    first, flags = _parameters(records[0][RDATA])
    for record in records:
        if _parameters(record[RDATA]) != (first, flags):
            yield _fault(zone, record, "has NSEC3 records of several chains")
            return
        key = record[KEY]
        if len(key) != _LABEL or b"\0" in key:
            raise ValueError(f"{wire_name.to_text(zone.owner(record))} is no hash")
        if found.links.setdefault(b32hexdecode(key.upper()), record) is not record:
            yield _fault(zone, record, "has two NSEC3 records with one owner")
    found.denial = replace(first, opt_out=bool(flags & _OPT_OUT))
    told = zone.of_type(rr.NSEC3PARAM)
    if [record[RDATA] for record in told] != [found.denial.parameters_rdata]:
        place = told[0] if told else records[0]
        yield _fault(zone, place, "has an NSEC3PARAM record that is not that of its NSEC3 records")


def _parameters(rdata: bytes) -> tuple[Denial, int]:
    """What NSEC3 RDATA (RFC 5155 §3.2) goes by, and its flags. Raises `ValueError`."""
    end = 5 + rdata[4]
    if rdata[0] != 1 or rdata[end] != HASH:
        raise ValueError("the hash is not SHA-1")
    return Denial(Way.NSEC3, int.from_bytes(rdata[2:4], "big"), rdata[5:end]), rdata[1]


def hold_nsec(frame: Frame, contents: list[bytes], presigned: Presigned) -> list[Fault]:
    """Put the NSEC RDATA of the source into the nodes of the names of ``frame``, where it may
    differ in the case of names; and tell where its chain is not that of the zone."""
    faults = []
    left = dict(presigned.links)
    zone = frame.zone
    for index, (key, content) in enumerate(zip(frame.names, contents, strict=True)):
        expected = nodes.nsec(content)
        record = left.pop(key, None)
        if record is None:
            if expected:
                faults.append(_no_link(zone, key, "NSEC"))
            continue
        if not expected:
            what = f"has an NSEC record at {wire_name.to_text(zone.owner(record))}, which is not"
            faults.append(_fault(zone, record, f"{what} authoritative"))
            continue
        rdata = record[RDATA]
        if rdata != expected:
            if _lower(rdata) != _lower(expected):
                faults.append(_other_nsec(zone, record, expected))
            contents[index] = with_nsec(content, rdata)
    for record in left.values():
        what = f"has an NSEC record at {wire_name.to_text(zone.owner(record))}, where nothing else"
        faults.append(_fault(zone, record, f"{what} is"))
    return faults


def with_nsec(content: bytes, rdata: bytes) -> bytes:
    """A node with other NSEC RDATA."""
    before = 4 + len(nodes.nsec(content))
    return content[:2] + len(rdata).to_bytes(2, "big") + rdata + content[before:]


def hold_nsec3(
    frame: Frame,
    contents: Sequence[bytes],
    hashes: Sequence[bytes],
    ents: Keyed,
    prefix: bytes,
    presigned: Presigned,
) -> tuple[Keyed, list[Fault]]:
    """The chain of the source, as `hash_chain.chain_of` has one, and where it is not that of the
    zone. With opt-out, it may have or lack delegations that are not signed."""
    zone, denial = frame.zone, presigned.denial
    whole = _made(frame, contents, hashes, ents, prefix, opt_out=False)
    least = _made(frame, contents, hashes, ents, prefix, opt_out=denial.opt_out)
    names = dict(zip(hashes, frame.names, strict=True))
    faults = []
    head = len(denial.head)
    links = presigned.links
    owners = sorted(links)
    chain: Keyed = []
    for digest in sorted(least.keys() - links.keys()):
        faults.append(_no_link(zone, names.get(digest), "NSEC3"))
    for digest, upcoming in zip(owners, [*owners[1:], *owners[:1]], strict=True):
        record = links[digest]
        content = record[RDATA][head:]
        chain.append((prefix + digest, content))
        shown = wire_name.to_text(zone.owner(record))
        if digest not in whole:
            what = f"has an NSEC3 record {shown}, which is the hash of no name that is to have one"
            faults.append(_fault(zone, record, what))
        elif content[HASH:] != whole[digest]:
            what = f"says at {shown} that there are {_types(content[HASH:])}"
            faults.append(_fault(zone, record, f"{what}, and there are {_types(whole[digest])}"))
        if content[:HASH] != upcoming:
            what = f"has an NSEC3 record {shown} whose next hash is not the next one"
            faults.append(_fault(zone, record, what))
    return chain, faults


def _made(
    frame: Frame,
    contents: Sequence[bytes],
    hashes: Sequence[bytes],
    ents: Keyed,
    prefix: bytes,
    *,
    opt_out: bool,
) -> Mapping[bytes, bytes]:
    """The Type Bit Maps fields of the chain that lzc would make, by hash."""
    wanted = replace(frame, denial=replace(frame.denial, opt_out=opt_out))
    chain, _ = chain_of(wanted, contents, hashes, ents, prefix)
    return {key[len(prefix) :]: content[HASH:] for key, content in chain}


def _lower(rdata: bytes) -> bytes:
    """NSEC RDATA with the next name in lower case."""
    _, end = wire_name.from_wire(rdata, 0)
    return rdata[:end].lower() + rdata[end:]


def _other_nsec(zone: Zone, record: Record, expected: bytes) -> Fault:
    owner = wire_name.to_text(zone.owner(record))
    says, end = wire_name.from_wire(record[RDATA], 0)
    upcoming, at = wire_name.from_wire(expected, 0)
    if says.lower() != upcoming:
        what = f"says that {wire_name.to_text(says)} comes after {owner}"
        return _fault(zone, record, f"{what}, and it is {wire_name.to_text(upcoming)}")
    what = f"says that there are {_types(record[RDATA][end:])} at {owner}"
    return _fault(zone, record, f"{what}, and there are {_types(expected[at:])}")


def _no_link(zone: Zone, key: bytes | None, kind: str) -> Fault:
    """``key`` is `None` for an empty non-terminal."""
    what = "an empty non-terminal"
    if key is not None:
        what = wire_name.to_text(wire_name.relative_of_key(key) + zone.apex)
    return _fault(zone, zone.records[0], f"has no {kind} record for {what}")


def _types(bits: bytes) -> str:
    return " ".join(rr.to_text(kind) for kind in sorted(types_in(bits, 0))) or "no types"


def _fault(zone: Zone, record: Record, what: str, why: str = _WHY) -> Fault:
    return Fault(zone.place(record), RULE, f"zone {zone.name} {what}", why, _AGAIN)
