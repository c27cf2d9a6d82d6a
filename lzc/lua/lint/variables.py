"""The variables of LUA records as PowerDNS documents them: names, methods, and since when.

Its functions stand in `lzc.lua.functions`; what a record may also use of Lua itself, in
`lzc.lua.lint.language`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lzc.lua.definition.versions import Version

VARIABLES: Final[Mapping[str, Version | None]] = {
    "qname": None,
    "zone": None,
    "zoneid": None,
    "who": None,
    "bestwho": None,
    "ecswho": None,
    "localwho": (5, 0),
    "dh": None,
    "dnssecOK": None,
    "tcp": None,
    "ednsPKTSize": None,
    "pdns": None,
    "pdns_features": None,
    "GeoIPQueryAttribute": (5, 0),
}
"""Variables that a record finds set, and since when. 4.7 lacks ``localwho`` and 5.1 has it; it is
not held against 5.0."""

_NAME: Final = frozenset(
    (
        "canonCompare",
        "chopOff",
        "countLabels",
        "equal",
        "getRawLabels",
        "isPartOf",
        "makeRelative",
        "toString",
        "toStringNoDot",
        "wireLength",
        "wirelength",
    )
)
_ADDRESS: Final = frozenset(
    (
        "getPort",
        "getRaw",
        "isIPv4",
        "isIPv6",
        "isMappedIPv4",
        "mapToIPv4",
        "toString",
        "toStringWithPort",
        "truncate",
    )
)
_NETMASK: Final = frozenset(
    (
        "empty",
        "getBits",
        "getMaskedNetwork",
        "getNetwork",
        "isIPv4",
        "isIPv6",
        "isIpv4",
        "isIpv6",
        "match",
        "toString",
    )
)

METHODS: Final[Mapping[str, frozenset[str]]] = {
    "qname": _NAME,
    "zone": _NAME,
    "who": _ADDRESS,
    "bestwho": _ADDRESS,
    "localwho": _ADDRESS,
    "ecswho": _NETMASK,
}
"""Methods of the objects that variables hold."""
