"""RR type numbers and their mnemonics (the IANA registry of DNS parameters; LUA is PowerDNS's)."""

from __future__ import annotations

from typing import Final

A: Final = 1
NS: Final = 2
MD: Final = 3
MF: Final = 4
CNAME: Final = 5
SOA: Final = 6
MB: Final = 7
MG: Final = 8
MR: Final = 9
NULL: Final = 10
WKS: Final = 11
PTR: Final = 12
HINFO: Final = 13
MINFO: Final = 14
MX: Final = 15
TXT: Final = 16
RP: Final = 17
AFSDB: Final = 18
X25: Final = 19
ISDN: Final = 20
RT: Final = 21
NSAP: Final = 22
NSAP_PTR: Final = 23
SIG: Final = 24
KEY: Final = 25
PX: Final = 26
GPOS: Final = 27
AAAA: Final = 28
LOC: Final = 29
NXT: Final = 30
EID: Final = 31
NIMLOC: Final = 32
SRV: Final = 33
ATMA: Final = 34
NAPTR: Final = 35
KX: Final = 36
CERT: Final = 37
A6: Final = 38
DNAME: Final = 39
SINK: Final = 40
OPT: Final = 41
APL: Final = 42
DS: Final = 43
SSHFP: Final = 44
IPSECKEY: Final = 45
RRSIG: Final = 46
NSEC: Final = 47
DNSKEY: Final = 48
DHCID: Final = 49
NSEC3: Final = 50
NSEC3PARAM: Final = 51
TLSA: Final = 52
SMIMEA: Final = 53
HIP: Final = 55
NINFO: Final = 56
RKEY: Final = 57
TALINK: Final = 58
CDS: Final = 59
CDNSKEY: Final = 60
OPENPGPKEY: Final = 61
CSYNC: Final = 62
ZONEMD: Final = 63
SVCB: Final = 64
HTTPS: Final = 65
DSYNC: Final = 66
HHIT: Final = 67
BRID: Final = 68
SPF: Final = 99
UNSPEC: Final = 103
NID: Final = 104
L32: Final = 105
L64: Final = 106
LP: Final = 107
EUI48: Final = 108
EUI64: Final = 109
NXNAME: Final = 128
TKEY: Final = 249
TSIG: Final = 250
IXFR: Final = 251
AXFR: Final = 252
MAILB: Final = 253
MAILA: Final = 254
ANY: Final = 255
URI: Final = 256
CAA: Final = 257
AVC: Final = 258
DOA: Final = 259
AMTRELAY: Final = 260
RESINFO: Final = 261
WALLET: Final = 262
CLA: Final = 263
IPN: Final = 264
TA: Final = 32768
DLV: Final = 32769
LUA: Final = 65402

_NUMBERS: dict[str, int] = {
    name.replace("_", "-"): value
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int)
}
MNEMONICS: Final[dict[int, str]] = {value: name for name, value in _NUMBERS.items()}
"""The types that have a name here."""

ONE_NAME: Final = (NS, CNAME, PTR, DNAME, MD, MF, MB, MG, MR)
"""Types whose RDATA is a name."""

TWO_NAMES: Final = (MINFO, TALINK)
"""Types whose RDATA is two names."""

TEXTS: Final = (TXT, SPF, NINFO, AVC, RESINFO, WALLET)
"""Types whose RDATA is character-strings, one or more."""

NAMED_RDATA: Final = frozenset({NS, MD, MF, CNAME, SOA, MB, MG, MR, PTR, MINFO, MX})
"""The types of RFC 1035 with names in their RDATA: only these may be compressed on the wire
(RFC 3597 §4)."""

META_TYPES: Final = frozenset({OPT, *range(128, 256)})
"""Types of questions and of messages, which no zone holds (RFC 6895 §3.1)."""


def from_text(text: str) -> int:
    """The number of a mnemonic or of ``TYPEnnn`` (RFC 3597 §5), in either case.

    Raises `ValueError` for anything else.
    """
    upper = text.upper()
    number = _NUMBERS.get(upper)
    if number is not None:
        return number
    digits = upper[4:]
    if upper.startswith("TYPE") and digits.isascii() and digits.isdigit() and len(digits) <= 5:
        number = int(digits)
        if number <= 65535:
            return number
    raise ValueError(f"unknown RR type {text!r}")


def to_text(rrtype: int) -> str:
    """The mnemonic, or ``TYPEnnn`` for a type without one."""
    return MNEMONICS.get(rrtype) or f"TYPE{rrtype}"
