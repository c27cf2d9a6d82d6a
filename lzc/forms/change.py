"""A published zone brought to what it is now: of it all, only the names concerned, their neighbours
in the chain and the SOA are touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from lzc.bundle.delta_file import blocks_of
from lzc.dnssec.signing.denial import HASH as HASH_OCTETS
from lzc.forms import chains
from lzc.forms.entry import (
    DENIALS,
    HEAD,
    OCCLUDED,
    Parsed,
    RRset,
    first_expiry,
    head,
    pack,
    parse,
    rrs_of,
)
from lzc.forms.making import Making, hash_item, is_signed
from lzc.forms.signing import labels_in
from lzc.forms.source import Name, Source
from lzc.forms.store import HASH, NAME, FormStore, State
from lzc.image.delta import rr_end
from lzc.wire import rrtype as rr
from lzc.wire.name import relative_of_key

_CUTS: Final = frozenset({rr.NS, rr.DNAME})
"""Types that hide what is below."""
_NOTHING: Final = Parsed(0, {}, {})


class Change:
    """One change of a store, in one transaction. ``source`` is the zone as it is to be."""

    def __init__(self, making: Making, store: FormStore, transaction: Any, source: Source) -> None:
        self._making = making
        self._store = store
        self._transaction = transaction
        self._source = source
        self._names = transaction.cursor(db=store.names)
        self._before: dict[bytes, bytes | None] = {}
        self._after: dict[bytes, bytes | None] = {}

    def names(self, keys: Iterable[bytes]) -> None:
        """Bring the names with these keys to what they are now."""
        making = self._making
        concerned = sorted(self._with_hidden(keys))
        marked: set[bytes] = set()
        hashed: set[bytes] = set()
        for key in concerned:
            old = self._get(NAME + key)
            name = self._source.at(key)
            if name is None or (not name.rrsets and key):
                name = Name(key, relative_of_key(key), 0, ())
            was = old is not None and not head(old)[0] & OCCLUDED
            linked = (bool(name.rrsets) or not key) and not name.flags & OCCLUDED
            self._put(name, _NOTHING if old is None else parse(old))
            if making.signer is None:
                continue
            if making.denial.is_hashed:
                hashed |= {key, *_above(key)}
                continue
            if linked:
                marked.add(key)
            if was != linked:
                marked.add(self._chained_before(key))
        for key in sorted(marked):
            self._chain(key)
        if hashed:
            self._hashes(sorted(hashed))

    def renew(self, keys: Iterable[bytes]) -> None:
        """Sign entries anew, given by their keys in the store."""
        for key in keys:
            entry = self._get(key)
            if entry is None:
                continue
            parsed = replace_signatures(parse(entry))
            if key[:1] == HASH:
                digest = key[1:]
                rdata = _rdata(parsed.rrsets[rr.NSEC3])[len(self._making.denial.head) :]
                self._set(hash_item(self._making, digest, rdata[:20], rdata[20:])[:2])
                continue
            bare = key[1:]
            link = parsed.rrsets.pop(rr.NSEC, None)
            rrsets = tuple(parsed.rrsets.values())
            name = Name(bare, relative_of_key(bare), parsed.flags, rrsets)
            self._put(name, _NOTHING)
            if link is not None:
                self._chain(bare)

    def finish(self, state: State, soa: bytes) -> State:
        """Put what changed down, under the SOA record that the zone has now, whose serial is that
        of ``state``; as it holds from now on."""
        store, transaction, making = self._store, self._transaction, self._making
        old_soa, old_signatures = store.soa(transaction)
        before = store.state(transaction)
        signatures = soa_signatures(making, soa)
        removed, added = _split(old_signatures), list(signatures)
        rrs, octets = before.rrs, before.octets
        due = transaction.cursor(db=store.due)
        for key, old in self._before.items():
            new = self._after[key]
            if old == new:
                continue
            gone = [] if old is None else list(rrs_of(old))
            come = [] if new is None else list(rrs_of(new))
            here, there = set(gone), set(come)
            removed += [one for one in gone if one not in there]
            added += [one for one in come if one not in here]
            rrs += len(come) - len(gone)
            octets += _size(new) - _size(old)
            for entry, put in ((old, False), (new, True)):
                at = 0 if entry is None else expiry_of(entry)
                if at and put:
                    due.put(at.to_bytes(4, "big") + key, b"")
                elif at and due.set_key(at.to_bytes(4, "big") + key):
                    due.delete()
        blocks = blocks_of([old_soa, *removed, soa, *added])
        store.add_delta(transaction, before.serial, state.serial, blocks)
        state = replace(state, rrs=rrs, octets=octets)
        store.put_state(transaction, state, soa, signatures)
        return state

    @property
    def is_nothing(self) -> bool:
        """Whether all is as it was."""
        return self._before == self._after

    def _get(self, key: bytes) -> bytes | None:
        found: bytes | None = self._transaction.get(key, db=self._store.names)
        return found

    def _set(self, item: tuple[bytes, bytes | None]) -> None:
        key, entry = item
        now = self._get(key)
        self._before.setdefault(key, now)
        self._after[key] = entry
        if entry == now:
            # Nothing is written where nothing changed.
            return
        if entry is None:
            self._transaction.delete(key, db=self._store.names)
        else:
            self._transaction.put(key, entry, db=self._store.names)

    def _with_hidden(self, keys: Iterable[bytes]) -> set[bytes]:
        """With the names below those that hide them, or did."""
        found = set(keys)
        for key in list(found):
            old = self._get(NAME + key)
            types = set() if old is None else set(parse(old).rrsets)
            name = self._source.at(key)
            if name is not None:
                types |= {rrset.rrtype for rrset in name.rrsets}
            if not types & _CUTS or (not key and rr.DNAME not in types):
                continue
            below = key + b"\x00" if key else b""
            more = self._names.set_range(NAME + below)
            while more and self._names.key().startswith(NAME + below):
                found.add(self._names.key()[1:])
                more = self._names.next()
            end = key + b"\x01" if key else None
            found.update(name.key for name in self._source.names(below, end) if name.rrsets)
        return found

    def _put(self, name: Name, old: Parsed) -> None:
        """The entry of a name without its denial; signatures over what is as it was stay."""
        key = NAME + name.key
        if not name.rrsets and name.key:
            if self._get(key) is not None:
                self._set((key, None))
            return
        making = self._making
        count, parts = 0, []
        labels = labels_in(name.relative, making.apex_labels)
        for rrset in name.rrsets:
            parts.append(rrset.rrs)
            count += rrset.number
            signer = making.signer
            if signer is None or name.flags & OCCLUDED or not is_signed(name.flags, rrset.rrtype):
                continue
            if old.rrsets.get(rrset.rrtype) == rrset and rrset.rrtype in old.signatures:
                more, joined = old.signatures[rrset.rrtype]
                parts.append(joined)
                count += more
                continue
            made = signer.sign(name.relative, labels, rrset, signer.expiration(name.relative))
            parts += made
            count += len(made)
        if not making.denial.is_hashed and rr.NSEC in old.rrsets and not name.flags & OCCLUDED:
            # It is looked at again, and may stay.
            more, joined = old.signatures.get(rr.NSEC, (0, b""))
            parts += [old.rrsets[rr.NSEC].rrs, joined]
            count += 1 + more
        self._set((key, pack(name.flags, count, parts)))

    def _chain(self, key: bytes) -> None:
        """The NSEC record of a name that has one."""
        entry = self._get(NAME + key)
        assert entry is not None
        parsed = parse(entry)
        old = parsed.rrsets.pop(rr.NSEC, None)
        relative = relative_of_key(key)
        making = self._making
        field = chains.listed(parsed.flags, parsed.rrsets.keys(), is_apex=not key, hashed=False)
        upcoming = self._chained_after(key)
        owner = relative_of_key(upcoming) + making.apex
        rrset = chains.nsec(relative, making.ttl, owner, field)
        if old == rrset and rr.NSEC in parsed.signatures:
            return
        assert making.signer is not None
        parsed.signatures.pop(rr.NSEC, None)
        made = making.link(relative, rrset, making.signer.expiration(relative))
        self._set((NAME + key, _packed(parsed, made)))

    def _chained_after(self, key: bytes) -> bytes:
        """The next name with an NSEC record: the apex behind the last."""
        more = self._names.set_range(NAME + key)
        if more and self._names.key() == NAME + key:
            more = self._names.next()
        while more and self._names.key()[:1] == NAME:
            if not head(self._names.value())[0] & OCCLUDED:
                found: bytes = self._names.key()[1:]
                return found
            more = self._names.next()
        return b""

    def _chained_before(self, key: bytes) -> bytes:
        """The name with an NSEC record before one below the apex."""
        more = self._names.prev() if self._names.set_range(NAME + key) else self._names.last()
        while more and self._names.key()[:1] != NAME:
            more = self._names.prev()
        while more:
            if not head(self._names.value())[0] & OCCLUDED:
                found: bytes = self._names.key()[1:]
                return found
            more = self._names.prev()
        return b""

    def _hashes(self, keys: list[bytes]) -> None:
        """The NSEC3 records of names, and of those before them in the chain."""
        making = self._making
        marked: dict[bytes, bytes | None] = {}
        before: set[bytes] = set()
        for key in keys:
            relative = relative_of_key(key)
            digest = making.denial.hash(relative + making.apex)
            field = self._field(key)
            old = self._get(HASH + digest)
            known = None if old is None else self._told(old)[1]
            if field == known:
                continue
            if field is None:
                self._set((HASH + digest, None))
            else:
                marked[digest] = field
                if old is None:
                    # So that neighbours find it; the next one is put in below.
                    self._set(hash_item(making, digest, digest, field)[:2])
            if (field is None) != (known is None):
                before.add(digest)
        for digest in before:
            previous = self._hash_before(digest)
            if previous is not None and previous not in marked:
                entry = self._get(HASH + previous)
                assert entry is not None
                marked[previous] = self._told(entry)[1]
        for digest, field in sorted(marked.items()):
            assert field is not None
            self._set(hash_item(making, digest, self._hash_after(digest), field)[:2])

    def _field(self, key: bytes) -> bytes | None:
        """The Type Bit Maps field of a name's NSEC3 record; `None` where it has none."""
        denial = self._making.denial
        entry = self._get(NAME + key)
        if entry is None:
            return b"" if key and self._leads_on(key) else None
        parsed = parse(entry)
        types = parsed.rrsets.keys() - DENIALS
        if not chains.is_linked(parsed.flags, types, denial):
            return None
        return chains.listed(parsed.flags, types, is_apex=not key, hashed=True)

    def _leads_on(self, key: bytes) -> bool:
        below = NAME + key + b"\x00"
        more = self._names.set_range(below)
        while more and self._names.key().startswith(below):
            parsed = parse(self._names.value())
            if chains.is_linked(parsed.flags, parsed.rrsets.keys(), self._making.denial):
                return True
            more = self._names.next()
        return False

    def _told(self, entry: bytes) -> tuple[bytes, bytes]:
        """The next hash, and the Type Bit Maps field, of an NSEC3 record."""
        rdata = _rdata(parse(entry).rrsets[rr.NSEC3])[len(self._making.denial.head) :]
        return rdata[:HASH_OCTETS], rdata[HASH_OCTETS:]

    def _hash_after(self, digest: bytes) -> bytes:
        more = self._names.set_range(HASH + digest)
        if more and self._names.key() == HASH + digest:
            more = self._names.next()
        if not more and not self._names.set_range(HASH):
            return digest
        found: bytes = self._names.key()[1:]
        return found

    def _hash_before(self, digest: bytes) -> bytes | None:
        more = self._names.prev() if self._names.set_range(HASH + digest) else self._names.last()
        if not more or self._names.key()[:1] != HASH:
            more = self._names.last()
        if not more or self._names.key()[:1] != HASH:
            return None
        found: bytes = self._names.key()[1:]
        return None if found == digest else found


def replace_signatures(parsed: Parsed) -> Parsed:
    """Without signatures."""
    return Parsed(parsed.flags, parsed.rrsets, {})


def soa_signatures(making: Making, soa: bytes) -> list[bytes]:
    """The RRSIG RRs over the SOA RR."""
    signer = making.signer
    if signer is None:
        return []
    labels = labels_in(b"", making.apex_labels)
    return signer.sign(b"", labels, RRset(rr.SOA, 1, soa), signer.expiration(b""))


def expiry_of(entry: bytes) -> int:
    """When the first signature of an entry expires; 0 where it has none."""
    found = [first_expiry(joined) for _, joined in parse(entry).signatures.values()]
    return min(found, default=0)


def _packed(parsed: Parsed, more: list[bytes]) -> bytes:
    count, parts = len(more), []
    for rrtype, rrset in parsed.rrsets.items():
        signatures, joined = parsed.signatures.get(rrtype, (0, b""))
        parts += [rrset.rrs, joined]
        count += rrset.number + signatures
    return pack(parsed.flags, count, [*parts, *more])


def _size(entry: bytes | None) -> int:
    """Octets of the RRs of an entry."""
    return 0 if entry is None else len(entry) - HEAD


def _rdata(rrset: RRset) -> bytes:
    """Of an RRset of one RR."""
    rrs = rrset.rrs
    position = 0
    while rrs[position] < 0xC0:
        position += 1 + rrs[position]
    return rrs[position + 12 :]


def _split(joined: bytes) -> list[bytes]:
    found, position = [], 0
    while position < len(joined):
        end = rr_end(joined, position)
        found.append(joined[position:end])
        position = end
    return found


def _above(key: bytes) -> Iterator[bytes]:
    """The ancestors of a name, but the apex."""
    at = key.rfind(b"\x00")
    while at > 0:
        yield key[:at]
        at = key.rfind(b"\x00", 0, at)
