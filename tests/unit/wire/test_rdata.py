"""RDATA: presentation to wire and back, canonical form (RFC 1035 §5, RFC 3597, RFC 4034 §6.2)."""

import ipaddress
from typing import Any

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.wire import name, rdata
from lzc.wire import rrtype as rr
from lzc.wire.rdata import InvalidRdata, reading
from lzc.wire.rdata.rare import read_rare

ORIGIN = name.from_text("example.org.")

VALID = [
    (rr.A, "192.0.2.1"),
    (rr.AAAA, "2001:db8::1"),
    (rr.AAAA, "::ffff:192.0.2.1"),
    (rr.NS, "ns1"),
    (rr.CNAME, "@"),
    (rr.PTR, r"a\.b.example.net."),
    (rr.DNAME, "."),
    (rr.MX, "10 Mail.Example.net."),
    (rr.SRV, "1 2 443 target"),
    (rr.SOA, "ns1 hostmaster 2026112101 3600 900 1209600 300"),
    (rr.SOA, "ns1 hostmaster 1 1h 15m 2w 1h30m"),
    (rr.TXT, r'"a \"quoted\" \\ word" "plain" "" "\000\255"'),
    (rr.SPF, '"v=spf1 -all"'),
    (rr.RESINFO, "qnamemin exterr=15,16,17"),
    (rr.WALLET, '"ETH" "0x1"'),
    (rr.AVC, '"app-name:X|app-class:OAM"'),
    (rr.NINFO, "a b"),
    (rr.AMTRELAY, "128 1 3 relay"),
    (rr.DSYNC, "CDS NOTIFY 5359 endpoint"),
    (rr.DLV, "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    (rr.CAA, '0 issue "ca.example.net; policy=ev"'),
    (rr.CAA, '128 iodef "mailto:a@example.org"'),
    (rr.NAPTR, '100 10 "u" "sip+E2U" "!^.*$!sip:info@example.org!" .'),
    (rr.DS, "12345 13 2 " + "ab" * 32),
    (rr.DNSKEY, "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="),
    (rr.RRSIG, "A 13 2 300 20261205000000 20261114000000 1 Example.org. AAAA"),
    (rr.NSEC, "host A MX RRSIG NSEC TYPE1234"),
    (rr.NSEC3PARAM, "1 0 0 -"),
    (rr.TLSA, "3 1 1 " + "cd" * 32),
    (rr.SSHFP, "4 2 " + "ef" * 32),
    (rr.HTTPS, '1 . alpn="h2,h3" ipv4hint=192.0.2.1'),
    (rr.SVCB, "0 svc.example.net."),
    (rr.LOC, "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m"),
    (rr.HINFO, '"PC" "Linux"'),
    (rr.RP, "admin.example.org. txt"),
    (rr.URI, '10 1 "https://example.org/"'),
    (rr.APL, "1:192.0.2.0/24 !2:2001:db8::/32"),
    (rr.EUI48, "00-00-5e-00-53-2a"),
    (65280, r"\# 3 abcdef"),
    (65280, r"\# 0"),
    (rr.A, r"\# 4 c0000201"),
    (rr.TXT, r"\# 4 03 61 6263"),
]


@pytest.mark.parametrize("sign", ["", "-"])
def test_altitudes_are_exact_to_the_centimetre(sign: str) -> None:
    for centimetres in range(0, 100_000, 7):
        metres, rest = divmod(centimetres, 100)
        text = f"51 N 0 W {sign}{metres}.{rest:02}m"
        altitude = rdata.from_presentation(rr.LOC, text.encode(), ORIGIN)[12:16]
        expected = 10_000_000 + (-centimetres if sign else centimetres)
        assert int.from_bytes(altitude, "big") == expected, text


@pytest.mark.parametrize(("kind", "text"), VALID)
def test_presentation_gives_the_octets_that_dnspython_gives(kind: int, text: str) -> None:
    expected = dns.rdata.from_text(
        dns.rdataclass.IN,
        dns.rdatatype.RdataType.make(kind),
        text,
        origin=dns.name.from_text("example.org."),
        relativize=False,
    ).to_wire()
    assert rdata.from_presentation(kind, text.encode(), ORIGIN) == expected


@pytest.mark.parametrize(("kind", "text"), VALID)
def test_what_is_printed_reads_back(kind: int, text: str) -> None:
    wire = rdata.from_presentation(kind, text.encode(), ORIGIN)
    printed = rdata.to_text(kind, wire)
    assert rdata.from_presentation(kind, printed.encode(), name.ROOT) == wire
    rdata.check_wire(kind, wire)


SIGNED = {
    rr.RRSIG: [
        "A 13 2 300 20261205000000 20261114000000 1 Example.org. AAAA",
        "TYPE1 8 0 2147483647 1700000000 0 65535 @ AAAA AA==",
        r"mx 15 2 0 21060207062815 19700101000000 1 x\.y AAAAAAAA",
        "A 13 2 2147483648 20261205000000 20261114000000 1 @ AAAA",
        "A 13 2 1h 20261205000000 20261114000000 1 @ AAAA",
        "A ECDSAP256SHA256 2 300 20261205000000 20261114000000 1 @ AAAA",
        "A 13 2 300 20280229000000 20261114000000 1 @ AAAA",
        "A 13 2 300 20260229000000 20261114000000 1 @ AAAA",
        "A 13 2 300 20261305000000 20261114000000 1 @ AAAA",
        "A 13 2 300 20261205240000 20261114000000 1 @ AAAA",
        "A 13 2 300 19690101000000 20261114000000 1 @ AAAA",
        "A 13 2 300 21060207062816 20261114000000 1 @ AAAA",
        "A 13 2 300 4294967296 20261114000000 1 @ AAAA",
        "A 13 2 300 20261205000000 20261114000000 1 @ AAA!A",
        "A 13 2 300 20261205000000 20261114000000 1 @ AAA",
        "A 13 2 300 20261205000000 20261114000000 1 @",
        "A 13 2 300 20261205000000 20261114000000 65536 @ AAAA",
        "A 256 2 300 20261205000000 20261114000000 1 @ AAAA",
        "NOTYPE 13 2 300 20261205000000 20261114000000 1 @ AAAA",
    ],
    rr.NSEC: [
        "host A MX RRSIG NSEC TYPE1234",
        "host",
        "host A A",
        "host MX A TYPE65535 TYPE256 CAA",
        "host TYPE0",
        "host NOTYPE",
        r"host A \065",
        "a..b A",
    ],
    rr.NSEC3: [
        "1 0 0 - 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM A RRSIG",
        "1 1 12 aabbccdd 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
        "1 1 12 aabbccd 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
        "2 1 12 aa 0p9mhaveqvm6t7vbl5lop2u3t2rp3to A",
        "1 1 12 aa 0p9mhaveqvm6t7vbl5lop2u3t2rp3tow A",
        "1 256 12 aa 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A",
        "1 0 65536 aa 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A",
    ],
}
"""Forms of what signers write, those that are refused among them."""


@pytest.mark.parametrize("kind", SIGNED)
def test_what_signers_write_is_read_as_dnspython_reads_it(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(text: str) -> bytes | str:
        try:
            return reading.from_fields(kind, text.encode().split(), ORIGIN)
        except InvalidRdata as error:
            return f"{error} in field {error.field_index}"

    here = [read(text) for text in SIGNED[kind]]
    asked = []

    def rare(*given: Any) -> bytes:
        asked.append(given)
        return read_rare(*given)

    monkeypatch.setattr(reading, "read_rare", rare)
    usual = [text for text in SIGNED[kind] if isinstance(read(text), bytes)][:2]
    asked.clear()
    assert all(isinstance(read(text), bytes) for text in usual)
    assert asked == []
    monkeypatch.setattr(reading, "read_signed", lambda *_: None)
    assert [read(text) for text in SIGNED[kind]] == here
    assert len(asked) == len(here)


@pytest.mark.parametrize(
    ("kind", "text", "field", "reason"),
    [
        (rr.A, "192.0.2", 0, "not an IPv4 address"),
        (rr.A, "192.0.2.256", 0, "not an IPv4 address"),
        (rr.TXT, "plain", 0, "double quotes"),
        (rr.CAA, "0 issue ca.example.net", 2, "double quotes"),
        (rr.NAPTR, '1 2 "u" s "x" .', 3, "double quotes"),
        (rr.A, "+1.0.2.1", 0, "not an IPv4 address"),
        (rr.A, "2001:db8::1", 0, "not an IPv4 address"),
        (rr.A, "192.0.2.1 192.0.2.2", 1, "got 2 fields"),
        (rr.A, "", 0, "got 0 fields"),
        (rr.AAAA, "192.0.2.1", 0, "not an IPv6 address"),
        (rr.AAAA, "fe80::1%eth0", 0, "not an IPv6 address"),
        (rr.NS, "a..b.", 0, "empty label"),
        (rr.MX, "10", 1, "got 1 field$"),
        (rr.MX, "65536 mail", 0, "0 to 65535"),
        (rr.MX, "-1 mail", 0, "0 to 65535"),
        (rr.MX, "10 a..b.", 1, "empty label"),
        (rr.SRV, "1 2 x target", 2, "port"),
        (rr.SOA, "a b 1 2 3 4 5x", 6, "time of 0 to"),
        (rr.SOA, "a b 1 2 3 4 9999w", 6, "time of 0 to"),
        (rr.SOA, "a b 4294967296 2 3 4 5", 2, "serial"),
        (rr.TXT, "", 0, "at least one"),
        (rr.TXT, " " * 300, 0, "at least one"),
        (rr.TXT, r'"ok" "\300"', 1, r"at most 255"),
        (rr.TXT, r'"\3"', 0, "bad escape"),
        (rr.TXT, '"open', 0, "not closed"),
        (rr.CAA, '0 is-sue "x"', 1, "letters and digits"),
        (rr.LUA, "A", 1, "code"),
        (rr.LUA, 'NOSUCH "x"', 0, "unknown RR type"),
        (rr.LUA, f'A "x" "{"a" * 256}"', 2, "256 octets"),
        (rr.DS, "1 13 2 zz", 3, "."),
        (rr.DS, "x 13 2 00", 0, "integer"),
        (rr.DS, "1 13 2", 3, "."),
        (rr.DS, f"1 13 2 {'ab' * 32} cd", 4, "."),
        (rr.TLSA, "3 1", 2, "too early"),
        (rr.LOC, "90 0 1 N 0 0 0 E 0m", 8, "latitude"),
        (rr.GPOS, "-22.6882 11$6 250.0", 2, "not well-formed"),
        (rr.NXT, "a A", 0, "only as"),
        (rr.NULL, "00", 0, "only as"),
        (rr.TALINK, "a", 1, "two names"),
        (rr.NID, "10 14:4fff:ff20", 1, "four groups"),
        (rr.L64, "10 1:2:3:12345", 1, "four groups"),
        (65280, "abc", 0, "RFC 3597"),
        (65280, r"\# 2 ab", 1, "2 octets, but 1"),
        (65280, r"\# 1 abc", 2, "hexadecimal"),
        (65280, r"\#", 1, "length"),
        (rr.A, r"\# 3 c00002", 2, "not the RDATA of A"),
        (rr.LUA, r"\# 4 00010561", 2, "not the RDATA of a LUA record"),
        (rr.MINFO, r"\# 5 016100c000", 2, "compressed"),
        (rr.SOA, r"\# 25 016100c000" + "00" * 20, 2, "compressed"),
        (rr.NS, r"\# 259 " + ("3f" + "61" * 63) * 4 + "016100", 2, "not the RDATA of NS"),
        (rr.MB, r"\# 4 01610000", 2, "after the last name"),
    ],
)
def test_malformed_fields_are_refused(kind: int, text: str, field: int, reason: str) -> None:
    with pytest.raises(InvalidRdata, match=reason) as caught:
        rdata.from_presentation(kind, text.encode(), ORIGIN, (4, 9))
    assert caught.value.field_index == field


@pytest.mark.parametrize(
    ("kind", "text", "wire"),
    [(rr.MB, "Mail", b"\x04Mail" + ORIGIN), (rr.MINFO, "a .", b"\x01a" + ORIGIN + b"\0")],
)
def test_mail_types_of_rfc_1035_are_known_too(kind: int, text: str, wire: bytes) -> None:
    assert rdata.from_presentation(kind, text.encode(), ORIGIN) == wire
    assert rdata.from_presentation(kind, rdata.to_text(kind, wire).encode(), ORIGIN) == wire


def test_a_lua_record_holds_its_covered_type_and_strings() -> None:
    wire = rdata.from_presentation(rr.LUA, b'''A "return 'x'" "..'y'"''', ORIGIN)
    assert wire == b"\x00\x01" + b"\x0areturn 'x'" + b"\x05..'y'"
    assert rdata.to_text(rr.LUA, wire) == '''A "return 'x'" "..'y'"'''


def test_a_quoted_hash_is_a_string_and_no_generic_rdata() -> None:
    assert rdata.from_fields(rr.TXT, [rb"\#", b"0"], ORIGIN, [True, False]) == b"\x01#\x010"


def test_long_text_of_a_lua_result_is_cut_into_strings() -> None:
    wire = rdata.from_presentation(rr.TXT, b'"' + b"x" * 300 + b'"', ORIGIN)
    assert wire == b"\xff" + b"x" * 255 + b"\x2d" + b"x" * 45


@pytest.mark.parametrize("text", [b"192.0.2.010", b" 192.000.002.00010 "])
def test_addresses_of_a_lua_result_may_have_leading_zeros(text: bytes) -> None:
    assert rdata.from_presentation(rr.A, text, ORIGIN) == bytes((192, 0, 2, 10))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (b"52 22 3.35999 N 4 53 0.00036 W 0m", b"52 22 3.359 N 4 53 0 W 0m"),
        (b"51 59 60 S 179 59 60 E 0m", b"52 0 0 S 180 0 0 E 0m"),
        (b"0 0 1.5e-05 N 0 1 E 0m", b"0 0 1.5 N 0 1 E 0m"),
    ],
)
def test_locations_of_a_lua_result_may_have_seconds_that_latlonloc_gives(
    text: bytes, plain: bytes
) -> None:
    assert rdata.from_presentation(rr.LOC, text, ORIGIN) == rdata.from_fields(
        rr.LOC, plain.split(), ORIGIN
    )
    with pytest.raises(InvalidRdata):
        rdata.from_fields(rr.LOC, text.split(), ORIGIN)


@pytest.mark.parametrize(
    ("kind", "fields", "wire"),
    [
        (rr.TXT, [b"plain", rb"\000x"], b"\x05plain\x02\x00x"),
        (rr.CAA, [b"0", b"issue", b"ca"], b"\x00\x05issueca"),
    ],
)
def test_strings_of_a_zone_file_need_no_quotes(kind: int, fields: list[bytes], wire: bytes) -> None:
    assert rdata.from_fields(kind, fields, ORIGIN) == wire


@pytest.mark.parametrize("text", [b"192.0.2.01", b"0300.0.2.1"])
def test_addresses_of_a_zone_file_have_no_leading_zeros(text: bytes) -> None:
    with pytest.raises(InvalidRdata, match="not an IPv4 address"):
        rdata.from_fields(rr.A, [text], ORIGIN)


def test_rdata_that_does_not_parse_prints_in_the_generic_form() -> None:
    assert rdata.to_text(rr.A, b"\x01\x02") == r"\# 2 0102"
    assert rdata.to_text(rr.SOA, b"\x00\x00\x01") == r"\# 3 000001"
    assert rdata.to_text(rr.TXT, b"\x05a") == r"\# 2 0561"
    assert rdata.to_text(65280, b"") == r"\# 0"


@given(st.lists(st.binary(max_size=255), min_size=1, max_size=5))
def test_character_strings_round_trip(strings: list[bytes]) -> None:
    wire = b"".join(bytes((len(string),)) + string for string in strings)
    printed = rdata.to_text(rr.TXT, wire)
    assert rdata.from_presentation(rr.TXT, printed.encode(), ORIGIN) == wire


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
def test_addresses_print_as_the_standard_library_does(four: bytes, six: bytes) -> None:
    text = rdata.to_text(rr.A, four)
    assert text == str(ipaddress.IPv4Address(four))
    assert rdata.from_fields(rr.A, [text.encode()], ORIGIN) == four
    text = rdata.to_text(rr.AAAA, six)
    assert ipaddress.ip_address(text).packed == six
    assert rdata.from_fields(rr.AAAA, [text.encode()], ORIGIN) == six


@given(st.sampled_from(sorted(rr.MNEMONICS)), st.binary(max_size=60))
@settings(max_examples=400)
def test_any_octets_print(kind: int, wire: bytes) -> None:
    assert rdata.to_text(kind, wire).isprintable()


@given(
    st.sampled_from([*sorted(set(rr.MNEMONICS) - rr.META_TYPES), 65280]),
    st.text('0123456789abAB.:\\"#-= ()@!/', max_size=40),
)
@settings(max_examples=400)
def test_any_text_is_read_or_refused(kind: int, text: str) -> None:
    try:
        wire = rdata.from_presentation(kind, text.encode(), ORIGIN)
    except InvalidRdata:
        return
    assert len(wire) <= rdata.MAX_RDATA


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (rr.NS, "NS1.Example.ORG."),
        (rr.SOA, "Ns1.Example.ORG. Host.Example.ORG. 1 2 3 4 5"),
        (rr.MX, "16705 Mail.Example.ORG."),
        (rr.SRV, "16705 16705 16705 Sip.Example.ORG."),
        (rr.NAPTR, '1 1 "A" "BC" "D" Next.Example.ORG.'),
        (rr.PX, "16705 A.Example. B.Example."),
        (rr.RRSIG, "A 13 2 300 20261205000000 20261114000000 16705 Example.ORG. QUFB"),
        (rr.NSEC, "Host.Example.ORG. A RRSIG NSEC"),
        (rr.TXT, '"ABC"'),
        (rr.HTTPS, "1 Svc.Example.ORG."),
    ],
)
def test_canonical_form_is_that_of_dnspython(kind: int, text: str) -> None:
    wire = rdata.from_presentation(kind, text.encode(), ORIGIN)
    theirs = dns.rdata.from_wire(
        dns.rdataclass.IN, dns.rdatatype.RdataType.make(kind), wire, 0, len(wire)
    )
    assert rdata.canonical(kind, wire) == theirs.to_digestable()


@pytest.mark.parametrize(
    ("kind", "text", "target"),
    [
        (rr.NS, "NS1", "ns1.example.org."),
        (rr.MX, "10 Mail", "mail.example.org."),
        (rr.SRV, "1 2 3 Sip", "sip.example.org."),
        (rr.DNAME, "Example.net.", "example.net."),
    ],
)
def test_targets_are_lower_case_names(kind: int, text: str, target: str) -> None:
    wire = rdata.from_presentation(kind, text.encode(), ORIGIN)
    assert rdata.target(kind, wire) == name.from_text(target)


def test_other_types_have_no_target() -> None:
    assert rdata.target(rr.SOA, bytes(22)) is None


@pytest.mark.parametrize(
    ("text", "expected"), [(b"0", 0), (b"3600", 3600), (b"1h30m", 5400), (b"1W2D3H4M5S", 788645)]
)
def test_times_take_units(text: bytes, expected: int) -> None:
    assert rdata.seconds(text) == expected


@pytest.mark.parametrize("text", [b"", b"h", b"1x", b"1h30", b"-1", b"1 h", b"12345678901"])
def test_other_times_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a time"):
        rdata.seconds(text)


def test_groups_of_a_locator_may_lack_their_zeros() -> None:
    assert rdata.from_presentation(rr.NID, b"10 14:4fff:ff20:ee64", ORIGIN) == bytes.fromhex(
        "000a 0014 4fff ff20 ee64"
    )
    assert rdata.from_presentation(rr.L64, b"10 2001:DB8:0:1", ORIGIN) == bytes.fromhex(
        "000a 2001 0db8 0000 0001"
    )


def test_two_names_of_talink() -> None:
    wire = rdata.from_presentation(rr.TALINK, b". T", ORIGIN)
    assert wire == b"\0\x01T" + ORIGIN
    assert rdata.to_text(rr.TALINK, wire) == ". T.example.org."
