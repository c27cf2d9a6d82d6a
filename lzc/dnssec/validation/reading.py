"""Answers taken apart into RRsets. What comes in many of them is read once.

The RDATA of all but RRSIG is read by dnspython, which shares no code with what wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

import dns.exception
import dns.rdata
import dns.rdatatype
import dns.rrset
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from lzc.dnssec.validation.memory import Memory
from lzc.dnssec.validation.names import OrderedName, of_wire
from lzc.wire import message
from lzc.wire import name as wire_name

KEPT: Final = 4096
"""RRsets that are kept, at least: some KiB each."""
FIELDS: Final = Struct(">HBBIIIH")
"""An RRSIG up to its signer (RFC 4034 §3.1)."""
_LONGEST_TTL: Final = 2**31 - 1

_Octets: TypeAlias = tuple[tuple[bytes, int, int, int, bytes], ...]
"""Owner, type, class, TTL and RDATA of each RR."""


class Reply(NamedTuple):
    """An answer. The RRsets of its sections are not to be changed: they are those of other answers,
    too."""

    rcode: int
    answer: Sequence[dns.rrset.RRset]
    authority: Sequence[dns.rrset.RRset]


class Reader:
    """Reads answers, and keeps what was read. RRsets with the same octets are the same object, as
    long as they are kept."""

    def __init__(self) -> None:
        self._known: Memory[_Octets, ReadRRset] = Memory(KEPT)

    def read(self, wire: bytes) -> Reply:
        """The RRsets of an answer in wire format. Raises `ValueError`."""
        try:
            parsed = message.parse_message(wire)
            answer, authority = self._section(parsed.answer), self._section(parsed.authority)
        except (message.FormatError, dns.exception.DNSException, ValueError) as error:
            raise ValueError(f"the answer is no message: {error}") from error
        return Reply(parsed.rcode, answer, authority)

    def _section(self, section: Sequence[message.RR]) -> Sequence[dns.rrset.RRset]:
        groups: dict[tuple[bytes, int, int, bytes], list[message.RR]] = {}
        for rr in section:
            covers = rr.rdata[:2] if rr.rrtype == dns.rdatatype.RRSIG else b""
            groups.setdefault((rr.owner.lower(), rr.rrtype, rr.rrclass, covers), []).append(rr)
        return [self._rrset(tuple([rr[:5] for rr in group])) for group in groups.values()]

    def _rrset(self, octets: _Octets) -> dns.rrset.RRset:
        found = self._known.find(octets)
        if found is None:
            found = _read(octets)
            self._known.put(octets, found)
        return found


class ReadRRset(dns.rrset.RRset):
    """An RRset that was read. It takes no other RDATA: that of dnspython makes the canonical form
    of each, to hold a set."""

    __slots__ = ("rdatas",)
    rdatas: tuple[Any, ...]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rdatas)

    def __len__(self) -> int:
        return len(self.rdatas)

    def __getitem__(self, index: Any) -> Any:
        return self.rdatas[index]


class Signature(NamedTuple):
    """The RDATA of an RRSIG, with the names of dnspython, which takes ten times as long for it."""

    type_covered: int
    algorithm: int
    labels: int
    original_ttl: int
    expiration: int
    inception: int
    key_tag: int
    signer: OrderedName
    signature: bytes


def _read(octets: _Octets) -> ReadRRset:
    owner, rrtype, rrclass, _, first = octets[0]
    of_class, of_type = RdataClass.make(rrclass), RdataType.make(rrtype)
    covers = dns.rdatatype.NONE
    if rrtype == dns.rdatatype.RRSIG:
        covers = RdataType.make(int.from_bytes(first[:2], "big"))
    made = ReadRRset(of_wire(owner), of_class, of_type, covers)
    # RFC 2181 §8
    made.ttl = min([ttl if ttl <= _LONGEST_TTL else 0 for _, _, _, ttl, _ in octets])
    rdatas = dict.fromkeys([rdata for *_, rdata in octets])
    if rrtype == dns.rdatatype.RRSIG:
        made.rdatas = tuple(map(_signature, rdatas))
    else:
        made.rdatas = tuple(
            [dns.rdata.from_wire(of_class, of_type, one, 0, len(one)) for one in rdatas]
        )
    return made


def _signature(rdata: bytes) -> Signature:
    if len(rdata) < FIELDS.size:
        raise ValueError("an RRSIG that ends too soon")
    signer, end = wire_name.from_wire(rdata, FIELDS.size)
    covered, algorithm, labels, ttl, expires, begins, tag = FIELDS.unpack_from(rdata)
    by, octets = of_wire(signer), rdata[end:]
    return Signature(covered, algorithm, labels, ttl, expires, begins, tag, by, octets)
