# ruff: noqa: E501 (one question a line)
"""Arguments that PowerDNS and lzc are to take or refuse alike: of functions, of methods, of operators."""

from __future__ import annotations

from itertools import product

VALUES = [
    "nil", "true", "5", "-1", "1.5", "''", "'x'", "'192.0.2.1'", "'::1'", "'5'", "'a.b.'", "'10.0.0.0/8'",
    "{}", "{'192.0.2.1'}", "{5}", "{'x'}", "{{1,'a'}}", "{{'192.0.2.1'}}", "{a='192.0.2.1'}",
    "{{{'0.0.0.0/0'},{'v'}}}", "{{{'0.0.0.0/0'},{'v'}},5}", "{{{'0.0.0.0/0'},{'v'}},{{'x'},{true}}}",
    "qname", "who", "newNMG({'0.0.0.0/0'})", "newNetmask('10.0.0.0/8')", "newQType('A')", "print", "'unknown'",
    "{{-999,'a'},{1000,'b'}}", "{{'x','a'},{1e15,'b'}}", "{{1e5,'a'},{99999999999,'b'}}",
]  # fmt: skip
PAIRED = [
    "nil", "true", "5", "'x'", "'192.0.2.1'", "{}", "{'192.0.2.1'}", "{{1,'a'}}", "{selector='all'}",
    "{selector=true}", "qname", "who", "newNMG({'0.0.0.0/0'})", "2^32", "-0.5",
]  # fmt: skip
FUNCTIONS = [
    "ifportup", "ifurlup", "pickrandom", "pickrandomsample", "pickhashed", "pickwhashed",
    "pickclosest", "closestMagic", "all", "view", "netmask", "latlon", "latlonloc", "latlonMagic",
    "geoiplookup", "asnum", "continent", "continentCode", "country", "countryCode", "region",
    "regionCode", "createReverse", "createReverse6", "createForward", "createForward6",
    "filterForward", "include", "pdnslog", "newDN", "newCA", "newCAFromRaw", "newCAS", "newNMG",
    "newNetmask", "newQType", "newDR", "newDRR", "report",
]  # fmt: skip
METHODS = {
    "newDN('a.B.c')": "toString toStringNoDot getRawLabels countLabels wirelength wireLength isPartOf equal chopOff makeRelative canonCompare empty",
    "newDN('a'):makeRelative(newDN('b'))": "toString countLabels wirelength chopOff getRawLabels isPartOf",
    "newCA('192.0.2.1:53')": "toString toStringWithPort getRaw getPort isIPv4 isIPv6 isMappedIPv4 mapToIPv4 truncate match",
    "newCA('::ffff:1.2.3.4')": "toString toStringWithPort getPort isMappedIPv4 mapToIPv4 truncate",
    "newNetmask('10.1.2.3/8')": "toString empty getBits getNetwork getMaskedNetwork isIpv4 isIPv4 isIpv6 isIPv6 match",
    "newNMG({'10.0.0.0/8'})": "addMask addMasks match size",
    "newCAS()": "add check remove",
    "newQType('MX')": "getCode getName toString",
    "dh": "getRD getCD getTC getRA getAD getAA getRCODE getOPCODE getQDCOUNT getANCOUNT getNSCOUNT getARCOUNT",
    "newDRR(newDN('a.b'),'A',60,'192.0.2.1')": "toString qname wildcardName content lastModified ttl signttl domainId qtype qclass scopeMask auth disabled",
    "newDR(newDN('a.b'),'A',60,'192.0.2.1',1)": "getContent getCA changeContent name ttl type place",
}
GIVEN = [
    "nil", "true", "5", "-1", "200", "1.5", "''", "'x'", "'192.0.2.1'", "'a.b.c'", "'10.0.0.0/8'", "{}",
    "{'192.0.2.1','10.0.0.0/8'}", "{5}", "newDN('b.c')", "newDN('c.d')", "newDN('A.b.C')", "newCA('10.9.9.9')",
    "newCA('10.9.9.9:5')", "newNetmask('10.0.0.0/8')", "newNMG()", "print",
]  # fmt: skip
OPERANDS = [
    "newDN('a.b')", "newDN('A.B')", "newDN('b')", "newCA('10.1.1.1')", "newCA('10.1.1.1:5')",
    "newNetmask('10.0.0.0/8')", "newNetmask('10.0.0.1/8')", "newNMG()", "newQType('A')", "newQType('#1')",
    "newCAS()", "dh", "newDRR(newDN('a.b'),'A',60,'192.0.2.1')", "newDRR(newDN('A.B'),'A',60,'192.0.2.1')",
    "newDR(newDN('a.b'),'A',60,'192.0.2.1',1)", "5", "'x'", "'a.b.'", "nil", "true", "{}",
]  # fmt: skip


def _of_functions() -> list[str]:
    found = []
    for name in FUNCTIONS:
        found.append(f"{name}()")
        found += [f"{name}({value})" for value in VALUES]
        found += [f"{name}({one},{other})" for one, other in product(PAIRED, PAIRED)]
        found += [
            f"{name}({value},{value},{value},{value},{value},{value},{value})" for value in PAIRED
        ]
    return found


def _of_objects() -> list[str]:
    found = []
    for made, methods in METHODS.items():
        for method in methods.split():
            found += [f"({made}):{method}()", f"({made}).{method}()"]
            for value in GIVEN:
                found += [f"({made}):{method}({value})", f"({made}).{method}({value})"]
                found.append(f"({made}):{method}({value},{value})")
    for one, other in product(OPERANDS, OPERANDS):
        found += [f"({one}){operator}({other})" for operator in ("==", "~=", "<", "<=", "..", "+")]
    return found


EXPRESSIONS = [*_of_functions(), *_of_objects()]

SHOW = (
    "local function s(v,d) local t=type(v) if t=='table' then if d>2 then return '..' end local o={} "
    "for k,x in pairs(v) do o[#o+1]=tostring(k)..'='..s(x,d+1) end table.sort(o) return table.concat(o,',') "
    "elseif t=='userdata' then local ok,r=pcall(function() return v:toString() end) return 'u'..(ok and r or '') "
    "elseif t=='function' then return t end return t..tostring(v) end "
    "local function l(...) return select('#',...),{...} end "
    "local function a(f) local n,r=l(pcall(f)) local o={} for i=2,n do o[i-1]=s(r[i],0) end "
    "o=r[1] and table.concat(o,';') or 'E' "
    "return (o:gsub('[^%w.:;/=,-]',function(c) return '_'..c:byte() end)) end "
)
"""A function of a function: what that gives, as text without anything to be escaped; ``E`` for an error."""


def record_of(expressions: list[str]) -> str:
    """The code of a record that tells what each gives, with blanks between."""
    asked = " ".join(f"o[#o+1]=a(function() return {expression} end)" for expression in expressions)
    return f";{SHOW}local o={{}} {asked} return table.concat(o,' ')"
