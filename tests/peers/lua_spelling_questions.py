# ruff: noqa: E501 (one question a line)
"""Spellings of addresses, networks, numbers, names and types that PowerDNS and lzc are to take or refuse alike."""

from __future__ import annotations

from itertools import product

ADDRESSES = [
    "192.0.2.1", "192.0.2.1:53", "192.0.2.1:05", "192.0.2.1:+5", "192.0.2.1:-5", "192.0.2.1:-0", "192.0.2.1:5x",
    "192.0.2.1:0x5", "192.0.2.1:", "192.0.2.1: 5", "192.0.2.1:5 ", "192.0.2.1:65535", "192.0.2.1:65536",
    "192.0.2.1:4294967349", "192.0.2.1:99999999999999999999", "192.0.2.1:5:5", "[::1]", "[::1]:53", "[::1]:",
    "[::1]:+5", "[::1]:5x", "[::1]: 5", "[::1]:5 ", "[::1]:-1", "[::1]:65536", "[::1]:4294967349", "[::1]x",
    "[::1", "::1]", "::1:53", "::1 ", "[192.0.2.1]", "[192.0.2.1]:53", "[]", "[]:5", "1::2::3", "::ffff:192.0.2.1",
    "[::ffff:192.0.2.1]:53", "::192.0.2.1", "::192.0.2", "192.0.513", "192.66049", "3221226043", "0xc0.0.2.1",
    "0300.0.2.1", "0X7f.1", "08.1.1.1", "192.0.2.256", "192.0.2.1.1", "192.0.2.", "192..2.1", ".1.2.3", "a.b.c.d",
    "192.0.2.1 ", " 192.0.2.1", "192.0.2.1 x", "192.0.2.1\\n", "2001:DB8::A", "2001:0db8:0:0::1", "::00001",
    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8:9", ":", "192.0.2.1/24", "::1/64",
]  # fmt: skip
ADDRESS_TAKERS = [
    "newCA('{}'):toStringWithPort()",
    "newNetmask('{}'):toString()",
    "newNetmask('{}/20'):toString()",
    "newNetmask('0.0.0.0/0'):match('{}')",
    "newNetmask('::/0'):match('{}')",
    "newNMG({{'!{}'}}):match(newCA('192.0.2.1'))",
    "netmask({{'{}'}})",
    "geoiplookup('{}',3)",
    "pickclosest({{'{}'}})",
    "ifportup(1,{{'{}'}})",
    "ifportup(1,{{'192.0.2.1'}},{{source='{}'}})",
    "filterForward('{}',newNMG({{'0.0.0.0/0'}}),'f')",
    "createReverse('%5%',{{['{}']='x'}})",
]
NETWORKS = [
    "192.0.2.129",
    "2001:db8::ff",
    "[::1]",
    "[::1]:5",
    "[10.0.0.1]",
    "10.0.0.1:5",
    "192.0.2",
]
LENGTHS = [
    "0", "8", "25", "32", "33", "128", "129", "255", "256", "-1", "-0", "+8", "08", "8.5", "8x", "x", "0x8", "/8",
    "255.0.0.0", "99999999999999999999",
]  # fmt: skip
NETWORK_TAKERS = [
    "newNetmask('{}/{}'):toString()",
    "newNetmask('{}/{}'):getBits()",
    "newNetmask('{}/{}'):getNetwork()",
    "newNMG({{'!{}/{}','0.0.0.0/0'}}):match(newCA('192.0.2.1'))",
]
NUMBERS = [
    "-0.5", "-1.5", "8.9", "-256", "257", "65537", "-65537", "2^31", "-2^31", "2^32", "2^32+8", "-2^40", "2^63",
    "1e300", "0/0", "'0x10'", "' 8 '", "'8.7'", "'-3'", "'8x'",
]  # fmt: skip
NUMBER_TAKERS = [
    "(function() local a=newCA('192.0.2.255:5') a:truncate({}) return a:toStringWithPort() end)()",
    "(function() local a=newCA('2001:db8:ffff::ff') a:truncate({}) return a:toString() end)()",
    "newCAFromRaw('abcd',{}):toStringWithPort()",
    "newDRR(newDN('a'),'A',{},'192.0.2.1'):ttl()",
    "newDRR(newDN('a'),'A',5,'192.0.2.1',{}):domainId()",
    "newDRR(newDN('a'),'A',5,'192.0.2.1',1,{}):auth()",
    "newDR(newDN('a'),'A',{},'192.0.2.1',1).ttl",
    "newDR(newDN('a'),'A',5,'192.0.2.1',{}).place",
    "(function() local d=newDR(newDN('a'),'A',5,'192.0.2.1',1) d.ttl={} return d.ttl end)()",
    "(function() local d=newDR(newDN('a'),'A',5,'192.0.2.1',1) d.type={} return d.type end)()",
    "(function() local d=newDR(newDN('a'),'A',5,'192.0.2.1',1) d.place={} return d.place end)()",
    "(function() local d=newDR(newDN('a'),'A',5,'192.0.2.1',1) d.name={} return d.name end)()",
    "ifportup({},{{'192.0.2.1'}})",
    "#pickrandomsample({},{{'a','b','c'}})",
]
NAMES = [
    "", ".", " ", "a", "a.", "A.b.C", "a..b", ".a", "a b", "a\\\\.b", "a\\\\032b", "a\\\\000b", "\\\\065.b", "a\\\\", "a\\\\1",
    "a\\\\12", "a\\\\256", "a\\\\999b", "*.a", "_a._b", "a@b", "\\255", "a\\0b", "a;b", "(a)", "a\\tb", "a\\127b", "\\1",
    "1.2.3.4", "www.lua.test", "WWW.LUA.TEST.", "a.b.c.d.e.f.g.h", "a%b", "~",
]  # fmt: skip
NAME_TAKERS = [
    "newDN('{}'):toString()",
    "newDN('{}'):toStringNoDot()",
    "newDN('{}'):wirelength()",
    "newDN('{}'):getRawLabels()",
    "newDN('{0}'):equal('{0}')",
    "newDN('{}'):isPartOf(newDN('b.c'))",
    "newDN('a.{0}'):makeRelative(newDN('{0}'))",
    "newDN('{}'):canonCompare(newDN('a.b'))",
    "newDRR(newDN('{}'),'A',1,'192.0.2.1'):qname()",
    "include('{}')",
]
TYPES = [
    "A", "aaaa", "ANY", "LUA", "ALIAS", "SPF", "WKS", "NULL", "TSIG", "NXNAME", "BOGUS", "", "TYPE", "TYPE1", "TYPE01",
    "TYPE1x", "TYPE-1", "TYPE65536", "type 1", "#1", "#1x", "#+1", "#-1", "# 1", "#65537", "1", "*",
]  # fmt: skip
TYPE_TAKERS = [
    "newQType('{0}'):getName()..newQType('{0}'):getCode()",
    "newDRR(newDN('a'),'{}',1,'x'):qtype()",
    "newQType('{}')==newQType('A')",
    "pdns['{}']",
]

EXPRESSIONS = [
    *(taker.format(address) for taker, address in product(ADDRESS_TAKERS, ADDRESSES)),
    *(
        taker.format(network, length)
        for taker, network, length in product(NETWORK_TAKERS, NETWORKS, LENGTHS)
    ),
    *(taker.format(number) for taker, number in product(NUMBER_TAKERS, NUMBERS)),
    *(taker.format(name) for taker, name in product(NAME_TAKERS, NAMES)),
    *(taker.format(kind) for taker, kind in product(TYPE_TAKERS, TYPES)),
]
