"""The API of LUA records as PowerDNS documents it: names, parameters, and since when.

What a record may also use of Lua itself stands in `lzc.lua.lint.language`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lzc.lua.lint.versions import Version


class Shape(StrEnum):
    """What a parameter takes."""

    PORT = "a port number"
    URL = "a URL"
    SETS = "a list of addresses, or a list of such lists"
    GROUPS = "a list of tables from address to URL"
    CHECK = "a table of options"
    STRINGS = "a list of strings"
    ADDRESSES = "a list of addresses"
    WEIGHTED = "a list of {weight, item}"
    VIEWS = "a list of {{network, …}, {item, …}}"
    NETWORKS = "a list of networks"
    COUNTRY = "a country code, or a list of them"
    CONTINENT = "a continent code, or a list of them"
    REGION = "a region code, or a list of them"
    NUMBERS = "a number, or a list of numbers"
    NUMBER = "a number"
    TEXT = "a string"
    NAME = "a name"
    ADDRESS = "an address"
    NETWORK = "a network"
    REVERSE = "a format with %1% to %6%"
    REVERSE6 = "a format with %1% to %41%"
    EXCEPTIONS = "a table from address to name"
    GROUP = "a NetmaskGroup, as newNMG gives"
    ANY = "anything"


@dataclass(frozen=True, slots=True)
class Function:
    """``shapes`` are those of the parameters in order, of which ``required`` must be given.
    ``since`` is the first PowerDNS that has it (`None`: all that are in use). ``chooses`` says
    which parameter holds the candidates that the result is taken from (from 0). With ``more``,
    further arguments are no error."""

    shapes: tuple[Shape, ...]
    required: int
    since: Version | None = None
    chooses: int | None = None
    more: bool = False


def _of(*shapes: Shape, optional: int = 0, since: Version | None = None) -> Function:
    candidates = (
        Shape.SETS,
        Shape.STRINGS,
        Shape.ADDRESSES,
        Shape.WEIGHTED,
        Shape.VIEWS,
        Shape.GROUPS,
    )
    chooses = next((i for i, shape in enumerate(shapes) if shape in candidates), None)
    return Function(shapes, len(shapes) - optional, since, chooses)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "ifportup": _of(Shape.PORT, Shape.SETS, Shape.CHECK, optional=1),
    "ifurlup": _of(Shape.URL, Shape.SETS, Shape.CHECK, optional=1),
    "ifurlextup": _of(Shape.GROUPS, Shape.CHECK, optional=1, since=(4, 6)),
    "pickrandom": _of(Shape.STRINGS),
    "pickrandomsample": _of(Shape.NUMBER, Shape.STRINGS),
    "pickhashed": _of(Shape.STRINGS),
    "pickwrandom": _of(Shape.WEIGHTED),
    "pickwhashed": _of(Shape.WEIGHTED),
    "picknamehashed": _of(Shape.WEIGHTED, since=(4, 9)),
    "pickchashed": _of(Shape.WEIGHTED, since=(4, 9)),
    "pickselfweighted": _of(Shape.URL, Shape.ADDRESSES, Shape.CHECK, optional=1, since=(5, 0)),
    "pickclosest": _of(Shape.ADDRESSES),
    "all": _of(Shape.STRINGS),
    "view": _of(Shape.VIEWS),
    "closestMagic": _of(),
    "netmask": _of(Shape.NETWORKS),
    "country": _of(Shape.COUNTRY),
    "continent": _of(Shape.CONTINENT),
    "region": _of(Shape.REGION),
    "asnum": _of(Shape.NUMBERS),
    "countryCode": _of(),
    "continentCode": _of(),
    "regionCode": _of(),
    "latlon": _of(),
    "latlonloc": _of(),
    "latlonMagic": _of(),
    "geoiplookup": _of(Shape.ADDRESS, Shape.ANY),
    "createForward": _of(),
    "createForward6": _of(),
    "createReverse": _of(Shape.REVERSE, Shape.EXCEPTIONS, optional=1),
    "createReverse6": _of(Shape.REVERSE6, Shape.EXCEPTIONS, optional=1),
    "filterForward": _of(Shape.ADDRESS, Shape.GROUP, Shape.TEXT, optional=1),
    "include": _of(Shape.NAME),
    "resolve": _of(Shape.NAME, Shape.ANY),
    "dblookup": _of(Shape.ANY, Shape.ANY, since=(4, 9)),
    "report": Function((), 0, more=True),
    "pdnslog": _of(Shape.TEXT, Shape.NUMBER, optional=1),
    "pdnsrandom": _of(Shape.NUMBER, optional=1),
    "newDN": _of(Shape.NAME),
    "newCA": _of(Shape.ADDRESS),
    "newCAFromRaw": _of(Shape.TEXT, Shape.NUMBER, optional=1),
    "newCAS": Function((), 0),
    "newNMG": _of(Shape.NETWORKS, optional=1),
    "newNetmask": _of(Shape.NETWORK),
    "newQType": _of(Shape.TEXT),
    "newDR": _of(*[Shape.ANY] * 5),
    "newDRR": _of(*[Shape.ANY] * 6, optional=2),
}
"""Functions of the API. ``picknamehashed`` came with 4.9 or 5.0; it is not held against 4.9."""

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

NOT_PROVIDED: Final = frozenset(("resolve",))
"""Functions of the API that lzc refuses to run: it would have to wait for other servers."""

SETS_SINCE: Final[Version] = (4, 8)
"""Several sets of addresses in ifportup and ifurlup."""

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
