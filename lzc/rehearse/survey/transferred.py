"""The names of a zone that only its server knows."""

from __future__ import annotations

from typing import Final

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig

from lzc.rehearse.survey.questions import KnownName, of_records

PATIENCE: Final = 30.0
"""Seconds without a message after which a transfer is given up."""


class NoTransfer(Exception):
    """A transfer did not come to its end, and why."""


def names_by_transfer(
    address: str, port: int, apex: bytes, key: dns.tsig.Key | None = None
) -> list[KnownName]:
    """The names of a zone, by AXFR from a server, signed with a TSIG key if there is one. Raises
    `NoTransfer`."""
    name = dns.name.from_wire(apex, 0)[0]
    found: list[tuple[bytes, int]] = []
    try:
        for answer in dns.query.xfr(
            address,
            name,
            port=port,
            timeout=PATIENCE,
            relativize=False,
            keyring=None if key is None else {key.name: key},
            keyname=None if key is None else key.name,
            keyalgorithm=dns.tsig.default_algorithm if key is None else key.algorithm,
        ):
            if answer.rcode():
                raise NoTransfer(f"answered {dns.rcode.to_text(answer.rcode())}")
            found += [(rrset.name.to_digestable(), int(rrset.rdtype)) for rrset in answer.answer]
    except (OSError, EOFError, dns.exception.DNSException) as error:
        raise NoTransfer(str(error) or type(error).__name__) from error
    return of_records(apex, found)
