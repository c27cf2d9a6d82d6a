"""A published zone made as a whole, by several processes where it is large."""

from __future__ import annotations

import marshal
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from lzc.dnssec.signing.denial import HASH as HASH_OCTETS
from lzc.dnssec.signing.denial import Denial, label
from lzc.forms import chains
from lzc.forms.entry import DELEGATION, HEAD, OCCLUDED, RRset, head, pack
from lzc.forms.signing import FormSigner, labels_in
from lzc.forms.source import Name, Source
from lzc.forms.store import HASH, NAME, FormStore
from lzc.wire import rrtype as rr
from lzc.wire.name import labels_of

SLICE: Final = 4096
"""Names that are made at a time."""
SEVERAL: Final = 4 * SLICE
"""Names from which on further processes pay."""

Item = tuple[bytes, bytes, int]
"""The key of an entry in the store, the entry, and when its first signature expires, or 0."""
_Made = tuple[list[tuple[bytes, bytes]], list[bytes], int, int]
"""What is put into a store of some names: entries by their keys, when they are due, how many RRs,
and octets of these. So whoever puts it there has little to do."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Making:
    """How a zone is made. ``opened`` opens the zone in the process that reads it; without a
    ``signer`` it is not signed. ``ttl`` is that of NSEC and NSEC3, in seconds."""

    apex: bytes
    opened: Callable[[], AbstractContextManager[Source]]
    signer: FormSigner | None
    denial: Denial
    ttl: int

    @property
    def apex_labels(self) -> int:
        """How many labels the apex has."""
        return len(labels_of(self.apex))

    def signed(self, name: Name) -> tuple[int, list[bytes], int]:
        """The RRs of a name with their signatures, without those of its denial: how many, these,
        and when they expire."""
        parts: list[bytes] = []
        count = expires = at = 0
        signer = self.signer
        quiet = name.flags & OCCLUDED
        if signer is not None and not quiet:
            labels = labels_in(name.relative, self.apex_labels)
            at = signer.expiration(name.relative)
        for rrset in name.rrsets:
            parts.append(rrset.rrs)
            count += rrset.number
            if signer is not None and not quiet and is_signed(name.flags, rrset.rrtype):
                made = signer.sign(name.relative, labels, rrset, at)
                expires = at
                parts += made
                count += len(made)
        return count, parts, expires

    def link(self, relative: bytes, rrset: RRset, expires: int) -> list[bytes]:
        """An NSEC or NSEC3 RR with its signatures."""
        assert self.signer is not None
        labels = labels_in(relative, self.apex_labels)
        return [rrset.rrs, *self.signer.sign(relative, labels, rrset, expires)]


def is_signed(flags: int, rrtype: int) -> bool:
    """Whether an RRset that is not occluded gets signatures: at a zone cut, DS alone."""
    return not flags & DELEGATION or rrtype == rr.DS


def make_whole(making: Making, store: FormStore, processes: int) -> tuple[int, int]:
    """Put all entries of a zone into an empty store: how many RRs they have, and octets."""
    with making.opened() as source:
        keys = [name for name, _ in islice(source.view.nodes(), 0, None, SLICE)]
        hashed = source.hashed
    several = processes if len(keys) > SEVERAL // SLICE else 1
    bounds = list(zip(keys, [*keys[1:], None], strict=True))

    def names(bound: tuple[bytes, bytes | None]) -> tuple[_Made, list[bytes]]:
        with making.opened() as source:
            if making.signer is None or hashed:
                items, links = _plain(making, source, *bound)
                return _made_of(items), links
            return _made_of(list(_chained(making, source, *bound))), []

    rrs = octets = 0
    links: list[bytes] = []
    with store.writing() as transaction:
        for made, some in in_turns(bounds, names, several):
            links += some
            rrs, octets = rrs + made[2], octets + made[3]
            _append(store, transaction, made)
        if making.signer is not None and hashed:
            links.sort()
            starts = range(0, len(links), SLICE)

            def hashes(start: int) -> _Made:
                return _made_of(list(_linked(making, links, start)))

            for made in in_turns(starts, hashes, several):
                rrs, octets = rrs + made[2], octets + made[3]
                _append(store, transaction, made)
    return rrs, octets


def _made_of(items: Sequence[Item]) -> _Made:
    return (
        [item[:2] for item in items],
        sorted(expires.to_bytes(4, "big") + key for key, _, expires in items if expires),
        sum(head(entry)[1] for _, entry, _ in items),
        sum(len(entry) - HEAD for _, entry, _ in items),
    )


def _append(store: FormStore, transaction: Any, made: _Made) -> None:
    with transaction.cursor(db=store.names) as cursor:
        cursor.putmulti(made[0], append=True)
    with transaction.cursor(db=store.due) as cursor:
        cursor.putmulti([(one, b"") for one in made[1]])


def _plain(
    making: Making, source: Source, first: bytes, last: bytes | None
) -> tuple[list[Item], list[bytes]]:
    """Entries without a chain among them; and where it is one of hashes, what each name adds to
    that: its hash, and the Type Bit Maps field."""
    items: list[Item] = []
    links: list[bytes] = []
    denial = making.denial
    for name in source.names(first, last):
        types = [rrset.rrtype for rrset in name.rrsets]
        if types:
            count, parts, expires = making.signed(name)
            items.append((NAME + name.key, pack(name.flags, count, parts), expires))
        if making.signer is None:
            continue
        linked = (
            chains.is_linked(name.flags, types, denial)
            if types or not name.key
            else leads_on(source, name.key, denial)
        )
        if linked:
            is_apex = not name.key
            field = chains.listed(name.flags, types, is_apex=is_apex, hashed=True)
            links.append(denial.hash(name.relative + making.apex) + field)
    return items, links


def leads_on(source: Source, key: bytes, denial: Denial) -> bool:
    """Whether something with a part in the chain is below a name."""
    below = key + b"\x00"
    for name in source.names(below, key + b"\x01"):
        types = [rrset.rrtype for rrset in name.rrsets]
        if types and chains.is_linked(name.flags, types, denial):
            return True
    return False


def _chained(making: Making, source: Source, first: bytes, last: bytes | None) -> Iterator[Item]:
    """Entries with NSEC records: each waits for the name behind it."""
    waiting: Name | None = None
    behind: list[Item] = []
    for name in source.names(first):
        inside = last is None or name.key < last
        types = [rrset.rrtype for rrset in name.rrsets]
        linked = (bool(types) or not name.key) and not name.flags & OCCLUDED
        if waiting is not None and linked:
            yield _with_nsec(making, waiting, name.relative + making.apex)
            yield from behind
            waiting, behind = None, []
        if not inside:
            if waiting is None:
                break
            continue
        if linked:
            waiting = name
        elif types:
            count, parts, _ = making.signed(name)
            behind.append((NAME + name.key, pack(name.flags, count, parts), 0))
            if waiting is None:
                yield behind.pop()
    if waiting is not None:
        yield _with_nsec(making, waiting, making.apex)
    yield from behind


def _with_nsec(making: Making, name: Name, upcoming: bytes) -> Item:
    count, parts, _ = making.signed(name)
    assert making.signer is not None
    expires = making.signer.expiration(name.relative)
    types = [rrset.rrtype for rrset in name.rrsets]
    field = chains.listed(name.flags, types, is_apex=not name.key, hashed=False)
    made = making.link(
        name.relative, chains.nsec(name.relative, making.ttl, upcoming, field), expires
    )
    return NAME + name.key, pack(name.flags, count + len(made), [*parts, *made]), expires


def _linked(making: Making, links: Sequence[bytes], start: int) -> Iterator[Item]:
    """Entries of NSEC3 records."""
    assert making.signer is not None
    last = len(links)
    for index in range(start, min(start + SLICE, last)):
        here = links[index]
        digest, field = here[:HASH_OCTETS], here[HASH_OCTETS:]
        upcoming = links[index + 1 if index + 1 < last else 0][:HASH_OCTETS]
        yield hash_item(making, digest, upcoming, field)


def hash_item(making: Making, digest: bytes, upcoming: bytes, field: bytes) -> Item:
    """The entry of an NSEC3 record."""
    assert making.signer is not None
    relative = label(digest)
    expires = making.signer.expiration(relative)
    rrset = chains.nsec3(digest, making.ttl, making.denial, upcoming, field)
    made = making.link(relative, rrset, expires)
    return HASH + digest, pack(0, len(made), made), expires


class MakingFailed(Exception):
    """A process that made a part of a zone ended, or was ended."""


def in_turns(jobs: Sequence[T], work: Callable[[T], Any], processes: int) -> Iterator[Any]:
    """What ``work`` makes of each job, in order: plain data. With several processes each does every
    so many-th, and no more than a pipe holds ahead of who takes it. Raises `MakingFailed`."""
    processes = min(processes, len(jobs))
    if processes <= 1:
        yield from map(work, jobs)
        return
    children: list[tuple[int, int]] = []
    try:
        for number in range(processes):
            reading, writing = os.pipe()
            child = os.fork()
            if not child:
                _work(jobs[number::processes], work, writing)
            os.close(writing)
            children.append((child, reading))
        for index in range(len(jobs)):
            yield _read(children[index % processes][1])
    finally:
        for child, reading in children:
            os.close(reading)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _work(jobs: Sequence[T], work: Callable[[T], Any], writing: int) -> None:
    try:
        # Who takes it may be gone: then nobody wants the rest.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        with os.fdopen(writing, "wb", 1 << 20) as out:
            for job in jobs:
                octets = marshal.dumps(work(job), 2)
                out.write(len(octets).to_bytes(8, "big"))
                out.write(octets)
                out.flush()
    finally:
        os._exit(1)


def _read(reading: int) -> Any:
    size = int.from_bytes(_exactly(reading, 8), "big")
    return marshal.loads(_exactly(reading, size))  # noqa: S302 - our own child wrote it


def _exactly(reading: int, size: int) -> bytes:
    parts = []
    while size:
        some = os.read(reading, min(size, 1 << 20))
        if not some:
            raise MakingFailed("a process that signs a part of a zone ended")
        parts.append(some)
        size -= len(some)
    return b"".join(parts)
