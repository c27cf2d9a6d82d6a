"""The rows of ``records`` that a zone of the bundle is, as PowerDNS itself writes them when it has
transferred and rectified the zone."""

from __future__ import annotations

import re
from base64 import b32hexencode
from collections.abc import Container, Iterable, Iterator
from typing import Final

from lzc.bundle.reader import Bundle
from lzc.bundle.zone_info import ZoneInfo
from lzc.dnssec.signing.denial import Denial, Way
from lzc.secondary.powerdns import powerdns_label, powerdns_text
from lzc.secondary.sql.state import Record
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.message import parse_message
from lzc.wire.rdata.octets import strings_in
from lzc.wire.rdata.writing import generic, quote, to_text

_KNOWN: Final = frozenset(
    {
        *(rr.A, rr.NS, rr.CNAME, rr.SOA, rr.MB, rr.MG, rr.MR, rr.PTR, rr.MINFO, rr.HINFO, rr.MX),
        *(rr.TXT, rr.RP, rr.AFSDB),
        *(rr.AAAA, rr.LOC, rr.SRV, rr.NAPTR, rr.KX, rr.CERT, rr.DNAME, rr.APL, rr.DS, rr.SSHFP),
        *(rr.IPSECKEY, rr.RRSIG, rr.DNSKEY, rr.DHCID, rr.TLSA, rr.SMIMEA, rr.RKEY, rr.CDS),
        *(rr.CDNSKEY, rr.OPENPGPKEY, rr.CSYNC, rr.ZONEMD, rr.SVCB, rr.HTTPS, rr.SPF, rr.NID),
        *(rr.L32, rr.L64, rr.LP, rr.EUI48, rr.EUI64, rr.URI, rr.CAA, rr.LUA),
    }
)
"""The types that all versions know by name; others are ``TYPEnnn`` there."""
_REBUILT: Final = frozenset({rr.NSEC, rr.NSEC3, rr.NSEC3PARAM})
"""Of a presigned zone, what PowerDNS makes anew from its own columns."""
_WITH_PRIORITY: Final = frozenset({rr.MX, rr.SRV})
_IN_ONE: Final = {
    rr.RRSIG: 8,
    rr.IPSECKEY: 4,
    **dict.fromkeys((rr.DNSKEY, rr.CDNSKEY, rr.RKEY, rr.CERT, rr.DS, rr.CDS), 3),
    **dict.fromkeys((rr.TLSA, rr.SMIMEA, rr.ZONEMD), 3),
    rr.SSHFP: 2,
    **dict.fromkeys((rr.OPENPGPKEY, rr.DHCID), 0),
}
"""Types that end in octets, which PowerDNS writes without blanks, with the fields before these."""
_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|(?:\\.|[^\s"\\])+', re.DOTALL)
_NEEDLESS: Final = re.compile(r' ((?!key[0-9])[a-z0-9-]+=)"([^"\\\s;()]*)"(?= |$)')
"""A parameter of SVCB in quotes that PowerDNS writes without."""
_ESCAPED_END: Final = re.compile(r"(?:^|[^\\])(?:\\\\)*\\\.$")


def rows(bundle: Bundle, info: ZoneInfo) -> Iterator[Record]:
    """The zone's rows, in the order of its transfer, and those of its empty non-terminals."""
    found = list(_transferred(bundle, info))
    owners = {name: set[int]() for name, _, _, _ in found}
    for name, rrtype, _, _ in found:
        owners[name].add(rrtype)
    apex = info.apex
    cuts = {name for name, types in owners.items() if name != apex and rr.NS in types}
    below = {name for name in owners if _is_below(name, apex, cuts)}
    chain = info.denial if info.signed or info.presigned else None
    for name, rrtype, ttl, rdata in found:
        is_cut, is_below = name in cuts, name in below
        # With opt-out, NS records of cuts are not in the order, even where their DS is.
        ordered = (
            rrtype != rr.RRSIG
            and not is_below
            and not (is_cut and _opts_out(chain) and rrtype == rr.NS)
        )
        kind, content, priority = _text(rrtype, rdata)
        yield Record(
            powerdns_text(name),
            kind,
            content,
            ttl,
            priority,
            _ordername(name, apex, chain) if ordered else None,
            rrtype == rr.RRSIG or (not is_below and (not is_cut or rrtype == rr.DS)),
        )
    unsure = below | {name for name in cuts if _opts_out(chain) and rr.DS not in owners[name]}
    sure = set(_empty_non_terminals(owners.keys() - unsure, owners.keys(), apex))
    for name in _empty_non_terminals(owners.keys(), owners.keys(), apex):
        auth = name in sure
        hashed = auth and chain is not None and chain.is_hashed
        order = _ordername(name, apex, chain) if hashed else None
        yield Record(powerdns_text(name), None, None, None, None, order, auth)


def _transferred(bundle: Bundle, info: ZoneInfo) -> Iterator[tuple[bytes, int, int, bytes]]:
    transfer, position, soas = bundle.transfer(info), 0, 0
    while position < len(transfer):
        end = position + 2 + (transfer[position] << 8 | transfer[position + 1])
        for one in parse_message(bytes(transfer[position + 2 : end])).answer:
            soas += one.rrtype == rr.SOA
            if one.rrtype in _REBUILT or (one.rrtype == rr.SOA and soas > 1):
                continue
            yield one.owner.lower(), one.rrtype, one.ttl, one.rdata
        position = end


def _is_below(name: bytes, apex: bytes, cuts: set[bytes]) -> bool:
    while cuts and name != apex:
        name = wire_name.parent(name)
        if name in cuts:
            return True
    return False


def _opts_out(chain: Denial | None) -> bool:
    return chain is not None and chain.is_hashed and chain.opt_out


def _empty_non_terminals(
    below: Iterable[bytes], owners: Container[bytes], apex: bytes
) -> Iterator[bytes]:
    """The names between the apex and some others that no record has."""
    seen = set[bytes]()
    for owner in below:
        name = owner
        while name != apex:
            name = wire_name.parent(name)
            if name in seen or name == apex:
                break
            seen.add(name)
            if name not in owners:
                yield name


def _ordername(name: bytes, apex: bytes, chain: Denial | None) -> str | None:
    """What the names of a signed zone are ordered by: labels from the apex on for NSEC, the hash
    for NSEC3."""
    if chain is None or chain.way is Way.NARROW:
        return None
    if chain.is_hashed:
        return b32hexencode(chain.hash(name)).decode().lower()
    labels = wire_name.labels_of(name)[: -len(wire_name.labels_of(apex)) or None]
    return " ".join(map(powerdns_label, reversed(labels)))


def _text(rrtype: int, rdata: bytes) -> tuple[str, str, int]:
    """Type, content and priority."""
    if rrtype == rr.LUA:
        # As one text: it is cut where it has to be, and put together again, by PowerDNS itself.
        inner = rr.to_text(rdata[0] << 8 | rdata[1])
        return "LUA", f"{inner} {quote(b''.join(strings_in(rdata, 2)))}", 0
    if rrtype not in _KNOWN:
        return f"TYPE{rrtype}", generic(rdata), 0
    text = _TOKEN.sub(_without_dot, to_text(rrtype, rdata))
    if rrtype in _IN_ONE:
        words = text.split(" ")
        fields = _IN_ONE[rrtype]
        text = " ".join([*words[:fields], "".join(words[fields:])])
    if rrtype == rr.CERT:
        text = f"{int.from_bytes(rdata[:2], 'big')} {text.partition(' ')[2]}"
    elif rrtype in (rr.NID, rr.L64):
        text = text.upper()
    elif rrtype in (rr.SVCB, rr.HTTPS):
        text = _NEEDLESS.sub(r" \1\2", text)
    if rrtype in _WITH_PRIORITY:
        priority, _, text = text.partition(" ")
        return rr.to_text(rrtype), text, int(priority)
    return rr.to_text(rrtype), text, 0


def _without_dot(found: re.Match[str]) -> str:
    token = found[0]
    if token[0] == '"' or token[-1] != "." or _ESCAPED_END.search(token):
        return token
    return powerdns_text(wire_name.from_text(token), lower=False)
