"""Zone files as they are met in the wild, read by lzc and by BIND's ``named-compilezone``.

Both must find the same records. BIND writes what it read in wire format: no printing lies between.
"""

# Zone files are read more easily unbroken.
# ruff: noqa: E501

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from lzc.faults import Severity
from lzc.source.zonefile import read_zone
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.rdata.writing import generic
from tests.peers._peers.presence import find, require

APEX = wire_name.from_text("example.org.")
HEAD = b"$TTL 3600\n@ 3600 SOA ns.example.com. h.example.com. 1 2 3 4 5\n@ NS ns.example.com.\n"
LABELS = b".".join([b"a" * 63] * 3)

Records = set[tuple[bytes, int, bytes, int]]

FILES = {
    "crlf": b'a A 192.0.2.1\r\n  A 192.0.2.2 ; c\r\n\r\nb TXT ( "x"\r\n "y" )\r\n$TTL 1h\r\nc A 1.2.3.4\r\n',
    "no line end at the end": b"a A 192.0.2.1",
    "blank lines keep the owner": b"a A 192.0.2.1\n   \n\t\n ; c\n\n A 192.0.2.2\n",
    "TTL and class in any order": b"a IN 1h A 1.1.1.1\nb 1h in a 1.1.1.1\nc IN A 1.1.1.1\nd 5 A 1.1.1.1\n",
    "owners that look like other fields": b"IN IN A 1.1.1.1\nA A 1.1.1.1\n5 A 1.1.1.1\n1h 1h A 1.1.1.1\n",
    "units of TTLs": b"a 1w2d3h4m5s A 1.1.1.1\nb 1W A 1.1.1.1\nc 1d1d A 1.1.1.1\nd 5m1h A 1.1.1.1\n",
    "edges of TTLs": b"a 0 A 1.1.1.1\nb 2147483647 A 1.1.1.1\nc 0s A 1.1.1.1\nd 00000000000005 A 1.1.1.1\n",
    "TTL changes": b"$TTL 9\na A 1.1.1.1\n$ttl 8\nb A 1.1.1.1\nc 7 A 1.1.1.1\nd A 1.1.1.1\n",
    "origins": b"$ORIGIN a\n@ A 1.1.1.1\n$origin b\nx A 1.1.1.2\n$ORIGIN @\ny A 1.1.1.3\n"
    b"$ORIGIN .\nb.example.org A 1.1.1.4\n$ORIGIN example.org.\nz A 1.1.1.5\n",
    "origin between owner and blank owner": b"a A 1.1.1.1\n$ORIGIN b\n  A 1.1.1.2\n",
    "at sign": b"a CNAME @\nb MX 1 @\nc SRV 1 1 1 @\n\\@ A 1.1.1.1\na@b A 1.1.1.1\nd CNAME \\@\ne TXT @\n",
    "relative and absolute": b"a A 1.1.1.1\na.example.org. A 1.1.1.2\na.example.org A 1.1.1.3\n",
    "dollar inside": b"\\$x A 1.1.1.1\na$x A 1.1.1.1\nb TXT $TTL\n",
    "parentheses": b"(a) A 1.1.1.1\n( b\nA ( 1.1.1.1 ) )\n ( A 1.1.1.2 )\nc TXT (x (y) z)(w)\n"
    b'd TXT ( x ; ) no\n "y)" )\ne ( 300\n IN ) A 1.1.1.1\nf A ( ) 1.1.1.1 ()\n',
    "strings": b'a TXT "x\\"y\\\\" "\\065" ""\nb TXT "x""y"z"w"\nc TXT x\\ y a\\;b "a;b" ; "c\n'
    b'd TXT "\\000\\255\ttab" gr\xc3\xbcn "\xff"\n',
    "octets in strings": b'a TXT "x\x00y" "x\x01y"\n',
    "escaped owners": b"\\097 A 1.1.1.1\n\\046x A 1.1.1.2\n\\000\\001\\255 A 1.1.1.3\na\\.b A 1.1.1.4\n"
    b'a.b A 1.1.1.5\na\\. A 1.1.1.6\na\\(b\\) A 1.1.1.7\nc\\"d A 1.1.1.8\na\\;b A 1.1.1.9\nb\\ c A 1.1.1.1\n',
    "escapes in targets": b"a CNAME x\\.y.\nb NS \\065.\\000.\nc PTR a\\\\.b\n",
    "wildcards": b"* A 1.1.1.1\n*.a A 1.1.1.1\na.*.b A 1.1.1.1\n*.* A 1.1.1.2\nx* A 1.1.1.1\n\\*.z A 1.1.1.1\n",
    "upper case": b"WWW A 1.1.1.1\nwww.EXAMPLE.org. A 1.1.1.2\nc CNAME WwW\n",
    "longest names": LABELS
    + b"."
    + b"b" * 49
    + b" A 1.1.1.1\n"
    + b"a CNAME "
    + LABELS
    + b"."
    + b"b" * 61
    + b".\n",
    "most labels": b".".join([b"a"] * 121) + b" A 1.1.1.1\n",
    "longest strings": b'a TXT "' + b"x" * 255 + b'" ' + b"\\120" * 255 + b"\n",
    "many strings": b"a TXT " + b" ".join([b'"' + b"x" * 255 + b'"'] * 250) + b"\n",
    "unknown types": b"a TYPE999 \\# 4 abcd ef01\nb TYPE999 \\# 0\nc TYPE1 \\# 4 0A000001\nd A \\# 4 0a000001\n"
    b"e TYPE999 \\# 3 ( ab\n cd EF )\nf MX \\# 5 000a 0161 00\ng CLASS1 TYPE001 \\# 4 01020304\n"
    b"h TYPE65402 \\# 6 0001 03 414243\n",
    "generate": b"$GENERATE 1-3 a$ A 192.0.2.$\n$GENERATE 0-9/3 b${10,3} 60 IN A 192.0.2.${1}\n"
    b"$GENERATE 8-17 c${0,2,o}-${0,4,X} CNAME ${-8,3,x}.d\n$GENERATE 250-260 ${0,6,N}x A 192.0.2.1\n"
    b'$GENERATE 1-2 e$$ A 192.0.2.$\n$GENERATE 1-2 f$ MX "10 m$"\n$GENERATE 1-2 g$ TXT n$\n'
    b'$GENERATE 1-2 h$ HINFO "x$ y"\n$GENERATE 1-2 i$ CAA "0 issue \\"c$\\""\n',
    "addresses": b"a A 0.0.0.0\na A 255.255.255.255\nb AAAA ::\nb AAAA ::ffff:192.0.2.1\nb AAAA 2001:DB8::1\n",
    "mail and services": b'a MX 010 M\nb SRV 0 0 0 .\nc NAPTR 100 10 U E2U+sip "!^.*$!sip:i@e.com!" .\n'
    b'd NAPTR 1 1 "" "" "!^(.+@([^\\\\.]+\\\\.)(.*))$!\\\\2!i" X.\ne KX 1 K\nf AFSDB 1 h\ng RT 1 r\n'
    b'h PX 1 a b\ni RP a b\nj MINFO a b\nk LP 10 l64\nl MB m\nm URI 10 1 "ftp://f/p"\n',
    "places": b"a LOC 42 21 54 N 71 06 18 W -24m 30m\nb LOC 60 N 24 E -100m\nc LOC 0 0 0 N 0 0 0 E 0\n"
    b"d LOC 90 0 0 S 180 0 0 W 42849672.95m 90000000m 90000000m 90000000m\n"
    b"e LOC 51 30 12.748 N 0 7 39.611 W 0.00m 0.00m 0.00m 0.00m\nf GPOS -22.6882 116.8652 250.0\n",
    "keys": b"a DNSKEY 256 3 ECDSAP256SHA256 AQPS Kmyn\nb CDNSKEY 0 3 0 AA==\nc CDS 0 0 0 00\n"
    b"d DS 60485 RSASHA1 1 2BB183AF5F22588179A53B0A 98631FAD1A292118\ne SSHFP 1 1 ( 1234 5678\n"
    b" 9abcdef67890123456789abcdef67890 )\nf TLSA 3 1 1 ( d2abde240d7cd3ee6b4b28c54df034b9\n"
    b" 7983a1d16e8a410e4561cb106618e971 )\ng CERT PGP 0 0 AQID BAUG\nh OPENPGPKEY AQ ID BA==\n"
    b"i IPSECKEY 10 3 2 gw AQNR\nj HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs\n"
    b"k DHCID AAIBY2/AuCccgoJb\nl KEY 512 3 13 AQID\nm DLV 1 8 1 2BB183AF5F22588179A53B0A98631FAD1A292118\n",
    "services with parameters": b"a SVCB 1 . port=60 key67\nb SVCB 16 foo mandatory=ipv4hint,alpn alpn=h2,h3-19"
    b' ipv4hint=192.0.2.1\nc SVCB 1 . alpn="f\\\\\\\\oo\\\\,bar,h2"\nd SVCB 1 foo key667="hello\\210qoo"\n'
    b'e HTTPS 1 . alpn="h2" port="8443" ipv6hint="2001:db8::1,::2"\nf HTTPS 0 Foo.\n'
    b"g HTTPS 1 . no-default-alpn alpn=h2 dohpath=/q{?dns}\nh HTTPS 1 foo (\n alpn=h2 port=1 )\n"
    b"i TYPE65 1 . key1=\\002h2\n",
    "rare types": b'a HINFO PC-Intel "Red \\"Hat\\" 7"\nb X25 311061700956\nc ISDN 150862028003217 004\n'
    b"d NSAP 0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00\ne NSAP-PTR foo.\nf NID 10 14:4fff:ff20:ee64\n"
    b"g L32 10 10.1.2.0\nh L64 10 2001:0DB8:1140:1000\ni EUI48 00-00-5E-00-53-2A\n"
    b"j EUI64 00-00-5e-ef-10-00-00-2a\nk APL 1:192.168.32.0/21 !2:ff00::/8\nl APL\nm WKS 10.0.0.1 6 0 21\n"
    b"n CSYNC 66 3 A NS\no ZONEMD 1 240 1 " + b"ab" * 48 + b'\np NINFO a "b c"\n'
    b"q TALINK . t\nr AVC a b\ns AMTRELAY 128 1 3 r\nt RESINFO qnamemin exterr=15,16\nu WALLET ETH 0x1\n"
    b'v DSYNC CDS NOTIFY 5359 rr\nw SMIMEA 3 1 0 d2ab\nx SPF "v=spf1 -all"\ny CAA 128 tbs ""\n',
}


def named_reads(file: Path) -> Records:
    """The records that named-compilezone finds, from its raw format: a header of 24 octets, then
    RRsets with length, class, type, type covered, TTL, count, owner and RDATA."""
    require("named-compilezone")
    program = find("named-compilezone")
    assert program is not None
    raw = file.with_suffix(".raw")
    off = [word for option in "knrmMSTW" for word in (f"-{option}", "ignore")]
    command = [
        program,
        "-i",
        "none",
        *off,
        "-F",
        "raw",
        "-o",
        str(raw),
        "example.org",
        str(file),
    ]
    done = subprocess.run(command, cwd=file.parent, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    data = raw.read_bytes()
    records: Records = set()
    position = 24
    while position < len(data):
        size, _, kind, _, ttl, count, length = struct.unpack_from(">IHHHIIH", data, position)
        at = position + 20 + length
        owner = data[position + 20 : at]
        for _ in range(count):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            records.add((owner.lower(), kind, wire_rdata.canonical(kind, data[at + 2 : end]), ttl))
            at = end
        assert at == position + size
        position = at
    return records


def lzc_reads(file: Path) -> Records:
    """The records that lzc finds; there may be nothing wrong with any."""
    zone, faults = read_zone(file, APEX)
    assert [str(fault) for fault in faults if fault.severity is Severity.ERROR] == []
    return {
        (zone.owner(record), record[1], wire_rdata.canonical(record[1], record[2]), record[3])
        for record in zone.records
    }


def _content(rrtype: int, rdata: bytes) -> str:
    # BIND has no text format for LUA.
    return generic(rdata) if rrtype == rr.LUA else wire_rdata.to_text(rrtype, rdata)


@pytest.mark.parametrize("title", FILES)
def test_bind_reads_the_same(title: str, tmp_path: Path) -> None:
    file = tmp_path / "example.org.zone"
    file.write_bytes(HEAD + FILES[title])
    assert lzc_reads(file) == named_reads(file)


@pytest.mark.parametrize("title", FILES)
def test_what_lzc_prints_is_read_the_same_by_bind(title: str, tmp_path: Path) -> None:
    file = tmp_path / "example.org.zone"
    file.write_bytes(HEAD + FILES[title])
    zone, _ = read_zone(file, APEX)
    printed = tmp_path / "printed.zone"
    printed.write_text(
        "".join(
            f"{wire_name.to_text(zone.owner(record))} {record[3]} IN TYPE{record[1]} "
            f"{_content(record[1], record[2])}\n"
            for record in zone.records
        )
    )
    assert named_reads(printed) == lzc_reads(file)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"@ 60 SOA n.e. h.e. 1 2 3 4 5\n@ NS n.e.\n", b"a 7 A 1.1.1.1\nb A 1.1.1.1\n"),
        (b"@ SOA n.e. h.e. 1 2 3 4 77\n@ NS n.e.\n", b"a A 1.1.1.1\nb 9 A 1.1.1.3\nc A 1.1.1.2\n"),
        (b"$TTL 5\n@ IN SOA @ j\\.d.e. ( 4294967295 ; s\n 1h 15m 2w 1d ) ; x\n NS n.e.\n", b""),
    ],
)
def test_where_ttls_come_from(head: bytes, body: bytes, tmp_path: Path) -> None:
    file = tmp_path / "example.org.zone"
    file.write_bytes(head + body)
    assert lzc_reads(file) == named_reads(file)


@pytest.mark.parametrize(
    ("body", "included"),
    [
        (b"own A 1.1.1.3\n$INCLUDE a.inc\n A 1.1.1.9\n", b"  A 1.1.1.1\nx A 1.1.1.2\n"),
        (
            b"own A 1.1.1.3\n$INCLUDE a.inc sub\n A 1.1.1.9\n",
            b" A 1.1.1.1\n$ORIGIN d\nx A 1.1.1.2\n",
        ),
        (b"$INCLUDE a.inc\nafter A 1.1.1.9\n", b"$TTL 7\nx A 1.1.1.1"),
        (b'$INCLUDE "a.inc" x\r\n$INCLUDE a.inc y.example.org. ; c\r\n', b"@ A 1.1.1.1\r\n"),
        (b"$INCLUDE a.inc\n", b""),
    ],
)
def test_included_files(body: bytes, included: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.inc").write_bytes(included)
    file = tmp_path / "example.org.zone"
    file.write_bytes(HEAD + body)
    assert lzc_reads(file) == named_reads(file)
