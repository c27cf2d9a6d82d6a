"""Records by which several operators sign one zone (RFC 8901): the DNSKEY, CDS and CDNSKEY records
of one of them, as the others take them over."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from lzc.dnssec.key import FLAGS, PROTOCOL
from lzc.dnssec.keystore.bindfile import InvalidKeyFile, words_of
from lzc.dnssec.sync_records import CDNSKEY, CDS, cds_text, dnskey_text
from lzc.wire import name as wire_name

DNSKEY: Final = 48
_PARENTHESIS: Final = re.compile(r"(\\.)|[()]")
"""Or a character behind a backslash, which is that of a name."""
_TYPES: Final = {"DNSKEY": DNSKEY, "CDS": CDS, "CDNSKEY": CDNSKEY}


@dataclass(frozen=True, slots=True)
class ForeignRecords:
    """The RDATA of DNSKEY records, and by type that of CDS and CDNSKEY, in order."""

    dnskeys: tuple[bytes, ...]
    sync: dict[int, tuple[bytes, ...]]


def parse(text: str, zone: bytes) -> ForeignRecords:
    """The records of a zone (wire name) in a text of one line each, as ``dig`` prints them and
    zone files have them; DS, RRSIG and other records are passed over. Raises `InvalidKeyFile`."""
    found: dict[int, set[bytes]] = {number: set() for number in _TYPES.values()}
    for number, line in enumerate(text.splitlines(), 1):
        words = words_of(_PARENTHESIS.sub(lambda one: one[1] or " ", line))
        # Owner, perhaps TTL and class, and the type: a signature names types further behind.
        kind = next((at for at, word in enumerate(words[:4]) if word in _TYPES and at), None)
        if kind is None:
            continue
        try:
            owner = wire_name.from_text(words[0], wire_name.ROOT).lower()
            rrtype = _TYPES[words[kind]]
            rdata = _rdata(rrtype, words[kind + 1 :])
        except (ValueError, OverflowError, binascii.Error) as error:
            raise InvalidKeyFile(f"not a {words[kind]} record", number) from error
        if owner != zone.lower():
            name = wire_name.to_text(owner)
            raise InvalidKeyFile(f"a record of {name}, not of the zone", number)
        if rrtype == DNSKEY and int.from_bytes(rdata[:2], "big") not in FLAGS:
            raise InvalidKeyFile(
                "a DNSKEY that signs no zone: its flags are not 256 or 257", number
            )
        found[rrtype].add(rdata)
    sync = {rrtype: tuple(sorted(found[rrtype])) for rrtype in (CDS, CDNSKEY) if found[rrtype]}
    return ForeignRecords(tuple(sorted(found[DNSKEY])), sync)


def _rdata(rrtype: int, words: list[str]) -> bytes:
    first, second, third = (int(word) for word in words[:3])
    head = first.to_bytes(2, "big") + bytes((second, third))
    rest = "".join(words[3:])
    if rrtype == CDS:
        return head + bytes.fromhex(rest)
    if second != PROTOCOL:
        raise ValueError("protocol")
    return head + base64.b64decode(rest, validate=True)


def format_sync(zone: bytes, sync: dict[int, tuple[bytes, ...]]) -> str:
    """The text of a file with CDS and CDNSKEY records."""
    name = wire_name.to_text(zone)
    lines = [cds_text(name, rdata) for rdata in sync.get(CDS, ())]
    lines += [dnskey_text(name, rdata, "CDNSKEY") for rdata in sync.get(CDNSKEY, ())]
    return "".join(f"{line}\n" for line in lines)
