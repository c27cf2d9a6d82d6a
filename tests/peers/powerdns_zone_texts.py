"""Zone texts with odd but valid spellings, by what PowerDNS and lzc with its dialect make of them.

``{Z}`` is the zone's name with its final dot, ``{z}`` without. SOA and NS records of the apex come
before each, but where it starts with ``!``.
"""

# Texts are read more easily unbroken.
# ruff: noqa: E501

from __future__ import annotations

from typing import Final

_SOA: Final = b"!@ 5 IN SOA "
_NS: Final = b"\n@ 5 NS a.e.\n"
_X: Final = b"x" * 300
_AUTO: Final = b"ipv4hint=auto ipv6hint=auto\n"

ALIKE: Final = [
    # Origins and owners
    *(b"$ORIGIN " + name + b"\na 5 CNAME b\n@ 5 A 1.1.1.1\n" for name in (b"s.{z}", b"s.{Z}", b"{z}", b"S.{z} ; c")),
    b"$ORIGIN .\nx.{z} 5 A 1.1.1.1\n", b"$origin s.{Z}\na 5 CNAME @\n",
    b"a 5 A 1.1.1.1\n$ORIGIN s.{Z}\n  5 A 1.1.1.2\n", b"$ORIGIN q.{z}\na 5 TXT @\n",
    *(owner + b" 5 A 1.1.1.1\n" for owner in (
        b"A", b"\\097", b"a\\.b", b"\\@", b"a@b", b"*", b"a.*", b"a$b", b"\\$b", b"a.{z}", b"a.{Z}", b"{Z}", b"{z}", b"@", b"5", b"IN", b"a_b", b"a\\032b", b"\\000",
        b"a/b", b"a\\;b", b'a\\"b', b"a\\(b", b"a'b", b"a,b", b"@.a", b"x.y.z", b"", b"a\t")),
    b"a 5 A 1.1.1.1\n@ 5 A 1.1.1.2\n  5 A 1.1.1.3\n", b"a 5 A 1.1.1.1\n\t6 AAAA ::1\n",
    # TTLs and classes
    *(b"a " + head + b" 1.1.1.1\n" for head in (
        b"A", b"IN 1h A", b"1h IN A", b"1H A", b"1d A", b"1w A", b"1y A", b"1Y A", b"1m A", b"1s A", b"1M A", b"2147483647 A", b"007 A", b"in a", b"IN\tA", b"0 A")),
    *(b"$TTL " + ttl + b"\na A 1.1.1.1\n" for ttl in (b"7", b"1h", b"1H", b"7 ; c", b"1y", b"0")),
    b"$TTL 7\n$TTL 8\na A 1.1.1.1\nb 9 A 1.1.1.1\nc A 1.1.1.1\n", b"$ttl 7\na A 1.1.1.1\n",
    b"!$TTL 7\n@ IN SOA a.e. b.e. 1 2 3 4 5\n@ NS a.e.\na A 1.1.1.1\n", b"!@ IN SOA a.e. b.e. 1 2 3 4 5\n@ NS a.e.\na A 1.1.1.1\n",
    *(_SOA + soa + _NS for soa in (
        b"@ b.c ( 1 1y 3 4 5 )", b"a. b\\.c.d. 1 2 3 4 5", b"a. b@d. 1 2 3 4 5", b"a. b. 1 1H 1D 1W 1M", b"a. b. 007 2 3 4 5 ; c", b"a ( b 4294967295\n2 3 ; c\n4 5 )")),
    # Strings
    *(b"a 5 TXT " + text + b"\n" for text in (
        b"x y", b"x  y", b"x \t y   ; c", b"( x y )", b"( x\n y\n  z )", b"( x ; c\n y )", b"( x\n ; c\n y )", b"( x  \n\n  y )", b"x ( \ny\n)", b"x(\ny)", b"a(b)c", b"a (b c) d", b"v=spf1 -all",
        b"x\\ y", b"x\\;y z", b"a\\(b c", b"a\\032b c", b"@", b"(@)", b"x @", b'"@"', b"x;y z", b"gr\xc3\xbcn x", b"'x y'", _X, b"x " + _X, b"x\\\\y", b"\\065",
        b'"x""y"', b'"x"y', b'"x" y  z', b'"x"  "y"z w', b'"a\\"b\\\\c\\065\\n"', b'"a;b" ; c "d"', b'"a(b"', b'""', b'"x\ty"', b'"x\x01y"', b'"\\000\\255"',
        b'"' + _X + b'"', b'"' + _X + b'" "y"', b'"' + b"\\120" * 300 + b'"', b'"' + b"x" * 255 + b'"', b'"' + b"x" * 510 + b'"', b'( "x"\n"y"\n)', b'("x" ; c)\n "y" )', b'"x" ( "y" )', b'( "x(" "y)" )')),
    b'a 5 SPF "' + _X + b'"\n', b"a 5 SPF v=spf1 -all\n", b'a 5 HINFO a "b c"\n',
    # RDATA
    *(b"a 5 " + rdata + b"\n" for rdata in (
        b"A ( 1.1.1.1 )", b"A (\n1.1.1.1\n)", b"AAAA ::ffff:1.2.3.4", b"AAAA 2001:DB8::1", b"TYPE999 \\# 0", b"TYPE999 \\# 2 abcd", b"CNAME @", b"CNAME b", b"CNAME b.", b"CNAME \\@", b"CNAME .",
        b"CNAME b.{z}", b"CNAME a\\.b.c.", b"CNAME a\\032b.c.", b"CNAME B.C.", b"MX 10 @", b"MX 010 m", b"MX 10 (\n m )", b"SRV 1 2 3 @", b"SRV 1 2 3 .", b"SRV 1  2   3\tm", b"PTR B", b"PTR (b)", b"NS @", b"DNAME b",
        b'CAA 0 issue "x"', b"CAA 0 issue x", b'CAA 0 ISSUE "x; y=1"', b'CAA 128 tbs ""', b'NAPTR 100 10 "u" "x" "!^(.*)$!\\\\1!" .', b'NAPTR 1 1 "" "" "" b', b'NAPTR 1 1 "" "" "" b.{z}',
        b"RP @ c", b"AFSDB 1 b", b"KX 1 b", b"KX 1 b.{z}", b"LP 1 b", b"MB b", b"MG b", b"MR b", b"MINFO a b", b"IPSECKEY 10 3 2 gw AQNR", b"IPSECKEY 10 1 2 192.0.2.1 AQNR",
        b'URI 10 1 "ftp://f/p"', b"LOC 42 21 54 N 71 06 18 W -24m 30m", b"SSHFP 1 1 ( 1234 5678\n 9abcdef67890123456789abcdef67890 )", b"DS 60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118",
        b"CERT 3 0 0 AQIDBAUG", b"OPENPGPKEY AQ ID BA==", b"CSYNC 66 3 A NS", b"APL 1:192.168.32.0/21 !2:ff00::/8", b"EUI48 00-00-5e-00-53-2a", b"DHCID AAIBY2/AuCccgoJb", b"NID 10 14:4fff:ff20:ee64",
        b"SVCB 16 foo mandatory=ipv4hint,alpn alpn=h2,h3-19 ipv4hint=192.0.2.1", b'SVCB 1 . alpn="f\\\\\\\\oo\\\\,bar,h2"', b"HTTPS 0 Foo", b"HTTPS 0 Foo.", b"HTTPS 1 foo (\n alpn=h2 port=1 )", b"TYPE65 1 m", b"TYPE15 10 m",
        b"HTTPS 1 . no-default-alpn alpn=h2", b"HTTPS 1 . key4=auto")),
    # Hints
    *(b"a 5 HTTPS 1 " + rest for rest in (
        b". " + _AUTO, b". " + _AUTO + b"a 5 A 1.1.1.1\n", b"b.{z} " + _AUTO + b"b 5 A 1.1.1.1\nb 5 AAAA ::1\n", b"b.{Z} alpn=h2 port=1 " + _AUTO + b"b 5 A 1.1.1.1\n", b"b.{Z} " + _AUTO + b"b 5 CNAME c\nc 5 A 1.1.1.1\n",
        b"b.{Z} " + _AUTO + b"* 5 A 1.1.1.1\n", b"x.b.{Z} " + _AUTO + b"b 5 NS c\nx.b 5 A 1.1.1.1\n", b"x.b.{Z} " + _AUTO + b"b 5 DNAME c\nx.c 5 A 1.1.1.1\n", b"{Z} " + _AUTO + b"@ 5 A 1.1.1.1\n",
        b"b " + _AUTO + b"b 5 A 1.1.1.1\n", b'. alpn="h2" ipv4hint="1.2.3.4,auto"\na 5 A 1.1.1.1\n', b". mandatory=ipv4hint ipv4hint=auto\na 5 A 1.1.1.1\n")),
    b"* 5 SVCB 1 . " + _AUTO + b"* 5 A 1.1.1.1\nx 5 A 1.1.1.2\n",
    # $GENERATE
    *(b"$GENERATE " + rest + b"\n" for rest in (
        b"1-3 a$ A 192.0.2.$", b"0-9/3 b${10,3} 60 IN A 192.0.2.${1}", b"8-12 c${0,2,o}-${0,4,X} 5 CNAME ${-8,3,x}.d", b"1-2 ${0,6,N}x 5 A 192.0.2.1", b"1-2 a${0,3,n} 5 CNAME b", b"1-2 e$$$ 5 A 192.0.2.$",
        b"1-2 e\\$$ 5 A 192.0.2.$", b"1-2 f$ 5 MX 10   (m$)", b'1-2 g$ 5 TXT "n$  x"  "$$"', b"1-2 g$ 5 TXT a$  b", b'1-2 g$ 5 TXT "\\065$"', b'1-2 g$ 5 TXT "\\\\065$"', b"1-2 g\\046$ 5 A 1.1.1.1", b"1-2 g$ 5 HTTPS 1 b$")),
    # Lines
    b"a 5 A 1.1.1.1\r\nb 5 A 1.1.1.2\r\n", b"a 5 A 1.1.1.1\n\n  \n\t\nb 5 A 1.1.1.2", b"  ; c\na 5 A 1.1.1.1;c\n   ; c\n 5 A 1.1.1.2\n", b"a 5 A 1.1.1.1 ; (\nb 5 A 1.1.1.2\n", b'a 5 TXT ( "x" ; )\n "y" )\n',
]  # fmt: skip
"""Read alike."""

REFUSED: Final = [
    b"a 5 A 192.0.2.01\n", b'a 5 CNAME "b"\n', b'a 5 MX 10 "b"\n', b'a 5 HTTPS 1 "b."\n', b'a 5 NAPTR 1 1 "" "" "" @\n', b"a 5 HTTPS 1 @\n", b"a 5 KX 1 @\n", b"$ORIGIN s.{Z} x\na 5 A 1.1.1.1\n",
    b'a 5 TXT ( "x"\n', b"a\x0b5 A 1.1.1.1\n", b'a 5 TXT x y "z"\n', b"a 5 TXT\n", b'a 5 TXT "\\256"\n', b'"a" 5 A 1.1.1.1\n', b"(a) 5 A 1.1.1.1\n", b"a;b 5 A 1.1.1.1\n", b'a"b 5 A 1.1.1.1\n', b"a IN IN A 1.1.1.1\n",
    b"$TTL 1h30m\na A 1.1.1.1\n", b"$TTL 7 8\na A 1.1.1.1\n", _SOA + b"a b ( 1 1h30m 3m 4w 5d )" + _NS, _SOA + b'"a." b. 1 2 3 4 5' + _NS, b'a 5 LUA TXT "\'\\"\'"\n', b"$GENERATE 1-2 g${ 5 A 1.1.1.1\n", b"a 5 CAA 0 issue ;\n",
]  # fmt: skip
"""Taken by PowerDNS, errors with lzc."""

TAKEN: Final = [
    b'a 5 A "1.1.1.1"\n', b"a 5 A \\# 4 01020304\n", b"a 5 TYPE999 \\# 4 abcd ef01\n", b"a 5 TYPE65402 \\# 6 0010 03 277827\n", b"a 5 DS 60485 RSASHA1 1 2BB183AF5F22588179A53B0A98631FAD1A292118\n", b"a 5 X25 311061700956\n",
    b"a\\ b 5 A 1.1.1.1\n", b"a 1h30m A 1.1.1.1\n", b"a CLASS1 A 1.1.1.1\n", b'$TTL "7"\na A 1.1.1.1\n',
]  # fmt: skip
"""Refused by PowerDNS, read by lzc."""

CODES: Final = [
    r'''"'a\nb'"''', r'''"'a\\nb'"''', r'''"'a\065\039\'b'"''', r'''"'a\\\\b'"''', r'''"[[a\\b]]"''', r'''"'\x41'"''', r'''"'a\195\188b'"''', r'''";" "return 'x'"''',
    r'''"'ab'" "..'cd'"''', r'''"'ab'""..'cd'"''', r'''"'ab" "cd'"''', r'''"'ab""cd'"''', r'''( "'ab" ; c''' + "\n" + '''  "cd'" )''', r'''"'a" "" "b'"''', r'''"'a" " " "b'"''', r'''"" "'a'"''', r'''" " "'a'"''',
    "'ab'", "'a b'", "'a'..  'b'", "'a'..('b')", "'ab';x", r"'a\nb'", "\"'" + "x" * 260 + "'\"",
]  # fmt: skip
"""LUA records of type TXT."""
