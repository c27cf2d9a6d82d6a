"""The NSEC3 chain of a zone (RFC 5155 §7.1): its hashed names in order, each with the next one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, compress, islice
from operator import add

from lzc.bundle import node as nodes
from lzc.dnssec.signing.denial import HASH
from lzc.image.name_slice import Frame
from lzc.wire import rrtype as rr
from lzc.wire.name import relative_of_key

Keyed = list[tuple[bytes, bytes]]


def chain_of(
    frame: Frame, contents: Sequence[bytes], hashes: Sequence[bytes], ents: Keyed, prefix: bytes
) -> tuple[Keyed, bool]:
    """The chain of the names of ``frame``, whose nodes and hashes are given, and of the empty
    non-terminals, keys and nodes with the zone's id ``prefix`` in front: by ascending hash, the
    prefix in front, the next hash and the Type Bit Maps field. And whether two names have the same
    hash, so that the zone needs another salt.

    What is occluded has no part in it. With opt-out, delegations that are not signed have none, nor
    empty non-terminals that lead to nothing else.
    """
    denial = frame.denial
    there = [not mark for mark in frame.occluded]
    if denial.opt_out:
        for index, content in enumerate(contents):
            if content[0] & nodes.DELEGATION and nodes.find(content, rr.DS) is None:
                there[index] = False
    parts = list(map(add, hashes, map(nodes.nsec, contents)))
    if not all(there):
        parts = list(compress(parts, there))
    leading = _above(list(compress(frame.names, there))) if denial.opt_out else None
    apex = frame.zone.apex
    for key, content in ents:
        bare = key[len(prefix) :]
        if not content[0] & nodes.OCCLUDED and (leading is None or bare in leading):
            parts.append(denial.hash(relative_of_key(bare) + apex))
    # Octets of hash and bitmap together are in order in half the time of pairs.
    parts.sort()
    # No list for each column: of a million names each takes 60 MB.
    following = chain(islice(parts, 1, None), parts[:1])
    found = [
        (prefix + here[:HASH], after[:HASH] + here[HASH:])
        for here, after in zip(parts, following, strict=True)
    ]
    return found, any(content.startswith(key[-HASH:]) for key, content in found[:-1])


def _above(names: list[bytes]) -> set[bytes]:
    """The keys of all ancestors of names but the apex."""
    found: set[bytes] = set()
    for key in names:
        at = key.rfind(b"\x00")
        while at > 0 and key[:at] not in found:
            found.add(key[:at])
            at = key.rfind(b"\x00", 0, at)
    return found
