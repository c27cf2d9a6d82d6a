"""Zone files as a signer writes them, made by what signs answers."""

from __future__ import annotations

from collections.abc import Sequence

from lzc.bundle import node as nodes
from lzc.bundle.zone_info import ZoneKey
from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.cache import SignatureCache
from lzc.dnssec.signing.denial import NSEC_CHAIN, Denial, Way, label
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.image.compile import compile_zone
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.message import RRset
from tests.unit.answering import NOW
from tests.unit.zone_text import read_zone_text


def presigned(
    text: str, keys: Sequence[SigningKey], denial: Denial = NSEC_CHAIN, now: float = NOW
) -> str:
    """The text of the zone that the keys are of, signed at ``now``: a record a line."""
    apex = keys[0].zone
    zone, faults = read_zone_text(text.encode(), apex, "z")
    assert not faults, faults
    zone.records.sort()
    public = [ZoneKey(key.tag, key.algorithm, key.flags, key.dnskey) for key in keys]
    draft = compile_zone(zone, 0, signed=True, lua=False, keys=public, denial=denial)
    assert not draft.faults
    made = draft.finish(draft.info.serial)
    signer = ZoneSigner(keys, SignatureCache())
    lines: list[str] = []

    def write(rrset: RRset, *, signed: bool) -> None:
        owner = wire_name.to_text(rrset.owner)
        for rdata in rrset.rdatas:
            content = wire_rdata.to_text(rrset.rrtype, rdata)
            lines.append(f"{owner} {rrset.ttl} IN {rr.to_text(rrset.rrtype)} {content}")
        if signed:
            made = signer.sign(rrset.owner, rrset.rrtype, rrset.ttl, rrset.rdatas, now)
            write(RRset(rrset.owner, rr.RRSIG, rrset.ttl, made), signed=False)

    ttl = made.info.negative_ttl
    for key, node in made.items:
        owner = wire_name.relative_of_key(key[4:]) + apex
        for kind in nodes.types(node):
            rrset = nodes.rrset(node, owner, kind)
            assert rrset is not None
            is_cut = node[0] & nodes.DELEGATION and kind != rr.DS
            write(rrset, signed=not (node[0] & nodes.OCCLUDED or is_cut))
        if denial.way is Way.NSEC and nodes.nsec(node):
            write(RRset(owner, rr.NSEC, ttl, (nodes.nsec(node),)), signed=True)
    for digest, content in made.chain:
        owner = label(digest[4:]) + apex
        write(RRset(owner, rr.NSEC3, ttl, (denial.head + content,)), signed=True)
    return "\n".join(lines) + "\n"
