"""Owners that look like slips, and wildcards where they have no meaning (RFC 4592)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from lzc.compiler.checks.index import ZoneIndex
from lzc.faults import Fault
from lzc.wire import rrtype as rr
from lzc.wire.name import is_wildcard_key, key_of_labels, labels_of
from lzc.zone.model import KEY


def check_owners(index: ZoneIndex) -> Iterator[Fault]:
    """Yield owners that end in the apex twice, and wildcards that answer nothing."""
    yield from _repeated_apex(index)
    yield from _wildcards(index)


def _repeated_apex(index: ZoneIndex) -> Iterator[Fault]:
    labels = labels_of(index.zone.apex)
    if len(labels) < 2:
        # In a zone like "com.", the name com.com. is as likely meant as not.
        return
    slip = key_of_labels(labels)
    start = bisect_left(index.records, (slip,))
    end = bisect_left(index.records, (slip + b"\x01",), start)
    for key, group in groupby(index.records[start:end], key=itemgetter(KEY)):
        if key == slip or key.startswith(slip + b"\x00"):
            record = next(group)
            yield index.warning(
                record,
                "owner-repeats-apex",
                f"the owner is {index.owner_text(record)}",
                "a name without a final dot is completed with the origin",
                "end the owner with a dot, or leave the zone's name out",
            )


def _wildcards(index: ZoneIndex) -> Iterator[Fault]:
    for record in index.of_type(rr.NS):
        if is_wildcard_key(record[KEY]):
            yield index.error(
                record,
                "wildcard-ns",
                f"NS at the wildcard {index.owner_text(record)}",
                "what a wildcard delegation means is undefined, and DNSSEC cannot prove it "
                "(RFC 4592 §4.2)",
                "delegate each name by itself",
            )
    for record in index.of_type(rr.DNAME):
        if is_wildcard_key(record[KEY]):
            yield index.warning(
                record,
                "wildcard-dname",
                f"DNAME at the wildcard {index.owner_text(record)}",
                "resolvers that cache answer from it unforeseeably (RFC 4592 §4.4)",
                "place the DNAME at a name",
            )
    if b"*" not in b"".join(index.keys):
        return
    starred = [record for record in index.records if b"*" in record[KEY]]
    for key, group in groupby(starred, key=itemgetter(KEY)):
        if b"*" in key.split(b"\x00")[:-1]:
            record = next(group)
            yield index.warning(
                record,
                "wildcard-inside-name",
                f"the asterisk of {index.owner_text(record)} is not its first label",
                "such a name only matches itself (RFC 4592 §2.1.1)",
                "put the asterisk first, or write the names out",
            )
