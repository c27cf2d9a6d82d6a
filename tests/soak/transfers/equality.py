"""Whether a secondary has a zone: every record of it, without case, and no other."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.tsigkeyring
import dns.zone

from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK
from tests.peers._peers.project import TSIG_SECRET
from tests.soak.transfers.stage import JUDGE

Record = tuple[str, int, str, bytes]


def records(port: int, zone: str, *, signed: bool) -> set[Record]:
    """All records that a transfer gives: owner, TTL, type, RDATA, names in lower case. Raises what
    dnspython does where there is none."""
    query = dns.message.make_query(f"{zone}.", "AXFR", "IN")
    if signed:
        query.use_tsig(dns.tsigkeyring.from_text({JUDGE: TSIG_SECRET}), JUDGE)
    found: set[Record] = set()
    copy = dns.zone.Zone(f"{zone}.", relativize=False)
    dns.query.inbound_xfr(LOOPBACK, copy, query, port=port, timeout=PATIENCE)
    for name, ttl, rdata in copy.iterate_rdatas():
        kind = dns.rdatatype.to_text(rdata.rdtype)
        found.add((str(name).lower(), ttl, kind, rdata.to_digestable()))
    return found


def difference(primary: int, secondary: int, zone: str) -> str:
    """What differs, in words; empty where nothing does."""
    ours = records(primary, zone, signed=True)
    try:
        theirs = records(secondary, zone, signed=False)
    except (dns.exception.DNSException, OSError) as error:
        return f"{zone} cannot be had of it: {type(error).__name__}: {error}"
    if ours == theirs:
        return ""
    missing, extra = sorted(ours - theirs), sorted(theirs - ours)
    return f"{zone}: {len(missing)} missing {missing[:2]}, {len(extra)} too many {extra[:2]}"
