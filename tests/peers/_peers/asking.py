"""Asking servers questions, and putting what they say into a form that compares."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
from collections.abc import Sequence
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


_asked = functools.cache(query)
"""The query, which is made once for all servers that it is sent to."""


@functools.cache
def query_wire(name: str, rrtype: str | int, client: Client, dnssec: bool = False) -> bytes:
    """The query message of a client, with the ID 0: servers are asked the same ones."""
    message = query(name, rrtype, client, dnssec)
    message.id = 0
    return message.to_wire()


def ask_for_each(
    port: int, name: str, rrtype: str | int, clients: Sequence[Client]
) -> list[dns.message.Message]:
    """Ask for all of these clients at once, as `ask` does for one; the answers in their order."""
    answers: dict[int, dns.message.Message] = {}
    with contextlib.ExitStack() as stack:
        sockets: dict[str, socket.socket] = {}
        for number, client in enumerate(clients):
            if client.source not in sockets:
                udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                udp.bind((client.source, 0))
                udp.connect((LOOPBACK, port))
                sockets[client.source] = udp
            asked = query_wire(name, rrtype, client)
            sockets[client.source].send(number.to_bytes(2, "big") + asked[2:])
        while len(answers) < len(clients):
            ready = select.select(list(sockets.values()), [], [], PATIENCE)[0]
            assert ready, f"{len(clients) - len(answers)} answers to {name} {rrtype} did not come"
            for udp in ready:
                message = dns.message.from_wire(udp.recv(65535))
                asked_for = _asked(name, rrtype, clients[message.id])
                asked_for.id = message.id
                assert asked_for.is_response(message), message
                answers[message.id] = message
    for number, client in enumerate(clients):
        if answers[number].flags & dns.flags.TC:
            answers[number] = ask(port, name, rrtype, client, tcp=True)
    return [answers[number] for number in range(len(clients))]


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
