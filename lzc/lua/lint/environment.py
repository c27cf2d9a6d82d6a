"""The environment of a record: what Lua 5.1 gives it, as LuaJIT has it, and which of that leads to
the host; and the variables that PowerDNS sets. Its functions stand in `lzc.lua.functions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lzc.powerdns_versions import Version

_FUNCTIONS: Final = """
assert collectgarbage error gcinfo getfenv getmetatable ipairs load loadstring next pairs pcall
print rawequal rawget rawset select setfenv setmetatable tonumber tostring type unpack xpcall
"""

FUNCTIONS: Final = frozenset(_FUNCTIONS.split())
"""Global functions of the language."""

VALUES: Final = frozenset(("_G", "_VERSION"))

LIBRARIES: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(members.split())
    for name, members in {
        "string": "byte char dump find format gmatch gsub len lower match rep reverse sub upper",
        "table": "concat foreach foreachi getn insert maxn move remove sort",
        "math": "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log"
        " log10 max min mod modf pi pow rad random randomseed sin sinh sqrt tan tanh",
        "bit": "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex",
        "coroutine": "create isyieldable resume running status wrap yield",
        "os": "clock date difftime time",
        "debug": "traceback",
        "jit": "arch flush off on opt os status util version version_num",
    }.items()
}
"""Libraries and their members, but for those in `CLOSED_MEMBERS`."""

CLOSED: Final[Mapping[str, str]] = {
    "io": "files",
    "package": "modules",
    "require": "modules",
    "module": "modules",
    "dofile": "files",
    "loadfile": "files",
    "ffi": "native code",
}
"""Globals that lead to the host, and what to."""

_DEBUG: Final = """
debug getfenv gethook getinfo getlocal getmetatable getregistry getupvalue setfenv sethook setlocal
setmetatable setupvalue upvalueid upvaluejoin
"""

CLOSED_MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "os": {
        "execute": "processes",
        "exit": "the server's process",
        "getenv": "the server's environment",
        "remove": "files",
        "rename": "files",
        "setlocale": "the server's process",
        "tmpname": "files",
    },
    "debug": dict.fromkeys(_DEBUG.split(), "the inside of the server"),
}
"""Members of libraries that do."""

_VARIABLES: Final = """
qname zone zoneid who bestwho ecswho dh dnssecOK tcp ednsPKTSize pdns pdns_features
"""

VARIABLES: Final[Mapping[str, Version | None]] = {
    **dict.fromkeys(_VARIABLES.split()),
    "localwho": (4, 9),
    "GeoIPQueryAttribute": (5, 0),
}
"""Variables of PowerDNS that a record finds set, and since when. It is not known whether 4.8 had
``localwho``."""

_NAME: Final = """
canonCompare chopOff countLabels equal getRawLabels isPartOf makeRelative toString toStringNoDot
wireLength wirelength
"""
_ADDRESS: Final = """
getPort getRaw isIPv4 isIPv6 isMappedIPv4 mapToIPv4 toString toStringWithPort truncate
"""
_NETMASK: Final = """
empty getBits getMaskedNetwork getNetwork isIPv4 isIPv6 isIpv4 isIpv6 match toString
"""

METHODS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("qname", "zone"), frozenset(_NAME.split())),
    **dict.fromkeys(("who", "bestwho", "localwho"), frozenset(_ADDRESS.split())),
    "ecswho": frozenset(_NETMASK.split()),
}
"""Methods of the objects that variables hold."""
