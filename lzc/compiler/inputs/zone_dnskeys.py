"""The DNSKEY records that stand in a zone's source: those of another operator (RFC 8901), or of who
signed it before."""

from __future__ import annotations

import re
from typing import Final

from lzc.compiler.inputs.reading import limits_of, reach_of
from lzc.compiler.inputs.sources import ConfigFile, find
from lzc.config import Config
from lzc.source.limits import Spending
from lzc.source.zonefile import read_zone
from lzc.wire import rrtype as rr
from lzc.zone.model import KEY, RDATA

_MAY_HAVE: Final = re.compile(rb"DNSKEY|TYPE0*48|\$INCLUDE|\$FILE", re.IGNORECASE)


def dnskeys_in_source(config: Config, file: ConfigFile, apex: bytes) -> list[bytes]:
    """The RDATA of the DNSKEY records at the apex, a lower-case wire name, as far as the source can
    be read; none where they are dropped (``strip-dnssec``)."""
    sources, _ = find(config, file)
    source = next((one for one in sources if one.apex == apex), None)
    if source is None or source.strip:
        return []
    try:
        # A million records need not be read where there is none of these.
        if not _MAY_HAVE.search(source.path.read_bytes()):
            return []
    except OSError:
        return []
    spending = Spending(limits_of(config))
    zone, _ = read_zone(source.path, apex, reach=reach_of(config), spending=spending)
    return [record[RDATA] for record in zone.of_type(rr.DNSKEY) if not record[KEY]]
