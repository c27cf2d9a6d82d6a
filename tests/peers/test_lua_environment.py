"""What code finds around it: each version of PowerDNS lists its globals, the tables among them and
their values, and lzc as that version has the same, but for what it leaves out on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from lzc.powerdns_versions import Version
from tests.peers._peers.asking import ask
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.test_lua_differential import HEAD, ZONE, AllDown, Both, presentation, serving

pytestmark = pytest.mark.usefixtures("nowhere_to_go")

LIBRARIES: Final = ("string", "table", "math", "os", "coroutine", "bit")
CONSTANTS: Final = ("pdns", "pdns.loglevels", "pdns.place", "GeoIPQueryAttribute")
LISTED: Final = (
    ";local found = {} local t = %s if type(t) ~= 'table' then return type(t) end"
    " for key, value in pairs(t) do found[#found + 1] = tostring(key) .. '=' .. %s end"
    " return table.concat(found, ' ')"
)
OF_TYPES: Final = "type(value)"
OF_VALUES: Final = "(type(value) == 'number' and value or type(value))"
METHODS: Final = {
    "newCA('192.0.2.1')": "getPort isIPv4 isIPv6 isMappedIPv4 mapToIPv4 toString getRaw"
    " toStringWithPort truncate match ntohl getBits isMappedIPV4 ipv4 ipv6",
    "newCAS()": "add check empty",
    "dh": "getRD getCD getID getTC getRA getAD getAA getRCODE getOPCODE getQDCOUNT getANCOUNT"
    " getNSCOUNT getARCOUNT setRD",
    "qname": "canonCompare makeRelative isPartOf toString toStringNoDot chopOff countLabels"
    " wireLength wirelength getRawLabels equal isWildcard append",
    "newDR(newDN('a.'), 'A', 60, '192.0.2.1', 1)": "name place ttl type getContent getCA"
    " changeContent",
    "newDRR(newDN('a.'), 'A', 60, '192.0.2.1')": "toString qname wildcardName content"
    " lastModified ttl signttl domainId qtype qclass scopeMask auth disabled",
    "newNetmask('192.0.2.0/24')": "empty getBits getNetwork getMaskedNetwork isIpv4 isIPv4 isIpv6"
    " isIPv6 match toString contains",
    "newNMG({'192.0.2.0/24'})": "addMask addMasks match empty size",
    "newQType('A')": "getCode getName toString",
}
"""What the objects have by their documentation, and some names more."""
HAS: Final = (
    "(function() local object, found = %s, '' for name in ('%s'):gmatch('%%a+') do"
    " local ok, value = pcall(function() return object[name] end)"
    " local state = ok and value ~= nil and 'there' or 'missing'"
    " found = found .. ' ' .. name .. '=' .. state end return found end)()"
)
HOST: Final = frozenset({"io", "package", "require", "module", "loadfile", "dofile", "newproxy"})
"""What leads to the host: D-17."""
REQUESTS: Final = frozenset({"newDNSPacket", "dupDNSPacket"})
"""Makers of packets, for scripts of another kind: D-54."""
INTERNAL: Final = "e5ddced079fc405aa4937b386ca387d2"
"""A function that PowerDNS's Lua library keeps for itself."""
OF_OS: Final = frozenset({"time", "clock", "date", "difftime", "getenv"})


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    release: Release = request.param
    codes = {name: LISTED % (name, OF_TYPES) for name in ("_G", *LIBRARIES)}
    codes |= {name: LISTED % (f"({name})", OF_VALUES) for name in CONSTANTS}
    codes |= {_of_object(made): HAS % (made, names) for made, names in METHODS.items()}
    lines = [f"{_label(name)} 0 IN LUA TXT {presentation(code)}" for name, code in codes.items()]
    zone = "\n".join([*HEAD, *lines]) + "\n"
    folder = tmp_path_factory.mktemp("powerdns")
    with serving(folder, zone, AllDown(), 3600, release) as pair:
        yield pair


def _label(name: str) -> str:
    return "in-" + name.lower().replace(".", "-").replace(" ", "-").replace("_", "x")


def _of_object(made: str) -> str:
    return f"methods {[*METHODS].index(made)}"


def listed(both: Both, table: str) -> dict[str, str]:
    """What a table of PowerDNS holds, with types or values; nothing where it is no table."""
    reply = ask(both.port, f"{_label(table)}.{ZONE}", "TXT")
    ((rdata,),) = reply.answer
    pairs = b"".join(rdata.strings).decode().split()
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def here(both: Both, expression: str) -> str:
    """What lzc as the same version gives for an expression."""
    (found,) = both.lzc(f"here.{ZONE}", f"tostring({expression})", None) or [b"an error"]
    return found.decode()


def of_type(version: Version, there: str) -> set[str]:
    """The types that a global may have here: D-54."""
    return {"userdata", "function"} if version >= (5, 1) and there == "userdata" else {there}


@pytest.mark.difference("D-54")
def test_each_global_is_here_too(both: Both) -> None:
    globals_there = listed(both, "_G")
    assert len(globals_there) > 80
    wrong = {}
    for name, there in globals_there.items():
        found = here(both, f"type({name})")
        allowed = {"nil"} if name in HOST | REQUESTS | {INTERNAL} else of_type(both.version, there)
        if name == "localwho":
            # The address that the query came to, which nobody has here.
            allowed = {"nil"} if both.version >= (4, 9) else allowed
        if name not in ("qname", "zone", "who", "bestwho", "dh") and found not in allowed:
            wrong[name] = there, found
    assert not wrong


def test_each_function_of_a_library_is_here_too(both: Both) -> None:
    wrong = {}
    for library in LIBRARIES:
        functions = listed(both, library)
        assert functions, library
        for name, there in functions.items():
            left_out = (library, name) == ("string", "dump") or (
                library == "os" and name not in OF_OS
            )
            found = here(both, f"type({library}.{name})")
            if found != ("nil" if left_out else there):
                wrong[f"{library}.{name}"] = there, found
    assert not wrong


def test_constants_have_the_same_names_and_values(both: Both) -> None:
    assert len(listed(both, "pdns")) > 75
    wrong = {}
    for table in CONSTANTS:
        constants = listed(both, table)
        assert constants or (table == "GeoIPQueryAttribute" and both.version < (5, 0)), table
        for name, there in constants.items():
            found = here(both, f"{table}.{name}" if there != "table" else f"type({table}.{name})")
            if found != there:
                wrong[f"{table}.{name}"] = there, found
    assert not wrong


@pytest.mark.parametrize("made", METHODS)
def test_objects_have_the_same_methods(both: Both, made: str) -> None:
    there = listed(both, _of_object(made))
    (text,) = both.lzc(f"here.{ZONE}", HAS % (made, METHODS[made]), None) or [b""]
    assert dict(pair.split("=") for pair in text.decode().split()) == there
    assert "missing" in there.values() or "there" in there.values()
