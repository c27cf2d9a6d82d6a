"""Asking servers questions, and putting what they say into a form that compares."""

from __future__ import annotations

from typing import NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK


class Client(NamedTuple):
    """Who asks: from which loopback address, and behind which subnet (empty: no ECS)."""

    source: str = LOOPBACK
    subnet: str = ""


ANYONE = Client()


def query(
    name: str, rrtype: str | int, client: Client = ANYONE, dnssec: bool = False
) -> dns.message.Message:
    """A query as this client would send it."""
    options: list[dns.edns.Option] = []
    if client.subnet:
        address, _, prefix = client.subnet.partition("/")
        options.append(dns.edns.ECSOption(address, int(prefix)))
    message = dns.message.make_query(
        name,
        dns.rdatatype.RdataType.make(rrtype),
        use_edns=0,
        want_dnssec=dnssec,
        options=options,
        payload=1232,
    )
    message.flags &= ~dns.flags.RD
    return message


def ask(
    port: int,
    name: str,
    rrtype: str | int,
    client: Client = ANYONE,
    dnssec: bool = False,
    tcp: bool = False,
) -> dns.message.Message:
    """Ask a server on the loopback interface, over TCP too where UDP truncates."""
    message = query(name, rrtype, client, dnssec)
    where = {"port": port, "timeout": PATIENCE, "source": client.source}
    if tcp:
        return dns.query.tcp(message, LOOPBACK, **where)  # type: ignore[arg-type]
    return dns.query.udp_with_fallback(message, LOOPBACK, **where)[0]  # type: ignore[arg-type]


def records(
    section: list[dns.rrset.RRset], but: frozenset[int] = frozenset()
) -> list[tuple[str, str, int, str]]:
    """The records of a section, sorted, names in lower case: owner, type, TTL, RDATA. Servers may
    order them as they like (RFC 1034 §3.6)."""
    return sorted(
        (
            rrset.name.to_text().lower(),
            dns.rdatatype.to_text(rrset.rdtype),
            rrset.ttl,
            rdata.to_text().lower(),
        )
        for rrset in section
        if rrset.rdtype not in but
        for rdata in rrset
    )


class Essence(NamedTuple):
    """What two servers of one zone must agree on: AA only where there is no failure, the scope of a
    client subnet only where there is an answer."""

    rcode: int
    authoritative: bool
    answer: list[tuple[str, str, int, str]]
    authority: list[tuple[str, str, int, str]]
    scopes: list[int]


SIGNATURES = frozenset({dns.rdatatype.RRSIG})


def essence(message: dns.message.Message, but: frozenset[int] = SIGNATURES) -> Essence:
    """What counts in a message; ``but`` lists the types that may differ (signatures of an algorithm
    that uses random numbers)."""
    failed = message.rcode() == dns.rcode.SERVFAIL
    subnets = [option for option in message.options if isinstance(option, dns.edns.ECSOption)]
    return Essence(
        int(message.rcode()),
        bool(message.flags & dns.flags.AA) and not failed,
        records(message.answer, but),
        records(message.authority, but),
        [option.scopelen for option in subnets] if message.answer else [],
    )
